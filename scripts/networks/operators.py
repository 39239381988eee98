"""Small networks with random weights, each full of one family's operators: what the tests read and run."""

import numpy as np
from onnx import helper

import common


def weights(rng, **shapes):
    return {key: rng.normal(0, 0.5, shape).astype(np.float32) for key, shape in shapes.items()}


def normalisation(rng, channels):
    """Scale, shift, mean and variance of a BatchNormalization."""
    return {
        "scale": rng.uniform(0.5, 1.5, channels).astype(np.float32),
        "shift": rng.normal(0, 0.2, channels).astype(np.float32),
        "mean": rng.normal(0, 0.2, channels).astype(np.float32),
        "variance": rng.uniform(0.5, 1.5, channels).astype(np.float32),
    }


def convolutional(rng):
    """Strides, dilation, groups and one-sided padding; both pools; BatchNormalization; LeakyRelu."""
    node = helper.make_node
    nodes = [
        node("Conv", ["input", "K1", "c1"], ["t1"], "conv1", strides=[2, 1], pads=[1, 0, 0, 2]),
        node("BatchNormalization", ["t1", "scale", "shift", "mean", "variance"], ["t2"], "norm", epsilon=1e-4),
        node("LeakyRelu", ["t2"], ["t3"], "leaky", alpha=0.1),
        node("Conv", ["t3", "K2"], ["t4"], "conv2", group=2, dilations=[1, 2], pads=[1, 2, 1, 2]),
        node("Relu", ["t4"], ["t5"], "relu"),
        node("MaxPool", ["t5"], ["t6"], "maxpool", kernel_shape=[2, 2], strides=[1, 2]),
        node("AveragePool", ["t6"], ["t7"], "meanpool", kernel_shape=[2, 2], pads=[1, 0, 0, 1]),
        node("Flatten", ["t7"], ["t8"], "flatten"),
        node("Gemm", ["t8", "W", "b"], ["output"], "gemm"),
    ]
    values = weights(rng, K1=(4, 2, 3, 3), c1=(4,), K2=(6, 2, 3, 3), W=(72, 3), b=(3,)) | normalisation(rng, 4)
    return common.model("convolutional", nodes, values, [1, 2, 8, 8], [1, 3])


def residual(rng):
    """Two skip connections, one of them projected; global mean."""
    node = helper.make_node
    nodes = [
        node("Conv", ["input", "K1", "c1"], ["t1"], "conv1", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["t1", "scale", "shift", "mean", "variance"], ["t2"], "norm"),
        node("Relu", ["t2"], ["t3"], "relu1"),
        node("Conv", ["t3", "K2", "c2"], ["t4"], "conv2", pads=[1, 1, 1, 1]),
        node("Conv", ["input", "K3"], ["t5"], "projection"),
        node("Add", ["t4", "t5"], ["t6"], "skip1"),
        node("Relu", ["t6"], ["t7"], "relu2"),
        node("Conv", ["t7", "K4", "c4"], ["t8"], "conv3", pads=[1, 1, 1, 1]),
        node("Add", ["t8", "t7"], ["t9"], "skip2"),
        node("Relu", ["t9"], ["t10"], "relu3"),
        node("GlobalAveragePool", ["t10"], ["t11"], "mean"),
        node("Reshape", ["t11", "shape"], ["t12"], "reshape"),
        node("Gemm", ["t12", "W", "b"], ["output"], "gemm", transB=1),
    ]
    values = weights(
        rng, K1=(4, 1, 3, 3), c1=(4,), K2=(4, 4, 3, 3), c2=(4,), K3=(4, 1, 1, 1), K4=(4, 4, 3, 3), c4=(4,),
        W=(3, 4), b=(3,),
    ) | normalisation(rng, 4) | {"shape": np.array([1, -1], dtype=np.int64)}
    return common.model("residual", nodes, values, [1, 1, 6, 6], [1, 3])


def attention(rng):
    """One transformer block of two heads: layer normalisation from its parts, softmax attention, skip, mean."""
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["input"], ["m1"], "mean", axes=[-1], keepdims=1),
        node("Sub", ["input", "m1"], ["m2"], "centre"),
        node("Pow", ["m2", "two"], ["m3"], "square"),
        node("ReduceMean", ["m3"], ["m4"], "variance", axes=[-1], keepdims=1),
        node("Add", ["m4", "epsilon"], ["m5"], "stabilise"),
        node("Sqrt", ["m5"], ["m6"], "root"),
        node("Div", ["m2", "m6"], ["m7"], "normalise"),
    ]
    for name, order in (("Q", [0, 2, 1, 3]), ("K", [0, 2, 3, 1]), ("V", [0, 2, 1, 3])):
        nodes += [
            node("MatMul", ["m7", f"W{name}"], [f"{name}1"], f"project{name}"),
            node("Reshape", [f"{name}1", "heads"], [f"{name}2"], f"split{name}"),
            node("Transpose", [f"{name}2"], [f"{name}3"], f"transpose{name}", perm=order),
        ]
    nodes += [
        node("MatMul", ["Q3", "K3"], ["s1"], "scores"),
        node("Mul", ["s1", "scaling"], ["s2"], "scale"),
        node("Softmax", ["s2"], ["s3"], "softmax", axis=-1),
        node("MatMul", ["s3", "V3"], ["s4"], "mix"),
        node("Transpose", ["s4"], ["s5"], "join", perm=[0, 2, 1, 3]),
        node("Reshape", ["s5", "tokens"], ["s6"], "merge"),
        node("MatMul", ["s6", "WO"], ["s7"], "projectO"),
        node("Add", ["s7", "input"], ["s8"], "skip"),
        node("ReduceMean", ["s8"], ["s9"], "pool", axes=[1], keepdims=0),
        node("Gemm", ["s9", "W", "b"], ["output"], "gemm"),
    ]
    values = weights(rng, WQ=(4, 4), WK=(4, 4), WV=(4, 4), WO=(4, 4), W=(4, 3), b=(3,)) | {
        "two": np.array(2, dtype=np.float32),
        "epsilon": np.array(1e-5, dtype=np.float32),
        "scaling": np.array(2**-0.5, dtype=np.float32),
        "heads": np.array([1, 5, 2, 2], dtype=np.int64),
        "tokens": np.array([1, 5, 4], dtype=np.int64),
    }
    return common.model("attention", nodes, values, [1, 5, 4], [1, 3])


def sign(rng):
    """A binarised network: Sign has no gradient anywhere."""
    node = helper.make_node
    nodes = [
        node("Gemm", ["input", "W1", "b1"], ["t1"], "gemm1"),
        node("Sign", ["t1"], ["t2"], "sign1"),
        node("Gemm", ["t2", "W2", "b2"], ["t3"], "gemm2"),
        node("Sign", ["t3"], ["t4"], "sign2"),
        node("Gemm", ["t4", "W3", "b3"], ["output"], "gemm3"),
    ]
    values = weights(rng, W1=(6, 12), b1=(12,), W2=(12, 8), b2=(8,), W3=(8, 3), b3=(3,))
    return common.model("sign", nodes, values, [1, 6], [1, 3])


def smooth(rng):
    """Sigmoid and Tanh, Split and Concat, elementwise arithmetic, a constant on the left of MatMul."""
    node = helper.make_node
    nodes = [
        node("Split", ["input", "parts"], ["p1", "p2"], "split", axis=1),
        node("MatMul", ["L", "p1"], ["t1"], "left"),
        node("Sigmoid", ["t1"], ["t2"], "sigmoid"),
        node("Tanh", ["p2"], ["t3"], "tanh"),
        node("Concat", ["t2", "t3"], ["t4"], "concat", axis=1),
        node("Mul", ["t4", "t4"], ["t5"], "square"),
        node("Neg", ["t4"], ["t6"], "negate"),
        node("Sub", ["t5", "t6"], ["t7"], "subtract"),
        node("Squeeze", ["t7", "last"], ["t8"], "squeeze"),
        node("MatMul", ["t8", "W"], ["t9"], "matmul"),
        node("Slice", ["t9", "from", "to", "axis"], ["output"], "slice"),
    ]
    values = weights(rng, L=(3, 4), W=(5, 5)) | {
        "parts": np.array([4, 2], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
        "from": np.array([1], dtype=np.int64),
        "to": np.array([4], dtype=np.int64),
        "axis": np.array([1], dtype=np.int64),
    }
    return common.model("smooth", nodes, values, [1, 6, 1], [1, 3])


def make():
    for seed, build in enumerate((convolutional, residual, attention, sign, smooth), start=10):
        name = build.__name__
        rng = np.random.default_rng(seed)
        proto = build(rng)
        common.save(name, proto, -1, 1, seed)
        size = int(np.prod([d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]))
        centre = common.run(proto, [np.zeros(size)])[0]
        sampled = common.run(proto, rng.uniform(-1, 1, (2000, size)))
        label = int(centre.argmax())
        hits = int((sampled.argmax(axis=1) != label).sum())
        assert hits > 0, f"{name}: no sample changes the decision"
        common.vnnlib(
            name, [f"At the centre output {label} is the largest."], [-1.0] * size, [1.0] * size, 3,
            [common.misclassified(label, 3)],
        )
        yield name, name, "sat", f"{hits} of 2000 uniform samples"
