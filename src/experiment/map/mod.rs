//! Stability maps: for which values a system comes back after its faults, where it may, and where it does not.
//!
//! Every combination of the values of the other axes is a row, and the boundary is searched along a range ([`search`]). Rows know nothing of
//! each other and are searched in parallel: the same bytes for any number of threads. A place of the range is tried with the first seeds
//! of the experiment, the same at every place.

mod check;
mod claims;
pub mod search;

use rayon::prelude::*;

use super::{Options, replicate};
use crate::measure::Run;
use crate::scenario::experiment::{Experiment, VerdictName};
use crate::scenario::source::Diagnostics;
use crate::scenario::{Axis, Point, Scenario};
use crate::system::plan::Plan;
use search::{Boundary, Ended, Goal, Probe, boundaries};

pub(super) use check::check;
pub use claims::Judged;

/// How closely an edge is looked for, if nothing else is said.
const WITHIN: f64 = 0.01;

/// What counts as having come back, if nothing else is said.
const RECOVERS: [VerdictName; 2] = [VerdictName::NeverDisturbed, VerdictName::Recovered];

/// The share of its requests that a client has answered before the faults, if it is well then. With less, there is nothing to come back to.
const WELL: f64 = 0.5;

/// What the command line asks for, instead of what the file says.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The axis along which the boundary is looked for.
    pub along: Option<String>,
    /// How closely, as a share of the value.
    pub within: Option<f64>,
}

/// A stability map.
#[derive(Debug)]
pub struct Map {
    /// The number of the axis along which was searched.
    pub along: usize,
    /// How closely.
    pub within: f64,
    /// Runs at a place at most.
    pub runs: usize,
    /// The first seed.
    pub seed: u64,
    /// A row for each combination of the values of the other axes.
    pub rows: Vec<Row>,
    /// How many runs a grid would have taken whose neighbours are as close, with as many seeds at each of its points.
    pub grid_runs: f64,
    /// The claims, for each row that they are about.
    pub claims: Vec<Judged>,
}

/// A row of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its values; that of the axis along which was searched means nothing.
    pub point: Point,
    /// What was tried, in order of values along the range, which may fall.
    pub probes: Vec<Probe>,
    /// What was found, in order of values.
    pub boundaries: Vec<Boundary>,
    /// Runs that were stopped by a limit, which count as not having come back.
    pub stopped: usize,
}

/// What there is to say of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Every run came back, along the whole range.
    Recovers,
    /// No run came back.
    Stuck,
    /// Some did and some did not, and there is no place at which that changes.
    Might,
    /// There is one boundary.
    Boundary,
    /// There are several: it comes back on both sides of where it does not, or the other way round.
    Islands,
}

impl State {
    /// As written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recovers => "recovers",
            Self::Stuck => "stuck",
            Self::Might => "might",
            Self::Boundary => "boundary",
            Self::Islands => "islands",
        }
    }
}

impl Row {
    /// What there is to say of it.
    #[must_use]
    pub fn state(&self) -> State {
        match self.boundaries.len() {
            0 if self.probes.iter().all(Probe::all) => State::Recovers,
            0 if self.probes.iter().all(Probe::none) => State::Stuck,
            0 => State::Might,
            1 => State::Boundary,
            _ => State::Islands,
        }
    }

    /// How many runs it took.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.probes.iter().map(|it| it.runs.len()).sum()
    }
}

impl Map {
    /// How sure the intervals of its boundaries are, as a share; [`None`] if there are too few seeds, and runs are counted.
    #[must_use]
    pub fn confidence(&self) -> Option<f64> {
        (self.runs >= search::FEWEST).then_some(0.95)
    }

    /// How many runs it took.
    #[must_use]
    pub fn runs_made(&self) -> usize {
        self.rows.iter().map(Row::runs).sum()
    }

    /// Whether every claim holds.
    #[must_use]
    pub fn all_hold(&self) -> bool {
        self.claims.iter().all(|claim| claim.holds == super::Holds::Yes)
    }

    /// Whether a run was stopped by a limit.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.rows.iter().any(|row| row.stopped > 0)
    }
}

/// The axis along which is searched, by its number.
fn along(scenario: &Scenario, experiment: &Experiment, asked: &Asked) -> Option<usize> {
    let written = experiment.map.as_ref().and_then(|map| map.along.as_ref()).map(|along| along.value.as_str());
    let mut ranges = (0..scenario.axes.len()).filter(|&axis| scenario.axes[axis].is_range());
    match asked.along.as_deref().or(written) {
        Some(name) => ranges.find(|&axis| scenario.axes[axis].name == name),
        None => ranges.next().filter(|_| ranges.next().is_none()),
    }
}

/// The rows: the points with the first value of the axis along which is searched.
fn rows(scenario: &Scenario, along: usize) -> Vec<Point> {
    (0..scenario.count()).map(|number| scenario.point(number)).filter(|point| point.values[along] == 0).collect()
}

/// The shares at which is looked first: the steps of the range.
fn coarse(axis: &Axis) -> Vec<f64> {
    let last = axis.values.len().max(2) - 1;
    (0..=last).map(|step| step as f64 / last as f64).collect()
}

/// How many points a grid has that is as close: geometric if it can be, which takes the fewest.
fn grid_points(axis: &Axis, within: f64, found: &[Row]) -> f64 {
    let (from, to) = (axis.number(0.0), axis.number(1.0));
    let (low, high) = (from.min(to), from.max(to));
    let points = if low > 0.0 {
        libm::ceil(libm::log(high / low) / libm::log1p(within))
    } else {
        let value = |share: f64| axis.number(share);
        let goal = Goal { coarse: &[], runs: 1, within, value: &value };
        let halves = found.iter().flat_map(|row| &row.boundaries).flat_map(|it| it.half).flatten();
        let narrowest = halves.map(|value| goal.tolerance(value)).fold(within * (high - low), f64::min);
        libm::ceil((high - low) / narrowest)
    } + 1.0;
    points.min(axis.whole_values().unwrap_or(f64::INFINITY))
}

/// Checks a scenario, and what is asked besides. Nothing is run.
#[must_use]
pub(crate) fn check_asked(scenario: &Scenario, asked: &Asked) -> Diagnostics {
    let mut found = super::check_for(scenario, asked);
    if let Some((plan, experiment)) = super::first(scenario).filter(|_| !found.has_errors()) {
        check::asked(scenario, &experiment, asked, &mut found);
        check::disturbed(&plan, &mut found);
    }
    found
}

/// Makes the map. `tick` is told of each run that has ended.
///
/// # Errors
/// When nothing can be searched, or a plan cannot be built.
pub fn explore(
    scenario: &Scenario,
    asked: &Asked,
    options: &Options,
    tick: &(dyn Fn() + Sync),
) -> Result<Map, Diagnostics> {
    let found = check_asked(scenario, asked);
    if found.has_errors() { Err(found) } else { explore_checked(scenario, asked, options, tick) }
}

/// The same for what [`check_asked`] has found nothing wrong with.
pub(crate) fn explore_checked(
    scenario: &Scenario,
    asked: &Asked,
    options: &Options,
    tick: &(dyn Fn() + Sync),
) -> Result<Map, Diagnostics> {
    let mut found = Diagnostics::new();
    let Some((_, experiment)) = scenario.plan(&scenario.point(0), &mut found) else { return Err(found) };
    let Some(along) = along(scenario, &experiment, asked) else { return Err(found) };
    let spec = experiment.map.as_ref().map(|map| &map.value);
    let within = asked.within.or(spec.and_then(|spec| spec.within.as_ref()).map(|it| it.0)).unwrap_or(WITHIN);
    let recovers = spec.and_then(|spec| spec.recovers.as_ref()).map_or(&RECOVERS[..], |it| &it.value);
    let runs = options.seeds.unwrap_or(experiment.seeds.at_most).max(1) as usize;
    let seed = options.seed.unwrap_or(experiment.seed);
    let axis = &scenario.axes[along];
    let coarse = coarse(axis);
    let one = |point: Point| -> Result<Row, Diagnostics> {
        let value = |share: f64| axis.number(share);
        let goal = Goal { coarse: &coarse, runs, within, value: &value };
        let mut stopped = 0;
        let mut run = |share: f64, seeds: std::ops::Range<usize>| {
            let mut found = Diagnostics::new();
            let here = axis.at(share).expect("it is a range");
            let mut values = scenario.values(&point);
            values[along] = &here;
            let Some((plan, _)) = scenario.plan_with(&values, &mut found) else { return Err(found) };
            let seeds: Vec<u64> = seeds.map(|n| seed.wrapping_add(n as u64)).collect();
            let made = replicate(&plan, &seeds, 0, tick);
            stopped += made.iter().filter(|(run, _)| run.stopped.is_some()).count();
            Ok(made.iter().map(|(run, verdict)| ended(&plan, run, recovers.contains(&verdict.name))).collect())
        };
        let probes = search::search(&goal, &mut run)?;
        let boundaries = boundaries(&probes, &coarse);
        Ok(Row { point, probes, boundaries, stopped })
    };
    // Through a list, so that of several mistakes it is always the first that is told.
    let rows: Vec<Result<Row, _>> = rows(scenario, along).into_par_iter().with_max_len(1).map(one).collect();
    let rows: Vec<Row> = rows.into_iter().collect::<Result<_, _>>()?;
    let grid_runs = grid_points(axis, within, &rows) * rows.len() as f64 * runs as f64;
    let claims = spec.map_or_else(Vec::new, |spec| claims::judge(scenario, along, &spec.expect, &rows));
    Ok(Map { along, within, runs, seed, rows, grid_runs, claims })
}

/// How a run ended, and how long the slowest of its clients took. Who was not even well before the faults has nothing to come back to.
fn ended(plan: &Plan, run: &Run, back: bool) -> Ended {
    let figure = |window: &str, client: &crate::system::plan::Client, metric: &str| {
        run.value(plan, window, &format!("client/{}", client.name), metric)
    };
    let times = plan.clients.iter().filter_map(|it| figure("all", it, "recovery_time"));
    let after = times.filter(|it| !it.is_nan()).fold(f64::NAN, f64::max);
    let well = |it| figure("before", it, "success_rate").is_none_or(|share| share.is_nan() || share >= WELL);
    let back = back && run.stopped.is_none() && plan.clients.iter().all(well);
    Ended { back, after: if back { after } else { f64::INFINITY } }
}
