//! The parts that live in time, and the world that they make up.
//!
//! ```text
//!   client ─► task ─► call ─► network ─► service ─► task ─► call ─► …
//!                                                    │
//!   client ◄─ task ◄─ call ◄─ network ◄──────────────┘ answer
//! ```
//!
//! A request's way: a client wishes for it (`client`), a task runs its program (`task`), a call walks through the
//! caller's policies (`call`), the network carries it (`network`), an instance admits, queues and serves it
//! (`service`), running another task there; and back. Faults set conditions that these consult (`fault`).
//!
//! [`run`] is a pure function of a plan and a seed. Each part handles its own events and returns what follows; the
//! world below does what follows. Always, at the end: opened = answered + failed + cancelled + unfinished, for each
//! client and each edge; and when nothing is under way, every worker, permit and place is free.

pub mod cache;
mod call;
mod client;
pub mod connections;
mod effects;
mod fault;
pub mod fleet;
pub mod keys;
pub mod memory;
mod network;
pub mod plan;
mod put_off;
pub mod replication;
mod service;
mod task;
pub mod topic;

use crate::admission::idempotency::{Concurrent, Seen, Table};
use crate::admission::rate_limit::Counts;
use crate::engine::{Duration, Engine, Handle, Slab, Stream, Streams, Time, mix};
use crate::measure::{CacheFact, DatabaseFact, Fact, Measure, Note, Run, UNTRACED};
use crate::outcome::{Lesser, Outcome};

use cache::Look;
use call::Why;
use client::Wish;
use effects::Effects;
use network::Fate;
use plan::{Cancel, Plan, Source, Step, What};
use put_off::Entry;
use replication::Database;
use service::{Admission, Gone};
use task::{About, Count, Forked, Purpose, State, Task, Worker};

/// What happens next, somewhere.
#[derive(Clone, Copy, Debug)]
enum Event {
    Client(client::Event),
    Network(network::Event),
    Call(call::Event),
    /// A call that was put off has its turn.
    PutOff {
        slot: u32,
    },
    /// A caller asks whether a replica is well.
    Probe {
        host: u32,
        edge: u32,
        replica: u32,
    },
    Service(service::Event),
    Cache(cache::Event),
    Fault(fault::Event),
    Memory(memory::Event),
    Topic(topic::Event),
    Connections(connections::Event),
    Replication(replication::Event),
}

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum Stopped {
    /// The limit on events.
    #[error("the limit of {0} events was reached")]
    Events(u64),
    /// The bound on events at one instant: time does not pass any more.
    #[error("more than {limit} events happened at the instant {at}, most of them at {part}: time does not pass there")]
    Instant {
        /// The bound.
        limit: u64,
        /// Where time stopped.
        at: Time,
        /// What was going on.
        part: String,
    },
    /// The limit on memory.
    #[error("the limit of {0} bytes of memory was reached")]
    Memory(u64),
    /// The bound on requests under way at once.
    #[error("more than {0} requests and branches were under way at once")]
    Crowd(usize),
    /// The limit on simulated time.
    #[error("the limit of {0} of simulated time was reached")]
    Time(Time),
}

/// Requests and branches under way at once, at most: what they need is well within what the engine can hold.
const MOST_TASKS: usize = 2_000_000;

/// Runs a plan with a seed: same plan, same seed, same result, to the last bit.
///
/// # Panics
/// Only if an invariant of the simulation is broken, which is a bug in it.
#[must_use]
pub fn run(plan: &Plan, seed: u64) -> Run {
    run_traced(plan, seed, 0)
}

/// Runs a plan as [`run`] does, and follows so many requests of clients: [`Run::trace`]. Nothing else in the run is different.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_traced(plan: &Plan, seed: u64, requests: u32) -> Run {
    let mut world = World::new(plan, seed, requests);
    let stopped = world.go();
    world.finish(stopped)
}

/// Runs a plan as [`run`] does, and then on until nothing is under way any more: nobody asks, and an answer that was
/// lost is given up by those who wait for it. So that tests can see everything come to its end.
///
/// # Panics
/// If something never ends, or holds a worker, a permit or a place when all has ended: a bug in the simulation.
#[must_use]
pub fn run_to_rest(plan: &Plan, seed: u64) -> Run {
    run_to_rest_traced(plan, seed, 0)
}

/// Runs a plan as [`run_to_rest`] does, and follows so many requests of clients.
///
/// # Panics
/// As [`run_to_rest`].
#[must_use]
pub fn run_to_rest_traced(plan: &Plan, seed: u64, requests: u32) -> Run {
    let mut world = World::new(plan, seed, requests);
    let stopped = world.go();
    if stopped.is_none() {
        world.rest();
    }
    world.finish(stopped)
}

/// Which hosts belong to which part.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// The first host of each part, and the number of hosts.
    first: Vec<u32>,
    clients: usize,
}

impl Hosts {
    fn new(plan: &Plan) -> Self {
        let mut first = vec![0];
        for part in 0..plan.parts() {
            first.push(first[part] + plan.instances(part) as u32);
        }
        Self { first, clients: plan.clients.len() }
    }

    fn first(&self, part: usize) -> u32 {
        self.first[part]
    }

    fn of_client(&self, client: u32) -> u32 {
        self.first[client as usize]
    }

    fn of_service(&self, service: u32) -> u32 {
        self.first[self.clients + service as usize]
    }

    fn part_of(&self, host: u32) -> usize {
        self.first.partition_point(|&first| first <= host) - 1
    }

    fn is_client(&self, host: u32) -> bool {
        host < self.first[self.clients]
    }
}

/// What the parts share: the clock, the network, the tasks, and those who listen.
#[derive(Debug)]
struct Context<'p> {
    plan: &'p Plan,
    hosts: Hosts,
    engine: Engine<Event>,
    measure: Measure,
    network: network::Network,
    tasks: Slab<Task>,
    /// Requests and attempts under way that were made before the end of the run.
    counted: u64,
    /// Tasks that were ever made.
    made: u64,
    /// Tasks that can take their next step now.
    ready: Vec<Handle>,
    /// Requests that were dropped when their turn came.
    dropped: Vec<(Handle, Outcome)>,
    /// The request that another one has just driven out of a queue.
    evicted: Option<Handle>,
    /// Requests that a worker has taken, and that fail before any work is done.
    failed: Vec<(Handle, Outcome)>,
    /// For each service whose replicas count together at their doors: the counts.
    rates: Vec<Option<Counts>>,
    /// For each service and operation: the table of idempotency keys, if it honours them.
    tables: Vec<Vec<Option<Table>>>,
    effects: Effects,
    /// Whether an operation says that it has an effect.
    counts_effects: bool,
    connections: connections::Connections,
    /// For each service whose replicas have one state: that.
    databases: Vec<Option<Box<Database>>>,
}

impl Context<'_> {
    fn note(&mut self, fact: Fact) {
        self.measure.note(self.engine.now(), fact);
    }

    /// Something happens to a request that carries this number: heard only if it is followed, and not put together otherwise.
    #[inline(always)]
    fn tell(&mut self, request: u32, note: impl FnOnce(&Self) -> Note) {
        if request != UNTRACED {
            let note = note(self);
            self.measure.tell(self.engine.now(), request, note);
        }
    }

    /// As [`Context::tell`], of what a task is made for.
    #[inline(always)]
    fn tell_of(&mut self, task: Handle, note: impl FnOnce(&Self) -> Note) {
        if self.measure.follows() {
            self.tell(self.tasks[task].about.trace, note);
        }
    }

    fn begin(&mut self, task: Task) -> Handle {
        if task.about.effects != Handle::NONE {
            self.effects.join(task.about.effects);
        }
        self.counted += u64::from(self.counts(&task));
        self.tasks.insert(task)
    }

    fn forget(&mut self, id: Handle) {
        let task = &self.tasks[id];
        let (counts, effects, connection) = (self.counts(task), task.about.effects, task.connection);
        self.counted -= u64::from(counts);
        self.tasks.remove(id);
        if connection != Handle::NONE {
            self.leaves_connection(connection, id);
        }
        if effects != Handle::NONE {
            self.effects.leave(effects);
        }
    }

    fn counts(&self, task: &Task) -> bool {
        task.parent == Handle::NONE && self.measure.is_counted(task.bucket)
    }

    /// The task of which this one is a branch, or a branch of a branch; or itself.
    fn trunk(&self, mut task: Handle) -> Handle {
        while self.tasks[task].parent != Handle::NONE {
            task = self.tasks[task].parent;
        }
        task
    }

    /// The number of the next task.
    fn next_number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// The tasks at a host, oldest first: their places in memory depend on what others do.
    fn tasks_at(&self, host: u32) -> Vec<Handle> {
        let mut found: Vec<Handle> =
            self.tasks.iter().filter(|(_, task)| task.host == host).map(|(id, _)| id).collect();
        found.sort_unstable_by_key(|&id| self.tasks[id].number);
        found
    }

    fn send_request(&mut self, id: Handle) {
        let edge = &self.plan.edges[self.tasks[id].edge as usize];
        let bytes = self.plan.services[edge.service as usize].operations[edge.operation as usize].request;
        if !self.send(edge.out, bytes, network::Event::Request(id)) {
            self.tell_of(id, |_| Note::Lost { task: id, answer: false });
            self.forget(id);
        }
    }

    fn send_answer(&mut self, id: Handle) {
        let (edge_number, bucket, work) = {
            let task = &self.tasks[id];
            (task.edge, task.bucket, task.work)
        };
        let edge = &self.plan.edges[edge_number as usize];
        let bytes = self.plan.services[edge.service as usize].operations[edge.operation as usize].response;
        if !self.send(edge.back, bytes, network::Event::Answer(id)) {
            self.note(Fact::Wasted { edge: edge_number, bucket, work });
            self.tell_of(id, |_| Note::Lost { task: id, answer: true });
            self.forget(id);
        }
    }

    fn send_cancel(&mut self, edge: u32, id: Handle) {
        let edge = &self.plan.edges[edge as usize];
        self.send(edge.out, 0, network::Event::Cancel(id));
    }

    /// Puts a message on a link; false if it will never arrive.
    fn send(&mut self, link: u32, bytes: u64, arrival: network::Event) -> bool {
        let now = self.engine.now();
        match self.network.carry(link, bytes, now) {
            Fate::ArrivesOnLane(delay) => {
                self.engine.after_lane(delay, Event::Network(arrival));
            }
            Fate::Arrives(wait) => {
                self.engine.after(wait, Event::Network(arrival));
            }
            Fate::Lost => {
                self.note(Fact::Lost { link });
                return false;
            }
        }
        self.note(Fact::Carried { link, bytes });
        true
    }
}

/// All parts of a model, with their state.
#[derive(Debug)]
struct World<'p> {
    cx: Context<'p>,
    clients: Vec<client::Client>,
    calls: call::Calls,
    caches: cache::Caches,
    topics: topic::Topics,
    instances: service::Instances,
    faults: fault::Faults,
    /// For each host, the luck of its programs.
    choices: Vec<Stream>,
    wishes: Vec<Wish>,
    /// Pauses in force, over all instances.
    pauses: u32,
}

impl<'p> World<'p> {
    fn new(plan: &'p Plan, seed: u64, traced: u32) -> Self {
        let streams = Streams::new(seed);
        let hosts = Hosts::new(plan);
        let mut engine = Engine::new();
        // Prepared first, because there are only so many lanes and this delay is the most common one.
        let network = network::Network::new(plan, &streams, &mut engine);
        let first_service = hosts.first[plan.clients.len()];
        let mut connections = connections::Connections::new(plan, first_service);
        let calls = call::Calls::new(plan, &hosts, &streams, &mut engine, &mut connections);
        call::Calls::start_probing(plan, &hosts, &streams, &mut engine);
        let mut measure = Measure::new(plan);
        let caches = cache::Caches::new(plan, &hosts, &streams, &mut |cache, entries| {
            measure.note(Time::ZERO, Fact::Cache { cache, what: CacheFact::Entries(entries) });
        });
        if traced > 0 {
            measure.follow(plan, seed, traced);
        }
        let choices = (0..plan.parts()).flat_map(|part| {
            let name = plan.part_name(part);
            let streams = &streams;
            (0..plan.instances(part)).map(move |instance| streams.named(&format!("{name}/{instance}/choices")))
        });
        Self {
            clients: plan
                .clients
                .iter()
                .enumerate()
                .map(|(number, spec)| client::Client::new(number as u32, spec, plan, &streams))
                .collect(),
            calls,
            caches,
            topics: topic::Topics::new(plan, &streams),
            instances: service::Instances::new(plan, first_service, &streams),
            faults: fault::Faults::new(plan, &streams),
            choices: choices.collect(),
            wishes: Vec::new(),
            pauses: 0,
            cx: Context {
                plan,
                measure,
                hosts,
                engine,
                network,
                tasks: Slab::default(),
                counted: 0,
                made: 0,
                ready: Vec::new(),
                dropped: Vec::new(),
                evicted: None,
                failed: Vec::new(),
                rates: plan
                    .services
                    .iter()
                    .map(|it| it.rate_limit.as_ref().filter(|limit| limit.shared).map(Counts::new))
                    .collect(),
                tables: plan
                    .services
                    .iter()
                    .map(|it| it.operations.iter().map(|it| it.keyed.map(|keyed| Table::new(&keyed.table))).collect())
                    .collect(),
                effects: Effects::default(),
                counts_effects: plan.services.iter().flat_map(|it| &it.operations).any(|it| it.effect),
                connections,
                databases: (0..)
                    .zip(&plan.services)
                    .map(|(service, it)| {
                        let database = Database::new(service, it, it.replication.as_ref()?, &streams);
                        Some(Box::new(database))
                    })
                    .collect(),
            },
        }
    }

    /// Runs to the end, or to a limit.
    fn go(&mut self) -> Option<Stopped> {
        let plan = self.cx.plan;
        for client in &mut self.clients {
            client.start(&mut self.cx.engine);
        }
        self.faults.start(plan, &mut self.cx.engine);
        self.cx.warm_pools();
        let limits = plan.limits;
        let end = plan.schedule.length;
        let last = (end + plan.schedule.drain).min(limits.time);
        // After the end only that counts which is still under way, whether or not somebody waits for it.
        while let Some(event) = self.cx.engine.next_until(last) {
            self.handle(event);
            if self.cx.engine.crowd() > limits.events_per_instant {
                return Some(Stopped::Instant {
                    limit: limits.events_per_instant,
                    at: self.cx.engine.now(),
                    part: self.name_of(event),
                });
            }
            if self.cx.tasks.len() > MOST_TASKS {
                return Some(Stopped::Crowd(MOST_TASKS));
            }
            let events = self.cx.engine.processed();
            if events >= limits.events {
                return Some(Stopped::Events(limits.events));
            }
            if events.is_multiple_of(4_096) && self.bytes() > limits.memory {
                return Some(Stopped::Memory(limits.memory));
            }
            if self.cx.counted == 0 && self.cx.engine.now() >= end {
                return None;
            }
        }
        (limits.time < end).then_some(Stopped::Time(limits.time))
    }

    /// The load ends, and what is under way with it.
    fn rest(&mut self) {
        loop {
            while let Some(event) = self.cx.engine.next() {
                if !matches!(event, Event::Client(_) | Event::PutOff { .. } | Event::Probe { .. } | Event::Topic(_)) {
                    self.handle(event);
                }
            }
            // What still waits now waits for a message that was lost.
            let Some(call) = self.calls.waiting_for_nothing(&self.cx.tasks) else { break };
            if let Some(done) = self.calls.give_up(call, &mut self.cx) {
                self.on_done(done);
            }
            self.settle();
        }
        assert!(self.cx.tasks.is_empty(), "nothing happens any more, and yet {} tasks wait", self.cx.tasks.len());
    }

    fn handle(&mut self, event: Event) {
        if self.pauses > 0 && self.holds(event) {
            return;
        }
        let cx = &mut self.cx;
        match event {
            Event::Client(client::Event::Arrival { client }) => {
                self.clients[client as usize].on_arrival(&mut cx.engine, &mut self.wishes);
                self.open_all(client);
            }
            Event::Client(client::Event::User { client, user }) => {
                self.clients[client as usize].on_user(user, &mut cx.engine, &mut self.wishes);
                self.open_all(client);
            }
            Event::Client(client::Event::Gathered { client }) => {
                self.clients[client as usize].on_gathered(&mut self.wishes);
                self.open_all(client);
            }
            Event::Network(network::Event::Request(task)) => self.on_request(task),
            Event::Network(network::Event::Answer(task)) => {
                if let Some(done) = self.calls.on_answer(task, cx) {
                    self.on_done(done);
                }
            }
            Event::Network(network::Event::Cancel(task)) => self.on_cancel(task),
            Event::Call(event) => {
                if let Some(done) = self.calls.handle(event, cx) {
                    self.on_done(done);
                }
            }
            Event::PutOff { slot } => {
                if let Some(done) = self.calls.on_turn(slot, cx) {
                    self.on_done(done);
                }
            }
            Event::Probe { host, edge, replica } => {
                let every = cx.plan.edges[edge as usize].probes.expect("only some calls probe");
                cx.engine.after(every, event);
                // A process that is not there does not ask.
                let is_there = cx.hosts.is_client(host) || self.instances.at(host).is_up();
                if is_there && let Some(done) = self.calls.probe(host, edge, replica, cx) {
                    self.on_done(done);
                }
            }
            Event::Service(service::Event::Worked(task)) => self.on_worked(task),
            Event::Service(service::Event::FirstEnded(task)) => {
                if let Some(it) = cx.tasks.get_mut(task)
                    && it.state == State::WaitsForFirst
                {
                    // It looks its key up again.
                    it.state = State::Ready;
                    cx.ready.push(task);
                }
            }
            Event::Service(service::Event::Serves(host)) => {
                if self.instances.at(host).serves(cx.engine.now()) {
                    cx.note(Fact::Life { host, life: self.instances.at(host).life() });
                    self.calls.started(host, cx);
                    self.tell_database(host);
                }
            }
            Event::Cache(cache::Event::Woken(task)) => self.on_woken(task),
            Event::Cache(cache::Event::LeaseOver(lease)) => self.caches.lease_over(cx, lease),
            Event::Fault(event) => self.on_fault(event),
            Event::Memory(event) => self.on_memory(event),
            Event::Topic(topic::Event::Deliver { group }) => self.deliver(group),
            Event::Topic(topic::Event::ComesBack { message }) => self.topics.comes_back(cx, message),
            Event::Topic(topic::Event::TimedOut { message }) => self.topics.timed_out(cx, message),
            Event::Network(network::Event::Connect(task)) => self.on_connect(task),
            Event::Network(network::Event::Connected(task)) => self.on_connected(task),
            Event::Connections(event) => self.on_connections(event),
            Event::Replication(event) => self.on_replication(event),
        }
        self.settle();
    }

    /// What reaches a process that stands still waits there unseen, in its order.
    fn holds(&mut self, event: Event) -> bool {
        let host = match event {
            Event::Network(
                network::Event::Request(task) | network::Event::Cancel(task) | network::Event::Connect(task),
            ) => self.cx.tasks.get(task).map(|task| task.host),
            Event::Service(service::Event::FirstEnded(task))
            | Event::Cache(cache::Event::Woken(task))
            | Event::Replication(replication::Event::Replicated(task)) => self.cx.tasks.get(task).map(|task| task.host),
            Event::Network(network::Event::Answer(task) | network::Event::Connected(task)) => {
                self.calls.host_of(self.cx.tasks[task].caller, &self.cx.tasks)
            }
            Event::Call(timer) => self.calls.host_of(timer.leg, &self.cx.tasks),
            Event::PutOff { slot } => self.calls.host_of_put_off(slot),
            Event::Probe { host, .. } => Some(host),
            // Work that is under way has been frozen; faults and the start of a process are not its own doing, nor is the choice
            // of a primary.
            Event::Client(_)
            | Event::Service(_)
            | Event::Cache(_)
            | Event::Fault(_)
            | Event::Memory(_)
            | Event::Topic(_)
            | Event::Connections(_)
            | Event::Replication(_) => None,
        };
        let Some(host) = host.filter(|&host| !self.cx.hosts.is_client(host)) else { return false };
        let instance = self.instances.at(host);
        if !instance.stands_still() {
            return false;
        }
        instance.held.push(event);
        if let Event::Call(timer) = event {
            self.calls.hold(timer);
        }
        true
    }

    /// A process goes on, or is gone: what has waited for it happens now.
    fn release(&mut self, host: u32) {
        for event in std::mem::take(&mut self.instances.at(host).held) {
            match event {
                // The layer may have been left meanwhile.
                Event::Call(timer) if !self.calls.is_overdue(timer) => {}
                _ => self.handle(event),
            }
        }
    }

    /// Does what follows from an event, until nothing more can happen at this instant.
    fn settle(&mut self) {
        // Beyond the bound the run is stopped; what could still happen now stays undone.
        while self.cx.tasks.len() <= MOST_TASKS {
            if let Some(task) = self.cx.ready.pop() {
                self.advance(task);
            } else if let Some((task, outcome)) = self.cx.dropped.pop() {
                self.answer(task, outcome);
            } else if let Some((task, outcome)) = self.cx.failed.pop() {
                self.end(task, outcome);
            } else {
                break;
            }
        }
    }

    /// A client makes a request.
    fn open_all(&mut self, client: u32) {
        while let Some(wish) = self.wishes.pop() {
            self.open(client, wish);
        }
    }

    fn open(&mut self, client: u32, wish: Wish) {
        let number = self.cx.next_number();
        let effects = if self.cx.counts_effects { self.cx.effects.begin() } else { Handle::NONE };
        let about = About::new(wish.key, mix(number), effects);
        let count = wish.user.map_or(Count::Nothing, Count::User);
        self.begin(client, wish.instance, wish.entry, number, about, count);
    }

    /// A group has room for messages: its client makes a request for each that it gets.
    fn deliver(&mut self, group: u32) {
        let client = self.cx.plan.groups[group as usize].client;
        let delivered = self.topics.deliver(&mut self.cx, group);
        // Last in, first out: opened from the back, the first of them goes first.
        for it in delivered.into_iter().rev() {
            let entry = self.clients[client as usize].choose_task();
            let number = self.cx.next_number();
            self.begin(client, it.instance, entry, number, it.about, Count::Delivery(it.delivery));
        }
    }

    /// A request of a client begins.
    fn begin(&mut self, client: u32, instance: u32, entry: u32, number: u64, about: About, count: Count) {
        let now = self.cx.engine.now();
        let bucket = self.cx.measure.bucket(now);
        let trace = self.cx.measure.next_request(now, self.cx.plan.schedule.warmup);
        let class = self.cx.plan.clients[client as usize].class;
        let about = About { root: bucket, client, class, trace, ..about };
        let host = self.cx.hosts.of_client(client) + instance;
        let task = self.cx.begin(Task {
            pc: entry,
            state: State::Ready,
            started: true,
            count,
            ..Task::new(number, host, bucket, about, now)
        });
        self.cx.note(Fact::Opened { client });
        self.cx.tell(trace, |_| Note::Opened { task, host });
        self.cx.ready.push(task);
    }

    /// A request arrives at an instance.
    fn on_request(&mut self, task: Handle) {
        let host = self.cx.tasks[task].host;
        if self.cx.tasks[task].connection != Handle::NONE && self.instances.at(host).is_up() && !self.accepts(task) {
            return;
        }
        let instance = self.instances.at(host);
        match instance.admit(task, &mut self.cx) {
            Admission::Taken => {}
            Admission::Queued => {
                if let Some(evicted) = self.cx.evicted.take() {
                    self.refuse(evicted, Outcome::Unavailable);
                }
            }
            Admission::Refused(outcome) => self.refuse(task, outcome),
            Admission::Lost => {
                self.cx.tell_of(task, |_| Note::Lost { task, answer: false });
                self.cx.forget(task);
            }
        }
    }

    /// A request is turned away, which may cost work.
    fn refuse(&mut self, id: Handle, outcome: Outcome) {
        let task = &mut self.cx.tasks[id];
        let refusal = self.cx.plan.services[self.instances.at(task.host).service as usize].refusal;
        if let (Outcome::Unavailable | Outcome::Throttled(_), Some(program)) = (outcome, refusal) {
            task.pc = program;
            task.count = Count::Refused(outcome);
            task.started = true;
            task.state = State::Ready;
            task.worker = Worker::NotNeeded;
            self.cx.ready.push(id);
        } else {
            self.answer(id, outcome);
        }
    }

    /// Nobody waits for a request any more.
    fn on_cancel(&mut self, id: Handle) {
        let Some(task) = self.cx.tasks.get_mut(id) else { return };
        task.abandoned = true;
        let service = self.instances.at(task.host).service;
        let under_way = task.started && !matches!(task.state, State::Answered(_));
        if under_way && self.cx.plan.services[service as usize].cancel == Cancel::Propagate {
            let (edge, bucket, host, let_in) = (task.edge, task.bucket, task.host, task.worker != Worker::NotNeeded);
            self.stop(id);
            self.let_go_of_key(id, Outcome::Cancelled);
            if let_in {
                self.instances.at(host).leaves(id, Gone::Abandoned, &mut self.cx);
            }
            let work = self.cx.tasks[id].work;
            self.cx.note(Fact::Wasted { edge, bucket, work });
            self.cx.tell_of(id, |_| Note::Replied { task: id, outcome: Some(Outcome::Cancelled), work });
            self.cx.forget(id);
        }
    }

    /// A piece of work is done.
    fn on_worked(&mut self, id: Handle) {
        let host = self.cx.tasks[id].host;
        self.cx.tasks[id].state = State::Ready;
        self.instances.at(host).leave_cpu(&mut self.cx);
        self.cx.ready.push(id);
    }

    /// A call has ended.
    fn on_done(&mut self, done: call::Done) {
        if let Count::Background(purpose) = self.cx.tasks[done.task].count {
            match purpose {
                Purpose::Thread { slot } => self.calls.on_thread_free(&mut self.cx, slot, done.task),
                Purpose::PutOff { slot, number } => {
                    let Task { about, pc, token, .. } = self.cx.tasks[done.task];
                    let entry = Entry { number, about, pc, token };
                    self.calls.on_turn_done(&mut self.cx, slot, entry, done.outcome);
                }
                Purpose::Probe { balancer, replica } => {
                    self.calls.probed(balancer, replica, done.outcome, &mut self.cx);
                }
            }
            self.cx.forget(done.task);
            return;
        }
        if self.take(done) {
            self.cx.ready.push(done.task);
        }
    }

    /// A task takes the result of its call. False if the task has ended with it.
    fn take(&mut self, done: call::Done) -> bool {
        let task = &mut self.cx.tasks[done.task];
        task.state = State::Ready;
        let optional = match self.cx.plan.steps[task.pc as usize] {
            Step::Call { optional, .. } => optional,
            // An entry is read, or written, as the answer comes; what fails finds nothing, or changes nothing.
            Step::Look { .. } => {
                let table = done.replica.filter(|_| done.outcome.is_answer()).unwrap_or(cache::NOWHERE);
                return self.look_up(done.task, table);
            }
            Step::Keep { cache, deletes, .. } => {
                task.pc += 1;
                if let Some(table) = done.replica.filter(|_| done.outcome.is_answer()) {
                    self.keep(done.task, cache, table, deletes);
                }
                return true;
            }
            _ => unreachable!("what waits for a call is at a call"),
        };
        task.pc += 1;
        match done.outcome {
            Outcome::Ok => true,
            Outcome::Degraded(lesser) => {
                task.lesser = task.lesser.and(lesser);
                true
            }
            _ if optional => {
                task.lesser = task.lesser.and(Lesser::PARTIAL);
                true
            }
            // A client sees what it got; a service translates it for those above.
            failure if self.cx.hosts.is_client(task.host) => {
                self.end(done.task, failure);
                false
            }
            failure => {
                self.end(done.task, failure.seen_from_above());
                false
            }
        }
    }

    /// Takes steps of a task's program until it has to wait.
    fn advance(&mut self, id: Handle) {
        loop {
            // What was ready a moment ago may have been stopped since.
            let Some(task) = self.cx.tasks.get_mut(id) else { return };
            let plan = self.cx.plan;
            let host = task.host;
            match &plan.steps[task.pc as usize] {
                Step::Work(law) => {
                    if task.worker == Worker::Wanted && !self.instances.at(host).take_again(id, &mut self.cx) {
                        return;
                    }
                    self.cx.tasks[id].pc += 1;
                    self.instances.at(host).work(id, law, &mut self.cx);
                    return;
                }
                Step::Call { edge, .. } => {
                    self.let_go(id);
                    match self.calls.start(&mut self.cx, id, *edge) {
                        None => return,
                        Some(done) => {
                            if !self.take(done) {
                                return;
                            }
                        }
                    }
                }
                Step::Fork { branches, need, .. } => {
                    self.let_go(id);
                    self.fork(id, branches, *need);
                    return;
                }
                Step::Choose(chances, entries) => {
                    task.pc = entries[self.choices[host as usize].weighted(chances)];
                }
                Step::Jump(to) => task.pc = *to,
                Step::Fail(outcome) => {
                    self.end(id, *outcome);
                    return;
                }
                Step::Once => {
                    if !self.is_first(id) {
                        return;
                    }
                    self.cx.tasks[id].pc += 1;
                }
                Step::Look { cache, read, .. } => {
                    let (cache, read) = (*cache, *read);
                    let goes_on = match read {
                        Some(edge) => {
                            self.let_go(id);
                            match self.calls.start(&mut self.cx, id, edge) {
                                None => return,
                                Some(done) => self.take(done),
                            }
                        }
                        None => {
                            let table = self.caches.table_of(cache, host, &self.cx.hosts);
                            self.look_up(id, table)
                        }
                    };
                    if !goes_on {
                        return;
                    }
                }
                Step::Keep { cache, write: None, deletes } => {
                    task.pc += 1;
                    let table = self.caches.table_of(*cache, host, &self.cx.hosts);
                    self.keep(id, *cache, table, *deletes);
                }
                Step::Keep { write: Some(edge), .. } => {
                    self.let_go(id);
                    match self.calls.start(&mut self.cx, id, *edge) {
                        None => return,
                        Some(done) => {
                            self.take(done);
                        }
                    }
                }
                Step::Behind { cache, branch, then, most } => {
                    let has_room = self.caches.begin_behind(&mut self.cx, *cache, host, *most);
                    self.cx.tasks[id].pc = if has_room { *then } else { *branch };
                    if has_room {
                        self.in_background(id, *branch, Count::Behind { cache: *cache });
                    }
                }
                Step::EndBehind => {
                    if let Count::Behind { .. } = task.count {
                        self.end_in_background(id, Outcome::Ok);
                        return;
                    }
                    task.pc += 1;
                }
                Step::Publish { topic, poison } => {
                    let about = About { identity: task.identity_of_call(), ..task.about };
                    task.pc += 1;
                    if !self.topics.publish(&mut self.cx, *topic, about, *poison) {
                        self.end(id, Outcome::Unavailable);
                        return;
                    }
                }
                Step::Shaken => {
                    self.has_shaken(id);
                    return;
                }
                Step::Commit => {
                    if !self.commit(id) {
                        return;
                    }
                    self.cx.tasks[id].pc += 1;
                }
                Step::Read => {
                    task.pc += 1;
                    self.has_read(id);
                }
                Step::Refuse => {
                    let Count::Refused(outcome) = task.count else { unreachable!("only the refused are refused") };
                    self.end(id, outcome);
                    return;
                }
                Step::End => {
                    let outcome = if task.lesser == Lesser::NOT { Outcome::Ok } else { Outcome::Degraded(task.lesser) };
                    self.end(id, outcome);
                    return;
                }
            }
        }
    }

    /// A task looks its key up in this table of a cache. False if it cannot take its next step now.
    fn look_up(&mut self, id: Handle, table: u32) -> bool {
        let task = &mut self.cx.tasks[id];
        let Step::Look { cache, hit, miss, .. } = self.cx.plan.steps[task.pc as usize] else {
            unreachable!("who looks a key up is at a lookup")
        };
        let (key, again) = (task.about.key, task.looked != cache::NOWHERE);
        task.looked = cache::NOWHERE;
        match self.caches.look(&mut self.cx, cache, table, key, again) {
            Look::Entry { refresh } => {
                self.cx.tasks[id].pc = hit;
                if let Some(why) = refresh {
                    let fetch = self.caches.fetch(&mut self.cx, cache, table, key, why);
                    self.in_background(id, miss, Count::Fetch(fetch));
                }
                true
            }
            Look::Spared => {
                self.goes_on_with_less(id, hit);
                true
            }
            Look::Failure(outcome) => {
                self.end(id, outcome);
                false
            }
            Look::Nothing => {
                let fetch = self.caches.fetch(&mut self.cx, cache, table, key, cache::Why::Missing);
                self.let_go(id);
                self.fork(id, &[miss], 1);
                let branch = self.cx.tasks[id].branches;
                self.cx.tasks[branch].count = Count::Fetch(fetch);
                false
            }
            Look::Wait => {
                let task = &mut self.cx.tasks[id];
                task.looked = table;
                task.state = State::WaitsForFetch;
                self.caches.wait(&mut self.cx, cache, table, key, id);
                self.let_go(id);
                false
            }
        }
    }

    /// A task goes on with an entry that is too old.
    fn goes_on_with_less(&mut self, id: Handle, at: u32) {
        let task = &mut self.cx.tasks[id];
        task.pc = at;
        task.lesser = task.lesser.and(Lesser::PARTIAL);
    }

    /// What a task has waited for at a cache has ended.
    fn on_woken(&mut self, id: Handle) {
        let Some(task) = self.cx.tasks.get_mut(id) else { return };
        let State::Woken(outcome) = task.state else { return };
        task.state = State::Ready;
        if outcome == Outcome::Cancelled {
            // It looks again: for a table that is held by a service, with another call.
            self.cx.ready.push(id);
            return;
        }
        let table = std::mem::replace(&mut task.looked, cache::NOWHERE);
        if self.take_fetched(id, table, outcome) {
            self.cx.ready.push(id);
        }
    }

    /// A task takes what was fetched for it, by itself or by another one. False if the task has ended with it.
    fn take_fetched(&mut self, id: Handle, table: u32, outcome: Outcome) -> bool {
        let task = &mut self.cx.tasks[id];
        let Step::Look { cache, hit, then, .. } = self.cx.plan.steps[task.pc as usize] else {
            unreachable!("who gets what was fetched is at a lookup")
        };
        if outcome.is_answer() {
            task.pc = then;
            if let Outcome::Degraded(lesser) = outcome {
                task.lesser = task.lesser.and(lesser);
            }
            return true;
        }
        let key = task.about.key;
        match self.caches.spares(&mut self.cx, cache, table, key) {
            Some(crate::measure::Seen::Hit) => self.cx.tasks[id].pc = hit,
            Some(_) => self.goes_on_with_less(id, hit),
            None => {
                self.end(id, outcome);
                return false;
            }
        }
        true
    }

    /// What a task has fetched or written is kept, or its entry deleted.
    fn keep(&mut self, id: Handle, cache: u32, table: u32, deletes: bool) {
        let task = &self.cx.tasks[id];
        let key = task.about.key;
        if deletes {
            self.caches.delete(&mut self.cx, cache, table, key);
            return;
        }
        let began = if let Count::Fetch(fetch) = task.count { self.caches.began(fetch) } else { None };
        let took = began.map(|began| self.cx.engine.now() - began);
        self.caches.fill(&mut self.cx, cache, table, key, took);
    }

    /// A branch of a task runs that it does not wait for, beside the workers.
    fn in_background(&mut self, id: Handle, entry: u32, count: Count) {
        let now = self.cx.engine.now();
        let bucket = self.cx.measure.bucket(now);
        let number = self.cx.next_number();
        let Task { host, about, .. } = self.cx.tasks[id];
        // As the branch would have it that is waited for. It is not followed: nobody's request waits for it.
        let about = About { identity: mix(about.identity), trace: UNTRACED, ..about };
        let task = Task { pc: entry, started: true, count, ..Task::new(number, host, bucket, about, now) };
        let task = self.cx.begin(task);
        self.cx.ready.push(task);
    }

    /// A task that nobody waits for is over, well or not.
    fn end_in_background(&mut self, id: Handle, outcome: Outcome) {
        let Task { count, host, .. } = self.cx.tasks[id];
        match count {
            Count::Fetch(fetch) => self.caches.fetched(&mut self.cx, fetch, outcome),
            Count::Behind { cache } => self.caches.end_behind(&mut self.cx, cache, host, outcome.is_answer()),
            _ => {}
        }
        self.cx.forget(id);
    }

    /// The service of a host, and which of its replicas that is.
    fn replica_of(&self, host: u32) -> (u32, u32) {
        let service = (self.cx.hosts.part_of(host) - self.cx.plan.clients.len()) as u32;
        (service, host - self.cx.hosts.of_service(service))
    }

    fn database(&mut self, service: u32) -> &mut Database {
        self.cx.databases[service as usize].as_mut().expect("only replicas that have one state read and write it")
    }

    /// A task has written. False if it cannot take its next step now: it waits for others, or has ended. Who only asks whether a
    /// replica is well writes nothing, and nor does what will fail because of a poison message.
    fn commit(&mut self, id: Handle) -> bool {
        let now = self.cx.engine.now();
        let Task { host, about: About { key, client, poison, .. }, .. } = self.cx.tasks[id];
        if client == About::NOBODY || poison {
            return true;
        }
        let (service, replica) = self.replica_of(host);
        let database = self.database(service);
        let Some(term) = database.term_of(replica) else {
            // It was the primary when this was sent to it.
            self.end(id, Outcome::Unavailable);
            return false;
        };
        let position = database.write(key, now);
        let ready = database.ready_at(position, now);
        if ready <= now {
            self.acknowledge(service, position);
            return true;
        }
        self.cx.tasks[id].state = State::Replicating { position, term };
        self.cx.engine.at(ready, Event::Replication(replication::Event::Replicated(id)));
        self.let_go(id);
        false
    }

    /// What a write waits for may have happened.
    fn on_replicated(&mut self, id: Handle) {
        let Some(task) = self.cx.tasks.get(id) else { return };
        let State::Replicating { position, term } = task.state else { return };
        let (service, replica) = self.replica_of(task.host);
        let now = self.cx.engine.now();
        let database = self.database(service);
        if database.term_of(replica) != Some(term) {
            self.end(id, Outcome::Unavailable);
            return;
        }
        let ready = database.ready_at(position, now);
        if ready > now {
            // Those for whom it waits stood still, or began anew.
            self.cx.engine.at(ready, Event::Replication(replication::Event::Replicated(id)));
            return;
        }
        self.acknowledge(service, position);
        let task = &mut self.cx.tasks[id];
        task.pc += 1;
        task.state = State::Ready;
        self.cx.ready.push(id);
    }

    fn acknowledge(&mut self, service: u32, position: u64) {
        let now = self.cx.engine.now();
        self.database(service).acknowledge(position, now);
        self.cx.note(Fact::Database { service, what: DatabaseFact::Written });
    }

    /// A task has read. Who only asks whether a replica is well reads nothing.
    fn has_read(&mut self, id: Handle) {
        let Task { host, about, arrived, .. } = self.cx.tasks[id];
        if about.client != About::NOBODY {
            let (service, replica) = self.replica_of(host);
            let now = self.cx.engine.now();
            let stale = self.database(service).read(replica, about.key, arrived, now);
            self.cx.note(Fact::Database { service, what: DatabaseFact::Read { stale } });
        }
    }

    fn on_replication(&mut self, event: replication::Event) {
        match event {
            replication::Event::Replicated(task) => self.on_replicated(task),
            replication::Event::Chosen(service) => {
                let now = self.cx.engine.now();
                self.database(service).choose(now);
                self.tell_of_database(service);
            }
            replication::Event::Noticed(service) => {
                let Context { databases, engine, .. } = &mut self.cx;
                let database = databases[service as usize].as_mut().expect("only databases choose a primary");
                database.noticed(engine);
                self.tell_of_database(service);
            }
        }
    }

    /// A replica has crashed, serves again, stands still or goes on.
    fn tell_database(&mut self, host: u32) {
        let (service, replica) = self.replica_of(host);
        let Context { databases, engine, .. } = &mut self.cx;
        if let Some(database) = &mut databases[service as usize] {
            let instance = self.instances.at(host);
            database.heard(replica, instance.is_up(), instance.stands_still(), engine);
            self.tell_of_database(service);
        }
    }

    /// Tells the measurements what has become of a primary.
    fn tell_of_database(&mut self, service: u32) {
        for what in self.database(service).news() {
            self.cx.note(Fact::Database { service, what });
        }
    }

    /// The table of keys of the operation that a request asks for.
    fn table(&mut self, id: Handle) -> Option<&mut Table> {
        let edge = &self.cx.plan.edges[self.cx.tasks[id].edge as usize];
        self.cx.tables[edge.service as usize][edge.operation as usize].as_mut()
    }

    /// A request looks up its key. False if it is not the first: it waits, or has ended.
    fn is_first(&mut self, id: Handle) -> bool {
        let (token, now) = (self.cx.tasks[id].token, self.cx.engine.now());
        let table = self.table(id).expect("only operations that honour keys look them up");
        match table.look_up(token, id, now) {
            Seen::First => true,
            Seen::Answered(outcome) => {
                self.end(id, outcome);
                false
            }
            Seen::Running => {
                let edge = &self.cx.plan.edges[self.cx.tasks[id].edge as usize];
                let operation = &self.cx.plan.services[edge.service as usize].operations[edge.operation as usize];
                if operation.keyed.is_some_and(|it| it.table.concurrent == Concurrent::Conflict) {
                    self.end(id, Outcome::Rejected);
                } else {
                    self.cx.tasks[id].state = State::WaitsForFirst;
                    if let Some(table) = self.table(id) {
                        table.wait(token, id);
                    }
                    self.let_go(id);
                }
                false
            }
        }
    }

    /// A request with a key is over. Those who wait for it look their key up again. False if another one was the first.
    fn let_go_of_key(&mut self, id: Handle, outcome: Outcome) -> bool {
        let (token, now) = (self.cx.tasks[id].token, self.cx.engine.now());
        if token == 0 {
            return true;
        }
        let Some(table) = self.table(id) else { return true };
        let waiting = table.ended(token, id, outcome, now);
        for &other in waiting.iter().flatten() {
            self.cx.engine.after(Duration::ZERO, Event::Service(service::Event::FirstEnded(other)));
        }
        waiting.is_some()
    }

    /// The program of a request has ended: what it did has happened, whatever becomes of its answer.
    fn happens(&mut self, id: Handle, outcome: Outcome) {
        let was_done = self.let_go_of_key(id, outcome) && outcome.is_answer();
        let task = &self.cx.tasks[id];
        let edge = &self.cx.plan.edges[task.edge as usize];
        if was_done && self.cx.plan.services[edge.service as usize].operations[edge.operation as usize].effect {
            let again = self.cx.effects.happen(task.about.effects, task.about.identity);
            self.cx.note(Fact::Effect { service: edge.service, again });
            self.cx.tell_of(id, |_| Note::Effect { task: id, again });
        }
    }

    /// A task divides into branches.
    fn fork(&mut self, id: Handle, entries: &[u32], need: u32) {
        let want_workers = self.releases_worker(self.cx.tasks[id].host);
        let parent = &mut self.cx.tasks[id];
        parent.state = State::Forked;
        parent.forked = Forked { running: entries.len() as u32, well: 0, need };
        let branch = Task {
            parent: id,
            branches: Handle::NONE,
            caller: Handle::NONE,
            state: State::Ready,
            work: Duration::ZERO,
            lesser: Lesser::NOT,
            worker: if want_workers && parent.worker != Worker::Own { Worker::Wanted } else { Worker::NotNeeded },
            count: Count::Nothing,
            connection: Handle::NONE,
            ..parent.clone()
        };
        // Last in, first out: made from the back, the first branch goes first.
        let mut sibling = Handle::NONE;
        for (index, &entry) in entries.iter().enumerate().rev() {
            let number = self.cx.next_number();
            // Copies of a step are branches that begin at the same step.
            let identity = mix(branch.about.identity ^ ((index as u64) << 32));
            let about = About { identity, ..branch.about };
            sibling = self.cx.begin(Task { number, pc: entry, sibling, about, ..branch.clone() });
            self.cx.ready.push(sibling);
        }
        self.cx.tasks[id].branches = sibling;
    }

    /// A branch has ended. It stays until its parent goes on.
    fn join(&mut self, branch: Handle, outcome: Outcome) {
        let Task { parent: id, count, .. } = self.cx.tasks[branch];
        self.cx.tasks[branch].state = State::Answered(outcome);
        if let Count::Fetch(fetch) = count {
            let (table, _) = self.caches.place_of(fetch).expect("it is under way");
            self.caches.fetched(&mut self.cx, fetch, outcome);
            self.end_branches(id);
            self.cx.tasks[id].state = State::Ready;
            if self.take_fetched(id, table, outcome) {
                self.cx.ready.push(id);
            }
            return;
        }
        let parent = &mut self.cx.tasks[id];
        let Forked { running, well, need } = &mut parent.forked;
        *running -= 1;
        if outcome.is_answer() {
            *well += 1;
            if let Outcome::Degraded(lesser) = outcome {
                parent.lesser = parent.lesser.and(lesser);
            }
        }
        let enough = *well >= *need;
        if !enough && *well + *running >= *need {
            return;
        }
        let Step::Fork { then, .. } = self.cx.plan.steps[parent.pc as usize] else {
            unreachable!("a task with branches is at a fork")
        };
        parent.pc = then;
        self.end_branches(id);
        let parent = &mut self.cx.tasks[id];
        parent.state = State::Ready;
        if enough {
            self.cx.ready.push(id);
        } else {
            self.end(id, outcome);
        }
    }

    /// All branches of a task go; those that still run are stopped.
    fn end_branches(&mut self, parent: Handle) {
        let mut next = std::mem::take(&mut self.cx.tasks[parent].branches);
        while next != Handle::NONE {
            let id = next;
            if !matches!(self.cx.tasks[id].state, State::Answered(_)) {
                self.stop(id);
            }
            let branch = &self.cx.tasks[id];
            next = branch.sibling;
            let work = branch.work;
            self.cx.forget(id);
            self.cx.tasks[parent].work += work;
        }
    }

    /// A task has ended.
    fn end(&mut self, id: Handle, outcome: Outcome) {
        let task = &self.cx.tasks[id];
        let host = task.host;
        if task.parent != Handle::NONE {
            self.let_go_for_good(id);
            self.join(id, outcome);
        } else if let Count::Fetch(_) | Count::Behind { .. } = task.count {
            self.end_in_background(id, outcome);
        } else if self.cx.hosts.is_client(host) {
            let client = self.cx.hosts.part_of(host) as u32;
            let took = self.cx.engine.now() - task.arrived;
            let (bucket, count, trace) = (task.bucket, task.count, task.about.trace);
            let outcome = if task.about.poison && outcome.is_answer() { Outcome::Error } else { outcome };
            if let Count::Delivery(delivery) = count {
                self.topics.ended(&mut self.cx, delivery, outcome.is_answer());
            }
            self.cx.forget(id);
            self.cx.note(Fact::Closed { client, bucket, outcome, took });
            self.cx.tell(trace, |_| Note::Closed { task: id, outcome });
            if let Count::User(user) = count
                && self.clients[client as usize].on_done(user, outcome, &mut self.cx.engine)
            {
                self.cx.note(Fact::Served { client, delta: 1 });
            }
        } else {
            let outcome = if task.about.poison && outcome.is_answer() { Outcome::Error } else { outcome };
            if self.cx.counts_effects || task.token != 0 {
                self.happens(id, outcome);
            }
            let task = &self.cx.tasks[id];
            let now = self.cx.engine.now();
            let instance = self.instances.at(host);
            let outcome = if outcome.is_answer() { instance.fails(false, now).unwrap_or(outcome) } else { outcome };
            let (bucket, sojourn) = (task.bucket, now - task.arrived);
            let service = instance.service;
            // A refusal that costs work ends here too, and was never served.
            if task.worker != Worker::NotNeeded {
                instance.leaves(id, Gone::Answered, &mut self.cx);
                self.cx.note(Fact::Finished { service, host, bucket, sojourn, outcome });
            }
            self.let_go_for_good(id);
            self.answer(id, outcome);
        }
    }

    /// The answer of a request goes back; a cancelled one has nobody to go to.
    fn answer(&mut self, id: Handle, outcome: Outcome) {
        let task = &self.cx.tasks[id];
        let (trace, work) = (task.about.trace, task.work);
        self.cx.tell(trace, |_| Note::Replied { task: id, outcome: Some(outcome), work });
        if outcome == Outcome::Cancelled {
            self.cx.forget(id);
        } else {
            self.cx.tasks[id].state = State::Answered(outcome);
            self.cx.send_answer(id);
        }
    }

    /// A task that is about to wait gives its worker back, if its service does that.
    fn let_go(&mut self, id: Handle) {
        let task = &self.cx.tasks[id];
        if task.worker == Worker::Held && self.releases_worker(task.host) {
            self.let_go_for_good(id);
        }
    }

    fn let_go_for_good(&mut self, id: Handle) {
        let task = &self.cx.tasks[id];
        if task.worker == Worker::Held {
            let host = task.host;
            self.instances.at(host).give_back(id, &mut self.cx);
        }
    }

    /// Stops a task wherever it is, with its calls and branches. It stays in the slab.
    fn stop(&mut self, id: Handle) {
        let (state, host, count) = {
            let task = &self.cx.tasks[id];
            (task.state, task.host, task.count)
        };
        if let Count::Fetch(fetch) = count {
            self.caches.fetched(&mut self.cx, fetch, Outcome::Cancelled);
        }
        match state {
            State::Calling(call) => self.calls.abandon(call, Why::Unwanted, &mut self.cx),
            State::Forked => self.end_branches(id),
            State::Working { .. } | State::Frozen(_) | State::WaitsForCpu(_) => {
                self.instances.at(host).stop(id, &mut self.cx);
            }
            // One that is queued is passed over when its turn comes.
            State::Queued => self.cx.tell_of(id, |_| Note::WaitsNoMore { task: id }),
            State::Travelling
            | State::Ready
            | State::WaitsForFirst
            | State::WaitsForFetch
            | State::Woken(_)
            | State::Replicating { .. }
            | State::Answered(_) => {}
        }
        self.let_go_for_good(id);
    }

    fn releases_worker(&mut self, host: u32) -> bool {
        !self.cx.hosts.is_client(host)
            && self.cx.plan.services[self.instances.at(host).service as usize].releases_worker
    }

    fn on_fault(&mut self, event: fault::Event) {
        let plan = self.cx.plan;
        let (begins, number) = match event {
            fault::Event::Begins { fault } => (true, fault),
            fault::Event::Ends { fault } => (false, fault),
        };
        let fault = &plan.faults[number as usize];
        let now = self.cx.engine.now();
        self.cx.measure.fault(now, number, begins);
        match &fault.what {
            What::Slow { service, which, factor } => {
                for host in self.hosts_of(number, *service, *which) {
                    let instance = self.instances.at(host);
                    if begins {
                        instance.begin_slow(number, *factor, now, fault.ramp);
                    } else {
                        instance.end_slow(number);
                    }
                }
            }
            What::Errors { service, which, rate, outcome, fast } => {
                for host in self.hosts_of(number, *service, *which) {
                    let instance = self.instances.at(host);
                    if begins {
                        instance.begin_errors(number, *rate, now, fault.ramp, *outcome, *fast);
                    } else {
                        instance.end_errors(number);
                    }
                }
            }
            What::Crash { service, which, silent } => {
                for host in self.hosts_of(number, *service, *which) {
                    if begins {
                        self.crash(host, *silent);
                    } else {
                        self.instances.at(host).restart(host, &mut self.cx);
                    }
                    self.tell_life(host);
                }
            }
            What::Pause { service, which } => {
                for host in self.hosts_of(number, *service, *which) {
                    if begins {
                        self.pauses += 1;
                        self.instances.at(host).pause(host, &mut self.cx);
                    } else {
                        self.pauses -= 1;
                        if self.instances.at(host).resume(host, &mut self.cx) {
                            self.tell_database(host);
                            self.release(host);
                        }
                    }
                    self.tell_life(host);
                }
            }
            What::Partition { links } | What::Link { links, .. } => {
                for &link in links {
                    if begins {
                        self.cx.network.begin(link, number, &fault.what, now, fault.ramp);
                    } else {
                        self.cx.network.end(link, number, &fault.what);
                    }
                }
            }
            What::Disconnect { client, members, within } => {
                let Source::Fleet(fleet) = &plan.clients[*client as usize].source else {
                    unreachable!("only fleets have members")
                };
                let members = self.faults.members(number, *members, fleet.members);
                if begins {
                    self.disconnect(*client, &members);
                } else {
                    self.clients[*client as usize].on_back(&members, *within, &mut self.cx.engine);
                }
            }
            What::Flush { cache, which } => {
                if begins {
                    let tables = self.caches.tables(*cache);
                    for table in self.faults.replicas(number, *which, tables, |_| None) {
                        self.caches.flush(&mut self.cx, *cache, table);
                    }
                }
            }
            What::Surge { client, factor } => {
                let client = &mut self.clients[*client as usize];
                if begins {
                    client.begin_surge(number, *factor, fault.ramp, &mut self.cx.engine);
                } else {
                    client.end_surge(number, &mut self.cx.engine);
                }
            }
        }
        self.faults.plan_next(event, plan, &mut self.cx.engine);
    }

    /// The memory of an instance may be full, or is not any more.
    fn on_memory(&mut self, event: memory::Event) {
        match event {
            memory::Event::Full(host) => match self.instances.at(host).is_full(&mut self.cx) {
                memory::Full::Not => {}
                memory::Full::Collect(time) => {
                    self.pauses += 1;
                    let end = self.cx.engine.after(time, Event::Memory(memory::Event::Collected(host)));
                    self.instances.at(host).collects(end, &mut self.cx);
                    self.tell_database(host);
                }
                memory::Full::Kill => {
                    self.crash(host, false);
                    self.tell_life(host);
                    let spec = self.cx.plan.services[self.instances.at(host).service as usize].memory;
                    let after = spec.and_then(|it| it.restart_after).map_or(Duration::ZERO, |it| it.0);
                    self.cx.engine.after(after, Event::Memory(memory::Event::Restarts(host)));
                }
            },
            memory::Event::Collected(host) => {
                self.pauses -= 1;
                if self.instances.at(host).has_collected(&mut self.cx) {
                    self.tell_database(host);
                    self.release(host);
                }
            }
            memory::Event::Restarts(host) => {
                self.instances.at(host).restart(host, &mut self.cx);
                self.tell_life(host);
            }
        }
    }

    /// Members of a fleet are gone, with the requests that they have under way. Nobody is told, but servers that hear of it.
    fn disconnect(&mut self, client: u32, members: &[u32]) {
        let left = self.clients[client as usize].on_leave(members, &mut self.cx.engine);
        self.cx.note(Fact::Served { client, delta: -left.served });
        let first = self.cx.hosts.of_client(client);
        let instances = self.cx.plan.clients[client as usize].instances;
        for host in first..first + instances {
            for id in self.cx.tasks_at(host) {
                let Some(task) = self.cx.tasks.get(id) else { continue };
                // In order of their numbers, as faults draw them.
                if let Count::User(member) = task.count
                    && left.members.binary_search(&member).is_ok()
                {
                    let (bucket, took) = (task.bucket, self.cx.engine.now() - task.arrived);
                    let trace = task.about.trace;
                    self.stop(id);
                    self.cx.forget(id);
                    self.cx.tell(trace, |_| Note::Closed { task: id, outcome: Outcome::Cancelled });
                    self.cx.note(Fact::Closed { client, bucket, outcome: Outcome::Cancelled, took });
                }
            }
        }
    }

    /// Tells the measurements how a process is.
    fn tell_life(&mut self, host: u32) {
        let life = self.instances.at(host).life();
        self.cx.note(Fact::Life { host, life });
        self.tell_database(host);
    }

    fn hosts_of(&mut self, fault: u32, service: u32, which: plan::Which) -> Vec<u32> {
        let plan = self.cx.plan;
        let first = self.cx.hosts.of_service(service);
        let replicas = plan.services[service as usize].replicas;
        let part = plan.clients.len() + service as usize;
        let in_zone = |replica: u32| plan.zone(part, replica as usize);
        self.faults.replicas(fault, which, replicas, in_zone).into_iter().map(|replica| first + replica).collect()
    }

    /// A process is gone, with everything it held. Its callers are told, unless it went silently.
    fn crash(&mut self, host: u32, silent: bool) {
        if !self.instances.at(host).crash(silent) {
            return;
        }
        if let Some(collection) = self.instances.at(host).loses_memory(&mut self.cx) {
            self.cx.engine.cancel(collection);
            self.pauses -= 1;
        }
        self.instances.at(host).clear(host, &mut self.cx);
        self.cx.lose_connections(host, silent);
        let mut here = self.cx.tasks_at(host);
        here.retain(|&id| {
            let task = &self.cx.tasks[id];
            let gone = task.parent == Handle::NONE && matches!(task.state, State::Answered(_));
            task.state != State::Travelling && !gone
        });
        for &id in &here {
            self.lose(id);
            if let Count::Fetch(fetch) = self.cx.tasks[id].count {
                self.caches.fetched(&mut self.cx, fetch, Outcome::Cancelled);
            }
        }
        self.caches.crash(&mut self.cx, host);
        // Branches are younger than what they are branches of: from the youngest on, their work joins that of all above.
        for &id in here.iter().rev() {
            let Task { parent, work, .. } = self.cx.tasks[id];
            if parent != Handle::NONE {
                self.cx.tasks[parent].work += work;
                self.cx.forget(id);
            }
        }
        for id in here {
            let Some(task) = self.cx.tasks.get(id) else { continue };
            match task.count {
                Count::Background(_) => {
                    self.cx.forget(id);
                    continue;
                }
                Count::Fetch(_) | Count::Behind { .. } => {
                    self.end_in_background(id, Outcome::Cancelled);
                    continue;
                }
                _ => {}
            }
            self.let_go_of_key(id, Outcome::Unreachable);
            let task = &self.cx.tasks[id];
            let (edge, bucket, work) = (task.edge, task.bucket, task.work);
            let service = self.cx.plan.edges[edge as usize].service;
            self.cx.note(Fact::Dropped { service });
            self.cx.tell_of(id, |_| Note::Crashed { task: id });
            if silent {
                self.cx.note(Fact::Wasted { edge, bucket, work });
                self.cx.tell_of(id, |_| Note::Replied { task: id, outcome: None, work });
                self.cx.forget(id);
            } else {
                self.answer(id, Outcome::Unreachable);
            }
        }
        self.calls.reset(host, &mut self.cx);
        self.release(host);
    }

    /// The process of a task is gone: what it does ends here, and its work not done is taken off.
    fn lose(&mut self, id: Handle) {
        let now = self.cx.engine.now();
        let not_done = match self.cx.tasks[id].state {
            State::Calling(call) => {
                self.calls.abandon(call, Why::Died, &mut self.cx);
                Duration::ZERO
            }
            State::Working { done, until } => {
                self.cx.engine.cancel(done);
                until - now
            }
            State::WaitsForCpu(time) | State::Frozen(time) => time,
            State::Travelling
            | State::Queued
            | State::Ready
            | State::Forked
            | State::WaitsForFirst
            | State::WaitsForFetch
            | State::Woken(_)
            | State::Replicating { .. }
            | State::Answered(_) => Duration::ZERO,
        };
        let task = &mut self.cx.tasks[id];
        task.worker = Worker::NotNeeded;
        task.work = task.work - not_done;
    }

    fn bytes(&self) -> u64 {
        let bytes = self.cx.tasks.bytes()
            + self.cx.engine.bytes()
            + self.calls.bytes()
            + self.instances.bytes()
            + self.caches.bytes()
            + self.topics.bytes()
            + self.cx.tables.iter().flatten().flatten().map(Table::bytes).sum::<usize>()
            + self.cx.effects.bytes()
            + self.cx.connections.bytes()
            + self.clients.iter().map(client::Client::bytes).sum::<usize>()
            + self.cx.rates.iter().flatten().map(Counts::bytes).sum::<usize>()
            + self.cx.databases.iter().flatten().map(|it| it.bytes()).sum::<usize>()
            + self.cx.measure.bytes();
        bytes as u64
    }

    /// The part at which an event happened, for errors.
    fn name_of(&self, event: Event) -> String {
        let host_of = |task: Handle| self.cx.tasks.get(task).map(|task| task.host);
        let host = match event {
            Event::Client(
                client::Event::Arrival { client }
                | client::Event::User { client, .. }
                | client::Event::Gathered { client },
            ) => Some(self.cx.hosts.of_client(client)),
            Event::Network(
                network::Event::Request(task)
                | network::Event::Answer(task)
                | network::Event::Cancel(task)
                | network::Event::Connect(task)
                | network::Event::Connected(task),
            )
            | Event::Service(service::Event::Worked(task) | service::Event::FirstEnded(task)) => host_of(task),
            Event::Service(service::Event::Serves(host))
            | Event::Memory(
                memory::Event::Full(host) | memory::Event::Collected(host) | memory::Event::Restarts(host),
            ) => Some(host),
            Event::Call(event) => self.calls.host_of(event.leg, &self.cx.tasks),
            Event::PutOff { slot } => self.calls.host_of_put_off(slot),
            Event::Probe { host, .. } => Some(host),
            Event::Cache(cache::Event::Woken(task)) => host_of(task),
            Event::Replication(replication::Event::Replicated(task)) => host_of(task),
            Event::Replication(replication::Event::Noticed(service) | replication::Event::Chosen(service)) => {
                Some(self.cx.hosts.of_service(service))
            }
            Event::Cache(cache::Event::LeaseOver(_)) | Event::Fault(_) | Event::Connections(_) => None,
            Event::Topic(event) => {
                self.topics.client_of(self.cx.plan, event).map(|client| self.cx.hosts.of_client(client))
            }
        };
        match host.map(|host| self.cx.hosts.part_of(host)) {
            Some(part) if part < self.cx.plan.clients.len() => format!("client `{}`", self.cx.plan.part_name(part)),
            Some(part) => format!("service `{}`", self.cx.plan.part_name(part)),
            None => "the end of a request".to_owned(),
        }
    }

    /// Takes leave: what is still under way is counted as unfinished, and the sums are checked.
    fn finish(self, stopped: Option<Stopped>) -> Run {
        if self.cx.tasks.is_empty() && stopped.is_none() {
            assert!(self.calls.at_rest(), "nothing is under way, and yet a policy holds a permit or a place");
            assert!(self.instances.at_rest(), "nothing is under way, and yet a worker is busy or somebody waits");
            assert!(self.caches.at_rest(), "nothing is under way, and yet a cache fetches, or somebody waits for it");
            assert!(self.topics.at_rest(), "nothing is under way, and yet a message is being processed");
            assert!(self.cx.connections.at_rest(), "nothing is under way, and yet a connection is in use");
            let tables = self.cx.tables.iter().flatten().flatten().all(Table::at_rest);
            // What waits to be made later can still have its effect a second time.
            let later = self.calls.has_put_off() || self.topics.has_messages();
            let remembers = !later && !self.cx.effects.at_rest();
            assert!(tables && !remembers, "nothing is under way, and yet a key is in use");
        }
        self.cx.connections.check();
        self.cx.databases.iter().flatten().for_each(|it| it.check_sums());
        let plan = self.cx.plan;
        self.topics.check(plan);
        let hosts = &self.cx.hosts;
        let mut open_requests: Vec<(u32, u32)> = Vec::new();
        for (_, task) in self.cx.tasks.iter() {
            let in_background = matches!(task.count, Count::Background(_) | Count::Fetch(_) | Count::Behind { .. });
            if hosts.is_client(task.host) && task.parent == Handle::NONE && !in_background {
                open_requests.push((hosts.part_of(task.host) as u32, task.bucket));
            }
        }
        let open_calls: Vec<(u32, u32)> = self.calls.open().collect();
        let (now, events) = (self.cx.engine.now(), self.cx.engine.processed());
        self.cx.measure.finish(plan, now, &open_requests, &open_calls, events, stopped)
    }
}
