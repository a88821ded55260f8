from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from qd.training import Planner, TrainingOptions
from qd.training.vmapped import VmapStack

INPUTS, TARGETS = torch.randn(60, 4), torch.randint(3, (60,))
OPTIONS = TrainingOptions(50, 20)


class Slow(nn.Module):
    """A linear map that takes its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.linear, self.seconds = nn.Linear(4, 3), seconds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.seconds)
        return self.linear(x)


class SlowStack(VmapStack):
    """A stack that takes its time."""

    seconds = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.seconds)
        return super().forward(x)


@pytest.mark.parametrize(("alone", "together", "pays"), [(0.02, 0.0, True), (0.0, 0.2, False)])
def test_what_is_faster_is_chosen_and_nothing_is_changed(alone: float, together: float, pays: bool) -> None:
    networks = [Slow(alone) for _ in range(5)]
    stack = SlowStack(networks, INPUTS[:20])
    stack.seconds = together
    before = [stack.unstack(one) for one in range(5)]
    planner = Planner()

    def ask(steps: int) -> bool:
        return planner.pays("linear", stack, networks, INPUTS, TARGETS, [OPTIONS] * 5, "cross_entropy", steps)

    assert ask(10) is True  # too short to try anything, and nothing is known
    assert ask(150) is pays
    stack.seconds = 0.0 if together else 1.0
    assert ask(10) is pays  # remembered
    assert planner.is_slower("linear", [OPTIONS] * 5, 150) is not pays
    for one, network in enumerate(networks):
        for name, tensor in network.state_dict().items():
            assert tensor.equal(before[one][name])
            assert stack.unstack(one)[name].equal(tensor)
