//! codel: give up the requests of a queue that stays long. Controlled delay, on the time that a request has waited.
//!
//! A queue that empties now and then only smooths the arrivals. One that does not for a whole interval stands: all that it
//! adds is a wait. Two laws act on that difference.
//!
//! * `facebook`: B. Maurer, "Fail at Scale", ACM Queue 13 (2015), and its source, `folly::Codel`: a request that joins a
//!   queue which has not been empty for `interval` may wait for `target`, any other for `interval`.
//! * `classic`: K. Nichols and V. Jacobson, RFC 8289 (2018): once the wait of those whose turn comes has been above
//!   `target` for `interval`, one is dropped, and then more and more often, `interval / sqrt(n)` apart, until a wait is
//!   below `target`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Time};
use crate::scenario::units::Span;

/// Give up requests of a queue that stays long: with 503, when their turn comes. `codel: {}` has all the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Codel")]
pub struct Spec {
    /// The wait that is acceptable when the queue stands. Zero: nobody who has waited is served then. Default: `5ms`.
    #[serde(default)]
    pub target: Option<Span>,
    /// How long a burst may last before the queue counts as standing; longer than the work of most requests. At least
    /// `target`. Default: `100ms`.
    #[serde(default)]
    pub interval: Option<Span>,
    /// Which requests are given up. Default: `facebook`.
    #[serde(default)]
    pub law: Law,
}

/// Which requests of a standing queue are given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CodelLaw")]
pub enum Law {
    /// All that have waited for `target`; and for `interval`, if the queue was empty less than an `interval` before they
    /// came.
    #[default]
    Facebook,
    /// One, then more and more often, until a wait is below the target (RFC 8289). Made for senders that slow down when
    /// something is dropped.
    Classic,
}

impl Spec {
    fn target(self) -> Duration {
        self.target.map_or(Duration::from_millis(5), |span| span.0)
    }
    fn interval(self) -> Duration {
        self.interval.map_or(Duration::from_millis(100), |span| span.0)
    }

    pub(super) fn problem(self) -> Option<(&'static str, &'static str)> {
        if self.interval().is_zero() {
            Some(("an interval of zero tells no burst from a standing queue", "give `interval` above zero"))
        } else if self.interval() < self.target() {
            Some(("the interval of codel is shorter than its target", "the defaults are 100 ms and 5 ms"))
        } else {
            None
        }
    }
}

/// The state of one queue.
#[derive(Clone, Debug)]
pub struct Codel {
    target: Duration,
    interval: Duration,
    law: Law,
    /// When the queue was empty last.
    empty: Time,
    /// If the wait is still too long then, the queue stands.
    first_above: Option<Time>,
    dropping: bool,
    next_drop: Time,
    drops: u32,
    earlier_drops: u32,
}

impl Codel {
    /// The state of an empty queue.
    #[must_use]
    pub fn new(spec: Spec) -> Self {
        Self {
            target: spec.target(),
            interval: spec.interval(),
            law: spec.law,
            empty: Time::ZERO,
            first_above: None,
            dropping: false,
            next_drop: Time::ZERO,
            drops: 0,
            earlier_drops: 0,
        }
    }

    /// How long a request may wait that joins the queue now.
    pub fn patience(&mut self, empty: bool, now: Time) -> Duration {
        if empty {
            self.empty = now;
        }
        match self.law {
            Law::Classic => Duration::FOREVER,
            Law::Facebook if now - self.empty > self.interval => self.target,
            Law::Facebook => self.interval,
        }
    }

    /// The turn of a request has come that has waited this long, with so many behind it: whether it is given up.
    pub fn gives_up(&mut self, waited: Duration, behind: usize, now: Time) -> bool {
        if self.law == Law::Facebook {
            return false;
        }
        // A queue of one does not stand.
        let stands = if waited < self.target || behind == 0 {
            self.first_above = None;
            false
        } else {
            now >= *self.first_above.get_or_insert(now + self.interval)
        };
        if self.dropping {
            self.dropping = stands;
            if !stands || now < self.next_drop {
                return false;
            }
            self.drops += 1;
            self.next_drop = self.after(self.next_drop);
            return true;
        }
        if stands {
            // Soon after the last time it goes on as fast as it was.
            let recent = self.drops - self.earlier_drops;
            self.drops = if recent > 1 && now - self.next_drop < self.interval * 16 { recent } else { 1 };
            self.dropping = true;
            self.next_drop = self.after(now);
            self.earlier_drops = self.drops;
        }
        stands
    }

    /// Nobody waits.
    pub fn emptied(&mut self) {
        self.first_above = None;
        self.dropping = false;
    }

    fn after(&self, time: Time) -> Time {
        time + self.interval.scale(1.0 / libm::sqrt(f64::from(self.drops)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(time: u64) -> Time {
        Time::ZERO + ms(time)
    }

    #[test]
    fn who_joins_a_queue_that_has_not_been_empty_for_an_interval_may_wait_for_the_target() {
        let mut codel = Codel::new(Spec::default());
        assert_eq!(codel.patience(true, at(1_000)), ms(100));
        assert_eq!(codel.patience(false, at(1_100)), ms(100));
        assert_eq!(codel.patience(false, at(1_101)), ms(5));
        assert_eq!(codel.patience(true, at(1_102)), ms(100));
        assert!(!codel.gives_up(ms(5_000), 100, at(9_000)), "the patience says it all");
    }

    #[test]
    fn after_an_interval_above_the_target_more_and_more_often_one_is_given_up() {
        let mut codel = Codel::new(Spec { law: Law::Classic, ..Spec::default() });
        assert_eq!(codel.patience(false, at(500)), Duration::FOREVER);
        // A turn each millisecond, always after 20 ms, with ten behind.
        let dropped: Vec<u64> = (0..420).filter(|&now| codel.gives_up(ms(20), 10, at(now))).collect();
        // At 100 ms, then 100, 100/sqrt(2), 100/sqrt(3), 100/sqrt(4) ms later: 200, 270.7, 328.4, 378.4; and 423.
        assert_eq!(dropped, [100, 200, 271, 329, 379]);
        // One wait below the target ends it; soon after, it goes on as fast as it was: four, the first one not counted.
        assert!(!codel.gives_up(ms(4), 10, at(421)));
        let dropped: Vec<u64> = (422..580).filter(|&now| codel.gives_up(ms(20), 10, at(now))).collect();
        // At 522 ms, then 100/sqrt(4) = 50 ms later.
        assert_eq!(dropped, [522, 572]);
    }

    #[test]
    fn the_last_of_a_queue_is_never_given_up() {
        let mut codel = Codel::new(Spec { law: Law::Classic, ..Spec::default() });
        assert!((0..1_000).all(|now| !codel.gives_up(ms(500), 0, at(now))));
        codel.emptied();
        assert!((1_000..1_100).all(|now| !codel.gives_up(ms(500), 1, at(now))));
        assert!(codel.gives_up(ms(500), 1, at(1_100)));
    }

    #[test]
    fn an_interval_must_be_longer_than_the_target() {
        let spec = |target, interval| Spec {
            target: Some(Span(ms(target))),
            interval: Some(Span(ms(interval))),
            law: Law::Facebook,
        };
        assert!(spec(5, 0).problem().is_some());
        assert!(spec(200, 100).problem().is_some());
        assert!(spec(0, 100).problem().is_none());
    }
}
