//! Stability maps of shipped and published cases: the boundary is where it must be, at a fraction of the runs of a grid.

use std::path::Path;

use blackstart::experiment::map::{Asked, Map, State, explore};
use blackstart::experiment::{Holds, Options};
use blackstart::scenario::Scenario;

fn map(file: &str) -> Map {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let scenario = Scenario::load(&path, &[])
        .unwrap_or_else(|unreadable| panic!("{file}:\n{}", unreadable.diagnostics.render(&unreadable.sources, false)));
    explore(&scenario, &Asked::default(), &Options::default(), &|| {})
        .unwrap_or_else(|found| panic!("{file}: {found:?}"))
}

fn all_claims_hold(map: &Map) {
    for claim in &map.claims {
        assert_eq!(claim.holds, Holds::Yes, "{claim:?} {:?}", map.rows[claim.row].boundaries);
    }
    assert!(!map.claims.is_empty(), "something is claimed");
}

/// The case M-fifo-threshold: capacity 100/s, so the boundary is at 100 / attempts.
#[test]
fn the_threshold_of_a_queue_with_retries_is_found_with_a_tenth_of_the_runs_of_a_grid() {
    let map = map("experiments/fifo-threshold.yaml");
    all_claims_hold(&map);
    assert_eq!(map.rows[0].state(), State::Recovers, "one attempt");
    for (row, exact) in map.rows[1..].iter().zip([50.0, 100.0 / 3.0, 25.0]) {
        let [boundary] = row.boundaries[..] else { panic!("one boundary, not {:?}", row.boundaries) };
        let (low, high) = boundary.interval();
        let found = f64::midpoint(low, high);
        println!("{exact:.2}/s: found {found:.2}/s [{low:.2}, {high:.2}], {} runs", row.runs());
        assert!((found / exact - 1.0).abs() < 0.02, "{found} is not within 2 % of {exact}");
        assert!(low > 0.98 * exact && high < 1.02 * exact, "[{low}, {high}] is not within 2 % of {exact}");
    }
    println!("{} runs, a grid {}", map.runs_made(), map.grid_runs);
    assert!(map.runs_made() as f64 <= map.grid_runs / 10.0, "{} runs, a grid {}", map.runs_made(), map.grid_runs);
}

/// The arithmetic is in the file.
#[test]
fn the_smallest_cut_that_frees_a_stuck_system_is_the_one_that_empties_its_queue() {
    let map = map("experiments/smallest-cut.yaml");
    all_claims_hold(&map);
    assert!(map.runs_made() as f64 <= map.grid_runs / 5.0, "{} runs, a grid {}", map.runs_made(), map.grid_runs);
}
