//! Every mechanism does what the documents say. Models are small and mostly without chance, so that each number here
//! follows by arithmetic; where chance is the mechanism, counts lie within five standard deviations of their mean.
//!
//! All go the way that users go: text in, figures out.

mod balance;
mod caches;
mod cancel;
mod clients;
mod connections;
mod databases;
mod door;
mod effects;
mod faults;
mod fleets;
mod limits;
mod luck;
mod memory;
mod network;
mod policies;
mod programs;
mod queues;
mod sharing;
mod topics;
mod traces;
mod workers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use blackstart::measure::Run;
use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::plan::Plan;

/// What was run, and what came of it.
struct Ran {
    plan: Plan,
    run: Run,
}

/// A model and an experiment (its `model:` is added), as they stand in files, and data files beside them.
#[derive(Clone, Copy)]
struct Texts<'a> {
    model: &'a str,
    experiment: &'a str,
    data: &'a [(&'a str, &'a str)],
}

/// Runs a model and an experiment with the first seed.
fn run(model: &str, experiment: &str) -> Ran {
    Texts { model, experiment, data: &[] }.run(1)
}

impl Texts<'_> {
    fn run(self, seed: u64) -> Ran {
        let plan = self.plan().unwrap_or_else(|wrong| panic!("{wrong}"));
        let run = blackstart::system::run(&plan, seed);
        Ran { plan, run }
    }

    /// The plan, or what is wrong in words.
    fn plan(self) -> Result<Plan, String> {
        let folder = Folder::new();
        folder.write("model.yaml", self.model);
        let experiment = dedent(self.experiment);
        folder.write(
            "experiment.yaml",
            &match experiment.trim_start().strip_prefix('{') {
                Some(rest) => format!("{{ model: model, {rest}"),
                None => format!("model: model\n{experiment}"),
            },
        );
        for (name, text) in self.data {
            folder.write(name, text);
        }
        let scenario = Scenario::load(&folder.0.join("experiment.yaml"), &[])
            .map_err(|unreadable| unreadable.diagnostics.render(&unreadable.sources, false))?;
        let mut found = Diagnostics::new();
        let plan = scenario.plan(&scenario.point(0), &mut found);
        plan.map(|(plan, _)| plan).ok_or_else(|| found.render(&scenario.sources, false))
    }
}

/// A folder of its own, which goes when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mechanism-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), dedent(text)).expect("the file can be written");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies among the files of the build, and harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A text without the indentation that all its lines have.
fn dedent(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let common = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    text.lines().map(|line| line.get(common..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// A number that must be whole, but for the rounding of floating point.
fn whole(number: f64) -> u64 {
    let rounded = number.round();
    assert!(rounded >= 0.0 && (number - rounded).abs() < 1e-6, "{number} is no count");
    rounded as u64
}

impl Ran {
    /// A figure in the window `all`.
    fn value(&self, entity: &str, metric: &str) -> f64 {
        self.value_in("all", entity, metric)
    }

    fn value_in(&self, window: &str, entity: &str, metric: &str) -> f64 {
        let value = self.run.value(&self.plan, window, entity, metric);
        value.unwrap_or_else(|| panic!("there is no {metric} of {entity} in window {window}"))
    }

    /// A figure per second, as a count.
    fn count(&self, entity: &str, metric: &str) -> u64 {
        self.count_in("all", entity, metric)
    }

    fn count_in(&self, window: &str, entity: &str, metric: &str) -> u64 {
        let span = self.plan.schedule.windows.iter().find(|it| it.name == window).expect("the window exists");
        whole(self.value_in(window, entity, metric) * (span.until - span.from).as_secs())
    }

    /// A figure in seconds, as milliseconds.
    fn millis(&self, entity: &str, metric: &str) -> u64 {
        whole(self.value(entity, metric) * 1e3)
    }

    /// The time that workers of a service or an instance were busy, in milliseconds.
    fn busy(&self, entity: &str) -> u64 {
        let span = &self.plan.schedule.windows[0];
        whole(self.value(entity, "busy.mean") * (span.until - span.from).as_secs() * 1e3)
    }

    /// The steps of the time line in which something was counted: when they begin (in milliseconds), and how much.
    fn steps(&self, entity: &str, metric: &str) -> Vec<(u64, u64)> {
        let line = self.run.line(entity, metric).unwrap_or_else(|| panic!("there is no line of {metric} of {entity}"));
        let counts = line.iter().zip(&self.run.steps).map(|((at, rate), step)| (whole(at * 1e3), whole(rate * step)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// When something was counted, where steps of the time line hold at most one.
    fn when(&self, entity: &str, metric: &str) -> Vec<u64> {
        let steps = self.steps(entity, metric);
        assert!(steps.iter().all(|(_, count)| *count == 1), "several in one step: {steps:?}");
        steps.into_iter().map(|(at, _)| at).collect()
    }

    /// The latency of each request of a client, in milliseconds, in the order in which they were made; none for those
    /// without an answer. Each must have a step of the time line for itself.
    fn answers(&self, client: &str) -> Vec<Option<u64>> {
        let entity = format!("client/{client}");
        let asked = self.when(&entity, "offered");
        let line = self.run.line(&entity, "latency.mean").expect("clients have latencies");
        let of_asked = line.into_iter().filter(|(at, _)| asked.contains(&whole(at * 1e3)));
        of_asked.map(|(_, latency)| (!latency.is_nan()).then(|| whole(latency * 1e3))).collect()
    }

    /// The latency of each request of a client, all of which must be answered.
    fn latencies(&self, client: &str) -> Vec<u64> {
        self.answers(client).into_iter().map(|it| it.expect("all requests are answered")).collect()
    }
}

/// A count of successes in independent tries lies within five standard deviations of its mean, which by chance alone
/// it fails to do once in a million and a half.
fn assert_binomial(count: u64, tries: u64, chance: f64) {
    let tries = tries as f64;
    let (mean, sd) = (tries * chance, (tries * chance * (1.0 - chance)).sqrt());
    assert!((count as f64 - mean).abs() < 5.0 * sd, "{count} of {tries}, expected {mean} give or take {sd}");
}
