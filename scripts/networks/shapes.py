"""Two small classifiers of drawn shapes and images for them, for `counterpatch attack`: all ours, numpy alone.

shapes.npz: 60 images of 8x8 bytes with their classes (horizontal bar, vertical bar, cross, box, diagonal, blob), drawn at
random places in random grey, with noise. shapes_mlp.onnx (64-24-16-6) and shapes_other.onnx (64-20-6) are trained on
others of the same kind. Both read value / 255.
"""

import numpy as np

import common

CLASSES = 6
SIDE = 8


def draw(rng, kind):
    image = np.zeros((SIDE, SIDE))
    row, column = rng.integers(1, SIDE - 1, 2)
    size = int(rng.integers(2, 4))
    if kind in (0, 2):
        image[row, :] = 1
    if kind in (1, 2):
        image[:, column] = 1
    if kind == 3:
        row, column = rng.integers(0, SIDE - size - 1, 2)
        image[row : row + size + 2, column : column + size + 2] = 1
        image[row + 1 : row + size + 1, column + 1 : column + size + 1] = 0
    if kind == 4:
        shift = int(rng.integers(-2, 3))
        image += np.eye(SIDE, k=shift)
    if kind == 5:
        row, column = rng.integers(0, SIDE - size, 2)
        image[row : row + size, column : column + size] = 1
    image *= rng.uniform(0.6, 1.0)
    return np.clip(image + rng.normal(0, 0.06, image.shape), 0, 1)


def images(rng, count):
    labels = np.arange(count) % CLASSES
    bytes_ = [np.round(255 * draw(rng, kind)) for kind in labels]
    return np.array(bytes_, dtype=np.uint8), labels.astype(np.uint8)


def train(rng, sizes, x, labels, epochs=150, batch=50, rate=2e-3):
    """Adam on the cross-entropy of a fully connected network with ReLU."""
    params = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        params += [rng.normal(0, np.sqrt(2 / inputs), (outputs, inputs)), np.zeros(outputs)]
    first, second, step = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], 0
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), batch):
            chosen = order[start : start + batch]
            values = [x[chosen]]
            for k in range(0, len(params), 2):
                z = values[-1] @ params[k].T + params[k + 1]
                values.append(np.maximum(z, 0) if k + 2 < len(params) else z)
            p = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            p[np.arange(len(chosen)), labels[chosen]] -= 1
            g, grads = p / len(chosen), [None] * len(params)
            for k in range(len(params) - 2, -1, -2):
                below = values[k // 2]
                grads[k], grads[k + 1] = g.T @ below, g.sum(axis=0)
                g = (g @ params[k]) * (below > 0)
            step += 1
            for p, g, m, v in zip(params, grads, first, second):
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    return list(zip(params[::2], params[1::2]))


def make():
    shown, classes = images(np.random.default_rng(1), 60)
    np.savez_compressed(common.DATA / "shapes.npz", images=shown, labels=classes)
    rng = np.random.default_rng(2)
    pictures, labels = images(rng, 3000)
    x = pictures.reshape(len(pictures), -1) / 255
    for name, sizes in [("shapes_mlp", [64, 24, 16, 6]), ("shapes_other", [64, 20, 6])]:
        proto = common.fully_connected(name, train(rng, sizes, x, labels))
        outputs = common.run(proto, shown.reshape(len(shown), -1) / 255)
        print(f"{name}: {(outputs.argmax(axis=1) == classes).mean():.1%} of the shipped images")
        common.save(name, proto, 0.0, 1.0, seed=3)


if __name__ == "__main__":
    make()
