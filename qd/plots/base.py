"""The contract of a picture of runs: what `qd plot` draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
"""How files of figures may end."""


class Plot:
    """A kind of picture, from the logs of runs alone. It changes nothing, and equal logs give equal pictures."""

    about: ClassVar[str]
    """One line for people, in the list of kinds."""
    takes: ClassVar[Literal["run", "runs"]] = "run"
    """What `draw` is given: one run, or a list of runs."""
    formats: ClassVar[tuple[str, ...]] = FORMATS
    """How the file may end: a figure's as in `FORMATS`, that of the text of an SVG .svg, that of bytes .gif."""

    draw: ClassVar[Callable[..., Figure | str | bytes]]
    """The method, of a run or of runs, that gives the picture: a figure of matplotlib, made with
    `qd.plots.style.new_figure`; the text of an SVG; or the bytes of a GIF. What cannot be drawn is a `UsageError`.

    Its other arguments are options of `qd.plot`. Those called measures, objective, cost, over, id, ids and frames are
    options of the command, too. One called progress is called with how many parts are done, and of how many.
    """
