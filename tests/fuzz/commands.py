"""Fuzz the command line: every command with random options and files, in this process.

    python tests/fuzz/commands.py --seconds 600 --findings /tmp/findings

A finding is a traceback, an exit status other than 0, 1, 2 and 130, a status 2 without exactly one
line on stderr, a warning, ``--json`` that prints no strict JSON, or more than 20 s. It is saved
with its arguments, the shortest for each place it came from. `explore` is left out: it never ends.
`reproduce` is given no figure that exists. Exit status 1 if anything was found.
"""

import argparse
import contextlib
import io
import json
import math
import os
import random
import shlex
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import typer.main

import linscape as ls
from linscape.cli import app, main

LONGEST = 20
LEFT_OUT = ("explore",)
# options that would rightly take long with a large number, or need a cluster
SMALL = {
    "--steps": ["0", "1", "30", "-1", "x"],
    "--starts": ["1", "3", "0", "x"],
    "--executor": ["serial", "serial", "none", ""],
    "--scheduler": [""],
    "--workers": ["1", "0"],
    "--limit": ["0", "1", "5", "-3", "x"],
}
FITTING = {
    "--target": ["y", "y", "y", "y", "a", "c"],
    "--hidden": ["2", "2,3", "none", "1,1,1", "64,64", "4,4,4,4"],
    "--dropout": ["0.5", "0", "0.1,0.2", "0.9"],
    "--noise": ["0.5", "0", "1,2", "1e-9", "1e9"],
    "--input-dropout": ["0.1", "0", "0.99"],
    "--weight-decay": ["0.01", "0", "1e-3", "0.1,0.2", "1e-9", "1e9", "1"],
    "--sample-weight": ["a", "w"],
    "--drop": ["a", "b", "c"],
    "--plot": ["p.png", "p.svg", "p.jpg"],
    "--save": ["s.npz", "s", "good.csv", "none/s.npz"],
    "--certificate": ["c.json"],
    "--html": ["h.html"],
    "--scheme": ["kaiming", "orthogonal", "pytorch", "none"],
    "--gain": ["1", "0.1", "1e-3"],
    "--seed": ["0", "7"],
    "--step-size": ["0.1", "1e-3", "1e9", "0"],
    "--store": ["store", "good.csv"],
    "--chunk": ["1", "16"],
    "--out": ["figures"],
    "--data": ["."],
}
WILD = [
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e400", "1e-400", "99999999999999999999", "x", "é",
    "γ\u202e", "\x00", "a,b", ",", "1,,2", "--", "-", "*", "?[", "/", "..", "/dev/null",
    "/dev/full", "y" * 300, "1_000", "True", "None", "{}", "\n", "2\n3", "'", '"', "0.5;0.2", "٣",
]  # fmt: skip
SPEC = """
seed = 0
[data.drawn]
files = "good.csv"
target = "y"
[[networks]]
hidden = [[2], [2, 3]]
dropout = [0.0, 0.2]
weight_decay = [1e-2, 0.1]
"""
NAMES = [
    "good.csv", "good.csv", "good.csv", "text.csv", "good.parquet", "two.npz", "moments.npz",
    "empty.csv", "header.csv", "constant.csv", "nan.csv", "huge.csv", "tiny.csv", "one.csv",
    "c.json", "good.toml", "bad.toml", "script.py:build", "script.py:none", "script.py", "none.csv",
    "*.csv", ".", "raises.py:build",
]  # fmt: skip


def files(folder: Path) -> None:
    """Write the files that commands are given."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((12, 4))
    table[:, 3] += table[:, 0]
    rows = ["a,b,w,y", *(",".join(map(repr, row.tolist())) for row in table)]
    contents = {
        "good.csv": "\n".join(rows) + "\n",
        "text.csv": "a,c,y\n1,u,3\n2,v,5\n3,u,1\n",
        "empty.csv": "",
        "header.csv": "a,y\n",
        "constant.csv": "a,y\n1,2\n1,2\n",
        "nan.csv": "a,y\n1,nan\n2,3\n",
        "huge.csv": "a,y\n1e200,1\n-1e200,2\n3e200,1\n",
        "tiny.csv": "a,y\n1e-200,1\n-1e-200,2\n3e-200,1\n",
        "one.csv": "a,y\n1,2\n",
        "bad.toml": "x = [",
        "good.toml": SPEC,
        "script.py": "def build():\n    return 1\n",
        "raises.py": "raise KeyError\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    np.savez(folder / "two.npz", X=table[:, :3], y=table[:, 2:])
    moments = ls.Moments.from_arrays(table[:, :3], table[:, 3])
    moments.save(folder / "moments.npz")
    minimum = ls.global_minimum(ls.Problem(moments, ls.Network((2,), weight_decay=0.01)))
    (folder / "c.json").write_text(json.dumps(ls.certificate_document(minimum)))
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"a": table[:, 0], "y": table[:, 3]}), folder / "good.parquet")


def drawn(rng: random.Random, commands: dict[str, Any]) -> list[str]:
    """Return the arguments of one call."""
    name = rng.choice(list(commands))
    call = [name]
    for parameter in commands[name].params:
        option = parameter.opts[0]
        if parameter.param_type_name == "argument":
            given = ["none"] if name == "reproduce" else [rng.choice([*NAMES, rng.choice(WILD)])]
            call += given * rng.choice([1, 1, 1, 1, 1, 0, 2])
        elif parameter.is_flag:
            call += [option] * (rng.random() < 0.3)
        elif rng.random() < (0.95 if option in ("--target", "--hidden") else 0.25):
            values = SMALL.get(option, FITTING.get(option, WILD))
            values = values if option in SMALL or rng.random() < 0.9 else WILD
            call += [option, rng.choice(values)]
    if rng.random() < 0.03:
        call.insert(rng.randrange(len(call) + 1), rng.choice(WILD))
    return [word for word in call if word != "--all"]


def wrong(call: list[str]) -> str:
    """Make one call in the current folder; return what is wrong with it, or nothing."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    status: Any = None
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main(call)
    except SystemExit as ended:
        status = ended.code
    except BaseException as error:  # whatever it is, it is a finding
        return f"{type(error).__name__} {_place(error)}\n{traceback.format_exc()}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if status not in (0, 1, 2, 130):
        return f"status {status!r}"
    if status == 2 and err.getvalue().count("\n") != 1:
        return f"status 2 and {err.getvalue().count(chr(10))} lines on stderr\n{err.getvalue()}"
    if status == 0 and "--json" in call and not {"-h", "--help"} & set(call):
        out.flush()
        text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
        try:
            json.loads(text, parse_constant=lambda name: [][math.inf])  # type: ignore[call-overload]
        except (ValueError, TypeError):
            return f"no strict JSON\n{text[:500]}"
    return ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if "/linscape/" in frame.filename] or list(frames)
    return f"{inside[-1].filename}:{inside[-1].lineno} {str(error)[:80]!r}"


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {LONGEST} s of processor time")


def run() -> None:
    """Make calls until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGPROF, _too_long)
    warnings.simplefilter("error")
    findings = options.findings.resolve()
    findings.mkdir(parents=True, exist_ok=True)
    listed = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    commands = {name: command for name, command in listed.items() if name not in LEFT_OUT}
    rng, runs, found = random.Random(options.seed), 0, {}
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        while time.monotonic() < end:
            if runs % 50 == 0:  # commands may have written over them
                files(Path(folder))
            call = drawn(rng, commands)
            runs += 1
            what = wrong(call)
            place = what.partition("\n")[0]
            if not what or len(shlex.join(call)) >= found.get(place, sys.maxsize):
                continue
            if place not in found:
                print(f"found: {place}: {shlex.join(call)}", flush=True)
            found[place] = len(shlex.join(call))
            number = list(found).index(place)
            (findings / f"{number}.txt").write_text(f"{shlex.join(call)}\n\n{what}\n")
        os.chdir("/")
    print(f"{runs} runs in {options.seconds:g} s, {len(found)} findings", flush=True)
    sys.exit(bool(found))


if __name__ == "__main__":
    run()
