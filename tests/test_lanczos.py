"""Lanczos with full reorthogonalisation: the projection it claims, where it ends, its rounding."""

import numpy as np
import pytest

from cases import symmetric
from linscape.lanczos import Lanczos


def run(A, c, steps):
    process = Lanczos(A.__matmul__, np.asarray(c, dtype=float))
    process.extend(steps)
    return process


def tridiagonal(process):
    diagonal, beside = process.diagonal, process.beside
    return np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1)


def strakos(size=48, smallest=0.001, ratio=0.8):
    """Eigenvalues that cost plain Lanczos its orthogonality (Strakoš 1991)."""
    i = np.arange(1, size + 1)
    return smallest + (i - 1) / (size - 1) * (1 - smallest) * ratio ** (size - i)


@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_the_matrix_is_projected_on_the_krylov_space(steps):
    rng = np.random.default_rng(0)
    A, c = symmetric(rng.uniform(0, 3, 30), rng), rng.standard_normal(30)
    process = run(A, c, steps)
    V, T = process.basis, tridiagonal(process)
    np.testing.assert_allclose(V @ V.T, np.eye(steps), atol=1e-13)
    np.testing.assert_allclose(V @ A @ V.T, T, atol=1e-13)
    np.testing.assert_allclose(V[0], c / np.linalg.norm(c), rtol=1e-14)
    rest = A @ V.T - V.T @ T
    np.testing.assert_allclose(np.linalg.norm(rest[:, -1]), process.beside[-1], rtol=1e-10)
    np.testing.assert_allclose(rest[:, :-1], 0, atol=1e-13)
    np.testing.assert_allclose(np.ldexp(process.norm, process.norm_exponent), np.linalg.norm(c))


def plain(A, c, steps):
    """The three-term recurrence alone."""
    v, before, beside, basis = c / np.linalg.norm(c), 0 * c, 0.0, []
    for _ in range(steps):
        basis.append(v)
        w = A @ v - beside * before
        w -= (w @ v) * v
        beside, before = np.linalg.norm(w), v
        v = w / beside
    return np.array(basis)


def test_orthogonality_is_kept_where_the_recurrence_alone_loses_it():
    rng = np.random.default_rng(1)
    values = strakos()
    A, c = symmetric(values, rng), np.ones(48)
    lost = plain(A, c, 48)
    assert np.abs(lost @ lost.T - np.eye(48)).max() > 0.1
    process = run(A, c, 48)
    np.testing.assert_allclose(process.basis @ process.basis.T, np.eye(48), atol=1e-13)
    np.testing.assert_allclose(np.linalg.eigvalsh(tridiagonal(process)), values, atol=1e-13)


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_it_ends_where_the_start_sees_no_more(dimension):
    values = np.linspace(1, 2, 20)
    start = np.where(np.arange(20) < dimension, np.arange(1.0, 21), 0.0)
    process = run(np.diag(values), start, 20)
    assert (process.steps, process.is_invariant) == (dimension, True)
    ritz = np.linalg.eigvalsh(tridiagonal(process))
    np.testing.assert_allclose(ritz, values[:dimension], rtol=1e-12)


def test_repeated_eigenvalues_count_once():
    values = np.repeat([1.0, 2.0, 5.0], 10)
    process = run(np.diag(values), np.ones(30), 30)
    assert (process.steps, process.is_invariant) == (3, True)


def test_the_whole_space_is_invariant():
    process = run(np.diag([1.0, 2.0, 3.0]), np.ones(3), 50)
    assert (process.steps, process.is_invariant) == (3, True)


def test_the_zero_operator_ends_at_once():
    process = run(np.zeros((4, 4)), np.ones(4), 4)
    assert (process.steps, process.is_invariant, process.scale) == (1, True, 0.0)


@pytest.mark.parametrize("exponent", [-900, -500, 500, 900])
def test_powers_of_two_change_nothing_else(exponent):
    rng = np.random.default_rng(3)
    A, c = symmetric(rng.uniform(0, 3, 12), rng), rng.standard_normal(12)
    plain, scaled = run(A, c, 6), run(np.ldexp(A, exponent), np.ldexp(c, -exponent), 6)
    assert (np.ldexp(plain.diagonal, exponent) == scaled.diagonal).all()
    assert (np.ldexp(plain.beside, exponent) == scaled.beside).all()
    assert (plain.basis == scaled.basis).all()
    assert scaled.norm_exponent == plain.norm_exponent - exponent
    assert scaled.rounding == pytest.approx(np.ldexp(plain.rounding, exponent), rel=1e-10)


@pytest.mark.parametrize("size", [10, 100, 400])
def test_the_rounding_of_products_is_noticed(size):
    """Products in single precision: the estimate covers their error, and is no million times it."""
    rng = np.random.default_rng(4)
    A, c = symmetric(rng.uniform(0, 1, size), rng), rng.standard_normal(size)
    rounded = A.astype(np.float32)
    process = Lanczos(lambda v: rounded @ v.astype(np.float32), c)
    process.extend(10)
    images = np.array([rounded @ v.astype(np.float32) for v in process.basis])
    error = np.linalg.norm(images - process.basis @ A, 2)
    # the Frobenius norm over ten steps, four times
    assert error <= process.rounding <= 100 * error
    exact = run(A, c, 10)
    assert exact.rounding < 1e-6 * process.rounding
