"""`where`: a person's SQL condition over elites, which can read what it should and nothing else."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ..errors import UsageError, clipped, shown, suggest

Row = TypeVar("Row", bound=Mapping[str, Any])
STEPS_BETWEEN_CHECKS = 1_000
CHECKS = 50_000
"""A condition that takes longer than this many steps of SQLite's machine is refused."""
SECONDS = 10
"""So is one that takes longer than this: a step may be a function that searches a text for another."""
LONGEST_TEXT = 10_000
"""Characters of a condition and of all that it makes; nested calls of `replace` would fill the memory."""

_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_FUNCTION}
_FUNCTIONS = frozenset(
    "abs ceil coalesce cos exp floor glob ifnull iif instr length like ln log log10 log2 lower ltrim max min mod nullif"
    " pow power replace round rtrim sign sin sqrt substr trim trunc upper".split()
)
_QUOTED = re.compile(r"'(?:[^']|'')*'|" r'"(?P<name>[^"]*)"')


def matching(rows: Sequence[Row], columns: Sequence[str], condition: str) -> list[Row]:
    """Return the rows that fulfil an SQL condition.

    The condition runs in a database of its own that holds these columns and nothing else, under an authoriser that
    allows reading them and calling arithmetic and text functions.

    Args:
        rows: with an `id`.
        columns: what the condition may name; names that are SQL words are written in double quotes.
        condition: what may stand behind WHERE, e.g. `val_accuracy > 0.8 AND operator = 'crossover'`.

    Raises:
        UsageError: it is not SQL, or reaches for something else; says what may be named.
    """
    _check_quoted(condition, columns)
    database = sqlite3.connect(":memory:")
    try:
        names = ", ".join(f'"{name}"' for name in columns)
        database.execute(f"CREATE TABLE elites ({names})")
        database.executemany(
            f"INSERT INTO elites VALUES ({', '.join('?' * len(columns))})",
            ([row[name] for name in columns] for row in rows),
        )
        database.execute("PRAGMA query_only = ON")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_TEXT)
        database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_TEXT)
        refused: list[str] = []
        database.set_authorizer(lambda *request: _authorise(refused, *request))
        checks, end = iter(range(CHECKS)), time.monotonic() + SECONDS
        database.set_progress_handler(
            lambda: next(checks, None) is None or time.monotonic() > end, STEPS_BETWEEN_CHECKS
        )
        try:
            found = {row[0] for row in database.execute(f"SELECT id FROM elites WHERE (\n{condition}\n)")}
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            reason = refused[0] if refused else str(error)
            if reason == "interrupted":
                reason = "it takes too long"
            raise _refusal(condition, reason, columns) from None
    finally:
        database.close()
    return [row for row in rows if row["id"] in found]


def _check_quoted(condition: str, columns: Sequence[str]) -> None:
    # SQLite takes a quoted name that it does not know for text, and the condition would silently hold everywhere
    for match in _QUOTED.finditer(condition):
        name = match["name"]
        if name is not None and name.lower() not in columns:
            raise _refusal(condition, f'no such column: "{name}"{suggest(name, columns)}', columns)


def _refusal(condition: str, reason: str, columns: Sequence[str]) -> UsageError:
    return UsageError(
        f"`where` {shown(condition)}: {clipped(reason)}\nExpected an SQL condition over {', '.join(columns)};"
        ' a name that is an SQL word is quoted: "order" > 3'
    )


def _authorise(refused: list[str], action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_READ and first == "elites":
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS:
        refused.append(f"the function {second!r} may not be called")
        return sqlite3.SQLITE_DENY
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    refused.append(f"it may only read columns of the elites, and reached for {first or second or 'something else'!r}")
    return sqlite3.SQLITE_DENY
