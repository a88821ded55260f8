"""Weights of a library, read and checked; nothing is unpickled."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from torch import Tensor

from qd.plain_data.tensors import tensors_of

from .record import ModuleRecord

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt")
"""Endings of files that are no part of a library."""


def check_files(folder: Path) -> None:
    """Look for files that a library must not hold.

    Raises:
        ValueError: there is a pickle, or a pipe.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".safetensors") and not path.is_file():  # reading a pipe would wait for a writer
            raise ValueError(f"{path}: expected a file; take it out")
        if path.suffix in PICKLES:
            raise ValueError(
                f"{path}: a pickle, and a library unpickles nothing: it holds .json and .safetensors files alone;"
                " take it out"
            )


def read_weights(path: Path, record: ModuleRecord) -> dict[str, Tensor]:
    """Read the weights of a module: {name: tensor}.

    Raises:
        ValueError: they are missing, damaged or changed; says what to do.
    """
    again = "restore it from a copy, or build the module again"
    try:
        content = path.read_bytes()
        weights = tensors_of(content)
    except OSError as error:
        raise ValueError(f"{path}: the weights of {record.name} are missing ({error.strerror}); {again}") from error
    except ValueError as error:
        raise ValueError(
            f"{path}: expected a safetensors file (a pickle is never read), but it is {error}; {again}"
        ) from error
    if digest_of(content) != record.digest:
        raise ValueError(
            f"{path}: the weights have changed since they were recorded: expected the digest {record.digest[:16]}…,"
            f" got {digest_of(content)[:16]}…; {again}"
        )
    return weights


def digest_of(content: bytes) -> str:
    """BLAKE2b of a file's content, as a record holds it."""
    return blake2b(content, digest_size=32).hexdigest()
