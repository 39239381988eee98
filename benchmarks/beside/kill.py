#!/usr/bin/env python3
"""Signals at random moments: `counterpatch pair` with a second tool that forks, ignores SIGTERM and leaves its session.

usage: kill.py [--runs 200] [--binary target/release/counterpatch] [--seed 0]

Each run starts `pair` (in turn or as a race) on a shipped network, waits a random while, and then sends SIGTERM, SIGINT
or SIGKILL to the program, or SIGKILL to its guard or to the second tool. Expected: a complete results file that says
`unknown`, `unsat` or `sat` with a counterexample that `check` accepts; exit status 0 unless the program itself was
killed; and, one second later at most, no process of the run. A run that was told to end before it could open its results
file leaves it as it was: the harness's placeholder."""
import argparse, collections, os, random, signal, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = """#!/bin/sh
trap '' TERM
sleep 1000 &
setsid sh -c 'exec sleep 1000' &
sh -c 'trap "" TERM; while :; do sleep 0.05; done' &
[ $(( $$ % 2 )) = 0 ] && sleep 0.3 && { echo unsat >"$5"; exit 0; }
while :; do sleep 0.1; done
"""


def tagged(tag):
    """Living processes of a run: the tag is in the environment of all of them."""
    found = {}
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if tag.encode() in (entry / 'environ').read_bytes() and (entry / 'stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX':
                found[int(entry.name)] = (entry / 'cmdline').read_bytes().split(b'\0')
        except OSError:
            pass
    return found


def one(args, chance, number, folder):
    tag = f'COUNTERPATCH_KILL_TEST={os.getpid()}-{number}'
    name, value = tag.split('=')
    results = folder / 'out.txt'
    results.write_text('no_result_in_file\n')
    network, query = ROOT / 'tests/data/digits_mlp.onnx', ROOT / 'tests/data/digits_mlp_robust.vnnlib'
    order = chance.choice([['--first', '0.2'], ['--first', '1e-9'], ['--race']])
    command = [args.binary, 'pair', network, query, '--timeout', '6', '--results-file', results,
               '--then-script', folder / 'tool.sh', *order]
    process = subprocess.Popen(command, env=os.environ | {name: value}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.choice([chance.uniform(0, 0.05), chance.uniform(0, 1.5)]))
    victim = chance.choice(['program TERM', 'program INT', 'program KILL', 'guard KILL', 'tool KILL', 'nobody'])
    who, how = (victim.split() + [None])[:2]
    group = tagged(tag)
    guards = [pid for pid, words in group.items() if b'guard' in words]
    targets = {'program': [process.pid], 'guard': guards,
               'tool': [pid for pid in group if pid != process.pid and pid not in guards][:1], 'nobody': []}[who]
    for pid in targets:
        try:
            os.kill(pid, getattr(signal, f'SIG{how}'))
        except ProcessLookupError:
            pass
    status = process.wait(timeout=30)
    text = results.read_text()
    faults = []
    if who == 'program' and status not in (0, -getattr(signal, f'SIG{how}')) or who != 'program' and status != 0:
        faults.append(f'status {status}')
    early = status != 0 and text == 'no_result_in_file\n'
    word = text.split('\n')[0]
    if not early and not (text in ('unknown\n', 'unsat\n') or word == 'sat'):
        faults.append(f'results {text[:40]!r}')
    if word == 'sat' and subprocess.run([args.binary, 'check', network, query, results], stdout=subprocess.DEVNULL).returncode:
        faults.append('wrong witness')
    deadline = time.monotonic() + 1
    while (left := tagged(tag)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        faults.append(f'left: {left}')
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    litter = [entry.name for entry in folder.iterdir() if entry.name.endswith('.new')]
    if litter and status == 0:
        faults.append(f'litter: {litter}')
    return victim, 'placeholder' if early else word, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--binary', default='target/release/counterpatch')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    chance, counts, faulty = random.Random(args.seed), collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        tool = folder / 'tool.sh'
        tool.write_text(TOOL)
        tool.chmod(0o755)
        for number in range(args.runs):
            victim, word, faults = one(args, chance, number, folder)
            counts[victim, word] += 1
            if faults:
                faulty.append((number, victim, faults))
    print(f'{args.runs} runs, {len(faulty)} with a fault\n\n| who, signal | file | runs |\n|---|---|---|')
    for (victim, word), count in sorted(counts.items()):
        print(f'| {victim} | {word} | {count} |')
    for number, victim, faults in faulty:
        print(f'run {number}, {victim}: {"; ".join(faults)}')
    sys.exit(bool(faulty))


if __name__ == '__main__':
    main()
