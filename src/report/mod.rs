//! What a person reads: tables, charts, traces, and a report of all.

pub mod chart;
mod diagnoses;
mod draw;
pub mod html;
mod junit;
pub mod map;
mod markdown;
mod tables;
pub mod trace;
pub mod tune;
pub mod words;

pub use draw::{Drawn, Source, draw, shown, topology, waterfall};
pub use tables::{AGGREGATE, Tables, rows};
pub(crate) use tables::{cell, text};
