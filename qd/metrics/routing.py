"""How the routers of a network use their experts.

Any module whose class has a method `route` counts as routed, whoever wrote it. One that routes the positions of a text
by themselves has B·T rows in place of B: each position then counts as an example. Axes: B examples, E experts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..training.inputs import Inputs

Routing = Mapping[str, np.ndarray]
"""The gates (B, E), or (B·T, E), of each routed module by its name, as `predict` returns them."""


class RoutedModule(Protocol):
    """A module that sends each example to some of its experts.

    Each expert is a submodule that takes the module's own input, or whatever the module gives it where it always runs
    it. Experts hold no routed modules themselves. Several routed modules may share parameters where their rows stand
    for the same examples: each then has experts of its own, whose `parameters()` say which they use.
    """

    @property
    def experts(self) -> Any:
        """The E experts: an `nn.ModuleList`."""
        ...

    def route(self, x: Tensor) -> Tensor:
        """Return the gates of an input: (B, E), above 0 for the chosen experts, at least one a row, else 0."""
        ...


def routed_modules(network: nn.Module) -> dict[str, Any]:
    """The modules of a network that are a `RoutedModule`, by their names in `named_modules`."""
    # not isinstance(): for protocols that takes 30 µs a module
    return {name: module for name, module in network.named_modules() if hasattr(type(module), "route")}


@torch.no_grad()
def predict(
    network: nn.Module,
    inputs: Inputs,
    batch_size: int = 1000,
    keep: Callable[[Tensor, slice], Tensor] = lambda outputs, rows: outputs,
) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Run a network on `inputs`, and watch its routers.

    The network should be in evaluation mode. Modules that have a method `observe` are left with what they observed, on
    average over all inputs, as `observed`: {metric: float}; see `search_spaces.shelf.base.ShelfModule`.

    Args:
        network: (B, *shape) to (B, *output_shape).
        inputs: (N, *shape), N at least 1.
        batch_size: how many examples at once; smaller is slower, larger takes more memory.
        keep: what is kept of the outputs of a batch, whose rows are given.

    Returns:
        What was kept of the outputs, (N, ...), and the gates (N, E) of each routed module by its name; (N·T, E) of one
        that routes positions.
    """
    gates: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in routed_modules(network).items():
        gates[name] = []
        hooks.append(module.register_forward_hook(_recorder(module, gates[name])))
    observers = [_Observer(module) for module in network.modules() if hasattr(type(module), "observe")]
    hooks += [one.module.register_forward_pre_hook(one) for one in observers]
    try:
        batches = [slice(start, start + batch_size) for start in range(0, len(inputs), batch_size)]
        outputs = torch.cat([keep(network(inputs[rows]), rows) for rows in batches])
    finally:
        for hook in hooks:
            hook.remove()
    for one in observers:
        one.module.observed = one.means()
    return outputs, {name: torch.cat(parts).double().numpy(force=True) for name, parts in gates.items()}


def _recorder(module: RoutedModule, parts: list[Tensor]) -> Callable[..., None]:
    def record(_module: nn.Module, arguments: tuple[Tensor, ...], _output: Tensor) -> None:
        parts.append(module.route(arguments[0]))

    return record


class _Observer:
    """Collects what a module observes, batch by batch."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self._sums: dict[str, float] = {}
        self._examples = 0

    def __call__(self, _module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        examples = len(arguments[0])
        self._examples += examples
        for name, value in self.module.observe(*arguments).items():
            self._sums[name] = self._sums.get(name, 0.0) + examples * float(value)

    def means(self) -> dict[str, float]:
        return {name: total / max(1, self._examples) for name, total in self._sums.items()}


def entropy(share: np.ndarray) -> float:
    """Of a distribution, in nats."""
    used = share[share > 0]
    return float(-(used * np.log(used)).sum())


def mean_of_layers(values: Iterable[float]) -> float:
    """The mean, 0 of nothing, without what rounding adds beyond [0, 1]."""
    listed = list(values)
    return float(np.clip(np.mean(listed), 0, 1)) if listed else 0.0
