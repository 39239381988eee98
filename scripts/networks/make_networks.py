#!/usr/bin/env python3
"""Makes the networks and properties in tests/data/, all of them ours, with fixed seeds.

usage: python3 -m venv .venv && .venv/bin/pip install -r scripts/networks/requirements.txt
       .venv/bin/python scripts/networks/make_networks.py

For each network NAME.onnx there is NAME.json: four points and ONNX Runtime's outputs there. instances.csv lists each
property with its truth and the evidence for it, found here. Another numpy may round the training differently: then
the digits' files change, and the truths are found anew.
"""

import csv

import common
import digits
import operators
import paper
import shapes


def main():
    common.DATA.mkdir(parents=True, exist_ok=True)
    rows = [row for part in (paper, operators, digits) for row in part.make()]
    shapes.make()
    with open(common.DATA / "instances.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["network", "property", "truth", "evidence"])
        table.writerows((f"{network}.onnx", f"{prop}.vnnlib", truth, why) for network, prop, truth, why in rows)
    for row in rows:
        print(*row, sep=", ")


if __name__ == "__main__":
    main()
