"""A sheet of training examples as a picture: images and series by class, rows of tables, lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluators.data import DataSet, Examples
from search_spaces.task import Classes, Image, NextToken, Series

from ..plots.style import SERIES, new_figure, words
from ..wording import number

GROUPS = 10
"""Classes, or parts of the range of values, that have a row or a panel."""
EACH = 8
"""Examples of each."""
LINES = 16
"""Rows of a table, or texts."""
COLUMNS = 9
"""Of a table, at most."""
LONGEST = 96
"""Characters of a text that are shown."""


def sheet(data: DataSet, seed: int = 0) -> Figure:
    """Draw training examples, some of each class.

    Args:
        data: that passed the door.
        seed: which are drawn.
    """
    train = data.splits().train
    groups = _groups(data, train, np.random.default_rng(seed))
    if isinstance(data.task.input, Image):
        return _images(data, train, groups)
    if isinstance(data.task.input, Series):
        return _series(train, groups)
    return _written(data, train, groups)


def _groups(data: DataSet, train: Examples, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """{title: rows}: of the largest classes, of parts of the range of the first value, or of anything."""
    if isinstance(data.task.output, NextToken):
        return {"": np.sort(rng.permutation(len(train))[:LINES])}
    if isinstance(data.task.output, Classes):
        counts = np.bincount(train.targets, minlength=data.task.output.count)
        largest = np.sort(np.argsort(-counts, kind="stable")[:GROUPS])
        chosen = {data.class_names[index]: np.flatnonzero(train.targets == index) for index in largest.tolist()}
    else:
        values = train.targets[:, 0]
        order = np.argsort(values, kind="stable")
        quarters = [rows for rows in np.array_split(order, 4) if len(rows)]
        chosen = {f"{number(float(values[rows[0]]))} to {number(float(values[rows[-1]]))}": rows for rows in quarters}
    return {name: rng.permutation(rows)[:EACH] for name, rows in chosen.items()}


def _images(data: DataSet, train: Examples, groups: Mapping[str, np.ndarray]) -> Figure:
    figure = new_figure(7.4, 0.4 + 0.85 * len(groups))
    grid = figure.subplots(len(groups), EACH, squeeze=False)
    for line, (name, rows) in zip(grid, groups.items(), strict=True):
        for axes in line:
            axes.set_axis_off()
        pictures = train.inputs[rows].reshape(len(rows), *data.task.input_shape)
        low, high = float(np.nanmin(pictures)), float(np.nanmax(pictures))
        if pictures.dtype == np.uint8 and data.task.input_shape[0] >= 3:
            low, high = 0.0, 255.0
        for axes, picture in zip(line, pictures, strict=False):
            scaled = np.clip((picture.astype(np.float64) - low) / ((high - low) or 1), 0, 1)
            if len(scaled) >= 3:
                axes.imshow(scaled[:3].transpose(1, 2, 0), interpolation="nearest")
            else:
                axes.imshow(scaled[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        line[0].set_title(words(name, 40), loc="left", fontsize=9)
    return figure


def _series(train: Examples, groups: Mapping[str, np.ndarray]) -> Figure:
    wide = min(3, len(groups))
    high = -(-len(groups) // wide)
    figure = new_figure(7.4, 0.4 + 1.7 * high)
    panels = figure.subplots(high, wide, squeeze=False, sharex=True).ravel()
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    for axes, (name, rows) in zip(panels, groups.items(), strict=False):
        axes.set_title(words(name, 40), loc="left", fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        several = train.inputs[rows]
        if several.shape[-1] == 1:
            lines = several[..., 0]
        else:
            lines = several[0].T  # the channels of one example
            axes.set_title(words(f"{name}: one example", 40), loc="left", fontsize=9)
        for index, line in enumerate(lines[: len(SERIES)]):
            axes.plot(line, color=SERIES[index], linewidth=0.9)
    return figure


def _written(data: DataSet, train: Examples, groups: Mapping[str, np.ndarray]) -> Figure:
    share = max(1, LINES // len(groups))
    rows = np.concatenate([chosen[:share] for chosen in groups.values()])
    targets = [""] * len(rows)
    if not isinstance(data.task.output, NextToken):
        targets = [_target(data, train.targets[row]) for row in rows.tolist()]
    examples = data.shown(train.inputs[rows])
    if examples and isinstance(examples[0], str):
        return _texts(examples, targets)
    return _table(examples, targets)


def _target(data: DataSet, target: Any) -> str:
    if isinstance(data.task.output, Classes):
        return data.class_names[int(target)]
    return ", ".join(number(float(value)) for value in np.atleast_1d(target))


def _texts(texts: Sequence[str], targets: Sequence[str]) -> Figure:
    figure = new_figure(7.4, 0.4 + 0.24 * len(texts))
    axes = _empty(figure)
    for index, (text, target) in enumerate(zip(texts, targets, strict=True)):
        height = 1 - (index + 0.5) / len(texts)
        line = " ".join(text.split())
        line = line if len(line) <= LONGEST else f"{line[:LONGEST]}…"
        axes.text(0, height, words(target, 14), fontsize=7, color=SERIES[0], va="center")
        axes.text(0.14 if any(targets) else 0, height, words(line, LONGEST + 1), fontsize=7, va="center")
    return figure


def _table(examples: Sequence[Any], targets: Sequence[str]) -> Figure:
    rows = [one if isinstance(one, Mapping) else _numbered(np.asarray(one)) for one in examples]
    names = list(rows[0])
    shown = names[: COLUMNS - 1]
    more = [f"… {len(names) - len(shown)} more"] if len(names) > len(shown) else []
    cells = [
        [target, *(_cell(row[name]) for name in shown), *("" for _ in more)]
        for row, target in zip(rows, targets, strict=True)
    ]
    figure = new_figure(max(7.4, 1.0 * (len(shown) + 2)), 0.6 + 0.24 * len(cells))
    labels = ["target", *(words(str(name), 14) for name in shown), *more]
    table = _empty(figure).table(cells, colLabels=labels, loc="center", cellLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    for (row, column), cell in table.get_celld().items():
        cell.set_text_props(weight="bold" if row == 0 else "normal", color=SERIES[0] if column == 0 else "black")
    return figure


def _empty(figure: Figure) -> Axes:
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return axes


def _numbered(values: np.ndarray) -> dict[str, Any]:
    return {f"input {index}": value for index, value in enumerate(values.ravel().tolist())}


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return words(number(float(value)) if isinstance(value, (int, float)) else str(value), 14)
