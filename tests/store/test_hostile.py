"""Logs that were damaged or mean harm: told in a few words, left as they are, and never obeyed."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import warnings
import zlib
from pathlib import Path

import pytest

import qd
from qd.analysis.lineage import lineage
from qd.errors import QdError, UsageError
from qd.store.graphs import LARGEST
from qd.store.log import Log
from qd.testing.damage import ROWS, SCHEMAS, change, damage

FIXTURES = Path(__file__).parent / "fixtures/version_1"
RUNS = sorted(path for path in FIXTURES.iterdir() if path.is_dir())


@pytest.mark.parametrize("what", SCHEMAS)
def test_other_tables_than_a_log_has_are_refused(tmp_path, digests, what):
    """Looking and resuming both begin here: nothing is asked of a table before."""
    run = Path(shutil.copytree(FIXTURES / "grid", tmp_path / "run"))
    change(run / "log.sqlite", SCHEMAS[what])
    before = digests(run)
    with pytest.raises(
        UsageError, match=r"log\.sqlite: the log is damaged \(.{5,200}\); it was left untouched"
    ) as error:
        qd.open_run(run)
    assert "\x1b" not in str(error.value)
    assert digests(run) == before


LOOKS = (
    "show RUN",
    "elites RUN --json",
    "map RUN --out OUT.png",
    "report RUN --out OUT.html",
    "compare RUN RUN --json",
)


@pytest.mark.parametrize("seed", range(24))
def test_damage_ends_in_a_few_words_or_a_right_answer(tmp_path, qd_command, digests, seed):
    run = Path(shutil.copytree(RUNS[seed % len(RUNS)], tmp_path / "run"))
    how = damage(run / "log.sqlite", seed)
    before = digests(run)
    words = LOOKS[seed % len(LOOKS)].replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")).split()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that overflow, which the damage put there
        answer = qd_command(*words)
    assert answer.status in (0, 1, 2), how
    assert "Traceback" not in answer.err
    assert answer.status == 0 or len(answer.err) < 1000 + len(str(run)), how
    assert not {"\x1b", "\u202e"} & set(answer.out + answer.err)
    assert digests(run) == before


@pytest.mark.parametrize("statement", ROWS)
def test_rows_that_no_search_writes_are_read_or_told(tmp_path, statement):
    run = Path(shutil.copytree(FIXTURES / "refined", tmp_path / "run"))
    with contextlib.suppress(sqlite3.Error):
        change(run / "log.sqlite", statement.format(table="results"))
    with contextlib.suppress(UsageError):
        look(qd.open_run(run))


def look(run: qd.Run) -> None:
    run.summary()
    run.records(run.elites("score > 0.1"))
    run.evaluations()
    run.history()
    lineage(run, 40)


OTHER_STATES = {
    "no JSON": "'nonsense'",
    "a list": "'[]'",
    "nothing": "'{}'",
    "no generator": "json_remove(value, '$.rng')",
    "another generator": "json_set(value, '$.rng.bit_generator', 'MT19937')",
    "a generator's number is text": "json_set(value, '$.rng.state.state', 'x')",
    "no emitter": "json_remove(value, '$.emitters.map_elites')",
    "what was not asked is promised": "json_set(value, '$.promoted', json('[123456]'))",
    "as deep as can be": f"'{'[' * 90_000}'",
}


@pytest.mark.parametrize("what", OTHER_STATES)
def test_a_resume_that_cannot_restore_its_state_touches_nothing(tmp_path, qd_command, digests, what):
    """Not even weights that no elite has, which a resume sweeps."""
    run = Path(shutil.copytree(FIXTURES / "grid", tmp_path / "run"))
    change(run / "log.sqlite", f"UPDATE state SET value = {OTHER_STATES[what]}")
    (run / "weights/99999.safetensors").write_bytes(b"")
    (run / ".lock").touch()
    before = digests(run)
    answer = qd_command("resume", run, "--plugins", FIXTURES.parent)
    sys.modules.pop("table", None)
    assert answer.status == 2
    assert "the log is damaged (" in answer.err
    assert len(answer.err) < 1000
    assert digests(run) == before


def test_a_graph_that_says_it_is_enormous_is_not_unpacked(tmp_path):
    run = Path(shutil.copytree(FIXTURES / "grid", tmp_path / "run"))
    with contextlib.closing(sqlite3.connect(run / "log.sqlite")) as log:
        log.execute("UPDATE graphs SET graph = ?", [zlib.compress(bytes(LARGEST + 1), 1)])
        log.commit()
    opened = qd.open_run(run)
    with pytest.raises(UsageError, match="a module graph is cut, or larger than 67,108,864 bytes"):
        opened.module_graph(opened.elites()["id"].tolist()[0])


def test_a_query_without_end_is_ended(finished, monkeypatch):
    run = qd.open_run(finished)
    monkeypatch.setattr(run, "_checks", 2)
    with pytest.raises(UsageError, match="to read it takes longer than a log of its size can take"):
        run.query("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t")
    assert run.count == 200


def test_what_sqlite_says_of_a_lock_or_a_statement_is_not_called_damage(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    with pytest.raises(UsageError, match=r"cannot be read \(no such column: nonsense\)"):
        qd.open_run(run).query("SELECT nonsense FROM results")
    with contextlib.closing(sqlite3.connect(run / "log.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        log = Log(run / "log.sqlite", [])
        log._connection = sqlite3.connect(run / "log.sqlite", isolation_level=None, timeout=0)
        with pytest.raises(QdError, match="another program keeps the log for itself"):
            log.set_meta("ending", None)
        log._connection.close()
