//! fallback: answer something lesser instead of failing.
//!
//! ```text
//!   leave, with a failure ─► level 1 has an answer? ─► wait its latency ─► degraded(level)
//!                               │ no
//!                               └─► level 2 …             none has one ─► the failure
//! ```
//!
//! The failure becomes `degraded`: counted apart from `ok` and from failures, so that a page without its
//! recommendations is neither hidden nor called an outage; and with a quality, so that one can say how much worse a
//! degraded service is. Always: a stale answer is one that was fetched for the same key, and not too long ago.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Error, SeqAccess, Visitor};

use super::{Blueprint, Catching, Enter, Leave, Passage, Policy, When, set_of};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Lesser, Outcome, OutcomeSet};
use crate::scenario::units::{Rate, Share, Span};
use crate::short_form;

/// What is answered instead, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What was fetched earlier for the same key, by this instance of the caller. Degraded, level 1.
    Stale,
    /// The same for everybody, e.g. popular items. Degraded, level 2.
    Default,
    /// Nothing, e.g. an empty list. Degraded, level 3.
    Empty,
    /// The promise to do it later: the call is put into a queue of the caller instance, and made again from there, from
    /// this policy inwards, until it has ended well (or with a 4xx). Degraded, level 4.
    Later,
    /// An error message that a person can read. Degraded, level 5.
    Message,
}

impl Answer {
    const fn level(self) -> u8 {
        match self {
            Self::Stale => 1,
            Self::Default => 2,
            Self::Empty => 3,
            Self::Later => 4,
            Self::Message => 5,
        }
    }

    const fn is_always_there(self) -> bool {
        matches!(self, Self::Default | Self::Empty | Self::Message)
    }

    /// The quality when none is given: a quarter less for each step down, by convention. What a lesser answer is worth is
    /// for its owner to say.
    const fn quality(self) -> u8 {
        match self {
            Self::Stale => 75,
            Self::Default | Self::Later => 50,
            Self::Empty => 25,
            Self::Message => 0,
        }
    }
}

/// Answer something lesser instead of failing. Short forms: `fallback: stale`, `fallback: [stale, default]`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Chain>)]
#[schemars(rename = "Fallback")]
pub struct Spec {
    /// What is answered: the first of these that has an answer.
    pub levels: Vec<Level>,
    /// Which outcomes are replaced. Default: every failure but `rejected`: a 4xx is an answer, and says that the request
    /// itself was wrong.
    #[serde(default)]
    pub on: Option<Vec<When>>,
}

short_form!(Spec, Chain, |chain| Spec { levels: chain.0, on: None });

/// A level of a fallback. Short form: its answer, e.g. `empty`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Answer>)]
#[schemars(rename = "FallbackLevel")]
pub struct Level {
    /// What is answered.
    pub answer: Answer,
    /// How long that takes. Default: 0.
    #[serde(default)]
    pub latency: Option<Span>,
    /// What the answer is worth, compared with a full one. Default: 75% for `stale`, 50% for `default` and `later`, 25%
    /// for `empty`, 0% for `message`.
    #[serde(default)]
    pub quality: Option<Share>,
    /// With `stale`: older answers are not used. Default: any age.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// With `stale`: keys that are remembered; the one whose answer is oldest makes room. With `later`: calls that may wait
    /// to be made. Default: 10,000.
    #[serde(default)]
    pub capacity: Option<u32>,
    /// With `later`: calls made from the queue a second, while they end well. Must be given there.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// With `later`: the time from a call that was put off, or has failed again, to the next try. Default: 1s.
    #[serde(default)]
    pub probe: Option<Span>,
}

short_form!(Level, Answer, |answer| Level {
    answer,
    latency: None,
    quality: None,
    max_age: None,
    capacity: None,
    rate: None,
    probe: None
});

/// The short form of a fallback: one answer, or a list of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain(Vec<Level>);

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Chain;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an answer such as `stale`, or a list of them")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Chain, E> {
                Answer::deserialize(StrDeserializer::new(text)).map(|answer| Chain(vec![answer.into()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Chain, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Chain)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Chain {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FallbackChain".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<Answer>();
        let many = generator.subschema_for::<Vec<Level>>();
        schemars::json_schema!({ "anyOf": [one, many] })
    }
}

/// From when on a fallback lets no failure through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hides {
    /// From the start.
    Always,
    /// Once there has been an answer.
    Once,
    /// Never for certain.
    Never,
}

const CAPACITY: u32 = 10_000;

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut wrong = |what: &str, way_out: &str| found.push((what.to_owned(), way_out.to_owned()));
        if self.levels.is_empty() {
            wrong("a fallback without levels answers nothing", "for instance `levels: [stale, default]`");
        }
        for (place, level) in self.levels.iter().enumerate() {
            let after = &self.levels[place + 1..];
            if after.iter().any(|other| other.answer == level.answer) {
                wrong("the same answer stands there twice", "leave one of them out");
            }
            if level.answer.is_always_there() && !after.is_empty() {
                wrong(
                    "a level after one that always has an answer is never reached",
                    "`stale` and `later` can be without one: put them first",
                );
            }
            if level.max_age.is_some() && level.answer != Answer::Stale {
                wrong("only a `stale` answer has a `max_age`", "leave it out");
            }
            if level.capacity.is_some() && !matches!(level.answer, Answer::Stale | Answer::Later) {
                wrong("only `stale` and `later` have a `capacity`", "leave it out");
            }
            if level.capacity == Some(0) {
                wrong("a `capacity` of nothing is never of use", "leave the level out");
            }
            if level.answer == Answer::Later {
                match level.rate {
                    None => wrong("`later` does not say how fast it catches up", "give it a `rate`, e.g. `50/s`"),
                    Some(rate) if rate.0 <= 0.0 => wrong("at a rate of zero it never catches up", "give it a `rate`"),
                    Some(_) => {}
                }
                if level.probe.is_some_and(|probe| probe.0 < Duration::from_millis(1)) {
                    wrong(
                        "with so short a time between the tries they never end",
                        "give `probe` at least 1ms; 1s is the default",
                    );
                }
            } else if level.rate.is_some() || level.probe.is_some() {
                wrong("only `later` has a `rate` and a `probe`", "leave them out");
            }
        }
        found
    }

    /// The outcomes that it replaces.
    pub(super) fn replaced(&self) -> OutcomeSet {
        self.on.as_deref().map_or_else(|| OutcomeSet::failures().without(Outcome::Rejected), set_of)
    }

    /// From when on it replaces them whenever they come: always, or once there has been an answer, or never.
    pub(super) fn hides(&self) -> Hides {
        let has = |which: fn(&Level) -> bool| self.levels.iter().any(which);
        if has(|level| level.answer.is_always_there()) {
            Hides::Always
        } else if has(|level| level.answer == Answer::Stale && level.max_age.is_none()) {
            Hides::Once
        } else {
            Hides::Never
        }
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "fallback"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let stale = self.levels.iter().find(|level| level.answer == Answer::Stale);
        Box::new(Fallback {
            levels: self.levels.clone(),
            on: self.replaced(),
            fetched: stale.map(|level| Fetched {
                max_age: level.max_age.map_or(Duration::FOREVER, |age| age.0),
                capacity: level.capacity.unwrap_or(CAPACITY) as usize,
                ..Fetched::default()
            }),
        })
    }
    fn catching_up(&self) -> Option<Catching> {
        let later = self.levels.iter().find(|level| level.answer == Answer::Later)?;
        Some(Catching {
            gap: Duration::from_secs_f64(1.0 / later.rate.map_or(1.0, |rate| rate.0)),
            probe: later.probe.map_or(Duration::from_secs(1), |probe| probe.0),
        })
    }
}

#[derive(Debug)]
struct Fallback {
    levels: Vec<Level>,
    on: OutcomeSet,
    /// What was fetched, if a level wants it.
    fetched: Option<Fetched>,
}

impl Policy for Fallback {
    fn enter(&mut self, _: &mut Passage<'_>) -> Enter {
        Enter::Proceed
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if outcome == Outcome::Ok
            && let Some(fetched) = &mut self.fetched
        {
            fetched.keep(passage.key, passage.now);
        }
        if !self.on.has(outcome) {
            return Leave::Pass;
        }
        for level in &self.levels {
            let has = match level.answer {
                Answer::Stale => self.fetched.as_ref().is_some_and(|it| it.has(passage.key, passage.now)),
                Answer::Later => passage.put_off < level.capacity.unwrap_or(CAPACITY) as usize,
                Answer::Default | Answer::Empty | Answer::Message => true,
            };
            if has {
                let usual = level.answer.quality();
                let quality = level.quality.map_or(usual, |quality| libm::round(quality.0 * 100.0) as u8);
                let outcome = Outcome::Degraded(Lesser { level: level.answer.level(), quality });
                let after = level.latency.map_or(Duration::ZERO, |latency| latency.0);
                return match level.answer {
                    Answer::Later => Leave::Later { outcome, after },
                    _ if after.is_zero() => Leave::Replace(outcome),
                    _ => Leave::ReplaceAfter { outcome, after },
                };
            }
        }
        Leave::Pass
    }

    fn bytes(&self) -> usize {
        // The nodes of a tree are half full at least.
        self.fetched.as_ref().map_or(0, |it| it.at.len() * 2 * 24 + it.order.capacity() * 16)
    }

    fn reset(&mut self) {
        if let Some(fetched) = &mut self.fetched {
            fetched.at.clear();
            fetched.order.clear();
        }
    }
}

/// When the answer for each key was fetched.
#[derive(Debug, Default)]
struct Fetched {
    max_age: Duration,
    capacity: usize,
    /// For each key, when it was fetched, and the number of that fetch.
    at: BTreeMap<u64, (Time, u64)>,
    /// Fetches by number, oldest first, and their keys; some of them fetched anew since.
    order: VecDeque<(u64, u64)>,
    fetches: u64,
}

impl Fetched {
    fn has(&self, key: u64, now: Time) -> bool {
        self.at.get(&key).is_some_and(|&(at, _)| now - at <= self.max_age)
    }

    fn keep(&mut self, key: u64, now: Time) {
        self.fetches += 1;
        self.at.insert(key, (now, self.fetches));
        self.order.push_back((self.fetches, key));
        let is_last =
            |at: &BTreeMap<u64, (Time, u64)>, fetch, key| at.get(&key).is_some_and(|&(_, last)| last == fetch);
        while self.at.len() > self.capacity {
            let (fetch, key) = self.order.pop_front().expect("each key has its fetch");
            if is_last(&self.at, fetch, key) {
                self.at.remove(&key);
            }
        }
        if self.order.len() > 2 * self.at.len() + 16 {
            self.order.retain(|&(fetch, key)| is_last(&self.at, fetch, key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{assert_refused, ms, story};
    use super::*;
    use crate::outcome::Refuser;

    fn lesser(level: u8, quality: u8) -> Outcome {
        Outcome::Degraded(Lesser { level, quality })
    }

    #[test]
    fn every_failure_but_a_4xx_becomes_a_degraded_answer_of_its_level() {
        for (answer, level, quality) in [("default", 2, 50), ("empty", 3, 25), ("message", 5, 0)] {
            for failure in [
                Outcome::Timeout,
                Outcome::Unavailable,
                Outcome::Throttled(ms(1)),
                Outcome::Error,
                Outcome::Unreachable,
                Outcome::RefusedBy(Refuser::Breaker),
            ] {
                let lesser = Leave::Replace(lesser(level, quality));
                story(&format!("fallback: {answer}")).begins("a").leaves("a", failure, lesser);
            }
            story(&format!("fallback: {answer}")).ends_at_once(Outcome::Rejected);
        }
    }

    #[test]
    fn answers_and_abandoned_calls_are_left_as_they_are() {
        story("fallback: empty").succeeds().ends_at_once(lesser(2, 50)).ends_at_once(Outcome::Cancelled);
    }

    #[test]
    fn only_the_outcomes_that_are_listed_are_replaced() {
        let refused = Outcome::RefusedBy(Refuser::Breaker);
        story("fallback: { levels: [empty], on: [refused] }").fails().begins("a").leaves(
            "a",
            refused,
            Leave::Replace(lesser(3, 25)),
        );
    }

    #[test]
    fn a_stale_answer_was_fetched_before_for_the_same_key_and_not_too_long_ago() {
        let stale = Leave::Replace(lesser(1, 75));
        story("fallback: { levels: [{ answer: stale, max_age: 1s }] }")
            .about(7)
            .fails()
            .succeeds()
            .at(ms(1000))
            .begins("just young enough")
            .leaves("just young enough", Outcome::Error, stale)
            .about(8)
            .fails()
            .about(7)
            .at(ms(1001))
            .fails()
            .succeeds()
            .begins("again")
            .leaves("again", Outcome::Error, stale)
            .restarts()
            .fails();
    }

    #[test]
    fn the_oldest_answer_makes_room() {
        let stale = Leave::Replace(lesser(1, 75));
        let mut story = story("fallback: { levels: [{ answer: stale, capacity: 2 }] }").about(1).succeeds();
        // Fetched again and again, 1 stays the younger of the two.
        story = story.about(2).succeeds();
        for _ in 0..100 {
            story = story.about(1).succeeds();
        }
        story.about(3).succeeds().about(2).fails().about(1).begins("a").leaves("a", Outcome::Error, stale);
    }

    #[test]
    fn the_first_level_that_has_an_answer_gives_it_after_its_latency() {
        let later = Leave::Later { outcome: lesser(4, 60), after: ms(3) };
        let stale = Leave::ReplaceAfter { outcome: lesser(1, 90), after: ms(2) };
        let chain = "fallback: { levels: [{ answer: stale, latency: 2ms, quality: 90% }, \
                     { answer: later, rate: 10/s, capacity: 1, latency: 3ms, quality: 60% }, empty] }";
        story(chain)
            .begins("a")
            .leaves("a", Outcome::Error, later)
            .put_off(1)
            .begins("b")
            .leaves("b", Outcome::Error, Leave::Replace(lesser(3, 25)))
            .succeeds()
            .begins("c")
            .leaves("c", Outcome::Error, stale);
    }

    #[test]
    fn levels_that_make_no_sense_are_refused() {
        assert_refused("fallback: []", "without levels");
        assert_refused("fallback: [stale, stale]", "twice");
        assert_refused("fallback: [empty, stale]", "never reached");
        assert_refused("fallback: [{ answer: empty, max_age: 1s }]", "max_age");
        assert_refused("fallback: [{ answer: empty, capacity: 1 }]", "capacity");
        assert_refused("fallback: [{ answer: stale, capacity: 0 }]", "of nothing");
        assert_refused("fallback: later", "how fast");
        assert_refused("fallback: [{ answer: later, rate: 0/s }]", "never catches up");
        assert_refused("fallback: [{ answer: later, rate: 1/s, probe: 0s }]", "never end");
        assert_refused("fallback: [{ answer: stale, rate: 1/s }]", "only `later`");
    }
}
