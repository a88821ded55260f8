"""SortedNet and SoFT: one network of which every prefix is a network too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.data.letters import Letters
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded
from qd.training.bank import Bank, places_of
from qd.training.supernet import BankOptions, Draw, train_bank
from search_spaces import Choice, Genotype, SearchSpace, Struct, Task
from search_spaces.shelf import FeedForward
from search_spaces.shelf.feed_forward import Normalised

from . import Claim, Found, Numbers, difference, mean, tensors

DATA = Letters(split=Split(train=4000, validation=4000))
OPTIONS = TrainingOptions(1, 50, learning_rate=0.002)
WIDTHS, DEPTHS = (16, 32, 48, 64), (1, 2, 3, 4)
MICRO_STEPS = 4
"""Sub-models whose gradients add up to an update."""
EPOCHS = 16
ENOUGH = 0.96


class Nested(SearchSpace):
    """The first layers and the first units of one network."""

    genes = Struct(width=Choice(*WIDTHS), depth=Choice(*DEPTHS))

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        width = genotype["width"]
        layers = [Normalised(width, FeedForward(width, 2 * width, "relu")) for _ in range(genotype["depth"])]
        head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, task.outputs))
        parts = {"stem": nn.Linear(task.input_shape[0], width), "layers": nn.Sequential(*layers), "head": head}
        network = nn.Sequential(nn.Flatten())
        for name, part in parts.items():
            network.add_module(name, part)
        return network


SPACE = Nested()
SIZES: list[Genotype] = [{"width": width, "depth": depth} for width, depth in product(WIDTHS, DEPTHS)]
FULL = SIZES[-1]


@cache
def images(part: Part) -> tuple[Tensor, Tensor]:
    """Of a part of the data."""
    return tensors(DATA, part)


def trained(draw: Draw, epochs: int, seed: int) -> Bank:
    """A bank trained by what `draw` gives in each step."""
    bank = Bank()
    full = build_seeded(lambda: SPACE.build(FULL, DATA.task), seed)
    bank.grow(full, places_of(full))
    options = BankOptions(epochs, keep=1, seed=seed)
    train_bank(bank, SPACE, DATA.task, *images(Part.TRAIN), OPTIONS, options, draw)
    return bank


def accuracy(bank: Bank, size: Genotype) -> float:
    """Of a sub-model on the validation split."""
    network = build_seeded(lambda: SPACE.build(size, DATA.task), 0)
    bank.inherit(network)
    inputs, targets = images(Part.VALIDATION)
    with torch.no_grad():
        return 100 * float((network.eval()(inputs).argmax(1) == targets).double().mean())


def numbers(bank_of: Callable[[Genotype], Bank], sizes: Sequence[Genotype] = SIZES) -> Numbers:
    """The full network, and its sub-models as shares of it."""
    found = {(one["width"], one["depth"]): accuracy(bank_of(one), one) for one in sizes}
    full = found[FULL["width"], FULL["depth"]]
    depths = [value for (width, _), value in found.items() if width == FULL["width"]]
    large = [
        value for (width, depth), value in found.items() if 2 * width >= FULL["width"] and 2 * depth >= FULL["depth"]
    ]
    enough = [value >= ENOUGH * full for value in found.values()]
    return {
        "full": full,
        "mean of all": float(np.mean(list(found.values()))),
        "worst, % of full": 100 * min(found.values()) / full,
        "worst from half the units and layers on": 100 * min(large) / full,
        "worst by depth alone": 100 * min(depths) / full,
        "reach 96%": sum(enough),
    }


def uniform(rng: np.random.Generator) -> list[Genotype]:
    """SortedNet: sub-models of each micro-step at random."""
    return [SIZES[int(rng.integers(len(SIZES)))] for _ in range(MICRO_STEPS)]


def every_depth(rng: np.random.Generator) -> list[Genotype]:
    """SoFT: an exit after each layer, with the same norm and head; the mean of their losses."""
    return [{"width": WIDTHS[-1], "depth": depth} for depth in DEPTHS]


def shared(draw: Draw, epochs: int) -> Callable[[int], Numbers]:
    """One bank for all sizes."""

    def measure(seed: int) -> Numbers:
        bank = trained(draw, epochs, seed)
        return numbers(lambda size: bank)

    return measure


def alone(seed: int) -> Numbers:
    """Each size by itself, the micro-steps of all together as many as those of the bank: each a 16th of them."""
    epochs = EPOCHS * MICRO_STEPS // len(SIZES)
    return numbers(lambda size: trained(lambda rng: [size], epochs, seed))


def verdict(found: Found) -> tuple[str, str]:
    """Holds: every sub-model reaches 96% of the full one, and on average they are above cut ones by two errors."""
    share, cut = (mean(found, arm, "worst, % of full") for arm in ("nested", "full, then cut"))
    half, many = (mean(found, "nested", key) for key in ("worst from half the units and layers on", "reach 96%"))
    soft, by_depth = (mean(found, arm, "worst by depth alone") for arm in ("exits (SoFT)", "full, then cut"))
    lead, error = difference(found, "nested", "each alone", "mean of all")
    over, slack = difference(found, "nested", "full, then cut", "mean of all")
    loss, doubt = difference(found, "nested", "full, then cut", "full")
    why = (
        f"The worst of 16 nested sub-models reaches {share:.1f}% of the full network, the worst with at least half of"
        f" its units and layers {half:.1f}%; {many:.1f} of 16 reach 96%. Cutting a network that was trained in full"
        f" leaves {cut:.1f}%. By depth alone the worst exit of SoFT reaches {soft:.1f}%, where cutting leaves"
        f" {by_depth:.1f}%. On average a nested sub-model is {lead:+.1f} ± {error:.1f} points from the same size"
        f" trained alone in a 16th of the steps, and {over:+.1f} ± {slack:.1f} from one cut out. The full network is"
        f" {loss:+.1f} ± {doubt:.1f} points from one trained for itself in as many steps."
    )
    if share < 100 * ENOUGH or soft < 100 * ENOUGH:
        return "does not hold", why
    return ("holds" if over > 2 * slack else "undecided"), why


CLAIM = Claim(
    system="SortedNet and SoFT (arXiv 2309.00255, 2309.08968)",
    claim=(
        "Training random prefixes of one network, first layers and first units, makes each of them a good network: all"
        " reach at least 96% of the full one, without a search, and without a training of their own; so do exits that"
        " share norm and head (SoFT)."
    ),
    test=(
        "Letters, 4,000 training and 4,000 validation examples: a linear stem, up to 4 normalised residual layers,"
        f" norm and head. 16 sub-models: {', '.join(map(str, WIDTHS))} units by 1 to 4 layers. Nested: each micro-step"
        f" draws one at random, {MICRO_STEPS} add up to an update, {EPOCHS} epochs. SoFT: all four depths in every"
        " update. Controls: each size alone, all together in as many micro-steps; and the full network alone in as"
        " many, then cut. Deviations: a small network from scratch, short of convergence, not a language model that is"
        " tuned."
    ),
    arms={
        "nested": shared(uniform, EPOCHS),
        "exits (SoFT)": shared(every_depth, EPOCHS),
        "each alone": alone,
        "full, then cut": shared(lambda rng: [FULL], EPOCHS * MICRO_STEPS),
    },
    verdict=verdict,
    seeds=3,
    digits=1,
)
