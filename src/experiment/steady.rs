//! A system in its everyday life: nothing is done to it, and its load does not change.
//!
//! Then there is a mean that a longer run would come closer to, and two things can be said that make no sense of an outage: how sure that
//! mean is, also from a single run (batch means), and whether the warm-up that the file gives is long enough (MSER).

use serde::{Deserialize, Serialize};

use super::statistics::{Summary, digits, series};
use crate::measure::{Quantity, Run};
use crate::system::plan::{Plan, Source};

/// What can be said of a point at which nothing is done to the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// For each client: its entity, its goodput, and whether the interval is that of batches of one run.
    pub goodput: Vec<(String, Summary, bool)>,
    /// A warm-up that is clearly too short.
    pub warmup: Option<TooShort>,
}

/// A time line that is still on its way when the given warm-up ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TooShort {
    /// Whose.
    pub entity: String,
    /// Of what.
    pub metric: String,
    /// The warm-up given, in seconds.
    pub given: f64,
    /// Where MSER finds its end, in seconds.
    pub found: f64,
    /// Its mean in between, as a share of its mean after that.
    pub early: f64,
    /// The mean over all that counts, as a share of the same.
    pub all: f64,
}

/// Batches of a single run.
const BATCHES: usize = 20;

/// By how many standard errors what comes between the given warm-up and the one found must differ from the rest: there are a few series at
/// each point, and many points in the life of a program that must not cry wolf.
const CLEAR: f64 = 5.0;

/// By how much the mean of what counts must be off: less matters to nobody.
const MATTERS: f64 = 0.02;

impl Steady {
    /// What can be said of a point. Nothing if there are faults, if loads change, or if arrivals are those of a file.
    pub(super) fn of(plan: &Plan, runs: &[Run]) -> Self {
        let even = |source: &Source| match source {
            Source::Open { load, .. } => load.is_empty(),
            Source::Closed { start_every, .. } => start_every.is_zero(),
            // As even as those who publish.
            Source::Topic(_) => true,
            Source::Replay(_) | Source::Fleet(_) => false,
        };
        let stopped = runs.iter().any(|run| run.stopped.is_some());
        if stopped || !plan.faults.is_empty() || !plan.clients.iter().all(|client| even(&client.source)) {
            return Self::default();
        }
        let clients = plan.clients.iter().map(|client| format!("client/{}", client.name));
        let goodput = clients.clone().filter_map(|entity| {
            let value = |run: &Run| run.value(plan, "all", &entity, "goodput").unwrap_or(f64::NAN);
            let over_seeds = Summary::of(&runs.iter().map(value).collect::<Vec<_>>());
            let [one] = runs else { return Some((entity, over_seeds, false)) };
            let warmup = plan.schedule.warmup.as_secs();
            let line: Vec<f64> =
                one.line(&entity, "goodput")?.into_iter().filter(|it| it.0 >= warmup).map(|it| it.1).collect();
            Some((entity, series::batch_means(&line, BATCHES)?, true))
        });
        let services = plan.services.iter().map(|service| format!("service/{}", service.name));
        let lines = clients.clone().flat_map(|entity| [(entity.clone(), "goodput"), (entity, "latency.mean")]);
        let lines = lines.chain(services.flat_map(|entity| [(entity.clone(), "busy.mean"), (entity, "queue.mean")]));
        let found = lines.filter_map(|(entity, metric)| too_short(plan, runs, entity, metric));
        let longest = found.reduce(|a, b| if b.found > a.found { b } else { a });
        Self { goodput: goodput.collect(), warmup: longest }
    }

    /// The same in words, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let goodput = self.goodput.iter().filter(|(_, value, _)| value.n > 1).map(|(entity, value, batches)| {
            let over = if *batches { format!("one run in {} batches", value.n) } else { format!("{} seeds", value.n) };
            format!("goodput of {entity}: {} ({over})", digits::plus_minus(value, Quantity::PerSecond))
        });
        let warmup = self.warmup.as_ref().map(|it| {
            let percent = |share: f64| {
                let way = if share < 1.0 { "less" } else { "more" };
                format!("{} % {way}", super::brief((share - 1.0).abs() * 100.0))
            };
            format!(
                "warning: the warm-up of {}s seems too short: until {}s the {} of {} is {} than later, so that its mean is {} (MSER; \
                 `warmup: {}s` leaves that out)",
                it.given,
                super::brief(it.found),
                it.metric,
                it.entity,
                percent(it.early),
                percent(it.all),
                super::brief(it.found),
            )
        });
        goodput.chain(warmup).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Whether the mean over the runs of a time line has clearly not settled when the warm-up ends.
fn too_short(plan: &Plan, runs: &[Run], entity: String, metric: &'static str) -> Option<TooShort> {
    let given = plan.schedule.warmup.as_secs();
    let mut lines = runs.iter().filter_map(|run| run.line(&entity, metric));
    let first = lines.next()?;
    let times: Vec<f64> = first.iter().map(|it| it.0).collect();
    let mut line: Vec<f64> = first.iter().map(|it| it.1).collect();
    for other in lines {
        line.iter_mut().zip(other).for_each(|(sum, it)| *sum += it.1);
    }
    line.iter_mut().for_each(|sum| *sum /= runs.len() as f64);
    let cut = series::mser(&line)?;
    let from = times.iter().position(|&time| time >= given)?;
    if cut <= from {
        return None;
    }
    let (early, rest) = (&line[from..cut], &line[cut..]);
    let later = series::batch_means(rest, BATCHES)?;
    // The error of a mean of as many batches as fit into the early part.
    let batches = early.len() as f64 / (rest.len() as f64 / BATCHES as f64);
    let error = later.sd * (1.0 / batches + 1.0 / BATCHES as f64).sqrt();
    let off = (mean(early) - later.mean).abs();
    let (early, all) = (mean(early) / later.mean, mean(&line[from..]) / later.mean);
    let clear = later.mean > 0.0 && off > CLEAR * error && (all - 1.0).abs() > MATTERS;
    clear.then(|| TooShort { entity, metric: metric.to_owned(), given, found: times[cut], early, all })
}
