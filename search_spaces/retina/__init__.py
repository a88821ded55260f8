"""The networks of the retina problem: eight pixels, three hidden layers, one answer."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from ..base import SearchSpace, Task
from ..genes import Genotype, Genotypes, Vector
from ..task import Values
from ..task import Vector as Numbers
from .genotype import (
    BIASES,
    CONNECTIONS,
    GENES,
    INPUTS,
    LARGEST,
    LAYER_OF_NODE,
    LAYERS,
    NODES,
    WEIGHTS,
    initialise,
    mutate,
)

if TYPE_CHECKING:
    import networkx
    import torch

_STARTS = (0, *accumulate(sources * targets for sources, targets in pairwise(LAYERS)))
GAIN = 20
"""A node computes tanh(20 (w x + b))."""


class Connections(Vector):
    """106 weights, 0 where there is no connection, and 15 biases; the paper's initialisation and mutation."""

    def __init__(self) -> None:
        super().__init__(-LARGEST, LARGEST, GENES, "int8")

    def sample_many(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return initialise(n, rng)

    def mutate_many(self, genotypes: Genotypes, rng: np.random.Generator) -> np.ndarray:
        return mutate(np.asarray(genotypes, dtype=np.int8), rng)

    def readable(self, value: Genotype) -> str:
        blocks = [value[start:end] for start, end in pairwise(_STARTS)]
        counts = [len(block) - block.count(0) for block in blocks]
        return f"{sum(counts)} connections ({' + '.join(map(str, counts))})"


class Retina(SearchSpace):
    """Layers of 8, 8, 4, 2 and 1 nodes; a genotype says which neighbours are connected, and how.

    The network of Clune, Mouret & Lipson, "The evolutionary origins of modularity" (2013). Its weights are part of the
    genotype, so there is nothing to train.
    """

    genes = Connections()

    def check_task(self, task: Task) -> None:
        if (task.input, task.output) != (Numbers(INPUTS), Values(LAYERS[-1])):
            raise ValueError(
                f"retina networks take a vector of {INPUTS} pixels and give {LAYERS[-1]} value, and the data gives"
                f" {task.input} and asks for {task.output}"
            )

    def build(self, genotype: Genotype, task: Task) -> torch.nn.Module:
        import torch

        layers: list[torch.nn.Module] = []
        for layer, (weights, biases) in enumerate(matrices(genotype)):
            linear = torch.nn.Linear(LAYERS[layer], LAYERS[layer + 1])
            linear.load_state_dict({"weight": torch.tensor(GAIN * weights), "bias": torch.tensor(GAIN * biases)})
            layers += [linear, torch.nn.Tanh()]
        return torch.nn.Sequential(*layers)

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        import networkx

        graph = networkx.DiGraph()
        for node in range(NODES):
            layer = int(LAYER_OF_NODE[node])
            kind = "input" if layer == 0 else "output" if layer == len(LAYERS) - 1 else "neuron"
            graph.add_node(f"{node}", label=_label(node, kind), kind=kind, size=1, layer=layer)
        for (source, target), weight in zip(CONNECTIONS.tolist(), genotype[:WEIGHTS], strict=True):
            if weight:
                graph.add_edge(f"{source}", f"{target}", kind="sparse", weight=int(weight))
        return graph


def matrices(genotype: Genotype) -> list[tuple[np.ndarray, np.ndarray]]:
    """[((targets, sources), (targets,)) float32 weights and biases] layer by layer, without the gain."""
    weights, biases = np.split(np.asarray(genotype, dtype=np.float32), [WEIGHTS])
    assert len(biases) == BIASES
    found, first, bias = [], 0, 0
    for sources, targets in pairwise(LAYERS):
        block = weights[first : first + sources * targets].reshape(targets, sources)
        found.append((block, biases[bias : bias + targets]))
        first, bias = first + sources * targets, bias + targets
    return found


def _label(node: int, kind: str) -> str:
    names = {"input": f"pixel {node + 1}", "output": "both?", "neuron": f"neuron {node - INPUTS + 1}"}
    return names[kind]
