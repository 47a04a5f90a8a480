//! concurrency_limit: limit how many calls are under way at once, by the time that they take.
//!
//! ```text
//!   enter ─► fewer under way than the limit? ─► proceed ─► answered, or dropped ─► the limit moves
//!               │ no
//!               ├─► room in the waiting line? ─► wait, at most `wait`
//!               └─► refused
//! ```
//!
//! A bulkhead that finds its own size, as the client limiters of Netflix's concurrency-limits; the laws are those of a
//! service's `limit` (`crate::admission::limit`). The time of a call is counted from when it has passed this layer. Always: who
//! is let in finds fewer under way than the limit; when the limit falls, those who are under way stay.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy, When, set_of};
use crate::admission::limit::{self, Limit, Sample};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::scenario::units::Span;

/// Limit how many calls are under way at once, by one of three laws: `concurrency_limit: { vegas: {} }`.
///
/// A call that is answered tells its time. One that ends with timeout, unavailable, throttled or unreachable was dropped. Other
/// failures tell nothing, nor do abandoned calls: a `timeout` must stand inside to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConcurrencyLimit")]
pub struct Spec {
    /// One more while calls are answered, a tenth less when one is dropped.
    #[serde(default)]
    pub aimd: Option<limit::aimd::Spec>,
    /// A little more while the shortest time shows that hardly anybody waits, a little less when some do.
    #[serde(default)]
    pub vegas: Option<limit::vegas::Spec>,
    /// Less when calls take longer than they have for long.
    #[serde(default)]
    pub gradient2: Option<limit::gradient2::Spec>,
    /// Calls that may stand in line for a place. Default: 0, refuse at once.
    #[serde(default)]
    pub waiting: u32,
    /// The longest wait in line. Default: no limit (only the caller's own timeouts end it).
    #[serde(default)]
    pub wait: Option<Span>,
    /// One limit for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

impl Spec {
    /// The law that is given, if it is one.
    fn law(&self) -> Option<limit::Spec> {
        match (self.aimd, self.vegas, self.gradient2) {
            (Some(spec), None, None) => Some(limit::Spec::Aimd(spec)),
            (None, Some(spec), None) => Some(limit::Spec::Vegas(spec)),
            (None, None, Some(spec)) => Some(limit::Spec::Gradient2(spec)),
            _ => None,
        }
    }

    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        match self.law() {
            None => found.push((
                "a concurrency limit follows one law".into(),
                "give one of `aimd`, `vegas` and `gradient2`; `vegas: {}` takes all its defaults".into(),
            )),
            Some(law) => found.extend(law.problem().map(|(what, way_out)| (what.into(), way_out.into()))),
        }
        if self.wait.is_some() && self.waiting == 0 {
            found.push((
                "`wait` has no effect without `waiting`".into(),
                "say how many calls may stand in line: `waiting: 10`".into(),
            ));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "concurrency_limit"
    }
    fn build(&self, chance: Stream) -> Box<dyn Policy> {
        let law = self.law().expect("a checked limit has one law");
        Box::new(ConcurrencyLimit {
            limit: Limit::new(law, chance),
            under_way: 0,
            line: self.waiting as usize,
            wait: self.wait.map_or(Duration::FOREVER, |span| span.0),
            drops: set_of(&[When::Timeout, When::Unavailable, When::Throttled, When::Unreachable]),
            begun: Vec::new(),
            free: Vec::new(),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::ConcurrencyLimit
    }
    fn shared(&self) -> bool {
        self.shared
    }
    fn concurrency(&self) -> Option<u32> {
        self.law().map(|law| law.initial())
    }
}

#[derive(Debug)]
struct ConcurrencyLimit {
    limit: Limit,
    under_way: u32,
    line: usize,
    wait: Duration,
    drops: OutcomeSet,
    /// For each place taken: since when, and how many were under way then. The passage remembers its place.
    begun: Vec<(Time, u32)>,
    free: Vec<u32>,
}

impl Policy for ConcurrencyLimit {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.has_room() {
            self.under_way += 1;
            let begun = (passage.now, self.under_way);
            let place = self.free.pop().unwrap_or_else(|| {
                self.begun.push(begun);
                self.begun.len() as u32 - 1
            });
            self.begun[place as usize] = begun;
            *passage.word = u64::from(place);
            Enter::Proceed
        } else if passage.waiting < self.line {
            Enter::Wait { at_most: self.wait }
        } else {
            Enter::Refuse
        }
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        assert!(self.under_way > 0, "a place under a concurrency limit came back twice");
        self.under_way -= 1;
        self.free.push(*passage.word as u32);
        let dropped = self.drops.has(outcome);
        if dropped || outcome.is_answer() {
            let (since, in_flight) = self.begun[*passage.word as usize];
            self.limit.sample(Sample { now: passage.now, rtt: passage.now - since, in_flight, dropped });
        }
        Leave::Pass
    }

    fn has_room(&self) -> bool {
        self.under_way < self.limit.present()
    }

    fn at_rest(&self) -> bool {
        self.under_way == 0
    }

    fn concurrency(&self) -> u32 {
        self.limit.present()
    }

    fn reset(&mut self) {
        self.limit.reset();
        self.under_way = 0;
        self.begun.clear();
        self.free.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, assert_refused, ms, story};
    use super::*;

    fn one_place() -> Story {
        story("concurrency_limit: { aimd: { initial: 1, min: 1 }, waiting: 2, wait: 30ms }")
    }

    const WAIT: Enter = Enter::Wait { at_most: Duration::from_millis(30) };

    #[test]
    fn an_answer_makes_room_for_two_who_wait_and_a_drop_for_none() {
        one_place()
            .begins("a")
            .enters("b", WAIT)
            .enters("c", WAIT)
            .refuses()
            .has_no_room()
            .at(ms(10))
            .ends("a", Outcome::Ok)
            .calls_in("b")
            .calls_in("c")
            .enters("d", WAIT)
            .ends("b", Outcome::Timeout)
            .has_no_room()
            .ends("c", Outcome::Timeout)
            .calls_in("d")
            .has_no_room();
    }

    #[test]
    fn what_was_neither_answered_nor_dropped_tells_nothing() {
        for outcome in [Outcome::Error, Outcome::Rejected, Outcome::RefusedBy(Refuser::Breaker), Outcome::Cancelled] {
            let two = story("concurrency_limit: { aimd: { initial: 2, min: 1 } }").begins("a").begins("b").refuses();
            two.ends("a", outcome).begins("c").refuses().ends("c", Outcome::Ok).begins("d").begins("e").refuses();
        }
    }

    #[test]
    fn a_place_comes_back_however_the_call_ends() {
        one_place()
            .fails()
            .ends_at_once(Outcome::Timeout)
            .begins("abandoned")
            .does_not_rest()
            .abandons("abandoned")
            .rests()
            .begins("b")
            .enters("c", WAIT)
            .leaves_the_line("c")
            .ends("b", Outcome::Error)
            .rests()
            .restarts()
            .begins("d");
    }

    #[test]
    fn the_wait_in_line_does_not_count_as_the_time_of_the_call() {
        // Each takes 10 ms, but the second waits 10 ms for it: the limit of vegas grows by 6 with each.
        let wait = Enter::Wait { at_most: Duration::FOREVER };
        let mut full = story("concurrency_limit: { vegas: { initial: 1 }, waiting: 1 }").begins("a").enters("b", wait);
        full = full.at(ms(10)).ends("a", Outcome::Ok).calls_in("b").has_no_room();
        full = full.at(ms(20)).ends("b", Outcome::Ok);
        for call in ["c", "d", "e", "f", "g", "h", "i"] {
            full = full.begins(call);
        }
        full.enters("j", wait);
    }

    #[test]
    fn options_without_sense_are_refused() {
        assert_refused("concurrency_limit: {}", "follows one law");
        assert_refused("concurrency_limit: { aimd: {}, vegas: {} }", "follows one law");
        assert_refused("concurrency_limit: { aimd: { min: 0 } }", "lets nobody in");
        assert_refused("concurrency_limit: { vegas: {}, wait: 1s }", "no effect without `waiting`");
    }
}
