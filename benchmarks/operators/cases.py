"""Single-operator models: for each operator a function that draws operands, types, attributes and what is constant.

Attributes are drawn from all that ONNX names, alone and together; what ONNX Runtime does not accept is not compared.
"""
import dataclasses

import numpy as np

FLOATS = ["float32", "float32", "float32", "float32", "float64", "float16"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
EXTREMES = {"int8": [127, -128, 100], "int16": [32767, -32768, 300], "int32": [2**31 - 1, -(2**31), 100_000, 65_536],
            "int64": [2**53 - 1, -(2**53) + 1, 2**31, 2**32 + 1], "uint8": [255, 200], "uint16": [65_535, 300],
            "uint32": [2**32 - 1, 65_536, 3_000_000_000], "uint64": [2**53 - 1, 2**32]}


@dataclasses.dataclass
class Case:
    operator: str
    inputs: list  # arrays; None for what is left out
    attributes: dict = dataclasses.field(default_factory=dict)
    constant: set = dataclasses.field(default_factory=set)
    outputs: int = 1
    opset: int = 0


class Draw:
    """Random choices of one case."""

    def __init__(self, rng, opset):
        self.rng, self.opset = rng, opset

    def one(self, choices):
        return choices[self.rng.integers(len(choices))]

    def flag(self, share=0.5):
        return bool(self.rng.random() < share)

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def shape(self, low=0, high=4, most=4):
        return [self.int(1, most) for _ in range(self.int(low, high))]

    def tensor(self, shape, kind="float32", scale=2.0):
        if kind == "bool":
            return self.rng.random(shape) < 0.5
        if kind.startswith("float"):
            x = self.rng.normal(size=shape) * scale
            return np.where(self.rng.random(shape) < 0.1, np.round(x), x).astype(kind)
        low = 0 if kind.startswith("u") else -9
        x = self.rng.integers(low, 10, size=shape)
        if self.flag(0.4):
            ends = self.rng.choice(EXTREMES[kind], size=shape)
            x = np.where(self.rng.random(shape) < 0.4, ends, x)
        return np.asarray(x).astype(kind)

    def positive(self, shape, kind="float32", low=0.05, high=3.0):
        return self.rng.uniform(low, high, size=shape).astype(kind)

    def kind(self, integers=0.35, bools=False):
        if bools and self.flag(0.1):
            return "bool"
        return self.one(INTEGERS) if self.flag(integers) else self.one(FLOATS)

    def broadcast(self, shape):
        """A shape that broadcasts against `shape`."""
        kept = [1 if self.flag(0.3) else d for d in shape]
        return kept[self.int(0, len(kept)):] if self.flag(0.4) else kept

    def constants(self, count, share=0.35):
        chosen = {i for i in range(count) if self.flag(share)}
        return chosen if len(chosen) < count else chosen - {0}

    def attributes(self, **values):
        """Each with a chance of a half; None stands for left out."""
        return {name: value for name, value in values.items() if value is not None and self.flag(0.6)}

    def axis(self, rank, beyond=0):
        return self.int(-rank, rank - 1 + beyond) if rank else 0


def unary(operator, draw_input=None, kinds=None, **ranges):
    def make(d):
        kind = d.one(kinds or FLOATS)
        x = draw_input(d, d.shape(), kind) if draw_input else d.tensor(d.shape(), kind)
        attributes = d.attributes(**{k: float(np.float32(d.rng.uniform(*r))) for k, r in ranges.items()})
        return Case(operator, [x], attributes)
    return make


def within(low, high):
    return lambda d, shape, kind: d.rng.uniform(low, high, size=shape).astype(kind)


def special(d, shape, kind):
    x = d.tensor(shape, kind)
    return np.where(d.rng.random(shape) < 0.4, d.rng.choice([np.inf, -np.inf, np.nan], size=shape), x).astype(kind)


SIGNED = FLOATS + ["int8", "int16", "int32", "int64"]
UNARY = {
    **{name: unary(name) for name in ["Atan", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Mish", "Sigmoid", "Sin", "Softplus",
                                      "Softsign", "Tan", "Tanh", "Asinh", "Cosh", "Sinh", "Round"]},
    "Abs": unary("Abs", kinds=FLOATS + INTEGERS), "Neg": unary("Neg", kinds=SIGNED), "Sign": unary("Sign", kinds=FLOATS + INTEGERS),
    "Relu": unary("Relu", kinds=SIGNED), "Identity": unary("Identity", kinds=FLOATS + INTEGERS + ["bool"]),
    "Acos": unary("Acos", within(-1, 1)), "Asin": unary("Asin", within(-1, 1)), "Acosh": unary("Acosh", within(1, 9)),
    "Atanh": unary("Atanh", within(-0.99, 0.99)), "Log": unary("Log", within(0.01, 20)), "Sqrt": unary("Sqrt", within(0, 20)),
    "Reciprocal": unary("Reciprocal", within(0.1, 9)), "IsNaN": unary("IsNaN", special), "Not": unary("Not", kinds=["bool"]),
    "Celu": unary("Celu", alpha=(0.2, 3)), "Elu": unary("Elu", alpha=(-1, 3)), "LeakyRelu": unary("LeakyRelu", alpha=(-1, 2)),
    "Selu": unary("Selu", alpha=(0.2, 3), gamma=(0.5, 2)), "ThresholdedRelu": unary("ThresholdedRelu", alpha=(-1, 2)),
    "HardSigmoid": unary("HardSigmoid", alpha=(-0.5, 0.9), beta=(-1, 1)), "Swish": unary("Swish", alpha=(-1, 2)),
    "Shrink": unary("Shrink", kinds=FLOATS + INTEGERS, lambd=(0, 2), bias=(-1, 1)),
}


def gelu(d):
    return Case("Gelu", [d.tensor(d.shape(), d.one(FLOATS))], d.attributes(approximate=d.one(["none", "tanh"])))


def is_inf(d):
    return Case("IsInf", [special(d, d.shape(), d.one(FLOATS))], d.attributes(detect_negative=d.int(0, 1), detect_positive=d.int(0, 1)))


def pair(operator, bools=False, only=None, integers=0.5):
    def make(d):
        kind = only or d.kind(integers, bools)
        shape = d.shape()
        sides = [shape, d.broadcast(shape)]
        if d.flag():
            sides.reverse()
        a, b = (d.tensor(s, kind) for s in sides)
        if operator in ("Div", "Mod"):
            b = np.where(b == 0, np.asarray(3, b.dtype), b).astype(b.dtype)
        attributes = d.attributes(fmod=1 if kind.startswith("float") else d.int(0, 1)) if operator == "Mod" else {}
        if operator == "Mod" and kind.startswith("float"):
            attributes = {"fmod": 1}
        return Case(operator, [a, b], attributes, d.constants(2))
    return make


def power(d):
    shape, kind = d.shape(), d.one(["float32", "float32", "float64", "int32", "int64"])
    exponent = d.one(["float32", "float64", "int32", "int64", kind])
    base = d.tensor(shape, kind)
    to = d.tensor(d.broadcast(shape), exponent) if d.flag() else np.asarray(d.one([2, 3, 0, 1, -1, 4, 0.5, -2]), exponent)
    if exponent.startswith("float") and not np.all(np.asarray(to) == np.round(to)):
        base = np.abs(base) + base.dtype.type(1)
    if not kind.startswith("float"):
        base, to = np.clip(base, -9, 9) + 0 * base, np.clip(to, 0, 9).astype(to.dtype)
    return Case("Pow", [base, to], {}, d.constants(2))


def many(operator, integers):
    def make(d):
        kind, shape = d.kind(integers), d.shape()
        all_shapes = [shape] + [d.broadcast(shape) for _ in range(d.int(0, 3))]
        return Case(operator, [d.tensor(s, kind) for s in all_shapes], {}, d.constants(len(all_shapes)))
    return make


def prelu(d):
    shape = d.shape(1, 4)
    kind = d.one(FLOATS + ["int32", "int64", "uint32"])
    return Case("PRelu", [d.tensor(shape, kind), d.tensor(d.broadcast(shape), kind)], {}, d.one([{1}, {1}, set()]))


def clip(d):
    kind = d.kind(0.4)
    x = d.tensor(d.shape(), kind)
    if d.opset < 11:
        return Case("Clip", [d.tensor(d.shape())], d.attributes(min=-0.5, max=float(d.one([1.0, -1.0]))))
    bounds = [np.asarray(b, x.dtype) if d.flag(0.8) else None for b in (d.int(0, 3), d.int(0, 6))]
    return Case("Clip", [x, *bounds], {}, d.one([{1, 2}, set()]))


def where(d):
    kind, shape = d.kind(0.3, True), d.shape()
    return Case("Where", [d.tensor(d.broadcast(shape), "bool"), d.tensor(shape, kind), d.tensor(d.broadcast(shape), kind)], {}, d.constants(3))


def cast(d):
    from onnx import helper
    source, to = d.kind(0.4, True), d.kind(0.6, True)
    x = d.tensor(d.shape(), source)
    if source.startswith("float") and d.flag(0.4):
        x = (d.tensor(x.shape, source).astype("float64") * d.one([1e2, 1e5, 3e9, 1e19])).astype(source)
    if d.flag(0.2) and d.opset >= 15:
        return Case("CastLike", [x, d.tensor([2], to)], {}, {1})
    return Case("Cast", [x], {"to": helper.np_dtype_to_tensor_dtype(np.dtype(to))})


def quantize(d):
    shape, to = d.shape(1, 4), d.one(["int8", "uint8", "uint8", "int16", "uint16"])
    axis = d.axis(len(shape))
    per = [shape[axis]] if d.flag() else []
    scale = d.positive(per, low=0.01, high=0.3)
    zero = d.rng.integers(0, 100, size=per).astype(to) if d.flag(0.8) else None
    attributes = {"axis": axis} if per and d.opset >= 13 else {}
    if d.flag():
        return Case("QuantizeLinear", [d.tensor(shape), scale, zero], attributes, {1, 2})
    kind = to if zero is not None else "uint8"
    return Case("DequantizeLinear", [d.tensor(shape, d.one([kind, kind, "int32"]) if zero is None else kind), scale, zero], attributes, {1, 2})


def reduce(operator, integers):
    def make(d):
        shape, kind = d.shape(1, 4), d.kind(integers)
        x = d.positive(shape, d.one(FLOATS)) if operator == "ReduceLogSum" else d.tensor(shape, kind)
        axes = sorted(int(a) for a in d.rng.choice(len(shape), size=d.int(1, len(shape)), replace=False))
        axes = [a - len(shape) if d.flag(0.3) else a for a in axes] if d.opset >= 11 else axes
        attributes = d.attributes(keepdims=d.int(0, 1))
        if not d.flag(0.7):
            return Case(operator, [x], attributes | (d.attributes(noop_with_empty_axes=1) if d.opset >= 18 else {}))
        moved = 13 if operator == "ReduceSum" else 18
        if d.opset < moved:
            return Case(operator, [x], attributes | {"axes": axes})
        return Case(operator, [x, np.asarray(axes, "int64")], attributes, {1})
    return make


def arg(operator):
    def make(d):
        shape = d.shape(1, 4)
        attributes = d.attributes(axis=d.int(0, len(shape) - 1) if d.opset < 11 else d.axis(len(shape)), keepdims=d.int(0, 1),
                                  select_last_index=d.int(0, 1) if d.opset >= 12 else None)
        x = np.round(d.tensor(shape, d.one(["float32", "float64", "int32", "int8", "uint8", "int64"])))
        return Case(operator, [x], attributes)
    return make


def cum_sum(d):
    shape = d.shape(1, 4)
    x = d.tensor(shape, d.one(["float32", "float64", "int32", "int64"]))
    return Case("CumSum", [x, np.asarray(d.axis(len(shape)), d.one(["int32", "int64"]))], d.attributes(exclusive=d.int(0, 1), reverse=d.int(0, 1)), {1})


def top_k(d):
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    x = np.round(d.tensor(shape, d.one(["float32", "float64", "int32", "int64"])) * 2)
    count = d.int(1, shape[axis])
    if d.opset < 10:
        return Case("TopK", [x.astype("float32")], {"axis": axis, "k": count}, outputs=2)
    attributes = {"axis": axis} | (d.attributes(largest=d.int(0, 1)) if d.opset >= 11 else {})
    return Case("TopK", [x, np.asarray([count], "int64")], attributes, {1}, outputs=2)


def softmax(operator):
    def make(d):
        shape = d.shape(1, 4)
        axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
        x = d.tensor(shape, d.one(FLOATS))
        return Case(operator, [np.round(x) if operator == "Hardmax" else x], d.attributes(axis=axis))
    return make


def matmul(d):
    kind = d.one(["float32", "float32", "float64", "float16", "int32", "int64", "uint32", "uint64"])
    n, k, m = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    batch = d.shape(0, 2)
    a = d.one([[k], batch + [n, k], [n, k]])
    b = d.one([[k], [k, m], d.broadcast(batch) + [k, m]])
    return Case("MatMul", [d.tensor(a, kind), d.tensor(b, kind)], {}, d.constants(2))


def gemm(d):
    kind = d.one(["float32", "float32", "float64", "float16"])
    n, k, m = d.int(1, 5), d.int(1, 5), d.int(1, 5)
    ta, tb = d.int(0, 1), d.int(0, 1)
    c = d.one([[m], [n, m], [1, m], [n, 1], [], [1]])
    inputs = [d.tensor([k, n] if ta else [n, k], kind), d.tensor([m, k] if tb else [k, m], kind)]
    inputs += [d.tensor(c, kind)] if d.opset < 11 or d.flag(0.8) else []
    attributes = {"transA": ta, "transB": tb} | d.attributes(alpha=0.5, beta=float(d.one([2.0, 0.0])))
    return Case("Gemm", inputs, attributes, d.constants(len(inputs)))


def einsum(d):
    n, k, m, b = (d.int(1, 4) for _ in range(4))
    equation, shapes = d.one([
        ("ij,jk->ik", [[n, k], [k, m]]), ("bij,bjk->bik", [[b, n, k], [b, k, m]]), ("ij->ji", [[n, k]]), ("ij->", [[n, k]]), ("ij->i", [[n, k]]),
        ("i,j->ij", [[n], [m]]), ("...ij,...jk->...ik", [[b, n, k], [b, k, m]]), ("ij,ij->", [[n, k], [n, k]]), ("bhid,bhjd->bhij", [[b, 2, n, k], [b, 2, m, k]]),
        ("ij,jk", [[n, k], [k, m]]), ("ii->i", [[n, n]]), ("i,i", [[n], [n]]), ("ijk,jil->kl", [[n, k, m], [k, n, b]])])
    kind = d.one(["float32", "float64", "int32", "int64"])
    return Case("Einsum", [d.tensor(s, kind) for s in shapes], {"equation": equation}, d.constants(len(shapes)))


def spatial(d, rank, most=6):
    return [d.int(3, most) for _ in range(rank)]


def window(d, rank, dilations=True, pads=True):
    """Attributes of a window, and its size."""
    size = [d.int(1, 3) for _ in range(rank)]
    attributes = d.attributes(strides=[d.int(1, 3) for _ in range(rank)])
    if dilations:
        attributes |= d.attributes(dilations=[d.int(1, 2) for _ in range(rank)])
    if d.flag(0.3):
        attributes["auto_pad"] = d.one(["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
    elif pads and d.flag():
        attributes["pads"] = [d.int(0, s - 1) if s > 1 else 0 for s in size * 2]
    return size, attributes


def conv(d):
    rank, group = d.int(1, 3), d.int(1, 2)
    size, attributes = window(d, rank)
    channels, outputs = group * d.int(1, 2), group * d.int(1, 2)
    kind = d.one(["float32", "float32", "float64", "float16"])
    inputs = [d.tensor([d.int(1, 2), channels, *spatial(d, rank)], kind), d.tensor([outputs, channels // group, *size], kind)]
    inputs += [d.tensor([outputs], kind)] if d.flag() else []
    attributes |= {"group": group} | d.attributes(kernel_shape=size)
    return Case("Conv", inputs, attributes, d.one([{1, 2}, {1, 2}, set()]))


def conv_transpose(d):
    rank, group = d.int(1, 3), d.int(1, 2)
    size, attributes = window(d, rank)
    channels = group * d.int(1, 2)
    outputs = d.int(1, 2)
    inputs = [d.tensor([d.int(1, 2), channels, *spatial(d, rank, 4)]), d.tensor([channels, outputs, *size])]
    inputs += [d.tensor([outputs * group])] if d.flag() else []
    strides = attributes.get("strides", [1] * rank)
    if d.flag(0.3):
        attributes["output_padding"] = [d.int(0, max(s - 1, 0)) for s in strides]
    attributes |= {"group": group} | d.attributes(kernel_shape=size)
    if d.flag(0.15):
        attributes["output_shape"] = [n * s + d.int(0, 1) for n, s in zip(inputs[0].shape[2:], strides)]
    return Case("ConvTranspose", inputs, attributes, d.one([{1, 2}, {1, 2}, set()]))


def pool(operator):
    def make(d):
        rank = d.int(1, 3)
        dilated = d.opset >= {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[operator]
        size, attributes = window(d, rank, dilated)
        attributes["kernel_shape"] = size
        if d.opset >= (18 if operator == "LpPool" else 10):
            attributes |= d.attributes(ceil_mode=d.int(0, 1))
        if operator == "AveragePool":
            attributes |= d.attributes(count_include_pad=d.int(0, 1))
        if operator == "LpPool":
            attributes |= d.attributes(p=d.int(1, 3))
        outputs = 1
        if operator == "MaxPool" and d.opset >= 8 and d.flag(0.2):
            outputs = 2
            attributes |= d.attributes(storage_order=d.int(0, 1))
        kind = d.one(["float32", "float32", "float64", "float16"] + (["int8", "uint8"] if operator == "MaxPool" and d.opset >= 12 else []))
        return Case(operator, [d.tensor([d.int(1, 2), d.int(1, 2), *spatial(d, rank)], kind)], attributes, outputs=outputs)
    return make


def global_pool(operator):
    def make(d):
        x = d.tensor([d.int(1, 2), d.int(1, 3), *spatial(d, d.int(1, 3), 4)], d.one(["float32", "float64", "float16"]))
        return Case(operator, [x], d.attributes(p=d.int(1, 3)) if operator == "GlobalLpPool" else {})
    return make


def batch_normalization(d):
    shape = [d.int(1, 3), d.int(1, 4)] + d.shape(0, 3, 3)
    kind = d.one(["float32", "float32", "float64", "float16"])
    c = [shape[1]]
    inputs = [d.tensor(shape, kind), d.tensor(c, kind), d.tensor(c, kind), d.tensor(c, kind), d.positive(c, kind)]
    return Case("BatchNormalization", inputs, d.attributes(epsilon=1e-3, momentum=0.5), {1, 2, 3, 4})


def instance_normalization(d):
    shape = [d.int(1, 3), d.int(1, 4)] + d.shape(1, 3, 4)
    kind = d.one(["float32", "float32", "float64"])
    return Case("InstanceNormalization", [d.tensor(shape, kind), d.tensor([shape[1]], kind), d.tensor([shape[1]], kind)], d.attributes(epsilon=1e-2), {1, 2})


def group_normalization(d):
    groups, per = d.int(1, 3), d.int(1, 2)
    shape = [d.int(1, 2), groups * per] + d.shape(1, 2, 4)
    count = [groups * per] if d.opset >= 21 else [groups]
    return Case("GroupNormalization", [d.tensor(shape), d.tensor(count), d.tensor(count)], {"num_groups": groups} | d.attributes(epsilon=1e-2), {1, 2})


def layer_normalization(d):
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    kind = d.one(["float32", "float32", "float64", "float16"])
    inputs = [d.tensor(shape, kind), d.tensor(shape[axis:] if axis >= 0 else shape[len(shape) + axis:], kind)]
    inputs += [d.tensor(inputs[1].shape, kind)] if d.flag(0.7) else []
    return Case("LayerNormalization", inputs, {"axis": axis} | d.attributes(epsilon=1e-2), d.one([{1, 2}, set()]))


def lp_normalization(d):
    shape = d.shape(1, 4)
    return Case("LpNormalization", [d.tensor(shape, d.one(["float32", "float64"]))], d.attributes(axis=d.axis(len(shape)), p=d.int(1, 2)))


def lrn(d):
    shape = [d.int(1, 2), d.int(1, 6), *spatial(d, 2, 4)]
    return Case("LRN", [d.tensor(shape)], {"size": d.one([1, 3, 5])} | d.attributes(alpha=0.1, beta=0.5, bias=2.0))


def mean_variance(d):
    shape = [d.int(1, 3) for _ in range(4)]
    return Case("MeanVarianceNormalization", [d.tensor(shape)], d.attributes(axes=d.one([[0, 2, 3], [0, 1, 2, 3], [1], [2, 3]])))


ACTIVATIONS = ["Tanh", "Sigmoid", "Relu", "Affine", "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid", "Elu", "Softsign", "Softplus"]


def recurrent(operator):
    gates, own = {"RNN": (1, 1), "GRU": (3, 2), "LSTM": (4, 3)}[operator]

    def make(d):
        direction = d.one(["forward", "reverse", "bidirectional"])
        ways, hidden, size, steps, batch = 1 + (direction == "bidirectional"), d.int(1, 3), d.int(1, 3), d.int(1, 4), d.int(1, 2)
        layout = d.int(0, 1) if d.opset >= 14 and d.flag(0.2) else 0
        x = d.tensor([batch, steps, size] if layout else [steps, batch, size])
        state = [batch, ways, hidden] if layout else [ways, batch, hidden]
        inputs = [x, d.tensor([ways, gates * hidden, size]), d.tensor([ways, gates * hidden, hidden]),
                  d.tensor([ways, 2 * gates * hidden]) if d.flag() else None,
                  d.rng.integers(1, steps + 1, size=[batch]).astype("int32") if d.flag(0.2) else None,
                  d.tensor(state) if d.flag(0.4) else None]
        if operator == "LSTM":
            inputs += [d.tensor(state) if d.flag(0.4) else None, d.tensor([ways, 3 * hidden]) if d.flag(0.3) else None]
        attributes = {"hidden_size": hidden} | ({"direction": direction} if direction != "forward" or d.flag() else {})
        attributes |= {"layout": layout} if layout else {}
        if d.flag(0.5):
            attributes["activations"] = [str(a) for a in d.rng.choice(ACTIVATIONS, size=own * ways)]
            if d.flag(0.3):
                attributes["activation_alpha"] = [float(np.float32(v)) for v in d.rng.uniform(0.2, 1.5, size=own * ways)]
                if d.flag():
                    attributes["activation_beta"] = [float(np.float32(v)) for v in d.rng.uniform(0.2, 1.5, size=own * ways)]
        attributes |= {"clip": float(d.one([0.3, 1.0, 2.0]))} if d.flag(0.25) else {}
        if operator == "GRU":
            attributes |= d.attributes(linear_before_reset=d.int(0, 1))
        if operator == "LSTM" and d.flag(0.15):
            attributes["input_forget"] = 1
        return Case(operator, inputs, attributes, {1, 2, 3, 4} | d.constants(8, 0.5), outputs=d.int(1, 3 if operator == "LSTM" else 2))
    return make


def resize(d):
    rank, opset = d.int(1, 2), d.opset
    x = d.tensor([1, d.int(1, 2), *spatial(d, rank, 5)])
    mode = d.one(["nearest", "linear"] + (["cubic"] if rank == 2 and opset >= 11 else []))
    scales = np.asarray([1, 1] + [d.one([0.5, 0.6, 0.7, 1.0, 1.5, 2.0, 2.3, 3.0]) for _ in range(rank)], "float32")
    if opset == 10:
        return Case("Resize", [x, scales], {"mode": mode}, {1})
    attributes = {"mode": mode}
    forms = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"] + (["tf_half_pixel_for_nn"] if opset < 13 else [])
    forms += ["half_pixel_symmetric"] if opset >= 19 else []
    attributes |= d.attributes(coordinate_transformation_mode=d.one(forms))
    if mode == "nearest":
        attributes |= d.attributes(nearest_mode=d.one(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
    if mode == "cubic":
        attributes |= d.attributes(cubic_coeff_a=-0.5, exclude_outside=d.int(0, 1))
    roi = np.zeros(0, "float32") if opset < 13 or d.flag() else None
    if d.flag(0.15):
        attributes["coordinate_transformation_mode"] = "tf_crop_and_resize"
        roi = np.asarray([0] * 2 + [0.1] * rank + [1] * 2 + [0.8] * rank, "float32")
        attributes |= d.attributes(extrapolation_value=1.5)
    if opset >= 18 and mode != "nearest" and d.flag(0.2):
        attributes["antialias"] = 1
    if d.flag(0.6):
        return Case("Resize", [x, roi, scales], attributes, {1, 2})
    sizes = np.asarray(list(x.shape[:2]) + [d.int(1, 9) for _ in range(rank)], "int64")
    scales = np.zeros(0, "float32") if opset < 13 else None
    if opset >= 18 and d.flag(0.2):
        attributes["keep_aspect_ratio_policy"] = d.one(["not_larger", "not_smaller", "stretch"])
    return Case("Resize", [x, roi, scales, sizes], attributes, {1, 2, 3})


def upsample(d):
    x = d.tensor([1, d.int(1, 2), *spatial(d, 2, 4)])
    scales = [1.0, 1.0, float(d.one([1.0, 2.0, 1.5, 3.0])), float(d.one([1.0, 2.0, 2.5]))]
    attributes = d.attributes(mode=d.one(["nearest", "linear"]))
    if d.opset < 9:
        return Case("Upsample", [x], attributes | {"scales": scales})
    return Case("Upsample", [x, np.asarray(scales, "float32")], attributes, {1})


def pad(d):
    shape = d.shape(1, 4)
    mode = d.one(["constant", "reflect", "edge"] + (["wrap"] if d.opset >= 19 else []))
    most = [n - 1 if mode == "reflect" else n for n in shape]
    pads = [d.int(0, min(m, 2)) for m in most * 2]
    if mode == "constant" and d.flag(0.3):
        pads[0] = -1 if shape[0] > 1 else 0
    if d.opset < 11:
        return Case("Pad", [d.tensor(shape)], {"pads": pads, "mode": mode} | d.attributes(value=1.5))
    kind = d.one(["float32", "float32", "float64", "int32", "int64", "int8", "uint8"])
    inputs = [d.tensor(shape, kind), np.asarray(pads, "int64")]
    inputs += [np.asarray(3, kind)] if mode == "constant" and d.flag() else []
    return Case("Pad", inputs, {"mode": mode}, {1, 2})


def slice_(d):
    shape = d.shape(1, 4, 6)
    axes = sorted(int(a) for a in d.rng.choice(len(shape), size=d.int(1, len(shape)), replace=False))
    starts, ends = ([d.int(-7, 7) for _ in axes] for _ in range(2))
    ends = [d.one([e, 2**31 - 1, 9_223_372_036_854_775_807]) for e in ends]
    x = d.tensor(shape, d.kind(0.3, True))
    if d.opset < 10:
        return Case("Slice", [d.tensor(shape)], {"starts": starts, "ends": ends} | ({"axes": axes}))
    steps = [d.one([1, 2, 3, -1, -2]) for _ in axes]
    axes = [a - len(shape) if d.flag(0.3) else a for a in axes]
    kind = d.one(["int32", "int64"])
    ends = [min(e, 2**31 - 1) for e in ends] if kind == "int32" else ends
    inputs = [x] + [np.asarray(v, kind) for v in (starts, ends, axes)]
    inputs += [np.asarray(steps, kind)] if d.flag(0.6) else []
    return Case("Slice", inputs, {}, {1, 2, 3, 4})


def gather(d):
    shape = d.shape(1, 4)
    axis = d.axis(len(shape))
    low = -shape[axis] if d.opset >= 11 else 0
    indices = d.rng.integers(low, shape[axis], size=d.shape(0, 2)).astype(d.one(["int32", "int64"]))
    return Case("Gather", [d.tensor(shape, d.kind(0.3, True)), indices], {"axis": axis}, d.one([{1}, {1}, set(), {0}]))


def gather_elements(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape))
    to = [d.int(1, n) for n in shape]
    indices = d.rng.integers(-shape[axis], shape[axis], size=to).astype("int64")
    return Case("GatherElements", [d.tensor(shape, d.kind(0.3)), indices], {"axis": axis}, d.one([{1}, {1}, set()]))


def gather_nd(d):
    shape = d.shape(2, 4)
    batch = d.int(0, 1) if d.opset >= 12 else 0
    depth = d.int(1, len(shape) - batch)
    outer = shape[:batch] + d.shape(1, 2)
    low = 0
    indices = np.stack([d.rng.integers(low, shape[batch + k], size=outer) for k in range(depth)], -1).astype("int64")
    return Case("GatherND", [d.tensor(shape, d.kind(0.3)), indices], {"batch_dims": batch} if batch else {}, d.one([{1}, {1}, set()]))


def scatter(operator):
    def make(d):
        shape = d.shape(1, 3)
        kind = d.one(["float32", "float32", "float64", "int32", "int64"])
        reduction = d.attributes(reduction=d.one(["none", "add", "mul"] + (["max", "min"] if d.opset >= 18 else []))) if d.opset >= 16 else {}
        if operator == "ScatterND":
            depth = d.int(1, len(shape))
            places = d.rng.permutation(int(np.prod(shape[:depth])))[: d.int(1, 3)]
            if reduction.get("reduction", "none") != "none" and d.flag():
                places = np.concatenate([places, places[:1]])
            indices = np.stack(np.unravel_index(places, shape[:depth]), -1).astype("int64")
            return Case(operator, [d.tensor(shape, kind), indices, d.tensor([len(places), *shape[depth:]], kind)], reduction, {1} | d.constants(3, 0.2) - {1})
        axis = d.axis(len(shape))
        to = [d.int(1, n) for n in shape]
        order = np.argsort(d.rng.random([*to[: axis % len(shape)], shape[axis], *to[axis % len(shape) + 1:]]), axis=axis)
        indices = np.take(order, range(to[axis]), axis=axis).astype("int64")
        return Case(operator, [d.tensor(shape, kind), indices, d.tensor(to, kind)], {"axis": axis} | (reduction if operator == "ScatterElements" else {}), {1})
    return make


def one_hot(d):
    depth, shape = d.int(2, 5), d.shape(0, 3)
    indices = d.rng.integers(-depth - 1, depth + 2, size=shape).astype(d.one(["int64", "float32", "int32"]))
    values = d.tensor([2], d.one(["float32", "int32", "int64"]))
    return Case("OneHot", [indices, np.asarray(d.one([depth, [depth]]), "int64"), values], d.attributes(axis=d.int(-len(shape) - 1, len(shape))), {1, 2})


def layout(operator):
    def make(d):
        shape, kind, opset = d.shape(1, 4), d.kind(0.3, True), d.opset
        x = d.tensor(shape, kind)
        if operator == "Transpose":
            return Case(operator, [x], d.attributes(perm=[int(i) for i in d.rng.permutation(len(shape))]))
        if operator == "Flatten":
            return Case(operator, [x], d.attributes(axis=d.int(-len(shape) if opset >= 11 else 0, len(shape))))
        if operator == "Reshape":
            to = d.one([[-1], [0, -1], [1, -1], [*shape, 1], [-1, *shape[1:]], [1, *shape]])
            return Case(operator, [x, np.asarray(to, "int64")], d.attributes(allowzero=d.int(0, 1)) if opset >= 14 else {}, {1})
        if operator == "Expand":
            return Case(operator, [d.tensor(d.broadcast(shape), kind), np.asarray(d.one([shape, d.broadcast(shape)]), "int64")], {}, {1})
        if operator == "Tile":
            return Case(operator, [x, np.asarray([d.int(1, 3) for _ in shape], "int64")], {}, {1})
        if operator == "Squeeze":
            at = d.int(0, len(shape))
            x = np.expand_dims(x, at)
            axes = [at - x.ndim if d.flag(0.3) and opset >= 11 else at]
            if d.flag(0.2):
                return Case(operator, [x])
            return Case(operator, [x], {"axes": axes}) if opset < 13 else Case(operator, [x, np.asarray(axes, "int64")], {}, {1})
        if operator == "Unsqueeze":
            axes = sorted(int(a) for a in d.rng.choice(len(shape) + 2, size=2, replace=False))
            axes = [a - len(shape) - 2 if d.flag(0.3) and opset >= 11 else a for a in axes]
            return Case(operator, [x], {"axes": axes}) if opset < 13 else Case(operator, [x, np.asarray(axes, "int64")], {}, {1})
        if operator == "Shape":
            return Case(operator, [x], d.attributes(start=d.int(-4, 4), end=d.int(-4, 4)) if opset >= 15 else {})
        if operator == "Trilu":
            x = d.tensor(d.shape(2, 4), kind)
            return Case(operator, [x] + ([np.asarray(d.int(-3, 3), "int64")] if d.flag() else []), d.attributes(upper=d.int(0, 1)), {1})
        return Case(operator, [x])
    return make


def depth_space(operator):
    def make(d):
        block = d.int(1, 3)
        if operator == "DepthToSpace":
            shape = [d.int(1, 2), block * block * d.int(1, 2), d.int(1, 3), d.int(1, 3)]
            return Case(operator, [d.tensor(shape)], {"blocksize": block} | (d.attributes(mode=d.one(["DCR", "CRD"])) if d.opset >= 11 else {}))
        return Case(operator, [d.tensor([d.int(1, 2), d.int(1, 2), block * d.int(1, 3), block * d.int(1, 3)])], {"blocksize": block})
    return make


def concat(d):
    shape, kind = d.shape(1, 4), d.kind(0.3, True)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    parts = [[d.int(1, 3) if i == axis % len(shape) else n for i, n in enumerate(shape)] for _ in range(d.int(1, 4))]
    return Case("Concat", [d.tensor(p, kind) for p in parts], {"axis": axis}, d.constants(len(parts)))


def split(d):
    shape = d.shape(1, 4, 6)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    n = shape[axis]
    x = d.tensor(shape, d.one(["float32", "float64", "int32", "int64"]))
    first = d.int(1, max(n - 1, 1))
    sizes = [first, n - first] if n > 1 else [1]
    if d.flag(0.3):
        count = next(k for k in (3, 2, 1) if n % k == 0)
        if d.opset >= 18:
            return Case("Split", [x], {"axis": axis, "num_outputs": min(2, n)}, outputs=min(2, n))
        return Case("Split", [x], {"axis": axis}, outputs=count)
    if d.opset < 13:
        return Case("Split", [x], {"axis": axis, "split": sizes}, outputs=len(sizes))
    return Case("Split", [x, np.asarray(sizes, "int64")], {"axis": axis}, {1}, outputs=len(sizes))


def compress(d):
    shape = d.shape(1, 3)
    axis = d.axis(len(shape)) if d.opset >= 11 else d.int(0, len(shape) - 1)
    by_axis = d.flag(0.7)
    count = shape[axis] if by_axis else int(np.prod(shape))
    chosen = d.rng.random(d.int(1, count)) < 0.6
    chosen[0] = True
    return Case("Compress", [d.tensor(shape, d.one(["float32", "int32", "int64"])), chosen], {"axis": axis} if by_axis else {}, {1})


def reverse_sequence(d):
    batch, steps = d.int(1, 3), d.int(1, 5)
    time = d.int(0, 1)
    shape = ([steps, batch] if time == 0 else [batch, steps]) + d.shape(0, 2)
    lengths = d.rng.integers(1, steps + 1, size=[batch]).astype("int64")
    return Case("ReverseSequence", [d.tensor(shape), lengths], {"time_axis": time, "batch_axis": 1 - time}, {1})


def constant_maker(operator):
    from onnx import helper, numpy_helper

    def make(d):
        if operator == "EyeLike":
            x = d.tensor([d.int(1, 4), d.int(1, 4)], d.one(["float32", "int32", "int64"]))
            return Case(operator, [x], d.attributes(k=d.int(-2, 2), dtype=d.one([1, 7, 6, 11])))
        if operator == "Range":
            kind = d.one(["float32", "int64", "int32"])
            return Case(operator, [np.asarray(v, kind) for v in (d.int(-3, 2), d.int(3, 9), d.int(1, 3))], {}, {0, 1, 2})
        if operator == "ConstantOfShape":
            value = d.tensor([1], d.one(["float32", "int64", "int32"]))
            return Case(operator, [np.asarray(d.shape(1, 3), "int64")], d.attributes(value=numpy_helper.from_array(value)), {0})
        if operator == "NonZero":
            return Case(operator, [np.round(d.tensor(d.shape(1, 3)))], {}, {0})
        if d.opset >= 12 and d.flag():
            return Case(operator, [], d.one([{"value_float": 1.5}, {"value_int": 3}, {"value_floats": [1.0, 2.5]}, {"value_ints": [1, -2]}]))
        return Case(operator, [], {"value": numpy_helper.from_array(d.tensor(d.shape(0, 3), d.kind(0.3)))})
    return make


def dropout(d):
    x = d.tensor(d.shape(), d.one(FLOATS))
    if d.opset < 12:
        return Case("Dropout", [x], d.attributes(ratio=0.3))
    return Case("Dropout", [x] + ([np.asarray(0.3, "float32")] if d.flag() else []), {}, {1})


CASES = {
    **UNARY, "Gelu": gelu, "IsInf": is_inf,
    **{name: pair(name) for name in ["Add", "Sub", "Mul", "Div", "Mod"]},
    **{name: pair(name, bools=name == "Equal") for name in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]},
    **{name: pair(name, only="bool") for name in ["And", "Or", "Xor"]},
    "Pow": power, "Max": many("Max", 0.4), "Min": many("Min", 0.4), "Sum": many("Sum", 0.0), "Mean": many("Mean", 0.0),
    "PRelu": prelu, "Clip": clip, "Where": where, "Cast": cast, "CastLike": cast, "QuantizeLinear": quantize, "DequantizeLinear": quantize,
    **{name: reduce(name, 0.3) for name in ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
                                            "ReduceProd", "ReduceSum", "ReduceSumSquare"]},
    "ArgMax": arg("ArgMax"), "ArgMin": arg("ArgMin"), "CumSum": cum_sum, "TopK": top_k,
    **{name: softmax(name) for name in ["Softmax", "LogSoftmax", "Hardmax"]},
    "MatMul": matmul, "Gemm": gemm, "Einsum": einsum, "Conv": conv, "ConvTranspose": conv_transpose,
    **{name: pool(name) for name in ["MaxPool", "AveragePool", "LpPool"]},
    **{name: global_pool(name) for name in ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]},
    "BatchNormalization": batch_normalization, "InstanceNormalization": instance_normalization, "GroupNormalization": group_normalization,
    "LayerNormalization": layer_normalization, "LpNormalization": lp_normalization, "LRN": lrn, "MeanVarianceNormalization": mean_variance,
    **{name: recurrent(name) for name in ["RNN", "GRU", "LSTM"]}, "Resize": resize, "Upsample": upsample, "Pad": pad, "Slice": slice_,
    "Gather": gather, "GatherElements": gather_elements, "GatherND": gather_nd,
    **{name: scatter(name) for name in ["Scatter", "ScatterElements", "ScatterND"]}, "OneHot": one_hot,
    **{name: layout(name) for name in ["Transpose", "Flatten", "Reshape", "Expand", "Tile", "Squeeze", "Unsqueeze", "Shape", "Size", "Trilu"]},
    **{name: depth_space(name) for name in ["DepthToSpace", "SpaceToDepth"]}, "Concat": concat, "Split": split, "Compress": compress,
    "ReverseSequence": reverse_sequence, "Dropout": dropout,
    **{name: constant_maker(name) for name in ["EyeLike", "Range", "ConstantOfShape", "NonZero", "Constant"]},
}
