"""A candidate as people look at it: its metrics, genotype and ancestors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from ..display import Displayed
from .elites import evaluation_of
from .folding import FoldedLog
from .lineage import Ancestor, lineage
from .spread import measured


@dataclass(frozen=True)
class ReadableGenotype:
    """A genotype with its form for people; `data` is the plain data."""

    data: Any
    readable: str

    def __str__(self) -> str:
        return self.readable

    def _repr_html_(self) -> str:
        return (
            f"<code>{escape(self.readable)}</code><details><summary>JSON</summary>"
            f"<pre>{escape(json.dumps(self.data, indent=2))}</pre></details>"
        )


@dataclass(frozen=True)
class Network(Displayed):
    """A candidate that was evaluated. A notebook shows its diagram and its metrics.

    Metrics are means over its evaluations in the search, `samples` of them: more than one where some are repeated.
    """

    run: FoldedLog
    id: int
    evaluation: int
    metrics: dict[str, float]
    samples: int
    genotype: ReadableGenotype

    def lineage(self) -> list[Ancestor]:
        """Itself and its ancestors, nearest first."""
        return lineage(self.run, self.id)


def network(run: FoldedLog, candidate: int) -> Network:
    """A candidate with its metrics and genotype.

    Raises:
        UsageError: there is no such candidate, or it has no metrics.
    """
    evaluation = evaluation_of(run, candidate)
    genotype = ReadableGenotype(run.genotypes([candidate])[candidate], run.readable(candidate))
    found = measured(run, [candidate])[candidate]
    metrics = {name: spread.mean for name, spread in found.items()}
    return Network(run, candidate, evaluation, metrics, max(spread.seeds for spread in found.values()), genotype)
