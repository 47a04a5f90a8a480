//! How sure all this is: what is behind the figures of the page.

use super::markup::seeds;
use super::{Page, Section};

pub fn section(page: &Page) -> Section {
    let points = &page.swept.points;
    let seeds = seeds(points);
    let each = if points.len() == 1 { "" } else { " at each point" };
    let first = if seeds == "1" {
        format!(
            "<li>One run{each}. A single run has no interval: another one, with other luck, may differ by any amount. \
             <code>--seeds 20</code> would say by how much.</li>\n"
        )
    } else {
        format!(
            "<li>{seeds} runs{each}, each with a seed of its own: the same files, other luck. A figure is the mean over these runs.</li>\n\
             <li>The interval behind or around a figure is the 95 % interval of that mean (Student’s t): if the whole experiment were made \
             again and again with other seeds, 95 of 100 such intervals would hold the mean that all runs together would have. It says how \
             sure the mean is, and not how far single runs lie apart.</li>\n\
             <li>The interval of a share of runs (<q>recovered in 19 of 20</q>) is Wilson’s, also of 95 %.</li>\n"
        )
    };
    let body = format!(
        "<ul>\n{first}\
         <li>A claim holds if its whole interval keeps to the bound, does not hold if the whole interval is beyond it, and cannot be decided \
         with these seeds if the bound lies within.</li>\n\
         <li>Points that differ in one value meet the same luck: the same seed makes the same arrivals and the same faults.</li>\n\
         <li>A request belongs to the window in which it arrived, whenever it ends. The window <q>all</q> leaves the warm-up out. ∞ as a \
         recovery time means: not within the run.</li>\n\
         <li>What is called <q>first seed</q> shows a single run, to be looked at, not to be measured.</li>\n</ul>\n"
    );
    Section { id: "statistics", heading: "How sure is this?", body }
}
