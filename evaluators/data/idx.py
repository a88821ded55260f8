"""The IDX format of the MNIST family: a header of sizes, then bytes."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

UNSIGNED_BYTE = 0x08
"""The format's code for the one type of element that is read here."""


def unpacked(path: Path) -> bytes:
    """Read a file, gzipped where its name ends in `.gz`.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, but {error}; fetch it again") from error


def read_idx(path: Path) -> np.ndarray:
    """Read an array of uint8 from an IDX file, gzipped where its name ends in `.gz`.

    Raises:
        ValueError: the file is damaged or something else.
    """
    content = unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise ValueError(
            f"{path}: expected an IDX file of bytes, which starts with 00 00 08, but it starts with "
            f"{content[:4].hex(' ') or 'nothing'}; is it another kind of file?"
        )
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(f"{path}: the file ends within its header, after {len(content)} bytes; fetch it again")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"{path}: its header promises {' x '.join(map(str, shape))} = {math.prod(shape)} bytes, "
            f"but {len(content) - start} follow; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
