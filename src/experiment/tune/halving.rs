//! Successive halving: many candidates on few seeds, the better half of them on twice as many, until few are left.
//!
//! ```text
//!   round      1    2    3    4    5
//!   candidates 64   32   16   8    4      the worse half is dropped
//!   seeds      2    4    8    16   32     each has the same ones: they meet the same luck
//! ```
//!
//! Every round costs about as much as the first, so what is good is known well, and little is spent on what is bad. All differences are
//! within the same seeds. The number of runs is known beforehand, which a race that drops whatever is significantly worse does not give.
//!
//! Source: Z. Karnin, T. Koren and O. Somekh, "Almost optimal exploration in multi-armed bandits", ICML 2013; K. Jamieson and
//! A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016.

use std::ops::Range;

/// Seeds on which everything is tried at least: with one there is no interval.
const FEWEST: usize = 2;

/// A round, as it will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// How many candidates take part.
    pub candidates: usize,
    /// How many seeds each of them has at its end.
    pub seeds: usize,
}

/// The rounds of so many candidates, of which `finalists` are to be left, on at most so many seeds.
pub(super) fn rounds(candidates: usize, finalists: usize, at_most: usize) -> Vec<Round> {
    let mut alive = vec![candidates];
    while let Some(&last) = alive.last().filter(|&&last| last > finalists) {
        alive.push(last.div_ceil(2).max(finalists));
    }
    // The first has as few as it takes for the last to have all; where there are too few, the last rounds are missing.
    let first = (at_most >> (alive.len() - 1)).max(FEWEST);
    let mut rounds = Vec::new();
    for (round, candidates) in alive.into_iter().enumerate() {
        let seeds = first.saturating_mul(1 << round.min(32)).min(at_most.max(FEWEST));
        if rounds.last().is_some_and(|last: &Round| last.seeds == seeds) {
            break;
        }
        rounds.push(Round { candidates, seeds });
    }
    if let Some(last) = rounds.last_mut() {
        last.seeds = at_most.max(FEWEST);
    }
    rounds
}

/// Halves candidates, 0 to `candidates`, until about `finalists` are left. `run` gives each of some candidates further seeds, `ranked`
/// brings candidates into order, the best first. For each candidate: the round, from 1, after which it was dropped; [`None`] if it is
/// one of the finalists.
pub(super) fn halve(
    candidates: usize,
    finalists: usize,
    rounds: &[Round],
    mut run: impl FnMut(&[usize], Range<usize>) -> Vec<usize>,
) -> Vec<Option<usize>> {
    let mut dropped = vec![None; candidates];
    let mut alive: Vec<usize> = (0..candidates).collect();
    let mut done = 0;
    for (number, round) in rounds.iter().enumerate() {
        let ranked = run(&alive, done..round.seeds);
        done = round.seeds;
        let left = rounds.get(number + 1).map_or(finalists, |next| next.candidates);
        for &worse in ranked.iter().skip(left) {
            dropped[worse] = Some(number + 1);
        }
        // In the order in which they were given, so that ties go to the first.
        alive.retain(|&candidate| dropped[candidate].is_none());
    }
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;
    use crate::experiment::statistics::paired::Difference;

    #[test]
    fn every_round_has_half_the_candidates_and_twice_the_seeds() {
        let as_pairs = |rounds: Vec<Round>| rounds.iter().map(|it| (it.candidates, it.seeds)).collect::<Vec<_>>();
        assert_eq!(as_pairs(rounds(64, 4, 32)), [(64, 2), (32, 4), (16, 8), (8, 16), (4, 32)]);
        assert_eq!(as_pairs(rounds(64, 4, 100)), [(64, 6), (32, 12), (16, 24), (8, 48), (4, 100)]);
        assert_eq!(as_pairs(rounds(3, 4, 32)), [(3, 32)], "all are finalists");
        assert_eq!(as_pairs(rounds(64, 4, 5)), [(64, 2), (32, 4), (16, 5)], "too few seeds for more rounds");
        assert_eq!(as_pairs(rounds(9, 4, 1)), [(9, 2)]);
    }

    /// Means that fall evenly from 1 to 0 over 64 candidates; noise that is common to all, and noise of each.
    fn searched(repetition: u64, own: f64) -> usize {
        let means: Vec<f64> = (0..64).map(|n| 1.0 - f64::from((n * 37) % 64) / 63.0).collect();
        let mut common = Streams::new(repetition).named("common");
        let common: Vec<f64> = (0..32).map(|_| 3.0 * common.normal()).collect();
        let mut streams: Vec<_> = (0..64).map(|n| Streams::new(repetition).named(&format!("own/{n}"))).collect();
        let mut sums = vec![0.0; 64];
        let ranked = |alive: &[usize], seeds: Range<usize>| {
            for &it in alive {
                for seed in seeds.clone() {
                    sums[it] += means[it] + common[seed] + own * streams[it].normal();
                }
            }
            let mut ranked = alive.to_vec();
            ranked.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]));
            ranked
        };
        let mut last = Vec::new();
        let mut ranked = ranked;
        halve(64, 4, &rounds(64, 4, 32), |alive, seeds| {
            last = ranked(alive, seeds);
            last.clone()
        });
        (means[last[0]] * 63.0).round() as usize
    }

    #[test]
    fn one_of_the_best_is_found_although_all_have_bad_and_good_days() {
        // Candidates are 1/63 apart; on 32 seeds the mean of each has an own standard deviation of 0.2 / √32 = 2.2 such steps. Within
        // 0.1 (six steps) of the best is 9 % of what luck alone would find.
        let repetitions = 400;
        let near = (0..repetitions).filter(|&it| searched(it, 0.2) >= 63 - 6).count();
        assert!(near as f64 > 0.97 * repetitions as f64, "{near} of {repetitions}");
        // What all have in common, three times the whole range, does no harm at all.
        assert!((0..50).all(|it| searched(it, 0.0) == 63));
    }

    /// Twenty candidates that are all the same but for luck: the one that the search finds best is better on the seeds of the search,
    /// and must not be on others.
    #[test]
    fn held_back_seeds_tell_luck_from_merit() {
        let repetitions = 1_000;
        let (mut on_seen, mut on_held_back) = (0, 0);
        for repetition in 0..repetitions {
            let value =
                |candidate: usize, seed: usize| Streams::new(repetition).named(&format!("{candidate}/{seed}")).normal();
            let values = |it: usize, seeds: Range<usize>| seeds.map(|seed| value(it, seed)).collect::<Vec<f64>>();
            let mut best = 0;
            let rounds = rounds(20, 4, 16);
            halve(20, 4, &rounds, |alive, seeds| {
                let mut ranked = alive.to_vec();
                let mean = |it: usize| values(it, 0..seeds.end).iter().sum::<f64>();
                ranked.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)));
                best = ranked[0];
                ranked
            });
            // The setting as it is: another of the same kind.
            let better =
                |seeds: Range<usize>| Difference::of(&values(99, seeds.clone()), &values(best, seeds)).paired.low > 0.0;
            on_seen += usize::from(better(0..16));
            on_held_back += usize::from(better(16..32));
        }
        // 2.5 % on that side, with four standard deviations of room: 0.5 % each.
        assert!(on_held_back as f64 <= 0.045 * repetitions as f64, "{on_held_back}");
        assert!(on_seen > 4 * on_held_back, "{on_seen}: the seeds of the search flatter what they have chosen");
    }
}
