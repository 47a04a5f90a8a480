//! Specs become a plan: names become numbers, and every mistake that only the whole can show is found.
//!
//! Nothing here stops at the first mistake. A part with a mistake is left out or stood in for, so that what follows
//! can be looked at too; the plan is handed out only if nothing was wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::distribution::{self, whole_unless};
use super::experiment::{Experiment, Fault, Flush, LinkFault, Partition};
use super::model::{self, Client, Load, Model};
use super::source::{Diagnostic, Diagnostics, Named, Place, Spanned, did_you_mean};
use super::units::{Share, Span};
use crate::admission::idempotency;
use crate::engine::{Dist, Duration, Time};
use crate::measure;
use crate::outcome::Outcome;
use crate::policy::{self, Blueprint, When, Written};
use crate::system::plan::{
    self, Cancel, Edge, Gaps, Limits, Link, Operation, Plan, Schedule, Service, Slowdown, Source, Step, Timing, What,
    Which, Window,
};
use crate::system::{cache, fleet, keys, memory, replication, topic};

/// Programs longer than this, after `repeat` is written out, are mistakes.
const MOST_STEPS: usize = 2_000_000;
/// Instances of all parts together.
const MOST_INSTANCES: u64 = 1_000_000;

/// Pairs of a caller instance and a replica that it calls, over all calls that are written.
const MOST_PAIRS: u64 = 100_000_000;
/// Users of a closed loop.
const MOST_USERS: u32 = 10_000_000;
/// Partitions of a topic.
const MOST_PARTITIONS: u32 = 100_000;
/// Messages that an instance processes at once.
const MOST_AT_ONCE: u32 = 1_000_000;
/// Runs at each point.
const MOST_SEEDS: u32 = 1_000_000;
/// Steps of a time line.
const MOST_BUCKETS: u64 = 1_000_000;

/// Builds the plan of a model and an experiment. Adds what it finds to `found`; [`None`] if there is an error.
pub fn build(model: &Model, experiment: &Experiment, found: &mut Diagnostics) -> Option<Plan> {
    let mut builder = Builder {
        model,
        found,
        plan: Plan::default(),
        targets: Vec::new(),
        timeouts: Vec::new(),
        stacks: Vec::new(),
        zones: Vec::new(),
        lookups: Vec::new(),
    };
    builder.parts();
    builder.lists();
    builder.caches();
    builder.topics();
    builder.clients();
    builder.services();
    builder.links();
    builder.cycles();
    builder.inversions();
    builder.idle();
    builder.unused();
    builder.wait_for_themselves();
    builder.pairs();
    builder.waits_for_ever();
    builder.balancers();
    builder.messages();
    builder.schedule(experiment);
    builder.faults(experiment);
    builder.windows(experiment);
    builder.limits(experiment);
    let plan = builder.plan;
    (!found.has_errors()).then_some(plan)
}

struct Builder<'a> {
    model: &'a Model,
    found: &'a mut Diagnostics,
    plan: Plan,
    /// For each edge, where its target is written, and the operation (of its part) that it is written in.
    targets: Vec<(Place, Option<usize>)>,
    /// For each edge, the tightest timeout around it, and where that is written.
    timeouts: Vec<Option<(Duration, Place)>>,
    /// The policies around each call that has some, and whether it may be repeated without harm.
    stacks: Vec<(Vec<Spanned<Written>>, bool)>,
    /// The names of the zones, in the order of their numbers.
    zones: Vec<String>,
    /// Lookups in caches: the step, and where it is written.
    lookups: Vec<(usize, Place)>,
}

/// Steps of a time line if nobody says otherwise, in long runs: more than a chart can show, and little to keep.
const USUAL_BUCKETS: u64 = 1_000;

/// A second; in runs of more than a thousand, the next of 2, 5, 10, 20, 50, … seconds that makes no more steps.
fn usual_resolution(length: Time) -> Duration {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = Duration::from_secs(factor * power);
            if length.nanos().div_ceil(step.nanos()) <= USUAL_BUCKETS {
                return step;
            }
        }
        power *= 10;
    }
}

fn time(span: Span) -> Time {
    Time::ZERO + span.0
}

/// Weights whose sum cannot leave the range of floating point.
fn is_weight(value: f64) -> bool {
    (0.0..=1e9).contains(&value)
}

/// What names are made of.
fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

fn positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl Builder<'_> {
    fn error(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error(place, message).help(help));
    }

    /// Names that belong to nobody else, and instances that fit.
    fn parts(&mut self) {
        for (name, _) in self.model.services.iter() {
            if let Some((client, _)) = self.model.clients.iter().find(|(client, _)| client.value == name.value) {
                let message = format!("`{}` is the name of a client and of a service", name.value);
                let diagnostic = Diagnostic::error(client.place, message).also(name.place, "the service");
                self.found.push(diagnostic.help("links and charts name parts: give one of the two another name"));
            }
        }
        for (name, _) in
            self.model.services.iter().map(|(n, _)| (n, ())).chain(self.model.clients.iter().map(|(n, _)| (n, ())))
        {
            if name.value.is_empty() || !name.value.chars().all(is_plain) {
                self.error(
                    name.place,
                    format!("`{}` cannot be the name of a part", name.value),
                    "use letters, digits, `_` and `-`",
                );
            }
        }
        if self.model.clients.is_empty() {
            self.error(Place::NOWHERE, "the model has no clients: nothing would happen", "add a section `clients:`");
        }
        let services: u64 = self.model.services.iter().map(|(_, it)| u64::from(it.replicas)).sum();
        let clients: u64 = self.model.clients.iter().map(|(_, it)| u64::from(it.instances)).sum();
        if services + clients > MOST_INSTANCES {
            self.error(
                Place::NOWHERE,
                format!("{} instances are more than a run can hold", services + clients),
                format!("at most {MOST_INSTANCES} in all"),
            );
        }
    }

    /// The shared lists, used or not.
    fn lists(&mut self) {
        for (_, policies) in self.model.policies.iter() {
            for written in policies {
                for (what, way_out) in written.problems() {
                    self.error(written.place, what, way_out);
                }
            }
        }
    }

    fn clients(&mut self) {
        let model = self.model;
        for (number, (name, spec)) in model.clients.iter().enumerate() {
            let part = number as u32;
            let mut tasks = Vec::new();
            let mut first = None;
            match (&spec.calls, &spec.tasks) {
                (Some(target), None) => {
                    let entry = self.plan.steps.len() as u32;
                    let edge = self.edge(part, None, target, &spec.policies, spec.idempotency_key, None);
                    self.plan.steps.extend([Step::Call { edge, optional: false }, Step::End]);
                    tasks.push((entry, 1.0));
                }
                (None, Some(named)) => {
                    if spec.idempotency_key.is_some() {
                        self.error(
                            name.place,
                            "`idempotency_key` goes with `calls`, not with `tasks`",
                            "put it at the calls of the tasks",
                        );
                    }
                    if !spec.policies.is_empty() {
                        self.error(
                            name.place,
                            "`policies` go with `calls`, not with `tasks`",
                            "put them at the calls of the tasks",
                        );
                    }
                    for (task_name, task) in named.iter() {
                        let entry = self.program(part, None, &task.steps);
                        if !is_weight(task.weight) {
                            self.error(
                                task_name.place,
                                "a weight must be between zero and a billion",
                                "1 is the default",
                            );
                        }
                        if spec.first.as_ref().is_some_and(|first| first.value == task_name.value) {
                            first = Some(entry);
                        }
                        tasks.push((entry, task.weight));
                    }
                    if tasks.iter().map(|task| task.1).sum::<f64>() <= 0.0 {
                        self.error(
                            name.place,
                            "no task of this client is ever drawn",
                            "give one of them a weight above zero",
                        );
                    }
                    if let Some(wanted) = &spec.first
                        && first.is_none()
                    {
                        self.unknown(wanted, "no task has this name", named.iter().map(|(n, _)| n.value.as_str()));
                    }
                }
                _ => self.error(
                    name.place,
                    format!("client `{}` needs `calls` or `tasks`, one of the two", name.value),
                    "e.g. `calls: web.checkout`",
                ),
            }
            if spec.first.is_some() && (spec.tasks.is_none() || spec.users.is_none()) {
                self.error(name.place, "`first` needs `tasks` and `users`", "leave it out");
            }
            if spec.instances == 0 {
                self.error(name.place, "a client needs at least one instance", "1 is the default");
            }
            self.probes(part);
            let source = self.source(name, spec);
            let keys = self.keys(spec.keys.as_ref()).unwrap_or_default();
            let zones = self.zones(&spec.zones);
            self.plan.clients.push(plan::Client {
                name: name.value.clone(),
                instances: spec.instances.max(1),
                source,
                tasks,
                first,
                class: spec.priority,
                keys,
                zones,
            });
        }
    }

    fn keys(&mut self, spec: Option<&Spanned<keys::Spec>>) -> Option<keys::Spec> {
        let spec = spec?;
        match spec.value.problem() {
            None => Some(spec.value),
            Some((what, way_out)) => {
                self.error(spec.place, what, way_out);
                None
            }
        }
    }

    /// The numbers of zones.
    fn zones(&mut self, names: &[Spanned<String>]) -> Vec<u32> {
        let number = |name: &Spanned<String>| {
            let known = self.zones.iter().position(|zone| *zone == name.value);
            known.unwrap_or_else(|| {
                self.zones.push(name.value.clone());
                self.zones.len() - 1
            }) as u32
        };
        names.iter().map(number).collect()
    }

    fn source(&mut self, name: &Spanned<String>, spec: &Client) -> Source {
        let stand_in = Source::Replay(Arc::from([]));
        let rate_of = |rate: super::units::Rate| rate.0;
        if let Some(consumes) = &spec.consumes {
            if spec.arrivals.is_some() || spec.users.is_some() || spec.fleet.is_some() {
                let help = "give another client the `arrivals`, `users` or `fleet`";
                self.error(consumes.place, "who consumes a topic makes no other requests", help);
            }
            if !spec.load.is_empty() || spec.batch.is_some() {
                self.error(
                    consumes.place,
                    "`load` and `batch` go with `arrivals`, not with `consumes`",
                    "put them at the client that leads to the messages",
                );
            }
            if let Some(keys) = &spec.keys {
                let help = "leave it out, or give `keys` to the client that leads to the messages";
                self.error(keys.place, "a consumer's requests are about what its messages are about", help);
            }
            return self.consumer(spec.instances, consumes).map_or(stand_in, Source::Topic);
        }
        match (&spec.arrivals, &spec.users, &spec.fleet) {
            (Some(model::Arrivals::Replay(replay)), None, None) => {
                if !spec.load.is_empty() || spec.batch.is_some() {
                    self.error(
                        name.place,
                        "`load` and `batch` do not go with `replay`",
                        "the times in the file are the load",
                    );
                }
                if replay.times.is_none() {
                    self.error(
                        name.place,
                        "the arrival times of this client have not been read",
                        "in code, give them as `times`",
                    );
                }
                Source::Replay(replay.times.clone().unwrap_or_else(|| Arc::from([])))
            }
            (Some(arrivals), None, None) => {
                let (rate, gaps) = match arrivals {
                    model::Arrivals::Poisson(rate) => (rate_of(*rate), Gaps::Exponential),
                    model::Arrivals::Constant(rate) => (rate_of(*rate), Gaps::Constant),
                    model::Arrivals::Uniform(it) => (rate_of(it.rate), Gaps::Uniform(it.spread.0)),
                    model::Arrivals::Replay(_) => unreachable!("matched above"),
                };
                if rate <= 0.0 {
                    self.error(name.place, "a rate of zero: no request ever arrives", "give a rate above zero");
                }
                if spec.batch.is_some_and(|batch| batch == 0 || batch > 1_000_000) {
                    self.error(name.place, "a batch cannot be that large", "give `batch` between 1 and 1000000");
                }
                let load = spec.load.iter().map(|load| self.load(name, load)).collect();
                Source::Open { rate, gaps, batch: spec.batch.unwrap_or(1), load }
            }
            (None, Some(users), None) => {
                if !spec.load.is_empty() || spec.batch.is_some() {
                    self.error(
                        name.place,
                        "`load` and `batch` go with `arrivals`, not with `users`",
                        "a closed loop makes its own load",
                    );
                }
                if users.count == 0 || users.count > MOST_USERS {
                    self.error(
                        name.place,
                        format!("{} users cannot be simulated", users.count),
                        format!("between 1 and {MOST_USERS}"),
                    );
                }
                Source::Closed {
                    users: users.count,
                    think: self.dist(&users.think),
                    start_every: users.start_every.map_or(Duration::ZERO, |span| span.0),
                }
            }
            (None, None, Some(fleet)) => {
                if !spec.load.is_empty() || spec.batch.is_some() {
                    self.error(
                        fleet.place,
                        "`load` and `batch` go with `arrivals`, not with a `fleet`",
                        "its members make the load",
                    );
                }
                Source::Fleet(self.fleet(fleet))
            }
            _ => {
                self.error(
                    name.place,
                    format!(
                        "client `{}` needs `arrivals` (an open loop), `users` (a closed loop), a `fleet` or a topic that it `consumes`, one of them",
                        name.value
                    ),
                    "e.g. `arrivals: { poisson: 100/s }`",
                );
                stand_in
            }
        }
    }

    fn fleet(&mut self, spec: &Spanned<fleet::Spec>) -> fleet::Plan {
        if spec.members == 0 || spec.members > MOST_USERS {
            let message = format!("a fleet of {} members cannot be simulated", spec.members);
            self.error(spec.place, message, format!("give `members` between 1 and {MOST_USERS}"));
        }
        if let Some(every) = spec.every.as_ref().filter(|every| every.value.0.is_zero()) {
            self.error(
                every.place,
                "a time of zero between two requests",
                "leave it out: who has had an answer then asks no more",
            );
        }
        if let Some(jitter) = &spec.jitter
            && spec.every.is_none()
        {
            self.error(
                jitter.place,
                "`jitter` is that of `every`, which is not there",
                "spread the starts with `within`",
            );
        }
        fleet::Plan {
            members: spec.members,
            starts: Time::ZERO + spec.starts.map_or(Duration::ZERO, |span| span.0),
            within: spec.within.map_or(Duration::ZERO, |span| span.0),
            every: spec.every.as_ref().map(|every| every.value.0),
            jitter: spec.jitter.as_ref().map_or(0.0, |jitter| jitter.value.0),
            again: spec.again.as_ref().map(|law| self.dist(law)),
        }
    }

    /// Where messages wait.
    fn topics(&mut self) {
        let model = self.model;
        for (name, spec) in model.topics.iter() {
            if name.value.is_empty() || !name.value.chars().all(is_plain) {
                let message = format!("`{}` cannot be the name of a topic", name.value);
                self.error(name.place, message, "use letters, digits, `_` and `-`");
            }
            for (place, what, way_out) in spec.problems(MOST_PARTITIONS) {
                self.error(place, what, way_out);
            }
            self.plan.topics.push(plan::Topic {
                name: name.value.clone(),
                partitions: spec.partitions.as_ref().map(|it| it.value.clamp(1, MOST_PARTITIONS)),
                lifo: spec.order.value == topic::Order::Lifo,
                capacity: spec.capacity.as_ref().map_or(u32::MAX, |it| it.value),
                refuses: spec.when_full.as_ref().is_none_or(|it| it.value == topic::WhenFull::Refuse),
                max_age: spec.max_age.as_ref().map_or(Duration::FOREVER, |it| it.value.0),
                groups: Vec::new(),
                publishers: Vec::new(),
            });
        }
    }

    fn topic_number(&mut self, name: &Spanned<String>) -> Option<u32> {
        let model = self.model;
        let number = model.topics.index_of(&name.value);
        if number.is_none() {
            self.unknown(name, "no topic has this name", names(&model.topics));
        }
        number.map(|number| number as u32)
    }

    /// The group of a client that consumes. It is the next one that is built.
    fn consumer(&mut self, instances: u32, spec: &Spanned<topic::Consumes>) -> Option<u32> {
        for (place, what, way_out) in spec.problems(spec.place, MOST_AT_ONCE) {
            self.error(place, what, way_out);
        }
        let dead_letter = spec.dead_letter.as_ref().and_then(|name| self.topic_number(name));
        let topic = self.topic_number(&Spanned::new(spec.topic.clone(), spec.place))?;
        let redeliver = spec.redeliver.as_ref().map_or(Dist::Constant(topic::REDELIVER), |law| self.dist(law));
        let group = self.plan.groups.len() as u32;
        let it = &mut self.plan.topics[topic as usize];
        it.groups.push(group);
        if let Some(partitions) = it.partitions.filter(|&of| of < instances) {
            let message = format!(
                "{} of {instances} instances have nothing to do: each partition belongs to one",
                instances - partitions
            );
            let help = format!("give the topic at least {instances} `partitions`");
            self.found.push(Diagnostic::warning(spec.place, message).help(help));
        }
        self.plan.groups.push(plan::Group {
            client: self.plan.clients.len() as u32,
            topic,
            concurrency: spec.concurrency.as_ref().map_or(1, |it| it.value),
            at_most_once: spec.delivery == topic::Delivery::AtMostOnce,
            visibility_timeout: spec.visibility_timeout.as_ref().map(|it| it.value.0),
            max_deliveries: spec.max_deliveries.as_ref().map_or(u32::MAX, |it| it.value),
            redeliver,
            dead_letter,
        });
        Some(group)
    }

    /// Messages that go round, that nobody consumes or publishes, or that all go to one partition.
    fn messages(&mut self) {
        let model = self.model;
        let parts_with_keys = self.parts_with_keys();
        for (name, spec) in model.clients.iter() {
            let Some((consumes, dead_letter)) =
                spec.consumes.as_ref().and_then(|it| Some((it, it.dead_letter.as_ref()?)))
            else {
                continue;
            };
            // From topic to topic, as the dead go.
            let (mut at, mut seen) = (vec![dead_letter.value.as_str()], BTreeSet::new());
            while let Some(topic) = at.pop() {
                if topic == consumes.topic {
                    let message =
                        format!("the dead messages of `{}` come back to `{topic}`, which it consumes", name.value);
                    self.error(dead_letter.place, message, "give them a topic of their own");
                    break;
                }
                if seen.insert(topic) {
                    let others = model.clients.iter().filter_map(|(_, it)| it.consumes.as_ref());
                    let next = others.filter(|it| it.topic == topic).filter_map(|it| it.dead_letter.as_ref());
                    at.extend(next.map(|it| it.value.as_str()));
                }
            }
        }
        for (number, (name, spec)) in model.topics.iter().enumerate() {
            let letters = self.plan.groups.iter().any(|group| group.dead_letter == Some(number as u32));
            let publishers = &self.plan.topics[number].publishers;
            let is_published = !publishers.is_empty();
            let has_key = publishers.iter().any(|&part| parts_with_keys[part as usize] != (true, false));
            if self.plan.topics[number].groups.is_empty() && !letters {
                let message = format!("nobody consumes the topic `{}`", name.value);
                let help =
                    format!("give a client `consumes: {}`; until then its messages are counted, and gone", name.value);
                self.found.push(Diagnostic::warning(name.place, message).help(help));
            }
            if !is_published && !letters {
                let message = format!("nothing is ever published to the topic `{}`", name.value);
                let help = format!("write `publish: {}` into a step", name.value);
                self.found.push(Diagnostic::warning(name.place, message).help(help));
            }
            if let Some(partitions) = spec.partitions.as_ref().filter(|it| it.value > 1)
                && is_published
                && !has_key
                && !letters
            {
                let message = format!("no message of `{}` has a key: all would go to one partition", name.value);
                let help =
                    "say what the requests that lead to them are about, e.g. `keys: { uniform: 1000 }` at their client";
                self.error(partitions.place, message, help);
            }
        }
    }

    fn load(&mut self, name: &Spanned<String>, load: &Load) -> plan::Load {
        let mut check = |factor: f64| {
            if !(factor.is_finite() && factor >= 0.0) {
                self.error(name.place, "the factor of a load must be zero or more", "2 doubles the rate");
            }
            factor
        };
        match *load {
            Load::Step(it) => plan::Load::Step { at: time(it.at), factor: check(it.factor) },
            Load::Ramp(it) => {
                let factor = check(it.factor);
                if it.to.0 <= it.from.0 {
                    self.error(name.place, "a ramp must end after it begins", "give `to` a later time than `from`");
                }
                plan::Load::Ramp { from: time(it.from), to: time(it.to), factor }
            }
            Load::Spike(it) => {
                plan::Load::Spike { at: time(it.at), until: time(it.at) + it.lasts.0, factor: check(it.factor) }
            }
            Load::Sine(it) => {
                if it.period.0.is_zero() {
                    self.error(name.place, "a sine needs a period above zero", "e.g. `period: 60s`");
                }
                plan::Load::Sine { period: it.period.0, amplitude: it.amplitude.0 }
            }
        }
    }

    fn services(&mut self) {
        let model = self.model;
        let clients = self.plan.clients.len();
        for (number, (name, spec)) in model.services.iter().enumerate() {
            let part = (clients + number) as u32;
            for (what, count) in [("workers", spec.workers), ("cpus", spec.cpus)] {
                if count == model::Count::Limited(0) {
                    self.error(
                        name.place,
                        format!("`{}` has no {what}: it would serve nobody", name.value),
                        format!("give `{what}` at least 1"),
                    );
                }
            }
            if spec.operations.is_empty() {
                self.error(
                    name.place,
                    format!("`{}` has no operations: nothing can be asked of it", name.value),
                    "add `operations:`",
                );
            }
            if let Some(ejection) = &spec.balance.outlier_ejection
                && ejection.most(spec.replicas as usize) == 0
            {
                let what = format!("so small a share of {} replicas is none: nothing is ever ejected", spec.replicas);
                let help = "give `max_ejected` more, or `always_eject_one: true`";
                self.found.push(Diagnostic::warning(spec.balance.place, what).help(help));
            }
            if spec.replicas == 0 {
                let what = format!("`{}` has no replicas: every call to it is refused", name.value);
                self.found.push(Diagnostic::warning(name.place, what).help("1 is the default"));
            }
            let operations = spec
                .operations
                .iter()
                .enumerate()
                .map(|(operation, (op_name, it))| self.operation(part, operation, op_name, it))
                .collect::<Vec<Operation>>();
            self.probes(part);
            let refusal = spec.reject_cost.filter(|cost| !cost.0.is_zero()).map(|cost| {
                let entry = self.plan.steps.len() as u32;
                self.plan.steps.extend([Step::Work(Dist::Constant(cost.0)), Step::Refuse]);
                entry
            });
            let connections = spec.connections.as_ref().map(|it| {
                for (what, way_out) in it.problems() {
                    self.error(it.place, what, way_out);
                }
                let work = it.handshake.as_ref().and_then(|handshake| handshake.work.as_ref());
                let program = work.map(|work| {
                    let law = self.dist(work);
                    let entry = self.plan.steps.len() as u32;
                    self.plan.steps.extend([Step::Work(law), Step::Shaken]);
                    entry
                });
                it.plan(program)
            });
            if let Some(warmup) = spec.warmup
                && !(warmup.factor.is_finite() && warmup.factor >= 1.0)
            {
                self.error(
                    name.place,
                    "the factor of a warm-up must be 1 or more",
                    "3 makes work three times as long at first",
                );
            }
            for (what, way_out) in spec.balance.problems(spec.replicas) {
                self.error(spec.balance.place, what, way_out);
            }
            let zones = self.zones(&spec.zones);
            for (place, what, way_out) in spec.queue.problems(spec.deadline.reserve().is_some()) {
                self.error(place, what, way_out);
            }
            if let Some(shed) = &spec.shed
                && let Some((what, way_out)) = shed.problem(spec.workers.number())
            {
                self.error(shed.place, what, way_out);
            }
            if let Some(limit) = &spec.limit
                && let Some((what, way_out)) = limit.problem()
            {
                self.error(limit.place, what, way_out);
            }
            if let Some(rate_limit) = &spec.rate_limit {
                for (what, way_out) in rate_limit.problems() {
                    self.error(rate_limit.place, what, way_out);
                }
            }
            if let Some(memory) = &spec.memory {
                for (what, way_out) in memory::Spec::problems(memory) {
                    self.error(memory.place, what, way_out);
                }
            }
            let slowdown = self.slowdown(name, spec.slowdown.as_ref());
            let replication = spec.replication.as_ref().map(|it| self.replication(name, spec, it));
            self.plan.services.push(Service {
                name: name.value.clone(),
                replicas: spec.replicas,
                workers: spec.workers.number().max(1),
                cpus: spec.cpus.number().max(1),
                queue: spec.queue.clone(),
                shed: spec.shed.as_ref().map(|it| it.value),
                limit: spec.limit.as_ref().map(|it| it.value),
                rate_limit: spec.rate_limit.as_ref().map(|it| it.value.clone()),
                balance: spec.balance.value.clone(),
                zones,
                releases_worker: spec.is_async,
                cancel: match spec.cancel {
                    model::Cancel::None => Cancel::None,
                    model::Cancel::Queued => Cancel::Queued,
                    model::Cancel::Propagate => Cancel::Propagate,
                },
                deadline: spec.deadline.reserve().is_some(),
                slowdown,
                memory: spec.memory.as_ref().map(|it| it.value),
                startup: spec.startup.map_or(Duration::ZERO, |span| span.0),
                warmup: spec.warmup.map_or((Duration::ZERO, 1.0), |it| (it.lasts.0, it.factor)),
                refusal,
                has_own_workers: operations.iter().any(|it| it.own_worker),
                operations,
                connections,
                replication,
            });
        }
    }

    fn replication(
        &mut self,
        name: &Spanned<String>,
        service: &model::Service,
        spec: &Spanned<replication::Spec>,
    ) -> replication::Plan {
        if let Some((what, way_out)) = spec.problem(service.replicas) {
            self.error(spec.place, what, way_out);
        }
        if !service.operations.iter().any(|(_, it)| it.writes.as_ref().is_some_and(|writes| writes.value)) {
            let what = format!("nothing ever writes to `{}`: its replicas always have the same", name.value);
            self.error(spec.place, what, "give an operation `writes: true`, or leave `replication` out");
        }
        replication::Plan {
            mode: spec.mode,
            lag: self.dist(&spec.lag),
            failover: spec.failover.map(|it| (it.detect_after.0, it.takes.0)),
        }
    }

    /// Which replicas are asked for an operation, and its last step.
    fn reads(&mut self, part: u32, spec: &model::Operation) -> (replication::Reads, Option<Step>) {
        let clients = self.model.clients.len();
        let service = self.model.services.get_index(part as usize - clients).expect("the operation has a service").1;
        let Some(replication) = &service.replication else {
            let writes = spec.writes.as_ref().map(|it| (it.place, "writes"));
            let from = spec.reads_from.as_ref().map(|it| (it.place, "reads_from"));
            for (place, option) in writes.into_iter().chain(from) {
                let what = format!("`{option}` is said of a service whose replicas do not have one state");
                self.error(place, what, "give the service `replication: { lag: 100ms }`, or leave it out");
            }
            return (replication::Reads::default(), None);
        };
        if !spec.writes.as_ref().is_some_and(|it| it.value) {
            return (spec.reads_from.as_ref().map_or(replication.reads, |it| it.value), Some(Step::Read));
        }
        if let Some(from) = &spec.reads_from {
            self.error(from.place, "what writes goes to the primary", "leave `reads_from` out, or `writes`");
        }
        (replication::Reads::Primary, Some(Step::Commit))
    }

    fn operation(&mut self, part: u32, number: usize, name: &Spanned<String>, spec: &model::Operation) -> Operation {
        if spec.effect && spec.idempotent {
            self.error(
                name.place,
                "what is idempotent has no effect that could happen twice",
                "leave `effect` out, or `idempotent`",
            );
        }
        let keyed = spec.idempotency.as_ref().map(|table| {
            if let Some((what, way_out)) = table.problem() {
                self.error(table.place, what, way_out);
            }
            let entry = self.plan.steps.len() as u32;
            let lookup = table.lookup.filter(|time| !time.0.is_zero());
            self.plan.steps.extend(lookup.map(|time| Step::Work(Dist::Constant(time.0))));
            self.plan.steps.push(Step::Once);
            plan::Keyed { entry, table: table.value }
        });
        // What a request with a key does first stands before it, and goes on here.
        let entry = self.plan.steps.len() as u32;
        self.steps(part, Some(number), &spec.steps, false);
        let (reads, last) = self.reads(part, spec);
        self.plan.steps.extend(last.into_iter().chain([Step::End]));
        Operation {
            name: name.value.clone(),
            entry,
            request: spec.request.map_or(0, |size| size.0),
            response: spec.response.map_or(0, |size| size.0),
            effect: spec.effect,
            own_worker: spec.own_worker,
            keyed,
            reads,
        }
    }

    fn slowdown(&mut self, name: &Spanned<String>, spec: Option<&model::Slowdown>) -> Slowdown {
        match spec {
            None => Slowdown::None,
            Some(model::Slowdown::Linear(share)) => Slowdown::Usl { contention: share.0, coherency: 0.0 },
            Some(model::Slowdown::Usl(it)) => {
                if ![it.contention, it.coherency].iter().all(|x| x.is_finite() && *x >= 0.0) {
                    self.error(name.place, "`contention` and `coherency` must be zero or more", "e.g. 0.05 and 0.001");
                }
                Slowdown::Usl { contention: it.contention, coherency: it.coherency }
            }
            Some(model::Slowdown::Table(points)) => {
                let rising = points.windows(2).all(|pair| pair[0].0 < pair[1].0);
                if points.is_empty() || !rising || !points.iter().all(|point| positive(point.1) && point.0 >= 0.0) {
                    self.error(
                        name.place,
                        "the points of a slowdown must rise in n, with factors above zero",
                        "e.g. `table: [[1, 1.0], [50, 2.5]]`",
                    );
                }
                Slowdown::Table(points.clone().into())
            }
        }
    }

    /// Compiles steps to a program, and returns its first step.
    fn program(&mut self, part: u32, operation: Option<usize>, steps: &[Spanned<model::Step>]) -> u32 {
        let entry = self.plan.steps.len() as u32;
        self.steps(part, operation, steps, false);
        self.plan.steps.push(Step::End);
        entry
    }

    fn steps(&mut self, part: u32, operation: Option<usize>, steps: &[Spanned<model::Step>], in_parallel: bool) {
        for step in steps {
            let start = self.plan.steps.len();
            self.step(part, operation, step);
            if step.copies.is_some() && !in_parallel {
                self.error(
                    step.place,
                    "`copies` makes branches of a `parallel`",
                    "put the step into a `parallel`, or use `repeat`",
                );
            }
            let times = step.repeat.unwrap_or(1);
            if times == 0 {
                self.error(step.place, "a step that is done no times", "leave it out, or give `repeat` at least 1");
            }
            self.repeat(step.place, start, times);
        }
    }

    /// Writes out what stands from `start` on so many times.
    fn repeat(&mut self, place: Place, start: usize, times: u32) {
        let length = self.plan.steps.len() - start;
        if length == 0 {
            return;
        }
        let wanted = (length as u64).saturating_mul(u64::from(times));
        if wanted + start as u64 > MOST_STEPS as u64 {
            if times > 1 {
                self.error(
                    place,
                    format!("written out, this is {wanted} steps"),
                    format!("at most {MOST_STEPS} in a model"),
                );
            }
            return;
        }
        let body = self.plan.steps[start..].to_vec();
        for time in 1..times {
            let shift = time * length as u32;
            let moved = body.iter().cloned().map(|step| match step {
                Step::Fork { branches, need, then } => {
                    Step::Fork { branches: branches.iter().map(|to| to + shift).collect(), need, then: then + shift }
                }
                Step::Choose(chances, entries) => Step::Choose(chances, entries.iter().map(|to| to + shift).collect()),
                Step::Jump(to) => Step::Jump(to + shift),
                Step::Look { cache, read, hit, miss, then } => {
                    Step::Look { cache, read, hit: hit + shift, miss: miss + shift, then: then + shift }
                }
                Step::Behind { cache, branch, then, most } => {
                    Step::Behind { cache, branch: branch + shift, then: then + shift, most }
                }
                same @ (Step::Work(_)
                | Step::Call { .. }
                | Step::Fail(_)
                | Step::Once
                | Step::Keep { .. }
                | Step::EndBehind
                | Step::Commit
                | Step::Read
                | Step::Refuse
                | Step::Publish { .. }
                | Step::Shaken
                | Step::End) => same,
            });
            self.plan.steps.extend(moved);
        }
    }

    fn step(&mut self, part: u32, operation: Option<usize>, step: &Spanned<model::Step>) {
        let kinds = [
            step.work.is_some(),
            step.call.is_some(),
            step.parallel.is_some(),
            step.choice.is_some(),
            // What is written elsewhere belongs to a cache.
            step.steps.is_some() && step.cache.is_none(),
            step.fail.is_some(),
            step.cache.is_some(),
            step.publish.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            self.error(
                step.place,
                "a step does exactly one thing",
                "give one of `work`, `call`, `parallel`, `choice`, `steps`, `fail`, `cache`, `publish`",
            );
            return;
        }
        let of_cache = [step.miss.is_some(), step.hit.is_some(), step.write.is_some(), step.at_most.is_some()];
        if step.cache.is_none() && of_cache.contains(&true) {
            let help = "put them at a step with `cache: <name>`";
            self.error(step.place, "`miss`, `hit`, `write` and `at_most` go with `cache`", help);
        }
        let of_call = [step.optional.is_some(), step.keys.is_some(), step.idempotency_key.is_some()];
        if step.call.is_none() && (!step.policies.is_empty() || of_call.contains(&true)) {
            self.error(
                step.place,
                "`policies`, `optional`, `keys` and `idempotency_key` go with `call`",
                "put them at a step with a call",
            );
        }
        if step.parallel.is_none() && step.need.is_some() {
            self.error(step.place, "`need` goes with `parallel`", "leave it out");
        }
        if let Some(work) = &step.work {
            if (part as usize) < self.model.clients.len() {
                self.error(
                    work.place,
                    "a client does no work",
                    "for the time between two requests give `users` a `think` time",
                );
            }
            let law = self.dist(work);
            self.plan.steps.push(Step::Work(law));
        } else if let Some(target) = &step.call {
            let edge = self.edge(part, operation, target, &step.policies, step.idempotency_key, Some(step));
            self.plan.steps.push(Step::Call { edge, optional: step.optional.unwrap_or(false) });
        } else if let Some(branches) = &step.parallel {
            self.fork(part, operation, step, branches);
        } else if let Some(branches) = &step.choice {
            self.choice(part, operation, step.place, branches);
        } else if let Some(name) = &step.cache {
            self.cache_step(part, operation, step, name);
        } else if let Some(publish) = &step.publish {
            if let Some(topic) = self.topic_number(&Spanned::new(publish.topic.clone(), publish.place)) {
                let publishers = &mut self.plan.topics[topic as usize].publishers;
                if !publishers.contains(&part) {
                    publishers.push(part);
                }
                let poison = publish.poison.map_or(0.0, |share| share.0);
                self.plan.steps.push(Step::Publish { topic, poison });
            }
        } else if let Some(steps) = &step.steps {
            self.steps(part, operation, steps, false);
        } else if let Some(how) = step.fail {
            self.plan.steps.push(Step::Fail(match how {
                model::Failure::Error => Outcome::Error,
                model::Failure::Rejected => Outcome::Rejected,
                model::Failure::Unavailable => Outcome::Unavailable,
                model::Failure::Throttled => Outcome::Throttled(Duration::ZERO),
            }));
        }
    }

    fn fork(
        &mut self,
        part: u32,
        operation: Option<usize>,
        step: &Spanned<model::Step>,
        branches: &[Spanned<model::Step>],
    ) {
        if branches.is_empty() {
            self.error(step.place, "nothing is done in parallel", "give at least one step");
            return;
        }
        let fork = self.plan.steps.len();
        self.plan.steps.push(Step::End);
        let mut entries = Vec::new();
        for branch in branches {
            let entry = self.plan.steps.len() as u32;
            self.steps(part, operation, std::slice::from_ref(branch), true);
            self.plan.steps.push(Step::End);
            let copies = branch.copies.unwrap_or(1);
            if copies == 0 || entries.len() + copies as usize > 1_000_000 {
                self.error(branch.place, format!("{copies} copies cannot be made"), "between 1 and 1000000");
                continue;
            }
            entries.extend(std::iter::repeat_n(entry, copies as usize));
        }
        let need = step.need.unwrap_or(entries.len() as u32);
        if need == 0 || need as usize > entries.len() {
            self.error(
                step.place,
                format!("`need: {need}` of {} branches", entries.len()),
                format!("between 1 and {}", entries.len()),
            );
        }
        self.plan.steps[fork] = Step::Fork { branches: entries.into(), need, then: self.plan.steps.len() as u32 };
    }

    /// The caches, each of which may have a table at the instances of a service.
    fn caches(&mut self) {
        let model = self.model;
        for (name, spec) in model.caches.iter() {
            if name.value.is_empty() || !name.value.chars().all(is_plain) {
                let message = format!("`{}` cannot be the name of a cache", name.value);
                self.error(name.place, message, "use letters, digits, `_` and `-`");
            }
            for (what, way_out) in spec.problems() {
                self.error(spec.place, what, way_out);
            }
            let at = spec.at.as_ref().and_then(|at| {
                let service = self.service_number(&Spanned::new(at.service.clone(), at.place))?;
                let operations = &model.services.get_index(service as usize).expect("it was found").1.operations;
                for (key, operation) in [("read", &at.read), ("write", &at.write)] {
                    if operations.get(operation).is_none() {
                        let known = names(operations).collect::<Vec<_>>().join(", ");
                        let message = format!("`{}` has no operation `{operation}` to {key} entries", at.service);
                        self.error(at.place, message, format!("name one of its operations as `{key}`: {known}"));
                    }
                }
                Some(service)
            });
            self.plan.caches.push(plan::Cache {
                name: name.value.clone(),
                spec: spec.value.clone(),
                at,
                users: Vec::new(),
            });
        }
    }

    /// Caches that no step uses.
    fn unused(&mut self) {
        let model = self.model;
        for (number, (name, _)) in model.caches.iter().enumerate() {
            if self.plan.caches[number].users.is_empty() {
                let message = format!("no step uses the cache `{}`", name.value);
                let help = "write `cache:` and `miss:` into a step of the operation that is to use it";
                self.found.push(Diagnostic::warning(name.place, message).help(help));
            }
        }
        for (number, (name, spec)) in model.services.iter().enumerate() {
            if let Some(connections) = &spec.connections
                && !measure::holds_connections(&self.plan, number)
            {
                let message = format!("no call keeps connections to `{}`, and other calls need none", name.value);
                let help = "give the calls of its operations a `connection_pool`";
                self.found.push(Diagnostic::warning(connections.place, message).help(help));
            }
        }
    }

    /// Lookups that wait for a fetch which leads to a lookup of the same cache: with the same key it would wait for itself.
    fn wait_for_themselves(&mut self) {
        let mut entries: Vec<usize> =
            self.plan.services.iter().flat_map(|it| &it.operations).map(|it| it.entry as usize).collect();
        entries.push(self.plan.steps.len());
        entries.sort_unstable();
        for (at, place) in std::mem::take(&mut self.lookups) {
            let Some(&Step::Look { cache, miss, then, .. }) = self.plan.steps.get(at) else { continue };
            if !self.plan.caches[cache as usize].spec.coalesce {
                continue;
            }
            let mut ranges = Vec::from([(miss as usize, then as usize)]);
            let mut seen = BTreeSet::new();
            let mut again = false;
            while let Some((first, end)) = ranges.pop() {
                for step in &self.plan.steps[first..end] {
                    match step {
                        Step::Look { cache: other, .. } if *other == cache => again = true,
                        Step::Call { edge, .. } => {
                            let edge = &self.plan.edges[*edge as usize];
                            let service = self.plan.services.get(edge.service as usize);
                            if let Some(called) = service.and_then(|it| it.operations.get(edge.operation as usize))
                                && seen.insert(called.entry)
                            {
                                let first = called.entry as usize;
                                let end = entries[entries.partition_point(|&entry| entry <= first)];
                                ranges.push((first, end));
                            }
                        }
                        _ => {}
                    }
                }
            }
            if again {
                let name = self.plan.caches[cache as usize].name.clone();
                let message =
                    format!("to fetch an entry of `{name}` leads to a lookup in `{name}`, which waits for that fetch");
                self.error(place, message, "give one of the two a cache of its own, or leave `coalesce` out");
            }
        }
    }

    /// A call to the service that holds a cache.
    fn cache_call(&mut self, part: u32, operation: Option<usize>, number: usize, writes: bool) -> Option<u32> {
        let model = self.model;
        let at = model.caches.get_index(number).expect("it was found by its name").1.at.as_ref()?;
        let target = format!("{}.{}", at.service, if writes { &at.write } else { &at.read });
        let target = Spanned::new(target, at.place);
        // If it does not exist, that was said already.
        let exists = model.services.get(&at.service).is_some_and(|it| {
            let operation = if writes { &at.write } else { &at.read };
            it.operations.get(operation).is_some()
        });
        exists.then(|| self.edge(part, operation, &target, &at.policies, None, Some(&model::Step::default().into())))
    }

    fn cache_step(&mut self, part: u32, operation: Option<usize>, step: &Spanned<model::Step>, name: &Spanned<String>) {
        let model = self.model;
        let Some(number) = model.caches.index_of(&name.value) else {
            self.unknown(name, "no cache has this name", names(&model.caches));
            return;
        };
        let cache = number as u32;
        let users = &mut self.plan.caches[number].users;
        if !users.contains(&part) {
            users.push(part);
        }
        match (&step.miss, step.write) {
            (Some(miss), None) if step.steps.is_none() && step.at_most.is_none() => {
                let read = self.cache_call(part, operation, number, false);
                let look = self.plan.steps.len();
                self.lookups.push((look, name.place));
                self.plan.steps.push(Step::End);
                let hit = self.plan.steps.len() as u32;
                self.steps(part, operation, step.hit.as_deref().unwrap_or_default(), false);
                let jump = self.plan.steps.len();
                self.plan.steps.push(Step::End);
                let entry = self.plan.steps.len() as u32;
                self.steps(part, operation, miss, false);
                let write = self.cache_call(part, operation, number, true);
                self.plan.steps.extend([Step::Keep { cache, write, deletes: false }, Step::End]);
                let then = self.plan.steps.len() as u32;
                self.plan.steps[jump] = Step::Jump(then);
                self.plan.steps[look] = Step::Look { cache, read, hit, miss: entry, then };
            }
            (None, Some(write)) if step.hit.is_none() && (write == cache::Write::Behind || step.at_most.is_none()) => {
                let Some(steps) = &step.steps else {
                    let help = "give the step `steps:`, for instance a call of the database";
                    self.error(step.place, "what is written nowhere but in a cache is lost with its entry", help);
                    return;
                };
                if step.at_most == Some(0) {
                    let help = "`write: through` is the word for writes that are never in the background";
                    self.error(step.place, "no write is ever in the background", help);
                }
                let keep = |this: &mut Self, deletes: bool| {
                    let write = this.cache_call(part, operation, number, true);
                    this.plan.steps.push(Step::Keep { cache, write, deletes });
                };
                if write != cache::Write::Behind {
                    self.steps(part, operation, steps, false);
                    keep(self, write == cache::Write::Around);
                    return;
                }
                keep(self, false);
                let behind = self.plan.steps.len();
                self.plan.steps.push(Step::End);
                let branch = self.plan.steps.len() as u32;
                self.steps(part, operation, steps, false);
                self.plan.steps.push(Step::EndBehind);
                let then = self.plan.steps.len() as u32;
                self.plan.steps[behind] = Step::Behind { cache, branch, then, most: step.at_most.unwrap_or(1_000) };
            }
            _ => self.error(
                step.place,
                "a step looks something up in a cache, or writes it",
                "give `miss` (and `hit`), or `write` and `steps` (with `behind` also `at_most`)",
            ),
        }
    }

    fn choice(&mut self, part: u32, operation: Option<usize>, place: Place, branches: &[Spanned<model::Branch>]) {
        let mut sum = 0.0;
        let mut chances = Vec::new();
        for branch in branches {
            if !is_weight(branch.weight) {
                self.error(
                    branch.place,
                    "a weight must be between zero and a billion",
                    "0.3 and 0.7 are 30 % and 70 %",
                );
            }
            sum += branch.weight.max(0.0);
            chances.push(sum);
        }
        if sum <= 0.0 {
            self.error(place, "no branch is ever chosen", "give one of them a weight above zero");
            return;
        }
        let choose = self.plan.steps.len();
        self.plan.steps.push(Step::End);
        let (mut entries, mut jumps) = (Vec::new(), Vec::new());
        for branch in branches {
            entries.push(self.plan.steps.len() as u32);
            self.steps(part, operation, &branch.steps, false);
            jumps.push(self.plan.steps.len());
            self.plan.steps.push(Step::End);
        }
        let end = self.plan.steps.len() as u32;
        for jump in jumps {
            self.plan.steps[jump] = Step::Jump(end);
        }
        self.plan.steps[choose] = Step::Choose(chances.into(), entries.into());
    }

    fn dist(&mut self, spec: &Spanned<distribution::Spec>) -> Dist {
        let problems = spec.problems();
        if problems.is_empty() {
            return spec.dist();
        }
        for (what, way_out) in problems {
            self.error(spec.place, what, way_out);
        }
        Dist::Constant(Duration::ZERO)
    }

    fn unknown<'n>(&mut self, name: &Spanned<String>, what: &str, known: impl Iterator<Item = &'n str>) {
        let known: Vec<&str> = known.collect();
        let help = match did_you_mean(&name.value, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "there are none".to_owned(),
            None => format!("there are: {}", known.join(", ")),
        };
        self.error(name.place, format!("`{}`: {what}", name.value), help);
    }

    /// Resolves `service.operation` to their numbers.
    fn target(&mut self, target: &Spanned<String>) -> Option<(u32, u32)> {
        let model = self.model;
        let Some((service, operation)) = target.value.split_once('.') else {
            let help = match model.services.get(&target.value).and_then(|it| it.operations.iter().next()) {
                Some((first, _)) => format!("write `{}.{}`", target.value, first.value),
                None => "write the service and its operation, e.g. `payment.charge`".to_owned(),
            };
            self.error(target.place, format!("`{}` names no operation", target.value), help);
            return None;
        };
        let Some(number) = model.services.index_of(service) else {
            let known: Vec<&str> = names(&model.services).collect();
            let help = match did_you_mean(service, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are: {}", known.join(", ")),
            };
            self.error(target.place, format!("`{}`: no service has this name", target.value), help);
            return None;
        };
        let operations = &model.services.get(service).expect("it was found by its name").operations;
        let Some(operation) = operations.index_of(operation) else {
            let known: Vec<&str> = names(operations).collect();
            let help = match did_you_mean(operation, known.iter().copied()) {
                Some(meant) => format!("did you mean `{service}.{meant}`?"),
                None => format!("`{service}` has: {}", known.join(", ")),
            };
            self.error(target.place, format!("`{}`: the service has no such operation", target.value), help);
            return None;
        };
        Some((number as u32, operation as u32))
    }

    /// A call that is written becomes an edge.
    fn edge(
        &mut self,
        caller: u32,
        operation: Option<usize>,
        target: &Spanned<String>,
        policies: &[Spanned<Written>],
        key: Option<idempotency::Key>,
        step: Option<&Spanned<model::Step>>,
    ) -> u32 {
        let (service, called) = self.target(target).unwrap_or((u32::MAX, 0));
        let repeatable = key.is_some() || self.is_idempotent(service, called);
        if let Some((_, it)) = self.operation_of(service, called)
            && key.is_some()
            && it.idempotency.is_none()
        {
            let message = format!("this call carries an idempotency key, and `{}` does not look at it", target.value);
            let help = "give the operation `idempotency: {}`; without it a retry does the work again";
            self.found.push(Diagnostic::warning(target.place, message).help(help));
        }
        let mut layers: Vec<Arc<dyn Blueprint>> = Vec::new();
        let clients = self.model.clients.len();
        let honours = (caller as usize)
            .checked_sub(clients)
            .and_then(|number| self.model.services.get_index(number))
            .and_then(|(_, it)| it.deadline.reserve());
        if honours.is_some() && step.is_some() {
            layers.push(Arc::new(policy::deadline::Deadline { reserve: Duration::ZERO }));
        }
        let mut tightest: Option<(Duration, Place)> = None;
        for written in policies {
            let problems = written.problems();
            let fine = problems.is_empty();
            for (what, way_out) in problems {
                self.error(written.place, what, way_out);
            }
            if let Written::Timeout(timeout) = &written.value
                && let Some(after) = timeout.after
                && tightest.is_none_or(|(least, _)| after.0 < least)
            {
                tightest = Some((after.0, written.place));
            }
            if fine {
                layers.push(written.blueprint(repeatable));
            }
        }
        if !policies.is_empty() && policies.iter().all(|written| written.problems().is_empty()) {
            self.stacks.push((policies.to_vec(), repeatable));
        }
        if let Some(reserve) = honours.filter(|reserve| !reserve.is_zero() && step.is_some()) {
            layers.push(Arc::new(policy::deadline::Deadline { reserve }));
        }
        if let Some(pool) = policies.iter().position(|it| matches!(it.value, Written::ConnectionPool(_)))
            && let Some(inner) =
                policies[pool + 1..].iter().find(|it| !matches!(it.value, Written::Timeout(_) | Written::Custom(_)))
        {
            let message =
                "inside a connection pool only a `timeout` may stand: each attempt takes a connection of its own";
            let diagnostic = Diagnostic::error(inner.place, message).also(policies[pool].place, "the pool");
            self.found.push(diagnostic.help("put the pool last, or before the timeouts that limit the exchange alone"));
        }
        if layers.len() > usize::from(u8::MAX) {
            self.error(target.place, "more policies around a call than can be counted", "at most 255");
        }
        let caller_name = match self.model.clients.get_index(caller as usize) {
            Some((name, _)) => &name.value,
            None => &self.model.services.get_index(caller as usize - clients).expect("the caller exists").0.value,
        };
        let name = format!("{caller_name}->{}", target.value);
        let again = self.plan.edges.iter().filter(|edge| edge.name.split('#').next() == Some(&name)).count();
        let name = if again == 0 { name } else { format!("{name}#{}", again + 1) };
        let keys = self.keys(step.and_then(|it| it.keys.as_ref()));
        self.plan.edges.push(Edge {
            name,
            caller,
            service,
            operation: called,
            out: 0,
            back: 0,
            key,
            keys,
            probes: None,
            layers,
        });
        self.targets.push((target.place, operation));
        self.timeouts.push(tightest);
        self.plan.edges.len() as u32 - 1
    }

    /// The health checks that a part makes: one call for each service that it calls and that wants them.
    fn probes(&mut self, caller: u32) {
        let model = self.model;
        let mut called: Vec<u32> =
            self.plan.edges.iter().filter(|it| it.caller == caller).map(|it| it.service).collect();
        called.sort_unstable();
        called.dedup();
        for service in called {
            let Some((name, spec)) = model.services.get_index(service as usize) else { continue };
            let Some(check) = &spec.balance.health_check else { continue };
            if spec.operations.get(&check.operation.value).is_none() {
                // The service is told so.
                continue;
            }
            let target = Spanned::new(format!("{}.{}", name.value, check.operation.value), check.operation.place);
            let timeout = Written::Timeout(check.timeout().into());
            let edge = self.edge(caller, None, &target, &[timeout.into()], None, None);
            self.plan.edges[edge as usize].probes = Some(check.every());
        }
    }

    /// Each instance of a caller knows each replica that it calls.
    fn pairs(&mut self) {
        let pairs = |edge: &Edge| {
            let replicas = self.plan.services.get(edge.service as usize).map_or(0, |it| u64::from(it.replicas));
            self.plan.instances(edge.caller as usize) as u64 * replicas
        };
        let all = self.plan.edges.iter().map(pairs).fold(0, u64::saturating_add);
        if all > MOST_PAIRS {
            let what = format!("{all} pairs of a caller instance and a replica are more than a run can hold");
            self.error(
                Place::NOWHERE,
                what,
                format!("at most {MOST_PAIRS} in all; give fewer `instances` or `replicas`"),
            );
        }
    }

    /// Layers that never act where they stand.
    fn idle(&mut self) {
        let same = |keys: keys::Spec| keys == keys::Spec::Same;
        let same_key = self.plan.clients.iter().all(|client| same(client.keys))
            && self.plan.edges.iter().all(|edge| edge.keys.is_none_or(same));
        for (policies, repeatable) in std::mem::take(&mut self.stacks) {
            let stack: Vec<&Written> = policies.iter().map(|policy| &policy.value).collect();
            for idle in policy::order::idle(&stack, policy::order::Calls { same_key, repeatable }) {
                let place = policies[idle.layer].place;
                let because = idle.because.map(|layer| policies[layer].place).filter(|other| *other != place);
                let warning = Diagnostic::warning(place, idle.message).help(idle.help);
                self.found.push(because.into_iter().fold(warning, |it, other| it.also(other, "this one")));
            }
        }
    }

    /// An operation as it is written; none if there is no such service.
    fn operation_of(&self, service: u32, operation: u32) -> Option<(&Spanned<String>, &model::Operation)> {
        self.model.services.get_index(service as usize)?.1.operations.get_index(operation as usize)
    }

    fn is_idempotent(&self, service: u32, operation: u32) -> bool {
        self.operation_of(service, operation).is_some_and(|(_, it)| it.idempotent)
    }

    /// Links for all pairs of parts that talk to each other.
    fn links(&mut self) {
        let model = self.model;
        let clients = model.clients.len() as u32;
        let default = &model.network.default;
        let mut numbers: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for edge in 0..self.plan.edges.len() {
            let (caller, service) = (self.plan.edges[edge].caller, self.plan.edges[edge].service);
            if service == u32::MAX {
                continue;
            }
            let callee = clients + service;
            let mut number = |from: u32, to: u32| {
                *numbers.entry((from, to)).or_insert_with(|| {
                    let name = format!("{}->{}", self.plan.part_name(from as usize), self.plan.part_name(to as usize));
                    self.plan.links.push(Link {
                        name,
                        from,
                        to,
                        latency: Dist::Constant(Duration::ZERO),
                        loss: 0.0,
                        bandwidth: f64::INFINITY,
                    });
                    self.plan.links.len() as u32 - 1
                })
            };
            let (out, back) = (number(caller, callee), number(callee, caller));
            self.plan.edges[edge].out = out;
            self.plan.edges[edge].back = back;
        }
        for link in 0..self.plan.links.len() {
            let own = model.network.links.get(&self.plan.links[link].name);
            let latency = own.and_then(|it| it.latency.as_ref()).or(default.latency.as_ref());
            let latency = latency.map_or(Dist::Constant(Duration::ZERO), |law| self.dist(law));
            let it = &mut self.plan.links[link];
            it.latency = latency;
            it.loss = own.and_then(|own| own.loss).or(default.loss).map_or(0.0, |share| share.0);
            it.bandwidth = own.and_then(|own| own.bandwidth).or(default.bandwidth).map_or(f64::INFINITY, |rate| rate.0);
            if it.bandwidth <= 0.0 {
                let place = own.and_then(|own| own.latency.as_ref()).map_or(Place::NOWHERE, |law| law.place);
                self.error(place, "a link without bandwidth carries nothing", "use a partition to cut it");
            }
        }
        let known: Vec<String> = self.plan.links.iter().map(|link| link.name.clone()).collect();
        for (name, _) in model.network.links.iter() {
            if !known.contains(&name.value) {
                self.unknown(
                    name,
                    "no two parts that talk to each other are named so",
                    known.iter().map(String::as_str),
                );
            }
        }
    }

    /// A call that leads back to the operation it is made in would never end.
    fn cycles(&mut self) {
        let clients = self.model.clients.len();
        // Operations by (service, operation), and the edges written in them.
        let mut edges: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (edge, (_, operation)) in self.targets.iter().enumerate() {
            if let Some(operation) = operation {
                let service = self.plan.edges[edge].caller as usize - clients;
                edges.entry((service, *operation)).or_default().push(edge);
            }
        }
        let mut state: BTreeMap<(usize, usize), bool> = BTreeMap::new();
        let roots: Vec<(usize, usize)> = edges.keys().copied().collect();
        for root in roots {
            self.visit(root, &edges, &mut state, &mut Vec::new());
        }
    }

    /// Depth-first; `state` is false for what is on the path and true for what is done.
    fn visit(
        &mut self,
        at: (usize, usize),
        edges: &BTreeMap<(usize, usize), Vec<usize>>,
        state: &mut BTreeMap<(usize, usize), bool>,
        path: &mut Vec<(usize, usize)>,
    ) {
        if state.contains_key(&at) {
            return;
        }
        state.insert(at, false);
        path.push(at);
        for &edge in edges.get(&at).map_or(&[][..], Vec::as_slice) {
            let (service, operation) = (self.plan.edges[edge].service, self.plan.edges[edge].operation);
            if service == u32::MAX {
                continue;
            }
            let next = (service as usize, operation as usize);
            if state.get(&next) == Some(&false) {
                let first = path.iter().position(|on| *on == next).expect("what is on the path is in it");
                let names: Vec<String> =
                    path[first..].iter().chain([&next]).map(|on| self.operation_name(*on)).collect();
                let message = format!("a cycle of calls: {}", names.join(" → "));
                self.error(
                    self.targets[edge].0,
                    message,
                    "a request would never end: let one of them answer without this call",
                );
            } else {
                self.visit(next, edges, state, path);
            }
        }
        path.pop();
        state.insert(at, true);
    }

    fn operation_name(&self, (service, operation): (usize, usize)) -> String {
        let (name, it) = self.model.services.get_index(service).expect("the service exists");
        let operation = it.operations.get_index(operation).expect("the operation exists");
        format!("{}.{}", name.value, operation.0.value)
    }

    /// A timeout that is longer than that of the caller above: the service goes on waiting for nobody.
    fn inversions(&mut self) {
        let clients = self.model.clients.len();
        for (inner, (_, operation)) in self.targets.iter().enumerate() {
            let (Some(operation), Some((own, place))) = (operation, self.timeouts[inner]) else { continue };
            let service = self.plan.edges[inner].caller as usize - clients;
            let above = self.plan.edges.iter().zip(&self.timeouts).filter_map(|(edge, timeout)| {
                let into = edge.service as usize == service && edge.operation as usize == *operation;
                timeout.filter(|_| into).map(|(limit, place)| (limit, place, edge.name.clone()))
            });
            if let Some((limit, above, name)) = above.min_by_key(|it| it.0)
                && own > limit
            {
                let message = format!("this timeout of {own} is longer than the {limit} of its caller ({name})");
                self.found.push(
                    Diagnostic::warning(place, message)
                        .also(above, "the caller stops waiting here")
                        .help("timeouts should get shorter on the way down, or the work is done for nobody"),
                );
            }
        }
    }

    /// Calls over links that lose messages, without a timeout.
    fn waits_for_ever(&mut self) {
        for (edge, ((place, _), timeout)) in self.plan.edges.iter().zip(self.targets.iter().zip(&self.timeouts)) {
            // A service that does not exist is the largest number.
            let (caller, service) = (edge.caller, edge.service.saturating_add(self.model.clients.len() as u32));
            let between = |link: &&Link| [(caller, service), (service, caller)].contains(&(link.from, link.to));
            if timeout.is_none()
                && let Some(link) = self.plan.links.iter().filter(between).find(|link| link.loss > 0.0)
            {
                let message = format!("messages on {} can be lost, and this call has no timeout", link.name);
                let help =
                    "who waits for an answer that was lost waits for ever, and keeps its worker: add a `timeout`";
                self.found.push(Diagnostic::warning(*place, message).help(help));
            }
        }
    }

    /// Balancers that need to know something of requests or callers.
    fn balancers(&mut self) {
        let model = self.model;
        let clients = model.clients.len();
        let parts_with_keys = self.parts_with_keys();
        for (number, (name, spec)) in model.services.iter().enumerate() {
            let place = spec.balance.place;
            let without_keys = parts_with_keys[clients + number] == (true, false);
            if spec.balance.by.points().is_some() && spec.replicas > 1 && without_keys {
                let message = format!("no request to `{}` has a key: all would go to one replica", name.value);
                let help = "say what the requests of a client, or the calls, are about, e.g. `keys: { uniform: 1000 }`";
                self.error(place, message, help);
            }
            if let Some(check) = &spec.balance.health_check
                && spec.operations.get(&check.operation.value).is_none()
            {
                let known = names(&spec.operations);
                self.unknown(&check.operation, "the service has no such operation", known);
            }
            self.empty_zones(number);
            if spec.balance.zones.is_none() {
                continue;
            }
            let callers = self.plan.edges.iter().filter(|edge| edge.service as usize == number);
            if spec.zones.is_empty() {
                let message = format!("the replicas of `{}` are in no zones", name.value);
                self.error(place, message, "give the service `zones: [a, b, c]`");
            } else if callers.clone().count() > 0
                && callers.clone().all(|it| self.plan.zones(it.caller as usize).is_empty())
            {
                let message = format!("nobody who calls `{}` is in a zone: there is none to prefer", name.value);
                self.error(place, message, "give its callers `zones: [a, b, c]` too");
            }
        }
    }

    /// The zones in which a service has replicas; one further on in its list than there are replicas has none.
    fn zones_of(&self, service: usize) -> &[u32] {
        let service = &self.plan.services[service];
        &service.zones[..service.zones.len().min(service.replicas as usize)]
    }

    /// Callers in a zone where a service that prefers zones has no replica, or where nobody has any.
    fn empty_zones(&mut self, number: usize) {
        let (model, here) = (self.model, self.zones_of(number).to_vec());
        if here.is_empty() {
            return;
        }
        let (name, service) = model.services.iter().nth(number).expect("it is one of the model");
        let prefers = service.balance.zones.is_some();
        let anywhere: Vec<u32> = (0..self.plan.services.len()).flat_map(|it| self.zones_of(it)).copied().collect();
        let mut told = Vec::new();
        for edge in &self.plan.edges {
            let caller = edge.caller as usize;
            if edge.service as usize != number || told.contains(&caller) {
                continue;
            }
            told.push(caller);
            let clients = model.clients.len();
            let written = match caller.checked_sub(clients) {
                None => model.clients.iter().nth(caller).map(|(_, it)| &it.zones),
                Some(at) => model.services.iter().nth(at).map(|(_, it)| &it.zones),
            };
            for zone in written.into_iter().flatten() {
                let at = self.zones.iter().position(|known| *known == zone.value).map(|at| at as u32);
                let empty = at.is_some_and(|at| !here.contains(&at) && (prefers || !anywhere.contains(&at)));
                if empty {
                    let message = format!(
                        "no replica of `{}`, which is called from here, is in zone `{}`",
                        name.value, zone.value
                    );
                    let known = here.iter().map(|&at| self.zones[at as usize].as_str());
                    let help = format!("it has replicas in: {}", known.collect::<Vec<_>>().join(", "));
                    self.found.push(Diagnostic::warning(zone.place, message).help(help));
                }
            }
        }
    }

    /// For each part, whether it makes or gets requests at all, and whether some of them have keys.
    fn parts_with_keys(&self) -> Vec<(bool, bool)> {
        let clients = self.plan.clients.iter().map(|client| match client.source {
            // It gets its requests from others.
            Source::Topic(_) => (false, false),
            _ => (true, client.keys != keys::Spec::Same),
        });
        let mut parts: Vec<(bool, bool)> = clients.collect();
        parts.resize(self.plan.parts(), (false, false));
        // From those who publish to those who consume, and on to those who consume the dead.
        let dead = self.plan.groups.iter().filter_map(|it| Some((it.client, it.dead_letter?)));
        let mut messages: Vec<(u32, u32)> = Vec::new();
        for (number, topic) in self.plan.topics.iter().enumerate() {
            let letters = dead.clone().filter(|it| it.1 as usize == number).map(|it| it.0);
            for from in topic.publishers.iter().copied().chain(letters) {
                messages.extend(topic.groups.iter().map(|&group| (from, self.plan.groups[group as usize].client)));
            }
        }
        // What is new at a part is new for those below it. Nothing is ever taken back, so this ends.
        loop {
            let before = parts.clone();
            for edge in self.plan.edges.iter().filter(|edge| edge.service != u32::MAX && edge.probes.is_none()) {
                let (is_made, has_key) = before[edge.caller as usize];
                let has_key = edge.keys.map_or(has_key, |own| own != keys::Spec::Same);
                let to = &mut parts[self.plan.clients.len() + edge.service as usize];
                *to = (to.0 || is_made, to.1 || (is_made && has_key));
            }
            for &(from, to) in &messages {
                let (is_made, has_key) = before[from as usize];
                let to = &mut parts[to as usize];
                *to = (to.0 || is_made, to.1 || (is_made && has_key));
            }
            if parts == before {
                return parts;
            }
        }
    }

    fn schedule(&mut self, experiment: &Experiment) {
        let length = time(*experiment.length);
        let warmup = experiment.warmup.as_ref().map_or(Time::ZERO, |span| time(span.value));
        let resolution = experiment.resolution.map_or_else(|| usual_resolution(length), |span| span.0);
        if length == Time::ZERO {
            self.error(experiment.length.place, "a run of no length", "e.g. `length: 120s`");
        }
        if let Some(until) = &experiment.seeds.until
            && until.0 <= 0.0
        {
            self.error(until.place, "no number of seeds makes an interval of no width", "e.g. `until: 5%`");
        }
        if !(1..=MOST_SEEDS).contains(&experiment.seeds.at_most) {
            self.error(
                experiment.seeds.place,
                format!("{} seeds cannot be run", experiment.seeds.at_most),
                format!("between 1 and {MOST_SEEDS}; 20 are enough for most claims"),
            );
        }
        if let Some(span) = &experiment.warmup
            && warmup >= length
        {
            self.error(span.place, "the warm-up is as long as the run: nothing would count", "make `length` longer");
        }
        if resolution.is_zero() || length.nanos() / resolution.nanos().max(1) > MOST_BUCKETS {
            self.error(
                experiment.length.place,
                format!("a time line of {} in steps of {resolution} is too long to keep", *experiment.length),
                format!("choose a `resolution` that makes at most {MOST_BUCKETS} steps"),
            );
        }
        self.plan.schedule = Schedule {
            length,
            warmup,
            drain: experiment.drain.map_or(Duration::from_secs(60), |span| span.0),
            resolution,
            windows: Vec::new(),
            disturbed: None,
        };
    }

    fn service_number(&mut self, name: &Spanned<String>) -> Option<u32> {
        let number = self.model.services.index_of(&name.value);
        if number.is_none() {
            let model = self.model;
            self.unknown(name, "no service has this name", model.services.iter().map(|(n, _)| n.value.as_str()));
        }
        number.map(|number| number as u32)
    }

    fn part_number(&mut self, name: &Spanned<String>) -> Option<u32> {
        let model = self.model;
        let client = model.clients.index_of(&name.value);
        let number = client.or_else(|| model.services.index_of(&name.value).map(|n| n + model.clients.len()));
        if number.is_none() {
            let clients = model.clients.iter().map(|(n, _)| n.value.as_str());
            let services = model.services.iter().map(|(n, _)| n.value.as_str());
            self.unknown(name, "no client or service has this name", clients.chain(services));
        }
        number.map(|number| number as u32)
    }

    fn which(
        &mut self,
        place: Place,
        service: u32,
        (replica, share, zone): (Option<u32>, Option<Share>, Option<&Spanned<String>>),
    ) -> Which {
        let replicas = self.plan.services[service as usize].replicas;
        match (replica, share, zone) {
            (None, None, None) => Which::All,
            (Some(replica), None, None) if replica < replicas => Which::One(replica),
            (Some(replica), None, None) => {
                let name = self.plan.services[service as usize].name.clone();
                let message = format!("`{name}` has no replica {replica}");
                self.error(place, message, format!("it has {replicas}, counted from 0"));
                Which::All
            }
            // At least one: a fault of nobody is not what anybody means.
            (None, Some(share), None) => {
                Which::Some(((share.0 * f64::from(replicas)).ceil() as u32).clamp(1, replicas.max(1)))
            }
            (None, None, Some(zone)) => {
                let number = self.zones.iter().position(|known| *known == zone.value).map(|number| number as u32);
                // A zone further on in the list than there are replicas has none of them.
                let mut used = self.plan.services[service as usize].zones.clone();
                used.truncate(replicas as usize);
                if let Some(number) = number.filter(|number| used.contains(number)) {
                    return Which::Zone(number);
                }
                let known: Vec<String> = used.iter().map(|&number| self.zones[number as usize].clone()).collect();
                self.unknown(
                    zone,
                    "no replica of the service is in a zone of this name",
                    known.iter().map(String::as_str),
                );
                Which::All
            }
            _ => {
                self.error(place, "`replica`, `share` and `zone` exclude each other", "give one of them");
                Which::All
            }
        }
    }

    /// The links that a fault names.
    fn fault_links(
        &mut self,
        place: Place,
        between: Option<&Vec<Spanned<String>>>,
        from: Option<&Spanned<String>>,
        to: Option<&Spanned<String>>,
    ) -> Vec<u32> {
        let ends = match (between, from, to) {
            (Some(two), None, None) if two.len() == 2 => (&two[0], &two[1], true),
            (None, Some(from), Some(to)) => (from, to, false),
            _ => {
                self.error(place, "which link?", "`between: [a, b]` for both ways, or `from: a` and `to: b` for one");
                return Vec::new();
            }
        };
        let (Some(a), Some(b)) = (self.part_number(ends.0), self.part_number(ends.1)) else { return Vec::new() };
        let links: Vec<u32> = self
            .plan
            .links
            .iter()
            .enumerate()
            .filter(|(_, link)| (link.from, link.to) == (a, b) || (ends.2 && (link.from, link.to) == (b, a)))
            .map(|(number, _)| number as u32)
            .collect();
        if links.is_empty() {
            let message = format!("`{}` and `{}` do not talk to each other", ends.0.value, ends.1.value);
            self.error(ends.1.place, message, "nothing would happen: name two parts of which one calls the other");
        }
        links
    }

    fn faults(&mut self, experiment: &Experiment) {
        for fault in &experiment.faults {
            let Some((what, default_name)) = self.what(fault) else { continue };
            let Some(timing) = self.timing(fault) else { continue };
            let wanted = fault.name.as_ref().map_or(default_name, |name| name.value.clone());
            let again = self.plan.faults.iter().filter(|other| other.name.split('#').next() == Some(&wanted)).count();
            let name = if again == 0 { wanted } else { format!("{wanted}#{}", again + 1) };
            let ramp = fault.ramp.map_or(Duration::ZERO, |span| span.0);
            self.plan.faults.push(plan::Fault { name, timing, ramp, what });
        }
    }

    fn what(&mut self, fault: &Spanned<Fault>) -> Option<(What, String)> {
        let kinds = [
            fault.slow.is_some(),
            fault.errors.is_some(),
            fault.crash.is_some(),
            fault.pause.is_some(),
            fault.partition.is_some(),
            fault.link.is_some(),
            fault.surge.is_some(),
            fault.disconnect.is_some(),
            fault.flush.is_some(),
        ];
        if kinds.iter().filter(|given| **given).count() != 1 {
            self.error(
                fault.place,
                "a fault is exactly one thing",
                "give one of `slow`, `errors`, `crash`, `pause`, `partition`, `link`, `surge`, `disconnect`, `flush`",
            );
            return None;
        }
        let place = fault.place;
        if let Some(it) = &fault.slow {
            let service = self.service_number(&it.service)?;
            if !positive(it.factor) {
                self.error(place, "the factor must be above zero", "5 makes work five times as long");
            }
            let which = self.which(place, service, (it.replica, it.share, it.zone.as_ref()));
            return Some((What::Slow { service, which, factor: it.factor }, format!("slow {}", it.service.value)));
        }
        if let Some(it) = &fault.errors {
            let service = self.service_number(&it.service)?;
            let which = self.which(place, service, (it.replica, it.share, it.zone.as_ref()));
            let outcome = match it.outcome.unwrap_or(When::Error) {
                When::Error => Outcome::Error,
                When::Unavailable => Outcome::Unavailable,
                When::Throttled => Outcome::Throttled(Duration::ZERO),
                When::Rejected => Outcome::Rejected,
                When::Timeout | When::Unreachable | When::Refused => {
                    self.error(
                        place,
                        "a server cannot answer so",
                        "give `error`, `unavailable`, `throttled` or `rejected`",
                    );
                    Outcome::Error
                }
            };
            let what = What::Errors { service, which, rate: whole_unless(it.rate), outcome, fast: it.fast };
            return Some((what, format!("errors {}", it.service.value)));
        }
        if let Some(it) = &fault.crash {
            let service = self.service_number(&it.service)?;
            let which = self.which(place, service, (it.replica, it.share, it.zone.as_ref()));
            return Some((What::Crash { service, which, silent: it.silent }, format!("crash {}", it.service.value)));
        }
        if let Some(it) = &fault.pause {
            let service = self.service_number(&it.service)?;
            let which = self.which(place, service, (it.replica, it.share, it.zone.as_ref()));
            return Some((What::Pause { service, which }, format!("pause {}", it.service.value)));
        }
        if let Some(Partition { between, from, to }) = &fault.partition {
            let links = self.fault_links(place, between.as_ref(), from.as_ref(), to.as_ref());
            return Some((What::Partition { links }, "partition".to_owned()));
        }
        if let Some(LinkFault { between, from, to, latency, loss, bandwidth }) = &fault.link {
            let links = self.fault_links(place, between.as_ref(), from.as_ref(), to.as_ref());
            let latency = latency.as_ref().map_or(Dist::Constant(Duration::ZERO), |law| self.dist(law));
            let loss = loss.map_or(0.0, |share| share.0);
            let bandwidth = bandwidth.map_or(f64::INFINITY, |rate| rate.0);
            return Some((What::Link { links, latency, loss, bandwidth }, "link".to_owned()));
        }
        if let Some(it) = &fault.disconnect {
            let client = self.client_number(&it.client)?;
            let Source::Fleet(fleet) = &self.plan.clients[client as usize].source else {
                self.error(it.client.place, "only a fleet has members", "give the client a `fleet`");
                return None;
            };
            let all = fleet.members;
            let members = (whole_unless(it.share) * f64::from(all)).ceil() as u32;
            let members = members.clamp(1, all.max(1));
            let within = it.within.map_or(Duration::ZERO, |span| span.0);
            return Some((What::Disconnect { client, members, within }, format!("disconnect {}", it.client.value)));
        }
        if let Some(it) = &fault.flush {
            let model = self.model;
            let Some(number) = model.caches.index_of(&it.cache.value) else {
                self.unknown(&it.cache, "no cache has this name", names(&model.caches));
                return None;
            };
            let which = self.tables(place, number, it);
            return Some((What::Flush { cache: number as u32, which }, format!("flush {}", it.cache.value)));
        }
        let it = fault.surge.as_ref().expect("one of the kinds is given");
        let client = self.client_number(&it.client)?;
        if !positive(it.factor) {
            self.error(place, "the factor must be above zero", "3 makes three times the load");
        }
        if !matches!(self.plan.clients[client as usize].source, Source::Open { .. }) {
            self.error(
                it.client.place,
                "only clients with `arrivals` at a rate can surge",
                "give a closed loop more users instead",
            );
        }
        Some((What::Surge { client, factor: it.factor }, format!("surge {}", it.client.value)))
    }

    fn client_number(&mut self, name: &Spanned<String>) -> Option<u32> {
        let number = self.model.clients.index_of(&name.value);
        if number.is_none() {
            let model = self.model;
            self.unknown(name, "no client has this name", model.clients.iter().map(|(n, _)| n.value.as_str()));
        }
        number.map(|number| number as u32)
    }

    /// The tables of a cache that are flushed.
    fn tables(&mut self, place: Place, cache: usize, spec: &Flush) -> Which {
        let it = &self.plan.caches[cache];
        let instances = |part: usize| self.plan.instances(part) as u32;
        let tables = match it.at {
            Some(service) => instances(self.plan.clients.len() + service as usize),
            None if it.spec.shared => 1,
            None => it.users.iter().map(|&part| instances(part as usize)).sum(),
        };
        match (spec.replica, spec.share) {
            (None, None) => Which::All,
            (Some(replica), None) if replica < tables => Which::One(replica),
            (Some(replica), None) => {
                let message = format!("the cache `{}` has no table {replica}", spec.cache.value);
                self.error(place, message, format!("it has {tables}, counted from 0"));
                Which::All
            }
            (None, Some(share)) => Which::Some(((share.0 * f64::from(tables)).ceil() as u32).clamp(1, tables.max(1))),
            (Some(_), Some(_)) => {
                self.error(place, "`replica` and `share` exclude each other", "give one of them");
                Which::All
            }
        }
    }

    fn timing(&mut self, fault: &Spanned<Fault>) -> Option<Timing> {
        let length = self.plan.schedule.length;
        if fault.flush.is_some() && (fault.lasts.is_some() || fault.ramp.is_some()) {
            let help =
                "leave `for` and `ramp` out; for a cache that is gone for a time crash the service that holds it";
            self.error(fault.place, "a flush is over at once", help);
        }
        if let Some(random) = fault.random {
            if fault.at.is_some() || fault.lasts.is_some() || fault.repeat.is_some() {
                self.error(
                    fault.place,
                    "`random` says when: `at`, `for` and `repeat` do not go with it",
                    "leave them out",
                );
            }
            if random.mean_time_between.0.min(random.mean_time_to_repair.0) < Duration::from_millis(1) {
                let help = "give `mean_time_between` and `mean_time_to_repair` at least 1ms";
                self.error(fault.place, "a mean time that is too short", help);
                return None;
            }
            return Some(Timing::Random { between: random.mean_time_between.0, repair: random.mean_time_to_repair.0 });
        }
        let at = fault.at.as_ref().map_or(Time::ZERO, |span| time(span.value));
        let usual = if fault.flush.is_some() { Duration::from_secs(1) } else { Duration::FOREVER };
        let lasts = fault.lasts.map_or(usual, |span| span.0);
        if at >= length {
            let place = fault.at.as_ref().map_or(fault.place, |span| span.place);
            self.error(
                place,
                format!("the fault begins at {at}, when the run is over"),
                format!("the run is {length} long"),
            );
            return None;
        }
        if lasts.is_zero() {
            self.error(fault.place, "a fault that lasts no time", "give `for` a time above zero");
            return None;
        }
        let mut times = Vec::new();
        match fault.repeat {
            None => times.push((at, (at + lasts).min(length))),
            Some(repeat) => {
                if repeat.times == Some(0) {
                    self.error(fault.place, "a fault that comes no times", "leave it out, or give `times` at least 1");
                    return None;
                }
                if repeat.every.0 <= lasts {
                    self.error(
                        fault.place,
                        "the fault comes again before it is over",
                        "make `every` longer than `for`",
                    );
                    return None;
                }
                if length.nanos() / repeat.every.0.nanos() > 100_000 {
                    self.error(fault.place, "the fault comes again too often", "at most 100000 times in a run");
                    return None;
                }
                let mut start = at;
                while start < length && repeat.times.is_none_or(|most| times.len() < most as usize) {
                    times.push((start, (start + lasts).min(length)));
                    start += repeat.every.0;
                }
            }
        }
        Some(Timing::Planned(times))
    }

    fn windows(&mut self, experiment: &Experiment) {
        let (warmup, length) = (self.plan.schedule.warmup, self.plan.schedule.length);
        let window = |name: &str, from: Time, until: Time| Window { name: name.to_owned(), from, until };
        let mut windows = vec![window("all", warmup, length)];
        let mut spans = Vec::new();
        for fault in &self.plan.faults {
            if let Timing::Planned(times) = &fault.timing
                && let (Some(first), Some(last)) = (times.first(), times.last())
            {
                spans.push((format!("fault:{}", fault.name), first.0, last.1));
            }
        }
        let begins = spans.iter().map(|span| span.1).min();
        let ends = spans.iter().map(|span| span.2).max();
        if let (Some(begins), Some(ends)) = (begins, ends) {
            if begins > warmup {
                windows.push(window("before", warmup, begins));
            }
            windows.extend(spans.iter().map(|(name, from, until)| window(name, *from, *until)));
            if ends < length {
                windows.push(window("after", ends, length));
            }
            self.plan.schedule.disturbed = Some((begins, ends));
        }
        for (name, spec) in experiment.windows.iter() {
            let (from, until) = (time(spec.from), time(spec.to));
            if from >= until || until > length {
                self.error(
                    name.place,
                    format!("the window `{}` is not within the run", name.value),
                    format!("give it a start and a later end, at most {length}"),
                );
            } else if windows.iter().any(|other| other.name == name.value) {
                self.error(name.place, format!("there is a window `{}` already", name.value), "choose another name");
            } else {
                windows.push(window(&name.value, from, until));
            }
        }
        self.plan.schedule.windows = windows;
    }

    fn limits(&mut self, experiment: &Experiment) {
        let (spec, default) = (&experiment.limits, Limits::default());
        self.plan.limits = Limits {
            events: spec.events.unwrap_or(default.events),
            events_per_instant: spec.events_per_instant.unwrap_or(default.events_per_instant),
            memory: spec.memory.map_or(default.memory, |size| size.0),
            time: spec.time.map_or(default.time, time),
        };
    }
}

/// The names of a map, for messages.
pub(super) fn names<T>(named: &Named<T>) -> impl Iterator<Item = &str> {
    named.iter().map(|(name, _)| name.value.as_str())
}
