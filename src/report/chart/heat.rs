//! Heat: values or states over two axes, as boxes, with lines and intervals over them.

use super::axis::{Ends, Scale, sane};
use super::frame::{self, FOOT, HEIGHT, Key, MARGIN, SIZE, WIDTH, crisp};
use super::look::{
    BLACK, DARK, GREY, WHITE, draw_nothing, draw_region, draw_without_end, heat_ink, ink_over, outlined,
};
use super::sketch::{Anchor, Area, Ink, Point, Sketch, along, at, fit, length, width, wrap};
use super::{Axis, Chart, StripState};

/// Values or states over two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// The horizontal axis.
    pub x: Side,
    /// The vertical axis.
    pub y: Side,
    /// What is drawn in boxes.
    pub boxes: Boxes,
    /// Lines and intervals over the boxes, such as a boundary or contours.
    pub outlines: Vec<Outline>,
}

/// An axis of a map.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// Positions are numbers.
    Numbers(Axis),
    /// Positions are places in a list: the first name reaches from -0.5 to 0.5, the second from 0.5 to 1.5. On the vertical axis the
    /// first is at the top.
    Names {
        /// What the names are values of; may be empty.
        label: String,
        /// From left to right, or from top to bottom.
        names: Vec<String>,
    },
}

/// What a map shows. Boxes may be of different sizes; later ones cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Boxes {
    /// A colour for each value, from light for the lowest to dark for the highest.
    Values {
        /// Where, and the value. Not a number: crossed out. Infinite: hatched.
        boxes: Vec<(Patch, f64)>,
        /// What is measured.
        of: Axis,
        /// What an infinite value means, e.g. `never`.
        infinite: String,
    },
    /// Good, between or bad, told apart in grey too.
    States {
        /// Where, and the state.
        boxes: Vec<(Patch, StripState)>,
        /// What good, bad and in-between mean here, e.g. `recovers`, `does not`, `might`. An empty word is not shown.
        legend: [String; 3],
    },
}

/// A box on a map, `(from, to)` on both axes. An infinite end is the edge of the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patch {
    /// On the horizontal axis.
    pub x: (f64, f64),
    /// On the vertical axis.
    pub y: (f64, f64),
}

/// A line over a map, in one or several pieces, and intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Stands at the line if it is short, and in the legend otherwise.
    pub label: String,
    /// Each a line through points `(x, y)`.
    pub pieces: Vec<Vec<(f64, f64)>>,
    /// Each from a point to a point, with a stroke at both ends: where the line may be.
    pub intervals: Vec<[(f64, f64); 2]>,
}

/// A label that is no wider stands at its line.
const SHORT: f64 = 110.0;
/// The scale of colours beside the map.
const RAMP: f64 = 20.0;
/// Colours are this many steps, so that neighbours can become one.
const STEPS: u32 = 48;

pub fn draw(chart: &Chart, heat: &Heat) -> Sketch {
    let values = match &heat.boxes {
        Boxes::Values { boxes, of, .. } => {
            Some(Scale::new(of, boxes.iter().map(|it| it.1), 5, Ends::AtTicks).onto(0.0, 1.0))
        }
        Boxes::States { .. } => None,
    };
    let (mut sketch, top, extra) = frame::begin(chart, &keys(heat, values.as_ref()));
    sketch.height = HEIGHT + extra + 40.0;

    let patches: Vec<Patch> = match &heat.boxes {
        Boxes::Values { boxes, .. } => boxes.iter().map(|it| it.0).collect(),
        Boxes::States { boxes, .. } => boxes.iter().map(|it| it.0).collect(),
    };
    let over = || {
        let lines = heat.outlines.iter().flat_map(|it| it.pieces.iter().flatten());
        lines.chain(heat.outlines.iter().flat_map(|it| it.intervals.iter().flatten()))
    };
    let x = scale(&heat.x, patches.iter().flat_map(|it| [it.x.0, it.x.1]).chain(over().map(|it| it.0)), 7);
    let y = scale(&heat.y, patches.iter().flat_map(|it| [it.y.0, it.y.1]).chain(over().map(|it| it.1)), 6);

    let bar = values.as_ref().filter(|values| !values.ticks.is_empty());
    let beside = bar.map_or(8.0, |values| RAMP + 28.0 + values.label_width(SIZE));
    let left = MARGIN + y.label_width(SIZE) + 10.0;
    let right = WIDTH - MARGIN - beside;
    let under = under(&heat.x, right - left);
    sketch.height += if under.iter().any(|lines| lines.len() > 1) { 22.0 } else { 0.0 };
    let plot = Area { left, right, top: top + 29.0, bottom: sketch.height - FOOT };
    let plot =
        Area { bottom: plot.bottom - if under.iter().any(|lines| lines.len() > 1) { 22.0 } else { 0.0 }, ..plot };
    let x = x.onto(plot.left, plot.right);
    let y = match heat.y {
        Side::Numbers(_) => y.onto(plot.bottom, plot.top),
        Side::Names { .. } => y.onto(plot.top, plot.bottom),
    };
    frame::y_axis(&mut sketch, plot, &y, top + 10.0);
    match &heat.x {
        Side::Numbers(_) => frame::x_axis(&mut sketch, plot, &x),
        Side::Names { label, .. } => names_under(&mut sketch, plot, &under, label),
    }
    let map = Map { plot, x: &x, y: &y };
    let drawn = match (&heat.boxes, &values) {
        (Boxes::Values { boxes, .. }, Some(values)) => map.values(&mut sketch, boxes, values),
        (Boxes::States { boxes, .. }, _) => map.states(&mut sketch, boxes),
        (Boxes::Values { .. }, None) => false,
    };
    if let Some(values) = bar {
        ramp(&mut sketch, Area { left: plot.right + 14.0, right: plot.right + 14.0 + RAMP, ..plot }, values);
    }
    sketch.edge(plot, 1.0, GREY);
    if !drawn {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    for (number, outline) in heat.outlines.iter().enumerate() {
        map.outline(&mut sketch, outline, number);
    }
    let mut taken = match (&heat.boxes, &values) {
        (Boxes::Values { boxes, of, .. }, Some(values)) => map.numbers(&mut sketch, boxes, of, values),
        _ => Vec::new(),
    };
    for outline in &heat.outlines {
        map.label(&mut sketch, outline, &mut taken);
    }
    sketch
}

fn scale(side: &Side, values: impl Iterator<Item = f64>, wanted: usize) -> Scale {
    match side {
        Side::Numbers(axis) => Scale::new(&Axis { from_zero: false, ..axis.clone() }, values, wanted, Ends::AtData),
        Side::Names { label, names } => Scale::names(label, names, 190.0),
    }
}

fn keys<'a>(heat: &'a Heat, values: Option<&'a Scale>) -> Vec<Key<'a>> {
    let mut keys: Vec<Key> = Vec::new();
    match &heat.boxes {
        Boxes::Values { boxes, infinite, .. } => {
            if let Some(values) = values.filter(|it| !it.title.is_empty() && !it.ticks.is_empty()) {
                keys.push(Key { name: &values.title, sample_width: 60.0, draw: Box::new(sweep) });
            }
            if !infinite.trim().is_empty() && boxes.iter().any(|it| it.1 == f64::INFINITY) {
                keys.push(Key { name: infinite, sample_width: 40.0, draw: Box::new(draw_without_end) });
            }
            if boxes.iter().any(|it| it.1.is_nan()) {
                keys.push(Key { name: "no value", sample_width: 40.0, draw: Box::new(draw_nothing) });
            }
        }
        Boxes::States { legend, .. } => {
            let states = [StripState::Good, StripState::Bad, StripState::Between];
            let words = legend.iter().zip(states).filter(|(word, _)| !word.trim().is_empty());
            keys.extend(words.map(|(word, state)| Key {
                name: word,
                sample_width: 40.0,
                draw: Box::new(move |sketch: &mut Sketch, area| {
                    draw_region(sketch, area, state);
                    sketch.edge(area, 1.0, GREY);
                }),
            }));
        }
    }
    let long = heat.outlines.iter().enumerate().filter(|(_, it)| short(it).is_none() && !it.label.trim().is_empty());
    keys.extend(long.map(|(number, outline)| Key {
        name: &outline.label,
        sample_width: 52.0,
        draw: Box::new(move |sketch: &mut Sketch, area: Area| {
            let middle = f64::midpoint(area.top, area.bottom);
            outlined(sketch, &[at(area.left, middle), at(area.right, middle)], number);
        }),
    }));
    keys
}

/// All colours from left to right.
fn sweep(sketch: &mut Sketch, area: Area) {
    for step in 0..STEPS {
        let edge = |step: u32| area.left + area.width() * f64::from(step) / f64::from(STEPS);
        let slice = Area { left: edge(step), right: edge(step + 1), ..area };
        sketch.block(slice, step_ink(step));
    }
    sketch.edge(area, 1.0, GREY);
}

/// The scale of colours, with its numbers to the right.
fn ramp(sketch: &mut Sketch, area: Area, values: &Scale) {
    for step in 0..STEPS {
        let edge = |step: u32| area.bottom - area.height() * f64::from(step) / f64::from(STEPS);
        let slice = Area { top: edge(step + 1), bottom: edge(step), ..area };
        sketch.block(slice, step_ink(step));
    }
    sketch.edge(area, 1.0, GREY);
    for tick in &values.ticks {
        let level = area.bottom - area.height() * values.clamp(tick.value);
        sketch.line(at(area.right, crisp(level)), at(area.right + 6.0, crisp(level)), 1.5, DARK);
        sketch.text(at(area.right + 10.0, level + SIZE * 0.36), Anchor::Start, SIZE, BLACK, &tick.label);
    }
}

/// The names below the map, each on at most two lines; none for an axis of numbers.
fn under(side: &Side, room: f64) -> Vec<Vec<String>> {
    let Side::Names { names, .. } = side else { return Vec::new() };
    let slot = room / names.len().max(1) as f64;
    let every = (44.0 / slot).ceil().max(1.0) as usize;
    let shown = |(number, name): (usize, &String)| {
        if number % every == 0 { wrap(name, SIZE, slot * every as f64 - 8.0, 2) } else { Vec::new() }
    };
    names.iter().enumerate().map(shown).collect()
}

fn names_under(sketch: &mut Sketch, plot: Area, names: &[Vec<String>], label: &str) {
    let slot = plot.width() / names.len().max(1) as f64;
    for (number, lines) in names.iter().enumerate() {
        let middle = plot.left + (number as f64 + 0.5) * slot;
        for (line, words) in lines.iter().enumerate() {
            let half = width(words, SIZE) / 2.0;
            let middle = middle.clamp(4.0 + half, (WIDTH - 4.0 - half).max(4.0 + half));
            sketch.text(at(middle, plot.bottom + 22.0 + line as f64 * 21.0), Anchor::Middle, SIZE, BLACK, words);
        }
    }
    let lines = names.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let title = at(f64::midpoint(plot.left, plot.right), plot.bottom + 27.0 + lines as f64 * 22.0);
    sketch.text(title, Anchor::Middle, SIZE, DARK, &fit(label, SIZE, plot.width()));
}

/// The label of an outline that stands at its line.
fn short(outline: &Outline) -> Option<&str> {
    let label = outline.label.trim();
    let has_line = outline.pieces.iter().any(|piece| piece.len() > 1);
    (!label.is_empty() && has_line && width(label, SIZE - 2.0) <= SHORT).then_some(label)
}

/// Where boxes and lines go.
struct Map<'a> {
    plot: Area,
    x: &'a Scale,
    y: &'a Scale,
}

impl Map<'_> {
    fn area(&self, patch: &Patch) -> Option<Area> {
        let ends = |scale: &Scale, (from, to): (f64, f64)| {
            let seen = !from.is_nan() && !to.is_nan() && from <= to && from <= scale.high && to >= scale.low;
            let (a, b) = (scale.clamp(from), scale.clamp(to));
            (seen && (a - b).abs() > 0.01).then(|| (a.min(b), a.max(b)))
        };
        let (left, right) = ends(self.x, patch.x)?;
        let (top, bottom) = ends(self.y, patch.y)?;
        Some(Area { left, right, top, bottom })
    }

    fn states(&self, sketch: &mut Sketch, boxes: &[(Patch, StripState)]) -> bool {
        let areas: Vec<(Area, StripState)> =
            boxes.iter().filter_map(|(patch, state)| Some((self.area(patch)?, *state))).collect();
        for (area, state) in joined(&areas) {
            draw_region(sketch, area, state);
        }
        !areas.is_empty()
    }

    fn values(&self, sketch: &mut Sketch, boxes: &[(Patch, f64)], values: &Scale) -> bool {
        let areas: Vec<(Area, Fill)> =
            boxes.iter().filter_map(|(patch, value)| Some((self.area(patch)?, fill(*value, values)))).collect();
        for (area, fill) in joined(&areas) {
            match fill {
                Fill::Step(step) => sketch.block(area, step_ink(step)),
                Fill::WithoutEnd => draw_without_end(sketch, area),
                Fill::Nothing => draw_nothing(sketch, area),
            }
        }
        areas.iter().any(|it| it.1 != Fill::Nothing)
    }

    /// A number in every box, or in none, above the lines. Returns where they stand.
    fn numbers(&self, sketch: &mut Sketch, boxes: &[(Patch, f64)], of: &Axis, values: &Scale) -> Vec<Area> {
        let size = SIZE - 1.0;
        let areas: Vec<(Area, Fill, String)> = boxes
            .iter()
            .filter_map(|(patch, value)| Some((self.area(patch)?, fill(*value, values), of.unit.show(*value))))
            .filter(|it| matches!(it.1, Fill::Step(_)))
            .collect();
        let fits = |(area, _, words): &(Area, Fill, String)| {
            area.width() > width(words, size) + 6.0 && area.height() > SIZE + 4.0
        };
        let mut taken = Vec::new();
        for (area, fill, words) in areas.iter().filter(|_| areas.iter().all(fits)) {
            let Fill::Step(step) = fill else { continue };
            let (x, y) = (f64::midpoint(area.left, area.right), f64::midpoint(area.top, area.bottom));
            let half = width(words, size) / 2.0 + 2.0;
            let ground = Area { left: x - half, right: x + half, top: y - size * 0.55, bottom: y + size * 0.55 };
            sketch.block(ground, step_ink(*step));
            sketch.text(at(x, y + size * 0.36), Anchor::Middle, size, ink_over(step_ink(*step)), words);
            taken.push(ground);
        }
        taken
    }

    fn place(&self, point: (f64, f64)) -> Option<Point> {
        let place = at(self.x.place(point.0)?, self.y.place(point.1)?);
        let inside = |low: f64, value: f64, high: f64| (low - 0.5..=high + 0.5).contains(&value);
        (inside(self.plot.left, place.x, self.plot.right) && inside(self.plot.top, place.y, self.plot.bottom))
            .then_some(place)
    }

    /// The points of a piece that can be shown, without gaps: a line that stops at a missing point would seem to end there.
    fn piece(&self, piece: &[(f64, f64)]) -> Vec<Point> {
        piece.iter().filter_map(|point| self.place(*point)).collect()
    }

    fn outline(&self, sketch: &mut Sketch, outline: &Outline, number: usize) {
        for piece in &outline.pieces {
            outlined(sketch, &self.piece(piece), number);
        }
        for [from, to] in &outline.intervals {
            let (Some(from), Some(to)) = (self.place(*from), self.place(*to)) else { continue };
            let length = libm::hypot(to.x - from.x, to.y - from.y);
            // The strokes at its ends, at right angles.
            let (x, y) = if length > 0.0 {
                ((to.y - from.y) / length * 6.0, (from.x - to.x) / length * 6.0)
            } else {
                (0.0, 6.0)
            };
            for (wide, ink) in [(5.0, WHITE), (2.0, BLACK)] {
                sketch.line(from, to, wide, ink);
                for end in [from, to] {
                    let (a, b) = (self.inside(end.x - x, end.y - y), self.inside(end.x + x, end.y + y));
                    sketch.line(a, b, wide, ink);
                }
            }
        }
    }

    fn inside(&self, x: f64, y: f64) -> Point {
        at(x.clamp(self.plot.left, self.plot.right), y.clamp(self.plot.top, self.plot.bottom))
    }

    /// The label of an outline on its longest piece, near its middle, where nothing else is written.
    fn label(&self, sketch: &mut Sketch, outline: &Outline, taken: &mut Vec<Area>) {
        let Some(words) = short(outline) else { return };
        let pieces = outline.pieces.iter().map(|piece| self.piece(piece)).filter(|piece| piece.len() > 1);
        let Some(longest) = pieces.max_by(|a, b| length(a).total_cmp(&length(b))) else { return };
        let half = width(words, SIZE - 2.0) / 2.0 + 5.0;
        let around = |share: f64| {
            let place = along(&longest, length(&longest) * share);
            let x = place.x.clamp(self.plot.left + half, (self.plot.right - half).max(self.plot.left + half));
            let y = place.y.clamp(self.plot.top + 12.0, self.plot.bottom - 12.0);
            Area { left: x - half, right: x + half, top: y - 11.0, bottom: y + 11.0 }
        };
        let tries = [0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9];
        let free = tries.into_iter().map(around).find(|area| !taken.iter().any(|other| area.meets(other)));
        let area = free.unwrap_or_else(|| around(0.5));
        sketch.block(area, WHITE.thin(0.9));
        let middle = at(f64::midpoint(area.left, area.right), area.bottom - 11.0 + SIZE * 0.32);
        sketch.text(middle, Anchor::Middle, SIZE - 2.0, BLACK, words);
        taken.push(area);
    }
}

/// How a box is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Step(u32),
    WithoutEnd,
    Nothing,
}

fn fill(value: f64, values: &Scale) -> Fill {
    match sane(value) {
        _ if value == f64::INFINITY => Fill::WithoutEnd,
        None => Fill::Nothing,
        // What a logarithmic scale cannot show lies below all that it can.
        Some(value) => Fill::Step((values.clamp(value) * f64::from(STEPS)).clamp(0.0, f64::from(STEPS - 1)) as u32),
    }
}

fn step_ink(step: u32) -> Ink {
    heat_ink(f64::from(step) / f64::from(STEPS - 1))
}

/// Neighbours of a row that look the same, as one.
fn joined<T: Copy + PartialEq>(areas: &[(Area, T)]) -> Vec<(Area, T)> {
    let mut joined: Vec<(Area, T)> = Vec::new();
    for (area, look) in areas {
        match joined.last_mut() {
            Some((last, same))
                if same == look
                    && (last.top - area.top).abs() < 0.01
                    && (last.bottom - area.bottom).abs() < 0.01
                    && (last.right - area.left).abs() < 0.01 =>
            {
                last.right = area.right;
            }
            _ => joined.push((*area, *look)),
        }
    }
    joined
}
