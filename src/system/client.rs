//! A client: where requests come from.
//!
//! ```text
//!   open loop     arrival ─► request           arrival ─► request        whatever happens to the first
//!   closed loop   user thinks ─► request ─► answer ─► user thinks ─► …   one request a user
//!   fleet         member starts ─► request ─► answer ─► …                one request a member; see [`super::fleet`]
//!   consumer      message ─► request ─► answer ─► next message           so many at once; see [`super::topic`]
//! ```
//!
//! An open loop does not slow down with the system; a closed loop does. Requests go on coming
//! after the end of the run, uncounted, until those that count have ended: otherwise the last of them would find an
//! emptier system than the others.

use std::sync::Arc;

use crate::engine::{Dist, Duration, Engine, Key, Stream, Streams, Time};
use crate::outcome::Outcome;

use super::fault::strength;
use super::fleet::{Fleet, Left};
use super::keys::Keys;
use super::plan::{self, Gaps, Load, Plan, Source};

/// A client has something to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The next arrival of an open loop.
    Arrival { client: u32 },
    /// A user of a closed loop has thought enough.
    User { client: u32, user: u32 },
    /// All who want to ask at this instant have said so.
    Gathered { client: u32 },
}

/// A request that a client wants to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The first step of the task.
    pub entry: u32,
    /// The instance that makes it.
    pub instance: u32,
    /// The user of a closed loop.
    pub user: Option<u32>,
    /// What it is about.
    pub key: u64,
}

#[derive(Debug)]
pub(super) struct Client {
    number: u32,
    instances: u32,
    tasks: Vec<(u32, f64)>,
    cumulative: Vec<f64>,
    first: Option<u32>,
    source: Running,
    surges: Vec<(u32, Surge)>,
    keys: Keys,
    /// Users who ask at this instant, if several may do so.
    gathered: Vec<u32>,
    may_tie: bool,
    arrivals: Stream,
    choices: Stream,
    /// The order of those who ask at the same instant.
    ties: Stream,
    end: Time,
}

#[derive(Clone, Copy, Debug)]
struct Surge {
    factor: f64,
    since: Time,
    ramp: Duration,
}

#[derive(Debug)]
enum Running {
    Open {
        rate: f64,
        gaps: Gaps,
        batch: u32,
        load: Vec<Load>,
        /// The arrival that is awaited: its event, and how much of its gap (in mean gaps) was left, and when.
        awaited: Key,
        left: f64,
        since: Time,
    },
    Replay {
        times: Arc<[Time]>,
        next: usize,
    },
    Closed {
        users: u32,
        think: Dist,
        start_every: Duration,
        begun: Vec<bool>,
    },
    Fleet(Fleet),
    /// The messages of a topic, which come when they are delivered; see [`super::topic`].
    Topic,
}

impl Client {
    pub(super) fn new(number: u32, spec: &plan::Client, plan: &Plan, streams: &Streams) -> Self {
        let name = |use_: &str| streams.named(&format!("client/{}/{use_}", spec.name));
        let mut sum = 0.0;
        Self {
            number,
            instances: spec.instances,
            cumulative: spec
                .tasks
                .iter()
                .map(|task| {
                    sum += task.1;
                    sum
                })
                .collect(),
            tasks: spec.tasks.clone(),
            first: spec.first,
            source: match &spec.source {
                Source::Open { rate, gaps, batch, load } => Running::Open {
                    rate: *rate,
                    gaps: *gaps,
                    batch: *batch,
                    load: load.clone(),
                    awaited: Key::NONE,
                    left: 0.0,
                    since: Time::ZERO,
                },
                Source::Replay(times) => Running::Replay { times: Arc::clone(times), next: 0 },
                Source::Closed { users, think, start_every } => Running::Closed {
                    users: *users,
                    think: think.clone(),
                    start_every: *start_every,
                    begun: vec![false; *users as usize],
                },
                Source::Fleet(fleet) => Running::Fleet(Fleet::new(fleet)),
                Source::Topic(_) => Running::Topic,
            },
            gathered: Vec::new(),
            // Users who think for the same time are in step, once they have been.
            may_tie: match &spec.source {
                Source::Closed { think, .. } => spec.first.is_some() || matches!(think, Dist::Constant(_)),
                Source::Fleet(_) => true,
                Source::Open { .. } | Source::Replay(_) | Source::Topic(_) => false,
            },
            surges: Vec::new(),
            keys: Keys::new(spec.keys, &spec.name, name("keys")),
            arrivals: name("arrivals"),
            choices: name("choices"),
            ties: name("ties"),
            end: plan.schedule.length + plan.schedule.drain,
        }
    }

    /// The run begins.
    pub(super) fn start(&mut self, engine: &mut Engine<super::Event>) {
        match &mut self.source {
            Running::Closed { users, think, start_every, .. } => {
                for user in 0..*users {
                    // A user that begins with a task of its own begins with it at once; others think first, so
                    // that they do not all ask at the same instant.
                    let think = if self.first.is_some() { Duration::ZERO } else { think.sample(&mut self.arrivals) };
                    let at = Time::ZERO + *start_every * u64::from(user) + think;
                    if at < self.end {
                        engine.at(at, super::Event::Client(Event::User { client: self.number, user }));
                    }
                }
            }
            Running::Fleet(fleet) => {
                let client = self.number;
                let ask = |user| super::Event::Client(Event::User { client, user });
                fleet.start(engine, &mut self.arrivals, self.end, ask);
            }
            Running::Open { .. } | Running::Replay { .. } => self.await_next(engine),
            Running::Topic => {}
        }
    }

    /// An arrival: the requests that it brings, of which there may be several.
    pub(super) fn on_arrival(&mut self, engine: &mut Engine<super::Event>, wishes: &mut Vec<Wish>) {
        let batch = if let Running::Open { batch, .. } = self.source { batch } else { 1 };
        for _ in 0..batch {
            let entry = self.choose_task();
            let instance = if self.instances == 1 { 0 } else { self.choices.below(u64::from(self.instances)) as u32 };
            wishes.push(Wish { entry, instance, user: None, key: self.keys.draw() });
        }
        self.await_next(engine);
    }

    /// A user has thought enough, or it is the turn of a member. Those who may not be alone wait until all of this instant are here.
    pub(super) fn on_user(&mut self, user: u32, engine: &mut Engine<super::Event>, wishes: &mut Vec<Wish>) {
        if !self.may_tie {
            wishes.push(self.wish(user));
            return;
        }
        if let Running::Fleet(fleet) = &mut self.source {
            fleet.asks(user, engine.now());
        }
        if self.gathered.is_empty() {
            engine.after(Duration::ZERO, super::Event::Client(Event::Gathered { client: self.number }));
        }
        self.gathered.push(user);
    }

    /// All are here who ask at this instant: in an order that is drawn each time, or the same would win for ever.
    pub(super) fn on_gathered(&mut self, wishes: &mut Vec<Wish>) {
        let mut users = std::mem::take(&mut self.gathered);
        self.ties.shuffle(&mut users);
        for user in users.drain(..) {
            // A fault of the same instant may have come between.
            let is_there = !matches!(&self.source, Running::Fleet(fleet) if !fleet.is_there(user));
            if is_there {
                wishes.push(self.wish(user));
            }
        }
        self.gathered = users;
    }

    fn wish(&mut self, user: u32) -> Wish {
        let first = match &mut self.source {
            Running::Closed { begun, .. } => self.first.filter(|_| !std::mem::replace(&mut begun[user as usize], true)),
            _ => None,
        };
        let entry = first.unwrap_or_else(|| self.choose_task());
        Wish { entry, instance: user % self.instances, user: Some(user), key: self.keys.draw() }
    }

    /// The request of a user, or of a member of a fleet, has ended. Returns whether a member is served by it for the first time since it
    /// started.
    pub(super) fn on_done(&mut self, user: u32, outcome: Outcome, engine: &mut Engine<super::Event>) -> bool {
        let ask = super::Event::Client(Event::User { client: self.number, user });
        match &mut self.source {
            Running::Closed { think, .. } => {
                let think = think.sample(&mut self.arrivals);
                if engine.now() + think < self.end {
                    engine.after(think, ask);
                }
                false
            }
            Running::Fleet(fleet) => fleet.ended(user, outcome.is_answer(), engine, &mut self.arrivals, self.end, ask),
            Running::Open { .. } | Running::Replay { .. } | Running::Topic => {
                unreachable!("arrivals and messages are no user's")
            }
        }
    }

    /// A fault takes members of a fleet away.
    pub(super) fn on_leave(&mut self, members: &[u32], engine: &mut Engine<super::Event>) -> Left {
        match &mut self.source {
            Running::Fleet(fleet) => fleet.leave(members, engine),
            _ => unreachable!("only fleets have members"),
        }
    }

    /// The fault is over.
    pub(super) fn on_back(&mut self, members: &[u32], within: Duration, engine: &mut Engine<super::Event>) {
        let client = self.number;
        let ask = |user| super::Event::Client(Event::User { client, user });
        match &mut self.source {
            Running::Fleet(fleet) => fleet.come_back(members, within, engine, &mut self.arrivals, self.end, ask),
            _ => unreachable!("only fleets have members"),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.source {
            Running::Fleet(fleet) => fleet.bytes(),
            _ => 0,
        }
    }

    /// A surge begins.
    pub(super) fn begin_surge(&mut self, fault: u32, factor: f64, ramp: Duration, engine: &mut Engine<super::Event>) {
        self.use_up(engine);
        self.surges.push((fault, Surge { factor, since: engine.now(), ramp }));
        self.await_rest(engine);
    }

    /// A surge ends.
    pub(super) fn end_surge(&mut self, fault: u32, engine: &mut Engine<super::Event>) {
        self.use_up(engine);
        self.surges.retain(|(other, _)| *other != fault);
        self.await_rest(engine);
    }

    /// The first step of the next request.
    pub(super) fn choose_task(&mut self) -> u32 {
        match self.tasks.as_slice() {
            [only] => only.0,
            tasks => tasks[self.choices.weighted(&self.cumulative)].0,
        }
    }

    fn await_next(&mut self, engine: &mut Engine<super::Event>) {
        match &mut self.source {
            Running::Open { gaps, left, since, .. } => {
                *left = match gaps {
                    Gaps::Exponential => self.arrivals.exponential(),
                    Gaps::Constant => 1.0,
                    Gaps::Uniform(spread) => 1.0 + *spread * (2.0 * self.arrivals.unit() - 1.0),
                };
                *since = engine.now();
                self.await_rest(engine);
            }
            Running::Replay { times, next } => {
                if let Some(&at) = times.get(*next)
                    && at < self.end
                {
                    *next += 1;
                    engine.at(at, super::Event::Client(Event::Arrival { client: self.number }));
                }
            }
            Running::Closed { .. } | Running::Fleet(_) | Running::Topic => {}
        }
    }

    /// The part of the awaited gap that has passed is taken off, and its event withdrawn.
    fn use_up(&mut self, engine: &mut Engine<super::Event>) {
        let now = engine.now();
        if let Running::Open { rate, load, awaited, left, since, .. } = &mut self.source {
            engine.cancel(*awaited);
            *left = (*left - arrivals_between(*rate, load, &self.surges, *since, now)).max(0.0);
            *since = now;
        }
    }

    /// What is left of the awaited gap is scheduled.
    fn await_rest(&mut self, engine: &mut Engine<super::Event>) {
        if let Running::Open { rate, load, awaited, left, since, .. } = &mut self.source {
            let at = if load.is_empty() && self.surges.is_empty() {
                *since + Duration::from_secs_f64(*left / *rate)
            } else {
                time_of_arrival(*rate, load, &self.surges, *since, *left, self.end)
            };
            *awaited = if at < self.end {
                engine.at(at, super::Event::Client(Event::Arrival { client: self.number }))
            } else {
                Key::NONE
            };
        }
    }
}

/// The rate is taken as constant over pieces of at most this length when it changes smoothly.
const PIECE: Duration = Duration::from_millis(10);

fn rate_at(rate: f64, load: &[Load], surges: &[(u32, Surge)], now: Time) -> f64 {
    let profile: f64 = load.iter().map(|load| load.factor(now)).product();
    let surge: f64 =
        surges.iter().map(|(_, surge)| 1.0 + (surge.factor - 1.0) * strength(surge.since, surge.ramp, now)).product();
    rate * profile * surge
}

/// The end of the piece of time after `now` in which the rate is taken as constant.
fn piece_end(load: &[Load], surges: &[(u32, Surge)], now: Time) -> Time {
    let smooth = load.iter().any(|load| load.changes_smoothly(now))
        || surges.iter().any(|(_, surge)| now < surge.since + surge.ramp);
    let piece = if smooth { now + PIECE } else { Time::NEVER };
    load.iter().filter_map(|load| load.next_change(now)).fold(piece, Time::min)
}

/// The rate over a piece: that of its middle, so that even ramps are exact.
fn piece_rate(rate: f64, load: &[Load], surges: &[(u32, Surge)], from: Time, until: Time) -> f64 {
    let middle = if until == Time::NEVER { from } else { from + (until - from).scale(0.5) };
    rate_at(rate, load, surges, middle)
}

/// How many arrivals are expected between two times.
fn arrivals_between(rate: f64, load: &[Load], surges: &[(u32, Surge)], from: Time, until: Time) -> f64 {
    let (mut now, mut sum) = (from, 0.0);
    while now < until {
        let end = piece_end(load, surges, now).min(until);
        sum += piece_rate(rate, load, surges, now, end) * (end - now).as_secs();
        now = end;
    }
    sum
}

/// When so many arrivals will have been expected: a Poisson process with a changing rate is one with rate 1 on the
/// time scale of the expected number of arrivals.
fn time_of_arrival(rate: f64, load: &[Load], surges: &[(u32, Surge)], from: Time, left: f64, end: Time) -> Time {
    let (mut now, mut left) = (from, left);
    while now < end {
        let piece = piece_end(load, surges, now);
        let rate = piece_rate(rate, load, surges, now, piece);
        let length = (piece - now).as_secs();
        if piece == Time::NEVER || rate * length >= left {
            return if rate > 0.0 { now + Duration::from_secs_f64(left / rate) } else { Time::NEVER };
        }
        left -= rate * length;
        now = piece;
    }
    Time::NEVER
}

impl Load {
    fn factor(&self, now: Time) -> f64 {
        match *self {
            Self::Step { at, factor } => {
                if now >= at {
                    factor
                } else {
                    1.0
                }
            }
            Self::Ramp { from, to, factor } => {
                let share = if now >= to { 1.0 } else { (now - from).as_secs() / (to - from).as_secs() };
                1.0 + (factor - 1.0) * share
            }
            Self::Spike { at, until, factor } => {
                if now >= at && now < until {
                    factor
                } else {
                    1.0
                }
            }
            Self::Sine { period, amplitude } => {
                let angle = std::f64::consts::TAU * now.as_secs() / period.as_secs();
                1.0 + amplitude * libm::sin(angle)
            }
        }
    }

    fn changes_smoothly(&self, now: Time) -> bool {
        match *self {
            Self::Ramp { from, to, .. } => now >= from && now < to,
            Self::Sine { .. } => true,
            Self::Step { .. } | Self::Spike { .. } => false,
        }
    }

    fn next_change(&self, now: Time) -> Option<Time> {
        let times = match *self {
            Self::Step { at, .. } => [at, at],
            Self::Ramp { from, to, .. } => [from, to],
            Self::Spike { at, until, .. } => [at, until],
            Self::Sine { .. } => return None,
        };
        times.into_iter().filter(|&time| time > now).min()
    }
}
