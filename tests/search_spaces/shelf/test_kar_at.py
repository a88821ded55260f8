from __future__ import annotations

import math

import pytest
import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.kar_at import FourierAttention


@torch.no_grad()
@pytest.mark.parametrize("shared", [True, False])
def test_rows_pass_fourier_functions_of_their_places(shared: bool) -> None:
    torch.manual_seed(0)
    network, x = FourierAttention(Port("tokens", 8, (3,)), 2, 4, 2, shared).double(), torch.randn(3, 8).double()
    queries, keys, values = network.queries_keys_values(network.norm(x)).chunk(3, -1)
    mixed = torch.zeros(3, 8, dtype=torch.float64)
    for head in range(2):
        units, owner = slice(4 * head, 4 * head + 4), 0 if shared else head
        rows = (queries[:, units] @ keys[:, units].T / 2).softmax(-1)
        for step in range(3):
            hidden = torch.zeros(4, dtype=torch.float64)
            for function in range(4):
                for harmonic in (1, 2):
                    for place in range(3):
                        angle, first = harmonic * float(rows[step, place]), 6 * (harmonic - 1) + place
                        hidden[function] += network.functions[owner, first, function] * math.cos(angle)
                        hidden[function] += network.functions[owner, first + 3, function] * math.sin(angle)
            mixed[step, units] = hidden @ network.expand[owner] @ values[:, units]
    torch.testing.assert_close(network(x[None])[0], x + network.out(mixed))
