"""Where training happens: the device, and the threads that a worker may use."""

from __future__ import annotations

from functools import cache

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


@cache
def pin_threads() -> None:
    """Use one thread in this process: small networks gain nothing from more, and workers share the machine."""
    torch.set_num_threads(1)
    threadpool_limits(1)  # the matrix products of compiled kernels go through SciPy's BLAS
