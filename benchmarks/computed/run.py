#!/usr/bin/env python3
"""Runs the tool on the networks of generate.py and writes the table.

    benchmarks/computed/run.py FOLDER PROGRAM [--timeout 60] [--threads 1] > benchmarks/computed.md
"""

import argparse
import csv
import os
import pathlib
import platform
import re
import subprocess
import time


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*: (.*)", text)
    return name.group(1) if name else platform.machine()


def run(program, network, query, timeout, threads):
    results = query.parent / "result.txt"
    results.unlink(missing_ok=True)
    command = [program, "verify", str(network), str(query), "--timeout", str(timeout), "--threads", str(threads), "-o", str(results)]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout + 60)
    seconds = time.monotonic() - start
    verdict = results.read_text().split("\n")[0].strip() if results.exists() else f"error {done.returncode}"
    cells = re.search(r"each of (\d+) cells", done.stdout + done.stderr)
    return verdict, seconds, cells.group(1) if cells else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("program")
    parser.add_argument("--timeout", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    with open(args.folder / "truth.csv", newline="") as file:
        truths = [(row["instance"], row["truth"]) for row in csv.DictReader(file)]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    load = [os.getloadavg()[0]]
    rows = []
    for name, truth in truths:
        found = run(args.program, args.folder / "onnx" / f"{name}.onnx", args.folder / "vnnlib" / f"{name}.vnnlib", args.timeout, args.threads)
        rows.append((name, truth, *found))
    load.append(os.getloadavg()[0])
    known = [row for row in rows if row[1] != "unknown"]
    right = sum(row[1] == row[2] for row in known)
    wrong = sum({row[1], row[2]} == {"sat", "unsat"} for row in known)
    slowest = max(row[3] for row in rows)
    print("# Indices that are computed from the inputs\n")
    print("Small detectors with a patch whose place is an input, made by `benchmarks/computed/generate.py`, which says what each name stands")
    print("for; run by `benchmarks/computed/run.py`, which wrote this page. The truth is that of ONNX Runtime at all places.\n")
    print(f"Commit {commit}, {processor()}, {os.cpu_count()} processors, load {load[0]:.1f} before and {load[1]:.1f} after; threads: {args.threads};")
    print(f"time limit {args.timeout} s.\n")
    print(f"Known instances: {len(known)}; answered rightly: {right}; wrongly: {wrong}. The longest run took {slowest:.1f} s.\n")
    print("| instance | truth | verdict | seconds | cells |\n|---|---|---|---:|---:|")
    for name, truth, verdict, seconds, cells in rows:
        print(f"| {name} | {truth} | {verdict} | {seconds:.2f} | {cells} |")


if __name__ == "__main__":
    main()
