"""A network composed of library modules and new ones, stage by stage."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

Origin = Literal["new", "frozen", "tuned"]


class Stage(nn.Module):
    """A stitch and a module.

    Args:
        name: of the stage.
        origin: "new" modules and "tuned" library modules are trained, "frozen" ones stay what they are.
        stitch: before the module; it is trained where it has parameters.
        body: the module.
        outlet: a stitch behind the module, where it gives the scores of other classes.
        architecture: the module's, as a library records it.
    """

    def __init__(
        self,
        name: str,
        origin: Origin,
        stitch: nn.Sequential,
        body: nn.Module,
        outlet: nn.Sequential,
        architecture: dict[str, Any],
    ) -> None:
        super().__init__()
        self.name, self.origin, self.architecture = name, origin, architecture
        self.stitch, self.body, self.outlet = stitch, body, outlet
        if origin == "frozen":
            body.requires_grad_(False)

    @property
    def fixed(self) -> bool:
        """Whether training changes nothing of it."""
        trained = any(parameter.requires_grad for parameter in self.parameters())
        buffers = [*self.stitch.buffers(), *self.outlet.buffers()]  # anchors, which are taken while it is trained
        return self.origin == "frozen" and not trained and not buffers

    def train(self, mode: bool = True) -> Stage:
        """A frozen module stays in evaluation mode: its normalisation follows its own examples, not these."""
        super().train(mode)
        if self.origin == "frozen":
            self.body.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.outlet(self.body(self.stitch(x)))


class Composition(nn.Sequential):
    """Stages, one after the other: (B, *input_shape) to (B, outputs).

    Args:
        stages: at least one, of different names.
        input_shape: (channels, height, width).
    """

    def __init__(self, stages: Sequence[Stage], input_shape: tuple[int, ...]) -> None:
        super().__init__(OrderedDict((stage.name, stage) for stage in stages))
        self.input_shape = input_shape

    @property
    def stages(self) -> list[Stage]:
        """In the order in which they compute."""
        return list(self)  # pyright: ignore[reportReturnType] - nothing else is in it

    @property
    def fixed_stages(self) -> int:
        """How many stages from the input on training does not change: what they compute may be kept."""
        count = 0
        while count < len(self) and self.stages[count].fixed:
            count += 1
        return count

    def shares(self) -> dict[str, float]:
        """The numbers `trained_parameters`, `reuse` and `stitch_share` of `ModuleLibrary`."""
        device = next(self.parameters()).device
        reused, stitched, everything = 0, 0, 0
        was = self.training
        self.eval()
        with torch.no_grad():
            x = torch.zeros(1, *self.input_shape, device=device, dtype=torch.float32)
            for stage in self.stages:
                macs = []
                for part in (stage.stitch, stage.body, stage.outlet):
                    with FlopCounterMode(display=False) as counter:
                        x = part(x)
                    macs.append(counter.get_total_flops() // 2)
                stitched += macs[0] + macs[2]
                reused += macs[1] if stage.origin != "new" else 0
                everything += sum(macs)
        self.train(was)
        trained = sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)
        return {
            "trained_parameters": trained,
            "reuse": reused / max(1, everything),
            "stitch_share": stitched / max(1, everything),
        }
