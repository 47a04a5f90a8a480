//! budget: how many retries a caller may send, whatever each call would like.
//!
//! A token bucket: a retry costs one token; tokens come in with the ordinary traffic. *When* they come in matters.
//! Where failures are frequent (share f) and a deposit is r tokens, the load for each first try is 1 + r with a
//! deposit at each first try, and 1 / (1 − r (1 − f)) with one at each success: 1.10 against 1.053 at f = 0.5 and
//! r = 0.1, 1.1 against 1.0 when everything fails.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::outcome::Outcome;

/// When a token comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deposit {
    /// With each first try, as Finagle and the SRE book's 10 % budget do.
    #[default]
    FirstTry,
    /// With each success, as gRPC and the AWS SDKs do.
    Success,
}

/// A limit on the retries of a caller.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Budget")]
pub struct Spec {
    /// Tokens that come in with each deposit; a retry costs 1. 0.1 lets a tenth of the traffic be retries.
    pub deposit: f64,
    /// When tokens come in. Default: `first_try`.
    #[serde(default)]
    pub on: Deposit,
    /// Tokens in the bucket at the start. Default: 10.
    #[serde(default = "ten")]
    pub initial: f64,
    /// Tokens in the bucket at most. Default: 10.
    #[serde(default = "ten")]
    pub cap: f64,
}

fn ten() -> f64 {
    10.0
}

impl Spec {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, value) in [("deposit", self.deposit), ("initial", self.initial), ("cap", self.cap)] {
            if !(value.is_finite() && value >= 0.0) {
                found.push((format!("`{name}` must be a number of tokens"), "give a number, zero or more".into()));
            }
        }
        if self.cap < 1.0 {
            found.push((
                "a bucket that cannot hold one token allows no retry".into(),
                "give `cap` at least 1, or use `attempts: 1`".into(),
            ));
        }
        found
    }
}

/// The running bucket.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    spec: Spec,
    tokens: f64,
}

impl Budget {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { spec: spec.clone(), tokens: spec.initial.min(spec.cap) }
    }

    pub(super) fn on_first_try(&mut self) {
        if self.spec.on == Deposit::FirstTry {
            self.tokens = (self.tokens + self.spec.deposit).min(self.spec.cap);
        }
    }

    pub(super) fn on_outcome(&mut self, outcome: Outcome) {
        if self.spec.on == Deposit::Success && outcome.is_answer() {
            self.tokens = (self.tokens + self.spec.deposit).min(self.spec.cap);
        }
    }

    /// Takes the token for a retry, if there is one.
    pub(super) fn take(&mut self) -> bool {
        // A sum of tenths can fall a rounding error short of one.
        if self.tokens < 1.0 - 1e-9 {
            return false;
        }
        self.tokens = (self.tokens - 1.0).max(0.0);
        true
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(&self.spec);
    }
}
