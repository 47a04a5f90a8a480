//! Which replica gets a request.
//!
//! ```text
//!   Balancer: is anything known of the replicas? ── no ──► the algorithm picks one of all
//!                  │ yes (health)
//!                  └─► who may be picked: zones, ejections, panic ─► the algorithm picks one of these ─► slow start
//! ```
//!
//! Each caller instance has a balancer of its own for each service that it calls, and sees only its own requests,
//! as client-side balancers do. By itself a balancer does not know which replicas are healthy: a crashed one still gets
//! its share. The options around the algorithm learn it from what becomes of the requests, or ask. One file each; algorithms in one
//! list, [`By`].

mod health;
pub mod health_check;
mod least_requests;
pub mod outlier_ejection;
mod power_of_choices;
mod random;
mod ring_hash;
mod round_robin;
pub mod slow_start;
mod weighted;
pub mod zones;

use std::fmt::Debug;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Streams, Time};
use crate::outcome::Outcome;
use crate::policy::{Pattern, patterns};
use crate::scenario::tree::or_short;
use crate::scenario::units::Share;
use crate::short_form;

use health::{Health, Judges, Zones};
use health_check::Checks;
use outlier_ejection::Outliers;
use ring_hash::Ring;
use slow_start::SlowStart;

/// How callers choose among the replicas of a service. Short form: the algorithm, if it is a word: `balance: random`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = or_word)]
#[schemars(rename = "Balance")]
pub struct Spec {
    /// The algorithm. Default: `round_robin`.
    #[serde(default)]
    pub by: By,
    /// Do not pick replicas that keep failing. Default: all are picked.
    #[serde(default)]
    pub outlier_ejection: Option<outlier_ejection::Spec>,
    /// Ask each replica now and then whether it is well. Default: nobody asks.
    #[serde(default)]
    pub health_check: Option<health_check::Spec>,
    /// When fewer than this share of the replicas are healthy, all are picked, healthy or not. 0%: never; if none is
    /// healthy, a request then ends with `unavailable`. Default: 50%, as in Envoy.
    #[serde(default)]
    pub panic_threshold: Option<Share>,
    /// Give replicas that have come back a share that grows. Default: they get their full share at once.
    #[serde(default)]
    pub slow_start: Option<slow_start::Spec>,
    /// Prefer the replicas of the caller's own zone. Default: nobody looks at zones.
    #[serde(default)]
    pub zones: Option<zones::Spec>,
}

short_form!(Spec, By, |by| Spec { by, ..Spec::default() });

/// The schema allows the short form too: those algorithms that are a word.
fn or_word(schema: &mut schemars::Schema) {
    or_short::<By>(schema);
    let algorithms = schema.pointer_mut("/anyOf/0/oneOf").and_then(serde_json::Value::as_array_mut);
    algorithms.expect("there is a list of algorithms").retain(|it| it["type"] == "string");
}

/// An algorithm of balancing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Algorithm")]
pub enum By {
    /// One after the other, from a start that is drawn for each caller.
    #[default]
    RoundRobin,
    /// Each time another, drawn.
    Random,
    /// The replica with the fewest requests of this caller under way; ties are drawn. A replica that fails fast
    /// has few under way and attracts traffic (a sinkhole). (nginx: `least_conn`; HAProxy: `leastconn`. Not `LEAST_REQUEST` of Envoy, which
    /// is `power_of_two`.)
    LeastRequests,
    /// Two are drawn, the one with fewer requests under way is taken (Mitzenmacher 2001). (Envoy: `LEAST_REQUEST`; gRPC:
    /// `least_request`; Finagle: `p2c`.)
    PowerOfTwo,
    /// As `power_of_two` with another number of draws: `{ by: { power_of_choices: 3 } }`. (Envoy and gRPC: `choice_count`.)
    PowerOfChoices(u32),
    /// In proportion to weights, one for each replica, in a smooth order: `{ by: { weighted: [5, 1, 1] } }`.
    Weighted(Vec<u32>),
    /// By what the request is about, its key (`keys` of clients and calls): each key has its replica, and goes to the next
    /// on the ring while that one may not be picked. Each replica has 160 points on the ring. (Envoy: `RING_HASH`; elsewhere: consistent
    /// hashing.)
    RingHash,
    /// As `ring_hash` with another number of points for each replica: `{ by: { ring_of_points: 10 } }`. Fewer make the
    /// shares of the replicas more uneven.
    RingOfPoints(u32),
}

/// Every pattern of balancers: `list patterns` and `explain` print them.
pub const PATTERNS: &[Pattern] = patterns! {
    "weighted": "give replicas shares in proportion to their weights";
    "ring_hash": "give each key a replica of its own, and the next one while that is away";
    "zones": "prefer the replicas in the caller's zone, and spill over when they are too few";
    "outlier_ejection": "do not pick a replica for a time after it has failed too often";
    "health_check": "ask each replica now and then whether it is well";
    "panic_threshold": "ignore health when too few replicas are healthy";
    "slow_start": "give a replica that has come back a share that grows";
};

/// Most points of a replica on a ring.
const MOST_POINTS: u32 = 10_000;
/// The largest weight of a replica.
const MOST_WEIGHT: u32 = 1_000_000;

impl By {
    /// The points of each replica, if the keys of requests decide.
    pub(crate) fn points(&self) -> Option<u32> {
        match self {
            Self::RingHash => Some(ring_hash::POINTS),
            Self::RingOfPoints(points) => Some(*points),
            _ => None,
        }
    }

    fn problem(&self, replicas: u32) -> Option<(String, String)> {
        let (what, way_out) = match self {
            Self::PowerOfChoices(0) => {
                ("no choice at all".to_owned(), "give `power_of_choices` at least 1; 2 is `power_of_two`".to_owned())
            }
            Self::PowerOfChoices(1001..) => {
                ("more choices than anybody needs".to_owned(), "give `power_of_choices` at most 1,000".to_owned())
            }
            Self::Weighted(weights) if weights.len() != replicas as usize => (
                format!("{} weights for {replicas} replicas", weights.len()),
                "give each replica a weight, in their order".to_owned(),
            ),
            Self::Weighted(weights) if weights.iter().any(|weight| !(1..=MOST_WEIGHT).contains(weight)) => (
                format!("a weight must be between 1 and {MOST_WEIGHT}"),
                "for instance `weighted: [5, 1, 1]`".to_owned(),
            ),
            Self::RingOfPoints(points) if !(1..=MOST_POINTS).contains(points) => (
                format!("a replica must have between 1 and {MOST_POINTS} points on the ring"),
                "`ring_hash` has 160".to_owned(),
            ),
            _ => return None,
        };
        Some((what, way_out))
    }
}

impl Spec {
    /// What is wrong with the options, in words, with a way out.
    pub(crate) fn problems(&self, replicas: u32) -> Vec<(String, String)> {
        let owned = |(what, way_out): (&str, &str)| (what.to_owned(), way_out.to_owned());
        let mut found: Vec<(String, String)> = self.by.problem(replicas).into_iter().collect();
        found.extend(self.outlier_ejection.as_ref().and_then(outlier_ejection::Spec::problem).map(owned));
        found.extend(self.slow_start.as_ref().and_then(slow_start::Spec::problem).map(owned));
        found.extend(self.health_check.as_ref().and_then(health_check::Spec::problem).map(owned));
        found.extend(self.zones.as_ref().and_then(zones::Spec::problem).map(owned));
        if self.panic_threshold.is_some() && self.outlier_ejection.is_none() && self.health_check.is_none() {
            found.push(owned((
                "nothing here tells who is healthy: `panic_threshold` has no effect",
                "add `outlier_ejection: {}` or a `health_check`",
            )));
        }
        if self.slow_start.is_some() && self.by.points().is_some() {
            found.push(owned((
                "a ring gives each key a replica: `slow_start` would send it now here, now there",
                "leave `slow_start` out, or choose another algorithm",
            )));
        }
        found
    }

    /// The ring that all callers have in common, if there is one.
    pub(crate) fn ring(&self, replicas: usize, service: &str, streams: &Streams) -> Option<Arc<Ring>> {
        let points = self.by.points()?;
        Some(Arc::new(Ring::new(replicas, points, streams.named(&format!("service/{service}/ring")))))
    }

    /// A fresh balancer of this name.
    pub(crate) fn build(&self, place: &Place<'_>, name: &str, streams: &Streams) -> Balancer {
        let replicas = place.replicas;
        let stream = |what: &str| streams.named(&format!("{name}/{what}"));
        let zones = match (&self.zones, place.zone) {
            (Some(spec), Some(own)) => Some(Zones::new(*spec, own, place.zones, stream("zones"))),
            _ => None,
        };
        let outliers = self.outlier_ejection.as_ref().map(|spec| Outliers::new(spec, replicas));
        let slow_start = self.slow_start.map(|spec| SlowStart::new(spec, replicas, stream("slow_start")));
        let checks = self.health_check.as_ref().map(|spec| Checks::new(spec, replicas));
        let judges = Judges { outliers, checks };
        let health = (zones.is_some() || judges.are_there() || slow_start.is_some()).then(|| {
            let panic = self.panic_threshold.map_or(0.5, |share| share.0);
            Box::new(Health::new(replicas, panic, judges, slow_start, zones))
        });
        Balancer { by: self.by.build(place, name, streams), health }
    }
}

/// Where a balancer stands: what it chooses from, and for whom.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// How many replicas there are.
    pub replicas: usize,
    /// The ring, for algorithms that need it.
    pub ring: Option<&'a Arc<Ring>>,
    /// The zone of the caller.
    pub zone: Option<u32>,
    /// The zones of the replicas, if they have any.
    pub zones: &'a [u32],
}

impl By {
    fn build(&self, place: &Place<'_>, name: &str, streams: &Streams) -> Box<dyn Balance> {
        let replicas = place.replicas;
        let mut chance = streams.named(name);
        match self {
            Self::RoundRobin => {
                let start = if replicas == 0 { 0 } else { chance.below(replicas as u64) as usize };
                Box::new(round_robin::RoundRobin::new(replicas, start))
            }
            Self::Random => Box::new(random::Random::new(replicas, chance)),
            Self::LeastRequests => Box::new(least_requests::LeastRequests::new(replicas, chance)),
            Self::PowerOfTwo => Box::new(power_of_choices::PowerOfChoices::new(replicas, 2, chance)),
            Self::PowerOfChoices(choices) => {
                Box::new(power_of_choices::PowerOfChoices::new(replicas, (*choices).max(1), chance))
            }
            Self::Weighted(weights) => Box::new(weighted::Weighted::new(weights, chance)),
            Self::RingHash | Self::RingOfPoints(_) => {
                let ring = place.ring.expect("a service that goes by keys has a ring");
                Box::new(ring_hash::RingHash::new(Arc::clone(ring)))
            }
        }
    }
}

/// An algorithm of balancing: a caller's view of the replicas of a service.
pub trait Balance: Debug + Send {
    /// The replica for a request about this key; not `avoid` if there is another. [`None`] when there are no replicas.
    fn pick(&mut self, key: u64, avoid: Option<usize>) -> Option<usize>;
    /// The same among some replicas only: at least one, in rising order.
    fn pick_among(&mut self, key: u64, among: &[u32]) -> usize;
    /// A request was sent to this replica.
    fn sent(&mut self, _replica: usize) {}
    /// The caller has its answer, or has stopped waiting for it.
    fn done(&mut self, _replica: usize) {}
    /// Whether it knows of no request under way. Asserted at the end of runs in which nothing is.
    fn at_rest(&self) -> bool {
        true
    }
}

/// What has changed in a balancer's view of the replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// By how many more are ejected.
    pub ejected: i64,
    /// Ejections since.
    pub ejections: u64,
    /// By how many more are unhealthy, as their probes say.
    pub unhealthy: i64,
}

/// What a caller has for a service: an algorithm, and what is known of the replicas.
#[derive(Debug)]
pub(crate) struct Balancer {
    by: Box<dyn Balance>,
    /// None, if no option asks for it: then all replicas are alike for ever.
    health: Option<Box<Health>>,
}

impl Balancer {
    /// The replica for a request about this key; not `avoid` if there is another that may be picked. [`None`] when none
    /// may.
    pub(crate) fn pick(&mut self, now: Time, key: u64, avoid: Option<usize>) -> Option<usize> {
        match &mut self.health {
            None => self.by.pick(key, avoid),
            Some(health) => health.pick(self.by.as_mut(), now, key, avoid),
        }
    }

    /// As [`Balancer::pick`], among the replicas of the first of these groups that has one: only some may serve the request. They are
    /// in rising order. One that is to be avoided is rather left for the second group.
    pub(crate) fn pick_of(&mut self, groups: [&[u32]; 2], now: Time, key: u64, avoid: Option<usize>) -> Option<usize> {
        match &mut self.health {
            None => {
                let but = avoid.map(|replica| replica as u32);
                for but in [but, None] {
                    for group in groups {
                        let may = |replica: &u32| Some(*replica) != but;
                        if group.iter().all(may) && !group.is_empty() {
                            return Some(pick_some(self.by.as_mut(), key, group));
                        }
                        let some: Vec<u32> = group.iter().copied().filter(may).collect();
                        if !some.is_empty() {
                            return Some(pick_some(self.by.as_mut(), key, &some));
                        }
                    }
                }
                None
            }
            Some(health) => health.pick_of(self.by.as_mut(), groups, now, key, avoid),
        }
    }

    /// A request was sent to this replica.
    pub(crate) fn sent(&mut self, replica: usize) {
        self.by.sent(replica);
    }

    /// The caller has its answer, or has stopped waiting for it: because of a timeout of its own ([`Outcome::Timeout`]), or
    /// because nobody wants it any more ([`Outcome::Cancelled`]).
    pub(crate) fn done(&mut self, replica: usize, outcome: Outcome, now: Time) {
        self.by.done(replica);
        if let Some(health) = &mut self.health {
            health.done(replica, outcome, now);
        }
    }

    /// A replica has started up.
    pub(crate) fn started(&mut self, replica: usize, now: Time) {
        if let Some(health) = &mut self.health {
            health.started(replica, now);
        }
    }

    /// The caller starts afresh, and knows nothing of the replicas any more.
    pub(crate) fn reset(&mut self) {
        if let Some(health) = &mut self.health {
            health.reset();
        }
    }

    /// A probe of this replica has ended.
    pub(crate) fn probed(&mut self, replica: usize, well: bool, now: Time) {
        if let Some(health) = &mut self.health {
            health.probed(replica, well, now);
        }
    }

    /// What it thinks of the replicas, if that has changed since it was asked before.
    pub(crate) fn news(&mut self) -> Option<News> {
        self.health.as_mut()?.news()
    }

    /// Whether it knows of no request under way.
    pub(crate) fn at_rest(&self) -> bool {
        self.by.at_rest()
    }
}

/// Picks one of these. Where there is no choice, the turns of those who are chosen among others stay what they are.
fn pick_some(by: &mut dyn Balance, key: u64, among: &[u32]) -> usize {
    match among {
        [only] => *only as usize,
        _ => by.pick_among(key, among),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Duration;
    use crate::scenario::units::Span;

    fn all(replicas: usize) -> Vec<By> {
        let weights = (0..replicas as u32).map(|_| 2).collect();
        let three = [By::PowerOfChoices(3), By::Weighted(weights), By::RingHash];
        [By::RoundRobin, By::Random, By::LeastRequests, By::PowerOfTwo].into_iter().chain(three).collect()
    }

    fn at(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    /// A balancer of a caller in zone 0 over replicas in the zones 0, 1, 2, 0, 1, …
    fn balancer(spec: &Spec, replicas: usize) -> Balancer {
        assert_eq!(spec.problems(replicas as u32), [], "{spec:?}");
        let streams = Streams::new(7);
        let ring = spec.ring(replicas, "test", &streams);
        let zones: Vec<u32> = (0..replicas as u32).map(|replica| replica % 3).collect();
        let place = Place { replicas, ring: ring.as_ref(), zone: Some(0), zones: &zones };
        spec.build(&place, "test", &streams)
    }

    fn plain(by: By, replicas: usize) -> Balancer {
        balancer(&by.into(), replicas)
    }

    /// How many of the requests, each with a key of its own, each replica gets at a time.
    fn seen(balancer: &mut Balancer, replicas: usize, now: Time, requests: u64) -> Vec<u64> {
        let mut seen = vec![0; replicas];
        for key in 0..requests {
            let replica = balancer.pick(now, key, None).expect("there are replicas");
            balancer.sent(replica);
            balancer.done(replica, Outcome::Cancelled, now);
            seen[replica] += 1;
        }
        seen
    }

    /// Five requests to a replica fail.
    fn fail(balancer: &mut Balancer, replica: usize, now: Time) {
        for _ in 0..5 {
            balancer.sent(replica);
            balancer.done(replica, Outcome::Error, now);
        }
    }

    fn ejecting(by: By, max_ejected: f64) -> Spec {
        let ejection = outlier_ejection::Spec { max_ejected: Some(Share(max_ejected)), ..Default::default() };
        Spec { by, outlier_ejection: Some(ejection), ..Spec::default() }
    }

    fn ejections(ejected: i64, ejections: u64) -> Option<News> {
        Some(News { ejected, ejections, ..News::default() })
    }

    #[test]
    fn no_replicas_no_choice() {
        for by in all(0) {
            assert_eq!(plain(by.clone(), 0).pick(at(0), 1, None), None, "{by:?}");
            assert_eq!(balancer(&ejecting(by.clone(), 1.0), 0).pick(at(0), 1, None), None, "{by:?}");
        }
    }

    #[test]
    fn the_only_replica_is_chosen_even_when_it_is_to_be_avoided() {
        for by in all(1) {
            assert_eq!(plain(by.clone(), 1).pick(at(0), 1, Some(0)), Some(0), "{by:?}");
            assert_eq!(balancer(&ejecting(by.clone(), 1.0), 1).pick(at(0), 1, Some(0)), Some(0), "{by:?}");
        }
    }

    #[test]
    fn another_replica_is_chosen_when_there_is_one() {
        for by in all(3) {
            for mut balance in [plain(by.clone(), 3), balancer(&ejecting(by.clone(), 1.0), 3)] {
                for key in 0..200 {
                    assert_ne!(balance.pick(at(0), key, Some(1)), Some(1), "{by:?}");
                }
            }
        }
    }

    #[test]
    fn every_replica_gets_its_share() {
        for by in all(4) {
            for spec in [by.clone().into(), ejecting(by.clone(), 1.0)] {
                let seen = seen(&mut balancer(&spec, 4), 4, at(0), 4_000);
                // Binomial(4000, 1/4): five standard deviations are 137. The arcs of a ring with 160 points deviate by
                // another 8 % of the share, 80.
                let most = if by == By::RingHash { 5 * 85 } else { 137 };
                assert!(seen.iter().all(|&n| n.abs_diff(1_000) < most), "{by:?}: {seen:?}");
            }
        }
    }

    #[test]
    fn least_requests_prefers_the_idle() {
        for by in [By::LeastRequests, By::PowerOfChoices(64)] {
            for spec in [by.clone().into(), ejecting(by.clone(), 1.0)] {
                let mut balance = balancer(&spec, 3);
                balance.sent(0);
                balance.sent(1);
                for _ in 0..20 {
                    assert_eq!(balance.pick(at(0), 1, None), Some(2), "{by:?}");
                }
            }
        }
    }

    #[test]
    fn an_ejected_replica_gets_nothing_until_it_is_back() {
        for by in all(4) {
            let mut balance = balancer(&ejecting(by.clone(), 0.25), 4);
            fail(&mut balance, 2, at(1));
            assert_eq!(balance.news(), ejections(1, 1));
            assert_eq!(balance.news(), None);
            // More than the share that may be ejected.
            fail(&mut balance, 3, at(2));
            let gone = seen(&mut balance, 4, at(3), 900);
            assert!(gone[2] == 0 && gone.iter().filter(|&&n| n > 100).count() == 3, "{by:?}: {gone:?}");
            let back = seen(&mut balance, 4, at(40), 900);
            assert!(back.iter().all(|&n| n > 80), "{by:?}: {back:?}");
            assert_eq!(balance.news(), ejections(-1, 0));
            fail(&mut balance, 1, at(41));
            assert_eq!(balance.news(), ejections(1, 1));
            balance.reset();
            assert!(seen(&mut balance, 4, at(42), 900)[1] > 80, "{by:?}");
            assert_eq!(balance.news(), ejections(-1, 0));
        }
    }

    #[test]
    fn a_replica_whose_probes_fail_gets_nothing_until_they_are_answered() {
        let check = health_check::Spec {
            operation: "health".into(),
            every: None,
            timeout: None,
            unhealthy_after: 1,
            healthy_after: 1,
        };
        let slow_start = Some(Span(Duration::from_secs(10)).into());
        let spec = Spec { health_check: Some(check), slow_start, ..Spec::default() };
        let mut balance = balancer(&spec, 4);
        balance.probed(0, true, at(1));
        assert_eq!(balance.news(), None);
        balance.probed(2, false, at(1));
        assert_eq!(balance.news(), Some(News { unhealthy: 1, ..News::default() }));
        assert_eq!(seen(&mut balance, 4, at(2), 300), [100, 100, 0, 100]);
        balance.probed(2, true, at(3));
        assert_eq!(balance.news(), Some(News { unhealthy: -1, ..News::default() }));
        // A tenth of its share at first: Binomial(1000, 0.1) has a standard deviation of 9.5.
        assert!(seen(&mut balance, 4, at(3), 3_100)[2].abs_diff(100) < 48);
        assert_eq!(seen(&mut balance, 4, at(13), 400), [100; 4]);
    }

    #[test]
    fn below_the_panic_threshold_all_are_picked() {
        for (threshold, ejected, picked) in
            [(0.5, 2, 2), (0.5, 3, 4), (0.5, 4, 4), (0.51, 2, 4), (0.0, 3, 1), (0.0, 4, 0)]
        {
            let spec = Spec { panic_threshold: Some(Share(threshold)), ..ejecting(By::RoundRobin, 1.0) };
            let mut balance = balancer(&spec, 4);
            (0..ejected).for_each(|replica| fail(&mut balance, replica, at(1)));
            let mut seen: Vec<usize> = (0..8).filter_map(|key| balance.pick(at(2), key, None)).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), picked, "{threshold} with {ejected} ejected: {seen:?}");
        }
    }

    #[test]
    fn a_replica_that_is_back_gets_a_growing_share() {
        let window = Span(Duration::from_secs(10));
        let spec = Spec { slow_start: Some(window.into()), ..ejecting(By::RoundRobin, 0.25) };
        let mut balance = balancer(&spec, 4);
        assert_eq!(seen(&mut balance, 4, at(1), 400), [100; 4], "at the start all are warm");
        balance.started(3, at(100));
        // With a chance w of being taken, a round has 3 + w picks: 4,000 rounds have that of w with five standard deviations of
        // at most 5 × √(4000/4) = 158.
        for (now, share) in [(100, 0.1), (105, 0.5), (109, 0.9)] {
            let picks = (4_000.0 * (3.0 + share)) as u64;
            let got = seen(&mut balance, 4, at(now), picks)[3];
            assert!((got as f64 - 4_000.0 * share).abs() < 200.0, "{now}: {got}");
        }
        assert_eq!(seen(&mut balance, 4, at(110), 400), [100; 4]);
        // An ejection from 111 s to 141 s, noticed at 150 s.
        fail(&mut balance, 0, at(111));
        let got = seen(&mut balance, 4, at(150), 12_400)[0];
        assert!((got as f64 - 400.0).abs() < 200.0, "{got}");
    }

    #[test]
    fn the_own_zone_is_preferred_and_spills_over_when_it_is_not_healthy() {
        // Twelve replicas, four of them in each zone; 0, 3, 6 and 9 are at home.
        let at_home = |seen: &[u64]| seen.iter().step_by(3).sum::<u64>();
        for by in all(12) {
            let spec = Spec { zones: Some(zones::Spec::default()), ..ejecting(by.clone(), 1.0) };
            let mut balance = balancer(&spec, 12);
            assert_eq!(at_home(&seen(&mut balance, 12, at(1), 1_000)), 1_000, "{by:?}");
            fail(&mut balance, 0, at(1));
            assert_eq!(at_home(&seen(&mut balance, 12, at(2), 1_000)), 1_000, "{by:?}: 1.4 × 3/4 is enough");
            fail(&mut balance, 3, at(2));
            // 1.4 × 2/4 = 70 %. Binomial(1000, 0.7): five standard deviations are 73.
            let seen_then = seen(&mut balance, 12, at(3), 1_000);
            assert!(
                at_home(&seen_then).abs_diff(700) < 73 && seen_then[0] + seen_then[3] == 0,
                "{by:?}: {seen_then:?}"
            );
            fail(&mut balance, 6, at(3));
            fail(&mut balance, 9, at(3));
            assert_eq!(at_home(&seen(&mut balance, 12, at(4), 1_000)), 0, "{by:?}");
        }
    }

    #[test]
    fn a_retry_elsewhere_leaves_the_zone_if_it_must() {
        let spec = Spec { zones: Some(zones::Spec::default()), ..Spec::default() };
        assert_ne!(balancer(&spec, 3).pick(at(0), 1, Some(0)), Some(0));
        let stay = Spec { zones: Some(zones::Spec { spill_over: false, ..Default::default() }), ..Spec::default() };
        assert_eq!(balancer(&stay, 3).pick(at(0), 1, Some(0)), Some(0));
    }

    #[test]
    fn with_few_healthy_replicas_nobody_looks_at_zones() {
        let zones = Some(zones::Spec { minimum_replicas: 6, ..Default::default() });
        let spec = Spec { zones, ..ejecting(By::RoundRobin, 1.0) };
        let mut balance = balancer(&spec, 6);
        assert_eq!(seen(&mut balance, 6, at(1), 60), [30, 0, 0, 30, 0, 0]);
        fail(&mut balance, 5, at(1));
        assert_eq!(seen(&mut balance, 6, at(2), 50), [10, 10, 10, 10, 10, 0]);
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let slow_start = Some(Span(Duration::from_secs(10)).into());
        for (wrong, reason) in [
            (By::PowerOfChoices(0).into(), "no choice"),
            (By::Weighted(vec![1, 2]).into(), "2 weights for 3 replicas"),
            (By::Weighted(vec![1, 0, 2]).into(), "a weight must be"),
            (By::RingOfPoints(0).into(), "points on the ring"),
            (Spec { slow_start, ..By::RingHash.into() }, "a ring gives each key a replica"),
            (Spec { panic_threshold: Some(Share(0.5)), ..Spec::default() }, "who is healthy"),
        ] {
            let problems = wrong.problems(3);
            assert!(problems.len() == 1 && problems[0].0.contains(reason), "{wrong:?}: {problems:?}");
        }
    }
}
