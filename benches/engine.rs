//! The bare engine: what an event costs.
//!
//! * `hold`: n pending events; each step takes the earliest and schedules it again after Exp(1).
//! * `cancel`: timers at a constant delay, nine in ten of which are cancelled before they fire; by the heap and by
//!   a lane.
//!
//! Criterion shows the time of one step, and steps a second. `blackstart`'s book says what other engines take.

use std::hint::black_box;

use blackstart::engine::{Duration, Engine, Key, Streams};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn hold(c: &mut Criterion) {
    let mut group = c.benchmark_group("hold");
    group.throughput(Throughput::Elements(1));
    for n in [100_u64, 10_000, 1_000_000] {
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            let mut rng = Streams::new(1).named("hold");
            let mut engine = Engine::new();
            let mut gap = move || Duration::from_secs_f64(rng.exponential());
            for event in 0..n {
                engine.after(gap(), event);
            }
            // Let the starting transient pass: every event should have been held a few times.
            for _ in 0..3 * n {
                let event = engine.next().expect("events are held, not lost");
                engine.after(gap(), event);
            }
            b.iter(|| {
                let event = engine.next().expect("events are held, not lost");
                engine.after(gap(), event)
            });
        });
    }
    group.finish();
}

/// An operation: time passes to the next arrival, a timer is set 20 mean gaps ahead, and in nine cases of ten the
/// timer set some gaps ago is cancelled.
fn cancel(c: &mut Criterion) {
    #[derive(Clone, Copy)]
    enum Event {
        Arrived,
        Expired,
    }
    let mut group = c.benchmark_group("cancel");
    group.throughput(Throughput::Elements(1));
    for (name, lanes) in [("heap", false), ("lane", true)] {
        for n in [100_usize, 10_000] {
            group.bench_function(BenchmarkId::new(name, n), |b| {
                let mut rng = Streams::new(1).named("cancel");
                let mut engine = Engine::new();
                let mut timers = vec![Key::NONE; n];
                let mut oldest = 0;
                let timeout = Duration::from_secs(20 * n as u64);
                let lane = engine.lane(timeout);
                engine.after(Duration::ZERO, Event::Arrived);
                let mut step = move || {
                    while let Event::Expired = engine.next().expect("arrivals never end") {
                        black_box(());
                    }
                    engine.after(Duration::from_secs_f64(rng.exponential()), Event::Arrived);
                    if rng.chance(0.9) {
                        engine.cancel(timers[oldest]);
                    }
                    timers[oldest] = if lanes {
                        engine.after_lane(lane, Event::Expired)
                    } else {
                        engine.after(timeout, Event::Expired)
                    };
                    oldest = (oldest + 1) % n;
                };
                (0..50 * n).for_each(|_| step());
                b.iter(&mut step);
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    // Criterion's own plots need a font from the system, which plotters as we build it does not look for.
    config = Criterion::default().without_plots();
    targets = hold, cancel
}
criterion_main!(benches);
