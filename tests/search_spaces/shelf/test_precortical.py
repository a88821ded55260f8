import pytest
import torch

from search_spaces.shelf.precortical import CentreSurround, DifferenceOfGaussians, FreeFilter


def test_a_centre_and_its_surround_cancel_out():
    weight = DifferenceOfGaussians(7)().detach()
    assert weight[3, 3] > 0 > weight[0, 3]
    assert abs(float(weight.sum())) < 1e-6
    torch.testing.assert_close(weight, weight.mT)


@pytest.mark.parametrize("brightness", [-3.0, 0.4])
@pytest.mark.parametrize("contrast", [0.3, 2.5])
def test_nothing_of_a_global_change_of_light_passes(contrast, brightness):
    network, x = CentreSurround(8, 5, "dog", residual=False).double(), 30 * torch.randn(4, 8, 7, 6, dtype=torch.float64)
    torch.testing.assert_close(network(contrast * x + brightness), network(x), rtol=1e-3, atol=1e-3)


def test_all_channels_have_one_filter_and_gains_of_their_own():
    network, x = CentreSurround(3, 5, "free", residual=True), torch.randn(2, 3, 6, 6)
    with torch.no_grad():
        network.on_W11[1] = 2.0
        network.off_W11[1] = 0.5
    padded = torch.nn.functional.pad(x, [2] * 4, mode="replicate")
    weight = network.filter()
    found = torch.zeros_like(x)
    for row in range(6):
        for column in range(6):
            found[:, :, row, column] = (padded[:, :, row : row + 5, column : column + 5] * weight).sum((2, 3))
    found = torch.nn.functional.group_norm(found, 1)
    found[:, 1] = torch.where(found[:, 1] > 0, 2.0, 0.5) * found[:, 1]
    torch.testing.assert_close(network(x), x + found, rtol=1e-4, atol=1e-5)


def test_reports_how_much_of_even_light_is_removed():
    assert CentreSurround(8, 5, "dog", False).observe(torch.zeros(1))["light_removed"] > 1 - 1e-5
    network = CentreSurround(8, 5, "free", False)
    assert isinstance(network.filter, FreeFilter)
    torch.nn.init.ones_(network.filter.weight_KK)
    assert network.observe(torch.zeros(1))["light_removed"] == 0
