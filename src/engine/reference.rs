//! The slow and obvious twin of [`Engine`]: a sorted map, without lanes, slots or sweeps. Tests only.
//!
//! Both run the same random programs, and every answer must be equal.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::engine::{Delay, Duration, Engine, Key, Stream, Streams, Time};

/// Events by (time, sequence); a key is just that pair.
#[derive(Default)]
struct Reference {
    now: Time,
    pending: BTreeMap<(Time, u64), u32>,
    scheduled: u64,
    processed: u64,
    crowd: u64,
}

type Place = Option<(Time, u64)>;

impl Reference {
    fn at(&mut self, when: Time, event: u32) -> Place {
        if when == Time::NEVER {
            return None;
        }
        self.scheduled += 1;
        self.pending.insert((when, self.scheduled), event);
        Some((when, self.scheduled))
    }

    fn after(&mut self, delay: Duration, event: u32) -> Place {
        self.at(self.now + delay, event)
    }

    fn cancel(&mut self, place: Place) -> bool {
        place.is_some_and(|place| self.pending.remove(&place).is_some())
    }

    fn is_pending(&self, place: Place) -> bool {
        place.is_some_and(|place| self.pending.contains_key(&place))
    }

    fn peek_time(&self) -> Option<Time> {
        self.pending.keys().next().map(|&(when, _)| when)
    }

    fn next_until(&mut self, limit: Time) -> Option<u32> {
        let when = self.peek_time().filter(|&when| when <= limit)?;
        let (_, event) = self.pending.pop_first()?;
        self.crowd = if when == self.now { self.crowd + 1 } else { 1 };
        self.now = when;
        self.processed += 1;
        Some(event)
    }
}

/// One step of a random program.
#[derive(Clone, Copy, Debug)]
enum Step {
    At(u64),
    After(u64),
    AfterLane(usize),
    Never,
    /// Which of the keys handed out so far, counted back from the latest.
    Cancel(usize),
    CancelMany(usize),
    Next,
    NextUntil(u64),
}

/// Both engines side by side.
struct Pair {
    fast: Engine<u32>,
    slow: Reference,
    lanes: Vec<Delay>,
    keys: Vec<(Key, Place)>,
    cancelled: BTreeSet<u32>,
    event: u32,
}

impl Pair {
    fn new() -> Self {
        let mut fast = Engine::new();
        // More delays than lanes, so that some fall back to the heap; the same delay twice; none; for ever.
        let mut lanes: Vec<Delay> = (0..20).map(|i| fast.lane(Duration::from_nanos(i * i))).collect();
        lanes.push(fast.lane(Duration::from_nanos(9)));
        lanes.push(fast.lane(Duration::FOREVER));
        Pair { fast, slow: Reference::default(), lanes, keys: Vec::new(), cancelled: BTreeSet::new(), event: 0 }
    }

    fn step(&mut self, step: Step) {
        self.event += 1;
        let (fast, slow, event) = (&mut self.fast, &mut self.slow, self.event);
        match step {
            Step::At(later) => {
                let when = fast.now() + Duration::from_nanos(later);
                self.keys.push((fast.at(when, event), slow.at(when, event)));
            }
            Step::After(delay) => {
                let delay = Duration::from_nanos(delay);
                self.keys.push((fast.after(delay, event), slow.after(delay, event)));
            }
            Step::AfterLane(lane) => {
                let delay = self.lanes[lane % self.lanes.len()];
                self.keys.push((fast.after_lane(delay, event), slow.after(delay.duration(), event)));
            }
            Step::Never => assert_eq!(fast.after(Duration::FOREVER, event), Key::NONE),
            Step::Cancel(back) => self.cancel(back),
            Step::CancelMany(many) => (0..many).for_each(|back| self.cancel(back)),
            Step::Next => {
                let got = fast.next();
                assert_eq!(got, slow.next_until(Time::NEVER));
                assert!(got.is_none_or(|event| !self.cancelled.contains(&event)), "a cancelled event fired");
            }
            Step::NextUntil(later) => {
                let limit = fast.now() + Duration::from_nanos(later);
                assert_eq!(fast.next_until(limit), slow.next_until(limit));
            }
        }
        let (fast, slow) = (&mut self.fast, &self.slow);
        assert_eq!(
            (fast.now(), fast.pending(), fast.processed(), fast.scheduled(), fast.crowd()),
            (slow.now, slow.pending.len(), slow.processed, slow.scheduled, slow.crowd),
        );
    }

    fn cancel(&mut self, back: usize) {
        let Some(index) = self.keys.len().checked_sub(1 + back) else {
            return;
        };
        let (key, place) = self.keys[index];
        assert_eq!(self.fast.is_pending(key), self.slow.is_pending(place));
        let event = place.and_then(|place| self.slow.pending.get(&place).copied());
        assert_eq!(self.fast.cancel(key), self.slow.cancel(place));
        self.cancelled.extend(event);
    }

    fn drain(mut self) {
        while self.slow.peek_time().is_some() {
            self.step(Step::Next);
        }
        self.step(Step::Next);
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..50u64).prop_map(Step::At),
        3 => (0..500u64).prop_map(Step::After),
        1 => any::<u64>().prop_map(|delay| Step::After(delay >> 1)),
        6 => (0..22usize).prop_map(Step::AfterLane),
        1 => Just(Step::Never),
        6 => (0..40usize).prop_map(Step::Cancel),
        1 => (0..300usize).prop_map(Step::CancelMany),
        6 => Just(Step::Next),
        2 => (0..60u64).prop_map(Step::NextUntil),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_run_alike_on_the_fast_and_the_slow_engine(
        steps in prop::collection::vec(step(), 0..1_500),
    ) {
        let mut pair = Pair::new();
        steps.into_iter().for_each(|step| pair.step(step));
        pair.drain();
    }
}

/// One long program with phases of growth and decline, drawn from a stream.
pub(crate) fn compare_long(steps: u64) {
    let mut rng: Stream = Streams::new(11).named("engine/reference");
    let mut pair = Pair::new();
    for i in 0..steps {
        let growing = (i / 20_000) % 2 == 0;
        let step = match rng.below(if growing { 12 } else { 16 }) {
            0..4 => Step::After(rng.below(100_000)),
            4..8 => Step::AfterLane(rng.below(22) as usize),
            8 => Step::At(rng.below(3)),
            9 => Step::Cancel(rng.below(2_000) as usize),
            10 if rng.chance(0.01) => Step::CancelMany(rng.below(3_000) as usize),
            10 => Step::NextUntil(rng.below(30)),
            _ => Step::Next,
        };
        pair.step(step);
    }
    pair.drain();
}
