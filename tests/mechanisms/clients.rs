//! Clients: how many requests, and when.

use super::{Ran, Texts, run};

/// What a client with these arrivals (and profile) asks of a service that answers at once.
fn load(client: &str, experiment: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ operations: {{ get: [] }} }} }}
            clients: {{ c: {{ calls: s.get, {client} }} }}
            "
        ),
        experiment,
    )
}

#[test]
fn constant_arrivals_come_one_gap_apart_the_first_after_one_gap() {
    let ran = load("arrivals: { constant: 4/s }", "{ length: 2s, resolution: 10ms }");
    assert_eq!(ran.when("client/c", "offered"), [250, 500, 750, 1_000, 1_250, 1_500, 1_750]);
}

#[test]
fn poisson_arrivals_have_the_mean_and_the_variance_of_their_rate() {
    // Counts of 1000 steps of 0.1 s: Poisson with mean 10. The estimate of the variance has a variance of about
    // 2 m²/n + m/n.
    let ran = load("arrivals: { poisson: 100/s }", "{ length: 100s, resolution: 100ms }");
    let line = ran.run.line("client/c", "offered").expect("it has one");
    let counts: Vec<f64> = line.iter().map(|(_, rate)| (rate * 0.1).round()).collect();
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / n;
    assert!((mean - 10.0).abs() < 5.0 * (10.0 / n).sqrt(), "mean {mean}");
    let variance = counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / (n - 1.0);
    assert!((variance - 10.0).abs() < 5.0 * ((2.0 * 100.0 + 10.0) / n).sqrt(), "variance {variance}");
}

#[test]
fn uniform_gaps_differ_from_their_mean_by_at_most_the_spread() {
    // Gaps of 50 to 150 ms: no two in a step of 50 ms, and none of three steps in a row without one of them.
    let ran = load("arrivals: { uniform: { rate: 10/s, spread: 50% } }", "{ length: 1000s, resolution: 50ms }");
    let times = ran.when("client/c", "offered");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 150), "steps are at most three apart");
    // A gap has the standard deviation 0.5/√3 of its mean; that of the count in n mean gaps is √n times as much.
    let sd = (10_000.0_f64 / 12.0).sqrt();
    assert!((times.len() as f64 - 10_000.0).abs() < 5.0 * sd, "{}", times.len());
    let ran = load("arrivals: { uniform: { rate: 10/s, spread: 0% } }", "{ length: 1.05s, resolution: 50ms }");
    assert_eq!(ran.when("client/c", "offered"), (1..=10).map(|n| n * 100).collect::<Vec<_>>());
}

#[test]
fn a_batch_is_so_many_requests_at_each_arrival() {
    let ran = load("arrivals: { constant: 4/s }, batch: 3", "{ length: 1s, resolution: 10ms }");
    assert_eq!(ran.steps("client/c", "offered"), [(250, 3), (500, 3), (750, 3)]);
}

#[test]
fn a_step_changes_the_rate_for_good_and_a_spike_for_a_time() {
    // At 1.05 s half a gap of 100 ms is left: 25 ms at twice the rate, then one each 50 ms, the last at 2.025 s, where
    // half of the next gap is used up at 2.05 s.
    for (load_, after) in [("step: { at: 1.05s, factor: 2 }", 20), ("spike: { at: 1.05s, for: 1s, factor: 2 }", 10)] {
        let ran = load(
            &format!("arrivals: {{ constant: 10/s }}, load: [ {load_} ]"),
            "
            length: 4s
            resolution: 5ms
            windows:
              first: { from: 0s, to: 1.05s }
              second: { from: 1.05s, to: 2.05s }
              third: { from: 2.05s, to: 3.05s }
            ",
        );
        assert_eq!(ran.count_in("first", "client/c", "offered"), 10);
        assert_eq!(ran.count_in("second", "client/c", "offered"), 20);
        assert_eq!(ran.count_in("third", "client/c", "offered"), after, "{load_}");
    }
}

#[test]
fn profiles_multiply_and_a_factor_of_zero_is_silence() {
    let ran = load(
        "arrivals: { constant: 10/s },
         load: [ { step: { at: 1.05s, factor: 2 } }, { spike: { at: 1.05s, for: 1s, factor: 3 } } ]",
        "{ length: 4s, windows: { both: { from: 1.05s, to: 2.05s } } }",
    );
    assert_eq!(ran.count_in("both", "client/c", "offered"), 60);
    let ran = load(
        "arrivals: { constant: 10/s }, load: [ spike: { at: 1.05s, for: 1s, factor: 0 } ]",
        "{ length: 3s, resolution: 10ms }",
    );
    // Half a gap is left at 1.05 s, and still at 2.05 s.
    let expected: Vec<u64> = (1..=10).chain(21..30).map(|n| n * 100).collect();
    let times = ran.when("client/c", "offered");
    assert_eq!(times.len(), expected.len());
    assert!(times.iter().zip(&expected).all(|(at, due)| due - at <= 10), "to the rounding of a nanosecond: {times:?}");
}

#[test]
fn a_ramp_grows_evenly_and_stays() {
    // 100/s for 1.005 s make 100.5, from 1 to 3 times that in the next second 200 more, and then 300 a second.
    let ran = load(
        "arrivals: { constant: 100/s }, load: [ ramp: { from: 1.005s, to: 2.005s, factor: 3 } ]",
        "
        length: 4s
        windows:
          first: { from: 0s, to: 1.005s }
          half: { from: 1.005s, to: 1.505s }
          second: { from: 1.005s, to: 2.005s }
          third: { from: 2.005s, to: 3.005s }
        ",
    );
    assert_eq!(ran.count_in("first", "client/c", "offered"), 100);
    // In the first half of the ramp 100 × (0.5 + 0.25) = 75: from 100.5 to 175.5.
    assert_eq!(ran.count_in("half", "client/c", "offered"), 75);
    assert_eq!(ran.count_in("second", "client/c", "offered"), 200);
    assert_eq!(ran.count_in("third", "client/c", "offered"), 300);
}

#[test]
fn a_sine_goes_up_and_down() {
    // Until t there are 100 (t + 0.5/2π × (1 − cos 2πt)): 65.9 at 0.5 s, 83.0 at 0.75 s, 100 at 1 s.
    let ran = load(
        "arrivals: { constant: 100/s }, load: [ sine: { period: 1s, amplitude: 50% } ]",
        "{ length: 2s, windows: { up: { from: 0s, to: 500ms }, down: { from: 500ms, to: 750ms } } }",
    );
    assert_eq!(ran.count_in("up", "client/c", "offered"), 65);
    assert_eq!(ran.count_in("down", "client/c", "offered"), 82 - 65);
}

#[test]
fn replayed_requests_come_at_the_times_in_the_file() {
    let model = "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { replay: { file: times.csv, column: at, unit: 1ms } } } }
    ";
    let experiment = "{ length: 1s, resolution: 10ms }";
    let data = &[("times.csv", "id,at\n1,100\n2,250\n3,250\n4,900\n5,1000\n")];
    let ran = Texts { model, experiment, data }.run(1);
    assert_eq!(ran.steps("client/c", "offered"), [(100, 1), (250, 2), (900, 1)], "one second is over at the end");
    let data = &[("times.csv", "id,at\n1,250\n2,100\n")];
    let wrong = Texts { model, experiment, data }.plan().expect_err("the times are not in order");
    assert!(wrong.contains("the times are not in order"), "{wrong}");
}

#[test]
fn a_user_of_a_closed_loop_thinks_asks_waits_and_thinks_again() {
    // 900 ms of thought and 100 ms of work make a round of a second.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, users: { count: 3, think: 900ms, start_every: 300ms } } }
        ",
        "{ length: 3s, resolution: 10ms }",
    );
    assert_eq!(ran.when("client/c", "offered"), [900, 1_200, 1_500, 1_900, 2_200, 2_500, 2_900]);
}

#[test]
fn a_closed_loop_asks_a_slow_system_less_and_an_open_one_does_not() {
    for (client, healthy, slow) in [("users: { count: 1, think: 900ms }", 10, 4), ("arrivals: { constant: 1/s }", 9, 9)]
    {
        // A round takes 1 s in health, and 2.4 s with 1.5 s of work: from 0.9 s on at 0.9, 3.3, 5.7 and 8.1 s.
        for (work, asked) in [("100ms", healthy), ("1500ms", slow)] {
            let ran = run(
                &format!(
                    "
                    services: {{ s: {{ operations: {{ get: [ work: {work} ] }} }} }}
                    clients: {{ c: {{ calls: s.get, {client} }} }}
                    "
                ),
                "{ length: 10s }",
            );
            assert_eq!(ran.count("client/c", "offered"), asked, "{client}, {work}");
        }
    }
}

#[test]
fn each_user_begins_with_the_first_task_without_thinking() {
    let ran = run(
        "
        services: { s: { operations: { login: [], get: [] } } }
        clients:
          c:
            users: { count: 3, think: 1s, start_every: 300ms }
            first: login
            tasks: { login: { weight: 0, steps: [ call: s.login ] }, get: { steps: [ call: s.get ] } }
        ",
        "{ length: 2.2s, resolution: 10ms }",
    );
    assert_eq!(ran.when("edge/c->s.login", "offered"), [0, 300, 600]);
    assert_eq!(ran.when("edge/c->s.get", "offered"), [1_000, 1_300, 1_600, 2_000]);
}

#[test]
fn the_instances_of_a_client_share_its_load() {
    // Each has a token bucket of its own, with one token, and no other comes within the run.
    let ran = load(
        "arrivals: { constant: 100/s }, instances: 4, policies: [ rate_limit: { rate: 0.001/s } ]",
        "{ length: 100s }",
    );
    assert_eq!(ran.count("client/c", "ok"), 4);
    assert_eq!(ran.count("client/c", "failed.refused_by.rate_limit"), 9_999 - 4);
}

#[test]
fn there_are_windows_before_during_and_after_the_faults_without_the_warm_up() {
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "
        length: 100s
        warmup: 10s
        windows: { early: { from: 5s, to: 15s } }
        faults:
          - { at: 20s, for: 10s, slow: { service: s, factor: 2 } }
          - { at: 40s, for: 20s, name: outage, crash: { service: s } }
        ",
    );
    let windows = ran.plan.schedule.windows.iter().map(|it| (it.name.as_str(), it.from.as_secs(), it.until.as_secs()));
    assert_eq!(
        windows.collect::<Vec<_>>(),
        [
            ("all", 10.0, 100.0),
            ("before", 10.0, 20.0),
            ("fault:slow s", 20.0, 30.0),
            ("fault:outage", 40.0, 60.0),
            ("after", 60.0, 100.0),
            ("early", 5.0, 15.0),
        ]
    );
    // A request each second, at whole seconds: as many as the window is long.
    for (window, count) in [("all", 90), ("before", 10), ("fault:outage", 20), ("after", 40), ("early", 10)] {
        assert_eq!(ran.count_in(window, "client/c", "offered"), count, "{window}");
    }
    assert_eq!(ran.count("client/c", "failed.unreachable"), 20);
}

#[test]
fn a_request_belongs_to_the_window_of_its_arrival() {
    // Requests at 1, 2, 3 and 4 s; each is answered 1.5 s later, in another window.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 1500ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "
        length: 5s
        windows:
          early: { from: 500ms, to: 2.5s }
          late: { from: 2.5s, to: 5s }
        ",
    );
    for (window, throughput) in [("early", 0), ("late", 3)] {
        assert_eq!(ran.count_in(window, "client/c", "offered"), 2, "{window}");
        assert_eq!(ran.count_in(window, "client/c", "ok"), 2, "{window}");
        assert_eq!(ran.count_in(window, "service/s", "throughput"), throughput, "{window}: what belongs to an instant");
    }
    assert_eq!(ran.count("client/c", "ok"), 4);
}

#[test]
fn a_time_line_shows_latencies_of_many_steps_or_none_but_never_those_of_the_quick_alone() {
    // Of two requests at 1 s one takes `work`, and the other twice as long. When the next come, at 2 s, which is 1,000
    // steps later, the second has ended or not.
    for (work, mean) in [(450, Some(675)), (550, None)] {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ workers: 1, operations: {{ get: [ work: {work}ms ] }} }} }}
                clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, batch: 2 }} }}
                "
            ),
            "{ length: 2.5s, resolution: 1ms }",
        );
        let line = ran.run.line("client/c", "latency.mean").expect("clients have it");
        let (_, seen) = line.iter().find(|(at, _)| super::whole(at * 1e3) == 1_000).expect("there is such a step");
        assert_eq!((!seen.is_nan()).then(|| super::whole(seen * 1e3)), mean);
        assert_eq!(ran.count("client/c", "ok"), 4, "windows know all of them");
    }
}

#[test]
fn what_has_not_ended_after_the_drain_is_unfinished() {
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 2s ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        ",
        "{ length: 5s, drain: 500ms }",
    );
    // Until 5.5 s those of 1, 2 and 3 s have ended.
    assert_eq!(ran.count("client/c", "offered"), 4);
    assert_eq!(ran.count("client/c", "ok"), 3);
    assert!((ran.value("client/c", "unfinished") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn what_nobody_waits_for_any_more_is_followed_to_its_end_too() {
    // All are given up by 3.1 s; the last answer comes at 8 s.
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 5s ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s }, policies: [ timeout: 100ms ] } }
        ",
        "{ length: 3.5s }",
    );
    assert_eq!(ran.count("client/c", "late"), 3);
    assert!((ran.value("client/c", "wasted_share") - 1.0).abs() < f64::EPSILON);
    assert_eq!(ran.millis("service/s", "sojourn.mean"), 5_000);
}
