//! timeout: stop waiting for an answer after a time.
//!
//! It interrupts what is inside it, and only that: `retry` outside `timeout` limits each attempt, `timeout`
//! outside `retry` limits them all, backoff included. The server is not told (see a service's `cancel`).

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Blueprint, Enter, Leave, Passage, Policy};
use crate::engine::{Duration, Stream};
use crate::outcome::Outcome;
use crate::scenario::units::Span;
use crate::short_form;

/// Stop waiting after a time. Short form: `timeout: 200ms`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Span>)]
#[schemars(rename = "Timeout")]
pub struct Spec {
    /// How long to wait. Too short and good answers come late and their work is wasted; too long and the caller's
    /// own workers are held by calls that will not succeed.
    pub after: Span,
}

short_form!(Spec, Span, |after| Spec { after });

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        if self.after.0.is_zero() {
            return vec![(
                "a timeout of zero lets no call succeed".into(),
                "give it a time above zero, or leave the timeout out".into(),
            )];
        }
        Vec::new()
    }
}

impl Blueprint for Spec {
    fn name(&self) -> &'static str {
        "timeout"
    }
    fn build(&self, _: Stream) -> Box<dyn Policy> {
        Box::new(Timeout { after: self.after.0 })
    }
    fn limit(&self) -> Option<Duration> {
        Some(self.after.0)
    }
}

#[derive(Debug)]
struct Timeout {
    after: Duration,
}

impl Policy for Timeout {
    fn enter(&mut self, _: &mut Passage<'_>) -> Enter {
        Enter::ProceedFor(self.after)
    }
    fn leave(&mut self, _: &mut Passage<'_>, _: Outcome) -> Leave {
        Leave::Pass
    }
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::super::story::{ms, story};
    use super::*;

    #[test]
    fn what_is_inside_has_so_much_time_from_each_entering() {
        let limit = Enter::ProceedFor(ms(200));
        story("timeout: 200ms")
            .enters("a", limit)
            .at(ms(150))
            .enters("b", limit)
            .ends("a", Outcome::Ok)
            .at(ms(350))
            .ends("b", Outcome::Timeout)
            .enters("c", limit);
    }

    #[test]
    fn it_is_known_before_the_run() {
        assert_eq!(Spec { after: Span(ms(200)) }.limit(), Some(ms(200)));
    }
}
