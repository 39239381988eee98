#!/usr/bin/env python3
"""export.py CASES FOLDER: small networks of all kinds of layers, by the exporters that are installed beside this Python.

CASES is torch, keras, jax, classical, paddle or rewritten (which needs torch's networks in FOLDER). Each exporter wants packages that
do not go together, hence an environment each: run.sh. Beside the networks, CASES.json says which could not be exported, and why: that
is the exporter's word, not ours.
"""
import importlib
import json
import pathlib
import sys


def main():
    cases, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    said = {}
    for stem, write in importlib.import_module(f"{cases}_cases").exports(folder):
        path = folder / f"{stem}.onnx"
        try:
            write(path)
            said[stem] = None
        except Exception as error:  # noqa: BLE001: whatever an exporter raises is its answer
            path.unlink(missing_ok=True)
            said[stem] = f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0]}"[:160]
            print(stem, said[stem], flush=True)
    (folder / f"{cases}.json").write_text(json.dumps(said, indent=1) + "\n")
    print(f"{cases}: {sum(why is None for why in said.values())} of {len(said)} exported")


main()
