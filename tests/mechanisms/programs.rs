//! Programs: what the steps of an operation do, one after the other and side by side, and how they end.

use super::{Ran, assert_binomial, run};

/// A request each second to an operation with these steps, and a service to call.
fn steps(steps: &str) -> Ran {
    run(
        &format!(
            "
            services:
              s: {{ operations: {{ get: [ {steps} ] }} }}
              below:
                operations:
                  ok: [ work: 50ms ]
                  error: [ {{ work: 50ms }}, {{ fail: error }} ]
                  rejected: [ fail: rejected ]
                  unavailable: [ fail: unavailable ]
                  throttled: [ fail: throttled ]
                  slow: [ work: 10s ]
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }} }} }}
            "
        ),
        "{ length: 3s }",
    )
}

#[test]
fn steps_take_as_long_as_their_sum_side_by_side_as_long_as_the_longest() {
    assert_eq!(steps("{ work: 10ms }, { work: 20ms }, { call: below.ok }").latencies("c"), [80, 80]);
    assert_eq!(steps("parallel: [ { work: 10ms }, { work: 20ms }, { call: below.ok } ]").latencies("c"), [50, 50]);
    let branches = "{ steps: [ { work: 10ms }, { call: below.ok } ] }, { work: 20ms }";
    assert_eq!(steps(&format!("parallel: [ {branches} ]")).latencies("c"), [60, 60]);
}

#[test]
fn a_step_is_repeated_so_often_with_all_that_is_in_it() {
    assert_eq!(steps("{ work: 10ms, repeat: 5 }").latencies("c"), [50, 50]);
    assert_eq!(
        steps("{ repeat: 3, steps: [ { work: 10ms, repeat: 2 }, { call: below.ok } ] }").latencies("c"),
        [210; 2]
    );
    let ran = steps("{ repeat: 2, parallel: [ { work: 10ms }, { work: 20ms } ] }");
    assert_eq!(ran.latencies("c"), [40, 40]);
    let ran = steps("{ repeat: 3, choice: [ { weight: 1, steps: [ call: below.ok ] } ] }");
    assert_eq!(ran.latencies("c"), [150, 150]);
    assert_eq!(ran.count("edge/s->below.ok", "offered"), 6);
}

#[test]
fn copies_are_made_side_by_side() {
    let ran = steps("{ parallel: [ { call: below.ok, copies: 4 } ] }");
    assert_eq!(ran.latencies("c"), [50, 50]);
    assert_eq!(ran.count("edge/s->below.ok", "offered"), 8);
}

#[test]
fn when_enough_branches_have_ended_well_the_others_are_abandoned() {
    let ran = steps("{ parallel: [ { work: 10ms }, { work: 30ms }, { call: below.ok } ], need: 2 }");
    assert_eq!(ran.latencies("c"), [30, 30]);
    assert_eq!(ran.count("edge/s->below.ok", "cancelled"), 2);
    assert_eq!(ran.count("edge/s->below.ok", "late"), 2);
}

#[test]
fn as_soon_as_too_many_branches_have_failed_the_operation_fails() {
    let ran = steps("{ parallel: [ { call: below.error }, { call: below.slow } ] }");
    assert_eq!(ran.count("client/c", "failed.error"), 2);
    assert_eq!(ran.millis("client/c", "duration.mean"), 50);
    let ran = steps("{ parallel: [ { call: below.error }, { work: 80ms } ], need: 1 }");
    assert_eq!(ran.latencies("c"), [80, 80]);
}

#[test]
fn steps_after_a_failure_are_not_done() {
    let ran = steps("{ call: below.error }, { work: 100ms }, { call: below.ok }");
    assert_eq!(ran.millis("client/c", "duration.mean"), 50);
    assert_eq!(ran.count("edge/s->below.ok", "offered"), 0);
}

#[test]
fn the_failure_of_an_optional_call_only_degrades_the_answer() {
    let ran = steps("{ call: below.error, optional: true }, { work: 100ms }");
    assert_eq!(ran.latencies("c"), [150, 150]);
    assert_eq!(ran.count("client/c", "degraded"), 2);
    assert_eq!(ran.count("client/c", "ok"), 0);
    let ran = steps("parallel: [ { call: below.error, optional: true }, { work: 100ms } ]");
    assert_eq!(ran.latencies("c"), [100, 100]);
    assert_eq!(ran.count("client/c", "degraded"), 2);
}

#[test]
fn a_service_translates_the_failures_of_its_calls() {
    for (below, above) in
        [("error", "error"), ("rejected", "rejected"), ("unavailable", "unavailable"), ("throttled", "unavailable")]
    {
        let ran = steps(&format!("call: below.{below}"));
        assert_eq!(ran.count(&format!("edge/s->below.{below}"), &format!("failed.{below}")), 2);
        assert_eq!(ran.count("client/c", &format!("failed.{above}")), 2, "{below}");
    }
    let ran = steps("{ call: below.ok, policies: [ timeout: 20ms ] }");
    assert_eq!(ran.count("edge/s->below.ok", "failed.timeout"), 2);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 2);
    let limit = "consecutive_failures: 1, open_for: 1h";
    let ran = steps(&format!("{{ call: below.error, policies: [ breaker: {{ {limit} }} ] }}"));
    assert_eq!(ran.count("client/c", "failed.error"), 1);
    assert_eq!(ran.count("client/c", "failed.unavailable"), 1, "refused by the breaker");
}

#[test]
fn one_of_the_branches_of_a_choice_is_drawn_by_weight() {
    let ran = run(
        "
        services:
          s:
            operations:
              get: [ choice: [ { weight: 3, steps: [ call: below.a ] }, { weight: 1, steps: [ call: below.b ] }, { weight: 1 } ] ]
          below: { operations: { a: [], b: [] } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s } } }
        ",
        "{ length: 100s }",
    );
    assert_binomial(ran.count("edge/s->below.a", "offered"), 9_999, 0.6);
    assert_binomial(ran.count("edge/s->below.b", "offered"), 9_999, 0.2);
}

#[test]
fn the_tasks_of_a_client_are_drawn_by_weight_and_those_of_weight_zero_never() {
    let ran = run(
        "
        services: { s: { operations: { browse: [], buy: [], never: [] } } }
        clients:
          c:
            arrivals: { constant: 100/s }
            tasks:
              browse: { weight: 9, steps: [ call: s.browse ] }
              buy: { steps: [ { call: s.browse }, { call: s.buy } ] }
              never: { weight: 0, steps: [ call: s.never ] }
        ",
        "{ length: 100s }",
    );
    let bought = ran.count("edge/c->s.buy", "offered");
    assert_binomial(bought, 9_999, 0.1);
    assert_eq!(ran.count("edge/c->s.browse", "offered"), 9_999 - bought);
    assert_eq!(ran.count("edge/c->s.browse#2", "offered"), bought);
    assert_eq!(ran.count("edge/c->s.never", "offered"), 0);
    assert_eq!(ran.count("client/c", "attempts"), 9_999 + bought);
}
