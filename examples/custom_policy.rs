//! A policy that is not in the crate: let at most one call through in each span of time, and say how it compares.
//!
//! `cargo run --release --example custom_policy`

use blackstart::code::*;
use blackstart::engine::{Duration, Stream, Time};
use blackstart::outcome::Outcome;
use blackstart::policy::{Blueprint, Enter, Leave, Passage, Policy};
use blackstart::scenario::source::Diagnostics;

/// What is written: shared by all callers.
#[derive(Debug)]
struct OneEvery(Duration);

impl Blueprint for OneEvery {
    fn name(&self) -> &'static str {
        "one_every"
    }
    fn build(&self, _chance: Stream) -> Box<dyn Policy> {
        Box::new(Gate { span: self.0, opens: Time::ZERO })
    }
}

/// What runs: each caller instance has its own.
#[derive(Debug)]
struct Gate {
    span: Duration,
    opens: Time,
}

impl Policy for Gate {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if passage.now < self.opens {
            return Enter::Refuse;
        }
        self.opens = passage.now + self.span;
        Enter::Proceed
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {
        self.opens = Time::ZERO;
    }
}

fn main() -> Result<(), Diagnostics> {
    let gate = custom(OneEvery(Duration::from_millis(10)));
    let model = Model::default()
        .service("db", Service::default().workers(1).operation("query", [work(exponential(ms(5)))]))
        .client("users", Client::open("db.query", per_second(300)).policies([gate]));
    let plan = plan(&model, &Experiment::lasting(secs(100)))?;
    let run = blackstart::run(&plan, 1);
    for metric in ["offered", "goodput", "failed.refused_by.custom", "latency.p99"] {
        let value = run.value(&plan, "all", "client/users", metric).expect("clients have this metric");
        println!("{metric}: {value:.3}");
    }
    Ok(())
}
