//! The tables: CSV files and the manifest. No dates, no paths, no machine names: equal inputs, equal bytes.

use std::io;
use std::path::Path;

use crate::experiment::{Results, Summary};
use crate::scenario::Scenario;

/// A number with at most nine significant digits, as short as it can be; empty for what is not a number.
pub(crate) fn cell(value: f64) -> String {
    if value.is_nan() {
        return String::new();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    // Rounding through text: the nearest of the numbers with nine digits, written in the shortest way.
    let rounded: f64 = format!("{value:.8e}").parse().unwrap_or(value);
    format!("{rounded}")
}

/// Text in which a spreadsheet sees no formula.
pub(crate) fn text(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{value}") } else { value.to_owned() }
}

/// Writes all tables of an experiment into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write(folder: &Path, scenario: &Scenario, results: &Results) -> io::Result<()> {
    remove_old_charts(folder)?;
    let axes: Vec<String> = scenario.axes.iter().map(|axis| text(&axis.name)).collect();
    let table = |name: &str, before: &[&str], after: &[&str]| -> io::Result<(csv::Writer<Vec<u8>>, String)> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = before.iter().map(|it| (*it).to_owned()).chain(axes.iter().cloned());
        writer.write_record(header.chain(after.iter().map(|it| (*it).to_owned())))?;
        Ok((writer, name.to_owned()))
    };
    let (mut summary, summary_name) =
        table("summary.csv", &["point"], &["seed", "window", "entity", "metric", "value"])?;
    let (mut aggregate, aggregate_name) = table(
        "aggregate.csv",
        &["point"],
        &["window", "entity", "metric", "n", "mean", "sd", "ci_low", "ci_high", "min", "median", "max"],
    )?;
    let (mut timeline, timeline_name) = table("timeline.csv", &["point"], &["seed", "t", "entity", "metric", "value"])?;
    let (mut verdicts, verdicts_name) = table("verdicts.csv", &["point"], &["seed", "verdict", "since", "evidence"])?;
    let (mut claims, claims_name) =
        table("claims.csv", &["claim", "point"], &["metric", "value", "ci_low", "ci_high", "bound", "holds"])?;
    for (number, point) in results.points.iter().enumerate() {
        let labels: Vec<String> = scenario.labels(&point.point).into_iter().map(text).collect();
        let start: Vec<String> = std::iter::once(number.to_string()).chain(labels).collect();
        let row = |cells: &[&str]| -> Vec<String> {
            start.iter().cloned().chain(cells.iter().map(|it| (*it).to_owned())).collect()
        };
        for (window, spec) in point.plan.schedule.windows.iter().enumerate() {
            let columns = point.runs.first().map_or(&[][..], |run| &run.columns);
            for (column, it) in columns.iter().enumerate() {
                let values: Vec<f64> = point.runs.iter().map(|run| run.windows[window][column]).collect();
                for (seed, value) in point.seeds.iter().zip(&values).filter(|(_, value)| !value.is_nan()) {
                    summary.write_record(row(&[
                        &seed.to_string(),
                        &spec.name,
                        &it.entity,
                        it.metric,
                        &cell(*value),
                    ]))?;
                }
                let all = Summary::of(&values);
                if all.n > 0 {
                    aggregate.write_record(row(&[
                        &spec.name,
                        &it.entity,
                        it.metric,
                        &all.n.to_string(),
                        &cell(all.mean),
                        &cell(all.sd),
                        &cell(all.low),
                        &cell(all.high),
                        &cell(all.min),
                        &cell(all.median),
                        &cell(all.max),
                    ]))?;
                }
            }
        }
        for (seed, run) in point.seeds.iter().zip(&point.runs) {
            let seed = seed.to_string();
            for (time, values) in run.times.iter().zip(&run.timeline) {
                let time = cell(*time);
                for (track, value) in run.tracks.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                    timeline.write_record(row(&[&seed, &time, &track.entity, track.metric, &cell(*value)]))?;
                }
            }
        }
        for (seed, verdict) in point.seeds.iter().zip(&point.verdicts) {
            let cells = [&seed.to_string(), verdict.name.name(), &cell(verdict.since), &verdict.evidence];
            verdicts.write_record(row(&cells))?;
        }
    }
    for claim in &results.claims {
        let point = &results.points[claim.point];
        let labels = scenario.labels(&point.point).into_iter().map(text);
        let holds = claim.holds.name();
        let value = &claim.value;
        let after = [&claim.metric, &cell(value.mean), &cell(value.low), &cell(value.high), &claim.bound, holds]
            .map(str::to_owned);
        claims.write_record([text(&claim.claim), claim.point.to_string()].into_iter().chain(labels).chain(after))?;
    }
    let tables = [
        (summary, summary_name),
        (aggregate, aggregate_name),
        (timeline, timeline_name),
        (verdicts, verdicts_name),
        (claims, claims_name),
    ];
    for (table, name) in tables {
        let bytes = table.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        put(folder, &name, &bytes)?;
    }
    put(folder, "diagnoses.csv", &super::diagnoses::table(scenario, results)?)?;
    put(folder, "manifest.json", manifest(scenario, results).as_bytes())
}

/// Removes the charts of earlier runs, which may have been others: files named like ours, `01-…`.
fn remove_old_charts(folder: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder.join("charts")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let numbered = name.split_once('-').is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
        if numbered && (name.ends_with(".svg") || name.ends_with(".png")) {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Writes a file under a temporary name and renames it, so that nobody ever reads half of it.
///
/// # Errors
/// When it cannot be written.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let target = folder.join(name);
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let temporary = target.with_extension("part");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, &target)
}

fn manifest(scenario: &Scenario, results: &Results) -> String {
    let points: Vec<serde_json::Value> = results
        .points
        .iter()
        .map(|point| {
            let stopped: Vec<String> = point
                .seeds
                .iter()
                .zip(&point.runs)
                .filter_map(|(seed, run)| Some(format!("seed {seed}: {}", run.stopped.as_ref()?)))
                .collect();
            serde_json::json!({
                "values": scenario.labels(&point.point),
                "seeds": point.seeds,
                "events": point.runs.iter().map(|run| run.events).collect::<Vec<_>>(),
                "stopped": stopped,
            })
        })
        .collect();
    let inputs: Vec<serde_json::Value> = scenario
        .inputs()
        .into_iter()
        .map(|(name, hash)| serde_json::json!({ "name": name, "fnv1a": format!("{hash:016x}") }))
        .collect();
    let manifest = serde_json::json!({
        "experiment": scenario.name,
        "version": env!("CARGO_PKG_VERSION"),
        "inputs": inputs,
        "axes": scenario.axes.iter().map(|axis| &axis.name).collect::<Vec<_>>(),
        "points": points,
    });
    let mut text = serde_json::to_string_pretty(&manifest).expect("a tree of plain values can be written");
    text.push('\n');
    text
}
