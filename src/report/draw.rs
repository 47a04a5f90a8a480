//! The charts that an experiment asks for, from its results.

use std::io;
use std::path::Path;

use super::chart::{self, Axis, Bar, BarGroup, Chart, Emphasis, Kind, Series, Shade, Strip, StripState, Unit};
use super::tables::put;
use crate::experiment::{PointResult, Results, Summary};
use crate::measure::{Quantity, metric};
use crate::scenario::experiment as spec;
use crate::scenario::source::{Named, Spanned};
use crate::scenario::tree::Node;
use crate::scenario::{Scenario, matches};
use crate::system::plan::Timing;

/// Draws all charts of an experiment into its folder, as SVG and PNG.
///
/// # Errors
/// When a file cannot be written or a chart cannot be drawn.
pub fn draw(folder: &Path, scenario: &Scenario, results: &Results) -> io::Result<()> {
    // As they are after `--set`; the same at every point.
    let charts = results.points.first().map_or(&[][..], |point| &point.experiment.charts);
    for (number, wanted) in charts.iter().enumerate() {
        let (name, chart) = one(scenario, results, &wanted.value);
        let title = format!("{}{}", chart.title, only(scenario, &wanted.value));
        let chart = Chart { title, subtitle: scenario.experiment.lesson.clone().unwrap_or_default(), ..chart };
        let name = format!("charts/{:02}-{name}", number + 1);
        put(folder, &format!("{name}.svg"), chart::svg(&chart).map_err(io::Error::other)?.as_bytes())?;
        put(folder, &format!("{name}.png"), &chart::png(&chart).map_err(io::Error::other)?)?;
    }
    Ok(())
}

/// What a chart is drawn of, for its title: the values that its `where` leaves, and the first ones of the axes that it does
/// not show, ` (variant usl, count 10)`.
fn only(scenario: &Scenario, chart: &spec::Chart) -> String {
    let by = match chart {
        spec::Chart::Timeline(it) => it.by.as_ref(),
        spec::Chart::Distribution(it) => it.by.as_ref(),
        spec::Chart::Bars(it) => it.by.as_ref(),
        spec::Chart::Load(_) | spec::Chart::Latency(_) | spec::Chart::Breakers(_) => None,
    };
    let first_is_shown = matches!(chart, spec::Chart::Bars(it) if it.by.is_none());
    let axes = scenario.axes.iter().enumerate().filter(|(number, axis)| {
        by.is_none_or(|by| by.value != axis.name) && !(first_is_shown && *number == 0) && axis.values.len() > 1
    });
    let values: Vec<String> = axes
        .map(|(_, axis)| {
            let asked = chart.filter().get(&axis.name);
            let label = asked.map_or_else(
                || axis.values[0].label.clone(),
                |value| value.as_str().map_or_else(|| value.label(), str::to_owned),
            );
            format!("{} {label}", axis.name)
        })
        .collect();
    if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) }
}

fn unit(name: &str) -> Unit {
    match metric(name).map(|it| it.quantity) {
        Some(Quantity::Seconds) => Unit::Seconds,
        Some(Quantity::PerSecond) => Unit::PerSecond,
        Some(Quantity::Share) => Unit::Share,
        Some(Quantity::Count) => Unit::Count,
        Some(Quantity::Factor) => Unit::Factor,
        None => Unit::Plain,
    }
}

fn axis(label: &str, unit: Unit) -> Axis {
    Axis { label: label.to_owned(), unit, log: false, from_zero: true }
}

/// The axis of a metric, with its meaning: charts travel without the manual.
fn measured(name: &str) -> Axis {
    let meaning = metric(name).map_or("", |it| it.meaning).split(['.', ';', ':']).next().unwrap_or("");
    axis(meaning, unit(name))
}

fn time_axis() -> Axis {
    axis("time", Unit::Seconds)
}

/// The points that a filter leaves; with an axis, one for each of its values, the other axes at their first value.
fn chosen<'a>(
    scenario: &Scenario,
    results: &'a Results,
    filter: &Named<Node>,
    by: Option<&Spanned<String>>,
) -> Vec<(String, &'a PointResult)> {
    let axis = by.and_then(|name| scenario.axes.iter().position(|it| it.name == name.value));
    let mut taken: Vec<(String, &PointResult)> = Vec::new();
    for point in results.points.iter().filter(|point| matches(scenario, &point.point, filter)) {
        let label = axis.map_or_else(String::new, |axis| {
            let it = &scenario.axes[axis];
            let value = &it.values[point.point.values[axis]].label;
            if it.name == "variant" { value.clone() } else { format!("{} {value}", it.name) }
        });
        if !taken.iter().any(|(other, _)| *other == label) {
            taken.push((label, point));
        }
    }
    taken
}

fn shades(point: Option<&PointResult>) -> Vec<Shade> {
    let Some(point) = point else { return Vec::new() };
    let planned = point.plan.faults.iter().filter_map(|fault| match &fault.timing {
        Timing::Planned(times) => Some((fault, times)),
        Timing::Random { .. } => None,
    });
    planned
        .flat_map(|(fault, times)| {
            times.iter().map(|(from, until)| Shade {
                from: from.as_secs(),
                to: until.as_secs(),
                label: fault.name.clone(),
            })
        })
        .collect()
}

/// The time of a run, so that silence at its end is seen as such.
fn span(point: Option<&PointResult>) -> Option<(f64, f64)> {
    point.map(|point| (0.0, point.plan.schedule.length.as_secs()))
}

/// The interval around a mean: no metric is below zero and no share above one, whatever a symmetric interval says.
fn interval(summary: &Summary, metric: &str) -> (f64, f64) {
    let most = if unit(metric) == Unit::Share { 1.0 } else { f64::INFINITY };
    (summary.low.clamp(0.0, most), summary.high.clamp(0.0, most))
}

/// The mean over seeds of a time line, with its interval.
fn line(name: String, point: &PointResult, entity: &str, metric: &str, emphasis: Emphasis) -> Series {
    let lines: Vec<Vec<(f64, f64)>> = point.runs.iter().filter_map(|run| run.line(entity, metric)).collect();
    let steps = lines.iter().map(Vec::len).min().unwrap_or(0);
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for step in 0..steps {
        // A value belongs to the whole step: its middle, so that nothing seems to happen before its cause.
        let time = lines[0][step].0 + point.runs[0].steps[step] / 2.0;
        let values: Vec<f64> = lines.iter().map(|line| line[step].1).collect();
        let summary = Summary::of(&values);
        points.push((time, summary.mean));
        // Where there is no interval the band has a gap.
        let (low, high) = if summary.n > 1 { interval(&summary, metric) } else { (f64::NAN, f64::NAN) };
        band.push((time, low, high));
    }
    Series { name, points, band: (lines.len() > 1).then_some(band), emphasis }
}

fn entities(named: &[Spanned<String>], results: &Results) -> Vec<String> {
    if named.is_empty() {
        let clients = results.points.first().map_or(&[][..], |point| &point.plan.clients);
        return clients.iter().take(1).map(|client| format!("client/{}", client.name)).collect();
    }
    named.iter().map(|name| name.value.clone()).collect()
}

fn one(scenario: &Scenario, results: &Results, wanted: &spec::Chart) -> (String, Chart) {
    let file = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "-");
    let chart = |title: String, kind: Kind| Chart { title, subtitle: String::new(), kind };
    match wanted {
        spec::Chart::Timeline(it) => {
            let points = chosen(scenario, results, &it.filter, it.by.as_ref());
            let of = entities(&it.of, results);
            let mut series = Vec::new();
            for (label, point) in points.iter().take(if it.by.is_some() { usize::MAX } else { 1 }) {
                for entity in &of {
                    let name = match (label.is_empty(), of.len()) {
                        (true, _) => entity.clone(),
                        (false, 1) => label.clone(),
                        _ => format!("{label}, {entity}"),
                    };
                    series.push(line(name, point, entity, &it.metric, Emphasis::Normal));
                }
            }
            let kind = Kind::Lines {
                series,
                shades: shades(points.first().map(|it| it.1)),
                x: time_axis(),
                span: span(points.first().map(|it| it.1)),
                y: measured(&it.metric),
            };
            (format!("timeline-{}", file(&it.metric)), chart(format!("{} of {}", it.metric.value, of.join(", ")), kind))
        }
        spec::Chart::Load(it) => {
            let of = entities(it.of.as_slice(), results);
            let points = chosen(scenario, results, &it.filter, None);
            let series = points.first().map_or_else(Vec::new, |(_, point)| {
                vec![
                    line("offered".into(), point, &of[0], "offered", Emphasis::Faint),
                    line("attempts".into(), point, &of[0], "attempts", Emphasis::Normal),
                    line("goodput".into(), point, &of[0], "goodput", Emphasis::Normal),
                ]
            });
            let shades = shades(points.first().map(|it| it.1));
            let kind = Kind::Lines {
                series,
                shades,
                x: time_axis(),
                span: span(points.first().map(|it| it.1)),
                y: axis("requests", Unit::PerSecond),
            };
            (format!("load-{}", file(&of[0])), chart(format!("Load and goodput of {}", of[0]), kind))
        }
        spec::Chart::Latency(it) => {
            let of = entities(it.of.as_slice(), results);
            let points = chosen(scenario, results, &it.filter, None);
            let series = points.first().map_or_else(Vec::new, |(_, point)| {
                ["latency.p50", "latency.p99"]
                    .map(|name| line(name.into(), point, &of[0], name, Emphasis::Normal))
                    .to_vec()
            });
            let shades = shades(points.first().map(|it| it.1));
            let kind = Kind::Lines {
                series,
                shades,
                x: time_axis(),
                span: span(points.first().map(|it| it.1)),
                y: axis("latency", Unit::Seconds),
            };
            (format!("latency-{}", file(&of[0])), chart(format!("Latency of answered requests of {}", of[0]), kind))
        }
        spec::Chart::Breakers(it) => {
            let points = chosen(scenario, results, &it.filter, None);
            let rows = points.first().map_or_else(Vec::new, |(_, point)| strips(point));
            let kind = Kind::Strips {
                rows,
                shades: shades(points.first().map(|it| it.1)),
                x: time_axis(),
                strip_legend: ["closed".into(), "open".into(), "half-open or some open".into()],
            };
            ("breakers".into(), chart("Positions of the breakers, first seed".into(), kind))
        }
        spec::Chart::Distribution(it) => {
            let of = entities(it.of.as_slice(), results);
            let points = chosen(scenario, results, &it.filter, it.by.as_ref());
            let series = points.iter().take(if it.by.is_some() { usize::MAX } else { 1 }).map(|(label, point)| {
                let tail = point.runs.first().and_then(|run| run.tails.iter().find(|tail| tail.0 == of[0]));
                Series {
                    name: if label.is_empty() { of[0].clone() } else { label.clone() },
                    points: tail.map_or_else(Vec::new, |tail| tail.1.clone()),
                    band: None,
                    emphasis: Emphasis::Normal,
                }
            });
            let log = |label: &str, unit: Unit| Axis { log: true, from_zero: false, ..axis(label, unit) };
            let kind = Kind::Distribution {
                series: series.collect(),
                x: log("latency", Unit::Seconds),
                y: log("share that took longer", Unit::Plain),
            };
            ("distribution".into(), chart(format!("Latency of answered requests of {}, first seed", of[0]), kind))
        }
        spec::Chart::Bars(it) => {
            let of = entities(&it.of, results);
            let first_axis = scenario.axes.first().map(|axis| Spanned::from(axis.name.clone()));
            let by = it.by.as_ref().or(first_axis.as_ref());
            let points = chosen(scenario, results, &it.filter, by);
            let window = it.window.as_ref().map_or("all", |window| window.value.as_str());
            let groups = points.iter().map(|(label, point)| BarGroup {
                name: label.clone(),
                bars: of
                    .iter()
                    .map(|entity| {
                        let value = |run: &crate::measure::Run| run.value(&point.plan, window, entity, &it.metric);
                        let values: Vec<f64> = point.runs.iter().filter_map(value).collect();
                        let sum = Summary::of(&values);
                        let (low, high) = if sum.n > 1 { interval(&sum, &it.metric) } else { (sum.mean, sum.mean) };
                        Bar { name: entity.clone(), value: sum.mean, low, high }
                    })
                    .collect(),
            });
            let kind = Kind::Bars {
                groups: groups.collect(),
                x: by.map_or_else(String::new, |name| name.value.clone()),
                y: measured(&it.metric),
                infinite: "never".into(),
            };
            let title = format!("{} of {}, window {window}", it.metric.value, of.join(", "));
            (format!("bars-{}", file(&it.metric)), chart(title, kind))
        }
    }
}

fn strips(point: &PointResult) -> Vec<Strip> {
    let end = point.plan.schedule.length.as_secs();
    let strips = point.runs.first().map_or(&[][..], |run| &run.strips);
    let state = |of: u32, open: u32, half_open: u32| match (open, half_open) {
        (0, 0) => StripState::Good,
        (open, _) if open == of => StripState::Bad,
        _ => StripState::Between,
    };
    let strip = |strip: &crate::measure::Strip| Strip {
        name: strip.entity.trim_start_matches("breaker/").to_owned(),
        spans: strip
            .moves
            .iter()
            .zip(strip.moves.iter().skip(1).map(|it| it.0).chain([end]))
            .map(|(&(from, of, open, half), to)| (from, to, state(of, open, half)))
            .filter(|span| span.1 > span.0)
            .collect(),
    };
    strips.iter().map(strip).collect()
}
