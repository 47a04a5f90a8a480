//! What is written about the files is true: the reference page is that of this program, every key is used in a shipped
//! file, and every pattern and fault has a shipped example.

use std::collections::BTreeSet;
use std::path::Path;

use assert_cmd::Command;
use blackstart::policy::Pattern;
use blackstart::policy::presets::{Kind, PRESETS, Preset};
use blackstart::scenario::experiment::Experiment;
use blackstart::scenario::model::Model;
use blackstart::scenario::source::Place;
use blackstart::system::{cache, replication, topic};
use blackstart::{admission, balance, policy};
use serde_json::Value;

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

/// A preset's policies as they stand in a table.
fn on_one_line(preset: &Preset) -> String {
    let items = preset.items(Place::NOWHERE);
    let plain =
        |label: String| label.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(&label).to_owned();
    items.iter().map(|item| plain(item.label())).collect::<Vec<_>>().join("<br>")
}

#[test]
fn the_page_of_presets_shows_all_of_them_as_they_are() {
    let page = std::fs::read_to_string(root().join("docs/presets.md")).expect("the page is there");
    for kind in Kind::ALL {
        let table: String = PRESETS
            .iter()
            .filter(|preset| preset.kind == kind)
            .map(|it| format!("| `{}` | {} | `{}` |\n", it.name, it.line, on_one_line(it).replace("<br>", "`<br>`")))
            .collect();
        let wanted = format!("## {}\n", kind.heading());
        let section = page.split(&wanted).nth(1).unwrap_or_else(|| panic!("docs/presets.md has no heading {wanted}"));
        let section = section.split("\n## ").next().expect("there is a first part");
        assert!(section.contains(&table), "docs/presets.md is old; the table of {wanted} should be\n{table}");
    }
    for row in page.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = row.split('`').next().expect("there is a first part");
        assert!(Preset::named(name).is_some(), "docs/presets.md shows `{name}`, which is not there");
    }
}

/// The keys and words that a schema lets an author write.
fn vocabulary(node: &Value, into: &mut BTreeSet<String>) {
    match node {
        Value::Object(map) => {
            for (key, inner) in map {
                if key == "properties" {
                    into.extend(inner.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
                }
                if key == "const" {
                    into.extend(inner.as_str().map(str::to_owned));
                }
                vocabulary(inner, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| vocabulary(item, into)),
        _ => {}
    }
}

/// The keys and words in a file, those inside paths of `vary:` and `variants:` included.
fn written(text: &str, into: &mut BTreeSet<String>) {
    for line in text.lines() {
        let line = line.split_once(" #").map_or(line, |(before, _)| before);
        if line.starts_with('#') {
            continue;
        }
        into.extend(line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
    }
}

#[test]
fn every_key_of_the_files_is_used_in_a_shipped_file() {
    let mut known = BTreeSet::new();
    let schemas = [schemars::schema_for!(Model), schemars::schema_for!(Experiment)];
    for schema in schemas {
        vocabulary(&serde_json::to_value(schema).expect("a schema is plain data"), &mut known);
    }
    let mut used = BTreeSet::new();
    for folder in ["models", "experiments"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            written(&std::fs::read_to_string(path).expect("files are text"), &mut used);
        }
    }
    let missing: Vec<&String> = known.difference(&used).collect();
    assert!(known.len() > 100 && missing.is_empty(), "no shipped file uses {missing:?}");
}

fn all_patterns() -> impl Iterator<Item = &'static Pattern> {
    let callers_and_servers = policy::PATTERNS.iter().chain(admission::PATTERNS).chain(balance::PATTERNS);
    callers_and_servers.chain(cache::PATTERNS).chain(replication::PATTERNS).chain(topic::PATTERNS)
}

#[test]
fn pages_name_experiments_that_ship_and_each_experiment_is_named() {
    let read = |path: &Path| std::fs::read_to_string(path).expect("pages are text");
    let names_in = |text: &str| -> BTreeSet<String> {
        let mut parts = text.split("experiments/").skip(1);
        let name = |part: &str| Some(part.split_once(".yaml")?.0.to_owned());
        let mut names: BTreeSet<String> = parts.by_ref().filter_map(name).collect();
        names.retain(|name| name.chars().all(|c| c.is_alphanumeric() || c == '-'));
        names
    };
    let shipped: BTreeSet<String> = std::fs::read_dir(root().join("experiments"))
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| path.file_stem().expect("files have names").to_string_lossy().into_owned())
        .collect();
    let readme = read(&root().join("README.md"));
    let mut named = names_in(&readme);
    named.extend(readme.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned())));
    let missing: Vec<_> = shipped.difference(&named).collect();
    assert!(missing.is_empty(), "the README does not tell of {missing:?}");
    for pattern in all_patterns() {
        let names = names_in(pattern.page);
        let gone: Vec<_> = names.difference(&shipped).collect();
        assert!(!names.is_empty() && gone.is_empty(), "the page of {} names {names:?}", pattern.name);
    }
}

#[test]
fn every_name_that_can_be_listed_can_be_explained() {
    for pattern in all_patterns() {
        let manual = printed(&["explain", pattern.name]);
        assert!(manual.contains(pattern.line) && manual.contains("makes things worse"), "{manual}");
        assert!(
            manual.contains("Options.") || ["earliest_deadline", "backpressure"].contains(&pattern.name),
            "{manual}"
        );
    }
    for kind in ["presets", "faults", "failures", "metrics"] {
        for line in printed(&["list", kind]).lines() {
            let name = line.split_whitespace().next().expect("a name stands first");
            assert!(printed(&["explain", name]).starts_with(name), "{name}");
        }
    }
}
