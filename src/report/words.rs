//! What is said of a point to a person: on the terminal, in the summary, in the report.

use crate::experiment::compare::{Finding, Row};
use crate::experiment::statistics::{digits, proportion};
use crate::experiment::{Facts, Holds, Judged, Mechanism, Remedy, Summary, Told, Tried, Verdict, quoted, states};
use crate::measure::Quantity;
use crate::scenario::Scenario;

/// Where something is said of, to be put before it: `attempts 3, load 80/s: `; nothing if there is one point only.
#[must_use]
pub fn place(scenario: &Scenario, number: usize) -> String {
    let point = scenario.point(number);
    let pairs = scenario.axes.iter().zip(scenario.labels(&point)).map(|(axis, label)| format!("{} {label}", axis.name));
    let place = pairs.collect::<Vec<_>>().join(", ");
    if place.is_empty() { place } else { format!("{place}: ") }
}

/// How many runs ended in which way, the most first, with Wilson's interval of each share.
#[must_use]
pub fn counts(verdicts: &[Verdict]) -> String {
    let runs = verdicts.len();
    // How all of few runs ended says little of the next; one run says nothing of a share.
    let interval = |n: usize| {
        if runs > 1 { format!(" {}", digits::share_of_runs(proportion::wilson(n, runs))) } else { String::new() }
    };
    let counts = states(verdicts).into_iter();
    let counted = counts.map(|(name, n)| format!("{} in {n} of {runs}{}", name.name().replace('_', " "), interval(n)));
    counted.collect::<Vec<_>>().join(", ")
}

/// How long it took to come back, over the runs that did: `back after 4 s in the median (3 s to 6 s)`. [`None`] if it took no time,
/// or fewer than two runs did.
#[must_use]
pub fn times(verdicts: &[Verdict]) -> Option<String> {
    let times: Vec<f64> = verdicts.iter().map(|it| it.recovery).filter(|it| *it > 0.0 && it.is_finite()).collect();
    let all = Summary::of(&times);
    let [median, min, max] = [all.median, all.min, all.max].map(|it| digits::plain(it, Quantity::Seconds));
    match all.n {
        0 | 1 => None,
        _ if min == max => Some(format!("back after {median}")),
        _ => Some(format!("back after {median} in the median ({min} to {max})")),
    }
}

/// The evidence of the first of the runs that ended as most did.
#[must_use]
pub fn evidence(point: &Facts) -> String {
    let count = |verdict: &Verdict| point.verdicts.iter().filter(|it| it.name == verdict.name).count();
    let each = point.seeds.iter().zip(&point.verdicts).map(|(seed, verdict)| (count(verdict), seed, verdict));
    let most = each.reduce(|a, b| if b.0 > a.0 { b } else { a });
    most.map_or_else(String::new, |(_, seed, verdict)| format!("seed {seed}: {}", verdict.evidence))
}

/// How runs ended, and how long that took.
#[must_use]
pub fn ended(verdicts: &[Verdict]) -> String {
    std::iter::once(counts(verdicts)).chain(times(verdicts)).collect::<Vec<_>>().join("; ")
}

/// The diagnosis that stood first in the most runs of a point: `metastable loop in 6 of 6; seed 1: …`. [`None`] if there is none.
#[must_use]
pub fn diagnosed(point: &Facts) -> Option<String> {
    let Told { times, seed, diagnosis, .. } = point.told()?;
    let name = named(diagnosis.mechanism);
    Some(format!("{name} in {times} of {}; seed {seed}: {}", point.seeds.len(), diagnosis.evidence))
}

/// What to try, and the value that does it: `a budget for … (--set '…')`.
#[must_use]
pub fn remedy(remedy: &Remedy) -> String {
    let set = remedy.set.as_ref();
    let set = set.map_or_else(String::new, |(path, value)| format!(" (--set {})", quoted(&format!("{path}={value}"))));
    format!("{}{set}", remedy.text)
}

/// What a remedy did: how the runs ended with it, whether the diagnosis is still there, and what differs; a line each.
#[must_use]
pub fn tried(it: &Tried) -> Vec<String> {
    let (path, value) = it.set();
    // That of the first diagnosis may have no value to set: then it is another's.
    let mechanism = named(it.diagnosis.mechanism);
    let set = format!("--set {} against the {mechanism}", quoted(&format!("{path}={value}")));
    if let Some(why) = &it.refused {
        return vec![format!("{set}: it cannot be set here, {why}")];
    }
    let same = |verdict: &&Verdict| verdict.diagnoses.iter().any(|found| found.mechanism == it.diagnosis.mechanism);
    let still = it.verdicts.iter().filter(same).count();
    let first = format!("{set}: {}; {mechanism} in {still} of {}", ended(&it.verdicts), it.verdicts.len());
    let figures = it.rows().into_iter().filter_map(|row| {
        let window = if row.metric == "goodput" { format!(" {}", it.window) } else { String::new() };
        Some(format!("{} of {}{window} {}", row.metric, row.entity, differs(&row)?))
    });
    std::iter::once(first).chain(figures).collect()
}

/// How a figure differs with a remedy; [`None`] if there is nothing of it.
fn differs(row: &Row) -> Option<String> {
    let open = if row.finding() == Finding::Undecided { " (undecided)" } else { "" };
    let it = &row.difference;
    Some(match (row.finding(), &row.order) {
        (Finding::Nothing, _) => return None,
        (Finding::Same, _) => "is the same in every run".to_owned(),
        (_, Some(order)) => {
            let [without, with] = [order.a.value, order.b.value].map(|it| digits::plain(it, row.quantity));
            format!(
                "is {with} instead of {without} (medians), less in {} and more in {} runs{open}",
                order.less, order.more
            )
        }
        (_, None) => format!(
            "is {} instead of {}: {}{open}",
            digits::mean(&it.b, row.quantity),
            digits::mean(&it.a, row.quantity),
            digits::difference(&it.paired, it.a.mean.abs().max(it.b.mean.abs()), row.quantity)
        ),
    })
}

/// A mechanism in words.
fn named(mechanism: Mechanism) -> String {
    mechanism.name().replace('_', " ")
}

/// What a claim is about, with its interval: `recovery_time is 4.1 s [3.9, 4.3]`, `metastable in 19 of 20 runs [76 %, 99 %]`.
#[must_use]
pub fn claimed(claim: &Judged) -> String {
    match claim.metric.strip_prefix("verdict:") {
        Some(name) => {
            let k = libm::round(claim.value.mean * claim.value.n as f64);
            let interval = digits::share_of_runs((claim.value.low, claim.value.high));
            format!("{} in {k} of {} runs {interval}", name.replace('_', " "), claim.value.n)
        }
        None => format!("{} is {}", claim.metric, digits::with_ends(&claim.value, claim.quantity)),
    }
}

/// How many of some claims hold: `5 of 7 hold, 1 does not, 1 cannot be decided with these seeds`.
#[must_use]
pub fn tally(claims: impl Iterator<Item = Holds>) -> String {
    let claims: Vec<Holds> = claims.collect();
    let count = |holds: Holds| claims.iter().filter(|it| **it == holds).count();
    let mut text = format!("{} of {} hold", count(Holds::Yes), claims.len());
    match count(Holds::No) {
        0 => {}
        1 => text.push_str(", 1 does not"),
        n => text.push_str(&format!(", {n} do not")),
    }
    match count(Holds::Undecided) {
        0 => {}
        n => text.push_str(&format!(", {n} cannot be decided with these seeds")),
    }
    text
}

/// Whether a claim holds, in words; if it cannot be decided, what would decide it.
#[must_use]
pub fn holds(claim: &Judged) -> String {
    match (claim.holds, claim.seeds_to_decide) {
        (Holds::Yes, _) => "holds".to_owned(),
        (Holds::No, _) => "does not hold".to_owned(),
        (Holds::Undecided, Some(seeds)) => format!("cannot be decided; about {seeds} seeds would decide it"),
        (Holds::Undecided, None) => {
            "cannot be decided; it is too close to the bound for any number of seeds".to_owned()
        }
    }
}
