"""Where words go: JSON and tables of data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 120)


def stdout() -> Console:
    """For tables; a pipe or a file gets lines as long as they need to be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def note(line: str) -> None:
    """A line for people, on stderr, exactly as it is."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def notes_of_the_library() -> Iterator[None]:
    """Print what the library logs for people, with warnings marked as such."""
    logger, handler = logging.getLogger("qd"), _Notes()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a plug-in that sets up logging for itself must not double the lines
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(("warning: " if record.levelno >= logging.WARNING else "") + record.getMessage())


def print_json(data: Any) -> None:
    """Data for programs, on stdout."""
    print(json.dumps(data, indent=2, allow_nan=False))
