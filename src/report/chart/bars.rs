//! Bars across a sweep, with error bars.

use super::axis::{Ends, Scale};
use super::frame::{self, FOOT, HEIGHT, Key, MARGIN, SIZE, WIDTH, crisp};
use super::look::{BLACK, DARK, WHITE, draw_bar, draw_endless_bar};
use super::sketch::{Anchor, Area, Sketch, at, fit, width, wrap};
use super::{Axis, Bar, BarGroup, Chart, Unit};

/// A bar wider than this looks like a wall.
const WIDEST: f64 = 84.0;
/// Room over the highest tick for the word over an endless bar, or for a number over a full one.
const HEADROOM: f64 = 26.0;

pub fn draw(chart: &Chart, groups: &[BarGroup], x: &str, y: &Axis, infinite: &str) -> Sketch {
    let names = names(groups);
    let (mut sketch, top, extra) = frame::begin(chart, &keys(&names, y));
    sketch.height = HEIGHT + extra;

    let bars = || groups.iter().flat_map(|group| &group.bars);
    let finite = bars().filter(|bar| !bar.value.is_nan()).flat_map(|bar| [bar.value, bar.low, bar.high]);
    let axis = Axis { from_zero: true, ..y.clone() };
    let y_scale = Scale::new(&axis, finite, 5, Ends::AtTicks);

    let plot = Area {
        left: MARGIN + y_scale.label_width(SIZE) + 10.0,
        right: WIDTH - MARGIN,
        top: top + 29.0,
        bottom: sketch.height - FOOT,
    };
    let slot = plot.width() / groups.len().max(1) as f64;
    // With more groups than names fit, every second or third is named.
    let every = (44.0 / slot).ceil().max(1.0) as usize;
    let under = |group: &BarGroup| wrap(&group.name, SIZE, slot * every as f64 - 8.0, 2);
    let lines = groups.iter().step_by(every).map(|group| under(group).len()).max().unwrap_or(0);
    // There is room under the plot for two lines.
    let named = !x.trim().is_empty();
    let rows = lines + usize::from(named);
    sketch.height += if rows > 2 { 22.0 } else { 0.0 };
    let plot = Area { bottom: plot.bottom + if rows < 2 { 20.0 } else { 0.0 }, ..plot };
    let y_scale = y_scale.onto(plot.bottom, plot.top + HEADROOM);
    frame::y_axis(&mut sketch, plot, &y_scale, top + 10.0);

    // Numbers at all bars, or at none: a number at some of them looks as if it meant something.
    let fits = |group: &BarGroup, bar: &Bar| {
        !bar.value.is_finite() || width(&y.unit.show(bar.value), SIZE - 1.0) <= step(slot, group) + 4.0
    };
    let numbered = groups.iter().all(|group| group.bars.iter().all(|bar| fits(group, bar)));

    let ground = Ground { names: &names, y: &y_scale, unit: y.unit, infinite, numbered };
    for (index, group) in groups.iter().enumerate() {
        let slot = Area { left: plot.left + index as f64 * slot, right: plot.left + (index + 1) as f64 * slot, ..plot };
        ground.draw_group(&mut sketch, slot, group);
        if index % every == 0 {
            let middle = f64::midpoint(slot.left, slot.right);
            for (line, words) in under(group).iter().enumerate() {
                let baseline = plot.bottom + 24.0 + line as f64 * 22.0;
                let half = width(words, SIZE) / 2.0;
                let middle = middle.clamp(4.0 + half, (WIDTH - 4.0 - half).max(4.0 + half));
                sketch.text(at(middle, baseline), Anchor::Middle, SIZE, BLACK, words);
            }
        }
    }
    if named {
        let title = fit(x, SIZE, plot.width());
        let baseline = plot.bottom + 27.0 + lines as f64 * 22.0;
        sketch.text(at(f64::midpoint(plot.left, plot.right), baseline), Anchor::Middle, SIZE, DARK, &title);
    }
    let floor = crisp(y_scale.floor());
    sketch.line(at(plot.left, floor), at(plot.right, floor), 1.5, DARK);
    if bars().all(|bar| bar.value.is_nan()) {
        frame::no_data(&mut sketch, plot);
    }
    sketch
}

/// Each name once, in order of first appearance.
pub fn names(groups: &[BarGroup]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for bar in groups.iter().flat_map(|group| &group.bars) {
        if !names.contains(&bar.name.as_str()) {
            names.push(&bar.name);
        }
    }
    names
}

/// A single kind of bar that is named like the axis needs no legend.
fn keys<'a>(names: &[&'a str], y: &Axis) -> Vec<Key<'a>> {
    if names.len() == 1 && names[0].trim() == y.label.trim() {
        return Vec::new();
    }
    let entries = names.iter().enumerate().filter(|(_, name)| !name.trim().is_empty());
    entries
        .map(|(index, name)| Key {
            name,
            sample_width: 28.0,
            draw: Box::new(move |sketch, area| draw_bar(sketch, area, index)),
        })
        .collect()
}

/// The width of a bar and the white beside it. A quarter of the slot stays white, so that groups are seen as groups.
fn step(slot: f64, group: &BarGroup) -> f64 {
    (slot * 0.76 / group.bars.len().max(1) as f64).min(WIDEST)
}

/// What all bars of a chart have in common.
struct Ground<'a> {
    names: &'a [&'a str],
    y: &'a Scale,
    unit: Unit,
    infinite: &'a str,
    /// Whether there is room for a number at each bar.
    numbered: bool,
}

impl Ground<'_> {
    fn draw_group(&self, sketch: &mut Sketch, slot: Area, group: &BarGroup) {
        let count = group.bars.len().max(1) as f64;
        let step = step(slot.width(), group);
        let left = f64::midpoint(slot.left, slot.right) - step * count / 2.0;
        for (index, bar) in group.bars.iter().enumerate() {
            let from = left + index as f64 * step;
            self.draw_bar(sketch, Area { left: from, right: from + step, ..slot }, bar);
        }
    }

    fn draw_bar(&self, sketch: &mut Sketch, slot: Area, bar: &Bar) {
        let look = self.names.iter().position(|name| *name == bar.name).unwrap_or(0);
        let inset = (slot.width() * 0.06).min(4.0);
        let column = Area { left: slot.left + inset, right: slot.right - inset, ..slot };
        let middle = f64::midpoint(slot.left, slot.right);
        let foot = self.y.floor();
        if bar.value.is_nan() {
            return;
        }
        if bar.value == f64::INFINITY {
            let top = slot.top + HEADROOM;
            draw_endless_bar(sketch, Area { top, bottom: foot, ..column }, look);
            let word = fit(self.infinite, SIZE, slot.width() + 12.0);
            // Better a mark than a word cut in half.
            let word = if word.ends_with('…') && !self.infinite.ends_with('…') { "∞" } else { &word };
            sketch.text(at(middle, top - 8.0), Anchor::Middle, SIZE, BLACK, word);
            return;
        }
        let head = self.y.clamp(bar.value);
        let area = Area { top: head.min(foot), bottom: head.max(foot), ..column };
        if area.height() > 0.5 {
            draw_bar(sketch, area, look);
        }
        let whisker = self.draw_whisker(sketch, slot, bar);
        let words = self.unit.show(bar.value);
        let over = area.top.min(whisker) - 8.0;
        // Only where it stands clear of the edge.
        if self.numbered && over > slot.top + SIZE * 0.8 {
            sketch.text(at(middle, over), Anchor::Middle, SIZE - 1.0, BLACK, &words);
        }
    }

    /// The interval, on the bar's middle. Returns the y of its upper end.
    fn draw_whisker(&self, sketch: &mut Sketch, slot: Area, bar: &Bar) -> f64 {
        let none = slot.bottom;
        if bar.low.is_nan() || bar.high.is_nan() || bar.low >= bar.high {
            return none;
        }
        let middle = f64::midpoint(slot.left, slot.right);
        let (low, high) = (self.y.clamp(bar.low), self.y.clamp(bar.high));
        let cap = (slot.width() * 0.16).min(8.0);
        // White below black, to be seen on dark bars too.
        for (wider, ink) in [(3.0, WHITE), (0.0, BLACK)] {
            sketch.line(at(middle, low + wider / 3.0), at(middle, high - wider / 3.0), 2.0 + wider, ink);
            for (end, place) in [(bar.low, low), (bar.high, high)] {
                // An end that is out of sight has no cap.
                if end >= self.y.low && end <= self.y.high {
                    sketch.line(at(middle - cap, place), at(middle + cap, place), 2.0 + wider, ink);
                }
            }
        }
        high
    }
}
