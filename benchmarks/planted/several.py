"""Queries about several networks with planted counterexamples, in VNN-LIB 2.0; `generate.py` writes them.

behind    g reads what f computes, `X_g == Y_f`: all of it (`all`), a part (`part`), scaled (`scaled`), through a third network (`chain`),
          beside inputs that f and g share (`shared`), within a band (`band`); `own`: an input of f equals one of its own outputs;
          `sum`: inputs that sum to one
near      one network at two inputs that are at most eps apart and fall into different classes, each by a margin
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ACTIVATIONS = {
    "Relu": lambda z: np.maximum(z, 0),
    "Tanh": np.tanh,
    "Sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


class Chain:
    """Random layers with one activation between them."""

    def __init__(self, random, sizes, activation):
        self.sizes, self.activation = sizes, activation
        self.inputs, self.outputs = sizes[0], sizes[-1]
        self.layers = []
        for sources, targets in zip(sizes, sizes[1:]):
            weights = random.normal(size=(targets, sources)) * np.sqrt(2 / sources)
            bias = 0.1 * random.normal(size=targets)
            self.layers.append((weights.astype(np.float32), bias.astype(np.float32)))
        self.shape, self.kind = [1, sizes[0]], activation.lower()

    def __call__(self, values):
        """Of a batch of points, one a row."""
        for number, (weights, bias) in enumerate(self.layers):
            values = values @ weights.T.astype(float) + bias
            if number < len(self.layers) - 1:
                values = ACTIVATIONS[self.activation](values)
        return values

    def centre(self, points):
        """Takes the mean of the outputs away, so that no class has it all."""
        weights, bias = self.layers[-1]
        self.layers[-1] = (weights, (bias - self(points).mean(0)).astype(np.float32))

    def write(self, path):
        nodes, constants, last = [], [], "X"
        for number, (weights, bias) in enumerate(self.layers):
            constants += [
                numpy_helper.from_array(weights, f"weights_{number}"),
                numpy_helper.from_array(bias, f"bias_{number}"),
            ]
            is_last = number == len(self.layers) - 1
            result = "Y" if is_last else f"sums_{number}"
            nodes.append(helper.make_node("Gemm", [last, f"weights_{number}", f"bias_{number}"], [result], transB=1))
            if not is_last:
                last = f"values_{number}"
                nodes.append(helper.make_node(self.activation, [result], [last]))
        save(path, nodes, constants, self.shape, self.outputs)


class Attention:
    """Tokens that attend to each other once, a residual, a layer of tanh, and classes from their mean."""

    def __init__(self, random, tokens, width, classes, sharpness):
        self.tokens, self.width, self.outputs = tokens, width, classes
        self.inputs, self.shape, self.kind = tokens * width, [1, tokens, width], "attention"
        matrix = lambda a, b, scale: (scale * random.normal(size=(a, b)) / np.sqrt(a)).astype(np.float32)  # noqa: E731
        self.parts = {
            "query": matrix(width, width, sharpness), "key": matrix(width, width, sharpness),
            "value": matrix(width, width, 2), "hidden": matrix(width, 4 * width, 3), "classes": matrix(4 * width, classes, 3),
        }
        self.parts["offsets"] = np.zeros(classes, np.float32)

    def __call__(self, values):
        x = values.reshape(len(values), self.tokens, self.width)
        query, key, value, hidden, classes, offsets = (part.astype(float) for part in self.parts.values())
        scores = (x @ query) @ (x @ key).transpose(0, 2, 1)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        attended = shares @ (x @ value) + x
        return (np.tanh(attended @ hidden) @ classes).mean(1) + offsets

    def centre(self, points):
        self.parts["offsets"] = (self.parts["offsets"] - self(points).mean(0)).astype(np.float32)

    def write(self, path):
        constants = [numpy_helper.from_array(part, name) for name, part in self.parts.items()]
        node = helper.make_node
        nodes = [
            node("MatMul", ["X", "query"], ["q"]), node("MatMul", ["X", "key"], ["k"]), node("MatMul", ["X", "value"], ["v"]),
            node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]), node("MatMul", ["q", "kt"], ["scores"]),
            node("Softmax", ["scores"], ["shares"], axis=-1), node("MatMul", ["shares", "v"], ["read"]),
            node("Add", ["read", "X"], ["attended"]), node("MatMul", ["attended", "hidden"], ["sums"]),
            node("Tanh", ["sums"], ["values"]), node("MatMul", ["values", "classes"], ["each"]),
            node("ReduceMean", ["each"], ["means"], axes=[1], keepdims=0), node("Add", ["means", "offsets"], ["Y"]),
        ]
        save(path, nodes, constants, self.shape, self.outputs)


def save(path, nodes, constants, shape, outputs):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in [("X", shape), ("Y", [1, outputs])]]
    graph = helper.make_graph(nodes, path.stem, ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


class Query:
    """Declared networks, and assertions about them. `networks` has names with a network, or with the name of the equal one."""

    def __init__(self, name, networks):
        self.name, self.networks, self.assertions = name, networks, []

    def network(self, name):
        found = self.networks[name]
        return self.networks[found] if isinstance(found, str) else found

    def x(self, name, i):
        at = np.unravel_index(i, self.network(name).shape)
        return f"X_{name}[{','.join(str(int(k)) for k in at)}]"

    @staticmethod
    def y(name, i):
        return f"Y_{name}[0,{i}]"

    def add(self, relation, left, right):
        self.assertions.append(f"({relation} {term(left)} {term(right)})")

    def within(self, name, low, high, inputs=None):
        for i in range(self.network(name).inputs) if inputs is None else inputs:
            self.add(">=", self.x(name, i), low)
            self.add("<=", self.x(name, i), high)

    def write(self, folder):
        """The files, and how a list of instances names the networks."""
        lines, listed = ["(vnnlib-version <2.0>)"], []
        for name, network in self.networks.items():
            equal = f" (equal-to {network})" if isinstance(network, str) else ""
            network = self.network(name)
            shape = ",".join(map(str, network.shape))
            lines.append(f"(declare-network {name}{equal} (declare-input X_{name} float32 [{shape}]) "
                         f"(declare-output Y_{name} float32 [1,{network.outputs}]))")
            if not equal:
                path = folder / "onnx" / f"{self.name}_{name}.onnx"
                network.write(path)
                listed.append((name, f"onnx/{path.name}"))
        lines += [f"(assert {assertion})" for assertion in self.assertions]
        (folder / "vnnlib" / f"{self.name}.vnnlib").write_text("\n".join(lines) + "\n")
        return repr(listed)


def term(value):
    """A name or a number, which must have a point and no exponent."""
    if isinstance(value, str):
        return value
    return np.format_float_positional(value, trim="0")


def aims(query, name, values):
    """Asks two outputs of a network for what one in a thousand samples has at once, about."""
    best = np.argsort(values[:, 0] - values[:, 1])[-max(1, len(values) // 1000)]
    query.add(">=", query.y(name, 0), float(values[best, 0]) - 1e-3)
    query.add("<=", query.y(name, 1), float(values[best, 1]) + 1e-3)


SAMPLES = 5000


def behind(random, kind, activation, inputs, between, width):
    f = Chain(random, [inputs, width, width, between], activation)
    free = 0 if kind in ("all", "scaled", "chain", "band") else 3
    g = Chain(random, [between + free, width, width, 3], activation)
    query = Query(f"behind_{kind}_{activation.lower()}_{inputs}_{between}_{width}", {"f": f, "g": g})
    query.within("f", -1.0, 1.0)
    points = random.uniform(-1, 1, (SAMPLES, inputs))
    passed, last = f(points), "f"
    if kind == "chain":
        middle = Chain(random, [between, width, between], activation)
        query.networks = {"f": f, "h": middle, "g": g}
        for i in range(between):
            query.add("==", query.x("h", i), query.y("f", i))
        passed, last = middle(passed), "h"
    if kind == "scaled":
        passed = 2 * passed + 1
    for i in range(between):
        ours, theirs = query.x("g", i), query.y(last, i)
        if kind == "scaled":
            query.add("==", ours, f"(+ (* 2.0 {theirs}) 1.0)")
        elif kind == "band":
            query.add("<=", ours, f"(+ {theirs} 0.01)")
            query.add(">=", ours, f"(- {theirs} 0.01)")
        else:
            query.add("==", ours, theirs)
    if free:
        others = random.uniform(-1, 1, (SAMPLES, free))
        if kind == "shared":
            others = points[:, :free]
            for i in range(free):
                query.add("==", query.x("g", between + i), query.x("f", i))
        else:
            query.within("g", -1.0, 1.0, range(between, between + free))
        passed = np.hstack([passed, others])
    aims(query, "g", g(passed))
    return query


def own(random, activation, inputs, width):
    """The first input is what the network computes first of it and the others: found by iteration, where that ends."""
    f = Chain(random, [inputs, width, 3], activation)
    last = f.layers[-1]
    f.layers[-1] = (last[0] * np.float32(0.5), last[1])
    query = Query(f"behind_own_{activation.lower()}_{inputs}_{width}", {"f": f})
    query.within("f", -1.0, 1.0)
    query.add("==", query.x("f", 0), query.y("f", 0))
    points = random.uniform(-1, 1, (SAMPLES, inputs))
    for _ in range(200):
        points[:, 0] += 0.3 * (f(points)[:, 0] - points[:, 0])
    held = (abs(f(points)[:, 0] - points[:, 0]) < 1e-9) & (abs(points[:, 0]) < 0.99)
    values = f(points[held])
    aims(query, "f", values[:, 1:])
    query.assertions[-2:] = [a.replace("Y_f[0,1]", "Y_f[0,2]").replace("Y_f[0,0]", "Y_f[0,1]") for a in query.assertions[-2:]]
    return query


def shares(random, activation, inputs, width):
    f = Chain(random, [inputs, width, 3], activation)
    query = Query(f"behind_sum_{activation.lower()}_{inputs}_{width}", {"f": f})
    query.within("f", 0.0, 1.0)
    query.add("==", "(+ " + " ".join(query.x("f", i) for i in range(inputs)) + ")", 1.0)
    aims(query, "f", f(random.dirichlet(np.ones(inputs), SAMPLES)))
    return query


def near(random, network, eps, difficulty):
    """On a line between points of two classes a place where they meet; from there as far apart as eps allows."""
    network.centre(random.uniform(0, 1, (SAMPLES, network.inputs)))
    query = Query(f"near_{network.kind}_{network.inputs}_{network.outputs}_eps{eps:g}_by{difficulty:g}", {"f": network, "g": "f"})
    query.within("f", 0.0, 1.0)
    query.within("g", 0.0, 1.0)
    best = (-np.inf, 0, 1)
    for _ in range(30):
        ends = random.uniform(0.1, 0.9, (2, network.inputs))
        shares = np.linspace(0, 1, 400)[:, None]
        classes = network((1 - shares) * ends[0] + shares * ends[1]).argmax(1)
        for at in np.flatnonzero(classes[1:] != classes[:-1]):
            a, b = int(classes[at]), int(classes[at + 1])
            place = (1 - shares[at]) * ends[0] + shares[at] * ends[1]
            ahead = place + 1e-5 * np.eye(network.inputs)
            slope = (network(ahead)[:, a] - network(ahead)[:, b]) - (network(place[None])[0, a] - network(place[None])[0, b])
            step = 0.5 * eps * np.sign(slope)
            pair = network(np.clip([place + step, place - step], 0, 1))
            margin = min(pair[0, a] - np.delete(pair[0], a).max(), pair[1, b] - np.delete(pair[1], b).max())
            best = max(best, (float(margin), a, b))
    margin, a, b = best
    for i in range(network.inputs):
        query.add("<=", f"(- {query.x('f', i)} {query.x('g', i)})", eps)
        query.add(">=", f"(- {query.x('f', i)} {query.x('g', i)})", -eps)
    for name, chosen in [("f", a), ("g", b)]:
        for other in range(network.outputs):
            if other != chosen:
                query.add(">=", f"(- {query.y(name, chosen)} {query.y(name, other)})", difficulty * margin)
    return query


def queries(random):
    for kind in ["all", "part", "scaled", "chain", "shared", "band"]:
        for activation, inputs, between, width in [("Relu", 5, 2, 16), ("Tanh", 6, 4, 32), ("Relu", 8, 6, 32)]:
            yield behind(random, kind, activation, inputs, between, width)
    for between in [10, 20]:
        yield behind(random, "all", "Relu", 20, between, 64)
    for activation, inputs, width in [("Relu", 4, 16), ("Tanh", 6, 32)]:
        yield own(random, activation, inputs, width)
        yield shares(random, activation, inputs, width)
    for difficulty in [0.5, 0.9]:
        for tokens, width, sharpness in [(4, 4, 1.0), (8, 8, 2.0), (16, 8, 4.0)]:
            yield near(random, Attention(random, tokens, width, 4, sharpness), 0.02, difficulty)
        for sizes in [[10, 32, 32, 4], [40, 64, 64, 5], [100, 128, 128, 10]]:
            for activation in ["Tanh", "Relu"]:
                yield near(random, Chain(random, sizes, activation), 0.02, difficulty)
