//! Effects, idempotency keys, and retries that ask whether a call may be repeated.

use super::{Ran, Texts, run};

/// A client asks once, at 10 ms, a service that charges 50 ms after it is asked.
fn charge(operation: &str, client: &str, experiment: &str) -> Ran {
    run(
        &format!(
            "
            services: {{ s: {{ workers: 9, operations: {{ charge: {{ effect: true, {operation} steps: [ work: 50ms ] }} }} }} }}
            clients:
              c: {{ calls: s.charge, arrivals: {{ constant: 100/s }}, load: [ step: {{ at: 15ms, factor: 0 }} ], {client} }}
            "
        ),
        &format!("{{ length: 500ms, resolution: 10ms, {experiment} }}"),
    )
}

/// Effects, those that happened again, and answers.
fn counts(ran: &Ran) -> [u64; 3] {
    let of = |metric| ran.count("service/s", metric);
    [of("effects"), of("duplicate_effects"), ran.count("client/c", "ok")]
}

const TWICE: &str = "policies: [ retry: 2, timeout: 30ms ]";
/// The answer of what begins before 30 ms fails after the work.
const FAILS: &str = "faults: [ { at: 55ms, for: 10ms, errors: { service: s } } ]";

#[test]
fn what_a_caller_gives_up_happens_all_the_same_and_the_retry_makes_it_happen_again() {
    assert_eq!(counts(&charge("", "", "")), [1, 0, 1]);
    // Given up at 40 ms and done at 60 ms; asked again at 40 ms and done at 90 ms.
    assert_eq!(counts(&charge("", TWICE, "")), [2, 1, 0]);
}

#[test]
fn an_error_that_is_made_of_an_answer_does_not_undo_the_effect() {
    let again = "policies: [ retry: { attempts: 2, on: [ error ] } ]";
    assert_eq!(counts(&charge("", again, FAILS)), [2, 1, 1]);
    let fails = run(
        "
        services: { s: { operations: { charge: { effect: true, steps: [ { work: 5ms }, { fail: error } ] } } } }
        clients: { c: { calls: s.charge, arrivals: { constant: 100/s } } }
        ",
        "{ length: 100ms }",
    );
    assert_eq!(counts(&fails), [0, 0, 0]);
}

#[test]
fn with_a_key_it_happens_once() {
    let keyed = |policies: &str| format!("idempotency_key: call, {policies}");
    // The second waits from 40 ms on for the first, which ends at 60 ms.
    let ran = charge("idempotency: {},", &keyed(TWICE), "");
    assert_eq!(counts(&ran), [1, 0, 1]);
    assert_eq!(ran.latencies("c"), [50]);
    // Both hold a worker: 50 and 20 ms.
    assert_eq!(ran.busy("service/s"), 70);
    // An error that is made of the answer does not unmake what was remembered.
    let again = "policies: [ retry: { attempts: 2, on: [ error ], backoff: { constant: 10ms } } ]";
    let ran = charge("idempotency: {},", &keyed(again), FAILS);
    assert_eq!((counts(&ran), ran.latencies("c")), ([1, 0, 1], vec![60]));
    // A key that nobody looks at changes nothing.
    assert_eq!(counts(&charge("", &keyed(TWICE), "")), [2, 1, 0]);
    // Nor does a table without keys.
    assert_eq!(counts(&charge("idempotency: {},", TWICE, "")), [2, 1, 0]);
}

#[test]
fn looking_a_key_up_takes_its_time() {
    let ran = charge("idempotency: { lookup: 3ms },", "idempotency_key: call", "");
    assert_eq!(ran.latencies("c"), [53]);
    let ran = charge("idempotency: { lookup: 3ms },", "", "");
    assert_eq!(ran.latencies("c"), [50]);
}

#[test]
fn a_duplicate_can_conflict_with_one_that_is_running() {
    let ran = charge("idempotency: { concurrent: conflict },", &format!("idempotency_key: call, {TWICE}"), "");
    assert_eq!((counts(&ran), ran.count("client/c", "failed.rejected")), ([1, 0, 0], 1));
    assert_eq!(ran.busy("service/s"), 50);
}

#[test]
fn what_is_forgotten_happens_again() {
    let ran = |ttl: u64| {
        let retry = "policies: [ retry: { attempts: 2, on: [ error ], backoff: { constant: 20ms } } ]";
        charge(&format!("idempotency: {{ ttl: {ttl}ms }},"), &format!("idempotency_key: call, {retry}"), FAILS)
    };
    // Remembered at 60 ms, asked again at 80 ms.
    assert_eq!(counts(&ran(21)), [1, 0, 1]);
    assert_eq!(counts(&ran(20)), [2, 1, 1]);
}

#[test]
fn a_first_that_fails_leaves_the_next_to_run() {
    let ran = Texts {
        model: "
            services:
              s:
                workers: 9
                operations:
                  charge: { effect: true, idempotency: {}, steps: [ { work: 20ms }, { call: below.get, policies: [ timeout: 30ms ] } ] }
              below: { operations: { get: [ work: 1ms ] } }
            clients:
              c:
                calls: s.charge
                idempotency_key: request
                arrivals: { constant: 100/s }
                load: [ step: { at: 15ms, factor: 0 } ]
                policies: [ retry: { attempts: 3, on: [ timeout ] }, timeout: 40ms ]
        ",
        experiment: "{ length: 500ms, resolution: 10ms, faults: [ { at: 0s, for: 55ms, partition: { from: s, to: below } } ] }",
        data: &[],
    }
    .run(1);
    // The first runs from 10 ms on and fails at 60 ms; the second waits from 50 ms on, runs from 60 ms on and ends at 81 ms.
    assert_eq!(counts(&ran), [1, 0, 1]);
    assert_eq!(ran.latencies("c"), [71]);
}

#[test]
fn a_crash_of_the_first_lets_the_next_run_at_another_replica() {
    let ran = run(
        "
        services:
          s: { replicas: 2, workers: 9, operations: { charge: { effect: true, idempotency: {}, steps: [ work: 50ms ] } } }
        clients:
          c:
            calls: s.charge
            idempotency_key: call
            arrivals: { constant: 100/s }
            load: [ step: { at: 15ms, factor: 0 } ]
            policies: [ hedge: 10ms ]
        ",
        // The first is at one of the two replicas, and the spare at the other. Whichever crashes, the charge is made once.
        "{ length: 500ms, resolution: 10ms, faults: [ { at: 40ms, for: 400ms, crash: { service: s, replica: 0 } } ] }",
    );
    let of = counts(&ran);
    assert_eq!(of, [1, 0, 1]);
    assert!([50, 80].contains(&ran.latencies("c")[0]), "{:?}", ran.latencies("c"));
}

#[test]
fn a_paused_process_sees_the_end_of_the_first_when_it_goes_on() {
    let ran = run(
        "
        services:
          s: { replicas: 2, workers: 9, operations: { charge: { effect: true, idempotency: {}, steps: [ work: 50ms ] } } }
        clients:
          c:
            calls: s.charge
            idempotency_key: call
            arrivals: { constant: 100/s }
            load: [ step: { at: 15ms, factor: 0 } ]
            policies: [ hedge: 10ms ]
        ",
        "{ length: 500ms, resolution: 10ms, faults: [ { at: 40ms, for: 200ms, pause: { service: s, replica: 0 } } ] }",
    );
    // If it is the first that is paused, it ends at 260 ms, and with it the other; if not, the other waits for nobody.
    assert_eq!(counts(&ran), [1, 0, 1]);
    assert!([50, 250].contains(&ran.latencies("c")[0]), "{:?}", ran.latencies("c"));
}

/// A client that asks twice, of a service in the middle that charges.
fn through_the_middle(key: &str) -> Ran {
    run(
        &format!(
            "
            services:
              web: {{ operations: {{ order: [ {{ call: s.charge, {key} }} ] }} }}
              s: {{ operations: {{ charge: {{ effect: true, idempotency: {{}}, steps: [ work: 5ms ] }} }} }}
            clients:
              c:
                calls: web.order
                arrivals: {{ constant: 100/s }}
                load: [ step: {{ at: 15ms, factor: 0 }} ]
                policies: [ retry: 2, timeout: 20ms ]
            "
        ),
        "{ length: 500ms, resolution: 10ms, faults: [ { at: 0s, for: 25ms, partition: { from: web, to: c } } ] }",
    )
}

#[test]
fn a_key_made_for_each_call_does_not_survive_a_retry_further_up() {
    // The answer of 15 ms to the client is lost, and it asks again at 30 ms.
    assert_eq!(counts(&through_the_middle("optional: false")), [2, 1, 1]);
    assert_eq!(counts(&through_the_middle("idempotency_key: call")), [2, 1, 1]);
    assert_eq!(counts(&through_the_middle("idempotency_key: request")), [1, 0, 1]);
}

#[test]
fn two_charges_of_one_request_are_no_duplicates() {
    let ran = run(
        "
        services:
          web: { operations: { order: [ { call: s.charge, repeat: 2 }, { parallel: [ { call: s.charge, copies: 3 } ] } ] } }
          s: { operations: { charge: { effect: true, steps: [ work: 5ms ] } } }
        clients: { c: { calls: web.order, arrivals: { constant: 100/s }, load: [ step: { at: 15ms, factor: 0 } ] } }
        ",
        "{ length: 100ms }",
    );
    assert_eq!(counts(&ran), [5, 0, 1]);
}

#[test]
fn a_retry_can_ask_whether_a_call_may_be_repeated() {
    let attempts = |operation: &str, call: &str, retry: &str| {
        let ran = run(
            &format!(
                "
                services: {{ s: {{ operations: {{ op: {{ {operation} steps: [ fail: error ] }} }} }} }}
                clients:
                  c:
                    calls: s.op
                    {call}
                    arrivals: {{ constant: 100/s }}
                    load: [ step: {{ at: 15ms, factor: 0 }} ]
                    policies: [ retry: {{ attempts: 3, {retry} }} ]
                "
            ),
            "{ length: 100ms }",
        );
        ran.count("edge/c->s.op", "attempts")
    };
    for retry in ["on_idempotent: [ error ]", "on: [], on_idempotent: [ error ]"] {
        assert_eq!(attempts("", "", retry), 1);
        assert_eq!(attempts("idempotent: true,", "", retry), 3);
        assert_eq!(attempts("idempotency: {},", "", retry), 1);
        assert_eq!(attempts("idempotency: {},", "idempotency_key: call", retry), 3);
    }
    assert_eq!(attempts("idempotent: true,", "", "on: [ timeout ]"), 1);
}

#[test]
fn options_that_do_not_go_together_are_errors() {
    let wrong = |operation: &str, client: &str| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ op: {{ {operation} steps: [ work: 1ms ] }} }} }} }}
            clients: {{ c: {{ {client}, arrivals: {{ constant: 1/s }} }} }}
            "
        );
        Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().err().unwrap_or_default()
    };
    assert!(wrong("effect: true, idempotent: true,", "calls: s.op").contains("no effect that could happen twice"));
    assert!(wrong("idempotency: { ttl: 0s },", "calls: s.op").contains("forgotten at once"));
    assert!(wrong("", "tasks: { t: { steps: [ call: s.op ] } }, idempotency_key: call").contains("goes with `calls`"));
    assert!(wrong("", "tasks: { t: { steps: [ { call: s.op, keys: same, idempotency_key: call } ] } }").is_empty());
    let step = "tasks: { t: { steps: [ { parallel: [ call: s.op ], idempotency_key: call } ] } }";
    assert!(wrong("", step).contains("go with `call`"));
}
