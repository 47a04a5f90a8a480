//! What a search has found, as tables and charts.

use std::io;
use std::path::Path;

use super::chart::{Axis, Bar, BarGroup, Better, Chart, Dot, Kind, Scatter, Unit};
use super::draw::{picture, unit_of};
use super::tables::{bytes, cell, put, remove, text};
use crate::experiment::tune::{Candidate, Known, Sensitive, Told, Tuned, decision};
use crate::experiment::{Holds, Summary};
use crate::measure::Quantity;
use crate::scenario::Scenario;
use crate::scenario::tune::Sensitivity;

/// The charts: the frontier, and how much each axis matters.
const CHARTS: [&str; 2] = ["tune-frontier", "tune-sensitivity"];

/// Writes `tune.csv`, and `frontier.csv`, `sensitivity.csv` and charts if there is something in them. Those of an earlier search are
/// removed.
///
/// # Errors
/// When a file cannot be written or a chart cannot be drawn.
pub fn write(folder: &Path, scenario: &Scenario, tuned: &Tuned, with_charts: bool) -> io::Result<()> {
    remove_old(folder)?;
    put(folder, "tune.csv", &candidates(tuned)?)?;
    if tuned.goals.len() > 1 {
        put(folder, "frontier.csv", &frontier(tuned)?)?;
        if with_charts {
            picture(folder, CHARTS[0], &frontier_chart(scenario, tuned))?;
        }
    }
    if let Some(sensitive) = &tuned.sensitivity {
        put(folder, "sensitivity.csv", &sensitivity(tuned, sensitive)?)?;
        if with_charts {
            picture(folder, CHARTS[1], &tornado(scenario, tuned, sensitive))?;
        }
    }
    Ok(())
}

/// Removes what an earlier search has found.
pub(super) fn remove_old(folder: &Path) -> io::Result<()> {
    let pictures = CHARTS.iter().flat_map(|name| ["svg", "png"].map(|end| format!("charts/{name}.{end}")));
    let tables = ["tune.csv", "frontier.csv", "sensitivity.csv"].map(str::to_owned);
    pictures.chain(tables).try_for_each(|name| remove(folder, &name))
}

type Table = csv::Writer<Vec<u8>>;

fn labels<'a>(tuned: &'a Tuned, candidate: &'a Candidate) -> impl Iterator<Item = String> + 'a {
    (0..tuned.axes.len()).map(|axis| candidate.values.get(axis).map_or_else(String::new, |value| text(&value.label)))
}

/// What became of a candidate.
fn fate(tuned: &Tuned, number: usize) -> &'static str {
    let candidate = &tuned.candidates[number];
    match (number, candidate.dropped) {
        _ if candidate.unbuilt.is_some() => "not_built",
        (0, _) if tuned.best == 0 => "as_it_is, best",
        (0, _) => "as_it_is",
        _ if number == tuned.best => "best",
        (_, Some(_)) => "dropped",
        (_, None) => "finalist",
    }
}

/// The names of the columns of an objective.
fn objectives(tuned: &Tuned) -> impl Iterator<Item = String> {
    let names = ["objective", "against"].into_iter().take(tuned.goals.len());
    names.flat_map(|name| ["", "_ci_low", "_ci_high"].map(|end| format!("{name}{end}")))
}

fn interval(value: &Summary) -> [String; 3] {
    [value.mean, value.low, value.high].map(cell)
}

fn candidates(tuned: &Tuned) -> io::Result<Vec<u8>> {
    let mut table = Table::from_writer(Vec::new());
    let limits =
        (1..=tuned.limits.len()).flat_map(|number| [format!("bound_{number}"), format!("bound_{number}_kept")]);
    let before = ["candidate".to_owned()].into_iter().chain(tuned.axes.iter().map(|axis| text(axis)));
    let after = ["fate", "dropped_after_round", "seeds_of", "seeds"].map(str::to_owned);
    table.write_record(before.chain(after).chain(objectives(tuned)).chain(limits).chain(["kept".to_owned()]))?;
    for (number, candidate) in tuned.candidates.iter().enumerate() {
        let search = Some(("search", &candidate.search));
        let held_back = candidate.held_back.as_ref().map(|known| ("held_back", known));
        for (seeds_of, known) in [search, held_back].into_iter().flatten() {
            let start = [number.to_string()].into_iter().chain(labels(tuned, candidate));
            let round = candidate.dropped.map_or_else(String::new, |round| round.to_string());
            let names = [fate(tuned, number).to_owned(), round, seeds_of.to_owned(), known.seeds().to_string()];
            table.write_record(start.chain(names).chain(figures(tuned, known)))?;
        }
    }
    bytes(table)
}

/// The cells of all figures; empty if nothing is known.
fn figures(tuned: &Tuned, known: &Known) -> Vec<String> {
    let (goals, limits) = (tuned.goals.len(), tuned.limits.len());
    if known.judged.is_empty() {
        return vec![String::new(); 3 * goals + 2 * limits + 1];
    }
    let objectives = known.judged[..goals].iter().flat_map(|(value, _)| interval(value));
    let limits = known.judged[goals..].iter().flat_map(|(value, holds)| [cell(value.mean), holds.name().to_owned()]);
    objectives.chain(limits).chain([known.holds().name().to_owned()]).collect()
}

fn frontier(tuned: &Tuned) -> io::Result<Vec<u8>> {
    let mut table = Table::from_writer(Vec::new());
    let before = ["candidate".to_owned()].into_iter().chain(tuned.axes.iter().map(|axis| text(axis)));
    let after = ["than_next", "knee", "seeds", "kept"].map(str::to_owned);
    table.write_record(before.chain(objectives(tuned)).chain(after))?;
    for (place, &number) in tuned.frontier.iter().enumerate() {
        let (candidate, known) = (&tuned.candidates[number], tuned.held_back(number));
        let start = [number.to_string()].into_iter().chain(labels(tuned, candidate));
        let objectives = known.judged[..tuned.goals.len()].iter().flat_map(|(value, _)| interval(value));
        let knee = if tuned.knee == Some(number) { "yes" } else { "no" };
        let better = tuned.steps.get(place).map_or("", |row| decision(row, &tuned.goals[0]).name());
        let after = [better.to_owned(), knee.to_owned(), known.seeds().to_string(), known.holds().name().to_owned()];
        table.write_record(start.chain(objectives).chain(after))?;
    }
    bytes(table)
}

fn sensitivity(tuned: &Tuned, sensitive: &Sensitive) -> io::Result<Vec<u8>> {
    let mut table = Table::from_writer(Vec::new());
    let morris = sensitive.way == Sensitivity::Morris;
    let [total, alone] = if morris { ["mu_star", "mu"] } else { ["total", "first_order"] };
    let of = |name: &str| ["", "_ci_low", "_ci_high"].map(|end| format!("{name}{end}"));
    let start = ["axis", "method", "settings", "seeds"].map(str::to_owned);
    let only_morris = ["sigma", "noise"].into_iter().filter(|_| morris).map(str::to_owned);
    table.write_record(start.into_iter().chain(of(total)).chain(of(alone)).chain(only_morris))?;
    for (axis, it) in tuned.axes.iter().zip(&sensitive.axes) {
        let counts = [sensitive.places, sensitive.seeds].map(|count| count.to_string());
        let start = [text(axis), sensitive.way.name().to_owned()].into_iter().chain(counts);
        let only_morris = [it.sigma, it.noise].into_iter().filter(|_| morris).map(cell);
        table.write_record(start.chain(interval(&it.total)).chain(interval(&it.alone)).chain(only_morris))?;
    }
    bytes(table)
}

fn axis(told: &Told) -> Axis {
    Axis { label: told.name(), unit: unit_of(told.quantity), log: false, from_zero: false }
}

/// The axis of an objective for its values: logarithmic for times of which the longest is much longer than the shortest.
fn spread(told: &Told, values: impl Iterator<Item = f64> + Clone) -> Axis {
    let finite = values.filter(|value| value.is_finite());
    let (least, most) = (finite.clone().fold(f64::INFINITY, f64::min), finite.fold(0.0, f64::max));
    let log = told.quantity == Quantity::Seconds && least > 0.0 && most > 30.0 * least;
    Axis { log, ..axis(told) }
}

/// All settings that may be had, the frontier with its intervals.
fn frontier_chart(scenario: &Scenario, tuned: &Tuned) -> Chart {
    let dot = |number: usize| {
        let known = tuned.held_back(number);
        let [x, y] = [0, 1].map(|goal| known.judged.get(goal).map(|it| it.0));
        let (x, y) = (x?, y?);
        let dominated = !tuned.frontier.contains(&number);
        let none = (f64::NAN, f64::NAN);
        let label = match number {
            0 => "as it is".to_owned(),
            _ if dominated => String::new(),
            _ if tuned.knee == Some(number) => format!("{number}, the knee"),
            _ => number.to_string(),
        };
        // Those that the search dropped have their means from few seeds, and no interval worth drawing.
        let judged = tuned.candidates[number].held_back.is_some();
        let ends = |it: Summary| if judged { (it.low, it.high) } else { none };
        Some(Dot { at: (x.mean, y.mean), x: ends(x), y: ends(y), dominated, label })
    };
    let broken = |number: &usize| tuned.held_back(*number).holds() == Holds::No;
    let better = |goal: usize| if tuned.goals[goal].more { Better::More } else { Better::Less };
    let points: Vec<Dot> = (0..tuned.candidates.len()).filter(|it| !broken(it)).filter_map(dot).collect();
    let scatter = Scatter {
        x: spread(&tuned.goals[0], points.iter().map(|dot| dot.at.0)),
        y: spread(&tuned.goals[1], points.iter().map(|dot| dot.at.1)),
        points,
        better_x: better(0),
        better_y: better(1),
        legend: ["frontier, on seeds that were held back".to_owned(), "other settings that were tried".to_owned()],
    };
    let title = format!("What {} costs in {}", tuned.goals[0].metric, tuned.goals[1].metric);
    Chart { title, subtitle: scenario.experiment.lesson.clone().unwrap_or_default(), kind: Kind::Scatter(scatter) }
}

fn tornado(scenario: &Scenario, tuned: &Tuned, sensitive: &Sensitive) -> Chart {
    // What is drawn are sizes and shares: none is below zero, whatever an estimate or its interval says.
    let bar = |name: &str, it: &Summary| {
        let [value, low, high] = [it.mean, it.low, it.high].map(|end| end.max(0.0));
        Bar { name: name.to_owned(), value, low, high }
    };
    let goal = &tuned.goals[0];
    let (x, names) = match sensitive.way {
        Sensitivity::Morris => (
            Axis { label: format!("change of {} along the whole axis", goal.metric), from_zero: true, ..axis(goal) },
            vec!["mu*"],
        ),
        Sensitivity::Sobol => (
            Axis { label: "share of the variance".to_owned(), unit: Unit::Share, log: false, from_zero: true },
            vec!["in all", "alone"],
        ),
    };
    let rows = tuned.axes.iter().zip(&sensitive.axes).map(|(axis, it)| BarGroup {
        name: axis.clone(),
        bars: names.iter().zip([&it.total, &it.alone]).map(|(name, value)| bar(name, value)).collect(),
    });
    let title = format!("How much each axis matters to {}", goal.metric);
    let kind = Kind::Tornado { rows: rows.collect(), x };
    Chart { title, subtitle: scenario.experiment.lesson.clone().unwrap_or_default(), kind }
}
