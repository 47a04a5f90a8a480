//! Figures with as many digits as they deserve: two of half the interval, and as many places of the mean.
//!
//! Source: the rule of the Particle Data Group and of the Guide to the Expression of Uncertainty in Measurement (JCGM 100:2008, 7.2.6), with
//! two digits throughout.

use super::Summary;
use crate::measure::Quantity;

/// In what a figure is written: what it is multiplied with, and what stands behind it.
fn scale(quantity: Quantity, size: f64) -> (f64, &'static str) {
    match quantity {
        Quantity::Seconds if size >= 1.0 || size == 0.0 => (1.0, "s"),
        Quantity::Seconds if size >= 1e-3 => (1e3, "ms"),
        Quantity::Seconds => (1e6, "us"),
        Quantity::PerSecond => (1.0, "/s"),
        Quantity::Share => (100.0, " %"),
        Quantity::Count | Quantity::Factor => (1.0, ""),
    }
}

/// The places behind the point that a figure with this half interval deserves; fewer than none for tens and hundreds.
fn places(half: f64) -> i32 {
    if !(half > 0.0 && half.is_finite()) {
        return 0;
    }
    let places = 1 - libm::floor(libm::log10(half)) as i32;
    // 0.0996 is 0.10, with the places of 0.10.
    let unit = libm::pow(10.0, f64::from(-places));
    (if libm::round(half / unit) >= 100.0 { places - 1 } else { places }).min(9)
}

/// A number to so many places; with fewer than none, rounded to tens, hundreds, and so on.
fn rounded(value: f64, places: i32) -> String {
    if !value.is_finite() {
        return crate::experiment::brief(value);
    }
    let text = if places >= 0 {
        format!("{value:.*}", places as usize)
    } else {
        let unit = libm::pow(10.0, f64::from(-places));
        format!("{:.0}", libm::round(value / unit) * unit)
    };
    // Nothing is less than nothing.
    if text.starts_with('-') && text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) {
        text[1..].to_owned()
    } else {
        text
    }
}

/// A mean and half its interval, with the unit: `80.02 ± 0.31/s`. Where there is no interval, three digits of the mean.
#[must_use]
pub fn plus_minus(value: &Summary, quantity: Quantity) -> String {
    let (factor, unit) = scale(quantity, value.mean.abs().max(value.half()));
    match interval(value) {
        Some(half) => {
            let places = places(half * factor);
            format!("{} ± {}{unit}", rounded(value.mean * factor, places), rounded(half * factor, places))
        }
        None => plain(value.mean, quantity),
    }
}

/// A difference of two means of about the size `like`, which decides the unit: `+1.90 ± 0.31/s`. Of shares it is in percentage points.
#[must_use]
pub fn difference(value: &Summary, like: f64, quantity: Quantity) -> String {
    let (factor, unit) = scale(quantity, like.abs());
    let unit = if quantity == Quantity::Share { " points" } else { unit };
    let sign = if value.mean > 0.0 { "+" } else { "" };
    match interval(value) {
        Some(half) => {
            let places = places(half * factor);
            format!("{sign}{} ± {}{unit}", rounded(value.mean * factor, places), rounded(half * factor, places))
        }
        None => format!("{sign}{}{unit}", crate::experiment::brief(value.mean * factor)),
    }
}

/// A mean and the ends of its interval, with the unit: `80.02/s [79.71, 80.33]`.
#[must_use]
pub fn with_ends(value: &Summary, quantity: Quantity) -> String {
    let (factor, unit) = scale(quantity, value.mean.abs().max(value.half()));
    match interval(value) {
        Some(half) => {
            let places = places(half * factor);
            let [mean, low, high] = [value.mean, value.low, value.high].map(|it| rounded(it * factor, places));
            format!("{mean}{unit} [{low}, {high}]")
        }
        None => plain(value.mean, quantity),
    }
}

/// A mean alone, with the digits that its interval leaves it.
#[must_use]
pub fn mean(value: &Summary, quantity: Quantity) -> String {
    let (factor, unit) = scale(quantity, value.mean.abs());
    match interval(value) {
        Some(half) => format!("{}{unit}", rounded(value.mean * factor, places(half * factor))),
        None => plain(value.mean, quantity),
    }
}

/// A share with its interval, in whole percent: `95 % [76 %, 99 %]`.
#[must_use]
pub fn share_of_runs((low, high): (f64, f64)) -> String {
    format!("[{:.0} %, {:.0} %]", low * 100.0, high * 100.0)
}

/// A number that has no interval, to three digits, with its unit.
#[must_use]
pub fn plain(value: f64, quantity: Quantity) -> String {
    let (factor, unit) = scale(quantity, value.abs());
    let number = crate::experiment::brief(value * factor);
    if value.is_finite() { format!("{number}{unit}") } else { number }
}

fn interval(value: &Summary) -> Option<f64> {
    // What is left of a difference of equal numbers is the rounding of their sum.
    Some(value.half()).filter(|half| half.is_finite() && *half > 1e-12 * value.mean.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(mean: f64, half: f64) -> Summary {
        Summary { mean, low: mean - half, high: mean + half, ..Summary::of(&[1.0, 2.0]) }
    }

    #[test]
    fn figures_have_the_places_of_two_digits_of_the_half_interval() {
        for (mean, half, quantity, text) in [
            (80.023_4, 0.312, Quantity::PerSecond, "80.02 ± 0.31/s"),
            (80.023_4, 0.099_6, Quantity::PerSecond, "80.02 ± 0.10/s"),
            (12_345.6, 678.0, Quantity::Count, "12350 ± 680"),
            (0.123_45, 0.002_31, Quantity::Seconds, "123.5 ± 2.3ms"),
            (0.987_65, 0.000_51, Quantity::Share, "98.765 ± 0.051 %"),
            (-0.000_1, 0.2, Quantity::Factor, "0.00 ± 0.20"),
            (0.000_012, 0.000_001_1, Quantity::Seconds, "12.0 ± 1.1us"),
        ] {
            assert_eq!(plus_minus(&around(mean, half), quantity), text);
        }
        assert_eq!(with_ends(&around(80.023_4, 0.312), Quantity::PerSecond), "80.02/s [79.71, 80.34]");
        assert_eq!(mean(&around(80.023_4, 0.312), Quantity::PerSecond), "80.02/s");
        assert_eq!(difference(&around(0.000_454, 0.000_045), 0.008, Quantity::Seconds), "+0.454 ± 0.045ms");
        assert_eq!(difference(&around(-0.045_4, 0.004_5), 0.9, Quantity::Share), "-4.54 ± 0.45 points");
    }

    #[test]
    fn without_an_interval_there_are_three_digits() {
        assert_eq!(plus_minus(&around(80.123, 0.0), Quantity::PerSecond), "80.1/s");
        assert_eq!(plus_minus(&Summary::of(&[0.06; 32]), Quantity::Count), "0.06");
        assert_eq!(plus_minus(&Summary::of(&[f64::INFINITY, 1.0]), Quantity::Seconds), "inf");
        assert_eq!(plus_minus(&Summary::of(&[]), Quantity::Seconds), "?");
        assert_eq!(share_of_runs(super::super::proportion::wilson(19, 20)), "[76 %, 99 %]");
    }
}
