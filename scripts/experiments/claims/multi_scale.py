"""Multi-scale-aware modules: digits of one size learnt, of other sizes told."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from evaluators.data.digits import Digits
from evaluators.data.split import Part, Split
from qd.metrics.macs import macs
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.chain import Chain
from search_spaces.shelf.convolution import Convolution
from search_spaces.shelf.multi_scale import MultiScale
from search_spaces.task import Classes, Image, Task

from . import Claim, Found, Numbers, difference, mean

CANVAS, LEARNT, OTHERS = 16, 10, (6, 8, 12, 14, 16)
"""Sides, in pixels: of the picture, of the digit in training, of it in the test."""
TASK = Task(Image(1, CANVAS, CANVAS), Classes(10))
SPACE = Chain("image", (MultiScale(), Convolution()), width=(16,), depth=(1, 5), patch=2)
TRAINING = TrainingOptions(epochs=8, batch_size=50, learning_rate=0.003)


@cache
def examples(part: Part, side: int) -> tuple[Tensor, Tensor]:
    """Digits of a side in the middle of the picture, (N, 1, 16, 16) in [0, 1], and classes (N,)."""
    found = Digits(split=Split(train=1000, validation=400)).splits().part(part)
    pixels = torch.as_tensor(found.inputs[:]).float().reshape(-1, 1, 8, 8) / 16
    drawn = nn.functional.interpolate(pixels, (side, side), mode="bilinear", align_corners=False)
    return nn.functional.pad(drawn, [(CANVAS - side) // 2] * 4), torch.as_tensor(found.targets)


def scales(number: int) -> dict[str, object]:
    """A layer with three dilations, and as many scales of context."""
    return {"kind": "multi_scale", "branches": 3, "scales": number, "halve": False}


CONVOLUTION = {"kind": "convolution", "group": "all", "attention": False, "mergeable": False, "halve": False}
ARMS = {
    "dilations and context": [scales(4)] * 2,
    "dilations": [scales(0)] * 2,
    "convolutions": [CONVOLUTION] * 5,
}


def measured(arm: str, seed: int) -> Numbers:
    """Accuracy at the size of the training and at others."""
    network = build_seeded(lambda: SPACE.build({"width": 16, "layers": ARMS[arm]}, TASK), seed)
    train_alone(network, *examples(Part.TRAIN, LEARNT), TRAINING, "cross_entropy", seed)
    network.eval()

    def accuracy(side: int) -> float:
        x, classes = examples(Part.VALIDATION, side)
        with torch.no_grad():
            return 100 * float((network(x).argmax(1) == classes).float().mean())

    found = {f"{side} pixels": accuracy(side) for side in OTHERS}
    cost = macs(network, examples(Part.VALIDATION, LEARNT)[0][:1], {})
    return {
        "as learnt": accuracy(LEARNT),
        **found,
        "mean of others": sum(found.values()) / len(found),
        "thousand multiply-adds": cost / 1000,
    }


def verdict(found: Found) -> tuple[str, str]:
    """By two standard errors."""
    gain, error = difference(found, "dilations and context", "convolutions", "mean of others")
    context, context_error = difference(found, "dilations and context", "dilations", "mean of others")
    names = ("dilations and context", "convolutions")
    cost, control = (mean(found, arm, "thousand multiply-adds") for arm in names)
    why = (
        f"At sizes that were not learnt, dilations and context are {gain:+.1f} ± {error:.1f} points of accuracy from"
        f" plain convolutions (standard error of seeds) with {cost / control:.0%} of their multiply-adds, and"
        f" {context:+.1f} ± {context_error:.1f} from dilations alone. Holds: above convolutions by two standard errors."
    )
    if gain > 2 * error:
        return "holds", why
    return "does not hold" if gain < 0 else "undecided", why


CLAIM = Claim(
    system="M-SFANet (arXiv 2003.05586)",
    claim="Dilated convolutions side by side and context at several scales cope with sizes that vary.",
    test="scikit-learn's digits on 16 x 16 pixels, 1,000 for training and 400 for validation, 160 steps of 50 with Adam"
    " at 0.003 and a cosine: drawn 10 pixels wide in training and 6 to 16 in the test. Two layers of 16 channels on 8 x"
    " 8 pixels with dilations 1 to 3 and the context of four pools, against five residual convolutions. Deviations: the"
    " paper counts people in crowds, with dilations of 12 to 36 behind VGG.",
    arms={arm: lambda seed, arm=arm: measured(arm, seed) for arm in ARMS},
    verdict=verdict,
    seeds=3,
    digits=1,
)
