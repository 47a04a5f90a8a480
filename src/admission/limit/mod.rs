//! limit: how many may be inside at once, found out from how long requests take.
//!
//! ```text
//!   let in ─► in flight ─► answered or dropped ─► a sample (how long, how many were in flight) ─► the limit moves
//! ```
//!
//! As in Netflix's concurrency-limits, with its names and defaults. A law is one file here and a line in [`Spec`]: told of a
//! sample, it answers the present limit. It counts nobody and refuses nobody: a service does that with it (`limit`), and a
//! caller (`concurrency_limit`). A sample is made when a request ends, with the number that were in flight when it was let
//! in, itself included.
//!
//! Taken from there: `AIMDLimit`, `VegasLimit` and `Gradient2Limit`, `WindowedLimit` with averages, the `SimpleLimiter`, which
//! refuses at once, and the `BlockingLimiter`, which lets wait (for callers). Not taken: shares of the limit for kinds of
//! requests (`shed` has classes), the older `GradientLimit`, windows with percentiles, and windows that last as long as requests
//! do (their shortest and longest are both 1 s there unless one is set).

pub mod aimd;
pub mod gradient2;
pub mod vegas;
mod window;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Stream, Time};
use window::Window;

/// A limit on the requests in flight that adapts itself; the law by which it does.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Limit")]
pub enum Spec {
    /// One more while requests are answered, a tenth less when one is dropped.
    Aimd(aimd::Spec),
    /// A little more while the shortest time shows that hardly anybody waits, a little less when some do.
    Vegas(vegas::Spec),
    /// Less when requests take longer than they have for long.
    Gradient2(gradient2::Spec),
}

/// What is wrong with the options, and a way out.
pub(crate) type Problem = (&'static str, &'static str);

impl Spec {
    pub(crate) fn problem(&self) -> Option<Problem> {
        match self {
            Self::Aimd(spec) => spec.problem(),
            Self::Vegas(spec) => spec.problem(),
            Self::Gradient2(spec) => spec.problem(),
        }
    }

    /// The limit at the start.
    #[must_use]
    pub fn initial(&self) -> u32 {
        match self {
            Self::Aimd(spec) => spec.initial,
            Self::Vegas(spec) => spec.initial,
            Self::Gradient2(spec) => spec.initial,
        }
    }
}

/// What is wrong with a least, a first and a largest limit.
fn bounds(min: u32, initial: u32, max: u32) -> Option<Problem> {
    if min == 0 {
        Some(("a limit of zero lets nobody in, and so never learns to let somebody in", "give `min` at least 1"))
    } else if !(min..=max).contains(&initial) {
        Some(("`initial` is not between the least limit and the largest", "give `min` ≤ `initial` ≤ `max`"))
    } else {
        None
    }
}

/// How a request went.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it ended.
    pub now: Time,
    /// How long it took.
    pub rtt: Duration,
    /// How many were in flight when it was let in, itself included.
    pub in_flight: u32,
    /// Whether it failed for want of room or time.
    pub dropped: bool,
}

/// How a limit moves.
trait Law: Debug + Send {
    /// A request ended; the limit from now on.
    fn update(&mut self, sample: Sample) -> u32;
    /// As at the start.
    fn reset(&mut self);
}

/// A limit at work.
#[derive(Debug)]
pub struct Limit {
    law: Box<dyn Law>,
    window: Option<Window>,
    initial: u32,
    present: u32,
}

impl Limit {
    /// The limit at the start.
    #[must_use]
    pub fn new(spec: Spec, chance: Stream) -> Self {
        let (law, window): (Box<dyn Law>, _) = match spec {
            Spec::Aimd(spec) => (Box::new(aimd::Aimd::new(spec)), spec.window),
            Spec::Vegas(spec) => (Box::new(vegas::Vegas::new(spec, chance)), spec.window),
            Spec::Gradient2(spec) => (Box::new(gradient2::Gradient2::new(spec)), spec.window),
        };
        let initial = spec.initial();
        Self { law, window: window.map(|span| Window::new(span.0)), initial, present: initial }
    }

    /// How many may be in flight.
    #[must_use]
    pub fn present(&self) -> u32 {
        self.present
    }

    /// A request ended; by how much the limit has moved.
    pub fn sample(&mut self, sample: Sample) -> i64 {
        let sample = match &mut self.window {
            None => Some(sample),
            Some(window) => window.add(sample),
        };
        let before = self.present;
        if let Some(sample) = sample {
            self.present = self.law.update(sample);
        }
        i64::from(self.present) - i64::from(before)
    }

    /// The process was restarted: forget everything. By how much the limit has moved.
    pub fn reset(&mut self) -> i64 {
        self.law.reset();
        if let Some(window) = &mut self.window {
            window.reset();
        }
        let before = std::mem::replace(&mut self.present, self.initial);
        i64::from(self.present) - i64::from(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    /// A limit at its start.
    pub(super) fn limit(spec: Spec) -> Limit {
        assert_eq!(spec.problem(), None);
        Limit::new(spec, Streams::new(1).named("limit"))
    }

    /// The limit after a request that took so long, with so many in flight.
    pub(super) fn after(limit: &mut Limit, ms: u64, in_flight: u32) -> u32 {
        let (now, rtt) = (Time::ZERO, Duration::from_millis(ms));
        limit.sample(Sample { now, rtt, in_flight, dropped: false });
        limit.present()
    }

    /// The limit after a request that was dropped.
    pub(super) fn after_drop(limit: &mut Limit, ms: u64) -> u32 {
        let (now, rtt) = (Time::ZERO, Duration::from_millis(ms));
        limit.sample(Sample { now, rtt, in_flight: 1, dropped: true });
        limit.present()
    }

    #[test]
    fn options_without_sense_are_refused() {
        let aimd = aimd::Spec::default();
        let vegas = vegas::Spec::default();
        let gradient = gradient2::Spec::default();
        let zero = Some(crate::scenario::units::Span(Duration::ZERO));
        for (spec, what) in [
            (Spec::Aimd(aimd::Spec { min: 0, ..aimd }), "lets nobody in"),
            (Spec::Aimd(aimd::Spec { initial: 201, ..aimd }), "not between"),
            (Spec::Aimd(aimd::Spec { backoff_ratio: 1.0, ..aimd }), "`backoff_ratio`"),
            (Spec::Aimd(aimd::Spec { backoff_ratio: 0.4, ..aimd }), "`backoff_ratio`"),
            (Spec::Aimd(aimd::Spec { window: zero, ..aimd }), "`window`"),
            (Spec::Vegas(vegas::Spec { initial: 0, ..vegas }), "not between"),
            (Spec::Vegas(vegas::Spec { smoothing: 0.0, ..vegas }), "`smoothing`"),
            (Spec::Vegas(vegas::Spec { probe_multiplier: 0, ..vegas }), "`probe_multiplier`"),
            (Spec::Gradient2(gradient2::Spec { initial: 19, ..gradient }), "not between"),
            (Spec::Gradient2(gradient2::Spec { rtt_tolerance: 0.9, ..gradient }), "`rtt_tolerance`"),
            (Spec::Gradient2(gradient2::Spec { smoothing: 1.5, ..gradient }), "`smoothing`"),
            (Spec::Gradient2(gradient2::Spec { long_window: 0, ..gradient }), "`long_window`"),
            (Spec::Gradient2(gradient2::Spec { window: zero, ..gradient }), "`window`"),
        ] {
            let (found, _) = spec.problem().expect("it makes no sense");
            assert!(found.contains(what), "{found}");
        }
    }

    #[test]
    fn what_took_no_time_moves_a_limit_only_if_it_was_dropped() {
        for spec in [Spec::Vegas(vegas::Spec::default()), Spec::Gradient2(gradient2::Spec::default())] {
            let mut limit = limit(spec);
            for _ in 0..50 {
                assert_eq!(after(&mut limit, 0, 20), 20, "{spec:?}");
            }
        }
        assert_eq!(after_drop(&mut limit(Spec::Vegas(vegas::Spec::default())), 0), 19);
    }

    #[test]
    fn a_restart_forgets() {
        for spec in [
            Spec::Aimd(aimd::Spec::default()),
            Spec::Vegas(vegas::Spec::default()),
            Spec::Gradient2(gradient2::Spec::default()),
        ] {
            let mut limit = limit(spec);
            let first: Vec<u32> = (0..10).map(|_| after(&mut limit, 10, 20)).collect();
            let moved = i64::from(limit.present()) - 20;
            assert!(moved > 0, "{spec:?}");
            assert_eq!(limit.reset(), -moved, "{spec:?}");
            let again: Vec<u32> = (0..10).map(|_| after(&mut limit, 10, 20)).collect();
            assert_eq!(first, again, "{spec:?}");
        }
    }
}
