#!/usr/bin/env python3
"""Are the pictures that `attack` writes adversarial when somebody else reads them?

usage: pictures.py DATA [--binary target/release/counterpatch] [--work FOLDER] [--out FILE.md] [--budget 3] [--protocol N]
                   [--only PART-OF-A-NAME] [--methods NAME,NAME] [--settings NAME,NAME]

DATA holds mnist/ and cifar10/ as in benchmarks/paper-tables.md. Each of the six networks is attacked with each setting:
`default` (--confidence picture, with more methods than the others), `border` (--confidence 0), `sure` (--confidence 1) and `round` (--round). Then every file
INDEX-adversarial.png is read with Pillow and classified by ONNX Runtime, and so is every input of adversarial.npz: a file counts
where the class is not the label. Nothing of the program's own judgement goes into these columns. Transfer is to the other
network of the same images."""
import argparse, datetime, json, os, platform, subprocess
from pathlib import Path

import numpy
import onnxruntime
from PIL import Image

# What has to be so of every method is looked at with the default settings; the rest compares our own.
OTHERS = ['aigent-published', 'fgsm', 'blackbox', 'dlfuzz', 'apgd-ce', 'apgd-t', 'fab-t', 'square', 'odi']
METHODS = ['random-k', 'greedy-pixel', 'patch', 'patch-strong', 'patch-strong-l2', 'patch-strong-linf']
SETTINGS = {'default': [], 'border': ['--confidence', '0'], 'sure': ['--confidence', '1'], 'round': ['--round']}
# family, network, layout of flat colour images, the network that transfer is measured on
NETWORKS = [('mnist', 'aigent_mnist_784-8-16-10', None, 'aigent_mnist1_784-6x50-10'),
            ('mnist', 'aigent_mnist1_784-6x50-10', None, 'aigent_mnist_784-8-16-10'),
            ('mnist', 'autoattack_mnist_cnn', None, 'aigent_mnist_784-8-16-10'),
            ('cifar10', 'aigent_cifar_3072-100-50-25-10', 'nhwc', 'aigent_cifar2_3072-5x50-10'),
            ('cifar10', 'aigent_cifar2_3072-5x50-10', 'nhwc', 'aigent_cifar_3072-100-50-25-10'),
            # The others of its images read them in another order.
            ('cifar10', 'autoattack_cifar_cnn', None, None)]
IMAGES = {'mnist': 'images.npz', 'cifar10': 'images_jpeg_hwc.npz'}


class Judge:
    """A network in ONNX Runtime that reads pictures."""

    def __init__(self, path, layout):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        entry = self.session.get_inputs()[0]
        self.name, self.shape, self.layout = entry.name, [d if isinstance(d, int) else 1 for d in entry.shape], layout

    def of_values(self, row):
        return int(self.session.run(None, {self.name: row.astype(numpy.float32).reshape(self.shape)})[0].argmax())

    def of_picture(self, path):
        pixels = numpy.asarray(Image.open(path), dtype=numpy.float32) / numpy.float32(255)
        if pixels.ndim == 3 and self.layout != 'nhwc':
            pixels = pixels.transpose(2, 0, 1)
        return self.of_values(pixels)


def run(args, data, network, layout, transfer, images, methods, extra, folder):
    command = [args.binary, 'attack', data / f'{network}.onnx', '--images', data / images, '--budget', args.budget, '--output', folder,
               '--quiet', '--json', '--gallery', '2', '--threads', '1', '--method', ','.join(methods)] + extra
    command += ['--transfer', data / f'{transfer}.onnx'] if transfer else []
    command += ['--layout', layout] if layout else []
    command += ['--protocol', args.protocol] if args.protocol else []
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def judged(folder, judge, labels):
    """By method: successes of adversarial.npz, of pictures called adversarial; both that ONNX Runtime confirms."""
    arrays = numpy.load(folder / 'adversarial.npz')
    count = {}
    for row, label, method, image in zip(arrays['inputs'], arrays['labels'], arrays['methods'], arrays['images']):
        one = count.setdefault(str(method), [0, 0, 0, 0])
        one[0] += 1
        one[1] += judge.of_values(row) != label
        path = folder / 'images' / str(method) / f'{image}-adversarial.png'
        if path.exists():
            one[2] += 1
            one[3] += judge.of_picture(path) != labels[image]
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--work', type=Path, default=Path('/tmp/pictures'))
    parser.add_argument('--out', type=Path)
    parser.add_argument('--budget', default='3')
    parser.add_argument('--protocol')
    parser.add_argument('--only', default='')
    parser.add_argument('--methods', default=','.join(METHODS))
    parser.add_argument('--others', default=','.join(OTHERS), help='more methods, with the setting `default` only')
    parser.add_argument('--settings', default=','.join(SETTINGS))
    args = parser.parse_args()
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True).stdout.strip()
    lines = [f'Commit {commit}, {datetime.date.today()}, {os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f}, one thread, '
             f'at most {args.budget} s of a method on an image' + (f', the first {args.protocol} images of each class' if args.protocol else '')
             + f'. ONNX Runtime {onnxruntime.__version__}.']
    for family, network, layout, transfer in NETWORKS:
        if args.only not in network:
            continue
        data, judge = args.data / family, Judge(args.data / family / f'{network}.onnx', layout)
        labels = numpy.load(data / IMAGES[family])['labels']
        lines += ['', f'### {network}', '',
                  '| setting | method | success % | inputs confirmed | pictures saved as adversarial | read back adversarial | values median '
                  '| L2 mean | transfer % | ms median |', '|' + '---|' * 10]
        for setting in args.settings.split(','):
            folder = args.work / setting / network
            # The published code is for chains of fully connected layers.
            others = [name for name in args.others.split(',') if name and not ('cnn' in network and 'aigent' in name)]
            methods = args.methods.split(',') + (others if setting == 'default' else [])
            report = run(args, data, network, layout, transfer, IMAGES[family], methods, SETTINGS[setting], folder)
            counts = judged(folder, judge, labels)
            for m in report['methods']:
                found, right, saved, read = counts.get(m['method'], [0, 0, 0, 0])
                stat = lambda key, which: '-' if not m[key] else f'{m[key][which]:.2f}'
                fooled = '-' if not m['transfers'] else f"{100 * m['transfers'][0]['fooled'] / max(1, m['transfers'][0]['asked']):.0f}"
                lines.append(f"| {setting} | {m['method']} | {100 * m['successes'] / max(1, m['attacked']):.1f} | {right} of {found} | {saved} of {found} "
                             f"| {read} of {saved} | {stat('values', 'median')} | {stat('l2', 'mean')} "
                             f"| {fooled} | {1e3 * m['seconds']['median']:.1f} |")
            print('\n'.join(lines[-len(report['methods']):]), flush=True)
    text = '\n'.join(lines) + '\n'
    print(text)
    if args.out:
        args.out.write_text(text)


if __name__ == '__main__':
    main()
