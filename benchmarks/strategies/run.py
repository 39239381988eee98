#!/usr/bin/env python3
"""run.py [options]: what each strategy finds alone, and what the portfolio finds without it, on the known-sat instances.

Every run is one thread of `counterpatch verify`, and every row goes to a CSV file at once: a run that was interrupted
goes on where it stopped, and rows of another limit or seed are a file of their own. Limits are wall time: the machine
has to be quiet. The table is made from the CSV file; --table makes it without running anything. Instances whose
network takes long to read say little about strategies and much about reading: --largest leaves them out, and the table
says how many. Python's standard library is all it needs.
"""

import argparse
import collections
import concurrent.futures
import csv
import statistics
from pathlib import Path

import common

FIELDS = ["variant", "benchmark", "instance", "verdict", "found_by", "cpu_s", "evaluations"]


def variants(names, chosen, together):
    """Label and options: the portfolio, each strategy alone, the portfolio without each, and without several together."""
    every = [("portfolio", [])]
    every += [(f"only {name}", ["--strategy", name]) for name in names]
    every += [(f"without {name}", ["--without", name]) for name in names]
    every = [variant for variant in every if not chosen or variant[0].split()[-1] in chosen]
    options = [["--without", name] for name in together]
    return every + [("without " + " and ".join(together), sum(options, []))] * bool(together)


def read(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def measure(options, folder, rows, path):
    """Runs what the CSV file does not hold yet, one network after the other, and appends each row when it is there."""
    done = {(row["variant"], row["instance"]) for row in read(path)}
    chosen = variants(common.strategies(options.binary), options.strategy, options.together)
    jobs = [
        (label, extra, row)
        for row in sorted(rows, key=common.name)
        for label, extra in chosen
        if (label, common.name(row)) not in done
    ]
    fresh = not path.exists()
    seed = ["--seed", str(options.seed)]
    with open(path, "a", newline="") as file, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()

        def one(job):
            label, extra, row = job
            result = common.run(options.binary, folder, row, options.limit, [*extra, *seed])
            return {"variant": label, "benchmark": row["benchmark"], "instance": common.name(row), **result}

        for result in pool.map(one, jobs):
            writer.writerow(result)
            file.flush()


def summary(results):
    """Found, median and total CPU seconds, evaluations, and the instances found."""
    found = {row["instance"] for row in results if row["verdict"] == "sat"}
    cpu = [float(row["cpu_s"]) for row in results]
    return len(found), statistics.median(cpu), sum(cpu), sum(int(row["evaluations"]) for row in results), found


def table(results, rows, options, left_out):
    """The page: one line a variant, then found by benchmark."""
    wanted = {common.name(row): row["benchmark"] for row in rows}
    by_variant = {}
    for row in results:
        if row["instance"] in wanted:
            by_variant.setdefault(row["variant"], []).append(row)
    complete = {label: group for label, group in by_variant.items() if len(group) == len(wanted)}
    which = f"at most {options.sample} of each benchmark, spread evenly" if options.sample else "all"
    lines = [
        "Made by `benchmarks/strategies/run.py`: one thread, seed "
        f"{options.seed}, {options.limit:g} s for the search of an instance. {len(wanted)} known-sat instances "
        f"({which}; {left_out} with files over {options.largest:g} MB left out). CPU is that of the whole process, "
        "reading and the confirmation by the replay included. *only here* counts instances that this strategy alone "
        "finds and no other alone.",
        "",
        "| | found | CPU s, median | CPU s, total | evaluations | only here |",
        "|---|---|---|---|---|---|",
    ]
    sums = {label: summary(group) for label, group in complete.items()}
    alone = {label: found for label, (*_, found) in sums.items() if label.startswith("only ")}
    for label, (count, median, total, evaluations, found) in sums.items():
        others = set().union(*(theirs for other, theirs in alone.items() if other != label))
        single = str(len(found - others)) if label in alone else ""
        lines.append(f"| {label} | {count} | {median:.3f} | {total:.1f} | {evaluations:,} | {single} |")
    if "portfolio" in complete:
        wins = collections.Counter(row["found_by"] or "no strategy" for row in complete["portfolio"])
        said = ", ".join(f"{name} {count}" for name, count in wins.most_common())
        lines += ["", f"Who finds it in the portfolio: {said}."]
    lines += ["", *by_benchmark(complete, wanted)]
    partial = sorted(set(by_variant) - set(complete))
    if partial:
        lines += ["", f"Not complete, and not shown: {', '.join(partial)}."]
    return "\n".join(lines) + "\n"


def by_benchmark(complete, wanted):
    """Found alone, by benchmark."""
    shown = [label for label in complete if label == "portfolio" or label.startswith("only ")]
    lines = [f"| benchmark | of | {' | '.join(label.removeprefix('only ') for label in shown)} |"]
    lines.append("|---" * (len(shown) + 2) + "|")
    for benchmark in sorted(set(wanted.values())):
        total = sum(theirs == benchmark for theirs in wanted.values())
        counts = [
            sum(row["benchmark"] == benchmark and row["verdict"] == "sat" for row in complete[label]) for label in shown
        ]
        lines.append(f"| {benchmark} | {total} | {' | '.join(map(str, counts))} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(common.ROOT / "target" / "release" / "counterpatch"))
    parser.add_argument("--limit", type=float, default=1.0, help="seconds for the search of an instance [1]")
    parser.add_argument("--sample", type=int, default=0, help="at most so many instances of each benchmark [all]")
    parser.add_argument("--largest", type=float, default=50.0, help="leave out instances with larger files, in MB [50]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once [1]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--benchmark", action="append", default=[], help="this benchmark only; may be repeated")
    parser.add_argument("--strategy", action="append", default=[], help="this strategy only; may be repeated; 'portfolio' for the whole")
    parser.add_argument("--together", default=[], type=lambda text: text.split(","), help="also without all of these, A,B,C")
    parser.add_argument("--results", type=Path, help="the CSV file [strategies-LIMIT-SEED.csv beside the table]")
    parser.add_argument("--output", type=Path, default=Path("strategies-table.md"))
    parser.add_argument("--table", action="store_true", help="make the table from the CSV file, run nothing")
    options = parser.parse_args()
    folder = common.tree()
    rows = [row for row in common.known_sat(folder) if not options.benchmark or row["benchmark"] in options.benchmark]

    def size(row):
        return sum((folder / row[kind]).stat().st_size for kind in ("onnx", "vnnlib"))

    small = [row for row in rows if size(row) <= options.largest * 1e6]
    chosen = common.sampled(small, options.sample)
    path = options.results or options.output.with_name(f"strategies-{options.limit:g}-{options.seed}.csv")
    if not options.table:
        measure(options, folder, chosen, path)
    options.output.write_text(table(read(path), chosen, options, len(rows) - len(small)))


if __name__ == "__main__":
    main()
