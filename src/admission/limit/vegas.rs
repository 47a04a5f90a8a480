//! vegas: as many as the shortest time says there is room for, and a few that wait.
//!
//! `VegasLimit`, after TCP Vegas. Of L in flight, ceil(L × (1 − shortest time / time of this request)) are taken to wait.
//! With l = the whole part of log10 L, at least 1:
//!
//! ```text
//!   waiting      ≤ l          < 3 l         3 l .. 6 l      > 6 l, or a drop
//!   the limit    + 6 l        + l           stays           − l
//! ```
//!
//! It does not grow or shrink by times while less than half of it is in flight. The shortest time is that of some request in
//! each `probe_multiplier` × L × (0.5 .. 1, drawn), whatever it was, so that it can also become longer. The request that
//! gives a new shortest time moves nothing else. A drop counts among the times, too: a refusal that comes quickly is taken for
//! the time of an idle server, as in the original.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Law, Problem, Sample, bounds};
use crate::engine::{Duration, Stream};
use crate::scenario::units::Span;

/// More while hardly anybody waits, less while some do. `vegas: {}` takes all defaults.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Vegas")]
pub struct Spec {
    /// The limit at the start. Default: 20.
    pub initial: u32,
    /// The largest limit; the least is 1. Default: 1000.
    pub max: u32,
    /// How much of each move is made, above 0 and at most 1. Default: 1.
    pub smoothing: f64,
    /// The shortest time is taken anew after this many times the limit requests, or half as many, or something between.
    /// Default: 30.
    pub probe_multiplier: u32,
    /// One sample for each such time, of at least ten requests: the mean of their times, the most in flight, and a drop if
    /// there was any. Default: each request is a sample.
    pub window: Option<Span>,
}

impl Default for Spec {
    fn default() -> Self {
        Self { initial: 20, max: 1_000, smoothing: 1.0, probe_multiplier: 30, window: None }
    }
}

impl Spec {
    pub(super) fn problem(&self) -> Option<Problem> {
        if !(self.smoothing > 0.0 && self.smoothing <= 1.0) {
            Some(("`smoothing` must be above 0, and at most 1", "1 makes each move at once"))
        } else if self.probe_multiplier == 0 {
            Some(("with a `probe_multiplier` of 0 every request is a probe, and the limit never moves", "30 is usual"))
        } else if self.window.is_some_and(|it| it.0.is_zero()) {
            Some(("`window` must be above zero", "1s is usual"))
        } else {
            bounds(1, self.initial, self.max)
        }
    }
}

/// The estimate, and what it rests on.
#[derive(Debug)]
pub(super) struct Vegas {
    spec: Spec,
    estimate: f64,
    shortest: Option<Duration>,
    /// Samples since the last probe, and at which share of the probe's interval the next comes.
    since_probe: u64,
    share: f64,
    chance: Stream,
}

impl Vegas {
    pub(super) fn new(spec: Spec, mut chance: Stream) -> Self {
        let share = share(&mut chance);
        Self { spec, estimate: f64::from(spec.initial), shortest: None, since_probe: 0, share, chance }
    }

    /// Goes towards a limit.
    fn towards(&mut self, wanted: f64) {
        let wanted = wanted.clamp(1.0, f64::from(self.spec.max));
        self.estimate = (1.0 - self.spec.smoothing) * self.estimate + self.spec.smoothing * wanted;
    }

    fn takes_shortest(&mut self, rtt: Duration) -> bool {
        self.since_probe += 1;
        let every = self.share * f64::from(self.spec.probe_multiplier) * self.estimate;
        let probes = every <= self.since_probe as f64;
        if probes {
            self.share = share(&mut self.chance);
            self.since_probe = 0;
        }
        let is_shortest = probes || self.shortest.is_none_or(|shortest| rtt < shortest);
        if is_shortest {
            self.shortest = Some(rtt);
        }
        is_shortest
    }

    /// How many of those in flight are taken to wait.
    fn waiting(&self, rtt: Duration) -> f64 {
        let shortest = self.shortest.unwrap_or(rtt);
        libm::ceil(self.estimate * (1.0 - shortest.nanos() as f64 / rtt.nanos() as f64))
    }
}

fn share(chance: &mut Stream) -> f64 {
    0.5 + 0.5 * chance.unit()
}

impl Law for Vegas {
    fn update(&mut self, sample: Sample) -> u32 {
        // What took no time says nothing about the time that others take.
        let says_nothing = sample.rtt.is_zero();
        if says_nothing && !sample.dropped || !says_nothing && self.takes_shortest(sample.rtt) {
            return self.estimate as u32;
        }
        let step = f64::from((self.estimate as u32).max(1).ilog10().max(1));
        if sample.dropped {
            self.towards(self.estimate - step);
        } else if f64::from(sample.in_flight) * 2.0 >= self.estimate {
            let waiting = self.waiting(sample.rtt);
            if waiting <= step {
                self.towards(self.estimate + 6.0 * step);
            } else if waiting < 3.0 * step {
                self.towards(self.estimate + step);
            } else if waiting > 6.0 * step {
                self.towards(self.estimate - step);
            }
        }
        self.estimate as u32
    }

    fn reset(&mut self) {
        self.estimate = f64::from(self.spec.initial);
        self.shortest = None;
        self.since_probe = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{after, after_drop, limit};
    use super::super::{Limit, Spec as Any};
    use super::*;
    use crate::engine::Streams;

    /// As in the tests of `VegasLimit`, with a first sample that gives the shortest time.
    fn vegas(initial: u32, max: u32, shortest: u64) -> Limit {
        let mut vegas = limit(Any::Vegas(Spec { initial, max, ..Spec::default() }));
        assert_eq!(after(&mut vegas, shortest, initial), initial);
        vegas
    }

    #[test]
    fn as_the_tests_of_vegaslimit() {
        assert_eq!(after(&mut vegas(10, 20, 10), 10, 11), 16);
        assert_eq!(after(&mut vegas(10, 20, 10), 50, 11), 9);
        assert_eq!(after(&mut vegas(10, 20, 10), 14, 14), 10);
        assert_eq!(after(&mut vegas(10_000, 20_000, 10_000), 10_000, 6_000), 10_024);
    }

    #[test]
    fn smoothing_makes_a_part_of_each_move() {
        // The tests of `VegasLimit` halve the limit; the law here does not, so that only the smoothing is the same.
        let spec = Spec { initial: 100, max: 200, smoothing: 0.5, ..Spec::default() };
        let mut vegas = Vegas::new(spec, Streams::new(1).named("limit"));
        for limit in [75, 56] {
            vegas.towards(vegas.estimate / 2.0);
            assert_eq!(vegas.estimate as u32, limit);
        }
    }

    #[test]
    fn the_table() {
        // At 100, with steps of 2: a wait of up to 2, below 6, up to 12, and more. The time is 1 / (1 - share that waits).
        for (rtt, next) in [(100, 112), (102, 112), (105, 102), (106, 100), (113, 100), (115, 98)] {
            assert_eq!(after(&mut vegas(100, 200, 100), rtt, 50), next, "{rtt} ms");
            assert_eq!(after(&mut vegas(100, 200, 100), rtt, 49), 100, "{rtt} ms, and hardly used");
        }
        assert_eq!(after_drop(&mut vegas(100, 200, 100), 100), 98);
        assert_eq!(after(&mut vegas(100, 105, 100), 100, 50), 105);
        assert_eq!(after_drop(&mut vegas(1, 105, 100), 100), 1);
        assert_eq!(after_drop(&mut vegas(100, 200, 100), 99), 100, "it is taken for the shortest time");
    }

    #[test]
    fn the_shortest_time_is_taken_anew_now_and_then() {
        // 50 ms look like a queue of 40 of 50. Each takes 1 off, until a probe takes 50 ms for the time of an idle server.
        let mut vegas = vegas(50, 50, 10);
        let least = (0..1_500).map(|_| after(&mut vegas, 50, 50)).min();
        assert!(least.is_some_and(|least| least < 25), "{least:?}");
        assert_eq!(vegas.present(), 50);
        // With 30 × limit there is a probe after between 15 and 30 times 20 samples, and they are not always the same.
        let mut intervals = std::collections::BTreeSet::new();
        let mut vegas = Vegas::new(Spec { initial: 20, max: 20, ..Spec::default() }, Streams::new(1).named("limit"));
        let mut last = 0;
        let sample = |ms| Sample {
            now: crate::engine::Time::ZERO,
            rtt: Duration::from_millis(ms),
            in_flight: 0,
            dropped: false,
        };
        vegas.update(sample(10));
        for number in 2..10_000_u32 {
            vegas.update(sample(20));
            if vegas.shortest == Some(Duration::from_millis(20)) {
                intervals.insert(number - last);
                last = number + 1;
                vegas.update(sample(10));
            }
        }
        assert!(intervals.len() > 5 && intervals.iter().all(|it| (298..=602).contains(it)), "{intervals:?}");
    }
}
