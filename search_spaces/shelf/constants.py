"""Constants of a stack on the device where they are needed, copied there once: a copy in each step is a wait."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Constant:
    """An array that a stack reads in every step, as a tensor.

    Args:
        values: any shape; it is not changed afterwards.
    """

    def __init__(self, values: np.ndarray | Tensor) -> None:
        self._values = values if isinstance(values, Tensor) else torch.from_numpy(np.ascontiguousarray(values))
        self._on: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The tensor on a device; always the same one."""
        if device not in self._on:
            self._on[device] = self._values.to(device)
        return self._on[device]
