//! What tells series apart: colour, dashes, markers and hatching, so that one of them is always left, also in black
//! and white or for a reader who does not see red.
//!
//! The colours are those of Okabe and Ito, without their yellow, which is lost on white. Seven colours, four dash
//! patterns and five markers: 140 series until a look comes back.

use super::Emphasis;
use super::StripState;
use super::sketch::{Area, Ink, Point, Sketch, at, ink};

pub const BLACK: Ink = ink(0x1a, 0x1a, 0x1a);
pub const DARK: Ink = ink(0x4d, 0x4d, 0x4d);
pub const GREY: Ink = ink(0x80, 0x80, 0x80);
pub const GRID: Ink = ink(0xd9, 0xd9, 0xd9);
pub const SHADE: Ink = ink(0xec, 0xec, 0xec);
pub const SHADE_EDGE: Ink = ink(0xb8, 0xb8, 0xb8);
pub const WHITE: Ink = ink(0xff, 0xff, 0xff);

const COLOURS: [Ink; 7] = [
    ink(0x00, 0x72, 0xb2), // blue
    ink(0xd5, 0x5e, 0x00), // vermillion
    ink(0x00, 0x9e, 0x73), // green
    ink(0xcc, 0x79, 0xa7), // purple
    ink(0xe6, 0x9f, 0x00), // orange
    ink(0x56, 0xb4, 0xe9), // sky
    ink(0x1a, 0x1a, 0x1a), // black
];

/// On, off, on, off, in pixels. The first is solid.
const DASHES: [&[f64]; 4] = [&[], &[14.0, 6.0], &[4.0, 4.0], &[16.0, 5.0, 4.0, 5.0]];

/// A longer line would become more dashes than a reader can tell apart, and a file of megabytes. It is drawn solid
/// and thin.
const LONGEST_DASHED: f64 = 8_000.0;

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub ink: Ink,
    pub width: f64,
    pub dashes: &'static [f64],
    /// None for lines that only serve as a reference.
    pub marker: Option<usize>,
}

/// One look for each series, in their order.
pub fn looks(emphases: impl Iterator<Item = Emphasis>) -> Vec<Look> {
    let mut next = 0;
    emphases
        .map(|emphasis| match emphasis {
            Emphasis::Faint => Look { ink: GREY, width: 2.0, dashes: &[7.0, 5.0], marker: None },
            Emphasis::Normal => {
                next += 1;
                let n = next - 1;
                Look { ink: colour(n), width: 3.0, dashes: DASHES[n % DASHES.len()], marker: Some(n) }
            }
        })
        .collect()
}

pub fn colour(n: usize) -> Ink {
    COLOURS[n % COLOURS.len()]
}

impl Look {
    pub fn draw_line(&self, sketch: &mut Sketch, points: &[Point]) {
        let length: f64 = points.windows(2).map(|pair| libm::hypot(pair[1].x - pair[0].x, pair[1].y - pair[0].y)).sum();
        let (dashes, width): (&[f64], f64) =
            if length > LONGEST_DASHED { (&[], self.width / 2.0) } else { (self.dashes, self.width) };
        sketch.stroke(points, width, dashes, self.ink);
    }

    /// A filled marker on a white one, so that it stands out from lines it happens to lie on.
    pub fn draw_marker(&self, sketch: &mut Sketch, place: Point) {
        let shape = self.marker.unwrap_or(0);
        sketch.fill(outline(shape, place, 8.0), WHITE);
        sketch.fill(outline(shape, place, 6.0), self.ink);
    }
}

/// Circle, square, triangle, diamond, triangle upside down: of about the same weight for the same size.
fn outline(shape: usize, place: Point, size: f64) -> Vec<Point> {
    let around = |reach: f64, corners: &[(f64, f64)]| {
        corners.iter().map(|(x, y)| at(place.x + x * size * reach, place.y + y * size * reach)).collect()
    };
    match shape % 5 {
        0 => (0..24)
            .map(|step| {
                let angle = f64::from(step) * std::f64::consts::TAU / 24.0;
                at(place.x + size * libm::cos(angle), place.y + size * libm::sin(angle))
            })
            .collect(),
        1 => around(0.88, &[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),
        2 => around(1.25, &[(0.0, -1.0), (0.95, 0.7), (-0.95, 0.7)]),
        3 => around(1.3, &[(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)]),
        _ => around(1.25, &[(0.0, 1.0), (0.95, -0.7), (-0.95, -0.7)]),
    }
}

/// A bar or its swatch in the legend: a colour, and white lines over it that differ from neighbour to neighbour.
pub fn draw_bar(sketch: &mut Sketch, area: Area, n: usize) {
    sketch.block(area, colour(n));
    match n % 4 {
        0 => {}
        1 => hatch(sketch, area, 9.0, true, 2.0, WHITE),
        2 => rungs(sketch, area, 7.0, 2.0, WHITE),
        _ => hatch(sketch, area, 9.0, false, 2.0, WHITE),
    }
    sketch.edge(area, 1.5, colour(n));
}

/// A bar that has no end: hatched in its colour on white, and open at the top.
pub fn draw_endless_bar(sketch: &mut Sketch, area: Area, n: usize) {
    sketch.block(area, WHITE);
    hatch(sketch, area, 10.0, n % 2 == 1, 2.5, colour(n));
    sketch.stroke(
        &[at(area.left, area.top), at(area.left, area.bottom), at(area.right, area.bottom), at(area.right, area.top)],
        2.0,
        &[],
        colour(n),
    );
}

/// A stretch of a strip, or its swatch.
pub fn draw_state(sketch: &mut Sketch, area: Area, state: StripState) {
    match state {
        StripState::Good => {
            sketch.block(area, ink(0xd6, 0xe8, 0xf3));
        }
        StripState::Bad => {
            sketch.block(area, ink(0x96, 0x33, 0x00));
            hatch(sketch, area, 9.0, true, 1.5, ink(0xff, 0xd9, 0xb8));
        }
        StripState::Between => {
            sketch.block(area, ink(0xf2, 0xb6, 0x3a));
            dots(sketch, area, 8.0, BLACK);
        }
    }
}

/// Slanting lines, `step` pixels apart, that stay inside the area and run on from one area to the next.
fn hatch(sketch: &mut Sketch, area: Area, step: f64, rising: bool, width: f64, ink: Ink) {
    let (width_of, height) = (area.width(), area.height());
    if width_of < 3.0 || height < 3.0 {
        return;
    }
    // In coordinates where the line falls: x - y is constant along it.
    let (low, high) = (area.left - area.bottom, area.right - area.top);
    let mirror = |x: f64| if rising { area.left + area.right - x } else { x };
    let mut constant = (low / step).ceil() * step;
    while constant < high {
        let from_x = (constant + area.top).max(area.left);
        let to_x = (constant + area.bottom).min(area.right);
        if to_x - from_x > 1.0 {
            sketch.line(at(mirror(from_x), from_x - constant), at(mirror(to_x), to_x - constant), width, ink);
        }
        constant += step;
    }
}

/// Level lines from the foot upwards.
fn rungs(sketch: &mut Sketch, area: Area, step: f64, width: f64, ink: Ink) {
    let mut y = area.bottom - step;
    while y > area.top + 1.0 {
        sketch.line(at(area.left, y), at(area.right, y), width, ink);
        y -= step;
    }
}

/// A row of dots along the middle.
fn dots(sketch: &mut Sketch, area: Area, step: f64, ink: Ink) {
    let middle = f64::midpoint(area.top, area.bottom);
    let mut x = area.left + step / 2.0;
    while x + 2.0 < area.right {
        sketch.block(Area { left: x - 1.5, right: x + 1.5, top: middle - 1.5, bottom: middle + 1.5 }, ink);
        x += step;
    }
}
