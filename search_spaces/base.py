"""What a search space is to the engine and to the evaluators."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from .genes import Gene, Genotype, Invalid, to_json
from .task import Task

if TYPE_CHECKING:
    import networkx
    import torch

__all__ = ["Costs", "Invalid", "Metric", "Owned", "SearchSpace", "Stack", "StackPrediction", "Task"]


@dataclass(frozen=True)
class Metric:
    """A named number of an evaluation.

    Args:
        unit: shown on axes, e.g. "MAC/example"; empty for pure numbers.
        low: least possible value; may be -inf.
        high: greatest possible value; may be inf. A metric used as the objective needs both finite.
        direction: which way is better, "maximise" or "minimise".
        time: whether it is measured with a clock, and so differs between identical evaluations.
    """

    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    direction: Literal["maximise", "minimise"] = "maximise"
    time: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, str) or not hasattr(value, "__float__"):
                raise ValueError(f"Metric: expected a number as {name}, got {value!r}")
            object.__setattr__(self, name, float(value))
        if not self.low < self.high:
            raise ValueError(f"Metric: expected low < high, got {self.low} and {self.high}")
        object.__setattr__(self, "unit", "" if self.unit is None else self.unit)
        if not isinstance(self.unit, str):
            raise ValueError(f"Metric: expected a text as unit, got {self.unit!r}")
        if self.direction not in ("maximise", "minimise"):
            raise ValueError(f"Metric: direction is 'maximise' or 'minimise', got {self.direction!r}")


class Costs(NamedTuple):
    """Multiply-accumulates of a network in closed form.

    Args:
        fixed: what every example takes, routers included, and experts left out.
        experts: of each routed module, by its name in the network: what an example takes that chooses each expert.
    """

    fixed: float
    experts: Mapping[str, Sequence[float]]


Owned = tuple["torch.Tensor", Sequence[int]]
"""A parameter whose rows (axis 0) belong each to one network, and the networks, by row."""


class StackPrediction(NamedTuple):
    """What K networks make of B examples, and what their modules do meanwhile.

    Args:
        outputs: (K, B, *output_shape).
        gates: of each network {name of a routed module: its gates (B, E)}, as the module's `route` gives them (see
            `qd.metrics.routing`).
        observed: of each network {name of a module with `observe`: what that gives of these examples}; None: the stack
            says nothing of them.
    """

    outputs: torch.Tensor
    gates: Sequence[Mapping[str, torch.Tensor]]
    observed: Sequence[Mapping[str, Mapping[str, Any]]] | None = None


class Stack(Protocol):
    """K networks trained as one: a `torch.nn.Module` with zeros for parameters, until `load` fills them.

    Each network computes what it would compute alone; `qd.testing` has a suite that proves it.
    """

    auxiliary_loss: torch.Tensor | None
    """(K,) losses of the networks' own, such as a router's, after a forward pass in training mode; None without any."""

    def __call__(self, x: torch.Tensor, /) -> torch.Tensor:
        """(B, *input_shape), one minibatch for all → (K, B, *output_shape)."""
        ...

    def owned(self) -> Sequence[Owned]:
        """Every trained parameter, with the network that each of its rows belongs to: learning rates and clipping."""
        ...

    def load(self, network: int, state: Mapping[str, torch.Tensor]) -> None:
        """Take the parameters of one network from the `state_dict` of what `build` returns; at any time."""
        ...

    def unstack(self, network: int) -> dict[str, torch.Tensor]:
        """Copies of the parameters of one network, as a `state_dict` that `build`'s module loads; at any time."""
        ...

    # Optional: `after_step(step, steps)`, called after each optimiser step, counted from 0, as it is on every module of
    # a network trained alone that has it; for what changes a network while it is trained, such as prune and regrow. On
    # a GPU one step is recorded and replayed for all others if `captures` says that whatever `after_step` changes lies
    # in tensors, and is changed in place.
    #
    # Optional: `predict(x)`, called in evaluation mode and without gradients: (B, *input_shape) → `StackPrediction`.
    # Networks are run alone where the stack does not say what their modules do, so that metrics learn it.


class SearchSpace:
    """Declares genes, and builds the network that a genotype stands for.

    A subclass sets `genes` (on the class, or in `__init__` from its arguments, which are the keys beside `kind` in the
    run file). Everything else is optional: a space that only a table evaluates needs no `build`. Instances hold no
    state that a call changes; all methods may be called in any process.
    """

    genes: Gene
    metrics: Mapping[str, Metric] = {}
    """Metrics of the space's own, filled by `measure`, beside those of the evaluator."""

    def check_task(self, task: Task) -> None:
        """Refuse, at the door, a task that no network of this space can have; by default none is refused.

        Raises:
            ValueError: says what is taken in or given out instead.
        """

    def build(self, genotype: Genotype, task: Task) -> torch.nn.Module:
        """Return the network, freshly initialised from torch's global generator, in training mode.

        This is the definition of the architecture: input (B, *task.input_shape) float32, or int64 of tokens, output
        (B, *task.output_shape).
        Parameters and buffers of another floating-point type become float32 afterwards; a `forward` that is to compute
        in that type converts its input and its parameters to it, and its output back.

        Raises:
            Invalid: the genotype cannot stand for a network.
        """
        raise NotImplementedError(f"{type(self).__name__} has no build(): it can only be evaluated by a table")

    def deployed(self, network: torch.nn.Module) -> torch.nn.Module:
        """Return the trained network as it is used from now on, such as with layers merged; by default as it is.

        It computes the same in evaluation mode; `network` is not changed. Exports to ONNX and torch hold it, while
        safetensors hold what `build` gives, which can be trained further.
        """
        return network

    def module_graph(self, genotype: Genotype) -> networkx.DiGraph | None:
        """Return the network's modules as a graph, or None where the space has no such notion.

        Nodes carry `label` (str), `kind` (str), `size` (int, units) and `layer` (int, from 0 at the input); edges carry
        `kind` ("dense", "routed", "residual", "sparse"; "dense" where it is missing). Node names are strings.

        For a diagram that shows each module's share of the compute, nodes may also carry `macs` (per example), and, as
        the genotype does not know the task, `macs_per_input` and `macs_per_output` (for each of the task's).
        """
        return None

    def stack_signature(self, genotype: Genotype) -> Hashable:
        """Networks of equal signatures may be trained in one stack; None where there is no stack of them."""
        return None

    def build_stack(self, genotypes: Sequence[Genotype], task: Task) -> Stack:
        """Return a stack of networks of one signature, in this order."""
        raise NotImplementedError(f"{type(self).__name__} gives stack signatures, but has no build_stack()")

    def training_options(self, genotype: Genotype) -> Mapping[str, float]:
        """What the genotype says about its own training: `learning_rate`, `weight_decay`, `epochs`, or none of them."""
        return {}

    graph_needs_files: bool = False
    """Whether `module_graph` reads more than the genotype and the space's arguments: a library in a folder, or the
    modules of a stranger.

    Graphs of `qd`'s own spaces that need none are not logged: whoever looks at a candidate makes its graph again.
    """

    def contents(self) -> dict[str, Any]:
        """Return plain data that says what it has beside its arguments, such as modules: a resume needs the same."""
        return {}

    def canonical(self, genotype: Genotype) -> Genotype:
        """Return the one genotype that stands for all that give this architecture; the default changes nothing."""
        return genotype

    def measure(self, genotype: Genotype, module: torch.nn.Module, outputs: torch.Tensor) -> dict[str, float]:
        """Return the space's own `metrics` of a trained module; `outputs` is as in `Subject`."""
        return {}

    def known(self, genotype: Genotype, task: Task | None) -> dict[str, float]:
        """Return what is known of the network before it is trained, in closed form and quickly; by default nothing.

        What may be given: `parameters`, all of them; beside these `macs`, multiply-accumulates per example, where
        nothing is routed, so that no example costs more than another; and those of the space's own `metrics` that
        training does not change. Values equal those that an evaluation reports, which fails where they do not. What is
        left out is looked for in an untrained network, or waited for.

        Args:
            genotype: valid.
            task: of the networks; None where the evaluator builds none.
        """
        return {}

    def costs(self, genotype: Genotype, task: Task) -> Costs | None:
        """Return what an example takes, in closed form and quickly; None where it must be counted in the network.

        By default what `known` gives as `macs`. The metric `macs` takes it of the project's own spaces, and counts in
        the networks of one genotype in 16; of others it counts always. Evaluations fail where the two differ.
        """
        macs = self.known(genotype, task).get("macs")
        return None if macs is None else Costs(macs, {})

    def key(self, genotype: Genotype) -> str:
        """Two genotypes with equal keys stand for the same architecture."""
        canonical = self.canonical(genotype)
        if canonical is None:
            raise TypeError(f"{type(self).__name__}.canonical must return a genotype, got None")
        return to_json(canonical)
