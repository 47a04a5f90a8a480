//! Which replica gets a request.
//!
//! Each caller instance has a balancer of its own for each service that it calls, and sees only its own requests,
//! as client-side balancers do. Balancers do not know which replicas are healthy: a crashed one still gets its
//! share, until something outside takes it away. One file each, one list in [`Spec`].

mod least_requests;
mod power_of_choices;
mod random;
mod round_robin;

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::engine::Stream;

/// How callers choose among the replicas of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Balance")]
pub enum Spec {
    /// One after the other, from a start that is drawn for each caller.
    #[default]
    RoundRobin,
    /// Each time another, drawn.
    Random,
    /// The replica with the fewest requests of this caller under way; ties are drawn. A replica that fails fast
    /// has few under way and attracts traffic (a sinkhole).
    LeastRequests,
    /// Two are drawn, the one with fewer requests under way is taken (Mitzenmacher 2001).
    PowerOfTwo,
    /// As `power_of_two` with another number of draws: `{ power_of_choices: 3 }`.
    PowerOfChoices(u32),
}

impl Spec {
    /// A fresh balancer over this many replicas.
    #[must_use]
    pub fn build(self, replicas: usize, mut chance: Stream) -> Box<dyn Balance> {
        match self {
            Self::RoundRobin => {
                let start = if replicas == 0 { 0 } else { chance.below(replicas as u64) as usize };
                Box::new(round_robin::RoundRobin::new(replicas, start))
            }
            Self::Random => Box::new(random::Random::new(replicas, chance)),
            Self::LeastRequests => Box::new(least_requests::LeastRequests::new(replicas, chance)),
            Self::PowerOfTwo => Box::new(power_of_choices::PowerOfChoices::new(replicas, 2, chance)),
            Self::PowerOfChoices(choices) => {
                Box::new(power_of_choices::PowerOfChoices::new(replicas, choices.max(1), chance))
            }
        }
    }
}

/// A caller's view of the replicas of a service.
pub trait Balance: Debug + Send {
    /// The replica for the next request; not `avoid` if there is another. [`None`] when there are no replicas.
    fn pick(&mut self, avoid: Option<usize>) -> Option<usize>;
    /// A request was sent to this replica.
    fn sent(&mut self, _replica: usize) {}
    /// The caller has its answer, or has stopped waiting for it.
    fn done(&mut self, _replica: usize) {}
    /// Whether it knows of no request under way. Asserted at the end of runs in which nothing is.
    fn at_rest(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Streams;

    const ALL: [Spec; 5] =
        [Spec::RoundRobin, Spec::Random, Spec::LeastRequests, Spec::PowerOfTwo, Spec::PowerOfChoices(3)];

    fn built(spec: Spec, replicas: usize) -> Box<dyn Balance> {
        spec.build(replicas, Streams::new(7).named("test"))
    }

    #[test]
    fn no_replicas_no_choice() {
        for spec in ALL {
            assert_eq!(built(spec, 0).pick(None), None, "{spec:?}");
        }
    }

    #[test]
    fn the_only_replica_is_chosen_even_when_it_is_to_be_avoided() {
        for spec in ALL {
            assert_eq!(built(spec, 1).pick(Some(0)), Some(0), "{spec:?}");
        }
    }

    #[test]
    fn another_replica_is_chosen_when_there_is_one() {
        for spec in ALL {
            let mut balance = built(spec, 3);
            for _ in 0..200 {
                assert_ne!(balance.pick(Some(1)), Some(1), "{spec:?}");
            }
        }
    }

    #[test]
    fn every_replica_gets_its_share() {
        for spec in ALL {
            let mut balance = built(spec, 4);
            let mut seen = [0_u32; 4];
            for _ in 0..4_000 {
                let replica = balance.pick(None).expect("there are replicas");
                balance.sent(replica);
                balance.done(replica);
                seen[replica] += 1;
            }
            // Binomial(4000, 1/4): five standard deviations are 137.
            assert!(seen.iter().all(|&n| n.abs_diff(1_000) < 137), "{spec:?}: {seen:?}");
        }
    }

    #[test]
    fn least_requests_prefers_the_idle() {
        for spec in [Spec::LeastRequests, Spec::PowerOfChoices(64)] {
            let mut balance = built(spec, 3);
            balance.sent(0);
            balance.sent(1);
            for _ in 0..20 {
                assert_eq!(balance.pick(None), Some(2), "{spec:?}");
            }
        }
    }
}
