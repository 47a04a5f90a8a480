//! finagle: a share of the requests may be retried, and so many retries a second in any case.
//!
//! `RetryBudget(ttl, minRetriesPerSec, percentCanRetry)` of Twitter's Finagle, which Linkerd took over. Each first try
//! brings in 1,000 units and each retry takes 1,000 / share of them out, both for `ttl`; beside them lies a reserve of
//! min_retries × ttl retries. So the load is at most 1 + share, and min_retries more a second.

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::slices::Slices;
use super::{Budget, Call};
use crate::engine::{Duration, Time};
use crate::scenario::units::{Rate, Share, Span};

/// A share of the requests of the last seconds, and a reserve.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FinagleBudget")]
pub struct Spec {
    /// Retries for each first try of the last `ttl` (`percentCanRetry`). 0: only `min_retries`. Default: 20%.
    #[serde(default = "fifth")]
    pub share: Share,
    /// Retries allowed a second in any case, for callers with few requests or that have just started
    /// (`minRetriesPerSec`). All of those of a `ttl` can be used at once. Default: 10/s.
    #[serde(default = "ten")]
    pub min_retries: Rate,
    /// How long a first try counts, and a retry: between 1s and 60s. Forgotten in steps of a tenth of it. Default: 10s.
    #[serde(default = "ten_seconds")]
    pub ttl: Span,
}

fn fifth() -> Share {
    Share(0.2)
}

fn ten() -> Rate {
    Rate(10.0)
}

fn ten_seconds() -> Span {
    Span(Duration::from_secs(10))
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.ttl.0 < Duration::from_secs(1) || self.ttl.0 > Duration::from_secs(60) {
            found.push(("`ttl` must be between 1s and 60s".into(), "Finagle's default is 10s".into()));
        }
        if self.share.0 <= 0.0 && self.min_retries.0 * self.ttl.0.as_secs() < 1.0 && found.is_empty() {
            found.push((
                "a budget of no share and no reserve allows no retry".into(),
                "give `share` or `min_retries`, or use `attempts: 1`".into(),
            ));
        }
        found
    }
}

/// The balance, in whole units as in Finagle.
#[derive(Debug)]
pub(super) struct Finagle {
    deposit: i64,
    cost: i64,
    reserve: i64,
    recent: Slices<1>,
}

impl Finagle {
    pub(super) fn new(spec: &Spec) -> Self {
        let (deposit, cost) = if spec.share.0 > 0.0 { (1_000, (1_000.0 / spec.share.0) as i64) } else { (0, 1) };
        let reserve = spec.min_retries.0 * spec.ttl.0.as_secs() * cost as f64;
        Self { deposit, cost, reserve: reserve as i64, recent: Slices::new(spec.ttl.0) }
    }
}

impl Budget for Finagle {
    fn begins(&mut self, now: Time) {
        self.recent.add(now, 0, self.deposit);
    }

    fn allows(&mut self, call: Call) -> bool {
        self.recent.sums(call.now)[0].saturating_add(self.reserve) >= self.cost
    }

    fn spends(&mut self, call: Call) {
        self.recent.add(call.now, 0, -self.cost);
    }

    fn reset(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::story::ms;
    use super::super::tests::{retries_of, retry};

    /// Finagle, `RetryBudgetTest`: 10,000 requests that all fail at one instant, and a share of them may be retried.
    #[test]
    fn the_share_that_may_be_retried_is_that_of_finagle() {
        for (share, expected) in [("10%", 1_000), ("50%", 5_000), ("25%", 2_500), ("75%", 7_500), ("1%", 100)] {
            let budget = format!("finagle: {{ share: {share}, min_retries: 0/s, ttl: 60s }}");
            let (_, made) = retries_of(retry(&budget), 10_000);
            assert!(u32::abs_diff(made, expected) <= 1, "{made} of {share}");
        }
    }

    /// The defaults: a reserve of 100 retries, and a fifth of 10,000.
    #[test]
    fn the_reserve_of_the_defaults_is_a_hundred_retries() {
        assert_eq!(retries_of(retry("finagle: {}"), 10_000).1, 2_100);
        // The first call brings a fifth of a retry, which is no retry yet.
        assert_eq!(retries_of(retry("finagle: {}"), 1).1, 100);
        assert_eq!(retries_of(retry("finagle: { share: 0%, min_retries: 3/s }"), 50).1, 30);
    }

    #[test]
    fn requests_and_retries_are_forgotten_after_the_ttl() {
        let budget = "finagle: { share: 50%, min_retries: 1/s, ttl: 10s }";
        let (story, made) = retries_of(retry(budget), 1);
        assert_eq!(made, 10, "the reserve; half a retry is none");
        let (story, made) = retries_of(story.at(ms(9_999)), 1);
        assert_eq!(made, 1, "two halves");
        // What the first instant took has come back; the last retry and its request still count.
        let (_, made) = retries_of(story.at(ms(10_000)), 1);
        assert_eq!(made, 10);
        let calls = retry(budget).results("SSSSSSSS").at(ms(10_000));
        assert_eq!(retries_of(calls, 1).1, 10, "old requests pay for nothing");
    }

    #[test]
    fn a_restart_fills_the_reserve() {
        let (story, made) = retries_of(retry("finagle: {}"), 1);
        assert_eq!(made, 100);
        assert_eq!(retries_of(story.restarts(), 1).1, 100);
    }
}
