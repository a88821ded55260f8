"""FedTiny: a sparse network that clients choose and rewire together, against one that a server prunes once.

From the published code: statistics and losses are averaged by numbers of examples, the share of replaced weights falls
as a cosine does, gradients are of one minibatch of each client. From descriptions of the paper, and not verified: layer
densities of candidates at random, blocks in turn and from the last, the largest gradients alone are sent, the server's
own training on a few images. The published code draws candidates by seeds and adjusts all blocks at once.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import nn

from evaluators.data.fashion_mnist import FashionMNIST
from evaluators.data.split import Part, Split
from qd.training import TrainingOptions, build_seeded, train_alone

from .. import Claim, Found, Numbers, difference, mean, tensors
from .rounds import Client, adapt, adjust, divided, loss, train_round
from .sparse import Network, pruned, pruned_together

DATA = FashionMNIST(split=Split(train=2900, validation=2000))
PUBLIC = 500
"""Training images that the server has; all others are the clients'."""
CLIENTS, SKEW, FEWEST = 10, 0.5, 20
DENSITIES = (0.05, 0.01)
CANDIDATES, NOISE = 10, 0.5
TOGETHER = 0.05
"""From this density on, the server's pruning has one threshold for all layers."""
ROUNDS, LAST, REPLACED = 25, 10, 0.2
"""Rounds in all; how many of them end by an adjustment, and the share that the first replaces."""
SERVER = TrainingOptions(20, 50, "sgd", 0.05)
LOCAL = TrainingOptions(1, 32, "sgd", 0.1, schedule="constant")


@cache
def images(part: Part) -> Client:
    """Of 14 x 14 pixels."""
    inputs, targets = tensors(DATA, part)
    return nn.functional.avg_pool2d(inputs, 2), targets


@cache
def clients(seed: int) -> list[Client]:
    """All but the server's images."""
    inputs, targets = (one[PUBLIC:] for one in images(Part.TRAIN))
    return [(inputs[rows], targets[rows]) for rows in divided(targets, CLIENTS, SKEW, FEWEST, seed)]


@cache
def pretrained(seed: int) -> Network:
    """A dense network that the server has trained on its few images."""
    network = build_seeded(Network, seed)
    inputs, targets = (one[:PUBLIC] for one in images(Part.TRAIN))
    train_alone(network, inputs, targets, SERVER, "cross_entropy", seed)
    return network  # type: ignore[return-value]


def candidates(seed: int, density: float) -> list[Network]:
    """Prunings with layer densities at random around Erdős–Rényi-kernel's."""
    network, rng = pretrained(seed), np.random.default_rng(seed)
    layers = len(network.masks)
    return [pruned(network, density, np.exp(rng.normal(0, NOISE, layers)).tolist()) for _ in range(CANDIDATES)]


def selected(seed: int, density: float, adaptive: bool) -> Network:
    """The candidate of lowest loss on all clients' images, with statistics that they have measured or the server's."""
    found = candidates(seed, density)
    if adaptive:
        for one in found:
            adapt(one, clients(seed), LOCAL.batch_size)
    return min(found, key=lambda one: loss(one, clients(seed)))


def once(seed: int, density: float) -> Network:
    """Pruned by the server, in the way that was better on validation images.

    One threshold for all layers is where many weights are left; with few it leaves layers without any.
    """
    return (pruned_together if density >= TOGETHER else pruned)(pretrained(seed), density)


def federated(network: Network, seed: int, progressive: bool) -> Network:
    """Train; blocks that are adjusted take turns, from the last to the first."""
    of, blocks = clients(seed), len(network.blocks)
    for round in range(ROUNDS):
        draws = 1_000_000 * (seed + 1) + 1000 * round
        rate = replace(LOCAL, schedule="cosine").learning_rate_at(round, ROUNDS)
        train_round(network, of, replace(LOCAL, learning_rate=rate), draws)
        if progressive and round < LAST:
            share = 0.5 * REPLACED * (1 + math.cos(math.pi * round / LAST))
            adjust(network, of, blocks - 1 - round % blocks, share, LOCAL.batch_size, draws + CLIENTS)
    return network


@torch.no_grad()
def accuracy(network: Network, part: Part) -> float:
    """In percent."""
    inputs, targets = images(part)
    return 100 * float((network.eval()(inputs).argmax(1) == targets).double().mean())


def arm(start: Callable[[int, float], Network], progressive: bool) -> Callable[[int], Numbers]:
    """Train what `start` gives at each density; what it is worth before, and on the test split afterwards."""

    def measure(seed: int) -> Numbers:
        found, before = {}, []
        for density in DENSITIES:
            network = start(seed, density)
            adapted = deepcopy(network)
            adapt(adapted, clients(seed), LOCAL.batch_size)
            before.append(loss(adapted, clients(seed)))
            found[f"accuracy at {density:.0%}"] = accuracy(federated(network, seed, progressive), Part.TEST)
        return {**found, "mean accuracy": statistics.mean(found.values()), "loss before": statistics.mean(before)}

    return measure


def verdict(found: Found) -> tuple[str, str]:
    """Holds: above pruning once, and selection with measured statistics above the server's, each by two errors."""
    lead, error = difference(found, "FedTiny", "pruned once", "mean accuracy")
    gain, slack = difference(found, "FedTiny", "FedTiny, server's statistics", "mean accuracy")
    chosen, doubt = difference(found, "selected alone", "pruned once", "mean accuracy")
    moved, blur = difference(found, "progressive alone", "pruned once", "mean accuracy")
    keys = [f"accuracy at {density:.0%}" for density in DENSITIES]
    pairs = list(zip(found["FedTiny"], found["FedTiny, server's statistics"], strict=True))
    same = sum(one[key] == other[key] for one, other in pairs for key in keys)
    before, usual = mean(found, "FedTiny", "loss before"), mean(found, "pruned once", "loss before")
    why = (
        f"FedTiny is {lead:+.2f} ± {error:.2f} points of test accuracy from a network that the server prunes once, and"
        f" {gain:+.2f} ± {slack:.2f} from itself where candidates are compared with the server's statistics; both ways"
        f" choose the same candidate in {same} of {len(pairs) * len(keys)} cases. Selection alone is"
        f" {chosen:+.2f} ± {doubt:.2f} points from pruning once, and progressive pruning alone"
        f" {moved:+.2f} ± {blur:.2f}. Before training the selected network has a loss of {before:.2f} on the clients'"
        f" images, and the one pruned once {usual:.2f} (guessing: {math.log(10):.2f}). Holds: above both by two"
        " standard errors."
    )
    if lead < -2 * error or gain < -2 * slack:
        return "does not hold", why
    return ("holds" if lead > 2 * error and gain > 2 * slack else "undecided"), why


CLAIM = Claim(
    system="FedTiny (Huang et al., arXiv 2212.01977)",
    claim=(
        "At 5% of the weights and below, a pruning that clients choose by batch norm statistics averaged over them, and"
        " whose weights they replace step by step, is more accurate than one by magnitude that a server makes once; and"
        " the averaged statistics choose better than those of the server."
    ),
    test=(
        f"Fashion-MNIST at 14 x 14 pixels: {PUBLIC} images for the server, 2,400 divided among {CLIENTS} clients by a"
        f" Dirichlet distribution of {SKEW} for each class, settings chosen on 2,000 others. Four convolutions with"
        f" batch norms and a linear head, 60,688 weights, of which 5% or 1% are left; the server trains it dense first."
        f" {CANDIDATES} candidates by magnitude, their layer densities at random around Erdős–Rényi-kernel's;"
        f" {ROUNDS} rounds of federated averaging, one local epoch each. After each of the first {LAST} one block's"
        f" weights are replaced, {REPLACED:.0%} at first and less as a cosine falls, by the largest averaged gradients,"
        " of which each client sends as many as are replaced. Controls: one threshold for all layers (5%) or"
        " Erdős–Rényi-kernel's densities (1%), whichever was better, and no change; each part alone. Deviations: a"
        " small network, fewer rounds, a learning rate that falls from round to round; a weight that was just dropped"
        " is not grown at once. Layer densities at random, blocks in turn from the last, and the server's own training"
        " are as we understand the paper; its published code draws candidates by seeds, and adjusts all blocks at once."
    ),
    arms={
        "FedTiny": arm(lambda seed, density: selected(seed, density, True), True),
        "FedTiny, server's statistics": arm(lambda seed, density: selected(seed, density, False), True),
        "selected alone": arm(lambda seed, density: selected(seed, density, True), False),
        "progressive alone": arm(once, True),
        "pruned once": arm(once, False),
    },
    verdict=verdict,
    seeds=3,
    digits=2,
)
