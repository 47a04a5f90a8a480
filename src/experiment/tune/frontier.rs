//! Two objectives: which settings are such that no other is better in both, and which of them is the knee.
//!
//! ```text
//!   second │  ●───┐
//!   (more  │      ●──┐          ● on the frontier
//!   is     │   ○     ◆─────┐    ◆ the knee: farthest from the line between the ends
//!   better)│     ○   ○     ●    ○ another is better in both
//!          └──────────────────► first
//! ```
//!
//! Source: K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE Trans. Evol. Comput. 6 (2002), for the
//! fronts and the room around a point; I. Das, "On characterizing the knee of the Pareto curve", Structural Optimization 18 (1999).

/// A setting's two figures, each turned so that more is better.
pub(super) type Both = [f64; 2];

fn dominates(a: Both, b: Both) -> bool {
    a[0] >= b[0] && a[1] >= b[1] && a != b
}

/// The front of each point, from 0: how often the frontier must be taken away until the point is on it.
pub(super) fn fronts(points: &[Both]) -> Vec<usize> {
    let mut fronts = vec![usize::MAX; points.len()];
    for front in 0..points.len() {
        let left: Vec<usize> = (0..points.len()).filter(|&it| fronts[it] == usize::MAX).collect();
        if left.is_empty() {
            break;
        }
        for &it in &left {
            if !left.iter().any(|&other| dominates(points[other], points[it])) {
                fronts[it] = front;
            }
        }
    }
    fronts
}

/// The numbers of the points in an order in which the best come first: by fronts, and within a front those with the most room around
/// them, its ends before all.
pub(super) fn ranked(points: &[Both]) -> Vec<usize> {
    let fronts = fronts(points);
    let mut room = vec![0.0_f64; points.len()];
    for front in 0..points.len() {
        let mut members: Vec<usize> = (0..points.len()).filter(|&it| fronts[it] == front).collect();
        for of in [|it: &Both| it[0], |it: &Both| it[1]] {
            members.sort_by(|&a, &b| of(&points[a]).total_cmp(&of(&points[b])));
            let (Some(&first), Some(&last)) = (members.first(), members.last()) else { break };
            let width = of(&points[last]) - of(&points[first]);
            room[first] = f64::INFINITY;
            room[last] = f64::INFINITY;
            for around in members.windows(3) {
                let apart = (of(&points[around[2]]) - of(&points[around[0]])) / width;
                room[around[1]] += if apart.is_finite() { apart } else { 0.0 };
            }
        }
    }
    let mut ranked: Vec<usize> = (0..points.len()).collect();
    ranked.sort_by(|&a, &b| fronts[a].cmp(&fronts[b]).then(room[b].total_cmp(&room[a])));
    ranked
}

/// The knee of a frontier: where it is farthest from the line between its ends, both figures measured by how far the ends are apart.
/// [`None`] if nothing lies beyond that line.
pub(super) fn knee(frontier: &[Both]) -> Option<usize> {
    let finite = || frontier.iter().enumerate().filter(|(_, it)| it.iter().all(|value| value.is_finite()));
    let (_, &right) = finite().max_by(|a, b| a.1[0].total_cmp(&b.1[0]))?;
    let (_, &left) = finite().max_by(|a, b| a.1[1].total_cmp(&b.1[1]))?;
    let (width, height) = (right[0] - left[0], left[1] - right[1]);
    // Above the line between (0, 1) and (1, 0), the sum of both is more than 1.
    let beyond = |it: &Both| (it[0] - left[0]) / width + (it[1] - right[1]) / height - 1.0;
    let most = finite().max_by(|a, b| beyond(a.1).total_cmp(&beyond(b.1)))?;
    (beyond(most.1) > 1e-9).then_some(most.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fronts_of_known_points() {
        let points = [[1.0, 5.0], [3.0, 4.0], [5.0, 1.0], [2.0, 3.0], [4.0, 0.5], [1.0, 1.0], [1.0, 5.0]];
        assert_eq!(fronts(&points), [0, 0, 0, 1, 1, 2, 0], "equal points are on the same front");
        let never = f64::NEG_INFINITY;
        assert_eq!(fronts(&[[never, 2.0], [1.0, 1.0], [never, 1.0]]), [0, 0, 1]);
    }

    #[test]
    fn the_ends_of_a_front_come_first_then_those_with_room() {
        let points = [[0.0, 10.0], [1.0, 9.0], [1.1, 8.9], [5.0, 5.0], [10.0, 0.0], [0.0, 0.0]];
        let ranked = ranked(&points);
        assert_eq!([ranked[0], ranked[1], ranked[2]], [0, 4, 3]);
        assert_eq!(ranked[5], 5);
    }

    #[test]
    fn the_knee_is_farthest_from_the_line_between_the_ends() {
        // A frontier x y = 1 between 1/10 and 10: symmetric, its knee is in the middle.
        let frontier: Vec<Both> = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0].map(|x| [-x, -1.0 / x]).to_vec();
        assert_eq!(knee(&frontier), Some(3));
        assert_eq!(knee(&[[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]), None, "a straight line has none");
        assert_eq!(knee(&[[0.0, 1.0]]), None);
        assert_eq!(knee(&[]), None);
        assert_eq!(knee(&[[f64::NEG_INFINITY, 9.0], [0.0, 1.0], [0.9, 0.9], [1.0, 0.0]]), Some(2));
    }
}
