//! deadline: the time left of the caller's own deadline limits its calls.
//!
//! Not written in files as a policy: every call of a service with `deadline: propagate` gets it as its outermost
//! layer.

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Stream, Time};
use crate::outcome::{Outcome, Refuser};

/// The blueprint; it has no options.
#[derive(Clone, Copy, Debug)]
pub struct Deadline;

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
        if passage.deadline == Time::NEVER {
            Enter::Proceed
        } else if passage.deadline <= passage.now {
            Enter::Refuse
        } else {
            Enter::ProceedFor(passage.deadline - passage.now)
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
    use crate::engine::{Duration, Streams};

    fn answer(now: u64, deadline: Time) -> Enter {
        let now = Time::from_nanos(now);
        let passage = &mut Passage { now, opened: now, deadline, key: 0, waiting: 0, put_off: 0, word: &mut 0 };
        Deadline.build(Streams::new(1).named("story")).enter(passage)
    }

    #[test]
    fn a_call_has_what_is_left_of_the_time_of_its_caller() {
        let deadline = Time::from_nanos(100);
        assert_eq!(answer(40, deadline), Enter::ProceedFor(Duration::from_nanos(60)));
        assert_eq!(answer(99, deadline), Enter::ProceedFor(Duration::from_nanos(1)));
        assert_eq!(answer(100, deadline), Enter::Refuse);
        assert_eq!(answer(40, Time::NEVER), Enter::Proceed);
    }
}
