"""The archive that a log folds to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..archives import Archive, RecordedArchive, make_archive, make_axis, make_objective
from ..errors import LONGEST_REASON, UsageError, clipped
from ..registry import Registry, is_at_hand, plugin_folder
from ..store.opening import damaged
from ..store.reader import LogReader

AnyArchive = TypeVar("AnyArchive", bound=Archive)
FOLDED_AT_ONCE = 2000
"""Rows: what a filled archive need not look at closely is sorted out between calls."""


class FoldedLog(LogReader):
    """A log with its archive.

    Args:
        path: the run's folder.
        plugins: the folder of the archive's kind, where that is a plug-in; without it, the archive is what the log
            tells of it.

    Raises:
        UsageError: there is no such folder, or its log cannot be read.
    """

    def __init__(self, path: Path | str, plugins: Path | str | None = None) -> None:
        super().__init__(path)
        self.plugins = plugin_folder(plugins)

    @cached_property
    def archive(self) -> Archive:
        """The archive of the search itself, folded from the log as it was when first asked for."""
        return self.fold(self.empty_archive())

    def empty_archive(self) -> Archive:
        """The archive as it was before the first tell."""
        if is_at_hand("archives", self.config.archive.kind, self.plugins):
            try:
                return make_archive(self.config.archive, self.metrics, Registry(self.plugins), self.recorded)
            except UsageError as error:
                raise UsageError(f"{self.folder.path}: {clipped(error, LONGEST_REASON)}") from error
        return self._recorded_archive()

    @property
    def recorded(self) -> dict[str, Any]:
        """What the log has of the empty archive: `Archive.recorded`."""
        known = self.meta("archive")
        if known is not None:
            return known["recorded"]
        centroids = self.meta("centroids")  # as earlier versions wrote those of a cvt
        return {"centroids": centroids} if centroids is not None else {}

    def fold(self, archive: AnyArchive, genotypes: bool = True) -> AnyArchive:
        """Add every archived result to an empty archive, in the order in which they were reported; returns it."""
        self.replay(archive)
        if genotypes:
            archive.set_genotypes(self.genotypes(archive.elites.candidates.tolist()))
        if self.accepted_only:
            state = self.state() or {"outside": 0}
            with self.decoding():
                archive.outside = int(state["outside"])
        return archive

    def replay(self, archive: Archive, after: int = 0, up_to: int | None = None) -> None:
        """Add the archived results of the tells in (after, up_to] to an archive that holds those before.

        Its elites have no genotypes; `fold` gives them.
        """
        if self.reevaluates and archive.averages is None:
            archive.average()
        up_to = self.last_tell if up_to is None else up_to
        if archive.refines:
            for tell, bins in self.refinements(after, up_to):
                self._add(archive, after, tell)
                with self.decoding():
                    archive.refine(bins)
                after = tell
        self._add(archive, after, up_to)

    def _recorded_archive(self) -> RecordedArchive:
        config, known = self.config.archive, self.meta("archive")
        if known is None:
            raise damaged(self.folder.log, f"it does not say what its archive, {config.kind}, was made with")
        archive = RecordedArchive(
            make_objective(config.objective, self.metrics, "archive.objective"),
            [make_axis(axis, self.metrics, "archive.measures") for axis in config.measures],
            config.outside,
            self._cells_entered,
            known["cells"] if known["fixed"] else None,
            config.kind,
        )
        if self.refinements():
            raise UsageError(f"{self.folder.path}: its archive was refined on the way, and {archive.unknown}")
        return archive

    def _cells_entered(self, evaluations: Sequence[int] | np.ndarray) -> dict[int, int]:
        statement = "SELECT evaluation, cell FROM insertions WHERE evaluation IN (SELECT value FROM json_each(?))"
        return dict(self.query(statement, [json.dumps([int(id) for id in evaluations])]))

    def _add(self, archive: Archive, after: int, up_to: int) -> None:
        names = list(dict.fromkeys([archive.objective.metric, *(axis.metric for axis in archive.axes)]))
        evaluations, candidates, values = self.archived(names, after, up_to)
        for start in range(0, len(evaluations), FOLDED_AT_ONCE):
            part = slice(start, start + FOLDED_AT_ONCE)
            columns = {name: values[part, index] for index, name in enumerate(names)}
            archive.add(evaluations[part], candidates[part], columns, [None] * len(evaluations[part]))
