//! rate_limit: limit how many calls start in a time.
//!
//! ```text
//!   token bucket      tokens come in at the rate, up to a burst; each call takes one
//!   leaky bucket      a queue from which calls start one by one, at the rate
//!   fixed window      so many calls in each window; a new one begins with a count of zero
//!   sliding log       so many calls in any window, wherever one lays it
//!   sliding counter   an estimate of that from two counts
//! ```
//!
//! A call that comes too early is refused, or reserves its turn and waits for it, if that is not further away than
//! `wait`. Always: a turn that was taken is spent, whatever becomes of the call.

use std::collections::VecDeque;

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
    /// How the calls are counted. Default: `token_bucket`.
    #[serde(default)]
    pub by: Law,
    /// With `token_bucket`: calls that may start at once after a quiet time. Default: 1.
    #[serde(default)]
    pub burst: Option<u32>,
    /// With `leaky_bucket`: calls that may stand in the queue. Must be given there.
    #[serde(default)]
    pub waiting: Option<u32>,
    /// How long a call may wait for its turn. Default: 0, refuse at once; with `leaky_bucket` as long as the queue is.
    /// One that gives up before has taken its turn all the same.
    #[serde(default)]
    pub wait: Option<Span>,
    /// One count for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, Rate, |rate| Spec {
    rate,
    by: Law::TokenBucket,
    burst: None,
    waiting: None,
    wait: None,
    shared: false
});

/// How calls are counted. A window passes `rate` times its length, which must be a whole number of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CountedBy")]
pub enum Law {
    /// Tokens come in at `rate`, up to `burst`; each call takes one. In any time t at most burst + rate × t calls start.
    /// (Guava's `RateLimiter`, Go's `x/time/rate`, Envoy's local rate limit, nginx `limit_req` with `nodelay`.)
    #[default]
    TokenBucket,
    /// A queue of `waiting` places from which calls start with equal gaps of 1/rate, whatever their number. A call that
    /// finds it full is refused. (nginx `limit_req` without `nodelay`; Uber's `ratelimit` without slack.)
    LeakyBucket,
    /// Windows of this length, one after the other since the start of the run; each counts from zero. Around the end of
    /// one, twice as many calls can start within a moment. (resilience4j's `RateLimiter`: `limitRefreshPeriod`; Redis
    /// `INCR` with `EXPIRE`.)
    FixedWindow(Span),
    /// The times of all calls in the last so much time are kept: exact, wherever one lays the window, and a memory of
    /// as many times. (Redis sorted sets.)
    SlidingLog(Span),
    /// The count of this window and that of the one before, weighted with the share of it that the last so much time
    /// still covers: as if its calls had come evenly. Calls are refused, and never wait. (Cloudflare, Kong.)
    SlidingCounter(Span),
}

impl Law {
    fn window(self) -> Option<Duration> {
        match self {
            Self::TokenBucket | Self::LeakyBucket => None,
            Self::FixedWindow(span) | Self::SlidingLog(span) | Self::SlidingCounter(span) => Some(span.0),
        }
    }
}

impl Spec {
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        if self.rate.0 <= 0.0 {
            wrong("a rate of zero lets no call pass", "give a `rate` above zero");
        } else if let Some(window) = self.by.window() {
            let calls = self.rate.0 * window.as_secs();
            if window.is_zero() {
                wrong("a window of no time lets no call pass", "give a time above zero");
            } else if calls > f64::from(u32::MAX) {
                wrong("more calls in a window than can be counted", "give a shorter window");
            } else if (calls - libm::round(calls)).abs() > 1e-9 * calls || calls < 0.5 {
                wrong(
                    &format!("a window of {window} passes {calls} calls at this rate, and not a whole number"),
                    "choose the window so that the rate times its length is a whole number of calls",
                );
            }
        }
        if self.burst == Some(0) {
            wrong("a bucket without room for a token lets no call pass", "give `burst` at least 1");
        }
        if self.burst.is_some() && self.by != Law::TokenBucket {
            wrong("only a token bucket has a `burst`", "leave it out");
        }
        match (self.waiting, self.by) {
            (None | Some(0), Law::LeakyBucket) => {
                wrong(
                    "a leaky bucket is a queue: it needs places",
                    "say how many calls may stand in it: `waiting: 10`",
                );
            }
            (Some(_), Law::TokenBucket | Law::FixedWindow(_) | Law::SlidingLog(_) | Law::SlidingCounter(_)) => {
                wrong("only a leaky bucket has places for the `waiting`", "give the longest `wait` instead");
            }
            _ => {}
        }
        if matches!(self.by, Law::SlidingCounter(_)) && self.wait.is_some() {
            wrong("a sliding counter does not know when the next turn is", "leave `wait` out, or take `sliding_log`");
        }
        found
    }

    /// Calls that a window passes.
    fn calls(&self, window: Span) -> u64 {
        libm::round(self.rate.0 * window.0.as_secs()) as u64
    }

    /// The time between two calls at the rate.
    fn gap(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate.0)
    }

    /// The memory of a limit at which nobody has called yet.
    pub(crate) fn turns(&self) -> Turns {
        let gap = self.gap();
        let slack = gap * u64::from(self.burst.unwrap_or(1).saturating_sub(1));
        match self.by {
            Law::TokenBucket | Law::LeakyBucket => Turns::Bucket { gap, slack, next: Time::ZERO },
            Law::FixedWindow(span) => Turns::Fixed { length: span.0, limit: self.calls(span), window: 0, taken: 0 },
            Law::SlidingLog(span) => Turns::Log { length: span.0, limit: self.calls(span), starts: VecDeque::new() },
            Law::SlidingCounter(span) => {
                Turns::Counter { length: span.0, limit: self.calls(span), window: 0, before: 0, taken: 0 }
            }
        }
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "rate_limit"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let places = self.waiting.map_or(Duration::ZERO, |places| self.gap() * u64::from(places));
        Box::new(RateLimit {
            wait: self.wait.map_or(places, |wait| if self.waiting.is_some() { wait.0.min(places) } else { wait.0 }),
            turns: self.turns(),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::RateLimit
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct RateLimit {
    wait: Duration,
    turns: Turns,
}

/// What is remembered of earlier calls, to say whose turn is when.
#[derive(Clone, Debug)]
pub(crate) enum Turns {
    /// A bucket, written as the generic cell rate algorithm (ITU-T I.371): `next` is when the token for the next call
    /// is due, and calls may be ahead of it by `slack`. The same law as counting tokens, without a counter.
    Bucket { gap: Duration, slack: Duration, next: Time },
    /// The last window in which somebody has a turn, and how many.
    Fixed { length: Duration, limit: u64, window: u64, taken: u64 },
    /// The last `limit` turns, oldest first.
    Log { length: Duration, limit: u64, starts: VecDeque<Time> },
    /// As `Fixed`, and the count of the window before.
    Counter { length: Duration, limit: u64, window: u64, before: u64, taken: u64 },
}

impl Turns {
    /// When a call that comes now may start; never, if that cannot be said.
    pub(crate) fn due(&self, now: Time) -> Time {
        match self {
            Self::Bucket { slack, next, .. } => now.max(*next - *slack),
            Self::Fixed { length, limit, window, taken } => {
                let begins = |window: u64| Time::ZERO + *length * window;
                match now.nanos() / length.nanos() {
                    current if current > *window => now,
                    _ if taken < limit => now.max(begins(*window)),
                    _ => begins(*window + 1),
                }
            }
            Self::Log { length, limit, starts } => match starts.front() {
                Some(first) if starts.len() as u64 == *limit => now.max(*first + *length),
                _ => now,
            },
            Self::Counter { length, limit, .. } => {
                let (before, taken) = self.counts(now);
                let left = length.nanos() - now.nanos() % length.nanos();
                // before × left/length + taken + 1 ≤ limit, in whole numbers.
                let whole = u128::from(length.nanos());
                let estimate = u128::from(before) * u128::from(left) + u128::from(taken + 1) * whole;
                if estimate <= u128::from(*limit) * whole { now } else { Time::NEVER }
            }
        }
    }

    /// The counts of the window before and of this one.
    fn counts(&self, now: Time) -> (u64, u64) {
        match self {
            Self::Counter { length, window, before, taken, .. } => match now.nanos() / length.nanos() - window {
                0 => (*before, *taken),
                1 => (*taken, 0),
                _ => (0, 0),
            },
            _ => (0, 0),
        }
    }

    /// The turn is taken.
    pub(crate) fn take(&mut self, due: Time) {
        let counts = self.counts(due);
        match self {
            Self::Bucket { gap, next, .. } => *next = due.max(*next) + *gap,
            Self::Fixed { length, window, taken, .. } => {
                let current = due.nanos() / length.nanos();
                if current > *window {
                    (*window, *taken) = (current, 0);
                }
                *taken += 1;
            }
            Self::Log { limit, starts, .. } => {
                if starts.len() as u64 == *limit {
                    starts.pop_front();
                }
                starts.push_back(due);
            }
            Self::Counter { length, window, before, taken, .. } => {
                *window = due.nanos() / length.nanos();
                (*before, *taken) = (counts.0, counts.1 + 1);
            }
        }
    }
}

impl Policy for RateLimit {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        let due = self.turns.due(passage.now);
        let early = due - passage.now;
        if early > self.wait {
            return Enter::Refuse;
        }
        self.turns.take(due);
        if early.is_zero() { Enter::Proceed } else { Enter::Delay(early) }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {
        match &mut self.turns {
            Turns::Bucket { next, .. } => *next = Time::ZERO,
            Turns::Fixed { window, taken, .. } => (*window, *taken) = (0, 0),
            Turns::Log { starts, .. } => starts.clear(),
            Turns::Counter { window, before, taken, .. } => (*window, *before, *taken) = (0, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{mistakes, ms, story};
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
        let mut bucket =
            Spec { burst: Some(5), ..Spec::from(Rate(50.0)) }.build(crate::engine::Streams::new(1).named("story"));
        let mut started = 0;
        // Asked once each millisecond, for 2 s less one.
        for millis in 0..2_000 {
            let now = Time::ZERO + ms(millis);
            let passage =
                &mut Passage { now, opened: now, deadline: Time::NEVER, key: 0, waiting: 0, put_off: 0, word: &mut 0 };
            started += u32::from(bucket.enter(passage) == Enter::Proceed);
        }
        // 5 at the start, and one each 20 ms: at 20, 40, .. 1,980 ms.
        assert_eq!(started, 5 + 99);
    }

    #[test]
    fn a_restart_fills_the_bucket() {
        story("rate_limit: 1/s").succeeds().refuses().restarts().succeeds();
    }

    #[test]
    fn a_leaky_bucket_is_a_queue_from_which_calls_start_one_by_one() {
        story("rate_limit: { rate: 100/s, by: leaky_bucket, waiting: 3 }")
            .begins("a")
            .enters("b", Enter::Delay(ms(10)))
            .enters("c", Enter::Delay(ms(20)))
            .enters("d", Enter::Delay(ms(30)))
            // Three are in the queue.
            .refuses()
            .at(ms(9))
            .refuses()
            // The first of them starts, and the queue has a place again.
            .at(ms(10))
            .enters("e", Enter::Delay(ms(30)))
            .refuses()
            // After a quiet time there is no burst.
            .at(ms(1_000))
            .begins("f")
            .enters("g", Enter::Delay(ms(10)));
        // A limit on the wait is a shorter queue.
        story("rate_limit: { rate: 100/s, by: leaky_bucket, waiting: 3, wait: 15ms }")
            .begins("a")
            .enters("b", Enter::Delay(ms(10)))
            .refuses();
    }

    #[test]
    fn a_fixed_window_counts_from_zero_each_time() {
        story("rate_limit: { rate: 3/s, by: { fixed_window: 1s } }")
            .at(ms(999))
            .results("SSS")
            .refuses()
            // Six within 1 ms.
            .at(ms(1_000))
            .results("SSS")
            .refuses()
            .at(ms(1_999))
            .refuses()
            .at(ms(7_500))
            .results("SSS")
            .refuses();
    }

    #[test]
    fn a_fixed_window_gives_turns_in_those_to_come() {
        story("rate_limit: { rate: 2/s, by: { fixed_window: 1s }, wait: 1500ms }")
            .at(ms(500))
            .begins("a")
            .begins("b")
            .enters("c", Enter::Delay(ms(500)))
            .enters("d", Enter::Delay(ms(500)))
            .enters("e", Enter::Delay(ms(1_500)))
            .enters("f", Enter::Delay(ms(1_500)))
            .refuses()
            .at(ms(1_000))
            // The window of 2 s is full too; that of 3 s is further away than 1.5 s.
            .refuses()
            .at(ms(1_500))
            .enters("g", Enter::Delay(ms(1_500)));
    }

    #[test]
    fn a_sliding_log_counts_in_any_window() {
        story("rate_limit: { rate: 3/s, by: { sliding_log: 1s } }")
            .at(ms(900))
            .succeeds()
            .at(ms(950))
            .results("SS")
            .refuses()
            .at(ms(1_000))
            .refuses()
            .at(ms(1_899))
            .refuses()
            .at(ms(1_900))
            .succeeds()
            .refuses()
            .at(ms(1_950))
            .results("SS")
            .refuses();
        story("rate_limit: { rate: 2/s, by: { sliding_log: 1s }, wait: 1s }")
            .begins("a")
            .at(ms(400))
            .begins("b")
            .enters("c", Enter::Delay(ms(600)))
            .enters("d", Enter::Delay(ms(1_000)))
            .refuses();
    }

    #[test]
    fn a_sliding_counter_weighs_the_window_before() {
        story("rate_limit: { rate: 4/s, by: { sliding_counter: 1s } }")
            .at(ms(900))
            .results("SSSS")
            .refuses()
            // The four count whole at 1 s, three quarters at 1.25 s and half at 1.5 s.
            .at(ms(1_000))
            .refuses()
            .at(ms(1_249))
            .refuses()
            .at(ms(1_250))
            .succeeds()
            .refuses()
            .at(ms(1_500))
            .succeeds()
            .refuses()
            // 2 × 3/4 + 2 are less than 4, and with a third they would be more.
            .at(ms(2_250))
            .results("SS")
            .refuses()
            .at(ms(9_000))
            .results("SSSS")
            .refuses()
            .restarts()
            .results("SSSS")
            .refuses();
    }

    #[test]
    fn a_restart_forgets_every_count() {
        for by in ["{ fixed_window: 1s }", "{ sliding_log: 1s }", "{ sliding_counter: 1s }"] {
            let limit = format!("rate_limit: {{ rate: 1/s, by: {by} }}");
            story(&limit).at(ms(100)).succeeds().refuses().restarts().succeeds().refuses();
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (options, said) in [
            ("rate: 0/s", "a rate of zero"),
            ("rate: 1/s, burst: 0", "without room for a token"),
            ("rate: 1/s, burst: 2, by: { fixed_window: 1s }", "only a token bucket"),
            ("rate: 1/s, by: leaky_bucket", "is a queue"),
            ("rate: 1/s, by: leaky_bucket, waiting: 0", "is a queue"),
            ("rate: 1/s, waiting: 3", "only a leaky bucket"),
            ("rate: 1/s, by: { sliding_log: 0s }", "a window of no time"),
            ("rate: 1/s, by: { fixed_window: 1.5s }", "passes 1.5 calls"),
            ("rate: 1/s, by: { fixed_window: 1ms }", "not a whole number"),
            ("rate: 1000000/s, by: { sliding_counter: 2h }", "than can be counted"),
            ("rate: 1/s, by: { sliding_counter: 1s }, wait: 1s", "does not know when"),
        ] {
            let found = mistakes(&format!("rate_limit: {{ {options} }}"));
            assert!(found.len() == 1 && found[0].0.contains(said), "{options}: {found:?}");
        }
        // As many calls a window as were written, whatever the floating point makes of them.
        for rate in ["7/min", "11/h", "13/d", "0.7/s"] {
            let options = if rate == "0.7/s" { "{ fixed_window: 10s }" } else { "{ fixed_window: 1d }" };
            let found = mistakes(&format!("rate_limit: {{ rate: {rate}, by: {options} }}"));
            assert!(found.is_empty(), "{rate}: {found:?}");
        }
    }
}
