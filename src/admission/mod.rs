//! What servers decide: who is next.
//!
//! A queue holds the requests that wait for a worker. Its order is one file here and a line in [`Order`]. How many
//! may wait, and for how long, is the same for all orders and lives in [`Spec`].

mod fifo;
mod lifo;
mod priority;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Handle, Time};
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
    pub order: Order,
    /// A request that has waited this long when its turn comes is refused with 503 instead of served. Default: no
    /// limit.
    #[serde(default)]
    pub max_wait: Option<Span>,
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
}

impl Order {
    /// An empty queue of this order.
    #[must_use]
    pub fn build(self) -> Box<dyn Queue> {
        match self {
            Self::Fifo => Box::new(fifo::Fifo::default()),
            Self::Lifo => Box::new(lifo::Lifo::default()),
            Self::Priority => Box::new(priority::Priority::default()),
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
}

/// A queue of requests in some order. It knows nothing of workers, capacities or time limits.
pub trait Queue: Debug + Send {
    /// A request joins.
    fn push(&mut self, waiting: Waiting);
    /// The next to be served leaves.
    fn next(&mut self) -> Option<Waiting>;
    /// How many wait.
    fn len(&self) -> usize;
    /// Whether nobody waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All leave, unserved.
    fn clear(&mut self);
}
