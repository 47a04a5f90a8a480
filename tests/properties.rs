//! Random stacks of policies on random small systems under random faults keep every invariant.
//!
//! ```text
//!   a case ─► model.yaml, experiment.yaml ─► the ordinary loader ─► plan ─┬─► run, twice: the same bytes
//!                                                                         ├─► run to rest: everything is free
//!                                                                         └─► a witness between all layers
//! ```
//!
//! Within each run conservation, permits and workers are asserted by the program itself. A case that fails is shrunk
//! and printed as the two files that a user would write, with the seed.

mod cases;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use blackstart::admission::idempotency;
use blackstart::engine::{Duration, Stream, Time};
use blackstart::experiment::{Options, execute};
use blackstart::measure::trace::Trace;
use blackstart::measure::{METRICS, Run};
use blackstart::outcome::Outcome;
use blackstart::policy::{Blueprint, Enter, Leave, Passage, Policy};
use blackstart::scenario::Scenario;
use blackstart::system::plan::{Keyed, Plan, Step};
use blackstart::system::{run, run_to_rest, run_to_rest_traced, run_traced};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use cases::case;
use cases::spans::{assert_files_are_sound, assert_well_formed, outcomes};

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    // A failing case is printed as files, and there is nothing else to keep.
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

/// All figures of a run, to the last bit.
fn bytes(run: &Run) -> String {
    format!("{run:?}")
}

/// Every figure of the first run, but for some metrics, is the same in the second, to the last bit.
fn assert_same_figures(first: &Run, second: &Run, windows: usize, but: &[&str]) -> Result<(), TestCaseError> {
    for (number, column) in first.columns.iter().enumerate().filter(|(_, it)| !but.contains(&it.metric)) {
        for window in 0..windows {
            let before = first.windows[window][number];
            let after = second.figure(window, &column.entity, column.metric);
            let same =
                after.is_some_and(|after| after.to_bits() == before.to_bits() || (after.is_nan() && before.is_nan()));
            prop_assert!(same, "{} of {} in window {window}: {before} and {after:?}", column.metric, column.entity);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_same_seed_gives_the_same_bytes(case in case()) {
        let plan = case.plan();
        let first = run(&plan, case.seed);
        prop_assert_eq!(bytes(&first), bytes(&run(&plan, case.seed)));
    }

    #[test]
    fn a_run_whose_requests_are_followed_is_the_same_run(case in case(), requests in 1..40_u32) {
        let plan = case.plan();
        let untraced = run(&plan, case.seed);
        for requests in [requests, 1_000_000] {
            let mut traced = run_traced(&plan, case.seed, requests);
            let trace = traced.trace.take().expect("it was asked for");
            prop_assert_eq!(bytes(&untraced), bytes(&traced));
            let followed = trace.requests().count() as u64;
            prop_assert_eq!(followed, trace.of.min(u64::from(requests)));
            assert_well_formed(&trace);
            assert_files_are_sound(&trace);
            if requests == 1_000_000 && untraced.stopped.is_none() {
                all_are_there(&plan, &untraced, &trace)?;
            }
        }
    }

    #[test]
    fn every_span_ends(case in case()) {
        let plan = case.plan();
        let run = run_to_rest_traced(&plan, case.seed, 1_000_000);
        let trace = run.trace.expect("it was asked for");
        assert_well_formed(&trace);
        if run.stopped.is_none() {
            let unfinished = trace.spans.iter().find(|span| span.unfinished);
            prop_assert!(unfinished.is_none(), "{:?}", unfinished);
        }
    }

    #[test]
    fn everything_ends_and_everything_is_free_again(case in case()) {
        let plan = case.plan();
        let (watched, witnesses) = with_witnesses(plan);
        let run = run_to_rest(&watched, case.seed);
        if run.stopped.is_none() {
            for (column, value) in run.columns.iter().zip(&run.windows[0]) {
                prop_assert!(column.metric != "unfinished" || *value == 0.0, "{}: {value} are unfinished", column.entity);
            }
            for witness in &witnesses {
                let (entered, left) = (witness.entered.load(Relaxed), witness.left.load(Relaxed));
                prop_assert_eq!(entered, left, "entered and left, of {}", &witness.place);
            }
        }
    }

    #[test]
    fn the_step_of_time_lines_changes_no_figure(case in case(), step in 20..700_u64) {
        let plan = case.plan();
        let mut other = plan.clone();
        other.schedule.resolution = Duration::from_millis(step);
        let (first, second) = (run(&plan, case.seed), run(&other, case.seed));
        prop_assert_eq!(first.events, second.events);
        // The figures of a run that a limit has stopped reach to its last whole step. Recovery is looked for step by step.
        if first.stopped.is_none() {
            assert_same_figures(&first, &second, plan.schedule.windows.len(), &["recovery_time"])?;
        }
    }

    #[test]
    fn with_a_key_that_all_attempts_share_nothing_happens_twice(case in case()) {
        let plan = with_keys(case.plan());
        let run = run_to_rest(&plan, case.seed);
        for (column, value) in run.columns.iter().zip(&run.windows[0]) {
            prop_assert!(column.metric != "duplicate_effects" || *value == 0.0, "{}: {value}", column.entity);
        }
    }

    #[test]
    fn a_part_that_has_nothing_to_do_with_the_others_changes_none_of_their_figures(case in case()) {
        // A run ends with the last request that counts, whosever it is. One that never ends makes both equally long.
        let case = case.with_one_who_waits_for_ever();
        let plan = case.plan();
        let (first, second) = (run(&plan, case.seed), run(&case.with_strangers().plan(), case.seed));
        if first.stopped.is_none() && second.stopped.is_none() {
            assert_same_figures(&first, &second, plan.schedule.windows.len(), &[])?;
        }
    }
}

/// Where all requests are followed, they are those that were counted, and ended as those did.
fn all_are_there(plan: &Plan, run: &Run, trace: &Trace) -> Result<(), TestCaseError> {
    let seconds = (plan.schedule.windows[0].until - plan.schedule.windows[0].from).as_secs();
    for (part, client) in (0..).zip(&plan.clients) {
        let entity = format!("client/{}", client.name);
        let count = |metric: &str| {
            // What can never happen to a client has no figure.
            (run.figure(0, &entity, metric).unwrap_or(0.0) * seconds).round() as u64
        };
        let failed = Outcome::NAMES[2..].iter().map(|&name| match name {
            "cancelled" => count(name),
            _ => count(&format!("failed.{name}")),
        });
        let counted: Vec<u64> = [count("ok"), count("degraded")].into_iter().chain(failed).collect();
        let traced = outcomes(trace, part);
        prop_assert_eq!(&traced[..Outcome::KINDS], &counted[..], "{}", &entity);
        let unfinished = run.figure(0, &entity, "unfinished").expect("clients have it");
        prop_assert_eq!(traced[Outcome::KINDS], unfinished.round() as u64, "{}", &entity);
    }
    Ok(())
}

/// What went through a place between two layers.
#[derive(Debug, Default)]
struct Witness {
    place: String,
    entered: AtomicU64,
    left: AtomicU64,
}

/// A policy that does nothing but watch: whoever enters leaves exactly once, with what it remembered, and not earlier
/// than it entered.
#[derive(Clone, Debug)]
struct Watch {
    seen: Arc<Witness>,
    latest: Time,
}

impl Watch {
    const LEFT: u64 = u64::MAX;
}

impl Blueprint for Watch {
    fn name(&self) -> &'static str {
        "watch"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

impl Policy for Watch {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        assert_eq!(*passage.word, 0, "a walk inwards begins with a clean memory");
        assert!(passage.now >= self.latest && passage.opened <= passage.now, "time goes on");
        self.latest = passage.now;
        *passage.word = passage.now.nanos() + 1;
        self.seen.entered.fetch_add(1, Relaxed);
        Enter::Proceed
    }
    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        assert_ne!(*passage.word, Self::LEFT, "a layer was left twice, the second time with {outcome:?}");
        assert!((1..=passage.now.nanos() + 1).contains(passage.word), "a layer was left that was not entered");
        *passage.word = Self::LEFT;
        self.latest = passage.now;
        self.seen.left.fetch_add(1, Relaxed);
        Leave::Pass
    }
    fn reset(&mut self) {}
}

/// Puts a witness before, between and behind the layers of every call.
fn with_witnesses(mut plan: Plan) -> (Plan, Vec<Arc<Witness>>) {
    let mut witnesses = Vec::new();
    for edge in &mut plan.edges {
        let mut layers: Vec<Arc<dyn Blueprint>> = Vec::new();
        for place in 0..=edge.layers.len() {
            let seen = Arc::new(Witness { place: format!("{}, place {place}", edge.name), ..Witness::default() });
            layers.push(Arc::new(Watch { seen: Arc::clone(&seen), latest: Time::ZERO }));
            layers.extend(edge.layers.get(place).cloned());
            witnesses.push(seen);
        }
        edge.layers = layers;
    }
    (plan, witnesses)
}

/// Every operation has an effect and honours keys for ever, and every call carries the key of its request.
fn with_keys(mut plan: Plan) -> Plan {
    for operation in plan.services.iter_mut().flat_map(|service| &mut service.operations) {
        operation.effect = true;
        let table = idempotency::Spec::default();
        operation.keyed = Some(match operation.keyed {
            Some(keyed) => Keyed { table, ..keyed },
            None => {
                let entry = plan.steps.len() as u32;
                plan.steps.extend([Step::Once, Step::Jump(operation.entry)]);
                Keyed { entry, table }
            }
        });
    }
    for edge in &mut plan.edges {
        edge.key = Some(idempotency::Key::Request);
    }
    plan
}

#[test]
fn the_cases_bring_about_everything_that_can_be_measured() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1_200 {
        let case = case().new_tree(&mut runner).expect("a case can be made").current();
        let run = run(&case.plan(), case.seed);
        let figures = run.columns.iter().zip(&run.windows[0]);
        seen.extend(figures.filter(|(_, value)| **value > 0.0).map(|(column, _)| column.metric));
    }
    // Only policies written outside the program refuse with `custom`.
    let missing = METRICS.iter().filter(|it| !seen.contains(it.name) && it.name != "failed.refused_by.custom");
    let missing: Vec<&str> = missing.map(|it| it.name).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}

#[test]
fn a_larger_system_keeps_the_invariants_under_every_fault_on_every_policy() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chaos/experiments/x.yaml");
    let scenario = Scenario::load(&file, &[]).expect("the experiment is well-formed");
    let options = Options { seeds: Some(10), seed: Some(1), ..Options::default() };
    let results = execute(&scenario, &options, &|| {}).expect("the experiment can be built");
    for run in &results.points[0].runs {
        assert!(run.stopped.is_none(), "{:?}", run.stopped);
        assert!(run.events > 100_000, "{} events", run.events);
    }
}
