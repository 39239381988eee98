#!/usr/bin/env python3
"""seeds.py [options]: how reliably, and how fast, the portfolio finds the hardest known-sat instances.

First a few seeds on every instance (--scout; networks over --largest MB are left out): the hardest are those with the
largest median CPU time, an instance that was not found counting as the limit. Then many seeds on each of them. One
thread. Python's standard library is all it needs.
"""

import argparse
import concurrent.futures
import statistics
from pathlib import Path

import common


def runs(options, folder, rows, seeds):
    """CPU seconds by instance, in the order of the seeds; None where it was not found."""
    jobs = [(row, seed) for row in rows for seed in seeds]

    def one(job):
        row, seed = job
        result = common.run(options.binary, folder, row, options.limit, ["--seed", str(seed)])
        return result["cpu_s"] if result["verdict"] == "sat" else None

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        times = list(pool.map(one, jobs))
    return {common.name(row): times[i * len(seeds) : (i + 1) * len(seeds)] for i, row in enumerate(rows)}


def quantile(times, share):
    """A quantile of the runs, those without a find last; a dash where it falls on one of them."""
    ranked = sorted(times, key=lambda time: (time is None, time or 0.0))
    value = ranked[min(len(ranked) - 1, int(share * len(ranked)))]
    return "—" if value is None else f"{value:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(common.ROOT / "target" / "release" / "counterpatch"))
    parser.add_argument("--limit", type=float, default=2.0, help="seconds for the search [2]")
    parser.add_argument("--hardest", type=int, default=10, help="how many instances [10]")
    parser.add_argument("--seeds", type=int, default=30, help="runs of each [30]")
    parser.add_argument("--scout", type=int, default=3, help="seeds that rank the instances [3]")
    parser.add_argument("--sample", type=int, default=0, help="rank at most so many of each benchmark [all]")
    parser.add_argument("--largest", type=float, default=50.0, help="leave out instances with larger files, in MB [50]")
    parser.add_argument("--benchmark", action="append", default=[], help="this benchmark only; may be repeated")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once [1]")
    parser.add_argument("--output", type=Path, default=common.ROOT / "benchmarks" / "seeds.md")
    options = parser.parse_args()
    folder = common.tree()
    rows = [row for row in common.known_sat(folder) if not options.benchmark or row["benchmark"] in options.benchmark]
    size = lambda row: sum((folder / row[kind]).stat().st_size for kind in ("onnx", "vnnlib"))
    rows = common.sampled([row for row in rows if size(row) <= options.largest * 1e6], options.sample)

    # Seeds of the ranking are not those of the table: what looks hard by bad luck is not to stay so.
    scout = runs(options, folder, rows, range(1000, 1000 + options.scout))
    cost = lambda row: statistics.median(
        options.limit + 0.5 if time is None else time for time in scout[common.name(row)]
    )
    hardest = sorted(rows, key=cost, reverse=True)[: options.hardest]
    times = runs(options, folder, hardest, range(options.seeds))
    lines = [
        "# Seeds on the hardest instances",
        "",
        f"Made by `benchmarks/strategies/seeds.py`: the {len(hardest)} hardest of {len(rows)} known-sat instances (largest "
        f"median CPU of {options.scout} other seeds), {options.seeds} seeds each, one thread, {options.limit:g} s for the "
        "search. CPU of the whole process.",
        "",
        "| instance | found | CPU s, median | 90% | largest |",
        "|---|---|---|---|---|",
    ]
    for row in hardest:
        own = times[common.name(row)]
        found = sum(time is not None for time in own)
        label = f"{row['benchmark']}: {Path(row['onnx']).name} {Path(row['vnnlib']).name}".replace(".gz", "")
        lines.append(f"| {label} | {found} of {len(own)} | {quantile(own, 0.5)} | {quantile(own, 0.9)} | {quantile(own, 1)} |")
    options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
