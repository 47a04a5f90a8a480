//! The reference workload `storm` from its shipped files, with everything measured: one run of 120 simulated seconds.

use std::hint::black_box;
use std::path::Path;

use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::run;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn storm(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/retry-storm.yaml");
    let scenario = Scenario::load(&file, &[]).expect("the experiment is well-formed");
    let point = scenario.points().into_iter().next().expect("there is a point");
    let (plan, _) = scenario.plan(&point, &mut Diagnostics::new()).expect("the point can be built");
    let events = run(&plan, 1).events;
    let mut group = criterion.benchmark_group("storm");
    group.throughput(Throughput::Elements(events)).sample_size(10);
    group.bench_function("events", |bencher| bencher.iter(|| black_box(run(&plan, 1))));
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = storm }
criterion_main!(benches);
