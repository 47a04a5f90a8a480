//! From paths to a scenario: an experiment and its model, with what is set on the command line, and all its points.
//!
//! ```text
//!   experiment.yaml ─► tree ─┐  `model:`        for each point: the trees are copied, `set`, `variants`, `vary` and
//!   model.yaml ──────► tree ─┴─► Scenario ────► `--set` change the copies, then they are read, checked and built
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::build;
use super::distribution;
use super::experiment::{Experiment, Sample, Values, Vary};
use super::line;
use super::lists;
use super::model::{Arrivals, Model, Step};
use super::path::{self, Path};
use super::range::Range;
use super::sample;
use super::source::{Diagnostic, Diagnostics, Named, Place, SourceId, Sources, Spanned, did_you_mean};
use super::tree::{self, Node};
use crate::engine::{Duration, Time, fnv1a};
use crate::policy::{Written, retry};
use crate::system::plan::Plan;

/// Columns that tables have besides the axes.
const COLUMNS: [&str; 18] = [
    "point", "seed", "window", "entity", "metric", "value", "n", "mean", "sd", "ci_low", "ci_high", "min", "median",
    "max", "t", "claim", "bound", "holds",
];

/// Points of one experiment at most.
const MOST_POINTS: usize = 1_000_000;

/// Values of a range that does not say how many it has.
const STEPS: u32 = 5;

/// Points whose plans are built at a time when all are checked.
const CHECKED_AT_ONCE: usize = 256;

/// What the command line changes in the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// `path=value`; they win over everything in the files.
    pub set: Vec<String>,
    /// Axes: `path=a,b,c`, `path=lo..hi:n` or `path=lo..hi:n:log`; for a sample, without `n`.
    pub vary: Vec<String>,
    /// `sobol:256` or `lhs:100`.
    pub sample: Option<String>,
    /// The file of the model, if it is not where the experiment says.
    #[serde(skip)]
    pub model: Option<PathBuf>,
}

/// An experiment that was read, with its model, and ready to be built at each of its points.
#[derive(Debug)]
pub struct Scenario {
    /// The name of the experiment: that of its file, without the ending.
    pub name: String,
    /// The texts that were read, for diagnostics.
    pub sources: Sources,
    /// The experiment, without the changes of any point.
    pub experiment: Experiment,
    /// What is varied.
    pub axes: Vec<Axis>,
    /// How many points are drawn from the ranges, if they are.
    drawn: Option<usize>,
    /// The file of the experiment, and that of its model.
    files: [PathBuf; 2],
    /// The data files beside the model that were asked for, and what is in them.
    data: Mutex<BTreeMap<String, Arc<[u8]>>>,
    /// The folder of the model file.
    model_folder: PathBuf,
    experiment_tree: Node,
    model_tree: Node,
    /// Changes from the command line; they win.
    overrides: Vec<(Path, Node)>,
    /// Whether it is a model alone, with an experiment that nobody wrote.
    pub is_model: bool,
}

/// What is varied together, and its values.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The name of its column.
    pub name: String,
    /// Its values; if they are drawn, one for each draw.
    pub values: Vec<AxisValue>,
    /// Whether its values are drawn from a range, together with those of the other axes of which this is so.
    pub drawn: bool,
    /// The range that its values come from, if they do.
    range: Option<Reach>,
}

/// A range, and what it changes.
#[derive(Clone, Debug)]
struct Reach {
    range: Range,
    path: Path,
    place: Place,
}

impl Reach {
    fn value(&self, value: Node) -> AxisValue {
        AxisValue { label: value.label(), changes: vec![(self.path.clone(), value, self.place)] }
    }
}

impl Axis {
    /// Any value of its range, at a share of the way between its ends (0 to 1); [`None`] if its values are a list.
    #[must_use]
    pub fn at(&self, share: f64) -> Option<AxisValue> {
        self.range.as_ref().map(|reach| reach.value(reach.range.at(share)))
    }

    /// The same to three digits, as somebody would set it; the ends are as they were written.
    #[must_use]
    pub fn about(&self, share: f64) -> Option<AxisValue> {
        self.range.as_ref().map(|reach| reach.value(reach.range.about(share)))
    }

    /// The number of [`Axis::at`], without its unit; not a number if its values are a list.
    #[must_use]
    pub fn number(&self, share: f64) -> f64 {
        self.range.as_ref().map_or(f64::NAN, |it| it.range.number(share))
    }

    /// The unit of its range; empty if it has none.
    #[must_use]
    pub fn unit(&self) -> &str {
        self.range.as_ref().map_or("", |it| it.range.unit())
    }

    /// A value in the unit of its range, as a number.
    #[must_use]
    pub fn read(&self, value: &Node) -> Option<f64> {
        self.range.as_ref()?.range.read(value)
    }

    /// How many values there are in its range, if they are whole numbers.
    #[must_use]
    pub fn whole_values(&self) -> Option<f64> {
        self.range.as_ref()?.range.whole_values()
    }

    /// Whether its values come from a range whose values are spaced by factors.
    #[must_use]
    pub fn is_log(&self) -> bool {
        self.range.as_ref().is_some_and(|it| it.range.is_log())
    }

    /// Whether its values come from a range.
    #[must_use]
    pub fn is_range(&self) -> bool {
        self.range.is_some()
    }
}

/// A value of an axis.
#[derive(Clone, Debug)]
pub struct AxisValue {
    /// As it stands in tables.
    pub label: String,
    changes: Vec<(Path, Node, Place)>,
}

impl AxisValue {
    /// The paths that it changes and their values, as `--set` takes them.
    pub fn settings(&self) -> impl Iterator<Item = (String, String)> {
        self.changes.iter().map(|(path, value, _)| (path.to_string(), value.label()))
    }

    /// A value for a path, both as `--set` takes them. A mistake in the value is shown in `sources`.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn set(path: &str, value: &str, sources: &mut Sources) -> Result<Self, Diagnostics> {
        let id = sources.add(format!("--set {path}"), value);
        let node = tree::parse_value(id, sources)?;
        match Path::parse(path) {
            Ok(parsed) => {
                let place = node.place;
                Ok(Self { label: format!("{path}={value}"), changes: vec![(parsed, node, place)] })
            }
            Err(what) => Err(Diagnostic::error(Place::NOWHERE, format!("`{path}={value}`: {what}")).into()),
        }
    }
}

/// A combination of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// For each axis, the number of its value.
    pub values: Vec<usize>,
}

/// Files that could not be read, with what is wrong and the texts to show it in.
#[derive(Debug)]
pub struct Unreadable {
    /// The texts.
    pub sources: Sources,
    /// What is wrong.
    pub diagnostics: Diagnostics,
}

fn read_file(sources: &mut Sources, file: &FilePath) -> Result<SourceId, Diagnostic> {
    let shown = file.display().to_string();
    let bytes = fs::read(file).map_err(|error| {
        let help = nearby(file).map_or_else(|| "is the path right?".to_owned(), |it| format!("did you mean `{it}`?"));
        Diagnostic::error(Place::NOWHERE, format!("{shown}: {error}")).help(help)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Diagnostic::error(Place::NOWHERE, format!("{shown} is not text"))
            .help("model and experiment files are YAML, in UTF-8")
    })?;
    Ok(sources.add(shown, text))
}

/// The experiment that was probably meant by a path that leads to no file: beside it, or in the folder `experiments`.
fn nearby(file: &FilePath) -> Option<String> {
    let wanted = file.file_stem()?.to_str()?;
    let here = file.parent().unwrap_or(FilePath::new(""));
    [here.to_owned(), here.join("experiments"), PathBuf::from("experiments")].into_iter().find_map(|folder| {
        let shown = if folder.as_os_str().is_empty() { FilePath::new(".") } else { &folder };
        let paths = fs::read_dir(shown).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        let yaml = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
        let mut stems: Vec<String> = yaml.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        stems.sort_unstable();
        let same = stems.iter().find(|stem| *stem == wanted).cloned();
        let stem = same.or_else(|| did_you_mean(wanted, stems.iter().map(String::as_str)))?;
        Some(folder.join(format!("{stem}.yaml")).display().to_string())
    })
}

/// The experiment of a model that is checked alone.
const NO_EXPERIMENT: &str = "model: alone\nlength: 1s\nseeds: 1\n";

impl Scenario {
    /// Reads an experiment and its model. `overrides` are `path=value`.
    ///
    /// # Errors
    /// When a file cannot be read, is not YAML, or is no experiment.
    pub fn load(file: &FilePath, overrides: &[String]) -> Result<Self, Box<Unreadable>> {
        Self::load_changed(file, &Changes { set: overrides.to_vec(), ..Changes::default() })
    }

    /// Reads an experiment and its model, or a model alone, to check it.
    ///
    /// # Errors
    /// When a file cannot be read, is not YAML, or is neither.
    pub fn load_to_check(file: &FilePath, overrides: &[String]) -> Result<Self, Box<Unreadable>> {
        Self::load_either(file, &Changes { set: overrides.to_vec(), ..Changes::default() }, true)
    }

    /// Reads an experiment and its model, with all that the command line can change.
    ///
    /// # Errors
    /// When a file cannot be read, is not YAML, or is no experiment.
    pub fn load_changed(file: &FilePath, changes: &Changes) -> Result<Self, Box<Unreadable>> {
        Self::load_either(file, changes, false)
    }

    fn load_either(file: &FilePath, changes: &Changes, alone: bool) -> Result<Self, Box<Unreadable>> {
        let mut sources = Sources::new();
        let mut found = Diagnostics::new();
        match Self::read(file, changes, alone, &mut sources, &mut found) {
            Some(scenario) => Ok(Self { sources, ..scenario }),
            None => Err(Box::new(Unreadable { sources, diagnostics: found })),
        }
    }

    fn read(
        file: &FilePath,
        asked: &Changes,
        alone: bool,
        sources: &mut Sources,
        found: &mut Diagnostics,
    ) -> Option<Self> {
        let keep = |result: Result<Node, Diagnostics>, found: &mut Diagnostics| match result {
            Ok(node) => Some(node),
            Err(diagnostics) => {
                found.extend(diagnostics);
                None
            }
        };
        let id = match read_file(sources, file) {
            Ok(id) => id,
            Err(diagnostic) => {
                found.push(diagnostic);
                return None;
            }
        };
        let mut experiment_tree = keep(tree::parse(id, sources), found)?;
        let mut model_alone = None;
        if experiment_tree.get("model").is_none() && experiment_tree.get("services").is_some() {
            if !alone {
                let help = "run an experiment that names it: `model: <name>`";
                found.push(Diagnostic::error(Place::NOWHERE, "this is a model, not an experiment").help(help));
                return None;
            }
            let id = sources.add("no experiment", NO_EXPERIMENT);
            model_alone = Some(std::mem::replace(&mut experiment_tree, keep(tree::parse(id, sources), found)?));
        }
        let mut changes = Vec::new();
        for text in &asked.set {
            let Some((path, value)) = text.split_once('=') else {
                let what = format!("`--set {text}`: a path and a value are needed");
                found.push(Diagnostic::error(Place::NOWHERE, what).help("e.g. `--set services.web.workers=8`"));
                continue;
            };
            let id = sources.add(format!("--set {path}"), value);
            let value = keep(tree::parse_value(id, sources), found);
            match (Path::parse(path), value) {
                (Ok(path), Some(value)) => changes.push((path, value)),
                (Err(what), _) => found.push(Diagnostic::error(Place::NOWHERE, format!("`--set {text}`: {what}"))),
                _ => {}
            }
        }
        // What says which points there are is changed before they are made.
        let (early, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(path, _)| {
            path.segments()
                .first()
                .is_some_and(|first| ["model", "set", "vary", "sample", "variants"].contains(&first.name.as_str()))
        });
        for (path, value) in &early {
            if let Err(error) = path::set(&mut experiment_tree, path, value) {
                found.push(error.diagnostic(value.place));
            }
        }
        for text in &asked.vary {
            line::vary(text, &mut experiment_tree, sources, found);
        }
        if let Some(text) = &asked.sample {
            line::sample(text, &mut experiment_tree, sources, found);
        }
        let (experiment, wrong) = tree::read_some::<Experiment>(&experiment_tree);
        found.extend(wrong);
        let experiment = experiment?;
        let folder = file.parent().unwrap_or(FilePath::new("")).to_owned();
        let is_model = model_alone.is_some();
        let (model_file, model_tree) = match model_alone {
            Some(tree) => (file.to_owned(), tree),
            None => {
                let (model_file, text) = match &asked.model {
                    Some(model) => (model.clone(), fs::read_to_string(model).unwrap_or_default()),
                    None => find_model(&folder, &experiment.model, found)?,
                };
                let id = sources.add(model_file.display().to_string(), text);
                (model_file, keep(tree::parse(id, sources), found)?)
            }
        };
        let (axes, drawn) = axes(&experiment, found);
        for (path, value) in &changes {
            // A value that is the same at every point would make its rows say what was not run.
            let varied = experiment.vary.iter().find(|(key, vary)| {
                let own = vary.path.as_ref().unwrap_or(key);
                Path::parse(&own.value).is_ok_and(|own| own == *path)
            });
            if let Some((key, vary)) = varied {
                let own = &vary.path.as_ref().unwrap_or(key).value;
                let what = format!("`{own}` is varied by the axis `{}`, and cannot be set for all points", key.value);
                let help = format!("give the axis this value alone: `--vary {own}={}`", value.label());
                found.push(Diagnostic::error(value.place, what).help(help));
            }
        }
        let name = file.file_stem().map_or_else(|| "experiment".to_owned(), |stem| stem.to_string_lossy().into_owned());
        if name.chars().all(|c| c == '.') {
            let what = format!("`{name}` cannot be the name of an experiment: it is that of its folder of results");
            found.push(Diagnostic::error(Place::NOWHERE, what).help("give the file another name"));
        }
        let scenario = Self {
            name,
            sources: Sources::new(),
            experiment,
            axes,
            drawn,
            files: [file.to_owned(), model_file.clone()],
            data: Mutex::default(),
            model_folder: model_file.parent().unwrap_or(FilePath::new("")).to_owned(),
            experiment_tree,
            model_tree,
            overrides: changes,
            is_model,
        };
        (!found.has_errors()).then_some(scenario)
    }

    /// What was read, with a hash of each: files by their last name, so that folders do not matter.
    #[must_use]
    pub fn inputs(&self) -> Vec<(String, u64)> {
        // It tells files apart, and is no protection against forgery.
        self.sources
            .all()
            .map(|(name, text)| (name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned(), fnv1a(text.as_bytes())))
            .collect()
    }

    /// The file of the experiment and that of its model.
    #[must_use]
    pub fn files(&self) -> [&FilePath; 2] {
        self.files.each_ref().map(PathBuf::as_path)
    }

    /// The data files that points have asked for so far, by their names as they are written in the model: after
    /// [`Scenario::check`], all there are.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, Arc<[u8]>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many points there are.
    #[must_use]
    pub fn count(&self) -> usize {
        let grid = self.axes.iter().filter(|axis| !axis.drawn);
        grid.fold(self.drawn.unwrap_or(1), |points, axis| points.saturating_mul(axis.values.len()))
    }

    /// A point by its number, below [`Scenario::count`]. The last axis varies fastest, and what is drawn faster than all others.
    #[must_use]
    pub fn point(&self, number: usize) -> Point {
        let draws = self.drawn.unwrap_or(1);
        let (mut rest, draw) = (number / draws, number % draws);
        let mut values = vec![draw; self.axes.len()];
        for (place, axis) in self.axes.iter().enumerate().rev().filter(|(_, axis)| !axis.drawn) {
            values[place] = rest % axis.values.len();
            rest /= axis.values.len();
        }
        Point { values }
    }

    /// All points, in order.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        (0..self.count()).map(|number| self.point(number)).collect()
    }

    /// The labels of a point, for each axis.
    #[must_use]
    pub fn labels(&self, point: &Point) -> Vec<&str> {
        self.axes.iter().zip(&point.values).map(|(axis, &value)| axis.values[value].label.as_str()).collect()
    }

    /// The values of a point, for each axis.
    #[must_use]
    pub fn values(&self, point: &Point) -> Vec<&AxisValue> {
        self.axes.iter().zip(&point.values).map(|(axis, &value)| &axis.values[value]).collect()
    }

    /// Builds the plan of a point, with the experiment as it is there. What is found, warnings too, joins `found`.
    pub fn plan(&self, point: &Point, found: &mut Diagnostics) -> Option<(Plan, Experiment)> {
        self.plan_with(&self.values(point), found)
    }

    /// Builds the plan for any values, which later ones of the same path replace: of axes, of ranges, or others. `--set` wins over all.
    pub fn plan_with(&self, values: &[&AxisValue], found: &mut Diagnostics) -> Option<(Plan, Experiment)> {
        let (mut model, mut experiment) = (self.model_tree.clone(), self.experiment_tree.clone());
        // Sections that a file may leave out can be reached all the same.
        section(&mut experiment, "limits");
        if let Some(network) = section(&mut model, "network") {
            section(network, "default");
        }
        let mut changes: Vec<(Path, &Node, Place)> = Vec::new();
        for (path, value) in self.experiment.set.iter() {
            match Path::parse(&path.value) {
                Ok(parsed) => changes.push((parsed, value, path.place)),
                Err(what) => found.push(Diagnostic::error(path.place, what)),
            }
        }
        for value in values {
            changes.extend(value.changes.iter().map(|(path, node, written)| (path.clone(), node, *written)));
        }
        changes.extend(self.overrides.iter().map(|(path, value)| (path.clone(), value, value.place)));
        let first = |path: &Path| path.segments().first().map(|first| first.name.clone()).unwrap_or_default();
        // Shared lists are changed before they are put where they are used.
        let (shared, changes): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(path, ..)| first(path) == lists::POLICIES);
        lists::fill_in_presets(&mut model, found);
        if !shared.is_empty() {
            section(&mut model, lists::POLICIES);
        }
        for (path, value, written) in shared {
            if let Err(error) = path::set(&mut model, &path, value) {
                found.push(error.diagnostic(written));
            }
            if lists::may_stand_for_others(value) {
                lists::fill_in_presets(&mut model, found);
            }
        }
        lists::fill_in_uses(&mut model, found);
        for (path, value, written) in changes {
            let in_model =
                ["services", "clients", "network", "caches", "about", "topics"].contains(&first(&path).as_str());
            // A queue is there, whether or not it is written.
            if let [services, name, queue, _, ..] = path.segments()
                && (services.name.as_str(), queue.name.as_str()) == ("services", "queue")
                && model.get("services").is_some_and(|it| it.get(&name.name).is_some())
                && let Some(services) = section(&mut model, "services")
                && let Some(service) = section(services, &name.name)
            {
                section(service, "queue");
            }
            let target = if in_model { &mut model } else { &mut experiment };
            if let Err(error) = path::set(target, &path, value) {
                found.push(error.diagnostic(written));
            }
            if in_model && lists::may_stand_for_others(value) {
                lists::fill_in_presets(&mut model, found);
                lists::fill_in_uses(&mut model, found);
            }
        }
        let (model_spec, wrong) = tree::read_some::<Model>(&model);
        let fine = wrong.is_empty();
        found.extend(wrong);
        let (experiment_spec, wrong) = tree::read_some::<Experiment>(&experiment);
        let fine = fine && wrong.is_empty();
        found.extend(wrong);
        let trees = [model, experiment];
        let (mut model, mut experiment) = (model_spec?, experiment_spec?);
        self.read_data(&mut model, &mut experiment, found);
        let mut checked = Diagnostics::new();
        let plan = build::build(&model, &experiment, &mut checked);
        // What was struck out because of a mistake may be missing only for that reason.
        if fine {
            found.extend(checked.into_iter().map(|it| tree::at_its_option(it, &trees)));
        }
        plan.filter(|_| fine && !found.has_errors()).map(|plan| (plan, experiment))
    }

    /// Builds every point, and returns what is wrong; identical findings are kept once.
    pub fn check(&self) -> Diagnostics {
        let mut found = Diagnostics::new();
        let changes = std::iter::once(&self.experiment_tree).chain(self.overrides.iter().map(|(_, value)| value));
        lists::unused(&self.model_tree, changes, &mut found);
        // Counted before they are made: there may be more than fit into memory.
        let points = self.count();
        if points > MOST_POINTS {
            let what = format!("{points} points are too many");
            found.push(Diagnostic::error(Place::NOWHERE, what).help(format!("at most {MOST_POINTS}")));
            return found;
        }
        let numbers: Vec<usize> = (0..points).collect();
        for some in numbers.chunks(CHECKED_AT_ONCE) {
            let all: Vec<Diagnostics> = some
                .par_iter()
                .map(|&number| {
                    let mut found = Diagnostics::new();
                    self.plan(&self.point(number), &mut found);
                    found
                })
                .collect();
            for one in all.into_iter().flatten() {
                if !found.iter().any(|known| *known == one) {
                    found.push(one);
                }
            }
            if found.has_errors() && found.len() > 50 {
                break;
            }
        }
        found
    }

    /// Reads the data files that a model and an experiment name.
    fn read_data(&self, model: &mut Model, experiment: &mut Experiment, found: &mut Diagnostics) {
        for fault in &mut experiment.faults {
            if let Some(law) = fault.value.link.as_mut().and_then(|link| link.latency.as_mut()) {
                self.read_law(&mut law.value, found);
            }
        }
        for (_, client) in model.clients.iter_mut() {
            if let Some(Arrivals::Replay(replay)) = &mut client.arrivals {
                let unit = replay.unit.map_or(Duration::from_secs(1), |span| span.0);
                let values = self.column(&replay.file, replay.column.as_ref(), unit, found).unwrap_or_default();
                let times: Arc<[Time]> = values.iter().map(|&value| Time::ZERO + value).collect();
                if times.windows(2).any(|pair| pair[0] > pair[1]) {
                    found.push(
                        Diagnostic::error(replay.file.place, "the times are not in order")
                            .help("sort the file by time"),
                    );
                }
                replay.times = Some(times);
            }
            if let Some(users) = &mut client.users {
                self.read_law(&mut users.think.value, found);
            }
            if let Some(again) = client.fleet.as_mut().and_then(|fleet| fleet.value.again.as_mut()) {
                self.read_law(&mut again.value, found);
            }
            if let Some(law) = client.consumes.as_mut().and_then(|it| it.value.redeliver.as_mut()) {
                self.read_law(&mut law.value, found);
            }
            self.read_policies(&mut client.policies, found);
            for (_, task) in client.tasks.iter_mut().flat_map(Named::iter_mut) {
                self.read_steps(&mut task.steps, found);
            }
        }
        for (_, service) in model.services.iter_mut() {
            if let Some(replication) = &mut service.replication {
                self.read_law(&mut replication.value.lag.value, found);
            }
            for (_, operation) in service.operations.iter_mut() {
                self.read_steps(&mut operation.steps, found);
            }
        }
        if let Some(law) = &mut model.network.default.latency {
            self.read_law(&mut law.value, found);
        }
        for (_, link) in model.network.links.iter_mut() {
            if let Some(law) = &mut link.latency {
                self.read_law(&mut law.value, found);
            }
        }
    }

    fn read_steps(&self, steps: &mut [Spanned<Step>], found: &mut Diagnostics) {
        for step in steps {
            let step = &mut step.value;
            if let Some(law) = &mut step.work {
                self.read_law(&mut law.value, found);
            }
            self.read_policies(&mut step.policies, found);
            for inner in [&mut step.parallel, &mut step.steps].into_iter().flatten() {
                self.read_steps(inner, found);
            }
            for branch in step.choice.iter_mut().flatten() {
                self.read_steps(&mut branch.value.steps, found);
            }
        }
    }

    fn read_policies(&self, policies: &mut [Spanned<Written>], found: &mut Diagnostics) {
        for policy in policies {
            if let Written::Retry(retry::Spec { backoff: retry::Backoff::Random(law), .. }) = &mut policy.value {
                self.read_law(law, found);
            }
        }
    }

    fn read_law(&self, law: &mut distribution::Spec, found: &mut Diagnostics) {
        for empirical in law.files() {
            let unit = empirical.unit.map_or(Duration::from_secs(1), |span| span.0);
            let values = self.column(&empirical.file, empirical.column.as_ref(), unit, found);
            empirical.values = Some(values.unwrap_or_default().into());
        }
    }

    /// A file beside the model. It is read once.
    fn data_file(&self, name: &str) -> std::io::Result<Arc<[u8]>> {
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = data.get(name) {
            return Ok(bytes.clone());
        }
        let bytes: Arc<[u8]> = fs::read(self.model_folder.join(name))?.into();
        data.insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// A column of numbers of a CSV file beside the model.
    fn column(
        &self,
        file: &Spanned<String>,
        column: Option<&Spanned<String>>,
        unit: Duration,
        found: &mut Diagnostics,
    ) -> Option<Vec<Duration>> {
        let mut wrong = |place: Place, what: String, help: String| {
            found.push(Diagnostic::error(place, what).help(help));
            None
        };
        let relative = FilePath::new(&file.value);
        if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return wrong(
                file.place,
                format!("`{}` leads out of the folder of the model", file.value),
                "put the file beside the model, or below it".into(),
            );
        }
        let bytes = match self.data_file(&file.value) {
            Ok(bytes) => bytes,
            Err(error) => {
                return wrong(
                    file.place,
                    format!("`{}`: {error}", file.value),
                    "paths are relative to the model".into(),
                );
            }
        };
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let names: Vec<String> = match reader.headers() {
            Ok(names) => names.iter().map(str::to_owned).collect(),
            Err(error) => {
                return wrong(file.place, format!("`{}`: {error}", file.value), "the first row holds names".into());
            }
        };
        let index = match column {
            None => 0,
            Some(wanted) => match names.iter().position(|name| *name == wanted.value) {
                Some(index) => index,
                None => {
                    return wrong(
                        wanted.place,
                        format!("`{}`: no column has this name", wanted.value),
                        format!("there are: {}", names.join(", ")),
                    );
                }
            },
        };
        let mut values = Vec::new();
        for (row, record) in reader.records().enumerate() {
            let number = record.ok().and_then(|record| record.get(index)?.trim().parse::<f64>().ok());
            match number.filter(|number| number.is_finite() && *number >= 0.0) {
                Some(number) => values.push(unit.scale(number)),
                None => {
                    return wrong(
                        file.place,
                        format!("`{}`: row {} holds no number, zero or more", file.value, row + 2),
                        "every row needs one".into(),
                    );
                }
            }
        }
        if values.is_empty() {
            return wrong(file.place, format!("`{}` holds no rows", file.value), "give it at least one value".into());
        }
        Some(values)
    }
}

/// A section of a mapping, made if it is not there.
pub(super) fn section<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let tree::Value::Map(entries) = &mut node.value else { return None };
    let place = match entries.iter().position(|entry| entry.key == name) {
        Some(place) => place,
        None => {
            let value = Node { place: node.place, value: tree::Value::Map(Vec::new()) };
            entries.push(tree::Entry { key: name.to_owned(), key_place: node.place, value });
            entries.len() - 1
        }
    };
    Some(&mut entries[place].value)
}

/// The model of an experiment: a path, or a name in the folder `models` beside that of the experiment.
fn find_model(folder: &FilePath, name: &Spanned<String>, found: &mut Diagnostics) -> Option<(PathBuf, String)> {
    let given = FilePath::new(&name.value);
    let models = folder.parent().map_or_else(|| PathBuf::from("models"), |up| up.join("models"));
    let candidates = [
        folder.join(given),
        models.join(format!("{}.yaml", name.value)),
        folder.join(format!("{}.yaml", name.value)),
        FilePath::new("models").join(format!("{}.yaml", name.value)),
    ];
    for candidate in &candidates {
        if candidate.is_file() {
            return match fs::read(candidate).map(String::from_utf8) {
                Ok(Ok(text)) => Some((candidate.clone(), text)),
                _ => {
                    let what = format!("{} cannot be read as text", candidate.display());
                    found.push(Diagnostic::error(name.place, what).help("models are YAML, in UTF-8"));
                    None
                }
            };
        }
    }
    let mut known: Vec<String> = fs::read_dir(&models)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    known.sort_unstable();
    let help = match did_you_mean(&name.value, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("a model is a file in {}, or a path", models.display()),
    };
    found.push(Diagnostic::error(name.place, format!("`{}`: no model has this name", name.value)).help(help));
    None
}

/// The axes of an experiment, `variants`, then each of `vary`; and how many points are drawn from ranges, if they are.
fn axes(experiment: &Experiment, found: &mut Diagnostics) -> (Vec<Axis>, Option<usize>) {
    let mut axes = Vec::new();
    let parse = |path: &Spanned<String>, found: &mut Diagnostics| match Path::parse(&path.value) {
        Ok(parsed) => Some(parsed),
        Err(what) => {
            found.push(Diagnostic::error(path.place, what));
            None
        }
    };
    let all = experiment.variants.iter().flat_map(|(_, changes)| changes.iter().map(|(path, _)| path));
    let all = all.chain(experiment.vary.iter().map(|(key, vary)| vary.path.as_ref().unwrap_or(key)));
    for path in all {
        let first = path.value.split(['.', '[']).next().unwrap_or_default();
        if ["model", "set", "vary", "variants", "charts", "expect", "map", "tune"].contains(&first) {
            let what = format!("`{first}` belongs to the experiment as a whole, and cannot be varied");
            found.push(
                Diagnostic::error(path.place, what).help("make another experiment; claims and charts have `where`"),
            );
        }
    }
    for (path, _) in experiment.set.iter() {
        let first = path.value.split(['.', '[']).next().unwrap_or_default();
        if ["model", "set", "vary", "variants"].contains(&first) {
            let what = format!("`{first}` cannot be set here: it says what there is to be set");
            found.push(
                Diagnostic::error(path.place, what)
                    .help(format!("write `{first}:` itself, or use `--set` on the command line")),
            );
        }
    }
    if !experiment.variants.is_empty() {
        let values = experiment.variants.iter().map(|(name, changes)| AxisValue {
            label: name.value.clone(),
            changes: changes
                .iter()
                .filter_map(|(path, value)| Some((parse(path, found)?, value.clone(), path.place)))
                .collect(),
        });
        axes.push(Axis { name: "variant".to_owned(), values: values.collect(), drawn: false, range: None });
    }
    for (key, vary) in experiment.vary.iter() {
        let path = vary.path.as_ref().unwrap_or(key);
        let Some(parsed) = parse(path, found) else { continue };
        let taken = |axes: &[Axis], name: &str| axes.iter().any(|axis| axis.name == name) || COLUMNS.contains(&name);
        let name = match vary.path {
            Some(_) => key.value.clone(),
            None if taken(&axes, parsed.last()) => path.value.clone(),
            None => parsed.last().to_owned(),
        };
        let same = |(other, it): &(&Spanned<String>, &Vary)| {
            other.value != key.value && it.path.as_ref().unwrap_or(other).value == path.value
        };
        if let Some((other, _)) = experiment.vary.iter().take_while(|it| it.0.value != key.value).find(same) {
            let what = format!("the axis `{}` varies `{}` too", other.value, path.value);
            found.push(Diagnostic::error(key.place, what).help("a path has one axis"));
        }
        if COLUMNS.contains(&name.as_str()) {
            let what = format!("`{name}` is a column of every table, and cannot be an axis");
            found.push(Diagnostic::error(key.place, what).help("for several seeds give `seeds`"));
        } else if taken(&axes, &name) {
            let what = format!("there is an axis `{name}` already");
            found.push(Diagnostic::error(key.place, what).help("give one of the two another name"));
        }
        let Some(kind) = values(key, vary, experiment.sample.is_some(), found) else { continue };
        let drawn = matches!(kind, Kind::Range(_, None));
        let (values, range) = match kind {
            Kind::Values(values) => (values, None),
            Kind::Range(range, steps) => {
                let steps = steps.map(|steps| range.steps(steps)).unwrap_or_default();
                (steps.into_iter().map(|value| (value.label(), key.place, value)).collect(), Some(range))
            }
        };
        if values.is_empty() && !drawn {
            found.push(Diagnostic::error(key.place, "an axis without values").help("give a list, e.g. `[1, 2, 4]`"));
        }
        let mut seen = BTreeSet::new();
        for (label, place, _) in &values {
            if !seen.insert(label) {
                let what = format!("the value {label} stands here twice");
                found.push(Diagnostic::error(*place, what).help("name each value of an axis once"));
            }
        }
        let values = values
            .into_iter()
            .map(|(label, _, value)| AxisValue { label, changes: vec![(parsed.clone(), value, path.place)] })
            .collect();
        let range = range.map(|range| Reach { range, path: parsed, place: path.place });
        axes.push(Axis { name, values, drawn, range });
    }
    let drawn = experiment.sample.as_ref().and_then(|sample| {
        let mut ranges: Vec<&mut Axis> = axes.iter_mut().filter(|axis| axis.drawn).collect();
        let (Sample::Sobol(points) | Sample::LatinHypercube(points)) = sample.value;
        let wrong = if ranges.is_empty() {
            Some(("a sample, and no range to draw it from", "give `vary` a range: `{ from: 1, to: 10 }`"))
        } else if points == 0 || points as usize > MOST_POINTS {
            Some(("a sample has at least one point, and at most 1000000", "e.g. `sample: { sobol: 256 }`"))
        } else if ranges.len() > sample::MOST_DIMENSIONS && matches!(sample.value, Sample::Sobol(_)) {
            Some(("a Sobol sample of more than 16 ranges", "take `latin_hypercube`, or fewer ranges"))
        } else {
            None
        };
        if let Some((what, help)) = wrong {
            found.push(Diagnostic::error(sample.place, what).help(help));
            return None;
        }
        let names: Vec<&str> = ranges.iter().map(|axis| axis.name.as_str()).collect();
        let shares = sample::draw(sample.value, &names);
        for (axis, shares) in ranges.iter_mut().zip(shares) {
            axis.values = shares.into_iter().filter_map(|share| axis.at(share)).collect();
        }
        Some(points as usize)
    });
    (axes, drawn)
}

/// What an axis is made of.
enum Kind {
    /// Values, with their labels.
    Values(Vec<(String, Place, Node)>),
    /// A range, and in how many steps; none if a sample is drawn from it.
    Range(Range, Option<u32>),
}

/// The values of an axis as they are written. What is wrong joins `found`.
fn values(key: &Spanned<String>, vary: &Vary, sampled: bool, found: &mut Diagnostics) -> Option<Kind> {
    let mut wrong = |place: Place, what: String, help: &str| {
        found.push(Diagnostic::error(place, what).help(help));
        None
    };
    let labelled = |value: &Node, place: Place| (value.label(), place, value.clone());
    let range = match (&vary.values, &vary.from, &vary.to) {
        (Some(Values::List(values)), None, None) => {
            return Some(Kind::Values(values.iter().map(|value| labelled(value, value.place)).collect()));
        }
        (Some(Values::Named(values)), None, None) => {
            let values = values.iter().map(|(name, value)| (name.value.clone(), name.place, value.clone()));
            return Some(Kind::Values(values.collect()));
        }
        (None, Some(from), Some(to)) => match Range::between(from, to, vary.scale) {
            Ok(range) => range,
            Err((what, help)) => return wrong(from.place, what, help),
        },
        _ => {
            let help = "give a list, e.g. `[1, 2, 4]`, or a range, `{ from: 1, to: 10, steps: 10 }`";
            return wrong(key.place, "an axis is a list of values, or has `from` and `to`".to_owned(), help);
        }
    };
    match &vary.steps {
        None => Some(Kind::Range(range, (!sampled).then_some(STEPS))),
        Some(steps) if sampled => wrong(
            steps.place,
            "`steps` of a range from which a sample is drawn".to_owned(),
            "leave them out: `sample` says how many points there are",
        ),
        Some(steps) if (2..=MOST_POINTS as u32).contains(&steps.value) => Some(Kind::Range(range, Some(steps.value))),
        Some(steps) => wrong(steps.place, "a range has two `steps` or more".to_owned(), "e.g. `steps: 10`"),
    }
}

/// Whether a point has the values that a `where` asks for.
#[must_use]
pub fn matches(scenario: &Scenario, point: &Point, filter: &Named<Node>) -> bool {
    filter.iter().all(|(axis, value)| {
        scenario
            .axes
            .iter()
            .zip(scenario.labels(point))
            .any(|(it, label)| it.name == axis.value && value.is_labelled(label))
    })
}
