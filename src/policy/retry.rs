//! retry: try again after a failure, with backoff, jitter and a budget.
//!
//!   failure ─► worth a retry? ─► attempts left? ─► a token in the budget? ─► wait (backoff, jitter) ─► again
//!                 │ no              │ no               │ no
//!                 └─────────────────┴──────────────────┴─► the failure goes on outwards
//!
//! Attempts are not retries: `attempts: 3` is one try and two retries. Three layers of three attempts are 27 calls
//! at the bottom. A synchronous caller's worker is held during the backoff too.

use schemars::JsonSchema;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Blueprint, Enter, Leave, Passage, Policy, When, budget, set_of};
use crate::engine::{Dist, Duration, Stream};
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
    /// Tries in all, the first one included; 1 means: never retry. `unlimited`: until it succeeds or something
    /// outside this layer gives up.
    pub attempts: Attempts,
    /// The wait before each retry. Default: none.
    #[serde(default)]
    pub backoff: Backoff,
    /// How the wait is spread at random, so that callers do not come back in step. Default: none.
    #[serde(default)]
    pub jitter: Jitter,
    /// Which outcomes are retried. Default: timeout, unreachable, unavailable and throttled; an `error` (500) only
    /// if listed, because the work may have been done.
    #[serde(default)]
    pub on: Option<Vec<When>>,
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
    jitter: Jitter::None,
    on: None,
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

/// How a wait is spread at random (M. Brooker, "Exponential Backoff And Jitter", 2015).
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
        if let Backoff::Exponential(grows) = &self.backoff {
            if !(grows.factor.is_finite() && grows.factor >= 1.0) {
                found.push(("`factor` must be 1 or more".into(), "2 doubles the wait each time".into()));
            }
            if grows.cap.is_some_and(|cap| cap.0 < grows.base.0) {
                found.push((
                    "the cap of the backoff is below its base".into(),
                    "give `cap` at least the time of `base`".into(),
                ));
            }
        }
        if self.jitter != Jitter::None && self.backoff == Backoff::None {
            found.push((
                "jitter has nothing to spread: there is no backoff".into(),
                "add a backoff, e.g. `backoff: { exponential: { base: 50ms, cap: 2s } }`".into(),
            ));
        }
        if self.jitter == Jitter::Decorrelated && !matches!(self.backoff, Backoff::Exponential(_)) {
            found.push((
                "decorrelated jitter needs an exponential backoff, for its base and its cap".into(),
                "write `backoff: { exponential: { base: 50ms, cap: 2s } }`".into(),
            ));
        }
        if let Some(budget) = &self.budget {
            found.extend(budget.problems());
        }
        found
    }

    fn retried(&self) -> OutcomeSet {
        self.on
            .as_deref()
            .map_or_else(|| set_of(&[When::Timeout, When::Unreachable, When::Unavailable, When::Throttled]), set_of)
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
            jitter: self.jitter,
            on: self.retried(),
            elsewhere: self.elsewhere,
            persistence: self.persistence.map_or(1.0, |share| share.0),
            budget: self.budget.as_ref().map(budget::Budget::new),
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
    jitter: Jitter,
    on: OutcomeSet,
    elsewhere: bool,
    persistence: f64,
    budget: Option<budget::Budget>,
    chance: Stream,
}

/// The backoff, resolved.
#[derive(Debug)]
enum Wait {
    Constant(Duration),
    Exponential { base: Duration, factor: f64, cap: Duration },
    Random(Dist),
}

impl Wait {
    fn new(spec: &Spec) -> Self {
        match &spec.backoff {
            Backoff::None => Self::Constant(Duration::ZERO),
            Backoff::Constant(span) => Self::Constant(span.0),
            Backoff::Exponential(grows) => Self::Exponential {
                base: grows.base.0,
                factor: grows.factor,
                cap: grows.cap.map_or(Duration::FOREVER, |span| span.0),
            },
            Backoff::Random(dist) => Self::Random(dist.dist()),
        }
    }

    fn base_and_cap(&self) -> (Duration, Duration) {
        match *self {
            Self::Exponential { base, cap, .. } => (base, cap),
            Self::Constant(wait) => (wait, wait),
            Self::Random(_) => (Duration::ZERO, Duration::FOREVER),
        }
    }
}

/// What a passage remembers: attempts made (24 bits) and, for decorrelated jitter, the last wait in 2^-8 ms.
#[derive(Clone, Copy)]
struct Memory {
    made: u64,
    last_wait: Duration,
}

impl Memory {
    const MADE: u64 = (1 << 24) - 1;
    const TICK: u64 = 4_096;

    fn read(word: u64) -> Self {
        Self { made: word & Self::MADE, last_wait: Duration::from_nanos((word >> 24) * Self::TICK) }
    }

    fn write(self) -> u64 {
        let ticks = (self.last_wait.nanos() / Self::TICK).min((1 << 40) - 1);
        self.made.min(Self::MADE) | ticks << 24
    }
}

impl Retry {
    /// The wait before the retry that follows `made` attempts.
    fn backoff(&mut self, made: u64, last_wait: Duration) -> Duration {
        let (base, cap) = self.wait.base_and_cap();
        let wait = match &self.wait {
            Wait::Constant(wait) => *wait,
            Wait::Exponential { base, factor, cap } => {
                // The exponent is bounded so that the power stays finite; by then the cap, or forever, rules.
                let exponent = (made.saturating_sub(1)).min(1_000);
                base.scale(libm::pow(*factor, exponent as f64)).min(*cap)
            }
            Wait::Random(dist) => dist.sample(&mut self.chance),
        };
        match self.jitter {
            Jitter::None => wait,
            Jitter::Full => wait.scale(self.chance.unit()),
            Jitter::Equal => wait.scale(0.5 + 0.5 * self.chance.unit()),
            Jitter::Decorrelated => {
                let high = if last_wait.is_zero() { base * 3 } else { last_wait * 3 };
                let spread = high - base;
                (base + spread.scale(self.chance.unit())).min(cap)
            }
            Jitter::PlusMinus(share) => wait.scale(1.0 + share.0 * (2.0 * self.chance.unit() - 1.0)),
        }
    }
}

impl Policy for Retry {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        *passage.word = Memory { made: 1, last_wait: Duration::ZERO }.write();
        if let Some(budget) = &mut self.budget {
            budget.on_first_try();
        }
        Enter::Proceed
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if let Some(budget) = &mut self.budget {
            budget.on_outcome(outcome);
        }
        let memory = Memory::read(*passage.word);
        if !self.on.has(outcome)
            || !self.attempts.left_after(memory.made)
            || (self.persistence < 1.0 && !self.chance.chance(self.persistence))
            || self.budget.as_mut().is_some_and(|budget| !budget.take())
        {
            return Leave::Pass;
        }
        let mut after = self.backoff(memory.made, memory.last_wait);
        if let Outcome::Throttled(asked) = outcome {
            after = after.max(asked);
        }
        *passage.word = Memory { made: memory.made + 1, last_wait: after }.write();
        Leave::Again { after, elsewhere: self.elsewhere }
    }

    fn reset(&mut self) {
        if let Some(budget) = &mut self.budget {
            budget.reset();
        }
    }
}
