//! ring_hash: each key has its replica.
//!
//! ```text
//!          key ──► hash ─┐
//!    ─ b ── a ── c ── b ─▼── a ── c ── a ── b ─      the first point behind it is that of its replica, here a
//! ```
//!
//! Each replica has many points on a ring (virtual nodes); a key belongs to the replica of the first point at or behind
//! its hash. If that one may not be picked, the key goes to the next replica on the ring, so that the keys of one that is
//! away are spread over the others, and all other keys stay where they are. D. Karger et al., "Consistent Hashing and
//! Random Trees", STOC 1997; 160 points for each replica as in ketama (last.fm, 2007). All callers have the same ring. It
//! is drawn for each run, as the addresses of real replicas would place their points.

use std::sync::Arc;

use super::Balance;
use crate::engine::{Stream, mix};

/// Points of each replica, if nobody says otherwise.
pub(super) const POINTS: u32 = 160;

/// The points of all replicas, in order.
#[derive(Debug)]
pub struct Ring {
    points: Vec<(u64, u32)>,
    salt: u64,
}

impl Ring {
    pub(super) fn new(replicas: usize, points: u32, mut chance: Stream) -> Self {
        let all = (0..replicas as u32).flat_map(|replica| std::iter::repeat_n(replica, points as usize));
        let mut points: Vec<(u64, u32)> = all.map(|replica| (chance.next_u64(), replica)).collect();
        points.sort_unstable();
        Self { points, salt: chance.next_u64() }
    }

    /// The replicas in the order in which a key asks for them; each comes as often as it has points.
    fn from(&self, key: u64) -> impl Iterator<Item = usize> {
        let hash = mix(key ^ self.salt);
        let first = self.points.partition_point(|point| point.0 < hash);
        let (before, behind) = self.points.split_at(first);
        behind.iter().chain(before).map(|point| point.1 as usize)
    }
}

#[derive(Debug)]
pub(super) struct RingHash {
    ring: Arc<Ring>,
}

impl RingHash {
    pub(super) fn new(ring: Arc<Ring>) -> Self {
        Self { ring }
    }
}

impl Balance for RingHash {
    fn pick(&mut self, key: u64, avoid: Option<usize>) -> Option<usize> {
        let mut order = self.ring.from(key);
        let first = order.next()?;
        if Some(first) != avoid {
            return Some(first);
        }
        Some(order.find(|&replica| replica != first).unwrap_or(first))
    }

    fn pick_among(&mut self, key: u64, among: &[u32]) -> usize {
        let may_be_picked = |replica: &usize| among.binary_search(&(*replica as u32)).is_ok();
        self.ring.from(key).find(may_be_picked).expect("there is one to pick from")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    fn ring(replicas: usize, points: u32) -> RingHash {
        RingHash::new(Arc::new(Ring::new(replicas, points, Streams::new(3).named("test"))))
    }

    #[test]
    fn a_key_stays_where_it_is_and_only_those_of_one_that_is_away_move() {
        let mut balance = ring(5, POINTS);
        let mut moved_to = [0; 5];
        for key in 0..10_000 {
            let home = balance.pick(key, None).expect("there are replicas");
            assert_eq!(balance.pick(key, None), Some(home));
            let without_2 = balance.pick_among(key, &[0, 1, 3, 4]);
            assert_eq!(balance.pick(key, Some(2)), Some(without_2), "to avoid one is to be without it");
            if home == 2 {
                moved_to[without_2] += 1;
            } else {
                assert_eq!(without_2, home);
            }
        }
        // The keys of one of five, some 2,000, go to all others.
        assert!(moved_to.iter().sum::<u32>() > 1_000);
        assert!([0, 1, 3, 4].iter().all(|&replica| moved_to[replica] > 200), "{moved_to:?}");
    }

    #[test]
    fn more_points_make_the_shares_more_even() {
        let spread = |points: u32| {
            let mut balance = ring(10, points);
            let mut seen = [0_u32; 10];
            (0..20_000).for_each(|key| seen[balance.pick(key, None).expect("there are replicas")] += 1);
            f64::from(*seen.iter().max().expect("there are ten")) / 2_000.0
        };
        // With one point each, shares are nearly exponential: the largest of ten is about 1 + 1/2 + … + 1/10 = 2.9
        // times the mean. With v points their deviation is 1/√v, 8 % for 160, and the largest of ten some 1.5 of those
        // above the mean.
        assert!(spread(1) > 1.5, "{}", spread(1));
        assert!(spread(POINTS) < 1.0 + 5.0 * 0.08, "{}", spread(POINTS));
    }
}
