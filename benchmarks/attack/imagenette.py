#!/usr/bin/env python3
"""imagenette.py IMAGES.npz --output FOLDER: stand-ins for the networks of the patching paper's ImageNet row.

The paper's own networks (49152-50-50-10 and others) are not public. This trains, on 64 × 64 × 3 images of ten ImageNet
classes,

- mlp.onnx: 12288-50-50-10, the paper's shape on smaller images; reads them flattened, height × width × channels;
- cnn.onnx: three convolutions with pooling, a hidden layer of 64; reads channels × height × width,

with the first 250 images of the file, and keeps the last 100 to attack. With 25 images a class the accuracy is what it is:
the script prints it. All randomness is seeded; torch runs on one thread. Training images are mirrored at random, and those of
the CNN shifted by up to four pixels.

Writes FOLDER/mlp.onnx, FOLDER/cnn.onnx (inputs pixels / 255, outputs logits) and FOLDER/attack.npz with `images`
(u8, 100 × 64 × 64 × 3) and `labels`.
Set-up: python3 -m venv venv && venv/bin/pip install torch onnx numpy
"""

import argparse
import pathlib

import numpy
import torch

from onnx_torch import load_images, write_onnx

TRAINING = 250
ATTACKED = 100


def mlp():
    sizes = [12288, 50, 50, 10]
    chain = []
    for before, behind in zip(sizes, sizes[1:]):
        chain += [torch.nn.Linear(before, behind), torch.nn.ReLU()]
    return chain[:-1]


def cnn():
    chain = []
    for before, behind in ((3, 16), (16, 32), (32, 32)):
        chain += [torch.nn.Conv2d(before, behind, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    return [*chain, torch.nn.Flatten(), torch.nn.Linear(32 * 8 * 8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)]


def varied(images, shift):
    """Mirrors half of the images, and shifts all of a batch alike. Images are N × channels × height × width."""
    mirror = torch.rand(len(images)) < 0.5
    images = torch.where(mirror[:, None, None, None], images.flip(3), images)
    if shift:
        down, right = (int(n) for n in torch.randint(-shift, shift + 1, (2,)))
        images = images.roll((down, right), (2, 3))
    return images


def train(chain, read, images, labels, epochs, shift):
    network = torch.nn.Sequential(*chain)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(25):
            loss = torch.nn.functional.cross_entropy(network(read(varied(images[batch], shift))), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return network


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("--output", required=True)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pixels, classes = load_images(options.images)
    if len(pixels) < TRAINING + ATTACKED or pixels.shape[1:] != (64, 64, 3):
        raise SystemExit(f"{TRAINING + ATTACKED} images of 64 x 64 x 3 are needed, the file has {pixels.shape}")
    images = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
    labels = torch.from_numpy(classes)
    folder = pathlib.Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    flat = lambda batch: batch.permute(0, 2, 3, 1).reshape(len(batch), -1)
    for name, make, read, shape, shift in (
        ("mlp", mlp, flat, [12288], 0),
        ("cnn", cnn, lambda batch: batch, [3, 64, 64], 4),
    ):
        torch.manual_seed(options.seed)
        chain = make()
        network = train(chain, read, images[:TRAINING], labels[:TRAINING], options.epochs, shift)
        with torch.no_grad():
            right = network(read(images)).argmax(1) == labels
        seen, attacked = right[:TRAINING].float().mean(), right[-ATTACKED:].sum()
        print(f"{name}: {100 * seen:.1f}% of the {TRAINING} training images, {attacked} of the {ATTACKED} to attack")
        write_onnx(chain, shape, folder / f"{name}.onnx")
    raw = numpy.load(options.images)["images"][-ATTACKED:]
    numpy.savez_compressed(folder / "attack.npz", images=raw, labels=classes[-ATTACKED:])


if __name__ == "__main__":
    main()
