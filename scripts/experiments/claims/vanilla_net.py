"""VanillaNet: deep training, merged afterwards, against plain training of the network that is left."""

from __future__ import annotations

from torch import Tensor, nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces import Genotype, SearchSpace, Task
from search_spaces.genes import Choice, Struct
from search_spaces.shelf.merging import merged_parameters
from search_spaces.shelf.vanilla import VanillaBlock

from . import Claim, Found, Numbers, difference, trained

WIDTH, BLOCKS, KERNEL = 16, 4, 7
DATA = FashionMNIST(split=Split(train=2500, validation=2000))
TRAINING = TrainingOptions(epochs=4, batch_size=50, learning_rate=0.003)


class WithoutShortcut(VanillaBlock):
    """As in the paper."""

    def forward(self, x_BWHV: Tensor) -> Tensor:
        return self.branch(x_BWHV)


class Blocks(SearchSpace):
    """Four networks: deep or plain, with or without shortcuts."""

    genes = Struct(deep=Choice(False, True), shortcut=Choice(False, True))

    def build(self, genotype: Genotype, task: Task) -> nn.Module:
        block = VanillaBlock if genotype["shortcut"] else WithoutShortcut
        blocks = [block(WIDTH, KERNEL, genotype["deep"]) for _ in range(BLOCKS)]
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, task.outputs)]
        return nn.Sequential(nn.Conv2d(1, WIDTH, 4, stride=4), *blocks, *pooled)

    def measure(self, genotype: Genotype, module: nn.Module, outputs: Tensor) -> dict[str, float]:
        return {"deployed_parameters": float(merged_parameters(module))}


def measured(genotype: Genotype, seed: int) -> Numbers:
    """Accuracy on the validation split, merged, and parameters before and after merging."""
    (found,) = trained(Blocks(), [genotype], DATA, TRAINING, seed)
    return {
        "accuracy": 100 * found["val_accuracy"],
        "trained parameters": found["parameters"],
        "deployed parameters": found["deployed_parameters"],
    }


def verdict(found: Found) -> tuple[str, str]:
    """By two standard errors, without shortcuts."""
    gain, error = difference(found, "deep", "plain", "accuracy")
    other, other_error = difference(found, "deep, shortcuts", "plain, shortcuts", "accuracy")
    why = (
        f"Deep training is {gain:+.2f} ± {error:.2f} points of accuracy from plain (standard error of seeds), and"
        f" {other:+.2f} ± {other_error:.2f} in blocks with shortcuts, as on the shelf. Holds: above by two standard"
        " errors without shortcuts, as in the paper."
    )
    if gain > 2 * error:
        return "holds", why
    return "does not hold" if gain < 0 else "undecided", why


ARMS = {
    "deep": {"deep": True, "shortcut": False},
    "plain": {"deep": False, "shortcut": False},
    "deep, shortcuts": {"deep": True, "shortcut": True},
    "plain, shortcuts": {"deep": False, "shortcut": True},
}
CLAIM = Claim(
    system="VanillaNet (arXiv 2305.12972)",
    claim="A network without shortcuts is more accurate where each pointwise convolution is trained as two, with an"
    " activation in between that turns linear, and merged afterwards, than where it is trained as it is deployed.",
    test="Fashion-MNIST, 2,500 training and 2,000 validation images, 200 steps of 50 with Adam at 0.003 and a cosine:"
    f" {BLOCKS} blocks of {WIDTH} channels on 7 x 7 pixels, equal after merging; the activation is linear after a third"
    " of the training. Accuracy is that of the merged network. Deviations: a group normalisation in front of each"
    " block in place of batch normalisation; the paper's networks have 512 channels and more, and ImageNet.",
    arms={arm: lambda seed, genotype=genotype: measured(genotype, seed) for arm, genotype in ARMS.items()},
    verdict=verdict,
    digits=1,
)
