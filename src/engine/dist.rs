//! Distributions of durations: how long a piece of work, a hop or a pause between two arrivals takes.
//!
//! Sampling takes its logarithms, exponentials and powers from the `libm` crate. The methods of `f64` ask the
//! system's C library, whose last bit differs between systems in a few calls of a hundred, and one bit is enough
//! to make another run of it. (Square roots are exact everywhere.)
//!
//! Always: a sample is not negative and not NaN. The parameters are checked where files are read; here, nonsense
//! gives zero and never an endless loop.

use std::f64::consts::{PI, SQRT_2};

use crate::engine::random::Stream;
use crate::engine::time::Duration;

/// A distribution of durations. Parameters are in seconds where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Dist {
    /// Always the same. Draws nothing from the stream.
    Constant(Duration),
    /// Every nanosecond from `low` to `high`, both included, is equally likely. `high` below `low` counts as
    /// `low`.
    Uniform {
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
    /// Without memory: how long it still takes does not depend on how long it has taken. Variance mean².
    Exponential {
        /// Mean, in seconds. Zero is always zero.
        mean: f64,
    },
    /// The sum of `k` exponential stages: steadier than one, the more so the more stages. Variance mean² / k.
    Erlang {
        /// Stages. 1 is the exponential distribution, and so is 0.
        k: u32,
        /// Mean of the sum, in seconds.
        mean: f64,
    },
    /// Erlang with any number of stages, not only whole ones. Variance mean² / shape.
    Gamma {
        /// Above 1 steadier than exponential, below 1 burstier. Zero is always zero; infinite is always the mean.
        shape: f64,
        /// Mean, in seconds.
        mean: f64,
    },
    /// The exponential of a normal variable: many short ones and a long tail, the usual shape of service times.
    /// See [`Dist::lognormal_from_percentiles`] for a friendlier way to say it.
    LogNormal {
        /// Mean of the logarithm of the seconds. The median is `exp(mu)`.
        mu: f64,
        /// Standard deviation of that logarithm. Zero is always the median.
        sigma: f64,
    },
    /// Normal, *truncated* at zero: as if negative values were drawn again until one is not. The mean is then
    /// above `mean`, by 29 % when `sd` equals `mean`; [`Dist::mean`] says what it is.
    Normal {
        /// Mean before truncation, in seconds. May be negative; then only the tail above zero is left.
        mean: f64,
        /// Standard deviation before truncation, in seconds. Zero is always the mean (or zero, if that is
        /// negative).
        sd: f64,
    },
    /// Time to failure when the risk grows (`shape` above 1) or falls (below 1) with age.
    /// P(X > x) = exp(-(x / scale)^shape).
    Weibull {
        /// 1 is the exponential distribution.
        shape: f64,
        /// The age that 1 in e reaches, in seconds.
        scale: f64,
    },
    /// A heavy tail: P(X > x) = (scale / x)^shape. Infinite variance at shapes up to 2, infinite mean up to 1.
    Pareto {
        /// The smaller, the heavier the tail.
        shape: f64,
        /// The least value, in seconds.
        scale: f64,
    },
    /// One of several distributions, chosen by weight: a cache hit or a miss, a small or a large request.
    Mixture {
        /// Sums of the weights, as for [`Stream::weighted`]; as many as there are distributions.
        cumulative: Box<[f64]>,
        /// What to draw from, once chosen.
        of: Box<[Dist]>,
    },
    /// One of the recorded values, each equally likely. Must not be empty.
    Empirical(Box<[Duration]>),
}

impl Dist {
    /// The log-normal distribution with median `p50` whose `q` quantile is `value`: for a p99 of 90 ms,
    /// `q` = 0.99 and `value` = 0.090. In seconds. Solves `value = exp(mu + sigma z)`, where z is the `q`
    /// quantile of the standard normal. Percentiles that contradict each other (a p99 below the median) and a `q`
    /// outside (0, 1) or of one half give `sigma` = 0, that is, always the median.
    pub fn lognormal_from_percentiles(p50: f64, q: f64, value: f64) -> Dist {
        let mu = libm::log(p50);
        let sigma = (libm::log(value) - mu) / normal_quantile(q);
        Dist::LogNormal { mu, sigma: if sigma.is_finite() { sigma.max(0.0) } else { 0.0 } }
    }

    /// The log-normal distribution with that mean (in seconds) and coefficient of variation (standard deviation
    /// over mean). From mean = exp(mu + sigma²/2) and cv² = exp(sigma²) - 1. A `cv` of 0 is always the mean.
    pub fn lognormal_from_mean_cv(mean: f64, cv: f64) -> Dist {
        let variance = libm::log1p(cv * cv);
        Dist::LogNormal { mu: libm::log(mean) - variance / 2.0, sigma: variance.sqrt() }
    }

    /// The mean, in seconds: exact, not sampled. Infinite where it does not exist (Pareto with a shape of 1 or
    /// less).
    pub fn mean(&self) -> f64 {
        match self {
            Dist::Constant(value) => value.as_secs(),
            Dist::Uniform { low, high } => (low.as_secs() + high.max(low).as_secs()) / 2.0,
            Dist::Exponential { mean } | Dist::Erlang { mean, .. } | Dist::Gamma { mean, .. } => *mean,
            Dist::LogNormal { mu, sigma } => libm::exp(mu + sigma * sigma / 2.0),
            Dist::Normal { mean, sd } => truncated_mean(*mean, *sd),
            Dist::Weibull { shape, scale } => scale * libm::tgamma(1.0 + 1.0 / shape),
            Dist::Pareto { shape, scale } if *shape > 1.0 => scale * (shape / (shape - 1.0)),
            Dist::Pareto { scale, .. } => {
                if *scale > 0.0 {
                    f64::INFINITY
                } else {
                    0.0
                }
            }
            Dist::Mixture { cumulative, of } => {
                let total = cumulative.last().copied().unwrap_or(0.0);
                let mut below = 0.0;
                let mut sum = 0.0;
                for (&upto, dist) in cumulative.iter().zip(of) {
                    if upto > below {
                        // What has no weight has no say, even with an infinite mean.
                        sum += (upto - below) / total * dist.mean();
                    }
                    below = upto;
                }
                sum
            }
            Dist::Empirical(values) => {
                let sum: u128 = values.iter().map(|value| u128::from(value.nanos())).sum();
                sum as f64 / values.len() as f64 / 1e9
            }
        }
    }

    /// The one value it always gives, if it is known to be constant: then a delay can have a lane of its own
    /// ([`Engine::lane`](crate::engine::Engine::lane)) and nothing need be drawn.
    pub fn constant(&self) -> Option<Duration> {
        match self {
            Dist::Constant(value) => Some(*value),
            Dist::Uniform { low, high } if high <= low => Some(*low),
            _ => None,
        }
    }

    /// Draws a duration.
    #[inline]
    pub fn sample(&self, rng: &mut Stream) -> Duration {
        match self {
            Dist::Constant(value) => *value,
            Dist::Exponential { mean } => Duration::from_secs_f64(mean * rng.exponential()),
            Dist::Uniform { low, high } => {
                let choices = (*high - *low).nanos().saturating_add(1);
                *low + Duration::from_nanos(rng.below(choices))
            }
            Dist::Mixture { cumulative, of } => of[rng.weighted(cumulative)].sample(rng),
            Dist::Empirical(values) => values[rng.below(values.len() as u64) as usize],
            _ => Duration::from_secs_f64(self.sample_secs(rng)),
        }
    }

    /// Draws a duration in seconds, before it is rounded to nanoseconds. Takes as much from the stream as
    /// [`Dist::sample`], and is the same value.
    pub fn sample_secs(&self, rng: &mut Stream) -> f64 {
        let secs = match self {
            Dist::Constant(_) | Dist::Uniform { .. } | Dist::Empirical(_) => self.sample(rng).as_secs(),
            Dist::Exponential { mean } => mean * rng.exponential(),
            Dist::Erlang { k, mean } => erlang(*k, rng) * mean / f64::from((*k).max(1)),
            Dist::Gamma { shape, mean } if *shape == f64::INFINITY => *mean,
            Dist::Gamma { shape, mean } => mean * (gamma(*shape, rng) / shape),
            Dist::LogNormal { mu, sigma } => libm::exp(mu + sigma * rng.normal()),
            Dist::Normal { mean, sd } => truncated_normal(*mean, *sd, rng),
            // If E is exponential with mean 1, P(E^(1/shape) > x) = exp(-x^shape).
            Dist::Weibull { shape, scale } => scale * libm::pow(rng.exponential(), 1.0 / shape),
            // And P(exp(E / shape) > x) = P(E > shape ln x) = x^-shape.
            Dist::Pareto { shape, scale } => scale * libm::exp(rng.exponential() / shape),
            Dist::Mixture { cumulative, of } => of[rng.weighted(cumulative)].sample_secs(rng),
        };
        // Of NaN and zero, `max` gives the zero.
        secs.max(0.0)
    }
}

/// Sum of `k` exponentials of mean 1.
fn erlang(k: u32, rng: &mut Stream) -> f64 {
    match k {
        // Drawn one by one while that is faster than the gamma method.
        0..=3 => (0..k.max(1)).map(|_| rng.exponential()).sum(),
        _ => gamma(f64::from(k), rng),
    }
}

/// Gamma with scale 1: Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). Zero for a
/// shape that is not positive.
fn gamma(shape: f64, rng: &mut Stream) -> f64 {
    if shape.is_nan() || shape <= 0.0 {
        return 0.0;
    }
    if shape < 1.0 {
        // From the same paper: if U is uniform, gamma(shape + 1) times U^(1/shape) is gamma(shape). As
        // U^(1/shape) = exp(-E/shape), with an exponential.
        let fraction = libm::exp(-rng.exponential() / shape);
        return gamma(shape + 1.0, rng) * fraction;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = rng.normal();
        let root = 1.0 + c * x;
        if root <= 0.0 {
            continue;
        }
        let v = root * root * root;
        let u = rng.open_unit();
        // The squeeze: cheap, and true for 97 % and more. The last clause ends the loop for any shape.
        if u < 1.0 - 0.0331 * (x * x) * (x * x) || libm::log(u) < 0.5 * x * x + d * (1.0 - v + libm::log(v)) {
            return d * v;
        }
    }
}

/// The normal distribution, given that it is not negative.
fn truncated_normal(mean: f64, sd: f64, rng: &mut Stream) -> f64 {
    if sd.is_nan() || sd <= 0.0 || !(mean / sd).is_finite() {
        return mean;
    }
    if mean >= 0.0 {
        loop {
            // At least every second one is accepted.
            let x = mean + sd * rng.normal();
            if x >= 0.0 {
                return x;
            }
        }
    }
    // Only the tail beyond a > 0 is left: an exponential of rate alpha, accepted with probability
    // exp(-(z - alpha)² / 2), which is at least 0.76. Robert, "Simulation of truncated normal variables" (1995).
    let a = -mean / sd;
    let alpha = if a > 1e8 { a } else { (a + (a * a + 4.0).sqrt()) / 2.0 }; // equal from there on
    loop {
        let beyond = rng.exponential() / alpha;
        let off = beyond - (alpha - a);
        if rng.open_unit() <= libm::exp(-0.5 * off * off) {
            return sd * beyond;
        }
    }
}

/// Mean of [`truncated_normal`]: mean + sd φ(a) / Q(a), where a = -mean / sd, φ is the normal density and Q its
/// upper tail.
fn truncated_mean(mean: f64, sd: f64) -> f64 {
    let a = -mean / sd;
    if sd.is_nan() || sd <= 0.0 || !a.is_finite() {
        return mean.max(0.0);
    }
    if a > 30.0 {
        // There the difference of the two cancels: the first terms of φ/Q = a + 1/a - 2/a³ + 10/a⁵ - ..
        return sd * (1.0 - 2.0 / (a * a)) / a;
    }
    let density = libm::exp(-0.5 * a * a) / (2.0 * PI).sqrt();
    mean + sd * density / (0.5 * libm::erfc(a / SQRT_2))
}

/// The `q` quantile of the standard normal distribution: 1.645 for 0.95, 2.326 for 0.99. Minus and plus infinity
/// for 0 and 1; NaN outside. By bisection of libm's `erfc`, which takes microseconds: for building models.
pub fn normal_quantile(q: f64) -> f64 {
    if q.is_nan() || !(0.0..=1.0).contains(&q) {
        return f64::NAN;
    }
    if q < 0.5 {
        // The smaller tail is the one that keeps its digits.
        return -upper_quantile(q);
    }
    upper_quantile(1.0 - q)
}

/// The z beyond which the standard normal has probability `tail`, at most one half.
fn upper_quantile(tail: f64) -> f64 {
    if tail == 0.0 {
        return f64::INFINITY;
    }
    if tail == 0.5 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 40.0); // beyond 40 lies less than the least number above zero
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if 0.5 * libm::erfc(middle / SQRT_2) > tail { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::random::{Streams, fnv1a};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn secs(dist: &Dist, name: &str, n: usize) -> Vec<f64> {
        let mut rng = Streams::new(2026).named(name);
        (0..n).map(|_| dist.sample_secs(&mut rng)).collect()
    }

    /// A distribution, its cumulative distribution function, and its variance.
    type Case = (&'static str, Dist, Box<dyn Fn(f64) -> f64>, f64);

    fn cases() -> Vec<Case> {
        let normal = |z: f64| 0.5 * libm::erfc(-z / SQRT_2);
        let truncated = move |mean: f64, sd: f64| {
            let cut = normal(-mean / sd);
            move |x: f64| (normal((x - mean) / sd) - cut) / (1.0 - cut)
        };
        // Variance of the truncated normal: sd² (1 + aλ - λ²), where λ = φ(a)/Q(a) = (its mean - mean) / sd.
        let truncated_variance = |mean: f64, sd: f64| {
            let (a, l) = (-mean / sd, (truncated_mean(mean, sd) - mean) / sd);
            sd * sd * (1.0 + a * l - l * l)
        };
        // Γ(1 + 2/k) - Γ(1 + 1/k)², for Weibull.
        let weibull_variance = |k: f64| {
            let first = libm::tgamma(1.0 + 1.0 / k);
            libm::tgamma(1.0 + 2.0 / k) - first * first
        };
        vec![
            (
                "uniform",
                Dist::Uniform { low: MS(1000), high: MS(3000) },
                Box::new(|x| ((x - 1.0) / 2.0).clamp(0.0, 1.0)),
                4.0 / 12.0,
            ),
            ("exponential", Dist::Exponential { mean: 2.0 }, Box::new(|x| 1.0 - libm::exp(-x / 2.0)), 4.0),
            ("erlang 1", Dist::Erlang { k: 1, mean: 2.0 }, Box::new(|x| 1.0 - libm::exp(-x / 2.0)), 4.0),
            ("erlang 3", Dist::Erlang { k: 3, mean: 3.0 }, Box::new(|x| gamma_cdf(3.0, x)), 3.0),
            ("erlang 40", Dist::Erlang { k: 40, mean: 40.0 }, Box::new(|x| gamma_cdf(40.0, x)), 40.0),
            ("gamma 0.01", Dist::Gamma { shape: 0.01, mean: 0.01 }, Box::new(|x| gamma_cdf(0.01, x)), 0.01),
            ("gamma 0.5", Dist::Gamma { shape: 0.5, mean: 0.5 }, Box::new(|x| gamma_cdf(0.5, x)), 0.5),
            ("gamma 1", Dist::Gamma { shape: 1.0, mean: 1.0 }, Box::new(|x| gamma_cdf(1.0, x)), 1.0),
            ("gamma 2.5", Dist::Gamma { shape: 2.5, mean: 2.5 }, Box::new(|x| gamma_cdf(2.5, x)), 2.5),
            (
                "lognormal",
                Dist::LogNormal { mu: -1.0, sigma: 0.5 },
                Box::new(move |x| normal((libm::log(x) + 1.0) / 0.5)),
                {
                    let s2 = 0.25;
                    (libm::exp(s2) - 1.0) * libm::exp(-2.0 + s2)
                },
            ),
            (
                "normal 3 1",
                Dist::Normal { mean: 3.0, sd: 1.0 },
                Box::new(truncated(3.0, 1.0)),
                truncated_variance(3.0, 1.0),
            ),
            (
                "normal 0 1",
                Dist::Normal { mean: 0.0, sd: 1.0 },
                Box::new(truncated(0.0, 1.0)),
                truncated_variance(0.0, 1.0),
            ),
            (
                "normal -0.1 1",
                Dist::Normal { mean: -0.1, sd: 1.0 },
                Box::new(truncated(-0.1, 1.0)),
                truncated_variance(-0.1, 1.0),
            ),
            (
                "normal -4 1",
                Dist::Normal { mean: -4.0, sd: 1.0 },
                Box::new(truncated(-4.0, 1.0)),
                truncated_variance(-4.0, 1.0),
            ),
            (
                "weibull 0.7",
                Dist::Weibull { shape: 0.7, scale: 1.0 },
                Box::new(|x| 1.0 - libm::exp(-libm::pow(x, 0.7))),
                weibull_variance(0.7),
            ),
            (
                "weibull 3",
                Dist::Weibull { shape: 3.0, scale: 1.0 },
                Box::new(|x| 1.0 - libm::exp(-libm::pow(x, 3.0))),
                weibull_variance(3.0),
            ),
            (
                "pareto 9",
                Dist::Pareto { shape: 9.0, scale: 2.0 },
                Box::new(|x| 1.0 - libm::pow(2.0 / x, 9.0)),
                4.0 * 9.0 / (64.0 * 7.0),
            ),
            (
                "pareto 0.8",
                Dist::Pareto { shape: 0.8, scale: 2.0 },
                Box::new(|x| 1.0 - libm::pow(2.0 / x, 0.8)),
                f64::INFINITY,
            ),
            (
                "mixture",
                Dist::Mixture {
                    cumulative: [3.0, 3.0, 4.0].into(),
                    of: [
                        Dist::Exponential { mean: 1.0 },
                        Dist::Pareto { shape: 0.5, scale: 1.0 },
                        Dist::Exponential { mean: 5.0 },
                    ]
                    .into(),
                },
                Box::new(|x| 1.0 - 0.75 * libm::exp(-x) - 0.25 * libm::exp(-x / 5.0)),
                0.75 * 2.0 + 0.25 * 50.0 - 4.0,
            ),
        ]
    }

    /// The regularised lower incomplete gamma function, by its series
    /// P(a, x) = x^a e^-x / Γ(a+1) · (1 + x/(a+1) + x²/((a+1)(a+2)) + ..).
    fn gamma_cdf(a: f64, x: f64) -> f64 {
        if x <= 0.0 {
            return 0.0;
        }
        let (mut term, mut sum, mut n) = (1.0, 1.0, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        sum * libm::exp(a * libm::log(x) - x - libm::lgamma(a + 1.0))
    }

    #[test]
    fn samples_follow_their_distribution_functions() {
        // Dvoretzky, Kiefer, Wolfowitz and Massart: P(distance > d) <= 2 exp(-2 n d²). This d is exceeded at most
        // once in a million; there are a few dozen trials.
        let n = 20_000;
        let limit = (libm::log(2.0 / 1e-6) / (2.0 * n as f64)).sqrt();
        for (name, dist, cdf, _) in cases() {
            for stream in ["one", "two", "three"] {
                let mut samples = secs(&dist, &format!("{name}/{stream}"), n);
                samples.sort_by(f64::total_cmp);
                let mut distance = 0.0_f64;
                for (i, &x) in samples.iter().enumerate() {
                    let (below, upto, f) = (i as f64 / n as f64, (i + 1) as f64 / n as f64, cdf(x));
                    distance = distance.max((f - below).abs()).max((f - upto).abs());
                }
                assert!(distance < limit, "{name}, stream {stream}: {distance} is not below {limit}");
            }
        }
    }

    #[test]
    fn means_and_variances_are_what_the_formulas_say() {
        // The mean of n samples has standard deviation sqrt(variance / n); six of them is one in 10^9.
        let n = 200_000;
        for (name, dist, _, variance) in cases().into_iter().filter(|case| case.3.is_finite()) {
            let samples = secs(&dist, &format!("{name}/moments"), n);
            let mean = samples.iter().sum::<f64>() / n as f64;
            let bound = 6.0 * (variance / n as f64).sqrt();
            assert!((mean - dist.mean()).abs() < bound, "{name}: {mean} instead of {}", dist.mean());
            // The same for the variance, with the fourth moment from the samples themselves.
            let squares: Vec<f64> = samples.iter().map(|x| (x - dist.mean()) * (x - dist.mean())).collect();
            let got = squares.iter().sum::<f64>() / n as f64;
            let fourth = squares.iter().map(|x| (x - got) * (x - got)).sum::<f64>() / n as f64;
            let bound = 6.0 * (fourth / n as f64).sqrt();
            assert!((got - variance).abs() < bound, "{name}: variance {got} instead of {variance} ± {bound}");
        }
    }

    #[test]
    fn the_mean_is_infinite_where_there_is_none() {
        assert_eq!(Dist::Pareto { shape: 1.0, scale: 1.0 }.mean(), f64::INFINITY);
        assert_eq!(Dist::Pareto { shape: 2.0, scale: 1.0 }.mean(), 2.0);
        assert_eq!(Dist::Constant(MS(250)).mean(), 0.25);
        assert_eq!(Dist::Empirical([MS(1), MS(2), MS(6)].into()).mean(), 0.003);
    }

    #[test]
    fn a_lognormal_is_found_from_its_percentiles_or_from_its_mean_and_variation() {
        let dist = Dist::lognormal_from_percentiles(0.020, 0.99, 0.090);
        let Dist::LogNormal { mu, sigma } = dist else { panic!("{dist:?}") };
        assert!((libm::exp(mu) - 0.020).abs() < 1e-15);
        assert!((libm::exp(mu + 2.326_347_874_040_841 * sigma) - 0.090).abs() < 1e-14);

        let dist = Dist::lognormal_from_mean_cv(0.5, 2.0);
        let Dist::LogNormal { sigma, .. } = dist else { panic!("{dist:?}") };
        assert!((dist.mean() - 0.5).abs() < 1e-15);
        assert!((libm::exp(sigma * sigma) - 1.0 - 4.0).abs() < 1e-14);
    }

    #[test]
    fn percentiles_that_contradict_each_other_leave_the_median_alone() {
        for (q, value) in [(0.99, 0.010), (0.5, 0.090), (1.0, 0.090), (2.0, 0.090)] {
            let dist = Dist::lognormal_from_percentiles(0.020, q, value);
            assert_eq!(dist.sample(&mut Streams::new(0).named("x")), MS(20), "{q} {value}");
        }
    }

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (q, z) in [
            (0.5, 0.0),
            (0.95, 1.644_853_626_951_472_2),
            (0.99, 2.326_347_874_040_841),
            (0.999, 3.090_232_306_167_813_5),
        ] {
            assert!((normal_quantile(q) - z).abs() < 1e-12, "{q}: {}", normal_quantile(q));
            assert!((normal_quantile(1.0 - q) + z).abs() < 1e-12);
        }
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(normal_quantile(1.5).is_nan());
    }

    #[test]
    fn constants_are_known_and_draw_nothing() {
        let mut rng = Streams::new(0).named("x");
        assert_eq!(Dist::Constant(MS(3)).sample(&mut rng), MS(3));
        assert_eq!(rng.next_u64(), Streams::new(0).named("x").next_u64());
        assert_eq!(Dist::Constant(MS(3)).constant(), Some(MS(3)));
        assert_eq!(Dist::Uniform { low: MS(3), high: MS(3) }.constant(), Some(MS(3)));
        assert_eq!(Dist::Exponential { mean: 0.0 }.constant(), None);
    }

    #[test]
    fn a_uniform_duration_takes_both_its_ends() {
        let dist = Dist::Uniform { low: Duration::from_nanos(5), high: Duration::from_nanos(7) };
        let mut rng = Streams::new(0).named("x");
        let seen: std::collections::BTreeSet<u64> = (0..1000).map(|_| dist.sample(&mut rng).nanos()).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [5, 6, 7]);
    }

    #[test]
    fn extreme_parameters_give_zero_or_the_limit_and_never_an_endless_loop() {
        let nan = f64::NAN;
        let zero = [
            Dist::Exponential { mean: 0.0 },
            Dist::Exponential { mean: -1.0 },
            Dist::Exponential { mean: nan },
            Dist::Erlang { k: 0, mean: 0.0 },
            Dist::Gamma { shape: 0.0, mean: 1.0 },
            Dist::Gamma { shape: nan, mean: 1.0 },
            Dist::Gamma { shape: 1e-300, mean: 1.0 },
            Dist::Gamma { shape: 0.5, mean: 0.0 },
            Dist::LogNormal { mu: f64::NEG_INFINITY, sigma: 1.0 },
            Dist::LogNormal { mu: nan, sigma: 1.0 },
            Dist::Normal { mean: -1.0, sd: 0.0 },
            Dist::Normal { mean: -1.0, sd: 1e-300 },
            Dist::Normal { mean: -1e300, sd: 1.0 },
            Dist::Normal { mean: nan, sd: 1.0 },
            Dist::Normal { mean: 0.0, sd: 0.0 },
            Dist::Weibull { shape: 2.0, scale: 0.0 },
            Dist::Weibull { shape: nan, scale: 1.0 },
            Dist::Pareto { shape: 2.0, scale: 0.0 },
        ];
        let mut rng = Streams::new(0).named("extremes");
        for dist in &zero {
            for _ in 0..100 {
                assert_eq!(dist.sample(&mut rng), Duration::ZERO, "{dist:?}");
            }
        }
        let limits = [
            (Dist::Gamma { shape: f64::INFINITY, mean: 2.0 }, 2.0),
            (Dist::Gamma { shape: 1e30, mean: 2.0 }, 2.0),
            (Dist::Erlang { k: u32::MAX, mean: 2.0 }, 2.0),
            (Dist::Normal { mean: 2.0, sd: 0.0 }, 2.0),
            (Dist::Normal { mean: 2.0, sd: nan }, 2.0),
            (Dist::Weibull { shape: 1e9, scale: 2.0 }, 2.0),
            (Dist::Pareto { shape: 1e9, scale: 2.0 }, 2.0),
        ];
        for (dist, limit) in &limits {
            assert!((dist.sample_secs(&mut rng) / limit - 1.0).abs() < 1e-3, "{dist:?}");
        }
        assert_eq!(Dist::Pareto { shape: 0.0, scale: 1.0 }.sample(&mut rng), Duration::FOREVER);
    }

    #[test]
    fn a_duration_is_the_rounded_value_of_the_same_draw() {
        for (name, dist, _, _) in cases() {
            let mut one = Streams::new(1).named(name);
            let mut two = one.clone();
            for _ in 0..100 {
                assert_eq!(dist.sample(&mut one), Duration::from_secs_f64(dist.sample_secs(&mut two)), "{name}");
            }
            assert_eq!(one.next_u64(), two.next_u64(), "{name}");
        }
    }

    #[test]
    fn the_same_samples_come_on_every_platform_and_in_every_version() {
        // Golden hashes of 10,000 samples. If one changes, so do published results: say so in the changelog.
        let mut all: Vec<(&str, Dist)> = cases().into_iter().map(|(name, dist, ..)| (name, dist)).collect();
        all.push(("empirical", Dist::Empirical([MS(1), MS(2), MS(6)].into())));
        all.push(("percentiles", Dist::lognormal_from_percentiles(0.020, 0.99, 0.090)));
        let hashes: Vec<(&str, u64)> = all
            .iter()
            .map(|(name, dist)| {
                let mut rng = Streams::new(1).named(name);
                let bytes: Vec<u8> = (0..10_000).flat_map(|_| dist.sample(&mut rng).nanos().to_le_bytes()).collect();
                (*name, fnv1a(&bytes))
            })
            .collect();
        assert_eq!(hashes, GOLDEN);
    }

    const GOLDEN: &[(&str, u64)] = &[
        ("uniform", 0xe719_d96b_12c8_e9b5),
        ("exponential", 0xf78d_075a_cd62_4349),
        ("erlang 1", 0x281c_b72b_f775_f6ea),
        ("erlang 3", 0x4d43_6d34_5a35_5e2f),
        ("erlang 40", 0x4d30_439f_8932_5d43),
        ("gamma 0.01", 0x18ca_5053_2fbc_590a),
        ("gamma 0.5", 0x0242_db8f_2f6a_f785),
        ("gamma 1", 0xd5c4_ba69_9009_269f),
        ("gamma 2.5", 0x7888_5433_7408_4cbe),
        ("lognormal", 0x0295_31ae_f861_73fb),
        ("normal 3 1", 0xbd37_6c4c_439c_ce24),
        ("normal 0 1", 0xbd3d_e79c_498d_d7c3),
        ("normal -0.1 1", 0x5b7d_26b2_11ee_aac2),
        ("normal -4 1", 0x4a3f_88e6_d38d_d627),
        ("weibull 0.7", 0x5c81_334c_8892_f5e4),
        ("weibull 3", 0x2a46_1655_ead2_7bbb),
        ("pareto 9", 0x273c_c9cc_109a_666d),
        ("pareto 0.8", 0xe242_496f_d58c_2ed4),
        ("mixture", 0x8928_6a5e_8465_2c00),
        ("empirical", 0x60bd_b4c0_ca57_7f3a),
        ("percentiles", 0xa100_2ad3_3e68_15ed),
    ];
}
