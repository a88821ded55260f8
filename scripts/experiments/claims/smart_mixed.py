"""SmartMixed: units that choose their activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.data.mnist import MNIST
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.shelf.mixed_activations import ACTIVATIONS, MixedFeedForward

from . import Claim, Found, Numbers, difference, mean, tensors

WIDTH, HIDDEN = 32, 64
OPTIONS = TrainingOptions(6, 100, learning_rate=0.003)
SINGLE = tuple(function.__name__ for function in ACTIVATIONS)


@cache
def images(part: Part) -> tuple[Tensor, Tensor]:
    """MNIST."""
    return tensors(MNIST(split=Split(train=3000)), part)


def network() -> nn.Module:
    """A linear map, two layers whose units choose, and another."""
    layers = [MixedFeedForward(WIDTH, HIDDEN, 0.5) for _ in range(2)]
    return nn.Sequential(nn.Flatten(), nn.Linear(784, WIDTH), *layers, nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10))


def arm(kept: Callable[[int], Tensor] | None) -> Callable[[int], Numbers]:
    """Networks with given activations from the start, a number for each unit of a layer; None: units choose."""

    def measure(seed: int) -> Numbers:
        net = build_seeded(network, seed)
        for number, layer in enumerate(part for part in net.children() if isinstance(part, MixedFeedForward)):
            if kept is not None:
                layer.kept.scatter_(0, kept(2 * seed + number)[None], 1)
                layer.choosing = 2.0  # never ends
        train_alone(net, *images(Part.TRAIN), OPTIONS, "cross_entropy", seed)
        inputs, targets = images(Part.TEST)
        with torch.no_grad():
            return {"accuracy": 100 * float((net(inputs).argmax(1) == targets).float().mean())}

    return measure


def at_random(seed: int) -> Tensor:
    """An activation for each unit."""
    return torch.randint(len(ACTIVATIONS), (HIDDEN,), generator=torch.Generator().manual_seed(seed))


def verdict(found: Found) -> tuple[str, str]:
    """Above random activations, and not below the best single one, by 2 standard errors each."""
    best = max(SINGLE, key=lambda name: mean(found, name, "accuracy"))
    over, error = difference(found, "chosen", "at random", "accuracy")
    lead, slack = difference(found, "chosen", best, "accuracy")
    why = (
        f"Chosen activations tell {mean(found, 'chosen', 'accuracy'):.2f}%: {over:+.2f} ± {error:.2f} points against"
        f" random ones, {lead:+.2f} ± {slack:.2f} against {best} alone, the best of the six."
    )
    if over < -2 * error or lead < -2 * slack:
        return "does not hold", why
    return ("holds" if over > 2 * error else "undecided"), why


CLAIM = Claim(
    system="SmartMixed (Omidvar, arXiv 2510.22450)",
    claim=(
        "Units that choose among six activations, and then keep them, make an accurate network (98.03% on MNIST): the"
        " choice is worth something, and no single activation for all is better."
    ),
    test=(
        "MNIST, 3,000 training examples, 6 epochs, the 10,000 of the test. A linear map to 32, two feed-forward layers"
        " of 64 hidden units with residual connections, and another. Units choose over the first half of the training."
        " Controls are the same network with activations fixed from the start: at random, or one for all. The paper's"
        " network, its schedule, and what it is compared with are not verified."
    ),
    arms={
        "chosen": arm(None),
        "at random": arm(at_random),
        **{name: arm(lambda seed, row=row: torch.full((HIDDEN,), row)) for row, name in enumerate(SINGLE)},
    },
    verdict=verdict,
    seeds=4,
    digits=2,
)
