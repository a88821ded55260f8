"""E2GC: groups of constant size against a constant number of groups."""

from __future__ import annotations

from torch import nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces import Genotype, SearchSpace, Task
from search_spaces.genes import Choice, Struct
from search_spaces.shelf.constant_groups import GroupedBottleneck

from . import Claim, Found, Numbers, difference, mean, trained

STAGES = {8: 1, 16: 1, 32: 3}
"""Blocks of each width; the map is halved between widths. So many make the multiply-adds of both arms equal."""
SIZE, NUMBER, EXPANSION = 8, 4, 2
DATA = FashionMNIST(split=Split(train=2500, validation=2000))
TRAINING = TrainingOptions(epochs=4, batch_size=50, learning_rate=0.003)


class Staged(SearchSpace):
    """One network for each way to group."""

    genes = Struct(constant=Choice("size", "number"))

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        widths = list(STAGES)
        parts: list[nn.Module] = [nn.Conv2d(1, widths[0], 2, stride=2)]
        for before, width in zip([widths[0], *widths], widths, strict=False):
            if width != before:
                parts += [nn.Conv2d(before, width, 1), nn.MaxPool2d(2)]
            hidden = EXPANSION * width
            size = SIZE if genotype["constant"] == "size" else hidden // NUMBER
            parts += [GroupedBottleneck(width, hidden, size) for _ in range(STAGES[width])]
        last = widths[-1]
        return nn.Sequential(
            *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(last), nn.Linear(last, task.outputs)
        )


def measured(constant: str, seed: int) -> Numbers:
    """Accuracy on the validation split, and what the network costs."""
    (found,) = trained(Staged(), [{"constant": constant}], DATA, TRAINING, seed)
    return {
        "accuracy": 100 * found["val_accuracy"],
        "thousand multiply-adds": found["macs"] / 1000,
        "parameters": found["parameters"],
    }


def verdict(found: Found) -> tuple[str, str]:
    """By two standard errors."""
    size, number = f"groups of {SIZE}", f"{NUMBER} groups"
    gain, error = difference(found, size, number, "accuracy")
    macs = mean(found, size, "thousand multiply-adds") / mean(found, number, "thousand multiply-adds")
    parameters = mean(found, size, "parameters") / mean(found, number, "parameters")
    why = (
        f"Groups of constant size are {gain:+.2f} ± {error:.2f} points of accuracy from a constant number (standard"
        f" error of seeds), with {macs:.1%} of the multiply-adds and {parameters:.0%} of the parameters. Holds: above"
        " by two standard errors."
    )
    if gain > 2 * error:
        return "holds", why
    return "does not hold" if gain < 0 else "undecided", why


CLAIM = Claim(
    system="E2GC (arXiv 2006.15100)",
    claim="At equal multiply-adds, a network whose groups have a constant size is more accurate than one with a"
    " constant number of groups.",
    test="Fashion-MNIST, 2,500 training and 2,000 validation images, 200 steps of 50 with Adam at 0.003 and a cosine:"
    f" inverted bottlenecks (expansion {EXPANSION}) of 8, 16 and 32 channels on 14, 7 and 3 pixels a side, 1, 1 and 3"
    f" of them; their 3 x 3 convolutions have groups of {SIZE} channels, or {NUMBER} groups, of 4, 8 and 16 channels."
    " Deviations: the paper's arms are of MobileNet and ResNeXt on ImageNet, and its other claim, energy, is not"
    " measured; its formula for the size of groups is not verified.",
    arms={
        f"groups of {SIZE}": lambda seed: measured("size", seed),
        f"{NUMBER} groups": lambda seed: measured("number", seed),
    },
    verdict=verdict,
    digits=1,
)
