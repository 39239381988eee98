"""Signals, threads, the command, and the programs that are shown to readers."""

import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import counterpatch

ROOT = Path(__file__).resolve().parents[2]

# A search that would go on for long: outputs reach 0.9 by gradients, and bounds exclude 28 at first.
ENDLESS = """
import signal, sys, threading, os, time
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
import counterpatch
# Whoever starts the tests may have it ignored, as a shell does for what runs in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
random = np.random.default_rng(1)
sizes = [20, 60, 60, 60, 1]
nodes, constants, value = [], [], "x"
for layer, (rows, columns) in enumerate(zip(sizes, sizes[1:])):
    weights = random.normal(size=(rows, columns)).astype(np.float32) / rows**0.5
    constants.append(numpy_helper.from_array(weights, f"w{layer}"))
    nodes.append(helper.make_node("MatMul", [value, f"w{layer}"], [f"m{layer}"]))
    nodes.append(helper.make_node("Relu" if layer < 3 else "Identity", [f"m{layer}"], [f"v{layer}"]))
    value = f"v{layer}"
info = helper.make_tensor_value_info
graph = helper.make_graph(nodes, "wide", [info("x", TensorProto.FLOAT, [1, 20])],
                          [info(value, TensorProto.FLOAT, [1, 1])], constants)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 8
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)


def test_an_interrupt_ends_the_search_and_others_run_meanwhile():
    done = run(
        ENDLESS
        + """
turns = []
def interrupt():
    for _ in range(5):
        turns.append(1)  # needs the interpreter's lock
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    counterpatch.falsify(model, box=(np.full(20, -1.0), np.ones(20)), unsafe=([[-1]], [-1.5]), timeout=250)
    print("no interrupt")
except KeyboardInterrupt:
    print("interrupted", len(turns))
"""
    )
    assert done.stdout == "interrupted 5\n", done


def test_searches_run_on_threads_of_python():
    from conftest import affine

    verdicts = {}

    def ask(number: int) -> None:
        unsafe = ([[-1, 0]], [-1.5 if number % 2 else -2.5])
        verdicts[number] = counterpatch.falsify(affine([1, 2]), box=([0, 0], [1, 1]), unsafe=unsafe, timeout=60).status

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert verdicts == {0: "unsat", 1: "sat", 2: "unsat", 3: "sat"}


def test_the_command_is_that_of_the_program(tmp_path, data):
    command = [str(Path(sys.executable).with_name("counterpatch"))]
    results = tmp_path / "out.txt"
    asked = [str(data / "digits_mlp.onnx"), str(data / "digits_mlp_easy.vnnlib")]
    options = ["--timeout", "60", "--results-file", str(results), "--quiet"]
    for program in (command, [sys.executable, "-m", "counterpatch"]):
        done = subprocess.run([*program, "verify", *asked, *options], capture_output=True, text=True)
        assert (done.returncode, results.read_text().split("\n")[0]) == (0, "sat"), done
    done = subprocess.run([*command, "verify"], capture_output=True, text=True)
    assert done.returncode == 2, done


def test_a_second_tool_is_guarded_by_the_command_too(tmp_path, data):
    script = tmp_path / "run_instance.sh"
    script.write_text('#!/bin/sh\necho unsat >"$5"\n')
    script.chmod(0o755)
    asked = [str(data / "digits_mlp.onnx"), str(data / "digits_mlp_robust.vnnlib")]
    done = subprocess.run(
        [sys.executable, "-m", "counterpatch", "pair", *asked, "--timeout", "60", "--first", "1ms", "--then-script", str(script)],
        capture_output=True, text=True,
    )
    assert done.returncode == 0 and done.stdout.startswith("unsat"), done
    assert "cannot be run" not in done.stderr and "no answer" not in done.stderr, done


def test_the_example_finds_the_defect(capsys):
    program = runpy.run_path(str(ROOT / "python/examples/controller.py"))
    program["main"]()
    safe, unsafe, where = capsys.readouterr().out.strip().split("\n")
    assert "0.5: unsat" in safe and "1.0: sat" in unsafe and "it pushes with" in where
    witness = program["pushes_on"](1.0).witness
    assert witness.inputs["state"].sum() > 1.4 and witness.outputs["push"] >= 0.2


def test_the_page_of_python_runs(monkeypatch):
    page = ROOT / "docs/src/python.md"
    programs = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    monkeypatch.chdir(ROOT)
    names, before = {}, signal.getsignal(signal.SIGINT)
    for program in programs:
        exec(compile(program, str(page), "exec"), names)
    assert programs and names["verdict"].status == "sat", names
    assert os.getcwd() == str(ROOT) and signal.getsignal(signal.SIGINT) is before


def test_the_readme_runs(tmp_path):
    page = (ROOT / "README.md").read_text()
    [(name, query)] = re.findall(r"```lisp,file=(\S+)\n(.*?)```", page, re.DOTALL)
    (tmp_path / name).write_text(query)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    [line] = [line for line in page.split("\n") if line.startswith("python -c ")]
    _, option, program = shlex.split(line)
    done = subprocess.run([sys.executable, option, program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("sat {"), done
