import pytest
import torch

from search_spaces.shelf.base import Port
from search_spaces.shelf.channel_attention import ChannelAttention, ChannelGates, GatedChannels, attention_size


@pytest.mark.parametrize(("channels", "size"), [(4, 1), (8, 3), (16, 3), (64, 3), (128, 5), (512, 5)])
def test_attention_looks_further_among_more_channels(channels, size):
    assert attention_size(channels) == size


def test_attention_scales_each_channel_by_a_gate_of_its_neighbours_means():
    attention, x = ChannelGates(3), torch.randn(2, 8, 3, 3)
    weight = attention.convolution.weight[0, 0]
    means = x.mean((2, 3))
    for channel in range(8):
        total = sum(weight[j] * means[:, channel + j - 1] for j in range(3) if 0 <= channel + j - 1 < 8)
        gate = torch.sigmoid(torch.as_tensor(total))
        torch.testing.assert_close(attention(x)[:, channel], x[:, channel] * gate[:, None, None])


def test_the_gene_says_how_many_neighbours_or_the_width_does():
    for gene, width, size in ((5, 8, 5), ("width", 8, 3), ("width", 128, 5)):
        network = ChannelAttention().build({"neighbours": gene}, Port("image", width, (2, 2)))
        assert isinstance(network, GatedChannels)
        assert network.attention.convolution.kernel_size == (size,)


def test_gates_of_channels_that_are_alike_have_no_spread():
    network, x = GatedChannels(8, 3), torch.randn(3, 8, 4, 4)
    assert network.observe(x)["gate_spread"] > 0
    torch.nn.init.zeros_(network.attention.convolution.weight)
    assert network.observe(x)["gate_spread"] == 0
