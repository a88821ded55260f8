"""A filter like the retina's.

Axes: B examples, W channels, H and V the sides of a map, K the side of the filter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..genes import Choice, Genotype, Struct
from .base import Port, ShelfModule
from .shares import SHARE


class Precortical(ShelfModule):
    """One learnt filter for all channels, and gains, against changes of light (Fioresi, Petkovic, arXiv 2202.07432).

    `form` is "dog", the difference of two Gaussians with learnt widths: a centre and its surround, which cancel out on
    even light; or "free", all weights learnt, as in LGN-CNN (Bertoni et al., arXiv 1911.06276), whose filter becomes
    centre–surround by itself. What is filtered is normalised, which takes contrast away; then it is split into what is
    above and below 0, ON and OFF, each with a gain for each channel. The edge of the map is repeated beyond it.
    Without `residual`, as in the papers, nothing else passes. Not verified: the first paper's kernel and activation.
    Deviation: normalised after the filter, and not before.

    Metric `light_removed`: 1 - |sum of the weights| / sum of their magnitudes, 1 where even light leaves nothing.
    """

    ports = ("image",)
    genes = Struct(kernel=Choice(5, 7, 9), form=Choice("dog", "free"), residual=Choice(False, True))
    metrics = {"light_removed": SHARE}

    def build(self, genes: Genotype, port: Port) -> nn.Module:
        return CentreSurround(port.width, genes["kernel"], genes["form"], genes["residual"])


class CentreSurround(nn.Module):
    """(B, W, H, V) to itself.

    Args:
        width: W, at least 1.
        kernel: K, odd.
        form: "dog" or "free".
        residual: whether the input is added.
    """

    def __init__(self, width: int, kernel: int, form: str, residual: bool) -> None:
        super().__init__()
        self.filter = DifferenceOfGaussians(kernel) if form == "dog" else FreeFilter(kernel)
        self.norm = nn.GroupNorm(1, width, affine=False)
        self.on_W11 = nn.Parameter(torch.ones(width, 1, 1))
        self.off_W11 = nn.Parameter(torch.ones(width, 1, 1))
        self.beyond, self.residual = [kernel // 2] * 4, residual

    def forward(self, x_BWHV: Tensor) -> Tensor:
        padded = nn.functional.pad(x_BWHV, self.beyond, mode="replicate")
        weight = self.filter().expand(x_BWHV.shape[1], 1, -1, -1)
        found = self.norm(nn.functional.conv2d(padded, weight, groups=x_BWHV.shape[1]))
        found = self.on_W11 * found.relu() - self.off_W11 * (-found).relu()
        return x_BWHV + found if self.residual else found

    def observe(self, x_BWHV: Tensor) -> dict[str, Tensor]:
        """Of the filter."""
        weight_KK = self.filter()
        return {"light_removed": 1 - weight_KK.sum().abs() / weight_KK.abs().sum()}


class DifferenceOfGaussians(nn.Module):
    """() to (K, K), which add up to 0: a Gaussian less a wider one, each adding up to 1."""

    distances: Tensor

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.log_centre = nn.Parameter(torch.tensor([0.15 * kernel]).log())
        self.log_wider = nn.Parameter(torch.tensor([0.6]).log())
        steps_K = torch.arange(kernel, dtype=torch.get_default_dtype()) - kernel // 2
        self.register_buffer("distances", steps_K**2 + steps_K[:, None] ** 2, persistent=False)

    def forward(self) -> Tensor:
        centre = self.log_centre.exp()
        return self._gaussian(centre) - self._gaussian(centre * (1 + self.log_wider.exp()))

    def _gaussian(self, width: Tensor) -> Tensor:
        height_KK = (-self.distances / (2 * width**2)).exp()
        return height_KK / height_KK.sum()


class FreeFilter(nn.Module):
    """() to (K, K), all of them learnt."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.weight_KK = nn.Parameter(torch.randn(kernel, kernel) / kernel)

    def forward(self) -> Tensor:
        return self.weight_KK
