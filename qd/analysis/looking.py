"""What `qd show` and `qd elites` look at, for Python: from the log alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .run import Run, open_run

if TYPE_CHECKING:
    import pandas


def opened(run: Run | Path | str, accepted_only: bool = False, plugins: Path | str | None = None) -> Run:
    """The run itself, or the one whose folder is given; `accepted_only` and `plugins` are those of `open_run`."""
    return run if isinstance(run, Run) else open_run(run, accepted_only, plugins)


def show(run: Run | Path | str, plugins: Path | str | None = None) -> dict[str, Any]:
    """Summarise a run, also while it goes on: what `Run.summary` gives.

    Args:
        run: a run, or its folder.
        plugins: of a folder, where the archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: the folder holds no run.
    """
    return opened(run, plugins=plugins).summary()


def elites(
    run: Run | Path | str,
    where: str | None = None,
    sort: str | None = None,
    limit: int | None = None,
    plugins: Path | str | None = None,
) -> pandas.DataFrame:
    """The elites of a run, the best first: what `Run.elites` gives.

    Args:
        run: a run, or its folder.
        where: an SQL condition over metrics, id, operator and emitter.
        sort: a metric to sort by; default: the objective.
        limit: this many at most.
        plugins: of a folder, where the archive's kind is looked up if it is a plug-in.

    Raises:
        UsageError: the folder holds no run, the condition is bad, or no such metric was logged.
    """
    return opened(run, plugins=plugins).elites(where, sort, limit)
