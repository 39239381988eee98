#!/usr/bin/env python3
"""ort_forward.py NET.onnx[.gz]...: ONNX Runtime's forward passes a second on one core, at the best batch size.

The model's first input dimension is made free first, so that a batch is one call. Each batch size is run for half a
second after a warm-up, three times; the best of three counts. Models that mix the batch into a fixed Reshape refuse
larger batches and are measured at those that work.
"""

import gzip
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort

BATCHES = (1, 16, 64, 256, 1024, 4096)
SECONDS = 0.5


def load(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        model = onnx.load_from_string(file.read())
    constants = {tensor.name for tensor in model.graph.initializer}
    (source,) = [value for value in model.graph.input if value.name not in constants]
    for value in (source, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims:
            dims[0].dim_param = "batch"
    shape = [max(1, dim.dim_value) for dim in source.type.tensor_type.shape.dim]
    return model, source.name, shape[1:]


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def rate(run, batch):
    """Points a second: the best of three measurements."""
    best = 0.0
    run()
    for _ in range(3):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < SECONDS:
            run()
            calls += 1
        best = max(best, calls * batch / elapsed)
    return best


def best_rate(path):
    model, name, shape = load(path)
    runtime = session(model)
    rates = {}
    for batch in BATCHES:
        points = {name: np.random.default_rng(0).uniform(-0.5, 0.5, (batch, *shape)).astype(np.float32)}
        try:
            rates[batch] = rate(lambda: runtime.run(None, points), batch)
        except Exception as refusal:  # ONNX Runtime's own exceptions have no common base that it exports
            print(f"{path}: batch {batch}: {str(refusal).splitlines()[0][:80]}", file=sys.stderr)
    return max(rates.items(), key=lambda item: item[1])


def main(paths):
    if not paths:
        sys.exit(__doc__)
    results = []
    for path in paths:
        batch, points = best_rate(path)
        results.append(points)
        print(f"{points / 1e6:8.3f} million points/s at batch {batch:<5} {path}", flush=True)
    if len(results) > 1:
        print(f"{np.median(results) / 1e6:8.3f} million points/s, median of {len(results)} networks")


if __name__ == "__main__":
    main(sys.argv[1:])
