//! What the experiment says of its own results, and whether it is so.

use std::fmt::Write as _;

use super::markup::{count, escape, place};
use super::{Page, Section};
use crate::experiment::statistics::digits;
use crate::experiment::{Holds, Judged};
use crate::report::words::tally;

/// Points at which a claim is told one by one. At more, those where it does not hold are, and the others together.
const MOST_ALONE: usize = 12;

/// Rows of one claim at most.
const MOST_ROWS: usize = 50;

pub fn section(page: &Page) -> Option<Section> {
    let claims = &page.swept.claims;
    if claims.is_empty() {
        return None;
    }
    let with_places = !page.scenario.axes.is_empty();
    let mut rows = String::new();
    for same in claims.chunk_by(|a, b| a.claim == b.claim && a.metric == b.metric && a.bound == b.bound) {
        rows.push_str(&of_one(page, same, with_places));
    }
    let at = if with_places { "<th scope=\"col\">Where</th>" } else { "" };
    let body = format!(
        "<p>{}.</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of claims\">\n<table class=\"claims\">\n\
         <caption>What the experiment claims, what was measured, with its 95 % interval, and whether the claim holds</caption>\n\
         <thead><tr><th scope=\"col\">Claim</th>{at}<th scope=\"col\">Metric</th><th scope=\"col\">Measured</th>\
         <th scope=\"col\">Claimed</th><th scope=\"col\">Holds</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        tally(claims.iter().map(|claim| claim.holds))
    );
    Some(Section { id: "claims", heading: "Claims", body })
}

/// The rows of one claim: a row for each point, or, at many, one for all where it holds.
fn of_one(page: &Page, same: &[Judged], with_places: bool) -> String {
    if same.len() <= MOST_ALONE {
        return same.iter().map(|claim| row(page, claim, with_places)).collect();
    }
    let holding: Vec<&Judged> = same.iter().filter(|claim| claim.holds == Holds::Yes).collect();
    let others = same.iter().filter(|claim| claim.holds != Holds::Yes);
    let mut rows: String = others.clone().take(MOST_ROWS).map(|claim| row(page, claim, with_places)).collect();
    let by_mean = |a: &&&Judged, b: &&&Judged| a.value.mean.total_cmp(&b.value.mean);
    let ends = (holding.iter().min_by(by_mean), holding.iter().max_by(by_mean));
    if let (Some(least), Some(most)) = ends {
        let [low, high] = [least, most].map(|it| digits::mean(&it.value, it.quantity));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"number\">{} to {}</td><td class=\"number\">{}</td>\
             <td class=\"good\">✓ yes</td></tr>",
            escape(&least.claim),
            if holding.len() == same.len() {
                format!("all {}", count(same.len(), "point"))
            } else {
                count(holding.len(), "point")
            },
            escape(&metric(least)),
            escape(&low),
            escape(&high),
            escape(&bound(least)),
        );
    }
    if others.count() > MOST_ROWS {
        let _ = writeln!(rows, "<tr><td colspan=\"6\">More rows are in claims.csv.</td></tr>");
    }
    rows
}

/// What was measured, in words.
fn metric(claim: &Judged) -> String {
    match claim.metric.strip_prefix("verdict:") {
        Some(name) => format!("runs that end {}", name.replace('_', " ")),
        None => claim.metric.clone(),
    }
}

fn bound(claim: &Judged) -> String {
    claim.bound.replace("<=", "≤").replace(">=", "≥")
}

fn row(page: &Page, claim: &Judged, with_places: bool) -> String {
    let value = &claim.value;
    let measured = if claim.metric.starts_with("verdict:") {
        let k = libm::round(value.mean * value.n as f64);
        format!("{k} of {} {}", value.n, digits::share_of_runs((value.low, value.high)))
    } else {
        digits::with_ends(value, claim.quantity)
    };
    let (class, holds) = match (claim.holds, claim.seeds_to_decide) {
        (Holds::Yes, _) => ("good", "✓ yes".to_owned()),
        (Holds::No, _) => ("bad", "✗ no".to_owned()),
        (Holds::Undecided, Some(seeds)) => ("between", format!("? not decided: about {seeds} seeds would do")),
        (Holds::Undecided, None) => ("between", "? not decided: too close to the bound".to_owned()),
    };
    let at =
        if with_places { format!("<td>{}</td>", escape(&place(page.scenario, claim.point))) } else { String::new() };
    format!(
        "<tr><th scope=\"row\">{}</th>{at}<td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{class}\">{holds}</td></tr>\n",
        escape(&claim.claim),
        escape(&metric(claim)),
        escape(&measured),
        escape(&bound(claim)),
    )
}
