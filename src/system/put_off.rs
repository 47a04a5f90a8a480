//! Calls that a policy has put off: those of one caller instance through one policy, to be made again from there.
//!
//! ```text
//!   put off ─► waits ─► its turn ─► made in the background ─┬─ well ──► done; the next after `gap`
//!                ▲                                          │
//!                └───────── back to its old place ◄─────────┴─ badly: the next after `probe`
//! ```
//!
//! Always: they have their turns in the order in which they were put off. What waits and what is under way count together.

use std::collections::VecDeque;

use super::task::About;
use crate::engine::{Duration, Key};
use crate::policy::Catching;

#[derive(Debug)]
pub(super) struct PutOff {
    pub host: u32,
    pub stack: u32,
    pub edge: u32,
    pub layer: u32,
    catching: Catching,
    waiting: VecDeque<Entry>,
    under_way: usize,
    next: u32,
    /// Whether the last one ended well.
    well: bool,
    /// The event of the next turn, if there is one.
    pub turn: Option<Key>,
}

/// A call that was put off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Counts them in their order.
    pub number: u32,
    pub about: About,
    /// The step at which it is written.
    pub pc: u32,
    /// Its idempotency key, or zero.
    pub token: u64,
}

impl PutOff {
    pub(super) fn new(host: u32, stack: u32, edge: u32, layer: u32, catching: Catching) -> Self {
        Self {
            host,
            stack,
            edge,
            layer,
            catching,
            waiting: VecDeque::new(),
            under_way: 0,
            next: 0,
            well: false,
            turn: None,
        }
    }

    /// How many there are.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() + self.under_way
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// One is put off. Returns its number.
    pub(super) fn add(&mut self, about: About, pc: u32, token: u64) -> u32 {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.push_back(Entry { number, about, pc, token });
        self.well = false;
        number
    }

    /// The next has its turn, and whether another is to follow before it has ended.
    pub(super) fn take(&mut self) -> Option<(Entry, bool)> {
        let entry = self.waiting.pop_front()?;
        self.under_way += 1;
        Some((entry, self.well))
    }

    /// One has ended well, and is done.
    pub(super) fn done(&mut self) {
        self.under_way -= 1;
        self.well = true;
    }

    /// One has failed again, and goes back to its place.
    pub(super) fn put_back(&mut self, entry: Entry) {
        self.under_way -= 1;
        self.well = false;
        // Numbers may have begun anew: what counts is the distance.
        let place = self.waiting.partition_point(|it| it.number.wrapping_sub(entry.number) > u32::MAX / 2);
        self.waiting.insert(place, entry);
    }

    /// The time to the next turn, if somebody waits for one.
    pub(super) fn wait(&self) -> Option<Duration> {
        let wait = if self.well { self.catching.gap } else { self.catching.probe };
        (!self.waiting.is_empty()).then_some(wait)
    }

    /// The process is gone, and with it all of them; those that waited.
    pub(super) fn clear(&mut self) -> Vec<Entry> {
        (self.under_way, self.well) = (0, false);
        self.waiting.drain(..).collect()
    }

    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.waiting.capacity() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Class;
    use crate::engine::Handle;
    use crate::measure::UNTRACED;

    fn about(key: u64) -> About {
        About {
            root: 0,
            client: 0,
            class: Class::Medium,
            key,
            identity: key,
            effects: Handle::NONE,
            trace: UNTRACED,
            poison: false,
        }
    }

    fn three() -> PutOff {
        let ms = Duration::from_millis;
        let mut calls = PutOff::new(0, 0, 0, 0, Catching { gap: ms(10), probe: ms(500) });
        // As if four billion had been put off before.
        calls.next = u32::MAX;
        for key in 0..3 {
            calls.add(about(key), 7, 0);
        }
        calls
    }

    #[test]
    fn what_fails_again_goes_back_to_its_place() {
        let mut calls = three();
        let taken: Vec<Entry> = (0..2).map(|_| calls.take().expect("three wait").0).collect();
        assert_eq!((calls.held(), calls.waiting()), (3, 1));
        for entry in taken {
            calls.put_back(entry);
        }
        let keys: Vec<u64> = calls.clear().iter().map(|it| it.about.key).collect();
        assert_eq!(keys, [0, 1, 2]);
        assert_eq!(calls.held(), 0);
    }

    #[test]
    fn they_follow_each_other_once_one_has_ended_well() {
        let ms = Duration::from_millis;
        let mut calls = three();
        assert_eq!(calls.wait(), Some(ms(500)));
        let (first, follows) = calls.take().expect("three wait");
        assert!(!follows, "nobody knows yet");
        calls.put_back(first);
        assert_eq!(calls.wait(), Some(ms(500)));
        calls.take();
        calls.done();
        assert_eq!(calls.wait(), Some(ms(10)));
        assert!(calls.take().expect("two wait").1);
        calls.add(about(3), 7, 0);
        assert_eq!(calls.wait(), Some(ms(500)), "a new one says that something is wrong again");
    }
}
