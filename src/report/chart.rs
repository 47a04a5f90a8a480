//! Charts: plain data in, an SVG or a PNG out. Nothing here knows about the simulator.
//!
//! ```text
//!   Chart ─► lines · strips · bars · heat ·   ─► Sketch ─► svg
//!            scatter · tornado · flow · waterfall  (marks)   png
//!            (layout, one file each)
//! ```
//!
//! A kind of chart only places marks: strokes, fills and texts in pixels. Two small writers turn the marks into
//! bytes, so that both files show the same picture and a test can ask where every word stands.
//!
//! Always: the same chart gives the same bytes, on any machine; no text leaves the canvas; whatever the numbers are
//! (none, one, NaN, infinite, huge), something honest is drawn.

mod axis;
mod bars;
mod contour;
mod flow;
mod frame;
mod heat;
mod lines;
mod look;
mod png;
mod scatter;
mod sketch;
mod strips;
mod svg;
#[cfg(test)]
mod tests;
mod tornado;
mod waterfall;

pub use contour::contour;
pub use flow::{Arrow, Flow, Part};
pub use heat::{Boxes, Heat, Outline, Patch, Side};
pub use scatter::{Better, Dot, Scatter};
pub use waterfall::{Doing, Span};

use sketch::Sketch;

/// A picture with a title. 960 pixels wide; 480 high, more when the legend or the rows need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What the reader should take home, in one line. Shrinks a little when long, then ends in `…`.
    pub title: String,
    /// How to read the picture: what was varied, how many seeds. At most two lines are shown; may be empty.
    pub subtitle: String,
    /// What is drawn.
    pub kind: Kind,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Lines over time, load or any other number.
    Lines {
        /// Drawn in this order, and named in this order in the legend.
        series: Vec<Series>,
        /// Fault windows, behind the lines.
        shades: Vec<Shade>,
        /// The horizontal axis.
        x: Axis,
        /// What the horizontal axis shows in any case, with or without points.
        span: Option<(f64, f64)>,
        /// The vertical axis.
        y: Axis,
    },
    /// States over time, a strip for each row: circuit breakers, replicas.
    Strips {
        /// From top to bottom.
        rows: Vec<Strip>,
        /// Fault windows, behind the strips.
        shades: Vec<Shade>,
        /// The horizontal axis.
        x: Axis,
        /// What good, bad and in-between mean here, e.g. `closed`, `open`, `half-open`. An empty word is not shown.
        strip_legend: [String; 3],
    },
    /// Bars with error bars, in groups along a sweep.
    Bars {
        /// From left to right.
        groups: Vec<BarGroup>,
        /// What the groups are values of; written under them. May be empty.
        x: String,
        /// The vertical axis. Bars begin at zero whatever `from_zero` says, unless the axis is logarithmic.
        y: Axis,
        /// What to write over a bar of infinite value, e.g. `never`.
        infinite: String,
    },
    /// Complementary distributions, P(X > x), usually with both axes logarithmic.
    Distribution {
        /// One line for each distribution; shares between 0 and 1.
        series: Vec<Series>,
        /// The horizontal axis: the value.
        x: Axis,
        /// The vertical axis: the share of values above it.
        y: Axis,
    },
    /// Empirical distributions, P(X ≤ x), as steps from 0 to 100 %.
    Cumulative {
        /// One for each distribution: values, ascending, and the share of values up to each, between 0 and 1. One that ends below 1
        /// has infinite values.
        series: Vec<Series>,
        /// The horizontal axis: the value.
        x: Axis,
        /// The name of the vertical axis.
        y: String,
    },
    /// Values or states over two axes: a metric over a sweep, a stability map.
    Heat(Heat),
    /// Points in two measures, with the frontier of those that nothing beats in both.
    Scatter(Scatter),
    /// Bars that lie, the longest at the top: sensitivities.
    Tornado {
        /// In any order; they are sorted by the size of their first bars. Several bars in a row have a legend.
        rows: Vec<BarGroup>,
        /// The horizontal axis. Includes zero.
        x: Axis,
    },
    /// Parts in layers, and what flows between them: a topology, amplification hop by hop.
    Flow(Flow),
    /// What a request did when, and those that were made for it.
    Waterfall {
        /// From top to bottom; those inside below those they belong to. At most 150 are shown.
        rows: Vec<Span>,
        /// The horizontal axis.
        x: Axis,
    },
}

/// A window of time to shade, such as a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Shade {
    /// Where it begins, on the x axis. Minus infinity is the left edge.
    pub from: f64,
    /// Where it ends. Infinity is the right edge; equal to `from` is drawn as a thin line.
    pub to: f64,
    /// Written at the top, inside the plot and above every line.
    pub label: String,
}

/// A line through points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// `(x, y)` in drawing order. A value that is not a number, not finite, or not above zero on a logarithmic axis
    /// breaks the line.
    pub points: Vec<(f64, f64)>,
    /// `(x, low, high)`: an interval around the line, over seeds for example.
    pub band: Option<Vec<(f64, f64, f64)>>,
    /// How loud it is.
    pub emphasis: Emphasis,
}

/// How loud a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emphasis {
    /// A colour, a dash pattern and a marker of its own.
    #[default]
    Normal,
    /// Thin, grey and dashed: for reference, such as the offered load.
    Faint,
}

/// One row of states.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// Written to the left of the row.
    pub name: String,
    /// `(from, to, state)`. Time that no span covers stays blank.
    pub spans: Vec<(f64, f64, StripState)>,
}

/// What a row is in, for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripState {
    /// As it should be: light. A closed breaker.
    Good,
    /// Dark and hatched. An open breaker.
    Bad,
    /// In between: dotted. A half-open breaker.
    Between,
}

/// Bars that stand together, at one point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct BarGroup {
    /// Written under the group, on two lines if need be.
    pub name: String,
    /// Bars of the same name have the same look in every group.
    pub bars: Vec<Bar>,
}

/// A bar with its error bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Its name in the legend.
    pub name: String,
    /// Its height. Infinity reaches the top and is marked with a word; NaN is left out.
    pub value: f64,
    /// Lower end of the error bar. Not a number: no error bar.
    pub low: f64,
    /// Upper end of the error bar. Infinity: it leaves the plot at the top.
    pub high: f64,
}

/// What an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is measured, without the unit: `latency`, `goodput`.
    pub label: String,
    /// How its numbers are written.
    pub unit: Unit,
    /// Logarithmic; values that are not above zero are then left out.
    pub log: bool,
    /// Includes zero even when no value is near it. Means nothing on a logarithmic axis.
    pub from_zero: bool,
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `250 ms`, `1.5 s`, `20 µs`; minutes and hours on long axes.
    Seconds,
    /// `1.2k`, with "per second" in the axis label.
    PerSecond,
    /// 0.25 is `25%`.
    Share,
    /// `1.2k`.
    Count,
    /// `2×`.
    Factor,
    /// A number, shortened: `0.02`, `1.2k`, `3M`.
    Plain,
}

/// Why a chart could not be drawn. Numbers and names never are a reason.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The drawing library refused a mark.
    #[error("cannot draw the chart: {0}")]
    Draw(String),
    /// The picture could not be written as PNG.
    #[error("cannot encode the chart as PNG: {0}")]
    Encode(#[from] ::png::EncodingError),
}

/// The chart as a self-contained SVG document.
///
/// # Errors
/// When the drawing library refuses a mark, which no input is known to cause.
pub fn svg(chart: &Chart) -> Result<String, ChartError> {
    svg::write(&sketch(chart), &chart.title)
}

/// The chart as an encoded PNG file.
///
/// # Errors
/// When the drawing library or the encoder fails, which no input is known to cause.
pub fn png(chart: &Chart) -> Result<Vec<u8>, ChartError> {
    png::write(&sketch(chart))
}

fn sketch(chart: &Chart) -> Sketch {
    match &chart.kind {
        Kind::Lines { series, shades, x, span, y } => lines::draw(chart, series, shades, (x, *span), y),
        Kind::Distribution { series, x, y } => lines::draw(chart, series, &[], (x, None), y),
        Kind::Strips { rows, shades, x, strip_legend } => strips::draw(chart, rows, shades, x, strip_legend),
        Kind::Bars { groups, x, y, infinite } => bars::draw(chart, groups, x, y, infinite),
        Kind::Cumulative { series, x, y } => lines::cumulative(chart, series, x, y),
        Kind::Heat(heat) => heat::draw(chart, heat),
        Kind::Scatter(scatter) => scatter::draw(chart, scatter),
        Kind::Tornado { rows, x } => tornado::draw(chart, rows, x),
        Kind::Flow(flow) => flow::draw(chart, flow),
        Kind::Waterfall { rows, x } => waterfall::draw(chart, rows, x),
    }
}
