//! What a person reads: tables, charts and traces.

pub mod chart;
mod diagnoses;
mod draw;
mod junit;
mod markdown;
pub mod map;
mod tables;
pub mod words;
pub mod tune;
pub mod trace;

pub use draw::{Source, draw, shown};
pub use tables::{Tables, rows};
pub(crate) use tables::{cell, text};
