"""Random sampling looks at nothing."""

import numpy as np

from qd.archives import Axis, GridArchive, Objective
from qd.emitters.baselines import Random
from search_spaces import Integer, SearchSpace, Struct


class Numbers(SearchSpace):
    genes = Struct(a=Integer(0, 10**6))


def test_it_samples_the_genes_and_nothing_else() -> None:
    archive = GridArchive(Objective("score", "maximise", 0, 1, ""), [Axis("x", 0, 1, 2, "linear", "")])
    archive.add([1], [1], {"score": np.ones(1), "x": np.ones(1)}, [{"a": 5}])
    emitter = Random(Numbers())
    proposals = emitter.ask(30, archive, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    assert proposals.genotypes == [Numbers.genes.sample(rng) for _ in range(30)]
    assert proposals.parents == [()] * 30
    assert proposals.operators == ["sample"] * 30
    assert emitter.state() == {}
