//! Everything at once: every policy, every kind of fault, cancellation and deadlines, lossy links. Conservation, permits and
//! workers are asserted within each run; here they are put to the test, with overflow checks and debug assertions.

use std::path::Path;

use blackstart::experiment::{Options, execute};
use blackstart::scenario::Scenario;

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
