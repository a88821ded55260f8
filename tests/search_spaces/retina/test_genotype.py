from __future__ import annotations

import numpy as np

from search_spaces.retina.genotype import BIASES, CONNECTIONS, GENES, LAYER_OF_NODE, NODES, WEIGHTS, initialise, mutate


def connection_counts(genotypes: np.ndarray) -> np.ndarray:
    return (genotypes[:, :WEIGHTS] != 0).sum(axis=1)


def test_layout():
    assert (WEIGHTS, BIASES, GENES, NODES) == (106, 15, 121, 23)
    assert len({tuple(pair) for pair in CONNECTIONS.tolist()}) == 106
    sources, targets = LAYER_OF_NODE[CONNECTIONS].T
    np.testing.assert_array_equal(targets, sources + 1)
    assert (np.diff(targets) >= 0).all()


def test_first_individuals():
    genotypes = initialise(20_000, np.random.default_rng(0))
    assert genotypes.dtype == np.int8 and genotypes.shape == (20_000, GENES)
    counts = connection_counts(genotypes)
    assert counts.min() == 0
    # k additions at 106 places leave 106 (1 - (105/106)^k) connections on average; k = 0 ... 120 alike.
    additions = np.arange(121)
    np.testing.assert_allclose(counts.mean(), (106 * (1 - (105 / 106) ** additions)).mean(), rtol=0.02)
    weights = genotypes[:, :WEIGHTS][genotypes[:, :WEIGHTS] != 0]
    np.testing.assert_allclose(
        np.bincount(weights + 2, minlength=5) / len(weights), [0.25, 0.25, 0, 0.25, 0.25], atol=0.01
    )
    biases = genotypes[:, WEIGHTS:].ravel()
    np.testing.assert_allclose(np.bincount(biases + 2, minlength=5) / len(biases), [0.2] * 5, atol=0.01)
    places = (genotypes[:, :WEIGHTS] != 0).mean(axis=0)
    np.testing.assert_allclose(places, places.mean(), atol=0.02)


def test_mutation_rates():
    size = 40_000
    parent = np.zeros(GENES, dtype=np.int8)
    parent[:40] = np.tile([-2, -1, 1, 2], 10)
    mutants = mutate(np.tile(parent, (size, 1)), np.random.default_rng(1))
    assert mutants.dtype == np.int8
    assert mutants.min() == -2 and mutants.max() == 2
    added, deleted = mutants[:, 40:WEIGHTS] != 0, mutants[:, :40] == 0
    assert set(np.unique(added.sum(axis=1))) == {0, 1}
    np.testing.assert_allclose(added.any(axis=1).mean(), 0.2 * (1 - 0.2 / 41), atol=0.01)
    np.testing.assert_allclose(deleted.any(axis=1).mean(), 0.2 * (1 - 0.2 / 41), atol=0.01)
    for weight, neighbours in (
        (-2, {-1: 0.025}),
        (-1, {-2: 0.025, 1: 0.025}),
        (1, {-1: 0.025, 2: 0.025}),
        (2, {1: 0.025}),
    ):
        now = mutants[:, :40][:, parent[:40] == weight]
        now = now[now != 0]
        assert set(np.unique(now)) == {weight, *neighbours}
        for neighbour, share in neighbours.items():
            np.testing.assert_allclose((now == neighbour).mean(), share, atol=0.002)
    redrawn = mutants[:, WEIGHTS:]
    np.testing.assert_allclose((redrawn != 0).mean(), 0.8 / 24, atol=0.002)


def test_empty_and_full_networks_mutate():
    rng = np.random.default_rng(2)
    empty = connection_counts(mutate(np.zeros((5000, GENES), dtype=np.int8), rng))
    np.testing.assert_allclose(empty.mean(), 0.2 * 0.8, atol=0.02)
    full = connection_counts(mutate(np.ones((5000, GENES), dtype=np.int8), rng))
    assert set(np.unique(full)) == {WEIGHTS - 1, WEIGHTS}
    np.testing.assert_allclose((full < WEIGHTS).mean(), 0.2, atol=0.02)


def test_generator_decides_and_parents_stay():
    first = initialise(100, np.random.default_rng(3))
    np.testing.assert_array_equal(first, initialise(100, np.random.default_rng(3)))
    before = first.copy()
    mutants = mutate(first, np.random.default_rng(4))
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(mutants, mutate(first, np.random.default_rng(4)))
    assert (mutants != mutate(first, np.random.default_rng(5))).any()
