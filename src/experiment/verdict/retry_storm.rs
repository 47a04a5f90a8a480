//! Retry storm: retries alone ask for more than a service can do, even when it is well.
//!
//! The bound is that of Huang et al. (OSDI 2022): with a load of ρ in health, A attempts for each attempt of then are too many from
//! A = 1/ρ on. The SRE book's tenth (chapter 22, budgets) stays below it at all loads up to 91 %.

use super::brief;
use super::diagnosis::{Diagnosis, Look, Mechanism, Remedy, has, listed};

/// The service with the most attempts for its load, in the window in which that was worst.
pub(super) fn find(look: &Look<'_>) -> Option<Diagnosis> {
    if !look.harmed() {
        return None;
    }
    let windows = look.harmed_windows();
    let candidates = look.services().filter_map(|(service, entity)| {
        let load = look.figure("before", &entity, "utilisation");
        let usual = look.figure("before", &entity, "calls_per_request");
        let worst = windows.iter().map(|it| (look.figure(it.0, &entity, "calls_per_request") / usual, it));
        let (times, window) = worst.filter(|it| it.0.is_finite()).reduce(|a, b| if b.0 > a.0 { b } else { a })?;
        let sent = times * look.figure("before", &entity, "arrivals") * (window.2 - window.1);
        (times * load * (1.0 - 3.0 / sent.sqrt()) >= 1.0).then_some((service, entity, load, usual, times, *window))
    });
    let (service, entity, load, usual, times, (window, since, _)) =
        candidates.reduce(|a, b| if b.4 > a.4 { b } else { a })?;
    // The hops at which calls are tried more often than before, by more than chance.
    let hops: Vec<(usize, String, f64)> = look
        .edges()
        .filter(|(_, edge, _)| has(edge, "retry"))
        .filter_map(|(number, edge, entity)| {
            let now = look.figure(window, &entity, "amplification");
            let before = look.figure("before", &entity, "amplification");
            let calls = look.figure("before", &entity, "offered") * look.seconds("before");
            (now > before + 3.0 * (before / calls).sqrt()).then(|| (number, edge.name.clone(), now))
        })
        .collect();
    let told: Vec<String> = hops.iter().map(|it| format!("{} on {}", brief(it.2), it.1)).collect();
    let above = look.upstream(service);
    let above = hops.iter().filter(|hop| above.iter().any(|it| it.0 == hop.0));
    let first = above.reduce(|a, b| if b.2 > a.2 { b } else { a })?;
    let when = window.strip_prefix("fault:").map_or_else(|| "after the faults".to_owned(), |it| format!("during {it}"));
    let evidence = format!(
        "attempts for each call {when}: {}; together {} attempts reach {entity} for each request instead of {}, {} times as many, where {} would fill it at its load of {} %",
        listed(&told),
        brief(times * usual),
        brief(usual),
        brief(times),
        brief(1.0 / load),
        brief(100.0 * load)
    );
    let set = look.set(first.0, "retry.budget", "{ token_bucket: { deposit: 0.1 } }");
    let remedy = Remedy { text: format!("a budget for the retries of {}, or retries at one layer only", first.1), set };
    Some(Diagnosis { mechanism: Mechanism::RetryStorm, entity, since, evidence, remedy })
}
