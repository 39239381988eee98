#!/usr/bin/env bash
# Fetches the ONNX project's node tests, which ship in its PyPI package up to version 1.16 (operator set 21), to
# build/onnx-node-tests. tests/conformance finds them there.
set -euo pipefail
cd "$(dirname "$0")/.."

version=1.16.2
folder=build/onnx-node-tests
[ -e "$folder/complete" ] && exit 0
mkdir -p build
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
# An environment, because many a Python has no pip. The wheel is only unpacked, so that any will do, whatever Python is here.
python3 -m venv "$wheels/venv"
"$wheels/venv/bin/pip" download --quiet --no-deps --only-binary=:all: --python-version 3.11 \
    --platform manylinux2014_x86_64 --dest "$wheels" "onnx==$version" >&2
python3 - "$wheels" "$folder" <<'PYTHON'
import pathlib, sys, zipfile

wheels, folder = map(pathlib.Path, sys.argv[1:])
inside = "onnx/backend/test/data/node/"
with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
    for name in wheel.namelist():
        if name.startswith(inside) and not name.endswith("/"):
            target = folder / name[len(inside):]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(name))
PYTHON
touch "$folder/complete"
