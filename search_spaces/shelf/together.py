"""Parts of several networks, called together: by a stack of the module's own, by `torch.func.vmap`, or one by one.

Axes: N networks, B examples.
"""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..base import Owned
from .base import ModuleStack
from .stack import StackOfModules
from .watching import Watched, watched_modules, watching

TOLERANCE = 1e-4
"""Largest difference of outputs together and alone, as a share of the largest output."""


class Together(nn.Module, ABC):
    """N parts of as many networks. Parameters are filled in through `named`."""

    @abstractmethod
    def forward(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> list[Tensor]:
        """N outputs.

        Args:
            xs: N, what each part is given, (B, ...); None: nothing but what they share.
            *shared: what all are given beside.
        """

    @abstractmethod
    def predict(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> tuple[list[Tensor], list[Watched]]:
        """As `forward`, in evaluation mode, and what modules of each part do meanwhile, as far as that can be said."""

    @abstractmethod
    def owned(self) -> list[Owned]:
        """Every parameter, with the part, of N, that each of its rows belongs to."""

    @abstractmethod
    def named(self, part: int) -> dict[str, Tensor]:
        """Views of a part's tensors, under the names in its `state_dict`."""

    def losses(self) -> Tensor | None:
        """(N,) losses of their own after a forward pass in training mode; None without any."""
        return None

    changes = False
    """Whether `after_step` does anything."""

    def after_step(self, step: int, steps: int) -> None:
        """What changes a part while it is trained."""


class OneByOne(Together):
    """Each part by itself: what they share is the optimiser, and the order of minibatches.

    Args:
        parts: N.
    """

    def __init__(self, parts: Sequence[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._with_losses = [
            [module for module in part.modules() if hasattr(module, "auxiliary_loss")] for part in parts
        ]
        self._changing: list[Any] = [
            module for part in parts for module in part.modules() if hasattr(module, "after_step")
        ]
        self.changes = bool(self._changing)

    def forward(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> list[Tensor]:
        if xs is None:
            return [part(*shared) for part in self.parts]
        return [part(x, *shared) for part, x in zip(self.parts, xs, strict=True)]

    def predict(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> tuple[list[Tensor], list[Watched]]:
        outputs, watched = [], []
        for index, part in enumerate(self.parts):
            with watching(part) as found:
                outputs.append(part(*(() if xs is None else (xs[index],)), *shared))
            watched.append(found)
        return outputs, watched

    def losses(self) -> Tensor | None:
        found = [[one.auxiliary_loss for one in modules] for modules in self._with_losses]
        given = [[loss for loss in one if isinstance(loss, Tensor)] for one in found]
        first = next((loss for one in given for loss in one), None)
        if first is None:
            return None
        return torch.stack([torch.stack(one).sum() if one else first.new_zeros(()) for one in given])

    def owned(self) -> list[Owned]:
        return [
            (tensor, [index] * (len(tensor) if tensor.ndim else 1))
            for index, part in enumerate(self.parts)
            for tensor in part.parameters()
        ]

    def named(self, part: int) -> dict[str, Tensor]:
        return dict(self.parts[part].state_dict(keep_vars=True))

    def after_step(self, step: int, steps: int) -> None:
        for module in self._changing:
            module.after_step(step, steps)


class Vmapped(Together):
    """Parts of one structure by `torch.func.vmap`.

    Args:
        template: one of them.
        size: N.
    """

    def __init__(self, template: nn.Module, size: int) -> None:
        super().__init__()
        self._one = [template]  # in a list: its parameters are none of this module's
        self.rows = StackOfModules(template, size)
        self._with_losses = [module for module in template.modules() if hasattr(module, "auxiliary_loss")]
        self._losses: Tensor | None = None

    def forward(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> list[Tensor]:
        own = [] if xs is None else [torch.stack(list(xs))]
        axes = (0, *[0] * len(own), *[None] * len(shared))
        outputs, losses = vmap(self._call, in_dims=axes)(tuple(self.rows.stacked), *own, *shared)
        self._losses = losses if self.training and self._with_losses else None
        return list(outputs.unbind())

    def predict(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> tuple[list[Tensor], list[Watched]]:
        """One by one where there is something to say."""
        size = len(self.rows.stacked[0])
        template = self._one[0]
        if not watched_modules(template):
            return self(xs, *shared), [Watched() for _ in range(size)]
        outputs, watched = [], []
        for index in range(size):
            with watching(template) as found:
                given = (() if xs is None else (xs[index],)) + shared
                outputs.append(functional_call(template, self.named(index), given))
            watched.append(found)
        return outputs, watched

    def losses(self) -> Tensor | None:
        return self._losses

    def owned(self) -> list[Owned]:
        return self.rows.owned()

    def named(self, part: int) -> dict[str, Tensor]:
        return self.rows.named(part)

    def train(self, mode: bool = True) -> Vmapped:
        self._one[0].train(mode)
        return super().train(mode)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._one[0]._apply(fn)  # its constants follow to another device or type
        return super()._apply(fn, recurse)

    def _call(self, parameters: tuple[Tensor, ...], *given: Tensor) -> tuple[Tensor, Tensor]:
        output = functional_call(self._one[0], dict(zip(self.rows.names, parameters, strict=True)), given)
        losses = [module.auxiliary_loss for module in self._with_losses]
        found = [loss for loss in losses if isinstance(loss, Tensor)]
        return output, torch.stack(found).sum() if found else output.new_zeros(())


class Stacked(Together):
    """Parts that have a stack of their module's own.

    Args:
        stack: of N.
        size: N.
    """

    def __init__(self, stack: ModuleStack, size: int) -> None:
        super().__init__()
        self.stack: Any = stack
        self.size = size
        self.changes = hasattr(stack, "after_step")

    def forward(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> list[Tensor]:
        assert xs is not None
        return list(self.stack(torch.stack(list(xs))).unbind())

    def predict(self, xs: Sequence[Tensor] | None, *shared: Tensor) -> tuple[list[Tensor], list[Watched]]:
        """By `predict` of the module's stack, where it has one."""
        assert xs is not None
        if not hasattr(self.stack, "predict"):
            return self(xs), [Watched() for _ in xs]
        outputs_N, watched = self.stack.predict(torch.stack(list(xs)))
        return list(outputs_N.unbind()), watched

    def losses(self) -> Tensor | None:
        return self.stack.auxiliary_loss

    def owned(self) -> list[Owned]:
        return list(self.stack.owned())

    def named(self, part: int) -> dict[str, Tensor]:
        return self.stack.named(part)

    def after_step(self, step: int, steps: int) -> None:
        if hasattr(self.stack, "after_step"):
            self.stack.after_step(step, steps)


def together(builds: Sequence[Callable[[], nn.Module]], *example: Tensor) -> Together:
    """Parts of one structure by `vmap` where torch can, else one by one.

    Args:
        builds: N; each gives a part.
        *example: what a part is given.
    """
    template = builds[0]()
    if len(builds) > 1 and can_be_vmapped(template, *example):
        return Vmapped(template, len(builds))
    return OneByOne([template, *(build() for build in builds[1:])])


def can_be_vmapped(network: nn.Module, *example: Tensor) -> bool:
    """Whether `vmap` computes what the network does, forwards and backwards, without falling back to a loop.

    Where training changes more than parameters, or not all of these, it does not.
    """
    fixed = {name for name, _ in network.named_parameters()} == set(network.state_dict())
    if not fixed or not all(parameter.requires_grad for parameter in network.parameters()):
        return False
    if any(hasattr(module, "after_step") for module in network.modules()):
        return False
    trial = Vmapped(copy.deepcopy(network), 2)
    trial.train(network.training)
    for part in range(2):
        for name, view in trial.named(part).items():
            view.data.copy_(network.get_parameter(name).data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # torch warns where it falls back to a loop
            outputs = trial([example[0]] * 2, *example[1:])
            torch.stack(outputs).sum().backward()
            alone = network(*example).detach()
    except Exception:  # whatever a stranger's network raises under vmap, it does not when called alone
        return False
    largest = max(1.0, float(alone.abs().max()))
    return all(torch.allclose(one.detach(), alone, rtol=0, atol=TOLERANCE * largest) for one in outputs)
