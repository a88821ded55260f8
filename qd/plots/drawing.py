"""Draws a picture by its kind and writes it to a file: what `qd plot` and `qd map` do, for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from ..analysis.looking import opened
from ..analysis.run import Run
from ..errors import UsageError, suggest
from ..registry import Registry, is_plugin, names, plugin_folder
from ..store.folder import write_atomically
from .base import Plot
from .style import save


def plot(
    kind: str,
    *runs: Run | Path | str,
    out: Path | str | None = None,
    accepted_only: bool = False,
    plugins: Path | str | None = None,
    **options: Any,
) -> Figure | str | bytes:
    """Draw a picture of runs, from their logs alone.

    Args:
        kind: one of `qd plot --help`, the name that an installed package gives one, or `my_file:MyPlot`.
        *runs: runs, or their folders; most kinds take one.
        out: where to write it; its ending says how.
        accepted_only: of a folder with a `log: accepted`, draw other measures from what it has kept.
        plugins: the folder of such a file; a kind of archive that is a plug-in is looked up there, too.
        **options: of the kind, such as `measures=["macs", "val_loss"]`.

    Returns:
        A figure of matplotlib, the text of an SVG or the bytes of a GIF.

    Raises:
        UsageError: there is no such kind, it takes other runs or options, or the file cannot be written.
    """
    return draw(find_plot(kind, plugins), *runs, out=out, accepted_only=accepted_only, plugins=plugins, **options)


def draw(
    chosen: Plot,
    *runs: Run | Path | str,
    out: Path | str | None = None,
    accepted_only: bool = False,
    plugins: Path | str | None = None,
    **options: Any,
) -> Figure | str | bytes:
    """What `plot` does, of a kind that was found before."""
    name = type(chosen).__name__
    if chosen.takes == "run" and len(runs) != 1:
        raise UsageError(f"{name}: takes one run, got {len(runs)}")
    if out is not None:
        check_out(out, chosen.formats)
    several = [opened(run, accepted_only, plugins) for run in runs]
    picture = chosen.draw(several if chosen.takes == "runs" else several[0], **options)
    if not isinstance(picture, (Figure, str, bytes)):
        raise UsageError(
            f"`kind`: {name}.draw gave {picture!r}; expected a figure, the text of an SVG or a GIF's bytes"
        )
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
    plugins: Path | str | None = None,
) -> Figure:
    """Draw the archive of a run, over its own or other logged metrics.

    Args:
        run: a run, or its folder.
        out: where to write it; its ending says how.
        measures: one or two metrics; default: the run's own.
        objective: the metric that colours; default: the run's own.
        accepted_only: of a folder with a `log: accepted`, draw other measures from what it has kept.
        plugins: of a folder, where the archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: a name is no metric of the run, or the file cannot be written.
    """
    options = {"measures": measures, "objective": objective}
    picture = plot("heatmap", run, out=out, accepted_only=accepted_only, plugins=plugins, **options)
    assert isinstance(picture, Figure)
    return picture


def find_plot(kind: str, plugins: Path | str | None = None) -> Plot:
    """The kind of picture that is named.

    Args:
        kind: a file of this folder, the name that an installed package gives one, or `my_file:MyPlot`.
        plugins: where dotted paths are looked up.

    Raises:
        UsageError: there is no such kind.
    """
    if not is_plugin(kind) and kind not in names("plots"):
        raise UsageError(
            f"`kind`: there is no picture {kind!r}{suggest(kind, names('plots'))}"
            " (a plug-in's is written my_file:MyPlot)"
        )
    registry = Registry(plugin_folder(plugins))
    found = registry.build("plots", kind, {}, "plot")
    if not callable(getattr(found, "draw", None)):
        raise UsageError(f"`kind`: {kind} has no method draw, which gives the picture")
    registry.mention()
    return found


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
