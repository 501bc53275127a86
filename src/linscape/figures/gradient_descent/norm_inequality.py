"""How far layers can outgrow their product: ‖W_j‖² − ‖W_N ⋯ W_1‖^{2/N} in units of balancedness."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from linscape.figures.catalogue import CATALOGUE
from linscape.figures.claim import Claim
from linscape.figures.gradient_descent.panels import panels
from linscape.figures.gradient_descent.random_nets import Array
from linscape.figures.reproduction import Advance, Reproduction
from linscape.plots.figure import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "norm-inequality"
SOURCE = "account of Nguegnang, Rauhut & Terstiege (2021), Proposition 3.2, equation (29)"
LAYERS = tuple(range(2, 9))
_SIZE = 2


def run(*, quick: bool, seed: int, advance: Advance) -> Reproduction:
    """Search for layers that outgrow their product, at every depth."""
    rng = np.random.default_rng(seed)
    climbers, moves, draws = (20, 150, 500) if quick else (100, 3000, 20_000)
    found, random, chains = [], [], []
    for k, layers in enumerate(LAYERS):
        chains.append(float(excesses(chain(layers))[0]))
        random.append(float(excesses(rng.standard_normal((draws, layers, 3, 3))).max()))
        starts = np.concatenate(
            [_padded(chain(layers)), rng.standard_normal((climbers, layers, _SIZE, _SIZE))]
        )
        found.append(_climb(starts, moves, rng))
        advance((k + 1) / len(LAYERS))
    arrays = {
        "layers": np.array(LAYERS),
        "chains": np.array(chains),
        "random": np.array(random),
        "found": np.array(found),
        "proven": np.array([proven(layers) for layers in LAYERS]),
    }
    return Reproduction(
        NAME, CATALOGUE[NAME].title, CATALOGUE[NAME].source,
        {"layers": list(LAYERS), "climbers": climbers, "moves": moves, "draws": draws,
         "sizes": {"climb": _SIZE, "draws": 3}},
        seed, arrays, _claims(arrays),
    )  # fmt: skip


def proven(layers: int) -> int:
    """Return the constant of the proof in docs/gallery/gradient_descent.md, for any layer."""
    return layers - 1 + (layers - 1) // 2


def excesses(weights: Array) -> Array:
    """Return (max_j ‖W_j‖² − ‖W_N ⋯ W_1‖^{2/N})/δ of nets (n, N, d, d), δ the balancedness."""
    layers = weights.shape[1]
    product = weights[:, 0]
    for j in range(1, layers):
        product = weights[:, j] @ product
    delta = imbalance(weights)
    largest = np.linalg.norm(weights, 2, axis=(-2, -1)).max(axis=1) ** 2
    least = np.linalg.norm(product, 2, axis=(-2, -1)) ** (2 / layers)
    return np.asarray((largest - least) / delta)


def imbalance(weights: Array) -> Array:
    """Return max_j ‖W_{j+1}ᵀW_{j+1} − W_jW_jᵀ‖₂, right for the product W_N ⋯ W_1."""
    layers = range(weights.shape[1])
    norms = [
        np.linalg.norm(weights[:, b].mT @ weights[:, b] - weights[:, a] @ weights[:, a].mT, 2,
                       axis=(-2, -1))
        for a, b in pairwise(layers)
    ]  # fmt: skip
    return np.asarray(np.max(norms, axis=0))


def chain(layers: int) -> Array:
    """Return single units of squares 0, 1, …, N − 1: δ = 1 and the product vanishes."""
    return np.asarray(np.sqrt(np.arange(float(layers)))).reshape(1, layers, 1, 1)


def _padded(weights: Array) -> Array:
    """Return single units as layers of the size climbed in, zero elsewhere."""
    more = _SIZE - 1
    return np.pad(weights, ((0, 0), (0, 0), (0, more), (0, more)))


def _climb(weights: Array, moves: int, rng: np.random.Generator) -> float:
    """Return the largest excess that random moves reach."""
    best = excesses(weights)
    for move in range(moves):
        size = 0.5 ** (1 + 10 * move / moves)
        tried = weights + size * rng.standard_normal(weights.shape)
        value = excesses(tried)
        better = value > best
        weights[better], best[better] = tried[better], value[better]
    return float(best.max())


def reversed_example() -> tuple[float, float, float, float]:
    """Return ‖W_j‖², ‖W_1W_2‖ and the two balancedness constants of the counterexample."""
    first, second = np.diag([1.0, 0.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
    wrong = np.linalg.norm(second.T @ second - first @ first.T, 2)
    right = np.linalg.norm(second @ second.T - first.T @ first, 2)
    largest = max(np.linalg.norm(first, 2), np.linalg.norm(second, 2)) ** 2
    return float(largest), float(np.linalg.norm(first @ second, 2)), float(wrong), float(right)


def _claims(arrays: dict[str, Array]) -> tuple[Claim, ...]:
    largest, product, wrong, right = reversed_example()
    layers, most = arrays["layers"], np.maximum(arrays["found"], arrays["random"])
    return (
        Claim(
            "‖W_j‖² ≤ ‖W_1W_2‖ + 3δ for N = 2, with the printed δ = ‖W_2ᵀW_2 − W_1W_1ᵀ‖ and the "
            "printed order XW_1W_2 of the product.",
            SOURCE + ", with (28) and (32)",
            printed=f"‖W_j‖² ≤ {product + 3 * wrong:g}",
            computed=f"‖W_j‖² = {largest:g}",
            holds=bool(largest <= product + 3 * wrong),
            note="W_1 = diag(1, 0), W_2 = [[0, 0], [1, 0]]: balanced as printed, W_1W_2 = 0. For "
            f"this order δ is ‖W_2W_2ᵀ − W_1ᵀW_1‖ = {right:g}, and 1 ≤ 0 + 3. For layers 5-2-2-5 "
            "in this order the printed difference does not exist: W_2ᵀW_2 is 2 × 2, W_1W_1ᵀ 5 × 5.",
        ),
        *(_general(layers, most, sizes) for sizes in ((2, 6), (7, 8))),
        _attained(arrays, most),
    )


def _attained(arrays: dict[str, Array], most: Array) -> Claim:
    """Return what no source states: how small the constant can be."""
    least = arrays["layers"] - 1
    above = arrays["layers"][most > least + 1e-9]
    return Claim(
        "No constant below N − 1 will do: single units of squares 0, 1, …, N − 1, whose product "
        "vanishes, attain it.",
        "our addition",
        computed="attained for N = " + ", ".join(f"{n}" for n in arrays["layers"]),
        holds=bool(np.all(arrays["chains"] >= least - 1e-9)),
        note="Whether N − 1 can take the place of N + 1 is open; "
        + (f"it cannot for N = {', '.join(map(str, above))}." if above.size
           else "the searches found nothing above it."),
    )  # fmt: skip


def _general(layers: Array, most: Array, sizes: tuple[int, int]) -> Claim:
    """Return what is known of the inequality for N from the first to the second of `sizes`."""
    low, high = sizes
    chosen = (layers >= low) & (layers <= high)
    sound = bool(np.all(most[chosen] <= layers[chosen] + 1))
    proof = high <= 6
    return Claim(
        "‖W_j‖² ≤ ‖W_N ⋯ W_1‖^{2/N} + (N + 1)δ, with δ = max ‖W_{j+1}ᵀW_{j+1} − W_jW_jᵀ‖, for "
        + (f"N ≤ {high}." if proof else f"N ≥ {low}."),
        SOURCE,
        printed="N + 1",
        computed="largest excess found, in units of δ: "
        + ", ".join(f"N = {n}: {x:.2f}" for n, x in zip(layers[chosen], most[chosen], strict=True)),
        holds=False if not sound else proof or None,
        note="Proven here with N − 1 + ⌊(N − 1)/2⌋ ≤ N + 1 in its place."
        if proof
        else "Proven here for the outermost layers (N − 1); for the others with "
        "N − 1 + ⌊(N − 1)/2⌋ only, and the searches found no counterexample.",
    )


def draw(found: Reproduction) -> "Figure":
    """Draw the largest excess over the number of layers, and the bounds."""
    figure, (axes,) = panels(1)
    arrays = found.arrays
    layers = np.asarray(arrays["layers"])
    axes.plot(layers, layers + 1, ":", color=ORANGE, label="printed, N + 1")
    axes.plot(layers, arrays["proven"], "--", color=GREEN, label="proven here for every layer")
    axes.plot(layers, arrays["chains"], "-", color=BLUE, label="attained by single units, N − 1")
    axes.plot(
        layers, arrays["found"], "o", color="black", label="largest found by moves, also from there"
    )
    axes.plot(layers, arrays["random"], "x", color=GREY, label="largest of random nets")
    axes.set_xlabel("layers N")
    axes.set_ylabel("(max ‖W_j‖² − ‖W_N⋯W_1‖$^{2/N}$) / δ")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    return figure
