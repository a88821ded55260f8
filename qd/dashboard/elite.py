"""The panel of one candidate: diagram, metrics, genotype, lineage, how to export it."""

from __future__ import annotations

import base64
import json
import math
import re
import shlex
from collections.abc import Mapping
from typing import Any

from dash import dcc, html

from ..analysis.lineage import Ancestor, lineage
from ..analysis.run import Run
from ..analysis.rungs import inherited_from
from ..analysis.spread import Spread, measured
from ..plots.architecture import architecture
from ..plots.comparison import comparison
from ..wording import tested

LEAST_SCALE = 0.68
"""Diagrams shrink to this share of their size, down to `READABLE`; they are scrolled where there is less room."""
READABLE = 1000
"""Pixels."""
GENERATIONS = 30
"""Steps back that the panel lists; `qd plot lineage` draws all."""


def panel(run: Run, candidate: int, spreads: Mapping[str, Spread] | None, pinned: int | None) -> list[Any]:
    """What is known of a candidate.

    Args:
        run: being read.
        candidate: its id.
        spreads: of its verifications, where there are any.
        pinned: another candidate to compare it with.

    Raises:
        UsageError: there is no such candidate, or it has no metrics.
    """
    evaluation = run.evaluation_of(candidate)  # raises where it has none
    parent = inherited_from(run, [evaluation]).get(evaluation)
    own = measured(run, [candidate])[candidate]
    objective = run.config.archive.objective.metric
    command = f"qd export {shlex.quote(str(run.folder.path))} --id {candidate} --to network_{candidate}"
    parts = [
        html.H2(["Candidate ", html.Span(str(candidate), id="elite-id")]),
        html.P(
            f"{objective.replace('_', ' ')} {_value(own[objective])}"
            + ("" if parent is None else f"; training began with the weights of {parent}, its parent"),
            className="quiet",
        ),
        image(architecture(run, candidate), f"modules of candidate {candidate}"),
        html.Div([_metrics(run, own, spreads), _origin(run, candidate)], className="columns"),
        html.H3("Genotype"),
        html.Pre(json.dumps(run.genotypes([candidate])[candidate], indent=2), className="genotype"),
        html.H3("Take it home"),
        html.Div([html.Code(command, id="export-command"), dcc.Clipboard(target_id="export-command", title="copy")],
                 className="command"),
        html.Button("Pin for comparison", id="pin", n_clicks=0, className="plain"),
    ]  # fmt: skip
    if pinned is not None and pinned != candidate:
        parts += [
            html.H2(f"Candidates {pinned} and {candidate}"),
            image(comparison(run, [pinned, candidate]), f"comparison of {pinned} and {candidate}", "comparison"),
        ]
    return parts


def image(svg: str, words: str, style: str = "diagram") -> html.Div:
    """An SVG as a picture: whatever text is in it, nothing of it can run."""
    content = base64.b64encode(svg.encode()).decode()
    width = re.search(r'width="(\d+)"', svg)
    least = min(READABLE, round(LEAST_SCALE * int(width[1]))) if width else READABLE
    picture = html.Img(src=f"data:image/svg+xml;base64,{content}", alt=words, style={"minWidth": f"{least}px"})
    return html.Div(picture, className=style)


def _metrics(run: Run, own: Mapping[str, Spread], spreads: Mapping[str, Spread] | None) -> html.Div:
    rows = []
    for name, metric in run.metrics.items():
        cells = [
            html.Th(name.replace("_", " "), scope="row"),
            html.Td(_value(own[name]), **{"data-metric": name, "data-value": repr(own[name].mean)}),  # type: ignore[arg-type]
            html.Td(metric.unit),
        ]
        if spreads is not None:
            part = f" ({tested(name)})" if tested(name) != name and name in spreads else ""
            cells.append(html.Td(_spread(spreads.get(name)) + part))
        rows.append(html.Tr(cells))
    samples = max(spread.seeds for spread in own.values())
    value = "value" if samples == 1 else f"mean of {samples} evaluations ± deviation"
    head = ["metric", value, "unit", *(["verified, mean ± deviation"] if spreads is not None else [])]
    return html.Div(
        [html.H3("Metrics"), html.Table([html.Thead(html.Tr([html.Th(one) for one in head])), html.Tbody(rows)])]
    )


def _origin(run: Run, candidate: int) -> html.Div:
    family = sorted(lineage(run, candidate, GENERATIONS), key=lambda one: (one.generation, -one.id))
    return html.Div(
        [
            html.H3("Lineage"),
            html.Ol([_ancestor(one) for one in family[:40]], className="lineage"),
            html.P(f"and {len(family) - 40} more ancestors", className="quiet") if len(family) > 40 else None,
        ]
    )


def _ancestor(one: Ancestor) -> html.Li:
    value = "no metrics" if one.objective is None else _number(one.objective)
    parents = f" of {', '.join(map(str, one.parents))}" if one.parents else ""
    return html.Li(
        [
            html.Button(str(one.id), id={"type": "ancestor", "candidate": one.id}, n_clicks=0, className="link"),
            f" {value}, {one.operator}{parents}",
            html.Span(f" ({one.emitter})", className="quiet"),
        ],
        title=one.readable,
    )


def _value(spread: Spread) -> str:
    return _spread(spread) if spread.seeds > 1 else _number(spread.mean)


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    return f"{spread.mean:.5g} ± {spread.deviation:.2g}" if math.isfinite(spread.deviation) else f"{spread.mean:.5g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 and value == round(value) else f"{value:.6g}"
