//! budget: how many retries a caller may send, whatever each call would like.
//!
//! ```text
//!   begins ─► attempt_ended ─► allows? ─► spends ─► attempt_ended ─► … ─► ends
//!                                 └── no ──────────────────────────────────┘
//! ```
//!
//! One file each for what libraries mean by it. They differ in what a retry costs, what brings the means back (first
//! tries, successes, time, or other calls under way), and so in what is left when everything fails.

mod aws;
mod envoy;
mod failure_rate;
mod finagle;
mod grpc;
mod token_bucket;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Time;
use crate::outcome::Outcome;

/// A limit on the retries of a caller: of each instance, unless the retry is `shared`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Budget")]
pub enum Spec {
    /// A retry costs a token; tokens come in with first tries or with successes.
    TokenBucket(token_bucket::Spec),
    /// Finagle's `RetryBudget` (also Linkerd's): a share of the requests, and some retries a second in any case.
    Finagle(finagle::Spec),
    /// gRPC's `retryThrottling`: no retries at all while failures outweigh successes.
    Grpc(grpc::Spec),
    /// Envoy's `retry_budget`: a share of the calls under way, and some in any case.
    Envoy(envoy::Spec),
    /// The retry quota of the AWS SDKs (`standard` mode): a retry that succeeds gives its cost back.
    Aws(aws::Spec),
    /// M. Brooker's breaker for retries: none while too large a share of the calls fails.
    FailureRate(failure_rate::Spec),
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        match self {
            Self::TokenBucket(spec) => spec.problems(),
            Self::Finagle(spec) => spec.problems(),
            Self::Grpc(spec) => spec.problems(),
            Self::Envoy(_) => Vec::new(),
            Self::Aws(spec) => spec.problems(),
            Self::FailureRate(spec) => spec.problems(),
        }
    }

    pub(super) fn build(&self) -> Box<dyn Budget> {
        match self {
            Self::TokenBucket(spec) => Box::new(token_bucket::TokenBucket::new(spec)),
            Self::Finagle(spec) => Box::new(finagle::Finagle::new(spec)),
            Self::Grpc(spec) => Box::new(grpc::Grpc::new(spec)),
            Self::Envoy(spec) => Box::new(envoy::Envoy::new(spec)),
            Self::Aws(spec) => Box::new(aws::Aws::new(spec)),
            Self::FailureRate(spec) => Box::new(failure_rate::FailureRate::new(spec)),
        }
    }
}

/// What a retry followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The attempt before had timed out.
    Timeout,
    /// It had failed otherwise.
    Other,
}

/// A call, one of whose attempts has just ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub now: Time,
    /// How the attempt has ended.
    pub outcome: Outcome,
    /// What that attempt followed, if it was a retry.
    pub last: Option<Cause>,
}

/// The running state of a budget.
pub(super) trait Budget: Debug + Send {
    /// A call comes in, with its first try.
    fn begins(&mut self, _now: Time) {}

    /// An attempt has ended; `retried` says whether its outcome is one of those that are retried.
    fn attempt_ended(&mut self, _call: Call, _retried: bool) {}

    /// Whether a retry would be paid for now.
    fn allows(&mut self, call: Call) -> bool;

    /// It is made.
    fn spends(&mut self, _call: Call) {}

    /// The call goes out, with the outcome of its last attempt, or cancelled.
    fn ends(&mut self, _call: Call) {}

    /// Whether no call counts as under way.
    fn at_rest(&self) -> bool {
        true
    }

    /// The process was restarted: forget everything.
    fn reset(&mut self);
}

#[cfg(test)]
mod tests {
    use super::super::Leave;
    use super::super::story::{Story, story};
    use crate::engine::Duration;
    use crate::outcome::Outcome;

    pub(super) const AGAIN: Leave = Leave::Again { after: Duration::ZERO, elsewhere: false };

    /// Retries errors for ever, as far as the budget goes.
    pub(super) fn retry(budget: &str) -> Story {
        story(&format!("retry: {{ attempts: unlimited, on: [ error, timeout ], budget: {{ {budget} }} }}"))
    }

    /// How often a call that always ends like this is tried again until it is let go.
    pub(super) fn retries(story: &mut Story, call: &'static str, outcome: Outcome) -> u32 {
        let mut retries = 0;
        while story.leave(call, outcome) == AGAIN {
            retries += 1;
        }
        retries
    }

    /// The retries of so many calls, one after the other, that always fail.
    pub(super) fn retries_of(mut story: Story, calls: u32) -> (Story, u32) {
        let mut sum = 0;
        for _ in 0..calls {
            story = story.begins("one of many");
            sum += retries(&mut story, "one of many", Outcome::Error);
        }
        (story, sum)
    }

    #[test]
    fn a_budget_without_sense_is_refused() {
        for (budget, what) in [
            ("token_bucket: { deposit: -1 }", "`deposit` must be a number of tokens"),
            ("token_bucket: { deposit: 1, cap: 0.5 }", "allows no retry"),
            ("finagle: { ttl: 0 }", "`ttl` must be between"),
            ("finagle: { ttl: 61s }", "`ttl` must be between"),
            ("finagle: { share: 0%, min_retries: 0/s }", "allows no retry"),
            ("grpc: { max_tokens: 0, token_ratio: 0.1 }", "`max_tokens` must be"),
            ("grpc: { max_tokens: 1001, token_ratio: 0.1 }", "`max_tokens` must be"),
            ("grpc: { max_tokens: 10, token_ratio: 0 }", "`token_ratio` must be"),
            ("aws: { cost: 600 }", "costs more than the quota holds"),
            ("failure_rate: { at_most: 0% }", "allows no retry"),
            ("failure_rate: { at_most: 10%, over: 0s }", "`over` must be above zero"),
        ] {
            super::super::story::assert_refused(&format!("retry: {{ attempts: 2, budget: {{ {budget} }} }}"), what);
        }
    }
}
