"""What the project's own genes draw needs no look: a search with its own emitters takes it as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qd.registry import Registry, own_names
from search_spaces import Choice, Integer, Real, Repeat, Struct, Variant, Vector
from search_spaces.genes.own import is_own_tree

SPACES = [name for name in own_names("spaces") if name not in ("module_library", "retina")]  # they need files; arrays


class Odd(Integer):
    """A stranger's."""


def test_a_stranger_anywhere_within_is_found() -> None:
    own = Struct(a=Choice(1, 2), b=Repeat(Variant(x=Struct(c=Real(0, 1)), y=Struct(d=Integer(1, 3))), 1, 3))
    assert is_own_tree(own)
    assert not is_own_tree(Odd(1, 3))
    assert not is_own_tree(Struct(a=Odd(1, 3)))
    assert not is_own_tree(Repeat(Odd(1, 3), 1, 2))
    assert not is_own_tree(Variant(x=Struct(c=Odd(1, 3))))
    assert not is_own_tree(type("Mine", (Struct,), {})(a=Choice(1, 2)))
    assert not is_own_tree(Vector(-2, 2, 5, "int8"))  # rows of an array, which are looked at together


def containers(value: Any) -> set[int]:
    """Identities of all lists and objects within."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return set() if inner is None else {id(value)}.union(*map(containers, inner))


def types(value: Any) -> set[type]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types, inner))


@pytest.mark.parametrize("name", SPACES)
def test_what_they_draw_is_valid_plain_and_nobody_elses(name: str) -> None:
    genes = Registry().find("spaces", name, "space")().genes
    rng = np.random.default_rng(0)
    first, second = genes.sample_many(30, rng), genes.sample_many(30, rng)
    drawn = [*first, *genes.mutate_many(first, rng), *genes.crossover_many(first, second, rng)]
    for one in drawn:
        genes.validate(one)
        assert types(one) <= {dict, list, str, int, float, bool, type(None)}
    parents = set().union(*map(containers, [*first, *second]))
    assert not parents & set().union(*map(containers, drawn[30:]))
