"""Damage: values, trees, texts, bytes, tables and tensors that nobody would write on purpose, and some would."""

from __future__ import annotations

import copy
import json
import pickle
import random
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

WORDS = (
    *("", " ", "x" * 20_000, "\x00", "\x1b[2J", "\u202eabc", "é" * 300, "'; DROP TABLE", "2026-11-28", "1e999", "0o17"),
    *("../../../etc/passwd", "/dev/zero", "/proc/self/mem", "os:system", "os.path:join", "nan", "inf", "on"),
)
NUMBERS = (0, -0.0, -1, 1, 2, 3.5, 1e-320, 5e-324, 1e16, 1e300, 1.7e308, 2**31, 2**53 + 1, 2**63, 2**64, 10**30,
           float("nan"), float("inf"), float("-inf"))  # fmt: skip


class Touch:
    """Makes a file where somebody unpickles it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def odd_value(rng: random.Random, marker: Path) -> Any:
    """Something that hardly any key wants."""
    nested: Any = rng.choice(NUMBERS)
    for _ in range(rng.choice((1, 3, 50, 400))):
        nested = [nested] if rng.random() < 0.5 else {"a": nested}
    return rng.choice(
        [
            None,
            True,
            [],
            {},
            nested,
            rng.choice(NUMBERS),
            rng.choice(NUMBERS),
            rng.choice(WORDS),
            rng.choice(WORDS),
            [rng.choice(NUMBERS) for _ in range(rng.choice((1, 3, 2000)))],
            {"kind": rng.choice(WORDS)},
            {"kind": "os:system", "command": f"touch {marker}"},
            str(marker),
        ]
    )


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        found += _places(value, (*path, key))
    return found


def damaged_tree(tree: Any, rng: random.Random, marker: Path) -> Any:
    """A copy of plain data with one to three things changed: a value, a key, more of it, or less."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(tree)
        if not places:
            return odd_value(rng, marker)
        *above, last = rng.choice(places)
        parent = tree
        for key in above:
            parent = parent[key]
        how = rng.random()
        if how < 0.6:
            parent[last] = odd_value(rng, marker)
        elif how < 0.75:
            del parent[last]
        elif how < 0.85 and isinstance(parent, dict):
            parent[rng.choice([*WORDS, f"{last}s", str(last).upper()])] = parent.pop(last)
        elif isinstance(parent, list):
            parent.extend(copy.deepcopy(parent[last]) for _ in range(rng.choice((1, 100))))
        elif isinstance(parent[last], int | float) and not isinstance(parent[last], bool):
            parent[last] = parent[last] * rng.choice((-1, 0, 0.5, 1000, 10**12))
        else:
            parent[last] = {"value": parent[last]}
    return tree


def damaged_text(text: str, rng: random.Random, marker: Path, yaml: bool) -> bytes:
    """A text with something cut, swapped or put in, as bytes: it may be no text any more."""
    data = text.encode()
    at = rng.randrange(len(data) + 1)
    inserts = [b"\t", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\r\n", b"\xed\xa0\x80", b"'", b'"']
    inserts += [b"NaN", b"1e999", b"9" * 5000, b"[" * 5000, b"{" * 5000]
    if yaml:
        command = f"touch {marker}"
        inserts += [b": ", b"- ", b"&a ", b"*a", b"<<: *a\n", b"? ", b"!!binary x", b"---\n", b"%YAML 3.0\n"]
        inserts += [f"!!python/object/apply:os.system ['{command}']".encode()] * 3
        if rng.random() < 0.1:
            return bombs().encode() + data
    how = rng.random()
    if how < 0.2:
        return data[:at]
    if how < 0.3:
        return data[:at] + data[min(len(data), at + rng.randrange(1, 40)) :]
    if how < 0.45:
        return data[:at] + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 6))) + data[at + 3 :]
    if how < 0.55:
        return data[:at] + data[at:] * rng.choice((2, 20))
    return data[:at] + rng.choice(inserts) + data[at:]


def bombs() -> str:
    """YAML whose aliases stand for ten to the ninth values."""
    lines = ["b0: &b0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines) + "\n"


def damaged_bytes(path: Path, rng: random.Random) -> None:
    """Change a file in place: bytes flipped, a part zeroed, cut off, or doubled."""
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, size = rng.randrange(max(1, len(data))), rng.choice((1, 2, 8, 100, 4096))
        how = rng.random()
        if how < 0.5:
            data[at : at + size] = bytes(rng.randrange(256) for _ in range(min(size, len(data) - at)))
        elif how < 0.7:
            data[at : at + size] = bytes(min(size, len(data) - at))
        elif how < 0.85:
            del data[at:]
        else:
            data[at:at] = data[: rng.choice((16, 4096))]
    path.write_bytes(data)


def damaged_safetensors(path: Path, rng: random.Random, marker: Path) -> None:
    """Change a file of tensors in place: its header, its bytes, or all of it."""
    how = rng.random()
    if how < 0.25:
        damaged_bytes(path, rng)
        return
    if how < 0.35:
        path.write_bytes(pickle.dumps({"w": Touch(marker)}))
        return
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    if how < 0.45:
        header[rng.choice(list(header))]["shape"] = [2**40, 2**20]
    elif how < 0.55:
        name = rng.choice(list(header))
        header[name]["dtype"] = rng.choice(("F64", "BF16", "I64", "U8", "C64", "X9", "BOOL"))
    elif how < 0.65:
        header = {f"{name}{rng.choice(('', 'x', '.0'))}": value for name, value in header.items()}
    elif how < 0.75 and len(rest) >= 8:
        rest = (
            struct.pack("<d", rng.choice((float("nan"), float("inf"), 1e308))) * (len(rest) // 8)
            + rest[len(rest) // 8 * 8 :]
        )
    else:
        header = damaged_tree(header, rng, marker)
    text = json.dumps(header).encode()
    length = len(text) if rng.random() < 0.8 else rng.choice((0, 2**31, 2**62, len(text) * 2))
    path.write_bytes(struct.pack("<Q", length) + text + rest)


def damaged_log(path: Path, rng: random.Random, marker: Path) -> None:
    """Change a log in place: its bytes, its tables, or values of them."""
    how = rng.random()
    if how < 0.25:
        damaged_bytes(path, rng)
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as log:
        names = [name for (name,) in log.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        table = rng.choice(names)
        columns = [row[1] for row in log.execute(f'PRAGMA table_info("{table}")')]
        with suppress(sqlite3.Error):
            if how < 0.5:
                log.executescript(_schema_change(table, columns, rng, marker))
            else:
                for _ in range(rng.choice((1, 1, 3))):
                    _value_change(log, table, rng.choice(columns), rng, marker)
        with suppress(sqlite3.Error):
            log.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _schema_change(table: str, columns: list[str], rng: random.Random, marker: Path) -> str:
    column = rng.choice(columns)
    selected = ", ".join(f'1 AS "{name}"' for name in columns)
    endless = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {selected} FROM n"
    return rng.choice(
        [
            f'DROP TABLE "{table}"',
            f'ALTER TABLE "{table}" RENAME TO other',
            f'ALTER TABLE "{table}" RENAME COLUMN "{column}" TO other',
            f'ALTER TABLE "{table}" DROP COLUMN "{column}"',
            f'ALTER TABLE "{table}" ADD COLUMN "{rng.choice(WORDS[4:])}"',
            f'ALTER TABLE "{table}" RENAME TO old; CREATE VIEW "{table}" AS SELECT * FROM old',
            f'DROP TABLE "{table}"; CREATE VIEW "{table}" AS {endless}',
            f'CREATE TRIGGER t AFTER INSERT ON "{table}" BEGIN DELETE FROM results; END',
            f'DELETE FROM "{table}"',
            f'INSERT INTO "{table}" SELECT * FROM "{table}"',
            "CREATE TABLE extra (a, b)",
            "CREATE VIRTUAL TABLE found USING fts5(words)",
            f"PRAGMA application_id = {rng.choice((0, 7))}",
            f"PRAGMA user_version = {rng.choice((0, 1, 2, 3, 999, -1))}",
            "PRAGMA encoding = 'UTF-16'; VACUUM",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA page_size = 512; VACUUM",
        ]
    )


def _value_change(log: sqlite3.Connection, table: str, column: str, rng: random.Random, marker: Path) -> None:
    (old,) = log.execute(f'SELECT "{column}" FROM "{table}" ORDER BY random() LIMIT 1').fetchone() or (None,)
    values: list[Any] = [
        None,
        b"",
        b"\xff\x00",
        pickle.dumps(Touch(marker)),
        *WORDS,
        -1,
        0,
        7,
        2**62,
        -(2**63),
        1e308,
        -1e308,
        5e-324,
    ]
    if isinstance(old, str):
        with suppress(ValueError, RecursionError):
            tree = json.loads(old)
            if isinstance(tree, dict | list):
                for _ in range(20):  # most values of a log are JSON: that is where its meaning lies
                    with suppress(ValueError, TypeError, RecursionError):
                        values.append(json.dumps(damaged_tree(tree, rng, marker)))
                values.append("[" * 100_000)
    if isinstance(old, bytes):
        values += [old[: len(old) // 2], old[::-1], old * 2]
    where = "" if rng.random() < 0.2 else f' WHERE rowid = (SELECT rowid FROM "{table}" ORDER BY random() LIMIT 1)'
    value = rng.choice(values[-25:]) if rng.random() < 0.6 else rng.choice(values)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = float(value)
    log.execute(f'UPDATE "{table}" SET "{column}" = ?{where}', [value])


def odd_condition(rng: random.Random, marker: Path) -> str:
    """A word for --where: SQL of some kind."""
    names = [*"score width height id operator emitter _status nothing rowid genotype".split(), '"score"']
    atoms = [*names, "1", "1e999", "9" * 400, "'a'", "NULL", "x'00'", "\x00", "\ud800", "é", "?", ":a", "@b"]
    atoms += ["score LIKE '" + "%a" * 3000 + "'", "abs(-9223372036854775808)", "load_extension('x')"]
    atoms += [
        "randomblob(1000000000)",
        "zeroblob(2000000000)",
        "hex(zeroblob(500000000))",
        f"writefile('{marker}', 'x')",
    ]
    atoms += [
        "(SELECT value FROM meta)",
        "(SELECT COUNT(*) FROM candidates a, candidates b, candidates c, candidates d)",
    ]
    atoms += ["(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT COUNT(*) FROM n)"]
    operators = "< > = LIKE IN BETWEEN GLOB AND OR + * || ; -- /* , IS COLLATE".split()
    more: list[Callable[[], str]] = [
        lambda: (
            " ".join(rng.choice(atoms) + " " + rng.choice(operators) for _ in range(rng.randint(1, 4)))
            + " "
            + rng.choice(atoms)
        ),
        lambda: f"{rng.choice(names)} {rng.choice(operators[:7])} {rng.choice(atoms)}",
        lambda: "(" * rng.choice((1, 50, 2000)) + "score" + ")" * rng.choice((1, 50, 2000)),
        lambda: " AND ".join(["score > 0"] * rng.choice((3, 500, 5000))),
        lambda: f"1; ATTACH DATABASE '{marker}' AS m",
        lambda: "score > 0) UNION SELECT * FROM meta --",
        lambda: f"1) ; DROP TABLE {rng.choice(('results', 'candidates'))}; --",
        lambda: "".join(chr(rng.randrange(1, 0x2FF)) for _ in range(rng.randrange(1, 30))),
    ]
    return rng.choice(more)()
