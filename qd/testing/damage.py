"""Ways to damage a log: each takes the file and a random generator, changes the file, and says what it did."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT"
SCHEMAS = {
    "a view in place of a table": "DROP TABLE tells; CREATE VIEW tells AS "
    f"{ENDLESS} n AS id, n * 1.0 AS seconds, n AS proposals FROM t",
    "an endless view of candidates": "ALTER TABLE candidates RENAME TO hidden; CREATE VIEW candidates AS"
    " SELECT h.* FROM hidden h, (WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t)",
    "a view of meta": "ALTER TABLE meta RENAME TO hidden; CREATE VIEW meta AS SELECT * FROM hidden",
    "a trigger": "CREATE TRIGGER evil AFTER INSERT ON sessions BEGIN DELETE FROM results; END",
    "another table": "CREATE TABLE evil (x)",
    "another index": "CREATE INDEX evil ON results (_seconds)",
    "another column": "ALTER TABLE tells ADD COLUMN evil TEXT",
    "a computed column": "ALTER TABLE tells ADD COLUMN evil TEXT AS (printf('%.*c', 100000000, 'x'))",
    "a virtual table": "DROP TABLE graphs; CREATE VIRTUAL TABLE graphs USING fts5(candidate, graph)",
    "a table without types": "DROP TABLE tells; CREATE TABLE tells (id, seconds, proposals);"
    " INSERT INTO tells VALUES ('a', x'00', NULL)",
    "no table of metrics": "DROP TABLE metrics",
    "no table of results": "DROP TABLE results",
    "no index": "DROP INDEX results_tell",
    "statistics": "ANALYZE",
    "a metric less": "DELETE FROM metrics WHERE rowid = 1",
    "a metric more": "INSERT INTO metrics VALUES ('more', '', 0, 1, 'maximise', 0, 'space')",
    "no metric": "DELETE FROM metrics",
    "a metric's name is SQL": "INSERT INTO metrics VALUES ('x\" FROM t; --', '', 0, 1, 'maximise', 0, 'space');"
    ' ALTER TABLE results ADD COLUMN "x"" FROM t; --" REAL',
    "a name that is a terminal's command": 'CREATE TABLE "\x1b[2J" (x)',
}
"""{what: SQL}, of what no log has."""

NUMBERS = (-1, 0, 5, 1 << 31, (1 << 53) + 1, (1 << 63) - 1, -(1 << 63))
REALS = (-1.0, 0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), 1e18)
TEXTS = (
    "", "null", "[]", "{}", "0", '""', "nonsense", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "[1e999]",
    "[NaN]", "[-1]", "[9223372036854775807]", "[" + "9" * 5000 + "]", '"\\ud800"', '["\\u0000"]', "\x1b[2J\x1b[31mred",
    "\u202eevil", "x" * 200_000, "minimise", "2026-99-99T99:99:99", "$\\frac{", "<script>alert(1)</script>",
    "[bold]x[/nonsense]", "%s{}",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 70, 1e12, 1e308, float("nan"), float("inf"), "", "x", "\x1b[2J", "\ud800", [], {}, [[]],
    [None], {"a": 1},
)  # fmt: skip
"""In place of anything within JSON."""
GRAPHS: tuple[Any, ...] = (
    [],
    None,
    {"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 9}]},
    {"nodes": [{"id": [1]}, {"id": {}}], "edges": []},
    {"nodes": [{"id": 0, "label": 5, "size": "x"}], "edges": [{"source": 0, "target": 0}]},
)
BLOBS = (
    b"", b"\0" * 16, b"nonsense", b"\xff" * 8 + b"{}", (1 << 40).to_bytes(8, "little") + b"{",
    zlib.compress(bytes(300_000_000), 1), *(zlib.compress(json.dumps(graph).encode()) for graph in GRAPHS),
)  # fmt: skip


def a_schema(log: Path, chance: random.Random) -> str:
    """Other tables than a log has."""
    what = chance.choice(list(SCHEMAS))
    change(log, SCHEMAS[what])
    return what


def change(log: Path, script: str) -> None:
    """Run SQL over a log."""
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.executescript(script)


def a_value(log: Path, chance: random.Random) -> str:
    """A value that its column may hold, and no search writes; in one row or in all."""
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        filled = [name for name in tables if connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]]
        table = chance.choice(filled)
        columns = connection.execute(f"SELECT name, type, pk, \"notnull\" FROM pragma_table_info('{table}')").fetchall()
        name, kind, key, needed = chance.choice(columns)
        first = columns[0][0]
        keys = [row[0] for row in connection.execute(f'SELECT "{first}" FROM {table}')]
        chosen = chance.choice(keys)
        old = connection.execute(f'SELECT "{name}" FROM {table} WHERE "{first}" = ?', [chosen]).fetchone()[0]
        new = _other(old, kind, chance)
        if new is None and (needed or key):
            new = chance.choice(NUMBERS if kind == "INTEGER" else REALS if kind == "REAL" else TEXTS)
        if isinstance(new, str):
            new = new.encode("utf-8", "replace").decode()
        every = not key and chance.random() < 0.3
        with contextlib.suppress(sqlite3.IntegrityError):
            connection.execute(
                f'UPDATE {table} SET "{name}" = ?' + ("" if every else f' WHERE "{first}" = ?'),
                [new] if every else [new, chosen],
            )
    return f"{table}.{name} of {chosen if not every else 'all'!r}: {str(old)[:60]!r} became {str(new)[:60]!r}"


def _other(old: Any, kind: str, chance: random.Random) -> Any:
    if kind == "INTEGER":
        return chance.choice((*NUMBERS, None))
    if kind == "REAL":
        return chance.choice((*REALS, None))
    if kind == "BLOB":
        return chance.choice((*BLOBS, None, (old or b"xxx")[: len(old or b"xxx") // 2]))
    try:
        data = json.loads(old)
    except (ValueError, TypeError):
        return chance.choice((*TEXTS, None))
    if chance.random() < 0.25 or not isinstance(data, (dict, list)) or not data:
        return chance.choice((*TEXTS, None))
    return json.dumps(_mutated(data, chance))


def _mutated(data: Any, chance: random.Random) -> Any:
    """The same with one thing in it changed, left out, or doubled."""
    places = list(data) if isinstance(data, dict) else list(range(len(data)))
    place = chance.choice(places)
    inner = data[place]
    if isinstance(inner, (dict, list)) and inner and chance.random() < 0.75:
        data[place] = _mutated(inner, chance)
    elif chance.random() < 0.2:
        del data[place]
    elif isinstance(data, dict) and chance.random() < 0.1:
        data["evil"] = inner
    else:
        data[place] = chance.choice(VALUES)
    return data


ROWS = (
    "DELETE FROM {table} WHERE rowid % 3 = 0",
    "DELETE FROM {table}",
    "UPDATE candidates SET parents = '[' || id || ']'",
    "UPDATE candidates SET parents = '[' || (id % 7 + 1) || ',1000000]'",
    "UPDATE candidates SET twin = id",
    "UPDATE candidates SET twin = 12345678 WHERE id = 5",
    "UPDATE evaluations SET candidate = 1",
    "UPDATE evaluations SET id = id + 100000",
    "UPDATE results SET _evaluation = -_evaluation",
    "UPDATE results SET _status = 9 WHERE _tell = 2",
    "UPDATE results SET _tell = 7",
    "UPDATE tells SET id = -id",
    "UPDATE insertions SET cell = -cell - 1",
    "UPDATE insertions SET cell = 9223372036854775807 - evaluation",
    "UPDATE insertions SET displaced = evaluation",
    "INSERT INTO refinements VALUES (3, '[2, 2]')",
    "INSERT INTO refinements VALUES (3, '[1000000000000, 7]')",
    "INSERT INTO refinements VALUES (3, '[0]')",
    "INSERT INTO refinements VALUES (3, '{{}}')",
    "UPDATE evaluations SET purpose = 'verification'",
    "UPDATE evaluations SET purpose = 'nonsense'",
    "UPDATE evaluations SET fidelity = 0.5",
    "UPDATE sessions SET id = -5",
    "UPDATE candidates SET id = 9223372036854775807 WHERE id = 3",
)


def a_row(log: Path, chance: random.Random) -> str:
    """Rows that are gone, or whose numbers are others."""
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        statement = chance.choice(ROWS).format(table=chance.choice(tables))
        with contextlib.suppress(sqlite3.Error):
            connection.execute(statement)
    return statement


def bytes_within(log: Path, chance: random.Random) -> str:
    """Bytes that flip, go or come."""
    content = bytearray(log.read_bytes())
    for _ in range(chance.choice((1, 1, 3, 30))):
        place = chance.randrange(len(content))
        if chance.random() < 0.5:  # the head of a page, where the b-tree is
            place = min(place // 4096 * 4096 + chance.randrange(16), len(content) - 1)
        content[place] = chance.choice((0, 0xFF, chance.randrange(256), content[place] ^ 1 << chance.randrange(8)))
    if chance.random() < 0.15:
        content = content[: chance.randrange(len(content))]
    if chance.random() < 0.1:
        content += chance.randbytes(chance.randrange(1, 9000))
    log.write_bytes(content)
    return "bytes"


DAMAGES: tuple[Callable[[Path, random.Random], str], ...] = (a_value, a_value, a_value, a_row, bytes_within, a_schema)


def damage(log: Path, seed: int) -> str:
    """Damage a log in one way or two; says how."""
    chance = random.Random(seed)
    done = [chance.choice(DAMAGES)(log, chance)]
    if chance.random() < 0.25:
        with contextlib.suppress(sqlite3.DatabaseError):  # after the first, SQLite may open it no more
            done.append(chance.choice(DAMAGES)(log, chance))
    return "; ".join(done)
