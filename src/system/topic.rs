//! A topic: messages that wait for those who consume them, and are kept until they have done so.
//!
//! ```text
//!   publish ─► room? ─► waits ─► delivered ─┬─ processed ──────► acknowledged
//!                │ no     ▲  ▲     │  ▲     │
//!                ▼        │  │     ▼  │     └─ failed ─► at most once: lost
//!          refused, or    │  │  visibility                at least once: back after `redeliver`, or dead after
//!          the oldest     │  └── timeout ────────────┐                   `max_deliveries`
//!          is dropped     └──────────────────────────┴───────────────────────┘
//! ```
//!
//! Each client that `consumes` a topic is a consumer group of its own: it gets every message, and what it does with them is nothing to
//! the other groups. A delivery is a request of that client, about the key of the message, with the identity of the step that
//! published it: what a message brings about twice is a duplicate effect.
//!
//! Always, for each group: messages in = acknowledged + dead + lost + dropped + waiting + in flight. A partition has one message
//! in flight at most, and the next is not delivered before that one is settled.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Handle, Key, Slab, Stream, Streams, Time, mix};
use crate::measure::{Fact, GroupFact};
use crate::policy;
use crate::scenario::distribution;
use crate::scenario::source::{Place, Spanned};
use crate::scenario::units::{Share, Span};
use crate::short_form;

use super::Context;
use super::plan::Plan;
use super::task::About;

/// What can be asked for by name: `list patterns` and `explain` print it.
pub const PATTERNS: &[policy::Pattern] = policy::patterns! {
    "topic": "messages that wait for those who consume them";
    "consumes": "take the messages of a topic and make a request for each, so many at once";
};

/// A topic: messages that wait for those who consume them. Steps put them in: `publish: <name>`; clients take them: `consumes: <name>`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Topic")]
pub struct Spec {
    /// So many partitions, at most 100,000. A message goes to one of them by its key; each belongs to one instance of each
    /// consumer, which takes its messages in their order, one after the other: one that fails keeps those behind it waiting.
    /// Default: none, a queue from which every instance takes what is next.
    #[serde(default)]
    pub partitions: Option<Spanned<u32>>,
    /// Which message is next. Default: `fifo`.
    #[serde(default)]
    pub order: Spanned<Order>,
    /// Messages that wait, for the first or another delivery to a group, in each partition. One that fails comes back also if
    /// there is no room. Default: no limit but that on the memory of a run.
    #[serde(default)]
    pub capacity: Option<Spanned<u32>>,
    /// With `capacity`: what happens to one message more. Default: `refuse`.
    #[serde(default)]
    pub when_full: Option<Spanned<WhenFull>>,
    /// A message that is older when its turn comes is dropped (retention, time to live). Until then it takes its place. Default: never.
    #[serde(default)]
    pub max_age: Option<Spanned<Span>>,
}

/// Which message is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MessageOrder")]
pub enum Order {
    /// The oldest. One that comes back is as old as it is, and so has its old place.
    #[default]
    Fifo,
    /// The youngest: while there is a backlog, what is new is served at once, and what is old waits longer.
    Lifo,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WhenTopicIsFull")]
pub enum WhenFull {
    /// No group gets it, and the step that publishes it fails with 503: the limit is felt by the producer.
    #[default]
    Refuse,
    /// The oldest message that waits makes room: the limit is felt by nobody who asks.
    DropOldest,
}

/// What a step publishes. Short form: the topic, `publish: orders`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<String>)]
pub struct Publish {
    /// The topic. The message is about what the request is about.
    pub topic: String,
    /// The share of the messages that are poison: what is done for one fails with 500 at every service, after its work and without
    /// an effect, and so does its delivery. Default: 0%.
    #[serde(default)]
    pub poison: Option<Share>,
}

short_form!(Publish, String, |topic| Publish { topic, poison: None });

/// Where the requests of a consumer come from. Short form: the topic, `consumes: orders`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<String>)]
pub struct Consumes {
    /// The topic. Every message makes a request of this client; a message is acknowledged when its request is answered well.
    pub topic: String,
    /// Messages that each instance processes at once (prefetch). Default: 1.
    #[serde(default)]
    pub concurrency: Option<Spanned<u32>>,
    /// When a message is acknowledged. Default: `at_least_once`.
    #[serde(default)]
    pub delivery: Delivery,
    /// A message that is not acknowledged so long after its delivery is delivered again, also while it is still being processed.
    /// Who has processed it for longer acknowledges it as long as nobody else was given it, and in vain from then on. Default:
    /// none; the broker knows when a delivery has failed, and waits for those that are under way.
    #[serde(default)]
    pub visibility_timeout: Option<Spanned<Span>>,
    /// A message that was delivered so often and is still not acknowledged is dead. Default: no limit; a poison message comes back for ever.
    #[serde(default)]
    pub max_deliveries: Option<Spanned<u32>>,
    /// From a failed delivery to the next; after a visibility timeout there is no wait. Zero without `max_deliveries` can turn in
    /// circles at one instant, if what fails takes no time. Default: 1s.
    #[serde(default)]
    pub redeliver: Option<Spanned<distribution::Spec>>,
    /// With `max_deliveries`: the topic to which dead messages go. Default: they are gone.
    #[serde(default)]
    pub dead_letter: Option<Spanned<String>>,
}

/// From a failed delivery to the next, if nobody says otherwise.
pub(crate) const REDELIVER: Duration = Duration::from_secs(1);

short_form!(Consumes, String, |topic| Consumes {
    topic,
    concurrency: None,
    delivery: Delivery::default(),
    visibility_timeout: None,
    max_deliveries: None,
    redeliver: None,
    dead_letter: None,
});

/// When a message is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// When it was processed: one that fails is delivered again, and may be processed more than once.
    #[default]
    AtLeastOnce,
    /// When it is delivered: one that fails is lost, and none is processed twice.
    AtMostOnce,
}

/// A mistake: where, what, and a way out.
type Problem = (Place, String, &'static str);

impl Spec {
    /// What is wrong.
    pub(crate) fn problems(&self, most_partitions: u32) -> Vec<Problem> {
        let mut found: Vec<Problem> = Vec::new();
        if let Some(partitions) = &self.partitions {
            let place = partitions.place;
            if partitions.value == 0 {
                let help = "leave it out: a queue, from which every instance takes what is next";
                found.push((place, "a topic of no partitions has no place for a message".to_owned(), help));
            }
            if partitions.value > most_partitions {
                let what = format!("{} partitions are more than sense: at most {most_partitions}", partitions.value);
                found.push((place, what, "one for each instance that consumes them is enough"));
            }
            if self.order.value == Order::Lifo {
                let help = "leave `partitions` out, or `order`";
                found.push((self.order.place, "a partition is read in its order".to_owned(), help));
            }
        }
        if let Some(capacity) = self.capacity.as_ref().filter(|it| it.value == 0) {
            let what = "a topic without room takes no message".to_owned();
            found.push((capacity.place, what, "give `capacity` at least 1, or leave it out: no limit"));
        }
        if let Some(when_full) = &self.when_full
            && self.capacity.is_none()
        {
            let what = "a topic without a limit is never full".to_owned();
            found.push((when_full.place, what, "give it a `capacity`, or leave `when_full` out"));
        }
        if let Some(max_age) = self.max_age.as_ref().filter(|it| it.value.0.is_zero()) {
            let what = "every message is too old".to_owned();
            found.push((max_age.place, what, "give `max_age` a time above zero, or leave it out: never"));
        }
        found
    }
}

impl Consumes {
    /// What is wrong; `place` is that of the whole.
    pub(crate) fn problems(&self, place: Place, most_at_once: u32) -> Vec<Problem> {
        let mut found: Vec<Problem> = Vec::new();
        if let Some(concurrency) = self.concurrency.as_ref().filter(|it| !(1..=most_at_once).contains(&it.value)) {
            let what = format!("{} messages at once: between 1 and {most_at_once}", concurrency.value);
            found.push((concurrency.place, what, "1 is the default: one after the other"));
        }
        if let Some(timeout) = self.visibility_timeout.as_ref().filter(|it| it.value.0.is_zero()) {
            let what =
                "a message that is never out of sight is delivered again and again at the same instant".to_owned();
            found.push((timeout.place, what, "give it more than processing takes, or leave it out: none"));
        }
        if let Some(most) = self.max_deliveries.as_ref().filter(|it| it.value == 0) {
            let what = "a message that is delivered no times is dead at once".to_owned();
            found.push((most.place, what, "1 is: no second delivery; left out: no limit"));
        }
        if let Some(letters) = &self.dead_letter
            && self.max_deliveries.is_none()
        {
            let what = "without `max_deliveries` no message is ever dead".to_owned();
            found.push((letters.place, what, "say after how many deliveries it is, e.g. `max_deliveries: 5`"));
        }
        let again = self.visibility_timeout.is_some() || self.max_deliveries.is_some() || self.redeliver.is_some();
        if self.delivery == Delivery::AtMostOnce && again {
            let what = "what is delivered at most once never comes again".to_owned();
            let help = "leave `visibility_timeout`, `max_deliveries` and `redeliver` out, or `delivery`";
            found.push((place, what, help));
        }
        found
    }
}

/// The messages of a topic.
#[derive(Debug)]
struct Topic {
    /// Counts the messages in their order.
    next: u64,
    /// Which of them are poison.
    luck: Stream,
}

/// What a group does with the messages of its topic.
#[derive(Debug)]
struct Group {
    /// One, or one for each partition.
    lanes: Vec<Lane>,
    /// For each instance: how many more it can process.
    free: Vec<u32>,
    /// All of them together.
    all_free: u64,
    /// The instance whose turn is next, if there are no partitions.
    turn: u32,
    /// Partitions of each instance whose next message can be delivered.
    ready: Vec<VecDeque<u32>>,
    /// Instances with such partitions, since the last deliveries.
    awake: Vec<u32>,
    /// Whether the next deliveries are on their way.
    is_called: bool,
    waits: Stream,
    counts: Counts,
}

/// Messages that wait for each other.
#[derive(Debug, Default)]
struct Lane {
    /// In their order.
    waiting: VecDeque<(u64, Handle)>,
    /// Those that come back later.
    later: BTreeMap<u64, Handle>,
    /// With partitions: the message that is not settled, on which the others wait.
    blocked_by: Option<Handle>,
    /// Whether it is among the `ready`.
    is_listed: bool,
}

impl Lane {
    fn len(&self) -> usize {
        self.waiting.len() + self.later.len()
    }

    /// The oldest message that waits, taken out.
    fn oldest(&mut self) -> Option<Handle> {
        let later = self.later.first_key_value().map(|(&number, _)| number);
        match self.waiting.front() {
            Some(&(number, _)) if later.is_none_or(|later| number < later) => self.waiting.pop_front().map(|it| it.1),
            _ => self.later.pop_first().map(|it| it.1),
        }
    }
}

/// What has become of the messages of a group, over the whole run.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    came: u64,
    acknowledged: u64,
    dead: u64,
    lost: u64,
    dropped: u64,
    waiting: u64,
    in_flight: u64,
}

/// A message, as a group has it.
#[derive(Debug)]
struct Message {
    group: u32,
    lane: u32,
    /// Its place in the order.
    number: u64,
    published: Time,
    about: About,
    deliveries: u32,
    /// The last of them: only that one can acknowledge it.
    latest: Handle,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// In its lane.
    Waits,
    /// Comes back at this event.
    Later { back: Key },
    /// Being processed, until it is done or this event comes, its visibility timeout.
    InFlight { timeout: Key },
}

/// A message in the hands of an instance. It keeps its place there until its request has ended, whatever becomes of the message.
#[derive(Clone, Copy, Debug)]
struct Held {
    message: Handle,
    group: u32,
    instance: u32,
}

/// Something is due at a topic.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A group has room for messages, and messages.
    Deliver { group: u32 },
    /// A message that could not be processed comes back.
    ComesBack { message: Handle },
    /// A message was not acknowledged in time.
    TimedOut { message: Handle },
}

/// A request that a consumer makes for a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivered {
    pub delivery: Handle,
    pub instance: u32,
    /// What the message says of it.
    pub about: About,
}

/// All topics, and those who consume them.
#[derive(Debug)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    groups: Vec<Group>,
    messages: Slab<Message>,
    deliveries: Slab<Held>,
}

impl Topics {
    pub(super) fn new(plan: &Plan, streams: &Streams) -> Self {
        let topics = plan
            .topics
            .iter()
            .map(|topic| Topic { next: 0, luck: streams.named(&format!("topic/{}/poison", topic.name)) });
        let groups = plan.groups.iter().map(|spec| {
            let client = &plan.clients[spec.client as usize];
            let lanes = plan.topics[spec.topic as usize].partitions.unwrap_or(1);
            Group {
                lanes: (0..lanes).map(|_| Lane::default()).collect(),
                free: vec![spec.concurrency; client.instances as usize],
                all_free: u64::from(spec.concurrency) * u64::from(client.instances),
                turn: 0,
                ready: vec![VecDeque::new(); client.instances as usize],
                awake: Vec::new(),
                is_called: false,
                waits: streams.named(&format!("group/{}/redeliver", client.name)),
                counts: Counts::default(),
            }
        });
        Self {
            topics: topics.collect(),
            groups: groups.collect(),
            messages: Slab::default(),
            deliveries: Slab::default(),
        }
    }

    /// A message is published. False if there is no room for it.
    pub(super) fn publish(&mut self, cx: &mut Context<'_>, topic: u32, about: About, poison: f64) -> bool {
        let poison = poison > 0.0 && self.topics[topic as usize].luck.chance(poison);
        self.add(cx, topic, About { poison, ..about })
    }

    fn add(&mut self, cx: &mut Context<'_>, number: u32, about: About) -> bool {
        let plan = cx.plan;
        let spec = &plan.topics[number as usize];
        let lane = spec.partitions.map_or(0, |of| (mix(about.key) % u64::from(of)) as u32);
        let is_full =
            |this: &Self, group: u32| this.groups[group as usize].lanes[lane as usize].len() >= spec.capacity as usize;
        if spec.refuses && spec.groups.iter().any(|&group| is_full(self, group)) {
            cx.note(Fact::Refusal { topic: number });
            return false;
        }
        cx.note(Fact::Published { topic: number });
        let topic = &mut self.topics[number as usize];
        let place = topic.next;
        topic.next += 1;
        for &group in &spec.groups {
            if is_full(self, group) {
                let oldest = self.groups[group as usize].lanes[lane as usize].oldest();
                if let Some(oldest) = oldest {
                    if let State::Later { back } = self.messages[oldest].state {
                        cx.engine.cancel(back);
                    }
                    self.stops_waiting(cx, group);
                    self.drop_one(cx, oldest, GroupFact::DroppedFull);
                }
            }
            cx.effects.join(about.effects);
            let message = self.messages.insert(Message {
                group,
                lane,
                number: place,
                published: cx.engine.now(),
                about,
                deliveries: 0,
                latest: Handle::NONE,
                state: State::Waits,
            });
            self.groups[group as usize].counts.came += 1;
            self.waits(cx, message);
        }
        true
    }

    /// A message is put into its lane.
    fn waits(&mut self, cx: &mut Context<'_>, id: Handle) {
        let message = &mut self.messages[id];
        message.state = State::Waits;
        let (number, lane, group) = (message.number, message.lane, message.group);
        let it = &mut self.groups[group as usize];
        it.counts.waiting += 1;
        cx.note(Fact::Group { group, what: GroupFact::Lag(1) });
        let waiting = &mut it.lanes[lane as usize].waiting;
        if waiting.back().is_none_or(|&(last, _)| last < number) {
            waiting.push_back((number, id));
        } else {
            let place = waiting.partition_point(|&(other, _)| other < number);
            waiting.insert(place, (number, id));
        }
        self.offer(cx, group, lane);
    }

    /// A message does not wait any more.
    fn stops_waiting(&mut self, cx: &mut Context<'_>, group: u32) {
        self.groups[group as usize].counts.waiting -= 1;
        cx.note(Fact::Group { group, what: GroupFact::Lag(-1) });
    }

    /// There may be something to deliver from a lane.
    fn offer(&mut self, cx: &mut Context<'_>, group: u32, lane: u32) {
        let it = &mut self.groups[group as usize];
        let has_room = if cx.plan.is_partitioned(group) {
            let instance = lane % it.free.len() as u32;
            let partition = &mut it.lanes[lane as usize];
            if partition.blocked_by.is_none() && !partition.waiting.is_empty() && !partition.is_listed {
                partition.is_listed = true;
                it.ready[instance as usize].push_back(lane);
            }
            let has_room = it.free[instance as usize] > 0 && !it.ready[instance as usize].is_empty();
            if has_room {
                it.awake.push(instance);
            }
            has_room
        } else {
            it.all_free > 0 && !it.lanes[0].waiting.is_empty()
        };
        if has_room && !it.is_called {
            it.is_called = true;
            cx.engine.after(Duration::ZERO, super::Event::Topic(Event::Deliver { group }));
        }
    }

    /// Gives messages to all who can take one.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>, group: u32) -> Vec<Delivered> {
        let mut delivered = Vec::new();
        self.groups[group as usize].is_called = false;
        if cx.plan.is_partitioned(group) {
            for instance in std::mem::take(&mut self.groups[group as usize].awake) {
                while self.groups[group as usize].free[instance as usize] > 0
                    && let Some(lane) = self.groups[group as usize].ready[instance as usize].pop_front()
                {
                    self.groups[group as usize].lanes[lane as usize].is_listed = false;
                    if let Some(message) = self.take(cx, group, lane) {
                        self.groups[group as usize].lanes[lane as usize].blocked_by = Some(message);
                        delivered.push(self.hand_out(cx, message, group, instance));
                    }
                }
            }
        } else {
            while self.groups[group as usize].all_free > 0
                && let Some(message) = self.take(cx, group, 0)
            {
                let it = &mut self.groups[group as usize];
                let instances = it.free.len() as u32;
                while it.free[it.turn as usize] == 0 {
                    it.turn = (it.turn + 1) % instances;
                }
                let instance = it.turn;
                it.turn = (it.turn + 1) % instances;
                delivered.push(self.hand_out(cx, message, group, instance));
            }
        }
        delivered
    }

    /// The next message of a lane that is not too old.
    fn take(&mut self, cx: &mut Context<'_>, group: u32, lane: u32) -> Option<Handle> {
        let spec = &cx.plan.topics[cx.plan.groups[group as usize].topic as usize];
        loop {
            let waiting = &mut self.groups[group as usize].lanes[lane as usize].waiting;
            let (_, id) = if spec.lifo { waiting.pop_back() } else { waiting.pop_front() }?;
            self.stops_waiting(cx, group);
            if cx.engine.now() - self.messages[id].published < spec.max_age {
                return Some(id);
            }
            self.drop_one(cx, id, GroupFact::DroppedOld);
        }
    }

    fn hand_out(&mut self, cx: &mut Context<'_>, id: Handle, group: u32, instance: u32) -> Delivered {
        let spec = &cx.plan.groups[group as usize];
        let delivery = self.deliveries.insert(Held { message: id, group, instance });
        let timeout = spec
            .visibility_timeout
            .map_or(Key::NONE, |after| cx.engine.after(after, super::Event::Topic(Event::TimedOut { message: id })));
        let it = &mut self.groups[group as usize];
        it.free[instance as usize] -= 1;
        it.all_free -= 1;
        it.counts.in_flight += 1;
        let message = &mut self.messages[id];
        (message.state, message.latest) = (State::InFlight { timeout }, delivery);
        message.deliveries = message.deliveries.saturating_add(1);
        let again = message.deliveries > 1;
        let about = message.about;
        cx.note(Fact::Group { group, what: GroupFact::Delivered { again } });
        Delivered { delivery, instance, about }
    }

    /// The request of a delivery has ended.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>, delivery: Handle, well: bool) {
        let Held { message: id, group, instance } = self.deliveries[delivery];
        self.deliveries.remove(delivery);
        let it = &mut self.groups[group as usize];
        it.free[instance as usize] += 1;
        it.all_free += 1;
        let state = self.messages.get(id).filter(|message| message.latest == delivery).map(|message| message.state);
        match state {
            Some(State::InFlight { timeout }) => {
                cx.engine.cancel(timeout);
                self.groups[group as usize].counts.in_flight -= 1;
                if well {
                    self.acknowledge(cx, id);
                } else {
                    self.fails(cx, id, false);
                }
            }
            // Its visibility timeout has passed, and nobody else was given it: it is taken out again.
            Some(State::Waits) if well => {
                let message = &self.messages[id];
                let (number, lane) = (message.number, message.lane);
                let waiting = &mut self.groups[group as usize].lanes[lane as usize].waiting;
                let place = waiting.partition_point(|&(other, _)| other < number);
                waiting.remove(place);
                self.stops_waiting(cx, group);
                self.acknowledge(cx, id);
            }
            _ if well => cx.note(Fact::Group { group, what: GroupFact::Late }),
            _ => {}
        }
        // There is room again at the instance, and perhaps the partition goes on.
        if cx.plan.is_partitioned(group) {
            let it = &mut self.groups[group as usize];
            let lane = it.ready[instance as usize].front().copied();
            if let Some(lane) = lane {
                self.offer(cx, group, lane);
            }
        } else {
            self.offer(cx, group, 0);
        }
    }

    fn acknowledge(&mut self, cx: &mut Context<'_>, id: Handle) {
        let message = &self.messages[id];
        let (group, age) = (message.group, cx.engine.now() - message.published);
        self.groups[group as usize].counts.acknowledged += 1;
        cx.note(Fact::Group { group, what: GroupFact::Acknowledged { age } });
        self.settle(cx, id);
    }

    /// A message was not processed. `timed_out`: or nobody knows.
    fn fails(&mut self, cx: &mut Context<'_>, id: Handle, timed_out: bool) {
        let message = &self.messages[id];
        let group = message.group;
        let spec = &cx.plan.groups[group as usize];
        if spec.at_most_once {
            self.groups[group as usize].counts.lost += 1;
            cx.note(Fact::Group { group, what: GroupFact::Lost });
            self.settle(cx, id);
            return;
        }
        if message.deliveries >= spec.max_deliveries {
            self.groups[group as usize].counts.dead += 1;
            cx.note(Fact::Group { group, what: GroupFact::Dead });
            let about = message.about;
            if let Some(topic) = spec.dead_letter {
                self.add(cx, topic, about);
            }
            self.settle(cx, id);
            return;
        }
        let wait =
            if timed_out { Duration::ZERO } else { spec.redeliver.sample(&mut self.groups[group as usize].waits) };
        if wait.is_zero() {
            self.unblock(cx, id, false);
            self.waits(cx, id);
        } else {
            let back = cx.engine.after(wait, super::Event::Topic(Event::ComesBack { message: id }));
            let message = &mut self.messages[id];
            message.state = State::Later { back };
            let it = &mut self.groups[group as usize];
            it.lanes[message.lane as usize].later.insert(message.number, id);
            it.counts.waiting += 1;
            cx.note(Fact::Group { group, what: GroupFact::Lag(1) });
        }
    }

    /// A message that failed is to be delivered again.
    pub(super) fn comes_back(&mut self, cx: &mut Context<'_>, id: Handle) {
        let message = &self.messages[id];
        let (group, lane, number) = (message.group, message.lane, message.number);
        self.groups[group as usize].lanes[lane as usize].later.remove(&number);
        self.stops_waiting(cx, group);
        self.unblock(cx, id, false);
        self.waits(cx, id);
    }

    /// A message was not acknowledged in time: as far as the broker knows, nobody processes it.
    pub(super) fn timed_out(&mut self, cx: &mut Context<'_>, id: Handle) {
        let group = self.messages[id].group;
        self.groups[group as usize].counts.in_flight -= 1;
        self.fails(cx, id, true);
    }

    /// A message makes room for those that are not acknowledged.
    fn drop_one(&mut self, cx: &mut Context<'_>, id: Handle, why: GroupFact) {
        let group = self.messages[id].group;
        self.groups[group as usize].counts.dropped += 1;
        cx.note(Fact::Group { group, what: why });
        self.settle(cx, id);
    }

    /// A message is gone, and its partition goes on.
    fn settle(&mut self, cx: &mut Context<'_>, id: Handle) {
        self.unblock(cx, id, true);
        let effects = self.messages[id].about.effects;
        self.messages.remove(id);
        cx.effects.leave(effects);
    }

    /// A partition does not wait for this message any more.
    fn unblock(&mut self, cx: &mut Context<'_>, id: Handle, goes_on: bool) {
        let message = &self.messages[id];
        let (group, lane) = (message.group, message.lane);
        let partition = &mut self.groups[group as usize].lanes[lane as usize];
        if partition.blocked_by == Some(id) {
            partition.blocked_by = None;
            if goes_on {
                self.offer(cx, group, lane);
            }
        }
    }

    /// Whether messages are kept.
    pub(super) fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Whether nothing is being processed. Asserted when nothing is under way.
    pub(super) fn at_rest(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Asserts that every message is accounted for. Whatever happens: at the end of every run.
    pub(super) fn check(&self, plan: &Plan) {
        for (number, (group, spec)) in self.groups.iter().zip(&plan.groups).enumerate() {
            let name = &plan.clients[spec.client as usize].name;
            let Counts { came, acknowledged, dead, lost, dropped, waiting, in_flight } = group.counts;
            assert_eq!(
                came,
                acknowledged + dead + lost + dropped + waiting + in_flight,
                "messages that came to {name} and what became of them differ: {:?}",
                group.counts
            );
            let own = || self.messages.iter().filter(|(_, it)| it.group as usize == number);
            let out = own().filter(|(_, it)| matches!(it.state, State::InFlight { .. })).count() as u64;
            let lined_up: u64 = group.lanes.iter().map(|lane| lane.len() as u64).sum();
            assert_eq!((in_flight, waiting), (out, lined_up), "messages of {name} are not where they should be");
            let held = self.deliveries.iter().filter(|(_, it)| it.group as usize == number).count() as u64;
            let places = u64::from(spec.concurrency) * group.free.len() as u64;
            assert_eq!(group.all_free + held, places, "places of {name} are lost");
            assert_eq!(group.free.iter().map(|&it| u64::from(it)).sum::<u64>(), group.all_free, "places of {name}");
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let lined_up = self.groups.iter().flat_map(|it| &it.lanes).map(|lane| lane.waiting.capacity());
        self.messages.bytes() + self.deliveries.bytes() + lined_up.sum::<usize>() * size_of::<(u64, Handle)>()
    }

    /// The client that consumes, for errors.
    pub(super) fn client_of(&self, plan: &Plan, event: Event) -> Option<u32> {
        let group = match event {
            Event::Deliver { group } => group,
            Event::ComesBack { message } | Event::TimedOut { message } => self.messages.get(message)?.group,
        };
        Some(plan.groups[group as usize].client)
    }
}
