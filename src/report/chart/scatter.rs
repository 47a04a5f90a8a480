//! Points in two measures, and the frontier of those that nothing beats in both.

use super::axis::{Ends, Scale};
use super::frame::{self, FOOT, HEIGHT, Key, MARGIN, SIZE, WIDTH};
use super::look::{BLACK, GREY, Look, WHITE, colour};
use super::sketch::{Anchor, Area, Ink, Point, Sketch, at, fit, width};
use super::{Axis, Chart};

/// Points in two measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Those that are dominated are drawn faint.
    pub points: Vec<Dot>,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Which values are better on the horizontal axis. Decides on which side the steps of the frontier are.
    pub better_x: Better,
    /// Which values are better on the vertical axis.
    pub better_y: Better,
    /// What the points of the frontier and the others are called in the legend, e.g. `frontier`, `beaten in both`. An empty word is
    /// not shown.
    pub legend: [String; 2],
}

/// Which values are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Small ones, as of latency.
    Less,
    /// Large ones, as of goodput.
    More,
}

/// A point of a scatter.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// Where it is, `(x, y)`.
    pub at: (f64, f64),
    /// Its interval on the horizontal axis. Not a number: none.
    pub x: (f64, f64),
    /// Its interval on the vertical axis. Not a number: none.
    pub y: (f64, f64),
    /// Whether another point is as good in both measures and better in one.
    pub dominated: bool,
    /// Written beside it; may be empty.
    pub label: String,
}

pub fn draw(chart: &Chart, scatter: &Scatter) -> Sketch {
    let (mut sketch, top, extra) = frame::begin(chart, &keys(scatter));
    sketch.height = HEIGHT + extra;
    let shows = |axis: &Axis, value: f64| super::axis::sane(value).is_some_and(|value| !axis.log || value > 0.0);
    let seen = |dot: &&Dot| shows(&scatter.x, dot.at.0) && shows(&scatter.y, dot.at.1);
    let dots: Vec<&Dot> = scatter.points.iter().filter(seen).collect();
    let ends = |pick: fn(&Dot) -> [f64; 3]| dots.iter().flat_map(move |dot| pick(dot));
    let x = Scale::new(&scatter.x, ends(|dot| [dot.at.0, dot.x.0, dot.x.1]), 7, Ends::AtTicks);
    let y = Scale::new(&scatter.y, ends(|dot| [dot.at.1, dot.y.0, dot.y.1]), 5, Ends::AtTicks);
    let plot = Area {
        left: MARGIN + y.label_width(SIZE) + 10.0,
        right: WIDTH - MARGIN - 8.0,
        top: top + 29.0,
        bottom: sketch.height - FOOT,
    };
    let x = x.onto(plot.left, plot.right);
    let y = y.onto(plot.bottom, plot.top);
    let better = |better| match better {
        Better::Less => "less is better",
        Better::More => "more is better",
    };
    let named = |scale: &Scale, which| {
        let mut named = scale.clone();
        named.title = joined(&scale.title, better(which));
        named
    };
    frame::y_axis(&mut sketch, plot, &named(&y, scatter.better_y), top + 10.0);
    frame::x_axis(&mut sketch, plot, &named(&x, scatter.better_x));
    if dots.is_empty() {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }
    let place = |dot: &Dot| Some(at(x.place(dot.at.0)?, y.place(dot.at.1)?));
    for dominated in [true, false] {
        if !dominated {
            let best = dots.iter().filter(|dot| !dot.dominated).filter_map(|dot| place(dot)).collect();
            look(false).draw_line(&mut sketch, &steps(best, scatter));
        }
        for dot in dots.iter().filter(|dot| dot.dominated == dominated) {
            if let Some(place) = place(dot) {
                whiskers(&mut sketch, dot, place, (&x, &y));
            }
        }
    }
    for dominated in [true, false] {
        for place in dots.iter().filter(|dot| dot.dominated == dominated).filter_map(|dot| place(dot)) {
            look(dominated).draw_marker(&mut sketch, place);
        }
    }
    let places: Vec<Point> = dots.iter().filter_map(|dot| place(dot)).collect();
    let mut taken: Vec<Area> = places.iter().map(|place| around(*place, 7.0)).collect();
    for (dot, place) in dots.iter().zip(&places) {
        label(&mut sketch, plot, &dot.label, *place, &mut taken);
    }
    sketch
}

fn joined(title: &str, words: &str) -> String {
    if title.is_empty() { words.to_owned() } else { format!("{title}: {words}") }
}

fn keys(scatter: &Scatter) -> Vec<Key<'_>> {
    let words = scatter.legend.iter().zip([false, true]);
    let words = words.filter(|(word, dominated)| {
        !word.trim().is_empty() && scatter.points.iter().any(|dot| dot.dominated == *dominated)
    });
    words
        .map(|(word, dominated)| Key {
            name: word,
            sample_width: if dominated { 20.0 } else { 52.0 },
            draw: Box::new(move |sketch: &mut Sketch, area: Area| {
                let middle = f64::midpoint(area.top, area.bottom);
                if !dominated {
                    look(false).draw_line(sketch, &[at(area.left, middle), at(area.right, middle)]);
                }
                look(dominated).draw_marker(sketch, at(f64::midpoint(area.left, area.right), middle));
            }),
        })
        .collect()
}

/// Of a point on the frontier, or of another.
fn look(dominated: bool) -> Look {
    let (ink, marker) = if dominated { (FAINT, 1) } else { (colour(0), 0) };
    Look { ink, width: 2.5, dashes: &[], marker: Some(marker) }
}

const FAINT: Ink = Ink { rgb: (0xa8, 0xa8, 0xa8), alpha: 1.0 };

/// From point to point along the edge of what they dominate.
fn steps(mut best: Vec<Point>, scatter: &Scatter) -> Vec<Point> {
    best.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    let corner = |from: Point, to: Point| match scatter.better_x {
        Better::Less => at(to.x, from.y),
        Better::More => at(from.x, to.y),
    };
    let firsts = best.first().copied();
    let rest = best.windows(2).flat_map(|pair| [corner(pair[0], pair[1]), pair[1]]);
    firsts.into_iter().chain(rest).collect()
}

fn whiskers(sketch: &mut Sketch, dot: &Dot, place: Point, (x, y): (&Scale, &Scale)) {
    let ink = if dot.dominated { FAINT.thin(0.7) } else { GREY };
    let is_interval = |(low, high): (f64, f64)| !low.is_nan() && !high.is_nan() && low < high;
    let cap = 4.0;
    if is_interval(dot.x) {
        let (low, high) = (x.clamp(dot.x.0), x.clamp(dot.x.1));
        sketch.line(at(low, place.y), at(high, place.y), 1.5, ink);
        for (value, end) in [(dot.x.0, low), (dot.x.1, high)] {
            if value >= x.low && value <= x.high {
                sketch.line(at(end, place.y - cap), at(end, place.y + cap), 1.5, ink);
            }
        }
    }
    if is_interval(dot.y) {
        let (low, high) = (y.clamp(dot.y.0), y.clamp(dot.y.1));
        sketch.line(at(place.x, low), at(place.x, high), 1.5, ink);
        for (value, end) in [(dot.y.0, low), (dot.y.1, high)] {
            if value >= y.low && value <= y.high {
                sketch.line(at(place.x - cap, end), at(place.x + cap, end), 1.5, ink);
            }
        }
    }
}

fn around(place: Point, reach: f64) -> Area {
    Area { left: place.x - reach, right: place.x + reach, top: place.y - reach, bottom: place.y + reach }
}

/// Beside its point where nothing else is; to the upper right if there is no such place.
fn label(sketch: &mut Sketch, plot: Area, words: &str, place: Point, taken: &mut Vec<Area>) {
    let words = fit(words.trim(), SIZE - 1.0, plot.width() / 2.0);
    if words.is_empty() {
        return;
    }
    let wide = width(&words, SIZE - 1.0);
    let beside = |left: f64, baseline: f64| {
        let left = left.clamp(plot.left + 4.0, (plot.right - wide - 4.0).max(plot.left + 4.0));
        let baseline = baseline.clamp(plot.top + SIZE, plot.bottom - 6.0);
        Area { left, right: left + wide, top: baseline - SIZE * 0.8, bottom: baseline + SIZE * 0.2 }
    };
    let (x, y) = (place.x, place.y);
    let tries = [
        beside(x + 12.0, y - 10.0),
        beside(x + 12.0, y + 20.0),
        beside(x - wide - 12.0, y - 10.0),
        beside(x - wide - 12.0, y + 20.0),
        beside(x - wide / 2.0, y - 18.0),
        beside(x - wide / 2.0, y + 30.0),
        beside(x + 30.0, y - 34.0),
        beside(x - wide - 30.0, y + 44.0),
    ];
    let free = tries.iter().find(|area| !taken.iter().any(|other| area.meets(other)));
    let area = *free.unwrap_or(&tries[0]);
    let ground = Area { left: area.left - 2.0, right: area.right + 2.0, ..area };
    sketch.block(ground, WHITE.thin(0.8));
    sketch.text(at(area.left, area.bottom - SIZE * 0.2), Anchor::Start, SIZE - 1.0, BLACK, &words);
    taken.push(area);
}
