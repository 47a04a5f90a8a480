//! bulkhead: limit how many calls are under way at once, so that one slow dependency cannot take every worker.
//!
//! ```text
//!   enter ─► a permit is free? ─► proceed
//!               │ no
//!               ├─► room in the waiting line? ─► wait, at most `wait`
//!               └─► refused
//! ```
//!
//! A permit stands for a place (a semaphore), which is given back when the caller goes on, or for a thread, which is
//! given back when the call that it makes has ended, whoever still waits.
//!
//! Always: permits in use ≤ `concurrent`. A permit that is given back goes to the first in line.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy, Race};
use crate::engine::{Duration, Stream};
use crate::outcome::{Outcome, Refuser};
use crate::scenario::units::Span;
use crate::short_form;

/// Limit how many calls are under way at once. Short form: `bulkhead: 20`.
///
/// One for each caller instance and each call that lists it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
#[schemars(rename = "Bulkhead")]
pub struct Spec {
    /// Calls under way at most, the waiting not counted.
    pub concurrent: u32,
    /// Calls that may stand in line for a permit. Default: 0, refuse at once.
    #[serde(default)]
    pub waiting: u32,
    /// The longest wait in line. Default: no limit (only the caller's own timeouts end it).
    #[serde(default)]
    pub wait: Option<Span>,
    /// What a permit is. Default: `semaphore`.
    #[serde(default)]
    pub kind: Kind,
    /// One set of permits for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, u32, |concurrent| Spec { concurrent, waiting: 0, wait: None, kind: Kind::Semaphore, shared: false });

/// What a permit of a bulkhead is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BulkheadKind")]
pub enum Kind {
    /// A place: free as soon as the caller does not wait any more, also if a timeout outside made it stop. (Hystrix's semaphore
    /// isolation; resilience4j's `Bulkhead` around what is cancelled with its caller, as in Reactor.)
    #[default]
    Semaphore,
    /// A thread, with a queue of `waiting` places in front: it makes the call, and is busy until that has ended, also when a
    /// timeout outside the bulkhead has made the caller go on. (resilience4j's `ThreadPoolBulkhead`, and its `Bulkhead` inside a
    /// `TimeLimiter`, which gives the permit back when the future inside has ended; Hystrix's thread isolation.)
    ThreadPool,
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.concurrent == 0 {
            found.push(("a bulkhead with no permits lets no call pass".into(), "give `concurrent` at least 1".into()));
        }
        if self.wait.is_some() && self.waiting == 0 {
            found.push((
                "`wait` has no effect without `waiting`".into(),
                "say how many calls may stand in line: `waiting: 10`".into(),
            ));
        }
        if self.kind == Kind::ThreadPool && self.shared {
            found.push((
                "threads live in a process, and no two instances share them".into(),
                "leave `shared` out, or take a `semaphore`".into(),
            ));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "bulkhead"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Bulkhead {
            free: self.concurrent,
            permits: self.concurrent,
            line: self.waiting as usize,
            threads: self.kind == Kind::ThreadPool,
            wait: self.wait.map_or(Duration::FOREVER, |span| span.0),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::Bulkhead
    }
    fn goes_on_alone(&self) -> bool {
        self.kind == Kind::ThreadPool
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct Bulkhead {
    free: u32,
    permits: u32,
    line: usize,
    threads: bool,
    wait: Duration,
}

/// A race of one.
const ALONE: Race = Race { next: Duration::FOREVER, elsewhere: false };

impl Policy for Bulkhead {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.free > 0 {
            self.free -= 1;
            // A thread makes the call, as an attempt of its own that can outlive the caller's interest.
            if self.threads { Enter::Race(ALONE) } else { Enter::Proceed }
        } else if passage.waiting < self.line {
            Enter::Wait { at_most: self.wait }
        } else {
            Enter::Refuse
        }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        self.free += 1;
        assert!(self.free <= self.permits, "a permit of a bulkhead came back twice");
        Leave::Pass
    }
    fn has_room(&self) -> bool {
        self.free > 0
    }
    fn at_rest(&self) -> bool {
        self.free == self.permits
    }
    fn reset(&mut self) {
        self.free = self.permits;
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, ms, story};
    use super::*;

    fn two_places_and_a_line_of_two() -> Story {
        story("bulkhead: { concurrent: 2, waiting: 2, wait: 30ms }")
    }

    const WAIT: Enter = Enter::Wait { at_most: Duration::from_millis(30) };

    #[test]
    fn it_lets_in_as_many_as_it_has_permits() {
        story("bulkhead: 2").begins("a").begins("b").refuses().ends("a", Outcome::Ok).begins("c").refuses();
    }

    #[test]
    fn a_permit_comes_back_however_the_call_ends() {
        story("bulkhead: 1")
            .fails()
            .ends_at_once(Outcome::Timeout)
            .begins("abandoned")
            .does_not_rest()
            .abandons("abandoned")
            .rests()
            .succeeds();
    }

    #[test]
    fn those_who_wait_are_let_in_in_the_order_in_which_they_came() {
        two_places_and_a_line_of_two()
            .begins("a")
            .begins("b")
            .enters("c", WAIT)
            .enters("d", WAIT)
            .refuses()
            .has_no_room()
            .ends("b", Outcome::Ok)
            .calls_in("c")
            .has_no_room()
            .enters("e", WAIT)
            .ends("a", Outcome::Error)
            .calls_in("d")
            .ends("d", Outcome::Ok)
            .calls_in("e");
    }

    #[test]
    fn who_gives_up_waiting_has_taken_no_permit() {
        two_places_and_a_line_of_two()
            .begins("a")
            .begins("b")
            .enters("c", WAIT)
            .enters("d", WAIT)
            .at(ms(30))
            .leaves_the_line("c")
            .enters("e", WAIT)
            .refuses()
            .abandons("a")
            .calls_in("d")
            .ends("d", Outcome::Ok)
            .calls_in("e")
            .ends("b", Outcome::Ok)
            .ends("e", Outcome::Ok)
            .rests();
    }

    #[test]
    fn without_a_limit_one_waits_until_somebody_leaves() {
        let for_ever = Enter::Wait { at_most: Duration::FOREVER };
        story("bulkhead: { concurrent: 1, waiting: 1 }").begins("a").enters("b", for_ever).refuses();
    }

    #[test]
    fn a_restart_gives_all_permits_back() {
        story("bulkhead: 1").begins("a").abandons("a").restarts().begins("b").refuses();
    }

    #[test]
    #[should_panic(expected = "a permit of a bulkhead came back twice")]
    fn a_permit_that_comes_back_twice_is_noticed() {
        let mut bulkhead = Bulkhead { free: 1, permits: 1, line: 0, threads: false, wait: Duration::FOREVER };
        let (now, mut word) = (crate::engine::Time::ZERO, 0);
        let passage = &mut Passage { now, opened: now, deadline: now, key: 0, waiting: 0, put_off: 0, word: &mut word };
        bulkhead.leave(passage, Outcome::Ok);
    }
}
