"""Axes: B examples, I units that come in, O units that go out, C functions of a basis, W width."""

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline

from search_spaces.shelf.base import Port
from search_spaces.shelf.kan import KANLayer
from search_spaces.shelf.kan.bases import Basis, Chebyshev, Fourier, Spline, Wavelet
from search_spaces.shelf.selective_kan import SelectiveKAN

U = torch.linspace(-0.999, 0.999, 41, dtype=torch.float64)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("intervals", [1, 2, 7])
def test_splines_are_those_of_scipy(order: int, intervals: int) -> None:
    count = intervals + order
    knots = -1 + 2 / intervals * np.arange(-order, count + 1)
    expected = BSpline(knots, np.eye(count), order)(U.numpy())
    np.testing.assert_allclose(Spline(count, order).double()(U), expected, atol=1e-12)


def test_the_other_functions_are_what_they_are_called() -> None:
    angle = torch.arccos(U)
    chebyshev = torch.stack([torch.cos(degree * angle) for degree in range(1, 6)], -1)
    torch.testing.assert_close(Chebyshev(5).double()(U), chebyshev)
    pi = math.pi
    waves = torch.stack([torch.cos(pi * U), torch.sin(pi * U), torch.cos(2 * pi * U)], -1)
    torch.testing.assert_close(Fourier(3)(U.float()), waves.float(), rtol=0, atol=1e-5)
    hats = [(0, 2), (-0.5, 4), (0.5, 4)]
    squares = torch.stack([((U - centre) * scale) ** 2 for centre, scale in hats], -1)
    torch.testing.assert_close(Wavelet(3).double()(U), (1 - squares) * torch.exp(-squares / 2))


@pytest.mark.parametrize("basis", [Spline(7, 3), Fourier(4), Chebyshev(3), Wavelet(7)])
def test_a_unit_is_the_sum_of_the_functions_on_its_edges(basis: Basis) -> None:
    layer, x_BI = KANLayer(3, 2, basis).double(), torch.randn(5, 3, dtype=torch.float64)
    sums_OIC = layer.sums.weight.unflatten(1, (3, basis.count))
    expected = layer.base.bias.repeat(5, 1)
    for i in range(3):
        for o in range(2):
            x = x_BI[:, i]
            functions_BC = basis(torch.tanh(x))
            expected[:, o] += layer.base.weight[o, i] * torch.nn.functional.silu(x) + functions_BC @ sums_OIC[o, i]
    torch.testing.assert_close(layer(x_BI), expected)


def test_nodes_that_chose_the_splines_are_counted() -> None:
    network = SelectiveKAN().build({"functions": 7}, Port("vector", 8))
    scores_WF = network.get_parameter("scores_WF")
    with torch.no_grad():
        scores_WF.zero_()
        scores_WF[:, 1] = 1
        scores_WF[:2, 0] = 2
    assert network.observe(torch.zeros(1, 8)) == {"spline_share": 0.25}  # pyright: ignore[reportCallIssue]
