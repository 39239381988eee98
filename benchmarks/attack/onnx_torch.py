"""The ONNX networks of the attack benchmarks as torch modules, and torch modules as ONNX files.

Only the operators that image classifiers of these benchmarks have; any other one is refused by name.
"""

import numpy
import onnx
import torch
from onnx import helper, numpy_helper


class Classifier(torch.nn.Module):
    """Evaluates an ONNX graph node by node; its weights are constants. Reads NCHW batches, or flat ones."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(str(path)).graph
        self.steps = [(node, {a.name: helper.get_attribute_value(a) for a in node.attribute}) for node in graph.node]
        self.weights = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
        names = [i for i in graph.input if i.name not in self.weights]
        self.input = names[0].name
        self.shape = [d.dim_value for d in names[0].type.tensor_type.shape.dim][1:]
        self.output = graph.output[0].name

    def forward(self, images):
        values = dict(self.weights)
        values[self.input] = images.reshape(len(images), *self.shape)
        for node, attributes in self.steps:
            operands = [values[name] for name in node.input]
            values[node.output[0]] = apply(node.op_type, attributes, operands)
        return values[self.output]


def apply(operator, attributes, operands):
    x = operands[0]
    if operator == "Conv":
        pads = attributes.get("pads", [0, 0, 0, 0])
        if pads[:2] != pads[2:]:
            raise SystemExit("a convolution with one-sided padding is not supported")
        return torch.nn.functional.conv2d(x, *operands[1:], stride=attributes.get("strides", 1), padding=pads[:2])
    if operator == "MaxPool":
        return torch.nn.functional.max_pool2d(x, attributes["kernel_shape"], attributes.get("strides", 1))
    if operator == "Gemm":
        weights = operands[1].T if attributes.get("transB", 0) else operands[1]
        return x @ weights + (operands[2] if len(operands) > 2 else 0)
    if operator == "Relu":
        return torch.relu(x)
    if operator == "Transpose":
        return x.permute(*attributes["perm"])
    if operator == "Flatten":
        return x.reshape(len(x), -1)
    raise SystemExit(f"operator {operator} is not supported")


def load_images(path):
    """Images in [0, 1] as N × height × width × channels, and labels, of an npz file with `images` and `labels`."""
    data = numpy.load(path)
    images = data["images"].astype(numpy.float32) / 255
    return images[..., None] if images.ndim == 3 else images, data["labels"].astype(numpy.int64)


# Torch layers that are one ONNX operator on one operand, and what gives its attributes.
PLAIN = {
    "ReLU": ("Relu", lambda layer: {}),
    "Flatten": ("Flatten", lambda layer: {}),
    "Sigmoid": ("Sigmoid", lambda layer: {}),
    "Tanh": ("Tanh", lambda layer: {}),
    "GELU": ("Gelu", lambda layer: {}),
    "LeakyReLU": ("LeakyRelu", lambda layer: {"alpha": layer.negative_slope}),
    "Hardsigmoid": ("HardSigmoid", lambda layer: {"alpha": 1 / 6, "beta": 0.5}),
}


def write_onnx(layers, shape, path):
    """Writes a chain of torch layers (Linear, Conv2d, MaxPool2d and those of PLAIN) as ONNX with one image a batch."""
    nodes, weights, name = [], [], "input"
    for index, layer in enumerate(layers):
        out, inputs, kind = f"v{index}", [name], type(layer).__name__
        for label in ("weight", "bias"):
            if hasattr(layer, label):
                array = getattr(layer, label).detach().numpy()
                weights.append(numpy_helper.from_array(array, f"{label}{index}"))
                inputs.append(f"{label}{index}")
        if kind == "Linear":
            nodes.append(helper.make_node("Gemm", inputs, [out], transB=1))
        elif kind == "Conv2d":
            pad, step = list(layer.padding) * 2, list(layer.stride)
            kernel = list(layer.kernel_size)
            nodes.append(helper.make_node("Conv", inputs, [out], kernel_shape=kernel, pads=pad, strides=step))
        elif kind == "MaxPool2d":
            size = [layer.kernel_size] * 2
            nodes.append(helper.make_node("MaxPool", inputs, [out], kernel_shape=size, strides=size))
        elif kind in PLAIN:
            operator, attributes = PLAIN[kind]
            nodes.append(helper.make_node(operator, inputs, [out], **attributes(layer)))
        else:
            raise ValueError(f"layer {kind} is not written")
        name = out
    nodes[-1].output[0] = "output"
    float32 = onnx.TensorProto.FLOAT
    given = helper.make_tensor_value_info("input", float32, [1, *shape])
    classes = layers[-1].out_features
    result = helper.make_tensor_value_info("output", float32, [1, classes])
    graph = helper.make_graph(nodes, "classifier", [given], [result], weights)
    # Gelu is an operator from 20 on.
    opset = 20 if any(node.op_type == "Gelu" for node in nodes) else 13
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
