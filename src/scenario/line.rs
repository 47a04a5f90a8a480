//! Axes and samples that are given on the command line, put into the tree of the experiment as if they stood in its file.

use super::source::{Diagnostic, Diagnostics, Place, Sources};
use super::tree::{self, Entry, Node, Value};

/// How axes are written on the line.
const WAYS: &str = "e.g. `--vary services.web.workers=4,8,16`, `--vary clients.users.arrivals.poisson=100/s..900/s:9`, \
    or `1..64:4:log`";

/// `path=a,b,c`, `path=lo..hi:n` or `path=lo..hi:n:log`; without the steps, a sample is drawn from the range.
pub(super) fn vary(text: &str, experiment: &mut Node, sources: &mut Sources, found: &mut Diagnostics) {
    let mut wrong = |what: &str| {
        let what = format!("`--vary {text}`: {what}");
        found.push(Diagnostic::error(Place::NOWHERE, what).help(WAYS));
    };
    let Some((path, values)) = text.split_once('=') else {
        return wrong("a path and its values are needed");
    };
    let name = format!("--vary {path}");
    let (value, place) =
        if let Some((from, rest)) = values.split_once("..").filter(|_| !values.contains(['[', '"', '{'])) {
            let mut parts = rest.split(':');
            let to = parts.next().unwrap_or_default();
            let (steps, scale) = match parts.collect::<Vec<_>>()[..] {
                [] => (None, None),
                [scale @ ("log" | "linear")] => (None, Some(scale)),
                [steps] => (Some(steps), None),
                [steps, scale @ ("log" | "linear")] => (Some(steps), Some(scale)),
                _ => return wrong("after the steps comes `log`, or nothing"),
            };
            let steps = match steps.map(str::parse::<i64>) {
                Some(Err(_)) => return wrong("the number of steps is no whole number"),
                Some(Ok(steps)) => Some(steps),
                None => None,
            };
            let id = sources.add(name, values);
            let place = Place::new(id, 0, values.len());
            let mut range = vec![("from", scalar(from)), ("to", scalar(to))];
            range.extend(steps.map(|steps| ("steps", Node::int(steps))));
            range.extend(scale.map(|scale| ("scale", Node::str(scale))));
            (Node::map(range.into_iter().map(|(key, value)| (key, value.at(place)))).at(place), place)
        } else {
            let id = sources.add(name, format!("[{values}]"));
            match tree::parse_value(id, sources) {
                Ok(list) => (list, Place::new(id, 0, values.len() + 2)),
                Err(diagnostics) => return found.extend(diagnostics),
            }
        };
    // An axis with a name of its own keeps it.
    let named = experiment.get("vary").and_then(|vary| match &vary.value {
        Value::Map(entries) => entries.iter().find(|it| it.value.get("path").and_then(Node::as_str) == Some(path)),
        _ => None,
    });
    let Some(name) = named.map(|entry| entry.key.clone()) else {
        return put(experiment, "vary", path, value, place);
    };
    let mut axis = match value.value {
        Value::Map(_) => value,
        _ => Node::map([("values", value)]).at(place),
    };
    if let Value::Map(entries) = &mut axis.value {
        entries.push(Entry { key: "path".to_owned(), key_place: place, value: Node::str(path).at(place) });
    }
    put(experiment, "vary", &name, axis, place);
}

/// `sobol:256` or `lhs:100`.
pub(super) fn sample(text: &str, experiment: &mut Node, sources: &mut Sources, found: &mut Diagnostics) {
    let asked = text.split_once(':').and_then(|(way, points)| {
        let way = match way {
            "sobol" => "sobol",
            "lhs" => "latin_hypercube",
            _ => return None,
        };
        Some((way, points.parse::<u32>().ok()?))
    });
    let Some((way, points)) = asked else {
        let what = format!("`--sample {text}`: this is no sample");
        found.push(Diagnostic::error(Place::NOWHERE, what).help("give `sobol:256` or `lhs:100`"));
        return;
    };
    let place = Place::new(sources.add("--sample", text), 0, text.len());
    let Value::Map(entries) = &mut experiment.value else { return };
    entries.retain(|entry| entry.key != "sample");
    let value = Node::map([(way, Node::int(i64::from(points)).at(place))]).at(place);
    entries.push(Entry { key: "sample".to_owned(), key_place: place, value });
}

/// Puts an entry into a section of a mapping; one with the same key is replaced, where it stands.
fn put(experiment: &mut Node, section: &str, key: &str, value: Node, place: Place) {
    let Some(Value::Map(entries)) = super::load::section(experiment, section).map(|node| &mut node.value) else {
        return;
    };
    let entry = Entry { key: key.to_owned(), key_place: place, value };
    match entries.iter_mut().find(|entry| entry.key == key) {
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
}

/// A number, or a text that begins with one.
fn scalar(text: &str) -> Node {
    let text = text.trim();
    text.parse().map(Node::int).or_else(|_| text.parse().map(Node::float)).unwrap_or_else(|_| Node::str(text))
}
