//! Requests that are followed: spans to the nanosecond, and which requests they are.

use blackstart::engine::Time;
use blackstart::measure::trace::{Kind, Span, Trace, What};
use blackstart::policy::Position;
use blackstart::report::trace::texts;
use blackstart::system::run_traced;

use super::Texts;

/// Follows so many requests that come at these times (in milliseconds).
fn traced(model: &str, experiment: &str, times: &str, requests: u32) -> Trace {
    let data = [("times.csv", times)];
    let plan = Texts { model, experiment, data: &data }.plan().unwrap_or_else(|wrong| panic!("{wrong}"));
    run_traced(&plan, 1, requests).trace.expect("it was asked for")
}

/// The spans of a request, one a line: number, number of the one it is part of, name, times in milliseconds, outcome.
fn story(trace: &Trace, request: u64) -> Vec<String> {
    let millis = |time: Time| {
        assert_eq!(time.nanos() % 1_000_000, 0, "{time:?} is no whole number of milliseconds");
        time.nanos() / 1_000_000
    };
    let marks = |it: &Span| {
        let marks =
            [("abandoned", it.abandoned), ("late", it.late), ("spare", it.spare), ("unfinished", it.unfinished)];
        marks.iter().filter(|(_, is_so)| *is_so).map(|(name, _)| format!(" {name}")).collect::<String>()
    };
    let line = |it: &Span| {
        let parent = it.parent.map_or("-".to_owned(), |parent| trace.spans[parent as usize].number.to_string());
        let outcome = it.outcome.map_or(String::new(), |outcome| format!(" {}", outcome.name()));
        format!("{} {parent} {} {}..{}{outcome}{}", it.number, it.name, millis(it.from), millis(it.until), marks(it))
    };
    trace.spans.iter().filter(|it| it.request == request).map(line).collect()
}

/// One worker, 100 ms a request, a millisecond each way; two attempts of 120 ms each, 60 ms between them.
const RETRIED: &str = "
    services: { s: { workers: 1, operations: { get: [ work: 100ms ] } } }
    clients:
      c:
        calls: s.get
        arrivals: { replay: { file: times.csv, unit: 1ms } }
        policies: [ retry: { attempts: 2, backoff: { constant: 60ms }, jitter: none }, timeout: 120ms ]
    network: { default: { latency: 1ms } }
";

#[test]
fn a_request_that_is_retried_once_has_these_spans() {
    let trace = traced(RETRIED, "{ length: 2s }", "at\n1000\n1030\n", 2);
    assert_eq!(
        story(&trace, 1),
        [
            "0 - c 1000..1102 ok",
            "1 0 s.get 1000..1102 ok",
            "2 1 attempt 1 1000..1102 ok",
            "3 2 get 1001..1101 ok",
            "4 3 served 1001..1101 ok",
        ]
    );
    // It waits until 1101 for the first, and is given up at 1030 + 120; the service works on it until 1201.
    assert_eq!(
        story(&trace, 2),
        [
            "0 - c 1030..1312 ok",
            "1 0 s.get 1030..1312 ok",
            "2 1 attempt 1 1030..1150 timeout late",
            "3 2 get 1031..1201 ok abandoned",
            "4 3 queued 1031..1101",
            "5 3 served 1101..1201 ok",
            "6 1 backoff 1150..1210",
            "7 1 attempt 2 1210..1312 ok",
            "8 7 get 1211..1311 ok",
            "9 8 served 1211..1311 ok",
        ]
    );
    let works = trace.spans.iter().filter_map(|span| span.work).map(|work| work.nanos());
    assert_eq!(works.collect::<Vec<_>>(), [100_000_000; 3]);
}

#[test]
fn the_log_tells_the_same_story_in_order_of_time() {
    let trace = traced(RETRIED, "{ length: 2s }", "at\n1000\n1030\n", 2);
    let (_, log) = texts(&trace).find(|(end, _)| *end == ".events.jsonl").expect("there is a log");
    let said = log.lines().filter(|line| line.contains("\"request\":2,")).map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        let more = ["outcome", "policy", "after", "for_nobody"].iter().filter_map(|key| event.get(key));
        let more: String = more.map(|value| format!(" {}", value.to_string().replace('"', ""))).collect();
        format!("{} {}{more}", &line[5..10], event["event"].as_str().expect("it has a name"))
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "1.030 request_made",
            "1.030 call_began",
            "1.030 attempt_sent",
            "1.031 received",
            "1.031 queued",
            "1.101 started",
            "1.150 timed_out timeout",
            "1.150 abandoned timeout",
            "1.150 retried_after timeout retry 0.06",
            "1.201 replied ok true",
            "1.202 late_reply ok",
            "1.210 attempt_sent",
            "1.211 received",
            "1.211 started",
            "1.311 replied ok",
            "1.312 answered ok",
            "1.312 call_ended ok",
            "1.312 request_answered ok",
        ]
    );
}

#[test]
fn a_spare_attempt_overlaps_with_the_first_and_goes_on_when_the_race_is_over() {
    let model = "
        services: { s: { workers: 2, operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { replay: { file: times.csv, unit: 1ms } }, policies: [ hedge: { after: 30ms } ] } }
    ";
    let trace = traced(model, "{ length: 2s }", "at\n1000\n", 1);
    assert_eq!(
        story(&trace, 1),
        [
            "0 - c 1000..1100 ok",
            "1 0 s.get 1000..1100 ok",
            "2 1 attempt 1 1000..1100 ok",
            "3 2 get 1000..1100 ok",
            "4 3 served 1000..1100 ok",
            "5 1 attempt 2 1030..1100 cancelled late spare",
            "6 5 get 1030..1130 ok abandoned",
            "7 6 served 1030..1130 ok",
        ]
    );
}

#[test]
fn a_request_that_gave_its_worker_back_waits_for_one_again() {
    // The first is away from 1010 to 1060; meanwhile, at 1055, the second has taken the worker, until 1065.
    let model = "
        services:
          a: { workers: 1, async: true, operations: { get: [ work: 10ms, call: b.get, work: 10ms ] } }
          b: { operations: { get: [ work: 50ms ] } }
        clients: { c: { calls: a.get, arrivals: { replay: { file: times.csv, unit: 1ms } } } }
    ";
    let trace = traced(model, "{ length: 2s }", "at\n1000\n1055\n", 2);
    assert_eq!(
        story(&trace, 1),
        [
            "0 - c 1000..1075 ok",
            "1 0 a.get 1000..1075 ok",
            "2 1 attempt 1 1000..1075 ok",
            "3 2 get 1000..1075 ok",
            "4 3 served 1000..1075 ok",
            "5 4 b.get 1010..1060 ok",
            "6 5 attempt 1 1010..1060 ok",
            "7 6 get 1010..1060 ok",
            "8 7 served 1010..1060 ok",
            "9 4 queued 1060..1065",
        ]
    );
}

#[test]
fn faults_and_breakers_have_their_times() {
    // Failures at 1100, 1200 and 1300 ms open the breaker; it lets one try again at 1800 ms, which ends well.
    let model = "
        services: { s: { operations: { get: [ work: 10ms ] } } }
        clients:
          c:
            calls: s.get
            arrivals: { constant: 10/s }
            policies: [ breaker: { consecutive_failures: 3, open_for: 450ms, probes: 1 } ]
    ";
    let fault = "{ name: broken, at: 1050ms, for: 400ms, errors: { service: s, rate: 100% } }";
    let trace = traced(model, &format!("{{ length: 3s, faults: [ {fault} ] }}"), "", 100);
    let millis = |time: Time| time.nanos() / 1_000_000;
    let struck = trace.faults.iter().map(|it| (it.fault.as_str(), millis(it.from), it.until.map(millis)));
    assert_eq!(struck.collect::<Vec<_>>(), [("broken", 1_050, Some(1_450))]);
    let moves: Vec<_> = trace.breakers.iter().map(|it| (millis(it.at), it.instance, it.to)).collect();
    assert_eq!(
        moves,
        [(1_310, Some(0), Position::Open), (1_800, Some(0), Position::HalfOpen), (1_810, Some(0), Position::Closed)]
    );
    let refused = trace.events.iter().filter(|event| event.what == What::RefusedByPolicy);
    let refused: Vec<_> = refused.map(|event| (millis(event.at), event.by.as_deref())).collect();
    assert_eq!(refused, [1_400, 1_500, 1_600, 1_700].map(|at| (at, Some("breaker"))));
}

#[test]
fn the_requests_that_are_followed_are_spread_evenly_over_the_run_without_its_warm_up() {
    let model = "
        services: { s: { operations: { get: [ work: 1ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1000/s } } }
    ";
    // Requests 1000 to 9999 count: they are made at or after one second, and before ten.
    for wanted in [1, 2, 7, 20, 33] {
        let trace = traced(model, "{ length: 10s, warmup: 1s }", "", wanted);
        assert_eq!(trace.of, 9_000);
        let followed: Vec<u64> = trace.requests().map(|it| it.request).collect();
        assert_eq!(followed.len(), wanted as usize);
        assert!(followed.is_sorted() && followed[0] >= 1_000 && *followed.last().expect("one") < 10_000);
        // Groups have at most 9000 / wanted requests, because there are at least as many groups as are wanted; and of
        // fewer than twice as many groups at most one is left out between two that are not.
        let most = 3 * 9_000 / u64::from(wanted);
        assert!(followed.windows(2).all(|pair| pair[1] - pair[0] < most), "{followed:?}");
    }
    let all = traced(model, "{ length: 10s, warmup: 1s }", "", 9_001);
    assert!(all.requests().map(|it| it.request).eq(1_000..10_000));
    assert!(all.spans.iter().filter(|it| it.kind == Kind::Request).all(|it| it.outcome.is_some()));
}
