//! Runs an experiment: every point, every seed, in parallel; then means, verdicts and claims.
//!
//! A point is the unit of work: it is planned, run and judged when its turn comes. The order of results is that of points and
//! seeds, whatever the order in which the runs end, and all sums over them are made in that order: the same bytes with one
//! thread or many. The program keeps what is done in a [`Work`] folder, so that memory does not grow with the runs; [`execute`]
//! keeps all runs in memory, for programs that look into them.

mod check;
mod claims;
pub mod compare;
pub mod map;
mod numbers;
mod remedy;
pub mod statistics;
mod steady;
pub mod tune;
mod verdict;
mod work;

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::measure::Run;
use crate::scenario::experiment::{Experiment, VerdictName};
use crate::scenario::source::Diagnostics;
use crate::scenario::{Point, Scenario};
use crate::system::plan::Plan;
use crate::system::run_traced;
use statistics::sequential;

pub(crate) use claims::number;
pub use claims::{Holds, Judged};
pub(crate) use numbers::{by_factors, numbers};
pub use remedy::Tried;
pub use statistics::Summary;
pub use steady::Steady;
pub(crate) use verdict::brief;
pub(crate) use verdict::states;
pub use verdict::{Diagnosis, Mechanism, Remedy, Told, Verdict};
pub(crate) use work::quoted;
pub use work::{Append, Failed, How, Shard, Work};

/// What is asked of a run besides the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The number of seeds, if not that of the file.
    pub seeds: Option<u32>,
    /// The first seed, if not that of the file.
    pub seed: Option<u64>,
    /// Whether the first remedy of each point is tried.
    pub try_remedies: bool,
    /// How many requests of the first run of each point are followed: [`Run::trace`]. Default: none.
    pub trace: u32,
}

/// A point, its plan, and its runs in order of their seeds.
#[derive(Debug)]
pub struct PointResult {
    /// Its number.
    pub number: usize,
    /// The point.
    pub point: Point,
    /// What was run.
    pub plan: Plan,
    /// The experiment as it is at this point.
    pub experiment: Experiment,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// A run for each seed.
    pub runs: Vec<Run>,
    /// A verdict for each seed.
    pub verdicts: Vec<Verdict>,
    /// What there is to say of a system in its everyday life; nothing if something was done to it.
    pub steady: Steady,
    /// Its first remedy, if it was to be tried and there is one.
    pub tried: Option<Tried>,
}

impl PointResult {
    /// What claims and the terminal need of it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            seeds: self.seeds.clone(),
            events: self.runs.iter().map(|run| run.events).collect(),
            stopped: self.runs.iter().map(|run| run.stopped.as_ref().map(ToString::to_string)).collect(),
            verdicts: self.verdicts.clone(),
            steady: self.steady.clone(),
            tried: self.tried.clone(),
            claims: self.experiment.expect.iter().map(|claim| claims::values(self, claim)).collect(),
        }
    }
}

/// What is kept of a point when its runs are gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Events in all, for each seed.
    pub events: Vec<u64>,
    /// Why a run ended early, for each seed.
    pub stopped: Vec<Option<String>>,
    /// A verdict for each seed.
    pub verdicts: Vec<Verdict>,
    /// What there is to say of a system in its everyday life; nothing if something was done to it.
    pub steady: Steady,
    /// Its first remedy, if it was to be tried and there is one.
    pub tried: Option<Tried>,
    /// For each claim of the experiment, what it is about, for each seed.
    pub claims: Vec<Vec<f64>>,
}

impl Facts {
    /// How its runs ended, and how many of them: the most frequent first.
    #[must_use]
    pub fn states(&self) -> Vec<(VerdictName, usize)> {
        states(&self.verdicts)
    }

    /// The diagnosis that stood first in the most runs.
    #[must_use]
    pub fn told(&self) -> Option<Told<'_>> {
        verdict::told(&self.seeds, &self.verdicts)
    }
}

/// The results of an experiment, with all runs.
#[derive(Debug)]
pub struct Results {
    /// The points, in order.
    pub points: Vec<PointResult>,
    /// The claims, at each point they are about.
    pub claims: Vec<Judged>,
}

impl Results {
    /// Whether every claim holds. One that cannot be decided does not.
    #[must_use]
    pub fn all_hold(&self) -> bool {
        self.claims.iter().all(|claim| claim.holds == Holds::Yes)
    }

    /// Whether a run was stopped by a limit.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.points.iter().flat_map(|point| &point.runs).any(|run| run.stopped.is_some())
    }
}

/// The results of an experiment whose runs are gone.
#[derive(Debug)]
pub struct Swept {
    /// The points, in order.
    pub points: Vec<Facts>,
    /// The claims, at each point they are about.
    pub claims: Vec<Judged>,
}

impl Swept {
    /// Whether every claim holds.
    #[must_use]
    pub fn all_hold(&self) -> bool {
        self.claims.iter().all(|claim| claim.holds == Holds::Yes)
    }

    /// Whether a run was stopped by a limit.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.points.iter().flat_map(|point| &point.stopped).any(Option::is_some)
    }
}

/// Checks every point of a scenario, and its claims and charts. Nothing is run. Alike findings are kept once.
#[must_use]
pub fn check(scenario: &Scenario) -> Diagnostics {
    check_for(scenario, &map::Asked::default())
}

/// The same, together with what is asked of a map besides.
fn check_for(scenario: &Scenario, asked: &map::Asked) -> Diagnostics {
    let mut found = scenario.check();
    if !found.has_errors() {
        check::check(scenario, asked, &mut found);
    }
    found
}

/// Checks what `tune` is asked of a scenario, without building its grid.
pub(crate) fn check_tune(scenario: &Scenario) -> Diagnostics {
    let mut found = Diagnostics::new();
    check::check_tune(scenario, &mut found);
    found
}

/// The experiment as it is at the first point, after `--set`: claims and charts are the same at every point.
#[must_use]
pub fn first(scenario: &Scenario) -> Option<(Plan, Experiment)> {
    scenario.plan(&scenario.point(0), &mut Diagnostics::new())
}

/// Runs a point: all its seeds, in parallel. `tick` is told of each run that has ended.
///
/// # Errors
/// When it cannot be built.
pub fn run_point(
    scenario: &Scenario,
    number: usize,
    options: &Options,
    tick: &(dyn Fn() + Sync),
) -> Result<PointResult, Diagnostics> {
    let mut found = Diagnostics::new();
    let point = scenario.point(number);
    let Some((plan, experiment)) = scenario.plan(&point, &mut found) else { return Err(found) };
    let (seeds, runs, verdicts) = (Vec::new(), Vec::new(), Vec::new());
    let steady = Steady::default();
    let mut result = PointResult { number, point, plan, experiment, seeds, runs, verdicts, steady, tried: None };
    // In rounds: what the figures of one say decides how many runs the next has.
    loop {
        let first = options.seed.unwrap_or(result.experiment.seed).wrapping_add(result.seeds.len() as u64);
        let more = more_seeds(scenario, options, &result) as u64;
        if more == 0 {
            break;
        }
        let seeds: Vec<u64> = (0..more).map(|n| first.wrapping_add(n)).collect();
        let trace = if result.seeds.is_empty() { options.trace } else { 0 };
        let replicated = replicate(&result.plan, &seeds, trace, tick);
        result.seeds.extend(seeds);
        for (run, verdict) in replicated {
            result.runs.push(run);
            result.verdicts.push(verdict);
        }
    }
    result.steady = Steady::of(&result.plan, &result.runs);
    result.tried = if options.try_remedies { remedy::try_first(scenario, &result, tick) } else { None };
    Ok(result)
}

/// Runs a plan with each of some seeds, in parallel, and says how each run ended; in the first, so many requests are followed. `tick` is
/// told of each that has ended.
fn replicate(plan: &Plan, seeds: &[u64], trace: u32, tick: &(dyn Fn() + Sync)) -> Vec<(Run, Verdict)> {
    let one = |(place, &seed): (usize, &u64)| {
        let run = run_traced(plan, seed, if place == 0 { trace } else { 0 });
        let verdict = verdict::judge(plan, &run);
        tick();
        (run, verdict)
    };
    seeds.par_iter().with_max_len(1).enumerate().map(one).collect()
}

/// Runs all points and seeds of a scenario, and keeps all runs in memory. `tick` is told of each run that has ended.
///
/// # Errors
/// When a point cannot be built, or a claim or a chart asks for what does not exist.
pub fn execute(scenario: &Scenario, options: &Options, tick: &(dyn Fn() + Sync)) -> Result<Results, Diagnostics> {
    let found = check(scenario);
    if found.has_errors() {
        return Err(found);
    }
    let numbers: Vec<usize> = (0..scenario.count()).collect();
    let points: Vec<PointResult> = numbers
        .into_par_iter()
        .with_max_len(1)
        .map(|number| run_point(scenario, number, options, tick))
        .collect::<Result<_, _>>()?;
    let facts: Vec<Facts> = points.iter().map(PointResult::facts).collect();
    let claims = points.first().map_or_else(Vec::new, |point| claims::judge(scenario, &point.experiment, &facts));
    Ok(Results { points, claims })
}

/// How many more seeds a point needs, given the runs that it has; first those that are run in any case.
fn more_seeds(scenario: &Scenario, options: &Options, point: &PointResult) -> usize {
    let (seeds, made) = (&point.experiment.seeds, point.runs.len());
    match (options.seeds, &seeds.until) {
        (None, Some(_)) if point.runs.iter().any(|run| run.stopped.is_some()) => 0,
        (None, Some(until)) => {
            sequential::more(&claims::wanted(scenario, point), until.0, made, seeds.at_most as usize)
        }
        (count, _) => count.unwrap_or(seeds.at_most).max(1) as usize - made,
    }
}

/// The folder of results of an experiment: its name, below the folder given.
#[must_use]
pub fn folder(out: &Path, scenario: &Scenario) -> std::path::PathBuf {
    out.join(&scenario.name)
}
