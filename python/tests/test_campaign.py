"""The columnar file of a campaign, read by pyarrow: what pandas, Polars and DuckDB read is the same format."""

import csv
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conftest import affine

COMMAND = str(Path(sys.executable).with_name("counterpatch"))
TWO = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
BOX = "(assert (<= X_0 1))(assert (>= X_0 0))(assert (<= X_1 1))(assert (>= X_1 0))"
TEXTS = ("tool", "benchmark", "onnx", "vnnlib", "claim", "version", "host", "witness", "certificate", "why")
TYPES = {
    **dict.fromkeys(TEXTS, pa.string()),
    **dict.fromkeys(("time_s", "timeout_s", "cpu_s"), pa.float64()),
    **dict.fromkeys(("seed", "peak_bytes"), pa.uint64()),
}


def campaign(folder, *arguments):
    done = subprocess.run([COMMAND, "campaign", *arguments], capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done


def test_the_columnar_file_is_the_table_with_types(tmp_path):
    (tmp_path / "sum.onnx").write_bytes(affine([1, 2]).SerializeToString())
    (tmp_path / "possible.vnnlib").write_text(TWO + BOX + "(assert (>= Y_0 1.25))")
    (tmp_path / "impossible.vnnlib").write_text(TWO + BOX + "(assert (>= Y_0 2.5))")
    (tmp_path / "tool.sh").write_text("#!/bin/sh\necho 'is \u00e4 failing, \"tool\"' >&2\nexit 3\n")
    (tmp_path / "tool.sh").chmod(0o755)
    (tmp_path / "instances.csv").write_text("sum.onnx,possible.vnnlib,10\nsum.onnx,impossible.vnnlib,10.5\n")
    tools = ("--tool", "ours", "--tool", "other=script:tool.sh", "--seeds", "0,18446744073709551615")
    campaign(tmp_path, "run", "instances.csv", "--output", "c", "--quiet", *tools)
    campaign(tmp_path, "collect", "c", "--csv", "results.csv", "--parquet", "results.parquet")
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as table:
        lines = list(csv.DictReader(table))
    table = pq.read_table(tmp_path / "results.parquet")
    rows = table.to_pylist()
    assert len(rows) == len(lines) == 8
    assert {field.name: field.type for field in table.schema} == TYPES
    assert list(table.schema.names) == list(lines[0])
    for row, line in zip(rows, lines):
        for name, value in row.items():
            if value is None:
                assert line[name] == "", (name, line)
            elif name in ("time_s", "cpu_s"):
                assert f"{value:.3f}" == line[name]
            else:
                assert value == type(value)(line[name]), name
    assert sorted({row["claim"] for row in rows}) == ["error", "sat", "unsat"]
    assert {row["seed"] for row in rows} == {0, 18446744073709551615}
    assert [row["witness"] is not None for row in rows] == [row["claim"] == "sat" for row in rows]
    assert any("\u00e4 failing, \"tool\"" in (row["why"] or "") for row in rows)
    # Readers may ask for some columns of some rows.
    decided = pq.read_table(tmp_path / "results.parquet", columns=["tool", "time_s"], filters=[("claim", "=", "sat")])
    assert decided.num_rows == 2 and decided.column_names == ["tool", "time_s"]
