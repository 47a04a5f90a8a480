//! Chance: streams of random numbers, each known by its name.
//!
//! ```text
//!   seed ─┐
//!         ├─ SplitMix64 ─► xoshiro256++ ─┬─► unit, below, chance, shuffle, weighted
//!   name ─┘  (FNV-1a)                    └─► exponential, normal   (ziggurat)
//! ```
//!
//! Every use of chance has its own stream: `streams.named("client/web/arrivals")`. A stream depends on the run's
//! seed and on its name, and on nothing else, so two runs that differ in one knob see the same arrivals (common
//! random numbers), and a new part does not touch the luck of the others.
//!
//! Always: the same seed and name give the same numbers, on every platform, in every version of blackstart
//! (golden values below say so). The generator is xoshiro256++ by Blackman and Vigna, "Scrambled linear
//! pseudorandom number generators" (2021).

use std::fmt;
use std::sync::LazyLock;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// All streams of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams that belong to a seed. All seeds are equally good, 0 and 1 too.
    pub fn new(seed: u64) -> Self {
        Streams { seed }
    }

    /// The stream of that name. Asking twice gives two equal streams from their beginning: ask once, when the
    /// model is built, and keep it.
    ///
    /// The four words of its state are the first outputs of SplitMix64 (Steele, Lea and Flood 2014) started from
    /// `mix(seed) xor fnv1a(name)`, where `mix` is one step of SplitMix64 from the seed and `fnv1a` the 64-bit
    /// FNV-1a hash of the name's UTF-8 bytes.
    pub fn named(&self, name: &str) -> Stream {
        let mut seed = self.seed;
        let mut state = split_mix(&mut seed) ^ fnv1a(name.as_bytes());
        let mut words = [0; 32];
        for word in words.chunks_exact_mut(8) {
            word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
        }
        Stream { rng: Xoshiro256PlusPlus::from_seed(words), tables: &TABLES }
    }
}

/// A stream of random numbers. A clone goes on as the original would.
#[derive(Clone)]
pub struct Stream {
    rng: Xoshiro256PlusPlus,
    /// Here, and not asked for at each draw: a lazily made static checks whether it exists already.
    tables: &'static Tables,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("rng", &self.rng).finish_non_exhaustive()
    }
}

impl Stream {
    /// Sixty-four random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * ULP
    }

    /// Uniform in (0, 1], a multiple of 2^-53: safe to take the logarithm of.
    #[inline]
    pub fn open_unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 * ULP
    }

    /// Uniform among 0, 1, .. n - 1, without bias.
    ///
    /// Lemire, "Fast random integer generation in an interval" (2019): the high half of a product, and a second
    /// draw in the rare case that the low half falls into the part that does not divide evenly.
    ///
    /// # Panics
    ///
    /// When `n` is zero: there is nothing to choose from.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is nothing to choose from");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let uneven = n.wrapping_neg() % n; // 2^64 mod n
            while (product as u64) < uneven {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// True with probability `p`: never for 0, less and NaN, always for 1 and more. Draws one number in each
    /// case, so that a knob turned to zero leaves the rest of the stream where it was.
    #[inline]
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Exponential with mean 1: the waiting time for what happens once in a while.
    ///
    /// The ziggurat of Marsaglia and Tsang, "The ziggurat method for generating random variables" (2000), with
    /// 256 layers and all bits from one draw, of which the layer takes others than the place in it (Doornik,
    /// "An improved ziggurat method", 2005). 98.9 % of the draws need one number and no logarithm.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        let bits = self.next_u64();
        let layer = (bits & 0xff) as usize;
        let x = halfway(bits) * self.tables.exponential.x[layer];
        if x < self.tables.exponential.x[layer + 1] { x } else { self.exponential_edge(layer, x) }
    }

    /// Normal with mean 0 and standard deviation 1, by the same method.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        let bits = self.next_u64();
        let layer = (bits & 0xff) as usize;
        let x = (2.0 * halfway(bits) - 1.0) * self.tables.normal.x[layer];
        if x.abs() < self.tables.normal.x[layer + 1] { x } else { self.normal_edge(layer, x) }
    }

    /// Brings the items into random order, each of the orders equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// An index, chosen by weight. `cumulative` holds the sums of the weights: for weights 1, 0, 3 it is
    /// `[1.0, 1.0, 4.0]`. The last sum need not be 1. What has no weight is never chosen.
    ///
    /// # Panics
    ///
    /// When there is nothing to choose from: no sums, or the last one is not above zero.
    #[inline]
    pub fn weighted(&mut self, cumulative: &[f64]) -> usize {
        let total = cumulative.last().copied().unwrap_or(0.0);
        assert!(total > 0.0 && total.is_finite(), "the weights add up to {total}, there is nothing to choose from");
        // unit() is at most 1 - 2^-53, and the product with it rounds to less than the total.
        let target = self.unit() * total;
        cumulative.partition_point(|&sum| sum <= target)
    }

    /// The draws in the corners of a layer, and in the tail.
    #[cold]
    #[inline(never)]
    fn exponential_edge(&mut self, mut layer: usize, mut x: f64) -> f64 {
        let zig = &self.tables.exponential;
        loop {
            if layer == 0 {
                // What lies beyond the tail's start is again exponential.
                return EXPONENTIAL_TAIL - libm::log(self.open_unit());
            }
            let y = zig.y[layer] + self.unit() * (zig.y[layer + 1] - zig.y[layer]);
            if y < libm::exp(-x) {
                return x;
            }
            let bits = self.next_u64();
            layer = (bits & 0xff) as usize;
            x = halfway(bits) * zig.x[layer];
            if x < zig.x[layer + 1] {
                return x;
            }
        }
    }

    /// As [`Stream::exponential_edge`], on both sides.
    #[cold]
    #[inline(never)]
    fn normal_edge(&mut self, mut layer: usize, mut x: f64) -> f64 {
        let zig = &self.tables.normal;
        loop {
            if layer == 0 {
                return self.normal_tail().copysign(x);
            }
            let y = zig.y[layer] + self.unit() * (zig.y[layer + 1] - zig.y[layer]);
            if y < libm::exp(-0.5 * x * x) {
                return x;
            }
            let bits = self.next_u64();
            layer = (bits & 0xff) as usize;
            x = (2.0 * halfway(bits) - 1.0) * zig.x[layer];
            if x.abs() < zig.x[layer + 1] {
                return x;
            }
        }
    }

    /// The normal beyond the tail's start: Marsaglia, "Generating a variable from the tail of the normal
    /// distribution" (1964).
    fn normal_tail(&mut self) -> f64 {
        loop {
            let x = -libm::log(self.open_unit()) / NORMAL_TAIL;
            let y = -libm::log(self.open_unit());
            if 2.0 * y >= x * x {
                return NORMAL_TAIL + x;
            }
        }
    }
}

/// 2^-53, the step of [`Stream::unit`].
const ULP: f64 = 1.0 / (1u64 << 53) as f64;

/// Uniform in (0, 1), open at both ends, from the upper 52 bits: the lower ones may choose a layer.
#[inline]
fn halfway(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) * (2.0 * ULP)
}

/// One step of SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Scatters a number over all 64 bits: one step of SplitMix64 from it.
pub(crate) fn mix(mut state: u64) -> u64 {
    split_mix(&mut state)
}

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo).
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Where the ziggurat's tail begins, and the area of each of its 256 layers: solutions of "the layers have equal
/// areas, tail included, and the last one ends at x = 0", found by bisection with 40 digits. Tests check that they
/// close.
const EXPONENTIAL_TAIL: f64 = 7.697_117_470_131_05;
const EXPONENTIAL_AREA: f64 = 0.003_949_659_822_581_557;
const NORMAL_TAIL: f64 = 3.654_152_885_361_009;
const NORMAL_AREA: f64 = 0.004_928_673_233_974_655;

/// Right edges `x` of the layers from the base up, and the density `y` there. The base is wider than the tail's
/// start: the part beyond stands for the tail.
struct Ziggurat {
    x: [f64; 257],
    y: [f64; 257],
}

impl Ziggurat {
    fn new(tail: f64, area: f64, density: fn(f64) -> f64, inverse: fn(f64) -> f64) -> Self {
        let mut x = [0.0; 257];
        x[0] = area / density(tail);
        x[1] = tail;
        for i in 2..256 {
            x[i] = inverse(area / x[i - 1] + density(x[i - 1]));
        }
        Ziggurat { x, y: x.map(density) }
    }
}

/// The tables of both shapes.
struct Tables {
    exponential: Ziggurat,
    normal: Ziggurat,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    exponential: Ziggurat::new(EXPONENTIAL_TAIL, EXPONENTIAL_AREA, |x| libm::exp(-x), |y| -libm::log(y)),
    normal: Ziggurat::new(NORMAL_TAIL, NORMAL_AREA, |x| libm::exp(-0.5 * x * x), |y| (-2.0 * libm::log(y)).sqrt()),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_close_at_the_top_and_have_equal_areas() {
        for (zig, area) in [(&TABLES.exponential, EXPONENTIAL_AREA), (&TABLES.normal, NORMAL_AREA)] {
            assert_eq!((zig.x[256], zig.y[256]), (0.0, 1.0));
            for i in 1..256 {
                let layer = zig.x[i] * (zig.y[i + 1] - zig.y[i]);
                assert!((layer / area - 1.0).abs() < 1e-9, "layer {i} has area {layer}");
                assert!(zig.x[i] > zig.x[i + 1]);
            }
        }
    }

    #[test]
    fn the_base_layer_has_the_same_area_tail_included() {
        let tail = libm::exp(-EXPONENTIAL_TAIL);
        let base = EXPONENTIAL_TAIL * tail + tail;
        assert!((base / EXPONENTIAL_AREA - 1.0).abs() < 1e-12, "{base}");

        let root = std::f64::consts::SQRT_2;
        let tail = (std::f64::consts::PI / 2.0).sqrt() * libm::erfc(NORMAL_TAIL / root);
        let base = NORMAL_TAIL * libm::exp(-0.5 * NORMAL_TAIL * NORMAL_TAIL) + tail;
        assert!((base / NORMAL_AREA - 1.0).abs() < 1e-12, "{base}");
    }

    #[test]
    fn a_stream_is_the_same_for_ever() {
        // Golden: these numbers are part of every published result. Should they change, so do all results.
        let mut stream = Streams::new(42).named("client/web/arrivals");
        let words: Vec<u64> = (0..4).map(|_| stream.next_u64()).collect();
        assert_eq!(words, GOLDEN_WORDS);
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        let mut state = 1_234_567; // the reference sequence of SplitMix64
        let words: Vec<u64> = (0..3).map(|_| split_mix(&mut state)).collect();
        assert_eq!(words, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    const GOLDEN_WORDS: [u64; 4] =
        [5_934_672_432_391_799_413, 4_116_243_370_271_067_859, 15_957_876_092_569_765_521, 7_962_036_042_076_322_797];

    #[test]
    fn a_clone_goes_on_as_the_original_would_and_a_name_gives_the_same_stream_twice() {
        let mut one = Streams::new(1).named("a");
        one.next_u64();
        let mut two = one.clone();
        let mut again = Streams::new(1).named("a");
        again.next_u64();
        for _ in 0..100 {
            let word = one.next_u64();
            assert_eq!((word, word), (two.next_u64(), again.next_u64()));
        }
    }

    #[test]
    fn streams_of_different_names_or_seeds_have_nothing_to_do_with_each_other() {
        // Correlation of n independent pairs has standard deviation 1/sqrt(n); six of them is one in 10^9.
        let n = 20_000;
        let names = ["a", "b", "ab", "ba", "client/web/arrivals", "client/web/arrivalt", ""];
        let mut streams: Vec<Stream> = names.iter().map(|name| Streams::new(0).named(name)).collect();
        streams.extend([1, 2, u64::MAX].map(|seed| Streams::new(seed).named("a")));
        let draws: Vec<Vec<f64>> =
            streams.iter_mut().map(|stream| (0..n).map(|_| stream.unit() - 0.5).collect()).collect();
        for (i, one) in draws.iter().enumerate() {
            for two in &draws[..i] {
                let sum: f64 = one.iter().zip(two).map(|(a, b)| a * b).sum();
                let correlation = 12.0 * sum / n as f64; // a uniform number has variance 1/12
                assert!(correlation.abs() < 6.0 / (n as f64).sqrt(), "{correlation}");
            }
        }
    }

    #[test]
    fn units_stay_in_their_intervals() {
        let mut stream = Streams::new(3).named("unit");
        for _ in 0..100_000 {
            assert!((0.0..1.0).contains(&stream.unit()));
            let open = stream.open_unit();
            assert!(open > 0.0 && open <= 1.0);
        }
        assert!(halfway(0) > 0.0 && halfway(u64::MAX) < 1.0);
    }

    #[test]
    fn a_choice_below_n_is_even() {
        let mut stream = Streams::new(3).named("below");
        let (n, draws) = (7_usize, 700_000);
        let mut counts = vec![0_f64; n];
        (0..draws).for_each(|_| counts[stream.below(n as u64) as usize] += 1.0);
        let expected = f64::from(draws) / n as f64;
        let chi: f64 = counts.iter().map(|count| (count - expected) * (count - expected) / expected).sum();
        assert!(chi < 38.3, "chi-squared with 6 degrees of freedom is above 38.3 once in a million: {chi}");
        assert_eq!(stream.below(1), 0);
        // Where n does not divide 2^64 at all well, the rejection must keep the halves equal.
        let high = (0..30_000).filter(|_| stream.below(3 << 62) >= 1 << 63).count() as f64;
        assert!((high - 10_000.0).abs() < 6.0 * (30_000.0_f64 * 2.0 / 9.0).sqrt(), "{high}");
    }

    #[test]
    fn zero_chance_never_comes_and_certainty_always() {
        let mut stream = Streams::new(3).named("chance");
        for _ in 0..10_000 {
            assert!(!stream.chance(0.0) && !stream.chance(-1.0) && !stream.chance(f64::NAN));
            assert!(stream.chance(1.0) && stream.chance(2.0));
        }
        let hits = (0..100_000).filter(|_| stream.chance(0.1)).count() as f64;
        assert!((hits - 10_000.0).abs() < 6.0 * 9_000_f64.sqrt(), "{hits}");
    }

    #[test]
    fn every_order_is_equally_likely_after_a_shuffle() {
        let mut stream = Streams::new(3).named("shuffle");
        let mut counts = std::collections::BTreeMap::new();
        let shuffles = 60_000;
        for _ in 0..shuffles {
            let mut items = [1, 2, 3];
            stream.shuffle(&mut items);
            *counts.entry(items).or_insert(0.0) += 1.0;
        }
        let expected = f64::from(shuffles) / 6.0;
        let chi: f64 = counts.values().map(|count| (count - expected) * (count - expected) / expected).sum();
        assert!(counts.len() == 6 && chi < 35.9, "5 degrees of freedom, once in a million: {chi}");
        stream.shuffle::<u8>(&mut []);
    }

    #[test]
    fn a_choice_by_weight_follows_the_weights_and_never_takes_what_has_none() {
        let mut stream = Streams::new(3).named("weighted");
        let mut counts = [0_f64; 5];
        let draws = 80_000;
        (0..draws).for_each(|_| counts[stream.weighted(&[0.0, 1.0, 1.0, 4.0, 4.0])] += 1.0);
        assert_eq!((counts[0], counts[2], counts[4]), (0.0, 0.0, 0.0));
        assert!((counts[1] - 20_000.0).abs() < 6.0 * 15_000_f64.sqrt(), "{counts:?}");
    }

    #[test]
    #[should_panic(expected = "there is nothing to choose from")]
    fn choosing_from_nothing_is_our_bug() {
        Streams::new(0).named("").weighted(&[]);
    }
}
