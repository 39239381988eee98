#!/usr/bin/env python3
"""reference_autoattack.py NET.onnx IMAGES.npz --eps EPS [--output FILE.csv] [--ours results.csv]

Robust accuracy of a classifier under the AutoAttack of `torchattacks` (standard version, L-infinity), to compare
`counterpatch attack --method autoattack --limit linf=EPS` with.

The four attacks run in the standard's order and with its settings, each on the images that all before it have left: APGD on
the cross-entropy (1 restart), targeted APGD (9 classes), targeted FAB (9 classes), Square (5000 queries). The network is
rebuilt in torch from the weights of the ONNX file; inputs are pixels / 255. After each attack the adversarial images
are checked: in [0, 1], within EPS, and classified wrongly by ONNX Runtime.

Prints accuracy, survivors after each attack, and robust accuracy, of all images. `--output` writes one line an image
(index, label, correct, robust, by). `--ours` reads the results.csv of `counterpatch attack` on the same images, and prints
our robust accuracy, the number of images on which the two agree, and those on which they differ. `--reference FILE.csv`
takes the reference's answers from an earlier `--output` instead of attacking again.

Set-up: python3 -m venv venv && venv/bin/pip install torch torchattacks onnx onnxruntime numpy
"""

import argparse
import csv

import numpy
import onnxruntime
import torch
import torchattacks

from onnx_torch import Classifier, load_images


def attacks(network, eps, classes, seed):
    common = {"eps": eps, "norm": "Linf", "seed": seed, "n_restarts": 1}
    return [
        ("apgd-ce", torchattacks.APGD(network, loss="ce", steps=100, **common)),
        ("apgd-t", torchattacks.APGDT(network, n_classes=classes, steps=100, **common)),
        ("fab-t", torchattacks.FAB(network, multi_targeted=True, n_classes=classes, steps=100, **common)),
        ("square", torchattacks.Square(network, n_queries=5000, **common)),
    ]


def decide(session, name, images):
    """Classes by ONNX Runtime, one image after the other."""
    shape = [1, *session.get_inputs()[0].shape[1:]]
    outputs = [session.run(None, {name: image.reshape(shape).numpy()})[0] for image in images]
    return numpy.array([output.argmax() for output in outputs])


def run(options):
    torch.manual_seed(options.seed)
    images, labels = load_images(options.images)
    network = Classifier(options.network).eval()
    images = torch.from_numpy(numpy.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    if len(network.shape) == 1 and images.shape[1] > 1:
        raise SystemExit("a flat network of colour images: its order of channels is not known here")
    session = onnxruntime.InferenceSession(options.network)
    name = session.get_inputs()[0].name
    left = numpy.flatnonzero(decide(session, name, images) == labels)
    correct, by = set(left.tolist()), {}
    print(f"{len(images)} images, {len(left)} classified correctly ({100 * len(left) / len(images):.2f}%)", flush=True)
    for label, attack in attacks(network, options.eps, 10, options.seed):
        if len(left) == 0:
            break
        clean = images[left]
        found = attack(clean, torch.from_numpy(labels[left])).detach()
        inside = (found >= 0).all() and (found <= 1).all() and (found - clean).abs().max() <= options.eps * (1 + 1e-5)
        if not inside:
            raise SystemExit(f"{label} left the ball or [0, 1]")
        broken = decide(session, name, found) != labels[left]
        by.update((int(index), label) for index in left[broken])
        left = left[~broken]
        print(f"{label}: {int(broken.sum())} broken, {len(left)} left", flush=True)
    print(f"robust accuracy at {options.eps:.6f}: {100 * len(left) / len(images):.2f}%", flush=True)
    return labels, correct, by


def write(path, labels, correct, by):
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["index", "label", "correct", "robust", "by"])
        for index, label in enumerate(labels):
            robust = index in correct and index not in by
            table.writerow([index, label, int(index in correct), int(robust), by.get(index, "")])


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    correct = {int(row["index"]) for row in rows if row["correct"] == "1"}
    by = {int(row["index"]): row["by"] for row in rows if row["by"]}
    return [int(row["label"]) for row in rows], correct, by


def compare(path, method, labels, correct, by):
    """Our answers beside the reference's; an image that either classifies wrongly is robust for neither."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == method]
    if not rows:
        raise SystemExit(f"{path} has no line of {method}")
    attacked = {int(row["image"]) for row in rows}
    broken = {int(row["image"]) for row in rows if row["ending"] == "adversarial"}
    ours, reference = attacked - broken, correct - set(by)
    differ = sorted(ours ^ reference)
    print(f"counterpatch's robust accuracy: {100 * len(ours) / len(labels):.2f}%")
    print(f"agreement: {len(labels) - len(differ)} of {len(labels)} images")
    for index in differ:
        print(f"image {index}: robust for {'counterpatch' if index in ours else 'the reference'} only")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("images")
    parser.add_argument("--eps", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output")
    parser.add_argument("--ours")
    parser.add_argument("--method", default="autoattack")
    parser.add_argument("--reference")
    options = parser.parse_args()
    result = read(options.reference) if options.reference else run(options)
    if options.output:
        write(options.output, *result)
    if options.ours:
        compare(options.ours, options.method, *result)


if __name__ == "__main__":
    main()
