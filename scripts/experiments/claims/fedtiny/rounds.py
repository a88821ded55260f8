"""What clients and server do together: federated averaging, measured statistics, and an adjustment of the weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from qd.training import TrainingOptions, train_alone
from qd.training.supernet import measure_statistics
from search_spaces.shelf.grouped.rewiring import rewire

from .sparse import Network

Client = tuple[Tensor, Tensor]
"""Images and classes."""


def divided(targets: Tensor, clients: int, skew: float, fewest: int, seed: int) -> list[Tensor]:
    """Rows of each client: every class by shares from a Dirichlet distribution, drawn until nobody has too few.

    Args:
        targets: (N,) classes.
        clients: how many.
        skew: parameter of the distribution for all clients; the smaller, the more uneven.
        fewest: rows of a client, at least.
        seed: of what is drawn.
    """
    rng = np.random.default_rng(seed)
    while True:
        owner = np.empty(len(targets), np.int64)
        for kind in targets.unique().tolist():
            mine = (targets == kind).numpy()
            owner[mine] = rng.choice(clients, mine.sum(), p=rng.dirichlet([skew] * clients))
        if np.bincount(owner, minlength=clients).min() >= fewest:
            return [torch.from_numpy(np.flatnonzero(owner == one)) for one in range(clients)]


def averaged(states: Sequence[dict[str, Tensor]], of: Sequence[Client]) -> dict[str, Tensor]:
    """States of clients, by their numbers of examples."""
    sizes = torch.tensor([len(targets) for _, targets in of], dtype=torch.float32)
    shares = sizes / sizes.sum()
    return {
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))  # type: ignore[misc]
        for name in states[0]
    }


def kept(network: Network) -> dict[str, Tensor]:
    """A copy of its state."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def adapt(network: Network, of: Sequence[Client], batch_size: int) -> None:
    """Every client measures the statistics of the norms; their averages are set."""
    states = []
    for inputs, _ in of:
        measure_statistics(network, inputs, batch_size)
        states.append({name: tensor for name, tensor in kept(network).items() if "running" in name})
    network.load_state_dict(averaged(states, of), strict=False)


@torch.no_grad()
def loss(network: Network, of: Sequence[Client]) -> float:
    """Of all clients, by examples."""
    network.eval()
    total = sum(float(nn.functional.cross_entropy(network(x), wanted, reduction="sum")) for x, wanted in of)
    return total / sum(len(wanted) for _, wanted in of)


def train_round(network: Network, of: Sequence[Client], options: TrainingOptions, seed: int) -> None:
    """Federated averaging: clients train from the same state; what they get is averaged, norms' statistics included."""
    start, states = kept(network), []
    for number, (inputs, targets) in enumerate(of):
        network.load_state_dict(start)
        train_alone(network, inputs, targets, options, "cross_entropy", seed + number)
        states.append(kept(network))
    network.load_state_dict(averaged(states, of))


def adjust(network: Network, of: Sequence[Client], block: int, share: float, batch_size: int, seed: int) -> None:
    """Of each layer of a block, drop a share of the weights, the smallest, and grow those of the largest gradients.

    Gradients are averaged over clients, of which each has one minibatch, and sends its largest of absent weights alone,
    as many as are grown.
    """
    names = [name for name in network.masks if name.startswith(f"blocks.{block}.")]
    counts = {name: replaced(network.masks[name], share) for name in names}
    sent = []
    for number, (inputs, targets) in enumerate(of):
        rows = torch.from_numpy(np.random.default_rng(seed + number).permutation(len(targets))[:batch_size])
        before = kept(network)
        network.train().zero_grad()
        nn.functional.cross_entropy(network(inputs[rows]), targets[rows]).backward()
        network.load_state_dict(before)  # the statistics of the norms
        sent.append({name: largest(network, name, counts[name]) for name in names})
    gradients = averaged(sent, of)
    for name in names:
        weight = network.get_parameter(name).detach()
        rewire(weight, network.masks[name], weight.abs(), gradients[name].abs(), counts[name])


def replaced(mask: Tensor, share: float) -> int:
    """How many weights of a layer are replaced: no more than are absent."""
    present = int(mask.sum())
    return min(int(share * present), mask.numel() - present)


def largest(network: Network, name: str, count: int) -> Tensor:
    """A layer's `count` largest gradients of absent weights, and 0 elsewhere."""
    gradient = network.get_parameter(name).grad
    assert gradient is not None
    absent = gradient * (1 - network.masks[name])
    rows = absent.flatten().abs().topk(count).indices
    return torch.zeros_like(absent).view(-1).index_copy(0, rows, absent.flatten()[rows]).view_as(absent)
