import pytest
import torch
from torch.nn import functional

from search_spaces.shelf.base import Port
from search_spaces.shelf.multi_scale import Context, pooling, stretching


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
@pytest.mark.parametrize("size", [1, 5, 7, 12])
def test_pools_and_stretches_as_torch_does(size, parts):
    line, short = torch.randn(size), torch.randn(parts)
    torch.testing.assert_close(pooling(size, parts) @ line, functional.adaptive_avg_pool1d(line[None], parts)[0])
    wanted = functional.interpolate(short[None, None], size, mode="linear", align_corners=False)[0, 0]
    torch.testing.assert_close(stretching(parts, size) @ short, wanted)


def test_context_is_the_mean_of_scales_weighed_by_contrast():
    context, x = Context(Port("image", 8, (7, 5)), (1, 3)), torch.randn(2, 8, 7, 5)
    total, weights = torch.zeros_like(x), torch.zeros_like(x)
    for scale, side in zip(context.scales, (1, 3), strict=True):
        pooled = scale.get_submodule("mapped")(functional.adaptive_avg_pool2d(x, side))
        mean = functional.interpolate(pooled, x.shape[2:], mode="bilinear", align_corners=False)
        weight = scale.get_submodule("weight")(x - mean).sigmoid()
        total, weights = total + weight * mean, weights + weight
    wanted = context.join(torch.cat([total / weights, x], 1).relu())
    torch.testing.assert_close(context(x), wanted, rtol=1e-4, atol=1e-5)
