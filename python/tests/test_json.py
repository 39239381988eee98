"""What the commands print as JSON, held against the schema that the program prints."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from conftest import affine

COMMAND = str(Path(sys.executable).with_name("counterpatch"))
TWO = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
BOX = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))"


def run(*arguments, cwd=None):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300)


@pytest.fixture(scope="module")
def schema():
    schema = json.loads(run("supports", "--json-schema").stdout)
    Draft202012Validator.check_schema(schema)
    return schema


def check(schema, name, text):
    """The objects of a text, a line each, of which the last is of this kind."""
    of = lambda kind: Draft202012Validator({**schema, "anyOf": [{"$ref": f"#/$defs/{kind}"}]})
    *events, last = [json.loads(line) for line in text.splitlines()]
    for event in events:
        of("event").validate(event)
    of(name).validate(last)
    Draft202012Validator(schema).validate(last)
    return last


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sum.onnx").write_bytes(affine([1, 2]).SerializeToString())
    (tmp_path / "possible.vnnlib").write_text(TWO + BOX + "(assert (>= Y_0 1.25))")
    (tmp_path / "impossible.vnnlib").write_text(TWO + BOX + "(assert (>= Y_0 2.5))")
    (tmp_path / "open.vnnlib").write_text(TWO + "(assert (>= X_0 0))(assert (>= Y_0 2.5))")
    (tmp_path / "x.csv").write_text("0.5,0.5\n")
    (tmp_path / "tool.sh").write_text('#!/bin/sh\necho unsat >"$5"\n')
    (tmp_path / "tool.sh").chmod(0o755)
    (tmp_path / "wrong.txt").write_text("sat\n((X_0 0) (X_1 0))\n")
    (tmp_path / "malformed.txt").write_text("sat\n((X_0 \n")
    (tmp_path / "claims.csv").write_text(
        "tool,benchmark,onnx,vnnlib,claim\nA,b,sum.onnx,possible.vnnlib,unsat\nB,b,sum.onnx,possible.vnnlib,sat\n"
    )
    (tmp_path / "instances.csv").write_text("sum.onnx,possible.vnnlib,10\nsum.onnx,impossible.vnnlib,10\n")
    return tmp_path


VERIFY = ("verify", "sum.onnx", "possible.vnnlib", "--timeout", "60", "--json")


@pytest.mark.parametrize(
    ("kind", "exit", "arguments"),
    [
        ("verify", 0, VERIFY),
        ("verify", 0, (*VERIFY, "--count", "3", "--apart", "0.1", "--seed", "7")),
        ("verify", 0, (*VERIFY, "--nearest", "x.csv", "--norm", "l1")),
        ("verify", 0, ("verify", "sum.onnx", "impossible.vnnlib", "--timeout", "60", "--json")),
        ("verify", 0, ("verify", "sum.onnx", "impossible.vnnlib", "--timeout", "1", "--strategy", "sample", "--json")),
        ("verify", 0, ("verify", "sum.onnx", "open.vnnlib", "--timeout", "60", "--json")),
        ("verify", 3, ("verify", "none.onnx", "possible.vnnlib", "--json")),
        ("verify", 2, ("verify", "sum.onnx", "possible.vnnlib", "--timeout", "never", "--json")),
        ("failure", 2, ("verify", "--json", "--nonsense")),
        ("pair", 0, ("pair", "sum.onnx", "possible.vnnlib", "--timeout", "60", "--then-script", "./tool.sh", "--json")),
        ("pair", 0, ("pair", "sum.onnx", "impossible.vnnlib", "--timeout", "60", "--first", "1ms", "--then-script", "./tool.sh", "--json")),
        ("pair", 2, ("pair", "sum.onnx", "possible.vnnlib", "--timeout", "60", "--then-script", "./none.sh", "--json")),
        ("check", 0, ("check", "sum.onnx", "possible.vnnlib", "out.txt", "--json")),
        ("check", 11, ("check", "sum.onnx", "possible.vnnlib", "wrong.txt", "--repair", "mended.txt", "--json")),
        ("check", 11, ("check", "sum.onnx", "possible.vnnlib", "malformed.txt", "--json")),
        ("check", 0, ("check", "sum.onnx", "impossible.vnnlib", "proof.gz", "--json")),
        ("failure", 3, ("check", "sum.onnx", "possible.vnnlib", "none.txt", "--json")),
        ("radius", 0, ("radius", "sum.onnx", "--around", "x.csv", "--timeout", "20", "--json")),
        ("failure", 3, ("radius", "sum.onnx", "--around", "none.csv", "--json")),
        ("repair", 0, ("repair", "DATA/toy.onnx", "--points", "near.csv", "--property", "DATA/toy.vnnlib", "--output", "r.onnx", "--sample", "near.csv", "--json")),
        ("repair", 13, ("repair", "DATA/toy.onnx", "--points", "near.csv", "--property", "DATA/toy.vnnlib", "--output", "r.onnx", "--limit", "1e-9", "--json")),
        ("failure", 3, ("repair", "sum.onnx", "--points", "x.csv", "--property", "none.vnnlib", "--output", "r.onnx", "--json")),
        ("inspect", 0, ("inspect", "DATA/digits_mlp.onnx", "--json")),
        ("inspect", 0, ("inspect", "DATA/smooth.onnx", "--property", "DATA/smooth.vnnlib", "--json")),
        ("failure", 3, ("inspect", "none.onnx", "--json")),
        ("property", 0, ("property", "sum.onnx", "--around", "x.csv", "--eps", "0.1", "--json")),
        ("property", 0, ("property", "sum.onnx", "--around", "x.csv", "--eps", "0.1", "--output", "p.vnnlib", "--json")),
        ("convert", 0, ("convert", "possible.vnnlib", "--network", "sum.onnx", "--json")),
        ("failure", 3, ("convert", "none.vnnlib", "--json")),
        ("audit", 0, ("audit", "claims.csv", "--benchmarks", ".", "--budget", "1", "--json")),
        ("failure", 3, ("audit", "none.csv", "--benchmarks", ".", "--json")),
        ("failure", 3, ("campaign", "status", ".", "--json")),
        ("attack", 0, ("attack", "DATA/shapes_mlp.onnx", "--images", "DATA/shapes.npz", "--protocol", "1", "--method", "random-k", "--output", "a", "--quiet", "--json")),
        ("attack", 0, ("attack", "DATA/shapes_mlp.onnx", "--images", "DATA/shapes.npz", "--protocol", "1", "--method", "random-k", "--limit", "linf=0.5,linf=0.8", "--output", "b", "--quiet", "--json")),
        ("failure", 3, ("attack", "none.onnx", "--images", "DATA/shapes.npz", "--output", "c", "--json")),
    ],
)
def test_what_is_printed_fits_the_schema(schema, folder, data, kind, exit, arguments):
    (folder / "near.csv").write_text("1,0.02\n")
    if "out.txt" in arguments:
        run("verify", "sum.onnx", "possible.vnnlib", "--results-file", "out.txt", cwd=folder)
    if "proof.gz" in arguments:
        run("verify", "sum.onnx", "impossible.vnnlib", "--certificate", "proof.gz", cwd=folder)
    done = run(*(str(argument).replace("DATA", str(data)) for argument in arguments), cwd=folder)
    assert done.returncode == exit, done
    last = check(schema, kind, done.stdout)
    assert last["command"] == arguments[0]
    if "error" in last and isinstance(last["error"], dict):
        assert last["error"]["text"] in done.stderr and last["error"]["exit"] == exit


def test_files_fit_the_schema(schema, folder):
    run(*VERIFY, "--save", "w.json", "--count", "2", cwd=folder)
    saved = json.loads((folder / "w.json").read_text())
    check(schema, "saved", json.dumps(saved))
    done = run("campaign", "run", ".", "--output", "c", "--quiet", cwd=folder)
    assert done.returncode == 0, done
    check(schema, "campaign_status", run("campaign", "status", "c", "--json", cwd=folder).stdout)
    run("campaign", "collect", "c", "--json", "all.json", cwd=folder)
    check(schema, "campaign_collect", (folder / "all.json").read_text())
    run("campaign", "split", "sum.onnx", "impossible.vnnlib", "--parts", "2", "--output", "d", cwd=folder)
    run("campaign", "run", "d", "--quiet", cwd=folder)
    check(schema, "campaign_answer", run("campaign", "answer", "d", "--json", cwd=folder).stdout)


def test_saved_arrays_are_what_the_network_takes(folder):
    run(*VERIFY, "--save", "w.npz", cwd=folder)
    run(*VERIFY, "--save", "w.json", cwd=folder)
    arrays = np.load(folder / "w.npz")
    x, y = arrays["x"], arrays["y"]
    assert (x.dtype, x.shape, y.dtype) == (np.float32, (1, 2), np.float32)
    np.testing.assert_array_equal(y, x + np.array([[1, 2]], dtype=np.float32))
    saved = json.loads((folder / "w.json").read_text())["witnesses"][0]["inputs"][0]
    assert [np.float32(decimal) for decimal in saved["decimals"]] == [np.float32(value) for value in saved["values"]]


def test_what_is_not_described_does_not_fit(schema):
    object = {"counterpatch": "0", "command": "convert", "seconds": 0, "property": "", "file": None}
    of = Draft202012Validator(schema)
    assert of.is_valid(object)
    assert not of.is_valid({**object, "more": 1}) and not of.is_valid({**object, "file": 3})
    assert not of.is_valid({key: value for key, value in object.items() if key != "property"})
