#!/usr/bin/env python3
"""How far Softmax, LogSoftmax, ReduceLogSumExp, LayerNormalization and their like are off in ONNX Runtime, by length.

    python3 benchmarks/functions/vectors.py > table.md

Vectors are random of several scales, and adversarial: ties, one large among small, ascending, near the ends of exp.
For the exponential ones the judge is double precision behind the difference to the largest value *as float32 rounds it*
(`rounded`), and over the real numbers (`real`): the latter grows with the spread of the vector, as x - max is rounded.
For the normalisations errors are relative to the largest result, over the condition max|x - mean| against max|x|.
"""
import json, os, pathlib

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).resolve().parent
LENGTHS = [1, 2, 3, 5, 7, 8, 9, 16, 17, 33, 64, 100, 257, 1000, 4096]
TINY = 2.0**-126


def session(operator, n, opset=22, constants=(), **attributes):
    names = [f"c{i}" for i in range(len(constants))]
    kept = [helper.make_tensor(name, TensorProto.INT64 if np.asarray(v).dtype == np.int64 else TensorProto.FLOAT, np.shape(v), np.ravel(v))
            for name, v in zip(names, constants)]
    node = helper.make_node(operator, ["x", *names], ["y"], **attributes)
    graph = helper.make_graph([node], "one", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", n])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    run = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: run.run(None, {"x": x})[0]


def vectors(n, rng):
    """Rows of float32 of one length."""
    count = max(4, min(2000, 400_000 // n))
    rows = [rng.normal(size=(count, n)) * scale for scale in (0.01, 1, 10, 40)]
    rows += [rng.normal(size=(count, n)) + offset for offset in (10, 1000)]
    ties = np.round(rng.normal(size=(count, n)) * 3)
    one = np.full((count, n), 0.0)
    one[np.arange(count), rng.integers(n, size=count)] = rng.uniform(0, 110, size=count)
    ascending = np.linspace(-1, 0, n)[None, :] * rng.uniform(0, 110, size=(count, 1))
    near = -rng.uniform(80, 105, size=(count, n))
    near[:, 0] = 0
    return np.concatenate(rows + [ties, one, ascending, near]).astype(np.float32)


def ulp(x):
    return np.spacing(np.maximum(np.abs(x), TINY).astype(np.float32)).astype(np.float64)


def exponential(operator, x, rounded):
    """The exact result; the difference to the maximum is rounded to float32 first or not."""
    wide = x.astype(np.float64)
    top = wide.max(axis=1, keepdims=True)
    d = (wide - top).astype(np.float32).astype(np.float64) if rounded else wide - top
    total = np.exp(d).sum(axis=1, keepdims=True)
    if operator == "Softmax":
        return np.exp(d) / total
    return d - np.log(total) if operator == "LogSoftmax" else np.log(total) + top


def compare(got, exact, scale=None):
    error = np.abs(got.astype(np.float64) - exact)
    size = ulp(exact) if scale is None else ulp(scale)
    small = np.abs(exact) < TINY
    return float(np.where(small, 0, error / size).max()), float(np.where(small, error, 0).max())


def exponentials(rng):
    for operator in ("Softmax", "LogSoftmax", "ReduceLogSumExp"):
        for n in LENGTHS:
            x = vectors(n, rng)
            more = dict(constants=([1],), keepdims=1) if operator == "ReduceLogSumExp" else dict(axis=1)
            got = session(operator, n, **{k: ([np.array([1])] if k == "constants" else v) for k, v in more.items()})(x)
            wide = x.astype(np.float64)
            # A result near zero is the difference of larger numbers: log-sums are measured in ulps of what is added.
            top = np.abs(wide).max(axis=1, keepdims=True)
            scale = None if operator == "Softmax" else np.broadcast_to(np.maximum(top, 1), got.shape)
            rounded, flushed = compare(got, exponential(operator, x, True), scale)
            real, _ = compare(got, exponential(operator, x, False), scale)
            sums = float(np.abs(got.astype(np.float64).sum(axis=1) - 1).max()) if operator == "Softmax" else None
            zeros = float(exponential(operator, x, False)[got == 0].max(initial=0)) if operator == "Softmax" else None
            yield dict(operator=operator, length=n, rounded=rounded, real=real, small=flushed, most=float(got.max()), sums=sums, flushed=zeros)


def normalised(operator, x):
    wide = x.astype(np.float64)
    if operator.startswith("Lp"):
        size = np.abs(wide).sum(axis=1, keepdims=True) if operator == "LpNormalization 1" else np.sqrt((wide**2).sum(axis=1, keepdims=True))
        return np.where(size > 0, wide / np.where(size > 0, size, 1), 0)
    centred = wide - wide.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + float(np.float32(1e-5)))


def normalisations(rng):
    """Errors in ulps of the largest result of a row, in multiples of max|x| / deviation where that is more than 1."""
    for operator in ("LayerNormalization", "InstanceNormalization", "LpNormalization 1", "LpNormalization 2"):
        for n in LENGTHS[1:]:
            x = vectors(n, rng)
            if operator == "LayerNormalization":
                got = session(operator, n, constants=(np.ones(n, np.float32), np.zeros(n, np.float32)), axis=1)(x)
            elif operator == "InstanceNormalization":
                continue  # one mean a channel of an image: the same formula, see operators-vs-ort
            else:
                got = session("LpNormalization", n, axis=1, p=int(operator[-1]))(x)
            exact = normalised(operator, x)
            wide = x.astype(np.float64)
            top = np.broadcast_to(np.abs(exact).max(axis=1, keepdims=True), exact.shape)
            centred = wide - wide.mean(axis=1, keepdims=True)
            deviation = np.sqrt((centred**2).mean(axis=1) + 1e-5)
            condition = np.maximum(1, np.abs(wide).max(axis=1) / deviation)[:, None] if operator.startswith("Layer") else 1.0
            error = np.abs(got.astype(np.float64) - exact) / ulp(top)
            yield dict(operator=operator, length=n, plain=float(error[: len(x) // 10].max()), worst=float(error.max()), by_condition=float((error / condition).max()))


def main():
    rng = np.random.default_rng(5)
    rows = dict(exponentials=list(exponentials(rng)), normalisations=list(normalisations(rng)))
    (HERE / "vectors.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows["exponentials"] + rows["normalisations"]:
        print(" ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
