#!/usr/bin/env python3
"""`counterpatch pair --then marabou` beside Marabou alone, on the instances of a list.

usage: pair.py BENCHMARKS [--bench acasxu] [--timeout 20] [--binary target/release/counterpatch] [--marabou Marabou]
               [--judge check_cex.py] [--out pair.csv] [--per-bench N]

BENCHMARKS holds instances.csv (benchmark, onnx, vnnlib, truth). Marabou comes from PyPI: `pip install maraboupy` into an
environment of its own. Each instance is unpacked, given to both with the same limit, one after the other, and timed by
the wall clock, start-up included. Every `sat` of the pair is judged; Marabou's own counterexample (six digits) is judged
as it prints it. After each run, processes that still name the run's folder are counted. Rows go to --out as they come,
and instances that are there already are not run again."""
import argparse, collections, csv, gzip, os, re, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path

FIELDS = ['onnx', 'vnnlib', 'truth', 'alone', 'alone_s', 'alone_witness', 'pair', 'pair_s', 'pair_witness', 'by', 'said', 'left']


def unpacked(path, folder):
    """A plain copy in a folder that the command lines of all its processes name."""
    target = folder / path.name.removesuffix('.gz')
    with (gzip.open(path) if path.suffix == '.gz' else path.open('rb')) as source, target.open('wb') as out:
        shutil.copyfileobj(source, out)
    return target


def left_behind(folder):
    count = 0
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                count += str(folder).encode() in (entry / 'cmdline').read_bytes()
            except OSError:
                pass
    return count


def judged(args, network, query, witness):
    """The verdict on a file, by the judge where there is one."""
    command = [sys.executable, str(args.judge)] if args.judge else [args.binary, 'check']
    run = subprocess.run([*command, network, query, witness], capture_output=True, text=True)
    lines = run.stdout.strip().splitlines() or ['none']
    return lines[-1] if args.judge else lines[0]


def alone(args, network, query, folder):
    summary, out = folder / 'summary.txt', ''
    start = time.monotonic()
    command = [args.marabou, network, query, '--verbosity', '0', '--summary-file', summary, '--timeout', str(int(args.timeout))]
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=args.timeout).stdout
    except subprocess.TimeoutExpired:
        pass
    seconds = time.monotonic() - start
    word = summary.read_text().split()[0].lower() if summary.exists() and summary.read_text().strip() else 'timeout'
    verdict = ''
    if word == 'sat':
        values = re.findall(r'^\s*([xy])(\d+) = (\S+)', out, re.MULTILINE)
        witness = folder / 'alone.txt'
        witness.write_text('sat\n(' + '\n'.join(f'({letter.upper()}_{index} {value})' for letter, index, value in values) + ')\n')
        verdict = judged(args, network, query, witness)
    return {'alone': word, 'alone_s': f'{seconds:.3f}', 'alone_witness': verdict}


def together(args, network, query, folder):
    results = folder / 'out.txt'
    start = time.monotonic()
    command = [args.binary, 'pair', network, query, '--timeout', str(args.timeout), '--results-file', results,
               '--then', 'marabou', '--program', args.marabou]
    run = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - start
    word = results.read_text().split()[0] if results.exists() else 'none'
    verdict = judged(args, network, query, results) if word == 'sat' else ''
    by = 'Marabou' if 'by Marabou' in run.stderr else 'search' if 'by our search' in run.stderr else ''
    said = ' '.join(line for line in run.stderr.splitlines() if line.startswith('warning') and 'its time was up' not in line)
    return {'pair': word, 'pair_s': f'{seconds:.3f}', 'pair_witness': verdict, 'by': by, 'said': said}


def report(rows, limit):
    print(f'{len(rows)} instances, {limit:g} s each\n')
    print('| truth | instances | Marabou alone | median s | pair | median s | by search | by Marabou |')
    print('|---|---|---|---|---|---|---|---|')
    for truth in sorted({row['truth'] for row in rows}):
        some = [row for row in rows if row['truth'] == truth]
        def cell(side):
            right = [float(row[side + '_s']) for row in some if row[side] in ('sat', 'unsat')]
            words = collections.Counter(row[side] for row in some)
            return ', '.join(f'{n} {w}' for w, n in words.most_common()), f'{statistics.median(right):.2f}' if right else '-'
        by = collections.Counter(row['by'] for row in some)
        print(f'| {truth} | {len(some)} | {" | ".join(cell("alone"))} | {" | ".join(cell("pair"))} | {by["search"]} | {by["Marabou"]} |')
    def wrong(side):
        return sum(row[side] in ('sat', 'unsat') and row['truth'] in ('sat', 'unsat') and row[side] != row['truth'] for row in rows)
    both = [row for row in rows if row['alone'] in ('sat', 'unsat') and row['pair'] in ('sat', 'unsat')]
    ratio = sum(float(row['alone_s']) for row in both) / max(sum(float(row['pair_s']) for row in both), 1e-9)
    print(f'\n- wrong answers: Marabou alone {wrong("alone")}, pair {wrong("pair")}')
    for side in 'alone', 'pair':
        print(f'- witnesses, {side}:', dict(collections.Counter(row[side + '_witness'] for row in rows if row[side] == 'sat')))
    print(f'- answered by both: {len(both)}, time of Marabou alone / time of the pair: {ratio:.2f}')
    print(f'- processes left: {sum(int(row["left"]) for row in rows)}')
    for said, count in collections.Counter(re.sub(r'by at most \S+', 'by ...', row['said']) for row in rows if row['said']).most_common():
        print(f'- said {count} times: {said}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('benchmarks', type=Path)
    parser.add_argument('--bench', default='acasxu')
    parser.add_argument('--timeout', type=float, default=20)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--marabou', default='Marabou')
    parser.add_argument('--judge', type=Path)
    parser.add_argument('--out', type=Path, default=Path('pair.csv'))
    args = parser.parse_args()
    with (args.benchmarks / 'instances.csv').open() as file:
        wanted = [row for row in csv.DictReader(file) if args.bench in row['benchmark'] and row.get('set', 'dev') == 'dev']
    rows = []
    if args.out.exists():
        with args.out.open() as file:
            rows = list(csv.DictReader(file))
    done = {(row['onnx'], row['vnnlib']) for row in rows}
    with args.out.open('a', newline='') as file:
        writer = csv.DictWriter(file, FIELDS)
        if not rows:
            writer.writeheader()
        for row in wanted:
            if (row['onnx'], row['vnnlib']) in done:
                continue
            with tempfile.TemporaryDirectory(prefix='beside-pair-') as folder:
                folder = Path(folder)
                network, query = (unpacked(args.benchmarks / row[name], folder) for name in ('onnx', 'vnnlib'))
                result = {name: row[name] for name in ('onnx', 'vnnlib', 'truth')}
                result |= alone(args, network, query, folder)
                result |= together(args, network, query, folder)
                result['left'] = left_behind(folder)
            rows.append(result)
            writer.writerow(result)
            file.flush()
    report(rows, args.timeout)


if __name__ == '__main__':
    main()
