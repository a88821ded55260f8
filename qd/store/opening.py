"""A log's file is opened for reading, or refused: damaged, foreign, newer, or no run folder at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..wording import printable
from .folder import RunFolder
from .log import APPLICATION_ID, SCHEMA_VERSION
from .schema import what_is_wrong

SHOWN = 300
"""Characters of what SQLite, JSON or a log says of itself, in a message."""


BESIDE = ("-wal", "-journal")
"""Ends of the names of files beside a log that hold a part of it, as long as its driver has not ended in order."""


def open_log(path: Path) -> sqlite3.Connection:
    """Open a log read-only.

    A driver that was killed while it changed the file itself left a journal, which SQLite takes back before anybody
    can read; one that ended while somebody looked left its write-ahead log. Both are put in order here: in a copy,
    where the folder cannot be written to.

    Raises:
        UsageError: it is no log of a run, or one that cannot be read; the message says what to do.
    """
    if not path.is_file():
        raise UsageError(_missing(path))
    left = [path.with_name(path.name + end) for end in BESIDE if path.with_name(path.name + end).exists()]
    writable = os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
    # A reader may not ignore what stands beside the file: it holds committed rows. Where nothing does, `immutable`
    # also reads from a folder that cannot be written to.
    mode = "mode=ro" if left or writable else "mode=ro&immutable=1"
    try:
        try:
            connection = _open(path, mode)
            if not (left and writable and _has_ended(connection)):
                return connection
            connection.close()
        except sqlite3.OperationalError as error:
            if not left or error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise
        if not writable:
            return _open_copy(path, left)
        put_in_order(path)
        return _open(path, mode)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def put_in_order(path: Path) -> None:
    """Leave one portable file, where nobody else has it open; what was under way is taken back."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
        connection.execute("SELECT COUNT(*) FROM sqlite_schema")
        with contextlib.suppress(sqlite3.OperationalError):  # somebody has
            connection.execute("PRAGMA journal_mode = DELETE")


def _missing(path: Path) -> str:
    folder = path.parent
    if RunFolder(folder).never_began:
        return f"{folder}: this run was ended before it began; start it again: qd run RUNFILE --out {folder}"
    return f"{folder} is no run folder: expected {path.name} in it. Folders of runs lie in results/"


def _open_copy(path: Path, left: Sequence[Path]) -> sqlite3.Connection:
    """The log in order, in a place that is gone when the connection is closed."""
    try:
        with tempfile.TemporaryDirectory(prefix="qd-") as name:
            for one in (path, *left):
                (Path(name) / one.name).write_bytes(one.read_bytes())
            copy = Path(name) / path.name
            put_in_order(copy)
            return _open(copy, "mode=ro&immutable=1", path)
    except OSError as error:
        raise UsageError(
            f"{path}: this search did not end in order, its folder cannot be written to, and it cannot be copied to"
            f" {tempfile.gettempdir()} to be read ({error.strerror}); copy the folder to a place of your own"
        ) from error


def _open(path: Path, mode: str, name: Path | None = None) -> sqlite3.Connection:
    """Raises `UsageError` where it is no log that this version reads; `name` is what people call it."""
    name = name or path
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=30, check_same_thread=False)
    try:
        for setting in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):  # a stranger wrote it
            connection.execute(f"PRAGMA {setting}")
        anything, tables = connection.execute("SELECT COUNT(*), TOTAL(name = 'meta') FROM sqlite_schema").fetchone()
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if not anything:
            raise UsageError(f"{name}: the log ends before its first row")
        if application != APPLICATION_ID:
            raise UsageError(f"{name}: an SQLite file, but no log of a qd run")
        if version > SCHEMA_VERSION:
            raise UsageError(
                f"{name}: written by a newer qd (log version {version}, this qd reads up to {SCHEMA_VERSION});"
                " update qdnas"
            )
        if not tables:
            raise UsageError(f"{name}: the log ends before its first row")
        wrong = what_is_wrong(connection)
        if wrong is not None:
            raise damaged(name, wrong)
    except BaseException:
        connection.close()
        raise
    return connection


def _has_ended(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM meta WHERE name = 'ending' AND value <> 'null'").fetchone() is not None


def damaged(path: Path, error: object) -> UsageError:
    """The error to raise where a log does not say what it should."""
    text = printable(str(error), SHOWN)
    return UsageError(f"{path}: the log is damaged ({text}); it was left untouched. Restore it from a copy")


def unreadable(path: Path, error: Exception) -> UsageError:
    """The error to raise where SQLite fails: not all that it reports is damage."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    text = printable(str(error), SHOWN)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return UsageError(f"{path}: another program keeps the log for itself ({text}); try again, or close it")
    if code == sqlite3.SQLITE_INTERRUPT:
        return damaged(path, "to read it takes longer than a log of its size can take")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_MISMATCH):
        return damaged(path, error)
    return UsageError(f"{path}: cannot be read ({text})")
