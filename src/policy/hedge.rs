//! hedge: send a spare attempt when the first is slow, and take the answer that comes first.
//!
//! ```text
//!   call ──► first ───────────────────────►│
//!              │ after                     │ given up
//!              └──► spare ──────► answer ──┘
//! ```
//!
//! Each attempt walks through the layers inside this one by itself. The race ends with the first answer, or 4xx: the others are
//! then abandoned, as by a timeout (a server is told only as its `cancel` says). A failure that `on` lists sends the next
//! spare at once; another waits for the attempts that are under way; if all have failed, the last failure is the outcome.
//!
//! J. Dean, L. A. Barroso, "The Tail at Scale" (2013), section "Within-request short-term adaptations"; gRPC proposal A6.

use schemars::JsonSchema;
use serde::Deserialize;

use super::recent::{Over, Recent};
use super::{Blueprint, Enter, Leave, Passage, Policy, Race, When, set_of};
use crate::engine::{Duration, Stream, Time};
use crate::outcome::{Outcome, OutcomeSet};
use crate::scenario::units::{Share, Span};
use crate::short_form;

/// Send a spare attempt when the first is slow. Short form: `hedge: 10ms`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Hedge")]
pub struct Spec {
    /// How long to wait for the first attempt before a spare is sent, and for that before the next. The 95th percentile
    /// of the time to an answer makes one call in twenty send a spare. 0 sends them all at once.
    #[serde(default)]
    pub after: Option<Span>,
    /// Instead of `after`: wait as long as this share of the last calls took to their answer, e.g. `95%`, which makes one
    /// call in twenty send a spare, however slow the service is. The time is found to 0.8 %, rounded up.
    #[serde(default)]
    pub percentile: Option<Share>,
    /// With `percentile`: which calls are the last ones: so many (`1000`), or those that ended within a time (`60s`).
    /// Default: 1000.
    #[serde(default)]
    pub over: Option<Over>,
    /// With `percentile`: how long to wait until there are calls enough to speak of a percentile, 1 / (1 − percentile) of
    /// them. Default: no spares until then.
    #[serde(default)]
    pub initial: Option<Span>,
    /// Spares for each call at most. Default: 1.
    #[serde(default)]
    pub spares: Option<u32>,
    /// Outcomes of an attempt after which the next spare is sent at once, as far as there is one (gRPC's
    /// `nonFatalStatusCodes`). After another failure the call waits for the attempts that are under way, and ends with it if
    /// there are none. Default: none.
    #[serde(default)]
    pub on: Vec<When>,
    /// Whether a spare goes to another replica than the attempt before it, if there is one. Default: true.
    #[serde(default)]
    pub elsewhere: Option<bool>,
    /// Spares at most, as a share of the calls; up to ten may be saved up. Default: no limit, and when everything is
    /// slow the load is `1 + spares` times as large.
    #[serde(default)]
    pub budget: Option<Share>,
    /// What becomes of the other attempts when the race is over. Default: `abandon`.
    #[serde(default)]
    pub losers: Losers,
    /// One budget and one memory for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

/// What becomes of the attempts that nobody waits for any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Losers {
    /// They are abandoned as by a timeout: the server is told, if its `cancel` is not `none`.
    #[default]
    Abandon,
    /// The server is never told, and does their work to the end.
    Run,
}

/// Spares that can be saved up.
const MOST_SAVED: f64 = 10.0;

short_form!(Spec, Span, |after| Spec { after: Some(after), ..Spec::default() });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut problem = |what: &str, help: &str| found.push((what.to_owned(), help.to_owned()));
        if self.spares.is_some_and(|spares| !(1..=MOST_SPARES).contains(&spares)) {
            problem("that many spares for a call cannot be sent", "give `spares` between 1 and 100");
        }
        if self.after.is_some() == self.percentile.is_some() {
            problem(
                "a hedge waits for `after`, or for a `percentile` of the last calls",
                "give exactly one of the two",
            );
        }
        if self.percentile.is_none() && (self.over.is_some() || self.initial.is_some()) {
            problem("`over` and `initial` go with `percentile`", "leave them out");
        }
        if self.percentile.is_some_and(|share| share.0 <= 0.0) {
            problem("`percentile` must be above 0%", "95% is usual");
        }
        if self.on.contains(&When::Rejected) {
            problem("a 4xx ends the race: the same request would be wrong again", "take `rejected` out of `on`");
        }
        if matches!(self.over, Some(Over::Calls(0) | Over::Time(Duration::ZERO))) {
            problem("`over` must keep something", "1000 calls are usual");
        }
        found
    }
}

/// Spares of one call at most; they are counted in the bits of a word that are below this.
const MOST_SPARES: u32 = 100;
const COUNTED: u64 = 127;

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "hedge"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        let recent = self.percentile.map(|share| Recent::new(share.0, self.over.unwrap_or(Over::Calls(1_000))));
        Box::new(Hedge {
            after: self.after.or(self.initial).map_or(Duration::FOREVER, |span| span.0),
            recent,
            spares: u64::from(self.spares.unwrap_or(1)),
            elsewhere: self.elsewhere.unwrap_or(true),
            budget: self.budget.map(|share| share.0),
            saved: 0.0,
        })
    }
    fn shared(&self) -> bool {
        self.shared
    }
    fn spares_on(&self) -> OutcomeSet {
        set_of(&self.on)
    }
    fn lets_losers_run(&self) -> bool {
        self.losers == Losers::Run
    }
}

/// The word of a passage: when it came, to 128 ns, and below that how many spares it has sent.
#[derive(Debug)]
struct Hedge {
    after: Duration,
    /// If it learns: what from.
    recent: Option<Recent>,
    spares: u64,
    elsewhere: bool,
    budget: Option<f64>,
    /// Spares that the budget allows now.
    saved: f64,
}

impl Hedge {
    fn wait(&mut self, now: Time) -> Duration {
        self.recent.as_mut().and_then(|recent| recent.percentile(now)).unwrap_or(self.after)
    }
}

impl Policy for Hedge {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        *passage.word = passage.now.nanos() & !COUNTED;
        if let Some(share) = self.budget {
            self.saved = (self.saved + share).min(MOST_SAVED);
        }
        Enter::Race(Race { next: self.wait(passage.now), elsewhere: self.elsewhere })
    }

    fn spare(&mut self, passage: &mut Passage<'_>) -> Option<Race> {
        let sent = *passage.word & COUNTED;
        if sent == self.spares || self.budget.is_some() && self.saved < 1.0 {
            return None;
        }
        *passage.word += 1;
        if self.budget.is_some() {
            self.saved -= 1.0;
        }
        let next = if sent + 1 == self.spares { Duration::FOREVER } else { self.wait(passage.now) };
        Some(Race { next, elsewhere: self.elsewhere })
    }

    fn leave(&mut self, passage: &mut Passage<'_>, outcome: Outcome) -> Leave {
        if outcome.is_answer()
            && let Some(recent) = &mut self.recent
        {
            recent.add(passage.now, passage.now - Time::from_nanos(*passage.word & !COUNTED));
        }
        Leave::Pass
    }

    fn bytes(&self) -> usize {
        self.recent.as_ref().map_or(0, Recent::bytes)
    }

    fn reset(&mut self) {
        self.saved = 0.0;
        if let Some(recent) = &mut self.recent {
            recent.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::{assert_refused, ms, story};
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
    fn a_percentile_of_the_last_answers_is_waited_for() {
        let wait = |next| Enter::Race(race(next));
        let mut told = story("hedge: { percentile: 90%, over: 20 }");
        // Ten are enough to speak of 90 %: 1, 2, .. 10 ms. Failures teach nothing.
        for time in 1..=10_u64 {
            told = told
                .at(ms(20 * time))
                .enters("a", wait(Duration::FOREVER))
                .enters("b", wait(Duration::FOREVER))
                .ends("b", Outcome::Error)
                .at(ms(20 * time + time))
                .ends("a", Outcome::Ok);
        }
        let Enter::Race(Race { next, .. }) = told.enters_with("c") else { panic!("it races") };
        assert!(next >= ms(9) && next <= ms(9).scale(1.0081), "{next}");
        told.spares("c", Some(race(Duration::FOREVER))).spares("c", None).ends("c", Outcome::Ok);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        assert_refused("hedge: { spares: 1 }", "a hedge waits for");
        assert_refused("hedge: { after: 1ms, percentile: 95% }", "a hedge waits for");
        assert_refused("hedge: { after: 1ms, over: 10 }", "go with `percentile`");
        assert_refused("hedge: { percentile: 0% }", "above 0%");
        assert_refused("hedge: { percentile: 95%, over: 0 }", "keep something");
        assert_refused("hedge: { after: 1ms, on: [ rejected ] }", "4xx");
        assert_refused("hedge: { after: 1ms, spares: 0 }", "spares");
        assert_refused("hedge: { after: 1ms, spares: 101 }", "spares");
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
