//! The charts: each as a picture, in words, and as data for the script, which makes of it one to look into.
//!
//! Whatever kind a chart is of, its picture is there; kinds that the script does not know stay pictures.

use std::fmt::Write as _;

use super::markup::{capital, count, escape};
use super::{Page, Section, json};
use crate::report::chart::{Axis, BarGroup, Emphasis, Kind, Series, Shade, Strip, StripState, Unit};
use crate::report::draw::Drawn;

/// The largest picture, and the most of all pictures together, in bytes. What is larger stays in its file.
const LARGEST: usize = 400_000;
const MOST: usize = 2_000_000;

/// The most numbers of a chart that are put into the page as data. A chart of more stays a picture.
const MOST_NUMBERS: usize = 60_000;

/// Series, rows or groups that are told in words.
const MOST_TOLD: usize = 12;

pub fn section(page: &Page) -> Option<Section> {
    if page.charts.is_empty() {
        return None;
    }
    let mut room = MOST;
    let mut body = String::from(
        "<p class=\"only-script soft\">Point at a chart for its values, drag across it to zoom in, double-click to zoom out. With the \
         keyboard: Tab to a chart, then the arrow keys.</p>\n",
    );
    for (number, drawn) in page.charts.iter().enumerate() {
        body.push_str(&figure(number + 1, drawn, &mut room));
    }
    Some(Section { id: "charts", heading: "Charts", body })
}

fn figure(number: usize, drawn: &Drawn, room: &mut usize) -> String {
    let Drawn { name, chart, svg } = drawn;
    let title = escape(&chart.title);
    let words = escape(&in_words(&chart.kind));
    let words = if words.is_empty() {
        words
    } else {
        format!("<p class=\"in-words\" id=\"chart-{number}-words\">{words}</p>\n")
    };
    let described =
        if words.is_empty() { String::new() } else { format!(" aria-describedby=\"chart-{number}-words\"") };
    let head = format!(
        "<figure class=\"chart\" id=\"chart-{number}\" aria-labelledby=\"chart-{number}-title\"{described}>\n\
         <h3 id=\"chart-{number}-title\">{title}</h3>\n"
    );
    if svg.len() > LARGEST.min(*room) {
        return format!(
            "{head}<p>This chart is too large for a page. It is in <code>charts/{}.svg</code>.</p>\n</figure>\n",
            escape(name)
        );
    }
    *room -= svg.len();
    let data = data(&chart.kind).map_or_else(String::new, |data| json::element(&format!("chart-{number}-data"), &data));
    format!("{head}{words}<div class=\"picture\">\n{svg}</div>\n{data}</figure>\n")
}

/// The chart as data, if the script knows its kind and it is not too large.
fn data(kind: &Kind) -> Option<String> {
    if let Kind::Lines { series, shades, x, span, y } = kind {
        let span =
            span.map_or_else(|| "null".into(), |(from, to)| json::list([from, to].map(|it| json::number(it, 9))));
        return lines(series, &[("shades", shaded(shades)), ("x", axis(x)), ("span", span), ("y", axis(y))]);
    }
    if let Kind::Distribution { series, x, y } = kind {
        let series: Vec<Series> =
            series.iter().map(|it| Series { points: thinned(&it.points), ..it.clone() }).collect();
        return lines(&series, &[("x", axis(x)), ("y", axis(y))]);
    }
    if let Kind::Bars { groups, x, y, infinite } = kind {
        return Some(bars(groups, x, y, infinite));
    }
    if let Kind::Strips { rows, shades, x, strip_legend } = kind {
        return Some(strips(rows, shades, x, strip_legend));
    }
    None
}

/// A distribution without the points that lie within a hair of their neighbours: 1 % of the value, and 3 % of the share.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (place, point) in points.iter().enumerate() {
        let near = kept.last().is_some_and(|last| point.0 < last.0 * 1.01 && point.1 > last.1 * 0.97);
        if !near || place + 1 == points.len() {
            kept.push(*point);
        }
    }
    kept
}

pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "seconds",
        Unit::PerSecond => "per_second",
        Unit::Share => "share",
        Unit::Count => "count",
        Unit::Factor => "factor",
        Unit::Plain => "plain",
    }
}

fn axis(axis: &Axis) -> String {
    json::object(&[
        ("label", json::text(&axis.label)),
        ("unit", json::text(unit(axis.unit))),
        ("log", axis.log.to_string()),
        ("zero", axis.from_zero.to_string()),
    ])
}

fn shaded(shades: &[Shade]) -> String {
    let one = |it: &Shade| json::list([json::number(it.from, 9), json::number(it.to, 9), json::text(&it.label)]);
    json::list(shades.iter().map(one))
}

fn lines(series: &[Series], rest: &[(&str, String)]) -> Option<String> {
    let numbers = |it: &Series| it.points.len() * 2 + it.band.as_ref().map_or(0, |band| band.len() * 2);
    if series.iter().map(numbers).sum::<usize>() > MOST_NUMBERS {
        return None;
    }
    let one = |it: &Series| {
        let mut pairs = vec![
            ("name", json::text(&it.name)),
            ("faint", (it.emphasis == Emphasis::Faint).to_string()),
            ("x", json::list(it.points.iter().map(|point| json::number(point.0, 7)))),
            ("y", json::list(it.points.iter().map(|point| json::number(point.1, 5)))),
        ];
        // A band that goes by other places than its line could not be read off.
        let band = it.band.as_ref().filter(|band| {
            band.len() == it.points.len() && band.iter().zip(&it.points).all(|(band, point)| band.0 == point.0)
        });
        if let Some(band) = band {
            pairs.push(("low", json::list(band.iter().map(|it| json::number(it.1, 5)))));
            pairs.push(("high", json::list(band.iter().map(|it| json::number(it.2, 5)))));
        }
        json::object(&pairs)
    };
    let mut pairs = vec![("kind", json::text("lines")), ("series", json::list(series.iter().map(one)))];
    pairs.extend(rest.iter().map(|(name, value)| (*name, value.clone())));
    Some(json::object(&pairs))
}

fn bars(groups: &[BarGroup], x: &str, y: &Axis, infinite: &str) -> String {
    let one = |group: &BarGroup| {
        let bars = group.bars.iter().map(|bar| {
            let figures = [bar.value, bar.low, bar.high].map(|it| json::number(it, 5));
            json::list(std::iter::once(json::text(&bar.name)).chain(figures))
        });
        json::object(&[("name", json::text(&group.name)), ("bars", json::list(bars))])
    };
    json::object(&[
        ("kind", json::text("bars")),
        ("groups", json::list(groups.iter().map(one))),
        ("x", json::text(x)),
        ("y", axis(y)),
        ("infinite", json::text(infinite)),
    ])
}

fn strips(rows: &[Strip], shades: &[Shade], x: &Axis, legend: &[String; 3]) -> String {
    let state = |state: StripState| match state {
        StripState::Good => "0",
        StripState::Bad => "1",
        StripState::Between => "2",
    };
    let one = |row: &Strip| {
        let spans = row
            .spans
            .iter()
            .map(|(from, to, it)| json::list([json::number(*from, 9), json::number(*to, 9), state(*it).to_owned()]));
        json::object(&[("name", json::text(&row.name)), ("spans", json::list(spans))])
    };
    json::object(&[
        ("kind", json::text("strips")),
        ("rows", json::list(rows.iter().map(one))),
        ("shades", shaded(shades)),
        ("x", axis(x)),
        ("states", json::list(legend.iter().map(|it| json::text(it)))),
    ])
}

/// What is to be seen, for those who cannot see it. Empty for a kind that nothing is known of.
fn in_words(kind: &Kind) -> String {
    if let Kind::Lines { series, shades, x, y, .. } = kind {
        let mut text = format!("{} of {} over {}.", capital(&count(series.len(), "line")), y.label, x.label);
        let named = shades.iter().take(MOST_TOLD);
        let named = named.map(|it| format!("{} from {} to {}", it.label, x.unit.show(it.from), x.unit.show(it.to)));
        if !shades.is_empty() {
            let _ = write!(text, " Shaded: {}.", named.collect::<Vec<_>>().join("; "));
        }
        return told(text, series, |it| line(it, x, y));
    }
    if let Kind::Distribution { series, x, y } = kind {
        return told(format!("Distributions of {}: the {}.", x.label, y.label), series, |it| tail(it, x));
    }
    if let Kind::Bars { groups, y, infinite, .. } = kind {
        return told(format!("Bars of {}.", y.label), groups, |it| group(it, y, infinite));
    }
    if let Kind::Strips { rows, strip_legend, .. } = kind {
        return told("States over time.".to_owned(), rows, |it| row(it, &strip_legend[1]));
    }
    String::new()
}

/// The first of many things, a sentence each, behind what is said of all.
fn told<T>(mut text: String, things: &[T], one: impl Fn(&T) -> String) -> String {
    for thing in things.iter().take(MOST_TOLD) {
        let _ = write!(text, " {}.", one(thing));
    }
    if things.len() > MOST_TOLD {
        let _ = write!(text, " And {} more.", things.len() - MOST_TOLD);
    }
    text
}

fn group(group: &BarGroup, y: &Axis, infinite: &str) -> String {
    let bars = group.bars.iter().map(|bar| {
        let value = if bar.value == f64::INFINITY { infinite.to_owned() } else { y.unit.show(bar.value) };
        let interval = if bar.low < bar.high {
            format!(" (from {} to {})", y.unit.show(bar.low), y.unit.show(bar.high))
        } else {
            String::new()
        };
        format!("{} {value}{interval}", bar.name)
    });
    format!("{}: {}", group.name, bars.collect::<Vec<_>>().join(", "))
}

fn row(row: &Strip, bad: &str) -> String {
    let spans = || row.spans.iter().filter(|span| span.2 == StripState::Bad);
    let seconds = spans().map(|(from, to, _)| to - from).sum::<f64>();
    format!("{}: {bad} {}, {} in all", row.name, count(spans().count(), "time"), Unit::Seconds.show(seconds))
}

fn line(series: &Series, x: &Axis, y: &Axis) -> String {
    let finite = || series.points.iter().filter(|point| point.1.is_finite());
    let (Some(first), Some(last)) = (finite().next(), finite().next_back()) else {
        return format!("{}: no values", series.name);
    };
    let lowest = finite().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(first);
    let highest = finite().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(first);
    let at = |(place, value): &(f64, f64)| format!("{} at {}", y.unit.show(*value), x.unit.show(*place));
    let [begins, ends] = [first, last].map(|it| y.unit.show(it.1));
    format!("{}: begins with {begins}, lowest {}, highest {}, ends with {ends}", series.name, at(lowest), at(highest))
}

fn tail(series: &Series, x: &Axis) -> String {
    let beyond = |share: f64| series.points.iter().find(|point| point.1 <= share).map(|point| x.unit.show(point.0));
    match (beyond(0.5), beyond(0.01)) {
        (Some(half), Some(last)) => format!("{}: one half below {half}, 99 of 100 below {last}", series.name),
        (Some(half), None) => format!("{}: one half below {half}", series.name),
        _ => format!("{}: no values", series.name),
    }
}
