//! Memory: what requests hold, when it is collected, and what a full one does.

use super::{Ran, Texts, run};

/// A service without queue, whose requests take 1 s each, and a client that sends one every 100 ms from 100 ms on.
fn service(memory: &str, experiment: &str) -> Ran {
    run(&model(memory), experiment)
}

fn model(memory: &str) -> String {
    format!(
        "
        services: {{ s: {{ memory: {{ {memory} }}, operations: {{ get: [ work: 1s ] }} }} }}
        clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 10/s }} }} }}
        "
    )
}

impl Ran {
    fn of_memory(&self, metric: &str) -> f64 {
        self.run.value(&self.plan, "all", "memory/s", metric).expect("it has one")
    }

    fn of_client(&self, metric: &str) -> f64 {
        self.run.value(&self.plan, "all", "client/c", metric).expect("it has one")
    }
}

/// Ten are inside at any time: 20 MiB and ten times 1 MiB of 100.
#[test]
fn a_request_holds_its_memory_until_it_is_answered() {
    let ran = service("limit: 100MiB, base: 20MiB, per_request: 1MiB", "{ length: 21s, warmup: 1s }");
    assert!((ran.of_memory("memory.used") - 0.30).abs() < 1e-3, "{}", ran.of_memory("memory.used"));
    assert_eq!(ran.of_memory("oom_kills"), 0.0);
}

/// Room for five: the fifth inside reaches the limit. At 0.5 s all five are lost; it serves again after 2 s + 1 s, from 3.5 s on, and is killed
/// again with the fifth that comes then. Of the requests that come meanwhile none is answered.
#[test]
fn a_memory_that_is_full_of_what_is_needed_kills_the_instance_with_all_that_it_held() {
    let memory = "limit: 5MiB, per_request: 1MiB, restart_after: 2s";
    let model = model(memory).replace("operations", "startup: 1s, operations");
    let ran = run(&model, "{ length: 7s, resolution: 100ms }");
    assert_eq!(ran.of_memory("oom_kills"), 2.0);
    assert_eq!(ran.of_client("ok"), 0.0);
    let line = ran.run.line("memory/s", "oom_kills").expect("it has one");
    let kills: Vec<f64> = line.iter().filter(|it| it.1 > 0.0).map(|it| it.0).collect();
    assert!(kills.len() == 2 && (kills[1] - kills[0] - 3.5).abs() < 0.11, "{kills:?}");
}

/// A request every 100 ms that takes 50 ms, one at a time: 1 MiB of garbage when it comes and 1 MiB when it leaves. With 10 MiB and 1 MiB live,
/// the sixth to come finds 1 + 10 + 1: a collection every five, of 10 ms + 1 MiB / 100 MiB/s = 20 ms. Who is worked on then ends as much later.
#[test]
fn a_collection_stops_the_work_and_takes_the_longer_the_more_is_live() {
    let memory = "limit: 10MiB, per_request: 1MiB, garbage: 1MiB, collection: { pause: 10ms, speed: 100MiB/s }";
    let model = model(memory).replace("work: 1s", "work: 50ms");
    let ran = run(&model, "{ length: 100s }");
    assert!((ran.of_memory("collections") - 2.0).abs() < 0.03, "{}", ran.of_memory("collections"));
    assert!((ran.of_memory("gc.pause.mean") - 0.02).abs() < 1e-6, "{}", ran.of_memory("gc.pause.mean"));
    assert!((ran.of_memory("gc.share") - 0.04).abs() < 1e-3);
    assert!((ran.of_client("latency.mean") - (0.05 + 0.02 / 5.0)).abs() < 1e-3, "{}", ran.of_client("latency.mean"));
}

/// Twenty MiB a second: a collection of 4 s begins after five seconds. The seconds within it are wholly in it, and all together are 4 s.
#[test]
fn time_in_a_collection_belongs_to_the_seconds_in_which_it_passes() {
    let memory = "limit: 101MiB, per_request: 1MiB, garbage: 1MiB, collection: { pause: 4s }";
    let ran = run(&model(memory).replace("work: 1s", "work: 1ms"), "{ length: 10s, resolution: 1s }");
    let line = ran.run.line("memory/s", "gc.share").expect("it has one");
    let shares: Vec<f64> = line.iter().map(|it| it.1).collect();
    let begins = shares.iter().position(|&share| share > 0.0).expect("one begins");
    assert!(shares.iter().all(|&share| (0.0..=1.0).contains(&share)), "{shares:?}");
    assert!(shares[begins + 1..begins + 4].iter().all(|&share| share == 1.0), "{shares:?}");
    assert!((shares.iter().sum::<f64>() - 4.0).abs() < 1e-9, "{shares:?}");
}

/// A process that is gone has no collection under way, and one that is paused by a fault goes on when both are over.
#[test]
fn collections_and_faults_do_not_lose_each_other() {
    let memory = "limit: 10MiB, per_request: 1MiB, garbage: 1MiB, collection: { pause: 500ms }";
    let model = model(memory).replace("work: 1s", "work: 10ms");
    let faults = "faults: [ { at: 1200ms, for: 2s, crash: { service: s } }, { at: 5s, for: 1s, pause: { service: s } }, \
        { at: 8s, for: 1ms, crash: { service: s } } ]";
    let ran = run(&model, &format!("{{ length: 20s, warmup: 0s, drain: 5s, {faults} }}"));
    assert_eq!(ran.of_client("unfinished"), 0.0);
    assert!(ran.of_memory("collections") > 0.5);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    for (memory, wrong) in [
        ("limit: 0B, per_request: 1B", "a memory of nothing"),
        ("limit: 1MiB, base: 1MiB, per_request: 1B", "without any request"),
        ("limit: 1MiB", "hold nothing"),
        ("limit: 1MiB, per_request: 1MiB", "more memory than there is"),
        ("limit: 3MiB, per_request: 1MiB, garbage: 2MiB, collection: { pause: 1s }", "more memory than there is"),
        ("limit: 1MiB, garbage: 1KiB", "never collected"),
        ("limit: 1MiB, garbage: 1KiB, collection: {}", "takes no time"),
    ] {
        let texts = Texts { model: &model(memory), experiment: "{ length: 1s }", data: &[] };
        let said = texts.plan().expect_err(memory);
        assert!(said.contains(wrong), "{memory}: {said}");
    }
}

/// The primary takes its writes as 10 ms of work each, and its memory is full after ten: a collection of 2 s. Half a second after its
/// beginning it is taken for gone, and the follower is the primary.
#[test]
fn a_primary_that_collects_stands_still_as_in_a_pause() {
    let model = "
        services:
          db:
            replicas: 2
            memory: { limit: 10MiB, per_request: 1KiB, garbage: 1MiB, collection: { pause: 2s } }
            replication: { mode: asynchronous, lag: 1ms, failover: { detect_after: 500ms, takes: 0s } }
            operations: { put: { writes: true, steps: [ work: 10ms ] } }
        clients: { c: { calls: db.put, arrivals: { constant: 10/s } } }
        ";
    let ran = run(model, "{ length: 3s }");
    assert_eq!(ran.run.value(&ran.plan, "all", "database/db", "failovers"), Some(1.0));
}
