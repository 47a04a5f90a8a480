//! `new`: a model and an experiment to start from.

use std::path::Path;

use super::{ALL_WELL, WRONG_INPUT, say, tell};

const MODEL: &str = "\
about: A web service that calls a database.
services:
  web:
    workers: 32 # per replica
    queue: { capacity: 128 }
    operations:
      page:
        - work: { exponential: 5ms }
        - call: database.query
          policies: # outermost first
            - retry: { attempts: 2, backoff: { exponential: { base: 50ms } }, jitter: full }
            - timeout: 200ms
  database:
    workers: 16
    queue: { capacity: 64 }
    operations:
      query: [ work: { lognormal: { p50: 20ms, p99: 80ms } } ]
clients:
  users:
    calls: web.page
    arrivals: { poisson: 200/s }
    policies: [ timeout: 1s ]
network:
  default: { latency: 500us }
";

fn experiment(name: &str) -> String {
    format!(
        "\
model: {name}
lesson: What one learns from this, in a sentence.
length: 60s
warmup: 5s
seeds: 5
faults:
  - at: 20s
    for: 10s
    slow: {{ service: database, factor: 4 }}
charts:
  - load: {{}}
  - latency: {{}}
expect:
  - claim: before the fault nearly everybody is served
    metric: success_rate
    window: before
    at_least: 99%
"
    )
}

/// Writes the two files; never over others.
pub(super) fn create(folder: &Path, name: &str) -> u8 {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        tell(&format!("error: `{name}` cannot be a name: use letters, digits, `-` and `_`"));
        return WRONG_INPUT;
    }
    let files = [
        (folder.join("models").join(format!("{name}.yaml")), MODEL.to_owned()),
        (folder.join("experiments").join(format!("{name}.yaml")), experiment(name)),
    ];
    if let Some((there, _)) = files.iter().find(|(file, _)| file.exists()) {
        tell(&format!("error: {} is there already: choose another name", there.display()));
        return WRONG_INPUT;
    }
    for (file, text) in &files {
        let parent = file.parent().expect("the file is in a folder");
        if let Err(error) = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(file, text)) {
            tell(&format!("error: {} cannot be written: {error}", file.display()));
            return WRONG_INPUT;
        }
        say(&format!("wrote {}", file.display()));
    }
    say(&format!("now: blackstart run experiments/{name}.yaml"));
    ALL_WELL
}
