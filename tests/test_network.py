"""The architecture and the numbers it comes to, against exact arithmetic."""

import dataclasses
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from linscape import Network, dropout
from linscape.errors import InvalidNetwork, LinscapeError, OutOfRange
from oracles import two_points

widths = st.lists(st.integers(1, 1000), max_size=6)
positive = st.floats(1e-300, 1e300)


@st.composite
def networks(draw):
    hidden = draw(widths)
    size = len(hidden)
    return Network(
        hidden,
        noise=draw(st.lists(st.floats(0, 1e6), min_size=size, max_size=size)),
        weight_decay=draw(st.lists(positive, min_size=size + 1, max_size=size + 1)),
        bias=draw(st.sampled_from([False, "decayed", "free"])),
        input_noise=draw(st.floats(0, 10)),
    )


# ---- The three numbers


@given(networks())
def test_inflation_is_the_product_over_layers(network):
    exact = math.prod(
        1 + Fraction(s) / k for s, k in zip(network.noise, network.hidden, strict=True)
    )
    assert network.inflation == pytest.approx(float(exact), rel=1e-13)
    assert network.log_inflation == pytest.approx(float(mp.log(mp.mpf(1) * exact)), abs=1e-13)


@given(networks())
def test_log_decay_product_is_the_sum_of_the_logarithms(network):
    with mp.workdps(30):
        exact = mp.fsum(mp.log(mp.mpf(g)) for g in network.weight_decay)
        size = mp.fsum(abs(mp.log(mp.mpf(g))) for g in network.weight_decay)
    assert abs(network.log_decay_product - float(exact)) <= 1e-15 * float(size)


def test_the_three_numbers_of_a_small_net_by_hand():
    network = Network((2, 4), noise=(1.0, 2.0), weight_decay=(0.5, 0.25, 2.0))
    assert network.depth == 2
    assert network.inflation == pytest.approx(1.5 * 1.5, rel=1e-15)
    assert network.decay_product == pytest.approx(0.25, rel=1e-15)


def test_a_linear_model_has_no_inflation_and_one_decay():
    network = Network((), weight_decay=0.3)
    assert (network.depth, network.inflation, network.noise) == (0, 1.0, ())
    assert network.decay_product == pytest.approx(0.3, rel=1e-15)


def test_noise_without_variance_inflates_nothing():
    assert Network((3, 5)).inflation == 1.0
    assert Network((3, 5)).log_inflation == 0.0


def test_one_layer_without_decay_makes_the_product_zero():
    network = Network((3, 5), weight_decay=(0.1, 0.0, 2.0))
    assert network.decay_product == 0.0
    assert network.log_decay_product == -math.inf


@pytest.mark.parametrize(("decay", "depth"), [(1e-5, 80), (1e5, 80)])
def test_a_product_out_of_range_says_so_and_its_logarithm_works(decay, depth):
    network = Network((8,) * depth, weight_decay=decay)
    with pytest.raises(OutOfRange, match="log_decay_product"):
        _ = network.decay_product
    expected = (depth + 1) * math.log(decay)
    assert network.log_decay_product == pytest.approx(expected, rel=1e-14)


def test_an_inflation_out_of_range_says_so_and_its_logarithm_works():
    network = Network((1,) * 80, noise=1e5)
    with pytest.raises(OutOfRange, match="log_inflation"):
        _ = network.inflation
    assert network.log_inflation == pytest.approx(80 * math.log1p(1e5), rel=1e-14)


def test_a_tiny_noise_keeps_its_digits():
    assert Network((3,), noise=3e-20).log_inflation == pytest.approx(1e-20, rel=1e-15)


# ---- Dropout


@given(st.floats(0, 0.999))
def test_dropout_has_the_variance_of_its_mask(rate):
    exact = Fraction(rate) / (1 - Fraction(rate))
    assert dropout(rate) == pytest.approx(float(exact), rel=1e-15, abs=1e-300)
    law = [(0, rate), (1 / (1 - rate), 1 - rate)]
    assert sum(p * mask for mask, p in law) == pytest.approx(1, rel=1e-12)
    variance = sum(p * (mask - 1) ** 2 for mask, p in law)
    assert dropout(rate) == pytest.approx(variance, rel=1e-12, abs=1e-300)


def test_dropout_is_the_mask_of_the_oracle():
    masks = two_points(dropout(0.3), "dropout")
    assert masks[0] == (0, pytest.approx(0.3, rel=1e-15))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.0, 1.5, math.nan, math.inf, "half", None, True])
def test_a_dropout_rate_outside_its_range_is_refused(rate):
    with pytest.raises(InvalidNetwork, match="dropout rate"):
        dropout(rate)


# ---- Shapes and forms


@given(networks(), st.integers(1, 5), st.integers(1, 5))
def test_shapes_chain_from_inputs_to_outputs(network, inputs, outputs):
    shapes = network.shapes(inputs, outputs)
    extra = network.bias is not False
    assert len(shapes) == network.depth + 1
    assert [rows for rows, _ in shapes] == [*network.hidden, outputs]
    assert shapes[0][1] == inputs + extra
    assert all(right[1] == left[0] + extra for left, right in itertools.pairwise(shapes))


@given(networks())
def test_a_network_survives_json(network):
    again = Network(**json.loads(json.dumps(network.to_dict())))
    assert again == network
    assert hash(again) == hash(network)
    assert len({again, network}) == 1


def test_a_network_cannot_be_changed():
    network = Network((3,))
    for name in ("hidden", "noise", "weight_decay", "bias", "input_noise"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(network, name, getattr(network, name))


def test_one_value_serves_every_layer():
    one = Network((3, 4), noise=0.5, weight_decay=0.1)
    assert one == Network([3, 4], noise=[0.5, 0.5], weight_decay=[0.1] * 3)
    assert one != Network([4, 3], noise=0.5, weight_decay=0.1)


@pytest.mark.parametrize("make", [tuple, list, np.array, iter])
def test_sequences_of_any_kind_are_taken(make):
    network = Network(make([2, 3]), noise=make([0.5, 0.25]), weight_decay=make([1.0, 2.0, 3.0]))
    assert network == Network((2, 3), noise=(0.5, 0.25), weight_decay=(1.0, 2.0, 3.0))
    assert [type(width) for width in network.hidden] == [int, int]
    assert {type(value) for value in (*network.noise, *network.weight_decay)} == {float}


def test_numpy_numbers_are_numbers():
    network = Network((2,), noise=np.float32(0.5), weight_decay=np.array(0.25))
    assert network == Network((2,), noise=0.5, weight_decay=0.25)


# ---- What is refused


@pytest.mark.parametrize("width", [0, -1, 2.0, 1.5, "3", None, True, math.nan])
def test_a_width_that_is_none_is_refused_by_its_layer(width):
    with pytest.raises(InvalidNetwork, match="hidden layer 2"):
        Network((3, width))


@pytest.mark.parametrize("hidden", [3, "34", None, 2.5, np.array(2.0)])
def test_hidden_must_be_a_sequence(hidden):
    with pytest.raises(InvalidNetwork, match="hidden"):
        Network(hidden)


@pytest.mark.parametrize("value", [-1e-300, -1, math.nan, math.inf, -math.inf, "a", None, True])
@pytest.mark.parametrize("name", ["noise", "weight_decay", "input_noise"])
def test_a_negative_or_infinite_value_is_refused_by_its_name(name, value):
    with pytest.raises(InvalidNetwork, match=name):
        Network((3, 4), **{name: value})


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
@pytest.mark.parametrize(("name", "length"), [("noise", 2), ("weight_decay", 3)])
def test_a_bad_value_is_named_by_its_position(name, length, value):
    for position in range(length):
        values = [0.5] * length
        values[position] = value
        with pytest.raises(InvalidNetwork, match=rf"{name}\[{position}\]"):
            Network((3, 4), **{name: values})


@pytest.mark.parametrize(("name", "length"), [("noise", 2), ("weight_decay", 3)])
def test_a_wrong_number_of_values_is_refused_with_both_numbers(name, length):
    for wrong in {0, 1, length - 1, length + 1} - {length}:
        with pytest.raises(InvalidNetwork, match=rf"{name} .*{length}.*got {wrong}"):
            Network((3, 4), **{name: [0.5] * wrong})


@pytest.mark.parametrize("bias", [True, None, 0, 1, "none", "Free", ["free"], np.array([0, 1])])
def test_a_bias_must_be_one_of_three(bias):
    with pytest.raises(InvalidNetwork, match="bias"):
        Network((3,), bias=bias)


def test_errors_are_caught_as_value_errors_and_as_the_packages():
    assert issubclass(InvalidNetwork, LinscapeError)
    assert issubclass(InvalidNetwork, ValueError)
    assert issubclass(OutOfRange, ArithmeticError)


@pytest.mark.parametrize("name", ["noise", "weight_decay", "input_noise"])
def test_a_masked_entry_is_no_number(name):
    masked = np.ma.array([1.0], mask=[True])[0]
    with pytest.raises(InvalidNetwork, match="finite number"):
        Network((2,), **{name: masked})
