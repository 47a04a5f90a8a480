//! What is said to a person: verdicts, lists, manuals.

use std::fmt::Write as _;
use std::path::Path;

use super::reference::Reference;
use super::wrap::say_prose;
use super::{ALL_WELL, WRONG_INPUT, say, tell};
use crate::experiment::{Holds, Mechanism, Swept};
use crate::measure::METRICS;
use crate::policy::presets::{Kind, PRESETS, Preset};
use crate::policy::{PATTERNS, Pattern, When, Written};
use crate::report::words::{claimed, counts, diagnosed, ended, evidence, holds, place, remedy, tally, tried};
use crate::scenario::Scenario;
use crate::scenario::experiment::{Fault, VerdictName};
use crate::scenario::model::{Client, Operation, Service};
use crate::scenario::other_names::{letters, other_name};
use crate::scenario::source::{Sources, did_you_mean};
use crate::scenario::tree;
use crate::system::{cache, replication, topic};
use crate::{admission, balance};

/// Every fault, with one line.
const FAULTS: [(&str, &str); 9] = [
    ("slow", "work that begins takes longer, at a service, a replica or a share of the replicas"),
    ("errors", "a share of the requests fails, after their work or before it"),
    ("crash", "the process is gone with what it held, and starts afresh"),
    ("pause", "the process stands still, and goes on where it was"),
    ("partition", "messages between two parts are lost, both ways or one way"),
    ("link", "a link is slower, lossier or narrower"),
    ("surge", "a client's load is multiplied"),
    ("disconnect", "members of a fleet are gone, and start again when it is over"),
    ("flush", "a cache is emptied, or some of its tables"),
];

/// Every failure mode that has a page: its name, one line, and the page.
const FAILURES: [(&str, &str, &str); 7] = [
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
    (
        "thundering-herd",
        "many want the same thing at the same instant, for instance an entry that has expired",
        include_str!("../../docs/failures/thundering-herd.md"),
    ),
    (
        "cold-cache",
        "a cache that was emptied stays empty, because what is behind it answers too late",
        include_str!("../../docs/failures/cold-cache.md"),
    ),
    (
        "backlog",
        "messages wait for longer than the outage took, are processed again and again, or stop those behind them",
        include_str!("../../docs/brokers.md"),
    ),
    (
        "connection-churn",
        "calls that are given up close their connections, and opening new ones takes the time of calls",
        include_str!("../../docs/connections.md"),
    ),
    ("reconnect-storm", "after a restart everybody connects again at once", include_str!("../../docs/connections.md")),
];

/// The page of states and diagnoses.
const VERDICTS: &str = include_str!("../../docs/verdicts.md");

/// The patterns of callers, of servers and of balancers, and the parts that are patterns themselves.
fn all_patterns() -> impl Iterator<Item = &'static Pattern> {
    PATTERNS
        .iter()
        .chain(admission::PATTERNS)
        .chain(balance::PATTERNS)
        .chain(cache::PATTERNS)
        .chain(replication::PATTERNS)
        .chain(topic::PATTERNS)
}

/// Points that are told one by one.
const MOST_TOLD: usize = 50;

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
        let place = place(scenario, number);
        let mut evidence = evidence(point);
        if let (Some(diagnosed), Some(told)) = (diagnosed(point), point.told()) {
            let _ = write!(evidence, "\n    {diagnosed}\n    try {}", remedy(&told.diagnosis.remedy));
        }
        if let Some(it) = &point.tried {
            let _ = write!(evidence, "\n    tried {}", tried(it).join("\n      "));
        }
        let mut stopped = String::new();
        for (seed, stopped_by) in point.seeds.iter().zip(&point.stopped) {
            if let Some(why) = stopped_by {
                let _ = write!(stopped, "\n    seed {seed} did not finish: {why}");
            }
        }
        for line in point.steady.lines() {
            let _ = write!(stopped, "\n    {line}");
        }
        if !together {
            let _ = write!(text, "\n  {place}{}\n    {evidence}{stopped}", ended(&point.verdicts));
            continue;
        }
        let counts = counts(&point.verdicts);
        match told.iter_mut().find(|other| other.0 == counts) {
            Some((_, points, more)) => {
                *points += 1;
                more.push_str(&stopped);
            }
            None => told.push((counts, 1, format!("\n    {}\n    {evidence}{stopped}", place.trim_end_matches(": ")))),
        }
    }
    for (counts, points, first) in told {
        let _ = write!(text, "\n  {points} points: {counts}; the first of them:{first}");
    }
    text.push_str(&claims(scenario, results));
    let _ = write!(text, "\n  results: {}", folder.display());
    text
}

/// How many claims hold, and those that do not, or cannot be decided, one by one.
fn claims(scenario: &Scenario, results: &Swept) -> String {
    if results.claims.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  claims: {}", tally(results.claims.iter().map(|claim| claim.holds)));
    for claim in results.claims.iter().filter(|claim| claim.holds != Holds::Yes) {
        let labels = scenario.labels(&scenario.point(claim.point)).join(", ");
        let place = if labels.is_empty() { labels } else { format!(" ({labels})") };
        let (claimed, holds) = (claimed(claim), holds(claim));
        let _ = write!(text, "\n    {}{place}: {claimed}, claimed {}: {holds}", claim.claim, claim.bound);
    }
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
                let diagnoses = verdict.diagnoses.iter().map(|it| it.mechanism.name()).collect::<Vec<_>>();
                serde_json::json!({
                    "seed": seed, "verdict": verdict.name.name(), "evidence": verdict.evidence, "diagnoses": diagnoses,
                })
            });
            let tried = point.tried.as_ref().map(|it| {
                let (path, value) = it.set();
                let verdicts = it.verdicts.iter().map(|it| it.name.name()).collect::<Vec<_>>();
                serde_json::json!({
                    "diagnosis": it.diagnosis.mechanism.name(), "path": path, "value": value, "verdicts": verdicts,
                    "refused": it.refused,
                    "figures": it.rows().iter().map(super::compare::figure).collect::<Vec<_>>(),
                })
            });
            let runs = runs.collect::<Vec<_>>();
            serde_json::json!({ "values": scenario.labels(&scenario.point(number)), "runs": runs, "tried": tried })
        })
        .collect();
    let claims: Vec<serde_json::Value> = results
        .claims
        .iter()
        .map(|claim| {
            serde_json::json!({
                "claim": claim.claim, "point": claim.point, "metric": claim.metric,
                "value": claim.value.mean, "ci_low": claim.value.low, "ci_high": claim.value.high,
                "bound": claim.bound, "holds": claim.holds.name(), "seeds_to_decide": claim.seeds_to_decide,
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
    const KINDS: [&str; 8] =
        ["models", "experiments", "patterns", "presets", "faults", "failures", "diagnoses", "metrics"];
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
            "diagnoses" => plain(&Mechanism::ALL.map(|it| (it.name(), it.line()))),
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
    let parts = cache::PATTERNS.iter().chain(replication::PATTERNS).chain(topic::PATTERNS);
    let parts = parts.map(|it| (it.name, it.line.to_owned(), "parts"));
    let faults = FAULTS.iter().map(|it| (it.0, it.1.to_owned(), "faults"));
    let metrics = METRICS.iter().map(|it| (it.name, format!("{} (of: {})", it.meaning, it.of.join(", ")), "metrics"));
    let failures = FAILURES.iter().map(|it| (it.0, it.1.to_owned(), "failures"));
    let presets = PRESETS.iter().map(|it| (it.name, it.line.to_owned(), "presets"));
    let verdicts =
        std::iter::once(("verdicts", "how a run ended, and the mechanisms that were at work".to_owned(), "verdicts"));
    let states = VerdictName::ALL.iter().map(|it| (it.name(), "how a run ended".to_owned(), "verdicts"));
    let diagnoses = Mechanism::ALL.iter().map(|it| (it.name(), it.line().to_owned(), "diagnoses"));
    let verdicts = verdicts.chain(states).chain(diagnoses);
    let named = patterns
        .chain(servers)
        .chain(balancers)
        .chain(parts)
        .chain(presets)
        .chain(faults)
        .chain(failures)
        .chain(verdicts)
        .chain(metrics);
    let mut all: Vec<(String, String, &str)> = named.map(|(name, line, kind)| (name.to_owned(), line, kind)).collect();
    // What is no pattern of its own, and asked for all the same.
    for (reference, kind) in [
        (Reference::of::<balance::By>(), ALGORITHMS),
        (Reference::of::<admission::Order>(), ORDERS),
        (Reference::of::<Service>(), "servers"),
        (Reference::of::<When>(), OUTCOMES),
    ] {
        for (name, line) in reference.lines() {
            if !all.iter().any(|it| it.0 == name) {
                all.push((name, plain(&line), kind));
            }
        }
    }
    let find = |name: &str| all.iter().find(|it| it.0 == name);
    // What is meant has the same letters, or is called otherwise here.
    let same = || all.iter().find(|it| letters(&it.0) == letters(name));
    let (name, line, kind) = match (find(name).or_else(same), other_name(name)) {
        (Some(found), _) => found,
        (None, Some(other)) => {
            let here: Vec<_> = other.here.iter().filter_map(|here| find(here)).filter(|it| it.2 != "metrics").collect();
            let of = if other.of.is_empty() { String::new() } else { format!(" of {}", other.of) };
            let options = other.here.iter().filter(|it| find(it).is_none_or(|it| it.2 == "metrics"));
            let options = options.map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" or ");
            let note = if other.note.is_empty() { String::new() } else { format!(" {}", other.note) };
            match here.as_slice() {
                [found] if options.is_empty() => say_prose(&format!("`{name}`{of} is `{}` here.{note}\n", found.0)),
                [found] => say_prose(&format!("`{name}`{of} is {options} of `{}` here.{note}\n", found.0)),
                several => {
                    say_prose(&format!("`{name}`{of} may be here:{note}"));
                    for (name, line, _) in several {
                        say_prose(&format!("  {name}: {line}"));
                    }
                    say("`blackstart explain NAME` says more.");
                    return ALL_WELL;
                }
            }
            here[0]
        }
        (None, None) => {
            let meant = did_you_mean(name, all.iter().map(|it| it.0.as_str()));
            let meant = meant
                .map_or_else(|| "`blackstart list` shows the names".to_owned(), |it| format!("did you mean `{it}`?"));
            tell(&format!("error: nothing is known of `{name}`: {meant}"));
            return WRONG_INPUT;
        }
    };
    say_prose(&format!("{name} ({kind}): {line}"));
    let failure = FAILURES.iter().find(|it| it.0 == *name).map(|it| it.2);
    let pattern = all_patterns().find(|it| it.name == *name).map(|it| it.page);
    if let Some(page) = failure.or(pattern) {
        // Its heading has been said.
        say_prose(&format!("\n{}", page.split_once("\n\n").map_or(page, |(_, rest)| rest).trim_end()));
    }
    if let Some(page) = of_verdicts(name, kind) {
        say(&format!("\n{}", page.trim()));
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
        say_prose(&format!("\nOptions. {manual}"));
    }
    ALL_WELL
}

/// Words that have no options.
const ALGORITHMS: &str = "algorithms of balancers";
const ORDERS: &str = "orders of a queue";
const OUTCOMES: &str = "outcomes";
/// What the page of verdicts says of a diagnosis, or all of it.
fn of_verdicts(name: &str, kind: &str) -> Option<&'static str> {
    match kind {
        "diagnoses" => VERDICTS.split("\n### ").find_map(|section| {
            let section = section.split("\n## ").next()?;
            section.strip_prefix(name)?.strip_prefix('\n')
        }),
        "verdicts" if name != "verdicts" => {
            VERDICTS.split("\n## ").find_map(|section| section.strip_prefix("States\n"))
        }
        "verdicts" => VERDICTS.split_once("\n\n").map(|(_, rest)| rest),
        _ => None,
    }
}

/// The options of a pattern or a fault, and of what they are made of.
fn manual(name: &str, kind: &str) -> Option<String> {
    let reference = match kind {
        "policies" => Reference::of::<Written>(),
        "faults" => Reference::of::<Fault>(),
        "parts" => match name {
            "replication" => Reference::of::<replication::Spec>(),
            "topic" => Reference::of::<topic::Spec>(),
            // An option of a client.
            "consumes" => Reference::of::<Client>(),
            _ => Reference::of::<cache::Spec>(),
        },
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
    // A part is what the reference is of, and no option of something else.
    let root = if kind == "parts" && name != "consumes" { None } else { Some(reference.option(name)?) };
    let mut text = reference.manual(root, &mut mentioned);
    let mut told: Vec<String> = Vec::new();
    mentioned.reverse();
    while let Some(inner) = mentioned.pop() {
        // Laws of times and lists of policies have manuals of their own length; the reference page has them.
        if inner != "Law" && inner != "Policy" && !told.contains(&inner) {
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
