"""What an emitter is to the search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from search_spaces import Genotypes, Metric, SearchSpace
from search_spaces.genes.columns import take

from ..archives import Archive
from ..surrogates.base import Prediction, Surrogate


class KnownMetrics(Protocol):
    """N genotypes, names of metrics, and the genotypes' keys where they are at hand → {name: (N,) float64}.

    What is known without an evaluation: NaN where a metric is not known of a candidate, and left out where it is known
    of none. See `Evaluator.known`.
    """

    def __call__(
        self, genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None, /
    ) -> Mapping[str, np.ndarray]: ...


@dataclass(frozen=True)
class Forecast:
    """What an emitter's model expects of the N candidates that it proposes; it stands in the log.

    Args:
        metrics: {name: prediction}: of the objective, signed (more is better), and of measures on the axes' scales. NaN
            where nothing is known.
        answers: how many the model was fitted to.
        model: what the model says of itself, as plain data.
    """

    metrics: Mapping[str, Prediction]
    answers: int
    model: Mapping[str, Any]

    def take(self, rows: np.ndarray) -> Forecast:
        """Of the given rows, in the given order."""
        return replace(self, metrics={name: one.take(rows) for name, one in self.metrics.items()})

    def padded(self, more: int) -> Forecast:
        """With this many candidates more at the end, of which nothing is expected."""
        rest = np.full(more, np.nan)
        metrics = {
            name: Prediction(*(np.concatenate([column, rest]) for column in one)) for name, one in self.metrics.items()
        }
        return replace(self, metrics=metrics)


class Proposals(NamedTuple):
    """Columns over N."""

    genotypes: Genotypes
    parents: list[tuple[int, ...]]
    """Candidate ids; empty for a genotype from nowhere."""
    operators: list[str]
    forecast: Forecast | None = None

    def take(self, rows: np.ndarray) -> Proposals:
        """The given rows, in the given order."""
        return Proposals(
            take(self.genotypes, rows),
            [self.parents[row] for row in rows.tolist()],
            [self.operators[row] for row in rows.tolist()],
            self.forecast and self.forecast.take(rows),
        )


@dataclass(frozen=True)
class Told:
    """What came of proposals, of one tell: columns over N, in the order of the candidates.

    Args:
        candidates: (N,) int64, ids.
        genotypes: N of them.
        metrics: {name: (N,) float64}, of all that is reported; NaN where there is no answer.
        objectives: (N,) float64, the archive's objective, signed: more is better. NaN where there is no answer.
    """

    candidates: np.ndarray
    genotypes: Genotypes
    metrics: Mapping[str, np.ndarray]
    objectives: np.ndarray


class Emitter(ABC):
    """Proposes genotypes. Its `__init__` arguments after `space` are the keys beside `kind` in the run file."""

    remembers: bool = False
    """Whether it learns from all answers. Then it is told of every candidate, whoever proposed it, and after a resume,
    before `restore`, of all that the log holds, in one call and in the same order; and the log must hold all."""

    hears: bool = True
    """Whether `tell` does anything: where not, a search with a full log saves the copies that it would be told."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def bind(
        self,
        metrics: Mapping[str, Metric],
        archive: Archive,
        surrogate: Callable[[], Surrogate | None],
        known: KnownMetrics,
    ) -> None:
        """Meet the rest of the run, before anything else; raise `ValueError` where it does not fit.

        Args:
            metrics: what is reported.
            archive: of the run, still empty.
            surrogate: gives the evaluator's own surrogate, a new one with each call; None where it has none.
            known: what is known of candidates before they are evaluated.
        """

    @abstractmethod
    def ask(self, n: int, archive: Archive, rng: np.random.Generator) -> Proposals:
        """Return n valid genotypes. All randomness comes from `rng`; the archive is only read."""

    def tell(self, told: Told, archive: Archive, rng: np.random.Generator) -> None:
        """Hear what came of its earlier proposals: each is told once, in any order, after the archive has it."""

    def state(self) -> dict[str, Any]:
        """What `restore` needs: plain data and, on the first level, numpy arrays; logged with every tell."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as the emitter did that gave this state."""
