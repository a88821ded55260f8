"""Co4: few modulated rows against attention of one head, early in training."""

from __future__ import annotations

import statistics

from evaluators.data.split import Split
from evaluators.data.ucr import UCR
from qd.training import TrainingOptions
from search_spaces import Genotype
from search_spaces.chain import Chain
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.co4 import Co4
from search_spaces.shelf.dense import Dense

from . import Claim, Found, Numbers, difference, trained

SPACE = Chain("tokens", (Attention(), Co4(), Dense()), width=(32,), depth=(2, 2))
DATA = UCR("JapaneseVowels", Split(train=160, validation=0.4))
EPOCHS = (2, 4, 8)
"""Of 8 steps each."""


def network(kind: str, **genes: object) -> Genotype:
    """A layer that mixes steps, and a feed-forward layer."""
    layers = [{"kind": kind, **genes}, {"kind": "dense", "hidden": 64, "activation": "silu"}]
    return {"width": 32, "positions": "learnt", "layers": layers}


def measured(genotype: Genotype, seed: int) -> Numbers:
    """Accuracy on validation series after few epochs, at a constant learning rate."""
    options = [TrainingOptions(epochs, 20, learning_rate=0.003, schedule="constant") for epochs in EPOCHS]
    numbers = [trained(SPACE, [genotype], DATA, one, seed)[0] for one in options]
    found = {f"after {8 * epochs} steps": one["val_accuracy"] for epochs, one in zip(EPOCHS, numbers, strict=True)}
    mean = statistics.mean(found.values())
    return {**found, "mean accuracy": mean, "parameters": numbers[0]["parameters"], "multiply-adds": numbers[0]["macs"]}


def verdict(found: Found) -> tuple[str, str]:
    """By two standard errors of the mean difference, seed by seed."""
    gain, error = difference(found, "Co4", "attention, one head", "mean accuracy")
    why = (
        f"Co4's accuracy, the mean of those after 16, 32 and 64 steps, differs by {gain:+.3f} ± {error:.3f} (standard"
        " error of seeds) from attention's; two standard errors from 0 decide."
    )
    if abs(gain) <= 2 * error:
        return "undecided", why
    return "holds" if gain > 0 else "does not hold", why


CLAIM = Claim(
    system="Co4 (arXiv 2505.06257)",
    claim="Triadic modulation with attention over few rows learns faster, early on, than attention with one head at"
    " equal steps.",
    test="Japanese vowels by 9 speakers (12 channels, 29 steps), 160 series for training and 108 for validation, Adam"
    " at 0.003 with 20 series a step, trained for 16, 32 and 64 steps. One layer, Co4 with 12 rows and 1 latent or"
    " softmax attention with one head, then a feed-forward layer; width 32, learnt positions. Co4 has no map behind its"
    " attention, so it has fewer parameters. The paper's own data are not tested.",
    arms={
        "attention, one head": lambda seed: measured(network("attention", heads=1, rotary=False), seed),
        "Co4": lambda seed: measured(network("co4", rows=12, latents=1), seed),
    },
    verdict=verdict,
)
