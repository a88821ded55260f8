from __future__ import annotations

import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.state_space import DampedAverages


def test_averages_are_those_of_a_plain_loop_over_steps() -> None:
    torch.manual_seed(0)
    network, x_BTW = DampedAverages(Port("tokens", 8, (7,)), 4).double(), torch.randn(3, 7, 8, dtype=torch.float64)
    p_WN = network.delta.sigmoid()
    state_BWN, expected = torch.zeros(3, 8, 4, dtype=torch.float64), []
    for x_BW in x_BTW.unbind(1):
        state_BWN = state_BWN * (1 - p_WN * network.alpha.sigmoid()) + x_BW[..., None] * p_WN * network.beta
        expected.append((state_BWN * network.gamma).sum(-1) / 2 + network.omega * x_BW)
    torch.testing.assert_close(network(x_BTW), torch.stack(expected, 1))
