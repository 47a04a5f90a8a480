//! Finds what is wrong with the section `tune`.

use std::rc::Rc;

use super::super::claims::{number, way_to_write};
use super::super::tune::{HELD_BACK, quantity};
use super::Checker;
use crate::measure::{Quantity, metric};
use crate::scenario::source::{Diagnostics, Place, Spanned};
use crate::scenario::tune::{Bound, Figure, Tune, Whose};

/// Settings at most.
const MOST_CANDIDATES: u32 = 65_536;

impl Checker<'_> {
    pub(super) fn tune(&mut self, tune: &Spanned<Tune>) {
        let place = tune.place;
        match (&tune.maximise, &tune.minimise) {
            (Some(_), None) | (None, Some(_)) => {}
            _ => self.error(
                place,
                "a search has one objective",
                "give `maximise` or `minimise`; a second one is `against`",
            ),
        }
        let count = tune.candidates.as_ref().filter(|it| !(1..=MOST_CANDIDATES).contains(&it.value));
        if let Some(count) = count {
            let help = format!("between 1 and {MOST_CANDIDATES}, best a power of two, e.g. `candidates: 64`");
            self.error(count.place, format!("{} `candidates` cannot be tried", count.value), help);
        }
        if let Some(seeds) = tune.seeds.as_ref().filter(|it| !(2..HELD_BACK).contains(&u64::from(it.value))) {
            let help =
                format!("at least 2, for an interval, and less than {HELD_BACK}, where those begin that are held back");
            self.error(seeds.place, format!("{} `seeds` for a setting", seeds.value), help);
        }
        let over = match &tune.over {
            None => None,
            Some(over) => match self.axis(&over.axis) {
                None => return,
                axis => axis,
            },
        };
        let set = self.scenario.axes.len() - usize::from(over.is_some());
        if set == 0 {
            self.error(place, "there is nothing to set", "give `vary` ranges or lists of the values that may be used");
        }
        // The setting as it is, in each circumstance.
        let circumstances: Vec<_> = over.map_or_else(|| vec![None], |axis| axis.values.iter().map(Some).collect());
        let before = self.found.len();
        for circumstance in circumstances {
            let values: Vec<_> = circumstance.into_iter().collect();
            let mut found = Diagnostics::new();
            let Some((plan, _)) = self.scenario.plan_with(&values, &mut found) else {
                self.found.extend(found);
                return;
            };
            self.plan = Rc::new(plan);
            let goals = [&tune.maximise, &tune.minimise].into_iter().flatten().map(|it| (it.place, &it.value));
            for (place, figure) in goals.chain(tune.against.iter().map(|it| (it.place, it.figure()))) {
                self.objective(place, figure);
            }
            for bound in &tune.subject_to {
                self.bound(bound);
            }
            self.contradictions(&tune.subject_to);
            // What is wrong in one is wrong in most.
            if self.found.len() > before {
                return;
            }
        }
    }

    fn objective(&mut self, place: Place, figure: &Figure) {
        self.figures(place, &figure.of.0, &figure.metric, false);
        self.sum(&figure.of, &figure.metric);
        self.window(figure.window.as_ref());
    }

    fn bound(&mut self, bound: &Spanned<Bound>) {
        let sides: Vec<_> = [&bound.at_most, &bound.at_least].into_iter().flatten().collect();
        if sides.is_empty() {
            self.error(bound.place, "a constraint without a bound", "give `at_most` or `at_least`");
        }
        for side in sides {
            if number(side, quantity(bound)).is_none() {
                self.error(side.place, "this cannot be a bound", way_to_write(quantity(bound)));
            }
        }
        match (&bound.metric, bound.verdict) {
            (Some(name), None) => {
                self.figures(bound.place, &bound.of.0, name, false);
                self.sum(&bound.of, name);
                self.window(bound.window.as_ref());
            }
            (None, Some(_)) => {}
            _ => self.error(bound.place, "a constraint is about a `metric` or a `verdict`", "give one of the two"),
        }
    }

    /// Bounds of one figure between which there is nothing: no setting could keep to them.
    fn contradictions(&mut self, bounds: &[Spanned<Bound>]) {
        let names = |it: &Bound| {
            let window = it.window.as_ref().map_or("all", |it| it.value.as_str()).to_owned();
            let of: Vec<String> = it.of.0.iter().map(|it| it.value.clone()).collect();
            (it.metric.as_ref().map(|it| it.value.clone()), it.verdict, of, window)
        };
        for most in bounds {
            for least in bounds.iter().filter(|it| names(it) == names(most)) {
                let ends = most.at_most.as_ref().zip(least.at_least.as_ref());
                let of = |node| number(node, quantity(most));
                if let Some((at_most, at_least)) = ends
                    && of(at_most).zip(of(at_least)).is_some_and(|(most, least)| most < least)
                {
                    let what =
                        format!("at most {}, and at least {}: nothing is both", at_most.label(), at_least.label());
                    self.error(
                        at_most.place,
                        what,
                        "a constraint lies between `at_least` and `at_most`, the lower first",
                    );
                }
            }
        }
    }

    /// What is measured for several entities can be added up, or not.
    fn sum(&mut self, of: &Whose, name: &Spanned<String>) {
        let quantity = metric(name).map(|it| it.quantity);
        if of.0.len() > 1 && !matches!(quantity, None | Some(Quantity::Count | Quantity::PerSecond)) {
            let what = format!("`{}` of several entities cannot be added up", name.value);
            self.error(of.0[1].place, what, "only numbers of things, rates and hours can; name one entity");
        }
    }
}
