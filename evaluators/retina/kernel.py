"""Scoring and measuring of batches of retina networks, compiled, on one thread.

The task: eight pixels, each -1 or 1; is there an object on the left and an object on the right? All 256 patterns count
alike. In pattern p the pixel i is bit i of p: the left half are bits 0-3, the right half bits 4-7.

Genotypes are those of `search_spaces.retina.genotype`. Every node computes tanh(20 (w x + b)) with integer weights and
biases, and inputs are -1 or 1. tanh(20 n) rounds to exactly -1, 0 or 1 for every integer n, in float32 and float64, so
every activation is the sign of an integer, and what follows equals the floating-point network to the bit. An
activation over all patterns is two masks of 256 bits, four words each: where it is positive, and where it is zero.
"""

from __future__ import annotations

import numpy as np

from qd.compiled import njit
from qd.metrics.connection_cost import connection_costs, line_places
from qd.metrics.modularity import modularities
from qd.metrics.pruning import connections_on_paths
from qd.metrics.topology_cache import TopologyCache, topology_keys
from search_spaces.retina.genotype import CONNECTIONS, INPUTS, LARGEST, LAYER_OF_NODE, LAYERS, NODES, WEIGHTS

PATTERNS = 256
WORDS = PATTERNS // 64
LEFT_OBJECTS = (1, 4, 5, 7, 11, 13, 14, 15)
RIGHT_OBJECTS = (2, 7, 8, 10, 11, 13, 14, 15)
"""The halves of a pattern that are objects, the right half shifted down by four bits."""

HALF = INPUTS // 2
WEIGHT_VALUES = 2 * LARGEST + 1
LARGEST_HALF_SUM = (HALF + 1) * LARGEST
"""Of the four weights of a half and the bias."""

_IS_INPUT = LAYER_OF_NODE == 0
_IS_OUTPUT = LAYER_OF_NODE == len(LAYERS) - 1
_FIXED = _IS_INPUT | _IS_OUTPUT
_PLACES = line_places(LAYER_OF_NODE, _FIXED)
_FAN_IN = np.array([0 if layer == 0 else LAYERS[layer - 1] for layer in LAYER_OF_NODE])
_FIRST_SOURCE = np.array([int(np.searchsorted(LAYER_OF_NODE, layer - 1)) for layer in LAYER_OF_NODE])
_FIRST_GENE = np.concatenate(([0], np.cumsum(_FAN_IN)[:-1]))


def _words(patterns: np.ndarray) -> np.ndarray:
    """(256,) bool → (4,) uint64, the first pattern in the lowest bit of the first word."""
    return np.packbits(patterns, bitorder="little").view("<u8").astype(np.uint64)


def _half_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a half of the pixels adds to the sum of a first-layer node, for all 625 choices of its four weights.

    Returns:
        sums: (625, 16) int64, for each half pattern.
        above: (625, 21) uint64, the half patterns, as bits, whose sum is above -10, ..., 10.
        equal: (625, 21) uint64, those whose sum equals it.
    """
    weights = np.indices((WEIGHT_VALUES,) * HALF).reshape(HALF, -1).T - LARGEST
    pixels = np.where(np.arange(2**HALF)[:, None] >> np.arange(HALF) & 1, 1, -1)
    sums = weights @ pixels.T
    thresholds = np.arange(-LARGEST_HALF_SUM, LARGEST_HALF_SUM + 1)[:, None]
    bits = np.uint64(1) << np.arange(2**HALF, dtype=np.uint64)
    above = ((sums[:, None] > thresholds) * bits).sum(axis=2, dtype=np.uint64)
    equal = ((sums[:, None] == thresholds) * bits).sum(axis=2, dtype=np.uint64)
    return sums, above, equal


_HALF_SUMS, _HALVES_ABOVE, _HALVES_EQUAL = _half_tables()
_ALL = np.arange(PATTERNS)
_ANSWER = _words(np.isin(_ALL & 15, LEFT_OBJECTS) & np.isin(_ALL >> 4, RIGHT_OBJECTS))
_PIXELS = np.array([_words((_ALL >> pixel & 1).astype(bool)) for pixel in range(INPUTS)])


def new_cache(capacity: int = 2**20) -> TopologyCache:
    """Return a memory for `measures`; 2**20 topologies take 42 MB."""
    return TopologyCache(connections=WEIGHTS, values=2, capacity=capacity)


def topologies(genotypes: np.ndarray) -> np.ndarray:
    """Return the connections that lie on a path from an input to the output: (N, 121) int8 → (N, 106) bool."""
    return connections_on_paths(CONNECTIONS, genotypes[:, :WEIGHTS] != 0, _IS_INPUT, _IS_OUTPUT)


def measures(present: np.ndarray, cache: TopologyCache | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return connection cost, in [0, 360], and modularity, in [0, 0.7], of each topology.

    The inputs stand at x = -3.5, ..., 3.5, y = 0, the output at (0, 4).

    Args:
        present: (N, 106) bool, of `topologies`.
        cache: of `new_cache`; topologies that it knows are not measured again.

    Returns:
        Two (N,) float64 arrays.
    """
    if cache is None:
        return connection_costs(CONNECTIONS, present, _PLACES, _FIXED), modularities(CONNECTIONS, present, NODES)
    keys = topology_keys(present)
    values, known = cache.look_up(keys)
    new = np.flatnonzero(~known)
    if len(new):
        values[new] = np.column_stack(measures(present[new]))
        cache.store(keys[new], values[new])
    return values[:, 0], values[:, 1]


@njit(cache=True)
def scores(genotypes: np.ndarray) -> np.ndarray:
    """Return the fraction of the 256 patterns that each network gets right: (N, 121) int8 → (N,) float64."""
    right = np.empty(len(genotypes))
    activations = _new_activations()
    positive = activations[0]
    for row in range(len(genotypes)):
        _activate(genotypes[row], activations)
        count = 0
        for word in range(WORDS):
            count += _ones(~(positive[NODES - 1, word] ^ _ANSWER[word]))
        right[row] = count / PATTERNS
    return right


@njit(cache=True)
def one_sided_neurons(genotypes: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return how many hidden neurons of each network respond to one side only, in [0, 14].

    Such a neuron's activation changes with the pixels of one half, and whatever these are, not with those of the other.
    Only neurons on a path from an input to the output count.

    Args:
        genotypes: (N, 121) int8.
        present: (N, 106) bool, `topologies(genotypes)`.

    Returns:
        (N,) float64.
    """
    counts = np.zeros(len(genotypes))
    activations = _new_activations()
    positive, zero = activations[0], activations[1]
    for row in range(len(genotypes)):
        _activate(genotypes[row], activations)
        for node in range(INPUTS, NODES - LAYERS[-1]):
            connected = False
            for gene in range(_FIRST_GENE[node], _FIRST_GENE[node] + _FAN_IN[node]):
                connected |= present[row, gene]
            if connected:
                left = _depends_on_left(positive[node]) or _depends_on_left(zero[node])
                right = _depends_on_right(positive[node]) or _depends_on_right(zero[node])
                counts[row] += left != right
    return counts


@njit(cache=True)
def _new_activations():
    """Return positive (23, 4), zero (23, 4), reaching (23,) and count (7, 4) for `_activate`, inputs filled in."""
    positive = np.zeros((NODES, WORDS), dtype=np.uint64)
    positive[:INPUTS] = _PIXELS
    zero = np.zeros((NODES, WORDS), dtype=np.uint64)
    return positive, zero, np.empty(NODES, dtype=np.bool_), np.empty((7, WORDS), dtype=np.uint64)


@njit(cache=True)
def _activate(genotype, activations):
    """Write the activations of every node that reaches the output; those of other nodes are left as they were."""
    positive, zero, reaching, count = activations
    reaching[:] = False
    reaching[NODES - 1] = True
    for node in range(NODES - 1, INPUTS - 1, -1):
        if reaching[node]:
            for index in range(_FAN_IN[node]):
                reaching[_FIRST_SOURCE[node] + index] |= genotype[_FIRST_GENE[node] + index] != 0
    for node in range(INPUTS, NODES):
        if reaching[node]:
            weights = genotype[_FIRST_GENE[node] : _FIRST_GENE[node] + _FAN_IN[node]]
            bias = np.int64(genotype[WEIGHTS + node - INPUTS])
            if node < INPUTS + LAYERS[1]:
                _activate_from_pixels(weights, bias, positive[node], zero[node])
            else:
                _activate_from_nodes(weights, bias, _FIRST_SOURCE[node], positive, zero, node, count)


@njit(cache=True)
def _activate_from_pixels(weights, bias, node_positive, node_zero):
    """Activate a node of the first layer: the sum of the right half says how large that of the left must be."""
    left = right = 0
    for pixel in range(HALF):
        left = left * WEIGHT_VALUES + weights[pixel] + LARGEST
        right = right * WEIGHT_VALUES + weights[HALF + pixel] + LARGEST
    for word in range(WORDS):
        above = equal = np.uint64(0)
        for quarter in range(4):
            must = LARGEST_HALF_SUM - _HALF_SUMS[right, 4 * word + quarter] - bias
            above |= _HALVES_ABOVE[left, must] << np.uint64(16 * quarter)
            equal |= _HALVES_EQUAL[left, must] << np.uint64(16 * quarter)
        node_positive[word] = above
        node_zero[word] = equal


@njit(cache=True)
def _activate_from_nodes(weights, bias, first_source, positive, zero, node, count):
    """Activate a node of a later layer.

    Sums w s + |w|, which is in 0 ... 2 |w|, over the sources' activations s, for 64 patterns at once: bit k of the 64
    sums is the word `count[k]`. At most 8 * 2 * 2 = 32 is six bits. The activation is positive where the sum exceeds
    the threshold sum |w| - b, and zero where it equals it.
    """
    threshold = -bias
    for weight in weights:
        threshold += abs(weight)
    if threshold < 0:
        positive[node] = ~np.uint64(0)
        zero[node] = np.uint64(0)
        return
    count[:] = np.uint64(0)
    for index in range(len(weights)):
        weight = np.int64(weights[index])
        if weight == 0:
            continue
        source = first_source + index
        flipped = np.uint64(0) - np.uint64(weight < 0)
        low = abs(weight) - 1  # s + 1 is a number of two bits, added here
        for word in range(WORDS):
            zeros = zero[source, word]
            high = positive[source, word] ^ (flipped & ~zeros)
            count_0, count_1, count_2 = count[low, word], count[low + 1, word], count[low + 2, word]
            count_3, count_4 = count[low + 3, word], count[low + 4, word]
            carry = count_0 & zeros
            count[low, word] = count_0 ^ zeros
            mixed = count_1 ^ high
            count[low + 1, word] = mixed ^ carry
            carry = (count_1 & high) | (mixed & carry)
            count[low + 2, word] = count_2 ^ carry
            carry &= count_2
            count[low + 3, word] = count_3 ^ carry
            carry &= count_3
            count[low + 4, word] = count_4 ^ carry
            count[low + 5, word] ^= carry & count_4
    for word in range(WORDS):
        above, equal = np.uint64(0), ~np.uint64(0)
        for bit in range(5, -1, -1):
            wanted = np.uint64(0) - np.uint64(threshold >> bit & 1)
            above |= equal & count[bit, word] & ~wanted
            equal &= ~(count[bit, word] ^ wanted)
        positive[node, word] = above
        zero[node, word] = equal


@njit(cache=True)
def _depends_on_left(mask):
    """Whether the mask differs between two patterns that differ in the left half; patterns 16 k ... share the right."""
    for word in mask:
        low = word & np.uint64(0x0001000100010001)
        if word != low * np.uint64(0xFFFF):
            return True
    return False


@njit(cache=True)
def _depends_on_right(mask):
    """Whether the mask differs between two patterns that differ in the right half."""
    same = (mask[0] & np.uint64(0xFFFF)) * np.uint64(0x0001000100010001)
    for word in mask:
        if word != same:
            return True
    return False


@njit(cache=True)
def _ones(word):
    """The number of ones in a word."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
