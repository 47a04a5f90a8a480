//! What a run leaves behind: its figures by window, its time lines, and what a verdict needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::trace::Trace;
use super::{
    Measure, SERVED, Seen, at, breakers, caller_limit, members,
    metrics::{METRICS, metric},
    puts_off,
};
use crate::admission::Refusal;
use crate::engine::Time;
use crate::outcome::{Lesser, Outcome};
use crate::policy::Position;
use crate::system::Stopped;
use crate::system::memory::PARTS;
use crate::system::plan::{self, Plan, Source};

/// A figure's entity and metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// E.g. `client/shoppers`.
    pub entity: String,
    /// E.g. `goodput`; see [`super::METRICS`].
    #[serde(deserialize_with = "known")]
    pub metric: Name,
}

/// The name of a metric. An alias, so that reading one does not ask for a text that lives for ever.
type Name = &'static str;

/// The name of a metric, as this program has it.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let name = String::deserialize(deserializer)?;
    metric(&name).map(|it| it.name).ok_or_else(|| de::Error::custom(format!("`{name}` is no metric")))
}

/// The positions of a breaker over time, over all instances together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strip {
    /// The breaker's entity.
    pub entity: String,
    /// From when on (seconds), how many instances, and how many of them are open and half-open.
    pub moves: Vec<(f64, u32, u32, u32)>,
}

/// How a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    /// It serves.
    Up,
    /// It has crashed.
    Down,
    /// It has crashed, and starts up again.
    Starting,
    /// It stands still.
    Paused,
}

/// The states of a replica over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifeStrip {
    /// The replica's entity.
    pub entity: String,
    /// From when on (seconds) it is how.
    pub moves: Vec<(f64, Life)>,
}

/// What a run leaves behind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// What is in the rows of `windows`.
    pub columns: Vec<Column>,
    /// For each window of the plan, a value for each column. Not a number where there was nothing to measure.
    pub windows: Vec<Vec<f64>>,
    /// What is in the rows of `timeline`.
    pub tracks: Vec<Column>,
    /// The start of each step, in seconds.
    pub times: Vec<f64>,
    /// For each step, a value for each track.
    pub timeline: Vec<Vec<f64>>,
    /// The length of each step, in seconds.
    pub steps: Vec<f64>,
    /// The positions of breakers.
    pub strips: Vec<Strip>,
    /// The states of the replicas of services that have at most 16 of them.
    pub lives: Vec<LifeStrip>,
    /// The tail of each client's latencies over the window `all`: (seconds, share that took longer).
    pub tails: Vec<(String, Vec<(f64, f64)>)>,
    /// The noise in the answers of each client, as before the first fault: the variance of a count of them, for each that is
    /// expected.
    pub noise: Vec<(String, f64)>,
    /// Events in all.
    pub events: u64,
    /// Why it ended early, if it did.
    pub stopped: Option<Stopped>,
    /// The requests that were followed, if that was asked for.
    pub trace: Option<Trace>,
}

impl Run {
    /// The value of a metric in a window, by names; [`None`] if there is no such window, entity or metric.
    #[must_use]
    pub fn value(&self, plan: &Plan, window: &str, entity: &str, metric: &str) -> Option<f64> {
        let window = plan.schedule.windows.iter().position(|it| it.name == window)?;
        self.figure(window, entity, metric)
    }

    /// The value of a metric in a window, by its number.
    #[must_use]
    pub fn figure(&self, window: usize, entity: &str, metric: &str) -> Option<f64> {
        let column = self.columns.iter().position(|it| it.entity == entity && it.metric == metric)?;
        self.windows.get(window)?.get(column).copied()
    }

    /// A time line: (seconds, value).
    #[must_use]
    pub fn line(&self, entity: &str, metric: &str) -> Option<Vec<(f64, f64)>> {
        let track = self.tracks.iter().position(|it| it.entity == entity && it.metric == metric)?;
        Some(self.times.iter().zip(&self.timeline).map(|(&time, row)| (time, row[track])).collect())
    }
}

/// Sums over some buckets.
struct Sums<'a> {
    measure: &'a Measure,
    row: Vec<u64>,
    seconds: f64,
    buckets: std::ops::Range<usize>,
    segments: std::ops::Range<usize>,
    from: Time,
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { f64::NAN }
}

impl Measure {
    /// Closes the books: `open_requests` and `open_calls` (client or edge, bucket) are what is still under way.
    pub(crate) fn finish(
        mut self,
        plan: &Plan,
        now: Time,
        open_requests: &[(u32, u32)],
        open_calls: &[(u32, u32)],
        events: u64,
        stopped: Option<Stopped>,
    ) -> Run {
        // A run that was stopped, or in which nothing happens any more, has quiet time left until its end.
        let until = if stopped.is_some() { now.min(plan.schedule.length) } else { plan.schedule.length };
        if !self.ended && until >= self.next_end {
            self.roll(until);
        }
        let buckets = if self.ended { self.ends.len() } else { self.bucket };
        for (client, track) in self.tracks.iter_mut().enumerate() {
            track.close_all(self.bucket + 1, &self.segment_of, &mut self.clients[client].answers);
        }
        self.check_sums(plan, open_requests, open_calls);
        let mut run = Run { events, stopped, ..Run::default() };
        run.columns = columns(plan, false);
        run.tracks = columns(plan, true);
        let (first_columns, first_tracks) = (firsts(&run.columns), firsts(&run.tracks));
        for (number, window) in plan.schedule.windows.iter().enumerate() {
            let sums = self.sums(buckets, window.from, window.until);
            let mut values = sums.values(plan, false);
            sums.unfinished(plan, &run.columns, &first_columns, &mut values, open_requests, open_calls);
            if number == 0 {
                run.noise = recovery(plan, &self, buckets, &run.columns, &first_columns, &mut values);
                run.tails = sums.tails(plan);
            }
            run.windows.push(values);
        }
        for bucket in 0..buckets {
            let from = self.start(bucket);
            let sums = self.sums_of(bucket..bucket + 1);
            let mut values = sums.values(plan, true);
            self.latencies_in_time(plan, bucket, &run.tracks, &first_tracks, &mut values);
            run.times.push(from.as_secs());
            run.steps.push((self.ends[bucket] - from).as_secs());
            run.timeline.push(values);
        }
        run.strips = self.strips(plan);
        run.lives = self.lives(plan);
        run.trace = self.recorder.map(|recorder| recorder.finish(plan, now));
        run
    }

    fn start(&self, bucket: usize) -> Time {
        bucket.checked_sub(1).map_or(Time::ZERO, |before| self.ends[before])
    }

    fn sums(&self, buckets: usize, from: Time, until: Time) -> Sums<'_> {
        let first = self.ends.partition_point(|&end| end <= from).min(buckets);
        let last = self.ends.partition_point(|&end| end <= until).min(buckets);
        self.sums_of(first..last.max(first))
    }

    fn sums_of(&self, buckets: std::ops::Range<usize>) -> Sums<'_> {
        let width = self.layout.width;
        let mut row = vec![0; width];
        for bucket in buckets.clone() {
            for (offset, value) in self.rows[bucket * width..(bucket + 1) * width].iter().enumerate() {
                row[offset] += value;
            }
        }
        // Not a sum but a maximum.
        for service in 0..self.queue.len() as u32 {
            let offset = self.layout.service(service) + at::service::QUEUE_MAX;
            row[offset] = buckets.clone().map(|bucket| self.rows[bucket * width + offset]).max().unwrap_or(0);
            let offset = self.layout.service(service) + at::service::PEAK;
            row[offset] = buckets.clone().map(|bucket| self.rows[bucket * width + offset]).max().unwrap_or(0);
        }
        for group in 0..self.groups.len() as u32 {
            let offset = self.layout.group(group) + at::group::LAG_MAX;
            row[offset] = buckets.clone().map(|bucket| self.rows[bucket * width + offset]).max().unwrap_or(0);
        }
        let seconds =
            if buckets.is_empty() { 0.0 } else { (self.ends[buckets.end - 1] - self.start(buckets.start)).as_secs() };
        let segment = |bucket: usize| self.segment_of[bucket] as usize;
        let segments = if buckets.is_empty() { 0..0 } else { segment(buckets.start)..segment(buckets.end - 1) + 1 };
        Sums { measure: self, row, seconds, from: self.start(buckets.start), buckets, segments }
    }

    fn latencies_in_time(&self, plan: &Plan, bucket: usize, tracks: &[Column], firsts: &Firsts, values: &mut [f64]) {
        for (client, spec) in plan.clients.iter().enumerate() {
            let [p50, p99, mean] = self.tracks[client].closed.get(bucket).copied().unwrap_or([f64::NAN; 3]);
            let entity = format!("client/{}", spec.name);
            let first = firsts[&entity];
            let own = tracks[first..].iter().zip(&mut values[first..]).take_while(|(track, _)| track.entity == entity);
            for (track, value) in own {
                match track.metric {
                    "latency.p50" => *value = p50,
                    "latency.p99" => *value = p99,
                    "latency.mean" => *value = mean,
                    _ => {}
                }
            }
        }
    }

    fn strips(&self, plan: &Plan) -> Vec<Strip> {
        let names = breakers(plan);
        let mut strips: Vec<Strip> =
            names.iter().map(|(name, _)| Strip { entity: format!("breaker/{name}"), moves: Vec::new() }).collect();
        // The moves tell where a breaker went, not which of the instances: a count for each position is enough.
        let mut states: Vec<(u32, u32)> = vec![(0, 0); names.len()];
        for (strip, (_, of)) in strips.iter_mut().zip(&names) {
            strip.moves.push((0.0, *of, 0, 0));
        }
        for &(time, breaker, from, to) in &self.breaker_moves {
            let (open, half_open) = &mut states[breaker as usize];
            match from {
                Position::Open => *open -= 1,
                Position::HalfOpen => *half_open -= 1,
                Position::Closed => {}
            }
            match to {
                Position::Open => *open += 1,
                Position::HalfOpen => *half_open += 1,
                Position::Closed => {}
            }
            let of = names[breaker as usize].1;
            strips[breaker as usize].moves.push((time.as_secs(), of, *open, *half_open));
        }
        strips
    }

    fn lives(&self, plan: &Plan) -> Vec<LifeStrip> {
        let mut host = (0..plan.clients.len()).map(|part| plan.instances(part)).sum::<usize>() as u32;
        let mut strips = Vec::new();
        for service in &plan.services {
            let first = host;
            host += service.replicas;
            if service.replicas > super::MOST_INSTANCES {
                continue;
            }
            for replica in 0..service.replicas {
                let own = self.lives.iter().filter(|it| it.1 == first + replica);
                let moves = std::iter::once((0.0, Life::Up)).chain(own.map(|&(time, _, life)| (time.as_secs(), life)));
                strips
                    .push(LifeStrip { entity: format!("instance/{}/{replica}", service.name), moves: moves.collect() });
            }
        }
        strips
    }

    /// Conservation: opened = ended + unfinished, for every client, edge and bucket.
    fn check_sums(&self, plan: &Plan, open_requests: &[(u32, u32)], open_calls: &[(u32, u32)]) {
        let width = self.layout.width;
        let mut open = vec![0_i64; self.rows.len() / width.max(1) * (plan.clients.len() + plan.edges.len())];
        let entities = plan.clients.len() + plan.edges.len();
        for &(client, bucket) in open_requests {
            open[bucket as usize * entities + client as usize] += 1;
        }
        for &(edge, bucket) in open_calls {
            open[bucket as usize * entities + plan.clients.len() + edge as usize] += 1;
        }
        for (bucket, row) in self.rows.chunks(width.max(1)).enumerate() {
            let clients = (0..plan.clients.len())
                .map(|client| (self.layout.client(client as u32), plan.clients[client].name.as_str()));
            let edges =
                (0..plan.edges.len()).map(|edge| (self.layout.edge(edge as u32), plan.edges[edge].name.as_str()));
            for (entity, (at, name)) in clients.chain(edges).enumerate() {
                // Clients and edges both have the opened first and the kinds of outcome behind it.
                let ended: u64 = row[at + 1..=at + at::KINDS].iter().sum();
                assert_eq!(
                    row[at] as i64,
                    ended as i64 + open[bucket * entities + entity],
                    "opened and ended requests of {name} differ in bucket {bucket}"
                );
            }
            for (cache, spec) in plan.caches.iter().enumerate() {
                let at = self.layout.cache(cache as u32);
                let seen: u64 = row[at + at::cache::SEEN..at + at::cache::FETCHES].iter().sum();
                assert_eq!(
                    row[at + at::cache::LOOKUPS],
                    seen,
                    "lookups and what they found differ in {} in bucket {bucket}",
                    spec.name
                );
            }
        }
    }
}

/// Where the columns of each entity begin.
type Firsts = BTreeMap<String, usize>;

fn firsts(columns: &[Column]) -> Firsts {
    let mut firsts = Firsts::new();
    for (number, column) in columns.iter().enumerate() {
        if number == 0 || columns[number - 1].entity != column.entity {
            firsts.insert(column.entity.clone(), number);
        }
    }
    firsts
}

fn column_of(columns: &[Column], firsts: &Firsts, entity: &str, metric: &str) -> usize {
    let first = firsts[entity];
    let offset = columns[first..].iter().position(|it| it.metric == metric);
    first + offset.expect("clients and edges have this metric")
}

/// The columns of a plan's tables; `in_time` for those of time lines.
pub(crate) fn columns(plan: &Plan, in_time: bool) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut add = |kind: &str, entity: String| {
        for metric in METRICS {
            let timed = !in_time || metric.has_line(kind);
            if metric.of.contains(&kind) && timed {
                columns.push(Column { entity: entity.clone(), metric: metric.name });
            }
        }
    };
    for client in &plan.clients {
        add("client", format!("client/{}", client.name));
    }
    for edge in 0..plan.edges.len() {
        add("edge", plan.edge_entity(edge));
    }
    for service in &plan.services {
        add("service", format!("service/{}", service.name));
        if !in_time && service.replicas <= super::MOST_INSTANCES && service.replicas > 1 {
            for replica in 0..service.replicas {
                add("instance", format!("instance/{}/{replica}", service.name));
            }
        }
    }
    for (name, _) in breakers(plan) {
        add("breaker", format!("breaker/{name}"));
    }
    for edge in plan.edges.iter().filter(|edge| puts_off(edge)) {
        add("queue", format!("queue/{}", edge.name));
    }
    for client in plan.clients.iter().filter(|client| members(client).is_some()) {
        add("fleet", format!("fleet/{}", client.name));
    }
    for cache in &plan.caches {
        add("cache", format!("cache/{}", cache.name));
    }
    for service in plan.services.iter().filter(|service| service.memory.is_some()) {
        add("memory", format!("memory/{}", service.name));
    }
    for topic in &plan.topics {
        add("topic", format!("topic/{}", topic.name));
    }
    for group in &plan.groups {
        add("group", format!("group/{}", plan.clients[group.client as usize].name));
    }
    if !in_time {
        for link in &plan.links {
            add("link", format!("link/{}", link.name));
        }
    }
    for service in plan.services.iter().filter(|it| it.replication.is_some()) {
        add("database", format!("database/{}", service.name));
    }
    columns
}

impl Sums<'_> {
    fn values(&self, plan: &Plan, in_time: bool) -> Vec<f64> {
        let mut values = Vec::new();
        let layout = &self.measure.layout;
        let timed = |metric: &super::Metric| !in_time || metric.in_time;
        for client in 0..plan.clients.len() {
            let caller = client as u32;
            let makes = |edge: &plan::Edge| edge.caller == caller && edge.probes.is_none();
            let edges = || (0..plan.edges.len()).filter(|&edge| makes(&plan.edges[edge]));
            let of_edges =
                |offset: usize| -> u64 { edges().map(|edge| self.row[layout.edge(edge as u32) + offset]).sum() };
            let counts = Counts {
                opened: self.row[layout.client(caller) + at::client::OPENED],
                kinds: &self.row[layout.client(caller) + at::client::KIND..][..at::KINDS],
                quality: self.row[layout.client(caller) + at::client::QUALITY],
                attempts: of_edges(at::edge::ATTEMPTS),
                late: of_edges(at::edge::LATE),
                work: of_edges(at::edge::WORK),
                wasted: of_edges(at::edge::WASTED),
            };
            let latency = (!in_time).then(|| self.latency(&self.measure.clients[client]));
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"client") && timed(metric)) {
                values.push(counts.value(metric.name, self.seconds, latency.as_ref()));
            }
        }
        for edge in 0..plan.edges.len() {
            let at = layout.edge(edge as u32);
            let counts = Counts {
                opened: self.row[at + at::edge::OPENED],
                kinds: &self.row[at + at::edge::KIND..][..at::KINDS],
                quality: self.row[at + at::edge::QUALITY],
                attempts: self.row[at + at::edge::ATTEMPTS],
                late: self.row[at + at::edge::LATE],
                work: self.row[at + at::edge::WORK],
                wasted: self.row[at + at::edge::WASTED],
            };
            let latency = (!in_time).then(|| self.latency(&self.measure.edges[edge]));
            let metrics = METRICS.iter().filter(|metric| metric.of.contains(&"edge") && timed(metric));
            for metric in metrics.filter(|metric| !in_time || !metric.name.starts_with("latency")) {
                values.push(match metric.name {
                    "calls_per_request" => self.calls_per_request(plan, &[edge]),
                    "cross_zone_share" => {
                        let (from, to) = (plan.edges[edge].caller as usize, plan.edges[edge].service as usize);
                        let zoned = !plan.zones(from).is_empty() && !plan.services[to].zones.is_empty();
                        let left = if zoned { self.row[at + at::edge::ZONE_LEFT] as f64 } else { f64::NAN };
                        ratio(left, counts.attempts as f64)
                    }
                    "limit.mean" => match caller_limit(plan, edge) {
                        Some((.., of)) => {
                            ratio(self.row[at + at::edge::LIMIT] as f64 / 1e9, self.seconds * f64::from(of))
                        }
                        None => f64::NAN,
                    },
                    "connections.mean" => self.connections(layout.pools[edge], at::pool::OPEN) / 1e9,
                    "connections.opened" => self.connections(layout.pools[edge], at::pool::OPENED),
                    "pool.wait.mean" => {
                        let waited = self.connections(layout.pools[edge], at::pool::WAITED) * self.seconds;
                        ratio(waited / 1e9, counts.attempts as f64)
                    }
                    name => counts.value(name, self.seconds, latency.as_ref()),
                });
            }
        }
        for service in 0..plan.services.len() {
            self.service(plan, service, in_time, &mut values);
        }
        for (breaker, (_, of)) in breakers(plan).iter().enumerate() {
            let at = layout.breaker(breaker as u32);
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"breaker") && timed(metric)) {
                let whole = self.seconds * f64::from(*of);
                values.push(match metric.name {
                    "open_share" => ratio(self.row[at + at::breaker::OPEN] as f64 / 1e9, whole),
                    "half_open_share" => ratio(self.row[at + at::breaker::HALF_OPEN] as f64 / 1e9, whole),
                    _ => self.row[at + at::breaker::MOVES] as f64,
                });
            }
        }
        for at in layout.queues.iter().flatten() {
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"queue") && timed(metric)) {
                values.push(match metric.name {
                    "put_off" => ratio(self.row[at + at::queue::PUT_OFF] as f64, self.seconds),
                    "caught_up" => ratio(self.row[at + at::queue::CAUGHT_UP] as f64, self.seconds),
                    _ => ratio(self.row[at + at::queue::BACKLOG] as f64 / 1e9, self.seconds),
                });
            }
        }
        for (client, at) in layout.fleets.iter().enumerate().filter_map(|(client, at)| Some((client, (*at)?))) {
            let all = members(&plan.clients[client]).map_or(f64::NAN, f64::from);
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"fleet") && timed(metric)) {
                values.push(match SERVED.iter().position(|(name, _)| *name == metric.name) {
                    Some(mark) => self.served_after(client, mark),
                    None => ratio(self.row[at + at::fleet::SERVED] as f64 / 1e9, self.seconds * all),
                });
            }
        }
        for cache in 0..plan.caches.len() as u32 {
            self.cache(cache, in_time, &mut values);
        }
        for (service, at) in plan.services.iter().zip(&layout.memories) {
            let Some(at) = *at else { continue };
            let number = |offset: usize| self.row[at + offset] as f64;
            let instances = self.seconds * f64::from(service.replicas);
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"memory") && timed(metric)) {
                values.push(match metric.name {
                    "memory.used" => ratio(number(at::memory::HELD) / 1e9, instances * PARTS as f64),
                    "collections" => ratio(number(at::memory::COLLECTIONS), self.seconds),
                    "gc.share" => ratio(number(at::memory::COLLECTING) / 1e9, instances),
                    "gc.pause.mean" => ratio(number(at::memory::TAKEN) / 1e9, number(at::memory::COLLECTIONS)),
                    _ => number(at::memory::KILLED),
                });
            }
        }
        for topic in 0..plan.topics.len() as u32 {
            let at = layout.topic(topic);
            for metric in METRICS.iter().filter(|metric| metric.of.contains(&"topic") && timed(metric)) {
                let offset = if metric.name == "published" { at::topic::PUBLISHED } else { at::topic::REFUSED };
                values.push(ratio(self.row[at + offset] as f64, self.seconds));
            }
        }
        for group in 0..plan.groups.len() {
            self.group(group, in_time, &mut values);
        }
        if !in_time {
            for link in 0..plan.links.len() {
                let at = layout.link(link as u32);
                for metric in METRICS.iter().filter(|metric| metric.of.contains(&"link")) {
                    let offset = match metric.name {
                        "messages" => at::link::MESSAGES,
                        "lost" => at::link::LOST,
                        _ => at::link::BYTES,
                    };
                    values.push(ratio(self.row[at + offset] as f64, self.seconds));
                }
            }
        }
        for service in 0..plan.services.len() {
            self.database(service, in_time, &mut values);
        }
        values
    }

    fn database(&self, service: usize, in_time: bool, values: &mut Vec<f64>) {
        let (Some(at), Some((_, staleness))) =
            (self.measure.layout.databases[service], &self.measure.databases[service])
        else {
            return;
        };
        let number = |offset: usize| self.row[at + offset] as f64;
        let rate = |offset: usize| ratio(number(offset), self.seconds);
        let mut missing = super::Histogram::default();
        if !in_time {
            staleness[self.segments.clone()].iter().for_each(|it| missing.merge(it));
        }
        for metric in METRICS.iter().filter(|it| it.of.contains(&"database") && (!in_time || it.in_time)) {
            values.push(match metric.name {
                "writes" => rate(at::database::WRITES),
                "reads" => rate(at::database::READS),
                "stale_reads" => rate(at::database::STALE),
                "stale_share" => ratio(number(at::database::STALE), number(at::database::READS)),
                "staleness.mean" => missing.mean(),
                "staleness.p50" => missing.quantile(0.5),
                "staleness.p99" => missing.quantile(0.99),
                "staleness.max" => missing.max(),
                "lost_writes" => number(at::database::LOST),
                "failovers" => number(at::database::FAILOVERS),
                "without_primary" => ratio(number(at::database::WITHOUT) / 1e9, self.seconds),
                other => unreachable!("a database has no metric {other}"),
            });
        }
    }

    fn cache(&self, cache: u32, in_time: bool, values: &mut Vec<f64>) {
        let at = self.measure.layout.cache(cache);
        let number = |offset: usize| self.row[at + offset] as f64;
        let seen = |what: Seen| number(at::cache::SEEN + what as usize);
        let rate = |count: f64| ratio(count, self.seconds);
        for metric in METRICS.iter().filter(|it| it.of.contains(&"cache") && (!in_time || it.in_time)) {
            values.push(match metric.name {
                "lookups" => rate(number(at::cache::LOOKUPS)),
                "hits" => rate(seen(Seen::Hit)),
                "hit_ratio" => ratio(seen(Seen::Hit) + seen(Seen::Stale), number(at::cache::LOOKUPS)),
                "stale" => rate(seen(Seen::Stale)),
                "stale.on_error" => rate(number(at::cache::SPARED)),
                "negative_hits" => rate(seen(Seen::Negative)),
                "coalesced" => rate(seen(Seen::Coalesced)),
                "misses" => rate(seen(Seen::Miss)),
                "misses.unreachable" => rate(seen(Seen::Unreachable)),
                "fetches" => rate(number(at::cache::FETCHES)),
                "fetches.early" => rate(number(at::cache::EARLY)),
                "early_lead.mean" => ratio(number(at::cache::LEAD) / 1e9, number(at::cache::LEADS)),
                "expired" => rate(number(at::cache::EXPIRED)),
                "evictions" => rate(number(at::cache::EVICTED)),
                "entries.mean" => rate(number(at::cache::ENTRIES) / 1e9),
                "writes.behind" => rate(number(at::cache::BEHIND) / 1e9),
                "writes.lost" => rate(number(at::cache::LOST)),
                other => unreachable!("a cache has no metric {other}"),
            });
        }
    }

    fn group(&self, group: usize, in_time: bool, values: &mut Vec<f64>) {
        let at = self.measure.layout.group(group as u32);
        let backlog = &self.measure.groups[group];
        let rate = |offset: usize| ratio(self.row[at + offset] as f64, self.seconds);
        let mut age = super::Histogram::default();
        if !in_time {
            backlog.ages[self.segments.clone()].iter().for_each(|it| age.merge(it));
        }
        for metric in METRICS.iter().filter(|it| it.of.contains(&"group") && (!in_time || it.has_line("group"))) {
            values.push(match metric.name {
                "delivered" => rate(at::group::DELIVERED),
                "redelivered" => rate(at::group::REDELIVERED),
                "acknowledged" => rate(at::group::ACKNOWLEDGED),
                "dead" => rate(at::group::DEAD),
                "lost" => rate(at::group::LOST),
                "late" => rate(at::group::LATE),
                "dropped.full" => rate(at::group::DROPPED_FULL),
                "dropped.old" => rate(at::group::DROPPED_OLD),
                "lag.mean" => rate(at::group::LAG) / 1e9,
                "lag.max" => self.row[at + at::group::LAG_MAX] as f64,
                "drained_after" => {
                    let first = backlog.drained[self.segments.clone()].iter().find_map(|&time| time);
                    first.map_or(f64::INFINITY, |time| (time - self.from).as_secs())
                }
                "age.mean" => age.mean(),
                "age.p50" => age.quantile(0.5),
                "age.p99" => age.quantile(0.99),
                "age.max" => age.max(),
                other => unreachable!("a group has no metric {other}"),
            });
        }
    }

    /// A number of the connections of an edge or a service, for each second; not a number if there are none.
    fn connections(&self, at: Option<usize>, offset: usize) -> f64 {
        at.map_or(f64::NAN, |at| ratio(self.row[at + offset] as f64, self.seconds))
    }

    /// Attempts on the edges that are meant, for each request of the clients from which they can come.
    fn calls_per_request(&self, plan: &Plan, edges: &[usize]) -> f64 {
        let layout = &self.measure.layout;
        let sent: u64 = edges.iter().map(|&edge| self.row[layout.edge(edge as u32) + at::edge::BY_ROOT]).sum();
        let leads_there =
            |client: &usize| edges.iter().any(|&edge| self.measure.reach[*client][plan.edges[edge].caller as usize]);
        let clients = (0..plan.clients.len()).filter(leads_there);
        let opened: u64 = clients.map(|client| self.row[layout.client(client as u32) + at::client::OPENED]).sum();
        ratio(sent as f64, opened as f64)
    }

    /// From the start of the window until all workers of a service were busy.
    fn exhausted_after(&self, service: usize) -> f64 {
        let first = self.measure.exhausted[service][self.segments.clone()].iter().find_map(|&time| time);
        first.map_or(f64::INFINITY, |time| (time - self.from).as_secs())
    }

    /// From the start of the window until a share of a fleet was served.
    fn served_after(&self, client: usize, mark: usize) -> f64 {
        let reached = self.measure.fleets[client].as_ref().map_or(&[][..], |it| &it.reached[self.segments.clone()]);
        let first = reached.iter().find_map(|times| times[mark]);
        first.map_or(f64::INFINITY, |time| (time - self.from).as_secs())
    }

    fn service(&self, plan: &Plan, service: usize, in_time: bool, values: &mut Vec<f64>) {
        let layout = &self.measure.layout;
        let spec = &plan.services[service];
        let at = layout.service(service as u32);
        let number = |offset: usize| self.row[at + offset] as f64;
        let rate = |offset: usize| ratio(number(offset), self.seconds);
        let mean = |offset: usize| ratio(number(offset) / 1e9, self.seconds);
        let merged = |histograms: &[super::Histogram]| {
            let mut all = super::Histogram::default();
            histograms[self.segments.clone()].iter().for_each(|it| all.merge(it));
            all
        };
        let (wait, sojourn) = if in_time {
            Default::default()
        } else {
            (merged(&self.measure.waits[service]), merged(&self.measure.sojourns[service]))
        };
        let workers = if spec.workers == u32::MAX { f64::NAN } else { f64::from(spec.workers) };
        let replicas = f64::from(spec.replicas);
        for metric in METRICS.iter().filter(|it| it.of.contains(&"service") && (!in_time || it.in_time)) {
            values.push(match metric.name {
                "arrivals" => rate(at::service::ARRIVALS),
                "arrivals.peak" => number(at::service::PEAK),
                "throughput" => rate(at::service::FINISHED),
                "errors" => rate(at::service::ERRORS),
                "utilisation" => mean(at::service::BUSY) / (workers * replicas),
                "busy.mean" => mean(at::service::BUSY),
                "calls_per_request" => {
                    let calls = |edge: &plan::Edge| edge.service as usize == service && edge.probes.is_none();
                    let into = |&edge: &usize| calls(&plan.edges[edge]);
                    self.calls_per_request(plan, &(0..plan.edges.len()).filter(into).collect::<Vec<_>>())
                }
                "exhausted_after" => self.exhausted_after(service),
                "limit.mean" if spec.limit.is_none() => f64::NAN,
                "limit.mean" => mean(at::service::LIMIT) / replicas,
                "queue.mean" => mean(at::service::QUEUE),
                "blocked.mean" => mean(at::service::BLOCKED),
                "queue.max" => number(at::service::QUEUE_MAX),
                "queued_share" => mean(at::service::QUEUED) / replicas,
                "waited_share" => ratio(number(at::service::WAITED), number(at::service::STARTED)),
                "wait.mean" => wait.mean(),
                "wait.p50" => wait.quantile(0.5),
                "wait.p99" => wait.quantile(0.99),
                "sojourn.mean" => sojourn.mean(),
                "sojourn.p50" => sojourn.quantile(0.5),
                "sojourn.p99" => sojourn.quantile(0.99),
                "refused.share" => ratio(number(at::service::REFUSED), number(at::service::ARRIVALS)),
                "effects" => rate(at::service::EFFECTS),
                "duplicate_effects" => rate(at::service::DUPLICATES),
                "dropped" => rate(at::service::DROPPED),
                "ejected.mean" => ratio(mean(at::service::EJECTED), self.measure.callers[service]),
                "unhealthy.mean" => ratio(mean(at::service::UNHEALTHY), self.measure.callers[service]),
                "ejections" => number(at::service::EJECTIONS),
                "connections.mean" => self.connections(layout.doors[service], at::door::HELD) / 1e9,
                "connections.opened" => self.connections(layout.doors[service], at::door::ACCEPTED),
                "instance_hours" => replicas * self.seconds / 3_600.0,
                other => match Refusal::METRICS.iter().position(|&it| it == other) {
                    Some(why) => rate(at::service::WHY + why),
                    None => unreachable!("a service has no metric {other}"),
                },
            });
        }
        if in_time || spec.replicas > super::MOST_INSTANCES || spec.replicas < 2 {
            return;
        }
        let first: usize = (0..plan.clients.len() + service).map(|part| plan.instances(part)).sum();
        for replica in 0..spec.replicas as usize {
            let at = layout.instances[first + replica].expect("few instances are listed") as usize;
            let number = |offset: usize| self.row[at + offset] as f64;
            for metric in METRICS.iter().filter(|it| it.of.contains(&"instance")) {
                values.push(match metric.name {
                    "arrivals" => ratio(number(at::instance::ARRIVALS), self.seconds),
                    "throughput" => ratio(number(at::instance::FINISHED), self.seconds),
                    "errors" => ratio(number(at::instance::ERRORS), self.seconds),
                    "utilisation" => ratio(number(at::instance::BUSY) / 1e9, self.seconds) / workers,
                    "busy.mean" => ratio(number(at::instance::BUSY) / 1e9, self.seconds),
                    "queue.mean" => ratio(number(at::instance::QUEUE) / 1e9, self.seconds),
                    other => unreachable!("an instance has no metric {other}"),
                });
            }
        }
    }

    /// Latencies of the answered, and of all.
    fn latency(&self, of: &super::Latency) -> (super::Histogram, super::Histogram) {
        let mut answers = super::Histogram::default();
        let mut all = super::Histogram::default();
        for segment in self.segments.clone() {
            answers.merge(&of.answers[segment]);
            all.merge(&of.failures[segment]);
        }
        all.merge(&answers);
        (answers, all)
    }

    fn tails(&self, plan: &Plan) -> Vec<(String, Vec<(f64, f64)>)> {
        let clients = plan.clients.iter().zip(&self.measure.clients);
        clients.map(|(client, latency)| (format!("client/{}", client.name), self.latency(latency).0.tail())).collect()
    }

    fn unfinished(
        &self,
        plan: &Plan,
        columns: &[Column],
        firsts: &Firsts,
        values: &mut [f64],
        open_requests: &[(u32, u32)],
        open_calls: &[(u32, u32)],
    ) {
        let within = |bucket: u32| self.buckets.contains(&(bucket as usize));
        let requests = open_requests.iter().filter(|open| within(open.1));
        let calls = open_calls.iter().filter(|open| within(open.1));
        let mut count = |entity: &str| {
            values[column_of(columns, firsts, entity, "unfinished")] += 1.0;
        };
        requests.for_each(|open| count(&format!("client/{}", plan.clients[open.0 as usize].name)));
        calls.for_each(|open| count(&plan.edge_entity(open.0 as usize)));
    }
}

/// The counts of a client or an edge.
struct Counts<'a> {
    opened: u64,
    kinds: &'a [u64],
    quality: u64,
    attempts: u64,
    late: u64,
    work: u64,
    wasted: u64,
}

impl Counts<'_> {
    fn value(&self, metric: &str, seconds: f64, latency: Option<&(super::Histogram, super::Histogram)>) -> f64 {
        let kind = |outcome: Outcome| self.kinds[outcome.kind()];
        let (ok, degraded, cancelled) =
            (kind(Outcome::Ok), kind(Outcome::Degraded(Lesser::PARTIAL)), kind(Outcome::Cancelled));
        let answered = ok + degraded;
        let ended: u64 = self.kinds.iter().sum();
        let rate = |count: u64| ratio(count as f64, seconds);
        let quantile = |share: f64| latency.map_or(f64::NAN, |(answers, _)| answers.quantile(share));
        match metric {
            "offered" => rate(self.opened),
            "attempts" => rate(self.attempts),
            "amplification" => ratio(self.attempts as f64, self.opened as f64),
            "ok" => rate(ok),
            "degraded" => rate(degraded),
            "failed" => rate(ended - answered - cancelled),
            "cancelled" => rate(cancelled),
            "goodput" => rate(answered),
            "success_rate" => ratio(answered as f64, self.opened as f64),
            "quality" => ratio(ok as f64 + self.quality as f64 / 100.0, (ended - cancelled) as f64),
            "latency.mean" => latency.map_or(f64::NAN, |(answers, _)| answers.mean()),
            "latency.p50" => quantile(0.5),
            "latency.p90" => quantile(0.9),
            "latency.p95" => quantile(0.95),
            "latency.p99" => quantile(0.99),
            "latency.p999" => quantile(0.999),
            "latency.max" => latency.map_or(f64::NAN, |(answers, _)| answers.max()),
            "duration.mean" => latency.map_or(f64::NAN, |(_, all)| all.mean()),
            "duration.p99" => latency.map_or(f64::NAN, |(_, all)| all.quantile(0.99)),
            "late" => rate(self.late),
            "wasted_share" => ratio(self.wasted as f64, self.work as f64),
            "unfinished" => 0.0,
            // Filled in for the window `all` of disturbed runs.
            "recovery_time" => f64::NAN,
            other => {
                let failed = other.strip_prefix("failed.").expect("the metrics of calls are listed above");
                let kind = Outcome::NAMES.iter().position(|name| *name == failed);
                rate(self.kinds[kind.expect("each metric of failures names an outcome")])
            }
        }
    }
}

/// Fills in `recovery_time` for clients and edges.
///
/// For each step of time the answers are compared with what was to be expected: in an open loop, the requests of
/// that same step times the success rate before the first fault; in a closed loop, the goodput before times the
/// length of the step. A step is *back* if there are at least 95 % of that, less three standard deviations of the noise in
/// such a count (in a closed loop as before the first fault). Of a fleet it is not answers that are compared, but the time that members
/// were served for: one that is served asks seldom, or no more. A step of fewer than 50 requests is judged together with those after it (at the end, with those before
/// it). The time is that of the first step after the last fault from which on all are back, each and together.
///
/// Returns the noise of each client.
fn recovery(
    plan: &Plan,
    measure: &Measure,
    buckets: usize,
    columns: &[Column],
    firsts: &Firsts,
    values: &mut [f64],
) -> Vec<(String, f64)> {
    let mut noises = Vec::new();
    let Some((begins, ends)) = plan.schedule.disturbed else { return noises };
    let warmup = plan.schedule.warmup;
    let layout = &measure.layout;
    let mut fill = |entity: String, at: usize, open_loop: bool, fleet: Option<usize>, group: Option<u32>| {
        let column = column_of(columns, firsts, &entity, "recovery_time");
        let row = |bucket: usize, offset: usize| measure.rows[bucket * layout.width + at + offset] as f64;
        let answered = |bucket: usize| match fleet {
            Some(fleet) => measure.rows[bucket * layout.width + fleet + at::fleet::SERVED] as f64 / 1e9,
            None => match group {
                Some(group) => {
                    measure.rows[bucket * layout.width + layout.group(group) + at::group::ACKNOWLEDGED] as f64
                }
                None => row(bucket, 1) + row(bucket, 2),
            },
        };
        let span = |bucket: usize| (measure.ends[bucket] - measure.start(bucket)).as_secs();
        let calm: Vec<usize> =
            (0..buckets).filter(|&b| measure.start(b) >= warmup && measure.ends[b] <= begins).collect();
        let (mut offered, mut good, mut seconds) = (0.0, 0.0, 0.0);
        for &bucket in &calm {
            offered += row(bucket, 0);
            good += answered(bucket);
            seconds += span(bucket);
        }
        if good <= 0.0 {
            return f64::NAN;
        }
        let (share, rate) = (good / offered, good / seconds);
        let expected = |bucket: usize| if open_loop { row(bucket, 0) * share } else { rate * span(bucket) };
        // Without noise each step speaks for itself; otherwise so many requests together.
        let enough = if fleet.is_some() || (open_loop && share == 1.0) { 0.0 } else { 50.0 };
        // In an open loop each request fails or does not; in a closed one the noise is that of the time before, as far as
        // that was long enough to tell.
        let noise = if open_loop {
            1.0 - share
        } else if calm.len() < 10 {
            1.0
        } else {
            let difference = |&bucket: &usize| answered(bucket) - expected(bucket);
            calm.iter().map(difference).map(|it| it * it).sum::<f64>() / good
        };
        let is_back = |want: f64, have: f64| {
            let variance = want * noise;
            have >= 0.95 * want - 3.0 * variance.sqrt()
        };
        let first = (0..buckets).find(|&b| measure.start(b) >= ends).unwrap_or(buckets);
        let mut back_from = buckets;
        let (mut all_wanted, mut all_had) = (0.0, 0.0);
        for bucket in (first..buckets).rev() {
            all_wanted += expected(bucket);
            all_had += answered(bucket);
            let (mut want, mut have) = (expected(bucket), answered(bucket));
            let (mut from, mut until) = (bucket, bucket + 1);
            while want < enough && (until < buckets || from > first) {
                let next = if until < buckets {
                    until += 1;
                    until - 1
                } else {
                    from -= 1;
                    from
                };
                want += expected(next);
                have += answered(next);
            }
            // All from here on together: what is too little for good must not hide in the noise of each step.
            if !is_back(want, have) || !is_back(all_wanted, all_had) {
                break;
            }
            back_from = bucket;
        }
        values[column] = if back_from == buckets { f64::INFINITY } else { (measure.start(back_from) - ends).as_secs() };
        noise
    };
    for (client, spec) in plan.clients.iter().enumerate() {
        let open_loop = matches!(spec.source, Source::Open { .. } | Source::Replay(_));
        let group = if let Source::Topic(group) = spec.source { Some(group) } else { None };
        let entity = format!("client/{}", spec.name);
        let fleet = layout.fleets[client];
        noises.push((entity.clone(), fill(entity, layout.client(client as u32), open_loop, fleet, group)));
    }
    for edge in 0..plan.edges.len() {
        fill(plan.edge_entity(edge), layout.edge(edge as u32), true, None, None);
    }
    noises
}
