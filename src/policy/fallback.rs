//! fallback: answer something lesser instead of failing.
//!
//! The failure becomes `degraded`: counted apart from `ok` and from failures, so that a page without its
//! recommendations is neither hidden nor called an outage.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy, When, set_of};
use crate::engine::Stream;
use crate::outcome::{Outcome, OutcomeSet};
use crate::short_form;

/// The lesser answer, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What was fetched earlier. Degraded, level 1.
    Stale,
    /// The same for everybody, e.g. popular items. Degraded, level 2.
    Default,
    /// Nothing, e.g. an empty list. Degraded, level 3.
    Empty,
}

/// Answer something lesser instead of failing. Short form: `fallback: stale`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Answer>)]
#[schemars(rename = "Fallback")]
pub struct Spec {
    /// What is answered.
    pub answer: Answer,
    /// Which outcomes are replaced. Default: every failure but `rejected`: a 4xx is an answer, and says that the request
    /// itself was wrong.
    #[serde(default)]
    pub on: Option<Vec<When>>,
}

short_form!(Spec, Answer, |answer| Spec { answer, on: None });

impl Spec {
    /// The outcomes that it replaces.
    pub(super) fn replaced(&self) -> OutcomeSet {
        self.on.as_deref().map_or_else(|| OutcomeSet::failures().without(Outcome::Rejected), set_of)
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "fallback"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let level = match self.answer {
            Answer::Stale => 1,
            Answer::Default => 2,
            Answer::Empty => 3,
        };
        Box::new(Fallback { level, on: self.replaced() })
    }
}

#[derive(Debug)]
struct Fallback {
    level: u8,
    on: OutcomeSet,
}

impl Policy for Fallback {
    fn enter(&mut self, _: &mut Passage<'_>) -> Enter {
        Enter::Proceed
    }
    fn leave(&mut self, _: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if self.on.has(outcome) { Leave::Replace(Outcome::Degraded(self.level)) } else { Leave::Pass }
    }
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::super::story::{ms, story};
    use super::*;
    use crate::outcome::Refuser;

    #[test]
    fn every_failure_but_a_4xx_becomes_a_degraded_answer_of_its_level() {
        for (answer, level) in [("stale", 1), ("default", 2), ("empty", 3)] {
            for failure in [
                Outcome::Timeout,
                Outcome::Unavailable,
                Outcome::Throttled(ms(1)),
                Outcome::Error,
                Outcome::Unreachable,
                Outcome::RefusedBy(Refuser::Breaker),
            ] {
                let lesser = Leave::Replace(Outcome::Degraded(level));
                story(&format!("fallback: {answer}")).begins("a").leaves("a", failure, lesser);
            }
            story(&format!("fallback: {answer}")).ends_at_once(Outcome::Rejected);
        }
    }

    #[test]
    fn answers_and_abandoned_calls_are_left_as_they_are() {
        story("fallback: stale").succeeds().ends_at_once(Outcome::Degraded(3)).ends_at_once(Outcome::Cancelled);
    }

    #[test]
    fn only_the_outcomes_that_are_listed_are_replaced() {
        let refused = Outcome::RefusedBy(Refuser::Breaker);
        story("fallback: { answer: empty, on: [refused] }").fails().begins("a").leaves(
            "a",
            refused,
            Leave::Replace(Outcome::Degraded(3)),
        );
    }
}
