#!/usr/bin/env python3
"""Compares the fast engine with ONNX Runtime, and its gradients with finite differences, on every given network.

    cargo build --release --example probe
    python3 benchmarks/operators/agreement.py FOLDER [PATTERN…] > table.md

FOLDER holds */onnx/**/*.onnx[.gz] as VNN-COMP's repositories do, and instances.csv with columns onnx and vnnlib. Points are
drawn from the input box of the first property of each network. Differences are relative to the largest output; the
engine runs in blocks of 16 points, and the gradient is checked in double precision along two directions a point.
"""
import csv, gzip, pathlib, re, subprocess, sys, tempfile
import numpy as np
import onnxruntime

POINTS, GRADIENTS, LANES = 100, 5, 16
PROBE = pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/probe"
BOUND = re.compile(r"\(\s*(<=|>=)\s+X_(\d+)\s+([-+.\deE]+)\s*\)")


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def properties(folder):
    """The first property of each network, by instances.csv: columns onnx and vnnlib, paths from the folder."""
    first = {}
    with open(folder / "instances.csv") as file:
        for row in csv.DictReader(file):
            first.setdefault(folder / row["onnx"], folder / row["vnnlib"])
    return first


def box(text, width):
    low, high = np.full(width, np.nan), np.full(width, np.nan)
    for sign, index, value in BOUND.findall(text):
        side, index = (high if sign == "<=" else low), int(index)
        if index < width and np.isnan(side[index]):
            side[index] = float(value)
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), 1.0, high)


def main():
    folder, patterns = pathlib.Path(sys.argv[1]), sys.argv[2:] or [""]
    rng = np.random.default_rng(2)
    first = properties(folder)
    work = pathlib.Path(tempfile.mkdtemp())
    print("| network | layers | outputs, largest difference | gradient, median | gradient, largest |")
    print("|---|---|---|---|---|")
    for path in sorted(folder.glob("*/onnx/**/*.onnx*")):
        if not any(pattern in str(path) for pattern in patterns):
            continue
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        run = onnxruntime.InferenceSession(content(path), options)
        inputs = run.get_inputs()
        shapes = [[d if isinstance(d, int) else 1 for d in value.shape] for value in inputs]
        sizes = [int(np.prod(shape)) for shape in shapes]
        double = "double" in inputs[0].type
        kind = np.float64 if double else np.float32
        low, high = np.zeros(sum(sizes)), np.ones(sum(sizes))
        if path in first:
            low, high = box(content(first[path]).decode(), sum(sizes))
        points = (low + (high - low) * rng.random((POINTS, len(low)))).astype(kind)
        want = []
        for point in points:
            parts = np.split(point, np.cumsum(sizes)[:-1])
            feed = {v.name: p.reshape(s) for v, p, s in zip(inputs, parts, shapes)}
            want.append(np.concatenate([np.asarray(y, np.float64).ravel() for y in run.run(None, feed)]))
        want = np.array(want)
        points.astype("<f8").tofile(work / "in")
        points[:GRADIENTS].astype("<f8").tofile(work / "few")
        command = [PROBE, "run", path, work / "in", work / "out", str(LANES), "f64" if double else "f32"]
        result = subprocess.run(command, capture_output=True, text=True)
        slope = subprocess.run([PROBE, "gradient", path, work / "few"], capture_output=True, text=True)
        name = f"{path.parts[-3]}/{path.name.removesuffix('.gz').removesuffix('.onnx')[:44]}"
        if result.returncode or slope.returncode:
            print(f"| {name} | {(result.stderr or slope.stderr).strip()[:80]} |", flush=True)
            continue
        got = np.fromfile(work / "out").reshape(want.shape)
        difference = np.abs(got - want).max() / max(np.abs(want).max(), 1e-30)
        nodes = subprocess.run([PROBE, "nodes", path], capture_output=True, text=True).stdout
        layers = len(re.findall(r"\b(?:Affine|Conv|MatMul)\(", nodes))
        median, largest = slope.stdout.split()
        print(f"| {name} | {layers} | {difference:.1e} | {median} | {largest} |", flush=True)


main()
