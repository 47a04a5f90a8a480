//! blackstart: a deterministic simulator of how distributed systems fail, and whether they come back.
//!
//! The program `blackstart` runs files; see the README. This library is the same from Rust.
//!
//! # From files
//!
//! [`scenario::Scenario::load`] reads an experiment with its model, [`experiment::execute`] runs every point with every seed
//! and judges its claims, with all runs in memory. The program goes point by point through an [`experiment::Work`] folder, from
//! which [`report`] makes tables and charts.
//!
//! # A system in code
//!
//! [`code`] has small words for models and experiments; [`code::plan`] checks them, and [`run`] runs the plan:
//!
//! ```
//! use blackstart::code::*;
//!
//! let model = Model::default()
//!     .service("db", Service::default().workers(1).operation("query", [work(exponential(ms(10)))]))
//!     .client("users", Client::open("db.query", per_second(50)));
//! let plan = plan(&model, &Experiment::lasting(secs(600)).warmup(secs(60)))?;
//! let run = blackstart::run(&plan, 1);
//! // M/M/1 with a load of one half: 1 / (100/s - 50/s) = 20 ms.
//! let mean = run.value(&plan, "all", "client/users", "latency.mean").expect("clients have this metric");
//! assert!((0.018..0.022).contains(&mean), "{mean}");
//! # Ok::<(), blackstart::scenario::source::Diagnostics>(())
//! ```
//!
//! Same plan and seed, same [`Run`], to the last bit. What a figure means is in [`measure::METRICS`]; what a model means is in
//! [`scenario::model`] and [`scenario::experiment`].
//!
//! # A policy of your own
//!
//! A policy is a [`policy::Blueprint`], which is shared, and a [`policy::Policy`], the running state that each caller instance
//! has. It answers when a call comes in and when it goes out; the pipeline acts. `examples/custom_policy.rs` is one.
//!
//! # Which way things flow
//!
//! ```text
//! files -> scenario -> Plan -- run(plan, seed) -> facts -> measure -> experiment -> report
//!                        engine, policy, admission, balance, system
//! ```

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

pub use measure::Run;
pub use scenario::code;
pub use system::run;
