//! gradient2: less when requests take longer than they have for long.
//!
//! `Gradient2Limit`. With every sample:
//!
//! ```text
//!   gradient = rtt_tolerance × long / short, between 0.5 and 1      long: mean of the last `long_window` samples or so
//!   limit    = (1 − smoothing) × limit + smoothing × (gradient × limit + queue_size)
//! ```
//!
//! The long time is the mean of the first ten samples, then an exponential average with the weight 2 / (`long_window` + 1); when
//! it is more than twice that of a sample, it loses 5 %. Below half of the limit in flight, the limit stays. Drops mean nothing
//! to it. It is meant for one sample a second, so that 600 of them are ten minutes: `window: 1s`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Law, Problem, Sample, bounds};
use crate::scenario::units::Span;

/// Less when requests take longer than they have for long. `gradient2: {}` takes all defaults.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Gradient2")]
pub struct Spec {
    /// The limit at the start. Default: 20.
    pub initial: u32,
    /// The least limit, 1 or more. Default: 20.
    pub min: u32,
    /// The largest limit. Default: 200.
    pub max: u32,
    /// How much of each move is made, above 0 and at most 1. Default: 0.2.
    pub smoothing: f64,
    /// How many may wait: the limit wanted is this much above what the times say. Default: 4.
    pub queue_size: u32,
    /// How many times as long as for long requests may take before the limit shrinks, 1 or more. Default: 1.5.
    pub rtt_tolerance: f64,
    /// How many samples the long average goes back. Default: 600.
    pub long_window: u32,
    /// One sample for each such time, of at least ten requests: the mean of their times, the most in flight, and a drop if
    /// there was any. Default: each request is a sample.
    pub window: Option<Span>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            initial: 20,
            min: 20,
            max: 200,
            smoothing: 0.2,
            queue_size: 4,
            rtt_tolerance: 1.5,
            long_window: 600,
            window: None,
        }
    }
}

impl Spec {
    pub(super) fn problem(&self) -> Option<Problem> {
        if !(self.smoothing > 0.0 && self.smoothing <= 1.0) {
            Some(("`smoothing` must be above 0, and at most 1", "0.2 is usual"))
        } else if !(self.rtt_tolerance.is_finite() && self.rtt_tolerance >= 1.0) {
            Some(("`rtt_tolerance` must be 1 or more", "1.5 is usual"))
        } else if self.long_window == 0 {
            Some(("`long_window` must be above zero", "600 is usual"))
        } else if self.window.is_some_and(|it| it.0.is_zero()) {
            Some(("`window` must be above zero", "1s is usual"))
        } else {
            bounds(self.min, self.initial, self.max)
        }
    }
}

/// Samples of which the long time is the plain mean.
const FIRST: u32 = 10;

/// The estimate, and the long time.
#[derive(Debug)]
pub(super) struct Gradient2 {
    spec: Spec,
    estimate: f64,
    long: f64,
    samples: u32,
    sum: f64,
}

impl Gradient2 {
    pub(super) fn new(spec: Spec) -> Self {
        Self { spec, estimate: f64::from(spec.initial), long: 0.0, samples: 0, sum: 0.0 }
    }

    fn add(&mut self, rtt: f64) {
        if self.samples < FIRST {
            self.samples += 1;
            self.sum += rtt;
            self.long = self.sum / f64::from(self.samples);
        } else {
            let weight = 2.0 / (f64::from(self.spec.long_window) + 1.0);
            self.long = self.long * (1.0 - weight) + rtt * weight;
        }
    }
}

impl Law for Gradient2 {
    fn update(&mut self, sample: Sample) -> u32 {
        // What took no time says nothing about the time that others take.
        if sample.rtt.is_zero() {
            return self.estimate as u32;
        }
        let short = sample.rtt.nanos() as f64;
        self.add(short);
        let long = self.long;
        if long / short > 2.0 {
            self.long *= 0.95;
        }
        if f64::from(sample.in_flight) < self.estimate / 2.0 {
            return self.estimate as u32;
        }
        let Spec { min, max, smoothing, queue_size, rtt_tolerance, .. } = self.spec;
        let gradient = (rtt_tolerance * long / short).clamp(0.5, 1.0);
        let wanted = self.estimate * gradient + f64::from(queue_size);
        let next = self.estimate * (1.0 - smoothing) + wanted * smoothing;
        self.estimate = next.clamp(f64::from(min), f64::from(max));
        self.estimate as u32
    }

    fn reset(&mut self) {
        *self = Self::new(self.spec);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{after, after_drop, limit};
    use super::super::{Limit, Spec as Any};
    use super::*;

    fn gradient(spec: Spec) -> Limit {
        limit(Any::Gradient2(spec))
    }

    /// After ten samples of 100 ms that leave the limit alone, because hardly anybody is in flight.
    fn learned(initial: u32) -> Limit {
        let mut limit = gradient(Spec { initial, ..Spec::default() });
        (0..10).for_each(|_| assert_eq!(after(&mut limit, 100, 1), initial));
        limit
    }

    #[test]
    fn while_times_stay_it_grows_by_a_fifth_of_its_queue() {
        let mut limit = learned(100);
        let grown: Vec<u32> = (0..5).map(|_| after(&mut limit, 100, 100)).collect();
        assert_eq!(grown, [100, 101, 102, 103, 104]);
        assert_eq!((0..1_000).map(|_| after(&mut limit, 100, 200)).last(), Some(200));
    }

    #[test]
    fn times_that_are_longer_than_tolerated_shrink_it() {
        // The eleventh sample of 150 ms makes the long time 100 + 50 × 2/601 = 100.17 ms: it is tolerated. One of 300 ms makes it
        // 100.67 ms, and the gradient 0.503: 80 + 0.2 × (50.3 + 4) = 90.9. One of a second: 0.5, and 90.8.
        assert_eq!(after(&mut learned(100), 150, 100), 100);
        assert_eq!(after(&mut learned(100), 300, 100), 90);
        assert_eq!(after(&mut learned(100), 1_000, 100), 90);
        assert_eq!(after(&mut learned(100), 300, 49), 100, "less than half is in flight");
        assert_eq!(after_drop(&mut learned(100), 100), 100, "drops mean nothing to it");
        let mut limit = learned(100);
        assert_eq!((0..30).map(|_| after(&mut limit, 5_000, 100)).min(), Some(20), "and no less");
    }

    #[test]
    fn a_long_time_that_is_twice_too_long_is_forgotten_faster() {
        let mut law = Gradient2::new(Spec::default());
        let sample = |ms| Sample {
            now: crate::engine::Time::ZERO,
            rtt: crate::engine::Duration::from_millis(ms),
            in_flight: 1,
            dropped: false,
        };
        (0..10).for_each(|_| {
            law.update(sample(1_000));
        });
        // 1000 × (1 - 2/601) + 100 × 2/601 = 997.0 ms, and 5 % less.
        law.update(sample(100));
        assert!((law.long / 1e6 - 947.154).abs() < 0.001, "{}", law.long);
        (0..200).for_each(|_| {
            law.update(sample(100));
        });
        assert!(law.long / 1e6 < 200.0, "{}", law.long);
    }
}
