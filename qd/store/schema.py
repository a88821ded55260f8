"""What a log consists of: its tables are made from here, and a file that has others is refused."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from importlib import resources

from ..candidates import Purpose, Status

METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MOST_METRICS = 500
LATER = frozenset(("predictions", "models", "curves", "starts"))
"""Tables that logs may lack, as there was nothing to write into them when they were made."""

_ID = f"BETWEEN 1 AND {(1 << 53) - 1}"
_FINITE = "BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308"
_PURPOSES = ", ".join(f"'{purpose.value}'" for purpose in Purpose)
PROMISES = {
    "candidates": f"SELECT 1 FROM candidates WHERE NOT id {_ID} OR NOT twin BETWEEN 1 AND id - 1",
    "evaluations": "SELECT 1 FROM evaluations e LEFT JOIN candidates c ON c.id = e.candidate WHERE c.id IS NULL"
    f" OR NOT e.id {_ID} OR e.purpose NOT IN ({_PURPOSES}) OR NOT e.fidelity {_FINITE}"
    " OR e.batch < 0 OR e.repeat < 0 OR e.seed < 0 OR e.shared_seed < 0 OR e.session < 1",
    "insertions": "SELECT 1 FROM insertions i LEFT JOIN results ON _evaluation = i.evaluation"
    f" WHERE _evaluation IS NULL OR NOT i.cell BETWEEN 0 AND {1 << 53}",
    "starts": "SELECT 1 FROM starts s LEFT JOIN evaluations e ON e.id = s.evaluation LEFT JOIN evaluations o"
    " ON o.id = s.source WHERE e.id IS NULL OR o.id IS NULL OR s.source >= s.evaluation"
    " OR NOT s.spent BETWEEN 0 AND e.fidelity",
    "tells": f"SELECT 1 FROM tells WHERE NOT id {_ID} OR NOT seconds BETWEEN 0 AND 1e12",
    "sessions": f"SELECT 1 FROM sessions WHERE NOT id {_ID}",
    "graphs": "SELECT 1 FROM graphs g LEFT JOIN candidates c ON c.id = g.candidate WHERE c.id IS NULL",
    "figures": "SELECT 1 FROM figures f LEFT JOIN tells t ON t.id = f.tell WHERE t.id IS NULL"
    f" OR NOT qd_score {_FINITE} OR NOT best {_FINITE} OR MIN(evaluations, ok, elites, cells) < 0",
    "curves": "SELECT 1 FROM curves c LEFT JOIN results ON _evaluation = c.evaluation WHERE _status IS NOT 0",
    "predictions": f"SELECT 1 FROM predictions WHERE NOT mean {_FINITE} OR NOT deviation BETWEEN 0 AND 1e308",
}
"""{table: SQL that finds a row that no search writes}: what numbers refer to is there, and ranges are kept."""


def promises(metrics: Iterable[str]) -> dict[str, str]:
    """`PROMISES`, and that of the results with these metrics."""
    values = "".join(
        f' OR (_status = {Status.OK.value} AND results."{name}" {_FINITE} IS NOT TRUE)' for name in metrics
    )
    return {
        **PROMISES,
        "results": "SELECT 1 FROM results LEFT JOIN evaluations e ON e.id = _evaluation WHERE e.id IS NULL"
        f" OR NOT _tell BETWEEN 0 AND {1 << 53} OR NOT _status BETWEEN 0 AND {len(Status) - 1}"
        f" OR NOT _seconds {_FINITE}{values}",
    }


def statements(metrics: Iterable[str]) -> list[str]:
    """SQL that makes the tables of a log in which results have these metrics."""
    tables = resources.files("qd.store").joinpath("schema.sql").read_text().split(";\n")[:-1]
    columns = "".join(f',\n    "{name}" REAL' for name in metrics)
    return [
        *tables,
        "CREATE TABLE results (\n    _evaluation INTEGER PRIMARY KEY,\n    _tell INTEGER NOT NULL,\n"
        "    _attempt INTEGER NOT NULL,\n    _status INTEGER NOT NULL,  -- Status: 0 ok, 1 invalid, 2 failed,"
        " 3 timed out, 4 lost\n    _seconds REAL NOT NULL,\n    _worker TEXT NOT NULL,\n    _error TEXT"
        f"{columns}\n) STRICT",
        "CREATE INDEX results_tell ON results (_tell)",  # readers ask what is new since a tell
    ]


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Make an open log of an earlier version one of this, in a transaction of its own: it gets the tables of `LATER`.

    Raises:
        sqlite3.Error: it cannot be written; it stays as it was.
    """
    if connection.execute("PRAGMA user_version").fetchone()[0] >= version:
        return
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    connection.execute("BEGIN IMMEDIATE")
    for statement in statements([]):
        name = _bare(statement).split()[2]
        if name in LATER and name not in there:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("COMMIT")


def what_is_wrong(connection: sqlite3.Connection) -> str | None:
    """What distinguishes the tables of an open file from those of a log; None where they are the same.

    A view in place of a table, a trigger or a computed column would run whatever its author wrote, so anything but
    the tables themselves is refused, and nothing is asked of any of them before.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    expected = _by_name(statements([]))
    found: dict[str, str] = {}
    for name, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"):
        if name not in expected or name in found:
            return f"{name!r} is no part of a log"
        found[name] = _bare(sql)
    for name in expected:
        if name not in found and name not in LATER:
            return f"{name!r} is missing"
        if name in found and name != "results" and found[name] != expected[name]:
            return f"{name!r} is not as a log has it"
    rows = connection.execute("SELECT name FROM metrics ORDER BY rowid LIMIT ?", [MOST_METRICS + 1])
    metrics = [name for (name,) in rows]
    if len(metrics) > MOST_METRICS or not all(METRIC_NAME.fullmatch(name) for name in metrics):
        return "its metrics have names that none can have"
    if found["results"] != _by_name(statements(metrics))["results"]:
        return "'results' has not the metrics that the log describes"
    return None


def _by_name(statements: Iterable[str]) -> dict[str, str]:
    return {bare.split()[2]: bare for bare in map(_bare, statements)}


def _bare(statement: str) -> str:
    """Without remarks and spaces, which differ between versions."""
    return " ".join(re.sub("--.*", "", statement).split())
