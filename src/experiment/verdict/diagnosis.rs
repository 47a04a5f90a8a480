//! What a mechanism looks like in the facts: its name, where it sits, the evidence, and the first remedy to try.
//!
//! One file each. No diagnosis goes by an absolute number where the same run before the fault, or the noise of a count, can
//! be asked: `docs/verdicts.md` has every rule with its source.

use crate::measure::Run;
use crate::scenario::experiment::VerdictName;
use crate::system::plan::{Edge, Plan, Step};

/// What kept, or made, the harm. In order of how much they tell: the first is told on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Mechanism {
    /// The outage feeds itself, and outlives its cause.
    MetastableLoop,
    /// Pools ran out one after the other, from who is called to who calls.
    Cascade,
    /// Retries alone ask for more than a service can do.
    RetryStorm,
    /// A replica that fails gets more than its share.
    Sinkhole,
    /// Many come at the same instant.
    ThunderingHerd,
    /// A breaker opens and closes again and again.
    Oscillation,
    /// A queue needs longer to empty than it needed to fill.
    SlowDrain,
    /// As much work as before, hardly any of it for somebody.
    GoodputCollapse,
}

impl Mechanism {
    /// All of them, the most telling first.
    pub const ALL: [Self; 8] = [
        Self::MetastableLoop,
        Self::Cascade,
        Self::RetryStorm,
        Self::Sinkhole,
        Self::ThunderingHerd,
        Self::Oscillation,
        Self::SlowDrain,
        Self::GoodputCollapse,
    ];

    /// In a line.
    #[must_use]
    pub fn line(self) -> &'static str {
        match self {
            Self::MetastableLoop => "an outage feeds itself, and outlives its cause",
            Self::Cascade => "pools ran out one after the other, from who is called to who calls",
            Self::RetryStorm => "retries alone ask for more than a service can do",
            Self::Sinkhole => "a replica that fails gets more than its share",
            Self::ThunderingHerd => "many come at the same instant, and are turned away for it",
            Self::Oscillation => "a breaker opens and closes again and again",
            Self::SlowDrain => "a queue needs longer to empty than it needed to fill",
            Self::GoodputCollapse => "as much work as before, hardly any of it for somebody",
        }
    }

    /// As written in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MetastableLoop => "metastable_loop",
            Self::Cascade => "cascade",
            Self::RetryStorm => "retry_storm",
            Self::Sinkhole => "sinkhole",
            Self::ThunderingHerd => "thundering_herd",
            Self::Oscillation => "oscillation",
            Self::SlowDrain => "slow_drain",
            Self::GoodputCollapse => "goodput_collapse",
        }
    }
}

/// What to try first.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Remedy {
    /// In words.
    pub text: String,
    /// A value that does it, as `--set` takes it: path and value. None if it takes more than one value.
    pub set: Option<(String, String)>,
}

/// A mechanism that was at work in a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Diagnosis {
    /// Which.
    pub mechanism: Mechanism,
    /// Where it sits.
    pub entity: String,
    /// Since when, in seconds of simulated time.
    pub since: f64,
    /// The evidence, in a sentence with numbers.
    pub evidence: String,
    /// What to try first.
    pub remedy: Remedy,
}

/// A run that has a state, as the rules look at it.
pub(super) struct Look<'a> {
    pub(super) plan: &'a Plan,
    pub(super) run: &'a Run,
    pub(super) state: VerdictName,
    /// Since when goodput is back, if it is.
    pub(super) back: f64,
}

impl Look<'_> {
    /// Whether some client was harmed by the faults.
    pub(super) fn harmed(&self) -> bool {
        self.state > VerdictName::NeverDisturbed
    }

    /// The start of the first fault and the end of the last, in seconds.
    pub(super) fn faults(&self) -> Option<(f64, f64)> {
        self.plan.schedule.disturbed.map(|(begins, ends)| (begins.as_secs(), ends.as_secs()))
    }

    pub(super) fn end(&self) -> f64 {
        self.plan.schedule.length.as_secs()
    }

    /// The last quarter of the time after the faults, in which the state of what has not recovered is judged.
    pub(super) fn late(&self) -> Option<(f64, f64)> {
        let (_, ends) = self.faults()?;
        (ends < self.end()).then(|| (self.end() - (self.end() - ends) / 4.0, self.end()))
    }

    /// A figure of a window; not a number if there is none.
    pub(super) fn figure(&self, window: &str, entity: &str, metric: &str) -> f64 {
        self.run.value(self.plan, window, entity, metric).unwrap_or(f64::NAN)
    }

    /// The length of a window, in seconds.
    pub(super) fn seconds(&self, window: &str) -> f64 {
        let window = self.plan.schedule.windows.iter().find(|it| it.name == window);
        window.map_or(f64::NAN, |it| (it.until - it.from).as_secs())
    }

    /// The windows of the planned faults, with their bounds in seconds.
    pub(super) fn fault_windows(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let windows = self.plan.schedule.windows.iter().filter(|it| it.name.starts_with("fault:"));
        windows.map(|it| (it.name.as_str(), it.from.as_secs(), it.until.as_secs()))
    }

    /// Those, and the time after them for as long as the harm lasted.
    pub(super) fn harmed_windows(&self) -> Vec<(&str, f64, f64)> {
        let after = self.plan.schedule.windows.iter().filter(|it| it.name == "after" && self.back.is_infinite());
        self.fault_windows().chain(after.map(|it| (it.name.as_str(), it.from.as_secs(), it.until.as_secs()))).collect()
    }

    /// The mean of a time line between two times.
    pub(super) fn mean(&self, entity: &str, metric: &str, (from, until): (f64, f64)) -> f64 {
        super::mean(self.run, entity, metric, from, until)
    }

    /// The steps of a time line that count: start, length, value.
    pub(super) fn steps(&self, entity: &str, metric: &str) -> Vec<(f64, f64, f64)> {
        let warmup = self.plan.schedule.warmup.as_secs();
        let line = self.run.line(entity, metric).unwrap_or_default().into_iter().zip(&self.run.steps);
        line.filter(|((at, _), _)| *at >= warmup).map(|((at, value), step)| (at, *step, value)).collect()
    }

    /// What a queue is before the first fault, and the most that chance makes of it: the mean of its steps, and three standard
    /// deviations and one more than that. None with fewer than two steps.
    pub(super) fn usual(&self, entity: &str, metric: &str) -> Option<(f64, f64)> {
        let (begins, _) = self.faults()?;
        let steps = self.steps(entity, metric);
        let calm: Vec<f64> = steps.iter().take_while(|it| it.0 + it.1 <= begins + 1e-9).map(|it| it.2).collect();
        if calm.len() < 2 {
            return None;
        }
        let mean = calm.iter().sum::<f64>() / calm.len() as f64;
        let variance = calm.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (calm.len() - 1) as f64;
        Some((mean, mean + 3.0 * variance.sqrt() + 1.0))
    }

    /// The services, with their entities.
    pub(super) fn services(&self) -> impl Iterator<Item = (usize, String)> {
        self.plan.services.iter().enumerate().map(|(number, it)| (number, format!("service/{}", it.name)))
    }

    /// The workers of a service, over all instances, if they are limited.
    pub(super) fn workers(&self, service: usize) -> Option<f64> {
        let it = &self.plan.services[service];
        (it.workers != u32::MAX).then(|| f64::from(it.workers) * f64::from(it.replicas))
    }

    /// The edges that requests take, with their entities: not those of probes.
    pub(super) fn edges(&self) -> impl Iterator<Item = (usize, &Edge, String)> {
        let edges = self.plan.edges.iter().enumerate().filter(|(_, edge)| edge.probes.is_none());
        edges.map(|(number, edge)| (number, edge, self.plan.edge_entity(number)))
    }

    /// The edges into a service.
    pub(super) fn into(&self, service: usize) -> impl Iterator<Item = (usize, &Edge, String)> {
        self.edges().filter(move |(_, edge, _)| edge.service as usize == service)
    }

    /// The edges of requests that end up at a service: those into it, and those into its callers.
    pub(super) fn upstream(&self, service: usize) -> Vec<(usize, &Edge, String)> {
        let clients = self.plan.clients.len();
        let mut parts = vec![clients + service];
        let mut next = 0;
        let mut found: Vec<(usize, &Edge, String)> = Vec::new();
        while let Some(&part) = parts.get(next) {
            next += 1;
            for it in self.edges().filter(|(_, edge, _)| clients + edge.service as usize == part) {
                if !parts.contains(&(it.1.caller as usize)) {
                    parts.push(it.1.caller as usize);
                }
                found.push(it);
            }
        }
        found.sort_by_key(|it| it.0);
        found
    }

    /// The share of the work below an entity's callers that is for nobody, weighed by their attempts.
    pub(super) fn wasted(&self, service: usize, span: (f64, f64)) -> f64 {
        let (mut wasted, mut all) = (0.0, 0.0);
        for (_, _, entity) in self.into(service) {
            let attempts = self.mean(&entity, "attempts", span);
            let share = self.mean(&entity, "wasted_share", span);
            if attempts > 0.0 && !share.is_nan() {
                wasted += attempts * share;
                all += attempts;
            }
        }
        if all > 0.0 { wasted / all } else { 0.0 }
    }

    /// The path of the call behind an edge, if it can be told from the plan.
    pub(super) fn path(&self, edge: usize) -> Option<String> {
        let it = &self.plan.edges[edge];
        let called = &self.plan.services[it.service as usize];
        let name = self.plan.part_name(it.caller as usize);
        if (it.caller as usize) < self.plan.clients.len() {
            // A client that `calls` has its policies; one with several tasks has them at each call.
            let alone = self.plan.edges.iter().filter(|other| other.caller == it.caller).count() == 1;
            return alone.then(|| format!("clients.{}.policies", quoted(name)));
        }
        let caller = &self.plan.services[it.caller as usize - self.plan.clients.len()];
        let step = self
            .plan
            .steps
            .iter()
            .position(|step| matches!(step, Step::Call { edge: of, .. } if *of as usize == edge))?;
        let operation = caller.operations.iter().filter(|it| it.entry as usize <= step).max_by_key(|it| it.entry)?;
        let to = &called.operations[it.operation as usize].name;
        Some(format!("services.{}.operations.{}.call[{}.{to}]", quoted(name), quoted(&operation.name), called.name))
    }

    /// A value to be set in a policy of the call behind an edge.
    pub(super) fn set(&self, edge: usize, option: &str, value: &str) -> Option<(String, String)> {
        Some((format!("{}.{option}", self.path(edge)?), value.to_owned()))
    }

    /// A wait in the queue of a service that leaves its caller's patience enough for the service itself, as it was before.
    pub(super) fn shorter_wait(&self, service: usize) -> Option<(String, String)> {
        let limits = self.into(service).flat_map(|(_, edge, _)| edge.layers.iter().filter_map(|layer| layer.limit()));
        let patience = limits.min()?.as_secs();
        let entity = format!("service/{}", self.plan.services[service].name);
        let served = self.figure("before", &entity, "sojourn.p50");
        let wait = if served < patience { (patience - served) / 2.0 } else { patience / 2.0 };
        let path = format!("services.{}.queue.max_wait", quoted(&self.plan.services[service].name));
        Some((path, format!("{}ms", (wait * 1000.0).max(1.0) as u64)))
    }
}

/// Whether a call has a layer of this name.
pub(super) fn has(edge: &Edge, layer: &str) -> bool {
    edge.layers.iter().any(|it| it.name() == layer)
}

/// A name as a segment of a path.
pub(super) fn quoted(name: &str) -> String {
    if name.contains(['.', '[', ']', ' ']) { format!("\"{name}\"") } else { name.to_owned() }
}

/// A number of things: `1 worker`, `2 workers`.
pub(super) fn counted(number: f64, thing: &str) -> String {
    format!("{} {thing}{}", super::brief(number), if number == 1.0 { "" } else { "s" })
}

/// Items with commas and an `and`.
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
