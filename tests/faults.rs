//! Faults as they are felt: small systems in which every outcome can be told beforehand.

use std::fs;
use std::path::Path;

use blackstart::experiment::{Options, Results, execute};
use blackstart::scenario::Scenario;

/// Runs an experiment on a model, both as they would be written.
fn results(name: &str, model: &str, experiment: &str) -> Results {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults").join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("model.yaml"), model).expect("the file can be written");
    let file = folder.join("experiment.yaml");
    fs::write(&file, format!("model: model.yaml\n{experiment}")).expect("the file can be written");
    let scenario = Scenario::load(&file, &[]).expect("the files are well-formed");
    execute(&scenario, &Options { seeds: Some(1), seed: None }, &|| {}).expect("the experiment can be built")
}

#[test]
fn errors_before_any_work_strike_those_who_have_waited_too() {
    // Five requests at 1 s: one is served to 1.1 s, and the other four wait when the fault begins.
    let model = "services:\n  web: { workers: 1, operations: { get: [ work: 100ms ] } }\n\
        clients:\n  users: { calls: web.get, arrivals: { constant: 1/s }, batch: 5 }\n";
    let experiment = "length: 1500ms\nfaults:\n  - { at: 1050ms, for: 100ms, errors: { service: web, fast: true } }\n";
    let results = results("fast", model, experiment);
    let figure = |metric: &str| results.points[0].runs[0].figure(0, "client/users", metric).expect("it is measured");
    assert_eq!((figure("ok") * 1.5, figure("failed.error") * 1.5), (1.0, 4.0));
    assert_eq!(figure("duration.mean"), 0.1, "all of them end when the first has been served");
}
