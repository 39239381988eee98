#!/usr/bin/env python3
"""Random networks that are hard on floats, through the program itself, with ONNX Runtime as the judge.

    python benchmarks/verdicts.py --binary target/release/counterpatch --count 300 --seed 1

Each network has a box and a goal near the largest value that ONNX Runtime reaches. Counted are answers: `unsat` is wrong if ONNX
Runtime violates the property at any of the points that are tried, `sat` if it does not at the printed witness. Networks of
findings are kept in the folder of --keep. The same kinds in greater numbers, in one process: benchmarks/verdicts/main.rs.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FUNCTIONS = ["Relu", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Exp", "Abs", "Sign", "Floor", "Softplus", "Elu", "Selu",
             "HardSigmoid", "HardSwish", "Sin", "Erf", "Softmax", "Neg"]


class Maker:
    """A network with one input `x` of shape 1 x n."""

    def __init__(self, rng):
        self.rng, self.nodes, self.constants, self.number = rng, [], [], 0
        self.dtype = np.float64 if rng.random() < 0.1 else np.float32
        self.palette = rng.integers(5)

    def weights(self, *shape):
        rng = self.rng
        w = rng.choice([1.0, -1.0], shape)
        if self.palette == 1:
            w = rng.integers(-3, 4, shape).astype(float)
        elif self.palette == 2:
            w = rng.normal(size=shape)
        elif self.palette == 3:
            w = w * rng.choice([1, 1, 2.0 ** -12, 1 - 2.0 ** -24, 1e8], shape)
        elif self.palette == 4:
            w = w * rng.choice([1, 2.0 ** -20, 1e30, 1e-30, 0.3], shape)
        return self.constant(np.asarray(w, self.dtype))

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator, inputs, **attributes):
        self.number += 1
        output = f"v{self.number}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"n{self.number}", **attributes))
        return output

    def layer(self, x, n):
        rng = self.rng
        kind = rng.integers(9)
        if kind <= 2:
            m = int(rng.integers(1, 12))
            if rng.random() < 0.5:
                return self.node("MatMul", [x, self.weights(n, m)]), m
            return self.node("Gemm", [x, self.weights(m, n), self.weights(m)], transB=1), m
        if kind <= 4:
            return self.node(str(rng.choice(FUNCTIONS)), [x]), n
        if kind == 5:
            k = self.constant(np.asarray([1e8], self.dtype))
            there, back = [("Add", "Sub"), ("Mul", "Div")][rng.integers(2)]
            return self.node(back, [self.node(there, [x, k]), k]), n
        if kind == 6:
            row = self.node("Reshape", [x, self.constant(np.asarray([1, 1, n], np.int64))])
            kernel = int(rng.integers(1, min(n, 3) + 1))
            conv = self.node("Conv", [row, self.weights(2, 1, kernel), self.weights(2)])
            spread = self.constant(rng.choice([1, 4, 0.3], 2).astype(self.dtype))
            norm = self.node("BatchNormalization",
                             [conv, self.weights(2), self.weights(2), self.weights(2), spread])
            return self.node("Flatten", [norm]), 2 * (n + 1 - kernel)
        if kind == 7:
            return self.node(str(rng.choice(["Add", "Sub", "Mul", "Max", "Min"])), [x, self.weights(1, n)]), n
        return self.node(str(rng.choice(["Add", "Mul"])), [x, self.node("Relu", [x])]), n

    def model(self):
        n = int(self.rng.integers(1, 8))
        x, size = "x", n
        for _ in range(self.rng.integers(1, 6)):
            x, size = self.layer(x, size)
        self.nodes.append(helper.make_node("Identity", [x], ["y"], name="last"))
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", element, [1, n])],
                                  [helper.make_tensor_value_info("y", element, [1, size])], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model, n, size


def points(rng, low, high, dtype, count):
    """Corners, floats beside the ends, and anything between."""
    out = []
    for _ in range(count):
        way = rng.integers(4)
        p = low + rng.random(low.shape) * (high - low)
        if way == 0:
            p = np.where(rng.random(low.shape) < 0.5, low, high)
        elif way == 1:
            p = np.where(rng.random(low.shape) < 0.5, low, (low + high) / 2)
        elif way == 2:
            p = np.where(rng.random(low.shape) < 0.5, np.nextafter(low, high), np.nextafter(high, low))
        out.append(np.clip(p.astype(dtype), low, high))
    return out


def sessions(model):
    """As it is, and optimised."""
    for level in (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level, options.intra_op_num_threads = level, 1
        options.log_severity_level = 4
        try:
            yield onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception:  # an operator that it has not in this type
            return


def decimal(x):
    return f"(- {-float(x)!r})" if x < 0 else repr(float(x))


def case(rng):
    maker = Maker(rng)
    model, n, size = maker.model()
    runs = list(sessions(model))
    if not runs:
        return None
    scale = rng.choice([1, 1, 10, 1e3])
    low = (rng.normal(size=n) * scale).astype(maker.dtype)
    high = (low + rng.choice([0, 1e-6, 1e-2, 1, 3]) * scale).astype(maker.dtype)
    run = lambda p: [s.run(None, {"x": p[None, :]})[0].ravel().astype(np.float64) for s in runs]
    seen = np.array([y for p in points(rng, low, high, maker.dtype, 24) for y in run(p)])
    if not np.isfinite(seen).all():
        return None
    index, sign = rng.integers(size), rng.choice([1, -1])
    values = sign * seen[:, index]
    most, spread = values.max(), np.ptp(values)
    beyond = [0, np.spacing(np.float32(abs(most))), 1e-6 * abs(most) + 1e-9, 1e-3 * abs(most) + 1e-3 * spread,
              spread + 0.1 * abs(most) + 1e-3][rng.integers(5)]
    limit = float(sign * (most + beyond))
    if not np.isfinite(limit):
        return None
    text = "".join(f"(declare-const X_{i} Real)\n" for i in range(n))
    text += "".join(f"(declare-const Y_{i} Real)\n" for i in range(size))
    for i in range(n):
        text += f"(assert (>= X_{i} {decimal(low[i])}))\n(assert (<= X_{i} {decimal(high[i])}))\n"
    text += f"(assert ({'>=' if sign > 0 else '<='} Y_{index} {decimal(limit)}))\n"
    violated = lambda p: [bool(sign * y[index] >= sign * limit) for y in run(p)]
    return model, text, low, high, maker.dtype, violated


def witness(path, n):
    """The inputs of a printed witness."""
    values = {}
    for word in path.read_text().replace("(", " ( ").replace(")", " ) ").split(")"):
        parts = word.replace("(", " ").split()
        if len(parts) >= 2 and parts[-2].startswith("X_"):
            values[int(parts[-2][2:])] = float(parts[-1])
    return [values[i] for i in range(n)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", default="2")
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("findings"))
    given = parser.parse_args()
    counts, number = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        while counts["networks"] < given.count:
            number += 1
            rng = np.random.default_rng([given.seed, number])
            made = case(rng)
            if made is None:
                continue
            counts["networks"] += 1
            for what in answer(given, folder, rng, *made):
                counts[what] += 1
                if what.startswith(("wrong", "error", "exit")):
                    given.keep.mkdir(exist_ok=True)
                    onnx.save(made[0], given.keep / f"{given.seed}-{number}.onnx")
                    (given.keep / f"{given.seed}-{number}.vnnlib").write_text(made[1])
                    print(what, given.seed, number, flush=True)
    print(f"seed {given.seed}: {dict(counts)}")


def answer(given, folder, rng, model, text, low, high, dtype, violated):
    """The program's answer, and what is wrong with it."""
    net, query, results = folder / "n.onnx", folder / "p.vnnlib", folder / "r.txt"
    onnx.save(model, net)
    query.write_text(text)
    results.unlink(missing_ok=True)
    command = [given.binary, "verify", str(net), str(query), "--results-file", str(results),
               "--timeout", given.timeout, "--threads", "1", "--quiet", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = results.read_text().split() if results.exists() else []
    word = lines[0] if lines else f"exit {done.returncode}"
    yield word
    if word == "unsat" and any(any(violated(p)) for p in points(rng, low, high, dtype, 400)):
        yield "wrong unsat"
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    certainty = next((e.get("certainty") for e in events if e.get("event") == "verdict"), None)
    if word == "sat":
        yield f"sat, {certainty}"
        point = np.asarray(witness(results, len(low)), dtype)
        found = violated(point)
        if not any(found):
            yield "thin sat that ONNX Runtime does not confirm" if certainty == "thin" else "wrong sat"
        elif certainty == "certified" and not all(found):
            yield "wrong certified"
        elif not all(found):
            yield "sat in one of two orders"


if __name__ == "__main__":
    main()
