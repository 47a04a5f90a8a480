//! Two systems under the same luck: which figures differ, by how much, and how sure that is.
//!
//! A point of one side is compared with the point of the other that has the same values on all axes but those that are named. Both run
//! with the same seeds, and what is judged is the difference within each pair (`statistics::paired`).

use rayon::prelude::*;

use super::statistics::paired::Difference;
use super::statistics::proportion;
use super::statistics::quantile::{Quantile, quantile};
use crate::measure::{METRICS, Quantity, columns};
use crate::scenario::source::{Diagnostics, did_you_mean};
use crate::scenario::{Point, Scenario};
use crate::system::plan::Plan;
use crate::system::run;

/// An experiment, and which of its points are meant: names of axes, and a value each.
#[derive(Debug)]
pub struct Side<'a> {
    /// The experiment.
    pub scenario: &'a Scenario,
    /// Values of axes; other axes may have any.
    pub filter: &'a [(String, String)],
}

/// What is to be compared.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The metrics; none means all that the entities have.
    pub metrics: Vec<String>,
    /// The entities; none means the clients.
    pub of: Vec<String>,
    /// The window. Default: `all`.
    pub window: Option<String>,
    /// The number of seeds, if not that of the files.
    pub seeds: Option<u32>,
    /// The first seed, if not that of the first file.
    pub seed: Option<u64>,
}

/// A pair of points, and what they differ by.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The first: its axes and their values.
    pub a: Vec<(String, String)>,
    /// The second.
    pub b: Vec<(String, String)>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// A row for each figure that both have.
    pub rows: Vec<Row>,
    /// How many runs were stopped by a limit.
    pub stopped: usize,
}

/// A figure of both.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whose.
    pub entity: String,
    /// Of what.
    pub metric: &'static str,
    /// In what it is measured.
    pub quantity: Quantity,
    /// By how much they differ.
    pub difference: Difference,
    /// Instead of a mean, which there is not, if some runs are infinite: a time to recover that never comes.
    pub order: Option<Order>,
}

/// Which of two is the larger, where a difference may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// The median of the first.
    pub a: Quantile,
    /// That of the second.
    pub b: Quantile,
    /// Pairs in which the second is less.
    pub less: usize,
    /// Pairs in which it is more.
    pub more: usize,
}

/// What can be said of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No run has it, or there is nothing of it on either side.
    Nothing,
    /// It is the same in all pairs.
    Same,
    /// The second has less of it, at 95 %.
    Less,
    /// The second has more of it.
    More,
    /// The interval of the difference holds zero.
    Undecided,
}

impl Finding {
    /// As written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Same => "same",
            Self::Less => "less",
            Self::More => "more",
            Self::Undecided => "undecided",
        }
    }
}

impl Row {
    /// What can be said.
    #[must_use]
    pub fn finding(&self) -> Finding {
        if let Some(Order { less, more, .. }) = self.order {
            // Of the pairs that differ, half would have less if neither side tended to.
            let (low, high) = proportion::wilson(less, less + more);
            return match (less, more) {
                (0, 0) => Finding::Same,
                _ if low > 0.5 => Finding::Less,
                _ if high < 0.5 => Finding::More,
                _ => Finding::Undecided,
            };
        }
        let it = &self.difference;
        if it.paired.n == 0 || [it.a.min, it.a.max, it.b.min, it.b.max].iter().all(|value| *value == 0.0) {
            Finding::Nothing
        } else if it.is_nothing() {
            Finding::Same
        } else if !it.is_decided() {
            Finding::Undecided
        } else if it.paired.mean < 0.0 {
            Finding::Less
        } else {
            Finding::More
        }
    }

    /// About how many seeds would decide it, if these do not.
    #[must_use]
    pub fn seeds_to_decide(&self) -> Option<usize> {
        let undecided = self.finding() == Finding::Undecided && self.order.is_none();
        undecided.then(|| self.difference.pairs_to_decide()).flatten()
    }
}

/// Why nothing could be compared.
#[derive(Debug)]
pub enum Problem {
    /// A file; true if it is that of the first side.
    File(Diagnostics, bool),
    /// What was asked for, in words.
    Asked(String),
}

/// Pairs the points of two sides.
///
/// # Errors
/// When an axis or a value does not exist, or a point has no partner, or several.
pub fn pairs(a: &Side, b: &Side) -> Result<Vec<(Point, Point)>, String> {
    known(a)?;
    known(b)?;
    let (firsts, seconds) = (points(a), points(b));
    let mut pairs = Vec::new();
    for first in firsts {
        let here = named(a.scenario, &first);
        let others = seconds.iter().filter(|second| {
            let there = named(b.scenario, second);
            there.iter().all(|(axis, value)| {
                b.filter.iter().any(|(name, _)| name == axis)
                    || here.iter().find(|(name, _)| name == axis).is_none_or(|(_, same)| same == value)
            })
        });
        match others.collect::<Vec<_>>()[..] {
            [one] => pairs.push((first, one.clone())),
            [] => return Err(format!("{} has no partner: no point of the other side has these values", words(&here))),
            ref several => {
                let open: Vec<&str> = b.scenario.axes.iter().map(|axis| axis.name.as_str()).collect();
                return Err(format!(
                    "{} has {} partners: say which with `--against AXIS=VALUE`; the axes are: {}",
                    words(&here),
                    several.len(),
                    open.join(", ")
                ));
            }
        }
    }
    Ok(pairs)
}

/// The axes of a point, and its values.
fn named(scenario: &Scenario, point: &Point) -> Vec<(String, String)> {
    let labels = scenario.labels(point);
    scenario.axes.iter().zip(labels).map(|(axis, label)| (axis.name.clone(), label.to_owned())).collect()
}

/// `pause=2s, load=80/s`.
#[must_use]
pub fn words(values: &[(String, String)]) -> String {
    if values.is_empty() {
        return "the only point".to_owned();
    }
    values.iter().map(|(axis, value)| format!("{axis}={value}")).collect::<Vec<_>>().join(", ")
}

fn known(side: &Side) -> Result<(), String> {
    let axes = &side.scenario.axes;
    for (name, value) in side.filter {
        let Some(axis) = axes.iter().find(|axis| axis.name == *name) else {
            let all: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
            let help =
                if all.is_empty() { "nothing is varied".to_owned() } else { format!("there are: {}", all.join(", ")) };
            return Err(format!("`{}` has no axis `{name}`: {help}", side.scenario.name));
        };
        if !axis.values.iter().any(|it| it.label == *value) {
            let all: Vec<&str> = axis.values.iter().map(|it| it.label.as_str()).collect();
            return Err(format!("the axis `{name}` has no value `{value}`: it has: {}", all.join(", ")));
        }
    }
    Ok(())
}

fn points(side: &Side) -> Vec<Point> {
    let meant = |point: &Point| {
        let values = named(side.scenario, point);
        side.filter.iter().all(|wanted| values.contains(wanted))
    };
    (0..side.scenario.count()).map(|it| side.scenario.point(it)).filter(meant).collect()
}

/// Runs and compares. `tick` is told of each run that has ended.
///
/// # Errors
/// When points cannot be paired or built, or have none of what is asked for.
pub fn compare(a: &Side, b: &Side, asked: &Asked, tick: &(dyn Fn() + Sync)) -> Result<Vec<Pair>, Problem> {
    let pairs = pairs(a, b).map_err(Problem::Asked)?;
    let plan = |side: &Side, point: &Point, first: bool| {
        let mut found = Diagnostics::new();
        side.scenario.plan(point, &mut found).ok_or(Problem::File(found, first))
    };
    let mut compared = Vec::new();
    for (first, second) in &pairs {
        let ((plan_a, experiment), (plan_b, other)) = (plan(a, first, true)?, plan(b, second, false)?);
        let figures = figures(&plan_a, &plan_b, asked).map_err(Problem::Asked)?;
        let count = asked.seeds.unwrap_or(experiment.seeds.at_most.min(other.seeds.at_most));
        let from = asked.seed.unwrap_or(experiment.seed);
        let seeds: Vec<u64> = (0..u64::from(count)).map(|n| from.wrapping_add(n)).collect();
        let jobs: Vec<(&Plan, u64)> = seeds.iter().flat_map(|&seed| [(&plan_a, seed), (&plan_b, seed)]).collect();
        let window = asked.window.as_deref().unwrap_or("all");
        // Of each run only the figures are kept.
        let values: Vec<(Vec<f64>, bool)> = jobs
            .par_iter()
            .map(|&(plan, seed)| {
                let run = run(plan, seed);
                tick();
                let value = |(entity, metric): &(String, &str)| run.value(plan, window, entity, metric);
                (figures.iter().map(|figure| value(figure).unwrap_or(f64::NAN)).collect(), run.stopped.is_some())
            })
            .collect();
        let row = |(figure, (entity, metric)): (usize, &(String, &'static str))| {
            let side = |side: usize| values.iter().skip(side).step_by(2).map(|it| it.0[figure]).collect::<Vec<f64>>();
            row(entity.clone(), metric, &side(0), &side(1))
        };
        compared.push(Pair {
            a: named(a.scenario, first),
            b: named(b.scenario, second),
            seeds,
            rows: figures.iter().enumerate().map(row).collect(),
            stopped: values.iter().filter(|it| it.1).count(),
        });
    }
    Ok(compared)
}

/// A figure of both, by its values with the same seeds.
pub(super) fn row(entity: String, metric: &'static str, a: &[f64], b: &[f64]) -> Row {
    let infinite = a.iter().chain(b).any(|value| value.is_infinite());
    let order = match (quantile(a, 0.5), quantile(b, 0.5)) {
        (Some(of_a), Some(of_b)) if infinite => {
            let pairs = || a.iter().zip(b);
            let (less, more) = (pairs().filter(|(a, b)| b < a).count(), pairs().filter(|(a, b)| b > a).count());
            Some(Order { a: of_a, b: of_b, less, more })
        }
        _ => None,
    };
    let quantity = crate::measure::metric(metric).map_or(Quantity::Count, |it| it.quantity);
    Row { entity, metric, quantity, difference: Difference::of(a, b), order }
}

/// What both have of what is asked for.
fn figures(a: &Plan, b: &Plan, asked: &Asked) -> Result<Vec<(String, &'static str)>, String> {
    if let Some(window) = &asked.window {
        for plan in [a, b] {
            let windows: Vec<&str> = plan.schedule.windows.iter().map(|it| it.name.as_str()).collect();
            if !windows.contains(&window.as_str()) {
                return Err(format!("no window is called `{window}`: there are: {}", windows.join(", ")));
            }
        }
    }
    for metric in &asked.metrics {
        if !METRICS.iter().any(|it| it.name == metric) {
            let help = match did_you_mean(metric, METRICS.iter().map(|it| it.name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`blackstart list metrics` shows them".to_owned(),
            };
            return Err(format!("no metric is called `{metric}`: {help}"));
        }
    }
    let (here, there) = (columns(a, false), columns(b, false));
    for entity in &asked.of {
        for columns in [&here, &there] {
            if !columns.iter().any(|it| it.entity == *entity) {
                let help = match did_you_mean(entity, columns.iter().map(|it| it.entity.as_str())) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "it is written `client/<name>`, `service/<name>`, and so on".to_owned(),
                };
                return Err(format!("there is no `{entity}`: {help}"));
            }
        }
    }
    let wanted = |entity: &str, metric: &str| {
        let named =
            if asked.of.is_empty() { entity.starts_with("client/") } else { asked.of.iter().any(|it| it == entity) };
        named && (asked.metrics.is_empty() || asked.metrics.iter().any(|it| it == metric))
    };
    let both = here.iter().filter(|it| wanted(&it.entity, it.metric));
    let both = both.filter(|it| there.iter().any(|other| other.entity == it.entity && other.metric == it.metric));
    let figures: Vec<_> = both.map(|it| (it.entity.clone(), it.metric)).collect();
    if figures.is_empty() {
        let help =
            if asked.of.is_empty() { "say whose with `--of`" } else { "`blackstart list metrics` shows who has what" };
        return Err(format!("both have none of what is asked for: {help}"));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_some_never_recover_the_order_is_told_and_no_mean() {
        let inf = f64::INFINITY;
        let it = row("client/c".into(), "recovery_time", &[inf; 8], &[3.0, 4.0, 5.0, inf, 2.0, 3.0, 4.0, 5.0]);
        let order = it.order.expect("some are infinite");
        assert_eq!((order.less, order.more, order.a.value), (7, 0, inf));
        assert_eq!(it.finding(), Finding::Less);
    }

    #[test]
    fn what_is_not_there_on_either_side_is_nothing() {
        assert_eq!(row("client/c".into(), "late", &[0.0; 3], &[0.0; 3]).finding(), Finding::Nothing);
        assert_eq!(row("client/c".into(), "latency.p50", &[f64::NAN; 3], &[1.0; 3]).finding(), Finding::Nothing);
        assert_eq!(row("client/c".into(), "offered", &[3.0; 3], &[3.0; 3]).finding(), Finding::Same);
        let open = row("client/c".into(), "goodput", &[1.0, 2.0, 3.0], &[2.0, 2.1, 2.0]);
        assert_eq!(open.finding(), Finding::Undecided);
        assert!(open.seeds_to_decide().is_some_and(|seeds| seeds > 3));
    }
}
