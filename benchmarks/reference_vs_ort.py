#!/usr/bin/env python3
"""reference_vs_ort.py [--points N] FOLDER: the reference engine beside ONNX Runtime on every network of instances.csv.

Points are drawn from the input box of the first property that names the network (0 to 1 where it has none). The
difference is relative to the largest output. Fails where the model's precision differs by more than 1e-5 (1e-4 behind
more than 30 layers) and by more than four times what separates ONNX Runtime from double precision, its own rounding error.
"""

import argparse
import csv
import gzip
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime

LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"}
TYPES = {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64, "tensor(int64)": numpy.int64}
BOUND = re.compile(r"\(\s*(<=|>=)\s+X_(\d+)\s+([-+0-9.eE]+)\s*\)")


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def box(text, size):
    low, high = numpy.zeros(size), numpy.ones(size)
    for relation, index, value in BOUND.findall(text):
        if int(index) < size:
            (high if relation == "<=" else low)[int(index)] = float(value)
    return low, numpy.maximum(low, high)


def compare(binary, path, query, points, scratch):
    model = content(path)
    layers = sum(node.op_type in LAYERS for node in onnx.load_from_string(model).graph.node)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shapes = [[d if isinstance(d, int) and d > 0 else 1 for d in i.shape] for i in session.get_inputs()]
    sizes = [int(numpy.prod(shape)) for shape in shapes]
    low, high = box(content(query)[:20_000_000].decode(), sum(sizes))
    draws = numpy.random.default_rng(1).uniform(size=(points, sum(sizes)))
    inputs = (low + draws * (high - low)).astype(numpy.float32).astype(numpy.float64)
    wanted = []
    for point in inputs:
        parts = numpy.split(point, numpy.cumsum(sizes)[:-1])
        feed = {i.name: part.reshape(shape).astype(TYPES[i.type])
                for i, part, shape in zip(session.get_inputs(), parts, shapes)}
        wanted.append(numpy.concatenate([numpy.ravel(o).astype(numpy.float64) for o in session.run(None, feed)]))
    wanted = numpy.array(wanted)
    errors, seconds = [], 0.0
    for mode in ([], ["double"]):
        inputs.astype("<f8").tofile(scratch / "points")
        start = time.perf_counter()
        run = subprocess.run([binary, path, scratch / "points", scratch / "results", *mode], capture_output=True, text=True)
        seconds = seconds or (time.perf_counter() - start) / points
        if run.returncode:
            return layers, [run.stderr.strip()], seconds
        got = numpy.fromfile(scratch / "results", "<f8").reshape(wanted.shape)
        errors.append(float(numpy.abs(got - wanted).max() / max(numpy.abs(wanted).max(), 1e-30)))
    return layers, errors, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--match", default="", help="only networks whose path contains this")
    arguments = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "--release", "--example", "replay"], check=True)
    binary = pathlib.Path("target/release/examples/replay")
    networks = {}
    for row in csv.DictReader(open(arguments.folder / "instances.csv", newline="")):
        networks.setdefault(row["onnx"], row["vnnlib"])
    worst = 0
    print("| network | layers | model's precision | double | s a point |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for network, query in sorted(networks.items()):
            if arguments.match not in network:
                continue
            paths = arguments.folder / network, arguments.folder / query
            layers, errors, seconds = compare(binary, *paths, arguments.points, pathlib.Path(scratch))
            limit = 1e-4 if layers > 30 else 1e-5
            bad = isinstance(errors[-1], str) or not errors[0] <= max(limit, 4 * errors[1])
            worst += bad
            shown = " | ".join(e if isinstance(e, str) else f"{e:.1e}" for e in errors)
            print(f"| {network} | {layers} | {shown} | {seconds:.3f} |{' **differs**' if bad else ''}", flush=True)
    print(f"\n{len(networks)} networks, {worst} differ")
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
