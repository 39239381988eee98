#!/usr/bin/env bash
# All checks, as CI runs them: format, lints, tests, documentation, release build, the competition scripts, and a
# smoke run on real competition instances where they are at hand (COUNTERPATCH_BENCHMARKS, or ../shared/benchmarks).
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; }

step 'set-up'
./scripts/setup.sh

step 'format'
cargo fmt --all --check

step 'lints'
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
if command -v shellcheck >/dev/null 2>&1; then
    shellcheck scripts/*.sh .ci/run
else
    echo 'shellcheck is not installed: the shell scripts are not linted' >&2
fi

step 'node tests of the ONNX project'
./scripts/node_tests.sh

step 'a browser for the report of attack'
timeout 600 ./scripts/setup.sh --with-browser ||
    printf '*** SKIPPED: the report in a browser: no Chromium and no way to install it ***\n' >&2

step 'tests'
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace
else
    cargo test --locked --workspace --lib --bins --tests
fi
cargo test --locked --workspace --doc
cargo test --locked -p vnnlib --features serde --test tree

step 'documentation'
RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

step 'release build'
cargo build --locked --release

step 'competition scripts'
./scripts/test_interface.sh

step 'conformance suite of VNN-LIB 2.0'
./scripts/satisfactory.sh

step 'single operators beside ONNX Runtime'
benchmarks=${COUNTERPATCH_BENCHMARKS:-../shared/benchmarks}
judge=${COUNTERPATCH_JUDGE:-$benchmarks/../judge}
has_runtime() { .venv-judge/bin/python -c 'import numpy, onnx, onnxruntime, vnnlib' 2>/dev/null; }
if ! has_runtime && [ -f "$judge/requirements.txt" ]; then
    python3 -m venv .venv-judge
    .venv-judge/bin/pip install --quiet --requirement "$judge/requirements.txt"
fi
if has_runtime; then
    cargo build --locked --release --example probe
    .venv-judge/bin/python -W ignore benchmarks/operators_vs_ort.py --count 1000 --seed 7 --quiet
else
    printf '*** SKIPPED: single operators beside ONNX Runtime: no .venv-judge and no %s ***\n' "$judge/requirements.txt" >&2
fi

step 'real instances'
if [ ! -f "$benchmarks/instances.csv" ] || [ ! -f "$judge/campaign.py" ]; then
    printf '*** SKIPPED: real instances: no %s or no %s ***\n' "$benchmarks/instances.csv" "$judge/campaign.py" >&2
    exit 0
fi
families='acasxu|rl_|safenlp|reach_prob|mnist_?fc|cora|linearizenn|tllverify'
mkdir -p out
.venv-judge/bin/python "$judge/campaign.py" "$benchmarks" --bench "$families" --truth sat \
    --per-bench 3 --timeout 10 --out out/smoke-sat.csv
.venv-judge/bin/python "$judge/campaign.py" "$benchmarks" --bench "$families" --truth unsat,unknown \
    --per-bench 1 --timeout 2 --out out/smoke-unsat.csv
.venv-judge/bin/python scripts/smoke_verdict.py out/smoke-sat.csv out/smoke-unsat.csv
