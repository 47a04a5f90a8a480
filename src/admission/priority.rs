//! priority: the highest class first, within a class first in, first out. Not preemptive.

use std::collections::VecDeque;

use super::{Queue, Waiting};
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
    fn clear(&mut self) {
        self.lines.iter_mut().for_each(VecDeque::clear);
    }
}
