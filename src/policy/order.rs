//! Layers that can never act where they stand, whatever happens.
//!
//! ```text
//!   retry ─► timeout ─► fallback ─► …      what can come out of each layer, from the innermost outwards:
//!     timeout,  timeout,   answers,        a retry that finds nothing to retry among what reaches it never acts
//!     …         …          4xx
//! ```
//!
//! Only what is certain (with a stale answer of any age: once there has been one): an outcome that might reach a layer counts as reaching it, and times that are learned or drawn
//! count as suitable.

use super::fallback::{Answer, Hides};
use super::{Refuser, Written, bulkhead};
use crate::engine::Duration;
use crate::outcome::{Lesser, Outcome, OutcomeSet};

/// A layer that never acts, the one that prevents it, and why.
pub(crate) struct Idle {
    /// Its place in the list.
    pub layer: usize,
    /// The place of the layer to blame, if there is one.
    pub because: Option<usize>,
    /// Why, in a sentence.
    pub message: String,
    /// A way out.
    pub help: &'static str,
}

/// What the model says about the calls that walk through a stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    /// All are about the same thing, so that one stale answer does for all.
    pub same_key: bool,
    /// They may be repeated without harm.
    pub repeatable: bool,
}

/// The layers of a stack, outermost first, that never act.
pub(crate) fn idle(stack: &[&Written], calls: Calls) -> Vec<Idle> {
    let mut found = Vec::new();
    by_outcome(stack, calls, &mut found);
    by_time(stack, &mut found);
    by_permits(stack, &mut found);
    found
}

/// What may come out of what is inside a stack, of which nothing is known.
fn answers() -> OutcomeSet {
    OutcomeSet::failures().and(OutcomeSet::of(&[Outcome::Ok, Outcome::Degraded(Lesser::PARTIAL)]))
}

/// Layers that wait for outcomes which a fallback inside them does not let through.
fn by_outcome(stack: &[&Written], calls: Calls, found: &mut Vec<Idle>) {
    let mut outcomes = answers();
    let mut fallback = None;
    for (layer, policy) in stack.iter().enumerate().rev() {
        let waits_for = match policy {
            Written::Retry(spec) => Some((spec.at_call(calls.repeatable).retried(), "never tries again")),
            Written::Breaker(spec) => spec.opens_on().map(|set| (set, "never opens")),
            Written::Fallback(spec) => Some((spec.replaced(), "never answers")),
            _ => None,
        };
        if let Some((set, never)) = waits_for
            && !outcomes.meets(set)
            && let Some((because, hides)) = fallback
        {
            let name = policy.blueprint(false).name();
            let once = if hides == Hides::Once { " once there has been an answer" } else { "" };
            found.push(Idle {
                layer,
                because: Some(because),
                message: format!(
                    "this {name} {never}{once}: the fallback inside it hides the failures that it waits for"
                ),
                help: "a fallback belongs outside of what deals with failures",
            });
        }
        let refused = |by| OutcomeSet::of(&[Outcome::RefusedBy(by)]);
        outcomes = match policy {
            Written::Fallback(spec)
                if spec.hides() == Hides::Always || (spec.hides() == Hides::Once && calls.same_key) =>
            {
                fallback = Some((layer, spec.hides()));
                outcomes.minus(spec.replaced()).and(OutcomeSet::of(&[Outcome::Degraded(Lesser::PARTIAL)]))
            }
            Written::Fallback(_) => outcomes.and(OutcomeSet::of(&[Outcome::Degraded(Lesser::PARTIAL)])),
            Written::Timeout(_) => outcomes.and(OutcomeSet::of(&[Outcome::Timeout])),
            Written::Breaker(_) => outcomes.and(refused(Refuser::Breaker)),
            Written::Bulkhead(_) => outcomes.and(refused(Refuser::Bulkhead)),
            Written::ConcurrencyLimit(_) => outcomes.and(refused(Refuser::ConcurrencyLimit)),
            Written::Credits(_) => outcomes.and(refused(Refuser::Credits)),
            Written::RateLimit(_) => outcomes.and(refused(Refuser::RateLimit)),
            Written::ConnectionPool(_) => outcomes.and(refused(Refuser::ConnectionPool)),
            Written::AdaptiveThrottle(_) => outcomes.and(refused(Refuser::AdaptiveThrottle)),
            Written::Custom(_) | Written::Use(_) | Written::Preset(_) => answers(),
            Written::Retry(_) | Written::Hedge(_) | Written::SingleFlight(_) => outcomes,
        };
    }
}

/// Whether calls go on inside it when nobody outside waits any more.
fn acts_alone(policy: &Written) -> bool {
    match policy {
        Written::Bulkhead(spec) => spec.kind == bulkhead::Kind::ThreadPool,
        Written::Fallback(spec) => spec.levels.iter().any(|level| level.answer == Answer::Later),
        _ => false,
    }
}

/// Layers that take longer to act than a timeout around them allows.
fn by_time(stack: &[&Written], found: &mut Vec<Idle>) {
    let mut tightest: Option<(Duration, usize)> = None;
    for (layer, policy) in stack.iter().enumerate() {
        if acts_alone(policy) {
            tightest = None;
        }
        let wanted = match policy {
            Written::Timeout(spec) => spec.after.map(|after| (after.0, "is")),
            Written::Retry(spec) => spec.least_wait().map(|wait| (wait, "never tries again: its first wait is")),
            Written::Hedge(spec) => spec.after.map(|after| (after.0, "never sends a spare: it waits")),
            _ => None,
        };
        if let (Some((time, what)), Some((limit, because))) = (wanted, tightest)
            && time >= limit
        {
            let name = policy.blueprint(false).name();
            let message = match policy {
                Written::Timeout(_) => {
                    format!("this timeout of {time} never ends a call: the {limit} around it are over first")
                }
                _ => format!("this {name} {what} {time}, and the {limit} of the timeout around it are over first"),
            };
            let help = "outer timeouts have to leave room for what is inside them";
            found.push(Idle { layer, because: Some(because), message, help });
        }
        if let Written::Timeout(spec) = policy
            && let Some(after) = spec.after
            && tightest.is_none_or(|(limit, _)| after.0 < limit)
        {
            tightest = Some((after.0, layer));
        }
    }
}

/// Bulkheads that are never full, because one around them is full first.
fn by_permits(stack: &[&Written], found: &mut Vec<Idle>) {
    let mut outer: Option<(u32, bool, usize)> = None;
    for (layer, policy) in stack.iter().enumerate() {
        match policy {
            Written::Bulkhead(spec) if spec.kind == bulkhead::Kind::ThreadPool => {
                outer = Some((spec.concurrent, spec.shared, layer));
            }
            Written::Bulkhead(spec) => {
                if let Some((permits, shared, because)) = outer
                    && spec.concurrent >= permits
                    && (shared || !spec.shared)
                {
                    found.push(Idle {
                        layer,
                        because: Some(because),
                        message: format!(
                            "this bulkhead of {} is never full: the one of {permits} around it is full first",
                            spec.concurrent
                        ),
                        help: "keep the smaller of the two",
                    });
                }
                if outer.is_none_or(|(permits, ..)| spec.concurrent < permits) {
                    outer = Some((spec.concurrent, spec.shared, layer));
                }
            }
            // One call outside can be several inside, and calls that were put off were never outside.
            Written::Hedge(_) | Written::Custom(_) => outer = None,
            other if acts_alone(other) => outer = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::source::Sources;
    use crate::scenario::tree;

    /// The layers that never act, by name and place.
    fn idle_in(policies: &str) -> Vec<(usize, Option<usize>)> {
        let mut sources = Sources::new();
        let id = sources.add("policies", policies);
        let node = tree::parse_value(id, &sources).expect("well-formed");
        let stack: Vec<Written> = tree::read(&node).expect("a list of policies");
        let stack: Vec<&Written> = stack.iter().collect();
        super::idle(&stack, Calls { same_key: true, repeatable: false })
            .into_iter()
            .map(|it| (it.layer, it.because))
            .collect()
    }

    #[test]
    fn a_fallback_hides_failures_from_what_is_around_it() {
        assert_eq!(idle_in("[ retry: 3, fallback: default ]"), [(0, Some(1))]);
        assert_eq!(
            idle_in("[ breaker: { failure_rate: 50%, open_for: 1s }, retry: 3, fallback: default ]"),
            [(1, Some(2)), (0, Some(2))]
        );
        assert_eq!(idle_in("[ fallback: empty, fallback: default ]"), [(0, Some(1))]);
        assert_eq!(idle_in("[ fallback: default, fallback: { levels: [ default ], on: [ error ] } ]"), []);
        // Once it has had an answer, a stale one of any age is always there; one that gets too old is not.
        assert_eq!(idle_in("[ retry: 3, fallback: stale ]"), [(0, Some(1))]);
        assert_eq!(idle_in("[ retry: 3, fallback: [ { answer: stale, max_age: 1h } ] ]"), []);
        // It counts the calls under way too.
        assert_eq!(idle_in("[ adaptive_throttle: {}, fallback: default ]"), []);
    }

    #[test]
    fn what_can_still_fail_between_them_is_seen() {
        assert_eq!(idle_in("[ retry: 3, timeout: 1s, fallback: default ]"), []);
        assert_eq!(idle_in("[ breaker: { failure_rate: 50%, open_for: 1s }, timeout: 1s, fallback: default ]"), []);
        // A refusal is not retried unless it is listed.
        assert_eq!(idle_in("[ retry: 3, bulkhead: 1, fallback: default ]"), [(0, Some(2))]);
        assert_eq!(idle_in("[ retry: { attempts: 3, on: [ refused ] }, bulkhead: 1, fallback: default ]"), []);
        assert_eq!(idle_in("[ retry: 3, fallback: { levels: [ default ], on: [ refused ] } ]"), []);
        let slow = "breaker: { slow_call: { after: 1s, rate: 50% }, open_for: 1s }";
        assert_eq!(idle_in(&format!("[ {slow}, fallback: default ]")), []);
    }

    #[test]
    fn a_timeout_around_has_to_leave_time() {
        assert_eq!(idle_in("[ timeout: 1s, timeout: 1s ]"), [(1, Some(0))]);
        assert_eq!(idle_in("[ timeout: 1s, retry: 3, timeout: 2s ]"), [(2, Some(0))]);
        assert_eq!(idle_in("[ timeout: 2s, retry: 3, timeout: 1s ]"), []);
        assert_eq!(idle_in("[ timeout: 2s, timeout: 1s, timeout: 1500ms ]"), [(2, Some(1))]);
        assert_eq!(idle_in("[ timeout: 1s, hedge: 1s ]"), [(1, Some(0))]);
        assert_eq!(idle_in("[ timeout: 1s, hedge: 999ms ]"), []);
        let retry = |options: &str| idle_in(&format!("[ timeout: 1s, retry: {{ attempts: 3, backoff: {options} }} ]"));
        assert_eq!(retry("{ constant: 1s }"), [(1, Some(0))]);
        assert_eq!(retry("{ constant: 1s }, jitter: full"), []);
        assert_eq!(retry("{ constant: 2s }, jitter: equal"), [(1, Some(0))]);
        assert_eq!(retry("{ constant: 1200ms }, jitter: { plus_minus: 20% }"), []);
        assert_eq!(retry("{ list: [ 0, 2s ] }"), []);
        assert_eq!(retry("{ random: { exponential: 9s } }"), []);
    }

    #[test]
    fn what_goes_on_alone_is_under_no_limit_from_outside() {
        let pool = "bulkhead: { concurrent: 25, kind: thread_pool }";
        let later = "fallback: [ { answer: later, rate: 1/s } ]";
        for alone in [pool, later] {
            assert_eq!(idle_in(&format!("[ timeout: 1s, {alone}, timeout: 2s ]")), []);
            assert_eq!(idle_in(&format!("[ timeout: 1s, {alone}, hedge: 2s ]")), []);
            assert_eq!(idle_in(&format!("[ bulkhead: 10, {alone}, bulkhead: 15 ]")), []);
        }
        assert_eq!(idle_in(&format!("[ {pool}, timeout: 2s, timeout: 2s ]")), [(2, Some(1))]);
        assert_eq!(idle_in(&format!("[ bulkhead: 10, {pool}, bulkhead: 25 ]")), [(2, Some(1))]);
    }

    #[test]
    fn what_is_not_certain_is_not_said() {
        let stack: Vec<Written> = {
            let mut sources = Sources::new();
            let id = sources
                .add("policies", "[ retry: { attempts: 2, on: [], on_idempotent: [ error ] }, fallback: stale ]");
            tree::read(&tree::parse_value(id, &sources).expect("well-formed")).expect("a list of policies")
        };
        let stack: Vec<&Written> = stack.iter().collect();
        let idle = |same_key, repeatable| super::idle(&stack, Calls { same_key, repeatable }).len();
        assert_eq!((idle(true, true), idle(false, true)), (1, 0), "a stale answer is one for the same key");
    }

    #[test]
    fn a_bulkhead_around_has_to_be_the_larger() {
        assert_eq!(idle_in("[ bulkhead: 10, retry: 3, bulkhead: 10 ]"), [(2, Some(0))]);
        assert_eq!(idle_in("[ bulkhead: 10, bulkhead: 9 ]"), []);
        assert_eq!(idle_in("[ bulkhead: 10, timeout: 1s, bulkhead: { concurrent: 10, kind: thread_pool } ]"), []);
        assert_eq!(idle_in("[ bulkhead: 10, hedge: 1s, bulkhead: 10 ]"), []);
        assert_eq!(idle_in("[ bulkhead: 10, bulkhead: { concurrent: 10, shared: true } ]"), []);
        assert_eq!(idle_in("[ bulkhead: { concurrent: 10, shared: true }, bulkhead: 10 ]"), [(1, Some(0))]);
    }

    #[test]
    fn no_preset_but_the_one_that_shows_it_has_a_layer_that_never_acts() {
        for preset in super::super::presets::PRESETS {
            let idle = idle_in(preset.text).len();
            assert_eq!(idle, if preset.name == "chain-as-drawn" { 2 } else { 0 }, "{}", preset.name);
        }
    }
}
