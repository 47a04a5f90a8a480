//! A request that was followed, as a waterfall: the slowest of those that were, because it has the most to tell.
//!
//! A row for the request, for each call, wait and attempt, and for each service that was asked; in that of a service the time in its queue
//! and the time at work are told apart, and what it did after its caller had gone.

use super::super::chart::{Axis, Doing, Kind, Span as Row};
use super::Unit;
use crate::measure::trace::{self, Span, Trace, Wait};

/// The chart of the slowest request, and what it is called; [`None`] if no request was followed.
pub(super) fn draw(trace: &Trace) -> Option<(String, Kind)> {
    let slowest = trace.requests().reduce(|a, b| if b.until - b.from > a.until - a.from { b } else { a })?;
    let mut own: Vec<(usize, &Span)> =
        trace.spans.iter().enumerate().filter(|(_, span)| span.request == slowest.request).collect();
    // What is part of something stands below it: by the way from the request down to it.
    own.sort_by_cached_key(|&(place, span)| {
        let mut way = vec![place];
        let mut above = span.parent;
        while let Some(place) = above {
            way.push(place as usize);
            above = trace.spans.get(place as usize).and_then(|it| it.parent);
        }
        way.reverse();
        way
    });
    let part = |span: &Span| trace.parts.get(span.part as usize).map_or("", |part| part.name.as_str());
    // What a queue and a worker are part of is the row of their service.
    let is_row = |span: &Span| !matches!(span.kind, trace::Kind::Queued | trace::Kind::Served);
    let parent = |span: &Span| span.parent.and_then(|place| trace.spans.get(place as usize));
    let depth = |span: &Span| {
        let (mut depth, mut above) = (0, parent(span));
        while let Some(it) = above {
            depth += u32::from(is_row(it));
            above = parent(it);
        }
        depth
    };
    let rows = own.iter().filter(|(_, span)| is_row(span)).map(|&(place, span)| {
        let name = match span.kind {
            trace::Kind::Server => format!("{} {}", part(span), span.instance),
            trace::Kind::Wait(wait) => wait.name().to_owned(),
            _ => span.name.clone(),
        };
        let parts = match span.kind {
            trace::Kind::Server => at_service(trace, &own, place, span),
            trace::Kind::Wait(Wait::Line | Wait::Turn) => vec![(span.from, span.until, Doing::Queued)],
            trace::Kind::Wait(Wait::Backoff | Wait::Fallback) => vec![(span.from, span.until, Doing::BackingOff)],
            _ => vec![(span.from, span.until, Doing::Waiting)],
        };
        let since = |time: crate::engine::Time| (time - slowest.from).as_secs();
        let parts = parts.into_iter().map(|(from, until, doing)| (since(from), since(until), doing)).collect();
        let outcome = match span.outcome {
            _ if span.late => "late".to_owned(),
            Some(outcome) => outcome.name().to_owned(),
            None if span.unfinished => "unfinished".to_owned(),
            None => String::new(),
        };
        Row { name, depth: depth(span), parts, outcome }
    });
    let title = format!("The slowest of {} requests that were followed", trace.requests().count());
    let x = Axis { label: "since it was made".to_owned(), unit: Unit::Seconds, log: false, from_zero: true };
    Some((title, Kind::Waterfall { rows: rows.collect(), x }))
}

type Stretch = (crate::engine::Time, crate::engine::Time, Doing);

/// What a service did for an attempt, piece by piece.
fn at_service(trace: &Trace, own: &[(usize, &Span)], place: usize, server: &Span) -> Vec<Stretch> {
    let inside = |of: usize| own.iter().filter(move |(_, span)| span.parent == Some(of as u32));
    // Nobody waits any more when an attempt that it serves, however far above, is over.
    let mut alone_from = server.until;
    let mut above = server.parent;
    while let Some(it) = above.and_then(|place| trace.spans.get(place as usize)) {
        if it.kind == trace::Kind::Attempt {
            alone_from = alone_from.min(it.until);
        }
        above = it.parent;
    }
    let mut parts: Vec<Stretch> = Vec::new();
    for &(served, span) in inside(place) {
        if span.kind == trace::Kind::Queued {
            parts.push((span.from, span.until, Doing::Queued));
            continue;
        }
        // Its calls and waits, as far as they are within it; between them it is worked on.
        let mut now = span.from;
        let mut work = |from: crate::engine::Time, until: crate::engine::Time| {
            let alone = alone_from.clamp(from, until.max(from));
            parts.push((from, alone, Doing::Served));
            parts.push((alone, until, Doing::Wasted));
        };
        let mut others = Vec::new();
        for (_, other) in inside(served) {
            let doing = if other.kind == trace::Kind::Queued { Doing::Queued } else { Doing::Waiting };
            let (from, until) = (other.from.max(now), other.until.min(span.until));
            if from > now {
                work(now, from);
            }
            if until > from {
                others.push((from, until, doing));
            }
            now = now.max(until);
        }
        if span.until > now {
            work(now, span.until);
        }
        parts.extend(others);
    }
    parts.retain(|(from, until, _)| until > from);
    parts.sort_by_key(|part| part.0);
    parts
}
