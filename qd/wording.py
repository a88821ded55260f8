"""Numbers and text as people read them, on the command line, in reports and in the browser."""

from __future__ import annotations

import re

_NOT_PRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, which move a terminal's cursor; not tab and new line
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # turns the direction of text; unusual new lines
    "\ud800-\udfff]"  # lone surrogates, as of a path that is no UTF-8: nothing that writes UTF-8 takes them
)


def printable(text: str, most: int | None = None) -> str:
    """Text of a stranger, such as a message or a name, made safe to store and to show.

    Args:
        text: anything, also from a file's name or a damaged log.
        most: characters that are kept; of a longer text the middle is left out, and the result says how much.

    Returns:
        The text, with control characters, marks of direction and lone surrogates written as Python escapes them.
    """
    if most is not None and len(text) > most:
        head, tail = most - most // 2, most // 2
        text = f"{text[:head]}[… {len(text) - most:,} more …]{text[len(text) - tail :]}"
    if text.isprintable():
        return text
    return _NOT_PRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def number(value: float | None) -> str:
    """4 significant digits, thousands apart; "–" for None."""
    if value is None:
        return "–"
    if 1000 <= abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def none_is_ok(invalid: int, of: int) -> str:
    """What evaluations did of which none is ok: "failed", "were invalid" or both."""
    if invalid == of:
        return "were invalid"
    return "failed or were invalid" if invalid else "failed"


def duration(seconds: float) -> str:
    """3725 → "1:02:05"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def tested(name: str) -> str:
    """What a metric is called that was scored on the test split: "val_loss" is "test_loss"; others keep their names."""
    return f"test_{name.removeprefix('val_')}" if name.startswith("val_") else name
