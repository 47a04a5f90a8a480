//! envoy: a share of the calls under way may be retries.
//!
//! `retry_budget` of the circuit breakers of an Envoy cluster: a retry is made while fewer retries are under way than
//! max(share × calls under way, min_concurrency), the product cut to a whole number. Under way are the calls inside this
//! layer, those included that ask or wait to be tried again; a call counts as a retry from when its first retry is
//! decided until it ends. (Envoy leaves a call out of the first number while it backs off.)

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Call};
use crate::engine::Time;
use crate::scenario::units::Share;

/// A share of the calls under way.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnvoyRetryBudget")]
pub struct Spec {
    /// Retries under way at most, as a share of the calls under way (`budget_percent`). 100%: no limit. Default: 20%.
    #[serde(default = "fifth")]
    pub share: Share,
    /// Retries that may be under way in any case (`min_retry_concurrency`). 0: only the share counts. Default: 3.
    #[serde(default = "three")]
    pub min_concurrency: u32,
}

fn fifth() -> Share {
    Share(0.2)
}

fn three() -> u32 {
    3
}

/// Who is under way.
#[derive(Debug)]
pub(super) struct Envoy {
    share: f64,
    least: u64,
    calls: u64,
    retrying: u64,
}

impl Envoy {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { share: spec.share.0, least: u64::from(spec.min_concurrency), calls: 0, retrying: 0 }
    }
}

impl Budget for Envoy {
    fn begins(&mut self, _: Time) {
        self.calls += 1;
    }

    fn allows(&mut self, call: Call) -> bool {
        let others = self.retrying - u64::from(call.last.is_some());
        // A share of 0.07 of a hundred must be 7, though the product falls short of it.
        others < ((self.share * self.calls as f64 + 1e-9) as u64).max(self.least)
    }

    fn spends(&mut self, call: Call) {
        self.retrying += u64::from(call.last.is_none());
    }

    fn ends(&mut self, call: Call) {
        self.calls -= 1;
        self.retrying -= u64::from(call.last.is_some());
    }

    fn at_rest(&self) -> bool {
        self.calls == 0 && self.retrying == 0
    }

    fn reset(&mut self) {
        self.calls = 0;
        self.retrying = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AGAIN, retry};
    use crate::outcome::Outcome;

    const F: Outcome = Outcome::Error;
    const CALLS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    #[test]
    fn three_retries_are_under_way_at_most_when_there_are_few_calls() {
        let story = CALLS.iter().fold(retry("envoy: {}"), |story, call| story.begins(call));
        story
            .leaves("a", F, AGAIN)
            .leaves("b", F, AGAIN)
            .leaves("c", F, AGAIN)
            .ends("d", F)
            .leaves("a", F, AGAIN) // its own retry does not count against it
            .does_not_rest()
            .ends("a", Outcome::Ok)
            .leaves("e", F, AGAIN)
            .ends("f", F)
            .abandons("b")
            .leaves("g", F, AGAIN);
    }

    #[test]
    fn a_share_of_the_calls_under_way_may_be_retries() {
        let budget = "envoy: { share: 35%, min_concurrency: 0 }";
        let story = CALLS.iter().fold(retry(budget), |story, call| story.begins(call));
        // 35 % of ten are three, of six two, of five one, and of three one again.
        let story = story.leaves("a", F, AGAIN).leaves("b", F, AGAIN).leaves("c", F, AGAIN).ends("d", F).ends("e", F);
        let story = story.ends("a", Outcome::Ok).ends("f", F).abandons("b").ends("g", F).abandons("c");
        let story = story.leaves("h", F, AGAIN).ends("i", F);
        story.does_not_rest().abandons("h").abandons("j").rests();
        retry(budget).begins("alone").ends("alone", F).rests();
        retry("envoy: { share: 100%, min_concurrency: 0 }").begins("alone").leaves("alone", F, AGAIN);
    }
}
