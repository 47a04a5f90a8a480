//! Follows some requests of a run: notes become spans and events.
//!
//! Which requests: those that count are divided into groups of the same size, one after the other, and one of each group is
//! followed, chosen by a hash of the seed. When there are twice as many groups as requests are wanted, two become one: of their two
//! requests one is followed further, by the hash again. So they are spread evenly over the run without knowing how many there will be,
//! any request of a group is as likely as any other, and no stream of random numbers is drawn from.
//!
//! A request that is followed carries a number, as does all that is made for it; what is not followed carries [`UNTRACED`], and nobody
//! is told of it.

use std::collections::BTreeMap;

use super::breakers;
use super::trace::{Event, Kind, Moved, Part, Span, Struck, Trace, Wait, What};
use crate::admission::Refusal;
use crate::engine::{Duration, Handle, Time, mix};
use crate::outcome::Outcome;
use crate::policy::Position;
use crate::system::plan::Plan;

/// The number that a request carries if it is not followed.
pub(crate) const UNTRACED: u32 = u32::MAX;

/// What happened to a request that is followed. Stated once, where it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note {
    /// A client made it: its task began.
    Opened { task: Handle, host: u32 },
    /// It ended.
    Closed { task: Handle, outcome: Outcome },
    /// A task made a call.
    Called { task: Handle, leg: Handle, edge: u32, host: u32 },
    /// A leg runs for another.
    Runs { leg: Handle, runs_for: Handle, spare: bool },
    /// A leg waits at a layer, for so long at most; with the outcome after which it does, or which it will have.
    Waits { leg: Handle, layer: usize, wait: Wait, time: Duration, outcome: Option<Outcome> },
    /// A leg goes on, if it has waited.
    GoesOn { leg: Handle },
    /// A layer refused a leg.
    Refused { leg: Handle, layer: usize, outcome: Outcome },
    /// A layer gave a leg another outcome.
    Replaced { leg: Handle, layer: usize, outcome: Outcome },
    /// No replica could be chosen.
    NoReplica { leg: Handle },
    /// A leg sent an attempt, which is a task from now on.
    Sent { leg: Handle, task: Handle, replica: u32 },
    /// The limit of a layer has passed.
    TimedOut { leg: Handle, layer: usize },
    /// What a leg is doing, nobody waits for any more.
    Abandoned { leg: Handle, outcome: Outcome },
    /// The attempt of a leg is over, because its answer is there or given up.
    Returned { leg: Handle, outcome: Outcome },
    /// The call of a leg is over, if it is the one with which the call began.
    Ended { leg: Handle, outcome: Outcome },
    /// A call was put off, in this slot and under this number.
    PutOff { leg: Handle, slot: u32, number: u32 },
    /// A call that was put off is made by this task.
    TakenUp { task: Handle, slot: u32, number: u32 },
    /// The message with a request, or with its answer, was lost.
    Lost { task: Handle, answer: bool },
    /// A request came to an instance.
    Received { task: Handle, host: u32 },
    /// It was refused there.
    TurnedAway { task: Handle, why: Refusal },
    /// It was given up there.
    Dropped { task: Handle, outcome: Outcome },
    /// It waits for a worker, or at the door.
    Queued { task: Handle, blocked: bool },
    /// A worker took it.
    Started { task: Handle },
    /// It has been served before and waits for a worker again, itself or a branch of it.
    QueuedAgain { task: Handle, of: Handle },
    /// A request, or a branch of it, waits for a worker no longer.
    WaitsNoMore { task: Handle },
    /// Its process crashed.
    Crashed { task: Handle },
    /// What it asks for has happened.
    Effect { task: Handle, again: bool },
    /// It was answered there, or is over there without an answer.
    Replied { task: Handle, outcome: Option<Outcome>, work: Duration },
    /// Its answer came when nobody waited any more.
    Late { task: Handle, outcome: Outcome },
}

/// The requests of a run that are followed.
#[derive(Debug)]
pub(crate) struct Recorder {
    seed: u64,
    wanted: usize,
    names: Names,
    /// Requests that clients have made, and those of them that count.
    made: u64,
    counted: u64,
    /// The size of the groups, a power of two, and which of the present group is followed.
    group: u64,
    choice: u64,
    /// The requests that are followed, in order.
    kept: Vec<u32>,
    /// By number; those that are not followed any more are empty.
    stories: Vec<Option<Box<Story>>>,
    /// When a breaker moved, which, at which host, and to where.
    breakers: Vec<(Time, u32, Option<u32>, Position)>,
    /// When a fault, by number, began or ended.
    faults: Vec<(Time, u32, bool)>,
}

/// The names of everything in a plan.
#[derive(Debug)]
struct Names {
    parts: Vec<Part>,
    /// For each host: its part, and its number there.
    hosts: Vec<(u32, u32)>,
    /// For each edge: what is called, in full and within its service.
    calls: Vec<(String, String)>,
    /// For each edge: its policies.
    layers: Vec<Vec<&'static str>>,
    breakers: Vec<String>,
}

impl Names {
    fn new(plan: &Plan) -> Self {
        let part =
            |number: usize| Part { name: plan.part_name(number).to_owned(), is_client: number < plan.clients.len() };
        let hosts = (0..plan.parts() as u32)
            .flat_map(|part| (0..plan.instances(part as usize) as u32).map(move |instance| (part, instance)));
        let call = |edge: &crate::system::plan::Edge| {
            let service = &plan.services[edge.service as usize];
            let operation = service.operations[edge.operation as usize].name.clone();
            (format!("{}.{operation}", service.name), operation)
        };
        Self {
            parts: (0..plan.parts()).map(part).collect(),
            hosts: hosts.collect(),
            calls: plan.edges.iter().map(call).collect(),
            layers: plan.edges.iter().map(|edge| edge.layers.iter().map(|layer| layer.name()).collect()).collect(),
            breakers: breakers(plan).into_iter().map(|(name, _)| name).collect(),
        }
    }
}

/// A request that is followed: spans name their parents by places in `spans`.
#[derive(Debug, Default)]
struct Story {
    number: u64,
    spans: Vec<Span>,
    events: Vec<Event>,
    tasks: BTreeMap<Handle, Doing>,
    legs: BTreeMap<Handle, Walk>,
    /// The spans in which tasks and branches wait for workers, and the tasks of which they are.
    waits: BTreeMap<Handle, (u32, Handle)>,
    /// The spans of calls that were put off, by slot and number.
    put_off: BTreeMap<(u32, u32), u32>,
}

/// A task: the request itself, or one made for it at a service.
#[derive(Clone, Copy, Debug, Default)]
struct Doing {
    edge: u32,
    /// The span of the attempt that it is.
    attempt: u32,
    /// The spans of what it is where it runs.
    own: Option<u32>,
    served: Option<u32>,
    /// Whether nobody waits for it any more.
    abandoned: bool,
}

/// A leg.
#[derive(Clone, Copy, Debug)]
struct Walk {
    edge: u32,
    /// The span of its call.
    call: u32,
    /// Whether the call is over when it is.
    is_first: bool,
    spare: bool,
    wait: Option<u32>,
    attempt: Option<(u32, Handle)>,
}

impl Recorder {
    /// Follows so many requests.
    pub(crate) fn new(plan: &Plan, seed: u64, wanted: u32) -> Self {
        Self {
            seed,
            wanted: wanted.max(1) as usize,
            names: Names::new(plan),
            made: 0,
            counted: 0,
            group: 1,
            choice: 0,
            kept: Vec::new(),
            stories: Vec::new(),
            breakers: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// A client is about to make a request: the number that it carries.
    pub(crate) fn next(&mut self, counts: bool) -> u32 {
        self.made += 1;
        if !counts {
            return UNTRACED;
        }
        let place = self.counted % self.group;
        if place == 0 {
            if self.kept.len() == 2 * self.wanted {
                self.thin_out();
            }
            self.choice = mix(self.seed ^ mix(self.counted)) % self.group;
        }
        let (is_chosen, number) = (self.counted % self.group == self.choice, self.stories.len() as u32);
        self.counted += 1;
        if !is_chosen || number == UNTRACED {
            return UNTRACED;
        }
        self.kept.push(number);
        self.stories.push(Some(Box::new(Story { number: self.made, ..Story::default() })));
        number
    }

    /// Two groups become one, and one of their two requests is followed no further.
    fn thin_out(&mut self) {
        self.group *= 2;
        let pairs = std::mem::take(&mut self.kept);
        for pair in pairs.chunks(2) {
            let stays = mix(self.seed ^ mix(u64::from(pair[0]) ^ self.group)) as usize % pair.len();
            for (place, &number) in pair.iter().enumerate() {
                if place == stays {
                    self.kept.push(number);
                } else {
                    self.stories[number as usize] = None;
                }
            }
        }
    }

    /// A fault began or ended.
    pub(crate) fn fault(&mut self, now: Time, fault: u32, begins: bool) {
        self.faults.push((now, fault, begins));
    }

    /// A breaker moved, at this host.
    pub(crate) fn breaker(&mut self, now: Time, breaker: u32, host: Option<u32>, to: Position) {
        // As many as strips have.
        if self.breakers.len() < super::MOST_MOVES {
            self.breakers.push((now, breaker, host, to));
        }
    }

    /// Something happened to a request that carries this number.
    #[cold]
    pub(crate) fn note(&mut self, now: Time, number: u32, note: Note) {
        if let Some(story) = &mut self.stories[number as usize] {
            story.note(now, note, &self.names);
        }
    }

    /// The run is over.
    pub(crate) fn finish(mut self, plan: &Plan, now: Time) -> Trace {
        let names = &self.names;
        let moved = |&(at, breaker, host, to): &(Time, u32, Option<u32>, Position)| {
            let instance = host.map(|host: u32| names.hosts[host as usize].1);
            Moved { at, breaker: names.breakers[breaker as usize].clone(), instance, to }
        };
        let mut trace = Trace {
            seed: self.seed,
            of: self.counted,
            breakers: self.breakers.iter().map(moved).collect(),
            parts: self.names.parts,
            faults: faults(plan, &self.faults),
            until: now,
            ..Trace::default()
        };
        let (wanted, kept) = (self.wanted.min(self.kept.len()), self.kept.len());
        for place in 0..wanted {
            // There can be up to twice as many as were wanted.
            let number = self.kept[place * kept / wanted];
            let mut story = self.stories[number as usize].take().expect("what is kept is there");
            let first = trace.spans.len() as u32;
            for span in 0..story.spans.len() {
                let outlives = |parent: u32| story.spans[parent as usize].until < now;
                let outlives = story.spans[span].parent.is_some_and(outlives);
                let span = &mut story.spans[span];
                if span.until == Time::NEVER {
                    (span.until, span.unfinished) = (now, true);
                    span.abandoned |= outlives;
                }
                span.parent = span.parent.map(|parent| first + parent);
            }
            trace.spans.append(&mut story.spans);
            trace.events.extend(story.events.into_iter().map(|it| Event { span: first + it.span, ..it }));
        }
        trace.events.sort_by_key(|event| event.at);
        trace
    }
}

/// The times of faults, put together from their beginnings and ends. Times of one fault can overlap: the first to begin ends first.
fn faults(plan: &Plan, moves: &[(Time, u32, bool)]) -> Vec<Struck> {
    let mut found: Vec<(u32, Struck)> = Vec::new();
    for &(at, fault, begins) in moves {
        if begins {
            let name = plan.faults[fault as usize].name.clone();
            found.push((fault, Struck { fault: name, from: at, until: None }));
        } else if let Some((_, open)) = found.iter_mut().find(|(other, it)| *other == fault && it.until.is_none()) {
            open.until = Some(at);
        }
    }
    found.into_iter().map(|(_, it)| it).collect()
}

impl Story {
    /// A span begins.
    fn begin(&mut self, now: Time, parent: Option<u32>, kind: Kind, name: &str, (part, instance): (u32, u32)) -> u32 {
        let number = self.spans.len() as u32;
        self.spans.push(Span {
            request: self.number,
            number,
            parent,
            kind,
            name: name.to_owned(),
            part,
            instance,
            from: now,
            until: Time::NEVER,
            outcome: None,
            attempt: 0,
            to: None,
            policy: None,
            work: None,
            abandoned: false,
            late: false,
            spare: false,
            put_off: false,
            unfinished: false,
        });
        number
    }

    /// A span begins that is part of another, in the same place.
    fn begin_in(&mut self, now: Time, parent: u32, kind: Kind, name: &str) -> u32 {
        let it = &self.spans[parent as usize];
        let place = (it.part, it.instance);
        self.begin(now, Some(parent), kind, name, place)
    }

    fn end(&mut self, now: Time, span: u32, outcome: Option<Outcome>) {
        let span = &mut self.spans[span as usize];
        (span.until, span.outcome) = (now, outcome);
    }

    /// Something happened to a span.
    fn tell(&mut self, now: Time, span: u32, what: What) -> &mut Event {
        self.events.push(Event { at: now, span, what, outcome: None, after: None, by: None });
        self.events.last_mut().expect("one was put there")
    }

    fn task(&mut self, task: Handle) -> &mut Doing {
        self.tasks.get_mut(&task).expect("a task was sent before anything happens to it")
    }

    fn leg(&mut self, leg: Handle) -> &mut Walk {
        self.legs.get_mut(&leg).expect("a leg began before anything happens to it")
    }

    fn note(&mut self, now: Time, note: Note, names: &Names) {
        match note {
            Note::Opened { task, host } => {
                let place = names.hosts[host as usize];
                let own = self.begin(now, None, Kind::Request, &names.parts[place.0 as usize].name, place);
                self.tasks.insert(task, Doing { own: Some(own), ..Doing::default() });
                self.tell(now, own, What::RequestMade);
            }
            Note::Closed { task, outcome } => {
                let own = self.task(task).own.expect("a client's task has a span");
                self.end(now, own, Some(outcome));
                let what = if outcome.is_answer() { What::RequestAnswered } else { What::RequestFailed };
                self.tell(now, own, what).outcome = Some(outcome);
            }
            Note::Called { task, leg, edge, host } => {
                let doing = *self.task(task);
                let parent = doing.served.or(doing.own);
                let call =
                    self.begin(now, parent, Kind::Call, &names.calls[edge as usize].0, names.hosts[host as usize]);
                let within = parent.map(|parent| self.spans[parent as usize].kind);
                self.spans[call as usize].put_off = within == Some(Kind::Call);
                let walk = Walk { edge, call, is_first: true, spare: false, wait: None, attempt: None };
                self.legs.insert(leg, walk);
                self.tell(now, call, What::CallBegan);
            }
            Note::Runs { leg, runs_for, spare } => {
                let walk = Walk { is_first: false, spare, wait: None, attempt: None, ..*self.leg(runs_for) };
                self.legs.insert(leg, walk);
            }
            Note::Waits { leg, layer, wait, time, outcome } => {
                let Walk { edge, call, .. } = *self.leg(leg);
                let policy = names.layers[edge as usize][layer];
                let what = match wait {
                    Wait::Line => What::InLine,
                    Wait::Turn => What::Delayed,
                    Wait::Backoff => What::RetriedAfter,
                    Wait::Fallback => What::Replaced,
                };
                let event = self.tell(now, call, what);
                (event.outcome, event.by) = (outcome, Some(policy.to_owned()));
                event.after = (time != Duration::FOREVER).then_some(time);
                if !time.is_zero() {
                    let span = self.begin_in(now, call, Kind::Wait(wait), wait.name());
                    self.spans[span as usize].policy = Some(policy.to_owned());
                    self.leg(leg).wait = Some(span);
                }
            }
            Note::GoesOn { leg } => self.goes_on(now, leg),
            Note::Refused { leg, layer, outcome } => {
                self.answers(now, leg, layer, What::RefusedByPolicy, outcome, names)
            }
            Note::Replaced { leg, layer, outcome } => self.answers(now, leg, layer, What::Replaced, outcome, names),
            Note::NoReplica { leg } => {
                let call = self.leg(leg).call;
                self.tell(now, call, What::NoReplica);
            }
            Note::Sent { leg, task, replica } => self.sent(now, leg, task, replica),
            Note::TimedOut { leg, layer } => {
                let Walk { edge, call, .. } = *self.leg(leg);
                self.tell(now, call, What::TimedOut).by = Some(names.layers[edge as usize][layer].to_owned());
            }
            Note::Abandoned { leg, outcome } => self.abandoned(now, leg, outcome),
            Note::Returned { leg, outcome } => {
                if let Some((attempt, task)) = self.leg(leg).attempt.take() {
                    let call = self.leg(leg).call;
                    self.tasks.remove(&task);
                    self.end(now, attempt, Some(outcome));
                    // A thread has gone on with it for a caller who has not.
                    self.spans[attempt as usize].abandoned = self.spans[call as usize].until < now;
                    self.tell(now, attempt, What::Answered).outcome = Some(outcome);
                }
            }
            Note::Ended { leg, outcome } => {
                let Walk { call, is_first, .. } = *self.leg(leg);
                if is_first {
                    self.end(now, call, Some(outcome));
                    self.tell(now, call, What::CallEnded).outcome = Some(outcome);
                }
            }
            Note::PutOff { leg, slot, number } => {
                let call = self.leg(leg).call;
                self.put_off.insert((slot, number), call);
                self.tell(now, call, What::PutOff);
            }
            Note::TakenUp { task, slot, number } => {
                let call = self.put_off.get(&(slot, number)).copied().expect("what is taken up was put off");
                self.tasks.insert(task, Doing { own: Some(call), ..Doing::default() });
                self.tell(now, call, What::TakenUp);
            }
            Note::Lost { task, answer } => {
                let Doing { own, attempt, .. } = *self.task(task);
                if answer {
                    self.tell(now, own.unwrap_or(attempt), What::ReplyLost);
                } else {
                    self.tell(now, attempt, What::RequestLost);
                }
            }
            Note::Received { task, host } => {
                let Doing { edge, attempt, .. } = *self.task(task);
                let (name, place) = (&names.calls[edge as usize].1, names.hosts[host as usize]);
                let own = self.begin(now, Some(attempt), Kind::Server, name, place);
                let doing = self.task(task);
                doing.own = Some(own);
                self.spans[own as usize].abandoned = doing.abandoned;
                self.tell(now, own, What::Received);
            }
            Note::TurnedAway { task, why } => {
                let name = Refusal::METRICS[why as usize];
                let own = self.own(task);
                // Who is driven out of the queue waits no longer.
                self.stops_waiting(now, task);
                self.tell(now, own, What::RefusedAtDoor).by = name.split_once('.').map(|(_, why)| why.to_owned());
            }
            Note::Dropped { task, outcome } => {
                let own = self.own(task);
                self.stops_waiting(now, task);
                self.tell(now, own, What::Dropped).outcome = Some(outcome);
            }
            Note::Queued { task, blocked } => {
                let own = self.own(task);
                self.tell(now, own, if blocked { What::Blocked } else { What::Queued });
                // Who waited at the door goes on waiting in the queue.
                if !self.waits.contains_key(&task) {
                    let span = self.begin_in(now, own, Kind::Queued, "queued");
                    self.waits.insert(task, (span, task));
                }
            }
            Note::QueuedAgain { task, of } => {
                let Doing { attempt, own, served, .. } = *self.task(of);
                let parent = served.or(own).unwrap_or(attempt);
                let span = self.begin_in(now, parent, Kind::Queued, "queued");
                self.waits.insert(task, (span, of));
                self.tell(now, own.unwrap_or(attempt), What::Queued).by = Some("again".to_owned());
            }
            Note::WaitsNoMore { task } => self.stops_waiting(now, task),
            Note::Started { task } => {
                self.stops_waiting(now, task);
                let own = self.own(task);
                if self.task(task).served.is_none() {
                    self.task(task).served = Some(self.begin_in(now, own, Kind::Served, "served"));
                    self.tell(now, own, What::Started);
                }
            }
            Note::Crashed { task } => {
                let own = self.own(task);
                self.tell(now, own, What::Crashed);
            }
            Note::Effect { task, again } => {
                let own = self.own(task);
                self.tell(now, own, What::Effect).by = again.then(|| "again".to_owned());
            }
            Note::Replied { task, outcome, work } => self.replied(now, task, outcome, work),
            Note::Late { task, outcome } => {
                let doing = *self.task(task);
                self.spans[doing.attempt as usize].late = true;
                self.tell(now, doing.attempt, What::LateReply).outcome = Some(outcome);
                if doing.abandoned {
                    self.tasks.remove(&task);
                }
            }
        }
    }

    /// The span of a task where it runs; that of the attempt, if it never came there.
    fn own(&mut self, task: Handle) -> u32 {
        let doing = self.task(task);
        doing.own.unwrap_or(doing.attempt)
    }

    fn goes_on(&mut self, now: Time, leg: Handle) {
        if let Some(wait) = self.leg(leg).wait.take() {
            let call = self.leg(leg).call;
            self.end(now, wait, None);
            self.spans[wait as usize].abandoned = self.spans[call as usize].until < now;
        }
    }

    fn answers(&mut self, now: Time, leg: Handle, layer: usize, what: What, outcome: Outcome, names: &Names) {
        let Walk { edge, call, .. } = *self.leg(leg);
        let event = self.tell(now, call, what);
        (event.outcome, event.by) = (Some(outcome), Some(names.layers[edge as usize][layer].to_owned()));
    }

    fn sent(&mut self, now: Time, leg: Handle, task: Handle, replica: u32) {
        let Walk { edge, call, spare, .. } = *self.leg(leg);
        let so_far = &mut self.spans[call as usize].attempt;
        *so_far += 1;
        let number = *so_far;
        let attempt = self.begin_in(now, call, Kind::Attempt, &format!("attempt {number}"));
        let span = &mut self.spans[attempt as usize];
        (span.attempt, span.to, span.spare) = (number, Some(replica), spare);
        self.leg(leg).attempt = Some((attempt, task));
        self.tasks.insert(task, Doing { edge, attempt, ..Doing::default() });
        self.tell(now, attempt, if spare { What::HedgeSent } else { What::AttemptSent });
    }

    fn abandoned(&mut self, now: Time, leg: Handle, outcome: Outcome) {
        self.goes_on(now, leg);
        if let Some((attempt, task)) = self.leg(leg).attempt.take() {
            let call = self.leg(leg).call;
            self.end(now, attempt, Some(outcome));
            self.spans[attempt as usize].abandoned = self.spans[call as usize].until < now;
            self.tell(now, attempt, What::Abandoned).outcome = Some(outcome);
            if let Some(doing) = self.tasks.get_mut(&task) {
                doing.abandoned = true;
                if let Some(own) = doing.own
                    && self.spans[own as usize].until == Time::NEVER
                {
                    self.spans[own as usize].abandoned = true;
                }
            }
        }
    }

    fn stops_waiting(&mut self, now: Time, task: Handle) {
        if let Some((queued, _)) = self.waits.remove(&task) {
            self.end(now, queued, None);
        }
    }

    fn replied(&mut self, now: Time, task: Handle, outcome: Option<Outcome>, work: Duration) {
        let branches: Vec<Handle> = self.waits.iter().filter(|(_, it)| it.1 == task).map(|(id, _)| *id).collect();
        branches.into_iter().for_each(|id| self.stops_waiting(now, id));
        let Doing { own, served, abandoned, .. } = *self.task(task);
        let Some(own) = own else { return };
        if let Some(served) = served {
            self.end(now, served, outcome);
        }
        self.end(now, own, outcome);
        let span = &mut self.spans[own as usize];
        (span.work, span.abandoned) = (Some(work), abandoned);
        if outcome.is_some_and(|it| it != Outcome::Cancelled) {
            self.tell(now, own, What::Replied).outcome = outcome;
        }
    }
}
