"""What a metric of networks is to the engine, and to whoever writes one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from search_spaces import Metric, SearchSpace, Task

if TYPE_CHECKING:
    from .subject import Subject
    from .untrained import Untrained

Needs = Literal["genotype", "network", "examples"]


class MetricError(ValueError):
    """A metric is not for networks of this space, or for this task or evaluator."""


class NetworkMetric(ABC):
    """Measures a candidate's network, or its genotype, and gives one number or several.

    Its `__init__` arguments are the keys beside `kind` in the run file. It is bound once, before the first candidate;
    one instance lives in each worker and is called by one thread.
    """

    metrics: Mapping[str, Metric]
    """What it reports, on the class or set in `__init__`. Names match [a-z][a-z0-9_]{0,62}. What is measured with a
    clock says `time=True`, so that it is no axis under `order: id`."""

    needs: Needs = "network"
    """What of a `Subject` it looks at: the genotype and the module graph alone; also the network, whatever its weights
    are; or also what the trained network makes of examples. The less, the more evaluators it goes with."""

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        """Raise `ValueError` where it cannot measure networks of this space, or for this task.

        Args:
            space: the run's.
            task: of the networks; None where the evaluator builds none, which only those get that need the genotype.
        """

    @abstractmethod
    def measure(self, subject: Subject) -> Mapping[str, float]:
        """Return a finite number for each of `metrics`.

        The network is to be left as it is. Nothing random, but for a seed of its own. An exception costs the candidate
        its evaluation, which is logged as failed, with the traceback.
        """

    def known(self, subject: Untrained) -> Mapping[str, float]:
        """Return those of `metrics` that training does not change, of a candidate that is not trained.

        By default all where the metric looks at the genotype alone, else none. What a clock says apart, values equal
        those that `measure` gives of the trained network: an evaluation that reports another fails. An exception means
        that nothing is known.
        """
        return self.measure(subject) if self.needs == "genotype" else {}
