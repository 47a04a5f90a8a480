//! Claims: what an experiment says of its own results, and whether it is so.
//!
//! A claim is judged at each point that its `where` leaves, over the seeds, and there are three answers:
//!
//! ```text
//!                       at_most: b
//!                           │
//!     holds        ├──●──┤  │                   the whole 95 % interval keeps to the bound
//!     undecided          ├──┼●──┤               the bound is within it: these seeds cannot tell
//!     fails                 │    ├──●──┤        the whole interval is on the wrong side
//! ```
//!
//! The interval is Student's for the mean of a metric (with one seed, or if it is infinite, the value itself), and Wilson's for the share
//! of runs that end with a verdict. `equals` holds if every run has the value to nine digits, and fails otherwise; all or none of the runs
//! (`equals: 100%`, `at_least: 100%`, `at_most: 0%`) is a statement about the runs that were made, and is judged by counting them.

use std::cmp::Ordering;

use super::statistics::sequential::Wanted;
use super::statistics::{paired, proportion};
use super::{Facts, PointResult, statistics::Summary};
use crate::measure::{Quantity, metric};
use crate::scenario::experiment::{Claim, Experiment, VerdictName};
use crate::scenario::source::Spanned;
use crate::scenario::tree::Node;
use crate::scenario::units::{Rate, Share, Span};
use crate::scenario::{Scenario, matches};
use crate::system::plan::Plan;

/// Whether a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The whole interval keeps to the bounds.
    Yes,
    /// The whole interval is beyond a bound, or a run has no such figure.
    No,
    /// A bound is within the interval.
    Undecided,
}

impl Holds {
    /// As written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
        }
    }

    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Undecided,
        }
    }
}

/// A claim at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In words.
    pub claim: String,
    /// The number of the point.
    pub point: usize,
    /// The metric, or `verdict:<name>`.
    pub metric: String,
    /// In what it is measured.
    pub quantity: Quantity,
    /// What it is over the seeds. For a verdict the ends of the interval are Wilson's.
    pub value: Summary,
    /// The bound, as written.
    pub bound: String,
    /// Whether it holds.
    pub holds: Holds,
    /// About how many seeds would decide it, if these cannot. [`None`] if they can, or no number would: the mean is at the bound.
    pub seeds_to_decide: Option<usize>,
}

/// In what the bounds of a claim are written: as its metric is measured, or as a ratio of two values of it.
pub(super) fn quantity(claim: &Claim) -> Quantity {
    if claim.relative_to.is_some() {
        return Quantity::Factor;
    }
    claim.metric.as_ref().and_then(|name| metric(name)).map_or(Quantity::Share, |metric| metric.quantity)
}

/// A bound as a number, if it is written in this quantity: seconds, a rate a second, a share, or a plain number.
pub(crate) fn number(node: &Node, quantity: Quantity) -> Option<f64> {
    let text = node.as_str().unwrap_or_default();
    let plain = node.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
    match quantity {
        _ if text == "inf" => Some(f64::INFINITY),
        Quantity::Seconds => text.parse::<Span>().ok().map(|span| span.0.as_secs()).or(plain.filter(|it| *it == 0.0)),
        Quantity::PerSecond => text.parse::<Rate>().ok().map(|rate| rate.0).or(plain.filter(|it| *it == 0.0)),
        Quantity::Share => text.parse::<Share>().ok().map(|share| share.0).or(plain.filter(|it| *it <= 1.0)),
        Quantity::Count => plain,
        Quantity::Factor => text.parse::<Share>().ok().map(|share| share.0).or(plain),
    }
}

/// How a bound in this quantity is written.
pub(super) fn way_to_write(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Seconds => "this metric is a time: write it with its unit, e.g. `250ms`",
        Quantity::PerSecond => "this metric is a rate: write e.g. `100/s`",
        Quantity::Share => "this is a share: write e.g. `99%`, or a number between 0 and 1",
        Quantity::Count => "this metric is a number of things: write e.g. `20`",
        Quantity::Factor => "this is how many times as much: write e.g. `3` or `95%`",
    }
}

/// The entity that a claim or chart is about: the one named, or the only client.
pub(super) fn entity(named: Option<&Spanned<String>>, plan: &Plan) -> Option<String> {
    match (named, plan.clients.as_slice()) {
        (Some(name), _) => Some(name.value.clone()),
        (None, [only]) => Some(format!("client/{}", only.name)),
        _ => None,
    }
}

/// Judges all claims of an experiment, by what is kept of its points.
pub(super) fn judge(scenario: &Scenario, experiment: &Experiment, points: &[Facts]) -> Vec<Judged> {
    let mut judged = Vec::new();
    for (place, claim) in experiment.expect.iter().enumerate() {
        for number in 0..points.len() {
            if matches(scenario, &scenario.point(number), &claim.filter) {
                judged.push(judge_at(scenario, points, number, (place, claim)));
            }
        }
    }
    judged
}

/// What is to be known well enough at a point before no more seeds are run there: what is claimed of it, or the goodput of its clients.
/// Where every run must have a value (`equals`), more runs make nothing surer.
pub(super) fn wanted(scenario: &Scenario, point: &PointResult) -> Vec<Wanted> {
    let about = |claim: &&Spanned<Claim>| claim.equals.is_none() && matches(scenario, &point.point, &claim.filter);
    let claimed = point.experiment.expect.iter().filter(about).map(|claim| {
        let values = values(point, claim);
        match claim.metric {
            Some(_) => Wanted::Mean(values),
            None => Wanted::Share { k: values.iter().filter(|it| **it == 1.0).count(), n: values.len() },
        }
    });
    let claimed: Vec<Wanted> = claimed.collect();
    if !claimed.is_empty() {
        return claimed;
    }
    let goodput = |client: &crate::system::plan::Client| {
        let entity = format!("client/{}", client.name);
        let value = |run: &crate::measure::Run| run.value(&point.plan, "all", &entity, "goodput").unwrap_or(f64::NAN);
        Wanted::Mean(point.runs.iter().map(value).collect())
    };
    point.plan.clients.iter().map(goodput).collect()
}

/// What a claim is about at a point, for each seed, before it is divided by anything.
pub(super) fn values(point: &PointResult, claim: &Claim) -> Vec<f64> {
    match (&claim.metric, claim.verdict) {
        (Some(metric), _) => {
            let entity = entity(claim.of.as_ref(), &point.plan).unwrap_or_default();
            let window = claim.window.as_ref().map_or("all", |window| window.value.as_str());
            let value = |run: &crate::measure::Run| run.value(&point.plan, window, &entity, &metric.value);
            point.runs.iter().map(|run| value(run).unwrap_or(f64::NAN)).collect()
        }
        (None, wanted) => {
            point.verdicts.iter().map(|verdict| if Some(verdict.name) == wanted { 1.0 } else { 0.0 }).collect()
        }
    }
}

fn judge_at(scenario: &Scenario, points: &[Facts], point: usize, claim: (usize, &Spanned<Claim>)) -> Judged {
    let (place, claim) = claim;
    let mut values_here = points[point].claims[place].clone();
    if let Some(base) = &claim.relative_to {
        // The point with those values, and for the rest the same as here.
        let here = scenario.point(point);
        let base = (0..points.len()).find(|&other| {
            let other = scenario.point(other);
            matches(scenario, &other, &base.value)
                && scenario
                    .axes
                    .iter()
                    .enumerate()
                    .all(|(axis, it)| base.value.contains(&it.name) || other.values[axis] == here.values[axis])
        });
        let base = base.map_or(&[][..], |base| &points[base].claims[place]);
        values_here = values_here.iter().zip(base).map(|(value, base)| value / base).collect();
    }
    let mut value = Summary::of(&values_here);
    let quantity = quantity(claim);
    let of_runs = claim.metric.is_none();
    if of_runs {
        let all = values_here.len();
        let k = values_here.iter().filter(|it| **it == 1.0).count();
        (value.low, value.high) = proportion::wilson(k, all);
    }
    let bound = |node: &Option<Node>| node.as_ref().and_then(|node| number(node, quantity));
    let mut holds = if value.n > 0 && value.n == values_here.len() { Holds::Yes } else { Holds::No };
    let mut to_decide = Vec::new();
    let mut words = Vec::new();
    // The side of the bound on which the claim is right.
    let mut bounded = |node: &Option<Node>, right: Ordering, sign: &str| {
        let Some(bound) = bound(node) else { return Holds::Yes };
        words.push(format!("{sign} {}", label(node)));
        let side = side(&value, of_runs, bound);
        if side == Some(Ordering::Equal) || side == Some(right) {
            Holds::Yes
        } else if side.is_some() {
            Holds::No
        } else {
            to_decide.push(if of_runs {
                proportion::runs_to_decide(value.mean, bound)
            } else {
                paired::runs_to_decide(value.mean - bound, value.sd)
            });
            Holds::Undecided
        }
    };
    holds = holds.and(bounded(&claim.at_most, Ordering::Less, "<="));
    holds = holds.and(bounded(&claim.at_least, Ordering::Greater, ">="));
    if let Some(exactly) = bound(&claim.equals) {
        let all = values_here.iter().all(|&it| it == exactly || (it - exactly).abs() <= 1e-9 * exactly.abs());
        holds = holds.and(if all { Holds::Yes } else { Holds::No });
        words.push(format!("= {}", label(&claim.equals)));
    }
    // A run that nobody could judge has not shown that it did not end so.
    let not_judged = |it: &crate::experiment::Verdict| it.name == VerdictName::NotJudged;
    if of_runs && claim.verdict != Some(VerdictName::NotJudged) && points[point].verdicts.iter().any(not_judged) {
        holds = holds.and(Holds::Undecided);
    }
    // The slowest of them; none, if one of them stays open for ever.
    let seeds_to_decide = to_decide.into_iter().collect::<Option<Vec<_>>>().and_then(|seeds| seeds.into_iter().max());
    let seeds_to_decide = seeds_to_decide.filter(|_| holds == Holds::Undecided);
    let metric = match (&claim.metric, claim.verdict) {
        (Some(metric), _) => metric.value.clone(),
        (None, Some(verdict)) => format!("verdict:{}", verdict.name()),
        (None, None) => String::new(),
    };
    let bound = words.join(" and ");
    Judged { claim: claim.claim.clone(), point, metric, quantity, value, bound, holds, seeds_to_decide }
}

/// On which side of a bound a figure is with its whole interval, equal if it only touches it; [`None`] if the bound is within it.
pub(super) fn side(value: &Summary, of_runs: bool, bound: f64) -> Option<Ordering> {
    // All of the runs that were made, or none of them: no interval of a share is clear of that, and none is meant.
    let counted = of_runs && (bound == 0.0 || bound == 1.0);
    if counted || (value.n == 1 && !of_runs) {
        return value.mean.partial_cmp(&bound);
    }
    if value.low == bound && value.high == bound {
        Some(Ordering::Equal)
    } else if value.high <= bound {
        Some(Ordering::Less)
    } else if value.low >= bound {
        Some(Ordering::Greater)
    } else {
        None
    }
}

fn label(node: &Option<Node>) -> String {
    node.as_ref().map(Node::label).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_within_the_interval_decides_nothing() {
        // 3 ± 1.96.
        let value = Summary::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(side(&value, false, 5.0), Some(Ordering::Less));
        assert_eq!(side(&value, false, 1.0), Some(Ordering::Greater));
        assert_eq!(side(&value, false, 4.0), None);
        assert_eq!(side(&Summary::of(&[2.0; 5]), false, 2.0), Some(Ordering::Equal));
        let (one, never) = (Summary::of(&[3.0]), Summary::of(&[3.0, f64::INFINITY]));
        assert_eq!(side(&one, false, 4.0), Some(Ordering::Less), "one seed: its value");
        assert_eq!(side(&never, false, 4.0), Some(Ordering::Greater));
        assert_eq!(side(&never, false, f64::INFINITY), Some(Ordering::Equal));
    }

    #[test]
    fn shares_of_runs_have_wilsons_interval_and_all_of_them_are_counted() {
        let share = |k: usize, n: usize| {
            let values: Vec<f64> = (0..n).map(|run| if run < k { 1.0 } else { 0.0 }).collect();
            let (low, high) = proportion::wilson(k, n);
            Summary { low, high, ..Summary::of(&values) }
        };
        // 20 of 20: [84 %, 100 %]; 19 of 20: [76 %, 99 %].
        assert_eq!(side(&share(20, 20), true, 1.0), Some(Ordering::Equal));
        assert_eq!(side(&share(19, 20), true, 1.0), Some(Ordering::Less));
        assert_eq!(side(&share(20, 20), true, 0.8), Some(Ordering::Greater));
        assert_eq!(side(&share(20, 20), true, 0.9), None);
        assert_eq!(side(&share(0, 20), true, 0.0), Some(Ordering::Equal));
        assert_eq!(side(&share(1, 20), true, 0.0), Some(Ordering::Greater));
        assert_eq!(side(&share(1, 1), true, 0.5), None, "one run tells nothing of a share");
    }

    #[test]
    fn what_fails_once_fails() {
        assert_eq!(Holds::Undecided.and(Holds::No), Holds::No);
        assert_eq!(Holds::Undecided.and(Holds::Yes), Holds::Undecided);
    }
}
