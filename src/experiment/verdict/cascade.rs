//! Cascade: pools ran out in order, from who is called to who calls (Google SRE book, chapter 22).
//!
//! A pool *ran out* if all its workers were busy for a whole step of time since the fault began, and never for one
//! before: that is not chance touching the ceiling. It belongs to the cascade if it waits for its calls (not `async`) and calls a
//! service that ran out earlier.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, listed};

/// The order in which pools ran out, if there were two along a call.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    let (begins, _) = look.faults().filter(|_| look.harmed())?;
    let mut gone: Vec<(usize, f64)> = look
        .services()
        .filter_map(|(service, entity)| {
            look.workers(service)?;
            let full = |value: f64| value > 1.0 - 1e-9;
            let steps = look.steps(&entity, "utilisation");
            let mut calm = steps.iter().take_while(|step| step.0 + step.1 <= begins + 1e-9);
            if calm.any(|step| full(step.2)) {
                return None;
            }
            let step = steps.iter().find(|step| step.0 >= begins - 1e-9 && full(step.2))?.0;
            // To the instant, where it had not been at the ceiling by chance.
            let exact =
                look.fault_windows().map(|(name, from, _)| from + look.figure(name, &entity, "exhausted_after"));
            let exact = exact.fold(f64::INFINITY, f64::min);
            let by_chance = look.figure("before", &entity, "exhausted_after").is_finite();
            Some((service, if by_chance { step } else { exact.min(step) }))
        })
        .collect();
    gone.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let clients = look.plan.clients.len();
    // The first link by which each ran out: edge, caller, callee.
    let links: Vec<(usize, usize, usize)> = gone
        .iter()
        .enumerate()
        .filter(|(_, (service, _))| !look.plan.services[*service].releases_worker)
        .filter_map(|(place, &(caller, _))| {
            let mut earlier = gone[..place].iter().rev();
            earlier.find_map(|&(callee, _)| {
                let mut edges = look.into(callee);
                edges.find(|(_, edge, _)| edge.caller as usize == clients + caller).map(|it| (it.0, caller, callee))
            })
        })
        .collect();
    let &(edge, _, root) = links.first()?;
    let linked = |service: usize| links.iter().any(|link| link.1 == service || link.2 == service);
    gone.retain(|it| linked(it.0));
    let since = gone[0].1;
    let names: Vec<String> = gone
        .iter()
        .map(|&(service, at)| {
            let it = &look.plan.services[service];
            let all = look.workers(service).unwrap_or(f64::NAN);
            format!("{} ({} workers) after {} s", it.name, brief(all), brief(at - begins))
        })
        .collect();
    let evidence =
        format!("workers ran out from the called to the callers, counted from the first fault: {}", listed(&names));
    // As many calls as were under way before, and their noise three times.
    let it = &look.plan.edges[edge];
    let entity = look.plan.edge_entity(edge);
    let under_way = look.figure("before", &entity, "offered") * look.figure("before", &entity, "duration.mean");
    let places =
        libm::ceil((under_way + 3.0 * under_way.sqrt()) / look.plan.instances(it.caller as usize) as f64) + 1.0;
    let set = if it.layers.is_empty() { look.set(edge, "policies", &format!("[ bulkhead: {places} ]")) } else { None };
    let text =
        format!("let no more than {places} calls of {} be under way (a bulkhead), or give them a timeout", it.name);
    let entity = format!("service/{}", look.plan.services[root].name);
    Some(Diagnosis { mechanism: Mechanism::Cascade, entity, since, evidence, remedy: Remedy { text, set } })
}
