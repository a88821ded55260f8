"""What a CUDA graph is, on any device: operations that are recorded once, and repeated on the same tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

ATEN = torch.ops.aten
WAITS = {ATEN._local_scalar_dense, ATEN.nonzero, ATEN.masked_select, ATEN.unique_dim, ATEN._unique2, ATEN.equal}
"""Operations whose results the host waits for."""


class Recording(TorchDispatchMode):
    """Notes every operation with its tensors, and repeats them: Python is not asked again, as in a CUDA graph."""

    def __init__(self) -> None:
        super().__init__()
        self._operations: list[tuple[Any, Any, Any, list[Tensor]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        self._operations.append((func, args, kwargs or {}, _tensors(outputs)))
        return outputs

    def replay(self) -> None:
        """Repeat all of it; every result takes the place of the one before."""
        with torch._C._AutoDispatchBelowAutograd():  # derivatives were recorded as operations like others
            for func, args, kwargs, outputs in self._operations:
                for old, new in zip(outputs, _tensors(func(*args, **kwargs)), strict=True):
                    if old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def record(step: Callable[[], None]) -> Callable[[], None]:
    """Take a step, and return what repeats it. Deviation from a CUDA graph: recording computes.

    The first replay therefore does nothing.
    """
    recording = Recording()
    with recording:
        step()
    first = True

    def replay() -> None:
        nonlocal first
        if not first:
            recording.replay()
        first = False

    return replay


class Waits(TorchDispatchMode):
    """Collects what makes the host wait for a device, or the device for the host: nothing of it can be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        devices = {tensor.device.type for tensor in _tensors((args, kwargs, outputs)) if tensor.ndim}
        if func.overloadpacket in WAITS or len(devices) > 1:
            self.found.append(f"{func} on {', '.join(sorted(devices))}")
        return outputs


def _tensors(tree: Any) -> list[Tensor]:
    return [one for one in tree_leaves(tree) if isinstance(one, Tensor)]
