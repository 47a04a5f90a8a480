//! Claims: what an experiment says of its own results, and whether it is so.
//!
//! A claim is judged at each point that its `where` leaves, by the mean over the seeds: `at_most` and `at_least` hold if the
//! whole 95 % interval of the mean does not cross the bound (with one seed: the value), `equals` if every run has the value to nine digits.

use super::{Facts, PointResult, statistics::Summary};
use crate::measure::{Quantity, metric};
use crate::scenario::experiment::{Claim, Experiment};
use crate::scenario::source::Spanned;
use crate::scenario::tree::Node;
use crate::scenario::units::{Rate, Share, Span};
use crate::scenario::{Scenario, matches};
use crate::system::plan::Plan;

/// A claim at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In words.
    pub claim: String,
    /// The number of the point.
    pub point: usize,
    /// The metric, or `verdict:<name>`.
    pub metric: String,
    /// What it is over the seeds.
    pub value: Summary,
    /// The bound, as written.
    pub bound: String,
    /// Whether it holds.
    pub holds: bool,
}

/// In what the bounds of a claim are written: as its metric is measured, or as a ratio of two values of it.
pub(super) fn quantity(claim: &Claim) -> Quantity {
    if claim.relative_to.is_some() {
        return Quantity::Factor;
    }
    claim.metric.as_ref().and_then(|name| metric(name)).map_or(Quantity::Share, |metric| metric.quantity)
}

/// A bound as a number, if it is written in this quantity: seconds, a rate a second, a share, or a plain number.
pub(super) fn number(node: &Node, quantity: Quantity) -> Option<f64> {
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
    let value = Summary::of(&values_here);
    let (low, high) = if value.n > 1 { (value.low, value.high) } else { (value.mean, value.mean) };
    let quantity = quantity(claim);
    let bound = |node: &Option<Node>| node.as_ref().and_then(|node| number(node, quantity));
    let mut holds = value.n > 0 && value.n == values_here.len();
    let mut words = Vec::new();
    if let Some(most) = bound(&claim.at_most) {
        holds &= high <= most;
        words.push(format!("<= {}", label(&claim.at_most)));
    }
    if let Some(least) = bound(&claim.at_least) {
        holds &= low >= least;
        words.push(format!(">= {}", label(&claim.at_least)));
    }
    if let Some(exactly) = bound(&claim.equals) {
        holds &= values_here.iter().all(|&it| it == exactly || (it - exactly).abs() <= 1e-9 * exactly.abs());
        words.push(format!("= {}", label(&claim.equals)));
    }
    let metric = match (&claim.metric, claim.verdict) {
        (Some(metric), _) => metric.value.clone(),
        (None, Some(verdict)) => format!("verdict:{}", verdict.name()),
        (None, None) => String::new(),
    };
    Judged { claim: claim.claim.clone(), point, metric, value, bound: words.join(" and "), holds }
}

fn label(node: &Option<Node>) -> String {
    node.as_ref().map(Node::label).unwrap_or_default()
}
