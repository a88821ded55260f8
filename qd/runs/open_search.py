"""`qd.open_search`: a run, new or begun, whose loop belongs to somebody else."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..search.ask_tell import AskTell, HandedOut
from ..search.full import Search
from ..search.loop import Ending
from ..search.problem import Problem
from .launch import begin, go_on


def open_search(
    path: Path | str,
    *,
    out: Path | str | None = None,
    plugins: Path | str | None = None,
    overrides: Sequence[str] = (),
    **keys: Any,
) -> AskTell:
    """Open a search to ask it for candidates and tell it what came of them; close it, or use it in `with`.

    Args:
        path: a run file, for a new run; or a run's folder, to go on with it.
        out: a new run's folder, which must not exist; default: the first free results/<run file>-NNN.
        plugins: where dotted paths are looked up; default: the run file's folder, or where they were before.
        overrides: "budget.evaluations=100" strings; of a run that is gone on with, budget alone.
        **keys: the same as keywords.

    Raises:
        UsageError: bad input; nothing was created.
        QdError: another process runs this search.
    """
    stack = contextlib.ExitStack()
    arguments: dict[str, Any] = {"plugins": plugins, "overrides": overrides, "executor": _handed_out, **keys}
    if Path(path).is_dir():
        if out is not None:
            raise UsageError(f"out: {path} is a run that has its folder; leave it out, or give a run file")
        opened = stack.enter_context(go_on(path, **arguments))
    else:
        opened = stack.enter_context(begin(path, out=out, **arguments))
    assert isinstance(opened.search, Search)

    def close(ending: Ending) -> None:
        with stack:
            opened.log.end_session(ending.value)

    return AskTell(opened.search, opened.problem, opened.folder.path, close)


def _handed_out(problem: Problem) -> HandedOut:
    """Raises `UsageError` where a search cannot be asked and told."""
    config = problem.config
    if config.search.order == "id":
        raise UsageError(
            "search.order: whoever asks and tells decides the order, and results are taken in as they are told;"
            " write order: arrival"
        )
    if config.log.keep != "all":
        raise UsageError("log: asking and telling needs every candidate in the log; write log: all")
    return HandedOut()
