//! least_requests: the replica with the fewest requests of this caller under way. Ties are drawn, so that the
//! first in the list is not preferred.

use super::Balance;
use crate::engine::Stream;

#[derive(Debug)]
pub(super) struct LeastRequests {
    under_way: Vec<u32>,
    chance: Stream,
}

impl LeastRequests {
    pub(super) fn new(replicas: usize, chance: Stream) -> Self {
        Self { under_way: vec![0; replicas], chance }
    }
}

impl Balance for LeastRequests {
    fn pick(&mut self, avoid: Option<usize>) -> Option<usize> {
        let avoid = avoid.filter(|_| self.under_way.len() > 1);
        let mut best = None;
        let mut ties = 0;
        for (replica, &count) in self.under_way.iter().enumerate() {
            if Some(replica) == avoid {
                continue;
            }
            match best {
                Some((_, least)) if count > least => {}
                Some((_, least)) if count == least => {
                    // Reservoir sampling: each of the tied is kept with the same chance.
                    ties += 1;
                    if self.chance.below(ties) == 0 {
                        best = Some((replica, count));
                    }
                }
                _ => {
                    best = Some((replica, count));
                    ties = 1;
                }
            }
        }
        best.map(|(replica, _)| replica)
    }

    fn sent(&mut self, replica: usize) {
        self.under_way[replica] += 1;
    }

    fn done(&mut self, replica: usize) {
        self.under_way[replica] -= 1;
    }

    fn at_rest(&self) -> bool {
        self.under_way.iter().all(|&count| count == 0)
    }
}
