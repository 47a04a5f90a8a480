//! Policies from end to end: when attempts are sent, what is refused, and whose state it is.

use super::{Ran, Texts, run};

/// One request, at 1 s, with these policies, to an operation with these steps.
fn one(policies: &str, steps: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ operations: {{ get: [ {steps} ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, policies: [ {policies} ] }} }}
            "
        ),
        "{ length: 1.99s, resolution: 10ms, windows: { first: { from: 1s, to: 1.01s } } }",
    )
}

#[test]
fn retry_outside_timeout_limits_each_attempt() {
    // Attempts at 0, 150 and 300 ms; the last is given up at 400 ms.
    let ran = one("{ retry: { attempts: 3, backoff: { constant: 50ms } } }, { timeout: 100ms }", "work: 10s");
    assert_eq!(ran.when("service/s", "arrivals"), [1_000, 1_150, 1_300]);
    assert_eq!(ran.millis("client/c", "duration.mean"), 400);
    assert_eq!(ran.count("client/c", "failed.timeout"), 1);
}

#[test]
fn timeout_outside_retry_limits_them_all_backoff_included() {
    // Attempts at 0 and 110 ms, each fails after 60 ms; the third would be at 220 ms, but at 200 ms it is over.
    let ran = one(
        "{ timeout: 200ms }, { retry: { attempts: 3, backoff: { constant: 50ms } } }",
        "{ work: 60ms }, { fail: unavailable }",
    );
    assert_eq!(ran.when("service/s", "arrivals"), [1_000, 1_110]);
    assert_eq!(ran.millis("client/c", "duration.mean"), 200);
    assert_eq!(ran.count("client/c", "failed.timeout"), 1);
}

#[test]
fn an_exponential_backoff_doubles_up_to_its_cap() {
    // Waits of 100, 200, 300 and 300 ms.
    let ran = one("retry: { attempts: 5, backoff: { exponential: { base: 100ms, cap: 300ms } } }", "fail: unavailable");
    assert_eq!(ran.when("service/s", "arrivals"), [1_000, 1_100, 1_300, 1_600, 1_900]);
    assert!((ran.value("client/c", "amplification") - 5.0).abs() < f64::EPSILON);
}

#[test]
fn a_random_backoff_has_a_law_that_is_checked_and_whose_file_is_read() {
    let texts = |law: &'static str| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ get: [ fail: unavailable ] }} }} }}
            clients:
              c:
                calls: s.get
                arrivals: {{ constant: 1/s }}
                policies: [ retry: {{ attempts: 2, backoff: {{ random: {{ {law} }} }} }} ]
            "
        );
        let data = &[("waits.csv", "wait\n70\n")];
        let (experiment, model) = ("{ length: 1.99s, resolution: 10ms }", model.leak());
        Texts { model, experiment, data }
    };
    let ran = texts("empirical: { file: waits.csv, unit: 1ms }").run(1);
    assert_eq!(ran.when("service/s", "arrivals"), [1_000, 1_070]);
    let wrong = texts("erlang: { k: 0, mean: 10ms }").plan().expect_err("no sum of nothing");
    assert!(wrong.contains("`k` must be at least 1"), "{wrong}");
}

#[test]
fn what_is_retried_by_default_is_what_may_pass() {
    for (outcome, attempts) in [("unavailable", 3), ("throttled", 3), ("error", 1), ("rejected", 1)] {
        let ran = one("retry: 3", &format!("fail: {outcome}"));
        assert_eq!(ran.count("client/c", "attempts"), attempts, "{outcome}");
    }
    let ran = one("retry: { attempts: 3, on: [error] }", "fail: error");
    assert_eq!(ran.count("client/c", "attempts"), 3);
}

#[test]
fn three_attempts_at_three_layers_are_27_calls_at_the_bottom() {
    let ran = run(
        "
        services:
          a: { operations: { get: [ { call: b.get, policies: [ retry: 3 ] } ] } }
          b: { operations: { get: [ { call: d.get, policies: [ retry: 3 ] } ] } }
          d: { operations: { get: [ fail: unavailable ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, policies: [ retry: 3 ] } }
        ",
        "{ length: 3s }",
    );
    assert_eq!(ran.count("service/d", "arrivals"), 2 * 27);
}

#[test]
fn three_attempts_at_five_layers_are_243_calls_at_the_bottom() {
    let ran = run(
        "
        services:
          a: { operations: { get: [ { call: b.get, policies: [ retry: 3 ] } ] } }
          b: { operations: { get: [ { call: d.get, policies: [ retry: 3 ] } ] } }
          d: { operations: { get: [ { call: e.get, policies: [ retry: 3 ] } ] } }
          e: { operations: { get: [ { call: f.get, policies: [ retry: 3 ] } ] } }
          f: { operations: { get: [ fail: unavailable ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, policies: [ retry: 3 ] } }
        ",
        "{ length: 3s }",
    );
    assert_eq!(ran.count("service/f", "arrivals"), 2 * 243);
}

#[test]
fn the_time_for_retries_begins_when_the_call_comes_to_them() {
    // Two calls at the same instant; the second waits 500 ms outside the retries. Each is tried at 0, 100, 200 and 300 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [ fail: unavailable ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 1/s }
            batch: 2
            policies:
              - rate_limit: { rate: 2/s, wait: 1s }
              - retry: { attempts: unlimited, within: 350ms, backoff: { constant: 100ms } }
        ",
        "{ length: 1.5s }",
    );
    assert_eq!(ran.count("client/c", "offered"), 2);
    assert_eq!(ran.count("client/c", "attempts"), 8);
}

#[test]
fn a_retry_budget_pays_one_retry_for_each_token_deposited() {
    // A quarter of a token a request: 100 requests pay for 25 retries.
    let ran = run(
        "
        services: { s: { operations: { get: [ fail: unavailable ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 100/s }
            policies: [ retry: { attempts: 3, budget: { token_bucket: { deposit: 0.25, initial: 0 } } } ]
        ",
        "{ length: 1.005s }",
    );
    assert_eq!(ran.count("client/c", "offered"), 100);
    assert_eq!(ran.count("client/c", "attempts"), 125);
}

#[test]
fn the_load_of_retries_depends_on_when_their_budget_is_filled() {
    // Half of the attempts fail. A tenth of a token for each first try makes 1.1 attempts a request; a tenth for each
    // success makes a = 1 + 0.1 × a/2, which is 1/0.95.
    let n = 9_999;
    for on in ["first_try", "success"] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 100/s }}
                    policies:
                      - retry:
                          attempts: unlimited
                          budget: {{ token_bucket: {{ deposit: 0.1, on: {on}, initial: 0 }} }}
                "
            ),
            "{ length: 100s, faults: [ errors: { service: s, rate: 50%, outcome: unavailable } ] }",
        );
        assert_eq!(ran.count("client/c", "offered"), n);
        let (attempts, ok) = (ran.count("client/c", "attempts"), ran.count("client/c", "ok"));
        let deposited = 0.1 * if on == "success" { ok as f64 } else { n as f64 };
        let unspent = deposited - (attempts - n) as f64;
        // The bucket holds ten tokens at most, and a hundred successes in a row, which would overfill it, do not happen.
        assert!((-1e-6..=10.0).contains(&unspent), "{on}: {unspent}");
        super::assert_binomial(ok, attempts, 0.5);
    }
}

#[test]
fn a_bulkhead_serves_those_in_line_in_turn_and_refuses_the_others() {
    // Requests at 10, 20 and 30 ms; 100 ms each, one permit, one place in line.
    for (wait, second, refused) in [("150ms", Some(190), 1), ("50ms", None, 2)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ work: 100ms ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 100/s }}
                    load: [ step: {{ at: 35ms, factor: 0 }} ]
                    policies: [ bulkhead: {{ concurrent: 1, waiting: 1, wait: {wait} }} ]
                "
            ),
            "{ length: 500ms, resolution: 10ms }",
        );
        assert_eq!(ran.answers("c"), [Some(100), second, None], "{wait}");
        assert_eq!(ran.count("client/c", "failed.refused_by.bulkhead"), refused, "{wait}");
        // The third is refused at once, the second after 50 ms if it may not wait longer.
        let ended = 100 + second.unwrap_or(50);
        assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 3.0 * 1e3), ended, "{wait}");
        assert_eq!(ran.count("service/s", "arrivals"), 3 - refused, "a refusal sends nothing");
    }
}

#[test]
fn a_rate_limit_passes_its_burst_and_then_its_rate() {
    // Requests each 10 ms, a token each 100 ms. Without a burst at 10, 110, 210 … 910 ms; with a burst of three two more
    // at the start, one after the other.
    for (burst, passed) in [(1, 10), (3, 12)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [] }} }} }}
                clients:
                  c:
                    calls: s.get
                    arrivals: {{ constant: 100/s }}
                    policies: [ rate_limit: {{ rate: 10/s, burst: {burst} }} ]
                "
            ),
            "{ length: 1s, resolution: 10ms }",
        );
        let early: &[u64] = if burst == 1 { &[10] } else { &[10, 20, 30] };
        let expected: Vec<u64> = early.iter().copied().chain((1..=9).map(|n| n * 100 + 10)).collect();
        assert_eq!(ran.when("service/s", "arrivals"), expected);
        assert_eq!(ran.count("client/c", "ok"), passed);
        assert_eq!(ran.count("client/c", "failed.refused_by.rate_limit"), 99 - passed);
    }
}

#[test]
fn a_call_may_wait_for_its_token() {
    // Tokens are due at 10, 110 and 210 ms; the third would have to wait for 180 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients:
          c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ rate_limit: { rate: 10/s, wait: 100ms } ] }
        ",
        "{ length: 35ms, resolution: 10ms }",
    );
    assert_eq!(ran.answers("c"), [Some(0), Some(90), None]);
}

#[test]
fn a_fallback_makes_a_failure_a_lesser_answer() {
    let ran = one("{ fallback: default }, { timeout: 100ms }", "work: 10s");
    assert_eq!(ran.count("client/c", "degraded"), 1);
    assert_eq!(ran.millis("client/c", "latency.mean"), 100);
    let ran = one("fallback: { levels: [empty], on: [unavailable] }", "fail: error");
    assert_eq!(ran.count("client/c", "failed.error"), 1);
}

#[test]
fn an_open_breaker_refuses_until_its_pause_is_over_and_a_failed_probe_opens_it_again() {
    // A request each 100 ms. Three failures open it at 300 ms for 450 ms: the probes are at 800, 1300 and 1800 ms.
    let ran = run(
        "
        services: { s: { operations: { get: [ fail: error ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ breaker: { consecutive_failures: 3, open_for: 450ms } ]
        ",
        "{ length: 2.05s, resolution: 100ms }",
    );
    assert_eq!(ran.when("service/s", "arrivals"), [100, 200, 300, 800, 1_300, 1_800]);
    assert_eq!(ran.count("client/c", "failed.refused_by.breaker"), 14);
    // It moves when the first call comes after the pause, and back at once: open from 300 ms to the end.
    assert!((ran.value("breaker/c->s.get", "transitions") - 7.0).abs() < f64::EPSILON);
    assert!((ran.value("breaker/c->s.get", "open_share") - 1.75 / 2.05).abs() < 1e-12);
}

#[test]
fn a_timeout_teaches_a_breaker_only_from_inside_it() {
    for (policies, sent) in [("{ breaker: B }, { timeout: 50ms }", 1), ("{ timeout: 50ms }, { breaker: B }", 3)] {
        let policies = policies.replace('B', "{ consecutive_failures: 1, open_for: 1h }");
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ work: 100ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, policies: [ {policies} ] }} }}
                "
            ),
            "{ length: 4s }",
        );
        assert_eq!(ran.count("service/s", "arrivals"), sent, "{policies}");
    }
}

#[test]
fn each_instance_of_a_caller_has_a_breaker_of_its_own_unless_it_is_shared() {
    // Two failures open a breaker for good. Two instances send two requests each, or two together.
    for (shared, sent) in [(false, 4), (true, 2)] {
        let breaker = format!("breaker: {{ consecutive_failures: 2, open_for: 1h, shared: {shared} }}");
        let client = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ get: [ fail: error ] }} }} }}
                clients:
                  c:
                    calls: s.get
                    instances: 2
                    users: {{ count: 2, think: 1s, start_every: 500ms }}
                    policies: [ {breaker} ]
                "
            ),
            "{ length: 10s }",
        );
        assert_eq!(client.count("service/s", "arrivals"), sent, "client, shared: {shared}");
        let service = run(
            &format!(
                "
                services:
                  front: {{ replicas: 2, operations: {{ get: [ {{ call: s.get, policies: [ {breaker} ] }} ] }} }}
                  s: {{ operations: {{ get: [ fail: error ] }} }}
                clients: {{ c: {{ calls: front.get, arrivals: {{ constant: 1/s }} }} }}
                "
            ),
            "{ length: 10s }",
        );
        assert_eq!(service.count("service/s", "arrivals"), sent, "service, shared: {shared}");
    }
}

#[test]
fn a_spare_is_sent_when_the_first_attempt_is_slow_and_its_answer_counts() {
    // The first replica takes a second, the other 10 ms: the spare leaves after 100 ms, and the answer comes at 110 ms. A
    // request that meets the fast replica first needs none.
    let ran = run(
        "
        services: { s: { replicas: 2, operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ hedge: 100ms ] } }
        ",
        "{ length: 20s, faults: [ slow: { service: s, replica: 0, factor: 100 } ] }",
    );
    assert_eq!(ran.count("client/c", "ok"), 19);
    let slow_first = ran.count("instance/s/0", "arrivals");
    let spares = ran.count("client/c", "attempts") - 19;
    assert_eq!(spares, slow_first, "each that met the slow replica first");
    assert!((spares..=spares + 1).contains(&ran.count("client/c", "late")), "the slow ones answer, too late");
    assert_eq!(ran.millis("client/c", "latency.max"), 110);
}

#[test]
fn a_race_ends_with_the_first_answer_and_waits_for_the_others_after_a_failure() {
    // The call fails at 10 ms on one replica; its spare, sent at once, is answered at 50 ms by the other.
    let ran = run(
        "
        services: { s: { replicas: 2, operations: { get: [ work: 50ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ hedge: 0s ] } }
        ",
        "{ length: 10s, faults: [ errors: { service: s, replica: 0, fast: true } ] }",
    );
    assert_eq!(ran.count("client/c", "ok"), 9);
    assert_eq!(ran.count("client/c", "attempts"), 18);
    assert_eq!(ran.millis("client/c", "latency.mean"), 50);
}

#[test]
fn the_last_failure_of_a_race_is_its_outcome_and_a_retry_begins_a_new_one() {
    let ran = run(
        "
        services: { s: { replicas: 3, operations: { get: [ { fail: error } ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 1/s }
            policies: [ retry: { attempts: 2, on: [ error ] }, hedge: { after: 0s, spares: 2 } ]
        network: { default: { latency: 1ms } }
        ",
        "{ length: 10s }",
    );
    assert_eq!(ran.count("client/c", "failed.error"), 9);
    assert_eq!(ran.count("client/c", "attempts"), 9 * 2 * 3);
}

#[test]
fn a_timeout_around_a_race_abandons_all_attempts() {
    let ran = run(
        "
        services: { s: { cancel: propagate, operations: { get: [ work: 10s ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 1/s }
            policies: [ timeout: 500ms, hedge: { after: 100ms, spares: 3 }, bulkhead: 4 ]
        ",
        "{ length: 10s }",
    );
    assert_eq!(ran.count("client/c", "failed.timeout"), 9);
    assert_eq!(ran.count("client/c", "attempts"), 9 * 4, "each race has all four permits, and gives them back");
    assert_eq!(ran.busy("service/s"), 9 * (500 + 400 + 300 + 200), "stopped with the race");
}
