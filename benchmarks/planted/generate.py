#!/usr/bin/env python3
"""Networks with counterexamples that are known by construction.

    benchmarks/planted/generate.py FOLDER [--seeds 0,1,2] [--only REGEX]

writes networks, properties and an instances.csv as the campaign script reads it. The families are those of conjunctions
and of discrete structure; every instance has a planted solution, so its truth is `sat`.

inverse   y = f(x) for a random network: all outputs within a tolerance of f(x*)
sat       3-SAT as penalties: `plain` clauses only have to hold, `balanced` ones give no hint by their signs
sudoku    a grid with so many givens, 729 inputs that must be 0 or 1
parity    sums of three inputs that must be even or odd
subset    a subset of numbers with a given sum
lock      windows that must all be met

and, of several networks (`several.py`):

behind    a network that reads what another one computes
near      one network at two inputs that are close and decided differently
"""

import argparse
import csv
import itertools
import pathlib
import re

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import several

ACTIVATIONS = {
    "Relu": lambda z: np.maximum(z, 0),
    "Tanh": np.tanh,
    "Sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "Sin": np.sin,
    "Softplus": lambda z: np.logaddexp(0, z),
}


class Instance:
    """Layers of weights and biases with one activation between them, a box, and rows over the outputs."""

    def __init__(self, name, layers, activation, box, rows):
        self.name, self.layers, self.activation, self.box, self.rows = name, layers, activation, box, rows

    def write(self, folder):
        self.write_network(folder / "onnx" / f"{self.name}.onnx")
        self.write_property(folder / "vnnlib" / f"{self.name}.vnnlib")

    def write_network(self, path):
        nodes, constants, last = [], [], "X"
        for number, (weights, bias) in enumerate(self.layers):
            constants += [
                numpy_helper.from_array(np.asarray(weights, np.float32), f"weights_{number}"),
                numpy_helper.from_array(np.asarray(bias, np.float32), f"bias_{number}"),
            ]
            is_last = number == len(self.layers) - 1
            result = "Y" if is_last else f"sums_{number}"
            operands = [last, f"weights_{number}", f"bias_{number}"]
            nodes.append(helper.make_node("Gemm", operands, [result], transB=1))
            if not is_last:
                last = f"values_{number}"
                nodes.append(helper.make_node(self.activation, [result], [last]))
        shapes = [[1, len(self.box)], [1, len(self.layers[-1][1])]]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip("XY", shapes)]
        graph = helper.make_graph(nodes, self.name, ends[:1], ends[1:], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def write_property(self, path):
        lines = [f"(declare-const X_{i} Real)" for i in range(len(self.box))]
        lines += [f"(declare-const Y_{i} Real)" for i in range(len(self.layers[-1][1]))]
        for i, (low, high) in enumerate(self.box):
            lines += [f"(assert (>= X_{i} {low!r}))", f"(assert (<= X_{i} {high!r}))"]
        lines += [f"(assert ({relation} Y_{output} {bound!r}))" for relation, output, bound in self.rows]
        path.write_text("\n".join(lines) + "\n")


class Penalties:
    """One layer of hinges whose sums must vanish: `x` is 0 or 1, `a · x ≤ b`."""

    def __init__(self, inputs):
        self.inputs, self.weights, self.bias, self.outputs = inputs, [], [], []

    def hinge(self, terms, offset, output, coefficient):
        """Adds `coefficient · max(0, terms · x + offset)` to an output."""
        row = np.zeros(self.inputs)
        for i, c in terms:
            row[i] += c
        self.weights.append(row)
        self.bias.append(offset)
        self.outputs.append((output, coefficient))

    def binary(self, i, output):
        """A hat: 0 where the input is 0 or 1."""
        self.hinge([(i, 1.0)], 0.0, output, 1.0)
        self.hinge([(i, 2.0)], -1.0, output, -1.0)

    def layers(self, offsets):
        last = np.zeros((len(offsets), len(self.weights)))
        for neuron, (output, coefficient) in enumerate(self.outputs):
            last[output, neuron] = coefficient
        return [(np.array(self.weights), np.array(self.bias)), (last, np.array(offsets))]


def inverse(random, activation, inputs, outputs, width, depth, tolerance):
    sizes = [inputs] + [width] * depth + [outputs]
    layers = []
    for sources, targets in zip(sizes, sizes[1:]):
        weights = random.normal(size=(targets, sources)) * np.sqrt(2 / sources)
        layers.append((weights.astype(np.float32), (0.1 * random.normal(size=targets)).astype(np.float32)))
    values = random.uniform(-1, 1, inputs)
    for number, (weights, bias) in enumerate(layers):
        values = weights.astype(float) @ values + bias
        if number < len(layers) - 1:
            values = ACTIVATIONS[activation](values)
    rows = []
    for output, value in enumerate(values):
        rows += [(">=", output, float(value - tolerance)), ("<=", output, float(value + tolerance))]
    name = f"inverse_{activation.lower()}_{inputs}_{outputs}_depth{depth}_within{tolerance:g}"
    return Instance(name, layers, activation, [(-1.0, 1.0)] * inputs, rows)


def sat(random, variables, ratio, balanced):
    planted = random.integers(0, 2, variables)
    penalties = Penalties(variables)
    clauses = 0
    while clauses < round(ratio * variables):
        inputs = random.choice(variables, 3, replace=False)
        positive = random.integers(0, 2, 3)
        true = int((positive == planted[inputs]).sum())
        # Clauses with one true literal three times as likely as ones with three: then signs say nothing.
        if true == 0 or (balanced and random.random() > [0, 1, 1 / 2, 1 / 3][true]):
            continue
        terms = [(i, -1.0 if sign else 1.0) for i, sign in zip(inputs, positive)]
        penalties.hinge(terms, 1.0 - float((positive == 0).sum()), 0, -1.0)
        clauses += 1
    for i in range(variables):
        penalties.binary(i, 1)
    kind = "balanced" if balanced else "plain"
    rows = [(">=", 0, 1.0), ("<=", 1, 0.0)]
    return Instance(
        f"sat_{kind}_{variables}_{clauses}", penalties.layers([1.0, 0.0]), "Relu", [(0.0, 1.0)] * variables, rows
    )


def sudoku(random, givens):
    digits, bands = random.permutation(9), [random.permutation(3) for _ in range(8)]
    lines = [3 * band + i for band in bands[0] for i in bands[1 + band]]
    columns = [3 * band + i for band in bands[4] for i in bands[5 + band]]
    solved = [[digits[(3 * (i % 3) + i // 3 + j) % 9] for j in columns] for i in lines]
    box = [(0.0, 1.0)] * 729
    for cell in random.choice(81, givens, replace=False):
        for digit in range(9):
            is_it = float(solved[cell // 9][cell % 9] == digit)
            box[9 * cell + digit] = (is_it, is_it)
    units = [[9 * cell + digit for digit in range(9)] for cell in range(81)]
    for digit, i in itertools.product(range(9), range(9)):
        units.append([(9 * i + j) * 9 + digit for j in range(9)])
        units.append([(9 * j + i) * 9 + digit for j in range(9)])
        corner = (i // 3 * 3) * 9 + i % 3 * 3
        units.append([(corner + 9 * a + b) * 9 + digit for a in range(3) for b in range(3)])
    penalties = Penalties(729)
    for unit in units:
        penalties.hinge([(i, -1.0) for i in unit], 1.0, 0, -1.0)
        for a, b in itertools.combinations(unit, 2):
            penalties.hinge([(a, 1.0), (b, 1.0)], -1.0, 0, -1.0)
    for i in range(729):
        penalties.binary(i, 1)
    rows = [(">=", 0, 1.0), ("<=", 1, 0.0)]
    return Instance(f"sudoku_{givens}", penalties.layers([1.0, 0.0]), "Relu", box, rows)


def parity(random, variables, sums):
    planted = random.integers(0, 2, variables)
    penalties = Penalties(variables)
    for i in range(variables):
        penalties.binary(i, 0)
    for _ in range(sums):
        inputs = random.choice(variables, 3, replace=False)
        terms = [(i, 1.0) for i in inputs]
        if planted[inputs].sum() % 2 == 0:
            # 0 or 2: a hat from 0 to 2, and a hinge behind.
            for offset, coefficient in [(0.0, 1.0), (-1.0, -2.0), (-2.0, 2.0)]:
                penalties.hinge(terms, offset, 1, coefficient)
        else:
            # 1 or 3: a hinge before, and a hat from 1 to 3.
            penalties.hinge([(i, -1.0) for i in inputs], 1.0, 1, 1.0)
            for offset, coefficient in [(-1.0, 1.0), (-2.0, -2.0)]:
                penalties.hinge(terms, offset, 1, coefficient)
    rows = [("<=", 0, 0.0), ("<=", 1, 0.25)]
    return Instance(
        f"parity_{variables}_{sums}", penalties.layers([0.0, 0.0]), "Relu", [(0.0, 1.0)] * variables, rows
    )


def subset(random, numbers, bits):
    weights = random.integers(1, 2**bits, numbers) / 2.0**bits
    planted = random.integers(0, 2, numbers)
    penalties = Penalties(numbers)
    for i in range(numbers):
        penalties.binary(i, 0)
    for i, weight in enumerate(weights):
        penalties.hinge([(i, 1.0)], 0.0, 1, weight)
    layers = penalties.layers([0.0, -float(weights @ planted)])
    half = 0.4 / 2.0**bits
    rows = [("<=", 0, 0.0), (">=", 1, -half), ("<=", 1, half)]
    return Instance(f"subset_{numbers}_{bits}", layers, "Relu", [(0.0, 1.0)] * numbers, rows)


def lock(random, windows, width):
    centres = random.uniform(2 * width, 1 - 2 * width, windows)
    penalties = Penalties(windows)
    for i, centre in enumerate(centres):
        # A window of height 1: 0 at a distance of `width` from its centre.
        for offset, coefficient in [(width, 1.0), (0.0, -2.0), (-width, 1.0)]:
            penalties.hinge([(i, 1.0 / width)], (offset - centre) / width, 0, coefficient)
    rows = [(">=", 0, 0.5)]
    return Instance(
        f"lock_{windows}_{width:g}", penalties.layers([1.0 - windows]), "Relu", [(0.0, 1.0)] * windows, rows
    )


def instances(random):
    for activation, inputs, outputs, width, depth, tolerance in [
        ("Relu", 20, 20, 64, 3, 0.01),
        ("Relu", 50, 50, 128, 2, 0.01),
        ("Relu", 64, 32, 64, 3, 0.0001),
        ("Relu", 50, 50, 128, 3, 0.001),
        ("Relu", 100, 100, 256, 2, 0.01),
        ("Tanh", 20, 20, 64, 2, 0.0001),
        ("Tanh", 100, 100, 256, 2, 0.001),
        ("Sigmoid", 10, 10, 64, 2, 0.001),
        ("Sin", 30, 30, 64, 2, 0.001),
        ("Softplus", 16, 8, 64, 2, 0.001),
    ]:
        yield inverse(random, activation, inputs, outputs, width, depth, tolerance)
    for variables in [100, 250, 500, 1000]:
        yield sat(random, variables, 4.0, balanced=False)
        yield sat(random, variables, 4.2, balanced=True)
    for givens in [40, 30, 22]:
        yield sudoku(random, givens)
    for variables, sums in [(30, 30), (60, 50), (100, 80)]:
        yield parity(random, variables, sums)
    for numbers, bits in [(20, 14), (30, 16), (40, 18)]:
        yield subset(random, numbers, bits)
    for windows, width in [(12, 0.02), (20, 0.02), (40, 0.01)]:
        yield lock(random, windows, width)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", default="0", help="seeds, with commas [default: 0]")
    parser.add_argument("--only", default="", help="names that hold this expression [default: all]")
    options = parser.parse_args()
    for part in ["onnx", "vnnlib"]:
        (options.folder / part).mkdir(parents=True, exist_ok=True)
    with open(options.folder / "instances.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["benchmark", "onnx", "vnnlib", "timeout_s", "truth"])
        for seed in options.seeds.split(","):
            for instance in instances(np.random.default_rng(int(seed))):
                instance.name += f"_seed{seed}"
                if re.search(options.only, instance.name):
                    instance.write(options.folder)
                    family = instance.name.split("_")[0]
                    table.writerow([family, f"onnx/{instance.name}.onnx", f"vnnlib/{instance.name}.vnnlib", 60, "sat"])
            for query in several.queries(np.random.default_rng([int(seed), 1])):
                query.name += f"_seed{seed}"
                if re.search(options.only, query.name):
                    networks = query.write(options.folder)
                    table.writerow([query.name.split("_")[0], networks, f"vnnlib/{query.name}.vnnlib", 60, "sat"])


if __name__ == "__main__":
    main()
