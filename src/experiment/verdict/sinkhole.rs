//! Sinkhole: a replica that fails fast looks idle, and a balancer that goes by requests under way prefers it.
//!
//! Only such balancers can be drawn in. The replica must have more than its share, and fail more often than the others, both by
//! five standard deviations of the counts; and requests of clients must be lost by it.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, quoted};
use crate::balance::{By, Spec};

/// The replicas that were sinkholes, one for each service at most.
pub(super) fn find(look: &Look<'_>) -> Vec<Diagnosis> {
    let mut windows: Vec<(&str, f64, f64)> = look.fault_windows().collect();
    if windows.is_empty() {
        windows.extend(
            look.plan.schedule.windows.first().map(|it| (it.name.as_str(), it.from.as_secs(), it.until.as_secs())),
        );
    }
    let drawn = |by: &By| matches!(by, By::LeastRequests | By::PowerOfTwo | By::PowerOfChoices(_));
    let services = look.services().filter(|(service, _)| drawn(&look.plan.services[*service].balance.by));
    services
        .filter_map(|(service, _)| {
            let found = windows.iter().filter_map(|&window| judge(look, service, window));
            found.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|it| it.1)
        })
        .collect()
}

fn judge(look: &Look<'_>, service: usize, (window, from, until): (&str, f64, f64)) -> Option<(f64, Diagnosis)> {
    let it = &look.plan.services[service];
    let seconds = until - from;
    let count = |entity: &str, metric: &str| look.figure(window, entity, metric) * seconds;
    let replicas: Vec<(String, f64, f64)> = (0..it.replicas)
        .map(|replica| format!("instance/{}/{replica}", it.name))
        .map(|entity| (entity.clone(), count(&entity, "arrivals"), count(&entity, "errors")))
        .collect();
    let (all, failed) = replicas.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.1, sum.1 + it.2));
    let fair = 1.0 / f64::from(it.replicas);
    let lost = look.plan.clients.iter().any(|client| {
        let entity = format!("client/{}", client.name);
        look.figure(window, &entity, "success_rate") < 1.0
    });
    let (entity, came, bad) = replicas.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
    let share = came / all;
    let usual = {
        let before = look.figure("before", entity, "arrivals");
        let whole: f64 = replicas.iter().map(|it| look.figure("before", &it.0, "arrivals")).sum();
        if before > 0.0 { (before / whole).max(fair) } else { fair }
    };
    let more = share - usual > 5.0 * (usual * (1.0 - usual) / all).sqrt();
    let (own, others) = (bad / came, (failed - bad) / (all - came));
    let pooled = failed / all;
    let fails = own - others > 5.0 * (pooled * (1.0 - pooled) * (1.0 / came + 1.0 / (all - came))).sqrt();
    if !(lost && more && fails) {
        return None;
    }
    let evidence = format!(
        "{entity} gets {} % of the requests to {}, where {} % are its share, and fails {} % of them (the others: {} %)",
        brief(100.0 * share),
        it.name,
        brief(100.0 * usual),
        brief(100.0 * own),
        brief(100.0 * others)
    );
    let remedy = Remedy {
        text: format!("eject replicas of {} that fail, or let retries go elsewhere", it.name),
        set: Some(ejecting(&it.name, &it.balance)),
    };
    let diagnosis = Diagnosis { mechanism: Mechanism::Sinkhole, entity: entity.clone(), since: from, evidence, remedy };
    Some((share, diagnosis))
}

/// A balancer that ejects. One that is written in short is written out.
fn ejecting(service: &str, balance: &Spec) -> (String, String) {
    let path = format!("services.{}.balance", quoted(service));
    let by = match balance.by {
        By::PowerOfTwo => "power_of_two".to_owned(),
        By::PowerOfChoices(n) => format!("{{ power_of_choices: {n} }}"),
        _ => "least_requests".to_owned(),
    };
    if *balance == (Spec { by: balance.by.clone(), ..Spec::default() }) {
        (path, format!("{{ by: {by}, outlier_ejection: {{ always_eject_one: true }} }}"))
    } else {
        (format!("{path}.outlier_ejection"), "{ always_eject_one: true }".to_owned())
    }
}
