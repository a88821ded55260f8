from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from qd.exporting.tracing import traced
from qd.metrics.macs import macs
from qd.metrics.routing import predict
from qd.metrics.uses import uses_of
from search_spaces.shelf.base import Port
from search_spaces.shelf.seq_boat import SeqBoat
from search_spaces.shelf.together import can_be_vmapped
from search_spaces.shelf.windows import WindowAttention

GENES = {"states": 2, "queries": 16, "values": 1, "window": 4, "temperature": 0.5}


def by_loops(attention: WindowAttention, q: Tensor, k: Tensor, v: Tensor, active: Tensor) -> Tensor:
    """What one example's active steps get: (T, H), 0 elsewhere."""
    found, bias, window = torch.zeros_like(v), attention.bias(), attention.window
    steps = active.nonzero()[:, 0].tolist()
    for place, step in enumerate(steps):
        first, last = (place // window - 1) * window, (place // window + 2) * window
        seen = steps[max(0, first) : place + 1 if attention.causal else last]
        scores = k[seen] @ q[step] / attention.divisor + bias[[one - step + attention.steps - 1 for one in seen]]
        found[step] = (scores.softmax(-1) if attention.softmax else scores.relu().square()) @ v[seen]
    return found


@pytest.mark.parametrize("weights", ["softmax", "squared relu"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [3, 16])
def test_active_steps_see_those_of_their_windows_alone(weights: str, causal: bool, window: int) -> None:
    torch.manual_seed(0)
    attention = WindowAttention(Port("tokens", 8, (13,), causal), 4, window, weights, "rotary").double()
    q, k, v = torch.randn(3, 5, 13, 4, dtype=torch.float64)
    active = torch.rand(5, 13) < torch.tensor([0, 0.3, 0.5, 0.8, 1])[:, None]
    found = attention(q, k, v, active) * active[..., None]
    expected = torch.stack([by_loops(attention, *one) for one in zip(q, k, v, active, strict=True)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("bias", ["learnt", "rotary"])
def test_packed_windows_are_vmapped_and_traced(bias: str) -> None:
    network = SeqBoat().build({**GENES, "weights": "softmax", "bias": bias}, Port("tokens", 8, (10,)))
    assert can_be_vmapped(network, torch.randn(2, 10, 8))
    x = torch.randn(5, 10, 8)
    torch.testing.assert_close(traced(network.eval(), x[:2]).module()(x), network(x))


def test_attention_is_counted_by_the_share_of_active_steps() -> None:
    network: Any = SeqBoat().build({**GENES, "weights": "softmax", "bias": "learnt"}, Port("tokens", 8, (10,)))
    network.eval()
    x, counts, shares = torch.randn(20, 10, 8), [], []
    for bias in ([1e3, 0], [0, 0], [0, 1e3]):
        network.into.bias.data[:2] = torch.tensor(bias)
        counts.append(macs(network, x[:1], uses_of(predict(network, x)[1])))
        shares.append(network.observed["active_share"])
    assert shares[0] == 0 and 0.1 < shares[1] < 0.9 and shares[2] == 1
    assert counts[1] == pytest.approx(counts[0] + shares[1] * (counts[2] - counts[0]))
