//! The manual of the files, from the JSON Schema, which has it from the comments of the written types.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde_json::Value;

use crate::measure::{METRICS, Metric};
use crate::scenario::experiment::Experiment;
use crate::scenario::model::Model;

/// What a path is, for the page.
const PATHS: &str = "
## Paths

`--set`, `set:`, `variants:` and `vary:` change values; a path leads to them from the top of the model or of the experiment, with
a dot between its steps.

* `services.web.workers`: keys of mappings.
* `services.web.operations.get.call[db.query]`: every step of the operation that calls this, also inside `parallel`, `choice` and
  `steps`; `call[db]` picks the calls to all operations of a service.
* `….call[db.query].retry.attempts`: a policy in the list of that call, and its key. A short form is replaced as a whole:
  `….retry: { attempts: 3, budget: { token_bucket: { deposit: 0.1 } } }`. To add a policy, replace the list: `….policies: [ … ]`.
* `policies.patient.retry.attempts`: a policy of a shared list, for all calls that use it; `policies.patient: []` takes it away from them.
  What a preset or a list has put into a call is found there as well: `….call[db.query].retry.attempts` changes that call alone.
* `faults.slow.for`: the first item that has this key, or bears this `name`; `faults[0].for` goes by position.
* `services.\"my.service\".workers`: quotes around what has dots.

The last step names the axis of `vary` (`workers`), or the whole path if that name is taken; the long form gives it a name, and one
to each of its values: `vary: { pool: { path: services.web.workers, values: { small: 8, large: 64 } } }`. In a shell, put quotes around what has
brackets: `--set 'expect=[]'`.
";

/// A type and those that it is made of.
pub(super) struct Reference {
    schema: Value,
}

impl Reference {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let schema = serde_json::to_value(schemars::schema_for!(T)).expect("a schema is a tree of plain values");
        Self { schema }
    }

    fn definition(&self, name: &str) -> Option<&Value> {
        self.schema.get("$defs")?.get(name)
    }

    /// The type of an option of the root: of a choice, or of a key (of the long form, if there is a short one).
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let list = |key: &str| self.schema.get(key).and_then(Value::as_array).into_iter().flatten();
        let forms = list("oneOf").chain(list("anyOf")).chain([&self.schema]);
        forms.into_iter().find_map(|it| reference(it.get("properties")?.get(name)?))
    }

    /// What is said of an option of the root that has no type of its own.
    pub(super) fn line(&self, name: &str) -> Option<String> {
        let manual = self.manual(None, &mut Vec::new());
        manual
            .lines()
            .find_map(|line| line.strip_prefix("* ").filter(|it| it.starts_with(&format!("`{name}`"))))
            .map(str::to_owned)
    }

    /// The options of the root, with what is said of each.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let manual = self.manual(None, &mut Vec::new());
        let lines = manual.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("* `")?.split_once('`')?;
            Some((name.to_owned(), rest.split_once(": ")?.1.to_owned()))
        });
        lines.collect()
    }

    /// The manual of a type, without its heading; the types it names are added to `mentioned`, in order.
    pub(super) fn manual(&self, name: Option<&str>, mentioned: &mut Vec<String>) -> String {
        let spec = match name {
            None => &self.schema,
            Some(name) => self.definition(name).expect("what is mentioned is defined"),
        };
        let mut text = words(spec);
        text.push('\n');
        let forms = spec.get("anyOf").and_then(Value::as_array);
        let form = |key: &str| forms.and_then(|forms| forms.iter().find(|form| form.get(key).is_some()));
        // The long form; the short one is in the text.
        let long = form("properties").or_else(|| form("oneOf"));
        let spec = long.unwrap_or(spec);
        for (key, it) in spec.get("properties").and_then(Value::as_object).into_iter().flatten() {
            line(&mut text, key, it, &words(it), mentioned);
        }
        for choice in spec.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
            match choice.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    for (key, it) in properties {
                        line(&mut text, key, it, &words(choice), mentioned);
                    }
                }
                None => {
                    let value = choice.get("const").and_then(Value::as_str).unwrap_or_default();
                    let _ = writeln!(text, "\n* `{value}`: {}", words(choice));
                }
            }
        }
        text.replace("\n\n* ", "\n* ").replacen("\n* ", "\n\n* ", 1)
    }
}

fn line(text: &mut String, key: &str, it: &Value, words: &str, mentioned: &mut Vec<String>) {
    let kind = kind(it, mentioned);
    let kind = if kind.is_empty() { kind } else { format!(" ({kind})") };
    let _ = writeln!(text, "\n* `{key}`{kind}: {words}");
}

fn reference(node: &Value) -> Option<&str> {
    let here = node.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    here.or_else(|| node.get("anyOf")?.as_array()?.iter().find_map(reference))
}

/// The description on one line for each paragraph.
fn words(node: &Value) -> String {
    let text = node.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// What can stand there, in a word or two.
fn kind(node: &Value, mentioned: &mut Vec<String>) -> String {
    if let Some(name) = reference(node) {
        if name == "Value" {
            return "any value".to_owned();
        }
        mentioned.push(name.to_owned());
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let example = node.get("examples").and_then(|it| it.get(0)).and_then(Value::as_str);
    if let Some(example) = example {
        return format!("like `{example}`");
    }
    if let Some(items) = node.get("items") {
        return match kind(items, mentioned).as_str() {
            "" => "list".to_owned(),
            inner => format!("list of {inner}"),
        };
    }
    if let Some(values) = node.get("additionalProperties").filter(|it| it.is_object()) {
        let inner = kind(values, mentioned);
        return format!("names, each with {}", if inner.is_empty() { "a value".to_owned() } else { inner });
    }
    let types: Vec<&str> = match node.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|it| *it != "null").collect(),
        _ => Vec::new(),
    };
    let word = |it: &str| match it {
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" => "text".to_owned(),
        "array" => "list".to_owned(),
        other => other.to_owned(),
    };
    types.into_iter().map(word).collect::<Vec<_>>().join(" or ")
}

/// The entities of which a metric has a time line.
fn over_time(metric: &Metric) -> String {
    let has = |kind: &&&str| metric.has_line(kind);
    metric.of.iter().filter(has).copied().collect::<Vec<_>>().join(", ")
}

/// The whole vocabulary of the files on one page.
pub(super) fn page() -> String {
    let mut text = String::from(
        "# Reference\n\nEvery key of model and experiment files, and every metric. This page is made from the comments of the\n\
         program (`just reference`), so it is what the program does. `blackstart explain NAME` shows a part of it.\n\n\
         Times are written `250ms`, `1.5s`, `1m30s`; rates `800/s`, `3/min`; shares `50%` or `0.5`; sizes `64KiB`, `1MB`;\n\
         bandwidths `10MB/s`. A bare number of milliseconds is an error. Where a type has a short form, its text says so.\n",
    );
    text.push_str(PATHS);
    let mut written = BTreeSet::new();
    for (title, reference) in
        [("Model files", Reference::of::<Model>()), ("Experiment files", Reference::of::<Experiment>())]
    {
        let mut mentioned = Vec::new();
        let _ = write!(text, "\n## {title}\n\n{}", reference.manual(None, &mut mentioned));
        mentioned.reverse();
        // Depth first, in the order of the text: a type stands close to where it is used for the first time.
        while let Some(name) = mentioned.pop() {
            if !written.insert(name.clone()) {
                continue;
            }
            let mut inner = Vec::new();
            let _ = write!(text, "\n### {name}\n\n{}", reference.manual(Some(&name), &mut inner));
            mentioned.extend(inner.into_iter().rev());
        }
    }
    text.push_str("\n## Metrics\n\nIn SI units: seconds, a second, shares between 0 and 1.\n\n| metric | of | over time | meaning |\n|---|---|---|---|\n");
    for metric in METRICS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.of.join(", "),
            over_time(metric),
            metric.meaning
        );
    }
    text
}
