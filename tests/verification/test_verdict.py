"""What is proven contains the true minimum; what was tampered with is refuted."""

import copy
import json

import numpy as np
import pytest
from flint import ctx
from hard import KINDS, network, singular
from mpmath import mp

import linscape as ls
from cases import humps, isotropic, known_minimum, scaled_decays, three_minima, truth
from linscape.verification import certificate_document, verify

every_depth = pytest.mark.parametrize("depth", range(1, 7))


def document_of(problem):
    return json.loads(json.dumps(certificate_document(ls.global_minimum(problem))))


def interval(verification):
    with mp.workdps(60):
        return mp.mpf(verification.lower_digits), mp.mpf(verification.upper_digits)


# ---- The interval


def check_against_sixty_digits(problem):
    found, best = verify(document_of(problem)), truth(problem)
    lower, upper = interval(found)
    assert found.holds is True
    assert lower <= best["loss"] <= upper
    assert found.lower <= best["loss"] <= found.upper
    with mp.workdps(60):
        at_zero = problem.data_factor * mp.mpf(float(np.sum(problem.moments.yy)))
        assert found.gain_lower <= at_zero - best["loss"] <= found.gain_upper
    assert found.gap <= 1e-18 * float(at_zero)


@every_depth
@pytest.mark.parametrize("reach", [0.05, 0.95])
def test_the_interval_holds_the_minimum_at_sixty_digits(depth, reach):
    rng = np.random.default_rng(depth)
    check_against_sixty_digits(known_minimum(rng, depth, reach=reach, input_noise=0.2).problem)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_interval_holds_the_least_of_several_minima(depth):
    check_against_sixty_digits(humps(depth, 3, noise=0.2))
    check_against_sixty_digits(three_minima())


@pytest.mark.parametrize("kind", KINDS[:4], ids=lambda kind: kind.__name__)
def test_the_interval_of_hard_problems_holds_the_minimum_at_sixty_digits(kind):
    rng = np.random.default_rng(7)
    moments = kind(rng)
    problem = ls.Problem(moments, ls.Network((2, 3), noise=0.5, weight_decay=1e-3))
    check_against_sixty_digits(problem)


@every_depth
def test_the_interval_is_that_of_a_minimum_built_by_hand(depth):
    # p = c = 1 on A = 1 with λ = 0: without noise, F = E y² − 1 + (D + 1)γ to first order
    known = known_minimum(np.random.default_rng(depth), depth)
    found = verify(document_of(known.problem))
    assert found.lower == pytest.approx(known.loss, rel=1e-12)
    assert found.gain_upper == pytest.approx(known.gain, rel=1e-12)


@pytest.mark.parametrize(("square", "c", "decay", "noise"), [(1, 1, 0.5, 0), (4, 3, 0.25, 2)])
def test_one_hidden_layer_on_one_input_has_its_closed_form(square, c, decay, noise):
    # (c − γ)²/(τs²), all numbers of the problem powers of two or small
    problem = isotropic(1, square=square, c=[c], decay=decay, noise=noise)
    gain = (c - decay) ** 2 / ((1 + noise / 2) * square)
    found = verify(document_of(problem))
    assert found.gain_lower <= gain <= found.gain_upper
    assert found.gap < 1e-18


def test_the_interval_does_not_depend_on_the_order_of_inputs_and_layers():
    problem = known_minimum(np.random.default_rng(0), 2, inputs=4).problem
    document = document_of(problem)
    found = interval(verify(document))
    order = [2, 0, 3, 1]
    turned = copy.deepcopy(document)
    A = document["moments"]["second_moment_x"]
    turned["moments"]["second_moment_x"] = [[A[i][j] for j in order] for i in order]
    for part, name in (("moments", "cross_moment"), ("minimum", "predictor")):
        turned[part][name] = [[row[i] for i in order] for row in document[part][name]]
    turned["network"]["weight_decay"].reverse()
    other = interval(verify(turned))
    assert max(found[0], other[0]) <= min(found[1], other[1])


def test_directions_that_span_everything_change_nothing():
    # one path is exact over the integers, the other is in balls
    document = document_of(known_minimum(np.random.default_rng(0), 3, inputs=5).problem)
    found = verify(document)
    rng = np.random.default_rng(1)
    document["directions"] = rng.standard_normal((5, 5)).tolist()
    other = verify(document)
    assert other.holds is True
    assert "0 others" in other.assumption
    (a, b), (c, d) = interval(found), interval(other)
    assert max(a, c) <= min(b, d)


# ---- Tampering


def tampered(document, *path, by):
    """The document with one number changed."""
    changed = copy.deepcopy(document)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = by(inside[path[-1]])
    return changed


def learning(depth):
    return document_of(known_minimum(np.random.default_rng(10 + depth), depth, noise=0.5).problem)


def up(x):
    return x * (1 + 1e-9)


def down(x):
    return x * (1 - 1e-9)


CLAIMS = {
    "lower upward": ("lower", up),
    "upper downward": ("upper", down),
    "gain_lower upward": ("gain_lower", up),
    "gain_upper downward": ("gain_upper", down),
    "trivial or not": ("is_trivial", lambda answer: not answer),
}
NUMBERS = {
    "a decay": (("network", "weight_decay", 1), up),
    "a decay taken away": (("network", "weight_decay", 0), lambda _: 0.0),
    "a noise": (("network", "noise", 0), up),
    "a width": (("network", "hidden", 0), lambda width: width + 1),
    "noise on the inputs": (("network", "input_noise"), lambda _: 1e-9),
    "the reduction": (("data_factor",), up),
    "E[y²]": (("moments", "second_moment_y", 0), down),
    "a variance": (("moments", "second_moment_x", 0, 0), up),
    "one side of a covariance": (("moments", "second_moment_x", 0, 1), up),
    "a covariance with y": (("moments", "cross_moment", 0, 0), up),
    # the loss is flat to second order around the predictor
    "the predictor": (("minimum", "predictor", 0, 0), lambda x: x * (1 + 1e-5)),
    "the sign of the predictor": (("minimum", "predictor", 0, 0), lambda x: -x),
}


@every_depth
@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_goes_too_far_is_refuted(depth, name):
    part, change = CLAIMS[name]
    document = learning(depth)
    assert verify(document).holds is True
    found = verify(tampered(document, "minimum", part, by=change))
    assert found.holds is False
    assert found.claims[part] is False
    assert "refuted" in found.reason
    assert part in found.reason


@every_depth
@pytest.mark.parametrize("name", NUMBERS)
def test_a_problem_that_was_changed_is_refuted(depth, name):
    path, change = NUMBERS[name]
    assert verify(tampered(learning(depth), *path, by=change)).holds is False


def numbers(part, path=()):
    """The path to every float inside a part of a document."""
    if isinstance(part, float):
        yield path
    elif isinstance(part, (dict, list)):
        items = part.items() if isinstance(part, dict) else enumerate(part)
        for key, inner in items:
            yield from numbers(inner, (*path, key))


@pytest.mark.parametrize("depth", [1, 3])
def test_every_number_of_the_problem_matters(depth):
    document = learning(depth)
    problem = {name: document[name] for name in ("moments", "network", "data_factor")}
    paths = list(numbers(problem))
    assert len(paths) == 9 + 3 + 1 + depth + (depth + 1) + 1 + 1
    for path in paths:
        changed = tampered(document, *path, by=lambda x: x * (1 + 1e-8) + 1e-12)
        if path[:2] == ("moments", "second_moment_x") and path[2] != path[3]:
            assert "not symmetric" in verify(changed).reason
            i, j = path[2:]
            value = changed["moments"]["second_moment_x"][i][j]
            changed["moments"]["second_moment_x"][j][i] = value
        assert verify(changed).holds is False, path


def test_a_claim_that_says_less_still_holds():
    document = learning(2)
    weaker = tampered(document, "minimum", "lower", by=down)
    weaker = tampered(weaker, "minimum", "gain_upper", by=up)
    assert verify(weaker).holds is True


@pytest.mark.parametrize("name", ["is_trivial", "lower", "gain_upper"])
def test_a_collapsed_network_cannot_be_called_learning(name):
    problem = scaled_decays(known_minimum(np.random.default_rng(0), 2).problem, 100.0)
    document = document_of(problem)
    assert verify(document).claims["is_trivial"] is True
    wrong = {"is_trivial": lambda _: False, "lower": up, "gain_upper": lambda _: -1e-300}
    assert verify(tampered(document, "minimum", name, by=wrong[name])).holds is False


# ---- Directions left out


def wide(seed=0, decay=0.01):
    moments = singular(np.random.default_rng(seed))
    return document_of(ls.Problem(moments, ls.Network((3, 2), weight_decay=decay)))


def test_what_is_left_out_is_said_with_its_size():
    found = verify(wide())
    assert found.holds is True
    assert "does not vary beyond rounding" in found.assumption
    assert found.assumption in found.reason


def test_a_direction_that_varies_cannot_be_left_out():
    document = wide(1)
    document["directions"] = document["directions"][:-1]
    found = verify(document)
    assert found.holds is False
    assert "more than rounding" in found.reason


def test_a_signal_cannot_be_left_out():
    document = wide()
    document["moments"]["cross_moment"][0][-1] += 0.1
    found = verify(document)
    assert found.holds is False
    assert "no data have such moments" in found.reason


def test_nothing_is_proven_of_rounding_taken_as_exact():
    # where rounding made the zero eigenvalues positive the claim can still be proven
    found = [verify(wide(seed) | {"directions": None}) for seed in range(6)]
    undecided = [verification for verification in found if verification.holds is None]
    assert len(undecided) > 2
    assert not any(verification.holds is False for verification in found)
    for verification in undecided:
        assert "cannot be decided: by rounding" in verification.reason
        assert verification.lower is None


def test_dependent_directions_prove_nothing():
    document = wide(1)
    document["directions"] += document["directions"][:1]
    assert verify(document).holds is None


# ---- Moments of no data


def test_a_negative_variance_is_refuted():
    document = learning(2)
    d = len(document["moments"]["second_moment_x"])
    for i in range(d):
        document["moments"]["second_moment_x"][i][i] -= 1.2
    found = verify(document)
    assert found.holds is False
    assert "negative eigenvalue" in found.reason


def test_a_loss_below_zero_by_rounding_is_not_decided():
    undecided = 0
    for seed in range(20):
        X = np.random.default_rng(seed).standard_normal((20, 4))
        moments = ls.Moments.from_arrays(X, X @ [1.0, 2.0, -1.0, 0.5])
        found = verify(document_of(ls.Problem(moments, ls.Network(()))))
        if found.upper < 0:
            undecided += 1
            assert found.holds is None
            assert "by rounding" in found.reason
            assert found.claims["gain_lower"] is found.claims["gain_upper"] is True
        else:
            assert found.holds is True
    assert 0 < undecided < 20


def test_a_loss_below_zero_by_more_than_rounding_is_refuted():
    document = document_of(isotropic(0, c=[1.0], decay=0.0))
    document["moments"]["second_moment_y"] = [0.999]
    document["minimum"] |= {"lower": 0.0, "gain_lower": 1.0, "gain_upper": 1.0, "upper": 1.0}
    assert verify(document).holds is False


# ---- Form


def test_the_result_is_ready_for_json_and_says_what_it_rests_on():
    found = verify(learning(2))
    again = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert again["holds"] is True
    assert again["lower_digits"] == found.lower_digits
    assert "Theorem 2" in again["source"]
    infinite = verify(tampered(learning(2), "moments", "second_moment_x", 0, 1, by=up))
    assert json.loads(json.dumps(infinite.to_dict(), allow_nan=False))["lower"] is None


def test_a_loss_beyond_every_float_is_infinite_in_json():
    # inconsistent moments: the minimum is −c²/a = −1e600
    document = document_of(isotropic(0, c=[1.0], decay=0.0))
    document["moments"] |= {"second_moment_x": [[1e-300]], "cross_moment": [[1e150]]}
    found = verify(document)
    assert found.holds is False
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["lower"] == "-inf"


def test_the_working_precision_of_others_is_left_alone():
    before = ctx.prec
    for document in (learning(1), wide(), wide() | {"directions": None}):
        verify(document)
        assert ctx.prec == before


def test_a_document_is_not_changed_by_verifying_it():
    document = wide()
    kept = copy.deepcopy(document)
    verify(document)
    assert document == kept


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_hard_problem_is_refuted_once_its_claim_is_changed(kind):
    rng = np.random.default_rng(3)
    moments = kind(rng)
    document = document_of(ls.Problem(moments, network(moments, 2, rng)))
    found = verify(document)
    assert found.holds is True
    width = document["minimum"]["gain_upper"] - document["minimum"]["gain_lower"]
    assert width >= found.gap
    above = tampered(document, "minimum", "gain_lower", by=lambda _: found.gain_upper + width)
    below = tampered(document, "minimum", "gain_upper", by=lambda _: found.gain_lower - width)
    if width > 0:
        assert verify(above).holds is False
        assert verify(below).holds is False
