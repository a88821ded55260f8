from __future__ import annotations

import numpy as np
import pytest
import torch

from search_spaces.routed.paths import Paths, path_exponent


def test_the_exponent_is_the_slope_in_logarithms() -> None:
    ranks = np.arange(1, 40)
    assert path_exponent(1000 * ranks**-1.2) == pytest.approx(-1.2)
    assert path_exponent(np.random.default_rng(0).permutation(ranks**-0.5)) == pytest.approx(-0.5)


@pytest.mark.parametrize("counts", [[], [3.0], [0.0, 5.0], [2.0] * 7])
def test_the_exponent_is_0_where_no_path_is_rarer_than_another(counts: list[float]) -> None:
    assert path_exponent(counts) == 0


def test_paths_are_counted_by_name() -> None:
    ways_BTSM = torch.zeros(2, 2, 3, 4, dtype=torch.bool)
    ways_BTSM[0, 0, 0, 1] = ways_BTSM[0, 0, 2, 2] = ways_BTSM[0, 0, 2, 0] = True
    ways_BTSM[1, 1] = ways_BTSM[0, 0]
    x_BTW = torch.zeros(2, 2, 8)
    assert Paths()(x_BTW, ways_BTSM) is x_BTW
    assert Paths().observe(x_BTW, ways_BTSM) == {"1>->0+2": 1.0, "->->-": 1.0}
