//! A stability map as tables and as a chart.

use std::io;
use std::path::Path;

use super::chart::{Axis, Boxes, Chart, Heat, Kind, Outline, Patch, Side, StripState, Unit};
use super::draw::picture;
use super::tables::{bytes, cell, put, remove, text};
use crate::experiment::map::search::{Boundary, Probe};
use crate::experiment::map::{Map, Row, State};
use crate::experiment::statistics::proportion::wilson;
use crate::experiment::statistics::quantile::quantile;
use crate::scenario::Scenario;

/// Writes `map.csv`, `map-probes.csv` and, if it is wanted, the chart. Those of an earlier map are removed.
///
/// # Errors
/// When a file cannot be written or the chart cannot be drawn.
pub fn write(folder: &Path, scenario: &Scenario, map: &Map, with_chart: bool) -> io::Result<()> {
    remove_old(folder)?;
    put(folder, "map.csv", &rows(scenario, map)?)?;
    put(folder, "map-probes.csv", &probes(scenario, map)?)?;
    if with_chart {
        picture(folder, "map", &chart(scenario, map))?;
    }
    Ok(())
}

/// Removes an earlier map.
pub(super) fn remove_old(folder: &Path) -> io::Result<()> {
    ["map.csv", "map-probes.csv", "charts/map.svg", "charts/map.png"].iter().try_for_each(|name| remove(folder, name))
}

/// The values of a row on the axes along which was not searched.
fn others<'s>(scenario: &'s Scenario, map: &Map, row: &Row) -> Vec<(&'s str, &'s str)> {
    let names = scenario.axes.iter().map(|axis| axis.name.as_str());
    let all = names.zip(scenario.labels(&row.point)).enumerate();
    all.filter(|(axis, _)| *axis != map.along).map(|(_, it)| it).collect()
}

/// `attempts 2, pool 10`; empty if there is nothing else.
#[must_use]
pub fn called(scenario: &Scenario, map: &Map, row: &Row) -> String {
    let pairs = others(scenario, map, row);
    pairs.iter().map(|(axis, label)| format!("{axis} {label}")).collect::<Vec<_>>().join(", ")
}

fn rows(scenario: &Scenario, map: &Map) -> io::Result<Vec<u8>> {
    let unit = scenario.axes[map.along].unit();
    let label = |value: Option<f64>| value.map_or_else(String::new, |value| text(&format!("{}{unit}", cell(value))));
    let mut table = csv::Writer::from_writer(Vec::new());
    let other = scenario.axes.iter().enumerate().filter(|(axis, _)| *axis != map.along).map(|(_, it)| text(&it.name));
    let after = [
        "along",
        "state",
        "recovers",
        "all_recover",
        "half_low",
        "half_high",
        "none_recovers",
        "runs",
        "seeds",
        "confidence",
    ];
    table.write_record(["row".to_owned()].into_iter().chain(other).chain(after.map(str::to_owned)))?;
    for (number, row) in map.rows.iter().enumerate() {
        let found: Vec<Option<&Boundary>> = match row.boundaries[..] {
            [] => vec![None],
            _ => row.boundaries.iter().map(Some).collect(),
        };
        for boundary in found {
            let finite = |value: f64| label(Some(value).filter(|it| it.is_finite()));
            let figures = boundary.map_or_else(Default::default, |it| {
                let side = if it.below { "below" } else { "above" };
                let (low, high) = it.interval();
                [side.to_owned(), label(it.all), finite(low), finite(high), label(it.none)]
            });
            let start = [number.to_string()].into_iter();
            let values = others(scenario, map, row).into_iter().map(|it| text(it.1));
            let state = [text(&scenario.axes[map.along].name), row.state().name().to_owned()];
            let confidence = map.confidence().map_or_else(String::new, cell);
            let last = [row.runs().to_string(), map.runs.to_string(), confidence];
            table.write_record(start.chain(values).chain(state).chain(figures).chain(last))?;
        }
    }
    bytes(table)
}

fn probes(scenario: &Scenario, map: &Map) -> io::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let axes = scenario.axes.iter().map(|axis| text(&axis.name));
    let after = [
        "runs",
        "came_back",
        "share",
        "ci_low",
        "ci_high",
        "recovery_p10",
        "recovery_p50",
        "recovery_p50_low",
        "recovery_p50_high",
        "recovery_p90",
    ];
    table.write_record(["row".to_owned()].into_iter().chain(axes).chain(after.map(str::to_owned)))?;
    for (number, row) in map.rows.iter().enumerate() {
        for probe in &row.probes {
            let mut values: Vec<String> = scenario.labels(&row.point).into_iter().map(text).collect();
            values[map.along] = text(&scenario.axes[map.along].at(probe.share).map_or_else(String::new, |it| it.label));
            let (k, n) = (probe.back(), probe.runs.len());
            let (low, high) = wilson(k, n);
            let share = k as f64 / n as f64;
            let times: Vec<f64> = probe.runs.iter().map(|it| it.after).collect();
            let at = |q: f64| quantile(&times, q);
            let value = |q: f64| at(q).map_or(f64::NAN, |it| it.value);
            let median = at(0.5).map_or((f64::NAN, f64::NAN), |it| (it.low.max(0.0), it.high));
            let figures = [share, low, high, value(0.1), value(0.5), median.0, median.1, value(0.9)].map(cell);
            let counts = [n.to_string(), k.to_string()];
            table.write_record([number.to_string()].into_iter().chain(values).chain(counts).chain(figures))?;
        }
    }
    bytes(table)
}

/// The regions of a row: from where to where, and what happens there.
fn regions(row: &Row) -> Vec<((f64, f64), StripState)> {
    let whole = |state: StripState| vec![((f64::NEG_INFINITY, f64::INFINITY), state)];
    match row.state() {
        State::Recovers => return whole(StripState::Good),
        State::Stuck => return whole(StripState::Bad),
        State::Might => return whole(StripState::Between),
        State::Boundary | State::Islands => {}
    }
    let mut regions = Vec::new();
    let mut from = f64::NEG_INFINITY;
    for (number, it) in row.boundaries.iter().enumerate() {
        let ends = if it.below { [it.all, it.none] } else { [it.none, it.all] };
        let sides = [StripState::Good, StripState::Bad];
        let [left, right] = if it.below { sides } else { [sides[1], sides[0]] };
        let begins = ends[0].unwrap_or(from);
        let until = ends[1].unwrap_or(f64::INFINITY);
        regions.push(((from, begins), left));
        regions.push(((begins, until), StripState::Between));
        if number + 1 == row.boundaries.len() {
            regions.push(((until, f64::INFINITY), right));
        }
        from = until;
    }
    regions
}

fn chart(scenario: &Scenario, map: &Map) -> Chart {
    let axis = &scenario.axes[map.along];
    let unit = match axis.unit() {
        "/s" => Unit::PerSecond,
        "s" => Unit::Seconds,
        _ => Unit::Plain,
    };
    let named = unit == Unit::Plain && !axis.unit().is_empty();
    let label = if named { format!("{}, in {}", axis.name, axis.unit()) } else { axis.name.clone() };
    let x = Side::Numbers(Axis { label, unit, log: axis.is_log(), from_zero: false });
    let other: Vec<&str> =
        scenario.axes.iter().enumerate().filter(|it| it.0 != map.along).map(|it| it.1.name.as_str()).collect();
    let names = map.rows.iter().map(|row| {
        let labels: Vec<&str> = others(scenario, map, row).into_iter().map(|it| it.1).collect();
        labels.join(", ")
    });
    let y = Side::Names { label: other.join(", "), names: names.collect() };
    let (from, to) = (axis.number(0.0).min(axis.number(1.0)), axis.number(0.0).max(axis.number(1.0)));
    let within = |value: f64| value.clamp(from, to);
    let mut boxes = Vec::new();
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut intervals: Vec<[(f64, f64); 2]> = Vec::new();
    for (number, row) in map.rows.iter().enumerate() {
        let level = number as f64;
        for ((left, right), state) in regions(row) {
            let x = (within(left), within(right));
            boxes.push((Patch { x, y: (level - 0.5, level + 0.5) }, state));
        }
        for it in &row.boundaries {
            let (low, high) = it.interval();
            let (low, high) = (within(low), within(high));
            intervals.push([(low, level), (high, level)]);
            let middle = f64::midpoint(low, high);
            pieces.push(vec![(middle, level - 0.5), (middle, level + 0.5)]);
        }
    }
    let outline = Outline { label: "half of the runs come back".to_owned(), pieces, intervals };
    let legend = ["all runs come back", "none does", "some do"].map(str::to_owned);
    let title = match other[..] {
        [] => format!("Where the system comes back, along {}", axis.name),
        _ => format!("Where the system comes back: {} and {}", axis.name, other.join(", ")),
    };
    let kind = Kind::Heat(Heat { x, y, boxes: Boxes::States { boxes, legend }, outlines: vec![outline] });
    Chart { title, subtitle: scenario.experiment.lesson.clone().unwrap_or_default(), kind }
}

/// The probe between the edges of a boundary at which the chance to come back is closest to one half.
#[must_use]
pub fn closest<'r>(row: &'r Row, boundary: &Boundary) -> Option<&'r Probe> {
    let mixed = row.probes.iter().filter(|it| !it.all() && !it.none() && inside(boundary, it.value));
    let off = |it: &Probe| (it.back() as f64 / it.runs.len() as f64 - 0.5).abs();
    // Of two that are as close the lower, whichever way the range goes.
    mixed.min_by(|a, b| off(a).total_cmp(&off(b)).then(a.value.total_cmp(&b.value)))
}

/// Whether a value lies between the edges of a boundary.
fn inside(boundary: &Boundary, value: f64) -> bool {
    let (low, high) = if boundary.below { (boundary.all, boundary.none) } else { (boundary.none, boundary.all) };
    low.is_none_or(|low| value > low) && high.is_none_or(|high| value < high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::map::search::{Ended, boundaries};
    use crate::scenario::Point;

    fn row(boundaries: Vec<Boundary>) -> Row {
        Row { point: Point { values: vec![0] }, probes: Vec::new(), boundaries, stopped: 0 }
    }

    #[test]
    fn regions_lie_side_by_side_without_gaps_also_around_an_island() {
        let (good, between, bad) = (StripState::Good, StripState::Between, StripState::Bad);
        let inf = f64::INFINITY;
        let falls = Boundary { below: true, all: Some(30.0), half: [Some(32.0), Some(34.0)], none: Some(35.0) };
        assert_eq!(regions(&row(vec![falls])), [((-inf, 30.0), good), ((30.0, 35.0), between), ((35.0, inf), bad)]);
        let rises = Boundary { below: false, all: Some(60.0), half: [Some(60.0), Some(59.0)], none: Some(59.0) };
        let wanted = [
            ((-inf, 30.0), good),
            ((30.0, 35.0), between),
            ((35.0, 59.0), bad),
            ((59.0, 60.0), between),
            ((60.0, inf), good),
        ];
        assert_eq!(regions(&row(vec![falls, rises])), wanted);
        let open = Boundary { below: true, all: Some(30.0), half: [Some(30.0), None], none: None };
        let ends = regions(&row(vec![open]));
        assert_eq!(ends, [((-inf, 30.0), good), ((30.0, inf), between), ((inf, inf), bad)]);
    }

    #[test]
    fn regions_of_a_range_that_falls_lie_where_its_values_are() {
        // From 100 to 0: it comes back up to 25, at 50 in half of the runs, and from 75 never.
        let probe = |(place, back): (usize, usize)| {
            let runs = (0..12).map(|run| Ended { back: run < back, after: 1.0 }).collect();
            let share = place as f64 / 4.0;
            Probe { share, value: 100.0 * (1.0 - share), runs }
        };
        let probes: Vec<Probe> = [0, 0, 6, 12, 12].into_iter().enumerate().map(probe).collect();
        let found = boundaries(&probes, &[0.0, 0.25, 0.5, 0.75, 1.0]);
        let wanted = [
            ((f64::NEG_INFINITY, 25.0), StripState::Good),
            ((25.0, 75.0), StripState::Between),
            ((75.0, f64::INFINITY), StripState::Bad),
        ];
        assert_eq!(regions(&row(found.clone())), wanted);
        let falling = Row { probes, ..row(found.clone()) };
        assert_eq!(closest(&falling, &found[0]).map(|it| it.value), Some(50.0));
    }
}
