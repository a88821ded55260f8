from __future__ import annotations

import pytest
import torch

from qd.metrics.macs import macs
from search_spaces.shelf.base import Port
from search_spaces.shelf.deep_lob import DeepLob, Greatest


@pytest.mark.parametrize("causal", [False, True])
def test_the_greatest_of_three_steps(causal: bool) -> None:
    x = torch.randn(2, 6, 3)
    found = Greatest(Port("tokens", 8, (6,), causal), 3)(x)
    for t in range(6):
        seen = x[:, max(0, t - 2) : t + 1] if causal else x[:, max(0, t - 1) : t + 2]
        assert found[:, t].equal(seen.amax(1))


def test_an_lstm_is_counted() -> None:
    network = DeepLob().build({"convolved": 16, "branch": 16, "hidden": 32}, Port("tokens", 8, (10,))).eval()
    convolved = 8 * 16 + 2 * 16 * 16 + 6 * 4 * 16 * 16
    inception = 3 * 16 * 16 + (3 + 5) * 16 * 16
    assert macs(network, torch.randn(1, 10, 8), {}) == 10 * (convolved + inception + 4 * 32 * (48 + 32) + 32 * 8)
