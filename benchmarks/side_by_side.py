#!/usr/bin/env python3
"""side_by_side.py BENCHMARKS [options]: CPU seconds on known-sat instances, ours beside Marabou and uniform sampling.

BENCHMARKS holds instances.csv (benchmark, onnx, vnnlib, truth). Marabou comes from PyPI (`pip install maraboupy` into an
environment of its own; --marabou names its command). Sampling draws uniformly in the box, 10,000 points a batch, and
evaluates them in ONNX Runtime on one thread: it is this file, started once more with --sample. All three run on each
instance, one after the other; CPU is user and system time of the whole process, start-up included. VNN-LIB 1.0 only.
Needs numpy, onnx and onnxruntime.
"""

import argparse
import csv
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIELDS = ["benchmark", "onnx", "vnnlib", "tool", "answer", "cpu_s"]
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
    import numpy as np

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


def sample(network, query, limit):
    """Uniform points until one violates the property: prints what the other tools print."""
    import numpy as np
    import onnxruntime as ort

    start = time.monotonic()
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(network, options)
    given = session.get_inputs()[0]
    shape = [1 if not isinstance(d, int) else d for d in given.shape]
    count = int(np.prod(shape))
    asserts = [command[1] for command in parse(Path(query).read_text()) if command[0] == "assert"]
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
            y = np.concatenate([session.run(None, {given.name: row.reshape(shape)})[0].reshape(1, -1) for row in x])
        if np.any(np.logical_and.reduce([holds(term, x, y.reshape(len(x), -1)) for term in asserts])):
            print("sat")
            return
    print("unknown")


def unpacked(path, folder):
    target = folder / path.name.removesuffix(".gz")
    with (gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
    return target


def run(command, limit):
    """The first answer that a tool prints, and its CPU seconds."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, start_new_session=True)
        # A limit of its own for tools that do not keep theirs.
        watch = subprocess.Popen(["sh", "-c", f"sleep {limit + 10}; kill -9 -{process.pid}"], start_new_session=True)
        _, _, usage = os.wait4(process.pid, 0)
        os.killpg(watch.pid, 9)
        watch.wait()
        output.seek(0)
        words = re.findall(r"\b(unsat|sat|unknown|timeout)\b", output.read().decode(errors="replace").lower())
    return (words or ["none"])[-1], round(usage.ru_utime + usage.ru_stime, 4)


def table(rows, tools):
    """CPU by benchmark, over the instances that a tool found, and the ratio on those that both found."""
    print("| benchmark | instances |" + "".join(f" {tool}: found | CPU s, median | total |" for tool in tools) + " ratio of medians on what both found |")
    print("|---" * (3 + 3 * len(tools)) + "|")
    groups = {}
    for row in rows:
        groups.setdefault(row["benchmark"], {}).setdefault((row["onnx"], row["vnnlib"]), {})[row["tool"]] = row
    for benchmark, instances in groups.items():
        cells, ratios = [], []
        for tool in tools:
            mine = [tools_rows[tool] for tools_rows in instances.values()]
            found = [float(row["cpu_s"]) for row in mine if row["answer"] == "sat"]
            median = f"{statistics.median(found):.4f}" if found else "-"
            cells.append(f" {len(found)} | {median} | {sum(float(row['cpu_s']) for row in mine):.1f} |")
            both = [
                (float(pair[tool]["cpu_s"]), float(pair[tools[0]]["cpu_s"]))
                for pair in instances.values()
                if pair[tool]["answer"] == pair[tools[0]]["answer"] == "sat"
            ]
            if tool != tools[0] and both:
                theirs, ours = (statistics.median(side) for side in zip(*both))
                ratios.append(f"{tool} {theirs / ours:.0f}")
        print(f"| {benchmark} | {len(instances)} |" + "".join(cells) + f" {', '.join(ratios)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path)
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "counterpatch"))
    parser.add_argument("--marabou", default="Marabou")
    parser.add_argument("--bench", default="acasxu|safenlp", help="regular expression of benchmarks [acasxu|safenlp]")
    parser.add_argument("--sample-of", type=int, default=40, help="at most so many instances of a benchmark, spread evenly [40]")
    parser.add_argument("--timeout", type=int, default=30)
    parser.add_argument("--out", type=Path, default=Path("side_by_side.csv"))
    options = parser.parse_args()
    with open(options.tree / "instances.csv", newline="") as file:
        known = [row for row in csv.DictReader(file) if row["truth"] == "sat" and re.search(options.bench, row["benchmark"])]
    groups = {}
    for row in known:
        groups.setdefault(row["benchmark"], []).append(row)
    tools = ["counterpatch", "Marabou", "sampling"]
    rows = []
    with open(options.out, "w", newline="") as out:
        writer = csv.DictWriter(out, FIELDS)
        writer.writeheader()
        for group in groups.values():
            count = min(options.sample_of, len(group))
            for row in (group[i * len(group) // count] for i in range(count)):
                with tempfile.TemporaryDirectory() as folder:
                    network, query = (str(unpacked(options.tree / row[kind], Path(folder))) for kind in ("onnx", "vnnlib"))
                    limit = options.timeout
                    commands = {
                        "counterpatch": [options.binary, "verify", network, query, "--timeout", str(limit), "--quiet"],
                        "Marabou": [options.marabou, network, query, "--timeout", str(limit)],
                        "sampling": [sys.executable, __file__, "--sample", network, query, str(limit)],
                    }
                    for tool in tools:
                        answer, cpu = run(commands[tool], limit)
                        result = {key: row[key] for key in FIELDS[:3]} | {"tool": tool, "answer": answer, "cpu_s": cpu}
                        rows.append(result)
                        writer.writerow(result)
                        out.flush()
    table(rows, tools)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sample"]:
        sample(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    else:
        main()
