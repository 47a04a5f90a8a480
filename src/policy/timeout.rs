//! timeout: stop waiting for an answer after a time, fixed or learned from the answers.
//!
//! ```text
//!   after: 200ms                                 percentile: 99%, factor: 2
//!   call ─────────► 200 ms ─► timeout            times of the last calls ─► their p99 × 2 ─► floor, ceiling ─► the limit
//! ```
//!
//! It interrupts what is inside it, and only that: `retry` outside `timeout` limits each attempt, `timeout`
//! outside `retry` limits them all, backoff included. The server is not told (see a service's `cancel`).

use schemars::JsonSchema;
use serde::Deserialize;

use super::recent::{Over, Recent};
use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::Outcome;
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Stop waiting after a time: a fixed one (`after`), or one learned from the answers (`percentile`). Short form:
/// `timeout: 200ms`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Timeout")]
pub struct Spec {
    /// How long to wait. Too short and good answers come late and their work is wasted; too long and the caller's
    /// own workers are held by calls that will not succeed.
    #[serde(default)]
    pub after: Option<Span>,
    /// Instead of `after`: wait `factor` times as long as this share of the last calls took, e.g. `99%`; `100%` is the
    /// longest of them. Answers count, and timeouts (see `count_timeouts`); other failures do not, for they may come at
    /// once. The time is found to 0.8 %, rounded up.
    #[serde(default)]
    pub percentile: Option<Share>,
    /// How many times that long; above 0. Below 1 it cuts off calls that are as slow as others were. Default: 2.
    #[serde(default)]
    pub factor: Option<f64>,
    /// Which calls are the last ones: so many (`1000`), or those that ended within a time (`60s`). Default: 1000.
    #[serde(default)]
    pub over: Option<Over>,
    /// How long to wait until there are calls enough to speak of a percentile: 1 / (1 − percentile) of them, 100 for
    /// `99%`, or as many as `over` keeps if that is less. Must be given with `percentile`.
    #[serde(default)]
    pub initial: Option<Span>,
    /// The shortest wait that can be learned. Default: 0.
    #[serde(default)]
    pub floor: Option<Span>,
    /// The longest wait that can be learned. Default: no limit, and a server that hangs is waited for longer and longer.
    #[serde(default)]
    pub ceiling: Option<Span>,
    /// Whether a call that timed out counts, with the time it was waited for. If more than 1 − percentile of the calls do,
    /// the wait grows by `factor`, again and again. If they do not count, a service that has become slower than the
    /// wait is never waited for again, as long as `over` remembers. Default: true.
    #[serde(default)]
    pub count_timeouts: Option<bool>,
    /// One memory for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, Span, |after| Spec { after: Some(after), ..Spec::default() });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut problem = |what: &str, help: &str| found.push((what.to_owned(), help.to_owned()));
        if self.after.is_some_and(|after| after.0.is_zero()) {
            problem("a timeout of zero lets no call succeed", "give it a time above zero, or leave the timeout out");
        }
        if self.after.is_some() == self.percentile.is_some() {
            problem("a timeout is fixed by `after` or learned by `percentile`", "give exactly one of the two");
        }
        let Some(percentile) = self.percentile else {
            let learned = self.factor.is_some()
                || self.over.is_some()
                || [self.initial, self.floor, self.ceiling].iter().any(Option::is_some)
                || self.count_timeouts.is_some()
                || self.shared;
            if learned && self.after.is_some() {
                problem(
                    "`after` stands alone: the other options belong to a timeout that is learned",
                    "replace it by `percentile`, or leave them out",
                );
            }
            return found;
        };
        if percentile.0 <= 0.0 {
            problem("`percentile` must be above 0%", "99% is usual");
        }
        if self.factor.is_some_and(|factor| !(factor.is_finite() && factor > 0.0)) {
            problem("`factor` must be above 0", "2 is usual");
        }
        if matches!(self.over, Some(Over::Calls(0) | Over::Time(Duration::ZERO))) {
            problem("`over` must keep something", "1000 calls are usual");
        }
        let (floor, ceiling) = self.bounds();
        if floor > ceiling || ceiling.is_zero() {
            problem("`ceiling` must be above zero, and not below `floor`", "the wait lies between the two");
            return found;
        }
        match self.initial {
            None => {
                problem("`percentile` needs an `initial` wait, for before there are calls", "e.g. `initial: 100ms`")
            }
            Some(initial) if initial.0.is_zero() || initial.0 < floor || initial.0 > ceiling => {
                problem("`initial` must be above zero, and between `floor` and `ceiling`", "100ms is usual");
            }
            Some(_) => {}
        }
        found
    }

    fn bounds(&self) -> (Duration, Duration) {
        (self.floor.map_or(Duration::ZERO, |span| span.0), self.ceiling.map_or(Duration::FOREVER, |span| span.0))
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "timeout"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        if let Some(after) = self.after {
            return Box::new(Timeout { after: after.0 });
        }
        let (floor, ceiling) = self.bounds();
        let percentile = self.percentile.map_or(1.0, |share| share.0);
        Box::new(Learned {
            factor: self.factor.unwrap_or(2.0),
            initial: self.initial.map_or(ceiling, |span| span.0),
            floor,
            ceiling,
            count_timeouts: self.count_timeouts.unwrap_or(true),
            recent: Recent::new(percentile, self.over.unwrap_or(Over::Calls(1_000))),
        })
    }
    fn shared(&self) -> bool {
        self.shared
    }
    fn limit(&self) -> Option<Duration> {
        self.after.map(|after| after.0)
    }
}

#[derive(Debug)]
struct Timeout {
    after: Duration,
}

impl Policy for Timeout {
    fn enter(&mut self, _: &mut Passage<'_>) -> Enter {
        Enter::ProceedFor(self.after)
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {}
}

/// A timeout that follows the times of the last calls. A passage remembers when it came.
#[derive(Debug)]
struct Learned {
    factor: f64,
    initial: Duration,
    floor: Duration,
    ceiling: Duration,
    count_timeouts: bool,
    recent: Recent,
}

impl Policy for Learned {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        *passage.word = passage.now.nanos();
        let learned = self.recent.percentile(passage.now).map(|time| time.scale(self.factor));
        // A learned wait of nothing would let no call succeed, and could teach nothing better.
        let limit = learned.unwrap_or(self.initial).max(self.floor).min(self.ceiling);
        Enter::ProceedFor(limit.max(Duration::from_nanos(1)))
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if outcome.is_answer() || (self.count_timeouts && outcome == Outcome::Timeout) {
            self.recent.add(passage.now, passage.now - Time::from_nanos(*passage.word));
        }
        Leave::Pass
    }

    fn bytes(&self) -> usize {
        self.recent.bytes()
    }

    fn reset(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{assert_refused, ms, story};
    use super::*;
    use crate::engine::Streams;
    use crate::outcome::Lesser;

    #[test]
    fn what_is_inside_has_so_much_time_from_each_entering() {
        let limit = Enter::ProceedFor(ms(200));
        story("timeout: 200ms")
            .enters("a", limit)
            .at(ms(150))
            .enters("b", limit)
            .ends("a", Outcome::Ok)
            .at(ms(350))
            .ends("b", Outcome::Timeout)
            .enters("c", limit);
    }

    #[test]
    fn a_fixed_one_is_known_before_the_run_and_a_learned_one_is_not() {
        assert_eq!(Spec::from(Span(ms(200))).limit(), Some(ms(200)));
        assert_eq!(Spec { percentile: Some(Share(0.99)), ..Spec::default() }.limit(), None);
    }

    /// What a call is given that comes now.
    fn limit(policy: &mut dyn Policy, now: Duration) -> Duration {
        let now = Time::ZERO + now;
        let passage =
            &mut Passage { now, opened: now, deadline: Time::NEVER, key: 0, waiting: 0, put_off: 0, word: &mut 0 };
        let Enter::ProceedFor(limit) = policy.enter(passage) else { panic!("a timeout gives a time") };
        policy.leave(passage, Outcome::Cancelled);
        limit
    }

    /// Calls one after the other, each of which takes so long and ends like this; and when the last has ended.
    fn calls(policy: &mut dyn Policy, from: Duration, calls: u32, time: Duration, outcome: Outcome) -> Duration {
        let mut now = from;
        for _ in 0..calls {
            let mut word = 0;
            let start = Time::ZERO + now;
            let mut passage = Passage {
                now: start,
                opened: start,
                deadline: Time::NEVER,
                key: 0,
                waiting: 0,
                put_off: 0,
                word: &mut word,
            };
            let Enter::ProceedFor(limit) = policy.enter(&mut passage) else { panic!("a timeout gives a time") };
            let late = time > limit;
            now += time.min(limit);
            passage.now = Time::ZERO + now;
            policy.leave(&mut passage, if late { Outcome::Timeout } else { outcome });
        }
        now
    }

    fn learned(count_timeouts: bool) -> Box<dyn Policy> {
        let (percentile, initial, ceiling) = (Some(Share(0.99)), Some(Span(ms(100))), Some(Span(ms(1_000))));
        let spec = Spec { percentile, initial, ceiling, count_timeouts: Some(count_timeouts), ..Spec::default() };
        assert_eq!(spec.problems(), []);
        spec.build(Streams::new(1).named("story"))
    }

    #[track_caller]
    fn assert_near(limit: Duration, expected: Duration) {
        assert!(limit >= expected && limit <= expected.scale(1.008), "{limit} instead of {expected}");
    }

    #[test]
    fn it_starts_with_the_initial_wait_and_learns_twice_the_p99_of_a_thousand() {
        let mut policy = learned(true);
        let now = calls(policy.as_mut(), ms(0), 99, ms(20), Outcome::Ok);
        assert_eq!(limit(policy.as_mut(), now), ms(100));
        let now = calls(policy.as_mut(), now, 1, ms(20), Outcome::Ok);
        assert_near(limit(policy.as_mut(), now), ms(40));
        // Of a thousand, ten are beyond the 99th percentile and the eleventh is not.
        let now = calls(policy.as_mut(), now, 900, ms(20), Outcome::Ok);
        let now = calls(policy.as_mut(), now, 10, ms(30), Outcome::Degraded(Lesser::PARTIAL));
        assert_near(limit(policy.as_mut(), now), ms(40));
        let now = calls(policy.as_mut(), now, 1, ms(30), Outcome::Ok);
        assert_near(limit(policy.as_mut(), now), ms(60));
        // Failures that are no timeouts teach nothing.
        let now = calls(policy.as_mut(), now, 2_000, ms(1), Outcome::Unavailable);
        assert_near(limit(policy.as_mut(), now), ms(60));
        let now = calls(policy.as_mut(), now, 1_000, ms(1), Outcome::Ok);
        assert_near(limit(policy.as_mut(), now), ms(2));
        policy.reset();
        assert_eq!(limit(policy.as_mut(), now), ms(100));
    }

    #[test]
    fn timeouts_that_count_make_it_longer_up_to_the_ceiling() {
        let mut policy = learned(true);
        let now = calls(policy.as_mut(), ms(0), 1_000, ms(20), Outcome::Ok);
        let now = calls(policy.as_mut(), now, 11, ms(5_000), Outcome::Ok);
        assert!(limit(policy.as_mut(), now) >= ms(80), "twice 40 ms");
        let now = calls(policy.as_mut(), now, 11, ms(5_000), Outcome::Ok);
        assert!(limit(policy.as_mut(), now) >= ms(160));
        let now = calls(policy.as_mut(), now, 100, ms(5_000), Outcome::Ok);
        assert_eq!(limit(policy.as_mut(), now), ms(1_000));
        let mut deaf = learned(false);
        let now = calls(deaf.as_mut(), ms(0), 1_000, ms(20), Outcome::Ok);
        let now = calls(deaf.as_mut(), now, 1_000, ms(50), Outcome::Ok);
        assert_near(limit(deaf.as_mut(), now), ms(40));
    }

    #[test]
    fn the_floor_holds_and_a_window_of_time_forgets() {
        let (percentile, initial, floor) = (Some(Share(0.5)), Some(Span(ms(100))), Some(Span(ms(30))));
        let over = Some(Over::Time(ms(1_000)));
        let spec = Spec { percentile, initial, floor, over, factor: Some(3.0), ..Spec::default() };
        let mut policy = spec.build(Streams::new(1).named("story"));
        let now = calls(policy.as_mut(), ms(0), 2, ms(5), Outcome::Ok);
        assert_eq!(limit(policy.as_mut(), now), ms(30));
        let now = calls(policy.as_mut(), now, 3, ms(20), Outcome::Ok);
        assert_near(limit(policy.as_mut(), now), ms(60));
        assert_eq!(limit(policy.as_mut(), now + ms(1_000)), ms(100), "nothing is known any more");
    }

    #[test]
    fn options_without_sense_are_refused() {
        for (options, what) in [
            ("after: 0", "a timeout of zero"),
            ("initial: 1s", "fixed by `after` or learned by `percentile`"),
            ("after: 1s, percentile: 99%, initial: 1s", "fixed by `after` or learned by `percentile`"),
            ("after: 1s, ceiling: 2s", "`after` stands alone"),
            ("percentile: 99%", "needs an `initial` wait"),
            ("percentile: 0%, initial: 1s", "`percentile` must be above 0%"),
            ("percentile: 99%, initial: 1s, factor: 0", "`factor` must be above 0"),
            ("percentile: 99%, initial: 1s, over: 0", "`over` must keep something"),
            ("percentile: 99%, initial: 1s, floor: 3s, ceiling: 2s", "`ceiling` must be above zero"),
            ("percentile: 99%, initial: 1s, floor: 2s", "`initial` must be above zero, and between"),
        ] {
            assert_refused(&format!("timeout: {{ {options} }}"), what);
        }
    }
}
