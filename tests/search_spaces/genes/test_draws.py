"""Equal seeds give equal genotypes, whatever becomes of the code: else an interrupted run would go on as another."""

from hashlib import blake2b

import numpy as np
import pytest

from search_spaces import Choice, Gene, Integer, Real, Repeat, SearchSpace, Struct, Variant, Vector
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.module_library import ModuleLibrary
from search_spaces.nas_bench_graph import NASBenchGraph
from search_spaces.retina import Retina
from search_spaces.sparse_moe import SparseMoE

ALL_KINDS = Struct(
    choice=Choice("a", 2, 0.5, None, True),
    whole=Integer(-3, 40),
    logarithmic=Integer(1, 1000, log=True),
    real=Real(-1.5, 2.5),
    parts=Repeat(Variant(none=Struct(), some=Struct(x=Real(0, 1), y=Integer(0, 1))), 0, 5),
    vector=Repeat(Vector(0, 9, 4, "int16"), 1, 3),
)

EXPECTED = {
    "conv_blocks": "697dff81dc2ee586",
    "grouped_mlp": "4f98ac7b37342f3e",
    "module_library": "6b5808d1dde6b894",
    "nas_bench_graph": "f3b1d1f9f8395c7e",
    "retina": "2154f19835df81d6",
    "sparse_moe": "eb5d53dacfd503bf",
    "all_kinds": "951284ca2baf7b2e",
}
"""What the first version drew: digests of samples, mutants, children, and mutants by weight."""


def drawn(genes: Gene) -> str:
    rng = np.random.default_rng(1)
    rows = genes.sample_many(40, rng)
    digest = blake2b(digest_size=8)

    def add(column) -> None:
        digest.update("\n".join(genes.texts(column)).encode())

    add(rows)
    for _ in range(3):
        mutants = genes.mutate_many(rows, rng)
        add(mutants)
        rows = genes.crossover_many(rows, mutants, rng)
        add(rows)
    if isinstance(genes, Struct):
        weights = {gene: 3.0 for gene in genes.fields.values()}
        trees = genes.trees(rows)
        add([genes.mutate_by_weight(tree, rng, weights) for tree in trees])
        add([genes.sample(rng), genes.mutate(trees[0], rng), genes.crossover(trees[0], trees[1], rng)])
    return digest.hexdigest()


SPACES: dict[str, type[SearchSpace]] = {
    "conv_blocks": ConvBlocks,
    "grouped_mlp": GroupedMLP,
    "module_library": ModuleLibrary,
    "nas_bench_graph": NASBenchGraph,
    "retina": Retina,
    "sparse_moe": SparseMoE,
}


@pytest.mark.parametrize("name", [*SPACES, "all_kinds"])
def test_equal_seeds_give_the_genotypes_that_they_always_gave(name: str) -> None:
    genes = ALL_KINDS if name == "all_kinds" else SPACES[name]().genes
    assert drawn(genes) == EXPECTED[name]
