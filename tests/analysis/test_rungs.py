"""What was spent on which rung, and whose weights trainings began with, wherever a person looks."""

from __future__ import annotations

import json

import pytest

import qd
from qd.analysis.history import history
from qd.analysis.rungs import inherited_from, rung_counts, share, trainings
from qd.dashboard import pages
from qd.dashboard.elite import panel
from qd.dashboard.live import LiveRun
from qd.reporting.sections import elites as table_of_elites
from qd.reporting.sections import head

SEARCH = {"order": "id", "chunk": 4, "rungs": {"fidelities": ["1/9", "1/3", 1]}, "inherit": True}


@pytest.fixture
def run(workbench):
    kind = {"kind": f"{workbench.module}:Growing"}
    emitters = [{"kind": "map_elites", "initial": 30}]
    file = workbench.write(
        evaluator=kind, emitters=emitters, search=SEARCH, budget={"evaluations": None, "trainings": 30}
    )
    return qd.run(file, out="run")


@pytest.mark.parametrize(
    ("fidelity", "text"), [(1.0, "1"), (1 / 9, "1/9"), (0.5, "1/2"), (0.3, "0.3"), (2 / 3, "0.667"), (1 / 81, "1/81")]
)
def test_fidelities_are_fractions_where_they_are(fidelity, text):
    assert share(fidelity) == text


def test_evaluations_are_counted_by_rung(run):
    rows = run.evaluations()
    counts = rung_counts(run)
    assert [one.fidelity for one in counts] == [1 / 9, 1 / 3, 1]
    assert [one.evaluations for one in counts] == [int((rows["fidelity"] == one.fidelity).sum()) for one in counts]
    assert [one.promoted for one in counts] == [*(one.evaluations for one in counts[1:]), 0]
    assert all(one.ok <= one.evaluations for one in counts)
    assert trainings(run) == pytest.approx(30, abs=1 / 9)
    summary = run.summary()
    assert [one["evaluations"] for one in summary["rungs"]] == [one.evaluations for one in counts]
    curve = history(run)
    for one in counts:
        column = curve[f"evaluations at {share(one.fidelity)}"]
        assert column.is_monotonic_increasing
        assert column.iloc[-1] == one.evaluations


def test_a_mark_says_whose_weights_a_network_began_with(run):
    elites = run.elites()
    marked = elites[elites["inherited_from"].notna()]
    assert 0 < len(marked) < len(elites)
    ok = run.evaluations().set_index("evaluation")
    for row in marked.to_dict("records"):
        assert row["inherited_from"] in row["parents"]
        assert ok.loc[row["evaluation"], "trained"] > 1.5
    fresh = elites[elites["inherited_from"].isna()]
    assert ok.loc[fresh["evaluation"], "trained"].tolist() == pytest.approx([1] * len(fresh))
    records = run.records(elites)
    assert {one["id"]: one["inherited_from"] for one in records if one["inherited_from"]} == dict(
        zip(marked["id"], marked["inherited_from"], strict=True)
    )
    assert inherited_from(run, []) == {}


def test_it_is_shown_wherever_a_person_looks(run, qd_command):
    elites = run.elites()
    marked = elites[elites["inherited_from"].notna()].iloc[0]
    counts = rung_counts(run)
    shown = qd_command("show", "run").out
    assert f"{counts[0].evaluations} at 1/9 ({counts[0].promoted} promoted)" in " ".join(shown.split())
    assert json.loads(qd_command("elites", "run", "--json").out)[0].keys() >= {"inherited_from"}
    assert "inherited from" in " ".join(qd_command("elites", "run").out.split())
    assert str(counts[0]) in head(run)
    assert f"inherited weights of {int(marked['inherited_from'])}" in table_of_elites(run)
    live = LiveRun(run.folder.path)
    with live.reading() as looked_at:
        assert f"Dd('{counts[0].evaluations}')" in str(pages.facts(live, looked_at))
        text = str(panel(looked_at, int(marked["id"]), None, None))
    assert f"training began with the weights of {int(marked['inherited_from'])}, its parent" in text


def test_verification_trains_from_scratch_and_says_the_difference(run, qd_command):
    found = qd.verify("run", seeds=1)
    data = found.summary()
    assert data["inherited"] == int(run.elites()["inherited_from"].notna().sum())
    rows = qd.open_run("run").query(
        "SELECT trained FROM results JOIN evaluations e ON e.id = _evaluation"
        " WHERE purpose = 'verification' AND _status = 0"
    )
    assert {trained for (trained,) in rows} == {1}
    drops = found.elites.set_index("id")["drop"]
    marked = run.elites().set_index("id")["inherited_from"].notna()
    assert data["mean_drop_inherited"] == pytest.approx(drops[marked[drops.index]].mean())
    assert "that began with a parent's weights" in " ".join(qd_command("verify", "run", "--seeds", "1").out.split())
