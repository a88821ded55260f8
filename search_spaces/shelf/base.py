"""What a module of the shelf is: a part of a network with genes of its own, which spaces compose."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ..base import Metric
from ..genes import Genotype, Struct

if TYPE_CHECKING:
    import networkx
    import torch

PortKind = Literal["vector", "tokens", "image"]


@dataclass(frozen=True)
class Port:
    """What goes in and out of a module: (B, *shape) floats.

    Args:
        kind: "vector" (B, W), "tokens" (B, T, W) or "image" (B, W, H, V).
        width: W, units or channels; a multiple of 8.
        size: () of a vector, (T,) steps of tokens, (H, V) height and width of an image, each at least 1.
        causal: whether no step may look at a later one; of tokens alone.
    """

    kind: PortKind
    width: int
    size: tuple[int, ...] = ()
    causal: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example."""
        return (self.width, *self.size) if self.kind == "image" else (*self.size, self.width)

    def resized(self, *size: int) -> Port:
        """The same with other sides."""
        return replace(self, size=size)


def rows_of(port: Port) -> int:
    """How many rows of `width` numbers an example has at "vector" or "tokens"."""
    return math.prod(port.size)


class ModuleStack(Protocol):
    """N networks of one module as one `torch.nn.Module`; see `ShelfModule.stack`."""

    auxiliary_loss: torch.Tensor | None
    """(N,) losses of the modules' own after a forward pass in training mode; None without any."""

    def __call__(self, x_N: torch.Tensor, /) -> torch.Tensor:
        """(N, B, *shape), of each its own → the same shape."""
        ...

    # Optional: `predict(x_N)`, called in evaluation mode: outputs, and of each module a `watching.Watched`; where
    # modules are routed or observe, networks of a stack without it are run alone for their metrics.

    def owned(self) -> Sequence[tuple[torch.Tensor, Sequence[int]]]:
        """Every parameter, with the network, of N, that each of its rows (axis 0) belongs to."""
        ...

    def named(self, network: int) -> dict[str, torch.Tensor]:
        """Views of one network's tensors, under their names in the `state_dict` of what `build` returns."""
        ...


class ShelfModule(ABC):
    """A module that maps its port's shape to itself, with its own normalisation and residual connection.

    A subclass sets `ports` and `genes`, and builds the network of given genes. Its constructor's arguments, if any, are
    keys beside `kind` in the run file. Instances hold no state that a call changes. `qd.testing.ModuleConformance`
    tests all that is asked for here.

    What `build` returns

    - takes (B, *port.shape) floats and gives the same shape, for any B; examples do not touch one another, but for a
      loss;
    - draws nothing at random and changes no buffer in `forward`; what changes while it is trained (a schedule, pruned
      weights) does in `after_step(step, steps)`;
    - may have an attribute `auxiliary_loss` from its constructor on: None, or a scalar after a forward pass in training
      mode;
    - may have a method `observe(x) -> {metric: scalar tensor}`, the mean over the examples of x: called in evaluation
      mode with what the module is given; averages over all examples are left on it as `observed`;
    - may have parts with a method `merged()`, which returns what computes the same in evaluation mode, and is exported
      in their place;
    - may have `route` and `experts`, as `qd.metrics.routing` says, where it runs parts of itself: their use is counted.
    """

    ports: ClassVar[tuple[PortKind, ...]]
    """Where it can be; one that works on the last axis alone can be at "vector" and at "tokens"."""
    genes: Struct = Struct()
    causal: ClassVar[bool] = True
    """Of tokens: whether it can be built so that no step looks at a later one."""
    random: ClassVar[bool] = False
    """Whether it draws random numbers while it is trained, such as dropout's: then its networks are trained alone."""
    routes: ClassVar[bool] = False
    """Whether it has routers inside: such modules do not nest."""
    metrics: Mapping[str, Metric] = {}
    """What it reports: the mean over the layers of a network."""
    elsewhere: Mapping[str, float] = {}
    """What layers of other modules count for each of `metrics`; 0 where nothing is said."""

    @property
    def name(self) -> str:
        """What genotypes call it: the class's name in snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(self).__name__).lower()

    @abstractmethod
    def build(self, genes: Genotype, port: Port) -> torch.nn.Module:
        """Return the network, freshly initialised from torch's global generator.

        Raises:
            Invalid: the genes cannot stand for a network at this port.
        """

    def stack(self, genes: Sequence[Genotype], port: Port) -> ModuleStack | None:
        """Return N modules of any genes as one, with zeros for parameters; None where there is no such stack.

        Without one, modules of equal genes are stacked by `torch.func.vmap` where torch can.
        """
        return None

    def known(self, genes: Genotype, port: Port) -> Mapping[str, float]:
        """Return what follows from the genes without building anything, for searches that ask of thousands.

        "parameters", and with them "macs", the multiply-accumulates of an example, unless parts are chosen by what goes
        in; by default nothing: then one is built and counted. Not for modules with parts that are `merged`.
        """
        return {}

    def measure(self, genes: Genotype, network: Any) -> Mapping[str, float]:
        """Return `metrics` of a trained network; by default what it has `observed`."""
        return getattr(network, "observed", {})

    def graph(self, genes: Genotype, width: int) -> networkx.DiGraph:
        """Return its parts as a module graph (see `SearchSpace.module_graph`), all in layer 0; by default one node.

        Nodes without incoming edges read the module's input; it is added to nodes that are marked `residual=True`.
        """
        import networkx

        graph = networkx.DiGraph()
        details = self.genes.readable(genes)
        graph.add_node(self.name, label=f"{self.name} {details}".strip(), kind=self.name, size=width, layer=0)
        return graph
