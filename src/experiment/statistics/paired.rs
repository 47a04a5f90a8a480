//! Two systems under the same luck.
//!
//! Runs with the same seed meet the same arrivals, the same work and the same faults: all chance comes from streams known by name, so that
//! what two systems have in common they have in common to the last bit. What differs from seed to seed because the day was good or bad
//! differs alike on both sides, and is gone from the difference.
//!
//! The interval of the mean difference is Student's, over the differences of the pairs. Beside it stands Welch's, which two sets of runs
//! with nothing in common would have: the square of how much wider that is says how many times the seeds the pairing was worth.
//!
//! Source: A. M. Law, Simulation Modeling and Analysis, 5th ed. (2015), sections 10.2 and 11.2; B. L. Welch, Biometrika 34 (1947).

use super::{Summary, t975, t975_of};

/// What a pair of systems differ by, over pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The first, over its runs.
    pub a: Summary,
    /// The second.
    pub b: Summary,
    /// The second less the first, over the pairs, with its paired interval.
    pub paired: Summary,
    /// Half the width of Welch's interval, as if the runs had nothing in common.
    pub unpaired_half: f64,
}

impl Difference {
    /// The difference of pairs of values, `b` less `a`. Pairs of which one is not a finite number are left out.
    #[must_use]
    pub fn of(a: &[f64], b: &[f64]) -> Self {
        let (a, b): (Vec<f64>, Vec<f64>) =
            a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(&a, &b)| (a, b)).unzip();
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| b - a).collect();
        let (a, b) = (Summary::of(&a), Summary::of(&b));
        Self { a, b, paired: Summary::of(&differences), unpaired_half: welch(&a, &b).1 }
    }

    /// Whether the interval is clear of zero. With fewer than two pairs there is none.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.paired.n > 1 && (self.paired.low > 0.0 || self.paired.high < 0.0)
    }

    /// Whether both have the same value in every run.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.paired.n > 0 && self.paired.min == 0.0 && self.paired.max == 0.0
    }

    /// How many times the seeds it would take without pairing, for an interval as narrow: the ratio of the variances. Infinite if all pairs
    /// differ by the same, not a number with fewer than two pairs.
    #[must_use]
    pub fn worth(&self) -> f64 {
        (self.a.sd * self.a.sd + self.b.sd * self.b.sd) / (self.paired.sd * self.paired.sd)
    }

    /// About how many pairs of runs keep the interval clear of zero, if mean and spread stay what they are.
    #[must_use]
    pub fn pairs_to_decide(&self) -> Option<usize> {
        runs_to_decide(self.paired.mean, self.paired.sd)
    }

    /// About how many runs on each side would do so if they had nothing in common.
    #[must_use]
    pub fn unpaired_runs_to_decide(&self) -> Option<usize> {
        let sd = (self.a.sd * self.a.sd + self.b.sd * self.b.sd).sqrt();
        needed(self.paired.mean, sd, 2)
    }
}

/// The degrees of freedom and half the width of Welch's 95 % interval of the difference of two means.
fn welch(a: &Summary, b: &Summary) -> (f64, f64) {
    let (va, vb) = (a.sd * a.sd / a.n as f64, b.sd * b.sd / b.n as f64);
    let all = va + vb;
    if all == 0.0 {
        return (f64::NAN, 0.0);
    }
    let degrees = all * all / (va * va / (a.n as f64 - 1.0) + vb * vb / (b.n as f64 - 1.0));
    (degrees, t975_of(degrees) * all.sqrt())
}

/// About how many runs keep Student's interval of a mean clear of a bound that is `apart` from it, if the standard deviation stays what it
/// is: the next time it may be a little more or less. [`None`] if no number would, or more than ten million.
#[must_use]
pub fn runs_to_decide(apart: f64, sd: f64) -> Option<usize> {
    needed(apart, sd, 1)
}

/// The same with the degrees of freedom of so many samples.
fn needed(apart: f64, sd: f64, samples: usize) -> Option<usize> {
    let apart = apart.abs();
    if !sd.is_finite() || !apart.is_finite() {
        return None;
    }
    let clear = |n: usize| t975(samples * (n - 1)) * sd / (n as f64).sqrt() < apart;
    let (mut few, mut many) = (1, 2);
    while !clear(many) {
        (few, many) = (many, many * 2);
        if many > 10_000_000 {
            return None;
        }
    }
    while many - few > 1 {
        let middle = usize::midpoint(few, many);
        if clear(middle) { many = middle } else { few = middle }
    }
    Some(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The extra hours of sleep of ten patients with two drugs (Cushny and Peebles 1905), from which "Student" made the first t test.
    const FIRST: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const SECOND: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    #[test]
    fn the_intervals_of_students_sleep_are_the_published_ones() {
        let it = Difference::of(&FIRST, &SECOND);
        // As the manual page `sleep` of R has them: paired 0.7001142 to 2.4598858, Welch −0.2054832 to 3.3654832 with 17.776 degrees.
        assert!((it.paired.low - 0.700_114_2).abs() < 1e-6 && (it.paired.high - 2.459_885_8).abs() < 1e-6, "{it:?}");
        let (degrees, half) = welch(&it.a, &it.b);
        assert!((degrees - 17.776).abs() < 1e-3, "{degrees}");
        assert!((1.58 - half + 0.205_483_2).abs() < 1e-6 && it.unpaired_half == half, "{half}");
        assert!(it.is_decided());
    }

    #[test]
    fn as_many_runs_as_are_said_to_decide_do() {
        // Half a standard deviation apart: t(17) 2.110 / √18 = 0.497, t(16) 2.120 / √17 = 0.514.
        assert_eq!(runs_to_decide(0.5, 1.0), Some(18));
        assert_eq!(runs_to_decide(-3.0, 0.0), Some(2));
        assert_eq!(runs_to_decide(0.0, 1.0), None);
        assert_eq!(runs_to_decide(1.0, f64::NAN), None);
    }

    #[test]
    fn what_both_have_in_common_is_gone_from_the_difference() {
        let common = [10.0, 20.0, 30.0, 40.0];
        let it = Difference::of(&common, &common.map(|value| value + 1.0));
        assert_eq!((it.paired.low, it.paired.high, it.worth()), (1.0, 1.0, f64::INFINITY));
        assert!(it.is_decided() && !it.is_nothing());
        let same = Difference::of(&common, &common);
        assert!(same.is_nothing() && !same.is_decided());
    }

    #[test]
    fn pairs_without_a_number_are_left_out() {
        let it = Difference::of(&[1.0, f64::INFINITY, 2.0], &[2.0, 3.0, f64::NAN]);
        assert_eq!((it.paired.n, it.paired.mean), (1, 1.0));
        assert!(!it.is_decided());
    }
}
