//! adaptive_throttle: refuse calls here when the other side has refused too many of them.
//!
//! ```text
//!   call ─► requests + 1 ─► chance max(0, (requests − K·accepts) / (requests + 1)) ─► refused here, nothing is sent
//!                              │ otherwise
//!                              └─► sent ─► accepted? accepts + 1
//! ```
//!
//! Client-side throttling of the SRE book (ch. 21, "Handling Overload"). Unlike a retry budget it limits first tries
//! too; unlike a breaker it lets as many through as are accepted, times K. If all of a demand d is sent to a server that
//! accepts a, then with K = 2 about 2 a are sent in the long run: half of what is sent is refused by the server, and
//! the rest here, at no cost to it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::slices::Slices;
use super::{Blueprint, Enter, Leave, Passage, Policy, When, set_of};
use crate::engine::{Duration, Stream};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::scenario::units::Span;

/// Refuse calls by chance, the more of them the fewer have been accepted lately. `adaptive_throttle: {}` takes all defaults.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AdaptiveThrottle")]
pub struct Spec {
    /// Calls sent for each that is accepted (`K`), 1 or more. 1: as many as were accepted, so that it learns slowly
    /// that more would be; larger: more calls that the other side has to refuse. Default: 2.
    #[serde(default = "two")]
    pub k: f64,
    /// How far back calls count, forgotten in steps of a tenth of it. Default: 2min.
    #[serde(default = "two_minutes")]
    pub over: Span,
    /// Which outcomes mean that a call was not accepted. An answer, and a failure that is not listed, was accepted; an
    /// abandoned call was not. Default: unavailable, throttled, timeout and unreachable.
    #[serde(default)]
    pub on: Option<Vec<When>>,
    /// One count for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

fn two() -> f64 {
    2.0
}

fn two_minutes() -> Span {
    Span(Duration::from_secs(120))
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if !(self.k.is_finite() && self.k >= 1.0) {
            found.push((
                "`k` must be 1 or more: below that, calls are refused that would be accepted".into(),
                "2 is usual".into(),
            ));
        }
        if self.over.0.is_zero() {
            found.push(("`over` must be above zero".into(), "2min is usual".into()));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "adaptive_throttle"
    }
    fn build(&self, chance: Stream) -> Box<dyn Policy> {
        let usual = [When::Unavailable, When::Throttled, When::Timeout, When::Unreachable];
        Box::new(AdaptiveThrottle {
            k: self.k,
            refused: set_of(self.on.as_deref().unwrap_or(&usual)),
            recent: Slices::new(self.over.0),
            chance,
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::AdaptiveThrottle
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

const REQUESTS: usize = 0;
const ACCEPTS: usize = 1;

#[derive(Debug)]
struct AdaptiveThrottle {
    k: f64,
    refused: OutcomeSet,
    recent: Slices<2>,
    chance: Stream,
}

impl Policy for AdaptiveThrottle {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        let [requests, accepts] = self.recent.sums(passage.now).map(|sum| sum as f64);
        // Calls refused here are requests too: the more are wanted, the more are refused.
        self.recent.add(passage.now, REQUESTS, 1);
        let excess = requests - self.k * accepts;
        if excess > 0.0 && self.chance.chance(excess / (requests + 1.0)) { Enter::Refuse } else { Enter::Proceed }
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if outcome != Outcome::Cancelled && !self.refused.has(outcome) {
            self.recent.add(passage.now, ACCEPTS, 1);
        }
        Leave::Pass
    }

    fn reset(&mut self) {
        self.recent.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, assert_refused, ms, story};
    use super::*;
    use crate::engine::{Streams, Time};

    /// So many calls, each of which ends like this if it is let in; and how many were.
    fn let_in(policy: &mut dyn Policy, now: Duration, calls: u32, outcome: Outcome) -> u32 {
        let now = Time::ZERO + now;
        let mut sent = 0;
        for _ in 0..calls {
            let passage =
                &mut Passage { now, opened: now, deadline: Time::NEVER, key: 0, waiting: 0, put_off: 0, word: &mut 0 };
            if policy.enter(passage) == Enter::Proceed {
                sent += 1;
                policy.leave(passage, outcome);
            }
        }
        sent
    }

    fn built(k: f64) -> Box<dyn Policy> {
        let spec = Spec { k, over: two_minutes(), on: None, shared: false };
        spec.build(Streams::new(1).named("story"))
    }

    #[test]
    fn nobody_is_refused_while_half_are_accepted() {
        let mut half = story("adaptive_throttle: {}");
        for _ in 0..1_000 {
            half = half.succeeds().ends_at_once(Outcome::Unavailable);
        }
    }

    #[test]
    fn the_chance_to_be_refused_is_that_of_the_book() {
        // After 100 requests of which 20 were accepted, the next is refused with chance (100 - 2 × 20)/101.
        let (mut refused, runs) = (0_u32, 20_000_u32);
        for seed in 0..runs {
            let spec = Spec { k: 2.0, over: two_minutes(), on: None, shared: false };
            let mut policy = spec.build(Streams::new(u64::from(seed)).named("story"));
            // Accepts first, so that none of the sixty is refused before.
            let_in(policy.as_mut(), ms(0), 20, Outcome::Ok);
            let_in(policy.as_mut(), ms(0), 80, Outcome::Unavailable);
            refused += 1 - let_in(policy.as_mut(), ms(0), 1, Outcome::Unavailable);
        }
        let (exact, share) = (60.0 / 101.0, f64::from(refused) / f64::from(runs));
        assert!((share - exact).abs() < 4.0 * (exact * (1.0 - exact) / f64::from(runs)).sqrt(), "{share}, not {exact}");
    }

    #[test]
    fn k_times_what_is_accepted_is_sent() {
        // The server accepts 50 of each 1,000 that are wanted; in the long run 1,000 (1 - p) = 50 k are sent.
        for k in [1.5, 2.0, 3.0] {
            let mut policy = built(k);
            let mut sent = 0;
            for second in 0..1_200_u64 {
                let (now, mut accepted) = (Duration::from_secs(second), 0);
                let before = sent;
                for _ in 0..1_000 {
                    let outcome = if accepted < 50 { Outcome::Ok } else { Outcome::Throttled(ms(0)) };
                    let one = let_in(policy.as_mut(), now, 1, outcome);
                    accepted += one;
                    sent += one;
                }
                if second < 600 {
                    sent = before;
                }
            }
            let share = f64::from(sent) / 600.0 / 50.0;
            assert!((share - k).abs() < 0.02 * k, "{share} for each accepted, not {k}");
        }
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut policy = built(2.0);
        let sent = let_in(policy.as_mut(), ms(0), 1_000, Outcome::Timeout);
        assert!(sent < 30, "{sent}: the n-th is sent with chance 1/n, which makes 7.5 in the mean");
        assert_eq!(let_in(policy.as_mut(), ms(120_000), 1, Outcome::Timeout), 1);
        let_in(policy.as_mut(), ms(120_000), 1_000, Outcome::Timeout);
        policy.reset();
        assert_eq!(let_in(policy.as_mut(), ms(120_001), 1, Outcome::Timeout), 1, "a restart forgets");
    }

    #[test]
    fn a_failure_is_an_acceptance_unless_it_is_listed_and_to_be_abandoned_is_none() {
        let accepted: Story = (0..500).fold(story("adaptive_throttle: {}"), |story, _| story.fails());
        accepted.ends_at_once(Outcome::Rejected);
        let mut refused = story("adaptive_throttle: { on: [ error ], k: 1 }");
        let mut passed = 0_u32;
        for _ in 0..20 {
            refused = refused.begins("a").leaves("a", Outcome::Timeout, Leave::Pass);
            passed += 1;
        }
        assert_eq!(passed, 20, "a timeout is not listed");
        let mut policy = built(2.0);
        assert!(let_in(policy.as_mut(), ms(0), 1_000, Outcome::Cancelled) < 30);
    }

    #[test]
    fn options_without_sense_are_refused() {
        assert_refused("adaptive_throttle: { k: 0.5 }", "`k` must be 1 or more");
        assert_refused("adaptive_throttle: { over: 0 }", "`over` must be above zero");
    }
}
