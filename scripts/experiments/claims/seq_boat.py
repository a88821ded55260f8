"""Does a gate ask for attention at some steps only, at the accuracy of attention everywhere?"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from evaluators.data.human_activity import HumanActivity
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces import Genotype
from search_spaces.chain import Chain
from search_spaces.shelf.base import Port
from search_spaces.shelf.seq_boat import SeqBoat, SeqBoatLayer

from . import Claim, Found, Numbers, difference, mean, trained

GENES = {
    "states": 8,
    "queries": 16,
    "values": 1,
    "window": 16,
    "temperature": 0.5,
    "weights": "softmax",
    "bias": "learnt",
}
DATA = HumanActivity(split=Split(train=960))
TRAINING = TrainingOptions(epochs=6, batch_size=32, learning_rate=0.004)


class Fixed(SeqBoatLayer):
    """Gates that are 1 at every `stride`-th step, and else 0; never with None."""

    stride: int | None = 1

    def gates(self, scores_BT2: Tensor) -> Tensor:
        on_T = torch.zeros(scores_BT2.shape[1], dtype=scores_BT2.dtype, device=scores_BT2.device)
        if self.stride:
            on_T[:: self.stride] = 1
        return torch.stack([on_T, 1 - on_T], -1).expand_as(scores_BT2)


class Everywhere(SeqBoat):
    """Attention at all steps."""

    stride: ClassVar[int | None] = 1

    def build(self, genes: Genotype, port: Port) -> Any:
        network: Any = super().build(genes, port)
        network.__class__ = Fixed
        network.stride = self.stride
        return network


class EverySecond(Everywhere):
    """Attention at every second step."""

    stride = 2


class AveragesAlone(Everywhere):
    """No attention."""

    stride = None


ARMS = {
    "learnt gate": SeqBoat(),
    "attention everywhere": Everywhere(),
    "every second step": EverySecond(),
    "averages alone": AveragesAlone(),
}


def _arm(module: SeqBoat) -> Any:
    space = Chain("tokens", (module,), width=(32,), depth=(1, 2), patch=4)
    genotype = {"width": 32, "positions": "none", "layers": [{"kind": module.name, **GENES}] * 2}

    def measure(seed: int) -> Numbers:
        (found,) = trained(space, [genotype], DATA, TRAINING, seed)
        return {"accuracy": found["val_accuracy"], "active share": found["active_share"], "MACs": found["macs"]}

    return measure


def _verdict(found: Found) -> tuple[str, str]:
    lost, error = difference(found, "learnt gate", "attention everywhere", "accuracy")
    needed, unsure = difference(found, "attention everywhere", "averages alone", "accuracy")
    fixed, doubt = difference(found, "learnt gate", "every second step", "accuracy")
    share = mean(found, "learnt gate", "active share")
    why = (
        f"the share of active steps is {share:.2f}; accuracy differs by {lost:+.3f} ± {error:.3f} (standard error) from"
        f" attention everywhere, by {fixed:+.3f} ± {doubt:.3f} from every second step; attention everywhere adds"
        f" {needed:+.3f} ± {unsure:.3f} to averages alone."
    )
    if share > 0.95 or lost < -2 * error:
        return "does not hold", f"Most steps ask for attention, or fewer cost accuracy: {why}"
    if needed <= 2 * unsure:
        return "undecided", f"Attention adds nothing here that a gate could lose: {why}"
    return "holds", f"Fewer steps attend at no measurable loss: {why}"


CLAIM = Claim(
    "SeqBoat (arXiv 2306.11197)",
    "A learnt gate runs attention at a part of the steps alone, at the accuracy of attention everywhere.",
    "Human activity (960 windows of training persons, cut into 32 steps), two layers of width 32, 180 updates, accuracy"
    " on other persons. All arms have the same layers and parameters; gates are learnt, 1 everywhere, 1 at every second"
    " step, or 0. The verdict asks for an active share of at most 0.95, no loss beyond two standard errors, and that"
    " attention everywhere beats none by more than these. The paper's tasks are far longer (1,000 to 16,000 steps).",
    {name: _arm(module) for name, module in ARMS.items()},
    _verdict,
    seeds=4,
)
