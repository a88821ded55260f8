"""What the pages are made of: the list of runs, a run, and a page that says what is wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pandas
from dash import dcc, html

from ..analysis.failures import failures
from ..analysis.history import history
from ..analysis.run import Run
from ..analysis.rungs import rung_counts, share
from ..analysis.state import state_of
from ..archives import Archive
from ..candidates import Status
from ..wording import duration
from . import figures
from .live import LiveRun
from .preview import preview
from .results import Row

NONE = "–"
CAUSES = 30
"""Of failures that are listed."""
MILLISECONDS_BETWEEN = 3000
"""A page asks so often whether its run goes on."""
GRAPH: dict[str, Any] = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "toImageButtonOptions": {"format": "svg"},
}


def run_list(rows: list[Row]) -> Any:
    """A table of runs with their state."""
    if not rows:
        return html.P(["No run here yet. Start one: ", html.Code("qd run FILE --out RESULTS/NAME")])
    names = ["run", "state", "space", "evaluator", "evaluations", "failed", "elites", "best"]
    head = html.Thead(html.Tr([html.Th(name, className="text" if name in names[:4] else "") for name in names]))
    return html.Table([head, html.Tbody([_run_row(row) for row in rows])], className="runs")


def _run_row(row: Row) -> html.Tr:
    link = dcc.Link(row.name, href=address(row.name))
    state = html.Td(html.Span(row.state, className=f"state {row.state}"), className="text")
    if row.problem:
        return html.Tr(
            [html.Td(link, className="text"), state, html.Td(row.problem, colSpan=6, className="text quiet")]
        )
    best = NONE if row.best is None else f"{row.best:.4g}"
    cells = [row.space, row.evaluator, f"{row.evaluations:,}", f"{row.failed:,}", f"{row.elites:,}"]
    return html.Tr(
        [
            html.Td(link, className="text"),
            state,
            *[html.Td(cell, className="text" if index < 2 else "") for index, cell in enumerate(cells)],
            html.Td(best, title=row.objective),
        ]
    )


def address(name: str) -> str:
    """The page of a run."""
    return f"/run/{quote(name)}"


def run_page(name: str, live: LiveRun, run: Run) -> list[Any]:
    """A run as it is now. The map comes with the page, so that it is seen first; callbacks draw what is below it."""
    measures, objective = view = live.default_view()
    archive, frame = live.archive(view), live.once(history)
    evaluations = finished(frame)
    options = [{"label": one.replace("_", " "), "value": one} for one in run.metrics]
    x, y = (*measures, "")[:2]
    return [
        html.P([dcc.Link("all runs", href="/"), " / ", html.B(name)]),
        html.Div(facts(live, run), id="facts"),
        html.Div(
            [
                _choice("x", "horizontal", options, x),
                _choice("y", "vertical", [{"label": "(none)", "value": ""}, *options], y),
                _choice("objective", "colour", options, objective),
            ],
            className="controls",
        ),
        html.Div(
            [
                html.Label("The search after", htmlFor="moment"),
                dcc.Slider(
                    0,
                    max(1, evaluations),
                    1,
                    value=max(1, evaluations),
                    id="moment",
                    marks=None,
                    updatemode="mouseup",
                    tooltip={"placement": "bottom", "always_visible": False},
                ),
                html.Span(moment(evaluations, archive), id="moment-text", className="quiet"),
            ],
            className="moment",
        ),
        html.Div(
            [
                html.Div(
                    [
                        html.Div(
                            [*_preview(archive), graph("map", figures.map_figure(archive, live.metrics(archive)))],
                            className="plot map",
                        ),
                        html.P("Grey: no network found. Click on a cell to open its network.", className="quiet"),
                    ]
                ),
                html.Div(html.P("Click on a cell of the map.", className="quiet"), id="elite", className="elite"),
            ],
            className="columns wide-left",
        ),
        html.H2("Elites across all metrics"),
        html.P(
            "Drag along an axis to brush: the map keeps what is within. Click on the axis to clear it.",
            className="quiet",
        ),
        html.P(id="brush-text", className="quiet"),
        html.Div(id="parallel-place", className="plot parallel"),
        html.H2("How the search went"),
        html.Div(id="curves-place", className="plot curves"),
        *(
            [html.H2("Learning curves"), html.Div(id="learning-place", className="plot curves")]
            if run.has_curves
            else []
        ),
        html.H2("Failures by cause"),
        html.Div(causes(live), id="failures"),
        dcc.Store(id="run", data=name),
        dcc.Store(id="version", data=live.tell),
        dcc.Store(id="state", data=state_of(run).word),
        dcc.Store(id="brush", data={}),
        dcc.Store(id="visible-parallel", data=False),
        dcc.Store(id="visible-curves", data=False),
        dcc.Store(id="visible-learning", data=False),
        dcc.Store(id="chosen"),
        dcc.Store(id="pinned"),
        dcc.Interval(id="run-clock", interval=MILLISECONDS_BETWEEN),
    ]


def _choice(id: str, label: str, options: list[dict[str, str]], value: str) -> html.Div:
    return html.Div([html.Label(label, htmlFor=id), dcc.Dropdown(options, value, id=id, clearable=False)])


def _preview(archive: Archive) -> list[html.Img]:
    picture = preview(archive)
    return [html.Img(src=picture, id="preview", alt="")] if picture else []


def graph(id: str, figure: figures.Plain) -> dcc.Graph:
    """A figure that fills what is around it."""
    return dcc.Graph(id=id, figure=figure, config=GRAPH, responsive=True)  # pyright: ignore[reportArgumentType]


def finished(frame: pandas.DataFrame) -> int:
    """Search evaluations at the end of a history."""
    return int(frame["evaluations"].iloc[-1]) if len(frame) else 0


def moment(evaluations: int, archive: Archive) -> str:
    """Where the time slider stands."""
    return f"{evaluations:,} evaluations: {len(archive):,} elites, coverage {archive.coverage:.1%}"


def facts(live: LiveRun, run: Run) -> list[Any]:
    """State and figures of a run; while `reading`."""
    archive, told, frame, state = run.archive, live.once(counts), live.once(history), state_of(run)
    failed = sum(count for status, count in told.items() if not status.is_answer)
    best = archive.best
    shown = {
        "state": html.Span(state.word, className=f"state {state.word}", title=state.reason),
        f"best {archive.objective.metric.replace('_', ' ')}": NONE if best is None else f"{best.objective:.5g}",
        "elites": f"{len(archive):,} of {archive.cells:,}",
        "coverage": f"{archive.coverage:.1%}",
        "normalised QD score": f"{archive.normalised_qd_score:.4f}",
        "evaluations": f"{sum(told.values()):,}",
        **{f"at {share(one.fidelity)}": f"{one.evaluations:,}" for one in live.once(rung_counts)},
        "failed": f"{failed:,}",
        "outside the map": f"{archive.outside:,}",
        "search time": duration(float(frame["seconds"].iloc[-1]) if len(frame) else 0.0),
    }
    return [html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in shown.items()], className="facts")]


def counts(run: Run) -> dict[Status, int]:
    """Finished search evaluations."""
    return run.counts


def causes(live: LiveRun) -> list[Any]:
    """What went wrong, the most frequent first; while `reading`."""
    found = live.once(failures)
    if not found:
        return [html.P("None.", className="quiet")]
    return [
        html.Details(
            [
                html.Summary(f"{one.count:,} {one.status.replace('_', ' ')}: {one.text}"),
                html.P(f"The first was candidate {one.candidate}:"),
                html.Pre(one.example),
            ]
        )
        for one in found[:CAUSES]
    ]


def problem(text: str) -> list[Any]:
    """What is wrong, and the way back."""
    return [html.P(dcc.Link("all runs", href="/")), html.Div(text, className="problem", role="alert")]
