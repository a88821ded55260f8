"""Networks in which every token chooses its way through one pool of modules."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..base import Metric, SearchSpace, Task
from ..genes import Choice, Genotype, Integer, Real, Repeat, Struct, Variant, to_json
from ..shelf.base import ShelfModule
from ..shelf.kinds import chosen, is_own
from ..shelf.shares import SHARE

if TYPE_CHECKING:
    import networkx
    import torch

    from .network import RoutedNetwork

POSITIONS = ("none", "learnt", "sine")


class Routed(SearchSpace):
    """Tokens go through some fixed blocks, and then for S steps each to k modules of a pool that it chooses itself.

    After Distributed Neural Architectures (DNA, arXiv 2506.22389; its code was seen without its repository's name, its
    results in its reviews: not verified). A step has a router of its own; all steps share the pool, which also has k
    identity modules, by which a token skips (part of) a step; a gene says which share of choices should: see
    `network.Step`. A module sees, in a step, only the tokens that are there: those before, as in a text, where it looks
    at others, whatever the task. Their positions inside a module, such as rotary ones, are counted among these tokens.

    Deviations: a choice's weight scales all that its module adds, and not its feed-forward part alone, as modules of
    the shelf are attention or feed-forward; what modules the pool has is free; modules of the pool are causal also
    where the task is not.

    Metrics: `skipped_share`, of all choices those that fall on identity modules; `routing_entropy`, the mean entropy of
    a router's probabilities over its greatest, how undecided routers are; `path_exponent`, the slope of log count over
    log rank of the paths that tokens take (`paths.path_exponent`): compare it with that of untrained networks, whose
    paths are uneven too. Tokens that only fill up a text count like others.

    Networks are trained one by one: they share no call, as their routers send tokens different ways.

    Args:
        modules: what fixed blocks and pools are made of; None: all modules of the shelf for tokens that can be causal
            and do not route themselves, but for `identity`, which is in every pool.
        width: the widths that the search may choose from, multiples of 8.
        steps: fewest and most steps, at least 1.
        pool: fewest and most modules of the pool, without identity modules, at least 1.
        fixed: fewest and most fixed blocks; with none such networks train badly.
        patch: side of an image's patches, or steps of a series that become one; None: 4 for images, and for series
            what leaves at most 64 steps.
        pooling: what the head reads where it gives one answer, the "mean" over tokens or the "last" one.
    """

    metrics = {
        "skipped_share": SHARE,
        "routing_entropy": SHARE,
        "path_exponent": Metric("", -math.inf, 0),
    }

    def __init__(
        self,
        modules: tuple[ShelfModule, ...] | None = None,
        width: tuple[int, ...] = (32, 64),
        steps: tuple[int, int] = (2, 4),
        pool: tuple[int, int] = (4, 8),
        fixed: tuple[int, int] = (1, 2),
        patch: int | None = None,
        pooling: Literal["mean", "last"] = "mean",
    ) -> None:
        self.modules = {
            name: module
            for name, module in chosen("tokens", modules).items()
            if modules is not None or not unfit(module)
        }
        for name, module in self.modules.items():
            if why := unfit(module):
                left = ", ".join(one for one, other in chosen("tokens", None).items() if not unfit(other))
                raise ValueError(f"modules: {name} {why}; the shelf has {left}")
        if not width or any(one < 8 or one % 8 for one in width):
            raise ValueError(f"width: expected multiples of 8, got {', '.join(map(str, width)) or 'none'}")
        for name, (fewest, most), least in (("steps", steps, 1), ("pool", pool, 1), ("fixed", fixed, 0)):
            if not least <= fewest <= most:
                raise ValueError(f"{name}: expected {least} <= fewest <= most, got {fewest} and {most}")
        if patch is not None and patch < 1:
            raise ValueError(f"patch: expected a side of at least 1, got {patch}")
        self.graph_needs_files = not all(map(is_own, self.modules.values()))
        self.patch = patch
        self.pooling: Literal["mean", "last"] = pooling
        module = Variant(**{name: one.genes for name, one in self.modules.items()})
        self.genes = Struct(
            width=Choice(*width),
            positions=Choice(*POSITIONS),
            fixed=Repeat(module, *fixed),
            pool=Repeat(module, *pool),
            steps=Integer(*steps),
            top_k=Choice(1, 2),
            skip=Real(0.0, 0.5),
        )

    def build(self, genotype: Genotype, task: Task) -> RoutedNetwork:
        from dataclasses import replace

        from ..shelf.heads import Head
        from ..shelf.stems import port_of, stem
        from .network import RoutedNetwork

        port = port_of(task, "tokens", genotype["width"], self.patch)
        causal = replace(port, causal=True)
        return RoutedNetwork(
            stem(task, port, self.patch, genotype["positions"]),
            [self.modules[one["kind"]].build(self._genes(one), port) for one in genotype["fixed"]],
            [self.modules[one["kind"]].build(self._genes(one), causal) for one in genotype["pool"]],
            genotype["steps"],
            genotype["width"],
            genotype["top_k"],
            genotype["skip"],
            Head(task, port, self.pooling),
        )

    def canonical(self, genotype: Genotype) -> Genotype:
        """Sort the pool: its order says nothing about the architecture."""
        return {**genotype, "pool": sorted(genotype["pool"], key=to_json)}

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        from .paths import path_exponent

        found = [getattr(step, "observed", {}) for step in module.get_submodule("steps").children()]
        shares = {
            name: float(np.clip(np.mean([one.get(name, 0.0) for one in found]), 0, 1))
            for name in ("skipped_share", "routing_entropy")
        }
        paths = getattr(module.get_submodule("paths"), "observed", {})
        return {**shares, "path_exponent": path_exponent(paths.values())}

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        from .graph import module_graph

        blocks = [self._part(one, genotype["width"]) for one in genotype["fixed"]]
        pool = [(one["kind"], self.modules[one["kind"]].genes.readable(self._genes(one))) for one in genotype["pool"]]
        return module_graph(genotype, blocks, pool)

    def _part(self, one: Genotype, width: int) -> networkx.DiGraph:
        return self.modules[one["kind"]].graph(self._genes(one), width)

    def _genes(self, one: Genotype) -> Genotype:
        return {name: one[name] for name in self.modules[one["kind"]].genes.fields}


def unfit(module: ShelfModule) -> str:
    """Why a module cannot be in a pool; empty: it can."""
    from ..shelf.identity import Identity

    if isinstance(module, Identity):
        return "is in every pool by itself"
    if not module.causal:
        return "looks at later tokens, and those of a pool cannot"
    return "routes tokens itself, and routed modules do not nest" if module.routes else ""
