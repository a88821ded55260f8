"""Learning curves in the log: written with their evaluations, read as they were, and refused where they are damaged."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qd
from qd.candidates import Curve, Results, Status
from qd.errors import UsageError
from qd.search.full import Search
from qd.store.curves import pack_curve, unpack_curve
from qd.store.log import Log, Transaction
from qd.testing.damage import change
from search_spaces import Metric


@pytest.fixture
def learned(workbench: Any) -> Path:
    """A run that kept learning curves."""
    file = workbench.write(evaluator={"kind": f"{workbench.module}:Trained"}, budget={"evaluations": 30})
    return qd.run(file, out="learned").folder.path


def test_what_is_packed_comes_back():
    curve = Curve(np.array([1.0, 2.0, 2.5]), {"val_accuracy": np.array([0.1, 1 / 3, np.nan]), "val_loss": np.ones(3)})
    text = pack_curve(curve)
    assert text.endswith('"val_accuracy":[0.1,0.3333333333333333,null],"val_loss":[1.0,1.0,1.0]}}')
    back = unpack_curve(text)
    np.testing.assert_array_equal(back.epochs, curve.epochs)
    for name, values in curve.scores.items():
        np.testing.assert_array_equal(back.scores[name], values)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"epochs":[1]}', '{"epochs":[1],"scores":{"a":[1,2]}}', '{"epochs":[2,1],"scores":{"a":[1,2]}}',
     '{"epochs":[0],"scores":{}}', '{"epochs":[NaN],"scores":{}}', '{"epochs":["1"],"scores":{}}',
     '{"epochs":[1],"scores":{"a":["x"]}}', '{"epochs":[1],"scores":{"a":[1e999]}}', '{"epochs":null,"scores":{}}'],
)  # fmt: skip
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        unpack_curve(text)


def test_every_ok_evaluation_has_its_own(learned):
    run = qd.open_run(learned)
    frame = run.evaluations()
    ok = frame[frame["status"] == "ok"]
    curves = run.curves()
    assert sorted(curves) == sorted(ok["evaluation"])
    assert 0 < len(curves) < len(frame)
    ends = dict(zip(ok["evaluation"], ok["score"], strict=True))
    for evaluation, curve in curves.items():
        assert curve.epochs.tolist() == [1, 2, 3, 4, 5]
        np.testing.assert_allclose(curve.scores["score"], ends[evaluation] * (1 - 0.5**curve.epochs))
    some = list(curves)[3:6]
    assert list(run.curves(some)) == some
    table = run.learning_curves()
    assert table.columns.tolist() == ["id", "evaluation", "elite", "epoch", "score"]
    assert len(table) == 5 * len(curves)
    assert set(table["id"][table["elite"]]) == set(run.elites()["id"])


def test_what_failed_after_all_has_no_curve(tmp_path):
    log = Log.create(tmp_path / "log.sqlite", {"score": (Metric(), "evaluator")}, {})
    curve = Curve(np.array([1.0]), {"score": np.array([0.5])})
    results = Results(
        np.array([1, 2]), np.array([Status.OK, Status.FAILED]), {}, np.zeros(2), curves={1: curve, 2: curve}
    )
    log.commit(Transaction({"emitters": {}}, 0.0, 1, results, attempts=[1, 1]))
    log.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "log.sqlite")) as written:
        assert written.execute("SELECT evaluation FROM curves").fetchall() == [(1,)]


def test_a_resumed_search_has_the_curves_of_one_that_was_not_interrupted(workbench, learned):
    class DiedError(Exception):
        """The driver dies here."""

    def killed(search: Search, log: Any) -> None:
        tell, tells = search._tell, iter(range(3))

        def until(results, asking):
            if next(tells, None) is None:
                raise DiedError
            tell(results, asking)

        search._tell = until

    changes = {"evaluator": {"kind": f"{workbench.module}:Trained"}, "budget": {"evaluations": 30}}
    with pytest.raises(DiedError):
        workbench.search("killed", prepare=killed, **changes)
    assert 0 < len(qd.open_run("killed").curves()) < 20
    run = qd.resume("killed", plugins=workbench.folder)
    dumps = [dict(one.query("SELECT evaluation, value FROM curves")) for one in (run, qd.open_run(learned))]
    assert dumps[0] == dumps[1]


def test_an_accepted_log_keeps_the_curves_of_what_it_keeps(workbench):
    kind = {"kind": f"{workbench.module}:Trained"}
    run = qd.run(workbench.write(evaluator=kind, log="accepted", budget={"evaluations": 30}), out="accepted")
    assert sorted(run.curves()) == [id for (id,) in run.query("SELECT _evaluation FROM results ORDER BY 1")]
    assert len(run.curves()) < 30


DAMAGE = {
    "no JSON": "UPDATE curves SET value = 'x'",
    "no curve": "UPDATE curves SET value = '{}'",
    "another metric": 'UPDATE curves SET value = \'{"epochs":[1],"scores":{"other":[1]}}\'',
    "of one that failed": "UPDATE results SET _status = 2 WHERE _evaluation = (SELECT MIN(evaluation) FROM curves)",
    "of no evaluation": 'INSERT INTO curves VALUES (99999, \'{"epochs":[1],"scores":{}}\')',
    "another table": "DROP TABLE curves; CREATE TABLE curves (evaluation, value)",
    "a view": "ALTER TABLE curves RENAME TO hidden; CREATE VIEW curves AS SELECT * FROM hidden",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_told_and_touches_nothing(learned, digests, what):
    change(learned / "log.sqlite", DAMAGE[what])
    before = digests(learned)
    with pytest.raises(UsageError, match=r"log\.sqlite: the log is damaged \(.{5,300}\); it was left untouched"):
        qd.open_run(learned).learning_curves()
    assert digests(learned) == before


def test_a_log_from_before_there_were_curves_is_read_and_gone_on_with(workbench, finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "older"))
    with contextlib.closing(sqlite3.connect(run / "log.sqlite")) as log:
        log.executescript("DROP TABLE curves; PRAGMA user_version = 2")
    older = qd.open_run(run)
    assert not older.has_curves and older.curves() == {} and older.learning_curves().empty
    older.close()
    with contextlib.closing(sqlite3.connect(run / "log.sqlite")) as log:
        module = log.execute("SELECT json_extract(value, '$.evaluator.kind') FROM meta WHERE name = 'run_file'")
        name = module.fetchone()[0].split(":")[0]
    shutil.copy(workbench.plugin, tmp_path / f"{name}.py")
    after = qd.resume(run, plugins=tmp_path, budget={"evaluations": 210})
    assert after.query("PRAGMA user_version") == [(3,)]
    assert after.count == 210
    assert 0 < len(after.curves()) <= 10 and min(after.curves()) > 200, "the new ones have theirs"
