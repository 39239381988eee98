#!/usr/bin/env python3
"""The Fréchet distances of a run of `counterpatch attack --features`, once more: ONNX Runtime for the network, numpy for the rest.

usage: reference_frechet.py NETWORK.onnx RUN --shape 28,28,1 [--mean 0.5] [--std 0.5] [--output NAME]
       reference_frechet.py NETWORK.onnx --make

RUN is the folder of the run; its images are given as height, width, channels, and are read as the run's network reads them without
--mean and --std, channels last or grey. Pictures are resized as `torch.nn.functional.interpolate` does (bilinear, align_corners=False), written out
here as two matrices. --make writes a network of random weights to try it with: three convolutions over 299 x 299 x 3, 2048 means.
Packages: benchmarks/requirements.txt."""
import argparse, json
from pathlib import Path

import numpy as np
import onnxruntime


def make(path):
    import onnx
    from onnx import helper, numpy_helper
    rng, nodes, weights, last = np.random.default_rng(0), [], [], 'pictures'
    for at, (inputs, outputs, size, stride) in enumerate([(3, 32, 7, 4), (32, 64, 3, 2), (64, 2048, 3, 2)]):
        deviation = np.sqrt(2 / (inputs * size * size))
        weights.append(numpy_helper.from_array(rng.normal(0, deviation, (outputs, inputs, size, size)).astype(np.float32), f'w{at}'))
        nodes += [helper.make_node('Conv', [last, f'w{at}'], [f'c{at}'], strides=[stride, stride]),
                  helper.make_node('Relu', [f'c{at}'], [f'r{at}'])]
        last = f'r{at}'
    nodes += [helper.make_node('GlobalAveragePool', [last], ['pool']), helper.make_node('Flatten', ['pool'], ['features'])]
    info = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, 'features', [info('pictures', ['n', 3, 299, 299])], [info('features', ['n', 2048])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8), path)


def samples(size, to):
    """A matrix that makes a line of `to` samples from one of `size`: half-pixel centres, none in front of the first."""
    matrix = np.zeros((to, size))
    for i in range(to):
        place = max(0.0, (i + 0.5) * size / to - 0.5)
        first = min(int(place), size - 1)
        matrix[i, first] += 1 - (place - first)
        matrix[i, min(first + 1, size - 1)] += place - first
    return matrix


def features(session, output, pictures, mean, deviation):
    entry = session.get_inputs()[0]
    first = entry.shape[1] in (1, 3)
    height, width, channels = (entry.shape[2], entry.shape[3], entry.shape[1]) if first else entry.shape[1:]
    rows = []
    for picture in pictures:
        sized = np.einsum('ia,jb,abc->ijc', samples(len(picture), height), samples(len(picture[0]), width), picture)
        if sized.shape[2] == 1 and channels == 3:
            sized = np.repeat(sized, 3, axis=2)
        if sized.shape[2] == 3 and channels == 1:
            sized = (sized @ [0.299, 0.587, 0.114])[..., None]
        sized = (sized - mean) / deviation
        value = sized.transpose(2, 0, 1) if first else sized
        rows.append(session.run([output], {entry.name: value[None].astype(np.float32)})[0].ravel())
    return np.array(rows, dtype=np.float64)


def frechet(a, b):
    """By covariances. With fewer pictures than features most eigenvalues are zero: their rounding is no root to add."""
    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    clean = lambda values: np.where(values > 1e-12 * values.max(), values, 0)
    values, vectors = np.linalg.eigh(s)
    half = (vectors * np.sqrt(clean(values))) @ vectors.T
    root = np.sqrt(clean(np.linalg.eigvalsh(half @ t @ half))).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * root


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network', type=Path)
    parser.add_argument('run', type=Path, nargs='?')
    parser.add_argument('--shape')
    parser.add_argument('--mean', default='0')
    parser.add_argument('--std', default='1')
    parser.add_argument('--output')
    parser.add_argument('--make', action='store_true')
    args = parser.parse_args()
    if args.make:
        return make(args.network)
    numbers = lambda text: np.array([float(part) for part in text.split(',')])
    session = onnxruntime.InferenceSession(str(args.network), providers=['CPUExecutionProvider'])
    output = args.output or session.get_outputs()[0].name
    stored = np.load(args.run / 'adversarial.npz')
    shape = [int(part) for part in args.shape.split(',')]
    report = json.loads((args.run / 'results.json').read_text())
    print('features:', report['features'])
    for method in report['methods']:
        chosen = np.array([name == method['method'] for name in stored['methods'].tolist()])
        if chosen.sum() < 2:
            continue
        a, b = (features(session, output, stored[key][chosen].reshape(-1, *shape), numbers(args.mean), numbers(args.std))
                for key in ('originals', 'inputs'))
        print(f"{method['method']}: {chosen.sum()} images, counterpatch {method['frechet']:.9g}, here {frechet(a, b):.9g}")


if __name__ == '__main__':
    main()
