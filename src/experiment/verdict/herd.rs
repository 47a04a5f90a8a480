//! Thundering herd: many come at the same instant, more than there are workers, and are refused or given up for it.
//!
//! `arrivals.peak` is the most requests that came within 10 ms in a step of time. It is a herd if
//!
//! * a Poisson stream as dense as the densest of this step and its neighbours would not do it in one of a million runs: by the
//!   bound of Chernoff, P(X ≥ k) ≤ exp(k − m − k ln(k/m)), for each 10 ms of the run;
//! * it is more than the service has workers; and
//! * more of those who came in such steps were refused, or failed, than of the others, by five standard deviations; of times with
//!   a fault and of times without, each among themselves.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, counted, has};
use crate::measure::PEAK;
use crate::system::plan::Source;

/// The service with the largest herd.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    let found = look.services().filter_map(|(service, entity)| judge(look, service, entity));
    found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|it| it.1)
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

/// What brought them into step: waits between attempts, if most who came were not on their first; a client's own timer; or a fault.
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
    let upstream = look.upstream(service);
    let clients = look
        .plan
        .clients
        .iter()
        .enumerate()
        .filter(|(number, _)| upstream.iter().any(|(_, edge, _)| edge.caller as usize == *number));
    let batch = |source: &Source| match source {
        Source::Open { batch, .. } => *batch,
        _ => 1,
    };
    if let Some((_, client)) =
        clients.max_by_key(|(_, client)| batch(&client.source)).filter(|it| batch(&it.1.source) > 1)
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
