"""Attention by stick-breaking, with experts of heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ...genes import Choice, Genotype, Integer, Struct
from ..base import Port, ShelfModule
from ..shares import ACTIVE, ACTIVE_ELSEWHERE, ATTENTION
from .layer import ExpertsOfHeads

if TYPE_CHECKING:
    import networkx


class StickBreaking(ShelfModule):
    """Attention whose heads are experts, of which each step chooses some (ModuleFormer, Shen et al., arXiv 2306.04640).

    Keys and values of a step are shared by all experts; an expert is a map to queries and one from what they attended
    to. A router of two layers gives probabilities; the chosen experts' outputs, times these as they are, are added.
    `positions: stick-breaking` shares out attention from the newest step back: each takes σ(q·k) of what is left, so
    weights add up to less than 1, and no positions are needed. `rotary` is softmax attention instead.

    Two losses over all steps of a batch, with p the router's probabilities: `balance` weighs H(p) averaged less H of
    the average p, which spreads steps over experts, each step sure of its own; `concentration` weighs H of the average
    p, which brings all steps to a few experts (in the paper in fine-tuning alone, in place of the other).

    Always causal, as in the paper. Deviations: `top_k` is at most the number of experts; as many units in the router as
    the width (256 there); torch's usual initial weights (there normal, 0.02, and of experts ±1/fan-in).

    Metrics: `attention_share`; `active_share`, the share of experts that a step runs.
    """

    ports = ("tokens",)
    genes = Struct(
        experts=Choice(2, 4, 8, 16),
        top_k=Integer(1, 4),
        units=Choice(16, 32, 64),
        heads=Choice(1, 2, 4),
        positions=Choice("stick-breaking", "rotary"),
        balance=Choice(0.0, 0.001, 0.01, 0.1),
        concentration=Choice(0.0, 0.01, 0.1),
    )
    routes = True
    metrics = {**ATTENTION, **ACTIVE}
    elsewhere = ACTIVE_ELSEWHERE

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return ExpertsOfHeads(port, **genes)

    def graph(self, genes: Genotype, width: int) -> networkx.DiGraph:
        """Normalisation, router, keys and values, experts and their sum, to which the module's input is added."""
        import networkx

        experts, units = genes["experts"], genes["units"]
        top_k = min(genes["top_k"], experts)
        graph = networkx.DiGraph()
        graph.add_node("norm", label=f"norm {width}", kind="norm", size=width, layer=0)
        label = f"router {top_k} of {experts}, balance {genes['balance']:g}, concentration {genes['concentration']:g}"
        macs = width * width + width * experts
        graph.add_node("router", label=label, kind="router", size=experts, layer=0, macs=macs)
        label, macs = f"keys, values {units}", 2 * width * units
        graph.add_node("keys_values", label=label, kind="dense", size=2 * units, layer=0, macs=macs)
        graph.add_edges_from([("norm", "router"), ("norm", "keys_values")], kind="dense")
        graph.add_node("sum", label=f"sum {width}", kind="sum", size=width, layer=0, residual=True)
        for index in range(experts):
            expert, macs = f"expert{index}", 2 * width * units * top_k / experts
            label = f"{genes['positions']} attention, {genes['heads']} heads of {units // genes['heads']}"
            graph.add_node(expert, label=label, kind="expert", size=units, layer=0, macs=macs)
            graph.add_edges_from([("norm", expert), ("keys_values", expert)], kind="dense")
            graph.add_edges_from([("router", expert), (expert, "sum")], kind="routed")
        return graph
