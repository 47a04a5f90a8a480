//! Limits: what ends a run early leaves partial results, marked; and what a run needs.

use super::{Ran, run};
use blackstart::code::{
    Client, Experiment, Model, Service, exponential, ms, per_second, plan, retry, secs, timeout, work,
};
use blackstart::engine::Time;
use blackstart::scenario::units::Size;
use blackstart::system::Stopped;

/// A request each 100 ms that takes 10 ms, with these limits.
fn limited(limits: &str) -> Ran {
    run(
        "
        services: { s: { operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 10/s } } }
        ",
        &format!("{{ length: 100s, limits: {{ {limits} }} }}"),
    )
}

#[test]
fn a_run_within_its_limits_is_not_marked() {
    let ran = limited("events: 1000000, events_per_instant: 10, memory: 1GiB, time: 100s");
    assert_eq!(ran.run.stopped, None);
    assert_eq!(ran.count("client/c", "ok"), 999);
}

#[test]
fn a_limit_on_simulated_time_ends_a_run_there() {
    // Whole steps of a second count: until 5 s there are 49 requests, all of them answered.
    let ran = limited("time: 5.5s");
    assert_eq!(ran.run.stopped, Some(Stopped::Time(Time::from_nanos(5_500_000_000))));
    assert_eq!(ran.run.times.len(), 5);
    assert!((ran.value("client/c", "offered") - 49.0 / 5.0).abs() < 1e-12, "a rate over the time that was measured");
    assert!((ran.value("client/c", "success_rate") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_limit_on_events_ends_a_run_after_so_many() {
    // Four events a request: it arrives, its request arrives, its work is done, its answer arrives.
    let ran = limited("events: 400");
    assert_eq!(ran.run.stopped, Some(Stopped::Events(400)));
    assert_eq!(ran.run.events, 400);
    // The hundredth request is answered at 10.01 s; ten steps are whole.
    assert_eq!(ran.run.times.len(), 10);
}

#[test]
fn a_limit_on_memory_ends_a_run_that_piles_up_requests() {
    let ran = run(
        "
        services: { s: { workers: 1, operations: { get: [ work: 1h ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100000/s } } }
        ",
        "{ length: 100s, limits: { memory: 10MB } }",
    );
    assert_eq!(ran.run.stopped, Some(Stopped::Memory(10_000_000)));
    assert!(ran.run.times.len() < 100);
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

#[test]
fn a_loop_in_which_no_time_passes_is_stopped_and_its_part_named() {
    let ran = run(
        "
        services: { s: { operations: { get: [ fail: error ] } } }
        clients:
          c:
            calls: s.get
            users: { count: 1, think: 0 }
            policies: [ breaker: { consecutive_failures: 1, open_for: 1s } ]
        ",
        "{ length: 10s, limits: { events_per_instant: 1000 } }",
    );
    let Some(Stopped::Instant { limit: 1_000, at: Time::ZERO, part }) = &ran.run.stopped else {
        panic!("{:?}", ran.run.stopped)
    };
    assert_eq!(part, "client `c`");
}
