#!/usr/bin/env python3
"""whole_process.py [TREE] [options]: CPU time and peak memory of `counterpatch verify`, over a list of instances.

TREE holds instances.csv (columns benchmark, onnx, vnnlib, timeout_s, truth) and the files it names; --own takes the
networks that ship with the project instead. CPU (user + system) and memory are the kernel's figures of the one
process, from wait4. Python's standard library is all it needs.
"""

import argparse
import collections
import csv
import gzip
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def unpacked(path, folder):
    """The path itself, or an unpacked copy in `folder` where the name ends in .gz."""
    if path.suffix != ".gz":
        return path
    plain = Path(folder) / path.stem
    with gzip.open(path) as source, open(plain, "wb") as target:
        shutil.copyfileobj(source, target)
    return plain


def measure(binary, network, query, timeout, extra):
    """One run: CPU seconds, wall seconds, peak memory in MiB, first line of the results file."""
    with tempfile.TemporaryDirectory() as folder:
        files = [unpacked(path, folder) for path in (network, query)]
        results = os.path.join(folder, "results.txt")
        command = [str(binary), "verify", *map(str, files), "--timeout", str(timeout), "--results-file", results, *extra]
        silent = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1, 2)]
        start = time.perf_counter()
        usage = spawn(command, silent)
        wall = time.perf_counter() - start
        answer = Path(results).read_text().split("\n", 1)[0] if os.path.exists(results) else "missing"
        return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, answer


def spawn(command, actions=()):
    """Runs a command to its end; the kernel's account of it."""
    _, _, usage = os.wait4(os.posix_spawn(command[0], command, os.environ, file_actions=actions), 0)
    return usage


def own_instances():
    data = ROOT / "tests" / "data"
    with open(data / "instances.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield "own", data / row["network"], data / row["property"], 20.0, row["truth"]


def tree_instances(tree):
    with open(tree / "instances.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield row["benchmark"], tree / row["onnx"], tree / row["vnnlib"], float(row["timeout_s"] or 60), row["truth"]


def summary(name, runs):
    cpu, wall, memory, answers = zip(*runs)
    ms = lambda times: "".join(f"{1000 * f(times):>10.1f}" for f in (statistics.median, statistics.mean, max))
    return f"{name:<34}{len(runs):>5}{sum(a == 'sat' for a in answers):>5}{ms(cpu)}{ms(wall)}{max(memory):>10.1f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tree", type=Path, nargs="?", help="folder with instances.csv")
    parser.add_argument("--own", action="store_true", help="the networks in tests/data")
    parser.add_argument("--bench", default="", help="regular expression that the benchmark's name matches")
    parser.add_argument("--truth", default="sat", help="comma-separated truths to take [sat]")
    parser.add_argument("--timeout", type=float, default=20, help="cap on each instance's timeout, seconds [20]")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each instance; the median counts [1]")
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "counterpatch")
    parser.add_argument("--out", type=Path, help="write one line an instance to this CSV file")
    parser.add_argument("extra", nargs="*", help="further arguments of `verify`, after --")
    options = parser.parse_args()
    if options.own == (options.tree is not None):
        parser.error("give either TREE or --own")
    if not options.binary.exists():
        parser.error(f"{options.binary} is missing: cargo build --release")

    table, rows = collections.defaultdict(list), []
    for name, network, query, timeout, truth in own_instances() if options.own else tree_instances(options.tree):
        if truth not in options.truth.split(",") or not re.search(options.bench, name):
            continue
        limit = min(timeout, options.timeout)
        runs = [measure(options.binary, network, query, limit, options.extra) for _ in range(options.repeat)]
        run = (*(statistics.median(values) for values in list(zip(*runs))[:3]), runs[-1][3])
        table[name].append(run)
        rows.append((name, network.name, query.name, truth, *run))
    if not rows:
        parser.error("no instance fits")

    if options.out:
        with open(options.out, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["benchmark", "onnx", "vnnlib", "truth", "cpu_s", "wall_s", "peak_mib", "answer"])
            writer.writerows(rows)
    heads = "".join(f"{head:>10}" for head in ("cpu med", "mean", "max ms", "wall med", "mean", "max ms", "peak MiB"))
    print(f"{'benchmark':<34}{'n':>5}{'sat':>5}{heads}")
    for name in sorted(table):
        print(summary(name, table[name]))
    floor = spawn(["/bin/true"]).ru_maxrss / 1024
    print(f"The kernel counts this script's own {floor:.1f} MiB at the start of each process: less cannot be seen.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
