"""ECA-Net: gates of neighbouring channels against squeeze and excitation, and none."""

from __future__ import annotations

from torch import Tensor, nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces import Genotype, SearchSpace, Task
from search_spaces.genes import Choice, Struct
from search_spaces.shelf.channel_attention import ChannelGates, attention_size

from . import Claim, Found, Numbers, difference, mean, trained

WIDTH, BLOCKS, REDUCTION = 16, 3, 4
DATA = FashionMNIST(split=Split(train=2500, validation=2000))
TRAINING = TrainingOptions(epochs=4, batch_size=50, learning_rate=0.003)


class SqueezeExcitation(nn.Module):
    """Gates of all channels' means through a narrow layer (Hu et al., arXiv 1709.01507)."""

    def __init__(self) -> None:
        super().__init__()
        narrow = WIDTH // REDUCTION
        self.gates = nn.Sequential(nn.Linear(WIDTH, narrow), nn.ReLU(), nn.Linear(narrow, WIDTH), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gates(x.mean((2, 3)))[:, :, None, None]


class Block(nn.Module):
    """Residual: a 3 x 3 and a pointwise convolution, whose channels are then gated, as in the paper."""

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.GroupNorm(1, WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, WIDTH, 1),
            gate,
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


class Gated(SearchSpace):
    """One network for each way to gate."""

    genes = Struct(gate=Choice("none", "ECA", "SE"))

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        gates = {
            "none": nn.Identity,
            "ECA": lambda: ChannelGates(attention_size(WIDTH)),
            "SE": SqueezeExcitation,
        }
        blocks = [Block(gates[genotype["gate"]]()) for _ in range(BLOCKS)]
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, task.outputs)]
        return nn.Sequential(nn.Conv2d(1, WIDTH, 4, stride=4), *blocks, *pooled)


def measured(gate: str, seed: int) -> Numbers:
    """Accuracy on the validation split, and what the network costs."""
    (found,) = trained(Gated(), [{"gate": gate}], DATA, TRAINING, seed)
    return {
        "accuracy": 100 * found["val_accuracy"],
        "thousand multiply-adds": found["macs"] / 1000,
        "parameters": found["parameters"],
    }


def verdict(found: Found) -> tuple[str, str]:
    """Holds: ECA is above none, and not below SE, each by two standard errors."""
    gain, error = difference(found, "ECA", "none", "accuracy")
    other, other_error = difference(found, "ECA", "SE", "accuracy")
    macs = "thousand multiply-adds"
    cost = mean(found, "SE", macs) / mean(found, "none", macs) - 1
    why = (
        f"ECA is {gain:+.2f} ± {error:.2f} points of accuracy from no attention and {other:+.2f} ± {other_error:.2f}"
        f" from SE (standard error of seeds); multiply-adds differ by at most {cost:.1%}. Holds: above none by two"
        " standard errors, and not below SE by two."
    )
    if gain > 2 * error and other > -2 * other_error:
        return "holds", why
    return "does not hold" if gain < 0 or other < -2 * other_error else "undecided", why


CLAIM = Claim(
    system="ECA-Net (arXiv 1910.03151)",
    claim="Gates from a convolution over neighbouring channels make a network more accurate than none, and no less"
    " than squeeze and excitation with its many parameters.",
    test="Fashion-MNIST, 2,500 training and 2,000 validation images, 200 steps of 50 with Adam at 0.003 and a cosine:"
    f" {BLOCKS} residual blocks of {WIDTH} channels on 7 x 7 pixels, gated at the end of the branch by nothing, by ECA"
    f" or by SE (reduction {REDUCTION}). Deviations: group normalisation in place of batch normalisation; the paper's"
    " networks have 50 layers and more, and ImageNet.",
    arms={gate: lambda seed, gate=gate: measured(gate, seed) for gate in ("none", "ECA", "SE")},
    verdict=verdict,
    digits=1,
)
