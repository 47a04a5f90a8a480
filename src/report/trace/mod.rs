//! The requests that were followed, as files for viewers: `traces/point-<number>.…`.
//!
//! ```text
//!   Trace ─┬─► .perfetto.json   the trace event format: Perfetto, chrome://tracing
//!          ├─► .otlp.json       OpenTelemetry: whatever takes OTLP in JSON
//!          └─► .events.jsonl    what happened, a line each, in order of time
//! ```
//!
//! Times count from the start of the run. Ids follow from the seed and the number of the request: equal inputs, equal bytes.

mod lanes;
mod log;
mod otlp;
mod perfetto;

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::tables::put;
use crate::engine::{Duration, mix};
use crate::measure::trace::{Event, Kind, Span, Trace, What};
use crate::outcome::Outcome;

/// A format: what the names of its files end with, and how it is written.
type Format = (&'static str, fn(&Trace) -> String);

const FORMATS: [Format; 3] =
    [(".perfetto.json", perfetto::text), (".otlp.json", otlp::text), (".events.jsonl", log::text)];

/// Writes the files of a point into the folder of results.
///
/// # Errors
/// When one cannot be written.
pub fn write(results: &Path, point: usize, trace: &Trace) -> io::Result<()> {
    texts(trace).try_for_each(|(end, text)| put(results, &format!("traces/point-{point}{end}"), text.as_bytes()))
}

/// What stands in the files, with what their names end with.
pub fn texts(trace: &Trace) -> impl Iterator<Item = (&'static str, String)> {
    FORMATS.iter().map(|(end, text)| (*end, text(trace)))
}

/// Removes the traces of earlier runs, which may have been others: files named like ours.
pub(super) fn remove_old(results: &Path) -> io::Result<()> {
    let folder = results.join("traces");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = |end: &str| name.strip_prefix("point-")?.strip_suffix(end).map(str::to_owned);
        let is_ours = |(end, _): &Format| number(end).is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        if FORMATS.iter().any(is_ours) {
            fs::remove_file(&path)?;
        }
    }
    // It stays if somebody keeps something else there.
    let _ = fs::remove_dir(&folder);
    Ok(())
}

/// The two halves of the id of a request's trace.
fn halves(trace: &Trace, request: u64) -> (u64, u64) {
    let high = mix(trace.seed ^ mix(request));
    (high.max(1), mix(high))
}

/// The id of a request's trace: 16 bytes in hexadecimal, never all zero.
fn trace_id(trace: &Trace, request: u64) -> String {
    let (high, low) = halves(trace, request);
    format!("{high:016x}{low:016x}")
}

/// The id of a span: 8 bytes in hexadecimal, never all zero. Those of a request are all different, because `mix` is one to one.
fn span_id(trace: &Trace, span: &Span) -> String {
    let (_, low) = halves(trace, span.request);
    format!("{:016x}", mix(low ^ u64::from(span.number)).max(1))
}

fn kind(span: &Span) -> &'static str {
    match span.kind {
        Kind::Request => "request",
        Kind::Call => "call",
        Kind::Wait(_) => "wait",
        Kind::Attempt => "attempt",
        Kind::Server => "server",
        Kind::Queued => "queued",
        Kind::Served => "served",
    }
}

/// What is said of an outcome.
fn of_outcome(outcome: Outcome, to: &mut Vec<(&'static str, Value)>) {
    to.push(("outcome", outcome.name().into()));
    match outcome {
        Outcome::Degraded(lesser) => to.push(("quality", (f64::from(lesser.quality) / 100.0).into())),
        Outcome::Throttled(wait) if wait != Duration::ZERO => to.push(("retry_after", wait.as_secs().into())),
        _ => {}
    }
}

/// What is said of a span, besides its name, its place and its times.
fn of_span(span: &Span) -> Vec<(&'static str, Value)> {
    let mut found = vec![("request", span.request.into()), ("kind", kind(span).into())];
    found.push(("instance", span.instance.into()));
    match span.kind {
        Kind::Call => found.push(("attempts", span.attempt.into())),
        Kind::Attempt => found.push(("attempt", span.attempt.into())),
        _ => {}
    }
    if let Some(to) = span.to {
        found.push(("to_instance", to.into()));
    }
    if let Some(policy) = &span.policy {
        found.push(("policy", policy.as_str().into()));
    }
    if let Some(outcome) = span.outcome {
        of_outcome(outcome, &mut found);
    }
    if let Some(work) = span.work {
        found.push(("work", work.as_secs().into()));
    }
    let marks = [
        ("abandoned", span.abandoned),
        ("late_reply", span.late),
        ("hedge", span.spare),
        ("put_off", span.put_off),
        ("unfinished", span.unfinished),
    ];
    found.extend(marks.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| (name, Value::from(true))));
    found
}

/// What is said of an event, besides its name and its time.
fn of_event(event: &Event) -> Vec<(&'static str, Value)> {
    let mut found = Vec::new();
    if let Some(by) = &event.by {
        let name = match event.what {
            What::RefusedAtDoor => "why",
            What::Effect | What::Queued => "which",
            _ => "policy",
        };
        found.push((name, by.as_str().into()));
    }
    if let Some(outcome) = event.outcome {
        of_outcome(outcome, &mut found);
    }
    if let Some(after) = event.after {
        found.push(("after", after.as_secs().into()));
    }
    found
}

/// Whether an event says no more than that a span begins or ends.
fn is_edge_of_span(event: &Event) -> bool {
    match event.what {
        What::RequestMade
        | What::CallBegan
        | What::InLine
        | What::Delayed
        | What::AttemptSent
        | What::HedgeSent
        | What::Received
        | What::Blocked
        | What::Queued
        | What::Started
        | What::Replied
        | What::Answered
        | What::CallEnded
        | What::RequestAnswered
        | What::RequestFailed => true,
        What::RefusedByPolicy
        | What::NoReplica
        | What::RequestLost
        | What::RefusedAtDoor
        | What::Dropped
        | What::Crashed
        | What::Effect
        | What::ReplyLost
        | What::LateReply
        | What::TimedOut
        | What::Abandoned
        | What::RetriedAfter
        | What::Replaced
        | What::PutOff
        | What::TakenUp => false,
    }
}

/// A JSON object of pairs, in their order.
fn object(pairs: Vec<(&'static str, Value)>) -> Value {
    Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
