"""Runs that older versions wrote are read as before, and go on; fixtures/README.md says where they come from."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qd
from qd.analysis.verification import verification
from qd.store.log import SCHEMA_VERSION

FIXTURES = Path(__file__).parent / "fixtures"
VERSION_1 = FIXTURES / "version_1"
RUNS = sorted(path.name for path in VERSION_1.iterdir() if path.is_dir())
EXPECTED: dict[str, Any] = json.loads((VERSION_1 / "expected.json").read_text())


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of one of the runs."""
    path = list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield Path(shutil.copytree(VERSION_1 / request.param, tmp_path / request.param))
    sys.path[:] = path
    sys.modules.pop("table", None)


def test_there_is_one_of_each_kind():
    assert set(RUNS) == EXPECTED.keys()
    configs = [(VERSION_1 / name / "run.yaml").read_text() for name in RUNS]
    for key in ("kind: grid", "kind: cvt", "kind: categorical", "kind: unstructured", "refine:\n", "keep: accepted",
                "noise: reevaluate", "kind: guided", "latency: {", "imported:\n"):  # fmt: skip
        assert any(key in config for config in configs), key


@pytest.mark.parametrize("old", RUNS, indirect=True)
def test_it_is_read_as_before(old, digests):
    before = digests(old)
    run, expected = qd.open_run(old), EXPECTED[old.name]
    summary = run.summary()
    for name, value in expected["summary"].items():
        got = summary[name]
        if name == "predictions":
            assert [one["metric"] for one in got] == [one["metric"] for one in value]
            assert [list(one.values())[1:] for one in got] == [pytest.approx(list(one.values())[1:]) for one in value]
        elif name in ("archive", "best"):
            assert {key: item for key, item in got.items() if key in value} == value
        else:
            assert got == value
    assert run.count == expected["evaluations"]
    assert run.elites()["id"].tolist() == expected["elites"]
    last = run.history().iloc[-1]
    assert last[list(expected["last"])].tolist() == pytest.approx(list(expected["last"].values()))
    assert all(run.genotypes(expected["elites"]).values())
    if not run.accepted_only:
        assert all(run.module_graph(candidate) is not None for candidate in expected["elites"])
        assert len(run.evaluations()) == run.count
    run.close()
    assert digests(old) == before


@pytest.mark.parametrize("old", RUNS, indirect=True)
def test_the_command_line_looks_at_it(old, qd_command):
    assert json.loads(qd_command("show", old, "--json").out)["archive"]["elites"] == len(EXPECTED[old.name]["elites"])
    assert len(json.loads(qd_command("elites", old, "--json").out)) == len(EXPECTED[old.name]["elites"])
    assert qd_command("map", old, "--out", "map.svg").status == 0
    assert "<svg" in Path("map.svg").read_text()


@pytest.mark.parametrize("old", ["grid"], indirect=True)
def test_its_verifications_and_weights_are_there(old):
    run = qd.open_run(old)
    found = verification(run)
    assert found is not None
    assert found.elites["seeds"].tolist() == [2, 2, 3]
    assert len(run.with_weights()) == len(run.archive)
    evaluation = run.evaluation_of(EXPECTED["grid"]["elites"][0])
    assert run.folder.read_weights(evaluation)["w"].tolist() == [evaluation] * 3


@pytest.mark.parametrize("old", RUNS, indirect=True)
def test_it_goes_on(old, logged):
    before = qd.open_run(old)
    budget, elites = before.config.budget.evaluations, before.archive.elites
    verified = before.query("SELECT COUNT(*) FROM evaluations WHERE purpose = 'verification'")[0][0]
    before.close()
    after = qd.resume(old, plugins=FIXTURES)
    assert not [line for line in logged.messages if "changed" in line]
    assert after.meta("ending") == "budget used"
    assert after.count == budget + verified
    assert len(after.archive) >= len(elites)
    if not after.reevaluates:  # there, means may fall
        assert after.archive.qd_score >= EXPECTED[old.name]["summary"]["archive"]["qd_score"]
    assert after.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM evaluations")[0] == (
        (after.query("SELECT COUNT(*) FROM results")[0][0],) * 2
    )


@pytest.mark.parametrize("old", ["grid"], indirect=True)
def test_it_is_of_the_new_version_once_it_is_gone_on_with(old):
    def version() -> int:
        with contextlib.closing(sqlite3.connect(old / "log.sqlite")) as log:
            return log.execute("PRAGMA user_version").fetchone()[0]

    assert version() == 1
    before = qd.open_run(old)
    graphs = before.query("SELECT candidate FROM graphs")
    assert graphs
    before.close()
    run = qd.resume(old, plugins=FIXTURES, budget={"evaluations": before.count + 40})
    assert version() == SCHEMA_VERSION == 3
    assert set(graphs) <= set(run.query("SELECT candidate FROM graphs"))
    for elite in run.archive.elites.values():
        assert run.module_graph(elite.candidate) is not None
