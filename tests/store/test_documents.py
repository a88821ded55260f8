"""What the JSON in a log's columns is: anything else is refused, by whoever reads it, before anything is touched."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.analysis.state import state_of
from qd.errors import QdError, UsageError
from qd.store.documents import PROCESS, checked
from qd.testing.damage import change

FIXTURES = Path(__file__).parent / "fixtures/version_1"
COLUMNS = (
    ("meta", "value", "name"),
    ("sessions", "process", "id"),
    ("state", "value", "id"),
    ("pending", "value", "batch"),
    ("refinements", "bins", "tell"),
    ("candidates", "parents", "id"),
    ("candidates", "genotype", "id"),
)
"""(table, column of JSON, key) of a log."""
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 5, 1 << 70, 1.5, 1e308, "", "x", [], {}, [1], ["x"], [[]], {"a": 1},
)  # fmt: skip


def look(run: Path) -> None:
    opened = qd.open_run(run)
    opened.summary()
    opened.records(opened.elites("score > 0.1"))
    opened.history()
    state_of(opened)


def resume(run: Path) -> None:
    qd.resume(run, plugins=FIXTURES.parent, budget={"evaluations": 84})


def verify(run: Path) -> None:
    qd.verify(run, plugins=FIXTURES.parent, top=1, seeds=1)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("table", None)


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / name, folder / "run"))


@pytest.mark.parametrize("act", [resume, verify])
@pytest.mark.parametrize("process", ["1.5", "[]", "null", '{"versions": ["torch"]}', '{"versions": {"torch": 2}}'])
def test_a_session_notes_a_mapping_and_text_for_versions(
    tmp_path: Path, digests: Callable[[Path], Any], process: str, act: Callable[[Path], None]
) -> None:
    run = copied("grid", tmp_path)
    change(run / "log.sqlite", f"UPDATE sessions SET process = '{process}'")
    before = digests(run)
    with pytest.raises(UsageError, match=r"the log is damaged \(ValueError: .*Input should be a valid"):
        act(run)
    assert digests(run) == before


@pytest.mark.parametrize(
    ("name", "statement", "message"),
    [
        ("grid", "INSERT INTO meta VALUES ('contents', '[1]')", r"Input should be .*, got \[1\]"),
        ("grid", "INSERT INTO meta VALUES ('contents', '{\"space\": 3, \"evaluator\": {}}')", "space: .*, got 3"),
        ("grid", "UPDATE state SET value = json_set(value, '$.proposals', '85')", "proposals: .*, got '85'"),
        ("grid", "UPDATE state SET value = json_set(value, '$.proposals', 3)", "counts 3 proposals, its rows 85"),
        ("grid", "UPDATE state SET value = json_set(value, '$.batches', 3)", "counts 3 batches, its rows 20"),
        ("grid", "UPDATE candidates SET genotype = '[1]'", "Invalid: "),
        ("reevaluate", "UPDATE state SET value = json_set(value, '$.again[0]', 999)", "candidate 999 .* was not ok"),
        ("accepted", "UPDATE state SET value = json_remove(value, '$.outside')", "outside: Field required"),
        ("accepted", "UPDATE pending SET value = json_set(value, '$.first', 1.5)", "first: .*, got 1.5"),
        ("accepted", "UPDATE pending SET value = json_set(value, '$.shares[0][0]', 'nobody')", "'nobody' proposed"),
        ("accepted", "UPDATE pending SET value = json_set(value, '$.shares[0][1]', 3)", "the shares of batch"),
        ("accepted", "UPDATE pending SET arrays = NULL", "has not 4 genotypes"),
        ("accepted_plain", "UPDATE pending SET value = json_set(value, '$.genotypes[0]', 'x')", "Invalid: "),
        ("cvt", "UPDATE meta SET value = '[[0.5, 0.5]]' WHERE name = 'centroids'", "expected .* centroids of 2"),
    ],
)
def test_a_resume_refuses_what_no_search_writes(
    tmp_path: Path, digests: Callable[[Path], Any], name: str, statement: str, message: str
) -> None:
    run = copied(name, tmp_path)
    (run / ".lock").touch()
    change(run / "log.sqlite", statement)
    before = digests(run)
    with pytest.raises(UsageError, match=message) as error:
        resume(run)
    assert "the log is damaged" in str(error.value)
    assert len(str(error.value)) < 1000
    assert digests(run) == before


def test_an_archive_of_a_plug_in_that_the_log_does_not_describe_is_told(tmp_path: Path) -> None:
    run = copied("grid", tmp_path)
    change(
        run / "log.sqlite",
        "UPDATE meta SET value = json_set(value, '$.archive.kind', 'table:Cells') WHERE name = 'run_file'",
    )
    with pytest.raises(UsageError, match=r"the log is damaged .*does not say what its archive"):
        look(run)


@pytest.mark.parametrize("act", [look, resume, verify])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["grid", "reevaluate", "accepted_plain", "cvt"])
def test_anything_anywhere_is_read_or_refused(
    tmp_path: Path, name: str, seed: int, act: Callable[[Path], None]
) -> None:
    run, chance = copied(name, tmp_path), random.Random(f"{name} {seed}")
    with contextlib.closing(sqlite3.connect(run / "log.sqlite", isolation_level=None)) as log:
        table, column, key = chance.choice(COLUMNS)
        while not (rows := log.execute(f"SELECT {key}, {column} FROM {table}").fetchall()):
            table, column, key = chance.choice(COLUMNS)
        row, text = chance.choice(rows)
        changed = json.dumps(with_another(json.loads(text), chance))
        log.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", [changed, row])
    with warnings.catch_warnings(), contextlib.suppress(QdError):
        warnings.simplefilter("ignore")  # of numbers that overflow, which the damage put there
        act(run)


def with_another(tree: Any, chance: random.Random) -> Any:
    """The same with another value somewhere."""
    places = list(places_of(tree))
    *above, last = ("tree", *chance.choice(places))
    tree = {"tree": copy.deepcopy(tree)}
    parent = tree
    for place in above:
        parent = parent[place]
    parent[last] = chance.choice(VALUES)
    return tree["tree"]


def places_of(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places_of(value, (*path, key))


def test_what_a_search_notes_of_itself_is_a_process(finished: Path) -> None:
    with contextlib.closing(sqlite3.connect(finished / "log.sqlite")) as log:
        noted = json.loads(log.execute("SELECT process FROM sessions").fetchone()[0])
    assert checked(noted, PROCESS) == noted
    assert noted["versions"]["numpy"]
