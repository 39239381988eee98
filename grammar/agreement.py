#!/usr/bin/env python3
"""Compares this crate's reading of VNN-LIB 2.0 with the reference parser's (PyPI package vnnlib).

    cargo build --release -p vnnlib --example vnnlib
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install vnnlib==1.0.2 vnnlib-satisfactory==1.0.1
    /tmp/venv/bin/python grammar/agreement.py target/release/examples/vnnlib [--mutations 10000] [FOLDER...]

The texts are the queries that vnnlib-satisfactory ships and every .vnnlib(.gz) file in the folders; those in version
1.0 are converted first. For each text both must accept or both reject, and where both accept, the reference parser
must read our printed form as the same query. Then random mutations of the texts are made, and the verdicts compared;
disagreements are grouped by what both sides say, with one example each. Exit status 1 if an unmutated text disagrees.
"""
import argparse
import collections
import gzip
import importlib.util
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import vnnlib

WORD = re.compile(r'\s+|;[^\n]*|"[^"]*"|<\d+\.\d+>|[A-Za-z][A-Za-z0-9_-]*|-?\d+(?:\.\d+)?|[<>=!]=|.', re.S)
SPARE = ['(', ')', '[', ']', ',', '0', '1', '-1', '1.0', '-0.5', '1e3', '.5', '==', '=', '<=', '<', '!=', '+', '-', '*',
         'and', 'or', 'not', 'X', 'Y', 'real', 'float64', 'int32', '"a"', 'initialized', ';c\n', ' ', '(assert ',
         '(equal-to N)', '<2.1>']


def shipped_texts():
    """The queries of vnnlib-satisfactory, which its test cases build."""
    root = pathlib.Path(importlib.util.find_spec('vnntest').origin).parent / 'core' / 'tests'
    for path in sorted(root.rglob('*.py')):
        if path.name.startswith('_'):
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield path.stem, str(module.build_vnnlib_spec())


def folder_texts(folder, binary, scratch):
    for path in sorted(pathlib.Path(folder).rglob('*.vnnlib*')):
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data).decode()
        if '(vnnlib-version' not in text:
            plain = scratch / 'original.vnnlib'
            plain.write_text(text)
            done = subprocess.run([binary, '--convert', plain], capture_output=True, text=True)
            if done.returncode:
                print(f'cannot convert {path}: {done.stderr}')
                continue
            text = done.stdout
        yield str(path), text


def reference(text):
    """The reference parser's query, or the kind of its error and the first hint."""
    try:
        return vnnlib.parse_query_string(text), None, None
    except Exception as error:
        message = str(error)
        codes = ' '.join(sorted(set(re.findall(r'"errorCode": "(\w+)"', message))))
        hints = re.findall(r'"hint": "(.*)"', message)
        return None, codes or re.sub(r'line \d+, column \d+', 'L:C', message), hints[0] if hints else message


def ours(binary, texts, scratch):
    """Our verdict on each text."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(scratch / f'{number}.vnnlib')
        paths[-1].write_text(text, newline='')
    done = subprocess.run([binary, '--verdicts', *paths], capture_output=True, text=True)
    return [line.startswith('accepted') for line in done.stdout.splitlines()]


def message(binary, text, scratch):
    path = scratch / 'message.vnnlib'
    path.write_text(text, newline='')
    done = subprocess.run([binary, '--quiet', path], capture_output=True, text=True)
    return done.stderr.split('\n')[0].split(': ', 1)[-1] if done.returncode else None


def mutate(text, rng):
    """The text with one to three of its words deleted, doubled, exchanged, replaced or changed by a character."""
    words = WORD.findall(text)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(words))
        kind = rng.randrange(6)
        if kind == 0:
            del words[at]
        elif kind == 1:
            words.insert(at, words[at])
        elif kind == 2:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif kind == 3:
            words[at] = rng.choice(SPARE)
        elif kind == 4:
            words[at] = words[rng.randrange(len(words))]
        elif words[at]:
            position = rng.randrange(len(words[at]))
            character = rng.choice('0123456789.-_<>=()[] \n;"aXY')
            words[at] = words[at][:position] + character + words[at][position + rng.randrange(2):]
        if not words:
            return text
    return ''.join(words)


def compare_texts(binary, texts, scratch):
    wrong = 0
    for name, text in texts:
        query, why, _ = reference(text)
        path = scratch / 'text.vnnlib'
        path.write_text(text, newline='')
        done = subprocess.run([binary, path], capture_output=True, text=True)
        if (query is None) != (done.returncode != 0):
            wrong += 1
            print(f'{name}: reference {why or "accepts"}; ours {done.stderr or "accepts"}')
        elif query is not None:
            again, why, _ = reference(done.stdout)
            # The reference has no name for Real with a capital, and prints it as it prints every unknown type.
            if again is None or str(again) != str(query).replace(' Real ', ' real '):
                wrong += 1
                print(f'{name}: our printed form is another query for the reference: {why}')
    print(f'{len(texts)} texts, {wrong} disagreements')
    return wrong


def compare_mutations(binary, texts, count, seed, scratch):
    rng = random.Random(seed)
    small = [text for _, text in texts if len(text) < 4000]
    mutants = [mutate(rng.choice(small), rng) for _ in range(count)]
    groups = collections.defaultdict(list)
    accepted = 0
    for start in range(0, count, 1000):
        chunk = mutants[start:start + 1000]
        for text, our_verdict in zip(chunk, ours(binary, chunk, scratch), strict=True):
            query, why, hint = reference(text)
            accepted += query is not None
            if (query is not None) != our_verdict:
                said = message(binary, text, scratch)
                groups[re.sub(r'`[^`]*`', '`…`', f'reference: {why or "accepts"} | ours: {said or "accepts"}')].append(said or hint)
    total = sum(map(len, groups.values()))
    print(f'{count} mutations of {len(small)} texts (seed {seed}): {accepted} accepted by the reference, {total} disagreements')
    for label, examples in sorted(groups.items(), key=lambda item: -len(item[1])):
        print(f'{len(examples):5} {label}\n      e.g. {"; ".join(dict.fromkeys(examples[:3]))}')
    return groups


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary')
    parser.add_argument('folders', nargs='*')
    parser.add_argument('--mutations', type=int, default=10000)
    parser.add_argument('--seed', type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        texts = list(shipped_texts())
        for folder in arguments.folders:
            texts += folder_texts(folder, arguments.binary, scratch)
        wrong = compare_texts(arguments.binary, texts, scratch)
        compare_mutations(arguments.binary, texts, arguments.mutations, arguments.seed, scratch)
    sys.exit(wrong > 0)


if __name__ == '__main__':
    main()
