//! Files become checked specs, and specs a runnable plan. Every error has a place and a way out.

pub mod build;
pub mod code;
pub mod distribution;
pub mod experiment;
mod line;
mod lists;
mod load;
pub mod map;
pub mod model;
pub(crate) mod other_names;
pub mod path;
mod range;
pub(crate) mod sample;
pub mod source;
pub mod tree;
pub mod tune;
pub mod units;

pub use load::{Axis, AxisValue, Changes, Point, Scenario, Unreadable, matches};
