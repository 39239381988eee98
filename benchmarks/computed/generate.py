#!/usr/bin/env python3
"""Small detectors with a patch whose place is an input, and their truth.

    benchmarks/computed/generate.py FOLDER

writes networks, properties, an instances.csv as the campaign script reads it, and truth.csv. A network has two inputs that place a
patch on an image, and the image as further inputs whose bounds are equal, or as a constant. Convolutions follow, and a score.
The property asks for a score below a threshold. The truth of what can be enumerated is that of ONNX Runtime at all places: the
threshold of a `sat` instance lies between the lowest score and the second lowest (one place of all is a counterexample), that of
an `unsat` one below the lowest. Where the patch's brightness is an input as well, nothing is enumerable: a `sat` instance has a
counterexample that a grid of brightnesses has found, and the truth of the others is not known.

How the patch is put there, by name:

slice      a window is cut out of a large canvas that has the patch in its middle
pad        the patch is padded by computed amounts
scatternd  the patch's pixels are scattered to computed indices
scatter    the same by ScatterElements, axis by axis
where      two comparisons with the pixels' coordinates make a mask
gather     rows and columns are gathered by computed indices
onehot     two one-hot vectors and a product make the place
range      indices come from a Range with computed ends
loop       a loop moves the patch by one pixel so many times
if         one of two patches, by a computed condition
resize     the image is resized by a computed scale, then sliced
nonzero    the pixels to paint are found by NonZero
expand     a computed shape, Expand and Tile, and concatenation
reshape    a computed start, and a shape that is computed from it
"""

import argparse
import csv
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
SIZE, PATCH = 14, 4
PLACES = SIZE - PATCH + 1


class Graph:
    """Nodes and constants by the dozen."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def const(self, values, kind=np.float32):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def ints(self, *values):
        return self.const(list(values), np.int64)

    def op(self, operator, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"v{self.count}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def whole(self, x, scale=1.0):
        """The whole number in a float input, at most PLACES - 1."""
        if scale != 1.0:
            x = self.op("Mul", x, self.const([scale]))
        return self.op("Cast", self.op("Floor", x), to=INT)


def canvas_slice(g, image, row, column, patch):
    """An image of the patch and nothing else, cut out of a canvas that is nearly twice as large, and its mask."""
    side = 2 * SIZE - PATCH
    start = SIZE - PATCH

    def cut(values):
        canvas = g.op("Pad", values, g.ints(0, 0, start, start, 0, 0, start, start))
        starts = g.op("Concat", g.op("Sub", g.ints(start), row), g.op("Sub", g.ints(start), column), axis=0)
        ends = g.op("Add", starts, g.ints(SIZE, SIZE))
        return g.op("Slice", canvas, starts, ends, g.ints(2, 3))

    assert side == start + PATCH + start
    return blend(g, image, cut(patch), cut(g.const(np.ones((1, 1, PATCH, PATCH)))))


def blend(g, image, painted, mask):
    """The patch where the mask is one."""
    rest = g.op("Mul", image, g.op("Sub", g.const([1.0]), mask))
    return g.op("Add", rest, painted)


def pad(g, image, row, column, patch):
    room = g.ints(SIZE - PATCH)
    pads = g.op("Concat", g.ints(0, 0), row, column, g.ints(0, 0), g.op("Sub", room, row), g.op("Sub", room, column), axis=0)
    mask = g.op("Pad", g.const(np.ones((1, 1, PATCH, PATCH))), pads)
    return blend(g, image, g.op("Pad", patch, pads), mask)


def indices(g, row, column):
    """Row and column of each of the patch's pixels."""
    rows, columns = np.mgrid[0:PATCH, 0:PATCH]
    rows = g.op("Add", g.const(rows.reshape(-1), np.int64), row)
    columns = g.op("Add", g.const(columns.reshape(-1), np.int64), column)
    return rows, columns


def scatternd(g, image, row, column, patch):
    rows, columns = (g.op("Unsqueeze", x, g.ints(1)) for x in indices(g, row, column))
    places = g.op("Concat", rows, columns, axis=1)
    flat = g.op("ScatterND", g.op("Reshape", image, g.ints(SIZE, SIZE)), places, g.op("Reshape", patch, g.ints(-1)))
    return g.op("Reshape", flat, g.ints(1, 1, SIZE, SIZE))


def scatter(g, image, row, column, patch):
    rows, columns = indices(g, row, column)
    flat = g.op("Add", g.op("Mul", rows, g.ints(SIZE)), columns)
    painted = g.op("ScatterElements", g.op("Reshape", image, g.ints(-1)), flat, g.op("Reshape", patch, g.ints(-1)), axis=0)
    return g.op("Reshape", painted, g.ints(1, 1, SIZE, SIZE))


def inside(g, start, count=SIZE):
    """Which coordinates the patch covers along an axis."""
    at = g.const(np.arange(count), np.int64)
    begins = g.op("GreaterOrEqual", at, start)
    ends = g.op("Less", at, g.op("Add", start, g.ints(PATCH)))
    return g.op("And", begins, ends)


def where(g, image, row, column, patch):
    mask = g.op("And", g.op("Unsqueeze", inside(g, row), g.ints(1)), g.op("Unsqueeze", inside(g, column), g.ints(0)))
    tiled = g.op("Tile", patch, g.ints(1, 1, 4, 4))
    tiled = g.op("Slice", tiled, g.ints(0, 0), g.ints(SIZE, SIZE), g.ints(2, 3))
    return g.op("Where", g.op("Unsqueeze", mask, g.ints(0, 1)), tiled, image)


def gather(g, image, row, column, patch):
    """Each row of the result is a row of the padded patch, moved."""
    canvas = g.op("Pad", g.op("Concat", patch, g.const(np.ones((1, 1, PATCH, PATCH))), axis=1), g.ints(0, 0, SIZE, SIZE, 0, 0, SIZE, SIZE))
    at = g.const(np.arange(SIZE) + SIZE, np.int64)
    moved = g.op("Gather", canvas, g.op("Sub", at, row), axis=2)
    moved = g.op("Gather", moved, g.op("Sub", at, column), axis=3)
    painted, mask = g.op("Split", moved, g.ints(1, 1), outputs=2, axis=1)
    return blend(g, image, painted, mask)


def onehot(g, image, row, column, patch):
    hots = []
    for start in (row, column):
        at = g.op("Add", g.const(np.arange(PATCH), np.int64), start)
        hots.append(g.op("OneHot", at, g.ints(SIZE), g.const([0.0, 1.0]), axis=-1))
    rows, columns = hots
    flat = g.op("Reshape", patch, g.ints(PATCH, PATCH))
    painted = g.op("MatMul", g.op("MatMul", g.op("Transpose", rows, perm=[1, 0]), flat), columns)
    mask = g.op("MatMul", g.op("Transpose", g.op("ReduceSum", rows, g.ints(0), keepdims=1), perm=[1, 0]), g.op("ReduceSum", columns, g.ints(0), keepdims=1))
    shape = g.ints(1, 1, SIZE, SIZE)
    return blend(g, image, g.op("Reshape", painted, shape), g.op("Reshape", mask, shape))


def ranges(g, image, row, column, patch):
    def run(start):
        first = g.op("Squeeze", start, g.ints(0))
        return g.op("Range", first, g.op("Add", first, g.const(PATCH, np.int64)), g.const(1, np.int64))

    rows, columns = g.op("Unsqueeze", run(row), g.ints(1)), g.op("Unsqueeze", run(column), g.ints(0))
    flat = g.op("Add", g.op("Mul", rows, g.ints(SIZE)), columns)
    painted = g.op(
        "ScatterElements", g.op("Reshape", image, g.ints(-1)), g.op("Reshape", flat, g.ints(-1)), g.op("Reshape", patch, g.ints(-1)), axis=0
    )
    return g.op("Reshape", painted, g.ints(1, 1, SIZE, SIZE))


def loop(g, image, row, column, patch):
    """The patch in the corner, moved by one pixel so many times along each axis."""
    room = SIZE - PATCH
    both = g.op("Concat", patch, g.const(np.ones((1, 1, PATCH, PATCH))), axis=1)
    moved = g.op("Pad", both, g.ints(0, 0, 0, 0, 0, 0, room, room))
    for axis, start in ((2, row), (3, column)):
        pads = [0] * 8
        pads[axis] = 1
        body = helper.make_graph(
            [
                helper.make_node("Pad", [f"before{axis}", f"pads{axis}"], [f"padded{axis}"]),
                helper.make_node("Slice", [f"padded{axis}", f"zero{axis}", f"size{axis}", f"axis{axis}"], [f"after{axis}"]),
                helper.make_node("Identity", [f"on{axis}"], [f"go{axis}"]),
            ],
            f"body{axis}",
            [
                helper.make_tensor_value_info(f"round{axis}", INT, []),
                helper.make_tensor_value_info(f"on{axis}", BOOL, []),
                helper.make_tensor_value_info(f"before{axis}", FLOAT, [1, 2, SIZE, SIZE]),
            ],
            [
                helper.make_tensor_value_info(f"go{axis}", BOOL, []),
                helper.make_tensor_value_info(f"after{axis}", FLOAT, [1, 2, SIZE, SIZE]),
            ],
            [
                numpy_helper.from_array(np.array(pads, np.int64), f"pads{axis}"),
                numpy_helper.from_array(np.array([0], np.int64), f"zero{axis}"),
                numpy_helper.from_array(np.array([SIZE], np.int64), f"size{axis}"),
                numpy_helper.from_array(np.array([axis], np.int64), f"axis{axis}"),
            ],
        )
        moved = g.op("Loop", g.op("Squeeze", start, g.ints(0)), g.const(True, bool), moved, body=body)
    painted, mask = g.op("Split", moved, g.ints(1, 1), outputs=2, axis=1)
    return blend(g, image, painted, mask)


def branch(g, image, row, column, patch):
    """A dark patch in the upper half, the given one in the lower."""
    is_low = g.op("Less", g.op("Squeeze", row, g.ints(0)), g.const(PLACES // 2, np.int64))

    def side(name, value):
        node = helper.make_node(*value, [name]) if value[0] != "Mul" else helper.make_node("Mul", value[1], [name])
        return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, FLOAT, [1, 1, PATCH, PATCH])])

    half = g.const([0.5])
    chosen = g.op("If", is_low, then_branch=side("dark", ("Mul", [patch, half])), else_branch=side("bright", ("Identity", [patch])))
    return pad(g, image, row, column, chosen)


def resize(g, image, row, column, patch):
    """The patch's column is the factor by which a strip is enlarged, of which a window is cut out."""
    factor = g.op("Add", g.op("Cast", column, to=FLOAT), g.const([1.0]))
    scales = g.op("Concat", g.const([1.0, 1.0, 1.0]), factor, axis=0)
    enlarged = g.op("Resize", patch, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    window = g.op("Slice", enlarged, column, g.op("Add", column, g.ints(PATCH)), g.ints(3))
    return pad(g, image, row, column, window)


def nonzero(g, image, row, column, patch):
    mask = g.op("And", g.op("Unsqueeze", inside(g, row), g.ints(1)), g.op("Unsqueeze", inside(g, column), g.ints(0)))
    places = g.op("Transpose", g.op("NonZero", mask), perm=[1, 0])
    flat = g.op("ScatterND", g.op("Reshape", image, g.ints(SIZE, SIZE)), places, g.op("Reshape", patch, g.ints(-1)))
    return g.op("Reshape", flat, g.ints(1, 1, SIZE, SIZE))


def expand(g, image, row, column, patch):
    """Blocks of zeros of computed shapes around the patch."""

    def zeros(rows, columns):
        return g.op("Expand", g.const(np.zeros((1, 1, 1, 1))), g.op("Concat", g.ints(1, 1), rows, columns, axis=0))

    room = g.ints(SIZE - PATCH)
    both = g.op("Concat", patch, g.const(np.ones((1, 1, PATCH, PATCH))), axis=1)
    left, right = (g.op("Tile", zeros(g.ints(PATCH), n), g.ints(1, 2, 1, 1)) for n in (column, g.op("Sub", room, column)))
    strip = g.op("Concat", left, both, right, axis=3)
    above, below = (g.op("Tile", zeros(n, g.ints(SIZE)), g.ints(1, 2, 1, 1)) for n in (row, g.op("Sub", room, row)))
    painted, mask = g.op("Split", g.op("Concat", above, strip, below, axis=2), g.ints(1, 1), outputs=2, axis=1)
    return blend(g, image, painted, mask)


def reshape(g, image, row, column, patch):
    """A row of zeros whose shape is computed, reshaped by its own length, around a patch that is written as one row."""
    line = g.op("Pad", patch, g.ints(0, 0, 0, 0, 0, 0, 0, SIZE - PATCH))
    line = g.op("Reshape", line, g.ints(-1))
    ones = g.op("Reshape", g.op("Pad", g.const(np.ones((1, 1, PATCH, PATCH))), g.ints(0, 0, 0, 0, 0, 0, 0, SIZE - PATCH)), g.ints(-1))
    before = g.op("Add", g.op("Mul", row, g.ints(SIZE)), column)
    results = []
    for values in (line, ones):
        front = g.op("ConstantOfShape", before)
        whole = g.op("Concat", front, values, g.const(np.zeros(SIZE * SIZE)), axis=0)
        window = g.op("Slice", whole, g.ints(0), g.ints(SIZE * SIZE), g.ints(0))
        shape = g.op("Concat", g.ints(1, 1), g.op("Div", g.op("Shape", window), g.ints(SIZE)), g.ints(-1), axis=0)
        results.append(g.op("Reshape", window, shape))
    return blend(g, image, *results)


WAYS = {
    "slice": canvas_slice,
    "pad": pad,
    "scatternd": scatternd,
    "scatter": scatter,
    "where": where,
    "gather": gather,
    "onehot": onehot,
    "range": ranges,
    "loop": loop,
    "if": branch,
    "resize": resize,
    "nonzero": nonzero,
    "expand": expand,
    "reshape": reshape,
}


class Detector:
    """Two convolutions and a score over a grid of anchors, of random weights."""

    def __init__(self, random):
        self.kernels = [
            (random.normal(size=(6, 1, 3, 3)) * 0.5, random.normal(size=6) * 0.1),
            (random.normal(size=(8, 6, 3, 3)) * 0.2, random.normal(size=8) * 0.1),
        ]
        # An anchor's score and its four offsets.
        self.head = random.normal(size=(5, 8, 1, 1)) * 0.5, random.normal(size=5) * 0.1
        self.weights = random.normal(size=(5 * 9, 1)) * 0.3

    def build(self, g, image):
        x = image
        for kernel, bias in self.kernels:
            x = g.op("Relu", g.op("Conv", x, g.const(kernel), g.const(bias), strides=[2, 2], kernel_shape=[3, 3], pads=[0, 0, 0, 0]))
        anchors = g.op("Conv", x, g.const(self.head[0]), g.const(self.head[1]), kernel_shape=[1, 1])
        cells = ((SIZE - 3) // 2 + 1 - 3) // 2 + 1
        flat = g.op("Reshape", anchors, g.ints(1, 5 * cells * cells))
        weights = self.weights[: 5 * cells * cells]
        return g.op("MatMul", g.op("Sigmoid", flat), g.const(weights))


class Instance:
    """One network: how the patch is placed, where the image is, whether the brightness varies."""

    def __init__(self, way, seed, scaled, constant_image, bright, truth):
        self.way, self.seed, self.scaled, self.constant_image, self.bright, self.truth = way, seed, scaled, constant_image, bright, truth
        self.name = f"{way}{'_scaled' if scaled else ''}{'_constant' if constant_image else ''}{'_bright' if bright else ''}_{truth}"
        random = np.random.default_rng(seed)
        # Multiples of a 256th, as pixels are.
        self.image = (random.integers(0, 256, SIZE * SIZE) / 256).astype(np.float32)
        self.patch = (random.integers(0, 256, (1, 1, PATCH, PATCH)) / 256).astype(np.float32)
        self.detector = Detector(random)

    def model(self):
        g = Graph()
        placing = 3 if self.bright else 2
        count = placing + (0 if self.constant_image else SIZE * SIZE)
        flat = g.op("Reshape", "X", g.ints(count))
        part = lambda a, b: g.op("Slice", flat, g.ints(a), g.ints(b))
        # Inputs between 0 and 1 are scaled by a number that is no power of two: rounding then decides at the steps.
        scale = float(PLACES) if self.scaled else 1.0
        row, column = g.whole(part(0, 1), scale), g.whole(part(1, 2), scale)
        patch = g.const(self.patch)
        if self.bright:
            patch = g.op("Mul", patch, part(2, 3))
        if self.constant_image:
            image = g.const(self.image.reshape(1, 1, SIZE, SIZE))
        else:
            image = g.op("Reshape", part(placing, count), g.ints(1, 1, SIZE, SIZE))
        score = self.detector.build(g, WAYS[self.way](g, image, row, column, patch))
        g.nodes.append(helper.make_node("Identity", [score], ["Y"]))
        ends = [helper.make_tensor_value_info("X", FLOAT, [1, count]), helper.make_tensor_value_info("Y", FLOAT, [1, 1])]
        graph = helper.make_graph(g.nodes, self.name, ends[:1], ends[1:], g.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def input(self, row, column, brightness):
        unit = PLACES if self.scaled else 1
        place = [np.float32((row + 0.5) / unit), np.float32((column + 0.5) / unit)]
        fixed = [] if self.constant_image else list(self.image)
        return np.array([place + ([np.float32(brightness)] if self.bright else []) + fixed], np.float32)

    def write(self, folder):
        model = self.model()
        onnx.save(model, folder / "onnx" / f"{self.name}.onnx")
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        brightnesses = np.linspace(0, 1, 33) if self.bright else [1.0]
        scores = []
        for row in range(PLACES):
            for column in range(PLACES):
                at = [session.run(None, {"X": self.input(row, column, b)})[0].item() for b in brightnesses]
                scores.append(min(at))
        first, second = np.sort(scores)[:2]
        if self.truth == "sat":
            threshold = first + 0.3 * (second - first)
        elif self.truth == "unsat":
            threshold = first - 0.3 * (second - first)
        else:
            # Far below: the grid says no, brightnesses between its points could.
            threshold = first - 0.05
        # Scaled inputs end a little before one: at the last float rounding may put the patch outside of the image.
        high = 0.999 if self.scaled else float(np.nextafter(np.float32(PLACES), np.float32(0)))
        box = [(0.0, high), (0.0, high)] + ([(0.0, 1.0)] if self.bright else [])
        box += [] if self.constant_image else [(float(x), float(x)) for x in self.image]
        lines = [f"(declare-const X_{i} Real)" for i in range(len(box))] + ["(declare-const Y_0 Real)"]
        for i, (low, high) in enumerate(box):
            lines += [f"(assert (>= X_{i} {low!r}))", f"(assert (<= X_{i} {high!r}))"]
        lines += [f"(assert (<= Y_0 {float(threshold)!r}))"]
        (folder / "vnnlib" / f"{self.name}.vnnlib").write_text("\n".join(lines) + "\n")


def instances():
    made = []
    for number, way in enumerate(WAYS):
        made.append(Instance(way, 2 * number, False, number % 3 == 1, False, "sat"))
        made.append(Instance(way, 2 * number + 1, number % 2 == 1, number % 3 == 2, False, "unsat"))
    made.append(Instance("slice", 101, False, False, True, "sat"))
    made.append(Instance("scatternd", 102, True, False, True, "unknown"))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    for name in ("onnx", "vnnlib"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows, truths = [], [("instance", "truth")]
    for instance in instances():
        instance.write(folder)
        rows.append((f"onnx/{instance.name}.onnx", f"vnnlib/{instance.name}.vnnlib", 60))
        truths.append((instance.name, instance.truth))
    for name, table in (("instances.csv", rows), ("truth.csv", truths)):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table)
    print(f"{len(rows)} instances in {folder}")


if __name__ == "__main__":
    main()
