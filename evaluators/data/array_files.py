"""Arrays in files, without reading them: `.npy`, `.npz`, `.safetensors`, and folders of `.npy` files.

Nothing is ever unpickled: an array of objects is refused by its header.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from qd.plain_data import parse_json

from .rows import AT_ONCE, StoredRows

MOST_COMPRESSED = 1032
"""How many times smaller deflate makes anything, at most."""
LONGEST_HEADER = 10**8
"""Bytes of a safetensors header, as its own library has it."""
SAFETENSORS = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
    "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
"""{type there: numpy's}; others, such as BF16, numpy has not."""


@dataclass(frozen=True)
class StoredArray:
    """An array in a file, of which nothing but its header was read.

    Args:
        path: of the file.
        offset: bytes before its first number, in the file, or in the member.
        dtype: of its numbers; none of objects.
        shape: of it.
        fortran: whether the first axis changes fastest.
        member: of a zip file, where it is compressed; None: it lies in the file as it is.
    """

    path: Path
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]
    fortran: bool = False
    member: str | None = None

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def rows(self) -> StoredRows | None:
        """The rows where they lie; None where they cannot be read one by one."""
        if self.member is not None or self.fortran:
            return None
        return StoredRows(self.path, self.offset, self.dtype, self.shape)

    def read(self) -> np.ndarray:
        """All of it, in memory.

        Raises:
            ValueError: the file is damaged.
        """
        whole, filled = np.empty(math.prod(self.shape), self.dtype), 0
        for block in self.blocks():
            whole[filled : filled + len(block)] = block
            filled += len(block)
        return whole.reshape(self.shape, order="F" if self.fortran else "C")

    def blocks(self) -> Iterator[np.ndarray]:
        """All numbers in the order of the file, some millions at once: flat arrays.

        Raises:
            ValueError: the file is damaged.
        """
        left = self.nbytes
        try:
            with self._open() as file:
                while left:
                    content = file.read(min(left, AT_ONCE * self.dtype.itemsize))
                    if not content or len(content) % self.dtype.itemsize:
                        raise ValueError(f"data: {self.path}: the file ends within an array; fetch it again")
                    left -= len(content)
                    yield np.frombuffer(content, self.dtype)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"data: {self.path}: {self.member} is damaged ({error}); fetch it again") from error

    def _open(self) -> IO[bytes]:
        if self.member is None:
            file = self.path.open("rb")
            file.seek(self.offset)
            return file
        with zipfile.ZipFile(self.path) as archive:  # the member keeps the file open
            member = archive.open(self.member)
        member.read(self.offset)
        return member


def open_arrays(path: Path) -> Mapping[str, StoredArray]:
    """{name: array} of a file, or of a folder's `.npy` files; nothing of them is read.

    Raises:
        ValueError: it is damaged, something else, or holds an array of objects.
    """
    if path.is_dir() or path.suffix.lower() == ".npy":
        return NpyFiles(path if path.is_dir() else path.parent)
    if path.suffix.lower() == ".npz":
        return _open_npz(path)
    if path.suffix.lower() == ".safetensors":
        return _open_safetensors(path)
    raise ValueError(f"data: {path}: expected a .npz, .npy or .safetensors file, or a folder of .npy files")


class NpyFiles(Mapping[str, StoredArray]):
    """The `.npy` files of a folder by their stems; each is looked at when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._files = {one.stem: one for one in sorted(folder.glob("*.npy"))}

    def __getitem__(self, name: str) -> StoredArray:
        path = self._files[name]
        with path.open("rb") as file:
            array = _header(file, path, path.name)
        return _whole(array, path.stat().st_size - array.offset, path.name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _open_npz(path: Path) -> dict[str, StoredArray]:
    found: dict[str, StoredArray] = {}
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            for member in archive.infolist():
                if not member.filename.endswith(".npy"):
                    continue
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ValueError(f"data: {path}: {member.filename}: expected it as numpy.savez writes it")
                with archive.open(member) as opened:
                    array = _header(opened, path, member.filename)
                if member.file_size > MOST_COMPRESSED * member.compress_size + 10**4:
                    raise ValueError(f"data: {path}: {member.filename} promises more than it can hold; fetch it again")
                array = _whole(array, member.file_size - array.offset, member.filename)
                found[member.filename.removesuffix(".npy")] = _placed(array, member, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        raise ValueError(
            f"data: {path}: expected a whole .npz file, but {error}; write it anew by numpy.savez"
        ) from error
    return found


def _placed(array: StoredArray, member: zipfile.ZipInfo, file: IO[bytes]) -> StoredArray:
    """Where a member lies in the file, if it is not compressed."""
    if member.compress_type != zipfile.ZIP_STORED:
        return StoredArray(array.path, array.offset, array.dtype, array.shape, array.fortran, member.filename)
    file.seek(member.header_offset + 26)
    name, extra = struct.unpack("<HH", file.read(4))  # the local header's own, which may differ from the directory's
    start = member.header_offset + 30 + name + extra
    if start + member.file_size > os.fstat(file.fileno()).st_size:
        raise zipfile.BadZipFile(f"{member.filename} ends after the file")
    return StoredArray(array.path, start + array.offset, array.dtype, array.shape, array.fortran)


def _header(file: IO[bytes], path: Path, name: str) -> StoredArray:
    """The header of a `.npy` file, or of a member."""
    start = file.read(8)
    try:
        if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0"):
            is_pickle = start[:1] == b"\x80"
            raise ValueError(f"it starts with {start.hex(' ')}{', as a pickle does' if is_pickle else ''}")
        read = np.lib.format.read_array_header_1_0 if start[6] == 1 else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise ValueError(
            f"data: {path}: {name}: expected an array as numpy.save writes it, but {error}. Pickles are never loaded"
        ) from None
    if dtype.hasobject:
        raise ValueError(
            f"data: {path}: {name} is an array of Python objects, which numpy pickles; pickles are never loaded. Save"
            " numbers or text of one shape, such as numpy.array(names, str)"
        )
    if dtype.kind not in "biufSU" or not dtype.itemsize:
        raise ValueError(f"data: {path}: {name}: expected numbers or text, got {dtype}")
    return StoredArray(path, file.tell(), dtype, tuple(map(int, shape)), fortran and len(shape) > 1)


def _whole(array: StoredArray, there: int, name: str) -> StoredArray:
    if array.nbytes != there or min(array.shape, default=1) < 0:
        raise ValueError(
            f"data: {array.path}: {name}: its header promises {array.nbytes} bytes, and {there} are there; fetch it"
            " again"
        )
    return array


def _open_safetensors(path: Path) -> dict[str, StoredArray]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise ValueError(f"data: {path}: expected a safetensors file, got another or a part of one")
        header = file.read(length)
    try:
        entries = {name: one for name, one in parse_json(header.decode()).items() if name != "__metadata__"}
        found: dict[str, StoredArray] = {}
        for name, one in entries.items():
            (start, end), shape = one["data_offsets"], tuple(map(int, one["shape"]))
            if one["dtype"] not in SAFETENSORS:
                raise ValueError(f"{name} is of type {one['dtype']}, which numpy has not; write it as F32")
            array = StoredArray(path, 8 + length + start, np.dtype(SAFETENSORS[one["dtype"]]), shape)
            if not 0 <= start <= end <= size - 8 - length or min(shape, default=1) < 0 or array.nbytes != end - start:
                raise ValueError(f"{name} does not lie in the file as its header says")
            found[name] = array
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"data: {path}: expected a whole safetensors file, but {error}") from None
    return found
