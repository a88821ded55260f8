"""Whom to blame when a search's process died without a word, where candidates are evaluated in that process.

A candidate that ends its process (`os._exit`, a segmentation fault, more memory than there is) would do so again at
every resume. So its batch is evaluated one by one at the next, each row noted in the log before it begins: whoever is
evaluated alone at two deaths is given up as lost, and the search goes on. Of a death by `kill -9` or a power cut the
log says the same, so it counts too; what ends in order, as by Ctrl-C, does not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ..store.resume import LastSession

logger = logging.getLogger(__name__)

DEATHS_ALONE = 2
"""Who is evaluated alone at this many deaths is lost."""
REASON = "the search's process died while this was evaluated alone, {} times"


@dataclass(frozen=True)
class Suspects:
    """The batch that was evaluated when the process died.

    Args:
        first: the first evaluation of the batch; 0 where nothing died.
        deaths: how often the process died with this batch under way.
        one_by_one: whether its rows are evaluated alone.
        alone: {evaluation: deaths while it was evaluated alone}.
    """

    first: int = 0
    deaths: int = 0
    one_by_one: bool = False
    alone: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def after(cls, last: LastSession, batch: Sequence[int], ordered: bool) -> Suspects:
        """Those of the session that follows; says so where there are any.

        Args:
            last: the session before.
            batch: evaluations of the first batch under way at its end.
            ordered: whether the log depends on what is evaluated together; a batch is then tried once more as it is.

        Raises:
            ValueError: the session notes something else than suspects.
        """
        before = TypeAdapter(cls).validate_python(last.process.get("suspects", {}))
        if not batch:
            return NOBODY
        if before.first != batch[0]:
            before = cls(batch[0])
        if not (last.died and last.process.get("in_process")):
            return before
        evaluated: int | None = None
        if before.one_by_one:  # the log says whose turn it was, if it was anyone's
            evaluated = last.process.get("evaluating")
        elif len(batch) == 1:
            evaluated = batch[0]
        alone = dict(before.alone)
        if evaluated is not None and evaluated in batch:
            alone[evaluated] = alone.get(evaluated, 0) + 1
        deaths = before.deaths + 1
        found = cls(batch[0], deaths, deaths > (ordered and len(batch) > 1), alone)
        if evaluated in batch or not before.one_by_one:
            found._say(len(batch), evaluated)
        return found

    def dump(self) -> dict[str, Any]:
        """Plain data, as a session notes it."""
        return asdict(self)

    def _say(self, size: int, evaluated: int | None) -> None:
        if evaluated and self.is_lost(evaluated):
            text = f"evaluation {evaluated} is given up as lost: {REASON.format(self.alone[evaluated])}"
        elif evaluated:
            text = f"the search's process died while evaluation {evaluated} was under way alone; it is tried once more"
        elif self.one_by_one:
            text = f"the search's process died while {size} evaluations were under way; they are evaluated one by one"
        else:
            text = f"the search's process died while {size} evaluations were under way; they are tried once more"
        logger.warning(text)

    def concerns(self, evaluations: np.ndarray) -> bool:
        """Whether these are to be evaluated one by one."""
        return self.one_by_one and self.first in evaluations

    def is_lost(self, evaluation: int) -> bool:
        """Whether it is given up."""
        return self.alone.get(evaluation, 0) >= DEATHS_ALONE


NOBODY = Suspects()
