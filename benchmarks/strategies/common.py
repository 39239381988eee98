"""What the measurements of strategies share: the instances, and one run of the program."""

import csv
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tree():
    """The folder of instances: COUNTERPATCH_BENCHMARKS, or ../shared/benchmarks beside the project."""
    return Path(os.environ.get("COUNTERPATCH_BENCHMARKS", ROOT / ".." / "shared" / "benchmarks"))


def known_sat(folder):
    """The rows of instances.csv with truth sat."""
    with open(folder / "instances.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["truth"] == "sat"]


def name(row):
    """What an instance is called in results: its network and its property."""
    return f"{row['onnx']} {row['vnnlib']}"


def sampled(rows, most):
    """At most so many rows of each benchmark, spread evenly over its list; 0 for all."""
    groups = {}
    for row in rows:
        groups.setdefault(row["benchmark"], []).append(row)
    chosen = []
    for group in groups.values():
        count = min(most, len(group)) if most else len(group)
        chosen += [group[i * len(group) // count] for i in range(count)]
    return chosen


def strategies(binary):
    """All names, in the order of the portfolio."""
    return subprocess.run([binary, "supports", "--strategies"], check=True, capture_output=True, text=True).stdout.split()


def run(binary, folder, row, limit, options):
    """One run on one thread: the verdict, the strategy that found it, CPU seconds of the process, and evaluations of all strategies.

    The search may take `limit` seconds: the program keeps half a second of its time for the results file.
    """
    files = [str(folder / row["onnx"]), str(folder / row["vnnlib"])]
    command = [binary, "verify", *files, "--timeout", str(limit + 0.5), "--threads", "1", "--json", "--quiet", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    verdicts = [event["verdict"] for event in events if event.get("event") == "verdict"]
    finished = [event for event in events if event.get("event") == "finished"]
    winners = [event["strategy"] for event in finished if event.get("ended") == "found"]
    evaluations = sum(event.get("evaluations", 0) for event in finished)
    return {
        "verdict": verdicts[-1] if verdicts else f"exit {process.returncode}",
        "found_by": winners[0] if winners else "",
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
        "evaluations": evaluations,
    }
