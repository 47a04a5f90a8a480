//! random: each time another, drawn.

use super::Balance;
use crate::engine::Stream;

#[derive(Debug)]
pub(super) struct Random {
    replicas: usize,
    chance: Stream,
}

impl Random {
    pub(super) fn new(replicas: usize, chance: Stream) -> Self {
        Self { replicas, chance }
    }
}

impl Balance for Random {
    fn pick(&mut self, _: u64, avoid: Option<usize>) -> Option<usize> {
        draw(&mut self.chance, self.replicas, avoid)
    }

    fn pick_among(&mut self, _: u64, among: &[u32]) -> usize {
        one_of(&mut self.chance, among)
    }
}

/// A replica drawn from all, or from all but one.
pub(super) fn draw(chance: &mut Stream, replicas: usize, avoid: Option<usize>) -> Option<usize> {
    match (replicas, avoid) {
        (0, _) => None,
        (1, _) => Some(0),
        (n, Some(avoid)) if avoid < n => {
            let drawn = chance.below(n as u64 - 1) as usize;
            Some(if drawn >= avoid { drawn + 1 } else { drawn })
        }
        (n, _) => Some(chance.below(n as u64) as usize),
    }
}

/// One of these replicas, drawn.
pub(super) fn one_of(chance: &mut Stream, among: &[u32]) -> usize {
    among[chance.below(among.len() as u64) as usize] as usize
}
