//! What every trace must be, and every file made from one.

use std::collections::{BTreeMap, BTreeSet};

use blackstart::engine::Time;
use blackstart::measure::trace::{Kind, Trace};
use blackstart::outcome::Outcome;
use blackstart::report::trace::texts;
use serde_json::Value;

/// Spans stand behind what they are part of, and lie within it unless they are marked; attempts are numbered.
pub fn assert_well_formed(trace: &Trace) {
    let mut attempts: BTreeMap<u32, u32> = BTreeMap::new();
    let mut numbers = BTreeSet::new();
    for (place, span) in (0_u32..).zip(&trace.spans) {
        let what = format!("{span:?}");
        assert!(span.from <= span.until && span.until <= trace.until, "{what}");
        assert!(numbers.insert((span.request, span.number)), "{what}");
        let Some(parent) = span.parent else {
            assert!(span.kind == Kind::Request && span.number == 0, "{what}");
            continue;
        };
        assert!(parent < place, "{what}");
        let above = &trace.spans[parent as usize];
        assert_eq!(above.request, span.request, "{what}");
        assert!(above.from <= span.from, "{what} begins before {above:?}");
        assert!(span.until <= above.until || span.abandoned || span.put_off, "{what} outlives {above:?}");
        let may_be_part = match span.kind {
            Kind::Request => false,
            Kind::Call => {
                matches!(above.kind, Kind::Request | Kind::Served) || (span.put_off && above.kind == Kind::Call)
            }
            Kind::Attempt | Kind::Wait(_) => above.kind == Kind::Call,
            Kind::Server => above.kind == Kind::Attempt,
            Kind::Served => above.kind == Kind::Server,
            Kind::Queued => matches!(above.kind, Kind::Server | Kind::Served),
        };
        assert!(may_be_part, "{what} is part of {above:?}");
        if span.kind == Kind::Attempt {
            let number = attempts.entry(parent).or_default();
            *number += 1;
            assert_eq!(span.attempt, *number, "{what}");
        }
    }
    for (place, call) in (0_u32..).zip(&trace.spans).filter(|(_, it)| it.kind == Kind::Call) {
        assert_eq!(call.attempt, attempts.get(&place).copied().unwrap_or(0), "{call:?}");
    }
    assert!(trace.events.is_sorted_by_key(|event| event.at));
    for event in &trace.events {
        assert!(event.at >= trace.spans[event.span as usize].from, "{event:?}");
    }
}

/// How many requests ended in each way, those of a client; the last are unfinished.
pub fn outcomes(trace: &Trace, part: u32) -> Vec<u64> {
    let mut counts = vec![0; Outcome::KINDS + 1];
    for request in trace.requests().filter(|request| request.part == part) {
        counts[request.outcome.map_or(Outcome::KINDS, Outcome::kind)] += 1;
    }
    counts
}

/// All formats say the same, and are what viewers expect.
pub fn assert_files_are_sound(trace: &Trace) {
    let texts: BTreeMap<_, _> = texts(trace).collect();
    perfetto(trace, &serde_json::from_str(&texts[".perfetto.json"]).expect("it is JSON"));
    let ids = otlp(trace, &serde_json::from_str(&texts[".otlp.json"]).expect("it is JSON"));
    log(trace, &texts[".events.jsonl"], &ids);
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("no number `{key}` in {value}"))
}

/// On each thread, slices begin and end like brackets, as the spans do that they stand for; and arrows have both ends.
fn perfetto(trace: &Trace, file: &Value) {
    let events = file["traceEvents"].as_array().expect("there are events");
    let mut open: BTreeMap<(u64, u64), Vec<(f64, bool)>> = BTreeMap::new();
    let (mut slices, mut latest) = (Vec::new(), 0.0);
    let nanos = |ts: f64| (ts * 1000.0).round() as u64;
    let (mut processes, mut threads) = (BTreeSet::new(), BTreeSet::new());
    let mut arrows: BTreeMap<u64, usize> = BTreeMap::new();
    for event in events {
        let pid = number(event, "pid");
        if text(event, "ph") == "M" {
            match text(event, "name") {
                "process_name" => assert!(processes.insert(pid), "{event}"),
                "thread_name" => assert!(threads.insert((pid, number(event, "tid"))), "{event}"),
                _ => {}
            }
            continue;
        }
        let place = (pid, number(event, "tid"));
        assert!(processes.contains(&pid) && threads.contains(&place), "{event} is nowhere");
        let ts = event["ts"].as_f64().expect("it has a time");
        assert!(ts >= latest, "{event} comes too late");
        latest = ts;
        let stack = open.entry(place).or_default();
        match text(event, "ph") {
            "B" => {
                stack.push((ts, text(event, "cat") != "run"));
            }
            "E" => {
                let (from, is_span) = stack.pop().unwrap_or_else(|| panic!("{event} ends nothing"));
                slices.extend(is_span.then(|| (nanos(from), nanos(ts))));
            }
            "s" => assert!(
                stack.last().is_some_and(|it| it.0 == ts) && arrows.insert(number(event, "id"), 1).is_none(),
                "{event}"
            ),
            "f" => {
                assert!(stack.last().is_some_and(|it| it.0 == ts) && text(event, "bp") == "e", "{event}");
                *arrows.get_mut(&number(event, "id")).expect("it began somewhere") += 1;
            }
            "i" => assert_eq!(text(event, "s"), "t"),
            other => panic!("{other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "slices that do not end");
    assert!(arrows.values().all(|&ends| ends == 2), "{arrows:?}");
    let mut spans: Vec<_> = trace.spans.iter().map(|span| (span.from.nanos(), span.until.nanos())).collect();
    spans.sort_unstable();
    slices.sort_unstable();
    assert_eq!(slices, spans);
}

/// The fields that the protocol asks for. Returns the ids of all spans, with those of their traces.
fn otlp(trace: &Trace, file: &Value) -> BTreeSet<(String, String)> {
    let is_id = |id: &str, length: usize| {
        id.len() == length && id.bytes().all(|it| it.is_ascii_hexdigit()) && id.bytes().any(|it| it != b'0')
    };
    let resources = file["resourceSpans"].as_array().expect("there are resources");
    let mut spans: Vec<&Value> = Vec::new();
    for resource in resources {
        assert_eq!(text(&resource["resource"]["attributes"][0], "key"), "service.name");
        for scope in resource["scopeSpans"].as_array().expect("it has scopes") {
            assert_eq!(text(&scope["scope"], "name"), "blackstart");
            spans.extend(scope["spans"].as_array().expect("it has spans"));
        }
    }
    assert_eq!(spans.len(), trace.spans.len());
    let mut ids = BTreeSet::new();
    for span in &spans {
        let (in_trace, id) = (text(span, "traceId"), text(span, "spanId"));
        assert!(is_id(in_trace, 32) && is_id(id, 16) && !text(span, "name").is_empty(), "{span}");
        assert!(ids.insert((in_trace.to_owned(), id.to_owned())), "{span} has the id of another");
        let nanos = |key: &str| text(span, key).parse::<u64>().expect("a number of nanoseconds");
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
        assert!((1..=3).contains(&number(span, "kind")) && span["status"].is_object(), "{span}");
        for event in span["events"].as_array().expect("it has a list of events") {
            assert!(text(event, "timeUnixNano").parse::<u64>().is_ok() && !text(event, "name").is_empty(), "{event}");
        }
        for attribute in span["attributes"].as_array().expect("it has attributes") {
            let value = attribute["value"].as_object().expect("an attribute has a typed value");
            assert!(text(attribute, "key").starts_with("blackstart.") && value.len() == 1, "{attribute}");
        }
    }
    let mut roots = 0;
    for span in &spans {
        match span.get("parentSpanId") {
            None => roots += 1,
            Some(_) => {
                let parent = (text(span, "traceId").to_owned(), text(span, "parentSpanId").to_owned());
                assert!(ids.contains(&parent), "{span} is part of nothing");
            }
        }
    }
    assert_eq!(roots, trace.requests().count());
    ids
}

/// A line for each event, in order of time, with ids that the spans have.
fn log(trace: &Trace, lines: &str, ids: &BTreeSet<(String, String)>) {
    let (mut latest, mut of_requests) = (0.0, 0);
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let at = event["t"].as_f64().expect("it has a time");
        assert!(at >= latest && at <= trace.until.as_secs(), "{line}");
        latest = at;
        if event.get("request").is_some() {
            of_requests += 1;
            let id = (text(&event, "trace_id").to_owned(), text(&event, "span_id").to_owned());
            assert!(ids.contains(&id) && !text(&event, "part").is_empty(), "{line}");
        } else {
            assert!(text(&event, "event").starts_with("fault_") || text(&event, "event").starts_with("breaker_"));
        }
    }
    assert_eq!(of_requests, trace.events.len());
    assert!(trace.until < Time::NEVER);
}
