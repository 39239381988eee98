#!/usr/bin/env python3
"""Tries every float32 in ONNX Runtime, for every function of one value, and measures how far the results are off.

    python3 benchmarks/functions.py measure [--stride N] [--only NAME,…]     every N-th float32, and all near ends
    python3 benchmarks/functions.py measure --stride 1 --only Tanh,Sigmoid   all 2^32 of them
    python3 benchmarks/functions.py small                                    all float16, many doubles, positions
    python3 benchmarks/functions.py write     tables into functions.md and src/certificate/functions_table.rs

Results are kept in benchmarks/functions/*.json, so a later run replaces only its own rows. The judge is double precision
(numpy and SciPy, error below 2^-50 relative). An error is measured in units in the last place (ulps) of the exact result
in the type that is measured. Needs benchmarks/requirements.txt and SciPy. One thread; run it with `nice -n 10`.
"""
import argparse, json, os, pathlib, platform, subprocess, sys, time

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from functions.table import FUNCTIONS  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = 1 << 16
# For each number of ulps, the absolute error that remains beside it is measured.
STEPS = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32, 64]
EXPONENT = np.int64(0x7FF) << 52
KINDS = {
    "float": (TensorProto.FLOAT, np.float32, 23, -126, 2.0**128 - 2.0**103),
    "float16": (TensorProto.FLOAT16, np.float16, 10, -14, 65520.0),
    "double": (TensorProto.DOUBLE, np.float64, 52, -1022, np.inf),
}


def session(function, kind, width=None):
    """A model of one node; its constants are operands 1, 2, …, a missing one is left out."""
    code, dtype = KINDS[kind][:2]
    constants, inputs = [], ["x"]
    recurrent = function.operator in ("RNN", "LSTM", "GRU")
    shape = [1, width or "n", 1] if recurrent else [width or "n"]
    for i, value in enumerate(function.constants):
        value = None if value is None else np.asarray(value, dtype)
        inputs.append("" if value is None else f"c{i}")
        if value is not None:
            constants.append(helper.make_tensor(f"c{i}", code, value.shape, value.ravel()))
    outputs = [""] * function.output + ["y"]
    node = helper.make_node(function.operator, inputs, outputs, **function.attributes)
    graph = helper.make_graph(
        [node], "one", [helper.make_tensor_value_info("x", code, shape)],
        [helper.make_tensor_value_info("y", code, None)], constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", function.opset)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    run = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rank = (1, -1, 1) if recurrent else (-1,)
    return lambda x: run.run(None, {"x": x.astype(dtype, copy=False).reshape(rank)})[0].ravel()


class Record:
    """What is found about one function in one type."""

    def __init__(self, function, kind):
        self.function = function
        _, self.dtype, self.digits, self.least, self.limit = KINDS[kind]
        self.tiny = 2.0**self.least
        self.least_ulp = np.int64(self.least - self.digits + 1023) << 52
        if kind == "double":
            self.least_ulp = np.int64(1) << 52  # the least normal number: finer ulps are not looked at
        self.found = dict(inputs=0, ulps=0.0, ulps_at=None, small=0.0, small_at=None, beside=[0.0] * len(STEPS), nan=0, nan_at=None,
                          early=0, early_at=None, kept=0, kept_at=None, steps=0, step=0.0, step_at=None,
                          low=None, high=None, beyond=0.0, beyond_at=None)

    def note(self, name, value, at):
        if value > self.found[name]:
            self.found[name] = float(value)
            self.found[name + "_at"] = float(at)

    def ulp(self, exact):
        bits = (exact.view(np.int64) & EXPONENT) - (np.int64(self.digits) << 52)
        return np.maximum(bits, self.least_ulp).view(np.float64)

    def add(self, x, y, exact):
        self.found["inputs"] += x.size
        got = y.astype(np.float64)
        error = np.abs(got - exact)
        if not np.isfinite(error).all():
            self.special(x, got, exact, error)
        size, ulp = np.abs(exact), self.ulp(np.where(np.isfinite(exact), exact, 0.0))
        small = size < self.tiny
        if small.any():
            lost = np.where(small, error, 0.0)
            i = int(lost.argmax())
            self.note("small", lost[i], x[i])
            error = np.where(small, 0.0, error)
        quotient = error / ulp
        i = int(quotient.argmax())
        self.note("ulps", quotient[i], x[i])
        for k, step in enumerate(STEPS):
            if quotient[i] <= step:
                break
            beside = error - step * ulp
            self.found["beside"][k] = max(self.found["beside"][k], float(beside.max()))
        self.ranges(x, got)
        self.monotone(x, got, exact, ulp)

    def special(self, x, got, exact, error):
        """Infinities and NaN: their error becomes zero, what is wrong about them is counted."""
        due = np.abs(exact) >= self.limit
        wrong = {
            "nan": np.isnan(got) != np.isnan(exact),
            "early": np.isinf(got) & ~due & ~np.isnan(exact),
            "kept": due & ~np.isinf(got) & ~np.isnan(got),
        }
        for name, where in wrong.items():
            count = int(where.sum())
            if count:
                self.found[name] += count
                at = float(x[where][np.argmin(np.abs(x[where]))])
                old = self.found[name + "_at"]
                self.found[name + "_at"] = at if old is None or abs(at) < abs(old) else old
        error[~np.isfinite(error) | due | np.isinf(got)] = 0.0

    def ranges(self, x, got):
        if np.isnan(got).all():
            return
        low, high = np.nanmin(got), np.nanmax(got)
        self.found["low"] = float(low) if self.found["low"] is None else min(self.found["low"], float(low))
        self.found["high"] = float(high) if self.found["high"] is None else max(self.found["high"], float(high))
        if self.function.range:
            least, most = self.function.range
            for far, where in [(least - low, got == low), (high - most, got == high)]:
                self.note("beyond", far, x[where][0])

    def monotone(self, x, got, exact, ulp):
        step, due = np.diff(got), np.diff(exact)
        wrong = step * np.sign(due) < 0
        if wrong.any():
            self.found["steps"] += int(wrong.sum())
            size = np.where(wrong, np.abs(step) / np.maximum(ulp[1:], ulp[:-1]), 0.0)
            size[~np.isfinite(size)] = 0.0
            i = int(size.argmax())
            self.note("step", size[i], x[i])


def bit_blocks(stride, points):
    """Bit patterns of float32 in ascending order, block by block: every one, or every N-th and all near the ends."""
    per = 1 << 32
    for sign in (0, 1 << 31):
        for start in range(0, per // 2, BLOCK * stride):
            yield np.arange(start + sign, min(start + sign + BLOCK * stride, sign + per // 2), stride, dtype=np.int64).astype(np.uint32)
    if stride > 1:
        for exponent in range(512):
            base = exponent << 23
            yield np.arange(base, base + 4096, dtype=np.uint32)
            yield np.arange(base + (1 << 23) - 4096, base + (1 << 23), dtype=np.uint32)
        for point in points:
            centre = int(np.float32(point).view(np.uint32))
            yield np.arange(max(centre - 32768, 0), centre + 32768, dtype=np.int64).astype(np.uint32)


def critical(function):
    common = [0.5, 1.0, 2.0, 1.75, 3.0, 6.0, 9.0, 10.0, 15.0, 16.6355, 17.32868, 18.0, 20.0, 37.4, 87.33655, 88.37626, 88.72284,
              89.0, 103.27893, 103.97208, 127.0, 128.0, 5.0, 3.832506856900711, 4.0, 2.83, 0.001, 1e-4]
    turns = [k * np.pi / 2 for k in range(1, 40)] + [2.0**k * np.pi for k in range(1, 24)]
    chosen = common + (turns if function.operator in ("Sin", "Cos", "Tan") else [])
    return chosen + [-x for x in chosen]


def measure(function, stride):
    run, record, started = session(function, "float"), Record(function, "float"), time.process_time()
    with np.errstate(all="ignore"):
        for bits in bit_blocks(stride, critical(function)):
            x = bits.view(np.float32)
            if function.operator == "LSTM":
                x = x[np.isfinite(x)]  # the other gates would make NaN of them: 0 times infinity
                if not x.size:
                    continue
            record.add(x, run(x), function.exact(x.astype(np.float64)))
    return dict(record.found, stride=stride, seconds=time.process_time() - started)


def positions(function, kind="float"):
    """Of 20,000 values, those whose result differs between a long tensor and a tensor of one value."""
    rng = np.random.default_rng(3)
    x = (rng.normal(size=20_000) * 10.0 ** rng.uniform(-3, 1.5, size=20_000)).astype(KINDS[kind][1])
    long, one = session(function, kind)(x), session(function, kind, 1)
    alone = np.concatenate([one(x[i : i + 1]) for i in range(x.size)])
    return int((~((long == alone) | (np.isnan(long) & np.isnan(alone)))).sum())


def small(function):
    """Every float16; a million doubles (their judge has 64 binary digits, where the platform has them)."""
    results = {}
    for kind in ("float16", "double"):
        try:
            run = session(function, kind)
        except Exception:
            results[kind] = None
            continue
        record, rng = Record(function, kind), np.random.default_rng(4)
        if kind == "float16":
            blocks = [np.arange(0x8000, dtype=np.uint16).view(np.float16), np.arange(0x8000, 0x10000, dtype=np.int64).astype(np.uint16).view(np.float16)]
        else:
            scales = 10.0 ** rng.uniform(-12, 2.5, size=(15, BLOCK))
            blocks = list(np.sort(rng.normal(size=(15, BLOCK)) * scales, axis=1))
        with np.errstate(all="ignore"):
            for x in blocks:
                y = run(x)
                if kind == "float16":
                    record.add(x.astype(np.float64), y, function.exact(x.astype(np.float64)))
                elif function.wide:
                    add_wide(record, x, y, function.wide(x.astype(np.longdouble)))
        results[kind] = record.found if record.found["inputs"] else None
    results["positions"] = positions(function)
    return results


def add_wide(record, x, y, exact):
    """As Record.add, with the judge in extended precision: the error alone is rounded to double."""
    error = np.abs(y.astype(np.longdouble) - exact).astype(np.float64)
    near = exact.astype(np.float64)
    ulp = record.ulp(np.where(np.isfinite(near), near, 0.0))
    good = np.isfinite(near) & (np.abs(near) >= 2.0**-900) & np.isfinite(error)
    quotient = np.where(good, error / ulp, 0.0)
    record.found["inputs"] += x.size
    i = int(quotient.argmax())
    record.note("ulps", quotient[i], x[i])


def machine():
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    flags = next(line for line in open("/proc/cpuinfo") if line.startswith("flags")).split()
    vectors = [f for f in ("avx2", "fma", "avx512f", "avx512_fp16") if f in flags]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=HERE).stdout.strip()
    return dict(processor=name, vectors=vectors, onnxruntime=onnxruntime.__version__, onnx=onnx.__version__, numpy=np.__version__, commit=commit)


def keep(file, name, result):
    """Replaces one row of a file of results."""
    path = HERE / "functions" / file
    rows = json.loads(path.read_text()) if path.exists() else {}
    rows[name] = result
    rows["machine"] = machine()
    path.write_text(json.dumps(rows, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "small", "write"])
    parser.add_argument("--stride", type=int, default=64)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.what == "write":
        from functions.write import write
        return write()
    only = [name for name in arguments.only.split(",") if name]
    for function in FUNCTIONS:
        if only and function.name not in only:
            continue
        started = time.time()
        try:
            if arguments.what == "measure":
                result = measure(function, arguments.stride)
                keep("float.json", function.name, result)
                print(f"{function.name}: {result['ulps']:.2f} ulps at {result['ulps_at']}, small {result['small']:.2g}, {time.time() - started:.0f} s", flush=True)
            else:
                keep("small.json", function.name, small(function))
                print(f"{function.name}: {time.time() - started:.0f} s", flush=True)
        except Exception as error:  # an operator that this ONNX Runtime lacks
            print(f"{function.name}: {str(error)[:160]}", flush=True)


if __name__ == "__main__":
    main()
