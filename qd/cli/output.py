"""Where words go: JSON and tables of data on stdout, everything else on stderr.

Much of it is a stranger's: messages, names, genotypes. None of it moves the cursor, and every encoding takes it.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ..wording import printable


class _Console(Console):
    """A console that shows text as `printable` makes it; its own colours and movements stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


console = _Console(stderr=True, highlight=False, width=None if sys.stderr and sys.stderr.isatty() else 120)


def stdout() -> Console:
    """For tables; a pipe or a file gets lines as long as they need to be."""
    return _Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def note(line: str) -> None:
    """A line for people, on stderr."""
    print(printable(line), file=sys.stderr, flush=True)


def write(line: str) -> None:
    """A line of what was asked for, on stdout."""
    print(printable(line))


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


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A table for programs, on stdout."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(printable(text.getvalue()), end="")
