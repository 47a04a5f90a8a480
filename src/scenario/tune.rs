//! What `blackstart tune` searches for: the section `tune` of an experiment file.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::experiment::VerdictName;
use super::source::Spanned;
use super::tree::Node;
use crate::short_form;

/// What `blackstart tune` looks for among the values of `vary` and `variants`. `run` and `sweep` take no notice of it. Exactly one of
/// `maximise` and `minimise` says what is best.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// The more of it, the better.
    #[serde(default)]
    pub maximise: Option<Spanned<Figure>>,
    /// The less of it, the better.
    #[serde(default)]
    pub minimise: Option<Spanned<Figure>>,
    /// What must hold of a setting, besides. It is judged as claims are, with intervals.
    #[serde(default)]
    pub subject_to: Vec<Spanned<Bound>>,
    /// A second objective, which is had only at the cost of the first: the settings are found of which no other is better in both.
    #[serde(default)]
    pub against: Option<Spanned<Goal>>,
    /// The axis of circumstances, such as faults or loads, under all of which a setting must be good. All other axes are set.
    /// Default: none.
    #[serde(default)]
    pub over: Option<Circumstances>,
    /// Settings that are tried: points of Sobol's sequence in the ranges and lists of `vary`, or every combination of lists that has
    /// no more. Default: 64.
    #[serde(default)]
    pub candidates: Option<Spanned<u32>>,
    /// Seeds for each setting in the search, at most; the answer is then run with as many that the search has not seen. Default: 32.
    #[serde(default)]
    pub seeds: Option<Spanned<u32>>,
    /// Whether and how it is looked for how much each axis matters. Default: not at all.
    #[serde(default)]
    pub sensitivity: Option<Sensitivity>,
}

impl Tune {
    /// The first objective; [`None`] unless there is exactly one.
    #[must_use]
    pub fn goal(&self) -> Option<Goal> {
        match (&self.maximise, &self.minimise) {
            (Some(figure), None) => Some(Goal::Maximise(figure.value.clone())),
            (None, Some(figure)) => Some(Goal::Minimise(figure.value.clone())),
            _ => None,
        }
    }
}

/// A figure, and which way is better.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The more, the better.
    Maximise(Figure),
    /// The less, the better.
    Minimise(Figure),
}

impl Goal {
    /// Of what.
    #[must_use]
    pub fn figure(&self) -> &Figure {
        match self {
            Self::Maximise(figure) | Self::Minimise(figure) => figure,
        }
    }
}

/// A metric of one entity, or the sum over several.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The metric.
    pub metric: Spanned<String>,
    /// The entity, or a list of entities whose figures are added up, as those of cost are. Default: the only client.
    #[serde(default)]
    pub of: Whose,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
}

/// What must hold of a setting: a metric, or a verdict, and a bound.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bound {
    /// The metric.
    #[serde(default)]
    pub metric: Option<Spanned<String>>,
    /// The entity, or a list of entities whose figures are added up. Default: the only client.
    #[serde(default)]
    pub of: Whose,
    /// The window. Default: `all`.
    #[serde(default)]
    pub window: Option<Spanned<String>>,
    /// Instead of `metric`: the share of the runs that end with this verdict, with Wilson's interval.
    #[serde(default)]
    pub verdict: Option<VerdictName>,
    /// At most this. A time, a share, or a number, as the metric wants.
    #[serde(default)]
    pub at_most: Option<Node>,
    /// At least this.
    #[serde(default)]
    pub at_least: Option<Node>,
}

/// The axis of circumstances. Short form: its name, `over: variant`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(!remote, transform = crate::scenario::tree::or_short::<Spanned<String>>)]
pub struct Circumstances {
    /// The axis: a list, or `variant`.
    pub axis: Spanned<String>,
    /// What of its values counts. Default: `worst`.
    #[serde(default)]
    pub take: Take,
}

short_form!(Circumstances, Spanned<String>, |axis| Circumstances { axis, take: Take::default() });

/// What counts of several circumstances. Every seed is met in all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// With each seed, the worst of them.
    #[default]
    Worst,
    /// Their mean: all are equally likely.
    Mean,
}

/// A way to find out how much each axis matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Elementary effects: how far the objective moves when one value is changed, from many places. Cheap: tens of settings.
    Morris,
    /// Shares of the variance, alone and together with others. Dear: hundreds of settings.
    Sobol,
}

impl Sensitivity {
    /// As written in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Morris => "morris",
            Self::Sobol => "sobol",
        }
    }
}

/// One entity, or several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Whose(pub Vec<Spanned<String>>);

impl<'de> Deserialize<'de> for Whose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(deserializer)?;
        let name = |node: &Node| Some(Spanned::new(node.as_str()?.to_owned(), node.place));
        let names = match node.as_seq() {
            Some(items) => items.iter().map(name).collect(),
            None => name(&node).map(|name| vec![name]),
        };
        names
            .map(Whose)
            .ok_or_else(|| de::Error::custom("expected an entity, such as `client/users`, or a list of them"))
    }
}

impl JsonSchema for Whose {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Whose".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}
