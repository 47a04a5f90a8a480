//! idempotency: a request that comes again with the same key is answered again, and not done again.
//!
//! ```text
//!   request with a key ─► seen? ─┬─ never, or its first failed ─► its program runs, once
//!                                ├─ its first is running       ─► wait for it, or 409
//!                                └─ answered                   ─► the same answer, without the work
//! ```
//!
//! The header `Idempotency-Key` of payment APIs (an IETF draft, "The Idempotency-Key HTTP Header Field"). Always: of the requests
//! with one key at most one is running; an answer is remembered from the moment its program has ended well, for `ttl`.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Handle, Time};
use crate::outcome::Outcome;
use crate::scenario::units::Span;

/// Answer a request that comes again with the same key as the first time, without doing it again. The table of keys is one for all
/// replicas, as in their common store, and outlives crashes. `idempotency: {}` has the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Idempotency")]
pub struct Spec {
    /// How long an answer is remembered, from the end of its program. One that comes later is done again. Default: `24h`.
    #[serde(default)]
    pub ttl: Option<Span>,
    /// What becomes of a request whose first is still running. Default: `wait`.
    #[serde(default)]
    pub concurrent: Concurrent,
    /// Work to look a key up, for each request that brings one. Default: 0.
    #[serde(default)]
    pub lookup: Option<Span>,
}

/// What becomes of a request whose first is still running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Concurrent {
    /// It waits for the answer of the first, with its worker (an `async` service gives it back meanwhile). If the first fails,
    /// the next one runs.
    #[default]
    Wait,
    /// It is refused with 409: `rejected`, which is not retried.
    Conflict,
}

/// For which attempts of a call the key is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// For all that are made for the same request, also when the retry happens further up: derived from what came with the
    /// request, such as the number of an order.
    Request,
    /// For the attempts of this call only: made anew for each call. Who is called again makes another key.
    Call,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let forgets = self.ttl.is_some_and(|ttl| ttl.0.is_zero());
        forgets.then_some(("an answer that is forgotten at once is never given again", "give `ttl` a time above zero"))
    }
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing: this request is the first, and runs.
    First,
    /// The first is running.
    Running,
    /// The answer.
    Answered(Outcome),
}

/// The table of an operation.
#[derive(Debug)]
pub struct Table {
    ttl: Duration,
    entries: BTreeMap<u64, Entry>,
    /// The keys of the answers, and when they are forgotten, in this order.
    expiry: VecDeque<(Time, u64)>,
}

#[derive(Debug)]
enum Entry {
    Running { task: Handle, waiting: Vec<Handle> },
    Answered(Outcome),
}

impl Table {
    /// Without a key.
    #[must_use]
    pub fn new(spec: &Spec) -> Self {
        let ttl = spec.ttl.map_or(Duration::from_secs(24 * 3_600), |ttl| ttl.0);
        Self { ttl, entries: BTreeMap::new(), expiry: VecDeque::new() }
    }

    /// A request looks up its key.
    pub fn look_up(&mut self, key: u64, task: Handle, now: Time) -> Seen {
        self.forget_old(now);
        match self.entries.get(&key) {
            Some(Entry::Answered(outcome)) => Seen::Answered(*outcome),
            Some(Entry::Running { .. }) => Seen::Running,
            None => {
                self.entries.insert(key, Entry::Running { task, waiting: Vec::new() });
                Seen::First
            }
        }
    }

    /// A request waits for the first with its key.
    pub fn wait(&mut self, key: u64, task: Handle) {
        if let Some(Entry::Running { waiting, .. }) = self.entries.get_mut(&key) {
            waiting.push(task);
        }
    }

    /// A request has ended. If it was the one that ran, those who look the key up again now, in their order.
    pub fn ended(&mut self, key: u64, task: Handle, outcome: Outcome, now: Time) -> Option<Vec<Handle>> {
        let Some(Entry::Running { task: running, waiting }) = self.entries.get_mut(&key) else { return None };
        if *running != task {
            return None;
        }
        let waiting = std::mem::take(waiting);
        if outcome.is_answer() {
            self.entries.insert(key, Entry::Answered(outcome));
            self.expiry.push_back((now + self.ttl, key));
        } else {
            self.entries.remove(&key);
        }
        Some(waiting)
    }

    fn forget_old(&mut self, now: Time) {
        while let Some(&(until, key)) = self.expiry.front()
            && until <= now
        {
            self.entries.remove(&key);
            self.expiry.pop_front();
        }
    }

    /// Whether nobody runs. Asserted when nothing is under way.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.entries.len() == self.expiry.len()
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries.len() * size_of::<(u64, Entry)>() + self.expiry.len() * size_of::<(Time, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Slab;
    use crate::outcome::Lesser;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    /// A table that remembers for 100 ms, and three requests.
    fn table() -> (Table, [Handle; 3]) {
        let mut slab = Slab::default();
        let table = Table::new(&Spec { ttl: Some(Span(Duration::from_millis(100))), ..Spec::default() });
        (table, [slab.insert(()), slab.insert(()), slab.insert(())])
    }

    #[test]
    fn an_answer_is_given_again_until_it_is_forgotten() {
        let (mut table, [a, b, _]) = table();
        assert_eq!(table.look_up(7, a, at(0)), Seen::First);
        assert_eq!(table.look_up(8, b, at(0)), Seen::First);
        assert_eq!(table.ended(7, a, Outcome::Degraded(Lesser::PARTIAL), at(20)), Some(Vec::new()));
        assert_eq!(table.look_up(7, b, at(119)), Seen::Answered(Outcome::Degraded(Lesser::PARTIAL)));
        assert_eq!(table.look_up(7, b, at(120)), Seen::First);
        assert!(!table.at_rest());
    }

    #[test]
    fn a_first_that_fails_leaves_nothing_and_those_who_waited_look_again() {
        let (mut table, [a, b, c]) = table();
        assert_eq!(table.look_up(7, a, at(0)), Seen::First);
        for other in [b, c] {
            assert_eq!(table.look_up(7, other, at(1)), Seen::Running);
            table.wait(7, other);
        }
        assert_eq!(table.ended(7, b, Outcome::Ok, at(1)), None, "it is not the one that runs");
        assert_eq!(table.ended(7, a, Outcome::Error, at(2)), Some(vec![b, c]));
        assert!(table.at_rest());
        assert_eq!(table.look_up(7, b, at(2)), Seen::First);
        assert_eq!(table.look_up(7, c, at(2)), Seen::Running);
    }

    #[test]
    fn an_answer_must_be_remembered_for_a_time() {
        assert!(Spec { ttl: Some(Span(Duration::ZERO)), ..Spec::default() }.problem().is_some());
        assert!(Spec::default().problem().is_none());
    }
}
