//! Text from files becomes HTML here, and nowhere else.

use crate::experiment::Facts;
use crate::scenario::Scenario;
use crate::scenario::source::visible;

/// Text that HTML shows as it is, also within the quotes of an attribute. Letters that draw nothing or turn a line around are shown as
/// a mark: what is read is what is there.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            letter => safe.push(visible(letter)),
        }
    }
    safe
}

/// A sentence of ours, in which what is to be typed stands between backticks.
pub fn with_code(text: &str) -> String {
    let parts: Vec<String> = text.split('`').map(escape).collect();
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    let mark =
        |(place, part): (usize, &String)| if place % 2 == 1 { format!("<code>{part}</code>") } else { part.clone() };
    parts.iter().enumerate().map(mark).collect()
}

/// The same as [`escape`], letter by letter: for what is copied from the page.
pub fn verbatim(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// `1 run`, `20 runs`, `1,000 runs`.
pub fn count(n: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// A whole number with commas between its thousands.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let mut groups: Vec<&str> = if head > 0 { vec![&digits[..head]] } else { Vec::new() };
    groups.extend((head..digits.len()).step_by(3).map(|at| &digits[at..at + 3]));
    groups.join(",")
}

/// The word with a large first letter.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Where a point is, as a person says it: `every layer retries`, `poisson 10/s, capacity 20`. Empty without axes.
pub fn place(scenario: &Scenario, number: usize) -> String {
    let point = scenario.point(number);
    let labels = scenario.labels(&point);
    let pairs =
        scenario.axes.iter().zip(labels).map(|(axis, label)| {
            if axis.name == "variant" { label.to_owned() } else { format!("{} {label}", axis.name) }
        });
    pairs.collect::<Vec<_>>().join(", ")
}

/// How many seeds points have: `20`, or `10 to 40`.
pub fn seeds(points: &[Facts]) -> String {
    let counts = || points.iter().map(|point| point.seeds.len());
    match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (least, most) if least == most => most.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}
