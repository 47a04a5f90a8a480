//! slow_start: a replica that has come back gets a share that grows.
//!
//! ```text
//!   share of what it would get
//!   100 % ┤            ____
//!         │        ___/          max(minimum, (time since it came back / window)^(1 / aggression))
//!    10 % ┤ ______/
//!         └─┬──────────┬───
//!         back      window
//! ```
//!
//! The law is that of Envoy's slow start mode. What comes back: a replica that has started up after a crash, or (as with
//! `slow_start` of nginx Plus) one whose ejection is over or whose probes are answered again. A pick that falls on such a replica is
//! taken with the chance of its share; otherwise it goes to another one.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Stream, Time};
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Give a replica that has come back (started up again, its ejection over, or its probes answered again) a share of the requests that
/// grows. Short form: `slow_start: 30s`. Without effect if all replicas have come back at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "SlowStart")]
pub struct Spec {
    /// After this time it gets as much as the others.
    pub window: Span,
    /// The share grows as time^(1 / aggression): 1 is a straight line, more is faster at first. Default: 1.
    #[serde(default = "one")]
    pub aggression: f64,
    /// The least share, so that it gets something at once. Default: 10%.
    #[serde(default = "tenth")]
    pub minimum: Share,
}

fn one() -> f64 {
    1.0
}

fn tenth() -> Share {
    Share(0.1)
}

short_form!(Spec, Span, |window| Spec { window, aggression: one(), minimum: tenth() });

impl Spec {
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.window.0.is_zero() {
            Some(("a slow start of no length", "give `slow_start` a window above zero, or leave it out"))
        } else if !(self.aggression.is_finite() && self.aggression > 0.0) {
            Some(("`aggression` must be above zero", "1 is a straight line, 2 is faster at first"))
        } else {
            None
        }
    }

    /// The share of what it would get, so long after it has come back.
    fn share(&self, back_for: f64) -> f64 {
        libm::pow(back_for / self.window.0.as_secs(), 1.0 / self.aggression).max(self.minimum.0)
    }
}

/// Which replicas have come back, and when.
#[derive(Debug)]
pub(super) struct SlowStart {
    spec: Spec,
    /// For each replica: when its window is over.
    until: Vec<Time>,
    /// When the last of these is.
    last: Time,
    chance: Stream,
}

impl SlowStart {
    pub(super) fn new(spec: Spec, replicas: usize, chance: Stream) -> Self {
        Self { spec, until: vec![Time::ZERO; replicas], last: Time::ZERO, chance }
    }

    pub(super) fn is_back(&mut self, replica: usize, now: Time) {
        self.until[replica] = now + self.spec.window.0;
        self.last = self.until[replica];
    }

    /// Whether any replica has less than its full share.
    pub(super) fn is_on(&self, now: Time) -> bool {
        now < self.last
    }

    /// Whether a request is taken by the replica on which the pick has fallen.
    pub(super) fn takes(&mut self, replica: usize, now: Time) -> bool {
        let until = self.until[replica];
        if now >= until {
            return true;
        }
        let back_for = self.spec.window.0.as_secs() - (until - now).as_secs();
        self.chance.chance(self.spec.share(back_for))
    }

    pub(super) fn reset(&mut self) {
        self.until.fill(Time::ZERO);
        self.last = Time::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Duration, Streams};

    fn spec(aggression: f64) -> Spec {
        Spec { aggression, ..Span(Duration::from_secs(10)).into() }
    }

    #[test]
    fn the_share_grows_from_the_minimum_to_all() {
        // In a straight line; as a square root, which is faster; as a square, which is slower.
        for (aggression, after, share) in [
            (1.0, 0.0, 0.1),
            (1.0, 0.9, 0.1),
            (1.0, 5.0, 0.5),
            (1.0, 10.0, 1.0),
            (2.0, 2.5, 0.5),
            (0.5, 5.0, 0.25),
            (0.5, 2.0, 0.1),
        ] {
            let got = spec(aggression).share(after);
            assert!((got - share).abs() < 1e-12, "{aggression} {after}: {got}");
        }
    }

    #[test]
    fn it_is_over_after_the_window() {
        let at = |secs| Time::ZERO + Duration::from_secs(secs);
        let mut slow = SlowStart::new(spec(1.0), 2, Streams::new(1).named("test"));
        assert!(!slow.is_on(at(0)));
        slow.is_back(1, at(100));
        assert!(slow.is_on(at(109)) && !slow.is_on(at(110)));
        let mut taken = |replica, when| (0..1_000).filter(|_| slow.takes(replica, when)).count();
        assert_eq!(taken(0, at(101)), 1_000);
        assert_eq!(taken(1, at(110)), 1_000);
        // Binomial(1000, 1/2): five standard deviations are 79.
        assert!(taken(1, at(105)).abs_diff(500) < 79);
        slow.reset();
        assert!(!slow.is_on(at(105)));
    }

    #[test]
    fn options_without_a_meaning_are_refused() {
        assert!(spec(1.0).problem().is_none());
        assert!(spec(0.0).problem().is_some());
        assert!(Spec::from(Span(Duration::ZERO)).problem().is_some());
    }
}
