"""Chosen steps side by side, so that a module sees these alone.

What a causal module gives for chosen steps depends on no other: they come first, in their order. Shapes are those of
the whole sequence, whatever is chosen, so this exports, and `torch.func.vmap` takes it. Positions inside a packed
sequence are packed positions. Axes: B examples, T steps, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor


def pack(x_BTW: Tensor, chosen_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Move the chosen steps to the front, and the others behind them; either keep their order.

    Args:
        x_BTW: (B, T, W).
        chosen_BT: (B, T) bool.

    Returns:
        The packed sequence (B, T, W), and the place (B, T) int64 of each step in it, for `unpack`.
    """
    front_BT = chosen_BT.long().cumsum(-1)
    back_BT = (~chosen_BT).long().cumsum(-1)
    place_BT = torch.where(chosen_BT, front_BT, front_BT[..., -1:] + back_BT) - 1
    return torch.zeros_like(x_BTW).scatter(-2, place_BT[..., None].expand_as(x_BTW), x_BTW), place_BT


def unpack(packed_BTW: Tensor, place_BT: Tensor) -> Tensor:
    """Put each step back to where it was: (B, T, W) to itself, of any W.

    Args:
        packed_BTW: (B, T, W).
        place_BT: what `pack` gave.
    """
    return packed_BTW.gather(-2, place_BT[..., None].expand_as(packed_BTW))
