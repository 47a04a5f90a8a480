//! What tells series apart: colour, dashes, markers and hatching, so that one of them is always left, also in black
//! and white or for a reader who does not see red.
//!
//! The colours are those of Okabe and Ito, without their yellow, which is lost on white. Seven colours, four dash
//! patterns and five markers: 140 series until a look comes back.

use super::sketch::{Area, Ink, Point, Sketch, at, ink, length};
use super::{Doing, Emphasis, StripState};

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
        let length = length(points);
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

/// A stretch of a map, or its swatch: like that of a strip, but to be seen over a large area.
pub fn draw_region(sketch: &mut Sketch, area: Area, state: StripState) {
    match state {
        StripState::Good | StripState::Bad => draw_state(sketch, area, state),
        StripState::Between => {
            sketch.block(area, ink(0xf2, 0xb6, 0x3a));
            // On a grid of the whole picture, so that they run on from one area to the next.
            let steps = |from: f64, to: f64| {
                let first = (from / DOTTED).ceil().max(0.0) as u32;
                (first..first + 200).map(|step| f64::from(step) * DOTTED).take_while(move |place| *place < to - 1.5)
            };
            for y in steps(area.top + 1.5, area.bottom) {
                for x in steps(area.left + 1.5, area.right) {
                    sketch.block(Area { left: x - 1.5, right: x + 1.5, top: y - 1.5, bottom: y + 1.5 }, BLACK);
                }
            }
        }
    }
}

/// What a span does for a while, or its swatch.
pub fn draw_span(sketch: &mut Sketch, area: Area, what: Doing) {
    let middle = f64::midpoint(area.top, area.bottom);
    match what {
        Doing::Queued => {
            sketch.block(area, ink(0xfb, 0xe3, 0xae));
            hatch(sketch, area, 7.0, false, 1.5, ink(0xb8, 0x7a, 0x00));
            sketch.edge(area, 1.0, ink(0xb8, 0x7a, 0x00));
        }
        Doing::Served => sketch.block(area, colour(0)),
        Doing::Waiting => sketch.line(at(area.left, middle), at(area.right, middle), 2.0, GREY),
        Doing::BackingOff => dots(sketch, area, 7.0, DARK),
        Doing::Wasted => draw_state(sketch, area, StripState::Bad),
    }
}

/// Pixels from dot to dot.
const DOTTED: f64 = 11.0;

/// Colours from light to dark, which grey paper keeps in order.
const HEAT: [Ink; 8] = [
    ink(0xff, 0xff, 0xe0),
    ink(0xd6, 0xef, 0xb3),
    ink(0x9f, 0xda, 0xb8),
    ink(0x5b, 0xc0, 0xc0),
    ink(0x2b, 0x96, 0xbf),
    ink(0x22, 0x64, 0xa8),
    ink(0x21, 0x3a, 0x8c),
    ink(0x0a, 0x1d, 0x58),
];

/// The colour of a share of the way from the lowest to the highest value.
pub fn heat_ink(share: f64) -> Ink {
    let place = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) } * (HEAT.len() - 1) as f64;
    let first = (place as usize).min(HEAT.len() - 2);
    let way = place - first as f64;
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * way).round() as u8;
    let ((a, b, c), (d, e, f)) = (HEAT[first].rgb, HEAT[first + 1].rgb);
    ink(mix(a, d), mix(b, e), mix(c, f))
}

/// Black or white, whichever can be read over a colour.
pub fn ink_over(ground: Ink) -> Ink {
    let (red, green, blue) = ground.rgb;
    let light = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    if light > 140.0 { BLACK } else { WHITE }
}

/// A box whose value is infinite.
pub fn draw_without_end(sketch: &mut Sketch, area: Area) {
    sketch.block(area, ink(0x96, 0x33, 0x00));
    hatch(sketch, area, 9.0, true, 1.5, ink(0xff, 0xd9, 0xb8));
}

/// A box without a value.
pub fn draw_nothing(sketch: &mut Sketch, area: Area) {
    sketch.block(area, WHITE);
    hatch(sketch, area, 7.0, false, 1.0, SHADE_EDGE);
    sketch.edge(area, 1.0, SHADE_EDGE);
}

/// A black line with a white edge, to be seen on any ground; the `n`th of a picture has dashes of its own.
pub fn outlined(sketch: &mut Sketch, points: &[Point], n: usize) {
    sketch.stroke(points, 6.0, &[], WHITE.thin(0.8));
    let look = Look { ink: BLACK, width: 2.5, dashes: DASHES[n % DASHES.len()], marker: None };
    look.draw_line(sketch, points);
}

/// Slanting lines, `step` pixels apart, that stay inside the area and run on from one area to the next.
fn hatch(sketch: &mut Sketch, area: Area, step: f64, rising: bool, width: f64, ink: Ink) {
    if area.width() < 3.0 || area.height() < 3.0 {
        return;
    }
    // Rising lines are falling ones in a mirror. In coordinates where the line falls, x - y is constant along it.
    let mirror = |x: f64| if rising { -x } else { x };
    let (left, right) = if rising { (-area.right, -area.left) } else { (area.left, area.right) };
    let (low, high) = (left - area.bottom, right - area.top);
    let mut constant = (low / step).ceil() * step;
    while constant < high {
        let from_x = (constant + area.top).max(left);
        let to_x = (constant + area.bottom).min(right);
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
