//! What happened, a line of JSON each, in order of time, with the ids of the other formats.

use serde_json::{Value, json};

use super::{object, of_event, span_id, trace_id};
use crate::engine::Time;
use crate::measure::trace::{Event, Kind, Span, Trace};
use crate::policy::Position;

pub(super) fn text(trace: &Trace) -> String {
    // At one instant, faults before what they do to requests, and breakers after what moves them.
    let mut lines: Vec<(Time, u8, String)> = Vec::new();
    for it in &trace.faults {
        lines.push((
            it.from,
            0,
            line(it.from, vec![("event", "fault_began".into()), ("fault", it.fault.as_str().into())]),
        ));
        if let Some(until) = it.until {
            lines.push((
                until,
                0,
                line(until, vec![("event", "fault_ended".into()), ("fault", it.fault.as_str().into())]),
            ));
        }
    }
    for event in &trace.events {
        lines.push((event.at, 1, line(event.at, of_request(trace, event))));
    }
    for it in &trace.breakers {
        let what = match it.to {
            Position::Closed => "breaker_closed",
            Position::Open => "breaker_opened",
            Position::HalfOpen => "breaker_half_open",
        };
        let mut pairs = vec![("event", what.into()), ("breaker", it.breaker.as_str().into())];
        pairs.extend(it.instance.map(|instance| ("instance", instance.into())));
        lines.push((it.at, 2, line(it.at, pairs)));
    }
    lines.sort_by_key(|(at, rank, _)| (*at, *rank));
    lines.into_iter().map(|(.., line)| line).collect()
}

/// A line: the time in seconds, to the nanosecond, and what else there is to say.
fn line(at: Time, pairs: Vec<(&'static str, Value)>) -> String {
    let (seconds, nanos) = (at.nanos() / 1_000_000_000, at.nanos() % 1_000_000_000);
    let rest = object(pairs).to_string();
    format!("{{\"t\":{seconds}.{nanos:09},{}\n", &rest[1..])
}

fn of_request(trace: &Trace, event: &Event) -> Vec<(&'static str, Value)> {
    let span = &trace.spans[event.span as usize];
    let mut pairs = vec![
        ("event", json!(event.what.name())),
        ("request", span.request.into()),
        ("trace_id", trace_id(trace, span.request).into()),
        ("span_id", span_id(trace, span).into()),
        ("part", trace.parts[span.part as usize].entity().into()),
        ("instance", span.instance.into()),
    ];
    // The call and the attempt that the span is, or that it is part of at a service.
    let parent = |it: &Span| it.parent.map(|parent| &trace.spans[parent as usize]);
    let above: Vec<&Span> = std::iter::successors(Some(span), |it| parent(it)).collect();
    let call = above.iter().position(|it| it.kind == Kind::Call);
    if let Some(call) = call {
        pairs.push(("call", above[call].name.as_str().into()));
    }
    let attempt = above[..call.unwrap_or(0)].iter().find(|it| it.kind == Kind::Attempt);
    if let Some(attempt) = attempt {
        pairs.push(("attempt", attempt.attempt.into()));
        if span.kind == Kind::Attempt {
            pairs.extend(attempt.to.map(|to| ("to_instance", to.into())));
        }
    }
    pairs.extend(of_event(event));
    // At a service whose caller waits no longer, or anywhere below it.
    let waits_no_more = |it: &&Span| it.kind == Kind::Server && parent(it).is_some_and(|it| it.until <= event.at);
    if above.iter().any(|it| it.abandoned && waits_no_more(it)) {
        pairs.push(("for_nobody", true.into()));
    }
    pairs
}
