#!/usr/bin/env python3
"""Compares the fast engine with ONNX Runtime, and its gradients with finite differences, on every given network.

    cargo build --release --example probe
    python3 benchmarks/operators/agreement.py FOLDER [PATTERN…] > table.md

FOLDER holds */onnx/**/*.onnx[.gz] as VNN-COMP's repositories do, and instances.csv with columns onnx and vnnlib. POINTS
points are drawn from the input box of the first property of each network. A difference is the largest one of any output
of any point, relative to the largest output of all points. Where float32 itself is further off than the tolerance, both
engines' distances from double precision tell whose rounding it is. The gradient is checked in double precision.
"""
import csv, gzip, os, pathlib, re, subprocess, sys, tempfile
import numpy as np
import onnxruntime

POINTS, GRADIENTS, LANES = 100, 3, 16
PROBE = os.environ.get("PROBE") or pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/probe"
BOUND = re.compile(r"\(\s*(<=|>=)\s+X_(\d+)\s+([-+.\deE]+)\s*\)")


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def properties(folder):
    """The first property of each network, by instances.csv: columns onnx and vnnlib, paths from the folder."""
    first = {}
    with open(folder / "instances.csv") as file:
        for row in csv.DictReader(file):
            first.setdefault(folder / row["onnx"], folder / row["vnnlib"])
    return first


def box(text, width):
    """The first lower and upper bound of each input; [0, 1] where there is none."""
    low, high = np.full(width, np.nan), np.full(width, np.nan)
    for sign, index, value in BOUND.findall(text):
        side, index = (high if sign == "<=" else low), int(index)
        if index < width and np.isnan(side[index]):
            side[index] = float(value)
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), 1.0, high)


def runtime(path, points):
    """Outputs of ONNX Runtime, one point at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    run = onnxruntime.InferenceSession(content(path), options)
    inputs = run.get_inputs()
    shapes = [[d if isinstance(d, int) else 1 for d in value.shape] for value in inputs]
    kind = np.float64 if "double" in inputs[0].type else np.float32
    width = sum(int(np.prod(shape)) for shape in shapes)
    splits = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def outputs(point):
        feed = {v.name: p.reshape(s) for v, p, s in zip(inputs, np.split(point, splits), shapes)}
        return np.concatenate([np.asarray(y, np.float64).ravel() for y in run.run(None, feed)])

    points = points(width).astype(kind)
    return points, np.array([outputs(point) for point in points])


def engine(path, work, shape, precision):
    command = [PROBE, "run", path, work / "in", work / "out", str(LANES), precision]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return np.fromfile(work / "out").reshape(shape)


def main():
    folder, patterns = pathlib.Path(sys.argv[1]), sys.argv[2:] or [""]
    rng = np.random.default_rng(2)
    first = properties(folder)
    work = pathlib.Path(tempfile.mkdtemp())
    print("| network | layers | from ORT | allowed | from double | ORT from double | vjp, median | vjp, largest | directions | kinks |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    worse = []
    for path in sorted(folder.glob("*/onnx/**/*.onnx*")):
        if not any(pattern in str(path) for pattern in patterns):
            continue

        def sample(width):
            low, high = np.zeros(width), np.ones(width)
            if path in first:
                low, high = box(content(first[path]).decode(), width)
            return low + (high - low) * rng.random((POINTS, width))

        name = f"{path.relative_to(folder).parts[0]}/{path.name.removesuffix('.gz').removesuffix('.onnx')[:44]}"
        points, want = runtime(path, sample)
        points.astype("<f8").tofile(work / "in")
        precision = "f64" if points.dtype == np.float64 else "f32"
        scale = max(np.abs(want).max(), 1e-30)
        try:
            single = engine(path, work, want.shape, precision)
            double = engine(path, work, want.shape, "f64")
            points[:GRADIENTS].astype("<f8").tofile(work / "few")
            slope = subprocess.run([PROBE, "gradient", path, work / "few"], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            print(f"| {name} | {error.stderr.strip()[:80]} |", flush=True)
            worse.append(name)
            continue
        apart = lambda a, b: np.abs(a - b).max() / scale
        nodes = subprocess.run([PROBE, "nodes", path], capture_output=True, text=True).stdout
        layers = len(re.findall(r"\b(?:Affine|Conv|MatMul)\(", nodes))
        allowed = 1e-5 if layers <= 30 else 1e-4
        median, largest, compared, kinks = slope.stdout.split()
        difference = apart(single, want)
        if difference > allowed or float(largest) > 1e-4:
            worse.append(name)
        print(
            f"| {name} | {layers} | {difference:.1e} | {allowed:.0e} | {apart(single, double):.1e} | {apart(want, double):.1e} "
            f"| {median} | {largest} | {compared} | {kinks} |",
            flush=True,
        )
    print(f"\n{len(worse)} outside of what is allowed{': ' if worse else ''}{', '.join(worse)}")


main()
