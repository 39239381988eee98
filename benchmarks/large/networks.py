#!/usr/bin/env python3
"""Networks of the shapes of well-known ones, with random weights, and a property of each.

    benchmarks/large/networks.py FOLDER [--only REGEX] [--seed 0]

writes FOLDER/NAME.onnx and NAME.vnnlib: `vgg16`, `resnet50`, `vit_b16`, `mobilenet_v2`, `densenet121`, as their papers describe them,
for images of 3 x 224 x 224 and 1,000 classes, batch normalisation as nodes of its own. The weights are He's, so that values neither
vanish nor explode; nothing is learned. The property: within 1/255 of a random image some class overtakes the one that ONNX
Runtime says is first there. Needs numpy, onnx and onnxruntime.
"""

import argparse
import pathlib
import re

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE, CLASSES, RADIUS = 224, 1000, 1 / 255


class Graph:
    """Nodes and weights, named in the order in which they come."""

    def __init__(self, seed):
        self.random, self.nodes, self.weights = np.random.default_rng(seed), [], []

    def constant(self, values, kind=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(self, operator, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def normal(self, *shape, fan):
        return self.constant(self.random.normal(0, np.sqrt(2 / fan), shape))

    def conv(self, x, inputs, outputs, size, stride=1, groups=1, bias=True):
        pad = (size - 1) // 2
        depth = inputs // groups
        operands = [x, self.normal(outputs, depth, size, size, fan=depth * size * size)]
        if bias:
            operands.append(self.constant(np.zeros(outputs)))
        return self.node("Conv", *operands, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4, group=groups)

    def batch_norm(self, x, channels):
        mean = self.random.normal(0, 0.1, channels)
        numbers = [np.ones(channels), np.zeros(channels), mean, self.random.uniform(0.9, 1.1, channels)]
        return self.node("BatchNormalization", x, *map(self.constant, numbers))

    def relu(self, x):
        return self.node("Relu", x)

    def pool(self, operator, x, size, stride, pad=0):
        return self.node(operator, x, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def dense(self, x, inputs, outputs):
        return self.node("Gemm", x, self.normal(outputs, inputs, fan=inputs), self.constant(np.zeros(outputs)), transB=1)

    def head(self, x, channels):
        return self.dense(self.node("Flatten", self.node("GlobalAveragePool", x)), channels, CLASSES)

    def model(self, name, last):
        self.nodes[-1].output[0] = "output"
        assert last == f"v{len(self.nodes) - 1}"
        ends = [("input", [1, 3, SIDE, SIDE]), ("output", [1, CLASSES])]
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in ends]
        graph = helper.make_graph(self.nodes, name, ends[:1], ends[1:], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def vgg16(g):
    """Simonyan and Zisserman 2014, configuration D."""
    x, channels = "input", 3
    for width, depth in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]:
        for _ in range(depth):
            x, channels = g.relu(g.conv(x, channels, width, 3)), width
        x = g.pool("MaxPool", x, 2, 2)
    x = g.node("Flatten", x)
    x = g.relu(g.dense(x, 512 * 7 * 7, 4096))
    x = g.relu(g.dense(x, 4096, 4096))
    return g.dense(x, 4096, CLASSES)


def resnet50(g):
    """He et al. 2015, with the stride in the middle convolution of a block."""

    def layer(x, *shape, **options):
        return g.batch_norm(g.conv(x, *shape, bias=False, **options), shape[1])

    x = g.pool("MaxPool", g.relu(layer("input", 3, 64, 7, stride=2)), 3, 2, 1)
    channels = 64
    for width, depth, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for block in range(depth):
            step = stride if block == 0 else 1
            y = g.relu(layer(x, channels, width, 1))
            y = g.relu(layer(y, width, width, 3, stride=step))
            y = layer(y, width, 4 * width, 1)
            if block == 0:
                x = layer(x, channels, 4 * width, 1, stride=step)
            x, channels = g.relu(g.node("Add", x, y)), 4 * width
    return g.head(x, channels)


def mobilenet_v2(g):
    """Sandler et al. 2018: inverted residuals."""

    def layer(x, *shape, clipped=True, **options):
        x = g.batch_norm(g.conv(x, *shape, bias=False, **options), shape[1])
        return g.node("Clip", x, g.constant(0.0), g.constant(6.0)) if clipped else x

    x, channels = layer("input", 3, 32, 3, stride=2), 32
    for factor, width, depth, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for block in range(depth):
            inner, step = factor * channels, stride if block == 0 else 1
            y = layer(x, channels, inner, 1) if factor > 1 else x
            y = layer(y, inner, inner, 3, stride=step, groups=inner)
            y = layer(y, inner, width, 1, clipped=False)
            x, channels = (g.node("Add", x, y) if step == 1 and channels == width else y), width
    return g.head(layer(x, channels, 1280, 1), 1280)


def densenet121(g):
    """Huang et al. 2016, growth 32."""
    x = g.relu(g.batch_norm(g.conv("input", 3, 64, 7, stride=2, bias=False), 64))
    x, channels = g.pool("MaxPool", x, 3, 2, 1), 64
    for number, depth in enumerate([6, 12, 24, 16]):
        if number > 0:
            x = g.conv(g.relu(g.batch_norm(x, channels)), channels, channels // 2, 1, bias=False)
            x, channels = g.pool("AveragePool", x, 2, 2), channels // 2
        for _ in range(depth):
            y = g.conv(g.relu(g.batch_norm(x, channels)), channels, 128, 1, bias=False)
            y = g.conv(g.relu(g.batch_norm(y, 128)), 128, 32, 3, bias=False)
            x, channels = g.node("Concat", x, y, axis=1), channels + 32
    return g.head(g.relu(g.batch_norm(x, channels)), channels)


def vit_b16(g):
    """Dosovitskiy et al. 2020: patches of 16 x 16, width 768, 12 layers of 12 heads."""
    width, heads, tokens = 768, 12, (SIDE // 16) ** 2 + 1

    def reshape(x, *shape):
        return g.node("Reshape", x, g.constant(shape, np.int64))

    def norm(x):
        return g.node("LayerNormalization", x, g.constant(np.ones(width)), g.constant(np.zeros(width)), axis=-1, epsilon=1e-6)

    def linear(x, inputs, outputs):
        return g.node("Add", g.node("MatMul", x, g.constant(g.random.normal(0, np.sqrt(1 / inputs), (inputs, outputs)))), g.constant(np.zeros(outputs)))

    def gelu(x):
        erf = g.node("Erf", g.node("Mul", x, g.constant(np.sqrt(0.5))))
        return g.node("Mul", g.node("Mul", x, g.node("Add", erf, g.constant(1.0))), g.constant(0.5))

    def attention(x):
        split = [g.node("Transpose", reshape(linear(x, width, width), 1, tokens, heads, width // heads), perm=perm) for perm in [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]]]
        scores = g.node("Mul", g.node("MatMul", split[0], split[1]), g.constant(np.sqrt(heads / width)))
        mixed = g.node("MatMul", g.node("Softmax", scores, axis=-1), split[2])
        return linear(reshape(g.node("Transpose", mixed, perm=[0, 2, 1, 3]), 1, tokens, width), width, width)

    patches = g.normal(width, 3, 16, 16, fan=3 * 16 * 16)
    x = g.node("Conv", "input", patches, g.constant(np.zeros(width)), kernel_shape=[16, 16], strides=[16, 16])
    x = g.node("Transpose", reshape(x, 1, width, tokens - 1), perm=[0, 2, 1])
    x = g.node("Concat", g.constant(g.random.normal(0, 0.02, (1, 1, width))), x, axis=1)
    x = g.node("Add", x, g.constant(g.random.normal(0, 0.02, (1, tokens, width))))
    for _ in range(12):
        x = g.node("Add", x, attention(norm(x)))
        x = g.node("Add", x, linear(gelu(linear(norm(x), width, 4 * width)), 4 * width, width))
    x = g.node("Gather", norm(x), g.constant(0, np.int64), axis=1)
    return g.dense(x, width, CLASSES)


NETWORKS = [vgg16, resnet50, vit_b16, mobilenet_v2, densenet121]


def write_property(path, image, first):
    low, high = np.clip(image - RADIUS, 0, 1).ravel(), np.clip(image + RADIUS, 0, 1).ravel()
    lines = [f"(declare-const X_{i} Real)" for i in range(image.size)]
    lines += [f"(declare-const Y_{i} Real)" for i in range(CLASSES)]
    for i, (a, b) in enumerate(zip(low.astype(np.float32), high.astype(np.float32))):
        lines += [f"(assert (>= X_{i} {float(a)!r}))", f"(assert (<= X_{i} {float(b)!r}))"]
    ways = "\n".join(f"  (and (>= Y_{i} Y_{first}))" for i in range(CLASSES) if i != first)
    path.write_text("\n".join(lines) + f"\n(assert (or\n{ways}\n))\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for make in NETWORKS:
        name = make.__name__
        if not re.search(options.only, name):
            continue
        graph = Graph(options.seed)
        path = options.folder / f"{name}.onnx"
        onnx.save(graph.model(name, make(graph)), path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        image = np.random.default_rng(options.seed).random((1, 3, SIDE, SIDE), np.float32)
        (outputs,) = session.run(None, {"input": image})
        write_property(path.with_suffix(".vnnlib"), image, int(outputs.argmax()))
        top = np.sort(outputs.ravel())[-2:]
        print(f"{name}: {path.stat().st_size / 1e6:.0f} MB, first {top[1]:.4g}, second {top[0]:.4g}", flush=True)


if __name__ == "__main__":
    main()
