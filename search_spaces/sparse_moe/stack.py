"""K networks of `sparse_moe`, trained as one.

Axes: K networks, B examples (of next tokens all positions of all examples), W width,
O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..base import Owned, StackPrediction, Task
from ..genes import Genotype
from ..shelf.constants import Constant
from ..shelf.feed_forward.stack import activate_rows
from ..shelf.mixture.stack import LayerSpec, StackedMixture
from ..shelf.stack import StackOfViews
from ..shelf.tokens.stack import StackedTokens
from ..task import NextToken, Tokens


class SparseMoEStack(StackOfViews):
    """Inside, networks are sorted by depth, the deepest first: a layer's networks are the first this many.

    Networks are as wide as the widest: what a narrower one lacks is zero. Activations map 0 to 0, so those units stay
    silent, and the weights to and from them have gradients of 0: they are zero after every step.

    Args:
        genotypes: K.
        task: what the networks are for.
        balance: weight of the load-balancing loss.
    """

    def __init__(self, genotypes: Sequence[Genotype], task: Task, balance: float) -> None:
        super().__init__()
        # by depth, then by activation, which makes the runs of equal activations longer
        self.order = sorted(
            range(len(genotypes)), key=lambda one: (-len(genotypes[one]["layers"]), genotypes[one]["activation"], one)
        )
        self.row_of = {network: row for row, network in enumerate(self.order)}
        ordered = [genotypes[network] for network in self.order]
        self.widths = [genotype["width"] for genotype in ordered]
        size, width = len(genotypes), max(self.widths)
        self.steps = task.input_shape[0] if isinstance(task.output, NextToken) else None
        if isinstance(task.input, Tokens):
            self.stem = StackedTokens(size, task.input.vocabulary, width, self.steps is not None)
        else:
            self.stem = StackedLinear(size, width, math.prod(task.input_shape))
        self.head_weight = nn.Parameter(torch.zeros(size, task.outputs, width))
        self.head_bias = nn.Parameter(torch.zeros(size, 1, task.outputs))
        self.activations = [genotype["activation"] for genotype in ordered]
        self.layers: list[StackedMixture] = []
        for layer in range(len(ordered[0]["layers"])):
            specs = [layer_spec(genotype, layer, balance) for genotype in ordered if layer < len(genotype["layers"])]
            self.layers.append(StackedMixture(width, specs))
        self.parts = nn.ModuleList(self.layers)  # registers them; `layers` keeps their type
        self.back = Constant(np.argsort(self.order))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) → (K, B, *output_shape)."""
        losses: list[Tensor] = []

        def run(layer: StackedMixture, x_RBW: Tensor) -> Tensor:
            x_RBW, loss = layer(x_RBW)
            losses.append(nn.functional.pad(loss, (0, len(self.order) - len(loss))))
            return x_RBW

        outputs = self._through(x, run)
        total = torch.stack(losses).sum(0)
        self.auxiliary_loss = total.index_select(0, self.back.on(x.device)) if self.training else None
        return outputs

    def predict(self, x: Tensor) -> StackPrediction:
        """Outputs, and the gates of each network's routed layers."""
        gates: list[dict[str, Tensor]] = [{} for _ in self.order]

        def run(layer: StackedMixture, x_RBW: Tensor) -> Tensor:
            x_RBW, routed = layer.predict(x_RBW)
            for row, gates_BE in routed.items():
                gates[self.order[row]][layer.layout.specs[row].prefix.removesuffix(".")] = gates_BE
            return x_RBW

        return StackPrediction(self._through(x, run), gates)

    def _through(self, x: Tensor, run: Callable[[StackedMixture, Tensor], Tensor]) -> Tensor:
        x_KBW = activate_rows(self.stem(x), self.activations)
        finished: list[Tensor] = []
        for layer in self.layers:
            rows = len(layer.layout.specs)
            if rows < len(x_KBW):
                finished.append(x_KBW[rows:])
                x_KBW = x_KBW[:rows]
            x_KBW = run(layer, x_KBW)
        x_KBW = torch.cat([x_KBW, *reversed(finished)])
        outputs_KBO = torch.baddbmm(self.head_bias, x_KBW, self.head_weight.mT)
        outputs_KBO = outputs_KBO.index_select(0, self.back.on(x.device))
        return outputs_KBO if self.steps is None else outputs_KBO.unflatten(1, (-1, self.steps))

    def owned(self) -> list[Owned]:
        own: list[Owned] = [(tensor, self.order) for tensor in (*self.stem.owned(), self.head_weight, self.head_bias)]
        for layer in self.layers:
            own.extend((tensor, [self.order[row] for row in rows]) for tensor, rows in layer.owned())
        return own

    def named(self, network: int) -> dict[str, Tensor]:
        row = self.row_of[network]
        width = self.widths[row]
        views = {f"stem.{name}": view for name, view in self.stem.named(row, width).items()}
        for layer in self.layers:
            if row < len(layer.layout.specs):
                views.update(layer.named(row))
        return {**views, "head.weight": self.head_weight[row, :, :width], "head.bias": self.head_bias[row, 0]}


class StackedLinear(nn.Module):
    """K linear stems: (B, *input_shape) to (K, B, W).

    Args:
        size: K.
        width: W.
        inputs: numbers of an example.
    """

    def __init__(self, size: int, width: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, width, inputs))
        self.bias = nn.Parameter(torch.zeros(size, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        x_BKW = (x.flatten(1) @ self.weight.flatten(0, 1).T).unflatten(1, self.weight.shape[:2])
        return x_BKW.transpose(0, 1) + self.bias

    def owned(self) -> list[nn.Parameter]:
        """Each parameter; row k belongs to network k."""
        return [self.weight, self.bias]

    def named(self, network: int, width: int) -> dict[str, Tensor]:
        """Views of the parameters of a network's first units, under their names in its stem's state."""
        return {"weight": self.weight[network, :width], "bias": self.bias[network, 0, :width]}


def layer_spec(genotype: Genotype, layer: int, balance: float) -> LayerSpec:
    """What a stack needs to know of one layer."""
    genes = genotype["layers"][layer]
    routed = genes["kind"] == "moe"
    return LayerSpec(
        prefix=f"layers.{layer}." + ("layer." if genes["residual"] else ""),
        experts=tuple(genes["experts"]) if routed else (genes["hidden"],),
        top_k=genes["top_k"] if routed else 0,
        activation=genotype["activation"],
        residual=genes["residual"],
        balance=balance if routed else 0.0,
        width=genotype["width"],
    )
