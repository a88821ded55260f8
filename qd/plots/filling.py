"""The archive filling, as an animation."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..analysis.run import Run
from ..archives import widened
from ..errors import UsageError
from .base import Plot
from .cells import values_of
from .heatmap import chosen_archive, colour_bar, draw_cells
from .style import new_figure, title

SECONDS_A_FRAME = 0.12
SECONDS_AT_THE_END = 2.5
DOTS_PER_INCH = 110


def filling(
    run: Run,
    measures: Sequence[str] = (),
    objective: str | None = None,
    frames: int = 60,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> bytes:
    """The map after more and more evaluations, as a GIF that stops at its last picture.

    Args:
        run: any run.
        measures: one or two metrics; default: the run's own.
        objective: the metric that colours; default: the run's own.
        frames: how many pictures, at least 2.
        progress: called with (frames done, frames in all).

    Raises:
        UsageError: a name is no metric of the run, there are more than two axes, or fewer than 2 frames.
    """
    if frames < 2:
        raise UsageError(f"`frames`: expected at least 2, got {frames}")
    final = chosen_archive(run, measures, objective)
    values = [elite.objective for elite in final.elites.values()] or [0.0, 1.0]
    limits = widened(min(values), max(values))
    figure = new_figure(7.0, 5.4 if len(final.axes) == 2 else 2.6)
    axes = figure.add_subplot()
    colour_bar(figure, [axes], limits, final.objective)
    archive = final.emptied()
    tells = run.query(
        "SELECT t.id, COUNT(*) FROM tells t JOIN results ON _tell = t.id JOIN evaluations e ON e.id = _evaluation"
        " WHERE e.purpose = 'search' GROUP BY t.id ORDER BY t.id"
    )
    told = np.cumsum([count for _, count in tells]).tolist()
    shown = np.unique(np.linspace(0, len(tells) - 1, frames).astype(int)).tolist() if tells else []
    draw_cells(archive, axes, {}, limits)
    title(axes, run.folder.name, " ")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once: nothing jumps from frame to frame
    pictures: list[Image.Image] = []
    before = 0
    for row in shown:
        tell = tells[row][0]
        run.replay(archive, after=before, up_to=tell)
        before = tell
        axes.clear()
        draw_cells(archive, axes, values_of(archive), limits)
        count = f"after {told[row]:,} evaluations: {len(archive)} of {archive.cells} cells filled"
        title(axes, run.folder.name, count)
        pictures.append(_picture(figure))
        progress(len(pictures), len(shown))
    if not pictures:
        raise UsageError(f"{run.folder.path}: no evaluation is completed yet, so there is nothing to show")
    return _gif(pictures)


def _picture(figure: Figure) -> Image.Image:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    # an adaptive palette without dithering: colours stay those of the bar, and frames compress well
    return Image.open(content).convert("RGB").quantize(colors=255, dither=Image.Dither.NONE)


def _gif(pictures: list[Image.Image]) -> bytes:
    content = io.BytesIO()
    durations = [round(1000 * SECONDS_A_FRAME)] * len(pictures)
    durations[-1] = round(1000 * SECONDS_AT_THE_END)
    pictures[0].save(content, format="GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return content.getvalue()


class Filling(Plot):
    """`filling`."""

    about = "the archive filling, as an animation"
    formats = (".gif",)
    draw = staticmethod(filling)
