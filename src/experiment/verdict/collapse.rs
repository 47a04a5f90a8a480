//! Goodput collapse: as much is done as before, and hardly anything of it for somebody (congestion collapse: Nagle, RFC 896, 1984).
//!
//! A service does no less than before the fault, but for three standard deviations of the count; and what it does for nobody
//! would be enough for all the answers that are missing, but for the same
//! noise; and it is the larger part of what it does. Less happens by chance, where a queue is long and callers are impatient.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy};
use super::expected;

/// The service that works most for nobody, in the window in which that was worst.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    if !look.harmed() {
        return None;
    }
    let mut worst: Option<(f64, Diagnosis)> = None;
    for &(window, from, until) in &look.harmed_windows() {
        let seconds = until - from;
        // The answers that are missing, of all clients that miss more than chance takes.
        let clients = look.plan.clients.iter().map(|client| expected(look.plan, look.run, client, window));
        let missing: f64 = clients.filter(|it| it.disturbed()).map(|it| it.want - it.have).sum::<f64>() / seconds;
        if missing <= 0.0 {
            continue;
        }
        for (service, entity) in look.services() {
            let done = look.figure(window, &entity, "throughput");
            let before = look.figure("before", &entity, "throughput");
            let wasted = look.wasted(service, (from, until)) * done;
            let wanted = missing * look.figure("before", &entity, "calls_per_request").max(1.0);
            if done < before - 3.0 * (before / seconds).sqrt()
                || wasted.is_nan()
                || wasted < done / 2.0
                || wasted < wanted - 3.0 * (wanted / seconds).sqrt()
            {
                continue;
            }
            if worst.as_ref().is_none_or(|it| wasted > it.0) {
                let evidence = format!(
                    "{entity} serves {}/s (before: {}/s), {} % of it for nobody; {}/s of answers are missing",
                    brief(done),
                    brief(before),
                    brief(100.0 * wasted / done),
                    brief(missing)
                );
                let waited =
                    look.figure(window, &entity, "wait.p50") > 0.5 * look.figure(window, &entity, "sojourn.p50");
                let remedy = if waited {
                    let text = format!(
                        "do no work at {entity} for those who have left: a limit on the wait, or a shorter queue"
                    );
                    Remedy { text, set: look.shorter_wait(service) }
                } else {
                    let text = format!(
                        "{entity} takes longer than its callers wait: let them wait longer, or stop the work when they have left (`cancel: propagate`)"
                    );
                    Remedy { text, set: None }
                };
                worst = Some((
                    wasted,
                    Diagnosis { mechanism: Mechanism::GoodputCollapse, entity, since: from, evidence, remedy },
                ));
            }
        }
    }
    worst.map(|it| it.1)
}
