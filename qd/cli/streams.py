"""Standard streams that outlast what is behind them: a full disk, a pipe whose reader ended, a terminal that closed.

What only informs may not end what matters. So nothing that is written to stderr or stdout raises; where a result could
not be written to stdout, the command says so and fails at its end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

GONE = (errno.EPIPE, errno.EIO)
"""Whoever read has had enough (`qd elites … | head`), or the terminal was closed: nobody misses the rest."""


class Lasting:
    """A stream that keeps an error of writing for itself, and is otherwise the one that it stands for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or note why not."""
        with self._noting():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush, or note why not."""
        with self._noting():
            self._stream.flush()

    def finish(self) -> None:
        """Leave nothing behind that Python would fail to write when it ends."""
        self.flush()
        if self.error is not None:
            with contextlib.suppress(OSError):  # one without a file of its own, as under pytest
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
        except ValueError as error:  # a plug-in closed it
            if isinstance(error, UnicodeError):
                raise


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Let stdout and stderr last; a result that could not be written to stdout ends the program with status 1."""
    _open_what_is_closed()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # an escape for what its encoding lacks, as stderr does
    before = sys.stdout, sys.stderr
    out, err = Lasting(sys.stdout), Lasting(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        out.finish()
        lost = out.error is not None and out.error.errno not in GONE
        if lost:
            print(f"qd: stdout cannot be written to: {out.error}", file=sys.stderr)
        err.finish()
        sys.stdout, sys.stderr = before
        if lost:
            sys.exit(1)


def _open_what_is_closed() -> None:
    """After `2>&-`: no file of ours may become the stream, and Python has none to write to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+"))  # noqa: SIM115 - for as long as the process lives
