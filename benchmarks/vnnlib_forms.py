#!/usr/bin/env python3
"""One property in two languages, and properties of two networks.

usage: vnnlib_forms.py BENCHMARKS [--binary FILE] [--judge CHECK_CEX.PY] [--timeout SECONDS] [--truth sat,unsat]

1. Every ACAS Xu instance of the dev set (BENCHMARKS/instances.csv) is answered as it is (VNN-LIB 1.0) and converted by
   `counterpatch convert` (VNN-LIB 2.0). The two verdicts must be the same; each counterexample is judged.
2. Equivalence and monotonicity of ACAS Xu networks as VNN-LIB 2.0 properties of two networks. All are false, and must
   be falsified.

Writes Markdown tables; exit status 1 if anything is wrong.
"""
import argparse, csv, os, subprocess, sys, tempfile, time

# The input box of property 1, in the networks' own units.
BOX = [(0.6, 0.679858), (-0.5, 0.5), (-0.5, 0.5), (0.45, 0.5), (-0.5, -0.45)]
X = [f"X_f[0,0,0,{i}]" for i in range(5)], [f"X_g[0,0,0,{i}]" for i in range(5)]


def verify(binary, arguments, timeout):
    start = time.monotonic()
    run = subprocess.run([binary, "verify", *arguments, "--timeout", str(timeout)], capture_output=True, text=True)
    words = run.stdout.split()
    return (words[0] if words else f"status {run.returncode}"), run.stdout, time.monotonic() - start


def judged(judge, network, query, output, folder):
    if not judge:
        return "not judged"
    path = os.path.join(folder, "results.txt")
    with open(path, "w") as file:
        file.write(output)
    run = subprocess.run([sys.executable, judge, network, query, path], capture_output=True, text=True)
    return run.stdout.split()[-1] if run.stdout.split() else "setup_error"


def two_networks(relation, assertions):
    def declare(name, relation=""):
        shape = "[1, 1, 1, 5]"
        return (f"(declare-network {name}{relation}\n    (declare-input X_{name} float32 {shape})\n"
                f"    (declare-output Y_{name} float32 [1, 5]))\n")
    bounds = "".join(f"(assert (and (>= {x} {low:.6f}) (<= {x} {high:.6f})))\n"
                     for names in X for x, (low, high) in zip(names, BOX))
    text = "(vnnlib-version <2.0>)\n" + declare("f") + declare("g", f"\n    ({relation} f)") + bounds
    return text + "".join(f"(assert {assertion})\n" for assertion in assertions)


def equal_inputs(but=None):
    return [f"(== {a} {b})" for i, (a, b) in enumerate(zip(*X)) if i != but]


def forms(options, rows, folder):
    agree, wrong = {}, []
    for number, row in enumerate(rows):
        network = os.path.join(options.benchmarks, row["onnx"])
        first = os.path.join(options.benchmarks, row["vnnlib"])
        second = os.path.join(folder, f"{number}.vnnlib")
        subprocess.run([options.binary, "convert", first, "--network", network, "--output", second], check=True)
        one, out_one, _ = verify(options.binary, [network, first], options.timeout)
        two, out_two, _ = verify(options.binary, [second, "--network", f"N={network}"], options.timeout)
        verdicts = [judged(options.judge, network, q, o, folder) if v == "sat" else "" for v, q, o in
                    ((one, first, out_one), (two, f"{second}", out_two))]
        agree[(row["truth"], one, two, *verdicts)] = agree.get((row["truth"], one, two, *verdicts), 0) + 1
        if one != two or any(v not in ("", "correct", "not judged") for v in verdicts):
            wrong.append(f"{row['onnx']} {row['vnnlib']}: {one} and {two}, {verdicts}")
    print("| truth | verdict 1.0 | verdict 2.0 | counterexample 1.0 | counterexample 2.0 | instances |")
    print("|---|---|---|---|---|---|")
    for key, count in sorted(agree.items()):
        print("| " + " | ".join(key) + f" | {count} |")
    return wrong


def pairs(options, networks, folder):
    wrong = []
    print("\n| property | networks | verdict | counterexample | seconds |")
    print("|---|---|---|---|---|")
    jobs = []
    for f, g in zip(networks, networks[1:]):
        apart = "(or " + " ".join(f"(>= (- Y_f[0,{i}] Y_g[0,{i}]) 0.003)" for i in range(5)) + ")"
        jobs.append(("equivalence within 0.003", "isomorphic-to", equal_inputs() + [apart], f, g))
        rises = equal_inputs(but=0) + [f"(> {X[0][0]} {X[1][0]})", "(< Y_f[0,0] Y_g[0,0])"]
        jobs.append(("monotonicity in the distance", "equal-to", rises, f, None))
    for number, (name, relation, assertions, f, g) in enumerate(jobs):
        query = os.path.join(folder, f"pair{number}.vnnlib")
        with open(query, "w") as file:
            file.write(two_networks(relation, assertions))
        given = [f"f={f}"] + ([f"g={g}"] if g else [])
        arguments = [query] + [part for pair in given for part in ("--network", pair)]
        verdict, output, seconds = verify(options.binary, arguments, options.timeout)
        listed = repr([("f", f), ("g", g or f)])
        opinion = judged(options.judge, listed, query, output, folder) if verdict == "sat" else ""
        short = [os.path.basename(path).split("_batch")[0] for path in (f, g) if path]
        print(f"| {name} | {', '.join(short)} | {verdict} | {opinion} | {seconds:.2f} |")
        if verdict != "sat" or opinion not in ("correct", "not judged"):
            wrong.append(f"{name} of {short}: {verdict} {opinion}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmarks")
    parser.add_argument("--binary", default="target/release/counterpatch")
    parser.add_argument("--judge", help="check_cex.py; without it counterexamples are not judged")
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--truth", default="sat,unsat")
    options = parser.parse_args()
    with open(os.path.join(options.benchmarks, "instances.csv")) as file:
        rows = [row for row in csv.DictReader(file) if row["benchmark"].startswith("acasxu") and row["set"] == "dev"]
    networks = sorted({os.path.join(options.benchmarks, row["onnx"]) for row in rows})[:5]
    rows = [row for row in rows if row["truth"] in options.truth.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        wrong = forms(options, rows, folder) + pairs(options, networks, folder)
    for line in wrong:
        print("WRONG:", line, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
