//! Points drawn from ranges instead of a grid: quasi-random ones that fill space evenly, without any luck.
//!
//! * Sobol's sequence, with the direction numbers `new-joe-kuo-6` of Joe and Kuo, "Constructing Sobol sequences with better
//!   two-dimensional projections", SIAM J. Sci. Comput. 30 (2008). Every first 2^k points are spread evenly; the very first is the
//!   low end of all ranges.
//! * A Latin hypercube (McKay, Beckman and Conover 1979): each range is cut into as many slices as there are points, and each slice
//!   holds one point, in its middle. Which slices meet is shuffled, by a stream that is named after the axis: the same always.

use super::experiment::Sample;
use crate::engine::Streams;

/// Ranges of a Sobol sample, at most.
pub(crate) const MOST_DIMENSIONS: usize = 16;

/// For each dimension after the first: the degree and the inner coefficients of its primitive polynomial, and the first
/// direction numbers.
const DIRECTIONS: [(usize, u32, &[u32]); MOST_DIMENSIONS - 1] = [
    (1, 0, &[1]),
    (2, 1, &[1, 3]),
    (3, 1, &[1, 3, 1]),
    (3, 2, &[1, 1, 1]),
    (4, 1, &[1, 1, 3, 3]),
    (4, 4, &[1, 3, 5, 13]),
    (5, 2, &[1, 1, 5, 5, 17]),
    (5, 4, &[1, 1, 5, 5, 5]),
    (5, 7, &[1, 1, 7, 11, 19]),
    (5, 11, &[1, 1, 5, 1, 1]),
    (5, 13, &[1, 1, 1, 3, 11]),
    (5, 14, &[1, 3, 5, 5, 31]),
    (6, 1, &[1, 3, 3, 9, 7, 49]),
    (6, 13, &[1, 1, 1, 15, 21, 21]),
    (6, 16, &[1, 3, 1, 13, 27, 49]),
];

/// For each axis, its share of the way through its range (0 to 1) at each point.
pub(crate) fn draw(sample: Sample, axes: &[&str]) -> Vec<Vec<f64>> {
    match sample {
        Sample::Sobol(points) => (0..axes.len()).map(|dimension| sobol(dimension, points)).collect(),
        Sample::LatinHypercube(points) => axes
            .iter()
            .map(|axis| {
                let mut slices: Vec<u32> = (0..points).collect();
                Streams::new(0).named(&format!("latin_hypercube/{axis}")).shuffle(&mut slices);
                slices.into_iter().map(|slice| (f64::from(slice) + 0.5) / f64::from(points)).collect()
            })
            .collect(),
    }
}

/// A dimension of Sobol's sequence, by Gray code: each point differs from the one before by one direction number.
fn sobol(dimension: usize, points: u32) -> Vec<f64> {
    let directions = directions(dimension);
    let mut word = 0_u32;
    (0..points)
        .map(|point| {
            if point > 0 {
                word ^= directions[point.trailing_zeros() as usize];
            }
            f64::from(word) / 4_294_967_296.0
        })
        .collect()
}

/// The 32 direction numbers of a dimension.
fn directions(dimension: usize) -> [u32; 32] {
    let mut v = [0_u32; 32];
    let Some((degree, coefficients, first)) = dimension.checked_sub(1).map(|it| DIRECTIONS[it]) else {
        return std::array::from_fn(|bit| 1 << (31 - bit));
    };
    for bit in 0..32 {
        v[bit] = if bit < degree {
            first[bit] << (31 - bit)
        } else {
            let mut word = v[bit - degree] ^ (v[bit - degree] >> degree);
            for inner in 1..degree {
                if coefficients >> (degree - 1 - inner) & 1 == 1 {
                    word ^= v[bit - inner];
                }
            }
            word
        };
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first points of the sequence in three dimensions, as Joe and Kuo's own program prints them.
    #[test]
    fn the_first_points_are_those_of_the_published_program() {
        let names = ["x", "y", "z"];
        let drawn = draw(Sample::Sobol(10), &names);
        let points: Vec<[f64; 3]> = (0..10).map(|point| [drawn[0][point], drawn[1][point], drawn[2][point]]).collect();
        let known = [
            [0.0, 0.0, 0.0],
            [0.5, 0.5, 0.5],
            [0.75, 0.25, 0.25],
            [0.25, 0.75, 0.75],
            [0.375, 0.375, 0.625],
            [0.875, 0.875, 0.125],
            [0.625, 0.125, 0.875],
            [0.125, 0.625, 0.375],
            [0.1875, 0.3125, 0.9375],
            [0.6875, 0.8125, 0.4375],
        ];
        assert_eq!(points, known);
    }

    /// What makes it a Sobol sequence: in every dimension, each of the first 2^k slices of width 2^-k holds one of the first 2^k
    /// points.
    #[test]
    fn every_dimension_fills_every_slice_once() {
        for dimension in 0..MOST_DIMENSIONS {
            let mut slices: Vec<u32> = sobol(dimension, 256).iter().map(|x| (x * 256.0) as u32).collect();
            slices.sort_unstable();
            assert_eq!(slices, (0..256).collect::<Vec<_>>(), "dimension {dimension}");
        }
    }

    /// Two dimensions together: of the first 256 points, 64 lie in each quarter of their square.
    #[test]
    fn pairs_of_dimensions_are_spread_over_the_quarters() {
        let drawn: Vec<Vec<f64>> = (0..MOST_DIMENSIONS).map(|dimension| sobol(dimension, 256)).collect();
        for a in 0..MOST_DIMENSIONS {
            for b in 0..a {
                let low = (0..256).filter(|&point| drawn[a][point] < 0.5 && drawn[b][point] < 0.5).count();
                assert_eq!(low, 64, "dimensions {a} and {b}");
            }
        }
    }

    #[test]
    fn a_latin_hypercube_has_a_point_in_the_middle_of_each_slice_and_is_the_same_always() {
        let drawn = draw(Sample::LatinHypercube(8), &["x", "y"]);
        for axis in &drawn {
            let mut sorted = axis.clone();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(sorted, (0..8).map(|slice| (f64::from(slice) + 0.5) / 8.0).collect::<Vec<_>>());
        }
        assert_ne!(drawn[0], drawn[1]);
        assert_eq!(drawn, draw(Sample::LatinHypercube(8), &["x", "y"]));
    }
}
