"""ModuleFormer: experts of heads and of feed-forward layers against a dense network."""

from __future__ import annotations

from evaluators.data.shakespeare import Shakespeare
from evaluators.data.split import Split
from qd.training import TrainingOptions
from search_spaces import Genotype
from search_spaces.chain import Chain
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.mixture import Mixture
from search_spaces.shelf.stick_breaking import StickBreaking

from . import Claim, Found, Numbers, difference, mean, trained

SPACE = Chain("tokens", (Attention(), Dense(), StickBreaking(), Mixture()), width=(40, 64), depth=(2, 2))
DATA = Shakespeare(steps=64, split=Split(train=9_600))
TRAINING = TrainingOptions(epochs=1, batch_size=32, learning_rate=0.003, clip=1.0)
EQUAL = 0.02
"""Bits per character within which losses count as equal."""


def dense(width: int, hidden: int) -> Genotype:
    """Softmax attention with rotary positions, and a feed-forward layer."""
    layers = [
        {"kind": "attention", "heads": 4, "rotary": True},
        {"kind": "dense", "hidden": hidden, "activation": "silu"},
    ]
    return {"width": width, "positions": "none", "layers": layers}


def experts(positions: str) -> Genotype:
    """Eight experts a layer, of which a step runs two."""
    attention = {"kind": "stick_breaking", "experts": 8, "top_k": 2, "units": 16, "heads": 2}
    attention |= {"positions": positions, "balance": 0.01, "concentration": 0.0}
    mixture = {"kind": "mixture", "experts": [32] * 8, "top_k": 2, "activation": "silu", "balance": 0.01}
    return {"width": 64, "positions": "none", "layers": [attention, mixture]}


def measured(genotype: Genotype, seed: int) -> Numbers:
    """Bits per character on the validation plays, and what the network costs for a character."""
    (found,) = trained(SPACE, [genotype], DATA, TRAINING, seed)
    return {
        "bits per character": found["val_bits_per_token"],
        "thousand multiply-adds": found["macs"] / 64 / 1000,
        "thousand parameters": found["parameters"] / 1000,
    }


def verdict(found: Found) -> tuple[str, str]:
    """Equal: no more than `EQUAL` above the dense network, by two standard errors. Softmax attention is a control."""
    difference_, error = difference(found, "experts", "dense", "bits per character")
    control, control_error = difference(found, "experts", "dense, half the multiply-adds", "bits per character")
    cost = mean(found, "experts", "thousand multiply-adds") / mean(found, "dense", "thousand multiply-adds")
    softmax, softmax_error = difference(found, "experts, softmax attention", "dense", "bits per character")
    why = (
        f"With {cost:.0%} of the dense network's active multiply-adds experts are {difference_:+.3f} ± {error:.3f} bits"
        f" per character from it (standard error of seeds), and {control:+.3f} ± {control_error:.3f} from a dense"
        f" network of their own cost. With the dense networks' rotary softmax attention in them they are {softmax:+.3f}"
        f" ± {softmax_error:.3f} from the first: the rest is stick-breaking's. Equal counts as at most {EQUAL} above by"
        " two standard errors."
    )
    if cost <= 0.5 and difference_ + 2 * error <= EQUAL:
        return "holds", why
    return "does not hold" if difference_ - 2 * error > 0 or cost > 0.5 else "undecided", why


CLAIM = Claim(
    system="ModuleFormer (arXiv 2306.04640)",
    claim="A network of experts of attention heads and of feed-forward layers has a dense network's loss at half its"
    " active multiply-adds.",
    test="Next characters of Shakespeare, windows of 64, 300 steps of 32 windows (0.6 million characters), Adam at"
    " 0.003. One block: attention, then feed-forward. Dense: rotary softmax attention; width 64, 4 heads, 256 hidden"
    " units, or width 40, 176 hidden units, which costs what the experts do. Experts: width 64, stick-breaking"
    " attention with 8 experts of 2 heads of 8 units, and 8 feed-forward experts of 32 units, 2 chosen of each. The"
    " paper has 24 layers of width 1024; its fine-tuning, which drops experts, is not tested.",
    arms={
        "dense": lambda seed: measured(dense(64, 256), seed),
        "dense, half the multiply-adds": lambda seed: measured(dense(40, 176), seed),
        "experts": lambda seed: measured(experts("stick-breaking"), seed),
        "experts, softmax attention": lambda seed: measured(experts("rotary"), seed),
    },
    verdict=verdict,
    seeds=3,
)
