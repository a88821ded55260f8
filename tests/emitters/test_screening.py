"""Children are chosen by the cells that they are known to fall into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from qd.archives import Axis, GridArchive, Objective, UnstructuredArchive
from qd.emitters import MapElites
from qd.emitters.map_elites import Screen
from qd.emitters.screening import better_half, known_positions, weakest
from qd.testing.emitters import EmitterConformance, nothing_known
from search_spaces import Genotypes, Integer, Metric, SearchSpace, Struct

OBJECTIVE = Objective("score", "maximise", 0, 1, "")
AXES = [Axis("x", 0, 10, 10, "linear", ""), Axis("y", 1, 1000, 3, "log", "")]


class Numbers(SearchSpace):
    genes = Struct(x=Integer(0, 9), y=Integer(1, 1000), z=Integer(0, 100))


def known(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """`x` and `y` are genes; of those with an odd z nobody knows y."""
    columns = {"x": [one["x"] for one in genotypes], "y": [np.nan if one["z"] % 2 else one["y"] for one in genotypes]}
    return {name: np.array(columns[name], dtype=np.float64) for name in names if name in columns}


def both(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    return known([{**one, "z": 0} for one in genotypes], names)


def only_x(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    return known(genotypes, [name for name in names if name == "x"])


def filled(archive: GridArchive, columns: Sequence[int], score: float) -> None:
    """Elites in all rows of these columns."""
    genotypes = [{"x": x, "y": y, "z": 0} for x in columns for y in (1, 10, 100)]
    ids = np.arange(1, len(genotypes) + 1) + 1000 * len(archive)
    metrics = {name: known(genotypes, ["x", "y"])[name] for name in ("x", "y")}
    archive.add(ids, ids, {"score": np.full(len(ids), score), **metrics}, genotypes)


def test_positions_are_on_the_axes() -> None:
    genotypes = [{"x": 3, "y": 100, "z": 0}, {"x": 4, "y": 100, "z": 1}]
    positions = known_positions(known, genotypes, GridArchive(OBJECTIVE, AXES))
    np.testing.assert_array_equal(positions, [[3, 2], [4, np.nan]])
    assert np.isnan(known_positions(nothing_known, genotypes, GridArchive(OBJECTIVE, AXES))).all()


def test_the_emptiest_cell_wins_and_then_the_weakest_elite() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    filled(archive, [0, 1], 0.9)
    filled(archive, [2], 0.2)
    positions = np.array(
        [[0.5, 0.5], [5.5, 0.5], [2.5, 0.5], [1.5, 0.5], [2.5, 0.5], [-1, 0.5], [0.5, np.nan], [0.5, 2]]
    )
    groups = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    chosen = weakest(positions, groups, archive, np.random.default_rng(0))
    assert chosen.tolist() == [1, 4, 7]


def test_a_cell_is_taken_once_in_a_batch() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    filled(archive, range(5), 0.5)
    positions = np.array([[9.5, 0.5], [0.5, 0.5], [9.5, 0.5], [0.5, 0.5]])
    assert weakest(positions, np.array([0, 0, 1, 1]), archive, np.random.default_rng(0)).tolist() == [0, 3]


def settled(archive: GridArchive, knows: Any, children: int | None) -> MapElites:
    emitter = MapElites(Numbers(), 1, screen=Screen(children) if children else None)
    emitter.bind({}, archive, lambda: None, knows)
    emitter.restore({"proposed": 1})
    return emitter


@pytest.mark.parametrize("knows", [known, only_x])
def test_children_go_to_empty_cells(knows: Any) -> None:
    shares = {}
    for children in (None, 16):
        archive = GridArchive(OBJECTIVE, AXES)
        filled(archive, [0, 1, 2, 3, 4, 5], 0.9)
        proposals = settled(archive, knows, children).ask(60, archive, np.random.default_rng(3))
        assert len(proposals.parents) == len(proposals.operators) == len(proposals.genotypes) == 60
        shares[children] = np.mean([one["x"] > 5 for one in Numbers.genes.trees(proposals.genotypes)])
    assert shares[16] > shares[None] + 0.2


def test_first_proposals_are_spread_too() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    emitter = MapElites(Numbers(), 30, screen=Screen(20))
    emitter.bind({}, archive, lambda: None, both)
    proposals = emitter.ask(10, archive, np.random.default_rng(0))
    assert set(proposals.operators) == {"sample"}
    cells, _ = archive.to_beat(known_positions(both, proposals.genotypes, archive))
    assert len(set(cells.tolist())) == 10


def test_the_better_half_of_each_group_is_kept() -> None:
    scores = np.array([1.0, np.nan, 3.0, 2.0, 0.0, 5.0, np.nan])
    groups = np.array([0, 0, 0, 0, 1, 1, 2])
    assert better_half(scores, groups).tolist() == [2, 3, 5, 6]


def x_and_z(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    return {name: np.array([float(one[name]) for one in genotypes]) for name in names if name in ("x", "z")}


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_children_with_better_scores_are_chosen(direction: Any) -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    filled(archive, [0, 1, 2, 3, 4, 5], 0.9)
    means = {}
    for score in (None, "z"):
        emitter = MapElites(Numbers(), 200, screen=Screen(8, score))
        emitter.bind({"z": Metric(direction=direction)}, archive, lambda: None, x_and_z)
        proposals = emitter.ask(60, archive, np.random.default_rng(3))
        assert len(proposals.genotypes) == 60
        means[score] = np.mean([one["z"] for one in Numbers.genes.trees(proposals.genotypes)])
    better = means["z"] - means[None]
    assert (better if direction == "maximise" else -better) > 10


def test_where_no_score_of_the_children_is_known_any_may_be_chosen() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    emitter = MapElites(Numbers(), 200, screen=Screen(8, "z"))
    emitter.bind({"z": Metric()}, archive, lambda: None, x_and_z)
    emitter._known = only_x
    assert len(emitter.ask(10, archive, np.random.default_rng(0)).genotypes) == 10


def test_scores_that_nobody_knows_are_refused() -> None:
    archive = GridArchive(OBJECTIVE, AXES)

    def bind(score: str) -> None:
        MapElites(Numbers(), screen=Screen(8, score)).bind(
            {"z": Metric(), "later": Metric()}, archive, lambda: None, x_and_z
        )

    with pytest.raises(ValueError, match=r"screen\.score: there is no metric 'Z'"):
        bind("Z")
    with pytest.raises(ValueError, match=r"screen\.score: nothing is known of later before an evaluation"):
        bind("later")


def test_where_nothing_is_known_it_is_refused() -> None:
    archive = GridArchive(OBJECTIVE, AXES)
    with pytest.raises(ValueError, match="screen: nothing is known of x and y before an evaluation; leave it out, or"):
        MapElites(Numbers(), screen=Screen()).bind({}, archive, lambda: None, nothing_known)
    open_ended = UnstructuredArchive(OBJECTIVE, AXES, novelty=0.1)
    with pytest.raises(ValueError, match="screen: needs cells that are there from the start, and Unstructured"):
        MapElites(Numbers(), screen=Screen()).bind({}, open_ended, lambda: None, known)
    with pytest.raises(ValueError, match="children: expected at least 2, got 1"):
        Screen(1)


class KnowingFirst(MapElites):
    """As if the suite's `first` were known."""

    def bind(self, metrics: Any, archive: Any, surrogate: Any, known: Any) -> None:
        super().bind(metrics, archive, surrogate, first_of)


class TestScreened(EmitterConformance):
    @pytest.fixture
    def make_emitter(self) -> Any:
        return lambda space: KnowingFirst(space, initial=8, screen=Screen(3))


def first_of(genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """A number in [0, 1] that follows from the genotype's text."""
    values = [sum(map(ord, str(genotype))) % 7 / 7 for genotype in genotypes]
    return {name: np.array(values) for name in names if name == "first"}
