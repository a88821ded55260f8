"""A mixture of experts as a module of the shelf.

Axes: B examples, or steps of them; E experts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from ...genes import Choice, Genotype, Integer, Repeat, Struct
from ..base import ModuleStack, Port, ShelfModule
from ..feed_forward import Normalised
from ..shares import ACTIVE, ACTIVE_ELSEWHERE
from .layer import MixtureOfExperts, active_share

if TYPE_CHECKING:
    import networkx


class Mixture(ShelfModule):
    """A feed-forward layer of experts with sizes of their own, of which each example, or step, is sent to one or two.

    The layer of `sparse_moe` (see `MixtureOfExperts`), on normalised input and with a residual connection: how many
    experts there are and how large each is varies by layer, as in AutoMoE (Jawahar et al., arXiv 2210.07535). Gates are
    the router's probabilities for one choice (Switch Transformers, Fedus et al., arXiv 2101.03961), and normalised over
    the chosen for two (GShard, Lepikhin et al., arXiv 2006.16668). Deviations: trained from scratch and not in a
    supernet; no noise, no limit of capacity. `balance` is the weight of the load-balancing loss.

    Metrics: `active_share`, the share of hidden units that an example, or step, runs.
    """

    ports = ("vector", "tokens")
    genes = Struct(
        experts=Repeat(Integer(8, 64, log=True), 2, 8),
        top_k=Integer(1, 2),
        activation=Choice("relu", "silu", "tanh"),
        balance=Choice(0.0, 0.01, 0.1),
    )
    routes = True
    metrics = ACTIVE
    elsewhere = ACTIVE_ELSEWHERE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return NormalisedMixture(port.width, genes["experts"], genes["top_k"], genes["activation"], genes["balance"])

    def known(self, genes: Genotype, port: Port) -> dict[str, float]:
        width, experts = port.width, genes["experts"]
        return {
            "parameters": 2 * width
            + width * len(experts)
            + sum(2 * width * hidden + hidden + width for hidden in experts)
        }

    def stack(self, genes: Sequence[Genotype], port: Port) -> ModuleStack:
        from .module_stack import NormalisedStack  # numba, which one network alone does not need
        from .stack import LayerSpec

        specs = [
            LayerSpec("layer.", tuple(one["experts"]), one["top_k"], one["activation"], False, one["balance"])
            for one in genes
        ]
        return NormalisedStack(port.width, specs)

    def graph(self, genes: Genotype, width: int) -> networkx.DiGraph:
        """Normalisation, router, experts and their sum, to which the module's input is added."""
        import networkx

        experts, top_k = genes["experts"], genes["top_k"]
        graph = networkx.DiGraph()
        graph.add_node("norm", label=f"norm {width}", kind="norm", size=width, layer=0)
        label = f"router {top_k} of {len(experts)}, balance {genes['balance']:g}"
        macs = width * len(experts)
        graph.add_node("router", label=label, kind="router", size=len(experts), layer=0, macs=macs)
        graph.add_edge("norm", "router", kind="dense")
        graph.add_node("sum", label=f"sum {width}", kind="sum", size=width, layer=0, residual=True)
        for index, hidden in enumerate(experts):
            expert, label = f"expert{index}", f"expert {hidden} {genes['activation']}"
            macs = 2 * width * hidden * top_k / len(experts)
            graph.add_node(expert, label=label, kind="expert", size=hidden, layer=0, macs=macs)
            graph.add_edge("norm", expert, kind="dense")
            graph.add_edge("router", expert, kind="routed")
            graph.add_edge(expert, "sum", kind="routed")
        return graph


class NormalisedMixture(Normalised):
    """x + mixture(norm(x)), over the last axis.

    Args:
        width: of the last axis.
        experts: hidden units of each.
        top_k: experts for each row.
        activation: of their hidden units.
        balance: weight of the load-balancing loss.
    """

    def __init__(self, width: int, experts: Sequence[int], top_k: int, activation: str, balance: float) -> None:
        super().__init__(width, MixtureOfExperts(width, experts, top_k, activation, balance))
        self.sizes = tuple(experts)

    def observe(self, x: Tensor) -> dict[str, Tensor]:
        """The share of hidden units that run, on average."""
        assert isinstance(self.layer, MixtureOfExperts)
        return {"active_share": active_share(self.layer.route(self.norm(x)), self.sizes)}
