//! A histogram of durations: fixed relative precision, constant time to record, exact count, sum and extremes.
//!
//! Log-linear: 128 buckets for each doubling, so that a bucket is less than 0.8 % wide and a quantile, taken by
//! interpolation within its bucket, is off by less than that. Merging is adding, in any order, to the same result.

use crate::engine::Duration;

/// Buckets for each doubling, as a power of two.
const PRECISION: u32 = 7;
const PER_DOUBLING: u64 = 1 << PRECISION;

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u32>,
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
}

fn bucket(nanos: u64) -> usize {
    if nanos < PER_DOUBLING {
        return nanos as usize;
    }
    let shift = 63 - nanos.leading_zeros() - PRECISION;
    let within = (nanos >> shift) & (PER_DOUBLING - 1);
    (u64::from(shift + 1) * PER_DOUBLING + within) as usize
}

/// The smallest value of a bucket, and the number of values in it.
fn bounds(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    if bucket < PER_DOUBLING {
        return (bucket, 1);
    }
    let shift = bucket / PER_DOUBLING - 1;
    ((PER_DOUBLING + bucket % PER_DOUBLING) << shift, 1 << shift)
}

impl Histogram {
    /// Records one duration.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        let nanos = duration.nanos();
        let bucket = bucket(nanos);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.min = if self.count == 0 { nanos } else { self.min.min(nanos) };
        self.max = self.max.max(nanos);
        self.count += 1;
        self.sum += u128::from(nanos);
    }

    /// Adds all that another has recorded.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.min = if self.count == 0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// Forgets everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
        self.sum = 0;
        self.min = 0;
        self.max = 0;
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean in seconds, exact; not a number if nothing was recorded.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64 / 1e9
    }

    /// The largest in seconds, exact; not a number if nothing was recorded.
    #[must_use]
    pub fn max(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.max as f64 / 1e9 }
    }

    /// The smallest value in seconds that at least this share (0 to 1) of the recorded does not exceed; not a number
    /// if nothing was recorded.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        if self.count == 0 {
            return f64::NAN;
        }
        let rank = (share * self.count as f64).clamp(1.0, self.count as f64);
        let mut below = 0.0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            let count = f64::from(count);
            if count > 0.0 && below + count >= rank {
                let (low, width) = bounds(bucket);
                let within = (rank - below) / count;
                // A bucket of one nanosecond holds that value and nothing else.
                let nanos = if width == 1 { low as f64 } else { low as f64 + within * width as f64 };
                return nanos.clamp(self.min as f64, self.max as f64) / 1e9;
            }
            below += count;
        }
        self.max()
    }

    /// The share of the recorded that are larger than each bucket's end: points (seconds, share) for charts.
    #[must_use]
    pub fn tail(&self) -> Vec<(f64, f64)> {
        let mut left = self.count;
        let mut points = Vec::new();
        for (bucket, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (low, width) = bounds(bucket);
            points.push((low.max(self.min) as f64 / 1e9, left as f64 / self.count as f64));
            left -= u64::from(count);
            points.push(((low + width).min(self.max.max(1)) as f64 / 1e9, left as f64 / self.count as f64));
        }
        points
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(nanos: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        nanos.iter().for_each(|&n| histogram.record(Duration::from_nanos(n)));
        histogram
    }

    #[test]
    fn nothing_recorded_is_not_a_number() {
        let empty = Histogram::default();
        assert!(empty.mean().is_nan() && empty.max().is_nan() && empty.quantile(0.5).is_nan());
    }

    #[test]
    fn equal_values_have_that_value_at_every_quantile() {
        let constant = of(&[1_000_000_007; 50]);
        for share in [0.0, 0.5, 0.99, 1.0] {
            assert!((constant.quantile(share) - 1.000_000_007).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn every_value_lies_in_its_bucket(nanos: u64) {
            let (low, width) = bounds(bucket(nanos));
            prop_assert!(low <= nanos && nanos - low < width);
            prop_assert!(width as f64 <= 1.0 + low as f64 / 127.0);
        }

        #[test]
        fn quantiles_are_within_the_width_of_a_bucket(
            mut nanos in prop::collection::vec(0_u64..100_000_000_000, 1..300),
            share in 0.0_f64..=1.0,
        ) {
            let got = of(&nanos).quantile(share) * 1e9;
            nanos.sort_unstable();
            let rank = ((share * nanos.len() as f64).ceil() as usize).max(1);
            let exact = nanos[rank - 1] as f64;
            prop_assert!((got - exact).abs() <= 1.0 + exact * 0.008, "{got} for {exact}");
        }

        #[test]
        fn merging_is_recording_everything(a: Vec<u64>, b: Vec<u64>) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let all = of(&[a, b].concat());
            prop_assert_eq!(merged.count(), all.count());
            prop_assert_eq!(merged.quantile(0.9).to_bits(), all.quantile(0.9).to_bits());
            prop_assert_eq!(merged.mean().to_bits(), all.mean().to_bits());
        }
    }
}
