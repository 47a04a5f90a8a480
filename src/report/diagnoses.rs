//! `diagnoses.csv`: the mechanisms that were at work, a row each. A table of its own, because a run has any number of them.

use super::tables::{cell, text};
use crate::experiment::PointResult;

/// Its columns behind those of the point.
pub(super) const COLUMNS: &[&str] = &["seed", "diagnosis", "entity", "since", "evidence", "remedy", "path", "value"];

/// The rows of a point.
pub(super) fn rows(point: &PointResult) -> impl Iterator<Item = [String; 8]> {
    point.seeds.iter().zip(&point.verdicts).flat_map(|(seed, verdict)| {
        verdict.diagnoses.iter().map(move |it| {
            let (path, value) = it.remedy.set.as_ref().map_or(("", ""), |(path, value)| (path, value));
            [
                seed.to_string(),
                it.mechanism.name().to_owned(),
                it.entity.clone(),
                cell(it.since),
                it.evidence.clone(),
                it.remedy.text.clone(),
                text(path),
                text(value),
            ]
        })
    })
}
