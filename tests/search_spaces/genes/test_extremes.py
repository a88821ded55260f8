"""The largest and the smallest genotypes."""

import numpy as np
import pytest

from search_spaces import Choice, Integer, Real, Repeat, Struct, Variant, Vector
from search_spaces.genes.extremes import extreme
from search_spaces.sparse_moe import SparseMoE

GENES = Struct(
    width=Choice(16, 8, 32),
    activation=Choice("relu", "tanh"),
    bias=Choice(False, True),
    rate=Real(0.1, 0.5),
    layers=Repeat(Variant(dense=Struct(hidden=Integer(4, 9)), none=Struct()), 1, 3),
    row=Vector([0, 1], [5, 6], dtype="int8"),
)


@pytest.mark.parametrize("largest", [True, False])
def test_numbers_are_extreme_and_the_rest_is_drawn(largest):
    rng = np.random.default_rng(0)
    drawn = [extreme(GENES, rng, largest) for _ in range(30)]
    for one in drawn:
        GENES.validate(one)
        assert one["width"] == (32 if largest else 8)
        assert one["rate"] == (0.5 if largest else 0.1)
        assert len(one["layers"]) == (3 if largest else 1)
        assert one["row"] == ([5, 6] if largest else [0, 1])
        assert all(layer["hidden"] == (9 if largest else 4) for layer in one["layers"] if layer["kind"] == "dense")
    assert {one["activation"] for one in drawn} == {"relu", "tanh"}
    assert {one["bias"] for one in drawn} == {False, True}
    assert {layer["kind"] for one in drawn for layer in one["layers"]} == {"dense", "none"}


def test_the_largest_of_a_space_has_the_most_experts():
    genotype = extreme(SparseMoE.genes, np.random.default_rng(1), largest=True)
    SparseMoE.genes.validate(genotype)
    assert len(genotype["layers"]) == 6
    assert {tuple(layer["experts"]) for layer in genotype["layers"] if layer["kind"] == "moe"} == {(64,) * 8}
