from __future__ import annotations

import pytest
import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.co4 import TriadicModulation


@torch.no_grad()
def test_modulation_and_attention_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    network, x = TriadicModulation(Port("tokens", 8, (6,)), 3, 1).double(), torch.randn(6, 8, dtype=torch.float64)
    q, k, v = network.queries_keys_values(network.latents)[0].chunk(3)
    queries, keys, values = network.queries_keys_values(network.norm(x)).chunk(3, -1)
    changed = values**2 + 2 * values + q * k * (1 + v.abs())
    rows = {"queries": q * keys + queries, "keys": k * queries + keys, "values": changed}
    best = {name: torch.zeros(3, 8, dtype=torch.float64) for name in rows}
    places = torch.zeros(3, 8, dtype=torch.long)
    for name, one in rows.items():
        for feature in range(8):
            order = sorted(range(6), key=lambda step: -float(one[step, feature]))[:3]
            best[name][:, feature] = one[order, feature]
            if name == "values":
                places[:, feature] = torch.tensor(order)
    all_keys, all_values = torch.cat([k[None], best["keys"]]), torch.cat([v[None], best["values"]])
    expected = changed.clone()
    for row in range(3):
        attended = (all_keys @ best["queries"][row] / 8**0.5).softmax(0) @ all_values
        for feature in range(8):
            expected[places[row, feature], feature] = attended[feature]
    torch.testing.assert_close(network(x[None])[0], x + expected)


def test_attention_costs_the_same_for_more_steps() -> None:
    for steps in (4, 40):
        network = TriadicModulation(Port("tokens", 8, (steps,)), 12, 2)
        assert network.rows == min(12, steps)
        assert float(network.observe(torch.zeros(1, steps, 8))["attention_share"]) == pytest.approx(min(1, 12 / steps))
