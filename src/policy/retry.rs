//! retry: try again after a failure, with backoff, jitter and a budget.
//!
//! ```text
//!   failure ─► worth a retry? ─► attempts left? ─► in the budget? ─► time left? ─► wait (backoff, jitter) ─► again
//!                 │ no              │ no               │ no            │ no
//!                 └─────────────────┴──────────────────┴───────────────┴─► the failure goes on outwards
//! ```
//!
//! Attempts are not retries: `attempts: 3` is one try and two retries. Three layers of three attempts are 27 calls
//! at the bottom. A synchronous caller's worker is held during the backoff too.

use schemars::JsonSchema;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Blueprint, Enter, Leave, Passage, Policy, When, budget, set_of};
use crate::engine::{Dist, Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet};
use crate::scenario::distribution;
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Try again after a failure. Short form: `retry: 3`, which means `attempts: 3` at once and without a budget.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Attempts>)]
#[schemars(rename = "Retry")]
pub struct Spec {
    /// Tries in all, the first one included; 1 means: never retry. At most 32,767. `unlimited`: until it succeeds or
    /// something outside this layer gives up.
    pub attempts: Attempts,
    /// The wait before each retry. Default: none.
    #[serde(default)]
    pub backoff: Backoff,
    /// The least wait after a `throttled` (429), before jitter: it takes the place of a shorter backoff. A 429 that
    /// says itself when to come back (retry-after) is in any case not retried earlier. Default: the backoff alone.
    #[serde(default)]
    pub throttled: Option<Span>,
    /// No retry starts later than this after the call has come to this layer; one whose wait would end later is not
    /// waited for. It interrupts nothing: an attempt under way may take longer, unless a `timeout` stands inside. As
    /// `withMaxDuration` of Failsafe and `MaxElapsedTime` of cenkalti/backoff. Default: no limit. 0: only retries
    /// that start at the instant of the call.
    #[serde(default)]
    pub within: Option<Span>,
    /// How the wait is spread at random, so that callers do not come back in step. Default: none.
    #[serde(default)]
    pub jitter: Jitter,
    /// Which outcomes are retried. Default: timeout, unreachable, unavailable and throttled; an `error` (500) only
    /// if listed, because the work may have been done.
    #[serde(default)]
    pub on: Option<Vec<When>>,
    /// Which outcomes are retried too where the call may be repeated without harm: its operation is `idempotent`, or it carries an
    /// `idempotency_key`. Whether the server honours the key is not asked. `[ error ]` retries a 500 only there; with `on: []` nothing else
    /// is ever retried. Default: none.
    #[serde(default)]
    pub on_idempotent: Vec<When>,
    /// Whether the balancer is asked for another replica than the one that failed. Default: false.
    #[serde(default)]
    pub elsewhere: bool,
    /// The chance that a failure that may be retried is retried at all ("persistence"). Default: 100%.
    #[serde(default)]
    pub persistence: Option<Share>,
    /// A limit on the retries of the caller as a whole. Default: none, and storms are possible.
    #[serde(default)]
    pub budget: Option<budget::Spec>,
    /// One budget for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, Attempts, |attempts| Spec {
    attempts,
    backoff: Backoff::None,
    throttled: None,
    within: None,
    jitter: Jitter::None,
    on: None,
    on_idempotent: Vec::new(),
    elsewhere: false,
    persistence: None,
    budget: None,
    shared: false,
});

/// A number of tries, the first one included, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// At most this many; at least 1.
    AtMost(u32),
    /// No limit.
    Unlimited,
}

impl Attempts {
    fn left_after(self, made: u64) -> bool {
        match self {
            Self::AtMost(limit) => made < u64::from(limit),
            Self::Unlimited => true,
        }
    }
}

impl<'de> Deserialize<'de> for Attempts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Attempts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number of tries, the first one included, or `unlimited`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Attempts, E> {
                u32::try_from(n).map(Attempts::AtMost).map_err(|_| E::invalid_value(Unexpected::Unsigned(n), &self))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Attempts, E> {
                u64::try_from(n)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
                    .and_then(|n| self.visit_u64(n))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Attempts, E> {
                if text == "unlimited" {
                    Ok(Attempts::Unlimited)
                } else {
                    Err(E::invalid_value(Unexpected::Str(text), &self))
                }
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl JsonSchema for Attempts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Attempts".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Tries in all, the first one included, or `unlimited`.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "unlimited" }]
        })
    }
}

/// The wait before a retry, before jitter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// At once.
    #[default]
    None,
    /// The same each time.
    Constant(Span),
    /// Longer each time: `base`, then `factor` times as long, up to `cap`.
    Exponential(Exponential),
    /// Longer by the same time each time: `base`, then `step` more, up to `cap`.
    Linear(Linear),
    /// Longer as the numbers of Fibonacci: 1, 1, 2, 3, 5, 8 .. times `base`, up to `cap`. Grows as an exponential
    /// backoff with a factor of 1.618 in the end, and more gently at first.
    Fibonacci(Fibonacci),
    /// These waits, one after the other; the last one repeats, for it is `attempts` that says how often to try. 0 is
    /// at once: `[ 0, 2s, 4s, 8s ]` tries again at once, and then takes its time.
    List(Vec<Span>),
    /// Drawn anew each time; for comparison with queueing theory, where it is exponential.
    Random(distribution::Spec),
}

/// A wait that grows: base × factor^(retries made before), at most `cap`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExponentialBackoff")]
pub struct Exponential {
    /// The wait before the first retry.
    pub base: Span,
    /// How many times as long each further wait is. Default: 2.
    #[serde(default = "two")]
    pub factor: f64,
    /// The longest wait. Default: no limit.
    #[serde(default)]
    pub cap: Option<Span>,
}

fn two() -> f64 {
    2.0
}

/// A wait that grows evenly: base + step × (retries made before), at most `cap`. Polly's `Linear` with the default step.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LinearBackoff")]
pub struct Linear {
    /// The wait before the first retry.
    pub base: Span,
    /// How much longer each further wait is. Default: as long as `base`.
    #[serde(default)]
    pub step: Option<Span>,
    /// The longest wait. Default: no limit.
    #[serde(default)]
    pub cap: Option<Span>,
}

/// A wait that grows as the numbers of Fibonacci do: `base` times 1, 1, 2, 3, 5 .., at most `cap`. As `backoff.fibo` of
/// Python's backoff.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FibonacciBackoff")]
pub struct Fibonacci {
    /// The wait before the first retry, and before the second.
    pub base: Span,
    /// The longest wait. Default: no limit.
    #[serde(default)]
    pub cap: Option<Span>,
}

/// How a wait is spread at random (`full`, `equal`, `decorrelated`: M. Brooker, "Exponential Backoff And Jitter", 2015).
/// The cap of a backoff limits the wait before it is spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Not at all: callers that failed together come back together.
    #[default]
    None,
    /// Uniform between zero and the wait.
    Full,
    /// Half the wait, and the other half uniform.
    Equal,
    /// Uniform between the base and three times the last wait, at most the cap.
    Decorrelated,
    /// The wait, give or take up to this share of it: `{ plus_minus: 20% }`.
    PlusMinus(Share),
    /// The wait and up to this share of it more, never less: `{ plus: 10% }`.
    Plus(Share),
}

impl Backoff {
    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let (base, cap) = match self {
            Self::None | Self::Constant(_) => return found,
            Self::Random(law) => return law.problems(),
            Self::List(waits) => {
                if waits.is_empty() {
                    found.push((
                        "the list of waits is empty".into(),
                        "name at least one wait in `list`, or leave the backoff out to retry at once".into(),
                    ));
                }
                return found;
            }
            Self::Exponential(grows) => {
                if !(grows.factor.is_finite() && grows.factor >= 1.0) {
                    found.push(("`factor` must be 1 or more".into(), "2 doubles the wait each time".into()));
                }
                (grows.base, grows.cap)
            }
            Self::Linear(grows) => (grows.base, grows.cap),
            Self::Fibonacci(grows) => (grows.base, grows.cap),
        };
        if cap.is_some_and(|cap| cap.0 < base.0) {
            found.push((
                "the cap of the backoff is below its base".into(),
                "give `cap` at least the time of `base`".into(),
            ));
        }
        found
    }
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.attempts == Attempts::AtMost(0) {
            found.push((
                "no attempts at all: the first try counts as one".into(),
                "write `attempts: 1` for no retry".into(),
            ));
        }
        if matches!(self.attempts, Attempts::AtMost(tries) if u64::from(tries) > Memory::MADE) {
            found.push((
                "more attempts than can be counted".into(),
                "write `attempts: unlimited`, or at most 32,767".into(),
            ));
        }
        if self.on.iter().flatten().chain(&self.on_idempotent).any(|it| *it == When::Rejected) {
            found.push((
                "a 4xx is never retried: the same request would be wrong again".into(),
                "take `rejected` out".into(),
            ));
        }
        found.extend(self.backoff.problems());
        if self.jitter != Jitter::None && self.backoff == Backoff::None {
            found.push((
                "`jitter` has nothing to spread: there is no backoff".into(),
                "add a backoff, e.g. `backoff: { exponential: { base: 50ms, cap: 2s } }`".into(),
            ));
        }
        if self.jitter == Jitter::Decorrelated && !matches!(self.backoff, Backoff::Exponential(_)) {
            found.push((
                "decorrelated `jitter` needs an exponential backoff, for its base and its cap".into(),
                "write `backoff: { exponential: { base: 50ms, cap: 2s } }`".into(),
            ));
        }
        if let Some(budget) = &self.budget {
            found.extend(budget.problems());
        }
        found
    }

    pub(super) fn retried(&self) -> OutcomeSet {
        set_of(self.on.as_deref().unwrap_or(&Self::USUALLY))
    }

    const USUALLY: [When; 4] = [When::Timeout, When::Unreachable, When::Unavailable, When::Throttled];

    /// The retry of a call of which it is known whether it may be repeated without harm.
    pub(super) fn at_call(&self, repeatable: bool) -> Self {
        let mut retry = Self { on_idempotent: Vec::new(), ..self.clone() };
        if repeatable {
            retry.on =
                Some(self.on.as_deref().unwrap_or(&Self::USUALLY).iter().chain(&self.on_idempotent).copied().collect());
        }
        retry
    }
}

impl Spec {
    /// The shortest first wait there can be, if it can be known.
    pub(super) fn least_wait(&self) -> Option<Duration> {
        let wait = match &self.backoff {
            Backoff::None => Duration::ZERO,
            Backoff::Random(_) => return None,
            Backoff::Constant(wait) => wait.0,
            Backoff::Exponential(grows) => grows.base.0,
            Backoff::Linear(grows) => grows.base.0,
            Backoff::Fibonacci(grows) => grows.base.0,
            Backoff::List(waits) => waits.first()?.0,
        };
        Some(match self.jitter {
            Jitter::None | Jitter::Plus(_) | Jitter::Decorrelated => wait,
            Jitter::Full => Duration::ZERO,
            Jitter::Equal => wait.scale(0.5),
            Jitter::PlusMinus(share) => wait.scale((1.0 - share.0).max(0.0)),
        })
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "retry"
    }
    fn build(&self, chance: Stream) -> Box<dyn Policy> {
        Box::new(Retry {
            attempts: self.attempts,
            wait: Wait::new(self),
            throttled: self.throttled.map_or(Duration::ZERO, |span| span.0),
            within: self.within.map(|span| span.0),
            jitter: self.jitter,
            on: self.retried(),
            elsewhere: self.elsewhere,
            persistence: self.persistence.map_or(1.0, |share| share.0),
            budget: self.budget.as_ref().map(budget::Spec::build),
            chance,
        })
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct Retry {
    attempts: Attempts,
    wait: Wait,
    throttled: Duration,
    within: Option<Duration>,
    jitter: Jitter,
    on: OutcomeSet,
    elsewhere: bool,
    persistence: f64,
    budget: Option<Box<dyn budget::Budget>>,
    chance: Stream,
}

/// The backoff, resolved.
#[derive(Debug)]
enum Wait {
    Constant(Duration),
    Exponential { base: Duration, factor: f64, cap: Duration },
    Linear { base: Duration, step: Duration, cap: Duration },
    Fibonacci { base: Duration, cap: Duration },
    List(Box<[Duration]>),
    Random(Dist),
}

impl Wait {
    fn new(spec: &Spec) -> Self {
        let limit = |cap: Option<Span>| cap.map_or(Duration::FOREVER, |span| span.0);
        match &spec.backoff {
            Backoff::None => Self::Constant(Duration::ZERO),
            Backoff::Constant(span) => Self::Constant(span.0),
            Backoff::Exponential(grows) => {
                Self::Exponential { base: grows.base.0, factor: grows.factor, cap: limit(grows.cap) }
            }
            Backoff::Linear(grows) => {
                Self::Linear { base: grows.base.0, step: grows.step.unwrap_or(grows.base).0, cap: limit(grows.cap) }
            }
            Backoff::Fibonacci(grows) => Self::Fibonacci { base: grows.base.0, cap: limit(grows.cap) },
            Backoff::List(waits) => Self::List(waits.iter().map(|wait| wait.0).collect()),
            Backoff::Random(dist) => Self::Random(dist.dist()),
        }
    }

    /// The wait before the retry that follows `made` attempts.
    fn after(&self, made: u64, chance: &mut Stream) -> Duration {
        let before = made.saturating_sub(1);
        match self {
            Self::Constant(wait) => *wait,
            Self::Exponential { base, factor, cap } => {
                // The exponent is bounded so that the power stays finite; by then the cap, or forever, rules.
                base.scale(libm::pow(*factor, before.min(1_000) as f64)).min(*cap)
            }
            Self::Linear { base, step, cap } => (*base + *step * before).min(*cap),
            Self::Fibonacci { base, cap } => (*base * fibonacci(before)).min(*cap),
            Self::List(waits) => {
                let last = waits.len().saturating_sub(1);
                waits.get((before as usize).min(last)).copied().unwrap_or(Duration::ZERO)
            }
            Self::Random(dist) => dist.sample(chance),
        }
    }
}

/// 1, 1, 2, 3, 5, 8 .. from place 0 on; the largest that can be counted from place 92 on.
fn fibonacci(place: u64) -> u64 {
    (0..place.min(92)).fold((1_u64, 1_u64), |(one, next), _| (next, one.saturating_add(next))).0
}

/// What a passage remembers, in 64 bits: attempts made, whether the last retry followed a timeout, the last wait, and how
/// long after the beginning of the call it came to this layer. Times keep their first 18 binary digits: they are cut by
/// less than a hundred thousandth.
#[derive(Clone, Copy)]
struct Memory {
    made: u64,
    after_timeout: bool,
    last_wait: Duration,
    came: Duration,
}

impl Memory {
    const MADE: u64 = (1 << 15) - 1;
    const DIGITS: u32 = 18;
    const TIME: u64 = (1 << 24) - 1;

    fn read(word: u64) -> Self {
        let time = |code: u64| Duration::from_nanos((code & ((1 << Self::DIGITS) - 1)) << (code >> Self::DIGITS));
        Self {
            made: word & Self::MADE,
            after_timeout: word >> 15 & 1 == 1,
            last_wait: time(word >> 16 & Self::TIME),
            came: time(word >> 40),
        }
    }

    /// What the last retry of this call followed.
    fn last(self) -> Option<budget::Cause> {
        let cause = if self.after_timeout { budget::Cause::Timeout } else { budget::Cause::Other };
        (self.made > 1).then_some(cause)
    }

    fn write(self) -> u64 {
        let code = |time: Duration| {
            let shift = (64 - time.nanos().leading_zeros()).saturating_sub(Self::DIGITS);
            time.nanos() >> shift | u64::from(shift) << Self::DIGITS
        };
        self.made.min(Self::MADE)
            | u64::from(self.after_timeout) << 15
            | code(self.last_wait) << 16
            | code(self.came) << 40
    }
}

impl Retry {
    /// The wait before another attempt, if there is one.
    fn again(&mut self, memory: Memory, call: budget::Call, opened: Time) -> Option<Duration> {
        let refused = !self.attempts.left_after(memory.made)
            || (self.persistence < 1.0 && !self.chance.chance(self.persistence))
            || self.budget.as_mut().is_some_and(|budget| !budget.allows(call));
        if refused {
            return None;
        }
        let after = self.backoff(memory, call.outcome);
        let took = call.now - (opened + memory.came);
        self.within.is_none_or(|limit| took + after <= limit).then_some(after)
    }

    /// The wait before the retry that follows this failure.
    fn backoff(&mut self, memory: Memory, outcome: Outcome) -> Duration {
        let mut wait = self.wait.after(memory.made, &mut self.chance);
        if let Outcome::Throttled(_) = outcome {
            wait = wait.max(self.throttled);
        }
        let spread = match self.jitter {
            Jitter::None => wait,
            Jitter::Full => wait.scale(self.chance.unit()),
            Jitter::Equal => wait.scale(0.5 + 0.5 * self.chance.unit()),
            Jitter::Decorrelated => self.decorrelated(memory.last_wait, outcome),
            Jitter::PlusMinus(share) => wait.scale(1.0 + share.0 * (2.0 * self.chance.unit() - 1.0)),
            Jitter::Plus(share) => wait.scale(1.0 + share.0 * self.chance.unit()),
        };
        if let Outcome::Throttled(asked) = outcome { spread.max(asked) } else { spread }
    }

    /// Uniform between the base, or the least wait after a 429, and three times the last wait.
    fn decorrelated(&mut self, last_wait: Duration, outcome: Outcome) -> Duration {
        let Wait::Exponential { base, cap, .. } = self.wait else { return Duration::ZERO };
        let low = if let Outcome::Throttled(_) = outcome { base.max(self.throttled) } else { base };
        let high = if last_wait.is_zero() { low * 3 } else { last_wait * 3 };
        (low + (high - low).scale(self.chance.unit())).min(cap.max(low))
    }
}

impl Policy for Retry {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        let came = passage.now - passage.opened;
        *passage.word = Memory { made: 1, after_timeout: false, last_wait: Duration::ZERO, came }.write();
        if let Some(budget) = &mut self.budget {
            budget.begins(passage.now);
        }
        Enter::Proceed
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        let memory = Memory::read(*passage.word);
        let call = budget::Call { now: passage.now, outcome, last: memory.last() };
        let retried = self.on.has(outcome);
        if let Some(budget) = &mut self.budget {
            budget.attempt_ended(call, retried);
        }
        let again = if retried { self.again(memory, call, passage.opened) } else { None };
        let Some(after) = again else {
            if let Some(budget) = &mut self.budget {
                budget.ends(call);
            }
            return Leave::Pass;
        };
        if let Some(budget) = &mut self.budget {
            budget.spends(call);
        }
        let after_timeout = outcome == Outcome::Timeout;
        *passage.word = Memory { made: memory.made + 1, after_timeout, last_wait: after, ..memory }.write();
        Leave::Again { after, elsewhere: self.elsewhere }
    }

    fn at_rest(&self) -> bool {
        self.budget.as_ref().is_none_or(|budget| budget.at_rest())
    }

    fn reset(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{Story, ms, story};
    use super::*;
    use crate::outcome::{Lesser, Refuser};

    fn again(after: Duration) -> Leave {
        Leave::Again { after, elsewhere: false }
    }

    /// The waits between the attempts of a call that always fails.
    fn waits(policy: &str) -> Vec<Duration> {
        let mut story = story(policy).begins("a");
        let mut waits = Vec::new();
        while let Leave::Again { after, .. } = story.leave("a", Outcome::Timeout) {
            waits.push(after);
        }
        waits
    }

    /// The first, second and third wait of many calls.
    fn many_waits(backoff: &str) -> [Vec<Duration>; 3] {
        let mut story: Story = story(&format!("retry: {{ attempts: 4, {backoff} }}"));
        let mut waits = [const { Vec::new() }; 3];
        for _ in 0..20_000 {
            story = story.begins("a");
            for waits in &mut waits {
                let Leave::Again { after, .. } = story.leave("a", Outcome::Timeout) else { panic!("four attempts") };
                waits.push(after);
            }
            story = story.ends("a", Outcome::Timeout);
        }
        waits
    }

    /// Waits that are uniform between two times: within the bounds, close to both, and right in the mean.
    #[track_caller]
    fn assert_uniform(waits: &[Duration], low: u64, high: u64) {
        let (least, most) = (waits.iter().min().expect("not empty"), waits.iter().max().expect("not empty"));
        assert!(*least >= ms(low) && *most <= ms(high), "{least} to {most}");
        let width = (high - low) as f64 / 1e3;
        let near = ms(high - low).scale(0.001);
        // The chance that none of 20,000 lies within a thousandth of a bound is 2e-9.
        assert!(*least <= ms(low) + near && *most + near >= ms(high), "{least} to {most}");
        let mean = waits.iter().map(|wait| wait.as_secs()).sum::<f64>() / waits.len() as f64;
        let error = width / (12.0 * waits.len() as f64).sqrt();
        let middle = (low + high) as f64 / 2e3;
        assert!((mean - middle).abs() < 4.0 * error, "{mean} instead of {middle}, give or take {error}");
    }

    #[test]
    fn three_attempts_are_one_try_and_two_retries() {
        story("retry: 3")
            .begins("a")
            .leaves("a", Outcome::Timeout, again(ms(0)))
            .leaves("a", Outcome::Timeout, again(ms(0)))
            .ends("a", Outcome::Timeout);
        story("retry: 1").ends_at_once(Outcome::Timeout);
        assert_eq!(waits("retry: 4").len(), 3);
    }

    #[test]
    fn each_call_has_its_own_attempts() {
        story("retry: 2")
            .begins("a")
            .begins("b")
            .leaves("a", Outcome::Timeout, again(ms(0)))
            .leaves("b", Outcome::Timeout, again(ms(0)))
            .ends("a", Outcome::Timeout)
            .ends("b", Outcome::Timeout);
    }

    #[test]
    fn a_success_ends_it_and_so_does_being_abandoned() {
        story("retry: 3").succeeds().ends_at_once(Outcome::Degraded(Lesser::PARTIAL)).ends_at_once(Outcome::Cancelled);
        story("retry: 3").begins("a").leaves("a", Outcome::Timeout, again(ms(0))).ends("a", Outcome::Cancelled);
    }

    #[test]
    fn what_may_have_been_done_is_not_retried_unless_listed() {
        for not_now in [Outcome::Timeout, Outcome::Unreachable, Outcome::Unavailable, Outcome::Throttled(ms(0))] {
            story("retry: 2").begins("a").leaves("a", not_now, again(ms(0)));
        }
        for done in [Outcome::Error, Outcome::Rejected, Outcome::RefusedBy(Refuser::Breaker)] {
            story("retry: 2").ends_at_once(done);
        }
        story("retry: { attempts: 2, on: [error, refused] }")
            .begins("a")
            .leaves("a", Outcome::Error, again(ms(0)))
            .begins("b")
            .leaves("b", Outcome::RefusedBy(Refuser::Bulkhead), again(ms(0)))
            .ends_at_once(Outcome::Timeout);
    }

    #[test]
    fn a_constant_backoff_stays_the_same() {
        assert_eq!(waits("retry: { attempts: 4, backoff: { constant: 50ms } }"), [ms(50); 3]);
    }

    #[test]
    fn with_doubling_from_100_ms_the_failures_come_at_0_100_300_700_and_1500_ms() {
        let mut now = Duration::ZERO;
        let mut failures = vec![now];
        for wait in waits("retry: { attempts: 5, backoff: { exponential: { base: 100ms } } }") {
            now += wait;
            failures.push(now);
        }
        assert_eq!(failures, [ms(0), ms(100), ms(300), ms(700), ms(1_500)]);
    }

    #[test]
    fn an_exponential_backoff_grows_to_its_cap_and_stays_there() {
        let doubling = waits("retry: { attempts: 7, backoff: { exponential: { base: 50ms, cap: 500ms } } }");
        assert_eq!(doubling, [ms(50), ms(100), ms(200), ms(400), ms(500), ms(500)]);
        let tripling = waits("retry: { attempts: 5, backoff: { exponential: { base: 10ms, factor: 3, cap: 1s } } }");
        assert_eq!(tripling, [ms(10), ms(30), ms(90), ms(270)]);
        let very_long = waits("retry: { attempts: 3000, backoff: { exponential: { base: 1ms, cap: 30s } } }");
        assert_eq!(very_long[2_998], ms(30_000));
    }

    #[test]
    fn full_jitter_is_uniform_between_nothing_and_the_wait() {
        let waits = many_waits("backoff: { exponential: { base: 100ms, cap: 350ms } }, jitter: full");
        assert_uniform(&waits[0], 0, 100);
        assert_uniform(&waits[1], 0, 200);
        assert_uniform(&waits[2], 0, 350);
    }

    #[test]
    fn equal_jitter_is_uniform_in_the_upper_half_of_the_wait() {
        let waits = many_waits("backoff: { exponential: { base: 100ms } }, jitter: equal");
        assert_uniform(&waits[0], 50, 100);
        assert_uniform(&waits[1], 100, 200);
        assert_uniform(&waits[2], 200, 400);
    }

    #[test]
    fn plus_minus_is_uniform_around_the_wait() {
        let waits = many_waits("backoff: { constant: 100ms }, jitter: { plus_minus: 20% }");
        waits.iter().for_each(|waits| assert_uniform(waits, 80, 120));
    }

    #[test]
    fn decorrelated_jitter_lies_between_the_base_and_three_times_the_last_wait() {
        let waits = many_waits("backoff: { exponential: { base: 100ms, cap: 10s } }, jitter: decorrelated");
        assert_uniform(&waits[0], 100, 300);
        for ((first, second), third) in waits[0].iter().zip(&waits[1]).zip(&waits[2]) {
            assert!(*second >= ms(100) && *second <= *first * 3, "{second} after {first}");
            assert!(*third >= ms(100) && *third <= *second * 3, "{third} after {second}");
        }
        // Uniform between b and 3 x has the mean (b + 3 x) / 2: 200, 350 and 575 ms.
        let mean = |waits: &[Duration]| waits.iter().map(|wait| wait.as_secs()).sum::<f64>() / waits.len() as f64;
        // Var(x') = 9/4 Var(x) + E (3 x - b)^2 / 12: 0.00333, 0.0308 and 0.168 s^2.
        for (waits, expected, variance) in [(&waits[1], 0.350, 0.0308), (&waits[2], 0.575, 0.168_f64)] {
            let error = (variance / waits.len() as f64).sqrt();
            assert!((mean(waits) - expected).abs() < 4.0 * error, "{} instead of {expected}", mean(waits));
        }
        let capped = many_waits("backoff: { exponential: { base: 100ms, cap: 150ms } }, jitter: decorrelated");
        assert!(capped.iter().flatten().all(|wait| *wait >= ms(100) && *wait <= ms(150)));
    }

    #[test]
    fn a_random_backoff_is_drawn_anew_each_time() {
        let waits = many_waits("backoff: { random: { uniform: { from: 10ms, to: 30ms } } }");
        waits.iter().for_each(|waits| assert_uniform(waits, 10, 30));
    }

    #[test]
    fn a_429_that_asks_for_a_wait_is_not_retried_earlier() {
        let asked = |wait: u64| Outcome::Throttled(ms(wait));
        story("retry: { attempts: 4, backoff: { constant: 50ms } }")
            .begins("a")
            .leaves("a", asked(200), again(ms(200)))
            .leaves("a", asked(20), again(ms(50)))
            .leaves("a", asked(0), again(ms(50)));
    }

    #[test]
    fn a_retry_asks_for_another_replica_only_if_told() {
        story("retry: { attempts: 2, elsewhere: true }").begins("a").leaves(
            "a",
            Outcome::Timeout,
            Leave::Again { after: ms(0), elsewhere: true },
        );
    }

    #[test]
    fn persistence_is_the_chance_that_a_failure_is_retried() {
        let mut story = story("retry: { attempts: 2, persistence: 30% }");
        let (mut retried, calls) = (0_u32, 20_000_u32);
        for _ in 0..calls {
            story = story.begins("a");
            if story.leave("a", Outcome::Timeout) != Leave::Pass {
                retried += 1;
                story = story.ends("a", Outcome::Timeout);
            }
        }
        let (share, error) = (f64::from(retried) / f64::from(calls), (0.3 * 0.7 / f64::from(calls)).sqrt());
        assert!((share - 0.3).abs() < 4.0 * error, "{share}, give or take {error}");
    }

    #[test]
    fn a_linear_backoff_grows_by_its_step_to_its_cap() {
        let waits_of = |backoff| waits(&format!("retry: {{ attempts: 6, backoff: {{ linear: {backoff} }} }}"));
        assert_eq!(waits_of("{ base: 100ms }"), [ms(100), ms(200), ms(300), ms(400), ms(500)]);
        assert_eq!(waits_of("{ base: 100ms, step: 30ms, cap: 170ms }"), [ms(100), ms(130), ms(160), ms(170), ms(170)]);
        assert_eq!(waits_of("{ base: 100ms, step: 0 }"), [ms(100); 5]);
    }

    #[test]
    fn a_fibonacci_backoff_is_the_sum_of_the_two_waits_before_up_to_its_cap() {
        let waits_of = |backoff| waits(&format!("retry: {{ attempts: 8, backoff: {{ fibonacci: {backoff} }} }}"));
        assert_eq!(waits_of("{ base: 10ms }"), [1, 1, 2, 3, 5, 8, 13].map(|times| ms(10 * times)));
        assert_eq!(waits_of("{ base: 10ms, cap: 60ms }"), [10, 10, 20, 30, 50, 60, 60].map(ms));
        assert_eq!(fibonacci(92), 12_200_160_415_121_876_738, "the largest that fits 64 bits");
        assert_eq!(fibonacci(32_767), fibonacci(92));
    }

    #[test]
    fn the_last_wait_of_a_list_repeats() {
        let list = waits("retry: { attempts: 6, backoff: { list: [ 0, 2s, 500ms ] } }");
        assert_eq!(list, [ms(0), ms(2_000), ms(500), ms(500), ms(500)]);
    }

    #[test]
    fn plus_is_uniform_from_the_wait_up() {
        let waits = many_waits("backoff: { constant: 100ms }, jitter: { plus: 30% }");
        waits.iter().for_each(|waits| assert_uniform(waits, 100, 130));
    }

    #[test]
    fn no_retry_starts_after_the_time_for_all() {
        // At 0, 100, 300 and 700 ms; the next would be at 1,500 ms. What the attempts take counts too.
        let doubling = "backoff: { exponential: { base: 100ms } }";
        let at_once = |within| waits(&format!("retry: {{ attempts: unlimited, within: {within}, {doubling} }}")).len();
        assert_eq!([at_once("99ms"), at_once("100ms")], [0, 1], "a retry at the limit is in time");
        story(&format!("retry: {{ attempts: unlimited, within: 700ms, {doubling} }}"))
            .begins("a")
            .leaves("a", Outcome::Timeout, again(ms(100)))
            .at(ms(100))
            .leaves("a", Outcome::Timeout, again(ms(200)))
            .at(ms(301))
            .ends("a", Outcome::Timeout)
            .begins("b")
            .at(ms(901))
            .leaves("b", Outcome::Timeout, again(ms(100)))
            .at(ms(1_001))
            .ends("b", Outcome::Timeout);
    }

    #[test]
    fn a_retry_for_which_there_is_no_time_costs_no_token() {
        let budget = "budget: { token_bucket: { deposit: 0, initial: 1 } }";
        story(&format!("retry: {{ attempts: 2, within: 50ms, backoff: {{ list: [ 60ms ] }}, {budget} }}"))
            .ends_at_once(Outcome::Timeout);
        story(&format!("retry: {{ attempts: 2, within: 50ms, backoff: {{ list: [ 40ms ] }}, {budget} }}"))
            .begins("late")
            .begins("in time")
            .at(ms(10))
            .leaves("in time", Outcome::Timeout, again(ms(40)))
            .ends("late", Outcome::Timeout);
        story(&format!("retry: {{ attempts: 2, within: 50ms, backoff: {{ list: [ 40ms ] }}, {budget} }}"))
            .begins("late")
            .at(ms(11))
            .ends("late", Outcome::Timeout)
            .begins("in time")
            .leaves("in time", Outcome::Timeout, again(ms(40)));
    }

    #[test]
    fn a_429_can_have_a_longer_wait_than_other_failures() {
        let throttled = |wait: u64| Outcome::Throttled(ms(wait));
        story("retry: { attempts: 9, backoff: { list: [ 50ms, 50ms, 50ms, 2s ] }, throttled: 1s }")
            .begins("a")
            .leaves("a", Outcome::Unavailable, again(ms(50)))
            .leaves("a", throttled(0), again(ms(1_000)))
            .leaves("a", throttled(3_000), again(ms(3_000)))
            .leaves("a", throttled(0), again(ms(2_000)));
        let mut spread = story("retry: { attempts: 2, backoff: { constant: 50ms }, throttled: 1s, jitter: equal }");
        for _ in 0..100 {
            spread = spread.begins("a");
            let Leave::Again { after, .. } = spread.leave("a", throttled(0)) else { panic!("two attempts") };
            assert!(after >= ms(500) && after <= ms(1_000), "{after}");
            spread = spread.ends("a", Outcome::Timeout);
        }
    }

    /// The least and the most that each wait can be, in milliseconds, over many calls.
    #[track_caller]
    fn assert_schedule(policy: &str, expected: &[(u64, u64)]) {
        let mut story = story(policy);
        let mut seen = vec![(Duration::FOREVER, Duration::ZERO); expected.len()];
        for _ in 0..5_000 {
            story = story.begins("a");
            for (least, most) in &mut seen {
                let Leave::Again { after, .. } = story.leave("a", Outcome::Timeout) else { panic!("another attempt") };
                (*least, *most) = ((*least).min(after), (*most).max(after));
            }
            story = story.ends("a", Outcome::Timeout);
        }
        for (&(least, most), &(low, high)) in seen.iter().zip(expected) {
            // The chance that none of 5,000 lies within a two-hundredth of a bound is 1e-11.
            let near = ms(high - low).scale(0.005);
            assert!(least >= ms(low) && least <= ms(low) + near, "{least} instead of {low} ms");
            assert!(most <= ms(high) && most + near >= ms(high), "{most} instead of {high} ms");
        }
    }

    #[test]
    fn common_schedules_can_be_written() {
        // Waits of 1, 2 and 4 s, give or take a fifth: three retries, and so four attempts.
        assert_schedule(
            "retry: { attempts: 4, backoff: { exponential: { base: 1s } }, jitter: { plus_minus: 20% } }",
            &[(800, 1_200), (1_600, 2_400), (3_200, 4_800)],
        );
        // Each wait times U(0, 100 %).
        assert_schedule(
            "retry: { attempts: 4, backoff: { exponential: { base: 1s } }, jitter: full }",
            &[(0, 1_000), (0, 2_000), (0, 4_000)],
        );
        // Doubling from 1 s to 30 s.
        assert_schedule(
            "retry: { attempts: 8, backoff: { exponential: { base: 1s, cap: 30s } } }",
            &[1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].map(|wait| (wait, wait)),
        );
        // 100, 200, 400 and 800 ms, five attempts, given up at 1.5 s.
        assert_schedule(
            "retry: { attempts: 5, backoff: { exponential: { base: 100ms } }, within: 1500ms }",
            &[100, 200, 400, 800].map(|wait| (wait, wait)),
        );
        // Doubling from 100 ms to 10 s with up to a tenth more, five attempts.
        assert_schedule(
            "retry: { attempts: 5, backoff: { exponential: { base: 100ms, cap: 10s } }, jitter: { plus: 10% } }",
            &[(100, 110), (200, 220), (400, 440), (800, 880)],
        );
        // At once, then 2 + U(0, 1), 4 + U(0, 2) and 8 + U(0, 4) s.
        assert_schedule(
            "retry: { attempts: 5, backoff: { list: [ 0, 2s, 4s, 8s ] }, jitter: { plus: 50% } }",
            &[(0, 0), (2_000, 3_000), (4_000, 6_000), (8_000, 12_000)],
        );
    }

    #[test]
    fn options_without_sense_are_refused() {
        for (policy, what) in [
            ("attempts: 0", "no attempts at all"),
            ("attempts: 40000", "more attempts than can be counted"),
            ("attempts: 2, backoff: { list: [] }", "the list of waits is empty"),
            ("attempts: 2, backoff: { linear: { base: 2s, cap: 1s } }", "below its base"),
            ("attempts: 2, backoff: { fibonacci: { base: 2s, cap: 1s } }", "below its base"),
            ("attempts: 2, backoff: { linear: { base: 1s } }, jitter: decorrelated", "needs an exponential backoff"),
        ] {
            super::super::story::assert_refused(&format!("retry: {{ {policy} }}"), what);
        }
    }

    #[test]
    fn what_a_passage_remembers_survives_being_written_down() {
        for (made, wait) in [(1, ms(0)), (3, ms(250)), (Memory::MADE, Duration::from_secs(3_600))] {
            for after_timeout in [false, true] {
                let came = wait * 3;
                let memory = Memory::read(Memory { made, after_timeout, last_wait: wait, came }.write());
                assert_eq!((memory.made, memory.after_timeout), (made, after_timeout));
                for (read, wrote) in [(memory.last_wait, wait), (memory.came, came)] {
                    assert!(read <= wrote && wrote <= read + read.scale(1e-5), "{read} instead of {wrote}");
                }
            }
        }
        let forever = Memory { made: 1, after_timeout: false, last_wait: Duration::FOREVER, came: Duration::ZERO };
        assert!(Memory::read(forever.write()).last_wait > Duration::from_secs(18_000_000_000));
    }
}
