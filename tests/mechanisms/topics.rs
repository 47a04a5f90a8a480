//! Topics: messages that wait for those who consume them.

use super::{Ran, Texts, run, whole};

/// A service that takes so long for each message, a topic, and one who consumes it; `shop` publishes at 100, 200 and 300 ms.
fn three(work: &str, topic: &str, consumes: &str, experiment: &str) -> Ran {
    run(&model(work, topic, consumes, ""), experiment)
}

fn model(work: &str, topic: &str, consumes: &str, rest: &str) -> String {
    format!(
        "
        services: {{ s: {{ operations: {{ do: {{ effect: true, steps: [ work: {work} ] }} }} }} }}
        topics: {{ t: {{ {topic} }}, letters: {{}} }}
        clients:
          shop:
            arrivals: {{ constant: 10/s }}
            load: [ step: {{ at: 350ms, factor: 0 }} ]
            tasks: {{ order: {{ steps: [ publish: t ] }} }}
          worker: {{ calls: s.do, consumes: {{ topic: t, {consumes} }}{rest} }}
        "
    )
}

/// One message, at 100 ms.
fn one(work: &str, consumes: &str, rest: &str, experiment: &str) -> Ran {
    let model = model(work, "", consumes, rest).replace("at: 350ms", "at: 150ms");
    run(&model, experiment)
}

const GROUP: &str = "group/worker";

impl Ran {
    /// A time of the group, in milliseconds.
    fn age(&self, metric: &str) -> u64 {
        self.millis(GROUP, metric)
    }

    /// Counts of the group.
    fn counts<const N: usize>(&self, metrics: [&str; N]) -> [u64; N] {
        metrics.map(|metric| self.count(GROUP, metric))
    }
}

/// At 100, 200 and 300 ms, 250 ms each. Oldest first they are done at 350, 600 and 850 ms; newest first the third is done at 600 ms.
#[test]
fn messages_wait_for_their_turn_oldest_or_newest_first() {
    let oldest = three("250ms", "", "concurrency: 1", "{ length: 2s }");
    assert_eq!(oldest.counts(["delivered", "acknowledged", "redelivered", "late"]), [3, 3, 0, 0]);
    assert_eq!(oldest.count("topic/t", "published"), 3);
    assert_eq!((oldest.age("age.mean"), oldest.age("age.max")), (400, 550));
    // From 200 to 350 and from 300 to 600 ms, of 2 s.
    assert!((oldest.value(GROUP, "lag.mean") - 0.45 / 2.0).abs() < 1e-9);
    assert_eq!(oldest.value(GROUP, "lag.max"), 2.0);
    let newest = three("250ms", "order: lifo", "concurrency: 1", "{ length: 2s }");
    assert_eq!((newest.age("age.mean"), newest.age("age.max")), (400, 650));
    let together = three("250ms", "", "concurrency: 3", "{ length: 2s }");
    assert_eq!(together.age("age.max"), 250);
}

/// With one place the second waits; with the third there is one too many. It is refused with 503, or the second makes room.
#[test]
fn a_full_topic_refuses_or_drops_the_oldest() {
    let refuses = three("1s", "capacity: 1", "concurrency: 1", "{ length: 4s }");
    assert_eq!((refuses.count("topic/t", "published"), refuses.count("topic/t", "refused")), (2, 1));
    assert_eq!((refuses.count("client/shop", "failed.unavailable"), refuses.count(GROUP, "acknowledged")), (1, 2));
    let drops = three("1s", "capacity: 1, when_full: drop_oldest", "concurrency: 1", "{ length: 4s }");
    assert_eq!(drops.count("client/shop", "ok"), 3);
    assert_eq!(drops.counts(["dropped.full", "acknowledged"]), [1, 2]);
    // The third: from 300 ms to 1.1 s + 1 s.
    assert_eq!(drops.age("age.max"), 1_800);
}

/// When the first is done, at 1.1 s, the others are 900 and 800 ms old.
#[test]
fn messages_that_are_too_old_are_dropped_when_their_turn_comes() {
    let ran = three("1s", "max_age: 850ms", "concurrency: 1", "{ length: 4s }");
    assert_eq!(ran.counts(["dropped.old", "acknowledged"]), [1, 2]);
}

/// A message that waits to come back has a place too: there is one for it, and none for the others.
#[test]
fn what_comes_back_later_counts_as_waiting() {
    let down = "{ length: 4s, faults: [ { at: 0s, for: 1s, errors: { service: s, fast: true } } ] }";
    let ran = three("50ms", "capacity: 1", "redeliver: 2s", down);
    assert_eq!(ran.count("topic/t", "refused"), 2);
    let ran = three("50ms", "capacity: 1, when_full: drop_oldest", "redeliver: 2s", down);
    // The second and the third each drive out the one before, while it waits.
    assert_eq!(ran.counts(["dropped.full", "acknowledged", "delivered"]), [2, 1, 4]);
}

/// The service fails until 1 s. Delivered at 100, 350, 600, 850 and 1100 ms, and done 50 ms later.
#[test]
fn a_failed_message_comes_back_until_it_is_processed_or_dead() {
    let down = "{ length: 4s, resolution: 10ms, faults: [ { at: 0s, for: 1s, errors: { service: s, fast: true } } ] }";
    let ran = one("50ms", "redeliver: 250ms", "", down);
    assert_eq!(ran.when("client/worker", "offered"), [100, 350, 600, 850, 1_100]);
    assert_eq!(ran.counts(["delivered", "redelivered", "acknowledged"]), [5, 4, 1]);
    assert_eq!(ran.age("age.max"), 1_050);
    let dead = one("50ms", "redeliver: 250ms, max_deliveries: 3, dead_letter: letters", "", down);
    assert_eq!(dead.counts(["delivered", "dead", "acknowledged"]), [3, 1, 0]);
    assert_eq!(dead.count("topic/letters", "published"), 1);
    let lost = one("50ms", "delivery: at_most_once", "", down);
    assert_eq!(lost.counts(["delivered", "lost", "acknowledged"]), [1, 1, 0]);
}

/// Two seconds of work, and a timeout of 1.5 s: delivered at 0.1, 1.6, 3.1 and 4.6 s, done at 2.1, 3.6, 5.1 and 6.6 s, each time when
/// somebody else has it. At 6.1 s the last of four deliveries times out.
#[test]
fn what_takes_longer_than_its_visibility_timeout_is_done_again() {
    let options = "concurrency: 10, visibility_timeout: 1500ms, max_deliveries: 4, dead_letter: letters";
    let quiet = "{ length: 10s, resolution: 100ms }";
    let ran = one("2s", options, "", quiet);
    assert_eq!(ran.when("client/worker", "offered"), [100, 1_600, 3_100, 4_600]);
    assert_eq!(ran.counts(["delivered", "late", "dead", "acknowledged"]), [4, 4, 1, 0]);
    assert_eq!((ran.count("service/s", "effects"), ran.count("service/s", "duplicate_effects")), (4, 3));
    // With one place, nobody can be given it before the first is done, at 2.1 s: in time.
    let alone = one("2s", &options.replace("concurrency: 10", "concurrency: 1"), "", quiet);
    assert_eq!(alone.counts(["delivered", "late", "acknowledged"]), [1, 0, 1]);
    assert_eq!(alone.age("age.max"), 2_000);
    // With a key the second waits for the first, and is answered with it.
    let keyed = Texts {
        model: &model("2s", "", options, ", idempotency_key: request")
            .replace("at: 350ms", "at: 150ms")
            .replace("effect: true", "effect: true, idempotency: {}"),
        experiment: quiet,
        data: &[],
    };
    let keyed = keyed.run(1);
    assert_eq!(keyed.counts(["delivered", "late", "acknowledged"]), [2, 1, 1]);
    assert_eq!((keyed.age("age.max"), keyed.count("service/s", "duplicate_effects")), (2_000, 0));
}

/// Three messages of the same key at the same instant, 100 ms each. A partition has one at a time, whoever has room; a queue has all.
#[test]
fn a_partition_is_processed_one_by_one() {
    let ages = |topic: &str, instances: u32| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ do: [ work: 100ms ] }} }} }}
            topics: {{ t: {{ {topic} }} }}
            clients:
              shop:
                arrivals: {{ constant: 1/s }}
                batch: 3
                load: [ step: {{ at: 1500ms, factor: 0 }} ]
                keys: {{ uniform: 1 }}
                tasks: {{ order: {{ steps: [ publish: t ] }} }}
              worker: {{ instances: {instances}, calls: s.do, consumes: {{ topic: t, concurrency: 2 }} }}
            "
        );
        let ran = run(&model, "{ length: 3s }");
        assert_eq!(ran.count(GROUP, "acknowledged"), 3);
        // Of all three together, and of the last.
        [whole(3e3 * ran.value(GROUP, "age.mean")), ran.age("age.max")]
    };
    assert_eq!(ages("partitions: 2", 2), [600, 300]);
    assert_eq!(ages("partitions: 1", 1), [600, 300]);
    assert_eq!(ages("", 2), [300, 100]);
    // Two at once, and then the third.
    assert_eq!(ages("", 1), [400, 200]);
}

/// Keys are spread over the partitions, and each partition belongs to one instance: ten partitions of ten instances do ten times as much.
#[test]
fn partitions_are_processed_side_by_side() {
    let acknowledged = |partitions: u32| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ do: [ work: 100ms ] }} }} }}
            topics: {{ t: {{ partitions: {partitions} }} }}
            clients:
              shop: {{ arrivals: {{ constant: 1000/s }}, keys: distinct, tasks: {{ order: {{ steps: [ publish: t ] }} }} }}
              worker: {{ instances: 10, calls: s.do, consumes: {{ topic: t, concurrency: 5 }} }}
            "
        );
        run(&model, "{ length: 10s }").value(GROUP, "acknowledged")
    };
    assert!((acknowledged(1) - 9.9).abs() < 0.2);
    assert!((acknowledged(10) - 99.0).abs() < 2.0);
    // No more than five at once at each instance.
    assert!((acknowledged(1_000) - 495.0).abs() < 10.0);
}

/// A poison message at 100 ms; others at 200, 300, … ms. In a partition they wait for it, 20 ms of work and 300 ms of pause each time; in a
/// queue they do not.
#[test]
fn a_poison_message_blocks_its_partition_and_not_a_queue() {
    let ran = |topic: &str, consumes: &str| {
        let model = format!(
            "
            services: {{ s: {{ operations: {{ do: {{ effect: true, steps: [ work: 20ms ] }} }} }} }}
            topics: {{ t: {{ {topic} }} }}
            clients:
              vandal:
                arrivals: {{ constant: 10/s }}
                load: [ step: {{ at: 150ms, factor: 0 }} ]
                keys: {{ uniform: 1 }}
                tasks: {{ order: {{ steps: [ publish: {{ topic: t, poison: 100% }} ] }} }}
              shop:
                arrivals: {{ constant: 5/s }}
                keys: {{ uniform: 1 }}
                tasks: {{ order: {{ steps: [ publish: t ] }} }}
              worker: {{ calls: s.do, consumes: {{ topic: t, redeliver: 300ms, {consumes} }} }}
            "
        );
        run(&model, "{ length: 950ms }")
    };
    // Delivered at 100, 420 and 740 ms; four others wait, from 200, 400, 600 and 800 ms on.
    let blocked = ran("partitions: 1", "");
    assert_eq!(blocked.counts(["delivered", "acknowledged"]), [3, 0]);
    assert_eq!(blocked.count("service/s", "effects"), 0);
    assert_eq!(blocked.value(GROUP, "lag.max"), 5.0);
    let queue = ran("", "");
    assert_eq!(queue.counts(["delivered", "acknowledged"]), [7, 4]);
    // Dead at 440 ms, and the two that wait are done at 460 and 480 ms.
    let dead = ran("partitions: 1", "max_deliveries: 2");
    assert_eq!(dead.counts(["delivered", "dead", "acknowledged"]), [6, 1, 4]);
    assert_eq!(dead.age("age.max"), 260);
}

/// Two groups get every message, each at its own pace.
#[test]
fn each_consumer_is_a_group_of_its_own() {
    let ran = run(
        "
        services: { s: { operations: { fast: [ work: 10ms ], slow: [ work: 1s ] } } }
        topics: { t: {} }
        clients:
          shop: { arrivals: { constant: 10/s }, tasks: { order: { steps: [ publish: t ] } } }
          quick: { calls: s.fast, consumes: t }
          slow: { calls: s.slow, consumes: t }
        ",
        "{ length: 1950ms }",
    );
    assert_eq!(ran.count("topic/t", "published"), 19);
    assert_eq!((ran.count("group/quick", "acknowledged"), ran.count("group/slow", "acknowledged")), (19, 1));
    // Nineteen less the two that it has begun.
    assert_eq!(ran.value("group/slow", "lag.max"), 17.0);
}

/// A front end publishes, and fails then; its caller tries again. Two messages, of the same request: the second is a duplicate.
#[test]
fn a_message_carries_the_identity_of_its_request() {
    let ran = |key: &str| {
        let model = format!(
            "
            services:
              front: {{ operations: {{ order: [ publish: t ] }} }}
              s: {{ operations: {{ do: {{ effect: true, idempotency: {{}}, steps: [ work: 10ms ] }} }} }}
            topics: {{ t: {{}} }}
            clients:
              shop:
                arrivals: {{ constant: 10/s }}
                load: [ step: {{ at: 150ms, factor: 0 }} ]
                calls: front.order
                policies: [ retry: {{ attempts: 2, backoff: {{ constant: 100ms }}, jitter: none, on: [ error ] }} ]
              worker: {{ calls: s.do, consumes: t{key} }}
            "
        );
        run(&model, "{ length: 2s, faults: [ { at: 0s, for: 150ms, errors: { service: front } } ] }")
    };
    let twice = ran("");
    assert_eq!(twice.counts(["delivered", "acknowledged"]), [2, 2]);
    assert_eq!((twice.count("service/s", "effects"), twice.count("service/s", "duplicate_effects")), (2, 1));
    let once = ran(", idempotency_key: request");
    assert_eq!(once.count("service/s", "effects"), 1);
}

/// M/M/c: with two places and a load of 80 %, (2ρ)²/2/(1−ρ) × P0 × ρ/(1−ρ) = 2.844 messages wait in the mean.
#[test]
fn a_topic_with_two_places_is_the_queue_of_the_textbook() {
    let model = "
        services: { s: { operations: { do: [ work: { exponential: 10ms } ] } } }
        topics: { t: {} }
        clients:
          shop: { arrivals: { poisson: 160/s }, tasks: { order: { steps: [ publish: t ] } } }
          worker: { calls: s.do, consumes: { topic: t, concurrency: 2 } }
        ";
    let runs = (1..=10).map(|seed| Texts { model, experiment: "{ length: 2000s, warmup: 20s }", data: &[] }.run(seed));
    let lags: Vec<f64> = runs.map(|ran| ran.value(GROUP, "lag.mean")).collect();
    let mean = lags.iter().sum::<f64>() / 10.0;
    let error = (lags.iter().map(|lag| (lag - mean) * (lag - mean)).sum::<f64>() / 90.0).sqrt();
    assert!((mean - 2.844).abs() < 5.0 * error && error < 0.1, "{mean} ± {error}");
}

#[test]
fn topics_that_make_no_sense_are_refused_where_they_stand() {
    let said = |topic: &str, consumes: &str| {
        let model = model("1ms", topic, consumes, "");
        Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it makes no sense")
    };
    for (topic, consumes, message) in [
        ("partitions: 0", "concurrency: 1", "a topic of no partitions"),
        ("partitions: 100001", "concurrency: 1", "100001 partitions are more than sense"),
        ("partitions: 2, order: lifo", "concurrency: 1", "a partition is read in its order"),
        ("partitions: 2", "concurrency: 1", "no message of `t` has a key"),
        ("capacity: 0", "concurrency: 1", "a topic without room"),
        ("when_full: refuse", "concurrency: 1", "a topic without a limit is never full"),
        ("max_age: 0s", "concurrency: 1", "every message is too old"),
        ("", "concurrency: 0", "0 messages at once"),
        ("", "visibility_timeout: 0s", "a message that is never out of sight"),
        ("", "max_deliveries: 0", "delivered no times"),
        ("", "dead_letter: letters", "without `max_deliveries` no message is ever dead"),
        ("", "max_deliveries: 2, dead_letter: leters", "did you mean `letters`?"),
        ("", "max_deliveries: 2, dead_letter: t", "the dead messages of `worker` come back to `t`"),
        ("", "delivery: at_most_once, redeliver: 1s", "what is delivered at most once never comes again"),
        ("", "delivery: at_most_once, batch: 1", "`batch`: unknown key"),
    ] {
        let wrong = said(topic, consumes);
        assert!(wrong.contains(message) && wrong.contains("model.yaml:"), "{topic} {consumes}: {wrong}");
    }
    let wrong = |from: &str, to: &str| {
        let model = model("1ms", "", "concurrency: 1", "").replace(from, to);
        assert!(model.contains(to), "{from} is not there");
        Texts { model: &model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it makes no sense")
    };
    assert!(wrong("publish: t", "publish: tt").contains("`tt`: no topic has this name"));
    assert!(wrong("topic: t,", "topic: tt,").contains("`tt`: no topic has this name"));
    assert!(wrong("consumes: {", "arrivals: { constant: 1/s }, consumes: {").contains("makes no other requests"));
    assert!(wrong("consumes: {", "keys: distinct, consumes: {").contains("about what its messages are about"));
    assert!(wrong("publish: t", "{ publish: t, fail: error }").contains("a step does exactly one thing"));
}

/// The dead of one go to the other, and its dead back again.
#[test]
fn dead_letters_that_go_round_are_refused() {
    let model = "
        services: { s: { operations: { do: [] } } }
        topics: { a: {}, b: {} }
        clients:
          shop: { arrivals: { constant: 1/s }, tasks: { order: { steps: [ publish: a ] } } }
          one: { calls: s.do, consumes: { topic: a, max_deliveries: 1, dead_letter: b } }
          two: { calls: s.do, consumes: { topic: b, max_deliveries: 1, dead_letter: a } }
        ";
    let wrong = Texts { model, experiment: "{ length: 1s }", data: &[] }.plan().expect_err("it goes round");
    assert!(wrong.contains("the dead messages of `one` come back to `a`"), "{wrong}");
}
