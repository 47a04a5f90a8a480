//! Queueing theory, through ordinary files: each experiment in `tests/data/theory` claims exact, published results, and
//! the whole 95 % interval of the mean over its seeds must lie within the published tolerance.
//!
//! `cargo test --profile quick --test theory -- --include-ignored --nocapture` also runs the long ones, and prints the
//! rows of the table in `docs/validation.md`.

use std::path::Path;

use blackstart::experiment::{Holds, Judged, Options, execute};
use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::run;

/// Runs all experiments of a folder, and prints a row for each claim.
fn reproduce(folder: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/theory").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&path)
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", path.display());
    let mut wrong = Vec::new();
    for file in files {
        let scenario = Scenario::load(&file, &[]).unwrap_or_else(|unreadable| {
            panic!("{}:\n{}", file.display(), unreadable.diagnostics.render(&unreadable.sources, false))
        });
        let results = execute(&scenario, &Options::default(), &|| {})
            .unwrap_or_else(|found| panic!("{}: {found:?}", file.display()));
        assert!(!results.claims.is_empty(), "{} claims nothing", file.display());
        assert!(!results.stopped(), "{} was stopped", file.display());
        for claim in &results.claims {
            let row = row(&format!("{folder}/{}", scenario.name), claim);
            println!("{row}");
            if claim.holds != Holds::Yes {
                wrong.push(format!("{row} must be {}", claim.bound));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A claim reads `case | what | published ± tolerance`; the row adds the file and what came out.
fn row(file: &str, claim: &Judged) -> String {
    let value = claim.value;
    let [mean, low, high] = [value.mean, value.low, value.high].map(short);
    format!("| {} | {mean} [{low}, {high}] | `{file}` |", claim.claim)
}

/// Six digits.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { 5 - value.abs().log10().floor() as i32 };
    format!("{value:.*}", digits.clamp(0, 12) as usize)
}

#[test]
fn exact_results_of_queueing_theory_are_reproduced() {
    reproduce("experiments");
}

#[test]
#[ignore = "takes minutes"]
fn exact_results_that_need_long_runs_are_reproduced() {
    reproduce("long");
}

/// X-drain | standard deviation of the time to empty | 150 ± 15 %: the square root of n (λ + μ) / (μ − λ)³. That of a sample of n has a
/// standard error of σ / √(2n): here 3 %.
#[test]
fn the_time_to_drain_a_backlog_varies_as_published() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/theory/experiments/drain.yaml");
    let scenario = Scenario::load(&file, &[]).expect("the experiment is well-formed");
    let point = scenario.points().into_iter().next().expect("there is a point");
    let (plan, _) = scenario.plan(&point, &mut Diagnostics::new()).expect("the point can be built");
    let times: Vec<f64> = (1..=500)
        .map(|seed| run(&plan, seed).value(&plan, "all", "client/last", "latency.mean").expect("it has one"))
        .collect();
    let mean = times.iter().sum::<f64>() / 500.0;
    let deviation = (times.iter().map(|time| (time - mean) * (time - mean)).sum::<f64>() / 499.0).sqrt();
    assert!((deviation - 150.0).abs() < 0.15 * 150.0, "{deviation}");
}
