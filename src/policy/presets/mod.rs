//! Presets: stacks of policies under a name, written as a user would write them.
//!
//! ```text
//!   policies: [ preset: polly ]  ──►  policies: [ bulkhead: 1000, timeout: 30s, retry: { … }, breaker: { … }, timeout: 10s ]
//! ```
//!
//! Each is a text in the vocabulary of the files, so that it can be read (`explain polly`), copied, and checked as any file is.
//! The comments say where each value comes from, and what of the original is left out. They are filled in when a model is
//! read, by `scenario/lists.rs`.

use crate::scenario::source::{Place, Sources};
use crate::scenario::tree::{self, Node, Value};

/// What a preset is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The documented defaults of a library, in its default order.
    Library,
    /// A time to wait, as texts that teach these patterns have it.
    Timeout,
    /// A schedule of retries, likewise.
    Retry,
    /// Settings of a breaker, likewise.
    Breaker,
    /// A limit of concurrency, likewise.
    Bulkhead,
    /// Several layers together, likewise.
    Chain,
}

impl Kind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 6] = [Self::Library, Self::Timeout, Self::Retry, Self::Breaker, Self::Bulkhead, Self::Chain];

    /// What they have in common.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Library => "The defaults of libraries",
            Self::Timeout => "Timeouts",
            Self::Retry => "Schedules of retries",
            Self::Breaker => "Breakers",
            Self::Bulkhead => "Limits of concurrency",
            Self::Chain => "Several layers",
        }
    }
}

/// A stack of policies with a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it is from.
    pub kind: Kind,
    /// Its purpose in one line.
    pub line: &'static str,
    /// The policies, outermost first, as they would be written in a file, with comments.
    pub text: &'static str,
}

macro_rules! library {
    ($name:literal, $line:literal) => {
        Preset { name: $name, kind: Kind::Library, line: $line, text: include_str!(concat!($name, ".yaml")) }
    };
}

const fn taught(name: &'static str, kind: Kind, line: &'static str, text: &'static str) -> Preset {
    Preset { name, kind, line, text }
}

/// Every preset. `list presets`, `explain` and `docs/presets.md` show them.
pub const PRESETS: &[Preset] = &[
    library!("resilience4j", "resilience4j 2 with Spring Boot: retry, breaker, time limiter, bulkhead"),
    library!("envoy", "Envoy with `retry_on: 5xx`: route timeout, one retry, the thresholds of a cluster"),
    library!("grpc", "gRPC with the service config of its documentation: retries with throttling"),
    library!("polly", "Polly 8, the standard resilience handler of .NET: five layers"),
    library!("hystrix", "Hystrix 1.5: a command with thread isolation"),
    library!("aws-sdk", "the AWS SDKs (botocore's waits), retry mode `standard`: three attempts and a quota"),
    library!("finagle", "a Finagle client: requeues with a budget"),
    taught("http-timeout", Kind::Timeout, "a call over HTTP", "- timeout: 5s\n"),
    taught("rpc-timeout", Kind::Timeout, "a call between services of one's own", "- timeout: 1s\n"),
    taught("health-check-timeout", Kind::Timeout, "a health check", "- timeout: 1s\n"),
    taught("simple-query-timeout", Kind::Timeout, "a simple query", "- timeout: 3s\n"),
    taught("complex-query-timeout", Kind::Timeout, "a complex query", "- timeout: 10s\n"),
    taught("upload-timeout", Kind::Timeout, "an upload", "- timeout: 60s\n"),
    taught("user-timeout", Kind::Timeout, "all that a user is made to wait", "- timeout: 5s\n"),
    taught(
        "below-user-timeout",
        Kind::Timeout,
        "the call below a user's 5 s, which leaves 500 ms for a fallback",
        "- timeout: 4500ms\n",
    ),
    taught(
        "twice-p99-timeout",
        Kind::Timeout,
        "twice the 99th percentile of the last 1,000 answers, 100 ms at first",
        "- timeout: { percentile: 99%, factor: 2, over: 1000, initial: 100ms }\n",
    ),
    taught(
        "three-times-p99-timeout",
        Kind::Timeout,
        "three times the 99th percentile",
        "# The text names the factor alone; the 1,000 answers and the 100 ms at first are those of twice-p99-timeout.\n\
         - timeout: { percentile: 99%, factor: 3, over: 1000, initial: 100ms }\n",
    ),
    taught(
        "p99-of-80ms-timeout",
        Kind::Timeout,
        "a service whose 99th percentile is known to be 80 ms: twice that",
        "- timeout: 160ms\n",
    ),
    taught(
        "two-tries-in-200ms",
        Kind::Timeout,
        "the same service with one retry: 80 ms a try, 200 ms in all",
        "- timeout: 200ms\n- retry: 2\n- timeout: 80ms\n",
    ),
    taught(
        "retry-in-seconds",
        Kind::Retry,
        "three retries, after 1, 2 and 4 s, give or take a fifth",
        "- retry: { attempts: 4, backoff: { exponential: { base: 1s } }, jitter: { plus_minus: 20% } }\n",
    ),
    taught(
        "retry-in-seconds-full-jitter",
        Kind::Retry,
        "the same, each wait times a random share between 0 and 100 %",
        "- retry: { attempts: 4, backoff: { exponential: { base: 1s } }, jitter: full }\n",
    ),
    taught(
        "retry-doubling-to-30s",
        Kind::Retry,
        "five attempts, doubling from 1 s to at most 30 s, in step",
        "# The text says three to five attempts.\n\
         - retry: { attempts: 5, backoff: { exponential: { base: 1s, cap: 30s } } }\n",
    ),
    taught(
        "retry-within-1500ms",
        Kind::Retry,
        "five attempts, doubling from 100 ms, given up at 1.5 s",
        "- retry: { attempts: 5, backoff: { exponential: { base: 100ms } }, within: 1500ms }\n",
    ),
    taught(
        "retry-from-100ms",
        Kind::Retry,
        "five attempts, doubling from 100 ms to at most 10 s, up to a tenth more",
        "- retry: { attempts: 5, backoff: { exponential: { base: 100ms, cap: 10s } }, jitter: { plus: 10% } }\n",
    ),
    taught(
        "retry-at-once-first",
        Kind::Retry,
        "four retries: at once, then after 2, 4 and 8 s, up to half as long again",
        "- retry: { attempts: 5, backoff: { list: [ 0, 2s, 4s, 8s ] }, jitter: { plus: 50% } }\n",
    ),
    taught(
        "breaker-half-in-a-minute",
        Kind::Breaker,
        "half of the calls of a minute failed; 30 s; one probe at a time, five successes close it",
        "# None of the texts that open by a rate says how many calls are enough for one; 20 is Hystrix's number.\n\
         - breaker: { failure_rate: 50%, window: 60s, minimum_calls: 20, open_for: 30s, successes: 5, probes_at_once: 1 }\n",
    ),
    taught(
        "breaker-half-in-30s",
        Kind::Breaker,
        "half of the calls of 30 s failed; 30 s; one probe",
        "# 20 is Hystrix's number: see breaker-half-in-a-minute.\n\
         - breaker: { failure_rate: 50%, window: 30s, minimum_calls: 20, open_for: 30s }\n",
    ),
    taught(
        "breaker-half-in-10s",
        Kind::Breaker,
        "half of the calls of 10 s failed; 30 s; one probe",
        "# 20 is Hystrix's number: see breaker-half-in-a-minute.\n\
         - breaker: { failure_rate: 50%, window: 10s, minimum_calls: 20, open_for: 30s }\n",
    ),
    taught(
        "breaker-five-in-a-row",
        Kind::Breaker,
        "five failures in a row; 30 s; one probe",
        "- breaker: { consecutive_failures: 5, open_for: 30s }\n",
    ),
    taught(
        "breaker-two-of-three",
        Kind::Breaker,
        "five failures in a row; 30 s; three probes, of which two must succeed",
        "- breaker: { consecutive_failures: 5, open_for: 30s, probes: 3, successes: 2 }\n",
    ),
    taught(
        "breaker-two-successes",
        Kind::Breaker,
        "five failures in a row; 60 s; two successes close it, and no more probes than that at once",
        "- breaker: { consecutive_failures: 5, open_for: 60s, successes: 2 }\n",
    ),
    taught("search-bulkhead", Kind::Bulkhead, "the search of a shop", "- bulkhead: 100\n"),
    taught("checkout-bulkhead", Kind::Bulkhead, "its checkout", "- bulkhead: 200\n"),
    taught("profile-bulkhead", Kind::Bulkhead, "its profiles", "- bulkhead: 50\n"),
    taught("payment-bulkhead", Kind::Bulkhead, "payment, out of 100 threads", "- bulkhead: 20\n"),
    taught("at-most-1000", Kind::Bulkhead, "everything together", "- bulkhead: 1000\n"),
    taught(
        "layered-defence",
        Kind::Chain,
        "timeout 200 ms, retry, breaker, bulkhead 20, stale cache, in an order in which each of them acts",
        "# The layers and settings of chain-as-drawn. Each answers for what is inside it: the cache for everything, the retry for\n\
         # one attempt and its 200 ms, the breaker for what the attempts come to, time-outs among it.\n\
         # The texts name no rate, no number of calls and no waits: set yours.\n\
         - fallback: stale\n\
         - rate_limit: { rate: 1000/s, burst: 100 }\n\
         - retry: { attempts: 3, backoff: { exponential: { base: 50ms } }, jitter: full }\n\
         - breaker: { failure_rate: 50%, window: 10s, minimum_calls: 20, open_for: 30s }\n\
         - timeout: 200ms\n\
         - bulkhead: 20\n",
    ),
    taught(
        "chain-as-drawn",
        Kind::Chain,
        "the same layers in the order of a drawing: the cache innermost, where it hides every failure from the others",
        "# Client, rate limiter, timeout, breaker, retry, bulkhead, fallback, downstream. `check` says which of them never act.\n\
         - rate_limit: { rate: 1000/s, burst: 100 }\n\
         - timeout: 200ms\n\
         - breaker: { failure_rate: 50%, window: 10s, minimum_calls: 20, open_for: 30s }\n\
         - retry: { attempts: 3, backoff: { exponential: { base: 50ms } }, jitter: full }\n\
         - bulkhead: 20\n\
         - fallback: stale\n",
    ),
];

impl Preset {
    /// The preset with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    /// The policies as a tree, every value at the same place: that where the preset is named.
    ///
    /// # Panics
    /// If the text is not a list, which a test excludes.
    #[must_use]
    pub fn items(&self, place: Place) -> Vec<Node> {
        let mut sources = Sources::new();
        let id = sources.add(format!("preset {}", self.name), self.text);
        let mut node = tree::parse_value(id, &sources).expect("presets are well-formed");
        move_to(&mut node, place);
        match node.value {
            Value::Seq(items) => items,
            _ => panic!("the preset {} is no list", self.name),
        }
    }
}

fn move_to(node: &mut Node, place: Place) {
    node.place = place;
    match &mut node.value {
        Value::Seq(items) => items.iter_mut().for_each(|item| move_to(item, place)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_place = place;
                move_to(&mut entry.value, place);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::Written;
    use super::*;

    #[test]
    fn every_preset_can_be_read_and_has_sensible_options() {
        for preset in PRESETS {
            let items = preset.items(Place::NOWHERE);
            assert!(!items.is_empty(), "{}", preset.name);
            for item in items {
                let policy: Written = tree::read(&item).unwrap_or_else(|wrong| panic!("{}: {wrong}", preset.name));
                assert_eq!(policy.problems(), [], "{}", preset.name);
            }
        }
    }

    #[test]
    fn no_name_is_taken_twice_and_each_says_what_it_is() {
        for (number, preset) in PRESETS.iter().enumerate() {
            assert!(PRESETS[..number].iter().all(|other| other.name != preset.name), "{}", preset.name);
            assert!(preset.line.len() > 5 && Preset::named(preset.name).is_some());
        }
        for library in PRESETS.iter().filter(|preset| preset.kind == Kind::Library) {
            for part in ["# Source", "# Left out: "] {
                assert!(library.text.contains(part), "{}: {part}", library.name);
            }
        }
    }
}
