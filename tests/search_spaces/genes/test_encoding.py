"""Genotypes as rows of numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import Choice, Gene, Integer, Real, Repeat, Struct, Variant, Vector
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.genes.encoding import MOST_POSITIONS, Encoding
from search_spaces.genes.infer import infer_genes
from search_spaces.nas_bench_graph import NASBenchGraph
from search_spaces.sparse_moe import SparseMoE

GENES = Struct(
    width=Choice(16, 32),
    activation=Choice("relu", "tanh"),
    layers=Repeat(
        Variant(
            dense=Struct(hidden=Integer(1, 9)),
            moe=Struct(experts=Repeat(Integer(1, 9), 1, 2), residual=Choice(True, False)),
        ),
        1,
        2,
    ),
)
MIXED = {
    "width": 32,
    "activation": "tanh",
    "layers": [{"kind": "moe", "experts": [3, 4], "residual": True}, {"kind": "dense", "hidden": 7}],
}


def as_named(genes: Gene, genotype: object, **options: bool) -> dict[str, float]:
    encoding = Encoding(genes, **options)
    return dict(zip((column.name for column in encoding.columns), encoding.encode([genotype])[0].tolist(), strict=True))


def test_every_value_has_a_place() -> None:
    row = as_named(GENES, MIXED)
    present = {name: value for name, value in row.items() if value}
    assert present == {
        "width": 32,
        "activation=tanh": 1,
        "len(layers)": 2,
        "layers[0].kind=moe": 1,
        "len(layers[0].moe.experts)": 2,
        "layers[0].moe.experts[0]": 3,
        "layers[0].moe.experts[1]": 4,
        "total(layers[0].moe.experts)": 7,
        "layers[0].moe.residual": 1,
        "layers[1].kind=dense": 1,
        "layers[1].dense.hidden": 7,
        "total(layers).kind=moe": 1,
        "len(total(layers).moe.experts)": 2,
        "total(layers).moe.experts[0]": 3,
        "total(layers).moe.experts[1]": 4,
        "total(total(layers).moe.experts)": 7,
        "total(layers).moe.residual": 1,
        "total(layers).kind=dense": 1,
        "total(layers).dense.hidden": 7,
    }


def test_totals_may_be_left_out() -> None:
    with_totals, without = as_named(GENES, MIXED), as_named(GENES, MIXED, totals=False)
    assert without == {name: value for name, value in with_totals.items() if "total(" not in name}


def test_columns_say_what_they_tell_of() -> None:
    columns = {column.name: column for column in Encoding(GENES).columns}
    hidden = columns["layers[1].dense.hidden"]
    assert (hidden.path, hidden.modules, hidden.total) == (
        "layers[].dense.hidden",
        ("layers[1]", "layers[]=dense"),
        False,
    )
    assert repr(hidden.gene) == "Integer(1, 9)"
    assert columns["total(layers).dense.hidden"].path == hidden.path
    assert columns["total(layers).dense.hidden"].total
    assert columns["layers[0].kind=moe"].path == columns["layers[1].kind=dense"].path == "layers[].kind"


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), space=st.sampled_from([SparseMoE, ConvBlocks, NASBenchGraph]))
def test_different_genotypes_of_every_space_have_different_rows(seed: int, space: type) -> None:
    rng = np.random.default_rng(seed)
    genotypes = space.genes.sample_many(20, rng)
    genotypes += space.genes.mutate_many(genotypes, rng)
    encoding = Encoding(space.genes)
    rows = encoding.encode(genotypes)
    assert rows.shape == (40, len(encoding.columns))
    assert np.isfinite(rows).all()
    different = len({space.genes.texts([genotype])[0] for genotype in genotypes})
    assert len(np.unique(rows, axis=0)) == different


def test_a_vector_is_its_own_encoding() -> None:
    genes = Vector(-2, 2, 3, "int8")
    rows = genes.sample_many(5, np.random.default_rng(0))
    encoding = Encoding(genes)
    assert np.array_equal(encoding.encode(rows), rows.astype(np.float64))
    assert [column.name for column in encoding.columns] == ["[0]", "[1]", "[2]"]
    nested = Struct(place=Vector(0, 1, 2), other=Real(0, 1))
    assert as_named(nested, {"place": [0.25, 0.5], "other": 0.75}) == {"place[0]": 0.25, "place[1]": 0.5, "other": 0.75}


def test_long_lists_keep_their_length_and_the_first_positions() -> None:
    row = as_named(Repeat(Integer(1, 5), 0, 100), [1] * 50)
    assert row["len(list)"] == 50
    assert sum(name.startswith("[") for name in row) == MOST_POSITIONS


class Unknown(Gene):
    def sample(self, rng):
        return 0

    def validate(self, value, path=""):
        pass

    def crossover(self, a, b, rng):
        return a

    def step(self, value, rng):
        return value

    def readable(self, value):
        return ""


def test_an_unknown_gene_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a gene that can be encoded"):
        Encoding(Struct(odd=Unknown()))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), space=st.sampled_from([SparseMoE, ConvBlocks, NASBenchGraph]))
def test_inferred_genes_allow_what_they_are_inferred_from(seed: int, space: type) -> None:
    genotypes = space.genes.sample_many(20, np.random.default_rng(seed))
    inferred = infer_genes(genotypes)
    for genotype in genotypes:
        inferred.validate(genotype)
    rows = Encoding(inferred).encode(genotypes)
    different = len({space.genes.texts([genotype])[0] for genotype in genotypes})
    assert len(np.unique(rows, axis=0)) == different


@pytest.mark.parametrize("kinds", [(3, 5), (True, False), ("a", 3), ("self", "other"), (None, "a")])
def test_a_gene_may_be_called_kind(kinds: tuple[Any, ...]) -> None:
    genotypes = [{"kind": kind, "x": x, "self": 1} for kind in kinds for x in (1, 2)]
    inferred = infer_genes(genotypes)
    for genotype in genotypes:
        inferred.validate(genotype)
    assert len(np.unique(Encoding(inferred).encode(genotypes), axis=0)) == 4


def test_inferred_genes_are_as_narrow_as_what_was_seen() -> None:
    genotypes = [
        {"a": 3, "b": "x", "c": [1, 2], "d": True, "e": 0.5, "f": []},
        {"a": 8, "b": "y", "c": [4, 0], "d": False, "e": 0.5, "f": []},
    ]
    inferred = infer_genes(genotypes)
    assert isinstance(inferred, Struct)
    shown = {name: repr(gene) for name, gene in inferred.fields.items()}
    assert shown == {
        "a": "Integer(3, 8)",
        "b": "Choice('x', 'y')",
        "c": "Vector(2 × int64 in [0, 4])",
        "d": "Choice(True, False)",
        "e": "Choice(0.5)",
        "f": "Repeat(Struct(), 0, 0)",
    }
