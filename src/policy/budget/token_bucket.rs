//! token_bucket: a retry costs one token; tokens come in with the ordinary traffic.
//!
//! *When* they come in matters. Where failures are frequent (share f) and a deposit is r tokens, the load for each first
//! try is 1 + r with a deposit at each first try, and 1 / (1 − r (1 − f)) with one at each success: 1.10 against 1.053 at
//! f = 0.5 and r = 0.1, 1.1 against 1.0 when everything fails.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Call};
use crate::engine::Time;

/// When a token comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// With each first try, as the 10 % budget of the SRE book.
    #[default]
    FirstTry,
    /// With each success, so that nothing comes in while nothing succeeds.
    Success,
}

/// A bucket of tokens, each of which pays for a retry.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenBucket")]
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
pub(super) struct TokenBucket {
    spec: Spec,
    tokens: f64,
}

impl TokenBucket {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { spec: spec.clone(), tokens: spec.initial.min(spec.cap) }
    }

    fn deposit(&mut self) {
        self.tokens = (self.tokens + self.spec.deposit).min(self.spec.cap);
    }
}

impl Budget for TokenBucket {
    fn begins(&mut self, _: Time) {
        if self.spec.on == Deposit::FirstTry {
            self.deposit();
        }
    }

    fn attempt_ended(&mut self, call: Call, _: bool) {
        if self.spec.on == Deposit::Success && call.outcome.is_answer() {
            self.deposit();
        }
    }

    fn allows(&mut self, _: Call) -> bool {
        // A sum of tenths can fall a rounding error short of one.
        self.tokens >= 1.0 - 1e-9
    }

    fn spends(&mut self, _: Call) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }

    fn reset(&mut self) {
        *self = Self::new(&self.spec);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Leave;
    use super::super::super::story::Story;
    use super::super::tests;
    use crate::engine::Streams;
    use crate::outcome::{Lesser, Outcome};

    fn retry(bucket: &str) -> Story {
        tests::retry(&format!("token_bucket: {bucket}"))
    }

    /// How often a call that always fails is tried again, until it is let go.
    fn retries(story: &mut Story, call: &'static str) -> u32 {
        tests::retries(story, call, Outcome::Error)
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
        let mut success = success.succeeds().ends_at_once(Outcome::Degraded(Lesser::PARTIAL)).begins("b");
        assert_eq!(retries(&mut success, "b"), 2, "each answer brings one");
    }

    #[test]
    fn a_failure_that_is_not_retried_costs_nothing() {
        let mut story = retry("{ deposit: 0, initial: 1 }");
        story = story.ends_at_once(Outcome::Unreachable).begins("a").abandons("a").begins("b");
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
}
