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

impl LeastRequests {
    fn least(&mut self, among: impl Iterator<Item = usize>) -> Option<usize> {
        let mut best = None;
        let mut ties = 0;
        for replica in among {
            let count = self.under_way[replica];
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
}

impl Balance for LeastRequests {
    fn pick(&mut self, _: u64, avoid: Option<usize>) -> Option<usize> {
        let replicas = self.under_way.len();
        let avoid = avoid.filter(|_| replicas > 1);
        self.least((0..replicas).filter(|&replica| Some(replica) != avoid))
    }

    fn pick_among(&mut self, _: u64, among: &[u32]) -> usize {
        self.least(among.iter().map(|&replica| replica as usize)).expect("there is one to pick from")
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
