"""The text of a file that somebody else wrote."""

from __future__ import annotations

import stat
from pathlib import Path

LARGEST = 16 * 2**20
"""Bytes; the largest of ours, a run file with thousands of genotypes to begin with, has a tenth of it."""


def read_text(path: Path) -> str:
    """Read UTF-8, with or without a byte order mark; lines end with a line feed alone.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, is larger than any of ours, or holds something else; without the path.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait for whoever writes to it
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise ValueError(f"expected a file, got {kind}")
    if found.st_size > LARGEST:
        raise ValueError(f"expected at most {LARGEST // 2**20} MB, got {found.st_size / 2**20:,.0f} MB")
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("expected text in UTF-8, got UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected text in UTF-8, got the byte {content[error.start]:#x} at {error.start}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
