from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from search_spaces.shelf.base import Port
from search_spaces.shelf.tiers import Tiers


def by_clock(network: Any, x_TW: Tensor) -> Tensor:
    """As samples are drawn: a tier runs when its clock divides the time, on the last steps of its frame."""
    normal = network.norm(x_TW)
    states = [tier.start[None] for tier in network.tiers]
    conditions: list[Tensor] = [torch.zeros(0)] * len(states)  # of all runs below until the next

    def last(step: int, count: int) -> Tensor:
        return torch.cat([normal.new_zeros(max(0, count - step - 1), normal.shape[1]), normal[: step + 1][-count:]])

    found = []
    for step in range(len(x_TW)):
        for number, tier in enumerate(network.tiers):
            if step % tier.steps == 0:
                given = tier.into(last(step, tier.steps).flatten())
                if number:
                    above = network.tiers[number - 1].steps
                    given = given + conditions[number - 1][step % above // tier.steps]
                output, state = tier.cell(given[None], states[number])
                states[number] = state
                conditions[number] = tier.up(output[0]).unflatten(-1, (-1, len(given)))
        near = network.last(last(step, network.before + 1).mT[None])[0, :, 0]
        found.append(x_TW[step] + network.out(near + conditions[-1][step % network.tiers[-1].steps]))
    return torch.stack(found)


def test_tiers_run_when_their_clocks_divide_the_time() -> None:
    torch.manual_seed(0)
    network = Tiers().build({"tiers": 3, "frame": 2, "hidden": 16}, Port("tokens", 8, (13,), True)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x = torch.randn(2, 13, 8, dtype=torch.float64)
    torch.testing.assert_close(network(x), torch.stack([by_clock(network, one) for one in x]))
