//! connections: what calls travel over, if their pool keeps them; opened at a price, used again, and lost with the process at
//! either end.
//!
//! ```text
//!   attempt ─► an idle connection to its replica? ─ yes ─► the request goes over it
//!                 │ no
//!                 └─► as many round trips as the handshake has; in the last the server works for it ─► the request goes over it
//!                       │ the replica holds `max` already, or accepts no more in this time
//!                       └─► 503, and no connection
//! ```
//!
//! A connection belongs to a pool (a caller instance and a call) and to a replica. The caller closes it when it is idle for too long,
//! too old, or in the way of another; when the call over it is given up, as HTTP/1 clients and drivers of databases do, because
//! its answer may still come; and when the answer was `unreachable`. The replica frees its place at once, but for one over which it
//! still works: then when that is done. A process that crashes loses all; the other ends are told, unless it went silently: then the
//! first call over each of them ends with `unreachable`.
//!
//! Always: opened = closed + open, for each pool; open ≤ the pool's `size`; what a replica holds ≤ its `max`; and when nothing is under
//! way, no connection is in use. Closing takes no time, and a lost message is not sent again.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::admission::Refusal;
use crate::engine::{Duration, Handle, Key, Slab, Stream, Streams, Time};
use crate::measure::{Fact, Note};
use crate::outcome::Outcome;
use crate::policy::connection_pool::Keeping;
use crate::policy::rate_limit::{self, Turns};
use crate::scenario::distribution;
use crate::scenario::source::Spanned;
use crate::scenario::units::Rate;

use super::plan;
use super::task::{State, Worker};
use super::{Context, World, network};

/// What a connection costs the replicas of a service, and how many they hold. It concerns the calls that come with a
/// `connection_pool`; what comes without one needs no connection.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Connections")]
pub struct Spec {
    /// Connections that each replica holds, idle ones included. One more is refused with 503 at the price of `reject_cost`, as
    /// `refused.connections`. Default: no limit. (`max_connections` of PostgreSQL and MySQL.)
    #[serde(default)]
    pub max: Option<u32>,
    /// New connections a second that each replica accepts; one more is refused as those beyond `max` are. Default: no limit.
    /// (`connection rate limit` of Envoy, `maxconnrate` of HAProxy.)
    #[serde(default)]
    pub rate: Option<Rate>,
    /// With `rate`: so many are accepted at once after a quiet time. Default: 1.
    #[serde(default)]
    pub burst: Option<u32>,
    /// What it takes to open a connection. Default: nothing.
    #[serde(default)]
    pub handshake: Option<Handshake>,
}

/// What it takes to open a connection, before the first request goes over it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Times there and back over the link: 1 for TCP, 2 with TLS 1.3, 3 with TLS 1.2. Default: 1.
    #[serde(default)]
    pub round_trips: Option<u32>,
    /// What the replica works for it in the last of them: keys, a password, a process of its own. It takes a CPU and no worker.
    /// Default: nothing.
    #[serde(default)]
    pub work: Option<Spanned<distribution::Spec>>,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        if self.max == Some(0) {
            wrong("a service that holds no connection refuses every call over one", "give `max` at least 1");
        }
        match (self.rate, self.burst) {
            (None, Some(_)) => wrong("`burst` has no effect without `rate`", "give both, or leave it out"),
            (_, Some(0)) => wrong("without room for one connection none is accepted", "give `burst` at least 1"),
            _ => {}
        }
        if self.rate.is_some_and(|rate| rate.0 <= 0.0) {
            wrong("a rate of zero accepts no connection", "give a `rate` above zero");
        }
        if let Some(handshake) = &self.handshake
            && handshake.round_trips == Some(0)
        {
            wrong(
                "a handshake goes there and back at least once",
                "give `round_trips` at least 1, or leave `handshake` out",
            );
        }
        found
    }

    /// As a run needs it, with the program of the handshake.
    pub(crate) fn plan(&self, program: Option<u32>) -> Plan {
        Plan {
            max: self.max.unwrap_or(u32::MAX),
            turns: self.turns(),
            trips: self.handshake.as_ref().map_or(0, |it| it.round_trips.unwrap_or(1)),
            program,
        }
    }

    /// Before any connection has come.
    fn turns(&self) -> Option<Turns> {
        let rate = self.rate?;
        Some(rate_limit::Spec { burst: self.burst, ..rate.into() }.turns())
    }
}

/// What opening a connection takes, and how many there may be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Held by each replica at most; `u32::MAX` for no limit.
    pub max: u32,
    /// When the next is accepted.
    pub(crate) turns: Option<Turns>,
    /// Round trips of the handshake; 0 without one.
    pub trips: u32,
    /// The program of the handshake, if it takes work.
    pub program: Option<u32>,
}

/// Something happens to connections.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// An idle connection of a pool may have reached its time.
    Reap(u32),
}

/// All connections, the pools that keep them, and the replicas that hold them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    all: Slab<Connection>,
    pools: Vec<Pool>,
    /// For each replica of each service.
    doors: Vec<Door>,
    first_host: u32,
    /// How many were ever opened.
    made: u64,
}

/// The connections of a caller instance for one call.
#[derive(Debug)]
struct Pool {
    edge: u32,
    service: u32,
    /// The host of the first replica.
    first: u32,
    keeping: Keeping,
    /// For each replica: the connections that can take a call, the one that was used last at the back.
    ready: Vec<VecDeque<Handle>>,
    opened: u64,
    closed: u64,
    /// When somebody looks for idle connections that have reached their time.
    reaper: Key,
    due: Time,
    chance: Stream,
}

/// The end of a replica.
#[derive(Debug)]
struct Door {
    held: u32,
    turns: Option<Turns>,
}

#[derive(Clone, Debug)]
struct Connection {
    number: u64,
    pool: u32,
    /// The host of the replica.
    host: u32,
    /// The request that opens it, until it is up.
    opener: Handle,
    is_up: bool,
    /// Requests that go over it as soon as it is up.
    waiting: VecDeque<Handle>,
    /// Calls that use it, and requests of them that are not over; a call can be given up before its request is over.
    calls: u32,
    requests: u32,
    /// Since when it is idle, and when it is too old.
    since: Time,
    expires: Time,
    /// Whether it is among those that can take a call.
    is_ready: bool,
    /// Whether it is closed as soon as no call uses it.
    retires: bool,
    /// Whether the caller has closed it.
    is_closed: bool,
    /// Whether the replica holds it, has refused it, or has forgotten it in a crash.
    is_held: bool,
    is_refused: bool,
    is_broken: bool,
}

impl Connections {
    pub(super) fn new(plan: &plan::Plan, first_host: u32) -> Self {
        let door = |it: &plan::Service| Door {
            held: 0,
            turns: it.connections.as_ref().and_then(|connections| connections.turns.clone()),
        };
        let doors = plan.services.iter().flat_map(|it| (0..it.replicas).map(move |_| door(it)));
        Self { doors: doors.collect(), first_host, ..Self::default() }
    }

    /// A pool of a caller instance for an edge. Returns its number.
    pub(super) fn add_pool(
        &mut self,
        plan: &plan::Plan,
        edge: u32,
        instance: usize,
        keeping: Keeping,
        streams: &Streams,
    ) -> u32 {
        let it = &plan.edges[edge as usize];
        let replicas = plan.services[it.service as usize].replicas as usize;
        let before = plan.services[..it.service as usize].iter().map(|it| it.replicas);
        self.pools.push(Pool {
            edge,
            service: it.service,
            first: self.first_host + before.sum::<u32>(),
            keeping,
            ready: vec![VecDeque::new(); replicas],
            opened: 0,
            closed: 0,
            reaper: Key::NONE,
            due: Time::NEVER,
            chance: streams.named(&format!("{}/{instance}/connections", it.name)),
        });
        self.pools.len() as u32 - 1
    }

    fn door(&mut self, host: u32) -> &mut Door {
        &mut self.doors[(host - self.first_host) as usize]
    }

    /// A connection can take a call, if it could not before.
    fn offer(&mut self, id: Handle) {
        let it = &mut self.all[id];
        if !it.is_ready && !it.retires && !it.is_closed {
            it.is_ready = true;
            self.pools[it.pool as usize].list_of(it.host).push_back(id);
        }
    }

    /// A connection takes no further call.
    fn withdraw(&mut self, id: Handle) {
        let it = &mut self.all[id];
        if std::mem::take(&mut it.is_ready) {
            let ready = self.pools[it.pool as usize].list_of(it.host);
            let place = ready.iter().rposition(|&other| other == id).expect("what is ready is in its list");
            ready.remove(place);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.all.bytes()
    }

    /// Whether no connection is in use. Asserted when nothing is under way.
    pub(super) fn at_rest(&self) -> bool {
        let idle = |it: &Connection| !it.is_closed && it.calls == 0 && it.requests == 0 && it.waiting.is_empty();
        self.all.iter().all(|(_, it)| idle(it))
    }

    /// Conservation: opened = closed + open for each pool, and each replica holds those that it has accepted.
    pub(super) fn check(&self) {
        let mut open = vec![0; self.pools.len()];
        let mut held = vec![0; self.doors.len()];
        for (_, it) in self.all.iter() {
            open[it.pool as usize] += u64::from(!it.is_closed);
            held[(it.host - self.first_host) as usize] += u32::from(it.is_held);
        }
        for (pool, open) in self.pools.iter().zip(open) {
            assert_eq!(pool.opened, pool.closed + open, "connections opened, and those closed and open, differ");
            assert!(open <= u64::from(pool.keeping.size), "a pool has more connections than its size");
        }
        for (door, held) in self.doors.iter().zip(held) {
            assert_eq!(door.held, held, "a replica holds connections that are not there, or the other way round");
        }
    }
}

impl Pool {
    /// The connections to a replica that can take a call.
    fn list_of(&mut self, host: u32) -> &mut VecDeque<Handle> {
        &mut self.ready[(host - self.first) as usize]
    }
}

impl Context<'_> {
    /// The connections that are open at the start.
    pub(super) fn warm_pools(&mut self) {
        for pool in 0..self.connections.pools.len() as u32 {
            let of = &self.connections.pools[pool as usize];
            let (first, service, warm) = (of.first, of.service, of.keeping.warm);
            let spec = &self.plan.services[service as usize];
            let max = spec.connections.as_ref().map_or(u32::MAX, |it| it.max);
            let hosts = (0..spec.replicas).cycle().take(warm as usize).map(|replica| first + replica);
            for host in hosts {
                if self.connections.door(host).held < max {
                    let id = self.open_connection(pool, host, true);
                    let it = &mut self.connections.all[id];
                    (it.is_up, it.is_held) = (true, true);
                    self.connections.door(host).held += 1;
                    self.note(Fact::Accepted { service, warm: true });
                    self.may_be_idle(id);
                }
            }
        }
    }

    /// An attempt takes a connection of a pool to its replica, or opens one. Its request goes over it as soon as it can.
    pub(super) fn connect(&mut self, task: Handle, pool: u32) -> Handle {
        let host = self.tasks[task].host;
        let id = match self.ready_connection(pool, host) {
            Some(id) => id,
            None => self.open_connection(pool, host, false),
        };
        self.tasks[task].connection = id;
        let streams = self.connections.pools[pool as usize].keeping.streams;
        let it = &mut self.connections.all[id];
        it.calls += 1;
        it.requests += 1;
        let (is_up, is_first) = (it.is_up, it.opener == Handle::NONE);
        if it.calls >= streams {
            self.connections.withdraw(id);
        }
        if is_up {
            self.send_request(task);
        } else if is_first {
            self.connections.all[id].opener = task;
            // If the message is lost the connection is gone with it.
            self.shake_hands(task);
        } else {
            self.connections.all[id].waiting.push_back(task);
        }
        id
    }

    /// The connection to a replica that was used last, of those that can take a call.
    fn ready_connection(&mut self, pool: u32, host: u32) -> Option<Handle> {
        let now = self.engine.now();
        loop {
            let id = *self.connections.pools[pool as usize].list_of(host).back()?;
            let it = &self.connections.all[id];
            // One that is not up yet has not begun to age for those who wait for it.
            if it.expires > now || !it.is_up {
                return Some(id);
            }
            self.retire(id);
        }
    }

    /// A pool opens a connection.
    fn open_connection(&mut self, pool: u32, host: u32, warm: bool) -> Handle {
        let of = &self.connections.pools[pool as usize];
        if of.opened - of.closed >= u64::from(of.keeping.size) {
            let all = &self.connections.all;
            let idle = of.ready.iter().flatten().copied().filter(|&id| all[id].calls == 0);
            let oldest = idle.min_by_key(|&id| (all[id].since, all[id].number));
            self.close_connection(
                oldest.expect("a pool with room for a call has an idle connection, or none too many"),
            );
        }
        let fresh = self.fresh_connection(pool, host, warm);
        let id = self.connections.all.insert(fresh);
        self.connections.offer(id);
        id
    }

    fn fresh_connection(&mut self, pool: u32, host: u32, warm: bool) -> Connection {
        let now = self.engine.now();
        let connections = &mut self.connections;
        connections.made += 1;
        let of = &mut connections.pools[pool as usize];
        of.opened += 1;
        let Keeping { lifetime, jitter, .. } = of.keeping;
        let expires = if lifetime == Duration::FOREVER {
            Time::NEVER
        } else if jitter > 0.0 {
            now + lifetime.scale(1.0 - jitter * of.chance.unit())
        } else {
            now + lifetime
        };
        let trips = self.plan.services[of.service as usize].connections.as_ref().map_or(0, |it| it.trips);
        let (edge, number) = (of.edge, connections.made);
        self.note(Fact::Connected { edge, warm });
        Connection {
            number,
            pool,
            host,
            opener: Handle::NONE,
            is_up: trips == 0,
            waiting: VecDeque::new(),
            calls: 0,
            requests: 0,
            since: now,
            expires,
            is_ready: false,
            retires: false,
            is_closed: false,
            is_held: false,
            is_refused: false,
            is_broken: false,
        }
    }

    /// The handshake of a connection begins.
    fn shake_hands(&mut self, task: Handle) {
        let edge = &self.plan.edges[self.tasks[task].edge as usize];
        let trips = self.plan.services[edge.service as usize].connections.as_ref().map_or(0, |it| it.trips);
        self.tasks[task].trips = trips;
        self.go_there(task);
    }

    /// A message of a handshake goes to the replica.
    fn go_there(&mut self, task: Handle) {
        let edge = &self.plan.edges[self.tasks[task].edge as usize];
        if !self.send(edge.out, 0, network::Event::Connect(task)) {
            self.tell_of(task, |_| Note::Lost { task, answer: false });
            self.forget(task);
        }
    }

    /// A message of a handshake goes back to the caller.
    fn come_back(&mut self, task: Handle) {
        let it = &mut self.tasks[task];
        it.state = State::Travelling;
        let (number, bucket, work) = (it.edge, it.bucket, it.work);
        let edge = &self.plan.edges[number as usize];
        if !self.send(edge.back, 0, network::Event::Connected(task)) {
            self.note(Fact::Wasted { edge: number, bucket, work });
            self.tell_of(task, |_| Note::Lost { task, answer: true });
            self.forget(task);
        }
    }

    /// The handshake of a connection is over: those who wait for it send their requests.
    /// False if the connection is closed.
    fn is_connected(&mut self, opener: Handle) -> bool {
        let id = self.tasks[opener].connection;
        let Some(it) = self.connections.all.get_mut(id).filter(|it| !it.is_closed) else { return false };
        it.is_up = true;
        it.opener = Handle::NONE;
        for other in std::mem::take(&mut it.waiting) {
            self.send_request(other);
        }
        self.may_be_idle(id);
        true
    }

    /// Whether the connection of a request has not been closed by its caller.
    fn is_open(&self, request: Handle) -> bool {
        self.connections.all.get(self.tasks[request].connection).is_some_and(|it| !it.is_closed)
    }

    /// If nobody uses a connection, its time begins.
    fn may_be_idle(&mut self, id: Handle) {
        let now = self.engine.now();
        let it = &mut self.connections.all[id];
        if it.calls > 0 || !it.is_up {
            return;
        }
        it.since = now;
        let (pool, expires) = (it.pool, it.expires);
        let idle = self.connections.pools[pool as usize].keeping.idle;
        if expires <= now {
            self.retire(id);
        } else {
            self.look_at(pool, if idle == Duration::FOREVER { expires } else { expires.min(now + idle) });
        }
    }

    /// Something has come over a connection to a replica that is up: whether that holds it, or accepts it now. How it is
    /// answered if not.
    fn accept(&mut self, task: Handle) -> Option<Outcome> {
        let now = self.engine.now();
        let Some(it) = self.connections.all.get_mut(self.tasks[task].connection) else {
            return Some(Outcome::Unreachable);
        };
        if it.is_broken {
            return Some(Outcome::Unreachable);
        }
        if it.is_held {
            return None;
        }
        let service = self.connections.pools[it.pool as usize].service;
        let max = self.plan.services[service as usize].connections.as_ref().map_or(u32::MAX, |it| it.max);
        let door = &mut self.connections.doors[(it.host - self.connections.first_host) as usize];
        if let Some(turns) = door.turns.as_mut().filter(|_| door.held < max) {
            let due = turns.due(now);
            it.is_refused = due > now;
            if !it.is_refused {
                turns.take(due);
            }
        } else {
            it.is_refused = door.held >= max;
        }
        if it.is_refused {
            return Some(Outcome::Unavailable);
        }
        it.is_held = true;
        door.held += 1;
        self.note(Fact::Accepted { service, warm: false });
        None
    }

    /// A replica lets go of a connection.
    fn free(&mut self, id: Handle) {
        let it = &mut self.connections.all[id];
        if std::mem::take(&mut it.is_held) {
            let (host, pool) = (it.host, it.pool);
            self.connections.door(host).held -= 1;
            let service = self.connections.pools[pool as usize].service;
            self.note(Fact::Freed { service });
        }
    }

    /// A request that went over a connection, or was to open it, is over.
    pub(super) fn leaves_connection(&mut self, id: Handle, request: Handle) {
        let Some(it) = self.connections.all.get_mut(id) else { return };
        it.requests -= 1;
        if it.is_closed && it.requests == 0 {
            self.free(id);
            self.connections.all.remove(id);
        } else if !it.is_closed && !it.is_up && it.opener == request {
            // It was refused, or a message of the handshake was lost, or the replica.
            self.close_connection(id);
        }
    }

    /// A call over a connection has ended like this.
    pub(super) fn give_back(&mut self, id: Handle, outcome: Outcome) {
        let now = self.engine.now();
        let Some(it) = self.connections.all.get_mut(id) else { return };
        it.calls -= 1;
        if it.is_closed {
            return;
        }
        let is_over = outcome == Outcome::Unreachable || it.is_refused || it.retires || it.expires <= now;
        if it.is_up && is_over {
            self.retire(id);
        } else {
            self.connections.offer(id);
            self.may_be_idle(id);
        }
    }

    /// A call over a connection is given up; `request` is its task, if that is still there.
    pub(super) fn give_up(&mut self, id: Handle, request: Handle) {
        let Some(it) = self.connections.all.get_mut(id) else { return };
        if let Some(place) = it.waiting.iter().position(|&other| other == request) {
            it.waiting.remove(place);
            self.give_back(id, Outcome::Cancelled);
            self.tell_of(request, |_| Note::Lost { task: request, answer: false });
            self.forget(request);
            return;
        }
        let streams = self.connections.pools[it.pool as usize].keeping.streams;
        if it.is_closed || streams > 1 {
            self.give_back(id, Outcome::Cancelled);
        } else {
            it.calls -= 1;
            self.close_connection(id);
        }
    }

    /// A connection takes no further call, and is closed when it has none.
    fn retire(&mut self, id: Handle) {
        self.connections.withdraw(id);
        let it = &mut self.connections.all[id];
        it.retires = true;
        if it.calls == 0 {
            self.close_connection(id);
        }
    }

    /// The caller closes a connection, or learns that the other end is gone. Who waits for it to be up opens another in its
    /// place.
    fn close_connection(&mut self, id: Handle) {
        let it = &self.connections.all[id];
        let pool = it.pool;
        let edge = self.connections.pools[pool as usize].edge;
        self.connections.pools[pool as usize].closed += 1;
        self.note(Fact::Disconnected { edge });
        if !self.connections.all[id].waiting.is_empty() {
            self.connect_anew(id);
            return;
        }
        self.connections.withdraw(id);
        let it = &mut self.connections.all[id];
        it.is_closed = true;
        if it.requests == 0 {
            self.free(id);
            self.connections.all.remove(id);
        }
    }

    /// A connection was closed before it was up: the first of those who wait for it opens another, which takes its place. What is
    /// left of it at the replica is a connection that nobody uses.
    fn connect_anew(&mut self, id: Handle) {
        let Connection { pool, host, calls, opener, is_ready, .. } = self.connections.all[id];
        let fresh = self.fresh_connection(pool, host, false);
        let it = &mut self.connections.all[id];
        let mut waiting = std::mem::take(&mut it.waiting);
        let first = waiting.pop_front().expect("somebody waits");
        let requests = 1 + waiting.len() as u32;
        let husk = Connection {
            calls: 0,
            requests: it.requests - requests,
            opener: Handle::NONE,
            is_ready: false,
            is_closed: true,
            waiting: VecDeque::new(),
            ..it.clone()
        };
        *it = Connection { calls, requests, waiting, is_ready, opener: first, ..fresh };
        let has_opener = husk.requests > 0;
        let husk = self.connections.all.insert(husk);
        if has_opener {
            self.tasks[opener].connection = husk;
        } else {
            self.free(husk);
            self.connections.all.remove(husk);
        }
        self.shake_hands(first);
    }

    /// Somebody looks at a pool's idle connections then, if not before.
    fn look_at(&mut self, pool: u32, due: Time) {
        let of = &mut self.connections.pools[pool as usize];
        if due < of.due {
            self.engine.cancel(of.reaper);
            of.due = due;
            of.reaper = self.engine.at(due, super::Event::Connections(Event::Reap(pool)));
        }
    }

    /// Idle connections that have reached their time are closed.
    fn reap(&mut self, pool: u32) {
        let now = self.engine.now();
        let of = &mut self.connections.pools[pool as usize];
        (of.reaper, of.due) = (Key::NONE, Time::NEVER);
        let idle = of.keeping.idle;
        let all = &self.connections.all;
        let due = |id: Handle| {
            let expires = all[id].expires;
            if idle == Duration::FOREVER { expires } else { expires.min(all[id].since + idle) }
        };
        let ready = of.ready.iter().flatten().copied().filter(|&id| all[id].calls == 0 && all[id].is_up);
        let (over, left): (Vec<Handle>, Vec<Handle>) = ready.partition(|&id| due(id) <= now);
        let next = left.into_iter().map(due).min();
        for id in over {
            self.close_connection(id);
        }
        if let Some(next) = next.filter(|&next| next < Time::NEVER) {
            self.look_at(pool, next);
        }
    }

    /// The process that keeps a pool is gone.
    pub(super) fn close_pool(&mut self, pool: u32) {
        let idle: Vec<Handle> = self.connections.pools[pool as usize].ready.iter().flatten().copied().collect();
        for id in idle {
            self.close_connection(id);
        }
    }

    /// A replica is gone, with its end of every connection. The other ends are told, unless it went silently.
    pub(super) fn lose_connections(&mut self, host: u32, silent: bool) {
        let here = self.connections.all.iter().filter(|(_, it)| it.host == host);
        let mut here: Vec<(u64, Handle)> = here.map(|(id, it)| (it.number, id)).collect();
        here.sort_unstable();
        for (_, id) in here {
            self.free(id);
            let it = &mut self.connections.all[id];
            it.is_broken = true;
            if !silent && !it.is_closed {
                self.close_connection(id);
            }
        }
    }
}

impl World<'_> {
    pub(super) fn on_connections(&mut self, event: Event) {
        let Event::Reap(pool) = event;
        self.cx.reap(pool);
    }

    /// A message of a handshake arrives at a replica.
    pub(super) fn on_connect(&mut self, id: Handle) {
        let host = self.cx.tasks[id].host;
        match self.instances.at(host).knock() {
            None => {}
            Some(Outcome::Cancelled) => {
                self.cx.tell_of(id, |_| Note::Lost { task: id, answer: false });
                self.cx.forget(id);
                return;
            }
            Some(outcome) => {
                self.answer(id, outcome);
                return;
            }
        }
        if !self.accepts(id) {
            return;
        }
        let service = self.instances.at(host).service;
        let program = self.cx.plan.services[service as usize].connections.as_ref().and_then(|it| it.program);
        let task = &mut self.cx.tasks[id];
        task.trips -= 1;
        match program.filter(|_| task.trips == 0) {
            Some(program) => {
                task.pc = program;
                task.worker = Worker::NotNeeded;
                task.state = State::Ready;
                self.cx.ready.push(id);
            }
            None => self.cx.come_back(id),
        }
    }

    /// The replica has done its work for a handshake.
    pub(super) fn has_shaken(&mut self, id: Handle) {
        let task = &mut self.cx.tasks[id];
        let edge = &self.cx.plan.edges[task.edge as usize];
        let operation = &self.cx.plan.services[edge.service as usize].operations[edge.operation as usize];
        task.pc = operation.first_step(task.token);
        task.worker = Worker::Wanted;
        self.cx.come_back(id);
    }

    /// A message of a handshake arrives at the caller.
    pub(super) fn on_connected(&mut self, id: Handle) {
        let task = &self.cx.tasks[id];
        let (edge, bucket, work, trips) = (task.edge, task.bucket, task.work, task.trips);
        let is_wanted = self.calls.waits_for(id, task.caller);
        if trips > 0 && (is_wanted || self.cx.is_open(id)) {
            self.cx.go_there(id);
        } else if is_wanted {
            // If the connection is gone meanwhile, the request finds nobody at its other end.
            self.cx.is_connected(id);
            self.cx.send_request(id);
        } else {
            // Given up meanwhile: there is nothing to send, and the connection is there for others, or for nobody.
            if self.cx.is_connected(id) {
                self.cx.note(Fact::Answered { edge, bucket, work, late: false });
            } else {
                self.cx.note(Fact::Wasted { edge, bucket, work });
            }
            self.cx.tell_of(id, |_| Note::Replied { task: id, outcome: Some(Outcome::Cancelled), work });
            self.cx.forget(id);
        }
    }

    /// Whether a replica that is up takes what has come over a connection. If not it is answered.
    pub(super) fn accepts(&mut self, id: Handle) -> bool {
        let Some(outcome) = self.cx.accept(id) else { return true };
        if outcome == Outcome::Unavailable {
            let host = self.cx.tasks[id].host;
            let service = self.instances.at(host).service;
            self.cx.note(Fact::Arrived { service, host });
            self.cx.note(Fact::Refused { service, why: Refusal::Connections });
            self.cx.tell_of(id, |_| Note::TurnedAway { task: id, why: Refusal::Connections });
            self.refuse(id, outcome);
        } else {
            self.answer(id, outcome);
        }
        false
    }
}
