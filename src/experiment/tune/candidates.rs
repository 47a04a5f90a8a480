//! Settings to try: points of the space that the ranges and lists of `vary` span.

use std::collections::BTreeSet;

use crate::scenario::experiment::Sample;
use crate::scenario::sample::{MOST_DIMENSIONS, draw};
use crate::scenario::{Axis, AxisValue};

/// The axes that may be set.
pub(super) struct Space<'a> {
    pub axes: Vec<&'a Axis>,
}

impl Space<'_> {
    /// The values at shares of the way through each axis. The values of a list share the way evenly.
    pub(super) fn at(&self, shares: &[f64]) -> Vec<AxisValue> {
        let value = |(axis, &share): (&&Axis, &f64)| {
            let count = axis.values.len();
            axis.about(share).unwrap_or_else(|| axis.values[((share * count as f64) as usize).min(count - 1)].clone())
        };
        self.axes.iter().zip(shares).map(value).collect()
    }

    /// About `count` settings, spread evenly: a Sobol sample, which of more than sixteen axes is a Latin hypercube. All combinations of
    /// lists, if there are no more. Each is there once.
    pub(super) fn candidates(&self, count: u32) -> Vec<Vec<AxisValue>> {
        let lists = self.axes.iter().all(|axis| axis.at(0.0).is_none());
        let combinations = self.axes.iter().fold(1_usize, |all, axis| all.saturating_mul(axis.values.len()));
        if lists && combinations <= count as usize {
            let combination = |mut number: usize| {
                let mut values: Vec<AxisValue> = Vec::new();
                for axis in self.axes.iter().rev() {
                    values.insert(0, axis.values[number % axis.values.len()].clone());
                    number /= axis.values.len();
                }
                values
            };
            return (0..combinations).map(combination).collect();
        }
        let names: Vec<&str> = self.axes.iter().map(|axis| axis.name.as_str()).collect();
        let way = if names.len() <= MOST_DIMENSIONS { Sample::Sobol(count) } else { Sample::LatinHypercube(count) };
        let drawn = draw(way, &names);
        // Sobol's sequence begins at the near end of each range and never gets to the far one, where the best is more often than anywhere
        // else. A Latin hypercube keeps as far from both.
        let slices = f64::from(count.max(2).next_power_of_two());
        let stretch = if matches!(way, Sample::Sobol(_)) { slices / (slices - 1.0) } else { 1.0 };
        let share = |axis: usize, point: usize| {
            let share = drawn[axis][point];
            if self.axes[axis].at(0.0).is_some() { share * stretch } else { share }
        };
        let mut seen = BTreeSet::new();
        let points =
            (0..count as usize).map(|point| (0..names.len()).map(|axis| share(axis, point)).collect::<Vec<_>>());
        points
            .map(|shares| self.at(&shares))
            .filter(|values| seen.insert(values.iter().map(|value| value.label.clone()).collect::<Vec<_>>()))
            .collect()
    }
}
