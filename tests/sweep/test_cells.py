"""Cells: their order, their keys, their seeds, and what makes two the same."""

import hashlib
import itertools

import numpy as np
import pytest

from linscape.errors import InvalidOption
from linscape.network import Network
from linscape.sweep import read_spec
from linscape.sweep.cells import cells, check_cells


def spec(*networks, names=("a",), **rest):
    return read_spec(
        {
            "data": {name: {"moments": f"{name}.npz"} for name in names},
            "networks": list(networks),
            **rest,
        }
    )


def prints(*names):
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


GRID = {"hidden": [[2], [2, 3]], "noise": [0.0, 0.5], "weight_decay": [0.1, 0.2, 0.3]}


def test_every_combination_is_there_once_in_order():
    found = cells(spec(GRID, names=("a", "b")), prints("a", "b"))
    expected = [
        (name, Network(hidden, noise=noise, weight_decay=decay))
        for name, hidden, noise, decay in itertools.product(
            "ab", [(2,), (2, 3)], [0.0, 0.5], [0.1, 0.2, 0.3]
        )
    ]
    assert [(cell.data, cell.network) for cell in found] == expected
    assert len({cell.key for cell in found}) == len(found) == 24


def test_one_value_each_for_the_layers():
    one = {"hidden": [[2, 3]], "noise": [[0.1, 0.2]], "weight_decay": [[0.1, 0.2, 0.3], 0.5]}
    first, second = cells(spec(one), prints("a"))
    assert first.network == Network((2, 3), noise=(0.1, 0.2), weight_decay=(0.1, 0.2, 0.3))
    assert second.network.weight_decay == (0.5, 0.5, 0.5)


def test_descents_are_an_axis():
    descents = {"gain": [0.5, 1.0], "seeds": 3, "step_size": [0.01, "auto"]}
    found = cells(spec({"hidden": [[2]], "weight_decay": 0.1}, descents=descents), prints("a"))
    runs = [(one.descent.gain, one.descent.step_size, one.descent.seed) for one in found]
    assert runs == list(itertools.product([0.5, 1.0], [0.01, None], range(3)))


def test_keys_depend_on_content_alone():
    """Not on the name of the data, on the order, or on what else is in the spec."""
    small = cells(spec({**GRID, "weight_decay": [0.2]}), prints("a"))
    large = cells(spec(GRID), prints("a"))
    renamed = cells(spec(GRID, names=("b",)), {"b": prints("a")["a"]})
    assert {cell.key for cell in small} < {cell.key for cell in large}
    assert [cell.key for cell in renamed] == [cell.key for cell in large]


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"reduction": "half_mean"}, {"descents": {}}, {"descents": {"steps": 2}}],
)
def test_keys_depend_on_all_content(change):
    before = {cell.key for cell in cells(spec(GRID), prints("a"))}
    after = {cell.key for cell in cells(spec(GRID, **change), prints("a"))}
    assert not before & after


def test_keys_depend_on_the_data():
    before = {cell.key for cell in cells(spec(GRID), prints("a"))}
    assert not before & {cell.key for cell in cells(spec(GRID), {"a": prints("b")["b"]})}


def test_seeds_come_from_the_seed_and_the_key_through_seed_sequence():
    (cell,) = cells(spec({"hidden": [[2]], "weight_decay": 0.1}), prints("a"))
    digest = bytes.fromhex(cell.key)
    words = [int.from_bytes(digest[k : k + 4], "big") for k in range(0, 32, 4)]
    sequence = np.random.SeedSequence(entropy=5, spawn_key=tuple(words))
    assert np.array_equal(cell.rng(5).random(4), np.random.default_rng(sequence).random(4))
    assert not np.array_equal(cell.rng(5).random(4), cell.rng(6).random(4))


def test_the_same_network_twice_is_refused():
    with pytest.raises(InvalidOption, match=r"networks\[1\] has hidden = \[2, 3\].*networks\[0\]"):
        check_cells(spec(GRID, {"hidden": [[2, 3]], "weight_decay": 0.2}))


def test_a_linear_model_with_noise_is_the_same_network_twice():
    with pytest.raises(InvalidOption, match="a linear model has no hidden noise"):
        check_cells(spec({**GRID, "hidden": [[], [2]]}))


def test_the_same_data_under_two_names_is_refused():
    with pytest.raises(InvalidOption, match=r"data\.a and data\.b hold the same moments"):
        cells(spec(GRID, names=("a", "b")), dict.fromkeys("ab", prints("a")["a"]))


def test_values_for_other_depths_are_refused():
    with pytest.raises(InvalidOption, match=r"networks\[0\], hidden = \[2\]: weight_decay needs"):
        check_cells(spec({**GRID, "weight_decay": [[0.1, 0.2, 0.3]]}))


def test_too_many_cells_are_refused_before_they_are_made():
    many = [float(k) for k in range(1, 3000)]
    grid = {"hidden": [[2]], "noise": many, "weight_decay": many}
    with pytest.raises(InvalidOption, match="at most 1000000 cells, got 8994001"):
        check_cells(spec(grid))
    with pytest.raises(InvalidOption, match="at most"):
        check_cells(spec({"hidden": [[2]], "weight_decay": 1}, descents={"seeds": 2**62}))
