#!/usr/bin/env python3
"""judge.py FOLDER: what export.py has made, loaded and computed: both engines beside ONNX Runtime at three points each.

Prints a table by exporter, and what is refused or differs, by its word. Fails if fewer than 95% of what ONNX Runtime runs are read.
Needs `cargo build --release --example probe`, numpy, onnx and onnxruntime.
"""
import argparse
import collections
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from operators_vs_ort import Probe, agree  # noqa: E402

POINTS, LEAST = 3, 0.95


def runtime(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def point_of(model, rng):
    """A value for each input; dimensions that are open are 1."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for info in model.graph.input:
        if info.name in constants:
            continue
        kind = info.type.tensor_type
        shape = [dim.dim_value or 1 for dim in kind.shape.dim]
        yield info.name, rng.normal(size=shape).astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))


def numbers(outputs):
    """Texts are left out, as they are when a model is read; maps from labels are their numbers."""
    for output in outputs:
        if isinstance(output, list):
            yield np.array([list(row.values()) for row in output], np.float32)
        elif output.dtype != object:
            yield output


def judge(path, probe):
    """What ONNX Runtime and both engines make of a file: None where all is well, else words."""
    model, content = onnx.load(path), path.read_bytes()
    try:
        session = runtime(content)
        points = [list(point_of(model, np.random.default_rng(seed))) for seed in range(POINTS)]
        wanted = [list(numbers(session.run(None, dict(point)))) for point in points]
    except Exception as error:  # noqa: BLE001: a file that the runtime refuses tells nothing of ours
        return {"runtime": str(error).strip().splitlines()[0][:160]}
    said = {}
    for point, want in zip(points, wanted):
        for engine, got in zip(("plain", "fast"), probe.run(content, point)):
            text = f"refused: {got}" if isinstance(got, str) else agree(got, want)
            said[engine] = said.get(engine) or text
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    rows, words, probe = collections.defaultdict(collections.Counter), collections.defaultdict(list), Probe()
    for list_of_cases in sorted(arguments.folder.glob("*.json")):
        for stem, why in json.loads(list_of_cases.read_text()).items():
            row = rows[stem.split("__")[0]]
            row["made"] += 1
            if why is not None:
                row["not exported"] += 1
                continue
            said = judge(arguments.folder / f"{stem}.onnx", probe)
            if "runtime" in said:
                row["not run by ONNX Runtime"] += 1
                words[said["runtime"]].append(stem)
                continue
            row["run"] += 1
            for engine, text in said.items():
                refused = text is not None and text.startswith("refused")
                row[f"{engine} {'agrees' if text is None else 'refuses' if refused else 'differs'}"] += 1
                if text is not None:
                    words[f"{engine}: {text}"].append(stem)
    columns = ["made", "not exported", "not run by ONNX Runtime", "run", "plain agrees", "plain differs", "plain refuses", "fast agrees", "fast differs", "fast refuses"]
    print("| exporter | " + " | ".join(columns) + " |\n| --- |" + " ---: |" * len(columns))
    total = collections.Counter()
    for name in sorted(rows):
        total.update(rows[name])
        print(f"| {name} | " + " | ".join(str(rows[name][c]) for c in columns) + " |")
    print("| all | " + " | ".join(str(total[c]) for c in columns) + " |")
    print()
    for text, stems in sorted(words.items(), key=lambda pair: -len(pair[1])):
        print(f"- {text[:200]} ({len(stems)}: {', '.join(stems[:4])})")
    read = total["run"] - total["plain refuses"]
    return 0 if read >= LEAST * total["run"] and not total["plain differs"] else 1


if __name__ == "__main__":
    sys.exit(main())
