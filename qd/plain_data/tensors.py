"""Trained weights that somebody else wrote; nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import clipped

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def tensors_of(content: bytes) -> dict[str, Tensor]:
    """{name: tensor} of a safetensors file's content.

    Raises:
        ValueError: it is damaged or something else, or a value is not finite.
    """
    from safetensors.torch import load

    try:
        tensors = load(content)
    except Exception as error:  # safetensors has its own exception, and raises others for unknown types of numbers
        raise ValueError(f"damaged, or no safetensors ({str(error) or type(error).__name__})") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{name[:80]} has values that are not finite")
    return tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """{name: tensor} of a safetensors file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, damaged or something else, or a value is not finite; without the path.
    """
    if path.exists() and not path.is_file():  # reading a pipe would wait for whoever writes to it
        raise ValueError("no file")
    return tensors_of(path.read_bytes())


def check_fit(tensors: Mapping[str, Tensor], network: Module) -> None:
    """Raise `ValueError` where tensors are not those of a network: other names, shapes, or whole numbers for real ones.

    Args:
        tensors: {name: tensor}.
        network: may be on the device "meta", without any memory of its own.
    """
    expected = {name: _described(tensor) for name, tensor in network.state_dict().items()}
    found = {name: _described(tensor) for name, tensor in tensors.items()}
    names = [*expected, *sorted(found.keys() - expected.keys())]  # a file's tensors come in any order
    wrong = [name for name in names if expected.get(name) != found.get(name)]
    if wrong:
        more = f", and {len(wrong) - 1} more do not fit" if len(wrong) > 1 else ""
        one = wrong[0]
        raise ValueError(
            f"{clipped(one)}: expected {expected.get(one, 'no such tensor')}, got {found.get(one, 'none')}{more}"
        )


def _described(tensor: Tensor) -> str:
    kind = "real" if tensor.is_floating_point() else "other"
    return f"{'×'.join(map(str, tensor.shape)) or 'one'} {kind} numbers"
