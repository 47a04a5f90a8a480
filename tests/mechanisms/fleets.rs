//! Fleets: many small clients as one.

use super::{Ran, Texts, run};

/// What a fleet asks of a service with one worker that needs 10 ms for each.
fn fleet(fleet: &str, policies: &str, experiment: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ workers: 1, operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, policies: [{policies}], fleet: {{ {fleet} }} }} }}
            "
        ),
        experiment,
    )
}

impl Ran {
    /// A figure of the fleet in a window.
    fn of_fleet(&self, window: &str, metric: &str) -> f64 {
        self.run.value(&self.plan, window, "fleet/c", metric).expect("fleets have this metric")
    }
}

/// Ten members at 1 s: answers at 1.01, 1.02, … 1.10 s. Half are served after the fifth, 90 % after the ninth.
#[test]
fn members_start_together_and_ask_no_more_once_they_have_an_answer() {
    let ran = fleet("members: 10, starts: 1s", "", "{ length: 11s, resolution: 10ms }");
    assert_eq!(ran.steps("client/c", "offered"), [(1_000, 10)], "all in one step");
    let after = ["p50", "p90", "p99", "max"].map(|mark| ran.of_fleet("all", &format!("served_after.{mark}")));
    assert_eq!(after, [1.05, 1.09, 1.1, 1.1]);
    // Of 11 s: 10 s less the wait of each, 10, 20, … 100 ms, in the mean 55 ms.
    assert!((ran.of_fleet("all", "served") - (10.0 - 0.055) / 11.0).abs() < 1e-12);
}

/// Within 2 s: 1,000 uniform times have a mean of 1 s ± 5 × 2/√12/√1000, and lie between 0 and 2.
#[test]
fn start_up_jitter_spreads_the_starts_evenly() {
    let ran = fleet("members: 1000, starts: 1s, within: 2s", "", "{ length: 20s, resolution: 1ms }");
    let line = ran.run.line("client/c", "offered").expect("it has one");
    let (mut sum, mut count) = (0.0, 0.0);
    for (at, rate) in line {
        assert!(rate == 0.0 || (1.0..=3.0).contains(&at), "{at}");
        sum += at * rate;
        count += rate;
    }
    assert!((sum / count - 2.0).abs() < 5.0 * 2.0 / 12.0_f64.sqrt() / 1000.0_f64.sqrt(), "{}", sum / count);
}

/// Two members ask at 0 and every second: answers 10 and 20 ms later; the next request is counted from the last.
#[test]
fn members_that_poll_ask_again_a_period_after_they_asked() {
    let ran = fleet("members: 2, every: 1s", "", "{ length: 5s, resolution: 10ms }");
    assert_eq!(ran.steps("client/c", "offered"), [0, 1_000, 2_000, 3_000, 4_000].map(|at| (at, 2)));
    // A period that is over before the answer is there: one after the other, without a pause. The second asks 10 ms later.
    let ran = fleet("members: 1, every: 5ms", "", "{ length: 100ms, resolution: 10ms }");
    assert_eq!(ran.run.value(&ran.plan, "all", "client/c", "offered"), Some(100.0));
}

/// Periods between 0.9 s and 1.1 s: the tenth request comes between 8.1 s and 9.9 s, and not at 9 s.
#[test]
fn jitter_makes_each_period_longer_or_shorter() {
    let ran = fleet("members: 1, every: 1s, jitter: 10%", "", "{ length: 20s, resolution: 1ms }");
    let times = ran.when("client/c", "offered");
    assert!(times.windows(2).all(|pair| (899..=1_101).contains(&(pair[1] - pair[0]))), "{times:?}");
    assert!(times.windows(2).any(|pair| pair[1] - pair[0] != 1_000));
}

/// The service answers nobody in its first second. Who has failed asks again after 100 ms; without `again`, never.
#[test]
fn who_has_failed_asks_again_or_not() {
    let down = "{ length: 3s, resolution: 10ms, faults: [ { at: 0s, for: 1s, errors: { service: s, fast: true } } ] }";
    let ran = fleet("members: 1, again: 100ms", "", down);
    let times: Vec<u64> = (0..=10).map(|n| n * 100).collect();
    assert_eq!(ran.when("client/c", "offered"), times);
    assert_eq!(ran.of_fleet("all", "served_after.max"), 1.01);
    let ran = fleet("members: 1", "", down);
    assert_eq!(ran.when("client/c", "offered"), [0]);
    assert_eq!(ran.of_fleet("all", "served_after.max"), f64::INFINITY);
}

/// Ten members, one place: each second one of them is served and nine are refused. Who it is is drawn each time: over 1,000 seconds
/// none has it much more often than the others, and not in their order.
#[test]
fn those_who_ask_at_the_same_instant_win_by_turns_that_are_drawn() {
    let model = "
        services: { s: { workers: 1, queue: { capacity: 0 }, operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, instances: 10, fleet: { members: 10, every: 1s }, policies: [ timeout: 1s ] } }
        ";
    let ran = run(model, "{ length: 1000s }");
    assert_eq!(ran.run.value(&ran.plan, "all", "client/c", "ok"), Some(1.0));
    // Every member has been served after about 10 (1 + 1/2 + … + 1/10) = 29 s; with an order that is always the same, nine never are.
    let all = ran.of_fleet("all", "served_after.max");
    assert!((10.0..200.0).contains(&all), "{all}");
}

/// A fleet of ten is gone from 1 s to 2 s: nobody is served, and what is under way is given up. Then all start again.
#[test]
fn members_that_were_gone_start_again() {
    let ran = fleet(
        "members: 10, every: 10s",
        "",
        "{ length: 4s, resolution: 10ms, faults: [ { name: f, at: 1s, for: 1s, disconnect: { client: c } } ] }",
    );
    assert_eq!(ran.steps("client/c", "offered"), [(0, 10), (2_000, 10)]);
    assert_eq!(ran.of_fleet("fault:f", "served"), 0.0);
    assert_eq!(ran.of_fleet("after", "served_after.max"), 0.1);
    let half = fleet(
        "members: 10, every: 10s",
        "",
        "{ length: 4s, resolution: 10ms, faults: [ { name: f, at: 1s, for: 1s, disconnect: { client: c, share: 50% } } ] }",
    );
    assert_eq!(half.of_fleet("fault:f", "served"), 0.5);
    assert_eq!(half.of_fleet("after", "served_after.max"), 0.05);
    // At 55 ms five are served, one is being served and four wait: they are gone, and their requests with them.
    let early = fleet(
        "members: 10",
        "",
        "{ length: 4s, resolution: 10ms, faults: [ { name: f, at: 55ms, for: 1s, disconnect: { client: c } } ] }",
    );
    assert_eq!(early.run.value(&early.plan, "all", "client/c", "offered"), Some(20.0 / 4.0));
    assert_eq!(early.run.value(&early.plan, "all", "client/c", "ok"), Some(15.0 / 4.0));
}

#[test]
fn fleets_that_make_no_sense_are_refused_where_they_stand() {
    let wrong = |fleet: &str, experiment: &str| {
        let model = format!(
            "services: {{ s: {{ operations: {{ get: [] }} }} }}\nclients:\n  o: {{ calls: s.get, arrivals: {{ constant: 1/s }} }}\n  c:\n    calls: s.get\n    fleet: {{ {fleet} }}\n"
        );
        Texts { model: &model, experiment, data: &[] }.plan().expect_err("it makes no sense")
    };
    let quiet = "{ length: 1s }";
    for (fleet, said) in [
        ("members: 0", "a fleet of 0 members"),
        ("members: 10, every: 0s", "a time of zero"),
        ("members: 10, jitter: 10%", "`jitter` is that of `every`"),
        ("members: 10, evry: 1s", "`evry`: unknown key"),
    ] {
        let wrong = wrong(fleet, quiet);
        assert!(wrong.contains(said) && wrong.contains("model.yaml:"), "{fleet}: {wrong}");
    }
    let other = wrong("members: 10", "{ length: 1s, faults: [ { at: 0s, disconnect: { client: o } } ] }");
    assert!(other.contains("only a fleet has members"), "{other}");
}

/// Gone from 1 s to 2 s, with a start at 5 s: it starts at 5 s, not when the fault is over.
#[test]
fn who_has_not_started_yet_comes_back_no_earlier_than_it_would_have_started() {
    let fault = "faults: [ { at: 1s, for: 1s, disconnect: { client: c } } ]";
    let ran = fleet("members: 3, starts: 5s", "", &format!("{{ length: 11s, resolution: 10ms, {fault} }}"));
    assert_eq!(ran.steps("client/c", "offered"), [(5_000, 3)]);
}
