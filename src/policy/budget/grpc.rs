//! grpc: no retries while failures outweigh successes.
//!
//! `retryThrottling` of a gRPC service config (gRFC A6). A counter starts at `max_tokens`. Each attempt that fails with an
//! outcome that is retried takes 1 from it, down to 0, whether or not a retry is left; each success gives `token_ratio`.
//! Retries are made only while the counter is above half of `max_tokens`. Failures of other kinds change nothing.
//! With ratio r and failures of share f the counter falls if f > r / (1 + r): then there are no retries at all.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Call};

/// A counter of failures and successes, which allows retries while it is above its half.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrpcRetryThrottling")]
pub struct Spec {
    /// Where the counter starts, and its most: 1 to 1,000 (`maxTokens`). Half as many failures more than successes pay
    /// for stop all retries. gRPC has no default; 10 stands in its examples.
    pub max_tokens: u32,
    /// What a success gives, above 0; gRPC reads three decimals (`tokenRatio`). 0.1 stands in its examples: ten
    /// successes outweigh a failure.
    pub token_ratio: f64,
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if !(1..=1_000).contains(&self.max_tokens) {
            found.push(("`max_tokens` must be between 1 and 1,000".into(), "10 is usual".into()));
        }
        if !(self.token_ratio.is_finite() && self.token_ratio >= 0.001) {
            found.push(("`token_ratio` must be a thousandth or more".into(), "0.1 is usual".into()));
        }
        found
    }
}

/// The counter, in thousandths as in gRPC.
#[derive(Debug)]
pub(super) struct Grpc {
    most: u64,
    ratio: u64,
    tokens: u64,
}

impl Grpc {
    pub(super) fn new(spec: &Spec) -> Self {
        let most = u64::from(spec.max_tokens) * 1_000;
        Self { most, ratio: (spec.token_ratio * 1_000.0 + 1e-6) as u64, tokens: most }
    }
}

impl Budget for Grpc {
    fn attempt_ended(&mut self, call: Call, retried: bool) {
        if call.outcome.is_answer() {
            self.tokens = self.tokens.saturating_add(self.ratio).min(self.most);
        } else if retried {
            self.tokens = self.tokens.saturating_sub(1_000);
        }
    }

    fn allows(&mut self, _: Call) -> bool {
        self.tokens > self.most / 2
    }

    fn reset(&mut self) {
        self.tokens = self.most;
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::story::story;
    use super::super::tests::AGAIN;
    use super::*;
    use crate::engine::Time;
    use crate::outcome::Outcome;

    /// grpc-java, `RetriableStreamTest.throttle()`: the counter after each result, and whether a retry may follow.
    #[test]
    fn the_counter_is_that_of_grpc() {
        let mut grpc = Grpc::new(&Spec { max_tokens: 4, token_ratio: 0.8 });
        let tokens = [3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 0.8, 1.6, 2.4, 3.2, 4.0, 4.0, 3.0, 2.0];
        for (number, (result, tokens)) in "FFFFFFSSSSSSFF".chars().zip(tokens).enumerate() {
            let outcome = if result == 'S' { Outcome::Ok } else { Outcome::Unavailable };
            let call = Call { now: Time::ZERO, outcome, last: None };
            grpc.attempt_ended(call, result == 'F');
            assert_eq!(grpc.tokens as f64 / 1_000.0, tokens, "after {} results", number + 1);
            assert_eq!(grpc.allows(call), tokens > 2.0, "after {} results", number + 1);
        }
    }

    #[test]
    fn retries_stop_at_half_and_go_on_when_successes_have_paid() {
        let (failure, other) = (Outcome::Unavailable, Outcome::Error);
        story("retry: { attempts: 3, budget: { grpc: { max_tokens: 4, token_ratio: 0.5 } } }")
            .begins("a")
            .leaves("a", failure, AGAIN)
            .ends("a", failure) // 2 of 4
            .ends_at_once(other)
            .succeeds() // 2.5
            .succeeds() // 3
            .begins("b")
            .ends("b", failure) // 2
            .results("SSS") // 3.5
            .begins("c")
            .leaves("c", failure, AGAIN) // 2.5
            .abandons("c")
            .begins("d")
            .ends("d", failure)
            .restarts()
            .begins("e")
            .leaves("e", failure, AGAIN)
            .abandons("e");
    }
}
