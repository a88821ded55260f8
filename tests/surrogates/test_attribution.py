"""Shares of a forest's variance, and mutation that follows them."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from qd.emitters import MapElites, Told
from qd.emitters.bias import ImportanceBias
from qd.surrogates.attribution import Attribution, gene_groups, module_groups
from qd.surrogates.forest import Forest
from search_spaces import Choice, Integer, Repeat, SearchSpace, Struct, Variant, Vector
from search_spaces.genes.encoding import Encoding

GENES = Struct(a=Integer(0, 99), b=Integer(0, 99), c=Integer(0, 99), d=Choice("x", "y", "z"))
ENCODING = Encoding(GENES)
GROUPS = gene_groups(ENCODING.columns)


def attribution(function: Any, together: bool = False) -> Attribution:
    """Of a function of a, b, c in [0, 1] and d's option; `together` makes b follow a in the table."""
    rng = np.random.default_rng(0)
    genotypes = GENES.sample_many(1500, rng)
    if together:
        genotypes = [{**one, "b": min(99, one["a"] + int(rng.integers(30)))} for one in genotypes]
    values = np.array([function(one["a"] / 99, one["b"] / 99, one["c"] / 99, one["d"]) for one in genotypes])
    rows = ENCODING.encode(genotypes)
    forest = Forest(features=1.0)
    forest.fit(rows, values)
    return Attribution(forest, rows, ENCODING.columns, rng)


def test_a_sum_is_shared_by_its_terms_and_nothing_beyond() -> None:
    found = attribution(lambda a, b, c, d: 2 * a + b)  # variances 4 to 1
    assert found.total(GROUPS["a"]) == pytest.approx(0.8, abs=0.06)
    assert found.total(GROUPS["b"]) == pytest.approx(0.2, abs=0.06)
    assert found.total(GROUPS["c"]) == pytest.approx(0, abs=0.02)
    for name in "ab":
        assert found.alone(GROUPS[name]) == pytest.approx(found.total(GROUPS[name]), abs=0.1)


def test_a_product_around_the_middle_is_interaction_alone() -> None:
    found = attribution(lambda a, b, c, d: (a - 0.5) * (b - 0.5))
    both = np.concatenate([GROUPS["a"], GROUPS["b"]])
    assert found.alone(both) > 0.8
    for name in "ab":
        assert found.total(GROUPS[name]) > 0.8
        assert found.alone(GROUPS[name]) < 0.2


def test_genes_that_go_together_in_the_table_are_told_apart() -> None:
    found = attribution(lambda a, b, c, d: a, together=True)
    assert found.total(GROUPS["a"]) > 10 * found.total(GROUPS["b"])
    assert found.alone(GROUPS["a"]) + found.alone(GROUPS["b"]) < 1.1


def test_the_options_of_a_choice_belong_together() -> None:
    found = attribution(lambda a, b, c, d: {"x": 0.0, "y": 1.0, "z": 2.0}[d])
    assert len(GROUPS["d"]) == 3
    assert found.total(GROUPS["d"]) == pytest.approx(1, abs=0.12)
    assert found.alone(GROUPS["d"]) == pytest.approx(1, abs=0.12)


def test_without_variance_there_are_no_shares() -> None:
    found = attribution(lambda a, b, c, d: 1.0)
    assert found.total(GROUPS["a"]) == found.alone(GROUPS["a"]) == 0


def test_genes_and_modules_are_groups_of_columns() -> None:
    layers = Repeat(Variant(dense=Struct(hidden=Integer(1, 9)), skip=Struct()), 1, 2)
    columns = Encoding(Struct(layers=layers), totals=False).columns
    named = [
        {name: [columns[index].name for index in part] for name, part in groups(columns).items()}
        for groups in (gene_groups, module_groups)
    ]
    kinds = ["layers[0].kind=dense", "layers[0].kind=skip", "layers[1].kind=dense", "layers[1].kind=skip"]
    assert named[0] == {
        "len(layers)": ["len(layers)"],
        "layers[].kind": kinds,
        "layers[].dense.hidden": ["layers[0].dense.hidden", "layers[1].dense.hidden"],
    }
    assert named[1] == {
        "layers[0]": ["layers[0].kind=dense", "layers[0].dense.hidden", "layers[0].kind=skip"],
        "layers[1]": ["layers[1].kind=dense", "layers[1].dense.hidden", "layers[1].kind=skip"],
        "layers[]=dense": [kinds[0], "layers[0].dense.hidden", kinds[2], "layers[1].dense.hidden"],
        "layers[]=skip": [kinds[1], kinds[3]],
    }


# ------------------------------------------------------------------------ bias


class Space(SearchSpace):
    genes = GENES


class Vectors(SearchSpace):
    genes = Vector(0, 1, 4)


def mutated(bias: ImportanceBias, n: int = 3000) -> Counter[str]:
    """How often each gene differs in mutants."""
    rng = np.random.default_rng(5)
    genotypes = GENES.sample_many(n, rng)
    pairs = zip(genotypes, bias.mutate_many(genotypes, rng), strict=True)
    return Counter(name for old, new in pairs for name in old if old[name] != new[name])


def taught(n: int, unit: float = 1.0) -> ImportanceBias:
    """A bias that was told of n candidates whose objective is a, in a unit."""
    bias = ImportanceBias(Space())
    genotypes = GENES.sample_many(n, np.random.default_rng(0))
    scores = np.array([unit * one["a"] for one in genotypes])
    bias.tell(Told(np.arange(n), genotypes, {"score": scores}, scores))
    bias.fit_if_due()
    return bias


def test_before_there_are_answers_all_genes_mutate_alike() -> None:
    counts = mutated(taught(20))
    assert max(counts.values()) < 1.15 * min(counts.values())


def test_where_nothing_decides_the_objective_all_genes_mutate_alike() -> None:
    bias = taught(40, unit=0.0)
    assert bias.fitted == 40
    counts = mutated(bias)
    assert max(counts.values()) < 1.15 * min(counts.values())


@pytest.mark.parametrize("unit", [1.0, 1e-300, 1e-9, 1e298])
def test_what_decides_the_objective_mutates_more_often_and_nothing_is_left_out(unit: float) -> None:
    counts = mutated(taught(200, unit))
    assert counts["a"] > 3 * max(counts[name] for name in "bcd")
    assert min(counts[name] for name in "bcd") > 100


def test_it_is_fitted_again_when_there_are_half_as_many_answers_again() -> None:
    bias = taught(100)
    assert bias.fitted == 100
    for n, fitted in ((49, 100), (1, 150)):
        genotypes = GENES.sample_many(n, np.random.default_rng(n))
        bias.tell(Told(np.arange(n), genotypes, {"score": np.ones(n)}, np.ones(n)))
        bias.fit_if_due()
        assert bias.fitted == fitted


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="bias: importance needs genes that are trees, and those of Vectors are none"):
        MapElites(Vectors(), bias="importance")
