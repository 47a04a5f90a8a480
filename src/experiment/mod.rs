//! Runs an experiment: every point, every seed, in parallel; then means, verdicts and claims.
//!
//! The order of results is that of points and seeds, whatever the order in which the runs end, and all sums over
//! them are made in that order: the same bytes with one thread or many.

mod check;
mod claims;
pub mod compare;
pub mod statistics;
mod steady;
mod verdict;

use std::path::Path;

use rayon::prelude::*;

use crate::measure::Run;
use crate::scenario::experiment::Experiment;
use crate::scenario::source::Diagnostics;
use crate::scenario::{Point, Scenario};
use crate::system::plan::Plan;
use crate::system::run;
use statistics::sequential;

pub use claims::{Holds, Judged};
pub use statistics::Summary;
pub use steady::Steady;
pub(crate) use verdict::brief;
pub use verdict::{Diagnosis, Mechanism, Remedy, Verdict};

/// What is asked of a run besides the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The number of seeds, if not that of the file.
    pub seeds: Option<u32>,
    /// The first seed, if not that of the file.
    pub seed: Option<u64>,
}

/// A point, its plan, and its runs in order of their seeds.
#[derive(Debug)]
pub struct PointResult {
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
}

/// The results of an experiment.
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

/// Checks every point of a scenario, and its claims and charts. Nothing is run. Alike findings are kept once.
#[must_use]
pub fn check(scenario: &Scenario) -> Diagnostics {
    let mut found = scenario.check();
    if !found.has_errors() {
        let points = scenario.points();
        let built: Vec<_> = points.iter().filter_map(|point| scenario.plan(point, &mut found)).collect();
        if let Some((_, experiment)) = built.first() {
            let points: Vec<_> = points.iter().zip(built.iter().map(|(plan, _)| plan)).collect();
            check::check(scenario, &points, experiment, &mut found);
        }
    }
    found
}

/// Runs all points and seeds of a scenario. `tick` is told of each run that has ended.
///
/// # Errors
/// When a point cannot be built, or a claim or a chart asks for what does not exist.
pub fn execute(scenario: &Scenario, options: &Options, tick: &(dyn Fn() + Sync)) -> Result<Results, Diagnostics> {
    let mut found = Diagnostics::new();
    let mut prepared = Vec::new();
    for point in scenario.points() {
        if let Some((plan, experiment)) = scenario.plan(&point, &mut found) {
            prepared.push((point, plan, experiment));
        }
    }
    if let Some((_, _, experiment)) = prepared.first() {
        let points: Vec<_> = prepared.iter().map(|(point, plan, ..)| (point, plan)).collect();
        check::check(scenario, &points, experiment, &mut found);
    }
    if found.has_errors() {
        return Err(found);
    }
    let mut points: Vec<PointResult> = prepared
        .into_iter()
        .map(|(point, plan, experiment)| PointResult {
            point,
            plan,
            experiment,
            seeds: Vec::new(),
            runs: Vec::new(),
            verdicts: Vec::new(),
            steady: Steady::default(),
        })
        .collect();
    // In rounds: what the figures of one say decides how many runs the next has.
    loop {
        let jobs: Vec<(usize, u64)> = points
            .iter()
            .enumerate()
            .flat_map(|(number, point)| {
                let first = options.seed.unwrap_or(point.experiment.seed).wrapping_add(point.seeds.len() as u64);
                (0..more_seeds(scenario, options, point) as u64).map(move |n| (number, first.wrapping_add(n)))
            })
            .collect();
        if jobs.is_empty() {
            break;
        }
        let runs: Vec<Run> = jobs
            .par_iter()
            .map(|&(point, seed)| {
                let run = run(&points[point].plan, seed);
                tick();
                run
            })
            .collect();
        for ((number, seed), run) in jobs.into_iter().zip(runs) {
            let point = &mut points[number];
            point.seeds.push(seed);
            point.verdicts.push(verdict::judge(&point.plan, &run));
            point.runs.push(run);
        }
    }
    for point in &mut points {
        point.steady = Steady::of(&point.plan, &point.runs);
    }
    let claims = claims::judge(scenario, &points);
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
