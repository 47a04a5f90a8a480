//! breaker: stop calling what keeps failing, and probe it now and then.
//!
//! ```text
//!               too many failures                 the pause is over
//!   closed ──────────────────────────► open ──────────────────────────► half-open
//!     ▲                                  ▲                                 │    │
//!     │                                  └────── a probe failed ───────────┘    │
//!     └───────────────────────────── the probes succeeded ──────────────────────┘
//! ```
//!
//! Always: the result of a call counts only in the period (closed, half-open) in which the call was placed, so a
//! late failure never prolongs a pause. A probe that is abandoned gives its place back. A cancelled call is
//! neither success nor failure. Open becomes half-open with the first call after the pause, not by a timer.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Blueprint, Enter, Leave, Passage, Policy, Position, When, set_of};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::scenario::units::{Share, Span};

/// Stop calling what keeps failing.
///
/// Opens by `failure_rate` over a sliding window (as resilience4j does) or after `consecutive_failures` (as
/// gobreaker and most textbooks do); give exactly one of the two.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Open when at least this share of the calls in the window has failed. Equality opens.
    #[serde(default)]
    pub failure_rate: Option<Share>,
    /// Open after this many failures in a row.
    #[serde(default)]
    pub consecutive_failures: Option<u32>,
    /// The window that slides: a time (`30s`), or a number of calls (`100`). Default: 100 calls.
    #[serde(default)]
    pub window: Window,
    /// With fewer results than this in the window, no rate is computed and the breaker stays closed. Default: as
    /// many as the window has calls; 100 for a window of time.
    #[serde(default)]
    pub minimum_calls: Option<u32>,
    /// How long it stays open before it lets probes through.
    pub open_for: Span,
    /// Calls let through when half-open; all others are refused. With a rate, all probes must have ended before it
    /// is decided; with consecutive failures one failed probe opens again. Default: 1.
    #[serde(default = "one")]
    pub probes: u32,
    /// Which outcomes count as failures. Default: all but `rejected` and `refused`; those count as successes and
    /// as nothing.
    #[serde(default)]
    pub on: Option<Vec<When>>,
    /// One breaker for all instances of the caller. Default: each instance has its own, as in life.
    #[serde(default)]
    pub shared: bool,
}

fn one() -> u32 {
    1
}

/// Over what the failure rate is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The results of the last so many calls.
    Calls(u32),
    /// The results of the last so much time. Kept in slices of a tenth of the window, at most one second each, as
    /// resilience4j keeps them by the second: what leaves the window leaves it a slice at a time.
    Time(Duration),
}

impl Default for Window {
    fn default() -> Self {
        Self::Calls(100)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Window;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as `30s`, or a number of calls such as `100`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Window, E> {
                u32::try_from(n).map(Window::Calls).map_err(|_| E::custom("a window of that many calls is too large"))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Window, E> {
                u32::try_from(n).map(Window::Calls).map_err(|_| E::custom("a window cannot hold that many calls"))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Window, E> {
                text.parse::<Span>().map(|span| Window::Time(span.0)).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl JsonSchema for Window {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Window".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let span = generator.subschema_for::<Span>();
        schemars::json_schema!({
            "description": "A time such as `30s`, or a number of calls such as `100`.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, span]
        })
    }
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.failure_rate.is_some() == self.consecutive_failures.is_some() {
            found.push((
                "a breaker opens either by `failure_rate` or by `consecutive_failures`".into(),
                "give exactly one of the two".into(),
            ));
        }
        if self.failure_rate.is_some_and(|share| share.0 <= 0.0) {
            found.push(("a failure rate of 0% is always reached".into(), "give a share above zero".into()));
        }
        if self.consecutive_failures == Some(0) {
            found.push(("no failure in a row is always reached".into(), "give at least 1".into()));
        }
        match self.window {
            Window::Calls(0) => found.push(("a window of no calls".into(), "give at least 1 call, or a time".into())),
            Window::Time(time) if time.is_zero() => {
                found.push(("a window of no time".into(), "give a time above zero, or a number of calls".into()));
            }
            Window::Calls(calls) if self.minimum_calls.is_some_and(|least| least > calls) => found.push((
                "`minimum_calls` is more than the window can hold: the breaker would never open".into(),
                format!("give at most {calls}"),
            )),
            _ => {}
        }
        if self.probes == 0 {
            found.push(("without probes the breaker never closes again".into(), "give `probes` at least 1".into()));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "breaker"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let trip = match self.consecutive_failures {
            Some(limit) => Trip::Consecutive(limit),
            None => Trip::Rate {
                share: self.failure_rate.map_or(1.0, |share| share.0),
                minimum: self.minimum_calls.unwrap_or(match self.window {
                    Window::Calls(calls) => calls,
                    Window::Time(_) => 100,
                }),
            },
        };
        Box::new(Breaker {
            trip,
            window: self.window,
            open_for: self.open_for.0,
            probes: self.probes,
            on: self.on.as_deref().map_or_else(default_failures, set_of),
            period: 0,
            state: State::closed(self.window),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::Breaker
    }
    fn shared(&self) -> bool {
        self.shared
    }
    fn is_breaker(&self) -> bool {
        true
    }
}

fn default_failures() -> OutcomeSet {
    set_of(&[When::Timeout, When::Unavailable, When::Throttled, When::Error, When::Unreachable])
}

/// What opens it.
#[derive(Clone, Copy, Debug)]
enum Trip {
    Consecutive(u32),
    Rate { share: f64, minimum: u32 },
}

#[derive(Debug)]
struct Breaker {
    trip: Trip,
    window: Window,
    open_for: Duration,
    probes: u32,
    on: OutcomeSet,
    /// Counts the changes of state; a passage remembers the period in which it entered.
    period: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed { in_a_row: u32, results: Results },
    Open { until: Time },
    HalfOpen { out: u32, succeeded: u32, failed: u32 },
}

impl State {
    fn closed(window: Window) -> Self {
        Self::Closed { in_a_row: 0, results: Results::new(window) }
    }
}

impl Breaker {
    fn change(&mut self, state: State) {
        self.period += 1;
        self.state = state;
    }

    fn open(&mut self, now: Time) {
        self.change(State::Open { until: now + self.open_for });
    }

    fn judge_closed(&mut self, now: Time, failed: bool) {
        let State::Closed { in_a_row, results } = &mut self.state else { return };
        let opens = match self.trip {
            Trip::Consecutive(limit) => {
                *in_a_row = if failed { *in_a_row + 1 } else { 0 };
                *in_a_row >= limit
            }
            Trip::Rate { share, minimum } => {
                results.add(now, failed);
                results.calls >= minimum && f64::from(results.failures) >= share * f64::from(results.calls)
            }
        };
        if opens {
            self.open(now);
        }
    }

    fn judge_probe(&mut self, now: Time, failed: bool) {
        let State::HalfOpen { out, succeeded, failed: failures } = &mut self.state else { return };
        *out -= 1;
        if failed {
            *failures += 1;
        } else {
            *succeeded += 1;
        }
        let ended = *succeeded + *failures;
        let reopens = match self.trip {
            Trip::Consecutive(_) => failed,
            Trip::Rate { share, .. } => ended >= self.probes && f64::from(*failures) >= share * f64::from(ended),
        };
        if reopens {
            self.open(now);
        } else if ended >= self.probes {
            self.change(State::closed(self.window));
        }
    }
}

impl Policy for Breaker {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if let State::Open { until } = self.state {
            if passage.now < until {
                return Enter::Refuse;
            }
            self.change(State::HalfOpen { out: 0, succeeded: 0, failed: 0 });
        }
        if let State::HalfOpen { out, succeeded, failed } = &mut self.state {
            if *out + *succeeded + *failed >= self.probes {
                return Enter::Refuse;
            }
            *out += 1;
        }
        *passage.word = self.period;
        Enter::Proceed
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        // A call of an earlier period: its result says nothing about the present one.
        if *passage.word != self.period {
            return Leave::Pass;
        }
        if matches!(outcome, Outcome::Cancelled | Outcome::RefusedBy(_)) && !self.on.has(outcome) {
            // Nothing was learnt. A probe gives its place back.
            if let State::HalfOpen { out, .. } = &mut self.state {
                *out -= 1;
            }
            return Leave::Pass;
        }
        let failed = self.on.has(outcome);
        match self.state {
            State::Closed { .. } => self.judge_closed(passage.now, failed),
            State::HalfOpen { .. } => self.judge_probe(passage.now, failed),
            State::Open { .. } => {}
        }
        Leave::Pass
    }

    fn at_rest(&self) -> bool {
        !matches!(self.state, State::HalfOpen { out: 1.., .. })
    }

    fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { .. } => Position::Open,
            State::HalfOpen { .. } => Position::HalfOpen,
        }
    }

    fn reset(&mut self) {
        self.change(State::closed(self.window));
    }
}

/// The results in the window, and their sums.
#[derive(Debug)]
struct Results {
    window: Window,
    /// Slices, oldest first: their start, calls, failures. A window of calls has one slice a call.
    slices: VecDeque<(Time, u32, u32)>,
    calls: u32,
    failures: u32,
}

impl Results {
    fn new(window: Window) -> Self {
        Self { window, slices: VecDeque::new(), calls: 0, failures: 0 }
    }

    fn add(&mut self, now: Time, failed: bool) {
        let failed = u32::from(failed);
        match self.window {
            Window::Calls(limit) => {
                if self.calls == limit {
                    self.drop_oldest();
                }
                self.slices.push_back((now, 1, failed));
            }
            Window::Time(length) => {
                while self.slices.front().is_some_and(|slice| slice.0 + length <= now) {
                    self.drop_oldest();
                }
                let slice = (length.nanos() / 10).clamp(1, 1_000_000_000);
                match self.slices.back_mut() {
                    Some(last) if now.nanos() / slice == last.0.nanos() / slice => {
                        last.1 += 1;
                        last.2 += failed;
                    }
                    _ => self.slices.push_back((now, 1, failed)),
                }
            }
        }
        self.calls += 1;
        self.failures += failed;
    }

    fn drop_oldest(&mut self) {
        if let Some((_, calls, failures)) = self.slices.pop_front() {
            self.calls -= calls;
            self.failures -= failures;
        }
    }
}
