use super::markup::{escape, thousands};
use super::*;

#[test]
fn texts_of_files_are_only_texts() {
    let wicked = "</script><img src=x onerror=alert(1)>\"'&\u{202e}";
    assert_eq!(escape(wicked), "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\u{fffd}");
    let text = json::text(wicked);
    assert!(!text.contains(['<', '>', '&']), "{text}");
    assert_eq!(serde_json::from_str::<String>(&text).expect("it is JSON"), wicked);
}

#[test]
fn numbers_are_short_and_keep_what_json_lacks() {
    for (value, digits, text) in [
        (797.123_456, 5, "797.12"),
        (0.0, 5, "0"),
        (1234.0, 2, "1200"),
        (0.000_012_34, 3, "1.23e-5"),
        (f64::INFINITY, 5, "1e999"),
        (f64::NAN, 5, "null"),
        (-0.5, 5, "-0.5"),
    ] {
        assert_eq!(json::number(value, digits), text);
    }
    assert_eq!([7, 999, 1000, 1_234_567].map(thousands), ["7", "999", "1,000", "1,234,567"]);
}

#[test]
fn the_script_and_the_style_ask_nobody() {
    for text in [SCRIPT, STYLE] {
        for word in ["http:", "https:", "url(", "@import", "fetch(", "XMLHttp", "import(", "</"] {
            // The name of SVG is no address to go to, and what begins with # is in the page itself.
            let allowed = text.replace("http://www.w3.org/2000/svg", "").replace("url(#", "");
            assert!(!allowed.contains(word), "{word}");
        }
    }
}
