//! Shares of the variance: how much of what a figure varies over all ranges is due to each axis, alone and in all.
//!
//! Two independent sets of places, A and B, and for each axis a third, which is A with that axis from B. The first-order index of an axis
//! is the share of the variance that its value alone explains; the total index the share that is left when all others are fixed. Where they
//! differ, the axis works together with others.
//!
//! Source: I. M. Sobol, Mathematics and Computers in Simulation 55 (2001); the estimators are those of A. Saltelli et al., "Variance based
//! sensitivity analysis of model output", Computer Physics Communications 181 (2010), table 2 (b) and (f), the latter of M. J. W. Jansen
//! (1999); the intervals are of the bootstrap, G. E. B. Archer, A. Saltelli and I. M. Sobol, J. Statist. Comput. Simul. 58 (1997).

use super::{Figure, Matters, Summary, mean};
use crate::engine::Streams;
use crate::scenario::experiment::Sample;
use crate::scenario::sample::{MOST_DIMENSIONS, draw};

/// How often the rows are drawn anew for the intervals.
const RESAMPLES: usize = 1_000;

/// What is known of a row: the figure at its place of A, of B, and of A with each axis from B.
struct Row {
    a: f64,
    b: f64,
    mixed: Vec<f64>,
}

/// The indices of so many axes, from so many rows, a power of two: (axes + 2) times as many places.
pub(in super::super) fn indices(axes: usize, rows: u32, figure: Figure) -> Vec<Matters> {
    let names: Vec<String> = (0..2 * axes).map(|number| format!("tune/sobol/{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let way = if names.len() <= MOST_DIMENSIONS { Sample::Sobol(rows) } else { Sample::LatinHypercube(rows) };
    let mut drawn = draw(way, &names);
    // Turned around by a chance: the first point of the sequence, a corner, is then as good as any other.
    let mut chance = Streams::new(0).named("tune/sobol");
    for dimension in &mut drawn {
        let by = chance.unit();
        dimension.iter_mut().for_each(|share| *share = (*share + by).fract());
    }
    let places_of = |row: usize| {
        let [a, b] = [0, axes].map(|from| (from..from + axes).map(|axis| drawn[axis][row]).collect::<Vec<f64>>());
        let mixed = |axis: usize| {
            let mut place = a.clone();
            place[axis] = b[axis];
            place
        };
        let mixed: Vec<Vec<f64>> = (0..axes).map(mixed).collect();
        [a, b].into_iter().chain(mixed)
    };
    let places: Vec<Vec<f64>> = (0..rows as usize).flat_map(places_of).collect();
    let values = figure(&places);
    let rows: Vec<Row> = values
        .chunks(axes + 2)
        .map(|row| {
            let row: Vec<f64> = row.iter().map(|seeds| mean(seeds)).collect();
            Row { a: row[0], b: row[1], mixed: row[2..].to_vec() }
        })
        .collect();
    let all: Vec<usize> = (0..rows.len()).collect();
    let found: Vec<[f64; 2]> = (0..axes).map(|axis| estimate(&rows, &all, axis)).collect();
    let mut resampled: Vec<Vec<[f64; 2]>> = vec![Vec::with_capacity(RESAMPLES); axes];
    for _ in 0..RESAMPLES {
        let some: Vec<usize> = all.iter().map(|_| chance.below(rows.len() as u64) as usize).collect();
        for (axis, into) in resampled.iter_mut().enumerate() {
            into.push(estimate(&rows, &some, axis));
        }
    }
    let index = |axis: usize, which: usize| interval(found[axis][which], rows.len(), &resampled[axis], which);
    let of_axis = |axis| Matters { alone: index(axis, 0), total: index(axis, 1), sigma: f64::NAN, noise: f64::NAN };
    (0..axes).map(of_axis).collect()
}

/// The first-order and the total index of an axis, from some of the rows. Nothing matters to a figure that does not vary.
fn estimate(rows: &[Row], some: &[usize], axis: usize) -> [f64; 2] {
    let of = |value: &dyn Fn(&Row) -> f64| some.iter().map(|&row| value(&rows[row])).sum::<f64>() / some.len() as f64;
    // All sets of places are spread alike: together they know the variance best.
    let all = |row: &Row| -> Vec<f64> { [row.a, row.b].into_iter().chain(row.mixed.iter().copied()).collect() };
    let middle = of(&|row| mean(&all(row)));
    let square = |x: f64| x * x;
    let variance = of(&|row| mean(&all(row).into_iter().map(|it| square(it - middle)).collect::<Vec<_>>()));
    if variance <= 0.0 {
        return [0.0; 2];
    }
    let alone = of(&|row| (row.b - middle) * (row.mixed[axis] - row.a));
    let total = of(&|row| square(row.a - row.mixed[axis]) / 2.0);
    [alone / variance, total / variance]
}

/// An index with the interval between the 2.5 % and 97.5 % quantiles of what it is when rows are drawn anew.
fn interval(index: f64, rows: usize, resampled: &[[f64; 2]], which: usize) -> Summary {
    let mut sorted: Vec<f64> = resampled.iter().map(|it| it[which]).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let spread = Summary::of(&sorted);
    Summary { n: rows, mean: index, low: at(0.025), high: at(0.975), ..spread }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(axes: usize, rows: u32, f: impl Fn(&[f64]) -> f64) -> Vec<Matters> {
        indices(axes, rows, &mut |places| places.iter().map(|place| vec![f(place)]).collect())
    }

    #[test]
    fn the_indices_of_ishigamis_function_are_the_known_ones() {
        // T. Ishigami and T. Homma (1990), a = 7, b = 0.1, on (-pi, pi): the values are in closed form.
        let known = [(0.3139, 0.5576), (0.4424, 0.4424), (0.0, 0.2437)];
        let found = of(3, 4_096, |x| {
            let x: Vec<f64> = x.iter().map(|x| (2.0 * x - 1.0) * std::f64::consts::PI).collect();
            let sin = libm::sin(x[1]);
            libm::sin(x[0]) * (1.0 + 0.1 * x[2] * x[2] * x[2] * x[2]) + 7.0 * sin * sin
        });
        for (it, (alone, total)) in found.iter().zip(known) {
            assert!((it.alone.mean - alone).abs() < 0.02 && (it.total.mean - total).abs() < 0.02, "{it:?}");
            assert!(it.alone.low < alone && alone < it.alone.high, "{it:?}");
            assert!(it.total.low < total && total < it.total.high, "{it:?}");
        }
    }

    #[test]
    fn more_axes_than_the_sequence_has_are_drawn_otherwise() {
        // A sum: every axis has its share alone. The weights 1 to 9 have the variances 1 to 81, 285 in all.
        let found = of(9, 2_048, |x| x.iter().enumerate().map(|(n, x)| (n + 1) as f64 * x).sum());
        assert!((found[8].total.mean - 81.0 / 285.0).abs() < 0.03, "{:?}", found[8]);
        assert!((found[0].total.mean - 1.0 / 285.0).abs() < 0.002, "{:?}", found[0]);
    }

    #[test]
    fn nothing_matters_to_what_does_not_vary() {
        assert!(of(2, 16, |_| 3.0).iter().all(|it| it.total.mean == 0.0 && it.alone.high == 0.0));
    }
}
