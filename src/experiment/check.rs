//! Finds claims and charts that ask for what does not exist: a metric, an entity, a window, an axis or its value.

mod tune;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::claims::{entity, number, quantity, way_to_write};
use super::numbers::numbers;
use crate::measure::{METRICS, MOST_INSTANCES, Quantity, columns, metric};
use crate::scenario::experiment::{Chart, Claim};
use crate::scenario::source::{Diagnostic, Diagnostics, Named, Place, Spanned, did_you_mean};
use crate::scenario::tree::Node;
use crate::scenario::{Axis, Scenario, matches};
use crate::system::plan::{Plan, Source, What};

/// Checks the claims and charts of an experiment, each against what there is at the first point that its `where` leaves:
/// a breaker, for example, may be there in one variant only. Every point can be built.
pub(super) fn check(scenario: &Scenario, asked: &super::map::Asked, found: &mut Diagnostics) {
    let Some((plan, experiment)) = super::first(scenario) else { return };
    let plan = Rc::new(plan);
    let mut checker = Checker { scenario, plans: BTreeMap::from([(0, plan.clone())]), plan, found };
    for chart in &experiment.charts {
        checker.chart(chart);
    }
    for claim in &experiment.expect {
        checker.claim(claim);
    }
    super::map::check(scenario, &experiment, asked, checker.found);
    if let Some(tune) = &experiment.tune {
        checker.tune(tune);
    }
}

/// Checks the section `tune` alone, against the setting as it is: nothing is built of the grid, which a search has no use for.
pub(super) fn check_tune(scenario: &Scenario, found: &mut Diagnostics) {
    let over = scenario.experiment.tune.as_ref().and_then(|tune| tune.over.as_ref());
    let over = over.and_then(|over| scenario.axes.iter().find(|axis| axis.name == over.axis.value));
    let values: Vec<_> = over.and_then(|axis| axis.values.first()).into_iter().collect();
    let Some((plan, experiment)) = scenario.plan_with(&values, found) else { return };
    let plan = Rc::new(plan);
    let mut checker = Checker { scenario, plans: BTreeMap::new(), plan, found };
    if let Some(tune) = &experiment.tune {
        checker.tune(tune);
    }
}

struct Checker<'a> {
    scenario: &'a Scenario,
    /// Those of the points against which was checked.
    plans: BTreeMap<usize, Rc<Plan>>,
    /// That of the point against which is checked.
    plan: Rc<Plan>,
    found: &'a mut Diagnostics,
}

impl<'a> Checker<'a> {
    fn error(&mut self, place: Place, what: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error(place, what).help(help));
    }

    fn go_to(&mut self, filter: &Named<Node>) {
        let scenario = self.scenario;
        let meant =
            (0..scenario.count()).find(|&number| matches(scenario, &scenario.point(number), filter)).unwrap_or(0);
        if !self.plans.contains_key(&meant)
            && let Some((plan, _)) = scenario.plan(&scenario.point(meant), &mut Diagnostics::new())
        {
            self.plans.insert(meant, Rc::new(plan));
        }
        self.plan = self.plans.get(&meant).unwrap_or(&self.plans[&0]).clone();
    }

    fn chart(&mut self, chart: &Spanned<Chart>) {
        let place = chart.place;
        self.go_to(chart.filter());
        match &chart.value {
            Chart::Timeline(it) => {
                self.figures(place, &it.of, &it.metric, true);
                self.by(it.by.as_ref());
            }
            Chart::Load(it) => {
                self.figure(place, it.of.as_ref(), "goodput", true);
            }
            Chart::Latency(it) => {
                self.figure(place, it.of.as_ref(), "latency.p50", true);
            }
            Chart::Breakers(_) => {}
            Chart::Distribution(it) => {
                // Whose latencies have a time line has a distribution of them too: clients.
                self.figure(place, it.of.as_ref(), "latency.p50", true);
                self.by(it.by.as_ref());
            }
            Chart::Bars(it) => {
                self.figures(place, &it.of, &it.metric, false);
                self.window(it.window.as_ref());
                self.by(it.by.as_ref());
            }
            Chart::Curve(it) => {
                self.figures(place, it.of.as_slice(), &it.metric, false);
                self.window(it.window.as_ref());
                self.by(it.by.as_ref());
                if let Some(axis) = self.axis(&it.over) {
                    self.is_whole(&it.over, axis);
                    if numbers(axis).is_none() {
                        let what = format!("the values of `{}` are not all numbers in one unit", axis.name);
                        self.error(it.over.place, what, "`bars` shows a metric across any axis");
                    }
                }
                self.differ(it.by.as_ref(), &it.over);
            }
            Chart::Heat(it) => {
                self.figures(place, it.of.as_slice(), &it.metric, false);
                self.window(it.window.as_ref());
                for name in [&it.x, &it.y] {
                    if let Some(axis) = self.axis(name) {
                        self.is_whole(name, axis);
                    }
                }
                self.differ(Some(&it.x), &it.y);
                let quantity = metric(&it.metric.value).map_or(Quantity::Count, |it| it.quantity);
                for level in &it.contour {
                    if number(level, quantity).is_none_or(f64::is_infinite) {
                        self.error(level.place, "this cannot be a level", way_to_write(quantity));
                    }
                }
            }
            Chart::Hysteresis(it) => {
                self.rises_and_falls(place);
                self.figures(place, it.of.as_slice(), &it.metric, true);
                match &it.against {
                    Some(against) => self.figures(against.place, it.of.as_slice(), against, true),
                    None => self.figure(place, it.of.as_ref(), "offered", true),
                }
            }
            Chart::Spread(it) => {
                self.figures(place, it.of.as_slice(), &it.metric, false);
                self.window(it.window.as_ref());
                self.by(it.by.as_ref());
            }
            Chart::Flow(it) => self.window(it.window.as_ref()),
            Chart::Replicas(it) => self.replicas(&it.of),
        }
        self.filter(chart.filter());
    }

    fn claim(&mut self, claim: &Spanned<Claim>) {
        let bounds: Vec<&Node> = [&claim.at_most, &claim.at_least, &claim.equals].into_iter().flatten().collect();
        if bounds.is_empty() {
            self.error(claim.place, "a claim without a bound", "give `at_most`, `at_least` or `equals`");
        }
        for bound in bounds {
            if number(bound, quantity(claim)).is_none() {
                self.error(bound.place, "this cannot be a bound", way_to_write(quantity(claim)));
            }
        }
        self.filter(&claim.filter);
        self.go_to(&claim.filter);
        if let Some(base) = &claim.relative_to {
            self.filter(base);
        }
        match (&claim.metric, claim.verdict) {
            (Some(name), None) => {
                self.figures(claim.place, claim.of.as_slice(), name, false);
                self.window(claim.window.as_ref());
            }
            (None, Some(_)) => {
                if let Some(exactly) = &claim.equals
                    && number(exactly, quantity(claim)).is_some_and(|it| it > 0.0 && it < 1.0)
                {
                    let what = "of a share of runs only all (`100%`) or none (`0%`) can be claimed exactly";
                    self.error(exactly.place, what, "give `at_least` and `at_most`");
                }
            }
            _ => self.error(claim.place, "a claim is about a `metric` or a `verdict`", "give one of the two"),
        }
    }

    /// A metric that is named, of entities that are named or of the only client.
    fn figures(&mut self, place: Place, of: &[Spanned<String>], name: &Spanned<String>, in_time: bool) {
        if metric(&name.value).is_none() {
            let help = match did_you_mean(&name.value, METRICS.iter().map(|it| it.name)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`blackstart list metrics` shows them".to_owned(),
            };
            self.error(name.place, format!("`{}`: no metric has this name", name.value), help);
        } else if of.is_empty() {
            self.figure(if self.plan.clients.len() == 1 { name.place } else { place }, None, &name.value, in_time);
        } else {
            for one in of {
                self.figure(place, Some(one), &name.value, in_time);
            }
        }
    }

    /// A metric of an entity, in windows or on a time line.
    fn figure(&mut self, place: Place, of: Option<&Spanned<String>>, name: &str, in_time: bool) {
        let Some(entity) = entity(of, &self.plan) else {
            self.error(place, "of which client?", "there are several: say `of: client/<name>`");
            return;
        };
        let columns = columns(&self.plan, in_time);
        if !columns.iter().any(|column| column.entity == entity && column.metric == name) {
            let help = match did_you_mean(&entity, columns.iter().map(|column| column.entity.as_str())) {
                Some(meant) if meant != entity => format!("did you mean `{meant}`?"),
                _ => "`blackstart list metrics` shows which entities have it".to_owned(),
            };
            let over_time = if in_time { " over time" } else { "" };
            let what = format!("`{entity}` has no metric `{name}`{over_time}");
            self.error(of.map_or(place, |of| of.place), what, help);
        }
    }

    fn window(&mut self, window: Option<&Spanned<String>>) {
        let plan = self.plan.clone();
        let windows = &plan.schedule.windows;
        if let Some(window) = window
            && !windows.iter().any(|known| known.name == window.value)
        {
            let known: Vec<&str> = windows.iter().map(|known| known.name.as_str()).collect();
            let what = format!("`{}`: no window has this name", window.value);
            self.error(window.place, what, format!("there are: {}", known.join(", ")));
        }
    }

    /// Some client's load changes while it runs: else there is nothing to rise and fall but luck.
    fn rises_and_falls(&mut self, place: Place) {
        let steady = |source: &Source| match source {
            Source::Open { load, .. } => load.is_empty(),
            Source::Closed { .. } => true,
            _ => false,
        };
        let surges = self.plan.faults.iter().any(|fault| matches!(fault.what, What::Surge { .. }));
        if !surges && self.plan.clients.iter().all(|client| steady(&client.source)) {
            let help = "give a client `load: [ ramp: … ]`, up and then down";
            self.found
                .push(Diagnostic::warning(place, "no load rises and falls: its curves show luck alone").help(help));
        }
    }

    /// A service whose replicas are told apart.
    fn replicas(&mut self, of: &Spanned<String>) {
        let plan = self.plan.clone();
        let name = |it: &crate::system::plan::Service| format!("service/{}", it.name);
        let Some(service) = plan.services.iter().find(|it| name(it) == of.value) else {
            let names: Vec<String> = plan.services.iter().map(name).collect();
            let help = match did_you_mean(&of.value, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are: {}", names.join(", ")),
            };
            self.error(of.place, format!("`{}`: no service has this name", of.value), help);
            return;
        };
        if service.replicas > MOST_INSTANCES {
            let what = format!("`{}` has {} replicas, too many to tell apart", of.value, service.replicas);
            self.error(
                of.place,
                what,
                format!("at most {MOST_INSTANCES} are; `timeline` shows metrics of the service"),
            );
        }
    }

    /// An axis whose values are combined with all others, and not drawn together with those of other axes.
    fn is_whole(&mut self, name: &Spanned<String>, axis: &Axis) {
        if axis.drawn && self.scenario.axes.iter().filter(|it| it.drawn).count() > 1 {
            let what =
                format!("`{}` is drawn by `sample` together with others: no two points differ in it alone", axis.name);
            self.error(name.place, what, "leave `sample` out, and give its range `steps`");
        }
    }

    fn differ(&mut self, one: Option<&Spanned<String>>, other: &Spanned<String>) {
        if one.is_some_and(|one| one.value == other.value) {
            self.error(other.place, format!("`{}` stands for two axes", other.value), "name two different ones");
        }
    }

    fn by(&mut self, axis: Option<&Spanned<String>>) {
        if let Some(axis) = axis {
            self.axis(axis);
        }
    }

    /// Axes and their values, as in `where`.
    fn filter(&mut self, filter: &Named<Node>) {
        for (name, value) in filter.iter() {
            if let Some(axis) = self.axis(name)
                && !axis.values.iter().any(|known| value.is_labelled(&known.label))
            {
                let known: Vec<&str> = axis.values.iter().map(|value| value.label.as_str()).collect();
                let what = format!("the axis `{}` has no value {}", axis.name, value.label());
                self.error(value.place, what, format!("it has: {}", known.join(", ")));
            }
        }
    }

    fn axis(&mut self, name: &Spanned<String>) -> Option<&'a Axis> {
        let axes = &self.scenario.axes;
        let axis = axes.iter().find(|axis| axis.name == name.value);
        if axis.is_none() {
            let known: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
            let help = match did_you_mean(&name.value, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.is_empty() => "nothing is varied".to_owned(),
                None => format!("the axes are: {}", known.join(", ")),
            };
            self.error(name.place, format!("`{}`: no axis has this name", name.value), help);
        }
        axis
    }
}
