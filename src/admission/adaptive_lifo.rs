//! adaptive_lifo: first in, first out while the queue is short, last in, first out while it is not.
//!
//! B. Maurer, "Fail at Scale", ACM Queue 13 (2015), as in HHVM's `thread_job_lifo_switch_threshold`. While more wait
//! than can be served in time, the newest are those whose callers are still there.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Class, Queue, Waiting, victim};
use crate::engine::{Duration, Time};
use crate::scenario::units::Span;
use crate::short_form;

/// First in, first out while the queue is short; last in, first out while more than `threshold` wait, or for as long as
/// the queue has not been empty for `overloaded_after`. At least one of the two must be given. Who is passed over keeps its
/// place in the queue and counts towards its `capacity`. Short form: `adaptive_lifo: 20`, the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
#[schemars(rename = "AdaptiveLifo")]
pub struct Spec {
    /// The newest is served first while more than this many wait, the one to be served counted. 0: always. Default: the
    /// length does not matter.
    #[serde(default)]
    pub threshold: Option<u32>,
    /// The newest is served first when the queue has not been empty for this long. Zero: always. Default: the time
    /// does not matter.
    #[serde(default)]
    pub overloaded_after: Option<Span>,
}

short_form!(Spec, u32, |threshold| Spec { threshold: Some(threshold), overloaded_after: None });

impl Spec {
    pub(super) fn problem(self) -> Option<(&'static str, &'static str)> {
        (self.threshold.is_none() && self.overloaded_after.is_none())
            .then_some(("nothing says when the newest comes first", "give `threshold`, `overloaded_after` or both"))
    }
}

#[derive(Debug)]
pub(super) struct AdaptiveLifo {
    line: VecDeque<Waiting>,
    threshold: usize,
    overloaded_after: Duration,
    /// When the queue was empty last.
    empty: Time,
}

impl AdaptiveLifo {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            line: VecDeque::new(),
            threshold: spec.threshold.map_or(usize::MAX, |most| most as usize),
            overloaded_after: spec.overloaded_after.map_or(Duration::FOREVER, |span| span.0),
            empty: Time::ZERO,
        }
    }
}

impl Queue for AdaptiveLifo {
    fn push(&mut self, waiting: Waiting) {
        if self.line.is_empty() {
            self.empty = waiting.since;
        }
        self.line.push_back(waiting);
    }
    fn next(&mut self, now: Time) -> Option<Waiting> {
        if self.line.len() > self.threshold || now - self.empty >= self.overloaded_after {
            self.line.pop_back()
        } else {
            self.line.pop_front()
        }
    }
    fn len(&self) -> usize {
        self.line.len()
    }
    fn oldest(&self) -> Option<Time> {
        self.line.front().map(|it| it.since)
    }
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting> {
        let place = victim(self.line.iter(), than, youngest)?;
        self.line.remove(place)
    }
    fn clear(&mut self) {
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{numbers, waiting};
    use super::*;

    fn queue(threshold: Option<u32>, overloaded_after: Option<u64>) -> AdaptiveLifo {
        let overloaded_after = overloaded_after.map(|ms| Span(Duration::from_millis(ms)));
        AdaptiveLifo::new(Spec { threshold, overloaded_after })
    }

    #[test]
    fn the_newest_come_first_until_the_queue_is_short_again() {
        let mut queue = queue(Some(3), None);
        for number in 0..6 {
            queue.push(waiting(number));
        }
        // Six, five and four wait: more than three. Then three wait, and the oldest is next.
        assert_eq!(numbers(&mut queue), [5, 4, 3, 0, 1, 2]);
    }

    #[test]
    fn the_newest_come_first_while_the_queue_has_not_been_empty_for_a_time() {
        let mut queue = queue(None, Some(100));
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        for number in 0..4 {
            queue.push(Waiting { since: at(1_000 + number), ..waiting(number) });
        }
        let number = |it: Option<Waiting>| it.map(|it| (it.since - at(1_000)).nanos() / 1_000_000);
        assert_eq!(number(queue.next(at(1_099))), Some(0));
        assert_eq!(number(queue.next(at(1_100))), Some(3));
        assert_eq!(number(queue.next(at(1_101))), Some(2));
        assert_eq!(number(queue.next(at(1_102))), Some(1));
        // It was empty: the time begins anew.
        for number in 200..202 {
            queue.push(Waiting { since: at(1_000 + number), ..waiting(number) });
        }
        assert_eq!(number(queue.next(at(1_210))), Some(200));
    }

    #[test]
    fn without_a_condition_there_is_nothing_to_adapt_to() {
        assert!(Spec::default().problem().is_some());
        assert!(Spec::from(0).problem().is_none());
    }
}
