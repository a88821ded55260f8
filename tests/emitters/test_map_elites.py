"""MAP-Elites proposes random genotypes first, and then children of elites."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from qd.archives import Axis, GridArchive, Objective
from qd.emitters import MapElites
from search_spaces import Integer, SearchSpace, Struct

CELLS = 10


class Numbers(SearchSpace):
    genes = Struct(a=Integer(0, 10**6), b=Integer(0, 10**6), c=Integer(0, 10**6))


def make_archive(filled: int) -> GridArchive:
    """One elite in each of the first cells; the first cell has seen many better and better ones."""
    archive = GridArchive(Objective("score", "maximise", 0, 1, ""), [Axis("x", 0, CELLS, CELLS, "linear", "")])
    rng = np.random.default_rng(1)
    cells = [0] * 50 * (filled > 0) + list(range(filled))
    scores = np.linspace(0.1, 0.9, len(cells))
    ids = list(range(1, len(cells) + 1))
    genotypes = [Numbers.genes.sample(rng) for _ in ids]
    archive.add(ids, [100 + id for id in ids], {"score": scores, "x": np.array(cells, dtype=float)}, genotypes)
    return archive


def settled(**arguments: Any) -> MapElites:
    """One that has made its random proposals."""
    emitter = MapElites(Numbers(), **arguments)
    emitter.restore({"proposed": emitter.initial})
    return emitter


def test_random_genotypes_come_first() -> None:
    rng = np.random.default_rng(0)
    emitter, archive = MapElites(Numbers(), initial=7), make_archive(CELLS)
    operators = [*emitter.ask(3, archive, rng).operators, *emitter.ask(6, archive, rng).operators]
    assert operators[:7] == ["sample"] * 7
    assert "sample" not in operators[7:]


def test_without_elites_it_goes_on_at_random() -> None:
    proposals = MapElites(Numbers(), initial=1).ask(20, make_archive(0), np.random.default_rng(0))
    assert proposals.operators == ["sample"] * 20
    assert proposals.parents == [()] * 20
    for genotype in proposals.genotypes:
        Numbers.genes.validate(genotype)


def test_every_filled_cell_is_drawn_as_often() -> None:
    archive = make_archive(CELLS)
    proposals = settled(crossover=0).ask(5000, archive, np.random.default_rng(0))
    drawn = Counter(parents[0] for parents in proposals.parents)
    assert set(drawn) == {elite.candidate for elite in archive.elites.values()}
    assert min(drawn.values()) > 400  # 500 expected, with a standard deviation of 21
    assert max(drawn.values()) < 600


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_crossover_has_its_share(share: float) -> None:
    archive = make_archive(CELLS)
    genotypes = {elite.candidate: elite.genotype for elite in archive.elites.values()}
    proposals = settled(crossover=share).ask(2000, archive, np.random.default_rng(0))
    crossed = 0
    for genotype, parents, operator in zip(*proposals[:3], strict=True):
        Numbers.genes.validate(genotype)
        if operator == "crossover":
            a, b = (genotypes[parent] for parent in parents)
            assert all(genotype[name] in (a[name], b[name]) for name in genotype)
            assert genotype not in (a, b)
            crossed += 1
        else:
            assert operator == "mutation"
            assert genotype != genotypes[parents[0]]
    # of two different parents (9 of 10 pairs) 6 of 8 children equal neither; for the others there is a mutation
    assert crossed / 2000 == pytest.approx(share * 0.9 * 0.75, abs=0.04)


def test_a_single_elite_is_only_mutated() -> None:
    proposals = settled(crossover=1).ask(20, make_archive(1), np.random.default_rng(0))
    assert set(proposals.operators) == {"mutation"}


def test_elites_are_left_alone() -> None:
    archive = make_archive(CELLS)
    before = json.dumps([elite.genotype for elite in archive.elites.values()])
    settled(crossover=0.5).ask(200, archive, np.random.default_rng(0))
    assert json.dumps([elite.genotype for elite in archive.elites.values()]) == before


def test_a_restored_emitter_goes_on_as_the_first_would_have() -> None:
    archive, rng, again = make_archive(CELLS), np.random.default_rng(0), np.random.default_rng(0)
    first, second = MapElites(Numbers(), initial=30), MapElites(Numbers(), initial=30)
    first.ask(20, archive, rng)
    state = json.loads(json.dumps({"emitter": first.state(), "rng": rng.bit_generator.state}))
    second.restore(state["emitter"])
    again.bit_generator.state = state["rng"]
    expected = first.ask(40, archive, rng)
    assert expected.operators[:10] == ["sample"] * 10
    assert set(expected.operators[10:]) == {"mutation", "crossover"}
    assert second.ask(40, archive, again) == expected
