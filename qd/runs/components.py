"""A run's space and evaluator, built from the run file: in the search's own process, and again in every worker's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evaluators import Evaluator
from search_spaces import SearchSpace

from .. import registry as plugins
from ..config import Component, RunFile
from ..errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class Components:
    """Not bound to each other yet.

    Args:
        space: of the run.
        evaluator: of the run; it times networks too where the run file says so.
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
        except ValueError as error:
            raise UsageError(f"evaluator: {error}") from error


def build_components(config: RunFile, folder: Path | None) -> Components:
    """Find and construct both.

    Args:
        config: the run file.
        folder: where dotted paths are looked up.

    Raises:
        UsageError: naming the key.
    """
    digests: dict[str, str] = {}

    space = _build(config.space, "search_spaces", SearchSpace, "space", folder, digests)
    evaluator = _build(config.evaluator, "evaluators", Evaluator, "evaluator", folder, digests)
    return Components(space, _with_latency(config, evaluator), digests)


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


def _with_latency(config: RunFile, evaluator: Evaluator) -> Evaluator:
    if config.latency is None:
        return evaluator
    from ..metrics.latency import LatencyOptions  # torch, which a table does not need
    from ..metrics.timed import Timed

    try:
        return Timed(evaluator, LatencyOptions(**config.latency.model_dump()))
    except ValueError as error:
        raise UsageError(f"latency: {error}") from error
