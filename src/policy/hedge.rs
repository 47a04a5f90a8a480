//! hedge: send a spare attempt when the first is slow, and take the answer that comes first.
//!
//! ```text
//!   call ──► first ───────────────────────►│
//!              │ after                     │ given up
//!              └──► spare ──────► answer ──┘
//! ```
//!
//! Each attempt walks through the layers inside this one by itself. The race ends with the first answer, or 4xx: the others are
//! then abandoned, as by a timeout (a server is told only as its `cancel` says). A failure waits for the others; if all
//! have failed, the last failure is the outcome, and no further spare is sent.
//!
//! J. Dean, L. A. Barroso, "The Tail at Scale" (2013), section "Within-request short-term adaptations"; gRPC proposal A6.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy, Race};
use crate::engine::{Duration, Stream};
use crate::outcome::Outcome;
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Send a spare attempt when the first is slow. Short form: `hedge: 10ms`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Hedge")]
pub struct Spec {
    /// How long to wait for the first attempt before a spare is sent, and for that before the next. The 95th percentile
    /// of the time to an answer makes one call in twenty send a spare. 0 sends them all at once.
    pub after: Span,
    /// Spares for each call at most. Default: 1.
    #[serde(default = "one")]
    pub spares: u32,
    /// Whether a spare goes to another replica than the attempt before it, if there is one. Default: true.
    #[serde(default = "yes")]
    pub elsewhere: bool,
    /// Spares at most, as a share of the calls; up to ten may be saved up. Default: no limit, and when everything is
    /// slow the load is `1 + spares` times as large.
    #[serde(default)]
    pub budget: Option<Share>,
    /// One budget for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

/// Spares that can be saved up.
const MOST_SAVED: f64 = 10.0;

short_form!(Spec, Span, |after| Spec { after, spares: one(), elsewhere: yes(), budget: None, shared: false });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        if (1..=100).contains(&self.spares) {
            return Vec::new();
        }
        vec![(format!("{} spares for a call cannot be sent", self.spares), "give `spares` between 1 and 100".into())]
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "hedge"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Hedge {
            after: self.after.0,
            spares: u64::from(self.spares),
            elsewhere: self.elsewhere,
            budget: self.budget.map(|share| share.0),
            saved: 0.0,
        })
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct Hedge {
    after: Duration,
    spares: u64,
    elsewhere: bool,
    budget: Option<f64>,
    /// Spares that the budget allows now.
    saved: f64,
}

impl Policy for Hedge {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        // The word counts the spares of this call.
        *passage.word = 0;
        if let Some(share) = self.budget {
            self.saved = (self.saved + share).min(MOST_SAVED);
        }
        Enter::Race(Race { next: self.after, elsewhere: self.elsewhere })
    }

    fn spare(&mut self, passage: &mut Passage<'_>) -> Option<Race> {
        if *passage.word == self.spares || self.budget.is_some() && self.saved < 1.0 {
            return None;
        }
        *passage.word += 1;
        if self.budget.is_some() {
            self.saved -= 1.0;
        }
        let next = if *passage.word == self.spares { Duration::FOREVER } else { self.after };
        Some(Race { next, elsewhere: self.elsewhere })
    }

    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }

    fn reset(&mut self) {
        self.saved = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{ms, story};
    use super::*;

    fn race(next: Duration) -> Race {
        Race { next, elsewhere: true }
    }

    #[test]
    fn each_spare_is_sent_after_the_same_wait_and_no_more_than_are_asked_for() {
        story("hedge: { after: 10ms, spares: 2 }")
            .enters("a", Enter::Race(race(ms(10))))
            .at(ms(10))
            .spares("a", Some(race(ms(10))))
            .at(ms(20))
            .spares("a", Some(race(Duration::FOREVER)))
            .at(ms(30))
            .spares("a", None)
            .ends("a", Outcome::Ok);
    }

    #[test]
    fn a_budget_of_half_gives_every_second_call_a_spare() {
        let mut told = story("hedge: { after: 10ms, budget: 50%, elsewhere: false }");
        for spare in [false, true, false, true] {
            let last = Race { next: Duration::FOREVER, elsewhere: false };
            told = told
                .enters("a", Enter::Race(Race { next: ms(10), elsewhere: false }))
                .spares("a", spare.then_some(last))
                .ends("a", Outcome::Ok);
        }
    }

    #[test]
    fn no_more_than_ten_spares_are_saved_up() {
        let mut told = story("hedge: { after: 10ms, budget: 100%, spares: 100 }");
        for _ in 0..50 {
            told = told.enters("a", Enter::Race(race(ms(10)))).ends("a", Outcome::Ok);
        }
        told = told.enters("a", Enter::Race(race(ms(10))));
        for _ in 0..10 {
            told = told.spares("a", Some(race(ms(10))));
        }
        told.spares("a", None).ends("a", Outcome::Ok);
    }
}
