//! Writes a sketch as PNG.
//!
//! plotters' bitmap has hard edges, so it is drawn four times too large in each direction and averaged down. Letters
//! come from ab_glyph directly: plotters would drop the white on their left side and space them unevenly.

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::ChartError;
use super::sketch::{Ink, Mark, Point, Sketch, at, rasterise};

const ZOOM: usize = 4;

pub fn write(sketch: &Sketch) -> Result<Vec<u8>, ChartError> {
    let (width, height) = (sketch.width as usize, sketch.height as usize);
    let mut pixels = vec![255; width * ZOOM * height * ZOOM * 3];
    let mut paper = BitMapBackend::with_buffer(&mut pixels, ((width * ZOOM) as u32, (height * ZOOM) as u32));
    for mark in &sketch.marks {
        match mark {
            Mark::Stroke { points, width, ink } => stroke(&mut paper, points, *width, *ink)?,
            Mark::Fill { outline, ink } => fill(&mut paper, outline, *ink)?,
            Mark::Text(text) => {
                let (red, green, blue) = text.ink.rgb;
                let mut result = Ok(());
                rasterise(text, ZOOM as f64, |x, y, coverage| {
                    let dot = paper.draw_pixel((x, y), RGBColor(red, green, blue).mix(coverage).to_backend_color());
                    if let Err(problem) = dot {
                        result = Err(ChartError::Draw(problem.to_string()));
                    }
                });
                result?;
            }
        }
    }
    drop(paper);
    encode(&shrink(&pixels, width, height), width, height)
}

/// A line as one box for each stretch and a disc for each joint.
fn stroke(paper: &mut BitMapBackend, points: &[Point], width: f64, ink: Ink) -> Result<(), ChartError> {
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let length = libm::hypot(to.x - from.x, to.y - from.y);
        if length == 0.0 {
            continue;
        }
        // Half the width, at right angles to the stretch.
        let (x, y) = ((from.y - to.y) / length * width / 2.0, (to.x - from.x) / length * width / 2.0);
        let outline =
            [at(from.x + x, from.y + y), at(to.x + x, to.y + y), at(to.x - x, to.y - y), at(from.x - x, from.y - y)];
        fill(paper, &outline, ink)?;
    }
    let radius = (width / 2.0 * ZOOM as f64).floor() as u32;
    for joint in points.iter().skip(1).rev().skip(1) {
        paper
            .draw_circle(place(joint), radius, &style(ink), true)
            .map_err(|problem| ChartError::Draw(problem.to_string()))?;
    }
    Ok(())
}

fn fill(paper: &mut BitMapBackend, outline: &[Point], ink: Ink) -> Result<(), ChartError> {
    let places: Vec<(i32, i32)> = outline.iter().map(place).collect();
    // plotters makes polygons a pixel too large; upright boxes, which are most of a chart, it draws exactly.
    let done = match upright(&places) {
        Some((corner, opposite)) => paper.draw_rect(corner, opposite, &style(ink), true),
        None => paper.fill_polygon(places, &style(ink)),
    };
    done.map_err(|problem| ChartError::Draw(problem.to_string()))
}

fn upright(places: &[(i32, i32)]) -> Option<((i32, i32), (i32, i32))> {
    let [a, b, c, d] = *places else { return None };
    let along = a.1 == b.1 && b.0 == c.0 && c.1 == d.1 && d.0 == a.0;
    let across = a.0 == b.0 && b.1 == c.1 && c.0 == d.0 && d.1 == a.1;
    (along || across).then(|| ((a.0.min(c.0), a.1.min(c.1)), (a.0.max(c.0), a.1.max(c.1))))
}

fn place(point: &Point) -> (i32, i32) {
    ((point.x * ZOOM as f64).round() as i32, (point.y * ZOOM as f64).round() as i32)
}

fn style(ink: Ink) -> ShapeStyle {
    let (red, green, blue) = ink.rgb;
    ShapeStyle { color: RGBColor(red, green, blue).mix(ink.alpha), filled: true, stroke_width: 1 }
}

/// Each pixel is the mean of the ZOOM × ZOOM that were drawn for it.
fn shrink(pixels: &[u8], width: usize, height: usize) -> Vec<u8> {
    let row = width * 3;
    let mut sums = vec![0_u32; row];
    let mut small = Vec::with_capacity(row * height);
    for rows in pixels.chunks_exact(row * ZOOM * ZOOM) {
        sums.fill(0);
        for line in rows.chunks_exact(row * ZOOM) {
            for (sum, block) in sums.chunks_exact_mut(3).zip(line.chunks_exact(3 * ZOOM)) {
                for dot in block.chunks_exact(3) {
                    for (sum, part) in sum.iter_mut().zip(dot) {
                        *sum += u32::from(*part);
                    }
                }
            }
        }
        let area = (ZOOM * ZOOM) as u32;
        small.extend(sums.iter().map(|sum| ((sum + area / 2) / area) as u8));
    }
    small
}

fn encode(pixels: &[u8], width: usize, height: usize) -> Result<Vec<u8>, ChartError> {
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.set_depth(::png::BitDepth::Eight);
    // Charts are flat areas: whole rows repeat, and a filter would only hide that.
    encoder.set_compression(::png::Compression::High);
    encoder.set_filter(::png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}
