//! A request as a waterfall: its spans as rows, and what each did when.

use super::axis::{Ends, Scale};
use super::frame::{self, FOOT, Key, MARGIN, SIZE, WIDTH, crisp};
use super::look::{BLACK, DARK, GRID, draw_span};
use super::sketch::{Anchor, Area, Sketch, at, fit, width};
use super::{Axis, Chart};

/// A row of a waterfall.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Written to the left.
    pub name: String,
    /// How far inside it is: the name is indented by so many steps.
    pub depth: u32,
    /// `(from, to, what)`; the time between stays blank.
    pub parts: Vec<(f64, f64, Doing)>,
    /// Written at its end; may be empty.
    pub outcome: String,
}

/// What a span does for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It stands in a queue: light, hatched.
    Queued,
    /// It is worked on: solid.
    Served,
    /// It waits for others: a thin line.
    Waiting,
    /// It pauses before the next attempt: dotted.
    BackingOff,
    /// It is worked on for nobody, who asked has gone: dark, hatched.
    Wasted,
}

const ALL: [(Doing, &str); 5] = [
    (Doing::Queued, "in a queue"),
    (Doing::Served, "worked on"),
    (Doing::Waiting, "waits for others"),
    (Doing::BackingOff, "pauses before a retry"),
    (Doing::Wasted, "worked on for nobody"),
];

const ROW: f64 = 26.0;
const NAMES: f64 = 320.0;
const INDENT: f64 = 16.0;
/// The size of the outcomes.
const OUTCOME: f64 = 14.0;
/// A request of more spans is cut, and says so.
const MOST: usize = 150;

pub fn draw(chart: &Chart, rows: &[Span], x: &Axis) -> Sketch {
    let does = |what: Doing| rows.iter().flat_map(|row| &row.parts).any(|part| part.2 == what);
    let keys: Vec<Key> = ALL
        .into_iter()
        .filter(|(what, _)| does(*what))
        .map(|(what, name)| Key {
            name,
            sample_width: 40.0,
            draw: Box::new(move |sketch: &mut Sketch, area: Area| {
                draw_span(sketch, Area { top: area.top + 1.0, bottom: area.bottom - 1.0, ..area }, what);
            }),
        })
        .collect();
    let (mut sketch, top, _) = frame::begin(chart, &keys);
    let ends = rows.iter().flat_map(|row| &row.parts).filter(|(from, to, _)| from <= to);
    let scale = Scale::new(x, ends.flat_map(|(from, to, _)| [*from, *to]), 7, Ends::AtData);

    let shown = rows.len().min(MOST);
    let indent = |row: &Span| (f64::from(row.depth.min(1_000)) * INDENT).min(NAMES / 2.0);
    let names: Vec<(f64, String)> =
        rows[..shown].iter().map(|row| (indent(row), fit(&row.name, SIZE - 1.0, NAMES - indent(row)))).collect();
    let widest = names.iter().map(|(indent, name)| indent + width(name, SIZE - 1.0)).fold(0.0, f64::max);
    // Outcomes stand at the ends of their rows.
    let outcomes = rows[..shown].iter().map(|row| width(row.outcome.trim(), OUTCOME)).fold(0.0, f64::max);
    let right = WIDTH - MARGIN - 8.0 - outcomes.min(140.0);
    let mut plot = Area { left: MARGIN + widest + 14.0, right, top: top - 4.0, bottom: 0.0 };
    let more = rows.len() - shown;
    let lines = shown + usize::from(more > 0);
    plot.bottom = (plot.top + lines as f64 * ROW + 8.0).max(plot.top + 64.0);
    sketch.height = (plot.bottom + FOOT).ceil();
    let scale = scale.onto(plot.left, plot.right);
    for tick in &scale.ticks {
        let place = crisp(scale.clamp(tick.value));
        sketch.line(at(place, plot.top), at(place, plot.bottom), 1.0, GRID);
    }
    frame::x_axis(&mut sketch, plot, &scale);
    if scale.ticks.is_empty() {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    for (index, (row, (indent, name))) in rows.iter().zip(&names).enumerate() {
        let top = plot.top + index as f64 * ROW + 4.0;
        let baseline = top + ROW / 2.0 + SIZE * 0.36 - 1.0;
        sketch.text(at(MARGIN + indent, baseline), Anchor::Start, SIZE - 1.0, BLACK, name);
        draw_row(&mut sketch, Area { top: top + 2.0, bottom: top + ROW - 4.0, ..plot }, row, &scale);
    }
    if more > 0 {
        let words = fit(&format!("… {more} more"), SIZE - 1.0, NAMES);
        let baseline = plot.top + shown as f64 * ROW + 4.0 + ROW / 2.0 + SIZE * 0.36;
        sketch.text(at(MARGIN, baseline), Anchor::Start, SIZE - 1.0, DARK, &words);
    }
    sketch
}

fn draw_row(sketch: &mut Sketch, strip: Area, row: &Span, scale: &Scale) {
    let mut last = None;
    // Thin marks first: what is short and solid must not be lost under them.
    for wanted in [Doing::Waiting, Doing::BackingOff, Doing::Queued, Doing::Served, Doing::Wasted] {
        let parts = row.parts.iter().filter(|(from, to, what)| *what == wanted && from <= to);
        for (from, to, what) in parts {
            let (left, right) = (scale.clamp(*from), scale.clamp(*to));
            let left = left.min(strip.right - 1.0);
            let area = Area { left, right: right.max(left + 1.0).min(strip.right), ..strip };
            draw_span(sketch, area, *what);
            last = Some(last.map_or(area.right, |end: f64| end.max(area.right)));
        }
    }
    let outcome = row.outcome.trim();
    let Some(end) = last.filter(|_| !outcome.is_empty()) else { return };
    let left = end + 8.0;
    let words = fit(outcome, OUTCOME, WIDTH - 8.0 - left);
    sketch.text(at(left, strip.bottom - 5.0), Anchor::Start, OUTCOME, DARK, &words);
}
