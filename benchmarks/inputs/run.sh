#!/usr/bin/env bash
# Networks of other people's exporters: installs them from PyPI (some 6 GB, an environment each, because their packages do not go
# together), exports, and judges what comes of it.
#
# usage: run.sh [FOLDER]    FOLDER keeps environments and networks; build/inputs if none is given
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-build/inputs}
declare -rA PACKAGES=(
    [torch]='torch onnx onnxscript onnxruntime' [classical]='skl2onnx onnx onnxruntime' [rewritten]='onnx onnxruntime sympy'
    [keras]='tensorflow-cpu tf2onnx onnx' [jax]='jax2onnx jax flax onnx' [paddle]='paddlepaddle paddle2onnx onnx packaging'
)
for cases in torch classical rewritten keras jax paddle; do
    environment=$folder/environments/$cases
    if [ ! -e "$environment/complete" ]; then
        python3 -m venv "$environment"
        # shellcheck disable=SC2086 # a list of packages
        "$environment/bin/pip" install --quiet --disable-pip-version-check ${PACKAGES[$cases]}
        touch "$environment/complete"
    fi
    "$environment/bin/python" -W ignore benchmarks/inputs/export.py "$cases" "$folder/networks"
done
cargo build --locked --release --example probe
"$folder/environments/rewritten/bin/python" -W ignore benchmarks/inputs/judge.py "$folder/networks"
