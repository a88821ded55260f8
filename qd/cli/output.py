"""Where words go: JSON and tables of data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 120)


def stdout() -> Console:
    """For tables; a pipe or a file gets lines as long as they need to be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def note(line: str) -> None:
    """A line for people, on stderr, exactly as it is."""
    print(line, file=sys.stderr, flush=True)


def print_json(data: Any) -> None:
    """Data for programs, on stdout."""
    print(json.dumps(data, indent=2, allow_nan=False))


def number(value: float | None) -> str:
    """A number as people read it: 4 significant digits, thousands apart."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """3725 → "1:02:05"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
