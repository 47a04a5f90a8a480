//! Data for the script of the page, as JSON that is safe within a `script` element.

use std::fmt::Write as _;

/// A text. No `<` and no `&` stands in it, so that nothing in it ends the element or begins a comment.
pub fn text(words: &str) -> String {
    let quoted = serde_json::to_string(words).expect("a text can be written");
    let mut safe = String::with_capacity(quoted.len());
    for letter in quoted.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{7f}'..='\u{9f}' => {
                let _ = write!(safe, "\\u{:04x}", u32::from(letter));
            }
            letter => safe.push(letter),
        }
    }
    safe
}

/// A number to so many digits. What is not a number is `null`, and what is infinite a number that readers take for it.
pub fn number(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "null".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "1e999".into() } else { "-1e999".into() };
    }
    let rounded: f64 = format!("{value:.*e}", digits - 1).parse().unwrap_or(value);
    if rounded != 0.0 && !(1e-4..1e15).contains(&rounded.abs()) { format!("{rounded:e}") } else { format!("{rounded}") }
}

/// A list of what is JSON already.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[");
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// An object: names, and what is JSON already.
pub fn object(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// The element that holds data for the script.
pub fn element(id: &str, data: &str) -> String {
    format!("<script type=\"application/json\" id=\"{id}\">{data}</script>\n")
}
