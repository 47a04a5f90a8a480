//! Ranges of values: `{ from: 10/s, to: 1000/s, steps: 5, scale: log }`.
//!
//! Both ends have the same unit, and so has what lies between. Ends that are whole numbers without a unit have whole numbers
//! between them (`1` to `64`); other values are rounded to six digits, so that tables show what was run.

use super::experiment::Scale;
use super::tree::{Node, Value};

/// A range.
#[derive(Clone, Debug)]
pub(super) struct Range {
    from: f64,
    to: f64,
    unit: String,
    whole: bool,
    scale: Scale,
}

/// What is wrong with a range, and a way out.
type Wrong = (String, &'static str);

impl Range {
    /// From what was written.
    pub(super) fn between(from: &Node, to: &Node, scale: Scale) -> Result<Self, Wrong> {
        let read = |node: &Node| {
            end(node).ok_or_else(|| {
                let what = format!("{} is no end of a range", node.label());
                (what, "give a number, with its unit if it has one: `100/s`, `50ms`, `8`")
            })
        };
        let ((from, from_unit, from_whole), (to, to_unit, to_whole)) = (read(from)?, read(to)?);
        if from_unit != to_unit {
            let what = format!("a range from `{from}{from_unit}` to `{to}{to_unit}`: the units differ");
            return Err((what, "write both ends in the same unit, e.g. `50ms` and `2000ms`"));
        }
        if matches!(scale, Scale::Log) && (from <= 0.0 || to <= 0.0) {
            return Err(("a logarithmic range has no zero".to_owned(), "begin it above zero, or take `scale: linear`"));
        }
        let whole = from_whole && to_whole && from_unit.is_empty();
        Ok(Self { from, to, unit: from_unit, whole, scale })
    }

    /// The value at a share of the way, between 0 and 1.
    pub(super) fn at(&self, share: f64) -> Node {
        self.rounded(share, 6)
    }

    /// The same to three digits, which is as many as anybody sets: the ends of the range stay as they are.
    pub(super) fn about(&self, share: f64) -> Node {
        self.rounded(share, if share <= 0.0 || share >= 1.0 { 6 } else { 3 })
    }

    fn rounded(&self, share: f64, digits: usize) -> Node {
        let number = if share <= 0.0 {
            self.from
        } else if share >= 1.0 {
            self.to
        } else {
            match self.scale {
                Scale::Linear => self.from + (self.to - self.from) * share,
                Scale::Log => self.from * libm::pow(self.to / self.from, share),
            }
        };
        if self.whole {
            return Value::Int(libm::round(number) as i64).into();
        }
        // Through text: the nearest of the numbers with so many digits; none is beyond the ends.
        let number: f64 = format!("{number:.*e}", digits - 1).parse().unwrap_or(number);
        let number = number.clamp(self.from.min(self.to), self.from.max(self.to));
        if self.unit.is_empty() { Value::Float(number).into() } else { Node::str(format!("{number}{}", self.unit)) }
    }

    /// The number at a share of the way, as the table would show it, without its unit.
    pub(super) fn number(&self, share: f64) -> f64 {
        end(&self.at(share)).map_or(f64::NAN, |(number, ..)| number)
    }

    /// The unit of its values; empty if they have none.
    pub(super) fn unit(&self) -> &str {
        &self.unit
    }

    /// A value in the unit of this range, without it.
    pub(super) fn read(&self, value: &Node) -> Option<f64> {
        end(value).filter(|(_, unit, _)| *unit == self.unit).map(|(number, ..)| number)
    }

    /// Whether its values are spaced by factors.
    pub(super) fn is_log(&self) -> bool {
        matches!(self.scale, Scale::Log)
    }

    /// How many values it has, if they are whole numbers.
    pub(super) fn whole_values(&self) -> Option<f64> {
        self.whole.then_some((self.to - self.from).abs() + 1.0)
    }

    /// Its values, in as many steps; those that are the same when rounded are there once.
    pub(super) fn steps(&self, steps: u32) -> Vec<Node> {
        let last = f64::from(steps.max(2) - 1);
        let mut values: Vec<Node> = (0..steps).map(|step| self.at(f64::from(step) / last)).collect();
        values.dedup();
        values
    }
}

/// The number, the unit, and whether the number is written as a whole one.
fn end(node: &Node) -> Option<(f64, String, bool)> {
    match &node.value {
        Value::Int(number) => Some((*number as f64, String::new(), true)),
        Value::Float(number) => number.is_finite().then(|| (*number, String::new(), false)),
        Value::Str(text) if text.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '-') => {
            let ends = (1..=text.len()).rev().filter(|&end| text.is_char_boundary(end));
            let (number, unit) =
                ends.map(|end| text.split_at(end)).find_map(|(number, unit)| Some((number.parse().ok()?, unit)))?;
            Some((number, unit.to_owned(), false))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: Node, to: Node, steps: u32, scale: Scale) -> Vec<String> {
        let range = Range::between(&from, &to, scale).expect("it is a range");
        range.steps(steps).iter().map(Node::label).collect()
    }

    #[test]
    fn steps_are_even_or_evenly_apart_as_factors() {
        assert_eq!(labels(Node::str("10/s"), Node::str("30/s"), 3, Scale::Linear), ["10/s", "20/s", "30/s"]);
        assert_eq!(labels(Node::str("1ms"), Node::str("1000ms"), 4, Scale::Log), ["1ms", "10ms", "100ms", "1000ms"]);
        assert_eq!(labels(Node::str("10/s"), Node::str("20/s"), 4, Scale::Linear)[1], "13.3333/s");
        assert_eq!(labels(Node::float(0.0), Node::float(1.0), 3, Scale::Linear), ["0", "0.5", "1"]);
    }

    #[test]
    fn about_a_value_there_are_three_digits_and_the_ends_are_the_ends() {
        let range = Range::between(&Node::str("1.2345s"), &Node::str("20s"), Scale::Log).expect("it is a range");
        assert_eq!([0.0, 0.5, 1.0].map(|share| range.about(share).label()), ["1.2345s", "4.97s", "20s"]);
    }

    #[test]
    fn whole_numbers_stay_whole_and_are_there_once() {
        assert_eq!(labels(Node::int(1), Node::int(64), 4, Scale::Log), ["1", "4", "16", "64"]);
        assert_eq!(labels(Node::int(1), Node::int(3), 9, Scale::Linear), ["1", "2", "3"]);
    }

    #[test]
    fn ends_without_a_number_or_with_two_units_are_mistakes_and_so_is_zero_on_a_logarithmic_scale() {
        let between = |from: &str, to: &str, scale| Range::between(&Node::str(from), &Node::str(to), scale);
        assert!(between("50ms", "2s", Scale::Linear).expect_err("two units").0.contains("units differ"));
        assert!(between("inf", "2s", Scale::Linear).expect_err("no number").0.contains("no end"));
        assert!(between("0/s", "2/s", Scale::Log).expect_err("zero").0.contains("no zero"));
    }
}
