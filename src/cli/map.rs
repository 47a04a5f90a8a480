//! `map`: where a system comes back, where it may, and where it does not.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ALL_WELL, CLAIM_FAILED, Format, NOT_FINISHED, WRONG_INPUT, load, print, say, show, tell};
use crate::experiment::map::search::{Boundary, FEWEST, Probe};
use crate::experiment::map::{Asked, Map, Row, State, check_asked, explore_checked};
use crate::experiment::statistics::quantile::quantile;
use crate::experiment::statistics::{digits, proportion};
use crate::experiment::{Holds, Options, folder};
use crate::measure::Quantity;
use crate::report;
use crate::scenario::units::Share;
use crate::scenario::{Changes, Scenario};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The experiment file.
    file: PathBuf,
    /// The axis along which the boundary is looked for: a range. Default: as in the file, or the only range.
    #[arg(long, value_name = "AXIS")]
    along: Option<String>,
    /// How closely, as a share of the value: 1%. Default: as in the file, or 1%.
    #[arg(long, value_name = "SHARE")]
    within: Option<Share>,
    /// An axis: path=a,b,c, or path=lo..hi, with :log if it is to be looked at by factors.
    #[arg(long, value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// How many seeds at a place at most, instead of what the file says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: Option<u32>,
    /// The first seed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many runs at once, at most 256. Default: one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Change a value: path=value.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Where results land.
    #[arg(long, default_value = "output")]
    out: PathBuf,
    /// How the map is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Draw no chart.
    #[arg(long)]
    no_charts: bool,
}

/// The command.
pub(super) fn run(arguments: &Arguments) -> u8 {
    if !super::start_threads(arguments.jobs) {
        return WRONG_INPUT;
    }
    let changes = Changes { set: arguments.set.clone(), vary: arguments.vary.clone(), ..Changes::default() };
    let Some(scenario) = load(&arguments.file, &changes) else { return WRONG_INPUT };
    let asked = Asked { along: arguments.along.clone(), within: arguments.within.map(|it| it.0) };
    let found = check_asked(&scenario, &asked);
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
    let options = Options { seeds: arguments.seeds, seed: arguments.seed, ..Options::default() };
    // How many runs it will take is not known before.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {pos} runs  {per_sec}");
    bar.set_style(style.expect("the template is well-formed"));
    let explored = explore_checked(&scenario, &asked, &options, &|| bar.inc(1));
    bar.finish_and_clear();
    let map = match explored {
        Ok(map) => map,
        Err(found) => {
            show(&found, &scenario.sources);
            // An empty folder would only puzzle.
            let _ = std::fs::remove_dir(&folder);
            return WRONG_INPUT;
        }
    };
    if let Err(error) = report::map::write(&folder, &scenario, &map, !arguments.no_charts) {
        return super::unwritten(&folder, &error);
    }
    match arguments.format {
        Format::Text => say(&words(&scenario, &map, &folder)),
        Format::Json => print(&json(&scenario, &map)),
    }
    if map.stopped() {
        NOT_FINISHED
    } else if map.all_hold() {
        ALL_WELL
    } else {
        CLAIM_FAILED
    }
}

/// Values of the axis along which was searched, with the digits that were looked for, and their unit.
struct Shown<'a> {
    unit: &'a str,
    places: usize,
}

impl<'a> Shown<'a> {
    fn new(scenario: &'a Scenario, map: &Map) -> Self {
        let axis = &scenario.axes[map.along];
        let ends = [axis.number(0.0), axis.number(1.0)].map(f64::abs);
        let found = map.rows.iter().flat_map(|row| &row.boundaries).flat_map(|it| it.half).flatten();
        let smallest = found.map(f64::abs).filter(|it| *it > 0.0).fold(ends[0].max(ends[1]), f64::min);
        let step = smallest * map.within;
        let places =
            if axis.whole_values().is_some() { 0 } else { libm::ceil(-libm::log10(step)).clamp(0.0, 9.0) as usize };
        let boundaries = || map.rows.iter().flat_map(|row| &row.boundaries);
        let apart = |places: &usize| boundaries().all(|it| Self { unit: "", places: *places }.tells_apart(it));
        Self { unit: axis.unit(), places: (places..=9).find(apart).unwrap_or(places) }
    }

    /// Whether no two places of a boundary look alike that are not.
    fn tells_apart(&self, it: &Boundary) -> bool {
        let (low, high) = it.interval();
        let mut places = [it.all.unwrap_or(f64::NAN), low, high, it.none.unwrap_or(f64::NAN)];
        places.sort_by(f64::total_cmp);
        places
            .windows(2)
            .all(|two| two[0].partial_cmp(&two[1]) != Some(Ordering::Less) || self.bare(two[0]) != self.bare(two[1]))
    }

    fn bare(&self, value: f64) -> String {
        format!("{value:.*}", self.places)
    }

    fn value(&self, value: f64) -> String {
        format!("{}{}", self.bare(value), self.unit)
    }
}

fn words(scenario: &Scenario, map: &Map, folder: &Path) -> String {
    let axis = &scenario.axes[map.along];
    // The lower first: a range may fall.
    let shares = if axis.number(0.0) <= axis.number(1.0) { [0.0, 1.0] } else { [1.0, 0.0] };
    let ends = shares.map(|share| axis.at(share).map_or_else(String::new, |it| it.label));
    let shown = Shown::new(scenario, map);
    let mut text = scenario.name.clone();
    if let Some(lesson) = &scenario.experiment.lesson {
        let _ = write!(text, ": {}", lesson.trim());
    }
    let seeds = if map.runs == 1 { "one seed".to_owned() } else { format!("at most {} seeds", map.runs) };
    let closely = digits::plain(map.within, Quantity::Share);
    let _ = write!(
        text,
        "\n  along {} from {} to {}, within {closely}, {seeds} at each place",
        axis.name, ends[0], ends[1]
    );
    for row in &map.rows {
        let called = report::map::called(scenario, map, row);
        let start = if called.is_empty() { String::new() } else { format!("{called}: ") };
        let _ = write!(text, "\n  {start}{}", of_row(row, &ends, &shown));
        if row.stopped > 0 {
            let _ = write!(text, "\n    {} runs did not finish; they count as not having come back", row.stopped);
        }
    }
    if map.confidence().is_none() {
        let _ = write!(
            text,
            "\n  with fewer than {FEWEST} seeds nothing is sure to 95 %: the places are those at which all and none of them came back"
        );
    } else if map.rows.iter().flat_map(|row| &row.boundaries).any(|it| is_wide(scenario, map, it)) {
        text.push_str(
            "\n  an interval wider than was asked for is that of these seeds: half as wide takes four times as many",
        );
    }
    let made = map.runs_made();
    let _ = write!(
        text,
        "\n  {made} runs; a grid as close, with as many seeds, would have taken {:.0}, {} x as many",
        map.grid_runs,
        crate::experiment::brief(map.grid_runs / made.max(1) as f64)
    );
    text.push_str(&claims(scenario, map));
    let _ = write!(text, "\n  results: {}", folder.display());
    text
}

/// Whether the interval of a boundary is wider than the search was to make it.
fn is_wide(scenario: &Scenario, map: &Map, boundary: &Boundary) -> bool {
    let axis = &scenario.axes[map.along];
    let (low, high) = boundary.interval();
    let span = (axis.number(1.0) - axis.number(0.0)).abs();
    high - low > 2.0 * map.within * high.abs().max(span / 100.0)
}

/// What there is to say of a row.
fn of_row(row: &Row, ends: &[String; 2], shown: &Shown) -> String {
    let (places, runs) = (row.probes.len(), row.runs());
    let back: usize = row.probes.iter().map(Probe::back).sum();
    match row.state() {
        State::Recovers => {
            let slowest = row.probes.iter().filter_map(|it| Some((it, median(it)?)));
            let slowest = slowest.max_by(|a, b| a.1.total_cmp(&b.1));
            let slowest = slowest.map_or_else(String::new, |(probe, _)| {
                format!("\n    slowest at {}: {}", shown.value(probe.value), time(probe))
            });
            format!(
                "recovers everywhere: all {runs} runs at {places} places came back, up to the end of the range{slowest}"
            )
        }
        State::Stuck => format!("stuck everywhere: none of {runs} runs at {places} places came back"),
        State::Might => format!(
            "no boundary: {back} of {runs} runs at {places} places came back, and nowhere between {} and {} does that change clearly",
            ends[0], ends[1]
        ),
        State::Boundary => row.boundaries.iter().map(|it| of_boundary(row, it, ends, shown)).collect(),
        State::Islands => {
            let mut text = format!(
                "{} boundaries; there may be more between the places that were tried first (`steps` of the range)",
                row.boundaries.len()
            );
            for it in &row.boundaries {
                let _ = write!(text, "\n    {}", of_boundary(row, it, ends, shown));
            }
            text
        }
    }
}

fn of_boundary(row: &Row, it: &Boundary, ends: &[String; 2], shown: &Shown) -> String {
    let (low, high) = it.interval();
    let (bare, value) = (|at: f64| shown.bare(at), |at: f64| shown.value(at));
    let half = match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("about {} [{}, {}]", value(f64::midpoint(low, high)), bare(low), bare(high)),
        (true, false) => format!("some place above {}", value(low)),
        (false, true) => format!("some place below {}", value(high)),
        (false, false) => "some place that these runs do not tell".to_owned(),
    };
    // The end of the range at which it comes back, and the other.
    let (good, bad) = if it.below { (&ends[0], &ends[1]) } else { (&ends[1], &ends[0]) };
    let (until, from) = if it.below { ("up to", "from") } else { ("from", "up to") };
    let all = it.all.map_or_else(
        || format!("not all runs come back even at {good}"),
        |at| format!("all runs come back {until} {}", value(at)),
    );
    let none = it.none.map_or_else(|| format!("some still do at {bad}"), |at| format!("none {from} {}", value(at)));
    let mut text = format!("{all}, half of them {until} {half}, {none}");
    if let Some(probe) = report::map::closest(row, it) {
        let (k, n) = (probe.back(), probe.runs.len());
        let sure = digits::share_of_runs(proportion::wilson(k, n));
        let _ = write!(text, "\n    between, it might: {k} of {n} runs at {} {sure}", value(probe.value));
    }
    if let Some(probe) = it.all.and_then(|all| row.probes.iter().find(|probe| probe.value == all)) {
        let _ = write!(text, "\n    at {}, where all come back: {}", value(probe.value), time(probe));
    }
    text
}

fn times(probe: &Probe) -> Vec<f64> {
    probe.runs.iter().map(|it| it.after).collect()
}

fn median(probe: &Probe) -> Option<f64> {
    quantile(&times(probe), 0.5).map(|it| it.value)
}

/// `back after 4.1s [3.9s, 4.6s] in the median`.
fn time(probe: &Probe) -> String {
    let Some(it) = quantile(&times(probe), 0.5) else { return "no time to recovery".to_owned() };
    let plain = |value: f64| digits::plain(value, Quantity::Seconds);
    if it.value == 0.0 {
        return "back at once in the median".to_owned();
    }
    let interval = if it.low.is_finite() && it.high.is_finite() {
        format!(" [{}, {}]", plain(it.low), plain(it.high))
    } else {
        String::new()
    };
    format!("back after {}{interval} in the median", plain(it.value))
}

fn claims(scenario: &Scenario, map: &Map) -> String {
    if map.claims.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  claims: {}", report::words::tally(map.claims.iter().map(|claim| claim.holds)));
    let shown = Shown::new(scenario, map);
    for claim in map.claims.iter().filter(|claim| claim.holds != Holds::Yes) {
        let row = &map.rows[claim.row];
        let called = report::map::called(scenario, map, row);
        let place = if called.is_empty() { called } else { format!(" ({called})") };
        let is = if claim.holds == Holds::Undecided { "cannot be decided with these seeds" } else { "does not hold" };
        let seen = match row.boundaries[..] {
            [it] => {
                let (low, high) = it.interval();
                format!("the boundary is in [{}, {}]{}", shown.bare(low), shown.bare(high), shown.unit)
            }
            [] => format!(
                "there is no boundary, {} of {} runs came back",
                row.probes.iter().map(Probe::back).sum::<usize>(),
                row.runs()
            ),
            _ => format!("there are {} boundaries", row.boundaries.len()),
        };
        let _ = write!(text, "\n    {is}{place}: {}; {seen}, claimed {}", claim.claim, claim.bound);
    }
    text
}

/// The same for a program.
fn json(scenario: &Scenario, map: &Map) -> String {
    let boundary = |it: &Boundary| {
        let (low, high) = it.interval();
        let finite = |value: f64| Some(value).filter(|it| it.is_finite());
        serde_json::json!({
            "recovers": if it.below { "below" } else { "above" },
            "all_recover": it.all, "half_low": finite(low), "half_high": finite(high), "none_recovers": it.none,
        })
    };
    let probe = |it: &Probe| serde_json::json!({ "value": it.value, "runs": it.runs.len(), "came_back": it.back() });
    let row = |row: &Row| {
        let labels = scenario.labels(&row.point);
        let other = scenario.axes.iter().zip(labels).enumerate().filter(|(axis, _)| *axis != map.along);
        let values: serde_json::Map<_, _> = other.map(|(_, (axis, label))| (axis.name.clone(), label.into())).collect();
        serde_json::json!({
            "values": values, "state": row.state().name(), "runs": row.runs(), "stopped": row.stopped,
            "boundaries": row.boundaries.iter().map(boundary).collect::<Vec<_>>(),
            "probes": row.probes.iter().map(probe).collect::<Vec<_>>(),
        })
    };
    let claim = |it: &crate::experiment::map::Judged| serde_json::json!({ "claim": it.claim, "row": it.row, "bound": it.bound, "holds": it.holds.name() });
    let axis = &scenario.axes[map.along];
    let all = serde_json::json!({
        "experiment": scenario.name, "along": axis.name, "unit": axis.unit(), "within": map.within, "seeds": map.runs,
        "confidence": map.confidence(),
        "first_seed": map.seed, "rows": map.rows.iter().map(row).collect::<Vec<_>>(), "runs": map.runs_made(),
        "grid_runs": map.grid_runs, "claims": map.claims.iter().map(claim).collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&all).expect("a tree of plain values can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_differ_do_not_look_alike() {
        let it = Boundary { below: true, all: Some(40.06), half: [Some(40.06), Some(40.11)], none: Some(40.14) };
        let tells = |places| Shown { unit: "/s", places }.tells_apart(&it);
        assert_eq!([tells(0), tells(1), tells(2)], [false, false, true]);
        let open = Boundary { all: None, half: [Some(40.06), None], none: None, ..it };
        assert!(Shown { unit: "/s", places: 0 }.tells_apart(&open));
    }
}
