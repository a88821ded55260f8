"""Images and series that are changed at random, the same way for everybody."""

import pytest
import torch

from qd.training import Augmentation

IMAGES = torch.arange(40 * 2 * 5 * 4, dtype=torch.float64).reshape(40, 2, 5, 4) + 1
SERIES = torch.randn(500, 30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_crop_is_a_window_of_the_padded_image():
    cropped = Augmentation(crop=2).apply(IMAGES, 7, 0)
    assert cropped.shape == IMAGES.shape
    padded = torch.nn.functional.pad(IMAGES, (2, 2, 2, 2))
    places = []
    for image, whole in zip(cropped, padded, strict=True):
        windows = [(y, x) for y in range(5) for x in range(5) if torch.equal(whole[:, y : y + 5, x : x + 4], image)]
        assert len(windows) == 1
        places += windows
    assert len(set(places)) > 15 and {y for y, _ in places} == {x for _, x in places} == set(range(5))


def test_about_half_of_the_images_are_mirrored():
    flipped = Augmentation(flip=True).apply(IMAGES, 7, 0)
    mirrored = sum(torch.equal(after, before.flip(2)) for before, after in zip(IMAGES, flipped, strict=True))
    same = sum(torch.equal(after, before) for before, after in zip(IMAGES, flipped, strict=True))
    assert mirrored + same == 40 and 10 < mirrored < 30


@pytest.mark.parametrize(
    ("augmentation", "data"), [(Augmentation(noise=0.3), IMAGES), (Augmentation(jitter=0.3), SERIES)]
)
def test_noise_has_the_deviation_that_was_asked_for(augmentation, data):
    noise = augmentation.apply(data, 7, 0) - data
    assert noise.mean().abs() < 0.03 and noise.std() == pytest.approx(0.3, rel=0.05)


def test_a_series_is_scaled_channel_by_channel():
    factors = Augmentation(scale=0.2).apply(SERIES, 7, 0) / SERIES
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert factors[:, 0].mean() == pytest.approx(1, abs=0.02) and factors[:, 0].std() == pytest.approx(0.2, rel=0.1)
    assert not torch.allclose(factors[:, 0, 0], factors[:, 0, 1])


@pytest.mark.parametrize(
    ("augmentation", "data"), [(Augmentation(1, True, 0.1), IMAGES), (Augmentation(jitter=0.1, scale=0.1), SERIES)]
)
def test_draws_follow_from_seed_and_step_alone(augmentation, data):
    before, state = data.clone(), torch.get_rng_state()
    seen = augmentation.apply(data, 7, 3)
    torch.rand(5)  # the global generator has no part in it
    assert torch.equal(augmentation.apply(data, 7, 3), seen) and torch.equal(data, before)
    torch.testing.assert_close(augmentation.apply(data.float(), 7, 3), seen.float())
    for other in (
        augmentation.apply(data, 7, 4),
        augmentation.apply(data, 8, 3),
        augmentation.apply(data, 2**53 - 1, 3),
    ):
        assert not torch.equal(other, seen)
    torch.set_rng_state(state)


def test_nothing_asked_for_is_nothing_done():
    assert Augmentation().apply(IMAGES, 7, 0) is IMAGES
