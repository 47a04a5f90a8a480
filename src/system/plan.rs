//! A checked model and experiment, with every name resolved to a number: what a run is made from.
//!
//! ```text
//!   clients 0..c │ services c..c+s         parts, in the order of the files
//!   host 0, 1, 2, …                        one for each instance of each part, parts in order
//!   edge 0, 1, 2, …                        one for each `call` written, callers in order
//!   steps                                  all operations of all parts, one after another
//! ```
//!
//! Plain data: built by [`crate::scenario`], read by [`super::run`], the same for every seed.

use std::sync::Arc;

use crate::admission::{self, Class, idempotency};
use crate::balance;
use crate::engine::{Dist, Duration, Time};
use crate::outcome::Outcome;
use crate::policy::Blueprint;

use super::{cache, connections, fleet, keys, memory, replication};

/// Everything that [`super::run`] needs, but for the seed.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Who makes requests.
    pub clients: Vec<Client>,
    /// Who serves them.
    pub services: Vec<Service>,
    /// Every call that is written, grouped by caller.
    pub edges: Vec<Edge>,
    /// What is kept of answers.
    pub caches: Vec<Cache>,
    /// The programs of all operations.
    pub steps: Vec<Step>,
    /// Ways between two parts, in one direction.
    pub links: Vec<Link>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// How long, and how it is measured.
    pub schedule: Schedule,
    /// What ends a run early.
    pub limits: Limits,
    /// Where messages wait.
    pub topics: Vec<Topic>,
    /// Who consumes them.
    pub groups: Vec<Group>,
}

impl Plan {
    /// How many parts there are.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.clients.len() + self.services.len()
    }

    /// The name of a part: clients come first.
    #[must_use]
    pub fn part_name(&self, part: usize) -> &str {
        match self.clients.get(part) {
            Some(client) => &client.name,
            None => &self.services[part - self.clients.len()].name,
        }
    }

    /// How many instances a part has.
    #[must_use]
    pub fn instances(&self, part: usize) -> usize {
        match self.clients.get(part) {
            Some(client) => client.instances as usize,
            None => self.services[part - self.clients.len()].replicas as usize,
        }
    }

    /// The zones over which the instances of a part are spread in turn.
    #[must_use]
    pub fn zones(&self, part: usize) -> &[u32] {
        match self.clients.get(part) {
            Some(client) => &client.zones,
            None => &self.services[part - self.clients.len()].zones,
        }
    }

    /// The zone of an instance of a part, if it has one.
    #[must_use]
    pub fn zone(&self, part: usize, instance: usize) -> Option<u32> {
        let zones = self.zones(part);
        (!zones.is_empty()).then(|| zones[instance % zones.len()])
    }

    /// Whether the requests of an edge are served beside the workers and the queue.
    #[must_use]
    pub fn own_worker(&self, edge: u32) -> bool {
        let edge = &self.edges[edge as usize];
        self.services[edge.service as usize].operations[edge.operation as usize].own_worker
    }

    /// Whether the topic of a group has partitions.
    #[must_use]
    pub fn is_partitioned(&self, group: u32) -> bool {
        self.topics[self.groups[group as usize].topic as usize].partitions.is_some()
    }

    /// The entity under which an edge is measured, e.g. `edge/web->payment.charge`.
    #[must_use]
    pub fn edge_entity(&self, edge: usize) -> String {
        let edge = &self.edges[edge];
        format!("edge/{}", edge.name)
    }
}

/// Who makes requests.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Processes that share the load; each has its own policies' state.
    pub instances: u32,
    /// Where its requests come from.
    pub source: Source,
    /// What a request does: the first step of each task, and its weight.
    pub tasks: Vec<(u32, f64)>,
    /// The task with which each user of a closed loop begins.
    pub first: Option<u32>,
    /// The class of its requests.
    pub class: Class,
    /// What its requests are about.
    pub keys: keys::Spec,
    /// The zones over which its instances are spread in turn; empty if it has none.
    pub zones: Vec<u32>,
}

/// Where requests come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// An open loop: requests come whether or not earlier ones are answered.
    Open {
        /// Arrivals (of batches) a second.
        rate: f64,
        /// The gaps, relative to their mean.
        gaps: Gaps,
        /// Requests at each arrival.
        batch: u32,
        /// What multiplies the rate over time.
        load: Vec<Load>,
    },
    /// An open loop with the arrival times of a file.
    Replay(Arc<[Time]>),
    /// A closed loop: each user waits for an answer, thinks, and asks again.
    Closed {
        /// How many users.
        users: u32,
        /// The time between an answer and the next request.
        think: Dist,
        /// The time between the starts of two users.
        start_every: Duration,
    },
    /// Members that each ask in their turn.
    Fleet(fleet::Plan),
    /// The messages that are delivered to this group.
    Topic(u32),
}

/// The law of the gaps between arrivals, for a mean of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gaps {
    /// Exponential: a Poisson process.
    Exponential,
    /// All the same.
    Constant,
    /// Uniform, give or take this share of the mean.
    Uniform(f64),
}

/// A factor on the rate of arrivals, over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// From a time on.
    Step {
        /// When.
        at: Time,
        /// How many times the rate.
        factor: f64,
    },
    /// Growing or falling evenly to a factor, which then stays.
    Ramp {
        /// When it begins.
        from: Time,
        /// When it ends.
        to: Time,
        /// How many times the rate at the end.
        factor: f64,
    },
    /// For a time.
    Spike {
        /// When it begins.
        at: Time,
        /// When it ends.
        until: Time,
        /// How many times the rate.
        factor: f64,
    },
    /// Up and down: 1 + amplitude × sin(2π t / period).
    Sine {
        /// The time from one top to the next.
        period: Duration,
        /// Between 0 and 1.
        amplitude: f64,
    },
}

/// Who serves requests.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// How many instances.
    pub replicas: u32,
    /// Requests in service at once, each instance; `u32::MAX` for no limit.
    pub workers: u32,
    /// Pieces of work under way at once, each instance; `u32::MAX` for no limit.
    pub cpus: u32,
    /// The queue of each instance.
    pub queue: admission::Spec,
    /// When requests are turned away at the door of each instance.
    pub shed: Option<admission::shed::Spec>,
    /// The limit on the requests inside each instance.
    pub limit: Option<admission::limit::Spec>,
    /// How many requests are let in at the door in a time.
    pub rate_limit: Option<admission::rate_limit::Spec>,
    /// How callers choose among the instances.
    pub balance: balance::Spec,
    /// The zones over which the instances are spread in turn; empty if it has none.
    pub zones: Vec<u32>,
    /// Whether a worker is given back during calls.
    pub releases_worker: bool,
    /// What happens to requests whose caller has gone.
    pub cancel: Cancel,
    /// Whether deadlines are honoured and handed on.
    pub deadline: bool,
    /// How work slows down with the number in service.
    pub slowdown: Slowdown,
    /// What requests hold, if that is limited.
    pub memory: Option<memory::Spec>,
    /// From a (re)start until it serves.
    pub startup: Duration,
    /// After a restart: how long it is slow, and how slow at first.
    pub warmup: (Duration, f64),
    /// The program of a refusal, if that costs work.
    pub refusal: Option<u32>,
    /// Whether one of the operations has a worker of its own.
    pub has_own_workers: bool,
    /// The operations, in order of the file: name, first step, sizes of request and response in bytes.
    pub operations: Vec<Operation>,
    /// What connections to it cost, and how many it holds.
    pub connections: Option<connections::Plan>,
    /// How its replicas have one state, if they do.
    pub replication: Option<replication::Plan>,
}

/// What a service can be asked for.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// The first step of its program.
    pub entry: u32,
    /// Bytes of a request.
    pub request: u64,
    /// Bytes of a response.
    pub response: u64,
    /// Whether its requests are served beside the workers and the queue.
    pub own_worker: bool,
    /// Whether something has happened when its program has ended well.
    pub effect: bool,
    /// What requests with a key do first, if keys are honoured.
    pub keyed: Option<Keyed>,
    /// Which replicas are asked for it, where they have one state.
    pub reads: replication::Reads,
}

impl Operation {
    /// The first step of a request with this key, or with none: zero.
    #[must_use]
    pub fn first_step(&self, token: u64) -> u32 {
        self.keyed.filter(|_| token != 0).map_or(self.entry, |keyed| keyed.entry)
    }
}

/// How keys are honoured.
#[derive(Clone, Copy, Debug)]
pub struct Keyed {
    /// The first step of a request with a key.
    pub entry: u32,
    /// The table of keys.
    pub table: idempotency::Spec,
}

/// What a service does with requests whose caller has stopped waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cancel {
    /// Works on them all the same.
    #[default]
    None,
    /// Drops them when their turn comes.
    Queued,
    /// Drops them when their turn comes, and stops those in service and their own calls.
    Propagate,
}

/// How the work of a request slows down with the number in service at its instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Slowdown {
    /// Not at all.
    #[default]
    None,
    /// Universal scalability: 1 + contention × (n − 1) + coherency × n × (n − 1) (N. Gunther).
    Usl {
        /// Share of the work that is serial.
        contention: f64,
        /// Cost of each pair that must agree.
        coherency: f64,
    },
    /// Points (n, factor), joined by straight lines, constant outside.
    Table(Arc<[(f64, f64)]>),
}

impl Slowdown {
    /// How many times as long work takes with `n` in service, this one included.
    #[must_use]
    pub fn factor(&self, n: u32) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Usl { contention, coherency } => {
                let n = f64::from(n.max(1));
                1.0 + contention * (n - 1.0) + coherency * n * (n - 1.0)
            }
            Self::Table(points) => {
                let n = f64::from(n);
                let after = points.partition_point(|point| point.0 < n);
                match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
                    (Some((x0, y0)), Some(&(x1, y1))) => y0 + (y1 - y0) * (n - x0) / (x1 - x0),
                    (Some((_, y)), None) | (None, Some(&(_, y))) => y,
                    (None, None) => 1.0,
                }
            }
        }
    }
}

/// A call that is written in a program.
#[derive(Clone, Debug)]
pub struct Edge {
    /// `web->payment.charge`; with `#2` and so on if the same call is written again.
    pub name: String,
    /// The part that calls.
    pub caller: u32,
    /// The service that is called, counted among the services.
    pub service: u32,
    /// The operation that is called, counted among those of the service.
    pub operation: u32,
    /// The way there.
    pub out: u32,
    /// The way back.
    pub back: u32,
    /// The idempotency key that its calls carry, if they do.
    pub key: Option<idempotency::Key>,
    /// What its calls are about, if not the same as the request they are made for.
    pub keys: Option<keys::Spec>,
    /// For health checks: from one probe of a replica to the next. No program makes such a call.
    pub probes: Option<Duration>,
    /// The policies, outermost first.
    pub layers: Vec<Arc<dyn Blueprint>>,
}

/// Answers that are kept.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Its name; it is measured as `cache/<name>`.
    pub name: String,
    /// Its options.
    pub spec: cache::Spec,
    /// The service that holds it, if one does.
    pub at: Option<u32>,
    /// The parts that use it, in their order.
    pub users: Vec<u32>,
}

/// A step of a program.
#[derive(Clone, Debug)]
pub enum Step {
    /// Work for a time.
    Work(Dist),
    /// Call and wait for the answer.
    Call {
        /// The edge.
        edge: u32,
        /// Whether a failure only degrades the answer.
        optional: bool,
    },
    /// Run branches side by side, and go on when enough have ended well.
    Fork {
        /// The first steps of the branches.
        branches: Arc<[u32]>,
        /// How many must end well.
        need: u32,
        /// Where to go on.
        then: u32,
    },
    /// Go on at one of these, drawn: the cumulated chances, and the steps.
    Choose(Arc<[f64]>, Arc<[u32]>),
    /// Go on there.
    Jump(u32),
    /// End with this outcome.
    Fail(Outcome),
    /// Go on, but only one at a time of those with the same key, and only until one has ended well.
    Once,
    /// Look the key up in a cache: with an entry go on at `hit`. Without one run a branch that fetches it, and go on at `then`.
    Look {
        /// The cache.
        cache: u32,
        /// The call that reads it, if a service holds it.
        read: Option<u32>,
        /// Where to go on with an entry.
        hit: u32,
        /// The first step of the branch.
        miss: u32,
        /// Where to go on with what was fetched.
        then: u32,
    },
    /// Put an entry into a cache, or delete it.
    Keep {
        /// The cache.
        cache: u32,
        /// The call that does so, if a service holds it.
        write: Option<u32>,
        /// Whether it is deleted.
        deletes: bool,
    },
    /// Run a branch that nobody waits for, and go on; or go through it first if too many run already.
    Behind {
        /// The cache, whose entry is there already.
        cache: u32,
        /// The first step of the branch; its last is [`Step::EndBehind`].
        branch: u32,
        /// Where to go on.
        then: u32,
        /// How many may run at an instance.
        most: u32,
    },
    /// End well, if this runs in the background because of a [`Step::Behind`].
    EndBehind,
    /// What was written is there, at the primary of a database; go on when those have it for whom the answer waits.
    Commit,
    /// What was read is there, at a replica of a database.
    Read,
    /// End as a request that was refused at the door.
    Refuse,
    /// The work for a handshake is done.
    Shaken,
    /// End well.
    End,
    /// Publish a message, or end with 503 if there is no room for it.
    Publish {
        /// The topic.
        topic: u32,
        /// The chance that nobody can process it.
        poison: f64,
    },
}

/// Messages that wait for those who consume them.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name; it is measured as `topic/<name>`.
    pub name: String,
    /// How many partitions, if it has some.
    pub partitions: Option<u32>,
    /// Whether the youngest is next.
    pub lifo: bool,
    /// Messages that wait in each partition, for each group; `u32::MAX` for no limit.
    pub capacity: u32,
    /// Whether one more is refused; otherwise the oldest is dropped.
    pub refuses: bool,
    /// An older one is dropped when its turn comes.
    pub max_age: Duration,
    /// Those who consume it.
    pub groups: Vec<u32>,
    /// The parts that publish to it, in their order.
    pub publishers: Vec<u32>,
}

/// Who consumes a topic, and how.
#[derive(Clone, Debug)]
pub struct Group {
    /// The client; it is measured as `group/<client>`.
    pub client: u32,
    /// The topic.
    pub topic: u32,
    /// Messages that each instance processes at once.
    pub concurrency: u32,
    /// Whether a message that fails is lost.
    pub at_most_once: bool,
    /// From its delivery until it is delivered again, if it is not acknowledged.
    pub visibility_timeout: Option<Duration>,
    /// After so many deliveries it is dead; `u32::MAX` for never.
    pub max_deliveries: u32,
    /// From a failure to the next delivery.
    pub redeliver: Dist,
    /// Where the dead go.
    pub dead_letter: Option<u32>,
}

/// A way from one part to another.
#[derive(Clone, Debug)]
pub struct Link {
    /// `web->payment`.
    pub name: String,
    /// The part it comes from.
    pub from: u32,
    /// The part it leads to.
    pub to: u32,
    /// The time of a message on its way.
    pub latency: Dist,
    /// The chance that a message is lost.
    pub loss: f64,
    /// Bytes a second; infinite for no limit.
    pub bandwidth: f64,
}

/// What goes wrong, and when.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Its name; its window is `fault:<name>`.
    pub name: String,
    /// When.
    pub timing: Timing,
    /// The time until it has its full strength.
    pub ramp: Duration,
    /// What.
    pub what: What,
}

/// When a fault is there.
#[derive(Clone, Debug)]
pub enum Timing {
    /// At these times, from and until.
    Planned(Vec<(Time, Time)>),
    /// At random: gaps and lengths exponential with these means.
    Random {
        /// The mean time from the end of one to the start of the next.
        between: Duration,
        /// The mean time to repair.
        repair: Duration,
    },
}

/// Which instances of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// All.
    All,
    /// This one, counted from 0.
    One(u32),
    /// So many, drawn for each run.
    Some(u32),
    /// All in this zone.
    Zone(u32),
}

/// What a fault does while it is there.
#[derive(Clone, Debug)]
pub enum What {
    /// Work that begins takes `factor` times as long.
    Slow {
        /// The service.
        service: u32,
        /// Which of its instances.
        which: Which,
        /// How many times as long.
        factor: f64,
    },
    /// A share of the requests fails.
    Errors {
        /// The service.
        service: u32,
        /// Which of its instances.
        which: Which,
        /// The chance of each request.
        rate: f64,
        /// How they fail.
        outcome: Outcome,
        /// Whether they fail before any work is done.
        fast: bool,
    },
    /// The process is gone. What it held is lost; it starts afresh.
    Crash {
        /// The service.
        service: u32,
        /// Which of its instances.
        which: Which,
        /// Whether callers get no answer at all, as from a host without power.
        silent: bool,
    },
    /// The process stands still, and goes on where it was.
    Pause {
        /// The service.
        service: u32,
        /// Which of its instances.
        which: Which,
    },
    /// Messages on these links are lost.
    Partition {
        /// The links.
        links: Vec<u32>,
    },
    /// These links are slower, lossier or narrower.
    Link {
        /// The links.
        links: Vec<u32>,
        /// Added to each message's time.
        latency: Dist,
        /// Added chance of loss.
        loss: f64,
        /// Bytes a second at most.
        bandwidth: f64,
    },
    /// Members of a fleet are gone, and start again when it is over.
    Disconnect {
        /// The client.
        client: u32,
        /// How many of its members, drawn at the start of the fault.
        members: u32,
        /// Each starts within this time of its end.
        within: Duration,
    },
    /// Tables of a cache are emptied, at once.
    Flush {
        /// The cache.
        cache: u32,
        /// Which of its tables.
        which: Which,
    },
    /// A client's load is multiplied.
    Surge {
        /// The client.
        client: u32,
        /// How many times the load.
        factor: f64,
    },
}

/// A named span of time over which figures are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// `all`, `before`, `fault:<name>`, `after`, or a name from the experiment.
    pub name: String,
    /// Its start.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

/// How long a run takes, and how it is measured.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// What comes later does not count.
    pub length: Time,
    /// Figures begin here.
    pub warmup: Time,
    /// Requests that are under way at the end may take this much longer. Until they have ended, others keep coming.
    pub drain: Duration,
    /// The step of time lines.
    pub resolution: Duration,
    /// The windows; `all` is the first.
    pub windows: Vec<Window>,
    /// From the start of the first planned fault to the end of the last.
    pub disturbed: Option<(Time, Time)>,
}

/// What ends a run early, with partial results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Events in all.
    pub events: u64,
    /// Events at one instant.
    pub events_per_instant: u64,
    /// Bytes held by what is under way and what was measured.
    pub memory: u64,
    /// Simulated time.
    pub time: Time,
}

impl Default for Limits {
    fn default() -> Self {
        Self { events: 20_000_000_000, events_per_instant: 10_000_000, memory: 4 << 30, time: Time::NEVER }
    }
}
