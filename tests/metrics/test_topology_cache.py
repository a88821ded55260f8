from __future__ import annotations

import numpy as np

from qd.metrics.topology_cache import WAYS, TopologyCache, hash_keys, topology_keys


def random_keys(size: int, seed: int = 0, connections: int = 106) -> np.ndarray:
    return topology_keys(np.random.default_rng(seed).random((size, connections)) < 0.5)


def test_keys_hold_every_connection():
    present = np.random.default_rng(1).random((50, 106)) < 0.5
    bits = np.unpackbits(topology_keys(present).astype("<u8").view(np.uint8), axis=1, bitorder="little")
    np.testing.assert_array_equal(bits[:, :106].astype(bool), present)
    assert not bits[:, 106:].any()


def test_remembers_what_was_stored_and_nothing_else():
    cache = TopologyCache(connections=106, values=2, capacity=4096)
    keys, values = random_keys(500), np.random.default_rng(2).random((500, 2))
    assert not cache.look_up(keys)[1].any()
    cache.store(keys, values)
    found, known = cache.look_up(keys)
    assert known.all()
    np.testing.assert_array_equal(found, values)
    assert not cache.look_up(random_keys(500, seed=9))[1].any()
    assert (cache.hits, cache.lookups, len(cache)) == (500, 1500, 500)


def test_storing_again_replaces():
    cache = TopologyCache(connections=106, values=1, capacity=64)
    keys = random_keys(1)
    for value in (1.0, 2.0):
        cache.store(keys, np.array([[value]]))
    assert cache.look_up(keys)[0][0, 0] == 2.0
    assert len(cache) == 1


def test_stays_bounded_and_right_when_full():
    cache = TopologyCache(connections=106, values=1, capacity=256)
    for start in range(0, 5000, 100):
        keys = random_keys(100, seed=start)
        values = hash_keys(keys).astype(np.float64)[:, None]
        found, known = cache.look_up(keys)
        np.testing.assert_array_equal(found[known], values[known])
        cache.store(keys, values)
        found, known = cache.look_up(keys)
        np.testing.assert_array_equal(found[known], values[known])
        assert known.sum() > 80
    assert 200 < len(cache) <= 256


def test_the_longest_unused_gives_way():
    cache = TopologyCache(connections=64, values=1, capacity=WAYS)  # a single bucket
    keys = random_keys(WAYS + 1, connections=64)
    cache.store(keys[:WAYS], np.zeros((WAYS, 1)))
    cache.look_up(keys[:1])
    cache.store(keys[WAYS:], np.zeros((1, 1)))
    known = cache.look_up(keys)[1]
    np.testing.assert_array_equal(np.flatnonzero(~known), [1])


def test_hash_spreads_keys_that_differ_by_one_connection():
    present = np.zeros((106 * 105 // 2, 106), dtype=bool)
    pairs = np.array([(a, b) for a in range(106) for b in range(a)])
    present[np.arange(len(pairs))[:, None], pairs] = True
    buckets = hash_keys(topology_keys(present)) & np.uint64(255)
    counts = np.bincount(buckets.astype(np.int64), minlength=256)
    assert 5 < counts.min() and counts.max() < 50  # 21.7 expected
