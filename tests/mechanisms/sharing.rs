//! Answers that are shared, remembered, or given later.

use super::run;

#[test]
fn those_who_ask_for_the_same_meanwhile_share_one_call() {
    // Requests at 10, 20, .. ms; each call takes 95 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 95ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ single_flight: {} ] } }
        ",
        "{ length: 205ms, resolution: 1ms }",
    );
    assert_eq!(ran.when("service/s", "arrivals"), [10, 110]);
    let each: Vec<u64> = (1..=10).map(|n| 105 - 10 * n).collect();
    assert_eq!(ran.latencies("c"), [each.clone(), each].concat());
}

#[test]
fn different_keys_do_not_wait_for_each_other_and_a_call_can_choose_its_own() {
    for (keys, sent) in [("distinct", 10), ("same", 1)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ work: 95ms ] }} }} }}
                clients:
                  c:
                    arrivals: {{ constant: 100/s }}
                    keys: {}
                    tasks:
                      all: {{ steps: [ {{ call: s.get, keys: {keys}, policies: [ single_flight: {{}} ] }} ] }}
                ",
                if keys == "same" { "distinct" } else { "same" }
            ),
            "{ length: 105ms }",
        );
        assert_eq!(ran.count("service/s", "arrivals"), sent, "{keys}");
    }
}

#[test]
fn the_next_in_line_goes_in_when_the_one_inside_is_abandoned() {
    // The first, made at 10 ms, is given up at 60 ms; the second then goes in itself, until 70 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 100ms ] } } }
        clients:
          c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ timeout: 50ms, single_flight: {} ] }
        ",
        "{ length: 25ms, resolution: 1ms, drain: 1s }",
    );
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    assert_eq!(
        ran.run.value(&ran.plan, "all", "edge/c->s.get", "attempts").map(|it| super::whole(it * 0.025)),
        Some(2)
    );
}

#[test]
fn a_failure_is_shared_too_and_instances_share_only_if_told() {
    for (shared, calls) in [(false, 2), (true, 1)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ work: 95ms, fail: error ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    instances: 2
                    users: {{ count: 2, think: 10ms }}
                    policies: [ single_flight: {{ shared: {shared} }} ]
                "
            ),
            "{ length: 50ms, drain: 1s }",
        );
        assert_eq!(ran.count("client/c", "failed.error"), 2);
        assert_eq!(ran.count("edge/c->s.get", "attempts"), calls, "{shared}");
    }
}

#[test]
fn a_lesser_answer_takes_its_latency_and_has_its_quality() {
    let ran = run(
        "
        services: { s: { operations: { get: [ choice: [ { weight: 1, steps: [ fail: error ] } ] ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ fallback: [ { answer: default, latency: 30ms, quality: 80% } ] ]
        ",
        "{ length: 1.05s }",
    );
    assert_eq!(ran.count("client/c", "degraded"), 10);
    assert_eq!(ran.millis("client/c", "latency.max"), 30);
    assert!((ran.value("client/c", "quality") - 0.8).abs() < 1e-12);
    assert!((ran.value("edge/c->s.get", "quality") - 0.8).abs() < 1e-12);
}

#[test]
fn quality_is_the_mean_of_full_lesser_and_failed_requests() {
    // The service is gone from 0.25 s to 0.65 s, in which four of ten requests are made; the last two find the answer of
    // 0.2 s too old.
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ fallback: [ { answer: stale, max_age: 250ms } ] ]
        ",
        "{ length: 1.05s, faults: [ { at: 250ms, for: 400ms, crash: { service: s } } ] }",
    );
    assert_eq!(ran.count("client/c", "ok"), 6);
    assert_eq!(ran.count("client/c", "degraded"), 2);
    assert_eq!(ran.count("client/c", "failed.unreachable"), 2);
    assert!((ran.value("client/c", "quality") - (6.0 + 2.0 * 0.75) / 10.0).abs() < 1e-12);
}

#[test]
fn what_was_put_off_is_made_up_for_when_the_service_is_back() {
    // Nine requests, at 100, 200, .. 900 ms, find the service gone. The first has its turn at 600 ms, fails again, and
    // has it again at 1,100 ms; the others follow with gaps of 50 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ fallback: [ { answer: later, rate: 20/s, probe: 500ms } ] ]
        ",
        "{ length: 2.05s, resolution: 50ms, faults: [ { at: 50ms, for: 900ms, crash: { service: s } } ] }",
    );
    let queue = "queue/c->s.get";
    assert_eq!(ran.count("client/c", "degraded"), 9);
    assert_eq!(ran.count("client/c", "ok"), 11);
    assert_eq!(ran.count(queue, "put_off"), 9);
    assert_eq!(ran.when(queue, "caught_up"), (0..9).map(|n| 1_100 + 50 * n).collect::<Vec<_>>());
    // The waits: 1,000 ms, and 1,150 + 50 (k - 2) - 100 k for k from 2 to 9.
    assert!((ran.value(queue, "backlog.mean") - 7.2 / 2.05).abs() < 1e-9);
    // Attempts at the service: eleven that were answered, and nine made up for.
    assert_eq!(ran.count("service/s", "throughput"), 20);
    // They are attempts of the edge, and no new calls.
    assert_eq!(ran.count("edge/c->s.get", "offered"), 20);
    assert_eq!(ran.count("edge/c->s.get", "attempts"), 20 + 10);
}

#[test]
fn a_queue_of_calls_is_lost_with_its_instance() {
    let ran = run(
        "
        services:
          front: { operations: { get: [ { call: s.get, policies: [ fallback: [ { answer: later, rate: 20/s } ] ] } ] } }
          s: { operations: { get: [] } }
        clients: { c: { calls: front.get, arrivals: { constant: 10/s } } }
        ",
        "
        length: 3s
        faults:
          - { at: 50ms, for: 1s, crash: { service: s } }
          - { at: 550ms, for: 100ms, crash: { service: front } }
        ",
    );
    // Five before the crash, of which none has had its turn; 700, 800, 900 and 1,000 ms after it.
    let queue = "queue/front->s.get";
    assert_eq!(ran.count(queue, "put_off"), 9);
    assert_eq!(ran.count(queue, "caught_up"), 4);
}

#[test]
fn losers_of_a_race_run_on_if_told_and_a_server_that_listens_is_not_told() {
    // The first attempt ends after 50 ms. The spare, sent at 10 ms to the other replica, is stopped then, or works on to 60 ms.
    for (losers, busy) in [("abandon", 90), ("run", 100)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ replicas: 2, cancel: propagate, operations: {{ get: [ work: 50ms ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 1/s }}
                    policies: [ hedge: {{ after: 10ms, losers: {losers} }} ]
                "
            ),
            "{ length: 1.5s }",
        );
        assert_eq!(ran.busy("service/s"), busy, "{losers}");
        assert_eq!(ran.count("edge/c->s.get", "late"), u64::from(losers == "run"));
    }
}

#[test]
fn a_hedge_that_learns_sends_spares_for_the_share_that_is_slower() {
    // Work without memory: 10 % of the calls last longer than their 90th percentile, found to 0.8 % of the time and over the
    // last 1,000, whose own share of slower ones is 10 % give or take a percent. Five standard deviations of 20,000 calls
    // are 1.1 %, and the percentile moves with the calls, so that its own deviations are followed, not added.
    let ran = run(
        "
        services: { s: { replicas: 2, operations: { get: [ work: { exponential: 10ms } ] } } }
        clients:
          c: { calls: s.get, arrivals: { poisson: 1000/s }, policies: [ hedge: { percentile: 90%, initial: 1s } ] }
        ",
        "{ length: 25s, warmup: 5s }",
    );
    let amplification = ran.value("client/c", "amplification");
    assert!((1.088..1.112).contains(&amplification), "{amplification}");
}

#[test]
fn a_thread_is_busy_until_its_call_has_ended_and_a_permit_until_nobody_waits() {
    // Requests at 100, 200, .. ms, given up after 50 ms; each call takes 250 ms. A thread that began at 100 ms is free at
    // 350 ms, and takes the request of 400 ms.
    for (kind, sent) in [("semaphore", vec![100, 200, 300, 400, 500, 600]), ("thread_pool", vec![100, 400])] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ work: 250ms ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 10/s }}
                    policies: [ timeout: 50ms, bulkhead: {{ concurrent: 1, kind: {kind} }} ]
                "
            ),
            "{ length: 650ms, resolution: 10ms }",
        );
        assert_eq!(ran.when("service/s", "arrivals"), sent, "{kind}");
        let refused = 6 - sent.len() as u64;
        assert_eq!(ran.count("client/c", "failed.refused_by.bulkhead"), refused);
        assert_eq!(ran.count("client/c", "failed.timeout"), 6 - refused);
    }
}

#[test]
fn who_waits_for_a_thread_takes_it_when_it_is_free_and_an_answer_for_nobody_is_late() {
    // One thread and a queue of one. The thread works for the first from 100 to 350 ms, whose caller goes on at 300 ms. The second
    // waits from 200 ms, takes the thread at 350 ms and is given up at 400 ms; it holds the thread until 600 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 250ms ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ timeout: 200ms, bulkhead: { concurrent: 1, waiting: 1, kind: thread_pool } ]
        ",
        "{ length: 250ms, resolution: 10ms, drain: 10s }",
    );
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    assert_eq!(ran.count("edge/c->s.get", "attempts"), 2);
    // The second attempt is sent after the end, and counts for no window.
    assert_eq!(ran.count("edge/c->s.get", "late"), 1);
    assert!((ran.value("edge/c->s.get", "wasted_share") - 1.0).abs() < 1e-12);
}

#[test]
fn threads_are_gone_with_their_process() {
    // Both threads of `front` wait for `s`, which takes an hour, and their callers are gone. The process starts afresh.
    let ran = run(
        "
        services:
          front:
            operations:
              get:
                - call: s.get
                  policies: [ timeout: 50ms, bulkhead: { concurrent: 2, kind: thread_pool } ]
          s: { operations: { get: [ work: 1h ] } }
        clients: { c: { calls: front.get, arrivals: { constant: 10/s } } }
        ",
        "{ length: 1.05s, resolution: 10ms, drain: 0s, faults: [ { at: 510ms, for: 10ms, crash: { service: front } } ] }",
    );
    assert_eq!(ran.when("service/s", "arrivals"), [100, 200, 600, 700]);
}

#[test]
fn a_failure_sends_the_next_spare_at_once_if_it_is_listed() {
    // Nobody answers. Each attempt takes 5 ms, and a spare is due after 50 ms. Unlisted, the first failure finds nobody else under
    // way and is the outcome; listed, two spares follow at once, to other replicas.
    for (on, attempts, took) in [("[]", 1, 5), ("[ error ]", 3, 15), ("[ timeout ]", 1, 5)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ replicas: 3, operations: {{ get: [ work: 5ms, fail: error ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 1/s }}
                    policies: [ hedge: {{ after: 50ms, spares: 2, on: {on} }} ]
                "
            ),
            "{ length: 1.5s }",
        );
        assert_eq!(ran.count("edge/c->s.get", "attempts"), attempts, "{on}");
        assert_eq!(ran.millis("client/c", "duration.mean"), took, "{on}");
        assert_eq!(ran.count("client/c", "failed.error"), 1);
        let most = (0..3).map(|replica| ran.count(&format!("instance/s/{replica}"), "arrivals")).max();
        assert_eq!(most, Some(1), "each went elsewhere than the one before");
    }
}

#[test]
fn a_key_made_for_a_call_stays_the_same_whoever_makes_the_call_in_the_end() {
    // The first try is given up after 100 ms, and has its effect at 150 ms. It is tried again by a thread that nobody waits for,
    // or from a queue: each time with the key of the first.
    for policies in [
        "timeout: 120ms, bulkhead: { concurrent: 9, kind: thread_pool }, retry: { attempts: 3, on: [ timeout ] }, timeout: 100ms",
        "fallback: [ { answer: later, rate: 10/s, probe: 500ms } ], timeout: 100ms",
    ] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ pay: {{ effect: true, idempotency: {{}}, steps: [ work: 150ms ] }} }} }} }}
                clients:
                  c:
                    calls: s.pay
                    idempotency_key: call
                    arrivals: {{ constant: 1/s }}
                    policies: [ {policies} ]
                "
            ),
            "{ length: 1.9s, drain: 10s }",
        );
        assert_eq!(ran.count("service/s", "effects"), 1, "{policies}");
        assert_eq!(ran.count("service/s", "duplicate_effects"), 0, "{policies}");
    }
}

#[test]
fn an_attempt_that_times_out_inside_a_race_is_told_of_whatever_becomes_of_losers() {
    for losers in ["abandon", "run"] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ cancel: propagate, operations: {{ get: [ work: 500ms ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 1/s }}
                    policies: [ hedge: {{ after: 10s, losers: {losers} }}, timeout: 100ms ]
                "
            ),
            "{ length: 1.8s }",
        );
        assert_eq!(ran.busy("service/s"), 100, "{losers}");
    }
}
