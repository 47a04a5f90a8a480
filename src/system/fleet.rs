//! A fleet: many small clients as one part. Nodes that boot and fetch their configuration, devices that connect or poll, jobs that
//! start on the minute.
//!
//! ```text
//!   starts ─► asks ─┬─ answer ──► served ─► asks again after `every`, or never
//!     ▲             └─ failure ─► asks again after `again`, or after `every`, or never
//!     └─ comes back ◄── gone (fault `disconnect`) ◄── at any time
//! ```
//!
//! Each member has one request at a time, and a state of a few bytes; its policies' state is that of the client's instances,
//! over which members are spread in turn. A member is *served* from its first answer since it started: registered, connected,
//! configured. Members that ask at the same instant do so in an order that is shuffled each time: none has the better place
//! for ever.
//!
//! Always: a member that is gone has no timer, no request, and is not served.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Dist, Duration, Engine, Key, Stream, Time};
use crate::scenario::distribution;
use crate::scenario::source::Spanned;
use crate::scenario::units::{Share, Span};

/// Many small clients as one.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fleet")]
pub struct Spec {
    /// How many members, at most 10,000,000.
    pub members: u32,
    /// When the first of them starts. Default: 0s.
    #[serde(default)]
    pub starts: Option<Span>,
    /// Each starts at a time drawn evenly within so long after `starts` (start-up jitter). Default: 0s, all at the same instant.
    #[serde(default)]
    pub within: Option<Span>,
    /// From one request to the next: a member polls. If a request takes longer than that, the next follows it at once.
    /// Default: a member that has had an answer asks no more.
    #[serde(default)]
    pub every: Option<Spanned<Span>>,
    /// Each `every` is drawn evenly between so much less and so much more of it. Default: 0%, as of jobs that start on the minute.
    #[serde(default)]
    pub jitter: Option<Spanned<Share>>,
    /// From a failure to the next request: `0s` is at once, for ever. Default: as after an answer; without `every`, a member that
    /// has failed asks no more.
    #[serde(default)]
    pub again: Option<Spanned<distribution::Spec>>,
}

/// A checked fleet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many.
    pub members: u32,
    /// When the first starts.
    pub starts: Time,
    /// Within how long all have started.
    pub within: Duration,
    /// From one request to the next.
    pub every: Option<Duration>,
    /// By how much that varies, as a share of it.
    pub jitter: f64,
    /// From a failure to the next request.
    pub again: Option<Dist>,
}

/// The state of a fleet.
#[derive(Debug)]
pub(super) struct Fleet {
    spec: Plan,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// The event at which it asks next.
    timer: Key,
    /// When it asked last; before that, when it is to start.
    asked: Time,
    /// Faults that keep it away.
    gone: u16,
    served: bool,
}

/// Members that a fault takes away.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Those who were there until now.
    pub members: Vec<u32>,
    /// How many of them were served.
    pub served: i64,
}

impl Fleet {
    pub(super) fn new(spec: &Plan) -> Self {
        let member = Member { timer: Key::NONE, asked: Time::ZERO, gone: 0, served: false };
        Self { spec: spec.clone(), members: vec![member; spec.members as usize] }
    }

    /// The run begins. `ask` is the event of a member.
    pub(super) fn start(
        &mut self,
        engine: &mut Engine<super::Event>,
        chance: &mut Stream,
        end: Time,
        ask: impl Fn(u32) -> super::Event,
    ) {
        for (member, number) in self.members.iter_mut().zip(0..) {
            let at = self.spec.starts + self.spec.within.scale(chance.unit());
            member.asked = at;
            if at < end {
                member.timer = engine.at(at, ask(number));
            }
        }
    }

    /// A member asks.
    pub(super) fn asks(&mut self, member: u32, now: Time) {
        let it = &mut self.members[member as usize];
        (it.timer, it.asked) = (Key::NONE, now);
    }

    /// Whether a member is there.
    pub(super) fn is_there(&self, member: u32) -> bool {
        self.members[member as usize].gone == 0
    }

    /// The request of a member that is there has ended. Returns whether it is served from now on, and was not before.
    pub(super) fn ended(
        &mut self,
        member: u32,
        answered: bool,
        engine: &mut Engine<super::Event>,
        chance: &mut Stream,
        end: Time,
        ask: super::Event,
    ) -> bool {
        let now = engine.now();
        let it = &mut self.members[member as usize];
        let first = answered && !it.served;
        it.served |= answered;
        let next = match (&self.spec.again, self.spec.every) {
            (Some(again), _) if !answered => Some(now + again.sample(chance)),
            (_, Some(every)) => {
                let jitter = self.spec.jitter;
                let every = if jitter > 0.0 { every.scale(1.0 + jitter * (2.0 * chance.unit() - 1.0)) } else { every };
                Some((it.asked + every).max(now))
            }
            (_, None) => None,
        };
        if let Some(at) = next.filter(|&at| at < end) {
            it.timer = engine.at(at, ask);
        }
        first
    }

    /// A fault takes members away.
    pub(super) fn leave(&mut self, members: &[u32], engine: &mut Engine<super::Event>) -> Left {
        let mut left = Left::default();
        for &number in members {
            let it = &mut self.members[number as usize];
            it.gone += 1;
            if it.gone == 1 {
                engine.cancel(it.timer);
                it.timer = Key::NONE;
                left.members.push(number);
                left.served += i64::from(std::mem::take(&mut it.served));
            }
        }
        left
    }

    /// The fault is over: its members start again, each within this time, unless another keeps them away; and who had not started yet,
    /// no earlier than it would have.
    pub(super) fn come_back(
        &mut self,
        members: &[u32],
        within: Duration,
        engine: &mut Engine<super::Event>,
        chance: &mut Stream,
        end: Time,
        ask: impl Fn(u32) -> super::Event,
    ) {
        for &number in members {
            let wait = within.scale(chance.unit());
            let it = &mut self.members[number as usize];
            it.gone -= 1;
            let at = (engine.now() + wait).max(it.asked);
            if it.gone == 0 && at < end {
                it.timer = engine.at(at, ask(number));
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.members.len() * size_of::<Member>()
    }
}
