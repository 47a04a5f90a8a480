//! `compare`: two systems, paired by seed.

use std::fmt::Write as _;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ALL_WELL, NOT_FINISHED, WRONG_INPUT, load, print, say, show, tell};
use crate::experiment::check;
use crate::experiment::compare::{Asked, Finding, Pair, Problem, Row, Side, compare, pairs, words};
use crate::experiment::statistics::{Summary, digits, proportion};
use crate::scenario::Changes;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An experiment file.
    a: PathBuf,
    /// Another one. Left out, points of the same file are compared.
    b: Option<PathBuf>,
    /// Which points of the first side: the value of an axis. Others may have any.
    #[arg(long = "where", value_name = "AXIS=VALUE")]
    filter: Vec<String>,
    /// The values of axes that the other side has instead.
    #[arg(long, value_name = "AXIS=VALUE")]
    against: Vec<String>,
    /// A metric. Default: all.
    #[arg(long)]
    metric: Vec<String>,
    /// Whose: `client/<name>`, `service/<name>`, and so on. Default: all clients.
    #[arg(long, value_name = "ENTITY")]
    of: Vec<String>,
    /// The window. Default: all.
    #[arg(long)]
    window: Option<String>,
    /// How many seeds, instead of what the files say (the smaller number of two files).
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    seeds: Option<u32>,
    /// The first seed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many runs at once, at most 256. Default: one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Change a value on both sides: path=value.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// How the differences are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Csv,
}

/// `axis=value`, split.
fn values(of: &[String]) -> Option<Vec<(String, String)>> {
    let split = |text: &String| text.split_once('=').map(|(axis, value)| (axis.to_owned(), value.to_owned()));
    let values = of.iter().map(split).collect::<Option<Vec<_>>>();
    if values.is_none() {
        tell("error: `--where` and `--against` want an axis and its value: `--where variant=patient`");
    }
    values
}

/// The command.
pub(super) fn run(arguments: &Arguments) -> u8 {
    if !super::start_threads(arguments.jobs) {
        return WRONG_INPUT;
    }
    let (Some(filter), Some(against)) = (values(&arguments.filter), values(&arguments.against)) else {
        return WRONG_INPUT;
    };
    if arguments.b.is_none() && against.is_empty() {
        tell(
            "error: compare with what? Give a second file, or `--against AXIS=VALUE` for another point of the same one",
        );
        return WRONG_INPUT;
    }
    let changes = Changes { set: arguments.set.clone(), ..Changes::default() };
    let Some(first) = load(&arguments.a, &changes) else { return WRONG_INPUT };
    let second = match &arguments.b {
        Some(file) => match load(file, &changes) {
            Some(scenario) => Some(scenario),
            None => return WRONG_INPUT,
        },
        None => None,
    };
    let other = second.as_ref().unwrap_or(&first);
    for scenario in [Some(&first), second.as_ref()].into_iter().flatten() {
        let found = check(scenario);
        if !found.is_empty() {
            show(&found, &scenario.sources);
        }
        if found.has_errors() {
            return WRONG_INPUT;
        }
    }
    let theirs = if against.is_empty() { &filter } else { &against };
    let (a, b) = (Side { scenario: &first, filter: &filter }, Side { scenario: other, filter: theirs });
    let asked = Asked {
        metrics: arguments.metric.clone(),
        of: arguments.of.clone(),
        window: arguments.window.clone(),
        seeds: arguments.seeds,
        seed: arguments.seed,
    };
    let fewest = first.experiment.seeds.at_most.min(other.experiment.seeds.at_most);
    let runs = pairs(&a, &b).map_or(0, |pairs| pairs.len()) as u64 * 2 * u64::from(asked.seeds.unwrap_or(fewest));
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {per_sec}  {eta} left");
    bar.set_style(style.expect("the template is well-formed"));
    let compared = compare(&a, &b, &asked, &|| bar.inc(1));
    bar.finish_and_clear();
    let compared = match compared {
        Ok(compared) => compared,
        Err(Problem::Asked(what)) => {
            tell(&format!("error: {what}"));
            return WRONG_INPUT;
        }
        Err(Problem::File(found, of_first)) => {
            show(&found, if of_first { &first.sources } else { &other.sources });
            return WRONG_INPUT;
        }
    };
    let window = asked.window.as_deref().unwrap_or("all");
    let names = (first.name.as_str(), other.name.as_str());
    match arguments.format {
        Format::Text => say(&text(names, window, &compared)),
        Format::Json => print(&json(names, window, &compared)),
        Format::Csv => print(csv(names, window, &compared).trim_end()),
    }
    if compared.iter().any(|pair| pair.stopped > 0) { NOT_FINISHED } else { ALL_WELL }
}

/// What a side is called: the file, if there are two, and its values.
fn called(name: &str, twice: bool, values: &[(String, String)]) -> String {
    match (twice, values.is_empty()) {
        (true, true) => name.to_owned(),
        (true, false) => format!("{name}, {}", words(values)),
        (false, _) => words(values),
    }
}

fn text((a, b): (&str, &str), window: &str, compared: &[Pair]) -> String {
    let mut text = String::new();
    for pair in compared {
        let twice = a != b;
        let (one, other) = (called(a, twice, &pair.a), called(b, twice, &pair.b));
        let _ = write!(text, "A: {one}\nB: {other}\n{} seeds, window {window}\n", pair.seeds.len());
        if pair.stopped > 0 {
            let _ = writeln!(text, "warning: {} runs were stopped by a limit; their figures are partial", pair.stopped);
        }
        let of: Vec<&str> = {
            let mut entities: Vec<&str> = pair.rows.iter().map(|row| row.entity.as_str()).collect();
            entities.dedup();
            entities
        };
        for entity in of {
            let rows: Vec<&Row> = pair.rows.iter().filter(|row| row.entity == entity).collect();
            let _ = write!(text, "\n{}", table(entity, &rows));
        }
        text.push('\n');
    }
    text.push_str(
        "The difference is that of the means, with half its 95 % interval over the pairs of runs. Pairing: how wide that is beside the \
         interval of runs with different luck, and how many times the seeds those would need.",
    );
    text
}

/// The rows of an entity; what is the same in all runs in one line.
fn table(entity: &str, rows: &[&Row]) -> String {
    let head = [entity, "A", "B", "B less A", "pairing", ""].map(str::to_owned);
    let mut lines = vec![head];
    let mut same = Vec::new();
    for row in rows {
        match row.finding() {
            Finding::Nothing => {}
            Finding::Same => same.push(row.metric),
            finding => lines.push(line(row, finding)),
        }
    }
    let widths: Vec<usize> =
        (0..6).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    if lines.len() == 1 {
        let _ = writeln!(text, "{entity}: nothing differs");
    } else {
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0 | 5 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("   ").trim_end());
        }
    }
    if !same.is_empty() {
        let _ = writeln!(text, "  the same in every pair of runs: {}", same.join(", "));
    }
    text
}

fn line(row: &Row, finding: Finding) -> [String; 6] {
    let it = &row.difference;
    if let Some(order) = &row.order {
        let (k, of) = if order.less >= order.more { (order.less, "less") } else { (order.more, "more") };
        let n = order.less + order.more;
        let [a, b] = [order.a, order.b].map(|it| format!("median {}", digits::plain(it.value, row.quantity)));
        let sure = digits::share_of_runs(proportion::wilson(k, n));
        let open = if finding == Finding::Undecided { "undecided: " } else { "" };
        let said = format!("{open}{of} in {k} of the {n} pairs that differ {sure}");
        return [row.metric.to_owned(), a, b, "some infinite".to_owned(), String::new(), said];
    }
    let [a, b] = [&it.a, &it.b].map(|side: &Summary| digits::mean(side, row.quantity));
    let difference = digits::difference(&it.paired, it.a.mean.abs().max(it.b.mean.abs()), row.quantity);
    let worth = it.worth();
    let pairing = if worth.is_finite() && it.unpaired_half > 0.0 {
        let wide = it.paired.half() / it.unpaired_half * 100.0;
        format!("{wide:.0} %, {} x the seeds", brief_times(worth))
    } else {
        String::new()
    };
    let said = match (finding, row.seeds_to_decide()) {
        (Finding::Undecided, Some(seeds)) => format!("undecided: about {} seeds would decide", about(seeds)),
        (Finding::Undecided, None) => "undecided, and no number of seeds would decide".to_owned(),
        _ => format!("B has {}", finding.name()),
    };
    [row.metric.to_owned(), a, b, difference, pairing, said]
}

/// Two digits: nobody knows a ratio of variances better.
fn brief_times(times: f64) -> String {
    if times < 10.0 { format!("{times:.1}") } else { about(libm::round(times) as usize).to_string() }
}

/// Rounded to two digits.
pub(super) fn about(number: usize) -> usize {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number.div_ceil(unit) * unit
}

/// A figure of both, as JSON.
pub(super) fn figure(row: &Row) -> serde_json::Value {
    let it = &row.difference;
    serde_json::json!({
        "entity": row.entity, "metric": row.metric, "n": it.paired.n, "a": it.a.mean, "b": it.b.mean,
        "difference": it.paired.mean, "ci_low": it.paired.low, "ci_high": it.paired.high,
        "unpaired_half": it.unpaired_half, "worth": it.worth(), "finding": row.finding().name(),
        "seeds_to_decide": row.seeds_to_decide(), "unpaired_runs_to_decide": it.unpaired_runs_to_decide(),
        "order": row.order.map(|it| serde_json::json!({
            "median_a": it.a.value, "median_b": it.b.value, "less": it.less, "more": it.more,
        })),
    })
}

fn json((a, b): (&str, &str), window: &str, compared: &[Pair]) -> String {
    let axes = |values: &[(String, String)]| {
        values.iter().map(|(axis, value)| (axis.clone(), value.clone().into())).collect::<serde_json::Map<_, _>>()
    };
    let pairs = compared.iter().map(|pair| {
        serde_json::json!({
            "a": axes(&pair.a), "b": axes(&pair.b), "seeds": pair.seeds, "stopped": pair.stopped,
            "rows": pair.rows.iter().map(figure).collect::<Vec<_>>(),
        })
    });
    let all = serde_json::json!({ "a": a, "b": b, "window": window, "pairs": pairs.collect::<Vec<_>>() });
    serde_json::to_string_pretty(&all).expect("a tree of plain values can be written")
}

fn csv((a, b): (&str, &str), window: &str, compared: &[Pair]) -> String {
    use crate::report::{cell, text};
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| writer.write_record(row).expect("rows in memory can be written");
    write(
        &[
            "a",
            "b",
            "entity",
            "metric",
            "window",
            "n",
            "mean_a",
            "mean_b",
            "difference",
            "ci_low",
            "ci_high",
            "unpaired_half",
            "worth",
            "finding",
            "seeds_to_decide",
        ]
        .map(str::to_owned),
    );
    for pair in compared {
        let sides = [called(a, a != b, &pair.a), called(b, a != b, &pair.b)].map(|it| text(&it));
        for row in &pair.rows {
            let it = &row.difference;
            let names = [row.entity.clone(), row.metric.to_owned(), window.to_owned(), it.paired.n.to_string()];
            let numbers =
                [it.a.mean, it.b.mean, it.paired.mean, it.paired.low, it.paired.high, it.unpaired_half, it.worth()];
            let seeds = row.seeds_to_decide().map_or_else(String::new, |seeds| seeds.to_string());
            let last = [row.finding().name().to_owned(), seeds];
            let cells = sides.iter().cloned().chain(names).chain(numbers.map(cell)).chain(last);
            write(&cells.collect::<Vec<_>>());
        }
    }
    String::from_utf8(writer.into_inner().expect("all is in memory")).expect("all cells are text")
}

#[cfg(test)]
mod tests {
    use super::about;

    #[test]
    fn what_is_about_has_two_digits() {
        assert_eq!([7, 42, 99, 100, 101, 1_234].map(about), [7, 42, 99, 100, 110, 1_300]);
    }
}
