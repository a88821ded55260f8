"""A run's space and evaluator, built from the run file: in the search's own process, and again in every worker's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evaluators import Evaluator
from search_spaces import SearchSpace

from .. import registry as plugins
from ..config import Component, RunFile
from ..errors import UsageError
from ..metrics.base import MetricError, NetworkMetric
from .measured import Measured

T = TypeVar("T")

METRICS = "qd.metrics"
"""Where the kinds of metrics are."""


@dataclass(frozen=True)
class Components:
    """Not bound to each other yet.

    Args:
        space: of the run.
        evaluator: of the run, which measures the run file's `metrics` too.
        digests: {dotted path: SHA-256 of its file} of the plug-ins.
    """

    space: SearchSpace
    evaluator: Evaluator
    digests: Mapping[str, str]

    def bind(self, config: RunFile) -> None:
        """Bind the evaluator to the space.

        Raises:
            UsageError: they do not fit together.
        """
        self.evaluator.reproducible = config.search.order == "id"
        try:
            self.evaluator.bind(self.space)
        except MetricError as error:
            raise UsageError(f"metrics: {error}") from error
        except ValueError as error:
            raise UsageError(f"evaluator: {error}") from error


def build_components(config: RunFile, folder: Path | None) -> Components:
    """Find and construct space, evaluator and metrics.

    Args:
        config: the run file.
        folder: where dotted paths are looked up.

    Raises:
        UsageError: naming the key.
    """
    digests: dict[str, str] = {}

    space = _build(config.space, "search_spaces", SearchSpace, "space", folder, digests)
    evaluator = _build(config.evaluator, "evaluators", Evaluator, "evaluator", folder, digests)
    metrics = [
        _build(one, METRICS, NetworkMetric, f"metrics[{index}]", folder, digests)
        for index, one in enumerate(config.metrics)
    ]
    try:
        return Components(space, _measuring(evaluator, metrics), digests)
    except ValueError as error:
        raise UsageError(f"metrics: {error}") from error


def is_metric(name: str) -> bool:
    """Whether a run file may have it in its `metrics` by this name."""
    return name in plugins.list_names(METRICS) and plugins.built_in(name, METRICS, NetworkMetric) is not None


def build_evaluator(config: RunFile, folder: Path | None) -> Evaluator:
    """The run's evaluator, bound to its space: what a worker needs.

    Raises:
        UsageError: naming the key.
    """
    components = build_components(config, folder)
    components.bind(config)
    return components.evaluator


def _build(component: Component, room: str, base: type[T], key: str, folder: Path | None, digests: dict[str, str]) -> T:
    found = plugins.find(component.kind, room, base, folder, key)
    if plugins.is_plugin(component.kind):
        digests[component.kind] = plugins.source_digest(found)
    return plugins.construct(found, component.arguments, key)


def _measuring(evaluator: Evaluator, metrics: Sequence[NetworkMetric]) -> Evaluator:
    """The evaluator, which measures these too."""
    if not metrics or not isinstance(getattr(evaluator, "metrics", None), Mapping):  # the door refuses the latter
        return evaluator
    return evaluator if evaluator.measure_also(metrics) else Measured(evaluator, metrics)
