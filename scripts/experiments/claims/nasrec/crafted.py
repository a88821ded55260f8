"""Networks by hand that NASRec's are compared with: two towers of perceptrons, and a factorisation machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from evaluators.data.table.preprocessing import TablePreprocessing

from .stem import EMBEDDING, Stem, products

Build = Callable[[], nn.Module]


class TwoTowers(nn.Module):
    """A perceptron for numbers and one for embedded categories, side by side below a linear map.

    Args:
        columns: of the table.
        hidden: units of each layer.
        layers: of each tower.
        norm: whether layers are normalised before ReLU.
    """

    def __init__(self, columns: TablePreprocessing, hidden: int, layers: int, norm: bool) -> None:
        super().__init__()
        self.stem = Stem(columns)
        self.numbers = _perceptron([self.stem.size, *[hidden] * layers], norm)
        self.categories = _perceptron([self.stem.fields * EMBEDDING, *[hidden] * layers], norm)
        self.head = nn.Linear(2 * hidden, 2)

    def forward(self, x_BF: Tensor) -> Tensor:
        numbers, embedded = self.stem(x_BF)
        return self.head(torch.cat([self.numbers(numbers), self.categories(embedded.flatten(1))], 1))


def _perceptron(sizes: list[int], norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), *([nn.LayerNorm(after)] if norm else []), nn.ReLU()]
    return nn.Sequential(*layers)


class Factorised(nn.Module):
    """A factorisation machine (Rendle, 2010) of all features.

    Args:
        columns: of the table.
        rank: of the products.
    """

    def __init__(self, columns: TablePreprocessing, rank: int) -> None:
        super().__init__()
        self.stem = Stem(columns, rank + 1)  # of each category the factors, and its own weight
        self.numbers = nn.Parameter(0.1 * torch.randn(self.stem.size, rank + 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x_BF: Tensor) -> Tensor:
        numbers, embedded = self.stem(x_BF)
        all_BTE = torch.cat([numbers[:, :, None] * self.numbers, embedded], 1)
        score_B = self.bias + all_BTE[..., -1].sum(1) + products(all_BTE[..., :-1]).sum(1) / 2
        return torch.stack([torch.zeros_like(score_B), score_B], 1)


class Beside(nn.Module):
    """The sum of the outputs of two networks that are trained together."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x_BF: Tensor) -> Tensor:
        return self.first(x_BF) + self.second(x_BF)


def two_towers(columns: TablePreprocessing, limit: int) -> list[Build]:
    """Of one to three layers, with and without a norm but for the shallowest, as wide as parameters allow."""
    shapes = [(1, False), (2, False), (2, True), (3, False), (3, True)]
    return [_largest(lambda size, one=one: TwoTowers(columns, size, *one), limit) for one in shapes]


def factorisation_machines(columns: TablePreprocessing, limit: int) -> list[Build]:
    """Of the largest rank that parameters allow, and of shares of it."""
    return [
        _largest(lambda size: Factorised(columns, size), int(share * limit)) for share in (1, 0.75, 0.5, 0.25, 0.125)
    ]


def _largest(build: Callable[[int], nn.Module], limit: int) -> Build:
    """The largest size with at most so many parameters, at least 1."""
    size = 1
    while count(build(size + 1)) <= limit:
        size += 1
    return lambda: build(size)


def count(network: nn.Module) -> int:
    """Of parameters."""
    return sum(one.numel() for one in network.parameters())
