//! What a person reads: tables and charts.

pub mod chart;
mod diagnoses;
mod draw;
mod tables;
pub mod tune;

pub use draw::{Source, draw, shown};
pub use tables::{Tables, rows};
pub(crate) use tables::{cell, text};
