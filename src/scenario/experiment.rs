//! An experiment file: what is done to a model, what is varied, what is charted, and what is claimed.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::distribution;
use super::map;
use super::source::{Named, Spanned};
use super::tree::Node;
use super::tune::Tune;
use super::units::{Bandwidth, Share, Size, Span};
use crate::engine::Duration;
use crate::policy::When;
use crate::short_form;

/// An experiment file.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The model: the name of a file in `models/` without its ending, or a path relative to this file.
    pub model: Spanned<String>,
    /// What one learns from it, in a sentence.
    #[serde(default)]
    pub lesson: Option<String>,
    /// Requests made after this time do not count. Those under way may still end, among others that keep coming.
    pub length: Spanned<Span>,
    /// Nothing before this time counts: the system fills up. Default: 0.
    #[serde(default)]
    pub warmup: Option<Spanned<Span>>,
    /// Runs that differ only in their luck. Default: 5.
    #[serde(default = "five")]
    pub seeds: Spanned<Seeds>,
    /// The first seed; the others follow it. Default: 1.
    #[serde(default = "one")]
    pub seed: u64,
    /// Values of the model or of this experiment that are other than in their files: paths and values.
    #[serde(default)]
    pub set: Named<Node>,
    /// What goes wrong, and when.
    #[serde(default)]
    pub faults: Vec<Spanned<Fault>>,
    /// What is varied: paths into the model or this experiment, and their values. Every combination is a point. With a `path`
    /// of its own, the key is the name of the axis instead.
    #[serde(default)]
    pub vary: Named<Vary>,
    /// Points drawn from the ranges of `vary`, instead of every combination of their steps. Lists and variants are combined with
    /// every point that is drawn.
    #[serde(default)]
    pub sample: Option<Spanned<Sample>>,
    /// Named sets of changes, to compare like "with" and "without". An axis called `variant`.
    #[serde(default)]
    pub variants: Named<Named<Node>>,
    /// Further spans of time over which figures are taken.
    #[serde(default)]
    pub windows: Named<WindowSpec>,
    /// The step of time lines. Default: `1s`; in longer runs the next of 2 s, 5 s, 10 s, … that makes at most 1,000
    /// steps, so that a run ten times as long needs no more memory.
    #[serde(default)]
    pub resolution: Option<Span>,
    /// How much longer than `length` what is under way may take to end. What has not ended then is `unfinished`.
    /// Default: `60s`.
    #[serde(default)]
    pub drain: Option<Span>,
    /// What is drawn.
    #[serde(default)]
    pub charts: Vec<Spanned<Chart>>,
    /// What is claimed. A claim that does not hold, or cannot be decided with these seeds, makes `run` end with 1.
    #[serde(default)]
    pub expect: Vec<Spanned<Claim>>,
    /// Where along a range the system stops coming back: what `blackstart map` looks for.
    #[serde(default)]
    pub map: Option<Spanned<map::Spec>>,
    /// What `blackstart tune` looks for among the values of `vary` and `variants`.
    #[serde(default)]
    pub tune: Option<Spanned<Tune>>,
    /// What ends a run early, with partial results.
    #[serde(default)]
    pub limits: Limits,
}

impl Default for Experiment {
    /// Of no length, with a model that is not named.
    fn default() -> Self {
        Self {
            model: String::new().into(),
            lesson: None,
            length: Span(Duration::ZERO).into(),
            warmup: None,
            seeds: five(),
            seed: one(),
            set: Named::default(),
            faults: Vec::new(),
            vary: Named::default(),
            sample: None,
            variants: Named::default(),
            windows: Named::default(),
            resolution: None,
            drain: None,
            charts: Vec::new(),
            expect: Vec::new(),
            map: None,
            tune: None,
            limits: Limits::default(),
        }
    }
}

fn five() -> Spanned<Seeds> {
    Seeds::from(5).into()
}

fn one() -> u64 {
    1
}

/// How many seeds. Short form: their number, `20`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<u32>)]
pub struct Seeds {
    /// No more are run at a point once half the 95 % interval of each metric that is claimed there (without claims: of the goodput of each
    /// client) is at most this share of its mean, and that of each claimed share of runs at most this much. At least 10 are run.
    /// Default: all are run.
    #[serde(default)]
    pub until: Option<Spanned<Share>>,
    /// At most so many.
    pub at_most: u32,
}

short_form!(Seeds, u32, |at_most| Seeds { until: None, at_most });

/// An axis: `values`, or a range, `from` and `to`. Short form: its values, `[1, 2, 4]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Vec<Node>>)]
pub struct Vary {
    /// The path, if the key is to be the name of the axis: `order: { path: …, values: … }`. Default: the key is the path, and the
    /// axis is called like its last step.
    #[serde(default)]
    pub path: Option<Spanned<String>>,
    /// The values: a list, or names with a value each, by which tables, charts and `where` then call them.
    #[serde(default)]
    pub values: Option<Values>,
    /// The first value of a range: a number, with its unit if it has one. Between whole numbers without a unit, values are whole.
    #[serde(default)]
    pub from: Option<Node>,
    /// The last value of a range, in the same unit.
    #[serde(default)]
    pub to: Option<Node>,
    /// How many values the range has, both ends among them. Default: 5. With `sample`, none: it draws them.
    #[serde(default)]
    pub steps: Option<Spanned<u32>>,
    /// Whether neighbours differ by the same amount or by the same factor. Default: `linear`.
    #[serde(default)]
    pub scale: Scale,
}

short_form!(Vary, Vec<Node>, |values| Vary { values: Some(Values::List(values)), ..Vary::default() });

/// How the values of a range are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// By the same amount.
    #[default]
    Linear,
    /// By the same factor.
    Log,
}

/// How points are drawn from ranges. The same points always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// This many points of Sobol's sequence, which fills space evenly: best are powers of two. For at most 16 ranges.
    Sobol(u32),
    /// This many points, so that of as many slices of each range each holds one.
    LatinHypercube(u32),
}

/// The values of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Each is called as it is written.
    List(Vec<Node>),
    /// Each has a name.
    Named(Named<Node>),
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Values;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values, or names with a value each")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Values, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Values::List)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Values, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(Values::Named)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let value = generator.subschema_for::<Node>();
        schemars::json_schema!({
            "description": "A list of values, or names with a value each: `{ patient: 5s, hasty: 100ms }`.",
            "anyOf": [{ "type": "array", "items": value }, { "type": "object", "additionalProperties": value }]
        })
    }
}

/// A fault. Exactly one of `slow`, `errors`, `crash`, `pause`, `partition`, `link`, `surge`, `disconnect` and `flush` says what happens.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name, for its window `fault:<name>`. Default: what happens, and to whom.
    #[serde(default)]
    pub name: Option<Spanned<String>>,
    /// When it begins. Default: 0.
    #[serde(default)]
    pub at: Option<Spanned<Span>>,
    /// How long it lasts. Default: to the end.
    #[serde(default, rename = "for")]
    pub lasts: Option<Span>,
    /// It grows evenly to its full strength over this time. Default: at once.
    #[serde(default)]
    pub ramp: Option<Span>,
    /// It comes again.
    #[serde(default)]
    pub repeat: Option<Repeat>,
    /// It comes and goes at random, instead of `at` and `for`.
    #[serde(default)]
    pub random: Option<Random>,

    /// Work that begins takes longer.
    #[serde(default)]
    pub slow: Option<Slow>,
    /// A share of the requests fails.
    #[serde(default)]
    pub errors: Option<Errors>,
    /// The process is gone, and starts afresh when the fault is over.
    #[serde(default)]
    pub crash: Option<Crash>,
    /// The process stands still, and goes on where it was: a long garbage collection, a stopped virtual machine. What
    /// reaches it meanwhile waits unseen.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// Messages between two parts are lost.
    #[serde(default)]
    pub partition: Option<Partition>,
    /// A link is slower, lossier or narrower.
    #[serde(default)]
    pub link: Option<LinkFault>,
    /// A client's load is multiplied.
    #[serde(default)]
    pub surge: Option<Surge>,
    /// Members of a fleet are gone, and start again when the fault is over.
    #[serde(default)]
    pub disconnect: Option<Disconnect>,
    /// A cache is emptied, at once: with `at`, and with `repeat` again. Its window is the second from then on.
    #[serde(default)]
    pub flush: Option<Flush>,
}

/// It comes again and again.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// From one start to the next; longer than the fault lasts.
    pub every: Span,
    /// How often in all. Default: until the end.
    #[serde(default)]
    pub times: Option<u32>,
}

/// It comes and goes at random; both times are exponential.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// The mean time from the end of one to the start of the next (MTBF).
    pub mean_time_between: Span,
    /// The mean time that it lasts (MTTR).
    pub mean_time_to_repair: Span,
}

/// Work that begins takes longer.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// The service.
    pub service: Spanned<String>,
    /// Only this replica, counted from 0.
    #[serde(default)]
    pub replica: Option<u32>,
    /// Only this share of the replicas, drawn for each run.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only the replicas in this zone.
    #[serde(default)]
    pub zone: Option<Spanned<String>>,
    /// How many times as long.
    pub factor: f64,
}

/// A share of the requests fails.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// The service.
    pub service: Spanned<String>,
    /// Only this replica, counted from 0.
    #[serde(default)]
    pub replica: Option<u32>,
    /// Only this share of the replicas, drawn for each run.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only the replicas in this zone.
    #[serde(default)]
    pub zone: Option<Spanned<String>>,
    /// The chance of each request to fail. Default: 100%.
    #[serde(default)]
    pub rate: Option<Share>,
    /// How they fail: `error` (500), `unavailable` (503), `throttled` (429) or `rejected` (4xx). Default: `error`.
    #[serde(default)]
    pub outcome: Option<When>,
    /// Whether they fail as soon as a worker takes them, before any work is done. Default: false, when their work is
    /// done.
    #[serde(default)]
    pub fast: bool,
}

/// The process is gone.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// The service.
    pub service: Spanned<String>,
    /// Only this replica, counted from 0.
    #[serde(default)]
    pub replica: Option<u32>,
    /// Only this share of the replicas, drawn for each run.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only the replicas in this zone.
    #[serde(default)]
    pub zone: Option<Spanned<String>>,
    /// Whether nothing answers at all, as from a host without power. Default: false; the operating system refuses
    /// connections, and callers know at once (`unreachable`).
    #[serde(default)]
    pub silent: bool,
}

/// The process stands still.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// The service.
    pub service: Spanned<String>,
    /// Only this replica, counted from 0.
    #[serde(default)]
    pub replica: Option<u32>,
    /// Only this share of the replicas, drawn for each run.
    #[serde(default)]
    pub share: Option<Share>,
    /// Only the replicas in this zone.
    #[serde(default)]
    pub zone: Option<Spanned<String>>,
}

/// Messages between two parts are lost: `between` (both ways), or `from` and `to` (one way).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Two parts.
    #[serde(default)]
    pub between: Option<Vec<Spanned<String>>>,
    /// The part whose messages are lost.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// The part that does not get them.
    #[serde(default)]
    pub to: Option<Spanned<String>>,
}

/// A link is slower, lossier or narrower: `between` (both ways), or `from` and `to` (one way).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkFault {
    /// Two parts.
    #[serde(default)]
    pub between: Option<Vec<Spanned<String>>>,
    /// One end.
    #[serde(default)]
    pub from: Option<Spanned<String>>,
    /// The other end.
    #[serde(default)]
    pub to: Option<Spanned<String>>,
    /// Added to the time of each message. Default: nothing.
    #[serde(default)]
    pub latency: Option<Spanned<distribution::Spec>>,
    /// Lost on top of what is lost anyway. Default: 0%.
    #[serde(default)]
    pub loss: Option<Share>,
    /// Bytes in a time at most. Default: as in the model.
    #[serde(default)]
    pub bandwidth: Option<Bandwidth>,
}

/// A client's load is multiplied.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    /// The client. It must have `arrivals` at a rate.
    pub client: Spanned<String>,
    /// How many times the load.
    pub factor: f64,
}

/// Members of a fleet are gone, with the requests that they have under way, and start again when the fault is over: a loss of power,
/// a network that comes back, a restart of all.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// The client. It must be a `fleet`.
    pub client: Spanned<String>,
    /// Only this share of its members, drawn for each run. Default: 100%.
    #[serde(default)]
    pub share: Option<Share>,
    /// Each starts again at a time drawn evenly within so long after the end of the fault. Default: 0s, all at the same instant.
    #[serde(default)]
    pub within: Option<Span>,
}

/// A cache is emptied.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flush {
    /// The cache.
    pub cache: Spanned<String>,
    /// Only the table of this instance of who uses the cache, or holds it, counted from 0.
    #[serde(default)]
    pub replica: Option<u32>,
    /// Only this share of its tables, drawn for each run.
    #[serde(default)]
    pub share: Option<Share>,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Span")]
pub struct WindowSpec {
    /// Its start.
    pub from: Span,
    /// Its end.
    pub to: Span,
}

/// What ends a run early. What was measured until then is written and marked, and `run` ends with 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Events in a run. Default: 20,000,000,000.
    #[serde(default)]
    pub events: Option<u64>,
    /// Events at one instant: beyond it, time does not pass any more. Default: 10,000,000.
    #[serde(default)]
    pub events_per_instant: Option<u64>,
    /// Memory of a run. Default: 4GiB.
    #[serde(default)]
    pub memory: Option<Size>,
    /// Simulated time. Default: no limit but `length` and `drain`.
    #[serde(default)]
    pub time: Option<Span>,
}

/// A chart. Externally tagged: `timeline: { metric: goodput, by: attempts }`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Chart {
    /// A metric over time: a line for each value of an axis, or for each of several entities.
    Timeline(Timeline),
    /// What was asked of a client's system and what it delivered, over time.
    Load(Overview),
    /// The latency percentiles of a client over time.
    Latency(Overview),
    /// The positions of breakers over time, as strips.
    Breakers(Strips),
    /// How many requests took longer than a time, on logarithmic axes.
    Distribution(Distribution),
    /// A metric as bars across an axis, with 95 % intervals.
    Bars(Bars),
    /// A metric along an axis of numbers, as a line with its 95 % intervals.
    Curve(Curve),
    /// A metric over two axes, as a map of colours.
    Heat(Heat),
    /// A metric against the load, while the load rises and while it falls. If the two curves differ, what the system does depends on
    /// what was before. For runs in which the load is ramped up and down again.
    Hysteresis(Hysteresis),
    /// How a metric differs from run to run: the share of the runs up to each value. A curve that ends below 100 % has runs whose value
    /// is infinite.
    Spread(Spread),
    /// The parts of the system in layers, and how many attempts are sent between them for each request of a client: amplification, hop
    /// by hop.
    Flow(Flow),
    /// The states of the replicas of a service over time, as strips: up, starting, down or paused.
    Replicas(Replicas),
}

impl Chart {
    /// Which points are left.
    #[must_use]
    pub fn filter(&self) -> &Named<Node> {
        match self {
            Self::Timeline(it) => &it.filter,
            Self::Load(it) | Self::Latency(it) => &it.filter,
            Self::Breakers(it) => &it.filter,
            Self::Distribution(it) => &it.filter,
            Self::Bars(it) => &it.filter,
            Self::Curve(it) => &it.filter,
            Self::Heat(it) => &it.filter,
            Self::Hysteresis(it) => &it.filter,
            Self::Spread(it) => &it.filter,
            Self::Flow(it) => &it.filter,
            Self::Replicas(it) => &it.filter,
        }
    }
}

/// A metric over time.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// The metric.
    pub metric: Spanned<String>,
    /// The entities. Default: the only client.
    #[serde(default)]
    pub of: Vec<Spanned<String>>,
    /// A line for each value of this axis. The other axes stay at their first value.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// An overview of a client.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overview {
    /// The client or edge. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// Strips of breakers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Strips {
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// A distribution of latencies.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// The client. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// A line for each value of this axis.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
    /// Whether the share up to each time is drawn, for comparing the bulk, instead of the share above it on logarithmic axes, for
    /// comparing the tail. Default: false.
    #[serde(default)]
    pub cumulative: bool,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// Bars across an axis.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bars {
    /// The metric.
    pub metric: Spanned<String>,
    /// The entities: a bar for each. Default: the only client.
    #[serde(default)]
    pub of: Vec<Spanned<String>>,
    /// The axis: a group of bars for each of its values. Default: the only axis.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// A metric along an axis.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The metric.
    pub metric: Spanned<String>,
    /// The entity. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// The horizontal axis. Its values must be numbers, all in one unit; if they grow by factors, it is logarithmic.
    pub over: Spanned<String>,
    /// A line for each value of this axis. The other axes stay at their first value.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// A metric over two axes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heat {
    /// The metric: the mean over the seeds.
    pub metric: Spanned<String>,
    /// The horizontal axis.
    pub x: Spanned<String>,
    /// The vertical axis. The axes that are not shown stay at their first value.
    pub y: Spanned<String>,
    /// The entity. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Values along which lines are drawn, between the points. Default: none.
    #[serde(default)]
    pub contour: Vec<Node>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// A metric against the load, up and down.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hysteresis {
    /// The metric; one that has a time line.
    pub metric: Spanned<String>,
    /// The client or edge. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// The load, a metric of the same entity. The time of its highest value divides the run in two. Default: `offered`.
    #[serde(default)]
    pub against: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// The distribution of a metric over runs.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The metric.
    pub metric: Spanned<String>,
    /// The entity. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// A curve for each value of this axis. The other axes stay at their first value.
    #[serde(default)]
    pub by: Option<Spanned<String>>,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Only points with these values of the axes.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// Attempts over the parts of the system.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Only points with these values of the axes. The first of those that are left is drawn.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// Strips of replicas.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replicas {
    /// The service; one of at most 16 replicas.
    pub of: Spanned<String>,
    /// Only points with these values of the axes. The first of those that are left is drawn, with its first seed.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
}

/// A claim: a metric, or a verdict, and a bound. It is checked at every point that `where` leaves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The claim in words.
    pub claim: String,
    /// Only points with these values of the axes. Default: all points.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
    /// The metric that is judged. `at_most` and `at_least` hold if the whole 95 % interval of its mean over the seeds keeps
    /// to them (with one seed: its value), fail if the whole interval is beyond, and are undecided in between; `equals` holds if every
    /// run has that value.
    #[serde(default)]
    pub metric: Option<Spanned<String>>,
    /// The entity. Default: the only client.
    #[serde(default)]
    pub of: Option<Spanned<String>>,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Instead of `metric`: the share of the runs that end with this verdict, with Wilson's interval. 100 % and 0 % mean all and none of
    /// the runs that are made.
    #[serde(default)]
    pub verdict: Option<VerdictName>,
    /// The metric is divided by its value in the same run at the point with these values of the axes.
    #[serde(default)]
    pub relative_to: Option<Spanned<Named<Node>>>,
    /// At most this. A time, a share, or a number, as the metric wants.
    #[serde(default)]
    pub at_most: Option<Node>,
    /// At least this.
    #[serde(default)]
    pub at_least: Option<Node>,
    /// Exactly this, to nine digits.
    #[serde(default)]
    pub equals: Option<Node>,
}

/// How a run ends; the worst stands last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictName {
    /// There is nothing to compare with: no answers between the warm-up and the first fault, faults only at random times,
    /// or a limit has stopped the run.
    NotJudged,
    /// The faults did no harm that could be seen.
    NeverDisturbed,
    /// Goodput fell, and came back.
    Recovered,
    /// Goodput has not come back, but it may be too early to tell, or a fault is still there.
    StillFailing,
    /// The faults are over, the outage is not, and nothing moves any more.
    Metastable,
}

impl VerdictName {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::NotJudged, Self::NeverDisturbed, Self::Recovered, Self::StillFailing, Self::Metastable];

    /// Whether everything was well in the end.
    #[must_use]
    pub fn came_back(self) -> bool {
        matches!(self, Self::NeverDisturbed | Self::Recovered)
    }

    /// As written in files and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotJudged => "not_judged",
            Self::NeverDisturbed => "never_disturbed",
            Self::Recovered => "recovered",
            Self::StillFailing => "still_failing",
            Self::Metastable => "metastable",
        }
    }
}
