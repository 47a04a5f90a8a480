//! Cascade: pools ran out in order, from who is called to who calls (Google SRE book, chapter 22).
//!
//! A pool *ran out* if all its workers were busy for whole steps of time, more often (by three standard deviations) from the fault until
//! goodput was back than before it: that is not chance touching the ceiling. It belongs to the cascade if it waits for its
//! calls (not `async`) and calls a service that ran out earlier.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, counted, listed};

/// The order in which pools ran out, if there were two along a call.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    let (begins, _) = look.faults().filter(|_| look.harmed())?;
    let until = if look.back.is_finite() { look.back } else { look.end() };
    let mut gone: Vec<(usize, f64)> = look
        .services()
        .filter_map(|(service, entity)| {
            look.workers(service)?;
            let steps = look.steps(&entity, "utilisation");
            Some((service, ran_out(look, &entity, &steps, begins, until)?))
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
            format!("{} ({}) after {} s", it.name, counted(all, "worker"), brief(at - begins))
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

/// When all workers of a service were busy for good, if they were.
fn ran_out(look: &Look<'_>, entity: &str, steps: &[(f64, f64, f64)], begins: f64, until: f64) -> Option<f64> {
    let full = |step: &&(f64, f64, f64)| step.2 > 1.0 - 1e-9;
    let calm = || steps.iter().filter(|it| it.0 + it.1 <= begins + 1e-9);
    let since = || steps.iter().filter(|it| it.0 >= begins - 1e-9 && it.0 + it.1 <= until + 1e-9);
    let (n, m) = (calm().count() as f64, since().count() as f64);
    let (usual, now) = (calm().filter(full).count() as f64 / n, since().filter(full).count() as f64 / m);
    let pooled = (usual * n + now * m) / (n + m);
    if now - usual <= 3.0 * (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt() {
        return None;
    }
    let place = steps.iter().position(|it| it.0 >= begins - 1e-9 && full(&it))?;
    let step = steps[place].0;
    let load = look.figure("before", entity, "utilisation");
    if look.figure("before", entity, "exhausted_after").is_finite() {
        // Chance touches the ceiling too; so from when on it must have been full, to be as busy as it was in the step before.
        let last = place.checked_sub(1).map(|last| steps[last]).filter(|last| last.0 >= begins - 1e-9);
        return Some(last.map_or(step, |last| last.0 + last.1 * ((1.0 - last.2) / (1.0 - load)).clamp(0.0, 1.0)));
    }
    let exact = look.fault_windows().map(|(name, from, _)| from + look.figure(name, entity, "exhausted_after"));
    Some(exact.fold(step, f64::min))
}
