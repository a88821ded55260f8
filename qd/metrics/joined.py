"""A list of metrics that are measured together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from search_spaces import Metric, SearchSpace, Task

from ..interrupts import Interrupted, told_apart
from .base import MetricError, Needs, NetworkMetric
from .subject import Subject
from .untrained import Untrained


class JoinedMetrics:
    """Several metrics of networks as one: no name stands twice, and each reports what it declares.

    Args:
        listed: in the order of their columns.
        taken: names that somebody else reports.

    Raises:
        ValueError: a name would be reported twice.
    """

    def __init__(self, listed: Sequence[NetworkMetric], taken: Collection[str] = ()) -> None:
        self.listed = tuple(listed)
        self.metrics: dict[str, Metric] = {}
        for one in self.listed:
            _check_declared(one)
            for name in one.metrics:
                if name in taken or name in self.metrics:
                    raise ValueError(
                        f"{name!r} is reported already, and {type(one).__name__} would report it again; leave it out,"
                        " or give it another `name` where it takes one"
                    )
            self.metrics.update(one.metrics)

    @classmethod
    def of(cls, *kinds: type[NetworkMetric]) -> JoinedMetrics:
        """Metrics of these kinds, as they are without arguments."""
        return cls([kind() for kind in kinds])

    def extended(self, more: Sequence[NetworkMetric], reported: Collection[str]) -> JoinedMetrics:
        """These and more; one of the same kind and names takes the place of that which is there.

        Args:
            more: what is added.
            reported: all names that are reported now, these metrics' own included.

        Raises:
            ValueError: a name would be reported twice.
        """
        kept = [one for one in self.listed if not any(_alike(one, other) for other in more)]
        return JoinedMetrics([*kept, *more], set(reported) - self.metrics.keys())

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        """Bind each of them.

        Raises:
            MetricError: one cannot measure networks of this space, or for this task.
        """
        for one in self.listed:
            names = ", ".join(one.metrics)
            if one.needs != "genotype":
                if task is None:
                    raise MetricError(f"{names} needs a network, and the evaluator builds none (it has no `task`)")
                if type(space).build is SearchSpace.build:
                    raise MetricError(f"{names} needs a network, and {type(space).__name__} has no build()")
            try:
                one.bind(space, task)
            except ValueError as error:
                raise MetricError(f"{names}: {error}") from error

    def measure(self, subject: Subject) -> dict[str, float]:
        """Return what all of them report.

        Raises:
            ValueError: one reports other names than it declares.
        """
        measured: dict[str, float] = {}
        for one in self.listed:
            found = one.measure(subject)
            if not isinstance(found, Mapping) or found.keys() != one.metrics.keys():
                got = ", ".join(found) or "nothing" if isinstance(found, Mapping) else repr(found)
                raise ValueError(f"{type(one).__name__}.measure must report {', '.join(one.metrics)}, got {got}")
            measured.update({name: float(value) for name, value in found.items()})
        return measured

    def known(self, subject: Untrained, names: Collection[str]) -> dict[str, float]:
        """Return what is known without training, of the metrics of these names; what raises knows nothing.

        Raises:
            Interrupted: a person has.
        """
        found: dict[str, float] = {}
        for one in self.listed:
            if not one.metrics.keys().isdisjoint(names):
                try:
                    with told_apart():
                        found.update(one.known(subject))
                except Interrupted:
                    raise
                except BaseException:  # its evaluation will tell
                    continue
        return {name: float(value) for name, value in found.items() if name in names}


def _check_declared(one: NetworkMetric) -> None:
    kind, declared = type(one).__name__, getattr(one, "metrics", None)
    if not declared or not isinstance(declared, Mapping):
        raise ValueError(f"{kind} declares no metrics = {{name: Metric(...)}}, got {declared!r}")
    if one.needs not in get_args(Needs):
        raise ValueError(f"{kind}.needs: expected {', '.join(get_args(Needs))}, got {one.needs!r}")


def _alike(one: NetworkMetric, other: NetworkMetric) -> bool:
    return type(one) is type(other) and one.metrics.keys() == other.metrics.keys()
