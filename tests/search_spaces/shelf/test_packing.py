from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from search_spaces.shelf.attention import Attention
from search_spaces.shelf.base import Port
from search_spaces.shelf.packing import pack, unpack


def draw(share: float, steps: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x_BTW = torch.randn(4, steps, 8, dtype=torch.float64, generator=generator)
    return x_BTW, torch.rand(4, steps, generator=generator) < share


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_chosen_steps_come_first_in_their_order_and_go_back(share: float) -> None:
    x_BTW, chosen_BT = draw(share)
    packed_BTW, place_BT = pack(x_BTW, chosen_BT)
    for x_TW, chosen_T, packed_TW in zip(x_BTW, chosen_BT, packed_BTW, strict=True):
        assert packed_TW.equal(torch.cat([x_TW[chosen_T], x_TW[~chosen_T]]))
    assert unpack(packed_BTW, place_BT).equal(x_BTW)
    assert unpack(packed_BTW[..., :1], place_BT).equal(x_BTW[..., :1])


@pytest.mark.parametrize("rotary", [False, True])
def test_a_causal_module_sees_the_chosen_steps_alone(rotary: bool) -> None:
    x_BTW, chosen_BT = draw(0.5)
    network = Attention().build({"heads": 2, "rotary": rotary}, Port("tokens", 8, (9,), True)).double()
    packed_BTW, place_BT = pack(x_BTW, chosen_BT)
    mixed_BTW = unpack(network(packed_BTW), place_BT)
    for row, chosen_T in enumerate(chosen_BT):
        size = int(chosen_T.sum())
        alone = Attention().build({"heads": 2, "rotary": rotary}, Port("tokens", 8, (size,), True)).double()
        alone.load_state_dict(network.state_dict())
        torch.testing.assert_close(mixed_BTW[row, chosen_T], alone(x_BTW[row : row + 1, chosen_T])[0])


def test_gradients_find_their_way_and_vmap_takes_it() -> None:
    x_BTW, chosen_BT = draw(0.5)
    x_BTW.requires_grad_()
    packed_BTW, place_BT = pack(x_BTW, chosen_BT)
    unpack(packed_BTW.cumsum(-2), place_BT)[chosen_BT].sum().backward()
    assert x_BTW.grad is not None
    for chosen_T, gradient_TW in zip(chosen_BT, x_BTW.grad, strict=True):
        size = int(chosen_T.sum())
        assert gradient_TW[chosen_T, 0].tolist() == list(range(size, 0, -1))
        assert not gradient_TW[~chosen_T].any()
    mapped, _ = vmap(pack)(x_BTW.detach()[:, None], chosen_BT[:, None])
    assert mapped[:, 0].equal(packed_BTW)
