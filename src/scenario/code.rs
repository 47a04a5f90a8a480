//! Small words to write a model and an experiment in Rust instead of YAML. They make the same [`Model`] and
//! [`Experiment`] that a file is read into, so everything said there about meaning, units and defaults holds, and what has
//! no word here is a public field.
//!
//! ```
//! use blackstart::code::*;
//!
//! let model = Model::default()
//!     .service("db", Service::default().workers(4).operation("query", [work(exponential(ms(20)))]))
//!     .client("users", Client::open("db.query", per_second(100)).policies([timeout(ms(250))]));
//! let experiment = Experiment::lasting(secs(60)).fault("slow", slow("db", 5.0).at(secs(20)).lasting(secs(10)));
//! let plan = plan(&model, &experiment)?;
//! let run = blackstart::run(&plan, 1);
//! assert!(run.value(&plan, "fault:slow", "client/users", "success_rate") < Some(0.5));
//! # Ok::<(), blackstart::scenario::source::Diagnostics>(())
//! ```

use std::sync::Arc;

pub use super::distribution::Spec as Law;
pub use super::experiment::{Experiment, Fault};
pub use super::model::{Client, Model, Service, Step};
pub use super::units::{Rate, Share, Span};
pub use crate::policy::Written as Layer;

use super::experiment::{Crash, Slow};
use super::model::{Arrivals, Count, Users};
use super::source::{Diagnostics, Spanned};
use super::{build, distribution};
use crate::engine::Duration;
use crate::policy::{self, Blueprint, Custom};
use crate::system::plan::Plan;

/// So many milliseconds.
#[must_use]
pub fn ms(milliseconds: u64) -> Span {
    Span(Duration::from_millis(milliseconds))
}

/// So many seconds.
#[must_use]
pub fn secs(seconds: u64) -> Span {
    Span(Duration::from_secs(seconds))
}

/// So many in each second.
#[must_use]
pub fn per_second(count: u32) -> Rate {
    Rate(f64::from(count))
}

/// Always the same time.
#[must_use]
pub fn constant(time: Span) -> Law {
    Law::Constant(time)
}

/// Exponential, with this mean.
#[must_use]
pub fn exponential(mean: Span) -> Law {
    Law::Exponential(mean)
}

/// Lognormal, with this median and 99th percentile.
#[must_use]
pub fn lognormal(p50: Span, p99: Span) -> Law {
    Law::Lognormal(distribution::Lognormal { p50: Some(p50), p99: Some(p99), ..distribution::Lognormal::default() })
}

/// A step that works for a time of this law.
#[must_use]
pub fn work(law: distribution::Spec) -> Step {
    Step { work: Some(law.into()), ..Step::default() }
}

/// A step that calls an operation, `service.operation`, and waits for the answer.
#[must_use]
pub fn call(operation: &str) -> Step {
    Step { call: Some(operation.into()), ..Step::default() }
}

/// A step that does these side by side, and waits for all.
#[must_use]
pub fn parallel(steps: impl IntoIterator<Item = Step>) -> Step {
    Step { parallel: Some(spanned(steps)), ..Step::default() }
}

/// Stop waiting after this time.
#[must_use]
pub fn timeout(after: Span) -> Layer {
    Layer::Timeout(after.into())
}

/// So many tries in all, the first one included, without a wait between them.
#[must_use]
pub fn retry(attempts: u32) -> Layer {
    Layer::Retry(policy::retry::Attempts::AtMost(attempts).into())
}

/// So many calls under way at most; others are refused.
#[must_use]
pub fn bulkhead(concurrent: u32) -> Layer {
    Layer::Bulkhead(concurrent.into())
}

/// A policy of your own.
#[must_use]
pub fn custom(blueprint: impl Blueprint + 'static) -> Layer {
    Layer::Custom(Custom(Arc::new(blueprint)))
}

/// A fault that makes a service's work take this many times as long.
#[must_use]
pub fn slow(service: &str, factor: f64) -> Fault {
    Fault {
        slow: Some(Slow { service: service.into(), replica: None, share: None, zone: None, factor }),
        ..Fault::default()
    }
}

/// A fault that takes all replicas of a service away; they start afresh when it is over.
#[must_use]
pub fn crash(service: &str) -> Fault {
    let crash = Crash { service: service.into(), replica: None, share: None, zone: None, silent: false };
    Fault { crash: Some(crash), ..Fault::default() }
}

fn spanned<T>(items: impl IntoIterator<Item = T>) -> Vec<Spanned<T>> {
    items.into_iter().map(Spanned::from).collect()
}

impl Model {
    /// Adds a service, or replaces the one of this name.
    #[must_use]
    pub fn service(mut self, name: &str, service: Service) -> Self {
        self.services.insert(name, service);
        self
    }

    /// Adds a client, or replaces the one of this name.
    #[must_use]
    pub fn client(mut self, name: &str, client: Client) -> Self {
        self.clients.insert(name, client);
        self
    }

    /// The time of a message one way, on every link.
    #[must_use]
    pub fn latency(mut self, law: Law) -> Self {
        self.network.default.latency = Some(law.into());
        self
    }
}

impl Service {
    /// Sets the number of replicas.
    #[must_use]
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// Sets the workers of each replica.
    #[must_use]
    pub fn workers(mut self, count: u32) -> Self {
        self.workers = Count::Limited(count);
        self
    }

    /// Limits how many may wait at each replica.
    #[must_use]
    pub fn capacity(mut self, waiting: u32) -> Self {
        self.queue.capacity = Some(waiting);
        self
    }

    /// Adds an operation: its steps, one after the other.
    #[must_use]
    pub fn operation(mut self, name: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        self.operations.insert(name, spanned(steps).into());
        self
    }
}

impl Step {
    /// With [`call`]: the policies around it, outermost first.
    #[must_use]
    pub fn policies(mut self, layers: impl IntoIterator<Item = Layer>) -> Self {
        self.policies = spanned(layers);
        self
    }

    /// With [`call`]: a failure only degrades the answer.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = Some(true);
        self
    }
}

impl Client {
    /// An open loop: requests that arrive in a Poisson stream.
    #[must_use]
    pub fn open(operation: &str, rate: Rate) -> Self {
        Self { calls: Some(operation.into()), arrivals: Some(Arrivals::Poisson(rate)), ..Self::default() }
    }

    /// A closed loop: users who wait for the answer, think, and ask again.
    #[must_use]
    pub fn closed(operation: &str, users: u32, think: Law) -> Self {
        let users = Users { count: users, think: think.into(), start_every: None };
        Self { calls: Some(operation.into()), users: Some(users), ..Self::default() }
    }

    /// The policies around each request, outermost first.
    #[must_use]
    pub fn policies(mut self, layers: impl IntoIterator<Item = Layer>) -> Self {
        self.policies = spanned(layers);
        self
    }
}

impl Experiment {
    /// A run of this length, without faults or warm-up.
    #[must_use]
    pub fn lasting(length: Span) -> Self {
        Self { length: length.into(), ..Self::default() }
    }

    /// Nothing before this time counts.
    #[must_use]
    pub fn warmup(mut self, time: Span) -> Self {
        self.warmup = Some(time.into());
        self
    }

    /// Adds a fault, which gives its name to a window, `fault:<name>`.
    #[must_use]
    pub fn fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.push(Fault { name: Some(name.into()), ..fault }.into());
        self
    }
}

impl Fault {
    /// When it begins.
    #[must_use]
    pub fn at(mut self, time: Span) -> Self {
        self.at = Some(time.into());
        self
    }

    /// How long it lasts.
    #[must_use]
    pub fn lasting(mut self, time: Span) -> Self {
        self.lasts = Some(time);
        self
    }
}

/// Checks a model and an experiment, and makes what [`crate::run`] runs. Files that the model names are not read.
///
/// # Errors
/// When something is wrong with them: a call to a service that does not exist, a cycle of calls, a time that cannot be.
pub fn plan(model: &Model, experiment: &Experiment) -> Result<Plan, Diagnostics> {
    let mut found = Diagnostics::new();
    build::build(model, experiment, &mut found).ok_or(found)
}
