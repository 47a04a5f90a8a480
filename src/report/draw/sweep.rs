//! Charts over the axes of a sweep: curves, maps of colours, and distributions over runs.

use std::io;

use super::super::chart::{self, Axis, Boxes, Heat, Kind, Outline, Patch, Series, Side};
use super::{Emphasis, Source, Unit, axes_of, axis, cells, chosen, label, mean, measured, unit, window};
use crate::experiment::{by_factors, number, numbers};
use crate::measure::{Quantity, metric};
use crate::scenario::experiment as spec;

/// A point of a curve: its place, the mean, and the interval.
type Along = (f64, f64, f64, f64);

/// A metric along an axis of numbers, a line for each value of another.
pub(super) fn curve(source: &Source, wanted: &spec::Chart, it: &spec::Curve, of: &str) -> io::Result<Kind> {
    let scenario = source.scenario;
    let axes = axes_of(scenario, wanted);
    // The last is that along which the lines run.
    let Some((&over, by)) = axes.split_last() else {
        return Ok(Kind::Lines {
            series: vec![],
            shades: vec![],
            x: plain(&it.over),
            span: None,
            y: measured(&it.metric),
        });
    };
    let (x, numbers) = scale(&scenario.axes[over]);
    let mut lines: Vec<(Vec<usize>, Vec<Along>)> = Vec::new();
    for (mut values, number) in cells(scenario, wanted) {
        let place = values.pop().and_then(|value| numbers.get(value).copied()).unwrap_or(f64::NAN);
        let (value, low, high) = mean(&(source.point)(number)?, window(it.window.as_ref()), of, &it.metric);
        let line = lines.iter().position(|line| line.0 == values).unwrap_or_else(|| {
            lines.push((values, Vec::new()));
            lines.len() - 1
        });
        lines[line].1.push((place, value, low, high));
    }
    let series = lines.into_iter().map(|(values, mut points)| {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let band: Vec<(f64, f64, f64)> = points.iter().map(|it| (it.0, it.2, it.3)).collect();
        Series {
            name: by.first().map_or_else(|| of.to_owned(), |&axis| label(scenario, axis, values[0])),
            points: points.iter().map(|it| (it.0, it.1)).collect(),
            band: Some(band),
            emphasis: Emphasis::Normal,
        }
    });
    Ok(Kind::Lines { series: series.collect(), shades: Vec::new(), x, span: None, y: measured(&it.metric) })
}

/// A metric over two axes.
pub(super) fn heat(source: &Source, wanted: &spec::Chart, it: &spec::Heat, of: &str) -> io::Result<Kind> {
    let scenario = source.scenario;
    let [columns, rows] = [&it.x, &it.y].map(|name| Line::of(scenario, name));
    let mut grid = vec![f64::NAN; columns.order.len() * rows.order.len()];
    let mut boxes = Vec::new();
    for (values, number) in cells(scenario, wanted) {
        let (value, ..) = mean(&(source.point)(number)?, window(it.window.as_ref()), of, &it.metric);
        let [x, y] = [(&columns, values[0]), (&rows, values[1])].map(|(line, value)| line.place(value));
        grid[x * rows.order.len() + y] = value;
        boxes.push((Patch { x: columns.cell(x), y: rows.cell(y) }, value));
    }
    // From left to right, row by row: neighbours that look the same become one.
    boxes.sort_by(|a, b| a.0.y.0.total_cmp(&b.0.y.0).then(a.0.x.0.total_cmp(&b.0.x.0)));
    let quantity = metric(&it.metric).map_or(Quantity::Count, |it| it.quantity);
    let value = |i: usize, j: usize| grid[i * rows.order.len() + j];
    let levels = it.contour.iter().filter_map(|level| number(level, quantity));
    let outlines = levels.map(|level| Outline {
        label: unit(&it.metric).show(level),
        pieces: chart::contour(columns.order.len(), rows.order.len(), &value, level)
            .into_iter()
            .map(|line| line.into_iter().map(|(i, j)| (columns.between(i), rows.between(j))).collect())
            .collect(),
        intervals: Vec::new(),
    });
    let outlines = outlines.collect();
    let boxes = Boxes::Values { boxes, of: measured(&it.metric), infinite: "never, in one run or more".into() };
    Ok(Kind::Heat(Heat { x: columns.side, y: rows.side, boxes, outlines }))
}

/// The share of the runs up to each value.
pub(super) fn spread(source: &Source, wanted: &spec::Chart, it: &spec::Spread, of: &str) -> io::Result<Kind> {
    let mut series = Vec::new();
    for (label, number) in chosen(source.scenario, wanted) {
        let point = (source.point)(number)?;
        let value = |run: &crate::measure::Run| run.value(&point.plan, window(it.window.as_ref()), of, &it.metric);
        let mut values: Vec<f64> = point.runs.iter().filter_map(value).filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let all = values.len();
        let finite = values.iter().filter(|value| value.is_finite()).count();
        let name = if label.is_empty() { of.to_owned() } else { label };
        series.push(Series {
            name: if finite < all { format!("{name}: never in {} of {all}", all - finite) } else { name },
            points: values[..finite]
                .iter()
                .zip(1..)
                .map(|(value, rank)| (*value, f64::from(rank) / all as f64))
                .collect(),
            band: None,
            emphasis: Emphasis::Normal,
        });
    }
    Ok(Kind::Cumulative { series, x: measured(&it.metric), y: "share of the runs, up to this value".into() })
}

fn plain(name: &str) -> Axis {
    Axis { from_zero: false, ..axis(name, Unit::Plain) }
}

/// The axis of a chart for an axis of numbers, and its values.
fn scale(axis: &crate::scenario::Axis) -> (Axis, Vec<f64>) {
    let (quantity, values) = numbers(axis).unwrap_or((Quantity::Count, Vec::new()));
    let unit = match quantity {
        Quantity::Seconds => Unit::Seconds,
        Quantity::PerSecond => Unit::PerSecond,
        Quantity::Share => Unit::Share,
        // They may be anything: also 0.8.
        Quantity::Count | Quantity::Factor => Unit::Plain,
    };
    (Axis { unit, log: by_factors(&values), ..plain(&axis.name) }, values)
}

/// An axis of a map.
struct Line {
    side: Side,
    /// The numbers of its values, ascending.
    order: Vec<usize>,
    /// Where the values are, in that order.
    places: Vec<f64>,
    log: bool,
}

impl Line {
    fn of(scenario: &crate::scenario::Scenario, name: &str) -> Line {
        let found = scenario.axes.iter().find(|axis| axis.name == name);
        let Some(axis) = found else {
            return Line { side: Side::Numbers(plain(name)), order: Vec::new(), places: Vec::new(), log: false };
        };
        let mut order: Vec<usize> = (0..axis.values.len()).collect();
        if numbers(axis).is_none() {
            let names = axis.values.iter().map(|value| value.label.clone()).collect();
            let places = order.iter().map(|&place| place as f64).collect();
            return Line { side: Side::Names { label: axis.name.clone(), names }, order, places, log: false };
        }
        let (scale, values) = scale(axis);
        order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
        let places = order.iter().map(|&value| values[value]).collect();
        Line { log: scale.log, side: Side::Numbers(scale), order, places }
    }

    /// Which in order a value is.
    fn place(&self, value: usize) -> usize {
        self.order.iter().position(|it| *it == value).unwrap_or(0)
    }

    /// Where a value so many steps from the first would be, also between two.
    fn between(&self, at: f64) -> f64 {
        let Some(last) = self.places.len().checked_sub(1) else { return 0.0 };
        let (low, high) = if last == 0 {
            // One value has no neighbours: its cell is of any width.
            let here = self.places[0];
            return if self.log {
                here * libm::exp2(at)
            } else {
                here + at * if here == 0.0 { 1.0 } else { here.abs() }
            };
        } else {
            let first = (at.max(0.0) as usize).min(last - 1);
            (first, first + 1)
        };
        let (a, b, share) = (self.places[low], self.places[high], at - low as f64);
        if self.log { a * libm::pow(b / a, share) } else { a + (b - a) * share }
    }

    /// From half way to the neighbour before, to half way to that after.
    fn cell(&self, place: usize) -> (f64, f64) {
        (self.between(place as f64 - 0.5), self.between(place as f64 + 0.5))
    }
}
