//! aws: a quota that successes fill again, and a retry that succeeds costs nothing.
//!
//! The retry quota of the AWS SDKs' `standard` mode (botocore, `retries/quota.py` and `standard.py`). A retry takes 5 from
//! a quota of 500, and 10 if it follows a timeout. A call that succeeds gives back what its last retry took, or 1 if it
//! had none; one that fails gives back nothing. So from a full quota a hundred retries in a row may fail, and after that
//! one in each five calls that succeed pays for one.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Budget, Call, Cause};
use crate::outcome::Outcome;

/// A quota of retries that fail.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AwsRetryQuota")]
pub struct Spec {
    /// The quota at the start, and its most. Default: 500.
    #[serde(default = "five_hundred")]
    pub capacity: u32,
    /// What a retry takes. 0: retries are free. Default: 5.
    #[serde(default = "five")]
    pub cost: u32,
    /// What a retry takes that follows a timeout. Default: 10.
    #[serde(default = "ten")]
    pub timeout_cost: u32,
    /// What a success without a retry gives. Default: 1.
    #[serde(default = "one")]
    pub refund: u32,
}

fn five_hundred() -> u32 {
    500
}

fn five() -> u32 {
    5
}

fn ten() -> u32 {
    10
}

fn one() -> u32 {
    1
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        if self.cost.max(self.timeout_cost) > self.capacity {
            return vec![(
                "a retry that costs more than the quota holds is never made".into(),
                "give `capacity` at least `cost` and `timeout_cost`".into(),
            )];
        }
        Vec::new()
    }
}

/// What is left of the quota.
#[derive(Debug)]
pub(super) struct Aws {
    spec: Spec,
    left: u32,
}

impl Aws {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { spec: spec.clone(), left: spec.capacity }
    }

    fn cost(&self, outcome: Outcome) -> u32 {
        if outcome == Outcome::Timeout { self.spec.timeout_cost } else { self.spec.cost }
    }
}

impl Budget for Aws {
    fn allows(&mut self, call: Call) -> bool {
        self.left >= self.cost(call.outcome)
    }

    fn spends(&mut self, call: Call) {
        self.left -= self.cost(call.outcome);
    }

    fn ends(&mut self, call: Call) {
        if call.outcome.is_answer() {
            let back = match call.last {
                None => self.spec.refund,
                Some(Cause::Timeout) => self.spec.timeout_cost,
                Some(Cause::Other) => self.spec.cost,
            };
            self.left = self.left.saturating_add(back).min(self.spec.capacity);
        }
    }

    fn reset(&mut self) {
        self.left = self.spec.capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AGAIN, retries, retry};
    use super::*;

    const F: Outcome = Outcome::Error;

    #[test]
    fn a_full_quota_is_a_hundred_retries_or_fifty_after_timeouts() {
        for (outcome, expected) in [(F, 100), (Outcome::Timeout, 50)] {
            let mut story = retry("aws: {}").begins("a");
            assert_eq!(retries(&mut story, "a", outcome), expected);
        }
    }

    #[test]
    fn a_retry_that_succeeds_gives_its_cost_back_and_one_that_fails_does_not() {
        // 500 less the one retry of each call that fails in the end.
        for (last, left) in [(Outcome::Ok, 100), (Outcome::Rejected, 99), (Outcome::Cancelled, 99)] {
            let mut story = retry("aws: {}").begins("a").leaves("a", F, AGAIN).ends("a", last).begins("b");
            assert_eq!(retries(&mut story, "b", F), left, "{last:?}");
        }
        // Only the last retry is paid back: 10 of the 15 taken, so that 495 are left.
        let story = retry("aws: {}").begins("a").leaves("a", F, AGAIN).leaves("a", Outcome::Timeout, AGAIN);
        let mut story = story.ends("a", Outcome::Ok).begins("b");
        assert_eq!(retries(&mut story, "b", F), 99);
    }

    #[test]
    fn five_successes_without_a_retry_pay_for_one() {
        let mut story = retry("aws: {}").begins("a");
        assert_eq!(retries(&mut story, "a", F), 100);
        let mut story = story.results("SSSS").begins("b");
        assert_eq!(retries(&mut story, "b", F), 0);
        let mut story = story.results("S").begins("c");
        assert_eq!(retries(&mut story, "c", F), 1);
        let mut story = retry("aws: {}").results("SSS").begins("a");
        assert_eq!(retries(&mut story, "a", F), 100, "a full quota stays full");
        let mut story = story.restarts().begins("b");
        assert_eq!(retries(&mut story, "b", F), 100);
    }
}
