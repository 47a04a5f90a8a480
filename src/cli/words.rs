//! What is said to a person: verdicts, lists, manuals.

use std::fmt::Write as _;
use std::path::Path;

use super::reference::Reference;
use super::{ALL_WELL, WRONG_INPUT, say, tell};
use crate::experiment::{Facts, Swept};
use crate::measure::METRICS;
use crate::policy::presets::{Kind, PRESETS, Preset};
use crate::policy::{PATTERNS, Pattern, Written};
use crate::scenario::Scenario;
use crate::scenario::experiment::Fault;
use crate::scenario::model::{Operation, Service};
use crate::scenario::source::{Sources, did_you_mean};
use crate::scenario::tree;
use crate::{admission, balance};

/// Every fault, with one line.
const FAULTS: [(&str, &str); 7] = [
    ("slow", "work that begins takes longer, at a service, a replica or a share of the replicas"),
    ("errors", "a share of the requests fails, after their work or before it"),
    ("crash", "the process is gone with what it held, and starts afresh"),
    ("pause", "the process stands still, and goes on where it was"),
    ("partition", "messages between two parts are lost, both ways or one way"),
    ("link", "a link is slower, lossier or narrower"),
    ("surge", "a client's load is multiplied"),
];

/// Every failure mode that has a page: its name, one line, and the page.
const FAILURES: [(&str, &str, &str); 2] = [
    (
        "retry-storm",
        "retries multiply the load, and keep an outage alive after its cause is gone",
        include_str!("../../docs/failures/retry-storm.md"),
    ),
    (
        "cascade",
        "a slow service takes the threads of all above it, and of who shares them",
        include_str!("../../docs/failures/cascade.md"),
    ),
];

/// The patterns of callers, of servers and of balancers.
fn all_patterns() -> impl Iterator<Item = &'static Pattern> {
    PATTERNS.iter().chain(admission::PATTERNS).chain(balance::PATTERNS)
}

/// Points that are told one by one.
const MOST_TOLD: usize = 50;

/// How the runs of a point ended, and the evidence of the first that ended as most did.
fn ended(point: &Facts) -> (String, String) {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for verdict in &point.verdicts {
        match counts.iter_mut().find(|(name, _)| *name == verdict.name.name()) {
            Some((_, count)) => *count += 1,
            None => counts.push((verdict.name.name(), 1)),
        }
    }
    counts.sort_by_key(|count| std::cmp::Reverse(count.1));
    let most = counts.first().map(|count| count.0);
    let example = point.seeds.iter().zip(&point.verdicts).find(|(_, verdict)| Some(verdict.name.name()) == most);
    let evidence = example.map_or_else(String::new, |(seed, verdict)| format!("seed {seed}: {}", verdict.evidence));
    let counts = counts.iter().map(|(name, n)| format!("{} in {n} of {}", name.replace('_', " "), point.seeds.len()));
    (counts.collect::<Vec<_>>().join(", "), evidence)
}

/// The verdict of an experiment in a few lines.
pub(super) fn verdict(scenario: &Scenario, results: &Swept, folder: &Path) -> String {
    let mut text = scenario.name.clone();
    if let Some(lesson) = &scenario.experiment.lesson {
        let _ = write!(text, ": {}", lesson.trim());
    }
    // With many points, those that ended alike are told together, by the first of them.
    let together = results.points.len() > MOST_TOLD;
    let mut told: Vec<(String, usize, String)> = Vec::new();
    for (number, point) in results.points.iter().enumerate() {
        let at = scenario.point(number);
        let labels = scenario.labels(&at);
        let pairs = scenario.axes.iter().zip(labels).map(|(axis, label)| format!("{} {label}", axis.name));
        let place = pairs.collect::<Vec<_>>().join(", ");
        let (counts, evidence) = ended(point);
        let mut stopped = String::new();
        for (seed, stopped_by) in point.seeds.iter().zip(&point.stopped) {
            if let Some(why) = stopped_by {
                let _ = write!(stopped, "\n    seed {seed} did not finish: {why}");
            }
        }
        if !together {
            let place = if place.is_empty() { place } else { format!("{place}: ") };
            let _ = write!(text, "\n  {place}{counts}\n    {evidence}{stopped}");
            continue;
        }
        match told.iter_mut().find(|other| other.0 == counts) {
            Some((_, points, more)) => {
                *points += 1;
                more.push_str(&stopped);
            }
            None => told.push((counts, 1, format!("\n    {place}\n    {evidence}{stopped}"))),
        }
    }
    for (counts, points, first) in told {
        let _ = write!(text, "\n  {points} points: {counts}; the first of them:{first}");
    }
    let (hold, all) = (results.claims.iter().filter(|claim| claim.holds).count(), results.claims.len());
    if all > 0 {
        let _ = write!(text, "\n  claims: {hold} of {all} hold");
        for claim in results.claims.iter().filter(|claim| !claim.holds) {
            let labels = scenario.labels(&scenario.point(claim.point)).join(", ");
            let _ = write!(
                text,
                "\n    does not hold ({labels}): {}; {} is {} [{}, {}], claimed {}",
                claim.claim,
                claim.metric,
                crate::experiment::brief(claim.value.mean),
                crate::experiment::brief(claim.value.low),
                crate::experiment::brief(claim.value.high),
                claim.bound
            );
        }
    }
    let _ = write!(text, "\n  results: {}", folder.display());
    text
}

/// The same for a program.
pub(super) fn verdict_json(scenario: &Scenario, results: &Swept) -> String {
    let points: Vec<serde_json::Value> = results
        .points
        .iter()
        .enumerate()
        .map(|(number, point)| {
            let runs = point.seeds.iter().zip(&point.verdicts).map(|(seed, verdict)| {
                serde_json::json!({ "seed": seed, "verdict": verdict.name.name(), "evidence": verdict.evidence })
            });
            serde_json::json!({ "values": scenario.labels(&scenario.point(number)), "runs": runs.collect::<Vec<_>>() })
        })
        .collect();
    let claims: Vec<serde_json::Value> = results
        .claims
        .iter()
        .map(|claim| {
            serde_json::json!({
                "claim": claim.claim, "point": claim.point, "metric": claim.metric,
                "value": claim.value.mean, "bound": claim.bound, "holds": claim.holds,
            })
        })
        .collect();
    let axes: Vec<&str> = scenario.axes.iter().map(|axis| axis.name.as_str()).collect();
    let all = serde_json::json!({ "experiment": scenario.name, "axes": axes, "points": points, "claims": claims });
    serde_json::to_string_pretty(&all).expect("a tree of plain values can be written")
}

fn files(folder: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_yaml = path.extension().is_some_and(|ending| ending == "yaml");
            let text = std::fs::read_to_string(&path).ok().filter(|_| is_yaml)?;
            let mut sources = Sources::new();
            let id = sources.add(path.display().to_string(), text);
            let tree = tree::parse(id, &sources).ok();
            let line = tree.as_ref().and_then(|tree| tree.get("lesson").or_else(|| tree.get("about"))?.as_str());
            Some((path.file_stem()?.to_string_lossy().into_owned(), line.unwrap_or("").trim().to_owned()))
        })
        .collect();
    found.sort();
    found
}

/// `list`: the names of everything, with one line each.
pub(super) fn list(what: Option<&str>) -> u8 {
    const KINDS: [&str; 7] = ["models", "experiments", "patterns", "presets", "faults", "failures", "metrics"];
    if let Some(what) = what
        && !KINDS.contains(&what)
    {
        let meant =
            did_you_mean(what, KINDS).map_or_else(|| KINDS.join(", "), |meant| format!("did you mean `{meant}`?"));
        tell(&format!("error: `{what}` is nothing to list: {meant}"));
        return WRONG_INPUT;
    }
    let plain =
        |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    for kind in KINDS.into_iter().filter(|kind| what.is_none_or(|what| what == *kind)) {
        let lines = match kind {
            "models" | "experiments" => files(kind),
            "patterns" => all_patterns().map(|it| (it.name.to_owned(), it.line.to_owned())).collect(),
            "presets" => PRESETS.iter().map(|it| (it.name.to_owned(), it.line.to_owned())).collect(),
            "faults" => plain(&FAULTS),
            "failures" => plain(&FAILURES.map(|it| (it.0, it.1))),
            _ => METRICS
                .iter()
                .map(|it| (it.name.to_owned(), format!("{} ({})", it.meaning, it.of.join(", "))))
                .collect(),
        };
        if what.is_none() {
            say(&format!("{kind}:"));
        }
        let width = lines.iter().map(|line| line.0.len()).max().unwrap_or(0);
        for (name, line) in lines {
            say(format!("  {name:width$}  {line}").trim_end());
        }
    }
    ALL_WELL
}

/// `explain`: the manual, from the doc comments of the options.
pub(super) fn explain(name: &str) -> u8 {
    let patterns = PATTERNS.iter().map(|it| (it.name, it.line.to_owned(), "policies"));
    let servers = admission::PATTERNS.iter().map(|it| (it.name, it.line.to_owned(), "servers"));
    let balancers = balance::PATTERNS.iter().map(|it| (it.name, it.line.to_owned(), "balancers"));
    let faults = FAULTS.iter().map(|it| (it.0, it.1.to_owned(), "faults"));
    let metrics = METRICS.iter().map(|it| (it.name, format!("{} (of: {})", it.meaning, it.of.join(", ")), "metrics"));
    let failures = FAILURES.iter().map(|it| (it.0, it.1.to_owned(), "failures"));
    let presets = PRESETS.iter().map(|it| (it.name, it.line.to_owned(), "presets"));
    let all: Vec<(&str, String, &str)> =
        patterns.chain(servers).chain(balancers).chain(presets).chain(faults).chain(failures).chain(metrics).collect();
    let Some((name, line, kind)) = all.iter().find(|it| it.0 == name) else {
        let meant = did_you_mean(name, all.iter().map(|it| it.0));
        let meant =
            meant.map_or_else(|| "`blackstart list` shows the names".to_owned(), |it| format!("did you mean `{it}`?"));
        tell(&format!("error: nothing is known of `{name}`: {meant}"));
        return WRONG_INPUT;
    };
    say(&format!("{name} ({kind}): {line}"));
    let failure = FAILURES.iter().find(|it| it.0 == *name).map(|it| it.2);
    let pattern = all_patterns().find(|it| it.name == *name).map(|it| it.page);
    if let Some(page) = failure.or(pattern) {
        // Its heading has been said.
        say(&format!("\n{}", page.split_once("\n\n").map_or(page, |(_, rest)| rest).trim_end()));
    }
    if let Some(preset) = Preset::named(name) {
        say(&format!("\n{}", preset.text.trim_end()));
        if preset.kind != Kind::Library {
            say(
                "\nAs texts that teach these patterns have it; no library's default. `docs/presets.md` shows all of them.",
            );
        }
    }
    if let Some(manual) = manual(name, kind) {
        say(&format!("\nOptions. {manual}"));
    }
    ALL_WELL
}

/// The options of a pattern or a fault, and of what they are made of.
fn manual(name: &str, kind: &str) -> Option<String> {
    let reference = match kind {
        "policies" => Reference::of::<Written>(),
        "faults" => Reference::of::<Fault>(),
        // An algorithm, or an option around it.
        "balancers" => {
            let (algorithms, options) = (Reference::of::<balance::By>(), Reference::of::<balance::Spec>());
            if options.option(name).is_none() {
                return algorithms.line(name).or_else(|| options.line(name));
            }
            options
        }
        // An order of the queue, an option of the queue, one of the service, or one of an operation.
        "servers" => [
            Reference::of::<admission::Order>(),
            Reference::of::<admission::Spec>(),
            Reference::of::<Service>(),
            Reference::of::<Operation>(),
        ]
        .into_iter()
        .find(|it| it.option(name).is_some())?,
        _ => return None,
    };
    let mut mentioned = Vec::new();
    let mut text = reference.manual(Some(reference.option(name)?), &mut mentioned);
    let mut told: Vec<String> = Vec::new();
    mentioned.reverse();
    while let Some(inner) = mentioned.pop() {
        // Laws of times have a manual of their own length; the reference page has it.
        if inner != "Law" && !told.contains(&inner) {
            let mut further = Vec::new();
            let _ = write!(text, "\n{inner}: {}", reference.manual(Some(&inner), &mut further));
            mentioned.extend(further.into_iter().rev());
            told.push(inner);
        }
    }
    // Links are for the page.
    Some(plain(&text))
}

/// The text without the targets of its links.
fn plain(text: &str) -> String {
    let mut parts = text.split("](#");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    plain.replace('[', "")
}
