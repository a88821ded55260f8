"""Where training happens: the device, and the threads that a worker may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch
from threadpoolctl import threadpool_limits


def find_device(name: str) -> torch.device:
    """Return the device of a name: "auto", "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: it is no such name, or there is no such GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, colon, index = name.partition(":")
    if kind not in ("cpu", "cuda") or (colon and not (kind == "cuda" and index.isdigit())):
        raise ValueError(f"device: expected auto, cpu, cuda or cuda:INDEX, got {name!r}")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: {name!r} asks for a GPU, torch sees {torch.cuda.device_count()}; use cpu or auto")
    return torch.device(name)


@contextmanager
def float32_products(device: torch.device, precision: Literal["ieee", "tf32"]) -> Iterator[None]:
    """Within, products of float32 matrices and convolutions on a card are computed in this precision.

    Args:
        device: where; elsewhere than on a card nothing changes.
        precision: "ieee", or "tf32": factors are rounded to ten bits.
    """
    if device.type != "cuda":
        yield
        return
    kinds = torch.backends.cuda.matmul, torch.backends.cudnn.conv  # pyright: ignore[reportAttributeAccessIssue]
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = precision
        yield
    finally:
        for kind, was in zip(kinds, before, strict=True):
            kind.fp32_precision = was


@cache
def pin_threads() -> None:
    """Use one thread in this process: small networks gain nothing from more, and workers share the machine."""
    torch.set_num_threads(1)
    threadpool_limits(1)  # the matrix products of compiled kernels go through SciPy's BLAS
