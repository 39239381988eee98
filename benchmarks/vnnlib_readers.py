#!/usr/bin/env python3
"""Reading speed of the crate vnnlib beside the reference parser (PyPI package vnnlib), on VNN-LIB 2.0.

    cargo build --release -p vnnlib --example vnnlib
    python3 -m venv .venv && .venv/bin/pip install vnnlib==1.0.2
    .venv/bin/python benchmarks/vnnlib_readers.py target/release/examples/vnnlib [FILE.vnnlib[.gz]...]

Two queries are generated, an `or` of 120,000 small boxes and one of 500 boxes over 308 inputs; files in version 1.0 are
converted to 2.0 first. Printed are CPU seconds: ours of the whole process that reads and checks the file, the
reference's of the call that parses the string. The best of five runs counts.
"""
import gzip
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import vnnlib


def boxes(inputs, disjuncts):
    lines = ['(vnnlib-version <2.0>)', f'(declare-network N (declare-input X real [{inputs}]) (declare-output Y real [1]))',
             '(assert (or']
    for k in range(disjuncts):
        atoms = []
        for i in range(inputs):
            low = (k * 37 + i * 11) / 7919
            atoms.append(f'(>= X[{i}] {low:.16f}) (<= X[{i}] {low + 1e-3:.16f})')
        lines.append('(and ' + ' '.join(atoms) + ' (<= Y[0] 0.6058041961681648))')
    return '\n'.join([*lines, '))', ''])


def texts(binary, paths, scratch):
    yield '120,000 boxes of 1 input', boxes(1, 120000)
    yield '500 boxes of 308 inputs', boxes(308, 500)
    for path in map(pathlib.Path, paths):
        data = path.read_bytes()
        plain = scratch / 'original.vnnlib'
        plain.write_bytes(gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data)
        text = plain.read_text()
        if '(vnnlib-version' not in text:
            text = subprocess.run([binary, '--convert', plain], capture_output=True, text=True, check=True).stdout
        yield path.name, text


def ours(binary, path):
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = used()
    subprocess.run([binary, '--quiet', path], check=True)
    return used() - before


def reference(text):
    before = time.process_time()
    vnnlib.parse_query_string(text)
    return time.process_time() - before


def main():
    binary, *paths = sys.argv[1:]
    print(f'{"query":40} {"MB":>7} {"ours s":>8} {"MB/s":>7} {"reference s":>12} {"MB/s":>7} {"ratio":>6}')
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for name, text in texts(binary, paths, scratch):
            path = scratch / 'query.vnnlib'
            path.write_text(text)
            size = path.stat().st_size / 1e6
            mine = min(ours(binary, path) for _ in range(5))
            theirs = min(reference(text) for _ in range(5))
            print(f'{name:40} {size:7.2f} {mine:8.3f} {size / mine:7.0f} {theirs:12.3f} {size / theirs:7.1f} {theirs / mine:6.1f}')


if __name__ == '__main__':
    main()
