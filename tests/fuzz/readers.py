"""Fuzz the file readers with atheris: damaged files must give one of linscape's own errors.

Run one reader, from the root of a checkout with the extra `test` and atheris installed:

    python tests/fuzz/readers.py csv --seconds 300 --findings /tmp/findings

The readers are csv, parquet, feather, npz, moments, trajectory, certificate and sweep (the
specifications of sweeps). The corpus is made on the spot: small valid files of every kind.
Checksums of .npz files are not checked here, or no mutant would come past them. A finding (any
exception that is no `LinscapeError`, any warning) is saved with its traceback, one for each place
it came from, and the run goes on; a crash of native code or a hang of 20 s ends the run, and
libFuzzer saves the input as crash-… or timeout-…. Exit status 1 if anything was found.
"""

import argparse
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["linscape", "numpy.lib", "zipfile", "json", "tomllib"]):
    import numpy as np
    import pyarrow as pa
    from pyarrow import feather, parquet

    import linscape as ls
    from linscape.errors import LinscapeError
    from linscape.sweep.cells import check_cells
    from linscape.sweep.spec import read_spec

LARGEST = 2**14
MEMORY = 8 * 2**30


def table(rows: int) -> pa.Table:
    """Return a table with a column of every kind that is read."""
    k = np.arange(rows)
    return pa.table(
        {
            "a": k * 0.5,
            "b": pa.array(k, pa.int8()),
            "c": pa.array([["u", "v", "wxyz"][i % 3] for i in k], pa.string()),
            "d": pa.array([["p", "q"][i % 2] for i in k]).dictionary_encode(),
            "e": k % 2 == 0,
            "f": pa.array(k.tolist(), pa.int64()).cast(pa.decimal128(20, 0)),
            "y": 1.0 - k,
        }
    )


def csv_seeds() -> Iterator[bytes]:
    """Yield CSV files: numbers, text, quotes, nulls, line ends, a byte order mark."""
    yield b"a,b,y\n1,2,3\n2,1,5\n4,4,1\n"
    yield b"a,c,y\r\n1.5e3,u,3\r\n-2,v,5\r\n"
    yield b'a,"c,d",y\n1,"u\nv",3\ntrue,,5\n'
    yield b"\xef\xbb\xbfa,y\n1,3\nNaN,inf\n"
    yield b"a,y\n2020-01-01,3\n" + b"1,2\n" * 40


def arrow_seeds(
    write: Callable[..., None], compressions: tuple[str | None, ...]
) -> Iterator[bytes]:
    """Yield tables of numbers, and of all kinds, under each compression."""
    for compression in compressions:
        for rows, names in ((3, ["a", "b", "y"]), (9, ["a", "b", "c", "d", "e", "f", "y"])):
            stream = pa.BufferOutputStream()
            write(table(rows).select(names), stream, compression=compression)
            yield stream.getvalue().to_pybytes()


def npz_seeds() -> Iterator[bytes]:
    """Yield archives of rows: one or two outputs, either order, weights, compressed."""
    X = np.arange(6.0).reshape(3, 2)
    for arrays in (
        {"X": X, "y": X[:, 0]},
        {"X": np.asfortranarray(X), "y": X, "w": np.ones(3)},
        {"X": X.astype("f4"), "y": np.array([True, False, True])},
    ):
        for save in (np.savez, np.savez_compressed):
            yield written(lambda path, save=save, arrays=arrays: save(path, **arrays))


def written(save: Callable[[Path], Any]) -> bytes:
    """Return what `save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.npz"
        save(path)
        return path.read_bytes()


def moments_seeds() -> Iterator[bytes]:
    """Yield saved moments: raw, with means, standardised, with names and two outputs."""
    rows = ls.Moments.from_arrays([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]], [1.0, 2.0, 0.0])
    named = ls.Moments([[2.0]], [[1.0, 0.0]], np.eye(2), names=["a"], targets=["y", "z"])
    for moments in (ls.Moments([[2.0]], [1.0], 1.0), rows, rows.standardized(), named):
        yield written(moments.save)


def trajectory_seeds() -> Iterator[bytes]:
    """Yield saved descents of one net and of two, and a flow."""
    yield written(_descent(None).save)
    yield written(_descent(2).save)


def _descent(batch: int | None) -> ls.Trajectory:
    start = ls.random_weights(_problem(), rng=0, batch=batch)
    return ls.descend(_problem(), start, step_size=0.1, steps=3, record=("loss", "gradient_norm"))


def _problem() -> ls.Problem:
    return ls.Problem(ls.Moments([[1.0]], [1.0], 1.0), ls.Network((2,), weight_decay=0.1))


def certificate_seeds() -> Iterator[bytes]:
    """Yield certificates: one output, several without hidden layers, free biases."""
    rows = ls.Moments.from_arrays([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]], [1.0, 2.0, 0.0])
    free = ls.Network((2,), weight_decay=0.1, bias="free", noise=0.5)
    several = ls.Moments([[2.0]], [[1.0, 0.0]], np.eye(2))
    for problem in (_problem(), ls.Problem(rows, free), ls.Problem(several, ls.Network(()))):
        document = ls.certificate_document(ls.global_minimum(problem))
        yield json.dumps(document).encode()


def sweep_seeds() -> Iterator[bytes]:
    """Yield specifications with every key: of data, networks and descents."""
    yield b"""seed = 3
reduction = "half_mean"
[data.houses]
files = ["a.csv", "b.csv"]
target = "price"
drop = ["id"]
sample_weight = "w"
one_hot = true
raw = false
[[networks]]
hidden = [[8], [8, 8]]
dropout = [0.0, 0.2, [0.1, 0.2]]
weight_decay = [0.1, 0.2]
[descents]
scheme = ["kaiming", "xavier"]
gain = [0.5, 1]
seeds = 4
step_size = ["auto", 0.01]
steps = 100
"""
    yield b"""[data.drawn]
synthetic = "normal"
rows = 50
inputs = 4
outputs = 2
exponent = 1.0
residual = 0.1
seed = 7
[data.saved]
moments = "m.npz"
[[networks]]
hidden = [[]]
weight_decay = [0, 1e-3, [1.0]]
bias = [false, "free", "decayed"]
input_noise = 0.5
[[networks]]
hidden = [[3, 2]]
noise = [[0.5, 1.0]]
weight_decay = 1
"""


def read_table(path: Path) -> None:
    """Read the rows with and without text columns, as one output, two, and with weights."""
    _each(
        lambda: ls.read_moments(path, target="y", one_hot=True),
        lambda: ls.read_moments(path, target="y", drop=["c", "d", "f"]),
        lambda: ls.read_moments(path, target=["y", "a"], sample_weight="b"),
    )


def read_archive(path: Path) -> None:
    """Read the rows with and without weights."""
    _each(lambda: ls.read_moments(path), lambda: ls.read_moments(path, sample_weight="w"))


def load_moments(path: Path) -> None:
    """Load moments and use them."""
    moments = ls.Moments.load(path)
    repr(moments)
    _each(
        lambda: (moments.A, moments.C, moments.yy),
        lambda: moments + moments,
        moments.standardized,
        lambda: ls.Problem(moments, ls.Network((2,))),
    )


def load_trajectory(path: Path) -> None:
    """Load a trajectory and print it."""
    trajectory = ls.Trajectory.load(path)
    repr(trajectory)
    json.dumps(trajectory.to_dict(), allow_nan=False)


def load_certificate(path: Path) -> None:
    """Read a certificate."""
    ls.read_certificate(path)


def load_spec(path: Path) -> None:
    """Read a specification, write it out, and list its networks."""
    spec = read_spec(path)
    assert read_spec(spec.to_dict()) == spec
    check_cells(spec)


def _each(*calls: Callable[[], Any]) -> None:
    """Make every call, each of which may refuse its input."""
    for call in calls:
        try:
            call()
        except LinscapeError:
            continue


DOORS: dict[str, tuple[str, Callable[[], Iterator[bytes]], Callable[[Path], None]]] = {
    "csv": (".csv", csv_seeds, read_table),
    "parquet": (
        ".parquet",
        lambda: arrow_seeds(parquet.write_table, ("none", "snappy")),
        read_table,
    ),
    "feather": (
        ".feather",
        lambda: arrow_seeds(feather.write_feather, ("uncompressed", "lz4")),
        read_table,
    ),
    "npz": (".npz", npz_seeds, read_archive),
    "moments": (".npz", moments_seeds, load_moments),
    "trajectory": (".npz", trajectory_seeds, load_trajectory),
    "certificate": (".json", certificate_seeds, load_certificate),
    "sweep": (".toml", sweep_seeds, load_spec),
}


class Findings:
    """What was found: one input and traceback for each place that raised."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: set[str] = set()
        self.runs = 0

    def keep(self, error: BaseException, data: bytes) -> None:
        """Save the input, if nothing was found at this place before."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{type(error).__name__} {[(f.filename, f.lineno) for f in frames]}"
        if place in self.places:
            return
        self.places.add(place)
        name = hashlib.sha256(place.encode()).hexdigest()[:12]
        (self.folder / name).write_bytes(data)
        text = "".join(traceback.format_exception(error))
        (self.folder / f"{name}.txt").write_text(text)
        print(f"found {name}: {type(error).__name__}: {str(error)[:200]}", flush=True)


def main() -> None:
    """Fuzz one reader."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=DOORS)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    suffix, seeds, read = DOORS[options.reader]
    findings = Findings(options.findings / options.reader)
    findings.folder.mkdir(parents=True, exist_ok=True)
    # of numpy's archives only the checksum of a member would stop every mutant
    zipfile.ZipExtFile._update_crc = lambda self, newdata: None  # type: ignore[attr-defined]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("error")
    # numpy's own advice on damaged headers
    warnings.filterwarnings("ignore", message="Reading `.npy` or `.npz` file required")
    warnings.filterwarnings("ignore", message="Data type alias")
    with tempfile.TemporaryDirectory(dir=_memory_disk()) as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(seeds()):
            (corpus / str(number)).write_bytes(seed)
        path = Path(folder) / f"mutant{suffix}"
        end = time.monotonic() + options.seconds

        def one(data: bytes) -> None:
            path.write_bytes(data)
            findings.runs += 1
            try:
                read(path)
            except LinscapeError:
                pass
            except Exception as error:
                findings.keep(error, data)
            if time.monotonic() > end:
                print(
                    f"{options.reader}: {findings.runs} runs in {options.seconds} s, "
                    f"{len(findings.places)} findings",
                    flush=True,
                )
                path.unlink()
                os._exit(bool(findings.places))

        atheris.Setup(
            [
                sys.argv[0],
                str(corpus),
                f"-artifact_prefix={findings.folder}/",
                f"-max_len={LARGEST}",
                "-timeout=20",
                "-rss_limit_mb=4096",
                f"-seed={options.seed}",
                "-print_final_stats=0",
                "-verbosity=0",
            ],
            one,
        )
        atheris.Fuzz()


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    main()
