#!/usr/bin/env python3
"""smoke_verdict.py TABLE.csv...: fails if a smoke run shows a wrong, missing or inexact answer, or too few finds.

The judge's own exit status covers wrong answers only. Here every instance must have an answer (`sat`, `unsat`,
`unknown` or `timeout`), every `sat` must be exactly correct, and of the instances known to be sat at least
four in five must be found.
"""

import csv
import sys

ANSWERS = {"sat", "unsat", "unknown", "timeout"}
WANTED = 0.8


def main(tables):
    rows = [row for table in tables for row in csv.DictReader(open(table, newline=""))]
    bad = [row for row in rows if row["claim"] not in ANSWERS or (row["claim"] == "sat") != (row["verdict"] == "correct")]
    bad += [row for row in rows if row["truth"] == "sat" and row["claim"] == "unsat"]
    for row in bad:
        print("smoke:", row["onnx"], row["vnnlib"], row["claim"], row["verdict"], row["note"])
    known = [row for row in rows if row["truth"] == "sat"]
    found = [row for row in known if row["verdict"] == "correct"]
    print(f"smoke: {len(found)} of {len(known)} known counterexamples, {len(bad)} bad answers, {len(rows)} instances")
    return 0 if known and not bad and len(found) >= WANTED * len(known) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
