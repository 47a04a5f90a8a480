//! The network: latency, loss and bandwidth.

use super::{assert_binomial, run};

#[test]
fn each_direction_has_a_latency_of_its_own() {
    let ran = run(
        "
        services: { s: { operations: { get: [ work: 100ms ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { default: { latency: 10ms }, links: { c->s: { latency: 30ms } } }
        ",
        "{ length: 3s }",
    );
    assert_eq!(ran.latencies("c"), [140, 140]);
}

#[test]
fn a_refusal_travels_back_over_the_network() {
    let ran = run(
        "
        services: { s: { operations: { get: [ fail: unavailable ] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { default: { latency: 10ms } }
        ",
        "{ length: 3s }",
    );
    assert_eq!(ran.millis("client/c", "duration.mean"), 20);
}

#[test]
fn of_a_lost_message_nobody_is_told() {
    let model = "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { links: { c->s: { loss: 100% } } }
    ";
    let ran = run(model, "{ length: 4s }");
    assert!((ran.value("client/c", "unfinished") - 3.0).abs() < f64::EPSILON);
    assert_eq!(ran.count("client/c", "failed"), 0);
    assert_eq!(ran.count("link/c->s", "messages"), 0);
    assert_eq!(ran.count("link/c->s", "lost"), 3);
}

#[test]
fn messages_are_lost_in_both_directions() {
    let ran = run(
        "
        services: { s: { operations: { get: [] } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s }, policies: [ timeout: 1s ] } }
        network: { default: { loss: 30% } }
        ",
        "{ length: 100s }",
    );
    assert_binomial(ran.count("service/s", "arrivals"), 9_999, 0.7);
    assert_binomial(ran.count("client/c", "ok"), 9_999, 0.7 * 0.7);
    assert_eq!(ran.count("client/c", "failed.timeout"), 9_999 - ran.count("client/c", "ok"));
}

#[test]
fn a_transfer_takes_bytes_over_bandwidth() {
    // 100 kB at 1 MB/s there, 50 kB at 8 Mbit/s back, and 10 ms each way.
    let ran = run(
        "
        services: { s: { operations: { get: { request: 100kB, response: 50kB, steps: [ work: 5ms ] } } } }
        clients: { c: { calls: s.get, arrivals: { constant: 1/s } } }
        network: { default: { latency: 10ms, bandwidth: 8Mbps } }
        ",
        "{ length: 3s }",
    );
    assert_eq!(ran.latencies("c"), [10 + 100 + 5 + 10 + 50; 2]);
    assert_eq!(ran.count("link/c->s", "bytes"), 2 * 100_000);
    assert_eq!(ran.count("link/s->c", "bytes"), 2 * 50_000);
}

#[test]
fn messages_are_put_on_a_narrow_link_one_after_the_other() {
    // Requests at 10, 20 and 30 ms; each takes 100 ms on the wire, which is free at 110, 210 and 310 ms. Answers are
    // half as long and never wait for each other.
    let ran = run(
        "
        services: { s: { operations: { get: { request: 100kB, response: 50kB, steps: [] } } } }
        clients: { c: { calls: s.get, arrivals: { constant: 100/s } } }
        network: { default: { bandwidth: 1MB/s } }
        ",
        "{ length: 35ms, resolution: 10ms }",
    );
    assert_eq!(ran.latencies("c"), [150, 240, 330]);
}
