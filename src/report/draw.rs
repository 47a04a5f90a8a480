//! The charts that an experiment asks for, from its results.

mod hysteresis;
mod parts;
mod sweep;
mod waterfall;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::chart::{self, Axis, Bar, BarGroup, Chart, Emphasis, Kind, Series, Shade, Strip, StripState, Unit};
use super::tables::put;
use crate::experiment::{PointResult, Summary};
use crate::measure::trace::Trace;
use crate::measure::{Quantity, metric};
use crate::scenario::experiment as spec;
use crate::scenario::source::Spanned;
use crate::scenario::{Scenario, matches};
use crate::system::plan::{Plan, Timing};

/// Of what charts are drawn.
pub struct Source<'a> {
    /// What was run.
    pub scenario: &'a Scenario,
    /// The plan of the first point.
    pub plan: &'a Plan,
    /// The charts.
    pub charts: &'a [Spanned<spec::Chart>],
    /// A point with its runs, by its number: one of those that are [`shown`]. Points are asked for one after the other, and
    /// only what is drawn of them is kept.
    pub point: &'a dyn Fn(usize) -> io::Result<PointResult>,
}

/// The numbers of the points that charts show.
#[must_use]
pub fn shown(scenario: &Scenario, charts: &[Spanned<spec::Chart>]) -> BTreeSet<usize> {
    charts.iter().flat_map(|chart| cells(scenario, &chart.value)).map(|(_, number)| number).collect()
}

/// A chart that was drawn.
#[derive(Debug)]
pub struct Drawn {
    /// The name of its files, without the ending.
    pub name: String,
    /// What is drawn.
    pub chart: Chart,
    /// The picture.
    pub svg: String,
}

/// Draws all charts of an experiment into its folder, as SVG and PNG.
///
/// # Errors
/// When a file cannot be written or a chart cannot be drawn.
pub fn draw(folder: &Path, source: &Source) -> io::Result<Vec<Drawn>> {
    let scenario = source.scenario;
    let mut all = Vec::new();
    for (number, wanted) in source.charts.iter().enumerate() {
        let (name, chart) = one(source, &wanted.value)?;
        let title = format!("{}{}", chart.title, only(scenario, &wanted.value));
        let chart = Chart { title, subtitle: scenario.experiment.lesson.clone().unwrap_or_default(), ..chart };
        all.push(into_files(folder, format!("{:02}-{name}", number + 1), chart)?);
    }
    Ok(all)
}

/// Draws the slowest request of a point that was followed, as a waterfall, into the folder of results; nothing if none was.
///
/// # Errors
/// When a file cannot be written or the chart cannot be drawn.
pub fn waterfall(folder: &Path, scenario: &Scenario, point: usize, trace: &Trace) -> io::Result<Option<Drawn>> {
    let Some((title, kind)) = waterfall::draw(trace) else { return Ok(None) };
    let place = super::words::place(scenario, point);
    let title = if place.is_empty() { title } else { format!("{title} ({})", place.trim_end_matches(": ")) };
    into_files(folder, format!("00-waterfall-point-{point}"), Chart { title, subtitle: String::new(), kind }).map(Some)
}

/// The parts of a system and who calls whom, as a picture alone.
///
/// # Errors
/// When it cannot be drawn.
pub fn topology(plan: &Plan) -> io::Result<String> {
    let chart = Chart { title: "Who calls whom".to_owned(), subtitle: String::new(), kind: parts::topology(plan) };
    chart::svg(&chart).map_err(io::Error::other)
}

fn into_files(folder: &Path, name: String, chart: Chart) -> io::Result<Drawn> {
    let svg = picture(folder, &name, &chart)?;
    Ok(Drawn { name, chart, svg })
}

/// Writes a chart as SVG, which is returned, and as PNG.
pub(super) fn picture(folder: &Path, name: &str, chart: &Chart) -> io::Result<String> {
    let svg = chart::svg(chart).map_err(io::Error::other)?;
    put(folder, &format!("charts/{name}.svg"), svg.as_bytes())?;
    put(folder, &format!("charts/{name}.png"), &chart::png(chart).map_err(io::Error::other)?)?;
    Ok(svg)
}

/// What a chart is drawn of, for its title: the values that its `where` leaves, and the first ones of the axes that it does
/// not show, ` (variant usl, count 10)`.
fn only(scenario: &Scenario, chart: &spec::Chart) -> String {
    let shown = axes_of(scenario, chart);
    let axes =
        scenario.axes.iter().enumerate().filter(|(number, axis)| !shown.contains(number) && axis.values.len() > 1);
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

pub(super) fn unit(name: &str) -> Unit {
    metric(name).map_or(Unit::Plain, |it| unit_of(it.quantity))
}

/// How the numbers of a quantity are written.
pub(super) fn unit_of(quantity: Quantity) -> Unit {
    match quantity {
        Quantity::Seconds => Unit::Seconds,
        Quantity::PerSecond => Unit::PerSecond,
        Quantity::Share => Unit::Share,
        Quantity::Count => Unit::Count,
        Quantity::Factor => Unit::Factor,
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

/// The axes of whose values a chart shows one point each, by their numbers.
fn axes_of(scenario: &Scenario, chart: &spec::Chart) -> Vec<usize> {
    let names = match chart {
        spec::Chart::Bars(it) if it.by.is_none() => return (0..scenario.axes.len().min(1)).collect(),
        spec::Chart::Timeline(it) => vec![it.by.as_ref()],
        spec::Chart::Distribution(it) => vec![it.by.as_ref()],
        spec::Chart::Bars(it) => vec![it.by.as_ref()],
        spec::Chart::Curve(it) => vec![it.by.as_ref(), Some(&it.over)],
        spec::Chart::Heat(it) => vec![Some(&it.x), Some(&it.y)],
        spec::Chart::Spread(it) => vec![it.by.as_ref()],
        spec::Chart::Load(_)
        | spec::Chart::Latency(_)
        | spec::Chart::Breakers(_)
        | spec::Chart::Hysteresis(_)
        | spec::Chart::Flow(_)
        | spec::Chart::Replicas(_) => Vec::new(),
    };
    let number = |name: &Spanned<String>| scenario.axes.iter().position(|it| it.name == name.value);
    names.into_iter().flatten().filter_map(number).collect()
}

/// The points that a chart shows, by their numbers, with the numbers of their values on the axes that it shows: the first of those
/// that its `where` leaves for each combination of values, the other axes at their first value.
fn cells(scenario: &Scenario, chart: &spec::Chart) -> Vec<(Vec<usize>, usize)> {
    let axes = axes_of(scenario, chart);
    let mut seen = BTreeSet::new();
    let mut taken = Vec::new();
    for number in 0..scenario.count() {
        let point = scenario.point(number);
        if !matches(scenario, &point, chart.filter()) {
            continue;
        }
        let values: Vec<usize> = axes.iter().map(|&axis| point.values[axis]).collect();
        if seen.insert(values.clone()) {
            taken.push((values, number));
        }
        if axes.is_empty() {
            break;
        }
    }
    taken
}

/// What a line or a bar for the value of an axis is called.
fn label(scenario: &Scenario, axis: usize, value: usize) -> String {
    let it = &scenario.axes[axis];
    let value = &it.values[value].label;
    if it.name == "variant" { value.clone() } else { format!("{} {value}", it.name) }
}

/// The points that a chart shows, with the labels of their lines or bars.
fn chosen(scenario: &Scenario, chart: &spec::Chart) -> Vec<(String, usize)> {
    let axis = axes_of(scenario, chart).first().copied();
    let named = |(values, number): (Vec<usize>, usize)| {
        (axis.map_or_else(String::new, |axis| label(scenario, axis, values[0])), number)
    };
    cells(scenario, chart).into_iter().map(named).collect()
}

/// The mean of a metric over the seeds at a point, with its interval.
fn mean(point: &PointResult, window: &str, entity: &str, metric: &str) -> (f64, f64, f64) {
    let value = |run: &crate::measure::Run| run.value(&point.plan, window, entity, metric);
    let values: Vec<f64> = point.runs.iter().filter_map(value).collect();
    let sum = Summary::of(&values);
    let (low, high) = if sum.n > 1 { interval(&sum, metric) } else { (sum.mean, sum.mean) };
    (sum.mean, low, high)
}

/// The window that was asked for, or all that counts.
fn window(asked: Option<&Spanned<String>>) -> &str {
    asked.map_or("all", |window| window.value.as_str())
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

fn entities(named: &[Spanned<String>], first: &Plan) -> Vec<String> {
    if named.is_empty() {
        return first.clients.iter().take(1).map(|client| format!("client/{}", client.name)).collect();
    }
    named.iter().map(|name| name.value.clone()).collect()
}

/// The lines of a chart, over time: `of_point` makes those of a point that is shown, from its label.
fn lines(
    source: &Source,
    wanted: &spec::Chart,
    y: Axis,
    of_point: impl Fn(&str, &PointResult) -> Vec<Series>,
) -> io::Result<Kind> {
    let (mut series, mut shaded, mut lasts) = (Vec::new(), None, None);
    for (label, number) in chosen(source.scenario, wanted) {
        let point = (source.point)(number)?;
        shaded.get_or_insert_with(|| shades(Some(&point)));
        lasts = lasts.or_else(|| span(Some(&point)));
        series.extend(of_point(&label, &point));
    }
    Ok(Kind::Lines { series, shades: shaded.unwrap_or_default(), x: time_axis(), span: lasts, y })
}

fn one(source: &Source, wanted: &spec::Chart) -> io::Result<(String, Chart)> {
    let scenario = source.scenario;
    let file = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_', "-");
    let chart = |title: String, kind: Kind| Chart { title, subtitle: String::new(), kind };
    Ok(match wanted {
        spec::Chart::Timeline(it) => {
            let of = entities(&it.of, source.plan);
            let kind = lines(source, wanted, measured(&it.metric), |label, point| {
                let name = |entity: &String| match (label.is_empty(), of.len()) {
                    (true, _) => entity.clone(),
                    (false, 1) => label.to_owned(),
                    _ => format!("{label}, {entity}"),
                };
                let series = |entity| line(name(entity), point, entity, &it.metric, Emphasis::Normal);
                of.iter().map(series).collect()
            })?;
            (format!("timeline-{}", file(&it.metric)), chart(format!("{} of {}", it.metric.value, of.join(", ")), kind))
        }
        spec::Chart::Load(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let kind = lines(source, wanted, axis("requests", Unit::PerSecond), |_, point| {
                vec![
                    line("offered".into(), point, &of[0], "offered", Emphasis::Faint),
                    line("attempts".into(), point, &of[0], "attempts", Emphasis::Normal),
                    line("goodput".into(), point, &of[0], "goodput", Emphasis::Normal),
                ]
            })?;
            (format!("load-{}", file(&of[0])), chart(format!("Load and goodput of {}", of[0]), kind))
        }
        spec::Chart::Latency(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let kind = lines(source, wanted, axis("latency", Unit::Seconds), |_, point| {
                ["latency.p50", "latency.p99"]
                    .map(|name| line(name.into(), point, &of[0], name, Emphasis::Normal))
                    .to_vec()
            })?;
            (format!("latency-{}", file(&of[0])), chart(format!("Latency of answered requests of {}", of[0]), kind))
        }
        spec::Chart::Breakers(_) => {
            let first = chosen(scenario, wanted).first().map(|&(_, number)| (source.point)(number)).transpose()?;
            let kind = Kind::Strips {
                rows: first.as_ref().map_or_else(Vec::new, strips),
                shades: shades(first.as_ref()),
                x: time_axis(),
                strip_legend: ["closed".into(), "open".into(), "half-open or some open".into()],
            };
            ("breakers".into(), chart("Positions of the breakers, first seed".into(), kind))
        }
        spec::Chart::Distribution(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let mut series = Vec::new();
            for (label, number) in chosen(scenario, wanted) {
                let point = (source.point)(number)?;
                let tail = point.runs.first().and_then(|run| run.tails.iter().find(|tail| tail.0 == of[0]));
                series.push(Series {
                    name: if label.is_empty() { of[0].clone() } else { label },
                    points: tail.map_or_else(Vec::new, |tail| tail.1.clone()),
                    band: None,
                    emphasis: Emphasis::Normal,
                });
            }
            let log = |label: &str, unit: Unit| Axis { log: true, from_zero: false, ..axis(label, unit) };
            let kind = if it.cumulative {
                for line in &mut series {
                    line.points.iter_mut().for_each(|point| point.1 = 1.0 - point.1);
                }
                let y = "share that took no longer".to_owned();
                Kind::Cumulative { series, x: log("latency", Unit::Seconds), y }
            } else {
                Kind::Distribution {
                    series,
                    x: log("latency", Unit::Seconds),
                    y: log("share that took longer", Unit::Plain),
                }
            };
            ("distribution".into(), chart(format!("Latency of answered requests of {}, first seed", of[0]), kind))
        }
        spec::Chart::Bars(it) => {
            let of = entities(&it.of, source.plan);
            let window = window(it.window.as_ref());
            let mut groups = Vec::new();
            for (name, number) in chosen(scenario, wanted) {
                let point = (source.point)(number)?;
                let bar = |entity: &String| {
                    let (value, low, high) = mean(&point, window, entity, &it.metric);
                    Bar { name: entity.clone(), value, low, high }
                };
                groups.push(BarGroup { name, bars: of.iter().map(bar).collect() });
            }
            let kind = Kind::Bars {
                groups,
                x: axes_of(scenario, wanted).first().map_or_else(String::new, |&axis| scenario.axes[axis].name.clone()),
                y: measured(&it.metric),
                infinite: "never".into(),
            };
            let title = format!("{} of {}, window {window}", it.metric.value, of.join(", "));
            (format!("bars-{}", file(&it.metric)), chart(title, kind))
        }
        spec::Chart::Curve(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let title = format!("{} of {}, window {}", it.metric.value, of[0], window(it.window.as_ref()));
            (format!("curve-{}", file(&it.metric)), chart(title, sweep::curve(source, wanted, it, &of[0])?))
        }
        spec::Chart::Heat(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let title = format!("{} of {}, window {}", it.metric.value, of[0], window(it.window.as_ref()));
            (format!("heat-{}", file(&it.metric)), chart(title, sweep::heat(source, wanted, it, &of[0])?))
        }
        spec::Chart::Spread(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let title = format!("{} of {}, run by run, window {}", it.metric.value, of[0], window(it.window.as_ref()));
            (format!("spread-{}", file(&it.metric)), chart(title, sweep::spread(source, wanted, it, &of[0])?))
        }
        spec::Chart::Hysteresis(it) => {
            let of = entities(it.of.as_slice(), source.plan);
            let against = it.against.as_ref().map_or("offered", |against| against.value.as_str());
            let title = format!("{} of {} as the load rises and falls", it.metric.value, of[0]);
            let kind = hysteresis::draw(source, wanted, &of[0], &it.metric, against)?;
            (format!("hysteresis-{}", file(&it.metric)), chart(title, kind))
        }
        spec::Chart::Flow(it) => {
            let window = window(it.window.as_ref());
            let title = format!("Attempts for each request, window {window}");
            ("flow".into(), chart(title, parts::flow(source, wanted, window)?))
        }
        spec::Chart::Replicas(it) => {
            let title = format!("Replicas of {}, first seed", it.of.value);
            (format!("replicas-{}", file(&it.of)), chart(title, parts::replicas(source, wanted, &it.of)?))
        }
    })
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
