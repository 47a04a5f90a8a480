//! A remedy tried: the point once more, with the value that its first diagnosis proposes, and the same seeds.
//!
//! The runs are paired, so that what is told is what the remedy did and not what the luck was (`statistics::paired`).

use serde::{Deserialize, Serialize};

use super::compare::{Row, row};
use super::verdict::{Diagnosis, Verdict, told};
use super::{PointResult, replicate};
use crate::scenario::source::{Diagnostics, Sources};
use crate::scenario::{AxisValue, Scenario};

/// What is compared, for each client: how much is answered in time, and how long it took to come back.
const METRICS: [&str; 2] = ["goodput", "recovery_time"];

/// A remedy that was tried at a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The diagnosis whose remedy it is: the first of the most telling run that has a value to set.
    pub diagnosis: Diagnosis,
    /// How the runs ended with it, seed by seed; empty if it could not be tried.
    pub verdicts: Vec<Verdict>,
    /// The window of the figures: `after` the faults if there is such a time, else `all`.
    pub window: String,
    /// Entity, metric, and its values for each seed: without the remedy, and with it.
    pub figures: Vec<(String, String, Vec<f64>, Vec<f64>)>,
    /// Why it could not be tried.
    pub refused: Option<String>,
}

impl Tried {
    /// Path and value, as `--set` takes them.
    #[must_use]
    pub fn set(&self) -> (&str, &str) {
        self.diagnosis.remedy.set.as_ref().map_or(("", ""), |(path, value)| (path, value))
    }

    /// The figures, compared pair by pair: A without the remedy, B with it.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let known = |(entity, name, without, with): &(String, String, Vec<f64>, Vec<f64>)| {
            Some(row(entity.clone(), crate::measure::metric(name)?.name, without, with))
        };
        self.figures.iter().filter_map(known).collect()
    }
}

/// Tries the remedy of a point. [`None`] if no run has a diagnosis with a value to set.
pub(super) fn try_first(scenario: &Scenario, point: &PointResult, tick: &(dyn Fn() + Sync)) -> Option<Tried> {
    let most = told(&point.seeds, &point.verdicts)?;
    let diagnosis = most.verdict.diagnoses.iter().find(|it| it.remedy.set.is_some())?.clone();
    let (path, value) = diagnosis.remedy.set.clone()?;
    let plan = &point.plan;
    let window = if plan.schedule.windows.iter().any(|it| it.name == "after") { "after" } else { "all" };
    let mut tried =
        Tried { diagnosis, verdicts: Vec::new(), window: window.to_owned(), figures: Vec::new(), refused: None };
    // A mistake here is one of the remedy, and is told in words.
    let mut sources = Sources::new();
    let mut found = Diagnostics::new();
    let remedied =
        AxisValue::set(&path, &value, &mut sources).map_err(|wrong| found.extend(wrong)).ok().and_then(|it| {
            let mut values = scenario.values(&point.point);
            values.push(&it);
            scenario.plan_with(&values, &mut found)
        });
    let Some((remedied, _)) = remedied else {
        tried.refused = Some(found.into_iter().map(|it| it.message).collect::<Vec<_>>().join("; "));
        return Some(tried);
    };
    let replicated = replicate(&remedied, &point.seeds, 0, tick);
    for client in &plan.clients {
        let entity = format!("client/{}", client.name);
        for metric in METRICS {
            let window = if metric == "recovery_time" { "all" } else { window };
            let figure = |plan, run: &crate::measure::Run| run.value(plan, window, &entity, metric).unwrap_or(f64::NAN);
            let without = point.runs.iter().map(|run| figure(plan, run)).collect();
            let with = replicated.iter().map(|(run, _)| figure(&remedied, run)).collect();
            tried.figures.push((entity.clone(), metric.to_owned(), without, with));
        }
    }
    tried.verdicts = replicated.into_iter().map(|(_, verdict)| verdict).collect();
    Some(tried)
}
