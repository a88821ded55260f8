"""A network of `routed`: stem, fixed blocks, steps through one pool of modules, head.

Axes: B examples, T steps of time ("tokens"), W width, M modules of the pool, E = M + k choices of a router, S steps
through the pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..shelf import top_k_mask
from ..shelf.packing import pack, unpack
from .paths import Paths

RATE = 0.001
"""What the preference for identity modules changes by after each minibatch, at least (not verified)."""


class RoutedNetwork(nn.Module):
    """(B, *task.input_shape) to (B, *task.output_shape).

    Args:
        stem: gives (B, T, W).
        fixed: modules that all tokens pass, in this order.
        pool: M modules, each with a residual connection, built with a causal port.
        steps: S.
        width: W.
        top_k: k, modules that a token is sent to in a step.
        skip: ρ, the wanted share of choices that fall on identity modules, in [0, 1].
        head: takes (B, T, W) and the network's own inputs.
    """

    def __init__(
        self,
        stem: nn.Module,
        fixed: Sequence[nn.Module],
        pool: Sequence[nn.Module],
        steps: int,
        width: int,
        top_k: int,
        skip: float,
        head: nn.Module,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.fixed = nn.ModuleList(fixed)
        self.pool = nn.ModuleList(pool)
        self.steps = nn.ModuleList(Step(pool, width, top_k, skip) for _ in range(steps))
        self.paths = Paths()
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        x_BTW = self.stem(inputs)
        for block in self.fixed:
            x_BTW = block(x_BTW)
        ways: list[Tensor] = []
        for step in self.steps:
            x_BTW, chosen_BTM = step(x_BTW)
            ways.append(chosen_BTM)
        return self.head(self.paths(x_BTW, torch.stack(ways, -2)), inputs)


class Step(nn.Module):
    """Every token goes to k of M modules and k identity modules: (B, T, W) to itself; a `RoutedModule`.

    A linear router without bias gives p = softmax(Rx). A token chooses the k largest of p + b, where b is above or
    below 0 for identity modules alone, and not part of the gradient. It becomes (1/k) Σ (x + k p_m (m(x) - x)) over
    the chosen m, which is x + Σ p_m (m(x) - x); where m is an identity module nothing is added.

    Attributes:
        experts: what each module adds, and after these k identity modules, which add nothing.
    """

    preference: Tensor

    def __init__(self, pool: Sequence[nn.Module], width: int, top_k: int, skip: float) -> None:
        super().__init__()
        self.router = nn.Linear(width, len(pool) + top_k, bias=False)
        self.experts = nn.ModuleList([*map(Branch, pool), *(Nothing() for _ in range(top_k))])
        self.register_buffer("preference", torch.zeros(top_k))
        self.modules_of_pool, self.top_k, self.skip = len(pool), top_k, skip
        self._skipped: Tensor | None = None

    def forward(self, x_BTW: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (B, T, W), and where each token went: (B, T, M) bool, none true in a row that skipped."""
        p_BTE, chosen_BTE = self._choose(x_BTW)
        gates_BTE = p_BTE * chosen_BTE
        output_BTW = x_BTW
        for number in range(self.modules_of_pool):
            packed_BTW, place_BT = pack(x_BTW, chosen_BTE[..., number])
            added_BTW = unpack(self.experts[number](packed_BTW), place_BT)
            output_BTW = torch.addcmul(output_BTW, gates_BTE[..., number, None], added_BTW)
        went_BTM, skipped_BTk = chosen_BTE.split([self.modules_of_pool, self.top_k], -1)
        self._skipped = skipped_BTk if self.training else None
        return output_BTW, went_BTM

    def route(self, x_BTW: Tensor) -> Tensor:
        """The gates (B·T, E): the router's probabilities of what is chosen, 0 of all else."""
        p_BTE, chosen_BTE = self._choose(x_BTW)
        return (p_BTE * chosen_BTE).flatten(0, 1)

    @torch.no_grad()
    def after_step(self, step: int, steps: int) -> None:
        """Prefer identity modules more where fewer than wanted chose them in the last minibatch, else less.

        Deviation: in fewer than 1,000 steps by so much each time that a preference can come to span a probability, 1.
        """
        assert self._skipped is not None
        picks = self._skipped[..., 0].numel() * self.top_k
        wanted = self.skip / self.top_k * picks
        self.preference += max(RATE, 1 / steps) * torch.sign(wanted - self._skipped.sum((0, 1)))

    def observe(self, x_BTW: Tensor) -> dict[str, Tensor]:
        """Of the choices, the share that skips; and how undecided the router is, as a share of log E."""
        p_BTE, chosen_BTE = self._choose(x_BTW)
        skipped = chosen_BTE[..., self.modules_of_pool :].sum(-1).to(p_BTE.dtype).mean() / self.top_k
        entropy_BT = torch.special.entr(p_BTE).sum(-1)
        return {"skipped_share": skipped, "routing_entropy": entropy_BT.mean() / torch.tensor(p_BTE.shape[-1]).log()}

    def _choose(self, x_BTW: Tensor) -> tuple[Tensor, Tensor]:
        p_BTE = self.router(x_BTW).softmax(-1)
        of_modules_BTM, of_skips_BTk = p_BTE.split([self.modules_of_pool, self.top_k], -1)
        scores_BTE = torch.cat([of_modules_BTM, of_skips_BTk + self.preference], -1)
        return p_BTE, top_k_mask(scores_BTE.detach(), self.top_k)


class Branch(nn.Module):
    """What a module adds to what it is given, in one step: the part of the module that an expert is.

    Several steps share a module; each has a branch of its own, so that its use is counted there. The module's
    parameters are the pool's in a state, and in `parameters` of every branch.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._shared = (module,)  # in a tuple, so that it is registered in the pool alone

    def forward(self, x_BTW: Tensor) -> Tensor:
        return self._shared[0](x_BTW) - x_BTW

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Those of the module."""
        return self._shared[0].parameters(recurse)


class Nothing(nn.Module):
    """What an identity module adds."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)
