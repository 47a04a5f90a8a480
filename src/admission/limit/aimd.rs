//! aimd: additive increase, multiplicative decrease.
//!
//! `AIMDLimit`: one more with each request that was answered in time while at least half of the limit was in flight; a tenth
//! less with each that was dropped. It sees a queue only when it is so long that requests are dropped.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Law, Problem, Sample, bounds};
use crate::engine::Duration;
use crate::scenario::units::Span;

/// One more with each answer, less with each drop. `aimd: {}` takes all defaults.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Aimd")]
pub struct Spec {
    /// The limit at the start. Default: 20.
    pub initial: u32,
    /// The least limit, 1 or more. Default: 20.
    pub min: u32,
    /// The largest limit. Default: 200.
    pub max: u32,
    /// What is left of the limit after a drop, as a factor from 0.5 to less than 1; cut to a whole number. Default: 0.9.
    pub backoff_ratio: f64,
    /// An answer that took longer than this counts as a drop. Default: 5s.
    pub timeout: Span,
    /// One sample for each such time, of at least ten requests: the mean of their times, the most in flight, and a drop if
    /// there was any. Default: each request is a sample.
    pub window: Option<Span>,
}

impl Default for Spec {
    fn default() -> Self {
        let timeout = Span(Duration::from_secs(5));
        Self { initial: 20, min: 20, max: 200, backoff_ratio: 0.9, timeout, window: None }
    }
}

impl Spec {
    pub(super) fn problem(&self) -> Option<Problem> {
        if !(0.5..1.0).contains(&self.backoff_ratio) {
            Some(("`backoff_ratio` must be 0.5 or more, and less than 1", "0.9 is usual"))
        } else if self.window.is_some_and(|it| it.0.is_zero()) {
            Some(("`window` must be above zero", "1s is usual"))
        } else {
            bounds(self.min, self.initial, self.max)
        }
    }
}

/// The present limit.
#[derive(Debug)]
pub(super) struct Aimd {
    spec: Spec,
    limit: u32,
}

impl Aimd {
    pub(super) fn new(spec: Spec) -> Self {
        Self { spec, limit: spec.initial }
    }
}

impl Law for Aimd {
    fn update(&mut self, sample: Sample) -> u32 {
        if sample.dropped || sample.rtt > self.spec.timeout.0 {
            self.limit = (f64::from(self.limit) * self.spec.backoff_ratio) as u32;
        } else if u64::from(sample.in_flight) * 2 >= u64::from(self.limit) {
            self.limit = self.limit.saturating_add(1);
        }
        self.limit = self.limit.clamp(self.spec.min, self.spec.max);
        self.limit
    }

    fn reset(&mut self) {
        self.limit = self.spec.initial;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{after, after_drop, limit};
    use super::*;

    fn aimd(initial: u32) -> super::super::Limit {
        limit(super::super::Spec::Aimd(Spec { initial, ..Spec::default() }))
    }

    #[test]
    fn as_the_tests_of_aimdlimit() {
        assert_eq!(aimd(30).present(), 30);
        assert_eq!(after(&mut aimd(20), 1, 10), 21);
        assert_eq!(after_drop(&mut aimd(30), 0), 27);
        let full = Spec { initial: 21, min: 1, max: 21, ..Spec::default() };
        assert_eq!(after(&mut limit(super::super::Spec::Aimd(full)), 1, 10 + 1), 21);
    }

    #[test]
    fn it_does_not_grow_while_less_than_half_of_it_is_used() {
        for (in_flight, grown) in [(9, 20), (10, 21), (20, 21)] {
            assert_eq!(after(&mut aimd(20), 1, in_flight), grown);
        }
        assert_eq!(after(&mut aimd(21), 1, 10), 21);
    }

    #[test]
    fn what_takes_longer_than_the_timeout_is_a_drop() {
        assert_eq!(after(&mut aimd(30), 5_000, 30), 31);
        assert_eq!(after(&mut aimd(30), 5_001, 30), 27);
    }

    #[test]
    fn it_stays_between_its_bounds() {
        assert_eq!(after_drop(&mut aimd(20), 1), 20);
        assert_eq!(after(&mut aimd(200), 1, 200), 200);
        let small = Spec { initial: 1, min: 1, ..Spec::default() };
        let mut small = limit(super::super::Spec::Aimd(small));
        assert_eq!(after_drop(&mut small, 1), 1);
        assert_eq!(after(&mut small, 1, 1), 2);
    }
}
