#!/usr/bin/env python3
"""harden.py IMAGES.npz --output FOLDER [--attacked NET.onnx] [--kind mlp|cnn] [--layers 128,64] [--eps E]

Trains a hardened classifier for Table II of the patching paper (transferability), and a plain one beside it.

The paper's hardened networks are not public, and neither is their training: here they are small networks, trained on
adversarial images (Madry et al. 2018: in each step the loss of the images after PGD on the present network, and half of the
loss of the images themselves). All randomness is seeded; torch runs on one thread. The training images are those of the file:
with a few hundred of them the accuracy on unseen images is modest. The last `--held-out` images (default 60) are kept
out of the training, and the accuracy on them is printed, on the images and under PGD.

`--attacked NET.onnx` gives labels by a network instead of the file's: the hardened network then is a student of the
attacked one, which agrees with it on more images. Inputs are pixels / 255, outputs are logits. An MLP reads images
flattened height × width × channels, a CNN reads channels × height × width.

Writes FOLDER/hardened.onnx and FOLDER/plain.onnx.
Set-up: python3 -m venv venv && venv/bin/pip install torch onnx numpy
"""

import argparse
import pathlib

import numpy
import torch

from onnx_torch import Classifier, load_images, write_onnx

PGD_STEPS = 7


def mlp(shape, layers, classes):
    sizes = [numpy.prod(shape), *layers]
    chain = []
    for before, behind in zip(sizes, sizes[1:]):
        chain += [torch.nn.Linear(int(before), behind), torch.nn.ReLU()]
    return [*chain, torch.nn.Linear(sizes[-1], classes)]


def cnn(shape, layers, classes):
    """Two strided convolutions, a hidden layer of the first given size, and the classes."""
    channels, height, width = shape
    sides = [((side + 1) // 2 + 1) // 2 for side in (height, width)]
    return [
        torch.nn.Conv2d(channels, 16, 3, stride=2, padding=1), torch.nn.ReLU(),
        torch.nn.Conv2d(16, 32, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(32 * sides[0] * sides[1], layers[0]), torch.nn.ReLU(), torch.nn.Linear(layers[0], classes),
    ]


def attack(network, images, labels, eps):
    """PGD on the cross-entropy in the L-infinity ball, from a random start."""
    points = (images + eps * (2 * torch.rand_like(images) - 1)).clamp(0, 1)
    for _ in range(PGD_STEPS):
        points.requires_grad_()
        loss = torch.nn.functional.cross_entropy(network(points), labels)
        slope = torch.autograd.grad(loss, points)[0].sign()
        points = (points.detach() + 2.5 * eps / PGD_STEPS * slope)
        points = torch.minimum(torch.maximum(points, images - eps), images + eps).clamp(0, 1)
    return points.detach()


def train(chain, images, labels, options, eps):
    """Adam with a small decay of the weights; `eps` 0 trains plainly."""
    network = torch.nn.Sequential(*chain)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(options.epochs):
        for batch in torch.randperm(len(images)).split(32):
            x, y = images[batch], labels[batch]
            loss = torch.nn.functional.cross_entropy(network(x), y)
            if eps > 0:
                hard = torch.nn.functional.cross_entropy(network(attack(network, x, y, eps)), y)
                loss = 0.5 * loss + hard
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network


def accuracy(network, images, labels):
    with torch.no_grad():
        return 100 * (network(images).argmax(1) == labels).float().mean().item() if len(images) else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--output", required=True)
    parser.add_argument("--attacked", help="labels by this network, which reads flattened images")
    parser.add_argument("--kind", choices=["mlp", "cnn"], default="mlp")
    parser.add_argument("--layers", default="128,64", help="sizes of the hidden layers (default 128,64)")
    parser.add_argument("--eps", type=float, default=0.1, help="radius of the training's attack (default 0.1)")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--held-out", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pixels, labels = load_images(options.images)
    labels = torch.from_numpy(labels)
    classes = int(labels.max()) + 1
    flat = torch.from_numpy(pixels.reshape(len(pixels), -1))
    if options.attacked:
        given = Classifier(options.attacked)
        rows = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()) if len(given.shape) == 3 else flat
        labels = given(rows).argmax(1).detach()
    images = flat if options.kind == "mlp" else torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
    split = len(images) - options.held_out
    layers = [int(size) for size in options.layers.split(",")]
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    for name, eps in (("plain", 0.0), ("hardened", options.eps)):
        torch.manual_seed(options.seed)
        chain = {"mlp": mlp, "cnn": cnn}[options.kind](images.shape[1:], layers, classes)
        network = train(chain, images[:split], labels[:split], options, eps)
        seen, unseen = (images[:split], labels[:split]), (images[split:], labels[split:])
        moved = attack(network, *unseen, options.eps)
        print(f"{name}: {accuracy(network, *seen):.1f}% of {split} training images, "
              f"{accuracy(network, *unseen):.1f}% of {options.held_out} others, "
              f"{accuracy(network, moved, unseen[1]):.1f}% of these under PGD at {options.eps:g}")
        write_onnx(chain, list(images.shape[1:]), folder / f"{name}.onnx")


if __name__ == "__main__":
    main()
