//! The trace event format, which Perfetto and chrome://tracing open.
//!
//! A process for each part, a thread for each lane of an instance; slices with a beginning and an end, arrows from an attempt to
//! what it became at the service, moments for what is no slice; and a process for the run, its faults and its breakers. Times are
//! microseconds.
//!
//! Slices are written as pairs (`B`, `E`) and not with their lengths (`X`): where a viewer rounds, it rounds both ends of what
//! nests alike.

use serde_json::{Value, json};

use super::lanes::{Lanes, Mark};
use super::{is_edge_of_span, object, of_event, of_span};
use crate::engine::Time;
use crate::measure::trace::{Kind, Span, Trace};
use crate::outcome::Outcome;
use crate::policy::Position;

/// The process of the run as a whole.
const RUN: u32 = 1;

/// Microseconds, which a double holds to the nanosecond for a hundred days.
fn micros(time: Time) -> f64 {
    time.nanos() as f64 / 1e3
}

pub(super) fn text(trace: &Trace) -> String {
    let lanes = Lanes::new(trace);
    let mut named: Vec<Value> = Vec::new();
    let mut events: Vec<(Time, Value)> = Vec::new();
    let process = |part: u32| RUN + 1 + part;
    name_process(&mut named, RUN, "run");
    for (part, it) in (0..).zip(&trace.parts) {
        name_process(&mut named, process(part), &it.entity());
    }
    // Threads in the order in which they are shown.
    let mut shown: Vec<usize> = (0..lanes.all.len()).collect();
    shown.sort_by_key(|&lane| (lanes.all[lane].part, lanes.all[lane].instance, lanes.all[lane].number));
    let mut threads = vec![0; lanes.all.len()];
    // Viewers take a thread with the number of its process for the main one, and there is none.
    let first = process(trace.parts.len() as u32);
    for (thread, &lane) in (first..).zip(&shown) {
        let it = &lanes.all[lane];
        threads[lane] = thread;
        let name = match it.number {
            0 => format!("instance {}", it.instance),
            more => format!("instance {}, lane {}", it.instance, more + 1),
        };
        name_thread(&mut named, process(it.part), thread, &name);
    }
    let place = |span: u32| {
        let lane = lanes.of[span as usize] as usize;
        (process(lanes.all[lane].part), threads[lane])
    };
    for mark in &lanes.marks {
        match *mark {
            Mark::Begin { span } => {
                let it = &trace.spans[span as usize];
                let ((pid, tid), ts) = (place(span), micros(it.from));
                let args = object(of_span(it));
                events.push((
                    it.from,
                    json!({ "ph": "B", "pid": pid, "tid": tid, "ts": ts, "name": name(it), "cat": super::kind(it), "args": args }),
                ));
                // Arrows: an attempt is their beginning, what it became at the service their end.
                let flow = |ph: &str, id: u32| {
                    let mut flow =
                        json!({ "ph": ph, "id": id, "pid": pid, "tid": tid, "ts": ts, "name": "sent", "cat": "sent" });
                    if ph == "f" {
                        flow["bp"] = "e".into();
                    }
                    (it.from, flow)
                };
                match (it.kind, it.parent) {
                    (Kind::Attempt, _) if received(trace, span) => events.push(flow("s", span + 1)),
                    (Kind::Server, Some(attempt)) => events.push(flow("f", attempt + 1)),
                    _ => {}
                }
            }
            Mark::End { span, at } => {
                let (pid, tid) = place(span);
                events.push((at, json!({ "ph": "E", "pid": pid, "tid": tid, "ts": micros(at) })));
            }
        }
    }
    for event in trace.events.iter().filter(|event| !is_edge_of_span(event)) {
        let ((pid, tid), ts, name) = (place(event.span), micros(event.at), event.what.name());
        let mut args = of_event(event);
        args.insert(0, ("request", trace.spans[event.span as usize].request.into()));
        let moment = json!({
            "ph": "i", "s": "t", "pid": pid, "tid": tid, "ts": ts, "name": name, "cat": "event", "args": object(args)
        });
        events.push((event.at, moment));
    }
    for (thread, (name, slices)) in (first + threads.len() as u32..).zip(of_the_run(trace)) {
        name_thread(&mut named, RUN, thread, &name);
        for (name, from, until) in slices {
            let (begin, end) = (micros(from), micros(until));
            events
                .push((from, json!({ "ph": "B", "pid": RUN, "tid": thread, "ts": begin, "name": name, "cat": "run" })));
            events.push((until, json!({ "ph": "E", "pid": RUN, "tid": thread, "ts": end })));
        }
    }
    // What happens at one instant on one thread stays in the order in which it was put there.
    events.sort_by_key(|(at, _)| *at);
    let lines: Vec<String> =
        named.iter().chain(events.iter().map(|(_, event)| event)).map(ToString::to_string).collect();
    format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", lines.join(",\n"))
}

fn name_process(to: &mut Vec<Value>, pid: u32, name: &str) {
    to.push(json!({ "ph": "M", "pid": pid, "name": "process_name", "args": { "name": name } }));
    to.push(json!({ "ph": "M", "pid": pid, "name": "process_sort_index", "args": { "sort_index": pid } }));
}

fn name_thread(to: &mut Vec<Value>, pid: u32, tid: u32, name: &str) {
    to.push(json!({ "ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": { "name": name } }));
    to.push(json!({ "ph": "M", "pid": pid, "tid": tid, "name": "thread_sort_index", "args": { "sort_index": tid } }));
}

/// What stands on a slice: also how it ended, unless that was well, and whether somebody still waited.
fn name(span: &Span) -> String {
    let failure = span.outcome.filter(|it| !it.is_answer()).map(Outcome::name);
    let said: Vec<&str> = failure.into_iter().chain(span.abandoned.then_some("for nobody")).collect();
    if said.is_empty() { span.name.clone() } else { format!("{} ({})", span.name, said.join(", ")) }
}

/// Whether an attempt came to an instance.
fn received(trace: &Trace, attempt: u32) -> bool {
    let after = trace.spans[attempt as usize + 1..].iter();
    let mut same = after.take_while(|it| it.request == trace.spans[attempt as usize].request);
    same.any(|it| it.parent == Some(attempt))
}

/// A track: its name, and its slices.
type Track = (String, Vec<(String, Time, Time)>);

/// The tracks of the run as a whole. The first begins with it, so that viewers show times as the run has them.
fn of_the_run(trace: &Trace) -> Vec<Track> {
    let whole = ("run".to_owned(), vec![(format!("seed {}", trace.seed), Time::ZERO, trace.until)]);
    std::iter::once(whole).chain(faults(trace)).chain(breakers(trace)).collect()
}

/// A track for each fault; times that overlap have tracks of their own.
fn faults(trace: &Trace) -> Vec<Track> {
    let mut tracks: Vec<Track> = Vec::new();
    for it in &trace.faults {
        let slice = (it.fault.clone(), it.from, it.until.unwrap_or(trace.until));
        let name = format!("fault {}", it.fault);
        let free = |track: &&mut Track| track.0 == name && track.1.last().is_none_or(|last| last.2 <= it.from);
        match tracks.iter_mut().find(free) {
            Some(track) => track.1.push(slice),
            None => tracks.push((name, vec![slice])),
        }
    }
    tracks
}

/// A track for each breaker that has moved, with the times in which it was not closed.
fn breakers(trace: &Trace) -> Vec<Track> {
    let mut tracks: Vec<(&str, Option<u32>, Track)> = Vec::new();
    for it in &trace.breakers {
        let place = tracks.iter().position(|(name, instance, _)| *name == it.breaker && *instance == it.instance);
        let place = place.unwrap_or_else(|| {
            let instance = it.instance.map_or_else(String::new, |number| format!(" of instance {number}"));
            let name = format!("breaker {}{instance}", it.breaker);
            tracks.push((&it.breaker, it.instance, (name, Vec::new())));
            tracks.len() - 1
        });
        let slices = &mut tracks[place].2.1;
        if let Some(last) = slices.last_mut().filter(|last| last.2 == Time::NEVER) {
            last.2 = it.at;
        }
        match it.to {
            Position::Closed => {}
            Position::Open => slices.push(("open".to_owned(), it.at, Time::NEVER)),
            Position::HalfOpen => slices.push(("half open".to_owned(), it.at, Time::NEVER)),
        }
    }
    let mut tracks: Vec<Track> = tracks.into_iter().map(|(.., track)| track).collect();
    for slice in tracks.iter_mut().flat_map(|track| &mut track.1) {
        slice.2 = slice.2.min(trace.until);
    }
    tracks.sort_by(|a, b| a.0.cmp(&b.0));
    tracks
}
