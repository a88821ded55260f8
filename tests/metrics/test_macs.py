import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qd.metrics.active_parameters import active_parameters
from qd.metrics.macs import CHECKED, MACs, macs
from qd.metrics.parameters import parameters
from qd.metrics.routing import predict
from qd.metrics.subject import Subject
from qd.metrics.uses import uses_of
from qd.training import build_seeded
from qd.training.inputs import draw_inputs, draw_targets
from search_spaces import Costs, Integer, SearchSpace, Struct, Task
from search_spaces.shelf import MixtureOfExperts
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

STEM, HEAD, ROUTER = 6 * 4, 4 * 2, 4 * 3
EXPERTS = np.array([2 * 4 * hidden for hidden in (3, 7, 5)])
"""Weights, which are also the multiply-accumulates; biases are not multiplied."""
BIASES_OUTSIDE = 4 + 2
EXPERT_PARAMETERS = EXPERTS + np.array([3 + 4, 7 + 4, 5 + 4])


class OnlyChosen(MixtureOfExperts):
    """Executes nothing but what was chosen, example by example."""

    def forward(self, x_BW: Tensor) -> Tensor:
        rows = []
        for row, gates in zip(x_BW.split(1), self.route(x_BW), strict=True):
            rows.append(sum(gates[e] * self.experts[e](row) for e in gates.nonzero().flatten().tolist()))
        return torch.cat(rows)


def network(layer: type[MixtureOfExperts], top_k: int) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 4), layer(4, [3, 7, 5], top_k, "tanh", 0.1), nn.Linear(4, 2)).eval()


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("layer", [MixtureOfExperts, OnlyChosen])
def test_experts_count_by_their_use_whatever_is_executed(layer, top_k):
    model = network(layer, top_k)
    inputs = torch.randn(40, 6)
    _, routing = predict(model, inputs)
    use = (routing["1"] > 0).mean(0)
    assert use.sum() == pytest.approx(top_k) and use.max() < 1
    assert macs(model, inputs[:1], uses_of(routing)) == pytest.approx(STEM + ROUTER + HEAD + use @ EXPERTS)
    outside = STEM + ROUTER + HEAD + BIASES_OUTSIDE
    assert active_parameters(model, uses_of(routing), lambda: routing) == pytest.approx(
        outside + use @ EXPERT_PARAMETERS
    )
    assert parameters(model) == outside + EXPERT_PARAMETERS.sum()


def test_without_routed_modules_all_counts():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 4 * 4, 5)).eval()
    assert macs(model, torch.zeros(1, 1, 6, 6), {}) == 2 * 9 * 16 + 32 * 5
    assert active_parameters(model, {}, dict) == parameters(model) == 2 * 9 + 2 + 32 * 5 + 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attention_counts_on_every_way_that_torch_takes(dtype):
    class Attending(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)

    assert macs(Attending(), torch.randn(1, 2, 5, 4, dtype=dtype), {}) == 2 * 2 * 5 * 5 * 4


def test_a_strangers_routed_module_counts_too():
    class EitherHalf(nn.Module):
        """Positive sums go to the first expert, the others to the second."""

        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(4, 4, bias=False), nn.Linear(4, 4)])

        def route(self, x: Tensor) -> Tensor:
            positive = x.sum(-1) > 0
            return torch.stack([positive, ~positive], -1).float()

        def forward(self, x: Tensor) -> Tensor:
            gates = self.route(x)
            return gates[:, :1] * self.experts[0](x) + gates[:, 1:] * self.experts[1](x)

    model = EitherHalf().eval()
    inputs = torch.tensor([[1.0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0]])
    _, routing = predict(model, inputs)
    assert macs(model, inputs[:1], uses_of(routing)) == 16
    assert active_parameters(model, uses_of(routing), lambda: routing) == 0.75 * 16 + 0.25 * 20


def test_parameters_that_routed_modules_share_count_by_the_union_of_their_rows():
    class Weighted(nn.Module):
        """An expert that calls a module of a pool."""

        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.pool = (module,)

        def forward(self, x: Tensor) -> Tensor:
            return self.pool[0](x)

        def parameters(self, recurse: bool = True):
            return self.pool[0].parameters(recurse)

    class BySign(nn.Module):
        """Positive units go to the first expert, the others to the second."""

        def __init__(self, pool: nn.ModuleList, unit: int) -> None:
            super().__init__()
            self.experts = nn.ModuleList(Weighted(module) for module in pool)
            self.unit = unit

        def route(self, x: Tensor) -> Tensor:
            positive = (x[:, self.unit] > 0).float()
            return torch.stack([positive, 1 - positive], 1)

        def forward(self, x: Tensor) -> Tensor:
            gates = self.route(x)
            for gate, expert in zip(gates.split(1, 1), self.experts, strict=True):
                x = x + gate * 0 * expert(x)
            return x

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.ModuleList([nn.Linear(2, 2, bias=False), nn.Linear(2, 2)])
            self.steps = nn.Sequential(BySign(self.pool, 0), BySign(self.pool, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.steps(x)

    model = Network().eval()
    inputs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, -1.0]])
    _, routing = predict(model, inputs)
    assert parameters(model) == 4 + 6
    assert active_parameters(model, uses_of(routing), lambda: routing) == 4 * 0.5 + 6 * 0.75
    assert macs(model, inputs[:1], uses_of(routing)) == 4 * (0.5 + 0.5) + 4 * (0.25 + 0.75)


TASK = Task(Vector(6), Classes(3))


def subject(space: SearchSpace, genotype, seed: int = 0) -> Subject:
    examples = draw_inputs(TASK, 60), draw_targets(TASK, 60)
    return Subject(
        genotype, space, TASK, lambda: build_seeded(lambda: space.build(genotype, TASK), seed), lambda: examples
    )


def test_costs_that_a_space_states_are_those_that_are_counted():
    space, rng = SparseMoE(), np.random.default_rng(0)
    for genotype in (space.genes.sample(rng) for _ in range(6)):
        of = subject(space, genotype)
        assert MACs().measure(of)["macs"] == pytest.approx(macs(of.network, of.inputs[:1], of.uses), rel=1e-12)


@pytest.mark.parametrize(("place", "least", "most"), [("search_spaces.wrong", 1, 23), ("theirs", 127, 127)])
def test_a_wrong_statement_costs_evaluations(place, least, most):
    class Wrong(SearchSpace):
        genes = Struct(hidden=Integer(1, 1000))

        def build(self, genotype, task):
            return nn.Sequential(nn.Linear(6, 4), nn.Linear(4, task.outputs))

        def costs(self, genotype, task):
            return Costs(35.0, {})

    Wrong.__module__ = place
    refused = 0
    for hidden in range(1, 8 * CHECKED):
        try:
            assert MACs().measure(subject(Wrong(), {"hidden": hidden})) == {"macs": 35.0}
        except ValueError as error:
            assert "Wrong states 35 multiply-accumulates" in str(error) and "it takes 36" in str(error)
            refused += 1
            with pytest.raises(ValueError, match="it takes 36"):  # whoever evaluates it, and when
                MACs().measure(subject(Wrong(), {"hidden": hidden}, seed=1))
    assert least <= refused <= most  # of a stranger's space all


def test_a_space_that_fails_to_state_its_costs_is_counted():
    class Failing(SearchSpace):
        genes = Struct(hidden=Integer(1, 9))

        def build(self, genotype, task):
            return nn.Linear(6, task.outputs)

        def costs(self, genotype, task):
            raise KeyError("macs")

    assert MACs().measure(subject(Failing(), {"hidden": 1})) == {"macs": 18}
