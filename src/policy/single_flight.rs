//! single_flight: one call for all that want the same thing at the same time.
//!
//! ```text
//!   first with a key ─► proceed ─────────────► its outcome ─► also that of all who wait
//!   others, meanwhile ─► wait in line ──────────────────────────────────┘
//! ```
//!
//! Also called request coalescing or collapsing; named after Go's `golang.org/x/sync/singleflight`. Always: one call is
//! inside for each key. If the first is abandoned by something outside this policy, the one that has waited for the
//! longest time goes in its place. A failure is shared as an answer is.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream};
use crate::outcome::Outcome;

/// One call for all that want the same thing at the same time: `single_flight: {}`. What the same thing is say the
/// `keys` of the client or of the call.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SingleFlight")]
pub struct Spec {
    /// For all instances of the caller together, as with a lock in a common cache. Default: each instance for itself.
    #[serde(default)]
    pub shared: bool,
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "single_flight"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(SingleFlight::default())
    }
    fn shared(&self) -> bool {
        self.shared
    }
    fn shares_outcomes(&self) -> bool {
        true
    }
}

#[derive(Debug, Default)]
struct SingleFlight {
    /// The keys for which a call is inside.
    inside: BTreeSet<u64>,
}

impl Policy for SingleFlight {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.inside.insert(passage.key) { Enter::Proceed } else { Enter::Wait { at_most: Duration::FOREVER } }
    }
    fn leave(&mut self, passage: &mut Passage<'_>, _: Outcome) -> Leave {
        self.inside.remove(&passage.key);
        Leave::Pass
    }
    fn at_rest(&self) -> bool {
        self.inside.is_empty()
    }
    fn reset(&mut self) {
        self.inside.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::story::story;
    use super::*;

    #[test]
    fn one_call_is_inside_for_each_key() {
        let wait = Enter::Wait { at_most: Duration::FOREVER };
        story("single_flight: {}")
            .about(1)
            .begins("a")
            .enters("b", wait)
            .about(2)
            .begins("c")
            .enters("d", wait)
            .has_no_room()
            .does_not_rest()
            .ends("c", Outcome::Ok)
            .begins("e")
            .abandons("e")
            .about(1)
            .enters("f", wait)
            .ends("a", Outcome::Error)
            .begins("g")
            .ends("g", Outcome::Ok)
            .rests();
    }
}
