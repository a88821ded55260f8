"""FedTiny's parts, on small noise."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from qd.training import TrainingOptions, build_seeded
from scripts.experiments.claims.fedtiny.rounds import Client, adapt, adjust, averaged, divided, kept, loss, train_round
from scripts.experiments.claims.fedtiny.sparse import Network, layer_densities, pruned, pruned_together

OPTIONS = TrainingOptions(1, 8, "sgd", 0.1, schedule="constant")


@pytest.fixture
def network() -> Network:
    found = build_seeded(Network, 0)
    assert isinstance(found, Network)
    return found


@pytest.fixture
def clients() -> list[Client]:
    rng = torch.Generator().manual_seed(0)
    sizes = (8, 24)
    return [
        (1 + torch.randn(size, 1, 14, 14, generator=rng), torch.randint(10, (size,), generator=rng)) for size in sizes
    ]


def weights(network: Network) -> int:
    return sum(int(mask.sum()) for mask in network.masks.values())


@pytest.mark.parametrize("density", [0.01, 0.05, 0.9])
def test_layer_densities_leave_as_many_weights_as_are_wanted(network: Network, density: float) -> None:
    factors = [0.5, 1.0, 2.0, 1.0, 3.0]
    shares = layer_densities(network.masks, density, factors)
    sizes = {name: mask.numel() for name, mask in network.masks.items()}
    assert sum(share * sizes[name] for name, share in shares.items()) == pytest.approx(density * sum(sizes.values()))
    assert max(shares.values()) <= 1


def test_the_largest_weights_of_each_layer_or_of_all_are_left(network: Network) -> None:
    for found in (pruned(network, 0.05), pruned_together(network, 0.05)):
        assert weights(found) == pytest.approx(0.05 * weights(network), abs=3)
        for name, mask in found.masks.items():
            assert torch.equal(found.get_parameter(name) != 0, mask == 1)
    for name, mask in pruned(network, 0.05).masks.items():
        sizes, count = network.get_parameter(name).detach().abs().flatten(), int(mask.sum())
        assert torch.equal(sizes[mask.flatten() == 1].sort().values, sizes.sort().values[-count:])
    together = pruned_together(network, 0.05)
    left = torch.cat([together.get_parameter(name)[mask == 1].abs() for name, mask in together.masks.items()])
    gone = torch.cat([network.get_parameter(name)[mask == 0].abs() for name, mask in together.masks.items()])
    assert left.min() > gone.max()


def test_every_row_has_one_client_and_classes_are_uneven() -> None:
    targets = torch.arange(10).repeat(100)
    rows = divided(targets, clients=5, skew=0.5, fewest=20, seed=1)
    assert sorted(torch.cat(rows).tolist()) == list(range(1000))
    assert min(map(len, rows)) >= 20
    counts = torch.stack([targets[one].bincount(minlength=10) for one in rows])
    assert (counts.float().std(0) > 10).all()  # of 20 each, if they were even
    again = divided(targets, clients=5, skew=0.5, fewest=20, seed=1)
    assert all(torch.equal(one, other) for one, other in zip(rows, again, strict=True))


def test_averages_count_examples(clients: list[Client]) -> None:
    found = averaged([{"a": torch.tensor([0.0, 4.0])}, {"a": torch.tensor([8.0, 4.0])}], clients)
    assert found["a"].tolist() == [6.0, 4.0]


def test_a_round_trains_what_is_present_alone(network: Network, clients: list[Client]) -> None:
    network = pruned(network, 0.05)
    before, lost = kept(network), loss(network, clients)
    for seed in range(5):
        train_round(network, clients, OPTIONS, seed)
    assert loss(network, clients) < lost
    for name, mask in network.masks.items():
        assert not network.get_parameter(name)[mask == 0].any()
        assert not torch.equal(network.get_parameter(name), before[name])


def test_measured_statistics_are_those_of_all_clients(network: Network, clients: list[Client]) -> None:
    before = kept(network)
    adapt(network, clients, batch_size=8)
    first, norm = network.blocks[0][0], network.blocks[0][1]  # type: ignore[index]
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None
    everything = torch.cat([inputs for inputs, _ in clients])
    torch.testing.assert_close(norm.running_mean, first(everything).mean((0, 2, 3)))
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name])


def test_an_adjustment_swaps_the_smallest_weights_for_those_of_the_largest_gradients(
    network: Network, clients: list[Client]
) -> None:
    network = pruned(network, 0.05)
    before, masks = kept(network), {name: mask.clone() for name, mask in network.masks.items()}
    adjust(network, clients, block=1, share=0.2, batch_size=100, seed=0)
    network.load_state_dict(before)
    network.train().zero_grad()
    losses = [nn.functional.cross_entropy(network(x), wanted, reduction="sum") for x, wanted in clients]
    found = torch.autograd.grad(torch.stack(losses).sum() / 32, [network.get_parameter(name) for name in masks])
    gradients = dict(zip(masks, found, strict=True))
    for name, mask in masks.items():
        grown, dropped = network.masks[name] > mask, network.masks[name] < mask
        wanted = int(0.2 * int(mask.sum())) if name.startswith("blocks.1.") else 0
        assert int(grown.sum()) == int(dropped.sum()) == wanted
        if wanted:
            sizes = before[name].abs()
            assert sizes[dropped].max() <= sizes[(mask == 1) & ~dropped].min()
            typical = gradients[name].abs()[(mask == 0) & ~grown].mean()
            assert gradients[name].abs()[grown].min() > typical
