//! fifo: first in, first out.

use std::collections::VecDeque;

use super::{Class, Queue, Waiting, victim};
use crate::engine::Time;

#[derive(Debug, Default)]
pub(super) struct Fifo(VecDeque<Waiting>);

impl Queue for Fifo {
    fn push(&mut self, waiting: Waiting) {
        self.0.push_back(waiting);
    }
    fn next(&mut self, _: Time) -> Option<Waiting> {
        self.0.pop_front()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn oldest(&self) -> Option<Time> {
        self.0.front().map(|it| it.since)
    }
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting> {
        let place = victim(self.0.iter(), than, youngest)?;
        self.0.remove(place)
    }
    fn clear(&mut self) {
        self.0.clear();
    }
}
