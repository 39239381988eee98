#!/usr/bin/env python3
"""What a point costs as networks grow, from 10^4 to 10^10 multiplications, beside what the machine can do at most.

    benchmarks/large/growth.py FOLDER... --binary counterpatch --probe target/release/examples/probe [--plot growth.svg]

Takes the networks below each FOLDER (networks.py's, and the competition's: one of each group of files with nearly the same number
of multiplications), and prints a table: multiplications, CPU time of a point alone, in blocks of 64 (16 from 10^8 multiplications on, one
from 10^9 on) and with the gradient, and the share of the peak that each is. The peak is the best of numpy's single-threaded products of
matrices of 2,000 rows. --plot draws it, both axes logarithmic. One thread. Needs numpy.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import time

for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

SECONDS, ROUNDS = 0.5, 3


def peak():
    """Multiplications and additions a second, as pairs."""
    a = np.random.default_rng(0).random((2000, 2000), np.float32)
    b, best = a.T.copy(), math.inf
    for _ in range(8):
        start = time.thread_time()
        a @ b
        best = min(best, time.thread_time() - start)
    return 2000**3 / best


def described(binary, path):
    said = subprocess.run([binary, "inspect", "--json", path], capture_output=True, text=True)
    network = json.loads(said.stdout or "{}").get("network") or {}
    return network.get("multiplications")


def timed(probe, path, lanes, what):
    """Seconds a point."""
    lines = f"{SECONDS} {what}\n" * ROUNDS
    said = subprocess.run([probe, "time", path, str(lanes)], input=lines, capture_output=True, text=True)
    return min(map(float, said.stdout.split())) * 1e-6


def chosen(options):
    """Networks, few of each size."""
    found = {}
    for folder in options.folders:
        for path in sorted(p for p in folder.rglob("*") if p.name.endswith((".onnx", ".onnx.gz"))):
            multiplications = described(options.binary, path)
            if multiplications and multiplications >= 1000:
                found.setdefault((path.parts[-3] if path.parent.name == "onnx" else path.stem, round(2 * math.log10(multiplications))), (multiplications, path))
    return sorted(found.values(), key=lambda pair: pair[0])


def drawn(rows, most):
    """Points as an SVG: time against multiplications, and the line of the peak."""
    width, height, left, bottom = 720, 420, 70, 50
    lowest, highest = 3, 11
    seconds = [-8, 2]
    x = lambda m: left + (math.log10(m) - lowest) / (highest - lowest) * (width - left - 10)
    y = lambda s: height - bottom - (math.log10(s) - seconds[0]) / (seconds[1] - seconds[0]) * (height - bottom - 10)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>']
    for power in range(lowest, highest + 1):
        parts.append(f'<line x1="{x(10**power):.1f}" y1="10" x2="{x(10**power):.1f}" y2="{height - bottom}" stroke="#ddd"/><text x="{x(10**power):.1f}" y="{height - bottom + 16}" text-anchor="middle">10^{power}</text>')
    for power in range(seconds[0], seconds[1] + 1):
        parts.append(f'<line x1="{left}" y1="{y(10**power):.1f}" x2="{width - 10}" y2="{y(10**power):.1f}" stroke="#ddd"/><text x="{left - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">10^{power} s</text>')
    parts.append(f'<text x="{(left + width) / 2}" y="{height - 10}" text-anchor="middle">multiplications a point</text>')
    ends = [(10.0**lowest, 10.0**lowest / most), (10.0**highest, 10.0**highest / most)]
    parts.append('<line stroke="#666" stroke-dasharray="5 4" ' + " ".join(f'x{n}="{x(m):.1f}" y{n}="{y(s):.1f}"' for n, (m, s) in enumerate(ends, 1)) + "/>")
    kinds = [("alone", "#1f77b4"), ("in a block", "#2ca02c"), ("with gradient", "#d62728")]
    for number, (kind, colour) in enumerate(kinds):
        parts += [f'<circle cx="{x(row["multiplications"]):.1f}" cy="{y(row[kind]):.1f}" r="3" fill="{colour}" fill-opacity="0.7"/>' for row in rows]
        parts.append(f'<circle cx="{left + 20}" cy="{26 + 18 * number}" r="4" fill="{colour}"/><text x="{left + 30}" y="{30 + 18 * number}">{kind}</text>')
    parts.append(f'<text x="{left + 30}" y="{30 + 18 * len(kinds)}">dashed: the peak, {most / 1e9:.0f} billion a second</text></svg>')
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=pathlib.Path, nargs="+")
    parser.add_argument("--binary", required=True)
    parser.add_argument("--probe", required=True)
    parser.add_argument("--plot", type=pathlib.Path)
    options = parser.parse_args()
    most, rows = peak(), []
    print(f"peak: {most / 1e9:.1f} billion multiplications a second\n")
    print("| network | multiplications | alone | of the peak | in a block | of the peak | with gradient |\n|---|---:|---:|---:|---:|---:|---:|")
    for multiplications, path in chosen(options):
        lanes = 64 if multiplications < 1e8 else 16 if multiplications < 1e9 else 1
        row = {"multiplications": multiplications, "alone": timed(options.probe, path, 1, "forward")}
        row["in a block"] = timed(options.probe, path, lanes, "forward")
        row["with gradient"] = timed(options.probe, path, lanes, "gradient")
        rows.append(row)
        share = lambda kind: f"{multiplications / row[kind] / most:.0%}"
        name = path.name.removesuffix(".gz").removesuffix(".onnx")[:40]
        cells = [name, f"{multiplications:,}", f"{row['alone'] * 1e6:,.1f} µs", share("alone"), f"{row['in a block'] * 1e6:,.1f} µs", share("in a block"), f"{row['with gradient'] * 1e6:,.1f} µs"]
        print("| " + " | ".join(cells) + " |", flush=True)
    if options.plot:
        options.plot.write_text(drawn(rows, most))


if __name__ == "__main__":
    main()
