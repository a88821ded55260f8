"""What a notebook shows of runs, archives and networks."""

from __future__ import annotations

import base64
from functools import singledispatch
from html import escape
from typing import Any

from matplotlib.figure import Figure

from ..analysis.network import Network
from ..analysis.run import Run
from ..archives import Archive
from ..plots.architecture import architecture
from ..plots.heatmap import heatmap
from ..plots.style import encoded, new_figure


@singledispatch
def html(thing: Any) -> str | None:
    """HTML of something that is `Displayed`; None where its plain text is all there is."""
    return None


@html.register
def run_html(run: Run) -> str:
    """The summary and the map of a run."""
    data = run.summary()
    archive, counts = data["archive"], data["evaluations"]
    best = archive["objective_best"]
    rows = [
        ("folder", str(run.folder.path)),
        ("space", data["space"]),
        ("evaluator", data["evaluator"]),
        ("evaluations", ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "none yet"),
        ("elites", f"{archive['elites']:,} of {archive['cells']:,} cells"),
        ("normalised QD score", f"{archive['normalised_qd_score']:.4f}"),
        (f"best {archive['objective']}", "no elite yet" if best is None else f"{best:.5g}"),
    ]
    return f"<h4>{escape(run.folder.name)}</h4>{_table(rows)}{archive_html(run.archive)}"


@html.register
def archive_html(archive: Archive) -> str:
    """The map of an archive of one or two measures, or what it is."""
    if len(archive.axes) > 2:
        return f"<code>{escape(repr(archive))}</code>"
    figure = new_figure(6.2, 4.6 if len(archive.axes) == 2 else 2.4)
    heatmap(archive, figure.add_subplot())
    return _picture(figure, repr(archive))


@html.register
def network_html(network: Network) -> str:
    """The diagram and the metrics of a network."""
    rows = [(name, f"{value:.6g} {network.run.metrics[name].unit}") for name, value in network.metrics.items()]
    if network.samples > 1:
        rows.append(("", f"means of {network.samples} evaluations"))
    return architecture(network.run, network.id) + _table(rows)


def _picture(figure: Figure, words: str) -> str:
    content = base64.b64encode(encoded(figure, "png")).decode()
    return f'<img alt="{escape(words)}" width="620" src="data:image/png;base64,{content}">'


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"
