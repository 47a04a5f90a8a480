//! Workers and CPUs: who holds them, and for how long; and work that slows down or varies.

use super::{Texts, assert_binomial, run};

#[test]
fn a_synchronous_call_holds_the_callers_worker_and_an_asynchronous_one_does_not() {
    // Two requests 10 ms apart, each of which calls for 200 ms.
    for (is_async, latencies, busy) in [(false, [200, 390], 400), (true, [200, 200], 0)] {
        let ran = run(
            &format!(
                "
                services:
                  a: {{ workers: 1, async: {is_async}, operations: {{ get: [ call: b.get ] }} }}
                  b: {{ operations: {{ get: [ work: 200ms ] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 100/s }}, load: [ step: {{ at: 25ms, factor: 0 }} ] }} }}
                "
            ),
            "{ length: 500ms, resolution: 10ms }",
        );
        assert_eq!(ran.latencies("c"), latencies, "async: {is_async}");
        assert_eq!(ran.busy("service/a"), busy, "async: {is_async}");
    }
}

#[test]
fn a_synchronous_caller_holds_its_worker_while_a_retry_backs_off() {
    // Three attempts that fail at once, with two waits of 100 ms between them.
    for (is_async, mean, busy) in [(false, (200 + 400) / 2, 400), (true, 200, 0)] {
        let ran = run(
            &format!(
                "
                services:
                  a:
                    workers: 1
                    async: {is_async}
                    operations:
                      get: [ {{ call: b.get, policies: [ retry: {{ attempts: 3, backoff: {{ constant: 100ms }} }} ] }} ]
                  b: {{ operations: {{ get: [ fail: unavailable ] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 1/s }}, batch: 2 }} }}
                "
            ),
            "{ length: 2s }",
        );
        assert_eq!(ran.millis("client/c", "duration.mean"), mean, "async: {is_async}");
        assert_eq!(ran.busy("service/a"), busy, "async: {is_async}");
        assert_eq!(ran.count("edge/a->b.get", "attempts"), 6);
    }
}

#[test]
fn a_synchronous_caller_holds_its_worker_in_line_at_a_bulkhead() {
    // Three requests at once, one permit, 100 ms each: the workers are held for 100, 200 and 300 ms.
    let ran = run(
        "
        services:
          a:
            workers: 3
            operations: { get: [ { call: b.get, policies: [ bulkhead: { concurrent: 1, waiting: 2 } ] } ] }
          b: { operations: { get: [ work: 100ms ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, batch: 3 } }
        ",
        "{ length: 2s }",
    );
    assert_eq!(ran.busy("service/a"), 100 + 200 + 300);
}

#[test]
fn an_asynchronous_request_needs_a_worker_again_to_work_and_is_never_refused_it() {
    // Both calls return after 100 ms; there is one worker and no queue, and the second waits for the first.
    let ran = run(
        "
        services:
          a:
            workers: 1
            queue: { capacity: 0 }
            async: true
            operations: { get: [ { call: b.get }, { work: 100ms } ] }
          b: { operations: { get: [ work: 100ms ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, batch: 2 } }
        ",
        "{ length: 2s }",
    );
    assert_eq!(ran.count("client/c", "ok"), 2);
    assert_eq!(ran.millis("client/c", "latency.mean"), (200 + 300) / 2);
    assert_eq!(ran.millis("client/c", "latency.max"), 300);
    assert_eq!(ran.busy("service/a"), 200);
}

#[test]
fn one_that_wants_its_worker_back_stands_behind_those_who_came_earlier() {
    // The first calls at 10 ms and is back at 110 ms. The second, which only works, has come at 100 ms and holds the
    // worker until 200 ms; the third has come at 105 ms and waits. So the first works from 300 to 400 ms.
    let texts = Texts {
        model: "
            services:
              a:
                workers: 1
                async: true
                operations: { caller: [ { call: b.get }, { work: 100ms } ], plain: [ work: 100ms ] }
              b: { operations: { get: [ work: 100ms ] } }
            clients:
              first: { calls: a.caller, arrivals: { replay: { file: first.csv, unit: 1ms } } }
              others: { calls: a.plain, arrivals: { replay: { file: others.csv, unit: 1ms } } }
        ",
        experiment: "{ length: 1s, resolution: 5ms }",
        data: &[("first.csv", "at\n10\n"), ("others.csv", "at\n100\n105\n")],
    };
    let ran = texts.run(1);
    assert_eq!(ran.latencies("others"), [100, 195]);
    assert_eq!(ran.latencies("first"), [390]);
}

#[test]
fn branches_of_a_synchronous_service_share_the_worker_of_their_request() {
    let ran = run(
        "
        services:
          a: { workers: 1, operations: { get: [ parallel: [ { work: 100ms }, { work: 200ms } ] ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 2s }",
    );
    assert_eq!(ran.latencies("c"), [200]);
    assert_eq!(ran.busy("service/a"), 200);
}

#[test]
fn branches_of_an_asynchronous_service_need_a_worker_each() {
    let ran = run(
        "
        services:
          a: { workers: 1, async: true, operations: { get: [ parallel: [ { work: 100ms }, { work: 200ms } ] ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 2s }",
    );
    assert_eq!(ran.latencies("c"), [300]);
    assert_eq!(ran.busy("service/a"), 300);
}

#[test]
fn pieces_of_work_wait_for_a_cpu_while_they_hold_their_workers() {
    let ran = run(
        "
        services: { s: { workers: 3, cpus: 1, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, batch: 3 } }
        ",
        "{ length: 2s }",
    );
    assert_eq!(ran.busy("service/s"), 100 + 200 + 300);
    assert_eq!(ran.millis("client/c", "latency.max"), 300);
    assert!(ran.value("service/s", "queue.mean").abs() < f64::EPSILON, "nobody waits for a worker");
}

#[test]
fn work_slows_down_with_the_number_in_service_when_it_begins() {
    // Requests at 10, 20 and 30 ms, and nobody is done before the last begins.
    for (law, latencies) in [
        ("{ linear: 10% }", [100, 110, 120]),
        // 1 + 0.1 (n − 1) + 0.01 n (n − 1)
        ("{ usl: { contention: 0.1, coherency: 0.01 } }", [100, 112, 126]),
        ("{ table: [[1, 1.0], [3, 2.0]] }", [100, 150, 200]),
        ("{ table: [[2, 1.5], [2.5, 3.0]] }", [150, 150, 300]),
    ] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ slowdown: {law}, operations: {{ get: [ work: 100ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }} }} }}
                "
            ),
            "{ length: 35ms, resolution: 10ms }",
        );
        assert_eq!(ran.latencies("c"), latencies, "{law}");
    }
}

#[test]
fn the_slowdown_is_that_of_each_replica() {
    let ran = run(
        "
        services: { s: { replicas: 2, slowdown: { linear: 10% }, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s } } }
        ",
        "{ length: 45ms, resolution: 10ms }",
    );
    assert_eq!(ran.latencies("c"), [100, 100, 110, 110]);
}

#[test]
fn work_from_a_file_takes_each_of_its_values_as_often_as_the_others() {
    let texts = Texts {
        model: "
            services:
              s: { operations: { get: [ work: { empirical: { file: work.csv, column: took, unit: 1ms } } ] } }
            clients: { c: { calls: s.get, arrivals: { constant: 10/s } } }
        ",
        experiment: "{ length: 900.05s, resolution: 100ms }",
        data: &[("work.csv", "request,took\n1,20\n2,50\n3,50\n4,80\n")],
    };
    let latencies = texts.run(1).latencies("c");
    assert_eq!(latencies.len(), 9_000);
    for (value, share) in [(20, 0.25), (50, 0.5), (80, 0.25)] {
        assert_binomial(latencies.iter().filter(|took| **took == value).count() as u64, 9_000, share);
    }
    assert!(latencies.iter().all(|took| [20, 50, 80].contains(took)));
}

#[test]
fn a_mixture_draws_its_parts_by_weight() {
    let ran = run(
        "
        services:
          s: { operations: { get: [ work: { mixture: [ { weight: 3, of: 20ms }, { weight: 1, of: 80ms } ] } ] } }
        clients: { c: { calls: s.get, arrivals: { constant: 10/s } } }
        ",
        "{ length: 900.05s, resolution: 100ms }",
    );
    let latencies = ran.latencies("c");
    let quick = latencies.iter().filter(|took| **took == 20).count() as u64;
    assert_binomial(quick, 9_000, 0.75);
    assert_eq!(latencies.iter().filter(|took| **took == 80).count() as u64, 9_000 - quick);
}
