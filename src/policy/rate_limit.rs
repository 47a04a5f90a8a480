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
