"""The phases over decay and depth or dropout, with a marker where the settings stand."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from linscape.explorer.drawing import PHASE_COLOURS, Updates, axis, decay_axis, layout, note, trace
from linscape.explorer.settings import Scene, grid, power
from linscape.explorer.view import Drawn, View
from linscape.landscape import PhaseDiagram, phase_diagram
from linscape.landscape.diagram import PHASES
from linscape.moments import Moments
from linscape.network import dropout

AXES = ("depth", "dropout")
_LABELS = {"depth": "hidden layers", "dropout": "dropout rate"}
_MAP, _MARKER = range(2)
_ROOM = 0.04  # share of the cells from which a phase gets its name


def figure() -> dict[str, Any]:
    """Return the figure without its points."""
    colours = [PHASE_COLOURS[name] for name in PHASES]
    edges = np.linspace(0, 1, len(colours) + 1)
    steps = [[float(edges[k + i]), colour] for k, colour in enumerate(colours) for i in (0, 1)]
    marker = {
        "symbol": "circle",
        "size": 13,
        "color": "rgba(255,255,255,0.95)",
        "line": {"width": 3, "color": "#16181d"},
    }
    return {
        "data": [
            {
                "type": "heatmap",
                "x": [],
                "y": [],
                "z": [],
                "zmin": -0.5,
                "zmax": len(PHASES) - 0.5,
                "colorscale": steps,
                "showscale": False,
                "hovertemplate": "γ = 10<sup>%{x:.2f}</sup>, %{y}<br>%{text}<extra></extra>",
            },
            {
                "type": "scatter",
                "mode": "markers",
                "x": [],
                "y": [],
                "marker": marker,
                "hovertemplate": "the settings<extra></extra>",
            },
        ],
        "layout": layout(decay_axis(), axis(_LABELS["depth"], nticks=8)),
    }


VIEW = View(
    name="phases",
    title="Phase diagram",
    lead="Each cell is a network. The dot is yours; click to move it.",
    theory="Learning: the global minimum is not zero. Metastable: other minima exist, zero is the "
    "best. Collapsed: zero is all there is. With D ≥ 2 hidden layers the edges are P < P* and "
    "P ≤ Pₑ for the product P of all decays; with one layer both are P < ‖c‖².",
    paper="Ziyin, Li & Meng (2022), section 4",
    link="https://arxiv.org/abs/2202.04777",
    page="docs/trap.md",
    figure=figure,
)


def draw(scene: Scene, up: str) -> Drawn:
    """Ask for the phases over every decay and every depth (or dropout rate).

    Raises
    ------
    LinscapeError
        For several targets.
    """
    scene.require_one_target()
    settings = scene.settings
    if up == "depth":
        diagram = _over_depth(scene.moments, settings.noise, settings.width)
        phases, heights = diagram.phase[:, :, 0, 0, 0], grid("depth")
        across = "depth=range(1, 7)"
        noise = f"noise=ls.dropout({settings.dropout!r})"
        place: float = settings.depth
    else:
        diagram = _over_dropout(scene.moments, settings.depth, settings.width)
        phases, heights = diagram.phase[0, :, :, 0, 0].T, grid("dropout")
        across = f"depth={settings.depth}"
        noise = "noise=[ls.dropout(rate) for rate in np.arange(46) / 50]"
        place = settings.dropout
    code = scene.code(
        "decays = [float(f'{10**x:.4g}') for x in np.linspace(-4, 1, 101).round(6)]",
        f"diagram = ls.phase_diagram(moments, {across}, weight_decay=decays,",
        f"                           {noise}, width={settings.width})",
        "phases = diagram.phase  # 0 collapsed, 1 metastable, 2 learning",
    )
    here = float(np.log10(settings.weight_decay))
    return Drawn(_updates(phases, heights, up, here, place), _summary(phases), code)


def _decays() -> list[float]:
    return [power(x) for x in grid("decay")]


def _over_depth(moments: Moments, noise: float, width: int) -> PhaseDiagram:
    depths = grid("depth")
    return phase_diagram(moments, depth=depths, weight_decay=_decays(), noise=noise, width=width)


def _over_dropout(moments: Moments, depth: int, width: int) -> PhaseDiagram:
    noise = [dropout(float(rate)) for rate in grid("dropout")]
    return phase_diagram(moments, depth=depth, weight_decay=_decays(), noise=noise, width=width)


def _updates(
    phases: NDArray[np.int8], heights: NDArray[np.float64], up: str, here: float, place: float
) -> Updates:
    step = float(heights[1] - heights[0]) / 2
    names = [[PHASES[k] for k in row] for row in phases]
    return {
        ("data", _MAP, "x"): grid("decay").tolist(),
        ("data", _MAP, "y"): heights.tolist(),
        ("data", _MAP, "z"): phases.tolist(),
        ("data", _MAP, "text"): names,
        **trace(_MARKER, [here], [place]),
        ("layout", "yaxis", "title", "text"): _LABELS[up],
        ("layout", "yaxis", "range"): [float(heights[0]) - step, float(heights[-1]) + step],
        ("layout", "annotations"): _words(phases, heights),
    }


def _words(phases: NDArray[np.int8], heights: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return the name of each phase, in the longest run of it that a row has."""
    words = []
    for k, name in enumerate(PHASES):
        inside = phases == k
        if inside.mean() < _ROOM:
            continue
        row = int(np.argmax(inside.sum(axis=1)))
        rows = np.flatnonzero(inside.sum(axis=1) >= 0.8 * inside[row].sum())
        row = int(rows[len(rows) // 2])
        columns = np.flatnonzero(inside[row])
        x = float(grid("decay")[columns[len(columns) // 2]])
        style = {"size": 12, "color": "#111318"}
        words.append(note(f"<b>{name}</b>", x, float(heights[row]), font=style))
    return words


def _summary(phases: NDArray[np.int8]) -> str:
    share = float(np.mean(phases == PHASES.index("learning")))
    return f"{phases.size} networks, each solved exactly: {share:.0%} of them learn."
