"""The one step of training: what it does, and in which order."""

import copy

import pytest
import torch
from torch import nn

from qd.training import TrainingOptions, minibatches
from qd.training.step import step_of_network, step_of_stack
from qd.training.vmapped import VmapStack


class Counting(nn.Linear):
    """Has a loss of its own, and remembers the steps that it is told of."""

    def __init__(self) -> None:
        super().__init__(6, 3)
        self.seen: list[tuple[int, int]] = []

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self.auxiliary_loss = 0.1 * self.weight.square().sum()
        return super().forward(input)

    def after_step(self, step: int, steps: int) -> None:
        self.seen.append((step, steps))


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    inputs = torch.randn(40, 6, generator=generator)
    return inputs, inputs[:, :3].argmax(1)


def seeded() -> Counting:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Counting()


def test_equals_what_a_person_would_write_to_the_bit(data):
    inputs, targets = data
    options = TrainingOptions(2, 10, "adam", 0.01, 0.02, "cosine")
    network = seeded()
    expected = copy.deepcopy(network)
    take = step_of_network(network, inputs, targets, options, "cross_entropy", 8, 3)
    optimiser = torch.optim.Adam(expected.parameters(), 0.01, weight_decay=0.02, fused=True)
    for step, rows in enumerate(minibatches(40, 10, 8, seed=3)):
        take(step, rows)
        optimiser.param_groups[0]["lr"] = options.learning_rate_at(step, 8)
        loss = nn.functional.cross_entropy(expected(inputs[rows]), targets[rows])
        loss = loss + torch.stack([expected.auxiliary_loss]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for tensor, same in zip(network.parameters(), expected.parameters(), strict=True):
        assert torch.equal(tensor, same)
    assert network.seen == [(step, 8) for step in range(8)] and expected.seen == []


def test_an_optimiser_of_ones_own_follows_the_schedule(data):
    inputs, targets = data
    network = seeded()
    options = TrainingOptions(1, 10, learning_rate=0.5, schedule="cosine")
    optimiser = torch.optim.SGD(network.parameters(), 1.0)
    optimiser.param_groups[0]["options"] = options
    take = step_of_network(network, inputs, targets, options, "cross_entropy", 4, 0, optimiser)
    take(2, torch.arange(10))
    assert optimiser.param_groups[0]["lr"] == pytest.approx(0.25)


def test_a_stack_descends_the_sum_of_its_networks_losses(data):
    inputs, targets = data
    networks = [nn.Linear(6, 3) for _ in range(3)]
    alone = copy.deepcopy(networks)
    stack = VmapStack(networks, inputs[:4])
    options = [TrainingOptions(1, 10, "sgd", rate) for rate in (0.1, 0.1, 0.3)]
    take = step_of_stack(stack, inputs, targets, options, "cross_entropy", 4, 0)
    take(0, torch.arange(10))
    for index, network in enumerate(alone):
        step_of_network(network, inputs, targets, options[index], "cross_entropy", 4, 0)(0, torch.arange(10))
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(stack.unstack(index)[name], tensor)
