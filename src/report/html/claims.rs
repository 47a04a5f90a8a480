//! What the experiment says of its own results, and whether it is so.

use super::markup::{count, escape, place};
use super::{Page, Section};
use crate::experiment::statistics::digits;
use crate::experiment::{Holds, Judged};

/// Rows of the table. Where a claim is judged at more points, all that do not hold come first.
const MOST_ROWS: usize = 400;

pub fn section(page: &Page) -> Option<Section> {
    let claims = &page.swept.claims;
    if claims.is_empty() {
        return None;
    }
    let with_places = !page.scenario.axes.is_empty();
    let mut shown: Vec<&Judged> = claims.iter().collect();
    let mut note = String::new();
    if shown.len() > MOST_ROWS {
        shown.sort_by_key(|claim| claim.holds == Holds::Yes);
        shown.truncate(MOST_ROWS);
        note = format!(
            "<p>The first {MOST_ROWS} of {}: those that do not hold, or cannot be decided, stand first. All are in claims.csv.</p>\n",
            count(claims.len(), "row")
        );
    }
    let rows: String = shown.into_iter().map(|claim| row(page, claim, with_places)).collect();
    let at = if with_places { "<th scope=\"col\">Where</th>" } else { "" };
    let body = format!(
        "<p>{}</p>\n{note}<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Claims\">\n<table class=\"claims\">\n\
         <caption>What the experiment claims, what was measured, with its 95 % interval, and whether the claim holds</caption>\n\
         <thead><tr><th scope=\"col\">Claim</th>{at}<th scope=\"col\">Metric</th><th scope=\"col\">Measured</th>\
         <th scope=\"col\">Claimed</th><th scope=\"col\">Holds</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n",
        tally(claims)
    );
    Some(Section { id: "claims", heading: "Claims", body })
}

/// How many hold, fail, and cannot be decided.
fn tally(claims: &[Judged]) -> String {
    let of = |holds| claims.iter().filter(|claim| claim.holds == holds).count();
    let mut text = format!("{} of {} hold", of(Holds::Yes), claims.len());
    match of(Holds::No) {
        0 => {}
        1 => text.push_str(", 1 does not"),
        n => text.push_str(&format!(", {n} do not")),
    }
    match of(Holds::Undecided) {
        0 => {}
        n => text.push_str(&format!(", {n} cannot be decided with these seeds")),
    }
    format!("{text}.")
}

fn row(page: &Page, claim: &Judged, with_places: bool) -> String {
    let value = &claim.value;
    let (metric, measured) = match claim.metric.strip_prefix("verdict:") {
        Some(name) => {
            let k = libm::round(value.mean * value.n as f64);
            let interval = digits::share_of_runs((value.low, value.high));
            (format!("runs that end {}", name.replace('_', " ")), format!("{k} of {} {interval}", value.n))
        }
        None => (claim.metric.clone(), digits::with_ends(value, claim.quantity)),
    };
    let (class, holds) = match (claim.holds, claim.seeds_to_decide) {
        (Holds::Yes, _) => ("good", "✓ yes".to_owned()),
        (Holds::No, _) => ("bad", "✗ no".to_owned()),
        (Holds::Undecided, Some(seeds)) => ("between", format!("? not decided: about {seeds} seeds would do")),
        (Holds::Undecided, None) => ("between", "? not decided: too close to the bound".to_owned()),
    };
    let at = if with_places { format!("<td>{}</td>", escape(&place(page.scenario, claim.point))) } else { String::new() };
    format!(
        "<tr><th scope=\"row\">{}</th>{at}<td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"{class}\">{holds}</td></tr>\n",
        escape(&claim.claim),
        escape(&metric),
        escape(&measured),
        escape(&claim.bound),
    )
}
