"""Stems of tokens of K networks at once.

Axes: K networks, B examples, T steps, V vocabulary, W width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from . import WINDOW, before, mean


class StackedTokens(nn.Module):
    """K stems of one width: `WindowOfTokens`, or `MeanOfTokens`.

    Args:
        size: K.
        vocabulary: how many tokens there are.
        width: W.
        positions: whether they are those of positions, and not of texts.
    """

    def __init__(self, size: int, vocabulary: int, width: int, positions: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, vocabulary, width))
        self.bias = nn.Parameter(torch.zeros(size, width))
        self.window = nn.Parameter(torch.zeros(size, width, 1, WINDOW)) if positions else None

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """(B, T) int64 → (K, B, W), or (K, B·T, W)."""
        size, _, width = self.weight.shape
        # one table for all, whose rows are long: a token is looked up once
        table = self.weight.transpose(0, 1).flatten(1)
        embedded = nn.functional.embedding(tokens_BT, table, padding_idx=0)
        if self.window is None:
            return mean(embedded, tokens_BT).unflatten(1, (size, width)).transpose(0, 1) + self.bias[:, None]
        mixed = nn.functional.conv1d(
            before(embedded), self.window.flatten(0, 1), self.bias.flatten(), groups=size * width
        )
        return mixed.unflatten(1, (size, width)).permute(1, 0, 3, 2).flatten(1, 2)

    def owned(self) -> list[nn.Parameter]:
        """Each parameter; row k belongs to network k."""
        return [self.weight, self.bias, *([] if self.window is None else [self.window])]

    def named(self, network: int, width: int | None = None) -> dict[str, Tensor]:
        """Views of a network's parameters, under their names in its stem's state; of the first `width` units."""
        views, bias = {"embedding.weight": self.weight[network, :, :width]}, self.bias[network, :width]
        if self.window is None:
            return {**views, "bias": bias}
        return {**views, "window.weight": self.window[network, :width], "window.bias": bias}
