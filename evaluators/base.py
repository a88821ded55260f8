"""What an evaluator is to the engine."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from qd.candidates import Candidates, Results
from search_spaces import Genotype, Genotypes, Metric, SearchSpace, Task

if TYPE_CHECKING:
    import numpy as np

    from qd.metrics.base import NetworkMetric
    from qd.surrogates.base import Surrogate

    from .task_data import TaskData  # it needs torch, which a table does not


class Evaluator(ABC):
    """Measures a batch of candidates.

    Its `__init__` arguments are the keys beside `kind` in the run file. It is bound once to the run's space, before the
    first batch; one instance lives in each worker and is called by one thread.
    """

    metrics: Mapping[str, Metric]
    """What it reports, on the class or set in `__init__`. Names match `[a-z][a-z0-9_]{0,62}`."""

    task: Task | None = None
    """What its networks take in and give out; None where no network is built."""

    evaluates: ClassVar[bool] = True
    """False where results come from outside alone, through `qd.open_search`."""

    has_fidelity: bool = False
    """Whether it heeds `candidates.fidelity`: at less than 1 an evaluation costs about that share of the full budget.
    """

    continues: bool = False
    """Whether it heeds `candidates.starts`, and gives the weights that a later training can start from."""

    reproducible: bool = False
    """Set by the engine before `bind`, under `order: id`: then nothing of a row may depend on the machine's state."""

    space: SearchSpace

    def bind(self, space: SearchSpace) -> None:
        """Receive the run's space; raise `ValueError` where the two do not fit together."""
        self.space = space

    @abstractmethod
    def evaluate(self, candidates: Candidates) -> Results:
        """Return a row for every candidate, in any order.

        All randomness comes from `candidates.seeds` (a candidate's own) and `candidates.shared_seed`, so that a row
        does not depend on its batch-mates, but for rounding where they are trained as one. An exception costs nobody
        but the culprit: the batch is evaluated again one by one.

        Raises:
            Invalid: a genotype cannot stand for an architecture.
        """

    @property
    def best_chunk(self) -> int | None:
        """How many candidates it evaluates best at once, where it is, once it is bound; None: it does not say.

        `search.chunk: auto` asks for it. It may take seconds, and load data.
        """
        return None

    @property
    def network_bytes(self) -> int | None:
        """Memory that training one of its larger networks takes, about; None: it does not say."""
        return None

    def known(self, genotypes: Genotypes, names: Collection[str]) -> Mapping[str, np.ndarray]:
        """Return what is known of candidates before they are evaluated; by default nothing.

        Proposals that fall outside the map by such metrics are not evaluated, and models predict only the others. It is
        asked in the search's own process, so it should be quick: a millisecond for a candidate.

        Args:
            genotypes: N, valid.
            names: of the metrics that are asked for, the space's own among them.

        Returns:
            {name: (N,) float64}, NaN where it is not known of a candidate; names of which nobody can know anything are
            left out. But for what a clock says, values equal those that `evaluate` reports: an evaluation that reports
            another fails.
        """
        return {}

    def measure_also(self, more: Sequence[NetworkMetric]) -> bool:
        """Take on the metrics of networks that the run file lists, before `bind`; raise `ValueError` on a name twice.

        Returns False where they are none of its business: then the engine measures them, from the weights and the
        `task_data()` that it gives. One that has trained networks in hand derives from `networks.NetworkEvaluator`.
        """
        return False

    def task_data(self) -> TaskData | None:
        """Return the data behind `task`, for export, parity checks and longer training; None: it is not to be had."""
        return None

    def contents(self) -> dict[str, Any]:
        """Return plain data that says what it has beside its arguments, such as data: a resume needs the same."""
        return {}

    def surrogate(self) -> Surrogate | None:
        """Return a model of the objective for `{kind: guided, surrogate: own}`; None: there is none.

        It is asked for once the space is bound. It may look at training and validation data, never at test data.
        """
        return None


class SingleEvaluator(Evaluator):
    """The easy way in: measures one candidate at a time."""

    @abstractmethod
    def evaluate_one(self, genotype: Genotype, seed: int) -> Mapping[str, float]:
        """Return {metric: number}; raise `Invalid` for an impossible genotype. `seed` is in [0, 2**53)."""

    def evaluate(self, candidates: Candidates) -> Results:
        return Results.join(self._row(candidates.take([row])) for row in range(len(candidates)))

    def _row(self, candidate: Candidates) -> Results:
        started = time.perf_counter()
        try:
            metrics = dict(self.evaluate_one(candidate.genotypes[0], int(candidate.seeds[0])))
            return Results.ok(candidate, metrics, seconds=time.perf_counter() - started)
        except BaseException as error:  # `exit()` too: it costs nobody but this candidate
            return Results.raised(candidate, error, time.perf_counter() - started)
