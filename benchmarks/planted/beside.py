#!/usr/bin/env python3
"""Other ways to find what generate.py has planted, each with the same CPU time on one thread.

    benchmarks/planted/beside.py FOLDER --binary counterpatch [--tools ours,adam,milp,marabou] [--seconds 60] [--output beside.csv]

FOLDER is what generate.py has written. Each attempt is a process of its own with a limit on its CPU time; what it finds counts if
ONNX Runtime says that it violates the property. Prints a table by family: found of all, and the median of the CPU seconds of
those that were found.

ours      counterpatch verify --threads 1
adam      the plain attack: Adam on the sum of squared violations, 64 random starts at a time, from new starts every 2,000 steps
milp      the whole network as a mixed-integer program in HiGHS (ReLU networks; big-M from interval bounds), first feasible point
marabou   Marabou by its Python package (piecewise linear networks)

Needs numpy, onnx and onnxruntime; milp needs highspy, marabou needs maraboupy.
"""

import argparse
import csv
import json
import multiprocessing
import os
import pathlib
import re
import resource
import statistics
import subprocess
import tempfile
import time

# One thread, whatever numpy is linked with: to be said before it is loaded.
for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

LANES, STEPS, RATE = 64, 2000, 0.05

# Each activation, and its derivative from the sums and the values.
ACTIVATIONS = {
    "Relu": (lambda z: np.maximum(z, 0), lambda z, a: (z > 0).astype(z.dtype)),
    "Tanh": (np.tanh, lambda z, a: 1 - a * a),
    "Sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z, a: a * (1 - a)),
    "Sin": (np.sin, lambda z, a: np.cos(z)),
    "Softplus": (lambda z: np.logaddexp(0, z).astype(z.dtype), lambda z, a: 1 / (1 + np.exp(-z))),
}


class Question:
    """A chain of layers with one activation, a box, and bounds of outputs."""

    def __init__(self, network, property_file):
        self.network, self.property_file = network, property_file
        graph = onnx.load(network).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.layers = [tuple(constants[name] for name in node.input[1:3]) for node in graph.node if node.op_type == "Gemm"]
        kinds = {node.op_type for node in graph.node} - {"Gemm"}
        self.activation = kinds.pop() if kinds else "Relu"
        inputs, outputs = self.layers[0][0].shape[1], self.layers[-1][0].shape[0]
        self.box = np.tile([-np.inf, np.inf], (inputs, 1))
        self.wanted = np.tile([-np.inf, np.inf], (outputs, 1))
        text = pathlib.Path(property_file).read_text()
        for relation, kind, index, value in re.findall(r"\(assert \((<=|>=) ([XY])_(\d+) (\S+?)\)\)", text):
            bounds = self.box if kind == "X" else self.wanted
            bounds[int(index), int(relation == "<=")] = float(value)

    def values(self, points):
        """Sums and values of all layers; points are rows."""
        act, _ = ACTIVATIONS[self.activation]
        sums, values = [], [points]
        for number, (weights, bias) in enumerate(self.layers):
            sums.append(values[-1] @ weights.T + bias)
            values.append(act(sums[-1]) if number + 1 < len(self.layers) else sums[-1])
        return sums, values

    def violations(self, outputs):
        """By how much each output is below (negative) or above what is wanted."""
        low, high = self.wanted.T.astype(outputs.dtype)
        return np.minimum(outputs - low, 0) + np.maximum(outputs - high, 0)

    def gradient(self, points):
        """Of the sum of squared violations; and the violations."""
        _, slope = ACTIVATIONS[self.activation]
        sums, values = self.values(points)
        violations = self.violations(values[-1])
        back = 2 * violations
        for number in reversed(range(len(self.layers))):
            if number + 1 < len(self.layers):
                back = back * slope(sums[number], values[number + 1])
            back = back @ self.layers[number][0]
        return back, violations


def adam(question, seconds):
    random = np.random.default_rng(0)
    low, high = question.box.T.astype(np.float32)
    while True:
        points = random.uniform(low, high, (LANES, len(low))).astype(np.float32)
        mean, square = np.zeros_like(points), np.zeros_like(points)
        for step in range(1, STEPS + 1):
            gradient, violations = question.gradient(points)
            for hit in np.flatnonzero(~violations.any(axis=1)):
                if violates(question, points[hit]):
                    return points[hit]
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS)) * (high - low)
            move = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-12)
            points = np.clip(points - rate * move, low, high).astype(np.float32)


def milp(question, seconds):
    import highspy

    if question.activation != "Relu":
        return None
    solver = highspy.Highs()
    exact = {"mip_feasibility_tolerance": 1e-9, "primal_feasibility_tolerance": 1e-9}
    limits = {"threads": 1, "time_limit": seconds, "mip_max_improving_sols": 1}
    for option, value in {"output_flag": False, **limits, **exact}.items():
        solver.setOptionValue(option, value)
    low, high = question.box.T
    before = [solver.addVariable(lb=l, ub=h) for l, h in zip(low, high)]
    inputs = list(before)
    for number, (weights, bias) in enumerate(question.layers):
        positive, negative = np.maximum(weights, 0).astype(float), np.minimum(weights, 0).astype(float)
        low, high = positive @ low + negative @ high + bias, positive @ high + negative @ low + bias
        last = number + 1 == len(question.layers)
        after = []
        for neuron, row in enumerate(weights):
            terms = sum(float(w) * x for w, x in zip(row, before) if w != 0) + 0.0
            offset, least, most = float(bias[neuron]), float(low[neuron]), float(high[neuron])
            if last:
                wanted = question.wanted[neuron]
                # Rounding to floats must not leave a band. Where there is one bound, it is met exactly or not at all.
                room = min(1e-6, (wanted[1] - wanted[0]) / 4) if np.isfinite(wanted).all() else 0.0
                solver.addConstr(terms >= wanted[0] + room - offset)
                solver.addConstr(terms <= wanted[1] - room - offset)
                continue
            value = solver.addVariable(lb=0, ub=max(most, 0))
            if least >= 0:
                solver.addConstr(value - terms == offset)
            elif most > 0:
                active = solver.addBinary()
                solver.addConstr(value - terms >= offset)
                solver.addConstr(value - terms - least * active <= offset - least)
                solver.addConstr(value - most * active <= 0)
            after.append(value)
        low, high, before = np.maximum(low, 0), np.maximum(high, 0), after
    solver.run()
    solution = solver.getSolution()
    if not solution.value_valid:
        return None
    point = np.array([solution.col_value[x.index] for x in inputs])
    # What is whole but for the solver's tolerance is meant to be whole.
    return np.where(np.abs(point - np.round(point)) < 1e-6, np.round(point), point).astype(np.float32)


def marabou(question, seconds):
    from maraboupy import Marabou

    network = Marabou.read_onnx(str(question.network))
    inputs, outputs = network.inputVars[0].flatten(), network.outputVars[0].flatten()
    for variables, bounds in [(inputs, question.box), (outputs, question.wanted)]:
        for variable, (low, high) in zip(variables, bounds):
            if np.isfinite(low):
                network.setLowerBound(variable, float(low))
            if np.isfinite(high):
                network.setUpperBound(variable, float(high))
    options = Marabou.createOptions(timeoutInSeconds=int(seconds), verbosity=0, numWorkers=1)
    _, values, _ = network.solve(verbose=False, options=options)
    return np.array([values[x] for x in inputs], np.float32) if values else None


def ours(question, seconds, binary):
    with tempfile.NamedTemporaryFile(suffix=".json") as saved:
        words = [binary, "verify", question.network, question.property_file, "--timeout", str(seconds), "--threads", "1"]
        subprocess.run([*map(str, words), "--quiet", "--save", saved.name], capture_output=True, check=False)
        text = pathlib.Path(saved.name).read_text()
    found = json.loads(text) if text else {}
    arrays = [array for witness in found.get("witnesses", [found]) for array in witness.get("inputs", [])]
    return np.array(arrays[0]["values"], np.float32) if arrays else None


def violates(question, point):
    """Whether it does, by ONNX Runtime."""
    import onnxruntime

    low, high = question.box.T
    if point is None or (point.astype(float) < low).any() or (point.astype(float) > high).any():
        return False
    session = onnxruntime.InferenceSession(question.network, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: point.reshape(1, -1)})[0].flatten().astype(float)
    return bool(((outputs >= question.wanted[:, 0]) & (outputs <= question.wanted[:, 1])).all())


def attempt(tool, network, property_file, seconds, binary, pipe):
    """In a process of its own."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 5))
    question = Question(network, property_file)
    point = ours(question, seconds, binary) if tool == "ours" else globals()[tool](question, seconds)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    pipe.send((violates(question, point), sum(use.ru_utime + use.ru_stime for use in used)))


def run(tool, network, property_file, options):
    here, there = multiprocessing.Pipe()
    arguments = (tool, str(network), str(property_file), options.seconds, options.binary, there)
    process = multiprocessing.get_context("spawn").Process(target=attempt, args=arguments)
    process.start()
    there.close()
    # CPU time is what is limited; a loaded machine takes longer by the clock.
    found = here.recv() if here.poll(6 * options.seconds + 60) else (False, None)
    process.kill()
    process.join()
    return found


def tell(rows, tools):
    families = sorted({row["family"] for row in rows})
    print("| family | " + " | ".join(tools) + " |\n|---" + "|---" * len(tools) + "|")
    for family in families:
        cells = []
        for tool in tools:
            of_tool = [row for row in rows if (row["family"], row["tool"]) == (family, tool)]
            found = [row["cpu_s"] for row in of_tool if row["found"]]
            cells.append(f"{len(found)} of {len(of_tool)}" + (f", {statistics.median(found):.2f} s" if found else ""))
        print(f"| {family} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--binary", default="counterpatch", help="our program [default: counterpatch]")
    parser.add_argument("--tools", default="ours,adam,milp", help="with commas [default: ours,adam,milp]")
    parser.add_argument("--seconds", type=int, default=60, help="of CPU time, for each attempt [default: 60]")
    parser.add_argument("--only", default="", help="names that hold this expression [default: all]")
    parser.add_argument("--output", type=pathlib.Path, help="a table (CSV) of all attempts")
    options = parser.parse_args()
    tools, rows = options.tools.split(","), []
    for row in csv.DictReader(open(options.folder / "instances.csv")):
        if not re.search(options.only, row["onnx"]):
            continue
        for tool in tools:
            begun = time.monotonic()
            try:
                found, cpu = run(tool, options.folder / row["onnx"], options.folder / row["vnnlib"], options)
            except EOFError:
                found, cpu = False, None
            rows.append({
                "family": row["benchmark"], "name": pathlib.Path(row["onnx"]).stem, "tool": tool, "found": found,
                "cpu_s": cpu, "wall_s": time.monotonic() - begun,
            })
            print(f"{rows[-1]['name']} {tool}: {'found' if found else 'not found'}, {cpu} CPU s", flush=True)
    if options.output and rows:
        with open(options.output, "w", newline="") as file:
            table = csv.DictWriter(file, rows[0].keys())
            table.writeheader()
            table.writerows(rows)
    tell(rows, tools)


if __name__ == "__main__":
    main()
