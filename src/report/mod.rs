//! What a person reads: tables and charts.

pub mod chart;
mod diagnoses;
mod draw;
mod junit;
mod markdown;
pub mod map;
mod tables;
pub mod words;
pub mod tune;

pub use draw::{Source, draw, shown};
pub use tables::{Tables, rows};
pub(crate) use tables::{cell, text};
