#!/usr/bin/env python3
"""How many values must change at least: sound lower bounds for fully connected ReLU networks on images in [0, 1].

usage: least_values.py NET.onnx IMAGES.npz LABELS.csv [--most 12]

For k = 1, 2, ...: an input that differs from the image in at most k values, anywhere in [0, 1], changes a sum of weights by at
most the k largest single gains. With that in place of a box, every neuron gets a linear lower and upper bound (CROWN; Zhang et
al. 2018), layer by layer, and so does every margin. Where all margins stay negative, no k values are enough. Double precision,
no directed rounding: margins have to stay under -1e-6. Only images that the network classifies correctly are counted."""
import argparse
from collections import Counter

import numpy as np, onnx
from onnx import numpy_helper


def layers_of(path):
    """The matrices and biases of a chain of Gemm (or MatMul and Add) and Relu."""
    graph = onnx.load(path).graph
    held = {i.name: numpy_helper.to_array(i).astype(float) for i in graph.initializer}
    layers = []
    for node in graph.node:
        constants = [held[name] for name in node.input if name in held]
        if node.op_type == 'Gemm':
            flags = {a.name: a.i for a in node.attribute}
            layers.append((constants[0] if flags.get('transB') else constants[0].T, constants[1]))
        elif node.op_type == 'MatMul':
            layers.append((constants[0].T, np.zeros(constants[0].shape[1])))
        elif node.op_type == 'Add':
            layers[-1] = (layers[-1][0], layers[-1][1] + constants[0].ravel())
        elif node.op_type not in ('Relu', 'Flatten', 'Reshape', 'Identity', 'Constant'):
            raise SystemExit(f'{path}: {node.op_type} is not a layer of a fully connected ReLU network')
    return layers


def outputs(layers, x):
    for at, (weights, bias) in enumerate(layers):
        x = weights @ x + bias
        x = np.maximum(x, 0) if at + 1 < len(layers) else x
    return x


def gains(rows, x, k):
    """What at most k changed values add to each row at most."""
    single = np.where(rows > 0, rows * (1 - x), -rows * x)
    return np.partition(single, -k, axis=1)[:, -k:].sum(1)


def upper(rows, shift, ranges, layers, x, k):
    """Upper bounds of rows over the activations of layer len(ranges) - 1, by substitution back to the inputs."""
    for (low, high), (weights, bias) in zip(reversed(ranges), reversed(layers[:len(ranges)])):
        bends = (low < 0) & (high > 0)
        slope = np.where(bends, high / np.where(bends, high - low, 1), low >= 0)
        floor = np.where(bends, high > -low, low >= 0)
        above, below = np.maximum(rows, 0), np.minimum(rows, 0)
        shift = shift + above @ np.where(bends, -slope * low, 0)
        rows = above * slope + below * floor
        shift, rows = shift + rows @ bias, rows @ weights
    return shift + rows @ x + gains(rows, x, k)


def excluded(layers, x, label, k):
    """Whether no k values change the label."""
    ranges = []
    for weights, bias in layers[:-1]:
        both = upper(np.vstack([weights, -weights]), np.concatenate([bias, -bias]), ranges, layers, x, k)
        ranges.append((-both[len(bias):], both[:len(bias)]))
    weights, bias = layers[-1]
    others = [c for c in range(len(bias)) if c != label]
    return upper(weights[others] - weights[label], bias[others] - bias[label], ranges, layers, x, k).max() < -1e-6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network')
    parser.add_argument('images')
    parser.add_argument('labels')
    parser.add_argument('--most', type=int, default=12)
    args = parser.parse_args()
    layers = layers_of(args.network)
    images = np.load(args.images)['images'].astype(float)
    images = images.reshape(len(images), -1) / 255
    rows = [line.split(',')[:2] for line in open(args.labels).read().split()]
    labels = {int(a): int(b) for a, b in rows if a.isdigit()}
    least = []
    for at, x in enumerate(images):
        if outputs(layers, x).argmax() == labels[at]:
            k = 0
            while k < args.most and excluded(layers, x, labels[at], k + 1):
                k += 1
            least.append(k + 1)
    print(f'{len(least)} images classified correctly; at least so many values must change:')
    for k, count in sorted(Counter(least).items()):
        print(f'{k:4} {count:5} images')
    print(f'the median of the number of values is at least {np.median(least):g}')


if __name__ == '__main__':
    main()
