#!/usr/bin/env python3
"""What the answers of a campaign rest on: every certificate of `unsat` checked again in a process of its own, and changed.

    python benchmarks/certificates.py run TREE CAMPAIGN FOLDER [campaign's options]   the campaign, with what it rests on kept
    python benchmarks/certificates.py check TREE FOLDER                               every certificate, in a fresh process
    python benchmarks/certificates.py mutate TREE FOLDER [--count 1000] [--seed 1]    one thing changed in each of so many
    python benchmarks/certificates.py certainty FOLDER                                what each `sat` rests on

TREE is the folder with instances.csv, CAMPAIGN the judge's campaign.py. FOLDER keeps a certificate, the program's report and its
CPU seconds for every instance. The tables go into benchmarks/verdicts.md.
"""

import argparse
import collections
import csv
import gzip
import hashlib
import json
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "release" / "counterpatch"

# As scripts/run_instance.sh, with a certificate and a report kept under the names of the instance.
SCRIPT = """#!/bin/sh
echo unknown >"$5"
name=$2__$(basename "$3")__$(basename "$4")__$(cat "$3" "$4" | sha256sum | cut -c1-12)
"{binary}" verify "$3" "$4" --timeout "$6" --results-file "$5" --json --certificate "{folder}/$name.cert" >"{folder}/$name.json"
"""


def unpacked(path):
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def names(row):
    return "__".join([row["benchmark"], *(pathlib.Path(row[k]).name.removesuffix(".gz") for k in ("onnx", "vnnlib"))])


def key(tree, row):
    """Names alone are not enough: two folders have a `perturbations_0.onnx` each."""
    digest = hashlib.sha256(unpacked(tree / row["onnx"]) + unpacked(tree / row["vnnlib"])).hexdigest()
    return f"{names(row)}__{digest[:12]}"


def instances(tree, folder):
    """The instances of which something is kept."""
    begun = {file.stem.rpartition("__")[0] for file in folder.glob("*.json")}
    with open(tree / "instances.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key(tree, row): row for row in rows if names(row) in begun}


def run(given):
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as tool:
        script = pathlib.Path(tool) / "run_instance.sh"
        script.write_text(SCRIPT.format(binary=BINARY, folder=folder))
        script.chmod(0o755)
        return subprocess.run([sys.executable, given.campaign, given.tree, "--tool", tool, *given.options]).returncode


def judge(row, tree, file):
    """The first word, all that was said, and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([BINARY, "check", tree / row["onnx"], tree / row["vnnlib"], file], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (done.stdout.split() or [f"exit {done.returncode}"])[0], done.stdout + done.stderr, cpu


def check(given):
    known, groups, bad = instances(given.tree, given.folder), collections.defaultdict(list), 0
    for file in sorted(given.folder.glob("*.cert")):
        row = known[file.name.removesuffix(".cert")]
        start = time.monotonic()
        word, said, cpu = judge(row, given.tree, file)
        wall = time.monotonic() - start
        text = gzip.decompress(file.read_bytes())
        if word != "unsat:checked":
            bad += 1
            print("REFUSED", file.name, " ".join(said.split()))
        for name in (row["benchmark"], "all"):
            groups[name].append((file.stat().st_size, text.count(b"leaf"), cpu, wall))
    print("| benchmark | certificates | KiB: median | largest | parts: median | largest | check, CPU s: median | largest | in all |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, rows in sorted(groups.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        size, parts, cpu, _ = zip(*rows)
        print(f"| {name} | {len(rows)} | {statistics.median(size) / 1024:.1f} | {max(size) / 1024:.1f} | {statistics.median(parts):.0f} "
              f"| {max(parts)} | {statistics.median(cpu):.3f} | {max(cpu):.2f} | {sum(cpu):.1f} |")
    print(f"refused: {bad}")
    return bad


def mutants(file, rng):
    """A certificate's file with one thing changed: a byte of the file, a byte of its text, a number, or a line."""
    packed = file.read_bytes()
    kind = rng.choice(["byte of the file", "byte of the text", "digit", "line"])
    if kind == "byte of the file":
        at = rng.randrange(len(packed))
        return kind, packed[:at] + bytes([packed[at] ^ 1 << rng.randrange(8)]) + packed[at + 1:]
    text = bytearray(gzip.decompress(packed))
    if kind == "byte of the text":
        text[rng.randrange(len(text))] ^= 1 << rng.randrange(8)
    elif kind == "digit":
        at = rng.choice([i for i, byte in enumerate(text) if chr(byte).isdigit()])
        text[at] = ord(rng.choice([d for d in "0123456789" if ord(d) != text[at]]))
    else:
        lines = bytes(text).splitlines(keepends=True)
        at = rng.randrange(len(lines))
        lines = [lines[:at] + lines[at + 1:], lines[:at + 1] + lines[at:], lines[:at]][rng.randrange(3)]
        text = b"".join(lines)
    return kind, gzip.compress(bytes(text))


def mutate(given):
    known, rng = instances(given.tree, given.folder), random.Random(given.seed)
    files, counts, accepted = sorted(given.folder.glob("*.cert")), collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        changed = pathlib.Path(folder) / "changed"
        for _ in range(given.count):
            file = rng.choice(files)
            kind, content = mutants(file, rng)
            changed.write_bytes(content)
            same = False
            try:
                same = gzip.decompress(content) == gzip.decompress(file.read_bytes())
            except Exception:  # noqa: BLE001 whatever is wrong with a damaged file
                pass
            word, said, _ = judge(known[file.name.removesuffix(".cert")], given.tree, changed)
            # A bit of gzip's own header that says nothing of what is inside: the certificate is the one that was written.
            what = "unchanged inside" if same else "accepted" if word == "unsat:checked" else "refused"
            counts[kind, what] += 1
            if what == "accepted":
                accepted += 1
                print("ACCEPTED", file.name, kind)
            # What is no gzip stream any more is refused before anybody looks for a certificate in it.
            if "panicked" in said or (word.startswith("exit") and "the gzip stream is damaged" not in said):
                accepted += 1
                print("NO ANSWER", file.name, kind, " ".join(said.split())[:200])
    for (kind, what), count in sorted(counts.items()):
        print(f"{kind}: {what} {count}")
    return accepted


def certainty(given):
    groups = collections.defaultdict(collections.Counter)
    for file in sorted(given.folder.glob("*.json")):
        events = [json.loads(line) for line in file.read_text().splitlines() if line.startswith("{")]
        verdict = next((event for event in reversed(events) if event.get("event") == "verdict"), {})
        if verdict.get("verdict") == "sat":
            for name in (file.name.split("__")[0], "all"):
                groups[name][verdict.get("certainty")] += 1
            if verdict.get("certainty") != "certified":
                print(verdict.get("certainty"), file.name, verdict.get("why", ""))
    print("| benchmark | `sat` | certified | replayed | thin |\n| --- | ---: | ---: | ---: | ---: |")
    for name, counts in sorted(groups.items(), key=lambda pair: (pair[0] == "all", pair[0])):
        print(f"| {name} | {counts.total()} | {counts['certified']} | {counts['replayed']} | {counts['thin']} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for name, action, paths in [("run", run, ["tree", "campaign", "folder"]), ("check", check, ["tree", "folder"]),
                                ("mutate", mutate, ["tree", "folder"]), ("certainty", certainty, ["folder"])]:
        command = commands.add_parser(name)
        command.set_defaults(action=action)
        for path in paths:
            command.add_argument(path, type=pathlib.Path)
        if name == "mutate":
            command.add_argument("--count", type=int, default=1000)
            command.add_argument("--seed", type=int, default=1)
        if name == "run":
            command.add_argument("options", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    sys.exit(bool(given.action(given)))


if __name__ == "__main__":
    main()
