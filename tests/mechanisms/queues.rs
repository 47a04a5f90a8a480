//! Queues: who is next, who is refused, and what that costs.

use super::{Texts, run};

/// Requests at 10, 20, 30 and 40 ms; one worker, 100 ms each.
fn four(queue: &str) -> super::Ran {
    run(
        &format!(
            "
            services: {{ s: {{ workers: 1, queue: {queue}, operations: {{ get: [ work: 100ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }}, load: [ step: {{ at: 45ms, factor: 0 }} ] }} }}
            "
        ),
        "{ length: 500ms, resolution: 10ms }",
    )
}

#[test]
fn first_in_first_out_serves_in_the_order_of_arrival() {
    let ran = four("{ order: fifo }");
    assert_eq!(ran.latencies("c"), [100, 190, 280, 370]);
    assert!((ran.value("service/s", "queue.max") - 3.0).abs() < f64::EPSILON);
    // Waits of 0, 90, 180 and 270 ms.
    assert_eq!(super::whole(ran.value("service/s", "wait.mean") * 4.0 * 1e3), 90 + 180 + 270);
}

#[test]
fn last_in_first_out_serves_the_latest_first() {
    assert_eq!(four("{ order: lifo }").latencies("c"), [100, 390, 280, 170]);
}

#[test]
fn the_newest_come_first_while_more_wait_than_the_threshold() {
    // Three wait at 110 ms: the newest is next. Then two wait, and the oldest is.
    assert_eq!(four("{ order: { adaptive_lifo: 2 } }").latencies("c"), [100, 290, 380, 170]);
}

#[test]
fn the_earliest_deadline_is_served_first() {
    let texts = Texts {
        model: "
            services: { s: { workers: 1, deadline: propagate, queue: { order: earliest_deadline }, operations: { get: [ work: 100ms ] } } }
            clients:
              patient: { calls: s.get, arrivals: { replay: { file: patient.csv, unit: 1ms } }, policies: [ timeout: 900ms ] }
              hurried: { calls: s.get, arrivals: { replay: { file: hurried.csv, unit: 1ms } }, policies: [ timeout: 400ms ] }
              endless: { calls: s.get, arrivals: { replay: { file: endless.csv, unit: 1ms } } }
        ",
        experiment: "{ length: 1s, resolution: 5ms }",
        data: &[
            ("endless.csv", "at\n10\n15\n"),
            ("patient.csv", "at\n20\n30\n"),
            ("hurried.csv", "at\n40\n"),
        ],
    };
    let ran = texts.run(1);
    assert_eq!(ran.latencies("hurried"), [210 - 40]);
    assert_eq!(ran.latencies("patient"), [310 - 20, 410 - 30]);
    assert_eq!(ran.latencies("endless"), [100, 510 - 15]);
}

#[test]
fn an_order_that_cannot_work_is_an_error_where_it_is_written() {
    for (queue, column, message) in [
        ("{ order: { adaptive_lifo: {} } }", 34, "nothing says when the newest comes first"),
        ("{ order: earliest_deadline }", 34, "no request brings a deadline here"),
        ("{ codel: { target: 1s } }", 34, "the interval of codel is shorter than its target"),
    ] {
        let model = format!("services: {{ s: {{ queue: {queue}, operations: {{ get: [ work: 1ms ] }} }} }}");
        let wrong =
            Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it cannot work");
        assert!(wrong.contains(message) && wrong.contains(&format!(":1:{column}")), "{wrong}");
    }
}

#[test]
fn by_priority_the_highest_class_is_served_first_and_within_a_class_the_first() {
    let texts = Texts {
        model: "
            services: { s: { workers: 1, queue: { order: priority }, operations: { get: [ work: 100ms ] } } }
            clients:
              plain: { calls: s.get, arrivals: { replay: { file: plain.csv, unit: 1ms } } }
              analytics: { calls: s.get, priority: low, arrivals: { replay: { file: analytics.csv, unit: 1ms } } }
              shoppers: { calls: s.get, priority: high, arrivals: { replay: { file: shoppers.csv, unit: 1ms } } }
              login: { calls: s.get, priority: critical, arrivals: { replay: { file: login.csv, unit: 1ms } } }
        ",
        experiment: "{ length: 1s, resolution: 5ms }",
        data: &[
            ("plain.csv", "at\n10\n30\n35\n"),
            ("analytics.csv", "at\n20\n"),
            ("shoppers.csv", "at\n40\n"),
            ("login.csv", "at\n50\n"),
        ],
    };
    // Served in this order, from 10, 110, 210 … ms on: the first, which is not interrupted; critical, high, the two
    // others of medium in their order, low.
    let ran = texts.run(1);
    assert_eq!(ran.latencies("login"), [210 - 50]);
    assert_eq!(ran.latencies("shoppers"), [310 - 40]);
    assert_eq!(ran.latencies("plain"), [100, 410 - 30, 510 - 35]);
    assert_eq!(ran.latencies("analytics"), [610 - 20]);
}

#[test]
fn a_class_is_handed_on_to_the_calls_made_for_a_request() {
    let texts = Texts {
        model: "
            services:
              front: { operations: { get: [ call: s.get ] } }
              s: { workers: 1, queue: { order: priority }, operations: { get: [ work: 100ms ] } }
            clients:
              plain: { calls: front.get, arrivals: { replay: { file: plain.csv, unit: 1ms } } }
              login: { calls: front.get, priority: critical, arrivals: { replay: { file: login.csv, unit: 1ms } } }
        ",
        experiment: "{ length: 1s, resolution: 5ms }",
        data: &[("plain.csv", "at\n10\n20\n"), ("login.csv", "at\n30\n")],
    };
    let ran = texts.run(1);
    assert_eq!(ran.latencies("login"), [210 - 30]);
    assert_eq!(ran.latencies("plain"), [100, 310 - 20]);
}

#[test]
fn who_has_waited_too_long_is_refused_when_its_turn_comes() {
    // Waits until 110 ms: 90 ms for the second, which is served; until 210 ms: 180 and 170 ms for the others.
    let ran = four("{ max_wait: 150ms }");
    assert_eq!(ran.answers("c"), [Some(100), Some(190), None, None]);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 2);
    assert_eq!(ran.count("service/s", "dropped"), 2);
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 4.0 * 1e3), 100 + 190 + 180 + 170);
    assert_eq!(ran.busy("service/s"), 200);
}

#[test]
fn who_joins_a_standing_queue_is_given_up_after_the_target() {
    // The queue is empty until 20 ms. Who joins until 30 ms may wait for 10 ms, who joins at 40 ms for nothing: at 110 ms
    // all of them have waited too long.
    let ran = four("{ codel: { target: 0ms, interval: 10ms } }");
    assert_eq!(ran.answers("c"), [Some(100), None, None, None]);
    assert_eq!(ran.count("service/s", "dropped"), 3);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 3);
    // With an interval of 85 ms the third and the fourth have waited less at 110 ms, but not at 210 ms, if they have to.
    assert_eq!(four("{ codel: { interval: 85ms } }").answers("c"), [Some(100), None, Some(180), None]);
}

#[test]
fn who_has_waited_exactly_as_long_as_allowed_is_refused() {
    // The second has waited 90 ms at 110 ms, the third 80 ms, and is served. At 210 ms the fourth has waited 170 ms.
    assert_eq!(four("{ max_wait: 90ms }").answers("c"), [Some(100), None, Some(180), None]);
}

#[test]
fn one_more_than_the_queue_can_hold_is_refused_at_once() {
    for (capacity, answers) in [
        (0, [Some(100), None, None, None]),
        (1, [Some(100), Some(190), None, None]),
        (2, [Some(100), Some(190), Some(280), None]),
        (3, [Some(100), Some(190), Some(280), Some(370)]),
    ] {
        let ran = four(&format!("{{ capacity: {capacity} }}"));
        assert_eq!(ran.answers("c"), answers, "capacity {capacity}");
        let refused = answers.iter().filter(|it| it.is_none()).count() as u64;
        assert_eq!(ran.count("client/c", "failed.unavailable"), refused);
        assert_eq!(ran.count("service/s", "refused.full"), refused);
        let waited = answers.iter().flatten().sum::<u64>();
        assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 4.0 * 1e3), waited, "at once");
    }
}

#[test]
fn a_refusal_costs_work_on_a_cpu_without_a_worker() {
    // The request of 20 ms is refused. With a CPU to spare that takes 20 ms; with one it waits until 110 ms.
    for (cpus, took) in [(2, 20), (1, 110)] {
        let ran = run(
            &format!(
                "
                services:
                  s:
                    workers: 1
                    cpus: {cpus}
                    queue: {{ capacity: 0 }}
                    reject_cost: 20ms
                    operations: {{ get: [ work: 100ms ] }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 100/s }}, load: [ step: {{ at: 25ms, factor: 0 }} ] }} }}
                "
            ),
            "{ length: 500ms, resolution: 10ms }",
        );
        assert_eq!(ran.answers("c"), [Some(100), None]);
        assert_eq!(ran.count("client/c", "failed.unavailable"), 1);
        assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 2.0 * 1e3), 100 + took, "cpus: {cpus}");
        assert_eq!(ran.busy("service/s"), 100, "a refusal holds no worker");
        assert_eq!(ran.count("service/s", "throughput"), 1, "a refusal is not served");
        assert_eq!(ran.millis("service/s", "sojourn.mean"), 100);
    }
}

/// One worker, 100 ms each: two unimportant requests at 10 and 20 ms, two critical ones at 30 and 40 ms.
fn two_classes(options: &str) -> super::Ran {
    let model = format!(
        "
        services: {{ s: {{ workers: 1, {options}, operations: {{ get: [ work: 100ms ] }} }} }}
        clients:
          visitors: {{ calls: s.get, priority: low, arrivals: {{ replay: {{ file: visitors.csv, unit: 1ms }} }} }}
          buyers: {{ calls: s.get, priority: critical, arrivals: {{ replay: {{ file: buyers.csv, unit: 1ms }} }} }}
        "
    );
    let data = [("visitors.csv", "at\n10\n20\n25\n"), ("buyers.csv", "at\n30\n40\n")];
    Texts { model: &model, experiment: "{ length: 1s, resolution: 5ms }", data: &data }.run(1)
}

#[test]
fn the_more_important_take_the_place_of_the_less_important_in_a_full_queue() {
    // The first buyer drives out a visitor, and the second the other one.
    for (which, answers) in [("youngest", [Some(100), None, None]), ("oldest", [Some(100), None, None])] {
        let ran = two_classes(&format!("queue: {{ capacity: 2, when_full: evict_{which} }}"));
        assert_eq!(ran.answers("visitors"), answers, "{which}");
        assert_eq!(ran.latencies("buyers"), [110 + 100 - 30, 210 + 100 - 40], "{which}");
        assert_eq!(ran.count("service/s", "refused.evicted"), 2);
        assert_eq!(ran.count("service/s", "refused.full"), 0);
        assert_eq!(ran.count("client/visitors", "failed.unavailable"), 2);
        // Driven out at 30 and 40 ms: those of 25 and 20 ms have waited 5 and 20 ms, or 10 and 15.
        assert_eq!(super::whole(ran.value("client/visitors", "duration.mean") * 3.0 * 1e3), 100 + 25);
    }
    let ran = two_classes("queue: { capacity: 2, when_full: refuse }");
    assert_eq!(ran.answers("buyers"), [None, None]);
    assert_eq!(ran.count("service/s", "refused.full"), 2);
}

#[test]
fn the_less_important_are_turned_away_first() {
    for (limit, why) in [("queue: 2", "queue"), ("in_flight: 4", "in_flight")] {
        let ran = two_classes(&format!("shed: {{ {limit}, classes: {{ low: 50% }} }}"));
        // One waits, or two are inside: half of the limit.
        assert_eq!(ran.answers("visitors"), [Some(100), Some(190), None], "{limit}");
        assert_eq!(ran.latencies("buyers"), [280, 370], "{limit}");
        assert_eq!(ran.count("service/s", &format!("refused.{why}")), 1);
        assert!((ran.value("service/s", "refused.share") - 0.2).abs() < 1e-9);
    }
    // At 25 ms the oldest has waited for 5 ms, at 30 ms for 10 ms, at 40 ms for 20 ms.
    let ran = two_classes("shed: { waited: 10ms }");
    assert_eq!(ran.answers("visitors"), [Some(100), Some(190), Some(285)]);
    assert_eq!(ran.answers("buyers"), [None, None]);
    assert_eq!(ran.count("service/s", "refused.waited"), 2);
    // Busy since 10 ms: only the present counts.
    let ran = two_classes("shed: { utilisation: 100%, window: 0s, classes: { low: 100% } }");
    assert_eq!(ran.answers("visitors"), [Some(100), None, None]);
    assert_eq!(ran.latencies("buyers"), [180, 270]);
    assert_eq!(ran.count("service/s", "refused.utilisation"), 2);
}

#[test]
fn a_shed_that_cannot_work_is_an_error_where_it_is_written() {
    for (shed, message) in [("{}", "turns nobody away"), ("{ utilisation: 90% }", "have no utilisation")] {
        let model = format!("services: {{ s: {{ shed: {shed}, operations: {{ get: [ work: 1ms ] }} }} }}");
        let wrong =
            Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it cannot work");
        assert!(wrong.contains(message) && wrong.contains(":1:24"), "{wrong}");
    }
}

#[test]
fn refusals_take_the_cpu_from_those_who_are_served() {
    // Refused at 20 and 30 ms, for 40 ms each on the only CPU: the work of 100 ms that is wanted at 110 ms begins at
    // 190 ms.
    let ran = run(
        "
        services:
          s:
            workers: 1
            cpus: 1
            queue: { capacity: 0 }
            reject_cost: 40ms
            operations: { get: [ { work: 100ms }, { work: 100ms } ] }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, load: [ step: { at: 35ms, factor: 0 } ] } }
        ",
        "{ length: 500ms, resolution: 10ms }",
    );
    assert_eq!(ran.answers("c"), [Some(290 - 10), None, None]);
}

/// Requests at these times, to one worker unless there are more, with 100 ms of work; for a second.
fn limited(service: &str, policies: &str, at: &str, faults: &str) -> super::Ran {
    let model = format!(
        "
        services: {{ s: {{ {service}, operations: {{ get: [ work: 100ms ] }} }} }}
        clients: {{ c: {{ calls: s.get, arrivals: {{ replay: {{ file: requests.csv, unit: 1ms }} }}, policies: [ {policies} ] }} }}
        "
    );
    let experiment = format!("{{ length: 1s, resolution: 5ms, faults: [ {faults} ] }}");
    Texts { model: &model, experiment: &experiment, data: &[("requests.csv", at)] }.run(1)
}

#[test]
fn a_limit_moves_with_the_requests_that_end_at_a_server_as_at_a_caller() {
    // The request of 10 ms ends at 110 ms, and the limit is 2 from then on; that of 120 ms makes it 3 at 220 ms, and that of
    // 125 ms, the second in flight, makes it 4 at 225 ms. That of 240 ms is alone, less than half of 4.
    let at = "at\n10\n20\n120\n125\n130\n240\n";
    let mean = f64::from(110 + 2 * 110 + 3 * 5 + 4 * 775) / 1e3;
    let law = "aimd: { initial: 1, min: 1 }";
    let ran = limited(&format!("limit: {{ {law} }}"), "", at, "");
    assert_eq!(ran.answers("c"), [Some(100), None, Some(100), Some(100), None, Some(100)]);
    assert_eq!(ran.count("service/s", "refused.limit"), 2);
    assert!((ran.value("service/s", "limit.mean") - mean).abs() < 1e-9);
    assert!(ran.value("edge/c->s.get", "limit.mean").is_nan());
    let ran = limited("cpus: unlimited", &format!("concurrency_limit: {{ {law} }}"), at, "");
    assert_eq!(ran.answers("c"), [Some(100), None, Some(100), Some(100), None, Some(100)]);
    assert_eq!(ran.count("client/c", "failed.refused_by.concurrency_limit"), 2);
    assert!((ran.value("edge/c->s.get", "limit.mean") - mean).abs() < 1e-9);
    assert!(ran.value("service/s", "limit.mean").is_nan());
}

#[test]
fn a_request_that_has_waited_too_long_is_a_drop_and_one_that_nobody_wants_is_nothing() {
    let law = "limit: { aimd: { initial: 4, min: 1, backoff_ratio: 0.5 } }, workers: 1";
    let at = "at\n10\n20\n";
    // Its turn comes at 110 ms.
    let dropped = limited(&format!("{law}, queue: {{ max_wait: 50ms }}"), "", at, "");
    assert!((dropped.value("service/s", "limit.mean") - f64::from(4 * 110 + 2 * 890) / 1e3).abs() < 1e-9);
    let late = limited(&format!("{law}, deadline: propagate"), "timeout: 90ms", at, "");
    assert!((late.value("service/s", "limit.mean") - f64::from(4 * 110 + 2 * 890) / 1e3).abs() < 1e-9);
    let abandoned = limited(&format!("{law}, cancel: propagate"), "timeout: 50ms", at, "");
    assert!((abandoned.value("service/s", "limit.mean") - 4.0).abs() < 1e-9);
    // A new process begins anew, at 500 ms.
    let crash = "{ at: 500ms, for: 100ms, crash: { service: s } }";
    let crashed = limited(&format!("{law}, queue: {{ max_wait: 50ms }}"), "", at, crash);
    assert!((crashed.value("service/s", "limit.mean") - f64::from(4 * 110 + 2 * 390 + 4 * 500) / 1e3).abs() < 1e-9);
}

#[test]
fn a_limit_that_cannot_work_is_an_error_where_it_is_written() {
    let model = "services: { s: { limit: { aimd: { min: 0 } }, operations: { get: [ work: 1ms ] } } }";
    let wrong = Texts { model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it cannot work");
    assert!(wrong.contains("lets nobody in") && wrong.contains(":1:35"), "{wrong}");
}
