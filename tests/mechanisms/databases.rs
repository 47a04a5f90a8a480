//! Databases: when a follower has a write, what a read misses, whom a write waits for, and what a failover loses.

use super::{Ran, Texts, assert_binomial, run};

const DB: &str = "database/db";

/// Three replicas with these options, operations that take no time, and clients.
fn model(options: &str, clients: &str) -> String {
    format!(
        "
        services:
          db:
            replicas: 3
            replication: {{ {options} }}
            operations: {{ put: {{ writes: true, steps: [] }}, get: [] }}
        clients:
          {clients}
        "
    )
}

/// Writes at 100, 200, 300, .. ms.
const WRITERS: &str = "writers: { calls: db.put, arrivals: { constant: 10/s } }";

fn writers(options: &str, experiment: &str) -> Ran {
    run(&model(options, WRITERS), experiment)
}

/// Someone who writes for 10 ms, waits, and reads for 10 ms, once a second.
fn own_writes(options: &str, wait: &str) -> Ran {
    run(
        &format!(
            "
            services:
              db:
                replicas: 3
                replication: {{ {options} }}
                operations: {{ put: {{ writes: true, steps: [ work: 10ms ] }}, get: [ work: 10ms ] }}
              time: {{ operations: {{ pass: [ work: {wait} ] }} }}
            clients:
              c:
                tasks: {{ t: {{ steps: [ call: db.put, call: time.pass, call: db.get ] }} }}
                arrivals: {{ constant: 1/s }}
            "
        ),
        "{ length: 10500ms }",
    )
}

/// A write at 1 s is acknowledged at 1.01 s, and at the followers at 1.11 s. A read ends 10 ms after it comes.
#[test]
fn a_follower_has_a_write_after_its_lag_and_what_it_misses_is_stale() {
    for (reads, wait, stale) in [
        ("replicas", "50ms", 10),
        // It comes at 1.099 s, and ends 9 ms later; it comes at 1.105 s, and the write is there when it ends.
        ("replicas", "88ms", 10),
        ("replicas", "95ms", 0),
        ("replicas", "200ms", 0),
        ("prefer_replicas", "50ms", 10),
        ("primary", "50ms", 0),
        ("prefer_primary", "50ms", 0),
    ] {
        let ran = own_writes(&format!("lag: 100ms, reads: {reads}"), wait);
        assert_eq!((ran.count(DB, "writes"), ran.count(DB, "reads")), (10, 10), "{reads} {wait}");
        assert_eq!(ran.count(DB, "stale_reads"), stale, "{reads} {wait}");
    }
    let ran = own_writes("lag: 100ms, reads: replicas", "50ms");
    assert_eq!(ran.value(DB, "stale_share"), 1.0);
    // Acknowledged at 1.01 s, and missed by what has been read at 1.07 s.
    assert_eq!(ran.millis(DB, "staleness.max"), 60);
    // Who reads anywhere hits the primary each third time: of ten reads after as many writes, which go to nobody else.
    let any = own_writes("lag: 100ms, reads: any", "50ms");
    assert!((6..=7).contains(&any.count(DB, "stale_reads")), "{}", any.count(DB, "stale_reads"));
}

/// A write that is acknowledged while a read is under way at a replica may be seen by it or not: neither is wrong.
#[test]
fn a_read_misses_only_what_was_acknowledged_before_it_came() {
    let ran = run(
        "
        services:
          db:
            replicas: 2
            replication: { lag: 1s, reads: replicas }
            operations: { put: { writes: true, steps: [ work: 50ms ] }, get: [ work: 100ms ] }
        clients:
          writer: { calls: db.put, arrivals: { constant: 1/s } }
          reader: { calls: db.get, arrivals: { constant: 1/s } }
        ",
        "{ length: 1500ms }",
    );
    assert_eq!((ran.count(DB, "writes"), ran.count(DB, "reads"), ran.count(DB, "stale_reads")), (1, 1, 0));
}

#[test]
fn writes_do_not_disturb_the_turns_of_the_reads() {
    let clients = "both: { tasks: { t: { steps: [ call: db.put, call: db.get ] } }, arrivals: { constant: 10/s } }";
    let ran = run(&model("lag: 0ms, reads: replicas", clients), "{ length: 10050ms }");
    let arrivals = [0, 1, 2].map(|replica| ran.count(&format!("instance/db/{replica}"), "arrivals"));
    assert_eq!(arrivals, [100, 50, 50]);
    assert_eq!(ran.count(DB, "stale_reads"), 0, "what takes no time is there at once");
}

/// With exponential lags of 100 ms at two followers, the first has it after 50 ms and both have it after 150 ms, in the mean; the
/// standard deviations are 50 and 112 ms. A write a second: none is held up by the one before it.
#[test]
fn the_answer_of_a_write_waits_for_nobody_for_one_or_for_all() {
    for (mode, mean, sd) in [("asynchronous", 0.0, 0.0), ("semi_synchronous", 0.05, 0.05), ("synchronous", 0.15, 0.112)]
    {
        let options = format!("mode: {mode}, lag: {{ exponential: 100ms }}");
        let client = "writers: { calls: db.put, arrivals: { constant: 1/s } }";
        let ran = run(&model(&options, client), "{ length: 4000s }");
        let measured = ran.value("client/writers", "latency.mean");
        assert!((measured - mean).abs() <= 5.0 * sd / 4000.0_f64.sqrt(), "{mode}: {measured}");
    }
}

/// A follower never has a later write before an earlier one. Someone reads t = 100 ms after a write; lags are exponential with a mean of
/// m = 100 ms, and q = e^(-t/m). The write is there if its own lag is over, and that of all before it: with λ = 10 writes a second these
/// are P = (1 - q) e^(-λ m q) = 0.4375.
#[test]
fn no_write_overtakes_an_earlier_one() {
    let ran = run(
        "
        services:
          db:
            replicas: 2
            replication: { lag: { exponential: 100ms }, reads: replicas }
            operations: { put: { writes: true, steps: [] }, get: [] }
          time: { operations: { pass: [ work: 100ms ] } }
        clients:
          c:
            keys: distinct
            tasks: { t: { steps: [ call: db.put, call: time.pass, call: db.get ] } }
            arrivals: { poisson: 10/s }
        ",
        "{ length: 4000s }",
    );
    // Reads within a lag of each other see the same delay: about as many independent ones as there are lags, 40,000 in all / 4.
    let share = ran.value(DB, "stale_share");
    assert!((share - 0.5625).abs() < 5.0 * (0.5625_f64 * 0.4375 / 10_000.0).sqrt(), "{share}");
}

/// 20 keys are written 40 times a second in all, and read elsewhere. A read is stale if its key was written within the lag:
/// 1 - e^(-40/s × 0.1 s / 20) = 0.181.
#[test]
fn the_share_of_stale_reads_follows_from_the_rate_of_writes_of_a_key() {
    let ran = run(
        &model(
            "lag: 100ms, reads: replicas",
            "{ w: { calls: db.put, keys: { uniform: 20 }, arrivals: { poisson: 40/s } },
               r: { calls: db.get, keys: { uniform: 20 }, arrivals: { poisson: 40/s } } }",
        ),
        "{ length: 1000s, warmup: 1s }",
    );
    let (stale, reads) = (ran.value(DB, "stale_reads") * 999.0, ran.value(DB, "reads") * 999.0);
    // Two reads of a key within a lag of each other agree; there are 0.2 others of it.
    assert_binomial((stale / 1.2).round() as u64, (reads / 1.2).round() as u64, 1.0 - libm::exp(-0.2));
    // The first write of the key within the lag is missed: at least 0, at most 100 ms.
    assert!(ran.value(DB, "staleness.max") <= 0.1);
}

const FAILOVER: &str = "lag: 500ms, failover: { detect_after: 2s, takes: 3s }";
const CRASH: &str = "{ length: 40050ms, faults: [ { at: 10050ms, for: 20s, crash: { service: db, replica: 0 } } ] }";

/// At 10.05 s the followers have what was written by 9.55 s: of 100 writes 95. Until 12.05 s writes go to the replica that is down (20),
/// until 15.05 s to nobody (30).
#[test]
fn a_failover_takes_its_time_and_loses_what_no_follower_has() {
    let ran = writers(FAILOVER, CRASH);
    assert_eq!(ran.count("client/writers", "offered"), 400);
    assert_eq!(ran.count("client/writers", "failed.unreachable"), 20);
    assert_eq!(ran.count("client/writers", "failed.unavailable"), 30);
    assert_eq!(ran.count(DB, "writes"), 350);
    assert_eq!((ran.value(DB, "lost_writes"), ran.value(DB, "failovers")), (5.0, 1.0));
    assert!((ran.value(DB, "without_primary") * 40.05 - 5.0).abs() < 1e-9);
}

/// What waits for a follower is not acknowledged yet: those five fail instead, because their process is gone.
#[test]
fn what_was_acknowledged_by_a_follower_is_not_lost() {
    for mode in ["semi_synchronous", "synchronous"] {
        let ran = writers(&format!("mode: {mode}, {FAILOVER}"), CRASH);
        assert_eq!(ran.count("client/writers", "failed.unreachable"), 25, "{mode}");
        assert_eq!(ran.count("client/writers", "failed.unavailable"), 30, "{mode}");
        assert_eq!((ran.value(DB, "lost_writes"), ran.value(DB, "failovers")), (0.0, 1.0), "{mode}");
    }
}

/// A primary that is back before anybody notices, and one that nobody replaces, has all it ever had; so has one that is back while
/// another is being chosen.
#[test]
fn a_primary_that_comes_back_in_time_stays_the_primary() {
    for (options, lasts, failed) in [(FAILOVER, "1s", 10), ("lag: 500ms", "20s", 200), (FAILOVER, "4s", 50)] {
        let experiment = format!(
            "{{ length: 40050ms, faults: [ {{ at: 10050ms, for: {lasts}, crash: {{ service: db, replica: 0 }} }} ] }}"
        );
        let ran = writers(options, &experiment);
        assert_eq!(ran.count(DB, "writes"), 400 - failed, "{lasts}");
        assert_eq!((ran.value(DB, "lost_writes"), ran.value(DB, "failovers")), (0.0, 0.0), "{lasts}");
        assert!((ran.value(DB, "without_primary") * 40.05 - failed as f64 / 10.0).abs() < 1e-9, "{lasts}");
    }
}

/// All are gone, and when one shall be chosen nobody is there. The first that is back becomes the primary.
#[test]
fn who_comes_back_first_is_the_primary_if_there_was_nobody() {
    let all = "{ length: 40050ms, faults: [
        { at: 10050ms, for: 20s, crash: { service: db, replica: 0 } }, { at: 10050ms, for: 10s, crash: { service: db, replica: 1 } },
        { at: 10050ms, for: 10s, crash: { service: db, replica: 2 } } ] }";
    let ran = writers(FAILOVER, all);
    // 20 unreachable, 80 unavailable; from 20.1 s on 200 more.
    assert_eq!((ran.count("client/writers", "failed"), ran.count(DB, "writes")), (100, 300));
    assert_eq!((ran.value(DB, "lost_writes"), ran.value(DB, "failovers")), (5.0, 1.0));
}

/// What has reached a primary that stands still is done when it goes on, and fails there: another is the primary by then.
#[test]
fn one_that_was_replaced_while_it_stood_still_writes_no_more() {
    let pause = "{ length: 40050ms, faults: [ { at: 10050ms, for: 20s, pause: { service: db, replica: 0 } } ] }";
    let ran = writers(FAILOVER, pause);
    assert_eq!(ran.count("client/writers", "failed.unavailable"), 50);
    assert_eq!((ran.value(DB, "lost_writes"), ran.value(DB, "failovers")), (5.0, 1.0));
    // Nobody replaces it: all are done, later.
    let ran = writers("lag: 500ms", pause);
    assert_eq!((ran.count(DB, "writes"), ran.count("client/writers", "failed")), (400, 0));
}

/// Those that have waited for a follower as the primary stood still wait for it again: the way begins anew.
#[test]
fn a_write_waits_until_a_follower_has_it_whatever_happens_meanwhile() {
    let pause =
        "{ length: 20050ms, drain: 5s, faults: [ { at: 10050ms, for: 2s, pause: { service: db, replica: 0 } } ] }";
    let ran = writers("mode: synchronous, lag: 500ms", pause);
    // The write of 9.6 s would have been answered at 10.1 s; it is 12.55 s now.
    assert_eq!(ran.millis("client/writers", "latency.max"), 2_950);
    assert_eq!(ran.count("client/writers", "ok"), 200);
}

#[test]
fn reads_go_on_without_a_primary_if_they_may() {
    let crash = "{ length: 40050ms, faults: [ { at: 10050ms, for: 20s, crash: { service: db, replica: 0 } } ] }";
    for (options, policies, failed) in [
        ("lag: 500ms", "", 200),
        ("lag: 500ms, reads: prefer_primary", "", 200),
        // Nobody has told who is the primary; a second try elsewhere finds somebody.
        ("lag: 500ms, reads: prefer_primary", "retry: { attempts: 2, elsewhere: true }", 0),
        // From 12.05 s on there is none, and from 15.05 s on another.
        ("lag: 500ms, reads: prefer_primary, failover: { detect_after: 2s, takes: 3s }", "", 20),
        ("lag: 500ms, reads: primary, failover: { detect_after: 2s, takes: 3s }", "", 50),
        ("lag: 500ms, reads: replicas", "", 0),
        // By turns: a third of 200.
        ("lag: 500ms, reads: any", "", 67),
    ] {
        let client = format!("readers: {{ calls: db.get, policies: [ {policies} ], arrivals: {{ constant: 10/s }} }}");
        let ran = run(&model(options, &client), crash);
        let counted = ran.count("client/readers", "failed");
        assert!(counted.abs_diff(failed) <= u64::from(failed == 67), "{options} {policies}: {counted}");
    }
}

/// A write each second, which takes 3 ms and is at the followers 1 ms later; reads every 100 ms. From 10.05 s to 30.05 s every other read finds
/// nobody; afterwards no read misses anything, though the follower was away for twenty writes.
#[test]
fn a_follower_that_was_down_has_everything_when_it_is_back() {
    let ran = run(
        "
        services:
          db:
            replicas: 3
            replication: { lag: 1ms, reads: replicas }
            operations: { put: { writes: true, steps: [ work: 3ms ] }, get: [] }
        clients:
          w: { calls: db.put, arrivals: { constant: 1/s } }
          r: { calls: db.get, arrivals: { constant: 10/s } }
        ",
        "{ length: 40050ms, faults: [ { at: 10050ms, for: 20s, crash: { service: db, replica: 1 } } ] }",
    );
    assert_eq!((ran.count("client/r", "failed"), ran.count("client/w", "ok")), (100, 40));
    assert_eq!(ran.count(DB, "stale_reads"), 0);
}

#[test]
fn operations_say_for_themselves_where_they_are_asked() {
    let ran = run(
        "
        services:
          db:
            replicas: 3
            replication: { lag: 1s }
            operations: { put: { writes: true, steps: [] }, get: [], list: { reads_from: replicas, steps: [] } }
        clients:
          r: { calls: db.get, arrivals: { constant: 10/s } }
          l: { calls: db.list, arrivals: { constant: 10/s } }
          w: { calls: db.put, arrivals: { constant: 1/s } }
        ",
        "{ length: 10050ms }",
    );
    let arrivals = [0, 1, 2].map(|replica| ran.count(&format!("instance/db/{replica}"), "arrivals"));
    assert_eq!(arrivals, [110, 50, 50]);
}

#[test]
fn databases_that_make_no_sense_are_refused_where_they_stand() {
    let wrong = |replicas: u32, replication: &str, operations: &str| {
        let model = format!(
            "services:\n  db:\n    replicas: {replicas}\n    {replication}\n    operations: {{ {operations} }}\nclients:\n  c: {{ calls: db.get, arrivals: {{ constant: 1/s }} }}\n"
        );
        Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it makes no sense")
    };
    let (both, follows) = ("get: [], put: { writes: true, steps: [] }", "replication: { lag: 1s }");
    for (replicas, replication, operations, said) in [
        (1, follows, both, "nobody who follows"),
        (2, follows, "get: []", "nothing ever writes"),
        (2, "", both, "`writes` is said of a service"),
        (2, "", "get: { reads_from: any, steps: [] }", "`reads_from` is said of a service"),
        (2, follows, "get: { writes: true, reads_from: any, steps: [] }", "what writes goes to the primary"),
        (2, "replication: { lag: -1s }", both, "-1s"),
        (2, "replication: { mode: synchronous }", both, "`lag`"),
        (2, "replication: { lag: 1s, failover: { takes: 3s } }", both, "`detect_after`"),
    ] {
        let wrong = wrong(replicas, replication, operations);
        assert!(wrong.contains(said) && wrong.contains("model.yaml:"), "{replication} {operations}: {wrong}");
    }
}

/// Ten messages a second, each of them poison: the database works for them and writes nothing.
#[test]
fn a_poison_message_writes_nothing() {
    let model = |poison: &str| {
        format!(
            "
            topics: {{ orders: {{}} }}
            services:
              db:
                replicas: 2
                replication: {{ mode: asynchronous, lag: 1ms }}
                operations: {{ put: {{ writes: true, steps: [ work: 10ms ] }} }}
            clients:
              shop: {{ tasks: {{ t: {{ steps: [ publish: {{ topic: orders, poison: {poison} }} ] }} }}, arrivals: {{ constant: 10/s }} }}
              clerk: {{ calls: db.put, consumes: {{ topic: orders, max_deliveries: 1 }} }}
            "
        )
    };
    let writes = |poison: &str| {
        let ran = run(&model(poison), "{ length: 10s }");
        ran.run.value(&ran.plan, "all", "database/db", "writes").expect("it has one")
    };
    assert_eq!((writes("100%"), writes("0%") > 9.0), (0.0, true));
}
