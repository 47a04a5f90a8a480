//! Connections: pools at callers, handshakes, and what a server holds.

use super::{Ran, Texts, run};

/// A client of so many users, without a pause, that calls a service 5 ms away over a pool.
fn pooled(pool: &str, service: &str, users: u32, experiment: &str) -> Ran {
    run(&model(pool, service, users, ""), experiment)
}

fn model(pool: &str, service: &str, users: u32, policies: &str) -> String {
    format!(
        "
        services: {{ s: {{ {service} operations: {{ get: [ work: 10ms ] }} }} }}
        clients:
          c:
            calls: s.get
            users: {{ count: {users}, think: {{ constant: 0s }} }}
            policies: [ {policies} connection_pool: {{ {pool} }} ]
        network: {{ default: {{ latency: {{ constant: 5ms }} }} }}
        "
    )
}

const EDGE: &str = "edge/c->s.get";

/// 10 ms of work and 5 ms each way: a connection is held for 20 ms, so two of them make 100 a second, whoever wants more
/// (Little's law). Of ten users eight wait: each for 8 / (100/s) = 80 ms.
#[test]
fn a_pool_passes_its_size_over_the_time_that_a_call_takes() {
    let ran = pooled("size: 2", "", 10, "{ length: 10s, warmup: 1s }");
    assert_eq!(ran.value("client/c", "goodput"), 100.0);
    assert!((ran.value(EDGE, "pool.wait.mean") - 0.08).abs() < 1e-9);
    assert_eq!(ran.value(EDGE, "connections.mean"), 2.0);
    assert_eq!(ran.value("service/s", "connections.mean"), 2.0);
    assert_eq!(ran.count(EDGE, "connections.opened"), 0, "after the first two, which are used again");
}

/// Erlang's loss formula: 8 erlang at ten places at which nobody may wait lose 12.166 %. Of 160,000 calls, give or take 0.3 %.
#[test]
fn a_pool_at_which_nobody_may_wait_loses_what_erlang_says() {
    let model = "
        services: { s: { operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, arrivals: { poisson: 800/s }, policies: [ connection_pool: { size: 10, waiting: 0 } ] } }
        ";
    let ran = run(model, "{ length: 200s }");
    let lost = ran.value("client/c", "failed.refused_by.connection_pool") / ran.value("client/c", "offered");
    assert!((lost - 0.121_661).abs() < 0.003, "{lost}");
}

/// Who waits for longer than 50 ms is refused: with two connections of 20 ms the line serves two every 20 ms.
#[test]
fn who_waits_for_too_long_or_behind_too_many_is_refused() {
    let burst = |pool: &str| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, batch: 10, policies: [ connection_pool: {{ {pool} }} ] }} }}
            network: {{ default: {{ latency: {{ constant: 5ms }} }} }}
            "
        );
        let ran = run(&model, "{ length: 10s }");
        (ran.count("client/c", "ok"), ran.count("client/c", "failed.refused_by.connection_pool"))
    };
    // Ten at once: two go at 0, two at 20 ms, two at 40 ms; the other four are refused at 50 ms. Nine batches within 10 s.
    let each = |ok: u64, refused: u64| (ok * 9, refused * 9);
    assert_eq!(burst("size: 2, max_wait: 50ms"), each(6, 4));
    assert_eq!(burst("size: 2, waiting: 3"), each(5, 5));
    assert_eq!(burst("size: 2, max_wait: 0"), each(2, 8));
    assert_eq!(burst("size: 2"), each(10, 0));
}

/// Two round trips of 10 ms and 30 ms of work come before the first request: 50 + 20 = 70 ms. The next takes 20 ms.
#[test]
fn the_first_call_over_a_connection_pays_for_the_handshake() {
    let service = "connections: { handshake: { round_trips: 2, work: 30ms } },";
    let ran = pooled("size: 1", service, 1, "{ length: 1010ms, resolution: 10ms }");
    assert_eq!(ran.millis("client/c", "latency.max"), 70);
    // 1 + (1010 - 70) / 20 = 48 answers by then.
    assert_eq!(ran.count("client/c", "ok") - 1, (1_010 - 70) / 20);
    assert_eq!(ran.count(EDGE, "connections.opened"), 1);
    assert_eq!(ran.count("service/s", "connections.opened"), 1);
    // The same with a connection that is too old each time.
    let ran = pooled("size: 1, max_lifetime: 1ms", service, 1, "{ length: 700ms }");
    assert_eq!(ran.count(EDGE, "connections.opened"), 10);
    assert_eq!(ran.count("client/c", "ok"), 10);
}

/// The work for a handshake takes a CPU and no worker: with one CPU four handshakes of 30 ms end at 40, 70, 100 and 130 ms, which
/// one worker does not hinder; the requests come 10 ms later and each works for 10 ms.
#[test]
fn handshakes_share_the_cpus_and_need_no_worker() {
    let model = |cpus: &str| {
        format!(
            "
            services: {{ s: {{ workers: 1, {cpus} connections: {{ handshake: {{ work: 30ms }} }}, operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, users: {{ count: 4, think: {{ constant: 1h }}, start_every: 0s }}, policies: [ connection_pool: 4 ] }} }}
            network: {{ default: {{ latency: {{ constant: 5ms }} }} }}
            "
        )
    };
    let fleet = |cpus: &str| {
        let text = model(cpus)
            .replace("users: { count: 4, think: { constant: 1h }, start_every: 0s }", "fleet: { members: 4 }");
        run(&text, "{ length: 1s, resolution: 10ms }").millis("client/c", "latency.max")
    };
    // All at 5 ms, ready at 35 ms, there again at 45 ms; then one after the other: 85 ms, and back at 90 ms... less 5.
    assert_eq!(fleet(""), 5 + 30 + 5 + 5 + 40 + 5);
    // The last handshake ends at 125 ms or later, behind requests of earlier ones that want the CPU too: all is 4 × 40 ms of work.
    let one = fleet("cpus: 1,");
    assert!((5 + 120 + 20..=5 + 160 + 20 + 5).contains(&one), "{one}");
}

/// A call of 20 ms that is given up after 15 ms closes its connection: each pays for a handshake again. With streams it does not.
#[test]
fn a_call_that_is_given_up_closes_its_connection_unless_that_carries_others() {
    let ran = |streams: &str| {
        let model = model(&format!("size: 4{streams}"), "", 1, "timeout: 15ms,");
        run(&model, "{ length: 150ms }").count(EDGE, "connections.opened")
    };
    assert_eq!(ran(""), 10);
    assert_eq!(ran(", streams: 2"), 1);
    // The server works on: it holds the connection until it is done, 5 ms after it was closed.
    let held = run(&model("size: 4", "", 1, "timeout: 15ms,"), "{ length: 3s, warmup: 1s }");
    let (open, held) = (held.value(EDGE, "connections.mean"), held.value("service/s", "connections.mean"));
    assert!((open - 1.0).abs() < 1e-9, "{open}");
    // Accepted 5 ms after it was opened, and freed when its request is over, 20 ms after: for 15 of each 15 ms.
    assert!((held - 1.0).abs() < 1e-9, "{held}");
}

/// Three callers with a pool of two each, at a service that holds four: who comes fifth is refused, and the others go on.
#[test]
fn a_server_holds_so_many_connections_and_refuses_one_more() {
    let model = "
        services: { s: { connections: { max: 4 }, operations: { get: [ work: 10ms ] } } }
        clients:
          c:
            calls: s.get
            instances: 3
            fleet: { members: 6, every: 1s }
            policies: [ connection_pool: 2 ]
        ";
    let ran = run(model, "{ length: 10s, resolution: 10ms }");
    // Six at each second, two of each instance: four have connections for good, and the two of one are refused each time.
    assert_eq!(ran.count("client/c", "failed.unavailable"), 20);
    assert_eq!(ran.count("service/s", "refused.connections"), 20);
    assert_eq!(ran.count("service/s", "connections.opened"), 4);
    assert!((ran.value("service/s", "connections.mean") - 4.0).abs() < 1e-9);
    // Idle connections that are closed make room for others.
    let ran =
        run(&model.replace("connection_pool: 2", "connection_pool: { size: 2, idle_timeout: 5ms }"), "{ length: 10s }");
    assert_eq!(ran.count("client/c", "failed.unavailable"), 20, "all come at the same instant");
    assert_eq!(ran.count("service/s", "connections.opened"), 40);
}

/// Ten at once at a service that accepts one connection in 100 ms, and three at once after a quiet time.
#[test]
fn a_server_accepts_so_many_connections_in_a_time() {
    let model = "
        services: { s: { connections: { rate: 10/s, burst: 3 }, operations: { get: [ work: 10ms ] } } }
        clients: { c: { calls: s.get, fleet: { members: 10, starts: 1s }, policies: [ connection_pool: 10 ] } }
        ";
    let ran = run(model, "{ length: 10s }");
    assert_eq!((ran.count("client/c", "ok"), ran.count("service/s", "refused.connections")), (3, 7));
}

/// A connection is closed 50 ms after its last call, and opened anew for the next, a second later.
#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let model = |options: &str| {
        format!(
            "
            services: {{ s: {{ operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, arrivals: {{ constant: 1/s }}, policies: [ connection_pool: {{ size: 5{options} }} ] }} }}
            "
        )
    };
    let ran = run(&model(", idle_timeout: 50ms"), "{ length: 10500ms }");
    assert_eq!(ran.count(EDGE, "connections.opened"), 10);
    // Ten times 10 ms of work and 50 ms idle.
    assert!((ran.value(EDGE, "connections.mean") * 10.5 - 10.0 * 0.06).abs() < 1e-9);
    assert_eq!(run(&model(""), "{ length: 10500ms }").count(EDGE, "connections.opened"), 1);
    // Too old after 2.5 s: opened at 1, 4, 7 and 10 s.
    let ran = run(&model(", max_lifetime: 2500ms"), "{ length: 10500ms }");
    assert_eq!(ran.count(EDGE, "connections.opened"), 4);
}

/// A hundred connections opened at the same instant end together, or spread over half of their lifetime.
#[test]
fn jitter_spreads_the_ends_of_lifetimes() {
    let opened = |jitter: &str| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ get: [ work: 500ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, fleet: {{ members: 100, every: 1s }}, policies: [ connection_pool: {{ size: 100, max_lifetime: 9s{jitter} }} ] }} }}
            "
        );
        let ran = run(&model, "{ length: 9500ms, resolution: 500ms }");
        ran.steps(EDGE, "connections.opened")
    };
    assert_eq!(opened(""), [(0, 100), (9_000, 100)]);
    // Lifetimes between 4.5 s and 9 s: one in 4.5 of them ends in each second, 22 ± 5 × √(100 × 0.22 × 0.78).
    let spread = opened(", lifetime_jitter: 50%");
    assert_eq!(spread[0], (0, 100));
    assert!(spread[1..].iter().all(|step| step.1 < 44) && spread.len() >= 5, "{spread:?}");
}

/// Over three replicas in turn, one call at a time: a pool of three keeps one to each, and a pool of two has to close one each time.
#[test]
fn one_to_another_replica_takes_the_room_of_the_one_that_was_idle_longest() {
    let opened = |size: u32| {
        let ran = pooled(&format!("size: {size}"), "replicas: 3, balance: round_robin,", 1, "{ length: 300ms }");
        (ran.count(EDGE, "connections.opened"), ran.value(EDGE, "connections.mean"))
    };
    assert_eq!(opened(3).0, 3);
    let (two, open) = opened(2);
    assert!(two == 15 && (open - (2.0 - 0.02 / 0.3)).abs() < 1e-9, "{two} {open}");
}

/// Down from 100 ms to 200 ms: its connections are gone, and each is opened anew; who was told does not fail on an old one.
#[test]
fn a_crash_takes_the_connections_along() {
    let fault = |silent: &str| {
        let model = "
            services: { s: { operations: { get: [ work: 1ms ] } } }
            clients: { c: { calls: s.get, fleet: { members: 5, starts: 5ms, every: 50ms }, policies: [ timeout: 40ms, connection_pool: 5 ] } }
            ";
        run(
            model,
            &format!(
                "{{ length: 390ms, resolution: 5ms, faults: [ {{ at: 100ms, for: 100ms, crash: {{ service: s{silent} }} }} ] }}"
            ),
        )
    };
    // Asked at 5, 55, 105, … 355 ms: those of 105 and 155 ms open connections for nothing.
    let told = fault("");
    assert_eq!(told.count("client/c", "ok"), 6 * 5);
    assert_eq!(told.count("client/c", "failed.unreachable"), 2 * 5);
    assert_eq!(told.steps(EDGE, "connections.opened"), [(5, 5), (105, 5), (155, 5), (205, 5)]);
    // Silently: those of 105 ms are sent over the old connections, and given up; those of 155 ms over new ones.
    let silent = fault(", silent: true");
    assert_eq!(silent.count("client/c", "failed.timeout"), 2 * 5);
    assert_eq!(silent.steps(EDGE, "connections.opened"), [(5, 5), (155, 5), (205, 5)]);
}

/// A crash that nobody noticed, because nobody asked meanwhile: the first call over each old connection fails.
#[test]
fn after_a_silent_crash_the_first_call_over_each_old_connection_fails() {
    let model = "
        services: { s: { operations: { get: [ work: 1ms ] } } }
        clients: { c: { calls: s.get, fleet: { members: 5, every: 100ms }, policies: [ timeout: 40ms, connection_pool: 5 ] } }
        ";
    let ran =
        run(model, "{ length: 390ms, faults: [ { at: 110ms, for: 10ms, crash: { service: s, silent: true } } ] }");
    assert_eq!(ran.count("client/c", "failed.unreachable"), 5);
    assert_eq!(ran.count("client/c", "ok"), 15);
    assert_eq!(ran.count(EDGE, "connections.opened"), 10);
}

/// A caller that crashes closes its connections, and starts without any.
#[test]
fn a_caller_that_restarts_has_no_connections() {
    let model = "
        services:
          s: { operations: { get: [ work: 1ms ] } }
          web: { operations: { page: [ { call: s.get, policies: [ connection_pool: 5 ] } ] } }
        clients: { c: { calls: web.page, fleet: { members: 5, every: 50ms } } }
        ";
    let ran =
        run(model, "{ length: 190ms, resolution: 10ms, faults: [ { at: 60ms, for: 30ms, crash: { service: web } } ] }");
    assert_eq!(ran.steps("edge/web->s.get", "connections.opened"), [(0, 5), (100, 5)]);
    // 60 ms with five, none for 40 ms, and 90 ms with five.
    assert!((ran.value("service/s", "connections.mean") - 5.0 * 150.0 / 190.0).abs() < 1e-9);
}

/// Four at once over connections that carry two calls each: two handshakes, and the second of each pair waits for it too.
#[test]
fn calls_that_share_a_connection_wait_for_its_handshake_together() {
    let model = |streams: u32| {
        format!(
            "
            services: {{ s: {{ connections: {{ handshake: {{ work: 30ms }} }}, operations: {{ get: [ work: 10ms ] }} }} }}
            clients: {{ c: {{ calls: s.get, fleet: {{ members: 4 }}, policies: [ connection_pool: {{ size: 4, streams: {streams} }} ] }} }}
            network: {{ default: {{ latency: {{ constant: 5ms }} }} }}
            "
        )
    };
    for (streams, opened) in [(1, 4), (2, 2), (3, 2), (4, 1)] {
        let ran = run(&model(streams), "{ length: 1s }");
        assert_eq!(ran.count(EDGE, "connections.opened"), opened, "{streams}");
        assert_eq!(ran.count("service/s", "connections.opened"), opened, "{streams}");
        assert_eq!((ran.millis("client/c", "latency.p50"), ran.count("client/c", "ok")), (60, 4), "{streams}");
    }
}

/// Three are open at the start, over two replicas in turn, of which each holds one: two are.
#[test]
fn connections_can_be_open_at_the_start() {
    let ran = pooled("size: 3, warm: 3", "replicas: 2, connections: { max: 1, handshake: {} },", 1, "{ length: 1s }");
    assert_eq!((ran.count(EDGE, "connections.opened"), ran.value("service/s", "connections.mean")), (0, 2.0));
    assert_eq!(ran.millis("client/c", "latency.max"), 20, "without a handshake");
}

#[test]
fn connections_that_make_no_sense_are_refused_where_they_stand() {
    let wrong = |pool: &str, service: &str, policies: &str| {
        let model = model(pool, service, 1, policies);
        Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it makes no sense")
    };
    for (pool, service, policies, said) in [
        ("size: 0", "", "", "a pool without a connection"),
        ("size: 1, idle_timeout: 0s", "", "", "never used again"),
        ("size: 1, streams: 0", "", "", "carries no call"),
        ("size: 1, idle_time: 1s", "", "", "`idle_time`: unknown key"),
        ("size: 1", "connections: { max: 0 },", "", "holds no connection"),
        ("size: 1", "connections: { burst: 3 },", "", "no effect without `rate`"),
        ("size: 1", "connections: { rate: 0/s },", "", "accepts no connection"),
        ("size: 1", "connections: { handshake: { round_trips: 0 } },", "", "at least once"),
        ("size: 1", "", "connection_pool: 1, retry: 3,", "inside a connection pool only a `timeout`"),
    ] {
        let wrong = wrong(pool, service, policies);
        assert!(wrong.contains(said) && wrong.contains("model.yaml:"), "{said}: {wrong}");
    }
}
