"""The emitter that asks a model first."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import qd
from qd.analysis.calibration import calibration, predictions
from qd.archives import Axis, GridArchive, Objective, UnstructuredArchive
from qd.emitters import Told
from qd.emitters.base import KnownMetrics
from qd.emitters.guided import Guided
from qd.surrogates.base import Prediction, Surrogate
from qd.testing.emitters import nothing_known
from search_spaces import Genotypes, Integer, Metric, SearchSpace, Struct

OBJECTIVE = Objective("score", "maximise", 0, 1, "")
AXES = [Axis("x", 0, 100, 10, "linear", ""), Axis("y", 0, 100, 10, "linear", "")]


class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 100), y=Integer(0, 100), z=Integer(0, 100))


class Half(Surrogate):
    """Knows that z is good, and nothing of genotypes with an even x."""

    fitted = 0

    def fit(self, genotypes: Genotypes, objectives: np.ndarray) -> None:
        self.fitted = len(genotypes)

    def predict(self, genotypes: Genotypes) -> Prediction:
        even = np.array([genotype["x"] % 2 == 0 for genotype in genotypes])
        mean = np.array([genotype["z"] / 100 for genotype in genotypes])
        return Prediction(np.where(even, np.nan, mean), np.where(even, np.nan, 0.1))

    def describe(self) -> dict[str, Any]:
        return {"fitted": self.fitted}


def measure(genotypes: list[dict[str, int]]) -> dict[str, np.ndarray]:
    table = {name: np.array([genotype[name] for genotype in genotypes], dtype=np.float64) for name in "xyz"}
    return {"score": table["z"] / 100, "x": table["x"], "y": table["y"]}


class Bench:
    """An archive and an emitter that was told of random candidates."""

    def __init__(
        self,
        answers: int = 60,
        surrogate: Surrogate | None = None,
        known: KnownMetrics = nothing_known,
        **arguments: Any,
    ) -> None:
        self.archive = GridArchive(OBJECTIVE, AXES)
        self.emitter = Guided(Numbers(), "own" if surrogate else "combined", initial=1, **arguments)
        self.emitter.bind({}, self.archive, lambda: surrogate, known)
        self.emitter.restore({"proposed": 1, "fitted": 0, "pending": []})
        self.rng = np.random.default_rng(0)
        self.count = 0
        self.tell(Numbers.genes.sample_many(answers, self.rng))

    def tell(self, genotypes: Any) -> None:
        ids = np.arange(self.count + 1, self.count + len(genotypes) + 1)
        self.count += len(genotypes)
        metrics = measure(genotypes)
        self.archive.add(ids, ids, metrics, genotypes)
        self.emitter.tell(Told(ids, genotypes, metrics, metrics["score"]), self.archive, self.rng)

    def ask(self, n: int) -> Any:
        return self.emitter.ask(n, self.archive, self.rng)


def test_what_it_proposes_gains_more_than_what_variation_proposes() -> None:
    gains = {}
    for share in (0.0, 1.0):
        bench = Bench(explore=share, pool=200, trees=8)
        before = bench.archive.qd_score
        for _ in range(10):
            bench.tell(bench.ask(8).genotypes)
        gains[share] = bench.archive.qd_score - before
    assert gains[0.0] > 1.3 * gains[1.0]


def test_the_forecast_is_of_each_proposal() -> None:
    proposals = Bench(answers=300).ask(20)
    measured = measure(proposals.genotypes)
    assert proposals.forecast.answers == 300
    assert set(proposals.forecast.metrics) == {"score", "x", "y"}
    for name, (mean, deviation) in proposals.forecast.metrics.items():
        assert mean.shape == deviation.shape == (20,)
        assert np.corrcoef(mean, measured[name])[0, 1] > 0.8, name
    assert proposals.forecast.model["explained"]["x"] > 0.8


def both_known(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    return {name: measure([*genotypes])[name] for name in names}


def only_x_known(
    genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """And of an x above 50 not even that."""
    x = both_known(genotypes, ["x"])["x"]
    return {"x": np.where(x > 50, np.nan, x)} if "x" in names else {}


def test_where_measures_are_known_the_first_ones_fill_a_cell_each() -> None:
    emitter, archive = Guided(Numbers(), initial=20), GridArchive(OBJECTIVE, AXES)
    emitter.bind({}, archive, lambda: None, both_known)
    proposals = emitter.ask(60, archive, np.random.default_rng(0))
    ids = np.arange(1, 61)
    archive.add(ids, ids, measure([*proposals.genotypes]), proposals.genotypes)
    assert len(archive) == 60
    assert proposals.forecast is not None
    assert proposals.forecast.metrics == {}  # nothing is learnt yet


def test_what_is_known_is_no_forecast() -> None:
    proposals = Bench(known=both_known).ask(10)
    assert set(proposals.forecast.metrics) == {"score"}
    assert set(proposals.forecast.model["explained"]) == {"score"}


def test_what_is_known_of_some_is_predicted_of_the_others() -> None:
    proposals = Bench(answers=200, known=only_x_known).ask(40)
    x = measure([*proposals.genotypes])["x"]
    assert 0 < (x > 50).sum() < 40
    np.testing.assert_array_equal(np.isnan(proposals.forecast.metrics["x"].mean), x <= 50)
    assert np.isfinite(proposals.forecast.metrics["y"].mean).all()


def test_what_is_known_leads_to_a_new_cell_each_time() -> None:
    filled = []
    for known in (nothing_known, both_known):
        bench = Bench(answers=20, known=known, pool=200, trees=4)
        before = len(bench.archive)
        for _ in range(6):
            bench.tell(bench.ask(10).genotypes)
        filled.append(len(bench.archive) - before)
    assert filled[0] < filled[1]
    assert filled[1] > 55  # of 60


@pytest.mark.parametrize(("columns", "learnt"), [((), False), (("hint",), True)])
def test_models_learn_from_what_is_known_beside_the_genes(columns: tuple[str, ...], learnt: bool) -> None:
    def score(genotypes: Genotypes) -> np.ndarray:
        return np.array([(37 * one["x"] + 59 * one["y"] + 83 * one["z"]) % 101 / 100 for one in genotypes])

    def hinted(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        known = {**both_known(genotypes, ["x", "y"]), "hint": -score(genotypes)}
        return {name: known[name] for name in names}

    archive, rng = GridArchive(OBJECTIVE, AXES), np.random.default_rng(0)
    emitter = Guided(Numbers(), initial=1, columns=columns)
    emitter.bind({"hint": Metric()}, archive, lambda: None, hinted)
    genotypes = list(Numbers.genes.sample_many(120, rng))
    ids, metrics = np.arange(1, 121), {**measure(genotypes), "score": score(genotypes)}
    archive.add(ids, ids, metrics, genotypes)
    emitter.tell(Told(ids, genotypes, metrics, metrics["score"]), archive, rng)
    forecast = emitter.ask(10, archive, rng).forecast
    assert forecast is not None
    assert (forecast.model["explained"]["score"] > 0.9) == learnt


def test_columns_that_are_no_known_metrics_are_refused() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    with pytest.raises(ValueError, match="columns: there is no metric 'hint'"):
        Guided(Numbers(), columns=("hint",)).bind({}, archive, lambda: None, both_known)
    with pytest.raises(ValueError, match="columns: nothing is known of hint before an evaluation"):
        Guided(Numbers(), columns=("hint",)).bind({"hint": Metric()}, archive, lambda: None, nothing_known)


def test_rounds_lead_to_what_promises_more() -> None:
    scores = []
    for rounds in (1, 5):
        bench = Bench(answers=100, known=both_known, pool=40, rounds=rounds, trees=4)
        for _ in range(10):
            bench.tell(bench.ask(5).genotypes)
        scores.append(bench.archive.qd_score)
    assert scores[1] > 1.04 * scores[0]


def test_too_few_answers_teach_nothing() -> None:
    bench = Bench(answers=7)
    assert bench.ask(4).forecast is None
    bench.tell(Numbers.genes.sample_many(1, bench.rng))
    assert bench.ask(4).forecast.answers == 8


def test_nothing_is_proposed_twice() -> None:
    bench = Bench()
    asked = [json.dumps(genotype) for _ in range(20) for genotype in bench.ask(10).genotypes]
    assert len(set(asked)) == 200


def test_the_random_ones_come_first() -> None:
    emitter = Guided(Numbers(), initial=12)
    archive = GridArchive(OBJECTIVE, AXES)
    emitter.bind({}, archive, lambda: None, nothing_known)
    proposals = emitter.ask(12, archive, np.random.default_rng(0))
    assert proposals.operators == ["sample"] * 12
    assert proposals.forecast is None


def test_of_what_the_guide_knows_nothing_variation_takes_its_share() -> None:
    surrogate = Half()
    bench = Bench(surrogate=surrogate, explore=0)
    unknown, told = 0, []
    for proposals in [bench.ask(10) for _ in range(20)]:
        even = np.array([genotype["x"] % 2 == 0 for genotype in proposals.genotypes])
        mean = proposals.forecast.metrics["score"].mean
        assert np.array_equal(np.isnan(mean), even)
        unknown += int(even.sum())
        told += [genotype["z"] for genotype, is_even in zip(proposals.genotypes, even, strict=True) if not is_even]
    assert 70 < unknown < 130  # of 200, in the pool a half
    assert np.mean(told) > 75  # what it does know, it chooses by
    assert bench.ask(1).forecast.model["own"] == {"fitted": 60}


def test_a_guide_that_knows_something_beforehand_chooses_the_first_ones() -> None:
    emitter, archive = Guided(Numbers(), "own", initial=0, explore=0), GridArchive(OBJECTIVE, AXES)
    emitter.bind({}, archive, Half, nothing_known)
    proposals = emitter.ask(40, archive, np.random.default_rng(0))
    good = [genotype["z"] for genotype in proposals.genotypes if genotype["x"] % 2]
    assert 10 < len(good) < 30
    assert min(good) > 80
    assert proposals.forecast is not None
    assert set(proposals.forecast.metrics) == {"score"}


def test_a_model_needs_observations_first() -> None:
    with pytest.raises(ValueError, match="initial: a model knows nothing without observations; expected at least 1"):
        Guided(Numbers(), initial=0)


def test_it_fits_again_as_answers_come() -> None:
    bench = Bench(answers=20, refit=10)
    fitted = []
    for _ in range(6):
        bench.tell(Numbers.genes.sample_many(5, bench.rng))
        fitted.append(bench.ask(1).forecast.answers)
    assert fitted == [25, 25, 35, 35, 45, 45]


@pytest.mark.parametrize(
    ("archive", "arguments", "message"),
    [
        (UnstructuredArchive(OBJECTIVE, AXES, 0.1), {}, "guided needs cells that are there from the start"),
        (GridArchive(OBJECTIVE, [Axis("score", 0, 1, 5, "linear", "")]), {}, "'score' is both"),
        (
            GridArchive(OBJECTIVE, AXES),
            {"surrogate": "own"},
            "the evaluator has no surrogate of its own; write",
        ),
    ],
)
def test_what_does_not_fit_is_refused(archive: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Guided(Numbers(), **arguments).bind({}, archive, lambda: None, nothing_known)


# ------------------------------------------------------------------ in a search

SETTINGS = {
    "emitters": [{"kind": "guided", "initial": 12, "pool": 40, "trees": 8}, {"kind": "random", "weight": 0.3}],
    "search": {"chunk": 4, "window": 12},
    "budget": {"evaluations": 100},
}


class Stop(Exception):  # noqa: N818 - not an error, a power cut
    """What ends a search in the middle."""


def stopping(after: int):
    tells = 0

    def progress(search: Any) -> None:
        nonlocal tells
        tells += 1
        if tells == after:
            raise Stop

    return progress


@pytest.mark.parametrize(
    ("kind", "table", "failing"),
    [
        ("combined", "Table", 0.3),
        ("combined", "Knowing", 0.0),
        ("forest", "Table", 0.0),
        ("additive", "Knowing", 0.3),
        ("biased", "Table", 0.0),
    ],
)
def test_a_resumed_search_goes_on_to_the_bit(workbench, log_tables, kind: str, table: str, failing: float) -> None:
    one = {"kind": "guided", "surrogate": kind, "initial": 12, "pool": 40, "trees": 3}
    if kind == "biased":
        one = {"kind": "map_elites", "initial": 12, "bias": "importance"}
    evaluator = {"kind": f"{workbench.module}:{table}", "failing": failing}
    settings = SETTINGS | {"emitters": [one, {"kind": "random", "weight": 0.3}], "evaluator": evaluator}
    whole = qd.run(workbench.write(**settings), out="whole")
    moments, times = random.Random(1), 0
    with pytest.raises(Stop):
        qd.run(workbench.write(**settings), out="parts", progress=stopping(6))
    while True:
        try:
            qd.resume("parts", progress=stopping(moments.randint(3, 7)))
            break
        except Stop:
            times += 1
    assert times > 2
    assert log_tables(whole.folder.path, resumed=True) == log_tables(workbench.folder / "parts", resumed=True)
    predicted = whole.query("SELECT COUNT(*) FROM predictions")[0][0]
    assert (predicted > 0) is (kind != "biased")


def test_predictions_and_models_are_in_the_log(workbench) -> None:
    run = qd.run(workbench.write(**SETTINGS | {"emitters": SETTINGS["emitters"][:1]}), out="run")
    frame = predictions(run)
    assert set(frame["metric"]) == {"score", "width", "height"}
    expected = {candidate for (candidate,) in run.query("SELECT candidate FROM predictions")}
    answered = run.query("SELECT candidate FROM results JOIN evaluations ON id = _evaluation WHERE _status = 0")
    assert sorted(frame["id"]) == sorted(3 * [id for (id,) in answered if id in expected])
    width = frame[frame["metric"] == "width"]
    logged = dict(run.query("SELECT candidate, width FROM results JOIN evaluations ON id = _evaluation"))
    assert width["observed"].tolist() == [logged[id] for id in width["id"]]
    fits = run.query("SELECT emitter, answers, first, value FROM models ORDER BY answers")
    assert {emitter for emitter, *_ in fits} == {"guided"}
    assert all(first > answers for _, answers, first, _ in fits)
    assert set(json.loads(fits[-1][3])["explained"]) == {"score", "width", "height"}


def test_of_what_was_known_no_predictions_are_in_the_log(workbench) -> None:
    settings = SETTINGS | {"evaluator": {"kind": f"{workbench.module}:Knowing"}, "emitters": SETTINGS["emitters"][:1]}
    run = qd.run(workbench.write(**settings), out="run")
    frame = predictions(run)
    assert set(frame["metric"]) == {"score", "height"}
    colours = {id: genotype["colour"] for id, genotype in run.genotypes(frame["id"].tolist()).items()}
    assert {colours[id] for id in frame.loc[frame["metric"] == "height", "id"]} == {"blue"}
    assert {colours[id] for id in frame.loc[frame["metric"] == "score", "id"]} == {"blue", "red"}
    assert run.summary()["evaluations"]["failed"] == 0


def test_the_objective_is_logged_in_its_own_unit(workbench) -> None:
    archive = {
        "objective": {"metric": "order", "low": 0, "high": 60},  # is minimised
        "measures": [{"metric": "width", "low": 1, "high": 30, "bins": 5, "scale": "log"}],
    }
    settings = SETTINGS | {"archive": archive, "emitters": SETTINGS["emitters"][:1]}
    by_metric = {one.metric: one for one in calibration(qd.run(workbench.write(**settings), out="run"))}
    assert by_metric["order"].rank_correlation > 0.5
    assert by_metric["width"].error < 0.5  # in powers of ten


def test_show_tells_how_predictions_turned_out(workbench, qd_command) -> None:
    qd.run(workbench.write(**SETTINGS), out="run")
    data = json.loads(qd_command("show", "run", "--json").out)
    assert [one["metric"] for one in data["predictions"]] == ["score", "width", "height"]
    for one in data["predictions"]:
        assert one["count"] > 40
        assert 0 <= one["coverage_50"] <= one["coverage_90"] <= 1
    assert "calibration of score" in qd_command("show", "run").out


def test_a_log_from_before_there_were_models_is_shown(workbench, qd_command) -> None:
    workbench.search("run")
    with contextlib.closing(sqlite3.connect("run/log.sqlite")) as log:
        log.executescript("DROP TABLE predictions; DROP TABLE models")
    answer = qd_command("show", "run", "--json")
    assert answer.status == 0
    assert "predictions" not in json.loads(answer.out)


def test_a_space_that_is_exhausted_ends_the_search(workbench) -> None:
    run = qd.run(workbench.write(**SETTINGS | {"space": {"side": 4}, "emitters": SETTINGS["emitters"][:1]}), out="run")
    assert run.meta("ending") == "space exhausted"
    assert run.count == 32  # 4 × 4 places in two colours


def test_a_log_of_what_was_accepted_is_refused(workbench, qd_command) -> None:
    answer = qd_command("run", workbench.write(**SETTINGS | {"log": "accepted"}), "--out", "run")
    assert "guided learns from every result, and fits again from the log; write log: all" in answer.err
    assert not (workbench.folder / "run").exists()
