from __future__ import annotations

import pytest
import torch
from torch import nn

from search_spaces.shelf.base import Port
from search_spaces.shelf.fsmn import Memory


@pytest.mark.parametrize("causal", [False, True])
def test_each_unit_remembers_by_itself_what_all_layers_before_gave(causal: bool) -> None:
    torch.manual_seed(0)
    memory = Memory(Port("tokens", 8, (9,), causal), 8, 2, 3).double()
    memory.project, memory.after = nn.Sequential(), nn.ModuleList(nn.Identity() for _ in range(3))
    x = torch.randn(9, 8, dtype=torch.float64)
    given = [x]
    for layer in range(3):
        weight_IGK = memory.get_parameter(f"convolutions.{layer}.convolution.weight")
        output = torch.zeros_like(x)
        for t in range(9):
            for tap in range(3):
                s = t + (tap - (2 if causal else 1)) * 2**layer
                if 0 <= s < 9:
                    for one in range(layer + 1):
                        output[t] += weight_IGK[:, one, tap] * given[one][s]
        given.append(output)
    torch.testing.assert_close(memory(x[None])[0], x + given[-1])
