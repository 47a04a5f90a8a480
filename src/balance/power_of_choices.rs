//! power_of_choices: draw a few, take the one with the fewest requests under way.
//!
//! M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 2001. Drawn with
//! replacement; of equals the first drawn is taken.

use super::Balance;
use super::random::{draw, one_of};
use crate::engine::Stream;

#[derive(Debug)]
pub(super) struct PowerOfChoices {
    under_way: Vec<u32>,
    choices: u32,
    chance: Stream,
}

impl PowerOfChoices {
    pub(super) fn new(replicas: usize, choices: u32, chance: Stream) -> Self {
        Self { under_way: vec![0; replicas], choices, chance }
    }
}

impl Balance for PowerOfChoices {
    fn pick(&mut self, _: u64, avoid: Option<usize>) -> Option<usize> {
        let mut best = draw(&mut self.chance, self.under_way.len(), avoid)?;
        for _ in 1..self.choices {
            let other = draw(&mut self.chance, self.under_way.len(), avoid)?;
            if self.under_way[other] < self.under_way[best] {
                best = other;
            }
        }
        Some(best)
    }

    fn pick_among(&mut self, _: u64, among: &[u32]) -> usize {
        let mut best = one_of(&mut self.chance, among);
        for _ in 1..self.choices {
            let other = one_of(&mut self.chance, among);
            if self.under_way[other] < self.under_way[best] {
                best = other;
            }
        }
        best
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
