//! Sums over the last so much time, which forget in steps.

use crate::engine::{Duration, Time};

/// How many steps a window has.
const STEPS: usize = 10;

/// `N` sums over a window of time: the tenth of it that has begun, and the nine before.
#[derive(Debug)]
pub(super) struct Slices<const N: usize> {
    step: u64,
    /// The number of the step that has begun, counted from the start of the run.
    current: u64,
    steps: [[i64; N]; STEPS],
    sums: [i64; N],
}

impl<const N: usize> Slices<N> {
    pub(super) fn new(window: Duration) -> Self {
        let step = (window.nanos() / STEPS as u64).max(1);
        Self { step, current: 0, steps: [[0; N]; STEPS], sums: [0; N] }
    }

    pub(super) fn add(&mut self, now: Time, which: usize, amount: i64) {
        self.forget(now);
        self.steps[(self.current % STEPS as u64) as usize][which] += amount;
        self.sums[which] += amount;
    }

    pub(super) fn sums(&mut self, now: Time) -> [i64; N] {
        self.forget(now);
        self.sums
    }

    pub(super) fn clear(&mut self) {
        self.steps = [[0; N]; STEPS];
        self.sums = [0; N];
    }

    fn forget(&mut self, now: Time) {
        let current = now.nanos() / self.step;
        if current - self.current >= STEPS as u64 {
            self.clear();
            self.current = current;
        }
        while self.current < current {
            self.current += 1;
            let old = std::mem::replace(&mut self.steps[(self.current % STEPS as u64) as usize], [0; N]);
            for (sum, old) in self.sums.iter_mut().zip(old) {
                *sum -= old;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_tenth_that_has_begun_and_the_nine_before() {
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        let mut sums = Slices::<2>::new(Duration::from_millis(100));
        sums.add(at(5), 0, 1);
        sums.add(at(15), 0, 10);
        sums.add(at(15), 1, 100);
        assert_eq!(sums.sums(at(99)), [11, 100]);
        assert_eq!(sums.sums(at(100)), [10, 100]);
        assert_eq!(sums.sums(at(110)), [0, 0]);
        sums.add(at(120), 1, 7);
        assert_eq!(sums.sums(at(219)), [0, 7]);
        assert_eq!(sums.sums(at(10_000)), [0, 0]);
    }
}
