"""What routers and observing modules of a part do in a forward pass: gates, and what is observed.

Axes: B examples, E experts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Watched:
    """Of one part, by the names of its modules.

    Args:
        gates: (B, E) of each routed module, as its `route` gives them.
        observed: of each module that has `observe`, what that gives.
    """

    gates: dict[str, Tensor] = field(default_factory=dict)
    observed: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def take(self, part: Watched, prefix: str) -> None:
        """Add what was watched of a part, whose names begin with a prefix here, such as "layers.0."."""
        self.gates.update({(prefix + name).removesuffix("."): one for name, one in part.gates.items()})
        self.observed.update({(prefix + name).removesuffix("."): one for name, one in part.observed.items()})


def watched_modules(part: nn.Module) -> dict[str, Any]:
    """The modules that are routed or observe, by name."""
    return {
        name: module
        for name, module in part.named_modules()
        if hasattr(type(module), "route") or hasattr(type(module), "observe")
    }


@contextmanager
def watching(part: nn.Module) -> Iterator[Watched]:
    """Within, a forward pass of the part in evaluation mode fills what this gives."""
    found = Watched()
    hooks = [module.register_forward_pre_hook(_watcher(name, found)) for name, module in watched_modules(part).items()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _watcher(name: str, found: Watched) -> Callable[..., None]:
    def watch(module: Any, arguments: tuple[Tensor, ...]) -> None:
        if hasattr(type(module), "route"):
            found.gates[name] = module.route(arguments[0])
        if hasattr(type(module), "observe"):
            found.observed[name] = module.observe(*arguments)

    return watch
