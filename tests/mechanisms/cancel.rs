//! What becomes of requests for which nobody waits any more: `cancel`, and `deadline`.

use super::{Ran, run};

/// Each second two requests that wait for 150 ms at most; one worker, 400 ms a request.
fn pairs(cancel: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ workers: 1, {cancel}, operations: {{ get: [ work: 400ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, batch: 2, policies: [ timeout: 150ms ] }} }}
            "
        ),
        "{ length: 4s }",
    )
}

#[test]
fn by_default_abandoned_requests_keep_their_place_and_are_worked_on_for_nobody() {
    let ran = pairs("cancel: none");
    assert_eq!(ran.count("client/c", "failed.timeout"), 6);
    assert_eq!(ran.busy("service/s"), 3 * (400 + 400));
    assert_eq!(ran.count("client/c", "late"), 6);
    assert!((ran.value("client/c", "wasted_share") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn with_cancel_queued_those_that_wait_are_dropped_when_their_turn_comes() {
    let ran = pairs("cancel: queued");
    assert_eq!(ran.count("client/c", "failed.timeout"), 6);
    assert_eq!(ran.busy("service/s"), 3 * 400);
    assert_eq!(ran.count("service/s", "dropped"), 3);
    assert_eq!(ran.count("client/c", "late"), 3, "what is in service goes on");
    // Until its turn comes, which is after 400 ms, each keeps its place.
    assert_eq!(super::whole(ran.value("service/s", "queue.mean") * 4.0 * 1e3), 3 * 400);
}

#[test]
fn with_cancel_propagate_those_in_service_are_stopped_too() {
    let ran = pairs("cancel: propagate");
    assert_eq!(ran.count("client/c", "failed.timeout"), 6);
    assert_eq!(ran.busy("service/s"), 3 * 150);
    assert_eq!(ran.count("client/c", "late"), 0);
    assert!((ran.value("client/c", "wasted_share") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_dead_request_keeps_its_place_in_a_full_queue() {
    // At work from 200 to 1250 ms. The request of 400 ms waits, and is dead at 500 ms; those of 600, 800, 1000 and
    // 1200 ms find its place taken. At 1250 ms it is dropped, and that of 1400 ms finds a free worker.
    let ran = run(
        "
        services:
          s: { workers: 1, queue: { capacity: 1 }, cancel: queued, operations: { get: [ work: 1050ms ] } }
        clients: { c: { calls: s.get, arrivals: { constant: 5/s }, policies: [ timeout: 100ms ] } }
        ",
        "{ length: 1.5s }",
    );
    assert_eq!(ran.count("service/s", "refused.full"), 4);
    assert_eq!(ran.count("service/s", "dropped"), 1);
    assert_eq!(ran.busy("service/s"), 1_050 + 100);
}

#[test]
fn whether_a_service_below_is_told_depends_on_its_own_cancel() {
    // The client gives up after 100 ms of the second that the bottom works. `a` stops in any case.
    for (b, d, busy_b, busy_d) in [
        ("propagate", "propagate", 100, 100),
        ("propagate", "none", 100, 1_000),
        ("propagate", "queued", 100, 1_000),
        ("none", "propagate", 1_000, 1_000),
        ("queued", "propagate", 1_000, 1_000),
    ] {
        let ran = run(
            &format!(
                "
                services:
                  a: {{ cancel: propagate, operations: {{ get: [ call: b.get ] }} }}
                  b: {{ cancel: {b}, operations: {{ get: [ call: d.get ] }} }}
                  d: {{ cancel: {d}, operations: {{ get: [ work: 1s ] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 0.2/s }}, policies: [ timeout: 100ms ] }} }}
                "
            ),
            "{ length: 9s }",
        );
        assert_eq!(ran.busy("service/a"), 100, "b: {b}, d: {d}");
        assert_eq!(ran.busy("service/b"), busy_b, "b: {b}, d: {d}");
        assert_eq!(ran.busy("service/d"), busy_d, "b: {b}, d: {d}");
    }
}

#[test]
fn branches_of_a_stopped_request_are_stopped_with_it() {
    let ran = run(
        "
        services:
          a:
            cancel: propagate
            operations: { get: [ parallel: [ { work: 1s }, { call: b.get } ] ] }
          b: { cancel: propagate, operations: { get: [ work: 1s ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, policies: [ timeout: 100ms ] } }
        ",
        "{ length: 4s }",
    );
    assert_eq!(ran.busy("service/a"), 3 * 100);
    assert_eq!(ran.busy("service/b"), 3 * 100);
}

#[test]
fn the_news_takes_its_time_over_the_network_and_can_be_lost() {
    let model = "
        services: { s: { cancel: propagate, operations: { get: [ work: 1s ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ timeout: 100ms ] } }
        network: { default: { latency: 70ms } }
    ";
    // At work from 1.07 s on; the news is sent at 1.1 s and arrives at 1.17 s.
    let ran = run(model, "{ length: 2s }");
    assert_eq!(ran.busy("service/s"), 100);
    let ran = run(model, "{ length: 2s, faults: [ { at: 1.05s, for: 100ms, partition: { from: c, to: s } } ] }");
    assert_eq!(ran.busy("service/s"), 2_000 - 1_070, "at work to the end");
}

#[test]
fn a_request_that_comes_after_the_news_that_nobody_waits_is_dropped_at_the_door() {
    // The request of 1.11 s takes 510 ms; the link is quick again when it is given up at 1.21 s.
    for (cancel, busy) in [("none", 400), ("queued", 0), ("propagate", 0)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ cancel: {cancel}, operations: {{ get: [ work: 400ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 0.9/s }}, policies: [ timeout: 100ms ] }} }}
                network: {{ default: {{ latency: 10ms }} }}
                "
            ),
            "{ length: 2.2s, faults: [ { at: 0s, for: 1.15s, link: { from: c, to: s, latency: 500ms } } ] }",
        );
        assert_eq!(ran.busy("service/s"), busy, "{cancel}");
        assert_eq!(ran.count("service/s", "dropped"), u64::from(busy == 0), "{cancel}");
    }
}

#[test]
fn a_cancelled_request_that_wanted_its_worker_back_does_not_keep_those_behind_it_waiting() {
    // `a` works to 1.01 s, calls, and stands in line again from 1.03 s on, behind `b`, which works to 1.11 s. It is
    // given up at 1.05 s. `c` comes at 1.06 s, and is served when `b` has gone.
    let ran = run(
        "
        services:
          s:
            workers: 1
            async: true
            cancel: propagate
            operations:
              calling: [ { work: 10ms }, { call: below.get }, { work: 10ms } ]
              long: [ work: 100ms ]
              short: [ work: 10ms ]
          below: { operations: { get: [ work: 20ms ] } }
        clients:
          a: { calls: s.calling, users: { count: 1, think: 1s }, policies: [ timeout: 50ms ] }
          b: { calls: s.long, users: { count: 1, think: 1005ms } }
          c: { calls: s.short, users: { count: 1, think: 1060ms } }
        ",
        "{ length: 1.5s }",
    );
    assert_eq!(ran.count("client/a", "failed.timeout"), 1);
    assert_eq!(ran.millis("client/b", "duration.mean"), 105);
    assert_eq!(ran.millis("client/c", "duration.mean"), 60);
}

#[test]
fn a_request_whose_deadline_has_passed_is_dropped_at_the_door() {
    for (deadline, busy, dropped) in [("ignore", 3 * 400, 0), ("propagate", 0, 3)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ deadline: {deadline}, operations: {{ get: [ work: 400ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, policies: [ timeout: 100ms ] }} }}
                network: {{ default: {{ latency: 150ms }} }}
                "
            ),
            "{ length: 4s }",
        );
        assert_eq!(ran.count("client/c", "failed.timeout"), 3);
        assert_eq!(ran.busy("service/s"), busy, "{deadline}");
        assert_eq!(ran.count("service/s", "dropped"), dropped, "{deadline}");
    }
}

#[test]
fn a_request_whose_deadline_has_passed_is_dropped_when_its_turn_comes_and_work_is_not_interrupted() {
    let ran = pairs("deadline: propagate");
    assert_eq!(ran.busy("service/s"), 3 * 400);
    assert_eq!(ran.count("service/s", "dropped"), 3);
}

#[test]
fn what_is_left_of_the_time_limits_the_calls_below() {
    // 100 ms of work, then a call that takes a second. With a deadline after 300 ms the call ends after 200 ms.
    for (deadline, busy) in [("ignore", 1_100), ("propagate", 300)] {
        let ran = run(
            &format!(
                "
                services:
                  a:
                    deadline: {deadline}
                    operations: {{ get: [ {{ work: 100ms }}, {{ call: b.get, policies: [ timeout: 5s ] }} ] }}
                  b: {{ operations: {{ get: [ work: 1s ] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 0.5/s }}, policies: [ timeout: 300ms ] }} }}
                "
            ),
            "{ length: 3.5s }",
        );
        assert_eq!(ran.busy("service/a"), busy, "{deadline}");
        assert_eq!(ran.busy("service/b"), 1_000, "{deadline}: work in progress is not interrupted");
    }
}

#[test]
fn after_the_deadline_no_call_is_sent() {
    let ran = run(
        "
        services:
          a: { deadline: propagate, operations: { get: [ { work: 400ms }, { call: b.get } ] } }
          b: { operations: { get: [] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, policies: [ timeout: 300ms ] } }
        ",
        "{ length: 4.5s }",
    );
    assert_eq!(ran.count("edge/a->b.get", "failed.refused_by.deadline"), 4);
    assert_eq!(ran.count("edge/a->b.get", "attempts"), 0);
}

#[test]
fn the_deadline_of_a_request_is_that_of_the_tightest_timeout_around_its_call() {
    // The work of `a` takes longer than the tighter timeout, in either order, so it sends no call.
    for policies in ["timeout: 1s }, { timeout: 300ms", "timeout: 300ms }, { timeout: 1s"] {
        let ran = run(
            &format!(
                "
                services:
                  a: {{ deadline: propagate, operations: {{ get: [ {{ work: 400ms }}, {{ call: b.get }} ] }} }}
                  b: {{ operations: {{ get: [] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 1/s }}, policies: [ {{ {policies} }} ] }} }}
                "
            ),
            "{ length: 2.5s }",
        );
        assert_eq!(ran.count("edge/a->b.get", "attempts"), 0, "{policies}");
    }
}

#[test]
fn a_service_hands_its_deadline_on_unless_it_ignores_it() {
    // `a` works for 400 ms before it calls `b`; `b` honours deadlines, and works a second if it has none.
    for (deadline, attempts, dropped) in [("ignore", 1, 0), ("propagate", 0, 0)] {
        let ran = run(
            &format!(
                "
                services:
                  a: {{ deadline: {deadline}, operations: {{ get: [ {{ work: 400ms }}, {{ call: b.get }} ] }} }}
                  b: {{ deadline: propagate, operations: {{ get: [ work: 1s ] }} }}
                clients: {{ c: {{ calls: a.get, arrivals: {{ constant: 1/s }}, policies: [ timeout: 300ms ] }} }}
                "
            ),
            "{ length: 1.5s }",
        );
        assert_eq!(ran.count("edge/a->b.get", "attempts"), attempts, "{deadline}");
        assert_eq!(ran.count("service/b", "dropped"), dropped, "{deadline}");
    }
    // Handed on by `a`, it is passed when the request comes to `b`, which is 250 ms away.
    let ran = run(
        "
        services:
          a: { deadline: propagate, operations: { get: [ { work: 100ms }, { call: b.get } ] } }
          b: { deadline: propagate, operations: { get: [ work: 1s ] } }
        clients: { c: { calls: a.get, arrivals: { constant: 1/s }, policies: [ timeout: 300ms ] } }
        network: { links: { a->b: { latency: 250ms } } }
        ",
        "{ length: 1.5s }",
    );
    assert_eq!(ran.count("edge/a->b.get", "attempts"), 1);
    assert_eq!(ran.count("service/b", "dropped"), 1);
    assert_eq!(ran.busy("service/b"), 0);
}

#[test]
fn a_reserve_leaves_time_for_a_fallback() {
    // The user waits for 500 ms. Of that the service keeps nothing, or 100 ms, in which its fallback answers after 60 ms.
    for (deadline, answer) in [("propagate", None), ("{ reserve: 100ms }", Some(460))] {
        let ran = run(
            &format!(
                "
                services:
                  front:
                    deadline: {deadline}
                    operations:
                      get: [ {{ call: back.get, policies: [ fallback: [ {{ answer: empty, latency: 60ms }} ] ] }} ]
                  back: {{ operations: {{ get: [ work: 10s ] }} }}
                clients: {{ c: {{ calls: front.get, arrivals: {{ constant: 1/s }}, policies: [ timeout: 500ms ] }} }}
                "
            ),
            "{ length: 1.5s }",
        );
        assert_eq!(ran.answers("c"), [answer], "{deadline}");
    }
}
