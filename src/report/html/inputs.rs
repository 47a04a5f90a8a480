//! What was run, to copy, and the command that runs it again.

use super::markup::{count, escape, verbatim};
use super::{Page, Section};

/// The longest text that is put into the page, in bytes.
const LONGEST: usize = 256 * 1024;

pub fn section(page: &Page) -> Section {
    let scenario = page.scenario;
    let read = scenario.files().map(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let shown = file.display().to_string();
        // As it was read: it may have changed since.
        let text = scenario.sources.all().find(|source| source.0 == shown).map_or("", |source| source.1);
        (name, text)
    });
    let mut files = String::new();
    for ((name, text), what) in read.iter().zip(["Experiment", "Model"]) {
        files.push_str(&file(what, name, text.as_bytes()));
    }
    for (name, bytes) in scenario.data() {
        files.push_str(&file("Data", &name, &bytes));
    }
    let body = format!(
        "<p>Save the files below in one folder, and run this there:</p>\n{}{files}",
        copied(page.command, "Copy the command"),
    );
    Section { id: "inputs", heading: "Run it again", body }
}

/// A text with a button that copies it. Without scripts there is no button.
pub fn copied(text: &str, label: &str) -> String {
    format!(
        "<div class=\"copied\">\n<pre tabindex=\"0\"><code>{}</code></pre>\n<button type=\"button\" class=\"copy\" hidden>{label}</button>\n</div>\n",
        verbatim(text)
    )
}

fn file(what: &str, name: &str, bytes: &[u8]) -> String {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LONGEST);
    let name = escape(name);
    match text {
        Some(text) => format!(
            "<details class=\"file\">\n<summary>{what}: <code>{name}</code> <span class=\"soft\">({})</span></summary>\n{}</details>\n",
            count(lines, "line"),
            copied(text, &format!("Copy {name}")),
        ),
        None => format!(
            "<p>{what}: <code>{name}</code> is not in this page ({}); it is needed too.</p>\n",
            count(bytes.len(), "byte")
        ),
    }
}
