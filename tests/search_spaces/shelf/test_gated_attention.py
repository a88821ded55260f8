from __future__ import annotations

import pytest
import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.gated_attention import SingleHead


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("reach", ["both", "local", "global"])
def test_near_and_far_weights_are_those_of_a_plain_loop(causal: bool, reach: str) -> None:
    torch.manual_seed(0)
    steps, group = 11, 4
    network = SingleHead(Port("tokens", 8, (steps,), causal), 4, 8, group, reach).double()
    copies = torch.randn(4, 2, steps, 4, dtype=torch.float64)
    values = torch.randn(2, steps, 6, dtype=torch.float64)
    chosen = copies if reach == "both" else copies[:2] if reach == "local" else copies[2:]
    found = network._mixed([network._grouped(copy) for copy in chosen], values)
    expected = torch.zeros_like(values)
    for t in range(steps):
        for s in range(steps):
            if s // group == t // group and not (causal and s > t) and reach != "global":
                near = ((copies[0, :, t] * copies[1, :, s]).sum(-1) / group).relu().square()
                expected[:, t] += near[:, None] * values[:, s]
            if (s // group < t // group or not causal) and reach != "local":
                far = (copies[2, :, t] * copies[3, :, s]).sum(-1) / steps
                expected[:, t] += far[:, None] * values[:, s]
    torch.testing.assert_close(found, expected)
