#!/usr/bin/env python3
"""measure.py PROGRAM [options]: the tables of benchmarks/nearest.md, as Markdown on standard output.

Closest images: `attack --method nearest` on the networks of DATA/mnist (the patching paper's, DATA/README.md), on the first
correctly classified images of each class, one thread. Closest counterexamples: `verify --nearest centre` on the ACAS Xu
instances of BENCHMARKS/instances.csv whose truth is `sat`, one thread each, one after the other.

With --journal FILE every run is noted, and not repeated. Needs nothing but Python.
"""

import argparse
import csv
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NETWORKS = {
    "784-8-16-10": "aigent_mnist_784-8-16-10.onnx",
    "784-6x50-10": "aigent_mnist1_784-6x50-10.onnx",
}


def percent(part):
    return f"{100 * part:.2f}%"


class Journal:
    """Results by a key, kept in a file if there is one."""

    def __init__(self, path):
        self.path, self.known = path, {}
        if path and path.exists():
            for line in path.read_text().splitlines():
                key, value = json.loads(line)
                self.known[key] = value

    def result(self, key, make):
        if key not in self.known:
            self.known[key] = make()
            if self.path:
                with self.path.open("a") as file:
                    file.write(json.dumps([key, self.known[key]]) + "\n")
        return self.known[key]


def images(program, data, network, norm, seconds, each):
    """What `attack` says of every image: seconds, and what is proved."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            program, "attack", data / "mnist" / NETWORKS[network], "--images", data / "mnist" / "images.npz",
            "--method", "nearest", "--norm", norm, "--protocol", str(each), "--budget", str(seconds),
            "--threads", "1", "--quiet", "--json", "--output", folder,
        ]
        before = cpu()
        run = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
        attacks = json.loads(run.stdout)["attacks"]
    keep = ("image", "ending", "seconds", "spent", "distance", "proved")
    return {"attacks": [{key: attack[key] for key in keep} for attack in attacks], "cpu": cpu() - before}


def cpu():
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def row_of_images(network, norm, seconds, result):
    attacks = result["attacks"]
    proved = [attack["proved"] for attack in attacks]
    found = [p for p in proved if p["distance"] is not None]
    optimal = [p for p in proved if p["optimal"]]
    times = [attack["seconds"] for attack in attacks]
    gaps = [p["gap"] for p in proved]
    distances = [p["distance"] for p in found]
    return (
        f"| {network} | {norm} | {seconds:g} s | {len(attacks)} | {len(found)} | {len(optimal)} "
        f"({100 * len(optimal) / len(attacks):.0f}%) | {percent(statistics.median(gaps))} | {percent(max(gaps))} "
        f"| {statistics.median(distances):.4g} | {statistics.median(times):.2f} / {max(times):.2f} "
        f"| {result['cpu'] / len(attacks):.3f} | {statistics.median(p['parts'] for p in proved):g} |"
    )


def acas(program, benchmarks, norm, seconds):
    """Every known-sat instance with what `verify --nearest centre` says of it."""
    with (benchmarks / "instances.csv").open() as file:
        instances = [row for row in csv.DictReader(file)
                     if row["benchmark"].startswith("acasxu") and row["truth"] == "sat"]
    for row in instances:
        name = f"{Path(row['onnx']).name[13:16]} {Path(row['vnnlib']).name.split('.')[0]}"
        command = [
            program, "verify", benchmarks / row["onnx"], benchmarks / row["vnnlib"], "--nearest", "centre",
            "--norm", norm, "--timeout", str(seconds), "--threads", "1", "--json", "--quiet",
        ]

        def make(command=command):
            begin, before = time.monotonic(), cpu()
            run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            lines = [json.loads(line) for line in run.stdout.splitlines()]
            events = {line["event"]: line for line in lines}
            verdict = events.get("verdict", {})
            return {
                "verdict": verdict.get("verdict"), "certainty": verdict.get("certainty"),
                "nearest": events.get("nearest"), "seconds": time.monotonic() - begin, "cpu": cpu() - before,
            }

        yield name, make


def row_of_acas(name, result):
    nearest = result["nearest"] or {}
    number = lambda key: "-" if nearest.get(key) is None else f"{nearest[key]:.6g}"
    gap = percent(nearest["gap"]) if nearest else "-"
    optimal = "yes" if nearest.get("optimal") else "no"
    return (
        f"| {name} | {result['verdict']}, {result['certainty']} | {number('distance')} | {number('bound')} | {gap} "
        f"| {optimal} | {number('parts')} | {result['seconds']:.1f} | {result['cpu']:.1f} |"
    )


def commit():
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                         cwd=Path(__file__).parent)
    return run.stdout.strip() or "unknown"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="counterpatch")
    parser.add_argument("--data", type=Path, help="the patching paper's networks and images")
    parser.add_argument("--benchmarks", type=Path, help="the folder with instances.csv")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--norms", nargs="*", default=["linf", "l1", "l2", "l0"])
    parser.add_argument("--image-seconds", type=float, default=5)
    parser.add_argument("--each", type=int, default=6, help="images of each of the ten classes")
    parser.add_argument("--acas-norm", default="linf")
    parser.add_argument("--acas-seconds", type=float, default=60)
    parser.add_argument("--journal", type=Path)
    options = parser.parse_args()
    journal = Journal(options.journal)
    print(f"Commit {commit()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f} at the start.\n")
    if options.data:
        print("| network | norm | limit | images | found | proved | gap, median | gap, largest | distance, median "
              "| seconds, median / largest | CPU seconds an image, mean | parts, median |")
        print("|---|---|---|---|---|---|---|---|---|---|---|---|")
        for network in options.networks:
            for norm in options.norms:
                key = f"images {network} {norm} {options.image_seconds} {options.each}"
                result = journal.result(key, lambda: images(
                    options.program, options.data, network, norm, options.image_seconds, options.each))
                print(row_of_images(network, norm, options.image_seconds, result), flush=True)
        print()
    if options.benchmarks:
        print("| network and property | verdict | distance | bound | gap | proved | parts | seconds | CPU seconds |")
        print("|---|---|---|---|---|---|---|---|---|")
        results = []
        for name, make in acas(options.program, options.benchmarks, options.acas_norm, options.acas_seconds):
            results.append(journal.result(f"acas {name} {options.acas_norm} {options.acas_seconds}", make))
            print(row_of_acas(name, results[-1]), flush=True)
        nearest = [result["nearest"] for result in results if result["nearest"]]
        gaps = [one["gap"] for one in nearest]
        print(f"\n{len(results)} instances, {sum(one['optimal'] for one in nearest)} proved nearest; gap: median "
              f"{percent(statistics.median(gaps))}, largest {percent(max(gaps))}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
