"""NASRec's networks: blocks of a dense and a sparse stream, each with one operator of a choice, any connection.

Axes: B examples, F features, W units, T tokens, E embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from evaluators.data.table.preprocessing import TablePreprocessing
from search_spaces import Genotype
from search_spaces.shelf import FeedForward
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.base import Port
from search_spaces.shelf.feed_forward import Normalised

from .stem import EMBEDDING, Stem, products

WIDTHS, TOKENS = (16, 32, 64), (2, 4, 8)
"""Units of dense outputs, and tokens of sparse ones."""
HEADS = 2
APPENDED = 4
"""Tokens that the switch from the dense to the sparse stream appends."""
PAIRED = round(math.sqrt(2 * max(WIDTHS)))
"""Tokens that are left before the dot product, so that its pairs cost what the other operators do."""
DENSE, SPARSE = ("linear", "dot product", "gate", "sum"), ("linear", "transformer")
Sizes = Mapping[str, int]
"""{source: units or tokens}: "0" is the input, "1" the first block; tokens that a switch appended are "1+"."""
Streams = Mapping[str, Tensor]
"""{source: (B, W) or (B, T, E)}."""


class Joined(nn.Module):
    """A linear map of what stands side by side on the last axis, with weights of each source's own.

    In the paper's supernet all sources stand there, those that are not chosen as zeros: that is the same sum.
    """

    def __init__(self, sizes: Sizes, out: int, bias: bool = False) -> None:
        super().__init__()
        whole = nn.Linear(sum(sizes.values()), out, bias)
        parts = whole.weight.detach().split(list(sizes.values()), 1)
        self.maps = nn.ParameterDict(
            {name: nn.Parameter(part.clone()) for name, part in zip(sizes, parts, strict=True)}
        )
        self.bias = whole.bias

    def forward(self, streams: Streams) -> Tensor:
        """{source: (..., size)} to (..., out)."""
        x = torch.cat([streams[name] for name in self.maps], -1)
        return nn.functional.linear(x, torch.cat(list(self.maps.values()), 1), self.bias)


class Linear(nn.Module):
    """A linear map, a norm over the true width, and ReLU."""

    def __init__(self, sizes: Sizes, out: int) -> None:
        super().__init__()
        self.map, self.norm = Joined(sizes, out), nn.LayerNorm(out)

    def forward(self, streams: Streams) -> Tensor:
        return torch.relu(self.norm(self.map(streams)))


class OverTokens(nn.Module):
    """The same along the tokens of all sources: {source: (B, T, E)} to (B, out, E)."""

    def __init__(self, sizes: Sizes, out: int, activation: nn.Module) -> None:
        super().__init__()
        self.map, self.norm, self.activation = Joined(sizes, out), nn.LayerNorm(out), activation

    def forward(self, streams: Streams) -> Tensor:
        turned = {name: streams[name].mT for name in self.map.maps}
        return self.activation(self.norm(self.map(turned))).mT


class DotProduct(nn.Module):
    """All pairs of a few tokens and of what the dense sources become, then a linear map and a norm."""

    def __init__(self, dense: Sizes, sparse: Sizes, out: int) -> None:
        super().__init__()
        self.dense, self.dense_norm = Joined(dense, EMBEDDING), nn.LayerNorm(EMBEDDING)
        self.sparse = OverTokens(sparse, PAIRED, nn.Identity())
        self.out, self.norm = nn.Linear(PAIRED * (PAIRED + 1) // 2, out, bias=False), nn.LayerNorm(out)

    def forward(self, dense: Streams, sparse: Streams) -> Tensor:
        tokens_BTE = torch.cat([self.dense_norm(self.dense(dense))[:, None], self.sparse(sparse)], 1)
        first, second = torch.tril_indices(PAIRED + 1, PAIRED + 1, -1)
        return self.norm(self.out((tokens_BTE @ tokens_BTE.mT)[:, first, second]))


class Sum(nn.Module):
    """The sum of the linear maps of two sources, and a norm; one that is both counts twice."""

    def __init__(self, left: Sizes, right: Sizes, out: int) -> None:
        super().__init__()
        self.left, self.right = list(left), list(right)
        self.map, self.norm = Joined({**left, **right}, out), nn.LayerNorm(out)

    def forward(self, streams: Streams) -> Tensor:
        counted = {
            name: (float(name in self.left) + float(name in self.right)) * streams[name] for name in self.map.maps
        }
        return self.norm(self.map(counted))


class Gate(nn.Module):
    """The right source times the sigmoid of a linear map of the left one, then a linear map and a norm."""

    def __init__(self, left: Sizes, right: Sizes, out: int) -> None:
        super().__init__()
        self.gates = nn.ModuleDict({name: Joined(left, size, bias=True) for name, size in right.items()})
        self.map, self.norm = Joined(right, out), nn.LayerNorm(out)

    def forward(self, streams: Streams) -> Tensor:
        gated = {name: gate(streams).sigmoid() * streams[name] for name, gate in self.gates.items()}
        return self.norm(self.map(gated))


class FactorisationMachine(nn.Module):
    """The switch from sparse to dense: (B, T, E) to (B, out), the tokens' products by the square of their sum."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.map, self.norm = nn.Linear(EMBEDDING, out, bias=False), nn.LayerNorm(out)

    def forward(self, x_BTE: Tensor) -> Tensor:
        return self.norm(self.map(products(x_BTE)))


class Block(nn.Module):
    """Reads any outputs before it, and writes one of each stream. Of several operators of a stream the outputs add up.

    Args:
        genes: "dense" and "sparse", operators; "width" and "tokens"; "from dense", "from sparse", "left" and "right",
            sources; "to sparse" and "to dense", whether there is a switch.
        dense: sizes of the outputs before it.
        sparse: the same; appended tokens belong to the source that they come from.
    """

    def __init__(self, genes: Genotype, dense: Sizes, sparse: Sizes) -> None:
        super().__init__()
        width, tokens = genes["width"], genes["tokens"]
        chosen, left, right = (_of(dense, genes[key]) for key in ("from dense", "left", "right"))
        chosen_tokens = _of(sparse, genes["from sparse"])
        makers = {
            "linear": lambda: Linear(chosen, width),
            "dot product": lambda: DotProduct(chosen, chosen_tokens, width),
            "gate": lambda: Gate(left, right, width),
            "sum": lambda: Sum(left, right, width),
        }
        self.dense = nn.ModuleDict({name: makers[name]() for name in genes["dense"]})
        self.sparse = nn.ModuleDict()
        if "linear" in genes["sparse"]:
            self.sparse["linear"] = OverTokens(chosen_tokens, tokens, nn.ReLU())
        if "transformer" in genes["sparse"]:
            attention = Attention().build({"heads": HEADS, "rotary": False}, Port("tokens", EMBEDDING, (tokens,)))
            layer = Normalised(EMBEDDING, FeedForward(EMBEDDING, EMBEDDING, "relu"))
            chosen_map = OverTokens(chosen_tokens, tokens, nn.Identity())
            self.sparse["transformer"] = nn.Sequential(chosen_map, attention, layer)
        self.to_dense = FactorisationMachine(width) if genes["to dense"] else None
        self.to_sparse = None
        if genes["to sparse"]:
            whole = APPENDED * EMBEDDING
            self.to_sparse = nn.Sequential(nn.Linear(width, whole, bias=False), nn.LayerNorm(whole))

    def forward(self, dense: Streams, sparse: Streams) -> tuple[Tensor, Tensor, Tensor | None]:
        """(B, W), (B, T, E), and (B, APPENDED, E) where there is such a switch."""
        found = [one(dense, sparse) if isinstance(one, DotProduct) else one(dense) for one in self.dense.values()]
        y_BW = torch.stack(found).sum(0)
        y_BTE = torch.stack([one(sparse) for one in self.sparse.values()]).sum(0)
        appended = None if self.to_sparse is None else self.to_sparse(y_BW).unflatten(1, (APPENDED, EMBEDDING))
        return (y_BW if self.to_dense is None else y_BW + self.to_dense(y_BTE)), y_BTE, appended


def _of(sizes: Sizes, sources: Sequence[int]) -> dict[str, int]:
    return {name: size for name, size in sizes.items() if int(name.removesuffix("+")) in sources}


class Network(nn.Module):
    """A stem, blocks, and a linear map of the last block's outputs.

    Args:
        genotype: [genes of each block].
        columns: of the table.
        outputs: classes.
    """

    def __init__(self, genotype: Sequence[Genotype], columns: TablePreprocessing, outputs: int) -> None:
        super().__init__()
        self.stem, self.blocks = Stem(columns), nn.ModuleList()
        dense, sparse = {"0": self.stem.size}, {"0": self.stem.fields}
        last: dict[str, int] = {}
        for number, genes in enumerate(genotype, start=1):
            self.blocks.append(Block(genes, dense, sparse))
            dense[f"{number}"], sparse[f"{number}"] = genes["width"], genes["tokens"]
            last = {"dense": genes["width"], "sparse": genes["tokens"] * EMBEDDING}
            if genes["to sparse"]:
                sparse[f"{number}+"], last["appended"] = APPENDED, APPENDED * EMBEDDING
        self.head = Head(last, outputs)

    def features(self, x_BF: Tensor) -> Tensor:
        """What the head is given, (B, features)."""
        numbers, embedded = self.stem(x_BF)
        dense, sparse = {"0": numbers}, {"0": embedded}
        last: list[Tensor] = []
        for number, block in enumerate(self.blocks, start=1):
            y_BW, y_BTE, appended = block(dense, sparse)
            dense[f"{number}"], sparse[f"{number}"], last = y_BW, y_BTE, [y_BW, y_BTE.flatten(1)]
            if appended is not None:
                sparse[f"{number}+"] = appended
                last.append(appended.flatten(1))
        return torch.cat(last, 1)

    def forward(self, x_BF: Tensor) -> Tensor:
        return self.head(self.features(x_BF))


class Head(nn.Module):
    """The last layer: (B, features) to (B, outputs)."""

    def __init__(self, sizes: Sizes, outputs: int) -> None:
        super().__init__()
        self.map, self.sizes = Joined(sizes, outputs, bias=True), list(sizes.values())

    def forward(self, x: Tensor) -> Tensor:
        return self.map(dict(zip(self.map.maps, x.split(self.sizes, 1), strict=True)))
