"""Networks whose layers are dense or mixtures of experts."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ..base import Costs, SearchSpace, Stack, Task
from ..genes import Choice, Genotype, Integer, Repeat, Struct, Variant
from ..task import NextToken, Tokens

if TYPE_CHECKING:
    import networkx
    import torch


STACKED = (32, 64)
"""Widths up to each are trained in one stack."""


class SparseMoE(SearchSpace):
    """Feed-forward networks of 1 to 6 layers, each dense or a mixture of 2 to 8 experts of different sizes.

    After AutoMoE (Jawahar et al., arXiv 2210.07535), which varies layer by layer how many experts there are and how
    large each of them is. Deviations: layers are feed-forward alone, without attention; a router may choose two
    experts; activation and residual connections vary; each candidate is trained from scratch, not in a supernet.

    Vectors, images and series are flattened for a linear stem. Tokens are embedded: for classes and values the layers
    take the mean of a text's embeddings, for next tokens at every position a mixture of the last few (see
    `search_spaces/shelf/tokens`), so that each position is routed by itself; the load-balancing loss is over them all.

    Args:
        balance: weight of the routers' load-balancing loss in training, at least 0.
    """

    genes = Struct(
        width=Choice(8, 12, 16, 24, 32, 64),
        activation=Choice("relu", "silu", "tanh"),
        layers=Repeat(
            Variant(
                dense=Struct(hidden=Integer(8, 128, log=True), residual=Choice(True, False)),
                moe=Struct(
                    experts=Repeat(Integer(8, 64, log=True), 2, 8),
                    top_k=Integer(1, 2),
                    residual=Choice(True, False),
                ),
            ),
            1,
            6,
        ),
    )

    def __init__(self, balance: float = 0.01) -> None:
        if not 0 <= balance < math.inf:
            raise ValueError(f"balance: expected a number of at least 0, got {balance}")
        self.balance = balance
        self.arguments = {"balance": balance}

    def build(self, genotype: Genotype, task: Task) -> torch.nn.Module:
        from torch import nn  # here and not above: listing the spaces should not wait for torch

        from ..shelf import Activation, FeedForward, MixtureOfExperts, Residual
        from ..shelf.tokens import MeanOfTokens, WindowOfTokens

        width, activation = genotype["width"], genotype["activation"]
        layers = nn.Sequential()
        for genes in genotype["layers"]:
            if genes["kind"] == "dense":
                layer = FeedForward(width, genes["hidden"], activation)
            else:
                layer = MixtureOfExperts(width, genes["experts"], genes["top_k"], activation, self.balance)
            layers.append(Residual(layer) if genes["residual"] else layer)
        network = nn.Sequential()
        if isinstance(task.input, Tokens):
            stem = WindowOfTokens if isinstance(task.output, NextToken) else MeanOfTokens
            network.add_module("stem", stem(task.input.vocabulary, width))
        else:
            network.add_module("flatten", nn.Flatten())
            network.add_module("stem", nn.Linear(math.prod(task.input_shape), width))
        network.add_module("activation", Activation(activation))
        network.add_module("layers", layers)
        network.add_module("head", nn.Linear(width, task.outputs))
        if isinstance(task.output, NextToken):
            network.add_module("positions", nn.Unflatten(0, (-1, *task.input_shape)))
        return network

    def stack_signature(self, genotype: Genotype) -> Hashable:
        """Networks of about one width: what a narrower one lacks is zero, and costs time all the same."""
        return next(most for most in STACKED if genotype["width"] <= most)

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        from .stack import SparseMoEStack

        return SparseMoEStack(genotypes, task, self.balance)

    def canonical(self, genotype: Genotype) -> Genotype:
        """Sort the experts of each mixture by size: their order says nothing about the architecture."""
        layers = [
            {**genes, "experts": sorted(genes["experts"])} if genes["kind"] == "moe" else genes
            for genes in genotype["layers"]
        ]
        return {**genotype, "layers": layers}

    def known(self, genotype: Genotype, task: Task | None) -> dict[str, float]:
        """All parameters; where no layer is a mixture, also the multiply-accumulates."""
        if task is None:
            return {}
        from ..shelf.tokens import WINDOW

        width, outputs = genotype["width"], task.outputs
        if isinstance(task.input, Tokens):
            window = WINDOW * width if isinstance(task.output, NextToken) else 0
            parameters = task.input.vocabulary * width + window + width
        else:
            parameters = math.prod(task.input_shape) * width + width
        for genes in genotype["layers"]:
            hidden = [genes["hidden"]] if genes["kind"] == "dense" else genes["experts"]
            parameters += sum(2 * width * units + units + width for units in hidden)
            if genes["kind"] == "moe":
                parameters += width * len(hidden)
        parameters += width * outputs + outputs
        costs = self.costs(genotype, task)
        return {"parameters": parameters} if costs.experts else {"parameters": parameters, "macs": costs.fixed}

    def costs(self, genotype: Genotype, task: Task) -> Costs:
        from ..shelf.tokens import WINDOW

        width = genotype["width"]
        rows = task.input_shape[0] if isinstance(task.output, NextToken) else 1
        if isinstance(task.input, Tokens):
            fixed = rows * WINDOW * width if isinstance(task.output, NextToken) else 0
        else:
            fixed = math.prod(task.input_shape) * width
        experts: dict[str, list[float]] = {}
        for number, genes in enumerate(genotype["layers"]):
            if genes["kind"] == "dense":
                fixed += rows * 2 * width * genes["hidden"]
            else:
                fixed += rows * width * len(genes["experts"])
                name = f"layers.{number}.layer" if genes["residual"] else f"layers.{number}"
                experts[name] = [rows * 2 * width * units for units in genes["experts"]]
        return Costs(fixed + rows * width * task.outputs, experts)

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """Stem, routers, experts, dense layers, the sums that end layers, and the head.

        The head's units are the task's, not the genotype's: its `size` is 1. MACs count experts at an even use.
        """
        import networkx

        width = genotype["width"]
        graph = networkx.DiGraph()
        graph.add_node("stem", label=f"stem {width}", kind="stem", size=width, layer=0, macs_per_input=width)
        source = "stem"
        for layer, genes in enumerate(genotype["layers"], start=1):
            name = f"layer{layer}"
            graph.add_node(name, label=f"sum {width}", kind="sum", size=width, layer=layer)
            if genes["kind"] == "dense":
                hidden = genes["hidden"]
                label, macs = f"dense {hidden}", 2 * width * hidden
                graph.add_node(f"{name}.dense", label=label, kind="dense", size=hidden, layer=layer, macs=macs)
                graph.add_edge(source, f"{name}.dense", kind="dense")
                graph.add_edge(f"{name}.dense", name, kind="dense")
            else:
                experts, top_k = genes["experts"], genes["top_k"]
                label, macs = f"router {top_k} of {len(experts)}", width * len(experts)
                graph.add_node(f"{name}.router", label=label, kind="router", size=len(experts), layer=layer, macs=macs)
                graph.add_edge(source, f"{name}.router", kind="dense")
                for index, hidden in enumerate(experts):
                    expert = f"{name}.expert{index}"
                    label, macs = f"expert {hidden}", 2 * width * hidden * top_k / len(experts)
                    graph.add_node(expert, label=label, kind="expert", size=hidden, layer=layer, macs=macs)
                    graph.add_edge(source, expert, kind="dense")
                    graph.add_edge(f"{name}.router", expert, kind="routed")
                    graph.add_edge(expert, name, kind="routed")
            if genes["residual"]:
                graph.add_edge(source, name, kind="residual")
            source = name
        layer = len(genotype["layers"]) + 1
        graph.add_node("head", label="head", kind="head", size=1, layer=layer, macs_per_output=width)
        graph.add_edge(source, "head", kind="dense")
        return graph
