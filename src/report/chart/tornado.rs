//! Bars that lie, the longest at the top: which of many causes matters.

use super::axis::{Ends, Scale};
use super::bars::names;
use super::frame::{self, Key, MARGIN, SIZE, WIDTH, crisp};
use super::look::{BLACK, DARK, GRID, WHITE, draw_bar};
use super::sketch::{Anchor, Area, Sketch, at, fit, width};
use super::{Axis, Bar, BarGroup, Chart};

const BAR: f64 = 24.0;
const GAP: f64 = 14.0;
const NAMES: f64 = 300.0;
/// Below the plot: numbers, then the name of the axis.
const FOOT: f64 = 68.0;

pub fn draw(chart: &Chart, rows: &[BarGroup], x: &Axis) -> Sketch {
    let looks = names(rows);
    let keys = looks.iter().enumerate().filter(|(_, name)| looks.len() > 1 && !name.trim().is_empty());
    let keys: Vec<Key> = keys
        .map(|(index, name)| Key {
            name,
            sample_width: 28.0,
            draw: Box::new(move |sketch, area| draw_bar(sketch, area, index)),
        })
        .collect();
    let (mut sketch, top, _) = frame::begin(chart, &keys);

    let mut rows: Vec<&BarGroup> = rows.iter().collect();
    // By the size of the first bar; those without a value last. Equal ones stay in order.
    let size = |row: &BarGroup| row.bars.first().map_or(f64::NAN, |bar| bar.value.abs());
    let key = |row: &BarGroup| Some(size(row)).filter(|size| !size.is_nan()).unwrap_or(-1.0);
    rows.sort_by(|a, b| key(b).total_cmp(&key(a)));

    let bars = || rows.iter().flat_map(|row| &row.bars).filter(|bar| !bar.value.is_nan());
    let axis = Axis { from_zero: true, ..x.clone() };
    let scale = Scale::new(&axis, bars().flat_map(|bar| [bar.value, bar.low, bar.high]), 6, Ends::AtTicks);
    let labels: Vec<String> = rows.iter().map(|row| fit(&row.name, SIZE, NAMES)).collect();
    let widest = labels.iter().map(|name| width(name, SIZE)).fold(0.0, f64::max);
    let numbers = bars().map(|bar| width(&x.unit.show(bar.value), SIZE - 1.0)).fold(0.0, f64::max);
    let height = |row: &BarGroup| BAR * row.bars.len().max(1) as f64 + GAP;
    let all: f64 = rows.iter().map(|row| height(row)).sum();
    // Room for the number at the end of the longest bar.
    let right = WIDTH - MARGIN - numbers.min(90.0) - 10.0;
    let plot = Area { left: MARGIN + widest + 14.0, right, top: top - 4.0, bottom: top - 4.0 + (all + GAP).max(64.0) };
    sketch.height = (plot.bottom + FOOT).ceil();
    let scale = scale.onto(plot.left, plot.right);
    for tick in &scale.ticks {
        let place = crisp(scale.clamp(tick.value));
        sketch.line(at(place, plot.top), at(place, plot.bottom), 1.0, GRID);
    }
    frame::x_axis(&mut sketch, plot, &scale);
    if bars().next().is_none() {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    let foot = scale.floor();
    let mut y = plot.top + GAP;
    for (row, name) in rows.iter().zip(&labels) {
        let tall = BAR * row.bars.len().max(1) as f64;
        let middle = y + tall / 2.0 + SIZE * 0.36;
        sketch.text(at(plot.left - 14.0, middle), Anchor::End, SIZE, BLACK, name);
        for (index, bar) in row.bars.iter().enumerate().filter(|(_, bar)| !bar.value.is_nan()) {
            let top = y + index as f64 * BAR;
            let slot = Area { top: top + 1.5, bottom: top + BAR - 1.5, ..plot };
            let look = looks.iter().position(|name| *name == bar.name).unwrap_or(0);
            let end = scale.clamp(bar.value);
            let area = Area { left: end.min(foot), right: end.max(foot), ..slot };
            if area.width() > 0.5 {
                draw_bar(&mut sketch, area, look);
            }
            let reach = whisker(&mut sketch, slot, bar, &scale);
            let at_right = at(area.right.max(reach) + 8.0, slot.bottom - 5.0);
            let words = fit(&x.unit.show(bar.value), SIZE - 1.0, WIDTH - 8.0 - at_right.x);
            sketch.text(at_right, Anchor::Start, SIZE - 1.0, BLACK, &words);
        }
        y += tall + GAP;
    }
    let line = crisp(foot);
    sketch.line(at(line, plot.top), at(line, plot.bottom), 1.5, DARK);
    sketch
}

/// The interval, along the bar's middle. Returns the x of its right end.
fn whisker(sketch: &mut Sketch, slot: Area, bar: &Bar, scale: &Scale) -> f64 {
    if bar.low.is_nan() || bar.high.is_nan() || bar.low >= bar.high {
        return slot.left;
    }
    let middle = f64::midpoint(slot.top, slot.bottom);
    let (low, high) = (scale.clamp(bar.low), scale.clamp(bar.high));
    for (wider, ink) in [(3.0, WHITE), (0.0, BLACK)] {
        sketch.line(at(low, middle), at(high, middle), 2.0 + wider, ink);
        for (value, end) in [(bar.low, low), (bar.high, high)] {
            if value >= scale.low && value <= scale.high {
                sketch.line(at(end, middle - 6.0), at(end, middle + 6.0), 2.0 + wider, ink);
            }
        }
    }
    high
}
