"""A log's file is opened for reading, or refused: damaged, foreign, newer, or no run folder at all."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from ..errors import UsageError
from ..wording import printable
from .log import APPLICATION_ID, SCHEMA_VERSION
from .schema import what_is_wrong

SHOWN = 300
"""Characters of what SQLite, JSON or a log says of itself, in a message."""


def open_log(path: Path) -> sqlite3.Connection:
    """Open a log read-only.

    Raises:
        UsageError: it is no log of a run, or one that cannot be read; the message says what to do.
    """
    if not path.is_file():
        raise UsageError(f"{path.parent} is no run folder: expected {path.name} in it. Folders of runs lie in results/")
    # A reader may not ignore a write-ahead log that stands beside the file: it holds committed rows. Where none does,
    # `immutable` also reads from a folder that cannot be written to.
    has_wal = path.with_name(path.name + "-wal").exists()
    writable = os.access(path.parent, os.W_OK)
    mode = "mode=ro" if has_wal or writable else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=30, check_same_thread=False
        )
    except sqlite3.OperationalError as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    try:
        for setting in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):  # a stranger wrote it
            connection.execute(f"PRAGMA {setting}")
        anything, tables = connection.execute("SELECT COUNT(*), TOTAL(name = 'meta') FROM sqlite_schema").fetchone()
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        connection.close()
        if has_wal and not writable:
            raise UsageError(
                f"{path}: this search did not end in order, and its folder cannot be written to, which reading what it"
                " wrote last needs; copy the folder to a place of your own"
            ) from error
        raise unreadable(path, error) from error
    if not anything:  # its driver is about to write the first rows, or was killed before it did
        connection.close()
        raise UsageError(f"{path}: the log ends before its first row; the run never began, or begins just now")
    if application != APPLICATION_ID:
        connection.close()
        raise UsageError(f"{path}: an SQLite file, but no log of a qd run")
    if version > SCHEMA_VERSION:
        connection.close()
        raise UsageError(
            f"{path}: written by a newer qd (log version {version}, this qd reads up to {SCHEMA_VERSION}); update qdnas"
        )
    if not tables:
        connection.close()
        raise UsageError(f"{path}: the log ends before its first row; the run never began")
    try:
        wrong = what_is_wrong(connection)
    except sqlite3.DatabaseError as error:
        wrong = error
    if wrong is not None:
        connection.close()
        raise unreadable(path, wrong) if isinstance(wrong, sqlite3.Error) else damaged(path, wrong)
    return connection


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
