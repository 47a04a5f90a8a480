//! Facts become figures. Hears everything, changes nothing: no event is scheduled here, no random number drawn.
//!
//! ```text
//!   time  ├──┬──┬──┬──┬─╫─┬──┬──╫┬──┬──┬──┤
//!          buckets: one step of `resolution`, cut where a window begins or ends (╫)
//!          segments: between two ╫; a window is a row of segments
//! ```
//!
//! Counts and time integrals are kept for each bucket, latencies for each segment. What belongs to a request is
//! counted in the bucket in which the request was *opened*, whenever it ends; what belongs to an instant (arrivals at a
//! service, workers busy) in the bucket of that instant. A window's figure is a sum over its buckets: exact, and in a
//! fixed order.

mod histogram;
mod metrics;
mod recorder;
mod run;
pub mod trace;

use std::collections::{BTreeSet, VecDeque};

use crate::admission::Refusal;
use crate::engine::{Duration, Time};
use crate::outcome::Outcome;
use crate::policy::Position;
use crate::system::memory::Memory;
use crate::system::plan::{self, Edge, Plan};
use recorder::Recorder;

pub use histogram::Histogram;
pub use metrics::{METRICS, Metric, Quantity, metric};
pub(crate) use recorder::{Note, UNTRACED};
pub(crate) use run::columns;
pub use run::{Column, Life, LifeStrip, Run, Strip};

/// Moves of breakers, and of processes, that are kept one by one: enough for any strip that a person can read. Figures count them all.
pub(crate) const MOST_MOVES: usize = 100_000;

/// Services with more instances than this have no figures for each instance.
pub(crate) const MOST_INSTANCES: u32 = 16;

/// The time within which `arrivals.peak` counts: what comes in it comes at once, as far as most services can tell. On a grid.
pub(crate) const PEAK: Duration = Duration::from_millis(10);

/// What happened. Stated once, where it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    /// A client made a request.
    Opened { client: u32 },
    /// A request of a client ended.
    Closed { client: u32, bucket: u32, outcome: Outcome, took: Duration },
    /// A call began.
    CallOpened { edge: u32 },
    /// An attempt of a call was sent; `root` is the bucket in which the client's request behind it was opened.
    AttemptSent { edge: u32, bucket: u32, root: u32 },
    /// An attempt was sent to another zone than that of the caller.
    ZoneLeft { edge: u32, bucket: u32 },
    /// By so many more replicas of a service is one of its callers ejecting, after so many ejections.
    Ejected { service: u32, delta: i64, ejections: u64 },
    /// For so many more replicas of a service the probes of one of its callers fail.
    Unhealthy { service: u32, delta: i64 },
    /// A replica crashed, starts, serves, stands still or goes on.
    Life { host: u32, life: Life },
    /// A call ended.
    CallClosed { edge: u32, bucket: u32, outcome: Outcome, took: Duration },
    /// A call was put off, to be made later.
    PutOff { edge: u32 },
    /// The number of calls that wait to be made later changed.
    Backlog { edge: u32, delta: i64 },
    /// A call that had been put off has ended well.
    CaughtUp { edge: u32 },
    /// An answer came back, and this much work was done for it; late, if nobody waited any more.
    Answered { edge: u32, bucket: u32, work: Duration, late: bool },
    /// Work was done for an answer that never came back.
    Wasted { edge: u32, bucket: u32, work: Duration },
    /// A message was put on a link, and will arrive.
    Carried { link: u32, bytes: u64 },
    /// A message was lost.
    Lost { link: u32 },
    /// A request came to an instance that is up.
    Arrived { service: u32, host: u32 },
    /// A request was refused at the door.
    Refused { service: u32, why: Refusal },
    /// The program of a request with an effect has ended well; again, if one for the same request had before.
    Effect { service: u32, again: bool },
    /// A request was given up before it was answered: cancelled, too old, or lost in a crash.
    Dropped { service: u32 },
    /// A worker took a request.
    Started { service: u32, bucket: u32, wait: Duration },
    /// A request was answered by its program.
    Finished { service: u32, host: u32, bucket: u32, sojourn: Duration, outcome: Outcome },
    /// The number of waiting requests changed.
    Queue { service: u32, host: u32, delta: i64 },
    /// The number of those changed who wait at the door of a service.
    Blocked { service: u32, delta: i64 },
    /// The number of busy workers changed.
    Busy { service: u32, host: u32, delta: i64 },
    /// The limit of an instance moved.
    Limit { service: u32, delta: i64 },
    /// The concurrency limit of a caller moved.
    CallerLimit { edge: u32, delta: i64 },
    /// So many more members of a fleet have had an answer since they started.
    Served { client: u32, delta: i64 },
    /// A breaker moved; it belongs to this host, or is shared.
    BreakerMoved { breaker: u32, host: Option<u32>, from: Position, to: Position },
    /// Something happened at a cache.
    Cache { cache: u32, what: CacheFact },
    /// Something happened to the memory of an instance.
    Memory { service: u32, what: MemoryFact },
    /// A message was published to a topic.
    Published { topic: u32 },
    /// A topic had no room for a message.
    Refusal { topic: u32 },
    /// Something happened to a message of a consumer group.
    Group { group: u32, what: GroupFact },
    /// A caller opened a connection, or has had it from the start.
    Connected { edge: u32, warm: bool },
    /// A caller closed a connection.
    Disconnected { edge: u32 },
    /// A replica holds a connection from now on, or has held it from the start.
    Accepted { service: u32, warm: bool },
    /// A replica holds a connection no more.
    Freed { service: u32 },
    /// A call has waited so long for a place in a pool, and has one.
    PoolWaited { edge: u32, bucket: u32, wait: Duration },
    /// Something happened at a service whose replicas have one state.
    Database { service: u32, what: DatabaseFact },
}

/// What happened to the memory of an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemoryFact {
    /// What is taken changed by so many parts of the limit of an instance.
    Held(i64),
    /// A collection begins, and takes so long.
    Collects(Duration),
    /// A collection is over, or has died with its process.
    Collected,
    /// The instance is killed.
    Killed,
}

/// What happened to a message of a consumer group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GroupFact {
    /// The number of messages that wait changed.
    Lag(i64),
    /// It was delivered; again, if not for the first time.
    Delivered { again: bool },
    /// It was processed, so long after it was published.
    Acknowledged { age: Duration },
    /// It was delivered too often.
    Dead,
    /// It was not processed, and is not delivered again.
    Lost,
    /// It has made room for another.
    DroppedFull,
    /// It was too old when its turn came.
    DroppedOld,
    /// It was processed when it had been given to somebody else already.
    Late,
}

/// What happened at a database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DatabaseFact {
    /// A read has ended; stale, if it has missed a write that was answered so long ago.
    Read { stale: Option<Duration> },
    /// A write is answered.
    Written,
    /// So many writes that were answered are not at the new primary.
    Lost(u64),
    /// Another replica has become the primary.
    FailedOver,
    /// The primary is there, or not.
    Primary { is_there: bool },
}

/// What happened at a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CacheFact {
    /// A key was looked up.
    Looked(Seen),
    /// A fetch began; early, if its entry was still fresh.
    Fetches { early: bool },
    /// An entry is fetched early for the first time, so long before it expires.
    Lead(Duration),
    /// A stale entry was given because its fetch had failed.
    Spared,
    /// A fresh entry was looked up when it was fresh no more.
    Expired,
    /// An entry has made room.
    Evicted,
    /// The number of entries changed.
    Entries(i64),
    /// The number of writes in the background changed.
    Behind(i64),
    /// A write in the background has failed, or its instance has crashed.
    LostWrite,
}

/// What a lookup has found: each is one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Hit,
    Stale,
    Negative,
    /// Another one fetches it, or has done so a short while ago.
    Coalesced,
    Miss,
    /// The instance that has it could not be read.
    Unreachable,
}

/// Offsets of the counters of one entity within the row of a bucket.
mod at {
    use crate::outcome::Outcome;

    pub(super) const KINDS: usize = Outcome::KINDS;

    pub(super) mod client {
        pub(crate) const OPENED: usize = 0;
        pub(crate) const KIND: usize = 1;
        /// What degraded answers are worth, in percent of a full one each.
        pub(crate) const QUALITY: usize = 1 + super::KINDS;
        pub(crate) const SIZE: usize = 2 + super::KINDS;
    }
    pub(super) mod edge {
        pub(crate) const OPENED: usize = 0;
        pub(crate) const KIND: usize = 1;
        pub(crate) const ATTEMPTS: usize = 1 + super::KINDS;
        pub(crate) const LATE: usize = 2 + super::KINDS;
        pub(crate) const WORK: usize = 3 + super::KINDS;
        pub(crate) const WASTED: usize = 4 + super::KINDS;
        /// Attempts, counted where the client's request behind them was opened.
        pub(crate) const BY_ROOT: usize = 5 + super::KINDS;
        pub(crate) const QUALITY: usize = 6 + super::KINDS;
        /// The limits of all instances of the caller, as an integral over time.
        pub(crate) const LIMIT: usize = 7 + super::KINDS;
        /// Attempts sent to another zone.
        pub(crate) const ZONE_LEFT: usize = 8 + super::KINDS;
        pub(crate) const SIZE: usize = 9 + super::KINDS;
    }
    pub(super) mod service {
        pub(crate) const ARRIVALS: usize = 0;
        pub(crate) const REFUSED: usize = 1;
        pub(crate) const DROPPED: usize = 2;
        pub(crate) const FINISHED: usize = 3;
        pub(crate) const ERRORS: usize = 4;
        pub(crate) const STARTED: usize = 5;
        pub(crate) const WAITED: usize = 6;
        /// Integrals over time, in nanoseconds times a number.
        pub(crate) const BUSY: usize = 7;
        pub(crate) const QUEUE: usize = 8;
        /// Instances at which somebody waits.
        pub(crate) const QUEUED: usize = 9;
        /// The most that waited, over all instances together.
        pub(crate) const QUEUE_MAX: usize = 10;
        /// The limits of all instances, as an integral over time.
        pub(crate) const LIMIT: usize = 11;
        pub(crate) const EFFECTS: usize = 12;
        pub(crate) const DUPLICATES: usize = 13;
        /// An integral, as that of the queue.
        pub(crate) const BLOCKED: usize = 14;
        /// Ejections by callers, and the integrals of the replicas that are ejected or unhealthy, over all callers.
        pub(crate) const EJECTIONS: usize = 15;
        pub(crate) const EJECTED: usize = 16;
        pub(crate) const UNHEALTHY: usize = 17;
        /// The most that came within a [`super::super::PEAK`].
        pub(crate) const PEAK: usize = 18;
        /// Those refused, by reason.
        pub(crate) const WHY: usize = 19;
        pub(crate) const SIZE: usize = 19 + crate::admission::Refusal::METRICS.len();
    }
    pub(super) mod instance {
        pub(crate) const ARRIVALS: usize = 0;
        pub(crate) const FINISHED: usize = 1;
        pub(crate) const BUSY: usize = 2;
        pub(crate) const QUEUE: usize = 3;
        pub(crate) const ERRORS: usize = 4;
        pub(crate) const SIZE: usize = 5;
    }
    pub(super) mod breaker {
        pub(crate) const MOVES: usize = 0;
        pub(crate) const OPEN: usize = 1;
        pub(crate) const HALF_OPEN: usize = 2;
        pub(crate) const SIZE: usize = 3;
    }
    pub(super) mod queue {
        pub(crate) const PUT_OFF: usize = 0;
        pub(crate) const CAUGHT_UP: usize = 1;
        pub(crate) const BACKLOG: usize = 2;
        pub(crate) const SIZE: usize = 3;
    }
    pub(super) mod fleet {
        /// Members that are served, as an integral over time.
        pub(crate) const SERVED: usize = 0;
        pub(crate) const SIZE: usize = 1;
    }
    pub(super) mod cache {
        pub(crate) const LOOKUPS: usize = 0;
        /// What the lookups have found.
        pub(crate) const SEEN: usize = 1;
        pub(crate) const FETCHES: usize = 7;
        pub(crate) const EARLY: usize = 8;
        /// How early, in all, and how many.
        pub(crate) const LEAD: usize = 9;
        pub(crate) const LEADS: usize = 10;
        pub(crate) const SPARED: usize = 11;
        pub(crate) const EXPIRED: usize = 12;
        pub(crate) const EVICTED: usize = 13;
        /// Integrals over time.
        pub(crate) const ENTRIES: usize = 14;
        pub(crate) const BEHIND: usize = 15;
        pub(crate) const LOST: usize = 16;
        pub(crate) const SIZE: usize = 17;
    }
    pub(super) mod memory {
        /// Parts of the limit that are taken, over all instances, as an integral over time.
        pub(crate) const HELD: usize = 0;
        pub(crate) const COLLECTIONS: usize = 1;
        /// How long those take that began, in all.
        pub(crate) const TAKEN: usize = 2;
        pub(crate) const KILLED: usize = 3;
        /// Instances that collect, as an integral over time.
        pub(crate) const COLLECTING: usize = 4;
        pub(crate) const SIZE: usize = 5;
    }
    pub(super) mod topic {
        pub(crate) const PUBLISHED: usize = 0;
        pub(crate) const REFUSED: usize = 1;
        pub(crate) const SIZE: usize = 2;
    }
    pub(super) mod group {
        pub(crate) const DELIVERED: usize = 0;
        pub(crate) const REDELIVERED: usize = 1;
        pub(crate) const ACKNOWLEDGED: usize = 2;
        pub(crate) const DEAD: usize = 3;
        pub(crate) const LOST: usize = 4;
        pub(crate) const DROPPED_FULL: usize = 5;
        pub(crate) const DROPPED_OLD: usize = 6;
        pub(crate) const LATE: usize = 7;
        /// Messages that wait, as an integral over time.
        pub(crate) const LAG: usize = 8;
        /// The most of them at once.
        pub(crate) const LAG_MAX: usize = 9;
        pub(crate) const SIZE: usize = 10;
    }
    pub(super) mod database {
        pub(crate) const WRITES: usize = 0;
        pub(crate) const READS: usize = 1;
        pub(crate) const STALE: usize = 2;
        pub(crate) const LOST: usize = 3;
        pub(crate) const FAILOVERS: usize = 4;
        /// Whether there is no primary, as an integral over time.
        pub(crate) const WITHOUT: usize = 5;
        pub(crate) const SIZE: usize = 6;
    }
    pub(super) mod link {
        pub(crate) const MESSAGES: usize = 0;
        pub(crate) const LOST: usize = 1;
        pub(crate) const BYTES: usize = 2;
        pub(crate) const SIZE: usize = 3;
    }
    pub(super) mod pool {
        /// Connections that are open, as an integral over time.
        pub(crate) const OPEN: usize = 0;
        pub(crate) const OPENED: usize = 1;
        /// What calls have waited for a place, in nanoseconds.
        pub(crate) const WAITED: usize = 2;
        pub(crate) const SIZE: usize = 3;
    }
    pub(super) mod door {
        /// Connections that are held, as an integral over time.
        pub(crate) const HELD: usize = 0;
        pub(crate) const ACCEPTED: usize = 1;
        pub(crate) const SIZE: usize = 2;
    }
}

/// Where the counters of the entities are in a row.
#[derive(Clone, Debug, Default)]
struct Layout {
    clients: usize,
    edges: usize,
    services: usize,
    /// For each host, the offset of its instance, or none.
    instances: Vec<Option<u32>>,
    breakers: usize,
    /// For each edge that puts calls off, the offset of its queue.
    queues: Vec<Option<usize>>,
    /// For each client that is a fleet, the offset of its members.
    fleets: Vec<Option<usize>>,
    links: usize,
    caches: usize,
    /// For each service with a memory, the offset of what is known of it.
    memories: Vec<Option<usize>>,
    topics: usize,
    groups: usize,
    /// For each edge whose calls keep connections, and for each service to which they are kept: their offsets.
    pools: Vec<Option<usize>>,
    doors: Vec<Option<usize>>,
    /// For each service whose replicas have one state, the offset of that.
    databases: Vec<Option<usize>>,
    width: usize,
}

impl Layout {
    fn new(plan: &Plan, breakers: usize) -> Self {
        let clients = 0;
        let edges = clients + plan.clients.len() * at::client::SIZE;
        let services = edges + plan.edges.len() * at::edge::SIZE;
        let mut next = services + plan.services.len() * at::service::SIZE;
        let mut instances = Vec::new();
        for part in 0..plan.parts() {
            let listed = part >= plan.clients.len() && plan.instances(part) <= MOST_INSTANCES as usize;
            for _ in 0..plan.instances(part) {
                instances.push(listed.then_some(next as u32));
                next += if listed { at::instance::SIZE } else { 0 };
            }
        }
        let mut links = next + breakers * at::breaker::SIZE;
        let queues = plan.edges.iter().map(|edge| {
            puts_off(edge).then(|| {
                links += at::queue::SIZE;
                links - at::queue::SIZE
            })
        });
        let queues = queues.collect();
        let fleets = plan.clients.iter().map(|client| {
            members(client).map(|_| {
                links += at::fleet::SIZE;
                links - at::fleet::SIZE
            })
        });
        let fleets = fleets.collect();
        let caches = links + plan.links.len() * at::link::SIZE;
        let topics = caches + plan.caches.len() * at::cache::SIZE;
        let groups = topics + plan.topics.len() * at::topic::SIZE;
        let mut width = groups + plan.groups.len() * at::group::SIZE;
        let mut room = |size: usize| {
            width += size;
            width - size
        };
        let memories = plan.services.iter().map(|service| service.memory.map(|_| room(at::memory::SIZE))).collect();
        let pools = plan.edges.iter().map(|edge| keeps_connections(edge).then(|| room(at::pool::SIZE))).collect();
        let doors = (0..plan.services.len()).map(|it| holds_connections(plan, it).then(|| room(at::door::SIZE)));
        let doors = doors.collect();
        let databases =
            plan.services.iter().map(|it| it.replication.as_ref().map(|_| room(at::database::SIZE))).collect();
        Self {
            clients,
            edges,
            services,
            instances,
            breakers: next,
            queues,
            fleets,
            links,
            caches,
            topics,
            groups,
            memories,
            pools,
            doors,
            databases,
            width,
        }
    }

    fn client(&self, client: u32) -> usize {
        self.clients + client as usize * at::client::SIZE
    }
    fn edge(&self, edge: u32) -> usize {
        self.edges + edge as usize * at::edge::SIZE
    }
    fn service(&self, service: u32) -> usize {
        self.services + service as usize * at::service::SIZE
    }
    fn breaker(&self, breaker: u32) -> usize {
        self.breakers + breaker as usize * at::breaker::SIZE
    }
    fn link(&self, link: u32) -> usize {
        self.links + link as usize * at::link::SIZE
    }
    fn cache(&self, cache: u32) -> usize {
        self.caches + cache as usize * at::cache::SIZE
    }
    fn topic(&self, topic: u32) -> usize {
        self.topics + topic as usize * at::topic::SIZE
    }
    fn group(&self, group: u32) -> usize {
        self.groups + group as usize * at::group::SIZE
    }
}

/// A number that changes now and then, and its integral over time.
#[derive(Clone, Copy, Debug)]
struct Gauge {
    value: i64,
    since: Time,
    /// Where its integral is in a row.
    offset: usize,
}

/// Latencies of answers and of failures, by segment.
#[derive(Clone, Debug, Default)]
struct Latency {
    answers: Vec<Histogram>,
    failures: Vec<Histogram>,
}

impl Latency {
    fn new(segments: usize) -> Self {
        Self { answers: vec![Histogram::default(); segments], failures: vec![Histogram::default(); segments] }
    }

    fn record(&mut self, segment: usize, outcome: Outcome, took: Duration) {
        let side = if outcome.is_answer() { &mut self.answers } else { &mut self.failures };
        side[segment].record(took);
    }

    fn bytes(&self) -> usize {
        self.answers.iter().chain(&self.failures).map(Histogram::bytes).sum()
    }
}

/// The latencies of the requests of a client that were opened in a bucket which may still change.
#[derive(Clone, Debug, Default)]
struct Recent {
    open: u32,
    answers: Histogram,
}

/// Most buckets whose latencies are still open: as many as a time line has steps if nobody asks for more. An older one is
/// closed without a latency, because those of its requests that are still under way are the slowest.
const MOST_RECENT: usize = 1_000;

/// The time line of latencies of a client.
#[derive(Clone, Debug, Default)]
struct Track {
    /// The first bucket of `recent`.
    first: usize,
    recent: VecDeque<Recent>,
    spare: Vec<Histogram>,
    /// For each closed bucket: p50, p99 and the mean, in seconds.
    closed: Vec<[f64; 3]>,
}

/// Everything measured in a run.
#[derive(Debug)]
pub(crate) struct Measure {
    layout: Layout,
    /// For each client, the parts that its requests can lead to, itself included.
    reach: Vec<Vec<bool>>,
    /// Ends of the buckets.
    ends: Vec<Time>,
    /// The segment of each bucket.
    segment_of: Vec<u32>,
    bucket: usize,
    next_end: Time,
    ended: bool,
    row: Vec<u64>,
    rows: Vec<u64>,
    gauges: Vec<Gauge>,
    /// For each edge that puts calls off, the gauge of its queue.
    backlogs: Vec<Option<u32>>,
    busy: Vec<u32>,
    /// For each service: its workers, over all instances.
    workers: Vec<i64>,
    /// For each service: how many instances call it.
    callers: Vec<f64>,
    /// For each service and segment: when all workers were busy for the first time.
    exhausted: Vec<Vec<Option<Time>>>,
    queue: Vec<u32>,
    queued: Vec<u32>,
    ejected: Vec<u32>,
    unhealthy: Vec<u32>,
    /// For each service, and for each edge: the gauge of its limits, if there is one.
    limits: Vec<Option<u32>>,
    caller_limits: Vec<Option<u32>>,
    blocked: Vec<u32>,
    /// For each host: the gauges of its instance (busy, queue), if it is listed.
    host_gauges: Vec<Option<(u32, u32)>>,
    /// For each host: how many wait there.
    waiting: Vec<u32>,
    /// For each service: the present place on the grid of [`PEAK`], and how many came in it.
    peaks: Vec<(u64, u64)>,
    /// For each client: its members, if it is a fleet.
    fleets: Vec<Option<Members>>,
    breaker_gauges: Vec<(u32, u32)>,
    /// For each cache: its entries, and its writes in the background.
    cache_gauges: Vec<(u32, u32)>,
    /// For each service with a memory: what is held there, and how many of its instances collect.
    memory_gauges: Vec<Option<(u32, u32)>>,
    /// For each consumer group.
    groups: Vec<Backlog>,
    /// For each edge and each service: its connections, if there are any.
    pool_gauges: Vec<Option<u32>>,
    door_gauges: Vec<Option<u32>>,
    breaker_moves: Vec<(Time, u32, Position, Position)>,
    /// What became of which host, of those whose instances are listed.
    lives: Vec<(Time, u32, Life)>,
    clients: Vec<Latency>,
    tracks: Vec<Track>,
    edges: Vec<Latency>,
    waits: Vec<Vec<Histogram>>,
    sojourns: Vec<Vec<Histogram>>,
    /// For each service whose replicas have one state: the gauge of its being without a primary, and how long stale reads have missed what
    /// they did not see, by segment.
    databases: Vec<Option<(u32, Vec<Histogram>)>>,
    /// Follows some requests, if that was asked for.
    recorder: Option<Box<Recorder>>,
}

/// The members of a fleet that are served.
#[derive(Debug)]
struct Members {
    gauge: u32,
    /// How many are the shares of [`SERVED`].
    marks: [i64; SERVED.len()],
    /// For each segment: when that many were served for the first time.
    reached: Vec<[Option<Time>; SERVED.len()]>,
}

/// The messages of a consumer group that wait.
#[derive(Debug)]
struct Backlog {
    gauge: u32,
    /// For each segment: when none waited for the first time.
    drained: Vec<Option<Time>>,
    /// For each segment: how old messages were when they were acknowledged.
    ages: Vec<Histogram>,
}

/// The shares of a fleet for which it is told when they were served.
pub(crate) const SERVED: [(&str, f64); 4] =
    [("served_after.p50", 0.5), ("served_after.p90", 0.9), ("served_after.p99", 0.99), ("served_after.max", 1.0)];

/// How many members a client has, if it is a fleet.
pub(crate) fn members(client: &plan::Client) -> Option<u32> {
    match &client.source {
        plan::Source::Fleet(fleet) => Some(fleet.members),
        _ => None,
    }
}

/// Whether calls along this edge can be put off.
pub(crate) fn puts_off(edge: &Edge) -> bool {
    edge.layers.iter().any(|layer| layer.catching_up().is_some())
}

/// Whether calls along this edge keep connections.
pub(crate) fn keeps_connections(edge: &Edge) -> bool {
    edge.layers.iter().any(|layer| layer.keeps_connections().is_some())
}

/// Whether somebody keeps connections to a service.
pub(crate) fn holds_connections(plan: &Plan, service: usize) -> bool {
    plan.edges.iter().any(|edge| edge.service as usize == service && keeps_connections(edge))
}

/// The breakers of a plan, in the order in which the pipeline numbers them: their names, and how many there are of each.
pub(crate) fn breakers(plan: &Plan) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for edge in &plan.edges {
        for (again, layer) in edge.layers.iter().filter(|layer| layer.is_breaker()).enumerate() {
            let of = if layer.shared() { 1 } else { plan.instances(edge.caller as usize) as u32 };
            let name = if again == 0 { edge.name.clone() } else { format!("{}/{}", edge.name, again + 1) };
            found.push((name, of));
        }
    }
    found
}

/// The concurrency limit of an edge that is measured, the outermost one: its layer, where it starts, and how many there are.
pub(crate) fn caller_limit(plan: &Plan, edge: usize) -> Option<(usize, u32, u32)> {
    let edge = &plan.edges[edge];
    let (layer, blueprint, initial) =
        edge.layers.iter().enumerate().find_map(|(layer, it)| Some((layer, it, it.concurrency()?)))?;
    let of = if blueprint.shared() { 1 } else { plan.instances(edge.caller as usize) as u32 };
    Some((layer, initial, of))
}

impl Measure {
    pub(crate) fn new(plan: &Plan) -> Self {
        let breakers = breakers(plan);
        let layout = Layout::new(plan, breakers.len());
        let (ends, segment_of, segments) = cut(plan);
        let mut gauges = Vec::new();
        let mut gauge_from = |offset: usize, value: i64| {
            gauges.push(Gauge { value, since: Time::ZERO, offset });
            gauges.len() as u32 - 1
        };
        let limits = plan.services.iter().zip(0..).map(|(spec, service)| {
            let sum = i64::from(spec.limit?.initial()) * i64::from(spec.replicas);
            Some(gauge_from(layout.service(service) + at::service::LIMIT, sum))
        });
        let limits = limits.collect();
        let caller_limits = (0..plan.edges.len()).map(|edge| {
            let (_, initial, of) = caller_limit(plan, edge)?;
            let sum = i64::from(initial) * i64::from(of);
            Some(gauge_from(layout.edge(edge as u32) + at::edge::LIMIT, sum))
        });
        let caller_limits = caller_limits.collect();
        let memory_gauges = plan.services.iter().zip(&layout.memories).map(|(service, at)| {
            let base = Memory::new(&service.memory?).taken(0) * i64::from(service.replicas);
            let at = (*at)?;
            Some((gauge_from(at + at::memory::HELD, base), gauge_from(at + at::memory::COLLECTING, 0)))
        });
        let memory_gauges = memory_gauges.collect();
        let mut gauge = |offset: usize| gauge_from(offset, 0);
        let services = 0..plan.services.len() as u32;
        let busy = services.clone().map(|s| gauge(layout.service(s) + at::service::BUSY)).collect();
        let queue = services.clone().map(|s| gauge(layout.service(s) + at::service::QUEUE)).collect();
        let blocked = services.clone().map(|s| gauge(layout.service(s) + at::service::BLOCKED)).collect();
        let queued = services.clone().map(|s| gauge(layout.service(s) + at::service::QUEUED)).collect();
        let unhealthy = services.clone().map(|s| gauge(layout.service(s) + at::service::UNHEALTHY)).collect();
        let ejected = services.map(|s| gauge(layout.service(s) + at::service::EJECTED)).collect();
        let backlogs = layout.queues.iter().map(|queue| queue.map(|at| gauge(at + at::queue::BACKLOG))).collect();
        let fleets = plan.clients.iter().zip(&layout.fleets).map(|(client, at)| {
            let members = f64::from(members(client)?);
            Some(Members {
                gauge: gauge((*at)? + at::fleet::SERVED),
                marks: SERVED.map(|(_, share)| libm::ceil(share * members) as i64),
                reached: vec![[None; SERVED.len()]; segments],
            })
        });
        let fleets = fleets.collect();
        let host_gauges = layout
            .instances
            .iter()
            .map(|offset| {
                let offset = (*offset)? as usize;
                Some((gauge(offset + at::instance::BUSY), gauge(offset + at::instance::QUEUE)))
            })
            .collect();
        let breaker_gauges = (0..breakers.len() as u32)
            .map(|b| (gauge(layout.breaker(b) + at::breaker::OPEN), gauge(layout.breaker(b) + at::breaker::HALF_OPEN)))
            .collect();
        let cache_gauges = (0..plan.caches.len() as u32)
            .map(|it| (gauge(layout.cache(it) + at::cache::ENTRIES), gauge(layout.cache(it) + at::cache::BEHIND)))
            .collect();
        let groups = (0..plan.groups.len() as u32).map(|group| {
            let gauge = gauge(layout.group(group) + at::group::LAG);
            let mut drained = vec![None; segments];
            drained[0] = Some(Time::ZERO);
            Backlog { gauge, drained, ages: vec![Histogram::default(); segments] }
        });
        let groups: Vec<Backlog> = groups.collect();
        let pool_gauges = layout.pools.iter().map(|at| at.map(|at| gauge(at + at::pool::OPEN))).collect();
        let door_gauges = layout.doors.iter().map(|at| at.map(|at| gauge(at + at::door::HELD))).collect();
        let databases = layout.databases.iter().map(|at| {
            let without = gauge((*at)? + at::database::WITHOUT);
            Some((without, vec![Histogram::default(); segments]))
        });
        let databases = databases.collect();
        let histograms = || vec![vec![Histogram::default(); segments]; plan.services.len()];
        Self {
            reach: (0..plan.clients.len()).map(|client| reach(plan, client)).collect(),
            next_end: ends.first().copied().unwrap_or(Time::NEVER),
            bucket: 0,
            ended: ends.is_empty(),
            row: vec![0; layout.width],
            rows: vec![0; layout.width],
            ends,
            segment_of,
            gauges,
            backlogs,
            busy,
            workers: plan
                .services
                .iter()
                .map(|it| i64::from(it.workers).saturating_mul(i64::from(it.replicas)))
                .collect(),
            callers: callers(plan),
            exhausted: vec![vec![None; segments]; plan.services.len()],
            queue,
            queued,
            ejected,
            unhealthy,
            limits,
            caller_limits,
            blocked,
            host_gauges,
            waiting: vec![0; layout.instances.len()],
            peaks: vec![(0, 0); plan.services.len()],
            fleets,
            breaker_gauges,
            cache_gauges,
            memory_gauges,
            groups,
            pool_gauges,
            door_gauges,
            breaker_moves: Vec::new(),
            lives: Vec::new(),
            clients: vec![Latency::new(segments); plan.clients.len()],
            tracks: vec![Track::default(); plan.clients.len()],
            edges: vec![Latency::new(segments); plan.edges.len()],
            waits: histograms(),
            sojourns: histograms(),
            databases,
            recorder: None,
            layout,
        }
    }

    /// The bucket of the present moment.
    pub(crate) fn bucket(&mut self, now: Time) -> u32 {
        if now >= self.next_end {
            self.roll(now);
        }
        self.bucket as u32
    }

    /// From now on so many requests are followed.
    pub(crate) fn follow(&mut self, plan: &Plan, seed: u64, requests: u32) {
        self.recorder = Some(Box::new(Recorder::new(plan, seed, requests)));
    }

    /// A client is about to make a request: the number that it carries if it is followed, or [`UNTRACED`].
    #[inline]
    pub(crate) fn next_request(&mut self, now: Time, warmup: Time) -> u32 {
        match &mut self.recorder {
            None => UNTRACED,
            Some(recorder) => recorder.next(now >= warmup && !self.ended),
        }
    }

    /// Whether any request is followed.
    pub(crate) fn follows(&self) -> bool {
        self.recorder.is_some()
    }

    /// Something happened to a request that carries this number.
    #[cold]
    #[inline(never)]
    pub(crate) fn tell(&mut self, now: Time, request: u32, note: Note) {
        if let Some(recorder) = &mut self.recorder {
            recorder.note(now, request, note);
        }
    }

    /// A fault began or ended.
    pub(crate) fn fault(&mut self, now: Time, fault: u32, begins: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.fault(now, fault, begins);
        }
    }

    /// Whether what was opened in this bucket belongs to the run: not after its end.
    pub(crate) fn is_counted(&self, bucket: u32) -> bool {
        (bucket as usize) < self.ends.len()
    }

    /// Memory held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let latencies: usize = self.clients.iter().chain(&self.edges).map(Latency::bytes).sum();
        let recent: usize = self.tracks.iter().flat_map(|track| &track.recent).map(|it| it.answers.bytes()).sum();
        let times: usize = self.waits.iter().chain(&self.sojourns).flatten().map(Histogram::bytes).sum();
        let stale: usize = self.databases.iter().flatten().flat_map(|it| &it.1).map(Histogram::bytes).sum();
        self.rows.capacity() * 8 + latencies + recent + times + stale
    }

    /// A fact is heard.
    #[inline]
    pub(crate) fn note(&mut self, now: Time, fact: Fact) {
        if now >= self.next_end {
            self.roll(now);
        }
        match fact {
            Fact::Opened { client } => {
                *self.count(self.bucket, self.layout.client(client) + at::client::OPENED) += 1;
                self.tracks[client as usize].opened(self.bucket);
            }
            Fact::Closed { client, bucket, outcome, took } => self.on_closed(client, bucket as usize, outcome, took),
            Fact::Life { host, life } => {
                // Enough for any strip that a person can read.
                if self.host_gauges[host as usize].is_some() && self.lives.len() < MOST_MOVES {
                    self.lives.push((now, host, life));
                }
            }
            Fact::CallOpened { edge } => {
                *self.count(self.bucket, self.layout.edge(edge) + at::edge::OPENED) += 1;
            }
            Fact::AttemptSent { edge, bucket, root } => {
                *self.count(bucket as usize, self.layout.edge(edge) + at::edge::ATTEMPTS) += 1;
                *self.count(root as usize, self.layout.edge(edge) + at::edge::BY_ROOT) += 1;
            }
            Fact::ZoneLeft { edge, bucket } => {
                *self.count(bucket as usize, self.layout.edge(edge) + at::edge::ZONE_LEFT) += 1;
            }
            Fact::Ejected { service, delta, ejections } => {
                self.change(self.ejected[service as usize], now, delta);
                self.count_now(self.layout.service(service) + at::service::EJECTIONS, ejections);
            }
            Fact::Unhealthy { service, delta } => self.change(self.unhealthy[service as usize], now, delta),
            Fact::CallClosed { edge, bucket, outcome, took } => {
                *self.count(bucket as usize, self.layout.edge(edge) + at::edge::KIND + outcome.kind()) += 1;
                if let Outcome::Degraded(lesser) = outcome {
                    let at = self.layout.edge(edge) + at::edge::QUALITY;
                    *self.count(bucket as usize, at) += u64::from(lesser.quality);
                }
                let segment = self.segment_of[bucket as usize] as usize;
                self.edges[edge as usize].record(segment, outcome, took);
            }
            Fact::PutOff { edge } => self.count_queue(edge, at::queue::PUT_OFF),
            Fact::Backlog { edge, delta } => {
                self.change(self.backlogs[edge as usize].expect("the edge has a queue"), now, delta);
            }
            Fact::CaughtUp { edge } => self.count_queue(edge, at::queue::CAUGHT_UP),
            Fact::Answered { edge, bucket, work, late } => {
                let at = self.layout.edge(edge);
                *self.count(bucket as usize, at + at::edge::WORK) += work.nanos();
                if late {
                    *self.count(bucket as usize, at + at::edge::LATE) += 1;
                    *self.count(bucket as usize, at + at::edge::WASTED) += work.nanos();
                }
            }
            Fact::Wasted { edge, bucket, work } => {
                let at = self.layout.edge(edge);
                *self.count(bucket as usize, at + at::edge::WORK) += work.nanos();
                *self.count(bucket as usize, at + at::edge::WASTED) += work.nanos();
            }
            Fact::Carried { link, bytes } => {
                let at = self.layout.link(link);
                self.count_now(at + at::link::MESSAGES, 1);
                self.count_now(at + at::link::BYTES, bytes);
            }
            Fact::Lost { link } => self.count_now(self.layout.link(link) + at::link::LOST, 1),
            Fact::Arrived { service, host } => {
                self.count_now(self.layout.service(service) + at::service::ARRIVALS, 1);
                self.watch_peak(service, now);
                if let Some(at) = self.layout.instances[host as usize] {
                    self.count_now(at as usize + at::instance::ARRIVALS, 1);
                }
            }
            Fact::Refused { service, why } => {
                let at = self.layout.service(service);
                self.count_now(at + at::service::REFUSED, 1);
                self.count_now(at + at::service::WHY + why as usize, 1);
            }
            Fact::Dropped { service } => self.count_now(self.layout.service(service) + at::service::DROPPED, 1),
            Fact::Effect { service, again } => {
                let at = self.layout.service(service);
                self.count_now(at + at::service::EFFECTS, 1);
                self.count_now(at + at::service::DUPLICATES, u64::from(again));
            }
            Fact::Started { service, bucket, wait } => {
                let at = self.layout.service(service);
                *self.count(bucket as usize, at + at::service::STARTED) += 1;
                if !wait.is_zero() {
                    *self.count(bucket as usize, at + at::service::WAITED) += 1;
                }
                let segment = self.segment_of[bucket as usize] as usize;
                self.waits[service as usize][segment].record(wait);
            }
            Fact::Finished { service, host, bucket, sojourn, outcome } => {
                let at = self.layout.service(service);
                self.count_now(at + at::service::FINISHED, 1);
                if outcome.is_failure() {
                    self.count_now(at + at::service::ERRORS, 1);
                }
                if let Some(at) = self.layout.instances[host as usize] {
                    self.count_now(at as usize + at::instance::FINISHED, 1);
                    self.count_now(at as usize + at::instance::ERRORS, u64::from(outcome.is_failure()));
                }
                let segment = self.segment_of[bucket as usize] as usize;
                self.sojourns[service as usize][segment].record(sojourn);
            }
            Fact::Queue { service, host, delta } => self.on_queue(now, service, host, delta),
            Fact::Blocked { service, delta } => self.change(self.blocked[service as usize], now, delta),
            Fact::Busy { service, host, delta } => {
                self.change(self.busy[service as usize], now, delta);
                self.watch_workers(service as usize, now);
                if let Some((busy, _)) = self.host_gauges[host as usize] {
                    self.change(busy, now, delta);
                }
            }
            Fact::Served { client, delta } => {
                let fleet = self.fleets[client as usize].as_ref().expect("only fleets have members");
                self.change(fleet.gauge, now, delta);
                self.watch_members(client as usize, now);
            }
            Fact::Limit { service, delta } => self.move_limit(self.limits[service as usize], now, delta),
            Fact::CallerLimit { edge, delta } => self.move_limit(self.caller_limits[edge as usize], now, delta),
            Fact::BreakerMoved { breaker, host, from, to } => {
                self.on_breaker(now, breaker, from, to);
                if let Some(recorder) = &mut self.recorder {
                    recorder.breaker(now, breaker, host, to);
                }
            }
            Fact::Cache { cache, what } => self.on_cache(now, cache, what),
            Fact::Memory { service, what } => self.on_memory(now, service, what),
            Fact::Published { topic } => self.count_now(self.layout.topic(topic) + at::topic::PUBLISHED, 1),
            Fact::Refusal { topic } => self.count_now(self.layout.topic(topic) + at::topic::REFUSED, 1),
            Fact::Group { group, what } => self.on_group(now, group, what),
            Fact::Connected { edge, warm } => {
                self.count_now(self.pool(edge) + at::pool::OPENED, u64::from(!warm));
                self.change(self.pool_gauges[edge as usize].expect("the edge has a pool"), now, 1);
            }
            Fact::Disconnected { edge } => {
                self.change(self.pool_gauges[edge as usize].expect("the edge has a pool"), now, -1);
            }
            Fact::Accepted { service, warm } => {
                let at = self.layout.doors[service as usize].expect("somebody keeps connections to it");
                self.count_now(at + at::door::ACCEPTED, u64::from(!warm));
                self.change(self.door_gauges[service as usize].expect("it is a gauge"), now, 1);
            }
            Fact::Freed { service } => {
                self.change(self.door_gauges[service as usize].expect("it is a gauge"), now, -1);
            }
            Fact::PoolWaited { edge, bucket, wait } => {
                let at = self.pool(edge) + at::pool::WAITED;
                *self.count(bucket as usize, at) += wait.nanos();
            }
            Fact::Database { service, what } => self.on_database(now, service as usize, what),
        }
    }

    fn on_database(&mut self, now: Time, service: usize, what: DatabaseFact) {
        let at = self.layout.databases[service].expect("the replicas have one state");
        match what {
            DatabaseFact::Read { stale } => {
                self.count_now(at + at::database::READS, 1);
                if let Some(missing) = stale {
                    self.count_now(at + at::database::STALE, 1);
                    let segment = self.segment_of[self.bucket] as usize;
                    if let Some((_, staleness)) = &mut self.databases[service] {
                        staleness[segment].record(missing);
                    }
                }
            }
            DatabaseFact::Written => self.count_now(at + at::database::WRITES, 1),
            DatabaseFact::Lost(writes) => self.count_now(at + at::database::LOST, writes),
            DatabaseFact::FailedOver => self.count_now(at + at::database::FAILOVERS, 1),
            DatabaseFact::Primary { is_there } => {
                if let Some(without) = self.databases[service].as_ref().map(|it| it.0) {
                    self.change(without, now, if is_there { -1 } else { 1 });
                }
            }
        }
    }

    fn on_memory(&mut self, now: Time, service: u32, what: MemoryFact) {
        let at = self.layout.memories[service as usize].expect("the service has a memory");
        let (held, collecting) = self.memory_gauges[service as usize].expect("the service has a memory");
        match what {
            MemoryFact::Held(delta) => self.change(held, now, delta),
            MemoryFact::Collects(time) => {
                self.count_now(at + at::memory::COLLECTIONS, 1);
                self.count_now(at + at::memory::TAKEN, time.nanos());
                self.change(collecting, now, 1);
            }
            MemoryFact::Collected => self.change(collecting, now, -1),
            MemoryFact::Killed => self.count_now(at + at::memory::KILLED, 1),
        }
    }

    fn on_group(&mut self, now: Time, group: u32, what: GroupFact) {
        let at = self.layout.group(group);
        match what {
            GroupFact::Lag(delta) => {
                self.change(self.groups[group as usize].gauge, now, delta);
                self.watch_backlog(group as usize, now);
            }
            GroupFact::Delivered { again } => {
                self.count_now(at + at::group::DELIVERED, 1);
                self.count_now(at + at::group::REDELIVERED, u64::from(again));
            }
            GroupFact::Acknowledged { age } => {
                self.count_now(at + at::group::ACKNOWLEDGED, 1);
                let segment = self.segment_of[self.bucket] as usize;
                self.groups[group as usize].ages[segment].record(age);
            }
            GroupFact::Dead => self.count_now(at + at::group::DEAD, 1),
            GroupFact::Lost => self.count_now(at + at::group::LOST, 1),
            GroupFact::DroppedFull => self.count_now(at + at::group::DROPPED_FULL, 1),
            GroupFact::DroppedOld => self.count_now(at + at::group::DROPPED_OLD, 1),
            GroupFact::Late => self.count_now(at + at::group::LATE, 1),
        }
    }

    /// Where the counters of an edge's pools are.
    fn pool(&self, edge: u32) -> usize {
        self.layout.pools[edge as usize].expect("the edge has a pool")
    }

    fn on_cache(&mut self, now: Time, cache: u32, what: CacheFact) {
        let at = self.layout.cache(cache);
        let (entries, behind) = self.cache_gauges[cache as usize];
        match what {
            CacheFact::Looked(seen) => {
                self.count_now(at + at::cache::LOOKUPS, 1);
                self.count_now(at + at::cache::SEEN + seen as usize, 1);
            }
            CacheFact::Fetches { early } => {
                self.count_now(at + at::cache::FETCHES, 1);
                self.count_now(at + at::cache::EARLY, u64::from(early));
            }
            CacheFact::Lead(lead) => {
                self.count_now(at + at::cache::LEAD, lead.nanos());
                self.count_now(at + at::cache::LEADS, 1);
            }
            CacheFact::Spared => self.count_now(at + at::cache::SPARED, 1),
            CacheFact::Expired => self.count_now(at + at::cache::EXPIRED, 1),
            CacheFact::Evicted => self.count_now(at + at::cache::EVICTED, 1),
            CacheFact::Entries(delta) => self.change(entries, now, delta),
            CacheFact::Behind(delta) => self.change(behind, now, delta),
            CacheFact::LostWrite => self.count_now(at + at::cache::LOST, 1),
        }
    }

    fn on_closed(&mut self, client: u32, bucket: usize, outcome: Outcome, took: Duration) {
        *self.count(bucket, self.layout.client(client) + at::client::KIND + outcome.kind()) += 1;
        if let Outcome::Degraded(lesser) = outcome {
            *self.count(bucket, self.layout.client(client) + at::client::QUALITY) += u64::from(lesser.quality);
        }
        let segment = self.segment_of[bucket] as usize;
        let track = &mut self.tracks[client as usize];
        let recent = bucket.checked_sub(track.first).and_then(|place| track.recent.get_mut(place));
        match recent {
            Some(recent) => {
                recent.open -= 1;
                if outcome.is_answer() {
                    recent.answers.record(took);
                    return;
                }
                self.clients[client as usize].record(segment, outcome, took);
            }
            None => self.clients[client as usize].record(segment, outcome, took),
        }
    }

    fn on_queue(&mut self, now: Time, service: u32, host: u32, delta: i64) {
        self.change(self.queue[service as usize], now, delta);
        if let Some((_, queue)) = self.host_gauges[host as usize] {
            self.change(queue, now, delta);
        }
        let waiting = &mut self.waiting[host as usize];
        let before = *waiting;
        *waiting = u32::try_from(i64::from(before) + delta).expect("a queue has no fewer than nobody in it");
        match (before, *waiting) {
            (0, 1..) => self.change(self.queued[service as usize], now, 1),
            (1.., 0) => self.change(self.queued[service as usize], now, -1),
            _ => {}
        }
        if !self.ended {
            let total = self.gauges[self.queue[service as usize] as usize].value as u64;
            let at = self.layout.service(service) + at::service::QUEUE_MAX;
            let most = self.count(self.bucket, at);
            *most = (*most).max(total);
        }
    }

    fn move_limit(&mut self, gauge: Option<u32>, now: Time, delta: i64) {
        self.change(gauge.expect("only limits that were listed move"), now, delta);
    }

    fn on_breaker(&mut self, now: Time, breaker: u32, from: Position, to: Position) {
        self.count_now(self.layout.breaker(breaker) + at::breaker::MOVES, 1);
        let (open, half_open) = self.breaker_gauges[breaker as usize];
        for (position, delta) in [(from, -1), (to, 1)] {
            match position {
                Position::Closed => {}
                Position::Open => self.change(open, now, delta),
                Position::HalfOpen => self.change(half_open, now, delta),
            }
        }
        if self.breaker_moves.len() < MOST_MOVES {
            self.breaker_moves.push((now, breaker, from, to));
        }
    }

    /// Remembers the first time in a segment at which all workers are busy.
    fn watch_workers(&mut self, service: usize, now: Time) {
        if self.gauges[self.busy[service] as usize].value == self.workers[service] {
            let segment = self.segment_of[self.bucket] as usize;
            self.exhausted[service][segment].get_or_insert(now);
        }
    }

    /// Remembers the first time in a segment at which so many members of a fleet are served.
    fn watch_members(&mut self, client: usize, now: Time) {
        let Some(fleet) = &mut self.fleets[client] else { return };
        let served = self.gauges[fleet.gauge as usize].value;
        let segment = self.segment_of[self.bucket] as usize;
        for (mark, reached) in fleet.marks.iter().zip(&mut fleet.reached[segment]) {
            if served >= *mark {
                reached.get_or_insert(now);
            }
        }
    }

    /// Remembers the most messages that wait, and the first time in a segment at which none does.
    fn watch_backlog(&mut self, group: usize, now: Time) {
        let backlog = &mut self.groups[group];
        let lag = self.gauges[backlog.gauge as usize].value as u64;
        if lag == 0 {
            backlog.drained[self.segment_of[self.bucket] as usize].get_or_insert(now);
        }
        if !self.ended {
            let at = self.layout.group(group as u32) + at::group::LAG_MAX;
            let most = self.count(self.bucket, at);
            *most = (*most).max(lag);
        }
    }

    /// Remembers the most arrivals within a [`PEAK`]; those on both sides of the end of a bucket count for the later.
    #[inline]
    fn watch_peak(&mut self, service: u32, now: Time) {
        let place = now.nanos() / PEAK.nanos();
        let peak = &mut self.peaks[service as usize];
        *peak = (place, if peak.0 == place { peak.1 + 1 } else { 1 });
        let came = peak.1;
        if !self.ended {
            let most = self.count(self.bucket, self.layout.service(service) + at::service::PEAK);
            *most = (*most).max(came);
        }
    }

    fn count(&mut self, bucket: usize, offset: usize) -> &mut u64 {
        &mut self.rows[bucket * self.layout.width + offset]
    }

    /// Counts something that belongs to this instant; what happens after the end belongs to no window.
    fn count_now(&mut self, offset: usize, by: u64) {
        if !self.ended {
            *self.count(self.bucket, offset) += by;
        }
    }

    /// Counts something at the queue of an edge, now.
    fn count_queue(&mut self, edge: u32, offset: usize) {
        let at = self.layout.queues[edge as usize].expect("the edge has a queue");
        self.count_now(at + offset, 1);
    }

    fn change(&mut self, gauge: u32, now: Time, delta: i64) {
        let gauge = &mut self.gauges[gauge as usize];
        if !self.ended {
            let sum = gauge.value as u64 * (now - gauge.since).nanos();
            self.rows[self.bucket * self.layout.width + gauge.offset] += sum;
        }
        gauge.value += delta;
        gauge.since = now;
        debug_assert!(gauge.value >= 0, "there is less than nothing of something");
    }

    /// Time has passed the end of the bucket.
    #[cold]
    fn roll(&mut self, now: Time) {
        while now >= self.next_end {
            let end = self.next_end;
            for gauge in &mut self.gauges {
                let sum = gauge.value as u64 * (end - gauge.since).nanos();
                self.rows[self.bucket * self.layout.width + gauge.offset] += sum;
                gauge.since = end;
            }
            self.bucket += 1;
            self.rows.extend_from_slice(&self.row);
            // After the end there is one bucket more, which belongs to no window.
            self.ended = self.bucket == self.ends.len();
            self.next_end = self.ends.get(self.bucket).copied().unwrap_or(Time::NEVER);
            for service in 0..self.workers.len() {
                self.watch_workers(service, end);
            }
            for client in 0..self.fleets.len() {
                self.watch_members(client, end);
            }
            for group in 0..self.groups.len() {
                self.watch_backlog(group, end);
            }
            for (service, &gauge) in self.queue.iter().enumerate() {
                let at = self.layout.service(service as u32) + at::service::QUEUE_MAX;
                self.rows[self.bucket * self.layout.width + at] = self.gauges[gauge as usize].value as u64;
            }
            for (client, track) in self.tracks.iter_mut().enumerate() {
                track.close_old(self.bucket, &self.segment_of, &mut self.clients[client].answers);
            }
        }
    }
}

impl Track {
    fn opened(&mut self, bucket: usize) {
        while self.first + self.recent.len() <= bucket {
            let answers = self.spare.pop().unwrap_or_default();
            self.recent.push_back(Recent { open: 0, answers });
        }
        self.recent[bucket - self.first].open += 1;
    }

    /// Closes the buckets before the present one in which nothing is open any more, and those that are too old.
    fn close_old(&mut self, present: usize, segment_of: &[u32], answers: &mut [Histogram]) {
        while self.first < present
            && (self.recent.front().is_none_or(|recent| recent.open == 0) || self.recent.len() > MOST_RECENT)
        {
            match self.recent.pop_front() {
                Some(mut recent) => {
                    let it = &recent.answers;
                    let all_known = recent.open == 0;
                    self.closed.push(if all_known {
                        [it.quantile(0.5), it.quantile(0.99), it.mean()]
                    } else {
                        [f64::NAN; 3]
                    });
                    answers[segment_of[self.first] as usize].merge(it);
                    recent.answers.clear();
                    self.spare.push(recent.answers);
                }
                None => self.closed.push([f64::NAN; 3]),
            }
            self.first += 1;
        }
    }

    /// Closes all.
    fn close_all(&mut self, buckets: usize, segment_of: &[u32], answers: &mut [Histogram]) {
        // What is unfinished now has no latency.
        for recent in &mut self.recent {
            recent.open = 0;
        }
        self.close_old(buckets, segment_of, answers);
    }
}

/// For each service, how many instances call it.
fn callers(plan: &Plan) -> Vec<f64> {
    let calls: BTreeSet<(u32, u32)> = plan.edges.iter().map(|edge| (edge.service, edge.caller)).collect();
    let mut callers = vec![0.0; plan.services.len()];
    for (service, caller) in calls {
        callers[service as usize] += plan.instances(caller as usize) as f64;
    }
    callers
}

/// The parts that the requests of a client can lead to, itself included.
fn reach(plan: &Plan, client: usize) -> Vec<bool> {
    let mut reached = vec![false; plan.parts()];
    let mut next = vec![client];
    while let Some(part) = next.pop() {
        if !std::mem::replace(&mut reached[part], true) {
            let calls = plan.edges.iter().filter(|edge| edge.caller as usize == part);
            next.extend(calls.map(|edge| plan.clients.len() + edge.service as usize));
        }
    }
    reached
}

/// Cuts the time of a run into buckets. Returns their ends, the segment of each (and of the bucket after the end), and
/// the number of segments.
fn cut(plan: &Plan) -> (Vec<Time>, Vec<u32>, usize) {
    let schedule = &plan.schedule;
    let length = schedule.length;
    let mut marks: Vec<Time> = schedule
        .windows
        .iter()
        .flat_map(|window| [window.from, window.until])
        .chain([schedule.warmup, length])
        .filter(|&mark| mark > Time::ZERO && mark <= length)
        .collect();
    marks.sort_unstable();
    marks.dedup();
    let (mut ends, mut segment_of) = (Vec::new(), Vec::new());
    let mut now = Time::ZERO;
    for (segment, &mark) in marks.iter().enumerate() {
        while now < mark {
            // Steps stay on the grid of the resolution, whatever a window does.
            let step = schedule.resolution.nanos().max(1);
            let grid = Time::from_nanos((now.nanos() / step + 1).saturating_mul(step));
            now = grid.min(mark);
            ends.push(now);
            segment_of.push(segment as u32);
        }
    }
    segment_of.push(marks.len() as u32);
    (ends, segment_of, marks.len() + 1)
}
