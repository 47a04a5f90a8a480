//! shed: turn requests away at the door before the server is full, the least important first.
//!
//! Google's SRE book, "Handling overload" and "Addressing cascading failures" (2016), for limits on the queue, on what is
//! in flight and on utilisation, and for classes; Netflix, "Keeping Netflix reliable using prioritized load shedding"
//! (2020), for limits that the less important meet first.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Class, Refusal};
use crate::engine::{Duration, Time};
use crate::scenario::units::{Share, Span};

/// Turn requests away at the door with 503, each refusal at the price of `reject_cost`. A request is turned away as soon as
/// one of the limits is reached; at least one must be given. Counted as `refused.queue`, `refused.in_flight`,
/// `refused.utilisation` and `refused.waited`, the first that is reached in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Shed")]
pub struct Spec {
    /// This many wait. 0: every request is turned away. Default: no limit.
    #[serde(default)]
    pub queue: Option<u32>,
    /// This many have been let in and not been answered: in service, waiting for a worker, or waiting for calls in an
    /// `async` service. 0: every request is turned away. Default: no limit.
    #[serde(default)]
    pub in_flight: Option<u32>,
    /// This share of the workers has been busy, on average over `window`. Needs a number of `workers`. It turns all away
    /// until the mean has fallen again, also when a worker is free. Default: no limit.
    #[serde(default)]
    pub utilisation: Option<Share>,
    /// The time constant of the average of `utilisation`: what happened this long ago counts 1/e. Zero: only the present
    /// counts. Default: `1s`.
    #[serde(default)]
    pub window: Option<Span>,
    /// The oldest request in the queue has waited this long. Where the newest are served first, the oldest stay for
    /// long, and with them the refusals. Default: no limit.
    #[serde(default)]
    pub waited: Option<Span>,
    /// The less important meet the limits first, and `critical` requests never. `classes: {}` has the defaults.
    /// Default: all classes are treated alike.
    #[serde(default)]
    pub classes: Option<Classes>,
}

/// At which share of each limit a class is turned away. `critical` requests never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ShedClasses")]
pub struct Classes {
    /// Of requests of class `high`. Default: 100%.
    #[serde(default)]
    pub high: Option<Share>,
    /// Of requests of class `medium`. Default: 75%.
    #[serde(default)]
    pub medium: Option<Share>,
    /// Of requests of class `low`. 0%: none is let in. Default: 50%.
    #[serde(default)]
    pub low: Option<Share>,
}

impl Spec {
    pub(crate) fn problem(&self, workers: u32) -> Option<(&'static str, &'static str)> {
        let limits =
            [self.queue.is_some(), self.in_flight.is_some(), self.utilisation.is_some(), self.waited.is_some()];
        if !limits.contains(&true) {
            Some(("`shed` without a limit turns nobody away", "give `queue`, `in_flight`, `utilisation` or `waited`"))
        } else if self.utilisation.is_some() && workers == u32::MAX {
            Some(("unlimited workers have no utilisation", "give the service a number of `workers`"))
        } else {
            None
        }
    }
}

/// What is seen at the door.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// How many wait.
    pub waiting: usize,
    /// How many are inside, those who wait included.
    pub in_flight: u32,
    /// How long the one has waited who came first.
    pub waited: Duration,
}

/// The state at one instance.
#[derive(Clone, Debug)]
pub struct Shed {
    spec: Spec,
    /// For each class, the share of the limits at which it is turned away.
    shares: [f64; 4],
    workers: f64,
    window: f64,
    /// The mean share of the workers that were busy, until `since`.
    mean: f64,
    since: Time,
}

impl Shed {
    /// At an instance at which nothing happens.
    #[must_use]
    pub fn new(spec: Spec, workers: u32, now: Time) -> Self {
        let share = |share: Option<Share>, usual: f64| share.map_or(usual, |it| it.0);
        let shares = match spec.classes {
            None => [1.0; 4],
            Some(it) => [f64::INFINITY, share(it.high, 1.0), share(it.medium, 0.75), share(it.low, 0.5)],
        };
        let window = spec.window.map_or(1.0, |span| span.0.as_secs());
        Self { spec, shares, workers: f64::from(workers), window, mean: 0.0, since: now }
    }

    /// So many workers have been busy until now.
    pub fn were_busy(&mut self, busy: u32, now: Time) {
        if self.spec.utilisation.is_some() {
            let past = if self.window > 0.0 { libm::exp(-(now - self.since).as_secs() / self.window) } else { 0.0 };
            self.mean = self.mean * past + f64::from(busy) / self.workers * (1.0 - past);
            self.since = now;
        }
    }

    /// Why a request is turned away, if it is.
    #[must_use]
    pub fn refuses(&self, class: Class, door: Door) -> Option<Refusal> {
        let share = self.shares[class as usize];
        if share.is_infinite() {
            return None;
        }
        let spec = &self.spec;
        let reached = |limit: Option<f64>, value: f64| limit.is_some_and(|limit| value >= limit * share);
        if reached(spec.queue.map(f64::from), door.waiting as f64) {
            Some(Refusal::Queue)
        } else if reached(spec.in_flight.map(f64::from), f64::from(door.in_flight)) {
            Some(Refusal::InFlight)
        } else if reached(spec.utilisation.map(|it| it.0), self.mean) {
            Some(Refusal::Utilisation)
        } else if door.waiting > 0 && reached(spec.waited.map(|it| it.0.as_secs()), door.waited.as_secs()) {
            Some(Refusal::Waited)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Door = Door { waiting: 0, in_flight: 0, waited: Duration::ZERO };

    fn shed(spec: Spec) -> Shed {
        assert_eq!(spec.problem(10), None);
        Shed::new(spec, 10, Time::ZERO)
    }

    #[test]
    fn each_limit_turns_away_when_it_is_reached() {
        let queue = shed(Spec { queue: Some(8), ..Spec::default() });
        assert_eq!(queue.refuses(Class::Critical, Door { waiting: 7, ..IDLE }), None);
        assert_eq!(queue.refuses(Class::Critical, Door { waiting: 8, ..IDLE }), Some(Refusal::Queue));
        let in_flight = shed(Spec { in_flight: Some(8), ..Spec::default() });
        assert_eq!(in_flight.refuses(Class::Low, Door { in_flight: 7, ..IDLE }), None);
        assert_eq!(in_flight.refuses(Class::Low, Door { in_flight: 8, ..IDLE }), Some(Refusal::InFlight));
        let waited = shed(Spec { waited: Some(Span(Duration::from_millis(50))), ..Spec::default() });
        let long = |ms| Door { waiting: 1, waited: Duration::from_millis(ms), ..IDLE };
        assert_eq!(waited.refuses(Class::Low, long(49)), None);
        assert_eq!(waited.refuses(Class::Low, long(50)), Some(Refusal::Waited));
        assert_eq!(waited.refuses(Class::Low, IDLE), None, "nobody waits");
    }

    #[test]
    fn the_less_important_meet_a_limit_first_and_the_critical_never() {
        let shed = shed(Spec { queue: Some(8), classes: Some(Classes::default()), ..Spec::default() });
        let first = |class| (0..100).find(|&waiting| shed.refuses(class, Door { waiting, ..IDLE }).is_some());
        assert_eq!(first(Class::Low), Some(4));
        assert_eq!(first(Class::Medium), Some(6));
        assert_eq!(first(Class::High), Some(8));
        assert_eq!(first(Class::Critical), None);
    }

    #[test]
    fn utilisation_is_an_exponential_mean_over_time() {
        let mut shed = shed(Spec { utilisation: Some(Share(0.6)), ..Spec::default() });
        // All ten busy for a second: 1 - 1/e = 63 %. Then half of them for ln 2 seconds: (63 % + 50 %) / 2 = 57 %.
        shed.were_busy(10, Time::ZERO + Duration::from_secs(1));
        assert_eq!(shed.refuses(Class::Low, IDLE), Some(Refusal::Utilisation));
        shed.were_busy(5, Time::ZERO + Duration::from_millis(1_693));
        assert_eq!(shed.refuses(Class::Low, IDLE), None);
    }

    #[test]
    fn a_limit_must_be_given_and_utilisation_needs_workers() {
        assert!(Spec::default().problem(10).is_some());
        let spec = Spec { utilisation: Some(Share(0.9)), ..Spec::default() };
        assert!(spec.problem(u32::MAX).is_some());
    }
}
