//! A metric against the load, while it rises and while it falls.

use std::io;

use super::super::chart::{Axis, Kind, Series};
use super::{Emphasis, Source, axis, cells, interval, measured, unit};
use crate::experiment::{PointResult, Summary};
use crate::scenario::experiment as spec;

/// Into so many steps the load is divided.
const STEPS: usize = 30;

/// Loads are means over this share of the run's time line, so that what comes by chance in one step is not taken for a load of its own.
const SMOOTH: usize = 60;

/// The two curves.
pub(super) fn draw(source: &Source, wanted: &spec::Chart, of: &str, metric: &str, against: &str) -> io::Result<Kind> {
    let number = cells(source.scenario, wanted).first().map(|cell| cell.1);
    let point = number.map(|number| (source.point)(number)).transpose()?;
    let series = point.map_or_else(Vec::new, |point| branches(&point, of, metric, against));
    let x = Axis { from_zero: true, ..axis(&measured(against).label, unit(against)) };
    Ok(Kind::Lines { series, shades: Vec::new(), x, span: None, y: measured(metric) })
}

/// A time line of loads without its noise: each value the mean of those around it.
fn smooth(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = line.len() / SMOOTH / 2;
    let around = |step: usize| {
        let near = &line[step.saturating_sub(half)..(step + half + 1).min(line.len())];
        let known = || near.iter().map(|it| it.1).filter(|load| load.is_finite());
        known().sum::<f64>() / known().count() as f64
    };
    line.iter().enumerate().map(|(step, it)| (it.0, around(step))).collect()
}

/// The time at which the load is highest, over all runs.
fn turn(loads: &[Vec<(f64, f64)>]) -> f64 {
    let steps = loads.iter().map(Vec::len).min().unwrap_or(0);
    let sum = |step: usize| -> f64 { loads.iter().map(|line| line[step].1).filter(|load| load.is_finite()).sum() };
    let highest = (0..steps).max_by(|&a, &b| sum(a).total_cmp(&sum(b)).then(b.cmp(&a)));
    highest.map_or(0.0, |step| loads[0][step].0)
}

fn branches(point: &PointResult, of: &str, metric: &str, against: &str) -> Vec<Series> {
    let lines =
        |name: &str| -> Vec<Vec<(f64, f64)>> { point.runs.iter().filter_map(|run| run.line(of, name)).collect() };
    let (loads, values) = (lines(against), lines(metric));
    let loads: Vec<Vec<(f64, f64)>> = loads.iter().map(|line| smooth(line)).collect();
    if loads.is_empty() || values.is_empty() {
        return Vec::new();
    }
    let warmup = point.plan.schedule.warmup.as_secs();
    let turn = turn(&loads);
    let counted = || loads.iter().flatten().filter(|step| step.0 >= warmup && step.1.is_finite()).map(|step| step.1);
    let (low, high) = (counted().fold(f64::INFINITY, f64::min), counted().fold(f64::NEG_INFINITY, f64::max));
    if low >= high {
        return Vec::new();
    }
    let bin = |load: f64| (((load - low) / (high - low) * STEPS as f64) as usize).min(STEPS - 1);
    let branch = |name: &str, rises: bool| {
        let (mut points, mut band) = (Vec::new(), Vec::new());
        for step in 0..STEPS {
            // Of each run, its mean over the time in which its load was in this step.
            let of_run = |run: usize| {
                let here = loads[run].iter().zip(&values[run]).filter(|((time, load), (_, value))| {
                    *time >= warmup
                        && (*time < turn) == rises
                        && bin(*load) == step
                        && value.is_finite()
                        && load.is_finite()
                });
                let (mut load_sum, mut sum, mut count) = (0.0, 0.0, 0.0);
                for ((_, load), (_, value)) in here {
                    load_sum += load;
                    sum += value;
                    count += 1.0;
                }
                (count > 0.0).then(|| (load_sum / count, sum / count))
            };
            let means: Vec<(f64, f64)> = (0..loads.len()).filter_map(of_run).collect();
            if means.is_empty() {
                continue;
            }
            let place = means.iter().map(|it| it.0).sum::<f64>() / means.len() as f64;
            let sum = Summary::of(&means.iter().map(|it| it.1).collect::<Vec<f64>>());
            points.push((place, sum.mean));
            let (low, high) = if sum.n > 1 { interval(&sum, metric) } else { (sum.mean, sum.mean) };
            band.push((place, low, high));
        }
        let name = if points.is_empty() { format!("{name}: it never does") } else { name.to_owned() };
        Series { name, points, band: Some(band), emphasis: Emphasis::Normal }
    };
    vec![branch("while the load rises", true), branch("while it falls", false)]
}
