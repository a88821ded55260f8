"""A mixture of experts with a top-k router.

Axes: B examples, or rows of any more axes, such as the steps of examples; E experts, W width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..feed_forward import FeedForward


def top_k_indices(scores_BE: Tensor, k: int) -> Tensor:
    """The k largest scores of each row, the largest first; among equal scores the lowest index wins.

    `torch.topk` leaves the order of equal scores open, and rows do tie: where every unit that the router reads is
    silent, all scores are equal. A network and its padded twin must choose alike even then.

    Args:
        scores_BE: (..., E) finite floats.
        k: in [1, E].

    Returns:
        (..., k) int64.
    """
    scores_BE, found = scores_BE.detach(), []
    for _ in range(k):
        found.append(scores_BE.argmax(-1, keepdim=True))  # documented to return the first of several maxima
        scores_BE = scores_BE.scatter(-1, found[-1], -torch.inf)
    return torch.cat(found, -1)


def top_k_mask(scores_BE: Tensor, k: int) -> Tensor:
    """`top_k_indices` as marks: (..., E) bool, k true in each row."""
    return torch.zeros_like(scores_BE, dtype=torch.bool).scatter(-1, top_k_indices(scores_BE, k), True)


def load_balance(probabilities_BE: Tensor, chosen_BE: Tensor) -> Tensor:
    """The load-balancing loss of Switch Transformers (Fedus et al., arXiv 2101.03961, equation 4).

    E · Σ_e (share of choices that went to e) · (mean probability of e): 1 where all experts are used equally, up to E.
    The shares are constants to the gradient. Deviation: with top-k choices they are shares of all k·B choices.

    Args:
        probabilities_BE: (..., E) in [0, 1], rows sum to 1; all axes but the last hold examples.
        chosen_BE: (..., E) bool.

    Returns:
        A scalar in (0, E].
    """
    share_E = chosen_BE.to(probabilities_BE.dtype).flatten(0, -2).mean(0)
    return probabilities_BE.shape[-1] * (share_E / share_E.sum() * probabilities_BE.flatten(0, -2).mean(0)).sum()


def active_share(gates_BE: Tensor, sizes: Sequence[int]) -> Tensor:
    """The share of hidden units that run, on average: a scalar.

    Args:
        gates_BE: above 0 for the chosen experts.
        sizes: hidden units of each expert.
    """
    return ((gates_BE > 0).to(gates_BE.dtype) @ gates_BE.new_tensor(sizes)).mean() / sum(sizes)


class MixtureOfExperts(nn.Module):
    """Feed-forward experts of different sizes, of which a router chooses `top_k` for each example, or step of one.

    The output is the sum of the chosen experts' outputs, each times its gate. Gates are the router's probabilities
    (softmax over all experts): as they are for a single choice, so that the router has a gradient (Switch Transformers,
    arXiv 2101.03961), and normalised over the chosen experts for several (GShard, Lepikhin et al., arXiv 2006.16668).
    Deviations from both: no noise, no capacity limit, no dropped examples.

    Every expert runs on every example and is multiplied by 0 where it was not chosen: an expert that no example chose
    then has a gradient of zero rather than none, and optimisers treat it like any other.

    Args:
        width: W, units in and out.
        experts: hidden units of each expert.
        top_k: experts for each example, in [1, E].
        activation: one of `feed_forward.ACTIVATIONS`.
        balance: weight of the load-balancing loss.

    Attributes:
        auxiliary_loss: after a forward pass in training mode the weighted load-balancing loss of that batch, which the
            trainer adds to the task's loss; None in evaluation mode.
    """

    auxiliary_loss: Tensor | None

    def __init__(self, width: int, experts: Sequence[int], top_k: int, activation: str, balance: float) -> None:
        super().__init__()
        self.router = nn.Linear(width, len(experts), bias=False)
        self.experts = nn.ModuleList(FeedForward(width, hidden, activation) for hidden in experts)
        self.top_k = top_k
        self.balance = balance
        self.auxiliary_loss = None

    def route(self, x_BW: Tensor) -> Tensor:
        """Return the gates: (B, E), or (B·T, E) of steps, in [0, 1]; above 0 for the chosen experts alone."""
        return self._gate(*self._choose(x_BW)).flatten(0, -2)

    def forward(self, x_BW: Tensor) -> Tensor:
        probabilities_BE, chosen_BE = self._choose(x_BW)
        self.auxiliary_loss = self.balance * load_balance(probabilities_BE, chosen_BE) if self.training else None
        gates_BE = self._gate(probabilities_BE, chosen_BE)
        output_BW = torch.zeros_like(x_BW)
        for gate_B1, expert in zip(gates_BE.split(1, dim=-1), self.experts, strict=True):
            output_BW = torch.addcmul(output_BW, gate_B1, expert(x_BW))
        return output_BW

    def _choose(self, x_BW: Tensor) -> tuple[Tensor, Tensor]:
        scores_BE = self.router(x_BW)
        return scores_BE.softmax(-1), top_k_mask(scores_BE, self.top_k)

    def _gate(self, probabilities_BE: Tensor, chosen_BE: Tensor) -> Tensor:
        gates_BE = probabilities_BE * chosen_BE
        return gates_BE if self.top_k == 1 else gates_BE / gates_BE.sum(-1, keepdim=True)

    def extra_repr(self) -> str:
        return f"top_k={self.top_k}, balance={self.balance:g}"
