import numpy as np
import torch
from torch import nn

from search_spaces import Task
from search_spaces.chain import Chain
from search_spaces.shelf.convolution import Convolution
from search_spaces.shelf.dense import Dense
from search_spaces.shelf.merging import MergeablePointwise, blend_after, merged, merged_parameters
from search_spaces.shelf.vanilla import Vanilla
from search_spaces.task import Classes, Image

TASK = Task(Image(1, 12, 12), Classes(3))


def test_mergeable_convolutions_go_from_relu_to_one_linear_map():
    pair, x = MergeablePointwise(6, 4), torch.randn(5, 6, 3, 3)
    hidden = pair.first(x)
    torch.testing.assert_close(pair(x), pair.second(torch.relu(hidden)))
    pair.after_step(0, 4)
    torch.testing.assert_close(pair(x), pair.second(0.75 * torch.relu(hidden) + 0.25 * hidden))
    pair.after_step(3, 4)
    torch.testing.assert_close(pair(x), pair.second(hidden))
    torch.testing.assert_close(pair.eval()(x), pair.merged()(x))


def test_a_fresh_pair_is_merged_in_evaluation_mode():
    pair, x = MergeablePointwise(6, 4).eval(), torch.randn(5, 6, 3, 3)
    torch.testing.assert_close(pair(x), pair.merged()(x))


def test_activations_are_linear_after_their_share_of_the_training():
    assert [blend_after(step, 9, 1 / 3) for step in range(4)] == [1 / 3, 2 / 3, 1.0, 1.0]
    assert blend_after(9, 10) == 1.0


def test_a_chain_deploys_what_computes_the_same_with_fewer_parameters():
    space = Chain("image", (Vanilla(), Convolution()), width=(8,), depth=(2, 2))
    layers = [
        {"kind": "vanilla", "kernel": 5, "deep": True, "halve": True},
        {"kind": "convolution", "group": "all", "attention": True, "mergeable": True, "halve": False},
    ]
    genotype = {"width": 8, "layers": layers}
    network = space.build(genotype, TASK)
    for module in network.modules():
        if isinstance(module, MergeablePointwise):
            module.after_step(99, 100)
    x = torch.randn(7, *TASK.input_shape)
    trained = network(x)
    torch.testing.assert_close(network.eval()(x), trained)
    deployed = space.deployed(network)
    torch.testing.assert_close(deployed(x), trained, rtol=1e-4, atol=1e-5)
    assert not any(isinstance(module, MergeablePointwise) for module in deployed.modules())
    count = sum(parameter.numel() for parameter in deployed.parameters())
    assert count == sum(parameter.numel() for parameter in network.parameters()) - 2 * (8 * 8 + 8)
    assert merged_parameters(network) == count
    assert space.measure(genotype, network, trained)["deployed_parameters"] == count


def test_any_part_that_says_how_is_merged_and_the_network_stays_as_it_is():
    class Twice(nn.Module):
        def merged(self):
            return nn.Identity()

    network = nn.Sequential(nn.Linear(2, 3), nn.Sequential(Twice()))
    assert isinstance(merged(network).get_submodule("1.0"), nn.Identity)
    assert isinstance(network.get_submodule("1.0"), Twice)


def test_without_anything_to_merge_the_network_itself_is_deployed():
    space = Chain("vector", (Dense(),), width=(8,))
    network = space.build(space.genes.sample(np.random.default_rng(0)), TASK)
    assert space.deployed(network) is network
    assert "deployed_parameters" not in space.metrics
