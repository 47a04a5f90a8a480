//! outlier_ejection: a replica that keeps failing is not picked for a time.
//!
//! ```text
//!   ── picked ──(5 failures in a row, or a failure rate over an interval)──► ejected ──(30 s × ejections so far)──► picked ──
//!                 unless too many are ejected already                          noticed at the end of an interval
//! ```
//!
//! Each caller instance judges by its own requests, as a breaker does, but for each replica apart. The law is that of
//! Envoy's outlier detection: what happens at the end of each interval (ejections that are over; the failure rate; replicas
//! that were not ejected have one of their ejections forgiven) happens here when the caller next looks, which changes
//! nothing for it. Always: no more are ejected than `max_ejected` says, but for one if `always_eject_one` says so. (That was
//! Envoy's only way until 2023, and is its option `always_eject_one_host` since.)

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Time};
use crate::outcome::{Outcome, OutcomeSet};
use crate::policy::{When, set_of};
use crate::scenario::units::{Share, Span};

/// Do not pick a replica for a time after it has failed too often. `outlier_ejection: {}` has the defaults.
///
/// Requests that end while their replica is ejected, or are cancelled, do not count; those that their caller gave up by a
/// `timeout` are failures. See also `panic_threshold`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OutlierEjection")]
pub struct Spec {
    /// Eject after so many failures in a row. Default: 5; none if only `failure_rate` is given.
    #[serde(default)]
    pub consecutive_failures: Option<u32>,
    /// Eject at the end of an interval in which this share, or more, of the calls to the replica failed. Default: none.
    #[serde(default)]
    pub failure_rate: Option<Share>,
    /// With `failure_rate`: intervals with fewer calls to the replica are not judged. Default: 50.
    #[serde(default)]
    pub minimum_calls: Option<u32>,
    /// The time between two looks at all replicas: for `failure_rate`, and for ejections that are over. Default: `10s`.
    #[serde(default)]
    pub interval: Option<Span>,
    /// How long the first ejection lasts, the second twice as long and so on. Each interval in which the replica is not
    /// ejected forgives one. Default: `30s`.
    #[serde(default)]
    pub base_ejection_time: Option<Span>,
    /// The longest ejection. Default: `300s`, or `base_ejection_time` if that is longer.
    #[serde(default)]
    pub max_ejection_time: Option<Span>,
    /// At most this share of the replicas is ejected at a time, in whole replicas: of fewer than ten, 10% is none. Default: 10%.
    #[serde(default)]
    pub max_ejected: Option<Share>,
    /// Whether one replica may be ejected whatever `max_ejected` says. Default: false, as in Envoy since 2023.
    #[serde(default)]
    pub always_eject_one: bool,
    /// What counts as a failure. Default: `timeout`, `unavailable`, `error` and `unreachable`.
    #[serde(default)]
    pub on: Option<Vec<When>>,
}

impl Spec {
    /// How many of so many replicas are ejected at most.
    pub(crate) fn most(&self, replicas: usize) -> u32 {
        // A share that is meant to be a whole number of replicas must not fall short of it by rounding.
        let most = (self.max_ejected.map_or(0.1, |share| share.0) * replicas as f64 + 1e-9).floor() as u32;
        most.max(u32::from(self.always_eject_one))
    }

    fn base(&self) -> Duration {
        self.base_ejection_time.map_or(Duration::from_secs(30), |span| span.0)
    }

    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let zero = |span: Option<Span>| span.is_some_and(|span| span.0.is_zero());
        if self.consecutive_failures == Some(0) {
            Some(("no failure at all would eject a replica", "give `consecutive_failures` at least 1"))
        } else if self.failure_rate.is_some_and(|share| share.0 <= 0.0) {
            Some(("a failure rate of zero ejects every replica", "give `failure_rate` above 0%"))
        } else if self.minimum_calls.is_some() && self.failure_rate.is_none() {
            Some(("`minimum_calls` has no effect without `failure_rate`", "add `failure_rate: 50%`, or leave it out"))
        } else if self.interval.is_some_and(|span| span.0 < Duration::from_millis(1)) {
            Some(("the interval is too short", "give `interval` at least 1ms; 10s is the default"))
        } else if zero(self.base_ejection_time) {
            Some(("an ejection of no length", "give `base_ejection_time` a time above zero"))
        } else if self.max_ejection_time.is_some_and(|most| most.0 < self.base()) {
            Some(("the longest ejection is shorter than the first", "make `max_ejection_time` longer"))
        } else if self.on.as_ref().is_some_and(Vec::is_empty) {
            Some(("nothing counts as a failure", "name at least one outcome in `on`, or leave it out"))
        } else {
            None
        }
    }
}

/// What a caller knows of each replica.
#[derive(Debug)]
pub(super) struct Outliers {
    failures: OutcomeSet,
    in_a_row: u32,
    rate: Option<(f64, u32)>,
    interval: Duration,
    base: Duration,
    longest: Duration,
    most: u32,
    each: Vec<Replica>,
    ejected: u32,
    /// Ejections so far.
    ejections: u64,
    /// The end of the interval.
    next: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Replica {
    failed_in_a_row: u32,
    calls: u32,
    failed: u32,
    /// Until when it is ejected.
    until: Option<Time>,
    /// Ejections that are not forgiven.
    times: u32,
}

impl Outliers {
    pub(super) fn new(spec: &Spec, replicas: usize) -> Self {
        let usual = [Outcome::Timeout, Outcome::Unavailable, Outcome::Error, Outcome::Unreachable];
        let in_a_row = match spec.failure_rate {
            None => spec.consecutive_failures.unwrap_or(5),
            Some(_) => spec.consecutive_failures.unwrap_or(u32::MAX),
        };
        let interval = spec.interval.map_or(Duration::from_secs(10), |span| span.0);
        let longest = spec.max_ejection_time.map_or(Duration::from_secs(300), |span| span.0).max(spec.base());
        Self {
            failures: spec.on.as_ref().map_or_else(|| OutcomeSet::of(&usual), |list| set_of(list)),
            in_a_row,
            rate: spec.failure_rate.map(|share| (share.0, spec.minimum_calls.unwrap_or(50).max(1))),
            interval,
            base: spec.base(),
            longest,
            most: spec.most(replicas),
            each: vec![Replica::default(); replicas],
            ejected: 0,
            ejections: 0,
            next: Time::ZERO + interval,
        }
    }

    pub(super) fn is_ejected(&self, replica: usize) -> bool {
        self.each[replica].until.is_some()
    }

    /// How many are ejected, and how many ejections there have been.
    pub(super) fn count(&self) -> (u32, u64) {
        (self.ejected, self.ejections)
    }

    /// A request has ended. Returns whether its replica is ejected for that.
    pub(super) fn ended(&mut self, replica: usize, outcome: Outcome, now: Time) -> bool {
        let it = &mut self.each[replica];
        if outcome == Outcome::Cancelled || it.until.is_some() {
            return false;
        }
        it.calls += 1;
        if !self.failures.has(outcome) {
            it.failed_in_a_row = 0;
            return false;
        }
        it.failed += 1;
        it.failed_in_a_row += 1;
        if it.failed_in_a_row < self.in_a_row {
            return false;
        }
        it.failed_in_a_row = 0;
        self.eject(replica, now)
    }

    fn eject(&mut self, replica: usize, now: Time) -> bool {
        if self.ejected >= self.most {
            return false;
        }
        let it = &mut self.each[replica];
        // Beyond the longest time there is nothing to count.
        if self.base * u64::from(it.times) < self.longest {
            it.times += 1;
        }
        it.until = Some(now + (self.base * u64::from(it.times)).min(self.longest));
        self.ejected += 1;
        self.ejections += 1;
        true
    }

    /// Does what has been due since the last look. Returns whether there was anything to do; the replicas whose ejections are
    /// over are added to `back`.
    #[inline]
    pub(super) fn look(&mut self, now: Time, back: &mut Vec<u32>) -> bool {
        let due = now >= self.next;
        if due {
            self.catch_up(now, back);
        }
        due
    }

    #[cold]
    fn catch_up(&mut self, now: Time, back: &mut Vec<u32>) {
        // At the end of the first interval there may be calls to judge; in the others there were none.
        let first = self.next;
        let later = (now - first).nanos() / self.interval.nanos();
        for replica in 0..self.each.len() {
            self.end_of_interval(replica, first, back);
        }
        self.judge(first);
        for replica in 0..self.each.len() {
            let it = &mut self.each[replica];
            (it.calls, it.failed) = (0, 0);
            let calm = match it.until {
                None => later,
                Some(until) => {
                    let waits = (until - first).nanos().div_ceil(self.interval.nanos());
                    if waits > later {
                        continue;
                    }
                    self.release(replica, back);
                    later - waits
                }
            };
            let it = &mut self.each[replica];
            it.times = u64::from(it.times).saturating_sub(calm) as u32;
        }
        self.next = first + self.interval * (later + 1);
    }

    fn end_of_interval(&mut self, replica: usize, end: Time, back: &mut Vec<u32>) {
        let it = &mut self.each[replica];
        match it.until {
            None => it.times = it.times.saturating_sub(1),
            Some(until) if until <= end => self.release(replica, back),
            Some(_) => {}
        }
    }

    fn release(&mut self, replica: usize, back: &mut Vec<u32>) {
        let it = &mut self.each[replica];
        *it = Replica { times: it.times, ..Replica::default() };
        self.ejected -= 1;
        back.push(replica as u32);
    }

    /// Ejects those that failed too often in an interval, the worst first.
    fn judge(&mut self, end: Time) {
        let Some((rate, least)) = self.rate else { return };
        let share = |it: &Replica| f64::from(it.failed) / f64::from(it.calls);
        let is_bad = |it: &Replica| {
            // 7 of 100 are 7%, whatever the rounding.
            it.until.is_none() && it.calls >= least && f64::from(it.failed) >= rate * f64::from(it.calls) - 1e-9
        };
        let mut bad: Vec<usize> = (0..self.each.len()).filter(|&replica| is_bad(&self.each[replica])).collect();
        bad.sort_by(|&a, &b| share(&self.each[b]).total_cmp(&share(&self.each[a])));
        for replica in bad {
            self.eject(replica, end);
        }
    }

    /// The caller has forgotten everything.
    pub(super) fn reset(&mut self) {
        self.each.fill(Replica::default());
        self.ejected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Lesser;

    const NOBODY: [usize; 0] = [];

    /// A story of replicas and the requests that end at them; times are in seconds.
    struct Story(Outliers);

    impl Story {
        fn new(spec: Spec, replicas: usize) -> Self {
            assert_eq!(spec.problem(), None);
            Self(Outliers::new(&spec, replicas))
        }

        /// So many requests to a replica end like this at a time.
        fn end(&mut self, at: u64, replica: usize, count: u32, outcome: Outcome) -> &mut Self {
            for _ in 0..count {
                self.0.look(time(at), &mut Vec::new());
                self.0.ended(replica, outcome, time(at));
            }
            self
        }

        /// Which are ejected, at a time.
        fn ejected(&mut self, at: u64) -> Vec<usize> {
            self.0.look(time(at), &mut Vec::new());
            let ejected: Vec<usize> = (0..self.0.each.len()).filter(|&replica| self.0.is_ejected(replica)).collect();
            assert_eq!(ejected.len(), self.0.count().0 as usize);
            ejected
        }
    }

    fn one_always() -> Spec {
        Spec { always_eject_one: true, ..Spec::default() }
    }

    fn time(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn five_failures_in_a_row_eject_for_thirty_seconds() {
        let mut story = Story::new(one_always(), 4);
        story.end(1, 2, 4, Outcome::Error).end(2, 2, 1, Outcome::Ok).end(3, 2, 4, Outcome::Timeout);
        assert_eq!(story.ejected(4), NOBODY);
        assert_eq!(story.end(5, 2, 1, Outcome::Unreachable).ejected(5), [2]);
        // 5 + 30 = 35 s, noticed at 40 s.
        assert_eq!(story.ejected(39), [2]);
        assert_eq!(story.ejected(40), NOBODY);
    }

    #[test]
    fn what_is_nobodys_fault_does_not_count() {
        let mut story = Story::new(one_always(), 4);
        for outcome in
            [Outcome::Ok, Outcome::Degraded(Lesser::PARTIAL), Outcome::Rejected, Outcome::Throttled(Duration::ZERO)]
        {
            story.end(1, 0, 4, Outcome::Error).end(1, 0, 1, outcome);
        }
        assert_eq!(story.end(1, 0, 4, Outcome::Error).end(1, 0, 9, Outcome::Cancelled).ejected(1), NOBODY);
        assert_eq!(story.end(1, 0, 1, Outcome::Unavailable).ejected(1), [0], "cancelled is no success either");
    }

    #[test]
    fn ejections_get_longer_and_calm_intervals_forgive_them() {
        let mut story = Story::new(one_always(), 4);
        // 30 s from 1 s on; then, as it fails at once again, 60 s from 41 s, and 90 s from 111 s on.
        story.end(1, 0, 5, Outcome::Error).end(41, 0, 5, Outcome::Error);
        assert_eq!(story.ejected(109), [0]);
        story.end(111, 0, 5, Outcome::Error);
        assert_eq!(story.ejected(209), [0]);
        assert_eq!(story.ejected(210), NOBODY);
        // Two of the three are forgiven at 220 s and 230 s, so the next one lasts 60 s: until 291 s, noticed at 300 s.
        story.end(231, 0, 5, Outcome::Error);
        assert_eq!(story.ejected(299), [0]);
        assert_eq!(story.ejected(300), NOBODY);
        // Noticed long after: all are forgiven meanwhile, and the next is a first one, until 1,035 s.
        story.end(1_005, 0, 5, Outcome::Error);
        assert_eq!(story.ejected(1_039), [0]);
        assert_eq!(story.ejected(1_040), NOBODY);
    }

    #[test]
    fn a_look_after_a_long_time_sees_what_many_looks_would_have_seen() {
        let mut often = Story::new(one_always(), 4);
        let mut seldom = Story::new(one_always(), 4);
        for story in [&mut often, &mut seldom] {
            story.end(3, 0, 5, Outcome::Error).end(44, 0, 5, Outcome::Error);
        }
        for at in 44..2_000 {
            let seen = often.ejected(at);
            if at % 131 == 0 {
                assert_eq!(seldom.ejected(at), seen, "at {at}");
                assert_eq!(seldom.0.each[0].times, often.0.each[0].times, "at {at}");
            }
        }
    }

    #[test]
    fn no_ejection_is_longer_than_the_longest() {
        let spec = Spec { max_ejection_time: Some(Span(Duration::from_secs(45))), ..one_always() };
        let mut story = Story::new(spec, 4);
        story.end(0, 0, 5, Outcome::Error);
        for round in 0..5 {
            // 45 s from 30 s on, noticed 50 s later.
            story.end(30 + 50 * round, 0, 5, Outcome::Error);
            assert_eq!(story.ejected(79 + 50 * round), [0]);
            assert_eq!(story.ejected(80 + 50 * round), NOBODY);
        }
        assert_eq!(story.0.each[0].times, 2);
    }

    #[test]
    fn at_most_a_share_is_ejected_but_one_always_if_that_is_said() {
        for (replicas, share, most) in [(1, 0.1, 0), (4, 0.0, 0), (19, 0.1, 1), (20, 0.1, 2), (10, 0.3, 3), (4, 1.0, 4)]
        {
            for always in [false, true] {
                let spec = Spec { max_ejected: Some(Share(share)), always_eject_one: always, ..Spec::default() };
                let mut story = Story::new(spec, replicas);
                for replica in 0..replicas {
                    story.end(1, replica, 5, Outcome::Error);
                }
                let most = if always { most.max(1) } else { most };
                assert_eq!(story.ejected(1).len(), most, "{share} of {replicas}");
            }
        }
    }

    #[test]
    fn a_failure_rate_is_judged_at_the_end_of_an_interval_the_worst_first() {
        let spec = Spec { failure_rate: Some(Share(0.5)), minimum_calls: Some(10), ..one_always() };
        let mut story = Story::new(spec, 4);
        let mut calls = |at, replica, failed, ok| {
            story.end(at, replica, failed, Outcome::Error).end(at, replica, ok, Outcome::Ok);
        };
        calls(1, 0, 5, 5);
        calls(1, 1, 9, 1);
        calls(1, 2, 9, 0);
        // Only one may be ejected: the second, at 10 s, until 40 s. The third was not called often enough.
        assert_eq!(story.ejected(9), NOBODY);
        assert_eq!(story.ejected(10), [1]);
        // An interval without calls, and one that is just good enough.
        story.end(41, 0, 9, Outcome::Error).end(41, 0, 11, Outcome::Ok);
        assert_eq!(story.ejected(50), NOBODY);
        // Failures in a row do not count here.
        assert_eq!(story.end(51, 0, 9, Outcome::Error).ejected(60), NOBODY);
    }

    #[test]
    fn options_without_a_meaning_are_refused() {
        let secs = |secs| Some(Span(Duration::from_secs(secs)));
        let usual = Spec::default;
        for wrong in [
            Spec { consecutive_failures: Some(0), ..usual() },
            Spec { failure_rate: Some(Share(0.0)), ..usual() },
            Spec { minimum_calls: Some(10), ..usual() },
            Spec { interval: secs(0), ..usual() },
            Spec { base_ejection_time: secs(0), ..usual() },
            Spec { base_ejection_time: secs(9), max_ejection_time: secs(8), ..usual() },
            Spec { on: Some(Vec::new()), ..usual() },
        ] {
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
        assert!(Spec { base_ejection_time: secs(600), ..usual() }.problem().is_none());
    }
}
