//! What a caller knows of the replicas, and which of them it may pick for a request.
//!
//! ```text
//!   all replicas ─► the own zone, or the others ─► the healthy ones ─► not the one to avoid ─► the algorithm picks
//!                     (zones)                       (or all: panic)                              │    ▲
//!                                                                       taken ◄─ warm enough? ◄──┘    │ no: another
//!                                                                                (slow_start) ────────┘
//! ```
//!
//! The panic threshold is Envoy's: when fewer than this share are healthy, the rest would be overloaded, and the
//! judgement about the others is likely to be wrong; so health is ignored. With zones, each side has its own, and only
//! panics if both together cannot carry the load.

use super::health_check::Checks;
use super::outlier_ejection::Outliers;
use super::slow_start::SlowStart;
use super::{Balance, News, pick_some, zones};
use crate::engine::{Stream, Time};
use crate::outcome::Outcome;

#[derive(Debug)]
pub(super) struct Health {
    judges: Judges,
    slow_start: Option<SlowStart>,
    /// Below this share of healthy replicas health is ignored.
    panic: f64,
    all: Group,
    zones: Option<Zones>,
    /// Whether something has changed since the groups were made.
    is_stale: bool,
    /// Candidates of the present pick.
    candidates: Vec<u32>,
    back: Vec<u32>,
    told: (u32, u64, u32),
}

/// Who tells which replicas are healthy.
#[derive(Debug)]
pub(super) struct Judges {
    pub outliers: Option<Outliers>,
    pub checks: Option<Checks>,
}

impl Judges {
    pub(super) fn are_there(&self) -> bool {
        self.outliers.is_some() || self.checks.is_some()
    }

    fn is_healthy(&self, replica: usize) -> bool {
        self.outliers.as_ref().is_none_or(|it| !it.is_ejected(replica))
            && self.checks.as_ref().is_none_or(|it| it.is_healthy(replica))
    }

    fn counts(&self) -> (u32, u64, u32) {
        let (ejected, ejections) = self.outliers.as_ref().map_or((0, 0), Outliers::count);
        (ejected, ejections, self.checks.as_ref().map_or(0, Checks::unhealthy))
    }
}

/// The two sides between which a caller in a zone chooses.
#[derive(Debug)]
pub(super) struct Zones {
    spec: zones::Spec,
    own: Group,
    others: Group,
    /// The share of the requests that stays in the own zone; none while nobody looks at zones.
    stays: Option<f64>,
    chance: Stream,
}

impl Zones {
    /// A caller in a zone, and the zone of each replica.
    pub(super) fn new(spec: zones::Spec, own: u32, of_replicas: &[u32], chance: Stream) -> Self {
        let numbers = || (0..).zip(of_replicas);
        let members = |at_home: bool| {
            numbers().filter(|&(_, &zone)| (zone == own) == at_home).map(|(replica, _)| replica).collect()
        };
        Self { spec, own: Group::new(members(true)), others: Group::new(members(false)), stays: None, chance }
    }

    fn refresh(&mut self, all: &Group, judges: &Judges, panic: f64) {
        self.own.refresh(judges);
        self.others.refresh(judges);
        let (own, others) = (self.own.share(), self.others.share());
        let calm = self.spec.suffices(own, others);
        self.own.panics = !calm && own < panic;
        self.others.panics = !calm && others < panic;
        let counts = all.healthy.len() >= self.spec.minimum_replicas as usize && !self.own.members.is_empty();
        self.stays = counts.then(|| self.spec.stays(own, others));
    }
}

/// Some replicas, in rising order.
#[derive(Debug)]
struct Group {
    members: Vec<u32>,
    healthy: Vec<u32>,
    /// Whether health is ignored.
    panics: bool,
}

impl Group {
    fn new(members: Vec<u32>) -> Self {
        Self { healthy: members.clone(), members, panics: false }
    }

    fn refresh(&mut self, judges: &Judges) {
        self.healthy.clear();
        self.healthy.extend(self.members.iter().filter(|&&replica| judges.is_healthy(replica as usize)));
    }

    /// The share of the replicas that are healthy.
    fn share(&self) -> f64 {
        if self.members.is_empty() { 0.0 } else { self.healthy.len() as f64 / self.members.len() as f64 }
    }

    fn usable(&self) -> &[u32] {
        if self.panics { &self.members } else { &self.healthy }
    }
}

impl Health {
    pub(super) fn new(
        replicas: usize,
        panic: f64,
        judges: Judges,
        slow_start: Option<SlowStart>,
        zones: Option<Zones>,
    ) -> Self {
        Self {
            judges,
            slow_start,
            panic,
            all: Group::new((0..replicas as u32).collect()),
            zones,
            is_stale: true,
            candidates: Vec::new(),
            back: Vec::new(),
            told: (0, 0, 0),
        }
    }

    /// The replica for the next request; [`None`] if none may be picked.
    pub(super) fn pick(&mut self, by: &mut dyn Balance, now: Time, key: u64, avoid: Option<usize>) -> Option<usize> {
        self.look(now);
        if std::mem::take(&mut self.is_stale) {
            self.refresh();
        }
        let avoid = avoid.map(|replica| replica as u32);
        let usable = match &mut self.zones {
            Some(Zones { stays: Some(stays), own, others, chance, spec }) => {
                let home = *stays >= 1.0 || (*stays > 0.0 && chance.chance(*stays));
                let (first, second) = if home { (&*own, &*others) } else { (&*others, &*own) };
                let only_avoided = avoid.is_some_and(|avoid| first.usable() == [avoid]);
                if only_avoided && spec.spill_over && !second.usable().is_empty() {
                    second.usable()
                } else {
                    first.usable()
                }
            }
            _ => self.all.usable(),
        };
        let slow_start = self.slow_start.as_mut().filter(|it| it.is_on(now));
        let avoid = avoid.filter(|avoid| usable.len() > 1 && usable.contains(avoid));
        if slow_start.is_none() && avoid.is_none() {
            return (!usable.is_empty()).then(|| by.pick_among(key, usable));
        }
        self.candidates.clear();
        self.candidates.extend(usable.iter().filter(|&&replica| Some(replica) != avoid));
        let Some(slow_start) = slow_start else { return Some(by.pick_among(key, &self.candidates)) };
        while !self.candidates.is_empty() {
            let replica = by.pick_among(key, &self.candidates);
            if self.candidates.len() == 1 || slow_start.takes(replica, now) {
                return Some(replica);
            }
            self.candidates.retain(|&other| other as usize != replica);
        }
        None
    }

    /// As [`Health::pick`], among the replicas of the first of these groups that has one. Those of the zone that would be picked from come
    /// before the others, whatever spills over: there may be none of the group in it.
    pub(super) fn pick_of(
        &mut self,
        by: &mut dyn Balance,
        groups: [&[u32]; 2],
        now: Time,
        key: u64,
        avoid: Option<usize>,
    ) -> Option<usize> {
        self.look(now);
        if std::mem::take(&mut self.is_stale) {
            self.refresh();
        }
        let sides = match &mut self.zones {
            Some(Zones { stays: Some(stays), own, others, chance, .. }) => {
                let home = *stays >= 1.0 || (*stays > 0.0 && chance.chance(*stays));
                if home { [own.usable(), others.usable()] } else { [others.usable(), own.usable()] }
            }
            _ => [self.all.usable(), &[]],
        };
        let mut slow_start = self.slow_start.as_mut().filter(|it| it.is_on(now));
        for but in [avoid.map(|replica| replica as u32), None] {
            for (group, side) in groups.into_iter().flat_map(|group| sides.map(|side| (group, side))) {
                self.candidates.clear();
                let may = |replica: &&u32| Some(**replica) != but && side.binary_search(replica).is_ok();
                self.candidates.extend(group.iter().filter(may));
                while !self.candidates.is_empty() {
                    let replica = pick_some(by, key, &self.candidates);
                    let takes = |it: &mut &mut SlowStart| it.takes(replica, now);
                    if self.candidates.len() == 1 || slow_start.as_mut().is_none_or(takes) {
                        return Some(replica);
                    }
                    self.candidates.retain(|&other| other as usize != replica);
                }
            }
        }
        None
    }

    /// The caller has its answer, or has stopped waiting for it.
    pub(super) fn done(&mut self, replica: usize, outcome: Outcome, now: Time) {
        self.look(now);
        if let Some(outliers) = &mut self.judges.outliers {
            self.is_stale |= outliers.ended(replica, outcome, now);
        }
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, replica: usize, well: bool, now: Time) {
        let changed = self.judges.checks.as_mut().is_some_and(|it| it.probed(replica, well));
        self.is_stale |= changed;
        if changed && well {
            self.started(replica, now);
        }
    }

    /// A replica has started up.
    pub(super) fn started(&mut self, replica: usize, now: Time) {
        if let Some(slow_start) = &mut self.slow_start {
            slow_start.is_back(replica, now);
        }
    }

    /// The caller starts afresh.
    pub(super) fn reset(&mut self) {
        if let Some(outliers) = &mut self.judges.outliers {
            outliers.reset();
        }
        if let Some(checks) = &mut self.judges.checks {
            checks.reset();
        }
        if let Some(slow_start) = &mut self.slow_start {
            slow_start.reset();
        }
        self.is_stale = true;
    }

    /// What has changed since it was asked before.
    pub(super) fn news(&mut self) -> Option<News> {
        let now = self.judges.counts();
        let before = std::mem::replace(&mut self.told, now);
        let more = |now: u32, before: u32| i64::from(now) - i64::from(before);
        (now != before).then(|| News {
            ejected: more(now.0, before.0),
            ejections: now.1 - before.1,
            unhealthy: more(now.2, before.2),
        })
    }

    fn look(&mut self, now: Time) {
        let Some(outliers) = &mut self.judges.outliers else { return };
        if outliers.look(now, &mut self.back) {
            self.is_stale = true;
            for replica in self.back.drain(..) {
                if let Some(slow_start) = &mut self.slow_start {
                    slow_start.is_back(replica as usize, now);
                }
            }
        }
    }

    fn refresh(&mut self) {
        self.all.refresh(&self.judges);
        self.all.panics = self.all.share() < self.panic;
        if let Some(zones) = &mut self.zones {
            zones.refresh(&self.all, &self.judges, self.panic);
        }
    }
}
