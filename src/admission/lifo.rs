//! lifo: last in, first out.

use super::{Class, Queue, Waiting, victim};
use crate::engine::Time;

#[derive(Debug, Default)]
pub(super) struct Lifo(Vec<Waiting>);

impl Queue for Lifo {
    fn push(&mut self, waiting: Waiting) {
        self.0.push(waiting);
    }
    fn next(&mut self, _: Time) -> Option<Waiting> {
        self.0.pop()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn oldest(&self) -> Option<Time> {
        self.0.first().map(|it| it.since)
    }
    fn evict(&mut self, than: Class, youngest: bool) -> Option<Waiting> {
        victim(self.0.iter(), than, youngest).map(|place| self.0.remove(place))
    }
    fn clear(&mut self) {
        self.0.clear();
    }
}
