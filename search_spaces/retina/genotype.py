"""The network of the retina problem as int8 genotypes, and its variation, on whole (N, D) arrays.

The network of Clune, Mouret & Lipson, "The evolutionary origins of modularity" (2013), as Mouret & Clune,
"Illuminating search spaces by mapping elites" (2015), use it: layers of 8, 8, 4, 2 and 1 nodes, connections between
neighbouring layers only, weights in {-2, -1, 1, 2}, biases in {-2, ..., 2}.

A genotype is D = 121 genes in [-2, 2]: first the weight of each of the 106 possible connections, where 0 says that
there is none (no connection weighs 0, so presence needs no gene of its own), then the biases of the 15 nodes that are
not inputs. `CONNECTIONS` gives the order of the former; biases follow the order of the nodes.

Mutation follows the paper, and where it is silent the authors' framework, Sferes2: weights first, then biases, then an
addition and a deletion; a step beyond the end of the list of weights stays there; a redrawn bias may keep its value.
"""

from __future__ import annotations

import numpy as np

from qd.compiled import njit

LAYERS = (8, 8, 4, 2, 1)
NODES = sum(LAYERS)
INPUTS = LAYERS[0]
LAYER_OF_NODE = np.repeat(np.arange(len(LAYERS)), LAYERS)
"""(23,) int64; nodes are numbered layer by layer, inputs first and the output last."""


def _connections() -> np.ndarray:
    starts = np.cumsum((0, *LAYERS))
    return np.array(
        [
            (starts[layer] + source, starts[layer + 1] + target)
            for layer in range(len(LAYERS) - 1)
            for target in range(LAYERS[layer + 1])
            for source in range(LAYERS[layer])
        ],
        dtype=np.int64,
    )


CONNECTIONS = _connections()
"""(106, 2) int64, source and target of each possible connection: by layer, then target, then source."""
WEIGHTS = len(CONNECTIONS)
BIASES = NODES - INPUTS
GENES = WEIGHTS + BIASES
LARGEST = 2
"""No weight and no bias is larger, in absolute value."""

MOST_FIRST_ADDITIONS = 120
ADDITION_RATE = 0.2
DELETION_RATE = 0.2
BIAS_RATE = 1 / 24
STEPPED_WEIGHTS = 2.0
"""Expected number of weights that a mutation moves."""


@njit(cache=True)
def initialise(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return (size, 121) int8 first individuals.

    Each has had 0 to 120 additions, all numbers alike, of a random weight at a random place, without effect where
    there was a connection already; biases are uniform.
    """
    genotypes = np.zeros((size, GENES), dtype=np.int8)
    for row in range(size):
        for _ in range(_below(MOST_FIRST_ADDITIONS + 1, rng)):
            place = _below(WEIGHTS, rng)
            weight = _random_weight(rng)
            if genotypes[row, place] == 0:
                genotypes[row, place] = weight
        for gene in range(WEIGHTS, GENES):
            genotypes[row, gene] = _random_bias(rng)
    return genotypes


@njit(cache=True)
def mutate(genotypes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return mutants of (N, 121) int8 genotypes, one of each, of the same shape; the genotypes are not changed.

    Each weight moves one step along -2, -1, 1, 2 with probability 2 / n (at most 1), n being the network's number of
    connections; each bias is redrawn with probability 1 / 24; with probability 0.2 a connection is added, at any of
    the free places; with probability 0.2 one is deleted.
    """
    mutants = genotypes.copy()
    for row in range(len(mutants)):
        mutant = mutants[row]
        count = 0
        for gene in range(WEIGHTS):
            count += mutant[gene] != 0
        if count > 0:
            rate = STEPPED_WEIGHTS / count
            for gene in range(WEIGHTS):
                if mutant[gene] != 0 and rng.random() < rate:
                    mutant[gene] = _stepped(mutant[gene], rng)
        for gene in range(WEIGHTS, GENES):
            if rng.random() < BIAS_RATE:
                mutant[gene] = _random_bias(rng)
        if rng.random() < ADDITION_RATE and count < WEIGHTS:
            mutant[_place(mutant, _below(WEIGHTS - count, rng), False)] = _random_weight(rng)
            count += 1
        if rng.random() < DELETION_RATE and count > 0:
            mutant[_place(mutant, _below(count, rng), True)] = 0
    return mutants


@njit(cache=True)
def _below(count, rng):
    return int(rng.random() * count)


@njit(cache=True)
def _random_weight(rng):
    drawn = _below(2 * LARGEST, rng)
    return drawn - LARGEST if drawn < LARGEST else drawn - LARGEST + 1


@njit(cache=True)
def _random_bias(rng):
    return _below(2 * LARGEST + 1, rng) - LARGEST


@njit(cache=True)
def _stepped(weight, rng):
    step = 1 if rng.random() < 0.5 else -1
    stepped = weight + step
    if stepped == 0:
        stepped += step
    return min(LARGEST, max(-LARGEST, stepped))


@njit(cache=True)
def _place(genotype, rank, taken):
    """The place of the rank-th connection (or free place, where not `taken`), counted from 0."""
    place = -1
    while rank >= 0:
        place += 1
        if (genotype[place] != 0) == taken:
            rank -= 1
    return place
