//! Queueing theory, through ordinary files: each experiment in `tests/data/theory` claims an exact, published result, and
//! the whole 95 % interval of the mean over its seeds must lie within the published tolerance.

use std::path::Path;

use blackstart::experiment::{Options, execute};
use blackstart::scenario::Scenario;

fn experiments(folder: &str) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .expect("the folder is part of the repository")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    files
}

#[test]
fn exact_results_of_queueing_theory_are_reproduced() {
    let files = experiments("tests/data/theory/experiments");
    assert!(files.len() >= 20, "there are {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let scenario = Scenario::load(&file, &[]).unwrap_or_else(|unreadable| {
            panic!("{}:\n{}", file.display(), unreadable.diagnostics.render(&unreadable.sources, false))
        });
        let results = execute(&scenario, &Options::default(), &|| {}).expect("the file is well-formed");
        assert!(!results.claims.is_empty(), "{} claims nothing", file.display());
        assert!(!results.stopped(), "{} was stopped", file.display());
        for claim in results.claims.iter().filter(|claim| !claim.holds) {
            let (mean, low, high) = (claim.value.mean, claim.value.low, claim.value.high);
            wrong.push(format!(
                "{}: {} is {mean} [{low}, {high}], published {}",
                scenario.name, claim.claim, claim.bound
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
