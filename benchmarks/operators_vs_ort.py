#!/usr/bin/env python3
"""operators_vs_ort.py [--count N] [--seed S] [--only OPERATOR,…] [--quiet]: both engines beside ONNX Runtime, operator by operator.

Makes N models of one operator (12,000 unless told): every operator that `counterpatch supports --onnx-operators` lists, its
attributes, operator sets 7 to the newest, small and odd sizes, all element types, operands as inputs or as constants. Each is
run once in ONNX Runtime and in both engines (`probe both`, one process for all). Prints what differs, and a table. Fails if
anything differs that benchmarks/operators/settled.json does not settle.

    cargo build --release --example probe
    python3 benchmarks/operators_vs_ort.py
"""
import argparse, collections, json, os, pathlib, re, struct, subprocess, sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from operators.cases import CASES, Case, Draw  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PROBE = os.environ.get("PROBE") or HERE.parent / "target/release/examples/probe"
NEWEST = min(onnx.defs.onnx_opset_version(), 25)


def build(case):
    """The model of a case, and the flat values of its inputs."""
    names, inputs, constants, point = [], [], [], []
    for i, value in enumerate(case.inputs):
        names.append("" if value is None else f"x{i}")
        if value is None:
            continue
        value = np.asarray(value)
        if i in case.constant:
            constants.append(numpy_helper.from_array(value, f"x{i}"))
        else:
            inputs.append(helper.make_tensor_value_info(f"x{i}", helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))
            point.append((f"x{i}", value))
    outputs = [f"y{i}" for i in range(case.outputs)]
    node = helper.make_node(case.operator, names, outputs, **case.attributes)
    # Where inference does not tell an output's type, it is the first operand's.
    first = next((np.asarray(v).dtype for v in case.inputs if v is not None), np.dtype("float32"))
    infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
    graph = helper.make_graph([node], "one", inputs, infos, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case.opset)], ir_version=8 if case.opset < 19 else 10)
    model = onnx.shape_inference.infer_shapes(model)
    for info in model.graph.output:
        if not info.type.tensor_type.elem_type:
            info.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(first)
        info.type.tensor_type.ClearField("shape")
    return model.SerializeToString(), point


def opsets():
    """For each operator the operator sets that have it, from 7 on."""
    ranges = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            ranges.setdefault(schema.name, []).append((schema.since_version, schema.deprecated))
    known = {}
    for name in CASES:
        versions = sorted(ranges[name])
        first = max(7, min(version for version, deprecated in versions if not deprecated))
        if name == "GroupNormalization":
            first = 21  # the version before is deprecated
        last, gone = versions[-1]
        known[name] = first, min(last - 1 if gone else NEWEST, NEWEST)
    return known


def runtime(model, point):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    # What is computed, not what an optimiser makes of it.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(point))


class Probe:
    def __init__(self):
        self.start()

    def start(self):
        self.process = subprocess.Popen([PROBE, "both"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, model, point):
        values = np.concatenate([np.zeros(0)] + [np.ravel(v).astype("<f8") for _, v in point])
        frame = struct.pack("<I", len(model)) + model + struct.pack("<I", len(values)) + values.astype("<f8").tobytes()
        try:
            self.process.stdin.write(frame)
            self.process.stdin.flush()
            return [self.parse(self.process.stdout.readline().decode()) for _ in range(2)]
        except BrokenPipeError:
            return self.crashed()
        except EOFError:
            return self.crashed()

    def crashed(self):
        message = self.process.stderr.read().decode().strip().splitlines()
        self.start()
        return [f"crashed: {' '.join(message)[:300]}"] * 2

    @staticmethod
    def parse(line):
        if not line:
            raise EOFError
        kind, rest = line.rstrip("\n").split(" ", 1)
        if kind != "ok":
            return rest
        return np.array([float(x) for x in rest.strip("[]").split(", ") if x])


TOLERANCE = {"float16": 1e-2, "float32": 3e-5, "float64": 1e-9}


def agree(got, wanted):
    """Whether an engine's flat outputs are those of ONNX Runtime, to the rounding of its type."""
    flat = [np.ravel(w) for w in wanted]
    if len(got) != sum(w.size for w in flat):
        return f"{len(got)} values instead of {sum(w.size for w in flat)}"
    at = 0
    for w in flat:
        own, at = got[at : at + w.size], at + w.size
        exact = w.astype(np.float64)
        near = TOLERANCE.get(str(w.dtype), 0.0)
        largest = np.max(np.abs(exact[np.isfinite(exact)]), initial=0.0)
        with np.errstate(all="ignore"):
            same = (own == exact) | (np.isnan(own) & np.isnan(exact)) | (np.abs(own - exact) <= near * (1 + largest))
        if not same.all():
            i = int(np.argmin(same))
            return f"{own[i]:.9g} instead of {exact[i]:.9g}"
    return None


def describe(case):
    kinds = ",".join("-" if v is None else f"{np.asarray(v).dtype}{list(np.shape(v))}{'c' if i in case.constant else ''}" for i, v in enumerate(case.inputs))
    attributes = {k: v if not isinstance(v, onnx.TensorProto) else "tensor" for k, v in case.attributes.items()}
    return f"{case.operator}-{case.opset}({kinds}) {attributes}"


def short(why):
    """What a refusal says, without the names and numbers of the one model."""
    why = re.sub(r"^.*?: ", "", why, count=1) if why.startswith("node") else why
    return re.sub(r"\[[^\]]*\]|\d+", "N", why)[:110]


def settle(settled, case, engine, kind, text):
    """The row of the table of settled differences that this one belongs to."""
    for row in settled:
        if row["operator"] not in ("*", case.operator) or kind not in row["kinds"] or engine not in row.get("engines", ["plain", "fast"]):
            continue
        if re.search(row.get("message", ""), text) and re.search(row.get("case", ""), describe(case)):
            return row
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--quiet", action="store_true", help="no line for each difference, no table")
    arguments = parser.parse_args()
    settled = json.loads((HERE / "operators/settled.json").read_text())
    names = [n for n in CASES if not arguments.only or n in arguments.only.split(",")]
    probe, rng = Probe(), np.random.default_rng(arguments.seed)
    rows = collections.defaultdict(collections.Counter)
    open_ones, uses, versions = [], collections.Counter(), opsets()
    for number in range(arguments.count):
        name = names[number % len(names)]
        first, last = versions[name]
        opset = int(rng.integers(first, last + 1))
        case = CASES[name](Draw(rng, opset))
        case.opset = opset
        row = rows[case.operator]
        row["made"] += 1
        try:
            model, point = build(case)
            wanted = runtime(model, point)
        except Exception as error:
            row["refused by ONNX Runtime"] += 1
            if os.environ.get("SHOW_REFUSED"):
                print("ORT refuses:", describe(case), str(error)[-160:].replace("\n", " "))
            continue
        row["compared"] += 1
        for engine, got in zip(("plain", "fast"), probe.run(model, point)):
            if isinstance(got, str):
                kind, text = ("crashed" if got.startswith("crashed") else "refused"), got
            else:
                text = agree(got, wanted)
                kind = "differs"
            if text is None:
                row[f"{engine} agrees"] += 1
                continue
            row[f"{engine} {kind}"] += 1
            known = settle(settled, case, engine, kind, text)
            if known:
                uses[known["what"]] += 1
            else:
                open_ones.append((case.operator, engine, kind, short(text)))
                if not arguments.quiet:
                    print(f"{engine} {kind}: {describe(case)}: {text[:200]}", flush=True)
                    if os.environ.get("SHOW_VALUES"):
                        print("  ", [None if v is None else v.tolist() for v in case.inputs], "engine", got, "ORT", wanted)
    report(rows, uses, open_ones, arguments)
    return 1 if open_ones else 0


def report(rows, uses, open_ones, arguments):
    made, compared = (sum(row[k] for row in rows.values()) for k in ("made", "compared"))
    if not arguments.quiet:
        columns = ["made", "compared", "plain agrees", "plain differs", "plain refused", "fast agrees", "fast differs", "fast refused"]
        print("\n| operator | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
        for name in sorted(rows):
            print(f"| {name} | " + " | ".join(str(rows[name][c] or "") for c in columns) + " |")
        print("\nSettled:")
        for what, count in uses.most_common():
            print(f"- {count} x {what}")
    for (operator, engine, kind, text), count in collections.Counter(open_ones).most_common(60):
        print(f"OPEN {count} x {operator}, {engine} {kind}: {text}")
    print(f"{made} models made, {compared} compared, {len(open_ones)} differences that are not settled")


if __name__ == "__main__":
    sys.exit(main())
