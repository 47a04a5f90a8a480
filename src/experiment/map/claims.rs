//! What is claimed of a map, and whether it is so: the interval of the boundary is held against the bounds, as that of a mean is in `run`.

use super::{Row, State};
use crate::experiment::Holds;
use crate::scenario::map::{Claim, Everywhere};
use crate::scenario::source::Spanned;
use crate::scenario::tree::Node;
use crate::scenario::{Axis, Scenario, matches};

/// A claim for a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In words.
    pub claim: String,
    /// The number of the row.
    pub row: usize,
    /// What is claimed, as written.
    pub bound: String,
    /// Whether it holds.
    pub holds: Holds,
}

pub(super) fn judge(scenario: &Scenario, along: usize, claims: &[Spanned<Claim>], rows: &[Row]) -> Vec<Judged> {
    let mut judged = Vec::new();
    for claim in claims {
        for (number, row) in rows.iter().enumerate().filter(|(_, row)| matches(scenario, &row.point, &claim.filter)) {
            let (holds, bound) = holds(&scenario.axes[along], claim, row);
            judged.push(Judged { claim: claim.claim.clone(), row: number, bound, holds });
        }
    }
    judged
}

fn holds(axis: &Axis, claim: &Claim, row: &Row) -> (Holds, String) {
    if let Some(everywhere) = claim.everywhere {
        let (state, words) = match everywhere {
            Everywhere::Recovers => (State::Recovers, "recovers everywhere"),
            Everywhere::Stuck => (State::Stuck, "is stuck everywhere"),
        };
        return (if row.state() == state { Holds::Yes } else { Holds::No }, words.to_owned());
    }
    let label = |bound: &Option<Node>| bound.as_ref().map(Node::label);
    let words = [(">=", label(&claim.at_least)), ("<=", label(&claim.at_most))];
    let words: Vec<String> = words.into_iter().filter_map(|(sign, bound)| Some(format!("{sign} {}", bound?))).collect();
    let [boundary] = row.boundaries[..] else { return (Holds::No, words.join(" and ")) };
    let number = |bound: &Option<Node>| bound.as_ref().and_then(|bound| axis.read(bound));
    let (low, high) = boundary.interval();
    let least = number(&claim.at_least).map_or(Holds::Yes, |bound| side(low >= bound, high < bound));
    let most = number(&claim.at_most).map_or(Holds::Yes, |bound| side(high <= bound, low > bound));
    (least.and(most), words.join(" and "))
}

fn side(keeps: bool, beyond: bool) -> Holds {
    match (keeps, beyond) {
        (true, _) => Holds::Yes,
        (_, true) => Holds::No,
        _ => Holds::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::map::search::Boundary;

    #[test]
    fn a_bound_within_the_interval_of_the_boundary_decides_nothing() {
        let boundary = |first, second| Boundary { below: false, all: None, half: [first, second], none: None };
        let (low, high) = boundary(Some(34.0), Some(33.0)).interval();
        assert_eq!((low, high), (33.0, 34.0), "seen from above");
        let least = |bound: f64| side(low >= bound, high < bound);
        assert_eq!([33.0, 33.5, 34.0, 34.5].map(least), [Holds::Yes, Holds::Undecided, Holds::Undecided, Holds::No]);
        let (_, open) = boundary(None, Some(33.0)).interval();
        assert_eq!(side(open <= 1e9, 33.0 > 1e9), Holds::Undecided, "the range ends before it is clear");
    }
}
