"""What a stack says of its networks is what each of them does alone, and where it cannot say, nobody guesses."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qd.metrics.active_parameters import ActiveParameters
from qd.metrics.expert_entropy import ExpertEntropy
from qd.metrics.joined import JoinedMetrics
from qd.metrics.macs import MACs
from qd.metrics.predicting import Prediction, predict_alone, predict_together
from qd.metrics.specialisation import Specialisation
from qd.metrics.subject import Subject
from qd.training import build_seeded
from qd.training.inputs import draw_inputs, draw_targets
from qd.training.vmapped import VmapStack
from search_spaces import SearchSpace, Task
from search_spaces.shelf import MixtureOfExperts
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Vector

TASK = Task(Vector(4), Classes(3))
INPUTS, TARGETS = draw_inputs(TASK, 700, dtype=torch.float64), draw_targets(TASK, 700)
METRICS = JoinedMetrics.of(ActiveParameters, ExpertEntropy, MACs, Specialisation)


def routed() -> nn.Module:
    layers = [MixtureOfExperts(6, sizes, top_k, "relu", 0.1) for sizes, top_k in (([2, 3, 4], 1), ([5, 2], 2))]
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), *layers, nn.Linear(6, 3))


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


class Observing(nn.Linear):
    def observe(self, x: Tensor) -> dict[str, Tensor]:
        return {"mean": x.mean()}


def networks(build: Any, size: int = 3) -> list[nn.Module]:
    return [build_seeded(build, seed).double().eval() for seed in range(size)]


def together(stack: Any, members: Sequence[nn.Module]) -> Any:
    return predict_together(stack, members, INPUTS, TARGETS, TASK, lambda outputs, rows: outputs)


def watched(network: nn.Module) -> list[int]:
    """How many examples it is given from now on, call by call."""
    calls: list[int] = []

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        calls.append(len(given[0]))

    network.register_forward_pre_hook(note)
    return calls


class OneAfterTheOther(nn.Module):
    """A stranger's stack, which does not say how examples are routed."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.batches: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        return torch.stack([one(x) for one in self.members])


def test_a_vmapped_stack_says_how_its_networks_are_routed() -> None:
    members = networks(routed)
    kept, uses = together(VmapStack(members, INPUTS[:5]).eval(), members)
    outputs = torch.cat(kept, 1)
    for network, output, used in zip(members, outputs, uses, strict=True):
        alone = predict_alone(network, INPUTS, TARGETS, TASK)
        torch.testing.assert_close(output, alone.outputs, rtol=1e-10, atol=1e-12)
        assert list(used) == list(alone.uses) == ["2", "3"]
        for name, use in alone.uses.items():
            np.testing.assert_array_equal(used[name].chosen, use.chosen)
            assert use.by_class is not None and use.by_class.shape[1] == 3
            np.testing.assert_allclose(used[name].by_class, use.by_class, atol=1e-12)
        assert not any(module._forward_hooks for module in network.modules())


def test_metrics_read_the_stack_and_run_no_network() -> None:
    space: SearchSpace = SparseMoE()
    genotypes: list[Any] = [
        {"width": 8, "activation": "relu", "layers": [{"kind": "moe", "experts": sizes, "top_k": 1, "residual": True}]}
        for sizes in ([8, 9], [8, 12, 30])
    ]
    members = [build_seeded(lambda one=one: space.build(one, TASK), 0).double().eval() for one in genotypes]
    stack: Any = space.build_stack(genotypes, TASK)
    stack.double().eval()
    for index, network in enumerate(members):
        stack.load(index, network.state_dict())
    kept, uses = together(stack, members)
    for genotype, network, output, used in zip(genotypes, members, torch.cat(kept, 1), uses, strict=True):
        calls = watched(network)
        found = []
        for prediction in (None, Prediction(output, used)):
            calls.clear()
            subject = Subject(genotype, space, TASK, lambda n=network: n, lambda: (INPUTS, TARGETS), prediction)
            found.append((METRICS.measure(subject), subject))
        assert not calls  # multiply-accumulates are stated
        assert found[1][0] == pytest.approx(found[0][0], rel=1e-12)
        np.testing.assert_array_equal(found[1][1].routing["layers.0.layer"], found[0][1].routing["layers.0.layer"])
        assert sum(calls) == 700  # whoever wants every example's gates has them, of the network alone


def test_a_stack_that_says_nothing_of_routes_is_asked_for_plain_networks_alone() -> None:
    members = [*networks(plain, 2), *networks(routed, 2)]
    stack = OneAfterTheOther(members).eval()
    kept, uses = together(stack, members)
    assert torch.cat(kept, 1).shape == (4, 700, 3)
    assert uses == [{}, {}, None, None]
    stack.batches.clear()
    assert together(stack, members[1:]) is None  # most of them would be run again
    assert together(stack, networks(lambda: nn.Sequential(Observing(4, 3)))) is None
    assert not stack.batches


def test_a_stack_that_is_out_of_memory_takes_smaller_batches() -> None:
    class Large(OneAfterTheOther):
        most = 100

        def forward(self, x: Tensor) -> Tensor:
            if len(x) > self.most:
                raise torch.OutOfMemoryError
            return super().forward(x)

    members = networks(plain)
    stack = Large(members).eval()
    kept, _ = together(stack, members)
    assert max(stack.batches) <= 100 and sum(stack.batches) == 700
    torch.testing.assert_close(torch.cat(kept, 1)[1], members[1](INPUTS))
    stack.most = 0
    assert together(stack, members) is None
