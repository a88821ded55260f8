"""What an emitter is to the search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from search_spaces import Genotypes, Metric, SearchSpace

from ..archives import Archive


class Proposals(NamedTuple):
    """Columns over N."""

    genotypes: Genotypes
    parents: list[tuple[int, ...]]
    """Candidate ids; empty for a genotype from nowhere."""
    operators: list[str]


@dataclass(frozen=True)
class Told:
    """What came of an emitter's own proposals, of one tell: columns over N, in the order of the candidates.

    Args:
        candidates: (N,) int64, ids.
        genotypes: N of them.
        metrics: {name: (N,) float64}, NaN where there is no answer.
        objectives: (N,) float64, the archive's objective, signed: more is better. NaN where there is no answer.
    """

    candidates: np.ndarray
    genotypes: Genotypes
    metrics: Mapping[str, np.ndarray]
    objectives: np.ndarray


class Emitter(ABC):
    """Proposes genotypes. Its `__init__` arguments after `space` are the keys beside `kind` in the run file."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def bind(self, metrics: Mapping[str, Metric]) -> None:
        """Receive what is reported, before anything else; raise `ValueError` where a wanted metric is not."""

    @abstractmethod
    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        """Return n valid genotypes. All randomness comes from `rng`; the archive is only read."""

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        """Hear what came of earlier proposals: each is told once, in any order, after the archive has it."""

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain data and, on the first level, numpy arrays; logged with every tell."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as the emitter did that gave this state."""
