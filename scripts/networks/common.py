"""What the makers of the shipped networks share: writing ONNX files, VNN-LIB properties and sample outputs."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
OPSET = 13


def model(name, nodes, weights, input_shape, output_shape):
    """A checked model with one float input `input` and one float output `output`."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, output_shape)],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    proto = helper.make_model(
        graph, producer_name="counterpatch", ir_version=8, opset_imports=[helper.make_opsetid("", OPSET)]
    )
    onnx.checker.check_model(proto, full_check=True)
    return proto


def fully_connected(name, layers):
    """layers: (weights [outputs, inputs], bias [outputs]) pairs; ReLU between them."""
    nodes, weights, current = [], {}, "input"
    for k, (matrix, bias) in enumerate(layers, start=1):
        weights[f"W{k}"] = np.asarray(matrix, dtype=np.float32)
        weights[f"b{k}"] = np.asarray(bias, dtype=np.float32)
        last = k == len(layers)
        result = "output" if last else f"z{k}"
        nodes.append(helper.make_node("Gemm", [current, f"W{k}", f"b{k}"], [result], f"gemm{k}", transB=1))
        if not last:
            nodes.append(helper.make_node("Relu", [result], [f"h{k}"], f"relu{k}"))
            current = f"h{k}"
    return model(name, nodes, weights, [1, weights["W1"].shape[1]], [1, len(layers[-1][1])])


def run(proto, points):
    """ONNX Runtime's outputs, one flat row a point."""
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    rows = [session.run(None, {"input": np.asarray(p, np.float32).reshape(shape)})[0] for p in points]
    return np.stack([row.reshape(-1) for row in rows])


def save(name, proto, low, high, seed, samples=4):
    """Writes NAME.onnx and NAME.json: points from the box [low, high] with ONNX Runtime's outputs there."""
    (DATA / f"{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
    size = int(np.prod([d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]))
    points = np.random.default_rng(seed).uniform(low, high, (samples, size)).astype(np.float32)
    pairs = {"inputs": points, "outputs": run(proto, points)}
    lines = [
        f' "{key}": [\n  ' + ",\n  ".join(json.dumps([float(v) for v in row]) for row in rows) + "\n ]"
        for key, rows in pairs.items()
    ]
    (DATA / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def decimal(value):
    """A decimal without exponent that reads back as the same double."""
    return np.format_float_positional(float(value), trim="0")


def vnnlib(name, comment, lower, upper, outputs, asserts, folder=DATA):
    """Writes a VNN-LIB 1.0 property: a box, then output assertions as text."""
    lines = [f"; {line}" for line in comment]
    lines += [f"(declare-const X_{i} Real)" for i in range(len(lower))]
    lines += [f"(declare-const Y_{i} Real)" for i in range(outputs)]
    for i, (low, high) in enumerate(zip(lower, upper)):
        lines += [f"(assert (>= X_{i} {decimal(low)}))", f"(assert (<= X_{i} {decimal(high)}))"]
    lines += [f"(assert {text})" for text in asserts]
    (folder / f"{name}.vnnlib").write_text("\n".join(lines) + "\n")


def misclassified(label, classes):
    """The unsafe set "another class scores at least as high"."""
    cases = " ".join(f"(and (>= Y_{j} Y_{label}))" for j in range(classes) if j != label)
    return f"(or {cases})"
