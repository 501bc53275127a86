"""What happens when a control moves: the energy curve at once, the other views after it."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from dash import Dash, Input, Output, Patch, State, ctx, no_update

from linscape.errors import LinscapeError
from linscape.explorer.bundled import OPENINGS
from linscape.explorer.controls import SLIDERS, data_options, readings
from linscape.explorer.drawing import Updates, blank
from linscape.explorer.settings import Scene, Settings, grid
from linscape.explorer.shelf import Shelf
from linscape.explorer.turn import Turn
from linscape.explorer.upload import decoded, table_of
from linscape.explorer.verdict import verdict
from linscape.explorer.view import Drawn, View
from linscape.explorer.views import bifurcation, descent, energy, phases, values

_LOG = logging.getLogger(__name__)
_BROKEN = "Something went wrong here; the terminal that runs the explorer says what."
_NO_SCENE = "Nothing to draw; the line above the figures says why."
_PARTS = (("graph", "figure"), ("summary", "children"), ("code", "children"), ("card", "className"))


class Callbacks:
    """The callbacks of one page server, and what they share: uploads, and whose turn it is."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._turn = Turn()

    def register(self, app: Dash) -> None:
        """Connect every callback to a page."""
        controls = [Input("dataset", "value"), Input("targets", "value")]
        controls += [Input(name, "value") for name in SLIDERS]
        shown = [Output("verdict", "children"), Output("target-names", "children")]
        shown += [Output(f"{name}-reading", "children") for name in SLIDERS]
        app.callback(
            [*_outputs(energy.VIEW), *shown, Output("moved", "data")],
            [*controls, State("page", "data")],
        )(self.move)
        app.callback(
            [*_outputs(phases.VIEW), *_outputs(bifurcation.VIEW), *_outputs(values.VIEW)],
            [Input("moved", "modified_timestamp"), Input("upwards", "value")],
            State("moved", "data"),
            prevent_initial_call=True,
        )(self.look)
        app.callback(
            _outputs(descent.VIEW),
            [Input("moved", "modified_timestamp"), Input("variant", "value")],
            State("moved", "data"),
            prevent_initial_call=True,
        )(self.run)
        self._register_hands(app)

    def _register_hands(self, app: Dash) -> None:
        """Connect what a hand does beside moving sliders: choose, upload, click, play."""
        app.callback(
            [
                Output("targets", "options"),
                Output("targets", "value"),
                *(Output(name, "value", allow_duplicate=True) for name in (*SLIDERS, "variant")),
            ],
            Input("dataset", "value"),
            prevent_initial_call=True,
        )(self.choose)
        app.callback(
            [
                Output("dataset", "options"),
                Output("dataset", "value"),
                Output("upload-note", "children"),
                Output("upload", "contents"),
            ],
            Input("upload", "contents"),
            State("upload", "filename"),
            prevent_initial_call=True,
        )(self.upload)
        app.callback(
            [Output(name, "value") for name in ("decay", "depth", "dropout")],
            Input("phases-graph", "clickData"),
            State("upwards", "value"),
            prevent_initial_call=True,
        )(click)
        app.callback(
            [
                Output("descent-graph", "figure", allow_duplicate=True),
                Output("ticker", "disabled"),
                Output("ticker", "n_intervals"),
            ],
            [Input("play", "n_clicks"), Input("ticker", "n_intervals")],
            State("descent-graph", "figure"),
            prevent_initial_call=True,
        )(play)

    def move(self, table: Any, targets: Any, *rest: Any) -> tuple[Any, ...]:
        """Draw the energy curve, and hand the move on to the other views."""
        *positions, page = rest
        sent = {"table": table, "targets": targets} | dict(zip(SLIDERS, positions, strict=True))
        moved = sent | {"page": str(page)}
        scene = cache(lambda: self._scene(moved))  # made once, or refused in both places
        drawn = _shown(energy.VIEW, scene, energy.draw)
        names = ", ".join(map(str, targets)) if targets else "none chosen"
        return *drawn, _said(scene), names, *_beside(sent), moved

    def look(self, stamp: Any, upwards: Any, moved: Any) -> tuple[Any, ...]:
        """Draw the phase diagram, the bifurcation diagram and the critical values."""
        scene = cache(lambda: self._scene(moved))
        up = upwards if upwards in phases.AXES else "depth"
        with self._turn.taken(moved["page"], int(stamp)) as mine:
            if not mine:
                return (no_update,) * (3 * len(_PARTS))
            return (
                *_shown(phases.VIEW, scene, lambda at: phases.draw(at, up)),
                *_shown(bifurcation.VIEW, scene, bifurcation.draw),
                *_shown(values.VIEW, scene, values.draw),
            )

    def run(self, stamp: Any, variant: Any, moved: Any) -> tuple[Any, ...]:
        """Run a descent, and draw it."""
        with self._turn.taken(moved["page"], int(stamp)) as mine:
            if not mine:
                return (no_update,) * len(_PARTS)
            plain = variant == "plain"
            return _shown(
                descent.VIEW,
                lambda: self._scene(moved),
                lambda at: descent.draw(at, plain=plain),
            )

    def choose(self, key: Any) -> tuple[Any, ...]:
        """Offer the columns of a data set as targets, and open it where it shows something."""
        opening = OPENINGS.get(str(key), {})
        places = [opening.get(name, no_update) for name in (*SLIDERS, "variant")]
        try:
            table = self._shelf.get(str(key))
        except LinscapeError:
            return [], [], *places
        return list(table.columns), list(table.targets), *places

    def upload(self, contents: Any, filename: Any) -> tuple[Any, ...]:
        """Keep the moments of an uploaded file and choose it, or say what is wrong with it."""
        if not contents:
            return (no_update,) * 4
        try:
            content = decoded(str(contents))
            table, said = table_of(content, str(filename))
        except LinscapeError as error:
            return no_update, no_update, f"Not read: {error}", None
        except Exception:
            _LOG.exception("an upload could not be read")
            return no_update, no_update, _BROKEN, None
        key = self._shelf.put(content, table)
        return data_options((key, table.title)), key, said, None

    def _scene(self, moved: dict[str, Any]) -> Scene:
        sent = {name: value for name, value in moved.items() if name != "page"}
        settings = Settings.read(**sent)
        scene = Scene(settings, self._shelf.get(settings.table))
        _ = scene.moments  # targets that cannot be are refused here, for all views at once
        return scene


def _said(scene: Callable[[], Scene]) -> Any:
    """Return the verdict, or why there is none."""
    try:
        return verdict(scene())
    except LinscapeError as error:
        return str(error)
    except Exception:
        _LOG.exception("there is no verdict")
        return _BROKEN


def _beside(sent: dict[str, Any]) -> list[Any]:
    """Return what stands beside each slider."""
    try:
        return [*readings(Settings.read(**sent))]
    except LinscapeError:
        return [no_update] * len(SLIDERS)


def click(data: Any, upwards: Any) -> tuple[Any, Any, Any]:
    """Move the sliders to where the phase diagram was clicked."""
    try:
        point = data["points"][0]
        x, y = float(point["x"]), float(point["y"])
    except (TypeError, KeyError, IndexError, ValueError):
        return no_update, no_update, no_update
    decay = _nearest("decay", x)
    if upwards == "dropout":
        return decay, no_update, _nearest("dropout", y)
    return decay, _nearest("depth", y), no_update


def play(clicks: Any, ticks: Any, figure: Any) -> tuple[Any, bool, Any]:
    """Begin to play a descent back, or go on by a frame."""
    if ctx.triggered_id == "play":
        return no_update, False, 0
    number = int(ticks or 0)
    patch = _patch(descent.frame(*descent.curve_of(figure), number))
    return patch, number >= descent.FRAMES, no_update


def _nearest(name: str, value: float) -> float:
    places = grid(name)
    return float(places[abs(places - value).argmin()])


def _outputs(view: View) -> list[Output]:
    return [Output(f"{view.name}-{part}", name) for part, name in _PARTS]


def _shown(
    view: View, scene: Callable[[], Scene], draw: Callable[[Scene], Drawn]
) -> tuple[Any, ...]:
    """Return what a view outputs: its figure, or in its place the reason why there is none."""
    drawn = _drawn(view, scene, draw)
    if isinstance(drawn, str):
        return _patch(blank(view.figure())), drawn, "", "card card--off"
    return _patch(drawn.updates), drawn.summary, drawn.code, "card"


def _drawn(view: View, scene: Callable[[], Scene], draw: Callable[[Scene], Drawn]) -> Drawn | str:
    at = None
    try:
        at = scene()
        return draw(at)
    except LinscapeError as error:
        # why there is no scene is said once, in place of the verdict
        return _NO_SCENE if at is None else str(error)
    except Exception:
        _LOG.exception("the view %s could not be drawn", view.name)
        return _BROKEN


def _patch(updates: Updates) -> Patch:
    """Return the update of a figure that changes these parts of it and nothing else."""
    patch = Patch()
    for path, value in updates.items():
        *way, last = path
        part = patch
        for step in way:
            part = part[step]
        part[last] = value
    return patch
