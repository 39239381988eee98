#!/usr/bin/env python3
"""Seconds and memory of large networks: ours beside ONNX Runtime's and PyTorch's.

    benchmarks/large/measure.py FOLDER --binary counterpatch --probe target/release/examples/probe [--rounds 3] [--output large.csv]

FOLDER is what networks.py has written. For each network, the best of so many rounds, each in a process of its own, in turns:

counterexample  `counterpatch verify`, whole process: wall and CPU seconds, peak of memory
inspect         `counterpatch inspect`, the same
replay          both precisions of the plain engine at one point (`probe replay`), on two threads
forward         one point, one thread (`probe time`), and `with gradient`
ONNX Runtime    loads and evaluates once: wall, CPU, peak; then the best evaluation on one thread
PyTorch         the same graph as PyTorch's functions: forward, and forward with backward, one thread (where torch is installed)

Needs numpy, onnx and onnxruntime; torch where it is there.
"""

import argparse
import csv
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

SHAPE = (1, 3, 224, 224)


def measured(command, **options):
    """Wall and CPU seconds and peak of memory (MB) of a process, and what it wrote."""
    with tempfile.TemporaryFile() as said:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL, **options)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, said.read().decode()


def best(times):
    """Of each column the least."""
    return [min(column) for column in zip(*times)]


def runtime(network):
    """In a process of its own: loads, evaluates once, then the best of five evaluations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options)
    image = np.random.default_rng(1).random(SHAPE, np.float32)
    session.run(None, {"input": image})
    first = resource.getrusage(resource.RUSAGE_SELF)
    times = []
    for _ in range(5):
        start = time.thread_time()
        session.run(None, {"input": image})
        times.append(time.thread_time() - start)
    print(json.dumps([first.ru_utime + first.ru_stime, first.ru_maxrss / 1024, min(times)]))


class Torch:
    """An ONNX graph as PyTorch's functions: the operators that networks.py uses."""

    def __init__(self, network):
        import onnx
        import torch
        from onnx import numpy_helper

        self.torch, graph = torch, onnx.load(network).graph
        self.constants = {w.name: torch.from_numpy(numpy_helper.to_array(w).copy()) for w in graph.initializer}
        self.nodes = [(n.op_type, list(n.input), n.output[0], {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}) for n in graph.node]

    def run(self, image):
        values = {"input": image}
        for operator, inputs, output, attributes in self.nodes:
            operands = [values.get(name, self.constants.get(name)) for name in inputs]
            values[output] = self.apply(operator, operands, attributes)
        return values["output"]

    def apply(self, operator, x, a):
        torch, f = self.torch, self.torch.nn.functional
        window = lambda: (a["kernel_shape"], a["strides"], a.get("pads", [0, 0])[:2])
        match operator:
            case "Conv":
                return f.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, a["strides"], a.get("pads", [0, 0])[:2], 1, a.get("group", 1))
            case "MaxPool":
                return f.max_pool2d(x[0], *window())
            case "AveragePool":
                return f.avg_pool2d(x[0], *window())
            case "GlobalAveragePool":
                return x[0].mean((2, 3), keepdim=True)
            case "BatchNormalization":
                return f.batch_norm(x[0], x[3], x[4], x[1], x[2])
            case "LayerNormalization":
                return f.layer_norm(x[0], x[1].shape, x[1], x[2], a["epsilon"])
            case "Gemm":
                return f.linear(x[0], x[1], x[2])
            case "MatMul":
                return x[0] @ x[1]
            case "Softmax":
                return torch.softmax(x[0], a["axis"])
            case "Relu":
                return torch.relu(x[0])
            case "Clip":
                return torch.clamp(x[0], float(x[1]), float(x[2]))
            case "Add":
                return x[0] + x[1]
            case "Mul":
                return x[0] * x[1]
            case "Erf":
                return torch.erf(x[0])
            case "Flatten":
                return x[0].flatten(1)
            case "Reshape":
                return x[0].reshape(x[1].tolist())
            case "Transpose":
                return x[0].permute(a["perm"])
            case "Concat":
                return torch.cat(x, a["axis"])
            case "Gather":
                return x[0].select(a["axis"], int(x[1]))
        raise ValueError(operator)


def pytorch(network):
    """In a process of its own: loads, then the best of three passes, forward alone and with backward."""
    import torch

    torch.set_num_threads(1)
    net = Torch(network)
    image = torch.from_numpy(np.random.default_rng(1).random(SHAPE, np.float32))
    forward, both = [], []
    for _ in range(3):
        start = time.process_time()
        with torch.no_grad():
            net.run(image)
        forward.append(time.process_time() - start)
        point = image.clone().requires_grad_()
        start = time.process_time()
        net.run(point)[0, 0].backward()
        both.append(time.process_time() - start)
    whole = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([min(forward), min(both), whole.ru_maxrss / 1024]))


def own(name, network, known):
    """What a function of this file prints in a process of its own; nothing where it cannot run."""
    if not known:
        return None
    said = measured([sys.executable, __file__, "--only", name, str(network)])
    return [said[0]] + json.loads(said[3]) if said[3] else None


def row(network, options, has_torch):
    program, inspected, replayed, timed, ort, torch = [], [], [], [], [], []
    for _ in range(options.rounds):
        question = [network, network.with_suffix(".vnnlib")]
        wall, cpu, peak, said = measured([options.binary, "verify", *question, "--timeout", "120"])
        program.append((wall, cpu, peak))
        inspected.append(measured([options.binary, "inspect", network])[:3])
        replayed.append(json.loads(measured([options.probe, "replay", network, "2"])[3]))
        timed.append(json.loads(measured([options.probe, "once", network])[3]))
        ort.append(own("runtime", network, True))
        torch.append(own("pytorch", network, has_torch))
    cells = {"network": network.stem, "MB": round(network.stat().st_size / 1e6), "answer": said.split()[0]}
    columns = {
        "verify": (program, ["wall", "CPU", "MB"]),
        "inspect": (inspected, ["wall", "CPU", "MB"]),
        "replay": (replayed, ["model", "double"]),
        "ours": (timed, ["read", "import", "forward", "gradient"]),
        "ORT": (ort, ["wall", "CPU to first", "MB", "forward"]),
        "torch": ([t for t in torch if t], ["wall", "forward", "with backward", "MB"]),
    }
    for title, (times, names) in columns.items():
        if times:
            cells |= {f"{title} {name}": round(value, 3) for name, value in zip(names, best(times))}
    return cells


def main():
    if sys.argv[1:2] == ["--only"]:
        return {"runtime": runtime, "pytorch": pytorch}[sys.argv[2]](sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--probe", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    has_torch = subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0
    rows = []
    for network in sorted(options.folder.glob("*.onnx")):
        rows.append(row(network, options, has_torch))
        print("\n".join(f"{key}: {value}" for key, value in rows[-1].items()), end="\n\n", flush=True)
    if options.output:
        with options.output.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
