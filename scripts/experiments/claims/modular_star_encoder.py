"""ModularStarEncoder: exits that share one head, which is told the layer, and a loss that weighs them by depth.

Axes: B examples, T steps, W width.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn

from evaluators.data.shakespeare import Shakespeare
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded, minibatches
from search_spaces.chain import Chain
from search_spaces.chain.network import ChainNetwork
from search_spaces.shelf.attention import Attention
from search_spaces.shelf.dense import Dense

from . import Claim, Found, Numbers, difference, mean, tensors

WIDTH, DEPTH, EXITS = 24, 6, (2, 4, 6)
DATA = Shakespeare(steps=32, split=Split(train=6_400))
OPTIONS = TrainingOptions(1, 32, learning_rate=0.003, clip=1.0)
SPACE = Chain("tokens", (Attention(), Dense()), width=(WIDTH,), depth=(2, 2 * DEPTH))
BY_DEPTH = {exit: exit / DEPTH for exit in EXITS}
JUDGED = 1500
"""Rows of validation plays."""
EQUAL = 0.02
"""Bits per character within which losses count as equal."""


class Encoder(nn.Module):
    """Blocks of attention and a feed-forward layer, and answers after some of them.

    Args:
        depth: blocks.
        own_heads: whether every exit has a head of its own, and not one that adds a code of the layer to what it reads.
    """

    def __init__(self, depth: int, own_heads: bool) -> None:
        super().__init__()
        layers = [
            {"kind": "attention", "heads": 4, "rotary": True},
            {"kind": "dense", "hidden": 2 * WIDTH, "activation": "silu"},
        ]
        chain = SPACE.build({"width": WIDTH, "positions": "none", "layers": layers * depth}, DATA.task)
        assert isinstance(chain, ChainNetwork)
        self.stem, self.layers = chain.stem, chain.layers
        self.exits = [exit for exit in EXITS if exit <= depth]
        heads = len(self.exits) if own_heads else 1
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, DATA.task.outputs)) for _ in range(heads)
        )
        self.codes = nn.Parameter(0.1 * torch.randn(len(self.exits), WIDTH))

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """{exit: (B, T, characters)}."""
        state, found = self.stem(x), {}
        for number, layer in enumerate(self.layers, start=1):
            state = layer(state)
            depth, inside = divmod(number, 2)
            if not inside and depth in self.exits:
                place = self.exits.index(depth)
                shared = len(self.heads) == 1
                found[depth] = self.heads[0 if shared else place](state + self.codes[place] if shared else state)
        return found


@cache
def text(part: Part) -> tuple[Tensor, Tensor]:
    """Of a part of the plays."""
    return tensors(DATA, part)


def trained(depth: int, weights: Mapping[int, float], seed: int, own_heads: bool = False) -> dict[int, float]:
    """{exit: bits per character on validation plays}, after training on the weighted mean of the exits' losses."""
    network = cast(Encoder, build_seeded(lambda: Encoder(depth, own_heads), seed))
    optimiser = torch.optim.Adam(network.parameters())
    inputs, targets = text(Part.TRAIN)
    steps, total = OPTIONS.steps(len(inputs)), sum(weights.values())
    for step, rows in enumerate(minibatches(len(inputs), OPTIONS.batch_size, steps, seed)):
        optimiser.param_groups[0]["lr"] = OPTIONS.learning_rate_at(step, steps)
        optimiser.zero_grad()
        answers = network(inputs[rows])
        loss = torch.stack(
            [
                weight / total * nn.functional.cross_entropy(answers[exit].mT, targets[rows])
                for exit, weight in weights.items()
            ]
        ).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), OPTIONS.clip or 0)
        optimiser.step()
    inputs, targets = (part[:JUDGED] for part in text(Part.VALIDATION))
    found: dict[int, list[float]] = {exit: [] for exit in network.exits}
    with torch.no_grad():
        for start in range(0, len(inputs), 200):
            rows = slice(start, start + 200)
            for exit, answer in network(inputs[rows]).items():
                found[exit].append(float(nn.functional.cross_entropy(answer.mT, targets[rows])))
    return {exit: statistics.mean(losses) / 0.693147 for exit, losses in found.items()}


def named(bits: Mapping[int, float]) -> Numbers:
    """As the table has them."""
    return {f"exit {exit}": bits[exit] for exit in EXITS}


def joint(weights: Mapping[int, float], own_heads: bool = False) -> Callable[[int], Numbers]:
    """One network with all exits."""
    return lambda seed: named(trained(DEPTH, weights, seed, own_heads))


def alone(seed: int) -> Numbers:
    """A network for each exit, which ends there, each trained for as many steps."""
    return named({exit: trained(exit, {exit: 1.0}, seed)[exit] for exit in EXITS})


def verdict(found: Found) -> tuple[str, str]:
    """Holds: early exits are below networks that end there by two standard errors, and the last is no worse."""
    first, middle, last = (f"exit {exit}" for exit in EXITS)
    gains = {key: difference(found, "joint, by depth", "each alone", key) for key in (first, middle, last)}
    heads, doubt = difference(found, "joint, by depth", "joint, own heads", first)
    equal, blur = difference(found, "joint, by depth", "joint, equal weights", first)
    cut = mean(found, "last exit alone", first)
    said = ", ".join(f"{gain:+.3f} ± {error:.3f} at {key}" for key, (gain, error) in gains.items())
    why = (
        f"Against networks that end there, joint training is {said} (bits per character, less is better). Own heads"
        f" instead of one make {-heads:+.3f} ± {doubt:.3f} at the first exit, equal weights {-equal:+.3f} ± {blur:.3f};"
        f" a network trained at its end alone has {cut:.2f} there. Holds: below at both early exits by two standard"
        f" errors, and at the last no more than {EQUAL} above."
    )
    early = [gains[first], gains[middle]]
    worse = gains[last][0] - EQUAL > 2 * gains[last][1]
    if worse or any(gain > 2 * error for gain, error in early):
        return "does not hold", why
    return ("holds" if all(gain < -2 * error for gain, error in early) else "undecided"), why


CLAIM = Claim(
    system="ModularStarEncoder (arXiv 2503.03008)",
    claim=(
        "Exits that are trained together, with one head that is told the layer and losses weighed by depth, are better"
        " than networks that end at the same layer, and the last one loses nothing."
    ),
    test=(
        "Shakespeare's characters in rows of 32, 6,400 for training (200 steps of 32), 1,500 for validation: six blocks"
        f" of attention and a feed-forward layer, {WIDTH} units, exits after 2, 4 and 6. The loss is the mean of the"
        " exits' losses, weighed by i/6. Controls: a network for each exit that ends there; equal weights; heads of"
        " their own; the last exit alone. Deviations: next characters from scratch instead of masked tokens of code,"
        " whose pretraining takes weeks; no second task of matching files, no retrieval, and a short training."
    ),
    arms={
        "joint, by depth": joint(BY_DEPTH),
        "joint, equal weights": joint(dict.fromkeys(EXITS, 1.0)),
        "joint, own heads": joint(BY_DEPTH, own_heads=True),
        "last exit alone": joint({DEPTH: 1.0}),
        "each alone": alone,
    },
    verdict=verdict,
    seeds=3,
)
