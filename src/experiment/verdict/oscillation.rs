//! Oscillation: a breaker that hunts. It closes, the load that comes back opens it again, and so on.
//!
//! One opening is what a breaker is for; probes that fail while a fault lasts (open, half-open, open) are too. Hunting is that
//! each instance has, on average, opened from closed and closed again twice or more after the last fault (without faults: in all the
//! run), where it should have stayed closed: one is an event, two are a period. Where faults come at random times, nothing is said.

use super::brief;
use crate::system::plan::Timing;

use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy};

/// The breakers that hunt.
pub(super) fn find(look: &Look<'_>) -> Vec<Diagnosis> {
    // Between faults that come at random it cannot be told which opening was for one.
    if look.plan.faults.iter().any(|fault| matches!(fault.timing, Timing::Random { .. })) {
        return Vec::new();
    }
    let from = look.faults().map_or(look.plan.schedule.warmup.as_secs(), |it| it.1);
    let strips = look.run.strips.iter();
    let judged = strips.filter_map(|strip| {
        let (mut opened, mut closed, mut since) = (0, 0, f64::NAN);
        for pair in strip.moves.windows(2).filter(|pair| pair[1].0 >= from && pair[1].0 < look.end()) {
            let ((.., open, half), (at, _, now_open, now_half)) = (pair[0], pair[1]);
            if now_open > open && now_half == half {
                opened += 1;
                since = if since.is_nan() { at } else { since };
            }
            if now_open == open && now_half < half {
                closed += 1;
            }
        }
        let of = strip.moves.first()?.1.max(1);
        let swings = opened.min(closed);
        (swings >= 2 * of).then(|| {
            let seconds = look.end() - from;
            let evidence = format!(
                "{} opened {opened} and closed {closed} times in {} s without a fault (instances: {of}), once in {} s each",
                strip.entity,
                brief(seconds),
                brief(seconds * f64::from(of) / f64::from(swings))
            );
            let text = format!("let the load come back little by little: an adaptive throttle or a concurrency limit in place of {}, or more `probes`", strip.entity);
            let remedy = Remedy { text, set: None };
            Diagnosis { mechanism: Mechanism::Oscillation, entity: strip.entity.clone(), since, evidence, remedy }
        })
    });
    judged.collect()
}
