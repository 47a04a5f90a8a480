//! Lines: over time, over load, over a sweep; and distributions, which are lines too.

use super::axis::{Ends, Scale};
use super::frame::{self, FOOT, HEIGHT, Key, MARGIN, SIZE, WIDTH};
use super::look::{Look, looks};
use super::sketch::{Area, Point, Sketch, at};
use super::{Axis, Chart, Series, Shade, Unit};

/// Up to so many points, each gets its marker; a line of more gets a few, spread out.
const EVERY_POINT: usize = 20;
const SPREAD: usize = 5;

/// Shares of values up to each, as steps.
pub fn cumulative(chart: &Chart, series: &[Series], x: &Axis, y: &str) -> Sketch {
    let stairs = |series: &Series| {
        let seen = |(value, share): &&(f64, f64)| can_show(x, *value) && share.is_finite();
        let points: Vec<(f64, f64)> = series.points.iter().filter(seen).copied().collect();
        let mut share = 0.0;
        let mut steps = Vec::new();
        for (value, next) in points {
            let next = next.clamp(0.0, 1.0);
            steps.extend([(value, share), (value, next)]);
            share = next;
        }
        Series { points: steps, band: None, ..series.clone() }
    };
    let mut stairs: Vec<Series> = series.iter().map(stairs).collect();
    // All go on to the largest value of all, so that what is missing at the end is seen.
    let last = stairs.iter().flat_map(|series| &series.points).map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    for series in &mut stairs {
        let end = series.points.last().map(|point| (last, point.1));
        series.points.extend(end);
    }
    let y = Axis { label: y.to_owned(), unit: Unit::Share, log: false, from_zero: true };
    draw_within(chart, &stairs, &[], (x, None), (&y, Some((0.0, 1.0)), 0))
}

pub fn draw(chart: &Chart, series: &[Series], shades: &[Shade], x: (&Axis, Option<(f64, f64)>), y: &Axis) -> Sketch {
    draw_within(chart, series, shades, x, (y, None, EVERY_POINT))
}

/// With spans that the axes show in any case, and the number of points up to which each has its marker.
fn draw_within(
    chart: &Chart,
    series: &[Series],
    shades: &[Shade],
    (x, span): (&Axis, Option<(f64, f64)>),
    (y, height, marked): (&Axis, Option<(f64, f64)>, usize),
) -> Sketch {
    let looks = looks(series.iter().map(|series| series.emphasis));
    let (mut sketch, top, extra) = frame::begin(chart, &keys(series, &looks));
    sketch.height = HEIGHT + extra;

    // The scales see exactly what will be drawn: a point that one axis cannot show must not stretch the other.
    let shown = |(a, b): &(f64, f64)| can_show(x, *a) && can_show(y, *b);
    let points = || series.iter().flat_map(|series| &series.points).filter(|point| shown(point));
    let bands = || {
        let ends = series.iter().filter_map(|series| series.band.as_ref()).flatten();
        ends.flat_map(|(x, low, high)| [(*x, *low), (*x, *high)]).filter(shown)
    };
    let empty = points().next().is_none() && bands().next().is_none();
    let heights = height.into_iter().flat_map(|(from, to)| [from, to]);
    let y_values = points().map(|(_, y)| *y).chain(bands().map(|(_, y)| y)).chain(heights);
    let y_scale = Scale::new(y, y_values, 5, Ends::AtTicks);
    let ends = span.into_iter().flat_map(|(from, to)| [from, to]);
    let x_scale = Scale::new(x, points().map(|(x, _)| *x).chain(bands().map(|(x, _)| x)).chain(ends), 7, Ends::AtData);

    let plot = Area {
        left: MARGIN + y_scale.label_width(SIZE) + 10.0,
        right: WIDTH - MARGIN - 8.0,
        top: top + 29.0,
        bottom: sketch.height - FOOT,
    };
    let x_scale = x_scale.onto(plot.left, plot.right);
    let labels = frame::shade_labels(shades, &x_scale, plot);
    let y_scale = y_scale.onto(plot.bottom, plot.top + labels.headroom());

    frame::shade(&mut sketch, plot, shades, &x_scale);
    frame::y_axis(&mut sketch, plot, &y_scale, top + 10.0);
    frame::x_axis(&mut sketch, plot, &x_scale);
    labels.draw(&mut sketch, plot);
    if empty {
        frame::no_data(&mut sketch, plot);
        return sketch;
    }

    let place = |a: f64, b: f64| Some(at(x_scale.place(a)?, y_scale.place(b)?));
    for (series, look) in series.iter().zip(&looks) {
        for band in bands_of(series, &place) {
            sketch.fill(band, look.ink.thin(0.18));
        }
    }
    let pieces: Vec<Vec<Vec<Point>>> = series.iter().map(|series| pieces(series, &place)).collect();
    // References first, whatever their order: they must not cover what they are compared with.
    for reference in [true, false] {
        for (pieces, look) in pieces.iter().zip(&looks).filter(|(_, look)| look.marker.is_none() == reference) {
            for piece in pieces {
                look.draw_line(&mut sketch, &thinned(piece));
            }
        }
    }
    let only = looks.iter().filter(|look| look.marker.is_some()).count() == 1;
    for (index, (pieces, look)) in pieces.iter().zip(&looks).enumerate() {
        for place in markers(pieces, look, (index, looks.len()), only, marked) {
            look.draw_marker(&mut sketch, place);
        }
    }
    sketch
}

fn can_show(axis: &Axis, value: f64) -> bool {
    super::axis::sane(value).is_some_and(|value| !axis.log || value > 0.0)
}

fn keys<'a>(series: &'a [Series], looks: &'a [Look]) -> Vec<Key<'a>> {
    let entries = series.iter().zip(looks).filter(|(series, _)| !series.name.trim().is_empty());
    entries
        .map(|(series, look)| Key {
            name: &series.name,
            sample_width: 52.0,
            draw: Box::new(move |sketch, area| {
                let middle = f64::midpoint(area.top, area.bottom);
                look.draw_line(sketch, &[at(area.left, middle), at(area.right, middle)]);
                if look.marker.is_some() {
                    look.draw_marker(sketch, at(f64::midpoint(area.left, area.right), middle));
                }
            }),
        })
        .collect()
}

/// The line, cut where a value is missing.
fn pieces(series: &Series, place: &impl Fn(f64, f64) -> Option<Point>) -> Vec<Vec<Point>> {
    cut(series.points.iter().map(|(x, y)| place(*x, *y)))
}

/// One outline for each unbroken stretch of the band: along the upper edge, back along the lower.
fn bands_of(series: &Series, place: &impl Fn(f64, f64) -> Option<Point>) -> Vec<Vec<Point>> {
    let band = series.band.as_deref().unwrap_or_default();
    let pairs = band.iter().map(|(x, low, high)| Some((place(*x, *low)?, place(*x, *high)?)));
    let stretches = cut(pairs).into_iter().filter(|stretch| stretch.len() > 1);
    stretches
        .map(|stretch| {
            let upper: Vec<Point> = stretch.iter().map(|(_, high)| *high).collect();
            let lower: Vec<Point> = stretch.iter().map(|(low, _)| *low).collect();
            thinned(&upper).into_iter().chain(thinned(&lower).into_iter().rev()).collect()
        })
        .collect()
}

fn cut<T>(places: impl Iterator<Item = Option<T>>) -> Vec<Vec<T>> {
    let mut pieces = vec![Vec::new()];
    for place in places {
        match place {
            Some(place) => pieces.last_mut().expect("there is always a piece").push(place),
            None => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A line of very many points, as the first, lowest, highest and last of those that share a column of pixels. It
/// looks the same and makes a small file.
fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() < 2 * WIDTH as usize {
        return points.to_vec();
    }
    points
        .chunk_by(|a, b| a.x.floor() == b.x.floor())
        .flat_map(|column| {
            let by_height = |a: &usize, b: &usize| column[*a].y.total_cmp(&column[*b].y);
            let all = || 0..column.len();
            let mut keep = vec![0, column.len() - 1];
            keep.extend(all().min_by(by_height));
            keep.extend(all().max_by(by_height));
            keep.sort_unstable();
            keep.dedup();
            keep.into_iter().map(|index| column[index])
        })
        .collect()
}

/// Where the markers of a line go. A point without neighbours always has one, or it could not be seen.
fn markers(
    pieces: &[Vec<Point>],
    look: &Look,
    (index, lines): (usize, usize),
    only: bool,
    marked: usize,
) -> Vec<Point> {
    let lonely = pieces.iter().filter(|piece| piece.len() == 1).map(|piece| piece[0]);
    let joined: Vec<Point> = pieces.iter().filter(|piece| piece.len() > 1).flatten().copied().collect();
    let mut places: Vec<Point> = if look.marker.is_none() || joined.is_empty() || (only && joined.len() > marked) {
        Vec::new()
    } else if joined.len() <= marked {
        joined
    } else {
        spread(&joined, index, lines)
    };
    places.extend(lonely);
    places
}

/// A few points at even distances from left to right, each line's a little further on than the last one's.
fn spread(points: &[Point], index: usize, lines: usize) -> Vec<Point> {
    let left = points.iter().map(|point| point.x).fold(f64::INFINITY, f64::min);
    let right = points.iter().map(|point| point.x).fold(f64::NEG_INFINITY, f64::max);
    let shift = (index as f64 + 0.5) / lines as f64;
    (0..SPREAD)
        .filter_map(|step| {
            let wanted = left + (right - left) * (step as f64 + shift) / SPREAD as f64;
            points.iter().copied().min_by(|a, b| (a.x - wanted).abs().total_cmp(&(b.x - wanted).abs()))
        })
        .collect()
}
