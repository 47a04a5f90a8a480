//! The program as its users meet it: exit codes, files, equal bytes, and errors with a place.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn blackstart() -> Command {
    let mut command = Command::cargo_bin("blackstart").expect("the program is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// A fresh folder for a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("the folder can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("the file can be read");
                found.push((path.strip_prefix(folder).expect("it is below").to_owned(), bytes));
            }
        }
    }
    found.sort();
    found
}

fn run_into(out: &Path, arguments: &[&str]) -> Vec<(PathBuf, Vec<u8>)> {
    blackstart().arg("run").args(arguments).arg("--out").arg(out).assert().success();
    files_below(out)
}

#[test]
fn one_thread_or_two_write_the_same_bytes() {
    let base = folder("jobs");
    let shorter = ["experiments/retry-storm.yaml", "--seeds", "3", "--set", "expect=[]"];
    let one = run_into(&base.join("one"), &[&shorter[..], &["--jobs", "1"]].concat());
    let two = run_into(&base.join("two"), &[&shorter[..], &["--jobs", "2"]].concat());
    assert!(one.len() >= 6 + 12, "tables, a manifest and six charts twice: {}", one.len());
    assert!(one == two, "the files differ");
}

#[test]
fn the_report_is_whole_in_itself_and_goes_with_the_charts() {
    let base = folder("report");
    let wicked = "</script><img src=x onerror=alert(1)>";
    fs::write(
        base.join("m.yaml"),
        "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { constant: 10/s } } }\n",
    )
    .expect("the file can be written");
    let experiment = format!(
        "model: m\nlength: 10s\nlesson: \"{wicked}\"\nvariants: {{ \"{wicked}\": {{}} }}\ncharts: [ timeline: {{ metric: goodput, by: variant }} ]\n\
         expect: [ {{ claim: \"{wicked}\", metric: goodput, at_least: 1/s }} ]\n"
    );
    fs::write(base.join("x.yaml"), experiment).expect("the file can be written");
    let run = |more: &[&str]| {
        let out = base.join("out");
        blackstart().arg("run").arg(base.join("x.yaml")).arg("--out").arg(&out).args(more).assert().success();
        fs::read_to_string(out.join("x/report.html")).ok()
    };
    let page = run(&["--set", "services.s.workers=3"]).expect("it is there");
    assert!(!page.contains("<img") && page.contains("&lt;img"), "a text became more than a text");
    assert!(!page.contains(&base.display().to_string()), "a path");
    assert!(page.contains("blackstart run x.yaml --set services.s.workers=3"), "the command");
    let loads = ["src=\"", "href=\"http", "url(http", "@import"];
    assert!(loads.iter().all(|it| !page.contains(it)), "something is loaded");
    assert!(run(&["--no-charts"]).is_none(), "the report of an earlier run is still there");
}

#[test]
fn every_mistake_is_drawn_at_its_place_and_nothing_is_written() {
    let base = folder("mistakes");
    fs::write(
        base.join("broken.yaml"),
        "services:\n  web:\n    wrokers: 4\n    operations:\n      get: [ work: 5 ]\nclients:\n  users:\n    calls: web.gett\n    arrivals: { poisson: 10/s }\n",
    )
    .expect("the file can be written");
    fs::write(base.join("bad.yaml"), "model: broken\nlength: 10s\nsedes: 3\n").expect("the file can be written");
    let out = base.join("out");
    let first = blackstart().arg("run").arg(base.join("bad.yaml")).arg("--out").arg(&out).assert().code(2);
    let text = String::from_utf8_lossy(&first.get_output().stderr).into_owned();
    assert!(text.contains("sedes") && text.contains("seeds"), "{text}");
    fs::write(base.join("bad.yaml"), "model: broken\nlength: 10s\n").expect("the file can be written");
    let second = blackstart().arg("run").arg(base.join("bad.yaml")).arg("--out").arg(&out).assert().code(2);
    let text = String::from_utf8_lossy(&second.get_output().stderr).into_owned();
    assert!(text.contains("broken.yaml:3:5") && text.contains("workers"), "{text}");
    assert!(text.contains("broken.yaml:5:"), "the time without a unit: {text}");
    assert!(!out.exists(), "something was written");
}

#[test]
fn claims_and_charts_that_ask_for_what_does_not_exist_are_errors_before_anything_runs() {
    let base = folder("nothing-there");
    fs::write(
        base.join("m.yaml"),
        "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { constant: 10/s } } }\n",
    )
    .expect("the file can be written");
    fs::write(
        base.join("x.yaml"),
        "model: m\nlength: 10s\nvary: { clients.c.instances: [1, 2] }\ncharts:\n\
         - timeline: { metric: goodptu }\n\
         - timeline: { metric: errors, of: [service/s] }\n\
         - bars: { metric: goodput, by: instnces, window: befour }\n\
         - load: { of: client/d, where: { instances: 3 } }\n\
         expect:\n\
         - { claim: ten, metric: offered, of: service/s, equals: 10/s }\n",
    )
    .expect("the file can be written");
    for command in ["check", "run"] {
        let asked = blackstart().arg(command).arg(base.join("x.yaml")).assert().code(2);
        let text = String::from_utf8_lossy(&asked.get_output().stderr).into_owned();
        for (place, what) in [
            ("x.yaml:5:23", "did you mean `goodput`?"),
            ("x.yaml:6:36", "`service/s` has no metric `errors` over time"),
            ("x.yaml:7:32", "did you mean `instances`?"),
            ("x.yaml:7:50", "`befour`: no window has this name"),
            ("x.yaml:8:15", "did you mean `client/c`?"),
            ("x.yaml:8:45", "the axis `instances` has no value 3"),
            ("x.yaml:10:38", "`service/s` has no metric `offered`"),
        ] {
            assert!(text.contains(place) && text.contains(what), "{command}: {place}, {what}: {text}");
        }
    }
}

#[test]
fn charts_that_cannot_be_drawn_are_errors_before_anything_runs() {
    let base = folder("undrawable");
    fs::write(
        base.join("m.yaml"),
        "services: { s: { replicas: 20, operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { poisson: 10/s } } }\n",
    )
    .expect("the file can be written");
    fs::write(
        base.join("x.yaml"),
        "model: m\nlength: 10s\nvary: { clients.c.instances: [1, 2] }\nvariants: { a: {}, b: {} }\ncharts:\n\
         - curve: { metric: goodput, over: variant }\n\
         - heat: { metric: goodput, x: instances, y: instances }\n\
         - heat: { metric: goodput, x: instances, y: vraiant, contour: [ 50% ] }\n\
         - hysteresis: { metric: latency.p90 }\n\
         - hysteresis: { metric: goodput, against: arrivals }\n\
         - spread: { metric: goodput, by: instnces }\n\
         - flow: { window: befour }\n\
         - replicas: { of: service/s }\n\
         - replicas: { of: service/t }\n",
    )
    .expect("the file can be written");
    let checked = blackstart().arg("check").arg(base.join("x.yaml")).assert().code(2);
    let text = String::from_utf8_lossy(&checked.get_output().stderr).into_owned();
    for (place, what) in [
        ("x.yaml:6:35", "the values of `variant` are not all numbers in one unit"),
        ("x.yaml:7:45", "`instances` stands for two axes"),
        ("x.yaml:8:45", "did you mean `variant`?"),
        ("x.yaml:8:65", "this cannot be a level"),
        ("x.yaml:9:25", "`client/c` has no metric `latency.p90` over time"),
        ("x.yaml:10:43", "`client/c` has no metric `arrivals` over time"),
        ("x.yaml:11:34", "did you mean `instances`?"),
        ("x.yaml:12:19", "`befour`: no window has this name"),
        ("x.yaml:13:19", "has 20 replicas, too many to tell apart"),
        ("x.yaml:14:19", "did you mean `service/s`?"),
    ] {
        assert!(text.contains(place) && text.contains(what), "{place}, {what}: {text}");
    }
    fs::write(
        base.join("y.yaml"),
        "model: m\nlength: 10s\nvary:\n  clients.c.arrivals.poisson: { from: 1/s, to: 9/s }\n  \
         services.s.replicas: { from: 1, to: 9 }\nsample: { sobol: 4 }\ncharts:\n\
         - curve: { metric: goodput, over: poisson }\n",
    )
    .expect("the file can be written");
    let checked = blackstart().arg("check").arg(base.join("y.yaml")).assert().code(2);
    let text = String::from_utf8_lossy(&checked.get_output().stderr).into_owned();
    assert!(text.contains("y.yaml:8:35") && text.contains("no two points differ in it alone"), "{text}");
}

#[test]
fn the_charts_of_a_sweep_say_what_they_show() {
    let out = folder("charts-of-a-sweep");
    for name in ["attempts-by-load", "hysteresis"] {
        let file = format!("experiments/{name}.yaml");
        blackstart().args(["run", &file, "--seeds", "2", "--set", "expect=[]", "--out"]).arg(&out).assert().code(0);
    }
    let chart = |name: &str| fs::read_to_string(out.join(name)).expect("the chart is there");
    for (name, words) in [
        ("attempts-by-load/charts/01-heat-success_rate.svg", ["attempts", "load (per second)", "50%"]),
        (
            "attempts-by-load/charts/02-heat-recovery_time.svg",
            ["attempts", "load (per second)", "never, in one run or more"],
        ),
        ("attempts-by-load/charts/03-curve-success_rate.svg", ["attempts 1", "attempts 5", "load (per second)"]),
        (
            "hysteresis/charts/01-hysteresis-success_rate.svg",
            ["(variant three attempts)", "while the load rises", "while it falls"],
        ),
        (
            "hysteresis/charts/02-hysteresis-success_rate.svg",
            ["(variant retry budget)", "while the load rises", "while it falls"],
        ),
    ] {
        let text = chart(name);
        assert!(words.iter().all(|word| text.contains(word)), "{name}: {words:?}");
    }
}

#[test]
fn a_cycle_of_calls_is_an_error() {
    let base = folder("cycle");
    fs::write(
        base.join("loop.yaml"),
        "services:\n  a: { operations: { get: [ call: b.get ] } }\n  b: { operations: { get: [ call: a.get ] } }\nclients:\n  c: { calls: a.get, arrivals: { poisson: 1/s } }\n",
    )
    .expect("the file can be written");
    fs::write(base.join("x.yaml"), "model: loop\nlength: 10s\n").expect("the file can be written");
    let checked = blackstart().arg("check").arg(base.join("x.yaml")).assert().code(2);
    let text = String::from_utf8_lossy(&checked.get_output().stderr).into_owned();
    assert!(text.contains("a.get → b.get → a.get"), "{text}");
}

#[test]
fn a_claim_that_does_not_hold_ends_with_one() {
    let out = folder("claim");
    blackstart()
        .args(["run", "experiments/attempts-multiply.yaml", "--seeds", "2", "--no-charts"])
        .args(["--set", "services.front.operations.get.call[middle.get].retry=1"])
        .args(["--set", "services.middle.operations.get.call[bottom.get].retry=1"])
        .arg("--out")
        .arg(&out)
        .assert()
        .code(1);
}

#[test]
fn what_makes_the_points_can_be_set_too() {
    let base = folder("points");
    fs::write(
        base.join("m.yaml"),
        "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { constant: 10/s } } }\n",
    )
    .expect("the file can be written");
    fs::write(
        base.join("x.yaml"),
        "model: m\nlength: 10s\nwarmup: 1s\nset: { clients.c.batch: 1 }\nvariants: { \"0.5\": { clients.c.batch: 2 }, \"1, twice\": {} }\n\
         vary: { clients.c.instances: [1, 2] }\nexpect:\n\
         - { claim: four, where: { variant: \"0.5\", instances: 3 }, metric: offered, equals: 40/s }\n\
         - { claim: three, where: { variant: \"1, twice\" }, metric: offered, equals: 30/s }\n",
    )
    .expect("the file can be written");
    blackstart()
        .args(["run", "--no-charts", "--seeds", "1"])
        .args(["--set", "variants.\"0.5\".\"clients.c.batch\"=4", "--set", "set.\"clients.c.batch\"=3"])
        .args(["--set", "vary.\"clients.c.instances\"=[1, 3]"])
        .arg("--out")
        .arg(base.join("out"))
        .arg(base.join("x.yaml"))
        .assert()
        .success();
}

#[test]
fn a_limit_ends_a_run_with_three_and_marks_its_results() {
    let out = folder("limit");
    blackstart()
        .args([
            "run",
            "experiments/attempts-multiply.yaml",
            "--seeds",
            "1",
            "--no-charts",
            "--set",
            "limits.events=1000",
        ])
        .arg("--out")
        .arg(&out)
        .assert()
        .code(3);
    let manifest = fs::read_to_string(out.join("attempts-multiply/manifest.json")).expect("it was written");
    assert!(manifest.contains("the limit of 1000 events was reached"), "{manifest}");
}

#[test]
fn a_loop_in_which_no_time_passes_is_stopped_and_named() {
    let base = folder("no-time");
    fs::write(
        base.join("spin.yaml"),
        "services:\n  web: { operations: { get: [ fail: error ] } }\nclients:\n  users: { calls: web.get, users: { count: 1, think: 0 } }\n",
    )
    .expect("the file can be written");
    fs::write(base.join("x.yaml"), "model: spin\nlength: 10s\nseeds: 1\nlimits: { events_per_instant: 10000 }\n")
        .expect("the file can be written");
    let run = blackstart().arg("run").arg(base.join("x.yaml")).arg("--out").arg(base.join("out")).assert().code(3);
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(text.contains("time does not pass"), "{text}");
}

#[test]
fn a_new_project_can_be_run_at_once() {
    let base = folder("new");
    blackstart().current_dir(&base).args(["new", "shop"]).assert().success();
    blackstart().current_dir(&base).args(["run", "experiments/shop.yaml"]).assert().success();
    blackstart().current_dir(&base).args(["new", "shop"]).assert().code(2);
}

#[test]
fn schemas_lists_and_manuals_are_printed() {
    for arguments in [
        &["schema"][..],
        &["schema", "experiment"],
        &["list"],
        &["list", "metrics"],
        &["explain", "retry"],
        &["explain", "slow"],
    ] {
        let printed = blackstart().args(arguments).assert().success();
        assert!(printed.get_output().stdout.len() > 100, "{arguments:?}");
    }
    blackstart().args(["explain", "retyr"]).assert().code(2);
}

/// What `check` says of a model and an experiment (its `model:` is added), and with which exit code.
fn checked(name: &str, model: &str, experiment: &str) -> (i32, String) {
    let base = folder(name);
    fs::write(base.join("m.yaml"), model).expect("the file can be written");
    fs::write(base.join("x.yaml"), format!("model: m\n{experiment}")).expect("the file can be written");
    let output = blackstart().arg("check").arg(base.join("x.yaml")).output().expect("the program runs");
    (output.status.code().expect("it ends by itself"), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_is_likely_a_mistake_is_a_warning_at_its_place() {
    let model = "services:
  a: { operations: { get: [ { call: b.get, policies: [ timeout: 2s ] }, { call: b.get } ] } }
  b: { connections: { max: 10 }, operations: { get: [ work: 1ms ] } }
clients: { c: { calls: a.get, arrivals: { poisson: 1/s }, policies: [ timeout: 1s ] } }
network: { default: { loss: 1% } }
";
    let (code, said) = checked("warnings", model, "length: 10s\n");
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("this timeout of 2s is longer than the 1s of its caller") && said.contains("m.yaml:2:"),
        "{said}"
    );
    assert!(said.contains("can be lost, and this call has no timeout") && said.contains("3 warnings"), "{said}");
    assert!(said.contains("no call keeps connections to `b`"), "{said}");
    // Where nothing changes the load there are no two ways through it.
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { poisson: 1/s } } }\n";
    let chart = "length: 10s\ncharts: [ hysteresis: { metric: goodput } ]\n";
    let (code, said) = checked("warnings", model, chart);
    assert!(code == 0 && said.contains("no load rises and falls") && said.contains("x.yaml:3:11"), "{said}");
    let ramps = "set: { clients.c.load: [ ramp: { from: 1s, to: 9s, factor: 3 } ] }\n";
    let (code, said) = checked("warnings", model, &format!("{chart}{ramps}"));
    assert!(code == 0 && !said.contains("no load rises"), "{said}");
}

#[test]
fn mistakes_that_only_the_whole_can_show_are_drawn_together() {
    let model = "services:
  a: { operations: { get: [ { call: bb.get } ] } }
  b: { operations: { get: [ work: 1ms ] } }
clients: { c: { calls: a.gett, arrivals: { poisson: 1/s } } }
network: { default: { loss: 150% } }
";
    let (code, said) = checked("whole", model, "length: 10s\nwarmup: 20\nvary: { services.a.wokers: [1, 2] }\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("x.yaml:3:") && said.contains("20"), "a time without a unit: {said}");
    let (code, said) = checked("whole", model, "length: 10s\nvary: { services.a.wokers: [1, 2] }\n");
    assert_eq!(code, 2, "{said}");
    for part in ["m.yaml:5:", "150%", "x.yaml:3:", "wokers"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, said) = checked("whole", &model.replace("150%", "15%"), "length: 10s\n");
    assert_eq!(code, 2, "{said}");
    for part in ["m.yaml:2:", "`bb", "there are: a, b", "m.yaml:4:", "did you mean `a.get`", "gett", "2 errors"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn shared_lists_presets_and_named_axes_make_points() {
    let base = folder("lists");
    fs::write(
        base.join("m.yaml"),
        "services: { s: { operations: { get: [ fail: unavailable ] } } }
policies:
  patient: [ preset: retry-from-100ms, timeout: 5s ]
clients:
  a: { calls: s.get, arrivals: { constant: 10/s }, policies: [ use: patient ] }
  b: { calls: s.get, arrivals: { constant: 10/s }, policies: [ use: patient ] }
",
    )
    .expect("the file can be written");
    // Every attempt fails, so that each request makes as many as it may: 2 in all lists, or 7 of client a, or 4 of gRPC.
    fs::write(
        base.join("x.yaml"),
        "model: m
length: 10s
seeds: 1
set: { policies.patient.retry.attempts: 2 }
vary:
  how:
    path: clients.a.policies
    values: { shared: [ use: patient ], \"gRPC, all of it\": [ preset: grpc, use: patient ] }
  clients.a.policies.retry.budget: { values: { none: { finagle: { share: 1, min_retries: 1000/s } } } }
expect:
- { claim: the list, metric: amplification, of: client/b, equals: 2 }
- { claim: of a too, metric: amplification, of: client/a, where: { how: shared, budget: none }, equals: 2 }
- { claim: both, metric: amplification, of: client/a, where: { how: \"gRPC, all of it\" }, equals: 8 }
",
    )
    .expect("the file can be written");
    let run = |more: &[&str]| {
        let mut command = blackstart();
        command.arg("run").arg(base.join("x.yaml")).arg("--no-charts").args(more).arg("--out").arg(base.join("out"));
        command.output().expect("the program runs")
    };
    let first = run(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stdout));
    let table = fs::read_to_string(base.join("out/x/summary.csv")).expect("it was written");
    assert!(table.starts_with("point,how,budget,seed,"), "{}", table.lines().next().unwrap_or_default());
    assert!(table.contains("\n1,\"gRPC, all of it\",none,1,"), "{table}");
    // The last word has the command line, and it can name what a list or a preset has put there.
    for (set, code) in [("policies.patient.retry.attempts=3", 1), ("clients.b.policies.retry.attempts=3", 1)] {
        assert_eq!(run(&["--set", set]).status.code(), Some(code), "{set}");
    }
}

#[test]
fn bad_options_are_drawn_at_their_column() {
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }
clients:
  c:
    calls: s.get
    arrivals: { poisson: 1/s }
    policies:
      - retry: { attempts: 3, backoff: { exponential: { base: 2s, cap: 1s } } }
      - bulkhead:
          concurrent: 0
          wait: 1s
      - breaker: { failure_rate: 50%, open_for: 1s, window: 0 }
";
    // What cannot be read is said alone; the rest may be wrong only for that.
    let (code, said) = checked("columns", model, "length: 10s\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("m.yaml:11:61") && said.contains("a window of no calls"), "{said}");
    let (code, said) = checked("columns", &model.replace("window: 0", "window: 10"), "length: 10s\n");
    assert_eq!(code, 2, "{said}");
    for part in ["m.yaml:7:67", "m.yaml:9:11", "m.yaml:10:11", "3 errors"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn what_belongs_to_the_whole_experiment_cannot_be_varied() {
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }
clients: { c: { calls: s.get, arrivals: { poisson: 1/s } } }
";
    for experiment in [
        "length: 10s\nvary: { model: [ m, other ] }\n",
        "length: 10s\nvariants: { a: {}, b: { expect: [] } }\n",
        "length: 10s\nvary: { claims: { path: expect, values: { none: [] } } }\n",
        "length: 10s\nset: { variants: {} }\n",
    ] {
        let (code, said) = checked("whole", model, experiment);
        assert_eq!(code, 2, "{experiment}: {said}");
        assert!(said.contains("x.yaml:3:"), "{said}");
    }
}

#[test]
fn layers_that_never_act_are_warnings_at_their_place() {
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }
clients:
  c:
    calls: s.get
    arrivals: { poisson: 1/s }
    policies:
      - timeout: 1s
      - retry: { attempts: 3, backoff: { constant: 2s } }
      - breaker: { failure_rate: 50%, open_for: 1s }
      - fallback: default
      - timeout: 1500ms
";
    let (code, said) = checked("idle", model, "length: 10s\n");
    assert_eq!(code, 0, "{said}");
    for part in [
        "m.yaml:8:9",
        "never tries again: its first wait is 2s",
        "never tries again: the fallback inside it hides",
        "m.yaml:9:9",
        "this breaker never opens",
        "m.yaml:11:9",
        "this timeout of 1.5s never ends a call",
        "4 warnings",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn an_axis_with_a_name_that_is_taken_is_an_error() {
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { constant: 1/s } } }\n";
    let axes = "length: 9s\nvary:\n  clients.c.instances: [1, 2]\n  instances: { path: clients.c.batch, values: [1, 2] }\n  seed: { path: seed, values: [1] }\n";
    let (code, said) = checked("taken", model, axes);
    assert_eq!(code, 2, "{said}");
    for part in ["x.yaml:5:3", "there is an axis `instances` already", "x.yaml:6:3", "`seed` is a column"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, said) =
        checked("taken", model, "length: 9s\nvary: { clients.c.batch: { values: { a: 1, b: 1, a: 2 }, vals: 3 } }\n");
    assert_eq!(code, 2, "{said}");
}

#[test]
fn names_of_other_libraries_can_be_explained() {
    for (asked, told) in [
        ("CircuitBreaker", "breaker (policies)"),
        ("time_limiter", "timeout (policies)"),
        ("LEAST_REQUEST", "power_of_two (algorithms of balancers)"),
        ("queue", "queue (servers)"),
        ("load_shedding", "shed: "),
        ("503", "unavailable (outcomes)"),
        ("aws", "aws-sdk (presets)"),
    ] {
        let asked = blackstart().args(["explain", asked]).assert().success();
        let text = String::from_utf8_lossy(&asked.get_output().stdout).into_owned();
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn a_model_is_checked_alone_and_a_wrong_path_leads_to_the_right_one() {
    let base = folder("alone");
    let model = |zone: &str| {
        format!(
            "services:\n  s: {{ replicas: 2, zones: [a, b], balance: {{ zones: {{}} }}, operations: {{ get: [ work: 1ms ] }} }}\n\
             clients:\n  c: {{ zones: [{zone}], calls: s.get, arrivals: {{ constant: 10/s }} }}\n"
        )
    };
    let file = base.join("m.yaml");
    for (text, code, told) in [
        (model("a"), 0, "well-formed, a model"),
        (model("d"), 0, "no replica of `s`, which is called from here, is in zone `d`"),
        (model("a").replace("replicas", "replcias"), 2, "m.yaml:2:8"),
    ] {
        fs::write(&file, text).expect("the file can be written");
        let checked = blackstart().arg("check").arg(&file).assert().code(code);
        let output = checked.get_output();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(told), "{told}: {said}");
    }
    blackstart().arg("run").arg(&file).assert().code(2);
    let lost = blackstart().args(["run", "retry-strom"]).assert().code(2);
    let said = String::from_utf8_lossy(&lost.get_output().stderr).into_owned();
    assert!(said.contains("did you mean `experiments/retry-storm.yaml`?"), "{said}");
}

/// A fault from the very start leaves nothing to compare with: such runs do not show that none is stuck.
#[test]
fn runs_that_nobody_could_judge_decide_no_claim() {
    let base = folder("not-judged");
    let model = "services:\n  s: { workers: 1, operations: { get: [ work: 1ms ] } }\nclients:\n  \
                 c: { calls: s.get, arrivals: { constant: 10/s } }\n";
    fs::write(base.join("m.yaml"), model).expect("the file can be written");
    let text = "model: m.yaml\nlength: 10s\nseeds: 2\nfaults: [ { at: 0s, for: 1s, slow: { service: s, factor: 2 } } ]\n\
                expect: [ { claim: never stuck, verdict: metastable, at_most: 0% } ]\n";
    fs::write(base.join("e.yaml"), text).expect("the file can be written");
    blackstart().arg("run").arg(base.join("e.yaml")).arg("--out").arg(&base).assert().code(1);
    let claims = fs::read_to_string(base.join("e/claims.csv")).expect("the table was written");
    assert!(claims.lines().any(|line| line.ends_with(",undecided")), "{claims}");
}

/// What is varied cannot be set for all points: rows would say what was not run.
#[test]
fn what_an_axis_varies_has_one_value_at_each_point() {
    let base = folder("varied");
    let model = "services:\n  s: { workers: 1, operations: { get: [ work: 1ms ] } }\nclients:\n  \
                 c: { calls: s.get, arrivals: { constant: 10/s } }\n";
    fs::write(base.join("m.yaml"), model).expect("the file can be written");
    let lesson = "long ".repeat(50_000);
    let axis = "{ path: clients.c.arrivals.constant, values: [20/s, 30/s] }";
    let write = |vary: &str| {
        let text = format!(
            "model: m.yaml\nlesson: {lesson}\nlength: 1s\nseeds: 1\nvary: {{ {vary} }}\ncharts: [ timeline: {{ metric: goodput }} ]\n"
        );
        fs::write(base.join("e.yaml"), text).expect("the file can be written");
    };
    let sweep = |more: &[&str]| {
        blackstart().arg("sweep").arg(base.join("e.yaml")).args(more).arg("--out").arg(&base).output().expect("it runs")
    };
    write(&format!("load: {axis}"));
    let set = sweep(&["--set", "clients.c.arrivals.constant=50/s"]);
    let said = String::from_utf8_lossy(&set.stderr).into_owned();
    assert_eq!(set.status.code(), Some(2), "{said}");
    assert!(said.contains("`--vary clients.c.arrivals.constant=50/s`"), "{said}");
    // The name stays; a queue that nobody has written can be reached.
    let varied = sweep(&["--vary", "clients.c.arrivals.constant=40/s,50/s", "--set", "services.s.queue.capacity=5"]);
    assert_eq!(varied.status.code(), Some(0), "{}", String::from_utf8_lossy(&varied.stderr));
    let table = fs::read_to_string(base.join("e/verdicts.csv")).expect("it was written");
    let rows: Vec<&str> = table.lines().map(|line| line.split(",never").next().unwrap_or(line)).collect();
    assert_eq!(rows, ["point,load,seed,verdict,since,evidence", "0,40/s,1", "1,50/s,1"]);
    write(&format!("a: {axis}, b: {axis}"));
    let twice = sweep(&[]);
    let said = String::from_utf8_lossy(&twice.stderr).into_owned();
    assert!(twice.status.code() == Some(2) && said.contains("the axis `a` varies"), "{said}");
}

/// What a program that gathers tests reads, and what a pull request is told; texts from files stay texts in both.
#[test]
fn claims_are_told_as_tests_and_as_a_summary() {
    let base = folder("told");
    let (model, experiment) = (base.join("m.yaml"), base.join("e.yaml"));
    let services = "services:\n  s: { operations: { get: [ work: 1ms ] } }\n";
    fs::write(&model, format!("{services}clients:\n  c: {{ calls: s.get, arrivals: {{ constant: 10/s }} }}\n"))
        .expect("the file can be written");
    let odd = "\"<b> & ]]> | `x` \\u0007 [a](b)\"".replace("\\\\", "\\");
    let text = format!(
        "model: m.yaml\nlength: 10s\nseeds: 2\nexpect:\n  - {{ claim: {odd}, metric: goodput, at_most: 5/s }}\n  \
         - {{ claim: it holds, metric: goodput, at_least: 5/s }}\n"
    );
    fs::write(&experiment, text).expect("the file can be written");
    blackstart().arg("run").arg(&experiment).arg("--out").arg(&base).assert().code(1);
    let xml = fs::read_to_string(base.join("e/junit.xml")).expect("the file was written");
    let mut reader = quick_xml::Reader::from_str(&xml);
    let (mut cases, mut failures) = (Vec::new(), Vec::new());
    loop {
        use quick_xml::events::Event;
        match reader.read_event().expect("it is XML") {
            Event::Start(element) | Event::Empty(element) => {
                let value = |name: &str| {
                    let found = element.try_get_attribute(name).expect("attributes are well-formed");
                    found.map(|it| {
                        it.normalized_value(quick_xml::XmlVersion::Explicit1_0).expect("it is text").into_owned()
                    })
                };
                match element.name().as_ref() {
                    "testsuite" => {
                        let counts = ["tests", "failures", "errors"].map(|name| value(name).unwrap_or_default());
                        assert_eq!(counts, ["3", "1", "0"]);
                    }
                    "testcase" => cases.extend(value("name")),
                    "failure" => failures.extend(value("type")),
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(cases, ["every run comes to its end", "<b> & ]]> | `x`  [a](b)", "it holds"]);
    assert_eq!(failures, ["does not hold"]);
    let summary = fs::read_to_string(base.join("e/summary.md")).expect("the file was written");
    assert!(summary.contains("**Claims: 1 of 2 hold, 1 does not.**"), "{summary}");
    assert!(summary.contains("&lt;b&gt; &amp; \\]\\]&gt; \\| \\`x\\`"), "{summary}");
}

#[test]
fn a_claim_that_cannot_be_decided_says_so_and_ends_with_one() {
    let out = folder("undecided");
    let run = blackstart()
        .args(["run", "experiments/breaker-pauses.yaml", "--seeds", "4", "--no-charts", "--out"])
        .arg(&out)
        .assert()
        .code(1);
    let text = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    assert!(text.contains("cannot be decided with these seeds") && text.contains("seeds would decide it"), "{text}");
    let claims = fs::read_to_string(out.join("breaker-pauses/claims.csv")).expect("the table was written");
    assert!(claims.lines().any(|line| line.ends_with(",undecided")), "{claims}");
    assert!(claims.lines().any(|line| line.ends_with(",yes")), "{claims}");
}

#[test]
fn seeds_that_are_run_until_it_is_enough_are_the_same_with_one_thread_or_two() {
    let base = folder("until");
    let asked =
        ["experiments/breaker-pauses.yaml", "--no-charts", "--set", "length=300s", "--set", "expect=[]", "--set"];
    let asked = [&asked[..], &["seeds={ until: 6%, at_most: 60 }"]].concat();
    let one = run_into(&base.join("one"), &[&asked[..], &["--jobs", "1"]].concat());
    let two = run_into(&base.join("two"), &[&asked[..], &["--jobs", "2"]].concat());
    assert!(one == two, "the files differ");
}

#[test]
fn two_points_or_two_files_are_compared_under_the_same_luck() {
    let ask = |arguments: &[&str]| {
        let file = ["compare", "experiments/breaker-pauses.yaml", "--seeds", "10"];
        let asked = blackstart().args(file).args(arguments).assert();
        let output = asked.get_output();
        let code = output.status.code().expect("it ended");
        (code, String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let points = ["--where", "pause=10s", "--against", "pause=2s", "--metric"];
    let (code, text) = ask(&[&points[..], &["goodput"]].concat());
    assert!(code == 0 && text.contains("B has more") && text.contains("x the seeds"), "{text}");
    let (_, text) = ask(&[&points[..], &["offered"]].concat());
    assert!(text.contains("the same in every pair of runs: offered"), "{text}");
    let (_, text) = ask(&[&points[..], &["goodput", "--format", "csv"]].concat());
    assert!(text.starts_with("a,b,entity,metric,window,n,") && text.contains(",more,"), "{text}");
    let (_, text) = ask(&[&points[..], &["utilisation", "--of", "service/server", "--format", "json"]].concat());
    assert!(text.contains("\"finding\": \"more\"") && text.contains("\"seeds\": ["), "{text}");
    // The same file twice: each point with itself.
    let (code, text) = ask(&["experiments/breaker-pauses.yaml", "--where", "pause=2s"]);
    assert!(code == 0 && text.contains("nothing differs"), "{text}");
    for (wrong, what) in [
        (&["--where", "pause=10s"][..], "compare with what?"),
        (
            &["--where", "pause=3s", "--against", "pause=2s"],
            "the axis `pause` has no value `3s`: it has: 2s, 4s, 5s, 10s",
        ),
        (&["--where", "paws=3s", "--against", "pause=2s"], "no axis `paws`: there are: pause"),
        (&["--where", "pause", "--against", "pause=2s"], "want an axis and its value"),
        (&["--against", "pause=2s", "--metric", "goodptu"], "did you mean `goodput`?"),
        (&["--against", "pause=2s", "--of", "service/servre"], "did you mean `service/server`?"),
        (&["--against", "pause=2s", "--window", "later"], "no window is called `later`"),
        (&["--against", "pause=2s", "--metric", "busy.mean"], "say whose with `--of`"),
    ] {
        let (code, text) = ask(wrong);
        assert!(code == 2 && text.contains(what), "{wrong:?}: {text}");
    }
}

#[test]
fn a_share_of_runs_is_claimed_exactly_only_as_all_or_none() {
    let model = "services: { s: { operations: { get: [ work: 1ms ] } } }\nclients: { c: { calls: s.get, arrivals: { constant: 10/s } } }\n";
    let claim = "length: 10s\nexpect:\n- { claim: half, verdict: recovered, equals: 50% }\n";
    let (code, text) = checked("share", model, claim);
    assert!(code == 2 && text.contains("only all (`100%`) or none (`0%`)"), "{text}");
    let (code, text) = checked("until", model, "length: 10s\nseeds: { until: 0%, at_most: 20 }\n");
    assert!(code == 2 && text.contains("no number of seeds makes an interval of no width"), "{text}");
}

#[test]
fn a_warm_up_that_is_too_short_is_told_and_one_that_is_not_is_not() {
    let base = folder("warm-up");
    // Each of 10 requests a second takes 20 s: from nothing, 200 are under way after 20 s, of a run of 200 s.
    let model = "services: { s: { workers: 1000, operations: { get: [ work: { exponential: 20s } ] } } }\n\
                 clients: { c: { calls: s.get, arrivals: { poisson: 10/s } } }\n";
    fs::write(base.join("m.yaml"), model).expect("the file can be written");
    let said = |warmup: &str| {
        fs::write(base.join("x.yaml"), format!("model: m\nlength: 600s\nwarmup: {warmup}\n"))
            .expect("it can be written");
        let run =
            blackstart().args(["run", "--no-charts", "--out"]).arg(base.join("out")).arg(base.join("x.yaml")).assert();
        String::from_utf8_lossy(&run.success().get_output().stdout).into_owned()
    };
    let text = said("0s");
    assert!(text.contains("the warm-up of 0s seems too short") && text.contains("busy.mean of service/s"), "{text}");
    assert!(text.contains("goodput of client/c: ") && text.contains("/s (5 seeds)"), "{text}");
    assert!(!said("120s").contains("too short"));
}
/// A small model, and an experiment with two hundred points, a chart and a claim that is relative to another point.
fn small_sweep(name: &str) -> PathBuf {
    let base = folder(name);
    fs::write(
        base.join("m.yaml"),
        "services: { s: { workers: 2, operations: { get: [ work: { exponential: 10ms } ] } } }
clients: { c: { calls: s.get, arrivals: { poisson: 50/s }, policies: [ timeout: 1s ] } }
",
    )
    .expect("the file can be written");
    fs::write(
        base.join("x.yaml"),
        "model: m
length: 10s
warmup: 1s
seeds: 2
faults: [ { at: 5s, for: 2s, slow: { service: s, factor: 3 } } ]
vary:
  clients.c.arrivals.poisson: { from: 10/s, to: 200/s, steps: 20 }
  services.s.workers: { from: 1, to: 10, steps: 10 }
charts: [ { bars: { metric: goodput, by: workers } }, { timeline: { metric: goodput, by: workers } } ]
expect:
- { claim: more workers do no harm, where: { poisson: 50/s }, metric: goodput, relative_to: { workers: 1 }, at_least: 0.5 }
",
    )
    .expect("the file can be written");
    base
}

/// `run` of the small sweep into a folder, with more arguments.
fn sweeping(base: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = blackstart();
    command.arg("run").arg(base.join("x.yaml")).arg("--out").arg(base.join(out)).args(more);
    command
}

/// The fragments in the only work folder of the small sweep.
fn fragments(base: &Path, out: &str) -> Vec<PathBuf> {
    let works = fs::read_dir(base.join(out).join("x/.work")).into_iter().flatten().flatten();
    let files = works.flat_map(|work| fs::read_dir(work.path()).into_iter().flatten().flatten());
    let mut found: Vec<PathBuf> = files.map(|file| file.path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix('p').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    found.sort();
    found
}

#[test]
fn a_sweep_that_is_killed_goes_on_and_ends_with_the_same_bytes() {
    let base = small_sweep("killed");
    sweeping(&base, "whole", &["--jobs", "2"]).assert().success();
    sweeping(&base, "one", &["--jobs", "1"]).assert().success();
    let whole = files_below(&base.join("whole"));
    assert!(whole == files_below(&base.join("one")), "one thread and two");
    assert!(
        whole.len() == 10 + 4,
        "tables, claims as tests, summary, manifest, report, charts and nothing else: {}",
        whole.len()
    );
    let stale = base.join("killed/x/.work/0123456789abcdef");
    fs::create_dir_all(&stale).expect("the folder can be made");
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("blackstart"))
        .arg("run")
        .arg(base.join("x.yaml"))
        .args(["--jobs", "1", "--out"])
        .arg(base.join("killed"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    while fragments(&base, "killed").len() < 5 {
        std::thread::yield_now();
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    let left = fragments(&base, "killed");
    assert!((5..200).contains(&left.len()) && !base.join("killed/x/summary.csv").exists(), "{} are left", left.len());
    assert!(!stale.exists(), "other work is removed");
    // One of them is cut off, as when the power fails.
    let bytes = fs::read(&left[3]).expect("it can be read");
    fs::write(&left[3], &bytes[..bytes.len() / 2]).expect("it can be written");
    sweeping(&base, "killed", &["--jobs", "2"]).assert().success();
    assert!(files_below(&base.join("killed")) == whole, "the files differ");
}

#[test]
fn parts_are_merged_into_the_bytes_of_one_run() {
    let base = small_sweep("parts");
    let mut runs = vec![sweeping(&base, "whole", &[]), sweeping(&base, "other", &["--shard", "2/3", "--seeds", "1"])];
    runs.extend(["1/3", "2/3", "3/3"].map(|part| sweeping(&base, &part[..1], &["--shard", part])));
    for mut run in runs {
        run.assert().success();
    }
    let merge = |parts: &[&str], out: &str| {
        let mut command = blackstart();
        command.arg("merge").args(parts.iter().map(|part| base.join(part))).arg("--out").arg(base.join(out));
        command.output().expect("the program runs")
    };
    for (parts, complaint) in [
        (&["1", "3"][..], "67 of 200 points are missing, the first of them 1: run and name the parts 2/3"),
        (&["1", "other", "3"], "parts of different work"),
        (&["1", "whole"], "holds no part"),
    ] {
        let refused = merge(parts, "nothing");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(complaint), "{said}");
    }
    assert!(!base.join("nothing").exists(), "something was written");
    // What is done is not done again.
    let times = || -> Vec<_> {
        let modified = |path: PathBuf| fs::metadata(path).and_then(|it| it.modified()).expect("it is there");
        fragments(&base, "1").into_iter().map(modified).collect()
    };
    let before = times();
    sweeping(&base, "1", &["--shard", "1/3"]).assert().success();
    assert!(before.len() == 67 && before == times(), "fragments were written anew");
    // The files themselves are not needed any more.
    fs::remove_file(base.join("x.yaml")).expect("it can be removed");
    fs::remove_file(base.join("m.yaml")).expect("it can be removed");
    assert_eq!(merge(&["3", "1/x", "2"], "merged").status.code(), Some(0));
    let whole = files_below(&base.join("whole"));
    assert!(files_below(&base.join("merged")) == whole, "the files differ");
    blackstart().arg("merge").args(["1", "2", "3"].map(|part| base.join(part))).assert().success();
    assert!(files_below(&base.join("1")) == whole, "into the first: the files differ");
}

#[test]
fn traces_change_no_other_file_and_are_the_same_from_parts_and_after_a_stop() {
    let base = small_sweep("traces");
    let with = |out: &str, more: &[&str]| {
        sweeping(&base, out, &[&["--seeds", "2", "--trace", "5"], more].concat()).assert().success();
    };
    sweeping(&base, "plain", &["--seeds", "2"]).assert().success();
    with("whole", &["--jobs", "2"]);
    let is_page = |path: &std::path::Path| path.ends_with("report.html");
    let is_waterfall = |path: &std::path::Path| path.to_string_lossy().contains("charts/00-waterfall-point-");
    let (traces, others): (Vec<_>, Vec<_>) =
        files_below(&base.join("whole")).into_iter().partition(|(path, _)| path.starts_with("x/traces"));
    assert!(traces.len() == 3 * 200 && traces.iter().all(|(_, bytes)| bytes.len() > 100), "{}", traces.len());
    let (waterfalls, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(path, _)| is_waterfall(path));
    assert_eq!(waterfalls.len(), 2 * 12, "an SVG and a PNG for each of the first points");
    let tables =
        |files: Vec<_>| files.into_iter().filter(|(path, _): &(PathBuf, _)| !is_page(path)).collect::<Vec<_>>();
    assert!(tables(others) == tables(files_below(&base.join("plain"))), "the other files differ");
    // As if it had been stopped after every other point.
    with("stopped", &["--shard", "1/2"]);
    with("stopped", &["--jobs", "1"]);
    with("part", &["--shard", "1/2"]);
    with("parts", &["--shard", "2/2"]);
    let mut merge = blackstart();
    merge.arg("merge").args(["part", "parts"].map(|part| base.join(part))).arg("--out").arg(base.join("merged"));
    merge.assert().success();
    let whole = files_below(&base.join("whole"));
    assert!(files_below(&base.join("stopped")) == whole, "stopped: the files differ");
    assert!(files_below(&base.join("merged")) == whole, "merged: the files differ");
    // A run without traces leaves none of an earlier one.
    sweeping(&base, "whole", &["--seeds", "2"]).assert().success();
    assert!(!base.join("whole/x/traces").exists());
    sweeping(&base, "none", &["--trace", "0"]).assert().code(2);
}

#[test]
fn axes_on_the_line_are_as_if_they_stood_in_the_file() {
    let base = small_sweep("line");
    let sweep = |out: &str, more: &[&str]| {
        let mut command = blackstart();
        command.arg("sweep").arg(base.join("x.yaml")).args(["--seeds", "1", "--no-charts", "--set", "expect=[]"]);
        command.args(more).arg("--out").arg(base.join(out)).output().expect("the program runs")
    };
    let points = |out: &str| -> Vec<String> {
        let table = fs::read_to_string(base.join(out).join("x/verdicts.csv")).expect("it was written");
        table.lines().skip(1).map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ")).collect()
    };
    let rates = "clients.c.arrivals.poisson=";
    let grid = sweep("grid", &["--vary", &format!("{rates}50/s,20/s"), "--vary", "services.s.workers=1..64:4:log"]);
    assert_eq!(grid.status.code(), Some(0), "{}", String::from_utf8_lossy(&grid.stderr));
    let expected = ["0 50/s 1", "1 50/s 4", "2 50/s 16", "3 50/s 64", "4 20/s 1", "5 20/s 4", "6 20/s 16", "7 20/s 64"];
    assert_eq!(points("grid"), expected);
    let drawn = sweep(
        "drawn",
        &["--vary", &format!("{rates}10/s..50/s"), "--vary", "services.s.workers=1,2", "--sample", "sobol:3"],
    );
    assert_eq!(drawn.status.code(), Some(0), "{}", String::from_utf8_lossy(&drawn.stderr));
    assert_eq!(points("drawn"), ["0 10/s 1", "1 30/s 1", "2 40/s 1", "3 10/s 2", "4 30/s 2", "5 40/s 2"]);
    let (r, w) = (format!("{rates}10/s..50/s"), "services.s.workers=1..8");
    for (wrong, complaint) in [
        (&["--vary", "services.s.workers"][..], "a path and its values are needed"),
        (&["--vary", "services.s.workers=1..8:two"], "no whole number"),
        (&["--vary", "services.s.workers=1..8:2:cubic"], "comes `log`, or nothing"),
        (&["--vary", "services.s.workers=1..8:1"], "two `steps` or more"),
        (&["--vary", "services.s.workers=0..8:2:log"], "no zero"),
        (&["--vary", "services.s.workers=1ms..8s:2"], "the units differ"),
        (&["--vary", "services.s.workers=a..b:2"], "no end of a range"),
        (&["--sample", "sobel:8"], "this is no sample"),
        (&["--sample", "lhs:8"], "`steps` of a range from which a sample is drawn"),
        (&["--vary", &r, "--vary", w, "--sample", "sobol:0"], "at least one point"),
        (&["--vary", &format!("{rates}1/s"), "--vary", "services.s.workers=1", "--sample", "lhs:8"], "no range"),
        (&["--shard", "4/3"], "e.g. `2/3`"),
    ] {
        let refused = sweep("wrong", wrong);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && said.contains(complaint), "{wrong:?}: {said}");
    }
}

/// A server that is stuck when its retries are more than it can do: with two attempts, above 50 requests a second.
fn small_map(name: &str, map: &str) -> PathBuf {
    let base = folder(name);
    fs::write(
        base.join("m.yaml"),
        "services:\n  s: { workers: 1, queue: { capacity: 100 }, operations: { get: [ work: 10ms ] } }\nclients:\n  c:\n    calls: s.get\n    arrivals: { poisson: 20/s }\n    policies: [ { retry: { attempts: 2 } }, { timeout: 200ms } ]\n",
    )
    .expect("it can be written");
    fs::write(
        base.join("e.yaml"),
        format!(
            "model: m.yaml\nlength: 120s\nwarmup: 5s\nseeds: 8\nfaults: [ {{ name: surge, at: 20s, for: 10s, surge: {{ client: c, factor: 10 }} }} ]\nvary:\n  load: {{ path: clients.c.arrivals.poisson, from: 20/s, to: 90/s, steps: 4 }}\n  attempts: {{ path: clients.c.policies.retry.attempts, values: [ 1, 2 ] }}\nmap: {map}\n"
        ),
    )
    .expect("it can be written");
    base
}

#[test]
fn a_map_is_the_same_with_one_thread_or_two_and_its_claims_decide_how_it_ends() {
    let map = "{ along: load, within: 5%, expect: [ { claim: one, where: { attempts: 1 }, everywhere: recovers }, \
               { claim: two, where: { attempts: 2 }, at_least: 40/s, at_most: 60/s } ] }";
    let base = small_map("map", map);
    let file = base.join("e.yaml");
    let mapped = |out: &str, more: &[&str]| {
        let mut command = blackstart();
        command.arg("map").arg(&file).args(more).arg("--out").arg(base.join(out));
        command.assert()
    };
    let text = mapped("one", &["--jobs", "1"]).success().get_output().stdout.clone();
    mapped("two", &["--jobs", "2"]).success();
    let one = files_below(&base.join("one"));
    let names: Vec<String> = one.iter().map(|it| it.0.display().to_string()).collect();
    assert_eq!(names, ["e/charts/map.png", "e/charts/map.svg", "e/map-probes.csv", "e/map.csv"]);
    assert!(one == files_below(&base.join("two")), "the files differ");
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("attempts 1: recovers everywhere") && text.contains("claims: 2 of 2 hold"), "{text}");
    assert!(text.contains("attempts 2: all runs come back up to"), "{text}");
    // A chart of an earlier map does not stay beside the tables of a later one.
    mapped("two", &["--no-charts"]).success();
    assert_eq!(files_below(&base.join("two")).len(), 2);
    // One claim that cannot hold, and one on a row without a boundary.
    let wrong = "map.expect=[ { claim: too much, where: { attempts: 2 }, at_least: 80/s }, { claim: none, where: { attempts: 1 }, at_most: 80/s } ]";
    let out = mapped("wrong", &["--set", wrong, "--no-charts"]).code(1).get_output().stdout.clone();
    let out = String::from_utf8_lossy(&out);
    assert!(out.contains("claims: 0 of 2 hold") && out.contains("does not hold (attempts 2): too much"), "{out}");
    assert!(out.contains("there is no boundary"), "{out}");
    // A range that falls is the same range.
    let rising = fs::read_to_string(&file).expect("it can be read");
    fs::write(&file, rising.replace("from: 20/s, to: 90/s", "from: 90/s, to: 20/s")).expect("it can be written");
    let falling = mapped("falling", &[]).success().get_output().stdout.clone();
    let falling = String::from_utf8_lossy(&falling);
    let until = |text: &str| text.lines().take_while(|line| !line.contains(" runs; ")).map(str::to_owned).collect();
    let (before, after): (Vec<String>, Vec<String>) = (until(&text), until(&falling));
    assert_eq!(before, after);
    let table = fs::read_to_string(base.join("falling/e/map.csv")).expect("it can be read");
    assert!(table.contains("2,load,boundary,below,"), "{table}");
    fs::write(&file, rising).expect("it can be written");
    // With one seed everything is counted, and the line says where to look.
    let json = mapped(
        "json",
        &["--along", "load", "--within", "20%", "--seeds", "1", "--format", "json", "--set", "map.expect=[]"],
    );
    let json: serde_json::Value = serde_json::from_slice(&json.success().get_output().stdout).expect("it is JSON");
    assert_eq!((&json["seeds"], &json["rows"][1]["state"]), (&1.into(), &"boundary".into()));
    assert!(json["confidence"].is_null(), "one run has no interval");
}

#[test]
fn mistakes_in_a_map_are_drawn_at_their_column() {
    for (map, wanted) in [
        ("{ along: loadd }", ["`loadd`: no axis has this name", "did you mean `load`?", "e.yaml:9:15"]),
        ("{ along: attempts }", ["nothing lies between them", "give it `from` and `to`", "e.yaml:9:15"]),
        ("{ within: 80% }", ["looked for this closely", "between `0.01%` and `50%`", "e.yaml:9:16"]),
        ("{ recovers: [] }", ["nothing counts as having come back", "name the verdicts", "e.yaml:9:18"]),
        ("{ expect: [ { claim: x } ] }", ["a bound of the boundary", "or `everywhere`", "e.yaml:9:18"]),
        ("{ expect: [ { claim: x, at_most: 30ms } ] }", ["no value of the range `load`", "20/s", "e.yaml:9:39"]),
        (
            "{ expect: [ { claim: x, where: { load: 20/s }, at_most: 30/s } ] }",
            ["`load` is the axis along which", "by the other axes", "e.yaml:9:39"],
        ),
        (
            "{ expect: [ { claim: x, where: { attempts: 7 }, at_most: 30/s } ] }",
            ["`attempts` has no value 7", "it has: 1, 2", "e.yaml:9:49"],
        ),
        ("{}\nsample: { sobol: 8 }", ["points that are drawn", "leave `sample` out", "e.yaml:10:9"]),
    ] {
        let base = small_map("map-mistakes", map);
        let file = base.join("e.yaml");
        let text = fs::read_to_string(&file).expect("it can be read");
        // A sample wants no steps.
        let text = if map.contains("sample") { text.replace(", steps: 4", "") } else { text };
        fs::write(&file, text).expect("it can be written");
        let output = blackstart().arg("check").arg(&file).output().expect("it runs");
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{map}: {shown}");
        assert!(wanted.iter().all(|it| shown.contains(it)), "{map}: {shown}");
    }
    // A range of one value.
    let base = small_map("map-narrow", "{ along: load }");
    let text = fs::read_to_string(base.join("e.yaml")).expect("it can be read").replace("to: 90/s", "to: 20/s");
    fs::write(base.join("e.yaml"), text).expect("it can be written");
    let output = blackstart().arg("check").arg(base.join("e.yaml")).output().expect("it runs");
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = ["begins and ends at 20/s", "or look along another axis", "e.yaml:7:61"];
    assert!(output.status.code() == Some(2) && wanted.iter().all(|it| shown.contains(it)), "{shown}");
    // The line is checked as well, and what has no map can be mapped.
    let base = small_map("map-line", "{}");
    let mapped = |more: &[&str]| {
        let output = blackstart().arg("map").arg(base.join("e.yaml")).args(more).arg("--out").arg(&base).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = mapped(&["--along", "attempts"]);
    assert!(code == Some(2) && text.contains("nothing lies between them"), "{text}");
    let (code, text) = mapped(&["--within", "90%"]);
    assert!(code == Some(2) && text.contains("`--within`"), "{text}");
    let (code, text) = mapped(&["--vary", "clients.c.policies.timeout=1s..2s"]);
    assert!(code == Some(2) && text.contains("several ranges"), "{text}");
    assert!(!base.join("e").exists(), "nothing was run, and no folder is there");
    // The line says along which of several ranges, if the file does not.
    let two = [
        "--set",
        "vary={ load: { path: clients.c.arrivals.poisson, from: 20/s, to: 90/s }, timeout: { path: clients.c.policies.timeout, from: 100ms, to: 200ms, steps: 2 } }",
    ];
    let (code, text) = mapped(&[&two[..], &["--seeds", "1"]].concat());
    assert!(code == Some(2) && text.contains("several ranges"), "{text}");
    let (code, text) =
        mapped(&[&two[..], &["--along", "load", "--within", "20%", "--seeds", "1", "--no-charts"]].concat());
    assert!(code == Some(0), "{text}");
}

#[test]
fn a_new_run_leaves_nothing_of_earlier_results_and_names_what_is_in_its_way() {
    let base = small_map("leftovers", "{ along: load, within: 20% }");
    let with = |way: &str, more: &[&str]| {
        let mut command = blackstart();
        command.arg(way).arg(base.join("e.yaml")).args(["--seeds", "1"]).args(more).arg("--out").arg(&base);
        command.output().expect("it runs")
    };
    assert!(with("map", &[]).status.success() && base.join("e/charts/map.svg").is_file());
    assert!(with("run", &["--no-charts"]).status.success());
    for gone in ["map.csv", "map-probes.csv", "charts"] {
        assert!(!base.join("e").join(gone).exists(), "{gone} is of an earlier map");
    }
    fs::remove_file(base.join("e/manifest.json")).expect("it is there");
    fs::create_dir_all(base.join("e/report.html/mine")).expect("it can be made");
    let said = with("run", &["--no-charts"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.code() == Some(3) && text.contains("report.html: ") && text.contains("help: "), "{text}");
    fs::remove_dir_all(base.join("e/report.html")).expect("it is there");
    assert!(with("run", &["--no-charts"]).status.success() && !base.join("e/.work").exists());
    // A part that was damaged.
    assert!(with("run", &["--no-charts", "--shard", "1/2"]).status.success());
    let job =
        fs::read_dir(base.join("e/.work")).expect("a part").flatten().next().expect("a part").path().join("job.json");
    fs::write(job, "{").expect("it can be written");
    let said = blackstart().arg("merge").arg(base.join("e")).output().expect("it runs");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.status.code() == Some(2) && text.contains("job.json is damaged") && text.contains("remove it"),
        "{text}"
    );
}
