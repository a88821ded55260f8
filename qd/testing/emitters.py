"""What every emitter must do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from search_spaces import Gene, Genotypes, Metric, SearchSpace
from search_spaces.genes import to_json
from search_spaces.genes.columns import take

from ..archives import Archive, Axis, GridArchive, Objective
from ..emitters.base import Emitter, Proposals, Told
from .toys.table import Space

OBJECTIVE, MEASURES = "score", ("first", "second")
METRICS = {OBJECTIVE: Metric("", 0, 1), **{name: Metric("", 0, 1) for name in MEASURES}}
"""What the suite's candidates are scored by; `second` is better the less there is of it."""


class EmitterConformance:
    """The contract of `Emitter`, as tests. Give `make_emitter`; the suite plays the search around it.

    class TestMyEmitter(EmitterConformance):
        @pytest.fixture
        def make_emitter(self):
            return lambda space: MyEmitter(space, initial=8)

    Each call makes an emitter with the same arguments: small ones, so that within `rounds` tells it has gone through
    all its phases. Candidates are scored by two numbers and an objective that the suite draws from their genotypes.
    """

    rounds = 6
    """Asks, each of which is told before the next."""
    size = 8
    """Proposals that are asked for at a time."""

    @pytest.fixture
    def space(self) -> SearchSpace:
        """What is searched; by default three genes."""
        return Space()

    @pytest.fixture
    def make_emitter(self) -> Any:
        """`make_emitter(space)` returns the emitter under test."""
        raise NotImplementedError("give the suite a fixture `make_emitter` that returns `lambda space: MyEmitter(...)`")

    @pytest.fixture
    def play(self, space: SearchSpace, make_emitter: Any) -> Play:
        """A search around the emitter, not begun."""
        return Play(space, make_emitter(space))

    @pytest.fixture
    def twin(self, space: SearchSpace, make_emitter: Any) -> Play:
        """The same once more."""
        return Play(space, make_emitter(space))

    def test_proposes_as_many_as_are_asked_for(self, play: Play) -> None:
        for n in (1, self.size, 3, self.size, 1, self.size):
            proposals = play.ask(n)
            assert len(proposals.genotypes) == n, f"asked for {n}, got {len(proposals.genotypes)} genotypes"
            assert len(proposals.parents) == n, f"asked for {n}, got {len(proposals.parents)} tuples of parents"
            assert len(proposals.operators) == n, f"asked for {n}, got {len(proposals.operators)} operators"
            play.tell(proposals)

    def test_proposals_are_valid(self, play: Play) -> None:
        for proposals in play.rounds(self.rounds, self.size):
            for genotype in play.space.genes.trees(proposals.genotypes):
                play.space.genes.validate(genotype)
                json.loads(to_json(genotype))

    def test_parents_are_candidates_that_were_told(self, play: Play) -> None:
        for number in range(self.rounds):
            proposals = play.ask(self.size)
            for parents, operator in zip(proposals.parents, proposals.operators, strict=True):
                assert isinstance(operator, str) and operator, f"an operator is a word, got {operator!r}"
                assert isinstance(parents, tuple), f"parents are a tuple of candidate ids, got {parents!r}"
                for parent in parents:
                    assert type(parent) is int, f"a candidate's id is an int, got {parent!r}"
                    assert parent in play.known, f"round {number}: parent {parent} was never told"
            play.tell(proposals)

    def test_all_randomness_comes_from_the_generator(self, play: Play, twin: Play) -> None:
        for proposals in play.rounds(self.rounds, self.size):
            np.random.random()  # whoever draws from the global generator goes on with other numbers
            same = twin.ask(self.size)
            assert_equal_proposals(same, proposals)
            twin.tell(same)

    def test_another_generator_gives_other_proposals(self, space: SearchSpace, make_emitter: Any) -> None:
        one, other = Play(space, make_emitter(space)), Play(space, make_emitter(space), seed=1)
        drawn = [
            [to_json(g) for p in play.rounds(self.rounds, self.size) for g in play.trees(p)] for play in (one, other)
        ]
        assert drawn[0] != drawn[1]

    def test_works_while_the_archive_is_empty(self, play: Play) -> None:
        for number in range(self.rounds):
            proposals = play.ask(self.size)
            assert len(proposals.genotypes) == self.size, f"ask {number + 1} with an empty archive"
            play.tell(proposals, answered=False)
        assert not len(play.archive)

    def test_hears_of_proposals_in_any_order_and_late(self, play: Play) -> None:
        asked = [play.ask(3) for _ in range(3)]
        for proposals in reversed(asked):
            play.tell(proposals, np.arange(len(proposals.parents))[::-1])
        for proposals in play.rounds(2, self.size):
            assert len(proposals.genotypes) == self.size

    def test_the_archive_and_what_is_told_stay_as_they_are(self, play: Play) -> None:
        for _ in range(self.rounds):
            before = _facts(play.archive)
            proposals = play.ask(self.size)
            assert _facts(play.archive) == before, "ask() changed the archive"
            told = play.enter(proposals)
            before, texts = _facts(play.archive), to_json(play.trees(proposals))
            play.emitter.tell(told, play.archive, play.rng)
            assert _facts(play.archive) == before, "tell() changed the archive"
            assert to_json(play.trees(proposals)) == texts, "tell() changed a genotype"

    def test_parents_in_the_archive_stay_as_they_are(self, play: Play) -> None:
        for proposals in play.rounds(self.rounds, self.size):
            texts = {id: to_json(genotype) for id, genotype in play.known.items()}
            assert texts == play.texts, "a proposal shares a list or dict with its parent, or changed it"
            assert len(proposals.parents) == self.size

    def test_state_is_plain_data_and_arrays(self, play: Play) -> None:
        for _ in play.rounds(self.rounds, self.size):
            for key, value in play.emitter.state().items():
                assert isinstance(key, str), f"keys of the state are strings, got {key!r}"
                if not isinstance(value, np.ndarray):
                    json.dumps(value)  # a TypeError names what is no plain data

    def test_goes_on_from_its_state(self, space: SearchSpace, make_emitter: Any, play: Play) -> None:
        told: list[Told] = []
        for _ in range(self.rounds):
            state = through_json(play.emitter.state())
            again = play.resumed(make_emitter(space), told, state)
            expected, proposals = play.ask(self.size), again.ask(self.size)
            assert_equal_proposals(proposals, expected)
            assert through_json(again.emitter.state()).keys() == play.emitter.state().keys()
            told.append(play.tell(expected))


class Play:
    """A search in few lines: an archive, a generator, and candidates that are scored as soon as they are told."""

    def __init__(self, space: SearchSpace, emitter: Emitter, seed: int = 0) -> None:
        self.space, self.emitter = space, emitter
        self.rng = np.random.default_rng(seed)
        self.archive: Archive = make_suite_archive()
        self.known: dict[int, Any] = {}
        self.texts: dict[int, str] = {}
        self._next = 1
        self._ids: list[tuple[Proposals, np.ndarray]] = []
        emitter.bind(METRICS, self.archive, lambda: None, nothing_known)

    def ask(self, n: int) -> Proposals:
        """Let the emitter propose."""
        proposals = self.emitter.ask(n, self.archive, self.rng)
        size = len(proposals.parents)
        self._ids.append((proposals, np.arange(self._next, self._next + size, dtype=np.int64)))
        self._next += size
        return proposals

    def rounds(self, number: int, size: int) -> Any:
        """Yield proposals, and tell of each afterwards."""
        for _ in range(number):
            proposals = self.ask(size)
            yield proposals
            self.tell(proposals)

    def tell(self, proposals: Proposals, rows: np.ndarray | None = None, answered: bool = True) -> Told:
        """Score proposals, add them to the archive, and let the emitter hear."""
        told = self.enter(proposals, rows, answered)
        self.emitter.tell(told, self.archive, self.rng)
        return told

    def enter(self, proposals: Proposals, rows: np.ndarray | None = None, answered: bool = True) -> Told:
        """Score proposals and add them to the archive."""
        rows = np.arange(len(proposals.parents)) if rows is None else rows
        ids = next(ids for asked, ids in self._ids if asked is proposals)[rows]
        genotypes = take(proposals.genotypes, rows)
        trees = list(self.space.genes.trees(genotypes))
        metrics = scores(self.space.genes, trees)
        if not answered:
            metrics = {name: np.full(len(rows), np.nan) for name in metrics}
        self.archive.add(ids, ids, metrics, genotypes)
        self.known |= dict(zip(ids.tolist(), trees, strict=True))
        self.texts |= {id: to_json(tree) for id, tree in zip(ids.tolist(), trees, strict=True)}
        return Told(ids, genotypes, metrics, self.archive.objective.sign * metrics[OBJECTIVE])

    def trees(self, proposals: Proposals) -> list[Any]:
        """Genotypes as plain data."""
        return list(self.space.genes.trees(proposals.genotypes))

    def resumed(self, emitter: Emitter, told: list[Told], state: dict[str, Any]) -> Play:
        """The same search around a new emitter, as a resume would make it: from what was told, and a state."""
        again = Play(self.space, emitter)
        for one in told:
            again.archive.add(one.candidates, one.candidates, one.metrics, one.genotypes)
        again.rng.bit_generator.state = self.rng.bit_generator.state
        if emitter.remembers and told:
            genotypes = [tree for one in told for tree in self.space.genes.trees(one.genotypes)]
            metrics = {name: np.concatenate([one.metrics[name] for one in told]) for name in METRICS}
            candidates = np.concatenate([one.candidates for one in told])
            objectives = np.concatenate([one.objectives for one in told])
            everything = Told(candidates, self.space.genes.column(genotypes), metrics, objectives)
            emitter.tell(everything, again.archive, again.rng)
        emitter.restore(state)
        return again


def nothing_known(
    genotypes: Genotypes, names: Sequence[str], keys: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """What `bind` gets where no metric is known before an evaluation."""
    return {}


def make_suite_archive() -> Archive:
    """An empty grid of five by five cells."""
    return GridArchive(
        Objective(OBJECTIVE, "maximise", 0, 1, ""), [Axis(name, 0, 1, 5, "linear", "") for name in MEASURES]
    )


def scores(genes: Gene, genotypes: list[Any]) -> dict[str, np.ndarray]:
    """{metric: (N,)} in [0, 1], drawn from the genotypes' text; equal genotypes have equal scores."""
    rows = [np.random.default_rng(list(to_json(genotype).encode())).random(len(METRICS)) for genotype in genotypes]
    return dict(zip(METRICS, np.array(rows).reshape(-1, len(METRICS)).T, strict=True))


def assert_equal_proposals(actual: Proposals, expected: Proposals) -> None:
    """Assert that genotypes, parents and operators are the same."""
    assert actual.operators == expected.operators
    assert actual.parents == expected.parents
    assert list(map(to_json, _rows(actual))) == list(map(to_json, _rows(expected))), "genotypes differ"


def through_json(state: dict[str, Any]) -> dict[str, Any]:
    """A state as a log gives it back: plain data through text, arrays as copies."""
    return {
        key: value.copy() if isinstance(value, np.ndarray) else json.loads(json.dumps(value))
        for key, value in state.items()
    }


def _rows(proposals: Proposals) -> list[Any]:
    genotypes = proposals.genotypes
    return genotypes.tolist() if isinstance(genotypes, np.ndarray) else list(genotypes)


def _facts(archive: Archive) -> Any:
    elites = archive.elites
    return to_json({str(cell): list(elites[cell]) for cell in elites}), archive.outside, archive.qd_score
