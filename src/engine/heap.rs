//! A four-ary heap of keys: the earliest on top.
//!
//! ```text
//!                 0                  the children of i are 4i+1 .. 4i+4, side by side in memory:
//!        1     2     3     4         half as deep as a binary heap, and a level costs
//!      5..8  9..12 ...               one or two cache lines.
//! ```
//!
//! Always: no key is smaller than its parent, the vacated top excepted. Every key is different.

/// No key: larger than every key in use. Also what an empty heap or lane shows as its first.
pub(crate) const EMPTY: u128 = u128::MAX;

/// Children of each node. Four instead of two halves the depth, as Larkin, Sen and Tarjan recommend in
/// "A back-to-basics empirical study of priority queues" (2014).
const ARITY: usize = 4;

/// The heap. See the top of this file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heap {
    keys: Vec<u128>,
    /// The top was taken and its place waits for the next key to be pushed: a handler mostly schedules something,
    /// and putting that on top saves moving the last key there and back down.
    vacant: bool,
}

impl Heap {
    /// The least key, or [`EMPTY`].
    #[inline]
    pub fn first(&mut self) -> u128 {
        if self.vacant {
            self.close();
        }
        self.keys.first().copied().unwrap_or(EMPTY)
    }

    /// Takes away the least key, which [`Heap::first`] has just shown.
    #[inline]
    pub fn take_first(&mut self) {
        debug_assert!(!self.vacant && !self.keys.is_empty(), "the first key was looked at before it is taken");
        self.vacant = true;
    }

    /// Adds a key.
    #[inline]
    pub fn push(&mut self, key: u128) {
        if self.vacant {
            self.vacant = false;
            self.sink(0, key);
        } else {
            self.keys.push(key);
            self.rise(self.keys.len() - 1, key);
        }
    }

    /// Keeps only the keys that `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(u128) -> bool) {
        if self.vacant {
            self.close();
        }
        self.keys.retain(|&key| keep(key));
        // Twice what is needed, so that growing again is not at once another allocation.
        self.keys.shrink_to(2 * self.keys.len());
        // Floyd's construction, from the last parent up to the top.
        for parent in (0..self.keys.len().div_ceil(ARITY)).rev() {
            self.sink(parent, self.keys[parent]);
        }
    }

    /// Bytes held, by capacity.
    pub fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<u128>()
    }

    /// Fills the vacated top with the last key.
    #[inline]
    fn close(&mut self) {
        self.vacant = false;
        let last = self.keys.pop().expect("a vacated top is still counted");
        if !self.keys.is_empty() {
            self.sink(0, last);
        }
    }

    /// Moves `key` up from the place `at`.
    #[inline]
    fn rise(&mut self, mut at: usize, key: u128) {
        let keys = &mut self.keys[..];
        while at > 0 {
            let parent = (at - 1) / ARITY;
            if keys[parent] < key {
                break;
            }
            keys[at] = keys[parent];
            at = parent;
        }
        keys[at] = key;
    }

    /// Moves `key` down from the place `at`.
    #[inline]
    fn sink(&mut self, mut at: usize, key: u128) {
        let keys = &mut self.keys[..];
        loop {
            let first = ARITY * at + 1;
            let (child, least) = match keys.get(first..first + ARITY) {
                Some(&[a, b, c, d]) => {
                    let left = if b < a { (first + 1, b) } else { (first, a) };
                    let right = if d < c { (first + 3, d) } else { (first + 2, c) };
                    if right.1 < left.1 { right } else { left }
                }
                // The last parent has fewer children, or this is a leaf.
                _ => {
                    let mut least = (at, EMPTY);
                    for (child, &key) in keys.iter().enumerate().skip(first) {
                        if key < least.1 {
                            least = (child, key);
                        }
                    }
                    least
                }
            };
            if key < least {
                // never equal: every key is different
                break;
            }
            keys[at] = least;
            at = child;
        }
        keys[at] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(mut heap: Heap) -> Vec<u128> {
        std::iter::from_fn(|| {
            let first = heap.first();
            (first != EMPTY).then(|| {
                heap.take_first();
                first
            })
        })
        .collect()
    }

    #[test]
    fn keys_leave_in_order_whatever_the_order_in_which_they_came() {
        for count in 0..70u128 {
            let mut heap = Heap::default();
            for i in 0..count {
                heap.push(i * 37 % 71);
            }
            let mut expected: Vec<u128> = (0..count).map(|i| i * 37 % 71).collect();
            expected.sort_unstable();
            assert_eq!(drain(heap), expected, "{count} keys");
        }
    }

    #[test]
    fn a_key_pushed_into_the_vacated_top_finds_its_place() {
        let mut heap = Heap::default();
        [5, 3, 9, 7].into_iter().for_each(|key| heap.push(key));
        assert_eq!(heap.first(), 3);
        heap.take_first();
        heap.push(8);
        assert_eq!(drain(heap), [5, 7, 8, 9]);
    }

    #[test]
    fn what_is_kept_stays_in_order() {
        let mut heap = Heap::default();
        (0..1000u128).for_each(|i| heap.push(i * 7919 % 1009));
        heap.retain(|key| key % 3 == 0);
        let kept = drain(heap);
        assert!(kept.is_sorted() && kept.iter().all(|key| key % 3 == 0) && kept.len() > 300);
    }
}
