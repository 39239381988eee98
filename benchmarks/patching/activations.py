#!/usr/bin/env python3
"""activations.py IMAGES.npz --output FOLDER: small classifiers whose activation is not ReLU.

Trains 784-50-50-10 networks (or of the sizes given) with sigmoid, tanh, leaky ReLU, GELU and hard sigmoid on the images,
all of them: what is measured afterwards is how many of the images that a network gets right can be changed until it does
not. Prints the accuracy. All randomness is seeded; torch runs on one thread. A minute.

Writes FOLDER/NAME.onnx (input a flat image, pixels / 255, outputs logits).
Set-up: python3 -m venv venv && venv/bin/pip install torch onnx numpy
"""

import argparse
import pathlib
import sys

import torch

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "attack"))
from onnx_torch import load_images, write_onnx  # noqa: E402

ACTIVATIONS = {
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "leaky-relu": lambda: torch.nn.LeakyReLU(0.1),
    "gelu": torch.nn.GELU,
    "hard-sigmoid": torch.nn.Hardsigmoid,
}


def chain(sizes, activation):
    layers = []
    for before, behind in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(before, behind), activation()]
    return layers[:-1]


def train(layers, images, labels, epochs):
    network = torch.nn.Sequential(*layers)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(50):
            loss = torch.nn.functional.cross_entropy(network(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    with torch.no_grad():
        return (network(images).argmax(1) == labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--output", required=True)
    parser.add_argument("--layers", default="50,50", help="sizes of the hidden layers (default 50,50)")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pixels, classes = load_images(options.images)
    images = torch.from_numpy(pixels.reshape(len(pixels), -1))
    labels = torch.from_numpy(classes)
    hidden = [int(size) for size in options.layers.split(",")]
    sizes = [images.shape[1], *hidden, int(labels.max()) + 1]
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    for name, activation in ACTIVATIONS.items():
        torch.manual_seed(options.seed)
        layers = chain(sizes, activation)
        right = train(layers, images, labels, options.epochs)
        print(f"{name}: {100 * right:.1f}% of the {len(images)} images")
        write_onnx(layers, sizes[:1], folder / f"{name}.onnx")


if __name__ == "__main__":
    main()
