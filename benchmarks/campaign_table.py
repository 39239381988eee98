#!/usr/bin/env python3
"""campaign_table.py RESULTS.csv [options]: what tools, or variants of ours, find of the instances of a campaign.

RESULTS.csv is that of `counterpatch campaign collect --csv`. One line a tool: what it has found, processor seconds, what no
other tool has found; then by benchmark; and with --hardest N the instances with the largest median of processor seconds over
the seeds, one that was not found counting as its limit. --of TOOL compares the median seconds on what a tool and TOOL have both
found. Python's standard library is all it needs.
"""

import argparse
import csv
import math
import statistics
from pathlib import Path


def read(paths):
    """Rows by tool, in the order of the tools' first appearance."""
    tools = {}
    for path in paths:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                row["cpu"] = float(row["cpu_s"] or row["timeout_s"])
                # With several seeds a tool's label ends in the seed.
                tool = row["tool"].removesuffix(f"-seed{row['seed']}")
                tools.setdefault(tool, []).append(row)
    return tools


def asked(row):
    return row["benchmark"], row["onnx"], row["vnnlib"]


def found(rows, claim):
    return {asked(row) for row in rows if row["claim"] == claim}


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


def summary(tools, claim, of):
    """One line a tool."""
    sets = {tool: found(rows, claim) for tool, rows in tools.items()}
    medians = {}
    for tool, rows in tools.items():
        for row in rows:
            if row["claim"] == claim:
                medians.setdefault(tool, {}).setdefault(asked(row), []).append(row["cpu"])
    lines = []
    for tool, rows in tools.items():
        others = set().union(*(theirs for other, theirs in sets.items() if other != tool))
        cpu = [row["cpu"] for row in rows]
        line = [tool, len(rows), sum(row["claim"] == claim for row in rows), f"{statistics.median(cpu):.4f}", f"{sum(cpu):.1f}"]
        line.append(len(sets[tool] - others))
        if of:
            both = sets[tool] & sets[of]
            ours, theirs = ([statistics.median(medians[t][key]) for key in both] for t in (of, tool))
            line.append(f"{statistics.median(theirs) / statistics.median(ours):.1f}" if both else "")
        lines.append(line)
    head = ["tool", "units", claim, "CPU s, median", "total", "only here"] + ([f"times {of}'s median on what both found"] if of else [])
    table(head, lines)


def by_benchmark(tools, claim):
    counts, sizes = {}, {}
    for tool, rows in tools.items():
        for row in rows:
            counts.setdefault(row["benchmark"], {}).setdefault(tool, 0)
            counts[row["benchmark"]][tool] += row["claim"] == claim
            sizes.setdefault(row["benchmark"], {}).setdefault(tool, 0)
            sizes[row["benchmark"]][tool] += 1
    print()
    rows = ([name, max(sizes[name].values())] + [of.get(tool, "") for tool in tools] for name, of in sorted(counts.items()))
    table(["benchmark", "units", *tools], rows)


def hardest(rows, claim, count):
    """Instances by the median over their seeds."""
    runs = {}
    for row in rows:
        runs.setdefault(asked(row), []).append(row["cpu"] if row["claim"] == claim else math.inf)
    limits = {asked(row): float(row["timeout_s"]) for row in rows}
    cost = lambda key: statistics.median(min(time, limits[key]) for time in runs[key])
    quantile = lambda times, share: sorted(times)[min(len(times) - 1, int(share * len(times)))]
    shown = lambda time: "–" if time == math.inf else f"{time:.3f}"
    lines = []
    for key in sorted(runs, key=cost, reverse=True)[:count]:
        times = runs[key]
        label = f"{key[0]}: {Path(key[1]).name} {Path(key[2]).name}".replace(".gz", "")
        some = sum(time < math.inf for time in times)
        lines.append([label, f"{some} of {len(times)}", *(shown(quantile(times, share)) for share in (0.5, 0.9, 1))])
    print()
    table(["instance", claim, "CPU s, median", "90%", "largest"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--claim", default="sat", help="what counts as found [sat]")
    parser.add_argument("--of", metavar="TOOL", help="the tool that others are compared with")
    parser.add_argument("--hardest", type=int, default=0, metavar="N", help="the N hardest instances of the first tool")
    options = parser.parse_args()
    tools = read(options.results)
    if options.of and options.of not in tools:
        parser.error(f"there is no tool {options.of}; there are: {', '.join(tools)}")
    summary(tools, options.claim, options.of)
    by_benchmark(tools, options.claim)
    if options.hardest:
        hardest(next(iter(tools.values())), options.claim, options.hardest)


if __name__ == "__main__":
    main()
