import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.convolution import BlockSpec, ConvBlock, ConvNetwork, Convolution, ResidualBlock


def test_the_module_is_a_block_without_its_last_relu_on_normalised_input_and_added():
    genes = {"group": 4, "attention": True, "mergeable": True}
    network, x = Convolution().build(genes, Port("image", 8, (5, 6))), torch.randn(3, 8, 5, 6)
    assert isinstance(network, ResidualBlock)
    added = network(x) - x
    torch.testing.assert_close(torch.relu(added), network.block(network.norm(x)))
    assert network.block.spatial.groups == 2


def test_a_group_of_all_channels_is_a_dense_convolution():
    genes = {"group": "all", "attention": False, "mergeable": False}
    network = Convolution().build(genes, Port("image", 16, (5, 6)))
    assert isinstance(network, ResidualBlock)
    assert network.block.spatial.weight.shape == (16, 16, 3, 3)


def test_a_map_of_a_single_pixel_is_not_pooled():
    block = ConvBlock(BlockSpec(4, 8, 4, attention=True, mergeable=False, pool=True))
    assert block(torch.randn(2, 4, 5, 4)).shape == (2, 8, 2, 2)
    assert block(torch.randn(2, 4, 1, 4)).shape == (2, 8, 1, 4)


def test_signals_reach_the_end_of_deep_networks():
    torch.manual_seed(0)
    blocks = [BlockSpec(16, 16, 8, attention=False, mergeable=True, pool=False)] * 6
    network = ConvNetwork((1, 28, 28), blocks, 10)
    features = network.blocks(torch.relu(network.stem(torch.randn(50, 1, 28, 28))))
    assert 0.05 < float(features.detach().std()) < 20
