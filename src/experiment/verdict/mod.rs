//! How a run ended, with the evidence in a sentence.
//!
//! * *not judged*: there is nothing to compare with. No answer came between the warm-up and the first planned fault, or
//!   all faults come at random times; or a limit has stopped the run.
//! * *never disturbed*: goodput was back (see `recovery_time`) from the very end of the last fault, and during none of
//!   them did it fall by more than 5 %, and more than chance makes it.
//! * *recovered*: it is back, after a time.
//! * *metastable*: it is not back; the faults have been over for at least as long as they lasted; and goodput in the last
//!   quarter of that time is no better than in the quarter before: nothing moves any more.
//! * *still failing*: it is not back, and one of these is not so.
//!
//! Beside this *state*, a verdict has *diagnoses*: the mechanisms that were at work, one file each.

mod cascade;
mod collapse;
mod diagnosis;
mod drain;
mod herd;
mod metastable;
mod oscillation;
mod retry_storm;
mod sinkhole;

use crate::measure::Run;
use crate::scenario::experiment::VerdictName;
use crate::system::plan::{self, Plan, Source};

pub use diagnosis::{Diagnosis, Mechanism, Remedy};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// In a word.
    pub name: VerdictName,
    /// Since when, in seconds of simulated time; not a number if there is nothing to say.
    pub since: f64,
    /// The `recovery_time` of the worst client: seconds, infinite if it did not come back, not a number if there is nothing to come back from.
    pub recovery: f64,
    /// The evidence.
    pub evidence: String,
    /// What was at work, most telling first.
    pub diagnoses: Vec<Diagnosis>,
}

impl Verdict {
    /// A verdict that names no time.
    fn of_nothing(name: VerdictName, evidence: String) -> Self {
        Self { name, since: f64::NAN, recovery: f64::NAN, evidence, diagnoses: Vec::new() }
    }
}

/// How runs ended, and how many of them: the most frequent first.
pub(crate) fn states(verdicts: &[Verdict]) -> Vec<(VerdictName, usize)> {
    let mut counts: Vec<(VerdictName, usize)> = Vec::new();
    for verdict in verdicts {
        match counts.iter_mut().find(|(name, _)| *name == verdict.name) {
            Some((_, count)) => *count += 1,
            None => counts.push((verdict.name, 1)),
        }
    }
    counts.sort_by_key(|count| std::cmp::Reverse(count.1));
    counts
}

/// What is told of several runs: the diagnosis that stood first in the most of them, by the first of these runs.
#[derive(Clone, Copy, Debug)]
pub struct Told<'v> {
    /// In how many runs it stood first.
    pub times: usize,
    /// The seed of the run.
    pub seed: u64,
    /// The verdict on it.
    pub verdict: &'v Verdict,
    /// The diagnosis.
    pub diagnosis: &'v Diagnosis,
}

/// What is told of several runs; [`None`] if there is no diagnosis.
pub(super) fn told<'v>(seeds: &[u64], verdicts: &'v [Verdict]) -> Option<Told<'v>> {
    let firsts = || seeds.iter().zip(verdicts).filter_map(|(&seed, it)| Some((seed, it, it.diagnoses.first()?)));
    let count = |of: &Diagnosis| firsts().filter(|(.., it)| it.mechanism == of.mechanism).count();
    let counted = firsts().map(|(seed, verdict, diagnosis)| Told { times: count(diagnosis), seed, verdict, diagnosis });
    counted.reduce(|a, b| if b.times > a.times { b } else { a })
}

/// The verdict on a run: that of its worst client.
#[must_use]
pub(super) fn judge(plan: &Plan, run: &Run) -> Verdict {
    let verdicts = plan.clients.iter().map(|client| judge_client(plan, run, client));
    let worst = verdicts.reduce(|a, b| if b.name > a.name { b } else { a });
    let mut verdict = worst.unwrap_or_else(|| Verdict::of_nothing(VerdictName::NotJudged, "no clients".into()));
    if run.stopped.is_none() {
        verdict.diagnoses = diagnose(plan, run, verdict.name);
    }
    verdict
}

/// The mechanisms that were at work in a run.
fn diagnose(plan: &Plan, run: &Run, state: VerdictName) -> Vec<Diagnosis> {
    let times = plan.clients.iter().map(|it| run.value(plan, "all", &format!("client/{}", it.name), "recovery_time"));
    let longest = times.flatten().filter(|it| !it.is_nan()).fold(0.0, f64::max);
    let back = plan.schedule.disturbed.map_or(f64::NAN, |(_, ends)| ends.as_secs() + longest);
    let look = diagnosis::Look { plan, run, state, back };
    let mut found = metastable::find(&look);
    found.extend(cascade::find(&look));
    found.extend(retry_storm::find(&look));
    found.extend(sinkhole::find(&look));
    found.extend(herd::find(&look));
    found.extend(oscillation::find(&look));
    found.extend(drain::find(&look));
    found.extend(collapse::find(&look));
    found.sort_by_key(|it| it.mechanism);
    // What the gain says of a queue is told once.
    found.dedup_by(|b, a| a.mechanism == b.mechanism && a.entity == b.entity);
    found
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

/// What a client wants: that its requests are answered; of a fleet, that its members are served; of a consumer, that its messages
/// are acknowledged.
struct Good {
    /// In words.
    words: String,
    entity: String,
    metric: &'static str,
    is_fleet: bool,
}

impl Good {
    fn of(client: &plan::Client) -> Self {
        let is_fleet = matches!(client.source, Source::Fleet(_));
        let (kind, metric, words) = match client.source {
            Source::Fleet(_) => ("fleet", "served", "the served share"),
            Source::Topic(_) => ("group", "acknowledged", "the rate of acknowledgements"),
            _ => ("client", "goodput", "goodput"),
        };
        let entity = format!("{kind}/{}", client.name);
        let words = format!("{words} of {entity}");
        Self { words, entity, metric, is_fleet }
    }

    fn figure(&self, plan: &Plan, run: &Run, window: &str) -> f64 {
        run.value(plan, window, &self.entity, self.metric).unwrap_or(f64::NAN)
    }

    /// A figure with its unit.
    fn told(&self, value: f64) -> String {
        if self.is_fleet { format!("{} %", brief(100.0 * value)) } else { format!("{}/s", brief(value)) }
    }
}

fn judge_client(plan: &Plan, run: &Run, client: &plan::Client) -> Verdict {
    let end = plan.schedule.length.as_secs();
    let good = Good::of(client);
    let name = &format!("client/{}", client.name);
    let figure = |window: &str, metric: &str| run.value(plan, window, name, metric).unwrap_or(f64::NAN);
    let mean_of = |window: &str| good.figure(plan, run, window);
    let over_all = good.told(mean_of("all"));
    if let Some(stopped) = &run.stopped {
        let evidence = format!("the run did not reach its end ({stopped}); {} was {over_all} until then", good.words);
        return Verdict::of_nothing(VerdictName::NotJudged, evidence);
    }
    let Some((begins, ends)) = plan.schedule.disturbed else {
        let (name, why) = if plan.faults.is_empty() {
            (VerdictName::NeverDisturbed, "no fault is planned")
        } else {
            (VerdictName::NotJudged, "faults come at random times, and there is no time before them to compare with")
        };
        return Verdict::of_nothing(name, format!("{why}; {} is {over_all}", good.words));
    };
    let (begins, ends) = (begins.as_secs(), ends.as_secs());
    let before = mean_of("before");
    let recovery = figure("all", "recovery_time");
    if recovery.is_nan() {
        let why = "had no answers between the warm-up and the first fault: there is nothing to compare with";
        return Verdict::of_nothing(VerdictName::NotJudged, format!("{name} {why}; {} is {over_all}", good.words));
    }
    if recovery.is_finite() {
        let Worst { fault, during, share, disturbed } = worst(plan, run, client);
        let harm = format!(
            "{} was {} before and {} during {fault}, {} % of what was to be expected",
            good.words,
            good.told(before),
            good.told(during),
            brief(100.0 * share)
        ) + &lesser(plan, run, name);
        if recovery == 0.0 && !disturbed {
            let evidence = harm;
            return Verdict { recovery, ..Verdict::of_nothing(VerdictName::NeverDisturbed, evidence) };
        }
        return Verdict {
            name: VerdictName::Recovered,
            since: ends + recovery,
            recovery,
            evidence: format!("{harm}; it was back {} s after the last fault", brief(recovery)),
            diagnoses: Vec::new(),
        };
    }
    let quarter = (end - ends) / 4.0;
    let last = mean(run, &good.entity, good.metric, end - quarter, end);
    let earlier = mean(run, &good.entity, good.metric, end - 2.0 * quarter, end - quarter);
    let amplification = (figure("before", "amplification"), figure("after", "amplification"));
    let stands_still = last <= earlier.max(0.05 * before) * 1.05;
    let long_enough = end - ends >= ends - begins && ends < end;
    let name = if long_enough && stands_still { VerdictName::Metastable } else { VerdictName::StillFailing };
    let mut evidence = format!("{} was {} before and ", good.words, good.told(before));
    evidence.push_str(&if ends < end {
        let (seconds, after) = (brief(quarter), brief(end - ends));
        format!("is {} in the last {seconds} s, {after} s after the faults ended", good.told(last))
    } else {
        let during = mean(run, &good.entity, good.metric, begins, end);
        format!("{} during the faults, which last to the end of the run", good.told(during))
    });
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
    Verdict { name, since: begins, recovery, evidence, diagnoses: Vec::new() }
}

/// The fault that did the most harm to a client, for as long as it was there.
struct Worst<'p> {
    fault: &'p str,
    /// Its goodput, or the share of its members that were served.
    during: f64,
    /// As a share of what was to be expected.
    share: f64,
    /// Whether that was more than 5 %, and more than chance does.
    disturbed: bool,
}

/// The answers of a client in a window, and those that were to be expected.
struct Expected {
    want: f64,
    have: f64,
    variance: f64,
}

impl Expected {
    /// Whether more than 5 % are missing, and more than chance takes: three standard deviations.
    fn disturbed(&self) -> bool {
        self.have < 0.95 * self.want - 3.0 * self.variance.sqrt()
    }
}

/// What was answered is compared with what was to be expected: in an open loop, of the requests that came; in a closed loop, in a
/// time like that. The noise is that of `recovery_time`.
fn expected(plan: &Plan, run: &Run, client: &plan::Client, window: &str) -> Expected {
    let good = Good::of(client);
    let entity = format!("client/{}", client.name);
    let figure = |window: &str, metric: &str| run.value(plan, window, &entity, metric).unwrap_or(f64::NAN);
    let seconds =
        plan.schedule.windows.iter().find(|it| it.name == window).map_or(f64::NAN, |it| (it.until - it.from).as_secs());
    let have = good.figure(plan, run, window) * seconds;
    let want = match client.source {
        Source::Closed { .. } | Source::Fleet(_) | Source::Topic(_) => good.figure(plan, run, "before") * seconds,
        _ => figure(window, "offered") * seconds * figure("before", "success_rate"),
    };
    let noise = run.noise.iter().find(|it| it.0 == entity).map_or(f64::NAN, |it| it.1);
    Expected { want, have, variance: want * noise }
}

/// The window of the fault in which a client missed most.
fn worst<'p>(plan: &'p Plan, run: &Run, client: &plan::Client) -> Worst<'p> {
    let mut worst = Worst { fault: "the faults", during: f64::NAN, share: 1.0, disturbed: false };
    let mut least = f64::INFINITY;
    for window in plan.schedule.windows.iter().filter(|it| it.name.starts_with("fault:")) {
        let expected = expected(plan, run, client, &window.name);
        let share = expected.have / expected.want;
        if share < least {
            least = share;
            let during = expected.have / (window.until - window.from).as_secs();
            worst = Worst { fault: &window.name["fault:".len()..], during, share, disturbed: expected.disturbed() };
        }
    }
    worst
}

/// Goodput counts lesser answers too. Where a fault made more than 5 % of the answers lesser than they were before, and more than
/// chance does, that is part of the evidence.
fn lesser(plan: &Plan, run: &Run, client: &str) -> String {
    let figure = |window: &str, metric: &str| run.value(plan, window, client, metric).unwrap_or(f64::NAN);
    let share = |window: &str| figure(window, "degraded") / figure(window, "goodput");
    let windows = plan.schedule.windows.iter().filter(|it| it.name.starts_with("fault:"));
    let most = windows.map(|it| (share(&it.name), it)).filter(|it| it.0 > 0.0);
    let Some((most, window)) = most.reduce(|a, b| if b.0 > a.0 { b } else { a }) else { return String::new() };
    let usual = share("before").max(0.0);
    let answers = figure(&window.name, "goodput") * (window.until - window.from).as_secs();
    if most - usual <= 0.05 + 3.0 * (most * (1.0 - most) / answers).sqrt() {
        return String::new();
    }
    let fault = &window.name["fault:".len()..];
    format!(
        " ({} % of the answers during {fault} were lesser ones; before: {} %)",
        brief(100.0 * most),
        brief(100.0 * usual)
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::code::{self, *};
    use crate::system::run;

    /// The verdict on a service with one worker that can answer 100 requests a second, and is asked `rate` times.
    fn verdict(rate: u32, experiment: &Experiment) -> VerdictName {
        let model = Model::default()
            .service("s", Service::default().workers(1).operation("get", [work(constant(ms(10)))]))
            .client("c", Client::open("s.get", per_second(rate)).policies([retry(3), timeout(ms(500))]));
        let plan = code::plan(&model, experiment).expect("the model is well-formed");
        judge(&plan, &run(&plan, 1)).name
    }

    fn slowed(factor: f64) -> Fault {
        slow("s", factor).at(secs(20)).lasting(secs(10))
    }

    #[test]
    fn each_verdict_is_given_where_it_is_due() {
        let run = Experiment::lasting(secs(100));
        assert_eq!(verdict(50, &run), VerdictName::NeverDisturbed, "without faults");
        let mild = run.clone().fault("slow", slowed(1.1));
        assert_eq!(verdict(50, &mild), VerdictName::NeverDisturbed);
        let hard = run.clone().fault("slow", slowed(20.0));
        assert_eq!(verdict(20, &hard), VerdictName::Recovered);
        // With three attempts for each request, 80 a second are more than it can do.
        assert_eq!(verdict(80, &hard), VerdictName::Metastable);
        let lasting = run.fault("slow", slow("s", 20.0).at(secs(20)));
        assert_eq!(verdict(50, &lasting), VerdictName::StillFailing, "the fault is still there");
    }

    /// Nobody notices in goodput that all answers are parts only; the evidence says so.
    #[test]
    fn lesser_answers_are_part_of_the_evidence() {
        let model = Model::default()
            .service("s", Service::default().operation("get", [work(constant(ms(1)))]))
            .service("web", Service::default().operation("get", [call("s.get").optional()]))
            .client("c", Client::open("web.get", per_second(50)));
        let fault = crash("s").at(secs(50)).lasting(secs(10));
        let plan = code::plan(&model, &Experiment::lasting(secs(100)).fault("down", fault)).expect("it is well-formed");
        let verdict = judge(&plan, &run(&plan, 1));
        assert_eq!(verdict.name, VerdictName::NeverDisturbed);
        let told = "(100 % of the answers during down were lesser ones; before: 0 %)";
        assert!(verdict.evidence.contains(told), "{}", verdict.evidence);
    }

    #[test]
    fn without_a_time_before_the_faults_there_is_no_verdict() {
        let from_the_start = slow("s", 2.0).lasting(secs(10));
        let experiment = Experiment::lasting(secs(100)).fault("slow", from_the_start);
        assert_eq!(verdict(20, &experiment), VerdictName::NotJudged);
    }

    /// Ten users in step with nothing make 100 requests a second, always: no noise. Work of 20 ms instead of 10 is 110 ms a round instead
    /// of 100, or 9 % less for two seconds. Poisson noise (3 × √200 of 200) would hide that.
    #[test]
    fn the_noise_of_a_closed_loop_is_that_before_the_fault() {
        let model = Model::default()
            .service("s", Service::default().workers(10).operation("get", [work(constant(ms(10)))]))
            .client("c", Client::closed("s.get", 10, constant(ms(90))));
        let fault = slow("s", 2.0).at(secs(50)).lasting(secs(2));
        let plan = code::plan(&model, &Experiment::lasting(secs(100)).fault("slow", fault)).expect("it is well-formed");
        assert_eq!(judge(&plan, &run(&plan, 1)).name, VerdictName::Recovered);
    }

    #[test]
    fn a_run_that_a_limit_has_stopped_is_not_judged() {
        let mut experiment = Experiment::lasting(secs(100)).fault("slow", slowed(20.0));
        experiment.limits.events = Some(1_000);
        assert_eq!(verdict(50, &experiment), VerdictName::NotJudged);
    }
}
