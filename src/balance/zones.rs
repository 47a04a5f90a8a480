//! zones: callers prefer the replicas of their own zone, and spill over to the others when too few of those are healthy.
//!
//! ```text
//!   own zone:  h of n healthy ─► gets   min(1, 1.4 h / n)   of the requests
//!   the others                ─► get    the rest
//! ```
//!
//! Envoy's priority levels, with the own zone as the first and all others as the second, which is how Istio writes its
//! locality failover: with the overprovisioning factor of 1.4, a zone keeps all its requests until less than 72 % of it are
//! healthy. Where even both together fall short, each gets in proportion to what it has. Envoy's zone-aware routing, which
//! evens out zones of different size, is another mechanism; from it comes `minimum_replicas`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Prefer the replicas of the caller's own zone, and spill over to the others when too few of those are healthy. The
/// service and its callers need `zones`. What is healthy, `outlier_ejection` and `health_check` know. `zones: {}` has the
/// defaults.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ZonePreference")]
pub struct Spec {
    /// Whether requests may leave the zone at all. Default: true.
    #[serde(default = "yes")]
    pub spill_over: bool,
    /// The own zone is thought to be able to carry this many times its share: it gets `overprovisioning` × its share of
    /// healthy replicas, at most all, and the others get the rest. 1: they get something as soon as one replica is missing.
    /// Default: 1.4, as in Envoy.
    #[serde(default = "envoys")]
    pub overprovisioning: f64,
    /// While fewer replicas than this are healthy, in all zones together, nobody looks at zones. Envoy's
    /// `min_cluster_size`, there 6. Default: 0, zones always count.
    #[serde(default)]
    pub minimum_replicas: u32,
}

fn yes() -> bool {
    true
}

fn envoys() -> f64 {
    1.4
}

impl Default for Spec {
    fn default() -> Self {
        Self { spill_over: yes(), overprovisioning: envoys(), minimum_replicas: 0 }
    }
}

impl Spec {
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let makes_sense = (1.0..=1e6).contains(&self.overprovisioning);
        (!makes_sense).then_some(("`overprovisioning` must be 1 or more", "1.4 is usual"))
    }

    /// The share of the requests that stays in the own zone, by the shares of healthy replicas there and elsewhere.
    pub(super) fn stays(&self, own: f64, others: f64) -> f64 {
        if !self.spill_over {
            return 1.0;
        }
        let can_carry = |healthy: f64| (self.overprovisioning * healthy).min(1.0);
        let both = (can_carry(own) + can_carry(others)).min(1.0);
        // Where nobody is healthy, home is as good as any place.
        if both > 0.0 { (can_carry(own) / both).min(1.0) } else { 1.0 }
    }

    /// Whether the two together can carry all requests.
    pub(super) fn suffices(&self, own: f64, others: f64) -> bool {
        self.overprovisioning * (own + if self.spill_over { others } else { 0.0 }) >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_zone_gets_what_it_can_carry() {
        let spec = Spec::default();
        for (own, others, stays) in [
            (1.0, 1.0, 1.0),
            // 1.4 × 3/4 is more than all.
            (0.75, 1.0, 1.0),
            (0.5, 1.0, 0.7),
            (0.25, 1.0, 0.35),
            (0.0, 1.0, 0.0),
            (0.5, 0.0, 1.0),
            // Together 1.4 × (1/4 + 1/4) = 0.7: each the half.
            (0.25, 0.25, 0.5),
            (0.0, 0.0, 1.0),
        ] {
            let got = spec.stays(own, others);
            assert!((got - stays).abs() < 1e-12, "{own} {others}: {got}");
        }
        assert!(Spec { overprovisioning: 1.0, ..spec }.stays(0.75, 1.0) < 0.76);
    }

    #[test]
    fn without_spilling_over_everything_stays() {
        assert!(Spec { spill_over: false, ..Spec::default() }.stays(0.0, 1.0) >= 1.0);
    }

    #[test]
    fn a_zone_cannot_carry_less_than_its_share() {
        for wrong in [0.9, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Spec { overprovisioning: wrong, ..Spec::default() }.problem().is_some(), "{wrong}");
        }
    }
}
