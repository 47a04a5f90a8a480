//! `summary.md`: what came of an experiment, as a comment on a pull request would say it.
//!
//! First whether the claims hold, those that do not one by one; then how the runs of each point ended and what was at work; then
//! all claims, folded away. Texts from files are escaped: a claim makes no table, no link and no picture.

use std::fmt::Write as _;

use super::words;
use crate::experiment::{Holds, Swept};
use crate::scenario::Scenario;
use crate::scenario::source::visible;

/// Points that are told one by one.
const MOST_POINTS: usize = 50;

/// Platforms take comments of at most 65,536 characters: where so many bytes are told, the rest is in the tables.
const MOST_BYTES: usize = 50_000;

/// Claims that are told one by one.
const MOST_CLAIMS: usize = 100;

/// The file.
pub(super) fn write(scenario: &Scenario, swept: &Swept) -> String {
    let mut text = format!("## {}\n\n", escaped(&scenario.name));
    if let Some(lesson) = &scenario.experiment.lesson {
        let _ = writeln!(text, "{}\n", escaped(lesson.trim()));
    }
    let _ = writeln!(text, "{}\n", outcome(swept));
    for claim in swept.claims.iter().filter(|claim| claim.holds != Holds::Yes).take(MOST_CLAIMS) {
        let place = words::place(scenario, claim.point);
        let said = format!("{}, claimed {}: {}", words::claimed(claim), claim.bound, words::holds(claim));
        let _ = writeln!(text, "- **{}{}**: {}", escaped(&place), escaped(&claim.claim), escaped(&said));
    }
    text.push_str("\n| point | how its runs ended | what was at work, and what to try first |\n|---|---|---|\n");
    let mut told = 0;
    for (number, point) in swept.points.iter().enumerate().take(MOST_POINTS) {
        if text.len() > MOST_BYTES {
            break;
        }
        told += 1;
        let place = words::place(scenario, number);
        let place = place.trim_end_matches(": ");
        let mut at_work = words::diagnosed(point).unwrap_or_default();
        if let Some(told) = point.told() {
            let _ = write!(at_work, "; try {}", words::remedy(&told.diagnosis.remedy));
        }
        if let Some(tried) = &point.tried {
            let _ = write!(at_work, "; tried {}", words::tried(tried).join("; "));
        }
        let place = if place.is_empty() { "the only one" } else { place };
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            escaped(place),
            escaped(&words::ended(&point.verdicts)),
            escaped(&at_work)
        );
    }
    more(&mut text, swept.points.len(), told, "points");
    if !swept.claims.is_empty() {
        text.push_str(
            "\n<details><summary>All claims</summary>\n\n| claim | is | claimed | holds |\n|---|---|---|---|\n",
        );
        let mut told = 0;
        for claim in swept.claims.iter().take(MOST_CLAIMS) {
            if text.len() > MOST_BYTES {
                break;
            }
            told += 1;
            let place = words::place(scenario, claim.point);
            let _ = writeln!(
                text,
                "| {}{} | {} | {} | {} |",
                escaped(&place),
                escaped(&claim.claim),
                escaped(&words::claimed(claim)),
                escaped(&claim.bound),
                claim.holds.name()
            );
        }
        more(&mut text, swept.claims.len(), told, "claims");
        text.push_str("\n</details>\n");
    }
    text
}

/// Whether all is well, in a sentence.
fn outcome(swept: &Swept) -> String {
    let stopped = swept.points.iter().flat_map(|point| &point.stopped).flatten().count();
    let mut text = match swept.claims.len() {
        0 => "Nothing is claimed.".to_owned(),
        1 if swept.all_hold() => "**The claim holds.**".to_owned(),
        n if swept.all_hold() => format!("**All {n} claims hold.**"),
        _ => format!("**Claims: {}.**", words::tally(swept.claims.iter().map(|claim| claim.holds))),
    };
    if stopped > 0 {
        let _ = write!(text, " {stopped} runs were stopped by a limit; their figures are partial.");
    }
    text
}

/// Says that there are more than are told.
fn more(text: &mut String, all: usize, told: usize, what: &str) {
    if all > told {
        let _ = writeln!(text, "\n{} more {what} are in the tables.", all - told);
    }
}

/// Text in which Markdown sees nothing, in one line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => safe.push(' '),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' | '@' => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(visible(c)),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn texts_from_files_stay_texts() {
        assert_eq!(escaped("a | b\n<script> ![x](y) @all"), "a \\| b &lt;script&gt; \\!\\[x\\](y) \\@all");
        assert_eq!(escaped("red \u{1b}[31m\u{7}"), "red \u{fffd}\\[31m\u{fffd}");
    }
}
