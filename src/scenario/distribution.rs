//! How the law of a duration is written.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::source::Spanned;
use super::units::{Share, Span};
use crate::engine::{Dist, Duration};
use crate::short_form;

/// The law of a duration: work, latency, think time. Short form: a time, which means `constant`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Law")]
pub enum Spec {
    /// Always the same.
    Constant(Span),
    /// Every time between two is as likely.
    Uniform(Uniform),
    /// Exponential with this mean: memoryless; its standard deviation is its mean.
    Exponential(Span),
    /// The sum of `k` exponential times: between exponential (k = 1) and constant (k large).
    Erlang(Erlang),
    /// Gamma with a shape (1 is exponential, larger is less variable) and a mean.
    Gamma(Gamma),
    /// Lognormal: what service times are often like. By two percentiles, or by mean and coefficient of variation.
    Lognormal(Lognormal),
    /// Normal, cut at zero: times below zero are drawn again.
    Normal(Normal),
    /// Weibull with a shape (1 is exponential, below 1 has a heavier tail) and a scale.
    Weibull(Weibull),
    /// Pareto: a power-law tail. The mean is infinite for a shape of 1 or less.
    Pareto(Pareto),
    /// One of several laws, by weight.
    Mixture(Vec<Part>),
    /// One of the values of a column of numbers in a CSV file, each as likely as the others.
    Empirical(Empirical),
}

short_form!(Spec, Span, |time| Spec::Constant(time));

/// Between two times.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uniform {
    /// The shortest.
    pub from: Span,
    /// The longest.
    pub to: Span,
}

/// The sum of `k` exponential times.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Erlang {
    /// How many; at least 1.
    pub k: u32,
    /// The mean of the sum.
    pub mean: Span,
}

/// Gamma.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gamma {
    /// Above 0. The squared coefficient of variation is 1/shape.
    pub shape: f64,
    /// The mean.
    pub mean: Span,
}

/// Lognormal: give `p50` and one of `p90`, `p95`, `p99`, `p999`; or `mean` and `cv`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lognormal {
    /// The median.
    #[serde(default)]
    pub p50: Option<Span>,
    /// The 90th percentile.
    #[serde(default)]
    pub p90: Option<Span>,
    /// The 95th percentile.
    #[serde(default)]
    pub p95: Option<Span>,
    /// The 99th percentile.
    #[serde(default)]
    pub p99: Option<Span>,
    /// The 99.9th percentile.
    #[serde(default)]
    pub p999: Option<Span>,
    /// The mean.
    #[serde(default)]
    pub mean: Option<Span>,
    /// The coefficient of variation: standard deviation over mean.
    #[serde(default)]
    pub cv: Option<f64>,
}

/// Normal, cut at zero.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// The mean before the cut.
    pub mean: Span,
    /// The standard deviation before the cut.
    pub sd: Span,
}

/// Weibull.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weibull {
    /// Above 0.
    pub shape: f64,
    /// The time that 63 % of the draws do not exceed.
    pub scale: Span,
}

/// Pareto.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pareto {
    /// Above 0; the smaller, the heavier the tail.
    pub shape: f64,
    /// The shortest time.
    pub minimum: Span,
}

/// A part of a mixture.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How often this law is drawn, relative to the other parts.
    pub weight: f64,
    /// The law.
    pub of: Spec,
}

/// Values from a file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empirical {
    /// The file, relative to the folder of the model. Its first row holds names.
    pub file: Spanned<String>,
    /// The column. Default: the first.
    #[serde(default)]
    pub column: Option<Spanned<String>>,
    /// What one unit in the file is. Default: `1s`.
    #[serde(default)]
    pub unit: Option<Span>,
    /// The values, once the file has been read; none of them if it could not be.
    #[serde(skip)]
    pub values: Option<Arc<[Duration]>>,
}

impl Spec {
    /// What is wrong with the parameters, in words, with a way out.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        let positive = |value: f64| value.is_finite() && value > 0.0;
        match self {
            Self::Uniform(it) if it.to.0 < it.from.0 => wrong("`to` is below `from`", "exchange the two"),
            Self::Erlang(it) if it.k == 0 => wrong("`k` must be at least 1", "1 is the exponential law"),
            Self::Gamma(it) if !positive(it.shape) => wrong("`shape` must be above 0", "1 is the exponential law"),
            Self::Weibull(it) if !positive(it.shape) => wrong("`shape` must be above 0", "1 is the exponential law"),
            Self::Pareto(it) if !positive(it.shape) => {
                wrong("`shape` must be above 0", "2.5 is a heavy tail with a mean")
            }
            Self::Lognormal(it) => match it.law() {
                Ok(_) => {}
                Err(what) => wrong(&what, "write e.g. `{ p50: 20ms, p99: 90ms }` or `{ mean: 30ms, cv: 1.5 }`"),
            },
            Self::Mixture(parts) => {
                if parts.is_empty() {
                    wrong("a mixture of nothing", "give at least one part");
                }
                if parts.iter().any(|part| !(0.0..=1e9).contains(&part.weight))
                    || parts.iter().map(|part| part.weight).sum::<f64>() <= 0.0
                {
                    wrong("weights must be between zero and a billion, and not all zero", "give each part a `weight`");
                }
                found.extend(parts.iter().flat_map(|part| part.of.problems()));
            }
            Self::Empirical(it) if it.values.is_none() => {
                wrong("the values of this file have not been read", "in code, give them as `values`")
            }
            _ => {}
        }
        found
    }

    /// The files that it wants read.
    pub(super) fn files(&mut self) -> Vec<&mut Empirical> {
        match self {
            Self::Empirical(it) => vec![it],
            Self::Mixture(parts) => parts.iter_mut().flat_map(|part| part.of.files()).collect(),
            _ => Vec::new(),
        }
    }

    /// The law itself. Parameters without [`Spec::problems`] are assumed.
    #[must_use]
    pub fn dist(&self) -> Dist {
        match self {
            Self::Constant(time) => Dist::Constant(time.0),
            Self::Uniform(it) => Dist::Uniform { low: it.from.0, high: it.to.0 },
            Self::Exponential(mean) => Dist::Exponential { mean: mean.0.as_secs() },
            Self::Erlang(it) => Dist::Erlang { k: it.k, mean: it.mean.0.as_secs() },
            Self::Gamma(it) => Dist::Gamma { shape: it.shape, mean: it.mean.0.as_secs() },
            Self::Lognormal(it) => it.law().unwrap_or(Dist::Constant(Duration::ZERO)),
            Self::Normal(it) => Dist::Normal { mean: it.mean.0.as_secs(), sd: it.sd.0.as_secs() },
            Self::Weibull(it) => Dist::Weibull { shape: it.shape, scale: it.scale.0.as_secs() },
            Self::Pareto(it) => Dist::Pareto { shape: it.shape, scale: it.minimum.0.as_secs() },
            Self::Mixture(parts) => {
                let mut sum = 0.0;
                let cumulative = parts.iter().map(|part| {
                    sum += part.weight;
                    sum
                });
                Dist::Mixture {
                    cumulative: cumulative.collect(),
                    of: parts.iter().map(|part| part.of.dist()).collect(),
                }
            }
            Self::Empirical(it) => Dist::Empirical(match it.values.as_deref() {
                None | Some([]) => [Duration::ZERO].into(),
                Some(values) => values.into(),
            }),
        }
    }
}

impl Lognormal {
    fn law(&self) -> Result<Dist, String> {
        let percentiles = [(0.9, self.p90), (0.95, self.p95), (0.99, self.p99), (0.999, self.p999)];
        let given: Vec<_> = percentiles.iter().filter_map(|(share, time)| time.map(|time| (*share, time))).collect();
        match (self.p50, given.as_slice(), self.mean, self.cv) {
            (Some(p50), [(share, high)], None, None) => {
                if p50.0.is_zero() || high.0 < p50.0 {
                    return Err("the median must be above zero and not above the other percentile".into());
                }
                Ok(Dist::lognormal_from_percentiles(p50.0.as_secs(), *share, high.0.as_secs()))
            }
            (None, [], Some(mean), Some(cv)) => {
                if mean.0.is_zero() || !(cv.is_finite() && cv >= 0.0) {
                    return Err("`mean` must be above zero and `cv` zero or more".into());
                }
                Ok(Dist::lognormal_from_mean_cv(mean.0.as_secs(), cv))
            }
            _ => Err("a lognormal law needs `p50` and one other percentile, or `mean` and `cv`".into()),
        }
    }
}

/// A share of something, or the whole if it is not given.
pub(super) fn whole_unless(share: Option<Share>) -> f64 {
    share.map_or(1.0, |share| share.0)
}
