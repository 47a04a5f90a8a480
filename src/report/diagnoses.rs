//! `diagnoses.csv`: the mechanisms that were at work, a row each. A table of its own, because a run has any number of them.

use std::io;

use super::tables::{cell, text};
use crate::experiment::Results;
use crate::scenario::Scenario;

/// The bytes of the table.
pub(super) fn table(scenario: &Scenario, results: &Results) -> io::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let axes = scenario.axes.iter().map(|axis| text(&axis.name));
    let columns = ["seed", "diagnosis", "entity", "since", "evidence", "remedy", "path", "value"].map(str::to_owned);
    table.write_record(std::iter::once("point".to_owned()).chain(axes).chain(columns))?;
    for (number, point) in results.points.iter().enumerate() {
        let labels: Vec<String> = scenario.labels(&point.point).into_iter().map(text).collect();
        for (seed, verdict) in point.seeds.iter().zip(&point.verdicts) {
            for it in &verdict.diagnoses {
                let (path, value) = it.remedy.set.as_ref().map_or(("", ""), |(path, value)| (path, value));
                let cells = [
                    seed.to_string(),
                    it.mechanism.name().to_owned(),
                    it.entity.clone(),
                    cell(it.since),
                    it.evidence.clone(),
                    it.remedy.text.clone(),
                    text(path),
                    text(value),
                ];
                table.write_record(std::iter::once(number.to_string()).chain(labels.iter().cloned()).chain(cells))?;
            }
        }
    }
    table.into_inner().map_err(|error| io::Error::other(error.to_string()))
}
