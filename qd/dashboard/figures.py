"""Plotly figures: the map, the parallel coordinates, the curves. Text from the log is escaped.

They are plain data as Plotly's script reads it: its Python objects check every value, which takes ten times as long,
and many pages may follow a search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
import pandas
from matplotlib.colors import to_hex

from search_spaces import Metric

from ..analysis.learning_curves import LearningCurve, joined, scores_of
from ..archives import Archive, Axis, Objective, widened
from ..plots.cells import middles, outlines
from ..plots.style import EMPTY, SERIES, scale_of, short

Plain = dict[str, Any]
FADED = "#c9ccd0"
"""Elites that the brush leaves out."""
COLOURS = "Viridis"
HOVER = "%{text}<extra></extra>"
LINES = "#e8e8e8"
POINTS = 1500
"""Of a curve; more cannot be seen."""
BEHIND = 300
"""Learning curves that are drawn behind those of elites, at the most."""
SHADES = 16
"""Colours that learning curves are told apart by."""
FONT = {"family": "system-ui, Helvetica, Arial, sans-serif", "size": 13}


def map_figure(
    archive: Archive, metrics: pandas.DataFrame, kept: np.ndarray | None = None, chosen: int | None = None
) -> Plain:
    """The archive of one or two measures; a click on a cell gives its candidate as `customdata`.

    Args:
        archive: of one or two axes.
        metrics: a row for each elite, in the archive's order: what the tooltip says of it.
        kept: (E,) bool, for each elite whether the brush leaves it in; None without a brush.
        chosen: the candidate to mark.
    """
    keep = np.ones(len(archive), bool) if kept is None else kept
    words = _tooltips(archive, metrics)
    faded = [_cells(archive, words, ~keep, True)] if not keep.all() else []
    borders = [] if archive.binned or archive.corners() is None else [_borders(archive)]
    nothing = {"visible": False, "range": [0, 1], "fixedrange": True}
    return {
        "data": [*faded, _cells(archive, words, keep, False), *borders, map_mark(archive, chosen)],
        "layout": {
            "margin": {"l": 70, "r": 130, "t": 10, "b": 60, "autoexpand": False},  # as of #preview in style.css
            "plot_bgcolor": EMPTY,
            "font": FONT,
            "showlegend": False,
            "uirevision": "map",
            "clickmode": "event",
            "hovermode": "closest",
            "xaxis": _ruler(archive.axes[0]),
            "yaxis": _ruler(archive.axes[1]) if len(archive.axes) > 1 else nothing,
        },
    }


def _cells(archive: Archive, words: Sequence[str], rows: np.ndarray, faded: bool) -> Plain:
    return (_grid if archive.binned else _dots)(archive, words, rows, faded)


def _grid(archive: Archive, words: Sequence[str], rows: np.ndarray, faded: bool) -> Plain:
    x = archive.axes[0]
    y_edges = archive.axes[1].edges() if len(archive.axes) > 1 else np.array([0.0, 1.0])
    shape = (len(y_edges) - 1, x.bins)
    values = np.full(shape, np.nan)
    ids: list[list[int | None]] = [[None] * shape[1] for _ in range(shape[0])]
    texts = [[""] * shape[1] for _ in range(shape[0])]
    for slot in np.flatnonzero(rows).tolist():
        column, row = (*archive.position(archive.elites.cells[slot]), 0)[:2]
        values[row, column] = archive.elites.objectives[slot]
        ids[row][column] = int(archive.elites.candidates[slot])
        texts[row][column] = words[slot]
    return {
        "type": "heatmap",
        "x": x.edges().tolist(),
        "y": y_edges.tolist(),
        "z": [[None if value != value else value for value in line] for line in values.tolist()],
        "customdata": ids,
        "text": texts,
        "hoverongaps": False,
        "hovertemplate": HOVER,
        **_colours(archive, faded, "z"),
    }


def _dots(archive: Archive, words: Sequence[str], rows: np.ndarray, faded: bool) -> Plain:
    points = np.array(list(middles(archive).values())).reshape(-1, 2)[rows]
    colours = _colours(archive, faded, "c")
    size = 10 if len(archive) < 1500 else 6
    return {
        "type": "scatter",
        "x": points[:, 0].tolist(),
        "y": points[:, 1].tolist(),
        "customdata": archive.elites.candidates[rows].tolist(),
        "mode": "markers",
        "marker": {"color": archive.elites.objectives[rows].tolist(), "size": size, **colours},
        "text": [words[slot] for slot in np.flatnonzero(rows).tolist()],
        "hovertemplate": HOVER,
    }


def _borders(archive: Archive) -> Plain:
    x: list[float | None] = []
    y: list[float | None] = []
    for corners in outlines(archive).values():
        x += [*corners[:, 0].tolist(), float(corners[0, 0]), None]
        y += [*corners[:, 1].tolist(), float(corners[0, 1]), None]
    line = {"color": "#d2d2d2", "width": 0.7}
    return {"type": "scatter", "x": x, "y": y, "mode": "lines", "line": line, "hoverinfo": "skip"}


def map_mark(archive: Archive, chosen: int | None) -> Plain:
    """A ring around the cell of a candidate; the last trace of the map."""
    found = [
        cell for cell, elite in zip(archive.elites.cells, archive.elites.candidates, strict=True) if elite == chosen
    ]
    x, y = middles(archive)[found[0]] if found else (None, None)
    marker = {"symbol": "circle-open", "size": 17, "color": "#d1345b", "line": {"width": 3}}
    return {"type": "scatter", "x": [x], "y": [y], "mode": "markers", "hoverinfo": "skip", "marker": marker}


def _colours(archive: Archive, faded: bool, letter: str) -> Plain:
    values = archive.elites.objectives
    low, high = widened(float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    colours: dict[str, Any] = {f"{letter}min": low, f"{letter}max": high, "showscale": not faded}
    if faded:
        return {**colours, "colorscale": [[0, FADED], [1, FADED]]}
    objective = archive.objective
    better = "more" if objective.direction == "maximise" else "less"
    title = f"{_named(objective.metric, objective.unit)}<br>({better} is better)"
    scale = {"colorscale": COLOURS, "reversescale": objective.direction == "minimise"}  # bright is good
    return {**colours, **scale, "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 16}}


def _tooltips(archive: Archive, metrics: pandas.DataFrame) -> list[str]:
    """Of each elite: its id, and its own objective and measures, which are not those of its cell."""
    names = list(dict.fromkeys([archive.objective.metric, *(axis.metric for axis in archive.axes)]))
    columns = [metrics[name].tolist() for name in names]
    return [
        "<br>".join([f"<b>{id}</b>", *(f"{_words(name)} {value:.5g}" for name, value in zip(names, row, strict=True))])
        for id, *row in zip(archive.elites.candidates.tolist(), *columns, strict=True)
    ]


def _ruler(axis: Axis) -> Plain:
    low, high = axis.bounds()
    ruler: dict[str, Any] = {
        "title": {"text": _named(axis.metric, axis.unit)},
        "type": axis.scale if axis.scale == "log" else "linear",
        "range": [low, high],
        "showgrid": False,
        "zeroline": False,
        "exponentformat": "SI",
    }
    if axis.scale == "log":
        ruler["dtick"] = "D2" if high - low < 2 else 1
    if axis.categories:
        ruler |= {"tickvals": list(range(len(axis.categories))), "ticktext": [short(one) for one in axis.categories]}
    return ruler


def dimensions(metrics: Mapping[str, Metric]) -> list[str]:
    """The metrics of the parallel coordinates, in their order: all but times."""
    return [name for name, metric in metrics.items() if not metric.time]


def parallel_figure(frame: pandas.DataFrame, metrics: Mapping[str, Metric], objective: str) -> Plain:
    """Every elite a line; an axis takes brushes. Axes are logarithmic where `brushed` undoes it."""
    axes = []
    for name in dimensions(metrics):
        values = frame[name].to_numpy(np.float64)
        axis: dict[str, Any] = {"label": _named(name, metrics[name].unit), "values": values.tolist()}
        if logarithmic(values):
            axis["values"] = np.log10(values).tolist()
            ticks = np.linspace(np.log10(values.min()), np.log10(values.max()), 5)
            axis |= {"tickvals": ticks.tolist(), "ticktext": [short(float(f"{10**tick:.2g}")) for tick in ticks]}
        axes.append(axis)
    colours = frame[objective].to_numpy(np.float64)
    reverse = metrics[objective].direction == "minimise"
    line = {"color": colours.tolist(), "colorscale": COLOURS, "reversescale": reverse}
    return {
        "data": [{"type": "parcoords", "dimensions": axes, "line": line, "labelangle": -12}],
        "layout": {"margin": {"l": 60, "r": 40, "t": 70, "b": 20}, "font": FONT, "uirevision": "parallel"},
    }


def logarithmic(values: np.ndarray) -> bool:
    """Whether the axis of these values is."""
    return scale_of(values.tolist()) == "log"


def brushed(frame: pandas.DataFrame, metrics: Mapping[str, Metric], brush: Mapping[str, Any]) -> np.ndarray:
    """(E,) whether each elite lies within the brush: {index of the axis: a range, or several, in the axis' numbers}."""
    keep = np.ones(len(frame), bool)
    for index, ranges in brush.items():
        values = frame[dimensions(metrics)[int(index)]].to_numpy(np.float64)
        places = np.log10(values) if logarithmic(values) else values
        pairs = np.asarray(ranges, dtype=np.float64).reshape(-1, 2)
        keep &= ((places[:, None] >= pairs[:, 0]) & (places[:, None] <= pairs[:, 1])).any(axis=1)
    return keep


def curves_figure(frame: pandas.DataFrame, archive: Archive, evaluations: int | None) -> Plain:
    """Normalised QD score, coverage and best over evaluations; a line where the time slider stands."""
    step = max(1, len(frame) // POINTS)
    rows = frame.iloc[sorted({*range(0, len(frame), step), max(0, len(frame) - 1)})] if len(frame) else frame
    titles = ("QD score<br>(normalised)", "coverage", f"best<br>{_words(archive.objective.metric)}")
    data: list[Plain] = []
    layout: Plain = {
        "margin": {"l": 80, "r": 16, "t": 8, "b": 46},
        "font": FONT,
        "showlegend": False,
        "uirevision": "curves",
        "xaxis": {"title": {"text": "search evaluations"}, "anchor": "y3", "gridcolor": LINES, "rangemode": "tozero"},
    }
    for index, name in enumerate(("normalised_qd_score", "coverage", "best")):
        number = "" if index == 0 else str(index + 1)
        data.append(
            {
                "type": "scatter",
                "x": rows["evaluations"].tolist(),
                "y": [None if value != value else value for value in rows[name].tolist()],
                "yaxis": f"y{number}",
                "mode": "lines",
                "line": {"color": SERIES[index], "shape": "hv"},
                "hovertemplate": "%{x:,}: %{y:.5g}<extra></extra>",
            }
        )
        layout[f"yaxis{number}"] = {
            "domain": [0.7 - 0.35 * index, 1 - 0.35 * index],
            "title": {"text": titles[index], "font": {"size": 11}},
            "gridcolor": LINES,
            "zeroline": False,
        }
    if evaluations is not None:
        line = {"color": "#d1345b", "width": 1}
        place = {"x0": evaluations, "x1": evaluations, "y0": 0, "y1": 1, "yref": "paper"}
        layout["shapes"] = [{"type": "line", "line": line, **place}]
    return {"data": data, "layout": layout}


def learning_figure(curves: Sequence[LearningCurve], objective: Objective, metrics: Mapping[str, Metric]) -> Plain:
    """Learning curves of the objective, or of the first score; those of elites in front, coloured by where they end."""
    curves, names = joined(curves), scores_of(curves)
    score = objective.metric if objective.metric in names else names[0]
    ends = np.array([one.objective for one in curves]).clip(-1e300, 1e300)
    low, high = float(ends.min()), float(ends.max())
    shades = np.linspace(0, 1, SHADES)
    palette = matplotlib.colormaps["viridis" if objective.direction == "maximise" else "viridis_r"](shades)
    groups: dict[int, list[LearningCurve]] = {}
    for one, end in zip(curves, ends.tolist(), strict=True):
        shade = round((end - low) / (high - low) * (SHADES - 1)) if high > low else SHADES - 1
        groups.setdefault(shade if one.elite else -1, []).append(one)
    data = [
        _broken_line(groups[shade], score, to_hex(palette[shade]) if shade >= 0 else None) for shade in sorted(groups)
    ]
    scale = {"colorscale": COLOURS, "reversescale": objective.direction == "minimise", "cmin": low, "cmax": high}
    bar = {"title": {"text": f"in the end:<br>{_words(objective.metric)}", "font": {"size": 11}}}
    marks = {"color": [low, high], "showscale": True, "colorbar": bar, **scale}
    data.append({"type": "scatter", "x": [None, None], "y": [None, None], "mode": "markers", "marker": marks})
    return {
        "data": data,
        "layout": {
            "margin": {"l": 80, "r": 16, "t": 8, "b": 46},
            "font": FONT,
            "showlegend": False,
            "uirevision": "learning",
            "xaxis": {"title": {"text": "epochs"}, "gridcolor": LINES, "rangemode": "tozero"},
            "yaxis": {"title": {"text": _named(score, metrics[score].unit)}, "gridcolor": LINES, "zeroline": False},
        },
    }


def _broken_line(curves: Sequence[LearningCurve], score: str, colour: str | None) -> Plain:
    """Curves of one colour as one line with gaps, as thousands of lines would stop a browser; None: of no elites."""
    if colour is None:
        curves = curves[:: -(-len(curves) // BEHIND)]
    x: list[float | None] = []
    y: list[float | None] = []
    texts: list[str] = []
    for one in curves:
        values = one.curve.scores.get(score, np.full(len(one.curve), np.nan)).tolist()
        x += [*one.curve.epochs.tolist(), None]
        y += [*(None if value != value else value for value in values), None]
        texts += [f"candidate {one.candidate}"] * (len(values) + 1)
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "text": texts,
        "mode": "lines+markers",
        "line": {"color": colour or FADED, "width": 1.6 if colour else 0.8},
        "marker": {"size": 4 if colour else 2},
        "opacity": 1.0 if colour else 0.5,
        "hovertemplate": "%{text}<br>%{x:.3g}: %{y:.5g}<extra></extra>",
    }


def _named(name: str, unit: str) -> str:
    return f"{_words(name)} [{escape(unit)}]" if unit else _words(name)


def _words(name: str) -> str:
    return escape(name.replace("_", " "))
