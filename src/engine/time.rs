//! Time in whole nanoseconds: a point ([`Time`]) and a length ([`Duration`]).
//!
//! ```text
//!   Time::ZERO ──────────── now ───── + Duration ─────► later            Time::NEVER
//!     start of the run                                                   (now + Duration::FOREVER)
//! ```
//!
//! Sixty-four bits of nanoseconds last 584 years. Integers, because floating-point time adds up differently in a
//! different order, and has ties that are not ties.
//!
//! Always: arithmetic saturates and never wraps. What is infinite stays infinite: `NEVER` plus or minus anything
//! finite is `NEVER`, and `FOREVER` likewise.

use std::fmt;
use std::ops::{Add, AddAssign, Mul, Sub};

const NANOS_PER_SEC: f64 = 1e9;

/// A point in time: whole nanoseconds since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Time(u64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);

    /// Later than everything that happens. An event at this time is never delivered.
    pub const NEVER: Time = Time(u64::MAX);

    /// The time `nanos` nanoseconds after the start. `u64::MAX` is [`Time::NEVER`].
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// Nanoseconds since the start. `u64::MAX` for [`Time::NEVER`].
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The time `secs` seconds after the start, to the nearest nanosecond. Negative and NaN give zero; what does
    /// not fit gives [`Time::NEVER`].
    #[inline]
    pub fn from_secs_f64(secs: f64) -> Time {
        Time(nearest(secs * NANOS_PER_SEC))
    }

    /// Seconds since the start, for tables and charts. Infinite for [`Time::NEVER`].
    #[inline]
    pub fn as_secs(self) -> f64 {
        Duration(self.0).as_secs()
    }

    /// How long ago `earlier` was. Zero if it is yet to come; [`Duration::FOREVER`] if `self` is
    /// [`Time::NEVER`] and `earlier` is not.
    #[inline]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration(minus(self.0, earlier.0))
    }
}

/// A length of time: whole nanoseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// Longer than every run: a timeout of `FOREVER` does not fire.
    pub const FOREVER: Duration = Duration(u64::MAX);

    /// So many nanoseconds. `u64::MAX` is [`Duration::FOREVER`].
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    /// So many milliseconds; what does not fit is [`Duration::FOREVER`].
    #[inline]
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(1_000_000))
    }

    /// So many seconds; what does not fit is [`Duration::FOREVER`].
    #[inline]
    pub const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(1_000_000_000))
    }

    /// So many seconds, to the nearest nanosecond (a tie goes to the even one). Negative and NaN give zero; what
    /// does not fit (584 years and more, or infinity) gives [`Duration::FOREVER`].
    #[inline]
    pub fn from_secs_f64(secs: f64) -> Duration {
        Duration(nearest(secs * NANOS_PER_SEC))
    }

    /// Nanoseconds. `u64::MAX` for [`Duration::FOREVER`].
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Seconds, for tables and charts. Infinite for [`Duration::FOREVER`].
    #[inline]
    pub fn as_secs(self) -> f64 {
        if self.0 == u64::MAX { f64::INFINITY } else { self.0 as f64 / NANOS_PER_SEC }
    }

    /// Whether this is no time at all.
    #[inline]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `factor` times as long, to the nearest nanosecond. A negative or NaN factor gives zero, and so does zero
    /// times [`Duration::FOREVER`]; what does not fit is [`Duration::FOREVER`]. A factor of exactly 1 changes
    /// nothing; other products carry the 53 bits of a floating-point number, which is exact to 104 days.
    #[inline]
    pub fn scale(self, factor: f64) -> Duration {
        if factor == 1.0 {
            return self;
        }
        if self.0 == u64::MAX {
            return if factor > 0.0 { Duration::FOREVER } else { Duration::ZERO };
        }
        Duration(nearest(self.0 as f64 * factor))
    }
}

/// To the nearest whole number, ties to even; below zero and NaN give 0, too large gives `u64::MAX`.
#[inline]
fn nearest(x: f64) -> u64 {
    // In [2^52, 2^53) the floating-point numbers are exactly the whole ones, so adding 2^52 rounds, and the bits
    // count upwards from those of 2^52. `round` is a call on x86-64 without SSE4.1.
    const WHOLE: f64 = (1u64 << 52) as f64;
    if (0.0..WHOLE).contains(&x) {
        (x + WHOLE).to_bits() - WHOLE.to_bits()
    } else {
        x as u64 // whole already, or out of range; the cast saturates and maps NaN to 0
    }
}

/// Saturating difference in which infinity less something finite stays infinite.
#[inline]
const fn minus(a: u64, b: u64) -> u64 {
    if a == u64::MAX && b != u64::MAX { u64::MAX } else { a.saturating_sub(b) }
}

impl Add<Duration> for Time {
    type Output = Time;
    #[inline]
    fn add(self, length: Duration) -> Time {
        Time(self.0.saturating_add(length.0))
    }
}

impl AddAssign<Duration> for Time {
    #[inline]
    fn add_assign(&mut self, length: Duration) {
        *self = *self + length;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    #[inline]
    fn sub(self, length: Duration) -> Time {
        // Never less forever has no good answer; zero is the cautious one.
        Time(minus(self.0, length.0))
    }
}

impl Sub for Time {
    type Output = Duration;
    #[inline]
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl Add for Duration {
    type Output = Duration;
    #[inline]
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Duration {
    #[inline]
    fn add_assign(&mut self, other: Duration) {
        *self = *self + other;
    }
}

impl Sub for Duration {
    type Output = Duration;
    #[inline]
    fn sub(self, other: Duration) -> Duration {
        Duration(minus(self.0, other.0))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    #[inline]
    fn mul(self, times: u64) -> Duration {
        Duration(self.0.saturating_mul(times))
    }
}

impl fmt::Display for Time {
    /// Seconds, as `12.345s`, to the last nanosecond that is not zero; `{:.3}` rounds to so many decimals
    /// instead. [`Time::NEVER`] is `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Time::NEVER {
            return f.pad("never");
        }
        aligned(f, decimal(self.0, 1_000_000_000, 9, f.precision()) + "s")
    }
}

impl fmt::Display for Duration {
    /// In the largest unit that leaves something before the point: `250ms`, `1.5s`, `20us`, `0s`; `{:.1}` rounds
    /// to so many decimals. [`Duration::FOREVER`] is `forever`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Duration::FOREVER {
            return f.pad("forever");
        }
        let (unit, digits, name) = match self.0 {
            0 | 1_000_000_000.. => (1_000_000_000, 9, "s"),
            1_000_000.. => (1_000_000, 6, "ms"),
            1_000.. => (1_000, 3, "us"),
            _ => (1, 0, "ns"),
        };
        aligned(f, decimal(self.0, unit, digits, f.precision()) + name)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `nanos / unit` in decimals, exactly and without trailing zeros, or rounded half up to `precision` of them.
fn decimal(nanos: u64, unit: u64, digits: usize, precision: Option<usize>) -> String {
    match precision {
        None => {
            let text = format!("{}.{:0digits$}", nanos / unit, nanos % unit);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(kept) => {
            let lost = 10u64.pow(digits.saturating_sub(kept) as u32); // at most nine digits
            let ticks = (nanos.saturating_add(lost / 2)) / lost;
            let (whole, part, wide) = (ticks / (unit / lost), ticks % (unit / lost), digits.min(kept));
            match kept {
                0 => whole.to_string(),
                _ if wide == 0 => format!("{whole}.{:0<kept$}", ""),
                _ => format!("{whole}.{:0<kept$}", format!("{part:0wide$}")),
            }
        }
    }
}

/// Pads to the width that was asked for, on the left like other numbers. The precision is already spent.
fn aligned(f: &mut fmt::Formatter<'_>, text: String) -> fmt::Result {
    let width = f.width().unwrap_or(0);
    match f.align() {
        Some(fmt::Alignment::Left) => write!(f, "{text:<width$}"),
        Some(fmt::Alignment::Center) => write!(f, "{text:^width$}"),
        _ => write!(f, "{text:>width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_infinite_stays_infinite() {
        let (second, later) = (Duration::from_secs(1), Time::from_nanos(5));
        assert_eq!(later + Duration::FOREVER, Time::NEVER);
        assert_eq!(Time::NEVER + second, Time::NEVER);
        assert_eq!(Time::NEVER - second, Time::NEVER);
        assert_eq!(Time::NEVER - later, Duration::FOREVER);
        assert_eq!(Duration::FOREVER + second, Duration::FOREVER);
        assert_eq!(Duration::FOREVER - second, Duration::FOREVER);
        assert_eq!(Duration::FOREVER * 2, Duration::FOREVER);
        assert_eq!(Duration::FOREVER.scale(0.5), Duration::FOREVER);
        assert_eq!(Duration::FOREVER.scale(0.0), Duration::ZERO);
        assert_eq!(Duration::FOREVER - Duration::FOREVER, Duration::ZERO);
        assert_eq!(Duration::FOREVER.as_secs(), f64::INFINITY);
        assert_eq!(Duration::from_secs(u64::MAX), Duration::FOREVER);
    }

    #[test]
    fn what_would_be_negative_is_zero() {
        let (one, two) = (Time::from_nanos(1), Time::from_nanos(2));
        assert_eq!(one - two, Duration::ZERO);
        assert_eq!(one.since(two), Duration::ZERO);
        assert_eq!(one - Duration::from_nanos(2), Time::ZERO);
        assert_eq!(Duration::from_nanos(1) - Duration::from_nanos(2), Duration::ZERO);
        assert_eq!(Duration::from_nanos(1).scale(-1.0), Duration::ZERO);
    }

    #[test]
    fn seconds_become_the_nearest_nanosecond_and_nonsense_becomes_zero_or_forever() {
        assert_eq!(Duration::from_secs_f64(0.25), Duration::from_millis(250));
        assert_eq!(Duration::from_secs_f64(0.1 + 0.2), Duration::from_millis(300));
        assert_eq!(Duration::from_secs_f64(1.4e-9).nanos(), 1);
        assert_eq!(Duration::from_secs_f64(1.6e-9).nanos(), 2);
        assert_eq!(Duration::from_secs_f64(-1.0), Duration::ZERO);
        assert_eq!(Duration::from_secs_f64(f64::NAN), Duration::ZERO);
        assert_eq!(Duration::from_secs_f64(f64::INFINITY), Duration::FOREVER);
        assert_eq!(Duration::from_secs_f64(1e12), Duration::FOREVER);
        assert_eq!(Time::from_secs_f64(2.0), Time::from_nanos(2_000_000_000));
    }

    #[test]
    fn rounding_agrees_with_round_ties_even_at_every_magnitude() {
        for exponent in 0..63 {
            for tenth in 0..40 {
                let x = (1u64 << exponent) as f64 * (1.0 + f64::from(tenth) / 40.0) - 0.5;
                assert_eq!(nearest(x), libm::rint(x) as u64, "{x}");
            }
        }
        let edge = (1u64 << 52) as f64 - 0.5; // rounds up to the edge of the fast path
        assert_eq!(nearest(edge), 1 << 52);
    }

    #[test]
    fn scaling_by_one_changes_nothing_and_by_a_half_halves() {
        let odd = Duration::from_nanos((1 << 60) + 1);
        assert_eq!(odd.scale(1.0), odd);
        assert_eq!(Duration::from_millis(250).scale(0.5), Duration::from_millis(125));
        assert_eq!(Duration::from_millis(250) * 4, Duration::from_secs(1));
    }

    #[test]
    fn lengths_are_written_as_people_write_them() {
        let cases = [
            (0, "0s"),
            (7, "7ns"),
            (20_000, "20us"),
            (1_500, "1.5us"),
            (250_000_000, "250ms"),
            (1_500_000_000, "1.5s"),
            (100_000_000_000, "100s"),
            (u64::MAX, "forever"),
        ];
        for (nanos, text) in cases {
            assert_eq!(Duration::from_nanos(nanos).to_string(), text);
        }
        assert_eq!(Time::from_nanos(12_345_000_000).to_string(), "12.345s");
        assert_eq!(Time::from_nanos(10_000_000_001).to_string(), "10.000000001s");
        assert_eq!(Time::NEVER.to_string(), "never");
        assert_eq!(format!("{:?}", Duration::from_millis(2)), "2ms");
    }

    #[test]
    fn a_table_can_ask_for_decimals_and_width() {
        let time = Time::from_nanos(12_345_600_000);
        assert_eq!(format!("{time:.3}"), "12.346s");
        assert_eq!(format!("{time:.0}"), "12s");
        assert_eq!(format!("{time:9.1}|"), "    12.3s|");
        assert_eq!(format!("{time:<9.1}|"), "12.3s    |");
        assert_eq!(format!("{:.2}", Duration::from_nanos(7)), "7.00ns");
        assert_eq!(format!("{:.1}", Duration::from_nanos(1_990_000_000)), "2.0s");
        assert_eq!(format!("{:.12}", Time::from_nanos(1)), "0.000000001000s");
    }
}
