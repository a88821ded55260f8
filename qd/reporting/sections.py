"""The sections of a report, each a function from a run to HTML. All text from the log is escaped."""

from __future__ import annotations

import base64
import math
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..analysis.failures import failures
from ..analysis.run import Run
from ..analysis.rungs import inherited_from, rung_counts
from ..analysis.spread import measured, verified
from ..archives import Elite
from ..plain_data import dump_yaml, read_json
from ..plots.architecture import architecture
from ..plots.cells import outlines
from ..plots.curves import curves
from ..plots.heatmap import map_of
from ..plots.learning import learning
from ..plots.operators import operators
from ..plots.pareto import default_cost, pareto
from ..plots.small_multiples import PANELS, small_multiples
from ..plots.style import encoded, short
from ..wording import duration, number, tested

ROWS = 4000
"""Elites in the table, the best; a page with more is slow."""
CORNERS_OF = 2
"""Measures whose extremes are shown as diagrams."""


def head(run: Run) -> str:
    """Name, and the figures that sum the run up."""
    data = run.summary()
    archive, counts = data["archive"], data["evaluations"]
    others = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count and name != "ok"
    )
    ending = run.meta("ending") or "still searching, or stopped without an ending"
    facts = {
        f"best {archive['objective']}": number(archive["objective_best"]),
        "coverage": f"{archive['coverage']:.1%}",
        "elites": f"{archive['elites']:,} of {archive['cells']:,}",
        "normalised QD score": f"{archive['normalised_qd_score']:.4f}",
        "evaluations ok": f"{counts['ok']:,}",
        "search time": duration(data["seconds"]),
    }
    boxes = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    more = [f"space <code>{escape(data['space'])}</code>", f"evaluator <code>{escape(data['evaluator'])}</code>"]
    screened = f", {data['screened']:,} known to be outside the map" if data["screened"] else ""
    skipped = f"{data['duplicates']:,} duplicates{screened} not evaluated"
    more += [escape(text) for text in (others, skipped, ending) if text]
    if archive["outside"]:
        more.append(f"{archive['outside']:,} results outside the map")
    if "rungs" in data:
        more.append(f"{number(data['trainings'])} trainings in full: " + escape(", ".join(map(str, rung_counts(run)))))
    return f'<h1>{escape(data["run"])}</h1>\n<p class="quiet">{" · ".join(more)}</p>\n<dl class="facts">{boxes}</dl>'


def the_map(run: Run) -> str:
    """The archive; a click on a cell leads to its row in the table."""
    archive = run.archive
    title = "<h2>The map</h2>\n"
    if not len(archive):
        return title + '<p class="problem">No elite yet: nothing was found inside the map.</p>'
    if len(archive.axes) > 2:
        return title + _of_many_measures(run)
    figure = map_of(run, archive)
    image = _image(figure, "png", f"map of {run.folder.name}")
    note = '<p class="quiet">Each cell holds the best network found there. Click on one to see it in the table.</p>'
    return f'{title}{note}<div class="map">{image}{_links(run, figure)}</div>'


def _of_many_measures(run: Run) -> str:
    archive = run.archive
    names = [axis.metric for axis in archive.axes]
    if len(names) == 3 and archive.binned and archive.axes[2].bins <= PANELS:
        figure, what = small_multiples(run), "one map for each bin of the third"
    else:
        figure, what = map_of(run, run.project(names[:2])), f"over the first two; the others are {', '.join(names[2:])}"
    note = f'<p class="quiet">The archive has {len(names)} measures: {escape(what)}.</p>'
    return f'{note}<div class="map">{_image(figure, "png", f"map of {run.folder.name}")}</div>'


def _links(run: Run, figure: Figure) -> str:
    """Invisible outlines of the elites' cells over the picture, in percent of its sides."""
    archive = run.archive
    figure.draw_without_rendering()
    axes = figure.axes[0]
    inches = figure.get_size_inches() * figure.dpi
    shapes = outlines(archive)
    best_first = sorted(archive.elites.items(), key=lambda item: -archive.objective.sign * item[1].objective)
    parts = []
    for cell, elite in best_first[:ROWS]:
        pixels = axes.transData.transform(shapes[cell]) / inches * 100
        points = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in pixels)
        told = f"{elite.candidate}: {archive.objective.metric} {number(elite.objective)}"
        parts.append(f'<a href="#elite-{elite.candidate}"><polygon points="{points}"><title>{escape(told)}</title>')
        parts.append("</polygon></a>")
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none">{"".join(parts)}</svg>'


def curves_of(run: Run) -> str:
    """How the search went."""
    if not run.last_tell:
        return ""
    pictures = [_image(curves([run]), "svg", "QD score, coverage and best over evaluations", "curve")]
    pictures.append(_image(curves([run], over="seconds"), "svg", "the same over search time", "curve"))
    if not run.accepted_only:
        pictures.append(_image(operators(run), "svg", "what emitters and operators brought", "curve"))
    if len(run.archive) and default_cost(run, run.archive.objective.metric):
        pictures.append(_image(pareto(run), "svg", "Pareto front", "curve"))
    if run.has_curves:
        pictures.append(_image(learning(run), "png", "learning curves", "curve"))
    return "<h2>How the search went</h2>\n" + "\n".join(pictures)


def diagrams(run: Run) -> str:
    """The networks of the best elite, and of those in the corners of the map."""
    chosen = corners(run)
    if not chosen:
        return ""
    parts = ["<h2>Networks: the best, and the corners of the map</h2>"]
    found = measured(run, [elite.candidate for _, elite in chosen])
    objective = run.archive.objective.metric
    for what, elite in chosen:
        spreads = found[elite.candidate]
        axes = ", ".join(f"{axis.metric} {number(spreads[axis.metric].mean)}" for axis in run.archive.axes)
        samples = spreads[objective].seeds
        text = f"{what}: {objective} {number(elite.objective)}, {axes}"
        text += f"; means of {samples} evaluations, {objective} ± {number(spreads[objective].deviation)}" * (
            samples > 1
        )
        parts.append(f'<p><a href="#elite-{elite.candidate}">{elite.candidate}</a>, {escape(text)}</p>')
        parts.append(f'<div class="wide">{architecture(run, elite.candidate)}</div>')
    return "\n".join(parts)


def corners(run: Run) -> list[tuple[str, Elite]]:
    """The best elite and those nearest to the corners of the map, each once, with what they are."""
    archive = run.archive
    if archive.best is None:
        return []
    chosen: dict[int, tuple[str, Elite]] = {archive.best.candidate: ("the best", archive.best)}
    shares = archive.shares(archive.elites.positions)
    elites = list(archive.elites.values())
    count = min(CORNERS_OF, len(archive.axes))
    for corner in range(2**count):
        wanted = np.array([corner >> axis & 1 for axis in range(count)])
        elite = elites[int(np.linalg.norm(shares[:, :count] - wanted, axis=1).argmin())]
        words = [
            f"{'much' if side else 'little'} {axis.metric.replace('_', ' ')}"
            for side, axis in zip(wanted.tolist(), archive.axes, strict=False)
        ]
        chosen.setdefault(elite.candidate, (", ".join(words), elite))
    return list(chosen.values())


def elites(run: Run) -> str:
    """A table that sorts and filters."""
    if not len(run.archive):
        return ""
    frame = run.elites(limit=ROWS)
    found = verified(run)
    objective = run.archive.objective.metric
    own = [objective, *(axis.metric for axis in run.archive.axes)]
    names = [*dict.fromkeys([*own, *run.metrics])]
    heads = [_head("id", "id"), _head("cell", "cell", "text"), *[_head(name, run.metrics[name].unit) for name in names]]
    if found:
        name = "verified" if tested(objective) == objective else tested(objective)
        heads.insert(3, _head(name, "verified: mean ± standard deviation"))
    heads += [_head("operator", "", "text"), _head("architecture", "", "text")]
    parents = inherited_from(run, frame["evaluation"]) if run.inherits else {}
    rows = []
    for row in frame.to_dict("records"):
        cells = [f'<td data-value="{row["id"]}">{row["id"]}</td>', f'<td class="text">{_cell(row["cell"])}</td>']
        cells += [f'<td data-value="{row[name]!r}">{number(row[name])}</td>' for name in names]
        if found:
            cells.insert(3, _verified(found.get(row["id"], {}).get(objective)))
        origin = str(row["operator"]) + (
            f", inherited weights of {parents[row['evaluation']]}" if row["evaluation"] in parents else ""
        )
        cells.append(f'<td class="text">{escape(origin)}</td>')
        cells.append(f'<td class="architecture">{escape(str(row["readable"]))}</td>')
        rows.append(f'<tr id="elite-{row["id"]}">{"".join(cells)}</tr>')
    hint = escape(f"filter, such as: {(own + own)[1]}<{_threshold(frame, own)} mutation")
    note = f" (the best {ROWS:,} of {len(run.archive):,})" if len(run.archive) > ROWS else ""
    return (
        f"<h2>Elites{note}</h2>\n"
        '<p><input type="search" id="filter" aria-label="filter elites"'
        f' placeholder="{hint}">'
        '<span id="count" class="quiet"></span></p>\n'
        f'<div class="scroll"><table id="elites"><thead><tr>{"".join(heads)}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div>\n"
        f'<p class="quiet">Take one home: <code>qd export {escape(str(run.folder.path))} --id N --to FOLDER</code></p>'
    )


def failed(run: Run) -> str:
    """What went wrong, by cause."""
    causes = failures(run)
    if not causes:
        return "<h2>Failures</h2>\n<p>None: every evaluation gave its metrics.</p>"
    parts = ["<h2>Failures by cause</h2>"]
    for cause in causes[:50]:
        what = f"{cause.count:,} {cause.status.replace('_', ' ')}: {cause.text}"
        parts.append(
            f"<details><summary>{escape(what)}</summary>"
            f"<p>The first was candidate {cause.candidate}:</p><pre>{escape(cause.example)}</pre></details>"
        )
    if len(causes) > 50:
        parts.append(f"<p>and {len(causes) - 50} more causes</p>")
    return "\n".join(parts)


def surroundings(run: Run) -> str:
    """Run file, and the machine and versions that it was made with."""
    try:
        described: Any = read_json(run.folder.environment)
    except (OSError, ValueError):
        described = "environment.json is missing or damaged"
    file = dump_yaml(run.config.dump())
    text = dump_yaml(described)
    return f"<h2>Run file</h2>\n<pre>{escape(file)}</pre>\n<h2>Environment</h2>\n<pre>{escape(text)}</pre>"


SECTIONS = (head, the_map, elites, diagrams, curves_of, failed, surroundings)


def _image(figure: Figure, format: str, alt: str, style: str = "") -> str:
    kind = {"png": "image/png", "svg": "image/svg+xml"}[format]
    content = base64.b64encode(encoded(figure, format)).decode()
    attribute = f' class="{style}"' if style else ""
    return f'<img{attribute} alt="{escape(alt)}" src="data:{kind};base64,{content}">'


def _head(name: str, unit: str, style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    hint = f' title="{escape(unit)}"' if unit else ""
    label = escape(name.replace("_", " "))
    return f'<th{attribute}{hint} data-name="{escape(name)}" scope="col"><button type="button">{label}</button></th>'


def _verified(spread: Any) -> str:
    if spread is None:
        return '<td data-value="-Infinity">–</td>'
    deviation = f" ± {spread.deviation:.2g}" if math.isfinite(spread.deviation) else ""
    return f'<td data-value="{spread.mean!r}">{number(spread.mean)}{deviation}</td>'


def _cell(position: tuple[int, ...]) -> str:
    return ",".join(map(str, position))


def _threshold(frame: Any, own: list[str]) -> str:
    return short(float(f"{float(frame[(own + own)[1]].median()):.2g}")).replace("k", "000")
