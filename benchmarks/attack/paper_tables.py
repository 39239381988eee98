#!/usr/bin/env python3
"""The paper's Tables I and II on its own networks and images: every method, in one run.

usage: paper_tables.py DATA [--binary target/release/counterpatch] [--work FOLDER] [--out paper-tables.md] [--budget 5]
                       [--only 784] [--protocol N] [--hardened FOLDER] [--imagenette FOLDER]

DATA holds mnist/, cifar10/ as published with the paper (see the head of benchmarks/paper-tables.md). Every network is attacked twice:
without a limit (methods that look for the smallest change) and within a radius (methods that use it up: 0.1 for MNIST, 2/255
for colour images). Inputs stay in [0, 1]; only images that the network classifies correctly are attacked; a success is
a changed label that the reference engine confirms. --hardened and --imagenette name the outputs of harden.py (sub-folders
mnist and cifar10) and imagenette.py. --work keeps the runs: an interrupted one goes on."""
import argparse, json, re, subprocess
from pathlib import Path

FREE = ['random-k', 'greedy-pixel', 'patch', 'patch-strong', 'patch-strong-l2', 'patch-strong-linf', 'aigent-published',
        'aigent-published-unboxed', 'fab-t', 'blackbox', 'deepxplore', 'dlfuzz']
WITHIN = ['fgsm', 'odi', 'apgd-ce', 'apgd-t', 'square', 'autoattack']

# family, network, layout of flat colour images
NETWORKS = [('mnist', 'aigent_mnist_784-8-16-10', None), ('mnist', 'aigent_mnist1_784-6x50-10', None),
            ('mnist', 'autoattack_mnist_cnn', None), ('cifar10', 'aigent_cifar_3072-100-50-25-10', 'nhwc'),
            ('cifar10', 'aigent_cifar2_3072-5x50-10', 'nhwc'), ('cifar10', 'autoattack_cifar_cnn', None)]
IMAGES = {'mnist': 'images.npz', 'cifar10': 'images_jpeg_hwc.npz'}
RADIUS = {'mnist': ('0.1', '0.1'), 'cifar10': ('0.00784313725', '2/255'), 'imagenette': ('0.00784313725', '2/255')}


def usable(binary, wanted):
    known = subprocess.run([binary, 'supports', '--attack-methods'], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in wanted if name in known]


def attack(args, network, images, methods, limit, layout, companions, transfer, folder):
    command = [args.binary, 'attack', network, '--images', images, '--budget', args.budget, '--output', folder, '--quiet', '--json',
               '--gallery', '6']
    command += ['--limit', f'linf={limit}'] if limit else []
    command += ['--protocol', args.protocol] if args.protocol else []
    command += ['--layout', layout] if layout else []
    for option, files in (('--companion', companions), ('--transfer', transfer)):
        for file in files:
            command += [option, file]
    refused = []
    while True:
        run = subprocess.run([str(part) for part in command + ['--method', ','.join(methods)]], stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True)
        # A method that does not apply to this network is left out, and the table says so.
        one = re.search(r'error: method (\S+): (.*)', run.stderr)
        if run.returncode == 0 or not one:
            break
        refused.append(f'`{one[1]}`: {one[2]}')
        methods = [name for name in methods if name != one[1]]
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads((folder / 'results.json').read_text()) | {'refused': refused}


def number(value, digits=2):
    return '-' if value is None else f'{value:.{digits}f}'


def row(method, report):
    m = method
    success = m['successes'] / max(1, m['attacked'])
    stat = lambda key, which, digits=2: number((m[key] or {}).get(which), digits)
    own = f"{100 * m['own_successes'] / max(1, m['attacked']):.1f}" if m['leaves_range'] else '-'
    transfers = ', '.join(f"{100 * t['fooled'] / t['asked']:.0f}" if t['asked'] else '-' for t in m['transfers']) or '-'
    return (f"| {m['method']} | {100 * success:.1f} | {own} | {stat('values', 'mean')} / {stat('values', 'median', 0)} "
            f"| {stat('pixels', 'mean')} / {stat('pixels', 'median', 0)} | {stat('l1', 'mean')} | {stat('l2', 'mean')} | {stat('linf', 'mean', 3)} "
            f"| {1e3 * m['seconds']['median']:.1f} / {1e3 * m['seconds']['mean']:.1f} | {m['evaluations']['mean']:.0f} "
            f"| {number(m['pielou'])} | {'-' if m['frechet'] is None else format(m['frechet'], '.2e')} | {stat('similarity', 'mean', 3)} | {transfers} |")


HEAD = ('| method | success % | by its own definition % | values mean / median | pixels mean / median | L1 | L2 | L∞ | ms median / mean '
        '| evaluations | Pielou | Fréchet | SSIM | transfer % |\n|' + '---|' * 14)


def section(args, title, network, images, layout, companions, transfer, radius, name):
    limit, shown = radius
    parts = []
    for kind, wanted, bound in (('free', FREE, None), ('within', WITHIN, limit)):
        methods = usable(args.binary, wanted)
        if len(companions) < 2 and 'deepxplore' in methods:
            methods.remove('deepxplore')
        report = attack(args, network, images, methods, bound, layout, companions, transfer, args.work / f'{name}-{kind}')
        if kind == 'free':
            parts.append(f"## {title}\n\n{report['images']} images, {report['correct']} classified correctly, {report['attacked']} attacked. "
                         f"Features of the Fréchet distance: {report['features']}.\n")
            parts.append('Anywhere in [0, 1]:\n')
        else:
            parts.append(f'\nWithin L∞ {shown}:\n')
        parts.append(HEAD)
        parts += [row(method, report) for method in report['methods']]
        parts += [f"\nNot used here: {'; '.join(report['refused'])}."] if report['refused'] else []
        by = {m['method']: m for m in report['methods']}
        if 'patch-strong' in by and 'greedy-pixel' in by and by['greedy-pixel']['l1']:
            less = 1 - by['patch-strong']['l1']['mean'] / by['greedy-pixel']['l1']['mean']
            parts.append(f"\nMean L1 of `patch-strong` is {100 * less:.0f}% under that of `greedy-pixel`.")
    return '\n'.join(parts) + '\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--work', type=Path, default=Path('paper-tables'))
    parser.add_argument('--out', type=Path, default=Path('paper-tables.md'))
    parser.add_argument('--budget', default='5')
    parser.add_argument('--protocol', help='only the first so many correctly classified images of each class')
    parser.add_argument('--only', default='', help='networks whose name contains this')
    parser.add_argument('--hardened', type=Path)
    parser.add_argument('--imagenette', type=Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    sections = []
    for family, name, layout in NETWORKS:
        if args.only not in name:
            continue
        # Companions have to read their inputs in the same order.
        others = [args.data / f / f'{n}.onnx' for f, n, l in NETWORKS if f == family and n != name and l == layout]
        hardened = args.hardened / family / 'hardened.onnx' if args.hardened else None
        transfer = [hardened] if hardened and hardened.exists() else []
        sections.append(section(args, f'{family}: {name}', args.data / family / f'{name}.onnx', args.data / family / IMAGES[family],
                                layout, others, transfer, RADIUS[family], name))
        print(sections[-1], flush=True)
    if args.imagenette:
        for network in sorted(args.imagenette.glob('*.onnx')):
            layout = 'nhwc' if 'mlp' in network.stem else None
            sections.append(section(args, f'imagenette stand-in: {network.stem}', network, next(args.imagenette.glob('*.npz')), layout, [], [],
                                    RADIUS['imagenette'], f'imagenette-{network.stem}'))
            print(sections[-1], flush=True)
    args.out.write_text('\n'.join(sections))


if __name__ == '__main__':
    main()
