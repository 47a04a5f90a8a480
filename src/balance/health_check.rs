//! health_check: ask each replica now and then whether it is well, and do not pick those that are not.
//!
//! ```text
//!   healthy ──(3 probes in a row failed)──► unhealthy ──(2 in a row answered)──► healthy
//! ```
//!
//! Active health checks as in Envoy, HAProxy (whose `fall 3` and `rise 2` are the defaults) and most load balancers. A probe
//! is a request as any other: it takes its time over the network, waits in the queue for a worker, and is refused if there is no
//! room; unless its operation has `own_worker: true`. Each caller instance probes for itself.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Duration;
use crate::scenario::source::Spanned;
use crate::scenario::units::Span;

/// Ask each replica now and then whether it is well. Each caller instance sends its own probes, of class `critical`, the
/// first at a time that is drawn. They are measured as the calls of an edge of their own, and are not attempts of a client.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "HealthCheck")]
pub struct Spec {
    /// The operation of the service that is asked for. Any answer is good, full or degraded.
    pub operation: Spanned<String>,
    /// From one probe of a replica to the next. Default: `5s`.
    #[serde(default)]
    pub every: Option<Span>,
    /// A probe that is not answered in this time has failed; at most `every`. Default: `1s`.
    #[serde(default)]
    pub timeout: Option<Span>,
    /// A healthy replica is unhealthy after so many probes in a row have failed. Default: 3.
    #[serde(default = "three")]
    pub unhealthy_after: u32,
    /// An unhealthy replica is healthy after so many probes in a row were answered. Default: 2.
    #[serde(default = "two")]
    pub healthy_after: u32,
}

fn three() -> u32 {
    3
}

fn two() -> u32 {
    2
}

impl Spec {
    /// From one probe of a replica to the next.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every.map_or(Duration::from_secs(5), |span| span.0)
    }

    /// How long a probe is waited for.
    #[must_use]
    pub fn timeout(&self) -> Span {
        self.timeout.unwrap_or(Span(Duration::from_secs(1)))
    }

    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.every() < Duration::from_millis(1) || self.timeout().0.is_zero() {
            Some((
                "probes without a pause, or without time to answer",
                "give `every` at least 1ms, and `timeout` some time",
            ))
        } else if self.timeout().0 > self.every() {
            Some((
                "the next probe would be sent before this one has ended",
                "make `timeout` at most as long as `every`",
            ))
        } else if self.unhealthy_after == 0 || self.healthy_after == 0 {
            Some(("without a single probe nothing is known", "give `unhealthy_after` and `healthy_after` at least 1"))
        } else {
            None
        }
    }
}

/// What the probes have told of each replica.
#[derive(Debug)]
pub(super) struct Checks {
    unhealthy_after: u32,
    healthy_after: u32,
    each: Vec<Replica>,
    unhealthy: u32,
}

#[derive(Clone, Copy, Debug)]
struct Replica {
    is_healthy: bool,
    /// Probes in a row that say otherwise.
    in_a_row: u32,
}

impl Replica {
    /// As at the start: nobody has anything against it.
    const NEW: Self = Self { is_healthy: true, in_a_row: 0 };
}

impl Checks {
    pub(super) fn new(spec: &Spec, replicas: usize) -> Self {
        Self {
            unhealthy_after: spec.unhealthy_after,
            healthy_after: spec.healthy_after,
            each: vec![Replica::NEW; replicas],
            unhealthy: 0,
        }
    }

    pub(super) fn is_healthy(&self, replica: usize) -> bool {
        self.each[replica].is_healthy
    }

    /// How many are not healthy.
    pub(super) fn unhealthy(&self) -> u32 {
        self.unhealthy
    }

    /// A probe has ended. Returns whether the replica has changed its state.
    pub(super) fn probed(&mut self, replica: usize, well: bool) -> bool {
        let it = &mut self.each[replica];
        if well == it.is_healthy {
            it.in_a_row = 0;
            return false;
        }
        it.in_a_row += 1;
        if it.in_a_row < if well { self.healthy_after } else { self.unhealthy_after } {
            return false;
        }
        *it = Replica { is_healthy: well, in_a_row: 0 };
        if well {
            self.unhealthy -= 1;
        } else {
            self.unhealthy += 1;
        }
        true
    }

    /// The caller has forgotten everything.
    pub(super) fn reset(&mut self) {
        self.each.fill(Replica::NEW);
        self.unhealthy = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec { operation: "health".into(), every: None, timeout: None, unhealthy_after: three(), healthy_after: two() }
    }

    #[test]
    fn three_failures_in_a_row_and_two_answers_in_a_row() {
        let mut checks = Checks::new(&spec(), 2);
        let mut changed = |probes: &str| {
            let seen = probes.chars().map(|probe| checks.probed(1, probe == '+'));
            seen.map(|changed| if changed { '!' } else { '.' }).collect::<String>()
        };
        assert_eq!(changed("--+--+---"), "........!");
        assert_eq!(changed("--+-+-++"), ".......!");
        assert_eq!(changed("++---"), "....!");
        assert!(checks.is_healthy(0) && !checks.is_healthy(1));
        assert_eq!(checks.unhealthy(), 1);
        checks.reset();
        assert!(checks.is_healthy(1) && checks.unhealthy() == 0);
    }

    #[test]
    fn options_without_a_meaning_are_refused() {
        let ms = |ms| Some(Span(Duration::from_millis(ms)));
        assert_eq!(spec().problem(), None);
        for wrong in [
            Spec { every: ms(0), timeout: ms(0), ..spec() },
            Spec { timeout: ms(0), ..spec() },
            Spec { timeout: ms(5_001), ..spec() },
            Spec { unhealthy_after: 0, ..spec() },
            Spec { healthy_after: 0, ..spec() },
        ] {
            assert!(wrong.problem().is_some(), "{wrong:?}");
        }
    }
}
