from pathlib import Path

import pytest

import qd
from qd.analysis.failures import failures
from qd.analysis.history import history
from qd.analysis.lineage import lineage
from qd.analysis.run import Run
from qd.archives import make_archive
from qd.errors import UsageError


def test_every_row_of_a_history_is_the_archive_of_its_moment(finished: Path) -> None:
    run = qd.open_run(finished)
    frame = history(run)
    assert len(frame) == run.last_tell > 20
    for tell in (1, 7, len(frame)):
        archive = make_archive(run.config.archive, run.metrics)
        run.replay(archive, up_to=tell)
        row = frame.iloc[tell - 1]
        assert archive.best is not None
        assert (row["tell"], row["elites"], row["best"]) == (tell, len(archive), archive.best.objective)
        assert row["coverage"] == pytest.approx(archive.coverage)
        assert row["qd_score"] == pytest.approx(archive.qd_score)
        assert row["normalised_qd_score"] == pytest.approx(archive.normalised_qd_score)
    counts = run.summary()["evaluations"]
    assert frame["evaluations"].iloc[-1] == sum(counts.values())
    assert frame["ok"].iloc[-1] == counts["ok"]


def test_replayed_in_pieces_an_archive_is_the_same(finished: Path) -> None:
    run = qd.open_run(finished)
    archive = make_archive(run.config.archive, run.metrics)
    for after, up_to in ((0, 3), (3, 4), (4, run.last_tell)):
        run.replay(archive, after, up_to)
    assert [elite[:3] for elite in archive.elites.values()] == [elite[:3] for elite in run.archive.elites.values()]


def test_the_history_of_a_minimised_objective_counts_from_its_worst_value(workbench) -> None:
    file = workbench.write(archive={"objective": "order"}, budget={"evaluations": 40})
    run = qd.run(file, out="less")
    row = history(run).iloc[-1]
    assert run.archive.best is not None
    assert row["best"] == run.archive.best.objective
    assert row["qd_score"] == pytest.approx(run.archive.qd_score)


def test_a_history_of_an_accepted_log_is_what_it_noted(workbench) -> None:
    file = workbench.write(log={"keep": "accepted", "every": 2})
    run = qd.run(file, out="accepted")
    frame = history(run)
    assert 1 < len(frame) <= run.last_tell
    assert frame["evaluations"].is_monotonic_increasing
    assert frame["elites"].iloc[-1] <= len(run.archive)


def test_a_lineage_goes_back_to_the_first_proposals(finished: Path) -> None:
    run = qd.open_run(finished)
    child = _with_parents(run)
    family = {one.id: one for one in lineage(run, child)}
    assert family[child].generation == 0
    for one in family.values():
        assert all(parent in family and family[parent].generation <= one.generation + 1 for parent in one.parents)
        assert (not one.parents) == (one.operator == "sample")
    metric = run.archive.objective.metric
    assert family[child].objective == run.metrics_of(run.evaluation_of(child))[metric]
    assert {one.id for one in lineage(run, child, generations=1)} == {child, *family[child].parents}


def test_the_lineage_of_nobody_is_refused(finished: Path) -> None:
    with pytest.raises(UsageError, match="there is no candidate 999999"):
        lineage(qd.open_run(finished), 999999)


def test_failures_are_counted_by_cause(finished: Path) -> None:
    run = qd.open_run(finished)
    counts = run.summary()["evaluations"]
    by_text = {cause.text: cause for cause in failures(run)}
    assert by_text["RuntimeError: no luck today"].count == counts["failed"] > 1
    assert by_text["# and # are equal"].count == counts["invalid"] > 1, "numbers do not part causes"
    assert "Traceback" in by_text["RuntimeError: no luck today"].example


def test_a_closed_run_opens_again_when_it_is_asked(finished: Path) -> None:
    run = qd.open_run(finished)
    before = run.count
    run.close()
    assert run.count == before


def _with_parents(run: Run) -> int:
    return next(row["id"] for row in run.records(run.elites()) if row["parents"])
