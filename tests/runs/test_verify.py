"""Elites trained again from fresh seeds: luck is unmasked, and the search is left as it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

import qd
from qd.analysis.spread import pooled_deviation, verified
from qd.analysis.verification import verification
from qd.candidates import Purpose
from qd.errors import QdError, UsageError
from qd.runs.verify import FIRST_ID, verify
from qd.search.seeds import candidate_seed, shared_seed

NOISY = '''
import os
import signal

import numpy as np

from evaluators import Evaluator, Metric
from qd.candidates import Purpose, Results
from search_spaces import Integer, SearchSpace, Struct


class Twenty(SearchSpace):
    genes = Struct(number=Integer(0, 19))


class Lucky(Evaluator):
    """All are worth 0.5, but for what the seed adds. Measures scatter too, and the test split is told by its offset."""

    metrics = {"score": Metric("", 0, 1), "place": Metric("", 0, 20), "tested": Metric("", 0, 1)}

    def __init__(self, noise: float = 0.1, shift: float = 0.0):
        self.noise, self.shift, self.calls = noise, shift, 0

    def evaluate(self, candidates):
        self.calls += 1
        pass  # Ctrl-C
        rngs = [np.random.default_rng(seed) for seed in candidates.seeds.tolist()]
        place = np.array([genotype["number"] for genotype in candidates.genotypes], dtype=float)
        testing = candidates.purpose is Purpose.VERIFICATION
        metrics = {
            "score": 0.5 + self.noise * np.array([rng.normal() for rng in rngs]),
            "place": np.clip(place + self.shift * testing, 0, 20),
            "tested": np.full(len(place), float(testing)),
        }
        return Results.ok(candidates, metrics)
'''


def luck(workbench, out="run", bins=1, **evaluator) -> qd.Run:
    workbench.plugin.write_text(NOISY)
    file = workbench.write(
        space={"kind": f"{workbench.module}:Twenty"},
        evaluator={"kind": f"{workbench.module}:Lucky", **evaluator},
        archive={"objective": "score", "measures": [{"metric": "place", "low": 0, "high": 20, "bins": bins}]},
        emitters=[{"kind": "random"}],
    )
    return qd.run(file, out=out)


def test_the_luckiest_of_twenty_is_unmasked(workbench):
    run = luck(workbench)
    scores = run.evaluations()["score"]
    assert len(scores) == 20
    elite = run.archive.best
    assert elite is not None
    assert elite.objective == scores.max() > 0.6
    found = verify("run", seeds=20)
    (row,) = found.elites.to_dict("records")
    assert (row["id"], row["objective"]) == (elite.candidate, elite.objective)
    assert (row["seeds"], row["failed"]) == (20, 0)
    assert row["mean"] == pytest.approx(0.5, abs=0.06)
    assert row["spread"] == pytest.approx(0.1, rel=0.4)
    assert row["drop"] == elite.objective - row["mean"] > 0.1
    assert elite.objective > row["mean"] + 1.4 * row["spread"]
    summary = found.summary()
    assert summary["archive"]["qd_score"] == pytest.approx(elite.objective)
    assert summary["verified_archive"]["qd_score"] == pytest.approx(row["mean"])


def test_seeds_are_fresh_and_the_test_split_is_scored_by_verification_alone(workbench):
    run = luck(workbench, bins=4)
    found = verify("run", seeds=3)
    rows = found.run.query(
        "SELECT id, candidate, repeat, seed, shared_seed, tested, _tell FROM evaluations"
        " JOIN results ON id = _evaluation WHERE purpose = 'verification' ORDER BY id"
    )
    assert [id for id, *_ in rows] == list(range(FIRST_ID + 1, FIRST_ID + 13))
    for _, candidate, repeat, seed, shared, tested, tell in rows:
        assert seed == candidate_seed(3, candidate, Purpose.VERIFICATION, repeat)
        assert shared == shared_seed(3, Purpose.VERIFICATION, repeat)
        assert tested == 1
        assert tell == found.run.last_tell
    searched = run.query(
        "SELECT seed, tested FROM results JOIN evaluations ON id = _evaluation WHERE purpose = 'search'"
    )
    assert {row[3] for row in rows}.isdisjoint(seed for seed, _ in searched)
    assert {tested for _, tested in searched} == {0}


def test_verification_never_enters_the_search(workbench, log_tables):
    run = luck(workbench, bins=4, noise=0.3)
    file = workbench.folder / "run.yaml"
    before = {cell: tuple(elite) for cell, elite in run.archive.elites.items()}
    verify("run", seeds=2)
    after = qd.open_run("run")
    assert {cell: tuple(elite) for cell, elite in after.archive.elites.items()} == before
    assert after.summary()["evaluations"] == run.summary()["evaluations"]
    assert after.count == 20 + 8
    qd.run(file, out="other")
    both = [log_tables(workbench.folder / name) for name in ("run", "other")]
    mine = [row for row in both[0]["evaluations"] if row["purpose"] == "search"]
    assert mine == both[1]["evaluations"]
    for name in ("candidates", "insertions", "state", "tells"):
        assert both[0][name] == both[1][name]


def test_a_search_goes_on_after_a_verification_as_if_there_had_been_none(workbench, log_tables):
    settings = {"space": {"side": 12}, "budget": {"evaluations": 40}}
    for name in ("verified", "plain"):
        qd.run(workbench.write(**settings), out=name)
        if name == "verified":
            verify(name, seeds=2, top=5)
        qd.resume(name, budget={"evaluations": 120})
    verified, plain = (log_tables(workbench.folder / name) for name in ("verified", "plain"))
    for name, key in (("evaluations", "id"), ("results", "_evaluation")):
        verified[name] = [row for row in verified[name] if row[key] < FIRST_ID]
    for name in ("evaluations", "results", "candidates", "insertions", "state", "tells"):
        assert verified[name] == plain[name]


def test_what_is_in_the_log_is_not_repeated(workbench, logged):
    luck(workbench, bins=4)
    verify("run", seeds=2)
    found = verify("run", seeds=3)
    assert "8 of 12 evaluations are in the log already" in logged.messages
    assert found.elites["seeds"].tolist() == [3] * 4
    assert found.run.count == 20 + 12


def test_an_interrupted_verification_goes_on(workbench, logged):
    luck(workbench, bins=20)
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(
        text.replace("pass  # Ctrl-C", "if self.calls == 2: os.kill(os.getpid(), signal.SIGINT)")
    )
    with pytest.raises(KeyboardInterrupt):
        verify("run", seeds=2)
    assert "the same command goes on from here" in logged.messages
    told = qd.open_run("run").count - 20
    assert 0 < told < 40
    workbench.plugin.write_text(text)
    found = verify("run", seeds=2)
    assert found.run.count == 20 + 40
    assert found.run.query("SELECT COUNT(*), COUNT(DISTINCT id) FROM evaluations") == [(60, 60)]
    assert found.elites["seeds"].tolist() == [2] * 20


def test_elites_are_chosen(workbench):
    run = luck(workbench, bins=10)
    best = run.elites()["id"].tolist()
    assert set(verify("run", seeds=1, top=2).elites["id"]) == set(best[:2])
    assert set(verify("run", seeds=1, cell="3").elites["id"]) >= {run.archive.elites[3].candidate}
    found = verify("run", seeds=1, where="place < 4")
    assert set(run.elites("place < 4")["id"]) <= set(found.elites["id"])


def test_the_verified_map_is_made_of_means(workbench):
    luck(workbench, bins=10, shift=2.0)  # when verified, all move up by one cell
    found = verify("run", seeds=4)
    spreads = verified(found.run)
    means = found.verified_archive
    assert {elite.candidate for elite in found.before.elites.values()} == set(found.elites["id"])
    last = [row["id"] for row in found.elites.to_dict("records") if row["cell"][0] >= 8]
    assert len(means) == 9  # the last two cells have become one
    for cell, elite in means.elites.items():
        assert elite.objective == spreads[elite.candidate]["score"].mean
        assert cell == min(9, found.run.archive.position(cell)[0])
    assert means.elites[9].candidate in last
    summary = found.summary()
    assert summary["cells_kept"] in (0.0, 0.1)  # at the border the elite may stay
    assert summary["verified_archive"]["coverage"] == 0.9
    pairs = found.elites
    ranks = pairs[["objective", "mean"]].rank().to_numpy()
    assert summary["rank_correlation"] == pytest.approx(np.corrcoef(ranks.T)[0, 1])
    assert summary["mean_drop"] == pytest.approx((pairs["objective"] - pairs["mean"]).mean())
    assert pairs["mean"].is_monotonic_decreasing


def test_without_noise_nothing_drops(workbench):
    luck(workbench, bins=10, noise=0.0)
    summary = verify("run", seeds=2).summary()
    assert summary["mean_drop"] == 0
    assert summary["cells_kept"] == summary["ranks_kept"] == 1
    assert summary["rank_correlation"] is None  # all are equal: there is no order
    assert summary["archive"] == summary["verified_archive"]


def test_the_noise_of_a_training_is_pooled(workbench):
    luck(workbench, bins=20)
    spreads = verified(verify("run", seeds=10).run)
    deviation = pooled_deviation(spreads, "score")
    assert deviation == pytest.approx(0.1, rel=0.15)
    assert deviation == pytest.approx(np.sqrt(np.mean([one["score"].deviation ** 2 for one in spreads.values()])))
    assert pooled_deviation({}, "score") is None


def test_failures_are_counted(workbench):
    luck(workbench, bins=2)
    text = workbench.plugin.read_text()
    workbench.plugin.write_text(
        text.replace(
            "self.calls += 1", "if candidates.purpose == 'verification' and candidates.ids[0] == 1: raise OSError"
        )
    )
    run = qd.open_run("run")
    found = verify("run", seeds=2)
    failed = found.elites[found.elites["failed"] > 0]
    assert set(failed["id"]) <= {1}
    assert len(found.verified_archive) == len(run.archive) - len(failed)
    assert json.loads(json.dumps(found.records(), allow_nan=False))


def test_a_run_that_was_not_verified_says_so(finished):
    assert verification(qd.open_run(finished)) is None


def test_verify_from_the_command_line(workbench, qd_command):
    luck(workbench, bins=4)
    answer = qd_command("verify", "run", "--seeds", 2, "--json")
    assert answer.status == 0
    data = json.loads(answer.out)
    assert data["elites_verified"] == data["elites"] == len(data["verified"]) == 4
    assert data["seeds"] == 2
    assert f"importing {workbench.module}:Lucky from {workbench.folder}" in answer.err
    answer = qd_command("verify", "run", "--seeds", 2, "--cells", 1)
    assert answer.status == 0
    assert "score of 4 verified elites (of 4), best first" in answer.out
    assert "QD score" in answer.out
    assert " verified" in answer.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", 0], "--seeds: expected at least 1, got 0"),
        (["--top", 0], "--top: expected at least 1, got 0"),
        (["--where", "score > 5"], "no elite fulfils --where 'score > 5'"),
        (["--cells", "9"], "--cells: expected 0 to 3 (place), got '9'"),
    ],
)
def test_verify_refuses(workbench, qd_command, words, message):
    luck(workbench, bins=4)
    answer = qd_command("verify", "run", *words)
    assert answer.status == 2
    assert message in answer.err
    assert qd.open_run("run").count == 20


def test_a_running_search_is_not_verified(workbench):
    run = luck(workbench, bins=4)
    with run.folder.lock(), pytest.raises(QdError, match="another process is running this search"):
        verify("run")
    with pytest.raises(UsageError, match="is no run folder"):
        verify("nowhere")
