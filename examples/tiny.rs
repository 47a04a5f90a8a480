//! Runs a shipped experiment from Rust and prints a few of its figures.
//!
//! `cargo run --release --example tiny`

use std::path::Path;

use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::run;

fn main() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/retry-storm.yaml");
    let scenario = Scenario::load(&file, &[]).unwrap_or_else(|unreadable| {
        panic!("{}", unreadable.diagnostics.render(&unreadable.sources, false));
    });
    for point in scenario.points() {
        let mut found = Diagnostics::new();
        let Some((plan, _)) = scenario.plan(&point, &mut found) else {
            panic!("{}", found.render(&scenario.sources, false));
        };
        let run = run(&plan, 1);
        let goodput = |window| run.value(&plan, window, "client/users", "goodput").unwrap_or(f64::NAN);
        let labels = scenario.labels(&point).join(", ");
        println!("{labels}: goodput {:.0}/s before, {:.0}/s after the fault", goodput("before"), goodput("after"));
    }
}
