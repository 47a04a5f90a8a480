//! Paths: how `--set` and `vary:` point into a file.
//!
//! ```text
//!   services.web.operations.checkout.call[payment.charge].retry.attempts
//!     key    key    key        key     the step(s) that      a policy  its key
//!                                      call this             of the step
//! ```
//!
//! In a mapping a segment names a key. In a list:
//!
//! * `call[payment.charge]` picks every step with that key and value, and the walk goes on at the whole step;
//! * `retry` picks the item that has this key, and the walk goes on at the key's value (or, if that does not have
//!   the next segment, at the item: `faults.slow.for`);
//! * a `name:` picks the item that bears it; `3` or `[3]` picks by position, from 0.
//!
//! Steps inside `parallel`, `choice`, `repeat` and `steps` are found without naming those, and so are the policies
//! of a step. Text with dots is quoted: `services."my.service".workers`.
//!
//! Always: setting changes every place that the path picks, or none and says why. No path makes it panic.

use std::fmt;

use super::source::{Diagnostic, Place, did_you_mean, harmless, listed};
use super::tree::{Entry, Node, Value};

/// Segments in one path. The files have fewer levels than this.
const MOST_SEGMENTS: usize = 64;
/// Keys under which steps hold further steps.
const INNER_STEPS: [&str; 7] = ["steps", "parallel", "choice", "repeat", "branches", "miss", "hit"];
/// The key under which a step, client or service holds its policies.
const POLICIES: &str = "policies";

/// A way from the top of a file to values in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    segments: Vec<Segment>,
}

/// One step of a path: `retry`, `call[payment.charge]`, `[3]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// The key or name; empty in `[3]`.
    pub name: String,
    /// What stands in brackets.
    pub pick: Option<String>,
}

impl Path {
    /// Reads a path as users write it, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        if text.trim().is_empty() {
            return Err("the path is empty: write keys with dots between them, such as `services.web.workers`".into());
        }
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            let (segment, after) = Segment::parse(rest, text)?;
            segments.push(segment);
            if segments.len() > MOST_SEGMENTS {
                return Err(format!("the path has more than {MOST_SEGMENTS} parts"));
            }
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => return Ok(Path { segments }),
                None => return Err(format!("a dot is missing before `{}`", harmless(after))),
            }
        }
    }

    /// The segments, outermost first. There is at least one.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The name of the last segment: a good short name for an axis. For `[3]` it is what stands in the brackets.
    pub fn last(&self) -> &str {
        self.segments.last().map_or("", |segment| match &segment.pick {
            Some(pick) if segment.name.is_empty() => pick,
            _ => &segment.name,
        })
    }
}

impl Segment {
    /// The first segment of a text, and what follows it.
    fn parse<'t>(text: &'t str, whole: &str) -> Result<(Segment, &'t str), String> {
        let (name, rest) = match text.strip_prefix('"') {
            Some(inside) => {
                let (name, rest) = inside.split_once('"').ok_or("a quote is opened and never closed")?;
                (name, rest)
            }
            None => text.split_at(text.find(['.', '[']).unwrap_or(text.len())),
        };
        let (pick, rest) = match rest.strip_prefix('[') {
            Some(inside) => {
                let end = closing(inside).ok_or("`[` is opened and never closed")?;
                (Some(inside[..end].trim().to_string()), &inside[end + 1..])
            }
            None => (None, rest),
        };
        if name.contains(']') {
            return Err(format!("`]` without `[` in `{}`", harmless(whole)));
        }
        match pick.as_deref() {
            Some("") => {
                Err("nothing stands between `[` and `]`: write what to pick, such as `call[payment.charge]`".into())
            }
            None if name.is_empty() && text.is_empty() => Err("the path ends with a dot".into()),
            None if name.is_empty() && !text.starts_with('"') => Err("a name is missing between two dots".into()),
            _ => Ok((Segment { name: name.to_string(), pick }, rest)),
        }
    }

    /// A position in a list, if that is what the segment says.
    fn position(&self) -> Option<usize> {
        match &self.pick {
            None => self.name.parse().ok(),
            Some(pick) if self.name.is_empty() => pick.parse().ok(),
            Some(_) => None,
        }
    }
}

/// Where the bracket that was opened before this text is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, char) in text.char_indices() {
        match char {
            '[' => depth += 1,
            ']' if depth == 0 => return Some(at),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.segments.iter().enumerate() {
            write!(f, "{}{segment}", if at == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = self.name.trim().is_empty() && self.pick.is_none();
        let quote = bare || self.name.contains(['.', '[', ']']);
        match quote {
            true => write!(f, "\"{}\"", self.name)?,
            false => f.write_str(&self.name)?,
        }
        match &self.pick {
            Some(pick) => write!(f, "[{pick}]"),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for Path {
    type Err = String;

    fn from_str(text: &str) -> Result<Path, String> {
        Path::parse(text)
    }
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    /// The whole path.
    pub path: String,
    /// The segment that failed.
    pub segment: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What could stand in its place.
    pub known: Vec<String>,
    /// The known name that was probably meant.
    pub suggestion: Option<String>,
    /// A way out.
    pub help: Option<String>,
    /// Where in the file the walk ended.
    pub place: Place,
}

impl PathError {
    /// The mistake shown where the path was written, with the place in the file where the walk ended.
    pub fn diagnostic(&self, written: Place) -> Diagnostic {
        let out = Diagnostic::error(written, self.message.clone()).label(format!("no `{}`", self.segment));
        let out = if self.place.is_nowhere() || self.place == written {
            out
        } else {
            out.also(self.place, "the path leads to here")
        };
        match &self.help {
            Some(help) => out.help(help.clone()),
            None => out,
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, ". {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PathError {}

/// Replaces every value that the path picks, and says how many there were.
///
/// A last segment that a mapping does not have is added to it, so that optional keys can be set: whether the key
/// is known is found out when the tree is read, and shown where the value was written.
pub fn set(node: &mut Node, path: &Path, value: &Node) -> Result<usize, Box<PathError>> {
    let (last, way) = path.segments.split_last().expect("a path has at least one segment");
    let mut targets: Vec<(Vec<usize>, Option<String>)> = Vec::new();
    let mut lacking = Vec::new();
    let mut only_keys = true;
    for state in walk(node, path, way)? {
        let found = state.find(last, true);
        if found.is_empty() && last.pick.is_none() && matches!(state.at.node.value, Value::Map(_) | Value::Null) {
            lacking.push((state.at.steps, Some(last.name.clone())));
        } else {
            // One position further: a key. More: a policy, or a step, of what the path has picked.
            only_keys &= found.iter().all(|next| next.at.steps.len() == state.at.steps.len() + 1);
            targets.extend(found.into_iter().map(|next| (next.at.steps, None)));
        }
    }
    // `call[x].timeout` changes the timeouts that there are; a step without one does not get a key of that name.
    if only_keys {
        targets.append(&mut lacking);
    }
    if targets.is_empty() {
        // Walk again, in full, for the sake of its explanation.
        return Err(match walk(node, path, &path.segments) {
            Err(error) => error,
            Ok(_) => lost(node, path, path.segments.len() - 1, &[]),
        });
    }
    targets.sort();
    targets.dedup();
    // Inner places before the outer ones that hold them, so that every way is still there when its turn comes.
    for (steps, new) in targets.iter().rev() {
        let Some(target) = follow(node, steps) else {
            continue;
        };
        match new {
            None => *target = value.clone(),
            Some(key) => {
                if target.is_null() {
                    target.value = Value::Map(Vec::new());
                }
                if let Value::Map(entries) = &mut target.value {
                    entries.push(Entry { key: key.clone(), key_place: value.place, value: value.clone() });
                }
            }
        }
    }
    Ok(targets.len())
}

/// The node at the end of a way of positions.
fn follow<'a>(node: &'a mut Node, steps: &[usize]) -> Option<&'a mut Node> {
    steps.iter().try_fold(node, |node, &at| match &mut node.value {
        Value::Seq(items) => items.get_mut(at),
        Value::Map(entries) => entries.get_mut(at).map(|entry| &mut entry.value),
        _ => None,
    })
}

/// A node, and the positions that lead to it.
#[derive(Clone)]
struct Spot<'a> {
    node: &'a Node,
    steps: Vec<usize>,
}

impl<'a> Spot<'a> {
    fn child(&self, at: usize, node: &'a Node) -> Spot<'a> {
        let mut steps = self.steps.clone();
        steps.push(at);
        Spot { node, steps }
    }

    /// The entries of a mapping, or none.
    fn entries(&self) -> impl Iterator<Item = (&'a str, Spot<'a>)> {
        let entries = self.node.as_map().unwrap_or(&[]);
        entries.iter().enumerate().map(|(at, entry)| (entry.key.as_str(), self.child(at, &entry.value)))
    }

    /// The items of a list, or none.
    fn items(&self) -> impl Iterator<Item = Spot<'a>> {
        let items = self.node.as_seq().unwrap_or(&[]);
        items.iter().enumerate().map(|(at, item)| self.child(at, item))
    }
}

/// Where a walk stands; and where the next segment is looked for if it is not there.
struct State<'a> {
    at: Spot<'a>,
    aside: Option<Spot<'a>>,
}

impl<'a> From<Spot<'a>> for State<'a> {
    fn from(at: Spot<'a>) -> State<'a> {
        State { at, aside: None }
    }
}

impl<'a> State<'a> {
    fn find(&self, segment: &Segment, last: bool) -> Vec<State<'a>> {
        let found = find(&self.at, segment, last);
        match &self.aside {
            Some(aside) if found.is_empty() => find(aside, segment, last),
            _ => found,
        }
    }
}

/// Follows segments from the top. An error names the first that leads nowhere.
fn walk<'a>(node: &'a Node, path: &Path, segments: &[Segment]) -> Result<Vec<State<'a>>, Box<PathError>> {
    let mut states = vec![State::from(Spot { node, steps: Vec::new() })];
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == path.segments.len();
        let next: Vec<State<'a>> = states.iter().flat_map(|state| state.find(segment, last)).collect();
        if next.is_empty() {
            return Err(lost(node, path, at, &states));
        }
        states = next;
    }
    Ok(states)
}

/// Everything that a segment picks from a node.
fn find<'a>(spot: &Spot<'a>, segment: &Segment, last: bool) -> Vec<State<'a>> {
    match &spot.node.value {
        Value::Map(_) => find_in_map(spot, segment, last),
        Value::Seq(_) => find_in_list(spot, segment, last),
        _ => Vec::new(),
    }
}

fn find_in_map<'a>(spot: &Spot<'a>, segment: &Segment, last: bool) -> Vec<State<'a>> {
    if let Some((_, value)) = spot.entries().find(|(key, _)| !segment.name.is_empty() && *key == segment.name) {
        let Some(pick) = &segment.pick else {
            return vec![value.into()];
        };
        // `policies[3]` and `faults[slow]`: the brackets pick from the list under the key.
        let inner = Segment { name: String::new(), pick: Some(pick.clone()) };
        let found = find_in_list(&value, &inner, last);
        if !found.is_empty() {
            return found;
        }
    }
    // Not a key: a policy of this step, or a step inside it.
    for key in std::iter::once(POLICIES).chain(INNER_STEPS) {
        let Some((_, inner)) = spot.entries().find(|(name, _)| *name == key) else {
            continue;
        };
        let found = find_in_list(&inner, segment, last);
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn find_in_list<'a>(spot: &Spot<'a>, segment: &Segment, last: bool) -> Vec<State<'a>> {
    if let Some(position) = segment.position() {
        return spot.items().nth(position).into_iter().map(State::from).collect();
    }
    // The whole name first; `call[payment]` for any operation of payment only if nothing is called just that.
    let mut found = Vec::new();
    search(spot, segment, last, true, &mut found);
    if found.is_empty() {
        search(spot, segment, last, false, &mut found);
    }
    found
}

/// Looks through the items of a list, and depth first through the steps inside them.
fn search<'a>(spot: &Spot<'a>, segment: &Segment, last: bool, whole: bool, found: &mut Vec<State<'a>>) {
    for item in spot.items() {
        if let Some(state) = pick(&item, segment, last, whole) {
            found.push(state);
        }
        search_inside(&item, segment, last, whole, found);
    }
}

fn search_inside<'a>(spot: &Spot<'a>, segment: &Segment, last: bool, whole: bool, found: &mut Vec<State<'a>>) {
    match &spot.node.value {
        Value::Seq(_) => search(spot, segment, last, whole, found),
        Value::Map(_) => {
            for (key, value) in spot.entries() {
                if INNER_STEPS.contains(&key) {
                    search_steps(&value, segment, last, whole, found);
                }
            }
        }
        _ => {}
    }
}

/// Under a key that holds steps: a list of them, or a mapping whose values are (`choice: { fast: [..], slow: [..] }`).
fn search_steps<'a>(spot: &Spot<'a>, segment: &Segment, last: bool, whole: bool, found: &mut Vec<State<'a>>) {
    match &spot.node.value {
        Value::Seq(_) => search(spot, segment, last, whole, found),
        Value::Map(_) => {
            for (key, value) in spot.entries() {
                if key != POLICIES {
                    search_steps(&value, segment, last, whole, found);
                }
            }
        }
        _ => {}
    }
}

/// Whether a segment picks this item; and where the walk goes on if it does.
fn pick<'a>(item: &Spot<'a>, segment: &Segment, last: bool, whole: bool) -> Option<State<'a>> {
    let named = |name: &str| item.node.get("name").is_some_and(|value| matches(value, name, whole));
    let Some(selector) = &segment.pick else {
        if named(&segment.name) {
            return Some(item.clone().into());
        }
        let (_, value) = item.entries().find(|(key, _)| *key == segment.name)?;
        // `call.retry`, where `call: payment.charge` has siblings: more can only be meant of the whole step.
        let goes_on_at_item = !last && value.node.is_scalar() && item.node.as_map().is_some_and(|map| map.len() > 1);
        return Some(match goes_on_at_item {
            true => item.clone().into(),
            false => State { at: value, aside: Some(item.clone()) },
        });
    };
    let picked = match segment.name.as_str() {
        "" => named(selector) || item.node.get(selector).is_some(),
        name => item.node.get(name).is_some_and(|value| matches(value, selector, whole)),
    };
    picked.then(|| item.clone().into())
}

/// Whether a value is what the brackets say: itself, or its first entry's value (`call: { to: payment.charge }`);
/// when not `whole`, the part before the first dot will do.
fn matches(value: &Node, selector: &str, whole: bool) -> bool {
    let text = match &value.value {
        Value::Map(entries) => match entries.first() {
            Some(first) if first.value.is_scalar() => first.value.label(),
            _ => return false,
        },
        Value::Str(text) => text.clone(),
        Value::Seq(_) => return false,
        _ => value.label(),
    };
    text == selector || (!whole && text.split('.').next() == Some(selector))
}

/// Explains why nothing was found at a segment.
fn lost(root: &Node, path: &Path, at: usize, states: &[State<'_>]) -> Box<PathError> {
    const MOST_KNOWN: usize = 30;
    let segment = &path.segments[at];
    let shown = harmless(&segment.to_string());
    let before = Path { segments: path.segments[..at].to_vec() };
    let here = if at == 0 { "the file".to_string() } else { format!("`{}`", harmless(&before.to_string())) };
    let node = states.first().map_or(root, |state| state.at.node);

    let mut known: Vec<String> = Vec::new();
    for state in states {
        for spot in std::iter::once(&state.at).chain(&state.aside) {
            collect_known(spot, &mut known, MOST_KNOWN);
        }
    }
    let suggestion = did_you_mean(&segment.to_string(), known.iter().map(String::as_str))
        .or_else(|| did_you_mean(&segment.name, known.iter().map(String::as_str)));

    let (message, help) = match &node.value {
        Value::Map(_) | Value::Seq(_) => {
            let message = match (&node.value, segment.position()) {
                (Value::Seq(items), Some(_)) => {
                    format!("{here} has {} items, from [0]: there is no {shown}", items.len())
                }
                _ => format!("{here} has no `{shown}`"),
            };
            let help = match &suggestion {
                Some(close) => Some(format!("Did you mean `{close}`?")),
                None if known.is_empty() => None,
                None => Some(format!("known there: {}", listed(known.iter().map(String::as_str)))),
            };
            (message, help)
        }
        Value::Null => (format!("{here} is empty: there is no `{shown}`"), None),
        _ => {
            let short = harmless(&node.label());
            let parent = before.segments.last().map_or(String::new(), |segment| harmless(&segment.name));
            let message = format!("{here} is written in short, `{short}`, and has no `{shown}`");
            let help = format!(
                "set `{}` itself, or write it out in the file: `{parent}: {{ {shown}: … }}`",
                harmless(&before.to_string())
            );
            (message, Some(help))
        }
    };
    Box::new(PathError { path: path.to_string(), segment: shown, message, known, suggestion, help, place: node.place })
}

/// What a segment could be at this node.
fn collect_known(spot: &Spot<'_>, known: &mut Vec<String>, most: usize) {
    let mut add = |name: String| {
        if known.len() < most && !known.contains(&name) {
            known.push(name);
        }
    };
    for (key, value) in spot.entries() {
        add(harmless(key));
        if key == POLICIES || INNER_STEPS.contains(&key) {
            for item in value.items() {
                names_of(&item, &mut add);
            }
        }
    }
    for item in spot.items() {
        names_of(&item, &mut add);
    }
}

/// What picks an item: its `name:`, else its first key, with the value if that is a word.
fn names_of(item: &Spot<'_>, add: &mut impl FnMut(String)) {
    if let Some(name) = item.node.get("name").and_then(Node::as_str) {
        add(harmless(name));
        return;
    }
    // `at` and `for` say when a fault happens; what it is stands in another key.
    let entry = item.entries().find(|(key, _)| !matches!(*key, "at" | "for"));
    match entry {
        Some((key @ "call", value)) if value.node.is_scalar() => {
            add(format!("{key}[{}]", harmless(&value.node.label())))
        }
        Some((key, _)) => add(harmless(key)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::source::Sources;
    use super::super::tree::parse_value;
    use super::*;

    const SHOP: &str = "\
services:
  web:
    workers: 64
    queue:
    operations:
      checkout:
        - work: 5ms
        - call: payment.charge
          policies:
            - retry: { attempts: 3 }
            - timeout: 200ms
        - parallel:
            - call: stock.reserve
            - call: recommend.for_user
              optional: true
            - repeat: { times: 2, steps: [ { call: payment.charge, policies: [ retry: { attempts: 5 } ] } ] }
        - choice:
            rare: [ call: mail.send ]
      browse: { steps: [ call: stock.list, work: 3ms ], priority: 1 }
  my.service: { workers: 1 }
faults:
  - { at: 30s, for: 10s, slow: { service: payment, factor: 5 } }
  - { name: cut, at: 60s, for: 5s, partition: [ web, payment ] }
";

    /// All values that the path picks, in the order of the file. At least one.
    fn get<'a>(node: &'a Node, path: &Path) -> Result<Vec<&'a Node>, Box<PathError>> {
        let spots = walk(node, path, &path.segments)?;
        Ok(spots.into_iter().map(|state| state.at.node).collect())
    }

    fn node(text: &str) -> Node {
        let mut sources = Sources::new();
        let id = sources.add("shop.yaml", text);
        parse_value(id, &sources).expect("well-formed")
    }

    fn path(text: &str) -> Path {
        Path::parse(text).expect("a path")
    }

    /// The labels of everything that a path picks in the shop.
    fn picked(text: &str) -> Vec<String> {
        get(&node(SHOP), &path(text)).expect("something").into_iter().map(Node::label).collect()
    }

    fn lost_at(text: &str) -> Box<PathError> {
        get(&node(SHOP), &path(text)).expect_err("nothing")
    }

    /// Sets, and returns how many places were changed and what the path picks then.
    fn after_set(text: &str, value: &str) -> (usize, Vec<String>) {
        let mut shop = node(SHOP);
        let count = set(&mut shop, &path(text), &node(value)).expect("something to set");
        (count, get(&shop, &path(text)).expect("it is there now").into_iter().map(Node::label).collect())
    }

    #[test]
    fn keys_lead_through_mappings() {
        assert_eq!(picked("services.web.workers"), ["64"]);
        assert_eq!(picked("services.\"my.service\".workers"), ["1"]);
    }

    #[test]
    fn a_call_is_picked_by_its_target_wherever_it_stands() {
        assert_eq!(picked("services.web.operations.checkout.call[payment.charge].retry.attempts"), ["3", "5"]);
        assert_eq!(picked("services.web.operations.checkout.call[recommend.for_user].optional"), ["true"]);
        assert_eq!(picked("services.web.operations.checkout.call[mail.send].call"), ["mail.send"]);
        assert_eq!(picked("services.web.operations.checkout.call[stock].call"), ["stock.reserve"]);
        assert_eq!(picked("services.web.operations.browse.call[stock.list].call"), ["stock.list"]);
    }

    #[test]
    fn an_item_is_picked_by_its_key_its_name_or_its_position() {
        assert_eq!(picked("services.web.operations.checkout.work"), ["5ms"]);
        assert_eq!(picked("services.web.operations.browse.work"), ["3ms"]);
        assert_eq!(picked("services.web.operations.checkout[0].work"), ["5ms"]);
        assert_eq!(picked("services.web.operations.checkout.0.work"), ["5ms"]);
        assert_eq!(picked("services.web.operations.checkout.1.policies[retry].retry.attempts"), ["3"]);
        assert_eq!(picked("faults.slow.factor"), ["5"]);
        assert_eq!(picked("faults.slow.for"), ["10s"]);
        assert_eq!(picked("faults[slow].for"), ["10s"]);
        assert_eq!(picked("faults.cut.for"), ["5s"]);
        assert_eq!(picked("faults.[1].at"), ["60s"]);
        assert_eq!(picked("faults.1.at"), ["60s"]);
    }

    #[test]
    fn setting_changes_every_place_that_is_picked() {
        let attempts = "services.web.operations.checkout.call[payment.charge].retry.attempts";
        assert_eq!(after_set(attempts, "1"), (2, vec!["1".into(), "1".into()]));
        assert_eq!(
            after_set("services.web.operations.checkout.call[payment.charge].timeout", "1s"),
            (1, vec!["1s".into()])
        );
        assert_eq!(after_set("faults.slow", "{factor: 2}"), (1, vec!["{factor: 2}".into()]));
        assert_eq!(after_set("services.web.operations.checkout.0", "{work: 9ms}"), (1, vec!["{work: 9ms}".into()]));
    }

    #[test]
    fn an_optional_key_can_be_set_where_it_is_not_written() {
        assert_eq!(after_set("services.web.replicas", "3"), (1, vec!["3".into()]));
        assert_eq!(after_set("services.web.queue.capacity", "8"), (1, vec!["8".into()]));
        assert_eq!(after_set("services.web.operations.checkout.call[payment.charge].retry.budget", "10%").0, 2);
        assert_eq!(after_set("network", "{}").0, 1);
    }

    #[test]
    fn a_new_key_is_placed_where_its_value_was_written() {
        let mut sources = Sources::new();
        let id = sources.add("--set", "3");
        let value = parse_value(id, &sources).expect("a value");
        let mut shop = node(SHOP);
        set(&mut shop, &path("services.web.replcas"), &value).expect("checked later, by its type");
        let entry = shop.get("services").and_then(|s| s.get("web")).and_then(|web| web.entry("replcas"));
        assert_eq!(entry.map(|entry| entry.key_place), Some(Place::new(id, 0, 1)));
    }

    #[test]
    fn a_path_that_leads_nowhere_says_where_and_what_was_meant() {
        let error = lost_at("services.wbe.workers");
        assert_eq!((error.message.as_str(), error.suggestion.as_deref()), ("`services` has no `wbe`", Some("web")));
        let error = lost_at("services.web.operations.checkout.call[paymnt.charge].retry");
        assert_eq!(error.segment, "call[paymnt.charge]");
        assert_eq!(error.suggestion.as_deref(), Some("call[payment.charge]"));
        let error = lost_at("services.web.operations.checkout.call[payment.charge].breaker.window");
        assert_eq!(error.help.as_deref(), Some("known there: `call`, `policies`, `retry`, `timeout`"));
        assert_eq!(lost_at("faults.7.at").message, "`faults` has 2 items, from [0]: there is no 7");
        assert_eq!(lost_at("sevices.web").message, "the file has no `sevices`");
        let mut shop = node(SHOP);
        assert!(set(&mut shop, &path("faults.sloow.factor"), &Node::int(1)).is_err());
        assert!(set(&mut shop, &path("faults.9"), &Node::int(1)).is_err());
        assert_eq!(shop, node(SHOP));
    }

    #[test]
    fn a_short_form_says_that_it_has_no_keys() {
        let after = path("services.web.operations.checkout.call[payment.charge].timeout.after");
        let error = set(&mut node(SHOP), &after, &Node::str("1s")).expect_err("it is written in short");
        assert!(error.message.ends_with(".timeout` is written in short, `200ms`, and has no `after`"), "{error}");
        assert!(error.help.as_deref().is_some_and(|help| help.ends_with("`timeout: { after: … }`")), "{error}");
    }

    #[test]
    fn malformed_paths_are_refused_in_words() {
        let refused = |text: &str| Path::parse(text).expect_err("not a path");
        assert!(refused("").starts_with("the path is empty"));
        assert_eq!(refused("a.").as_str(), "the path ends with a dot");
        assert_eq!(refused("a..b").as_str(), "a name is missing between two dots");
        assert_eq!(refused("a[b").as_str(), "`[` is opened and never closed");
        assert_eq!(refused("a[b]c").as_str(), "a dot is missing before `c`");
        assert!(refused("a[]").starts_with("nothing stands between"));
        assert_eq!(refused("a]b").as_str(), "`]` without `[` in `a]b`");
        assert_eq!(refused("\"a").as_str(), "a quote is opened and never closed");
        assert!(refused(&"a.".repeat(100)).starts_with("the path has more than"));
    }

    #[test]
    fn the_last_segment_names_an_axis() {
        assert_eq!(path("services.web.call[a.b].retry.attempts").last(), "attempts");
        assert_eq!(path("a.call[x]").last(), "call");
        assert_eq!(path("a.[3]").last(), "3");
    }

    #[test]
    fn nested_matches_are_all_set_without_losing_any() {
        let mut tree = node("steps: [ parallel: [ parallel: [ work: 1ms ] ] ]");
        assert_eq!(set(&mut tree, &path("steps.parallel"), &node("[]")), Ok(2));
        assert_eq!(tree.label(), "{steps: [{parallel: []}]}");
    }

    proptest! {
        #[test]
        fn paths_are_written_as_they_are_read(text in "[a-c.\\[\\]\"0-9é ]{0,20}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }

        #[test]
        fn no_path_makes_walking_panic(
            names in proptest::collection::vec(
                "services|web|operations|checkout|call|call\\[payment(\\.charge)?\\]|retry|policies|faults|slow|steps|parallel|[0-9]|\\[[0-9]\\]|[a-z]{1,3}",
                1..8,
            )
        ) {
            let path = path(&names.join("."));
            let mut shop = node(SHOP);
            let before = get(&shop, &path).map(|found| found.len());
            match set(&mut shop, &path, &Node::int(7)) {
                Ok(count) => prop_assert!(before.is_err() || before == Ok(count)),
                Err(_) => prop_assert!(before.is_err()),
            }
        }
    }
}
