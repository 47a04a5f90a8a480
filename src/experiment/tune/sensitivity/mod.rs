//! How much each axis matters to a figure: by elementary effects, or by shares of the variance.
//!
//! Both ask for the figure at many places at once, as a list of shares of the way through each axis (0 to 1), and are given its value there
//! with each of some seeds, the same at every place.

pub(super) mod morris;
pub(super) mod sobol;

use super::super::statistics::Summary;

/// A figure, at each of some places, with each seed.
pub(super) type Figure<'a> = &'a mut dyn FnMut(&[Vec<f64>]) -> Vec<Vec<f64>>;

/// How much an axis matters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matters {
    /// Morris: by how much the figure changes along the whole axis, whatever the sign (mu*). Sobol: the share of the variance that goes
    /// when this axis is fixed, all it does together with others included (the total index).
    pub total: Summary,
    /// Morris: the same with its sign (mu): near mu* if the axis always works in one direction. Sobol: the share that the axis brings
    /// about alone (the first-order index).
    pub alone: Summary,
    /// Morris: the standard deviation of the effects (sigma): large where the effect depends on the place. Sobol: not a number.
    pub sigma: f64,
    /// Morris: what mu* would be if the axis did nothing but change the luck. Not a number with one seed, and for Sobol.
    pub noise: f64,
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
