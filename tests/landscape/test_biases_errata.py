"""Ziyin, Li & Meng (2022), Appendix D, as printed: what fails, on one small example.

Equations (113), (114), (118)–(127), with M, S_1, …, S_4 of (120), start from (115), which leaves
out the noise of the hidden units, and (116), (117), whose sign is wrong; (120) then loses powers
of b.
Beside each stands the mended one, put to the same test.
"""

from typing import NamedTuple

import numpy as np
import pytest
from biased import changed, descended, problem
from scipy.optimize import brentq

import linscape as ls
from linscape.landscape.biases import decayed_bias_minimum
from oracles import finite_difference_gradient

WIDTH, NOISE, GAMMA_W, GAMMA_U = 2, 0.5, 0.2, 0.1


def data(centred=False):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 2)) + np.array([1.0, -0.5])
    if centred:
        X = X - X.mean(axis=0)
    y = X @ [1.0, 2.0] + 0.3 * rng.standard_normal(8)
    return X, y + 1.5 - y.mean()


def example(centred=False, noise=NOISE):
    return problem(*data(centred), (WIDTH,), noise=noise, weight_decay=(GAMMA_W, GAMMA_U))


class Point(NamedTuple):
    """U = b r, W = r v, β^W = r h, β^U."""

    b: float
    v: np.ndarray
    h: float
    output: float

    @property
    def weights(self):
        first = np.tile(np.append(self.v, self.h), (WIDTH, 1))
        return [first, np.append(np.full(WIDTH, self.b), self.output)[None]]


def true_point(p):
    first, last = decayed_bias_minimum(p).weights()
    return Point(last[0, 0], first[0, :-1], first[0, -1], last[0, -1])


class Printed:
    """(120)–(125) for a problem and b, read as they stand."""

    def __init__(self, p, b, noise=NOISE):
        moments, ratio = p.moments, GAMMA_U / GAMMA_W
        self.b, self.x, self.xy, self.y = b, moments.mean_x, moments.C, moments.mean_y
        self.M = b**2 * (WIDTH + noise) * moments.A + GAMMA_W * np.eye(2)
        self.S1 = b * ratio * (WIDTH + b * noise) - 1
        self.S2 = WIDTH * b * ((WIDTH + noise) * ratio * b - 1)
        self.S3 = WIDTH * ratio * b**2 - 1
        self.S4 = (
            (WIDTH + noise) * WIDTH * ratio**2 * b**4
            + (GAMMA_U - 2) * WIDTH * ratio * b**2
            + GAMMA_U
            + 1
        )

    def v(self, output):
        """(119), (121), first line."""
        return self.b * np.linalg.solve(self.M, self.x * self.S1 * output + self.xy)

    def output(self, v):
        """(119), (121), second line."""
        return (self.S2 * (v @ self.x) - self.S3 * self.y) / self.S4

    def product(self):
        """v·E[x] by (122)."""
        xx, xy = (self.x @ np.linalg.solve(self.M, part) for part in (self.x, self.xy))
        ratio = self.S3 / self.S4
        return (
            self.b
            * (ratio * xx * self.S1 * self.y - xy)
            / (self.b * self.S2 / self.S4 * xx * self.S1 - 1)
        )

    def output_alone(self):
        """β^U by (123)."""
        xx, xy = (self.x @ np.linalg.solve(self.M, part) for part in (self.x, self.xy))
        top = self.S3 * self.y - self.b * self.S2 * xy
        return top / (self.b * xx * self.S1 * self.S2 - self.S4)

    def point(self):
        """(113)."""
        output = self.output_alone()
        return Point(self.b, self.v(output), -GAMMA_U / GAMMA_W * self.b * output, output)

    def residual(self):
        """Left minus right side of (114), the condition for b, divided by b²."""
        vector = self.y * self.S1 * self.S3 / self.S4 * self.x - self.xy
        inner = np.linalg.solve(self.M, vector)
        mixed = self.x @ np.linalg.solve(self.M, self.xy)
        bias = self.S3 / self.S4 * self.y - self.b * self.S2 / self.S4 * mixed
        top = GAMMA_W * (inner @ inner) + GAMMA_U**2 / GAMMA_W * bias**2
        xx = self.x @ np.linalg.solve(self.M, self.x)
        return GAMMA_U - top / (self.b * self.S2 * self.S1 / self.S4 * xx - 1) ** 2


class Corrected:
    """The same quantities as Theorem 5 has them when it is mended."""

    def __init__(self, p, b, noise=NOISE):
        moments = p.moments
        mean = np.append(moments.mean_x, 1.0)
        A = np.vstack([np.column_stack([moments.A, moments.mean_x]), mean])
        A = A - WIDTH / ((WIDTH + noise) * (1 + GAMMA_U)) * np.outer(mean, mean)
        c = np.append(moments.C, moments.mean_y) - moments.mean_y * mean / (1 + GAMMA_U)
        self.b, self.mean, self.y = b, mean, moments.mean_y
        self.direction = np.linalg.solve(b**2 * (WIDTH + noise) * A + GAMMA_W * np.eye(3), c)

    def point(self):
        w = self.b * self.direction
        output = (self.y - self.b * WIDTH * (w @ self.mean)) / (1 + GAMMA_U)
        return Point(self.b, w[:-1], w[-1], output)

    def residual(self):
        return GAMMA_U / GAMMA_W - self.direction @ self.direction


def slope(p, point):
    """Norm of the gradient at a point's weights."""
    return np.sqrt(sum(np.sum(G**2) for G in p.gradient(point.weights)))


def is_close(one, other):
    return bool(np.allclose(one, other, rtol=1e-6, atol=1e-9))


# ---- The gradient: (115), (116), (117)


def bias_gradient(p, weights, noise):
    """∂L/∂β^W with and without the term of the noise."""
    (first, last), moments = weights, p.moments
    U, output = last[0, :-1], last[0, -1]
    means = first[:, :-1] @ moments.mean_x + first[:, -1]
    printed = 2 * (U @ means + output - moments.mean_y) * U + 2 * GAMMA_W * first[:, -1]
    return printed, printed + 2 * noise * U**2 * means


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_115_leaves_out_the_noise_of_the_hidden_units(noise):
    p = example(noise=noise)
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(shape) for shape in p.shapes]
    truth = finite_difference_gradient(p.loss, weights)[0][:, -1]
    printed, mended = bias_gradient(p, weights, noise)
    assert is_close(mended, truth)
    assert is_close(printed, truth) is (noise == 0)


@pytest.mark.parametrize("noise", [0.0, NOISE])
def test_116_and_117_have_the_wrong_sign(noise):
    """β_i^W = (γ_u U_i β^U − σ²U_i² W_i·E[x])/(γ_w + σ²U_i²) at every critical point."""
    p = example(noise=noise)
    point = true_point(p)
    printed = -GAMMA_U / GAMMA_W * point.b * point.output
    mended = GAMMA_U * point.b * point.output - noise * point.b**2 * (point.v @ p.moments.mean_x)
    assert is_close(point.h, mended / (GAMMA_W + noise * point.b**2))
    assert not is_close(point.h, printed)
    assert is_close(-point.h, printed) is (noise == 0)  # without noise only the sign is wrong


# ---- The loss: (118)


def printed_loss(p, b, v, output, noise=NOISE):
    """(118), which is a function of b, v and β^U alone; its y² and x averages by moments."""
    moments, ratio = p.moments, GAMMA_U / GAMMA_W
    shift = (WIDTH * ratio * b**2 - 1) * output
    fit = (b * WIDTH) ** 2 * (v @ moments.A @ v) + shift**2 + moments.yy
    fit += 2 * (-b * WIDTH * shift * (v @ moments.mean_x) - b * WIDTH * (v @ moments.C))
    fit += 2 * shift * moments.mean_y
    inner = ratio * b * output
    noisy = v @ moments.A @ v - 2 * inner * (v @ moments.mean_x) + inner**2
    decay = GAMMA_U * WIDTH * b**2 + GAMMA_W * WIDTH * (v @ v)
    decay += GAMMA_U * (b**2 * WIDTH * ratio + 1) * output**2
    return fit + b**2 * WIDTH * noise * noisy + decay


def test_118_is_the_loss_where_the_printed_relation_holds_and_lies_above_the_minimum():
    p = example()
    rng = np.random.default_rng(2)
    b, v, output = rng.standard_normal(), rng.standard_normal(2), rng.standard_normal()
    forced = Point(b, v, -GAMMA_U / GAMMA_W * b * output, output)
    assert is_close(printed_loss(p, b, v, output), p.loss(forced.weights))
    point = true_point(p)
    at_minimum = printed_loss(p, point.b, point.v, point.output)
    assert at_minimum > p.loss(point.weights) * 1.01


def test_119_does_not_even_follow_from_118():
    """S_1 and S_2 of (120) have a power of b too few: (d_1 + σ²)b² in place of d_1b + b²σ², b."""
    p = example()
    b, output, ratio = 0.8, 0.7, GAMMA_U / GAMMA_W
    printed = Printed(p, b)

    def slopes(v, output):
        """Derivatives of (118) by v and β^U."""
        by_v = finite_difference_gradient(lambda w: printed_loss(p, b, w[0], output), [v])[0]
        by_output = finite_difference_gradient(lambda w: printed_loss(p, b, v, w[0]), [[output]])
        return np.append(by_v, by_output)

    assert np.linalg.norm(slopes(printed.v(output), output)[:2]) > 0.1
    assert abs(slopes(printed.v(output), printed.output(printed.v(output)))[2]) > 0.01
    whole = ratio * b**2 * (WIDTH + NOISE) - 1
    printed.S1, printed.S2 = whole, WIDTH * b * whole
    v = printed.v(output)
    assert np.linalg.norm(slopes(v, output)[:2]) < 1e-10
    assert abs(slopes(v, printed.output(v))[2]) < 1e-10


# ---- The solution: (119), (121), (122), (123), (113)


def test_119_and_121_do_not_hold_at_the_minimum():
    p = example()
    point = true_point(p)
    printed = Printed(p, point.b)
    assert not is_close(printed.v(point.output), point.v)
    assert not is_close(printed.output(point.v), point.output)
    mended = Corrected(p, point.b).point()
    assert is_close(mended.v, point.v)
    assert is_close(mended.output, point.output)
    assert is_close(mended.h, point.h)


def test_122_and_123_follow_from_121_and_fail_with_it():
    p = example()
    point = true_point(p)
    printed = Printed(p, point.b)
    assert is_close(printed.output(printed.v(printed.output_alone())), printed.output_alone())
    assert is_close(printed.v(printed.output_alone()) @ printed.x, printed.product())
    assert not is_close(printed.product(), point.v @ p.moments.mean_x)
    assert not is_close(printed.output_alone(), point.output)


def test_no_size_b_makes_113_a_critical_point():
    p = example()
    sizes = np.geomspace(1e-2, 5, 400)
    printed = min(slope(p, Printed(p, b).point()) for b in sizes)
    assert printed > 0.05
    edges = [Corrected(p, b).residual() for b in (sizes[0], sizes[-1])]
    assert edges[0] < 0 < edges[1]
    root = brentq(lambda b: Corrected(p, b).residual(), sizes[0], sizes[-1], xtol=1e-15)
    assert slope(p, Corrected(p, root).point()) < 1e-10


def test_the_weights_of_113_and_114_lie_above_the_minimum():
    p = example()
    minimum = decayed_bias_minimum(p)
    best, _, _ = descended(p, *data())
    assert best == pytest.approx(minimum.loss, rel=1e-10)
    sizes = np.geomspace(1e-2, 5, 800)
    residuals = np.array([Printed(p, b).residual() for b in sizes])
    losses = [p.loss(Printed(p, b).point().weights) for b in sizes]
    assert min(losses) > best * 1.01
    changes = np.flatnonzero(np.diff(np.sign(residuals)) != 0)
    for index in changes:
        assert p.loss(Printed(p, sizes[index]).point().weights) > best * 1.01


# ---- The condition for b: (114), (124), (125)


def test_114_does_not_hold_at_the_size_of_the_minimum():
    p = example()
    point = true_point(p)
    assert abs(Printed(p, point.b).residual()) > 1e-2 * GAMMA_U
    assert abs(Corrected(p, point.b).residual()) < 1e-9


def test_124_leaves_its_first_line_wrong_too():
    """γ_u b² = γ_w‖v‖² + γ_w(β^W)², into which (117) was put."""
    point = true_point(example())
    energy = GAMMA_W * (point.v @ point.v)
    printed = energy + GAMMA_U * point.b**2 * WIDTH * GAMMA_U / GAMMA_W * point.output**2
    assert is_close(GAMMA_U * point.b**2, energy + GAMMA_W * point.h**2)
    assert not is_close(GAMMA_U * point.b**2, printed)


# ---- Where E[x] = 0: (126), (127)


def printed_centred(p, b):
    """(126)."""
    printed = Printed(p, b)
    output = -printed.S3 / printed.S4 * printed.y
    v = b * np.linalg.solve(printed.M, printed.xy)
    return Point(b, v, GAMMA_U / GAMMA_W * b * printed.S3 / printed.S4 * printed.y, output)


def test_126_has_the_right_weights_and_the_wrong_biases():
    p = example(centred=True)
    point = true_point(p)
    printed = printed_centred(p, point.b)
    assert is_close(printed.v, point.v)
    assert not is_close(printed.output, point.output)
    assert not is_close(printed.h, point.h)
    assert slope(p, printed) > 0.05 > 1e-9 > slope(p, point)


def test_127_does_not_hold_at_the_size_of_the_minimum():
    p = example(centred=True)
    point = true_point(p)
    printed = Printed(p, point.b)
    direction = np.linalg.solve(printed.M, printed.xy)
    bias = printed.S3 / printed.S4
    right = GAMMA_W * (direction @ direction) + GAMMA_U**2 / GAMMA_W * (printed.y * bias) ** 2
    assert abs(GAMMA_U - right) > 1e-2 * GAMMA_U


# ---- What holds as printed


def test_propositions_5_and_6_hold_with_the_index_mended():
    """U_j² = (γ_w/γ_u)(‖W_j‖² + (β_j^W)²); the U_jW_j are equal, and U_jβ_j^W (not U_jβ_i^W)."""
    p = example()
    _, _, (first, last) = descended(p, *data())
    U = last[0, :-1]
    np.testing.assert_allclose(
        U**2, GAMMA_W / GAMMA_U * (first**2).sum(axis=1), rtol=1e-4
    )  # a descent stops where the loss is flat
    products = U[:, None] * first
    np.testing.assert_allclose(products[0], products[1], rtol=1e-4, atol=1e-6)


def test_proposition_2_fails_with_biases_and_a_mean_of_y():
    """Zero is always a minimum of deep nets without biases; with them a large E[y] lifts it."""
    X, y = data()
    p = problem(X, y + 10, (2, 2), weight_decay=0.1)
    zero = [np.zeros(shape) for shape in p.shapes]
    assert max(np.max(np.abs(G)) for G in p.gradient(zero)) > 1  # not even critical: β_U moves
    zero[-1][0, -1] = p.moments.mean_y / 1.1
    assert np.linalg.eigvalsh(p.hessian(zero))[0] < -0.1
    none = changed(p, bias=False)
    assert np.linalg.eigvalsh(none.hessian([np.zeros(shape) for shape in none.shapes]))[0] > 0


def test_the_example_has_a_nontrivial_minimum_of_its_own():
    # were it trivial, every formula above would hold or fail for nothing
    for centred in (False, True):
        assert decayed_bias_minimum(example(centred)).is_trivial is False
        assert abs(true_point(example(centred)).h) > 1e-2
    assert isinstance(example(), ls.Problem)
