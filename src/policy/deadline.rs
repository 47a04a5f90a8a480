//! deadline: the time left of the caller's own deadline limits its calls.
//!
//! Not written in files as a policy: every call of a service with `deadline: propagate` gets it as its outermost
//! layer; and with `deadline: { reserve: … }` once more as its innermost, with the reserve taken off, so that what stands in
//! between, a fallback for example, has that much time left.

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, Refuser};

/// The blueprint.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// Time that the service keeps for itself.
    pub reserve: Duration,
}

impl Blueprint for Deadline {
    fn name(&self) -> &'static str {
        "deadline"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(*self)
    }
    fn refuser(&self) -> Refuser {
        Refuser::Deadline
    }
}

impl Policy for Deadline {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        let until = passage.now + self.reserve;
        if passage.deadline == Time::NEVER {
            Enter::Proceed
        } else if passage.deadline <= until {
            Enter::Refuse
        } else {
            Enter::ProceedFor(passage.deadline - until)
        }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    fn answer(now: u64, deadline: Time) -> Enter {
        with_reserve(now, deadline, 0)
    }

    fn with_reserve(now: u64, deadline: Time, reserve: u64) -> Enter {
        let now = Time::from_nanos(now);
        let passage = &mut Passage { now, opened: now, deadline, key: 0, waiting: 0, put_off: 0, word: &mut 0 };
        Deadline { reserve: Duration::from_nanos(reserve) }.build(Streams::new(1).named("story")).enter(passage)
    }

    #[test]
    fn a_call_has_what_is_left_of_the_time_of_its_caller() {
        let deadline = Time::from_nanos(100);
        assert_eq!(answer(40, deadline), Enter::ProceedFor(Duration::from_nanos(60)));
        assert_eq!(answer(99, deadline), Enter::ProceedFor(Duration::from_nanos(1)));
        assert_eq!(answer(100, deadline), Enter::Refuse);
        assert_eq!(answer(40, Time::NEVER), Enter::Proceed);
    }

    #[test]
    fn a_reserve_is_taken_off() {
        let deadline = Time::from_nanos(100);
        assert_eq!(with_reserve(40, deadline, 10), Enter::ProceedFor(Duration::from_nanos(50)));
        assert_eq!(with_reserve(90, deadline, 10), Enter::Refuse);
        assert_eq!(with_reserve(40, Time::NEVER, 10), Enter::Proceed);
    }
}
