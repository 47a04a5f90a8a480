//! blackstart: a deterministic simulator of how distributed systems fail, and whether they come back.

pub mod admission;
pub mod balance;
pub mod cli;
pub mod engine;
pub mod experiment;
pub mod measure;
pub mod outcome;
pub mod policy;
pub mod report;
pub mod scenario;
pub mod system;
