//! `tune`: which values to use, and how sure that is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::compare::about;
use super::{ALL_WELL, CLAIM_FAILED, Format, NOT_FINISHED, WRONG_INPUT, load, print, say, show, tell};
use crate::experiment::compare::Row;
use crate::experiment::statistics::{Summary, digits, proportion};
use crate::experiment::tune::{
    Asked, Decision, HELD_BACK, Known, Matters, Progress, Sensitive, Told, Tuned, decision, tune_checked,
};
use crate::experiment::{Holds, check_tune, folder, quoted};
use crate::measure::Quantity;
use crate::report;
use crate::scenario::source::Diagnostics;
use crate::scenario::tune::{Sensitivity, Take};
use crate::scenario::{Changes, Scenario};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The experiment file, with a section `tune`.
    file: PathBuf,
    /// Seeds for each setting in the search, at most, and as many to judge the answer by; instead of what the file says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..HELD_BACK as i64))]
    seeds: Option<u32>,
    /// The first seed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many runs at once, at most 256. Default: one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Change a value: path=value. What is set is not searched for.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Look for how much each axis matters, too.
    #[arg(long, value_enum)]
    sensitivity: Option<Way>,
    /// Where results land.
    #[arg(long, default_value = "output")]
    out: PathBuf,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Draw no charts.
    #[arg(long)]
    no_charts: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Way {
    /// Elementary effects: cheap.
    Morris,
    /// Shares of the variance: dear.
    Sobol,
}

/// Seeds that are advised at most.
const MOST_SEEDS: usize = 2_000;

/// The command.
pub(super) fn run(arguments: &Arguments) -> u8 {
    if !super::start_threads(arguments.jobs) {
        return WRONG_INPUT;
    }
    let changes = Changes { set: arguments.set.clone(), ..Changes::default() };
    let Some(scenario) = load(&arguments.file, &changes) else { return WRONG_INPUT };
    let found = check_tune(&scenario);
    if !found.is_empty() {
        show(&found, &scenario.sources);
    }
    if found.has_errors() {
        return WRONG_INPUT;
    }
    let folder = folder(&arguments.out, &scenario);
    // Better now than after an hour of work.
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tell(&format!("error: results cannot be written to {}: {error}", folder.display()));
        return WRONG_INPUT;
    }
    let sensitivity = arguments.sensitivity.map(|way| match way {
        Way::Morris => Sensitivity::Morris,
        Way::Sobol => Sensitivity::Sobol,
    });
    let asked = Asked { seeds: arguments.seeds, seed: arguments.seed, sensitivity };
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {per_sec}  {eta} left");
    bar.set_style(style.expect("the template is well-formed"));
    let tuned = tune_checked(&scenario, &asked, &|progress| match progress {
        Progress::Planned(runs) => bar.set_length(runs),
        Progress::Ran => bar.inc(1),
    });
    bar.finish_and_clear();
    let tuned = match tuned {
        Ok(tuned) => tuned,
        Err(found) => {
            show(&found, &scenario.sources);
            // An empty folder would only puzzle.
            let _ = std::fs::remove_dir(&folder);
            return WRONG_INPUT;
        }
    };
    if let Err(error) = report::tune::write(&folder, &scenario, &tuned, !arguments.no_charts) {
        return super::unwritten(&folder, &error);
    }
    match arguments.format {
        Format::Text => say(&text(&scenario, &tuned, arguments, &folder)),
        Format::Json => print(&json(&scenario, &tuned)),
    }
    if tuned.stopped > 0 {
        NOT_FINISHED
    } else if tuned.answer().holds() == Holds::Yes {
        ALL_WELL
    } else {
        CLAIM_FAILED
    }
}

/// `attempts 3, timeout 180ms`.
fn values(tuned: &Tuned, number: usize) -> String {
    if number == 0 {
        return "the setting as it is".to_owned();
    }
    let pairs = tuned.axes.iter().zip(&tuned.candidates[number].values);
    pairs.map(|(axis, value)| format!("{axis} {}", value.label)).collect::<Vec<_>>().join(", ")
}

/// `1 setting`, `64 settings`.
fn settings(count: usize) -> String {
    if count == 1 { "1 setting".to_owned() } else { format!("{count} settings") }
}

/// The paths and values of a setting, as options.
fn options(tuned: &Tuned, number: usize) -> Vec<String> {
    let settings = tuned.candidates[number].values.iter().flat_map(|value| value.settings());
    settings.map(|(path, value)| format!("--set {}", quoted(&format!("{path}={value}")))).collect()
}

/// A figure over so many seeds, with what there is instead of a mean if a run has none, or it never comes.
fn figure(value: &Summary, told: &Told, seeds: usize) -> String {
    let missing = seeds - value.n;
    if told.is_of_runs() {
        let unjudged = if missing > 0 { format!(" ({missing} of {seeds} could not be judged)") } else { String::new() };
        let share = digits::plain(value.mean, told.quantity);
        let sure = digits::share_of_runs((value.low, value.high));
        return if value.n == 0 {
            format!("none of {seeds} could be judged")
        } else {
            format!("{share} {sure}{unjudged}")
        };
    }
    if value.n == 0 {
        return "none".to_owned();
    }
    // An objective that is missing counts as infinitely bad; only a time to come back is infinite itself.
    let none = if told.metric == "recovery_time" { "never" } else { "none" };
    if value.mean.is_infinite() {
        return if value.median.is_infinite() {
            format!("{none} in most runs")
        } else {
            format!("{} (median; {none} in some runs)", digits::plain(value.median, told.quantity))
        };
    }
    let missing = if missing > 0 { format!(" (none in {missing} of {seeds} runs)") } else { String::new() };
    format!("{}{missing}", digits::plus_minus(value, told.quantity))
}

fn text(scenario: &Scenario, tuned: &Tuned, arguments: &Arguments, folder: &Path) -> String {
    let mut text = scenario.name.clone();
    if let Some(lesson) = &scenario.experiment.lesson {
        let _ = write!(text, ": {}", lesson.trim());
    }
    asked(&mut text, tuned);
    answer(&mut text, tuned);
    others(&mut text, tuned);
    if let Some(sensitive) = &tuned.sensitivity {
        matters(&mut text, scenario, tuned, sensitive);
    }
    if let Some(found) = &tuned.insensitive {
        let why = first_line(found);
        let _ = write!(text, "\n  how much each axis matters cannot be told, as some settings cannot be built: {why}");
    }
    let knee = tuned.knee.filter(|&knee| knee != tuned.best);
    for (which, number) in [("the best", Some(tuned.best)), ("the knee", knee)] {
        if let Some(number) = number.filter(|&number| number > 0) {
            let _ = write!(text, "\n  to use {which}:");
            options(tuned, number).iter().for_each(|option| text.extend(["\n    ", option]));
        }
    }
    if let Some(seeds) = tuned.seeds_to_decide() {
        let seeds = about(seeds);
        if seeds <= MOST_SEEDS {
            let file = quoted(&arguments.file.display().to_string());
            let _ = write!(text, "\n  to be surer: blackstart tune {file} --seeds {seeds}");
            arguments.set.iter().for_each(|set| text.extend([" --set ", &quoted(set)]));
        }
    }
    let _ = write!(text, "\n  results: {}", folder.display());
    text
}

/// What was looked for, and how much was tried.
fn asked(text: &mut String, tuned: &Tuned) {
    let most = |goal: &Told| format!("{} {}", if goal.more { "the most" } else { "the least" }, goal.name());
    let goals: Vec<String> = tuned.goals.iter().map(most).collect();
    let _ = write!(text, "\n  looked for: {}", goals.join(", against "));
    for limit in &tuned.limits {
        let _ = write!(text, "\n  within: {}: {}", limit.name(), limit.bound());
    }
    if let Some((axis, count, take)) = &tuned.over {
        let what = match take {
            Take::Worst => "worst",
            Take::Mean => "mean",
        };
        let _ = write!(text, "\n  over: {axis}, with each seed the {what} of its {count} values");
    }
    let tried = tuned.candidates.len() - 1;
    let unbuilt = tuned.candidates.iter().filter(|it| it.unbuilt.is_some()).count();
    let seeds: Vec<usize> = tuned.rounds.iter().map(|round| round.seeds).collect();
    let rounds = match seeds[..] {
        [one] => format!("each on {one} seeds"),
        [first, .., last] => {
            format!("in {} rounds, all on {first} seeds, the last {} on {last}", seeds.len(), left(tuned))
        }
        [] => String::new(),
    };
    let _ = write!(text, "\n  tried: {}, {rounds} ({} runs with all that follows)", settings(tried), tuned.runs);
    if unbuilt > 0 {
        let why = tuned.candidates.iter().find_map(|it| it.unbuilt.as_ref()).map(first_line).unwrap_or_default();
        let _ = write!(text, "\n  warning: {unbuilt} of them cannot be built, the first because: {why}");
    }
    if tuned.stopped > 0 {
        let _ = write!(text, "\n  warning: {} runs were stopped by a limit; their figures are partial", tuned.stopped);
    }
}

/// The first of what is wrong, in short.
fn first_line(found: &Diagnostics) -> String {
    let first = found.iter().next().map(|it| it.message.clone()).unwrap_or_default();
    first.lines().next().unwrap_or_default().to_owned()
}

fn left(tuned: &Tuned) -> usize {
    tuned.rounds.last().map_or(0, |round| round.candidates)
}

fn answer(text: &mut String, tuned: &Tuned) {
    let (best, as_it_is) = (tuned.answer(), tuned.held_back(0));
    if tuned.best == 0 {
        text.push_str("\n\n  best: the setting as it is; nothing that was tried did better in the search");
    } else {
        let alone = if tuned.goals.len() > 1 { " by the first alone" } else { "" };
        let _ = write!(text, "\n\n  best{alone}: {} (setting {})", values(tuned, tuned.best), tuned.best);
    }
    let first = tuned.seed.wrapping_add(HELD_BACK);
    let _ = write!(text, "\n  on {} seeds that the search has not seen (from {first}):", best.seeds());
    for (number, goal) in tuned.goals.iter().enumerate() {
        let [here, there] = [best, as_it_is].map(|known| figure(&known.judged[number].0, goal, known.seeds()));
        let _ = write!(text, "\n    {}: {here}", goal.name());
        if let Some(gain) = tuned.gains.get(number) {
            let _ = write!(text, "; as it is {there}\n      {}", against(gain, goal, "the setting as it is"));
        }
    }
    for (number, limit) in tuned.limits.iter().enumerate() {
        let number = number + tuned.goals.len();
        let told = |known: &Known| {
            let (value, holds) = &known.judged[number];
            let seeds = limit.seeds_to_decide(value).filter(|_| *holds == Holds::Undecided);
            let seeds = seeds.map_or_else(String::new, |seeds| format!(", about {} seeds would decide", about(seeds)));
            format!("{}: {}{seeds}", figure(value, limit, known.seeds()), kept(*holds))
        };
        let _ = write!(text, "\n    {}, {}: {}", limit.name(), limit.bound(), told(best));
        if tuned.best > 0 {
            let _ = write!(text, "; as it is {}", told(as_it_is));
        }
    }
}

fn kept(holds: Holds) -> &'static str {
    match holds {
        Holds::Yes => "kept",
        Holds::No => "not kept",
        Holds::Undecided => "undecided",
    }
}

/// A comparison in words: `+22.1 ± 2.0/s against …: better, at 95 %`.
fn against(row: &Row, goal: &Told, other: &str) -> String {
    let decided = decision(row, goal);
    let by = match &row.order {
        Some(order) => {
            let (k, of) = if order.less >= order.more { (order.less, "less") } else { (order.more, "more") };
            let n = order.less + order.more;
            let sure = digits::share_of_runs(proportion::wilson(k, n));
            format!("{of} than {other} in {k} of the {n} pairs of runs that differ {sure}")
        }
        None => {
            let it = &row.difference;
            let like = it.a.mean.abs().max(it.b.mean.abs());
            format!("{} against {other}", digits::difference(&it.paired, like, goal.quantity))
        }
    };
    match (decided, row.seeds_to_decide()) {
        (Decision::Better, _) => format!("{by}: better, at 95 %"),
        (Decision::Worse, _) => format!("{by}: worse, at 95 %"),
        (Decision::Same | Decision::AsItIs, _) => format!("the same as {other} in every run"),
        (Decision::Nothing, _) => format!("nothing to compare with {other}: no run has it, or it never comes"),
        (Decision::Undecided, Some(seeds)) => format!("{by}: cannot be told apart; about {} seeds would", about(seeds)),
        (Decision::Undecided, None) => format!("{by}: cannot be told apart"),
    }
}

/// The other finalists, or the frontier.
fn others(text: &mut String, tuned: &Tuned) {
    if !tuned.rivals.is_empty() {
        text.push_str("\n  against the others that were left and do not break the constraints, on the same seeds:");
        let rows = tuned.rivals.iter().map(|(number, row)| {
            let said = against(row, &tuned.goals[0], &format!("setting {number}"));
            vec![said, values(tuned, *number)]
        });
        table(text, rows.collect());
    }
    if tuned.goals.len() > 1 {
        let n = tuned.frontier.len();
        let _ = write!(text, "\n\n  frontier: {} of which no other is better in both, on the same seeds:", settings(n));
        let rows = tuned.frontier.iter().enumerate().map(|(place, &number)| {
            let known = tuned.held_back(number);
            let mut row: Vec<String> = vec![number.to_string()];
            row.extend(tuned.goals.iter().zip(&known.judged).map(|(goal, it)| figure(&it.0, goal, known.seeds())));
            row.push(values(tuned, number));
            let mut notes = Vec::new();
            if tuned.knee == Some(number) {
                notes.push("the knee".to_owned());
            }
            if tuned.steps.get(place).is_some_and(|row| decision(row, &tuned.goals[0]) != Decision::Better) {
                notes.push(format!("no better than {} that one could tell", tuned.frontier[place + 1]));
            }
            if known.holds() == Holds::Undecided {
                notes.push("constraints undecided".to_owned());
            }
            row.push(notes.join("; "));
            row
        });
        let head = ["".to_owned()].into_iter().chain(tuned.goals.iter().map(|goal| goal.metric.clone()));
        let head: Vec<String> = head.chain([String::new(), String::new()]).collect();
        table(text, std::iter::once(head).chain(rows).collect());
    }
}

/// Rows in columns.
fn table(text: &mut String, rows: Vec<Vec<String>>) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        let _ = write!(text, "\n    {}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn matters(text: &mut String, scenario: &Scenario, tuned: &Tuned, sensitive: &Sensitive) {
    let is_range = |name: &str| scenario.axes.iter().any(|axis| axis.name == name && axis.at(0.0).is_some());
    let goal = &tuned.goals[0];
    let mut axes: Vec<(&String, &Matters)> = tuned.axes.iter().zip(&sensitive.axes).collect();
    axes.sort_by(|a, b| b.1.total.mean.total_cmp(&a.1.total.mean));
    let (places, seeds) = (sensitive.places, sensitive.seeds);
    match sensitive.way {
        Sensitivity::Morris => {
            let _ = write!(
                text,
                "\n\n  how far {} moves along each whole axis (Morris: mu* with its interval, sigma; {places} settings, {seeds} seeds):",
                goal.metric
            );
            let rows = axes.iter().map(|(axis, it)| {
                let verdict = if it.total.mean == 0.0 {
                    "does nothing"
                } else if it.total.mean <= it.noise {
                    "no more than luck"
                } else if it.total.low <= it.noise {
                    "perhaps no more than luck"
                } else if it.sigma > it.total.mean {
                    "depends on the place"
                } else if is_range(axis) && it.alone.low > 0.0 {
                    "rises with it"
                } else if is_range(axis) && it.alone.high < 0.0 {
                    "falls with it"
                } else {
                    ""
                };
                let plain = |value: f64| digits::plain(value, goal.quantity);
                let mu_star = Summary { low: it.total.low.max(0.0), ..it.total };
                vec![(*axis).clone(), digits::with_ends(&mu_star, goal.quantity), plain(it.sigma), verdict.to_owned()]
            });
            table(text, rows.collect());
        }
        Sensitivity::Sobol => {
            let _ = write!(
                text,
                "\n\n  share of the variance of {} that each axis has (Sobol: in all, and alone; {places} settings, {seeds} seeds):",
                goal.metric
            );
            let rows = axes.iter().map(|(axis, it)| {
                // No share is less than nothing or more than all, whatever an estimate or its interval says.
                let within = |it: &Summary| {
                    let [mean, low, high] = [it.mean, it.low, it.high].map(|share| share.clamp(0.0, 1.0));
                    Summary { mean, low, high, ..*it }
                };
                let [total, alone] = [&it.total, &it.alone].map(|it| digits::with_ends(&within(it), Quantity::Share));
                vec![(*axis).clone(), format!("in all {total}"), format!("alone {alone}")]
            });
            table(text, rows.collect());
        }
    }
    if sensitive.bounded {
        text.push_str(
            "\n    a time that never comes counts as the length of a run here, and what there is nothing of as 0 or as its worst",
        );
    }
    text.push('\n');
}

fn json(scenario: &Scenario, tuned: &Tuned) -> String {
    let interval =
        |value: &Summary| serde_json::json!({ "mean": value.mean, "ci_low": value.low, "ci_high": value.high });
    let known = |known: &Known| {
        let goals = known.judged[..tuned.goals.len()].iter().map(|(value, _)| interval(value)).collect::<Vec<_>>();
        let limits = known.judged[tuned.goals.len()..].iter().map(|(value, holds)| {
            serde_json::json!({ "mean": value.mean, "ci_low": value.low, "ci_high": value.high, "kept": holds.name() })
        });
        serde_json::json!({
            "seeds": known.seeds(), "objectives": goals, "constraints": limits.collect::<Vec<_>>(),
            "kept": known.holds().name(),
        })
    };
    let setting = |number: usize| {
        let it = &tuned.candidates[number];
        let values = tuned.axes.iter().zip(&it.values).map(|(axis, value)| (axis.clone(), value.label.clone().into()));
        let settings = it.values.iter().flat_map(|value| value.settings()).map(|(path, value)| (path, value.into()));
        serde_json::json!({
            "candidate": number, "values": values.collect::<serde_json::Map<_, _>>(),
            "set": settings.collect::<serde_json::Map<_, _>>(), "held_back": known(tuned.held_back(number)),
        })
    };
    let row = |row: &Row, goal: &Told| {
        let it = &row.difference;
        serde_json::json!({
            "difference": it.paired.mean, "ci_low": it.paired.low, "ci_high": it.paired.high,
            "decision": decision(row, goal).name(), "seeds_to_decide": row.seeds_to_decide(),
            "order": row.order.map(|it| serde_json::json!({ "less": it.less, "more": it.more })),
        })
    };
    let told = |it: &Told| serde_json::json!({ "figure": it.name(), "better": if it.more { "more" } else { "less" }, "bound": it.bound.as_ref().map(|it| it.0) });
    let rivals = tuned.rivals.iter().map(
        |(number, it)| serde_json::json!({ "setting": setting(*number), "best_against_it": row(it, &tuned.goals[0]) }),
    );
    let sensitivity = tuned.sensitivity.as_ref().map(|it| {
        let axes = tuned.axes.iter().zip(&it.axes).map(|(axis, it)| {
            serde_json::json!({
                "axis": axis, "total": interval(&it.total), "alone": interval(&it.alone), "sigma": it.sigma, "noise": it.noise,
            })
        });
        serde_json::json!({
            "method": it.way.name(), "settings": it.places, "seeds": it.seeds, "axes": axes.collect::<Vec<_>>(),
        })
    });
    let all = serde_json::json!({
        "experiment": scenario.name,
        "objectives": tuned.goals.iter().map(told).collect::<Vec<_>>(),
        "constraints": tuned.limits.iter().map(told).collect::<Vec<_>>(),
        "tried": tuned.candidates.len() - 1,
        "runs": tuned.runs,
        "stopped": tuned.stopped,
        "decision": tuned.decision().name(),
        "best": setting(tuned.best),
        "as_it_is": setting(0),
        "best_against_as_it_is": tuned.gains.iter().zip(&tuned.goals).map(|(it, goal)| row(it, goal)).collect::<Vec<_>>(),
        "rivals": rivals.collect::<Vec<_>>(),
        "frontier": tuned.frontier.iter().map(|&number| setting(number)).collect::<Vec<_>>(),
        "knee": tuned.knee,
        "sensitivity": sensitivity,
        "seeds_to_decide": tuned.seeds_to_decide(),
    });
    serde_json::to_string_pretty(&all).expect("a tree of plain values can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_run_has_is_none_and_what_never_comes_never() {
        let figure = |metric: &str, more: bool, values: &[f64]| {
            let told = Told::goal_of(metric, Quantity::Seconds, more);
            super::figure(&Summary::of(values), &told, values.len())
        };
        let inf = f64::INFINITY;
        assert_eq!(figure("latency.p99", false, &[inf, inf, 2.0]), "none in most runs");
        assert_eq!(figure("latency.p99", true, &[2.0, 2.0, -inf]), "2s (median; none in some runs)");
        assert_eq!(figure("recovery_time", false, &[2.0, 2.0, inf]), "2s (median; never in some runs)");
        assert_eq!(figure("latency.p99", false, &[f64::NAN; 2]), "none");
        assert_eq!(figure("latency.p99", false, &[2.0, 2.0, f64::NAN]), "2s (none in 1 of 3 runs)");
    }
}
