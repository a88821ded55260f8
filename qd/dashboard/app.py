"""The Dash application: pages, and what happens on them."""

from __future__ import annotations

import contextlib
import functools
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

import dash
import flask
from dash import ALL, Dash, Input, Output, Patch, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from ..analysis.history import history
from ..analysis.learning_curves import curves_of
from ..analysis.state import state_of
from ..errors import QdError
from . import figures, pages
from .elite import panel
from .gate import Gate
from .live import LiveRun, View
from .results import Results

PLOTLY = "/_dash-component-suites/plotly/package_data/plotly.min.js"
"""Our own copy, as Dash serves it: asked for at once, while the page waits for its data, not by the first figure."""
CLICK = """
function(click, links, chosen) {
    const context = window.dash_clientside.callback_context;
    const cause = context.triggered[0];
    if (!cause || !cause.value) { return window.dash_clientside.no_update; }
    if (cause.prop_id.startsWith("map.")) { return click.points[0].customdata; }
    return JSON.parse(cause.prop_id.split(".")[0]).candidate;
}
"""
BRUSH = """
function(change, brush) {
    if (!change) { return window.dash_clientside.no_update; }
    const next = {...brush};
    for (const [key, value] of Object.entries(change[0])) {
        const axis = /^dimensions\\[(\\d+)\\]\\.constraintrange$/.exec(key);
        if (!axis) { continue; }
        if (value) { next[axis[1]] = value[0]; } else { delete next[axis[1]]; }
    }
    return next;
}
"""

VISIBLE = """
function(place) {
    const watched = document.getElementById(place);
    const flag = "visible-" + place.replace("-place", "");
    const tell = entries => {
        if (document.body.contains(watched)) {
            window.dash_clientside.set_props(flag, {data: entries[entries.length - 1].isIntersecting});
        }
    };
    new IntersectionObserver(tell).observe(watched);
    return window.dash_clientside.no_update;
}
"""


def make_app(results: Results, token: str | None) -> Dash:
    """The application over a folder of runs; `token` as in `Gate`."""
    app = Dash(
        "qd.dashboard",
        title="qd",
        update_title="",
        serve_locally=True,
        suppress_callback_exceptions=True,
        add_log_handler=False,
        enable_mcp=False,
        external_scripts=[{"src": PLOTLY, "async": ""}],
    )
    app.layout = html.Div(
        [dcc.Location(id="address"), html.Header(dcc.Link("qd", href="/", className="logo")), html.Main(id="page")]
    )
    _navigation(app, results)
    _following(app, results)
    _drawing(app, results)
    _choosing(app, results)
    scripts = " ".join(app.csp_hashes())
    # 'unsafe-eval': Plotly's parallel coordinates compile the code that draws them
    app.server.config["QD_POLICY"] = (
        f"default-src 'self'; script-src 'self' 'unsafe-eval' {scripts}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
    )
    Gate(token).guard(app.server)
    _refuse_unknown(app, results)
    return app


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """A problem that a person can fix is shown in the page."""

    @functools.wraps(function)
    def guarded(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except QdError as error:
            dash.set_props("page", {"children": pages.problem(str(error))})
            return [no_update] * len(ctx.outputs_list) if isinstance(ctx.outputs_list, list) else no_update

    return guarded


def _navigation(app: Dash, results: Results) -> None:
    @app.callback(Output("page", "children"), Input("address", "pathname"))
    def show(path: str | None) -> Any:
        name = run_name(path or "/")
        try:
            if name is None:
                return [
                    html.H1(f"Runs in {results.folder}"),
                    html.Div(pages.run_list(results.rows()), id="runs"),
                    dcc.Interval(id="list-clock", interval=3000),
                ]
            live = results.open(name)
            with live.reading() as run:
                return pages.run_page(name, live, run)
        except QdError as error:
            return pages.problem(str(error))

    @app.callback(Output("runs", "children"), Input("list-clock", "n_intervals"), prevent_initial_call=True)
    @told
    def refresh(_: int) -> Any:
        return pages.run_list(results.rows())


def _following(app: Dash, results: Results) -> None:
    @app.callback(
        Output("version", "data"),
        Output("facts", "children"),
        Output("failures", "children"),
        Output("moment", "max"),
        Output("moment", "value"),
        Output("state", "data"),
        Input("run-clock", "n_intervals"),
        State("run", "data"),
        State("version", "data"),
        State("state", "data"),
        State("moment", "max"),
        State("moment", "value"),
        prevent_initial_call=True,
    )
    @told
    def tick(_: int, name: str, version: int, before: str, most: int, at: int) -> Any:
        live = results.open(name)
        with live.reading() as run:
            state = state_of(run).word
            if live.tell == version and state == before:
                raise PreventUpdate
            last = max(1, pages.finished(live.once(history)))
            head, causes = pages.facts(live, run), pages.causes(live)
        return live.tell, head, causes, last, last if at >= most else no_update, state


def _drawing(app: Dash, results: Results) -> None:
    @app.callback(
        Output("map", "figure"),
        Output("moment-text", "children"),
        Output("brush-text", "children"),
        Input("version", "data"),
        Input("x", "value"),
        Input("y", "value"),
        Input("objective", "value"),
        Input("moment", "value"),
        Input("brush", "data"),
        State("moment", "max"),
        State("run", "data"),
        State("chosen", "data"),
        prevent_initial_call=True,
    )
    @told
    def draw_map(
        _: int, x: str, y: str, objective: str, at: int, brush: dict[str, Any], most: int, name: str, chosen: int | None
    ) -> Any:
        live = results.open(name)
        with live.reading() as run:
            archive = live.archive(_view(x, y, objective), _tell(live, at, most))
            metrics = live.metrics(archive)
            kept = figures.brushed(metrics, run.metrics, brush) if brush else None
            text = pages.moment(min(at, pages.finished(live.once(history))), archive)
            # within: the archive goes on with the log as soon as another callback reads it
            within = "" if kept is None else f"{int(kept.sum()):,} of {len(archive):,} elites are within the brush."
            return figures.map_figure(archive, metrics, kept, chosen), text, within

    for id in ("parallel", "curves", "learning"):
        app.clientside_callback(VISIBLE, Output(f"visible-{id}", "data"), Input(f"{id}-place", "id"))

    @app.callback(
        Output("parallel-place", "children"),
        Input("visible-parallel", "data"),
        Input("version", "data"),
        Input("x", "value"),
        Input("y", "value"),
        Input("objective", "value"),
        Input("moment", "value"),
        State("moment", "max"),
        State("run", "data"),
    )
    @told
    def draw_parallel(visible: bool, _: int, x: str, y: str, objective: str, at: int, most: int, name: str) -> Any:
        if not visible:  # drawing it takes a browser without a graphics card seconds
            raise PreventUpdate
        live = results.open(name)
        with live.reading() as run:
            archive = live.archive(_view(x, y, objective), _tell(live, at, most))
            return pages.graph("parallel", figures.parallel_figure(live.metrics(archive), run.metrics, objective))

    @app.callback(
        Output("curves-place", "children"),
        Input("visible-curves", "data"),
        Input("version", "data"),
        Input("moment", "value"),
        State("moment", "max"),
        State("run", "data"),
    )
    @told
    def draw_curves(visible: bool, _: int, at: int, most: int, name: str) -> Any:
        if not visible:
            raise PreventUpdate
        live = results.open(name)
        with live.reading() as run:
            figure = figures.curves_figure(live.once(history), run.archive, None if at >= most else at)
        return pages.graph("curves", figure)

    @app.callback(
        Output("learning-place", "children"),
        Input("visible-learning", "data"),
        Input("version", "data"),
        State("run", "data"),
    )
    @told
    def draw_learning(visible: bool, _: int, name: str) -> Any:
        if not visible:
            raise PreventUpdate
        live = results.open(name)
        with live.reading() as run:
            figure = figures.learning_figure(live.once(curves_of), run.archive.objective, run.metrics)
        return pages.graph("learning", figure)


def _choosing(app: Dash, results: Results) -> None:
    app.clientside_callback(
        CLICK,
        Output("chosen", "data"),
        Input("map", "clickData"),
        Input({"type": "ancestor", "candidate": ALL}, "n_clicks"),
        State("chosen", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        BRUSH,
        Output("brush", "data"),
        Input("parallel", "restyleData"),
        State("brush", "data"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output("pinned", "data"), Input("pin", "n_clicks"), State("chosen", "data"), prevent_initial_call=True
    )
    def pin(clicks: int, chosen: int) -> Any:
        return chosen if clicks else no_update

    @app.callback(
        Output("elite", "children"),
        Output("map", "figure", allow_duplicate=True),
        Input("chosen", "data"),
        Input("pinned", "data"),
        State("x", "value"),
        State("y", "value"),
        State("objective", "value"),
        State("moment", "value"),
        State("moment", "max"),
        State("run", "data"),
        prevent_initial_call=True,
    )
    @told
    def open_elite(
        chosen: int | None, pinned: int | None, x: str, y: str, objective: str, at: int, most: int, name: str
    ) -> Any:
        if chosen is None:
            return no_update, no_update
        live = results.open(name)
        with live.reading() as run:
            spreads = live.verified().get(chosen)
            children = panel(run, chosen, spreads, pinned)
            mark = figures.map_mark(live.archive(_view(x, y, objective), _tell(live, at, most)), chosen)
        if pinned is not None:
            children.append(html.P(f"Pinned: {pinned}. Choose another network to compare.", className="quiet"))
        marked = Patch()
        marked["data"][-1] = mark
        return children, marked


def _refuse_unknown(app: Dash, results: Results) -> None:
    """Addresses of pages are run names: what is none is not found, before any callback sees it."""

    @app.server.before_request
    def check() -> flask.Response | None:
        path = flask.request.path
        name = run_name(path)
        if not path.startswith("/run/"):
            return None
        try:
            results.path(name or "")
        except QdError as error:
            return flask.make_response(f"{error}\n", 404, {"Content-Type": "text/plain"})
        # The log is read while the browser still loads the scripts that will ask for the page.
        threading.Thread(target=_warm, args=(results, name or ""), daemon=True).start()
        return None


def _warm(results: Results, name: str) -> None:
    with contextlib.suppress(QdError):
        live = results.open(name)
        with live.reading():
            live.once(history)


def run_name(path: str) -> str | None:
    """/run/a/b → a/b; None for the list."""
    name = urllib.parse.unquote(path.removeprefix("/run/")) if path.startswith("/run/") else ""
    return name.rstrip("/") or None


def _view(x: str, y: str, objective: str) -> View:
    return (x,) if not y or y == x else (x, y), objective


def _tell(live: LiveRun, at: int, most: int) -> int | None:
    return None if at >= most else live.tell_at(at)
