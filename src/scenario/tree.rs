//! Files as trees, in which every key and value knows its place; and the way from a tree to typed values.
//!
//! ```text
//!   text ── parse ──► Node ── path::set ──► Node ── read ──► Spec
//!              │                                      │
//!              └─────────── Diagnostics ◄─────────────┘   every mistake that can be found in one go
//! ```
//!
//! Reading recovers. The serde deserializer below stops at the first mistake, as all of them do; but the error
//! knows the way to the offending entry. That entry is struck out and the tree is read again, until it reads or
//! nothing is left. What fails only *because* something was struck out is struck out silently, so that one
//! mistake is reported once.
//!
//! Always: no text makes this module panic, overflow the stack, or use memory out of proportion to its length.
//!
//! This is the only file that knows the YAML library. Tags have no meaning here and are refused. Numbers are
//! those of YAML 1.2's core schema, except that `007` is text: nobody agrees on whether that is octal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{BoolDeserializer, SeqDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_saphyr::granit_parser::{self as yaml, ErrorKind, Event, ScalarStyle, ScanError};

use super::other_names::other_name;
use super::source::{Diagnostic, Diagnostics, Place, SPANNED, SourceId, Sources, Spanned, did_you_mean, listed};
use crate::policy::PATTERNS;

/// Bytes in one source. The largest model we know of has 40 KB.
const MOST_BYTES: usize = 16 << 20;
/// Lists and mappings inside each other. People get lost at ten.
const MOST_NESTED: usize = 100;
/// Nodes in one tree after aliases are expanded; long texts count as several.
const MOST_NODES: usize = 1_000_000;
/// Mistakes reported from one reading. The rest will be found when these are mended.
const MOST_MISTAKES: usize = 50;
/// Rounds of one reading, silent ones included.
const MOST_ROUNDS: usize = 1_000;

// ---------------------------------------------------------------------------------------------------------------
// The tree

/// A value and its place. The place of a list or mapping ends with its first line, so that it can be drawn.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it was written.
    pub place: Place,
    /// What was written.
    pub value: Value,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: `key:`, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number, and whole ones that are too large.
    Float(f64),
    /// Any other plain text, and everything in quotes.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping, in the order of the file, without repeated keys.
    Map(Vec<Entry>),
}

/// One key of a mapping, and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key, as it was written.
    pub key: String,
    /// Where the key was written.
    pub key_place: Place,
    /// The value.
    pub value: Node,
}

impl PartialEq for Node {
    /// Equality of values: where they stand does not matter.
    fn eq(&self, other: &Node) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Entry {
    /// Equality of keys and values: where they stand does not matter.
    fn eq(&self, other: &Entry) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Node {
        Node { place: Place::NOWHERE, value }
    }
}

impl Node {
    /// Nothing.
    pub fn null() -> Node {
        Value::Null.into()
    }

    /// `true` or `false`.
    pub fn bool(value: bool) -> Node {
        Value::Bool(value).into()
    }

    /// A whole number.
    pub fn int(value: i64) -> Node {
        Value::Int(value).into()
    }

    /// A number.
    pub fn float(value: f64) -> Node {
        Value::Float(value).into()
    }

    /// A text.
    pub fn str(value: impl Into<String>) -> Node {
        Value::Str(value.into()).into()
    }

    /// A list.
    pub fn seq(items: impl IntoIterator<Item = Node>) -> Node {
        Value::Seq(items.into_iter().collect()).into()
    }

    /// A mapping. Keys are the caller's: they must not repeat.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Node)>) -> Node {
        let entry = |(key, value): (K, Node)| Entry { key: key.into(), key_place: Place::NOWHERE, value };
        Value::Map(entries.into_iter().map(entry).collect()).into()
    }

    /// The same value at another place.
    pub fn at(mut self, place: Place) -> Node {
        self.place = place;
        self
    }

    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The key and its value, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().find(|entry| entry.key == key)
    }

    /// The mapping that stands at a place, in this node or below it.
    pub(super) fn mapping_at(&self, place: Place) -> Option<&Node> {
        match &self.value {
            Value::Map(_) if self.place == place => Some(self),
            Value::Map(entries) => entries.iter().find_map(|entry| entry.value.mapping_at(place)),
            Value::Seq(items) => items.iter().find_map(|item| item.mapping_at(place)),
            _ => None,
        }
    }

    /// Where an option stands, from its key to its value: the first with this key, in this node or below it.
    pub(super) fn option(&self, key: &str) -> Option<Place> {
        let entries = self.as_map()?;
        let own = entries.iter().find(|entry| entry.key == key).map(|entry| {
            let (first, last) = (entry.key_place, entry.value.place);
            let on_one_line = first.source == last.source && last.start >= first.start;
            if on_one_line { Place::new(first.source, first.start as usize, last.end as usize) } else { last }
        });
        own.or_else(|| entries.iter().find_map(|entry| entry.value.option(key)))
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self.value {
            Value::Int(number) => Some(number as f64), // a figure for tables and charts: 53 bits are enough
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// Whether it is neither a list nor a mapping.
    pub fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::Seq(_) | Value::Map(_))
    }

    /// Whether this is what a label stands for. Names are labels as they are, although as values some of them need
    /// quotes: `"0.8"`, `"fast, then slow"`.
    pub fn is_labelled(&self, label: &str) -> bool {
        self.as_str() == Some(label) || self.label() == label
    }

    /// The value on one line, as it would be written: `3`, `250ms`, `{retry: {attempts: 3}}`.
    pub fn label(&self) -> String {
        let mut out = String::new();
        self.write_label(&mut out);
        out
    }

    fn write_label(&self, out: &mut String) {
        match &self.value {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&number_label(*value)),
            Value::Str(text) => write_text(text, out),
            Value::Seq(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    item.write_label(out);
                }
                out.push(']');
            }
            Value::Map(entries) => {
                out.push('{');
                for (at, entry) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { ", " });
                    if is_plain(&entry.key) {
                        out.push_str(&entry.key)
                    } else {
                        write_quoted(&entry.key, out)
                    }
                    out.push_str(": ");
                    entry.value.write_label(out);
                }
                out.push('}');
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { place: spanned.place, value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
                Ok(Value::Bool(it))
            }
            fn visit_i64<E>(self, it: i64) -> Result<Value, E> {
                Ok(Value::Int(it))
            }
            fn visit_u64<E>(self, it: u64) -> Result<Value, E> {
                Ok(i64::try_from(it).map_or(Value::Float(it as f64), Value::Int))
            }
            fn visit_f64<E>(self, it: f64) -> Result<Value, E> {
                Ok(Value::Float(it))
            }
            fn visit_str<E>(self, it: &str) -> Result<Value, E> {
                Ok(Value::Str(it.to_owned()))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Value::Seq(items))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<Spanned<String>, Node>()? {
                    entries.push(Entry { key: key.value, key_place: key.place, value });
                }
                Ok(Value::Map(entries))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl JsonSchema for Node {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "Any value that the path wants." })
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

fn number_label(value: f64) -> String {
    if value.is_nan() {
        ".nan".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { ".inf" } else { "-.inf" }.to_string()
    } else if value != 0.0 && !(1e-5..1e16).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

/// A text as it would be written in a list: plain where that says the same, else in quotes.
fn write_text(text: &str, out: &mut String) {
    if is_plain(text) && matches!(plain(text), Value::Str(_)) {
        out.push_str(text);
    } else {
        write_quoted(text, out);
    }
}

/// Whether a text needs no quotes inside `[]` or `{}`. Careful rather than complete.
fn is_plain(text: &str) -> bool {
    let first = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/');
    let inner = |c: char| first(c) || matches!(c, '-' | '%' | ' ' | '+' | '<' | '>' | '(' | ')' | '=' | '*');
    text.starts_with(first)
        && text.chars().all(inner)
        && !text.ends_with(' ')
        && text.len() < 500
        && !text.starts_with("...")
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            char if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\U{:08X}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
}

/// What a plain (unquoted) scalar means.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    let negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Value::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && digits.starts_with(|c: char| c.is_ascii_hexdigit())
            && let Ok(number) = i64::from_str_radix(digits, radix)
        {
            return Value::Int(number);
        }
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(unsigned);
    if whole == unsigned.len() && whole > 0 {
        if whole > 1 && unsigned.starts_with('0') {
            return Value::Str(text.to_string());
        }
        return text.parse().map_or_else(|_| Value::Float(text.parse().unwrap_or(f64::INFINITY)), Value::Int);
    }
    let rest = &unsigned[whole..];
    let fraction = rest.strip_prefix('.').map_or(0, digits);
    let rest = rest.strip_prefix('.').map_or(rest, |rest| &rest[fraction..]);
    let exponent = rest.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['-', '+']).unwrap_or(rest));
    let ends = exponent.map_or(rest.is_empty(), |rest| !rest.is_empty() && digits(rest) == rest.len());
    if whole + fraction > 0
        && ends
        && let Ok(number) = text.parse()
    {
        return Value::Float(number);
    }
    Value::Str(text.to_string())
}

// ---------------------------------------------------------------------------------------------------------------
// From text to tree

/// Reads a file: one YAML document that is a mapping.
pub fn parse(id: SourceId, sources: &Sources) -> Result<Node, Diagnostics> {
    let text = sources.text(id);
    let whole = Place::new(id, 0, 0);
    let Some(root) = Builder::new(id, text).build()? else {
        return Err(Diagnostic::error(whole, "the file is empty")
            .label("nothing is written here")
            .help("`blackstart new NAME` writes a model and an experiment to start from")
            .into());
    };
    match root.value {
        Value::Map(_) => Ok(root),
        _ => {
            let label = format!("found {}", describe(&root));
            Err(Diagnostic::error(root.place, "a file must hold keys and their values")
                .label(label)
                .help("write one a line, such as `services:` and, indented below it, `web:`")
                .into())
        }
    }
}

/// Reads one value, such as what follows `=` in `--set path=value`. A single word will do.
pub fn parse_value(id: SourceId, sources: &Sources) -> Result<Node, Diagnostics> {
    let text = sources.text(id);
    let root = Builder::new(id, text).build()?;
    Ok(root.unwrap_or_else(|| Node::null().at(Place::new(id, 0, text.len()))))
}

/// Builds the tree from the events of the YAML parser.
struct Builder<'t> {
    id: SourceId,
    text: &'t str,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Anchored>,
    /// Nodes so far, copies for aliases included.
    nodes: usize,
    mistakes: Diagnostics,
}

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

/// A list or mapping that has begun and not ended.
struct Open {
    start: usize,
    flow: bool,
    anchor: usize,
    nodes_before: usize,
    /// Levels of nesting below.
    depth: usize,
    what: What,
}

enum What {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, seen: BTreeMap<String, Place>, key: Option<Key>, merged: Vec<Node> },
}

struct Key {
    text: String,
    place: Place,
    /// A plain `<<`: its value's entries are added where they are not given.
    merge: bool,
}

impl<'t> Builder<'t> {
    fn new(id: SourceId, text: &'t str) -> Builder<'t> {
        Builder {
            id,
            text,
            open: Vec::new(),
            root: None,
            anchors: BTreeMap::new(),
            nodes: 0,
            mistakes: Diagnostics::new(),
        }
    }

    /// The document, or nothing if there is none.
    fn build(mut self) -> Result<Option<Node>, Diagnostics> {
        if let Err(last) = self.events() {
            self.mistakes.push(last);
        }
        if self.mistakes.has_errors() {
            return Err(self.mistakes);
        }
        // An explicit but empty document, `---`, is as empty as an empty file.
        Ok(self.root.filter(|root| !(root.is_null() && root.place.start == root.place.end)))
    }

    fn events(&mut self) -> Result<(), Diagnostic> {
        if self.text.len() > MOST_BYTES {
            return Err(Diagnostic::error(self.place(0, 0), "the file is too large")
                .label(format!("{} MiB; at most {} can be read", self.text.len() >> 20, MOST_BYTES >> 20))
                .help("is this the file you meant? Models have a few kilobytes"));
        }
        if let Some(at) = self.text.find('\0') {
            return Err(Diagnostic::error(self.place(at, at + 1), "this is not a text file")
                .label("a zero byte")
                .help("scenario files are YAML, written as text in UTF-8"));
        }
        let mut options = yaml::options! {
            flow_nesting_limit: MOST_NESTED,
            block_nesting_limit: MOST_NESTED,
        };
        options.set_emit_comments(false);
        let text = self.text;
        let mut documents = 0;
        for event in yaml::Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| self.malformed(&error))?;
            let span = span.byte_range().unwrap_or(0..0);
            let (start, end) = (span.start.min(text.len()), span.end.min(text.len()));
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Diagnostic::error(self.clip(start, end), "a second document begins here")
                            .label("a file holds one document")
                            .help("move what follows `---` to a file of its own"));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let bare = style == ScalarStyle::Plain;
                    let quoted = !bare || self.tag(tag.as_deref(), start, end);
                    let value = if quoted { Value::Str(text.to_string()) } else { plain(&text) };
                    let place = self.clip(start, end);
                    self.count(1 + text.len() / 64, place)?;
                    if anchor > 0 {
                        let node = Node { place, value: value.clone() };
                        self.anchors.insert(anchor, Anchored { node, nodes: 1 + text.len() / 64, depth: 0 });
                    }
                    self.complete(Node { place, value }, Some(&text), bare, 0)?;
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.tag(tag.as_deref(), start, end);
                    self.begin(start, end, style, anchor, What::Seq(Vec::new()))?;
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.tag(tag.as_deref(), start, end);
                    let what = What::Map { entries: Vec::new(), seen: BTreeMap::new(), key: None, merged: Vec::new() };
                    self.begin(start, end, style, anchor, what)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(start, end)?,
                Event::Alias(anchor) => {
                    let place = self.clip(start, end);
                    let Some(found) = self.anchors.get(&anchor) else {
                        return Err(Diagnostic::error(place, "an alias cannot stand inside what it names")
                            .label("this would never end"));
                    };
                    let (node, nodes, depth) = (&found.node, found.nodes, found.depth);
                    if self.open.len() + depth > MOST_NESTED {
                        return Err(too_deep(place));
                    }
                    // Count first: a bomb must not be built in order to be found too large.
                    let node = if self.nodes + nodes > MOST_NODES { Node::null() } else { node.clone() };
                    self.count(nodes, place)?;
                    // The outermost node is shown where it is used; what is inside it, where it was written.
                    self.complete(node.at(place), None, false, depth)?;
                }
                _ => {} // stream and document ends; comments and anchors are not asked for
            }
        }
        Ok(())
    }

    fn begin(
        &mut self,
        start: usize,
        end: usize,
        style: yaml::StructureStyle,
        anchor: usize,
        what: What,
    ) -> Result<(), Diagnostic> {
        let place = self.clip(start, end.max(start));
        self.count(1, place)?;
        if self.open.len() >= MOST_NESTED {
            return Err(too_deep(place));
        }
        let flow = style == yaml::StructureStyle::Flow;
        self.open.push(Open { start, flow, anchor, nodes_before: self.nodes - 1, depth: 1, what });
        Ok(())
    }

    fn end(&mut self, start: usize, end: usize) -> Result<(), Diagnostic> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        // A block ends where the next thing starts; what lies between is not part of it.
        let place = self.clip(open.start, if open.flow { end } else { start });
        let value = match open.what {
            What::Seq(items) => Value::Seq(items),
            What::Map { mut entries, seen, merged, .. } => {
                self.merge(&mut entries, &seen, &merged)?;
                Value::Map(entries)
            }
        };
        let node = Node { place, value };
        if open.anchor > 0 {
            let nodes = self.nodes - open.nodes_before;
            self.count(nodes, place)?;
            self.anchors.insert(open.anchor, Anchored { node: node.clone(), nodes, depth: open.depth });
        }
        self.complete(node, None, false, open.depth)
    }

    /// A node is complete: it is a key, a value, an item, or the document.
    fn complete(&mut self, node: Node, written: Option<&str>, bare: bool, depth: usize) -> Result<(), Diagnostic> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        match &mut open.what {
            What::Seq(items) => items.push(node),
            What::Map { key: key @ None, .. } => {
                let text = match (written, &node.value) {
                    (Some(text), _) => text.to_string(),
                    (None, Value::Str(text)) => text.clone(),
                    (None, _) if node.is_scalar() => node.label(),
                    _ => {
                        let found = Diagnostic::error(node.place, "a key must be a word, not a list or a mapping")
                            .label(format!("{} where a key belongs", describe(&node)));
                        return Err(match node.value {
                            Value::Map(_) => found.help("put text that begins with `{` in quotes"),
                            _ => found.help("put text that begins with `[` in quotes"),
                        });
                    }
                };
                if bare && node.place.start == node.place.end {
                    return Err(Diagnostic::error(node.place, "a key is missing before `:`").label("a value alone"));
                }
                *key = Some(Key { merge: bare && text == "<<", text, place: node.place });
            }
            What::Map { entries, seen, key, merged } => {
                let Some(Key { text, place, merge }) = key.take() else {
                    return Ok(());
                };
                // A value that is not there is shown at its key.
                let node = if node.place.start == node.place.end { node.at(place) } else { node };
                if merge {
                    merged.push(node);
                } else if let Some(&first) = seen.get(&text) {
                    self.mistakes.push(
                        Diagnostic::error(place, format!("`{text}` is given twice"))
                            .label("given again here")
                            .also(first, "given first here")
                            .help("keep one of them"),
                    );
                } else {
                    seen.insert(text.clone(), place);
                    entries.push(Entry { key: text, key_place: place, value: node });
                }
            }
        }
        Ok(())
    }

    /// `<<: *defaults` adds the entries that are not given; earlier ones win.
    fn merge(
        &mut self,
        entries: &mut Vec<Entry>,
        seen: &BTreeMap<String, Place>,
        merged: &[Node],
    ) -> Result<(), Diagnostic> {
        let mut added = BTreeSet::new();
        for node in merged {
            let maps = match &node.value {
                Value::Seq(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            for map in maps {
                let Some(more) = map.as_map() else {
                    self.mistakes.push(
                        Diagnostic::error(map.place, "`<<` adds the keys of another mapping")
                            .label(format!("found {}", describe(map)))
                            .help("write `<<: *name`, where `&name` marks a mapping"),
                    );
                    continue;
                };
                for entry in more {
                    if !seen.contains_key(&entry.key) && added.insert(entry.key.clone()) {
                        self.count(weight(&entry.value), map.place)?;
                        entries.push(entry.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a tag says that a plain scalar is text. Tags of our own there are none.
    fn tag(&mut self, tag: Option<&yaml::Tag>, start: usize, end: usize) -> bool {
        let Some(tag) = tag else { return false };
        match tag.core_suffix() {
            Some("str") => true,
            Some("int" | "float" | "bool" | "null" | "map" | "seq") => false,
            _ if tag.original() == "!" => true,
            _ => {
                let place = self.clip(start, end);
                self.mistakes.push(
                    Diagnostic::error(place, format!("the tag `{}` has no meaning here", tag.original()))
                        .label("before this value")
                        .help("leave the tag out"),
                );
                false
            }
        }
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes <= MOST_NODES {
            return Ok(());
        }
        Err(Diagnostic::error(place, "the file is too large once its aliases are filled in")
            .label("here the limit is reached")
            .help(format!("at most {MOST_NODES} values can be read; aliases of aliases multiply")))
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place::new(self.id, start, end)
    }

    /// The first line of a range, without the blanks at its end.
    fn clip(&self, start: usize, end: usize) -> Place {
        let text = self.text.get(start..end.max(start)).unwrap_or("");
        let line = text.split('\n').next().unwrap_or("").trim_end();
        self.place(start, start + line.len())
    }

    fn malformed(&self, error: &ScanError) -> Diagnostic {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        let is_tab = matches!(
            error.kind(),
            ErrorKind::TabNotAllowed
                | ErrorKind::TabInBlockIndentation
                | ErrorKind::TabInIndentation
                | ErrorKind::TabAtBlockScalarStart
                | ErrorKind::TabInPlainScalar
        );
        // The parser stops just behind the tab, or at the beginning of the value that it spoils.
        let at = match self.text[at..].find('\t') {
            _ if is_tab && self.text[..at].ends_with('\t') => at - 1,
            Some(ahead) if is_tab => at + ahead,
            _ => at,
        };
        let place = self.place(at, at + self.text.get(at..).and_then(|t| t.chars().next()).map_or(0, char::len_utf8));
        let (message, help): (String, &str) = match error.kind() {
            ErrorKind::RecursionLimitExceeded => return too_deep(place),
            _ if is_tab => ("a tab where only spaces may stand".into(), "indent with spaces"),
            ErrorKind::UnknownAnchor => {
                ("an alias whose name is not known".into(), "`&name` marks a value, `*name` repeats it further down")
            }
            ErrorKind::UnclosedQuotedScalar => ("a quote is opened and never closed".into(), "add the closing quote"),
            ErrorKind::InvalidQuotedScalarIndent | ErrorKind::DocumentIndicatorInQuotedScalar => {
                ("a text in quotes goes on here without being indented".into(), "is the closing quote missing above?")
            }
            ErrorKind::UnclosedFlowCollection { open } => {
                (format!("`{open}` is opened and never closed"), "add the closing bracket")
            }
            ErrorKind::UnexpectedEofFlowSequence => ("`[` is opened and never closed".into(), "add the `]`"),
            ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnexpectedEofImplicitFlowMapping => {
                ("`{` is opened and never closed".into(), "add the `}`")
            }
            ErrorKind::ExpectedFlowMappingSeparator => (
                "`,` or `}` is missing".into(),
                "inside `{ }`, write `key: value` pairs with commas between them; or is a `{` above left open?",
            ),
            ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::InvalidColonPlacement => (
                "`,` or `]` is missing".into(),
                "inside `[ ]`, write values with commas between them; or is a `[` above left open?",
            ),
            ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
                (format!("`{open}` is closed by `{close}`"), "close each bracket with its own kind")
            }
            ErrorKind::MisplacedFlowCollectionEnd => ("a bracket is closed that was not opened".into(), "remove it"),
            ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
                ("`:` is missing after a key".into(), "write `key: value`, with a space after the colon")
            }
            ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => (
                "this line does not fit the lines above it".into(),
                "indent keys that belong together by the same number of spaces",
            ),
            ErrorKind::ExpectedBlockSequenceEntry => {
                ("`-` is missing before this item".into(), "begin each item of a list with `- ` in the same column")
            }
            ErrorKind::MappingValueNotAllowed => (
                "`:` where no key can be".into(),
                "one `key: value` a line, with a space after the colon; text that contains `: ` goes in quotes",
            ),
            ErrorKind::UnexpectedCharacter { character: '@' | '`' | '%' } => {
                ("this character cannot begin a value".into(), "put the value in quotes")
            }
            ErrorKind::UnexpectedCharacter { character } => (
                format!("the character `{}` cannot stand here", character.escape_default()),
                "remove it, or put the text in quotes",
            ),
            ErrorKind::MissingAnchorOrAliasName => {
                ("`*` and `&` begin aliases and anchors in YAML".into(), "put the value in quotes")
            }
            ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => (
                "a list with `-` begins on a line of its own".into(),
                "start a new line, or write the list as `[a, b]`",
            ),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                ("text goes on after the closing quote".into(), "inside single quotes write `''` for an apostrophe")
            }
            ErrorKind::UnknownQuotedScalarEscape => (
                "an escape that YAML does not know".into(),
                "in double quotes write `\\\\` for a backslash, or use single quotes",
            ),
            kind => (format!("this is not YAML: {kind}"), "compare with the files under `models/`"),
        };
        Diagnostic::error(place, message).label("here").help(help)
    }
}

fn too_deep(place: Place) -> Diagnostic {
    Diagnostic::error(place, "lists and mappings are nested too deeply")
        .label(format!("more than {MOST_NESTED} levels"))
        .help("is a bracket left open?")
}

/// Nodes in a tree, long texts counting as several.
fn weight(node: &Node) -> usize {
    match &node.value {
        Value::Str(text) => 1 + text.len() / 64,
        Value::Seq(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|e| 1 + e.key.len() / 64 + weight(&e.value)).sum::<usize>(),
        _ => 1,
    }
}

// ---------------------------------------------------------------------------------------------------------------
// From tree to typed values

/// A mistake that is about a mapping as a whole is drawn at the first option of it that its message, or the way out, names in
/// backticks.
pub(super) fn at_its_option(mut mistake: Diagnostic, trees: &[Node]) -> Diagnostic {
    if let Some(whole) = trees.iter().find_map(|tree| tree.mapping_at(mistake.place)) {
        let texts = [Some(mistake.message.as_str()), mistake.help.as_deref()];
        // Between the first and the second backtick, between the third and the fourth, and so on.
        let names = texts.into_iter().flatten().flat_map(|text| text.split('`').skip(1).step_by(2));
        let mut keys = names.map(|name| name.split(':').next().unwrap_or(name));
        mistake.place = keys.find_map(|key| whole.option(key)).unwrap_or(mistake.place);
    }
    mistake
}

/// Reads a typed value, or says everything that is wrong with it.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Diagnostics> {
    match read_some(node) {
        (Some(value), mistakes) if !mistakes.has_errors() => Ok(value),
        (_, mistakes) => Err(mistakes),
    }
}

/// Reads what can be read, and says everything that is wrong with the rest.
///
/// The value lacks what could not be read. Before complaining that it lacks something, look into the tree.
pub fn read_some<T: DeserializeOwned>(node: &Node) -> (Option<T>, Diagnostics) {
    let mut mistakes = Diagnostics::new();
    let mut scars = Scars::default();
    for _ in 0..MOST_ROUNDS {
        let fault = match T::deserialize(Reader { node, scars: Some(&scars), is_key: false }) {
            Ok(value) => return (Some(value), mistakes),
            Err(Fault(fault)) => fault,
        };
        if !fault.is_consequence() {
            mistakes.push(fault.diagnostic(node.place));
        }
        if !scars.strike(&fault.trail) || mistakes.len() >= MOST_MISTAKES {
            break;
        }
    }
    (None, mistakes)
}

/// Which entries and items are struck out, as a tree of positions that mirrors the tree of nodes.
#[derive(Debug, Default)]
struct Scars {
    struck: BTreeSet<usize>,
    below: BTreeMap<usize, Scars>,
}

impl Scars {
    /// Strikes out the entry at the end of a trail (written innermost first). False if that is the whole tree,
    /// or nothing new: then no further round can help.
    fn strike(&mut self, trail: &[usize]) -> bool {
        let Some((&last, way)) = trail.split_first() else {
            return false;
        };
        let parent = way.iter().rev().fold(self, |scars, &at| scars.below.entry(at).or_default());
        parent.struck.insert(last)
    }
}

/// Whether something was struck out of the node that a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Below,
    Here,
}

/// Why deserializing stopped.
#[derive(Debug)]
struct Fault(Box<Report>);

#[derive(Debug)]
struct Report {
    problem: Problem,
    place: Option<Place>,
    /// Positions from the offending entry up to the root.
    trail: Vec<usize>,
    found: String,
    damage: Damage,
    help: Option<String>,
}

#[derive(Debug)]
enum Problem {
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownVariant { name: String, known: &'static [&'static str] },
    MissingKey(&'static str),
    RepeatedKey(&'static str),
    Wrong { expected: String },
    Several { known: &'static [&'static str], given: Vec<String>, places: Vec<Place> },
    Said(String),
}

impl Fault {
    fn new(problem: Problem) -> Fault {
        let found = String::new();
        Fault(Box::new(Report { problem, place: None, trail: Vec::new(), found, damage: Damage::None, help: None }))
    }

    fn wrong(expected: impl Into<String>) -> Fault {
        Fault::new(Problem::Wrong { expected: expected.into() })
    }

    fn help(mut self, help: impl Into<String>) -> Fault {
        self.0.help.get_or_insert(help.into());
        self
    }

    /// The fault came from reading this node, unless it came from deeper inside and knows so already.
    fn at(mut self, reader: Reader<'_>) -> Fault {
        let report = &mut self.0;
        if report.place.is_none() {
            report.place = Some(reader.node.place);
            report.found = describe(reader.node);
            report.damage = match reader.scars {
                Some(scars) if !scars.struck.is_empty() => Damage::Here,
                Some(scars) if !scars.below.is_empty() => Damage::Below,
                _ => Damage::None,
            };
            if report.help.is_none() && matches!(report.problem, Problem::Wrong { .. }) {
                report.help = quotes_help(reader.node, &report.problem);
            }
        }
        self
    }

    /// The fault came from the entry at this position.
    fn inside(mut self, at: usize) -> Fault {
        self.0.trail.push(at);
        self
    }
}

/// A number in quotes is the most common way to get the type wrong without seeing it.
fn quotes_help(node: &Node, problem: &Problem) -> Option<String> {
    let Problem::Wrong { expected } = problem else {
        return None;
    };
    match &node.value {
        Value::Str(text) if expected.contains("number") && matches!(plain(text), Value::Int(_) | Value::Float(_)) => {
            Some("leave out the quotes".to_string())
        }
        Value::Str(text) if expected.contains("number") && text.contains('_') => {
            let joined = text.replace('_', "");
            matches!(plain(&joined), Value::Int(_) | Value::Float(_)).then(|| format!("write `{joined}`"))
        }
        Value::Str(text) if expected.starts_with("`true`") => match text.as_str() {
            "yes" | "on" | "Yes" | "On" => Some("write `true`".to_string()),
            "no" | "off" | "No" | "Off" => Some("write `false`".to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Policies that were written as a mapping have no order.
fn list_help(node: &Node) -> Option<String> {
    let Value::Map(entries) = &node.value else { return None };
    let is_policy = |entry: &Entry| {
        ["use", "preset"].contains(&entry.key.as_str()) || PATTERNS.iter().any(|it| it.name == entry.key)
    };
    if entries.is_empty() || !entries.iter().all(is_policy) {
        return None;
    }
    let items = entries.iter().map(|entry| match &entry.value.value {
        Value::Str(text) => format!("{}: {text}", entry.key),
        Value::Int(number) => format!("{}: {number}", entry.key),
        _ => format!("{}: …", entry.key),
    });
    let items = items.collect::<Vec<_>>().join(", ");
    Some(format!("the order matters: write `[ {items} ]`, outermost first"))
}

impl Report {
    /// Whether it may be there only because something else was struck out.
    fn is_consequence(&self) -> bool {
        match self.problem {
            Problem::UnknownKey { .. } | Problem::UnknownVariant { .. } | Problem::Several { .. } => false,
            Problem::MissingKey(_) => self.damage == Damage::Here,
            Problem::RepeatedKey(_) | Problem::Wrong { .. } | Problem::Said(_) => self.damage != Damage::None,
        }
    }

    fn diagnostic(&self, root: Place) -> Diagnostic {
        let place = self.place.unwrap_or(root);
        let error = |message: String| Diagnostic::error(place, message);
        let out = match &self.problem {
            Problem::UnknownKey { key, known } => {
                error(format!("{}: unknown key", quoted(key))).label("unknown key").help(meant(key, known, "keys"))
            }
            Problem::UnknownVariant { name, known } => {
                error(format!("{}: not one of {}", quoted(name), listed(known.iter().copied())))
                    .label("not known here")
                    .help(meant(name, known, "choices"))
            }
            Problem::MissingKey(key) => error(format!("missing key `{key}`")).label(format!("`{key}` is missing here")),
            Problem::RepeatedKey(key) => {
                error(format!("`{key}` is given twice")).label("under two names").help("keep one of them")
            }
            Problem::Wrong { expected } => {
                error(format!("expected {expected}, found {}", self.found)).label(format!("expected {expected}"))
            }
            Problem::Several { known, given, places } => {
                let given = listed(given.iter().map(String::as_str));
                let mut out =
                    error(format!("expected exactly one of {}, found {given}", listed(known.iter().copied())))
                        .label("this one,");
                for &place in places {
                    out = out.also(place, "and this one");
                }
                out.help("keep one; in a list, write each as an item of its own")
            }
            Problem::Said(message) => error(message.clone()),
        };
        match &self.help {
            Some(help) => out.help(help.as_str()),
            None => out,
        }
    }
}

/// "Did you mean", and what there is; the choices have been said in the message.
fn meant(name: &str, known: &[&str], what: &str) -> String {
    if known.is_empty() {
        return format!("there are no {what} here");
    }
    let all = if what == "keys" { format!(" Known keys: {}", known.join(", ")) } else { String::new() };
    if let Some(other) = other_name(name) {
        let of = if other.of.is_empty() { String::new() } else { format!(", for {} of {}", quoted(name), other.of) };
        let note = if other.note.is_empty() { String::new() } else { format!(" {}", other.note) };
        let here = other.here.iter().filter(|it| known.contains(it)).map(|it| format!("`{it}`"));
        let here = here.collect::<Vec<_>>().join(" or ");
        if !here.is_empty() {
            return format!("Did you mean {here}{of}?{note}{all}");
        }
    }
    match did_you_mean(name, known.iter().copied()) {
        Some(close) => format!("Did you mean `{close}`?{all}"),
        None => format!("known {what}: {}", known.join(", ")),
    }
}

/// A piece of the file in a message: on one line, shortened, in backticks.
fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut short: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// What a node is, in words.
fn describe(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_string(),
        Value::Seq(_) => "a list".to_string(),
        Value::Map(_) => "a mapping".to_string(),
        Value::Str(text) if text.is_empty() => "an empty text".to_string(),
        Value::Str(text) if !matches!(plain(text), Value::Str(_)) => {
            format!("the text {}", quoted(text))
        }
        Value::Str(text) => quoted(text),
        _ => quoted(&node.label()),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.problem)
    }
}

impl std::error::Error for Fault {}

/// Between message and help in the text of a serde error: the one thing serde lets through is text.
const HELP: char = '\u{1f}';

/// An error for use in a `Deserialize`: what is wrong, and apart from it a way out.
pub fn refuse<E: de::Error>(message: impl fmt::Display, help: impl fmt::Display) -> E {
    E::custom(format_args!("{message}{HELP}{help}"))
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        let text = message.to_string();
        match text.rsplit_once(HELP) {
            Some((message, help)) => Fault::new(Problem::Said(message.to_string())).help(help),
            None => Fault::new(Problem::Said(text)),
        }
    }

    // What was found is told better by the node than by serde's `Unexpected`.
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::wrong(in_words(&expected.to_string()))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Fault {
        Fault::wrong(in_words(&expected.to_string()))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Fault {
        Fault::new(Problem::Said(format!("expected {}, found {length}", in_words(&expected.to_string()))))
    }

    fn unknown_variant(name: &str, known: &'static [&'static str]) -> Fault {
        Fault::new(Problem::UnknownVariant { name: name.to_string(), known })
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Fault {
        Fault::new(Problem::UnknownKey { key: key.to_string(), known })
    }

    fn missing_field(key: &'static str) -> Fault {
        Fault::new(Problem::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Fault {
        Fault::new(Problem::RepeatedKey(key))
    }
}

/// What serde and the standard library expect, said to somebody who does not write Rust.
fn in_words(expected: &str) -> String {
    match expected {
        "a string" | "a character" | "a borrowed string" | "string" => "text".to_string(),
        "a boolean" => "`true` or `false`".to_string(),
        "a sequence" | "a set" => "a list".to_string(),
        "a map" => A_MAPPING.to_string(),
        "unit" => "nothing".to_string(),
        "f32" | "f64" => "a number".to_string(),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => WHOLE_FROM_ZERO.to_string(),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => WHOLE.to_string(),
        _ if expected.starts_with("a nonzero ") => "a whole number other than zero".to_string(),
        _ if expected.starts_with("struct ") || expected.starts_with("enum ") => A_MAPPING.to_string(),
        _ if expected.starts_with("tuple ") || expected.starts_with("an array") => "a list".to_string(),
        _ => expected.to_string(),
    }
}

const WHOLE: &str = "a whole number";
const WHOLE_FROM_ZERO: &str = "a whole number, zero or more";
const A_MAPPING: &str = "keys and values";

/// Reads one node. Every fault that passes through it gets a place.
#[derive(Clone, Copy)]
struct Reader<'n> {
    node: &'n Node,
    scars: Option<&'n Scars>,
    /// The node stands for a key, whose text may be meant as a number.
    is_key: bool,
}

static NOTHING: Scars = Scars { struck: BTreeSet::new(), below: BTreeMap::new() };

impl<'n> Reader<'n> {
    fn scars(self) -> &'n Scars {
        self.scars.unwrap_or(&NOTHING)
    }

    /// The entry or item at a position.
    fn child(self, node: &'n Node, at: usize) -> Reader<'n> {
        Reader { node, scars: self.scars().below.get(&at), is_key: false }
    }

    /// Entries that are not struck out, with their positions. Nothing counts as a mapping without entries.
    fn entries(self) -> Option<impl Iterator<Item = (usize, &'n Entry)> + Clone + use<'n>> {
        let entries: &[Entry] = match &self.node.value {
            Value::Map(entries) => entries,
            Value::Null => &[],
            _ => return None,
        };
        let scars = self.scars();
        Some(entries.iter().enumerate().filter(move |(at, _)| !scars.struck.contains(at)))
    }

    /// Items that are not struck out. Nothing counts as an empty list.
    fn items(self) -> Option<impl Iterator<Item = (usize, &'n Node)> + use<'n>> {
        let items: &[Node] = match &self.node.value {
            Value::Seq(items) => items,
            Value::Null => &[],
            _ => return None,
        };
        let scars = self.scars();
        Some(items.iter().enumerate().filter(move |(at, _)| !scars.struck.contains(at)))
    }

    fn whole(self) -> Option<i128> {
        match &self.node.value {
            Value::Int(number) => Some(i128::from(*number)),
            // 1e3 is a whole number to whoever wrote it. Beyond 2^64 no type here could hold it.
            Value::Float(number) if *number == (*number).trunc() && number.abs() < 1.9e19 => Some(*number as i128),
            Value::Str(text) if self.is_key => text.parse().ok(),
            _ => None,
        }
    }

    fn visit_map<'de, V: Visitor<'de>>(self, visitor: V, expected: &str) -> Result<V::Value, Fault> {
        let Some(entries) = self.entries() else {
            return Err(Fault::wrong(expected).at(self));
        };
        let mut map = MapReader { reader: self, entries: Box::new(entries), current: None };
        visitor.visit_map(&mut map).map_err(|fault: Fault| fault.at(self))
    }

    fn visit_seq<'de, V: Visitor<'de>>(self, visitor: V, length: Option<usize>) -> Result<V::Value, Fault> {
        let expected = length.map_or("a list".to_string(), |length| format!("a list of {length}"));
        let Some(items) = self.items() else {
            let fault = Fault::wrong(expected).at(self);
            return Err(match list_help(self.node) {
                Some(help) => fault.help(help),
                None => fault,
            });
        };
        let mut seq = SeqReader { reader: self, items: Box::new(items) };
        let value = visitor.visit_seq(&mut seq).map_err(|fault: Fault| fault.at(self))?;
        match seq.items.next() {
            Some((at, node)) => {
                let fault = Fault::new(Problem::Said(format!("expected {expected}: this item is one too many")));
                Err(fault.at(self.child(node, at)).inside(at))
            }
            None => Ok(value),
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let from_zero = <$type>::MIN == 0;
            let Some(number) = self.whole() else { return Err(Fault::wrong(WHOLE).at(self)) };
            match <$type>::try_from(number) {
                Ok(number) => visitor.$visit(number).map_err(|fault: Fault| fault.at(self)),
                Err(_) if from_zero && number < 0 => Err(Fault::wrong(WHOLE_FROM_ZERO).at(self)),
                Err(_) if number < 0 => Err(Fault::wrong(format!("a whole number from {}", <$type>::MIN)).at(self)),
                Err(_) => Err(Fault::wrong(format!("a whole number up to {}", <$type>::MAX)).at(self)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(number) => match u64::try_from(*number) {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_i64(*number),
            },
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Str(text) => visitor.visit_str(text),
            Value::Seq(_) => return self.visit_seq(visitor, None),
            Value::Map(_) => return self.visit_map(visitor, A_MAPPING),
        }
        .map_err(|fault: Fault| fault.at(self))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value).map_err(|fault: Fault| fault.at(self)),
            _ => Err(Fault::wrong("`true` or `false`").at(self)),
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.as_f64() {
            Some(number) if number.is_finite() => visitor.visit_f64(number).map_err(|fault: Fault| fault.at(self)),
            Some(_) => Err(Fault::wrong("a finite number").at(self)),
            None => Err(Fault::wrong("a number").at(self)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Str(text) => visitor.visit_str(text).map_err(|fault: Fault| fault.at(self)),
            // A service may be called 7. It may not be called 1.10 without quotes: that is the number 1.1.
            Value::Int(number) => visitor.visit_str(&number.to_string()).map_err(|fault: Fault| fault.at(self)),
            Value::Float(_) | Value::Bool(_) => Err(Fault::wrong("text").at(self).help("put it in quotes")),
            _ => Err(Fault::wrong("text").at(self)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|fault: Fault| fault.at(self))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Null => visitor.visit_unit().map_err(|fault: Fault| fault.at(self)),
            _ => Err(Fault::wrong("nothing").at(self)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Fault> {
        match name {
            SPANNED => visitor.visit_seq(PlaceThenValue { reader: self, told: false }),
            FORM => visitor.visit_enum(Form(self)),
            _ => visitor.visit_newtype_struct(self),
        }
        .map_err(|fault: Fault| fault.at(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit_seq(visitor, None)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.visit_seq(visitor, Some(length))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.visit_seq(visitor, Some(length))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.visit_map(visitor, A_MAPPING)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Map(_) | Value::Null => self.visit_map(visitor, A_MAPPING),
            _ if fields.is_empty() => Err(Fault::wrong(A_MAPPING).at(self)),
            _ => Err(Fault::wrong(A_MAPPING).at(self).help(format!("known keys: {}", fields.join(", ")))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let one_of = || format!("one of {}", listed(known.iter().copied()));
        // A number that has a name here: 503.
        if let Value::Int(number) = self.node.value
            && other_name(&number.to_string()).is_some_and(|it| it.here.iter().any(|here| known.contains(here)))
        {
            return Err(<Fault as de::Error>::unknown_variant(&number.to_string(), known).at(self));
        }
        if let Value::Str(_) = self.node.value {
            return visitor
                .visit_enum(EnumReader { reader: self, content: None })
                .map_err(|fault: Fault| fault.at(self));
        }
        let (Value::Map(_), Some(entries)) = (&self.node.value, self.entries()) else {
            return Err(Fault::wrong(one_of()).at(self));
        };
        let given: Vec<_> = entries.collect();
        match given.as_slice() {
            [] => Err(Fault::wrong(one_of()).at(self)),
            [(at, entry)] => visitor
                .visit_enum(EnumReader { reader: self, content: Some((*at, entry)) })
                .map_err(|fault: Fault| fault.at(self)),
            [(_, first), rest @ ..] => {
                let mut fault = Fault::new(Problem::Several {
                    known,
                    given: given.iter().map(|(_, entry)| entry.key.clone()).collect(),
                    places: rest.iter().map(|(_, entry)| entry.key_place).collect(),
                });
                fault.0.place = Some(first.key_place);
                Err(fault)
            }
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}

/// Lets a seed read a key as if it were a node of its own.
fn read_key<'de, K: DeserializeSeed<'de>>(seed: K, entry: &Entry) -> Result<K::Value, Fault> {
    let node = Node { place: entry.key_place, value: Value::Str(entry.key.clone()) };
    let reader = Reader { node: &node, scars: None, is_key: true };
    seed.deserialize(reader).map_err(|fault: Fault| fault.at(reader))
}

struct MapReader<'n> {
    reader: Reader<'n>,
    entries: Box<dyn Iterator<Item = (usize, &'n Entry)> + 'n>,
    current: Option<(usize, &'n Entry)>,
}

impl<'de> MapAccess<'de> for MapReader<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.current = self.entries.next();
        match self.current {
            Some((at, entry)) => read_key(seed, entry).map(Some).map_err(|fault: Fault| fault.inside(at)),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (at, entry) = self.current.ok_or_else(|| Fault::wrong("a key before its value"))?;
        let reader = self.reader.child(&entry.value, at);
        seed.deserialize(reader).map_err(|fault: Fault| fault.at(reader).inside(at))
    }
}

struct SeqReader<'n> {
    reader: Reader<'n>,
    items: Box<dyn Iterator<Item = (usize, &'n Node)> + 'n>,
}

impl<'de> SeqAccess<'de> for SeqReader<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((at, node)) = self.items.next() else {
            return Ok(None);
        };
        let reader = self.reader.child(node, at);
        seed.deserialize(reader).map(Some).map_err(|fault: Fault| fault.at(reader).inside(at))
    }
}

/// What [`super::source::Spanned`] is read from.
struct PlaceThenValue<'n> {
    reader: Reader<'n>,
    told: bool,
}

impl<'de> SeqAccess<'de> for PlaceThenValue<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if !std::mem::replace(&mut self.told, true) {
            let parts = self.reader.node.place.parts();
            return seed.deserialize(SeqDeserializer::new(parts.into_iter())).map(Some);
        }
        seed.deserialize(self.reader).map(Some).map_err(|fault: Fault| fault.at(self.reader))
    }
}

/// A choice: a word (`full`), or a mapping with one key (`{ exponential: 5ms }`).
struct EnumReader<'n> {
    reader: Reader<'n>,
    content: Option<(usize, &'n Entry)>,
}

impl<'de, 'n> EnumAccess<'de> for EnumReader<'n> {
    type Error = Fault;
    type Variant = Content<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'n>), Fault> {
        let Some((at, entry)) = self.content else {
            let name = seed.deserialize(self.reader).map_err(|fault: Fault| fault.at(self.reader))?;
            // A word alone, where settings could follow, is that choice with nothing set.
            let content = Content { nothing: Node::null().at(self.reader.node.place), reader: None };
            return Ok((name, content));
        };
        let name = read_key(seed, entry).map_err(|fault: Fault| fault.inside(at))?;
        Ok((name, Content { nothing: Node::null(), reader: Some((at, self.reader.child(&entry.value, at))) }))
    }
}

struct Content<'n> {
    nothing: Node,
    reader: Option<(usize, Reader<'n>)>,
}

impl Content<'_> {
    fn read<T>(&self, with: impl FnOnce(Reader<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.reader {
            Some((at, reader)) => with(reader).map_err(|fault: Fault| fault.at(reader).inside(at)),
            None => {
                let reader = Reader { node: &self.nothing, scars: None, is_key: false };
                with(reader).map_err(|fault: Fault| fault.at(reader))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.read(|reader| match &reader.node.value {
            Value::Null => Ok(()),
            Value::Map(entries) if entries.is_empty() => Ok(()),
            _ => Err(Fault::new(Problem::Said("this choice has no settings".to_string()))
                .help("write its name alone, without `:`")
                .at(reader)),
        })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read(|reader| reader.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.read(|reader| reader.deserialize_struct("", fields, visitor))
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Short and long forms

/// The name by which the tree's deserializer knows a type that may be written short or long.
const FORM: &str = "$blackstart::Form";

/// What was written: the short form (`timeout: 200ms`), or the long one (`timeout: { after: 200ms }`).
#[derive(Clone, Debug, PartialEq)]
pub enum ShortOrLong<S, L> {
    /// A single value or a list.
    Short(S),
    /// A mapping.
    Long(L),
}

impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Deserialize<'de> for ShortOrLong<S, L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<S, L>(PhantomData<(S, L)>);

        impl<'de, S: Deserialize<'de>, L: Deserialize<'de>> Visitor<'de> for Either<S, L> {
            type Value = ShortOrLong<S, L>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or keys and values")
            }

            fn visit_enum<A: EnumAccess<'de>>(self, form: A) -> Result<Self::Value, A::Error> {
                let (long, content) = form.variant::<bool>()?;
                match long {
                    true => content.newtype_variant().map(ShortOrLong::Long),
                    false => content.newtype_variant().map(ShortOrLong::Short),
                }
            }

            // Other deserializers do not say beforehand what follows: with them only the long form works.
            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
                L::deserialize(inner).map(ShortOrLong::Long)
            }
        }

        deserializer.deserialize_newtype_struct(FORM, Either(PhantomData))
    }
}

/// What [`ShortOrLong`] is read from: whether it is long, then the same node.
struct Form<'n>(Reader<'n>);

impl<'de, 'n> EnumAccess<'de> for Form<'n> {
    type Error = Fault;
    type Variant = Form<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Form<'n>), Fault> {
        // Nothing is a mapping without entries: it is then the long form that says which key is missing.
        let long = matches!(self.0.node.value, Value::Map(_) | Value::Null);
        let answer: BoolDeserializer<Fault> = long.into_deserializer();
        Ok((seed.deserialize(answer)?, self))
    }
}

impl<'de> VariantAccess<'de> for Form<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.0).map_err(|fault: Fault| fault.at(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

/// Lets a type be written short: `timeout: 200ms` for `timeout: { after: 200ms }`.
///
/// A mapping (or nothing at all) is read as the type itself, anything else as the short form:
///
/// ```
/// use blackstart::scenario::{tree, units::Span};
/// use serde::Deserialize;
///
/// #[derive(Debug, PartialEq, Deserialize, schemars::JsonSchema)]
/// #[serde(remote = "Self", deny_unknown_fields)]
/// #[schemars(!remote, transform = tree::or_short::<Span>)]
/// struct Timeout {
///     after: Span,
///     #[serde(default)]
///     cancel: bool,
/// }
/// blackstart::short_form!(Timeout, Span, |after| Timeout { after, cancel: false });
/// ```
///
/// `remote = "Self"` makes serde derive the reading of the long form under the type's own name, and leaves the
/// trait to this macro; `!remote` tells schemars that this is no business of its own.
#[macro_export]
macro_rules! short_form {
    ($long:ty, $short:ty, $make:expr) => {
        impl ::std::convert::From<$short> for $long {
            fn from(short: $short) -> Self {
                let make: fn($short) -> $long = $make;
                make(short)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $long {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                struct Long($long);

                impl<'de> ::serde::Deserialize<'de> for Long {
                    fn deserialize<D: ::serde::Deserializer<'de>>(
                        deserializer: D,
                    ) -> ::std::result::Result<Self, D::Error> {
                        // The derived function, which is not the trait's.
                        <$long>::deserialize(deserializer).map(Long)
                    }
                }

                type Written = $crate::scenario::tree::ShortOrLong<$short, Long>;
                ::std::result::Result::map(
                    <Written as ::serde::Deserialize<'de>>::deserialize(deserializer),
                    |written| match written {
                        $crate::scenario::tree::ShortOrLong::Short(short) => short.into(),
                        $crate::scenario::tree::ShortOrLong::Long(Long(long)) => long,
                    },
                )
            }
        }
    };
}

/// For `#[schemars(transform = or_short::<Short>)]`: the schema allows the short form too.
///
/// Definitions that the short form refers to must be reachable from the long form as well, under the same names.
pub fn or_short<S: JsonSchema>(schema: &mut Schema) {
    let mut short = S::json_schema(&mut SchemaGenerator::default());
    let description = schema.remove("description");
    let title = schema.remove("title");
    short.remove("$defs");
    let mut either = schemars::json_schema!({ "anyOf": [short, schema.clone()] });
    if let Some(title) = title {
        either.insert("title".to_string(), title);
    }
    if let Some(description) = description {
        either.insert("description".to_string(), description);
    }
    *schema = either;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::super::source::{Named, Spanned};
    use super::super::units::{Rate, Share, Span};
    use super::*;

    // A small scenario: enough of the real one to make every kind of mistake in.

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Model {
        services: Named<Service>,
        #[serde(default)]
        clients: Named<Client>,
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Service {
        workers: u32,
        #[serde(default = "one")]
        replicas: u8,
        #[serde(default)]
        operations: Named<Operation>,
    }

    fn one() -> u8 {
        1
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[schemars(!remote, transform = or_short::<Vec<Step>>)]
    struct Operation {
        steps: Vec<Step>,
        priority: Option<u8>,
    }
    crate::short_form!(Operation, Vec<Step>, |steps| Operation { steps, priority: None });

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Step {
        work: Option<Dist>,
        call: Option<Spanned<String>>,
        #[serde(default)]
        policies: Vec<Policy>,
    }

    /// How long something takes.
    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
    #[schemars(!remote, transform = or_short::<Span>)]
    enum Dist {
        Constant(Span),
        Exponential(Span),
        Lognormal { p50: Span, p99: Span },
    }
    crate::short_form!(Dist, Span, Dist::Constant);

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Policy {
        Retry(Retry),
        Timeout(Timeout),
        Hedge,
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Retry {
        attempts: u32,
        jitter: Option<Jitter>,
        budget: Option<Share>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Jitter {
        None,
        Full,
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(remote = "Self", deny_unknown_fields)]
    #[schemars(!remote, transform = or_short::<Span>)]
    struct Timeout {
        after: Span,
        #[serde(default)]
        cancel: bool,
    }
    crate::short_form!(Timeout, Span, |after| Timeout { after, cancel: false });

    /// Steps within steps, as deep as a file can go.
    #[derive(Debug, Deserialize)]
    #[serde(remote = "Self", rename_all = "snake_case")]
    enum Nested {
        Work(Span),
        Parallel(Vec<Nested>),
        Retry { steps: Vec<Nested>, name: Option<Spanned<String>> },
    }
    crate::short_form!(Nested, Span, Nested::Work);

    #[test]
    fn the_deepest_file_that_parses_can_also_be_read() {
        let depth = MOST_NESTED / 3;
        let text = format!("{}5{}", "{retry: {steps: [".repeat(depth), "]}}".repeat(depth));
        let node = value(&text);
        let found = read::<Nested>(&node).expect_err("a bare number at the bottom");
        assert_eq!(found.to_string(), "error: a time needs a unit. write `5ms` or `5s`");
        let fine = value(&text.replace('5', "5ms"));
        assert!(matches!(read(&fine), Ok(Nested::Retry { name: None, .. })));
    }

    #[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Client {
        calls: Spanned<String>,
        arrivals: Rate,
    }

    const SHOP: &str = "\
services:
  web:
    workers: 64 # per replica
    operations:
      checkout:
        - work: { exponential: 5ms }
        - call: payment.charge
          policies:
            - retry: { attempts: 3, jitter: full, budget: 10% }
            - timeout: 200ms
            - hedge
  payment:
    workers: 32
    operations:
      charge: [ work: { lognormal: { p50: 20ms, p99: 90ms } } ]
clients:
  shoppers:
    calls: web.checkout
    arrivals: 800/s
";

    fn tree(text: &str) -> (Result<Node, Diagnostics>, Sources) {
        let mut sources = Sources::new();
        let id = sources.add("shop.yaml", text);
        (parse(id, &sources), sources)
    }

    fn value(text: &str) -> Node {
        let mut sources = Sources::new();
        let id = sources.add("value", text);
        parse_value(id, &sources).expect("a value")
    }

    /// `line:column message` of every mistake, in the order of the file.
    fn mistakes<T: DeserializeOwned>(text: &str) -> Vec<String> {
        let (node, sources) = tree(text);
        let found = match node {
            Ok(node) => read_some::<T>(&node).1,
            Err(found) => found,
        };
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by_key(|mistake| mistake.place);
        let line = |mistake: Diagnostic| {
            let (line, column) = sources.line_column(mistake.place);
            format!("{line}:{column} {}", mistake.message)
        };
        found.into_iter().map(line).collect()
    }

    fn mistake<T: DeserializeOwned>(text: &str) -> Diagnostic {
        let found = match tree(text).0 {
            Ok(node) => read_some::<T>(&node).1,
            Err(found) => found,
        };
        let found: Vec<_> = found.into_iter().collect();
        assert_eq!(found.len(), 1, "{found:#?}");
        found.into_iter().next().expect("one mistake")
    }

    fn shop() -> Model {
        read(&tree(SHOP).0.expect("the shop is well-formed")).expect("the shop is right")
    }

    /// The shop with one piece of its text replaced.
    fn shop_with(from: &str, to: &str) -> String {
        assert!(SHOP.contains(from), "the shop has no `{from}`");
        SHOP.replacen(from, to, 1)
    }

    #[test]
    fn short_and_long_forms_are_read_side_by_side() {
        let model = shop();
        let checkout = model.services["web"].operations.get("checkout").expect("an operation");
        assert_eq!(checkout.steps.len(), 2);
        assert!(matches!(checkout.steps[0].work, Some(Dist::Exponential(_))));
        let policies = &checkout.steps[1].policies;
        assert!(matches!(policies[1], Policy::Timeout(Timeout { cancel: false, .. })));
        assert_eq!(policies[2], Policy::Hedge);
        assert_eq!(model.services.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["web", "payment"]);

        let long = shop_with("- timeout: 200ms", "- timeout: { after: 200ms, cancel: true }");
        let long: Model = read(&tree(&long).0.expect("well-formed")).expect("the long form");
        let policies = &long.services["web"].operations["checkout"].steps[1].policies;
        assert!(matches!(policies[1], Policy::Timeout(Timeout { cancel: true, .. })));

        let long = shop_with(
            "charge: [ work: { lognormal: { p50: 20ms, p99: 90ms } } ]",
            "charge: { steps: [ work: 5ms ], priority: 2 }",
        );
        let long: Model = read(&tree(&long).0.expect("well-formed")).expect("the long form");
        let charge = &long.services["payment"].operations["charge"];
        assert_eq!(charge.priority, Some(2));
        assert!(matches!(charge.steps[0].work, Some(Dist::Constant(_))));
    }

    #[test]
    fn names_and_values_know_their_places() {
        let (node, sources) = tree(SHOP);
        let model: Model = read(&node.expect("well-formed")).expect("right");
        let at = |place: Place| &sources.text(place.source)[place.start as usize..place.end as usize];
        let (web, service) = model.services.get_index(0).expect("the first service");
        assert_eq!((at(web.place), sources.line_column(web.place)), ("web", (2, 3)));
        let call = service.operations["checkout"].steps[1].call.as_ref().expect("a call");
        assert_eq!((at(call.place), sources.line_column(call.place)), ("payment.charge", (7, 17)));
        assert_eq!(sources.line_column(model.clients["shoppers"].calls.place), (18, 12));
    }

    #[test]
    fn several_mistakes_are_reported_at_once_each_at_its_line_and_column() {
        let text = SHOP
            .replace("workers: 64", "wrokers: 64")
            .replace("attempts: 3", "attemps: 3")
            .replace("jitter: full", "jitter: half")
            .replace("timeout: 200ms", "timeout: 200")
            .replace("p50: 20ms", "p50: soon")
            .replace("800/s", "many");
        assert_eq!(
            mistakes::<Model>(&text),
            [
                "3:5 `wrokers`: unknown key",
                "9:24 `attemps`: unknown key",
                "9:44 `half`: not one of `none`, `full`",
                "10:24 a time needs a unit",
                "15:43 `soon` is not a time",
                "19:15 `many` is not a rate",
            ]
        );
    }

    #[test]
    fn recovery_does_not_invent_mistakes() {
        // A required value that is wrong: the maps around it lack it only because it was struck out.
        assert_eq!(
            mistakes::<Model>(&shop_with("workers: 32", "workers: many")),
            ["13:14 expected a whole number, found `many`"]
        );
        // The only entry of a choice, inside a list, inside a short form.
        assert_eq!(
            mistakes::<Model>(&shop_with("exponential: 5ms", "exponental: 5ms")),
            ["6:19 `exponental`: not one of `constant`, `exponential`, `lognormal`"]
        );
        // A required key that is misspelt is one mistake, not two.
        assert_eq!(mistakes::<Model>(&shop_with("calls:", "call:")), ["18:5 `call`: unknown key"]);
    }

    #[test]
    fn names_of_other_libraries_lead_to_the_names_here() {
        let helps = |options: &str| -> Vec<String> {
            let found = read::<Vec<crate::policy::Written>>(&value(options)).expect_err("a mistake");
            found.iter().map(|it| it.help.clone().unwrap_or_default()).collect()
        };
        for (options, help) in [
            ("[ circuit_breaker: {} ]", "Did you mean `breaker`?"),
            ("[ time_limiter: 1s ]", "Did you mean `timeout`, for `time_limiter` of resilience4j?"),
            ("[ bulkhead: { maxConcurrentCalls: 3 } ]", "Did you mean `concurrent`, for `maxConcurrentCalls` of"),
            ("[ retry: { num_retries: 3 } ]", "`attempts`, for `num_retries` of Envoy? It counts retries"),
            ("[ retry: { attempts: 3, on: [ 503 ] } ]", "Did you mean `unavailable`, for `503` of HTTP?"),
            ("[ retry: { attempts: 3, on: [ 5xx ] } ]", "Did you mean `unavailable` or `error`, for `5xx` of Envoy?"),
            ("[ retry: { attempts: 3, on: [ deadline_exceeded ] } ]", "Did you mean `timeout`, for"),
            ("{ timeout: 1s, retry: 2 }", "the order matters: write `[ timeout: 1s, retry: 2 ]`, outermost first"),
        ] {
            let told = helps(options);
            assert!(told.iter().any(|it| it.contains(help)), "{options}: {told:?}");
        }
    }

    #[test]
    fn what_can_be_read_is_kept_beside_the_mistakes() {
        let (node, _) = tree(&shop_with("workers: 32", "workers: many"));
        let (model, found) = read_some::<Model>(&node.expect("well-formed"));
        let model = model.expect("the rest of the shop");
        assert!(found.has_errors());
        assert!(model.services.contains("web") && !model.services.contains("payment"));
        assert!(model.clients.contains("shoppers"));
    }

    #[test]
    fn a_missing_key_is_reported_at_its_mapping_and_others_are_found_too() {
        let text = shop_with("attempts: 3, ", "").replace("800/s", "800");
        assert_eq!(mistakes::<Model>(&text), ["9:22 missing key `attempts`", "19:15 a rate needs a unit"]);
    }

    #[test]
    fn mistakes_come_with_a_way_out() {
        let help = |from, to| mistake::<Model>(&shop_with(from, to)).help.expect("a way out");
        assert!(
            help("workers: 64", "replcas: 3\n    workers: 64").starts_with("Did you mean `replicas`? Known keys: ")
        );
        assert_eq!(help("workers: 64", "colour: red\n    workers: 64"), "known keys: workers, replicas, operations");
        assert_eq!(help("jitter: full", "jitter: ful"), "Did you mean `full`?");
        assert_eq!(help("workers: 64", "workers: '64'"), "leave out the quotes");
        assert_eq!(help("workers: 64", "workers: 1_000"), "write `1000`");
        assert_eq!(help("timeout: 200ms", "timeout: 200"), "write `200ms` or `200s`");
        assert_eq!(help("timeout: 200ms", "timeout: { after: 1s, cancel: yes }"), "write `true`");
        assert_eq!(help("budget: 10%", "budget: 10"), "write `10%` if you mean percent");
        assert_eq!(help("calls: web.checkout", "calls: 1.10"), "put it in quotes");
    }

    #[test]
    fn wrong_types_are_told_in_words_of_the_file() {
        let said = |from, to| mistake::<Model>(&shop_with(from, to)).message;
        assert_eq!(said("workers: 64", "workers: -1"), "expected a whole number, zero or more, found `-1`");
        assert_eq!(
            said("workers: 64", "replicas: 300\n    workers: 64"),
            "expected a whole number up to 255, found `300`"
        );
        assert_eq!(said("workers: 64", "workers: 1.5"), "expected a whole number, found `1.5`");
        assert_eq!(said("workers: 64", "workers: [1]"), "expected a whole number, found a list");
        assert_eq!(said("workers: 64", "workers:"), "expected a whole number, found nothing");
        assert_eq!(said("timeout: 200ms", "timeout: [1s]"), "expected a time such as `250ms`, found a list");
        assert_eq!(said("- hedge", "- hedge: { after: 1s }"), "this choice has no settings");
        assert_eq!(said("- hedge", "- 3"), "expected one of `retry`, `timeout`, `hedge`, found `3`");
        assert_eq!(
            said("- hedge", "- { hedge: , timeout: 1s }"),
            "expected exactly one of `retry`, `timeout`, `hedge`, found `hedge`, `timeout`"
        );
        assert_eq!(said("calls: web.checkout", "calls: [a]"), "expected text, found a list");
        assert_eq!(said("800/s", "800/s\n  bots: 3"), "expected keys and values, found `3`");
    }

    #[test]
    fn whole_numbers_may_be_written_with_an_exponent_and_floats_without_a_fraction() {
        assert_eq!(read::<u32>(&value("1e3")), Ok(1000));
        assert_eq!(read::<f64>(&value("3")), Ok(3.0));
        assert_eq!(read::<u64>(&value("0x10")), Ok(16));
        assert!(read::<u32>(&value("1e30")).is_err());
        assert!(read::<f64>(&value(".inf")).is_err());
        assert!(read::<f64>(&value(".nan")).is_err());
    }

    #[test]
    fn a_key_with_nothing_after_it_reads_as_empty_or_absent() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Loose {
            list: Vec<u8>,
            map: Named<u8>,
            option: Option<u8>,
        }
        let empty = Loose { list: vec![], map: Named::new(), option: None };
        assert_eq!(read::<Loose>(&value("list:\nmap:\noption:\n")), Ok(empty));
    }

    #[test]
    fn keys_may_be_numbers_or_choices() {
        let by_number: BTreeMap<u32, bool> = read(&value("{1: true, 20: false}")).expect("numbers");
        assert_eq!(by_number.into_keys().collect::<Vec<_>>(), [1, 20]);
        #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            Read,
            Write,
        }
        let by_kind: BTreeMap<Kind, f64> = read(&value("{write: 1, read: 9}")).expect("choices");
        assert_eq!(by_kind.into_keys().collect::<Vec<_>>(), [Kind::Read, Kind::Write]);
        let found = read::<BTreeMap<Kind, f64>>(&value("{wrte: 1}")).expect_err("no such choice");
        assert_eq!(found.iter().next().and_then(|m| m.help.clone()).as_deref(), Some("Did you mean `write`?"));
    }

    #[test]
    fn lists_of_fixed_length_say_which_item_is_too_many() {
        let node = value("[1, 2, 3]");
        let found = read::<(u8, u8)>(&node).expect_err("one too many");
        assert_eq!(found.iter().next().map(|m| m.place.start), Some(7));
    }

    #[test]
    fn other_deserializers_read_the_same_types_without_places() {
        let client: Client = serde_json::from_str(r#"{"calls": "web.checkout", "arrivals": "800/s"}"#).expect("json");
        assert_eq!(client.calls.value, "web.checkout");
        assert!(client.calls.place.is_nowhere());
        let timeout: Timeout = serde_json::from_str(r#"{"after": "1s"}"#).expect("the long form");
        assert!(!timeout.cancel);
        let named: Named<u8> = serde_json::from_str(r#"{"b": 1, "a": 2}"#).expect("json");
        assert_eq!(named.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert!(serde_json::from_str::<Named<u8>>(r#"{"a": 1, "a": 2}"#).is_err());
    }

    #[test]
    fn the_schema_allows_both_forms() {
        let schema = serde_json::to_value(schemars::schema_for!(Model)).expect("json");
        let timeout = &schema["$defs"]["Timeout"]["anyOf"];
        assert_eq!(timeout[0]["type"], serde_json::json!(["string", "integer"]), "{schema:#}");
        assert_eq!(timeout[1]["required"], serde_json::json!(["after"]));
        let operation = &schema["$defs"]["Operation"]["anyOf"];
        assert_eq!(operation[0]["items"]["$ref"], "#/$defs/Step");
        assert_eq!(operation[1]["properties"]["steps"]["items"]["$ref"], "#/$defs/Step");
        assert_eq!(schema["$defs"]["Dist"]["description"], "How long something takes.");
        let calls = &schema["$defs"]["Client"]["properties"]["calls"];
        assert_eq!(calls["type"], "string");
    }

    #[test]
    fn plain_words_are_typed_and_quoted_ones_are_text() {
        let cases: [(&str, Value); 20] = [
            ("3", Value::Int(3)),
            ("-3", Value::Int(-3)),
            ("'3'", Value::Str("3".into())),
            ("\"true\"", Value::Str("true".into())),
            ("!!str 3", Value::Str("3".into())),
            ("true", Value::Bool(true)),
            ("yes", Value::Str("yes".into())),
            ("null", Value::Null),
            ("~", Value::Null),
            ("0.5", Value::Float(0.5)),
            (".5", Value::Float(0.5)),
            ("1e3", Value::Float(1000.0)),
            ("0o17", Value::Int(15)),
            ("007", Value::Str("007".into())),
            ("1_000", Value::Str("1_000".into())),
            ("250ms", Value::Str("250ms".into())),
            ("50%", Value::Str("50%".into())),
            ("1.2.3", Value::Str("1.2.3".into())),
            ("99999999999999999999", Value::Float(1e20)),
            ("inf", Value::Str("inf".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text).value, expected, "{text}");
        }
    }

    #[test]
    fn a_value_on_the_command_line_is_a_word_or_a_structure() {
        assert_eq!(value("{retry: {attempts: 3}}").label(), "{retry: {attempts: 3}}");
        assert_eq!(value("250ms").label(), "250ms");
        assert_eq!(value("'3'").label(), "\"3\"");
        assert_eq!(value("[a, 1, 2.0, ~]").label(), "[a, 1, 2, null]");
        assert!(value("").is_null());
    }

    #[test]
    fn a_name_that_needs_quotes_as_a_value_is_found_by_its_label() {
        for (text, label) in
            [("\"0.8\"", "0.8"), ("0.8", "0.8"), ("'a, b'", "a, b"), ("'3'", "\"3\""), ("[1, 2]", "[1, 2]")]
        {
            assert!(value(text).is_labelled(label), "{text}");
        }
        assert!(!value("0.80001").is_labelled("0.8"));
    }

    #[test]
    fn a_repeated_key_is_shown_in_both_places() {
        let found = mistake::<Model>("services:\n  web: { workers: 1 }\n  web: { workers: 2 }\n");
        assert_eq!(found.message, "`web` is given twice");
        assert_eq!((found.place.start, found.also[0].0.start), (34, 12));
    }

    #[test]
    fn aliases_and_merge_keys_are_filled_in() {
        let text = "services:\n  a: &a { workers: 1, replicas: 2 }\n  b: *a\n  c: { <<: *a, workers: 3 }\n";
        let model: Model = read(&tree(text).0.expect("well-formed")).expect("right");
        assert_eq!(model.services["b"], model.services["a"]);
        assert_eq!((model.services["c"].workers, model.services["c"].replicas), (3, 2));
        assert_eq!(mistakes::<Model>("services: { a: { <<: 3 } }"), ["1:22 `<<` adds the keys of another mapping"]);
        assert_eq!(mistakes::<Model>("services: *nobody"), ["1:11 an alias whose name is not known"]);
        assert_eq!(mistakes::<Model>("services: &a { b: *a }"), ["1:19 an alias cannot stand inside what it names"]);
    }

    #[test]
    fn an_alias_bomb_is_an_error_and_not_a_bomb() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
        for level in 1..30 {
            let below = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", "));
        }
        assert_eq!(mistake::<Model>(&text).message, "the file is too large once its aliases are filled in");
        // Few nodes, much text.
        let text = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 10_000].join(", "));
        assert_eq!(mistake::<Model>(&text).message, "the file is too large once its aliases are filled in");
    }

    #[test]
    fn ten_thousand_brackets_are_an_error_and_not_an_overflow() {
        for text in [
            format!("a: {}", "[".repeat(10_000)),
            format!("a: {}", "{a: ".repeat(10_000)),
            (0..10_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            format!("a: {}", "- ".repeat(10_000)),
        ] {
            let (node, sources) = tree(&text);
            let found = node.expect_err("too deep");
            assert!(found.render(&sources, false).len() < 3_000, "{found}");
        }
        // Aliases may not add up to what brackets may not.
        let mut text = "a0: &a0 [x]\n".to_string();
        for level in 1..200 {
            text += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert_eq!(mistake::<Model>(&text).message, "lists and mappings are nested too deeply");
    }

    #[test]
    fn files_that_are_no_scenarios_are_refused_with_a_place() {
        let said = |text: &str| mistakes::<Model>(text).join("\n");
        assert_eq!(said(""), "1:1 the file is empty");
        assert_eq!(said("# only this\n\n"), "1:1 the file is empty");
        assert_eq!(said("---\n"), "1:1 the file is empty");
        assert_eq!(said("hello"), "1:1 a file must hold keys and their values");
        assert_eq!(said("- a\n- b\n"), "1:1 a file must hold keys and their values");
        assert_eq!(said("a: 1\n---\nb: 2\n"), "2:1 a second document begins here");
        assert_eq!(said("\u{1}\u{2}PNG\u{0}\u{7f}"), "1:6 this is not a text file");
        assert_eq!(said("services:\n\tweb: 1\n"), "2:1 a tab where only spaces may stand");
        assert_eq!(said("services:\n  web: 1\n\tqueue: 1\n"), "3:1 a tab where only spaces may stand");
        assert_eq!(said(": x\n"), "1:1 a key is missing before `:`");
        assert_eq!(said("a: 'it's'\n"), "1:8 text goes on after the closing quote");
        assert_eq!(said("services: { a: 1\n"), "1:11 `{` is opened and never closed");
        assert_eq!(said("services: \"web"), "1:11 a quote is opened and never closed");
        assert_eq!(said("services: \"web\nclients: x\n"), "2:1 a text in quotes goes on here without being indented");
        assert_eq!(said("? [a]\n: b\n"), "1:3 a key must be a word, not a list or a mapping");
        assert_eq!(said("a: !secret x\n"), "1:12 the tag `!secret` has no meaning here");
        assert_eq!(said(&format!("a: {}", "x".repeat(17 << 20))), "1:1 the file is too large");
    }

    #[test]
    fn columns_count_characters_whatever_their_bytes_and_line_ends() {
        let text =
            "services: { \"wäb🔑\": { wrkers: 1, workers: 1 } }\r\nclients:\r\n  ü: { calls: x, arrivals: 5 }\r\n";
        assert_eq!(mistakes::<Model>(text), ["1:23 `wrkers`: unknown key", "3:28 a rate needs a unit"]);
        let with_mark = format!("\u{feff}{}", shop_with("workers: 32", "workers: x"));
        assert_eq!(mistakes::<Model>(&with_mark), ["13:14 expected a whole number, found `x`"]);
    }

    #[test]
    fn a_megabyte_on_one_line_is_drawn_in_a_few_lines() {
        let text = format!("services: {{ web: {{ workers: \"{}\" }} }}", "x".repeat(1 << 20));
        let (node, sources) = tree(&text);
        let found = read::<Model>(&node.expect("well-formed")).expect_err("not a number");
        let drawn = found.render(&sources, false);
        assert!(drawn.len() < 2_000, "{} bytes", drawn.len());
        assert!(drawn.contains("shop.yaml:1:29"), "{drawn}");
    }

    #[test]
    fn a_hundred_mistakes_are_reported_as_the_first_fifty() {
        let text: String = std::iter::once("services:\n".to_string())
            .chain((0..100).map(|n| format!("  s{n}: {{ workers: x }}\n")))
            .collect();
        assert_eq!(mistakes::<Model>(&text).len(), MOST_MISTAKES);
    }

    #[test]
    fn a_drawn_mistake_shows_the_line_the_mark_and_the_way_out() {
        let (node, sources) = tree(&shop_with("attempts: 3", "attemps: 3"));
        let found = read::<Model>(&node.expect("well-formed")).expect_err("misspelt");
        insta::assert_snapshot!(found.render(&sources, false), @r"
        error: `attemps`: unknown key
         --> shop.yaml:9:24
          |
        9 |             - retry: { attemps: 3, jitter: full, budget: 10% }
          |                        ^^^^^^^ unknown key
          |
          = help: Did you mean `attempts`? Known keys: attempts, jitter, budget

        1 error
        ");
    }

    #[test]
    fn both_places_of_a_repeated_key_are_drawn() {
        let (node, sources) = tree("services:\n  web: { workers: 1 }\n  web: { workers: 2 }\n");
        let found = node.expect_err("given twice");
        insta::assert_snapshot!(found.render(&sources, false), @r"
        error: `web` is given twice
         --> shop.yaml:3:3
          |
        2 |   web: { workers: 1 }
          |   --- given first here
        3 |   web: { workers: 2 }
          |   ^^^ given again here
          |
          = help: keep one of them

        1 error
        ");
    }

    /// Reads, and draws what is wrong. All that matters is that it comes back.
    fn survive(text: &str) -> Result<(), TestCaseError> {
        let (node, sources) = tree(text);
        let found = match node {
            Ok(node) => {
                let (model, found) = read_some::<Model>(&node);
                prop_assert!(model.is_some() || found.has_errors(), "a mistake was swallowed");
                found
            }
            Err(found) => {
                prop_assert!(found.has_errors());
                found
            }
        };
        let drawn = found.render(&sources, false);
        prop_assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()), "{drawn:?}");
        found.render(&sources, true);
        Ok(())
    }

    proptest! {
        #[test]
        fn random_text_never_panics(text in "\\PC{0,200}") {
            survive(&text)?;
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            survive(&String::from_utf8_lossy(&bytes))?;
        }

        #[test]
        fn random_yaml_never_panics(text in "([-:?,\\[\\]{}#&*!|>'\"%@` \n\ta01.<~]|: |- |\r\n|&a |\\*a|<<: ){0,60}") {
            survive(&text)?;
        }

        #[test]
        fn random_edits_of_a_real_file_never_panic(
            edits in proptest::collection::vec((0..SHOP.len(), 0..12_usize, "[-:,\\[\\]{}#&*\"' \n\ta0é%]{0,4}"), 1..6)
        ) {
            let mut text = SHOP.to_string();
            for (at, length, with) in edits {
                let at = at.min(text.len());
                let Some((start, _)) = text.char_indices().find(|(i, _)| *i >= at) else { continue };
                let end = text.char_indices().map(|(i, _)| i).find(|i| *i >= start + length).unwrap_or(text.len());
                text.replace_range(start..end, &with);
            }
            survive(&text)?;
        }

        #[test]
        fn a_label_says_the_value_again(node in any_node()) {
            let label = node.label();
            prop_assert!(!label.contains('\n'));
            prop_assert_eq!(value(&label), node);
        }
    }

    fn any_node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            Just(Node::null()),
            any::<bool>().prop_map(Node::bool),
            any::<i64>().prop_map(Node::int),
            // Whole floats are written as whole numbers and come back as such.
            (-1e6..1e6_f64).prop_filter("whole", |x| x.fract() != 0.0).prop_map(Node::float),
            "\\PC{0,12}".prop_map(Node::str),
            "[a-z0-9. ~%:#'\"\\\\\n\t-]{0,8}".prop_map(Node::str),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::seq),
                proptest::collection::btree_map("[a-z0-9. ~:<]{1,6}", inner, 0..4).prop_map(Node::map),
            ]
        })
    }
}
