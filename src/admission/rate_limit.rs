//! rate_limit: limit how many requests are let in at the door in a time, all together or for each who asks.
//!
//! ```text
//!   request ─► whose? ─► a turn now? ─► let in
//!                            │ no
//!                            └─► 429, with the time until the next turn as retry-after
//! ```
//!
//! The limit of a gateway or an API: RFC 6585 for the 429 and RFC 9110 for its retry-after. Counted by the same laws as that of a
//! caller ([`crate::policy::rate_limit`]). Always: a request that is refused has taken no turn, and one that is let in has
//! taken one, whatever becomes of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::{Duration, Time};
use crate::policy::rate_limit::{self, Law, Turns};
use crate::scenario::units::Rate;
use crate::short_form;

/// Refuse requests beyond a rate with 429, which says when to come back: after the time until the next turn. Each refusal
/// costs `reject_cost`, and is counted as `refused.rate`. Short form: `rate_limit: 100/s`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Rate>)]
#[schemars(rename = "RateLimitAtTheDoor")]
pub struct Spec {
    /// Requests a second in the long run.
    pub rate: Rate,
    /// How the requests are counted. `leaky_bucket` is not for a door, at which nobody waits. After a refusal by a
    /// `sliding_counter`, which does not know when the next turn is, the 429 does not say when to come back. Default:
    /// `token_bucket`.
    #[serde(default)]
    pub by: Law,
    /// With `token_bucket`: requests that are let in at once after a quiet time. Default: 1.
    #[serde(default)]
    pub burst: Option<u32>,
    /// Whose requests are counted together. Default: `all`.
    #[serde(default)]
    pub per: Per,
    /// One count for all replicas, as that of a gateway or in a common store, which outlives their crashes; asking it takes no
    /// time. Default: false, each replica counts what comes to it.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, Rate, |rate| Spec { rate, by: Law::TokenBucket, burst: None, per: Per::All, shared: false });

/// Whose requests are counted together; each has the whole rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Those of everybody.
    #[default]
    All,
    /// Those that are made in the end for the same client, whichever way they come.
    Client,
    /// Those of the same class.
    Class,
    /// Those that come from the same instance: a process of a client, or a replica of a calling service.
    Caller,
}

impl Spec {
    /// What is wrong, and a way out.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        if self.by == Law::LeakyBucket {
            let what = "a leaky bucket is a queue, and nobody waits at this door";
            let way_out = "take `token_bucket`, whose burst of 1 refuses what the queue would make wait";
            return vec![(what.to_owned(), way_out.to_owned())];
        }
        self.as_of_a_caller().problems()
    }

    fn as_of_a_caller(&self) -> rate_limit::Spec {
        rate_limit::Spec { by: self.by, burst: self.burst, ..self.rate.into() }
    }
}

/// The counts of a replica, or of all of a service.
#[derive(Clone, Debug)]
pub struct Counts {
    fresh: Turns,
    /// For each whose requests are counted together, as soon as one of them has come.
    of: BTreeMap<u32, Turns>,
}

impl Counts {
    /// Before anybody has come.
    #[must_use]
    pub fn new(spec: &Spec) -> Self {
        Self { fresh: spec.as_of_a_caller().turns(), of: BTreeMap::new() }
    }

    /// A request comes. If it is refused, the time until the next turn; zero if that is not known.
    pub fn refuses(&mut self, whose: u32, now: Time) -> Option<Duration> {
        let turns = self.of.entry(whose).or_insert_with(|| self.fresh.clone());
        let due = turns.due(now);
        if due <= now {
            turns.take(due);
            None
        } else if due == Time::NEVER {
            Some(Duration::ZERO)
        } else {
            Some(due - now)
        }
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.of.len() * size_of::<(u32, Turns)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::units::Span;

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn who_is_refused_hears_when_the_next_turn_is_and_takes_none() {
        let spec = Spec { burst: Some(2), ..Rate(10.0).into() };
        let mut counts = Counts::new(&spec);
        let asked = |counts: &mut Counts, millis| counts.refuses(0, at(millis)).map(|it| it.nanos() / 1_000_000);
        assert_eq!([asked(&mut counts, 0), asked(&mut counts, 0)], [None, None]);
        // One token comes in each 100 ms, and a refusal does not delay it.
        assert_eq!([asked(&mut counts, 30), asked(&mut counts, 30)], [Some(70), Some(70)]);
        assert_eq!([asked(&mut counts, 100), asked(&mut counts, 100)], [None, Some(100)]);
    }

    #[test]
    fn each_who_is_counted_apart_has_the_whole_rate() {
        let mut counts = Counts::new(&Rate(10.0).into());
        assert_eq!(counts.refuses(7, at(0)), None);
        assert_eq!(counts.refuses(8, at(0)), None);
        assert!(counts.refuses(7, at(1)).is_some());
        assert_eq!(counts.of.len(), 2);
    }

    #[test]
    fn a_sliding_counter_does_not_say_when_to_come_back() {
        let by = Law::SlidingCounter(Span(Duration::from_secs(1)));
        let mut counts = Counts::new(&Spec { by, ..Rate(1.0).into() });
        assert_eq!(counts.refuses(0, at(0)), None);
        assert_eq!(counts.refuses(0, at(1)), Some(Duration::ZERO));
    }

    #[test]
    fn options_without_sense_are_refused() {
        let said = |spec: Spec| spec.problems().first().map(|it| it.0.clone()).unwrap_or_default();
        assert!(said(Spec { by: Law::LeakyBucket, ..Rate(1.0).into() }).contains("nobody waits"));
        assert!(said(Rate(0.0).into()).contains("a rate of zero"));
        assert!(said(Spec { burst: Some(0), ..Rate(1.0).into() }).contains("without room for a token"));
        assert_eq!(said(Rate(1.0).into()), "");
    }
}
