"""Which ways tokens take through the pool, and how unevenly.

Axes: B examples, T tokens of an example, S steps, M modules of the pool.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from torch import Tensor, nn


class Paths(nn.Module):
    """Changes nothing; where a network is measured, it sees the way of every token."""

    def forward(self, x_BTW: Tensor, ways_BTSM: Tensor) -> Tensor:
        """Args: x (B, T, W), given back; and the modules that each token went to (B, T, S, M) bool."""
        return x_BTW

    def observe(self, x_BTW: Tensor, ways_BTSM: Tensor) -> dict[str, float]:
        """{path: tokens that took it, for each example}; a path is `0>-+2>-`: the modules of each step, - for none."""
        ways_NSM = ways_BTSM.flatten(0, 1).numpy(force=True)
        packed_NC = np.packbits(ways_NSM.reshape(len(ways_NSM), -1), axis=1)
        _, first, counts = np.unique(packed_NC, axis=0, return_index=True, return_counts=True)
        return {path_name(ways_NSM[row]): count / len(x_BTW) for row, count in zip(first.tolist(), counts, strict=True)}


def path_name(way_SM: np.ndarray) -> str:
    """The modules of each step: `0>1+2>-`, - where there is none."""
    return ">".join("+".join(map(str, np.flatnonzero(step_M))) or "-" for step_M in way_SM)


def path_exponent(counts: Iterable[float]) -> float:
    """Slope of log count over log rank of paths, by least squares over all that were taken; 0 of fewer than two.

    -1 is Zipf's law; 0 says that all paths are taken equally often. How the paper fits its own is not verified.
    """
    sizes = np.sort([count for count in counts if count > 0])[::-1]
    if len(sizes) < 2:
        return 0.0
    x, y = np.log(np.arange(1, len(sizes) + 1)), np.log(sizes)
    x = x - x.mean()
    return min(0.0, float(x @ (y - y.mean()) / (x @ x)))
