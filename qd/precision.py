"""Single precision: networks are trained, measured and exported in it, in whatever type their space builds them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def single_precision() -> Iterator[None]:
    """Within, torch makes tensors of float32 unless told otherwise; afterwards of what it made before.

    What a stranger's code sets by `torch.set_default_dtype` holds for the code within, and for nothing else. Torch is
    not loaded for that.
    """
    before = sys.modules["torch"].get_default_dtype() if "torch" in sys.modules else None
    _set_default(None)
    try:
        yield
    finally:
        _set_default(before)


def _set_default(dtype: object) -> None:
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_default_dtype(dtype or torch.float32)


def in_single_precision(array: np.ndarray) -> np.ndarray:
    """Floating-point numbers as float32; whole numbers, such as classes or words, as they are."""
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array
