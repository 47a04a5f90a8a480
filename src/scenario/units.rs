//! Quantities as people write them: `250ms`, `50%`, `800/s`, `64KiB`, `100Mbps`.
//!
//! A bare number is refused, with a way out: nobody should have to guess whether 30 means seconds. What is
//! displayed can be read back as the same quantity.
//!
//! Always: a time is a whole number of nanoseconds; a share lies between 0 and 1; no quantity is negative, infinite
//! or not a number.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::source::harmless;
use super::tree::refuse;
use crate::engine::Duration;

/// A length of time: `250ms`, `1.5s`, `30us`, `2m`, `1h`, `1m30s`. Units are ns, us (or µs), ms, s, m (or min), h and d.
/// Zero may be written `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

/// A part of a whole: `50%`, or a number between 0 and 1 such as `0.5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// How often something happens, kept per second: `800/s`, `3/min`, `10/h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// An amount of data in bytes: `512B`, `64KiB` (1024 bytes each), `1MB` (a million bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// How fast data can flow, kept in bytes per second: `100Mbps` counts bits, `10MB/s` counts bytes. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Bandwidth(pub f64);

/// Why a text is not a quantity, and a way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {help}")]
pub struct Refusal {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Refusal {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), help: help.into() }
    }
}

/// A number at the head of a text, and what follows it.
struct Lexed<'t> {
    number: &'t str,
    rest: &'t str,
}

/// Splits `1.5ms` into `1.5` and `ms`. None if the text does not begin with a digit.
fn lex(text: &str) -> Option<Lexed<'_>> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    if whole == 0 {
        return None;
    }
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    Some(Lexed { number: &text[..end], rest: &text[end..] })
}

/// The reasons that are alike for all quantities: nothing, a sign, infinity.
fn common_refusal(text: &str, what: &str, help: &str) -> Option<Refusal> {
    let lower = text.trim_start_matches(['-', '+', '.']).to_ascii_lowercase();
    if text.is_empty() {
        Some(Refusal::new(format!("{what} is missing"), help))
    } else if lower.starts_with("inf") {
        Some(Refusal::new(format!("{what} cannot be infinite"), help))
    } else if lower.starts_with("nan") {
        Some(Refusal::new(format!("{what} must be a number"), help))
    } else if text.starts_with('-') {
        Some(Refusal::new(format!("{what} cannot be negative"), help))
    } else {
        None
    }
}

fn shown(text: &str) -> String {
    let short: String = harmless(text).chars().take(40).collect();
    format!("`{short}`")
}

// ---------------------------------------------------------------------------------------------------------------
// Time

/// Units of time in nanoseconds, largest first, as a compound writes them.
const TIMES: [(&str, u64); 11] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),       // U+00B5, the micro sign of keyboards
    ("\u{3bc}s", 1_000), // U+03BC, the Greek letter of Unicode's advice
    ("ns", 1),
    ("", 0),
];

const SPAN_HELP: &str = "write `250ms`, `1.5s` or `1m30s`";

impl FromStr for Span {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Span, Refusal> {
        if let Some(refusal) = common_refusal(text, "a time", SPAN_HELP) {
            return Err(refusal);
        }
        let unreadable = || Refusal::new(format!("{} is not a time", shown(text)), SPAN_HELP);
        let too_long = || Refusal::new("a time of more than 584 years", "the clock counts nanoseconds in 64 bits");
        let mut rest = text;
        let mut total = 0_u64;
        let mut smallest = u64::MAX;
        while !rest.is_empty() {
            let lexed = lex(rest).ok_or_else(unreadable)?;
            let end = lexed.rest.find(|c: char| c.is_ascii_digit()).unwrap_or(lexed.rest.len());
            let name = &lexed.rest[..end];
            rest = &lexed.rest[end..];
            if name.is_empty() {
                let zero = lexed.number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
                return match (zero && lexed.number == text, lexed.number == text) {
                    (true, _) => Ok(Span::default()),
                    (_, true) => Err(no_unit(text)),
                    _ => Err(unreadable()),
                };
            }
            let Some(&(_, unit)) = TIMES.iter().find(|(known, _)| *known == name) else {
                let message = format!("{} is not a unit of time", shown(name.trim()));
                return Err(Refusal::new(message, "units: ns, us, ms, s, m (or min), h, d"));
            };
            if unit >= smallest {
                return Err(Refusal::new("the parts of a time go from large to small", SPAN_HELP));
            }
            smallest = unit;
            let nanos = scaled(lexed.number, unit).ok_or_else(too_long)?;
            if nanos == 0 && lexed.number.bytes().any(|byte| matches!(byte, b'1'..=b'9')) {
                return Err(Refusal::new("a time finer than half a nanosecond", SPAN_HELP));
            }
            total = total.checked_add(nanos).ok_or_else(too_long)?;
        }
        Ok(Span(Duration::from_nanos(total)))
    }
}

fn no_unit(number: &str) -> Refusal {
    Refusal::new("a time needs a unit", format!("write `{number}ms` or `{number}s`"))
}

/// A decimal number of units, to the nearest whole one. None if 64 bits cannot hold it.
///
/// In whole numbers, because 1.1 s is 1 100 000 000 ns and not what the nearest `f64` makes of it.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    // Eighteen digits are finer than any unit here can tell.
    let fraction = &fraction[..fraction.len().min(18)];
    if fraction.is_empty() {
        return Some(whole);
    }
    let tenths = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = (fraction.parse::<u128>().ok()? * u128::from(unit) + tenths / 2) / tenths;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// `count` units of which `unit` nanoseconds make one, with as many decimals as it takes.
fn decimal(nanos: u64, unit: u64, name: &str) -> String {
    let whole = nanos / unit;
    let rest = nanos % unit;
    if rest == 0 {
        return format!("{whole}{name}");
    }
    let width = unit.ilog10() as usize; // units below the minute are powers of ten
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}{name}", fraction.trim_end_matches('0'))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.nanos();
        let small = match nanos {
            0 => "0s".to_string(),
            1..1_000 => decimal(nanos, 1, "ns"),
            1_000..1_000_000 => decimal(nanos, 1_000, "us"),
            1_000_000..1_000_000_000 => decimal(nanos, 1_000_000, "ms"),
            1_000_000_000..60_000_000_000 => decimal(nanos, 1_000_000_000, "s"),
            _ => {
                let (days, hours) = (nanos / TIMES[0].1, nanos % TIMES[0].1);
                let (hours, minutes) = (hours / TIMES[1].1, hours % TIMES[1].1);
                let (minutes, seconds) = (minutes / TIMES[2].1, minutes % TIMES[2].1);
                for (count, name) in [(days, "d"), (hours, "h"), (minutes, "m")] {
                    if count > 0 {
                        write!(f, "{count}{name}")?;
                    }
                }
                if seconds == 0 {
                    return Ok(());
                }
                decimal(seconds, 1_000_000_000, "s")
            }
        };
        f.write_str(&small)
    }
}

impl From<Duration> for Span {
    fn from(duration: Duration) -> Span {
        Span(duration)
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Shares

const SHARE_HELP: &str = "write `50%`, or a number between 0 and 1 such as `0.5`";

impl Share {
    fn checked(share: f64, percent: bool) -> Result<Share, Refusal> {
        match share {
            _ if !share.is_finite() => Err(Refusal::new("a share must be a finite number", SHARE_HELP)),
            _ if share < 0.0 => Err(Refusal::new("a share cannot be negative", SHARE_HELP)),
            _ if share > 1.0 && percent => Err(Refusal::new("a share cannot exceed 100%", SHARE_HELP)),
            _ if share > 1.0 && share <= 100.0 => {
                Err(Refusal::new("a share lies between 0 and 1", format!("write `{share}%` if you mean percent")))
            }
            _ if share > 1.0 => Err(Refusal::new("a share lies between 0 and 1", SHARE_HELP)),
            _ => Ok(Share(share + 0.0)), // turns -0.0 into 0.0
        }
    }
}

impl FromStr for Share {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Share, Refusal> {
        if let Some(refusal) = common_refusal(text, "a share", SHARE_HELP) {
            return Err(refusal);
        }
        let unreadable = || Refusal::new(format!("{} is not a share", shown(text)), SHARE_HELP);
        let number = text.strip_suffix('%');
        let lexed = lex(number.unwrap_or(text)).filter(|lexed| lexed.rest.is_empty()).ok_or_else(unreadable)?;
        // Shifting the decimal point, not dividing: 7% is then exactly the 0.07 that somebody else wrote.
        let written = if number.is_some() { format!("{}e-2", lexed.number) } else { lexed.number.to_string() };
        Share::checked(written.parse().map_err(|_| unreadable())?, number.is_some())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.10}", self.0 * 100.0);
        let percent = percent.trim_end_matches('0').trim_end_matches('.');
        match format!("{percent}e-2").parse() {
            Ok(same) if self.0.to_bits() == f64::to_bits(same) => write!(f, "{percent}%"),
            _ => write!(f, "{}", self.0),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Rates

const RATES: [(&str, f64); 5] = [("s", 1.0), ("min", 60.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
const RATE_HELP: &str = "write `800/s`, `3/min` or `10/h`";

impl FromStr for Rate {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Rate, Refusal> {
        if let Some(refusal) = common_refusal(text, "a rate", RATE_HELP) {
            return Err(refusal);
        }
        let unreadable = || Refusal::new(format!("{} is not a rate", shown(text)), RATE_HELP);
        let lexed = lex(text).ok_or_else(unreadable)?;
        if lexed.rest.is_empty() {
            return Err(Refusal::new("a rate needs a unit", format!("write `{text}/s`")));
        }
        let unit = lexed.rest.strip_prefix('/').ok_or_else(unreadable)?;
        let Some((_, seconds)) = RATES.iter().find(|(name, _)| *name == unit) else {
            let message = format!("{} is not a unit of a rate", shown(&format!("/{unit}")));
            return Err(Refusal::new(message, "units: /s, /min, /h, /d"));
        };
        let number: f64 = lexed.number.parse().map_err(|_| unreadable())?;
        if !number.is_finite() {
            return Err(Refusal::new("a rate too large to be counted", RATE_HELP));
        }
        Ok(Rate(number / seconds))
    }
}

impl fmt::Display for Rate {
    /// In the unit that makes it shortest: `3/min`, and not `0.05/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = format!("{}/s", self.0);
        let shorter = RATES.iter().filter(|(name, _)| *name != "m").find_map(|(name, seconds)| {
            let rounded = (self.0 * seconds).round();
            let same = rounded / seconds == self.0 && rounded.abs() < 1e15;
            same.then(|| format!("{rounded}/{name}"))
        });
        f.write_str(&shorter.filter(|text| text.len() < per_second.len()).unwrap_or(per_second))
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Sizes

const SIZES: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];
const SIZE_HELP: &str = "write `512B`, `64KiB` or `1MB`";

impl FromStr for Size {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Size, Refusal> {
        if let Some(refusal) = common_refusal(text, "a size", SIZE_HELP) {
            return Err(refusal);
        }
        let unreadable = || Refusal::new(format!("{} is not a size", shown(text)), SIZE_HELP);
        let lexed = lex(text).ok_or_else(unreadable)?;
        if lexed.rest.is_empty() {
            return Err(Refusal::new("a size needs a unit", format!("write `{text}B` or `{text}KiB`")));
        }
        let Some((_, unit)) = SIZES.iter().find(|(name, _)| *name == lexed.rest) else {
            let message = format!("{} is not a unit of size", shown(lexed.rest));
            return Err(Refusal::new(message, "units: B, kB, MB, GB, TB (thousands), KiB, MiB, GiB, TiB (1024s)"));
        };
        let bytes = scaled(lexed.number, *unit).ok_or_else(|| Refusal::new("a size beyond 16 EiB", SIZE_HELP))?;
        Ok(Size(bytes))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = SIZES.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        let (name, unit) = whole.unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Bandwidth

/// Units in bits per second, so that all factors are whole.
const BANDWIDTHS: [(&str, f64); 17] = [
    ("Tbps", 1e12),
    ("Gbps", 1e9),
    ("Mbps", 1e6),
    ("kbps", 1e3),
    ("Kbps", 1e3),
    ("bps", 1.0),
    ("Gbit/s", 1e9),
    ("Mbit/s", 1e6),
    ("kbit/s", 1e3),
    ("GB/s", 8e9),
    ("MB/s", 8e6),
    ("kB/s", 8e3),
    ("KB/s", 8e3),
    ("GiB/s", 8.0 * 1_073_741_824.0),
    ("MiB/s", 8.0 * 1_048_576.0),
    ("KiB/s", 8.0 * 1_024.0),
    ("B/s", 8.0),
];
const BANDWIDTH_HELP: &str = "write `100Mbps` (bits) or `10MB/s` (bytes)";

impl FromStr for Bandwidth {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Bandwidth, Refusal> {
        if let Some(refusal) = common_refusal(text, "a bandwidth", BANDWIDTH_HELP) {
            return Err(refusal);
        }
        let unreadable = || Refusal::new(format!("{} is not a bandwidth", shown(text)), BANDWIDTH_HELP);
        let lexed = lex(text).ok_or_else(unreadable)?;
        if lexed.rest.is_empty() {
            return Err(Refusal::new("a bandwidth needs a unit", format!("write `{text}Mbps` or `{text}MB/s`")));
        }
        let Some((_, bits)) = BANDWIDTHS.iter().find(|(name, _)| *name == lexed.rest) else {
            let message = format!("{} is not a unit of bandwidth", shown(lexed.rest));
            return Err(Refusal::new(
                message,
                "units: bps, kbps, Mbps, Gbps (bits); B/s, kB/s, MB/s, KiB/s, MiB/s (bytes)",
            ));
        };
        let number: f64 = lexed.number.parse().map_err(|_| unreadable())?;
        let bytes = number * bits / 8.0;
        if bytes <= 0.0 {
            return Err(Refusal::new("a bandwidth must be more than zero", "to let nothing pass, use a fault"));
        }
        if !bytes.is_finite() {
            return Err(Refusal::new("a bandwidth too large to be counted", BANDWIDTH_HELP));
        }
        Ok(Bandwidth(bytes))
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = BANDWIDTHS.iter().find_map(|(name, bits)| {
            let count = (self.0 * 8.0 / bits).round();
            let same = (1.0..1e4).contains(&count) && count * bits / 8.0 == self.0;
            same.then(|| format!("{count}{name}"))
        });
        f.write_str(&whole.unwrap_or_else(|| format!("{}B/s", self.0)))
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Reading and writing

/// What all quantities share: read from text, refuse bare numbers (or not), written as text.
trait Quantity: FromStr<Err = Refusal> {
    const EXPECTED: &'static str;
    /// Up to which number a unit is not needed; for the schema.
    const LARGEST_BARE: Option<u32> = None;

    /// A bare number. It is refused as its text would be, except where a number has a meaning.
    fn bare(number: f64) -> Result<Self, Refusal> {
        number.to_string().parse()
    }
}

impl Quantity for Span {
    const EXPECTED: &'static str = "a time such as `250ms`";
    const LARGEST_BARE: Option<u32> = Some(0);
}

impl Quantity for Share {
    const EXPECTED: &'static str = "a share such as `50%`";
    const LARGEST_BARE: Option<u32> = Some(1);

    fn bare(number: f64) -> Result<Share, Refusal> {
        Share::checked(number, false)
    }
}

impl Quantity for Rate {
    const EXPECTED: &'static str = "a rate such as `800/s`";
}

impl Quantity for Size {
    const EXPECTED: &'static str = "a size such as `64KiB`";
}

impl Quantity for Bandwidth {
    const EXPECTED: &'static str = "a bandwidth such as `100Mbps`";
}

struct Reads<T>(std::marker::PhantomData<T>);

impl<T: Quantity> Visitor<'_> for Reads<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|Refusal { message, help }| refuse(message, help))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::bare(number).map_err(|Refusal { message, help }| refuse(message, help))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_f64(number as f64) // only 0 and 1 are ever accepted
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_f64(number as f64) // only 0 and 1 are ever accepted
    }
}

macro_rules! written_as_text {
    ($($type:ident: $types:tt, $pattern:literal, [$($example:literal),*], $description:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                deserializer.deserialize_any(Reads(std::marker::PhantomData))
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true // a short form must not refer to a definition: see `tree::or_short`
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                // The bounds concern numbers only, the pattern texts only.
                let mut schema = json_schema!({
                    "type": $types,
                    "pattern": $pattern,
                    "examples": [$($example),*],
                    "description": $description,
                });
                if let Some(largest) = <$type as Quantity>::LARGEST_BARE {
                    schema.insert("minimum".to_string(), 0.into());
                    schema.insert("maximum".to_string(), largest.into());
                }
                schema
            }
        }
    )*};
}

written_as_text! {
    Span: ["string", "integer"], r"^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|μs|ms|s|m|min|h|d))+)$", ["250ms", "1.5s", "1m30s"],
        "A length of time with its unit: ns, us, ms, s, m (or min), h, d.";
    Share: ["string", "number"], r"^[0-9]+(\.[0-9]+)?%?$", ["50%", "0.5"],
        "A part of a whole: a percentage, or a number between 0 and 1.";
    Rate: "string", r"^[0-9]+(\.[0-9]+)?/(s|min|m|h|d)$", ["800/s", "3/min"],
        "How often something happens: /s, /min, /h or /d.";
    Size: "string", r"^[0-9]+(\.[0-9]+)?([kKMGT]B|[KMGT]iB|B)$", ["512B", "64KiB", "1MB"],
        "An amount of data: B, kB, MB, GB, TB (thousands), KiB, MiB, GiB, TiB (1024s).";
    Bandwidth: "string", r"^[0-9]+(\.[0-9]+)?([kKMGT]?bps|[kMG]bit/s|([kKMG]|[KMG]i)?B/s)$", ["100Mbps", "10MB/s"],
        "How fast data can flow: kbps, Mbps, Gbps (bits), kB/s, MB/s, KiB/s, MiB/s (bytes).";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nanos(text: &str) -> u64 {
        text.parse::<Span>().expect("a time").0.nanos()
    }

    fn refusal<T: Quantity + fmt::Debug>(text: &str) -> (String, String) {
        let Refusal { message, help } = text.parse::<T>().expect_err("not a quantity");
        (message, help)
    }

    #[test]
    fn times_are_whole_nanoseconds() {
        assert_eq!(nanos("250ms"), 250_000_000);
        assert_eq!(nanos("1.5s"), 1_500_000_000);
        assert_eq!(nanos("1.1s"), 1_100_000_000);
        assert_eq!((nanos("30us"), nanos("30µs"), nanos("30μs")), (30_000, 30_000, 30_000));
        assert_eq!(nanos("10ns"), 10);
        assert_eq!((nanos("2m"), nanos("2min")), (120_000_000_000, 120_000_000_000));
        assert_eq!((nanos("1h"), nanos("1d")), (3_600_000_000_000, 86_400_000_000_000));
        assert_eq!(nanos("1m30s"), 90_000_000_000);
        assert_eq!(nanos("1h0.5s"), 3_600_500_000_000);
        assert_eq!((nanos("0"), nanos("0.0"), nanos("0s")), (0, 0, 0));
    }

    #[test]
    fn what_is_not_a_time_is_refused_with_a_way_out() {
        let refused = refusal::<Span>;
        assert_eq!(refused("250"), ("a time needs a unit".into(), "write `250ms` or `250s`".into()));
        assert_eq!(refused("-5ms").0, "a time cannot be negative");
        assert_eq!(refused("inf").0, "a time cannot be infinite");
        assert_eq!(refused(".nan").0, "a time must be a number");
        assert_eq!(refused("").0, "a time is missing");
        assert_eq!(refused("5 sec").0, "`sec` is not a unit of time");
        assert_eq!(refused("30s1m").0, "the parts of a time go from large to small");
        assert_eq!(refused("1m30").0, "`1m30` is not a time");
        assert_eq!(refused("600000d").0, "a time of more than 584 years");
        assert_eq!(refused("99999999999999999999999s").0, "a time of more than 584 years");
        assert_eq!(refused("0.1ns").0, "a time finer than half a nanosecond");
        assert_eq!(refused("soon").0, "`soon` is not a time");
    }

    #[test]
    fn times_are_written_as_one_would_say_them() {
        let written = |text: &str| text.parse::<Span>().expect("a time").to_string();
        for same in ["0s", "10ns", "1.5us", "250ms", "1.5s", "1m30s", "2h", "1d1h", "1m0.000000001s"] {
            assert_eq!(written(same), same);
        }
        assert_eq!((written("90s"), written("1500ms"), written("0")), ("1m30s".into(), "1.5s".into(), "0s".into()));
    }

    #[test]
    fn shares_are_percentages_or_numbers_up_to_one() {
        let share = |text: &str| text.parse::<Share>().expect("a share");
        assert_eq!((share("50%").0, share("0.5").0, share("7%").0, share("100%").0), (0.5, 0.5, 0.07, 1.0));
        assert_eq!(share("0.1%").to_string(), "0.1%");
        assert_eq!(refusal::<Share>("150%").0, "a share cannot exceed 100%");
        assert_eq!(
            refusal::<Share>("50"),
            ("a share lies between 0 and 1".into(), "write `50%` if you mean percent".into())
        );
        assert_eq!(refusal::<Share>("-1%").0, "a share cannot be negative");
        assert_eq!(refusal::<Share>("nan").0, "a share must be a number");
        assert_eq!(refusal::<Share>("half").0, "`half` is not a share");
        assert!(Share::checked(f64::NAN, false).is_err() && Share::checked(-0.1, false).is_err());
    }

    #[test]
    fn rates_are_kept_per_second_and_written_in_their_shortest_unit() {
        let rate = |text: &str| text.parse::<Rate>().expect("a rate");
        assert_eq!((rate("800/s").0, rate("3/min").0, rate("0.5/s").0), (800.0, 0.05, 0.5));
        assert_eq!(rate("3/min").to_string(), "3/min");
        assert_eq!(rate("10/h").to_string(), "10/h");
        assert_eq!(rate("800/s").to_string(), "800/s");
        assert_eq!(refusal::<Rate>("800"), ("a rate needs a unit".into(), "write `800/s`".into()));
        assert_eq!(refusal::<Rate>("8/fortnight").0, "`/fortnight` is not a unit of a rate");
        assert_eq!(refusal::<Rate>("-8/s").0, "a rate cannot be negative");
        assert_eq!(refusal::<Rate>("800rps").0, "`800rps` is not a rate");
    }

    #[test]
    fn sizes_tell_thousands_from_1024s() {
        let size = |text: &str| text.parse::<Size>().expect("a size");
        assert_eq!(
            (size("64KiB").0, size("1MB").0, size("512B").0, size("1.5GiB").0),
            (65_536, 1_000_000, 512, 1_610_612_736)
        );
        for same in ["64KiB", "1MB", "512B", "0B", "3TiB"] {
            assert_eq!(size(same).to_string(), same);
        }
        assert_eq!(refusal::<Size>("64").0, "a size needs a unit");
        assert_eq!(refusal::<Size>("64Kb").0, "`Kb` is not a unit of size");
        assert_eq!(refusal::<Size>("99999999TiB").0, "a size beyond 16 EiB");
    }

    #[test]
    fn bandwidth_counts_bits_or_bytes_as_written() {
        let bandwidth = |text: &str| text.parse::<Bandwidth>().expect("a bandwidth");
        assert_eq!((bandwidth("100Mbps").0, bandwidth("1Gbps").0), (12_500_000.0, 125_000_000.0));
        assert_eq!((bandwidth("10MB/s").0, bandwidth("64KiB/s").0), (10_000_000.0, 65_536.0));
        for same in ["100Mbps", "1Gbps", "64KiB/s"] {
            assert_eq!(bandwidth(same).to_string(), same);
        }
        assert_eq!(refusal::<Bandwidth>("0Mbps").0, "a bandwidth must be more than zero");
        assert_eq!(refusal::<Bandwidth>("100").0, "a bandwidth needs a unit");
        assert_eq!(refusal::<Bandwidth>("1MB").0, "`MB` is not a unit of bandwidth");
    }

    #[test]
    fn bare_numbers_in_a_file_are_refused_except_where_they_mean_something() {
        assert_eq!(serde_json::from_str::<Span>("0").expect("zero"), Span::default());
        assert_eq!(serde_json::from_str::<Share>("0.25").expect("a share"), Share(0.25));
        assert_eq!(serde_json::from_str::<Share>("1").expect("a share"), Share(1.0));
        assert!(serde_json::from_str::<Span>("250").is_err());
        assert!(serde_json::from_str::<Span>("-1").is_err());
        assert!(serde_json::from_str::<Rate>("800").is_err());
        assert!(serde_json::from_str::<Size>("1e300").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "[0-9.]{0,25}[a-zA-Zµ/%. -]{0,6}[0-9a-z]{0,4}|\\PC{0,20}") {
            let _ = text.parse::<Span>();
            let _ = text.parse::<Share>();
            let _ = text.parse::<Rate>();
            let _ = text.parse::<Size>();
            let _ = text.parse::<Bandwidth>();
        }

        #[test]
        fn what_is_written_reads_as_the_same(nanos in any::<u64>(), share in 0.0..=1.0_f64, number in 1e-6..1e12_f64) {
            let nanos = nanos >> (nanos % 64);
            prop_assert_eq!(Span(Duration::from_nanos(nanos)).to_string().parse(), Ok(Span(Duration::from_nanos(nanos))));
            prop_assert_eq!(Share(share).to_string().parse(), Ok(Share(share)));
            prop_assert_eq!(Rate(number).to_string().parse(), Ok(Rate(number)));
            prop_assert_eq!(Size(nanos).to_string().parse(), Ok(Size(nanos)));
            prop_assert_eq!(Bandwidth(number).to_string().parse(), Ok(Bandwidth(number)));
        }
    }
}
