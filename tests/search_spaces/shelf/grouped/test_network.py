import torch

from search_spaces.shelf.grouped.network import GroupedNetwork, GroupSpec, SparseGroup, slice_sizes
from search_spaces.shelf.grouped.rewiring import Rewiring


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
