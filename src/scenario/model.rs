//! A model file: what the system is, and how it behaves in health.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Error, Unexpected, Visitor};

use super::distribution;
use super::source::{Named, Spanned};
use super::units::{Bandwidth, Rate, Share, Size, Span};
use crate::admission;
use crate::balance;
use crate::engine::{Duration, Time};
use crate::policy;
use crate::short_form;
use crate::system::{cache, connections, fleet, keys, memory, replication, topic};

/// A model file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// What the model is about, in a sentence or a few.
    #[serde(default)]
    pub about: Option<String>,
    /// Who serves.
    #[serde(default)]
    pub services: Named<Service>,
    /// Who asks.
    #[serde(default)]
    pub clients: Named<Client>,
    /// Lists of policies that several calls use: `use: <name>` in a list of policies puts them in there. Each call has a state of
    /// its own of each of them.
    #[serde(default)]
    pub policies: Named<Vec<Spanned<policy::Written>>>,
    /// What is between them.
    #[serde(default)]
    pub network: Network,
    /// Answers that are kept, so that they need not be fetched again; used by steps: `cache: <name>`.
    #[serde(default)]
    pub caches: Named<Spanned<cache::Spec>>,
    /// Messages that wait for those who consume them; filled by steps: `publish: <name>`.
    #[serde(default)]
    pub topics: Named<Spanned<topic::Spec>>,
}

/// A service: instances, each with a queue, workers, and operations.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Instances. Default: 1.
    #[serde(default = "one")]
    pub replicas: u32,
    /// Requests in service at once, for each replica: threads, in a thread-per-request server. A number, or
    /// `unlimited`. Default: `unlimited`.
    #[serde(default)]
    pub workers: Count,
    /// Pieces of `work` under way at once, for each replica; the others wait their turn, first come first served.
    /// Default: `unlimited`, every worker has a CPU of its own.
    #[serde(default)]
    pub cpus: Count,
    /// The queue in front of the workers of each replica. Default: first in, first out, without a limit.
    #[serde(default)]
    pub queue: admission::Spec,
    /// When requests are turned away at the door of each replica, before the queue is full. Default: never.
    #[serde(default)]
    pub shed: Option<Spanned<admission::shed::Spec>>,
    /// A limit on the requests inside each replica, in service, waiting and waiting for calls, that adapts itself. One more is
    /// refused with 503 at the door, at the price of `reject_cost`; `refused.limit` counts them. Default: none.
    #[serde(default)]
    pub limit: Option<Spanned<admission::limit::Spec>>,
    /// How many requests are let in at the door in a time; asked before `shed`. Default: no limit.
    #[serde(default)]
    pub rate_limit: Option<Spanned<admission::rate_limit::Spec>>,
    /// How callers choose among the replicas. Default: `round_robin`.
    #[serde(default)]
    pub balance: Spanned<balance::Spec>,
    /// The zones over which the replicas are spread in turn: with `[a, b, c]` the first is in `a`, the fourth again. A zone
    /// that stands twice gets twice as many. Default: none.
    #[serde(default)]
    pub zones: Vec<Spanned<String>>,
    /// Whether a worker is given back while its request waits for calls (an event loop) instead of being held (a
    /// thread for each request). Default: false.
    #[serde(default, rename = "async")]
    pub is_async: bool,
    /// What happens to requests whose caller has stopped waiting. Default: `none`.
    #[serde(default)]
    pub cancel: Cancel,
    /// Whether the deadline of the caller is honoured and handed on. Default: `ignore`.
    #[serde(default)]
    pub deadline: Deadline,
    /// How work slows down with the number of requests in service at the same replica. Default: not at all.
    #[serde(default)]
    pub slowdown: Option<Slowdown>,
    /// From the restart of a crashed replica until it accepts requests. Default: 0.
    #[serde(default)]
    pub startup: Option<Span>,
    /// How slow a replica is after a restart, until it is warm. Default: warm at once.
    #[serde(default)]
    pub warmup: Option<Warmup>,
    /// What requests hold in the memory of a replica, and what happens when it is full. Default: memory is without limit.
    #[serde(default)]
    pub memory: Option<Spanned<memory::Spec>>,
    /// Work (on a CPU, without a worker) that it takes to refuse a request at the door, or to drive one out of the queue. Default: 0.
    #[serde(default)]
    pub reject_cost: Option<Span>,
    /// What connections to it cost, and how many it holds; for calls with a `connection_pool`. Default: nothing, and any number.
    #[serde(default)]
    pub connections: Option<Spanned<connections::Spec>>,
    /// What can be asked of it.
    pub operations: Named<Operation>,
    /// The replicas have one state, as those of a database: some operations write it, at a primary, and the others read it. Default: each
    /// replica answers whatever it is asked.
    #[serde(default)]
    pub replication: Option<Spanned<replication::Spec>>,
}

fn one() -> u32 {
    1
}

impl Default for Service {
    /// One replica without limits and without operations.
    fn default() -> Self {
        Self {
            replicas: one(),
            workers: Count::default(),
            cpus: Count::default(),
            queue: admission::Spec::default(),
            shed: None,
            limit: None,
            rate_limit: None,
            balance: balance::Spec::default().into(),
            zones: Vec::new(),
            is_async: false,
            cancel: Cancel::default(),
            deadline: Deadline::default(),
            slowdown: None,
            startup: None,
            warmup: None,
            memory: None,
            reject_cost: None,
            connections: None,
            operations: Named::default(),
            replication: None,
        }
    }
}

impl Default for Client {
    /// One instance that asks for nothing.
    fn default() -> Self {
        Self {
            calls: None,
            policies: Vec::new(),
            idempotency_key: None,
            tasks: None,
            first: None,
            arrivals: None,
            load: Vec::new(),
            batch: None,
            users: None,
            fleet: None,
            consumes: None,
            keys: None,
            priority: admission::Class::default(),
            instances: one(),
            zones: Vec::new(),
        }
    }
}

/// A number of things, at least 1, or `unlimited`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Count {
    /// This many.
    Limited(u32),
    /// No limit.
    #[default]
    Unlimited,
}

impl Count {
    /// As a number, with the largest for no limit.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Limited(n) => n,
            Self::Unlimited => u32::MAX,
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Count;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number, at least 1, or `unlimited`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Count, E> {
                u32::try_from(n).map(Count::Limited).map_err(|_| E::invalid_value(Unexpected::Unsigned(n), &self))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Count, E> {
                u32::try_from(n).map(Count::Limited).map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Count, E> {
                match text {
                    "unlimited" => Ok(Count::Unlimited),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A whole number, at least 1, or `unlimited`.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "unlimited" }]
        })
    }
}

/// What happens to requests whose caller has stopped waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cancel {
    /// They keep their place and are worked on for nobody, as in most servers.
    #[default]
    None,
    /// They are dropped when their turn comes; what is in service goes on.
    Queued,
    /// As `queued`, and what is in service is stopped, with its own calls.
    Propagate,
}

/// Whether the deadline of the caller is honoured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// No.
    #[default]
    Ignore,
    /// A request whose deadline has passed is dropped before it is started, and what is left of the time limits the
    /// calls made for it. The deadline of a request is that of the tightest `timeout` around its call.
    Propagate,
    /// As `propagate`, and so much of the time is kept for the service itself, for a fallback for example: its calls have
    /// that much less.
    Reserve(Span),
}

impl Deadline {
    /// The time that is kept, if deadlines are honoured.
    pub(crate) fn reserve(self) -> Option<Duration> {
        match self {
            Self::Ignore => None,
            Self::Propagate => Some(Duration::ZERO),
            Self::Reserve(span) => Some(span.0),
        }
    }
}

/// How work slows down with the number of requests in service.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slowdown {
    /// Each further request in service makes work longer by this share.
    Linear(Share),
    /// Universal scalability (N. Gunther): 1 + contention × (n − 1) + coherency × n × (n − 1).
    Usl(Usl),
    /// Points `[n, factor]`, joined by straight lines, constant before the first and after the last.
    Table(Vec<(f64, f64)>),
}

/// The parameters of universal scalability.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usl {
    /// The share of the work that only one can do at a time.
    pub contention: f64,
    /// The cost of each pair that must agree. Above zero, throughput falls beyond some concurrency.
    pub coherency: f64,
}

/// How slow a replica is after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warmup {
    /// How long until it is warm. The slowness shrinks evenly.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// How many times as long work takes at first.
    pub factor: f64,
}

/// What can be asked of a service. Short form: its steps.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Vec<Spanned<Step>>>)]
pub struct Operation {
    /// The bytes of a request. Default: 0. Matters on links with a bandwidth.
    #[serde(default)]
    pub request: Option<Size>,
    /// The bytes of a response. Default: 0.
    #[serde(default)]
    pub response: Option<Size>,
    /// Something has happened when its steps have ended well (a charge, an order, a mail), also if the answer is lost or an error is
    /// made of it: counted as `effects`, and as `duplicate_effects` each time it happens again for the same request. Default: false.
    #[serde(default)]
    pub effect: bool,
    /// To do it again is as to do it once (a read): a `retry` may repeat it where it may not repeat others. Default: false.
    #[serde(default)]
    pub idempotent: bool,
    /// How requests with an idempotency key are treated. Default: as those without one.
    #[serde(default)]
    pub idempotency: Option<Spanned<admission::idempotency::Spec>>,
    /// Whether its requests are served beside the `workers` and the queue, as a health check is by a thread of its own. Its
    /// work still takes a CPU. Default: false.
    #[serde(default)]
    pub own_worker: bool,
    /// With `replication`: whether it writes what the request is about. It goes to the primary, and fails with 503 while there is none.
    /// Default: false, it reads.
    #[serde(default)]
    pub writes: Option<Spanned<bool>>,
    /// With `replication`: which replicas are asked for it. Default: as `reads` says there.
    #[serde(default)]
    pub reads_from: Option<Spanned<replication::Reads>>,
    /// What is done, one step after the other.
    pub steps: Vec<Spanned<Step>>,
}

short_form!(Operation, Vec<Spanned<Step>>, |steps| Operation { steps, ..Operation::default() });

/// A step. Exactly one of `work`, `call`, `parallel`, `choice`, `steps`, `fail`, `cache` and `publish` says what is done.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Work for a time: on a CPU, or waiting for a disk.
    #[serde(default)]
    pub work: Option<Spanned<distribution::Spec>>,
    /// Call an operation of another service, `service.operation`, and wait for the answer. If it fails, the steps that
    /// follow are not done, and the operation fails: with 4xx and 500 as they came, with 503 for everything else.
    #[serde(default)]
    pub call: Option<Spanned<String>>,
    /// Do these side by side, and go on when all have ended well. As soon as too many have failed for that, the
    /// others are abandoned and the operation fails.
    #[serde(default)]
    pub parallel: Option<Vec<Spanned<Step>>>,
    /// Do one of these, drawn by weight.
    #[serde(default)]
    pub choice: Option<Vec<Spanned<Branch>>>,
    /// Do these one after the other: to repeat them, or to put several steps into a branch. With `write`: what is written elsewhere.
    #[serde(default)]
    pub steps: Option<Vec<Spanned<Step>>>,
    /// End the operation like this.
    #[serde(default)]
    pub fail: Option<Failure>,
    /// Look up what the request is about in the cache of this name, with `miss`; or write it, with `write`.
    #[serde(default)]
    pub cache: Option<Spanned<String>>,
    /// Put a message into a topic, in no time, and go on. If there is no room for it, the operation fails with 503.
    #[serde(default)]
    pub publish: Option<Spanned<topic::Publish>>,

    /// With `call`: the policies around it, outermost first.
    #[serde(default)]
    pub policies: Vec<Spanned<policy::Written>>,
    /// With `call`: what the call is about. Default: the same as the request it is made for.
    #[serde(default)]
    pub keys: Option<Spanned<keys::Spec>>,
    /// With `call`: the idempotency key that it carries. Default: none.
    #[serde(default)]
    pub idempotency_key: Option<admission::idempotency::Key>,
    /// With `call`: a failure only degrades the answer. Default: false.
    #[serde(default)]
    pub optional: Option<bool>,
    /// With `parallel`: how many must end well. The others are then abandoned. Default: all.
    #[serde(default)]
    pub need: Option<u32>,
    /// With `cache`: what is done if there is no entry. When it has ended well, there is one; its failure is that of the step.
    #[serde(default)]
    pub miss: Option<Vec<Spanned<Step>>>,
    /// With `miss`: what is done if there is an entry. Default: nothing.
    #[serde(default)]
    pub hit: Option<Vec<Spanned<Step>>>,
    /// With `cache` and `steps`: when the entry changes.
    #[serde(default)]
    pub write: Option<cache::Write>,
    /// With `write: behind`: so many writes of an instance are under way in the background at most; beyond that a request waits
    /// for its own. Default: 1000.
    #[serde(default)]
    pub at_most: Option<u32>,
    /// So many times, one after the other. Default: 1.
    #[serde(default)]
    pub repeat: Option<u32>,
    /// Within `parallel`: so many times, side by side. Default: 1.
    #[serde(default)]
    pub copies: Option<u32>,
}

/// A branch of a choice.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// How often it is chosen, relative to the others.
    pub weight: f64,
    /// What is done then. Empty: nothing.
    #[serde(default)]
    pub steps: Vec<Spanned<Step>>,
}

/// How an operation can end by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Ending")]
pub enum Failure {
    /// 500.
    #[default]
    Error,
    /// 4xx.
    Rejected,
    /// 503.
    Unavailable,
    /// 429.
    Throttled,
}

/// A client: where requests come from. `arrivals` (an open loop), `users` (a closed loop), a `fleet` or a topic that it `consumes`; and
/// `calls` or `tasks`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The operation that each request calls, `service.operation`.
    #[serde(default)]
    pub calls: Option<Spanned<String>>,
    /// The policies around `calls`, outermost first.
    #[serde(default)]
    pub policies: Vec<Spanned<policy::Written>>,
    /// With `calls`: the idempotency key that each request carries. Default: none.
    #[serde(default)]
    pub idempotency_key: Option<admission::idempotency::Key>,
    /// Several kinds of request, drawn by weight.
    #[serde(default)]
    pub tasks: Option<Named<Task>>,
    /// The task with which each user begins. Default: none; a user begins by thinking.
    #[serde(default)]
    pub first: Option<Spanned<String>>,
    /// An open loop: requests come whatever happens to the earlier ones.
    #[serde(default)]
    pub arrivals: Option<Arrivals>,
    /// With `arrivals`: what multiplies their rate over time.
    #[serde(default)]
    pub load: Vec<Load>,
    /// With `arrivals`: requests at each arrival. Default: 1.
    #[serde(default)]
    pub batch: Option<u32>,
    /// A closed loop: each user waits for the answer, thinks, and asks again.
    #[serde(default)]
    pub users: Option<Users>,
    /// Many small clients as one: each starts, asks, and is served once it has had an answer.
    #[serde(default)]
    pub fleet: Option<Spanned<fleet::Spec>>,
    /// A consumer of messages: each message makes a request, which is about what the message is about.
    #[serde(default)]
    pub consumes: Option<Spanned<topic::Consumes>>,
    /// What its requests are about; handed on to the calls made for them. Default: `same`.
    #[serde(default)]
    pub keys: Option<Spanned<keys::Spec>>,
    /// How important its requests are; handed on to the calls made for them. Default: `medium`.
    #[serde(default)]
    pub priority: admission::Class,
    /// Processes that share the load, each with its own state of the policies. Default: 1.
    #[serde(default = "one")]
    pub instances: u32,
    /// The zones over which the instances are spread in turn. Default: none.
    #[serde(default)]
    pub zones: Vec<Spanned<String>>,
}

/// A kind of request.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// How often it is drawn, relative to the others. Default: 1. With 0 it is only used as `first`.
    #[serde(default = "unit")]
    pub weight: f64,
    /// What is done. A client does no work; its steps are calls.
    pub steps: Vec<Spanned<Step>>,
}

fn unit() -> f64 {
    1.0
}

/// When requests arrive.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Poisson: independent of each other, as from many users.
    Poisson(Rate),
    /// Evenly spaced.
    Constant(Rate),
    /// The gaps are uniform around their mean.
    Uniform(UniformGaps),
    /// At the times in a file.
    Replay(Replay),
}

/// Gaps that are uniform around their mean.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniformGaps {
    /// The mean rate.
    pub rate: Rate,
    /// By how much a gap can differ from the mean gap. 100%: between zero and twice the mean.
    pub spread: Share,
}

/// Arrival times from a file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// A CSV file, relative to the folder of the model. Its first row holds names, its rows are in order of time.
    pub file: Spanned<String>,
    /// The column with the times. Default: the first.
    #[serde(default)]
    pub column: Option<Spanned<String>>,
    /// What one unit in the file is. Default: `1s`.
    #[serde(default)]
    pub unit: Option<Span>,
    /// The times, once the file has been read; none of them if it could not be.
    #[serde(skip)]
    pub times: Option<Arc<[Time]>>,
}

/// Something that multiplies a rate over time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// From a time on.
    Step(StepLoad),
    /// Growing or falling evenly to a factor, which then stays.
    Ramp(RampLoad),
    /// For a time.
    Spike(SpikeLoad),
    /// Up and down: 1 + amplitude × sin(2π t / period).
    Sine(SineLoad),
}

/// From a time on.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepLoad {
    /// When.
    pub at: Span,
    /// How many times the rate.
    pub factor: f64,
}

/// Growing or falling evenly.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampLoad {
    /// When it begins.
    pub from: Span,
    /// When it ends.
    pub to: Span,
    /// How many times the rate at the end.
    pub factor: f64,
}

/// For a time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpikeLoad {
    /// When.
    pub at: Span,
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// How many times the rate.
    pub factor: f64,
}

/// Up and down.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SineLoad {
    /// The time from one top to the next.
    pub period: Span,
    /// By how much the rate goes up and down, as a share of it.
    pub amplitude: Share,
}

/// Users of a closed loop.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// How many.
    pub count: u32,
    /// The time between an answer and the next request. Zero makes a loop that asks without a pause.
    pub think: Spanned<distribution::Spec>,
    /// The time between the starts of two users. Default: 0.
    #[serde(default)]
    pub start_every: Option<Span>,
}

/// What is between clients and services.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// All links that are not listed. Default: no latency, no loss.
    #[serde(default)]
    pub default: Link,
    /// Single links, one direction each: `web->payment`. What is not given is as in `default`.
    #[serde(default)]
    pub links: Named<Link>,
}

/// A way from one part to another.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The time of a message one way. Default: 0.
    #[serde(default)]
    pub latency: Option<Spanned<distribution::Spec>>,
    /// The share of the messages that are lost. Nobody is told: only a timeout notices. Default: 0%.
    #[serde(default)]
    pub loss: Option<Share>,
    /// Bytes in a time; messages are sent one after the other. Default: no limit.
    #[serde(default)]
    pub bandwidth: Option<Bandwidth>,
}
