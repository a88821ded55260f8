"""Where compiled kernels compute: on the CPU, unless plain torch is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

_plain: ContextVar[bool] = ContextVar("plain torch", default=False)


def has_kernel(x: Tensor) -> bool:
    """Whether a compiled kernel takes this tensor."""
    return x.device.type == "cpu" and not _plain.get()


@contextmanager
def plain_torch() -> Iterator[None]:
    """Within, stacks compute in plain torch on the CPU too, as they do on other devices."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
