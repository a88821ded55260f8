"""Draws a picture by its kind and writes it to a file: what `qd plot` and `qd map` do, for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..analysis.looking import opened
from ..analysis.run import Run
from ..errors import UsageError, suggest
from ..store.folder import write_atomically
from . import KINDS
from .style import save


def plot(
    kind: str, *runs: Run | Path | str, out: Path | str | None = None, accepted_only: bool = False, **options: Any
) -> Figure | str | bytes:
    """Draw a picture of runs, from their logs alone.

    Args:
        kind: one of `qd plot --help`.
        *runs: runs, or their folders; most kinds take one.
        out: where to write it; its ending says how.
        accepted_only: of a folder with a `log: accepted`, draw other measures from what it has kept.
        **options: of the kind, such as `measures=["macs", "val_loss"]`.

    Returns:
        A figure of matplotlib, the text of an SVG or the bytes of a GIF.

    Raises:
        UsageError: there is no such kind, it takes other runs or options, or the file cannot be written.
    """
    chosen = KINDS.get(kind)
    if chosen is None:
        raise UsageError(f"kind: there is no picture {kind!r}{suggest(kind, list(KINDS))}")
    if chosen.takes == "run" and len(runs) != 1:
        raise UsageError(f"{kind}: takes one run, got {len(runs)}")
    if out is not None:
        check_out(out, chosen.formats)
    several = [opened(run, accepted_only) for run in runs]
    picture = chosen.function()(several if chosen.takes == "runs" else several[0], **options)
    if out is not None:
        write(picture, Path(out))
    return picture


def map(
    run: Run | Path | str,
    *,
    out: Path | str | None = None,
    measures: Sequence[str] = (),
    objective: str | None = None,
    accepted_only: bool = False,
) -> Figure:
    """Draw the archive of a run, over its own or other logged metrics.

    Args:
        run: a run, or its folder.
        out: where to write it; its ending says how.
        measures: one or two metrics; default: the run's own.
        objective: the metric that colours; default: the run's own.
        accepted_only: of a folder with a `log: accepted`, draw other measures from what it has kept.

    Raises:
        UsageError: a name is no metric of the run, or the file cannot be written.
    """
    picture = plot("heatmap", run, out=out, accepted_only=accepted_only, measures=measures, objective=objective)
    assert isinstance(picture, Figure)
    return picture


def check_out(out: Path | str, formats: Sequence[str]) -> None:
    """Raise `UsageError` where a picture of this kind cannot be written to the file."""
    out = Path(out)
    if out.suffix not in formats:
        raise UsageError(f"`out` {out}: expected a file that ends in {', '.join(formats)}")
    if not out.parent.is_dir():
        raise UsageError(f"`out` {out}: there is no folder {out.parent}")


def write(picture: Figure | str | bytes, out: Path) -> None:
    """Write what a kind of picture gives; the file appears whole or not at all."""
    if isinstance(picture, Figure):
        save(picture, out)
    else:
        write_atomically(out, picture.encode() if isinstance(picture, str) else picture)
