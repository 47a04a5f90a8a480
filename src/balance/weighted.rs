//! weighted: smooth weighted round robin.
//!
//! ```text
//!   weights 5 1 1     a a b a c a a   and again      not   a a a a a b c
//! ```
//!
//! Before each pick every replica gains its weight; the one that has most is taken and pays the sum of all. As in nginx
//! (I. Sysoev, "Upstream: smooth weighted round-robin balancing", 2012); Envoy's schedule by earliest deadline gives the
//! same shares. Where in the cycle a caller begins is drawn. A pick takes a time that grows with the number of replicas.

use super::Balance;
use crate::engine::Stream;

#[derive(Debug)]
pub(super) struct Weighted {
    weights: Vec<u32>,
    gained: Vec<i64>,
}

impl Weighted {
    pub(super) fn new(weights: &[u32], mut chance: Stream) -> Self {
        let mut it = Self { weights: weights.to_vec(), gained: vec![0; weights.len()] };
        let cycle: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        // Further into a long cycle would only take time.
        let start = if cycle == 0 { 0 } else { chance.below(cycle.min(1_000)) };
        for _ in 0..start {
            it.pick(0, None);
        }
        it
    }

    fn next(&mut self, among: impl Iterator<Item = usize>) -> Option<usize> {
        let (mut best, mut sum) = (None, 0);
        for replica in among {
            let weight = i64::from(self.weights[replica]);
            sum += weight;
            self.gained[replica] += weight;
            if best.is_none_or(|best: usize| self.gained[replica] > self.gained[best]) {
                best = Some(replica);
            }
        }
        self.gained[best?] -= sum;
        best
    }
}

impl Balance for Weighted {
    fn pick(&mut self, _: u64, avoid: Option<usize>) -> Option<usize> {
        let replicas = self.weights.len();
        let avoid = avoid.filter(|_| replicas > 1);
        self.next((0..replicas).filter(|&replica| Some(replica) != avoid))
    }

    fn pick_among(&mut self, _: u64, among: &[u32]) -> usize {
        self.next(among.iter().map(|&replica| replica as usize)).expect("there is one to pick from")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    fn weighted(weights: &[u32]) -> Weighted {
        Weighted { weights: weights.to_vec(), gained: vec![0; weights.len()] }
    }

    #[test]
    fn the_heavy_one_is_not_taken_in_a_row() {
        let mut balance = weighted(&[5, 1, 1]);
        let picked: Vec<usize> = (0..14).map(|_| balance.pick(0, None).expect("there are replicas")).collect();
        // The example of nginx.
        assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn shares_are_exact_over_a_cycle_from_any_start() {
        for seed in 0..20 {
            let mut balance = Weighted::new(&[3, 2, 7], Streams::new(seed).named("test"));
            let mut seen = [0; 3];
            (0..120).for_each(|_| seen[balance.pick(0, None).expect("there are replicas")] += 1);
            assert_eq!(seen, [30, 20, 70], "seed {seed}");
        }
    }

    #[test]
    fn among_some_the_shares_are_those_of_their_weights() {
        let mut balance = weighted(&[3, 2, 7]);
        let mut seen = [0; 3];
        (0..50).for_each(|_| seen[balance.pick_among(0, &[0, 1])] += 1);
        assert_eq!(seen, [30, 20, 0]);
    }
}
