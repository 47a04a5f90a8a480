//! earliest_deadline: whose answer is of use for the shortest time comes first.
//!
//! C. Liu and J. Layland, "Scheduling algorithms for multiprogramming in a hard real-time environment" (1973): as long as
//! all can be served in time, this order does. Requests in service are not interrupted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Class, Queue, Waiting};
use crate::engine::Time;

/// By deadline; equal ones, and those without, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct EarliestDeadline {
    heap: BinaryHeap<Entry>,
    came: u64,
}

#[derive(Debug)]
struct Entry {
    turn: Reverse<(Time, u64)>,
    waiting: Waiting,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.turn == other.turn
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.turn.cmp(&other.turn)
    }
}

impl Queue for EarliestDeadline {
    fn push(&mut self, waiting: Waiting) {
        self.came += 1;
        self.heap.push(Entry { turn: Reverse((waiting.deadline, self.came)), waiting });
    }
    fn next(&mut self, _: Time) -> Option<Waiting> {
        self.heap.pop().map(|entry| entry.waiting)
    }
    fn len(&self) -> usize {
        self.heap.len()
    }
    fn oldest(&self) -> Option<Time> {
        self.heap.iter().map(|entry| entry.waiting.since).min()
    }
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting> {
        let mut all = std::mem::take(&mut self.heap).into_vec();
        let came = |it: &Entry| if youngest { it.turn.0.1 } else { u64::MAX - it.turn.0.1 };
        let lower = all.iter().enumerate().filter(|(_, it)| !it.waiting.again && it.waiting.class > than);
        let place = lower.max_by_key(|(_, it)| (it.waiting.class, came(it))).map(|(place, _)| place);
        let evicted = place.map(|place| all.swap_remove(place).waiting);
        self.heap = BinaryHeap::from(all);
        evicted
    }
    fn clear(&mut self) {
        self.heap.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{numbers, waiting};
    use super::*;
    use crate::engine::Duration;

    #[test]
    fn the_earliest_deadline_comes_first_and_of_equals_the_first() {
        let mut queue = EarliestDeadline::default();
        for (number, deadline) in [(0, u64::MAX), (1, 300), (2, 100), (3, u64::MAX), (4, 300), (5, 200)] {
            let deadline =
                if deadline == u64::MAX { Time::NEVER } else { Time::ZERO + Duration::from_millis(deadline) };
            queue.push(Waiting { deadline, ..waiting(number) });
        }
        assert_eq!(numbers(&mut queue), [2, 5, 1, 4, 0, 3]);
    }
}
