from __future__ import annotations

import numpy as np
import pytest

from diabolo.errors import DataError, OptionError
from diabolo.images.denoising import NoiseLevel, denoise_alone, similar_patches
from diabolo.images.denoising.alone import restore_alone
from tests.images.denoising.made import psnr, scene, with_noise


@pytest.mark.parametrize(("sigma", "channels", "gain"), [(15, 1, 6), (30, 1, 7), (60, 1, 6), (25, 3, 6)])
def test_noise_is_removed(sigma: int, channels: int, gain: float) -> None:
    truth = scene(72, 8, channels)
    noisy = with_noise(truth, sigma / 255)
    assert psnr(denoise_alone(noisy, noise=sigma / 255), truth) > psnr(noisy, truth) + gain


def test_the_noise_is_estimated() -> None:
    truth = scene(96, 9)
    noisy = with_noise(truth, 25 / 255)
    stated, estimated = denoise_alone(noisy, noise=25 / 255), denoise_alone(noisy)
    assert psnr(estimated, truth) == pytest.approx(psnr(stated, truth), abs=0.4)


def test_an_image_without_noise_is_left_alone() -> None:
    image = scene(64, 1)
    np.testing.assert_array_equal(denoise_alone(image), image)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 3), (5, 2, 1), (9, 40, 1)])
def test_images_of_any_size(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    answer = denoise_alone(image, noise=0.1)
    assert answer.shape == shape and np.isfinite(answer).all()


def test_bands_change_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = with_noise(scene(50, 2), 0.1)
    whole = denoise_alone(noisy, noise=0.1)
    monkeypatch.setattr(similar_patches, "BAND", 8)
    np.testing.assert_allclose(denoise_alone(noisy, noise=0.1), whole, atol=1e-5)


def test_noise_that_follows_the_brightness_is_made_even_first() -> None:
    truth = scene(80, 3)
    level = NoiseLevel(float((0.01 * truth + 0.0001).mean() ** 0.5), 0.01, 0.0001)
    noise = np.sqrt(0.01 * truth + 0.0001) * np.random.default_rng(0).standard_normal(truth.shape)
    noisy = (truth + noise).astype(np.float32)
    even = restore_alone(noisy, level)
    assert psnr(even, truth) > psnr(restore_alone(noisy, NoiseLevel.gaussian(level.sigma)), truth) + 0.1
    assert abs(float((even - truth).mean())) < 0.003


def test_correlated_noise_is_found_and_cleaned_at_half_resolution() -> None:
    truth = np.full((128, 128, 1), 0.5, np.float32)
    white = np.random.default_rng(0).standard_normal((129, 129))
    smooth = (white[1:, 1:] + white[:-1, 1:] + white[1:, :-1] + white[:-1, :-1]) / 2
    noisy = (truth + 0.1 * smooth[:, :, None]).astype(np.float32)
    assert psnr(denoise_alone(noisy), truth) > psnr(denoise_alone(noisy, noise=0.1), truth) + 3


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="expected"):
        denoise_alone(np.zeros((4, 4), np.float32))
    with pytest.raises(OptionError, match="noise"):
        denoise_alone(scene(20, 1), noise=25)
