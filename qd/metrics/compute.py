"""Parameters and arithmetic of a network, with experts counted by their use.

Axes: B examples, E experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from .routing import routed_modules

Routing = Mapping[str, np.ndarray]
"""The gates (B, E) of each routed module by its name, as `routing.predict` returns them."""


def parameters(network: nn.Module) -> int:
    """Number of all parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def active_parameters(network: nn.Module, routing: Routing) -> float:
    """Parameters that take part in an example, on average: all outside the experts, and the chosen experts."""
    idle = 0.0
    for name, module in routed_modules(network).items():
        sizes_E = np.array([parameters(expert) for expert in module.experts])
        idle += float((1 - _use(routing[name])) @ sizes_E)
    return parameters(network) - idle


@torch.no_grad()
def macs(network: nn.Module, example: Tensor, routing: Routing) -> float:
    """Multiply-accumulate operations per example, on average: all outside the experts, and the chosen experts.

    Half of what torch's FLOP counter counts (matrix products, convolutions and attention; not elementwise work). Each
    expert is counted alone and weighted by its use, so it makes no difference whether a network executes idle experts.

    Args:
        network: in evaluation mode.
        example: (1, *shape), one input.
        routing: over the examples to average.
    """
    with _FlopCounter() as counter:
        meter = _ExpertMeter(network, counter)
        network(example)
        meter.remove()
        flops = float(counter.flops - sum(meter.flops.values()))
        for name, module in routed_modules(network).items():
            for expert, use in zip(module.experts, _use(routing[name]), strict=True):
                if expert not in meter.flops:  # the network runs chosen experts alone, and did not choose this one
                    before = counter.flops
                    expert(meter.inputs[name])
                    meter.flops[expert] = counter.flops - before
                flops += use * meter.flops[expert]
    return flops / 2


class _FlopCounter(TorchDispatchMode):
    """What torch's `FlopCounterMode` counts in all, without its costly record of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=output)
        return output


class _ExpertMeter:
    """Watches a forward pass: `flops` spent inside each expert, and `inputs` of the routed modules by name."""

    def __init__(self, network: nn.Module, counter: _FlopCounter) -> None:
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


def _use(gates_BE: np.ndarray) -> np.ndarray:
    """Share of examples that chose each expert: (E,) in [0, 1]."""
    return (gates_BE > 0).mean(0)
