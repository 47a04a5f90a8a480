//! The figures over seeds of all points: the most asked for as a table, and all that there is room for as data to explore.
//!
//! They are taken from the rows of `aggregate.csv` as these pass by, point after point. What is kept is bounded by [`MOST_FIGURES`],
//! whatever the number of points; of many points fewer figures are kept, those of clients first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;

use super::markup::{capital, count, escape, place, thousands};
use super::{Page, Section, charts, json};
use crate::experiment::statistics::digits;
use crate::experiment::{Summary, numbers};
use crate::measure::{Quantity, metric};
use crate::report::draw::{unit, unit_of};
use crate::scenario::Scenario;

/// Figures, each a mean and its interval, that are kept at most: some ten bytes each in the page.
const MOST_FIGURES: usize = 250_000;

/// Points at most whose figures are in the page. Of more, the tables are for programs.
const MOST_POINTS: usize = 10_000;

/// Points in the table that is there without scripts.
const MOST_ROWS: usize = 60;

/// The metrics of that table, and its headings.
const KEY: [(&str, &str); 5] = [
    ("goodput", "Goodput"),
    ("success_rate", "Success rate"),
    ("latency.p50", "Median latency"),
    ("latency.p99", "99th percentile"),
    ("recovery_time", "Recovery time"),
];

/// The columns of `aggregate.csv` behind those of the axes.
const WINDOW: usize = 0;
const ENTITY: usize = 1;
const METRIC: usize = 2;
const MEAN: usize = 4;
const LOW: usize = 6;
const HIGH: usize = 7;

/// A mean, and half of its interval.
type Figure = (f64, f64);

/// What a figure is of: window, entity, metric.
type Of = (String, String, String);

/// The figures of all points.
#[derive(Debug)]
pub struct Figures {
    /// Columns before that of the window.
    before: usize,
    points: usize,
    /// How many figures a point may have.
    allowed: usize,
    /// Of each figure, the points that have it, in order.
    kept: BTreeMap<Of, Vec<(usize, Figure)>>,
    /// The names of windows, entities and metrics of what is kept, those that are asked for most first.
    names: [Vec<String>; 3],
    /// What there was no room for: figures of a point.
    left_out: usize,
    next: usize,
}

impl Figures {
    /// None yet.
    #[must_use]
    pub fn begin(scenario: &Scenario) -> Self {
        let points = scenario.count();
        Self {
            before: 1 + scenario.axes.len(),
            points,
            allowed: if points > MOST_POINTS { 0 } else { MOST_FIGURES / points.max(1) },
            kept: BTreeMap::new(),
            names: [const { Vec::new() }; 3],
            left_out: 0,
            next: 0,
        }
    }

    /// Takes in the rows of the next point, as they stand in `aggregate.csv`.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn append(&mut self, rows: &[u8]) -> io::Result<()> {
        let point = self.next;
        self.next += 1;
        if self.allowed == 0 {
            return Ok(());
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(rows);
        let mut new: Vec<(Of, Figure)> = Vec::new();
        for row in reader.records() {
            let row = row?;
            let text = |column: usize| row.get(self.before + column).unwrap_or_default().to_owned();
            let number = |column: usize| text(column).parse::<f64>().unwrap_or(f64::NAN);
            let half = (number(HIGH) - number(LOW)) / 2.0;
            let figure = (number(MEAN), if half.is_finite() { half } else { f64::NAN });
            let of = (text(WINDOW), text(ENTITY), text(METRIC));
            match self.kept.get_mut(&of) {
                Some(values) => values.push((point, figure)),
                None => new.push((of, figure)),
            }
        }
        new.sort_by_cached_key(|(of, _)| rank(of));
        let room = self.allowed - self.kept.len();
        self.left_out += new.len().saturating_sub(room);
        for (of, figure) in new.into_iter().take(room) {
            for (names, name) in self.names.iter_mut().zip([&of.0, &of.1, &of.2]) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            self.kept.insert(of, vec![(point, figure)]);
        }
        Ok(())
    }

    /// A figure of a point.
    fn at(&self, point: usize, of: &Of) -> Option<Figure> {
        let values = self.kept.get(of)?;
        values.binary_search_by_key(&point, |it| it.0).ok().map(|place| values[place].1)
    }
}

/// Who is asked for first: clients, then services and edges as a whole, then their windows, and last what is looked at one by one.
fn rank((window, entity, metric): &Of) -> u8 {
    let whole = window == "all";
    let asked = KEY.iter().any(|key| key.0 == metric);
    match entity.split('/').next().unwrap_or_default() {
        "client" if whole && asked => 0,
        "client" if whole => 1,
        "client" => 2,
        "service" | "edge" if whole => 3,
        "breaker" | "queue" if whole => 4,
        "service" | "edge" => 5,
        "instance" | "link" => 7,
        _ => 6,
    }
}

pub fn section(page: &Page) -> Option<Section> {
    let figures = page.figures;
    if figures.points > MOST_POINTS {
        let body = format!(
            "<p>{} are too many for a page. Their figures are in aggregate.csv.</p>\n",
            count(figures.points, "point")
        );
        return Some(Section { id: "figures", heading: "Figures", body });
    }
    if figures.kept.is_empty() {
        return None;
    }
    let mut body = key_figures(page);
    if figures.left_out > 0 {
        let _ = writeln!(
            body,
            "<p class=\"cap\">To explore here: {} of {} figures for each of {}, those of clients first. All are in aggregate.csv.</p>",
            thousands(figures.kept.len()),
            thousands(figures.kept.len() + figures.left_out.div_ceil(figures.points)),
            count(figures.points, "point"),
        );
    }
    body.push_str("<div id=\"explorer\" class=\"explorer\" hidden></div>\n");
    body.push_str(&json::element("figures-data", &data(page)));
    Some(Section { id: "figures", heading: "Figures", body })
}

/// A table of what is asked for most, of each client at each point.
fn key_figures(page: &Page) -> String {
    let (scenario, figures) = (page.scenario, page.figures);
    let clients: Vec<&String> = figures.names[ENTITY].iter().filter(|name| name.starts_with("client/")).collect();
    let of = |client: &str, metric: &str| ("all".to_owned(), client.to_owned(), metric.to_owned());
    let columns: Vec<_> = KEY
        .into_iter()
        .filter(|(metric, _)| clients.iter().any(|client| figures.kept.contains_key(&of(client, metric))))
        .collect();
    let shown = figures.points.min(MOST_ROWS);
    let mut rows = String::new();
    for point in 0..shown {
        for client in &clients {
            let mut cells = String::new();
            if !scenario.axes.is_empty() {
                let _ = write!(cells, "<th scope=\"row\">{}</th>", escape(&place(scenario, point)));
            }
            if clients.len() > 1 || scenario.axes.is_empty() {
                let name = escape(client.trim_start_matches("client/"));
                let cell = if scenario.axes.is_empty() { "th scope=\"row\"" } else { "td" };
                let _ = write!(cells, "<{cell}>{name}</{}>", &cell[..2]);
            }
            for (metric, _) in &columns {
                let text = figures.at(point, &of(client, metric)).map_or_else(|| "–".into(), |it| shown_as(it, metric));
                let _ = write!(cells, "<td class=\"number\">{}</td>", escape(&text));
            }
            let _ = writeln!(rows, "<tr>{cells}</tr>");
        }
    }
    let mut head = String::new();
    if !scenario.axes.is_empty() {
        let variants = scenario.axes.iter().all(|axis| axis.name == "variant");
        head.push_str(if variants { "<th scope=\"col\">Variant</th>" } else { "<th scope=\"col\">Point</th>" });
    }
    if clients.len() > 1 || scenario.axes.is_empty() {
        head.push_str("<th scope=\"col\">Client</th>");
    }
    for (_, name) in &columns {
        let _ = write!(head, "<th scope=\"col\">{name}</th>");
    }
    let more = if shown < figures.points {
        format!("<p>The first {shown} of {}; all are in aggregate.csv.</p>\n", count(figures.points, "point"))
    } else {
        String::new()
    };
    let whose = match clients.as_slice() {
        [one] => format!("What {} got", escape(one.trim_start_matches("client/"))),
        _ => "What clients got".to_owned(),
    };
    format!(
        "<div class=\"wide{}\" tabindex=\"0\" role=\"region\" aria-label=\"What clients got\">\n<table>\n\
         <caption>{whose}, over the run without its warm-up: means over the seeds, ± half of the 95 % interval</caption>\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{more}",
        if shown * clients.len() > 15 { " long" } else { "" }
    )
}

/// A figure with the digits that it deserves.
fn shown_as((mean, half): Figure, name: &str) -> String {
    if mean == f64::INFINITY {
        return "∞".to_owned();
    }
    let quantity = metric(name).map_or(Quantity::Count, |it| it.quantity);
    digits::plus_minus(&Summary { mean, low: mean - half, high: mean + half, ..Summary::of(&[]) }, quantity)
}

/// All figures as data. Those that are nought at every point are written as `0`.
fn data(page: &Page) -> String {
    let (scenario, figures) = (page.scenario, page.figures);
    let [windows, entities, metrics] = &figures.names;
    let axes = scenario.axes.iter().map(|axis| {
        let labels: Vec<&str> = axis.values.iter().map(|value| value.label.as_str()).collect();
        let (unit, numbers) = numbers(axis).map_or(("plain", "null".to_owned()), |(quantity, numbers)| {
            // A setting is a number of what it is a number of, and no count in a chart.
            let unit = if quantity == Quantity::Count { "plain" } else { charts::unit(unit_of(quantity)) };
            (unit, json::list(numbers.into_iter().map(|it| json::number(it, 9))))
        });
        json::object(&[
            ("name", json::text(&axis.name)),
            ("labels", json::list(labels.into_iter().map(json::text))),
            ("numbers", numbers),
            ("unit", json::text(unit)),
            ("drawn", axis.drawn.to_string()),
        ])
    });
    let points = (0..figures.points)
        .map(|number| json::list(scenario.point(number).values.into_iter().map(|value| value.to_string())));
    let seeds = page.swept.points.iter().map(|point| point.seeds.len().to_string());
    let described = metrics.iter().map(|name| {
        let meaning = metric(name).map_or("", |it| it.meaning);
        json::object(&[
            ("name", json::text(name)),
            ("unit", json::text(charts::unit(unit(name)))),
            ("meaning", json::text(&capital(meaning))),
        ])
    });
    let of_metric = |entity: &String, metric: &String| {
        let of_window = |window: &String| {
            let values = figures.kept.get(&(window.clone(), entity.clone(), metric.clone()));
            values.map_or_else(|| "null".to_owned(), |values| packed(values, figures.points))
        };
        let windows: Vec<String> = windows.iter().map(of_window).collect();
        windows.iter().any(|it| it != "null").then(|| json::list(windows))
    };
    let figures = entities.iter().filter_map(|entity| {
        let of: Vec<(&str, String)> =
            metrics.iter().filter_map(|metric| Some((metric.as_str(), of_metric(entity, metric)?))).collect();
        (!of.is_empty()).then(|| json::object(&[("entity", json::text(entity)), ("of", json::object(&of))]))
    });
    // What the first claim is about is looked at first.
    let claimed = scenario.experiment.expect.iter().find_map(|claim| Some((claim.metric.as_ref()?, claim.of.as_ref())));
    let start = claimed.map_or_else(
        || "null".to_owned(),
        |(metric, of)| json::list([json::text(&metric.value), json::text(of.map_or("", |of| &of.value))]),
    );
    json::object(&[
        ("start", start),
        ("axes", json::list(axes)),
        ("points", json::list(points)),
        ("seeds", json::list(seeds)),
        ("windows", json::list(windows.iter().map(|it| json::text(it)))),
        ("metrics", json::list(described)),
        ("figures", json::list(figures)),
    ])
}

/// Mean and half interval of each point, one behind the other.
fn packed(values: &[(usize, Figure)], points: usize) -> String {
    if values.len() == points && values.iter().all(|(_, (mean, half))| *mean == 0.0 && (half.is_nan() || *half == 0.0))
    {
        return "0".to_owned();
    }
    let mut all = vec![(f64::NAN, f64::NAN); points];
    for (point, figure) in values {
        all[*point] = *figure;
    }
    json::list(all.into_iter().flat_map(|(mean, half)| [json::number(mean, 5), json::number(half, 2)]))
}
