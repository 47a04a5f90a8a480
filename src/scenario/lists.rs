//! Lists of policies: `use: <name>` and `preset: <name>` are replaced by the policies that they stand for.
//!
//! ```text
//!   policies: { patient: [ preset: envoy, timeout: 1s ] }      the section of the model
//!   …  policies: [ fallback: stale, use: patient ]             a list of a client or a call
//!   …  policies: [ fallback: stale, timeout: 15s, retry: …, bulkhead: …, timeout: 1s ]
//! ```
//!
//! This happens to the tree, before it is read into types: so paths find what was put in, and every mistake in it is
//! found as if it stood there. Presets are filled in first, then what is set below `policies.<name>` is set, and then the
//! lists are put in where they are used: a change to a list reaches all its users, one to a user only that.

use std::collections::BTreeMap;

use super::source::{Diagnostic, Diagnostics, Place, did_you_mean};
use super::tree::{Entry, Node, Value};
use crate::policy::presets::{PRESETS, Preset};

/// The key of lists of policies, and of the section with the shared ones.
pub(super) const POLICIES: &str = "policies";
/// Policies in one list. A call cannot have more.
const MOST: usize = 255;

/// The name behind `use: <name>` or `preset: <name>`, if that is what an item says.
fn stands_for<'n>(item: &'n Node, key: &str) -> Option<(&'n str, Place)> {
    match item.as_map() {
        Some([only]) if only.key == key => only.value.as_str().map(|name| (name, only.value.place)),
        _ => None,
    }
}

/// Applies a function to every list of policies below a node.
fn for_each_list(node: &mut Node, change: &mut impl FnMut(&mut Vec<Node>)) {
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(|item| for_each_list(item, change)),
        Value::Map(entries) => {
            for entry in entries {
                match &mut entry.value.value {
                    Value::Seq(items) if entry.key == POLICIES => change(items),
                    _ => for_each_list(&mut entry.value, change),
                }
            }
        }
        _ => {}
    }
}

/// The shared lists of a model.
fn section(model: &mut Node) -> impl Iterator<Item = &mut Entry> {
    let Value::Map(entries) = &mut model.value else { return None.into_iter().flatten() };
    let section = entries.iter_mut().find(|entry| entry.key == POLICIES);
    let lists = section.and_then(|section| match &mut section.value.value {
        Value::Map(lists) => Some(lists.iter_mut()),
        _ => None,
    });
    lists.into_iter().flatten()
}

fn unknown<'k>(
    name: &str,
    place: Place,
    what: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    help: &str,
) -> Diagnostic {
    let help = match did_you_mean(name, known.clone()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => help.to_owned(),
    };
    Diagnostic::error(place, format!("`{name}`: {what}")).help(help)
}

/// Puts the policies of presets in their places, in the shared lists too.
pub(super) fn fill_in_presets(model: &mut Node, found: &mut Diagnostics) {
    let mut fill = |items: &mut Vec<Node>| {
        if !items.iter().any(|item| stands_for(item, "preset").is_some()) {
            return;
        }
        let mut filled = Vec::new();
        for item in items.drain(..) {
            let Some((name, place)) = stands_for(&item, "preset") else {
                filled.push(item);
                continue;
            };
            match Preset::named(name) {
                Some(preset) => filled.extend(preset.items(place)),
                None => {
                    let known = PRESETS.iter().map(|preset| preset.name);
                    let help = "`blackstart list presets` shows them";
                    found.push(unknown(name, place, "no preset has this name", known, help));
                }
            }
        }
        *items = filled;
    };
    for list in section(model) {
        if let Value::Seq(items) = &mut list.value.value {
            fill(items);
        }
    }
    for_each_list(model, &mut fill);
}

/// Puts the shared lists where they are used. What cannot be put in is told, and left out.
pub(super) fn fill_in_uses(model: &mut Node, found: &mut Diagnostics) {
    let lists: BTreeMap<String, Vec<Node>> =
        section(model).filter_map(|list| Some((list.key.clone(), list.value.as_seq()?.to_vec()))).collect();
    let mut filling = Filling { lists: &lists, whole: BTreeMap::new(), under_way: Vec::new(), found };
    for list in section(model) {
        if list.value.as_seq().is_some() {
            let items = filling.list(&list.key);
            list.value.value = Value::Seq(items);
        }
    }
    for_each_list(model, &mut |items| {
        if items.iter().any(|item| stands_for(item, "use").is_some()) {
            *items = filling.items(items);
        }
    });
}

struct Filling<'a> {
    lists: &'a BTreeMap<String, Vec<Node>>,
    /// Lists that are done.
    whole: BTreeMap<String, Vec<Node>>,
    /// Lists that are being filled in, the outermost first.
    under_way: Vec<String>,
    found: &'a mut Diagnostics,
}

impl Filling<'_> {
    /// A shared list, with what it uses.
    fn list(&mut self, name: &str) -> Vec<Node> {
        if let Some(done) = self.whole.get(name) {
            return done.clone();
        }
        let lists = self.lists;
        let Some(items) = lists.get(name) else { return Vec::new() };
        self.under_way.push(name.to_owned());
        let items = self.items(items);
        self.under_way.pop();
        self.whole.insert(name.to_owned(), items.clone());
        items
    }

    fn items(&mut self, items: &[Node]) -> Vec<Node> {
        let mut filled = Vec::new();
        for item in items {
            let Some((name, place)) = stands_for(item, "use") else {
                filled.push(item.clone());
                continue;
            };
            if let Some(start) = self.under_way.iter().position(|other| other == name) {
                let round: Vec<&str> = self.under_way[start..].iter().map(String::as_str).chain([name]).collect();
                let what = format!("a list that uses itself: {}", round.join(" → "));
                self.found.push(Diagnostic::error(place, what).help("it would never end: take this `use` away"));
            } else if self.lists.contains_key(name) {
                filled.extend(self.list(name));
            } else if Preset::named(name).is_some() {
                let what = format!("`{name}` is a preset, not a list of this model");
                self.found.push(Diagnostic::error(place, what).help(format!("write `preset: {name}`")));
            } else {
                let known = self.lists.keys().map(String::as_str);
                let help = match self.lists.is_empty() {
                    true => "the model has none: add a section `policies:`".to_owned(),
                    false => format!("there are: {}", known.clone().collect::<Vec<_>>().join(", ")),
                };
                self.found.push(unknown(name, place, "no list of policies has this name", known, &help));
            }
            if filled.len() > MOST {
                let what = format!("more than {MOST} policies in one list");
                self.found.push(Diagnostic::error(place, what).help("lists that use lists multiply: use fewer"));
                filled.truncate(MOST);
            }
        }
        filled
    }
}

/// The names of all lists that are used below a node.
fn used<'n>(node: &'n Node, into: &mut Vec<&'n str>) {
    into.extend(stands_for(node, "use").map(|(name, _)| name));
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| used(item, into)),
        Value::Map(entries) => entries.iter().for_each(|entry| used(&entry.value, into)),
        _ => {}
    }
}

/// Warnings of shared lists that neither the model nor anything that changes it uses.
pub(super) fn unused<'n>(model: &'n Node, changes: impl Iterator<Item = &'n Node>, found: &mut Diagnostics) {
    let mut names = Vec::new();
    used(model, &mut names);
    changes.for_each(|change| used(change, &mut names));
    for list in model.get(POLICIES).and_then(Node::as_map).into_iter().flatten() {
        if !names.contains(&list.key.as_str()) {
            let what = format!("nothing uses the list `{}`", list.key);
            let help = format!("put `use: {}` into a list of policies, or take it away", list.key);
            found.push(Diagnostic::warning(list.key_place, what).help(help));
        }
    }
}

/// Whether a value that is set may hold something to be filled in.
pub(super) fn may_stand_for_others(node: &Node) -> bool {
    match &node.value {
        Value::Seq(items) => items.iter().any(may_stand_for_others),
        Value::Map(entries) => entries
            .iter()
            .any(|entry| matches!(entry.key.as_str(), "use" | "preset") || may_stand_for_others(&entry.value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::{self, Path};
    use super::super::source::Sources;
    use super::super::tree;
    use super::*;

    fn model(text: &str) -> (Sources, Node) {
        let mut sources = Sources::new();
        let id = sources.add("shop.yaml", text);
        let node = tree::parse(id, &sources).expect("well-formed");
        (sources, node)
    }

    /// The lists of the clients once everything is filled in, and what is wrong.
    fn filled(text: &str) -> (Vec<String>, Vec<String>) {
        let (sources, mut node) = model(text);
        let mut found = Diagnostics::new();
        fill_in_presets(&mut node, &mut found);
        fill_in_uses(&mut node, &mut found);
        let clients = node.get("clients").and_then(Node::as_map).expect("there are clients");
        let lists = clients.iter().map(|client| client.value.get(POLICIES).map_or_else(String::new, Node::label));
        let wrong = found.iter().map(|it| {
            let (line, column) = sources.line_column(it.place);
            format!("{line}:{column} {}: {}", it.message, it.help.as_deref().unwrap_or_default())
        });
        (lists.collect(), wrong.collect())
    }

    #[test]
    fn lists_and_presets_stand_beside_other_policies_in_their_order() {
        let (lists, wrong) = filled(
            "policies:\n  inner: [ preset: rpc-timeout ]\n  outer: [ retry: 2, use: inner, bulkhead: 5 ]\nclients:\n  \
             a: { policies: [ fallback: stale, use: outer, timeout: 9s ] }\n  b: { policies: [ use: inner, use: inner ] }\n",
        );
        assert_eq!(wrong, [""; 0]);
        let a = "[{fallback: stale}, {retry: 2}, {timeout: 1s}, {bulkhead: 5}, {timeout: 9s}]";
        assert_eq!(lists, [a, "[{timeout: 1s}, {timeout: 1s}]"]);
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let (lists, wrong) = filled(
            "policies:\n  one: [ use: two ]\n  two: [ use: one ]\n  self: [ use: self, retry: 2 ]\nclients:\n  a:\n    policies:\n      \
             - use: tow\n      - preset: pollly\n      - use: envoy\n      - timeout: 1s\n  b: { policies: [ use: self ] }\n",
        );
        assert_eq!(
            wrong,
            [
                "9:17 `pollly`: no preset has this name: did you mean `polly`?",
                "3:15 a list that uses itself: one → two → one: it would never end: take this `use` away",
                "4:16 a list that uses itself: self → self: it would never end: take this `use` away",
                "8:14 `tow`: no list of policies has this name: did you mean `two`?",
                "10:14 `envoy` is a preset, not a list of this model: write `preset: envoy`",
            ]
        );
        assert_eq!(lists, ["[{timeout: 1s}]", "[{retry: 2}]"]);
    }

    #[test]
    fn lists_that_multiply_are_an_error_and_not_a_bomb() {
        let mut text = String::from("policies:\n  l0: [ retry: 2, retry: 2 ]\n");
        for level in 1..60 {
            text.push_str(&format!("  l{level}: [ use: l{}, use: l{} ]\n", level - 1, level - 1));
        }
        let (_, wrong) = filled(&format!("{text}clients: {{ a: {{ policies: [ use: l59 ] }} }}\n"));
        assert!(wrong.iter().all(|it| it.contains("more than 255 policies in one list")) && !wrong.is_empty());
        let empty = text.replace("retry: 2, retry: 2", "");
        let (lists, wrong) = filled(&format!("{empty}clients: {{ a: {{ policies: [ use: l59 ] }} }}\n"));
        assert_eq!((lists, wrong.len()), (vec!["[]".to_owned()], 0));
    }

    #[test]
    fn paths_find_what_was_filled_in() {
        let (_, mut node) = model(
            "policies: { shared: [ preset: resilience4j ] }\nservices:\n  web: { operations: { checkout: [ { call: pay.charge, \
             policies: [ use: shared ] }, { parallel: [ { call: stock.get, policies: [ use: shared ] } ] } ] } }\n",
        );
        let mut found = Diagnostics::new();
        let set = |node: &mut Node, path: &str, value: i64| {
            path::set(node, &Path::parse(path).expect("a path"), &Node::int(value)).expect("it is there")
        };
        fill_in_presets(&mut node, &mut found);
        assert_eq!(set(&mut node, "policies.shared.retry.attempts", 5), 1);
        fill_in_uses(&mut node, &mut found);
        assert_eq!(set(&mut node, "services.web.operations.checkout.call[pay.charge].breaker.window", 7), 1);
        let steps = node.get("services").and_then(|it| it.get("web")?.get("operations")?.get("checkout"));
        let steps = steps.expect("it is there").label();
        assert_eq!(steps.matches("attempts: 5").count(), 2, "{steps}");
        assert_eq!((steps.matches("window: 7,").count(), steps.matches("window: 100,").count()), (1, 1), "{steps}");
        assert!(found.is_empty());
    }

    #[test]
    fn a_list_that_nothing_uses_is_a_warning() {
        let (sources, node) =
            model("policies: { a: [ retry: 2 ], b: [], c: [] }\nclients: { x: { policies: [ use: a ] } }\n");
        let (_, change) = model("variants: { it: { clients.x.policies: [ use: c ] } }\n");
        let mut found = Diagnostics::new();
        unused(&node, std::iter::once(&change), &mut found);
        let warning = found.iter().next().expect("one warning");
        assert_eq!((found.len(), found.has_errors(), sources.line_column(warning.place)), (1, false, (1, 30)));
        assert_eq!(warning.message, "nothing uses the list `b`");
    }
}
