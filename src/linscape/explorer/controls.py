"""The left side of the page: data, sliders, theme. Native inputs, so that every keyboard works."""

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from linscape.explorer.bundled import NAMES, bundled
from linscape.explorer.settings import RANGES, Settings

SLIDERS = ("depth", "width", "dropout", "decay", "gain")
_LABELS = {
    "depth": "Hidden layers",
    "width": "Width of each",
    "dropout": "Dropout rate",
    "decay": "Weight decay γ",
    "gain": "Gain of the start",
}


def named(label: str) -> dict[str, Any]:
    """Return the property that names a part of the page for a screen reader."""
    return {"aria-label": label}


def controls() -> Any:
    """Return all controls."""
    return html.Aside(
        [
            html.Section([html.H2("Data"), _data(), _upload()]),
            html.Section([html.H2("Network"), *(_slider(name) for name in SLIDERS[:4])]),
            html.Section([html.H2("Descent"), _slider("gain"), _variant()]),
        ],
        className="controls",
        **named("Controls"),
    )


def theme_switch() -> Any:
    """Return the choice between light, dark and the system's; the style sheet does the rest."""
    return _choice(
        "theme", "Theme", {"auto": "auto", "light": "light", "dark": "dark"}, "auto", keep=True
    )


def axis_choice() -> Any:
    """Return the choice of what the phase diagram has upwards."""
    names = {"depth": "depth", "dropout": "dropout"}
    return _choice("upwards", "Upwards", names, "depth")


def data_options(uploaded: tuple[str, str] | None = None) -> list[dict[str, str]]:
    """Return the data sets to choose from, with (key, title) of an upload if there is one."""
    options = [{"label": bundled(name).title, "value": name} for name in NAMES]
    return [*options, {"label": uploaded[1], "value": uploaded[0]}] if uploaded else options


def readings(settings: Settings) -> list[str]:
    """Return what stands beside each slider."""
    return [
        str(settings.depth),
        str(settings.width),
        f"{settings.dropout:g}",
        f"{settings.weight_decay:.4g}",
        f"{settings.gain:.4g}",
    ]


def _data() -> Any:
    first = bundled(NAMES[0])
    columns = html.Details(
        [
            html.Summary(["Target: ", html.Span(", ".join(first.targets), id="target-names")]),
            html.Div(
                dcc.Checklist(id="targets", options=list(first.columns), value=list(first.targets)),
                className="columns",
                role="group",
                **named("Targets"),
            ),
        ]
    )
    chosen = dcc.RadioItems(id="dataset", options=data_options(), value=NAMES[0])
    return html.Div(
        [html.Div(chosen, role="group", **named("Data set")), columns], className="data"
    )


def _upload() -> Any:
    button = html.Button("Upload a CSV…", type="button", id="upload-button")
    said = "Stays on this machine; only its moments are kept."
    return html.Div(
        [
            dcc.Upload(button, id="upload", accept=".csv,text/csv", multiple=False),
            html.P(said, id="upload-note", role="status", className="small"),
        ]
    )


def _slider(name: str) -> Any:
    low, high, step, start = RANGES[name]
    label = html.Label(
        [f"{_LABELS[name]} ", html.Output(id=f"{name}-reading", htmlFor=name)], htmlFor=name
    )
    slider = dcc.Input(id=name, type="range", min=low, max=high, step=step, value=start)
    return html.Div([label, slider], className="slider")


def _variant() -> Any:
    names = {"set": "as set", "plain": "without decay and dropout"}
    return _choice("variant", "Train", names, "set")


def _choice(
    name: str, label: str, options: dict[str, str], value: str, *, keep: bool = False
) -> Any:
    """Return radio buttons in a row, with a name for those who cannot see them."""
    items: Sequence[dict[str, str]] = [{"label": v, "value": k} for k, v in options.items()]
    radio = dcc.RadioItems(id=name, options=items, value=value, inline=True, persistence=keep)
    return html.Div(
        [html.Span(label, className="small"), radio],
        className="choice",
        role="group",
        **named(label),
    )
