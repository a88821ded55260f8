"""What the parts of a chain cost: each is built and run once, and remembered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from ..flops import FlopCounter
from ..shelf.base import Port, ShelfModule
from ..shelf.merging import merged_parameters
from ..task import NextToken, Tokens
from .network import Ends

REMEMBERED = 10_000
"""Layers whose costs are kept."""


@dataclass(frozen=True)
class Costs:
    """Of a part.

    Args:
        parameters: all of them.
        deployed: of them, what is left when all that is mergeable is merged.
        macs: multiply-accumulates per example; None where the part is routed, so that an example may cost more than
            another.
    """

    parameters: int
    deployed: int
    macs: float | None


@lru_cache(REMEMBERED)
def layer_costs(module: ShelfModule, genes: str, port: Port, rows: int) -> Costs:
    """Of a layer.

    Args:
        module: of the shelf.
        genes: as JSON.
        port: what goes in.
        rows: that an example becomes: its steps, where the port is "vector" and next tokens are asked for, else 1.
    """
    tree = json.loads(genes)
    known = module.known(tree, port)
    if "parameters" in known:
        parameters, macs = int(known["parameters"]), known.get("macs")
        return Costs(parameters, parameters, None if macs is None else macs * rows)
    return _costs(lambda: module.build(tree, port), lambda: (_zeros(rows, *port.shape),))


@lru_cache(REMEMBERED)
def stem_costs(ends: Ends) -> Costs:
    """Of a stem."""
    return _costs(ends.stem, lambda: (_inputs(ends),))


@lru_cache(REMEMBERED)
def head_costs(ends: Ends, ports: tuple[Port, ...]) -> Costs:
    """Of a head.

    Args:
        ends: of the network.
        ports: of the states that it reads: the last one, or one after each layer.
    """
    states = [_zeros(rows_of(ends), *port.shape) for port in ports]
    return _costs(ends.head, lambda: (states if ends.exits else states[0], _inputs(ends)))


def rows_of(ends: Ends) -> int:
    """How many rows an example becomes inside the network."""
    stepwise = ends.port.kind == "vector" and isinstance(ends.task.output, NextToken)
    return ends.task.input_shape[0] if stepwise else 1


def _costs(build: Any, inputs: Any) -> Costs:
    with torch.random.fork_rng(devices=[]):  # a run on real numbers takes less time than one without memory
        part: nn.Module = build().eval()
    parameters, deployed = sum(parameter.numel() for parameter in part.parameters()), merged_parameters(part)
    if any(hasattr(type(one), "route") for one in part.modules()):
        return Costs(parameters, deployed, None)
    with torch.no_grad(), FlopCounter() as counter:
        part(*inputs())
    return Costs(parameters, deployed, counter.flops / 2)


def _inputs(ends: Ends) -> torch.Tensor:
    dtype = torch.int64 if isinstance(ends.task.input, Tokens) else torch.float32
    return torch.zeros((1, *ends.task.input_shape), dtype=dtype)


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)
