"""A run that is looked at while it goes on: only what is new is read, and the log is never kept open."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas

from ..analysis.history import history
from ..analysis.run import Run, open_run
from ..analysis.spread import Spread, verified
from ..archives import Archive
from ..store.reader import columns

MOMENTS = 6
"""Archives of past moments that are remembered."""
VIEWS = 4
"""Archives over other metrics that follow the search."""

T = TypeVar("T")
View = tuple[tuple[str, ...], str]
"""Measures and objective."""


@dataclass
class _Following:
    archive: Archive
    tell: int


class LiveRun:
    """One run and what was read of it. Several requests may use it at once: they take turns.

    The log is opened for each question and closed after it, so that a search that ends can put its log in order.
    """

    def __init__(self, path: Path, plugins: Path | str | None = None) -> None:
        self.lock = threading.RLock()
        self._run = open_run(path, plugins=plugins)
        self._run.close()
        self._views: OrderedDict[View, _Following] = OrderedDict()
        self._moments: OrderedDict[tuple[View, int], Archive] = OrderedDict()
        self._answers: dict[Callable[[Run], Any], tuple[int, Any]] = {}
        self._verified: tuple[int, dict[int, dict[str, Spread]]] | None = None
        self._metrics: pandas.DataFrame | None = None
        self._own: int = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Run]:
        """The run, with its own archive as it is now; the log is closed afterwards."""
        with self.lock:
            try:
                with self._run.snapshot():
                    self._follow()
                    yield self._run
            finally:
                self._run.close()

    @property
    def tell(self) -> int:
        """The last tell that was read."""
        return self._own

    def default_view(self) -> View:
        """The run's own first two measures and objective."""
        archive = self._run.archive
        return tuple(axis.metric for axis in archive.axes[:2]), archive.objective.metric

    def archive(self, view: View, tell: int | None = None) -> Archive:
        """The archive over any metrics, now or as it was after a tell. To be called, and used, while `reading`."""
        if tell is None or tell >= self._own:
            return self._now(view)
        key = (view, tell)
        if key not in self._moments:
            archive = self._empty(view)
            self._run.replay(archive, up_to=tell)
            self._moments[key] = archive
            if len(self._moments) > MOMENTS:
                self._moments.popitem(last=False)
        self._moments.move_to_end(key)
        return self._moments[key]

    def metrics(self, archive: Archive) -> pandas.DataFrame:
        """One row for each elite, in the archive's order: `id`, `evaluation` and every metric. While `reading`.

        Where evaluations are repeated, metrics are means over those of the elite.
        """
        if self._run.reevaluates:
            ids = archive.elites.candidates.tolist()
            means = self._run.means_of(ids)
            frame = pandas.DataFrame([means[id] for id in ids], columns=list(self._run.metrics))
            frame.insert(0, "evaluation", archive.elites.evaluations)
            frame.insert(0, "id", archive.elites.candidates)
            return frame
        evaluations = archive.elites.evaluations.tolist()
        known = () if self._metrics is None else self._metrics.index
        missing = sorted(set(evaluations).difference(known))
        if missing or self._metrics is None:
            rows = self._run.query(
                f"SELECT _evaluation{columns(self._run.metrics)} FROM results"
                " WHERE _evaluation IN (SELECT value FROM json_each(?))",
                [json.dumps(missing)],
            )
            found = pandas.DataFrame(rows, columns=["evaluation", *self._run.metrics]).set_index("evaluation")
            self._metrics = found if self._metrics is None else pandas.concat([self._metrics, found])
        frame = self._metrics.loc[evaluations].reset_index(names="evaluation")
        frame.insert(0, "id", archive.elites.candidates)
        return frame

    def once(self, function: Callable[[Run], T]) -> T:
        """What a function says of the run, asked once for each tell and for all pages. While `reading`."""
        known = self._answers.get(function)
        if known is None or known[0] != self._own:
            known = self._answers[function] = (self._own, function(self._run))
        return known[1]

    def verified(self) -> dict[int, dict[str, Spread]]:
        """As `qd.analysis.spread` gives it. While `reading`."""
        count = self._run.query("SELECT COUNT(*) FROM evaluations WHERE purpose = 'verification'")[0][0]
        if self._verified is None or self._verified[0] != count:
            self._verified = (count, verified(self._run))
        return self._verified[1]

    def tell_at(self, evaluations: int) -> int:
        """The last tell by which at most this many search evaluations had finished. While `reading`."""
        frame = self.once(history)
        row = int(np.searchsorted(frame["evaluations"].to_numpy(), evaluations, side="right")) - 1
        return int(frame["tell"].iloc[row]) if row >= 0 else 0

    def _follow(self) -> None:
        last = self._run.last_tell
        if last == self._own:
            return
        if self._own:
            self._run.replay(self._run.archive, after=self._own, up_to=last)
        else:
            self._run.archive  # noqa: B018 - folded when first asked for
            last = max(last, self._run.last_tell)
        self._own = last

    def _now(self, view: View) -> Archive:
        if view == self.default_view() and len(self._run.archive.axes) <= 2:
            return self._run.archive
        empty = self._empty(view)
        known = self._views.pop(view, None)
        if known is None or known.archive.axes != empty.axes:  # a range grew with what was found
            known = _Following(empty, 0)
        self._run.replay(known.archive, after=known.tell, up_to=self._own)
        known.tell = self._own
        self._views[view] = known
        if len(self._views) > VIEWS:
            self._views.popitem(last=False)
        return known.archive

    def _empty(self, view: View) -> Archive:
        measures, objective = view
        own = view == self.default_view() and len(self._run.archive.axes) <= 2
        return self._run.projection(() if own else measures, objective)
