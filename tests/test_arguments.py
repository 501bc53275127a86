"""Wrong types and lost ranges, at the door of every public function."""

import inspect
import math
import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import ArrayLike

import linscape as ls
from linscape.arguments import guarded
from linscape.errors import InvalidOption, InvalidWeights, LinscapeError, OutOfRange

MOMENTS = ls.Moments([[1.0]], [1.0], 1.0)
NETWORK = ls.Network((2,), weight_decay=0.1)
VALUES = {
    "rng": 0,
    "step_size": 0.1,
    "steps": 1,
    "strength": 0.1,
    "gains": [1.0],
    "weight_decay": [0.1],
    "modes": [0],
    "energies": [1.0],
    "times": [0.0, 1.0],
}


def functions_of_a_problem():
    names = [name for names in ls._NAMES.values() for name in names]
    found = {name: getattr(ls, name) for name in names if inspect.isfunction(getattr(ls, name))}
    found |= {f"bounds.{k}": v for k, v in vars(ls.bounds).items() if inspect.isfunction(v)}
    return {
        name: function
        for name, function in found.items()
        if next(iter(inspect.signature(function).parameters), "") == "problem"
    }


FUNCTIONS = functions_of_a_problem()


def test_there_are_such_functions():
    assert len(FUNCTIONS) > 45


@pytest.mark.parametrize("given", [MOMENTS, NETWORK, None, "problem", np.eye(2), 1.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_problem(name, given):
    function = FUNCTIONS[name]
    parameters = list(inspect.signature(function).parameters.values())[1:]
    required = [one for one in parameters if one.default is one.empty]
    positional = [
        VALUES.get(one.name, [np.ones((1, 1))])
        for one in required
        if one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    named = {one.name: VALUES[one.name] for one in required if one.kind is one.KEYWORD_ONLY}
    with pytest.raises(LinscapeError) as caught:
        function(given, *positional, **named)
    if isinstance(caught.value, InvalidOption):
        assert "to be a Problem" in str(caught.value)
        assert "linscape.Problem(moments, network)" in str(caught.value)


@guarded
def shown(
    number: float = 0.0,
    count: int = 1,
    rng: np.random.Generator | int = 0,
    values: ArrayLike | None = None,
    names: Sequence[int] = (),
    flag: bool = False,
) -> str:
    """Fail on whatever it is given."""
    raise TypeError("a late and unclear one")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("number", "a", "shown needs number to be a number, got 'a'"),
        ("number", None, "shown needs number to be a number, got None"),
        ("number", True, "shown needs number to be a number, got True"),
        ("number", 10**400, "shown needs number to be a number, got 1000"),
        ("count", 1.5, "shown needs count to be a whole number, got 1.5"),
        ("rng", -1, "a numpy Generator or a seed of at least 0, got -1"),
        ("rng", "a", "a numpy Generator or a seed of at least 0, got 'a'"),
        ("values", [[1.0], [1.0, 2.0]], "values to be real numbers or None, got an object of type"),
        ("values", "a", "values to be real numbers or None, got 'a'"),
        ("names", "a", "shown needs names to be a sequence, each of it a whole number, got 'a'"),
        ("names", {1: 2}, "got an object of type dict"),
        ("names", np.array(1), "got an object of type ndarray"),
        ("flag", 2, "shown needs flag to be True or False, got 2"),
    ],
)
def test_messages(name, value, message):
    with pytest.raises(InvalidOption) as caught:
        shown(**{name: value})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "named", [{}, {"number": np.float32(1)}, {"count": np.int8(1)}, {"values": [1]}, {"rng": 3}]
)
def test_a_failure_on_good_arguments_is_not_hidden(named):
    with pytest.raises(TypeError, match="late and unclear"):
        shown(**named)


def test_weights_have_their_own_error():
    with pytest.raises(InvalidWeights, match="real numbers"):
        ls.balancedness(None)


@pytest.mark.parametrize(
    "broken",
    [
        lambda x: x / 0,
        lambda x: np.float64(1e308) * 10 * x,
        lambda x: 10.0**400,
        lambda x: math.log(0 * x),
    ],
)
def test_lost_range(broken):
    with pytest.raises(OutOfRange, match="left the range of 64-bit floats"):
        guarded(broken)(1.0)


def test_names_signatures_and_pickles_stay():
    assert list(inspect.signature(ls.phase).parameters) == ["problem"]
    assert ls.phase.__module__ == "linscape.landscape.phases"
    assert pickle.loads(pickle.dumps(ls.phase)) is ls.phase


def test_settings_of_numpy_stay():
    before = np.geterr()
    ls.phase(ls.Problem(MOMENTS, NETWORK))
    assert np.geterr() == before
