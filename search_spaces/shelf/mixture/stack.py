"""Mixtures of experts and dense layers of R networks at once.

Axes: R rows (one network's layer each), B examples, W width, G experts of all rows one after the other, U hidden units
of all experts one after the other, H units of the largest row, E experts of the row that has most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...kernels import has_kernel
from ..constants import Constant
from ..feed_forward import ACTIVATIONS
from ..feed_forward.stack import runs_of
from . import kernel
from .layer import top_k_mask


@dataclass(frozen=True)
class LayerSpec:
    """One row. A dense layer is a mixture of one expert without a router.

    Args:
        prefix: of the plain layer's names in its network's state.
        experts: hidden units of each expert.
        top_k: experts for each example, 1 or 2; 0 where there is no router.
        activation: one of `feed_forward.ACTIVATIONS`.
        residual: whether the input is added to the output.
        balance: weight of the load-balancing loss.
        width: of the row, where it is narrower than the stack: units beyond are zero, and stay so; None: as wide.
    """

    prefix: str
    experts: tuple[int, ...]
    top_k: int
    activation: str
    residual: bool
    balance: float
    width: int | None = None

    def expert_prefix(self, expert: int) -> str:
        """Of an expert's names in its network's state."""
        return f"{self.prefix}experts.{expert}." if self.top_k else self.prefix


class Layout:
    """Where rows, experts and units lie; constants of a stack. See `kernel` for the arrays."""

    def __init__(self, specs: Sequence[LayerSpec]) -> None:
        self.specs = tuple(specs)
        sizes = [hidden for spec in specs for hidden in spec.experts]
        self.first_expert = np.array([0, *accumulate(len(spec.experts) for spec in specs)])
        self.first_unit = np.array([0, *accumulate(sizes)])
        self.top_k = np.array([spec.top_k for spec in specs])
        self.activation = np.array([kernel.ACTIVATION_CODES[spec.activation] for spec in specs])
        self.residual = np.array([spec.residual for spec in specs])
        self.balance = np.array([spec.balance for spec in specs])
        self.row_of_expert = np.repeat(np.arange(len(specs)), np.diff(self.first_expert))
        self.row_of_unit = np.repeat(self.row_of_expert, np.diff(self.first_unit))

    def on(self, device: torch.device) -> dict[str, Tensor]:
        """The arrays as tensors on a device, by name."""
        return {name: constant.on(device) for name, constant in self._constants.items()}

    @cached_property
    def _constants(self) -> dict[str, Constant]:
        arrays = {name: values for name, values in vars(self).items() if isinstance(values, np.ndarray)}
        return {name: Constant(values) for name, values in arrays.items()}

    @property
    def experts(self) -> int:
        """G."""
        return int(self.first_expert[-1])

    @property
    def units(self) -> int:
        """U."""
        return int(self.first_unit[-1])


class StackedMixture(nn.Module):
    """R mixtures or dense layers of one width: `mixture.MixtureOfExperts` and `feed_forward.FeedForward`.

    Nothing is padded: experts of all rows lie one after the other, and so do their units.

    Args:
        width: W.
        specs: R rows.
    """

    def __init__(self, width: int, specs: Sequence[LayerSpec]) -> None:
        super().__init__()
        self.layout = Layout(specs)
        self.router = nn.Parameter(torch.zeros(self.layout.experts, width))
        self.up_weight = nn.Parameter(torch.zeros(self.layout.units, width))
        self.up_bias = nn.Parameter(torch.zeros(self.layout.units))
        self.down_weight = nn.Parameter(torch.zeros(self.layout.units, width))
        self.down_bias = nn.Parameter(torch.zeros(self.layout.experts, width))

    def forward(self, x_RBW: Tensor) -> tuple[Tensor, Tensor]:
        """(R, B, W) → (R, B, W), residual connections included, and weighted load-balancing losses (R,)."""
        function = MixtureKernel.apply if has_kernel(x_RBW) else mixture
        tensors = (self.router, self.up_weight, self.up_bias, self.down_weight, self.down_bias)
        return function(x_RBW, *tensors, self.layout)[:2]

    def predict(self, x_RBW: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """(R, B, W) → (R, B, W), as `forward`, and the gates (B, E) of each row that has a router."""
        tensors = (self.router, self.up_weight, self.up_bias, self.down_weight, self.down_bias)
        layout = self.layout
        if has_kernel(x_RBW):
            run = run_kernel(x_RBW, *tensors, layout)
            gates_BG = gates_of(torch.from_numpy(run.choice), torch.from_numpy(run.gate), layout.experts)
            y_RBW = torch.from_numpy(run.y)
            parts = gates_BG.split(np.diff(layout.first_expert).tolist(), 1)
        else:
            y_RBW, _, gates_RBE = mixture(x_RBW, *tensors, layout)
            parts = [gates[:, : len(spec.experts)] for gates, spec in zip(gates_RBE, layout.specs, strict=True)]
        return y_RBW, {
            row: part for row, (part, spec) in enumerate(zip(parts, layout.specs, strict=True)) if spec.top_k
        }

    def owned(self) -> list[tuple[nn.Parameter, np.ndarray]]:
        """Each parameter with the row that each of its own rows belongs to."""
        experts, units = self.layout.row_of_expert, self.layout.row_of_unit
        return [
            (self.router, experts),
            (self.up_weight, units),
            (self.up_bias, units),
            (self.down_weight, units),
            (self.down_bias, experts),
        ]

    def named(self, row: int) -> dict[str, Tensor]:
        """Views of a row's parameters, under their names in its plain network's state."""
        spec = self.layout.specs[row]
        first, stop = self.layout.first_expert[row : row + 2]
        own = slice(spec.width)
        views = {f"{spec.prefix}router.weight": self.router[first:stop, own]} if spec.top_k else {}
        for index, expert in enumerate(range(first, stop)):
            units = slice(*self.layout.first_unit[expert : expert + 2])
            prefix = spec.expert_prefix(index)
            views[f"{prefix}up.weight"] = self.up_weight[units, own]
            views[f"{prefix}up.bias"] = self.up_bias[units]
            views[f"{prefix}down.weight"] = self.down_weight[units, own].T
            views[f"{prefix}down.bias"] = self.down_bias[expert, own]
        return views


class MixtureKernel(torch.autograd.Function):
    """`mixture` on the CPU, by `kernel`."""

    @staticmethod
    def forward(
        ctx: Any,
        x_RBW: Tensor,
        router_GW: Tensor,
        up_UW: Tensor,
        up_U: Tensor,
        down_UW: Tensor,
        down_GW: Tensor,
        layout: Layout,
    ) -> tuple[Tensor, Tensor]:
        run = run_kernel(x_RBW, router_GW, up_UW, up_U, down_UW, down_GW, layout)
        ctx.layout = layout
        ctx.arrays, ctx.lists = run.arrays, run.lists
        return torch.from_numpy(run.y), torch.from_numpy(run.loss)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        dy_RBW, dloss_R = (gradient.contiguous().numpy() for gradient in gradients)
        layout = ctx.layout
        x, router, up, down, down_bias, probability, choice, gate, share = ctx.arrays
        count, example, slot, hidden, slope = ctx.lists
        dx = np.empty_like(x)
        drouter, dup, ddown, ddown_bias = (np.zeros_like(array) for array in (router, up, down, down_bias))
        dup_bias = np.zeros(layout.units, x.dtype)
        kernel.backward(
            dy_RBW, dloss_R, x, router, up, down, down_bias, probability, choice, gate, share,
            layout.first_expert, layout.first_unit, layout.top_k, layout.residual, layout.balance,
            count, example, slot, hidden, slope, dx, drouter, dup, dup_bias, ddown, ddown_bias,
        )  # fmt: skip
        return *map(torch.from_numpy, (dx, drouter, dup, dup_bias, ddown, ddown_bias)), None


class KernelRun(NamedTuple):
    """What a forward pass by `kernel` gives: outputs, losses, choices and gates, and what the backward pass needs."""

    y: np.ndarray
    loss: np.ndarray
    choice: np.ndarray
    gate: np.ndarray
    arrays: tuple[np.ndarray, ...]
    lists: tuple[np.ndarray, ...]


def run_kernel(
    x_RBW: Tensor,
    router_GW: Tensor,
    up_UW: Tensor,
    up_U: Tensor,
    down_UW: Tensor,
    down_GW: Tensor,
    layout: Layout,
) -> KernelRun:
    """A forward pass on the CPU."""
    x, router, up, up_bias, down, down_bias = (
        tensor.detach().contiguous().numpy() for tensor in (x_RBW, router_GW, up_UW, up_U, down_UW, down_GW)
    )
    rows, examples, _ = x.shape
    probability_BG = np.zeros((examples, layout.experts), x.dtype)
    choice_RBC = np.empty((rows, examples, 2), np.int64)
    gate_RBC = np.zeros((rows, examples, 2), x.dtype)
    share_G, loss_R = np.zeros(layout.experts, x.dtype), np.zeros(rows, x.dtype)
    kernel.route(
        x, router, layout.first_expert, layout.top_k, layout.balance,
        probability_BG, choice_RBC, gate_RBC, share_G, loss_R,
    )  # fmt: skip
    count_G = np.bincount(choice_RBC.ravel() + 1, minlength=layout.experts + 1)[1:]
    example_T, slot_T = np.empty((2, int(count_G.sum())), np.int64)
    hidden, slope = np.empty((2, int(count_G @ np.diff(layout.first_unit))), x.dtype)
    y_RBW = np.empty_like(x)
    kernel.forward(
        x, up, up_bias, down, down_bias, choice_RBC, gate_RBC, layout.first_expert, layout.first_unit,
        layout.activation, layout.residual, count_G, example_T, slot_T, hidden, slope, y_RBW,
    )  # fmt: skip
    arrays = (x, router, up, down, down_bias, probability_BG, choice_RBC, gate_RBC, share_G)
    return KernelRun(y_RBW, loss_R, choice_RBC, gate_RBC, arrays, (count_G, example_T, slot_T, hidden, slope))


def gates_of(choice_RBC: Tensor, gate_RBC: Tensor, experts: int) -> Tensor:
    """(B, G): the gates of all rows' experts side by side, of choices of these (-1: none) and their gates."""
    gates_BG = gate_RBC.new_zeros(choice_RBC.shape[1], experts + 1)
    places = torch.where(choice_RBC < 0, experts, choice_RBC)
    return gates_BG.scatter_(1, places.transpose(0, 1).flatten(1), gate_RBC.transpose(0, 1).flatten(1))[:, :experts]


def mixture(
    x_RBW: Tensor,
    router_GW: Tensor,
    up_UW: Tensor,
    up_U: Tensor,
    down_UW: Tensor,
    down_GW: Tensor,
    layout: Layout,
) -> tuple[Tensor, Tensor, Tensor]:
    """R mixtures in plain torch: rows padded to the largest, every expert on all examples, unchosen ones gated away.

    Returns:
        Outputs (R, B, W), weighted load-balancing losses (R,), and gates (R, B, E), 0 of experts that a row lacks.
    """
    device, rows = x_RBW.device, len(layout.specs)
    tensor = layout.on(device)
    expert_row, unit_row = tensor["row_of_expert"], tensor["row_of_unit"]
    expert_place = torch.arange(layout.experts, device=device) - tensor["first_expert"][expert_row]
    unit_place = torch.arange(layout.units, device=device) - tensor["first_unit"][tensor["first_expert"][unit_row]]
    counts = np.diff(layout.first_expert)
    most_experts, most_units = int(counts.max()), int(np.bincount(layout.row_of_unit).max())

    def padded(flat: Tensor, row: Tensor, place: Tensor, size: int) -> Tensor:
        return flat.new_zeros(rows, size, *flat.shape[1:]).index_put((row, place), flat)

    router_REW = padded(router_GW, expert_row, expert_place, most_experts)
    down_REW = padded(down_GW, expert_row, expert_place, most_experts)
    up_RHW, down_RHW = (padded(flat, unit_row, unit_place, most_units) for flat in (up_UW, down_UW))
    up_R1H = padded(up_U, unit_row, unit_place, most_units)[:, None]
    expert_of_unit = expert_place[torch.repeat_interleave(torch.diff(tensor["first_unit"]), output_size=layout.units)]
    unit_REH = x_RBW.new_zeros(rows, most_experts, most_units).index_put(
        (unit_row, expert_of_unit, unit_place), x_RBW.new_ones(layout.units)
    )

    absent_RE = torch.arange(most_experts, device=device) >= torch.diff(tensor["first_expert"])[:, None]
    scores_RBE = torch.bmm(x_RBW, router_REW.mT).masked_fill(absent_RE[:, None], -torch.inf)
    probabilities_RBE = scores_RBE.softmax(-1)
    two_R11 = (tensor["top_k"] == 2)[:, None, None]
    one_RBE = top_k_mask(scores_RBE, 1)
    chosen_RBE = torch.where(two_R11, top_k_mask(scores_RBE, 2), one_RBE) if most_experts > 1 else one_RBE
    gates_RBE = probabilities_RBE * chosen_RBE
    gates_RBE = torch.where(two_R11, gates_RBE / gates_RBE.sum(-1, keepdim=True), gates_RBE)
    share_RE = chosen_RBE.to(x_RBW.dtype).mean(1)
    share_RE = share_RE / share_RE.sum(-1, keepdim=True)
    weight_R = (tensor["balance"] * torch.diff(tensor["first_expert"])).to(x_RBW.dtype)
    loss_R = weight_R * (share_RE * probabilities_RBE.mean(1)).sum(-1)

    h_RBH = torch.baddbmm(up_R1H, x_RBW, up_RHW.mT)
    names = [spec.activation for spec in layout.specs]
    h_RBH = torch.cat([ACTIVATIONS[name](h_RBH[start:stop]) for name, start, stop in runs_of(names)])
    y_RBW = torch.bmm(gates_RBE, down_REW) + torch.bmm(h_RBH * torch.bmm(gates_RBE, unit_REH), down_RHW)
    return y_RBW + x_RBW * tensor["residual"][:, None, None].to(x_RBW.dtype), loss_R, gates_RBE
