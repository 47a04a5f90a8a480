//! Charts of the parts of a system: what flows between them, and how the replicas of one fare.

use std::io;

use super::super::chart::{Arrow, Flow, Kind, Part, Strip, StripState};
use super::{Source, Unit, cells, mean, shades, time_axis};
use crate::experiment::PointResult;
use crate::measure::{Life, LifeStrip};
use crate::scenario::experiment as spec;
use crate::system::plan::Plan;

/// Workers of a service that is calm are busy for less than this share of the time, and of one that is not full for less than the other.
const BUSY: f64 = 0.7;
const FULL: f64 = 0.95;

/// Attempts for each request, over the parts.
pub(super) fn flow(source: &Source, wanted: &spec::Chart, window: &str) -> io::Result<Kind> {
    let number = cells(source.scenario, wanted).first().map(|cell| cell.1);
    let point = number.map(|number| (source.point)(number)).transpose()?;
    let (parts, arrows) =
        point.map_or_else(Default::default, |point| (of_parts(&point, window), calls(&point, window)));
    Ok(Kind::Flow(Flow {
        parts,
        arrows,
        meaning: "attempts for each request of a client".into(),
        legend: ["busy below 70%".into(), "busy 95% or more".into(), "busy 70% to 95%".into()],
    }))
}

/// The parts, with what they are made of, and an arrow for each that calls another, with the policies of its calls; and the topics, between
/// those who publish and those who consume.
pub(super) fn topology(plan: &Plan) -> Kind {
    let many = |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let clients = plan.clients.iter().map(|client| (client.name.clone(), String::new()));
    let services = plan.services.iter().map(|service| {
        let workers = (service.workers != u32::MAX).then(|| many(service.workers, "worker"));
        let note = match (service.replicas, workers) {
            (1, Some(workers)) => workers,
            (1, None) => String::new(),
            (replicas, Some(workers)) => format!("{replicas} x {workers}"),
            (replicas, None) => many(replicas, "replica"),
        };
        (service.name.clone(), note)
    });
    let topics = plan.topics.iter().map(|topic| {
        let note = topic.partitions.map_or_else(|| "topic".to_owned(), |partitions| many(partitions, "partition"));
        (topic.name.clone(), note)
    });
    let parts = clients.chain(services).chain(topics).map(|(name, note)| Part { name, note, state: None });
    let mut arrows: Vec<Arrow> = Vec::new();
    for (topic, at) in plan.topics.iter().zip(plan.parts()..) {
        let arrow = |from: usize, to: usize, label: &str| Arrow { from, to, weight: f64::NAN, label: label.to_owned() };
        arrows.extend(topic.publishers.iter().map(|&part| arrow(part as usize, at, "")));
        arrows.extend(topic.groups.iter().map(|&group| arrow(at, plan.groups[group as usize].client as usize, "")));
    }
    for group in &plan.groups {
        if let Some(topic) = group.dead_letter {
            let to = plan.parts() + topic as usize;
            arrows.push(Arrow { from: group.client as usize, to, weight: f64::NAN, label: "dead".to_owned() });
        }
    }
    for edge in plan.edges.iter().filter(|edge| edge.probes.is_none()) {
        let (from, to) = (edge.caller as usize, plan.clients.len() + edge.service as usize);
        let label = edge.layers.iter().map(|layer| layer.name().replace('_', " ")).collect::<Vec<_>>().join(", ");
        match arrows.iter_mut().find(|arrow| (arrow.from, arrow.to) == (from, to)) {
            // Calls with other policies of their own: which has which does not fit on an arrow.
            Some(arrow) if arrow.label != label => arrow.label = "several".to_owned(),
            Some(_) => {}
            None => arrows.push(Arrow { from, to, weight: f64::NAN, label }),
        }
    }
    let legend = [String::new(), String::new(), String::new()];
    Kind::Flow(Flow { parts: parts.collect(), arrows, meaning: String::new(), legend })
}

fn of_parts(point: &PointResult, window: &str) -> Vec<Part> {
    let clients = point.plan.clients.iter().map(|client| {
        let (offered, ..) = mean(point, window, &format!("client/{}", client.name), "offered");
        let note = if offered.is_nan() { String::new() } else { format!("{}/s", Unit::PerSecond.show(offered)) };
        Part { name: client.name.clone(), note, state: None }
    });
    let services = point.plan.services.iter().map(|service| {
        // Not a number without a limit on workers.
        let (busy, ..) = mean(point, window, &format!("service/{}", service.name), "utilisation");
        let state = match busy {
            busy if busy.is_nan() => None,
            busy if busy < BUSY => Some(StripState::Good),
            busy if busy < FULL => Some(StripState::Between),
            _ => Some(StripState::Bad),
        };
        let note = if busy.is_nan() { String::new() } else { format!("busy {}", whole(busy)) };
        Part { name: service.name.clone(), note, state }
    });
    clients.chain(services).collect()
}

/// A share in whole percent, which is as much as a box has room for.
fn whole(share: f64) -> String {
    Unit::Share.show((share * 100.0).round() / 100.0)
}

/// One arrow for all calls from a part to another. Probes are no calls for anybody's request.
fn calls(point: &PointResult, window: &str) -> Vec<Arrow> {
    let plan = &point.plan;
    let mut arrows: Vec<Arrow> = Vec::new();
    for edge in plan.edges.iter().filter(|edge| edge.probes.is_none()) {
        let (attempts, ..) = mean(point, window, &format!("edge/{}", edge.name), "calls_per_request");
        let (from, to) = (edge.caller as usize, plan.clients.len() + edge.service as usize);
        match arrows.iter_mut().find(|arrow| (arrow.from, arrow.to) == (from, to)) {
            Some(arrow) => arrow.weight += attempts,
            None => arrows.push(Arrow { from, to, weight: attempts, label: String::new() }),
        }
    }
    for arrow in &mut arrows {
        arrow.label = Unit::Factor.show(rounded(arrow.weight));
    }
    arrows
}

/// To two digits, or to a whole number: the last digits of a mean over few seeds say nothing.
fn rounded(value: f64) -> f64 {
    let step = if value.abs() < 1.0 { 100.0 } else { 10.0 };
    if value.abs() >= 100.0 { value.round() } else { (value * step).round() / step }
}

/// The states of the replicas of a service.
pub(super) fn replicas(source: &Source, wanted: &spec::Chart, of: &str) -> io::Result<Kind> {
    let number = cells(source.scenario, wanted).first().map(|cell| cell.1);
    let point = number.map(|number| (source.point)(number)).transpose()?;
    Ok(Kind::Strips {
        rows: point.as_ref().map_or_else(Vec::new, |point| strips(point, of)),
        shades: shades(point.as_ref()),
        x: time_axis(),
        strip_legend: ["up".into(), "down, or paused".into(), "starting".into()],
    })
}

fn strips(point: &PointResult, of: &str) -> Vec<Strip> {
    let end = point.plan.schedule.length.as_secs();
    let lives = point.runs.first().map_or(&[][..], |run| &run.lives);
    let state = |life: Life| match life {
        Life::Up => StripState::Good,
        Life::Starting => StripState::Between,
        Life::Down | Life::Paused => StripState::Bad,
    };
    let strip = |it: &LifeStrip| {
        let until = it.moves.iter().skip(1).map(|it| it.0).chain([end]);
        let spans = it.moves.iter().zip(until).map(|(&(from, life), to)| (from, to, state(life)));
        Strip {
            name: it.entity.trim_start_matches("instance/").to_owned(),
            spans: spans.filter(|it| it.1 > it.0).collect(),
        }
    };
    let service = of.trim_start_matches("service/");
    let own = |it: &&LifeStrip| {
        let name = it.entity.trim_start_matches("instance/").rsplit_once('/');
        name.is_some_and(|(name, _)| name == service)
    };
    lives.iter().filter(own).map(strip).collect()
}
