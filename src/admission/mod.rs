//! What servers decide: who is next.
//!
//! A queue holds the requests that wait for a worker. Its order is one file here and a line in [`Order`]. How many
//! may wait, and for how long, is the same for all orders and lives in [`Spec`].

mod adaptive_lifo;
pub mod codel;
mod earliest_deadline;
mod fifo;
pub mod idempotency;
mod lifo;
pub mod limit;
mod priority;
pub mod rate_limit;
pub mod shed;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Handle, Time};
use crate::policy::{Pattern, patterns};
use crate::scenario::source::{Place, Spanned};
use crate::scenario::units::Span;

/// The queue in front of the workers of each replica.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Queue")]
pub struct Spec {
    /// Requests that may wait, those in service not counted. One more is refused with 503 at once. 0 means: no
    /// waiting. Default: no limit, which turns overload into unbounded latency.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// Who is served next. Default: `fifo`.
    #[serde(default)]
    pub order: Spanned<Order>,
    /// A request that has waited this long when its turn comes is refused with 503 instead of served. Default: no
    /// limit.
    #[serde(default)]
    pub max_wait: Option<Span>,
    /// Give up requests of a queue that stays long: refused with 503 when their turn comes. Default: none.
    #[serde(default)]
    pub codel: Option<Spanned<codel::Spec>>,
    /// What happens to a request that finds the queue full. Default: `refuse`.
    #[serde(default)]
    pub when_full: Spanned<WhenFull>,
}

/// What happens to a request that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// It takes the place of a less important one, if there is one: of those of the lowest class, of the one that came
    /// last, which has waited for the least. That one is refused with 503, at the price of `reject_cost`.
    EvictYoungest,
    /// As `evict_youngest`, but of the one that came first, whose caller has the least patience left.
    EvictOldest,
    /// It waits at the door, without a limit on their number, and the first who came there joins the queue as soon as there is
    /// room: its producer is blocked instead of refused. `max_wait` and `codel` count from then on.
    Block,
}

/// Why a request is refused at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue was full.
    Full,
    /// Another one, more important, took its place in the queue.
    Evicted,
    /// `shed`: too many waited.
    Queue,
    /// `shed`: too many were inside.
    InFlight,
    /// `shed`: the workers were too busy.
    Utilisation,
    /// `shed`: somebody had waited too long.
    Waited,
    /// `limit`: as many were inside as it allows.
    Limit,
    /// `rate_limit`: too many came in a time.
    Rate,
    /// `connections`: as many were open as may be, or too many came in a time.
    Connections,
}

impl Refusal {
    /// The metrics that count them, in the order of the reasons.
    pub const METRICS: [&'static str; 9] = [
        "refused.full",
        "refused.evicted",
        "refused.queue",
        "refused.in_flight",
        "refused.utilisation",
        "refused.waited",
        "refused.limit",
        "refused.rate",
        "refused.connections",
    ];
}

/// Who is served next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// First in, first out.
    #[default]
    Fifo,
    /// Last in, first out: under overload some are served in time, and the oldest never.
    Lifo,
    /// The highest class first (`critical`, `high`, `medium`, `low`); within a class first in, first out. A request
    /// in service is not interrupted.
    Priority,
    /// First in, first out while the queue is short, last in, first out while it is not.
    AdaptiveLifo(adaptive_lifo::Spec),
    /// The request whose deadline passes first; those without a deadline last. Among equals first in, first out. Needs
    /// `deadline: propagate`, or no request has a deadline. What is in service is not interrupted.
    EarliestDeadline,
}

/// Every pattern that a server can use: `list patterns` and `explain` print them.
pub const PATTERNS: &[Pattern] = patterns! {
    "adaptive_lifo": "serve the newest first while the queue is long";
    "earliest_deadline": "serve first whose answer is of use for the shortest time";
    "codel": "give up the requests of a queue that stays long";
    "limit": "let in only so many at once, as many as the times of answers say can be served";
    "idempotency": "answer a request that comes again with the same key, without doing it again";
    "backpressure": "let those who make too much wait, or tell them to";
    "shed": "turn requests away at the door, the least important first";
};

/// Something wrong with the options of a service: where, what, and a way out.
pub(crate) type Problem = (Place, String, String);

impl Spec {
    /// What is wrong; `deadlines` says whether requests bring theirs.
    pub(crate) fn problems(&self, deadlines: bool) -> Vec<Problem> {
        let wrong = match self.order.value {
            Order::AdaptiveLifo(spec) => spec.problem(),
            Order::EarliestDeadline if !deadlines => {
                Some(("no request brings a deadline here", "give the service `deadline: propagate`"))
            }
            _ => None,
        };
        let order = wrong.map(|(what, way_out)| (self.order.place, what.to_owned(), way_out.to_owned()));
        let codel = self.codel.as_ref().and_then(|it| {
            let (what, way_out) = it.problem()?;
            Some((it.place, what.to_owned(), way_out.to_owned()))
        });
        let unblocked = self.when_full.value == WhenFull::Block && self.capacity.is_none();
        let full = unblocked.then(|| {
            let what = "a queue without a limit is never full";
            (self.when_full.place, what.to_owned(), "give the queue a `capacity`".to_owned())
        });
        order.into_iter().chain(codel).chain(full).collect()
    }
}

impl Order {
    /// An empty queue of this order.
    #[must_use]
    pub fn build(self) -> Box<dyn Queue> {
        match self {
            Self::Fifo => Box::new(fifo::Fifo::default()),
            Self::Lifo => Box::new(lifo::Lifo::default()),
            Self::Priority => Box::new(priority::Priority::default()),
            Self::AdaptiveLifo(spec) => Box::new(adaptive_lifo::AdaptiveLifo::new(spec)),
            Self::EarliestDeadline => Box::new(earliest_deadline::EarliestDeadline::default()),
        }
    }
}

/// How important a request is. It is handed on to the calls that are made for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Must never wait behind others: health checks, login, payment.
    Critical,
    /// What users wait for.
    High,
    /// The ordinary.
    #[default]
    Medium,
    /// What nobody waits for: analytics, recommendations.
    Low,
}

/// A request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The request.
    pub task: Handle,
    /// When it joined the queue.
    pub since: Time,
    /// Its class.
    pub class: Class,
    /// When its answer is of no use any more.
    pub deadline: Time,
    /// If it has waited this long when its turn comes, it is refused.
    pub patience: Duration,
    /// Whether it has been in service before, and can only be stopped.
    pub again: bool,
}

/// A queue of requests in some order. It knows nothing of workers, capacities or time limits.
pub trait Queue: Debug + Send {
    /// A request joins.
    fn push(&mut self, waiting: Waiting);
    /// The next to be served leaves.
    fn next(&mut self, now: Time) -> Option<Waiting>;
    /// How many wait.
    fn len(&self) -> usize;
    /// Whether nobody waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// When the one joined that has waited for the longest time.
    fn oldest(&self) -> Option<Time>;
    /// One leaves that is less important than this class, if there is one: of the lowest class, the youngest or the
    /// oldest. Takes a time that grows with the queue.
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting>;
    /// All leave, unserved.
    fn clear(&mut self);
}

/// The place of the one that has to go, among those who wait, the oldest first.
fn victim<'a>(line: impl Iterator<Item = &'a Waiting>, than: Class, youngest: bool) -> Option<usize> {
    let mut found: Option<(Class, usize)> = None;
    for (place, it) in line.enumerate() {
        let lower = found.is_none_or(|(class, _)| it.class > class || (youngest && it.class == class));
        if !it.again && it.class > than && lower {
            found = Some((it.class, place));
        }
    }
    found.map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that waits, known by its number.
    pub(super) fn waiting(number: u64) -> Waiting {
        Waiting {
            task: Handle::NONE,
            since: Time::ZERO + Duration::from_millis(number),
            class: Class::Medium,
            deadline: Time::NEVER,
            patience: Duration::FOREVER,
            again: false,
        }
    }

    /// The numbers of all that wait, in the order in which they are served at once.
    pub(super) fn numbers(queue: &mut dyn Queue) -> Vec<u64> {
        let mut found = Vec::new();
        while let Some(next) = queue.next(Time::ZERO) {
            found.push((next.since - Time::ZERO).nanos() / 1_000_000);
        }
        found
    }

    #[test]
    fn every_order_serves_each_request_once() {
        let adaptive = Order::AdaptiveLifo(2.into());
        for order in [Order::Fifo, Order::Lifo, Order::Priority, adaptive, Order::EarliestDeadline] {
            let mut queue = order.build();
            (0..5).for_each(|number| queue.push(waiting(number)));
            assert_eq!(queue.len(), 5, "{order:?}");
            let mut served = numbers(queue.as_mut());
            served.sort_unstable();
            assert_eq!(served, [0, 1, 2, 3, 4], "{order:?}");
            for (number, class) in [(6, Class::Low), (7, Class::High), (8, Class::Low), (9, Class::Medium)] {
                queue.push(Waiting { class, ..waiting(number) });
            }
            queue.push(Waiting { class: Class::Low, again: true, ..waiting(10) });
            let mut evict =
                |than, youngest| queue.evict(than, youngest).map(|it| (it.since - Time::ZERO).nanos() / 1_000_000);
            assert_eq!(evict(Class::Low, true), None, "{order:?}");
            assert_eq!(evict(Class::Medium, true), Some(8), "{order:?}");
            assert_eq!(evict(Class::Medium, false), Some(6), "{order:?}");
            assert_eq!(evict(Class::Medium, false), None, "{order:?}");
            assert_eq!(evict(Class::High, false), Some(9), "{order:?}");
            assert_eq!(evict(Class::High, true), None, "{order:?}");
            assert_eq!(queue.oldest(), Some(waiting(7).since), "{order:?}");
            assert_eq!(queue.len(), 2, "{order:?}");
            queue.clear();
            assert!(queue.is_empty(), "{order:?}");
        }
    }
}
