//! From numbers to pixels, and to the words beside the ticks.

use super::frame::SIZE;
use super::sketch::{clean, fit, width};
use super::{Axis, Unit};

/// Larger numbers than this are treated as infinite, and smaller ones as zero: their differences and powers would
/// leave the range of floating point. No chart is about either.
const HUGE: f64 = 1e100;
const TINY: f64 = 1e-100;

/// The number, if a linear axis can show it.
pub fn sane(value: f64) -> Option<f64> {
    if !value.is_finite() || value.abs() > HUGE {
        None
    } else if value.abs() < TINY {
        Some(0.0)
    } else {
        Some(value)
    }
}

/// A number on an axis and what is written there.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

/// How the values of an axis become pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// The label and, where the ticks do not say it, the unit.
    pub title: String,
    pub ticks: Vec<Tick>,
    pub low: f64,
    pub high: f64,
    pub log: bool,
    /// In what the ticks of a linear axis of time are counted.
    clock: &'static str,
    start: f64,
    end: f64,
}

/// Whether an axis ends at the last value or at the tick beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    AtData,
    AtTicks,
}

impl Scale {
    /// A scale that holds all `values`, with about `wanted` ticks. Without any value it runs from 0 to 1 (from 1 to 10
    /// when logarithmic) and has no ticks: there is nothing they could say.
    pub fn new(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize, ends: Ends) -> Scale {
        let usable = values.filter_map(sane).filter(|value| !axis.log || *value > 0.0);
        let range = usable.fold(None, |range: Option<(f64, f64)>, value| {
            range.map_or(Some((value, value)), |(low, high)| Some((low.min(value), high.max(value))))
        });
        let mut scale = match range {
            None => Scale::bare(axis.log),
            Some((low, high)) if axis.log => Scale::logarithmic(axis.unit, low, high, wanted, ends),
            Some((low, high)) => Scale::linear(axis, low, high, wanted, ends),
        };
        scale.title = title(axis, &scale);
        scale
    }

    /// A scale of names, each a place wide: the first from -0.5 to 0.5. They are cut to `room` pixels.
    pub fn names(label: &str, names: &[String], room: f64) -> Scale {
        let ticks = names.iter().enumerate();
        let ticks = ticks.map(|(place, name)| Tick { value: place as f64, label: fit(name.trim(), SIZE, room) });
        let high = (names.len() as f64 - 0.5).max(0.5);
        Scale { title: clean(label.trim()), ticks: ticks.collect(), low: -0.5, high, ..Scale::bare(false) }
    }

    fn bare(log: bool) -> Scale {
        let (low, high) = if log { (1.0, 10.0) } else { (0.0, 1.0) };
        Scale { title: String::new(), ticks: Vec::new(), clock: "", low, high, log, start: 0.0, end: 1.0 }
    }

    fn linear(axis: &Axis, low: f64, high: f64, wanted: usize, ends: Ends) -> Scale {
        let (mut low, mut high) = if axis.from_zero { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        // A constant would have no height at all; give it some air.
        let size = low.abs().max(high.abs());
        if size == 0.0 {
            high = 1.0;
        } else if high - low <= size * 1e-9 {
            let air = size * 0.1;
            (low, high) = (low - air, high + air);
        }
        // Its ticks may reach up to where the next unit begins, and are still counted in this one.
        let (divisor, clock) = clock(axis.unit, low.abs().max(high.abs()));
        // Counts have no halves, but their means have: below one they are numbers like any other.
        let whole = axis.unit == Unit::Count && high - low >= 1.0;
        let step = nice((high - low) / divisor / wanted as f64, whole) * divisor;
        // How far beyond the data the next tick may lie. A run sampled at 0, 1, .. 299 s is one of 300 s.
        let reach = if ends == Ends::AtTicks { 1.0 } else { 0.1 };
        // A hair of tolerance: 0.30000000000000004 should not open the next tick.
        let (below, above) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        if low / step - below <= reach {
            low = low.min(below * step);
        }
        if above - high / step <= reach {
            high = high.max(above * step);
        }
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        let count = (last - first).clamp(0.0, 100.0) as u32;
        let ticks = (0..=count).map(|index| {
            let value = (first + f64::from(index)) * step;
            Tick { value, label: label(axis.unit, value / divisor, step / divisor) }
        });
        Scale { ticks: ticks.collect(), clock, low, high, ..Scale::bare(false) }
    }

    fn logarithmic(unit: Unit, low: f64, high: f64, wanted: usize, ends: Ends) -> Scale {
        let (mut low, mut high) = (low, high);
        if high / low < 1.01 {
            (low, high) = (low / 2.0, high * 2.0);
        }
        let decades = libm::log10(high / low);
        let marks: &[f64] = if decades * 3.0 > wanted as f64 * 1.4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let every = (decades / (wanted as f64 * 1.6)).ceil().max(1.0) as i32;
        let (from, to) = (exponent(low), exponent(high) + 1);
        let all: Vec<f64> = (from..=to)
            .filter(|power| power.rem_euclid(every) == 0)
            .flat_map(|power| marks.iter().map(move |mark| mark * ten(power)))
            .collect();
        if ends == Ends::AtTicks {
            // At most a decade further: with one tick every few decades, stay with the data.
            let below = all.iter().rev().find(|tick| **tick <= low * NEAR).filter(|tick| low / **tick < 10.1);
            let above = all.iter().find(|tick| **tick >= high / NEAR).filter(|tick| **tick / high < 10.1);
            (low, high) = (below.copied().unwrap_or(low), above.copied().unwrap_or(high));
        }
        let inside = |value: &f64| *value >= low / NEAR && *value <= high * NEAR;
        let mut ticks: Vec<f64> = all.into_iter().filter(inside).collect();
        if ticks.len() < 2 {
            // Less than a decade: even steps are clearer than one lonely power of ten.
            let step = nice((high - low) / wanted as f64, false);
            let (first, last) = ((low / step).ceil(), (high / step).floor());
            let count = (last - first).clamp(0.0, 100.0) as u32;
            ticks = (0..=count).map(|index| (first + f64::from(index)) * step).filter(inside).collect();
        }
        let ticks = ticks.into_iter().map(|value| Tick { value, label: unit.show(value) });
        Scale { ticks: ticks.collect(), low, high, ..Scale::bare(true) }
    }

    /// Says where the axis stands: `start` is the pixel of the low end, `end` that of the high end.
    pub fn onto(mut self, start: f64, end: f64) -> Scale {
        (self.start, self.end) = (start, end);
        self
    }

    /// The pixel of a value; none for a value that this axis cannot show.
    pub fn place(&self, value: f64) -> Option<f64> {
        sane(value).filter(|value| !self.log || *value > 0.0).map(|value| self.pixel(value))
    }

    /// The pixel of a value, or of the end of the axis that is nearest to it.
    pub fn clamp(&self, value: f64) -> f64 {
        self.pixel(if value.is_nan() { self.low } else { value.clamp(self.low, self.high) })
    }

    fn pixel(&self, value: f64) -> f64 {
        let share = if self.log {
            libm::log10(value / self.low) / libm::log10(self.high / self.low)
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.start + share * (self.end - self.start)
    }

    /// Where bars begin.
    pub fn floor(&self) -> f64 {
        self.clamp(if self.log { self.low } else { 0.0 })
    }

    /// The widest tick label, in pixels.
    pub fn label_width(&self, size: f64) -> f64 {
        self.ticks.iter().map(|tick| width(&tick.label, size)).fold(0.0, f64::max)
    }
}

/// What is less than this below a power of ten becomes that power when cut to three digits.
const ROUNDS_UP: f64 = 1.000_5;

/// Room for the rounding of powers of ten.
const NEAR: f64 = 1.000_1;

fn title(axis: &Axis, scale: &Scale) -> String {
    let label = clean(axis.label.trim());
    let unit = match axis.unit {
        // On a logarithmic axis every tick carries its own unit, on a linear one they all have the same.
        Unit::Seconds if axis.log || scale.ticks.is_empty() => "",
        Unit::Seconds => scale.clock,
        Unit::PerSecond if label.ends_with("per second") || label.ends_with("/s") => "",
        Unit::PerSecond => "per second",
        Unit::Share | Unit::Count | Unit::Factor | Unit::Plain => "",
    };
    match (label.is_empty(), unit.is_empty()) {
        (_, true) => label,
        (true, false) => unit.to_owned(),
        (false, false) => format!("{label} ({unit})"),
    }
}

/// The unit of time to count in when the largest value is `most` seconds, and its name.
fn clock(unit: Unit, most: f64) -> (f64, &'static str) {
    match unit {
        Unit::Seconds if most >= 6.0 * 3600.0 => (3600.0, "hours"),
        Unit::Seconds if most >= 3600.0 => (60.0, "minutes"),
        Unit::Seconds if most >= 1.0 => (1.0, "seconds"),
        Unit::Seconds if most >= 1e-3 => (1e-3, "ms"),
        Unit::Seconds if most >= 1e-6 => (1e-6, "µs"),
        Unit::Seconds if most > 0.0 => (1e-9, "ns"),
        Unit::Seconds => (1.0, "seconds"),
        _ => (1.0, ""),
    }
}

/// The round step next to `rough`: 1, 2, 2.5 or 5 times a power of ten.
fn nice(rough: f64, whole: bool) -> f64 {
    let power = ten(exponent(rough));
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .filter(|step| !whole || *step != 2.5 || power >= 10.0)
        .map(|step| step * power)
        .find(|step| *step >= rough / NEAR)
        .unwrap_or(10.0 * power);
    if whole { step.max(1.0) } else { step }
}

/// The power of ten at or below a positive value.
fn exponent(value: f64) -> i32 {
    (libm::log10(value) + 1e-9).floor() as i32
}

fn ten(power: i32) -> f64 {
    libm::exp10(f64::from(power))
}

/// A tick on a linear axis, with as many decimals as its neighbours need.
fn label(unit: Unit, value: f64, step: f64) -> String {
    match unit {
        Unit::Share => format!("{}%", number(value * 100.0, step * 100.0)),
        Unit::Factor => format!("{}×", number(value, step)),
        Unit::Seconds | Unit::PerSecond | Unit::Count | Unit::Plain => number(value, step),
    }
}

impl Unit {
    /// A value on its own, to three digits: `1.23k`, `45%`, `340 ms`.
    pub fn show(self, value: f64) -> String {
        let Some(value) = sane(value) else {
            return if value.is_nan() {
                "–".into()
            } else if value > 0.0 {
                "∞".into()
            } else {
                "−∞".into()
            };
        };
        let short = |value: f64| {
            if value == 0.0 {
                return "0".to_owned();
            }
            // Rounded first, so that 999.9 becomes 1k and not 1000.
            let step = ten(exponent(value.abs() * ROUNDS_UP) - 2);
            number((value / step).round() * step, step)
        };
        match self {
            Unit::Seconds => {
                let (divisor, name) = match clock(self, value.abs() * ROUNDS_UP) {
                    (divisor, "seconds") => (divisor, "s"),
                    (divisor, "minutes") => (divisor, "min"),
                    (divisor, "hours") => (divisor, "h"),
                    other => other,
                };
                format!("{} {name}", short(value / divisor))
            }
            Unit::Share => format!("{}%", short(value * 100.0)),
            Unit::Factor => format!("{}×", short(value)),
            Unit::PerSecond | Unit::Count | Unit::Plain => short(value),
        }
    }
}

/// A number, exact to `step`, short, with a real minus sign.
fn number(value: f64, step: f64) -> String {
    let size = value.abs();
    if size < step * 1e-6 {
        return "0".into();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    if size >= 1e15 || step < 1e-7 || size < 1e-5 {
        let digits = (exponent(size) - exponent(step)).clamp(0, 12) as usize;
        let (mantissa, power) = scientific(size, digits);
        return format!("{sign}{}e{}", trim(&mantissa), power.replace('-', "−"));
    }
    let (divisor, suffix) = match size * (1.0 + 1e-9) {
        size if size >= 1e12 => (1e12, "T"),
        size if size >= 1e9 => (1e9, "G"),
        size if size >= 1e6 => (1e6, "M"),
        size if size >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    };
    format!("{sign}{}{suffix}", trim(&format!("{:.*}", decimals(step / divisor), size / divisor)))
}

fn scientific(size: f64, digits: usize) -> (String, String) {
    let text = format!("{size:.digits$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    (mantissa.to_owned(), power.to_owned())
}

/// Decimals that tell multiples of `step` apart.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|count| {
            let scaled = step * ten(*count);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .map_or(12, |count| count as usize)
}

/// Without zeros at the end of the fraction.
fn trim(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(unit: Unit, log: bool, values: &[f64], ends: Ends) -> Vec<String> {
        let axis = Axis { label: "latency".into(), unit, log, from_zero: false };
        let scale = Scale::new(&axis, values.iter().copied(), 5, ends);
        scale.ticks.into_iter().map(|tick| tick.label).collect()
    }

    fn title(unit: Unit, log: bool, values: &[f64]) -> String {
        let axis = Axis { label: "latency".into(), unit, log, from_zero: true };
        Scale::new(&axis, values.iter().copied(), 5, Ends::AtTicks).title
    }

    #[test]
    fn a_value_on_its_own_is_short_and_has_its_unit() {
        let cases = [
            (Unit::Seconds, 0.0, "0 s"),
            (Unit::Seconds, 2.5e-9, "2.5 ns"),
            (Unit::Seconds, 20e-6, "20 µs"),
            (Unit::Seconds, 0.25, "250 ms"),
            (Unit::Seconds, 0.999_9, "1 s"),
            (Unit::Seconds, 1.234_5, "1.23 s"),
            (Unit::Seconds, 7_200.0, "120 min"),
            (Unit::Seconds, 36_000.0, "10 h"),
            (Unit::PerSecond, 1_234.0, "1.23k"),
            (Unit::PerSecond, 999.9, "1k"),
            (Unit::Count, 12_000_000.0, "12M"),
            (Unit::Share, 0.25, "25%"),
            (Unit::Share, 0.000_1, "0.01%"),
            (Unit::Factor, 2.0, "2×"),
            (Unit::Plain, -0.5, "−0.5"),
            (Unit::Plain, 1e-9, "1e−9"),
            (Unit::Plain, 3e20, "3e20"),
            (Unit::Seconds, f64::INFINITY, "∞"),
            (Unit::Count, f64::NAN, "–"),
        ];
        for (unit, value, text) in cases {
            assert_eq!(unit.show(value), text, "{unit:?} {value:e}");
        }
    }

    #[test]
    fn linear_ticks_are_round_and_hold_the_data() {
        assert_eq!(labels(Unit::PerSecond, false, &[0.0, 1_930.0], Ends::AtTicks), ["0", "500", "1k", "1.5k", "2k"]);
        assert_eq!(labels(Unit::Share, false, &[0.0, 1.0], Ends::AtTicks), ["0%", "20%", "40%", "60%", "80%", "100%"]);
        assert_eq!(labels(Unit::Seconds, false, &[0.0, 0.045], Ends::AtTicks), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(Unit::Plain, false, &[0.1, 0.3], Ends::AtTicks), ["0.1", "0.15", "0.2", "0.25", "0.3"]);
        assert_eq!(labels(Unit::Factor, false, &[-1.0, 1.0], Ends::AtTicks), ["−1×", "−0.5×", "0×", "0.5×", "1×"]);
    }

    #[test]
    fn counts_have_no_halves() {
        assert_eq!(labels(Unit::Count, false, &[0.0, 2.0], Ends::AtTicks), ["0", "1", "2"]);
        assert_eq!(labels(Unit::Count, false, &[0.0, 10.0], Ends::AtTicks), ["0", "2", "4", "6", "8", "10"]);
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_each_with_its_unit() {
        let latency = labels(Unit::Seconds, true, &[90e-6, 12.0], Ends::AtTicks);
        assert_eq!(latency, ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"]);
        assert_eq!(labels(Unit::Share, true, &[0.02, 1.0], Ends::AtTicks), ["2%", "5%", "10%", "20%", "50%", "100%"]);
        assert!(labels(Unit::Plain, true, &[1e-30, 1e30], Ends::AtTicks).len() < 12, "not one for each of 60 decades");
        assert!(labels(Unit::Plain, true, &[130.0, 160.0], Ends::AtData).len() > 2, "also within a decade");
    }

    #[test]
    fn the_axis_says_the_unit_that_its_ticks_leave_out() {
        assert_eq!(title(Unit::Seconds, false, &[0.0, 300.0]), "latency (seconds)");
        assert_eq!(title(Unit::Seconds, false, &[0.0, 0.98]), "latency (ms)", "as its ticks, up to 1000");
        assert_eq!(title(Unit::Seconds, false, &[0.02]), "latency (ms)");
        assert_eq!(title(Unit::Seconds, false, &[40_000.0]), "latency (hours)");
        assert_eq!(title(Unit::Seconds, true, &[0.02, 1.0]), "latency");
        assert_eq!(title(Unit::PerSecond, false, &[1.0]), "latency (per second)");
        assert_eq!(title(Unit::Share, false, &[1.0]), "latency");
    }

    #[test]
    fn a_constant_has_room_above_and_below() {
        let axis = Axis { label: String::new(), unit: Unit::Plain, log: false, from_zero: false };
        for value in [5.0, -5.0, 1e9, 1e-9, 0.0] {
            let scale = Scale::new(&axis, [value].into_iter(), 5, Ends::AtTicks).onto(100.0, 0.0);
            assert!(scale.low < scale.high && scale.ticks.len() > 1, "{value}: {scale:?}");
            assert!((0.0..=100.0).contains(&scale.place(value).unwrap()));
        }
    }

    #[test]
    fn a_run_sampled_until_just_before_its_end_is_drawn_to_the_end() {
        assert_eq!(labels(Unit::Seconds, false, &[0.0, 299.0], Ends::AtData).last().unwrap(), "300");
        assert_eq!(labels(Unit::Seconds, false, &[0.0, 270.0], Ends::AtData).last().unwrap(), "200");
    }
}
