"""What the controls select, breed and remember."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qd.archives import Axis, GridArchive, Objective
from qd.emitters import Emitter, Told
from qd.emitters.baselines import NSGA2, Evolutionary, NoveltyLocalCompetition, RegularisedEvolution
from qd.emitters.baselines.population import tournament
from qd.testing.emitters import nothing_known
from search_spaces import Metric, SearchSpace, Vector


class Points(SearchSpace):
    genes = Vector(0.0, 1.0, 3)


def archive() -> GridArchive:
    axes = [Axis(name, 0.0, 2.0, 10, "linear", "") for name in ("x", "y")]
    return GridArchive(Objective("score", "maximise", 0, 1, ""), axes)


def told(first: int, rows: list[tuple[float, float, float]]) -> Told:
    score, x, y = np.array(rows, dtype=float).T
    ids = np.arange(first, first + len(rows))
    genotypes = np.tile(ids[:, None] / 1000, (1, 3))
    return Told(ids, genotypes, {"score": score, "x": x, "y": y}, score)


def hear(emitter: Emitter, message: Told) -> None:
    emitter.tell(message, archive(), np.random.default_rng(0))


def kept(emitter: Any) -> list[int]:
    return emitter.state()["candidates"].tolist()


def parents(emitter: Emitter, n: int = 2000) -> dict[int, int]:
    drawn = [ids[0] for ids in emitter.ask(n, archive(), np.random.default_rng(1)).parents]
    return {id: drawn.count(id) for id in set(drawn)}


def test_a_tournament_of_one_is_a_uniform_draw_and_a_large_one_finds_the_best():
    rng = np.random.default_rng(0)
    fitness = np.array([0.1, 0.9, 0.5])
    assert np.bincount(tournament(fitness, 3000, 1, rng)) == pytest.approx(1000, abs=120)
    assert set(tournament(fitness, 100, 50, rng).tolist()) == {1}
    assert np.bincount(tournament(fitness, 9000, 2, rng)) == pytest.approx([1000, 5000, 3000], abs=300)


def test_the_evolutionary_algorithm_keeps_the_best_and_of_equals_the_younger():
    emitter = Evolutionary(Points(), initial=1, population=3)
    hear(emitter, told(1, [(0.5, 0, 0), (0.1, 0, 0), (0.5, 0, 0), (np.nan, 0, 0), (0.3, 0, 0)]))
    assert kept(emitter) == [3, 1, 5]
    hear(emitter, told(10, [(0.5, 0, 0), (0.2, 0, 0)]))
    assert kept(emitter) == [10, 3, 1]


def test_regularised_evolution_lets_the_oldest_die_however_good():
    emitter = RegularisedEvolution(Points(), population=3, sample=3)
    hear(emitter, told(1, [(0.9, 0, 0), (0.1, 0, 0), (np.nan, 0, 0), (0.3, 0, 0)]))
    assert sorted(kept(emitter)) == [1, 2, 4]
    hear(emitter, told(10, [(0.2, 0, 0)]))
    assert sorted(kept(emitter)) == [2, 4, 10]
    emitter.ask(5, archive(), np.random.default_rng(0))
    counts = parents(emitter)
    assert counts[4] > counts[10] > counts[2]


def test_nsga2_keeps_the_front_and_minimises_what_is_to_be_small():
    emitter = NSGA2(Points(), ["score", "x"], initial=1, population=3, crossover=0)
    emitter.bind({"score": Metric("", 0, 1), "x": Metric("", 0, 1, "minimise")}, archive(), lambda: None, nothing_known)
    hear(emitter, told(1, [(0.9, 0.9, 0), (0.5, 0.5, 0), (0.4, 0.6, 0), (0.1, 0.1, 0), (0.0, 1.0, 0)]))
    assert sorted(kept(emitter)) == [1, 2, 4]
    crossing = NSGA2(Points(), ["score", "x"], initial=1, population=3, crossover=1)
    crossing.restore(emitter.state())
    crossing.ask(1, archive(), np.random.default_rng(0))
    assert "crossover" in crossing.ask(50, archive(), np.random.default_rng(0)).operators


@pytest.mark.parametrize(
    ("objectives", "message"),
    [(["score", "depth"], "no metric 'depth' is reported"), (["score", "score"], "each objective is named once")],
)
def test_nsga2_refuses_what_it_cannot_sort_by(objectives, message):
    with pytest.raises(ValueError, match=message):
        NSGA2(Points(), objectives).bind({"score": Metric(), "x": Metric()}, archive(), lambda: None, nothing_known)


def test_novelty_search_prefers_what_is_alone_and_better_than_its_neighbours():
    emitter = NoveltyLocalCompetition(Points(), initial=1, population=4, neighbours=3, threshold=0.3)
    crowd = [(0.5, 0.1 + 0.001 * i, 0.1) for i in range(20)]
    hear(emitter, told(1, [*crowd, (0.0, 1.9, 1.9), (0.9, 0.11, 0.1)]))
    state = emitter.state()
    assert 21 in kept(emitter)  # alone, though it is the worst
    assert 22 in kept(emitter)  # in the crowd, but better than its neighbours
    np.testing.assert_allclose(state["memory"], [[0.95, 0.95, 0.0]])  # of the axes, and its objective
    hear(emitter, told(30, [(0.0, 1.9, 1.9), (0.0, 1.9, 1.88)]))
    assert len(emitter.state()["memory"]) == 1  # what was seen is not novel again


@pytest.mark.parametrize(
    "make",
    [
        lambda: Evolutionary(Points(), initial=10, population=5),
        lambda: NoveltyLocalCompetition(Points(), initial=10, population=5, neighbours=3),
        lambda: RegularisedEvolution(Points(), population=10, sample=3),
    ],
)
def test_a_restored_control_goes_on_as_the_first_would_have(make):
    first, second, rng = make(), make(), np.random.default_rng(0)
    first.ask(20, archive(), rng)
    hear(first, told(1, np.random.default_rng(2).random((20, 3)).tolist()))
    second.restore(first.state())
    for emitter in (first, second):
        hear(emitter, told(50, np.random.default_rng(3).random((20, 3)).tolist()))
    asked = [emitter.ask(30, archive(), np.random.default_rng(4)) for emitter in (first, second)]
    assert asked[0].parents == asked[1].parents
    np.testing.assert_array_equal(np.asarray(asked[0].genotypes), np.asarray(asked[1].genotypes))
