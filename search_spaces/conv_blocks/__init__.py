"""Small convolutional classifiers, block after block, without shortcuts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from ..base import Metric, SearchSpace, Stack, Task
from ..genes import Choice, Genotype, Integer, Repeat, Struct
from ..task import Image, check_input

if TYPE_CHECKING:
    import networkx
    import torch

    from ..shelf.convolution import BlockSpec, ConvNetwork


class ConvBlocks(SearchSpace):
    """Image classifiers of 1 to 6 blocks after a stem that cuts the image into patches of 4 x 4 pixels.

    A block is a grouped 3 x 3 convolution and a pointwise one; it may have channel attention (ECA-Net, Wang et al.,
    arXiv 1910.03151), be trained as two convolutions that merge into one afterwards, and end by halving the map (both
    VanillaNet, Chen et al., arXiv 2305.12972). All groups of a network are of one size, so that wider blocks have more
    of them (E2GC, Jha et al., arXiv 2006.15100). Deviations: VanillaNet convolves pointwise alone and sums several
    activations (its "series"), here a plain relu follows each convolution; E2GC substitutes groups for depthwise
    convolution in MobileNet and ResNeXt; there is no batch normalisation anywhere; the head reads all pixels of the
    last map, and not their mean.

    Metric `deployed_parameters`: of the network after merging what is mergeable (`deployed`), which `parameters` counts
    before.
    """

    genes = Struct(
        group_size=Choice(4, 8),
        groups=Integer(1, 8, log=True),
        blocks=Repeat(
            Struct(
                groups=Integer(1, 8, log=True),
                attention=Choice(False, True),
                mergeable=Choice(False, True),
                pool=Choice(False, True),
            ),
            1,
            6,
        ),
    )
    metrics = {"deployed_parameters": Metric("", 0, direction="minimise")}

    def check_task(self, task: Task) -> None:
        check_input(task, "convolutions", Image)

    def build(self, genotype: Genotype, task: Task) -> ConvNetwork:
        from ..shelf.convolution import ConvNetwork

        return ConvNetwork(task.input_shape, blocks_of(genotype), task.outputs)

    def stack_signature(self, genotype: Genotype) -> Hashable:
        """All networks may be trained in one stack."""
        return ()

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        from .stack import ConvBlocksStack

        return ConvBlocksStack([blocks_of(genotype) for genotype in genotypes], task)

    def known(self, genotype: Genotype, task: Task | None) -> dict[str, float]:
        """Parameters, multiply-accumulates and `deployed_parameters`."""
        if task is None:
            return {}
        from ..shelf.convolution import PATCH, attention_size

        blocks = blocks_of(genotype)
        channels, height, breadth = task.input_shape
        patch = min(PATCH, height, breadth)
        height, breadth = height // patch, breadth // patch
        weights = channels * patch * patch * blocks[0].inputs
        parameters, macs, saved = weights + blocks[0].inputs, weights * height * breadth, 0
        for block in blocks:
            spatial, pointwise = 9 * block.inputs * block.group, block.inputs * block.outputs
            second = block.outputs * block.outputs if block.mergeable else 0
            biases = block.inputs + block.outputs * (2 if block.mergeable else 1)
            size = attention_size(block.outputs) if block.attention else 0
            parameters += spatial + pointwise + second + biases + size
            macs += (spatial + pointwise + second) * height * breadth + size * block.outputs
            saved += second + block.outputs if block.mergeable else 0
            if block.pool and min(height, breadth) > 1:
                height, breadth = height // 2, breadth // 2
        head = blocks[-1].outputs * height * breadth * task.outputs
        parameters += head + task.outputs
        return {"parameters": parameters, "macs": macs + head, "deployed_parameters": parameters - saved}

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """Stem, the convolutions and attentions of each block, and the head (of size 1: its outputs are the task's)."""
        import networkx

        graph = networkx.DiGraph()
        blocks = blocks_of(genotype)
        source = "stem"
        graph.add_node(source, label=f"stem {blocks[0].inputs}", kind="stem", size=blocks[0].inputs, layer=0)
        for layer, block in enumerate(blocks, start=1):
            name = f"block{layer}"
            halved = ", halved" if block.pool else ""
            merged = " mergeable" if block.mergeable else ""
            parts = [
                ("spatial", f"3×3 in {block.inputs // block.group} groups", block.inputs, "sparse"),
                ("pointwise", f"1×1{merged} {block.outputs}{halved}", block.outputs, "dense"),
            ]
            for kind, label, size, edge in parts:
                graph.add_node(f"{name}.{kind}", label=label, kind=kind, size=size, layer=layer)
                graph.add_edge(source, f"{name}.{kind}", kind=edge)
                source = f"{name}.{kind}"
            if block.attention:
                graph.add_node(
                    f"{name}.attention", label="attention", kind="attention", size=block.outputs, layer=layer
                )
                graph.add_edge(source, f"{name}.attention", kind="sparse")
                source = f"{name}.attention"
        graph.add_node("head", label="head", kind="head", size=1, layer=len(blocks) + 1)
        graph.add_edge(source, "head", kind="dense")
        return graph

    def deployed(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return the network with what is mergeable merged."""
        from ..shelf.merging import merged

        return merged(network)

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        from ..shelf.merging import merged_parameters

        return {"deployed_parameters": merged_parameters(module)}


def blocks_of(genotype: Genotype) -> list[BlockSpec]:
    """The blocks that a genotype stands for."""
    from ..shelf.convolution import BlockSpec

    group, channels = genotype["group_size"], genotype["group_size"] * genotype["groups"]
    blocks: list[BlockSpec] = []
    for genes in genotype["blocks"]:
        outputs = group * genes["groups"]
        blocks.append(BlockSpec(channels, outputs, group, genes["attention"], genes["mergeable"], genes["pool"]))
        channels = outputs
    return blocks
