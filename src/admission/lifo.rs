//! lifo: last in, first out.

use super::{Queue, Waiting};
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
    fn clear(&mut self) {
        self.0.clear();
    }
}
