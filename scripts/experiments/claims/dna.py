"""Distributed Neural Architectures: tokens that choose their way, against layers that all tokens pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from evaluators.data.shakespeare import VALIDATION, Shakespeare
from evaluators.data.split import Split
from evaluators.data.text.reading import Texts
from evaluators.supervised import Supervised
from qd.metrics.routing import predict
from qd.training import TrainingOptions, build_seeded
from search_spaces import Genotype
from search_spaces.chain import Chain
from search_spaces.routed import Routed
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.dense import Dense

from . import Claim, Found, Numbers, difference, mean, trained


@dataclass(frozen=True)
class OneComedy(Shakespeare):
    """Validated on one comedy, as a test of minutes cannot read three plays for every network."""

    def open(self) -> Texts:
        every = super().open()
        assert every.parts is not None
        kept = [row for row, name in enumerate(every.names) if name not in VALIDATION[1:]]
        texts, names = zip(*((every.texts[row], every.names[row]) for row in kept), strict=True)
        return Texts(list(texts), names=names, parts=every.parts[kept])


DATA = OneComedy(steps=32, split=Split(train=2000))
TRAINING = TrainingOptions(epochs=2, batch_size=32, learning_rate=0.004)
MODULES = (Attention(), Dense())
ATTENTION: Genotype = {"kind": "attention", "heads": 2, "rotary": False}
DENSE: Genotype = {"kind": "dense", "hidden": 64, "activation": "silu"}
ENDS: Genotype = {"width": 32, "positions": "learnt"}
STEPS = 4
SKIP = 0.25
EQUAL = 0.02
"""Losses that differ by no more than this share are called equal."""


def routed(skip: float) -> Genotype:
    """Two fixed modules, and four steps through a pool of four."""
    pool = [ATTENTION, DENSE] * 2
    return {**ENDS, "fixed": [ATTENTION, DENSE], "pool": pool, "steps": STEPS, "top_k": 1, "skip": skip}


def of_routed(skip: float, seed: int) -> Numbers:
    """A routed network, trained."""
    space = Routed(MODULES, (32,), steps=(1, STEPS), pool=(1, 4), fixed=(0, 2))
    return of_network(trained(space, [routed(skip)], DATA, TRAINING, seed)[0])


def of_dense(layers: int, seed: int) -> Numbers:
    """Modules one after the other, trained."""
    space = Chain("tokens", MODULES, (32,), (1, layers))
    genotype = {**ENDS, "layers": ([ATTENTION, DENSE] * layers)[:layers]}
    return numbers(trained(space, [genotype], DATA, TRAINING, seed)[0], layers, 0, 0)


def untrained(seed: int) -> Numbers:
    """The paths of a network as it starts, with the same genes."""
    space, told = Routed(MODULES), Supervised(DATA, TRAINING).task_data()
    network = build_seeded(lambda: space.build(routed(0), DATA.task), seed).eval()
    examples = told.examples("validation")
    outputs, _ = predict(network, torch.as_tensor(examples.inputs[:]))
    found = space.measure(routed(0), network, outputs)
    scores = told.score(outputs.numpy(), np.asarray(examples.targets))
    return of_network({**scores, **found})


def of_network(found: Mapping[str, float]) -> Numbers:
    """What every arm gives, of a routed network."""
    skipped = found["skipped_share"]
    return numbers(found, 2 + STEPS * (1 - skipped), skipped, found["path_exponent"])


def numbers(found: Mapping[str, float], active: float, skipped: float, exponent: float) -> Numbers:
    """What every arm gives."""
    return {
        "bits per character": found["val_bits_per_token"],
        "active modules": active,
        "skipped share": skipped,
        "path exponent": exponent,
    }


def verdict(found: Found) -> tuple[str, str]:
    """Equal loss at equal active modules, with and without skipping; then paths."""
    bits = "bits per character"
    said, parts = [], []
    for arm, other, what in (
        ("routed", "dense, 6 modules", "Without skipping"),
        (SKIPPING, "dense, 5 modules", "with skipping"),
    ):
        gap, error = difference(found, arm, other, bits)
        limit = EQUAL * mean(found, other, bits)
        parts.append(gap + 2 * error <= limit)
        said.append(f"{what} routed networks need {gap:+.3f} ± {error:.3f} bits against {other} (limit {limit:.3f})")
    skipped = mean(found, SKIPPING, "skipped share")
    parts.append(abs(skipped - SKIP) <= 0.05)
    said.append(f"tokens skip {skipped:.0%} of modules where {SKIP:.0%} are wanted")
    steeper, error = difference(found, "routed", "untrained", "path exponent")
    parts.append(steeper < -2 * error)
    said.append(f"paths of trained networks have an exponent {steeper:+.2f} ± {error:.2f} from that of untrained ones")
    depth, error = difference(found, "dense, 6 modules", "dense, 5 modules", bits)
    blind = "so this test says little about what skipping costs" if abs(depth) <= 2 * error else "so depth matters here"
    said.append(f"a sixth dense module changes {depth:+.3f} ± {error:.3f} bits, {blind}")
    word = "holds" if all(parts) else "does not hold"
    names = ("equal loss", "equal loss with skipping", "skipping as wanted", "steeper paths when trained")
    held = [name for name, part in zip(names, parts, strict=True) if part]
    return word, f"{'; '.join(said)}. Parts that hold: {', '.join(held) or 'none'}."


SKIPPING = "routed, 25% wanted to skip"
CLAIM = Claim(
    system="Distributed Neural Architectures (DNA, arXiv 2506.22389)",
    claim=(
        "Tokens that choose their way through a pool of modules reach the loss of layers that all tokens pass, at equal"
        " active modules; they learn to skip a wanted share; their paths follow a power law, steeper than in untrained"
        " networks."
    ),
    test=(
        "The next character of Shakespeare: 2,000 windows of 32 characters, 126 steps in every trained arm, width"
        " 32, validated on one comedy. Routed: attention and a dense module that all tokens pass, then four steps"
        " with one choice each among two attention and two dense modules and an identity module. Dense: the same"
        " modules one after the other, six or five, in as many calls for each token. Losses count as equal where"
        " the mean difference and twice its standard error stay below 2% of the loss; a skipped share within 5"
        " points of 25% counts as wanted; exponents differ where their mean difference is above twice its standard"
        " error. A slope is fitted to whatever counts there are: whether a power law describes them is not tested."
        " The paper trains networks of hundreds of millions of parameters, on blocks of attention and feed- forward"
        " together."
    ),
    arms={
        "dense, 6 modules": lambda seed: of_dense(6, seed),
        "dense, 5 modules": lambda seed: of_dense(5, seed),
        "routed": lambda seed: of_routed(0.0, seed),
        SKIPPING: lambda seed: of_routed(SKIP, seed),
        "untrained": untrained,
    },
    verdict=verdict,
    seeds=3,
)
