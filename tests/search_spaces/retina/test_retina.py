"""The space of the retina problem."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evaluators.retina.kernel import scores
from qd.metrics.connection_cost import connection_cost
from qd.metrics.modularity import modularity
from qd.testing import SpaceConformance
from search_spaces import SearchSpace, Task
from search_spaces.retina import Retina
from search_spaces.task import Values, Vector

TASK = Task(Vector(8), Values(1))
PATTERNS = np.arange(256)
PIXELS = np.where(PATTERNS[:, None] >> np.arange(8) & 1, 1.0, -1.0)
ANSWERS = np.isin(PATTERNS & 15, (1, 4, 5, 7, 11, 13, 14, 15)) & np.isin(PATTERNS >> 4, (2, 7, 8, 10, 11, 13, 14, 15))


class TestRetinaKeepsTheContract(SpaceConformance):
    @pytest.fixture
    def space(self) -> SearchSpace:
        return Retina()

    @pytest.fixture
    def task(self) -> Task:
        return TASK


def test_what_it_builds_answers_as_the_evaluator_says() -> None:
    space = Retina()
    column = np.asarray(space.genes.sample_many(50, np.random.default_rng(0)))
    for genotype, expected in zip(space.genes.trees(column), scores(column), strict=True):
        with torch.no_grad():
            outputs = space.build(genotype, TASK)(torch.tensor(PIXELS, dtype=torch.float32))
        assert ((outputs[:, 0] > 0).numpy() == ANSWERS).mean() == expected


def test_its_module_graph_is_the_network() -> None:
    graph = Retina().module_graph([1] * 121)
    assert (len(graph), graph.number_of_edges()) == (23, 106)
    assert connection_cost(graph) == pytest.approx(359.814, abs=1e-3)
    assert modularity(graph) == pytest.approx(0.11392, abs=1e-5)


def test_the_readable_form_counts_connections() -> None:
    assert Retina().genes.readable([1] * 64 + [0] * 30 + [2] * 2 + [0] * 7 + [1] * 3 + [0] * 15) == (
        "69 connections (64 + 2 + 1 + 2)"
    )
