"""The cells of a sweep: one problem each, with or without a descent, known by their content."""

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linscape.errors import InvalidNetwork, InvalidOption
from linscape.network import Network
from linscape.sweep.spec import NetworkGrid, Spec

_MOST = 10**6


@dataclass(frozen=True)
class Descent:
    """One run of gradient descent; `step_size` None is that of `sharpness_step_size`."""

    scheme: str
    gain: float
    seed: int
    step_size: float | None
    steps: int


@dataclass(frozen=True)
class Cell:
    """One problem of a sweep.

    Attributes
    ----------
    key : str
        Hash of everything the answer depends on: the moments, the network, the reduction, the
        descent, the seed of the sweep.
    data : str
        Name of the data set.
    network : Network
        The architecture.
    descent : Descent or None
        What to run on it, if anything.
    """

    key: str
    data: str
    network: Network
    descent: Descent | None

    def rng(self, seed: int) -> np.random.Generator:
        """Return the source of this cell's randomness, the same in any order and place."""
        words = [int(self.key[k : k + 8], 16) for k in range(0, 64, 8)]
        return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=words))


def cells(spec: Spec, fingerprints: Mapping[str, str]) -> list[Cell]:
    """Return every cell in the order of the spec; `fingerprints` are those of its data sets.

    Raises
    ------
    InvalidOption
        If two cells are the same, there are more than a million, or a network is none.
    """
    check_cells(spec)
    networks, descents = _networks(spec), _descents(spec)
    for (name, found), (other, same) in itertools.combinations(fingerprints.items(), 2):
        if found == same:
            raise InvalidOption(f"data.{name} and data.{other} hold the same moments; drop one")
    return [
        Cell(_key(spec, fingerprints[name], network, descent), name, network, descent)
        for name, _ in spec.data
        for network in networks
        for descent in descents
    ]


def check_cells(spec: Spec) -> None:
    """Refuse what can be refused before any data is read: too many cells, or the same twice."""
    problems = sum(math.prod(map(len, asdict(one).values())) for one in spec.networks)
    runs = math.prod(_lengths(spec))
    if problems * runs * len(spec.data) > _MOST:
        raise InvalidOption(
            f"a sweep has at most {_MOST} cells, got {problems * runs * len(spec.data)}: "
            f"{len(spec.data)} data sets, {problems} networks, {runs} descents of each; split it"
        )
    _networks(spec)


def _lengths(spec: Spec) -> list[int]:
    axes = () if spec.descents is None else asdict(spec.descents).values()
    return [axis if isinstance(axis, int) else len(axis) for axis in axes]


def _networks(spec: Spec) -> list[Network]:
    """Return every network, no two the same."""
    places: dict[Network, int] = {}
    for k, one in enumerate(spec.networks):
        for network in _expanded(one, k):
            if network in places:
                raise InvalidOption(
                    f"networks[{k}] has {_words(network)} "
                    + ("twice" if places[network] == k else f"as networks[{places[network]}] has")
                    + "; every cell may be there once (a linear model has no hidden noise: give "
                    "it a [[networks]] of its own)"
                )
            places[network] = k
    return list(places)


def _expanded(one: NetworkGrid, position: int) -> Iterator[Network]:
    product = itertools.product(one.hidden, one.noise, one.input_noise, one.bias, one.weight_decay)
    for hidden, noise, input_noise, bias, decay in product:
        try:
            yield Network(
                hidden, noise=noise, weight_decay=decay, bias=bias, input_noise=input_noise
            )
        except InvalidNetwork as error:
            raise InvalidOption(
                f"networks[{position}], hidden = {list(hidden)}: {error}; architectures of other "
                "depths need a [[networks]] of their own"
            ) from None


def _words(network: Network) -> str:
    values = network.to_dict()
    hidden = values.pop("hidden")
    return f"hidden = {hidden} with " + ", ".join(
        f"{key} = {value}" for key, value in values.items()
    )


def _descents(spec: Spec) -> list[Descent | None]:
    one = spec.descents
    if one is None:
        return [None]
    product = itertools.product(one.scheme, one.gain, one.step_size, one.steps, range(one.seeds))
    return [
        Descent(scheme, gain, seed, None if isinstance(size, str) else size, steps)
        for scheme, gain, size, steps, seed in product
    ]


def _key(spec: Spec, fingerprint: str, network: Network, descent: Descent | None) -> str:
    content: dict[str, Any] = {
        "data": fingerprint,
        "network": network.to_dict(),
        "reduction": spec.reduction,
        "descent": None if descent is None else asdict(descent),
        "seed": spec.seed,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
