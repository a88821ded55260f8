"""Pictures against baselines: what is drawn as pixels without any text, what is written as lines of text.

Fonts look different from machine to machine, so a picture with text needs a tolerance in which a missing line would
pass. Here the pixels are compared without text, and the text apart:

    def test_my_plot_looks_as_it_did(tmp_path):
        assert_looks_as(my_plot(run), Path(__file__).parent / "baselines" / "my_plot", tmp_path)

`QD_NEW_BASELINES=1 pytest ...` draws the baselines anew: look at them, and at what changed, before you keep them.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis as Ruler
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text
from matplotlib.ticker import NullFormatter

TOLERANCE = 0.5
"""Root mean square of the pixels' differences, of 255."""
DPI = 60
NO_MARKER = ("", "None", None)
NEW = "QD_NEW_BASELINES"


def assert_looks_as(figure: Figure, baseline: Path, folder: Path, tolerance: float = TOLERANCE) -> None:
    """Assert that a figure says and shows what its baselines say and show; the figure loses its text on the way.

    Args:
        figure: a finished one.
        baseline: without an ending: `<baseline>.txt` holds what is written, `<baseline>.png` what is drawn.
        folder: where this drawing, and the difference if there is one, are put.
        tolerance: root mean square of the pixels' differences, of 255.
    """
    figure.draw_without_rendering()  # now ticks have their text
    told = "\n".join(description(figure)) + "\n"
    without_text(figure)
    drawn = folder / f"{baseline.name}.png"
    figure.savefig(drawn, format="png", dpi=DPI)
    if os.environ.get(NEW):
        baseline.parent.mkdir(exist_ok=True)
        baseline.with_suffix(".txt").write_text(told)
        baseline.with_suffix(".png").write_bytes(drawn.read_bytes())
    expected = baseline.with_suffix(".txt").read_text()
    difference = "\n".join(difflib.unified_diff(expected.splitlines(), told.splitlines(), "baseline", "drawn", n=1))
    assert told == expected, f"{baseline.name} says something else:\n{difference}"
    copy = folder / f"{baseline.name}-expected.png"  # the comparison writes beside what it compares
    copy.write_bytes(baseline.with_suffix(".png").read_bytes())
    message = compare_images(str(copy), str(drawn), tol=tolerance)
    assert message is None, message


def pixels(figure: Figure) -> np.ndarray:
    """(H, W, 4) uint8: the figure as it is compared."""
    figure.set_dpi(DPI)
    canvas: Any = figure.canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def without_text(figure: Figure) -> None:
    """Take all text and every legend out of a figure, so that the layout depends on no font either."""
    for axes in figure.axes:
        for ruler in (axes.xaxis, axes.yaxis):
            ruler.set_major_formatter(NullFormatter())
            ruler.set_minor_formatter(NullFormatter())
        if legend := axes.get_legend():
            legend.set_visible(False)
    for legend in figure.legends:
        legend.set_visible(False)
    for text in figure.findobj(Text):
        text.set_visible(False)


def description(figure: Figure) -> list[str]:
    """All that is written in a figure, and one line for each mark: what it is, its label, its colour, how much of it.

    Only what is visible counts. Ticks get their text when they are drawn: `figure.draw_without_rendering()` before.
    """
    return [line for artist in parts(figure) for line in _describe(artist)]


def parts(figure: Figure) -> Iterator[Axes | Artist]:
    """Text of the figure, then each of its panels, followed by its texts and marks."""
    yield from filter(_seen, figure.texts)
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        yield axes
        legend = axes.get_legend()
        mine = [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]  # type: ignore[attr-defined]
        marks = [*axes.texts, *axes.lines, *axes.collections, *axes.patches, *axes.images]
        yield from filter(_seen, [*mine, *([legend] if legend else []), *marks])


def _seen(artist: Artist) -> bool:
    if isinstance(artist, Collection) and not (len(artist.get_paths()) and np.size(artist.get_offsets())):
        return False  # a colour bar's lines between no colours, or points that serve a legend alone
    if (
        isinstance(artist, Line2D)
        and artist.get_marker() in NO_MARKER
        and not np.ptp(artist.get_xydata(), axis=0).any()
    ):
        return False  # a line without length, such as the whisker of a box that ends where the box ends
    return artist.get_visible() and not (isinstance(artist, Text) and not artist.get_text())


def _describe(artist: Artist) -> list[str]:
    if isinstance(artist, Axes):
        ticks = [_ticks(name, ruler) for name, ruler in (("x", artist.xaxis), ("y", artist.yaxis))]
        return ["", "panel", *(f"  {line}" for line in ticks if line and artist.axison)]
    if isinstance(artist, Text):
        return [f"  text: {artist.get_text()!r}"]
    if isinstance(artist, Line2D):
        points = len(np.atleast_1d(artist.get_xdata()))
        marker = f" marker {artist.get_marker()}" if artist.get_marker() not in NO_MARKER else ""
        return [
            f"  line {_label(artist)}{to_hex(artist.get_color())} {artist.get_linestyle()}{marker}, {points} points"
        ]
    if isinstance(artist, Collection):
        return [f"  {_name(artist)} {_label(artist)}{_collected(artist)}"]
    if isinstance(artist, Patch):
        return [f"  {_name(artist)} {_label(artist)}{to_hex(artist.get_facecolor())}"]
    texts = [text.get_text() for text in artist.findobj(Text) if isinstance(text, Text) and _seen(text)]
    return [f"  {_name(artist)}: {', '.join(map(repr, texts))}"]


def _ticks(name: str, ruler: Ruler) -> str:
    low, high = sorted(ruler.get_view_interval())
    room = 1e-6 * (high - low)
    texts = [
        tick.label1.get_text()
        for tick in ruler.get_major_ticks()
        if low - room <= tick.get_loc() <= high + room
        for label in (tick.label1, tick.label2)
        if _seen(label)
    ]
    return f"{name} ticks: {' | '.join(texts)}" if texts else ""


def _collected(artist: Collection) -> str:
    array = artist.get_array()
    number = len(artist.get_paths())
    if len(np.atleast_2d(artist.get_offsets())) > 1:
        number = len(np.atleast_2d(artist.get_offsets()))
    if array is not None:
        values = np.ma.masked_invalid(array).compressed()
        span = f"{values.min():.4g} to {values.max():.4g}" if values.size else "none"
        return f"{values.size} values, {span}"
    colours = [*to_rgba_array(artist.get_facecolor()), *to_rgba_array(artist.get_edgecolor())]
    return f"{number} of {' '.join(dict.fromkeys(map(to_hex, colours)))}"


def _label(artist: Artist) -> str:
    label = str(artist.get_label())
    return "" if not label or label.startswith("_") else f"{label!r} "


def _name(artist: Artist) -> str:
    return type(artist).__name__
