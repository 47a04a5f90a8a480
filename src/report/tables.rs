//! The tables: CSV files and the manifest. No dates, no paths, no machine names: equal inputs, equal bytes.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::experiment::{Facts, Judged, PointResult, Summary, Swept};
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

/// The tables with rows for each point, and the names of their columns before and after those of the axes.
const TABLES: [(&str, &[&str], &[&str]); 5] = [
    ("summary.csv", &["point"], &["seed", "window", "entity", "metric", "value"]),
    (
        "aggregate.csv",
        &["point"],
        &["window", "entity", "metric", "n", "mean", "sd", "ci_low", "ci_high", "min", "median", "max"],
    ),
    ("timeline.csv", &["point"], &["seed", "t", "entity", "metric", "value"]),
    ("verdicts.csv", &["point"], &["seed", "verdict", "since", "evidence"]),
    ("diagnoses.csv", &["point"], super::diagnoses::COLUMNS),
];

/// Which of the tables that [`rows`] makes rows for is `aggregate.csv`.
pub const AGGREGATE: usize = 1;

/// A table in memory.
type Table = csv::Writer<Vec<u8>>;

pub(super) fn bytes(table: Table) -> io::Result<Vec<u8>> {
    table.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn header(scenario: &Scenario, before: &[&str], after: &[&str]) -> io::Result<Table> {
    let mut table = Table::from_writer(Vec::new());
    let axes: Vec<String> = scenario.axes.iter().map(|axis| text(&axis.name)).collect();
    table.write_record(before.iter().copied().chain(axes.iter().map(String::as_str)).chain(after.iter().copied()))?;
    Ok(table)
}

/// The rows of a point, for each table in which every point has some.
///
/// # Errors
/// When a row cannot be written.
pub fn rows(scenario: &Scenario, point: &PointResult) -> io::Result<Vec<Vec<u8>>> {
    let [mut summary, mut aggregate, mut timeline, mut verdicts, mut diagnoses] =
        [(); 5].map(|()| Table::from_writer(Vec::new()));
    let labels = scenario.labels(&point.point).into_iter().map(text);
    let start: Vec<String> = std::iter::once(point.number.to_string()).chain(labels).collect();
    let row = |table: &mut Table, cells: &[&str]| {
        table.write_record(start.iter().map(String::as_str).chain(cells.iter().copied()))
    };
    let seeds: Vec<String> = point.seeds.iter().map(u64::to_string).collect();
    for (window, spec) in point.plan.schedule.windows.iter().enumerate() {
        let columns = point.runs.first().map_or(&[][..], |run| &run.columns);
        for (column, it) in columns.iter().enumerate() {
            let values: Vec<f64> = point.runs.iter().map(|run| run.windows[window][column]).collect();
            for (seed, value) in seeds.iter().zip(&values).filter(|(_, value)| !value.is_nan()) {
                row(&mut summary, &[seed, &spec.name, &it.entity, it.metric, &cell(*value)])?;
            }
            let all = Summary::of(&values);
            if all.n > 0 {
                let figures = [all.mean, all.sd, all.low, all.high, all.min, all.median, all.max].map(cell);
                let n = all.n.to_string();
                let names = [&*spec.name, &*it.entity, it.metric, &*n];
                let cells: Vec<&str> = names.into_iter().chain(figures.iter().map(String::as_str)).collect();
                row(&mut aggregate, &cells)?;
            }
        }
    }
    for (seed, run) in seeds.iter().zip(&point.runs) {
        for (time, values) in run.times.iter().zip(&run.timeline) {
            let time = cell(*time);
            for (track, value) in run.tracks.iter().zip(values).filter(|(_, value)| !value.is_nan()) {
                row(&mut timeline, &[seed, &time, &track.entity, track.metric, &cell(*value)])?;
            }
        }
    }
    for (seed, verdict) in seeds.iter().zip(&point.verdicts) {
        row(&mut verdicts, &[seed, verdict.name.name(), &cell(verdict.since), &verdict.evidence])?;
    }
    for cells in super::diagnoses::rows(point) {
        row(&mut diagnoses, &cells.each_ref().map(String::as_str))?;
    }
    [summary, aggregate, timeline, verdicts, diagnoses].into_iter().map(bytes).collect()
}

/// Tables that grow by points. They are made in one folder and moved to that of the results when they are whole.
#[derive(Debug)]
pub struct Tables {
    folder: PathBuf,
    files: Vec<io::BufWriter<fs::File>>,
}

impl Tables {
    /// Begins all tables in a folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn begin(folder: &Path, scenario: &Scenario) -> io::Result<Self> {
        let folder = folder.join("tables");
        fs::create_dir_all(&folder)?;
        let file = |(name, before, after): (&str, &[&str], &[&str])| -> io::Result<io::BufWriter<fs::File>> {
            let mut file = io::BufWriter::new(fs::File::create(folder.join(name))?);
            file.write_all(&bytes(header(scenario, before, after)?)?)?;
            Ok(file)
        };
        let files = TABLES.into_iter().map(file).collect::<io::Result<_>>()?;
        Ok(Self { folder, files })
    }

    /// Appends the rows of the next point.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, rows: &[&[u8]]) -> io::Result<()> {
        self.files.iter_mut().zip(rows).try_for_each(|(file, rows)| file.write_all(rows))
    }

    /// Moves the tables to the folder of results, beside the claims and the manifest. Charts, traces and the report of earlier runs are removed,
    /// and what an earlier map or search has left: it may be of other inputs.
    ///
    /// # Errors
    /// When a file cannot be written or moved.
    pub fn finish(mut self, results: &Path, scenario: &Scenario, swept: &Swept) -> io::Result<()> {
        self.files.iter_mut().try_for_each(io::Write::flush)?;
        fs::create_dir_all(results)?;
        remove_old_charts(results)?;
        super::trace::remove_old(results)?;
        super::html::remove_old(results)?;
        super::map::remove_old(results)?;
        super::tune::remove_old(results)?;
        // Gone if nothing else is in it.
        let _ = fs::remove_dir(results.join("charts"));
        for (name, ..) in TABLES {
            of_file(name, fs::rename(self.folder.join(name), results.join(name)))?;
        }
        put(results, "claims.csv", &claims(scenario, &swept.claims)?)?;
        put(results, "junit.xml", &super::junit::write(scenario, swept)?)?;
        put(results, "summary.md", super::markdown::write(scenario, swept).as_bytes())?;
        put_or_remove(results, "remedies.csv", remedies(scenario, &swept.points)?)?;
        put(results, "manifest.json", manifest(scenario, swept).as_bytes())
    }
}

fn claims(scenario: &Scenario, claims: &[Judged]) -> io::Result<Vec<u8>> {
    let after = ["metric", "value", "ci_low", "ci_high", "bound", "holds"];
    let mut table = header(scenario, &["claim", "point"], &after)?;
    for claim in claims {
        let point = scenario.point(claim.point);
        let labels = scenario.labels(&point).into_iter().map(text);
        let holds = claim.holds.name();
        let value = &claim.value;
        let after = [&claim.metric, &cell(value.mean), &cell(value.low), &cell(value.high), &claim.bound, holds]
            .map(str::to_owned);
        table.write_record([text(&claim.claim), claim.point.to_string()].into_iter().chain(labels).chain(after))?;
    }
    bytes(table)
}

/// The remedies that were tried, a row for each figure; nothing if none was.
fn remedies(scenario: &Scenario, points: &[Facts]) -> io::Result<Option<Vec<u8>>> {
    let after = [
        "diagnosis",
        "path",
        "value",
        "runs",
        "came_back",
        "refused",
        "entity",
        "metric",
        "window",
        "without",
        "with",
        "difference",
        "ci_low",
        "ci_high",
        "finding",
    ];
    let mut table = header(scenario, &["point"], &after)?;
    let mut any = false;
    for (number, tried) in points.iter().enumerate().filter_map(|(number, facts)| Some((number, facts.tried.as_ref()?)))
    {
        any = true;
        let point = scenario.point(number);
        let labels = scenario.labels(&point).into_iter().map(text);
        let (path, value) = tried.set();
        let came_back = tried.verdicts.iter().filter(|it| it.name.came_back()).count();
        let start: Vec<String> = std::iter::once(number.to_string())
            .chain(labels)
            .chain([tried.diagnosis.mechanism.name().to_owned(), text(path), text(value)])
            .chain([
                tried.verdicts.len().to_string(),
                came_back.to_string(),
                text(tried.refused.as_deref().unwrap_or_default()),
            ])
            .collect();
        let rows = tried.rows();
        let figures = rows.iter().map(|row| {
            let it = &row.difference;
            // Medians without a difference, where the mean would be infinite.
            let figures = match &row.order {
                Some(order) => [order.a.value, order.b.value, f64::NAN, f64::NAN, f64::NAN],
                None => [it.a.mean, it.b.mean, it.paired.mean, it.paired.low, it.paired.high],
            };
            let window = if row.metric == "recovery_time" { "all" } else { &tried.window };
            [row.entity.clone(), row.metric.to_owned(), window.to_owned()]
                .into_iter()
                .chain(figures.map(cell))
                .chain([row.finding().name().to_owned()])
                .collect::<Vec<_>>()
        });
        let none = vec![String::new(); 9];
        let figures = if rows.is_empty() { vec![none] } else { figures.collect() };
        for figure in figures {
            table.write_record(start.iter().chain(&figure))?;
        }
    }
    if any { bytes(table).map(Some) } else { Ok(None) }
}

/// Writes a file that is there only if it was asked for; one of an earlier run is removed.
fn put_or_remove(folder: &Path, name: &str, bytes: Option<Vec<u8>>) -> io::Result<()> {
    match bytes {
        Some(bytes) => put(folder, name, &bytes),
        None => remove(folder, name),
    }
}

/// Removes a file of earlier results, if it is there.
pub(super) fn remove(folder: &Path, name: &str) -> io::Result<()> {
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => of_file(name, done),
    }
}

/// Names a file of the results in an error.
fn of_file<T>(name: &str, done: io::Result<T>) -> io::Result<T> {
    done.map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

/// Removes the charts of earlier runs, which may have been others: files named like ours, `01-…`.
fn remove_old_charts(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder.join("charts")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let numbered = name.split_once('-').is_some_and(|(number, _)| number.bytes().all(|b| b.is_ascii_digit()));
        if numbered && (name.ends_with(".svg") || name.ends_with(".png")) {
            fs::remove_file(&path)?;
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
    let temporary = target.with_extension("part");
    let written = target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&temporary, bytes));
    let moved = written.and_then(|()| fs::rename(&temporary, &target));
    if moved.is_err() {
        // Half a file would only puzzle.
        let _ = fs::remove_file(&temporary);
    }
    of_file(name, moved)
}

fn manifest(scenario: &Scenario, swept: &Swept) -> String {
    let points: Vec<serde_json::Value> = swept
        .points
        .iter()
        .enumerate()
        .map(|(number, facts)| {
            let stopped: Vec<String> = facts
                .seeds
                .iter()
                .zip(&facts.stopped)
                .filter_map(|(seed, stopped)| Some(format!("seed {seed}: {}", stopped.as_ref()?)))
                .collect();
            serde_json::json!({
                "values": scenario.labels(&scenario.point(number)),
                "seeds": facts.seeds,
                "events": facts.events,
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
