#!/usr/bin/env python3
"""kills.py PROGRAM CAMPAIGN [--kills 20] [--seed 0] [--slurm CLUSTER] [--against BASELINE]: random kills while a campaign runs.

CAMPAIGN is a planned folder. On one machine two processes `campaign run --jobs 1` work on it, and each kill takes, by chance, a
unit's process, its guard or one of the two, which is then started again. With --slurm CLUSTER, the folder of a cluster of
`scripts/slurm.sh` with SLURM_CONF set, `campaign submit --wait` does the work, and a kill takes a unit's process, a task
(`scontrol requeue`), a node (slurmd and all that it runs; it comes back) or the process that submits and waits, which then waits
again (the nodes should have a processor each, `slurm.sh start CLUSTER 1`: a submission does not end the tasks of the one before). Kills are
spread evenly over --seconds. Starts of units are counted from outside, by what the kernel reports (inotifywait,
package inotify-tools): each start makes a folder in TMPDIR, which is one of this run's own, and each claim a file.

Prints the kills by kind, how many units were started again, units that were claimed more than once though nobody had killed them (a
claim is given back where a result has come in the meantime), and, with --against, units whose verdict differs from that of the same
key in another campaign.
"""

import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


# The exit status of `campaign submit --wait` where no task is left and units have no result.
NO_TASK_LEFT = 15


def processes():
    """All processes: number, parent, words of the command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            except (OSError, ValueError):
                continue
            found[int(entry.name)] = (parent, words)
    return found


def below(number, all_of_them):
    """A process and all that it has started."""
    found = [number]
    for one in found:
        found += [other for other, (parent, _) in all_of_them.items() if parent == one]
    return found


class Claims:
    """The claims of a campaign, how often each unit was claimed, and how many were started."""

    def __init__(self, folder):
        self.folder = folder / "claims"
        self.claimed, self.started = collections.Counter(), 0
        os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="kills-")
        command = ["inotifywait", "-m", "-q", "-e", "create", "-e", "moved_to", "--format", "%f", str(self.folder), os.environ["TMPDIR"]]
        self.watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        time.sleep(0.5)

    def read(self):
        for line in self.watch.stdout:
            key = line.strip().split(".")[0]
            if re.fullmatch("[0-9a-f]{64}", key):
                self.claimed[key] += 1
            self.started += line.startswith("counterpatch-")

    def held(self, holder):
        """Keys that a process holds now."""
        keys = set()
        for path in self.folder.iterdir():
            try:
                if json.loads(path.read_text())["process"] == holder:
                    keys.add(path.name.split(".")[0])
            except (OSError, ValueError):
                pass
        return keys


class Machine:
    """Two processes of one machine."""

    kinds = ["unit", "guard", "run"]

    def __init__(self, options):
        self.command = [options.program, "campaign", "run", str(options.campaign), "--jobs", "1", "--quiet"]
        self.runs = [self.start(), self.start()]

    def start(self):
        return subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def drivers(self):
        return [run.pid for run in self.runs if run.poll() is None]

    def kill(self, kind, driver):
        at = next(at for at, run in enumerate(self.runs) if run.pid == driver)
        self.runs[at].kill()
        self.runs[at].wait()
        self.runs[at] = self.start()

    def is_done(self):
        return all(run.poll() is not None for run in self.runs)


class Cluster:
    """An array of two tasks on two nodes of this machine."""

    kinds = ["unit", "guard", "task", "node", "submission"]

    def __init__(self, options):
        self.options = options
        self.waits = self.submit()

    def submit(self):
        command = [self.options.program, "campaign", "submit", str(self.options.campaign), "--slurm", "--array-size", "2", "--wait"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)

    def drivers(self):
        folder = str(self.options.campaign)
        is_run = lambda words: words[1:4] == ["campaign", "run", folder]
        return [number for number, (_, words) in processes().items() if is_run(words)]

    def tasks(self):
        """Task and node by the process that runs units."""
        said = subprocess.run(["squeue", "--noheader", "--array", "--states=R", "--format=%i %N"], capture_output=True, text=True).stdout
        nodes = dict(line.split() for line in said.splitlines() if len(line.split()) == 2)
        by_driver = {}
        for driver in self.drivers():
            environment = Path(f"/proc/{driver}/environ").read_bytes().decode(errors="replace").split("\0")
            values = dict(entry.split("=", 1) for entry in environment if "=" in entry)
            task = f"{values.get('SLURM_ARRAY_JOB_ID')}_{values.get('SLURM_ARRAY_TASK_ID')}"
            if task in nodes:
                by_driver[driver] = (task, nodes[task])
        return by_driver

    def kill(self, kind, driver):
        if kind == "submission":
            self.waits.kill()
            self.waits.wait()
            self.waits = self.submit()
            return
        task, node = self.tasks()[driver]
        if kind == "task":
            subprocess.run(["scontrol", "requeue", task], check=True)
            return
        pid = int((self.options.slurm / f"{node}.pid").read_text())
        all_of_them = processes()
        steps = [n for n, (_, words) in all_of_them.items() if words and "slurmstepd" in words[0] and driver in below(n, all_of_them)]
        for number in [pid] + [n for step in steps for n in below(step, all_of_them)]:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=down", "reason=killed"], check=True)
        subprocess.run(["slurmd", "-f", os.environ["SLURM_CONF"], "-N", node], check=True)
        # It may have come back by itself.
        subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], stderr=subprocess.DEVNULL, check=False)

    def is_done(self):
        if self.waits.poll() is None:
            return False
        if self.waits.returncode == NO_TASK_LEFT:
            # Units are: what a person would do.
            self.waits = self.submit()
            return False
        if self.waits.returncode != 0:
            sys.exit(f"campaign submit ended with {self.waits.returncode}")
        return True


def strike(side, claims, chance):
    """One kill: its kind and the units that it may have taken; nothing if nobody runs a unit just now."""
    kind = chance.choice(side.kinds)
    drivers = side.drivers()
    if not drivers:
        return None
    driver = chance.choice(drivers)
    victims = claims.held(driver)
    try:
        if kind in ("unit", "guard"):
            all_of_them = processes()
            group = below(driver, all_of_them)[1:]
            is_guard = lambda number: all_of_them[number][1][1:2] == ["guard"]
            chosen = [number for number in group if is_guard(number) == (kind == "guard")]
            if not chosen:
                return None
            os.kill(chance.choice(chosen), signal.SIGKILL)
        else:
            side.kill(kind, driver)
    except (ProcessLookupError, KeyError, FileNotFoundError):
        return None
    # What it has begun between the look and the kill.
    return kind, victims | claims.held(driver)


def verdicts(folder):
    """The verdict of each key."""
    return {path.stem: json.loads(path.read_text())["verdict"] for path in (folder / "units").glob("*.json")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("campaign", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600, help="over which the kills are spread [600]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slurm", type=Path, metavar="CLUSTER")
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    options.campaign = options.campaign.resolve()
    chance = random.Random(options.seed)
    claims = Claims(options.campaign)
    start = time.monotonic()
    side = Cluster(options) if options.slurm else Machine(options)
    kinds, killed = collections.Counter(), set()
    while not side.is_done():
        time.sleep(chance.uniform(0.5, 1.5) * options.seconds / options.kills if kinds.total() < options.kills else 1)
        if kinds.total() < options.kills and not side.is_done() and (struck := strike(side, claims, chance)):
            kinds[struck[0]] += 1
            killed |= struck[1]
            print(f"{time.monotonic() - start:.0f} s: {struck[0]}, units {', '.join(key[:12] for key in struck[1])}", flush=True)
    seconds = time.monotonic() - start
    time.sleep(1)
    claims.watch.kill()
    found = verdicts(options.campaign)
    twice = {key for key, count in claims.claimed.items() if count > 1}
    print(f"kills: {dict(kinds)}; {seconds:.0f} s")
    print(f"units with a result: {len(found)}; starts: {claims.started}, so {claims.started - len(found)} again; killed: {len(killed)}")
    print(f"claims: {claims.claimed.total()}; claimed more than once: {len(twice)}, of which nobody has killed: {len(twice - killed)}")
    print(f"left behind: {len(list((options.campaign / 'claims').iterdir()))} claims")
    if options.against:
        before = verdicts(options.against)
        print(f"keys of both: {len(before.keys() & found.keys())} of {len(before)} and {len(found)}")
        moved = collections.Counter((before[key], found[key]) for key in before.keys() & found.keys() if before[key] != found[key])
        print("verdicts that differ:", ", ".join(f"{a} then {b}: {n}" for (a, b), n in moved.items()) or "none")
        opposed = sum({a, b} == {"sat", "unsat"} for a, b in moved.elements())
        sys.exit(1 if opposed or before.keys() != found.keys() else 0)


if __name__ == "__main__":
    main()
