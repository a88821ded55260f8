"""Networks composed of modules of the shelf, one after the other."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..base import Metric, SearchSpace, Stack, Task
from ..genes import Choice, Gene, Genotype, Repeat, Struct, Variant, to_json
from ..shelf.base import PortKind, ShelfModule
from ..shelf.kinds import check_causal, chosen, is_own

if TYPE_CHECKING:
    import networkx
    import torch

    from .network import ChainNetwork, Layer

POSITIONS = ("none", "learnt", "sine")
DEPLOYED = {"deployed_parameters": Metric("", 0, direction="minimise")}


class Chain(SearchSpace):
    """Networks of modules of one port, between a stem and a head that follow from the task.

    The search chooses how many layers there are, the module of each, its genes, and the width of all. Every kind of
    data has a stem for ports "vector" and "tokens", images and series also for "image": see `search_spaces.shelf.stems`
    and `heads`. At the port "image" a layer may end by halving the map. At the port "tokens" a gene says what is added
    to the steps for their positions.

    Metrics are those of the modules: each is a mean over the layers of a network. At the port "image" there is also
    `deployed_parameters`, after merging what is mergeable (`deployed`), which `parameters` counts before.

    Args:
        port: "vector", "tokens" or "image".
        modules: what the search may choose from; None: all modules of the shelf with this port.
        width: the widths that it may choose from, multiples of 8.
        depth: fewest and most layers, at least 1.
        share_genes: whether all layers of one module have the same genes, which are then the network's.
        patch: side of an image's patches, or steps of a series that become one; None: 4 for images, and for series
            what leaves at most 64 steps.
        pooling: of tokens: what the head reads where it gives one answer, the "mean" over steps or the "last" one.
        exits: whether there is an answer after every layer, and the network's is their mean (see `network.Exits`).
    """

    def __init__(
        self,
        port: PortKind = "tokens",
        modules: tuple[ShelfModule, ...] | None = None,
        width: tuple[int, ...] = (32, 64),
        depth: tuple[int, int] = (1, 6),
        share_genes: bool = False,
        patch: int | None = None,
        pooling: Literal["mean", "last"] = "mean",
        exits: bool = False,
    ) -> None:
        self.port: PortKind = port
        self.modules = chosen(port, modules)
        if not width or any(one < 8 or one % 8 for one in width):
            raise ValueError(f"width: expected multiples of 8, got {', '.join(map(str, width)) or 'none'}")
        if not 1 <= depth[0] <= depth[1]:
            raise ValueError(f"depth: expected 1 <= fewest <= most layers, got {depth[0]} and {depth[1]}")
        if patch is not None and patch < 1:
            raise ValueError(f"patch: expected a side of at least 1, got {patch}")
        self.graph_needs_files = not all(map(is_own, self.modules.values()))
        self.share_genes, self.patch, self.exits = share_genes, patch, exits
        self.pooling: Literal["mean", "last"] = pooling
        own: dict[str, Gene] = {"halve": Choice(False, True)} if port == "image" else {}
        apart = {name: Struct() if share_genes else module.genes for name, module in self.modules.items()}
        layers = {name: Struct(**genes.fields, **own) for name, genes in apart.items()}
        fields: dict[str, Gene] = {"width": Choice(*width)}
        if port == "tokens":
            fields["positions"] = Choice(*POSITIONS)
        if share_genes:
            fields["modules"] = Struct(**{name: module.genes for name, module in self.modules.items()})
        self.genes = Struct(**fields, layers=Repeat(Variant(**layers), *depth))
        self._of_modules = {name: metric for one in self.modules.values() for name, metric in one.metrics.items()}
        self.metrics = {**(DEPLOYED if port == "image" else {}), **self._of_modules}

    def check_task(self, task: Task) -> None:
        from ..shelf.stems import check_stem

        check_stem(task, self.port)
        check_causal(task, list(self.modules.values()))

    def build(self, genotype: Genotype, task: Task) -> ChainNetwork:
        from .network import ChainNetwork

        return ChainNetwork(self.layers(genotype, task), self.ends(genotype, task))

    def stack_signature(self, genotype: Genotype) -> Hashable:
        """Networks of any widths, depths and modules may be trained in one stack, but for those that draw at random."""
        if any(self.modules[layer["kind"]].random for layer in genotype["layers"]):
            return None
        return ()

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        from .stack import ChainStack

        return ChainStack(
            [self.layers(genotype, task) for genotype in genotypes],
            [self.ends(genotype, task) for genotype in genotypes],
        )

    def layers(self, genotype: Genotype, task: Task) -> list[Layer]:
        """The layers of a network, from the stem to the head."""
        from .network import Layer

        port, found = self.ends(genotype, task).port, []
        for layer in genotype["layers"]:
            halve = layer.get("halve", False) and min(port.size) > 1
            found.append(Layer(self.modules[layer["kind"]], self.genes_of(genotype, layer), port, halve))
            port = found[-1].port_after
        return found

    def ends(self, genotype: Genotype, task: Task) -> Any:
        """The stem and the head of a network."""
        from ..shelf.stems import port_of
        from .network import Ends

        port = port_of(task, self.port, genotype["width"], self.patch)
        return Ends(task, port, self.patch, genotype.get("positions", "none"), self.pooling, self.exits)

    def genes_of(self, genotype: Genotype, layer: Genotype) -> Genotype:
        """The genes of a layer's module."""
        if self.share_genes:
            return genotype["modules"][layer["kind"]]
        return {name: layer[name] for name in self.modules[layer["kind"]].genes.fields}

    def canonical(self, genotype: Genotype) -> Genotype:
        """Shared genes of modules that no layer has are replaced by fixed ones."""
        if not self.share_genes:
            return genotype
        used = {layer["kind"] for layer in genotype["layers"]}
        genes = {
            name: genotype["modules"][name] if name in used else module.genes.sample(np.random.default_rng(0))
            for name, module in self.modules.items()
        }
        return {**genotype, "modules": genes}

    def known(self, genotype: Genotype, task: Task | None) -> dict[str, float]:
        """Parameters and multiply-accumulates, added up over stem, layers and head: each is counted once and kept."""
        if task is None:
            return {}
        from .costs import head_costs, layer_costs, rows_of, stem_costs

        ends, layers = self.ends(genotype, task), self.layers(genotype, task)
        rows, ports = rows_of(ends), tuple(layer.port_after for layer in layers)
        parts = [
            stem_costs(ends),
            *(layer_costs(layer.module, to_json(layer.genes), layer.port, rows) for layer in layers),
            head_costs(ends, ports if self.exits else ports[-1:]),
        ]
        known = {"parameters": float(sum(part.parameters for part in parts))}
        known |= {name: float(sum(part.deployed for part in parts)) for name in DEPLOYED if name in self.metrics}
        if any(part.macs is None for part in parts):
            return known
        return {**known, "macs": sum(part.macs or 0.0 for part in parts)}

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """Stem, the parts of each layer's module, and the head, whose units are the task's: its size is 1."""
        import networkx

        from ..shelf.graphs import add_after

        graph, width = networkx.DiGraph(), genotype["width"]
        graph.add_node("stem", label=f"stem {width}", kind="stem", size=width, layer=0, macs_per_input=width)
        ends = ["stem"]
        for number, layer in enumerate(genotype["layers"], start=1):
            module = self.modules[layer["kind"]]
            part = module.graph(self.genes_of(genotype, layer), width)
            ends = add_after(graph, ends, part, f"layer{number}", number)
        depth = len(genotype["layers"]) + 1
        graph.add_node("head", label="head", kind="head", size=1, layer=depth, macs_per_output=width)
        graph.add_edges_from(((end, "head") for end in ends), kind="dense")
        return graph

    def deployed(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return the network with every part that has a method `merged()` replaced by what that returns."""
        from ..shelf.merging import merged

        return merged(network)

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        from ..shelf.merging import merged_parameters

        found: dict[str, list[float]] = {name: [] for name in self._of_modules}
        for layer, network in zip(genotype["layers"], module.get_submodule("layers").children(), strict=True):
            kind = self.modules[layer["kind"]]
            own = kind.measure(self.genes_of(genotype, layer), network)
            for name, values in found.items():
                values.append(own[name] if name in own else self._elsewhere(name))
        deployed = {name: float(merged_parameters(module)) for name in DEPLOYED if name in self.metrics}
        return {**deployed, **{name: float(np.mean(values)) for name, values in found.items()}}

    def _elsewhere(self, name: str) -> float:
        return next(one.elsewhere.get(name, 0.0) for one in self.modules.values() if name in one.metrics)
