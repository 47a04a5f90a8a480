//! Means over seeds, with 95 % Student's t intervals; and what else is computed from figures of several runs.

pub mod digits;
pub mod paired;
pub mod proportion;
pub mod quantile;
pub mod sequential;
pub mod series;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A figure over seeds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    /// How many values there were; those that are not numbers are left out.
    pub n: usize,
    /// The mean.
    pub mean: f64,
    /// The standard deviation (n − 1).
    pub sd: f64,
    /// The lower end of the 95 % interval of the mean. With one value it is unbounded.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The smallest.
    pub min: f64,
    /// The middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// Sums up values, in their order.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let n = sorted.len();
        if n == 0 {
            let nan = f64::NAN;
            return Self { n, mean: nan, sd: nan, low: nan, high: nan, min: nan, median: nan, max: nan };
        }
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let sd = if n > 1 && mean.is_finite() {
            (sorted.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1) as f64).sqrt()
        } else {
            f64::NAN
        };
        let half = if n > 1 && sd.is_finite() { t975(n - 1) * sd / (n as f64).sqrt() } else { f64::INFINITY };
        sorted.sort_by(f64::total_cmp);
        let median = if n % 2 == 1 { sorted[n / 2] } else { f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]) };
        // An infinite mean (a run that never recovers) has no interval but itself.
        let (low, high) = if mean.is_finite() { (mean - half, mean + half) } else { (mean, mean) };
        Self { n, mean, sd, low, high, min: sorted[0], median, max: sorted[n - 1] }
    }

    /// Half the width of the interval of the mean; not a number if the mean is infinite.
    #[must_use]
    pub fn half(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

/// The 97.5 % quantile of Student's t, for whole degrees of freedom.
pub(crate) fn t975(degrees: usize) -> f64 {
    t975_of(degrees as f64)
}

/// The same, also between whole numbers, as Welch's interval needs it.
pub(crate) fn t975_of(degrees: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Student's t for 4 degrees of freedom: 2.776.
        let summary = Summary::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let half = 2.776_445 * 2.5_f64.sqrt() / 5.0_f64.sqrt();
        assert!((summary.high - 3.0 - half).abs() < 1e-5, "{summary:?}");
        assert!((summary.sd - 2.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn quantiles_of_t_are_those_of_the_tables() {
        // Pearson and Hartley, Biometrika Tables for Statisticians, vol. 1, table 12 (Q = 0.025).
        for (degrees, published) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (19, 2.093), (30, 2.042)] {
            assert!((t975(degrees) - published).abs() < 6e-4, "{degrees}: {}", t975(degrees));
        }
    }

    #[test]
    fn one_run_that_never_recovers_makes_the_mean_infinite() {
        let summary = Summary::of(&[3.0, f64::INFINITY]);
        assert_eq!((summary.mean, summary.low, summary.median), (f64::INFINITY, f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn nothing_is_not_a_number() {
        assert!(Summary::of(&[f64::NAN]).mean.is_nan());
    }
}
