"""Do recurrent tiers with slower clocks tell the next sample better than a single one?

Axes: N series, T samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces import Task
from search_spaces.chain import Chain
from search_spaces.shelf.tiers import Tiers
from search_spaces.task import NextToken, Tokens

from . import Claim, Found, Numbers, difference

SAMPLES, LEVELS, NOTE = 128, 32, 32
TASK = Task(Tokens(SAMPLES, LEVELS + 1), NextToken(LEVELS + 1))  # number 0 fills up
TRAINING = TrainingOptions(epochs=5, batch_size=32, learning_rate=0.004)
SPACE = Chain("tokens", (Tiers(),), width=(32,), depth=(1, 1))
SIZES = {
    "one tier": {"tiers": 1, "frame": 4, "hidden": 64},
    "one tier, as large as two": {"tiers": 1, "frame": 4, "hidden": 100},
    "two tiers": {"tiers": 2, "frame": 4, "hidden": 64},
    "three tiers": {"tiers": 3, "frame": 4, "hidden": 64},
}


@lru_cache
def series(seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Notes of two instruments, four in a series, as levels, and the levels that follow: (N, T) int64 each.

    A series has a beat of its own: pitch and loudness of a note follow from those of the one before.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(SAMPLES + 1)
    pitch_N1 = rng.integers(0, 8, (size, 1)) + rng.choice([-2, 1, 3], (size, 1)) * (time // NOTE)
    phase = np.cumsum(2 ** (pitch_N1 % 12 / 12) * 2 * np.pi / 24, 1)
    bright_N1 = rng.uniform(0, 1, (size, 1))
    loud = np.exp(-(time % NOTE) / rng.uniform(8, 64, (size, 1)))
    wave = loud * (np.sin(phase) + bright_N1 * np.sin(3 * phase)) + rng.normal(0, 0.02, phase.shape)
    levels = np.clip((wave / 1.6 + 1) / 2 * LEVELS, 0, LEVELS - 1).astype(np.int64) + 1
    return torch.from_numpy(levels[:, :-1]), torch.from_numpy(levels[:, 1:])


def _arm(genes: dict[str, int]) -> Callable[[int], Numbers]:
    genotype = {"width": 32, "positions": "none", "layers": [{"kind": "tiers", **genes}]}

    def measure(seed: int) -> Numbers:
        network = build_seeded(lambda: SPACE.build(genotype, TASK), seed)
        train_alone(network, *series(2 * seed, 1024), TRAINING, TASK.loss, seed)
        network.eval()
        inputs, targets = series(2 * seed + 1, 512)
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return {"bits per sample": float(loss) / math.log(2), "parameters": parameters}

    return measure


def _verdict(found: Found) -> tuple[str, str]:
    large = "one tier, as large as two"
    gains = {
        f"{arm} against {other}": difference(found, other, arm, "bits per sample")
        for arm, other in (("two tiers", "one tier"), ("two tiers", large), ("three tiers", "two tiers"))
    }
    shown = ", ".join(f"{gain:+.3f} ± {error:.3f} {names}" for names, (gain, error) in gains.items())
    why = f"bits per sample saved: {shown} (standard errors)."
    compared = list(gains.values())[:2]
    if all(gain > 2 * error for gain, error in compared):
        return "holds", f"A second tier saves more than two standard errors, also at equal parameters: {why}"
    if any(gain < -2 * error for gain, error in compared):
        return "does not hold", f"One tier is better by more than two standard errors: {why}"
    return "undecided", f"Not both differences are above two standard errors: {why}"


CLAIM = Claim(
    "SampleRNN (arXiv 1612.07837)",
    "Recurrent tiers with slower clocks tell the next sample better than a single tier, at equal updates.",
    "Generated sound: 1,024 series of 128 samples with four notes that follow from one another, quantised to 32 levels;"
    " 160 updates of 32 series, bits per sample on 512 others. Frames of 4, so tiers run every 4, 16 and 64 samples; a"
    " layer of width 32. One tier is also given the parameters of two. The paper's sounds are real, of 256 levels, with"
    " hundreds of thousands of updates.",
    {name: _arm(genes) for name, genes in SIZES.items()},
    _verdict,
    seeds=3,
)
