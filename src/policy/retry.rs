//! retry: try again after a failure, with backoff, jitter and a budget.
//!
//! ```text
//!   failure ─► worth a retry? ─► attempts left? ─► a token in the budget? ─► wait (backoff, jitter) ─► again
//!                 │ no              │ no               │ no
//!                 └─────────────────┴──────────────────┴─► the failure goes on outwards
//! ```
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
        if self.on.as_ref().is_some_and(|on| on.contains(&When::Rejected)) {
            found.push((
                "a 4xx is never retried: the same request would be wrong again".into(),
                "take `rejected` out of `on`".into(),
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
        if let Backoff::Random(law) = &self.backoff {
            found.extend(law.problems());
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

/// What a passage remembers: attempts made (24 bits) and, for decorrelated jitter, the last wait in ticks (40 bits).
#[derive(Clone, Copy)]
struct Memory {
    made: u64,
    last_wait: Duration,
}

impl Memory {
    const MADE: u64 = (1 << 24) - 1;
    /// In nanoseconds; 40 bits of them are 52 days.
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

#[cfg(test)]
mod tests {
    use super::super::story::{Story, ms, story};
    use super::*;
    use crate::outcome::Refuser;

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
        story("retry: 3").succeeds().ends_at_once(Outcome::Degraded(1)).ends_at_once(Outcome::Cancelled);
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
        // What is remembered of the last wait is cut to 4,096 ns.
        let tick = Duration::from_nanos(4_096);
        for ((first, second), third) in waits[0].iter().zip(&waits[1]).zip(&waits[2]) {
            assert!(*second >= ms(100) && *second <= *first * 3, "{second} after {first}");
            assert!(*third >= ms(100) && *third <= (*second + tick) * 3, "{third} after {second}");
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
    fn what_a_passage_remembers_survives_being_written_down() {
        for (made, wait) in [(1, ms(0)), (3, ms(250)), (Memory::MADE, Duration::from_secs(3_600))] {
            let memory = Memory::read(Memory { made, last_wait: wait }.write());
            assert_eq!(memory.made, made);
            assert!(memory.last_wait <= wait && wait <= memory.last_wait + Duration::from_nanos(Memory::TICK));
        }
    }
}
