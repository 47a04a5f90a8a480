//! The metrics that exist: their names, units and meaning. `list metrics`, the checks of claims and charts, and the
//! reference page read this list.

/// In what a metric is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Seconds.
    Seconds,
    /// So many a second.
    PerSecond,
    /// A share, between 0 and 1.
    Share,
    /// A number of things.
    Count,
    /// How many times as much.
    Factor,
}

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as in files and tables.
    pub name: &'static str,
    /// The kinds of entity that have it: `client`, `edge`, `service`, `instance`, `breaker`, `queue`, `cache`, `fleet`, `memory`,
    /// `topic`, `group`, `database`, `link`.
    pub of: &'static [&'static str],
    /// Its unit.
    pub quantity: Quantity,
    /// Whether it has a time line.
    pub in_time: bool,
    /// What it says.
    pub meaning: &'static str,
}

impl Metric {
    /// Whether entities of this kind have a time line of it. The latencies of edges have none, nor have instances and links.
    #[must_use]
    pub fn has_line(&self, kind: &str) -> bool {
        self.in_time && !matches!(kind, "instance" | "link") && !(kind == "edge" && self.name.starts_with("latency"))
    }
}

const CALLS: &[&str] = &["client", "edge"];
const QUEUES: &[&str] = &["queue"];
const CALLED: &[&str] = &["edge", "service"];
const SERVICES: &[&str] = &["service"];
const EDGES: &[&str] = &["edge"];
const BOTH: &[&str] = &["service", "instance"];
const BREAKERS: &[&str] = &["breaker"];
const FLEETS: &[&str] = &["fleet"];
const LINKS: &[&str] = &["link"];
const CACHES: &[&str] = &["cache"];
const MEMORIES: &[&str] = &["memory"];
const TOPICS: &[&str] = &["topic"];
const GROUPS: &[&str] = &["group"];
const LATE: &[&str] = &["client", "edge", "group"];
const LOST: &[&str] = &["link", "group"];
const DATABASES: &[&str] = &["database"];

macro_rules! metrics {
    ($($name:literal, $of:expr, $quantity:ident, $in_time:literal, $meaning:literal;)*) => {
        &[$(Metric { name: $name, of: $of, quantity: Quantity::$quantity, in_time: $in_time, meaning: $meaning }),*]
    };
}

/// All metrics, in the order of the tables.
pub const METRICS: &[Metric] = metrics! {
    "offered", CALLS, PerSecond, true, "requests, or calls, that were begun";
    "attempts", CALLS, PerSecond, true, "attempts sent; those of a client are those of all its calls";
    "amplification", CALLS, Factor, true, "attempts for each first try";
    "calls_per_request", CALLED, Factor, false, "attempts sent along the edge, or to the service, for each request of the clients whose requests can lead there, whenever they were sent";
    "cross_zone_share", EDGES, Share, true, "share of the attempts that were sent to another zone than the caller's; only if both have zones";
    "ok", CALLS, PerSecond, true, "full answers in time";
    "degraded", CALLS, PerSecond, true, "lesser answers in time";
    "failed", CALLS, PerSecond, true, "ended without an answer";
    "failed.timeout", CALLS, PerSecond, false, "the caller stopped waiting";
    "failed.unavailable", CALLS, PerSecond, false, "503: refused or no instance";
    "failed.throttled", CALLS, PerSecond, false, "429";
    "failed.error", CALLS, PerSecond, false, "500";
    "failed.rejected", CALLS, PerSecond, false, "4xx";
    "failed.unreachable", CALLS, PerSecond, false, "the network or the process was gone";
    "failed.refused_by.breaker", CALLS, PerSecond, false, "refused by the caller's own breaker";
    "failed.refused_by.bulkhead", CALLS, PerSecond, false, "refused by the caller's own bulkhead";
    "failed.refused_by.rate_limit", CALLS, PerSecond, false, "refused by the caller's own rate limit";
    "failed.refused_by.adaptive_throttle", CALLS, PerSecond, false, "refused by the caller's own adaptive throttle";
    "failed.refused_by.concurrency_limit", CALLS, PerSecond, false, "refused by the caller's own concurrency limit";
    "failed.refused_by.credits", CALLS, PerSecond, false, "refused because too many of the caller's own calls waited for credits";
    "failed.refused_by.connection_pool", CALLS, PerSecond, false, "refused because no place in the caller's own connection pool came free";
    "failed.refused_by.deadline", CALLS, PerSecond, false, "not sent because the deadline had passed";
    "failed.refused_by.custom", CALLS, PerSecond, false, "refused by a policy written in Rust";
    "cancelled", CALLS, PerSecond, false, "abandoned by the task that had called";
    "goodput", CALLS, PerSecond, true, "answers in time, full or degraded";
    "success_rate", CALLS, Share, true, "share of the requests that were answered in time, full or degraded";
    "quality", CALLS, Share, true, "what the requests that have ended were worth, mean: 1 for a full answer, the quality of a degraded one, 0 for a failure";
    "latency.mean", CALLS, Seconds, true, "time to the answer, of answered requests, mean";
    "latency.p50", CALLS, Seconds, true, "time to the answer, of answered requests, median";
    "latency.p90", CALLS, Seconds, false, "time to the answer, of answered requests, 90th percentile";
    "latency.p95", CALLS, Seconds, false, "time to the answer, of answered requests, 95th percentile";
    "latency.p99", CALLS, Seconds, true, "time to the answer, of answered requests, 99th percentile";
    "latency.p999", CALLS, Seconds, false, "time to the answer, of answered requests, 99.9th percentile";
    "latency.max", CALLS, Seconds, false, "time to the answer, of answered requests, largest";
    "duration.mean", CALLS, Seconds, false, "time to the end of all requests, failed ones included, mean";
    "duration.p99", CALLS, Seconds, false, "time to the end of all requests, failed ones included, 99th percentile";
    "late", LATE, PerSecond, false, "answers that came when nobody waited any more; of a group, messages that were processed when somebody else had been given them";
    "wasted_share", CALLS, Share, true, "share of the work done below for attempts whose answer nobody got";
    "recovery_time", CALLS, Seconds, false, "from the end of the last fault until goodput (of a fleet: the share of its members that are served; of a consumer: what is acknowledged) is back at 95 % of before, to stay; inf if never; only in window `all`";
    "unfinished", CALLS, Count, false, "begun, and not ended when the run was over";
    "arrivals", BOTH, PerSecond, true, "requests that came in";
    "arrivals.peak", SERVICES, Count, true, "the most requests that came within 10 ms";
    "throughput", BOTH, PerSecond, true, "requests that were served to the end";
    "errors", BOTH, PerSecond, false, "of those, answered with a failure";
    "utilisation", BOTH, Share, true, "share of the workers that are busy";
    "busy.mean", BOTH, Count, true, "workers busy, over all instances";
    "exhausted_after", SERVICES, Seconds, false, "from the start of the window until all workers of all instances were busy for the first time; inf if never";
    "queue.mean", BOTH, Count, true, "requests waiting, over all instances";
    "blocked.mean", SERVICES, Count, true, "requests that wait at the door until the queue has room, over all instances";
    "queue.max", SERVICES, Count, false, "the most that waited at once";
    "queued_share", SERVICES, Share, false, "share of the instances, over time, at which somebody waits";
    "waited_share", SERVICES, Share, false, "share of the requests that had to wait for a worker";
    "wait.mean", SERVICES, Seconds, false, "time in the queue, of requests that got a worker, mean";
    "wait.p50", SERVICES, Seconds, false, "time in the queue, of requests that got a worker, median";
    "wait.p99", SERVICES, Seconds, false, "time in the queue, of requests that got a worker, 99th percentile";
    "sojourn.mean", SERVICES, Seconds, false, "time at the service, from arrival to answer, mean";
    "sojourn.p50", SERVICES, Seconds, false, "time at the service, from arrival to answer, median";
    "sojourn.p99", SERVICES, Seconds, false, "time at the service, from arrival to answer, 99th percentile";
    "refused.full", SERVICES, PerSecond, true, "requests refused because the queue was full";
    "refused.evicted", SERVICES, PerSecond, false, "requests driven out of a full queue by more important ones";
    "refused.queue", SERVICES, PerSecond, false, "requests shed because too many waited";
    "refused.in_flight", SERVICES, PerSecond, false, "requests shed because too many were inside";
    "refused.utilisation", SERVICES, PerSecond, false, "requests shed because the workers were too busy";
    "refused.waited", SERVICES, PerSecond, false, "requests shed because somebody had waited too long";
    "refused.limit", SERVICES, PerSecond, true, "requests refused because as many were inside as `limit` allowed";
    "refused.rate", SERVICES, PerSecond, true, "requests refused with 429 because too many came in a time";
    "refused.connections", SERVICES, PerSecond, true, "connections refused because a replica held as many as `connections` allows, or accepted too many in a time; their requests are among the arrivals";
    "refused.share", SERVICES, Share, false, "requests refused for any of these reasons, as a share of the arrivals";
    "limit.mean", CALLED, Count, true, "the limit on concurrency that adapts itself, mean over time and over all instances; of an edge, that of its outermost `concurrency_limit`";
    "connections.mean", CALLED, Count, true, "connections: of an edge those that its callers have open, of a service those that its replicas hold, idle ones included";
    "connections.opened", CALLED, PerSecond, true, "connections that callers began to open, well or not; of a service, those that it accepted";
    "pool.wait.mean", EDGES, Seconds, true, "time that calls waited for a place in their connection pool, mean over all attempts";
    "dropped", SERVICES, PerSecond, false, "requests given up before they were answered: cancelled, past their deadline or `max_wait`, given up by `codel`, or lost in a crash";
    "effects", SERVICES, PerSecond, true, "what operations with an `effect` have brought about, whatever became of the answers";
    "duplicate_effects", SERVICES, PerSecond, true, "effects that had happened before for the same request";
    "ejected.mean", SERVICES, Count, true, "replicas that a caller does not pick because they failed too often, mean over the instances of its callers";
    "ejections", SERVICES, Count, false, "ejections of its replicas, by all instances of its callers together";
    "unhealthy.mean", SERVICES, Count, true, "replicas whose health checks a caller sees failing, mean over the instances of its callers";
    "instance_hours", SERVICES, Count, false, "what is paid for: replicas times the length of the window, in hours";
    "open_share", BREAKERS, Share, true, "share of the time, over all instances, in which it refused calls";
    "half_open_share", BREAKERS, Share, false, "share of the time in which it probed";
    "transitions", BREAKERS, Count, false, "changes of position";
    "put_off", QUEUES, PerSecond, true, "calls that a fallback put off, to be made later; one that fails again is not counted twice";
    "caught_up", QUEUES, PerSecond, true, "calls that had been put off and have ended well";
    "backlog.mean", QUEUES, Count, true, "calls that wait to be made later, over all instances of the caller";
    "served", FLEETS, Share, true, "members that have had an answer since they started, mean share of all";
    "served_after.p50", FLEETS, Seconds, false, "from the start of the window until half of the members were served; inf if never";
    "served_after.p90", FLEETS, Seconds, false, "until 90 % were";
    "served_after.p99", FLEETS, Seconds, false, "until 99 % were";
    "served_after.max", FLEETS, Seconds, false, "until all were";
    "lookups", CACHES, PerSecond, true, "keys looked up; each is one of the hits, stale, negative hits, coalesced, misses, or misses that were unreachable";
    "hits", CACHES, PerSecond, true, "lookups that found a fresh entry";
    "hit_ratio", CACHES, Share, true, "share of the lookups that were given an entry at once, fresh or stale";
    "stale", CACHES, PerSecond, true, "lookups that were given an expired or deleted entry at once";
    "stale.on_error", CACHES, PerSecond, false, "times that an expired entry was given after its fetch had failed";
    "negative_hits", CACHES, PerSecond, false, "lookups that were given a failure which was remembered";
    "coalesced", CACHES, PerSecond, true, "lookups that waited for the fetch of another one, or for the end of a lease";
    "misses", CACHES, PerSecond, true, "lookups that found nothing, and fetched";
    "misses.unreachable", CACHES, PerSecond, true, "lookups that fetched because the instance with the entry could not be read";
    "fetches", CACHES, PerSecond, true, "fetches that were begun, those in the background included";
    "fetches.early", CACHES, PerSecond, false, "fetches that were begun while the entry was fresh";
    "early_lead.mean", CACHES, Seconds, false, "from the first early fetch of an entry to its expiry, mean";
    "expired", CACHES, PerSecond, true, "entries that had expired when they were looked up";
    "evictions", CACHES, PerSecond, true, "entries that have made room for others";
    "entries.mean", CACHES, Count, true, "entries, over all tables; expired ones are among them until they are looked up";
    "writes.behind", CACHES, Count, true, "writes that are under way in the background, mean";
    "writes.lost", CACHES, PerSecond, false, "writes in the background that failed, or died with their instance";
    "memory.used", MEMORIES, Share, true, "memory in use, garbage included, as a share of the limit, mean over all instances and over time";
    "collections", MEMORIES, PerSecond, true, "garbage collections, over all instances";
    "gc.share", MEMORIES, Share, true, "share of the time, over all instances, in which a collection stops everything";
    "gc.pause.mean", MEMORIES, Seconds, true, "time that a collection takes, mean of those that begin";
    "oom_kills", MEMORIES, Count, true, "instances killed because what was in use could not be collected";
    "published", TOPICS, PerSecond, true, "messages published; those refused are not among them";
    "refused", TOPICS, PerSecond, true, "messages refused because there was no room for them in one of the groups";
    "delivered", GROUPS, PerSecond, true, "deliveries, those that came again included";
    "redelivered", GROUPS, PerSecond, true, "deliveries of messages that had been delivered before";
    "acknowledged", GROUPS, PerSecond, true, "messages that were processed, and are done";
    "dead", GROUPS, PerSecond, true, "messages that were delivered `max_deliveries` times, and not acknowledged";
    "dropped.full", GROUPS, PerSecond, true, "messages that have made room for younger ones";
    "dropped.old", GROUPS, PerSecond, false, "messages that were older than `max_age` when their turn came";
    "lag.mean", GROUPS, Count, true, "messages that wait to be delivered, or to be delivered again";
    "lag.max", GROUPS, Count, false, "the most that waited at once";
    "drained_after", GROUPS, Seconds, false, "from the start of the window until no message waited for the first time; inf if never";
    "age.mean", GROUPS, Seconds, false, "from the publication of a message to its acknowledgement, mean";
    "age.p50", GROUPS, Seconds, false, "from publication to acknowledgement, median";
    "age.p99", GROUPS, Seconds, false, "from publication to acknowledgement, 99th percentile";
    "age.max", GROUPS, Seconds, false, "from publication to acknowledgement, largest";
    "messages", LINKS, PerSecond, false, "messages carried by the link; those lost on it are not among them";
    "lost", LOST, PerSecond, false, "messages lost on the link; of a group that gets each at most once, those that were not processed";
    "bytes", LINKS, PerSecond, false, "bytes of the messages carried";
    "writes", DATABASES, PerSecond, true, "writes that were acknowledged";
    "reads", DATABASES, PerSecond, true, "reads that ended well, at any replica";
    "stale_reads", DATABASES, PerSecond, true, "reads that missed a write of their key which had been acknowledged before they came to the replica";
    "stale_share", DATABASES, Share, true, "share of the reads that were stale";
    "staleness.mean", DATABASES, Seconds, false, "for how long what a stale read missed had been acknowledged, mean";
    "staleness.p50", DATABASES, Seconds, false, "for how long what a stale read missed had been acknowledged, median";
    "staleness.p99", DATABASES, Seconds, false, "for how long what a stale read missed had been acknowledged, 99th percentile";
    "staleness.max", DATABASES, Seconds, false, "for how long what a stale read missed had been acknowledged, largest";
    "lost_writes", DATABASES, Count, true, "acknowledged writes that the replica which became the primary did not have";
    "failovers", DATABASES, Count, false, "times that another replica became the primary";
    "without_primary", DATABASES, Share, true, "share of the time in which there was no primary: it was down or stood still, and no other had been chosen";
};

/// The metric of this name.
#[must_use]
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}
