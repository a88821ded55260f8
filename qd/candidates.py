"""Candidates and results: columns over N, batch axis first, keyed by id and never by order."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

import numpy as np

from search_spaces.genes import Invalid
from search_spaces.genes.columns import Genotypes, copied, take

from .interrupts import Interrupted

Weights = Mapping[str, np.ndarray]
"""A trained network's tensors by name, as arrays."""


class Status(IntEnum):
    """How an evaluation ended."""

    OK = 0
    INVALID = 1
    FAILED = 2
    TIMED_OUT = 3
    LOST = 4

    @property
    def label(self) -> str:
        """The name that people read: ok, invalid, failed, timed_out, lost."""
        return self.name.lower()

    @property
    def is_answer(self) -> bool:
        """Whether it says something about the architecture, and so holds for its duplicates too."""
        return self in (Status.OK, Status.INVALID)


class Purpose(StrEnum):
    """Why a candidate is evaluated. Archives are folded from the first two; verification never enters the search."""

    SEARCH = "search"
    REEVALUATION = "reevaluation"
    VERIFICATION = "verification"


class Start(NamedTuple):
    """What a training begins with instead of fresh weights.

    Args:
        weights: of a trained network.
        spent: share of the full budget that this very network has been trained for, in (0, 1): it goes on from there.
            0: they are another network's, and are taken over as far as shapes agree; the whole budget is still to come.
    """

    weights: Weights
    spent: float = 0.0


@dataclass(frozen=True)
class Candidates:
    """A batch to evaluate, for one purpose.

    Args:
        ids: (N,) int64, the candidates.
        evaluation_ids: (N,) int64, unique in the run; results are keyed by them.
        seeds: (N,) int64 in [0, 2**53), each candidate's own: it starts the initialisation.
        shared_seed: equal throughout one call; it orders the minibatches.
        genotypes: N plain-data trees, or of a space of fixed length (`Vector`) one (N, D) array.
        fidelity: share of the full budget, in (0, 1].
        purpose: `VERIFICATION` alone may look at the test split.
        starts: {evaluation id: what its training begins with}; the others start from their seeds. An evaluator that
            `continues` heeds them.
    """

    ids: np.ndarray
    evaluation_ids: np.ndarray
    seeds: np.ndarray
    shared_seed: int
    genotypes: Genotypes
    fidelity: float = 1.0
    purpose: Purpose = Purpose.SEARCH
    starts: Mapping[int, Start] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def copy(self) -> Candidates:
        """The same, sharing nothing: for code that may change what it is given."""
        arrays = {name: getattr(self, name).copy() for name in ("ids", "evaluation_ids", "seeds")}
        starts = {
            id: one._replace(weights={name: array.copy() for name, array in one.weights.items()})
            for id, one in self.starts.items()
        }
        return replace(self, genotypes=copied(self.genotypes), starts=starts, **arrays)

    def take(self, rows: Sequence[int] | np.ndarray) -> Candidates:
        """The given rows, in the given order."""
        rows = np.asarray(rows, dtype=np.int64)
        evaluations = self.evaluation_ids[rows]
        return Candidates(
            self.ids[rows],
            evaluations,
            self.seeds[rows],
            self.shared_seed,
            take(self.genotypes, rows),
            self.fidelity,
            self.purpose,
            {id: self.starts[id] for id in evaluations.tolist() if id in self.starts} if self.starts else {},
        )


@dataclass(frozen=True)
class Curve:
    """The learning curve of an evaluation: how a network scored on validation examples while it was trained.

    Args:
        epochs: (P,) float64, above 0 and rising: passes over the training examples, after each of which it was scored.
        scores: {metric: (P,) float64}, under the names of the metrics that the evaluator reports; NaN where one was no
            finite number.
    """

    epochs: np.ndarray
    scores: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.epochs)


@dataclass
class Results:
    """What came of a batch, in any order and number.

    Args:
        evaluation_ids: (N,) int64.
        status: (N,) int64, values of `Status`.
        metrics: {name: (N,) float64}, NaN where the status is not OK.
        seconds: (N,) float64, time spent on each; the share of a batch where it was trained as one.
        errors: {evaluation id: text} for what is not OK.
        weights: {evaluation id: tensors} of trained networks. An executor keeps them where they are until `fetch`.
        workers: {evaluation id: who evaluated}; the executor fills it.
        attempts: {evaluation id: how often it was tried}, where that is more than once; the executor fills it.
        curves: {evaluation id: learning curve}, of what is OK and was asked to keep one.
    """

    evaluation_ids: np.ndarray
    status: np.ndarray
    metrics: dict[str, np.ndarray]
    seconds: np.ndarray
    errors: dict[int, str] = field(default_factory=dict)
    weights: dict[int, Weights] = field(default_factory=dict)
    workers: dict[int, str] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    curves: dict[int, Curve] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.evaluation_ids)

    @classmethod
    def ok(
        cls,
        candidates: Candidates,
        metrics: Mapping[str, Any],
        seconds: Any = 0.0,
        weights: dict[int, Weights] | None = None,
        curves: dict[int, Curve] | None = None,
    ) -> Results:
        """All went well: `metrics` holds (N,) columns, `seconds` a number or an (N,) column."""
        size = len(candidates)
        return cls(
            candidates.evaluation_ids,
            np.full(size, Status.OK, dtype=np.int64),
            {name: np.asarray(column, dtype=np.float64).reshape(size) for name, column in metrics.items()},
            np.broadcast_to(np.asarray(seconds, dtype=np.float64), (size,)).copy(),
            weights=weights or {},
            curves=curves or {},
        )

    @classmethod
    def raised(cls, candidates: Candidates, error: BaseException, seconds: float = 0.0) -> Results:
        """None of the batch has an answer, because this was raised."""
        return cls.without_metrics(candidates, *outcome_of(error), seconds)

    @classmethod
    def without_metrics(cls, candidates: Candidates, status: Status, error: str, seconds: float = 0.0) -> Results:
        """None of the batch has an answer, all for the same reason."""
        size = len(candidates)
        return cls(
            candidates.evaluation_ids,
            np.full(size, status, dtype=np.int64),
            {},
            np.full(size, seconds / max(1, size)),
            errors={int(id): error for id in candidates.evaluation_ids},
        )

    def take(self, rows: Sequence[int] | np.ndarray) -> Results:
        """The given rows, in the given order; errors, weights, workers, attempts and curves of others are left out."""
        rows = np.asarray(rows, dtype=np.int64)
        ids = self.evaluation_ids[rows]
        wanted = set(ids.tolist())
        return Results(
            ids,
            self.status[rows],
            {name: column[rows] for name, column in self.metrics.items()},
            self.seconds[rows],
            {id: text for id, text in self.errors.items() if id in wanted},
            {id: weights for id, weights in self.weights.items() if id in wanted},
            {id: worker for id, worker in self.workers.items() if id in wanted},
            {id: attempt for id, attempt in self.attempts.items() if id in wanted},
            {id: curve for id, curve in self.curves.items() if id in wanted},
        )

    @classmethod
    def join(cls, parts: Iterable[Results]) -> Results:
        """Rows of all parts, one after the other; a metric that a part lacks is NaN there."""
        parts = list(parts)
        names = list(dict.fromkeys(name for part in parts for name in part.metrics))
        return cls(
            np.concatenate([part.evaluation_ids for part in parts]),
            np.concatenate([part.status for part in parts]),
            {
                name: np.concatenate([part.metrics.get(name, np.full(len(part), np.nan)) for part in parts])
                for name in names
            },
            np.concatenate([part.seconds for part in parts]),
            {id: text for part in parts for id, text in part.errors.items()},
            {id: weights for part in parts for id, weights in part.weights.items()},
            {id: worker for part in parts for id, worker in part.workers.items()},
            {id: attempt for part in parts for id, attempt in part.attempts.items()},
            {id: curve for part in parts for id, curve in part.curves.items()},
        )


def outcome_of(error: BaseException) -> tuple[Status, str]:
    """Status and text of a candidate whose code raised this, be it `SystemExit`; a person's Ctrl-C is raised again."""
    if isinstance(error, Interrupted):
        raise error
    if isinstance(error, Invalid):
        return Status.INVALID, str(error)
    return Status.FAILED, "".join(traceback.format_exception(error))
