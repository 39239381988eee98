#!/usr/bin/env python3
"""Times every given network in ONNX Runtime (one thread) and in the fast engine, in the same run.

    cargo build --release --example probe
    python3 benchmarks/operators/speed.py FOLDER [PATTERN…] > table.md

FOLDER holds */onnx/**/*.onnx[.gz], one folder a benchmark, as VNN-COMP's repositories do. Both engines take the best of
the passes that fit SECONDS; a network whose first axis is not symbolic is given to ONNX Runtime once for each point.
"""
import gzip, pathlib, subprocess, sys, time
import numpy as np
import onnxruntime

SECONDS = 0.6
BATCH = 64
PROBE = pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/probe"


def session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options)


def feed(inputs, batch, rng):
    result, points = {}, 1
    for value in inputs:
        shape = [d if isinstance(d, int) else None for d in value.shape]
        if shape and shape[0] is None:
            shape[0], points = batch, batch
        shape = [1 if d is None else d for d in shape]
        kind = np.float64 if "double" in value.type else np.float32
        result[value.name] = rng.random(shape).astype(kind)
    return result, points


def best(run):
    start, least = time.perf_counter(), float("inf")
    while time.perf_counter() - start < SECONDS:
        begin = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - begin)
    return least


def main():
    folder, patterns = pathlib.Path(sys.argv[1]), sys.argv[2:] or [""]
    rng = np.random.default_rng(1)
    print("| network | ORT, 1 | ours, 1 | ratio | ORT, 64 | ours, 64 | ratio | ours with gradient, 64 |")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(folder.glob("*/onnx/**/*.onnx*")):
        if not any(pattern in str(path) for pattern in patterns):
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        run = session(data)
        cells = []
        for lanes in (1, BATCH):
            values, points = feed(run.get_inputs(), lanes, rng)
            theirs = best(lambda: run.run(None, values)) / points * 1e6
            out = subprocess.run([PROBE, "time", path, str(lanes), str(SECONDS)], capture_output=True, text=True)
            if out.returncode:
                cells = [out.stderr.strip()[:60]]
                break
            ours, gradient = map(float, out.stdout.split())
            cells += [f"{theirs:.2f}", f"{ours:.2f}", f"{ours / theirs:.2f}"]
        else:
            cells.append(f"{gradient:.2f}")
        name = path.name.removesuffix(".gz").removesuffix(".onnx")
        print(f"| {path.parts[-3]}/{name[:40]} | {' | '.join(cells)} |", flush=True)


main()
