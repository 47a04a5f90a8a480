//! How a run ended, with the evidence in a sentence.
//!
//! * *never disturbed*: goodput was back (see `recovery_time`) from the very end of the last fault, and did not fall
//!   by more than 5 % while the faults were there.
//! * *recovered*: it is back, after a time.
//! * *metastable*: it is not back; the faults have been over for at least as long as they lasted; and goodput in the last
//!   quarter of that time is no better than in the quarter before: nothing moves any more.
//! * *still failing*: it is not back, and one of these is not so.

use crate::measure::Run;
use crate::scenario::experiment::VerdictName;
use crate::system::plan::Plan;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// In a word.
    pub name: VerdictName,
    /// Since when, in seconds of simulated time; not a number if there is nothing to say.
    pub since: f64,
    /// The evidence.
    pub evidence: String,
}

/// The verdict on a run: that of its worst client.
#[must_use]
pub(super) fn judge(plan: &Plan, run: &Run) -> Verdict {
    let verdicts = plan.clients.iter().map(|client| judge_client(plan, run, &format!("client/{}", client.name)));
    let worst = verdicts.reduce(|a, b| if b.name > a.name { b } else { a });
    worst.unwrap_or(Verdict { name: VerdictName::NeverDisturbed, since: f64::NAN, evidence: "no clients".into() })
}

/// A number with three digits, without a tail of zeros.
pub(crate) fn brief(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "?".into() } else { "inf".into() };
    }
    let digits = if value == 0.0 { 0 } else { 2 - (libm::floor(libm::log10(value.abs())) as i32) };
    let text = format!("{value:.*}", digits.clamp(0, 9) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The mean of a time line between two times.
fn mean(run: &Run, entity: &str, metric: &str, from: f64, until: f64) -> f64 {
    let Some(line) = run.line(entity, metric) else { return f64::NAN };
    let (mut sum, mut time) = (0.0, 0.0);
    for ((at, value), step) in line.into_iter().zip(&run.steps) {
        if at >= from && at + step <= until + 1e-9 && !value.is_nan() {
            sum += value * step;
            time += step;
        }
    }
    sum / time
}

fn judge_client(plan: &Plan, run: &Run, client: &str) -> Verdict {
    let end = plan.schedule.length.as_secs();
    let figure = |window: &str, metric: &str| run.value(plan, window, client, metric).unwrap_or(f64::NAN);
    let Some((begins, ends)) = plan.schedule.disturbed else {
        let goodput = figure("all", "goodput");
        return Verdict {
            name: VerdictName::NeverDisturbed,
            since: f64::NAN,
            evidence: format!("no fault at a known time; goodput of {client} is {}/s", brief(goodput)),
        };
    };
    let (begins, ends) = (begins.as_secs(), ends.as_secs());
    let before = figure("before", "goodput");
    let recovery = figure("all", "recovery_time");
    if recovery.is_finite() {
        let during = mean(run, client, "goodput", begins, ends);
        if recovery == 0.0 && during >= 0.95 * before {
            return Verdict {
                name: VerdictName::NeverDisturbed,
                since: f64::NAN,
                evidence: format!(
                    "goodput of {client} was {}/s before and {}/s during the faults",
                    brief(before),
                    brief(during)
                ),
            };
        }
        return Verdict {
            name: VerdictName::Recovered,
            since: ends + recovery,
            evidence: format!(
                "goodput of {client} fell from {}/s to {}/s during the faults and was back {} s after they ended",
                brief(before),
                brief(during),
                brief(recovery)
            ),
        };
    }
    let quarter = (end - ends) / 4.0;
    let last = mean(run, client, "goodput", end - quarter, end);
    let earlier = mean(run, client, "goodput", end - 2.0 * quarter, end - quarter);
    let amplification = (figure("before", "amplification"), figure("after", "amplification"));
    let stands_still = last <= earlier.max(0.05 * before) * 1.05;
    let long_enough = end - ends >= ends - begins && ends < end;
    let name = if long_enough && stands_still { VerdictName::Metastable } else { VerdictName::StillFailing };
    let mut evidence = format!(
        "goodput of {client} was {}/s before and is {}/s in the last {} s, {} s after the faults ended",
        brief(before),
        brief(last),
        brief(quarter),
        brief(end - ends)
    );
    if amplification.1 > 1.05 * amplification.0 {
        evidence.push_str(&format!(
            "; each request now makes {} attempts instead of {}",
            brief(amplification.1),
            brief(amplification.0)
        ));
    }
    if let Some((entity, share)) = most_wasted(plan, run) {
        evidence.push_str(&format!("; {} % of the work on {entity} is for nobody", brief(100.0 * share)));
    }
    Verdict { name, since: begins, evidence }
}

/// The edge below which most work is done for nobody, if that is more than a tenth.
fn most_wasted(plan: &Plan, run: &Run) -> Option<(String, f64)> {
    (0..plan.edges.len())
        .filter_map(|edge| {
            let entity = plan.edge_entity(edge);
            let share = run.value(plan, "after", &entity, "wasted_share")?;
            (share > 0.1).then_some((entity, share))
        })
        .reduce(|a, b| if b.1 > a.1 { b } else { a })
}
