//! Faults, deadlines and cancellation in small systems without chance, in which every outcome can be told beforehand.

use std::fs;
use std::path::Path;

use blackstart::experiment::{Options, execute};
use blackstart::measure::Run;
use blackstart::scenario::Scenario;
use blackstart::system::plan::Plan;

/// A run of an experiment on a model, both as they would be written.
struct Story {
    plan: Plan,
    run: Run,
    seconds: f64,
}

fn story(name: &str, model: &str, experiment: &str) -> Story {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("small_systems").join(name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    fs::write(folder.join("model.yaml"), model).expect("the file can be written");
    let file = folder.join("experiment.yaml");
    fs::write(&file, format!("model: model.yaml\n{experiment}")).expect("the file can be written");
    let scenario = Scenario::load(&file, &[]).expect("the files are well-formed");
    let options = Options { seeds: Some(1), seed: None };
    let mut results = execute(&scenario, &options, &|| {}).unwrap_or_else(|found| {
        panic!("{}", found.render(&scenario.sources, false));
    });
    let mut point = results.points.remove(0);
    let seconds = point.plan.schedule.length.as_secs();
    Story { plan: point.plan, run: point.runs.remove(0), seconds }
}

impl Story {
    fn figure(&self, window: &str, entity: &str, metric: &str) -> f64 {
        self.run.value(&self.plan, window, entity, metric).expect("it is measured")
    }

    /// A rate over the whole run, as a number of requests.
    fn count(&self, entity: &str, metric: &str) -> f64 {
        (self.figure("all", entity, metric) * self.seconds).round()
    }
}

/// Requests at 20, 40, 60 ms and so on.
const FIFTY_A_SECOND: &str = "arrivals: { constant: 50/s }";

#[test]
fn every_fault_is_felt_while_it_lasts_and_not_any_more_once_it_is_over() {
    let model = format!(
        "services:\n  web: {{ workers: 4, operations: {{ get: {{ response: 1KiB, steps: [ work: 10ms ] }} }} }}\n\
         clients:\n  users: {{ calls: web.get, {FIFTY_A_SECOND}, policies: [ timeout: 100ms ] }}\n\
         network: {{ default: {{ latency: 1ms }} }}\n"
    );
    let run = |number: usize, faults: &str| {
        // Windows that begin and end between two arrivals.
        let windows = "windows: { during: { from: 1010ms, to: 2010ms }, later: { from: 4010ms, to: 6010ms } }";
        story(&format!("over-{number}"), &model, &format!("length: 7s\n{windows}\nfaults: [ {faults} ]\n"))
    };
    let calm = run(0, "");
    for (number, fault) in [
        "slow: { service: web, factor: 5 }",
        "errors: { service: web }",
        "errors: { service: web, fast: true }",
        "crash: { service: web }",
        "crash: { service: web, silent: true }",
        "pause: { service: web }",
        "partition: { between: [users, web] }",
        "partition: { from: users, to: web }",
        "partition: { from: web, to: users }",
        "link: { between: [users, web], latency: 20ms }",
        "link: { from: users, to: web, loss: 100% }",
        "link: { from: web, to: users, bandwidth: 100KiB/s }",
        "surge: { client: users, factor: 3 }",
    ]
    .iter()
    .enumerate()
    {
        let disturbed = run(number + 1, &format!("{{ at: 1010ms, for: 1s, {fault} }}"));
        let figures = |story: &Story, window: &str| {
            ["offered", "goodput", "failed", "latency.mean", "latency.max"]
                .map(|metric| story.figure(window, "client/users", metric).to_bits())
        };
        assert_ne!(figures(&disturbed, "during"), figures(&calm, "during"), "{fault} is not felt");
        assert_eq!(figures(&disturbed, "later"), figures(&calm, "later"), "{fault} is not over");
    }
}

#[test]
fn errors_before_any_work_strike_those_who_have_waited_too() {
    // Five requests at 1 s: one is served to 1.1 s, and the other four wait when the fault begins.
    let model = "services:\n  web: { workers: 1, operations: { get: [ work: 100ms ] } }\n\
        clients:\n  users: { calls: web.get, arrivals: { constant: 1/s }, batch: 5 }\n";
    let experiment = "length: 1500ms\nfaults:\n  - { at: 1050ms, for: 100ms, errors: { service: web, fast: true } }\n";
    let story = story("fast", model, experiment);
    assert_eq!((story.count("client/users", "ok"), story.count("client/users", "failed.error")), (1.0, 4.0));
    let mean = story.figure("all", "client/users", "duration.mean");
    assert_eq!(mean.to_bits(), 0.1_f64.to_bits(), "all of them end when the first has been served");
}

#[test]
fn a_crashed_replica_refuses_until_it_has_started_and_a_silent_one_says_nothing_until_it_starts() {
    let model = format!(
        "services:\n  web: {{ startup: 500ms, operations: {{ get: [ work: 1ms ] }} }}\n\
         clients:\n  users: {{ calls: web.get, {FIFTY_A_SECOND} }}\n"
    );
    // Down from 1.01 to 2.01 s, starting to 2.51 s; requests at 1.02, 1.04, .. 2.00, .. 2.50 s.
    for (silent, unfinished, unreachable) in [(false, 0.0, 75.0), (true, 50.0, 25.0)] {
        let fault = format!("{{ at: 1010ms, for: 1s, crash: {{ service: web, silent: {silent} }} }}");
        let story = story(&format!("crash-{silent}"), &model, &format!("length: 4s\nfaults: [ {fault} ]\n"));
        assert_eq!(story.figure("all", "client/users", "unfinished"), unfinished);
        assert_eq!(story.count("client/users", "failed.unreachable"), unreachable);
    }
}

#[test]
fn a_restarted_process_has_forgotten_what_its_breakers_knew_but_for_shared_ones() {
    for (shared, goodput) in [(false, 50.0), (true, 0.0)] {
        let breaker = format!("breaker: {{ consecutive_failures: 1, open_for: 1h, shared: {shared} }}");
        let model = format!(
            "services:\n  web: {{ operations: {{ get: [ {{ call: db.read, policies: [ {breaker} ] }} ] }} }}\n  \
             db: {{ operations: {{ read: [ work: 1ms ] }} }}\n\
             clients:\n  users: {{ calls: web.get, {FIFTY_A_SECOND} }}\n"
        );
        // The errors open the breaker; only a restart of its process closes it within the hour.
        let experiment = "length: 4s\nwindows: { between: { from: 1s, to: 2s }, restarted: { from: 3s, to: 4s } }\n\
            faults:\n  - { at: 500ms, for: 100ms, errors: { service: db } }\n";
        let crash = "  - { at: 2s, for: 100ms, crash: { service: web } }\n";
        let story = story(&format!("restart-{shared}"), &model, &format!("{experiment}{crash}"));
        assert_eq!(story.figure("between", "client/users", "goodput"), 0.0);
        assert_eq!(story.figure("restarted", "client/users", "goodput"), goodput);
    }
}

#[test]
fn a_retry_elsewhere_never_meets_the_same_bad_replica_twice() {
    let model = format!(
        "services:\n  web: {{ replicas: 2, balance: random, operations: {{ get: [ work: 1ms ] }} }}\n\
         clients:\n  users:\n    calls: web.get\n    {FIFTY_A_SECOND}\n    policies:\n      \
         - retry: {{ attempts: 2, on: [error], elsewhere: true }}\n"
    );
    let story = story("elsewhere", &model, "length: 4s\nfaults: [ { errors: { service: web, replica: 0 } } ]\n");
    assert_eq!(story.figure("all", "client/users", "success_rate"), 1.0);
    assert!(story.figure("all", "client/users", "amplification") > 1.0, "the bad replica was met");
}

#[test]
fn a_request_whose_deadline_has_passed_is_dropped_when_its_turn_comes() {
    // Three at once: they would be taken at 0, 40 and 80 ms, and nobody waits for the third after 50 ms.
    let model = "services:\n  web: { workers: 1, deadline: propagate, operations: { get: [ work: 40ms ] } }\n\
        clients:\n  users: { calls: web.get, arrivals: { constant: 1/s }, batch: 3, policies: [ timeout: 50ms ] }\n";
    let story = story("deadline", model, "length: 1500ms\n");
    assert_eq!((story.count("service/web", "throughput"), story.count("service/web", "dropped")), (2.0, 1.0));
    assert_eq!((story.count("client/users", "ok"), story.count("client/users", "failed.timeout")), (1.0, 2.0));
}

#[test]
fn a_cancelled_request_that_wanted_its_worker_back_does_not_keep_those_behind_it_waiting() {
    // `a` works to 1.01 s, calls, and stands in line again from 1.03 s on, behind `b`, which works to 1.11 s. It is
    // given up at 1.05 s. `c` comes at 1.06 s, and is served when `b` has gone.
    let model = "services:\n  web:\n    workers: 1\n    async: true\n    cancel: propagate\n    operations:\n      \
        call: [ { work: 10ms }, { call: db.read }, { work: 10ms } ]\n      \
        long: [ work: 100ms ]\n      short: [ work: 10ms ]\n  db: { operations: { read: [ work: 20ms ] } }\n\
        clients:\n  a: { calls: web.call, users: { count: 1, think: 1s }, policies: [ timeout: 50ms ] }\n  \
        b: { calls: web.long, users: { count: 1, think: 1005ms } }\n  \
        c: { calls: web.short, users: { count: 1, think: 1060ms } }\n";
    let story = story("worker-back", model, "length: 1500ms\n");
    assert_eq!(story.count("client/a", "failed.timeout"), 1.0);
    assert_eq!(story.figure("all", "client/b", "duration.mean").to_bits(), 0.105_f64.to_bits());
    assert_eq!(story.figure("all", "client/c", "duration.mean").to_bits(), 0.06_f64.to_bits());
}
