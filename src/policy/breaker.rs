//! breaker: stop calling what keeps failing, and probe it now and then.
//!
//! ```text
//!               too many failures                 the pause is over
//!   closed ──────────────────────────► open ──────────────────────────► half-open
//!     ▲                                  ▲                                 │    │
//!     │                                  └─ too many probes failed, or ────┘    │
//!     │                                     they took too long                  │
//!     └───────────────────────────── the probes succeeded ──────────────────────┘
//! ```
//!
//! Always: the result of a call counts only in the period (closed, half-open, one window that tumbles) in which the
//! call was placed, so a late failure never prolongs a pause. A probe that is abandoned, or whose outcome is ignored,
//! gives its place back. A cancelled call is neither success nor failure. Nothing moves by a timer: what is over is
//! noticed with the next call that comes or ends.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Blueprint, Enter, Leave, Passage, Policy, Position, When, set_of};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::scenario::tree::refuse;
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Stop calling what keeps failing.
///
/// Opens by `failure_rate` over a window (as resilience4j, Polly and Hystrix do) or after `consecutive_failures` (as
/// gobreaker and most textbooks do), but not by both; and, with or without one of the two, by the share of `slow_call`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Breaker")]
pub struct Spec {
    /// Open when at least this share of the calls in the window has failed. Equality opens, and a success can be the
    /// call that makes up the `minimum_calls`. 100%: only when all have failed. (resilience4j: `failureRateThreshold`.)
    #[serde(default, deserialize_with = "some_share")]
    pub failure_rate: Option<Share>,
    /// Open after this many failures in a row, the last of them included; a success starts anew. 1: with each failure.
    /// (gobreaker's default is 6: more than five.)
    #[serde(default, deserialize_with = "at_least_one")]
    pub consecutive_failures: Option<u32>,
    /// Open also when too many calls were slow, whatever they answered.
    #[serde(default)]
    pub slow_call: Option<SlowCall>,
    /// Over what the rates are taken: the results of the last so much time (`30s`) or of the last so many calls
    /// (`100`), which slide; or `{ tumbling: 30s }`, which starts from nothing each time. Default: 100 calls. With
    /// `consecutive_failures` alone only a window that tumbles has a meaning: the row is broken when it ends.
    #[serde(default)]
    pub window: Option<Window>,
    /// With fewer results than this in the window, no rate is computed and the breaker stays closed. 1: one bad result
    /// is enough to open. Default: as many as the window has calls; 100 for a window of time. (resilience4j:
    /// `minimumNumberOfCalls`; Hystrix: `requestVolumeThreshold`; Polly: `MinimumThroughput`.)
    #[serde(default, deserialize_with = "at_least_one")]
    pub minimum_calls: Option<u32>,
    /// How long it stays open before it lets probes through: a time, or times that grow. Zero: the next call is a probe.
    pub open_for: Pause,
    /// Calls let through in one round of half-open; all others are refused. Default: as many as `successes`, or 1.
    /// (resilience4j: `permittedNumberOfCallsInHalfOpenState`; gobreaker: `MaxRequests`.)
    #[serde(default, deserialize_with = "at_least_one")]
    pub probes: Option<u32>,
    /// Probes under way at the same time, at most. 1: one after the other. Default: all `probes`.
    #[serde(default, deserialize_with = "at_least_one")]
    pub probes_at_once: Option<u32>,
    /// Close with this many good probes, and open again as soon as so many of the `probes` can no longer be good; a
    /// probe that is slow, as `slow_call` says, is not good. Default: with a rate none is counted: when all probes have
    /// ended, or `minimum_calls` of them if that is less, the same rates decide (as in resilience4j). With
    /// `consecutive_failures`: all `probes`, so that one that fails opens it again (as in gobreaker).
    #[serde(default, deserialize_with = "at_least_one")]
    pub successes: Option<u32>,
    /// How long half-open may last. When it is over, the breaker is open again, for a pause counted from then; that is
    /// noticed with the next call. Default: no limit, and one probe that never ends refuses everybody for as long.
    /// (resilience4j: `maxWaitDurationInHalfOpenState`.)
    #[serde(default, deserialize_with = "some_time")]
    pub half_open_for: Option<Span>,
    /// Which outcomes count as failures. Default: all but `rejected`, which counts as a success, `refused`, which is
    /// ignored, and those in `ignore`.
    #[serde(default)]
    pub on: Option<Vec<When>>,
    /// Which outcomes count as nothing: no result, and a probe gives its place back. `refused` is among them unless it
    /// stands in `on`; an answer never is. Default: none beside it. (resilience4j: `ignoreExceptions`; gobreaker:
    /// `IsExcluded`.)
    #[serde(default)]
    pub ignore: Vec<When>,
    /// Held by hand, whatever happens. Default: not at all.
    #[serde(default)]
    pub forced: Option<Forced>,
    /// One breaker for all instances of the caller. Default: each instance has its own, as in life.
    #[serde(default)]
    pub shared: bool,
}

/// When a call was too slow, and how many such calls are too many. A call is timed from the moment it passes the breaker
/// until it comes back, and counts when it comes back: what a `timeout` outside the breaker cuts off counts as nothing.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowCall {
    /// A call that takes longer than this is slow, also if it succeeds. Exactly this long is not. (resilience4j:
    /// `slowCallDurationThreshold`.)
    pub after: Span,
    /// Open when at least this share of the calls in the window was slow. Equality opens. (resilience4j:
    /// `slowCallRateThreshold`, where 100% is the default.)
    #[serde(deserialize_with = "share")]
    pub rate: Share,
}

/// How long a breaker stays open. Short form: `open_for: 30s`, always the same.
///
/// first × factor^(rounds of probes that failed since it was closed last), at most `cap`. (resilience4j:
/// `waitIntervalFunctionInOpenState`; Polly: `BreakDurationGenerator`.)
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Pause")]
pub struct Pause {
    /// The pause after it was closed.
    pub first: Span,
    /// How many times as long each further pause is. 1: all the same. Default: 2.
    #[serde(default = "two")]
    pub factor: f64,
    /// The longest pause. Default: no limit; after ten failed rounds of probes a second has become 17 minutes.
    #[serde(default)]
    pub cap: Option<Span>,
}

fn two() -> f64 {
    2.0
}

short_form!(Pause, Span, |first| Pause { first, factor: 1.0, cap: None });

/// Where a breaker is held. (Hystrix: `forceOpen` and `forceClosed`; resilience4j: `FORCED_OPEN` and `DISABLED`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Every call is refused: a dependency is switched off.
    Open,
    /// Every call passes, as if there were no breaker.
    Closed,
}

/// Over what the rates are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The results of the last so many calls.
    Calls(u32),
    /// The results of the last so much time. Kept in slices of a tenth of the window, at most one second each, as
    /// resilience4j keeps them by the second: what leaves the window leaves it a slice at a time.
    Time(Duration),
    /// The results since the window began; when this much time is over, the next call begins a new one, as gobreaker's
    /// `Interval` does. Calls under way then count in neither.
    Tumbling(Duration),
}

/// The long form of a window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tumbling {
    #[serde(deserialize_with = "length")]
    tumbling: Span,
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Window;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as `30s`, a number of calls such as `100`, or `{ tumbling: 30s }`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Window, E> {
                match u32::try_from(n) {
                    Ok(0) => Err(refuse("a window of no calls", "give at least 1 call, or a time")),
                    Ok(calls) => Ok(Window::Calls(calls)),
                    Err(_) => Err(refuse("a window of that many calls is too large", "give a time, such as `30s`")),
                }
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Window, E> {
                match u64::try_from(n) {
                    Ok(calls) => self.visit_u64(calls),
                    Err(_) => Err(refuse("a window of less than no calls", "give at least 1 call, or a time")),
                }
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Window, E> {
                let length = text.parse::<Span>().map_err(|refusal| refuse(refusal.message, refusal.help))?;
                some_length(length).map(|length| Window::Time(length.0))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Window, A::Error> {
                let Tumbling { tumbling } = Tumbling::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Window::Tumbling(tumbling.0))
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
        let mut tumbling = span.clone();
        tumbling.insert(
            "description".into(),
            "The results since the window began. When this much time is over, the next call begins a new one, with no \
             results; calls under way then count in neither. (gobreaker: `Interval`.)"
                .into(),
        );
        schemars::json_schema!({
            "description": "A time such as `30s`, or a number of calls such as `100`, over which it slides: a window of \
                time in slices of a tenth of it, at most one second each (as resilience4j has it by the second), one of \
                calls with each result. Or it tumbles:",
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                span,
                {
                    "type": "object",
                    "properties": { "tumbling": tumbling },
                    "required": ["tumbling"],
                    "additionalProperties": false
                }
            ]
        })
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    match Option::deserialize(deserializer)? {
        Some(0) => Err(refuse("must be 1 or more", "leave it out for the default")),
        other => Ok(other),
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
    let share = Share::deserialize(deserializer)?;
    if share.0 <= 0.0 {
        return Err(refuse("a rate of 0% is always reached", "give a share above zero"));
    }
    Ok(share)
}

fn some_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Share>, D::Error> {
    share(deserializer).map(Some)
}

fn some_length<E: Error>(length: Span) -> Result<Span, E> {
    if length.0.is_zero() {
        return Err(refuse("must last longer than no time", "give a time above zero"));
    }
    Ok(length)
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    some_length(Span::deserialize(deserializer)?)
}

fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    length(deserializer).map(Some)
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        let has_rate = self.failure_rate.is_some() || self.slow_call.is_some();
        if self.failure_rate.is_some() && self.consecutive_failures.is_some() {
            wrong("a breaker opens either by `failure_rate` or by `consecutive_failures`", "give one of the two");
        }
        if !has_rate && self.consecutive_failures.is_none() {
            wrong("nothing opens this breaker", "give `failure_rate`, `consecutive_failures` or `slow_call`");
        }
        if !has_rate && matches!(self.window, Some(Window::Calls(_) | Window::Time(_))) {
            wrong(
                "a window that slides has no effect on failures in a row",
                "leave `window` out, or break the row each 30 s with `window: { tumbling: 30s }`",
            );
        }
        if !has_rate && self.minimum_calls.is_some() {
            wrong("`minimum_calls` has no effect on failures in a row", "leave it out");
        }
        if let Some(calls) = self.window_calls()
            && self.minimum_calls.is_some_and(|least| least > calls)
        {
            wrong(
                "`minimum_calls` is more than the window can hold: the breaker would never open",
                &format!("give at most {calls}"),
            );
        }
        if let (Some(probes), Some(successes)) = (self.probes, self.successes)
            && successes > probes
        {
            wrong("more `successes` than `probes`: the breaker would never close", "let through more `probes`");
        }
        if self.probes_at_once.is_some_and(|at_once| at_once > self.probes()) {
            wrong("`probes_at_once` is more than all `probes`", &format!("give at most {}", self.probes()));
        }
        if !(self.open_for.factor.is_finite() && self.open_for.factor >= 1.0) {
            wrong("the `factor` of `open_for` must be 1 or more", "2 doubles the pause each time");
        }
        if self.open_for.cap.is_some_and(|cap| cap.0 < self.open_for.first.0) {
            wrong("the `cap` of `open_for` is below its `first`", "give `cap` at least the time of `first`");
        }
        if let Some(both) = self.ignore.iter().find(|when| self.on.iter().flatten().any(|other| other == *when)) {
            wrong(
                &format!("`{}` stands in `on` and in `ignore`", both.name()),
                "an outcome counts as a failure or as nothing",
            );
        }
        found
    }

    fn window(&self) -> Window {
        self.window.unwrap_or(Window::Calls(100))
    }

    /// How many calls the window can hold, if it is one of calls.
    fn window_calls(&self) -> Option<u32> {
        match self.window() {
            Window::Calls(calls) => Some(calls),
            Window::Time(_) | Window::Tumbling(_) => None,
        }
    }

    fn probes(&self) -> u32 {
        self.probes.or(self.successes).unwrap_or(1)
    }

    /// What can open it; none if something else than an outcome can, or its position is forced.
    pub(super) fn opens_on(&self) -> Option<OutcomeSet> {
        (self.slow_call.is_none() && self.forced.is_none()).then(|| self.failures())
    }

    fn failures(&self) -> OutcomeSet {
        match &self.on {
            Some(on) => set_of(on),
            None => {
                let all = [When::Timeout, When::Unavailable, When::Throttled, When::Error, When::Unreachable];
                all.iter()
                    .filter(|when| !self.ignore.contains(when))
                    .fold(OutcomeSet::default(), |set, when| set.and(set_of(&[*when])))
            }
        }
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "breaker"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let probes = self.probes();
        Box::new(Breaker {
            in_a_row: self.consecutive_failures,
            limits: Limits {
                failures: self.failure_rate.map(|share| share.0),
                slow: self.slow_call.as_ref().map(|slow| slow.rate.0),
            },
            minimum: self.minimum_calls.or(self.window_calls()).unwrap_or(100),
            slow_after: self.slow_call.as_ref().map(|slow| slow.after.0),
            window: self.window(),
            pause: self.open_for.clone(),
            half_open_for: self.half_open_for.map_or(Duration::FOREVER, |span| span.0),
            probes,
            at_once: self.probes_at_once.unwrap_or(probes),
            successes: self.successes.or(self.consecutive_failures.map(|_| probes)),
            decided_by: self.minimum_calls.map_or(probes, |least| least.min(probes)),
            failures: self.failures(),
            ignored: set_of(&self.ignore).and(set_of(&[When::Refused])).and(OutcomeSet::of(&[Outcome::Cancelled])),
            forced: self.forced,
            period: 0,
            since: Time::ZERO,
            rounds: 0,
            state: State::CLOSED,
            results: Results::new(self.window()),
            entered: Entered::default(),
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

/// From which shares of calls on it opens.
#[derive(Clone, Copy, Debug)]
struct Limits {
    failures: Option<f64>,
    slow: Option<f64>,
}

impl Limits {
    fn are_given(self) -> bool {
        self.failures.is_some() || self.slow.is_some()
    }

    /// Equality counts. A quotient and the share that was written are both the nearest number to the same fraction, so
    /// that 7 of 100 are 7%; a product of the two would not be 7.
    fn reached(self, tally: Tally) -> bool {
        let at_least = |part: u32, limit: Option<f64>| {
            limit.is_some_and(|limit| f64::from(part) / f64::from(tally.calls) >= limit)
        };
        at_least(tally.failures, self.failures) || at_least(tally.slow, self.slow)
    }
}

/// What has ended.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    calls: u32,
    failures: u32,
    slow: u32,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.failures += other.failures;
        self.slow += other.slow;
    }

    fn take(&mut self, other: Self) {
        self.calls -= other.calls;
        self.failures -= other.failures;
        self.slow -= other.slow;
    }
}

#[derive(Debug)]
struct Breaker {
    in_a_row: Option<u32>,
    limits: Limits,
    minimum: u32,
    slow_after: Option<Duration>,
    window: Window,
    pause: Pause,
    half_open_for: Duration,
    probes: u32,
    at_once: u32,
    /// Good probes that close it; none if the rates decide ..
    successes: Option<u32>,
    /// .. which they do when so many probes have ended.
    decided_by: u32,
    failures: OutcomeSet,
    /// Neither successes nor failures, unless they are among the failures.
    ignored: OutcomeSet,
    forced: Option<Forced>,
    /// Counts the changes of state; a passage remembers the period in which it entered.
    period: u32,
    /// When this period began.
    since: Time,
    /// Pauses since it was closed last.
    rounds: u32,
    state: State,
    /// What has ended in the window, while it is closed.
    results: Results,
    entered: Entered,
}

#[derive(Debug)]
enum State {
    Closed { in_a_row: u32 },
    Open { until: Time },
    HalfOpen { out: u32, good: u32, ended: Tally },
}

impl State {
    const CLOSED: Self = Self::Closed { in_a_row: 0 };
}

impl Breaker {
    fn change(&mut self, now: Time, state: State) {
        self.period = self.period.wrapping_add(1);
        self.since = now;
        self.state = state;
        self.results.clear();
    }

    fn open(&mut self, now: Time) {
        let Pause { first, factor, cap } = &self.pause;
        // The exponent is bounded so that the power stays finite; by then the cap, or forever, rules.
        let grown = first.0.scale(libm::pow(*factor, f64::from(self.rounds.min(1_000))));
        let pause = cap.map_or(grown, |cap| grown.min(cap.0));
        self.rounds = self.rounds.saturating_add(1);
        self.change(now, State::Open { until: now + pause });
    }

    fn close(&mut self, now: Time) {
        self.rounds = 0;
        self.change(now, State::CLOSED);
    }

    /// What has come to its end since the last call: a window that tumbles, or the time for probes.
    fn pass_time(&mut self, now: Time) {
        match (&self.state, self.window) {
            (State::Closed { .. }, Window::Tumbling(length)) if now >= self.since + length => self.close(now),
            (State::HalfOpen { .. }, _) if now >= self.since + self.half_open_for => {
                self.open(self.since + self.half_open_for);
            }
            _ => {}
        }
    }

    fn judge_closed(&mut self, now: Time, result: Tally) {
        let State::Closed { in_a_row } = &mut self.state else { return };
        *in_a_row = if result.failures > 0 { *in_a_row + 1 } else { 0 };
        let in_a_row = *in_a_row;
        let mut opens = self.in_a_row.is_some_and(|limit| in_a_row >= limit);
        if self.limits.are_given() {
            self.results.add(now, result);
            let sum = self.results.sum;
            opens |= sum.calls >= self.minimum && self.limits.reached(sum);
        }
        if opens {
            self.open(now);
        }
    }

    fn judge_probe(&mut self, now: Time, result: Tally) {
        let State::HalfOpen { out, good, ended } = &mut self.state else { return };
        *out -= 1;
        ended.add(result);
        *good += u32::from(result.failures + result.slow == 0);
        let (good, ended) = (*good, *ended);
        let (opens, closes) = match self.successes {
            Some(needed) => (ended.calls - good > self.probes - needed, good >= needed),
            None if ended.calls < self.decided_by => (false, false),
            None => (self.limits.reached(ended), true),
        };
        if opens {
            self.open(now);
        } else if closes {
            self.close(now);
        }
    }
}

impl Policy for Breaker {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        match self.forced {
            Some(Forced::Open) => return Enter::Refuse,
            Some(Forced::Closed) => return Enter::Proceed,
            None => {}
        }
        self.pass_time(passage.now);
        if let State::Open { until } = self.state {
            if passage.now < until {
                return Enter::Refuse;
            }
            self.change(passage.now, State::HalfOpen { out: 0, good: 0, ended: Tally::default() });
        }
        if let State::HalfOpen { out, ended, .. } = &mut self.state {
            if *out >= self.at_once || *out + ended.calls >= self.probes {
                return Enter::Refuse;
            }
            *out += 1;
        }
        let place = if self.slow_after.is_some() { self.entered.come(passage.now) } else { 0 };
        *passage.word = u64::from(self.period) << 32 | u64::from(place);
        Enter::Proceed
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if self.forced.is_some() {
            return Leave::Pass;
        }
        let slow = self.slow_after.is_some_and(|limit| {
            let entered = self.entered.go(*passage.word as u32);
            passage.now - entered > limit
        });
        self.pass_time(passage.now);
        // A call of an earlier period: its result says nothing about the present one.
        if *passage.word >> 32 != u64::from(self.period) {
            return Leave::Pass;
        }
        let failed = self.failures.has(outcome);
        if self.ignored.has(outcome) && !failed {
            // Nothing was learnt. A probe gives its place back.
            if let State::HalfOpen { out, .. } = &mut self.state {
                *out -= 1;
            }
            return Leave::Pass;
        }
        let result = Tally { calls: 1, failures: u32::from(failed), slow: u32::from(slow) };
        match self.state {
            State::Closed { .. } => self.judge_closed(passage.now, result),
            State::HalfOpen { .. } => self.judge_probe(passage.now, result),
            State::Open { .. } => {}
        }
        Leave::Pass
    }

    fn at_rest(&self) -> bool {
        !matches!(self.state, State::HalfOpen { out: 1.., .. })
    }

    fn position(&self) -> Position {
        match (self.forced, &self.state) {
            (Some(Forced::Open), _) | (None, State::Open { .. }) => Position::Open,
            (Some(Forced::Closed), _) | (None, State::Closed { .. }) => Position::Closed,
            (None, State::HalfOpen { .. }) => Position::HalfOpen,
        }
    }

    fn reset(&mut self) {
        self.close(Time::ZERO);
    }
}

/// When the calls under way came in, by place. Places are used again.
#[derive(Debug, Default)]
struct Entered {
    times: Vec<Time>,
    free: Vec<u32>,
}

impl Entered {
    fn come(&mut self, now: Time) -> u32 {
        if let Some(place) = self.free.pop() {
            self.times[place as usize] = now;
            return place;
        }
        self.times.push(now);
        u32::try_from(self.times.len() - 1).expect("fewer calls are under way than fit into memory")
    }

    fn go(&mut self, place: u32) -> Time {
        self.free.push(place);
        self.times[place as usize]
    }
}

/// The results in the window, and their sum.
#[derive(Debug)]
struct Results {
    window: Window,
    /// Slices that slide out of it, oldest first, with their start. A window of calls has one slice a call, one that
    /// tumbles has none.
    slices: VecDeque<(Time, Tally)>,
    sum: Tally,
}

impl Results {
    fn new(window: Window) -> Self {
        Self { window, slices: VecDeque::new(), sum: Tally::default() }
    }

    fn clear(&mut self) {
        self.slices.clear();
        self.sum = Tally::default();
    }

    fn add(&mut self, now: Time, result: Tally) {
        match self.window {
            Window::Calls(limit) => {
                if self.sum.calls == limit {
                    self.drop_oldest();
                }
                self.slices.push_back((now, result));
            }
            Window::Time(length) => {
                while self.slices.front().is_some_and(|slice| slice.0 + length <= now) {
                    self.drop_oldest();
                }
                let slice = (length.nanos() / 10).clamp(1, 1_000_000_000);
                match self.slices.back_mut() {
                    Some(last) if now.nanos() / slice == last.0.nanos() / slice => last.1.add(result),
                    _ => self.slices.push_back((now, result)),
                }
            }
            Window::Tumbling(_) => {}
        }
        self.sum.add(result);
    }

    fn drop_oldest(&mut self) {
        if let Some((_, tally)) = self.slices.pop_front() {
            self.sum.take(tally);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, ms, story};
    use super::*;
    use crate::outcome::Lesser;

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
    fn the_rates_decide_half_open_with_no_more_calls_than_they_need() {
        let half_open = || {
            story("breaker: { failure_rate: 50%, window: 10, minimum_calls: 2, probes: 4, open_for: 1s }")
                .results("FF")
                .at(ms(1_000))
        };
        half_open().results("S").is(Position::HalfOpen).succeeds().is(Position::Closed);
        half_open().results("S").is(Position::HalfOpen).fails().is(Position::Open);
        half_open().begins("1").begins("2").begins("3").begins("4").refuses();
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
        for fine in [Outcome::Ok, Outcome::Degraded(Lesser::PARTIAL), Outcome::Rejected] {
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

    /// A call that comes in now and ends with this outcome at that time.
    fn takes(story: Story, from: u64, to: u64, outcome: Outcome) -> Story {
        story.at(ms(from)).begins("timed").at(ms(to)).ends("timed", outcome)
    }

    #[test]
    fn a_share_is_reached_exactly() {
        // 7 of 100 is 7%, although 0.07 × 100 is more than 7 in floating point.
        let seven =
            |results: String| story("breaker: { failure_rate: 7%, window: 100, open_for: 1s }").results(&results);
        seven("F".repeat(7) + &"S".repeat(93)).is(Position::Open);
        seven("F".repeat(6) + &"S".repeat(94)).is(Position::Closed);
    }

    /// As in resilience4j's own tests: half of the calls of 20 s longer than 4 s.
    fn slow() -> Story {
        story(
            "breaker: { failure_rate: 50%, slow_call: { after: 4s, rate: 50% }, window: 20s, minimum_calls: 5, \
             probes: 4, open_for: 5s }",
        )
    }

    #[test]
    fn slow_calls_open_it_also_when_they_succeed() {
        // Three of five were slow, and two of five failed.
        let story = takes(slow(), 0, 5_000, Outcome::Error);
        let story = takes(story, 5_000, 10_000, Outcome::Ok);
        let story = takes(story, 10_000, 10_100, Outcome::Error);
        let story = takes(story, 10_100, 10_200, Outcome::Ok).is(Position::Closed);
        takes(story, 10_200, 15_200, Outcome::Ok).is(Position::Open).refuses();
    }

    #[test]
    fn exactly_as_long_is_not_slow() {
        let limit = || story("breaker: { slow_call: { after: 2s, rate: 100% }, window: 1, open_for: 1s }");
        takes(limit(), 0, 2_000, Outcome::Ok).is(Position::Closed);
        takes(limit(), 0, 2_001, Outcome::Ok).is(Position::Open);
        // Without a `failure_rate` failures are results like others.
        takes(limit(), 0, 1_000, Outcome::Error).is(Position::Closed);
    }

    #[test]
    fn each_call_is_timed_from_its_own_beginning() {
        story("breaker: { slow_call: { after: 1s, rate: 50% }, window: 4, open_for: 1s }")
            .begins("a")
            .at(ms(500))
            .begins("b")
            .at(ms(800))
            .ends("a", Outcome::Ok)
            .begins("c")
            .at(ms(1_600))
            .begins("d")
            .ends("b", Outcome::Ok)
            .ends("c", Outcome::Ok)
            .is(Position::Closed)
            .at(ms(2_601))
            // Of 0.8, 1.1, 0.8 and 1.001 s two are slow.
            .ends("d", Outcome::Ok)
            .is(Position::Open);
    }

    #[test]
    fn slow_calls_that_are_abandoned_or_ignored_count_as_nothing() {
        let ignoring = "breaker: { slow_call: { after: 1s, rate: 50% }, window: 1, open_for: 1s, ignore: [rejected] }";
        let story = takes(story(ignoring), 0, 5_000, Outcome::Rejected);
        let story = story.begins("abandoned").at(ms(9_000)).abandons("abandoned").is(Position::Closed);
        takes(story, 10_000, 11_001, Outcome::Ok).is(Position::Open);
    }

    #[test]
    fn slow_probes_open_it_again() {
        let half_open = slow().results("FFFFF").at(ms(5_000));
        let mut story = half_open;
        for probe in 0..3 {
            story = takes(story, 5_000 + 5_000 * probe, 10_000 + 5_000 * probe, Outcome::Ok).is(Position::HalfOpen);
        }
        story.succeeds().is(Position::Open);
        // With a number of successes, a slow one is none.
        let counted = story_of_slow_probe();
        takes(counted, 1_000, 2_001, Outcome::Ok).is(Position::Open);
        takes(story_of_slow_probe(), 1_000, 2_000, Outcome::Ok).is(Position::Closed);
    }

    fn story_of_slow_probe() -> Story {
        story("breaker: { consecutive_failures: 1, slow_call: { after: 1s, rate: 100% }, open_for: 1s }").fails()
    }

    #[test]
    fn a_row_and_slow_calls_can_stand_side_by_side() {
        let both = || {
            story("breaker: { consecutive_failures: 3, slow_call: { after: 1s, rate: 50% }, window: 2, open_for: 1s }")
        };
        both().results("FFF").is(Position::Open);
        takes(both(), 0, 1_001, Outcome::Ok).succeeds().is(Position::Open);
    }

    #[test]
    fn what_is_ignored_is_neither_success_nor_failure() {
        let ignoring = "breaker: { consecutive_failures: 2, open_for: 100ms, ignore: [rejected, throttled] }";
        let throttled = Outcome::Throttled(ms(1));
        // It does not break the row, and it does not lengthen it.
        story(ignoring).fails().ends_at_once(Outcome::Rejected).is(Position::Closed).fails().is(Position::Open);
        story(ignoring).fails().ends_at_once(throttled).is(Position::Closed);
        // It makes up no `minimum_calls`.
        let least_two =
            story("breaker: { failure_rate: 50%, window: 4, minimum_calls: 2, open_for: 1s, ignore: [rejected] }");
        least_two.fails().ends_at_once(Outcome::Rejected).is(Position::Closed).succeeds().is(Position::Open);
        // A probe gives its place back.
        story(ignoring)
            .results("FF")
            .at(ms(100))
            .begins("probe")
            .refuses()
            .ends("probe", Outcome::Rejected)
            .rests()
            .is(Position::HalfOpen)
            .succeeds()
            .is(Position::Closed);
    }

    #[test]
    fn pauses_grow_until_it_closes_again() {
        let growing = "breaker: { consecutive_failures: 1, open_for: { first: 1s, cap: 3s } }";
        story(growing)
            .fails()
            .at(ms(999))
            .refuses()
            .at(ms(1_000))
            .fails()
            .at(ms(2_999))
            .refuses()
            .at(ms(3_000))
            .fails()
            // Three seconds instead of four.
            .at(ms(5_999))
            .refuses()
            .at(ms(6_000))
            .fails()
            .at(ms(8_999))
            .refuses()
            .at(ms(9_000))
            .succeeds()
            .is(Position::Closed)
            .fails()
            .at(ms(9_999))
            .refuses()
            .at(ms(10_000))
            .begins("the pause was the first again");
        story("breaker: { consecutive_failures: 1, open_for: { first: 100ms, factor: 1.5 } }")
            .fails()
            .at(ms(100))
            .fails()
            .at(ms(249))
            .refuses()
            .at(ms(250))
            .fails()
            .at(ms(474))
            .refuses()
            .at(ms(475))
            .begins("a probe");
    }

    #[test]
    fn no_pause_at_all_makes_the_next_call_a_probe() {
        story("breaker: { consecutive_failures: 1, open_for: 0s }")
            .fails()
            .is(Position::Open)
            .succeeds()
            .is(Position::Closed);
    }

    #[test]
    fn successes_are_counted_apart_from_probes() {
        let two_of_three = || {
            story("breaker: { consecutive_failures: 5, open_for: 30s, probes: 3, successes: 2 }")
                .results("FFFFF")
                .at(ms(30_000))
        };
        two_of_three().results("SS").is(Position::Closed);
        two_of_three().results("SF").is(Position::HalfOpen).succeeds().is(Position::Closed);
        two_of_three().results("FS").is(Position::HalfOpen).succeeds().is(Position::Closed);
        // With the second failure two of three are out of reach.
        two_of_three().results("FF").is(Position::Open);
        two_of_three().results("SF").is(Position::HalfOpen).fails().is(Position::Open);
        two_of_three().begins("1").begins("2").begins("3").refuses();
        // With a rate too, the successes decide, as soon as they can.
        story("breaker: { failure_rate: 100%, window: 1, open_for: 1s, probes: 3, successes: 2 }")
            .fails()
            .at(ms(1_000))
            .results("FF")
            .is(Position::Open);
    }

    #[test]
    fn fewer_probes_may_be_under_way_than_are_let_through() {
        story("breaker: { consecutive_failures: 1, open_for: 1s, successes: 3, probes_at_once: 2 }")
            .fails()
            .at(ms(1_000))
            .begins("1")
            .begins("2")
            .refuses()
            .ends("1", Outcome::Ok)
            .begins("3")
            .refuses()
            .ends("2", Outcome::Ok)
            // The third is under way: no fourth is let in.
            .refuses()
            .ends("3", Outcome::Ok)
            .is(Position::Closed);
    }

    #[test]
    fn half_open_waits_for_its_probes_no_longer_than_told() {
        let limited = "breaker: { consecutive_failures: 1, open_for: 1s, half_open_for: 500ms }";
        let waiting =
            || story(limited).fails().at(ms(1_000)).begins("probe").at(ms(1_499)).refuses().is(Position::HalfOpen);
        // Open again from 1.5 s to 2.5 s, whenever somebody looks.
        waiting().at(ms(1_500)).refuses().is(Position::Open).at(ms(2_499)).refuses().at(ms(2_500)).begins("another");
        waiting().at(ms(2_500)).begins("another").is(Position::HalfOpen);
        // The probe comes too late, and gives no place back that was not taken.
        waiting().at(ms(1_500)).ends("probe", Outcome::Ok).is(Position::Open).rests();
        waiting().ends("probe", Outcome::Ok).is(Position::Closed);
        // It counts as a round that failed.
        story("breaker: { consecutive_failures: 1, open_for: { first: 1s }, half_open_for: 500ms }")
            .fails()
            .at(ms(1_000))
            .begins("probe")
            .at(ms(3_499))
            .refuses()
            .at(ms(3_500))
            .begins("another");
        // Without a limit it refuses for as long as the probe takes.
        story("breaker: { consecutive_failures: 1, open_for: 1s }")
            .fails()
            .at(ms(1_000))
            .begins("probe")
            .at(ms(99_000))
            .refuses();
    }

    #[test]
    fn a_window_that_tumbles_forgets_all_at_once() {
        let tumbling =
            || story("breaker: { failure_rate: 50%, window: { tumbling: 10s }, minimum_calls: 4, open_for: 1s }");
        // Four failures within ten seconds, on both sides of the end of a window.
        tumbling()
            .at(ms(8_000))
            .results("FF")
            .at(ms(10_000))
            .results("FF")
            .is(Position::Closed)
            .results("FF")
            .is(Position::Open);
        tumbling().at(ms(8_000)).results("FF").at(ms(9_999)).results("FF").is(Position::Open);
        // The next window begins with the next call, and not by the clock.
        tumbling().at(ms(17_000)).results("FF").at(ms(26_999)).results("FF").is(Position::Open);
        // A call that is under way then counts in neither window.
        let two = story("breaker: { consecutive_failures: 2, window: { tumbling: 10s }, open_for: 1s }");
        two.fails()
            .begins("across")
            .at(ms(10_000))
            .ends("across", Outcome::Error)
            .fails()
            .is(Position::Closed)
            .fails()
            .is(Position::Open);
    }

    #[test]
    fn a_breaker_can_be_held_by_hand() {
        story("breaker: { consecutive_failures: 1, open_for: 1s, forced: open }")
            .is(Position::Open)
            .refuses()
            .at(ms(100_000))
            .refuses();
        story(
            "breaker: { consecutive_failures: 1, slow_call: { after: 1s, rate: 50% }, open_for: 1s, forced: closed }",
        )
        .results("FFF")
        .is(Position::Closed)
        .begins("a")
        .abandons("a")
        .rests()
        .restarts()
        .succeeds();
    }

    // The state tables of the libraries' own tests.

    #[test]
    fn as_gobreaker_with_settings_of_its_own() {
        // TestCustomCircuitBreaker: 60% of at least 3, counted for 30 s at a time, open for 90 s, three in half-open.
        story(
            "breaker: { failure_rate: 60%, minimum_calls: 3, window: { tumbling: 30s }, open_for: 90s, probes: 3, \
             successes: 3 }",
        )
        .results("SFSFSFSFSF")
        .is(Position::Closed)
        .at(ms(29_000))
        .succeeds()
        .at(ms(30_000))
        .results("FS")
        .is(Position::Closed)
        .fails()
        .is(Position::Open)
        .at(ms(119_999))
        .refuses()
        .at(ms(120_000))
        .results("SS")
        .is(Position::HalfOpen)
        .begins("third")
        .refuses()
        .ends("third", Outcome::Ok)
        .is(Position::Closed);
    }

    #[test]
    fn as_resilience4j_when_closed() {
        for (results, position) in [
            ("SSSFF", Position::Closed),
            ("SSSFFF", Position::Open),
            ("FFFS", Position::Closed),
            ("FFFSS", Position::Open),
        ] {
            slow().results(results).is(position);
        }
    }

    #[test]
    fn as_resilience4j_when_half_open() {
        let half_open = || slow().results("FFFFF").at(ms(3_000)).refuses().at(ms(6_000));
        half_open().results("FFSF").is(Position::Open);
        half_open().results("FSSS").is(Position::Closed);
        half_open().begins("1").begins("2").begins("3").begins("4").refuses();
    }

    // Settings from the literature.

    #[test]
    fn half_of_a_minute_one_probe_at_a_time_and_five_successes() {
        story(
            "breaker: { failure_rate: 50%, window: 1min, minimum_calls: 10, open_for: 30s, successes: 5, \
             probes_at_once: 1 }",
        )
        .results("SFSFSFSFSF")
        .is(Position::Open)
        .at(ms(30_000))
        .begins("probe")
        .refuses()
        .ends("probe", Outcome::Ok)
        .results("SSS")
        .is(Position::HalfOpen)
        .succeeds()
        .is(Position::Closed);
    }

    #[test]
    fn half_of_thirty_seconds_with_all_defaults() {
        let defaults = || story("breaker: { failure_rate: 50%, window: 30s, open_for: 30s }");
        let open = || defaults().results(&"SF".repeat(50)).is(Position::Open).at(ms(30_000));
        defaults().results(&"F".repeat(99)).is(Position::Closed);
        open().begins("probe").refuses().ends("probe", Outcome::Ok).is(Position::Closed);
        open().fails().is(Position::Open);
    }

    #[test]
    fn five_failures_and_two_successes_of_few_at_once() {
        let half_open = || {
            story("breaker: { consecutive_failures: 5, open_for: 60s, successes: 2, probes_at_once: 1 }")
                .results("FFFFF")
                .at(ms(60_000))
        };
        half_open()
            .begins("probe")
            .refuses()
            .ends("probe", Outcome::Ok)
            .is(Position::HalfOpen)
            .succeeds()
            .is(Position::Closed);
        half_open().succeeds().fails().is(Position::Open);
    }

    #[test]
    fn five_failures_thirty_seconds_and_one_test_request() {
        let open = || {
            story("breaker: { consecutive_failures: 5, open_for: 30s }")
                .results("FFFFF")
                .at(ms(29_999))
                .refuses()
                .at(ms(30_000))
        };
        open().begins("test").refuses().ends("test", Outcome::Ok).is(Position::Closed);
        open().fails().is(Position::Open);
    }

    #[test]
    fn half_of_ten_seconds_thirty_seconds_and_one_trial() {
        story("breaker: { failure_rate: 50%, window: 10s, minimum_calls: 4, open_for: 30s, probes: 1 }")
            .results("SSFF")
            .is(Position::Open)
            .at(ms(30_000))
            .begins("trial")
            .refuses()
            .ends("trial", Outcome::Timeout)
            .is(Position::Open)
            .at(ms(60_000))
            .succeeds()
            .is(Position::Closed);
    }

    /// The mistakes in a policy, with the text that each points at.
    fn mistakes(options: &str) -> Vec<(String, String)> {
        super::super::story::mistakes(&format!("breaker: {{ {options} }}"))
    }

    #[test]
    fn a_bad_option_is_pointed_at() {
        for (options, said, at) in [
            ("failure_rate: 50%, window: 0, open_for: 1s", "a window of no calls", "0"),
            ("failure_rate: 50%, window: -3, open_for: 1s", "a window of less than no calls", "-3"),
            ("failure_rate: 50%, window: 0s, open_for: 1s", "must last longer than no time", "0s"),
            ("failure_rate: 50%, window: { tumbling: 0s }, open_for: 1s", "must last longer than no time", "0s"),
            ("failure_rate: 0%, open_for: 1s", "a rate of 0% is always reached", "0%"),
            ("consecutive_failures: 0, open_for: 1s", "must be 1 or more", "0"),
            ("failure_rate: 50%, minimum_calls: 0, open_for: 1s", "must be 1 or more", "0"),
            ("consecutive_failures: 1, probes: 0, open_for: 1s", "must be 1 or more", "0"),
            ("consecutive_failures: 1, probes_at_once: 0, open_for: 1s", "must be 1 or more", "0"),
            ("consecutive_failures: 1, successes: 0, open_for: 1s", "must be 1 or more", "0"),
            ("consecutive_failures: 1, half_open_for: 0s, open_for: 1s", "must last longer than no time", "0s"),
            ("slow_call: { after: 1s, rate: 0% }, open_for: 1s", "a rate of 0% is always reached", "0%"),
        ] {
            let found = mistakes(options);
            assert!(found.len() == 1 && found[0].0.contains(said) && found[0].1 == at, "{options}: {found:?}");
        }
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (options, said) in [
            ("open_for: 1s", "nothing opens"),
            ("failure_rate: 50%, consecutive_failures: 5, open_for: 1s", "either by"),
            ("consecutive_failures: 5, window: 10s, open_for: 1s", "slides has no effect"),
            ("consecutive_failures: 5, minimum_calls: 10, open_for: 1s", "`minimum_calls` has no effect"),
            ("failure_rate: 50%, window: 10, minimum_calls: 11, open_for: 1s", "more than the window can hold"),
            ("consecutive_failures: 5, probes: 2, successes: 3, open_for: 1s", "more `successes` than `probes`"),
            ("consecutive_failures: 5, probes: 2, probes_at_once: 3, open_for: 1s", "more than all `probes`"),
            ("consecutive_failures: 5, open_for: { first: 1s, factor: 0.5 }", "must be 1 or more"),
            ("consecutive_failures: 5, open_for: { first: 2s, cap: 1s }", "below its `first`"),
            ("consecutive_failures: 5, open_for: 1s, on: [error], ignore: [error]", "`error` stands in `on`"),
        ] {
            let found = mistakes(options);
            assert!(found.len() == 1 && found[0].0.contains(said), "{options}: {found:?}");
        }
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
            (row(5), 0.2, 3_905.0),
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
