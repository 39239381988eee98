#!/usr/bin/env python3
"""transfer.py NETWORK.onnx IMAGES.npz RUN... --output FOLDER [--layout flat|nchw] [--epochs 200] [--seed 0]

Table II of the patching paper: how many adversarial images of each method fool a hardened network, too. The paper hardens on a mix of
the images of all methods; its networks and its training are not public. Here:

- the images with an even number are for training, those with an odd one are asked: no image is both;
- the hardened network is the attacked one, retrained from its own weights. A batch is 32 images and 32 adversarial images (of training
  images, with the right labels), each of a method drawn first and then an image of it, so that all methods have the same share;
- Adam, 1e-3 falling to nothing, one thread, everything drawn from the seed: the file that comes out is fixed by recipe and seed, and its
  hash is printed;
- of a method's successes on odd images whose original the hardened network classifies correctly, *fooled* are those that it does not.

Each RUN is the output folder of `counterpatch attack` on the same network and images (it has an adversarial.npz). Writes
FOLDER/hardened.onnx and FOLDER/transfer.md.
Set-up: python3 -m venv venv && venv/bin/pip install torch onnx numpy
"""

import argparse
import hashlib
import pathlib

import numpy
import onnx
import torch
from onnx import numpy_helper

from onnx_torch import Classifier, load_images

BATCH = 32


def adversarial(runs):
    """Inputs, labels, image numbers and methods of all runs, one after the other."""
    files = [numpy.load(pathlib.Path(run) / "adversarial.npz") for run in runs]
    return [numpy.concatenate([file[key] for file in files]) for key in ("inputs", "labels", "images", "methods")]


def trainable(network):
    """The weights that training moves: matrices, kernels and biases, not shapes."""
    weights = {name: value for name, value in network.weights.items() if value.is_floating_point()}
    return {name: value.requires_grad_() for name, value in weights.items()}


def retrain(network, plain, mixed, options):
    """`plain` is images and labels, `mixed` the same with the methods."""
    weights = trainable(network)
    optimiser = torch.optim.Adam(weights.values(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.epochs)
    (images, labels), (changed, right, methods) = plain, mixed
    of = [torch.from_numpy(numpy.flatnonzero(methods == method)) for method in sorted(set(methods))]
    for _ in range(options.epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            some = [of[int(torch.randint(len(of), ()))] for _ in range(BATCH)]
            picked = torch.stack([group[int(torch.randint(len(group), ()))] for group in some])
            loss = torch.nn.functional.cross_entropy(network(images[batch]), labels[batch])
            loss = loss + torch.nn.functional.cross_entropy(network(changed[picked]), right[picked])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
    return {name: value.detach().numpy() for name, value in weights.items()}


def decide(network, images):
    with torch.no_grad():
        return network(images).argmax(1)


def write(path, weights, out):
    """The attacked network's file with other weights; the file's hash."""
    model = onnx.load(path)
    for initializer in model.graph.initializer:
        if initializer.name in weights:
            initializer.CopyFrom(numpy_helper.from_array(weights[initializer.name], initializer.name))
    data = model.SerializeToString(deterministic=True)
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()[:16]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("images")
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--layout", choices=["flat", "nchw"], default="flat")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    pixels, classes = load_images(options.images)
    rows = pixels.transpose(0, 3, 1, 2).copy() if options.layout == "nchw" else pixels.reshape(len(pixels), -1)
    images, labels = torch.from_numpy(rows), torch.from_numpy(classes)
    inputs, right, numbers, methods = adversarial(options.runs)
    changed, right = torch.from_numpy(inputs), torch.from_numpy(right)
    network = Classifier(options.network)
    before = decide(network, images)
    even = numpy.arange(len(images)) % 2 == 0
    seen = numbers % 2 == 0
    mixed = (changed[seen], right[seen], methods[seen])
    weights = retrain(network, (images[even], labels[even]), mixed, options)
    options.output.mkdir(parents=True, exist_ok=True)
    digest = write(options.network, weights, options.output / "hardened.onnx")
    after = decide(network, images)
    share = lambda decisions, chosen: 100 * (decisions == labels)[chosen].float().mean().item()
    lines = [
        f"{pathlib.Path(options.network).stem}, retrained on {int(even.sum())} images and {int(seen.sum())} adversarial ones of "
        f"{len(set(methods))} methods (seed {options.seed}, SHA-256 {digest}). Right on the other images: {share(before, ~even):.1f}% before, "
        f"{share(after, ~even):.1f}% after.", "",
        "| method | asked | fooled | % |", "|---|---|---|---|",
    ]
    decided = decide(network, changed)
    for method in dict.fromkeys(methods):
        chosen = (methods == method) & ~seen & (after[numbers] == right).numpy()
        asked, fooled = int(chosen.sum()), int((decided != right)[chosen].sum())
        lines.append(f"| {method} | {asked} | {fooled} | {f'{100 * fooled / asked:.1f}' if asked else '-'} |")
    text = "\n".join(lines) + "\n"
    (options.output / "transfer.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
