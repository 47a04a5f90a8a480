//! failure_rate: no retries while too large a share of the calls fails.
//!
//! A breaker that stops retries only, and lets every first try pass: the circuit breaker of M. Brooker, "Fixing retries with
//! token buckets and circuit breakers" (2022), and of its simulator. Failures are all attempts that ended with an outcome
//! that is retried, and calls are first tries; a retry is made if failures / calls, this failure included, is no more than
//! `at_most`. With a share f of the attempts failing, f above `at_most`, it settles at no retries at all.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::slices::Slices;
use super::{Budget, Call};
use crate::engine::{Duration, Time};
use crate::scenario::units::{Share, Span};

/// Retry only while few calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FailureRate")]
pub struct Spec {
    /// Attempts that failed, as a share of the calls begun, up to which retries are made. 0%: none is ever made. The first
    /// call of all is 100 % of the calls, so with less than that its failure is not retried.
    pub at_most: Share,
    /// How far back both count, forgotten in steps of a tenth of it. Default: since the start, as in the original; then a
    /// long health hides an outage, and a long outage forbids retries long after it.
    #[serde(default)]
    pub over: Option<Span>,
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.at_most.0 <= 0.0 {
            found.push((
                "a failure rate of at most 0 % allows no retry".into(),
                "give `at_most` some percent; 10% is usual".into(),
            ));
        }
        if self.over.is_some_and(|over| over.0.is_zero()) {
            found.push(("`over` must be above zero".into(), "leave it out to count since the start".into()));
        }
        found
    }
}

const CALLS: usize = 0;
const FAILURES: usize = 1;

/// The calls and the failures that count.
#[derive(Debug)]
pub(super) struct FailureRate {
    at_most: f64,
    recent: Slices<2>,
}

impl FailureRate {
    pub(super) fn new(spec: &Spec) -> Self {
        let over = spec.over.map_or(Duration::FOREVER, |over| over.0);
        Self { at_most: spec.at_most.0, recent: Slices::new(over) }
    }
}

impl Budget for FailureRate {
    fn begins(&mut self, now: Time) {
        self.recent.add(now, CALLS, 1);
    }

    fn attempt_ended(&mut self, call: Call, retried: bool) {
        if retried {
            self.recent.add(call.now, FAILURES, 1);
        }
    }

    fn allows(&mut self, call: Call) -> bool {
        // A call that is older than the window has failed, so there is a failure; without calls, it is too many.
        let [calls, failures] = self.recent.sums(call.now).map(|sum| sum as f64);
        failures / calls <= self.at_most
    }

    fn reset(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::story::ms;
    use super::super::tests::{AGAIN, retries, retries_of, retry};
    use crate::outcome::Outcome;

    const F: Outcome = Outcome::Error;

    #[test]
    fn retries_are_made_up_to_the_share_and_not_beyond() {
        // One of ten calls has failed: 10 % is not more than 10 %. The retry fails too: 20 % is.
        let mut story = retry("failure_rate: { at_most: 10% }").results("SSSSSSSSS").begins("a");
        assert_eq!(retries(&mut story, "a", F), 1);
        // With eight before it, one of nine is more than 10 %.
        let mut story = retry("failure_rate: { at_most: 10% }").results("SSSSSSSS").begins("a");
        assert_eq!(retries(&mut story, "a", F), 0);
    }

    #[test]
    fn first_tries_pass_and_nothing_is_retried_while_everything_fails() {
        assert_eq!(retries_of(retry("failure_rate: { at_most: 10% }"), 1_000).1, 0);
    }

    #[test]
    fn a_retry_that_succeeds_counts_as_the_failure_that_it_followed() {
        // 1 failure of 20 calls, and a second of 21: 9.5 %. A third of 22 is 13.6 %.
        let story = retry("failure_rate: { at_most: 10% }").results("SSSSSSSSSSSSSSSSSSS");
        let story = story.begins("a").leaves("a", F, AGAIN).ends("a", Outcome::Ok);
        let story = story.begins("b").leaves("b", F, AGAIN).ends("b", Outcome::Ok);
        story.begins("c").ends("c", F);
    }

    #[test]
    fn what_is_not_retried_is_no_failure() {
        let story = retry("failure_rate: { at_most: 50% }").begins("a").ends("a", Outcome::Rejected);
        story.begins("b").leaves("b", F, AGAIN).ends("b", F);
    }

    #[test]
    fn a_window_forgets_and_without_one_nothing_is_forgotten() {
        for (over, again) in [("", false), (", over: 10s", true)] {
            let failed = retries_of(retry(&format!("failure_rate: {{ at_most: 50%{over} }}")), 100).0;
            let story = failed.at(ms(10_000)).results("S").begins("a");
            if again {
                story.leaves("a", F, AGAIN).ends("a", Outcome::Ok)
            } else {
                story.ends("a", F)
            };
        }
        let failed = retries_of(retry("failure_rate: { at_most: 50% }"), 100).0;
        failed.restarts().results("S").begins("a").leaves("a", F, AGAIN).ends("a", Outcome::Ok);
    }

    #[test]
    fn a_call_that_is_older_than_the_window_is_not_retried() {
        retry("failure_rate: { at_most: 100%, over: 1s }").begins("a").at(ms(2_000)).ends("a", F);
    }
}
