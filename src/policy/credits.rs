//! credits: a call needs a credit, and the side that is called gives credits back in batches, as it gets done.
//!
//! ```text
//!   enter ─► a credit is left? ─► take it, proceed          leave ─► done with `batch` calls? ─► so many credits come back
//!               │ no
//!               └─► wait in line until credits come back; refused if too many wait
//! ```
//!
//! `request(n)` of Reactive Streams, and the windows of flow control of TCP, HTTP/2 and AMQP: the consumer says how much it will take,
//! and the producer waits. Always: credits left + calls under way + calls done for which no credits have come back yet = `initial`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream};
use crate::outcome::{Outcome, Refuser};
use crate::short_form;

/// Call only with a credit from the other side, and wait for one if there is none. Short form: `credits: 20`.
///
/// A `bulkhead` whose permits come back in batches, and whose line has no limit unless one is given. News of credits comes
/// with the answers; a call that is given up gives its credit back too, as if the other side had noticed.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
#[schemars(rename = "Credits")]
pub struct Spec {
    /// Credits at the start: the most calls under way.
    pub initial: u32,
    /// So many calls must be done before as many credits come back; at most `initial`. Default: 1, each call gives its own back.
    #[serde(default)]
    pub batch: Option<u32>,
    /// Calls that may wait for credit; one more is refused. Default: no limit.
    #[serde(default)]
    pub waiting: Option<u32>,
    /// The same credits for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, u32, |initial| Spec { initial, batch: None, waiting: None, shared: false });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let batch = self.batch.unwrap_or(1);
        if self.initial == 0 {
            found.push(("without a credit no call ever starts".into(), "give `initial` at least 1".into()));
        } else if batch == 0 {
            found.push(("no credits ever come back".into(), "give `batch` at least 1".into()));
        } else if batch > self.initial {
            found.push((
                format!("credits come back after {batch} calls, and there are credits for {}", self.initial),
                "give `batch` at most `initial`".into(),
            ));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "credits"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Credits {
            initial: self.initial,
            batch: self.batch.unwrap_or(1),
            most: self.waiting.map_or(usize::MAX, |most| most as usize),
            left: self.initial,
            done: 0,
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::Credits
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct Credits {
    initial: u32,
    batch: u32,
    /// How many may wait.
    most: usize,
    left: u32,
    /// Calls done since credits came back last.
    done: u32,
}

impl Policy for Credits {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.left > 0 {
            self.left -= 1;
            Enter::Proceed
        } else if passage.waiting < self.most {
            Enter::Wait { at_most: Duration::FOREVER }
        } else {
            Enter::Refuse
        }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        self.done += 1;
        if self.done == self.batch {
            self.left += self.batch;
            self.done = 0;
        }
        assert!(self.left + self.done <= self.initial, "a credit came back twice");
        Leave::Pass
    }
    fn has_room(&self) -> bool {
        self.left > 0
    }
    fn at_rest(&self) -> bool {
        self.left + self.done == self.initial
    }
    fn reset(&mut self) {
        (self.left, self.done) = (self.initial, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{mistakes, story};
    use super::*;

    const WAIT: Enter = Enter::Wait { at_most: Duration::FOREVER };

    #[test]
    fn credits_come_back_in_batches_and_let_in_as_many_of_those_who_wait() {
        story("credits: { initial: 3, batch: 2 }")
            .begins("a")
            .begins("b")
            .begins("c")
            .enters("d", WAIT)
            .enters("e", WAIT)
            .enters("f", WAIT)
            .ends("b", Outcome::Ok)
            .has_no_room()
            .ends("a", Outcome::Error)
            .calls_in("d")
            .calls_in("e")
            .has_no_room()
            .abandons("c")
            .has_no_room()
            .ends("d", Outcome::Ok)
            .calls_in("f")
            .ends("e", Outcome::Ok)
            .ends("f", Outcome::Ok)
            .rests();
    }

    #[test]
    fn a_limit_on_those_who_wait_refuses_one_more() {
        story("credits: { initial: 1, waiting: 1 }").begins("a").enters("b", WAIT).refuses();
        story("credits: { initial: 1, waiting: 0 }").begins("a").refuses().ends("a", Outcome::Ok).begins("b");
        story("credits: 1").begins("a").enters("b", WAIT).enters("c", WAIT);
    }

    #[test]
    fn a_restart_gives_all_credits_back() {
        story("credits: { initial: 2, batch: 2 }").begins("a").abandons("a").restarts().begins("b").begins("c");
    }

    #[test]
    fn options_without_sense_are_refused() {
        for (options, said) in [
            ("initial: 0", "no call ever starts"),
            ("initial: 2, batch: 0", "no credits ever come back"),
            ("initial: 2, batch: 3", "after 3 calls, and there are credits for 2"),
        ] {
            let found = mistakes(&format!("credits: {{ {options} }}"));
            assert!(found.len() == 1 && found[0].0.contains(said), "{options}: {found:?}");
        }
    }
}
