//! The command line. Standard output carries results, standard error the rest.
//!
//! Exit codes: 0 all well; 1 a claim does not hold, or cannot be decided; 2 the files or arguments are wrong; 3 a run could not finish.

mod compare;
mod map;
mod new;
mod reference;
mod tune;
mod words;
mod wrap;

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::experiment::{self, Failed, Options, PointResult, Shard, Swept, Work, check, first, folder};
use crate::report;
use crate::scenario::experiment::{Chart, Experiment};
use crate::scenario::model::Model;
use crate::scenario::source::{Diagnostics, Sources, Spanned, visible};
use crate::scenario::{Changes, Scenario};

/// A deterministic simulator of how distributed systems fail, and whether they come back.
#[derive(Debug, Parser)]
#[command(name = "blackstart", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run experiments; results land below the output folder, a short verdict on the terminal.
    Run(RunArguments),
    /// Two systems under the same luck: differences with intervals, paired by seed.
    Compare(compare::Arguments),
    /// Where along a range the system comes back, where it may, and where it does not: found by bisection.
    Map(map::Arguments),
    /// The same as `run`, with axes given on the line.
    Sweep(SweepArguments),
    /// Which values to use: searched for, with constraints, and judged on seeds that the search has not seen.
    Tune(tune::Arguments),
    /// Join the parts that `--shard` has left into the results that one run would have written.
    Merge {
        /// Folders of results, or the work folders in them: one for each part, or one that holds all.
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Where results land. Default: in the first folder.
        #[arg(long)]
        out: Option<PathBuf>,
        /// How the verdict is printed.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Read and check files, draw every mistake, run nothing.
    Check {
        /// Experiment files, or model files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change a value: path=value.
        #[arg(long = "set", value_name = "PATH=VALUE")]
        set: Vec<String>,
    },
    /// Models, experiments, patterns, presets, faults, failures, metrics: each with one line.
    List {
        /// What to list; everything if left out.
        what: Option<String>,
    },
    /// The manual of a pattern, a preset, a fault, a failure mode or a metric.
    Explain {
        /// Its name.
        name: String,
    },
    /// A model and an experiment to start from.
    New {
        /// The name of both.
        name: String,
    },
    /// The JSON Schema of model or experiment files, or the same as a page for people.
    Schema {
        /// Of which files.
        #[arg(value_enum, default_value_t = SchemaOf::Model)]
        of: SchemaOf,
    },
    /// Completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SchemaOf {
    Model,
    Experiment,
    Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// Experiment files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct SweepArguments {
    /// The experiment file.
    file: PathBuf,
    /// An axis: path=a,b,c, path=lo..hi:n or path=lo..hi:n:log; with --sample, without n.
    #[arg(long, value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// Draw points from the ranges: sobol:256 or lhs:100.
    #[arg(long, value_name = "WAY:POINTS")]
    sample: Option<String>,
    #[command(flatten)]
    how: How,
}

/// How experiments are run.
#[derive(Debug, clap::Args)]
struct How {
    /// How many seeds, instead of what the file says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: Option<u32>,
    /// The first seed.
    #[arg(long)]
    seed: Option<u64>,
    /// How many runs at once, at most 256. Default: one for each core.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Change a value: path=value.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Where results land.
    #[arg(long, default_value = "output")]
    out: PathBuf,
    /// How the verdict is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Draw no charts, and write no report.
    #[arg(long)]
    no_charts: bool,
    /// Try the first remedy of each point, and compare: the same runs once more with the value that the diagnosis proposes.
    #[arg(long)]
    try_remedies: bool,
    /// Keep so many requests of the first seed of each point as traces, at most 100,000, spread evenly over the run.
    #[arg(long, value_name = "REQUESTS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    trace: Option<u32>,
    /// Run only part I of N of the points, and leave it for `merge`: 2/3.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

/// Waterfalls that are drawn, of the first points that have one: hundreds would be looked at by nobody. The others are in their files.
const MOST_WATERFALLS: usize = 12;

const ALL_WELL: u8 = 0;
const CLAIM_FAILED: u8 = 1;
const WRONG_INPUT: u8 = 2;
const NOT_FINISHED: u8 = 3;

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { WRONG_INPUT } else { ALL_WELL };
            // Nothing can be done if even this cannot be printed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(match arguments.command {
        Command::Run(RunArguments { files, how }) => {
            run_all(&files, &Changes { set: how.set.clone(), ..Changes::default() }, &how)
        }
        Command::Sweep(SweepArguments { file, vary, sample, how }) => {
            run_all(&[file], &Changes { set: how.set.clone(), vary, sample, model: None }, &how)
        }
        Command::Merge { folders, out, format } => merge(&folders, out.as_deref(), format),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Map(arguments) => map::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Check { files, set } => check_all(&files, &set),
        Command::List { what } => words::list(what.as_deref()),
        Command::Explain { name } => words::explain(&name),
        Command::New { name } => new::create(Path::new("."), &name),
        Command::Schema { of } => schema(of),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "blackstart", &mut anstream::stdout());
            ALL_WELL
        }
    })
}

/// Prints to standard output, for a person: a lesson or a name is no command to the terminal. A reader that has gone away is no mistake.
fn say(text: &str) {
    let shown: String = text.chars().map(|c| if c == '\n' { c } else { visible(c) }).collect();
    print(&shown);
}

/// Prints to standard output as it is, for a program.
fn print(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints to standard error.
fn tell(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

fn show(diagnostics: &Diagnostics, sources: &Sources) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tell(diagnostics.render(sources, colour).trim_end());
}

fn load(file: &Path, changes: &Changes) -> Option<Scenario> {
    match Scenario::load_changed(file, changes) {
        Ok(scenario) => Some(scenario),
        Err(unreadable) => {
            show(&unreadable.diagnostics, &unreadable.sources);
            None
        }
    }
}

fn check_all(files: &[PathBuf], set: &[String]) -> u8 {
    let mut code = ALL_WELL;
    for file in files {
        let scenario = match Scenario::load_to_check(file, set) {
            Ok(scenario) => scenario,
            Err(unreadable) => {
                show(&unreadable.diagnostics, &unreadable.sources);
                code = WRONG_INPUT;
                continue;
            }
        };
        let found = check(&scenario);
        if !found.is_empty() {
            show(&found, &scenario.sources);
        }
        if found.has_errors() {
            code = WRONG_INPUT;
        } else if scenario.is_model {
            say(&format!("{}: well-formed, a model", file.display()));
        } else {
            let points = scenario.count();
            let word = if points == 1 { "point" } else { "points" };
            say(&format!("{}: well-formed, {points} {word}", file.display()));
        }
    }
    code
}

/// As many threads as were asked for. Says so, if they cannot be had.
fn start_threads(jobs: Option<u16>) -> bool {
    if let Some(jobs) = jobs
        && let Err(error) = rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build_global()
    {
        tell(&format!("error: {jobs} threads cannot be started: {error}"));
        return false;
    }
    true
}

fn run_all(files: &[PathBuf], changes: &Changes, how: &How) -> u8 {
    if !start_threads(how.jobs) {
        return WRONG_INPUT;
    }
    // Nothing is run, and nothing written, unless everything can be read.
    let scenarios: Vec<Option<Scenario>> = files.iter().map(|file| load(file, changes)).collect();
    if scenarios.iter().any(Option::is_none) {
        return WRONG_INPUT;
    }
    let mut names: Vec<&str> = scenarios.iter().flatten().map(|scenario| scenario.name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        tell(&format!(
            "error: two experiments are called `{}`, and their results would have the same folder",
            twice[0]
        ));
        tell("help: run them one after the other, each with an `--out` of its own");
        return WRONG_INPUT;
    }
    let mut is_wrong = false;
    for scenario in scenarios.iter().flatten() {
        let found = check(scenario);
        if !found.is_empty() {
            show(&found, &scenario.sources);
        }
        is_wrong |= found.has_errors();
    }
    if is_wrong {
        return WRONG_INPUT;
    }
    scenarios.into_iter().flatten().map(|scenario| run_one(&scenario, changes, how)).max().unwrap_or(ALL_WELL)
}

fn run_one(scenario: &Scenario, changes: &Changes, how: &How) -> u8 {
    let folder = folder(&how.out, scenario);
    // Better now than after an hour of work.
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tell(&format!("error: results cannot be written to {}: {error}", folder.display()));
        return WRONG_INPUT;
    }
    let options =
        Options { seeds: how.seeds, seed: how.seed, try_remedies: how.try_remedies, trace: how.trace.unwrap_or(0) };
    let done = Work::open(&folder, scenario, changes, &options, !how.no_charts).and_then(|work| {
        if let Some(shard) = how.shard {
            work_on(&work, scenario, &options, how, |all| work.run_part(scenario, shard, all))?;
            let at = work.folder().display();
            say(&format!("{}: part {shard} is done; `blackstart merge` joins it with the others: {at}", scenario.name));
            return Ok(ALL_WELL);
        }
        let mut tables = Growing::begin(&work, scenario)?;
        let run = |all: &experiment::How| work.run(scenario, all, &mut |rows| tables.append(rows));
        let results = work_on(&work, scenario, &options, how, run)?;
        finish(&work, scenario, &folder, tables, &results, how.format)
    });
    done.unwrap_or_else(|failed| fail(&failed, &scenario.sources))
}

/// Has points run, with a bar that tells of it.
fn work_on<T>(
    work: &Work,
    scenario: &Scenario,
    options: &Options,
    how: &How,
    run: impl FnOnce(&experiment::How) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let shown = if work.charts() { report::shown(scenario, &charts_of(scenario)) } else { BTreeSet::new() };
    let seeds = u64::from(options.seeds.unwrap_or(scenario.experiment.seeds.at_most));
    let points = how.shard.map_or(scenario.count(), |shard| shard.size(scenario.count()));
    let bar = ProgressBar::with_draw_target(Some(points as u64 * seeds), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs  {per_sec}  {eta} left");
    bar.set_style(style.expect("the template is well-formed"));
    let rows = |point: &PointResult| report::rows(scenario, point).expect("rows can be written to memory");
    let tick = |before| {
        // Remedies are runs too, and not known before.
        if bar.position() >= bar.length().unwrap_or(0) {
            bar.inc_length(1);
        }
        bar.inc(1);
        if before {
            // What was done before says nothing about how long the rest will take.
            bar.reset_eta();
        }
    };
    let ended = run(&experiment::How { rows: &rows, shown: &shown, tick: &tick });
    bar.finish_and_clear();
    ended
}

/// What grows with each point: the tables, and if there is to be a report, its figures.
struct Growing {
    tables: report::Tables,
    figures: report::html::Figures,
    report: bool,
}

impl Growing {
    fn begin(work: &Work, scenario: &Scenario) -> Result<Self, Failed> {
        let in_folder = |error| Failed::File(work.folder().display().to_string(), error);
        let tables = report::Tables::begin(work.folder(), scenario).map_err(in_folder)?;
        Ok(Self { tables, figures: report::html::Figures::begin(scenario), report: work.charts() })
    }

    fn append(&mut self, rows: &[&[u8]]) -> std::io::Result<()> {
        self.tables.append(rows)?;
        if self.report { self.figures.append(rows[report::AGGREGATE]) } else { Ok(()) }
    }
}

/// The charts that a scenario asks for, after `--set`.
fn charts_of(scenario: &Scenario) -> Vec<Spanned<Chart>> {
    first(scenario).map_or_else(Vec::new, |(_, experiment)| experiment.charts)
}

/// Writes the results of all points, and says how it ended.
fn finish(
    work: &Work,
    scenario: &Scenario,
    folder: &Path,
    Growing { tables, figures, .. }: Growing,
    results: &Swept,
    format: Format,
) -> Result<u8, Failed> {
    let in_folder = |error| Failed::File(folder.display().to_string(), error);
    tables.finish(folder, scenario, results).map_err(in_folder)?;
    let (mut followed, mut waterfalls) = (0, Vec::new());
    work.traces(&mut |number, trace| {
        followed += trace.requests().count();
        if work.charts() && waterfalls.len() < MOST_WATERFALLS {
            waterfalls.extend(report::waterfall(folder, scenario, number, trace)?);
        }
        report::trace::write(folder, number, trace)
    })?;
    if let Some((plan, experiment)) = first(scenario).filter(|_| work.charts()) {
        let point = |number| work.point(scenario, number).map_err(std::io::Error::other);
        let source = report::Source { scenario, plan: &plan, charts: &experiment.charts, point: &point };
        let mut charts = report::draw(folder, &source).map_err(in_folder)?;
        charts.extend(waterfalls);
        let topology = report::topology(&plan).map_err(in_folder)?;
        let command = work.command();
        let page = report::html::Page {
            scenario,
            swept: results,
            topology: &topology,
            charts: &charts,
            figures: &figures,
            command: &command,
        };
        report::html::write(folder, &page).map_err(in_folder)?;
    }
    work.remove()?;
    match format {
        Format::Text => {
            say(&words::verdict(scenario, results, folder));
            if followed > 0 {
                let requests = if followed == 1 { "1 request".to_owned() } else { format!("{followed} requests") };
                say(&format!("  traces of {requests}: {}", folder.join("traces").display()));
            }
        }
        Format::Json => print(&words::verdict_json(scenario, results)),
    }
    Ok(code_of(results))
}

fn merge(folders: &[PathBuf], out: Option<&Path>, format: Format) -> u8 {
    let done = Work::of_parts(folders).map(|(work, scenario)| {
        let (work, folder) = match out {
            Some(out) => {
                let folder = folder(out, &scenario);
                (work.moved_to(&folder), folder)
            }
            None => {
                let results = work.folder().parent().and_then(Path::parent).unwrap_or(Path::new(".")).to_owned();
                (work, results)
            }
        };
        let finished = Growing::begin(&work, &scenario).and_then(|mut tables| {
            let results = work.put_together(&scenario, &mut |rows| tables.append(rows))?;
            finish(&work, &scenario, &folder, tables, &results, format)
        });
        finished.unwrap_or_else(|failed| fail(&failed, &scenario.sources))
    });
    done.unwrap_or_else(|failed| fail(&failed, &Sources::new()))
}

/// Says that results could not be written, for commands that keep nothing of what they have done.
fn unwritten(folder: &Path, error: &std::io::Error) -> u8 {
    tell(&format!("error: {}: {error}", folder.display()));
    tell("help: make room, give the right to write, or move what is in the way; `--out` leads elsewhere");
    NOT_FINISHED
}

/// Says why work could not be done.
fn fail(failed: &Failed, sources: &Sources) -> u8 {
    match failed {
        Failed::File(path, error) => {
            tell(&format!("error: {path}: {error}"));
            tell(
                "help: make room, give the right to write, or move what is in the way; the same command then goes on with what is done",
            );
            NOT_FINISHED
        }
        Failed::Unfit(what) => {
            tell(&format!("error: {what}"));
            WRONG_INPUT
        }
        Failed::Files(found) => {
            show(found, sources);
            WRONG_INPUT
        }
    }
}

fn code_of(results: &Swept) -> u8 {
    if results.stopped() {
        NOT_FINISHED
    } else if results.all_hold() {
        ALL_WELL
    } else {
        CLAIM_FAILED
    }
}

fn schema(of: SchemaOf) -> u8 {
    let schema = match of {
        SchemaOf::Model => schemars::schema_for!(Model),
        SchemaOf::Experiment => schemars::schema_for!(Experiment),
        SchemaOf::Page => {
            say(reference::page().trim_end());
            return ALL_WELL;
        }
    };
    print(&serde_json::to_string_pretty(&schema).expect("a schema can be written"));
    ALL_WELL
}
