//! Caches: what is a hit, who fetches, who waits, what is written, and what is lost.

use super::{Ran, Texts, run};

/// A database that takes 95 ms, behind a service with a cache of these options; requests at 10, 20, .. ms.
fn cached(options: &str, client: &str, experiment: &str) -> Ran {
    run(
        &format!(
            "
            caches: {{ c: {{ {options} }} }}
            services:
              db: {{ operations: {{ query: [ work: 95ms ] }} }}
              app: {{ operations: {{ get: [ {{ cache: c, miss: [ call: db.query ], hit: [ work: 1ms ] }} ] }} }}
            clients: {{ c: {{ calls: app.get, arrivals: {{ constant: 100/s }}{client} }} }}
            "
        ),
        experiment,
    )
}

const C: &str = "cache/c";

#[test]
fn what_was_fetched_is_a_hit_from_then_on() {
    // Those of 10 to 100 ms fetch; the entry is there at 105 ms.
    let ran = cached("", "", "{ length: 205ms, resolution: 1ms }");
    assert_eq!(ran.latencies("c"), [vec![95; 10], vec![1; 10]].concat());
    assert_eq!((ran.count(C, "misses"), ran.count(C, "hits"), ran.count(C, "fetches")), (10, 10, 10));
    assert!((ran.value(C, "hit_ratio") - 0.5).abs() < 1e-12);
    assert!((ran.value(C, "entries.mean") - 100.0 / 205.0).abs() < 1e-12);
}

#[test]
fn one_fetches_and_the_others_wait_for_it() {
    let ran = cached("coalesce: true", "", "{ length: 205ms, resolution: 1ms }");
    let first: Vec<u64> = (1..=10).map(|n| 105 - 10 * n).collect();
    assert_eq!(ran.latencies("c"), [first, vec![1; 10]].concat());
    assert_eq!((ran.count(C, "misses"), ran.count(C, "coalesced"), ran.count(C, "fetches")), (1, 9, 1));
}

#[test]
fn different_keys_are_different_entries() {
    let ran = cached("coalesce: true", ", keys: distinct", "{ length: 105ms }");
    assert_eq!((ran.count(C, "misses"), ran.count(C, "fetches")), (10, 10));
}

#[test]
fn an_entry_expires_its_time_after_its_fetch_or_after_its_last_hit() {
    for (options, fetches) in [("ttl: 200ms", 4), ("ttl: 200ms, renew_on_access: true", 1)] {
        // There at 105 ms, fresh until 305 ms; the one of 310 ms fetches, and so on every 300 ms.
        let ran = cached(&format!("coalesce: true, {options}"), "", "{ length: 1005ms, resolution: 1ms }");
        assert_eq!(ran.count(C, "fetches"), fetches, "{options}");
        assert_eq!(ran.count(C, "expired"), fetches - 1, "{options}");
    }
}

#[test]
fn a_stale_entry_is_given_while_one_fetches_in_the_background() {
    let ran =
        cached("coalesce: true, ttl: 200ms, stale_while_revalidate: 1s", "", "{ length: 1005ms, resolution: 1ms }");
    // Stale from 305 ms, fetched by 405 ms; then the same every 300 ms. Nobody waits but at the start.
    assert_eq!(ran.latencies("c")[10..], [1; 90]);
    assert_eq!(ran.when(C, "fetches"), [10, 310, 610, 910]);
    assert_eq!(ran.count(C, "stale"), 30);
}

#[test]
fn a_failed_fetch_is_that_of_all_who_wait_and_is_remembered_if_told() {
    let failing = |options: &str| {
        run(
            &format!(
                "
                caches: {{ c: {{ {options} }} }}
                services: {{ app: {{ operations: {{ get: [ {{ cache: c, miss: [ work: 95ms, fail: error ] }} ] }} }} }}
                clients: {{ c: {{ calls: app.get, arrivals: {{ constant: 100/s }} }} }}
                "
            ),
            "{ length: 305ms, resolution: 1ms }",
        )
    };
    let ran = failing("coalesce: true");
    assert_eq!(ran.when(C, "fetches"), [10, 110, 210]);
    assert_eq!(ran.count("client/c", "failed.error"), 30);
    // Known from 105 to 205 ms, and again from 305 ms.
    let ran = failing("coalesce: true, negative: 100ms");
    assert_eq!(ran.when(C, "fetches"), [10, 210]);
    assert_eq!(ran.count(C, "negative_hits"), 10);
    assert_eq!(ran.count("client/c", "failed.error"), 30);
    // A lease waits until the next may try: one of those who have waited, at 110 ms, which fails too.
    let ran = failing("lease: 100ms");
    assert_eq!(ran.when(C, "fetches"), [10, 110, 210]);
    assert_eq!(ran.count(C, "misses"), 1);
}

#[test]
fn a_stale_entry_is_a_lesser_answer_if_the_fetch_fails() {
    let ran = run(
        "
        caches: { c: { coalesce: true, ttl: 100ms, stale_if_error: 100ms, negative: 30ms } }
        services:
          db: { operations: { query: [ work: 5ms ] } }
          app: { operations: { get: [ { cache: c, miss: [ call: db.query ] } ] } }
        clients: { c: { calls: app.get, arrivals: { constant: 100/s } } }
        ",
        "{ length: 305ms, resolution: 1ms, faults: [ { at: 50ms, errors: { service: db } } ] }",
    );
    // There at 15 ms, fresh until 115 ms, given until 215 ms.
    assert_eq!((ran.count("client/c", "ok"), ran.count("client/c", "degraded")), (11, 10));
    assert_eq!(ran.count("client/c", "failed.error"), 9);
    // 120 to 210 ms: fetched at 120, 160 and 200 ms, the failures of which are remembered from 5 ms later on.
    assert_eq!(ran.count(C, "stale.on_error"), 3);
    assert_eq!(ran.count(C, "stale"), 7);
}

#[test]
fn each_instance_has_a_table_of_its_own_unless_they_share_one() {
    for (options, fetches) in [("", 4), (", shared: true", 1)] {
        let ran = run(
            &format!(
                "
                caches: {{ c: {{ ttl: 1h{options} }} }}
                services:
                  db: {{ operations: {{ query: [] }} }}
                  app: {{ replicas: 4, operations: {{ get: [ {{ cache: c, miss: [ call: db.query ] }} ] }} }}
                clients: {{ c: {{ calls: app.get, arrivals: {{ constant: 100/s }} }} }}
                "
            ),
            "{ length: 405ms }",
        );
        assert_eq!(ran.count(C, "fetches"), fetches, "{options}");
    }
}

#[test]
fn a_crashed_instance_and_a_flush_begin_with_nothing() {
    for (fault, fetches) in [
        ("crash: { service: app, replica: 0 }, for: 1ms", 3),
        ("flush: { cache: c, replica: 1 }", 3),
        ("flush: { cache: c, share: 50% }", 3),
        ("flush: { cache: c }", 4),
        ("slow: { service: app, factor: 1 }", 2),
    ] {
        let ran = run(
            "
            caches: { c: {} }
            services:
              db: { operations: { query: [] } }
              app: { replicas: 2, operations: { get: [ { cache: c, miss: [ call: db.query ] } ] } }
            clients: { c: { calls: app.get, arrivals: { constant: 100/s } } }
            ",
            &format!("{{ length: 405ms, faults: [ {{ at: 205ms, {fault} }} ] }}"),
        );
        assert_eq!(ran.count(C, "fetches"), fetches, "{fault}");
        assert_eq!(ran.count("client/c", "ok"), 40, "{fault}");
    }
}

#[test]
fn a_full_table_makes_room_in_its_order() {
    let model = |evict: &str| {
        format!(
            "
            caches: {{ c: {{ capacity: 2, evict: {evict} }} }}
            services:
              db: {{ operations: {{ query: [] }} }}
            clients:
              c:
                arrivals: {{ constant: 1000/s }}
                keys: {{ zipf: {{ of: 4, exponent: 1 }} }}
                tasks: {{ t: {{ steps: [ {{ cache: c, miss: [ call: db.query ] }} ] }} }}
            "
        )
    };
    let ratio = |evict: &str| run(&model(evict), "{ length: 200s, warmup: 1s, resolution: 10s }").value(C, "hit_ratio");
    // King (1971): of 1, 1/2, 1/3, 1/4 in 25/12. The least often used is never one of the two most popular for long.
    let p = [12.0 / 25.0, 6.0 / 25.0, 4.0 / 25.0, 3.0 / 25.0];
    let lru: f64 = (0..4)
        .flat_map(|i| (0..4).filter(move |&j| j != i).map(move |j| p[i] * p[j] / (1.0 - p[i]) * (p[i] + p[j])))
        .sum();
    assert!((ratio("lru") - lru).abs() < 0.01, "{} and {lru}", ratio("lru"));
    let pairs = || (0..4_usize).flat_map(|i| (0..i).map(move |j| (i, j)));
    let weight: f64 = pairs().map(|(i, j)| p[i] * p[j]).sum();
    let fifo: f64 = pairs().map(|(i, j)| p[i] * p[j] * (p[i] + p[j])).sum::<f64>() / weight;
    for evict in ["fifo", "random"] {
        assert!((ratio(evict) - fifo).abs() < 0.01, "{evict}: {} and {fifo}", ratio(evict));
    }
    assert!(ratio("lfu") > lru, "{} and {lru}", ratio("lfu"));
}

#[test]
fn a_table_of_a_service_is_read_and_written_by_calls() {
    let ran = run(
        "
        caches: { c: { at: { service: store, policies: [ timeout: 20ms ] } } }
        services:
          db: { operations: { query: [ work: 50ms ] } }
          store: { replicas: 3, balance: ring_hash, operations: { get: [ work: 2ms ], set: [ work: 3ms ] } }
          app: { operations: { get: [ { cache: c, miss: [ call: db.query ] } ] } }
        clients: { c: { calls: app.get, keys: { uniform: 60 }, arrivals: { constant: 10/s } } }
        ",
        "{ length: 100.05s, resolution: 1ms, faults: [ { at: 60.01s, for: 1ms, crash: { service: store, replica: 1 } } ] }",
    );
    let (lookups, misses) = (ran.count(C, "lookups"), ran.count(C, "misses"));
    assert_eq!((lookups, ran.count("service/store", "arrivals")), (1000, 1000 + misses));
    assert_eq!(ran.count("service/db", "arrivals"), misses);
    assert!(ran.latencies("c").iter().all(|&it| it == 2 || it == 2 + 50 + 3));
    // Each key once, and those of the instance that was down once more.
    assert!((61..100).contains(&misses), "{misses}");
}

#[test]
fn what_cannot_be_read_is_fetched_and_is_not_kept() {
    let ran = run(
        "
        caches: { c: { coalesce: true, at: { service: store, policies: [ timeout: 20ms ] } } }
        services:
          db: { operations: { query: [ work: 50ms ] } }
          store: { operations: { get: [], set: [] } }
          app: { operations: { get: [ { cache: c, miss: [ call: db.query ] } ] } }
        clients: { c: { calls: app.get, arrivals: { constant: 10/s } } }
        ",
        "{ length: 1.195s, resolution: 1ms, faults: [ { crash: { service: store, silent: true } } ] }",
    );
    assert_eq!(ran.count(C, "misses.unreachable"), 11);
    assert_eq!(ran.latencies("c"), vec![90; 11]);
}

#[test]
fn writes_fill_delete_or_run_ahead() {
    let with = |write: &str, faults: &str| {
        run(
            &format!(
                "
                caches: {{ c: {{ ttl: 1h }} }}
                services:
                  db: {{ operations: {{ query: [], update: [ work: 30ms ] }} }}
                  app:
                    operations:
                      get: [ {{ cache: c, miss: [ call: db.query ] }} ]
                      save: [ {{ cache: c, write: {write}, steps: [ call: db.update ] }} ]
                clients:
                  r: {{ calls: app.get, arrivals: {{ constant: 100/s }} }}
                  w: {{ calls: app.save, arrivals: {{ constant: 1/s }} }}
                "
            ),
            &format!("{{ length: 1.995s, resolution: 1ms, {faults} }}"),
        )
    };
    // The write comes at 1 s; the entry is there since 10 ms.
    let ran = with("through", "");
    assert_eq!((ran.count(C, "fetches"), ran.latencies("w")), (1, vec![30]));
    let ran = with("around", "");
    assert_eq!((ran.when(C, "fetches"), ran.latencies("w")), (vec![10, 1030], vec![30]));
    let ran = with("behind", "");
    assert_eq!((ran.count(C, "fetches"), ran.latencies("w")), (1, vec![0]));
    assert!((ran.value(C, "writes.behind") - 0.03 / 1.995).abs() < 1e-9);
    assert_eq!(ran.count(C, "writes.lost"), 0);
    let ran = with("behind", "faults: [ { at: 1.01s, for: 1ms, crash: { service: app } } ]");
    assert_eq!((ran.latencies("w"), ran.count(C, "writes.lost")), (vec![0], 1));
}

#[test]
fn beyond_its_limit_a_write_is_waited_for() {
    let ran = run(
        "
        caches: { c: {} }
        services:
          db: { operations: { update: [ work: 25ms ] } }
          app: { operations: { save: [ { cache: c, write: behind, at_most: 1, steps: [ call: db.update ] }, work: 1ms ] } }
        clients: { w: { calls: app.save, arrivals: { constant: 100/s } } }
        ",
        "{ length: 65ms, resolution: 1ms }",
    );
    // The first runs until 35 ms; those of 20 and 30 ms find it; that of 40 ms runs until 65 ms.
    assert_eq!(ran.latencies("w"), [1, 26, 26, 1, 26, 26]);
}

#[test]
fn who_waits_fetches_when_the_fetch_is_given_up() {
    let ran = run(
        "
        caches: { c: { coalesce: true } }
        services:
          db: { operations: { query: [ work: 100ms ] } }
          app: { cancel: propagate, operations: { get: [ { cache: c, miss: [ call: db.query ] } ] } }
        clients: { c: { calls: app.get, arrivals: { constant: 100/s }, policies: [ timeout: 50ms ] } }
        ",
        "{ length: 25ms, resolution: 1ms, drain: 1s }",
    );
    assert_eq!(ran.count("client/c", "failed.timeout"), 2);
    // The first at 10 ms, and in its place the second at 60 ms; it was counted as one that waits.
    assert_eq!((ran.count(C, "misses"), ran.count(C, "coalesced")), (1, 1));
}

#[test]
fn early_fetches_do_not_depend_on_how_many_ask() {
    // Vattani, Chierichetti, Lowenstein (2015): e^(1/beta) in each cycle. Fetches of different cycles are far apart.
    for (beta, published, within) in [(1.0, std::f64::consts::E, 0.15), (2.0, 1.648_721_271, 0.12)] {
        let ran = run(
            &format!(
                "
                caches: {{ c: {{ ttl: 60s, early_refresh: {{ beta: {beta} }} }} }}
                services: {{ db: {{ operations: {{ query: [ work: 500ms ] }} }} }}
                clients:
                  c:
                    arrivals: {{ poisson: 100/s }}
                    tasks: {{ t: {{ steps: [ {{ cache: c, miss: [ call: db.query ] }} ] }} }}
                "
            ),
            "{ length: 40000s, warmup: 10s, resolution: 1s }",
        );
        let steps = ran.steps(C, "fetches");
        let cycles = 1 + steps.windows(2).filter(|pair| pair[1].0 - pair[0].0 > 10_000).count();
        let fetches: u64 = steps.iter().map(|it| it.1).sum();
        let each = fetches as f64 / cycles as f64;
        assert!((each / published - 1.0).abs() < within, "beta {beta}: {each} in each of {cycles}");
        // With one at a time there is one.
        assert_eq!(ran.count(C, "expired"), 0);
    }
}

#[test]
fn a_prefilled_cache_knows_the_most_popular() {
    let ran = cached("capacity: 5, warm: 5, ttl: 1h", ", keys: { uniform: 5 }", "{ length: 205ms }");
    assert_eq!(ran.count(C, "hits"), 20);
}

#[test]
fn clients_have_caches_too() {
    let ran = run(
        "
        caches: { c: {} }
        services: { s: { operations: { get: [ work: 95ms ] } } }
        clients:
          c:
            instances: 2
            users: { count: 2, think: 5ms }
            tasks: { t: { steps: [ { cache: c, miss: [ call: s.get ] } ] } }
        ",
        "{ length: 205ms }",
    );
    assert_eq!(ran.count("service/s", "arrivals"), 2);
    assert!(ran.count(C, "hits") > 30);
}

#[test]
fn users_go_on_after_requests_with_branches() {
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 10ms ] } } }
        clients:
          c:
            users: { count: 1, think: 10ms }
            tasks: { t: { steps: [ parallel: [ call: s.get, call: s.get ] ] } }
        ",
        "{ length: 205ms }",
    );
    assert_eq!(ran.count("client/c", "offered"), 10);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    let wrong = |caches: &str, steps: &str, experiment: &str| {
        let model = format!(
            "
            caches: {{ c: {caches} }}
            services:
              db: {{ operations: {{ query: [] }} }}
              app: {{ operations: {{ get: {steps} }} }}
            clients: {{ c: {{ calls: app.get, arrivals: {{ constant: 100/s }} }} }}
            "
        );
        let texts = Texts { model: &model, experiment, data: &[] };
        texts.plan().err().unwrap_or_else(|| panic!("{caches} {steps} {experiment} is accepted"))
    };
    let steps = "[ { cache: c, miss: [ call: db.query ] } ]";
    let short = "{ length: 1s }";
    for (caches, what) in [
        ("{ ttl: 0s }", "never fresh"),
        ("{ capacity: 0 }", "no entries"),
        ("{ evict: lfu }", "without a limit"),
        ("{ early_refresh: {} }", "`early_refresh` needs a `ttl`"),
        ("{ ttl: 1s, early_refresh: { beta: 0 } }", "`beta` must be above zero"),
        ("{ ttl_jitter: 10% }", "`ttl_jitter` needs a `ttl`"),
        ("{ ttl: 1s, ttl_jitter: 100% }", "expire at once"),
        ("{ renew_on_access: true }", "`renew_on_access` needs a `ttl`"),
        ("{ stale_if_error: 1s }", "`stale_if_error` needs a `ttl`"),
        ("{ stale_while_revalidate: 1s }", "needs a `ttl` or a `lease`"),
        ("{ negative: 0s }", "forgotten at once"),
        ("{ lease: 0s }", "over at once"),
        ("{ shared: true, at: db }", "exclude each other"),
        ("{ at: db }", "`db` has no operation `get` to read entries"),
        ("{ at: { service: db, read: query } }", "`db` has no operation `set` to write entries"),
        ("{ at: bd }", "no service has this name"),
        ("{ at: { service: db, read: query, write: query }, warm: 3 }", "`warm` does not go with `at`"),
        ("{ capacity: 2, warm: 3 }", "more entries at the start"),
    ] {
        let text = wrong(caches, steps, short);
        assert!(text.contains(what) && text.contains("= help: "), "{caches}: {text}");
    }
    for (steps, what) in [
        ("[ { cache: d, miss: [] } ]", "no cache has this name"),
        ("[ { cache: c } ]", "looks something up in a cache, or writes it"),
        ("[ { cache: c, miss: [], write: through } ]", "looks something up in a cache, or writes it"),
        ("[ { cache: c, write: through } ]", "is lost with its entry"),
        ("[ { cache: c, write: through, at_most: 3, steps: [] } ]", "looks something up in a cache, or writes it"),
        ("[ { cache: c, write: behind, at_most: 0, steps: [] } ]", "no write is ever in the background"),
        ("[ { work: 1s, miss: [] } ]", "go with `cache`"),
        ("[ { cache: c, work: 1s, miss: [] } ]", "exactly one thing"),
    ] {
        let text = wrong("{}", steps, short);
        assert!(text.contains(what) && text.contains("= help: "), "{steps}: {text}");
    }
    let nested = "[ { cache: c, miss: [ { cache: c, miss: [ call: db.query ] } ] } ]";
    assert!(wrong("{ coalesce: true }", nested, short).contains("waits for that fetch"));
    for (fault, what) in [
        ("flush: { cache: d }", "no cache has this name"),
        ("flush: { cache: c, replica: 1 }", "has no table 1"),
        ("flush: { cache: c, replica: 0, share: 10% }", "exclude each other"),
        ("for: 3s, flush: { cache: c }", "a flush is over at once"),
    ] {
        let text = wrong("{}", steps, &format!("{{ length: 1s, faults: [ {{ {fault} }} ] }}"));
        assert!(text.contains(what) && text.contains("= help: "), "{fault}: {text}");
    }
}

/// A read at 100 ms finds nothing and asks a database that fails after 50 ms; at 120 ms a write puts a fresh entry in. The read is answered
/// with that, in full, and nothing old was given.
#[test]
fn a_fetch_that_fails_after_somebody_else_has_put_the_entry_in_is_a_hit() {
    let ran = Texts {
        model: "
            caches: { k: { ttl: 10s, shared: true } }
            services:
              db: { operations: { get: [ { work: 50ms }, { fail: error } ] } }
              app:
                operations:
                  read: [ { cache: k, miss: [ call: db.get ] } ]
                  write: [ { cache: k, write: through, steps: [ work: 1ms ] } ]
            clients:
              r: { calls: app.read, arrivals: { replay: { file: r.csv, unit: 1ms } } }
              w: { calls: app.write, arrivals: { replay: { file: w.csv, unit: 1ms } } }
            ",
        experiment: "{ length: 1s }",
        data: &[("r.csv", "at\n100\n"), ("w.csv", "at\n120\n")],
    }
    .run(1);
    let value = |entity: &str, metric: &str| ran.run.value(&ran.plan, "all", entity, metric).expect("it has one");
    assert_eq!((value("client/r", "ok"), value("client/r", "degraded")), (1.0, 0.0));
    assert_eq!(value("cache/k", "stale.on_error"), 0.0);
}
