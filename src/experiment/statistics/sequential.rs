//! As many seeds as it takes: `seeds: { until: 5%, at_most: 200 }`.
//!
//! Runs are made in batches. After each, half the interval of every figure that counts is held against its mean, and the next batch is as
//! large as the widest of them needs, but no more than there were runs already, since the spread is a guess too. What is decided depends on
//! the figures of runs alone, in order of their seeds: not on how many are made at once.
//!
//! Stopping when the interval happens to be narrow makes it hold the truth a little less often than it says: with few runs the spread is
//! underestimated just when one stops. So there are at least ten runs. (Y. S. Chow and H. Robbins, Annals of Mathematical Statistics 36
//! (1965); A. M. Law, Simulation Modeling and Analysis, 5th ed. (2015), section 9.4.1, also for the relative error.)

use super::proportion::wilson;
use super::{Summary, t975};

/// Runs that are made before anything is decided.
pub const FIRST: usize = 10;

/// A figure that is to be known well enough.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The mean of these values, a run each.
    Mean(Vec<f64>),
    /// The share of runs in which something is so: of how many, in how many.
    Share {
        /// Runs in which it is so.
        k: usize,
        /// Runs.
        n: usize,
    },
}

impl Wanted {
    /// About how many runs it takes in all until half the interval is at most this share of the mean; for a share of runs, until half
    /// Wilson's interval is at most this much. Fewer than there are if there are enough. [`None`] if no number would do: a mean that
    /// is infinite, or a figure that no run has.
    fn runs(&self, until: f64) -> Option<usize> {
        match self {
            Self::Mean(values) => {
                let it = Summary::of(values);
                if it.n == 0 || !it.mean.is_finite() {
                    return None;
                }
                let allowed = until * it.mean.abs();
                if it.n > 1 && it.half() <= allowed {
                    return Some(0);
                }
                // Of a mean of zero with any spread no share is small enough.
                let degrees = it.n.saturating_sub(1).max(1);
                let ratio = t975(degrees) * it.sd / allowed;
                Some(if ratio.is_finite() { libm::ceil(ratio * ratio).min(1e9) as usize } else { usize::MAX })
            }
            Self::Share { k, n } => {
                let (low, high) = wilson(*k, *n);
                let ratio = (high - low) / 2.0 / until;
                Some(if ratio <= 1.0 { 0 } else { libm::ceil(*n as f64 * ratio * ratio) as usize })
            }
        }
    }
}

/// How many more runs are to be made at a point after `made`, of `at_most`. Zero ends it.
#[must_use]
pub fn more(wanted: &[Wanted], until: f64, made: usize, at_most: usize) -> usize {
    if made < FIRST {
        return FIRST.min(at_most) - made.min(at_most);
    }
    let needed = wanted.iter().filter_map(|it| it.runs(until)).max().unwrap_or(0);
    if needed == 0 {
        return 0;
    }
    // One more at least, since what there are were not enough; and at most twice as many in all.
    needed.clamp(made + 1, made * 2).min(at_most).saturating_sub(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around 100, half of them `spread` above and half below.
    fn values(n: usize, spread: f64) -> Wanted {
        Wanted::Mean((0..n).map(|i| if i % 2 == 0 { 100.0 + spread } else { 100.0 - spread }).collect())
    }

    #[test]
    fn it_stops_when_the_widest_is_narrow_enough() {
        // Ten values, deviation 10.54: half is 2.262 × 10.54 / √10 = 7.5 %.
        assert_eq!(more(&[values(10, 10.0)], 0.08, 10, 200), 0);
        // 5 %: (2.262 × 10.54 / 5)² = 22.7; not more than doubled: 20.
        assert_eq!(more(&[values(10, 10.0)], 0.05, 10, 200), 10);
        assert_eq!(more(&[values(10, 0.1), values(10, 8.0)], 0.05, 10, 200), 5);
        assert_eq!(more(&[values(10, 10.0)], 0.05, 10, 12), 2, "no more than are allowed");
        assert_eq!(more(&[values(10, 10.0)], 0.05, 10, 10), 0);
    }

    #[test]
    fn it_begins_with_ten_and_does_not_wait_for_what_never_comes() {
        assert_eq!(more(&[], 0.05, 0, 200), 10);
        assert_eq!(more(&[], 0.05, 0, 3), 3);
        assert_eq!(more(&[], 0.05, 10, 200), 0);
        assert_eq!(more(&[Wanted::Mean(vec![f64::INFINITY; 10])], 0.05, 10, 200), 0);
        assert_eq!(more(&[Wanted::Mean(vec![f64::NAN; 10])], 0.05, 10, 200), 0);
        assert_eq!(more(&[Wanted::Mean(vec![0.0; 10])], 0.05, 10, 200), 0);
    }

    #[test]
    fn a_share_is_known_by_wilsons_interval() {
        // 10 of 10: [72 %, 100 %], half 13.9 %.
        assert_eq!(more(&[Wanted::Share { k: 10, n: 10 }], 0.15, 10, 200), 0);
        assert_eq!(more(&[Wanted::Share { k: 10, n: 10 }], 0.10, 10, 200), 10);
    }
}
