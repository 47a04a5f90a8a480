//! One sample for each window of time, instead of one for each request.
//!
//! Netflix's `WindowedLimit` with its `AverageSampleWindow`: the mean of the times, the most that were in flight, and whether
//! any was dropped. A window is closed by the first request that ends after its time is over, itself included, and counts
//! if it has ten samples. The first closes at once, with one.

use super::Sample;
use crate::engine::{Duration, Time};

/// Fewer say too little.
const LEAST: u64 = 10;

/// The window that is open.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    until: Time,
    samples: u64,
    sum: u64,
    in_flight: u32,
    dropped: bool,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, until: Time::ZERO, samples: 0, sum: 0, in_flight: 0, dropped: false }
    }

    /// A request ended; the sample of the window, if it closes.
    pub(super) fn add(&mut self, sample: Sample) -> Option<Sample> {
        self.samples += 1;
        self.sum = self.sum.saturating_add(sample.rtt.nanos());
        self.in_flight = self.in_flight.max(sample.in_flight);
        self.dropped |= sample.dropped;
        if sample.now <= self.until {
            return None;
        }
        let whole = Self { until: sample.now + self.length, ..Self::new(self.length) };
        let Self { samples, sum, in_flight, dropped, .. } = std::mem::replace(self, whole);
        let rtt = Duration::from_nanos(sum / samples);
        (samples >= LEAST).then_some(Sample { now: sample.now, rtt, in_flight, dropped })
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_one_sample_the_mean_of_its_times() {
        let mut window = Window::new(Duration::from_millis(1_000));
        let mut add = |at: u64, rtt: u64, in_flight, dropped| {
            let (now, rtt) = (Time::ZERO + Duration::from_millis(at), Duration::from_millis(rtt));
            window.add(Sample { now, rtt, in_flight, dropped }).map(|it| (it.rtt.nanos(), it.in_flight, it.dropped))
        };
        assert_eq!(add(1, 5, 1, false), None, "the first window has one sample");
        for place in 0..9 {
            assert_eq!(add(2 + place, 10, place as u32, place == 3), None);
        }
        assert_eq!(add(1_001, 10, 2, false), None, "its time is not over yet");
        assert_eq!(add(1_002, 22, 2, false), Some((11_090_909, 8, true)));
        for place in 0..8 {
            assert_eq!(add(1_003 + place, 10, 1, false), None);
        }
        assert_eq!(add(2_003, 10, 1, false), None, "nine are too few");
        for _ in 0..9 {
            assert_eq!(add(2_004, 10, 1, false), None);
        }
        assert_eq!(add(3_004, 10, 1, false), Some((10_000_000, 1, false)));
    }
}
