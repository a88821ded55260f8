"""Multiply-accumulate operations of a network, with experts counted by their use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search_spaces import Metric
from search_spaces.flops import FlopCounter
from search_spaces.genes import to_json

from ..interrupts import Interrupted, told_apart
from .base import NetworkMetric
from .routing import routed_modules
from .subject import Subject
from .untrained import Untrained
from .uses import Use

CHECKED = 16
"""One genotype in so many is counted though its space, one of the project's own, says what it takes."""


@torch.no_grad()
def macs(network: nn.Module, example: Tensor, uses: Mapping[str, Use]) -> float:
    """Multiply-accumulate operations per example, on average: all outside the experts, and the chosen experts.

    Half of what torch's FLOP counter counts (matrix products, convolutions and attention; not elementwise work). Each
    expert is counted alone and weighted by its use, so it makes no difference whether a network executes idle experts.

    Args:
        network: in evaluation mode.
        example: (1, *shape), one input.
        uses: of its routed modules, over the examples to average.
    """
    with FlopCounter() as counter:
        meter = _ExpertMeter(network, counter)
        network(example)
        meter.remove()
        flops = float(counter.flops - sum(meter.flops.values()))
        for name, module in routed_modules(network).items():
            for expert, use in zip(module.experts, uses[name].chosen, strict=True):
                if expert not in meter.flops:  # the network runs chosen experts alone, and did not choose this one
                    before = counter.flops
                    expert(meter.inputs[name])
                    meter.flops[expert] = counter.flops - before
                flops += use * meter.flops[expert]
    return flops / 2


class MACs(NetworkMetric):
    """Multiply-accumulates per example, on average over the validation examples."""

    metrics = {"macs": Metric("MAC/example", 0, math.inf, "minimise")}
    needs = "examples"

    def measure(self, subject: Subject) -> dict[str, float]:
        """In closed form where the space has one, see `SearchSpace.costs`: it is held against a count now and then.

        Raises:
            ValueError: the two differ.
        """
        stated = _stated(subject)
        if stated is None or _is_checked(subject):
            counted = macs(subject.network, subject.inputs[:1], subject.uses)
            if stated is not None and not math.isclose(stated, counted, rel_tol=1e-6):
                raise ValueError(
                    f"{type(subject.space).__name__} states {stated:g} multiply-accumulates of this network (by costs()"
                    f" or known()), but it takes {counted:g}: correct the space, or let it state none"
                )
            return {"macs": counted if stated is None else stated}
        return {"macs": stated}

    def known(self, subject: Untrained) -> dict[str, float]:
        """Where nothing is routed, so that all examples cost the same."""
        if "macs" in subject.given:
            return {"macs": subject.given["macs"]}
        return {} if subject.routed else {"macs": macs(subject.network, subject.example, {})}


def _stated(subject: Subject) -> float | None:
    """What the space says; None: nothing."""
    assert subject.task is not None
    try:
        with told_apart():
            costs = subject.space.costs(subject.genotype, subject.task)
    except Interrupted:
        raise
    except BaseException:  # as of what is known: it is counted then
        return None
    if costs is None:
        return None
    chosen = (float(subject.uses[name].chosen @ np.array(experts)) for name, experts in costs.experts.items())
    return costs.fixed + sum(chosen)


def _is_checked(subject: Subject) -> bool:
    """Whether the network is counted though the space says what it takes: of a stranger's space always.

    Of the project's own, which the suite of spaces counts, now and then; it follows from the genotype alone.
    """
    if not type(subject.space).__module__.startswith("search_spaces."):
        return True
    return blake2b(to_json(subject.genotype).encode(), digest_size=1).digest()[0] % CHECKED == 0


class _ExpertMeter:
    """Watches a forward pass: `flops` spent inside each expert, and `inputs` of the routed modules by name."""

    def __init__(self, network: nn.Module, counter: FlopCounter) -> None:
        self.flops: dict[nn.Module, int] = {}
        self.inputs: dict[str, Tensor] = {}
        self._counter = counter
        self._hooks = []
        for name, module in routed_modules(network).items():
            self._hooks.append(module.register_forward_pre_hook(self._keep_input(name)))
            for expert in module.experts:
                self._hooks.append(expert.register_forward_pre_hook(self._enter))
                self._hooks.append(expert.register_forward_hook(self._leave))

    def remove(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def _keep_input(self, name: str) -> Any:
        def keep(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
            self.inputs[name] = arguments[0]

        return keep

    def _enter(self, expert: nn.Module, *_: Any) -> None:
        self.flops[expert] = self.flops.get(expert, 0) - self._counter.flops

    def _leave(self, expert: nn.Module, *_: Any) -> None:
        self.flops[expert] += self._counter.flops
