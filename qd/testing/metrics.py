"""What every metric of networks must do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from search_spaces import Genotype, SearchSpace, Task
from search_spaces.genes import copy_tree, to_json
from search_spaces.task import Classes, Image

from ..metrics.base import NetworkMetric
from ..metrics.joined import JoinedMetrics
from ..metrics.subject import Subject
from ..metrics.untrained import Untrained
from .spaces import check_metrics, in_range

if TYPE_CHECKING:
    from torch import Tensor, nn


class MetricConformance:
    """The contract of `NetworkMetric`, as tests. Give a `metric`, and a `space` whose candidates it can measure.

    class TestMyMetric(MetricConformance):
        @pytest.fixture
        def space(self):
            return MySpace()

        @pytest.fixture
        def metric(self):
            return MyMetric()
    """

    samples = 3
    """Candidates that are measured."""
    examples = 32
    """Inputs, drawn at random, that a metric gets which needs some."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """A space whose candidates it can measure."""
        raise NotImplementedError("give the suite a fixture `space` that returns a search space")

    @pytest.fixture
    def metric(self) -> NetworkMetric:
        """The metric under test, not yet bound."""
        raise NotImplementedError("give the suite a fixture `metric` that returns your metric")

    @pytest.fixture
    def task(self) -> Task:
        """What the networks take in and give out."""
        return Task(Image(1, 8, 8), Classes(10))

    @pytest.fixture
    def genotypes(self, space: SearchSpace) -> list[Genotype]:
        """Samples of the space."""
        rng = np.random.default_rng(0)
        return [space.genes.sample(rng) for _ in range(self.samples)]

    @pytest.fixture
    def bound(self, metric: NetworkMetric, space: SearchSpace, task: Task) -> JoinedMetrics:
        """The metric, bound to space and task as an evaluator does it."""
        joined = JoinedMetrics([metric])
        joined.bind(space, None if metric.needs == "genotype" else task)
        return joined

    @pytest.fixture
    def subjects(
        self, metric: NetworkMetric, space: SearchSpace, task: Task, genotypes: list[Genotype]
    ) -> Sequence[Subject]:
        """The candidates, with no more to look at than the metric says that it needs."""
        return [self.subject(metric, space, task, genotype) for genotype in genotypes]

    def subject(self, metric: NetworkMetric, space: SearchSpace, task: Task, genotype: Genotype) -> Subject:
        """A candidate with a freshly initialised network, which is the same at every call."""

        def network() -> nn.Module:
            from ..training import build_seeded  # torch, which a metric of genotypes does not need

            assert metric.needs != "genotype", "it looks at the network, and `needs` says 'genotype'"
            return build_seeded(lambda: space.build(genotype, task), 0)

        def examples() -> tuple[Tensor, Tensor]:
            assert metric.needs == "examples", f"it looks at examples, and `needs` says {metric.needs!r}"
            return draw_examples(task, self.examples)

        return Subject(genotype, space, None if metric.needs == "genotype" else task, network, examples)

    def test_metrics_may_be_columns_of_the_log(self, metric: NetworkMetric) -> None:
        assert metric.metrics, "a metric declares what it reports"
        check_metrics(metric.metrics)
        assert metric.needs in ("genotype", "network", "examples")

    def test_reports_what_it_declares_in_range(self, bound: JoinedMetrics, subjects: Sequence[Subject]) -> None:
        for subject in subjects:
            for name, value in bound.measure(subject).items():
                assert in_range(value, bound.metrics[name]), f"{name} is {value}: {bound.metrics[name]}"

    def test_equal_networks_give_equal_numbers(
        self,
        bound: JoinedMetrics,
        metric: NetworkMetric,
        space: SearchSpace,
        task: Task,
        genotypes: list[Genotype],
    ) -> None:
        first = [bound.measure(self.subject(metric, space, task, genotype)) for genotype in genotypes]
        _draw_globally()
        again = [bound.measure(self.subject(metric, space, task, genotype)) for genotype in reversed(genotypes)]
        for one, other in zip(first, reversed(again), strict=True):
            for name in one:
                assert bound.metrics[name].time or one[name] == other[name], (
                    f"{name} is {one[name]} and then {other[name]}; what a clock says is declared with time=True"
                )

    def test_what_is_known_before_training_is_what_is_measured(
        self, bound: JoinedMetrics, subjects: Sequence[Subject], metric: NetworkMetric, task: Task
    ) -> None:
        for subject in subjects:
            given = None if metric.needs != "examples" else lambda: draw_examples(task, self.examples)
            untrained = Untrained(subject.genotype, subject.space, subject.task, given)
            known = bound.known(untrained, [*bound.metrics])
            if metric.needs == "genotype":
                assert known.keys() == bound.metrics.keys(), "what looks at the genotype alone is known before training"
            for name, value in bound.measure(subject).items() if known else ():
                if name in known and not bound.metrics[name].time:
                    assert known[name] == pytest.approx(value, rel=1e-6), name

    def test_network_and_genotype_stay_as_they_are(
        self, bound: JoinedMetrics, subjects: Sequence[Subject], metric: NetworkMetric
    ) -> None:
        for subject in subjects:
            genotype = copy_tree(subject.genotype)
            before = None if metric.needs == "genotype" else _state(subject.network)
            bound.measure(subject)
            assert to_json(subject.genotype) == to_json(genotype), "the genotype was changed"
            assert before is None or _state(subject.network) == before, "the network was changed"

    def test_global_generators_stay_as_they_are(self, bound: JoinedMetrics, subjects: Sequence[Subject]) -> None:
        for subject in subjects:
            before = _global_states()
            bound.measure(subject)
            assert _global_states() == before, "it draws from a global generator, and so from the search's own numbers"


def draw_examples(task: Task, size: int) -> tuple[Tensor, Tensor]:
    """Inputs and targets of a task, the same at every call."""
    from ..training.inputs import draw_inputs, draw_targets

    return draw_inputs(task, size), draw_targets(task, size)


def _state(network: nn.Module) -> Any:
    state = {name: (str(tensor.device), tensor.tolist()) for name, tensor in network.state_dict().items()}
    return network.training, [len(module._forward_hooks) for module in network.modules()], state


def _global_states() -> Any:
    import torch

    return random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()


def _draw_globally() -> None:
    import torch

    random.random()
    np.random.random()
    torch.rand(1)
