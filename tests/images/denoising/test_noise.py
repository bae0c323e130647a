from __future__ import annotations

import numpy as np
import pytest

from diabolo.images.denoising import NoiseLevel, estimate_noise
from tests.images.denoising.made import scene, with_noise


def textured(seed: int) -> np.ndarray:
    """Return an image of which a third is rough texture."""
    image = scene(160, seed)
    image[:, :50] += 0.15 * np.random.default_rng(seed).standard_normal((160, 50, 1)).repeat(2, 0)[:160]
    return image


@pytest.mark.parametrize("sigma", [2, 5, 15, 25, 50])
@pytest.mark.parametrize(
    "make", [lambda: scene(160, 1), lambda: scene(128, 2, channels=3), lambda: textured(3)]
)
def test_white_noise(sigma: int, make: object) -> None:
    found = estimate_noise(with_noise(make(), sigma / 255))  # type: ignore[operator]
    assert found.sigma * 255 == pytest.approx(sigma, rel=0.12)
    assert not found.correlated


def test_clipped_noise_is_measured_where_it_is_not_clipped() -> None:
    image = scene(160, 1)
    image[:, :80] = 0.0
    found = estimate_noise(with_noise(image, 20 / 255).clip(0, 1))
    assert found.sigma * 255 == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize(
    "image",
    [scene(160, 4), np.zeros((64, 64, 3), np.float32), np.ones((64, 64, 1), np.float32), scene(14, 1)],
    ids=["scene", "black", "white", "tiny"],
)
def test_images_without_noise(image: np.ndarray) -> None:
    assert not estimate_noise(image).is_visible


def test_rounding_to_8_bits_is_no_noise() -> None:
    y, x = np.mgrid[:128, :128] / 128
    shading = np.round(255 * (0.2 + 0.5 * x * y))[:, :, None] / 255
    assert not estimate_noise(shading.astype(np.float32)).is_visible


def test_noise_that_follows_the_brightness() -> None:
    image = scene(256, 6)
    variance = 0.02 * image + 0.0005
    noisy = image + np.sqrt(variance) * np.random.default_rng(0).standard_normal(image.shape)
    found = estimate_noise(noisy.astype(np.float32))
    assert found.slope == pytest.approx(0.02, rel=0.25)
    assert found.sigma == pytest.approx(variance.mean() ** 0.5, rel=0.1)
    error = found.deviations(noisy.astype(np.float32)) / np.sqrt(variance[:, :, 0])
    assert np.abs(np.log(error)).mean() < 0.1


def test_correlated_noise() -> None:
    white = np.random.default_rng(0).standard_normal((257, 257))
    smooth = (white[1:, 1:] + white[:-1, 1:] + white[1:, :-1] + white[:-1, :-1]) / 2
    image = np.full((256, 256, 1), 0.4) + 0.06 * smooth[:, :, None]
    found = estimate_noise(image.astype(np.float32))
    assert found.correlated and found.sigma == pytest.approx(0.06, rel=0.1)


def test_deviations_of_gaussian_noise_are_equal() -> None:
    level = NoiseLevel.gaussian(0.1)
    assert (level.deviations(scene(20, 1)) == np.float32(0.1)).all()
