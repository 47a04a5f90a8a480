//! Parts as boxes, from those that ask on the left to the deepest on the right, and what flows between them as arrows: hop by hop, as
//! wide as it is strong.
//!
//! A part stands one layer to the right of the last one that calls it. Within a layer, parts are ordered by the mean place of their
//! neighbours (barycentres), as long as that makes fewer crossings. Arrows over several layers have places of their own in between.

use super::axis::sane;
use super::frame::{self, Key, MARGIN, SIZE, WIDTH};
use super::look::{BLACK, DARK, GREY, WHITE, draw_region};
use super::sketch::{Anchor, Area, Ink, Point, Sketch, along, at, fit, ink, length, width};
use super::{Chart, StripState};

/// Parts, and what flows between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Arrows name them by their places here.
    pub parts: Vec<Part>,
    /// Those whose ends are no parts are left out.
    pub arrows: Vec<Arrow>,
    /// What the arrows' widths and numbers mean, for the legend; may be empty.
    pub meaning: String,
    /// What good, bad and in-between mean here. An empty word is not shown, nor is one that no part is in.
    pub legend: [String; 3],
}

/// A part of a system.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Written below, such as `busy 98%`; may be empty.
    pub note: String,
    /// How it is. None: nothing is said.
    pub state: Option<StripState>,
}

/// What flows from part to part.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    /// The place of the part that calls.
    pub from: usize,
    /// The place of the part that is called.
    pub to: usize,
    /// Its width, in proportion to the others. Not a number, or not above zero: as thin as can be.
    pub weight: f64,
    /// Written on it, such as `3×`; may be empty.
    pub label: String,
}

const INK: Ink = ink(0x8f, 0xb0, 0xc8);
const GAP: f64 = 24.0;
/// Of an arrow that runs past a layer.
const LANE: f64 = 18.0;
const WIDEST: f64 = 18.0;
const THINNEST: f64 = 1.5;
const HEAD: f64 = 12.0;
const LABEL: f64 = 15.0;

pub fn draw(chart: &Chart, flow: &Flow) -> Sketch {
    let (mut sketch, top, _) = frame::begin(chart, &keys(flow));
    let plot = Area { left: MARGIN, right: WIDTH - MARGIN, top, bottom: top };
    if flow.parts.is_empty() {
        let plot = Area { bottom: top + 96.0, ..plot };
        sketch.height = plot.bottom + MARGIN;
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    let grid = Grid::of(flow);
    let tall = if flow.parts.iter().any(|part| !part.note.trim().is_empty()) { 54.0 } else { 38.0 };
    let places = Places::of(&grid, plot, tall);
    let returns = grid.back.iter().any(|is_back| *is_back);
    sketch.height = (top + places.height + MARGIN + if returns { 44.0 } else { 8.0 }).ceil();

    let most = flow.arrows.iter().filter_map(|it| sane(it.weight)).fold(0.0, f64::max);
    let wide = |arrow: &Arrow| {
        let share = sane(arrow.weight).filter(|it| *it > 0.0).map_or(0.0, |it| it / most);
        (share * WIDEST).max(THINNEST)
    };
    let paths = paths(flow, &grid, &places);
    // The widest first: a thin one must not be lost under it.
    let mut order: Vec<usize> = (0..flow.arrows.len()).filter(|&it| !paths[it].is_empty()).collect();
    order.sort_by(|a, b| wide(&flow.arrows[*b]).total_cmp(&wide(&flow.arrows[*a])));
    for &number in &order {
        arrow(&mut sketch, &paths[number], wide(&flow.arrows[number]));
    }
    let boxes: Vec<Area> = (0..flow.parts.len()).map(|part| places.part(part)).collect();
    for (part, area) in flow.parts.iter().zip(&boxes) {
        draw_part(&mut sketch, *area, part);
    }
    let mut taken = boxes;
    order.sort_unstable();
    for number in order {
        label(&mut sketch, &flow.arrows[number].label, &paths[number], &mut taken);
    }
    sketch
}

fn keys(flow: &Flow) -> Vec<Key<'_>> {
    let states = [StripState::Good, StripState::Bad, StripState::Between];
    let used = |state| flow.parts.iter().any(|part| part.state == Some(state));
    let words = flow.legend.iter().zip(states).filter(|(word, state)| !word.trim().is_empty() && used(*state));
    let mut keys: Vec<Key> = words
        .map(|(word, state)| Key {
            name: word,
            sample_width: 24.0,
            draw: Box::new(move |sketch: &mut Sketch, area: Area| {
                draw_region(sketch, area, state);
                sketch.edge(area, 1.0, GREY);
            }),
        })
        .collect();
    if !flow.meaning.trim().is_empty() && !flow.arrows.is_empty() {
        keys.push(Key {
            name: &flow.meaning,
            sample_width: 44.0,
            draw: Box::new(|sketch: &mut Sketch, area: Area| {
                let middle = f64::midpoint(area.top, area.bottom);
                arrow(sketch, &[at(area.left, middle), at(area.right, middle)], 6.0);
            }),
        });
    }
    keys
}

/// What stands in a layer: a part, or an arrow that runs past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Part(usize),
    Lane(usize),
}

/// Which part is in which layer, and in which order.
struct Grid {
    layers: Vec<Vec<Item>>,
    /// For each arrow, the layers of its two ends.
    ends: Vec<(usize, usize)>,
    /// For each arrow, whether it runs back, or to its own part.
    back: Vec<bool>,
    /// Neighbours in the layer to the right, as pairs of items.
    links: Vec<(Item, Item)>,
}

impl Grid {
    fn of(flow: &Flow) -> Grid {
        let count = flow.parts.len();
        let is_there = |arrow: &Arrow| arrow.from < count && arrow.to < count;
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); count];
        for arrow in flow.arrows.iter().filter(|arrow| is_there(arrow)) {
            next[arrow.from].push(arrow.to);
        }
        let layer = layers(&next);
        let back: Vec<bool> = flow.arrows.iter().map(|it| is_there(it) && layer[it.from] >= layer[it.to]).collect();
        let mut grid = Grid {
            layers: vec![Vec::new(); layer.iter().max().map_or(0, |most| most + 1)],
            ends: flow
                .arrows
                .iter()
                .map(|it| if is_there(it) { (layer[it.from], layer[it.to]) } else { (0, 0) })
                .collect(),
            back,
            links: Vec::new(),
        };
        for (part, layer) in layer.iter().enumerate() {
            grid.layers[*layer].push(Item::Part(part));
        }
        for (number, arrow) in flow.arrows.iter().enumerate().filter(|(_, arrow)| is_there(arrow)) {
            let (from, to) = grid.ends[number];
            let mut last = Item::Part(arrow.from);
            for layer in from + 1..to {
                grid.layers[layer].push(Item::Lane(number));
                grid.links.push((last, Item::Lane(number)));
                last = Item::Lane(number);
            }
            if to > from {
                grid.links.push((last, Item::Part(arrow.to)));
            }
        }
        grid.order();
        grid
    }

    /// Sweeps to and fro, and keeps the order with the fewest crossings.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..12 {
            let all: Vec<usize> = (1..self.layers.len()).collect();
            let turn: Vec<(usize, usize)> = if sweep % 2 == 0 {
                all.iter().map(|&layer| (layer, layer - 1)).collect()
            } else {
                all.iter().rev().map(|&layer| (layer - 1, layer)).collect()
            };
            for (layer, fixed) in turn {
                let place = |item: Item| self.layers[fixed].iter().position(|it| *it == item);
                let mean = |item: &Item, own: usize| {
                    let near: Vec<usize> = self.neighbours(layer, *item, fixed).into_iter().filter_map(place).collect();
                    if near.is_empty() { own as f64 } else { near.iter().sum::<usize>() as f64 / near.len() as f64 }
                };
                let mut items: Vec<(f64, Item)> =
                    self.layers[layer].iter().enumerate().map(|(own, item)| (mean(item, own), *item)).collect();
                items.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.layers[layer] = items.into_iter().map(|it| it.1).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// The items of the layer beside it with which an item is linked. A lane has the same name in all layers, so the layers say which
    /// of its links is meant.
    fn neighbours(&self, layer: usize, item: Item, beside: usize) -> Vec<Item> {
        let fits = |other: Item| self.layers[beside].contains(&other);
        let right = beside > layer;
        let other = |link: &(Item, Item)| {
            let (own, other) = if right { (link.0, link.1) } else { (link.1, link.0) };
            (own == item && fits(other)).then_some(other)
        };
        let mut near: Vec<Item> = self.links.iter().filter_map(other).collect();
        if let Item::Lane(number) = item
            && fits(item)
            && (self.ends[number].0 + 1..self.ends[number].1).contains(&beside)
        {
            near = vec![Item::Lane(number)];
        }
        near
    }

    fn crossings(&self) -> usize {
        let mut count = 0;
        for layer in 1..self.layers.len() {
            let mut lines: Vec<(usize, usize)> = Vec::new();
            for (place, item) in self.layers[layer].iter().enumerate() {
                let near = self.neighbours(layer, *item, layer - 1).into_iter();
                let from = near.filter_map(|near| self.layers[layer - 1].iter().position(|it| *it == near));
                lines.extend(from.map(|from| (from, place)));
            }
            for (number, a) in lines.iter().enumerate() {
                count +=
                    lines[..number].iter().filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count();
            }
        }
        count
    }
}

/// The layer of each part: one more than that of the last part that calls it. Calls that close a circle do not count.
fn layers(next: &[Vec<usize>]) -> Vec<usize> {
    // Depth first, from parts that nobody calls; a call to a part that is on the way there closes a circle.
    let mut called = vec![false; next.len()];
    next.iter().flatten().for_each(|&to| called[to] = true);
    let mut starts: Vec<usize> = (0..next.len()).filter(|&part| !called[part]).collect();
    starts.extend((0..next.len()).filter(|&part| called[part]));
    let (mut is_open, mut is_done) = (vec![false; next.len()], vec![false; next.len()]);
    let (mut after, mut forward): (Vec<usize>, Vec<(usize, usize)>) = (Vec::new(), Vec::new());
    for start in starts {
        let mut way = vec![(start, 0)];
        while let Some((part, step)) = way.pop() {
            if is_done[part] {
                continue;
            }
            is_open[part] = true;
            if let Some(&to) = next[part].get(step) {
                way.push((part, step + 1));
                if !is_open[to] {
                    forward.push((part, to));
                    way.push((to, 0));
                }
            } else {
                (is_open[part], is_done[part]) = (false, true);
                after.push(part);
            }
        }
    }
    let mut layer = vec![0; next.len()];
    for &part in after.iter().rev() {
        for &(_, to) in forward.iter().filter(|it| it.0 == part) {
            layer[to] = layer[to].max(layer[part] + 1);
        }
    }
    layer
}

/// Where the items stand.
struct Places {
    /// For each layer, the middle of each of its items, from the top of the plot.
    middles: Vec<Vec<f64>>,
    parts: Vec<Area>,
    lanes: Vec<Vec<Area>>,
    height: f64,
}

impl Places {
    fn of(grid: &Grid, plot: Area, tall: f64) -> Places {
        let size = |item: &Item| if matches!(item, Item::Part(_)) { tall + GAP } else { LANE };
        let needs = |layer: &Vec<Item>| layer.iter().map(size).sum::<f64>();
        let height = grid.layers.iter().map(needs).fold(0.0, f64::max);
        let mut middles: Vec<Vec<f64>> = Vec::new();
        for layer in &grid.layers {
            let mut y = (height - needs(layer)) / 2.0;
            let mut stand = |item: &Item| {
                y += size(item);
                y - size(item) / 2.0
            };
            middles.push(layer.iter().map(&mut stand).collect());
        }
        let mut places = Places { middles, parts: Vec::new(), lanes: vec![Vec::new(); grid.ends.len()], height };
        for turn in 0..10 {
            let count = grid.layers.len();
            for step in 0..count {
                let layer = if turn % 2 == 0 { step } else { count - 1 - step };
                places.settle(grid, layer, &size);
            }
        }
        places.stand(grid, plot, tall);
        places
    }

    /// Moves the items of a layer towards their neighbours on both sides, in order and apart from each other.
    fn settle(&mut self, grid: &Grid, layer: usize, size: &impl Fn(&Item) -> f64) {
        let items = &grid.layers[layer];
        let wish = |(own, item): (usize, &Item)| {
            let mut near = Vec::new();
            for beside in
                [layer.checked_sub(1), Some(layer + 1).filter(|it| *it < grid.layers.len())].into_iter().flatten()
            {
                for other in grid.neighbours(layer, *item, beside) {
                    let place = grid.layers[beside].iter().position(|it| *it == other);
                    near.extend(place.map(|place| self.middles[beside][place]));
                }
            }
            if near.is_empty() { self.middles[layer][own] } else { near.iter().sum::<f64>() / near.len() as f64 }
        };
        let mut wished: Vec<f64> = items.iter().enumerate().map(wish).collect();
        let mut free = 0.0;
        for (middle, item) in wished.iter_mut().zip(items) {
            *middle = middle.max(free + size(item) / 2.0);
            free = *middle + size(item) / 2.0;
        }
        let mut free = self.height;
        for (middle, item) in wished.iter_mut().zip(items).rev() {
            *middle = middle.min(free - size(item) / 2.0);
            free = *middle - size(item) / 2.0;
        }
        self.middles[layer] = wished;
    }

    fn stand(&mut self, grid: &Grid, plot: Area, tall: f64) {
        let count = grid.layers.len() as f64;
        let slot = plot.width() / count;
        let wide = (slot * 0.68).min(176.0);
        // The outermost boxes stand at the edges.
        let step = if count > 1.0 { (plot.width() - wide) / (count - 1.0) } else { 0.0 };
        let indent = if count > 1.0 { 0.0 } else { (plot.width() - wide) / 2.0 };
        let parts = grid.layers.iter().flatten().filter(|it| matches!(it, Item::Part(_))).count();
        self.parts = vec![plot; parts];
        for (layer, (items, middles)) in grid.layers.iter().zip(&self.middles).enumerate() {
            let left = plot.left + indent + layer as f64 * step;
            for (item, middle) in items.iter().zip(middles) {
                let middle = plot.top + middle;
                let area = |half: f64| Area { left, right: left + wide, top: middle - half, bottom: middle + half };
                match item {
                    Item::Part(part) => self.parts[*part] = area(tall / 2.0),
                    Item::Lane(arrow) => self.lanes[*arrow].push(area(LANE / 2.0)),
                }
            }
        }
    }

    fn part(&self, part: usize) -> Area {
        self.parts[part]
    }
}

/// The way of each arrow; empty for one whose ends are no parts.
fn paths(flow: &Flow, grid: &Grid, places: &Places) -> Vec<Vec<Point>> {
    let count = flow.parts.len();
    let mut ways: Vec<Vec<Point>> = vec![Vec::new(); flow.arrows.len()];
    let forward: Vec<usize> = (0..flow.arrows.len())
        .filter(|&it| flow.arrows[it].from < count && flow.arrows[it].to < count && !grid.back[it])
        .collect();
    let (mut starts, mut stops) = (vec![0.0; flow.arrows.len()], vec![0.0; flow.arrows.len()]);
    // Arrows leave and reach a box in the order of where they come from, so that they do not cross there.
    for part in 0..count {
        let area = places.part(part);
        let ports = |mut arrows: Vec<(f64, usize)>, out: &mut Vec<f64>| {
            arrows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let share = area.height() / (arrows.len() + 1) as f64;
            for (place, (_, arrow)) in arrows.iter().enumerate() {
                out[*arrow] = area.top + (place + 1) as f64 * share;
            }
        };
        let middle = |area: Area| f64::midpoint(area.top, area.bottom);
        let leaving = forward.iter().filter(|&&it| flow.arrows[it].from == part).map(|&it| {
            (middle(places.lanes[it].first().copied().unwrap_or_else(|| places.part(flow.arrows[it].to))), it)
        });
        ports(leaving.collect(), &mut starts);
        let coming = forward.iter().filter(|&&it| flow.arrows[it].to == part).map(|&it| {
            (middle(places.lanes[it].last().copied().unwrap_or_else(|| places.part(flow.arrows[it].from))), it)
        });
        ports(coming.collect(), &mut stops);
    }
    for &number in &forward {
        let (from, to) = (places.part(flow.arrows[number].from), places.part(flow.arrows[number].to));
        let mut way = vec![at(from.right, starts[number])];
        for lane in &places.lanes[number] {
            let middle = f64::midpoint(lane.top, lane.bottom);
            let entry = at(lane.left, middle);
            bend(&mut way, entry);
            way.push(at(lane.right, middle));
        }
        bend(&mut way, at(to.left, stops[number]));
        ways[number] = way;
    }
    for number in (0..flow.arrows.len()).filter(|&it| grid.back[it]) {
        let (from, to) = (places.part(flow.arrows[number].from), places.part(flow.arrows[number].to));
        ways[number] = under(from, to);
    }
    ways
}

/// Goes on level from where the way ends, and comes to the next place level.
fn bend(way: &mut Vec<Point>, to: Point) {
    let from = way[way.len() - 1];
    let middle = f64::midpoint(from.x, to.x);
    curve(way, at(middle, from.y), at(middle, to.y), to);
}

/// A cubic Bézier curve.
fn curve(way: &mut Vec<Point>, b: Point, c: Point, d: Point) {
    let a = way[way.len() - 1];
    for step in 1..=20 {
        let t = f64::from(step) / 20.0;
        let s = 1.0 - t;
        let mix =
            |a: f64, b: f64, c: f64, d: f64| s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d;
        way.push(at(mix(a.x, b.x, c.x, d.x), mix(a.y, b.y, c.y, d.y)));
    }
}

/// Back, below the boxes.
fn under(from: Area, to: Area) -> Vec<Point> {
    let same = from == to;
    let shift = if same { from.width() / 4.0 } else { 0.0 };
    let start = at(f64::midpoint(from.left, from.right) + shift, from.bottom);
    let end = at(f64::midpoint(to.left, to.right) - shift, to.bottom);
    let low = start.y.max(end.y) + 44.0;
    let mut way = vec![start];
    curve(&mut way, at(start.x, low), at(end.x, low), end);
    way
}

/// A band that ends in a head.
fn arrow(sketch: &mut Sketch, way: &[Point], wide: f64) {
    let (Some(&tip), Some(&start)) = (way.last(), way.first()) else { return };
    let head = HEAD.max(wide * 0.9);
    // The band ends where the head begins.
    let far = |point: &Point| libm::hypot(tip.x - point.x, tip.y - point.y) > head;
    let kept = way.iter().rposition(far).map_or(1, |last| last + 1);
    let mut band: Vec<Point> = way[..kept].to_vec();
    let last = *band.last().unwrap_or(&start);
    let length = libm::hypot(tip.x - last.x, tip.y - last.y).max(1e-6);
    let (x, y) = ((tip.x - last.x) / length, (tip.y - last.y) / length);
    let neck = at(tip.x - x * head.min(length), tip.y - y * head.min(length));
    band.push(neck);
    let half = wide / 2.0 + 4.0;
    sketch.stroke(&band, wide + 3.0, &[], WHITE);
    sketch.stroke(&band, wide, &[], INK);
    sketch.fill(vec![at(neck.x - y * half, neck.y + x * half), tip, at(neck.x + y * half, neck.y - x * half)], INK);
}

fn draw_part(sketch: &mut Sketch, area: Area, part: &Part) {
    sketch.block(area, WHITE);
    let mark = if let Some(state) = part.state {
        let mark = Area { right: area.left + (area.width() * 0.1).min(14.0), ..area };
        draw_region(sketch, mark, state);
        sketch.line(at(mark.right, mark.top), at(mark.right, mark.bottom), 1.0, GREY);
        mark.width()
    } else {
        0.0
    };
    let bad = part.state == Some(StripState::Bad);
    sketch.edge(area, if bad { 3.0 } else { 1.5 }, if bad { ink(0x96, 0x33, 0x00) } else { DARK });
    let room = area.width() - mark - 8.0;
    let middle = f64::midpoint(area.left + mark, area.right);
    let note = part.note.trim();
    let lines = [(part.name.trim(), BLACK), (note, DARK)];
    let baselines = if note.is_empty() { [0.5, 0.0] } else { [0.32, 0.74] };
    for ((words, ink), share) in lines.into_iter().zip(baselines) {
        // Smaller before shorter.
        let sizes = [SIZE - 1.0, SIZE - 3.0, SIZE - 4.5, SIZE - 5.5];
        let size = sizes.into_iter().find(|size| width(words, *size) <= room).unwrap_or(SIZE - 5.5);
        let baseline = area.top + area.height() * share + size * 0.36;
        sketch.text(at(middle, baseline), Anchor::Middle, size, ink, &fit(words, size, room));
    }
}

/// On the arrow, where nothing else is.
fn label(sketch: &mut Sketch, words: &str, way: &[Point], taken: &mut Vec<Area>) {
    let words = fit(words.trim(), LABEL, 160.0);
    if words.is_empty() {
        return;
    }
    let half = width(&words, LABEL) / 2.0 + 3.0;
    let length = length(way);
    let around = |share: f64| {
        let place = along(way, length * share);
        let x = place.x.clamp(half + 4.0, WIDTH - half - 4.0);
        let y = place.y.min(sketch.height - 12.0);
        Area { left: x - half, right: x + half, top: y - 9.0, bottom: y + 9.0 }
    };
    let tries = [0.45, 0.55, 0.35, 0.65, 0.25, 0.75, 0.15, 0.85];
    let free = tries.into_iter().map(around).find(|area| !taken.iter().any(|other| area.meets(other)));
    let area = free.unwrap_or_else(|| around(0.45));
    sketch.block(area, WHITE.thin(0.85));
    let middle = at(f64::midpoint(area.left, area.right), area.bottom - 9.0 + LABEL * 0.36);
    sketch.text(middle, Anchor::Middle, LABEL, BLACK, &words);
    taken.push(area);
}
