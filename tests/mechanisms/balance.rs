//! Balancing: which replica, and what that attracts.

use super::{Ran, Texts, assert_binomial, run};

/// A request each 10 ms for 10 s, 999 in all, to replicas that take 105 ms.
fn balanced(balance: &str, replicas: u32, policies: &str, faults: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: {replicas}, balance: {balance}, operations: {{ get: [ work: 105ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }}, policies: [ {policies} ] }} }}
            "
        ),
        &format!("{{ length: 10s, faults: [ {faults} ] }}"),
    )
}

#[test]
fn round_robin_splits_exactly() {
    let ran = balanced("round_robin", 3, "", "");
    for replica in 0..3 {
        assert_eq!(ran.count(&format!("instance/s/{replica}"), "arrivals"), 333);
    }
}

#[test]
fn round_robin_starts_at_a_replica_that_is_drawn_for_each_caller() {
    let texts = super::Texts {
        model: "
            services: { s: { replicas: 2, operations: { get: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        experiment: "{ length: 1.5s }",
        data: &[],
    };
    let first = (1..=200).filter(|&seed| texts.run(seed).count("instance/s/0", "arrivals") == 1).count() as u64;
    assert_binomial(first, 200, 0.5);
}

#[test]
fn random_splits_by_chance() {
    let ran = balanced("random", 4, "", "");
    for replica in 0..4 {
        assert_binomial(ran.count(&format!("instance/s/{replica}"), "arrivals"), 999, 0.25);
    }
}

#[test]
fn least_requests_attracts_traffic_to_a_replica_that_fails_fast_and_round_robin_does_not() {
    let fault = "{ errors: { service: s, replica: 0, fast: true } }";
    let ran = balanced("round_robin", 2, "", fault);
    assert!(ran.count("instance/s/0", "arrivals").abs_diff(ran.count("instance/s/1", "arrivals")) == 1);
    // While the healthy replica works on a request, for 105 ms, the ten that come all go to the other, which is never
    // seen with one under way. So the healthy one gets at most one in eleven.
    let ran = balanced("least_requests", 2, "", fault);
    let healthy = ran.count("instance/s/1", "arrivals");
    assert!(healthy > 0 && healthy * 11 <= 999 + 10, "{healthy} of 999");
    assert_eq!(ran.count("client/c", "ok"), healthy);
    assert_eq!(ran.count("client/c", "failed.error"), 999 - healthy);
}

#[test]
fn a_choice_of_two_prefers_the_one_with_fewer_requests_under_way() {
    // The failing replica never has a request under way. The healthy one is taken if both draws fall on it, which has a
    // chance of a quarter, or, when it is idle, if the first does, which has one of a half. Idle it is seldom: so its share
    // is at least a quarter, and below the half that it would have if the draws were blind.
    let fault = "{ errors: { service: s, replica: 0, fast: true } }";
    let ran = balanced("power_of_two", 2, "", fault);
    let healthy = ran.count("instance/s/1", "arrivals");
    // The standard deviation of a count is at most that with a chance of one half.
    let sd = (999.0_f64 * 0.25).sqrt();
    assert!(healthy as f64 > 999.0 * 0.25 - 5.0 * sd && (healthy as f64) < 999.0 * 0.5 - 5.0 * sd, "{healthy}");
}

#[test]
fn a_retry_goes_through_the_balancer_again_and_elsewhere_if_asked() {
    // One of two replicas is down. A second choice at random meets it again with a chance of one half.
    let fault = "{ crash: { service: s, replica: 0 } }";
    let ran = balanced("random", 2, "retry: 2", fault);
    assert_binomial(ran.count("client/c", "failed.unreachable"), 999, 0.25);
    let ran = balanced("random", 2, "retry: { attempts: 2, elsewhere: true }", fault);
    assert_eq!(ran.count("client/c", "ok"), 999);
    assert_binomial(ran.count("client/c", "attempts") - 999, 999, 0.5);
    // Round robin goes on to the next in any case.
    let ran = balanced("round_robin", 2, "retry: 2", fault);
    assert_eq!(ran.count("client/c", "ok"), 999);
}

#[test]
fn elsewhere_is_granted_only_if_there_is_another() {
    let ran = balanced("round_robin", 1, "retry: { attempts: 2, elsewhere: true }", "{ crash: { service: s } }");
    assert_eq!(ran.count("client/c", "failed.unreachable"), 999);
    assert_eq!(ran.count("client/c", "attempts"), 2 * 999);
}

#[test]
fn weights_split_exactly() {
    let ran = balanced("{ by: { weighted: [4, 2, 3] } }", 3, "", "");
    for (replica, count) in [(0, 444), (1, 222), (2, 333)] {
        assert_eq!(ran.count(&format!("instance/s/{replica}"), "arrivals"), count);
    }
}

/// Four replicas that answer at once, and a request each 10 ms about the only key there is.
fn with_one_key(balance: &str, faults: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: 4, balance: {balance}, operations: {{ get: [] }} }} }}
            clients: {{ c: {{ calls: s.get, keys: {{ uniform: 1 }}, arrivals: {{ constant: 100/s }} }} }}
            "
        ),
        &format!("{{ length: 10s, faults: [ {faults} ] }}"),
    )
}

fn arrivals(ran: &Ran, replicas: usize) -> Vec<u64> {
    (0..replicas).map(|replica| ran.count(&format!("instance/s/{replica}"), "arrivals")).collect()
}

#[test]
fn a_key_has_its_replica_and_moves_to_the_next_when_that_is_ejected() {
    let mut seen = arrivals(&with_one_key("ring_hash", ""), 4);
    let home = seen.iter().position(|&count| count == 999).expect("all requests go to one replica");
    seen.remove(home);
    assert_eq!(seen, [0, 0, 0]);
    let fault = format!("{{ errors: {{ service: s, replica: {home} }} }}");
    let ran = with_one_key("{ by: ring_hash, outlier_ejection: { max_ejected: 25% } }", &fault);
    let mut seen = arrivals(&ran, 4);
    assert_eq!(seen[home], 5);
    seen.sort_unstable();
    assert_eq!(seen, [0, 0, 5, 994], "the key has moved to one other replica");
    assert_eq!(ran.count("client/c", "failed.error"), 5);
}

/// A request each 100 ms to two replicas of which the first has the fault, for 29.95 s: 299 requests.
fn ejecting(policies: &str, work: &str, fault: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: 2, balance: {{ outlier_ejection: {{ max_ejected: 50% }} }}, operations: {{ get: [ work: {work} ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 10/s }}, policies: [ {policies} ] }} }}
            "
        ),
        &format!("{{ length: 29.95s, faults: [ {fault} ] }}"),
    )
}

#[test]
fn five_failures_in_a_row_eject_a_replica() {
    let ran = ejecting("", "1ms", "{ errors: { service: s, replica: 0 } }");
    assert_eq!(ran.count("client/c", "failed.error"), 5);
    assert_eq!(ran.count("client/c", "ok"), 294);
    assert!((ran.value("service/s", "ejections") - 1.0).abs() < 1e-9);
    // It fails each second time, so the fifth is the ninth or tenth request: at 1.001 s at the latest.
    let ejected = ran.value("service/s", "ejected.mean") * 29.95;
    assert!((28.9..29.1).contains(&ejected), "{ejected}");
}

#[test]
fn a_timeout_of_the_caller_is_a_failure_wherever_it_stands() {
    for policies in ["timeout: 50ms", "timeout: 50ms, retry: 2", "hedge: 10s, timeout: 50ms"] {
        let ran = ejecting(policies, "1ms", "{ slow: { service: s, replica: 0, factor: 100 } }");
        assert_eq!(ran.count("instance/s/0", "arrivals"), 5, "{policies}");
    }
}

#[test]
fn the_loser_of_a_race_is_no_failure() {
    // Each request takes 100 ms at the first replica, where it loses against a spare that is sent to the other after 10 ms.
    let ran = ejecting("hedge: 10ms", "1ms", "{ slow: { service: s, replica: 0, factor: 100 } }");
    assert!((ran.value("service/s", "ejections")).abs() < 1e-9);
    assert!(ran.count("instance/s/0", "arrivals") > 140);
}

#[test]
fn without_anybody_healthy_and_without_panic_a_request_is_refused_at_once() {
    let texts = |panic: &str| {
        run(
            &format!(
                "
                services:
                  s:
                    replicas: 2
                    balance: {{ outlier_ejection: {{ max_ejected: 100% }}, panic_threshold: {panic} }}
                    operations: {{ get: [ fail: error ] }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 10/s }} }} }}
                "
            ),
            "{ length: 9.95s }",
        )
    };
    let ran = texts("0%");
    assert_eq!(ran.count("client/c", "failed.error"), 10);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 89);
    assert_eq!(texts("50%").count("client/c", "failed.error"), 99);
}

/// Six replicas and three callers in three zones; each caller asks a third of the time, which is drawn.
fn zoned(balance: &str, faults: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: 6, zones: [a, b, c], balance: {balance}, operations: {{ get: [] }} }} }}
            clients: {{ c: {{ instances: 3, zones: [a, b, c], calls: s.get, arrivals: {{ constant: 100/s }} }} }}
            "
        ),
        &format!("{{ length: 10s, faults: [ {faults} ] }}"),
    )
}

#[test]
fn the_share_that_leaves_its_zone_is_counted() {
    let left = |ran: &Ran| (ran.value("edge/c->s.get", "cross_zone_share") * 999.0).round() as u64;
    assert_eq!(left(&zoned("{ zones: {} }", "")), 0);
    // Each of six replicas in turn, two of them at home: two thirds, but for the last round of each caller.
    assert!(left(&zoned("round_robin", "")).abs_diff(666) <= 6);
    assert!(balanced("round_robin", 2, "", "").value("edge/c->s.get", "cross_zone_share").is_nan());
}

#[test]
fn a_fault_hits_the_replicas_of_a_zone() {
    let ran = zoned("round_robin", "{ crash: { service: s, zone: b } }");
    for replica in 0..6 {
        let count = ran.count(&format!("instance/s/{replica}"), "arrivals");
        assert_eq!(count == 0, replica % 3 == 1, "{replica}");
    }
    // Those who stay at home lose everything in the lost zone, and nothing elsewhere.
    let ran = zoned("{ zones: { spill_over: false } }", "{ crash: { service: s, zone: b } }");
    assert_binomial(ran.count("client/c", "failed.unreachable"), 999, 1.0 / 3.0);
}

#[test]
fn callers_leave_a_zone_that_is_gone() {
    let balance = "{ outlier_ejection: { max_ejected: 50% }, zones: {} }";
    let ran = zoned(balance, "{ crash: { service: s, zone: b } }");
    // The caller there gives each of its two replicas up after five failures, and tries nobody else's.
    assert_eq!(ran.count("client/c", "failed.unreachable"), 10);
    assert_eq!(ran.count("client/c", "ok"), 989);
}

#[test]
fn a_replica_that_has_started_up_gets_a_growing_share() {
    // Back at 5 s; until 10 s its weight is 5 s/10 s at most. Of four replicas it gets w of each 3 + w requests: of 50 in a
    // half second w/(3 + w) × 50, which is 47 in all five seconds for w = 0.1 … 0.5; a full share would be 125.
    let balance = "{ slow_start: 10s }";
    let ran = run(
        &format!(
            "
            services: {{ s: {{ replicas: 4, balance: {balance}, operations: {{ get: [] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }} }} }}
            "
        ),
        "{ length: 10s, faults: [ { at: 0s, for: 5s, crash: { service: s, replica: 0 } } ] }",
    );
    let count = ran.count("instance/s/0", "arrivals");
    assert!((25..70).contains(&count), "{count}");
}

/// One worker that is busy for longer than the run, and probes each 100 ms with a limit of 50 ms.
fn probed(own_worker: bool, faults: &str) -> Ran {
    run(
        &format!(
            "
            services:
              s:
                replicas: 2
                workers: 1
                balance: {{ health_check: {{ operation: health, every: 100ms, timeout: 50ms }} }}
                operations:
                  get: [ work: 20s ]
                  health: {{ own_worker: {own_worker}, steps: [ work: 1ms ] }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }} }} }}
            "
        ),
        &format!("{{ length: 10s, faults: [ {faults} ] }}"),
    )
}

#[test]
fn a_probe_waits_for_a_worker_unless_it_has_its_own() {
    let ran = probed(true, "");
    // A hundred of each replica; those that are under way at the start or the end may fall in or out.
    assert!(ran.count("edge/c->s.health", "ok").abs_diff(200) <= 2);
    assert_eq!(ran.count("edge/c->s.health", "failed"), 0);
    assert!(ran.value("service/s", "unhealthy.mean").abs() < 1e-9);
    let ran = probed(false, "");
    // Both workers are taken after two seconds, and from then on every probe waits for longer than its limit.
    let failed = ran.count("edge/c->s.health", "failed.timeout");
    assert!((155..=190).contains(&failed), "{failed}");
    let unhealthy = ran.value("service/s", "unhealthy.mean");
    assert!((1.5..=1.8).contains(&unhealthy), "{unhealthy}");
}

#[test]
fn probes_are_no_attempts_of_a_client() {
    let ran = probed(true, "");
    assert_eq!(ran.count("client/c", "attempts"), 9);
    assert!((ran.value("service/s", "calls_per_request") - 1.0).abs() < 1e-9);
}

#[test]
fn a_replica_that_does_not_answer_probes_is_given_up_and_comes_back() {
    let ran = run(
        "
        services:
          s:
            replicas: 2
            balance: { health_check: { operation: get, every: 1s, timeout: 500ms } }
            operations: { get: [] }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ timeout: 100ms ] } }
        ",
        "{ length: 30s, faults: [ { at: 10s, for: 10s, crash: { service: s, replica: 0, silent: true } } ] }",
    );
    // Three probes and half a second: between 2.5 and 3.5 s of half of the requests.
    let lost = ran.count("client/c", "failed.timeout");
    assert!((120..=180).contains(&lost), "{lost}");
    // And as long as it took to find out less between one and two seconds that two good answers take.
    let away = ran.value("service/s", "unhealthy.mean") * 30.0;
    assert!((7.4..=9.6).contains(&away), "{away}");
}

#[test]
fn balancers_that_cannot_do_what_they_should_are_refused() {
    for (model, reason, way_out) in [
        (
            "
            services: { s: { replicas: 2, balance: ring_hash, operations: { get: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
            ",
            "no request to `s` has a key",
            "keys: { uniform: 1000 }",
        ),
        (
            "
            services: { s: { replicas: 2, balance: { zones: {} }, operations: { get: [] } } }
            clients: { c: { calls: s.get, zones: [a], arrivals: { constant: 1/s } } }
            ",
            "the replicas of `s` are in no zones",
            "zones: [a, b, c]",
        ),
        (
            "
            services: { s: { replicas: 2, zones: [a], balance: { zones: {} }, operations: { get: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
            ",
            "nobody who calls `s` is in a zone",
            "zones: [a, b, c]",
        ),
        (
            "
            services: { s: { balance: { health_check: { operation: helth } }, operations: { get: [], health: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
            ",
            "`helth`: the service has no such operation",
            "did you mean `health`?",
        ),
        (
            "
            services: { s: { replicas: 3, balance: { by: { weighted: [1, 2] } }, operations: { get: [] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
            ",
            "2 weights for 3 replicas",
            "a weight, in their order",
        ),
    ] {
        let wrong = Texts { model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it is refused");
        assert!(wrong.contains(reason) && wrong.contains(way_out), "{wrong}");
    }
    let model = "
        services: { s: { replicas: 2, zones: [a, b, c], operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
    ";
    for (fault, reason) in [
        ("crash: { service: s, zone: c }", "no replica of the service is in a zone of this name"),
        ("slow: { service: s, zone: a, replica: 0, factor: 2 }", "exclude each other"),
    ] {
        let experiment = format!("{{ length: 1s, faults: [ {{ {fault} }} ] }}");
        let wrong = Texts { model, experiment: &experiment, data: &[] }.plan().expect_err("it is refused");
        assert!(wrong.contains(reason), "{wrong}");
    }
}

#[test]
fn keys_that_reach_a_service_through_others_are_enough_for_a_ring() {
    let model = |keys: &str| {
        format!(
            "
            services:
              front: {{ operations: {{ get: [ {{ call: s.get{keys} }} ] }} }}
              s: {{ replicas: 2, balance: ring_hash, operations: {{ get: [] }} }}
            clients: {{ c: {{ calls: front.get, keys: distinct, arrivals: {{ constant: 1/s }} }} }}
            "
        )
    };
    let plan = |keys: &str| Texts { model: &model(keys), experiment: "{ length: 1s }", data: &[] }.plan();
    assert!(plan("").is_ok());
    assert!(plan(", keys: same").is_err());
}
