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
#[schemars(rename = "Breaker")]
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
    /// Which outcomes count as failures. Default: all but `rejected`, which counts as a success, and `refused`, which
    /// counts as nothing.
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

#[cfg(test)]
mod tests {
    use super::super::story::{Story, ms, story};
    use super::*;

    /// As in resilience4j's own tests: half of 20 s, five calls at least, four probes.
    fn by_rate() -> Story {
        story("breaker: { failure_rate: 50%, window: 20s, minimum_calls: 5, probes: 4, open_for: 5s }")
    }

    /// Two failures in a row, and a pause of 100 ms.
    fn in_a_row() -> Story {
        story("breaker: { consecutive_failures: 2, open_for: 100ms }")
    }

    #[test]
    fn it_opens_at_the_rate_and_not_below() {
        by_rate().results("SSSFF").is(Position::Closed);
        by_rate().results("SSSFFF").is(Position::Open).refuses();
    }

    #[test]
    fn it_stays_closed_with_too_few_calls_and_a_success_can_be_the_call_that_opens_it() {
        by_rate().results("FFFS").is(Position::Closed).succeeds().is(Position::Open);
    }

    #[test]
    fn a_window_of_calls_forgets_the_oldest_call_with_each_new_one() {
        let window_of_four = || story("breaker: { failure_rate: 75%, window: 4, open_for: 1s }");
        window_of_four().results("FFF").is(Position::Closed).fails().is(Position::Open);
        window_of_four().results("FSF").is(Position::Closed).fails().is(Position::Open);
        // With one more failure the last four are F S F F.
        window_of_four().results("SFSF").is(Position::Closed).fails().is(Position::Open);
        window_of_four().results("SFSFSFSSFFS").is(Position::Closed);
    }

    #[test]
    fn a_window_of_calls_asks_for_as_many_calls_as_it_holds_unless_told_otherwise() {
        story("breaker: { failure_rate: 50%, window: 10, open_for: 1s }")
            .results("FFFFFFFFF")
            .is(Position::Closed)
            .fails()
            .is(Position::Open);
        let hundred = story("breaker: { failure_rate: 50%, window: 10s, open_for: 1s }");
        hundred.results(&"F".repeat(99)).is(Position::Closed).fails().is(Position::Open);
    }

    #[test]
    fn a_window_of_time_slides_and_does_not_tumble() {
        let window = || story("breaker: { failure_rate: 50%, window: 10s, minimum_calls: 4, open_for: 1s }");
        // Whatever grid of 10 s one lays, these four lie within 10 s.
        window().at(ms(8_000)).results("FF").at(ms(12_000)).results("FF").is(Position::Open);
        // The failures of second 0 have left the window at second 10: two calls are too few.
        window().results("FF").at(ms(10_000)).results("FF").is(Position::Closed);
        // One second earlier they have not.
        window().results("FF").at(ms(9_999)).results("FF").is(Position::Open);
        // Old successes leave it too: two of three failed, and not two of six.
        let three = story("breaker: { failure_rate: 50%, window: 10s, minimum_calls: 3, open_for: 1s }");
        three.results("SSS").at(ms(9_000)).results("SF").is(Position::Closed).at(ms(10_000)).fails().is(Position::Open);
    }

    #[test]
    fn failures_must_come_in_a_row() {
        in_a_row().results("FSFSF").is(Position::Closed).fails().is(Position::Open);
        // As gobreaker's default, which opens with the sixth.
        story("breaker: { consecutive_failures: 6, open_for: 60s }")
            .results("FFFFF")
            .is(Position::Closed)
            .results("SF")
            .results("FFFFF")
            .is(Position::Open)
            .at(ms(59_999))
            .refuses()
            .at(ms(60_000))
            .begins("probe")
            .is(Position::HalfOpen)
            .ends("probe", Outcome::Error)
            .is(Position::Open)
            .at(ms(119_999))
            .refuses()
            .at(ms(120_000))
            .succeeds()
            .is(Position::Closed);
    }

    #[test]
    fn the_pause_ends_with_the_first_call_after_it_and_not_by_a_timer() {
        in_a_row()
            .results("FF")
            .at(ms(99))
            .refuses()
            .at(ms(500))
            .is(Position::Open)
            .begins("probe")
            .is(Position::HalfOpen);
    }

    #[test]
    fn a_failure_that_began_before_it_opened_does_not_prolong_the_pause() {
        in_a_row()
            .begins("late")
            .results("FF")
            .at(ms(50))
            .ends("late", Outcome::Error)
            .at(ms(100))
            .begins("probe")
            .ends("probe", Outcome::Ok)
            .is(Position::Closed);
    }

    #[test]
    fn late_results_do_not_disturb_the_probes() {
        in_a_row()
            .begins("late failure")
            .begins("late success")
            .results("FF")
            .at(ms(100))
            .begins("probe")
            .ends("late failure", Outcome::Error)
            .is(Position::HalfOpen)
            .ends("late success", Outcome::Ok)
            .is(Position::HalfOpen)
            .refuses()
            .ends("probe", Outcome::Ok)
            .is(Position::Closed);
    }

    #[test]
    fn late_results_do_not_count_once_it_has_closed_again() {
        in_a_row()
            .begins("late")
            .results("FF")
            .at(ms(100))
            .succeeds()
            .is(Position::Closed)
            .fails()
            .ends("late", Outcome::Error)
            .is(Position::Closed)
            .fails()
            .is(Position::Open);
    }

    #[test]
    fn it_has_forgotten_everything_when_it_closes_again() {
        by_rate()
            .results("SSFFF")
            .is(Position::Open)
            .at(ms(5_000))
            .results("SSSS")
            .is(Position::Closed)
            .results("FFFF")
            .is(Position::Closed)
            .fails()
            .is(Position::Open);
    }

    #[test]
    fn probes_are_decided_together_and_no_more_of_them_are_let_in() {
        let half_open = || by_rate().results("FFFFF").at(ms(3_000)).refuses().at(ms(5_000));
        half_open().results("FFS").is(Position::HalfOpen).fails().is(Position::Open).at(ms(9_999)).refuses();
        half_open().results("FSS").is(Position::HalfOpen).succeeds().is(Position::Closed);
        half_open().results("FFS").is(Position::HalfOpen).succeeds().is(Position::Open);
        half_open().begins("1").begins("2").begins("3").begins("4").refuses().ends("1", Outcome::Ok).refuses();
    }

    #[test]
    fn one_failed_probe_opens_it_again_when_failures_in_a_row_do() {
        story("breaker: { consecutive_failures: 3, open_for: 100ms, probes: 3 }")
            .results("FFF")
            .at(ms(100))
            .begins("late probe")
            .succeeds()
            .fails()
            .is(Position::Open)
            .ends("late probe", Outcome::Ok)
            .is(Position::Open)
            .at(ms(199))
            .refuses()
            .at(ms(200))
            .results("SS")
            .is(Position::HalfOpen)
            .succeeds()
            .is(Position::Closed);
    }

    #[test]
    fn a_probe_that_is_abandoned_gives_its_place_back() {
        in_a_row()
            .results("FF")
            .at(ms(100))
            .begins("probe")
            .refuses()
            .does_not_rest()
            .abandons("probe")
            .rests()
            .is(Position::HalfOpen)
            .succeeds()
            .is(Position::Closed);
    }

    #[test]
    fn a_probe_that_a_policy_further_inside_refuses_gives_its_place_back() {
        let full = Outcome::RefusedBy(Refuser::Bulkhead);
        in_a_row().results("FF").at(ms(100)).ends_at_once(full).is(Position::HalfOpen).fails().is(Position::Open);
    }

    #[test]
    fn an_abandoned_call_is_neither_success_nor_failure() {
        in_a_row().fails().begins("abandoned").abandons("abandoned").fails().is(Position::Open);
        in_a_row().begins("a").begins("b").abandons("a").abandons("b").is(Position::Closed);
        let least_two = story("breaker: { failure_rate: 50%, window: 4, minimum_calls: 2, open_for: 1s }");
        least_two.begins("abandoned").abandons("abandoned").fails().is(Position::Closed).succeeds().is(Position::Open);
    }

    #[test]
    fn what_counts_as_a_failure_can_be_said() {
        for failure in
            [Outcome::Timeout, Outcome::Unavailable, Outcome::Throttled(ms(1)), Outcome::Error, Outcome::Unreachable]
        {
            in_a_row().ends_at_once(failure).ends_at_once(failure).is(Position::Open);
        }
        for fine in [Outcome::Ok, Outcome::Degraded(2), Outcome::Rejected] {
            in_a_row().fails().ends_at_once(fine).fails().is(Position::Closed);
        }
        let chosen = || story("breaker: { consecutive_failures: 1, open_for: 1s, on: [rejected, refused] }");
        chosen().ends_at_once(Outcome::Error).ends_at_once(Outcome::Timeout).is(Position::Closed);
        chosen().ends_at_once(Outcome::Rejected).is(Position::Open);
        chosen().ends_at_once(Outcome::RefusedBy(Refuser::RateLimit)).is(Position::Open);
    }

    #[test]
    fn a_restart_closes_it_and_forgets_what_was() {
        in_a_row()
            .results("FF")
            .restarts()
            .is(Position::Closed)
            .fails()
            .is(Position::Closed)
            .fails()
            .is(Position::Open);
    }

    /// Calls until it opens, when each fails with this probability: their mean, and the standard error of that.
    fn calls_until_it_opens(policy: &str, failure: f64) -> (f64, f64) {
        let mut chance = crate::engine::Streams::new(1).named("failures");
        let mut breaker = story(policy);
        let (mut sum, mut squares, rounds) = (0.0, 0.0, 4_000.0);
        for _ in 0..4_000 {
            let mut calls = 0.0;
            while breaker.position() == Position::Closed {
                breaker = if chance.chance(failure) { breaker.fails() } else { breaker.succeeds() };
                calls += 1.0;
            }
            breaker = breaker.restarts();
            sum += calls;
            squares += calls * calls;
        }
        let mean = sum / rounds;
        (mean, ((squares / rounds - mean * mean) / rounds).sqrt())
    }

    #[test]
    fn it_takes_as_many_calls_to_open_as_probability_says() {
        let window = "breaker: { failure_rate: 50%, window: 10, open_for: 1s }";
        let row = |failures: u32| format!("breaker: {{ consecutive_failures: {failures}, open_for: 1s }}");
        for (policy, failure, expected) in [
            // k failures in a row: (p^-k - 1) / (1 - p).
            (row(3), 0.5, 14.0),
            (row(5), 0.5, 62.0),
            (row(3), 0.3, 51.481_481_48),
            // Five of the last ten: the exact Markov chain on the 2^10 windows.
            (window.to_owned(), 0.2, 117.770_201_1),
            (window.to_owned(), 0.3, 34.801_614_64),
        ] {
            let (mean, error) = calls_until_it_opens(&policy, failure);
            assert!((mean - expected).abs() < 4.0 * error, "{policy}: {mean} instead of {expected}, ± {error}");
        }
    }
}
