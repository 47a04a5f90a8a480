//! bulkhead: limit how many calls are under way at once, so that one slow dependency cannot take every worker.
//!
//!   enter ─► a permit is free? ─► proceed
//!               │ no
//!               ├─► room in the waiting line? ─► wait, at most `wait`
//!               └─► refused
//!
//! Always: permits in use ≤ `concurrent`. A permit that is given back goes to the first in line.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream};
use crate::outcome::{Outcome, Refuser};
use crate::scenario::units::Span;
use crate::short_form;

/// Limit how many calls are under way at once. Short form: `bulkhead: 20`.
///
/// A semaphore, as resilience4j's `Bulkhead`: one for each caller instance and each call that lists it.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
#[schemars(rename = "Bulkhead")]
pub struct Spec {
    /// Calls under way at most, the waiting not counted.
    pub concurrent: u32,
    /// Calls that may stand in line for a permit. Default: 0, refuse at once.
    #[serde(default)]
    pub waiting: u32,
    /// The longest wait in line. Default: no limit (only the caller's own timeouts end it).
    #[serde(default)]
    pub wait: Option<Span>,
    /// One set of permits for all instances of the caller. Default: each instance has its own.
    #[serde(default)]
    pub shared: bool,
}

short_form!(Spec, u32, |concurrent| Spec { concurrent, waiting: 0, wait: None, shared: false });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.concurrent == 0 {
            found.push(("a bulkhead with no permits lets no call pass".into(), "give `concurrent` at least 1".into()));
        }
        if self.wait.is_some() && self.waiting == 0 {
            found.push((
                "`wait` has no effect without `waiting`".into(),
                "say how many calls may stand in line: `waiting: 10`".into(),
            ));
        }
        found
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "bulkhead"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Bulkhead {
            free: self.concurrent,
            permits: self.concurrent,
            line: self.waiting as usize,
            wait: self.wait.map_or(Duration::FOREVER, |span| span.0),
        })
    }
    fn refuser(&self) -> Refuser {
        Refuser::Bulkhead
    }
    fn shared(&self) -> bool {
        self.shared
    }
}

#[derive(Debug)]
struct Bulkhead {
    free: u32,
    permits: u32,
    line: usize,
    wait: Duration,
}

impl Policy for Bulkhead {
    fn enter(&mut self, passage: &mut Passage<'_>) -> Enter {
        if self.free > 0 {
            self.free -= 1;
            Enter::Proceed
        } else if passage.waiting < self.line {
            Enter::Wait { at_most: self.wait }
        } else {
            Enter::Refuse
        }
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        self.free += 1;
        assert!(self.free <= self.permits, "a permit of a bulkhead came back twice");
        Leave::Pass
    }
    fn has_room(&self) -> bool {
        self.free > 0
    }
    fn at_rest(&self) -> bool {
        self.free == self.permits
    }
    fn reset(&mut self) {
        self.free = self.permits;
    }
}
