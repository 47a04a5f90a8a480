//! replication: one state at several replicas: a primary that takes the writes, and followers that have them a while later.
//!
//! ```text
//!   write ─► the primary ─► its steps ─► it has a position ─┬─ asynchronous ─────► answered
//!                                            │              └─ others ─► waits ──► answered
//!                                            └─ lag ─► follower 1 has it (in order)
//!                                            └─ lag ─► follower 2 has it
//!   read ──► the primary, or a follower: stale, if an answered write of its key is not there yet
//!
//!   the primary is gone ── detect_after ──► there is none ── takes ──► the follower that has the most is the primary;
//!                                                                      what it does not have is lost
//! ```
//!
//! Keys are those of the requests: what they are about. What a follower has is a prefix of the primary's writes, so one number for each
//! replica says it; the keys are kept of those writes only that a follower still waits for. Always: no follower has more than the
//! primary; and acknowledged writes = those that the primary has + those lost.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Dist, Duration, Engine, Handle, Key, Stream, Streams, Time};
use crate::measure::DatabaseFact;
use crate::policy;
use crate::scenario::distribution;
use crate::scenario::source::Spanned;
use crate::scenario::units::Span;

use super::plan;

/// What can be asked for by name: `list patterns` and `explain` print it.
pub const PATTERNS: &[policy::Pattern] = policy::patterns! {
    "replication": "keep one state at several replicas: writes at a primary, reads at those that follow";
};

/// The replicas have one state: a primary takes the writes, and the others follow. The first replica is the primary at the start.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Replication")]
pub struct Spec {
    /// Whom the answer of a write waits for. Default: `asynchronous`.
    #[serde(default)]
    pub mode: Mode,
    /// From the end of a write at the primary until a follower has it: on its way, and applied. Drawn for each write and follower; none
    /// overtakes an earlier one.
    pub lag: Spanned<distribution::Spec>,
    /// Which replicas are asked by operations that do not write, if they do not say so themselves. Default: `primary`.
    #[serde(default)]
    pub reads: Reads,
    /// What happens when the primary is gone. Default: nothing; it stays the primary until it is back.
    #[serde(default)]
    pub failover: Option<Failover>,
}

/// Whom the answer of a write waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody.
    #[default]
    Asynchronous,
    /// The first follower that has it. Without any follower, nobody.
    SemiSynchronous,
    /// All followers that are there. One that is down or stands still is not waited for.
    Synchronous,
}

/// Which replicas are asked; the balancer chooses among them. (MongoDB, `readPreference`: `primary`, `primaryPreferred`, `secondary`,
/// `secondaryPreferred`, `nearest`.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The primary. While there is none, they fail with 503.
    #[default]
    Primary,
    /// The followers.
    Replicas,
    /// All alike.
    Any,
    /// The primary; a follower if there is none, if the balancer has found it unhealthy, or for a retry `elsewhere`.
    PreferPrimary,
    /// The followers; the primary if there is none of them, or as above.
    PreferReplicas,
}

/// Another replica becomes the primary when the first has been gone for long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// How long the primary must be down, or stand still, until that is noticed. Until then it gets requests, and afterwards none: from then
    /// on there is no primary.
    pub detect_after: Span,
    /// From then until there is one again: of the replicas that are there, the one that has the most. Of several, the first.
    pub takes: Span,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problem(&self, replicas: u32) -> Option<(&'static str, &'static str)> {
        (replicas < 2).then_some((
            "with a single replica there is nobody who follows",
            "give the service `replicas: 2` or more, or leave `replication` out",
        ))
    }
}

/// The options, as numbers.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom the answer of a write waits for.
    pub mode: Mode,
    /// From the end of a write until a follower has it.
    pub lag: Dist,
    /// When it is noticed that the primary is gone, and how long it then takes until there is another.
    pub failover: Option<(Duration, Duration)>,
}

/// Something happens at a database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// What a write waits for may have happened.
    Replicated(Handle),
    /// It is noticed that the primary is gone.
    Noticed(u32),
    /// There shall be another.
    Chosen(u32),
}

/// One state at the replicas of a service.
#[derive(Debug)]
pub(super) struct Database {
    service: u32,
    plan: Plan,
    replicas: Vec<Replica>,
    /// Where writes go; none, while it is known to be gone and there is no other.
    primary: Option<u32>,
    /// Who is the primary, or was it last.
    last: u32,
    /// How many times there was another primary.
    term: u32,
    /// It was to be chosen, and nobody was there.
    is_vacant: bool,
    noticing: Key,
    /// The position of the latest write; the first has 1.
    head: u64,
    /// The writes that somebody who follows does not have, the latest last.
    log: VecDeque<Write>,
    /// Their positions, by key.
    recent: BTreeMap<u64, VecDeque<u64>>,
    acknowledged: u64,
    lost: u64,
    /// Whom requests can go to: the primary, the followers, and both; in rising order.
    groups: [Vec<u32>; 3],
    facts: Vec<DatabaseFact>,
}

/// A write, from its end at the primary.
#[derive(Clone, Copy, Debug)]
struct Write {
    key: u64,
    /// When it was answered.
    acknowledged: Option<Time>,
}

#[derive(Debug)]
struct Replica {
    role: Role,
    /// Whether its process is there, and does not stand still.
    is_there: bool,
    /// Whether it can go on from where it was: it has not crashed since it last followed, and nobody has replaced it.
    is_whole: bool,
    /// It has the writes up to this position.
    has: u64,
    /// How many of them are acknowledged.
    acknowledged: u64,
    /// When it will have those that follow, as long as the primary is there; each not before the one in front.
    due: VecDeque<Time>,
    latest: Time,
    lag: Stream,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Primary,
    Follower,
    /// It was the primary, or has come back while there was none, and has not been able to follow since.
    Apart,
}

impl Database {
    pub(super) fn new(service: u32, spec: &plan::Service, plan: &Plan, streams: &Streams) -> Self {
        let replica = |number: u32| Replica {
            role: if number == 0 { Role::Primary } else { Role::Follower },
            is_there: true,
            is_whole: true,
            has: 0,
            acknowledged: 0,
            due: VecDeque::new(),
            latest: Time::ZERO,
            lag: streams.named(&format!("service/{}/{number}/lag", spec.name)),
        };
        let mut database = Self {
            service,
            plan: plan.clone(),
            replicas: (0..spec.replicas).map(replica).collect(),
            primary: Some(0),
            last: 0,
            term: 0,
            is_vacant: false,
            noticing: Key::NONE,
            head: 0,
            log: VecDeque::new(),
            recent: BTreeMap::new(),
            acknowledged: 0,
            lost: 0,
            groups: Default::default(),
            facts: Vec::new(),
        };
        database.regroup();
        database
    }

    /// Who may be asked, and if none of those may be, who else.
    pub(super) fn groups(&self, reads: Reads) -> [&[u32]; 2] {
        let [primary, followers, all] = &self.groups;
        match reads {
            Reads::Primary => [primary, &[]],
            Reads::Replicas => [followers, &[]],
            Reads::Any => [all, &[]],
            Reads::PreferPrimary => [primary, followers],
            Reads::PreferReplicas => [followers, primary],
        }
    }

    /// What has become of the primary since it was asked before.
    pub(super) fn news(&mut self) -> Vec<DatabaseFact> {
        std::mem::take(&mut self.facts)
    }

    /// Counts the primaries, if this replica is the present one.
    pub(super) fn term_of(&self, replica: u32) -> Option<u32> {
        (self.primary == Some(replica)).then_some(self.term)
    }

    /// A write has ended at the primary. Returns its position.
    pub(super) fn write(&mut self, key: u64, now: Time) -> u64 {
        self.catch_up(now);
        self.head += 1;
        self.log.push_back(Write { key, acknowledged: None });
        self.recent.entry(key).or_default().push_back(self.head);
        for replica in &mut self.replicas {
            if replica.role == Role::Primary {
                replica.has = self.head;
            } else if replica.follows() {
                let due = (now + self.plan.lag.sample(&mut replica.lag)).max(replica.latest);
                replica.latest = due;
                replica.due.push_back(due);
            }
        }
        self.head
    }

    /// When a write has what it waits for, as far as that is known.
    pub(super) fn ready_at(&self, position: u64, now: Time) -> Time {
        let has_it = |replica: &Replica| match position.checked_sub(replica.has + 1) {
            None => now,
            Some(behind) => replica.due.get(behind as usize).map_or(now, |&due| due.max(now)),
        };
        let followers = self.replicas.iter().filter(|it| it.follows()).map(has_it);
        match self.plan.mode {
            Mode::Asynchronous => None,
            Mode::SemiSynchronous => followers.min(),
            Mode::Synchronous => followers.max(),
        }
        .unwrap_or(now)
    }

    /// A write is answered.
    pub(super) fn acknowledge(&mut self, position: u64, now: Time) {
        self.catch_up(now);
        self.acknowledged += 1;
        let first = self.first();
        if let Some(place) = position.checked_sub(first) {
            self.log[place as usize].acknowledged = Some(now);
        }
        for replica in self.replicas.iter_mut().filter(|it| it.has >= position) {
            replica.acknowledged += 1;
        }
    }

    /// A read that has come at a time has ended at a replica. If it has missed a write of its key that was answered before it came: for
    /// how long that has been missing there.
    pub(super) fn read(&mut self, replica: u32, key: u64, came: Time, now: Time) -> Option<Duration> {
        self.catch_up(now);
        let has = self.replicas[replica as usize].has;
        let first = self.first();
        let missing = self.recent.get(&key).and_then(|positions| {
            let answered = |position: &u64| self.log[(position - first) as usize].acknowledged;
            positions.range(positions.partition_point(|&it| it <= has)..).filter_map(answered).min()
        });
        missing.filter(|&answered| answered <= came).map(|answered| now - answered)
    }

    /// A process has started, crashed, stood still or gone on.
    pub(super) fn heard(&mut self, number: u32, is_up: bool, stands_still: bool, engine: &mut Engine<super::Event>) {
        let now = engine.now();
        self.catch_up(now);
        let is_there = is_up && !stands_still;
        let replica = &mut self.replicas[number as usize];
        let was_there = std::mem::replace(&mut replica.is_there, is_there);
        if !is_up && replica.role != Role::Primary {
            replica.is_whole = false;
        }
        let can_go_on = replica.is_whole;
        match (was_there, is_there) {
            (true, false) if self.primary == Some(number) => {
                // What was under way to the others is gone with it.
                self.replicas.iter_mut().for_each(|it| it.due.clear());
                self.facts.push(DatabaseFact::Primary { is_there: false });
                if let Some((after, _)) = self.plan.failover {
                    self.noticing = engine.after(after, super::Event::Replication(Event::Noticed(self.service)));
                }
            }
            (true, false) => self.replicas[number as usize].due.clear(),
            (false, true) if self.primary == Some(number) => {
                engine.cancel(self.noticing);
                self.facts.push(DatabaseFact::Primary { is_there: true });
                self.all_follow(now);
            }
            (false, true) if self.is_vacant => self.promote(number, now),
            (false, true) if self.primary_is_there() => self.follow(number, now),
            // There is nobody to follow.
            (false, true) if !can_go_on => self.replicas[number as usize].role = Role::Apart,
            _ => {}
        }
        self.regroup();
    }

    /// It is noticed that the primary is gone.
    pub(super) fn noticed(&mut self, engine: &mut Engine<super::Event>) {
        let old = &mut self.replicas[self.last as usize];
        old.role = Role::Apart;
        old.is_whole = false;
        self.primary = None;
        self.regroup();
        let takes = self.plan.failover.map_or(Duration::ZERO, |it| it.1);
        engine.after(takes, super::Event::Replication(Event::Chosen(self.service)));
    }

    /// There shall be another primary.
    pub(super) fn choose(&mut self, now: Time) {
        let there = self.replicas.iter().enumerate().filter(|(_, it)| it.is_there);
        // Of several that have as much, the last that is compared: the first.
        match there.rev().max_by_key(|(_, it)| it.has).map(|(number, _)| number) {
            Some(number) => self.promote(number as u32, now),
            None => self.is_vacant = true,
        }
    }

    fn promote(&mut self, number: u32, now: Time) {
        let (has, held) = (self.replicas[number as usize].has, self.replicas[number as usize].acknowledged);
        let lost = self.replicas[self.last as usize].acknowledged - held;
        self.cut(has, lost);
        // Nobody keeps what the primary does not have.
        for replica in self.replicas.iter_mut().filter(|it| it.has > has) {
            replica.has = has;
            replica.acknowledged = held;
            replica.is_whole = false;
        }
        self.lost += lost;
        if lost > 0 {
            self.facts.push(DatabaseFact::Lost(lost));
        }
        if number != self.last {
            self.facts.push(DatabaseFact::FailedOver);
        }
        self.facts.push(DatabaseFact::Primary { is_there: true });
        self.replicas[number as usize].role = Role::Primary;
        self.replicas[number as usize].is_whole = true;
        self.primary = Some(number);
        self.last = number;
        self.term += 1;
        self.is_vacant = false;
        self.all_follow(now);
        self.regroup();
    }

    /// The writes behind this position have never happened.
    fn cut(&mut self, position: u64, lost: u64) {
        let all_are_here = position + 1 >= self.first();
        let mut acknowledged = 0;
        while self.head > position {
            self.head -= 1;
            let Some(write) = self.log.pop_back() else { continue };
            acknowledged += u64::from(write.acknowledged.is_some());
            let positions = self.recent.get_mut(&write.key).expect("a write in the log is listed under its key");
            positions.pop_back();
            if positions.is_empty() {
                self.recent.remove(&write.key);
            }
        }
        assert!(!all_are_here || acknowledged == lost, "{acknowledged} writes are lost, and {lost} are missing");
    }

    fn primary_is_there(&self) -> bool {
        self.primary.is_some_and(|it| self.replicas[it as usize].is_there)
    }

    fn all_follow(&mut self, now: Time) {
        for number in 0..self.replicas.len() as u32 {
            if self.replicas[number as usize].is_there && self.primary != Some(number) {
                self.follow(number, now);
            }
        }
    }

    /// A replica follows the primary, which is there: from where it was, or from a copy of all that the primary has.
    fn follow(&mut self, number: u32, now: Time) {
        let held = self.replicas[self.last as usize].acknowledged;
        let replica = &mut self.replicas[number as usize];
        replica.due.clear();
        replica.role = Role::Follower;
        if replica.is_whole {
            let due = now + self.plan.lag.sample(&mut replica.lag);
            replica.due.extend((replica.has..self.head).map(|_| due));
            replica.latest = due;
        } else {
            replica.is_whole = true;
            replica.has = self.head;
            replica.acknowledged = held;
            replica.latest = now;
        }
    }

    /// Followers have what has reached them by now; what all of them have is forgotten.
    fn catch_up(&mut self, now: Time) {
        let (first, head) = (self.first(), self.head);
        for replica in &mut self.replicas {
            while replica.due.front().is_some_and(|&due| due <= now) {
                replica.due.pop_front();
                replica.has += 1;
                let write = &self.log[(replica.has - first) as usize];
                replica.acknowledged += u64::from(write.acknowledged.is_some());
            }
        }
        let waits = |it: &&Replica| it.role == Role::Follower && it.is_whole;
        let all_have = self.replicas.iter().filter(waits).map(|it| it.has).min().unwrap_or(head);
        for _ in first..=all_have {
            let write = self.log.pop_front().expect("what somebody had not is in the log");
            let positions = self.recent.get_mut(&write.key).expect("a write in the log is listed under its key");
            positions.pop_front();
            if positions.is_empty() {
                self.recent.remove(&write.key);
            }
        }
    }

    /// The position of the first write in the log.
    fn first(&self) -> u64 {
        self.head + 1 - self.log.len() as u64
    }

    fn regroup(&mut self) {
        let numbers = |with: &dyn Fn(&Replica) -> bool| {
            (0..).zip(&self.replicas).filter(|(_, it)| with(it)).map(|(number, _)| number).collect()
        };
        self.groups = [
            numbers(&|it| it.role == Role::Primary),
            numbers(&|it| it.role == Role::Follower),
            numbers(&|it| it.role != Role::Apart),
        ];
    }

    pub(super) fn bytes(&self) -> usize {
        let due: usize = self.replicas.iter().map(|it| it.due.len() * size_of::<Time>()).sum();
        self.log.len() * (size_of::<Write>() + size_of::<u64>()) + self.recent.len() * 64 + due
    }

    /// Conservation, asserted at the end of each run.
    pub(super) fn check_sums(&self) {
        let held = self.replicas[self.last as usize].acknowledged;
        assert_eq!(self.acknowledged, held + self.lost, "writes that were acknowledged, and those held or lost");
        assert!(self.replicas.iter().all(|it| it.has <= self.head && it.acknowledged <= held), "a follower has more");
    }
}

impl Replica {
    /// Whether writes are under way to it, if the primary is there.
    fn follows(&self) -> bool {
        self.role == Role::Follower && self.is_there && self.is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::replication;

    fn database(mode: Mode) -> Database {
        let service = plan::Service {
            memory: None,
            connections: None,
            name: "db".to_owned(),
            replicas: 3,
            workers: 1,
            cpus: 1,
            queue: Default::default(),
            shed: None,
            limit: None,
            rate_limit: None,
            balance: Default::default(),
            zones: Vec::new(),
            releases_worker: false,
            cancel: plan::Cancel::None,
            deadline: false,
            slowdown: plan::Slowdown::None,
            startup: Duration::ZERO,
            warmup: (Duration::ZERO, 1.0),
            refusal: None,
            has_own_workers: false,
            operations: Vec::new(),
            replication: None,
        };
        let plan = replication::Plan { mode, lag: Dist::Constant(Duration::from_millis(100)), failover: None };
        Database::new(0, &service, &plan, &Streams::new(1))
    }

    fn at(ms: u64) -> Time {
        Time::ZERO + Duration::from_millis(ms)
    }

    /// A hundred thousand keys, one each millisecond: what is remembered is what was written within the lag.
    #[test]
    fn only_keys_that_somebody_has_not_got_are_remembered() {
        let mut database = database(Mode::Asynchronous);
        for ms in 0..100_000 {
            let position = database.write(ms, at(ms));
            database.acknowledge(position, at(ms));
            assert!(database.log.len() <= 101 && database.recent.len() <= 101, "{} at {ms} ms", database.log.len());
        }
        assert_eq!(database.read(1, 99_950, at(100_000), at(100_000)), Some(Duration::from_millis(50)));
        assert_eq!(database.read(1, 99_900, at(100_000), at(100_000)), None);
        assert_eq!(database.read(0, 99_950, at(100_000), at(100_000)), None);
        database.catch_up(at(200_000));
        assert!(database.log.is_empty() && database.recent.is_empty());
        database.check_sums();
    }

    #[test]
    fn what_is_not_acknowledged_is_not_missed() {
        let mut database = database(Mode::Synchronous);
        let position = database.write(7, at(0));
        assert_eq!(database.ready_at(position, at(0)), at(100));
        assert_eq!(database.read(1, 7, at(50), at(50)), None);
        database.acknowledge(position, at(100));
        assert_eq!(database.read(1, 7, at(150), at(150)), None);
        database.check_sums();
    }
}
