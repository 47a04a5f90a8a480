//! Fleets from a shipped model: ten thousand nodes over ten simulated minutes, and a hundred thousand devices, with everything measured.

use std::hint::black_box;
use std::path::Path;

use blackstart::scenario::Scenario;
use blackstart::scenario::source::Diagnostics;
use blackstart::system::run;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn herds(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/boot-herd.yaml");
    let mut group = criterion.benchmark_group("herds");
    for (name, members, workers) in [("ten thousand", 10_000, 50), ("a hundred thousand", 100_000, 500)] {
        let sets = [
            "length=600s".to_owned(),
            "expect=[]".to_owned(),
            "windows={}".to_owned(),
            // The herd that dissolves: who has waited for a second is dropped.
            "variants={}".to_owned(),
            "charts=[]".to_owned(),
            "services.config.queue.max_wait=1s".to_owned(),
            format!("clients.nodes.fleet.members={members}"),
            format!("services.config.workers={workers}"),
        ];
        let scenario = Scenario::load(&file, &sets).expect("the experiment is well-formed");
        let point = scenario.points().into_iter().next().expect("there is a point");
        let (plan, _) = scenario.plan(&point, &mut Diagnostics::new()).expect("the point can be built");
        let events = run(&plan, 1).events;
        group.throughput(Throughput::Elements(events)).sample_size(10);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(run(&plan, 1))));
    }
    group.finish();
}

criterion_group! { name = benches; config = Criterion::default().without_plots(); targets = herds }
criterion_main!(benches);
