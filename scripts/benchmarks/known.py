"""What it takes to know a candidate's measures before it is trained: CPU milliseconds for each, by space.

Random genotypes of each space, parameters and multiply-accumulates; of `chain`, which counts each new layer once and
remembers it, after a first hundred. Some seconds.
"""

from __future__ import annotations

import time

import numpy as np

from search_spaces import SearchSpace, Task
from search_spaces.chain import Chain
from search_spaces.conv_blocks import ConvBlocks
from search_spaces.grouped_mlp import GroupedMLP
from search_spaces.shelf.kinds import modules_of
from search_spaces.sparse_moe import SparseMoE
from search_spaces.task import Classes, Image, Series, Vector

from .figures import Figure

FIVE = ("dense", "gated_unit", "mixture", "state_space", "attention")
"""Those of the benchmark `economy`."""
IMAGES = Task(Image(1, 28, 28), Classes(10))
SPACES: dict[str, tuple[SearchSpace, Task]] = {
    "sparse_moe": (SparseMoE(), IMAGES),
    "grouped_mlp": (GroupedMLP(), IMAGES),
    "conv_blocks": (ConvBlocks(), IMAGES),
    "chain, vectors": (Chain("vector"), Task(Vector(30), Classes(2))),
    "chain, images": (Chain("image"), IMAGES),
    "chain of five modules, 16 steps": (
        Chain("tokens", tuple(one for one in modules_of("tokens") if one.name in FIVE), (16, 32), (1, 4), patch=8),
        Task(Series(128, 9), Classes(6)),
    ),
    "chain, 64 steps": (Chain("tokens"), Task(Series(128, 9), Classes(6))),
}
ROUNDS, SIZE = 5, 100
TARGET = 1.0


def figures() -> list[Figure]:
    """Milliseconds a candidate, by rounds of a hundred new ones."""
    found = []
    for name, (space, task) in SPACES.items():
        rng, rounds = np.random.default_rng(0), []
        for _ in range(ROUNDS + 1):
            genotypes = [space.genes.sample(rng) for _ in range(SIZE)]
            started = time.process_time()
            for genotype in genotypes:
                space.known(genotype, task)
            rounds.append(1e3 * (time.process_time() - started) / SIZE)
        found.append(Figure(name, rounds[1:], "ms/candidate", TARGET))
    return found
