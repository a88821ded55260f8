"""A run's space and evaluator, built from the run file: in the search's own process, and again in every worker's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators import Evaluator
from search_spaces import SearchSpace, Task

from ..config import RunFile
from ..errors import LONGEST_REASON, UsageError, clipped
from ..metrics.base import MetricError, NetworkMetric
from ..registry import Registry
from ..strangers import not_ending
from .measured import Measured


@dataclass(frozen=True)
class Components:
    """Not bound to each other yet.

    Args:
        space: of the run.
        evaluator: of the run, which measures the run file's `metrics` too.
    """

    space: SearchSpace
    evaluator: Evaluator

    def bind(self, config: RunFile) -> None:
        """Bind the evaluator to the space.

        Raises:
            UsageError: they do not fit together.
        """
        self.evaluator.reproducible = config.search.order == "id"
        try:
            with not_ending(f"evaluator: {type(self.evaluator).__name__}.bind"):
                self.evaluator.bind(self.space)
        except MetricError as error:
            raise UsageError(f"metrics: {clipped(error, LONGEST_REASON)}") from error
        except ValueError as error:
            raise UsageError(f"evaluator: {clipped(error, LONGEST_REASON)}") from error
        task = self.evaluator.task
        if task is not None and not isinstance(task, Task):
            raise UsageError(f"evaluator: expected a search_spaces.Task, or None, as task, got {task!r}")


def build_components(config: RunFile, registry: Registry) -> Components:
    """Find and construct space, evaluator and metrics.

    Args:
        config: the run file.
        registry: finds them.

    Raises:
        UsageError: naming the key.
    """
    space = registry.build("spaces", config.space.kind, config.space.arguments, "space")
    evaluator = registry.build("evaluators", config.evaluator.kind, config.evaluator.arguments, "evaluator")
    metrics = [
        registry.build("metrics", one.kind, one.arguments, f"metrics[{index}]")
        for index, one in enumerate(config.metrics)
    ]
    try:
        return Components(space, _measuring(evaluator, metrics))
    except ValueError as error:
        raise UsageError(f"metrics: {clipped(error, LONGEST_REASON)}") from error


def build_evaluator(config: RunFile, folder: Path | None) -> Evaluator:
    """The run's evaluator, bound to its space: what a worker needs.

    Raises:
        UsageError: naming the key.
    """
    components = build_components(config, Registry(folder))
    components.bind(config)
    return components.evaluator


def _measuring(evaluator: Evaluator, metrics: Sequence[NetworkMetric]) -> Evaluator:
    """The evaluator, which measures these too."""
    if not metrics or not isinstance(getattr(evaluator, "metrics", None), Mapping):  # the door refuses the latter
        return evaluator
    return evaluator if evaluator.measure_also(metrics) else Measured(evaluator, metrics)
