"""All real solutions of the gradient's polynomials, by Gröbner bases, against the listed classes.

msolve computes every solution of a polynomial system exactly and encloses the real ones in boxes
with dyadic ends. The polynomials are those of the definition: the noise is enumerated, nothing is
averaged by a formula. The balance laws γ_k‖row‖² = γ_{k+1}‖column‖² of each unit are added, which
are combinations of the gradient's entries and make the computation shorter.
"""

import itertools
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from orbits import orbit, problem_of

from linscape.landscape.atlas import decayed_critical_points

LINE = ([[1], [2]], [1, 3])
PLANE = ([[1, 0], [1, 2]], [1, 3])
FAR = ([[32, 0], [0, 1]], ["3/16", 1])  # variances 512 and ½: two humps
# rows; hidden widths; standard deviations of the noise; decays; number of real solutions
INSTANCES = {
    "one unit, learning": (LINE, (1,), ["1"], ["1/4", "3/8"], 3),
    "one unit, collapsed": (LINE, (1,), ["1"], ["4", "7/2"], 1),
    "two units": (LINE, (2,), ["1"], ["1/4", "3/8"], 9),
    "three units": (LINE, (3,), ["1/2"], ["1/4", "3/8"], 27),
    "two units on a plane": (PLANE, (2,), ["3/2"], ["1/2", "1/8"], 9),
    "a chain of two": (LINE, (1, 1), ["1", "1/2"], ["1/4", "3/8", "1/2"], 9),
    "a chain of two, collapsed": (LINE, (1, 1), ["1", "1/2"], ["2", "2", "2"], 1),
    "a chain of two on a plane": (PLANE, (1, 1), ["1/2", "1"], ["1/4", "1/8", "1/2"], 9),
    "a chain of two, four solutions": (FAR, (1, 1), ["1/2", "1/2"], ["1/8", "1/8", "1/8"], 17),
    "a chain of three": (LINE, (1, 1, 1), ["1", "1/2", "2"], ["1/4", "3/8", "1/2", "1/4"], 17),
    "two, then one": (LINE, (2, 1), ["1", "1/2"], ["1/4", "3/8", "1/2"], 33),
    "two, then one, only both alive": (LINE, (2, 1), ["1", "1/2"], ["3/2", "3/2", "3/2"], 17),
    "two, then one, collapsed": (LINE, (2, 1), ["1", "1/2"], ["2", "2", "2"], 1),
    "one, then two": (LINE, (1, 2), ["1", "1/2"], ["1/4", "3/8", "1/2"], 33),
    "one, then two on a plane": (PLANE, (1, 2), ["1", "1/2"], ["1/4", "3/8", "1/2"], 33),
    "two, then one on a plane": (PLANE, (2, 1), ["1", "1/2"], ["1/4", "3/8", "1/2"], 33),
    "three, then one": (LINE, (3, 1), ["1", "1/2"], ["1/4", "3/8", "1/2"], 105),
}


def polynomials(X, y, hidden, deviations, decays):
    """The names of the weights, and the gradient's entries and balance laws as polynomials."""
    from flint import fmpq_mpoly_ctx

    sizes = [len(X[0]), *hidden, 1]
    shapes = list(itertools.pairwise(sizes))
    names = [
        f"w{k}_{i}_{j}"
        for k, (columns, rows) in enumerate(shapes)
        for i in range(rows)
        for j in range(columns)
    ]
    ring = fmpq_mpoly_ctx.get(names, "degrevlex")
    entries = iter(ring.gens())
    weights = [[[next(entries) for _ in range(c)] for _ in range(r)] for c, r in shapes]
    loss = noisy_squares(X, y, weights, deviations, ring)
    for gamma, layer in zip(decays, weights, strict=True):
        loss += rational(gamma) * sum(w * w for row in layer for w in row)
    laws = [
        rational(decays[k]) * sum(w * w for w in weights[k][i])
        - rational(decays[k + 1]) * sum(row[i] * row[i] for row in weights[k + 1])
        for k, width in enumerate(hidden)
        for i in range(width)
    ]
    return names, [loss.derivative(i) for i in range(len(names))] + laws


def noisy_squares(X, y, weights, deviations, ring):
    """E(f − y)² over the rows and every pattern 1 ± σ of the noise."""
    units = [sigma for sigma, layer in zip(deviations, weights, strict=False) for _ in layer]
    patterns = list(itertools.product((-1, 1), repeat=len(units)))
    share = rational(Fraction(1, len(X) * len(patterns)))
    total = ring.constant(0)
    for (x, target), pattern in itertools.product(zip(X, y, strict=True), patterns):
        masks = iter([1 + s * sigma for s, sigma in zip(pattern, units, strict=True)])
        h = [ring.constant(rational(value)) for value in x]
        for k, layer in enumerate(weights):
            h = [sum(w * v for w, v in zip(row, h, strict=True)) for row in layer]
            if k + 1 < len(weights):
                h = [rational(next(masks)) * v for v in h]
        total += share * (h[0] - rational(target)) ** 2
    return total


def path_polynomials(X, y, hidden, deviations, decays):
    """Two layers on one input, all units alive, in the paths p_ij = U_i (W_2)_ij (W_1)_j.

    They do not change under signs. With 2ℓ_ij the derivative of E(f − y)² by p_ij, the gradient
    vanishes where γ_1(W_1)_j² = −Σ_i p_ij ℓ_ij = s_j, γ_3U_i² = −Σ_j p_ij ℓ_ij = t_i and
    γ_1γ_2γ_3 p_ij + s_j t_i ℓ_ij = 0. Returns the names, these last, and the s_j and t_i.
    """
    from flint import fmpq_mpoly_ctx

    first, second = hidden
    pairs = list(itertools.product(range(second), range(first)))
    names = [f"p{i}_{j}" for i, j in pairs]
    ring = fmpq_mpoly_ctx.get(names, "degrevlex")
    paths = dict(zip(pairs, ring.gens(), strict=True))
    patterns = list(itertools.product((-1, 1), repeat=first + second))
    share = rational(Fraction(1, len(X) * len(patterns)))
    total = ring.constant(0)
    for ((x,), target), pattern in itertools.product(zip(X, y, strict=True), patterns):
        inner = [1 + s * deviations[0] for s in pattern[:first]]
        outer = [1 + s * deviations[1] for s in pattern[first:]]
        f = sum(rational(x * outer[i] * inner[j]) * p for (i, j), p in paths.items())
        total += share * (f - rational(target)) ** 2
    half = rational("1/2")
    slopes = {pair: half * total.derivative(k) for k, pair in enumerate(pairs)}
    product = {pair: -path * slopes[pair] for pair, path in paths.items()}
    s = [sum(product[i, j] for i in range(second)) for j in range(first)]
    t = [sum(product[i, j] for j in range(first)) for i in range(second)]
    gamma = rational(np.prod(decays))
    system = [gamma * paths[i, j] + s[j] * t[i] * slopes[i, j] for i, j in pairs]
    return names, system, s + t


def rational(value):
    from flint import fmpq

    fraction = Fraction(value)
    return fmpq(fraction.numerator, fraction.denominator)


def real_solutions(names, system, folder):
    """Boxes, (points, variables, 2), that hold one real solution each, and all there are."""
    import sage_wheels

    program = Path(next(iter(sage_wheels.__path__))) / "bin" / "msolve"
    source, answer = folder / "system", folder / "answer"
    source.write_text(f"{','.join(names)}\n0\n" + ",\n".join(map(str, system)) + "\n")
    subprocess.run([program, "-f", source, "-o", answer], check=True, capture_output=True)
    text = answer.read_text().strip().rstrip(":")
    assert text.startswith("[0,"), f"not finitely many complex solutions: {text[:60]}"
    assert re.fullmatch(r"[\d\s/^,\-\[\]*]+", text)
    numbers = re.sub(r"(-?\d+)\s*/\s*2\^(\d+)", r"\1/2**\2", text)
    _, (_, boxes) = eval(numbers)  # digits and brackets only, by the line above
    return np.array(boxes, dtype=float)


@pytest.mark.slow
@pytest.mark.parametrize("instance", INSTANCES)
def test_the_classes_are_all_real_solutions(instance, tmp_path):
    (X, y), hidden, deviations, decays, number = INSTANCES[instance]
    y, deviations, decays = ([Fraction(v) for v in values] for values in (y, deviations, decays))
    names, system = polynomials(X, y, hidden, deviations, decays)
    boxes = real_solutions(names, system, tmp_path)
    problem = problem_of(X, y, hidden, deviations, decays)
    classes = decayed_critical_points(problem)
    points = np.concatenate([orbit(point.weights()) for point in classes])
    assert len(boxes) == number == sum(point.multiplicity for point in classes)
    middles = boxes.mean(axis=2)
    distances = np.abs(points[:, None] - middles).max(axis=2)
    assert len(set(distances.argmin(axis=1))) == number
    # the weights are polished to 1e-10 in K; the boxes are much narrower than that
    assert np.all(boxes[:, :, 1] - boxes[:, :, 0] <= 1e-12)
    assert distances.min(axis=1).max() <= 1e-9 * np.abs(points).max(initial=1.0)
    print(f"{instance}: {number} real solutions, {len(classes)} classes")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decays", "number"),
    [(["1/4", "3/8", "1/2"], 2), (["3/2", "3/2", "3/2"], 2), (["2", "2", "2"], 0)],
    ids=["learning", "metastable", "collapsed"],
)
def test_two_layers_of_two_have_no_other_solution_with_all_alive(decays, number, tmp_path):
    # a dead unit leaves a smaller network, and those are above
    (X, y), hidden, deviations = LINE, (2, 2), [Fraction(1), Fraction(1, 2)]
    decays = [Fraction(v) for v in decays]
    names, system, squares = path_polynomials(X, y, hidden, deviations, decays)
    boxes = real_solutions(names, system, tmp_path)
    found = []
    for middle in boxes.mean(axis=2):
        at = [rational(Fraction(value)) for value in middle]
        if min(float(Fraction(str(square(*at)))) for square in squares) > 1e-9:
            found.append(middle)
    problem = problem_of(X, y, hidden, deviations, decays)
    listed = []
    for point in decayed_critical_points(problem, active=hidden):
        first, second, last = point.weights()
        listed.append((last.T * second * first.T).ravel())
    assert len(found) == len(listed) == number
    for paths in listed:
        # the weights are polished to 1e-10 in K
        assert min(np.abs(paths - other).max() for other in found) <= 1e-9 * np.abs(paths).max()
    print(f"2-2: {len(boxes)} real solutions in the paths, {number} with all units alive")
