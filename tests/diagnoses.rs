//! Diagnoses stand where the shipped experiments show what they name, and nowhere else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blackstart::experiment::{Options, PointResult, Results, check, execute};
use blackstart::scenario::Scenario;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(file: &Path, set: &[String]) -> Scenario {
    Scenario::load(file, set).unwrap_or_else(|unreadable| {
        panic!("{} {set:?}:\n{}", file.display(), unreadable.diagnostics.render(&unreadable.sources, false))
    })
}

fn runs(scenario: &Scenario, seeds: u32) -> Results {
    // Other seeds than the experiments were made with.
    let options = Options { seeds: Some(seeds), seed: Some(7_000), ..Options::default() };
    execute(scenario, &options, &|| {}).unwrap_or_else(|found| panic!("{}", found.render(&scenario.sources, false)))
}

/// The diagnoses of each run of a point, as words.
fn named(point: &PointResult) -> Vec<BTreeSet<&'static str>> {
    let names = point.verdicts.iter().map(|it| it.diagnoses.iter().map(|it| it.mechanism.name()).collect());
    names.collect()
}

/// What the shipped experiments show: the experiment, the values of the point (`*` for any), and the diagnoses of every run.
/// Those with a question mark are there in some runs only: the state they need is one of chance.
const SHOWN: &[(&str, &str, &str)] = &[
    ("backlog-drain", "as it is", "slow_drain"),
    ("backlog-drain", "newest first", "slow_drain"),
    ("backlog-drain", "20 s at most", "slow_drain?"),
    ("backlog-never-drains", "a hundred at once", "metastable_loop"),
    ("backlog-never-drains", "ten at once", "slow_drain"),
    ("backlog-never-drains", "longer timeout", "slow_drain"),
    ("backlog-never-drains", "idempotency key", "slow_drain"),
    ("backlog-never-drains", "newest first", "metastable_loop"),
    ("backlog-never-drains", "dead after five", "metastable_loop"),
    // Below 100 attempts a second a queue that empties, far above it a loop; close to it either.
    ("attempts-by-load", "1, 85/s", "slow_drain"),
    ("attempts-by-load", "2, 45/s", "slow_drain"),
    ("attempts-by-load", "2, 75/s", "metastable_loop retry_storm goodput_collapse"),
    ("attempts-by-load", "3, 65/s", "metastable_loop retry_storm goodput_collapse"),
    ("attempts-by-load", "5, 45/s", "metastable_loop retry_storm goodput_collapse"),
    ("attempts-by-load", "*", "slow_drain? metastable_loop? retry_storm? goodput_collapse?"),
    ("boot-herd", "all at once", "metastable_loop thundering_herd? goodput_collapse?"),
    ("boot-herd", "backoff", "slow_drain? thundering_herd goodput_collapse?"),
    ("boot-herd", "limited wait", "thundering_herd"),
    ("busy-threads", "ten threads", "metastable_loop"),
    ("cache-stampede", "alone", "thundering_herd"),
    ("cache-stampede", "jitter", "thundering_herd"),
    ("callers-who-count", "no limit", "goodput_collapse"),
    ("callers-who-count", "bulkhead", "goodput_collapse"),
    ("capacity-drops", "no limit", "goodput_collapse"),
    ("cascade", "no limits", "cascade"),
    ("cascade", "breaker", "cascade"),
    ("cold-cache", "600/s", "metastable_loop"),
    ("cold-cache", "600/s, the fetch goes on", "slow_drain?"),
    ("cold-cache", "600/s, limited", "slow_drain?"),
    ("connection-churn", "close", "metastable_loop"),
    ("fallback-chain", "gentle", "slow_drain"),
    ("reconnect-storm", "40 each", "metastable_loop"),
    ("fallback-chain", "hasty", "metastable_loop goodput_collapse? slow_drain?"),
    // At the boundary luck decides; the surge of 1,800 a second, each four times, is a herd of its own.
    ("fifo-threshold", "50/s, 2", "metastable_loop? goodput_collapse? slow_drain?"),
    ("fifo-threshold", "50/s, 3", "metastable_loop retry_storm goodput_collapse"),
    ("fifo-threshold", "50/s, 4", "metastable_loop retry_storm goodput_collapse"),
    ("fifo-threshold", "90/s, 1", "slow_drain"),
    ("fifo-threshold", "90/s, 2", "metastable_loop retry_storm goodput_collapse"),
    ("fifo-threshold", "90/s, 3", "metastable_loop retry_storm thundering_herd? goodput_collapse"),
    ("fifo-threshold", "90/s, 4", "metastable_loop retry_storm thundering_herd goodput_collapse"),
    ("first-still-running", "no key", "goodput_collapse"),
    ("first-still-running", "conflict", "goodput_collapse"),
    ("first-still-running", "wait, 35 workers", "goodput_collapse"),
    ("first-still-running", "conflict, 35 workers", "goodput_collapse"),
    ("game-day", "bare", "goodput_collapse?"),
    ("game-day", "timeouts", "goodput_collapse"),
    ("gc-death-spiral", "long queue", "metastable_loop thundering_herd?"),
    ("gc-death-spiral", "short queue", "thundering_herd?"),
    ("gc-death-spiral", "twice the memory", "thundering_herd?"),
    ("hedge", "hedge", "metastable_loop goodput_collapse"),
    ("hedge", "hedge, losers not told", "metastable_loop goodput_collapse"),
    ("jitter", "*", "thundering_herd"),
    ("layered-defence", "none, slow", "cascade"),
    ("layered-defence", "none, outage", "metastable_loop"),
    ("layered-defence", "none, surge", "cascade"),
    ("learned-timeout", "fixed, 5", "goodput_collapse"),
    ("learned-timeout", "learned from answers alone, 5", "goodput_collapse"),
    ("newest-when-long", "oldest first", "slow_drain"),
    ("published-together", "together", "thundering_herd"),
    ("retry-storm", "every layer retries", "metastable_loop cascade retry_storm goodput_collapse"),
    // It comes back by luck in some runs.
    ("retry-storm", "only the edge retries", "metastable_loop? cascade retry_storm goodput_collapse? slow_drain?"),
    ("retry-storm", "breaker in the middle", "retry_storm"),
    ("retry-storm-queue", "as it is", "metastable_loop cascade retry_storm goodput_collapse"),
    ("retry-storm-queue", "more threads", "metastable_loop cascade retry_storm goodput_collapse"),
    ("retry-storm-queue", "cancelled", "metastable_loop cascade retry_storm goodput_collapse"),
    ("retry-storm-queue", "short queue", "cascade retry_storm"),
    ("retry-storm-queue", "newest first", "cascade retry_storm"),
    ("retry-storm-queue", "limited wait", "cascade retry_storm"),
    ("ring-node-lost", "nobody is told", "metastable_loop"),
    ("sinkhole", "two choices", "sinkhole"),
    ("sinkhole", "three choices", "sinkhole"),
    ("sinkhole", "least requests", "sinkhole"),
    ("sinkhole", "retry at once", "sinkhole"),
    ("slow-but-fine", "failures count", "cascade"),
    ("slow-but-fine", "anew each second", "cascade"),
    ("slow-but-fine", "slower than the mean", "oscillation"),
    ("slow-search", "one pool", "cascade"),
    // Those that a cut frees are stuck only until then.
    ("smallest-cut", "0.1, 15s", "retry_storm goodput_collapse"),
    ("smallest-cut", "0.1, 30s", "retry_storm"),
    ("smallest-cut", "0.1, 60s", "retry_storm"),
    ("smallest-cut", "0.55, 60s", "retry_storm goodput_collapse"),
    ("smallest-cut", "*", "metastable_loop retry_storm thundering_herd? goodput_collapse"),
    ("standing-queue", "without", "slow_drain"),
    ("standing-queue", "batch, codel", "thundering_herd"),
    ("thirty-second-timeout", "thirty seconds and a breaker", "thundering_herd"),
    ("thirty-second-timeout", "one second and a breaker", "thundering_herd"),
    ("timeout-inversion", "inverted", "cascade"),
    // At 320/s it comes back by luck; at 490/s it is not well before the trigger, and not worse after it.
    ("trigger-and-load", "1.5, 320/s", "metastable_loop? cascade retry_storm goodput_collapse"),
    ("trigger-and-load", "4, 150/s", "cascade retry_storm goodput_collapse"),
    ("trigger-and-load", "4, 320/s", "metastable_loop? cascade retry_storm goodput_collapse"),
    ("trigger-and-load", "4, 490/s", "retry_storm"),
    ("who-is-turned-away", "none", "goodput_collapse"),
    ("whose-queue-grows", "block", "cascade"),
    ("whose-queue-grows", "credits", "cascade"),
    ("whose-queue-grows", "one by one", "cascade"),
    // The corners of its ranges: calls that are given up after 20 ms, where half of them take longer.
    ("tune-shop", "*", "goodput_collapse?"),
    // 810 of 900 a second: what waits is worked off at 90 a second, or not, as the users who give up have it.
    ("zone-loss", "no zones, 810/s", "goodput_collapse?"),
    ("zone-loss", "spill over, 810/s", "slow_drain goodput_collapse?"),
];

/// Every shipped experiment: what is in the list above is found in every run, and nothing else in any.
#[test]
fn diagnoses_stand_where_the_shipped_experiments_show_them() {
    let mut wrong = Vec::new();
    for file in files("experiments") {
        let scenario = load(&file, &[]);
        let results = runs(&scenario, 2);
        for point in &results.points {
            let labels = scenario.labels(&point.point).join(", ");
            let shown = SHOWN.iter().find(|it| it.0 == scenario.name && (it.1 == "*" || it.1 == labels));
            let words = || shown.map_or("", |it| it.2).split_whitespace();
            let always: BTreeSet<&str> = words().filter(|it| !it.ends_with('?')).collect();
            let allowed: BTreeSet<&str> = words().map(|it| it.trim_end_matches('?')).collect();
            for found in named(point) {
                if !found.is_superset(&always) || !found.is_subset(&allowed) {
                    wrong.push(format!("{} ({labels}): {found:?}", scenario.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is to be set is a path of the files, and a value that it takes. (Those of experiments whose variants put layers in are
/// paths at such points only.)
#[test]
fn remedies_can_be_set() {
    for name in ["retry-storm", "cascade", "jitter", "sinkhole", "slow-search", "standing-queue", "cache-stampede"] {
        let file = root().join(format!("experiments/{name}.yaml"));
        let results = runs(&load(&file, &[]), 1);
        let remedies = results.points.iter().flat_map(|point| &point.verdicts).flat_map(|it| &it.diagnoses);
        let set: BTreeSet<String> =
            remedies.filter_map(|it| it.remedy.set.as_ref()).map(|(path, value)| format!("{path}={value}")).collect();
        assert!(!set.is_empty(), "{name} has no remedy to set");
        for remedy in set {
            let found = check(&load(&file, std::slice::from_ref(&remedy)));
            assert!(!found.has_errors(), "{name}: {remedy}: {found:?}");
        }
    }
}

/// The same seeds once more with the value that the diagnosis proposes; it is set after those of the variant.
#[test]
fn remedies_are_tried_and_compared() {
    let file = root().join("experiments/retry-storm.yaml");
    let scenario = load(&file, &[]);
    let options = Options { seeds: Some(4), seed: Some(7_000), try_remedies: true, ..Options::default() };
    let results = execute(&scenario, &options, &|| {}).expect("it is well-formed");
    let tried: Vec<_> = results.points.iter().map(|point| point.tried.as_ref()).collect();
    // Every layer retries: the budget brings all runs back, and all those who were lost.
    let storm = tried[0].expect("the storm has a remedy");
    assert_eq!(storm.refused, None);
    assert!(storm.verdicts.iter().all(|it| it.name.name() == "recovered" && it.recovery < 10.0));
    let rows = storm.rows();
    let figure = |metric: &str| rows.iter().find(|row| row.metric == metric).expect("clients have this metric");
    let goodput = figure("goodput");
    assert_eq!(goodput.finding(), blackstart::experiment::compare::Finding::More);
    assert!(goodput.difference.paired.mean > 700.0 && goodput.difference.paired.n == 4);
    let order = figure("recovery_time").order.expect("without the remedy it never comes back");
    assert_eq!((order.less, order.more), (4, 0));
    // What is well has no remedy.
    let last = tried.last().expect("there are variants");
    assert!(last.is_none(), "no retries");
}

/// The first remedy of the storm cures it.
#[test]
fn the_remedy_of_the_retry_storm_frees_it() {
    let file = root().join("experiments/retry-storm.yaml");
    let results = runs(&load(&file, &[]), 1);
    let first = &results.points[0].verdicts[0].diagnoses[0];
    let (path, value) = first.remedy.set.clone().expect("it is a value");
    let cured = runs(&load(&file, &[format!("{path}={value}")]), 5);
    assert!(cured.points[0].verdicts.iter().all(|it| it.name.name() == "recovered"));
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is part of the repository");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

/// Runs a model with a fault that changes nothing, so that every rule has a time before and a time after to look at.
fn undisturbed(model: &Path, service: &str, set: &[String], seeds: u32) -> Vec<String> {
    let name = format!("undisturbed-{}-{}", model.file_stem().expect("it is a file").display(), set.len());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.yaml"));
    let text = format!(
        "model: \"{}\"\nlength: 120s\nwarmup: 10s\nfaults: [ {{ name: nothing, at: 60s, for: 10s, slow: {{ service: {service}, factor: 1 }} }} ]\n",
        model.display()
    );
    std::fs::write(&file, text).expect("the file can be written");
    let results = runs(&load(&file, set), seeds);
    let found = results.points[0].verdicts.iter().flat_map(|it| &it.diagnoses);
    found.map(|it| format!("{name} {set:?}: {} at {}: {}", it.mechanism.name(), it.entity, it.evidence)).collect()
}

#[test]
fn healthy_models_get_no_diagnosis() {
    let mut wrong = Vec::new();
    for model in files("models") {
        let text = std::fs::read_to_string(&model).expect("the model can be read");
        let services = text.split("\nservices:\n").nth(1).expect("a model has services");
        let name = |line: &&str| line.starts_with("  ") && line[2..].starts_with(char::is_alphanumeric);
        let service = services.lines().find(name).expect("there is one").trim();
        let service = service.split(':').next().expect("there is a first part");
        wrong.extend(undisturbed(&model, service, &[], 5));
    }
    // A thousand callers in step are a herd without any fault, and so are a thousand who want the page that has expired.
    for herd in ["herd", "hot-key", "edition"] {
        wrong.retain(|it| !it.starts_with(&format!("undisturbed-{herd}-0 []: thundering_herd")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Queues are long at 95 % load, and workers are all busy for seconds. A hundred seeds each.
#[test]
fn a_load_of_95_percent_is_no_diagnosis() {
    let mut wrong = Vec::new();
    for (model, service, rate) in [
        ("one-server", "server", "clients.users.arrivals={ poisson: 95/s }"),
        ("impatient", "server", "clients.users.arrivals={ poisson: 950/s }"),
        ("ten-servers", "server", "clients.users.arrivals={ poisson: 950/s }"),
        ("pool", "pool", "clients.users.arrivals={ poisson: 950/s }"),
    ] {
        let model = root().join(format!("models/{model}.yaml"));
        wrong.extend(undisturbed(&model, service, &[rate.to_owned()], 100));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
