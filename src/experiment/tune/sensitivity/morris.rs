//! Elementary effects: a walk through the ranges that changes one value at a time, many times over.
//!
//! ```text
//!   y │      ③──④            four levels of each axis; a step goes over two of them
//!     │      │               an effect: what a step changes, for each whole length of its axis
//!     │  ①──②               mu*: the mean of their sizes · sigma: how much they differ
//!     └────────── x
//! ```
//!
//! An axis with mu* near zero does nothing anywhere; one whose sigma is as large as its mu* works differently in different places, alone or
//! with others.
//!
//! Source: M. D. Morris, "Factorial sampling plans for preliminary computational experiments", Technometrics 33 (1991); mu* is of
//! F. Campolongo, J. Cariboni and A. Saltelli, "An effective screening design for sensitivity analysis of large models", Environmental
//! Modelling & Software 22 (2007).

use super::{Figure, Matters, Summary, mean};
use crate::engine::Streams;

/// The length of a step, with four levels: the one with which all levels are equally likely.
const STEP: f64 = 2.0 / 3.0;

/// The effects of so many axes, over so many walks.
pub(in super::super) fn effects(axes: usize, walks: usize, figure: Figure) -> Vec<Matters> {
    let mut chance = Streams::new(0).named("tune/morris");
    // The places, walk by walk, and between them the axis that is changed and in which direction.
    let (mut places, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..walks {
        let low: Vec<f64> = (0..axes).map(|_| if chance.chance(0.5) { 1.0 / 3.0 } else { 0.0 }).collect();
        let mut up: Vec<bool> = (0..axes).map(|_| chance.chance(0.5)).collect();
        let place = |up: &[bool]| low.iter().zip(up).map(|(low, &up)| if up { low + STEP } else { *low }).collect();
        let mut order: Vec<usize> = (0..axes).collect();
        chance.shuffle(&mut order);
        places.push(place(&up));
        for axis in order {
            up[axis] = !up[axis];
            places.push(place(&up));
            steps.push((axis, if up[axis] { STEP } else { -STEP }));
        }
    }
    let values = figure(&places);
    let mut effects: Vec<Vec<(f64, f64)>> = vec![Vec::new(); axes];
    for (number, &(axis, step)) in steps.iter().enumerate() {
        // A walk has one place more than steps.
        let (before, after) = (number + number / axes, number + number / axes + 1);
        let differences: Vec<f64> = values[before].iter().zip(&values[after]).map(|(a, b)| (b - a) / step).collect();
        let by_luck = Summary::of(&differences).sd / (differences.len() as f64).sqrt();
        effects[axis].push((mean(&differences), by_luck));
    }
    let of_axis = |effects: Vec<(f64, f64)>| {
        let (effects, by_luck): (Vec<f64>, Vec<f64>) = effects.into_iter().unzip();
        let alone = Summary::of(&effects);
        let total = Summary::of(&effects.iter().map(|it| it.abs()).collect::<Vec<_>>());
        // The mean size of what is normal around zero.
        let spread = mean(&by_luck.iter().map(|it| it * it).collect::<Vec<_>>()).sqrt();
        let noise = spread * (2.0 / std::f64::consts::PI).sqrt();
        Matters { total, alone, sigma: alone.sd, noise }
    };
    effects.into_iter().map(of_axis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(axes: usize, walks: usize, f: impl Fn(&[f64]) -> f64) -> Vec<Matters> {
        effects(axes, walks, &mut |places| places.iter().map(|place| vec![f(place)]).collect())
    }

    #[test]
    fn the_effects_of_a_linear_function_are_its_coefficients() {
        let found = of(4, 10, |x| 3.0 * x[0] - 2.0 * x[1] + 0.5 * x[2]);
        for (it, (alone, total)) in found.iter().zip([(3.0, 3.0), (-2.0, 2.0), (0.5, 0.5), (0.0, 0.0)]) {
            assert!((it.alone.mean - alone).abs() < 1e-12 && (it.total.mean - total).abs() < 1e-12, "{it:?}");
            assert!(it.sigma < 1e-12 && it.noise.is_nan(), "{it:?}");
        }
    }

    #[test]
    fn effects_that_cancel_are_seen_by_their_size() {
        // x y: the effect of x is y, of four levels with mean 1/2 and standard deviation √(5/36) = 0.373. And one that changes its sign.
        let found = of(3, 400, |x| x[0] * x[1] + 6.0 * (x[2] - 0.5) * (x[0] - 0.5));
        assert!((found[1].alone.mean - 0.5).abs() < 0.06 && (found[1].sigma - 0.373).abs() < 0.03, "{:?}", found[1]);
        assert!(found[2].alone.mean.abs() < 0.35 && (found[2].total.mean - 2.0).abs() < 0.2, "{:?}", found[2]);
    }

    #[test]
    fn what_only_changes_the_luck_is_as_large_as_its_noise() {
        let mut chance = Streams::new(1).named("luck");
        let found =
            effects(1, 500, &mut |places| places.iter().map(|_| (0..8).map(|_| chance.normal()).collect()).collect());
        assert!((found[0].total.mean / found[0].noise - 1.0).abs() < 0.12, "{:?}", found[0]);
    }
}
