//! The values of an axis as numbers, for charts with an axis of them.

use crate::measure::Quantity;
use crate::scenario::Axis;
use crate::scenario::units::{Rate, Share, Size, Span};

/// Reads a number in one unit.
type Reader<'a> = &'a dyn Fn(&str) -> Option<f64>;

/// The values of an axis as numbers, in their order, if all are numbers in one unit: seconds, a rate a second, shares written with `%`, plain
/// numbers, or sizes in bytes; the last two are [`Quantity::Count`].
pub(crate) fn numbers(axis: &Axis) -> Option<(Quantity, Vec<f64>)> {
    let plain = |label: &str| label.parse::<f64>().ok().filter(|number| number.is_finite());
    let seconds = |label: &str| label.parse::<Span>().ok().map(|span| span.0.as_secs());
    let rate = |label: &str| label.parse::<Rate>().ok().map(|rate| rate.0);
    let share = |label: &str| label.parse::<Share>().ok().map(|share| share.0);
    let size = |label: &str| label.parse::<Size>().ok().map(|size| size.0 as f64);
    let ways: [(Quantity, Reader); 5] = [
        (Quantity::Count, &plain),
        (Quantity::Seconds, &seconds),
        (Quantity::PerSecond, &rate),
        (Quantity::Share, &share),
        (Quantity::Count, &size),
    ];
    let all = |way: Reader| -> Option<Vec<f64>> { axis.values.iter().map(|value| way(&value.label)).collect() };
    ways.into_iter().find_map(|(quantity, way)| Some((quantity, all(way)?)))
}

/// Whether numbers are spaced by factors rather than by amounts.
pub(crate) fn by_factors(numbers: &[f64]) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() < 3 || sorted[0] <= 0.0 {
        return false;
    }
    // How unequal the steps are, as the largest over the smallest.
    let uneven = |step: fn(f64, f64) -> f64| {
        let steps: Vec<f64> = sorted.windows(2).map(|pair| step(pair[0], pair[1])).collect();
        let (low, high) =
            steps.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), step| (low.min(*step), high.max(*step)));
        high / low
    };
    uneven(|a, b| libm::log(b / a)) < uneven(|a, b| b - a)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_is_by_factors_and_counting_is_not() {
        assert!(by_factors(&[1.0, 2.0, 4.0, 8.0]));
        assert!(by_factors(&[0.1, 1.0, 10.0]));
        assert!(by_factors(&[10.0, 1.0, 3.0]), "in any order");
        assert!(!by_factors(&[1.0, 2.0, 3.0]));
        assert!(!by_factors(&[0.0, 1.0, 10.0]), "zero has no logarithm");
        assert!(!by_factors(&[1.0, 10.0]), "two points have one step");
    }
}
