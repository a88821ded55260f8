from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from evaluators.retina.kernel import measures, new_cache, one_sided_neurons, scores, topologies
from search_spaces.retina.genotype import CONNECTIONS, GENES, LAYERS, NODES, WEIGHTS, initialise, mutate

PATTERNS = np.arange(256)
PIXELS = np.where(PATTERNS[:, None] >> np.arange(8) & 1, 1.0, -1.0)
LEFT, RIGHT = (1, 4, 5, 7, 11, 13, 14, 15), (2, 7, 8, 10, 11, 13, 14, 15)
ANSWERS = np.array([(p & 15) in LEFT and (p >> 4) in RIGHT for p in PATTERNS])


def plain_activations(genotypes: np.ndarray) -> list[np.ndarray]:
    """The float64 network: (N, 256, width) activations of each layer after the inputs."""
    layers, weight, bias = [np.broadcast_to(PIXELS, (len(genotypes), *PIXELS.shape))], 0, WEIGHTS
    for width_in, width in pairwise(LAYERS):
        weights = genotypes[:, weight : weight + width_in * width].reshape(-1, width, width_in).astype(np.float64)
        biases = genotypes[:, None, bias : bias + width].astype(np.float64)
        layers.append(np.tanh(20 * (layers[-1] @ weights.transpose(0, 2, 1) + biases)))
        weight, bias = weight + width_in * width, bias + width
    return layers[1:]


def plain_scores(genotypes: np.ndarray) -> np.ndarray:
    batches = np.array_split(genotypes, max(1, len(genotypes) // 1000))
    return np.concatenate([((plain_activations(batch)[-1][:, :, 0] > 0) == ANSWERS).mean(axis=1) for batch in batches])


def evolved(size: int, generations: int) -> np.ndarray:
    """Networks that truncation selection has raised well above chance."""
    rng = np.random.default_rng(11)
    genotypes = initialise(size, rng)
    for _ in range(generations):
        offspring = np.concatenate([genotypes, mutate(genotypes, rng)])
        genotypes = offspring[np.argsort(-scores(offspring), kind="stable")[:size]]
    return genotypes


def uniform(size: int) -> np.ndarray:
    return np.random.default_rng(12).integers(-2, 3, size=(size, GENES), dtype=np.int8)


@pytest.mark.parametrize("genotypes", [initialise(3000, np.random.default_rng(1)), uniform(3000), evolved(1000, 60)])
def test_scores_equal_the_float64_network(genotypes):
    np.testing.assert_array_equal(scores(genotypes), plain_scores(genotypes))


def test_scores_equal_the_float64_network_on_tens_of_thousands():
    rng = np.random.default_rng(2)
    best = evolved(500, 200)
    assert scores(best).min() > 0.8
    mutants = np.concatenate([mutate(best, rng) for _ in range(20)])
    genotypes = np.concatenate([initialise(10_000, rng), uniform(5_000), mutants])
    np.testing.assert_array_equal(scores(genotypes), plain_scores(genotypes))


def test_known_scores():
    nothing = np.zeros((3, GENES), dtype=np.int8)
    nothing[1, -1], nothing[2, -1] = -2, 2
    np.testing.assert_array_equal(scores(nothing), [0.75, 0.75, 0.25])


def test_measures_of_the_full_network():
    cost, quality = measures(topologies(np.ones((1, GENES), dtype=np.int8)))
    assert cost[0] == pytest.approx(359.814, abs=1e-3)
    assert quality[0] == pytest.approx(0.11392, abs=1e-5)


def test_a_cache_changes_nothing_but_the_work():
    rng = np.random.default_rng(3)
    cache, genotypes = new_cache(capacity=512), initialise(400, rng)
    for _ in range(5):
        present = topologies(genotypes)
        for fresh, remembered in zip(measures(present), measures(present, cache), strict=True):
            np.testing.assert_array_equal(fresh, remembered)
        genotypes = mutate(genotypes, rng)
    assert cache.hits > 200
    assert len(cache) <= 512


def test_dead_ends_are_not_measured():
    genotype = np.zeros((2, GENES), dtype=np.int8)
    genotype[:, [0, 64, 96, 104]] = 1  # one path from the first pixel to the output
    genotype[1, [9, 65]] = 1  # a second path, from another pixel
    genotype[1, 18] = 1  # to a node that reaches nothing
    genotype[1, 97] = 1  # from a node that nothing reaches
    present = topologies(genotype)
    assert present[0].sum() == 4
    np.testing.assert_array_equal(np.flatnonzero(present[1]), [0, 9, 64, 65, 96, 104])


def plain_one_sided(genotype: np.ndarray, present: np.ndarray) -> int:
    hidden = np.concatenate(plain_activations(genotype[None]), axis=2)[0, :, :-1]
    on_path = np.isin(np.arange(8, NODES - 1), CONNECTIONS[present])
    count = 0
    for neuron in np.flatnonzero(on_path):
        table = hidden[:, neuron].reshape(16, 16)  # [right half, left half]
        count += (table != table[:, :1]).any() != (table != table[:1]).any()
    return count


def test_one_sided_neurons_equal_the_truth_tables():
    genotypes = np.concatenate([initialise(300, np.random.default_rng(4)), evolved(200, 30)])
    present = topologies(genotypes)
    counts = one_sided_neurons(genotypes, present)
    np.testing.assert_array_equal(counts, [plain_one_sided(g, p) for g, p in zip(genotypes, present, strict=True)])
    assert len(np.unique(counts)) > 4
