"""What all networks of the claim begin with: numbers, embedded categories, and products of pairs of these.

Axes: B examples, D columns of numbers, C columns of categories, F features, E embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.data.table.preprocessing import TablePreprocessing

EMBEDDING = 8


class Stem(nn.Module):
    """(B, F) features of a table to numbers (B, D) and embeddings of categories (B, C, E); unknown ones have their own.

    Args:
        columns: of the table; those of categories are one-hot.
        embedding: E.
    """

    numbers: Tensor
    places: Tensor

    def __init__(self, columns: TablePreprocessing, embedding: int = EMBEDDING) -> None:
        super().__init__()
        kinds = [one.plain()["kind"] for one in columns.columns for _ in range(one.size)]
        owners = [index for index, one in enumerate(columns.columns) for _ in range(one.size)]
        fields = sorted({owner for owner, kind in zip(owners, kinds, strict=True) if kind == "category"})
        places = torch.zeros(len(kinds), len(fields))
        for feature, (owner, kind) in enumerate(zip(owners, kinds, strict=True)):
            if kind == "category":
                places[feature, fields.index(owner)] = feature + 1
        self.register_buffer("numbers", torch.tensor([kind == "number" for kind in kinds]), persistent=False)
        self.register_buffer("places", places, persistent=False)
        self.size, self.fields = kinds.count("number"), len(fields)
        self.table = nn.Embedding(len(kinds) + 1, embedding)
        nn.init.normal_(self.table.weight, std=0.1)

    def forward(self, x_BF: Tensor) -> tuple[Tensor, Tensor]:
        return x_BF[:, self.numbers], self.table((x_BF @ self.places).long())


def products(x_BCE: Tensor) -> Tensor:
    """(B, E), twice the sum of the products of all pairs of rows."""
    return x_BCE.sum(1).square() - x_BCE.square().sum(1)
