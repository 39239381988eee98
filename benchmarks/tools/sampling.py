#!/usr/bin/env python3
"""sampling.py v1 CATEGORY NETWORK PROPERTY RESULTS SECONDS: uniform sampling of the box in ONNX Runtime, as a competition's tool.

Draws 10,000 points a batch and evaluates them on one thread until one violates the property. It is the plain thing to be
better than (`../plans/side-by-side.toml`). VNN-LIB 1.0 only. Needs numpy and onnxruntime.
"""

import re
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

BATCH = 10_000


def parse(text):
    """The nested lists of an S-expression file."""
    stack = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0]


def box_of(asserts, count):
    """The bounds of the inputs that stand alone in an assertion."""
    lower, upper = [float("-inf")] * count, [float("inf")] * count
    for term in asserts:
        if isinstance(term, list) and term[0] in ("<=", ">=") and len(term) == 3:
            for name, number, less in ((term[1], term[2], term[0] == "<="), (term[2], term[1], term[0] == ">=")):
                if isinstance(name, str) and name.startswith("X_") and not str(number).startswith(("X_", "Y_", "[")):
                    i = int(name[2:])
                    if less:
                        upper[i] = min(upper[i], float(number))
                    else:
                        lower[i] = max(lower[i], float(number))
    return lower, upper


def holds(term, x, y):
    """Which points of a batch meet a term; numbers and sums give their values."""
    if isinstance(term, str):
        return {"X_": x, "Y_": y}[term[:2]][:, int(term[2:])] if term[:2] in ("X_", "Y_") else float(term)
    parts = [holds(part, x, y) for part in term[1:]]
    operations = {
        "and": lambda: np.logical_and.reduce(parts),
        "or": lambda: np.logical_or.reduce(parts),
        "<=": lambda: parts[0] <= parts[1],
        ">=": lambda: parts[0] >= parts[1],
        "<": lambda: parts[0] < parts[1],
        ">": lambda: parts[0] > parts[1],
        "+": lambda: sum(parts),
        "-": lambda: -parts[0] if len(parts) == 1 else parts[0] - sum(parts[1:]),
        "*": lambda: np.prod(parts, axis=0),
    }
    return operations[term[0]]()


def witness(x, y):
    """A results file's text."""
    values = [f"(X_{i} {float(value)!r})" for i, value in enumerate(x)] + [f"(Y_{i} {float(value)!r})" for i, value in enumerate(y)]
    return "sat\n(" + "\n".join(values) + ")\n"


def sample(network, text, limit):
    """Uniform points until one violates the property, and then the results file's text."""
    start = time.monotonic()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(network, options)
    given = session.get_inputs()[0]
    shape = [1 if not isinstance(d, int) else d for d in given.shape]
    count = int(np.prod(shape))
    asserts = [command[1] for command in parse(text) if command[0] == "assert"]
    lower, upper = (np.array(side, dtype=np.float32) for side in box_of(asserts, count))
    random = np.random.default_rng(0)
    batched = True
    while time.monotonic() - start < limit:
        x = (lower + (upper - lower) * random.random((BATCH, count), dtype=np.float32)).clip(lower, upper)
        try:
            y = session.run(None, {given.name: x.reshape([-1, *shape[1:]])})[0] if batched else None
        except Exception:
            batched, y = False, None
        if y is None:
            x = x[:256]
            y = np.stack([session.run(None, {given.name: point.reshape(shape)})[0].reshape(-1) for point in x])
        y = y.reshape(len(x), -1)
        violates = np.logical_and.reduce([holds(term, x, y) for term in asserts])
        if np.any(violates):
            at = int(np.argmax(violates))
            return witness(x[at], y[at])
    return "unknown\n"


def main():
    _, _, network, query, results, seconds = sys.argv[1:]
    # Half a second for the start and the file.
    Path(results).write_text(sample(network, Path(query).read_text(), float(seconds) - 0.5))


if __name__ == "__main__":
    main()
