"""All emitters keep the contract, over trees and over vectors, and the suite notices emitters that do not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qd.emitters.base import Emitter, Proposals
from qd.registry import Registry, own_names
from qd.testing import EmitterConformance
from qd.testing.emitters import Play
from qd.testing.toys.climber import Climber
from qd.testing.toys.table import Space
from qd.testing.toys.vectors import Vectors
from search_spaces import Invalid, SearchSpace

FEW: dict[str, dict[str, Any]] = {
    "map_elites": {"initial": 12},
    "guided": {"initial": 12, "pool": 40, "trees": 4},
    "evolutionary": {"initial": 12, "population": 10},
    "novelty_local_competition": {"initial": 12, "population": 10, "neighbours": 3},
    "nsga2": {"objectives": ["score", "second"], "initial": 12, "population": 10},
    "regularised_evolution": {"population": 10, "sample": 3},
}
"""Arguments with which an emitter has left its first random proposals behind when the suite still asks."""


def everyone() -> dict[str, tuple[Callable[[], SearchSpace], type[Emitter], dict[str, Any]]]:
    kinds = {name: Registry().find("emitters", name, "emitters") for name in own_names("emitters")}
    made: dict[str, tuple[Callable[[], SearchSpace], type[Emitter], dict[str, Any]]] = {}
    for name, kind in kinds.items():
        for space in (Space, Vectors):
            made[f"{name}-{space.__name__}"] = (space, kind, FEW.get(name, {}))
    made["map_elites-bias"] = (Space, kinds["map_elites"], {"initial": 12, "bias": "importance"})
    made["climber"] = (Space, Climber, {"initial": 12})
    return made


@pytest.mark.parametrize("case", everyone())
class TestEmitters(EmitterConformance):
    @pytest.fixture
    def space(self, case: str) -> SearchSpace:
        return everyone()[case][0]()

    @pytest.fixture
    def make_emitter(self, case: str) -> Callable[[SearchSpace], Emitter]:
        _, kind, arguments = everyone()[case]
        return lambda space: kind(space, **arguments)


class OneTooFew(Climber):
    def ask(self, n, archive, rng):
        return super().ask(max(1, n - 1), archive, rng)


class OutOfRange(Climber):
    def ask(self, n, archive, rng):
        proposals = super().ask(n, archive, rng)
        return proposals._replace(genotypes=[{**one, "x": 99} for one in proposals.genotypes])


class StrangeParents(Climber):
    def ask(self, n, archive, rng):
        return super().ask(n, archive, rng)._replace(parents=[(10_000,)] * n)


class NumpyParents(Climber):
    def ask(self, n, archive, rng):
        proposals = super().ask(n, archive, rng)
        return proposals._replace(parents=[tuple(map(np.int64, one)) for one in proposals.parents])


class DrawsGlobally(Climber):
    def ask(self, n, archive, rng):
        return super().ask(n, archive, np.random.default_rng(np.random.randint(10**9)))


class IgnoresTheGenerator(Climber):
    def ask(self, n, archive, rng):
        return super().ask(n, archive, np.random.default_rng(self._proposed))


class NeedsElites(Climber):
    def ask(self, n, archive, rng):
        if self._proposed >= self.initial and archive.best is None:
            return Proposals([], [], [])
        return super().ask(n, archive, rng)


class ChangesTheArchive(Climber):
    def tell(self, told, archive, rng):
        archive.add(
            told.candidates + 1000, told.candidates, {k: v + 0.01 for k, v in told.metrics.items()}, told.genotypes
        )


class ChangesParents(Climber):
    """Keeps what it proposed, and changes it when it is parents."""

    proposed = ()

    def ask(self, n, archive, rng):
        for genotype in self.proposed:
            genotype["x"] = 0
        proposals = super().ask(n, archive, rng)
        self.proposed = proposals.genotypes
        return proposals


class ArraysInside(Climber):
    def state(self):
        return {**super().state(), "last": {"ids": np.arange(3)}}


class Forgetful(Climber):
    def state(self):
        return {}

    def restore(self, state):
        pass


class NeverDone(Climber):
    """Waits for all it has proposed, in their order."""

    def tell(self, told, archive, rng):
        assert told.candidates.tolist() == sorted(told.candidates.tolist()), "out of order"


@pytest.mark.parametrize(
    ("emitter", "test", "message"),
    [
        (OneTooFew, "proposes_as_many_as_are_asked_for", "asked for 8, got 7"),
        (StrangeParents, "parents_are_candidates_that_were_told", "parent 10000 was never told"),
        (NumpyParents, "parents_are_candidates_that_were_told", "a candidate's id is an int"),
        (DrawsGlobally, "all_randomness_comes_from_the_generator", "genotypes differ"),
        (IgnoresTheGenerator, "another_generator_gives_other_proposals", "assert"),
        (NeedsElites, "works_while_the_archive_is_empty", "with an empty archive"),
        (ChangesTheArchive, "the_archive_and_what_is_told_stay_as_they_are", r"tell\(\) changed the archive"),
        (ChangesParents, "the_archive_and_what_is_told_stay_as_they_are", r"ask\(\) changed the archive"),
        (ChangesParents, "parents_in_the_archive_stay_as_they_are", "shares a list or dict"),
        (Forgetful, "goes_on_from_its_state", "assert"),
        (NeverDone, "hears_of_proposals_in_any_order_and_late", "out of order"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_emitter_is_noticed(emitter: type[Emitter], test: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        run(emitter, test)


def test_genotypes_that_the_space_does_not_know_are_noticed() -> None:
    with pytest.raises(Invalid, match="x: expected an integer in"):
        run(OutOfRange, "proposals_are_valid")


def test_a_state_that_is_no_plain_data_is_noticed() -> None:
    with pytest.raises(TypeError, match="ndarray is not JSON serializable"):
        run(ArraysInside, "state_is_plain_data_and_arrays")


def run(emitter: type[Emitter], test: str) -> None:
    suite, space = EmitterConformance(), Space()

    def make_emitter(space: SearchSpace) -> Emitter:
        made: Any = emitter
        return made(space, initial=12)

    given = {
        "space": space,
        "make_emitter": make_emitter,
        "play": Play(space, make_emitter(space)),
        "twin": Play(space, make_emitter(space)),
    }
    method = getattr(suite, f"test_{test}")
    method(**{name: given[name] for name in inspect.signature(method).parameters})
