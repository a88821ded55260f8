"""Networks composed of modules that are trained already, and of new ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .base import Metric, SearchSpace, Task
from .genes import Choice, Genotype, Struct, Variant
from .task import Image, check_input

if TYPE_CHECKING:
    import networkx
    import torch

    from .library import Library, ModuleRecord
    from .library.composition import Composition, Stage

NEW = "new"
STITCHES = ("none", "linear", "affine", "relative")
LEVELS = ("image", "features", "vector", "scores")


@dataclass(frozen=True)
class Position:
    """A place in the row of stages.

    Args:
        name: "conv1", "conv2", ..., "dense", "head".
        takes: the kind of interface that it stands behind.
        gives: the kind that a new module gives there.
        sizes: of new modules: channels, or units; empty for the head, whose size is the task's.
        records: {name: record} of the library's modules that may stand there.
    """

    name: str
    takes: str
    gives: str
    sizes: tuple[int, ...]
    records: dict[str, ModuleRecord]

    def gene(self) -> Variant:
        """A new module of some size, or one of the library's."""
        modules = {name: Struct(**_choices(record)) for name, record in self.records.items()}
        return Variant(**{NEW: Struct(size=Choice(*self.sizes)) if self.sizes else Struct()}, **modules)

    def plain(self) -> Genotype:
        """What stands for "nothing is read here"."""
        return {"kind": NEW, "size": self.sizes[0]} if self.sizes else {"kind": NEW}


class Placed(NamedTuple):
    """A stage that a genotype uses, with its record; None where it is new."""

    position: Position
    genes: Genotype
    record: ModuleRecord | None


class ModuleLibrary(SearchSpace):
    """Image classifiers composed stage by stage: convolutions, a dense layer, a head.

    For every stage a genotype names a module of the library, frozen or tuned, or a new one of a given size. Before a
    library module stands a stitch: `none` (what does not fit is pooled, cut off or filled with zeros), a `linear` or
    `affine` map of the channels, or `relative` representations (From Bricks to Bridges, Cannistraci et al., arXiv
    2310.01211; see `search_spaces/library/stitch.py`). Each stitch joins any two neighbours and each stage offers only
    modules of its kind, so that an ill-typed composition cannot be written down. A module that does the work of several
    stages, such as all of a network but its head, stands in the first of them; the others are passed over.

    Without a library all modules are new.

    Metrics: `trained_parameters`; `reuse`, the share of all MACs that library modules do, tuned ones included;
    `stitch_share`, that of the stitches.

    Args:
        library: folder of the modules, as `qd library build` makes it.
        convolutions: how many convolutional stages, 1 or more.
        channels: sizes of new convolutions.
        hidden: sizes of new dense layers.
    """

    metrics = {
        "trained_parameters": Metric("", 0, direction="minimise"),
        "reuse": Metric("", 0, 1),
        "stitch_share": Metric("", 0, 1, "minimise"),
    }

    graph_needs_files = True

    def __init__(
        self,
        library: Path | str | None = None,
        convolutions: int = 2,
        channels: tuple[int, ...] = (8, 16, 32),
        hidden: tuple[int, ...] = (32, 64, 128),
    ) -> None:
        if convolutions < 1:
            raise ValueError(f"convolutions: expected at least 1, got {convolutions}")
        for name, sizes in (("channels", channels), ("hidden", hidden)):
            if not sizes or min(sizes) < 1:
                raise ValueError(f"{name}: expected sizes of at least 1, got {list(sizes)}")
        self.library: Library | None = None
        if library is not None:
            from .library import Library

            self.library = Library.open(library)
        self.positions = self._positions(convolutions, channels, hidden)
        self.genes = Struct(**{position.name: position.gene() for position in self.positions})

    def contents(self) -> dict[str, Any]:
        return {} if self.library is None else {record.name: record.digest for record in self.library}

    def check_task(self, task: Task) -> None:
        check_input(task, "the first stages of compositions", Image)

    def build(self, genotype: Genotype, task: Task) -> Composition:
        from .library.composition import Composition

        shape = task.input_shape
        stages: list[Stage] = []
        for placed in self.placed(genotype):
            stage, shape = self._stage(placed, shape, task)
            stages.append(stage)
        return Composition(stages, task.input_shape)

    def placed(self, genotype: Genotype) -> Iterator[Placed]:
        """The stages that are used, from the input on."""
        level = "image"
        for position in self.positions:
            if LEVELS.index(level) > LEVELS.index(position.takes):
                continue
            genes = genotype[position.name]
            record = position.records.get(genes["kind"])
            yield Placed(position, genes, record)
            level = record.output.kind if record else position.gives

    def canonical(self, genotype: Genotype) -> Genotype:
        """What is passed over is written in one way."""
        used = {placed.position.name for placed in self.placed(genotype)}
        return {
            position.name: genotype[position.name] if position.name in used else position.plain()
            for position in self.positions
        }

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        from .library.composition import Composition

        assert isinstance(module, Composition)
        return module.shares()

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph:
        """A node for every module and every stitch with parameters. A new head has size 1: the task says more."""
        import networkx

        graph = networkx.DiGraph()
        graph.add_node("image", label="image", kind="input", size=1, layer=0)
        source, layer = "image", 0
        for position, genes, record in self.placed(genotype):
            name = position.name
            layer += 1
            if record and genes["stitch"] != "none":
                stitch = f"{name}.stitch"
                graph.add_node(
                    stitch, label=f"{genes['stitch']} stitch", kind="stitch", size=record.input.shape[0], layer=layer
                )
                graph.add_edge(source, stitch, kind="dense")
                source, layer = stitch, layer + 1
            size = record.output.shape[0] if record else genes.get("size", 1)
            origin = NEW if record is None else "tuned" if genes["tuned"] else "frozen"
            label = f"{name}: {f'new {size}' if record is None else f'{record.name}, {origin}'}"
            graph.add_node(name, label=label, kind=origin, size=size, layer=layer)
            graph.add_edge(source, name, kind="dense")
            source = name
        return graph

    def _positions(self, convolutions: int, channels: tuple[int, ...], hidden: tuple[int, ...]) -> list[Position]:
        positions = [
            Position(f"conv{index + 1}", "features" if index else "image", "features", channels, {})
            for index in range(convolutions)
        ]
        positions.append(Position("dense", "features", "vector", hidden, {}))
        positions.append(Position("head", "vector", "scores", (), {}))
        for record in self.library or ():
            for position in positions:
                if _stands_at(record, position):
                    position.records[record.name] = record
        if self.library is not None and not any(position.records for position in positions):
            kinds = sorted({f"{record.input.kind} to {record.output.kind}" for record in self.library})
            raise ValueError(
                f"library: none of its {len(self.library)} modules ({', '.join(kinds)}) fits one of the stages"
                f" {', '.join(position.name for position in positions)}"
            )
        return positions

    def _stage(self, placed: Placed, shape: tuple[int, ...], task: Task) -> tuple[Stage, tuple[int, ...]]:
        """The stage, and the shape of what it gives."""
        import torch
        from torch import nn

        from .library.composition import Stage
        from .library.layers import build_layers
        from .library.stitch import make_stitch

        position, genes, record = placed
        name = position.name
        if record is None:
            architecture = {"kind": "layers", "layers": _new_layers(position, genes, shape, task)}
            body: nn.Module = build_layers(architecture["layers"])
            stage = Stage(name, "new", nn.Sequential(), body, nn.Sequential(), architecture)
        else:
            assert self.library is not None
            stitch = make_stitch(genes["stitch"], shape, record.takes(shape))
            outlet = nn.Sequential()
            if "outlet" in genes:
                outlet = make_stitch(genes["outlet"], record.output.shape, (task.outputs,))
            origin = "tuned" if genes["tuned"] else "frozen"
            stage = Stage(name, origin, stitch, self.library.build(record.name), outlet, record.architecture)
        stage.eval()
        with torch.no_grad():
            shape = tuple(stage(torch.zeros(1, *shape)).shape[1:])
        stage.train()
        return stage, shape


def _stands_at(record: ModuleRecord, position: Position) -> bool:
    takes, gives = record.input.kind, record.output.kind
    if takes == "features":
        return position.takes == "features" and (position.gives == "features") == (gives == "features")
    if takes == "vector":
        return position.name == ("head" if gives == "scores" else "dense")
    return takes == position.takes


def _choices(record: ModuleRecord) -> dict[str, Choice]:
    choices = {"tuned": Choice(False, True), "stitch": Choice(*STITCHES)}
    return {**choices, "outlet": Choice(*STITCHES)} if record.output.kind == "scores" else choices


def _new_layers(position: Position, genes: Genotype, shape: tuple[int, ...], task: Task) -> list:
    import math

    from .library.layers import convolution, dense, head

    if position.gives == "features":
        return convolution(shape[0], genes["size"], pool=min(shape[1:]) > 1)
    if position.gives == "vector":
        return dense(math.prod(shape), genes["size"])
    return head(shape[0], task.outputs)
