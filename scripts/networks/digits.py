"""Two small classifiers of handwritten digits, trained here with numpy alone, and robustness properties for them.

Data: scikit-learn's digits (8x8 grey images; E. Alpaydin and C. Kaynak, UCI repository, CC BY 4.0), scaled to 0..1.
"""

import numpy as np
from onnx import helper
from sklearn.datasets import load_digits

import common

EPOCHS = 60
BATCH = 64


def data():
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    return (images[order] / 16.0), labels[order]


class Affine:
    """y = x W^T + b; the bias is added to the first `bias` outputs' groups (one per channel)."""

    def __init__(self, rng, inputs, outputs):
        self.params = [rng.normal(0, np.sqrt(2 / inputs), (outputs, inputs)), np.zeros(outputs)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0].T + self.params[1]

    def backward(self, g):
        self.grads = [g.T @ self.x, g.sum(axis=0)]
        return g @ self.params[0]


class Relu:
    params = ()

    def forward(self, x):
        self.active = x > 0
        return x * self.active

    def backward(self, g):
        return g * self.active


class Conv:
    """3x3, stride 2, padding 1, on flat [channel, row, column] images; as patches times a matrix."""

    def __init__(self, rng, channels, size, filters):
        self.affine = Affine(rng, channels * 9, filters)
        self.params = self.affine.params
        self.out = size // 2
        padded = np.arange(channels * (size + 2) ** 2).reshape(channels, size + 2, size + 2)
        self.index = np.array([
            padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(-1)
            for i in range(self.out) for j in range(self.out)
        ])
        self.shape = (channels, size, size)

    def forward(self, x):
        image = np.pad(x.reshape(-1, *self.shape), ((0, 0), (0, 0), (1, 1), (1, 1))).reshape(len(x), -1)
        patches = image[:, self.index]
        result = self.affine.forward(patches.reshape(-1, patches.shape[2])).reshape(len(x), len(self.index), -1)
        return result.transpose(0, 2, 1).reshape(len(x), -1)

    def backward(self, g):
        g = g.reshape(len(g), -1, len(self.index)).transpose(0, 2, 1)
        inner = self.affine.backward(g.reshape(-1, g.shape[2])).reshape(len(g), *self.index.shape)
        self.grads = self.affine.grads
        channels, size, _ = self.shape
        image = np.zeros((len(g), channels * (size + 2) ** 2))
        np.add.at(image, (slice(None), self.index), inner)
        return image.reshape(len(g), channels, size + 2, size + 2)[:, :, 1:-1, 1:-1].reshape(len(g), -1)


def forward(layers, x):
    for layer in layers:
        x = layer.forward(x)
    return x


def backward(layers, g):
    for layer in reversed(layers):
        g = layer.backward(g)
    return g


def train(layers, images, labels, rng):
    """Adam on the cross entropy."""
    parameters = [p for layer in layers for p in layer.params]
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    step = 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            logits = forward(layers, images[batch])
            g = np.exp(logits - logits.max(axis=1, keepdims=True))
            g /= g.sum(axis=1, keepdims=True)
            g[np.arange(len(batch)), labels[batch]] -= 1
            backward(layers, g / len(batch))
            grads = [d for layer in layers if layer.params for d in layer.grads]
            step += 1
            for p, d, m, v in zip(parameters, grads, first, second):
                m += 0.1 * (d - m)
                v += 0.001 * (d * d - v)
                p -= 2e-3 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)


def round_to_float32(layers):
    for layer in layers:
        for p in layer.params:
            p[...] = p.astype(np.float32)


def attack(layers, image, label, radius, rng, steps=60, restarts=20):
    """Projected gradient descent on the margin; the adversarial image or None."""
    low, high = box(image, radius)
    x = rng.uniform(low, high, (restarts, len(image)))
    for _ in range(steps):
        logits = forward(layers, x)
        rivals = logits.copy()
        rivals[:, label] = -np.inf
        rival = rivals.argmax(axis=1)
        margin = logits[np.arange(restarts), rival] - logits[:, label]
        if margin.max() > 1e-3:
            return x[margin.argmax()]
        g = np.zeros_like(logits)
        g[np.arange(restarts), rival] = 1
        g[:, label] = -1
        x = np.clip(x + radius / 8 * np.sign(backward(layers, g)), low, high)
    return None


def box(image, radius):
    return np.clip(np.round(image - radius, 6), 0, 1), np.clip(np.round(image + radius, 6), 0, 1)


def proven(layers, image, label, radius):
    """Interval bounds on the differences of logits: true only if no rival can reach the label's score."""
    low, high = box(image, radius)
    for layer in layers[:-1]:
        if isinstance(layer, Relu):
            low, high = np.maximum(low, 0), np.maximum(high, 0)
        else:
            low, high = interval(layer.params[0], layer.params[1], low, high)
    weights, bias = layers[-1].params
    rivals = [j for j in range(10) if j != label]
    _, best = interval(weights[rivals] - weights[label], bias[rivals] - bias[label], low, high)
    return best.max() < -1e-3


def interval(weights, bias, low, high):
    middle, width = (low + high) / 2, (high - low) / 2
    centre, spread = weights @ middle + bias, np.abs(weights) @ width
    return centre - spread, centre + spread


def smallest_radius(layers, image, label, rng):
    """The smallest radius of the list at which the attack succeeds."""
    for radius in (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3):
        if attack(layers, image, label, radius, rng) is not None:
            return radius
    return None


def write_property(name, image, label, radius):
    low, high = box(image, radius)
    comment = [f"A handwritten {label}; every pixel may change by {radius}. Unsafe: another digit scores as high."]
    common.vnnlib(name, comment, low, high, 10, [common.misclassified(int(label), 10)])


def mlp(rng):
    return [Affine(rng, 64, 32), Relu(), Affine(rng, 32, 16), Relu(), Affine(rng, 16, 10)]


def cnn(rng):
    return [Conv(rng, 1, 8, 4), Relu(), Conv(rng, 4, 4, 8), Relu(), Affine(rng, 32, 10)]


def cnn_model(layers):
    node, f32 = helper.make_node, np.float32
    (k1, c1), (k2, c2), (w, b) = (layer.params for layer in layers if layer.params)
    same = {"strides": [2, 2], "pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        node("Conv", ["input", "K1", "c1"], ["z1"], "conv1", **same),
        node("Relu", ["z1"], ["h1"], "relu1"),
        node("Conv", ["h1", "K2", "c2"], ["z2"], "conv2", **same),
        node("Relu", ["z2"], ["h2"], "relu2"),
        node("Flatten", ["h2"], ["flat"], "flatten"),
        node("Gemm", ["flat", "W", "b"], ["output"], "gemm", transB=1),
    ]
    weights = {"K1": k1.reshape(4, 1, 3, 3), "c1": c1, "K2": k2.reshape(8, 4, 3, 3), "c2": c2, "W": w, "b": b}
    return common.model(
        "digits_cnn", nodes, {key: value.astype(f32) for key, value in weights.items()}, [1, 1, 8, 8], [1, 10]
    )


def make():
    images, labels = data()
    train_count = 1400
    for name, build, seed in (("digits_mlp", mlp, 3), ("digits_cnn", cnn, 4)):
        rng = np.random.default_rng(seed)
        layers = build(rng)
        train(layers, images[:train_count], labels[:train_count], rng)
        round_to_float32(layers)
        held_out = forward(layers, images[train_count:]).argmax(axis=1) == labels[train_count:]
        print(f"{name}: {held_out.mean():.1%} of {len(held_out)} held-out images")
        if name == "digits_mlp":
            proto = common.fully_connected(name, [layer.params for layer in layers if layer.params])
        else:
            proto = cnn_model(layers)
        common.save(name, proto, 0, 1, seed)
        right = [train_count + i for i in np.flatnonzero(held_out)[:60]]
        agreement = np.abs(common.run(proto, images[right]) - forward(layers, images[right])).max()
        assert agreement < 1e-4, agreement
        yield from properties(name, layers, images, labels, right, rng)


def properties(name, layers, images, labels, right, rng):
    """An easy one, a tight one (nothing a third smaller is found), and for the MLP one that is proven robust."""
    radii = {i: smallest_radius(layers, images[i], labels[i], rng) for i in right}
    found = sorted((r, i) for i, r in radii.items() if r is not None)
    radius, index = found[len(found) // 2]
    write_property(f"{name}_easy", images[index], labels[index], round(radius * 1.5, 3))
    yield name, f"{name}_easy", "sat", f"projected gradient already at {radius}"
    radius, index = next((r, i) for r, i in found if i != index and 0.05 <= r <= 0.1)
    write_property(f"{name}_tight", images[index], labels[index], radius)
    yield name, f"{name}_tight", "sat", "projected gradient, the smallest radius tried where it succeeds"
    if name == "digits_mlp":
        index = max(right, key=lambda i: np.diff(np.sort(forward(layers, images[i : i + 1])[0]))[-1])
        radius = max(r for r in (0.005, 0.01, 0.015, 0.02, 0.03, 0.04) if proven(layers, images[index], labels[index], r))
        write_property(f"{name}_robust", images[index], labels[index], radius)
        yield name, f"{name}_robust", "unsat", "interval bounds"
