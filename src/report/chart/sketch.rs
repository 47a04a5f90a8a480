//! A picture before it is a file: strokes, fills and texts, in pixels from the top left corner.
//!
//! Text is measured here with the font that ships with us, never with the system's.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, ScaleFont};

/// The family that SVG files ask for. DejaVu Sans, which we measure with, is among the widest of that family.
pub const FAMILY: &str = "sans-serif";

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../../assets/fonts/DejaVuSans-subset.ttf"))
        .expect("the font that ships with us is a font")
});

/// A place, in pixels; y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

pub const fn at(x: f64, y: f64) -> Point {
    Point { x, y }
}

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Whether some of it lies in the other.
    pub fn meets(&self, other: &Area) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn corners(&self) -> Vec<Point> {
        vec![at(self.left, self.top), at(self.right, self.top), at(self.right, self.bottom), at(self.left, self.bottom)]
    }
}

/// A colour and how much of it covers what lies below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ink {
    pub rgb: (u8, u8, u8),
    pub alpha: f64,
}

pub const fn ink(red: u8, green: u8, blue: u8) -> Ink {
    Ink { rgb: (red, green, blue), alpha: 1.0 }
}

impl Ink {
    pub const fn thin(self, alpha: f64) -> Ink {
        Ink { alpha, ..self }
    }
}

/// Which end of a text stands at its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text; `at` is on its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub at: Point,
    pub anchor: Anchor,
    pub size: f64,
    pub ink: Ink,
    pub words: String,
}

impl Text {
    /// Where it begins.
    pub fn left(&self) -> f64 {
        let width = width(&self.words, self.size);
        match self.anchor {
            Anchor::Start => self.at.x,
            Anchor::Middle => self.at.x - width / 2.0,
            Anchor::End => self.at.x - width,
        }
    }
}

/// One thing on the paper. Later marks cover earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// Lines from point to point.
    Stroke { points: Vec<Point>, width: f64, ink: Ink },
    /// A filled outline.
    Fill { outline: Vec<Point>, ink: Ink },
    /// Words.
    Text(Text),
}

/// The picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    pub width: f64,
    pub height: f64,
    pub marks: Vec<Mark>,
}

impl Sketch {
    pub fn new(width: f64) -> Sketch {
        Sketch { width, height: 0.0, marks: Vec::new() }
    }

    /// A line from point to point, solid or dashed: `dashes` are the lengths on, off, on, off; none is solid.
    pub fn stroke(&mut self, points: &[Point], width: f64, dashes: &[f64], ink: Ink) {
        let pieces = if dashes.is_empty() { vec![points.to_vec()] } else { dashed(points, dashes) };
        let pieces = pieces.into_iter().filter(|piece| piece.len() > 1);
        self.marks.extend(pieces.map(|points| Mark::Stroke { points, width, ink }));
    }

    /// A straight, solid line.
    pub fn line(&mut self, from: Point, to: Point, width: f64, ink: Ink) {
        self.stroke(&[from, to], width, &[], ink);
    }

    /// A filled outline.
    pub fn fill(&mut self, outline: Vec<Point>, ink: Ink) {
        self.marks.push(Mark::Fill { outline, ink });
    }

    /// A filled rectangle.
    pub fn block(&mut self, area: Area, ink: Ink) {
        self.fill(area.corners(), ink);
    }

    /// The edge of a rectangle.
    pub fn edge(&mut self, area: Area, width: f64, ink: Ink) {
        let mut corners = area.corners();
        corners.push(corners[0]);
        self.stroke(&corners, width, &[], ink);
    }

    /// Words on a baseline; the caller has seen to it that they fit.
    pub fn text(&mut self, at: Point, anchor: Anchor, size: f64, ink: Ink, words: &str) {
        if !words.is_empty() {
            self.marks.push(Mark::Text(Text { at, anchor, size, ink, words: words.to_owned() }));
        }
    }
}

/// How long a line through points is.
pub fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| libm::hypot(pair[1].x - pair[0].x, pair[1].y - pair[0].y)).sum()
}

/// The place so far along a line of at least one point; its end, if it is shorter.
pub fn along(line: &[Point], mut far: f64) -> Point {
    for pair in line.windows(2) {
        let step = length(pair);
        if step >= far && step > 0.0 {
            let share = far / step;
            return at(pair[0].x + (pair[1].x - pair[0].x) * share, pair[0].y + (pair[1].y - pair[0].y) * share);
        }
        far -= step;
    }
    line[line.len() - 1]
}

/// Cuts a line into dashes, by length along it.
fn dashed(points: &[Point], dashes: &[f64]) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    let (mut turn, mut left) = (0, dashes[0]);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = libm::hypot(to.x - from.x, to.y - from.y);
            if length <= left {
                left -= length;
                break;
            }
            from = at(from.x + (to.x - from.x) * left / length, from.y + (to.y - from.y) * left / length);
            piece.push(from);
            if turn % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            turn = (turn + 1) % dashes.len();
            left = dashes[turn];
            piece = vec![from];
        }
        piece.push(to);
    }
    if turn % 2 == 0 {
        pieces.push(piece);
    }
    pieces
}

/// How wide a text is, in pixels. A letter that our font lacks counts as a whole square, as in Chinese.
pub fn width(words: &str, size: f64) -> f64 {
    let font = FONT.as_scaled(scale(size));
    words
        .chars()
        .map(|letter| match font.glyph_id(letter) {
            missing if missing.0 == 0 => size,
            glyph => f64::from(font.h_advance(glyph)),
        })
        .sum()
}

/// The longest beginning of `words` that fits, with `…` when something had to go.
pub fn fit(words: &str, size: f64, room: f64) -> String {
    let words = clean(words);
    if width(&words, size) <= room {
        return words;
    }
    let mut kept = words;
    while kept.pop().is_some() {
        let short = format!("{}…", kept.trim_end());
        if width(&short, size) <= room {
            return short;
        }
    }
    String::new()
}

/// Breaks a text at spaces into at most `lines` lines that fit; the last one is cut if need be.
pub fn wrap(words: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let words = clean(words);
    let mut done: Vec<String> = Vec::new();
    let mut rest = words.trim();
    while !rest.is_empty() && done.len() + 1 < lines && width(rest, size) > room {
        let breaks = rest.char_indices().filter(|(_, letter)| *letter == ' ').map(|(index, _)| index);
        let Some(cut) = breaks.take_while(|cut| width(&rest[..*cut], size) <= room).last() else { break };
        done.push(rest[..cut].trim_end().to_owned());
        rest = rest[cut..].trim_start();
    }
    if !rest.is_empty() {
        done.push(fit(rest, size, room));
    }
    done
}

/// More letters than fit on any line.
const MOST_LETTERS: usize = 1_000;

/// Without characters that draw nothing: control characters are no XML, and invisible ones can turn a text around.
pub fn clean(words: &str) -> String {
    words
        .chars()
        .take(MOST_LETTERS)
        .filter_map(|letter| match letter {
            '\t' | '\n' | '\r' => Some(' '),
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => None,
            '\u{fffe}' | '\u{ffff}' => None,
            control if control.is_control() => None,
            letter => Some(letter),
        })
        .collect()
}

/// Calls `dot(x, y, coverage)` for each pixel of a text, on a canvas whose pixels are `1 / zoom` wide.
pub fn rasterise(text: &Text, zoom: f64, mut dot: impl FnMut(i32, i32, f64)) {
    let font = FONT.as_scaled(scale(text.size * zoom));
    let mut x = text.left() * zoom;
    for letter in text.words.chars() {
        let mut glyph = font.scaled_glyph(letter);
        let advance = if glyph.id.0 == 0 { text.size * zoom } else { f64::from(font.h_advance(glyph.id)) };
        glyph.position = ab_glyph::point(x as f32, (text.at.y * zoom) as f32);
        if let Some(outline) = font.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            let (left, top) = (corner.x as i32, corner.y as i32);
            // Glyphs are small: their pixels fit any integer.
            outline.draw(|x, y, coverage| dot(left + x as i32, top + y as i32, f64::from(coverage)));
        }
        x += advance;
    }
}

/// A font size is that of an em; ab_glyph counts from the highest ascent to the lowest descent.
fn scale(size: f64) -> f32 {
    let em = FONT.units_per_em().expect("our font knows its em");
    size as f32 * FONT.height_unscaled() / em
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_in_an_ellipsis_and_fits() {
        let short = fit("a rather long name", 16.0, 100.0);
        assert!(short.starts_with("a rath") && short.ends_with('…') && width(&short, 16.0) <= 100.0, "{short}");
        assert_eq!(fit("short", 16.0, 100.0), "short");
        assert_eq!(fit("anything", 16.0, 2.0), "");
    }

    #[test]
    fn a_text_is_wrapped_at_spaces() {
        assert_eq!(wrap("retry with full jitter", 16.0, 120.0, 2), ["retry with full", "jitter"]);
        assert_eq!(wrap("  ", 16.0, 120.0, 2), Vec::<String>::new());
    }

    #[test]
    fn dashes_add_up_to_the_line_without_its_gaps() {
        let line = [at(0.0, 0.0), at(30.0, 0.0), at(30.0, 30.0)];
        let length = |piece: &Vec<Point>| -> f64 {
            piece.windows(2).map(|pair| libm::hypot(pair[1].x - pair[0].x, pair[1].y - pair[0].y)).sum()
        };
        // 60 pixels of 10 on, 5 off: four dashes.
        let pieces = dashed(&line, &[10.0, 5.0]);
        assert_eq!(pieces.iter().map(length).collect::<Vec<_>>(), [10.0; 4]);
    }

    #[test]
    fn every_letter_that_we_write_ourselves_is_in_the_font() {
        for letter in "…×µ–−→≤∞%°αβλ".chars() {
            assert_ne!(FONT.glyph_id(letter).0, 0, "{letter}");
        }
    }
}
