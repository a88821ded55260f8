"""Seeds follow from what they are for, and from nothing else."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from qd.candidates import Purpose
from qd.search.seeds import candidate_seed, shared_seed, stream_seed


def test_seeds_are_the_same_on_every_machine_and_in_every_version() -> None:
    # A run that was begun with other numbers could not be resumed, nor its elites be trained again.
    assert candidate_seed(0, 1, Purpose.SEARCH, 0) == 4367477899597868
    assert shared_seed(0, Purpose.SEARCH, 0) == 8233709789931183
    assert stream_seed(0, "search") == 7542736526174576


@given(st.integers(0, 2**53 - 1), st.integers(1, 2**40), st.sampled_from(Purpose), st.integers(0, 1000))
def test_seeds_are_exact_in_a_float(run: int, candidate: int, purpose: Purpose, repeat: int) -> None:
    seeds = (
        candidate_seed(run, candidate, purpose, repeat),
        shared_seed(run, purpose, repeat),
        stream_seed(run, "emitter random"),
    )
    for seed in seeds:
        assert 0 <= seed < 2**53
        assert int(float(seed)) == seed


def test_every_use_has_a_seed_of_its_own() -> None:
    uses = list(itertools.product(range(3), range(1, 40), Purpose, range(3)))
    common = list(itertools.product(range(3), Purpose, range(3)))
    seeds = {candidate_seed(*use) for use in uses}
    seeds |= {shared_seed(*use) for use in common}
    seeds |= {stream_seed(run, name) for run in range(3) for name in ("search", "emitter random", "emitter random_2")}
    assert len(seeds) == len(uses) + len(common) + 9
