//! Prose as wide as the terminal.
//!
//! The pages are wrapped where their sources are. On a terminal that is narrower, each of their lines would break once more, after a few
//! words. What is drawn is left alone: tables, and all between fences.

use super::say;

/// Longer lines are hard to read.
const WIDEST: usize = 100;
/// The pages fit into this.
const PAGE: usize = 160;

/// Prints to standard output; wrapped anew if that is a terminal narrower than the pages.
pub(super) fn say_prose(text: &str) {
    let width = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    match width.filter(|width| (20..PAGE).contains(width)) {
        Some(width) => say(&wrap(text, width.min(WIDEST))),
        None => say(text),
    }
}

/// The text with paragraphs and items of lists wrapped at a width, in letters; all else as it is.
fn wrap(text: &str, width: usize) -> String {
    // Lines, and whether they are prose.
    let mut out: Vec<(String, bool)> = Vec::new();
    let mut fenced = false;
    // Whether the last line goes on with the next of the text.
    let mut open = false;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let drawn = fenced || is_fence || line.starts_with(['|', '#']);
        fenced ^= is_fence;
        let begins = line.starts_with("* ") || line.starts_with("- ") || is_numbered(line);
        match out.last_mut() {
            Some((last, _)) if open && !drawn && !begins && !line.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => out.push((line.to_owned(), !drawn)),
        }
        open = !drawn && !line.is_empty();
    }
    let lines = out.into_iter().flat_map(|(line, prose)| if prose { fold(&line, width) } else { vec![line] });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_numbered(line: &str) -> bool {
    line.split_once(". ").is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()))
}

/// A line in lines that are no wider, those after the first of an item indented.
fn fold(line: &str, width: usize) -> Vec<String> {
    let hang = if line.starts_with("* ") || line.starts_with("- ") { "  " } else { "" };
    let mut lines = vec![String::new()];
    let mut letters = 0;
    for word in line.split(' ') {
        let more = word.chars().count();
        if letters > hang.len() && letters + 1 + more > width {
            lines.push(hang.to_owned());
            letters = hang.len();
        } else if letters > 0 {
            lines.last_mut().expect("there is one").push(' ');
            letters += 1;
        }
        lines.last_mut().expect("there is one").push_str(word);
        letters += more;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn prose_is_wrapped_and_what_is_drawn_is_left_alone() {
        let text = "One line of prose that\ngoes on.\n\n```text\n  a ──────────────────────► b\n```\n\n| a long row | of a table |\n\
                    * an item that is long\n  and goes on\n* the next\n";
        let wrapped = "One line of\nprose that goes\non.\n\n```text\n  a ──────────────────────► b\n```\n\n\
                       | a long row | of a table |\n* an item that\n  is long and\n  goes on\n* the next";
        assert_eq!(wrap(text, 15), wrapped);
    }

    #[test]
    fn words_longer_than_a_line_stand_alone() {
        assert_eq!(wrap("a unbreakable b", 5), "a\nunbreakable\nb");
        assert_eq!(wrap("", 5), "");
    }
}
