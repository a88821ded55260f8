"""Kolmogorov–Arnold networks: better than perceptrons of equal size, on formulas only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from evaluators.data.base import DataSet
from evaluators.data.letters import Letters
from evaluators.data.optical_digits import OpticalDigits
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.shelf.kan import KANLayer
from search_spaces.shelf.kan.bases import Spline

from . import Claim, Found, Numbers, difference, mean, tensors

RATES = (0.003, 0.02)
FORMULAS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    "exp(sin πx + y²)": (2, lambda x: torch.exp(torch.sin(math.pi * x[:, 0]) + x[:, 1] ** 2)),
    "exp((sin π(a² + b²) + sin π(c² + d²)) / 2)": (
        4,
        lambda x: torch.exp(
            (torch.sin(math.pi * (x[:, :2] ** 2).sum(1)) + torch.sin(math.pi * (x[:, 2:] ** 2).sum(1))) / 2
        ),
    ),
    "(a + b) / (1 + 0.9 ab)": (2, lambda x: (x[:, 0] + x[:, 1]) / (1 + 0.9 * x[:, 0] * x[:, 1])),
}
DATA: dict[str, DataSet] = {
    "letters": Letters(Split(train=2500)),
    "optical digits": OpticalDigits(Split(train=1500)),
}
Build = Callable[[Sequence[int]], nn.Module]
Three = tuple[Tensor, Tensor]


def kan(sizes: Sequence[int]) -> nn.Module:
    """Layers with cubic splines over 5 intervals."""
    return nn.Sequential(*(KANLayer(a, b, Spline(8, 3)) for a, b in pairwise(sizes)))


def dense(sizes: Sequence[int]) -> nn.Module:
    """As many layers, of the width at which it has the same number of parameters, with SiLU in between."""
    wanted, width = count(kan(sizes)), 1
    while count(perceptron([sizes[0], *[width + 1] * (len(sizes) - 2), sizes[-1]])) <= wanted:
        width += 1
    return perceptron([sizes[0], *[width] * (len(sizes) - 2), sizes[-1]])


def perceptron(sizes: Sequence[int]) -> nn.Module:
    """Linear maps with SiLU in between."""
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


def count(network: nn.Module) -> int:
    """Of parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def arm(build: Build) -> Callable[[int], Numbers]:
    """Every task with one kind of network."""

    def measure(seed: int) -> Numbers:
        numbers: Numbers = {}
        for name, (inputs, formula) in FORMULAS.items():
            generator = torch.Generator().manual_seed(seed)
            parts = [2 * torch.rand(1000, inputs, generator=generator) - 1 for _ in range(3)]
            y = [formula(x)[:, None] for x in parts]
            y = [(one - y[0].mean()) / y[0].std() for one in y]
            network = best(lambda n=inputs: build([n, 5, 5, 1]), list(zip(parts, y, strict=True)), 60, seed)
            with torch.no_grad():
                numbers[name] = float((network(parts[2]) - y[2]).square().mean().sqrt().log10())
        numbers = {"formulas": sum(numbers.values()) / len(numbers), **numbers}
        for name, data in DATA.items():
            three = [tensors(data, part) for part in (Part.TRAIN, Part.VALIDATION, Part.TEST)]
            three = [(x.flatten(1), y) for x, y in three]
            features, classes = three[0][0].shape[1], data.task.outputs
            network = best(lambda f=features, c=classes: build([f, 16, c]), three, 10, seed)
            with torch.no_grad():
                numbers[name] = 100 * float((network(three[2][0]).argmax(1) != three[2][1]).float().mean())
        return numbers

    return measure


def best(build: Callable[[], nn.Module], three: Sequence[Three], epochs: int, seed: int) -> nn.Module:
    """The network, of one for each rate, with the least loss on the validation examples."""
    loss = "mean_squared_error" if three[0][1].is_floating_point() else "cross_entropy"
    found: list[tuple[float, nn.Module]] = []
    for rate in RATES:
        network = build_seeded(build, seed)
        train_alone(network, *three[0], TrainingOptions(epochs, 100, learning_rate=rate), loss, seed)
        with torch.no_grad():
            scores, targets = network(three[1][0]), three[1][1]
            value = nn.functional.mse_loss if loss == "mean_squared_error" else nn.functional.cross_entropy
            found.append((float(value(scores, targets)), network))
    return min(found, key=lambda pair: pair[0])[1]


def verdict(found: Found) -> tuple[str, str]:
    """Of the error: it must be less on the formulas, by more than 2 standard errors, and on neither data set."""
    parts = {key: difference(found, "KAN", "dense", key) for key in ("formulas", *DATA)}
    wins = {key: gap < -2 * error for key, (gap, error) in parts.items()}
    loses = {key: gap > 2 * error for key, (gap, error) in parts.items()}
    told = {key: f"{100 - mean(found, 'KAN', key):.1f}% against {100 - mean(found, 'dense', key):.1f}%" for key in DATA}
    why = (
        f"On formulas the error of KANs is {10 ** parts['formulas'][0]:.2f} times that of perceptrons"
        f" ({parts['formulas'][0]:+.2f} ± {parts['formulas'][1]:.2f} in log10); they tell {told['letters']} of the"
        f" letters, and {told['optical digits']} of the digits."
    )
    if not wins["formulas"]:
        return ("does not hold" if loses["formulas"] else "undecided"), why
    return ("does not hold" if any(wins[key] for key in DATA) else "holds"), why


CLAIM = Claim(
    system="KAN (Liu et al., arXiv 2404.19756)",
    claim="At equal numbers of parameters Kolmogorov–Arnold networks win over perceptrons on symbolic formulas only.",
    test=(
        "KANs with cubic splines over 5 intervals and perceptrons with SiLU, of as many layers and equally many"
        " parameters (at most one unit of width less). Three formulas of 2 or 4 numbers in [-1, 1], two hidden layers"
        " of 5 units in the KAN, 1,000 examples, 600 steps of Adam: log10 of the error (RMSE of standardised values)"
        " and their mean. Letters (2,500 examples) and optical digits (1,500), one hidden layer of 16 units, 10 epochs:"
        " errors in %. Each takes the better of two learning rates, by validation; errors are of test examples. The"
        " paper uses L-BFGS, moves and refines grids, and prunes: not done here."
    ),
    arms={"KAN": arm(kan), "dense": arm(dense)},
    verdict=verdict,
    seeds=3,
    digits=2,
)
