//! The times of the last calls, and a percentile of them: what timeouts and hedges learn from.
//!
//! Always: the time found is not below the true one, and at most 0.8 % above it.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::engine::{Duration, Time};
use crate::scenario::units::Span;

/// Over what a percentile is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The last so many calls.
    Calls(u32),
    /// The calls of the last so much time.
    Time(Duration),
}

impl<'de> Deserialize<'de> for Over {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Over;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as `30s`, or a number of calls such as `100`")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Over, E> {
                u32::try_from(n).map(Over::Calls).map_err(|_| E::custom("that many calls are too many"))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Over, E> {
                u32::try_from(n).map(Over::Calls).map_err(|_| E::custom("there cannot be that many calls"))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Over, E> {
                text.parse::<Span>().map(|span| Over::Time(span.0)).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl JsonSchema for Over {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Over".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let span = generator.subschema_for::<Span>();
        schemars::json_schema!({
            "description": "A time such as `30s`, or a number of calls such as `100`.",
            "anyOf": [{ "type": "integer", "minimum": 1 }, span]
        })
    }
}

/// The times of the last calls, and a percentile of them, in constant time: classes of 0.8 %, and the place of the
/// percentile among them, which moves by a few classes when a call is added or forgotten.
#[derive(Debug)]
pub(super) struct Recent {
    share: f64,
    over: Over,
    /// So many are needed.
    least: usize,
    /// When each call ended, and its class.
    calls: VecDeque<(Time, u16)>,
    counts: Box<[u32]>,
    /// A class, and how many calls are in those below it.
    class: usize,
    below: usize,
}

impl Recent {
    /// Classes for each doubling, as bits.
    const BITS: u32 = 7;
    const CLASSES: usize = (64 - Self::BITS as usize + 1) << Self::BITS;

    pub(super) fn new(share: f64, over: Over) -> Self {
        let enough = if share < 1.0 { libm::ceil(1.0 / (1.0 - share) - 1e-6) as usize } else { 1 };
        let (least, room) = match over {
            Over::Calls(calls) => (enough.min(calls as usize), calls as usize),
            Over::Time(_) => (enough, 0),
        };
        let counts = vec![0; Self::CLASSES].into_boxed_slice();
        Self { share, over, least, calls: VecDeque::with_capacity(room.min(1 << 16)), counts, class: 0, below: 0 }
    }

    fn class_of(time: Duration) -> usize {
        let digits = 64 - time.nanos().leading_zeros();
        let shift = digits.saturating_sub(Self::BITS + 1);
        ((shift as usize) << Self::BITS) + (time.nanos() >> shift) as usize
    }

    /// The longest time of a class.
    fn longest(class: usize) -> Duration {
        let shift = (class >> Self::BITS).saturating_sub(1);
        let first = (class - (shift << Self::BITS)) as u64;
        Duration::from_nanos((first << shift) | ((1 << shift) - 1))
    }

    pub(super) fn add(&mut self, now: Time, time: Duration) {
        if matches!(self.over, Over::Calls(most) if self.calls.len() == most as usize) {
            self.forget_oldest();
        }
        let class = Self::class_of(time);
        self.calls.push_back((now, class as u16));
        self.counts[class] += 1;
        self.below += usize::from(class < self.class);
    }

    fn forget_oldest(&mut self) {
        if let Some((_, class)) = self.calls.pop_front() {
            self.counts[usize::from(class)] -= 1;
            self.below -= usize::from(usize::from(class) < self.class);
        }
    }

    /// The time that this share of the calls did not exceed, if there are calls enough.
    pub(super) fn percentile(&mut self, now: Time) -> Option<Duration> {
        if let Over::Time(window) = self.over {
            while self.calls.front().is_some_and(|(ended, _)| now - *ended >= window) {
                self.forget_oldest();
            }
        }
        if self.calls.len() < self.least {
            return None;
        }
        let rank = (libm::ceil(self.share * self.calls.len() as f64 - 1e-6) as usize).max(1);
        while self.below >= rank {
            self.class -= 1;
            self.below -= self.counts[self.class] as usize;
        }
        while self.below + (self.counts[self.class] as usize) < rank {
            self.below += self.counts[self.class] as usize;
            self.class += 1;
        }
        Some(Self::longest(self.class))
    }

    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.calls.capacity() * size_of::<(Time, u16)>() + self.counts.len() * size_of::<u32>()
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.counts.fill(0);
        self.class = 0;
        self.below = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::ms;
    use super::*;
    use crate::engine::Streams;

    #[test]
    fn classes_are_narrow_and_in_order() {
        let mut stream = Streams::new(1).named("times");
        for bits in 0..64 {
            for _ in 0..100 {
                let time = Duration::from_nanos((stream.unit() * (1_u64 << bits) as f64) as u64);
                let class = Recent::class_of(time);
                let longest = Recent::longest(class);
                assert!(longest >= time && longest <= time + time.scale(0.008), "{time}, {longest}");
                assert_eq!(Recent::class_of(longest), class);
                assert_eq!(Recent::class_of(longest + Duration::from_nanos(1)), class + 1);
            }
        }
        assert!(Recent::class_of(Duration::FOREVER) < Recent::CLASSES);
        assert_eq!(Recent::longest(Recent::CLASSES - 1), Duration::FOREVER);
    }

    #[test]
    fn the_percentile_is_that_of_the_calls_in_the_window() {
        let mut stream = Streams::new(1).named("times");
        for (share, over) in [(0.99, Over::Calls(300)), (0.5, Over::Time(ms(200))), (1.0, Over::Calls(3))] {
            let mut recent = Recent::new(share, over);
            let mut all: Vec<(Time, Duration)> = Vec::new();
            for step in 0..3_000_u64 {
                let now = Time::ZERO + ms(step);
                // Now and then a stretch of much slower calls.
                let time = ms(10).scale(stream.unit() * if step / 500 % 2 == 1 { 100.0 } else { 1.0 });
                recent.add(now, time);
                all.push((now, time));
                let mut kept: Vec<Duration> = match over {
                    Over::Calls(calls) => all.iter().rev().take(calls as usize).map(|it| it.1).collect(),
                    Over::Time(window) => all.iter().filter(|it| now - it.0 < window).map(|it| it.1).collect(),
                };
                kept.sort();
                let rank = (share * kept.len() as f64 - 1e-6).max(0.0) as usize;
                let expected = (kept.len() >= recent.least).then(|| Recent::longest(Recent::class_of(kept[rank])));
                assert_eq!(recent.percentile(now), expected, "at {now}");
            }
        }
    }
}
