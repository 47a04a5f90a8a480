//! earliest_deadline: whose answer is of use for the shortest time comes first.
//!
//! C. Liu and J. Layland, "Scheduling algorithms for multiprogramming in a hard real-time environment" (1973): as long as
//! all can be served in time, this order does. Requests in service are not interrupted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Queue, Waiting};
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
