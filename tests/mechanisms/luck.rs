//! Common random numbers: what is not touched keeps its luck.

use super::{Ran, Texts};

/// A part that uses chance wherever it can, and another one if wanted.
fn model(workers: u32, attempts: u32, other: bool) -> String {
    let (service, client, link) = if other {
        (
            "other:
                replicas: 2
                balance: random
                workers: 2
                operations:
                  get: [ { choice: [ { weight: 1, steps: [ work: { exponential: 9ms } ] }, { weight: 2 } ] } ]",
            "strangers: { calls: other.get, arrivals: { poisson: 30/s }, policies: [ timeout: 20ms ] }",
            "strangers->other: { loss: 10%, latency: { exponential: 1ms } }",
        )
    } else {
        ("", "", "")
    };
    format!(
        "
services:
  {service}
  web:
    replicas: 3
    balance: random
    workers: {workers}
    operations:
      get:
        - work: {{ exponential: 10ms }}
        - choice: [ {{ weight: 1, steps: [ call: db.get ] }}, {{ weight: 1, steps: [ work: {{ exponential: 5ms }} ] }} ]
  db: {{ workers: 1, operations: {{ get: [ work: {{ lognormal: {{ p50: 10ms, p99: 50ms }} }} ] }} }}
clients:
  {client}
  users:
    arrivals: {{ poisson: 50/s }}
    tasks:
      one: {{ steps: [ {{ call: web.get, policies: [ {{ retry: {{ attempts: {attempts}, backoff: {{ constant: 5ms }}, jitter: full }} }}, {{ timeout: 50ms }} ] }} ] }}
      two: {{ steps: [ {{ choice: [ {{ weight: 1, steps: [ call: web.get ] }}, {{ weight: 1 }} ] }} ] }}
    instances: 3
  crowd: {{ calls: db.get, users: {{ count: 3, think: {{ exponential: 100ms }} }}, policies: [ timeout: 1s ] }}
network:
  default: {{ latency: {{ exponential: 1ms }} }}
  links: {{ web->db: {{ loss: 1% }}, {link} }}
"
    )
}

fn ran(model: &str, seed: u64) -> Ran {
    let experiment = "
        length: 30s
        warmup: 2s
        faults:
          - { at: 5s, for: 5s, errors: { service: web, share: 50%, rate: 20% } }
          - { random: { mean_time_between: 5s, mean_time_to_repair: 1s }, slow: { service: db, factor: 2 } }
    ";
    Texts { model, experiment, data: &[] }.run(seed)
}

/// Names and bits of every figure of these entities.
fn figures(ran: &Ran, of: &dyn Fn(&str) -> bool) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let rows = ran.run.windows.iter().map(|row| (&ran.run.columns, row));
    for (columns, row) in rows.chain(ran.run.timeline.iter().map(|row| (&ran.run.tracks, row))) {
        let named = columns.iter().zip(row).filter(|(column, _)| of(&column.entity));
        all.extend(named.map(|(column, value)| (format!("{} {}", column.entity, column.metric), value.to_bits())));
    }
    all
}

#[test]
fn an_unrelated_part_leaves_every_figure_of_the_others_as_it_was() {
    for seed in 1..=5 {
        let alone = ran(&model(4, 2, false), seed);
        let beside = ran(&model(4, 2, true), seed);
        let ours = |entity: &str| !entity.contains("other") && !entity.contains("strangers");
        let (before, after) = (figures(&alone, &ours), figures(&beside, &ours));
        assert_eq!(before.len(), after.len());
        let changed: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| &a.0).collect();
        assert!(changed.is_empty(), "seed {seed}: {} figures, {:?} the first", changed.len(), changed[0]);
        assert!(beside.count("client/strangers", "offered") > 500);
    }
}

#[test]
fn a_changed_knob_leaves_the_arrivals_as_they_were() {
    let base = ran(&model(4, 2, false), 7);
    for changed in [ran(&model(1, 2, false), 7), ran(&model(4, 5, false), 7)] {
        assert_eq!(base.steps("client/users", "offered"), changed.steps("client/users", "offered"));
        assert_eq!(base.steps("edge/users->web.get#2", "offered"), changed.steps("edge/users->web.get#2", "offered"));
        assert_ne!(base.value("client/users", "attempts"), changed.value("client/users", "attempts"));
    }
}

#[test]
fn a_surge_leaves_the_arrivals_before_it_as_they_were() {
    let run = |experiment| Texts { model: &model(4, 2, false), experiment, data: &[] }.run(3);
    let calm = run("{ length: 20s }").steps("client/users", "offered");
    let surge = "{ length: 20s, faults: [ { at: 10s, for: 5s, surge: { client: users, factor: 3 } } ] }";
    let surge = run(surge).steps("client/users", "offered");
    assert_eq!(calm[..10], surge[..10]);
    assert_ne!(calm[10..], surge[10..]);
}

#[test]
fn another_seed_has_other_luck() {
    let all = |_: &str| true;
    let text = model(4, 2, false);
    assert_ne!(figures(&ran(&text, 1), &all), figures(&ran(&text, 2), &all));
    assert_eq!(figures(&ran(&text, 1), &all), figures(&ran(&text, 1), &all));
}
