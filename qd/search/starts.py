"""Weights that evaluations under way begin with: which they are, and where they lie until they are told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping

import numpy as np

from ..archives import Archive
from ..candidates import Start
from ..errors import QdError
from ..store.folder import RunFolder
from ..store.log import CandidateRow, StartRow
from .seeds import share_of

logger = logging.getLogger(__name__)


class Starts:
    """What evaluations under way begin with, in files of the run's folder.

    Args:
        folder: of the run.
        seed: the run's.
        inherit: share of the candidates with parents that begin with a parent's weights, in [0, 1].
    """

    def __init__(self, folder: RunFolder, seed: int, inherit: float) -> None:
        self._folder, self._seed, self._inherit = folder, seed, inherit
        self._under_way: dict[int, StartRow] = {}
        self._missing: list[int] = []

    @property
    def sources(self) -> set[int]:
        """Evaluations whose weights are needed."""
        return {row.source for row in self._under_way.values()}

    def note(self, rows: Iterable[StartRow]) -> None:
        """Take what was asked with a start."""
        self._under_way.update({row.evaluation: row for row in rows})

    def settle(self, evaluations: Iterable[int]) -> None:
        """These were told."""
        for evaluation in evaluations:
            self._under_way.pop(evaluation, None)

    def parent_of(self, candidate: CandidateRow, archive: Archive) -> int | None:
        """The evaluation whose weights a new candidate inherits: of its first parent that is an elite; else None."""
        if not self._inherit or share_of(self._seed, "inherit", candidate.id) >= self._inherit:
            return None
        for parent in json.loads(candidate.parents):
            slots = np.flatnonzero(archive.elites.candidates == parent)
            if slots.size:
                return int(archive.elites.evaluations[slots[0]])
        return None

    def read(self, evaluations: Iterable[int]) -> Mapping[int, Start]:
        """{evaluation: what it begins with} of those that have a start; whose file is missing begins anew."""
        found: dict[int, Start] = {}
        for evaluation in evaluations:
            row = self._under_way.get(evaluation)
            if row is None:
                continue
            try:
                if self._folder.has_weights(row.source):
                    found[evaluation] = Start(self._folder.read_weights(row.source), row.spent)
                    continue
                reason = f"{self._folder.weights_path(row.source)} is missing"
            except QdError as error:
                reason = str(error)
            logger.warning(f"evaluation {evaluation} starts from its seed, for the whole of its fidelity: {reason}")
            self._missing.append(evaluation)
        return found

    def take_missing(self) -> list[int]:
        """Evaluations whose file was missing since the last call."""
        taken, self._missing = self._missing, []
        return taken
