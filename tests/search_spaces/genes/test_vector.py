"""Genotypes of fixed length, one at a time and by the column."""

from __future__ import annotations

import json

import numpy as np
import pytest

from qd.testing import SpaceConformance
from search_spaces import Invalid, SearchSpace, Vector
from search_spaces.genes import to_json

WHOLE = Vector(-2, 2, 30, "int8")
REAL = Vector(0.1, 0.7, 5, "float32")  # neither bound is a float32
MIXED = Vector([0, 0, -1.5, 7], [1, 10, 1.5, 7], dtype=["float32", "int16", "float64", "int64"])
ALL = [WHOLE, REAL, MIXED]


class Mixed(SearchSpace):
    genes = MIXED


class TestAVectorKeepsTheContract(SpaceConformance):
    @pytest.fixture
    def space(self) -> SearchSpace:
        return Mixed()


@pytest.mark.parametrize("genes", ALL, ids=repr)
def test_all_operators_stay_within_bounds_and_types(genes: Vector) -> None:
    rng = np.random.default_rng(0)
    first = genes.sample_many(200, rng)
    mutants = genes.mutate_many(first, rng)
    for column in (first, mutants, genes.crossover_many(first, mutants, rng)):
        assert column.shape == (200, genes.size)
        assert column.dtype == genes.dtype
        for genotype in genes.trees(column):
            genes.validate(genotype)


@pytest.mark.parametrize("genes", ALL, ids=repr)
def test_columns_and_trees_are_two_forms_of_the_same(genes: Vector) -> None:
    column = genes.sample_many(50, np.random.default_rng(1))
    trees = genes.trees(column)
    np.testing.assert_array_equal(genes.column(trees), column)
    assert genes.texts(column) == [to_json(tree) for tree in trees]
    np.testing.assert_array_equal(genes.column([json.loads(text) for text in genes.texts(column)]), column)
    assert genes.column([]).shape == (0, genes.size)


def test_samples_are_uniform_and_reach_both_bounds() -> None:
    values, counts = np.unique(WHOLE.sample_many(5000, np.random.default_rng(2)), return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert counts / counts.sum() == pytest.approx(0.2, abs=0.005)


@pytest.mark.parametrize("genes", ALL, ids=repr)
def test_a_mutation_moves_one_gene_or_more_of_every_row_and_leaves_the_parents(genes: Vector) -> None:
    rng = np.random.default_rng(3)
    parents = genes.sample_many(2000, rng)
    before = parents.copy()
    moved = (genes.mutate_many(parents, rng) != parents).sum(axis=1)
    np.testing.assert_array_equal(parents, before)
    assert moved.min() == 1
    free = int((genes.low < genes.high).sum())
    assert moved.mean() == pytest.approx(1 + (free - 1) / free, abs=0.1)


def test_mutants_are_near_and_go_both_ways_also_from_a_bound() -> None:
    genes = Vector(0.0, 1.0, 1)
    rng = np.random.default_rng(4)
    steps = genes.mutate_many(np.full((4000, 1), 0.5), rng) - 0.5
    assert steps.std() == pytest.approx(0.1, abs=0.01)
    assert steps.mean() == pytest.approx(0, abs=0.01)
    assert (genes.mutate_many(np.zeros((100, 1)), rng) > 0).all()
    whole = Vector(0, 3, 1, "int8")
    assert set(whole.mutate_many(np.full((100, 1), 3, dtype=np.int8), rng).ravel().tolist()) == {2}


def test_crossover_takes_each_gene_from_either_parent() -> None:
    zeros, ones = np.zeros((500, 30), dtype=np.int8), np.ones((500, 30), dtype=np.int8)
    children = WHOLE.crossover_many(zeros, ones, np.random.default_rng(5))
    assert children.mean() == pytest.approx(0.5, abs=0.02)
    assert 0 < children.sum(axis=1).min() < children.sum(axis=1).max() < 30


def test_a_gene_of_one_value_is_never_moved() -> None:
    fixed = Vector(3, 3, 2, "int8")
    column = fixed.sample_many(3, np.random.default_rng(0))
    np.testing.assert_array_equal(fixed.mutate_many(column, np.random.default_rng(0)), column)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.5, 3, 0.0], r"^expected a list of 4 numbers, got 3 entries$"),
        ("abcd", r"^expected a list of 4 numbers, got 'abcd'$"),
        ([0.5, 11, 0.0, 7], r"^\[1\]: expected an integer in \[0, 10\], got 11$"),
        ([0.5, 3.0, 0.0, 7], r"^\[1\]: expected an integer in \[0, 10\], got 3.0$"),
        ([1, 3, 0.0, 7], r"^\[0\]: expected a real number in \[0, 1\], got 1$"),
        ([0.5, 3, float("nan"), 7], r"^\[2\]: expected a real number in \[-1.5, 1.5\], got nan$"),
        ([0.5, True, 0.0, 7], r"^\[1\]: expected an integer in \[0, 10\], got True$"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_place(value: object, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        MIXED.validate(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "expected one length of at least 1"),
        (([0, 0], [1, 1, 1]), "expected one length of at least 1"),
        ((0, 1, 0), "expected one length of at least 1"),
        ((0, 1, 3, "int4"), "a dtype is one of int8, .*, got 'int4'"),
        ((1, 0, 3), "expected finite low <= high, got 1.0 and 0.0"),
        ((0, float("inf"), 3), "expected finite low <= high"),
        ((0, 200, 3, "int8"), r"int8 cannot hold \[0, 200\]"),
        ((0.5, 3, 3, "int8"), "bounds of whole numbers are whole"),
        ((0, 2**60, 3, "int64"), "int64 cannot hold"),
    ],
)
def test_a_wrong_declaration_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Vector(*arguments)
