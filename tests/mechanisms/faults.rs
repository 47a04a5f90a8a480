//! Faults: what each does, to whom, and when.

use super::{Texts, assert_binomial, run};

/// A request each second, from the first second on; each takes 100 ms, all side by side.
const CALM: &str = "
    services: { s: { operations: { get: [ work: 100ms ] } } }
    clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
";

/// The same with two replicas, which take turns.
const PAIR: &str = "
    services: { s: { replicas: 2, operations: { get: [ work: 100ms ] } } }
    clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
";

#[test]
fn every_fault_is_felt_while_it_lasts_and_not_any_more_once_it_is_over() {
    let model = "
        services: { s: { workers: 4, operations: { get: { response: 1KiB, steps: [ work: 10ms ] } } } }
        clients: { c: { calls: s.get, arrivals: { constant: 50/s }, policies: [ timeout: 100ms ] } }
        network: { default: { latency: 1ms } }
    ";
    // Windows that begin and end between two arrivals.
    let disturbed = |faults: &str| {
        let windows = "{ during: { from: 1010ms, to: 2010ms }, later: { from: 4010ms, to: 6010ms } }";
        let ran = run(model, &format!("{{ length: 7s, windows: {windows}, faults: [ {faults} ] }}"));
        ["during", "later"].map(|window| {
            ["offered", "goodput", "failed", "latency.mean", "latency.max"]
                .map(|metric| ran.value_in(window, "client/c", metric).to_bits())
        })
    };
    let calm = disturbed("");
    for fault in [
        "slow: { service: s, factor: 5 }",
        "errors: { service: s }",
        "errors: { service: s, fast: true }",
        "crash: { service: s }",
        "crash: { service: s, silent: true }",
        "pause: { service: s }",
        "partition: { between: [c, s] }",
        "partition: { from: c, to: s }",
        "partition: { from: s, to: c }",
        "link: { between: [c, s], latency: 20ms }",
        "link: { from: c, to: s, loss: 100% }",
        "link: { from: s, to: c, bandwidth: 100KiB/s }",
        "surge: { client: c, factor: 3 }",
    ] {
        let [during, later] = disturbed(&format!("{{ at: 1010ms, for: 1s, {fault} }}"));
        assert_ne!(during, calm[0], "{fault} is not felt");
        assert_eq!(later, calm[1], "{fault} is not over");
    }
}

// Slow.

#[test]
fn work_that_begins_in_a_slow_time_takes_factor_times_as_long() {
    let ran = run(CALM, "{ length: 5s, faults: [ { at: 1.5s, for: 2s, slow: { service: s, factor: 3 } } ] }");
    assert_eq!(ran.latencies("c"), [100, 300, 300, 100]);
}

#[test]
fn work_that_began_before_a_slow_time_or_ends_after_it_keeps_its_length() {
    // The first is at work from 1 s to 1.1 s, the second from 2 s to 2.3 s.
    let ran = run(CALM, "{ length: 3s, faults: [ { at: 1.05s, for: 1s, slow: { service: s, factor: 3 } } ] }");
    assert_eq!(ran.latencies("c"), [100, 300]);
}

#[test]
fn two_slow_faults_at_once_multiply() {
    let ran = run(
        CALM,
        "
        length: 4s
        faults:
          - { at: 0.5s, for: 2s, slow: { service: s, factor: 2 } }
          - { at: 1.5s, for: 2s, slow: { service: s, factor: 3 } }
        ",
    );
    assert_eq!(ran.latencies("c"), [200, 600, 300]);
}

#[test]
fn a_ramped_slow_fault_grows_evenly_to_its_factor() {
    // Full strength after 4 s: a quarter of it a second later, and so on. 1 + (5 − 1) × strength.
    let ran = run(CALM, "{ length: 7s, faults: [ { at: 1s, ramp: 4s, slow: { service: s, factor: 5 } } ] }");
    assert_eq!(ran.latencies("c"), [100, 200, 300, 400, 500, 500]);
}

#[test]
fn a_slow_replica_leaves_the_others_alone() {
    let ran = run(PAIR, "{ length: 9s, faults: [ slow: { service: s, replica: 1, factor: 3 } ] }");
    assert_eq!(ran.busy("instance/s/0"), 4 * 100);
    assert_eq!(ran.busy("instance/s/1"), 4 * 300);
}

#[test]
fn a_share_of_the_replicas_is_drawn_for_each_run_and_rounded_up() {
    let texts = Texts {
        model: "
            services: { s: { replicas: 8, operations: { get: [ work: 100ms ] } } }
            clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        // A share of 30 % of eight is 2.4, so three are slow.
        experiment: "{ length: 9s, faults: [ slow: { service: s, share: 30%, factor: 3 } ] }",
        data: &[],
    };
    let slow_in = |seed| {
        let ran = texts.run(seed);
        (0..8).filter(|replica| ran.busy(&format!("instance/s/{replica}")) == 300).collect::<Vec<u32>>()
    };
    let drawn: Vec<_> = (1..=10).map(slow_in).collect();
    assert!(drawn.iter().all(|slow| slow.len() == 3), "{drawn:?}");
    assert!(drawn.iter().any(|slow| *slow != drawn[0]), "always the same: {drawn:?}");
}

#[test]
fn a_fault_that_repeats_comes_so_often_and_has_one_window() {
    let ran = run(
        CALM,
        "
        length: 13s
        faults: [ { at: 1.5s, for: 1s, repeat: { every: 4s, times: 2 }, slow: { service: s, factor: 3 } } ]
        ",
    );
    let slow_at: Vec<_> = (1..).zip(ran.latencies("c")).filter(|(_, took)| *took == 300).map(|(at, _)| at).collect();
    assert_eq!(slow_at, [2, 6]);
    // From 1.5 s to 6.5 s: requests at 2, 3, 4, 5 and 6.
    assert_eq!(ran.count_in("fault:slow s", "client/c", "offered"), 5);
    assert_eq!(ran.count_in("before", "client/c", "offered"), 1);
    assert_eq!(ran.count_in("after", "client/c", "offered"), 6);
}

#[test]
fn a_fault_that_repeats_without_a_number_comes_until_the_end() {
    let ran = run(
        CALM,
        "
        length: 13s
        faults: [ { at: 1.5s, for: 1s, repeat: { every: 4s }, slow: { service: s, factor: 3 } } ]
        ",
    );
    let slow_at: Vec<_> = (1..).zip(ran.latencies("c")).filter(|(_, took)| *took == 300).map(|(at, _)| at).collect();
    assert_eq!(slow_at, [2, 6, 10]);
}

#[test]
fn crashes_at_random_make_the_availability_that_their_mean_times_say() {
    // Up and down for exponential times with means 9 s and 1 s: available for 9/(9 + 1) of the time. Seen once a second,
    // neighbours in that record are correlated by r = exp(−(1/9 + 1)), which makes the variance of a mean of n of
    // them p (1 − p) (1 + r) / (1 − r) / n.
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "
        length: 100000s
        resolution: 1000s
        faults: [ { random: { mean_time_between: 9s, mean_time_to_repair: 1s }, crash: { service: s } } ]
        ",
    );
    let r = libm::exp(-(1.0 / 9.0 + 1.0));
    let sd = (0.9 * 0.1 * (1.0 + r) / (1.0 - r) / 1e5).sqrt();
    let availability = ran.value("client/c", "success_rate");
    assert!((availability - 0.9).abs() < 5.0 * sd, "{availability}, give or take {sd}");
    assert_eq!(ran.plan.schedule.windows.len(), 1, "faults at random times have no window");
}

// Errors.

#[test]
fn an_error_comes_when_the_work_is_done_and_a_fast_one_before_any() {
    for (fast, took, busy) in [(false, 100, 4 * 100), (true, 0, 2 * 100)] {
        let ran = run(
            CALM,
            &format!("{{ length: 5s, faults: [ {{ at: 1.5s, for: 2s, errors: {{ service: s, fast: {fast} }} }} ] }}"),
        );
        assert_eq!(ran.answers("c"), [Some(100), None, None, Some(100)]);
        assert_eq!(ran.count("client/c", "failed.error"), 2);
        let failing = ran.value_in("fault:errors s", "client/c", "duration.mean");
        assert_eq!(super::whole(failing * 1e3), took, "fast: {fast}");
        assert_eq!(ran.busy("service/s"), busy, "fast: {fast}");
    }
}

#[test]
fn a_fast_error_meets_those_who_have_waited_too() {
    // Requests at 10, 20 and 30 ms. The fault begins when the first is at work; the others fail at 110 ms.
    let ran = run(
        "
        services: { s: { workers: 1, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, load: [ step: { at: 35ms, factor: 0 } ] } }
        ",
        "
        length: 500ms
        resolution: 10ms
        faults: [ { at: 15ms, errors: { service: s, fast: true, outcome: unavailable } } ]
        ",
    );
    assert_eq!(ran.answers("c"), [Some(100), None, None]);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 2);
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 3.0 * 1e3), 100 + 90 + 80);
}

#[test]
fn errors_have_the_outcome_that_the_fault_says() {
    for outcome in ["error", "unavailable", "throttled", "rejected"] {
        let experiment = format!("{{ length: 5s, faults: [ errors: {{ service: s, outcome: {outcome} }} ] }}");
        let ran = run(CALM, &experiment);
        assert_eq!(ran.count("client/c", &format!("failed.{outcome}")), 4);
    }
}

#[test]
fn a_share_of_the_requests_fails() {
    let model = "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s } } }
    ";
    let ran = run(model, "{ length: 100s, faults: [ errors: { service: s, rate: 30% } ] }");
    assert_binomial(ran.count("client/c", "failed.error"), 9_999, 0.3);
    // Two such faults: a request passes both with a chance of 0.7 × 0.7.
    let ran = run(
        model,
        "
        length: 100s
        faults:
          - errors: { service: s, rate: 30% }
          - errors: { service: s, rate: 30%, fast: true }
        ",
    );
    assert_binomial(ran.count("client/c", "ok"), 9_999, 0.49);
}

// Crash.

/// One worker, 400 ms a request, a request every 100 ms: it falls behind.
const BUSY: &str = "
    services: { s: { workers: 1, operations: { get: [ work: 400ms ] } } }
    clients: { c: { calls: s.get, arrivals: { constant: 10/s }, policies: [ timeout: 10s ] } }
";

#[test]
fn a_crash_loses_the_queue_and_what_is_in_service_and_callers_know_at_once() {
    // At 1.05 s ten have come. Two were served until 0.9 s, one is in service, seven wait. The next ten are refused
    // until 2.05 s; the nine after them find an empty queue.
    let ran = run(BUSY, "{ length: 3s, resolution: 100ms, faults: [ { at: 1.05s, for: 1s, crash: { service: s } } ] }");
    let served = (0..9).map(|n| Some(400 + n * 300));
    let expected: Vec<_> = [Some(400), Some(700)].into_iter().chain([None; 18]).chain(served).collect();
    assert_eq!(ran.answers("c"), expected);
    assert_eq!(ran.count("client/c", "failed.unreachable"), 8 + 10);
    assert_eq!(ran.count("service/s", "dropped"), 8);
    assert_eq!(ran.count("service/s", "arrivals"), 10 + 9, "nothing arrives at what is down");
    // Those that failed waited from their arrival (300, 400 … 1000 ms) to 1050 ms: 750, 650 … 50; the others not.
    let waited: u64 = (1..=8).map(|n| n * 100 - 50).sum();
    let answered: u64 = expected.iter().flatten().sum();
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 29.0 * 1e3), waited + answered);
    // Busy from 100 ms to the crash, and from 2100 ms to the end.
    assert_eq!(ran.busy("service/s"), 950 + 900);
}

#[test]
fn after_a_silent_crash_callers_learn_nothing_before_their_timeout() {
    let ran = run(
        BUSY,
        "
        length: 3s
        resolution: 100ms
        faults: [ { at: 1.05s, for: 1s, crash: { service: s, silent: true } } ]
        ",
    );
    assert_eq!(ran.count("client/c", "failed.timeout"), 18);
    assert_eq!(ran.count("client/c", "failed.unreachable"), 0);
}

#[test]
fn a_replica_that_crashed_silently_says_nothing_until_it_starts_and_then_refuses() {
    // Down from 1.5 s, starting from 3.5 s, serving from 5.5 s.
    let ran = run(
        "
        services: { s: { startup: 2s, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 7s, faults: [ { at: 1.5s, for: 2s, crash: { service: s, silent: true } } ] }",
    );
    assert_eq!(ran.count("client/c", "failed.unreachable"), 2, "at 4 and 5 s");
    assert_eq!(super::whole(ran.value("client/c", "unfinished")), 2, "at 2 and 3 s");
    assert_eq!(ran.count("client/c", "ok"), 2);
}

#[test]
fn the_work_that_a_crash_has_lost_is_wasted_that_of_branches_too() {
    // Two calls each second, those of 2 s are lost at 2.05 s: 50 + 2 × 50 ms of work for nobody, beside 4 × (100 + 200) ms
    // for those that are answered.
    let ran = run(
        "
        services:
          s: { operations: { flat: [ work: 100ms ], split: [ parallel: [ { work: 100ms }, { work: 100ms } ] ] } }
        clients:
          c:
            arrivals: { constant: 1/s }
            tasks: { both: { steps: [ parallel: [ { call: s.flat }, { call: s.split } ] ] } }
        ",
        "{ length: 5.5s, faults: [ { at: 2.05s, for: 100ms, crash: { service: s, silent: true } } ] }",
    );
    let expected = 150.0 / (150.0 + 4.0 * 300.0);
    assert!((ran.value("client/c", "wasted_share") - expected).abs() < 1e-12);
}

#[test]
fn a_crashed_replica_keeps_getting_its_share() {
    let ran = run(PAIR, "{ length: 9s, faults: [ crash: { service: s, replica: 0 } ] }");
    assert_eq!(ran.count("client/c", "failed.unreachable"), 4);
    assert_eq!(ran.count("client/c", "ok"), 4);
}

#[test]
fn a_crashed_replica_refuses_while_it_starts_and_is_slow_until_it_is_warm() {
    // Down from 1.5 s, starting from 2.5 s, serving from 3.5 s, warm at 7.5 s: at 4 s an eighth of the slowness is gone,
    // and a quarter more each second. 3 + (1 − 3) × 1/8 = 2.75.
    let ran = run(
        "
        services:
          s: { startup: 1s, warmup: { for: 4s, factor: 3 }, operations: { get: [ work: 100ms ] } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 10s, faults: [ { at: 1.5s, for: 1s, crash: { service: s } } ] }",
    );
    let warming = [275, 225, 175, 125, 100, 100].map(Some);
    let expected: Vec<_> = [Some(100), None, None].into_iter().chain(warming).collect();
    assert_eq!(ran.answers("c"), expected);
    assert_eq!(ran.count("client/c", "failed.unreachable"), 2);
}

#[test]
fn what_crashes_again_while_it_starts_starts_anew() {
    // Starting at 2.5 s for 2 s, crashed again from 3.2 s to 3.7 s: it serves from 5.7 s on.
    let ran = run(
        "
        services: { s: { startup: 2s, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "
        length: 8s
        faults:
          - { at: 1.5s, for: 1s, crash: { service: s } }
          - { at: 3.2s, for: 500ms, crash: { service: s } }
        ",
    );
    assert_eq!(ran.answers("c"), [Some(100), None, None, None, None, Some(100), Some(100)]);
}

#[test]
fn a_replica_is_down_until_the_last_of_its_crashes_is_over() {
    let ran = run(
        CALM,
        "
        length: 7s
        faults:
          - { at: 1.5s, for: 2s, crash: { service: s } }
          - { at: 2.5s, for: 2s, crash: { service: s } }
        ",
    );
    assert_eq!(ran.answers("c"), [Some(100), None, None, None, Some(100), Some(100)]);
}

#[test]
fn a_crashed_caller_leaves_its_calls_to_be_worked_on_for_nobody() {
    // The front calls at 1 s and crashes at 1.05 s; the back works until 1.1 s and answers late.
    let ran = run(
        "
        services:
          front: { operations: { get: [ call: back.get ] } }
          back: { operations: { get: [ work: 100ms ] } }
        clients: { c: { calls: front.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 4s, faults: [ { at: 1.05s, for: 500ms, crash: { service: front } } ] }",
    );
    assert_eq!(ran.answers("c"), [None, Some(100), Some(100)]);
    assert_eq!(ran.count("edge/front->back.get", "late"), 1);
    assert_eq!(ran.count("edge/front->back.get", "cancelled"), 1);
    assert_eq!(ran.busy("service/back"), 3 * 100);
}

#[test]
fn a_restarted_process_forgets_its_own_breaker_but_not_a_shared_one() {
    // The call at 1 s fails and opens the breaker for good. The front crashes from 2.2 s to 2.7 s.
    for (shared, ok, refused) in [(false, 2, 1), (true, 0, 3)] {
        let ran = run(
            &format!(
                "
                services:
                  front:
                    operations:
                      get:
                        - call: back.get
                          policies: [ breaker: {{ consecutive_failures: 1, open_for: 1h, shared: {shared} }} ]
                  back: {{ operations: {{ get: [] }} }}
                clients: {{ c: {{ calls: front.get, arrivals: {{ constant: 1/s }} }} }}
                "
            ),
            "
            length: 5s
            faults:
              - { at: 0s, for: 1.5s, errors: { service: back } }
              - { at: 2.2s, for: 500ms, crash: { service: front } }
            ",
        );
        assert_eq!(ran.count("client/c", "ok"), ok, "shared: {shared}");
        assert_eq!(ran.count("edge/front->back.get", "failed.refused_by.breaker"), refused, "shared: {shared}");
    }
}

// Pause.

#[test]
fn a_paused_process_loses_nothing_and_goes_on_where_it_was() {
    // Paused from 1.05 s to 2.55 s. The first has 50 ms left; the second begins when the process goes on.
    let ran = run(CALM, "{ length: 4s, faults: [ { at: 1.05s, for: 1.5s, pause: { service: s } } ] }");
    assert_eq!(ran.latencies("c"), [1_600, 650, 100]);
}

#[test]
fn a_process_is_paused_until_the_last_of_its_pauses_is_over() {
    let ran = run(
        CALM,
        "
        length: 5s
        faults:
          - { at: 1.05s, for: 1.5s, pause: { service: s } }
          - { at: 2.05s, for: 1.25s, pause: { service: s } }
        ",
    );
    assert_eq!(ran.latencies("c"), [2_350, 1_400, 400, 100]);
}

#[test]
fn a_paused_worker_is_held() {
    // As above with one worker: the second waits for the first.
    let ran = run(
        "
        services: { s: { workers: 1, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 4s, faults: [ { at: 1.05s, for: 1.5s, pause: { service: s } } ] }",
    );
    assert_eq!(ran.latencies("c"), [1_600, 700, 100]);
}

#[test]
fn a_paused_process_takes_no_step_that_needs_no_work() {
    // The front does nothing but call. Paused from 1.05 s to 2.55 s, it sees the answer of 1.1 s, and the request of
    // 2 s, when it goes on.
    let ran = run(
        "
        services:
          front: { operations: { get: [ call: back.get ] } }
          back: { operations: { get: [ work: 100ms ] } }
        clients: { c: { calls: front.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 4s, faults: [ { at: 1.05s, for: 1.5s, pause: { service: front } } ] }",
    );
    assert_eq!(ran.latencies("c"), [1_550, 650, 100]);
}

#[test]
fn a_paused_process_sees_what_has_reached_it_in_its_order_when_it_goes_on() {
    // Its call of 1 s is answered at 1.1 or 1.3 s, and given up after 200 ms. It sees both at 1.85 s, the earlier first.
    for (work, answer, late) in [("100ms", Some(850), 0), ("300ms", None, 1)] {
        let ran = run(
            &format!(
                "
                services:
                  front: {{ operations: {{ get: [ {{ call: back.get, policies: [ timeout: 200ms ] }} ] }} }}
                  back: {{ operations: {{ get: [ work: {work} ] }} }}
                clients: {{ c: {{ calls: front.get, arrivals: {{ constant: 1/s }} }} }}
                "
            ),
            "{ length: 1.9s, faults: [ { at: 1.05s, for: 800ms, pause: { service: front } } ] }",
        );
        assert_eq!(ran.answers("c"), [answer], "{work}");
        assert_eq!(ran.count("edge/front->back.get", "late"), late, "{work}");
        assert_eq!(ran.count("edge/front->back.get", "failed.timeout"), late, "{work}");
        assert_eq!(ran.millis("client/c", "duration.mean"), 850, "{work}");
    }
}

#[test]
fn a_paused_process_cannot_even_refuse() {
    // Paused from 1.05 s to 2.55 s. Then the worker is still busy for 50 ms, and the request of 2 s finds no room.
    let ran = run(
        "
        services: { s: { workers: 1, queue: { capacity: 0 }, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 4s, faults: [ { at: 1.05s, for: 1.5s, pause: { service: s } } ] }",
    );
    assert_eq!(ran.answers("c"), [Some(1_600), None, Some(100)]);
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 3.0 * 1e3), 1_600 + 550 + 100);
}

#[test]
fn what_waits_for_a_paused_process_is_refused_when_it_crashes() {
    // Paused from 1.5 s to 3.5 s, crashed from 2.5 s to 2.7 s: the new process is paused too.
    let ran = run(
        CALM,
        "
        length: 5s
        faults:
          - { at: 1.5s, for: 2s, pause: { service: s } }
          - { at: 2.5s, for: 200ms, crash: { service: s } }
        ",
    );
    assert_eq!(ran.answers("c"), [Some(100), None, Some(600), Some(100)]);
    assert_eq!(ran.count("client/c", "failed.unreachable"), 1);
    assert_eq!(super::whole(ran.value("client/c", "duration.mean") * 4.0 * 1e3), 100 + 500 + 600 + 100);
}

// Links.

/// Requests that wait half a second at most.
const IMPATIENT: &str = "
    services: { s: { operations: { get: [ work: 100ms ] } } }
    clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ timeout: 500ms ] } }
";

#[test]
fn a_partition_loses_requests_and_answers() {
    let ran = run(IMPATIENT, "{ length: 5s, faults: [ { at: 1.5s, for: 2s, partition: { between: [c, s] } } ] }");
    assert_eq!(ran.answers("c"), [Some(100), None, None, Some(100)]);
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    assert_eq!(ran.count("service/s", "arrivals"), 2);
    assert_eq!(ran.count("link/c->s", "lost"), 2);
    assert_eq!(ran.count("link/s->c", "lost"), 0, "what does not arrive is not answered");
}

#[test]
fn a_partition_between_two_parts_cuts_both_ways() {
    // The request of 1 s arrives before the partition of 1.05 s, and is answered at 1.1 s.
    for (which, answer) in [("between: [c, s]", None), ("from: s, to: c", None), ("from: c, to: s", Some(100))] {
        let fault = format!("{{ at: 1.05s, for: 500ms, partition: {{ {which} }} }}");
        let ran = run(IMPATIENT, &format!("{{ length: 2s, faults: [ {fault} ] }}"));
        assert_eq!(ran.answers("c"), [answer], "{which}");
    }
}

#[test]
fn when_only_requests_are_lost_nothing_is_worked_on() {
    let ran = run(IMPATIENT, "{ length: 5s, faults: [ { at: 1.5s, for: 2s, partition: { from: c, to: s } } ] }");
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    assert_eq!(ran.busy("service/s"), 2 * 100);
    assert!(ran.value("client/c", "wasted_share").abs() < f64::EPSILON);
}

#[test]
fn when_only_answers_are_lost_everything_is_worked_on_half_of_it_for_nobody() {
    let ran = run(IMPATIENT, "{ length: 5s, faults: [ { at: 1.5s, for: 2s, partition: { from: s, to: c } } ] }");
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    assert_eq!(ran.busy("service/s"), 4 * 100);
    assert!((ran.value("client/c", "wasted_share") - 0.5).abs() < f64::EPSILON);
    assert_eq!(ran.count("client/c", "late"), 0, "what is lost does not come late");
    assert_eq!(ran.count("link/s->c", "lost"), 2);
}

#[test]
fn a_partition_lasts_until_the_last_of_those_that_overlap() {
    let ran = run(
        IMPATIENT,
        "
        length: 6s
        faults:
          - { at: 1.5s, for: 1s, partition: { between: [c, s] } }
          - { at: 1.6s, for: 2s, partition: { from: c, to: s } }
        ",
    );
    assert_eq!(ran.answers("c"), [Some(100), None, None, Some(100), Some(100)]);
}

#[test]
fn what_is_on_its_way_when_a_partition_begins_arrives() {
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ timeout: 500ms ] } }
        network: { default: { latency: 50ms } }
        ",
        // The request is under way from 1 s to 1.05 s, its answer from 1.15 s to 1.2 s.
        "{ length: 2s, faults: [ { at: 1.01s, for: 100ms, partition: { between: [c, s] } } ] }",
    );
    assert_eq!(ran.latencies("c"), [200]);
}

#[test]
fn a_link_fault_adds_its_latency_in_the_directions_it_names() {
    let model = "
        services: { s: { operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { default: { latency: 10ms } }
    ";
    for (which, took) in [("between: [c, s]", 220), ("from: c, to: s", 170), ("from: s, to: c", 170)] {
        let fault = format!("{{ at: 1.5s, for: 1s, link: {{ {which}, latency: 50ms }} }}");
        let ran = run(model, &format!("{{ length: 4s, faults: [ {fault} ] }}"));
        assert_eq!(ran.latencies("c"), [120, took, 120], "{which}");
    }
}

#[test]
fn the_latency_of_a_link_fault_can_grow() {
    let ran = run(CALM, "{ length: 5s, faults: [ { at: 1s, ramp: 2s, link: { from: c, to: s, latency: 100ms } } ] }");
    assert_eq!(ran.latencies("c"), [100, 150, 200, 200]);
}

#[test]
fn a_link_fault_loses_on_top_of_what_is_lost_anyway() {
    // A request passes with a chance of (1 − 0.2) × (1 − 0.5).
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ timeout: 1s ] } }
        network: { links: { c->s: { loss: 20% } } }
        ",
        "{ length: 100s, faults: [ link: { from: c, to: s, loss: 50% } ] }",
    );
    assert_binomial(ran.count("service/s", "arrivals"), 9_999, 0.4);
    assert_eq!(ran.count("link/c->s", "lost"), 9_999 - ran.count("service/s", "arrivals"));
}

#[test]
fn a_narrow_link_is_as_wide_as_the_narrower_of_model_and_fault() {
    // A request of 100 kB takes 100 ms at 1 MB/s and 200 ms at 500 kB/s; a fault of 2 MB/s changes nothing.
    let model = "
        services: { s: { operations: { get: { request: 100kB, steps: [] } } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { default: { bandwidth: 1MB/s } }
    ";
    for (bandwidth, took) in [("500kB/s", 200), ("2MB/s", 100)] {
        let fault = format!("{{ at: 1.5s, for: 1s, link: {{ from: c, to: s, bandwidth: {bandwidth} }} }}");
        let ran = run(model, &format!("{{ length: 4s, faults: [ {fault} ] }}"));
        assert_eq!(ran.latencies("c"), [100, took, 100]);
    }
}

// Surge.

/// A request every 100 ms.
const STEADY: &str = "
    services: { s: { operations: { get: [] } } }
    clients: { c: { calls: s.get, arrivals: { constant: 10/s } } }
";

#[test]
fn a_surge_multiplies_the_rate_from_its_very_start_to_its_very_end() {
    // At 1.05 s half a gap is left: it takes 1/60 s at three times the rate, then one comes each 1/30 s: (2 × 30 − 1)/60
    // is the last below one second, the 30th. At 2.05 s half a gap is left again, which takes 50 ms.
    let experiment = "
        length: 2.95s
        resolution: 10ms
        faults: [ { at: 1.05s, for: 1s, surge: { client: c, factor: 3 } } ]
    ";
    let ran = run(STEADY, experiment);
    assert_eq!(ran.count_in("before", "client/c", "offered"), 10);
    assert_eq!(ran.count_in("fault:surge c", "client/c", "offered"), 30);
    assert_eq!(ran.count_in("after", "client/c", "offered"), 9);
    let times = ran.when("client/c", "offered");
    assert_eq!(times[10], 1_060, "at 1066.7 ms");
    assert!(times[40] == 2_100 || times[40] == 2_090, "at 2.1 s, to the rounding of a nanosecond: {}", times[40]);
}

#[test]
fn a_ramped_surge_adds_half_of_what_it_adds_at_full_strength() {
    // The rate grows from 10/s to 30/s within the second: 20 in the mean, the first of which needs half a gap less.
    let ran =
        run(STEADY, "{ length: 3s, faults: [ { at: 1.05s, for: 1s, ramp: 1s, surge: { client: c, factor: 3 } } ] }");
    assert_eq!(ran.count_in("fault:surge c", "client/c", "offered"), 20);
}

#[test]
fn a_closed_loop_makes_its_own_load_and_cannot_surge() {
    let texts = Texts {
        model: "
            services: { s: { operations: { get: [] } } }
            clients: { c: { calls: s.get, users: { count: 1, think: 1s } } }
        ",
        experiment: "{ length: 3s, faults: [ surge: { client: c, factor: 3 } ] }",
        data: &[],
    };
    let wrong = texts.plan().expect_err("a closed loop has no rate");
    assert!(wrong.contains("only clients with `arrivals` at a rate can surge"), "{wrong}");
}

#[test]
fn recovery_takes_as_long_as_the_start_of_the_process() {
    // Gone from 9 s to 10 s, up again at 13.5 s: the first whole step with all its answers begins at 14 s.
    let ran = run(
        "
        services: { s: { workers: 2, startup: 3500ms, operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 10/s } } }
        ",
        "{ length: 20s, faults: [ { at: 9s, for: 1s, crash: { service: s } } ] }",
    );
    assert_eq!(ran.millis("client/c", "recovery_time"), 4_000);
}

#[test]
fn a_closed_loop_that_stays_slow_does_not_recover() {
    // Ten requests a second before, then seven times the work for as good as ever: 100 ms become 160.
    for users in [1, 5, 20] {
        let model = format!(
            "
            services: {{ s: {{ workers: 100, warmup: {{ for: 100000s, factor: 7 }}, operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, users: {{ count: {users}, think: 90ms }} }} }}
            "
        );
        let ran = run(&model, "{ length: 60s, faults: [ { at: 20s, for: 1s, crash: { service: s } } ] }");
        assert!(ran.value("client/c", "recovery_time").is_infinite(), "{users} users");
    }
}

#[test]
fn a_run_in_which_too_much_is_under_way_at_once_is_stopped() {
    let ran = run(
        "
        services: { s: { operations: { get: [ { parallel: [ { copies: 1000000, work: 1s } ] } ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1000/s } } }
        ",
        "{ length: 3s }",
    );
    let stopped = ran.run.stopped.as_ref().expect("a few requests are millions of branches");
    assert!(stopped.to_string().contains("under way at once"), "{stopped}");
}

#[test]
fn the_states_of_replicas_are_told_with_their_times() {
    use blackstart::measure::Life::{Down, Paused, Starting, Up};
    let ran = run(
        "
        services: { s: { replicas: 2, startup: 5s, operations: { get: [ work: 100ms ] } }, many: { replicas: 17, operations: { get: [ work: 1ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 60s, faults: [
            { name: a, at: 10s, for: 10s, crash: { service: s, replica: 1 } },
            { name: b, at: 15s, for: 10s, crash: { service: s, replica: 1 } },
            { name: c, at: 40s, for: 4s, pause: { service: s } } ] }",
    );
    let lives: Vec<(&str, &[(f64, blackstart::measure::Life)])> =
        ran.run.lives.iter().map(|it| (it.entity.as_str(), it.moves.as_slice())).collect();
    // Two faults overlap: it stays down until both are over. Of services with more than 16 replicas there are no strips.
    let first: &[_] = &[(0.0, Up), (40.0, Paused), (44.0, Up)];
    let second: &[_] = &[
        (0.0, Up),
        (10.0, Down),
        (15.0, Down),
        (20.0, Down),
        (25.0, Starting),
        (30.0, Up),
        (40.0, Paused),
        (44.0, Up),
    ];
    assert_eq!(lives, [("instance/s/0", first), ("instance/s/1", second)]);
}
