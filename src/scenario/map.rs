//! The section `map` of an experiment: along which range the boundary is looked for, how closely, and what is claimed of it.

use schemars::JsonSchema;
use serde::Deserialize;

use super::experiment::VerdictName;
use super::source::{Named, Spanned};
use super::tree::Node;
use super::units::Share;

/// A stability map: where along a range the system stops coming back, for each combination of the other axes. `blackstart map` makes it,
/// with as many `seeds` as the experiment has; `run` does not. With fewer than six there are no intervals.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Map")]
pub struct Spec {
    /// The axis along which the boundary is looked for: one of `vary`, with `from` and `to`. Its `steps` are tried first, and more of them
    /// see more islands. Default: the only range.
    #[serde(default)]
    pub along: Option<Spanned<String>>,
    /// How closely an edge is looked for: until the places on both sides of it are no further apart than this share of the value (near
    /// zero, of a hundredth of the range). Between 0.01% and 50%. Default: 1%.
    #[serde(default)]
    pub within: Option<Spanned<Share>>,
    /// Which verdicts count as having come back. Default: `[ never_disturbed, recovered ]`. In any case a run does not count in which a
    /// client got fewer than half of its answers even before the faults: it had nothing to come back to.
    #[serde(default)]
    pub recovers: Option<Spanned<Vec<VerdictName>>>,
    /// What is claimed of the map. A claim that does not hold, or cannot be decided with these seeds, makes `map` end with 1.
    #[serde(default)]
    pub expect: Vec<Spanned<Claim>>,
}

/// A claim on a map: a bound of the boundary, or what the system does everywhere. It is checked for every row that `where` leaves.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MapClaim")]
pub struct Claim {
    /// The claim in words.
    pub claim: String,
    /// Only rows with these values of the other axes. Default: all rows.
    #[serde(default, rename = "where")]
    pub filter: Named<Node>,
    /// The boundary, at which half of the runs come back, is at most here: a value in the unit of the range. Holds if the whole 95 %
    /// interval keeps to it, fails if the whole interval is beyond or if the row has no boundary or several, and is undecided in between.
    #[serde(default)]
    pub at_most: Option<Node>,
    /// The boundary is at least here.
    #[serde(default)]
    pub at_least: Option<Node>,
    /// Instead: there is no boundary, and all runs that were made along the whole range end like this.
    #[serde(default)]
    pub everywhere: Option<Everywhere>,
}

/// What a system does along a whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Everywhere {
    /// Every run came back.
    Recovers,
    /// No run came back.
    Stuck,
}
