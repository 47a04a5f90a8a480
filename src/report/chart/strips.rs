//! Strips: who was in which state, and when.

use super::axis::{Ends, Scale};
use super::frame::{self, FOOT, Key, MARGIN, SIZE, WIDTH, crisp};
use super::look::{BLACK, GREY, draw_state};
use super::sketch::{Anchor, Area, Sketch, at, fit, width};
use super::{Axis, Chart, Shade, Strip, StripState};

const STRIP: f64 = 32.0;
const GAP: f64 = 12.0;
const NAMES: f64 = 260.0;
const STATES: [StripState; 3] = [StripState::Good, StripState::Bad, StripState::Between];

pub fn draw(chart: &Chart, rows: &[Strip], shades: &[Shade], x: &Axis, words: &[String; 3]) -> Sketch {
    let (mut sketch, top, _) = frame::begin(chart, &keys(words));
    let ends = rows.iter().flat_map(|row| &row.spans).filter(|(from, to, _)| from <= to);
    let x_scale = Scale::new(x, ends.flat_map(|(from, to, _)| [*from, *to]), 7, Ends::AtData);

    let names: Vec<String> = rows.iter().map(|row| fit(&row.name, SIZE, NAMES)).collect();
    let widest = names.iter().map(|name| width(name, SIZE)).fold(0.0, f64::max);
    let mut plot = Area { left: MARGIN + widest + 14.0, right: WIDTH - MARGIN - 8.0, top: top - 4.0, bottom: 0.0 };
    let x_scale = x_scale.onto(plot.left, plot.right);
    let labels = frame::shade_labels(shades, &x_scale, plot);
    let first = plot.top + labels.headroom() + GAP;
    // As tall as the rows need, and no less than a picture: two breakers do not fill half a page.
    plot.bottom = (first + rows.len() as f64 * (STRIP + GAP)).max(plot.top + 64.0);
    sketch.height = (plot.bottom + FOOT).ceil();

    frame::shade(&mut sketch, plot, shades, &x_scale);
    labels.draw(&mut sketch, plot);
    frame::x_axis(&mut sketch, plot, &x_scale);
    if x_scale.ticks.is_empty() {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    for (index, (row, name)) in rows.iter().zip(&names).enumerate() {
        let top = first + index as f64 * (STRIP + GAP);
        let strip = Area { top, bottom: top + STRIP, ..plot };
        sketch.text(at(plot.left - 14.0, top + STRIP / 2.0 + SIZE * 0.36), Anchor::End, SIZE, BLACK, name);
        let middle = crisp(top + STRIP / 2.0);
        sketch.line(at(plot.left, middle), at(plot.right, middle), 1.0, GREY);
        draw_row(&mut sketch, strip, row, &x_scale);
    }
    sketch
}

fn keys(words: &[String; 3]) -> Vec<Key<'_>> {
    let entries = words.iter().zip(STATES).filter(|(word, _)| !word.trim().is_empty());
    entries
        .map(|(word, state)| Key {
            name: word,
            sample_width: 40.0,
            draw: Box::new(move |sketch, area| {
                draw_state(sketch, area, state);
                sketch.edge(area, 1.0, GREY);
            }),
        })
        .collect()
}

/// Good stretches first: a moment of trouble among hours of calm is at least a pixel wide and covered by nothing.
fn draw_row(sketch: &mut Sketch, strip: Area, row: &Strip, x: &Scale) {
    for wanted in [StripState::Good, StripState::Between, StripState::Bad] {
        let spans = row.spans.iter().filter(|(from, to, state)| *state == wanted && from <= to);
        let areas = spans.filter(|(from, to, _)| *from <= x.high && *to >= x.low).map(|(from, to, _)| {
            let (left, right) = (x.clamp(*from), x.clamp(*to));
            let right = if wanted == StripState::Good { right } else { right.max(left + 1.0) };
            Area { left: left.min(strip.right - 1.0), right: right.min(strip.right), ..strip }
        });
        for area in merged(areas) {
            draw_state(sketch, area, wanted);
        }
    }
    sketch.edge(strip, 1.0, GREY);
}

/// Neighbours that touch become one: a flapping breaker has thousands of spans, a picture has a thousand columns.
fn merged(areas: impl Iterator<Item = Area>) -> Vec<Area> {
    let mut merged: Vec<Area> = Vec::new();
    for area in areas {
        match merged.last_mut() {
            Some(last) if area.left >= last.left && area.left - last.right < 0.25 => {
                last.right = last.right.max(area.right)
            }
            _ => merged.push(area),
        }
    }
    merged
}
