//! What a person reads: tables, charts, and a report of both.

pub mod chart;
mod diagnoses;
mod draw;
pub mod html;
mod tables;

pub use draw::{Drawn, Source, draw, shown};
pub use tables::{AGGREGATE, Tables, rows};
pub(crate) use tables::{cell, text};
