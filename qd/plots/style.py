"""What all pictures share: colours, labels, and how a figure becomes a file."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis as Ruler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from search_spaces import Metric

from ..archives import Axis, Objective
from ..store.folder import write_atomically
from ..wording import printable

COLOURS = "viridis"  # lightness rises evenly with the value, also for the colour-blind and in grey
DIVERGING = "PuOr"  # told apart with every form of colour blindness; its middle is white
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")  # Okabe & Ito 2008
EMPTY = "#ececec"
EMPTY_LINES = "#d2d2d2"
FAINT = "#b4b4b4"


def new_figure(width: float = 7.4, height: float = 4.6) -> Figure:
    """An empty figure, in inches, that no window and no global state knows of."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format that the path ends in; the file appears whole or not at all."""
    write_atomically(path, encoded(figure, path.suffix[1:]))


def encoded(figure: Figure, format: str) -> bytes:
    """The picture's bytes, equal for equal figures."""
    content = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context({"svg.hashsalt": "qd"}):
        figure.savefig(content, format=format, dpi=160, metadata=dates.get(format))
    return content.getvalue()


def plain(axes: Axes) -> None:
    """For curves and points: no box, a faint grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)


def title(axes: Axes, first: str, second: str = "") -> None:
    """One or two lines above the picture, at the left; a run's name may hold anything, so `$` starts no formula."""
    axes.set_title("\n".join(words(line, 100) for line in (first, second) if line), loc="left", fontsize=10)


def words(text: str, most: int = 60) -> str:
    """Text of a stranger in a picture: without control characters, not longer than it can be shown, and no formula."""
    return printable(text, most).replace("$", r"\$")


def metric_label(name: str, metric: Metric | Axis | Objective) -> str:
    """Name, and unit in brackets."""
    text = name.replace("_", " ")
    return words(f"{text} [{printable(metric.unit, 20)}]") if metric.unit else text


def axis_label(axis: Axis) -> str:
    """Name, and unit in brackets."""
    return metric_label(axis.metric, axis)


def colours_of(objective: Objective) -> Colormap:
    """Bright is good, whichever way is better."""
    return matplotlib.colormaps[COLOURS if objective.direction == "maximise" else f"{COLOURS}_r"]


def objective_label(objective: Objective) -> str:
    """Name, unit, and which way is better."""
    better = "more" if objective.direction == "maximise" else "less"
    return f"{metric_label(objective.metric, objective)} ({better} is better)"


def rule(ruler: Ruler, low: float, high: float, scale: str) -> None:
    """Ticks and their labels for values in [low, high]; the scale itself is set already."""
    if scale == "log":
        subs = (1.0, 2.0, 5.0) if high / low < 100 else (1.0,)
        ruler.set_major_locator(LogLocator(subs=subs))
        ruler.set_minor_formatter(NullFormatter())
    if scale == "log" or max(abs(low), abs(high)) >= 10_000:
        ruler.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def scale_of(values: list[float]) -> str:
    """The scale that values are best shown on: "log" where they are positive and the most is 30 times the least."""
    return "log" if values and min(values) > 0 and min(values) <= max(values) / 30 else "linear"


def short(value: float) -> str:
    """20000 → "20k", 1500000 → "1.5M"."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1e15:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
