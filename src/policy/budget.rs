//! budget: how many retries a caller may send, whatever each call would like.
//!
//! A token bucket: a retry costs one token; tokens come in with the ordinary traffic. *When* they come in matters.
//! Where failures are frequent (share f) and a deposit is r tokens, the load for each first try is 1 + r with a
//! deposit at each first try, and 1 / (1 − r (1 − f)) with one at each success: 1.10 against 1.053 at f = 0.5 and
//! r = 0.1, 1.1 against 1.0 when everything fails.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::outcome::Outcome;

/// When a token comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// With each first try, as Finagle and the SRE book's 10 % budget do.
    #[default]
    FirstTry,
    /// With each success, as gRPC and the AWS SDKs do.
    Success,
}

/// A limit on the retries of a caller.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct Spec {
    /// Tokens that come in with each deposit; a retry costs 1. 0.1 lets a tenth of the traffic be retries.
    pub deposit: f64,
    /// When tokens come in. Default: `first_try`.
    #[serde(default)]
    pub on: Deposit,
    /// Tokens in the bucket at the start. Default: 10.
    #[serde(default = "ten")]
    pub initial: f64,
    /// Tokens in the bucket at most. Default: 10.
    #[serde(default = "ten")]
    pub cap: f64,
}

fn ten() -> f64 {
    10.0
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, value) in [("deposit", self.deposit), ("initial", self.initial), ("cap", self.cap)] {
            if !(value.is_finite() && value >= 0.0) {
                found.push((format!("`{name}` must be a number of tokens"), "give a number, zero or more".into()));
            }
        }
        if self.cap < 1.0 {
            found.push((
                "a bucket that cannot hold one token allows no retry".into(),
                "give `cap` at least 1, or use `attempts: 1`".into(),
            ));
        }
        found
    }
}

/// The running bucket.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    spec: Spec,
    tokens: f64,
}

impl Budget {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { spec: spec.clone(), tokens: spec.initial.min(spec.cap) }
    }

    pub(super) fn on_first_try(&mut self) {
        if self.spec.on == Deposit::FirstTry {
            self.tokens = (self.tokens + self.spec.deposit).min(self.spec.cap);
        }
    }

    pub(super) fn on_outcome(&mut self, outcome: Outcome) {
        if self.spec.on == Deposit::Success && outcome.is_answer() {
            self.tokens = (self.tokens + self.spec.deposit).min(self.spec.cap);
        }
    }

    /// Takes the token for a retry, if there is one.
    pub(super) fn take(&mut self) -> bool {
        // A sum of tenths can fall a rounding error short of one.
        if self.tokens < 1.0 - 1e-9 {
            return false;
        }
        self.tokens = (self.tokens - 1.0).max(0.0);
        true
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(&self.spec);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Leave;
    use super::super::story::{Story, story};
    use super::*;
    use crate::engine::{Duration, Streams};

    /// Retries for ever, as far as the budget goes.
    fn retry(budget: &str) -> Story {
        story(&format!("retry: {{ attempts: unlimited, on: [error], budget: {budget} }}"))
    }

    const AGAIN: Leave = Leave::Again { after: Duration::ZERO, elsewhere: false };

    /// What each attempt of a call that always fails is answered, until it is let go.
    fn retries(story: &mut Story, call: &'static str) -> u32 {
        let mut retries = 0;
        while story.leave(call, Outcome::Error) == AGAIN {
            retries += 1;
        }
        retries
    }

    #[test]
    fn a_retry_costs_a_token_and_the_bucket_starts_with_ten() {
        let mut story = retry("{ deposit: 0 }").begins("a");
        assert_eq!(retries(&mut story, "a"), 10);
        let mut story = story.begins("b");
        assert_eq!(retries(&mut story, "b"), 0);
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_cap() {
        // Ten would come in, and three fit.
        let mut story = retry("{ deposit: 1, initial: 2, cap: 3 }").results("SSSSSSSSSS").begins("a");
        assert_eq!(retries(&mut story, "a"), 3);
        let mut story = retry("{ deposit: 0, initial: 20, cap: 3 }").begins("a");
        assert_eq!(retries(&mut story, "a"), 3);
    }

    #[test]
    fn ten_deposits_of_a_tenth_are_a_token() {
        let tenths = || retry("{ deposit: 0.1, initial: 0 }");
        let mut nine = tenths().results("SSSSSSSS").begins("the ninth");
        assert_eq!(retries(&mut nine, "the ninth"), 0);
        let mut ten = tenths().results("SSSSSSSSS").begins("the tenth");
        assert_eq!(retries(&mut ten, "the tenth"), 1);
    }

    #[test]
    fn tokens_come_in_with_first_tries_or_with_successes() {
        let mut first = retry("{ deposit: 1, initial: 0 }").begins("a");
        assert_eq!(retries(&mut first, "a"), 1, "a first try brings a token, and a retry none");
        let mut success = retry("{ deposit: 1, on: success, initial: 0 }").begins("a");
        assert_eq!(retries(&mut success, "a"), 0, "a failure brings none");
        let mut success = success.succeeds().ends_at_once(Outcome::Degraded(1)).begins("b");
        assert_eq!(retries(&mut success, "b"), 2, "each answer brings one");
    }

    #[test]
    fn a_failure_that_is_not_retried_costs_nothing() {
        let mut story = retry("{ deposit: 0, initial: 1 }");
        story = story.ends_at_once(Outcome::Timeout).begins("a").abandons("a").begins("b");
        assert_eq!(retries(&mut story, "b"), 1);
    }

    #[test]
    fn a_restart_fills_the_bucket_as_at_the_start() {
        let mut story = retry("{ deposit: 0, initial: 2 }").begins("a");
        assert_eq!(retries(&mut story, "a"), 2);
        let mut story = story.restarts().begins("b");
        assert_eq!(retries(&mut story, "b"), 2);
    }

    /// Attempts for each first try when each attempt fails with this probability, whatever the other attempts do.
    fn load(on: &str, failure: f64, calls: u32) -> f64 {
        let mut story = retry(&format!("{{ deposit: 0.1, on: {on}, initial: 0 }}"));
        let mut chance = Streams::new(1).named("failures");
        let mut attempts = 0_u32;
        for _ in 0..calls {
            story = story.begins("a");
            loop {
                attempts += 1;
                let outcome = if chance.chance(failure) { Outcome::Error } else { Outcome::Ok };
                if story.leave("a", outcome) == Leave::Pass {
                    break;
                }
            }
        }
        f64::from(attempts) / f64::from(calls)
    }

    #[test]
    fn the_load_is_1_10_with_a_tenth_for_each_first_try_and_1_053_with_a_tenth_for_each_success() {
        let calls = 1_000_000;
        // All tokens that come in are spent, but for the at most 10 in the bucket: exact for first tries.
        let rest = 10.0 / f64::from(calls);
        for failure in [0.5, 1.0] {
            let load = load("first_try", failure, calls);
            assert!(load <= 1.1 && load >= 1.1 - rest - 1e-9, "{load} at {failure}");
        }
        // x attempts for each first try bring 0.1 (1 - f) x tokens, spent as x - 1 retries. The successes are binomial:
        // the standard deviation of x is 0.1 x sqrt(f (1 - f) x / calls), and 0.000054 here.
        let exact = 1.0 / (1.0 - 0.1 * 0.5);
        let load_half = load("success", 0.5, calls);
        assert!((load_half - exact).abs() < 4.0 * 0.000_054 + rest, "{load_half} instead of {exact}");
        assert_eq!(load("success", 1.0, calls).to_bits(), 1.0_f64.to_bits());
    }

    /// Finagle, `RetryBudgetTest`: 10,000 requests that all fail, and a share of them may be retried.
    #[test]
    fn the_share_that_may_be_retried_is_that_of_finagle() {
        for (share, expected) in [("0.1", 1_000), ("0.5", 5_000), ("0.25", 2_500), ("0.75", 7_500), ("0.01", 100)] {
            let mut story = retry(&format!("{{ deposit: {share}, initial: 0 }}"));
            let mut sum = 0;
            for _ in 0..10_000 {
                story = story.begins("a");
                sum += retries(&mut story, "a");
            }
            assert_eq!(sum, expected, "of {share}");
        }
    }
}
