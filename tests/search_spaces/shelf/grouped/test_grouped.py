import itertools

import pytest
import torch

from search_spaces.shelf.grouped import (
    GroupedNetwork,
    GroupSpec,
    Rewiring,
    SparseGroup,
    is_rewiring_step,
    rewire,
    slice_sizes,
)


def test_slices_cover_the_input():
    assert slice_sizes(16, 8) == [2] * 8
    assert slice_sizes(11, 4) == [2, 3, 3, 3]
    assert slice_sizes(3, 8) == [1, 1, 1]


def test_a_group_reads_its_sources_alone():
    layers = [
        [GroupSpec(3, "tanh", (1,)), GroupSpec(2, "relu", (0, 2))],
        [GroupSpec(4, "elu", (1,)), GroupSpec(5, "silu", (0, 1))],
    ]
    network = GroupedNetwork([2, 2, 2], layers, 3, None)
    x = torch.randn(6, 2, 3)
    flat = x.flatten(1)
    first, second = network.layers[0]  # pyright: ignore[reportGeneralTypeIssues]
    third, fourth = network.layers[1]  # pyright: ignore[reportGeneralTypeIssues]
    a = torch.tanh(flat[:, 2:4] @ first.weight.T + first.bias)
    b = torch.relu(flat[:, [0, 1, 4, 5]] @ second.weight.T + second.bias)
    c = torch.nn.functional.elu(b @ third.weight.T + third.bias)
    d = torch.nn.functional.silu(torch.cat([a, b], 1) @ fourth.weight.T + fourth.bias)
    torch.testing.assert_close(network(x), network.head(torch.cat([c, d], 1)))


def test_the_weakest_are_pruned_and_those_with_the_greatest_gradient_regrow():
    weight = torch.tensor([[5.0, -1, 0, 0], [2, -3, 0, 0]])
    mask = torch.tensor([[1.0, 1, 0, 0], [1, 1, 0, 0]])
    gradient = torch.tensor([[9.0, 9, 1, -4], [9, 9, 2, 3]])
    rewire(weight, gradient, mask, 2)
    assert mask.tolist() == [[1, 0, 0, 1], [0, 1, 0, 1]]
    assert weight.tolist() == [[5, 0, 0, 0], [0, -3, 0, 0]]


def test_among_equals_the_lowest_index_goes_first():
    weight = torch.tensor([[1.0, -1, 1, 0, 0, 0]]).repeat(50, 1)
    mask = (weight != 0).float()
    rewire(weight, torch.zeros(50, 6), mask, 40)
    first = torch.zeros(300)
    first[[6 * row + column for row in range(50) for column in (0, 1, 2)][40:]] = 1
    first[[6 * row + column for row in range(50) for column in (3, 4, 5)][:40]] = 1
    assert mask.flatten().equal(first)


@pytest.mark.parametrize("steps", [8, 100, 141])
def test_rewiring_is_over_after_three_quarters_of_the_training(steps):
    at = [step + 1 for step in range(steps) if is_rewiring_step(step, steps)]
    assert len(at) == 6
    assert at[-1] <= 0.75 * steps
    assert {b - a for a, b in itertools.pairwise(at)} == {at[0]}


def test_a_short_training_rewires_at_its_first_steps():
    assert [is_rewiring_step(step, 3) for step in range(3)] == [True] * 3


def test_sparse_groups_keep_their_number_of_weights_and_absent_ones_are_zero():
    torch.manual_seed(0)
    group = SparseGroup(20, 10, "tanh", Rewiring(0.3, 0.4))
    assert int(group.mask.sum()) == 60 == int((group.weight != 0).sum())
    before = group.mask.clone()
    optimiser = torch.optim.Adam(group.parameters(), 0.01)
    for step in range(16):
        optimiser.zero_grad()
        group(torch.randn(30, 20)).square().sum().backward()
        optimiser.step()
        group.after_step(step, 16)
        assert int(group.mask.sum()) == 60
        assert not group.weight[group.mask == 0].any()
    assert not group.mask.equal(before)
    assert int((group.weight != 0).sum()) == 60


def test_a_fraction_never_replaces_more_than_are_absent():
    assert Rewiring(0.9, 0.5).replaced(100) == 10
    assert Rewiring(0.5, 0.1).replaced(100) == 5
    assert Rewiring(0.01, 0.5).present(20) == 1
