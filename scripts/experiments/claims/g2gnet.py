"""G2GNet: groups of units, dense inside and sparse between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded, train_alone
from search_spaces.shelf.grouped import HebbianLinear, groups_of, linked, links_of

from . import Claim, Found, Numbers, difference, mean, tensors

GROUPS, BETWEEN, FRACTION = 8, 0.15, 0.025
DENSITY = 1 / GROUPS + (1 - 1 / GROUPS) * BETWEEN
PATCHES, WIDTH = 392, 256
OPTIONS = TrainingOptions(5, 100, "adam", 0.003, 1e-5)


@cache
def images(part: Part) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST."""
    return tensors(FashionMNIST(split=Split(train=6000)), part)


class Network(nn.Module):
    """Patches of 4 x 4 pixels, 8 channels each; three layers with ReLU; a linear map."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 8, 4, stride=4)
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(layers[-1].out_features, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.relu(self.patches(x)).flatten(1)
        for layer in self.layers:
            before, state = state, torch.relu(layer(state))
            if self.training and isinstance(layer, HebbianLinear):
                layer.watch(before, state)
        return self.head(state)


def sparse(fraction: float, grouped: bool) -> Network:
    """Links in groups, or anywhere (Erdős–Rényi), equally many; a share of them is replaced at each rewiring."""
    layers = []
    for inputs, outputs in ((PATCHES, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH)):
        if grouped:
            links = links_of(outputs, inputs, GROUPS, BETWEEN)
            mask = linked(groups_of(outputs, GROUPS, "index"), groups_of(inputs, GROUPS, "index"), links)
        else:
            links = round(DENSITY * outputs * inputs)
            mask = linked(torch.zeros(outputs), torch.ones(inputs), links)
        layers.append(HebbianLinear(mask, links, "magnitude", fraction))
    return Network(layers)


def dense(width: int) -> Network:
    """All links."""
    return Network([nn.Linear(PATCHES, width), nn.Linear(width, width), nn.Linear(width, width)])


def width_of_equal_weights() -> int:
    """At which three dense layers have no more weights than the sparse ones."""
    wanted, width = DENSITY * (PATCHES * WIDTH + 2 * WIDTH**2), 1
    while PATCHES * (width + 1) + 2 * (width + 1) ** 2 <= wanted:
        width += 1
    return width


def arm(build: Callable[[], Network]) -> Callable[[int], Numbers]:
    """Train and test one kind of network."""

    def measure(seed: int) -> Numbers:
        network = build_seeded(build, seed)
        train_alone(network, *images(Part.TRAIN), OPTIONS, "cross_entropy", seed)
        network.eval()
        inputs, targets = images(Part.TEST)
        with torch.no_grad():
            accuracy = 100 * float((network(inputs).argmax(1) == targets).float().mean())
        matrices = [network.get_parameter(f"layers.{layer}.weight") for layer in range(3)]
        links = sum(int((matrix != 0).sum()) for matrix in matrices)
        return {"accuracy": accuracy, "links": links}

    return measure


def verdict(found: Found) -> tuple[str, str]:
    """Above the dense network of the same width, by more than 2 standard errors."""
    over, error = difference(found, "groups", "dense", "accuracy")
    others = "; ".join(
        "{:+.2f} ± {:.2f} against {}".format(*difference(found, "groups", name, "accuracy"), name)
        for name in list(found)[1:]
        if name != "dense"
    )
    why = (
        f"With {DENSITY:.0%} of the links, groups tell {mean(found, 'groups', 'accuracy'):.2f}%, {over:+.2f} ±"
        f" {error:.2f} points against dense; {others}."
    )
    if abs(over) <= 2 * error:
        return "undecided", why
    return ("holds" if over > 0 else "does not hold"), why


CLAIM = Claim(
    system="G2GNet (Konstantaropoulos et al., arXiv 2508.14140)",
    claim="Groups of units with sparse links in between, up to 75% sparse, are more accurate than dense layers.",
    test=(
        "Fashion-MNIST, 6,000 training examples, 5 epochs of Adam (0.003), the 10,000 of the test. Patches of 4 x 4"
        " pixels, three layers of 256 units, a linear map. 8 groups by index, 15% of the links in between: 26% of all;"
        " 2.5% of them are replaced six times, by magnitude and by the cosine of activities. Controls: links that stay;"
        " equally many anywhere, rewired alike; dense layers with equally many weights; dense layers of 256. The paper"
        " has layers of 1,024 and 2,048, 20 to 30 epochs at 0.001, and CIFAR too."
    ),
    arms={
        "groups": arm(lambda: sparse(FRACTION, True)),
        "groups, not rewired": arm(lambda: sparse(0.0, True)),
        "Erdős–Rényi": arm(lambda: sparse(FRACTION, False)),
        "dense, equal weights": arm(lambda: dense(width_of_equal_weights())),
        "dense": arm(lambda: dense(WIDTH)),
    },
    verdict=verdict,
    seeds=3,
    digits=2,
)
