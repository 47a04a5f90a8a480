//! priority: the highest class first, within a class first in, first out. Not preemptive.

use std::collections::VecDeque;

use super::{Class, Queue, Waiting, victim};
use crate::engine::Time;

/// One line for each class, the most important first.
#[derive(Debug, Default)]
pub(super) struct Priority {
    lines: [VecDeque<Waiting>; 4],
}

impl Queue for Priority {
    fn push(&mut self, waiting: Waiting) {
        self.lines[waiting.class as usize].push_back(waiting);
    }
    fn next(&mut self, _: Time) -> Option<Waiting> {
        self.lines.iter_mut().find_map(VecDeque::pop_front)
    }
    fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }
    fn oldest(&self) -> Option<Time> {
        self.lines.iter().filter_map(|line| line.front().map(|it| it.since)).min()
    }
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting> {
        self.lines[than as usize + 1..].iter_mut().rev().find_map(|line| {
            let place = victim(line.iter(), than, youngest)?;
            line.remove(place)
        })
    }
    fn clear(&mut self) {
        self.lines.iter_mut().for_each(VecDeque::clear);
    }
}
