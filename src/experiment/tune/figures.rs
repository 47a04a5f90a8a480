//! The figures that a search goes by: objectives and constraints, of a run, over circumstances, and over seeds.

use super::super::claims::{self, Holds};
use super::super::statistics::{Summary, paired, proportion};
use super::super::{Verdict, verdict};
use crate::measure::{Quantity, Run, metric};
use crate::scenario::experiment::VerdictName;
use crate::scenario::source::Spanned;
use crate::scenario::tree::Node;
use crate::scenario::tune::{Bound, Goal, Take, Tune, Whose};
use crate::system::plan::Plan;

/// An objective, or one side of a constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Of what: the metric, or the verdict.
    pub metric: String,
    /// Whose, added up if there are several; empty for a verdict.
    pub of: Vec<String>,
    /// In which window.
    pub window: String,
    /// In what it is measured.
    pub quantity: Quantity,
    /// Whether more of it is better.
    pub more: bool,
    /// The bound, if it is a constraint: as a number, and as written.
    pub bound: Option<(f64, String)>,
    verdict: Option<VerdictName>,
}

impl Told {
    /// `goodput of client/users, window after`.
    #[must_use]
    pub fn name(&self) -> String {
        let of = if self.of.is_empty() { String::new() } else { format!(" of {}", self.of.join(" + ")) };
        let window = if self.window == "all" { String::new() } else { format!(", window {}", self.window) };
        format!("{}{of}{window}", self.metric)
    }

    /// `at most 400ms`; nothing for an objective.
    #[must_use]
    pub fn bound(&self) -> String {
        let side = if self.more { "at least" } else { "at most" };
        self.bound.as_ref().map_or_else(String::new, |(_, text)| format!("{side} {text}"))
    }

    /// The metric, as the list of metrics has it.
    pub(super) fn metric_name(&self) -> &'static str {
        metric(&self.metric).map_or("", |it| it.name)
    }

    /// Its value in a run. Of an objective, what there is nothing of is as bad as can be.
    fn value(&self, plan: &Plan, run: &Run, verdict: Option<&Verdict>) -> f64 {
        if let Some(wanted) = self.verdict {
            return match verdict.map(|it| it.name) {
                Some(name) if name == wanted => 1.0,
                // A run that nobody could judge has not shown that it did not end so.
                None | Some(VerdictName::NotJudged) => f64::NAN,
                Some(_) => 0.0,
            };
        }
        let of = |entity: &String| run.value(plan, &self.window, entity, &self.metric).unwrap_or(f64::NAN);
        let value: f64 = self.of.iter().map(of).sum();
        if value.is_nan() && self.bound.is_none() { self.worst() } else { value }
    }

    /// An objective, for tests of what is made of its values.
    #[cfg(test)]
    pub(crate) fn goal_of(metric: &str, quantity: Quantity, more: bool) -> Self {
        let (of, window) = (vec!["client/c".to_owned()], "all".to_owned());
        Self { metric: metric.to_owned(), of, window, quantity, more, bound: None, verdict: None }
    }

    /// Whether it is the share of runs that end with a verdict.
    #[must_use]
    pub fn is_of_runs(&self) -> bool {
        self.verdict.is_some()
    }

    fn worst(&self) -> f64 {
        if self.more { f64::NEG_INFINITY } else { f64::INFINITY }
    }

    /// Its value with a seed, from those in all circumstances. There is no mean of an objective that is as bad as can be in one and as
    /// good as can be in another: it is as bad as can be.
    fn of_all(&self, values: &[f64], take: Take) -> f64 {
        let value = self.taken(values, take);
        if value.is_nan() && self.bound.is_none() { self.worst() } else { value }
    }

    fn taken(&self, values: &[f64], take: Take) -> f64 {
        if take == Take::Mean && self.verdict.is_none() {
            return values.iter().sum::<f64>() / values.len() as f64;
        }
        // One end that breaks a constraint is enough, whatever the others were.
        let broken = if self.more { 0.0 } else { 1.0 };
        if self.verdict.is_some() && values.contains(&broken) {
            return broken;
        }
        let worse = |a: f64, b: f64| {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else if self.more {
                a.min(b)
            } else {
                a.max(b)
            }
        };
        values.iter().copied().reduce(worse).unwrap_or(f64::NAN)
    }

    /// A constraint over seeds: its mean with the interval, and whether it is kept.
    pub(super) fn judge(&self, values: &[f64]) -> (Summary, Holds) {
        let mut value = Summary::of(values);
        let of_runs = self.verdict.is_some();
        if of_runs {
            let k = values.iter().filter(|it| **it == 1.0).count();
            (value.low, value.high) = proportion::wilson(k, value.n);
        }
        let Some((bound, _)) = self.bound else { return (value, Holds::Yes) };
        let right = if self.more { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
        let missing = value.n == 0 || value.n < values.len();
        let holds = if missing && !of_runs {
            Holds::No
        } else {
            let known = if missing { Holds::Undecided } else { Holds::Yes };
            known.and(match claims::side(&value, of_runs, bound) {
                Some(side) if side == right || side == std::cmp::Ordering::Equal => Holds::Yes,
                Some(_) => Holds::No,
                None => Holds::Undecided,
            })
        };
        (value, holds)
    }

    /// By how much the mean is beyond the bound, as a share of the bound; 0 if it is not.
    pub(super) fn violation(&self, values: &[f64]) -> f64 {
        let Some((bound, _)) = self.bound else { return 0.0 };
        let missing = values.iter().any(|it| it.is_nan());
        if self.verdict.is_some() && missing {
            // In the search, what nobody could judge counts against a setting.
            let broken = if self.more { 0.0 } else { 1.0 };
            let counted: Vec<f64> = values.iter().map(|it| if it.is_nan() { broken } else { *it }).collect();
            return self.violation(&counted);
        }
        let mean = Summary::of(values).mean;
        let beyond = if self.more { bound - mean } else { mean - bound };
        match beyond / bound.abs().max(1e-9) {
            _ if missing => f64::INFINITY,
            share if share > 0.0 => share,
            share if share.is_nan() => f64::INFINITY,
            _ => 0.0,
        }
    }

    /// About how many seeds would decide whether it is kept.
    #[must_use]
    pub fn seeds_to_decide(&self, value: &Summary) -> Option<usize> {
        let (bound, _) = self.bound.as_ref()?;
        match self.verdict {
            Some(_) => proportion::runs_to_decide(value.mean, *bound),
            None => paired::runs_to_decide(value.mean - bound, value.sd),
        }
    }

    /// An objective as a finite number, for what must have a variance: a time that never comes lasts as long as the run, and so does one
    /// that is missing where less is better; what else there is nothing of is 0, or, as a share of which less is better, 1.
    pub(super) fn bounded(&self, value: f64, length: f64) -> f64 {
        match self.quantity {
            _ if value.is_finite() => value,
            Quantity::Seconds if self.more && value < 0.0 => 0.0,
            Quantity::Seconds => length,
            Quantity::Share if !self.more => 1.0,
            _ => 0.0,
        }
    }
}

/// All figures of a search, objectives first.
pub(super) struct Figures {
    pub told: Vec<Told>,
    /// How many of them are objectives.
    pub goals: usize,
    pub take: Take,
    judged: bool,
}

impl Figures {
    /// From what was written, which was checked.
    pub(super) fn of(tune: &Tune, plan: &Plan) -> Option<Self> {
        let goals: Vec<Told> = [tune.goal(), tune.against.as_ref().map(|it| it.value.clone())]
            .into_iter()
            .flatten()
            .map(|it| goal(&it, plan))
            .collect();
        let limits = tune.subject_to.iter().flat_map(|it| limits(&it.value, plan));
        let count = goals.len();
        let told: Vec<Told> = goals.into_iter().chain(limits).collect();
        let judged = told.iter().any(|it| it.verdict.is_some());
        let take = tune.over.as_ref().map_or(Take::Worst, |over| over.take);
        tune.goal().map(|_| Self { told, goals: count, take, judged })
    }

    /// All of them, in a run.
    pub(super) fn values(&self, plan: &Plan, run: &Run) -> Vec<f64> {
        let verdict = self.judged.then(|| verdict::judge(plan, run));
        self.told.iter().map(|it| it.value(plan, run, verdict.as_ref())).collect()
    }

    /// All of them with a seed, from the runs in all circumstances.
    pub(super) fn of_all(&self, runs: &[&Vec<f64>]) -> Vec<f64> {
        let values = |figure: usize| runs.iter().map(|run| run[figure]).collect::<Vec<f64>>();
        self.told.iter().enumerate().map(|(figure, it)| it.of_all(&values(figure), self.take)).collect()
    }
}

fn entities(of: &Whose, plan: &Plan) -> Vec<String> {
    match of.0.as_slice() {
        [] => claims::entity(None, plan).into_iter().collect(),
        named => named.iter().map(|name| name.value.clone()).collect(),
    }
}

fn window(window: Option<&Spanned<String>>) -> String {
    window.map_or_else(|| "all".to_owned(), |it| it.value.clone())
}

fn goal(goal: &Goal, plan: &Plan) -> Told {
    let figure = goal.figure();
    Told {
        metric: figure.metric.value.clone(),
        of: entities(&figure.of, plan),
        window: window(figure.window.as_ref()),
        quantity: metric(&figure.metric).map_or(Quantity::Count, |it| it.quantity),
        more: matches!(goal, Goal::Maximise(_)),
        bound: None,
        verdict: None,
    }
}

/// In what the bounds of a constraint are written.
pub(in super::super) fn quantity(bound: &Bound) -> Quantity {
    bound.metric.as_ref().and_then(|name| metric(name)).map_or(Quantity::Share, |it| it.quantity)
}

/// A constraint, by its sides.
fn limits(written: &Bound, plan: &Plan) -> Vec<Told> {
    let quantity = quantity(written);
    let side = |more: bool, node: &Option<Node>| {
        let node = node.as_ref()?;
        let bound = (claims::number(node, quantity)?, node.as_str().map_or_else(|| node.label(), str::to_owned));
        Some(Told {
            metric: match (&written.metric, written.verdict) {
                (Some(metric), _) => metric.value.clone(),
                (None, verdict) => format!("runs {}", verdict.map_or("", VerdictName::name).replace('_', " ")),
            },
            of: if written.metric.is_some() { entities(&written.of, plan) } else { Vec::new() },
            window: window(written.window.as_ref()),
            quantity,
            more,
            bound: Some(bound),
            verdict: written.verdict.filter(|_| written.metric.is_none()),
        })
    };
    [side(false, &written.at_most), side(true, &written.at_least)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_most(bound: f64) -> Told {
        Told {
            metric: "latency.p99".into(),
            of: vec!["client/c".into()],
            window: "all".into(),
            quantity: Quantity::Seconds,
            more: false,
            bound: Some((bound, "4s".into())),
            verdict: None,
        }
    }

    #[test]
    fn constraints_are_kept_broken_or_undecided() {
        // 3 ± 1.96.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        let state = |bound: f64| at_most(bound).judge(&values).1;
        assert_eq!(
            [state(5.0), state(4.0), state(2.0), state(1.0)],
            [Holds::Yes, Holds::Undecided, Holds::Undecided, Holds::No]
        );
        let least = Told { more: true, ..at_most(1.0) };
        assert_eq!(least.judge(&values).1, Holds::Yes);
        assert_eq!(at_most(9.0).judge(&[1.0, f64::NAN]).1, Holds::No, "a run without the figure");
        assert_eq!(at_most(9.0).judge(&[1.0, f64::INFINITY]).1, Holds::No);
        assert!(at_most(4.0).seeds_to_decide(&Summary::of(&values)).is_some_and(|seeds| seeds > 5));
    }

    #[test]
    fn shares_of_runs_are_judged_with_wilsons_interval() {
        let recovered = Told { verdict: Some(VerdictName::Recovered), more: true, ..at_most(0.8) };
        assert_eq!(recovered.judge(&[1.0; 10]).1, Holds::Undecided, "10 of 10: [72 %, 100 %]");
        assert_eq!(recovered.judge(&[1.0; 20]).1, Holds::Yes, "20 of 20: [84 %, 100 %]");
        // A run that nobody could judge is none of them, and leaves it open.
        let with_one = |value: f64| [vec![value; 20], vec![f64::NAN]].concat();
        let (share, holds) = recovered.judge(&with_one(1.0));
        assert_eq!((share.n, share.mean, holds), (20, 1.0, Holds::Undecided));
        assert_eq!(recovered.judge(&with_one(0.0)).1, Holds::No);
        assert_eq!(recovered.judge(&[f64::NAN; 3]).1, Holds::Undecided);
        assert_eq!(recovered.of_all(&[f64::NAN, 0.0, 1.0], Take::Worst), 0.0);
        assert!(recovered.of_all(&[f64::NAN, 1.0], Take::Worst).is_nan());
        assert!((recovered.violation(&[1.0, f64::NAN]) - 0.375).abs() < 1e-12, "half of them, and 80 % are wanted");
    }

    #[test]
    fn what_is_missing_is_never_the_best_that_a_run_can_have() {
        let bounded = |quantity, more, value: f64| Told::goal_of("x", quantity, more).bounded(value, 60.0);
        let (inf, missing) = (f64::INFINITY, f64::NEG_INFINITY);
        assert_eq!([bounded(Quantity::Seconds, true, missing), bounded(Quantity::Seconds, true, inf)], [0.0, 60.0]);
        assert_eq!([bounded(Quantity::Seconds, false, inf), bounded(Quantity::Seconds, false, 2.0)], [60.0, 2.0]);
        assert_eq!([bounded(Quantity::Share, true, missing), bounded(Quantity::Share, false, inf)], [0.0, 1.0]);
    }

    #[test]
    fn the_worst_of_all_circumstances_is_what_counts_and_a_missing_figure_is_missing() {
        let (goal, limit) = (Told { bound: None, more: true, ..at_most(0.0) }, at_most(4.0));
        assert_eq!(goal.of_all(&[3.0, 1.0, 2.0], Take::Worst), 1.0);
        assert_eq!(goal.of_all(&[3.0, 1.0, 2.0], Take::Mean), 2.0);
        assert_eq!(limit.of_all(&[3.0, 1.0, 2.0], Take::Worst), 3.0);
        assert!(limit.of_all(&[3.0, f64::NAN], Take::Worst).is_nan());
        // Infinite for better and for worse: there is no mean.
        let both = [f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(goal.of_all(&both, Take::Mean), f64::NEG_INFINITY);
        assert_eq!(Told { more: false, ..goal.clone() }.of_all(&both, Take::Mean), f64::INFINITY);
        assert!(limit.of_all(&both, Take::Mean).is_nan());
        assert_eq!(limit.violation(&[5.0, 5.0]), 0.25);
        assert_eq!(limit.violation(&[3.0, 5.0]), 0.0);
        assert_eq!(limit.violation(&[3.0, f64::NAN]), f64::INFINITY);
    }
}
