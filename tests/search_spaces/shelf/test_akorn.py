from __future__ import annotations

import pytest
import torch

from search_spaces.shelf.akorn.layer import Oscillators
from search_spaces.shelf.base import Port

PORT = Port("tokens", 8, (5,))


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / (x.square().sum() + 1e-4).sqrt()


@torch.no_grad()
@pytest.mark.parametrize("turning", ["none", "shared", "each"])
def test_phases_follow_the_kuramoto_update(turning: str) -> None:
    torch.manual_seed(0)
    network = Oscillators(PORT, 4, 3, "convolution", turning).double()
    network.rate.fill_(0.7)
    x = torch.randn(1, 5, 8, dtype=torch.float64)
    drive = network.drive(network.norm(x))[0]
    phases = [[unit(network.start[4 * group : 4 * group + 4]) for group in range(2)] for _ in range(5)]
    for _ in range(3):
        flat = torch.stack([torch.cat(step) for step in phases])
        coupled = network.coupling(flat[None])[0]
        for step in range(5):
            for group in range(2):
                units = slice(4 * group, 4 * group + 4)
                one, force = phases[step][group], (drive + coupled)[step, units]
                force = force - (force @ one) * one
                if network.rates is not None:
                    rates = network.rates.expand(4)[2 * group : 2 * group + 2]
                    force = force + torch.stack(
                        [-rates[0] * one[1], rates[0] * one[0], -rates[1] * one[3], rates[1] * one[2]]
                    )
                phases[step][group] = unit(one + 0.7 * force)
    expected = torch.stack([torch.cat(step) for step in phases])
    torch.testing.assert_close(network.phases(x)[0], expected)


@torch.no_grad()
def test_synchrony_is_one_where_all_steps_have_one_phase() -> None:
    network = Oscillators(PORT, 2, 4, "attention", "none")
    same = torch.randn(3, 1, 8).expand(3, 5, 8)
    assert float(network.observe(same)["synchrony"]) == pytest.approx(1, abs=1e-4)
    assert float(network.observe(torch.randn(3, 5, 8))["synchrony"]) < 0.999
