//! What a person reads: tables and charts.

pub mod chart;
mod draw;
mod tables;

pub use draw::{Source, draw, shown};
pub use tables::{Tables, rows};
