//! rate_limit: limit how many calls start in a time. A token bucket.
//!
//! Tokens drop into the bucket at `rate`, up to `burst`; each call takes one. A call that finds none is refused,
//! or reserves the next one and waits for it, if that is not further away than `wait` (as Guava's `RateLimiter`
//! and resilience4j's `RateLimiter` do).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, Refuser};
use crate::scenario::units::{Rate, Span};
use crate::short_form;

/// Limit how many calls start in a time. Short form: `rate_limit: 100/s`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Rate>)]
#[schemars(rename = "RateLimit")]
pub struct Spec {
    /// Calls a second in the long run.
    pub rate: Rate,
    /// Calls that may start at once after a quiet time. Default: 1.
    #[serde(default = "one")]
    pub burst: u32,
    /// How long a call may wait for its token. Default: 0, refuse at once.
    #[serde(default)]
    pub wait: Option<Span>,
    /// One bucket for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

fn one() -> u32 {
    1
}

short_form!(Spec, Rate, |rate| Spec { rate, burst: 1, wait: None, shared: false });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.rate.0 <= 0.0 {
            found.push(("a rate of zero lets no call pass".into(), "give a rate above zero".into()));
        }
        if self.burst == 0 {
            found
                .push(("a bucket without room for a token lets no call pass".into(), "give `burst` at least 1".into()));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "rate_limit"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let gap = Duration::from_secs_f64(1.0 / self.rate.0);
        Box::new(RateLimit {
            gap,
            slack: gap * u64::from(self.burst - 1),
            wait: self.wait.map_or(Duration::ZERO, |span| span.0),
            next: Time::ZERO,
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::RateLimit
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

/// The bucket, written as the generic cell rate algorithm (ITU-T I.371): `next` is when the token for the next
/// call is due, and calls may be ahead of it by `slack`. The same law as counting tokens, without a counter.
#[derive(Debug)]
struct RateLimit {
    gap: Duration,
    slack: Duration,
    wait: Duration,
    next: Time,
}

impl Policy for RateLimit {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        let due = self.next - self.slack;
        let early = due - passage.now;
        if early > self.wait {
            return Enter::Refuse;
        }
        self.next = self.next.max(passage.now) + self.gap;
        if early.is_zero() { Enter::Proceed } else { Enter::Delay(early) }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {
        self.next = Time::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{ms, story};
    use super::*;

    #[test]
    fn one_token_comes_in_with_each_gap_and_none_is_kept_without_a_burst() {
        story("rate_limit: 100/s")
            .succeeds()
            .refuses()
            .at(ms(9))
            .refuses()
            .at(ms(10))
            .succeeds()
            .refuses()
            .at(ms(500))
            .succeeds()
            .refuses();
    }

    #[test]
    fn a_burst_is_what_may_start_at_once_after_a_quiet_time() {
        story("rate_limit: { rate: 100/s, burst: 3 }")
            .results("SSS")
            .refuses()
            // Two tokens have come in, and not three.
            .at(ms(29))
            .results("SS")
            .refuses()
            .at(ms(30))
            .succeeds()
            .refuses()
            .at(ms(60))
            .results("SSS")
            .refuses()
            .at(ms(10_000))
            .results("SSS")
            .refuses();
    }

    #[test]
    fn a_call_that_may_wait_reserves_the_next_token() {
        story("rate_limit: { rate: 100/s, wait: 25ms }")
            .begins("a")
            .enters("b", Enter::Delay(ms(10)))
            .enters("c", Enter::Delay(ms(20)))
            // The next is due in 30 ms.
            .refuses()
            .at(ms(5))
            .enters("d", Enter::Delay(ms(25)))
            .at(ms(14))
            .refuses();
    }

    #[test]
    fn a_token_is_spent_whether_the_call_fails_or_is_abandoned() {
        story("rate_limit: 100/s").fails().refuses().at(ms(10)).begins("a").abandons("a").refuses();
    }

    #[test]
    fn what_starts_in_a_time_is_the_burst_and_the_rate_times_it() {
        let mut bucket = Spec { rate: Rate(50.0), burst: 5, wait: None, shared: false }
            .build(crate::engine::Streams::new(1).named("story"));
        let mut started = 0;
        // Asked once each millisecond, for 2 s less one.
        for millis in 0..2_000 {
            let now = Time::ZERO + ms(millis);
            let passage = &mut Passage { now, opened: now, deadline: Time::NEVER, waiting: 0, word: &mut 0 };
            started += u32::from(bucket.enter(passage) == Enter::Proceed);
        }
        // 5 at the start, and one each 20 ms: at 20, 40, .. 1,980 ms.
        assert_eq!(started, 5 + 99);
    }

    #[test]
    fn a_restart_fills_the_bucket() {
        story("rate_limit: 1/s").succeeds().refuses().restarts().succeeds();
    }
}
