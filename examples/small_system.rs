//! A web service before a database that is slow for ten seconds, with one attempt and with three: built in code, run, and
//! printed. With three, it stays down.
//!
//! `cargo run --release --example small_system`

use blackstart::code::*;
use blackstart::experiment::Summary;
use blackstart::scenario::source::Diagnostics;

fn main() -> Result<(), Diagnostics> {
    for attempts in [1, 3] {
        let query = call("db.query").policies([retry(attempts), timeout(ms(100))]);
        let model = Model::default()
            .service(
                "web",
                Service::default().workers(64).capacity(256).operation("get", [work(constant(ms(1))), query]),
            )
            .service("db", Service::default().workers(16).capacity(64).operation("query", [work(exponential(ms(25)))]))
            .client("users", Client::open("web.get", per_second(400)).policies([retry(attempts), timeout(ms(250))]))
            .latency(constant(ms(1)));
        let experiment = Experiment::lasting(secs(60))
            .warmup(secs(5))
            .fault("slow db", slow("db", 10.0).at(secs(20)).lasting(secs(10)));
        let plan = plan(&model, &experiment)?;
        let runs: Vec<_> = (1..=10).map(|seed| blackstart::run(&plan, seed)).collect();
        for window in ["before", "fault:slow db", "after"] {
            let goodput = |run| blackstart::Run::value(run, &plan, window, "client/users", "goodput");
            let all: Vec<f64> = runs.iter().filter_map(goodput).collect();
            let Summary { mean, low, high, .. } = Summary::of(&all);
            println!("at most {attempts} attempts, {window}: {mean:.0} answers a second [{low:.0}, {high:.0}]");
        }
    }
    Ok(())
}
