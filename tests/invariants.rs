//! Everything at once: every policy, every kind of fault, cancellation and deadlines, lossy links. Conservation, permits and
//! workers are asserted within each run; here they are put to the test, with overflow checks and debug assertions.

use std::path::Path;

use blackstart::code::*;
use blackstart::experiment::{Options, execute};
use blackstart::scenario::Scenario;
use blackstart::scenario::units::Size;

#[test]
fn every_fault_on_every_policy_keeps_the_invariants() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chaos/experiments/x.yaml");
    let scenario = Scenario::load(&file, &[]).expect("the experiment is well-formed");
    let options = Options { seeds: Some(10), seed: Some(1) };
    let results = execute(&scenario, &options, &|| {}).expect("the experiment can be built");
    for run in &results.points[0].runs {
        assert!(run.stopped.is_none(), "{:?}", run.stopped);
        assert!(run.events > 100_000, "{} events", run.events);
    }
}

#[test]
fn a_run_ten_times_as_long_needs_no_more_memory() {
    let model = Model::default()
        .service("db", Service::default().workers(4).capacity(20).operation("query", [work(exponential(ms(50)))]))
        .client("users", Client::open("db.query", per_second(20)).policies([retry(3), timeout(ms(200))]));
    // The smallest limit that does not stop the run, in steps of an eighth.
    let needs = |seconds: u64| {
        let mut bytes = 32 * 1024;
        loop {
            let mut experiment = Experiment::lasting(secs(seconds));
            experiment.limits.memory = Some(Size(bytes));
            let plan = plan(&model, &experiment).expect("the model is well-formed");
            if blackstart::run(&plan, 1).stopped.is_none() {
                return bytes;
            }
            bytes += bytes / 8;
        }
    };
    let (short, long) = (needs(1_000), needs(10_000));
    assert!(short > 64 * 1024, "the limit is not looked at: {short} bytes are enough for a thousand steps");
    assert!(long <= short + short / 8, "{short} bytes for 1,000 s, {long} for 10,000 s");
}
