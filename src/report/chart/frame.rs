//! What every chart has around its data: title, subtitle, legend, grid, axes and shaded windows.

use super::axis::Scale;
use super::look::{BLACK, DARK, GRID, SHADE, SHADE_EDGE};
use super::sketch::{Anchor, Area, Sketch, at, clean, fit, width, wrap};
use super::{Chart, Shade};

pub const WIDTH: f64 = 960.0;
pub const HEIGHT: f64 = 480.0;
/// White on all four sides.
pub const MARGIN: f64 = 24.0;
/// Of ticks, legend and labels. Large, because charts are looked at small.
pub const SIZE: f64 = 17.0;
const TITLE: f64 = 25.0;
const SUBTITLE: f64 = 17.0;
const LEGEND_ROW: f64 = 27.0;
const SHADE_ROW: f64 = 23.0;
const SHADE_ROWS: usize = 3;
/// Below the plot: ticks, then the name of the axis.
pub const FOOT: f64 = 68.0;

/// An entry of the legend: a sample and its name.
pub struct Key<'a> {
    pub name: &'a str,
    pub sample_width: f64,
    pub draw: Draw<'a>,
}

/// Fills the area of a sample.
type Draw<'a> = Box<dyn Fn(&mut Sketch, Area) + 'a>;

/// Draws title, subtitle and legend. Returns the sketch, the y below them, and how much taller than usual they are.
pub fn begin(chart: &Chart, keys: &[Key]) -> (Sketch, f64, f64) {
    let mut sketch = Sketch::new(WIDTH);
    let room = WIDTH - 2.0 * MARGIN;
    let title = clean(chart.title.trim());
    let size = [TITLE, 22.0, 19.5].into_iter().find(|size| width(&title, *size) <= room).unwrap_or(19.5);
    let mut y = 40.0;
    sketch.text(at(MARGIN, y), Anchor::Start, size, BLACK, &fit(&title, size, room));
    let lines = wrap(&chart.subtitle, SUBTITLE, room, 2);
    for line in &lines {
        y += 26.0;
        sketch.text(at(MARGIN, y), Anchor::Start, SUBTITLE, DARK, line);
    }
    let rows = legend(&mut sketch, keys, y + 13.0);
    y += 8.0 + rows as f64 * LEGEND_ROW;
    let extra = lines.len().saturating_sub(1) as f64 * 26.0 + rows.saturating_sub(1) as f64 * LEGEND_ROW;
    (sketch, y + 16.0, extra)
}

/// The samples from left to right, in as many rows as they need. Names are cut so that two fit side by side, unless all fit whole into
/// two rows.
fn legend(sketch: &mut Sketch, keys: &[Key], top: f64) -> usize {
    let row = WIDTH - 2.0 * MARGIN;
    let mut rows = placed(keys, row);
    if rows.last().is_some_and(|last| last.0 > 1) {
        rows = placed(keys, (row - BETWEEN) / 2.0);
    }
    for (key, (row, x, name)) in keys.iter().zip(&rows) {
        let y = top + *row as f64 * LEGEND_ROW;
        let sample = Area { left: *x, right: x + key.sample_width, top: y + 3.0, bottom: y + 21.0 };
        (key.draw)(sketch, sample);
        sketch.text(at(sample.right + BESIDE, y + 18.0), Anchor::Start, SIZE, BLACK, name);
    }
    rows.last().map_or(0, |last| last.0 + 1)
}

/// From a sample to its name, and from a name to the next sample.
const BESIDE: f64 = 9.0;
const BETWEEN: f64 = 30.0;

/// The row of each sample, where it stands, and its name, if no sample may be wider than `room` with its name.
fn placed(keys: &[Key], room: f64) -> Vec<(usize, f64, String)> {
    let (mut x, mut row) = (MARGIN, 0);
    let place = |key: &Key| {
        let name = fit(key.name, SIZE, room - key.sample_width - BESIDE);
        let wide = key.sample_width + BESIDE + width(&name, SIZE);
        if x > MARGIN && x + wide > WIDTH - MARGIN {
            (x, row) = (MARGIN, row + 1);
        }
        x += wide + BETWEEN;
        (row, x - wide - BETWEEN, name)
    };
    keys.iter().map(place).collect()
}

/// Level lines with their numbers, left of the plot, and the name of the axis above it.
pub fn y_axis(sketch: &mut Sketch, plot: Area, y: &Scale, title_at: f64) {
    sketch.text(at(MARGIN, title_at), Anchor::Start, SIZE, DARK, &fit(&y.title, SIZE, WIDTH - 2.0 * MARGIN));
    for tick in &y.ticks {
        let level = crisp(y.clamp(tick.value));
        sketch.line(at(plot.left, level), at(plot.right, level), 1.0, GRID);
        sketch.text(at(plot.left - 10.0, level + SIZE * 0.36), Anchor::End, SIZE, BLACK, &tick.label);
    }
}

/// The line under the plot, its ticks and numbers, and the name of the axis in the middle.
pub fn x_axis(sketch: &mut Sketch, plot: Area, x: &Scale) {
    let floor = crisp(plot.bottom);
    sketch.line(at(plot.left, floor), at(plot.right, floor), 1.5, DARK);
    let mut free = 4.0;
    for tick in &x.ticks {
        let place = crisp(x.clamp(tick.value));
        sketch.line(at(place, floor), at(place, floor + 6.0), 1.5, DARK);
        if x.log {
            // Between powers of ten the eye needs a line to go by.
            sketch.line(at(place, plot.top), at(place, floor), 1.0, GRID);
        }
        let half = width(&tick.label, SIZE) / 2.0;
        let middle = place.clamp(4.0 + half, (WIDTH - 4.0 - half).max(4.0 + half));
        // Better no number than two on top of each other.
        if middle - half >= free {
            sketch.text(at(middle, floor + 24.0), Anchor::Middle, SIZE, BLACK, &tick.label);
            free = middle + half + 12.0;
        }
    }
    let title = fit(&x.title, SIZE, plot.width());
    sketch.text(at(f64::midpoint(plot.left, plot.right), floor + 49.0), Anchor::Middle, SIZE, DARK, &title);
}

/// The labels of the windows, laid out in as few rows as possible. Rows go above the data, see [`headroom`].
pub struct Labels {
    placed: Vec<(usize, f64, String)>,
    rows: usize,
}

/// Finds room for the label of each window between `left` and `right`.
pub fn shade_labels(shades: &[Shade], x: &Scale, plot: Area) -> Labels {
    let mut order: Vec<&Shade> = shades.iter().filter(|shade| is_visible(shade, x)).collect();
    order.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut labels = Labels { placed: Vec::new(), rows: 0 };
    let mut free = [f64::NEG_INFINITY; SHADE_ROWS];
    for shade in order {
        let words = fit(&shade.label, SIZE - 2.0, plot.width() / 2.0);
        let wide = width(&words, SIZE - 2.0);
        // A label stands where its window begins, unless it would leave the plot.
        let left = (x.clamp(shade.from) + 6.0).min(plot.right - wide - 4.0);
        let row = free.iter().position(|free| *free <= left);
        // With more windows than rows at one place, the shade alone has to do.
        if let Some(row) = row.filter(|_| !words.is_empty()) {
            free[row] = left + wide + 12.0;
            labels.rows = labels.rows.max(row + 1);
            labels.placed.push((row, left, words));
        }
    }
    labels
}

impl Labels {
    /// How much room they need above the data.
    pub fn headroom(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.rows as f64 * SHADE_ROW + 8.0 }
    }

    pub fn draw(&self, sketch: &mut Sketch, plot: Area) {
        for (row, left, words) in &self.placed {
            let baseline = plot.top + *row as f64 * SHADE_ROW + 19.0;
            sketch.text(at(*left, baseline), Anchor::Start, SIZE - 2.0, DARK, words);
        }
    }
}

/// Grey behind the data, with an edge on both sides.
pub fn shade(sketch: &mut Sketch, plot: Area, shades: &[Shade], x: &Scale) {
    let visible = || shades.iter().filter(|shade| is_visible(shade, x));
    for shade in visible() {
        let (left, right) = (x.clamp(shade.from), x.clamp(shade.to));
        sketch.block(Area { left, right: right.max(left + 1.0), ..plot }, SHADE);
    }
    for shade in visible() {
        for edge in [shade.from, shade.to] {
            if edge > x.low && edge < x.high {
                let place = crisp(x.clamp(edge));
                sketch.line(at(place, plot.top), at(place, plot.bottom), 1.0, SHADE_EDGE);
            }
        }
    }
}

fn is_visible(shade: &Shade, x: &Scale) -> bool {
    !x.ticks.is_empty() && shade.from <= shade.to && shade.from <= x.high && shade.to >= x.low
}

/// In the middle of a pixel, so that a thin line is one pixel and not two grey ones.
pub fn crisp(place: f64) -> f64 {
    place.floor() + 0.5
}

/// Says that there is nothing to see, so that nobody takes an empty plot for a zero.
pub fn no_data(sketch: &mut Sketch, plot: Area) {
    let middle = at(f64::midpoint(plot.left, plot.right), f64::midpoint(plot.top, plot.bottom));
    sketch.text(middle, Anchor::Middle, TITLE, DARK, "no data");
}
