#!/usr/bin/env python3
"""images.py DATA [--binary target/release/counterpatch] [--work FOLDER] [--budget 3] [--protocol N] [--only NAME]
          [--all-by-default] [--activations FOLDER] [--imagenette FOLDER]

The paper's method in each reading on images: success, values, distances, time and programs, one table a network.

DATA holds mnist/ and cifar10/ as published with the paper. Only images that a network classifies correctly are attacked, in
[0, 1], on one thread; a success is a changed label that the reference engine confirms. --activations and --imagenette name
the outputs of activations.py and of ../attack/imagenette.py; they are attacked with the default reading alone.
--protocol takes the first N correctly classified images of each class; --all-by-default all of them for the default, and of
the paper's first network for Algorithm 1.
--work keeps the runs: an interrupted one goes on. --only takes networks whose name contains it."""
import argparse
import json
import subprocess
from pathlib import Path

READINGS = [
    ('printed', 'printed'), ('printed, no marks, equalities', 'printed,marks=off,targets=exact'),
    ('middle-first, once', 'order=middle-first,shots=once'), ('middle-first', 'order=middle-first'),
    ('held, once', 'phases=held,shots=once,targets=rectified'), ('held', 'phases=held'),
    ('monotone', 'phases=monotone'), ('approximated', 'phases=approximated'), ('tangent', 'phases=tangent'),
    ('direct, once, exact', 'targets=exact,shots=once'), ('direct, once, rectified', 'targets=rectified,shots=once'),
    ('direct, rectified', 'targets=rectified'), ('direct, once', 'shots=once'), ('last layer', 'order=last'), ('default', ''),
]
# Run on all images of the paper's first network, as the default is on all of every network: what Algorithm 1 itself finds.
ALGORITHM_1 = ('aigent_mnist_784-8-16-10', ['printed', 'order=middle-first'])
PAPER = [
    ('mnist', 'aigent_mnist_784-8-16-10', None), ('mnist', 'aigent_mnist1_784-6x50-10', None),
    ('cifar10', 'aigent_cifar_3072-100-50-25-10', 'nhwc'), ('cifar10', 'aigent_cifar2_3072-5x50-10', 'nhwc'),
    ('mnist', 'autoattack_mnist_cnn', None), ('cifar10', 'autoattack_cifar_cnn', None),
]
IMAGES = {'mnist': 'images.npz', 'cifar10': 'images_jpeg_hwc.npz'}
HEAD = ('| reading | images | success % | values mean / median | L1 | L2 | L∞ | programs | ms median / mean | out of time |\n'
        + '|---|' + '---|' * 9)


def attack(args, network, images, layout, reading, protocol, folder):
    """The method's row of the report, or why the reading does not apply."""
    command = [args.binary, 'attack', network, '--images', images, '--method', 'patch', '--budget', args.budget, '--threads', '1',
               '--output', folder, '--quiet', '--gallery', '0']
    command += ['--layout', layout] if layout else []
    command += ['--reading', reading] if reading else []
    command += ['--protocol', str(protocol)] if protocol else []
    run = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        return run.stderr.strip().splitlines()[0]
    return json.loads((folder / 'results.json').read_text())['methods'][0]


def row(name, found):
    if isinstance(found, str):
        return f'| {name} | - | {found} |' + ' |' * 7
    of = lambda key, which, form: format(found[key][which], form) if found[key] else '-'
    seconds = found['seconds']
    return (f"| {name} | {found['attacked']} | {100 * found['successes'] / max(1, found['attacked']):.1f} "
            f"| {of('values', 'mean', '.1f')} / {of('values', 'median', '.0f')} | {of('l1', 'mean', '.2f')} | {of('l2', 'mean', '.2f')} "
            f"| {of('linf', 'mean', '.2f')} | {of('programs', 'mean', '.0f')} "
            f"| {1e3 * seconds['median']:.0f} / {1e3 * seconds['mean']:.0f} | {found['out_of_time']} |")


def table(args, network, images, layout, readings):
    print(f'### {network.stem}\n\n{HEAD}', flush=True)
    for number, (name, reading) in enumerate(readings):
        folder = args.work / f'{network.stem}-{number}-{reading.replace(",", "-").replace("=", "-") or "default"}'
        on_all = not reading or (network.stem == ALGORITHM_1[0] and reading in ALGORITHM_1[1])
        protocol = None if args.all_by_default and on_all else args.protocol
        print(row(name, attack(args, network, images, layout, reading, protocol, folder)), flush=True)
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--work', type=Path, default=Path('build/patching-images'))
    parser.add_argument('--budget', default='3')
    parser.add_argument('--protocol', type=int)
    parser.add_argument('--only', default='')
    parser.add_argument('--all-by-default', action='store_true')
    parser.add_argument('--activations', type=Path)
    parser.add_argument('--imagenette', type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for family, name, layout in PAPER:
        if args.only in name:
            folder = args.data / family
            table(args, folder / f'{name}.onnx', folder / IMAGES[family], layout, READINGS)
    for folder, images in ((args.activations, args.data / 'mnist' / IMAGES['mnist']), (args.imagenette, None)):
        for network in sorted(folder.glob('*.onnx')) if folder else []:
            if args.only in network.stem:
                layout = 'nhwc' if images is None and network.stem == 'mlp' else None
                table(args, network, images or folder / 'attack.npz', layout, READINGS[-1:])


if __name__ == '__main__':
    main()
