//! `report.html`: all that an experiment has to say, for a person, in one file that asks nobody for anything.
//!
//! ```text
//!   Page ─► sections (verdict · charts · claims · figures · statistics · inputs), a small function each ─► one file
//!           drawn twice: as it is read without scripts and printed, and as data that `report.js` makes charts of
//! ```
//!
//! Always: equal inputs give equal bytes; no address, date, path or name of a machine stands in it; a policy in its head forbids all
//! that is not the one script and the one style sheet that ship with us, whatever a file of the experiment may contain; and it stays
//! below some megabytes, however many points there are: what is left out is said where it would stand.

mod charts;
mod claims;
mod csp;
mod figures;
mod inputs;
mod json;
mod markup;
mod statistics;
#[cfg(test)]
mod tests;
mod verdict;

use std::io;
use std::path::Path;

use self::markup::escape;
use super::draw::Drawn;
use super::tables::{put, remove};
use crate::experiment::Swept;
use crate::scenario::Scenario;

pub use figures::Figures;

/// The name of the file.
pub(super) const NAME: &str = "report.html";

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// What a report is made of.
#[derive(Debug)]
pub struct Page<'a> {
    /// What was run.
    pub scenario: &'a Scenario,
    /// How it ended.
    pub swept: &'a Swept,
    /// The parts and who calls whom, as a picture.
    pub topology: &'a str,
    /// The charts that the experiment asks for, and the requests that were followed.
    pub charts: &'a [Drawn],
    /// The figures over seeds of each point.
    pub figures: &'a Figures,
    /// The command that runs it again.
    pub command: &'a str,
}

/// A part of the page, with a heading of its own.
struct Section {
    /// Its address in the page.
    id: &'static str,
    heading: &'static str,
    /// HTML.
    body: String,
}

/// The sections in their order; those that have nothing to say are left out.
fn sections(page: &Page) -> Vec<Section> {
    let all = [
        Some(topology(page)),
        Some(verdict::section(page)),
        charts::section(page),
        claims::section(page),
        figures::section(page),
        Some(statistics::section(page)),
        Some(inputs::section(page)),
    ];
    all.into_iter().flatten().collect()
}

/// The system.
fn topology(page: &Page) -> Section {
    let body = format!(
        "<figure class=\"chart\">\n<div class=\"picture\">\n{}</div>\n<figcaption class=\"soft\">Arrows lead from who calls to \
         who is called, with the policies around the calls, outermost first.</figcaption>\n</figure>\n",
        page.topology
    );
    Section { id: "system", heading: "The system", body }
}

/// Writes the report into the folder of results.
///
/// # Errors
/// When the file cannot be written.
pub fn write(folder: &Path, page: &Page) -> io::Result<()> {
    put(folder, NAME, compose(page).as_bytes())
}

/// Removes the report of an earlier run, which may have been another.
pub(super) fn remove_old(folder: &Path) -> io::Result<()> {
    remove(folder, NAME)
}

fn compose(page: &Page) -> String {
    let sections = sections(page);
    let name = escape(&page.scenario.name);
    let links: String =
        sections.iter().map(|it| format!("<li><a href=\"#{}\">{}</a></li>\n", it.id, it.heading)).collect();
    let bodies: String = sections
        .iter()
        .map(|it| {
            format!(
                "<section id=\"{0}\" aria-labelledby=\"{0}-heading\">\n<h2 id=\"{0}-heading\">{1}</h2>\n{2}</section>\n",
                it.id, it.heading, it.body
            )
        })
        .collect();
    let lesson = page.scenario.experiment.lesson.as_deref().unwrap_or_default().trim();
    let lesson =
        if lesson.is_empty() { String::new() } else { format!("<p class=\"lesson\">{}</p>\n", escape(lesson)) };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}: a report of blackstart</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the verdict</a>\n\
         <header>\n<p class=\"kicker\">Experiment</p>\n<h1>{name}</h1>\n{lesson}\
         <nav aria-label=\"Sections\">\n<ul>\n{links}</ul>\n</nav>\n</header>\n\
         <main id=\"main\" tabindex=\"-1\">\n{bodies}</main>\n\
         <footer>\n<p>Made by blackstart {version}, from the inputs above and nothing else: who runs them again with this version gets \
         the same figures to the last bit, and this page byte for byte.</p>\n</footer>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        policy = csp::policy(SCRIPT, STYLE),
        version = env!("CARGO_PKG_VERSION"),
    )
}
