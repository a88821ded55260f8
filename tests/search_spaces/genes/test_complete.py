"""Genotypes completed for a space with more genes."""

from __future__ import annotations

import numpy as np
import pytest

from qd.registry import Registry, names
from search_spaces import Choice, Integer, Real, Repeat, Struct, Variant, Vector
from search_spaces.genes import Gene
from search_spaces.genes.complete import complete, default

OLD = Struct(
    width=Choice(16, 32),
    layers=Repeat(Variant(dense=Struct(hidden=Integer(8, 128)), moe=Struct(top_k=Integer(1, 2))), 1, 4),
)
NEW = Struct(
    width=Choice(16, 32),
    layers=Repeat(
        Variant(
            dense=Struct(hidden=Integer(8, 128), dropout=Real(0.0, 0.5)),
            moe=Struct(top_k=Integer(1, 2), experts=Repeat(Integer(4, 8), 2, 5)),
        ),
        1,
        4,
    ),
    training=Struct(rate=Real(0.001, 0.1, log=True), schedule=Choice("cosine", "constant")),
)


def test_missing_entries_are_filled_at_every_depth():
    value = {"width": 32, "layers": [{"kind": "dense", "hidden": 9}, {"kind": "moe", "top_k": 2}]}
    completed, filled = complete(NEW, value)
    assert completed == {
        "width": 32,
        "layers": [{"kind": "dense", "hidden": 9, "dropout": 0.0}, {"kind": "moe", "top_k": 2, "experts": [4, 4]}],
        "training": {"rate": 0.001, "schedule": "cosine"},
    }
    assert filled == [
        "layers[0].dropout = 0.0",
        "layers[1].experts = [4, 4]",
        "training = {'rate': 0.001, 'schedule': 'cosine'}",
    ]
    NEW.validate(completed)
    assert value == {"width": 32, "layers": [{"kind": "dense", "hidden": 9}, {"kind": "moe", "top_k": 2}]}


@pytest.mark.parametrize("seed", range(20))
def test_every_genotype_of_the_old_space_becomes_one_of_the_new(seed):
    completed, filled = complete(NEW, OLD.sample(np.random.default_rng(seed)))
    NEW.validate(completed)
    assert filled
    assert complete(NEW, completed) == (completed, [])


@pytest.mark.parametrize("value", [3, "x", None, [1], {"kind": "unknown"}, {"layers": "none"}])
def test_what_is_there_is_left_as_it_is(value):
    completed, _ = complete(NEW, value)
    if isinstance(value, dict):
        assert value.items() <= completed.items()
    else:
        assert completed == value


def test_defaults_are_allowed_in_every_space_there_is():
    for name in names("spaces"):
        genes = Registry().build("spaces", name, {}, "space").genes
        genes.validate(default(genes))
    vector = Vector([1, 2], [4, 5], dtype="int8")
    assert default(vector) == [1, 2]


def test_a_gene_of_an_unknown_kind_has_no_default():
    class Odd(Choice):
        pass

    assert default(Odd("a", "b")) == "a"
    with pytest.raises(TypeError, match="expected a gene that has a default"):
        default(object())  # pyright: ignore[reportArgumentType]
    assert issubclass(Odd, Gene)
