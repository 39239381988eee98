#!/usr/bin/env python3
"""Writes planted 3-SAT formulas as ReLU networks: falsifying one is solving its formula.

A random assignment is planted, then clauses of three different variables are drawn that it satisfies; a clause
with t true literals is kept with probability bias^t. At bias 1 the signs of the literals point at the assignment, at
0.618 they say nothing, below they mislead (Jia, Moore, Strain, "Generating hard satisfiable formulas by hiding
solutions deceptively", AAAI 2005). The network has one input per variable in [0, 1] and one output, the total
penalty, which is 0 exactly at satisfying corners:

    y = sum over clauses of max(0, 1 - (its literals added up))  +  corner * sum over variables of min(b, 1 - b)

where b is the input itself (smooth: one hidden layer), or a ramp round 1/2 (steep: two hidden layers, no
gradient off the ramp, which is 1/slope wide: of 20 inputs drawn uniformly 0.4 are on theirs at slope 50, 0.04 at
500). Twenty variables have few enough corners for a million samples; steep formulas of 50 do not. The unsafe set is y <= 0.05: then each b is within 0.05 of a corner, all together, and
each clause's sum is at least 0.95 minus that, so the rounded corner satisfies the formula (corner is at least 1). A
corner of weight above 1 makes a trap of every corner that violates few clauses.
"""

import argparse
from pathlib import Path

import numpy as np

import common

THRESHOLD = 0.05


def formula(rng, variables, clauses, bias):
    """The planted assignment and clauses as (variables, wanted values) pairs of three."""
    assignment = rng.integers(0, 2, variables)
    drawn = []
    while len(drawn) < clauses:
        chosen = rng.choice(variables, 3, replace=False)
        wanted = rng.integers(0, 2, 3)
        true_literals = int((assignment[chosen] == wanted).sum())
        if true_literals and rng.random() < bias**true_literals:
            drawn.append((chosen, wanted))
    return assignment, drawn


def penalty_layers(variables, clauses, bits, corner):
    """The last two layers on a previous layer whose values times `bits` [variables, width] are the b."""
    rows, bias = [np.eye(variables) @ bits, 2 * bits], [0] * variables + [-1] * variables
    for chosen, wanted in clauses:
        signs = np.where(wanted == 1, 1.0, -1.0)
        rows.append(-(signs @ bits[chosen])[None, :])
        bias.append(1 - float((wanted == 0).sum()))
    last = np.concatenate([np.full(variables, corner), np.full(variables, -corner), np.ones(len(clauses))])
    return [(np.concatenate(rows), np.array(bias, dtype=float)), (last[None, :], [0.0])]


def network(name, variables, clauses, slope, corner):
    """The network; a slope of 0 is the smooth one."""
    identity = np.eye(variables)
    if not slope:
        return common.fully_connected(name, penalty_layers(variables, clauses, identity, corner))
    ramps = (slope * np.concatenate([identity, identity]), slope * -0.5 + np.repeat([0.5, -0.5], variables))
    bits = np.concatenate([identity, -identity], axis=1)
    return common.fully_connected(name, [ramps, *penalty_layers(variables, clauses, bits, corner)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variables", type=int, default=50)
    parser.add_argument("--clauses", type=int, default=200)
    parser.add_argument("--steep", action="store_true", help="ramps instead of the inputs themselves")
    parser.add_argument("--slope", type=float, default=50.0, help="of the ramps, at least 1 [50]")
    parser.add_argument("--bias", type=float, default=0.5, help="of the clauses' literals, in (0, 1] [0.5]")
    parser.add_argument("--corner", type=float, default=2.0, help="weight of the corners, at least 1 [2]")
    parser.add_argument("--count", type=int, default=8, help="how many formulas [8]")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the next ones count up [0]")
    parser.add_argument("--output", type=Path, required=True, help="folder for NAME.onnx and NAME.vnnlib")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    kind = "steep" if options.steep else "smooth"
    for seed in range(options.seed, options.seed + options.count):
        assignment, clauses = formula(np.random.default_rng(seed), options.variables, options.clauses, options.bias)
        name = f"planted_{kind}_{options.variables}_{options.clauses}_{seed}"
        proto = network(name, options.variables, clauses, options.slope if options.steep else 0, options.corner)
        planted, centre = common.run(proto, [assignment, np.full(options.variables, 0.5)])[:, 0]
        assert abs(planted) < 1e-3 < centre, (planted, centre)
        (options.output / f"{name}.onnx").write_bytes(proto.SerializeToString(deterministic=True))
        common.vnnlib(
            name, [f"A planted 3-SAT formula: {options.variables} variables, {options.clauses} clauses, {kind}."],
            [0.0] * options.variables, [1.0] * options.variables, 1, [f"(<= Y_0 {THRESHOLD})"], options.output,
        )


if __name__ == "__main__":
    main()
