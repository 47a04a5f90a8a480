//! How it ended, in words: for each point its state over the seeds, what was at work, the evidence, and the first remedy to try.

use std::fmt::Write as _;

use super::markup::{capital, count, escape, place, seeds, thousands, with_code};
use super::{Page, Section};
use crate::experiment::statistics::proportion;
use crate::experiment::{Diagnosis, Facts, Holds, Mechanism, Verdict};
use crate::scenario::experiment::VerdictName;

/// Points that are told one by one, each with its evidence; of more, those that ended alike are told together.
const MOST_ALONE: usize = 12;

/// Groups of points that are told. Who has more looks at the figures.
const MOST_CARDS: usize = 30;

/// Warnings of a group that are told.
const MOST_WARNINGS: usize = 10;

/// Points that are named where many are told together.
const MOST_NAMED: usize = 40;

/// A state as it is said, and what it means.
fn words(state: VerdictName) -> (&'static str, &'static str) {
    match state {
        VerdictName::Metastable => {
            ("stuck", "the faults are over, the outage is not, and nothing moves any more (metastable)")
        }
        VerdictName::StillFailing => (
            "still failing",
            "answers have not come back, but it is too early to call it stuck, or a fault is still there",
        ),
        VerdictName::Recovered => ("recovered", "answers fell away, and came back"),
        VerdictName::NeverDisturbed => ("never disturbed", "nothing that was done to it did harm that could be seen"),
        VerdictName::NotJudged => ("not judged", "there is nothing to compare with, or a limit has stopped the run"),
    }
}

/// Points that are told together.
struct Group<'a> {
    points: Vec<usize>,
    /// The first of them, which stands for the others.
    first: &'a Facts,
    /// How the runs of all of them ended, the most frequent first.
    states: Vec<(VerdictName, usize)>,
    /// What was at work, and in how many of the runs; the most telling first.
    mechanisms: Vec<(Mechanism, usize)>,
}

impl Group<'_> {
    fn runs(&self) -> usize {
        self.states.iter().map(|it| it.1).sum()
    }

    fn state(&self) -> VerdictName {
        self.states.first().map_or(VerdictName::NotJudged, |it| it.0)
    }

    /// Takes in a point that ended alike.
    fn add(&mut self, number: usize, point: &Facts) {
        self.points.push(number);
        for (state, n) in point.states() {
            match self.states.iter_mut().find(|it| it.0 == state) {
                Some(known) => known.1 += n,
                None => self.states.push((state, n)),
            }
        }
        self.states.sort_by_key(|it| std::cmp::Reverse(it.1));
        for (mechanism, n) in mechanisms(point) {
            match self.mechanisms.iter_mut().find(|it| it.0 == mechanism) {
                Some(known) => known.1 += n,
                None => self.mechanisms.push((mechanism, n)),
            }
        }
        self.mechanisms.sort_by_key(|it| it.0);
    }
}

pub fn section(page: &Page) -> Section {
    let points = &page.swept.points;
    let mut body = format!("<p class=\"summary\">{}</p>\n", summary(page));
    let groups = groups(points);
    if groups.len() > 1 {
        body.push_str(&glance(page, &groups));
    }
    if groups.iter().any(|group| group.points.len() > 1) {
        body.push_str("<p class=\"soft\">Points that ended alike are told together, by the first of them.</p>\n");
    }
    let mut told: Vec<VerdictName> = Vec::new();
    for group in groups.iter().take(MOST_CARDS) {
        told.extend(group.states.iter().map(|it| it.0));
        body.push_str(&card(page, group));
    }
    told.sort_unstable();
    told.dedup();
    let meanings: String = told
        .iter()
        .rev()
        .map(|state| {
            let (word, meaning) = words(*state);
            format!("<div><dt>{}</dt><dd>{meaning}</dd></div>", capital(word))
        })
        .collect();
    let _ = writeln!(body, "<dl class=\"meanings\">{meanings}</dl>");
    Section { id: "verdict", heading: "Verdict", body }
}

/// All of it at a glance, for those who read no further.
fn glance(page: &Page, groups: &[Group]) -> String {
    let rows: String = groups
        .iter()
        .take(MOST_CARDS)
        .map(|group| {
            let name = match group.points.len() {
                1 => escape(&place(page.scenario, group.points[0])),
                n => count(n, "point"),
            };
            // Of many points, what was at work in most of their runs.
            let often = group.mechanisms.iter().filter(|it| group.points.len() == 1 || it.1 * 2 >= group.runs());
            let names: Vec<String> = often.map(|it| it.0.name().replace('_', " ")).collect();
            let work = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            format!(
                "<tr><th scope=\"row\">{name}</th><td class=\"{}\">{}{}</td><td>{work}</td></tr>\n",
                class(group.state()),
                counted(&group.states, group.runs()),
                bar(&group.states, group.runs()),
            )
        })
        .collect();
    let what = if page.scenario.axes.iter().all(|axis| axis.name == "variant") { "Variant" } else { "Point" };
    let more = match groups.len().saturating_sub(MOST_CARDS) {
        0 => String::new(),
        n => format!("<p>And {}, which ended otherwise: see verdicts.csv.</p>\n", count(n, "group")),
    };
    format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"The verdict at a glance\">\n<table class=\"glance\">\n\
         <caption>At a glance</caption>\n<thead><tr><th scope=\"col\">{what}</th><th scope=\"col\">How it ended</th>\
         <th scope=\"col\">What was at work</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n{more}"
    )
}

/// What was run, and whether it is as was claimed, in a sentence or two.
fn summary(page: &Page) -> String {
    let points = &page.swept.points;
    let variants = page.scenario.axes.iter().all(|axis| axis.name == "variant");
    let what = match points.len() {
        1 => "One system".to_owned(),
        n if variants => count(n, "variant"),
        n => count(n, "point"),
    };
    let seeds = seeds(points);
    let runs = if seeds == "1" { "1 run".to_owned() } else { format!("{seeds} runs") };
    let each = if points.len() == 1 { "" } else { " each" };
    let claims = &page.swept.claims;
    let hold = claims.iter().filter(|claim| claim.holds == Holds::Yes).count();
    let claimed = match (claims.len(), hold) {
        (0, _) => String::new(),
        (1, 1) => " <strong class=\"good\">The claim holds.</strong>".to_owned(),
        (2, 2) => " <strong class=\"good\">Both claims hold.</strong>".to_owned(),
        (all, hold) if all == hold => format!(" <strong class=\"good\">All {} claims hold.</strong>", thousands(all)),
        (all, hold) => {
            format!(
                " <strong class=\"bad\">{hold} of {} hold:</strong> <a href=\"#claims\">which do not</a>.",
                count(all, "claim")
            )
        }
    };
    format!("{what}, {runs}{each}, which differ in their luck only.{claimed}")
}

/// The points in their order, one by one; if there are many, those together that ended alike and for the same first reason, and the worst
/// end first.
fn groups(points: &[Facts]) -> Vec<Group<'_>> {
    let end = |point: &Facts| (point.states().first().map(|it| it.0), mechanisms(point).first().map(|it| it.0));
    let plain = points.iter().all(|point| end(point).1.is_none() && point.states() == points[0].states());
    let together = points.len() > MOST_ALONE || (plain && points.len() > 3);
    let mut groups: Vec<Group> = Vec::new();
    for (number, point) in points.iter().enumerate() {
        let known = groups.iter_mut().find(|group| together && end(group.first) == end(point));
        match known {
            Some(group) => group.add(number, point),
            None => {
                let mut group = Group { points: Vec::new(), first: point, states: Vec::new(), mechanisms: Vec::new() };
                group.add(number, point);
                groups.push(group);
            }
        }
    }
    if together {
        groups.sort_by_key(|group| std::cmp::Reverse((group.state(), group.points.len())));
    }
    groups
}

/// What was at work, and in how many of the runs; the most telling first.
fn mechanisms(point: &Facts) -> Vec<(Mechanism, usize)> {
    let has = |verdict: &Verdict, mechanism| verdict.diagnoses.iter().any(|it| it.mechanism == mechanism);
    let times = |mechanism| point.verdicts.iter().filter(|verdict| has(verdict, mechanism)).count();
    let mut all: Vec<_> = Mechanism::ALL.into_iter().map(|it| (it, times(it))).filter(|it| it.1 > 0).collect();
    // First the one that is told on the terminal.
    if let Some(told) = point.told() {
        all.sort_by_key(|it| it.0 != told.diagnosis.mechanism);
    }
    all
}

fn card(page: &Page, group: &Group) -> String {
    let point = group.first;
    let many = group.points.len() > 1;
    let alone = place(page.scenario, group.points[0]);
    let heading = match group.points.len() {
        1 if alone.is_empty() => String::new(),
        1 => format!("<h3>{}</h3>\n", escape(&alone)),
        n => format!("<h3>{}</h3>\n", count(n, "point")),
    };
    let together = if many {
        format!("{}<p class=\"soft\">The first of them, {}:</p>\n", named(page, &group.points), escape(&alone))
    } else {
        String::new()
    };
    let state = point.states().first().map_or(VerdictName::NotJudged, |it| it.0);
    let example = point.seeds.iter().zip(&point.verdicts).find(|it| it.1.name == state);
    let evidence = example.map_or_else(String::new, |(seed, verdict)| {
        format!(
            "<p class=\"evidence\">{} <span class=\"soft\">(seed {seed})</span></p>\n",
            escape(&sentence(&verdict.evidence))
        )
    });
    let told = |some: &[(Mechanism, usize)]| -> String {
        let items: String = some.iter().map(|(mechanism, times)| diagnosis(page, point, *mechanism, *times)).collect();
        if items.is_empty() { items } else { format!("<ul class=\"diagnoses\">\n{items}</ul>\n") }
    };
    let all = mechanisms(point);
    let (first, rest) = all.split_at(all.len().min(1));
    let mut diagnoses = told(first);
    if !rest.is_empty() {
        let names: Vec<String> = rest.iter().map(|it| it.0.name().replace('_', " ")).collect();
        let _ = writeln!(
            diagnoses,
            "<details class=\"more\"><summary>Also at work: {}</summary>\n{}</details>",
            names.join(", "),
            told(rest)
        );
    }
    let times = super::super::words::times(&point.verdicts);
    let times = times.map_or_else(String::new, |times| format!("<p>{}.</p>\n", escape(&capital(&times))));
    let (tried, notes) = (tried(point), notes(page, group));
    format!(
        "<article class=\"card {class}\">\n{heading}<p class=\"state\">{counts}</p>\n{bar}{together}{times}{evidence}{diagnoses}{tried}{notes}</article>\n",
        class = class(group.state()),
        // An interval is one of a point: of different points it would say nothing.
        counts = if many { counted(&group.states, group.runs()) } else { counts(&group.states, group.runs()) },
        bar = bar(&group.states, group.runs()),
    )
}

/// What else there is to say: runs that did not finish, warnings, and how a system does in its everyday life.
fn notes(page: &Page, group: &Group) -> String {
    let mut warnings: Vec<String> = Vec::new();
    let mut text = String::new();
    for &number in &group.points {
        let point = &page.swept.points[number];
        let place = if group.points.len() > 1 { format!("{}: ", place(page.scenario, number)) } else { String::new() };
        let stopped = point.seeds.iter().zip(&point.stopped);
        let stopped = stopped.filter_map(|(seed, why)| Some(format!("seed {seed} did not finish: {}", why.as_ref()?)));
        let steady = point.steady.lines();
        let (warned, told): (Vec<_>, Vec<_>) = steady.into_iter().partition(|line| line.starts_with("warning"));
        warnings.extend(stopped.chain(warned).map(|line| format!("{place}{line}")));
        for line in told.iter().filter(|_| number == group.points[0]) {
            let _ = writeln!(text, "<p class=\"soft\">{}</p>", escape(&capital(line)));
        }
    }
    for line in warnings.iter().take(MOST_WARNINGS) {
        let _ = writeln!(text, "<p class=\"warning\">{}</p>", escape(&capital(line)));
    }
    if warnings.len() > MOST_WARNINGS {
        let _ = writeln!(text, "<p class=\"warning\">And {} more.</p>", thousands(warnings.len() - MOST_WARNINGS));
    }
    text
}

/// What the first remedy did, if it was tried.
fn tried(point: &Facts) -> String {
    let Some(tried) = &point.tried else { return String::new() };
    let lines: String =
        super::super::words::tried(tried).iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    format!("<p><strong>Tried, with the same luck:</strong></p>\n<ul class=\"tried\">\n{lines}</ul>\n")
}

/// A sentence with a large first letter, unless it begins with the name of a part: those are written as they are.
fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    if first.contains(['/', '>']) { text.to_owned() } else { capital(text) }
}

fn class(state: VerdictName) -> &'static str {
    match state {
        VerdictName::Metastable | VerdictName::StillFailing => "bad",
        VerdictName::Recovered | VerdictName::NeverDisturbed => "good",
        VerdictName::NotJudged => "between",
    }
}

/// `Stuck in 17 of 20 runs, recovered in 3`.
fn counted(states: &[(VerdictName, usize)], runs: usize) -> String {
    let mut text = String::new();
    for (place, (state, n)) in states.iter().enumerate() {
        let word = words(*state).0;
        let _ = match place {
            0 if runs == 1 => write!(text, "<strong>{}</strong>", capital(word)),
            0 if *n == runs => write!(text, "<strong>{} in all {} runs</strong>", capital(word), thousands(runs)),
            0 => write!(text, "<strong>{} in {} of {} runs</strong>", capital(word), thousands(*n), thousands(runs)),
            _ => write!(text, ", {word} in {}", thousands(*n)),
        };
    }
    text
}

/// The same, with the interval of the first.
fn counts(states: &[(VerdictName, usize)], runs: usize) -> String {
    let text = counted(states, runs);
    let judged = |it: &&(VerdictName, usize)| runs > 1 && it.0 != VerdictName::NotJudged;
    let Some((_, n)) = states.first().filter(judged) else { return text };
    let (low, high) = proportion::wilson(*n, runs);
    format!(
        "{text} <span class=\"soft\">(with 95 % confidence, {:.0} to {:.0} % of all such runs)</span>",
        low * 100.0,
        high * 100.0
    )
}

/// The runs as a bar. The words beside it say the same.
fn bar(states: &[(VerdictName, usize)], runs: usize) -> String {
    if runs < 2 {
        return String::new();
    }
    let mut from = 0;
    let parts: String = states
        .iter()
        .map(|(state, n)| {
            let part = format!("<rect class=\"{}\" x=\"{from}\" y=\"0\" width=\"{n}\" height=\"1\"/>", class(*state));
            from += n;
            part
        })
        .collect();
    format!(
        "<svg class=\"runs\" viewBox=\"0 0 {runs} 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">{parts}</svg>\n"
    )
}

fn named(page: &Page, points: &[usize]) -> String {
    let mut items: String = points
        .iter()
        .take(MOST_NAMED)
        .map(|&number| format!("<li>{}</li>", escape(&place(page.scenario, number))))
        .collect();
    if points.len() > MOST_NAMED {
        let _ = write!(items, "<li>and {} more, in verdicts.csv</li>", points.len() - MOST_NAMED);
    }
    format!("<details><summary>Which points</summary><ul class=\"points\">{items}</ul></details>\n")
}

fn diagnosis(page: &Page, point: &Facts, mechanism: Mechanism, times: usize) -> String {
    let found = point.seeds.iter().zip(&point.verdicts).find_map(|(seed, verdict)| {
        let first: Option<&Diagnosis> = verdict.diagnoses.iter().find(|it| it.mechanism == mechanism);
        first.map(|it| (seed, it))
    });
    let Some((seed, it)) = found else { return String::new() };
    let runs = point.seeds.len();
    let often = match runs {
        1 => String::new(),
        _ if times == runs => format!(" <span class=\"soft\">in all {runs} runs</span>"),
        _ => format!(" <span class=\"soft\">in {times} of {runs} runs</span>"),
    };
    let remedy = if it.remedy.text.is_empty() {
        String::new()
    } else {
        let set = it.remedy.set.as_ref().map_or_else(String::new, |(path, value)| {
            let command = format!("{} --set {}", page.command, crate::experiment::quoted(&format!("{path}={value}")));
            format!("\n{}", super::inputs::copied(&command, "Copy the command"))
        });
        format!("<p class=\"remedy\"><strong>First remedy to try:</strong> {}</p>{set}\n", with_code(&it.remedy.text))
    };
    format!(
        "<li>\n<p><strong>{name}</strong>{often}: {line}.</p>\n<p class=\"evidence\">{evidence} <span class=\"soft\">(seed {seed})</span></p>\n{remedy}</li>\n",
        name = capital(&mechanism.name().replace('_', " ")),
        line = mechanism.line(),
        evidence = escape(&sentence(&it.evidence)),
    )
}
