//! Thundering herd: many come at the same instant, more than there are workers, and are refused or given up for it.
//!
//! `arrivals.peak` is the most requests that came within 10 ms in a step of time. It is a herd if
//!
//! * a Poisson stream as dense as the densest of this step and its neighbours would not do it in one of a million runs: by the
//!   bound of Chernoff, P(X ≥ k) ≤ exp(k − m − k ln(k/m)), for each 10 ms of the run;
//! * it is more than the service has workers; and
//! * more of those who came in such steps were refused, or failed, than of the others, by five standard deviations; of times with
//!   a fault and of times without, each among themselves.
//!
//! A herd through a cache lasts as long as a fetch, and is told by its fetches: in the steps with an expiry and those after them there are more
//! for each expiry than the service that is asked has workers, and the same harm is done there. Or many entries expire in one step, five times
//! the mean and more than that service has workers, and in that step and the next there is more harm than in those before.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, counted, has, quoted};
use crate::measure::PEAK;
use crate::system::plan::{Fault, Source, Step, What};

/// The service with the largest herd.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    let found = look.services().filter_map(|(service, entity)| judge(look, service, entity));
    let at_once = found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|it| it.1);
    at_once.or_else(|| (0..look.plan.caches.len()).find_map(|cache| through(look, cache)))
}

/// A herd that an entry of a cache has raised by expiring.
fn through(look: &Look<'_>, cache: usize) -> Option<Diagnosis> {
    let spec = &look.plan.caches[cache];
    let entity = format!("cache/{}", spec.name);
    let (expired, fetches) = (look.steps(&entity, "expired"), look.steps(&entity, "fetches"));
    let count = |lines: &[(f64, f64, f64)], place: usize| lines[place].1 * lines[place].2;
    let expiries: f64 = (0..expired.len()).map(|place| count(&expired, place)).sum();
    let herds: Vec<bool> = (0..expired.len())
        .map(|place| (place.saturating_sub(1)..=place).any(|near| count(&expired, near) > 0.5))
        .collect();
    let fetched: f64 = (0..fetches.len()).filter(|&place| herds[place]).map(|place| count(&fetches, place)).sum();
    if expiries < 0.5 {
        return None;
    }
    let each = fetched / expiries;
    let asked = asked(look, cache as u32);
    let judge = |service: usize| {
        let workers = look.workers(service)?;
        if each > workers
            && herds.contains(&false)
            && let Some(shares) = harmed(look, service, &herds, false)
        {
            let what = format!("an entry of {entity} that expires is fetched {} times", brief(each));
            return Some((service, workers, shares, what, herds.clone()));
        }
        // What was filled together.
        let most = workers.max(5.0 * expiries / expired.len() as f64);
        let burst = |place: usize| count(&expired, place) > most;
        let bursts: Vec<bool> = (0..expired.len()).map(|place| (place.saturating_sub(1)..=place).any(burst)).collect();
        let shares = harmed(look, service, &bursts, true)?;
        let largest = (0..expired.len()).map(|place| count(&expired, place)).fold(0.0, f64::max);
        let what = format!("up to {} entries of {entity} expire in one step, and are fetched", brief(largest));
        Some((service, workers, shares, what, bursts))
    };
    let (service, workers, (share, usual), what, herds) = asked.into_iter().find_map(judge)?;
    let since = expired[herds.iter().position(|&herd| herd)?].0;
    let evidence = format!(
        "{what} at service/{}, which has {}; in such steps {} % are refused or fail there (in others {} %); what expired at {} s brought them into step",
        look.plan.services[service].name,
        counted(workers, "worker"),
        brief(100.0 * share),
        brief(100.0 * usual),
        brief(since)
    );
    let (text, option) = if spec.spec.coalesce {
        ("spread the expiries of what was filled together".to_owned(), ("ttl_jitter", "50%"))
    } else {
        ("fetch it once for all who ask".to_owned(), ("coalesce", "true"))
    };
    let path = format!("caches.{}.{}", super::diagnosis::quoted(&spec.name), option.0);
    let remedy = Remedy { text: format!("{text}: {entity}"), set: Some((path, option.1.to_owned())) };
    Some(Diagnosis { mechanism: Mechanism::ThunderingHerd, entity, since, evidence, remedy })
}

/// The services that are called to fetch an entry of a cache.
pub(super) fn asked(look: &Look<'_>, cache: u32) -> Vec<usize> {
    let lookups = look.plan.steps.iter().filter_map(|step| match step {
        Step::Look { cache: of, miss, then, .. } if *of == cache => Some(*miss as usize..*then as usize),
        _ => None,
    });
    let calls = lookups.flat_map(|miss| &look.plan.steps[miss]).filter_map(|step| match step {
        Step::Call { edge, .. } => Some(look.plan.edges[*edge as usize].service as usize),
        _ => None,
    });
    let mut services: Vec<usize> = calls.collect();
    services.sort_unstable();
    services.dedup();
    services
}

/// The shares of the requests to a service that came to harm with a herd and without one (perhaps only before the first), if chance does not
/// explain their difference.
fn harmed(look: &Look<'_>, service: usize, herds: &[bool], before: bool) -> Option<(f64, f64)> {
    let entity = format!("service/{}", look.plan.services[service].name);
    let arrivals = look.steps(&entity, "arrivals");
    let failed: Vec<_> = look.into(service).map(|it| look.steps(&it.2, "failed")).collect();
    let (mut came, mut lost) = ([0.0; 2], [0.0; 2]);
    let first = herds.iter().position(|&herd| herd)?;
    for (place, &herd) in herds.iter().enumerate() {
        if before && !herd && place > first {
            continue;
        }
        let (_, step, rate) = arrivals[place];
        came[usize::from(herd)] += rate * step;
        lost[usize::from(herd)] +=
            failed.iter().map(|line| line[place].1 * line[place].2).filter(|it| !it.is_nan()).sum::<f64>();
    }
    let share = lost[1] / came[1];
    let usual = if came[0] > 0.0 { lost[0] / came[0] } else { 0.0 };
    let pooled = (lost[0] + lost[1]) / (came[0] + came[1]);
    let noise = (pooled * (1.0 - pooled) * (1.0 / came[1] + 1.0 / came[0].max(came[1]))).sqrt();
    (lost[1] > 0.0 && share - usual > 5.0 * noise).then_some((share, usual))
}

fn judge(look: &Look<'_>, service: usize, entity: String) -> Option<(f64, Diagnosis)> {
    let workers = look.workers(service)?;
    let short = PEAK.as_secs();
    let peaks = look.steps(&entity, "arrivals.peak");
    if peaks.iter().all(|step| step.2 <= workers) {
        return None;
    }
    let arrivals = look.steps(&entity, "arrivals");
    let many = peaks.iter().map(|step| step.1).sum::<f64>() / short;
    let densest = |place: usize| {
        let around = &arrivals[place.saturating_sub(1)..(place + 2).min(arrivals.len())];
        around.iter().map(|step| step.2 * short).fold(0.0, f64::max)
    };
    let herds: Vec<bool> = peaks
        .iter()
        .enumerate()
        .map(|(place, &(.., peak))| {
            let mean = densest(place);
            let chance = libm::log(many) + peak - mean - peak * libm::log(peak / mean);
            peak > workers && peak > mean && chance < -libm::log(1e6)
        })
        .collect();
    // What came to harm, apart for times with a fault and without: of those who came with a herd, and of the others.
    let refused: Vec<_> =
        ["refused.full", "refused.limit", "refused.rate"].map(|metric| look.steps(&entity, metric)).to_vec();
    let failed: Vec<_> = look.into(service).map(|it| look.steps(&it.2, "failed")).collect();
    let offered: Vec<_> = look.into(service).map(|it| look.steps(&it.2, "offered")).collect();
    let with_fault = |at: f64| look.fault_windows().any(|(_, from, until)| at >= from - 1e-9 && at < until - 1e-9);
    let harmful = [false, true].into_iter().find_map(|fault| {
        let (mut came, mut harmed, mut begun) = ([0.0; 2], [0.0; 2], 0.0);
        for (place, &herd) in herds.iter().enumerate().filter(|(place, _)| with_fault(arrivals[*place].0) == fault) {
            let sum = |lines: &[Vec<(f64, f64, f64)>]| -> f64 {
                lines.iter().map(|line| line[place].1 * line[place].2).filter(|it| !it.is_nan()).sum()
            };
            let (_, step, rate) = arrivals[place];
            came[usize::from(herd)] += rate * step;
            harmed[usize::from(herd)] += (sum(&refused) + sum(&failed)).min(rate * step);
            begun += if herd { sum(&offered) } else { 0.0 };
        }
        let share = harmed[1] / came[1];
        let usual = if came[0] > 0.0 { harmed[0] / came[0] } else { 0.0 };
        let pooled = (harmed[0] + harmed[1]) / (came[0] + came[1]);
        let noise = (pooled * (1.0 - pooled) * (1.0 / came[1] + 1.0 / came[0].max(came[1]))).sqrt();
        (harmed[1] > 0.0 && share - usual > 5.0 * noise).then_some((fault, came, begun, share, usual))
    });
    let (fault, came, begun, share, usual) = harmful?;
    let of_them = |place: &usize| herds[*place] && with_fault(arrivals[*place].0) == fault;
    let herds: Vec<usize> = (0..herds.len()).filter(of_them).collect();
    let most = herds.iter().map(|&place| peaks[place].2).fold(0.0, f64::max);
    let mean = arrivals.iter().map(|step| step.1 * step.2).sum::<f64>() / many;
    let since = peaks[*herds.first()?].0;
    let (cause, remedy) = cause(look, service, came[1], begun, since);
    let evidence = format!(
        "up to {} requests come to {entity} within {} ms, {} times the mean of {}; in {} like that {} % are refused or fail (in others {} %); {cause}",
        brief(most),
        brief(1000.0 * short),
        brief(most / mean),
        brief(mean),
        counted(herds.len() as f64, "step"),
        brief(100.0 * share),
        brief(100.0 * usual)
    );
    Some((most / mean, Diagnosis { mechanism: Mechanism::ThunderingHerd, entity, since, evidence, remedy }))
}

/// What brought them into step: waits between attempts, if most who came were not on their first; collections of garbage; a client's
/// own timer; or a fault.
fn cause(look: &Look<'_>, service: usize, came: f64, begun: f64, since: f64) -> (String, Remedy) {
    let retrying = look.into(service).find(|(_, edge, _)| has(edge, "retry"));
    if let Some((number, edge, _)) = retrying.filter(|_| came > 2.0 * begun) {
        let cause = format!(
            "{} % of them are retries of {}, whose waits keep them in step",
            brief(100.0 * (came - begun) / came),
            edge.name
        );
        let text = format!("spread the retries of {}: full jitter", edge.name);
        return (cause, Remedy { text, set: look.set(number, "retry.jitter", "full") });
    }
    let spec = &look.plan.services[service];
    if spec.memory.is_some_and(|it| it.collection.is_some()) {
        let text = format!("shorter collections at service/{}: less of its memory live", spec.name);
        let cause = "those who come during a collection are let in together when it ends".to_owned();
        return (cause, Remedy { text, set: None });
    }
    let upstream = look.upstream(service);
    let clients = look
        .plan
        .clients
        .iter()
        .enumerate()
        .filter(|(number, _)| upstream.iter().any(|(_, edge, _)| edge.caller as usize == *number));
    let clients: Vec<_> = clients.collect();
    let fleets = clients.iter().filter_map(|(number, client)| match &client.source {
        Source::Fleet(fleet) => Some((*number, &client.name, fleet.members)),
        _ => None,
    });
    if let Some((number, name, members)) = fleets.max_by_key(|it| it.2) {
        let entity = format!("service/{}", look.plan.services[service].name);
        let held = look.figure("all", &entity, "busy.mean") / look.figure("all", &entity, "throughput");
        // Spread over so long, they need half of the service: what is given up wastes some.
        let workers = look.workers(service).unwrap_or(f64::INFINITY);
        let spread = libm::ceil(f64::from(members) * held / (0.5 * workers));
        let gone = |fault: &Fault| matches!(fault.what, What::Disconnect { client, .. } if client as usize == number);
        let (cause, set) = if look.plan.faults.iter().any(gone) {
            let again = format!("{{ uniform: {{ from: 0s, to: {spread}s }} }}");
            (format!("the {members} members of fleet/{name} come back at the same instant"), ("again", again))
        } else {
            (format!("the {members} members of fleet/{name} ask at the same instant"), ("within", format!("{spread}s")))
        };
        let text = format!("let the members of {name} start, or ask again, at times spread over {spread} s");
        return (cause, Remedy { text, set: Some((format!("clients.{}.fleet.{}", quoted(name), set.0), set.1)) });
    }
    let batch = |source: &Source| match source {
        Source::Open { batch, .. } => *batch,
        _ => 1,
    };
    if let Some((_, client)) =
        clients.into_iter().max_by_key(|(_, client)| batch(&client.source)).filter(|it| batch(&it.1.source) > 1)
    {
        let cause = format!("client/{} sends {} at the same instant", client.name, batch(&client.source));
        let text = format!("spread the timers of {} over their period", client.name);
        return (cause, Remedy { text, set: None });
    }
    let text = "spread what they have in common: a timer, a wait, a restart".to_owned();
    let near = |(name, from, until): (&str, f64, f64)| {
        let step = look.plan.schedule.resolution.as_secs();
        let ends = [from, until].into_iter().any(|at| (since - at).abs() <= step);
        ends.then(|| name.trim_start_matches("fault:").to_owned())
    };
    let cause = match look.fault_windows().find_map(near) {
        Some(fault) => format!("the fault {fault} brought them into step"),
        None => "what brought them into step is not known".to_owned(),
    };
    (cause, Remedy { text, set: None })
}
