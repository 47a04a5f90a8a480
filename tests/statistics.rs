//! Intervals hold what they say they hold, and pairs of runs are worth what they are said to be worth.

use std::path::Path;

use blackstart::experiment::statistics::paired::Difference;
use blackstart::experiment::{Options, Results, Summary, execute};
use blackstart::scenario::Scenario;

fn run(file: &str, set: &[&str], options: &Options) -> Results {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let set: Vec<String> = set.iter().map(|it| (*it).to_owned()).collect();
    let scenario = Scenario::load(&file, &set).expect("the file can be read");
    execute(&scenario, options, &|| {}).expect("it can be run")
}

/// In how many of so many repetitions the interval over ten seeds holds the mean time in an M/M/1 system at half load, 1/(1 − 0.5) = 2 s.
fn held(repetitions: u64) -> usize {
    let set = [
        "length=4000s",
        "warmup=100s",
        "resolution=1000s",
        "variants={}",
        "expect=[]",
        "clients.c.arrivals.poisson=0.5/s",
    ];
    // A hundred at a time, so that no more runs are in memory.
    let hundreds = (0..repetitions.div_ceil(100)).map(|hundred| {
        let options = Options { seeds: Some(1_000), seed: Some(1 + hundred * 1_000), ..Options::default() };
        let results = run("tests/data/theory/experiments/mm1.yaml", &set, &options);
        let point = &results.points[0];
        let value = |run: &blackstart::measure::Run| run.value(&point.plan, "all", "client/c", "latency.mean");
        let means: Vec<f64> = point.runs.iter().filter_map(value).collect();
        let intervals = means.chunks(10).map(Summary::of);
        intervals.filter(|it| it.low <= 2.0 && 2.0 <= it.high).count()
    });
    hundreds.sum()
}

#[test]
fn intervals_hold_the_mean_about_as_often_as_they_say() {
    // Of 200 that hold it with 95 %, 190 ± 3.1 do; three deviations.
    let held = held(200);
    assert!((181..=199).contains(&held), "{held} of 200");
}

#[test]
#[ignore = "takes half a minute"]
fn of_a_thousand_intervals_93_to_97_percent_hold_the_mean() {
    let held = held(1_000);
    println!("{held} of 1000");
    assert!((930..=970).contains(&held), "{held} of 1000");
}

#[test]
fn pairs_need_less_than_a_fifth_of_the_runs() {
    let options = Options { seeds: Some(60), seed: Some(1), ..Options::default() };
    let results = run("experiments/breaker-pauses.yaml", &["expect=[]"], &options);
    // The pauses are 2, 4, 5 and 10 s.
    let goodput = |point: usize| -> Vec<f64> {
        let point = &results.points[point];
        point.runs.iter().filter_map(|run| run.value(&point.plan, "all", "client/users", "goodput")).collect()
    };
    let (long, short) = (goodput(2), goodput(1));
    let all = Difference::of(&long, &short);
    let (pairs, unpaired) = (all.pairs_to_decide().expect("apart"), all.unpaired_runs_to_decide().expect("apart"));
    println!("{pairs} pairs, or {unpaired} runs on each side; worth {}", all.worth());
    assert!(pairs * 5 <= unpaired, "{pairs} pairs, {unpaired} runs");
    // And so it is, when it is tried: ten pairs decide it nearly always, thirty runs on each side with different luck do not.
    let tens = long.chunks(10).zip(short.chunks(10)).map(|(a, b)| Difference::of(a, b));
    assert!(tens.filter(Difference::is_decided).count() >= 5);
    let apart = Difference::of(&long[..30], &short[30..]);
    assert!(apart.paired.mean.abs() < apart.unpaired_half, "{apart:?}");
}

#[test]
fn seeds_are_run_until_the_interval_is_narrow_enough_and_no_longer() {
    let seeds = |until: &str, at_most: u32| {
        let set = format!("seeds={{ until: {until}, at_most: {at_most} }}");
        let set = [set.as_str(), "vary={}", "expect=[]", "charts=[]", "length=400s"];
        let results = run("experiments/breaker-pauses.yaml", &set, &Options::default());
        let point = &results.points[0];
        let value = |run: &blackstart::measure::Run| run.value(&point.plan, "all", "client/users", "goodput");
        let it = Summary::of(&point.runs.iter().filter_map(value).collect::<Vec<_>>());
        assert_eq!(point.seeds, (1..=it.n as u64).collect::<Vec<_>>());
        (it.n, it.half() / it.mean)
    };
    let (enough, half) = seeds("4%", 200);
    assert!(enough > 10 && enough < 200 && half <= 0.04, "{enough}: {half}");
    let (few, half) = seeds("50%", 200);
    assert!(few == 10 && half <= 0.5, "{few}: {half}");
    assert_eq!(seeds("0.1%", 15).0, 15);
}
