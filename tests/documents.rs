//! What is written about the files is true: the reference page is that of this program, and every name can be
//! explained.

use std::path::Path;

use assert_cmd::Command;
use blackstart::policy::PATTERNS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn printed(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("blackstart").expect("the program is built").args(arguments).output();
    String::from_utf8(output.expect("the program runs").stdout).expect("it prints text")
}

#[test]
fn the_reference_page_is_that_of_this_program() {
    let page = std::fs::read_to_string(root().join("docs/reference.md")).expect("the page is there");
    assert!(page == printed(&["schema", "page"]), "docs/reference.md is old; `just reference` writes it anew");
}

#[test]
fn every_name_that_can_be_listed_can_be_explained() {
    for (pattern, line) in PATTERNS {
        let manual = printed(&["explain", pattern]);
        assert!(manual.contains(line) && manual.lines().count() > 3, "{pattern}: {manual}");
    }
    for kind in ["faults", "failures", "metrics"] {
        for line in printed(&["list", kind]).lines() {
            let name = line.split_whitespace().next().expect("a name stands first");
            assert!(printed(&["explain", name]).starts_with(name), "{name}");
        }
    }
}
