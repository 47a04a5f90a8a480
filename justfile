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

# Write docs/reference.md anew, from the comments of the written types.
reference:
    cargo run --release --quiet -- schema page > docs/reference.md
