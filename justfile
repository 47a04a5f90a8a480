# `just` lists what can be done.
_default:
    @just --list

# Everything that a change must pass: the same script as in CI.
check:
    .ci/run

# All tests; arguments go to cargo, e.g. `just test breaker`.
test *args:
    cargo test {{args}}

# Run experiments, e.g. `just run experiments/retry-storm.yaml`.
run *files:
    cargo run --release --quiet -- run {{files}}

# Write the reference of the files anew: the JSON Schema, from the comments of the specs.
reference:
    cargo run --release --quiet -- schema > docs/schema.json
