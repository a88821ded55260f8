"""What metrics of module graphs have in common."""

from __future__ import annotations

from abc import abstractmethod

import networkx

from search_spaces import Metric, SearchSpace, Task

from .base import NetworkMetric
from .subject import Subject


class GraphMetric(NetworkMetric):
    """One number of the module graph, so of the genotype alone.

    Args:
        name: of the metric.
        metric: its definition.
    """

    needs = "genotype"

    def __init__(self, name: str, metric: Metric) -> None:
        self.name = name
        self.metrics = {name: metric}

    def bind(self, space: SearchSpace, task: Task | None) -> None:
        if type(space).module_graph is SearchSpace.module_graph:
            raise ValueError(f"needs a module graph, and {type(space).__name__} has no module_graph()")

    def measure(self, subject: Subject) -> dict[str, float]:
        return {self.name: self.of(subject.graph)}

    @abstractmethod
    def of(self, graph: networkx.DiGraph) -> float:
        """The number of a graph."""
