#!/usr/bin/env python3
"""`counterpatch check` and `check --repair` on a table of public claims.

usage: check.py CLAIMS.csv BENCHMARKS [--binary target/release/counterpatch] [--judge check_cex.py]

CLAIMS.csv has the columns tool, benchmark, onnx, vnnlib, witness and verdict_2026; witness files are named relative to
it, networks and properties relative to BENCHMARKS. Prints, as Markdown: verdicts that differ from the table's, CPU time
(user + system, start-up included) of each `check`, and what `--repair` makes of every witness that is not correct.
With --judge, each repaired file is judged by that program too (its last line must be `correct`)."""
import argparse, collections, csv, json, os, subprocess, sys, tempfile
from pathlib import Path


def run(command):
    """Standard output, exit status and CPU seconds of one process."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = process.stdout.read()
    process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return out, process.returncode, usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('claims', type=Path)
    parser.add_argument('benchmarks', type=Path)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--judge', type=Path)
    args = parser.parse_args()
    with args.claims.open() as file:
        rows = [row for row in csv.DictReader(file) if row['witness']]
    times, differences = [], []
    repairs = collections.defaultdict(collections.Counter)
    moves = collections.defaultdict(list)
    judged = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        repaired = Path(folder, 'repaired.txt')
        for row in rows:
            files = [args.benchmarks / row['onnx'], args.benchmarks / row['vnnlib'], args.claims.parent / row['witness']]
            command = [args.binary, 'check', *map(str, files), '--json']
            out, _, seconds = run(command)
            times.append((seconds, row['benchmark']))
            verdict = json.loads(out)['verdict']
            if verdict != row['verdict_2026']:
                differences.append((row, verdict))
            if row['verdict_2026'] == 'correct':
                continue
            repaired.unlink(missing_ok=True)
            out, _, _ = run([*command, '--repair', str(repaired)])
            repair = json.loads(out)['repair']
            group = row['tool'], row['benchmark'], row['verdict_2026']
            outcome = repair.get('change', 'none: ' + repair.get('failed', ''))
            if 'file' in repair and repair['excess'] < 0:
                outcome += ' (thin)'
            repairs[group][outcome] += 1
            if 'file' in repair:
                moves[group].append((repair['distance'], repair['relative_distance']))
                out, _, _ = run([args.binary, 'check', *map(str, files[:2]), str(repaired)])
                judged['own', out.split()[0]] += 1
                if args.judge:
                    out, _, _ = run([sys.executable, str(args.judge), *map(str, files[:2]), str(repaired)])
                    judged['judge', out.strip().splitlines()[-1]] += 1
    print(f'{len(rows)} witnesses, {len(rows) - len(differences)} verdicts as in the table\n')
    for row, verdict in differences:
        print(f"- {row['tool']} {row['onnx']} {row['vnnlib']}: {verdict}, not {row['verdict_2026']}")
    print('\n| benchmark | checks | CPU median ms | CPU max ms |\n|---|---|---|---|')
    for benchmark in sorted({benchmark for _, benchmark in times}):
        ms = sorted(1000 * seconds for seconds, name in times if name == benchmark)
        print(f'| {benchmark} | {len(ms)} | {ms[len(ms) // 2]:.1f} | {ms[-1]:.1f} |')
    print('\n| tool | benchmark | verdict | witnesses | repaired | moved at most | of its interval |\n|---|---|---|---|---|---|---|')
    for group, outcomes in sorted(repairs.items()):
        words = ', '.join(f'{count} {outcome}' for outcome, count in outcomes.most_common())
        far = max(moves[group], default=None)
        far = f'{far[0]:.1e} | {max(r for _, r in moves[group]):.1e}' if far else '- | -'
        print(f'| {" | ".join(group)} | {sum(outcomes.values())} | {words} | {far} |')
    print('\nrepaired files judged:', dict((' '.join(key), count) for key, count in judged.items()))


if __name__ == '__main__':
    main()
