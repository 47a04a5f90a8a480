//! A call: a walk through the layers of policies, out to a server, and back.
//!
//! ```text
//!   start ─► layer 0 ─► layer 1 ─► … ─► the balancer picks a replica ─► network ─► a task at the server
//!              ◄────────── ◄──────────────────────────────────────────── network ◄── its answer
//!                  │ again: walk inwards once more after a wait
//!                  │ a limit passed: everything inside is abandoned, then outwards with `timeout`
//! ```
//!
//! One walk is a *leg*. A call begins with one; a policy that sends spare attempts (hedging) gives it more, its *runners*:
//! each walks the layers inside that policy with frames of its own, while the leg that they run for waits at that layer.
//!
//! Always: a layer is left exactly once for each entering. A frame has at most one timer, and a layer that is left
//! has none. A call is closed exactly once. Nothing here calls the task that waits: what ended is returned.

use std::collections::{BTreeMap, VecDeque};

use super::connections::Connections;
use super::keys::Keys;
use super::plan::{Cancel, Plan, Service};
use super::put_off::{Entry, PutOff};
use super::task::{About, Count, Purpose, State, Task, Worker};
use super::{Context, Hosts};
use crate::admission::{Class, idempotency};
use crate::balance::{Balancer, News, Place};
use crate::engine::{Delay, Duration, Engine, Handle, Key, Slab, Streams, Time, mix};
use crate::measure::trace::Wait;
use crate::measure::{Fact, Note, UNTRACED, caller_limit};
use crate::outcome::{Outcome, OutcomeSet, Refuser};
use crate::policy::{Enter, Leave, Passage, Policy, Position};

/// Names a leg.
pub(super) type CallId = Handle;

/// A timer of a layer has run out: a limit, a wait in line, or a wait before going on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub leg: CallId,
    layer: u8,
}

/// A call that has ended, and the task that waited for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub task: Handle,
    pub outcome: Outcome,
    /// The replica to which the call of a program was sent last, if it was sent.
    pub replica: Option<u32>,
}

/// The calls under way, and the state of all policies.
#[derive(Debug)]
pub(super) struct Calls {
    /// For each host and each edge of its part.
    stacks: Vec<Stack>,
    /// Where the stacks of a host begin, and its first edge.
    of_host: Vec<(u32, u32)>,
    slots: Vec<Slot>,
    /// The balancers of all hosts, and the services that they are for.
    balancers: Vec<(Balancer, u32)>,
    /// Calls that were put off, for each slot that does so.
    put_off: Vec<PutOff>,
    /// The keys of the edges that choose their own.
    keys: Vec<Option<Keys>>,
    legs: Slab<Leg>,
    /// `stride` frames for each place in `legs`.
    frames: Vec<Frame>,
    stride: usize,
}

/// A call that no program waits for.
struct Background {
    host: u32,
    edge: u32,
    stack: u32,
    /// The first layer that it walks.
    base: u32,
    about: About,
    /// The step at which it is written.
    pc: u32,
    /// Its idempotency key, or zero.
    token: u64,
    /// The replica to which a probe goes.
    replica: u32,
    purpose: Purpose,
}

/// The policies of one caller instance for one edge, outermost first.
#[derive(Debug)]
struct Stack {
    slots: Box<[u32]>,
    balancer: u32,
    /// The zone of the caller, if its requests can leave it: if the service has zones too.
    zone: Option<u32>,
    /// The pool of its connections, if it keeps them.
    pool: Option<u32>,
}

/// A policy with its state, and those who stand in line at it.
#[derive(Debug)]
struct Slot {
    policy: Box<dyn Policy>,
    refuser: Refuser,
    /// The constant limit that it sets, prepared.
    limit: Option<Delay>,
    line: VecDeque<CallId>,
    /// The lines of a policy that shares outcomes, by key; none of them empty.
    lines: BTreeMap<u64, VecDeque<CallId>>,
    /// Whether what is inside goes on when the layer is abandoned from outside.
    goes_on: bool,
    /// In a race: outcomes after which the next spare is asked for at once.
    spares_on: OutcomeSet,
    /// Whether attempts whose race is over run on.
    losers_run: bool,
    /// Whether those in line get the outcome of the one inside that is about the same.
    shares: bool,
    /// The place of the calls that it puts off.
    later: Option<u32>,
    watched: Option<Watched>,
    /// The host it belongs to; none if it is shared.
    host: Option<u32>,
    /// The pool of connections to which it lets in.
    pool: Option<u32>,
}

/// What the measurements are told of a policy.
#[derive(Debug)]
enum Watched {
    /// A breaker: its number in the measurements, and where it stood.
    Breaker(u32, Position),
    /// A concurrency limit: its edge, and how many it let in.
    Limit(u32, u32),
}

#[derive(Clone, Debug)]
struct Leg {
    task: Handle,
    edge: u32,
    stack: u32,
    /// The task at the server, while somebody here waits for it.
    request: Handle,
    /// The replica it was sent to last.
    replica: u32,
    /// Whether it was sent at all.
    was_sent: bool,
    /// Whether the next attempt goes to another replica.
    elsewhere: bool,
    bucket: u32,
    opened: Time,
    deadline: Time,
    /// What it is about.
    key: u64,
    /// The first layer that it walks: 0, or for a runner the one inside the race, or for a call that was put off the one
    /// inside the policy that did.
    base: u32,
    /// The idempotency key of its attempts, or zero.
    token: u64,
    /// What a policy has given it as outcome, to go outwards with.
    given: Outcome,
    /// The leg that a runner runs for.
    runs_for: CallId,
    /// The runners of this leg, latest first.
    runners: CallId,
    /// The runner of the same race that was sent before.
    before: CallId,
    /// The number under which the request behind it is followed.
    trace: u32,
    /// The connection of the attempt that is under way.
    connection: Handle,
}

/// Why a call, or what is inside one of its layers, is abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It took too long.
    TimedOut,
    /// Nobody wants the answer any more. The process goes on, and so do its threads.
    Unwanted,
    /// As [`Why::Unwanted`], and no server is told.
    Unheard,
    /// The process is gone, with all its threads.
    Died,
}

impl Why {
    /// What the balancer is told of the attempt that is under way.
    fn outcome(self) -> Outcome {
        match self {
            Self::TimedOut => Outcome::Timeout,
            Self::Unwanted | Self::Unheard | Self::Died => Outcome::Cancelled,
        }
    }
}

/// Where a leg stands at a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Not entered, or left.
    Out,
    /// In line; not entered yet.
    InLine,
    /// Entered; goes on inwards when the timer runs out.
    Delayed,
    /// Entered, and gone on.
    Inside,
    /// Not entered, or left; goes outwards with what it was given when the timer runs out.
    Given,
    /// Entered, and runners have gone on; the timer asks for the next.
    Racing,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: At,
    timer: Key,
    /// Whether the timer has run out while the process stood still, which has not seen it yet.
    overdue: bool,
    /// When the limit set here runs out.
    until: Time,
    word: u64,
}

impl Frame {
    const OUT: Self = Self { at: At::Out, timer: Key::NONE, overdue: false, until: Time::NEVER, word: 0 };

    fn stop_timer(&mut self, engine: &mut Engine<super::Event>) {
        engine.cancel(self.timer);
        self.timer = Key::NONE;
        self.overdue = false;
    }
}

impl Calls {
    pub(super) fn new(
        plan: &Plan,
        hosts: &Hosts,
        streams: &Streams,
        engine: &mut Engine<super::Event>,
        connections: &mut Connections,
    ) -> Self {
        let mut calls = Self {
            stacks: Vec::new(),
            of_host: Vec::new(),
            slots: Vec::new(),
            balancers: Vec::new(),
            put_off: Vec::new(),
            keys: plan
                .edges
                .iter()
                .map(|edge| {
                    let stream = streams.named(&format!("{}/keys", edge.name));
                    edge.keys.map(|spec| Keys::new(spec, &edge.name, stream))
                })
                .collect(),
            legs: Slab::default(),
            frames: Vec::new(),
            stride: plan.edges.iter().map(|edge| edge.layers.len()).max().unwrap_or(0),
        };
        let ring = |it: &Service| it.balance.ring(it.replicas as usize, &it.name, streams);
        let rings: Vec<_> = plan.services.iter().map(ring).collect();
        let zones_of_replicas: Vec<Vec<u32>> = (plan.clients.len()..plan.parts())
            .map(|part| (0..plan.instances(part)).filter_map(|replica| plan.zone(part, replica)).collect())
            .collect();
        let mut breakers = 0;
        for part in 0..plan.parts() {
            let first_edge = plan.edges.partition_point(|edge| (edge.caller as usize) < part);
            let edges = plan.edges[first_edge..].iter().take_while(|edge| edge.caller as usize == part).count();
            // The slots that all instances of this part use, by edge and layer.
            let mut common: Vec<Vec<Option<u32>>> = vec![Vec::new(); edges];
            let first_breaker = breakers;
            for instance in 0..plan.instances(part) {
                breakers = first_breaker;
                let host = hosts.first(part) + instance as u32;
                calls.of_host.push((calls.stacks.len() as u32, first_edge as u32));
                let mut balancer_of = vec![None; plan.services.len()];
                let zone = plan.zone(part, instance);
                for (local, common) in common.iter_mut().enumerate() {
                    let edge = &plan.edges[first_edge + local];
                    let service = edge.service as usize;
                    let limited = caller_limit(plan, first_edge + local).map(|(layer, ..)| layer);
                    let balancer = *balancer_of[service].get_or_insert_with(|| {
                        let target = &plan.services[service];
                        let name = format!("{}/{instance}->{}/balance", plan.part_name(part), target.name);
                        let place = Place {
                            replicas: target.replicas as usize,
                            ring: rings[service].as_ref(),
                            zone,
                            zones: &zones_of_replicas[service],
                        };
                        calls.balancers.push((target.balance.build(&place, &name, streams), edge.service));
                        calls.balancers.len() as u32 - 1
                    });
                    common.resize(edge.layers.len(), None);
                    let slots = edge.layers.iter().enumerate().map(|(layer, blueprint)| {
                        if blueprint.shared()
                            && let Some(slot) = common[layer]
                        {
                            if blueprint.is_breaker() {
                                breakers += 1;
                            }
                            return slot;
                        }
                        let owner = if blueprint.shared() { "all".to_owned() } else { instance.to_string() };
                        let name = format!("{}/{owner}/{layer}/{}", edge.name, blueprint.name());
                        let policy = blueprint.build(streams.named(&name));
                        let watched = if blueprint.is_breaker() {
                            breakers += 1;
                            Some(Watched::Breaker(breakers - 1, policy.position()))
                        } else {
                            let number = (first_edge + local) as u32;
                            (limited == Some(layer)).then(|| Watched::Limit(number, policy.concurrency()))
                        };
                        let slot = calls.slots.len() as u32;
                        let later = blueprint.catching_up().map(|catching| {
                            let (stack, edge) = (calls.stacks.len() as u32, (first_edge + local) as u32);
                            calls.put_off.push(PutOff::new(host, stack, edge, layer as u32, catching));
                            calls.put_off.len() as u32 - 1
                        });
                        let pool = blueprint.keeps_connections().map(|keeping| {
                            connections.add_pool(plan, (first_edge + local) as u32, instance, keeping, streams)
                        });
                        calls.slots.push(Slot {
                            pool,
                            goes_on: blueprint.goes_on_alone(),
                            spares_on: blueprint.spares_on(),
                            losers_run: blueprint.lets_losers_run(),
                            shares: blueprint.shares_outcomes(),
                            later,
                            refuser: blueprint.refuser(),
                            limit: blueprint.limit().map(|limit| engine.lane(limit)),
                            line: VecDeque::new(),
                            lines: BTreeMap::new(),
                            watched,
                            host: (!blueprint.shared()).then_some(host),
                            policy,
                        });
                        common[layer] = Some(slot);
                        slot
                    });
                    let slots: Box<[u32]> = slots.collect();
                    let pool = slots.iter().find_map(|&slot| calls.slots[slot as usize].pool);
                    let zone = zone.filter(|_| !zones_of_replicas[service].is_empty());
                    calls.stacks.push(Stack { slots, balancer, zone, pool });
                }
            }
        }
        calls
    }

    /// A task makes a call. It may be over at once: a policy can refuse.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, task: Handle, edge: u32) -> Option<Done> {
        let key = self.keys[edge as usize].as_mut().map(Keys::draw);
        let caller = &mut cx.tasks[task];
        let (first_stack, first_edge) = self.of_host[caller.host as usize];
        let token = cx.plan.edges[edge as usize].key.map_or(0, |key| match key {
            idempotency::Key::Request => caller.identity_of_call().max(1),
            idempotency::Key::Call => mix(caller.identity_of_call() ^ mix(caller.number)).max(1),
        });
        let now = cx.engine.now();
        let leg = self.legs.insert(Leg {
            key: key.unwrap_or(caller.about.key),
            token,
            deadline: caller.deadline,
            trace: caller.about.trace,
            ..Leg::new(task, edge, first_stack + (edge - first_edge), cx.measure.bucket(now), now)
        });
        let (host, trace) = (caller.host, caller.about.trace);
        caller.state = State::Calling(leg);
        cx.note(Fact::CallOpened { edge });
        cx.tell(trace, |cx| Note::Called { task: cx.trunk(task), leg, edge, host });
        self.clear_frames(leg);
        self.inward(cx, leg, 0)
    }

    fn clear_frames(&mut self, leg: CallId) {
        let end = (leg.index() + 1) * self.stride;
        if self.frames.len() < end {
            self.frames.resize(end, Frame::OUT);
        }
        self.frames[end - self.stride..end].fill(Frame::OUT);
    }

    /// Sends a runner inwards from a layer at which a leg races.
    fn run(&mut self, cx: &mut Context<'_>, id: CallId, layer: usize, elsewhere: bool, spare: bool) -> Option<Done> {
        let first = id.index() * self.stride;
        let limits = self.frames[first..=first + layer].iter().map(|frame| frame.until);
        let leg = &self.legs[id];
        let before = leg.runners;
        let runner = Leg {
            request: Handle::NONE,
            connection: Handle::NONE,
            replica: self.legs.get(before).map_or(leg.replica, |before| before.replica),
            elsewhere,
            deadline: limits.fold(leg.deadline, Time::min),
            base: layer as u32 + 1,
            runs_for: id,
            runners: Handle::NONE,
            before,
            ..leg.clone()
        };
        let (trace, runner) = (runner.trace, self.legs.insert(runner));
        self.legs[id].runners = runner;
        cx.tell(trace, |_| Note::Runs { leg: runner, runs_for: id, spare });
        self.clear_frames(runner);
        self.inward(cx, runner, layer + 1)
    }

    /// A runner has ended, and is no more; or a call that was put off. An answer ends the race, as a 4xx does; another failure waits for the others.
    fn on_run(&mut self, cx: &mut Context<'_>, id: CallId, outcome: Outcome) -> Option<Done> {
        let Leg { runs_for, base, before, replica, was_sent, task, trace, .. } = self.legs[id];
        if runs_for == Handle::NONE {
            cx.tell(trace, |_| Note::Ended { leg: id, outcome });
            self.legs.remove(id);
            return Some(Done { task, outcome, replica: None });
        }
        // Who tries elsewhere means elsewhere than this.
        self.legs[runs_for].replica = replica;
        self.legs[runs_for].was_sent |= was_sent;
        if self.legs[runs_for].runners == id {
            self.legs[runs_for].runners = before;
        } else {
            let mut after = self.legs[runs_for].runners;
            while self.legs[after].before != id {
                after = self.legs[after].before;
            }
            self.legs[after].before = before;
        }
        self.legs.remove(id);
        let layer = base as usize - 1;
        let is_over = outcome.is_answer() || outcome == Outcome::Rejected;
        let slot = self.stacks[self.legs[runs_for].stack as usize].slots[layer];
        if self.slots[slot as usize].spares_on.has(outcome)
            && let Some(done) = self.spare(cx, runs_for, layer)
        {
            return done;
        }
        if !is_over && self.legs[runs_for].runners != Handle::NONE {
            return None;
        }
        let losers_run = self.slots[slot as usize].losers_run;
        self.end_runners(cx, runs_for, if losers_run { Why::Unheard } else { Why::Unwanted });
        self.frame(runs_for, layer).at = At::Inside;
        self.outward(cx, runs_for, layer + 1, outcome)
    }

    /// Asks for the next spare of a race. If there is one it is sent, and may end the call at once.
    fn spare(&mut self, cx: &mut Context<'_>, id: CallId, layer: usize) -> Option<Option<Done>> {
        let leg = &self.legs[id];
        let slot = &mut self.slots[self.stacks[leg.stack as usize].slots[layer] as usize];
        let frame = &mut self.frames[id.index() * self.stride + layer];
        let passage = &mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word);
        let race = slot.policy.spare(passage)?;
        frame.stop_timer(&mut cx.engine);
        if race.next != Duration::FOREVER {
            frame.timer = cx.engine.after(race.next, super::Event::Call(Event { leg: id, layer: layer as u8 }));
        }
        Some(self.run(cx, id, layer, race.elsewhere, true))
    }

    /// All runners of a leg are abandoned.
    fn end_runners(&mut self, cx: &mut Context<'_>, id: CallId, why: Why) {
        let mut next = std::mem::take(&mut self.legs[id].runners);
        while next != Handle::NONE {
            let Leg { base, before, .. } = self.legs[next];
            self.abandon_inside(cx, next, base as usize, why);
            self.legs.remove(next);
            next = before;
        }
    }

    /// The layer at which a leg races is abandoned, and its policy lets the runner go on. Returns that layer.
    fn let_go_on(&mut self, cx: &mut Context<'_>, id: CallId, first: usize) -> Option<usize> {
        let leg = &self.legs[id];
        let runner = leg.runners;
        let layer = self.legs.get(runner)?.base as usize - 1;
        let slot = self.stacks[leg.stack as usize].slots[layer];
        if layer < first || !self.slots[slot as usize].goes_on {
            return None;
        }
        let caller = &cx.tasks[leg.task];
        let (host, pc, about) = (caller.host, caller.pc, About { key: leg.key, ..caller.about });
        let task = self.background_task(cx, host, pc, about, Purpose::Thread { slot });
        cx.tasks[task].state = State::Calling(runner);
        self.legs[id].runners = Handle::NONE;
        self.legs[runner].runs_for = Handle::NONE;
        self.runs_for_task(runner, task);
        Some(layer)
    }

    /// A leg, and all that run for it, now work for this task.
    fn runs_for_task(&mut self, id: CallId, task: Handle) {
        self.legs[id].task = task;
        let mut next = self.legs[id].runners;
        while next != Handle::NONE {
            self.runs_for_task(next, task);
            next = self.legs[next].before;
        }
    }

    /// A thread has ended a call for which nobody waited any more.
    pub(super) fn on_thread_free(&mut self, cx: &mut Context<'_>, slot: u32, task: Handle) {
        let now = cx.engine.now();
        let key = cx.tasks[task].about.key;
        let it = &mut self.slots[slot as usize];
        let waiting = it.line.len();
        let passage = &mut Passage { now, opened: now, deadline: Time::NEVER, key, waiting, put_off: 0, word: &mut 0 };
        it.policy.leave(passage, Outcome::Cancelled);
        it.watch(cx);
        self.call_in(cx, slot as usize);
    }

    /// A timer of a layer has run out.
    pub(super) fn handle(&mut self, event: Event, cx: &mut Context<'_>) -> Option<Done> {
        let Event { leg, layer } = event;
        let layer = layer as usize;
        let trace = self.legs[leg].trace;
        let frame = self.frame(leg, layer);
        frame.timer = Key::NONE;
        frame.overdue = false;
        cx.tell(trace, |_| if frame.at == At::Inside { Note::TimedOut { leg, layer } } else { Note::GoesOn { leg } });
        match frame.at {
            At::Delayed => {
                let slot = self.stacks[self.legs[leg].stack as usize].slots[layer];
                if self.slots[slot as usize].goes_on {
                    self.frame(leg, layer).at = At::Racing;
                    let elsewhere = self.legs[leg].elsewhere;
                    return self.run(cx, leg, layer, elsewhere, false);
                }
                self.frame(leg, layer).at = At::Inside;
                self.inward(cx, leg, layer + 1)
            }
            At::Inside => {
                self.abandon_inside(cx, leg, layer + 1, Why::TimedOut);
                self.outward(cx, leg, layer + 1, Outcome::Timeout)
            }
            At::Racing => self.spare(cx, leg, layer).flatten(),
            At::InLine => {
                frame.at = At::Out;
                let slot = &mut self.slots[self.stacks[self.legs[leg].stack as usize].slots[layer] as usize];
                slot.leave_line(leg, self.legs[leg].key);
                let refused = Outcome::RefusedBy(slot.refuser);
                cx.tell(trace, |_| Note::Refused { leg, layer, outcome: refused });
                self.outward(cx, leg, layer, refused)
            }
            At::Given => {
                frame.at = At::Out;
                let given = self.legs[leg].given;
                self.outward(cx, leg, layer, given)
            }
            At::Out => unreachable!("a layer that is left has no timer"),
        }
    }

    /// An answer has come back over the network.
    pub(super) fn on_answer(&mut self, request: Handle, cx: &mut Context<'_>) -> Option<Done> {
        let task = &cx.tasks[request];
        let State::Answered(outcome) = task.state else { unreachable!("what comes back is an answer") };
        let (id, edge, bucket, work) = (task.caller, task.edge, task.bucket, task.work);
        let trace = task.about.trace;
        cx.forget(request);
        let waits = self.legs.get(id).filter(|leg| leg.request == request);
        // A thread waits for it; but who had sent the thread may have gone on.
        let for_nobody =
            waits.is_none_or(|leg| matches!(cx.tasks[leg.task].count, Count::Background(Purpose::Thread { .. })));
        cx.note(Fact::Answered { edge, bucket, work, late: for_nobody });
        if for_nobody {
            cx.tell(trace, |_| Note::Late { task: request, outcome });
        }
        waits?;
        self.ended(id, cx, outcome)
    }

    /// Whether somebody still waits for the answer to a request.
    pub(super) fn waits_for(&self, request: Handle, leg: CallId) -> bool {
        self.legs.get(leg).is_some_and(|leg| leg.request == request)
    }

    /// A call that waits for a request or an answer which was lost on its way.
    pub(super) fn waiting_for_nothing(&self, tasks: &Slab<Task>) -> Option<CallId> {
        let mut waiting = self.legs.iter().filter(|(_, leg)| leg.request != Handle::NONE);
        waiting.find(|(_, leg)| !tasks.has(leg.request)).map(|(id, _)| id)
    }

    /// An answer that was lost is given up.
    pub(super) fn give_up(&mut self, id: CallId, cx: &mut Context<'_>) -> Option<Done> {
        self.ended(id, cx, Outcome::Unreachable)
    }

    /// The task that waited is gone: nobody wants the answer any more.
    pub(super) fn abandon(&mut self, id: CallId, why: Why, cx: &mut Context<'_>) {
        self.abandon_inside(cx, id, 0, why);
        if self.legs[id].base == 0 {
            self.close(cx, id, Outcome::Cancelled);
        } else {
            cx.tell(self.legs[id].trace, |_| Note::Ended { leg: id, outcome: Outcome::Cancelled });
            self.legs.remove(id);
        }
    }

    /// The process of this host starts afresh.
    pub(super) fn reset(&mut self, host: u32, cx: &mut Context<'_>) {
        for slot in self.slots.iter_mut().filter(|slot| slot.host == Some(host)) {
            slot.policy.reset();
            slot.watch(cx);
            if let Some(pool) = slot.pool {
                cx.close_pool(pool);
            }
            if let Some(later) = slot.later {
                let put_off = &mut self.put_off[later as usize];
                let lost = put_off.clear();
                cx.note(Fact::Backlog { edge: put_off.edge, delta: -(lost.len() as i64) });
                lost.iter().for_each(|entry| cx.effects.leave(entry.about.effects));
            }
        }
        let first = self.of_host[host as usize].0 as usize;
        let end = self.of_host.get(host as usize + 1).map_or(self.stacks.len(), |next| next.0 as usize);
        for stack in &self.stacks[first..end] {
            let (balancer, service) = &mut self.balancers[stack.balancer as usize];
            balancer.reset();
            tell(balancer, *service, cx);
        }
    }

    /// A replica has started up, and those who call it are told.
    pub(super) fn started(&mut self, host: u32, cx: &Context<'_>) {
        let service = (cx.hosts.part_of(host) - cx.plan.clients.len()) as u32;
        let replica = (host - cx.hosts.of_service(service)) as usize;
        for (balancer, _) in self.balancers.iter_mut().filter(|(_, of)| *of == service) {
            balancer.started(replica, cx.engine.now());
        }
    }

    /// A timer has run out at a process that stands still.
    pub(super) fn hold(&mut self, timer: Event) {
        self.frame(timer.leg, timer.layer as usize).overdue = true;
    }

    /// Whether somebody still waits for what was held.
    pub(super) fn is_overdue(&mut self, timer: Event) -> bool {
        self.legs.get(timer.leg).is_some() && self.frame(timer.leg, timer.layer as usize).overdue
    }

    /// The host that makes a call.
    pub(super) fn host_of(&self, leg: CallId, tasks: &Slab<Task>) -> Option<u32> {
        let leg = self.legs.get(leg)?;
        tasks.get(leg.task).map(|task| task.host)
    }

    /// Calls that have not ended: their edges, and the buckets in which they began.
    pub(super) fn open(&self) -> impl Iterator<Item = (u32, u32)> {
        self.legs.iter().filter(|(_, leg)| leg.base == 0).map(|(_, leg)| (leg.edge, leg.bucket))
    }

    /// Whether no call is under way, and every policy and balancer as free as at the start: asserted when nothing is
    /// under way.
    pub(super) fn at_rest(&self) -> bool {
        self.legs.is_empty()
            && self.slots.iter().all(|slot| slot.line.is_empty() && slot.lines.is_empty() && slot.policy.at_rest())
            && self.balancers.iter().all(|(balancer, _)| balancer.at_rest())
    }

    pub(super) fn bytes(&self) -> usize {
        let put_off: usize = self.put_off.iter().map(PutOff::bytes).sum();
        let slots: usize =
            self.slots.iter().map(|it| it.policy.bytes() + it.line.capacity() * size_of::<CallId>()).sum();
        self.legs.bytes() + self.frames.capacity() * size_of::<Frame>() + put_off + slots
    }

    /// The attempt that is under way has ended.
    fn ended(&mut self, id: CallId, cx: &mut Context<'_>, outcome: Outcome) -> Option<Done> {
        let leg = &mut self.legs[id];
        leg.request = Handle::NONE;
        cx.tell(leg.trace, |_| Note::Returned { leg: id, outcome });
        let stack = &self.stacks[leg.stack as usize];
        let layers = stack.slots.len();
        if cx.plan.edges[leg.edge as usize].probes.is_none() {
            let (balancer, service) = &mut self.balancers[stack.balancer as usize];
            balancer.done(leg.replica as usize, outcome, cx.engine.now());
            tell(balancer, *service, cx);
        }
        let connection = std::mem::take(&mut leg.connection);
        if connection != Handle::NONE {
            cx.give_back(connection, outcome);
        }
        self.outward(cx, id, layers, outcome)
    }

    fn frame(&mut self, leg: CallId, layer: usize) -> &mut Frame {
        &mut self.frames[leg.index() * self.stride + layer]
    }

    /// Walks inwards from a layer, until somebody waits or the request is sent.
    fn inward(&mut self, cx: &mut Context<'_>, id: CallId, from: usize) -> Option<Done> {
        let leg = &self.legs[id];
        let stack = &self.stacks[leg.stack as usize];
        let now = cx.engine.now();
        for layer in from..stack.slots.len() {
            let slot = &mut self.slots[stack.slots[layer] as usize];
            let frame = &mut self.frames[id.index() * self.stride + layer];
            *frame = Frame::OUT;
            let answer =
                slot.policy.enter(&mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word));
            slot.watch(cx);
            let timer = super::Event::Call(Event { leg: id, layer: layer as u8 });
            match answer {
                Enter::Proceed => frame.at = At::Inside,
                Enter::ProceedFor(limit) => {
                    frame.at = At::Inside;
                    frame.until = now + limit;
                    frame.timer = match slot.limit {
                        Some(delay) if delay.duration() == limit => cx.engine.after_lane(delay, timer),
                        _ => cx.engine.after(limit, timer),
                    };
                }
                Enter::Wait { at_most } => {
                    frame.at = At::InLine;
                    frame.timer = cx.engine.after(at_most, timer);
                    let (wait, time) = (Wait::Line, at_most);
                    cx.tell(leg.trace, |_| Note::Waits { leg: id, layer, wait, time, outcome: None });
                    slot.stand_in_line(id, leg.key);
                    return None;
                }
                Enter::Delay(wait) => {
                    frame.at = At::Delayed;
                    frame.timer = cx.engine.after(wait, timer);
                    let (turn, time) = (Wait::Turn, wait);
                    cx.tell(leg.trace, |_| Note::Waits { leg: id, layer, wait: turn, time, outcome: None });
                    return None;
                }
                Enter::Race(race) => {
                    frame.at = At::Racing;
                    if race.next != Duration::FOREVER {
                        frame.timer = cx.engine.after(race.next, timer);
                    }
                    let elsewhere = leg.elsewhere;
                    return self.run(cx, id, layer, elsewhere, false);
                }
                Enter::Refuse => {
                    let refused = Outcome::RefusedBy(slot.refuser);
                    cx.tell(leg.trace, |_| Note::Refused { leg: id, layer, outcome: refused });
                    return self.outward(cx, id, layer, refused);
                }
            }
        }
        self.send(cx, id)
    }

    /// Walks outwards from below a layer, until a policy tries again or the call has ended.
    fn outward(&mut self, cx: &mut Context<'_>, id: CallId, below: usize, mut outcome: Outcome) -> Option<Done> {
        let leg = &mut self.legs[id];
        let (stack, base) = (leg.stack as usize, leg.base as usize);
        for layer in (base..below).rev() {
            let slot_id = self.stacks[stack].slots[layer] as usize;
            let slot = &mut self.slots[slot_id];
            let frame = &mut self.frames[id.index() * self.stride + layer];
            debug_assert!(frame.at == At::Inside, "a layer was left that was not entered");
            frame.stop_timer(&mut cx.engine);
            let leg = &mut self.legs[id];
            let answer = slot
                .policy
                .leave(&mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word), outcome);
            slot.watch(cx);
            match answer {
                Leave::Pass => {}
                Leave::Replace(other) => {
                    outcome = other;
                    cx.tell(leg.trace, |_| Note::Replaced { leg: id, layer, outcome });
                }
                Leave::ReplaceAfter { outcome, after } | Leave::Later { outcome, after } => {
                    leg.given = outcome;
                    frame.at = At::Given;
                    let timer = super::Event::Call(Event { leg: id, layer: layer as u8 });
                    frame.timer = cx.engine.after(after, timer);
                    let (wait, given) = (Wait::Fallback, Some(outcome));
                    cx.tell(leg.trace, |_| Note::Waits { leg: id, layer, wait, time: after, outcome: given });
                    if matches!(answer, Leave::Later { .. }) {
                        self.put_off(cx, id, slot_id);
                    }
                    self.call_in(cx, slot_id);
                    return None;
                }
                Leave::Again { after, elsewhere } => {
                    leg.elsewhere = elsewhere;
                    frame.at = At::Delayed;
                    frame.timer = cx.engine.after(after, super::Event::Call(Event { leg: id, layer: layer as u8 }));
                    let (wait, failed) = (Wait::Backoff, Some(outcome));
                    cx.tell(leg.trace, |_| Note::Waits { leg: id, layer, wait, time: after, outcome: failed });
                    return None;
                }
            }
            frame.at = At::Out;
            let key = leg.key;
            self.left(cx, slot_id, key, outcome);
        }
        if base > 0 {
            return self.on_run(cx, id, outcome);
        }
        Some(self.close(cx, id, outcome))
    }

    /// Abandons all layers from `first` inwards, and the request that is under way: because it took too long, or because
    /// nobody wants the answer any more. The layers are left with `cancelled` either way; the balancer is told why.
    fn abandon_inside(&mut self, cx: &mut Context<'_>, id: CallId, first: usize, why: Why) {
        let leg = &mut self.legs[id];
        let stack = leg.stack as usize;
        let request = std::mem::take(&mut leg.request);
        cx.tell(leg.trace, |_| Note::Abandoned { leg: id, outcome: why.outcome() });
        if request != Handle::NONE {
            let edge = &cx.plan.edges[leg.edge as usize];
            if edge.probes.is_none() {
                let (balancer, service) = &mut self.balancers[self.stacks[stack].balancer as usize];
                balancer.done(leg.replica as usize, why.outcome(), cx.engine.now());
                tell(balancer, *service, cx);
            }
            if why != Why::Unheard && cx.plan.services[edge.service as usize].cancel != Cancel::None {
                cx.send_cancel(leg.edge, request);
            }
            let connection = std::mem::take(&mut leg.connection);
            if connection != Handle::NONE {
                cx.give_up(connection, request);
            }
        }
        let goes_on = if why == Why::Died { None } else { self.let_go_on(cx, id, first) };
        self.end_runners(cx, id, why);
        for layer in (first..self.stacks[stack].slots.len()).rev() {
            let slot_id = self.stacks[stack].slots[layer] as usize;
            let slot = &mut self.slots[slot_id];
            let frame = &mut self.frames[id.index() * self.stride + layer];
            frame.stop_timer(&mut cx.engine);
            match std::mem::replace(&mut frame.at, At::Out) {
                At::Out | At::Given => {}
                At::Racing if goes_on == Some(layer) => {}
                At::InLine => slot.leave_line(id, self.legs[id].key),
                At::Delayed | At::Inside | At::Racing => {
                    let leg = &self.legs[id];
                    // Whatever it answers, there is nobody left to act on it.
                    slot.policy.leave(
                        &mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word),
                        Outcome::Cancelled,
                    );
                    slot.watch(cx);
                    let key = leg.key;
                    self.left(cx, slot_id, key, Outcome::Cancelled);
                }
            }
        }
    }

    /// Somebody left with this outcome: what becomes of those in line.
    fn left(&mut self, cx: &mut Context<'_>, slot: usize, key: u64, outcome: Outcome) {
        if self.slots[slot].shares {
            self.share(cx, slot, key, outcome);
        } else {
            self.call_in(cx, slot);
        }
    }

    /// Somebody left: those first in line may enter. They take their place now and go on inwards in an event of
    /// their own, so that nothing here runs deeper than one call.
    fn call_in(&mut self, cx: &mut Context<'_>, slot: usize) {
        while !self.slots[slot].line.is_empty() && self.slots[slot].policy.has_room() {
            let id = self.slots[slot].line.pop_front().expect("somebody is in line");
            let layer = self.layer_of(id, slot);
            let leg = &self.legs[id];
            let frame = &mut self.frames[id.index() * self.stride + layer];
            frame.stop_timer(&mut cx.engine);
            let slot = &mut self.slots[slot];
            let answer =
                slot.policy.enter(&mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word));
            slot.watch(cx);
            if slot.pool.is_some() {
                let wait = cx.engine.now() - Time::from_nanos(frame.word);
                cx.note(Fact::PoolWaited { edge: leg.edge, bucket: leg.bucket, wait });
            }
            let wait = match answer {
                // Who takes a thread in the place of another begins its race when its event comes.
                Enter::Proceed | Enter::Race(_) => Duration::ZERO,
                Enter::Delay(wait) => wait,
                other => {
                    panic!("a policy that has room lets the first in line in, and does not answer {other:?}")
                }
            };
            frame.at = At::Delayed;
            frame.timer = cx.engine.after(wait, super::Event::Call(Event { leg: id, layer: layer as u8 }));
        }
    }

    /// Somebody left a policy that shares outcomes. Who waits for the same gets the same; but if the one inside was
    /// abandoned, the first of them goes in its place.
    fn share(&mut self, cx: &mut Context<'_>, slot: usize, key: u64, outcome: Outcome) {
        while let Some(id) = self.slots[slot].first_about(key) {
            let layer = self.layer_of(id, slot);
            let leg = &mut self.legs[id];
            let slot = &mut self.slots[slot];
            let frame = &mut self.frames[id.index() * self.stride + layer];
            frame.stop_timer(&mut cx.engine);
            let goes_in = outcome == Outcome::Cancelled;
            if goes_in {
                let passage = &mut leg.passage(cx.engine.now(), crowd(slot, &self.put_off), &mut frame.word);
                let answer = slot.policy.enter(passage);
                assert_eq!(answer, Enter::Proceed, "who goes in the place of one that was abandoned goes in");
                frame.at = At::Delayed;
            } else {
                leg.given = outcome;
                frame.at = At::Given;
            }
            let timer = super::Event::Call(Event { leg: id, layer: layer as u8 });
            frame.timer = cx.engine.after(Duration::ZERO, timer);
            if goes_in {
                return;
            }
        }
    }

    /// The layer at which the policy of a slot is among those of a leg.
    fn layer_of(&self, leg: CallId, slot: usize) -> usize {
        let mut slots = self.stacks[self.legs[leg].stack as usize].slots.iter();
        slots.position(|&other| other as usize == slot).expect("who is in line at a policy has it among its layers")
    }

    /// A call is kept, to be made later.
    fn put_off(&mut self, cx: &mut Context<'_>, id: CallId, slot: usize) {
        let leg = &self.legs[id];
        let (edge, token, task) = (leg.edge, leg.token, &cx.tasks[leg.task]);
        let (about, pc) = (About { key: leg.key, ..task.about }, task.pc);
        let number = self.put_off_at(slot).add(about, pc, token);
        cx.tell(about.trace, |_| Note::PutOff { leg: id, slot: slot as u32, number });
        cx.effects.join(about.effects);
        cx.note(Fact::PutOff { edge });
        cx.note(Fact::Backlog { edge, delta: 1 });
        self.await_turn(cx, slot);
    }

    fn put_off_at(&mut self, slot: usize) -> &mut PutOff {
        let later = self.slots[slot].later.expect("who puts calls off says how they are made");
        &mut self.put_off[later as usize]
    }

    /// The next call that was put off has its turn after a while.
    fn await_turn(&mut self, cx: &mut Context<'_>, slot: usize) {
        let put_off = self.put_off_at(slot);
        if put_off.turn.is_none()
            && let Some(wait) = put_off.wait()
        {
            put_off.turn = Some(cx.engine.after(wait, super::Event::PutOff { slot: slot as u32 }));
        }
    }

    /// A call that was put off has its turn.
    pub(super) fn on_turn(&mut self, slot: u32, cx: &mut Context<'_>) -> Option<Done> {
        let put_off = self.put_off_at(slot as usize);
        put_off.turn = None;
        let (Entry { number, about, pc, token }, another) = put_off.take()?;
        let (host, edge, stack, base) = (put_off.host, put_off.edge, put_off.stack, put_off.layer + 1);
        cx.note(Fact::Backlog { edge, delta: -1 });
        if another {
            self.await_turn(cx, slot as usize);
        }
        let purpose = Purpose::PutOff { slot, number };
        let call = Background { host, edge, stack, base, about, pc, token, replica: 0, purpose };
        let done = self.in_background(cx, call);
        // Its task remembers what has had an effect from here on.
        cx.effects.leave(about.effects);
        done
    }

    /// A call that was put off has ended.
    pub(super) fn on_turn_done(&mut self, cx: &mut Context<'_>, slot: u32, entry: Entry, outcome: Outcome) {
        let put_off = self.put_off_at(slot as usize);
        let edge = put_off.edge;
        if outcome.is_answer() || outcome == Outcome::Rejected {
            put_off.done();
            cx.note(Fact::CaughtUp { edge });
        } else {
            put_off.put_back(entry);
            // Others were to follow soon; they wait as long as this one.
            if let Some(turn) = put_off.turn.take() {
                cx.engine.cancel(turn);
            }
            cx.effects.join(entry.about.effects);
            cx.note(Fact::Backlog { edge, delta: 1 });
        }
        self.await_turn(cx, slot as usize);
    }

    /// Whether calls wait to be made later.
    pub(super) fn has_put_off(&self) -> bool {
        self.put_off.iter().any(|it| it.waiting() > 0)
    }

    /// The first probe of each replica by each caller, at a time that is drawn.
    pub(super) fn start_probing(plan: &Plan, hosts: &Hosts, streams: &Streams, engine: &mut Engine<super::Event>) {
        for (number, edge) in plan.edges.iter().enumerate() {
            let Some(every) = edge.probes else { continue };
            let caller = edge.caller as usize;
            for instance in 0..plan.instances(caller) {
                let mut chance = streams.named(&format!("{}/{instance}/probes", edge.name));
                for replica in 0..plan.services[edge.service as usize].replicas {
                    let host = hosts.first(caller) + instance as u32;
                    let probe = super::Event::Probe { host, edge: number as u32, replica };
                    engine.after(every.scale(chance.unit()), probe);
                }
            }
        }
    }

    /// A probe is sent to a replica.
    pub(super) fn probe(&mut self, host: u32, edge: u32, replica: u32, cx: &mut Context<'_>) -> Option<Done> {
        let (first_stack, first_edge) = self.of_host[host as usize];
        let stack = first_stack + (edge - first_edge);
        let balancer = self.stacks[stack as usize].balancer;
        let root = cx.measure.bucket(cx.engine.now());
        let identity = mix(cx.next_number());
        let about = About {
            root,
            client: About::NOBODY,
            class: Class::Critical,
            key: u64::from(replica),
            identity,
            effects: Handle::NONE,
            trace: UNTRACED,
            poison: false,
        };
        let purpose = Purpose::Probe { balancer, replica };
        self.in_background(cx, Background { host, edge, stack, base: 0, about, pc: 0, token: 0, replica, purpose })
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, balancer: u32, replica: u32, outcome: Outcome, cx: &mut Context<'_>) {
        let (balancer, service) = &mut self.balancers[balancer as usize];
        balancer.probed(replica as usize, outcome.is_answer(), cx.engine.now());
        tell(balancer, *service, cx);
    }

    /// The host of the calls that a slot puts off.
    pub(super) fn host_of_put_off(&self, slot: u32) -> Option<u32> {
        self.slots[slot as usize].host
    }

    /// A call that no program waits for begins. When it ends, the world is told of a task with this purpose.
    fn in_background(&mut self, cx: &mut Context<'_>, call: Background) -> Option<Done> {
        let Background { host, edge, stack, base, about, pc, token, replica, purpose } = call;
        let now = cx.engine.now();
        let bucket = cx.measure.bucket(now);
        let task = self.background_task(cx, host, pc, about, purpose);
        cx.tasks[task].token = token;
        if let Purpose::PutOff { slot, number } = purpose {
            cx.tell(about.trace, |_| Note::TakenUp { task, slot, number });
        }
        let trace = about.trace;
        let leg = Leg { replica, key: about.key, token, base, trace, ..Leg::new(task, edge, stack, bucket, now) };
        let leg = self.legs.insert(leg);
        cx.tell(trace, |_| Note::Called { task, leg, edge, host });
        cx.tasks[task].state = State::Calling(leg);
        if base == 0 {
            cx.note(Fact::CallOpened { edge });
        }
        self.clear_frames(leg);
        self.inward(cx, leg, base as usize)
    }

    /// A task of a call that no program waits for.
    fn background_task(&self, cx: &mut Context<'_>, host: u32, pc: u32, about: About, purpose: Purpose) -> Handle {
        let now = cx.engine.now();
        let bucket = cx.measure.bucket(now);
        let number = cx.next_number();
        cx.begin(Task {
            pc,
            started: true,
            count: Count::Background(purpose),
            ..Task::new(number, host, bucket, about, now)
        })
    }

    /// All layers are passed: an attempt is sent.
    fn send(&mut self, cx: &mut Context<'_>, id: CallId) -> Option<Done> {
        let now = cx.engine.now();
        let leg = &mut self.legs[id];
        let stack = &self.stacks[leg.stack as usize];
        let edge = &cx.plan.edges[leg.edge as usize];
        if edge.probes.is_none() {
            let (balancer, service) = &mut self.balancers[stack.balancer as usize];
            let avoid = leg.elsewhere.then_some(leg.replica as usize);
            let picked = match &cx.databases[edge.service as usize] {
                None => balancer.pick(now, leg.key, avoid),
                Some(database) => {
                    let service = &cx.plan.services[edge.service as usize];
                    let reads = service.operations[edge.operation as usize].reads;
                    balancer.pick_of(database.groups(reads), now, leg.key, avoid)
                }
            };
            tell(balancer, *service, cx);
            let Some(replica) = picked else {
                let layers = stack.slots.len();
                cx.tell(leg.trace, |_| Note::NoReplica { leg: id });
                return self.outward(cx, id, layers, Outcome::Unavailable);
            };
            balancer.sent(replica);
            leg.replica = replica as u32;
            leg.was_sent = true;
        }
        let service = &cx.plan.services[edge.service as usize];
        let deadline = if service.deadline {
            let first = id.index() * self.stride;
            let limits = self.frames[first..first + stack.slots.len()].iter().map(|frame| frame.until);
            limits.fold(leg.deadline, Time::min)
        } else {
            Time::NEVER
        };
        let caller = &cx.tasks[leg.task];
        let identity = caller.identity_of_call();
        let about = About { key: leg.key, identity, ..caller.about };
        let from = caller.host;
        let operation = &service.operations[edge.operation as usize];
        let token = leg.token;
        let bucket = cx.measure.bucket(now);
        let number = cx.next_number();
        let host = cx.hosts.of_service(edge.service) + leg.replica;
        let request = cx.begin(Task {
            from,
            edge: leg.edge,
            pc: operation.first_step(token),
            caller: id,
            state: State::Travelling,
            token,
            deadline,
            worker: Worker::Wanted,
            ..Task::new(number, host, bucket, about, now)
        });
        leg.request = request;
        cx.tell(leg.trace, |_| Note::Sent { leg: id, task: request, replica: leg.replica });
        cx.note(Fact::AttemptSent { edge: leg.edge, bucket: leg.bucket, root: about.root });
        if let Some(zone) = stack.zone
            && service.zones[leg.replica as usize % service.zones.len()] != zone
        {
            cx.note(Fact::ZoneLeft { edge: leg.edge, bucket: leg.bucket });
        }
        match stack.pool {
            None => cx.send_request(request),
            Some(pool) => leg.connection = cx.connect(request, pool),
        }
        None
    }

    fn close(&mut self, cx: &mut Context<'_>, id: CallId, outcome: Outcome) -> Done {
        let leg = &self.legs[id];
        let done = Done { task: leg.task, outcome, replica: leg.was_sent.then_some(leg.replica) };
        let took = cx.engine.now() - leg.opened;
        cx.tell(leg.trace, |_| Note::Ended { leg: id, outcome });
        cx.note(Fact::CallClosed { edge: leg.edge, bucket: leg.bucket, outcome, took });
        self.legs.remove(id);
        done
    }
}

/// Tells the measurements what a balancer thinks of the replicas, if that has changed.
fn tell(balancer: &mut Balancer, service: u32, cx: &mut Context<'_>) {
    if let Some(News { ejected, ejections, unhealthy }) = balancer.news() {
        cx.note(Fact::Ejected { service, delta: ejected, ejections });
        cx.note(Fact::Unhealthy { service, delta: unhealthy });
    }
}

impl Leg {
    /// A leg without a key, a deadline or anybody that it runs for.
    fn new(task: Handle, edge: u32, stack: u32, bucket: u32, opened: Time) -> Self {
        Self {
            task,
            edge,
            stack,
            request: Handle::NONE,
            replica: 0,
            was_sent: false,
            elsewhere: false,
            bucket,
            opened,
            deadline: Time::NEVER,
            key: 0,
            token: 0,
            base: 0,
            given: Outcome::Cancelled,
            runs_for: Handle::NONE,
            runners: Handle::NONE,
            before: Handle::NONE,
            trace: UNTRACED,
            connection: Handle::NONE,
        }
    }

    fn passage<'a>(&self, now: Time, (waiting, put_off): (usize, usize), word: &'a mut u64) -> Passage<'a> {
        Passage { now, opened: self.opened, deadline: self.deadline, key: self.key, waiting, put_off, word }
    }
}

/// How many stand in line at a policy, and how many calls it has put off.
fn crowd(slot: &Slot, put_off: &[PutOff]) -> (usize, usize) {
    (slot.line.len(), slot.later.map_or(0, |later| put_off[later as usize].held()))
}

impl Slot {
    /// Where outcomes are shared, those who want the same stand in a line of their own.
    fn stand_in_line(&mut self, leg: CallId, key: u64) {
        if self.shares {
            self.lines.entry(key).or_default().push_back(leg);
        } else {
            self.line.push_back(leg);
        }
    }

    fn leave_line(&mut self, leg: CallId, key: u64) {
        let line = if self.shares { self.lines.entry(key).or_default() } else { &mut self.line };
        let place = line.iter().position(|&other| other == leg).expect("who waits is in line");
        line.remove(place);
        if self.shares && line.is_empty() {
            self.lines.remove(&key);
        }
    }

    /// The first of those who want the same leaves the line.
    fn first_about(&mut self, key: u64) -> Option<CallId> {
        let line = self.lines.get_mut(&key)?;
        let first = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&key);
        }
        first
    }

    /// Tells the measurements when a breaker or a concurrency limit has moved.
    fn watch(&mut self, cx: &mut Context<'_>) {
        match &mut self.watched {
            None => {}
            Some(Watched::Breaker(breaker, before)) => {
                let position = self.policy.position();
                if position != *before {
                    let (breaker, host) = (*breaker, self.host);
                    cx.note(Fact::BreakerMoved { breaker, host, from: *before, to: position });
                    *before = position;
                }
            }
            Some(Watched::Limit(edge, before)) => {
                let limit = self.policy.concurrency();
                if limit != *before {
                    cx.note(Fact::CallerLimit { edge: *edge, delta: i64::from(limit) - i64::from(*before) });
                    *before = limit;
                }
            }
        }
    }
}
