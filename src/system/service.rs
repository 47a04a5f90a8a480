//! A service: a queue, workers, and work, at each of its instances.
//!
//! ```text
//!   request ─► up? ─► a worker free? ─► its program: work, calls ─► answer
//!               │ no      │ no            (the worker is held meanwhile)
//!               │         └─► room in the queue? ─► waits for a worker
//!               │                  │ no
//!               └─► unreachable    └─► refused (503), or waits at the door (`when_full: block`)
//!
//!   between the first two questions: within the rate? (429) too full for its class? (503)
//! ```
//!
//! Always: busy ≤ workers, and waiting ≤ capacity. A worker is held from the moment a request is taken until its answer is
//! sent, also while it waits for calls and during their backoff; a service with `async: true` gives it back while it
//! waits. A request is answered exactly once, unless its instance goes down silently.

use std::collections::VecDeque;

use crate::admission::codel::Codel;
use crate::admission::limit::{Limit, Sample};
use crate::admission::rate_limit::{Counts, Per};
use crate::admission::shed::{Door, Shed};
use crate::admission::{Class, Queue, Refusal, Waiting, WhenFull};
use crate::engine::{Duration, Handle, Key, Stream, Streams, Time};
use crate::measure::{self, Fact, MemoryFact, Note};
use crate::outcome::Outcome;

use super::Context;
use super::fault::strength;
use super::memory::{Full, Memory};
use super::plan::{self, Cancel, Plan};
use super::task::{State, Worker};

/// Something happens at an instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The work of a task is done.
    Worked(Handle),
    /// An instance has started up.
    Serves(u32),
    /// The request that another one with the same key has waited for is over.
    FirstEnded(Handle),
}

/// What becomes of a request at the door.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Admission {
    /// A worker takes it.
    Taken,
    /// It waits.
    Queued,
    /// It is refused with this outcome.
    Refused(Outcome),
    /// Nothing is there that could answer.
    Lost,
}

/// How a request that was let in has gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Gone {
    /// It has been answered by its program.
    Answered,
    /// It has waited for too long.
    Dropped,
    /// It was driven out, or nobody waits for it.
    Abandoned,
}

/// All instances of all services, by host.
#[derive(Debug)]
pub(super) struct Instances {
    all: Vec<Instance>,
    first_host: u32,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) service: u32,
    host: u32,
    queue: Box<dyn Queue>,
    /// Those who wait at the door until the queue has room.
    blocked: VecDeque<Handle>,
    codel: Option<Codel>,
    shed: Option<Shed>,
    limit: Option<Limit>,
    /// What its own rate limit has counted.
    rate: Option<Counts>,
    /// Requests that were let in and have not been answered.
    inside: u32,
    busy: u32,
    on_cpu: u32,
    for_cpu: VecDeque<Handle>,
    memory: Option<Memory>,
    state: Life,
    /// Faults and collections that pause it, and what has reached it meanwhile.
    pauses: u32,
    pub(super) held: Vec<super::Event>,
    slow: Vec<(u32, Condition)>,
    errors: Vec<(u32, Condition, Outcome, bool)>,
    /// When it started last; zero for the start of the run, at which everything is warm.
    started: Time,
    work: Stream,
    luck: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Up,
    /// Crashed, by so many faults.
    Down {
        faults: u32,
        silent: bool,
    },
    Starting {
        until: Time,
    },
}

/// A fault as an instance feels it: a factor or a chance, growing to its full strength.
#[derive(Clone, Copy, Debug)]
struct Condition {
    amount: f64,
    since: Time,
    ramp: Duration,
}

impl Instances {
    pub(super) fn new(plan: &Plan, first_host: u32, streams: &Streams) -> Self {
        let mut all = Vec::new();
        for (number, service) in plan.services.iter().enumerate() {
            for replica in 0..service.replicas {
                let stream = |what: &str| streams.named(&format!("service/{}/{replica}/{what}", service.name));
                all.push(Instance {
                    service: number as u32,
                    host: first_host + all.len() as u32,
                    queue: service.queue.order.build(),
                    blocked: VecDeque::new(),
                    codel: service.queue.codel.as_ref().map(|spec| Codel::new(spec.value)),
                    shed: service.shed.map(|spec| Shed::new(spec, service.workers, Time::ZERO)),
                    limit: service.limit.map(|spec| Limit::new(spec, stream("limit"))),
                    rate: own_counts(service),
                    inside: 0,
                    busy: 0,
                    on_cpu: 0,
                    for_cpu: VecDeque::new(),
                    memory: service.memory.as_ref().map(Memory::new),
                    state: Life::Up,
                    pauses: 0,
                    held: Vec::new(),
                    slow: Vec::new(),
                    errors: Vec::new(),
                    started: Time::ZERO,
                    work: stream("work"),
                    luck: stream("errors"),
                });
            }
        }
        Self { all, first_host }
    }

    pub(super) fn at(&mut self, host: u32) -> &mut Instance {
        &mut self.all[(host - self.first_host) as usize]
    }

    pub(super) fn bytes(&self) -> usize {
        self.all
            .iter()
            .map(|it| {
                it.queue.len() * size_of::<Waiting>()
                    + it.blocked.len() * size_of::<Handle>()
                    + it.rate.as_ref().map_or(0, Counts::bytes)
            })
            .sum()
    }

    /// Asserted when nothing is under way.
    pub(super) fn at_rest(&self) -> bool {
        self.all.iter().all(|it| {
            it.inside == 0
                && it.busy == 0
                && it.on_cpu == 0
                && it.queue.is_empty()
                && it.blocked.is_empty()
                && it.for_cpu.is_empty()
        })
    }
}

/// The counts of a replica that counts for itself.
fn own_counts(service: &plan::Service) -> Option<Counts> {
    service.rate_limit.as_ref().filter(|limit| !limit.shared).map(Counts::new)
}

impl Instance {
    /// A request stands at the door.
    pub(super) fn admit(&mut self, task: Handle, cx: &mut Context<'_>) -> Admission {
        let plan = cx.plan;
        let spec = &plan.services[self.service as usize];
        let now = cx.engine.now();
        let (host, class, deadline, trace) = {
            let task = &mut cx.tasks[task];
            task.arrived = now;
            (task.host, task.about.class, task.deadline, task.about.trace)
        };
        match self.state {
            Life::Up => {}
            Life::Down { silent: true, .. } => return Admission::Lost,
            Life::Down { .. } | Life::Starting { .. } => return Admission::Refused(Outcome::Unreachable),
        }
        cx.note(Fact::Arrived { service: self.service, host });
        cx.tell(trace, |_| Note::Received { task, host });
        // The news that nobody waits can overtake the request.
        if spec.cancel != Cancel::None && cx.tasks[task].abandoned {
            self.drops(task, Outcome::Cancelled, cx);
            return Admission::Refused(Outcome::Cancelled);
        }
        if spec.deadline && cx.tasks[task].deadline <= now {
            self.drops(task, Outcome::Timeout, cx);
            return Admission::Refused(Outcome::Timeout);
        }
        if spec.has_own_workers && plan.own_worker(cx.tasks[task].edge) {
            self.take_beside(task, cx);
            return Admission::Taken;
        }
        if spec.rate_limit.is_some()
            && let Some(wait) = self.exceeds_rate(task, cx)
        {
            self.turns_away(task, Refusal::Rate, cx);
            return Admission::Refused(Outcome::Throttled(wait));
        }
        if let Some(shed) = &mut self.shed {
            shed.were_busy(self.busy, now);
            // Some orders have to look for the oldest.
            let asked = spec.shed.is_some_and(|it| it.waited.is_some());
            let oldest = if asked { self.queue.oldest() } else { None };
            let waited = oldest.map_or(Duration::ZERO, |since| now - since);
            let door = Door { waiting: self.queue.len(), in_flight: self.inside, waited };
            if let Some(why) = shed.refuses(class, door) {
                self.turns_away(task, why, cx);
                return Admission::Refused(Outcome::Unavailable);
            }
        }
        if self.limit.as_ref().is_some_and(|limit| self.inside >= limit.present()) {
            self.turns_away(task, Refusal::Limit, cx);
            return Admission::Refused(Outcome::Unavailable);
        }
        if self.busy < spec.workers {
            self.lets_in(task, cx);
            self.take(task, cx);
            return Admission::Taken;
        }
        if spec.queue.capacity.is_some_and(|capacity| self.queue.len() >= capacity as usize) {
            let evicted = match spec.queue.when_full.value {
                WhenFull::Block => {
                    cx.tasks[task].state = State::Queued;
                    self.blocked.push_back(task);
                    cx.note(Fact::Blocked { service: self.service, delta: 1 });
                    cx.tell_of(task, |_| Note::Queued { task, blocked: true });
                    return Admission::Queued;
                }
                WhenFull::Refuse => None,
                WhenFull::EvictYoungest => self.queue.evict(class, true),
                WhenFull::EvictOldest => self.queue.evict(class, false),
            };
            let Some(evicted) = evicted else {
                self.turns_away(task, Refusal::Full, cx);
                return Admission::Refused(Outcome::Unavailable);
            };
            cx.note(Fact::Queue { service: self.service, host, delta: -1 });
            self.turns_away(evicted.task, Refusal::Evicted, cx);
            self.leaves(evicted.task, Gone::Abandoned, cx);
            cx.evicted = Some(evicted.task);
        }
        cx.tasks[task].state = State::Queued;
        self.join(task, class, deadline, cx);
        Admission::Queued
    }

    /// A request that has not been in service joins the queue.
    fn join(&mut self, task: Handle, class: Class, deadline: Time, cx: &mut Context<'_>) {
        let (now, spec) = (cx.engine.now(), &cx.plan.services[self.service as usize]);
        self.lets_in(task, cx);
        let mut patience = spec.queue.max_wait.map_or(Duration::FOREVER, |most| most.0);
        if let Some(codel) = &mut self.codel {
            patience = patience.min(codel.patience(self.queue.is_empty(), now));
        }
        self.queue.push(Waiting { task, since: now, class, deadline, patience, again: false });
        cx.note(Fact::Queue { service: self.service, host: self.host, delta: 1 });
        cx.tell_of(task, |_| Note::Queued { task, blocked: false });
    }

    /// Those who have waited at the door for the longest time join the queue, as far as it has room or workers are free.
    fn unblock(&mut self, cx: &mut Context<'_>) {
        let spec = &cx.plan.services[self.service as usize];
        let room = spec.queue.capacity.unwrap_or(u32::MAX).max(spec.workers - self.busy) as usize;
        while self.queue.len() < room
            && let Some(task) = self.blocked.pop_front()
        {
            cx.note(Fact::Blocked { service: self.service, delta: -1 });
            let it = &cx.tasks[task];
            self.join(task, it.about.class, it.deadline, cx);
        }
    }

    /// A request is refused at the door, or driven out of the queue.
    fn turns_away(&self, task: Handle, why: Refusal, cx: &mut Context<'_>) {
        cx.note(Fact::Refused { service: self.service, why });
        cx.tell_of(task, |_| Note::TurnedAway { task, why });
    }

    /// A request is given up.
    fn drops(&self, task: Handle, outcome: Outcome, cx: &mut Context<'_>) {
        cx.note(Fact::Dropped { service: self.service });
        cx.tell_of(task, |_| Note::Dropped { task, outcome });
    }

    /// The wait that is asked of a request that comes too early.
    fn exceeds_rate(&mut self, task: Handle, cx: &mut Context<'_>) -> Option<Duration> {
        let task = &cx.tasks[task];
        let spec = cx.plan.services[self.service as usize].rate_limit.as_ref()?;
        let whose = match spec.per {
            Per::All => 0,
            Per::Client => task.about.client,
            Per::Class => task.about.class as u32,
            Per::Caller => task.from,
        };
        let counts = if spec.shared { &mut cx.rates[self.service as usize] } else { &mut self.rate };
        counts.as_mut()?.refuses(whose, cx.engine.now())
    }

    /// A worker takes a task, which begins, or fails at once.
    fn take(&mut self, id: Handle, cx: &mut Context<'_>) {
        let now = cx.engine.now();
        self.watch(now);
        self.busy += 1;
        let spec = &cx.plan.services[self.service as usize];
        assert!(self.busy <= spec.workers, "more requests in service than workers at {}", spec.name);
        let task = &mut cx.tasks[id];
        task.worker = Worker::Held;
        task.started = true;
        task.state = State::Ready;
        let (host, wait, bucket, trace) = (task.host, now - task.arrived, task.bucket, task.about.trace);
        cx.note(Fact::Busy { service: self.service, host, delta: 1 });
        cx.note(Fact::Started { service: self.service, bucket, wait });
        cx.tell(trace, |_| Note::Started { task: id });
        match self.fails(true, now) {
            Some(outcome) => cx.failed.push((id, outcome)),
            None => cx.ready.push(id),
        }
    }

    /// A task begins that has a worker of its own.
    fn take_beside(&mut self, id: Handle, cx: &mut Context<'_>) {
        let task = &mut cx.tasks[id];
        task.worker = Worker::Own;
        task.started = true;
        task.state = State::Ready;
        let bucket = task.bucket;
        cx.note(Fact::Started { service: self.service, bucket, wait: Duration::ZERO });
        cx.tell_of(id, |_| Note::Started { task: id });
        match self.fails(true, cx.engine.now()) {
            Some(outcome) => cx.failed.push((id, outcome)),
            None => cx.ready.push(id),
        }
    }

    /// A task that has given its worker back wants one again. It does not stand at the door a second time: it is
    /// never refused.
    pub(super) fn take_again(&mut self, task: Handle, cx: &mut Context<'_>) -> bool {
        let spec = &cx.plan.services[self.service as usize];
        let host = cx.tasks[task].host;
        if self.busy < spec.workers {
            self.watch(cx.engine.now());
            self.busy += 1;
            cx.tasks[task].worker = Worker::Held;
            cx.note(Fact::Busy { service: self.service, host, delta: 1 });
            cx.tell_of(task, |_| Note::WaitsNoMore { task });
            return true;
        }
        let since = cx.engine.now();
        let it = &mut cx.tasks[task];
        it.state = State::Queued;
        let (class, deadline) = (it.about.class, it.deadline);
        if let Some(codel) = &mut self.codel {
            codel.patience(self.queue.is_empty(), since);
        }
        self.queue.push(Waiting { task, since, class, deadline, patience: Duration::FOREVER, again: true });
        cx.note(Fact::Queue { service: self.service, host, delta: 1 });
        cx.tell_of(task, |cx| Note::QueuedAgain { task, of: cx.trunk(task) });
        false
    }

    /// A task gives its worker back. Who is served next joins `cx.ready` or `cx.failed`, who is dropped when its turn
    /// comes joins `cx.dropped`.
    pub(super) fn give_back(&mut self, task: Handle, cx: &mut Context<'_>) {
        let host = {
            let task = &mut cx.tasks[task];
            assert!(task.worker == Worker::Held, "a worker was given back twice");
            task.worker = Worker::Wanted;
            task.host
        };
        self.watch(cx.engine.now());
        self.busy -= 1;
        cx.note(Fact::Busy { service: self.service, host, delta: -1 });
        self.next_turn(cx);
    }

    /// A request is let in.
    fn lets_in(&mut self, task: Handle, cx: &mut Context<'_>) {
        self.inside += 1;
        cx.tasks[task].in_flight = self.inside;
        if let Some(memory) = &mut self.memory {
            let (before, inside) = (memory.taken(self.inside - 1), self.inside);
            if memory.came(inside) {
                cx.engine.after(Duration::ZERO, super::Event::Memory(super::memory::Event::Full(self.host)));
            }
            let held = memory.taken(inside) - before;
            cx.note(Fact::Memory { service: self.service, what: MemoryFact::Held(held) });
        }
    }

    /// A request that was let in has been answered, or is stopped for good.
    pub(super) fn leaves(&mut self, task: Handle, how: Gone, cx: &mut Context<'_>) {
        // Who is served beside the others is not counted among them.
        if cx.tasks[task].worker == Worker::Own {
            return;
        }
        self.inside -= 1;
        if let Some(memory) = &mut self.memory {
            let before = memory.taken(self.inside + 1);
            memory.left();
            let held = memory.taken(self.inside) - before;
            cx.note(Fact::Memory { service: self.service, what: MemoryFact::Held(held) });
        }
        if let Some(limit) = &mut self.limit
            && how != Gone::Abandoned
        {
            let (now, task) = (cx.engine.now(), &cx.tasks[task]);
            let (rtt, dropped) = (now - task.arrived, how == Gone::Dropped);
            let delta = limit.sample(Sample { now, rtt, in_flight: task.in_flight, dropped });
            if delta != 0 {
                cx.note(Fact::Limit { service: self.service, delta });
            }
        }
    }

    /// The number of busy workers is about to change.
    fn watch(&mut self, now: Time) {
        if let Some(shed) = &mut self.shed {
            shed.were_busy(self.busy, now);
        }
    }

    fn next_turn(&mut self, cx: &mut Context<'_>) {
        let plan = cx.plan;
        let spec = &plan.services[self.service as usize];
        while self.busy < spec.workers {
            if !self.blocked.is_empty() {
                self.unblock(cx);
            }
            let now = cx.engine.now();
            let Some(waiting) = self.queue.next(now) else { break };
            cx.note(Fact::Queue { service: self.service, host: self.host, delta: -1 });
            // One that wanted a worker again may have been stopped while it waited.
            let Some(task) = cx.tasks.get(waiting.task) else { continue };
            let fresh = !task.started;
            let dropped = if !fresh {
                // It has been started before, and what is started is only ever stopped.
                None
            } else if spec.cancel != Cancel::None && task.abandoned {
                Some(Outcome::Cancelled)
            } else if spec.deadline && task.deadline <= now {
                Some(Outcome::Timeout)
            } else {
                let waited = now - waiting.since;
                let behind = self.queue.len();
                let too_long = waited >= waiting.patience;
                let given_up = self.codel.as_mut().is_some_and(|it| it.gives_up(waited, behind, now));
                (too_long || given_up).then_some(Outcome::Unavailable)
            };
            if let Some(outcome) = dropped {
                let how = if outcome == Outcome::Cancelled { Gone::Abandoned } else { Gone::Dropped };
                self.leaves(waiting.task, how, cx);
                self.drops(waiting.task, outcome, cx);
                cx.dropped.push((waiting.task, outcome));
            } else if fresh {
                self.take(waiting.task, cx);
            } else {
                cx.tasks[waiting.task].state = State::Ready;
                self.take_again(waiting.task, cx);
                cx.ready.push(waiting.task);
            }
        }
        if !self.blocked.is_empty() {
            self.unblock(cx);
        }
        if let Some(codel) = &mut self.codel
            && self.queue.is_empty()
        {
            codel.emptied();
        }
    }

    /// How a request fails, if an error fault wants it; `fast` asks for those that fail before any work.
    pub(super) fn fails(&mut self, fast: bool, now: Time) -> Option<Outcome> {
        for (_, condition, outcome, early) in &self.errors {
            if *early == fast && self.luck.chance(condition.amount * strength(condition.since, condition.ramp, now)) {
                return Some(*outcome);
            }
        }
        None
    }

    /// A task begins to work.
    pub(super) fn work(&mut self, id: Handle, law: &crate::engine::Dist, cx: &mut Context<'_>) {
        let spec = &cx.plan.services[self.service as usize];
        let now = cx.engine.now();
        let mut time = law.sample(&mut self.work);
        let mut factor = spec.slowdown.factor(self.busy);
        for (_, condition) in &self.slow {
            factor *= 1.0 + (condition.amount - 1.0) * strength(condition.since, condition.ramp, now);
        }
        let (warm_after, cold) = spec.warmup;
        if self.started > Time::ZERO && now < self.started + warm_after {
            factor *= cold + (1.0 - cold) * ((now - self.started).as_secs() / warm_after.as_secs());
        }
        // Most work is neither slowed nor cold; a multiplication by one would only cost time.
        if factor.to_bits() != 1.0_f64.to_bits() {
            time = time.scale(factor);
        }
        cx.tasks[id].work += time;
        if self.on_cpu < spec.cpus {
            self.run(id, time, cx);
        } else {
            cx.tasks[id].state = State::WaitsForCpu(time);
            self.for_cpu.push_back(id);
        }
    }

    fn run(&mut self, id: Handle, time: Duration, cx: &mut Context<'_>) {
        self.on_cpu += 1;
        let done = cx.engine.after(time, super::Event::Service(Event::Worked(id)));
        let until = cx.engine.now() + time;
        cx.tasks[id].state = State::Working { done, until };
    }

    /// A piece of work has ended, or was stopped: its CPU goes to the next.
    pub(super) fn leave_cpu(&mut self, cx: &mut Context<'_>) {
        self.on_cpu -= 1;
        if let Some(next) = self.for_cpu.pop_front() {
            let State::WaitsForCpu(time) = cx.tasks[next].state else {
                unreachable!("who is in line for a CPU waits for it")
            };
            self.run(next, time, cx);
        }
    }

    /// A task is stopped for good: what it takes at this instance is freed, but for its worker.
    pub(super) fn stop(&mut self, id: Handle, cx: &mut Context<'_>) {
        match cx.tasks[id].state {
            State::Working { done, until } => {
                cx.engine.cancel(done);
                let left = until - cx.engine.now();
                let task = &mut cx.tasks[id];
                task.work = task.work - left;
                self.leave_cpu(cx);
            }
            State::Frozen(left) => {
                let task = &mut cx.tasks[id];
                task.work = task.work - left;
                self.leave_cpu(cx);
            }
            State::WaitsForCpu(time) => {
                let task = &mut cx.tasks[id];
                task.work = task.work - time;
                self.for_cpu.retain(|&other| other != id);
            }
            _ => {}
        }
    }

    // Memory.

    /// Whether the memory is full, and what is done about it.
    pub(super) fn is_full(&mut self, cx: &mut Context<'_>) -> Full {
        let Some(memory) = self.memory.as_ref().filter(|_| self.is_up()) else { return Full::Not };
        let full = memory.full(self.inside);
        let what = match full {
            Full::Not => return full,
            Full::Collect(time) => MemoryFact::Collects(time),
            Full::Kill => MemoryFact::Killed,
        };
        cx.note(Fact::Memory { service: self.service, what });
        full
    }

    /// A collection begins, which will end with this event.
    pub(super) fn collects(&mut self, end: Key, cx: &mut Context<'_>) {
        if let Some(memory) = &mut self.memory {
            memory.collects = Some(end);
        }
        self.pause(self.host, cx);
    }

    /// A collection has ended. Returns whether the process goes on.
    pub(super) fn has_collected(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(memory) = &mut self.memory {
            let before = memory.taken(self.inside);
            memory.collected();
            let held = memory.taken(self.inside) - before;
            cx.note(Fact::Memory { service: self.service, what: MemoryFact::Collected });
            cx.note(Fact::Memory { service: self.service, what: MemoryFact::Held(held) });
        }
        self.resume(self.host, cx)
    }

    /// The process is gone, with what it held in memory. Returns the end of the collection that was under way.
    pub(super) fn loses_memory(&mut self, cx: &mut Context<'_>) -> Option<Key> {
        let memory = self.memory.as_mut()?;
        let before = memory.taken(self.inside);
        let collection = memory.clear();
        let held = memory.taken(0) - before;
        cx.note(Fact::Memory { service: self.service, what: MemoryFact::Held(held) });
        if collection.is_some() {
            self.pauses -= 1;
            cx.note(Fact::Memory { service: self.service, what: MemoryFact::Collected });
        }
        collection
    }

    // Faults.

    pub(super) fn begin_slow(&mut self, fault: u32, factor: f64, since: Time, ramp: Duration) {
        self.slow.push((fault, Condition { amount: factor, since, ramp }));
    }

    pub(super) fn end_slow(&mut self, fault: u32) {
        self.slow.retain(|(other, _)| *other != fault);
    }

    pub(super) fn begin_errors(
        &mut self,
        fault: u32,
        rate: f64,
        since: Time,
        ramp: Duration,
        how: Outcome,
        fast: bool,
    ) {
        self.errors.push((fault, Condition { amount: rate, since, ramp }, how, fast));
    }

    pub(super) fn end_errors(&mut self, fault: u32) {
        self.errors.retain(|(other, ..)| *other != fault);
    }

    /// The process stands still: pieces of work stop where they are.
    pub(super) fn pause(&mut self, host: u32, cx: &mut Context<'_>) {
        self.pauses += 1;
        if self.pauses > 1 {
            return;
        }
        for id in cx.tasks_at(host) {
            if let State::Working { done, until } = cx.tasks[id].state {
                cx.engine.cancel(done);
                cx.tasks[id].state = State::Frozen(until - cx.engine.now());
            }
        }
    }

    /// A pause is over. Returns whether it was the last: the process goes on where it was.
    pub(super) fn resume(&mut self, host: u32, cx: &mut Context<'_>) -> bool {
        self.pauses -= 1;
        if self.pauses > 0 {
            return false;
        }
        for id in cx.tasks_at(host) {
            if let State::Frozen(time) = cx.tasks[id].state {
                let done = cx.engine.after(time, super::Event::Service(Event::Worked(id)));
                let until = cx.engine.now() + time;
                cx.tasks[id].state = State::Working { done, until };
            }
        }
        true
    }

    /// Whether the process is there.
    pub(super) fn is_up(&self) -> bool {
        self.state == Life::Up
    }

    /// How what comes to the process is answered if it is not there; with [`Outcome::Cancelled`] if nobody answers.
    pub(super) fn knock(&self) -> Option<Outcome> {
        match self.state {
            Life::Up => None,
            Life::Down { silent: true, .. } => Some(Outcome::Cancelled),
            Life::Down { .. } | Life::Starting { .. } => Some(Outcome::Unreachable),
        }
    }

    /// Whether the process is there, and paused.
    pub(super) fn stands_still(&self) -> bool {
        self.pauses > 0 && self.state == Life::Up
    }

    /// How the process is, for the measurements.
    pub(super) fn life(&self) -> measure::Life {
        match self.state {
            Life::Down { .. } => measure::Life::Down,
            Life::Starting { .. } => measure::Life::Starting,
            Life::Up if self.pauses > 0 => measure::Life::Paused,
            Life::Up => measure::Life::Up,
        }
    }

    /// The process is gone, with all that it held. Returns whether it was there before.
    pub(super) fn crash(&mut self, silent: bool) -> bool {
        match &mut self.state {
            Life::Down { faults, .. } => {
                *faults += 1;
                false
            }
            Life::Up | Life::Starting { .. } => {
                self.state = Life::Down { faults: 1, silent };
                true
            }
        }
    }

    /// All that was held is gone: the queue, the workers, the CPUs. The tasks themselves are ended by the world.
    pub(super) fn clear(&mut self, host: u32, cx: &mut Context<'_>) {
        let waiting = self.queue.len() as i64;
        cx.note(Fact::Queue { service: self.service, host, delta: -waiting });
        cx.note(Fact::Busy { service: self.service, host, delta: -i64::from(self.busy) });
        cx.note(Fact::Blocked { service: self.service, delta: -(self.blocked.len() as i64) });
        self.queue.clear();
        self.blocked.clear();
        let spec = &cx.plan.services[self.service as usize];
        self.inside = 0;
        if let Some(limit) = &mut self.limit {
            let delta = limit.reset();
            cx.note(Fact::Limit { service: self.service, delta });
        }
        self.shed = spec.shed.map(|it| Shed::new(it, spec.workers, cx.engine.now()));
        self.rate = own_counts(spec);
        self.codel = spec.queue.codel.as_ref().map(|spec| Codel::new(spec.value));
        self.for_cpu.clear();
        self.busy = 0;
        self.on_cpu = 0;
    }

    /// The fault that took it down is over: it starts.
    pub(super) fn restart(&mut self, host: u32, cx: &mut Context<'_>) {
        let Life::Down { faults, .. } = &mut self.state else { unreachable!("only what is down restarts") };
        *faults -= 1;
        if *faults == 0 {
            let startup = cx.plan.services[self.service as usize].startup;
            self.state = Life::Starting { until: cx.engine.now() + startup };
            cx.engine.after(startup, super::Event::Service(Event::Serves(host)));
        }
    }

    /// It has started up, unless it has crashed again meanwhile: then this is false.
    pub(super) fn serves(&mut self, now: Time) -> bool {
        let is_up = self.state == (Life::Starting { until: now });
        if is_up {
            self.state = Life::Up;
            self.started = now;
        }
        is_up
    }
}
