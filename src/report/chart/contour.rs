//! Lines of equal value over a grid of values (marching squares).

use std::collections::{BTreeMap, BTreeSet};

/// A side of a cell of the grid: from the corner `(i, j)` to the right, or upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Right(usize, usize),
    Up(usize, usize),
}

/// The lines along which the values of a grid are `level`, between its corners: `value(i, j)` is that of the corner in column `i` and
/// row `j`. Places are counted in columns and rows: 1.5 is half way from the second to the third. Where a value is not a number there is
/// no line; from an infinite one it is half way.
#[must_use]
pub fn contour(columns: usize, rows: usize, value: &dyn Fn(usize, usize) -> f64, level: f64) -> Vec<Vec<(f64, f64)>> {
    let above = |i: usize, j: usize| value(i, j) >= level;
    let mut links: BTreeMap<Side, Vec<Side>> = BTreeMap::new();
    for i in 1..columns {
        for j in 1..rows {
            let corners = [(i - 1, j - 1), (i, j - 1), (i, j), (i - 1, j)];
            if corners.iter().any(|&(i, j)| value(i, j).is_nan()) {
                continue;
            }
            let sides = [Side::Right(i - 1, j - 1), Side::Up(i, j - 1), Side::Right(i - 1, j), Side::Up(i - 1, j - 1)];
            // The line enters and leaves where a side has one corner above and one below.
            let mut cut: Vec<Side> = (0..4)
                .filter(|&side| {
                    let ((a, b), (c, d)) = (corners[side], corners[(side + 1) % 4]);
                    above(a, b) != above(c, d)
                })
                .map(|side| sides[side])
                .collect();
            // Of two lines through a cell, each cuts off a corner; which ones, the mean says.
            if cut.len() == 4 {
                let mean = corners.iter().map(|&(i, j)| value(i, j)).sum::<f64>() / 4.0;
                if above(corners[0].0, corners[0].1) != (mean >= level) {
                    cut.rotate_left(1);
                }
            }
            for pair in cut.chunks_exact(2) {
                links.entry(pair[0]).or_default().push(pair[1]);
                links.entry(pair[1]).or_default().push(pair[0]);
            }
        }
    }
    let place = |side: &Side| {
        let share = |a: f64, b: f64| {
            if a.is_finite() && b.is_finite() { ((level - a) / (b - a)).clamp(0.0, 1.0) } else { 0.5 }
        };
        match *side {
            Side::Right(i, j) => (i as f64 + share(value(i, j), value(i + 1, j)), j as f64),
            Side::Up(i, j) => (i as f64, j as f64 + share(value(i, j), value(i, j + 1))),
        }
    };
    let mut lines = Vec::new();
    let mut done: BTreeSet<Side> = BTreeSet::new();
    // Lines that end at the edge from one of their ends, then those that are closed.
    let ends = links.iter().filter(|(_, near)| near.len() == 1).map(|(side, _)| *side);
    let starts: Vec<Side> = ends.chain(links.keys().copied()).collect();
    for start in starts {
        if !done.insert(start) {
            continue;
        }
        let mut line = vec![place(&start)];
        let mut here = start;
        while let Some(next) = links[&here].iter().find(|side| !done.contains(side)) {
            here = *next;
            done.insert(here);
            line.push(place(&here));
        }
        if line.len() > 2 && links[&here].contains(&start) {
            line.push(line[0]);
        }
        lines.push(line);
    }
    lines.retain(|line| line.len() > 1);
    lines
}

#[cfg(test)]
mod tests {
    use super::contour;

    #[test]
    fn a_slope_has_a_straight_line_at_its_level() {
        let lines = contour(3, 3, &|i, _| i as f64, 0.5);
        assert_eq!(lines, [vec![(0.5, 0.0), (0.5, 1.0), (0.5, 2.0)]]);
    }

    #[test]
    fn a_hill_has_a_closed_line_around_it() {
        let lines = contour(3, 3, &|i, j| if (i, j) == (1, 1) { 2.0 } else { 0.0 }, 1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].len(), 5);
        assert_eq!(lines[0].first(), lines[0].last());
    }

    #[test]
    fn at_a_saddle_two_lines_do_not_cross() {
        // Above at two opposite corners; the mean decides which corners are cut off.
        for (high, cut_off) in [(4.0, "the low corners"), (1.5, "the high corners")] {
            let lines = contour(2, 2, &|i, j| if i == j { high } else { 0.0 }, 1.0);
            assert_eq!(lines.len(), 2, "{cut_off}: {lines:?}");
            let near = |line: &Vec<(f64, f64)>, corner: (f64, f64)| {
                line.iter().all(|point| (point.0 - corner.0).abs() + (point.1 - corner.1).abs() <= 1.0)
            };
            let corners = if high > 2.0 { [(1.0, 0.0), (0.0, 1.0)] } else { [(0.0, 0.0), (1.0, 1.0)] };
            for corner in corners {
                assert!(lines.iter().any(|line| near(line, corner)), "{cut_off}: {lines:?}");
            }
        }
    }

    #[test]
    fn odd_values_make_no_line_or_one_within_the_grid() {
        assert!(contour(2, 2, &|_, _| f64::NAN, 1.0).is_empty());
        assert!(contour(0, 5, &|_, _| 1.0, 1.0).is_empty());
        let lines = contour(2, 2, &|i, _| if i == 0 { 0.0 } else { f64::INFINITY }, 1.0);
        assert_eq!(lines, [vec![(0.5, 0.0), (0.5, 1.0)]]);
    }
}
