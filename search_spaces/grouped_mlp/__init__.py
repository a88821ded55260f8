"""Perceptrons whose hidden layers are groups of units, linked group to group."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ..base import Metric, SearchSpace, Stack, Task
from ..genes import Choice, Genotype, Integer, Real, Repeat, Struct, Variant
from ..task import Image, Series, Vector, check_input

if TYPE_CHECKING:
    import networkx
    import torch

    from ..shelf.grouped.network import GroupedNetwork, GroupSpec
    from ..shelf.grouped.rewiring import Rewiring

INPUT_GROUPS = 8
"""Slices that the flattened input is cut into, for the first layer's groups to read."""
LOUVAIN_SEED = 0


class GroupedMLP(SearchSpace):
    """Classifiers of 1 to 4 hidden layers, each of 1 to 8 groups of units with widths and activations of their own.

    After G2GNet (Konstantaropoulos et al., arXiv 2508.14140): a group reads some groups of the layer before, not all;
    inside these links weights may be pruned and regrown during training. After SmartMixed (Omidvar, arXiv 2510.22450):
    activations differ within a layer. Deviations from G2GNet: groups differ in width; which group reads which is the
    genotype's to say; pruned weights regrow inside the links alone, where the gradient is greatest and not by Hebbian
    correlation. From SmartMixed: a group, not a unit, has an activation, chosen by the search and not learnt; sigmoid
    is left out, for it does not map 0 to 0.

    The value s in a group's `links` stands for group s modulo the number of groups in the layer before, so that each
    group reads at least one whatever the genotype; groups that nothing reads are left out of the architecture. The
    first layer reads slices of the flattened input like groups. The head reads the whole last layer.

    Metrics: `sparsity` is the share of weights that are absent, of those that the same units would have if each layer
    read the whole layer before. `modularity` is Newman's Q of the communities that the Louvain method finds among input
    slices, groups and outputs, joined by the sum of the absolute weights between them (undirected).
    """

    genes = Struct(
        layers=Repeat(
            Repeat(
                Struct(
                    width=Integer(4, 32, log=True),
                    activation=Choice("relu", "tanh", "silu", "leaky_relu", "elu"),
                    links=Repeat(Integer(0, 7), 1, 8),
                ),
                1,
                8,
            ),
            1,
            4,
        ),
        rewiring=Variant(
            none=Struct(),
            prune_and_regrow=Struct(density=Real(0.1, 0.9), fraction=Real(0.05, 0.5)),
        ),
    )
    metrics = {"sparsity": Metric("", 0, 1), "modularity": Metric("", -0.5, 1)}

    def check_task(self, task: Task) -> None:
        check_input(task, "groups of units", Vector, Image, Series)

    def build(self, genotype: Genotype, task: Task) -> GroupedNetwork:
        from ..shelf.grouped.network import GroupedNetwork, slice_sizes

        sizes = slice_sizes(math.prod(task.input_shape), INPUT_GROUPS)
        return GroupedNetwork(sizes, layers_of(genotype, len(sizes)), task.outputs, rewiring_of(genotype))

    def stack_signature(self, genotype: Genotype) -> Hashable:
        """All networks may be trained in one stack."""
        return ()

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        from ..shelf.grouped.network import slice_sizes
        from .stack import GroupedMLPStack

        sizes = slice_sizes(math.prod(task.input_shape), INPUT_GROUPS)
        networks = [layers_of(genotype, len(sizes)) for genotype in genotypes]
        return GroupedMLPStack(networks, [rewiring_of(genotype) for genotype in genotypes], sizes, task.outputs)

    def canonical(self, genotype: Genotype) -> Genotype:
        """Leave out what nothing reads, write links as they are understood, and sort the groups of each layer."""
        layers = layers_of(genotype, INPUT_GROUPS)
        for depth, groups in enumerate(layers):
            order = sorted(range(len(groups)), key=groups.__getitem__)
            layers[depth] = [groups[index] for index in order]
            if depth + 1 < len(layers):
                layers[depth + 1] = [_renumbered(group, order) for group in layers[depth + 1]]
        return {
            "layers": [
                [
                    {"width": group.width, "activation": group.activation, "links": list(group.sources)}
                    for group in groups
                ]
                for groups in layers
            ],
            "rewiring": dict(genotype["rewiring"]),
        }

    def known(self, genotype: Genotype, task: Task | None) -> dict[str, float]:
        """Parameters and multiply-accumulates, which count pruned weights too, and `sparsity`."""
        if task is None:
            return {}
        from ..shelf.grouped.network import slice_sizes

        before = slice_sizes(math.prod(task.input_shape), INPUT_GROUPS)
        rewiring = rewiring_of(genotype)
        weights = units = present = dense = 0
        for groups in layers_of(genotype, len(before)):
            widths = [group.width for group in groups]
            for group in groups:
                own = group.width * sum(before[source] for source in group.sources)
                weights += own
                present += own if rewiring is None else rewiring.present(own)
            dense += sum(before) * sum(widths)
            units += sum(widths)
            before = widths
        head = sum(before) * task.outputs
        return {
            "parameters": weights + units + head + task.outputs,
            "macs": weights + head,
            "sparsity": 1 - (present + head) / (dense + head),
        }

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """Input slices, groups and the head. What is the task's, not the genotype's, has the size 1."""
        import networkx

        graph = networkx.DiGraph()
        names = [f"input{index}" for index in range(INPUT_GROUPS)]
        for name in names:
            graph.add_node(name, label=name, kind="input", size=1, layer=0)
        layers = layers_of(genotype, INPUT_GROUPS)
        for depth, groups in enumerate(layers, start=1):
            sources, names = names, [f"layer{depth}.group{index}" for index in range(len(groups))]
            for name, group in zip(names, groups, strict=True):
                label = f"{group.activation} {group.width}"
                if depth == 1:
                    compute = {"macs_per_input": group.width * len(group.sources) / INPUT_GROUPS}
                else:
                    compute = {"macs": group.width * sum(layers[depth - 2][source].width for source in group.sources)}
                graph.add_node(name, label=label, kind="group", size=group.width, layer=depth, **compute)
                for source in group.sources:
                    graph.add_edge(sources[source], name, kind="sparse")
        width = sum(group.width for group in layers[-1])
        graph.add_node("head", label="head", kind="head", size=1, layer=len(layers) + 1, macs_per_output=width)
        for name in names:
            graph.add_edge(name, "head", kind="dense")
        return graph

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        from ..shelf.grouped.network import GroupedNetwork

        assert isinstance(module, GroupedNetwork)
        return {"sparsity": sparsity(module), "modularity": modularity(module)}


def layers_of(genotype: Genotype, inputs: int) -> list[list[GroupSpec]]:
    """The groups that a genotype stands for, layer by layer, without those that nothing reads.

    Args:
        genotype: of `GroupedMLP`.
        inputs: slices of the input.
    """
    from ..shelf.grouped.network import GroupSpec

    layers: list[list[GroupSpec]] = []
    before = inputs
    for genes in genotype["layers"]:
        layers.append(
            [
                GroupSpec(one["width"], one["activation"], tuple(sorted({link % before for link in one["links"]})))
                for one in genes
            ]
        )
        before = len(genes)
    for depth in range(len(layers) - 1, 0, -1):
        read = sorted({source for group in layers[depth] for source in group.sources})
        layers[depth] = [_renumbered(group, read) for group in layers[depth]]
        layers[depth - 1] = [layers[depth - 1][source] for source in read]
    return layers


def rewiring_of(genotype: Genotype) -> Rewiring | None:
    """How the genotype's links are rewired."""
    from ..shelf.grouped.rewiring import Rewiring

    genes = genotype["rewiring"]
    return Rewiring(genes["density"], genes["fraction"]) if genes["kind"] == "prune_and_regrow" else None


def _renumbered(group: GroupSpec, order: Sequence[int]) -> GroupSpec:
    """The group when the layer before becomes the given selection of its groups."""
    from dataclasses import replace

    return replace(group, sources=tuple(sorted(order.index(source) for source in group.sources)))


def sparsity(network: GroupedNetwork) -> float:
    """Share of weights that are absent, in [0, 1)."""
    present, dense, before = network.head.weight.numel(), network.head.weight.numel(), sum(network.input_sizes)
    for groups in network.layers:
        units = 0
        for group in groups:  # pyright: ignore[reportGeneralTypeIssues]
            mask = getattr(group, "mask", None)
            present += group.weight.numel() if mask is None else int(mask.sum())
            units += group.out_features
        dense += before * units
        before = units
    return 1 - present / dense


def modularity(network: GroupedNetwork) -> float:
    """Q of the Louvain communities of input slices, groups and outputs, in [-0.5, 1]; 0 where all weights are zero."""
    import networkx

    graph = networkx.Graph()
    names, sizes = [f"input{index}" for index in range(len(network.input_sizes))], list(network.input_sizes)
    for depth, (groups, sources) in enumerate(zip(network.layers, network.sources, strict=True), start=1):
        own = [f"layer{depth}.group{index}" for index in range(len(sources))]
        for name, group, read in zip(own, groups, sources, strict=True):  # pyright: ignore[reportArgumentType]
            parts = group.weight.detach().abs().sum(0).cpu().split([sizes[source] for source in read])
            for source, part in zip(read, parts, strict=True):
                graph.add_edge(names[source], name, weight=float(part.sum()))
        names, sizes = own, [group.out_features for group in groups]  # pyright: ignore[reportGeneralTypeIssues]
    for name, part in zip(names, network.head.weight.detach().abs().cpu().split(sizes, 1), strict=True):
        for output, strength in enumerate(part.sum(1).tolist()):
            graph.add_edge(f"output{output}", name, weight=strength)
    if graph.size(weight="weight") == 0:
        return 0.0
    communities = networkx.community.louvain_communities(graph, seed=LOUVAIN_SEED)
    return float(networkx.community.modularity(graph, communities))
