//! Lanes: one queue of keys for each constant delay.
//!
//! ```text
//!   after 500us   ►  k  k  k  k ┐
//!   after 100ms   ►  k  k  k  k ├─ heads: the least of them competes with the heap
//!   after 250ms   ►        k  k ┘
//! ```
//!
//! Timers with the same delay fire in the order in which they were set, so they need no sorting. Most timers of a
//! run have one of a few constant delays (a timeout, a hop), and two constant operations replace two walks
//! through a heap.
//!
//! Always: a lane is sorted. `first` is the least of the heads, and its lane is `lane`. A lane whose head is
//! [`EMPTY`] is empty.

use std::collections::VecDeque;

use crate::engine::heap::EMPTY;
use crate::engine::time::Duration;

/// The number of lanes at most. The heads are scanned one by one after each event that left a lane, so there must
/// be few.
pub(crate) const MOST: usize = 16;

/// All lanes. See the top of this file.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    delays: Vec<Duration>,
    heads: [u128; MOST],
    tails: Vec<VecDeque<u128>>,
    first: u128,
    lane: usize,
}

impl Lanes {
    pub fn new() -> Self {
        Lanes { delays: Vec::new(), heads: [EMPTY; MOST], tails: Vec::new(), first: EMPTY, lane: 0 }
    }

    /// The lane for a delay: the one it has, a new one, or none when all are taken.
    pub fn open(&mut self, delay: Duration) -> Option<usize> {
        if let Some(lane) = self.delays.iter().position(|&it| it == delay) {
            return Some(lane);
        }
        (self.delays.len() < MOST).then(|| {
            self.delays.push(delay);
            self.tails.push(VecDeque::new());
            self.delays.len() - 1
        })
    }

    /// The delay that a lane stands for, if there is such a lane.
    #[inline]
    pub fn delay(&self, lane: usize) -> Option<Duration> {
        self.delays.get(lane).copied()
    }

    /// The least key of all lanes, or [`EMPTY`].
    #[inline]
    pub fn first(&self) -> u128 {
        self.first
    }

    /// Adds a key, later than all others in its lane.
    #[inline]
    pub fn push(&mut self, lane: usize, key: u128) {
        let head = &mut self.heads[lane];
        if *head != EMPTY {
            debug_assert!(self.tails[lane].back().unwrap_or(head) < &key, "a lane is sorted");
            self.tails[lane].push_back(key);
            return;
        }
        *head = key;
        if key < self.first {
            (self.first, self.lane) = (key, lane);
        }
    }

    /// Takes away the least key, and the keys behind it in its lane while `drop` says so.
    #[inline]
    pub fn take_first(&mut self, mut drop: impl FnMut(u128) -> bool) {
        debug_assert!(self.first != EMPTY, "the first key was looked at before it is taken");
        let tail = &mut self.tails[self.lane];
        self.heads[self.lane] = loop {
            match tail.pop_front() {
                Some(key) if drop(key) => {}
                Some(key) => break key,
                None => break EMPTY,
            }
        };
        self.choose();
    }

    /// Keeps only the keys that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(u128) -> bool) {
        for (head, tail) in self.heads.iter_mut().zip(&mut self.tails) {
            tail.retain(|&key| keep(key));
            if *head != EMPTY && !keep(*head) {
                *head = tail.pop_front().unwrap_or(EMPTY);
            }
            tail.shrink_to(2 * tail.len());
        }
        self.choose();
    }

    /// Bytes held, by capacity.
    pub fn bytes(&self) -> usize {
        let keys: usize = self.tails.iter().map(VecDeque::capacity).sum();
        keys * size_of::<u128>()
    }

    /// Finds the least of the heads.
    #[inline]
    fn choose(&mut self) {
        let mut least = (EMPTY, 0);
        for (lane, &head) in self.heads[..self.delays.len()].iter().enumerate() {
            if head < least.0 {
                least = (head, lane);
            }
        }
        (self.first, self.lane) = least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_delay_has_the_same_lane_and_the_seventeenth_delay_has_none() {
        let mut lanes = Lanes::new();
        for i in 0..MOST {
            assert_eq!(lanes.open(Duration::from_millis(i as u64)), Some(i));
        }
        assert_eq!(lanes.open(Duration::from_millis(3)), Some(3));
        assert_eq!(lanes.open(Duration::from_secs(9)), None);
    }

    #[test]
    fn the_least_head_of_all_lanes_comes_first() {
        let mut lanes = Lanes::new();
        let (a, b) = (lanes.open(Duration::from_nanos(1)), lanes.open(Duration::from_nanos(2)));
        let (a, b) = (a.expect("the first lane"), b.expect("the second lane"));
        for (lane, key) in [(b, 2), (a, 1), (a, 3), (b, 4), (b, 5)] {
            lanes.push(lane, key);
        }
        for key in 1..=5 {
            assert_eq!(lanes.first(), key);
            lanes.take_first(|_| false);
        }
        assert_eq!(lanes.first(), EMPTY);
    }

    #[test]
    fn what_is_dropped_or_not_kept_never_becomes_a_head() {
        let mut lanes = Lanes::new();
        let lane = lanes.open(Duration::ZERO).expect("the first lane");
        (1..=9).for_each(|key| lanes.push(lane, key));
        lanes.take_first(|key| key < 4);
        assert_eq!(lanes.first(), 4);
        lanes.retain(|key| key % 2 == 1);
        assert_eq!(lanes.first(), 5);
    }
}
