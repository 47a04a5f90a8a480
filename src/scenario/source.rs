//! Where things were written, and how mistakes are shown there.
//!
//! ```text
//!   text ──► Sources ──► SourceId          a Place is a byte range in one source
//!   mistake ──► Diagnostic { message, place, label, help } ──► Diagnostics ──► drawn for a person
//! ```
//!
//! Always: a place from anywhere, right or wrong, can be drawn; what is drawn is short however long the
//! line is, and holds no control characters, so a file cannot write to the reader's terminal.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use annotate_snippets::{AnnotationKind, Group, Level as Heading, Origin, Renderer, Snippet};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::other_names::{letters, other_name};

/// Diagnostics drawn in full; beyond these only their number is told.
const MOST_DRAWN: usize = 50;
/// Characters of one line that are drawn; the rest of it is cut away around the mistake.
const LINE_WIDTH: usize = 120;
/// Lines between two marks of one diagnostic that may share a drawing.
const SHARED_LINES: usize = 400;
/// Characters of a message, label or help that are shown.
const MESSAGE_WIDTH: usize = 600;

/// Which source: a file, or a piece of the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The source it lies in.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Place {
    /// Not written anywhere: a default, or a value made by the program.
    pub const NOWHERE: Place = Place { source: SourceId(0), start: 0, end: 0 };

    /// A byte range in a source. Sources larger than 4 GiB do not exist: see the limit in `tree`.
    pub fn new(source: SourceId, start: usize, end: usize) -> Place {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Place { source, start: clamp(start), end: clamp(end.max(start)) }
    }

    /// Whether it was written nowhere.
    pub fn is_nowhere(self) -> bool {
        self.source == SourceId(0)
    }
}

/// The texts that were read, by id.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    name: String,
    text: String,
    /// Where each line begins, so that finding a line is a binary search.
    lines: Vec<u32>,
}

impl Sources {
    /// None yet.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Takes a text under the name it will be shown with, e.g. `models/shop.yaml`.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let text = text.into();
        let mut lines = vec![0];
        lines.extend(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| to_u32(at + 1)));
        self.all.push(Source { name: name.into(), text, lines });
        SourceId(to_u32(self.all.len()))
    }

    /// The names and texts of all sources, in the order in which they were added.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|source| (source.name.as_str(), source.text.as_str()))
    }

    /// The name a source is shown with; empty for nowhere.
    pub fn name(&self, id: SourceId) -> &str {
        self.source(id).map_or("", |source| &source.name)
    }

    /// The text of a source; empty for nowhere.
    pub fn text(&self, id: SourceId) -> &str {
        self.source(id).map_or("", |source| &source.text)
    }

    /// Line and column of a place, both from 1, the column in characters. (1, 1) for nowhere.
    pub fn line_column(&self, place: Place) -> (usize, usize) {
        self.source(place.source).map_or((1, 1), |source| {
            let at = boundary(&source.text, place.start as usize);
            let line = source.line_of(at);
            (line + 1, source.text[source.lines[line] as usize..at].chars().count() + 1)
        })
    }

    fn source(&self, id: SourceId) -> Option<&Source> {
        self.all.get((id.0 as usize).checked_sub(1)?)
    }
}

impl Source {
    /// The line, from 0, that holds the byte.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|&start| start as usize <= at) - 1
    }

    /// The bytes of a line, without its end.
    fn line_range(&self, line: usize) -> (usize, usize) {
        let start = self.lines[line] as usize;
        let end = self.lines.get(line + 1).map_or(self.text.len(), |&next| next as usize - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        (start, end)
    }
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// The nearest start of a character at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The file cannot be used.
    Error,
    /// The file can be used, but probably does not say what was meant.
    Warning,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Error => "error",
            Level::Warning => "warning",
        })
    }
}

/// One mistake: what is wrong, where, and a way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious it is.
    pub level: Level,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where.
    pub place: Place,
    /// A few words beside the marked text.
    pub label: String,
    /// A way out.
    pub help: Option<String>,
    /// Other places that explain this one, e.g. where a name was first used.
    pub also: Vec<(Place, String)>,
}

impl Diagnostic {
    /// A mistake that makes the file unusable.
    pub fn error(place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            level: Level::Error,
            message: message.into(),
            place,
            label: String::new(),
            help: None,
            also: Vec::new(),
        }
    }

    /// Something that is probably not meant.
    pub fn warning(place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { level: Level::Warning, ..Diagnostic::error(place, message) }
    }

    /// With a few words beside the marked text.
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    /// With a way out.
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// With a second place that explains the first.
    pub fn also(mut self, place: Place, label: impl Into<String>) -> Diagnostic {
        self.also.push((place, label.into()));
        self
    }

    fn draw(&self, sources: &Sources, renderer: &Renderer) -> String {
        let heading = match self.level {
            Level::Error => Heading::ERROR,
            Level::Warning => Heading::WARNING,
        };
        let title = heading.primary_title(harmless(&self.message));
        let mut group = Group::with_title(title);
        let marks = std::iter::once((self.place, self.label.as_str(), AnnotationKind::Primary))
            .chain(self.also.iter().map(|(place, label)| (*place, label.as_str(), AnnotationKind::Context)));
        for excerpt in excerpts(marks, sources) {
            let name = harmless(sources.name(excerpt.place.source));
            let mut snippet = Snippet::source(excerpt.text).line_start(excerpt.first_line + 1);
            if excerpt.cut_left {
                // The library would count the column in the cut line.
                let (line, column) = sources.line_column(excerpt.place);
                group = group.element(Origin::path(name).line(line).char_column(column));
            } else {
                snippet = snippet.path(name);
            }
            let annotations = excerpt.marks.into_iter().map(|(kind, start, end, label)| {
                let label = (!label.is_empty()).then(|| harmless(label));
                kind.span(start..end).label(label)
            });
            group = group.element(snippet.annotations(annotations));
        }
        if let Some(help) = &self.help {
            group = group.element(Heading::HELP.message(harmless(help)));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level, harmless(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, ". {}", harmless(help))?;
        }
        Ok(())
    }
}

/// A few lines of a source, made harmless, with marks in them.
struct Excerpt<'a> {
    place: Place,
    first_line: usize,
    text: String,
    /// Whether the line of the mistake does not begin at its beginning.
    cut_left: bool,
    marks: Vec<(AnnotationKind, usize, usize, &'a str)>,
}

/// One excerpt for marks that stand near each other in the same source, one more for each that does not.
fn excerpts<'a>(marks: impl Iterator<Item = (Place, &'a str, AnnotationKind)>, sources: &Sources) -> Vec<Excerpt<'a>> {
    type Marks<'a> = Vec<(Place, usize, &'a str, AnnotationKind)>;
    let mut groups: Vec<Marks<'a>> = Vec::new();
    for (place, label, kind) in marks {
        let Some(source) = sources.source(place.source) else {
            continue;
        };
        let line = source.line_of(boundary(&source.text, place.start as usize));
        let near = groups.iter_mut().find(|group| {
            let (first, at, ..) = group[0];
            first.source == place.source && at.abs_diff(line) <= SHARED_LINES
        });
        match near {
            Some(group) => group.push((place, line, label, kind)),
            None => groups.push(vec![(place, line, label, kind)]),
        }
    }
    groups
        .into_iter()
        .filter_map(|group| {
            let source = sources.source(group[0].0.source)?;
            let first = group.iter().map(|mark| mark.1).min()?;
            let last = group.iter().map(|mark| mark.1).max()?;
            let mut excerpt = Excerpt {
                place: group[0].0,
                first_line: first,
                text: String::new(),
                cut_left: false,
                marks: Vec::new(),
            };
            for line in first..=last {
                let here: Vec<_> = group.iter().filter(|mark| mark.1 == line).collect();
                draw_line(source, line, &here, &mut excerpt);
            }
            Some(excerpt)
        })
        .collect()
}

/// Appends one line, cut to a width around the first mark on it, and translates the marks to the cut line.
fn draw_line<'a>(
    source: &Source,
    line: usize,
    marks: &[&(Place, usize, &'a str, AnnotationKind)],
    excerpt: &mut Excerpt<'a>,
) {
    let (start, end) = source.line_range(line);
    let text = &source.text;
    let from = marks.iter().map(|mark| mark.0.start as usize).min().unwrap_or(start).clamp(start, end);
    // Back a third of the width for context, then forward to the full width.
    let left = text[start..boundary(text, from)].char_indices().rev().nth(LINE_WIDTH / 3);
    let left = left.map_or(start, |(at, _)| start + at);
    let right = text[left..end].char_indices().nth(LINE_WIDTH).map_or(end, |(at, _)| left + at);

    if left > start {
        excerpt.cut_left |= marks.iter().any(|mark| mark.0 == excerpt.place);
        excerpt.text.push('…');
    }
    let mut stops: Vec<(usize, usize)> = Vec::new(); // byte in the source, byte in the excerpt
    for (at, char) in text[left..right].char_indices() {
        stops.push((left + at, excerpt.text.len()));
        excerpt.text.push(visible(char));
    }
    stops.push((right, excerpt.text.len()));
    if right < end {
        excerpt.text.push('…');
    }
    for (place, _, label, kind) in marks {
        let translate = |at: usize| {
            let found = stops.partition_point(|stop| stop.0 < at);
            stops[found.min(stops.len() - 1)].1
        };
        let (start, end) = (translate(place.start as usize), translate(place.end as usize));
        excerpt.marks.push((*kind, start, end.max(start), label));
    }
    excerpt.text.push('\n');
}

/// One character for one: columns stay right, and nothing reaches the terminal as a command.
pub(crate) fn visible(char: char) -> char {
    match char {
        '\t' => ' ',
        '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{feff}' => '\u{fffd}',
        char if char.is_control() => '\u{fffd}',
        char => char,
    }
}

/// A text without control characters, and of a bounded length.
pub fn harmless(text: &str) -> String {
    let mut short: String = text.chars().take(MESSAGE_WIDTH).map(visible).collect();
    if text.len() > short.len() && text.chars().nth(MESSAGE_WIDTH).is_some() {
        short.push('…');
    }
    short
}

/// Every mistake that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// None yet.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.all.push(diagnostic);
    }

    /// Adds several.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Diagnostic>) {
        self.all.extend(more);
    }

    /// Whether any of them makes the file unusable.
    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|diagnostic| diagnostic.level == Level::Error)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many were found, repeated ones included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// In the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.all.iter()
    }

    /// By place, repeated ones once.
    fn sorted(&self) -> Vec<&Diagnostic> {
        let mut sorted: Vec<&Diagnostic> = self.all.iter().collect();
        sorted.sort_by(|a, b| (a.place, a.level, &a.message).cmp(&(b.place, b.level, &b.message)));
        sorted.dedup();
        sorted
    }

    /// Draws them for a person: file, line and column, the line itself, marks, a way out; then a count.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        let sorted = self.sorted();
        if sorted.is_empty() {
            return String::new();
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in sorted.iter().take(MOST_DRAWN) {
            out.push_str(diagnostic.draw(sources, &renderer).trim_end());
            out.push_str("\n\n");
        }
        if sorted.len() > MOST_DRAWN {
            out.push_str(&format!("… and {} more that are not shown\n", sorted.len() - MOST_DRAWN));
        }
        let errors = sorted.iter().filter(|diagnostic| diagnostic.level == Level::Error).count();
        out.push_str(&count(errors, sorted.len() - errors));
        out.push('\n');
        out
    }
}

/// `2 errors, 1 warning`, leaving out what there is none of.
fn count(errors: usize, warnings: usize) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (_, 0) => plural(errors, "error"),
        (0, _) => plural(warnings, "warning"),
        _ => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics { all: vec![diagnostic] }
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(all: I) -> Diagnostics {
        Diagnostics { all: all.into_iter().collect() }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl fmt::Display for Diagnostics {
    /// The messages alone; places need the sources: see [`Diagnostics::render`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorted = self.sorted();
        for (at, diagnostic) in sorted.iter().take(MOST_DRAWN).enumerate() {
            write!(f, "{}{diagnostic}", if at == 0 { "" } else { "\n" })?;
        }
        if sorted.len() > MOST_DRAWN {
            write!(f, "\n… and {} more", sorted.len() - MOST_DRAWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// The known name that was probably meant, if one is close enough to be worth saying: the same letters, what the same thing is called
/// elsewhere, or a name that differs by a few letters.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Nobody misspells a name of a hundred letters into another one; and the comparison is quadratic.
    let length = name.chars().count();
    if length == 0 || length > 100 {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    let wanted = letters(name);
    let same = known.iter().find(|it| **it != name && !wanted.is_empty() && letters(it) == wanted);
    let elsewhere = || other_name(name)?.here.iter().find(|it| **it != name && known.contains(it));
    if let Some(found) = same.or_else(elsewhere) {
        return Some((*found).to_owned());
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted = plain(name);
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        if candidate == name || candidate.chars().count() > 100 {
            continue;
        }
        // A third of the letters may be wrong, a swap counting as one; `_` and case do not count.
        let distance = strsim::damerau_levenshtein(&wanted, &plain(candidate));
        let allowed = (length.max(candidate.chars().count()) / 3).max(1);
        let shares_letters = candidate.chars().count() > distance && length > distance;
        if distance <= allowed && shares_letters && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_string())
}

/// `` `a`, `b` and 3 more ``, for messages.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 16;
    let names: Vec<&str> = names.into_iter().collect();
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The name by which the tree's deserializer knows that a value wants its place.
pub(crate) const SPANNED: &str = "$blackstart::Spanned";

/// A value that knows where it was written. Equality, order and hash are those of the value.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// A value and its place.
    pub fn new(value: T, place: Place) -> Spanned<T> {
        Spanned { value, place }
    }

    /// The same place, another value.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: with(self.value), place: self.place }
    }
}

impl<T> From<T> for Spanned<T> {
    fn from(value: T) -> Spanned<T> {
        Spanned { value, place: Place::NOWHERE }
    }
}

impl From<&str> for Spanned<String> {
    fn from(value: &str) -> Spanned<String> {
        Spanned::from(value.to_string())
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Spanned<T>) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

impl<T: PartialOrd> PartialOrd for Spanned<T> {
    fn partial_cmp(&self, other: &Spanned<T>) -> Option<std::cmp::Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Ord> Ord for Spanned<T> {
    fn cmp(&self, other: &Spanned<T>) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: std::hash::Hash> std::hash::Hash for Spanned<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Spanned<T>, D::Error> {
        struct WithPlace<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for WithPlace<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            // What the tree's deserializer answers: the place, then the value.
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Spanned<T>, A::Error> {
                let missing = || de::Error::custom("a value without its place");
                let (source, start, end): (u32, u32, u32) = parts.next_element()?.ok_or_else(missing)?;
                let value = parts.next_element()?.ok_or_else(missing)?;
                Ok(Spanned { value, place: Place { source: SourceId(source), start, end } })
            }

            // What any other deserializer answers.
            fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Spanned<T>, D::Error> {
                T::deserialize(inner).map(Spanned::from)
            }
        }

        deserializer.deserialize_newtype_struct(SPANNED, WithPlace(PhantomData))
    }
}

impl Place {
    /// The three numbers that [`Spanned`] is read from.
    pub(crate) fn parts(self) -> [u32; 3] {
        [self.source.0, self.start, self.end]
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A mapping from names to values that keeps the order of the file.
#[derive(Clone, Debug)]
pub struct Named<T> {
    entries: Vec<(Spanned<String>, T)>,
    index: BTreeMap<String, usize>,
}

impl<T> Named<T> {
    /// Without entries.
    pub fn new() -> Named<T> {
        Named::default()
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Names and values in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Spanned<String>, &T)> + DoubleEndedIterator {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// Names and values, to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&Spanned<String>, &mut T)> {
        self.entries.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names in the order of the file.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Spanned<String>> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// The values in the order of the file.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.index_of(name).map(|at| &self.entries[at].1)
    }

    /// The value of a name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.index_of(name).map(|at| &mut self.entries[at].1)
    }

    /// The name and value that stand at a position, from 0.
    pub fn get_index(&self, at: usize) -> Option<(&Spanned<String>, &T)> {
        self.entries.get(at).map(|(name, value)| (name, value))
    }

    /// The position of a name, from 0.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Whether the name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Sets the value of a name, and returns the one it had. A new name goes to the end.
    pub fn insert(&mut self, name: impl Into<Spanned<String>>, value: T) -> Option<T> {
        let name = name.into();
        if let Some(at) = self.index_of(&name) {
            return Some(std::mem::replace(&mut self.entries[at].1, value));
        }
        self.index.insert(name.value.clone(), self.entries.len());
        self.entries.push((name, value));
        None
    }
}

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named { entries: Vec::new(), index: BTreeMap::new() }
    }
}

impl<T: PartialEq> PartialEq for Named<T> {
    /// The same names with the same values in the same order: order can be meaning.
    fn eq(&self, other: &Named<T>) -> bool {
        self.entries == other.entries
    }
}

impl<K: Into<Spanned<String>>, T> FromIterator<(K, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Named<T> {
        let mut named = Named::default();
        for (name, value) in entries {
            named.insert(name, value);
        }
        named
    }
}

impl<T> IntoIterator for Named<T> {
    type Item = (Spanned<String>, T);
    type IntoIter = std::vec::IntoIter<(Spanned<String>, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Named<T> {
    type Item = (&'a Spanned<String>, &'a T);
    type IntoIter = std::iter::Map<
        std::slice::Iter<'a, (Spanned<String>, T)>,
        fn(&'a (Spanned<String>, T)) -> (&'a Spanned<String>, &'a T),
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter().map(|(name, value)| (name, value))
    }
}

impl<T, Q: Borrow<str> + ?Sized> std::ops::Index<&Q> for Named<T> {
    type Output = T;

    /// The value of a name that is known to be there.
    fn index(&self, name: &Q) -> &T {
        self.get(name.borrow()).expect("the name was checked before")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names to values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut named = Named::default();
                while let Some(name) = map.next_key::<Spanned<String>>()? {
                    // The tree has no name twice: its parser shows both places. Other formats may.
                    if named.contains(&name) {
                        return Err(de::Error::custom(format!("`{name}` is given twice")));
                    }
                    named.insert(name, map.next_value()?);
                }
                Ok(named)
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        <BTreeMap<String, T>>::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        <BTreeMap<String, T>>::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <BTreeMap<String, T>>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> (SourceId, Sources) {
        let mut sources = Sources::new();
        let id = sources.add("models/shop.yaml", text);
        (id, sources)
    }

    fn find(id: SourceId, text: &str, what: &str) -> Place {
        let start = text.find(what).expect("the text holds it");
        Place::new(id, start, start + what.len())
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let text = "a: 1\r\nzwölf🔑: x\n";
        let (id, sources) = source(text);
        assert_eq!(sources.line_column(find(id, text, "a")), (1, 1));
        assert_eq!(sources.line_column(find(id, text, "x")), (2, 9));
        assert_eq!(sources.line_column(Place::new(id, 999, 999)), (3, 1));
        // The middle of a character counts as its beginning.
        assert_eq!(sources.line_column(Place::new(id, text.find('ö').expect("an ö") + 1, 999)), (2, 3));
        assert_eq!(sources.line_column(Place::NOWHERE), (1, 1));
    }

    #[test]
    fn mistakes_are_drawn_in_the_order_of_the_file_without_repetition_and_counted() {
        let text = "web: paymnt\nqueue: 3\n";
        let (id, sources) = source(text);
        let mut all = Diagnostics::new();
        all.push(Diagnostic::warning(find(id, text, "3"), "a small queue").label("three places"));
        let unknown = Diagnostic::error(find(id, text, "paymnt"), "`paymnt`: no service has this name")
            .label("not a service")
            .help("Did you mean `payment`?");
        all.extend([unknown.clone(), unknown]);
        all.push(Diagnostic::error(Place::NOWHERE, "the file `nowhere.yaml` cannot be read"));
        insta::assert_snapshot!(all.render(&sources, false), @r"
        error: the file `nowhere.yaml` cannot be read

        error: `paymnt`: no service has this name
         --> models/shop.yaml:1:6
          |
        1 | web: paymnt
          |      ^^^^^^ not a service
          |
          = help: Did you mean `payment`?

        warning: a small queue
         --> models/shop.yaml:2:8
          |
        2 | queue: 3
          |        ^ three places

        2 errors, 1 warning
        ");
        assert!(all.has_errors());
        assert_eq!(all.len(), 4);
        assert_eq!(
            all.to_string(),
            "error: the file `nowhere.yaml` cannot be read\n\
             error: `paymnt`: no service has this name. Did you mean `payment`?\n\
             warning: a small queue"
        );
    }

    #[test]
    fn places_in_two_files_are_drawn_each_with_its_file() {
        let (id, mut sources) = source("web: 1\n");
        let line = sources.add("--set web", "x");
        let found = Diagnostic::error(Place::new(line, 0, 1), "expected a number")
            .label("expected a number")
            .also(Place::new(id, 0, 3), "set here before");
        insta::assert_snapshot!(Diagnostics::from(found).render(&sources, false), @r"
        error: expected a number
         --> --set web:1:1
          |
        1 | x
          | ^ expected a number
          |
         ::: models/shop.yaml:1:1
          |
        1 | web: 1
          | --- set here before

        1 error
        ");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let text = "a\u{1b}[31m: \u{202e}x\ty\n";
        let (id, mut sources) = source(text);
        let evil = sources.add("evil\u{1b}]0;name", "x");
        let mut all = Diagnostics::from(Diagnostic::error(find(id, text, "x"), "bad \u{1b}[2J").label("\u{7}"));
        all.push(Diagnostic::error(Place::new(evil, 0, 1), "bad").help("\u{9b}"));
        let drawn = all.render(&sources, false);
        assert!(drawn.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{drawn:?}");
        assert!(all.to_string().chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn at_most_fifty_are_drawn_and_all_are_counted() {
        let (id, sources) = source(&"x\n".repeat(80));
        let all: Diagnostics =
            (0..80).map(|n| Diagnostic::error(Place::new(id, 2 * n, 2 * n + 1), format!("mistake {n}"))).collect();
        let drawn = all.render(&sources, false);
        assert_eq!(drawn.matches("error: mistake").count(), MOST_DRAWN);
        assert!(drawn.ends_with("… and 30 more that are not shown\n80 errors\n"), "{drawn}");
    }

    #[test]
    fn a_mistake_late_in_a_long_line_has_its_true_column() {
        let text = format!("a: {}paymnt{}\n", "x, ".repeat(100_000), ", x".repeat(100_000));
        let (id, sources) = source(&text);
        let all = Diagnostics::from(Diagnostic::error(find(id, &text, "paymnt"), "unknown").label("here"));
        let drawn = all.render(&sources, false);
        assert!(drawn.contains("shop.yaml:1:300004") && drawn.contains("paymnt"), "{drawn}");
        assert!(drawn.len() < 1_500, "{} bytes", drawn.len());
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        let known = ["payment", "stock", "web", "recommend"];
        assert_eq!(did_you_mean("paymnt", known).as_deref(), Some("payment"));
        assert_eq!(did_you_mean("Stock", known).as_deref(), Some("stock"));
        assert_eq!(did_you_mean("wbe", known).as_deref(), Some("web"));
        assert_eq!(did_you_mean("database", known), None);
        assert_eq!(did_you_mean("x", known), None);
        assert_eq!(did_you_mean("", known), None);
        assert_eq!(did_you_mean("open-for", ["open_for"]).as_deref(), Some("open_for"));
    }

    #[test]
    fn named_keeps_the_order_of_insertion_and_finds_by_name() {
        let mut named: Named<u8> = [("web", 1), ("auth", 2)].into_iter().collect();
        assert_eq!(named.insert("web", 3), Some(1));
        assert_eq!(named.insert("stock", 4), None);
        assert_eq!(named.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["web", "auth", "stock"]);
        assert_eq!((named.get("web"), named.get("nobody")), (Some(&3), None));
        assert_eq!((named.index_of("auth"), named.get_index(9)), (Some(1), None));
        assert_eq!(named.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), [3, 2, 4]);
    }

    #[test]
    fn values_with_places_compare_by_value() {
        let (id, _) = source("x");
        let here = Spanned::new("web".to_string(), Place::new(id, 0, 1));
        assert_eq!(here, Spanned::from("web"));
        assert!(here < Spanned::from("xeb"));
        assert_eq!(here.len(), 3);
    }

    proptest! {
        #[test]
        fn any_place_in_any_text_can_be_drawn(
            text in "[a-zé🔑\t\r\n\u{0}\u{1b}]{0,300}",
            marks in proptest::collection::vec((0..400_usize, 0..400_usize, 0..3_u32), 1..5)
        ) {
            let (_, mut sources) = source(&text);
            sources.add("two", text);
            let mut marks = marks.into_iter().map(|(start, end, id)| Place::new(SourceId(id), start, end));
            let first = Diagnostic::error(marks.next().expect("at least one"), "m").label("l").help("h");
            let all = Diagnostics::from(marks.fold(first, |found, place| found.also(place, "also")));
            let drawn = all.render(&sources, false);
            prop_assert!(drawn.len() < 20_000);
            prop_assert!(drawn.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
