//! The door of a service: rate limits, and those who wait until the queue has room.

use super::{Texts, run};

/// Two clients with a request each 10 ms, one of them of two processes, and two replicas.
fn limited(limit: &str) -> super::Ran {
    run(
        &format!(
            "
            services: {{ s: {{ replicas: 2, rate_limit: {limit}, operations: {{ get: [ work: 1ms ] }} }} }}
            clients:
              a: {{ calls: s.get, instances: 2, arrivals: {{ constant: 100/s }} }}
              b: {{ calls: s.get, priority: low, arrivals: {{ constant: 100/s }} }}
            "
        ),
        "{ length: 105ms, resolution: 5ms }",
    )
}

#[test]
fn a_rate_limit_counts_whose_requests_it_is_told_to() {
    // Requests of both at 10, 20, .. 100 ms. One in the whole time for each count: of everybody, a client, a class, a process;
    // at each replica, or at both together.
    let passed = |per: &str| {
        ["true", "false"].map(|shared| {
            let ran = limited(&format!("{{ rate: 1/s, per: {per}, shared: {shared} }}"));
            let passed = ran.count("client/a", "ok") + ran.count("client/b", "ok");
            assert_eq!(ran.count("service/s", "refused.rate"), 20 - passed);
            assert_eq!(
                ran.count("client/a", "failed.throttled") + ran.count("client/b", "failed.throttled"),
                20 - passed
            );
            passed
        })
    };
    assert_eq!(passed("all"), [1, 2]);
    assert_eq!(passed("client"), [2, 4]);
    assert_eq!(passed("class"), [2, 4]);
    // Each of the three processes comes to both replicas in turn.
    assert_eq!(passed("caller"), [3, 6]);
}

#[test]
fn who_is_refused_comes_back_when_it_is_told_to() {
    let ran = Texts {
        model: "
            services: { s: { rate_limit: { rate: 10/s, burst: 2 }, operations: { get: [ work: 1ms ] } } }
            clients:
              c: { calls: s.get, arrivals: { replay: { file: c.csv, unit: 1ms } }, policies: [ retry: 3 ] }
        ",
        experiment: "{ length: 1s, resolution: 5ms }",
        data: &[("c.csv", "at\n10\n20\n30\n")],
    }
    .run(1);
    // Tokens at 10 and 20 ms; the third is due at 110 ms.
    assert_eq!(ran.latencies("c"), [1, 1, 81]);
    assert_eq!(ran.count("edge/c->s.get", "attempts"), 4);
}

#[test]
fn a_refusal_beyond_the_rate_costs_as_any_other_and_a_crash_forgets_only_what_is_not_shared() {
    let model = |shared: bool| {
        format!(
            "
            services: {{ s: {{ rate_limit: {{ rate: 1/s, shared: {shared} }}, reject_cost: 7ms, operations: {{ get: [ work: 1ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 50/s }} }} }}
            "
        )
    };
    let experiment = "{ length: 105ms, resolution: 5ms, faults: [ { at: 50ms, for: 1ms, crash: { service: s } } ] }";
    let ran = run(&model(false), experiment);
    // At 20 and 60 ms one is let in; those at 40, 80 and 100 ms are refused.
    assert_eq!((ran.count("client/c", "ok"), ran.count("client/c", "failed.throttled")), (2, 3));
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 5.0 * 1e3), 2 + 3 * 7);
    assert_eq!(run(&model(true), experiment).count("client/c", "ok"), 1);
}

/// Requests at 10, 20, 30 and 40 ms; one worker, 100 ms each, and one place in the queue.
fn blocked(options: &str, policies: &str) -> super::Ran {
    run(
        &format!(
            "
            services: {{ s: {{ workers: 1, {options}, operations: {{ get: [ work: 100ms ] }} }} }}
            clients:
              c:
                calls: s.get
                arrivals: {{ constant: 100/s }}
                load: [ step: {{ at: 45ms, factor: 0 }} ]
                policies: [ {policies} ]
            "
        ),
        "{ length: 500ms, resolution: 10ms }",
    )
}

#[test]
fn who_finds_the_queue_full_waits_at_the_door_in_the_order_of_arrival() {
    for capacity in [0, 1, 3] {
        let ran = blocked(&format!("queue: {{ capacity: {capacity}, when_full: block }}"), "");
        assert_eq!(ran.latencies("c"), [100, 190, 280, 370]);
        assert!((ran.value("service/s", "queue.max") - f64::from(capacity.max(1))).abs() < f64::EPSILON);
        // From 20, 30 and 40 ms on they wait until 110, 210 and 310 ms, as many of them in the queue as it holds.
        let waited = |metric| super::whole(ran.value("service/s", metric) * 500.0);
        assert_eq!(waited("queue.mean") + waited("blocked.mean"), 90 + 180 + 270);
        let blocked = [90 + 180 + 270, 80 + 170, 0, 0][capacity as usize];
        assert_eq!(waited("blocked.mean"), blocked);
    }
}

#[test]
fn the_last_in_the_queue_is_served_first_and_the_first_at_the_door_joins_it_first() {
    // At 110 ms the one of 20 ms is the only one in the queue; those of 30 and 40 ms join after it, one at a time.
    let ran = blocked("queue: { capacity: 1, order: lifo, when_full: block }", "");
    assert_eq!(ran.latencies("c"), [100, 190, 280, 370]);
    // With two places, that of 30 ms is served at 110 ms, and that of 40 ms, which joins then, at 210 ms.
    let ran = blocked("queue: { capacity: 2, order: lifo, when_full: block }", "");
    assert_eq!(ran.latencies("c"), [100, 390, 180, 270]);
}

#[test]
fn the_time_at_the_door_is_not_time_in_the_queue() {
    // In the queue from 20, 110 and 210 ms on: 90, 100 and 100 ms.
    let ran = blocked("queue: { capacity: 1, when_full: block, max_wait: 101ms }", "");
    assert_eq!(ran.latencies("c"), [100, 190, 280, 370]);
    let ran = blocked("queue: { capacity: 1, when_full: block, max_wait: 95ms }", "");
    assert_eq!(ran.count("client/c", "failed.unavailable"), 1);
}

#[test]
fn who_gives_up_at_the_door_is_dropped_when_its_turn_comes() {
    let ran = blocked("cancel: queued, queue: { capacity: 1, when_full: block }", "timeout: 150ms");
    // Those of 30 and 40 ms have given up by 210 ms, that of 20 ms by 170 ms, after it was taken.
    assert_eq!((ran.count("client/c", "ok"), ran.count("service/s", "dropped")), (1, 2));
    assert_eq!(ran.count("service/s", "throughput"), 2);
}

#[test]
fn a_crash_frees_the_door_too() {
    let ran = run(
        "
        services: { s: { workers: 1, queue: { capacity: 1, when_full: block }, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, load: [ step: { at: 45ms, factor: 0 } ] } }
        ",
        "{ length: 500ms, faults: [ { at: 50ms, for: 10ms, crash: { service: s } } ] }",
    );
    assert_eq!(ran.count("client/c", "failed.unreachable"), 4);
    // One blocked from 30 ms on, two from 40 to 50 ms.
    assert_eq!(super::whole(ran.value("service/s", "blocked.mean") * 500.0), 30);
}

#[test]
fn credits_come_back_in_batches() {
    // Four requests at once, one worker of 100 ms, no way between them: with two credits in batches of two, the third and fourth go at
    // 200 ms, when both are done; one by one the third goes at 100 ms and waits at the server instead.
    let ran = |credits: &str| {
        run(
            &format!(
                "
                services: {{ s: {{ workers: 1, operations: {{ get: [ work: 100ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 10/s }}, batch: 4, load: [ step: {{ at: 150ms, factor: 0 }} ], policies: [ credits: {credits} ] }} }}
                "
            ),
            "{ length: 1s, resolution: 10ms }",
        )
    };
    for (credits, waits) in [("2", 100 + 100 + 100), ("{ initial: 2, batch: 2 }", 100 + 100)] {
        let it = ran(credits);
        assert_eq!(super::whole(it.value("client/c", "latency.mean") * 4e3), 100 + 200 + 300 + 400);
        assert_eq!(super::whole(it.value("service/s", "wait.mean") * 4e3), waits);
    }
    let bounded = ran("{ initial: 2, waiting: 1 }");
    assert_eq!(bounded.count("client/c", "failed.refused_by.credits"), 1);
}

#[test]
fn doors_that_cannot_work_are_errors_where_they_are_written() {
    for (options, message) in [
        ("queue: { when_full: block }", "a queue without a limit is never full"),
        ("rate_limit: { rate: 1/s, by: leaky_bucket }", "nobody waits at this door"),
        ("rate_limit: 0/s", "a rate of zero"),
    ] {
        let model = format!("services: {{ s: {{ {options}, operations: {{ get: [ work: 1ms ] }} }} }}");
        let wrong =
            Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it cannot work");
        assert!(wrong.contains(message) && wrong.contains(":1:"), "{wrong}");
    }
}
