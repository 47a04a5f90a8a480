//! How a request can end: one enum, used by servers, callers, policies, measurements and files alike.

use serde::{Deserialize, Serialize};

use crate::engine::Duration;

/// Which policy refused a call before anything was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refuser {
    /// The circuit breaker was open, or half-open with all its probes out.
    Breaker,
    /// No permit was free, and none came free within the wait allowed.
    Bulkhead,
    /// The rate was used up, and waiting for the next token was not allowed.
    RateLimit,
    /// The other side has refused too many calls lately.
    AdaptiveThrottle,
    /// The concurrency limit was reached, and no place came free within the wait allowed.
    ConcurrencyLimit,
    /// The deadline that came with the request had passed already.
    Deadline,
    /// A policy written outside this crate.
    Custom,
    /// No credit was left, and too many waited for one.
    Credits,
    /// No place in the connection pool was free, and none came free within the wait allowed.
    ConnectionPool,
}

/// How much lesser a degraded answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesser {
    /// What it is: 1 is the mildest. See [`crate::policy::fallback::Answer`].
    pub level: u8,
    /// What it is worth, in percent of a full answer.
    pub quality: u8,
}

impl Lesser {
    /// A full answer, which is not lesser.
    pub const NOT: Self = Self { level: 0, quality: 100 };
    /// An answer in which an optional part is missing.
    pub const PARTIAL: Self = Self { level: 1, quality: 75 };

    /// What is made of both is as good as the worse of them.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { level: self.level.max(other.level), quality: self.quality.min(other.quality) }
    }
}

/// How a call, an attempt or a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A full answer, in time.
    Ok,
    /// An answer of lesser quality.
    Degraded(Lesser),
    /// The caller stopped waiting. The server may still be working.
    Timeout,
    /// 503: the queue was full, the request was shed, or no instance was there.
    Unavailable,
    /// 429, with the wait the server asks for; zero when it asks for none.
    Throttled(Duration),
    /// 500: the server tried and failed.
    Error,
    /// 4xx: the request itself was wrong. Never retried.
    Rejected,
    /// The network or the process at the other end was gone, and the caller was told so.
    Unreachable,
    /// A policy of the caller refused; nothing was sent.
    RefusedBy(Refuser),
    /// Nobody waited for the result any more. Neither a success nor a failure.
    Cancelled,
}

impl Outcome {
    /// How many kinds of outcome are counted apart.
    pub const KINDS: usize = 18;

    /// The names of the kinds, as they stand in files and in the column `metric` after `failed.`.
    pub const NAMES: [&'static str; Self::KINDS] = [
        "ok",
        "degraded",
        "timeout",
        "unavailable",
        "throttled",
        "error",
        "rejected",
        "unreachable",
        "refused_by.breaker",
        "refused_by.bulkhead",
        "refused_by.rate_limit",
        "refused_by.adaptive_throttle",
        "refused_by.concurrency_limit",
        "refused_by.deadline",
        "refused_by.custom",
        "cancelled",
        "refused_by.credits",
        "refused_by.connection_pool",
    ];

    /// The place of this kind in [`Outcome::NAMES`].
    #[must_use]
    pub const fn kind(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Degraded(_) => 1,
            Self::Timeout => 2,
            Self::Unavailable => 3,
            Self::Throttled(_) => 4,
            Self::Error => 5,
            Self::Rejected => 6,
            Self::Unreachable => 7,
            Self::RefusedBy(Refuser::Breaker) => 8,
            Self::RefusedBy(Refuser::Bulkhead) => 9,
            Self::RefusedBy(Refuser::RateLimit) => 10,
            Self::RefusedBy(Refuser::AdaptiveThrottle) => 11,
            Self::RefusedBy(Refuser::ConcurrencyLimit) => 12,
            Self::RefusedBy(Refuser::Deadline) => 13,
            Self::RefusedBy(Refuser::Custom) => 14,
            Self::Cancelled => 15,
            Self::RefusedBy(Refuser::Credits) => 16,
            Self::RefusedBy(Refuser::ConnectionPool) => 17,
        }
    }

    /// The name of this kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self.kind()]
    }

    /// Whether the caller got an answer it can use, full or degraded.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Ok | Self::Degraded(_))
    }

    /// Whether this counts as a failure. [`Outcome::Cancelled`] is neither success nor failure.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Degraded(_) | Self::Cancelled)
    }

    /// What a service answers when a call that it needs has ended like this.
    ///
    /// As gateways do: what was wrong with the request stays wrong with the request (4xx), a failure of the code
    /// below stays an error (500), and everything that says "not now" becomes a 503, which callers may retry.
    #[must_use]
    pub const fn seen_from_above(self) -> Self {
        match self {
            Self::Ok | Self::Degraded(_) | Self::Error | Self::Rejected | Self::Cancelled => self,
            Self::Timeout | Self::Unavailable | Self::Throttled(_) | Self::Unreachable | Self::RefusedBy(_) => {
                Self::Unavailable
            }
        }
    }
}

/// A set of kinds of outcome, e.g. those that are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct OutcomeSet(u32);

impl OutcomeSet {
    /// The set that holds exactly the kinds of these outcomes.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        Self(outcomes.iter().fold(0, |bits, o| bits | 1 << o.kind()))
    }

    /// Every failure; answers and cancelled calls are left out.
    #[must_use]
    pub const fn failures() -> Self {
        // All kinds but ok (bit 0), degraded (bit 1) and cancelled.
        Self(((1 << Outcome::KINDS) - 1) & !0b11 & !(1 << Outcome::Cancelled.kind()))
    }

    /// The set without this kind of outcome.
    #[must_use]
    pub const fn without(self, outcome: Outcome) -> Self {
        Self(self.0 & !(1 << outcome.kind()))
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without what is in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the sets have a kind in common.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the kind of this outcome is in the set.
    #[must_use]
    pub const fn has(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome.kind()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut names = Outcome::NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Outcome::KINDS);
    }

    #[test]
    fn failures_leave_out_answers_and_cancelled_calls() {
        let failures = OutcomeSet::failures();
        for outcome in [Outcome::Ok, Outcome::Degraded(Lesser::PARTIAL), Outcome::Cancelled] {
            assert!(!failures.has(outcome), "{outcome:?} is no failure");
        }
        for outcome in [Outcome::Timeout, Outcome::Rejected, Outcome::RefusedBy(Refuser::Custom)] {
            assert!(failures.has(outcome), "{outcome:?} is a failure");
        }
    }
}
