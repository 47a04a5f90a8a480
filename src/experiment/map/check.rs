//! Finds what is wrong with a `map`: an axis that is not there or no range, and claims on what does not exist.

use super::Asked;
use crate::scenario::Scenario;
use crate::scenario::experiment::Experiment;
use crate::scenario::map::{Claim, Spec};
use crate::scenario::source::{Diagnostic, Diagnostics, Place, Spanned, did_you_mean};
use crate::system::plan::Plan;

/// How closely can be looked.
const WITHIN: std::ops::RangeInclusive<f64> = 0.0001..=0.5;

/// The section of a file, if it has one.
pub(in crate::experiment) fn check(
    scenario: &Scenario,
    experiment: &Experiment,
    asked: &Asked,
    found: &mut Diagnostics,
) {
    let Some(map) = &experiment.map else { return };
    let Spec { along, within, recovers, .. } = &map.value;
    if along.is_some() || asked.along.is_none() {
        find(scenario, along.as_ref().map(|it| (it.value.as_str(), it.place)), map.place, found);
    }
    if let Some(within) = within
        && !WITHIN.contains(&within.0)
    {
        let help = "give a share of the value between `0.01%` and `50%`";
        found.push(
            Diagnostic::error(within.place, "an edge cannot be looked for this closely, or this loosely").help(help),
        );
    }
    if let Some(recovers) = recovers
        && recovers.value.is_empty()
    {
        let help = "name the verdicts, e.g. `[ never_disturbed, recovered ]`";
        found.push(Diagnostic::error(recovers.place, "nothing counts as having come back").help(help));
    }
    if let Some(axis) = super::along(scenario, experiment, asked) {
        map.expect.iter().for_each(|it| claim(scenario, axis, it, found));
    }
}

/// Coming back is from something, to something: without that, no run could be judged.
pub(super) fn disturbed(plan: &Plan, found: &mut Diagnostics) {
    let schedule = &plan.schedule;
    let (what, help) = match schedule.disturbed {
        None => ("no fault has times that are planned", "give the experiment one, with `at` and `for`"),
        Some((_, ends)) if ends >= schedule.length => (
            "a fault lasts to the end: nothing can come back from it",
            "give it a `for`, and the run some time after it",
        ),
        Some((begins, _)) if begins <= schedule.warmup => {
            ("the faults leave no time before them: there is nothing to come back to", "begin them after the `warmup`")
        }
        Some(_) => return,
    };
    found.push(
        Diagnostic::error(Place::NOWHERE, format!("a map shows where a system comes back, and {what}")).help(help),
    );
}

/// What the command line asks for, together with what the file says.
pub(super) fn asked(scenario: &Scenario, experiment: &Experiment, asked: &Asked, found: &mut Diagnostics) {
    // The section of the file, if there is one, was checked.
    if asked.along.is_some() || experiment.map.is_none() {
        find(scenario, asked.along.as_deref().map(|it| (it, Place::NOWHERE)), Place::NOWHERE, found);
    }
    if asked.within.is_some_and(|within| !WITHIN.contains(&within)) {
        let help = "give a share of the value between `0.01%` and `50%`";
        found.push(
            Diagnostic::error(Place::NOWHERE, "`--within`: an edge cannot be looked for this closely, or this loosely")
                .help(help),
        );
    }
    // The claims are about the axis of the file.
    if let Some((asked, written)) = asked.along.as_ref().zip(experiment.map.as_ref().and_then(|map| map.along.as_ref()))
        && *asked != written.value
        && !experiment.map.as_ref().is_some_and(|map| map.expect.is_empty())
    {
        let what = format!("`--along {asked}`, and claims that are about `{}`", written.value);
        found.push(Diagnostic::error(Place::NOWHERE, what).help("leave them out: `--set 'map.expect=[]'`"));
    }
}

/// The axis along which is searched, which must be a range.
fn find(scenario: &Scenario, along: Option<(&str, Place)>, place: Place, found: &mut Diagnostics) {
    let mut error = |place: Place, what: String, help: String| found.push(Diagnostic::error(place, what).help(help));
    let ranges: Vec<&str> =
        scenario.axes.iter().filter(|axis| axis.is_range()).map(|axis| axis.name.as_str()).collect();
    if let Some(sample) = &scenario.experiment.sample {
        let help = "leave `sample` out: the ranges then have steps, and one of them is searched";
        return error(sample.place, "a map of points that are drawn".to_owned(), help.to_owned());
    }
    let Some((name, place)) = along else {
        return match ranges[..] {
            [name] => wide(scenario, name, place, found),
            [] => error(
                place,
                "no axis is a range, along which a boundary could be looked for".to_owned(),
                "give one in `vary`: `load: { path: …, from: 10/s, to: 100/s }`".to_owned(),
            ),
            _ => error(
                place,
                "there are several ranges along which to look".to_owned(),
                format!("say which with `along` (`--along` on the line): {}", ranges.join(", ")),
            ),
        };
    };
    match scenario.axes.iter().find(|axis| axis.name == name) {
        Some(axis) if axis.is_range() => wide(scenario, name, place, found),
        Some(_) => error(
            place,
            format!("`{name}` is a list of values, and nothing lies between them"),
            "give it `from` and `to`, or look along another axis".to_owned(),
        ),
        None => {
            let help = match did_you_mean(name, ranges.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if ranges.is_empty() => "no axis is a range: give one `from` and `to`".to_owned(),
                None => format!("the ranges are: {}", ranges.join(", ")),
            };
            error(place, format!("`{name}`: no axis has this name"), help);
        }
    }
}

/// A range along which is searched has two ends. What is wrong is shown at its end, if it is in a file.
fn wide(scenario: &Scenario, name: &str, place: Place, found: &mut Diagnostics) {
    let Some(axis) = scenario.axes.iter().find(|axis| axis.name == name && axis.number(0.0) == axis.number(1.0)) else {
        return;
    };
    let value = axis.at(0.0).map_or_else(String::new, |it| it.label);
    let written = scenario.experiment.vary.iter().find(|(key, _)| key.value.ends_with(name));
    let place = written.and_then(|(_, vary)| vary.to.as_ref()).map_or(place, |to| to.place);
    found.push(
        Diagnostic::error(place, format!("the range `{name}` begins and ends at {value}: nothing lies between"))
            .help("give it an end at which the system does not come back, or look along another axis"),
    );
}

fn claim(scenario: &Scenario, along: usize, claim: &Spanned<Claim>, found: &mut Diagnostics) {
    let mut error = |place: Place, what: String, help: String| found.push(Diagnostic::error(place, what).help(help));
    let bounds: Vec<_> = [&claim.at_least, &claim.at_most].into_iter().flatten().collect();
    if bounds.is_empty() != claim.everywhere.is_some() {
        let what = "a claim on a map is a bound of the boundary, or what happens everywhere";
        error(claim.place, what.to_owned(), "give `at_least` and `at_most`, or `everywhere`".to_owned());
    }
    let axis = &scenario.axes[along];
    for bound in bounds.into_iter().filter(|bound| axis.read(bound).is_none()) {
        let what = format!("{} is no value of the range `{}`", bound.label(), axis.name);
        error(
            bound.place,
            what,
            format!("write it as its ends are: {}", axis.at(0.0).map_or_else(String::new, |it| it.label)),
        );
    }
    for (name, value) in claim.filter.iter() {
        let others: Vec<_> =
            scenario.axes.iter().enumerate().filter(|(number, _)| *number != along).map(|it| it.1).collect();
        let Some(other) = others.iter().find(|it| it.name == name.value) else {
            let known: Vec<&str> = others.iter().map(|it| it.name.as_str()).collect();
            let (what, help) = if name.value == axis.name {
                let what = format!("`{}` is the axis along which the boundary is looked for", axis.name);
                (what, "give `at_least` and `at_most`; `where` chooses rows, by the other axes".to_owned())
            } else {
                let help = match did_you_mean(&name.value, known.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None if known.is_empty() => "the map has one row".to_owned(),
                    None => format!("the other axes are: {}", known.join(", ")),
                };
                (format!("`{}`: no axis has this name", name.value), help)
            };
            error(name.place, what, help);
            continue;
        };
        if !other.values.iter().any(|it| value.is_labelled(&it.label)) {
            let known: Vec<&str> = other.values.iter().map(|it| it.label.as_str()).collect();
            let what = format!("the axis `{}` has no value {}", other.name, value.label());
            error(value.place, what, format!("it has: {}", known.join(", ")));
        }
    }
}
