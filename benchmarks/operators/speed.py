#!/usr/bin/env python3
"""Times every given network in ONNX Runtime (one thread) and in the fast engine, in turns in the same run.

    cargo build --release --example probe
    python3 benchmarks/operators/speed.py FOLDER [PATTERN…] > table.md

FOLDER holds */onnx/**/*.onnx[.gz], one folder a benchmark, as VNN-COMP's repositories do. Times are CPU time of the
thread that computes, the best of ROUNDS turns of SECONDS each. A network whose first axis is fixed to 1 is given to
ONNX Runtime with that axis made symbolic (as a session with a free batch would); where that fails, once a point.
"""
import gzip, os, pathlib, subprocess, sys, time
import numpy as np
import onnx
import onnxruntime

SECONDS = 0.15
ROUNDS = 4
BATCH = 64
PROBE = pathlib.Path(os.environ.get("PROBE") or pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/probe")


def session(data):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
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


def batched(data):
    """The model with a symbolic first axis, if it has a fixed one and runs with 64 points all the same."""
    model = onnx.load_from_string(data)
    known = {tensor.name for tensor in model.graph.initializer}
    for value in list(model.graph.input) + list(model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if value.name not in known and len(dims) > 1 and dims[0].dim_value == 1:
            dims[0].dim_param = "points"
    del model.graph.value_info[:]
    try:
        run = session(model.SerializeToString())
        values, points = feed(run.get_inputs(), BATCH, np.random.default_rng(0))
        results = run.run(None, values)
        if points == BATCH and all(len(y.shape) and y.shape[0] == BATCH for y in results):
            return run
    except Exception:
        pass
    return None


def turn(run):
    start, least = time.thread_time(), float("inf")
    passes = 1
    while time.thread_time() - start < SECONDS or least == float("inf"):
        begin = time.thread_time()
        for _ in range(passes):
            run()
        spent = time.thread_time() - begin
        least = min(least, spent / passes)
        if spent < 2e-3:
            passes, least = passes * 2, float("inf")
    return least


def ours(probe, what):
    probe.stdin.write(f"{SECONDS} {what}\n")
    probe.stdin.flush()
    return float(probe.stdout.readline())


def compare(path, run, lanes, rng):
    """Microseconds a point: ONNX Runtime, the engine, the engine with the gradient."""
    values, points = feed(run.get_inputs(), lanes, rng)
    with subprocess.Popen([PROBE, "time", path, str(lanes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probe:
        times = [[], [], []]
        for _ in range(ROUNDS):
            times[0].append(turn(lambda: run.run(None, values)) / points * 1e6)
            times[1].append(ours(probe, "forward"))
        times[2].append(ours(probe, "gradient"))
        probe.stdin.close()
    return [min(t) for t in times]


def main():
    folder, patterns = pathlib.Path(sys.argv[1]), sys.argv[2:] or [""]
    rng = np.random.default_rng(1)
    print("| network | ORT, 1 | ours, 1 | ratio | ORT, 64 | ours, 64 | ratio | with gradient, 64 |")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(folder.glob("*/onnx/**/*.onnx*")):
        if not any(pattern in str(path) for pattern in patterns):
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        single = session(data)
        many = batched(data)
        cells = []
        for lanes, run in ((1, single), (BATCH, many or single)):
            theirs, own, gradient = compare(path, run, lanes, rng)
            cells += [f"{theirs:.2f}", f"{own:.2f}", f"{own / theirs:.2f}"]
        cells.append(f"{gradient:.2f}")
        if many is None:
            cells[3] += " ×1"
        name = path.name.removesuffix(".gz").removesuffix(".onnx")
        print(f"| {path.relative_to(folder).parts[0]}/{name[:40]} | {' | '.join(cells)} |", flush=True)


main()
