#!/usr/bin/env python3
"""The paper's Tables I, II and III on its own networks and images: every method, in one run.

usage: paper_tables.py DATA [--binary target/release/counterpatch] [--work FOLDER] [--out paper-tables.md] [--budget 5]
                       [--only 784] [--protocol N] [--convolutional 4] [--pytorch PYTHON] [--imagenette FOLDER] [--tables I,II,III]
                       [--threads N] [--repair-seconds 8] [--features FILE[:NODE]] [--features-mean X,X,X] [--features-std X,X,X]

DATA holds mnist/, cifar10/ and acasxu/ as published with the paper (see the head of benchmarks/paper-tables.md). Every network of
Tables I and II is attacked twice: without a limit (methods that look for the smallest change) and within a radius (methods that use it
up: 0.1 for MNIST, 2/255 for colour images). Inputs stay in [0, 1]; only images that the network classifies correctly are attacked; a
success is a changed label that the reference engine confirms. Of the convolutional networks the first four images of each class are
attacked, of the stand-ins for ImageNet (--imagenette names the output of imagenette.py) the first two. Table II retrains each network on
what Table I has found (transfer.py; --pytorch is a Python with torch and onnx). --features, for instance an Inception network, gives the
Fréchet distance in place of the attacked network's penultimate layer. --work keeps the runs: an interrupted one goes on.
Table III are repairs by ../repair/measure.py, and needs the packages of benchmarks/requirements.txt."""
import argparse, json, re, subprocess, sys, tempfile
from pathlib import Path

FREE = ['random-k', 'greedy-pixel', 'patch', 'patch-strong', 'patch-strong-l2', 'patch-strong-linf', 'aigent-published',
        'aigent-published-high-defect', 'aigent-published-unboxed', 'fab-t', 'blackbox', 'simba-ods', 'deepxplore', 'dlfuzz']
WITHIN = ['fgsm', 'odi', 'apgd-ce', 'apgd-t', 'square', 'autoattack']

# family, network, layout of flat colour images
NETWORKS = [('mnist', 'aigent_mnist_784-8-16-10', None), ('mnist', 'aigent_mnist1_784-6x50-10', None),
            ('mnist', 'autoattack_mnist_cnn', None), ('cifar10', 'aigent_cifar_3072-100-50-25-10', 'nhwc'),
            ('cifar10', 'aigent_cifar2_3072-5x50-10', 'nhwc'), ('cifar10', 'autoattack_cifar_cnn', None)]
IMAGES = {'mnist': 'images.npz', 'cifar10': 'images_jpeg_hwc.npz'}
# Table III of the paper, changed weights/sum of changes of the last layer of four networks, and what it prints for Goldberger et al.
PAPER_REPAIRS = '1/.03488 4/.04002 3/.00019 5/.00070'.split()
GOLDBERGER_REPAIRS = '7/3.1 5/.08 2/.003 2/.004'.split()
RADIUS = {'mnist': ('0.1', '0.1'), 'cifar10': ('0.00784313725', '2/255'), 'imagenette': ('0.00784313725', '2/255')}


def usable(binary, wanted):
    known = subprocess.run([binary, 'supports', '--attack-methods'], capture_output=True, text=True, check=True).stdout.split()
    return [name for name in wanted if name in known]


def attack(args, network, images, methods, limit, layout, companions, protocol, folder):
    command = [args.binary, 'attack', network, '--images', images, '--budget', args.budget, '--output', folder, '--quiet', '--json',
               '--gallery', '6']
    command += ['--limit', f'linf={limit}'] if limit else []
    command += ['--protocol', protocol] if protocol else []
    command += ['--threads', args.threads] if args.threads else []
    command += ['--layout', layout] if layout else []
    for option, value in (('features', args.features), ('features-mean', args.features_mean), ('features-std', args.features_std)):
        command += [f'--{option}={value}'] if value else []
    for file in companions:
        command += ['--companion', file]
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


def row(m):
    success = m['successes'] / max(1, m['attacked'])
    all_successes = m['successes'] + m['own_successes']
    stat = lambda key, which, digits=2: number((m[key] or {}).get(which), digits)
    own = f"{100 * m['own_successes'] / max(1, m['attacked']):.1f}" if m['leaves_range'] else '-'
    return (f"| {m['method']} | {100 * success:.1f} | {own} | {stat('values', 'mean')} / {stat('values', 'median', 0)} "
            f"| {stat('pixels', 'mean')} / {stat('pixels', 'median', 0)} | {number(m['pixel_share'])} "
            f"| {m['pictures']}/{all_successes} | {stat('l1', 'mean')} | {stat('l2', 'mean')} | {stat('linf', 'mean', 3)} "
            f"| {1e3 * m['seconds']['median']:.1f} / {1e3 * m['seconds']['mean']:.1f} | {m['evaluations']['mean']:.0f} "
            f"| {number(m['pielou'])} | {'-' if m['frechet'] is None else format(m['frechet'], '.2e')} | {stat('similarity', 'mean', 3)} |")


HEAD = ('| method | success % | by its own definition % | values mean / median | pixels mean / median | pixels % | pictures | L1 | L2 | L∞ '
        '| ms median / mean | evaluations | Pielou | Fréchet | SSIM |\n|' + '---|' * 15)


def hardened(args, network, images, layout, folders):
    """Table II: what of each method's successes fools the network that was retrained on them as well."""
    if not args.pytorch:
        return 'Table II was not made: no --pytorch.\n'
    command = [args.pytorch, Path(__file__).with_name('transfer.py'), network, images, *folders, '--output', folders[0].parent / 'hardened'
               / network.stem, '--layout', layout]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(run.stderr)
    return f'Table II, transfer to the hardened network: {run.stdout}'


def stored(measure, acas, name, points, least):
    """A patch of Goldberger et al. as they stored it, and by how much their network does what is demanded."""
    change = abs(measure.np.load(acas.folder / f'goldberger_eps_{name}.npy'))
    outputs = measure.run(acas.folder / f'goldberger_ACASXU_2_9_{name}_corrected.onnx', acas.all[list(points)])
    margin = min(acas.margin(y, least) for y in outputs)
    # Less than that is rounding of their subtraction.
    return f'{(change > 1e-9).sum()}/{change.sum():.4g} ({margin:.2g})'


def repairs(args):
    """Table III: the least changes with which outputs of ACASXU_2_9 are less than the others, at one point or at four."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'repair'))
    import measure
    lines = ['## Table III: repairs of ACAS Xu', '',
             'The paper prints changed weights/sum of changes of the last layer, for four networks that it does not name, and beside them '
             'figures of Goldberger et al. They stand in its order; no row below is one of its columns.', '',
             '| | network 1 | network 2 | network 3 | network 4 |', '|---' * 5 + '|', f"| the paper | {' | '.join(PAPER_REPAIRS)} |",
             f"| Goldberger et al., as the paper prints them | {' | '.join(GOLDBERGER_REPAIRS)} |", '',
             'Ours: ACASXU_2_9, with the points of the patches that Goldberger et al. published and with demands that these meet there, one '
             f'layer at a time, the least sum of changes, margin {measure.MARGIN:g}; `*` is proved the smallest over all phases, at most '
             f'{args.repair_seconds:g} s a cell. Beside it their patch of the last layer, with its margin.', '',
             '| points, demand | last layer (6) | Goldberger et al. | ' + ' | '.join(f'layer {at}' for at in range(5, -1, -1)) + ' |',
             '|---' * 9 + '|']
    with tempfile.TemporaryDirectory() as folder:
        bench = measure.Bench(args, folder)
        acas = measure.Acas(bench)
        # Points, outputs that are the least, and the name of their patch.
        cases = [([point], [0], str(point)) for point in range(4)] + [(range(4), [0], '3'), (range(4), [0, 1], 'all2')]
        for points, least, file in cases:
            attempt = lambda layer: acas.run(points, least, '--layer', layer, '--timeout', args.repair_seconds)['attempts'][0]
            cells = [measure.cell(attempt(layer)) for layer in range(6, -1, -1)]
            name = '0 to 3' if len(points) > 1 else points[0]
            demand = ' and '.join(map(str, least)) + (' is the least' if len(least) == 1 else ' are less than the others')
            lines.append(f"| {name}, {demand} | {cells[0]} | {stored(measure, acas, file, points, least)} | {' | '.join(cells[1:])} |")
            print(lines[-1], flush=True)
        lines += ['', 'Every patched network was run in ONNX Runtime at its points: '
                  + ('the demand holds at all of them.' if not bench.failures else f'**it fails in {len(bench.failures)}**: {bench.failures}')]
    return '\n'.join(lines) + '\n'


def section(args, title, network, images, layout, companions, radius, name):
    limit, shown = radius
    parts, folders = [], []
    for kind, wanted, bound in (('free', FREE, None), ('within', WITHIN, limit)):
        methods = usable(args.binary, wanted)
        folders.append(args.work / f'{name}-{kind}')
        protocol = args.convolutional if 'cnn' in name else args.protocol
        protocol = 2 if name.startswith('imagenette') else protocol
        report = attack(args, network, images, methods, bound, layout, companions, protocol, folders[-1])
        if kind == 'free':
            parts.append(f"## {title}\n\n{report['images']} images, {report['correct']} classified correctly, {report['attacked']} attacked. "
                         f"Features of the Fréchet distance: {report['features']}. Pictures: successes whose PNG is adversarial when it is "
                         'read back, of all successes.\n')
            parts.append('Anywhere in [0, 1]:\n')
        else:
            parts.append(f'\nWithin L∞ {shown}:\n')
        parts.append(HEAD)
        parts += [row(method) for method in report['methods']]
        parts += [f"\nNot used here: {'; '.join(report['refused'])}."] if report['refused'] else []
        by = {m['method']: m for m in report['methods']}
        if 'patch-strong' in by and 'greedy-pixel' in by and by['greedy-pixel']['l1']:
            less = 1 - by['patch-strong']['l1']['mean'] / by['greedy-pixel']['l1']['mean']
            parts.append(f"\nMean L1 of `patch-strong` is {100 * less:.0f}% under that of `greedy-pixel`.")
    if 'II' in args.tables.split(','):
        flat = 'nchw' if 'cnn' in name else 'flat'
        parts.append('\n' + hardened(args, network, images, flat, folders))
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
    parser.add_argument('--convolutional', default='4', help='the same of convolutional networks')
    parser.add_argument('--threads', help='images at a time')
    parser.add_argument('--pytorch', help='a Python with torch and onnx, for Table II')
    parser.add_argument('--imagenette', type=Path)
    parser.add_argument('--tables', default='I,II,III', help='which tables; II comes with I')
    parser.add_argument('--repair-seconds', type=float, default=8, help='of a repair of Table III')
    parser.add_argument('--features', metavar='FILE[:NODE]')
    parser.add_argument('--features-mean', metavar='X,X,X')
    parser.add_argument('--features-std', metavar='X,X,X')
    args = parser.parse_args()
    tables = args.tables.split(',')
    args.work.mkdir(parents=True, exist_ok=True)
    sections = []
    for family, name, layout in NETWORKS:
        if args.only not in name or not {'I', 'II'} & set(tables):
            continue
        # Companions have to read their inputs in the same order.
        others = [args.data / f / f'{n}.onnx' for f, n, l in NETWORKS if f == family and n != name and l == layout]
        sections.append(section(args, f'{family}: {name}', args.data / family / f'{name}.onnx', args.data / family / IMAGES[family],
                                layout, others, RADIUS[family], name))
        print(sections[-1], flush=True)
    if args.imagenette and 'I' in tables:
        for network in sorted(args.imagenette.glob('*.onnx')):
            layout = 'nhwc' if 'mlp' in network.stem else None
            sections.append(section(args, f'imagenette stand-in: {network.stem}', network, next(args.imagenette.glob('*.npz')), layout, [],
                                    RADIUS['imagenette'], f'imagenette-{network.stem}'))
            print(sections[-1], flush=True)
    if 'III' in tables:
        sections.append(repairs(args))
    args.out.write_text('\n'.join(sections))


if __name__ == '__main__':
    main()
