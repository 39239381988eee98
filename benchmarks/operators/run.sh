#!/bin/sh
# Makes the tables of benchmarks/operators.md, one after the other, on standard output:
#   benchmarks/operators/run.sh [FOLDER] > tables.md
# FOLDER holds VNN-COMP's benchmarks and instances.csv (default ../shared/benchmarks). Needs .venv with
# benchmarks/requirements.txt, and the node tests (scripts/node_tests.sh).
set -eu
cd "$(dirname "$0")/../.."
folder=${1:-../shared/benchmarks}
python=${PYTHON:-.venv/bin/python}
cargo build --release --example probe >&2

printf '## Node tests\n```\n'
cargo test --release --test conformance -- --nocapture 2>/dev/null | grep passed
printf '```\n\n## Agreement with ONNX Runtime, and gradients\n'
"$python" benchmarks/operators/agreement.py "$folder"
printf '\n## Speed beside ONNX Runtime\nMicroseconds of CPU time a point.\n\n'
"$python" benchmarks/operators/speed.py "$folder"
