//! Random models and experiments, as a user would write them.

pub mod spans;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::plan::Plan;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A model, an experiment and a seed.
#[derive(Clone)]
pub struct Case {
    pub seed: u64,
    caches: Vec<String>,
    services: Vec<String>,
    clients: Vec<String>,
    network: String,
    experiment: String,
    topics: Vec<String>,
}

/// As files, ready to be copied.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}\n# models/case.yaml\n{}\n# experiments/case.yaml\n{}",
            self.seed,
            self.model(),
            self.experiment
        )
    }
}

impl Case {
    fn model(&self) -> String {
        let (caches, services, clients) = (self.caches.concat(), self.services.concat(), self.clients.concat());
        let topics = self.topics.concat();
        format!("caches:\n{caches}topics:\n{topics}services:\n{services}clients:\n{clients}{}", self.network)
    }

    /// The same with a service and a client that the others have nothing to do with, listed before them.
    pub fn with_strangers(&self) -> Self {
        let service = "  stranger:\n    replicas: 2\n    workers: 2\n    cancel: propagate\n    balance: random\n    \
            operations: { op: [ { choice: [ { weight: 1, steps: [ { work: { exponential: 9ms } } ] }, \
            { weight: 2, steps: [ { fail: error } ] } ] } ] }\n";
        let client = "  passer_by: { calls: stranger.op, arrivals: { poisson: 90/s }, policies: [ \
            retry: { attempts: 3, backoff: { constant: 5ms }, jitter: full }, \
            breaker: { failure_rate: 60%, window: 10, open_for: 50ms }, timeout: 15ms ] }\n";
        let mut other = self.clone();
        other.services.insert(0, service.to_owned());
        other.clients.insert(0, client.to_owned());
        other
    }

    /// The same with a client that never gets an answer, so that the run lasts to the end of its `drain`, 500 ms.
    pub fn with_one_who_waits_for_ever(&self) -> Self {
        let mut other = self.clone();
        other.services.push("  silence: { operations: { op: [] } }\n".to_owned());
        other.clients.push("  waiting: { calls: silence.op, users: { count: 1, think: 1ms } }\n".to_owned());
        other.network = other.network.replace(" }\n", ", links: { waiting->silence: { loss: 100% } } }\n");
        other.experiment.push_str("set: { drain: 500ms }\n");
        other
    }

    /// What the ordinary loader makes of the files.
    pub fn plan(&self) -> Plan {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed").replace(':', "_");
        let name = format!("{name}-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("properties").join(name);
        fs::create_dir_all(folder.join("models")).expect("the folder can be made");
        fs::create_dir_all(folder.join("experiments")).expect("the folder can be made");
        fs::write(folder.join("models/case.yaml"), self.model()).expect("the file can be written");
        let file = folder.join("experiments/case.yaml");
        fs::write(&file, &self.experiment).expect("the file can be written");
        let scenario = Scenario::load(&file, &[])
            .unwrap_or_else(|unreadable| panic!("{}", unreadable.diagnostics.render(&unreadable.sources, false)));
        fs::remove_dir_all(&folder).expect("the folder can be removed");
        let mut found = Diagnostics::new();
        match scenario.plan(&scenario.point(0), &mut found) {
            Some((plan, _)) => plan,
            None => panic!("{}", found.render(&scenario.sources, false)),
        }
    }
}

/// One of several texts.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    (0..texts.len()).prop_map(move |number| texts[number].to_owned())
}

/// An option of a mapping that may be left out.
fn maybe(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    option::of(text).prop_map(|text| text.map_or_else(String::new, |text| format!(", {text}")))
}

fn millis(range: std::ops::Range<u64>) -> impl Strategy<Value = String> + Clone {
    range.prop_map(|ms| format!("{ms}ms"))
}

fn law() -> BoxedStrategy<String> {
    prop_oneof![
        millis(0..30),
        millis(1..30).prop_map(|mean| format!("{{ exponential: {mean} }}")),
        (1..10_u64, 2..9_u64)
            .prop_map(|(p50, times)| { format!("{{ lognormal: {{ p50: {p50}ms, p99: {}ms }} }}", p50 * times) }),
    ]
    .boxed()
}

/// Outcomes that a policy reacts to.
fn on() -> impl Strategy<Value = String> {
    let names = ["timeout", "unavailable", "throttled", "error", "rejected", "unreachable", "refused"];
    proptest::sample::subsequence(names.to_vec(), 1..=names.len()).prop_map(|some| format!("on: [{}]", some.join(", ")))
}

/// As [`on`], without what is never retried.
fn retried() -> impl Strategy<Value = String> {
    let names = ["timeout", "unavailable", "throttled", "error", "unreachable", "refused"];
    proptest::sample::subsequence(names.to_vec(), 1..=names.len()).prop_map(|some| format!("on: [{}]", some.join(", ")))
}

fn shared() -> impl Strategy<Value = String> {
    maybe(Just("shared: true".to_owned()))
}

fn retry() -> impl Strategy<Value = String> {
    let waits = prop_oneof![
        2 => Just(String::new()),
        2 => (millis(1..40), one_of(&["none", "full", "equal", "{ plus_minus: 30% }"]))
            .prop_map(|(wait, jitter)| format!(", backoff: {{ constant: {wait} }}, jitter: {jitter}")),
        2 => (1..20_u64, 1..8_u64, one_of(&["none", "full", "equal", "decorrelated", "{ plus_minus: 100% }"])).prop_map(
            |(base, cap, jitter)| {
                let cap = base * cap;
                format!(", backoff: {{ exponential: {{ base: {base}ms, cap: {cap}ms }} }}, jitter: {jitter}")
            }
        ),
        1 => law().prop_map(|law| format!(", backoff: {{ random: {law} }}")),
        1 => (1..20_u64, 0..30_u64)
            .prop_map(|(base, step)| format!(", backoff: {{ linear: {{ base: {base}ms, step: {step}ms }} }}")),
        1 => (1..20_u64).prop_map(|base| format!(", backoff: {{ fibonacci: {{ base: {base}ms }} }}, jitter: full")),
        1 => vec(millis(0..40), 1..4)
            .prop_map(|waits| format!(", backoff: {{ list: [ {} ] }}, jitter: {{ plus: 20% }}", waits.join(", "))),
    ];
    let rest = (
        maybe(one_of(&["elsewhere: true", "persistence: 60%"])),
        maybe(millis(0..60).prop_map(|wait| format!("throttled: {wait}"))),
        maybe(millis(0..200).prop_map(|time| format!("within: {time}"))),
        maybe(retried().prop_map(|list| list.replace("on:", "on_idempotent:"))),
    );
    (1..=4_u32, waits, maybe(retried()), maybe(budget()), rest, shared()).prop_map(
        |(attempts, waits, on, budget, (rest, throttled, within, again), shared)| {
            format!("retry: {{ attempts: {attempts}{waits}{on}{again}{budget}{rest}{throttled}{within}{shared} }}")
        },
    )
}

fn budget() -> impl Strategy<Value = String> {
    let budget = prop_oneof![
        2 => (0..10_u32, one_of(&["first_try", "success"]), 0..5_u32, 1..5_u32).prop_map(|(tenths, on, initial, cap)| {
            format!("token_bucket: {{ deposit: 0.{tenths}, on: {on}, initial: {initial}, cap: {cap} }}")
        }),
        1 => (1..90_u32, 0..5_u32)
            .prop_map(|(share, least)| format!("finagle: {{ share: {share}%, min_retries: {least}/s, ttl: 1s }}")),
        1 => (1..10_u32, 1..9_u32)
            .prop_map(|(most, tenths)| format!("grpc: {{ max_tokens: {most}, token_ratio: 0.{tenths} }}")),
        1 => (0..100_u32, 0..4_u32)
            .prop_map(|(share, least)| format!("envoy: {{ share: {share}%, min_concurrency: {least} }}")),
        1 => (10..60_u32).prop_map(|capacity| format!("aws: {{ capacity: {capacity} }}")),
        1 => (1..=100_u32, maybe(millis(1..900).prop_map(|over| format!("over: {over}"))))
            .prop_map(|(share, over)| format!("failure_rate: {{ at_most: {share}%{over} }}")),
    ];
    budget.prop_map(|budget| format!("budget: {{ {budget} }}"))
}

/// Tries that end only when something outside gives up.
fn unlimited_retry() -> impl Strategy<Value = String> {
    (millis(20..200), millis(1..40), retried()).prop_map(|(limit, wait, on)| {
        format!("timeout: {limit}, retry: {{ attempts: unlimited, backoff: {{ constant: {wait} }}, {on} }}")
    })
}

fn breaker() -> impl Strategy<Value = String> {
    let window = prop_oneof![
        (1..20_u32, 1..20_u32)
            .prop_map(|(calls, least)| format!("window: {calls}, minimum_calls: {}", least.min(calls))),
        (millis(10..1_000), 1..10_u32).prop_map(|(time, least)| format!("window: {time}, minimum_calls: {least}")),
        (millis(10..1_000), 1..10_u32)
            .prop_map(|(time, least)| format!("window: {{ tumbling: {time} }}, minimum_calls: {least}")),
    ];
    let slow = (millis(0..100), 1..=100_u32)
        .prop_map(|(after, share)| format!("slow_call: {{ after: {after}, rate: {share}% }}"));
    let trip = prop_oneof![
        2 => (1..=100_u32, window.clone()).prop_map(|(share, window)| format!("failure_rate: {share}%, {window}")),
        1 => (1..=100_u32, slow.clone(), window.clone())
            .prop_map(|(share, slow, window)| format!("failure_rate: {share}%, {slow}, {window}")),
        1 => (maybe((1..6_u32).prop_map(|row| format!("consecutive_failures: {row}"))), slow, window)
            .prop_map(|(row, slow, window)| format!("{slow}, {window}{row}")),
        2 => (1..6_u32).prop_map(|row| format!("consecutive_failures: {row}")),
        1 => (1..6_u32, millis(10..1_000))
            .prop_map(|(row, time)| format!("consecutive_failures: {row}, window: {{ tumbling: {time} }}")),
    ];
    let open = prop_oneof![
        3 => millis(0..600),
        1 => (1..100_u64, 10..30_u32, 1..8_u64).prop_map(|(first, tenths, times)| {
            let (factor, cap) = (f64::from(tenths) / 10.0, first * times);
            format!("{{ first: {first}ms, factor: {factor:?}, cap: {cap}ms }}")
        }),
    ];
    let probing = (1..5_u32, option::of(1..5_u32), option::of(1..5_u32)).prop_map(|(probes, at_once, successes)| {
        let at_once = at_once.map_or_else(String::new, |some| format!(", probes_at_once: {}", some.min(probes)));
        let successes = successes.map_or_else(String::new, |some| format!(", successes: {}", some.min(probes)));
        format!("probes: {probes}{at_once}{successes}")
    });
    let waiting = maybe(millis(1..300).prop_map(|time| format!("half_open_for: {time}")));
    let counting = prop_oneof![2 => maybe(on()), 1 => on().prop_map(|list| list.replace("on:", ", ignore:"))];
    let forced = prop_oneof![8 => Just(""), 1 => Just(", forced: open"), 1 => Just(", forced: closed")];
    ((trip, open, probing), (waiting, counting, forced, shared())).prop_map(
        |((trip, open, probing), (waiting, counting, forced, shared))| {
            format!("breaker: {{ {trip}, open_for: {open}, {probing}{waiting}{counting}{forced}{shared} }}")
        },
    )
}

fn bulkhead() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(String::new()),
        (1..6_u32, maybe(millis(0..60).prop_map(|wait| format!("wait: {wait}"))))
            .prop_map(|(waiting, wait)| format!(", waiting: {waiting}{wait}")),
    ];
    let kind = prop_oneof![2 => shared().boxed(), 1 => Just(", kind: thread_pool".to_owned()).boxed()];
    (1..4_u32, line, kind)
        .prop_map(|(concurrent, line, kind)| format!("bulkhead: {{ concurrent: {concurrent}{line}{kind} }}"))
}

/// A law of a concurrency limit.
fn limit() -> impl Strategy<Value = String> {
    let window = || maybe(millis(1..100).prop_map(|window| format!("window: {window}")));
    let smoothing = || maybe(one_of(&["smoothing: 1", "smoothing: 0.5", "smoothing: 0.01"]));
    prop_oneof![
        (1..5_u32, 0..6_u32, maybe(millis(1..60).prop_map(|time| format!("timeout: {time}"))), window()).prop_map(
            |(first, more, timeout, window)| {
                format!("aimd: {{ min: 1, initial: {first}, max: {}, backoff_ratio: 0.7{timeout}{window} }}", first + more)
            }
        ),
        (1..6_u32, 0..6_u32, smoothing(), maybe((1..5_u32).prop_map(|many| format!("probe_multiplier: {many}"))), window())
            .prop_map(|(first, more, smoothing, probe, window)| {
                format!("vegas: {{ initial: {first}, max: {}{smoothing}{probe}{window} }}", first + more)
            }),
        (1..5_u32, 0..6_u32, smoothing(), (0..5_u32, 10..25_u32, 1..50_u32), window()).prop_map(
            |(first, more, smoothing, (queue, tenths, long), window)| {
                format!(
                    "gradient2: {{ min: 1, initial: {first}, max: {}, queue_size: {queue}, rtt_tolerance: {}.{},                      long_window: {long}{smoothing}{window} }}",
                    first + more,
                    tenths / 10,
                    tenths % 10
                )
            }
        ),
    ]
}

fn concurrency_limit() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(String::new()),
        (1..6_u32, maybe(millis(0..60).prop_map(|wait| format!("wait: {wait}"))))
            .prop_map(|(waiting, wait)| format!(", waiting: {waiting}{wait}")),
    ];
    (limit(), line, shared()).prop_map(|(law, line, shared)| format!("concurrency_limit: {{ {law}{line}{shared} }}"))
}

fn credits() -> impl Strategy<Value = String> {
    let waiting = maybe((0..6_u32).prop_map(|waiting| format!("waiting: {waiting}")));
    (1..6_u32, 1..6_u32, waiting, shared()).prop_map(|(initial, batch, waiting, shared)| {
        format!("credits: {{ initial: {initial}, batch: {}{waiting}{shared} }}", batch.min(initial))
    })
}

fn rate_limit() -> impl Strategy<Value = String> {
    let wait = || maybe(millis(0..100).prop_map(|wait| format!("wait: {wait}")));
    let law = prop_oneof![
        2 => (3..200_u32, 1..5_u32, wait()).prop_map(|(rate, burst, wait)| {
            format!("rate: {rate}/s, burst: {burst}{wait}")
        }),
        1 => (3..200_u32, 1..8_u32, wait())
            .prop_map(|(rate, waiting, wait)| format!("rate: {rate}/s, by: leaky_bucket, waiting: {waiting}{wait}")),
        1 => (1..20_u32, one_of(&["fixed_window", "sliding_log"]), wait())
            .prop_map(|(tens, by, wait)| format!("rate: {}/s, by: {{ {by}: 100ms }}{wait}", 10 * tens)),
        1 => (1..20_u32).prop_map(|tens| format!("rate: {}/s, by: {{ sliding_counter: 100ms }}", 10 * tens)),
    ];
    (law, shared()).prop_map(|(law, shared)| format!("rate_limit: {{ {law}{shared} }}"))
}

fn hedge() -> impl Strategy<Value = String> {
    let rest =
        maybe(one_of(&["elsewhere: false", "budget: 20%", "shared: true", "losers: run", "on: [ error, refused ]"]));
    let wait = prop_oneof![
        3 => (0..60_u64).prop_map(|after| format!("after: {after}ms")),
        1 => (50..=100_u32).prop_map(|share| format!("percentile: {share}%, over: 20")),
        1 => millis(10..900).prop_map(|over| format!("percentile: 80%, over: {over}, initial: 20ms")),
    ];
    (wait, 1..=3_u32, rest).prop_map(|(wait, spares, rest)| format!("hedge: {{ {wait}, spares: {spares}{rest} }}"))
}

fn adaptive_throttle() -> impl Strategy<Value = String> {
    let over = maybe(millis(10..900).prop_map(|over| format!("over: {over}")));
    (10..30_u32, over, maybe(on()), shared()).prop_map(|(tenths, over, on, shared)| {
        format!("adaptive_throttle: {{ k: {}.{}{over}{on}{shared} }}", tenths / 10, tenths % 10)
    })
}

fn timeout() -> impl Strategy<Value = String> {
    let over = prop_oneof![(1..200_u32).prop_map(|calls| calls.to_string()), millis(10..900)];
    let rest = (one_of(&["true", "false"]), shared());
    let learned = (50..=100_u32, 1..4_u32, over, 1..300_u64, maybe(Just("floor: 1ms".to_owned())), rest).prop_map(
        |(share, factor, over, initial, floor, (count, shared))| {
            format!(
                "timeout: {{ percentile: {share}%, factor: {factor}, over: {over}, initial: {initial}ms, ceiling: 400ms, \
                 count_timeouts: {count}{floor}{shared} }}"
            )
        },
    );
    prop_oneof![3 => millis(1..300).prop_map(|after| format!("timeout: {after}")), 1 => learned]
}

fn fallback() -> impl Strategy<Value = String> {
    let latency = || maybe(millis(0..100).prop_map(|latency| format!("latency: {latency}")));
    let stale = (maybe(Just("max_age: 500ms".to_owned())), maybe(Just("capacity: 3".to_owned())), latency())
        .prop_map(|(age, capacity, latency)| format!("{{ answer: stale{age}{capacity}{latency} }}"));
    let later = (5..200_u32, 1..10_u32, millis(1..500), latency()).prop_map(|(rate, capacity, probe, latency)| {
        format!("{{ answer: later, rate: {rate}/s, capacity: {capacity}, probe: {probe}{latency} }}")
    });
    let last = (one_of(&["default", "empty", "message"]), latency())
        .prop_map(|(answer, latency)| format!("{{ answer: {answer}{latency} }}"));
    let levels = (option::of(stale), option::of(later), option::of(last))
        .prop_map(|(stale, later, last)| [stale, later, last].into_iter().flatten().collect::<Vec<_>>().join(", "))
        .prop_map(|levels| if levels.is_empty() { "stale".to_owned() } else { levels });
    (levels, maybe(on())).prop_map(|(levels, on)| format!("fallback: {{ levels: [ {levels} ]{on} }}"))
}

fn single_flight() -> impl Strategy<Value = String> {
    one_of(&["single_flight: {}", "single_flight: { shared: true }"])
}

/// Keys for a client or a call, for a list of options. Without any key a service cannot go by keys: one key does instead.
fn keys() -> impl Strategy<Value = String> {
    maybe(one_of(&[
        "keys: distinct",
        "keys: { uniform: 1 }",
        "keys: { uniform: 5 }",
        "keys: { zipf: { of: 20 } }",
        "keys: { hot: { of: 9, hot: 1, share: 60% } }",
    ]))
}

/// Several layers at once.
fn preset() -> impl Strategy<Value = String> {
    let names = [
        "resilience4j",
        "envoy",
        "grpc",
        "polly",
        "hystrix",
        "aws-sdk",
        "finagle",
        "two-tries-in-200ms",
        "layered-defence",
    ];
    proptest::sample::select(names.to_vec()).prop_map(|name| format!("preset: {name}"))
}

fn connection_pool() -> impl Strategy<Value = String> {
    let line = (
        maybe(millis(0..60).prop_map(|wait| format!("max_wait: {wait}"))),
        maybe((1..6_u32).prop_map(|waiting| format!("waiting: {waiting}"))),
    );
    let times = (
        maybe(millis(1..200).prop_map(|time| format!("idle_timeout: {time}"))),
        maybe(
            (millis(1..300), maybe(Just("lifetime_jitter: 40%".to_owned())))
                .prop_map(|(time, jitter)| format!("max_lifetime: {time}{jitter}")),
        ),
    );
    let streams = maybe((1..5_u32).prop_map(|streams| format!("streams: {streams}")));
    (1..6_u32, line, times, streams).prop_map(|(size, line, times, streams)| {
        let warm = if size % 2 == 0 { ", warm: 2" } else { "" };
        format!("connection_pool: {{ size: {size}{}{}{}{}{streams}{warm} }}", line.0, line.1, times.0, times.1)
    })
}

/// What connections to a service cost, for a list of options.
fn connections() -> impl Strategy<Value = String> {
    let handshake = (maybe(law().prop_map(|law| format!("work: {law}"))), 1..4_u32)
        .prop_map(|(work, trips)| format!("handshake: {{ round_trips: {trips}{work} }}"));
    let door = (
        maybe((1..12_u32).prop_map(|max| format!("max: {max}"))),
        maybe(one_of(&["rate: 40/s, burst: 3", "rate: 200/s"])),
    );
    (door, maybe(handshake)).prop_map(|((max, rate), handshake)| {
        let options = [max, rate, handshake].concat();
        format!("connections: {{ {} }}", options.trim_start_matches(", "))
    })
}

/// Policies, outermost first, as `policies: [...]`.
fn stack() -> BoxedStrategy<String> {
    let policy = prop_oneof![
        4 => timeout(),
        4 => retry(),
        1 => unlimited_retry(),
        4 => breaker(),
        4 => bulkhead(),
        3 => concurrency_limit(),
        2 => rate_limit(),
        2 => adaptive_throttle(),
        2 => fallback(),
        2 => single_flight(),
        2 => hedge(),
        1 => preset(),
        2 => credits(),
    ];
    // Inside a pool there are only timeouts.
    let pool = (connection_pool(), option::of(timeout()));
    (vec(policy, 0..=6), option::weighted(0.4, pool))
        .prop_map(|(mut stack, pool)| {
            if let Some((pool, timeout)) = pool {
                stack.push(pool);
                stack.extend(timeout);
            }
            format!("policies: [ {} ]", stack.join(", "))
        })
        .boxed()
}

/// A step; a call goes to one of the services further down, if there is one.
#[derive(Clone, Debug)]
enum Step {
    Work(String),
    Call { to: usize, options: String },
    Parallel { branches: Vec<Step>, need: Option<usize> },
    Choice(Vec<Step>, Vec<Step>),
    Repeat(u32, Vec<Step>),
    Fail(String),
    Look { miss: Vec<Step>, hit: Vec<Step> },
    Write { how: String, steps: Vec<Step> },
    Publish(String),
}

/// What is published by clients and by the service that they call; those who consume call the others, so that no message makes another.
fn publish() -> impl Strategy<Value = Step> {
    one_of(&["t0", "t0", "t1", "{ topic: t0, poison: 30% }", "{ topic: t1, poison: 100% }"]).prop_map(Step::Publish)
}

/// A topic.
fn topic() -> impl Strategy<Value = String> {
    let order = prop_oneof![
        2 => Just(String::new()),
        1 => one_of(&["order: lifo"]),
        2 => (1..4_u32).prop_map(|partitions| format!("partitions: {partitions}")),
    ];
    let room = maybe(
        (1..5_u32, maybe(one_of(&["when_full: refuse", "when_full: drop_oldest"])))
            .prop_map(|(capacity, full)| format!("capacity: {capacity}{full}")),
    );
    (order, room, maybe(millis(10..400).prop_map(|age| format!("max_age: {age}")))).prop_map(|(order, room, age)| {
        let options = format!(", {order}{room}{age}");
        format!("{{ {} }}", options.trim_start_matches(", "))
    })
}

/// Who consumes: how many processes, the topic and how, and the calls that are made for each message.
fn consumer() -> impl Strategy<Value = (String, Vec<Step>)> {
    let least = (
        maybe(millis(10..200).prop_map(|time| format!("visibility_timeout: {time}"))),
        prop_oneof![
            one_of(&["redeliver: 5ms", "redeliver: { exponential: 40ms }"]),
            (1..5_u32, maybe(one_of(&["redeliver: 20ms"])), maybe(one_of(&["dead_letter: letters"])))
                .prop_map(|(most, wait, letters)| format!("max_deliveries: {most}{wait}{letters}")),
        ],
    )
        .prop_map(|(timeout, again)| format!("{again}{timeout}"));
    let how = prop_oneof![3 => least.boxed(), 1 => one_of(&["delivery: at_most_once"]).boxed()];
    let topic = one_of(&["t0", "t1"]);
    (1..4_u32, topic, 1..4_u32, how, zones(), vec(call(), 1..3)).prop_map(
        |(instances, topic, concurrency, how, zones, steps)| {
            let consumes = format!("topic: {topic}, concurrency: {concurrency}, {how}");
            (format!("instances: {instances}, {zones}, consumes: {{ {consumes} }}"), steps)
        },
    )
}

/// A cache for the clients, and one for each service: what fetches an entry must not wait for that entry further down.
const CACHES: usize = 5;

/// A cache, at the instances that use it, for all, or at the instances of a service.
fn cache() -> impl Strategy<Value = String> {
    let room = maybe((1..5_u32, one_of(&["lru", "lfu", "fifo", "random", "never"]), any::<bool>()).prop_map(
        |(capacity, evict, warm)| {
            let warm = if warm { ", warm: 1" } else { "" };
            format!("capacity: {capacity}, evict: {evict}{warm}")
        },
    ));
    let life = maybe(
        (
            millis(10..400),
            maybe(one_of(&["ttl_jitter: 30%", "renew_on_access: true"])),
            maybe(millis(0..200).prop_map(|time| format!("stale_while_revalidate: {time}"))),
            maybe(millis(0..300).prop_map(|time| format!("stale_if_error: {time}"))),
            maybe(one_of(&["early_refresh: {}", "early_refresh: { beta: 3 }"])),
        )
            .prop_map(|(ttl, how, stale, spare, early)| format!("ttl: {ttl}{how}{stale}{spare}{early}")),
    );
    let herds = (
        maybe(one_of(&["coalesce: true"])),
        maybe(millis(1..300).prop_map(|lease| format!("lease: {lease}"))),
        maybe(millis(1..100).prop_map(|time| format!("negative: {time}"))),
        maybe(one_of(&["on_error: invalidate"])),
    )
        .prop_map(|(coalesce, lease, negative, on_error)| format!("{coalesce}{lease}{negative}{on_error}"));
    let place = maybe(one_of(&[
        "shared: true",
        "at: store",
        "at: { service: store, policies: [ timeout: 20ms ] }",
        "at: { service: store, policies: [ retry: 2, timeout: 20ms, single_flight: {} ] }",
    ]));
    (room, life, herds, place).prop_map(|(room, life, herds, place)| {
        // What an instance of another service has is not known at the start.
        let room = if place.contains("store") { room.replace(", warm: 1", "") } else { room };
        let options = [room, life, herds, place].concat();
        format!("{{ {} }}", options.trim_start_matches(", "))
    })
}

fn call() -> impl Strategy<Value = Step> {
    let rest = (
        maybe(Just("optional: true".to_owned())),
        maybe(one_of(&["idempotency_key: call", "idempotency_key: request"])),
        keys(),
    );
    (any::<usize>(), stack(), rest).prop_map(|(to, policies, (optional, key, keys))| Step::Call {
        to,
        options: format!("{policies}{optional}{key}{keys}"),
    })
}

fn leaf() -> BoxedStrategy<Step> {
    prop_oneof![2 => law().prop_map(Step::Work), 3 => call()].boxed()
}

/// A lookup, whose fetch can fail.
fn look() -> impl Strategy<Value = Step> {
    let fails = one_of(&["error", "unavailable"]).prop_map(Step::Fail);
    let may_fail = (leaf(), fails).prop_map(|(leaf, fail)| Step::Choice(vec![leaf], vec![fail]));
    let miss = vec(prop_oneof![3 => leaf(), 1 => may_fail.boxed()], 0..3);
    (miss, vec(leaf(), 0..2)).prop_map(|(miss, hit)| Step::Look { miss, hit })
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let fail = one_of(&["error", "rejected", "unavailable", "throttled"]).prop_map(Step::Fail);
    let parallel = (vec(leaf(), 1..4), option::of(0..3_usize)).prop_map(|(branches, need)| {
        let need = need.map(|need| 1 + need % branches.len());
        Step::Parallel { branches, need }
    });
    let step = prop_oneof![
        6 => leaf(),
        2 => parallel,
        1 => (vec(leaf(), 0..2), vec(prop_oneof![2 => leaf(), 1 => fail.boxed()], 0..2))
            .prop_map(|(one, other)| Step::Choice(one, other)),
        1 => (2..4_u32, vec(leaf(), 1..2)).prop_map(|(times, steps)| Step::Repeat(times, steps)),
        2 => look(),
        1 => (one_of(&["through", "behind", "behind, at_most: 1", "around"]), vec(leaf(), 1..3))
            .prop_map(|(how, steps)| Step::Write { how, steps }),
        1 => publish(),
    ];
    vec(step, 1..4).boxed()
}

/// Who makes calls, which services it may call, and whom it has called.
struct Caller {
    name: String,
    below: Range<usize>,
    called: Vec<usize>,
    /// The cache that it uses.
    cache: usize,
    /// Which services can be read as well as written.
    databases: Vec<bool>,
}

impl Caller {
    fn new(name: String, below: Range<usize>, cache: usize, databases: &[bool]) -> Self {
        Self { name, below, called: Vec::new(), cache, databases: databases.to_vec() }
    }

    fn steps(&mut self, steps: &[Step]) -> String {
        let all: Vec<String> = steps.iter().map(|step| self.step(step)).collect();
        format!("[ {} ]", all.join(", "))
    }

    fn step(&mut self, step: &Step) -> String {
        match step {
            Step::Work(law) => format!("{{ work: {law} }}"),
            Step::Call { .. } if self.below.is_empty() => "{ work: 1ms }".to_owned(),
            Step::Call { to, options } => {
                let reads = to % 7 < 4;
                let to = self.below.start + to % self.below.len();
                self.called.push(to);
                let operation = if reads && self.databases[to] { "read" } else { "op" };
                format!("{{ call: s{to}.{operation}, {options} }}")
            }
            Step::Parallel { branches, need } => {
                let need = need.map_or_else(String::new, |need| format!(", need: {need}"));
                format!("{{ parallel: {}{need} }}", self.steps(branches))
            }
            Step::Choice(one, other) => {
                let (one, other) = (self.steps(one), self.steps(other));
                format!("{{ choice: [ {{ weight: 3, steps: {one} }}, {{ weight: 1, steps: {other} }} ] }}")
            }
            Step::Repeat(times, steps) => format!("{{ steps: {}, repeat: {times} }}", self.steps(steps)),
            Step::Fail(how) => format!("{{ fail: {how} }}"),
            Step::Look { miss, hit } => {
                let cache = self.cache;
                let (miss, hit) = (self.steps(miss), self.steps(hit));
                format!("{{ cache: k{cache}, miss: {miss}, hit: {hit} }}")
            }
            Step::Publish(_) if self.below.start > 1 => "{ work: 1ms }".to_owned(),
            Step::Publish(what) => format!("{{ publish: {what} }}"),
            Step::Write { how, steps } => {
                let cache = self.cache;
                format!("{{ cache: k{cache}, write: {how}, steps: {} }}", self.steps(steps))
            }
        }
    }

    /// The pairs of parts that talk to each other because of this one.
    fn links(&self) -> impl Iterator<Item = (String, String)> {
        self.called.iter().map(|to| (self.name.clone(), format!("s{to}")))
    }
}

/// How a service is balanced, with a place for the weights of its replicas.
fn balance() -> impl Strategy<Value = String> {
    let by = one_of(&[
        "round_robin",
        "random",
        "least_requests",
        "power_of_two",
        "{ power_of_choices: 3 }",
        "{ weighted: [WEIGHTS] }",
        "ring_hash",
        "{ ring_of_points: 2 }",
    ]);
    let law = one_of(&["", ", consecutive_failures: 1", ", failure_rate: 50%, minimum_calls: 3"]);
    let times = (millis(5..200), 1..300_u64, 1..5_u64).prop_map(|(interval, base, times)| {
        format!("interval: {interval}, base_ejection_time: {base}ms, max_ejection_time: {}ms", base * times)
    });
    let ejection =
        (times, law, maybe(one_of(&["max_ejected: 50%", "max_ejected: 100%", "always_eject_one: true"])), maybe(on()))
            .prop_map(|(times, law, most, on)| format!("outlier_ejection: {{ {times}{law}{most}{on} }}"))
            .boxed();
    let check = (one_of(&["op", "health"]), 5..100_u64, 1..=100_u64, 1..4_u32, 1..4_u32)
        .prop_map(|(operation, every, share, fall, rise)| {
            let timeout = (every * share / 100).max(1);
            format!(
                "health_check: {{ operation: {operation}, every: {every}ms, timeout: {timeout}ms, \
                 unhealthy_after: {fall}, healthy_after: {rise} }}"
            )
        })
        .boxed();
    let judges = prop_oneof![
        2 => ejection.clone(),
        1 => check.clone(),
        1 => (ejection, check).prop_map(|(ejection, check)| format!("{ejection}, {check}")),
    ];
    let health = maybe(
        (judges, maybe(one_of(&["panic_threshold: 0%", "panic_threshold: 80%"])))
            .prop_map(|(judges, panic)| format!("{judges}{panic}")),
    );
    let slow_start = maybe(one_of(&["slow_start: 300ms", "slow_start: { window: 1s, aggression: 2, minimum: 1% }"]));
    let zones = maybe(one_of(&[
        "zones: {}",
        "zones: { spill_over: false }",
        "zones: { overprovisioning: 1, minimum_replicas: 2 }",
    ]));
    (by, health, slow_start, zones).prop_map(|(by, health, slow_start, zones)| {
        // A ring and a slow start do not go together.
        let slow_start = if by.contains("ring") { String::new() } else { slow_start };
        format!(", balance: {{ by: {by}{health}{slow_start}{zones} }}")
    })
}

/// What else can be asked of a service.
const HEALTH: &str = "health: { own_worker: true, steps: [ work: 1ms ] }";

/// Who holds the tables of caches.
const STORE: &str = "  store: { replicas: 3, workers: 2, balance: ring_hash, \
    operations: { get: [ work: 1ms ], set: [ work: { exponential: 2ms } ] } }\n";

/// The zones of a service or a client; the first of them is never without anybody.
fn zones() -> impl Strategy<Value = String> {
    one_of(&["zones: [a]", "zones: [a, b]", "zones: [a, b, c]", "zones: [a, b, a]"])
}

/// One state at the replicas of a service, and its operation `read`; often none.
fn replication() -> impl Strategy<Value = String> {
    let reads = one_of(&["primary", "replicas", "any", "prefer_primary", "prefer_replicas"]);
    let mode = one_of(&["asynchronous", "asynchronous", "asynchronous", "semi_synchronous", "synchronous"]);
    let failover = (0..150_u64, 0..150_u64)
        .prop_map(|(after, takes)| format!(", failover: {{ detect_after: {after}ms, takes: {takes}ms }}"));
    let failover = option::weighted(0.8, failover).prop_map(Option::unwrap_or_default);
    let lag = prop_oneof![1 => law(), 3 => millis(100..900).boxed()];
    let from = maybe(one_of(&["reads_from: any", "reads_from: prefer_replicas"]));
    let some = (mode, lag, reads, failover, from).prop_map(|(mode, lag, reads, failover, from)| {
        format!(
            ", replication: {{ mode: {mode}, lag: {lag}, reads: {reads}{failover} }}, \
             operations: {{ read: {{ steps: [ work: 2ms ]{from} }}, "
        )
    });
    option::weighted(0.4, some).prop_map(Option::unwrap_or_default)
}

/// A service: its options, and what it does. The name comes later.
fn service() -> impl Strategy<Value = (u32, String, String, Vec<Step>)> {
    let limits = (
        option::weighted(0.8, 1..5_u32)
            .prop_map(|workers| workers.map_or_else(String::new, |workers| format!(", workers: {workers}"))),
        maybe((1..3_u32).prop_map(|cpus| format!("cpus: {cpus}"))),
        maybe(
            (
                0..6_u32,
                one_of(&[
                    "fifo",
                    "lifo",
                    "priority",
                    "{ adaptive_lifo: 1 }",
                    "{ adaptive_lifo: { threshold: 3, overloaded_after: 20ms } }",
                    "earliest_deadline",
                ]),
                maybe(prop_oneof![
                    millis(1..100).prop_map(|most| format!("max_wait: {most}")),
                    (millis(0..10), millis(10..60), one_of(&["facebook", "classic"])).prop_map(
                        |(target, interval, law)| {
                            format!("codel: {{ target: {target}, interval: {interval}, law: {law} }}")
                        }
                    ),
                ]),
                maybe(one_of(&["when_full: evict_youngest", "when_full: evict_oldest", "when_full: block"])),
                maybe(one_of(&[
                    "shed: { queue: 3, classes: {} }",
                    "shed: { in_flight: 4 }",
                    "shed: { utilisation: 60%, window: 30ms }",
                    "shed: { waited: 20ms, classes: { high: 90%, medium: 50%, low: 0% } }",
                ])),
            )
                .prop_map(|(capacity, order, most, full, shed)| {
                    format!("queue: {{ capacity: {capacity}, order: {order}{most}{full} }}{shed}")
                }),
        ),
        maybe(limit().prop_map(|law| format!("limit: {{ {law} }}"))),
    );
    let habits = (
        maybe(one_of(&["async: true"])),
        maybe(one_of(&["cancel: queued", "cancel: propagate"])),
        maybe(one_of(&["deadline: propagate", "deadline: { reserve: 5ms }"])),
        balance(),
    );
    let life = (
        maybe(millis(0..80).prop_map(|time| format!("startup: {time}"))),
        maybe(millis(1..300).prop_map(|time| format!("warmup: {{ for: {time}, factor: 3 }}"))),
        maybe(millis(0..5).prop_map(|cost| format!("reject_cost: {cost}"))),
        (
            maybe(one_of(&["slowdown: { linear: 20% }"])),
            maybe(one_of(&[
                "memory: { limit: 6MiB, per_request: 1MiB, restart_after: 20ms }",
                "memory: { limit: 8MiB, base: 1MiB, per_request: 1MiB, garbage: 512KiB, \
                    collection: { pause: 3ms, speed: 1GiB/s } }",
            ])),
        )
            .prop_map(|(slowdown, memory)| format!("{slowdown}{memory}")),
        option::weighted(
            0.2,
            (
                10..300_u32,
                one_of(&[
                    "burst: 3",
                    "by: { fixed_window: 100ms }",
                    "by: { sliding_log: 1s }",
                    "by: { sliding_counter: 100ms }",
                ]),
                one_of(&["all", "client", "class", "caller"]),
                shared(),
            )
                .prop_map(|(tens, by, per, shared)| {
                    format!(", rate_limit: {{ rate: {}/s, {by}, per: {per}{shared} }}", 10 * tens)
                }),
        )
        .prop_map(Option::unwrap_or_default),
        maybe(connections()),
    );
    let effects = (
        maybe(one_of(&["effect: true", "idempotent: true"])),
        maybe((millis(1..300), one_of(&["wait", "conflict"]), millis(0..3)).prop_map(|(ttl, concurrent, lookup)| {
            format!("idempotency: {{ ttl: {ttl}, concurrent: {concurrent}, lookup: {lookup} }}")
        })),
    )
        .prop_map(|(effect, keys)| format!("{effect}{keys}"));
    (1..4_u32, limits, habits, life, zones(), (effects, steps(), replication())).prop_map(
        |(replicas, limits, habits, life, zones, (effects, steps, replication))| {
            let options = [
                limits.0, limits.1, limits.2, limits.3, habits.0, habits.1, habits.2, habits.3, life.0, life.1, life.2,
                life.3, life.4, life.5,
            ];
            let mut options = options.concat().replace("[WEIGHTS]", &format!("{:?}", &[3, 1, 2][..replicas as usize]));
            options.push_str(&format!(", {zones}"));
            // Without deadlines there is nothing to go by.
            if options.contains("earliest_deadline") && !options.contains(", deadline:") {
                options.push_str(", deadline: propagate");
            }
            if options.contains("utilisation") && !options.contains("workers:") {
                options.push_str(", workers: 2");
            }
            // One has nobody who follows.
            if replicas > 1 && !replication.is_empty() {
                return (replicas, format!("{options}{replication}"), format!("{effects}, writes: true"), steps);
            }
            options.push_str(", operations: { ");
            (replicas, options, effects, steps)
        },
    )
}

/// What can be done to a client: it surges, or its members are disconnected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Can {
    Surge,
    Disconnect,
    Nothing,
}

/// Where requests come from; and what can be done to it.
fn source() -> impl Strategy<Value = (Can, String)> {
    let load = maybe(one_of(&[
        "load: [ step: { at: 700ms, factor: 0 } ]",
        "load: [ ramp: { from: 200ms, to: 900ms, factor: 3 } ]",
        "load: [ spike: { at: 300ms, for: 200ms, factor: 4 } ]",
        "load: [ sine: { period: 500ms, amplitude: 80% } ]",
    ]));
    let gaps =
        prop_oneof![Just("poisson: RATE"), Just("constant: RATE"), Just("uniform: { rate: RATE, spread: 50% }"),];
    let batch = maybe((1..6_u32).prop_map(|size| format!("batch: {size}")));
    let open = (gaps, 10..150_u32, load, batch).prop_map(|(gaps, rate, load, batch)| {
        (Can::Surge, format!("arrivals: {{ {} }}{load}{batch}", gaps.replace("RATE", &format!("{rate}/s"))))
    });
    let closed = (1..20_u32, 1..40_u32, maybe(millis(0..30).prop_map(|gap| format!("start_every: {gap}")))).prop_map(
        |(count, think, every)| {
            (Can::Nothing, format!("users: {{ count: {count}, think: {{ exponential: {think}ms }}{every} }}"))
        },
    );
    let again = maybe(one_of(&["again: 5ms", "again: { exponential: 20ms }"]));
    let every = maybe(one_of(&["every: 30ms", "every: 100ms, jitter: 20%"]));
    let fleet = (1..30_u32, maybe(millis(0..300).prop_map(|it| format!("within: {it}"))), again, every).prop_map(
        |(members, within, again, every)| {
            (Can::Disconnect, format!("fleet: {{ members: {members}, starts: 50ms{within}{again}{every} }}"))
        },
    );
    prop_oneof![2 => open, 1 => closed, 1 => fleet]
}

/// A client: what it calls, where its requests come from, and the rest.
fn client() -> impl Strategy<Value = (Vec<Step>, Can, String)> {
    let rest = (1..4_u32, maybe(one_of(&["priority: critical", "priority: low"])), keys(), zones());
    (
        prop_oneof![2 => call().prop_map(|call| vec![call]).boxed(), 1 => vec(call(), 1..3).prop_map(|miss| {
            vec![Step::Look { miss, hit: Vec::new() }]
        }).boxed(), 1 => vec(call(), 1..3).prop_map(|calls| {
        vec![Step::Parallel { need: Some(1), branches: calls }]
    }).boxed(), 2 => (publish(), call()).prop_map(|(publish, call)| vec![publish, call]).boxed()],
        source(),
        rest,
    )
        .prop_map(|(steps, (can, source), (instances, priority, keys, zones))| {
            let keys = if keys.is_empty() { ", keys: { uniform: 1 }".to_owned() } else { keys };
            (steps, can, format!("instances: {instances}, {source}{priority}{keys}, {zones}"))
        })
}

/// What goes wrong, with places for the names of those concerned, and when.
fn fault() -> impl Strategy<Value = (String, usize, String)> {
    let what = one_of(&[
        "slow: { SERVICE, factor: 20 }",
        "errors: { SERVICE, rate: 50%, outcome: throttled }",
        "errors: { SERVICE, fast: true }",
        "errors: { SERVICE, rate: 30%, outcome: unavailable, fast: true }",
        "crash: { SERVICE }",
        "crash: { SERVICE, silent: true }",
        "pause: { SERVICE }",
        "partition: { BETWEEN }",
        "partition: { ONE_WAY }",
        "link: { ONE_WAY, latency: { exponential: 30ms }, loss: 10% }",
        "link: { BETWEEN, latency: 80ms }",
        "surge: { CLIENT, factor: 4 }",
        "disconnect: { FLEET }",
        "disconnect: { FLEET, share: 50%, within: 80ms }",
        "flush: { cache: k0 }",
        "flush: { cache: k1, share: 50% }",
    ]);
    let which = prop_oneof![Just(""), Just(", replica: 0"), Just(", share: 50%"), Just(", zone: a")];
    let when = prop_oneof![
        (0..1_500_u64, 1..600_u64).prop_map(|(at, lasts)| format!("at: {at}ms, for: {lasts}ms")),
        (0..1_500_u64).prop_map(|at| format!("at: {at}ms")),
        (0..800_u64, 1..100_u64, 1..300_u64).prop_map(|(at, lasts, pause)| {
            format!("at: {at}ms, for: {lasts}ms, repeat: {{ every: {}ms }}", lasts + pause)
        }),
        (20..600_u64, 10..300_u64).prop_map(|(between, repair)| {
            format!("random: {{ mean_time_between: {between}ms, mean_time_to_repair: {repair}ms }}")
        }),
    ];
    let ramp = maybe(millis(1..300).prop_map(|ramp| format!("ramp: {ramp}")));
    (what, which, any::<usize>(), when, ramp).prop_map(|(what, which, whom, when, ramp)| {
        let mut when = format!("{when}{ramp}");
        // A flush is an instant.
        if what.contains("flush") {
            let from = when.split(',').next().unwrap_or_default().to_owned();
            when = if from.starts_with("at") { from } else { "at: 300ms".to_owned() };
        }
        (what.replace("SERVICE", &format!("service: SERVICE{which}")), whom, when)
    })
}

/// A random small system, what goes wrong with it, and a seed.
pub fn case() -> impl Strategy<Value = Case> {
    let network = (
        prop_oneof![Just("0ms".to_owned()), millis(1..5), Just("{ exponential: 2ms }".to_owned())],
        prop_oneof![3 => Just("0%"), 1 => Just("3%")],
        maybe(one_of(&["bandwidth: 100KiB/s"])),
    );
    let schedule = (
        one_of(&["", "warmup: 300ms\n"]),
        one_of(&["", "drain: 200ms\n", "drain: 10s\n"]),
        20..700_u64,
        one_of(&["", "windows: { early: { from: 130ms, to: 770ms } }\n"]),
    );
    let messages = (vec(topic(), 2), vec(consumer(), 0..=3));
    let parts = (vec(service(), 2..=4), vec(client(), 1..=2), vec(cache(), CACHES), messages);
    (any::<u16>(), parts, network, schedule, vec(fault(), 0..5)).prop_map(
        |(
            seed,
            (services, clients, caches, (topics, consumers)),
            (latency, loss, bandwidth),
            (warmup, drain, step, windows),
            faults,
        )| {
            let (mut links, count) = (Vec::new(), services.len());
            let databases: Vec<bool> = services.iter().map(|(_, options, ..)| options.contains("replication:")).collect();
            let client_lines = clients.iter().enumerate().map(|(number, (steps, _, rest))| {
                // The first service, so that nothing is idle.
                let mut caller = Caller::new(format!("c{number}"), 0..1, 0, &databases);
                let steps = caller.steps(steps);
                links.extend(caller.links());
                format!("  c{number}: {{ tasks: {{ t: {{ steps: {steps} }} }}, {rest} }}\n")
            });
            let mut client_lines: Vec<String> = client_lines.collect();
            for (number, (options, steps)) in consumers.iter().enumerate() {
                let mut caller = Caller::new(format!("g{number}"), 1..count, 0, &databases);
                let steps = caller.steps(steps);
                links.extend(caller.links());
                client_lines.push(format!("  g{number}: {{ tasks: {{ t: {{ steps: {steps} }} }}, {options} }}\n"));
            }
            let topic_lines = topics.iter().enumerate().map(|(number, it)| format!("  t{number}: {it}\n"));
            let topic_lines = topic_lines.chain(["  letters: {}\n".to_owned()]).collect();
            let service_lines = services.iter().enumerate().map(|(number, (replicas, options, effects, steps))| {
                let mut caller = Caller::new(format!("s{number}"), number + 1..count, number + 1, &databases);
                let steps = caller.steps(steps);
                links.extend(caller.links());
                let operation = format!("{{ request: 300B, response: 1KiB{effects}, steps: {steps} }}");
                format!("  s{number}: {{ replicas: {replicas}{options}op: {operation}, {HEALTH} }} }}\n")
            });
            let mut service_lines: Vec<String> = service_lines.collect();
            if caches.iter().any(|it| it.contains("store")) {
                service_lines.push(STORE.to_owned());
            }
            let cache_lines = caches.iter().enumerate().map(|(number, it)| format!("  k{number}: {it}\n"));
            let able = |can: Can| (0..clients.len()).filter(|&it| clients[it].1 == can).collect::<Vec<usize>>();
            let (surging, fleets) = (able(Can::Surge), able(Can::Disconnect));
            let faults: Vec<String> = faults
                .iter()
                .filter(|(what, ..)| !what.contains("CLIENT") || !surging.is_empty())
                .filter(|(what, ..)| !what.contains("FLEET") || !fleets.is_empty())
                .map(|(what, whom, when)| {
                    let (from, to) = &links[whom % links.len()];
                    let one_of = |able: &[usize]| able.get(whom % able.len().max(1)).copied().unwrap_or(0);
                    let what = what
                        .replace("SERVICE", &format!("s{}", whom % count))
                        .replace("BETWEEN", &format!("between: [{from}, {to}]"))
                        .replace("ONE_WAY", &format!("from: {from}, to: {to}"))
                        .replace("CLIENT", &format!("client: c{}", one_of(&surging)))
                        .replace("FLEET", &format!("client: c{}", one_of(&fleets)));
                    format!("  - {{ {when}, {what} }}\n")
                })
                .collect();
            let faults = if faults.is_empty() { String::new() } else { format!("faults:\n{}", faults.concat()) };
            Case {
                seed: u64::from(seed),
                caches: cache_lines.collect(),
                services: service_lines,
                clients: client_lines,
                topics: topic_lines,
                network: format!("network: {{ default: {{ latency: {latency}, loss: {loss}{bandwidth} }} }}\n"),
                experiment: format!(
                    "model: case\nlength: 1500ms\nresolution: {step}ms\nseeds: 1\nseed: {seed}\n{warmup}{drain}{windows}\
                     limits: {{ events: 300000, events_per_instant: 20000 }}\n{faults}"
                ),
            }
        },
    )
}
