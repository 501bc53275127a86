"""The page: a header, the controls, the verdict, and a card for each view."""

import uuid
from typing import Any

from dash import dcc, html

from linscape import __version__
from linscape.explorer.controls import axis_choice, controls, theme_switch
from linscape.explorer.view import View
from linscape.explorer.views import bifurcation, descent, energy, phases, values

VIEWS = (energy.VIEW, phases.VIEW, descent.VIEW, bifurcation.VIEW, values.VIEW)
_INTRO = (
    "Move a slider: see where the best deep linear network lies, and whether training gets there."
)


def page() -> Any:
    """Return the page; every visit has a name of its own, so that its requests can be ordered."""
    return html.Div(
        [
            html.A("Skip to the figures", href="#figures", className="skip"),
            html.Header([html.H1("linscape"), html.P(_INTRO, className="intro"), theme_switch()]),
            html.Div([controls(), _figures()], className="body"),
            html.Footer(_footer()),
            dcc.Store(id="page", data=uuid.uuid4().hex),
            dcc.Store(id="moved"),
            dcc.Interval(id="ticker", interval=80, disabled=True),
        ],
        className="page",
    )


def _aria(name: str, value: str) -> dict[str, Any]:
    return {f"aria-{name}": value}


def _figures() -> Any:
    status = html.Div(id="verdict", role="status", className="verdict", **_aria("live", "polite"))
    cards = html.Div([_card(view) for view in VIEWS], className="cards")
    return html.Main([status, cards], id="figures", tabIndex=-1)


def _card(view: View) -> Any:
    graph = dcc.Graph(
        id=f"{view.name}-graph",
        figure=view.figure(),
        config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
        responsive=True,
        className="graph",
    )
    picture = html.Div(
        graph, role="img", className="picture", **_aria("labelledby", f"{view.name}-summary")
    )
    heading = html.H2(view.title, id=f"{view.name}-title")
    return html.Section(
        [
            html.Div([heading, *_tools(view)], className="head"),
            html.P(_lead(view), className="lead"),
            picture,
            html.P(id=f"{view.name}-summary", className="summary", role="status"),
            html.Div([_theory(view), _python(view)], className="foot"),
        ],
        id=f"{view.name}-card",
        className="card",
        **_aria("labelledby", f"{view.name}-title"),
    )


def _lead(view: View) -> list[Any]:
    if view.name == "phases":
        names = ("learning", "metastable", "collapsed")
        legend = [html.Span(name, className=f"legend legend--{name}") for name in names]
        return [f"{view.lead} ", *legend]
    return [view.lead]


def _tools(view: View) -> list[Any]:
    if view.name == "phases":
        return [axis_choice()]
    if view.name == "descent":
        return [html.Button("▶ Play", id="play", type="button")]
    return []


def _theory(view: View) -> Any:
    link = html.A(view.paper, href=view.link, target="_blank", rel="noreferrer noopener")
    more = html.P([link, ", and ", html.Code(view.page), " of the documentation."])
    return html.Details([html.Summary("Theory"), html.P(view.theory), more], className="theory")


def _python(view: View) -> Any:
    name = f"{view.name}-code"
    code = html.Pre(id=name, tabIndex=0, **_aria("label", f"Python for: {view.title}"))
    copy = dcc.Clipboard(
        html.Button("Copy", type="button"),
        target_id=name,
        copied_children=html.Button("Copied", type="button"),
        className="copy",
    )
    return html.Details([html.Summary("Python"), html.Div([copy, code], className="code")])


def _footer() -> list[Any]:
    return [
        html.Span(f"linscape {__version__}. Losses are mean squares plus decay γ‖W‖², no ½. "),
        html.Span("Nothing leaves this machine."),
    ]
