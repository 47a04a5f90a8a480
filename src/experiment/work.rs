//! The work folder of an experiment: what is done of it, point by point, so that it can be stopped at any moment and goes on
//! where it was, on this machine or on several.
//!
//! ```text
//!   output/<experiment>/.work/<hash of inputs, options and version>/
//!     job.json  inputs/           what is run: enough to put the results together elsewhere
//!     shard-2-of-3                this part was begun here
//!     p000001  p000004  …         fragments: a whole point each
//! ```
//!
//! A fragment is written under another name and renamed when it is whole. It holds the rows of the point for each table, ready to
//! be put behind those of the points before; the facts that claims and the terminal need; if a chart shows the point, its runs; and the
//! requests that were followed.
//! All numbers are kept to the last bit. Other inputs, options or versions have another hash, and never meet.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Facts, Options, PointResult, Swept, claims, run_point};
use crate::engine::fnv1a;
use crate::measure::Run;
use crate::measure::trace::Trace;
use crate::scenario::experiment::Experiment;
use crate::scenario::source::Diagnostics;
use crate::scenario::{Changes, Scenario};

/// What a fragment begins with.
const MAGIC: &[u8; 8] = b"bsfrag1\n";

/// A part of the points: those whose numbers leave `number` - 1 when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// Whether a point belongs to it.
    fn has(self, point: usize) -> bool {
        point % self.of == self.number - 1
    }

    /// How many of so many points belong to it.
    #[must_use]
    pub fn size(self, points: usize) -> usize {
        (0..points).filter(|&point| self.has(point)).count()
    }
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("a shard is its number and how many there are, e.g. `2/3`".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// What is run, as it stands in the work folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Job {
    version: String,
    experiment: String,
    model: String,
    changes: Changes,
    options: Options,
    charts: bool,
    points: usize,
}

/// What is kept of a point, as it stands in its file: whole, and not yet taken apart.
#[derive(Debug)]
struct Fragment {
    bytes: Vec<u8>,
    /// Where its sections are: the facts, the runs, the trace of the first run, and a table each.
    sections: Vec<Range<usize>>,
}

/// What is made of points, besides their runs.
pub struct How<'a> {
    /// Makes the rows of a point for each table.
    pub rows: &'a (dyn Fn(&PointResult) -> Vec<Vec<u8>> + Sync),
    /// The points that a chart shows: their runs are kept.
    pub shown: &'a BTreeSet<usize>,
    /// Is told of each run that is done, and whether it was done before.
    pub tick: &'a (dyn Fn(bool) + Sync),
}

/// Takes the rows of a point for each table.
pub type Append<'a> = &'a mut (dyn FnMut(&[&[u8]]) -> io::Result<()> + Send);

/// The first points, whose rows are in the tables.
struct Appended<'a> {
    points: Vec<Facts>,
    append: Append<'a>,
}

/// Why work cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// What was asked for does not fit together, and a way out.
    #[error("{0}")]
    Unfit(String),
    /// A point cannot be built.
    #[error("the files are wrong")]
    Files(Diagnostics),
}

/// Names the file in an error.
fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, Failed> {
    result.map_err(|error| Failed::File(path.display().to_string(), error))
}

/// The work folder of an experiment.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    /// Where fragments are looked for: the folder, and those of other parts.
    parts: Vec<PathBuf>,
    job: Job,
}

impl Work {
    /// Opens the work folder below a folder of results, and removes those of other work there. The scenario was checked.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(
        results: &Path,
        scenario: &Scenario,
        changes: &Changes,
        options: &Options,
        charts: bool,
    ) -> Result<Self, Failed> {
        let [experiment, model] =
            scenario.files().map(|file| file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let job = Job {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            experiment,
            model,
            changes: Changes { model: None, ..changes.clone() },
            options: options.clone(),
            charts,
            points: scenario.count(),
        };
        let all = results.join(".work");
        let folder = all.join(format!("{:016x}", hash(&job, scenario)));
        for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
            if entry.path() != folder {
                at(&entry.path(), fs::remove_dir_all(entry.path()))?;
            }
        }
        let work = Self { parts: vec![folder.clone()], folder, job };
        if !work.folder.join("job.json").is_file() {
            work.write_inputs(scenario)?;
        }
        Ok(work)
    }

    /// Writes what is run, the job last: with it, the folder is one of work.
    fn write_inputs(&self, scenario: &Scenario) -> Result<(), Failed> {
        let inputs = self.folder.join("inputs");
        let [experiment, model] = scenario.files();
        for (part, name, file) in [("experiment", &self.job.experiment, experiment), ("model", &self.job.model, model)]
        {
            // As they were read: they may have changed since.
            let shown = file.display().to_string();
            let text = scenario.sources.all().find(|source| source.0 == shown).map_or("", |source| source.1);
            self.put(&inputs.join(part).join(name), text.as_bytes())?;
        }
        for (name, bytes) in scenario.data() {
            self.put(&inputs.join("model").join(name), &bytes)?;
        }
        let job = serde_json::to_vec_pretty(&self.job).expect("plain values can be written");
        self.put(&self.folder.join("job.json"), &job)
    }

    /// Writes a file under a name of this process, and renames it.
    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), Failed> {
        let folder = path.parent().unwrap_or(&self.folder);
        at(folder, fs::create_dir_all(folder))?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        at(Path::new(&name), fs::write(&name, bytes))?;
        at(path, fs::rename(&name, path))
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs the points that have no fragment yet, several at a time, and gives the rows of all to `append`, in the order of points: as
    /// soon as those before are there, while others run.
    ///
    /// # Errors
    /// When a fragment cannot be written, a point cannot be built, or `append` fails.
    pub fn run(&self, scenario: &Scenario, how: &How, append: Append) -> Result<Swept, Failed> {
        let appended = Mutex::new(Appended { points: Vec::with_capacity(self.job.points), append });
        self.run_points(scenario, 0..self.job.points, how, &|| match appended.try_lock() {
            Ok(mut appended) => self.append_next(&mut appended),
            // Somebody else is at it.
            Err(_) => Ok(()),
        })?;
        self.append_rest(scenario, appended.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs the points of a part that have no fragment yet, several at a time.
    ///
    /// # Errors
    /// When a fragment cannot be written, or a point cannot be built.
    pub fn run_part(&self, scenario: &Scenario, shard: Shard, how: &How) -> Result<(), Failed> {
        self.put(&self.folder.join(format!("shard-{}-of-{}", shard.number, shard.of)), b"")?;
        self.run_points(scenario, (0..self.job.points).filter(|&it| shard.has(it)), how, &|| Ok(()))
    }

    /// Runs points, begun in their order; `done` is called after each.
    fn run_points(
        &self,
        scenario: &Scenario,
        numbers: impl Iterator<Item = usize> + Send,
        how: &How,
        done: &(dyn Fn() -> Result<(), Failed> + Sync),
    ) -> Result<(), Failed> {
        numbers.par_bridge().try_for_each(|number| {
            if let Some(facts) = read(&self.folder.join(name(number)), number).and_then(|it| it.facts()) {
                facts.seeds.iter().for_each(|_| (how.tick)(true));
                return done();
            }
            let tick = || (how.tick)(false);
            let mut point = run_point(scenario, number, &self.job.options, &tick).map_err(Failed::Files)?;
            let facts = point.facts();
            let tables = (how.rows)(&point);
            let trace = point.runs.first_mut().and_then(|run| run.trace.take());
            let runs = if how.shown.contains(&number) { point.runs } else { Vec::new() };
            self.put(&self.folder.join(name(number)), &encode(number, &facts, &runs, trace.as_ref(), &tables))?;
            done()
        })
    }

    fn fragment(&self, number: usize) -> Result<Fragment, Failed> {
        let found = self.parts.iter().find_map(|part| read(&part.join(name(number)), number));
        found.ok_or_else(|| damaged(number))
    }

    /// Takes all fragments in the order of points; `append` is given the rows of each.
    ///
    /// # Errors
    /// When a fragment is missing, or `append` fails.
    pub fn put_together(&self, scenario: &Scenario, append: Append) -> Result<Swept, Failed> {
        self.append_rest(scenario, Appended { points: Vec::with_capacity(self.job.points), append })
    }

    /// Appends the points that come next, as long as they are there.
    fn append_next(&self, appended: &mut Appended) -> Result<(), Failed> {
        while appended.points.len() < self.job.points
            && let Ok((facts, fragment)) = self.next(appended)
        {
            at(&self.folder, (appended.append)(&fragment.tables()))?;
            appended.points.push(facts);
        }
        Ok(())
    }

    fn next(&self, appended: &Appended) -> Result<(Facts, Fragment), Failed> {
        let number = appended.points.len();
        let fragment = self.fragment(number)?;
        Ok((fragment.facts().ok_or_else(|| damaged(number))?, fragment))
    }

    /// Appends all points that are not yet, and judges the claims.
    fn append_rest(&self, scenario: &Scenario, mut appended: Appended) -> Result<Swept, Failed> {
        self.append_next(&mut appended)?;
        if appended.points.len() < self.job.points {
            self.next(&appended)?;
        }
        let (_, experiment) = planned(scenario, 0)?;
        let claims = claims::judge(scenario, &experiment, &appended.points);
        Ok(Swept { points: appended.points, claims })
    }

    /// A point with its runs, for a chart that shows it.
    ///
    /// # Errors
    /// When its fragment is missing.
    pub fn point(&self, scenario: &Scenario, number: usize) -> Result<PointResult, Failed> {
        let fragment = self.fragment(number)?;
        let kept = || Some((fragment.facts()?, fragment.runs()?, fragment.trace()?));
        let (facts, mut runs, trace) = kept().ok_or_else(|| damaged(number))?;
        if let Some(first) = runs.first_mut() {
            first.trace = trace;
        }
        let (plan, experiment) = planned(scenario, number)?;
        let point = scenario.point(number);
        Ok(PointResult {
            number,
            point,
            plan,
            experiment,
            seeds: facts.seeds,
            runs,
            verdicts: facts.verdicts,
            steady: facts.steady,
            tried: facts.tried,
        })
    }

    /// The requests of each point that were followed, point by point; `write` is given each with the number of its point.
    ///
    /// # Errors
    /// When a fragment is missing, or `write` fails.
    pub fn traces(&self, write: &mut dyn FnMut(usize, &Trace) -> io::Result<()>) -> Result<(), Failed> {
        if self.job.options.trace == 0 {
            return Ok(());
        }
        for number in 0..self.job.points {
            if let Some(trace) = self.fragment(number)?.trace().ok_or_else(|| damaged(number))? {
                at(&self.folder, write(number, &trace))?;
            }
        }
        Ok(())
    }

    /// Removes the folder: the results are written.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self) -> Result<(), Failed> {
        // To free gigabytes takes its time, too. What is left for any reason is told of below.
        (0..self.job.points).into_par_iter().for_each(|number| {
            let _ = fs::remove_file(self.folder.join(name(number)));
        });
        at(&self.folder, fs::remove_dir_all(&self.folder))?;
        // Others may be at work beside it.
        let _ = self.folder.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Finds the parts of an experiment in folders: work folders, or folders of results that hold one. With what they ran.
    ///
    /// # Errors
    /// When a folder holds no work, parts do not belong together, or points are missing.
    pub fn of_parts(folders: &[PathBuf]) -> Result<(Self, Scenario), Failed> {
        let mut parts = Vec::new();
        for folder in folders {
            parts.push(find(folder)?);
        }
        let job_of = |part: &Path| -> Result<Job, Failed> {
            let path = part.join("job.json");
            let unreadable = |error| {
                let what = format!("{} is damaged ({error})", path.display());
                Failed::Unfit(format!("{what}: remove it, and run this part again; the points that it has are kept"))
            };
            serde_json::from_slice(&at(&path, fs::read(&path))?).map_err(unreadable)
        };
        let job = job_of(&parts[0])?;
        let other = parts.iter().find(|part| part.file_name() != parts[0].file_name());
        if let Some(other) = other {
            return Err(Failed::Unfit(format!(
                "{} and {} are parts of different work: their inputs, options or versions differ",
                parts[0].display(),
                other.display()
            )));
        }
        let inputs = parts[0].join("inputs");
        let changes = Changes { model: Some(inputs.join("model").join(&job.model)), ..job.changes.clone() };
        let scenario = Scenario::load_changed(&inputs.join("experiment").join(&job.experiment), &changes)
            .map_err(|unreadable| Failed::Unfit(unreadable.diagnostics.render(&unreadable.sources, false)))?;
        let found = super::check(&scenario);
        if found.has_errors() {
            return Err(Failed::Unfit(found.render(&scenario.sources, false)));
        }
        if parts[0].file_name() != Some(format!("{:016x}", hash(&job, &scenario)).as_ref()) {
            return Err(Failed::Unfit(format!("{}: its inputs are not those that were run", parts[0].display())));
        }
        if job.version != env!("CARGO_PKG_VERSION") {
            let what = format!("the parts were run by version {}; merge them with it", job.version);
            return Err(Failed::Unfit(what));
        }
        let work = Self { folder: parts[0].clone(), parts, job };
        work.complete()?;
        Ok((work, scenario))
    }

    /// The same work in another folder of results.
    #[must_use]
    pub fn moved_to(self, results: &Path) -> Self {
        let name = self.folder.file_name().unwrap_or_default().to_owned();
        Self { folder: results.join(".work").join(name), ..self }
    }

    /// The command that does it again, in a folder that holds its files.
    #[must_use]
    pub fn command(&self) -> String {
        let Changes { set, vary, sample, model: _ } = &self.job.changes;
        let way = if vary.is_empty() && sample.is_none() { "run" } else { "sweep" };
        let mut words = vec!["blackstart".to_owned(), way.to_owned(), quoted(&self.job.experiment)];
        let mut option = |name: &str, value: &str| words.extend([name.to_owned(), quoted(value)]);
        vary.iter().for_each(|axis| option("--vary", axis));
        sample.iter().for_each(|sample| option("--sample", sample));
        set.iter().for_each(|set| option("--set", set));
        if let Some(seeds) = self.job.options.seeds {
            option("--seeds", &seeds.to_string());
        }
        if let Some(seed) = self.job.options.seed {
            option("--seed", &seed.to_string());
        }
        if self.job.options.trace > 0 {
            option("--trace", &self.job.options.trace.to_string());
        }
        if self.job.options.try_remedies {
            words.push("--try-remedies".to_owned());
        }
        words.join(" ")
    }

    /// Whether charts were asked for.
    #[must_use]
    pub fn charts(&self) -> bool {
        self.job.charts
    }

    /// Whether there is a fragment of every point; if not, says which parts are missing.
    fn complete(&self) -> Result<(), Failed> {
        let there = |number: usize| self.parts.iter().any(|part| part.join(name(number)).is_file());
        let missing: Vec<usize> = (0..self.job.points).filter(|&number| !there(number)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let mut text =
            format!("{} of {} points are missing, the first of them {first}", missing.len(), self.job.points);
        let shards = self.parts.iter().flat_map(|part| fs::read_dir(part).into_iter().flatten().flatten());
        let counts: BTreeSet<usize> = shards
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("shard-")?.split_once("-of-")?.1.parse().ok())
            .collect();
        if let (Some(&of), 1) = (counts.first(), counts.len()) {
            let numbers: BTreeSet<usize> = missing.iter().map(|point| point % of + 1).collect();
            let names: Vec<String> = numbers.iter().map(|&number| Shard { number, of }.to_string()).collect();
            text = format!("{text}: run and name the parts {}", names.join(", "));
        }
        Err(Failed::Unfit(text))
    }
}

/// A word as a shell takes it for one.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=,:+%@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The plan of a point that was checked.
fn planned(scenario: &Scenario, number: usize) -> Result<(crate::system::plan::Plan, Experiment), Failed> {
    let mut found = Diagnostics::new();
    scenario.plan(&scenario.point(number), &mut found).ok_or(Failed::Files(found))
}

/// A hash of all that results depend on.
fn hash(job: &Job, scenario: &Scenario) -> u64 {
    let data: Vec<(String, u64)> = scenario.data().into_iter().map(|(name, bytes)| (name, fnv1a(&bytes))).collect();
    let all = serde_json::to_vec(&(job, scenario.inputs(), data)).expect("plain values can be written");
    fnv1a(&all)
}

/// The one work folder in a folder: itself, or below the results in it.
fn find(folder: &Path) -> Result<PathBuf, Failed> {
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut candidates = vec![folder.to_owned()];
    candidates.extend(below(&folder.join(".work")));
    candidates.extend(below(folder).iter().flat_map(|inner| below(&inner.join(".work"))));
    candidates.retain(|it| it.join("job.json").is_file());
    candidates.sort();
    match candidates.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failed::Unfit(format!("{} holds no part: `run --shard i/n` leaves one", folder.display()))),
        _ => Err(Failed::Unfit(format!("{} holds several works: name the folder of one experiment", folder.display()))),
    }
}

fn name(number: usize) -> String {
    format!("p{number:06}")
}

fn damaged(number: usize) -> Failed {
    Failed::Unfit(format!("the fragment of point {number} is not there, or damaged: run its part again"))
}

/// The bytes of a fragment: what it begins with, the number of the point, a checksum of the sections, how many of them there are and
/// their lengths; then the sections.
fn encode(number: usize, facts: &Facts, runs: &[Run], trace: Option<&Trace>, tables: &[Vec<u8>]) -> Vec<u8> {
    let exact = "plain values can be written";
    let facts = postcard::to_allocvec(facts).expect(exact);
    let runs = postcard::to_allocvec(runs).expect(exact);
    let trace = postcard::to_allocvec(&trace).expect(exact);
    let sections: Vec<&[u8]> =
        [&facts[..], &runs[..], &trace[..]].into_iter().chain(tables.iter().map(Vec::as_slice)).collect();
    let head = MAGIC.len() + 8 * (3 + sections.len());
    let mut bytes = Vec::with_capacity(head + sections.iter().map(|section| section.len()).sum::<usize>());
    bytes.extend(MAGIC);
    let lengths = sections.iter().map(|section| section.len());
    for word in [number, 0, sections.len()].into_iter().chain(lengths) {
        bytes.extend((word as u64).to_le_bytes());
    }
    sections.iter().for_each(|section| bytes.extend_from_slice(section));
    let sum = checksum(&bytes[head..]).to_le_bytes();
    let place = MAGIC.len() + 8;
    bytes[place..place + 8].copy_from_slice(&sum);
    bytes
}

/// A checksum, eight bytes at a time: results are large, and it guards against files that were cut off, not against forgery.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    mix(sum, fnv1a(rest))
}

/// A fragment, if it is there, whole, and that of this point.
fn read(path: &Path, number: usize) -> Option<Fragment> {
    Fragment::of(fs::read(path).ok()?, number)
}

impl Fragment {
    fn of(bytes: Vec<u8>, number: usize) -> Option<Self> {
        fn word(bytes: &mut &[u8]) -> Option<u64> {
            let (word, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Some(u64::from_le_bytes(*word))
        }
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let (of, sum, sections) = (word(&mut rest)?, word(&mut rest)?, word(&mut rest)?);
        let lengths: Vec<u64> = (0..sections.min(64)).map(|_| word(&mut rest)).collect::<Option<_>>()?;
        let length = lengths.iter().try_fold(0_u64, |sum, &length| sum.checked_add(length));
        if of != number as u64 || lengths.len() < 3 || length != Some(rest.len() as u64) || sum != checksum(rest) {
            return None;
        }
        let mut from = bytes.len() - rest.len();
        let section = |length: u64| {
            let section = from..from + length as usize;
            from = section.end;
            section
        };
        let sections = lengths.into_iter().map(section).collect();
        Some(Self { bytes, sections })
    }

    fn section<T: serde::de::DeserializeOwned>(&self, number: usize) -> Option<T> {
        postcard::from_bytes(&self.bytes[self.sections[number].clone()]).ok()
    }

    fn facts(&self) -> Option<Facts> {
        self.section(0)
    }

    /// Those of a point that a chart shows; of others, none.
    fn runs(&self) -> Option<Vec<Run>> {
        self.section(1)
    }

    /// The requests that were followed in the first run, if any were.
    fn trace(&self) -> Option<Option<Trace>> {
        self.section(2)
    }

    /// The rows for each table.
    fn tables(&self) -> Vec<&[u8]> {
        self.sections[3..].iter().map(|section| &self.bytes[section.clone()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_keeps_every_bit_and_a_damaged_one_is_none() {
        let odd = [0.1 + 0.2, -0.0, f64::INFINITY, f64::MIN_POSITIVE / 3.0, f64::NAN];
        let facts = Facts { claims: vec![odd.to_vec()], ..Facts::default() };
        let (runs, trace, tables) = ([Run::default()], Trace::default(), [b"a,b\n".to_vec(), Vec::new()]);
        let bytes = encode(7, &facts, &runs, Some(&trace), &tables);
        let whole = |bytes: &[u8], number| Fragment::of(bytes.to_vec(), number);
        let again = whole(&bytes, 7).expect("it is whole");
        let bits = |facts: &Facts| facts.claims[0].iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again.facts().expect("facts")), bits(&facts));
        assert_eq!(again.tables(), tables);
        assert_eq!(again.runs().expect("runs").len(), 1);
        assert_eq!(again.trace(), Some(Some(trace)));
        assert!(whole(&bytes, 8).is_none(), "another point");
        assert!(whole(&bytes[..bytes.len() - 1], 7).is_none(), "cut off");
        let mut other = bytes;
        *other.last_mut().expect("it has bytes") ^= 1;
        assert!(whole(&other, 7).is_none(), "changed");
    }

    #[test]
    fn shards_share_the_points_out() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().expect("a shard")).collect();
        for point in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.has(point)).count(), 1);
        }
        assert!(shards[0].has(0) && shards[1].has(1) && shards[0].has(3));
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
