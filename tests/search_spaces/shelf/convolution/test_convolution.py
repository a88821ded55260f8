import pytest
import torch

from search_spaces.shelf.convolution import (
    BlockSpec,
    ChannelAttention,
    ConvBlock,
    ConvNetwork,
    MergeablePointwise,
    attention_size,
)


@pytest.mark.parametrize(("channels", "size"), [(4, 1), (8, 3), (16, 3), (64, 3), (128, 5), (512, 5)])
def test_attention_looks_further_among_more_channels(channels, size):
    assert attention_size(channels) == size


def test_attention_scales_each_channel_by_a_gate_of_its_neighbours_means():
    attention, x = ChannelAttention(8), torch.randn(2, 8, 3, 3)
    weight = attention.convolution.weight[0, 0]
    means = x.mean((2, 3))
    for channel in range(8):
        total = sum(weight[j] * means[:, channel + j - 1] for j in range(3) if 0 <= channel + j - 1 < 8)
        gate = torch.sigmoid(torch.as_tensor(total))
        torch.testing.assert_close(attention(x)[:, channel], x[:, channel] * gate[:, None, None])


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
