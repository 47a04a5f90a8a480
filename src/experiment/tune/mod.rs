//! The search for the values to use: candidates from the ranges, halved round by round, and an answer on seeds that the search never saw.
//!
//! ```text
//!   vary ─► candidates ─► rounds of halving ─► finalists ─► held-back seeds ─► answer, frontier
//!   (ranges, lists)       (seeds 1, 2, …)                  (1,000,001, …)      (paired with the setting as it is)
//! ```
//!
//! What was chosen because it did best on some seeds looks better on them than it is. So nothing that is said at the end comes from the seeds
//! of the search: the setting is chosen on these, and judged on others. All settings have the same seeds, and what is compared is the
//! difference within each.

mod candidates;
mod figures;
mod frontier;
mod halving;
mod sensitivity;

use std::cmp::Ordering;
use std::ops::Range;

use rayon::prelude::*;

use super::claims::Holds;
use super::compare::{self, Finding, Row};
use super::statistics::Summary;
use crate::scenario::source::{Diagnostic, Diagnostics, Place};
use crate::scenario::tune::{Sensitivity, Take, Tune};
use crate::scenario::{Axis, AxisValue, Scenario};
use crate::system::plan::Plan;
use crate::system::run;
use candidates::Space;
use figures::Figures;

pub use figures::Told;
pub(super) use figures::quantity;
pub use halving::Round;
pub use sensitivity::Matters;

/// Settings that are tried if the file does not say how many.
const CANDIDATES: u32 = 64;
/// Seeds for each if nobody says how many.
const SEEDS: u32 = 32;
/// From the first seed of the search to the first of those that it never sees; no search has as many.
pub const HELD_BACK: u64 = 1_000_000;
/// Settings that are left when the search ends; more if there is a frontier to be drawn.
const FINALISTS: usize = 4;
const FINALISTS_OF_TWO: usize = 12;
/// Walks of Morris's method, and rows of Sobol's.
const WALKS: usize = 10;
const ROWS: u32 = 64;
/// Seeds at each place that the sensitivity is computed from, at most.
const SEEDS_OF_PLACES: usize = 8;

/// What is asked besides the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Seeds for each setting at most, if not those of the file: at least 2, and fewer than [`HELD_BACK`].
    pub seeds: Option<u32>,
    /// The first seed, if not that of the file.
    pub seed: Option<u64>,
    /// How the sensitivity is found, if not as the file says.
    pub sensitivity: Option<Sensitivity>,
}

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// So many runs will be made.
    Planned(u64),
    /// One is done.
    Ran,
}

/// A setting, and what is known of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its values, one for each axis; none for the setting as it is.
    pub values: Vec<AxisValue>,
    /// The round, from 1, after which it was dropped.
    pub dropped: Option<usize>,
    /// Why it cannot be built.
    pub unbuilt: Option<Diagnostics>,
    /// What the search knows of it.
    pub search: Known,
    /// What is known from the seeds that were held back: of finalists, and of the setting as it is.
    pub held_back: Option<Known>,
}

/// Figures of a setting over seeds.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// For each figure, objectives first, its value with each seed.
    pub values: Vec<Vec<f64>>,
    /// For each figure its mean, with the interval, and whether it keeps to its bound: always, if there is none.
    pub judged: Vec<(Summary, Holds)>,
}

impl Known {
    /// How many seeds it is known from.
    #[must_use]
    pub fn seeds(&self) -> usize {
        self.values.first().map_or(0, Vec::len)
    }

    /// All constraints together.
    #[must_use]
    pub fn holds(&self) -> Holds {
        self.judged.iter().fold(Holds::Yes, |all, (_, one)| all.and(*one))
    }
}

/// How much each axis matters to the first objective.
#[derive(Clone, Debug)]
pub struct Sensitive {
    /// How it was found.
    pub way: Sensitivity,
    /// At how many settings.
    pub places: usize,
    /// On how many seeds.
    pub seeds: usize,
    /// For each axis.
    pub axes: Vec<Matters>,
    /// Whether figures were replaced because they were infinite, or missing.
    pub bounded: bool,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The axes that were set.
    pub axes: Vec<String>,
    /// The axis of circumstances, how many there are, and what of them counts.
    pub over: Option<(String, usize, Take)>,
    /// The objectives: one, or two.
    pub goals: Vec<Told>,
    /// The constraints, each side of a bound by itself.
    pub limits: Vec<Told>,
    /// The rounds of the search.
    pub rounds: Vec<Round>,
    /// The first seed of the search.
    pub seed: u64,
    /// How many runs were made in all.
    pub runs: u64,
    /// How many of them were stopped by a limit.
    pub stopped: u64,
    /// The settings: first the one as it is, then those that were tried.
    pub candidates: Vec<Candidate>,
    /// The number of the best.
    pub best: usize,
    /// For each objective, the setting as it is against the best, on the seeds that were held back. Nothing if they are the same.
    pub gains: Vec<Row>,
    /// The other finalists that do not break the constraints, as far as one can tell: their numbers, and the best against each, in the first objective.
    pub rivals: Vec<(usize, Row)>,
    /// With two objectives: the numbers of the settings of which no other is better in both, by the first.
    pub frontier: Vec<usize>,
    /// Each of them but the last against the next, which is better in the second objective: in the first.
    pub steps: Vec<Row>,
    /// Which of them is the knee.
    pub knee: Option<usize>,
    /// How much each axis matters, if that was asked.
    pub sensitivity: Option<Sensitive>,
    /// Why that cannot be told: some setting cannot be built.
    pub insensitive: Option<Diagnostics>,
}

/// What the answer is, against the setting as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Better, at 95 %.
    Better,
    /// Worse: the setting as it is does not keep to the constraints, or the search had bad luck.
    Worse,
    /// The same in every run.
    Same,
    /// No pair of runs has it on both sides.
    Nothing,
    /// These seeds cannot tell.
    Undecided,
    /// Nothing that was tried did better than the setting as it is.
    AsItIs,
}

impl Decision {
    /// As written in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
            Self::Nothing => "nothing",
            Self::Undecided => "undecided",
            Self::AsItIs => "as_it_is",
        }
    }
}

impl Tuned {
    /// Whether the best is better than the setting as it is, in the first objective.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.gains.first().map_or(Decision::AsItIs, |gain| decision(gain, &self.goals[0]))
    }

    /// The best, on the seeds that were held back.
    #[must_use]
    pub fn answer(&self) -> &Known {
        self.held_back(self.best)
    }

    /// A finalist, or the setting as it is, on the seeds that were held back.
    #[must_use]
    pub fn held_back(&self, candidate: usize) -> &Known {
        let it = &self.candidates[candidate];
        it.held_back.as_ref().unwrap_or(&it.search)
    }

    /// About how many seeds would decide what these cannot: whether constraints are kept, and whether the best is better than the setting as
    /// it is; if that is known, which of the finalists is the best.
    #[must_use]
    pub fn seeds_to_decide(&self) -> Option<usize> {
        let open = self.limits.iter().zip(&self.answer().judged[self.goals.len()..]);
        let open = open.filter(|(_, (_, holds))| *holds == Holds::Undecided);
        let limits = open.filter_map(|(limit, (value, _))| limit.seeds_to_decide(value)).max();
        let gain = self.gains.first().and_then(Row::seeds_to_decide);
        let rival = self.rivals.iter().filter_map(|(_, row)| row.seeds_to_decide()).max();
        limits.max(gain).or(rival)
    }
}

/// What a comparison says of its second side.
#[must_use]
pub fn decision(row: &Row, goal: &Told) -> Decision {
    match (row.finding(), goal.more) {
        (Finding::More, true) | (Finding::Less, false) => Decision::Better,
        (Finding::More | Finding::Less, _) => Decision::Worse,
        (Finding::Same | Finding::Nothing, _) if row.difference.paired.n == 0 => Decision::Nothing,
        (Finding::Same | Finding::Nothing, _) => Decision::Same,
        (Finding::Undecided, _) => Decision::Undecided,
    }
}

/// The axes that are set, and the one of circumstances.
fn split<'a>(scenario: &'a Scenario, tune: &Tune) -> (Vec<&'a Axis>, Option<&'a Axis>) {
    let name = tune.over.as_ref().map(|over| over.axis.value.as_str());
    let over = scenario.axes.iter().find(|axis| Some(axis.name.as_str()) == name);
    (scenario.axes.iter().filter(|axis| Some(axis.name.as_str()) != name).collect(), over)
}

/// A search under way.
struct Search<'a> {
    scenario: &'a Scenario,
    figures: Figures,
    over: Vec<AxisValue>,
    seed: u64,
    progress: &'a (dyn Fn(Progress) + Sync),
    runs: u64,
    stopped: u64,
}

impl Search<'_> {
    /// The plans of a setting, one for each circumstance.
    fn plans(&self, values: &[AxisValue]) -> Result<Vec<Plan>, Diagnostics> {
        let plan = |circumstance: Option<&AxisValue>| {
            let mut found = Diagnostics::new();
            let values: Vec<&AxisValue> = values.iter().chain(circumstance).collect();
            self.scenario.plan_with(&values, &mut found).map(|(plan, _)| plan).ok_or(found)
        };
        if self.over.is_empty() { Ok(vec![plan(None)?]) } else { self.over.iter().map(|it| plan(Some(it))).collect() }
    }

    /// Runs settings with each of some seeds: for each setting, each figure with each seed.
    fn run(&mut self, settings: &[&[Plan]], seeds: Range<u64>) -> Vec<Vec<Vec<f64>>> {
        let circumstances = self.over.len().max(1);
        let seeds: Vec<u64> = seeds.map(|number| self.seed.wrapping_add(number)).collect();
        let jobs: Vec<(&Plan, u64)> = settings
            .iter()
            .flat_map(|plans| seeds.iter().flat_map(|&seed| plans.iter().map(move |plan| (plan, seed))))
            .collect();
        let one = |&(plan, seed): &(&Plan, u64)| {
            let run = run(plan, seed);
            (self.progress)(Progress::Ran);
            (self.figures.values(plan, &run), run.stopped.is_some())
        };
        let done: Vec<(Vec<f64>, bool)> = jobs.par_iter().with_max_len(1).map(one).collect();
        let stopped = done.iter().filter(|it| it.1).count() as u64;
        let of_setting = |runs: &[(Vec<f64>, bool)]| {
            let with_seed =
                |runs: &[(Vec<f64>, bool)]| self.figures.of_all(&runs.iter().map(|it| &it.0).collect::<Vec<_>>());
            let by_seed: Vec<Vec<f64>> = runs.chunks(circumstances).map(with_seed).collect();
            let figure = |figure: usize| by_seed.iter().map(|values| values[figure]).collect::<Vec<f64>>();
            (0..self.figures.told.len()).map(figure).collect::<Vec<_>>()
        };
        let values = done.chunks((circumstances * seeds.len()).max(1)).map(of_setting).collect();
        self.runs += done.len() as u64;
        self.stopped += stopped;
        values
    }

    fn known(&self, values: Vec<Vec<f64>>) -> Known {
        let judged = self.figures.told.iter().zip(&values).map(|(it, values)| it.judge(values)).collect();
        Known { values, judged }
    }

    /// Candidates in order, the best first, as a round sees them.
    fn ranked(&self, candidates: &[Candidate], of: &[usize]) -> Vec<usize> {
        let mut standings: Vec<(usize, Standing)> =
            of.iter().map(|&it| (it, self.standing(&candidates[it].search, false))).collect();
        standings.sort_by(|a, b| a.1.order(&b.1));
        if self.figures.goals < 2 {
            return standings.into_iter().map(|it| it.0).collect();
        }
        // With two objectives, the order within a class is by fronts.
        let mut ranked = Vec::new();
        for class in 0..=2 {
            let of_class: Vec<&(usize, Standing)> = standings.iter().filter(|it| it.1.class == class).collect();
            let points: Vec<frontier::Both> = of_class.iter().map(|it| self.both(&candidates[it.0].search)).collect();
            ranked.extend(frontier::ranked(&points).into_iter().map(|it| of_class[it].0));
        }
        ranked
    }

    /// The means of both objectives, more of each being better.
    fn both(&self, known: &Known) -> frontier::Both {
        [0, 1].map(|it| if self.figures.told[it].more { known.judged[it].0.mean } else { -known.judged[it].0.mean })
    }

    /// How good a setting is. With `sure`, what surely keeps to the constraints is before what may; without, a mean that keeps to them
    /// is enough.
    fn standing(&self, known: &Known, sure: bool) -> Standing {
        let told = &self.figures.told;
        let violation: f64 = told.iter().zip(&known.values).map(|(it, values)| it.violation(values)).sum();
        let class = match known.holds() {
            Holds::No => 2,
            Holds::Yes => 0,
            Holds::Undecided if sure || violation > 0.0 => 1,
            Holds::Undecided => 0,
        };
        let sign = if told[0].more { 1.0 } else { -1.0 };
        let values = || known.values[0].iter().map(|value| value * sign);
        let count = |wanted: f64| values().filter(|it| *it == wanted).count();
        let finite: Vec<f64> = values().filter(|it| it.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
        Standing { class, violation, never: count(f64::NEG_INFINITY), always: count(f64::INFINITY), mean }
    }
}

/// How good a setting is, as far as one knows. There is no mean of what is infinite in some runs: fewer of these are better, then the mean
/// of the others.
struct Standing {
    class: u8,
    violation: f64,
    never: usize,
    always: usize,
    mean: f64,
}

impl Standing {
    /// The better is less.
    fn order(&self, other: &Self) -> Ordering {
        let violation = if self.class > 0 { self.violation.total_cmp(&other.violation) } else { Ordering::Equal };
        let figures = self.never.cmp(&other.never).then(other.always.cmp(&self.always));
        self.class.cmp(&other.class).then(violation).then(figures).then(other.mean.total_cmp(&self.mean))
    }
}

/// Searches. `progress` is told of the runs.
///
/// # Errors
/// When the file has no section `tune`, something is wrong with it or with what is asked, or nothing can be built.
pub fn tune(scenario: &Scenario, asked: &Asked, progress: &(dyn Fn(Progress) + Sync)) -> Result<Tuned, Diagnostics> {
    let found = super::check_tune(scenario);
    if found.has_errors() { Err(found) } else { tune_checked(scenario, asked, progress) }
}

/// The same for a scenario that [`super::check_tune`] has found nothing wrong with.
pub(crate) fn tune_checked(
    scenario: &Scenario,
    asked: &Asked,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Tuned, Diagnostics> {
    let mut found = Diagnostics::new();
    if let Some(seeds) = asked.seeds.filter(|&seeds| !(2..HELD_BACK).contains(&u64::from(seeds))) {
        let help =
            format!("at least 2, for an interval, and less than {HELD_BACK}, where those begin that are held back");
        return Err(Diagnostic::error(Place::NOWHERE, format!("{seeds} seeds for a setting")).help(help).into());
    }
    let (_, over_axis) = scenario.experiment.tune.as_ref().map_or((Vec::new(), None), |tune| split(scenario, tune));
    let first: Vec<&AxisValue> = over_axis.iter().filter_map(|axis| axis.values.first()).collect();
    let Some((plan, experiment)) = scenario.plan_with(&first, &mut found) else { return Err(found) };
    let Some(spec) = experiment.tune else { return Err(nothing_to_tune()) };
    let (axes, over_axis) = split(scenario, &spec);
    let Some(figures) = Figures::of(&spec, &plan) else { return Err(nothing_to_tune()) };
    let most = asked.seeds.or(spec.seeds.as_ref().map(|it| it.value)).unwrap_or(SEEDS) as usize;
    let way = asked.sensitivity.or(spec.sensitivity);
    let space = Space { axes };
    let over: Vec<AxisValue> = over_axis.map_or_else(Vec::new, |axis| axis.values.clone());
    let seed = asked.seed.unwrap_or(experiment.seed);
    let mut search = Search { scenario, figures, over, seed, progress, runs: 0, stopped: 0 };

    let count = spec.candidates.as_ref().map_or(CANDIDATES, |it| it.value);
    // Candidate 0 is the setting as it is.
    let settings = std::iter::once(Vec::new()).chain(space.candidates(count));
    let settings: Vec<Vec<AxisValue>> = settings.collect();
    let built: Vec<Result<Vec<Plan>, Diagnostics>> = settings.par_iter().map(|values| search.plans(values)).collect();
    let (mut plans, mut candidates) = (Vec::new(), Vec::new());
    for (values, built) in settings.into_iter().zip(built) {
        let unbuilt = built.as_ref().err().cloned();
        candidates.push(Candidate { values, dropped: None, unbuilt, search: Known::default(), held_back: None });
        plans.push(built.unwrap_or_default());
    }
    let tried: Vec<usize> = (1..candidates.len()).filter(|&it| candidates[it].unbuilt.is_none()).collect();
    if let Some(wrong) = candidates[0].unbuilt.take() {
        return Err(wrong);
    }
    if tried.is_empty() {
        return Err(candidates.into_iter().find_map(|it| it.unbuilt).unwrap_or_else(nothing_to_tune));
    }
    let finalists = if search.figures.goals > 1 { FINALISTS_OF_TWO } else { FINALISTS };
    let rounds = halving::rounds(tried.len(), finalists, most);
    let places = way.map_or(0, |way| match way {
        Sensitivity::Morris => WALKS * (space.axes.len() + 1),
        Sensitivity::Sobol => ROWS as usize * (space.axes.len() + 2),
    });
    let each = search.over.len().max(1) as u64;
    let halved: usize = rounds
        .iter()
        .scan(0, |done, round| Some((round.candidates + 1) * (round.seeds - std::mem::replace(done, round.seeds))))
        .sum();
    let last = (finalists.min(tried.len()) + 1) * most;
    progress(Progress::Planned((halved + last + places * most.min(SEEDS_OF_PLACES)) as u64 * each));

    // The search: the setting as it is takes part in every round, and is never dropped.
    let dropped = halving::halve(tried.len(), finalists, &rounds, |alive, seeds| {
        let alive: Vec<usize> = alive.iter().map(|&it| tried[it]).collect();
        // What was dropped is not run again.
        for &it in tried.iter().filter(|it| alive.binary_search(it).is_err()) {
            plans[it] = Vec::new();
        }
        let with: Vec<usize> = std::iter::once(0).chain(alive.iter().copied()).collect();
        let some: Vec<&[Plan]> = with.iter().map(|&it| plans[it].as_slice()).collect();
        let values = search.run(&some, seeds.start as u64..seeds.end as u64);
        for (&it, more) in with.iter().zip(values) {
            let mut all = std::mem::take(&mut candidates[it].search.values);
            if all.is_empty() {
                all = more;
            } else {
                all.iter_mut().zip(more).for_each(|(all, more)| all.extend(more));
            }
            candidates[it].search = search.known(all);
        }
        let ranked = search.ranked(&candidates, &alive);
        ranked.into_iter().map(|it| tried.partition_point(|&other| other < it)).collect()
    });
    for (&it, dropped) in tried.iter().zip(dropped) {
        candidates[it].dropped = dropped;
    }
    let left = |candidates: &[Candidate]| -> Vec<usize> {
        let is_left = |&it: &usize| it == 0 || tried.contains(&it) && candidates[it].dropped.is_none();
        (0..candidates.len()).filter(is_left).collect()
    };
    let finalists = left(&candidates);
    // By the first objective alone; ties go to the setting as it is, then to what was tried first.
    let best = finalists.iter().copied().map(|it| (it, search.standing(&candidates[it].search, true)));
    let best = best.reduce(|a, b| if b.1.order(&a.1) == Ordering::Less { b } else { a }).map_or(0, |it| it.0);

    // The judgement, on other seeds.
    let some: Vec<&[Plan]> = finalists.iter().map(|&it| plans[it].as_slice()).collect();
    let values = search.run(&some, HELD_BACK..HELD_BACK + most as u64);
    for (&it, values) in finalists.iter().zip(values) {
        candidates[it].held_back = Some(search.known(values));
    }
    let told = &search.figures.told;
    let held_back = |it: usize| candidates[it].held_back.as_ref().expect("finalists were run on these seeds");
    let row = |a: usize, b: usize, goal: usize| {
        let values = |it: usize| held_back(it).values[goal].as_slice();
        compare::row(told[goal].name(), told[goal].metric_name(), values(a), values(b))
    };
    let goals = search.figures.goals;
    let gains = if best == 0 { Vec::new() } else { (0..goals).map(|goal| row(0, best, goal)).collect() };
    let within: Vec<usize> = finalists.iter().copied().filter(|&it| held_back(it).holds() != Holds::No).collect();
    let others = within.iter().copied().filter(|&it| it != best && it != 0);
    let rivals = if goals > 1 { Vec::new() } else { others.map(|it| (it, row(it, best, 0))).collect() };
    let (mut frontier, mut knee) = (Vec::new(), None);
    if goals > 1 {
        let points: Vec<frontier::Both> = within.iter().map(|&it| search.both(held_back(it))).collect();
        let mut front: Vec<(usize, frontier::Both)> = within.iter().copied().zip(points.iter().copied()).collect();
        let fronts = frontier::fronts(&points);
        front = front.into_iter().zip(fronts).filter(|it| it.1 == 0).map(|it| it.0).collect();
        front.sort_by(|a, b| b.1[0].total_cmp(&a.1[0]));
        // Of those that are equal in both the first: the setting as it is, or the one that was tried first.
        front.dedup_by_key(|it| it.1);
        knee = frontier::knee(&front.iter().map(|it| it.1).collect::<Vec<_>>()).map(|it| front[it].0);
        frontier = front.into_iter().map(|it| it.0).collect();
    }

    let steps = frontier.windows(2).map(|pair| row(pair[1], pair[0], 0)).collect();

    let (sensitivity, insensitive) =
        match way.map(|way| search.sensitivity(way, &space, most.min(SEEDS_OF_PLACES), &plan)) {
            Some(Err(found)) => (None, Some(found)),
            found => (found.and_then(Result::ok), None),
        };
    let limits = search.figures.told.split_off(goals);
    Ok(Tuned {
        axes: space.axes.iter().map(|axis| axis.name.clone()).collect(),
        over: over_axis.map(|axis| (axis.name.clone(), axis.values.len(), search.figures.take)),
        goals: search.figures.told,
        limits,
        rounds,
        seed,
        runs: search.runs,
        stopped: search.stopped,
        candidates,
        best,
        gains,
        rivals,
        frontier,
        knee,
        steps,
        sensitivity,
        insensitive,
    })
}

impl Search<'_> {
    /// How much each axis matters to the first objective.
    fn sensitivity(
        &mut self,
        way: Sensitivity,
        space: &Space,
        seeds: usize,
        plan: &Plan,
    ) -> Result<Sensitive, Diagnostics> {
        let length = plan.schedule.length.as_secs();
        let (mut wrong, mut bounded, mut count) = (None, false, 0);
        let mut figure = |places: &[Vec<f64>]| {
            count = places.len();
            // Through a list, so that of several mistakes it is always the first that is told.
            let built: Vec<Result<Vec<Plan>, _>> =
                places.par_iter().map(|shares| self.plans(&space.at(shares))).collect();
            let plans: Vec<Vec<Plan>> = match built.into_iter().collect() {
                Ok(plans) => plans,
                Err(found) => {
                    wrong = Some(found);
                    return vec![vec![f64::NAN]; places.len()];
                }
            };
            let plans: Vec<&[Plan]> = plans.iter().map(Vec::as_slice).collect();
            let values = self.run(&plans, 0..seeds as u64);
            let goal = &self.figures.told[0];
            let values = values.into_iter().map(|mut figures| std::mem::take(&mut figures[0]));
            let finite = values.map(|values| {
                bounded |= values.iter().any(|value| !value.is_finite());
                values.into_iter().map(|value| goal.bounded(value, length)).collect()
            });
            finite.collect()
        };
        let axes = match way {
            Sensitivity::Morris => sensitivity::morris::effects(space.axes.len(), WALKS, &mut figure),
            Sensitivity::Sobol => sensitivity::sobol::indices(space.axes.len(), ROWS, &mut figure),
        };
        match wrong {
            Some(found) => Err(found),
            None => Ok(Sensitive { way, places: count, seeds, axes, bounded }),
        }
    }
}

fn nothing_to_tune() -> Diagnostics {
    Diagnostic::error(Place::NOWHERE, "the file does not say what to tune for")
        .help("give it a section, e.g. `tune: { maximise: { metric: goodput } }`, and ranges in `vary`")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Quantity;

    #[test]
    fn what_no_run_has_is_not_called_the_same() {
        let goal = Told::goal_of("latency.p99", Quantity::Seconds, false);
        let decided = |a: &[f64], b: &[f64]| decision(&compare::row("c".into(), "latency.p99", a, b), &goal);
        let never = f64::INFINITY;
        assert_eq!(decided(&[never; 3], &[never; 3]), Decision::Nothing);
        assert_eq!(decided(&[f64::NAN; 3], &[1.0; 3]), Decision::Nothing);
        assert_eq!(decided(&[0.0; 3], &[0.0; 3]), Decision::Same);
        assert_eq!(decided(&[2.0; 3], &[2.0; 3]), Decision::Same);
        assert_eq!(decided(&[never; 8], &[2.0; 8]), Decision::Better);
    }
}
