"""JEI-DNN: exits whose gates are learnt together with their heads, against thresholds of confidence.

Axes: B examples, L exits, C classes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.data.letters import Letters
from evaluators.data.split import Part, Split
from evaluators.scores import Judged, calibration_error
from qd.training import TrainingOptions, build_seeded, minibatches, train_alone
from search_spaces.shelf import FeedForward
from search_spaces.shelf.feed_forward import Normalised

from . import Claim, Found, Numbers, difference, tensors

DATA = Letters(split=Split(train=8000, validation=4000))
TRUNK = TrainingOptions(6, 50, learning_rate=0.002)
WIDTH, BLOCKS, CLASSES = 32, 6, 26
BATCH, EPOCHS, WARM_UP, PATIENCE, PHASE = 64, 15, 20, 2, 200
RATE, DECAY, MOMENTUM = 0.01, 5e-4, 0.9
LAMBDAS = (0.01, 0.1, 0.3, 0.7, 2.0, 7.0)
THRESHOLDS = (*np.linspace(0.1, 0.95, 18), 0.97, 0.98, 0.99, 0.995, 0.999, 1.01)
COSTS = (0.22, 0.26, 0.3)
"""Shares of the full network's multiply-adds at which both are compared: those that learnt gates choose."""
LARGEST_WEIGHT = 5.0


class Trunk(nn.Module):
    """A stem and blocks; all states on the way are asked for once the trunk is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Flatten(), nn.Linear(16, WIDTH))
        self.blocks = nn.ModuleList(Normalised(WIDTH, FeedForward(WIDTH, 2 * WIDTH, "relu")) for _ in range(BLOCKS))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.states(x)[-1])

    def states(self, x: Tensor) -> list[Tensor]:
        """(B, WIDTH) after every block."""
        found = [self.stem(x)]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found[1:]


class Frozen(NamedTuple):
    """States after every block, and classes, of the parts of the data."""

    train: tuple[list[Tensor], Tensor]
    validation: tuple[list[Tensor], Tensor]
    test: tuple[list[Tensor], Tensor]


class Exits(nn.Module):
    """A head after every block, and a gate for each but the last."""

    def __init__(self) -> None:
        super().__init__()
        heads = [nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)) for _ in range(BLOCKS)]
        self.heads = nn.ModuleList(heads)
        self.gates = nn.ModuleList(nn.Linear(4, 1) for _ in range(BLOCKS - 1))

    def scores(self, states: list[Tensor]) -> Tensor:
        """(B, L, C)."""
        return torch.stack([head(state) for head, state in zip(self.heads, states, strict=True)], 1)

    def gates_of(self, scores_BLC: Tensor) -> Tensor:
        """Logits of all exits but the last, (B, L - 1)."""
        seen = uncertainty(scores_BLC[:, :-1].detach())
        return torch.cat([gate(seen[:, exit]) for exit, gate in enumerate(self.gates)], 1)


def costs() -> Tensor:
    """(L,) multiply-adds up to each exit, with the heads on the way, as shares of those of the last."""
    macs = 16 * WIDTH + torch.arange(1, BLOCKS + 1) * (2 * WIDTH * 2 * WIDTH + WIDTH * CLASSES)
    return macs / macs[-1]


def uncertainty(scores: Tensor) -> Tensor:
    """What a gate sees: largest probability, entropy, margin of the top two, entropy of squared probabilities."""
    p = scores.softmax(-1)
    squared = p.square() / p.square().sum(-1, keepdim=True)
    first, second = p.topk(2, -1).values.unbind(-1)
    return torch.stack([first, entropy(p), first - second, entropy(squared)], -1)


def entropy(p: Tensor) -> Tensor:
    """In nats, over the last axis."""
    return -torch.xlogy(p, p).sum(-1)


def probabilities(logits_BL: Tensor) -> Tensor:
    """Of leaving at each exit, (B, L): its gate's, or what the exits before have left; the last takes the rest."""
    found: list[Tensor] = []
    left = torch.ones(len(logits_BL))
    for gate in logits_BL.sigmoid().unbind(1):
        found.append(torch.minimum(gate, left))
        left = left - found[-1]
    return torch.stack([*found, left], 1)


def first_where(leaves_BL: Tensor) -> Tensor:
    """(B,) the first exit that is taken; the last where none is."""
    always = torch.ones(len(leaves_BL), 1, dtype=torch.bool)
    return torch.cat([leaves_BL, always], 1).int().argmax(1)


def losses(scores_BLC: Tensor, targets_B: Tensor) -> Tensor:
    """(B, L) cross-entropies."""
    return nn.functional.cross_entropy(
        scores_BLC.transpose(1, 2), targets_B[:, None].expand(-1, BLOCKS), reduction="none"
    )


@cache
def frozen(seed: int) -> Frozen:
    """Train a trunk, and run all data through it."""
    trunk = cast(Trunk, build_seeded(Trunk, seed))
    train_alone(trunk, *tensors(DATA, Part.TRAIN), TRUNK, "cross_entropy", seed)
    found = []
    with torch.no_grad():
        for part in (Part.TRAIN, Part.VALIDATION, Part.TEST):
            inputs, targets = tensors(DATA, part)
            found.append((trunk.eval().states(inputs), targets))
    return Frozen(*found)


def batches(data: tuple[list[Tensor], Tensor], steps: int, seed: int) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Minibatches of states and classes."""
    states, targets = data
    for rows in minibatches(len(targets), BATCH, steps, seed):
        yield [state[rows] for state in states], targets[rows]


def warmed(seed: int) -> Exits:
    """Heads alone, early ones weighing more, until none has improved on validation examples for `PATIENCE` epochs."""
    data = frozen(seed)
    exits = cast(Exits, build_seeded(Exits, seed))
    optimiser = torch.optim.SGD(exits.heads.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    weights = torch.arange(BLOCKS, 0, -1)
    best, waited = torch.full((BLOCKS,), torch.inf), 0
    for epoch in range(WARM_UP):
        for states, targets in batches(data.train, len(data.train[1]) // BATCH, 1000 * seed + epoch):
            optimiser.zero_grad()
            (losses(exits.scores(states), targets).mean(0) * weights).sum().backward()
            optimiser.step()
        with torch.no_grad():
            now = losses(exits.scores(data.validation[0]), data.validation[1]).mean(0)
        waited = 0 if (now < best).any() else waited + 1
        best = torch.minimum(best, now)
        if waited == PATIENCE:
            break
    return exits


def joint(exits: Exits, price: float, seed: int) -> Exits:
    """Gates and heads in turns, `PHASE` batches each, gates first."""
    data, cost_L = frozen(seed), costs()
    heads = torch.optim.SGD(exits.heads.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    gates = torch.optim.SGD(exits.gates.parameters(), RATE, MOMENTUM, weight_decay=DECAY)

    def wanted(scores_BLC: Tensor, targets_B: Tensor) -> Tensor:
        """Labels of gates, (B, L - 1): 1 from the exit on that costs least."""
        best_B = (losses(scores_BLC, targets_B) + price * cost_L).argmin(1)
        return (torch.arange(BLOCKS - 1) >= best_B[:, None]).float()

    weight_L = torch.ones(BLOCKS - 1)
    steps = EPOCHS * (len(data.train[1]) // BATCH)
    for step, (states, targets) in enumerate(batches(data.train, steps, 1000 * seed + 500)):
        gating = step // PHASE % 2 == 0
        if gating and step % PHASE == 0:
            with torch.no_grad():
                ones_L = wanted(exits.scores(data.validation[0]), data.validation[1]).mean(0)
            weight_L = ((1 - ones_L) / ones_L.clamp(min=1e-6)).clamp(max=LARGEST_WEIGHT)
        scores_BLC = exits.scores(states)
        logits_BL = exits.gates_of(scores_BLC)
        if gating:
            labels = wanted(scores_BLC.detach(), targets)
            loss = nn.functional.binary_cross_entropy_with_logits(logits_BL, labels, pos_weight=weight_L)
        else:
            each_BL = losses(scores_BLC, targets)
            weighted_BL = probabilities(logits_BL.detach()) * each_BL
            loss = weighted_BL.sum() * (each_BL.sum() / weighted_BL.sum()).detach() / len(targets)
        optimiser = gates if gating else heads
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return exits


def longer(exits: Exits, seed: int) -> Exits:
    """Heads alone for as many batches as `joint` takes of them."""
    data = frozen(seed)
    optimiser = torch.optim.SGD(exits.heads.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    for states, targets in batches(data.train, EPOCHS * (len(data.train[1]) // BATCH), 1000 * seed + 500):
        optimiser.zero_grad()
        losses(exits.scores(states), targets).mean(0).sum().backward()
        optimiser.step()
    return exits


Point = tuple[float, float, float]
"""Cost, accuracy, and calibration error."""


def point(scores_BLC: Tensor, targets_B: Tensor, exit_B: Tensor) -> Point:
    """Of a way to choose exits."""
    chosen = scores_BLC[torch.arange(len(exit_B)), exit_B]
    accuracy = float((chosen.argmax(1) == targets_B).double().mean())
    error = float(calibration_error(Judged(chosen[None], targets_B)))
    return float(costs()[exit_B].double().mean()), 100 * accuracy, 100 * error


@torch.no_grad()
def at_gates(exits: Exits, data: tuple[list[Tensor], Tensor]) -> Point:
    """Exits by gates: the first whose probability, given that none before was taken, is at least a half."""
    scores_BLC = exits.scores(data[0])
    p_BL = probabilities(exits.gates_of(scores_BLC))
    left_BL = 1 - p_BL.cumsum(1) + p_BL
    return point(scores_BLC, data[1], first_where((p_BL >= 0.5 * left_BL.clamp(min=1e-6))[:, :-1]))


@torch.no_grad()
def at_thresholds(exits: Exits, data: tuple[list[Tensor], Tensor]) -> list[Point]:
    """Exits by confidence: the first whose largest probability reaches a threshold."""
    scores_BLC = exits.scores(data[0])
    confidence_BL = scores_BLC[:, :-1].softmax(-1).amax(-1)
    return [point(scores_BLC, data[1], first_where(confidence_BL >= one)) for one in THRESHOLDS]


def between(points: list[Point]) -> Numbers:
    """Accuracy and calibration error at given costs, between the points that were measured."""
    ordered = np.array(sorted(points))
    found = {f"accuracy at {cost:.0%}": float(np.interp(cost, ordered[:, 0], ordered[:, 1])) for cost in COSTS}
    error = [float(np.interp(cost, ordered[:, 0], ordered[:, 2])) for cost in COSTS]
    return {**found, "mean accuracy": statistics.mean(found.values()), "mean calibration error": statistics.mean(error)}


def learnt(seed: int) -> Numbers:
    """One training for each price of compute."""
    return between([at_gates(joint(warmed(seed), price, seed), frozen(seed).test) for price in LAMBDAS])


def thresholds(train: Callable[[Exits, int], Exits]) -> Callable[[int], Numbers]:
    """Heads without gates."""
    return lambda seed: between(at_thresholds(train(warmed(seed), seed), frozen(seed).test))


def verdict(found: Found) -> tuple[str, str]:
    """Holds: more accurate than thresholds at equal cost by two standard errors, and no worse calibrated."""
    lead, error = difference(found, "learnt gates", "thresholds", "mean accuracy")
    gap, slack = difference(found, "learnt gates", "thresholds", "mean calibration error")
    short, doubt = difference(found, "learnt gates", "thresholds, heads of the warm-up", "mean accuracy")
    why = (
        f"At {', '.join(f'{cost:.0%}' for cost in COSTS)} of the full network's multiply-adds learnt gates are on"
        f" average {lead:+.2f} ± {error:.2f} points of accuracy from thresholds on heads that were trained as long, and"
        f" {short:+.2f} ± {doubt:.2f} from thresholds on the heads of the warm-up; their calibration error differs by"
        f" {gap:+.2f} ± {slack:.2f} points. Holds: above by two standard errors, and no worse calibrated by two."
    )
    if lead < -2 * error or gap > 2 * slack:
        return "does not hold", why
    return ("holds" if lead > 2 * error else "undecided"), why


CLAIM = Claim(
    system="JEI-DNN (Chataoui et al., arXiv 2310.09163)",
    claim=(
        "Gates that are trained together with the heads of exits, on a frozen trunk, answer more accurately than"
        " thresholds of confidence at equal cost, and are better calibrated."
    ),
    test=(
        f"Letters, 8,000 training and 4,000 validation examples, the 4,000 of the test: a trunk of {BLOCKS}"
        f" residual feed-forward blocks of {WIDTH} units is trained for 6 epochs and frozen; after each block a norm, a"
        " linear head and a gate on four numbers of uncertainty. Warm-up of the heads, then gates and heads in turns of"
        f" {PHASE} batches for {EPOCHS} epochs, once for each of {len(LAMBDAS)} prices of compute from 0.01 to 7."
        " Controls: the same warm-up and thresholds of the largest probability, with heads trained as long, or no"
        " longer. Accuracy at equal cost lies between the points measured. Deviations: vectors, not the class tokens of"
        " a large transformer; the heads' turns are batches of all heads at once."
    ),
    arms={
        "learnt gates": learnt,
        "thresholds": thresholds(longer),
        "thresholds, heads of the warm-up": thresholds(lambda exits, seed: exits),
    },
    verdict=verdict,
    seeds=3,
    digits=2,
)
