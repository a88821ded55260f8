"""The built-in metrics of networks keep the contract, and the suite notices metrics that do not."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable

import pytest
import torch

from qd import registry
from qd.metrics.active_parameters import ActiveParameters
from qd.metrics.base import NetworkMetric
from qd.metrics.connection_cost import ConnectionCost
from qd.metrics.expert_entropy import ExpertEntropy
from qd.metrics.gradient_norm import GradientNorm
from qd.metrics.jacobian_covariance import JacobianCovariance
from qd.metrics.joined import JoinedMetrics
from qd.metrics.latency import Latency
from qd.metrics.macs import MACs
from qd.metrics.modularity import Modularity
from qd.metrics.modularity_above_chance import ModularityAboveChance
from qd.metrics.parameters import Parameters
from qd.metrics.specialisation import Specialisation
from qd.metrics.synflow import Synflow
from qd.testing import MetricConformance
from search_spaces import Choice, Metric, SearchSpace, Struct, Task
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image

BUILT_IN: dict[type[NetworkMetric], Callable[[], NetworkMetric]] = {
    ActiveParameters: ActiveParameters,
    ConnectionCost: ConnectionCost,
    ExpertEntropy: ExpertEntropy,
    GradientNorm: GradientNorm,
    JacobianCovariance: JacobianCovariance,
    Latency: lambda: Latency(batch=2, warm_up=0, repeats=2),
    MACs: MACs,
    Modularity: lambda: Modularity(name="q"),
    ModularityAboveChance: lambda: ModularityAboveChance(samples=3),
    Parameters: Parameters,
    Specialisation: Specialisation,
    Synflow: lambda: Synflow(name="flow"),
}


class TestBuiltIn(MetricConformance):
    @pytest.fixture
    def space(self) -> SparseMoE:
        return SparseMoE()

    @pytest.fixture(params=list(BUILT_IN.values()), ids=[kind.__name__ for kind in BUILT_IN])
    def metric(self, request: pytest.FixtureRequest) -> NetworkMetric:
        return request.param()


def test_every_kind_is_tested_here():
    kinds = [registry.Registry().find("metrics", name, "metrics") for name in registry.own_names("metrics")]
    assert {kind for kind in kinds if kind} == set(BUILT_IN)


class Lines(SearchSpace):
    genes = Struct(width=Choice(1, 2, 3))

    def build(self, genotype, task: Task):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, task.outputs), torch.nn.Dropout())


class Norm(NetworkMetric):
    """The sum of absolute weights."""

    metrics = {"norm": Metric("", 0)}

    def measure(self, subject):
        return {"norm": float(sum(p.detach().abs().sum() for p in subject.network.parameters()))}


class TestNorm(MetricConformance):
    @pytest.fixture
    def space(self) -> Lines:
        return Lines()

    @pytest.fixture
    def metric(self) -> Norm:
        return Norm()


class Upper(Norm):
    metrics = {"Norm": Metric("", 0)}


class OutOfRange(Norm):
    metrics = {"norm": Metric("", 0, 1e-9)}


class OtherName(Norm):
    metrics = {"length": Metric("", 0)}


class SaysTooLittle(Norm):
    needs = "genotype"


class LooksAtExamples(Norm):
    def measure(self, subject):
        return {"norm": float(subject.outputs.abs().sum())}


class Counts(Norm):
    calls = itertools.count()

    def measure(self, subject):
        return {"norm": float(next(self.calls))}


class Draws(Norm):
    def measure(self, subject):
        return {"norm": float(torch.rand(1))}


class Trains(Norm):
    def measure(self, subject):
        subject.network.train()
        return super().measure(subject)


class ChangesGenotypes(Norm):
    def measure(self, subject):
        subject.genotype["width"] = 9
        return super().measure(subject)


@pytest.mark.parametrize(
    ("kind", "test", "error", "message"),
    [
        (Upper, "metrics_may_be_columns_of_the_log", AssertionError, "'Norm' does not match"),
        (OutOfRange, "reports_what_it_declares_in_range", AssertionError, "norm is"),
        (OtherName, "reports_what_it_declares_in_range", ValueError, "OtherName.measure must report length, got norm"),
        (SaysTooLittle, "reports_what_it_declares_in_range", AssertionError, "looks at the network"),
        (LooksAtExamples, "reports_what_it_declares_in_range", AssertionError, "looks at examples"),
        (Counts, "equal_networks_give_equal_numbers", AssertionError, r"norm is 0\.0 and then"),
        (Draws, "global_generators_stay_as_they_are", AssertionError, "draws from a global generator"),
        (Trains, "network_and_genotype_stay_as_they_are", AssertionError, "the network was changed"),
        (ChangesGenotypes, "network_and_genotype_stay_as_they_are", AssertionError, "the genotype was changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_metric_is_noticed(kind, test, error, message):
    suite, metric, space, task = MetricConformance(), kind(), Lines(), Task(Image(1, 8, 8), Classes(10))
    genotypes = [{"width": 1}, {"width": 2}]
    given = {
        "metric": metric,
        "space": space,
        "task": task,
        "genotypes": genotypes,
        "bound": JoinedMetrics([metric]),
        "subjects": [suite.subject(metric, space, task, genotype) for genotype in genotypes],
    }
    method = getattr(suite, f"test_{test}")
    with pytest.raises(error, match=message):
        method(**{name: given[name] for name in inspect.signature(method).parameters})
