//! Slow drain: the fault is over, what it has left behind is not. A queue empties at capacity − load, so it needs longer than it
//! needed to fill when less is to spare than the fault took away.
//!
//! It is slow if it took longer than it grew, and longer than the faults lasted, by more than two steps of time. Empty is
//! what it was before, by mean and three standard deviations of its steps.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy};
use crate::measure::puts_off;
use crate::scenario::experiment::VerdictName;

/// Queues of services, if goodput came back late or has not yet; those of calls that were put off; and those of messages.
pub(super) fn find(look: &Look<'_>) -> Vec<Diagnosis> {
    let Some((_, ends)) = look.faults() else { return Vec::new() };
    let late = look.back > ends && matches!(look.state, VerdictName::Recovered | VerdictName::StillFailing);
    let services = look.services().filter(|_| late).filter_map(|(service, entity)| {
        let text = format!("drop those at {entity} who have waited too long, or serve the newest first");
        judge(look, entity, "queue.mean", Remedy { text, set: look.shorter_wait(service) })
    });
    let queues = look.edges().filter(|(_, edge, _)| puts_off(edge)).filter_map(|(_, edge, _)| {
        let text =
            format!("give {} more to spare, then catch up faster", look.plan.services[edge.service as usize].name);
        judge(look, format!("queue/{}", edge.name), "backlog.mean", Remedy { text, set: None })
    });
    let groups = look.plan.groups.iter().filter_map(|group| {
        let (client, topic) = (&look.plan.clients[group.client as usize].name, &look.plan.topics[group.topic as usize]);
        let text = format!("give {client} more to spare; serve the newest of {} first, or drop the oldest", topic.name);
        judge(look, format!("group/{client}"), "lag.mean", Remedy { text, set: None })
    });
    services.chain(queues).chain(groups).collect()
}

fn judge(look: &Look<'_>, entity: String, metric: &str, remedy: Remedy) -> Option<Diagnosis> {
    let (begins, ends) = look.faults()?;
    let steps = look.steps(&entity, metric);
    let (mean, level) = look.usual(&entity, metric)?;
    let after = steps.iter().position(|it| it.0 >= ends - 1e-9)?;
    let left = steps[after..].iter().enumerate().reduce(|a, b| if b.1.2 > a.1.2 { b } else { a })?;
    let (top, most) = (after + left.0, left.1.2);
    let began = steps.iter().find(|it| it.0 >= begins - 1e-9 && it.2 > level)?.0;
    let full = steps.iter().find(|it| it.0 >= began && it.2 >= 0.9 * most)?.0;
    let empty = steps[top..].iter().find(|it| it.2 <= level).map(|it| it.0);
    let last = steps.last()?;
    let (grew, shrank) = (full - began, empty.unwrap_or(last.0 + last.1) - steps[top].0);
    let resolution = look.plan.schedule.resolution.as_secs();
    if most <= level || shrank <= grew.max(ends - begins) + 2.0 * resolution {
        return None;
    }
    // One that stands still or grows is no drain.
    let quarter = (look.end() - ends) / 4.0;
    let (early, late) = (
        look.mean(&entity, metric, (ends, ends + quarter)),
        look.mean(&entity, metric, (look.end() - quarter, look.end())),
    );
    if empty.is_none() && late > early - 3.0 * early.sqrt() {
        return None;
    }
    let so_far = if empty.is_some() { "to work them off" } else { "have not been enough to work them off" };
    let evidence = format!(
        "{} waited in {entity} when the faults were over (before: {}); it took {} s to gather them, and {} s {so_far}",
        brief(most),
        brief(mean),
        brief(grew),
        brief(shrank)
    );
    Some(Diagnosis { mechanism: Mechanism::SlowDrain, entity, since: ends, evidence, remedy })
}
