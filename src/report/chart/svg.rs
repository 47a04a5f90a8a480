//! Writes a sketch as SVG.
//!
//! plotters counts in whole pixels, which turns gentle slopes into stairs. So the document counts in eighths of a
//! pixel, and its `viewBox` says so.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::ChartError;
use super::sketch::{Anchor, FAMILY, Ink, Mark, Point, Sketch, Text};

const ZOOM: f64 = 8.0;

/// plotters writes its font sizes into the document divided by this.
const PLOTTERS_FONT: f64 = 1.24;

/// Where plotters puts the baseline of a text anchored at its top, in ems below the point.
const TOP_TO_BASELINE: f64 = 0.76;

pub fn write(sketch: &Sketch, title: &str) -> Result<String, ChartError> {
    let size = ((sketch.width * ZOOM) as u32, (sketch.height * ZOOM) as u32);
    let mut document = String::new();
    let mut paper = SVGBackend::with_string(&mut document, size);
    for mark in &sketch.marks {
        match mark {
            Mark::Stroke { points, width, ink } => paper.draw_path(points.iter().map(place), &style(*ink, *width)),
            Mark::Fill { outline, ink } => paper.fill_polygon(outline.iter().map(place), &style(*ink, 0.0)),
            Mark::Text(text) => {
                let top = Point { y: text.at.y - TOP_TO_BASELINE * text.size, ..text.at };
                paper.draw_text(&text.words, &letters(text), place(&top))
            }
        }
        .map_err(|problem| ChartError::Draw(problem.to_string()))?;
    }
    paper.present().map_err(|problem| ChartError::Draw(problem.to_string()))?;
    drop(paper);
    Ok(with_head(&document, sketch, title))
}

fn place(point: &Point) -> (i32, i32) {
    ((point.x * ZOOM).round() as i32, (point.y * ZOOM).round() as i32)
}

fn style(ink: Ink, width: f64) -> ShapeStyle {
    let (red, green, blue) = ink.rgb;
    ShapeStyle {
        color: RGBColor(red, green, blue).mix(ink.alpha),
        filled: true,
        stroke_width: (width * ZOOM).round() as u32,
    }
}

fn letters(text: &Text) -> TextStyle<'static> {
    let (red, green, blue) = text.ink.rgb;
    let side = match text.anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let font = (FAMILY, text.size * ZOOM * PLOTTERS_FONT).into_font();
    font.color(&RGBColor(red, green, blue)).pos(Pos::new(side, VPos::Top))
}

/// plotters opens the document with its own idea of the size. Ours is in real pixels, gives the picture a name for
/// those who cannot see it, rounds the corners of lines, which would otherwise grow thorns at sharp peaks, and lays
/// white paper under everything, for pages that are dark.
fn with_head(document: &str, sketch: &Sketch, title: &str) -> String {
    let body = document.split_once('\n').map_or("", |(_, body)| body);
    let (width, height) = (sketch.width, sketch.height);
    let name = escape(&super::sketch::clean(title));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\" aria-label=\"{name}\" stroke-linejoin=\"round\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n{body}",
        width * ZOOM,
        height * ZOOM,
    )
}

fn escape(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&apos;")
}
