//! What a person reads: tables and charts.

pub mod chart;
mod diagnoses;
mod draw;
mod tables;

pub use draw::draw;
pub use tables::write;
pub(crate) use tables::{cell, text};
