//! What requests are about: the keys that a client asks for, or a call that chooses its own.
//!
//! A key names the thing that is asked for: a user, a product, a row. It is drawn when a request is made, and handed on
//! to all calls that are made for it. Who uses keys: the balancer `ring_hash`, the policies `single_flight` and
//! `fallback` (a stale answer is that of the same key), and services with `replication` (a read misses a write of the same key).

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Stream, fnv1a, mix};
use crate::scenario::units::Share;

/// Which keys are asked for, and how often each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Keys")]
pub enum Spec {
    /// All requests are about the same thing.
    #[default]
    Same,
    /// Each request is about something of its own.
    Distinct,
    /// So many keys, all asked for equally often.
    Uniform(u64),
    /// So many keys, of which the nth is asked for in proportion to 1 / n^exponent.
    Zipf(Zipf),
    /// A few keys that get most of the requests, and many that share the rest.
    Hot(Hot),
}

/// Popularity by rank (G. K. Zipf).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zipf {
    /// How many keys.
    pub of: u64,
    /// How uneven: 0 is uniform; pages and products are near 1, the default.
    #[serde(default = "one")]
    pub exponent: f64,
}

fn one() -> f64 {
    1.0
}

/// A hot set.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hot {
    /// How many keys, the hot ones among them.
    pub of: u64,
    /// How many of them are hot.
    pub hot: u64,
    /// The share of the requests that is about a hot one.
    pub share: Share,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        // Beyond 2^53 a number of keys is no whole number any more for the laws below.
        let most = 1 << 53;
        match *self {
            Self::Same | Self::Distinct => None,
            Self::Uniform(of) | Self::Zipf(Zipf { of, .. }) | Self::Hot(Hot { of, .. }) if of == 0 || of > most => {
                Some(("there must be between one and 2^53 keys", "`same` is the word for a single one"))
            }
            Self::Zipf(Zipf { exponent, .. }) if !(0.0..=10.0).contains(&exponent) => {
                Some(("the exponent must be between 0 and 10", "1 is usual; 0 makes all keys equally popular"))
            }
            Self::Hot(Hot { of, hot, .. }) if hot == 0 || hot >= of => {
                Some(("some keys must be hot, and some not", "for instance `{ of: 1000, hot: 10, share: 90% }`"))
            }
            Self::Uniform(_) | Self::Zipf(_) | Self::Hot(_) => None,
        }
    }
}

/// Draws keys.
#[derive(Debug)]
pub(super) struct Keys {
    law: Law,
    chance: Stream,
}

#[derive(Debug)]
enum Law {
    Same,
    /// Counted from here, so that no two clients ever make the same.
    Distinct(u64),
    Among(Range<u64>),
    Zipf(Ranks),
    Hot {
        hot: u64,
        of: u64,
        share: f64,
    },
}

impl Keys {
    /// `name` is that of the client or the call that draws them.
    pub(super) fn new(spec: Spec, name: &str, chance: Stream) -> Self {
        let law = match spec {
            Spec::Same => Law::Same,
            // Above all keys that are counted from zero, and from a place that depends on nobody else.
            Spec::Distinct => Law::Distinct((1 << 62) + (mix(fnv1a(name.as_bytes())) >> 2)),
            Spec::Uniform(of) => Law::Among(0..of),
            Spec::Zipf(Zipf { of, exponent }) => Law::Zipf(Ranks::new(of, exponent)),
            Spec::Hot(Hot { of, hot, share }) => Law::Hot { hot, of, share: share.0 },
        };
        Self { law, chance }
    }

    pub(super) fn draw(&mut self) -> u64 {
        match &mut self.law {
            Law::Same => 0,
            Law::Distinct(next) => {
                *next += 1;
                *next
            }
            Law::Among(range) => self.chance.below(range.end),
            Law::Zipf(ranks) => ranks.draw(&mut self.chance) - 1,
            Law::Hot { hot, of, share } => {
                if self.chance.chance(*share) {
                    self.chance.below(*hot)
                } else {
                    *hot + self.chance.below(*of - *hot)
                }
            }
        }
    }
}

/// Ranks from 1 to n in proportion to 1 / rank^s, in constant time: rejection-inversion (W. Hörmann and G. Derflinger,
/// "Rejection-inversion to generate variates from monotone discrete distributions", 1996).
#[derive(Debug)]
struct Ranks {
    n: u64,
    s: f64,
    /// The area under the hat from the first to the last rank.
    first: f64,
    last: f64,
    /// Closer to a rank than this, a point always lies under the histogram.
    always: f64,
}

impl Ranks {
    fn new(n: u64, s: f64) -> Self {
        let mut ranks = Self { n, s, first: 0.0, last: 0.0, always: 0.0 };
        ranks.first = ranks.area(1.5) - 1.0;
        ranks.last = ranks.area(n as f64 + 0.5);
        ranks.always = 2.0 - ranks.place(ranks.area(2.5) - ranks.height(2.0));
        ranks
    }

    /// x^-s.
    fn height(&self, x: f64) -> f64 {
        libm::exp(-self.s * libm::log(x))
    }

    /// The integral of the height from 1 to x: (x^(1-s) - 1) / (1 - s), and ln x for s = 1.
    fn area(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let y = (1.0 - self.s) * log;
        let slope = if y.abs() > 1e-8 { libm::expm1(y) / y } else { 1.0 + y / 2.0 };
        slope * log
    }

    /// The x with this area.
    fn place(&self, area: f64) -> f64 {
        let y = (area * (1.0 - self.s)).max(-1.0);
        let slope = if y.abs() > 1e-8 { libm::log1p(y) / y } else { 1.0 - y / 2.0 };
        libm::exp(slope * area)
    }

    fn draw(&self, chance: &mut Stream) -> u64 {
        loop {
            let area = self.last + chance.unit() * (self.first - self.last);
            let x = self.place(area);
            let rank = ((x + 0.5) as u64).clamp(1, self.n);
            let k = rank as f64;
            if k - x <= self.always || area >= self.area(k + 0.5) - self.height(k) {
                return rank;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    const DRAWS: u32 = 100_000;

    fn counts(spec: Spec, keys: usize) -> Vec<u32> {
        let mut source = Keys::new(spec, "one", Streams::new(1).named("keys"));
        let mut counts = vec![0; keys];
        for _ in 0..DRAWS {
            counts[source.draw() as usize] += 1;
        }
        counts
    }

    /// Within five standard deviations of a binomial count, and one for rounding.
    fn assert_share(count: u32, share: f64) {
        let mean = f64::from(DRAWS) * share;
        let sd = (mean * (1.0 - share)).sqrt();
        assert!((f64::from(count) - mean).abs() <= 5.0 * sd + 1.0, "{count} instead of {mean}");
    }

    #[test]
    fn ranks_have_the_shares_of_zipf() {
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.5, 3.0] {
            let counts = counts(Spec::Zipf(Zipf { of: 50, exponent }), 50);
            let weight = |rank: usize| libm::pow(rank as f64, -exponent);
            let sum: f64 = (1..=50).map(weight).sum();
            for (index, &count) in counts.iter().enumerate() {
                assert_share(count, weight(index + 1) / sum);
            }
        }
        assert_eq!(counts(Spec::Zipf(Zipf { of: 1, exponent: 1.0 }), 1), [DRAWS]);
    }

    #[test]
    fn hot_keys_get_their_share() {
        let hot = Spec::Hot(Hot { of: 20, hot: 4, share: Share(0.8) });
        for (key, &count) in counts(hot, 20).iter().enumerate() {
            assert_share(count, if key < 4 { 0.2 } else { 0.0125 });
        }
    }

    #[test]
    fn uniform_keys_are_equally_popular_and_same_is_one() {
        counts(Spec::Uniform(8), 8).iter().for_each(|&count| assert_share(count, 0.125));
        assert_eq!(counts(Spec::Same, 1), [DRAWS]);
    }

    #[test]
    fn distinct_keys_never_come_twice_also_from_two_clients() {
        let mut all: Vec<u64> = Vec::new();
        for own in ["a", "b", "c->d.e"] {
            let mut keys = Keys::new(Spec::Distinct, own, Streams::new(1).named("keys"));
            all.extend((0..100).map(|_| keys.draw()));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 300);
        assert!(all[0] > 1 << 53, "and are no keys of the other laws");
    }

    #[test]
    fn laws_that_make_no_sense_are_refused() {
        let zipf = |of, exponent| Spec::Zipf(Zipf { of, exponent });
        for spec in [Spec::Uniform(0), zipf(0, 1.0), zipf(10, -1.0), zipf(10, f64::NAN)] {
            assert!(spec.problem().is_some(), "{spec:?}");
        }
        for hot in [0, 10, 11] {
            assert!(Spec::Hot(Hot { of: 10, hot, share: Share(0.5) }).problem().is_some(), "{hot}");
        }
        assert!(zipf(1 << 53, 0.0).problem().is_none());
    }
}
