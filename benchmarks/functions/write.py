"""The tables of functions.md and of src/certificate/functions_table.rs, from the measurements beside this file."""
import json, math, pathlib, re

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STEPS = [0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32, 64]
SAFETY = 2
# Rows of parameters that are not ONNX's defaults show how the default row scales, those of LSTM that it is the operators'
# own code; they make no constant.
VARIANTS = {"LSTM g Tanh", "LSTM h Tanh", "LSTM f Sigmoid", "Elu 0.3", "Elu 2", "Celu 0.5", "Celu 3", "Swish 1.702"}
NOTES = {
    "Elu": "`absolute` times max(1, |alpha|)",
    "RNN Elu": "`absolute` times max(1, |alpha|)",
    "Celu": "`absolute` times max(1, |alpha|)",
    "Selu": "for the default alpha and gamma; `absolute` times max(1, |alpha gamma| / 1.758)",
    "Swish": "`absolute` times max(1, 1 / |alpha|)",
    "HardSigmoid": "for the default alpha and beta; better enclosed step by step (product, sum, clip)",
    "RNN HardSigmoid": "as HardSigmoid",
    "HardSwish": "better enclosed step by step (product, sum, clip, product)",
    "RNN ScaledTanh": "for alpha 1.7, beta 0.6; `absolute` times max(1, |alpha| / 1.7)",
    "RNN Softplus": "infinite from x = 88.7229 on",
    "Softplus": "ONNX Runtime takes log1p(exp(-|x|)) + max(x, 0)",
    "Pow": "the worst of the exponents in functions.md; 3 is x x x",
    "LeakyRelu": "one product",
}


def pair(row):
    """Ulps, and the absolute error that remains beside them: as few ulps as leave no more than many would."""
    beside = row["beside"]
    if beside[-1] == 0.0:
        return row["ulps"], row["small"]
    enough = next(i for i, rest in enumerate(beside) if rest <= 1.25 * beside[-1] + 1e-40)
    return STEPS[enough], max(beside[enough], row["small"])


def up(x, digits=2):
    """Rounded up to a few digits."""
    if x == 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(x)) - digits + 1)
    return math.ceil(x / unit * (1 - 1e-12)) * unit


def constants(rows):
    """ONNX's operator (and how it is used, where that matters) → ulps and absolute error, with the safety factor."""
    merged = {}
    for name, row in rows.items():
        if name in VARIANTS or name == "machine":
            continue
        key = "Pow" if name.startswith("Pow ") else name
        ulps, absolute = pair(row)
        old = merged.get(key, (0.0, 0.0, True))
        merged[key] = max(old[0], ulps), max(old[1], absolute), old[2] and row["stride"] == 1
    return {key: (up(u * SAFETY), max(up(a * SAFETY), 3e-45), every) for key, (u, a, every) in sorted(merged.items())}


def number(x):
    text = f"{x:.3g}"
    return text if re.search(r"[.e]", text) else text + ".0"


def rust(rows):
    machine = rows["machine"]
    lines = [
        "//! How far functions of one value may be off in float32: data, written by `benchmarks/functions.py write`.",
        "//!",
        f"//! Measured in ONNX Runtime {machine['onnxruntime']} on {machine['processor']}",
        f"//! ({', '.join(machine['vectors'])}), against double precision; `benchmarks/functions.md` has the table.",
        f"//! Every number is {SAFETY} times what was found, since other processors and runtimes differ.",
        "",
        "/// A computed value is off by at most `ulps` units in the last place of the exact one, and `absolute` beside that.",
        "#[derive(Debug, Clone, Copy, PartialEq)]",
        "pub(crate) struct Allowance {",
        "    /// Units in the last place of the exact result in float32 (2⁻¹⁴⁹ for subnormal ones).",
        "    pub(crate) ulps: f64,",
        "    /// Beside them: saturation, cancellation, results that are flushed to zero.",
        "    pub(crate) absolute: f64,",
        "}",
        "",
        "const fn row(name: &'static str, ulps: f64, absolute: f64) -> (&'static str, Allowance) {",
        "    (name, Allowance { ulps, absolute })",
        "}",
        "",
        "/// By ONNX's operator. `Gelu tanh` is Gelu with `approximate = tanh`; `RNN f` is an activation there; LSTM has the operators' own.",
        "pub(crate) const ALLOWANCES: &[(&str, Allowance)] = &[",
    ]
    for name, (ulps, absolute, every) in constants(rows).items():
        seen = "every float32 tried" if every else "every 64th float32 and all near ends tried"
        note = f"; {NOTES[name]}" if name in NOTES else ""
        lines.append(f"    // {seen}{note}")
        lines.append(f"    row(\"{name}\", {number(ulps)}, {number(absolute)}),")
    lines += ["];", ""]
    return "\n".join(lines)


def short(x):
    return "" if x is None else f"{x:.6g}" if 1e-3 <= abs(x) < 1e6 else f"{x:.3g}"


def float_table(rows):
    yield "| function | inputs | most ulps | at | allowed: ulps | + absolute | below 2^-126 | beyond its range | steps back | largest, ulps | other |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for name, row in rows.items():
        if name == "machine":
            continue
        ulps, absolute = pair(row)
        other = [f"{row[k]} {text} (nearest zero: {short(row[k + '_at'])})" for k, text in
                 [("nan", "NaN or no NaN"), ("early", "infinite too early"), ("kept", "finite too long")] if row[k]]
        beyond = f"{short(row['beyond'])} at {short(row['beyond_at'])}" if row["beyond"] else ""
        inputs = "all 2^32" if row["stride"] == 1 else f"every {row['stride']}th"
        yield (f"| {name} | {inputs} | {short(row['ulps'])} | {short(row['ulps_at'])} | {short(ulps)} | {short(absolute)} | {short(row['small'])} "
               f"| {beyond} | {row['steps'] or ''} | {short(row['step']) if row['steps'] else ''} | {', '.join(other)} |")


def small_table(rows):
    yield "| function | float16: ulps | at | below 2^-14 | other | double: ulps | at | float32: differs in a tensor of one value, of 20,000 |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, row in rows.items():
        if name == "machine":
            continue
        half, double = row.get("float16"), row.get("double")
        left = [short(half["ulps"]), short(half["ulps_at"]), short(half["small"]),
                ", ".join(f"{half[k]} {k}" for k in ("nan", "early", "kept") if half[k])] if half else ["not at hand", "", "", ""]
        right = [short(double["ulps"]), short(double["ulps_at"])] if double else ["", ""]
        yield f"| {name} | {' | '.join(left + right)} | {row['positions'] or ''} |"


def vector_tables(rows):
    yield "| operator | length | ulps, x - max rounded first | ulps over the reals | below 2^-126 | sum of the results off by |"
    yield "|---|---|---|---|---|---|"
    for row in rows["exponentials"]:
        yield f"| {row['operator']} | {row['length']} | {short(row['rounded'])} | {short(row['real'])} | {short(row['small'])} | {short(row['sums'])} |"
    yield ""
    yield "| operator | length | ulps of the row's largest result | in multiples of max(1, max of abs x / deviation) |"
    yield "|---|---|---|---|"
    for row in rows["normalisations"]:
        yield f"| {row['operator']} | {row['length']} | {short(row['worst'])} | {short(row['by_condition'])} |"


def load(name):
    path = HERE / name
    return json.loads(path.read_text()) if path.exists() else {}


def put(text, name, lines):
    """Replaces what stands between the marks of a table."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, rest = text.split(begin)
    return head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1]


def write():
    rows = load("float.json")
    path = ROOT / "benchmarks/functions.md"
    text = path.read_text()
    machine = rows["machine"]
    text = put(text, "machine", [f"ONNX Runtime {machine['onnxruntime']}, numpy {machine['numpy']}, {machine['processor']} "
                                 f"({', '.join(machine['vectors'])}), commit {machine['commit']}."])
    text = put(text, "float32", float_table(rows))
    text = put(text, "other types", small_table(load("small.json")))
    text = put(text, "vectors", vector_tables(load("vectors.json")))
    path.write_text(text)
    (ROOT / "src/certificate").mkdir(exist_ok=True)
    (ROOT / "src/certificate/functions_table.rs").write_text(rust(rows))
