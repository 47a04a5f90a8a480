//! Metastable loop: a sustaining effect keeps the system overloaded after the trigger is gone (Bronson et al., HotOS 2021).
//!
//! Huang et al. (OSDI 2022) write the condition as load × amplification × degradation > capacity. Here it is read off the
//! last quarter of the run, for each service whose workers are limited:
//!
//! ```text
//!   gain = load as in health × attempts for each request, now / before × time a worker is held, now / before
//!        = arrivals now × time a worker is held now / workers
//! ```
//!
//! A gain of 1 or more cannot be worked off. What sustains it is the hop above with the most extra attempts; without
//! any, the work for nobody, if without that work the load would fit; or the collections of garbage, if without what they
//! take more than in health it would fit. Where nothing ends any more there is no gain: what
//! sustains it is then what waits for ever.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, counted, has, quoted};
use super::herd::asked;
use crate::measure::{keeps_connections, puts_off};
use crate::scenario::experiment::VerdictName;
use crate::system::plan::Step;

/// The service with the largest gain in a run that is stuck, the queues of put-off calls that grow by themselves, and the messages that
/// are delivered again and again.
pub(super) fn find(look: &Look<'_>) -> Vec<Diagnosis> {
    let mut found = catching_up(look);
    found.extend(delivered_again(look));
    if look.state == VerdictName::Metastable
        && let Some(late) = look.late()
    {
        let services = look.services().filter_map(|(service, entity)| judge(look, service, entity, late));
        let strongest = services.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|it| it.1);
        let first = churn(look, late).or(strongest).or_else(|| collecting(look, late));
        found.extend(first.or_else(|| held_for_ever(look, late)));
    }
    found
}

fn judge(look: &Look<'_>, service: usize, entity: String, late: (f64, f64)) -> Option<(f64, Diagnosis)> {
    let workers = look.workers(service)?;
    let now = |metric: &str| look.mean(&entity, metric, late);
    let before = |metric: &str| look.figure("before", &entity, metric);
    let arrivals = now("arrivals");
    let held = (now("busy.mean") / now("throughput"), before("busy.mean") / before("throughput"));
    let gain = arrivals * held.0 / workers;
    let noise = 3.0 / (arrivals * (late.1 - late.0)).sqrt();
    // What waits for longer than the last quarter lasts has not been served yet: then that of all the time since the faults counts.
    let wasted = match look.wasted(service, late) {
        0.0 => look.wasted(service, (look.faults()?.1, look.end())),
        some => some,
    };
    if !gain.is_finite() || !held.1.is_finite() {
        return None;
    }
    let since = look.faults()?.0;
    // Of the hops above, the one that adds most.
    let hop = look
        .upstream(service)
        .into_iter()
        .filter_map(|(number, edge, entity)| {
            let sent = look.mean(&entity, "attempts", late);
            let begun = look.mean(&entity, "offered", late);
            let usual = look.figure("before", &entity, "amplification");
            let extra = sent / begun / usual;
            let chance = 3.0 / (begun * (late.1 - late.0)).sqrt();
            (extra > 1.0 + chance).then_some((number, edge, entity, extra, sent / begun, usual))
        })
        .reduce(|a, b| if b.3 > a.3 { b } else { a });
    let load = format!(
        "{} of {} workers' worth of requests come to {entity}, a gain of {} (before: {})",
        brief(arrivals * held.0),
        brief(workers),
        brief(gain),
        brief(before("arrivals") * held.1 / workers)
    );
    let nobody = format!("{} % of its work is for nobody", brief(100.0 * wasted));
    if gain >= 1.0 - noise
        && let Some((number, edge, hop, _, sent, usual)) = hop
    {
        let (what, remedy) = if puts_off(edge) {
            (
                "calls that were put off",
                Remedy { text: format!("make the put-off calls of {hop} later: a lower `rate`"), set: None },
            )
        } else if has(edge, "hedge") && !has(edge, "retry") {
            let set = look.set(number, "hedge", "{ percentile: 95%, budget: 5% }");
            ("hedges", Remedy { text: format!("a budget for the spare attempts of {hop}"), set })
        } else if has(edge, "retry") {
            let set = look.set(number, "retry.budget", "{ token_bucket: { deposit: 0.1 } }");
            ("retries", Remedy { text: format!("a budget for the retries of {hop}"), set })
        } else {
            return None;
        };
        let evidence = format!(
            "{what} sustain it: {hop} makes {} attempts for each call instead of {}; {load}; {nobody}",
            brief(sent),
            brief(usual)
        );
        return Some((gain, Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since, evidence, remedy }));
    }
    // Without extra attempts: what is done for somebody is too little, and all of it would be enough.
    let useful = gain.min(1.0) * (1.0 - wasted);
    let wanted = before("arrivals") * held.1 / workers;
    let (usual, most) = look.usual(&entity, "queue.mean")?;
    let waiting = now("queue.mean");
    if useful < wanted && wanted <= 1.0 && wasted > 0.0 && waiting > most {
        let set = look.shorter_wait(service);
        let remedy = Remedy { text: format!("serve nobody at {entity} who has waited too long"), set };
        let queue = format!("{} wait at {entity} (before: {}), and {nobody}", brief(waiting), brief(usual));
        // With something to spare the queue will be worked off, however long that takes.
        let to_spare = (1.0 - gain) * workers / held.0;
        let (mechanism, evidence) = if gain < 1.0 - noise {
            let seconds = brief(waiting / to_spare);
            (Mechanism::SlowDrain, format!("{queue}; {load}, so that they are worked off in {seconds} s more"))
        } else {
            let cold = cold_cache(look, service, late).unwrap_or_default();
            (Mechanism::MetastableLoop, format!("requests that were given up sustain it: {queue}; {load}{cold}"))
        };
        return Some((gain, Diagnosis { mechanism, entity, since, evidence, remedy }));
    }
    None
}

/// Calls that are given up and close their connections, so that the next ones need handshakes, which take the time of calls. The edge
/// that opens the most, and more than twice as many for each attempt as before the faults.
fn churn(look: &Look<'_>, late: (f64, f64)) -> Option<Diagnosis> {
    let since = look.faults()?.0;
    let judged = look.edges().filter_map(|(number, edge, entity)| {
        let costs = look.plan.services[edge.service as usize].connections.as_ref()?;
        if costs.trips == 0 || !keeps_connections(edge) {
            return None;
        }
        let (opened, sent) = (look.mean(&entity, "connections.opened", late), look.mean(&entity, "attempts", late));
        let before = |metric: &str| look.figure("before", &entity, metric);
        let usual = before("connections.opened") / before("attempts");
        let chance = 3.0 / (sent * (late.1 - late.0)).sqrt();
        (opened / sent > 2.0 * usual + chance).then_some((number, edge, entity, opened, opened / sent, usual))
    });
    let (number, edge, entity, opened, share, usual) = judged.reduce(|a, b| if b.3 > a.3 { b } else { a })?;
    let service = &look.plan.services[edge.service as usize];
    let program = service.connections.as_ref()?.program;
    let load = match program.map(|program| &look.plan.steps[program as usize]) {
        Some(Step::Work(law)) if service.cpus < u32::MAX => format!(
            "; the handshakes alone ask for {} of {} CPUs of service/{}",
            brief(opened * law.mean()),
            brief(f64::from(service.cpus) * f64::from(service.replicas)),
            service.name
        ),
        _ => String::new(),
    };
    let evidence = format!(
        "connections that are closed with the calls that are given up sustain it: {entity} opens {} for each attempt (before: {}){load}",
        brief(share),
        brief(usual)
    );
    let text =
        format!("let the connections of {entity} outlive calls that are given up: `streams`, or a longer timeout");
    let set = look.set(number, "connection_pool.streams", "100");
    Some(Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since, evidence, remedy: Remedy { text, set } })
}

/// A cache that asks this service, and whose hit ratio has not come back: because what comes too late fills nothing.
fn cold_cache(look: &Look<'_>, service: usize, late: (f64, f64)) -> Option<String> {
    (0..look.plan.caches.len()).filter(|&cache| asked(look, cache as u32).contains(&service)).find_map(|cache| {
        let entity = format!("cache/{}", look.plan.caches[cache].name);
        let (now, before) = (look.mean(&entity, "hit_ratio", late), look.figure("before", &entity, "hit_ratio"));
        let (now_share, before_share) = (brief(100.0 * now), brief(100.0 * before));
        (before - now > 0.05).then(|| {
            format!(
                "; {entity} hits {now_share} % (before: {before_share} %), as answers that come too late do not fill it"
            )
        })
    })
}

/// Collections of garbage that take the time in which the queue would be emptied that makes them long.
fn collecting(look: &Look<'_>, late: (f64, f64)) -> Option<Diagnosis> {
    let since = look.faults()?.0;
    let found = look.services().filter_map(|(service, entity)| {
        let spec = &look.plan.services[service];
        let memory = format!("memory/{}", spec.name);
        let of_memory = spec.memory.filter(|it| it.collection.is_some())?;
        let (now, before) = (look.mean(&memory, "gc.share", late), look.figure("before", &memory, "gc.share"));
        let (arrivals, served) = (look.mean(&entity, "arrivals", late), look.mean(&entity, "throughput", late));
        let possible = served * (1.0 - before) / (1.0 - now);
        let missing = arrivals - served;
        let noise = 3.0 * (arrivals / (late.1 - late.0)).sqrt();
        if !missing.is_finite() || missing <= noise || !possible.is_finite() || possible < arrivals {
            return None;
        }
        let evidence = format!(
            "collections of garbage sustain it: they take {} % of the time of {entity} (before: {} %), as {} wait there and its memory is {} % full; {}/s come, {}/s are served, and {}/s could be if collections took what they took before",
            brief(100.0 * now),
            brief(100.0 * before),
            brief(look.mean(&entity, "queue.mean", late)),
            brief(100.0 * look.mean(&memory, "memory.used", late)),
            brief(arrivals),
            brief(served),
            brief(possible)
        );
        // As many as fill a quarter of what the limit leaves.
        let quarter = (of_memory.limit.0 - of_memory.base.map_or(0, |it| it.0)) / 4;
        let fit = of_memory.per_request.filter(|it| it.0 > 0).map(|each| (quarter / each.0).max(1));
        let set = fit.map(|fit| (format!("services.{}.queue.capacity", quoted(&spec.name)), fit.to_string()));
        let remedy = Remedy { text: format!("let fewer wait at {entity}, so that less of its memory is live"), set };
        Some((missing, Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since, evidence, remedy }))
    });
    found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|it| it.1)
}

/// Workers, or places in a bulkhead, that wait for an answer that never comes: nothing passes any more.
fn held_for_ever(look: &Look<'_>, late: (f64, f64)) -> Option<Diagnosis> {
    let since = look.faults()?.0;
    let diagnosis = |entity: String, evidence: String, call: String| {
        let text = format!("give up calls of {call} after a time: a timeout that frees what waits");
        let remedy = Remedy { text, set: None };
        Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since, evidence, remedy }
    };
    for (service, entity) in look.services() {
        let calls = look.edges().find(|(_, edge, _)| edge.caller as usize == look.plan.clients.len() + service);
        let all_busy = look.mean(&entity, "utilisation", late) > 1.0 - 1e-9;
        if let (true, Some(workers), Some((_, edge, _))) = (all_busy, look.workers(service), calls)
            && look.mean(&entity, "throughput", late) == 0.0
        {
            let evidence = format!(
                "calls that nobody gives up sustain it: all {} of {entity} are busy, and none ends",
                counted(workers, "worker")
            );
            return Some(diagnosis(entity, evidence, edge.name.clone()));
        }
    }
    let (_, edge, entity) = look.edges().find(|(_, edge, entity)| {
        let is_stuck = look.mean(entity, "offered", late) > 0.0 && look.mean(entity, "attempts", late) == 0.0;
        has(edge, "bulkhead") && is_stuck && look.figure("before", entity, "attempts") > 0.0
    })?;
    let evidence = format!(
        "calls that nobody gives up sustain it: {entity} is called {}/s and sends nothing, as the places of its bulkhead do not come back",
        brief(look.mean(&entity, "offered", late))
    );
    let name = edge.name.clone();
    Some(diagnosis(entity, evidence, name))
}

/// Calls that were put off, and whose catching up makes others be put off: their queue grows after the faults are over,
/// for at least as long as these lasted.
fn catching_up(look: &Look<'_>) -> Vec<Diagnosis> {
    let Some((begins, ends)) = look.faults() else { return Vec::new() };
    let (end, quarter) = (look.end(), (look.end() - ends) / 4.0);
    if end - ends < ends - begins || quarter <= 0.0 {
        return Vec::new();
    }
    let queues = look.edges().filter(|(_, edge, _)| puts_off(edge));
    let judged = queues.filter_map(|(number, edge, _)| {
        let entity = format!("queue/{}", edge.name);
        let backlog = |from: f64| look.mean(&entity, "backlog.mean", (from, from + quarter));
        let (first, last) = (backlog(ends), backlog(end - quarter));
        let late = (end - quarter, end);
        let put_off = look.mean(&entity, "put_off", late);
        let usual = look.figure("before", &entity, "put_off");
        let chance = 3.0 * (put_off / quarter).sqrt();
        let path = look.path(number);
        (last > first + 3.0 * first.max(1.0).sqrt() && put_off - chance > usual).then(|| {
            let evidence = format!(
                "calls that were put off sustain it: {} waited in the first {} s after the faults, {} in the last; {} a second are put off (before: {}), {} made up for",
                brief(first),
                brief(quarter),
                brief(last),
                brief(put_off),
                brief(usual),
                brief(look.mean(&entity, "caught_up", late))
            );
            let at = path.unwrap_or_else(|| edge.name.clone());
            let text = format!("catch up more slowly than the service has to spare: a lower `rate` of `later` at {at}");
            let remedy = Remedy { text, set: None };
            Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since: begins, evidence, remedy }
        })
    });
    judged.collect()
}

/// Messages that are processed for longer than their visibility timeout because others are processed beside them, and so are delivered
/// again: their backlog has not become smaller since the faults were over, for at least as long as these lasted.
fn delivered_again(look: &Look<'_>) -> Vec<Diagnosis> {
    let (Some((begins, ends)), Some(late)) = (look.faults(), look.late()) else { return Vec::new() };
    let quarter = late.1 - late.0;
    if look.end() - ends < ends - begins {
        return Vec::new();
    }
    let judged = look.plan.groups.iter().filter_map(|group| {
        let timeout = group.visibility_timeout?;
        let client = &look.plan.clients[group.client as usize].name;
        let entity = format!("group/{client}");
        let (first, last) = (look.mean(&entity, "lag.mean", (ends, ends + quarter)), look.mean(&entity, "lag.mean", late));
        let (usual, most) = look.usual(&entity, "lag.mean")?;
        let delivered = look.mean(&entity, "delivered", late);
        let again = look.mean(&entity, "redelivered", late);
        let before = look.figure("before", &entity, "redelivered");
        let chance = 3.0 * (again / quarter).sqrt();
        if last <= most || last < first - 3.0 * first.sqrt() || again - chance <= before.max(0.1 * delivered) {
            return None;
        }
        let took = look.figure("after", &format!("client/{client}"), "duration.p99");
        let evidence = format!(
            "deliveries that are repeated too early sustain it: {} wait in {entity} (before: {}); {} of {} deliveries a second are of messages that had been delivered before (before: {}), and {}/s are acknowledged; they take {} s, and time out after {timeout}",
            brief(last),
            brief(usual),
            brief(again),
            brief(delivered),
            brief(before),
            brief(look.mean(&entity, "acknowledged", late)),
            brief(took)
        );
        let text = format!("a longer `visibility_timeout` of {client}, or fewer messages at once: a lower `concurrency`");
        let set = took.is_finite().then(|| {
            let path = format!("clients.{}.consumes.visibility_timeout", quoted(client));
            (path, format!("{}ms", (2000.0 * took).ceil().max(1.0) as u64))
        });
        let remedy = Remedy { text, set };
        Some(Diagnosis { mechanism: Mechanism::MetastableLoop, entity, since: begins, evidence, remedy })
    });
    judged.collect()
}
