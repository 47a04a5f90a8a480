//! What callers decide: whether to send, how long to wait, whether to try again.
//!
//! ```text
//!            enter ─►          enter ─►
//!   caller ──────── retry ──────────── timeout ──────► network ─► server
//!            ◄─ leave          ◄─ leave
//! ```
//!
//! The policies of a call are an ordered list, outermost first. They are entered inwards and left outwards.
//! A policy only *answers*: it has no queue, no network and no clock of its own; the pipeline in
//! [`crate::system`] acts on the answer. Always: each layer is left exactly once for each entering, also when
//! an outer layer abandons what is inside it (the layer is then left with [`Outcome::Cancelled`]).
//!
//! A new pattern is a new file here that looks like its neighbours, and its lines in [`Written`].

pub mod adaptive_throttle;
pub mod breaker;
pub mod budget;
pub mod bulkhead;
pub mod concurrency_limit;
pub mod connection_pool;
pub mod credits;
pub mod deadline;
pub mod fallback;
pub mod hedge;
pub(crate) mod order;
pub mod presets;
pub mod rate_limit;
pub mod recent;
pub mod retry;
pub mod single_flight;
mod slices;
#[cfg(test)]
mod story;
pub mod timeout;

use std::fmt::Debug;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::scenario::source::Spanned;

/// One walk through a layer: what a policy may know about it.
#[derive(Debug)]
pub struct Passage<'a> {
    /// The present moment.
    pub now: Time,
    /// When the call was begun.
    pub opened: Time,
    /// When the answer is of no use any more: the deadline the caller itself was given, or [`Time::NEVER`].
    pub deadline: Time,
    /// What the call is about; see [`crate::system::keys`].
    pub key: u64,
    /// How many passages wait at this layer, this one not counted.
    pub waiting: usize,
    /// How many calls wait here to be made later; see [`Leave::Later`].
    pub put_off: usize,
    /// A word of memory of this passage at this layer: zero at each `enter`, but for one that has waited in line; kept
    /// until the layer is left.
    pub word: &'a mut u64,
}

/// The answer of a policy to a call on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enter {
    /// Go on inwards.
    Proceed,
    /// Go on inwards; if the layer is not left within this time, abandon what is inside and leave with
    /// [`Outcome::Timeout`].
    ProceedFor(Duration),
    /// Stand in line at this layer, first come first served, until [`Policy::has_room`] says yes after somebody
    /// left; give up after `at_most` and be refused. Not entered until then.
    Wait {
        /// The longest wait; [`Duration::FOREVER`] for no limit.
        at_most: Duration,
    },
    /// The place is taken, but go on inwards only after this time.
    Delay(Duration),
    /// Go on inwards with an attempt of its own, against which spares may be sent; see [`Policy::spare`].
    Race(Race),
    /// Go no further. The layer counts as not entered.
    Refuse,
}

/// How a race goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    /// When to ask for the next spare, if the layer has not been left by then; [`Duration::FOREVER`] for never.
    pub next: Duration,
    /// Whether the balancer is asked for another replica than that of the attempt before.
    pub elsewhere: bool,
}

/// The answer of a policy to a call on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Go on outwards with the outcome as it is.
    Pass,
    /// Stay in this layer and walk inwards again.
    Again {
        /// The wait before that.
        after: Duration,
        /// Whether the balancer is asked for another replica than the last one.
        elsewhere: bool,
    },
    /// Go on outwards with another outcome.
    Replace(Outcome),
    /// As [`Leave::Replace`], after a time. The layer is left all the same.
    ReplaceAfter {
        /// The other outcome.
        outcome: Outcome,
        /// The time.
        after: Duration,
    },
    /// As [`Leave::ReplaceAfter`]; and the call is kept, and made again in the background, from this layer inwards, as
    /// [`Blueprint::catching_up`] says.
    Later {
        /// The other outcome.
        outcome: Outcome,
        /// The time.
        after: Duration,
    },
}

/// How calls that were put off are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Catching {
    /// From one to the next, while they end well.
    pub gap: Duration,
    /// From a failure to the next try.
    pub probe: Duration,
}

/// What a circuit breaker is doing; for measurements and charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A few probes pass.
    HalfOpen,
}

/// The running state of a policy: one for each caller instance and call (or one for all instances, if `shared`).
pub trait Policy: Debug + Send {
    /// A call comes in.
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter;

    /// A call that had entered goes out. The answer is ignored if the outcome is [`Outcome::Cancelled`].
    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave;

    /// The time that [`Enter::Race`] gave is over: whether to send a spare, and how to go on.
    fn spare(&mut self, _passage: &mut Passage<'_>) -> Option<Race> {
        None
    }

    /// Whether one of those that stand in line may enter now. Asked after each `leave`.
    fn has_room(&self) -> bool {
        false
    }

    /// Whether nothing is taken from it: no permit, no place. Asserted at the end of runs in which nothing is under
    /// way any more.
    fn at_rest(&self) -> bool {
        true
    }

    /// The position of a breaker; see [`Blueprint::is_breaker`].
    fn position(&self) -> Position {
        Position::Closed
    }

    /// How many it lets in at once; see [`Blueprint::concurrency`].
    fn concurrency(&self) -> u32 {
        0
    }

    /// Memory held beyond its own size, in bytes, if that can grow.
    fn bytes(&self) -> usize {
        0
    }

    /// The process was restarted: forget everything.
    fn reset(&mut self);
}

/// A checked policy of a model, from which each caller instance builds its running state.
pub trait Blueprint: Debug + Send + Sync {
    /// The name of the pattern, e.g. `retry`.
    fn name(&self) -> &'static str;

    /// A fresh state, with a stream of random numbers of its own.
    fn build(&self, chance: Stream) -> Box<dyn Policy>;

    /// Who is named as refuser when this policy refuses.
    fn refuser(&self) -> Refuser {
        Refuser::Custom
    }

    /// Whether all instances of the caller use one state.
    fn shared(&self) -> bool {
        false
    }

    /// Whether it has positions that are worth watching.
    fn is_breaker(&self) -> bool {
        false
    }

    /// Whether those who stand in line at it get the outcome of the passage with the same key that is inside.
    fn shares_outcomes(&self) -> bool {
        false
    }

    /// How calls are made later that it answers with [`Leave::Later`]. Must be there if it does.
    fn catching_up(&self) -> Option<Catching> {
        None
    }

    /// Whether what is inside goes on when the layer is abandoned from outside. The layer is then left when that has ended,
    /// with [`Outcome::Cancelled`]. Its policy answers [`Enter::Race`], and is not `shared`.
    fn goes_on_alone(&self) -> bool {
        false
    }

    /// In a race: outcomes of an attempt after which the next spare is asked for at once.
    fn spares_on(&self) -> OutcomeSet {
        OutcomeSet::default()
    }

    /// Whether attempts that have lost a race, or whose race is over, run on: the server is not told that nobody waits, also
    /// if it would listen.
    fn lets_losers_run(&self) -> bool {
        false
    }

    /// How many it lets in at once at the start, if that is something that moves and is worth watching.
    fn concurrency(&self) -> Option<u32> {
        None
    }

    /// The time after which it interrupts what is inside it, if that is constant. Known before the run, such
    /// timers are much cheaper.
    fn limit(&self) -> Option<Duration> {
        None
    }

    /// How connections are kept for the calls inside it, if they are. Of the layers of a call one does that at most, and
    /// inside it one attempt is under way at a time.
    fn keeps_connections(&self) -> Option<connection_pool::Keeping> {
        None
    }
}

/// A policy that was written in Rust, outside this crate. It cannot come from a file.
#[derive(Clone, Debug)]
pub struct Custom(pub Arc<dyn Blueprint>);

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A policy as it is written in a model file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Policy")]
pub enum Written {
    /// Stop waiting after a time.
    Timeout(timeout::Spec),
    /// Try again after a failure.
    Retry(retry::Spec),
    /// Stop calling what keeps failing, and probe it now and then.
    Breaker(breaker::Spec),
    /// Limit how many calls are under way at once.
    Bulkhead(bulkhead::Spec),
    /// Limit how many calls are under way at once, by the time that they take.
    ConcurrencyLimit(concurrency_limit::Spec),
    /// Limit how many calls start in a time.
    RateLimit(rate_limit::Spec),
    /// Refuse calls when the other side has refused too many.
    AdaptiveThrottle(adaptive_throttle::Spec),
    /// Wait for credits, which the other side gives back in batches.
    Credits(credits::Spec),
    /// Answer something lesser instead of failing.
    Fallback(fallback::Spec),
    /// Send a spare attempt when the first is slow.
    Hedge(hedge::Spec),
    /// One call for all that want the same thing at the same time.
    SingleFlight(single_flight::Spec),
    /// Send calls over connections that are kept, so many at once.
    ConnectionPool(connection_pool::Spec),
    /// Those of a list in the model's section `policies`, in its order. Filled in when the file is read.
    Use(Spanned<String>),
    /// Those of a preset, e.g. the defaults of a library in its order: `blackstart list presets`. Filled in when the file is
    /// read.
    Preset(Spanned<String>),
    /// A policy written in Rust.
    #[serde(skip)]
    Custom(Custom),
}

/// A pattern that a file can use.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// Its key.
    pub name: &'static str,
    /// Its purpose in one line.
    pub line: &'static str,
    /// Its page.
    pub page: &'static str,
}

macro_rules! patterns {
    ($($name:literal: $line:literal;)*) => {
        &[$($crate::policy::Pattern {
            name: $name,
            line: $line,
            page: include_str!(concat!("../../docs/patterns/", $name, ".md")),
        }),*]
    };
}

pub(crate) use patterns;

/// Every pattern that a caller can use; those of servers are in [`crate::admission`]. `list patterns` and `explain` print it, and tests read it to see that each has
/// options and a shipped example.
pub const PATTERNS: &[Pattern] = patterns! {
    "timeout": "stop waiting for an answer after a time, fixed or learned";
    "retry": "try again after a failure, with backoff, jitter and a budget";
    "breaker": "stop calling what keeps failing, and probe it now and then";
    "bulkhead": "limit how many calls are under way at once";
    "concurrency_limit": "limit how many calls are under way at once, by the time that they take";
    "rate_limit": "limit how many calls start in a time";
    "adaptive_throttle": "refuse calls when the other side has refused too many";
    "fallback": "answer something lesser instead of failing";
    "single_flight": "one call for all that want the same thing at the same time";
    "credits": "call only with a credit from the other side, and wait for one";
    "hedge": "send a spare attempt when the first is slow, and take the answer that comes first";
    "connection_pool": "send calls over connections that are kept, and wait when all are in use";
};

impl Written {
    /// The blueprint of the running state at a call. It may be repeated without harm if its operation is idempotent, or if it
    /// carries an idempotency key.
    ///
    /// # Panics
    /// Of `use` and `preset`, which stand for other policies.
    #[must_use]
    pub fn blueprint(&self, repeatable: bool) -> Arc<dyn Blueprint> {
        match self {
            Self::Timeout(spec) => Arc::new(spec.clone()),
            Self::Retry(spec) => Arc::new(spec.at_call(repeatable)),
            Self::Breaker(spec) => Arc::new(spec.clone()),
            Self::Bulkhead(spec) => Arc::new(spec.clone()),
            Self::ConcurrencyLimit(spec) => Arc::new(*spec),
            Self::RateLimit(spec) => Arc::new(spec.clone()),
            Self::AdaptiveThrottle(spec) => Arc::new(spec.clone()),
            Self::Fallback(spec) => Arc::new(spec.clone()),
            Self::Hedge(spec) => Arc::new(spec.clone()),
            Self::SingleFlight(spec) => Arc::new(spec.clone()),
            Self::Credits(spec) => Arc::new(spec.clone()),
            Self::ConnectionPool(spec) => Arc::new(spec.clone()),
            Self::Custom(custom) => Arc::clone(&custom.0),
            Self::Use(name) | Self::Preset(name) => panic!("`{name}` stands for other policies, and is none itself"),
        }
    }

    /// What is wrong with the options, in words, with a way out.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        match self {
            Self::Timeout(spec) => spec.problems(),
            Self::Retry(spec) => spec.problems(),
            Self::Breaker(spec) => spec.problems(),
            Self::Bulkhead(spec) => spec.problems(),
            Self::ConcurrencyLimit(spec) => spec.problems(),
            Self::RateLimit(spec) => spec.problems(),
            Self::Hedge(spec) => spec.problems(),
            Self::Credits(spec) => spec.problems(),
            Self::ConnectionPool(spec) => spec.problems(),
            Self::AdaptiveThrottle(spec) => spec.problems(),
            Self::Fallback(spec) => spec.problems(),
            Self::SingleFlight(_) | Self::Custom(_) => Vec::new(),
            Self::Use(name) | Self::Preset(name) => vec![(
                format!("`{name}` was not filled in: that happens when files are read"),
                "in code, write the policies out".into(),
            )],
        }
    }
}

/// A kind of outcome, as it is named in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Failure")]
pub enum When {
    /// The caller stopped waiting.
    Timeout,
    /// 503.
    Unavailable,
    /// 429.
    Throttled,
    /// 500.
    Error,
    /// 4xx.
    Rejected,
    /// The network or the other process was gone.
    Unreachable,
    /// A policy further inside refused the call.
    Refused,
}

impl When {
    /// Its name in files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }

    fn set(self) -> OutcomeSet {
        let refused = |by| Outcome::RefusedBy(by);
        match self {
            Self::Timeout => OutcomeSet::of(&[Outcome::Timeout]),
            Self::Unavailable => OutcomeSet::of(&[Outcome::Unavailable]),
            Self::Throttled => OutcomeSet::of(&[Outcome::Throttled(Duration::ZERO)]),
            Self::Error => OutcomeSet::of(&[Outcome::Error]),
            Self::Rejected => OutcomeSet::of(&[Outcome::Rejected]),
            Self::Unreachable => OutcomeSet::of(&[Outcome::Unreachable]),
            Self::Refused => OutcomeSet::of(&[
                refused(Refuser::Breaker),
                refused(Refuser::Bulkhead),
                refused(Refuser::RateLimit),
                refused(Refuser::AdaptiveThrottle),
                refused(Refuser::ConcurrencyLimit),
                refused(Refuser::Deadline),
                refused(Refuser::Credits),
                refused(Refuser::Custom),
            ]),
        }
    }
}

/// The set that a list in a file means.
pub(crate) fn set_of(list: &[When]) -> OutcomeSet {
    list.iter().fold(OutcomeSet::default(), |set, when| set.and(when.set()))
}
