"""Fuzz every public function with hypothesis: wild but typed arguments, all of them checked.

Run all functions, or the ones named, from the root of a checkout with the extra `test`:

    python tests/fuzz/functions.py --seconds 1800 --findings /tmp/findings
    python tests/fuzz/functions.py --seconds 60 --findings /tmp/findings phase classify

Arguments fit the function nine times in ten, on problems of every kind and of scales from 1e-300 to
1e300; else they are of another type or shape, empty, negative, NaN or infinite. A finding is an
exception that is no `LinscapeError`, a warning, NaN in a result, a result whose ``to_dict()`` is no
strict JSON or that has no repr, or a call of more than 20 s. It is saved with its traceback, once
for each place it came from; of several examples the shortest is kept. Exit status 1 if anything was
found. Every run prints its seed, and ``--seed`` repeats it.
"""

import argparse
import hashlib
import inspect
import json
import os
import random
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from strategies import calls

import linscape as ls
from linscape.errors import LinscapeError

LONGEST = 20


class Hang(Exception):
    """A call that took too long."""


def after_minimum(name: str) -> Callable[..., Any]:
    """Return a method of the global minimum as a function of the problem."""

    def call(problem: Any, X: Any) -> Any:
        method = getattr(ls.global_minimum(problem), name)
        return method() if name == "weights" else method(X)

    return call


def estimator(name: str) -> Callable[..., Any]:
    """Return fit and predict of an estimator as a function of the rows."""

    def call(X: Any, y: Any, hidden: Any, weight_decay: Any) -> Any:
        cls = getattr(ls.sklearn, name)
        many = name.endswith("CV")
        options = {"hidden": [hidden], "weight_decay": [weight_decay], "cv": 2}
        options = options if many else {"hidden": hidden, "weight_decay": weight_decay}
        known = inspect.signature(cls).parameters
        fitted = cls(**{key: value for key, value in options.items() if key in known}).fit(X, y)
        return fitted.predict(X)

    return call


def method(cls: type, name: str, first: str) -> Callable[..., Any]:
    """Return a method as a function whose first argument is the object."""
    inner = list(inspect.signature(getattr(cls, name)).parameters.values())[1:]
    own = inspect.Parameter(first, inspect.Parameter.POSITIONAL_OR_KEYWORD)

    def call(*args: Any, **named: Any) -> Any:
        owner = named.pop(first) if first in named else args[0]
        if not isinstance(owner, cls):
            return None
        return getattr(owner, name)(*args[1:], **named)

    call.__signature__ = inspect.Signature([own, *inner])  # type: ignore[attr-defined]
    return call


def doors() -> dict[str, Callable[..., Any]]:
    """Return every public function, and the constructors and methods that take arguments."""
    found: dict[str, Callable[..., Any]] = {}
    for names in ls._NAMES.values():
        found |= {
            name: getattr(ls, name) for name in names if inspect.isfunction(getattr(ls, name))
        }
    found |= {
        f"bounds.{name}": value
        for name, value in vars(ls.bounds).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    del found["read_moments"], found["read_certificate"]
    found |= {"Moments": ls.Moments, "Network": ls.Network, "Problem": ls.Problem}
    for name in ("from_arrays", "from_operator", "from_dask"):
        found[f"Moments.{name}"] = getattr(ls.Moments, name)
    for name in ("apply", "apply_covariance", "centered", "standardized", "__add__", "__sub__"):
        found[f"Moments.{name}"] = method(ls.Moments, name, "moments")
    for name in (
        "loss",
        "gradient",
        "hessian_product",
        "hessian_operator",
        "hessian",
        "predictor",
        "intercept",
        "energies",
        "flatten",
        "unflatten",
    ):
        found[f"Problem.{name}"] = method(ls.Problem, name, "problem")
    for name in ("predict", "prediction_variance", "weights"):
        found[f"GlobalMinimum.{name}"] = after_minimum(name)
    for name in ("DeepLinearRegressor", "DeepLinearRegressorCV"):
        found[f"sklearn.{name}"] = estimator(name)
    return found


def blemishes(value: Any, path: str = "result", deep: int = 0) -> Iterator[str]:
    """Yield where a result holds NaN; fail if a part of it is no strict JSON."""
    if hasattr(value, "to_dict"):
        json.dumps(value.to_dict(), allow_nan=False)
    if isinstance(value, float | np.ndarray | np.floating):
        array = np.asarray(value)
        if array.dtype.kind == "f" and np.isnan(array).any():
            yield path
    for step, part in parts_of(value) if deep < 6 else ():
        yield from blemishes(part, f"{path}{step}", deep + 1)


def parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a result, and how to reach them."""
    if isinstance(value, list | tuple):
        yield from ((f"[{k}]", part) for k, part in enumerate(value[:20]))
    elif isinstance(value, dict):
        yield from ((f"[{key!r}]", part) for key, part in value.items())
    elif is_dataclass(value):
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))


class Findings:
    """What was found: the shortest example for each place that failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes: dict[str, int] = {}
        self.runs: dict[str, int] = {}
        self.answers: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, name: str, what: str, place: str, arguments: Any, text: str) -> None:
        """Save an example, unless a shorter one is known."""
        example = described(arguments)
        key = hashlib.sha256(f"{name}{place}".encode()).hexdigest()[:10]
        if len(example) >= self.sizes.get(key, sys.maxsize):
            return
        if key not in self.sizes:
            print(f"found {name}-{key}: {what[:200]}", flush=True)
        self.sizes[key] = len(example)
        (self.folder / f"{name}-{key}.txt").write_text(f"{name}\n{what}\n\n{example}\n\n{text}\n")


def described(value: Any) -> str:
    """Return arguments so that they can be built again."""
    if isinstance(value, ls.Problem):
        parts = f"{described(value.moments)}, {value.network!r}, reduction={value.reduction!r}"
        return f"Problem({parts})"
    if isinstance(value, ls.Moments):
        if value.is_operator:
            return repr(value)
        known = value.mean_x is not None
        means = f", {value.mean_x!r}, {value.mean_y!r}, {value.n!r}" if known else ""
        return f"Moments({value.A!r}, {value.C!r}, {value.yy!r}{means})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(described, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {described(part)}' for key, part in value.items())}}}"
    return repr(value)


def is_ordinary(value: Any) -> bool:
    """Whether all numbers are zero or between 1e-9 and 1e9: these must work, or say why not."""
    if isinstance(value, ls.Problem):
        return is_ordinary(value.moments) and is_ordinary(value.network.to_dict())
    if isinstance(value, ls.Moments):
        squares = np.append(value.second_moments_x, np.diagonal(np.atleast_2d(value.yy)))
        crossed = np.abs(np.ravel(value.C))
        return is_ordinary(np.sqrt(np.append(squares, crossed)))
    if isinstance(value, ls.Network):
        return is_ordinary(value.to_dict())
    if isinstance(value, dict):
        return all(map(is_ordinary, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_ordinary, value))
    numeric = isinstance(value, float | int | np.ndarray | np.number)
    if numeric and np.asarray(value).dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            numbers = np.abs(np.asarray(value, dtype=np.float64))
        return bool(((numbers == 0) | ((numbers > 1e-9) & (numbers < 1e9))).all())
    return True


def tried(name: str, function: Callable[..., Any], arguments: Any, findings: Findings) -> None:
    """Make one call, and keep whatever is wrong with it."""
    positional, named = arguments

    def report(error: BaseException) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        frames = traceback.extract_tb(error.__traceback__)
        inside = [f for f in frames if "/linscape/" in f.filename] or list(frames)
        place = f"{type(error).__name__} {inside[-1].filename} {inside[-1].lineno}"
        text = "".join(traceback.format_exception(error))
        findings.keep(name, f"{type(error).__name__}: {error}", place, arguments, text)

    findings.runs[name] = findings.runs.get(name, 0) + 1
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        result = function(*positional, **named)
        findings.answers[name] = findings.answers.get(name, 0) + 1
        repr(result)
        known = ".branches[" if name == "branches" else None  # NaN where a branch does not exist
        wrong = [path for path in blemishes(result) if known is None or known not in path]
        wrong = [] if name == "Problem.unflatten" else wrong  # it only splits a vector
        if wrong:
            findings.keep(name, f"NaN in {wrong[:5]}", wrong[0], arguments, repr(result))
    except LinscapeError as error:
        cause = error.__cause__
        arithmetic = isinstance(cause, ArithmeticError) and not isinstance(cause, LinscapeError)
        if cause is not None and arithmetic and is_ordinary(arguments):
            report(cause)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        checks = name.startswith("sklearn") and ("/sklearn/" in last or "/scipy/" in last)
        if not (checks and isinstance(error, ValueError | TypeError | UserWarning)):
            report(error)  # scikit-learn's own checks are what its users expect
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def fuzzed(name: str, function: Callable[..., Any], number: int, findings: Findings) -> None:
    """Make fifteen calls."""

    @seed(number)
    @settings(
        max_examples=15,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(function))
    def run(arguments: Any) -> None:
        tried(name, function, arguments, findings)

    run()


def _too_long(*_: Any) -> None:
    raise Hang(f"more than {LONGEST} s of processor time")


def main() -> None:
    """Fuzz functions in turn until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGPROF, _too_long)
    warnings.simplefilter("error")
    findings = Findings(options.findings)
    chosen = {n: f for n, f in doors().items() if not options.names or n in options.names}
    end, turn = time.monotonic() + options.seconds, 0
    while time.monotonic() < end:
        for name, function in chosen.items():
            if time.monotonic() > end:
                break

            fuzzed(name, function, options.seed + turn, findings)
            turn += 1
    for name in chosen:
        print(f"{name}: {findings.runs.get(name, 0)} runs, {findings.answers.get(name, 0)} answers")
    total = sum(findings.runs.values())
    print(f"{total} runs in {options.seconds:g} s, {len(findings.sizes)} findings", flush=True)
    sys.exit(bool(findings.sizes))


if __name__ == "__main__":
    main()
