"""A bounded memory of topologies that were measured before."""

from __future__ import annotations

import numpy as np

from ..compiled import njit

WAYS = 8
"""A key may lie in any of this many neighbouring slots; the one that was not used for longest gives way."""


class TopologyCache:
    """Remembers a few numbers per topology; a topology's key is the bits of its connections, compared in full.

    Whatever it forgets or keeps, it only ever answers what was stored, so results do not depend on it.

    Args:
        connections: E, how many connections a topology may have.
        values: F, how many numbers to remember of each.
        capacity: most topologies to remember, rounded up to a power of two.
    """

    def __init__(self, connections: int, values: int, capacity: int = 2**18) -> None:
        slots = 1 << (max(capacity, WAYS) - 1).bit_length()
        words = -(-connections // 64)
        self._keys = np.zeros((slots, words), dtype=np.uint64)
        self._values = np.zeros((slots, values))
        self._last_used = np.zeros(slots, dtype=np.int64)  # number of the look-up or entry; 0 where the slot is empty
        self._clock = 0
        self.hits = 0
        self.lookups = 0

    def __len__(self) -> int:
        return int(np.count_nonzero(self._last_used))

    def look_up(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is known of the topologies with these (N, W) uint64 keys.

        Returns:
            values: (N, F) float64, arbitrary where unknown.
            known: (N,) bool.
        """
        values, known = _look_up(self._keys, self._values, self._last_used, self._clock, keys)
        self._clock += len(keys)
        self.lookups += len(keys)
        self.hits += int(np.count_nonzero(known))
        return values, known

    def store(self, keys: np.ndarray, values: np.ndarray) -> None:
        """Remember (N, F) float64 values under (N, W) uint64 keys."""
        _store(self._keys, self._values, self._last_used, self._clock, keys, values)
        self._clock += len(keys)


@njit(cache=True)
def topology_keys(present: np.ndarray) -> np.ndarray:
    """Pack the connections of each topology, (N, E) bool, into bits: (N, ceil(E / 64)) uint64."""
    size, count = present.shape
    keys = np.zeros((size, (count + 63) // 64), dtype=np.uint64)
    for row in range(size):
        for edge in range(count):
            keys[row, edge // 64] |= np.uint64(present[row, edge]) << np.uint64(edge % 64)
    return keys


@njit(cache=True)
def hash_keys(keys: np.ndarray) -> np.ndarray:
    """Return a well mixed (N,) uint64 hash of (N, W) uint64 keys."""
    hashes = np.empty(len(keys), dtype=np.uint64)
    for row in range(len(keys)):
        hashes[row] = _hash(keys[row])
    return hashes


@njit(cache=True)
def _hash(key):
    # The finaliser of splitmix64 (Steele, Lea & Flood 2014), chained over the words.
    mixed = np.uint64(0x9E3779B97F4A7C15)
    for word in key:
        mixed ^= word
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


@njit(cache=True)
def _bucket(keys, key):
    buckets = np.uint64(len(keys) // WAYS)
    return np.int64(_hash(key) & (buckets - np.uint64(1))) * WAYS


@njit(cache=True)
def _same(first, second):
    for word in range(len(first)):
        if first[word] != second[word]:
            return False
    return True


@njit(cache=True)
def _look_up(keys, values, last_used, clock, wanted):
    found = np.empty((len(wanted), values.shape[1]))
    known = np.zeros(len(wanted), dtype=np.bool_)
    for row in range(len(wanted)):
        start = _bucket(keys, wanted[row])
        for slot in range(start, start + WAYS):
            if last_used[slot] > 0 and _same(keys[slot], wanted[row]):
                found[row] = values[slot]
                known[row] = True
                last_used[slot] = clock + row + 1
                break
    return found, known


@njit(cache=True)
def _store(keys, values, last_used, clock, new_keys, new_values):
    for row in range(len(new_keys)):
        start = _bucket(keys, new_keys[row])
        chosen = start
        for slot in range(start, start + WAYS):
            if last_used[slot] > 0 and _same(keys[slot], new_keys[row]):
                chosen = slot
                break
            if last_used[slot] < last_used[chosen]:
                chosen = slot
        keys[chosen] = new_keys[row]
        values[chosen] = new_values[row]
        last_used[chosen] = clock + row + 1
