"""Denoising of one image from nothing but itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diabolo.images.denoising.noise import estimate_noise
from diabolo.images.denoising.noise_level import NoiseLevel, check_image, stated_noise
from diabolo.images.denoising.similar_patches import restore_by_similar_patches

PARTS = 2  # every second pixel along a side: there the noise of interpolation and JPEG is nearly white


def denoise_alone(image: np.ndarray, *, noise: float | None = None) -> np.ndarray:
    """Return an image without its noise, learnt from its own similar patches; clipped to 0 to 1.

    There is no training and no chance in it: a second for 180 x 180 pixels. An image without visible noise
    is returned as it is.

    Args:
        image: (height, width, channels) float32, channels 1 or 3, of any size.
        noise: standard deviation of the noise, in units of the image; None estimates it.

    Raises:
        DataError: it is not an image.
        OptionError: `noise` is not between 0 and 1.
    """
    image = check_image(image, (1, 3))
    level = estimate_noise(image) if noise is None else stated_noise(noise)
    if not level.is_visible:
        return image.clip(0, 1)
    if level.correlated:
        return by_parts(image, lambda part: restore_alone(part, level)).clip(0, 1)
    return restore_alone(image, level).clip(0, 1)


def by_parts(image: np.ndarray, clean: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Clean every second pixel along both sides by itself, and join the parts (Zhou et al. 2020).

    Args:
        image: (height, width, channels).
        clean: cleans an image of a quarter of the pixels.
    """
    cleaned = np.empty_like(image)
    for row in range(min(PARTS, image.shape[0])):
        for column in range(min(PARTS, image.shape[1])):
            part = (slice(row, None, PARTS), slice(column, None, PARTS))
            cleaned[part] = clean(np.ascontiguousarray(image[part]))
    return cleaned


def restore_alone(image: np.ndarray, level: NoiseLevel) -> np.ndarray:
    """Return an image without white noise, not clipped.

    Noise that follows the brightness is first given variance 1 everywhere by the generalised Anscombe
    transform `(2 / a) sqrt(a x + 3/8 a^2 + b)`, and turned back by its asymptotically unbiased inverse
    `a d^2 / 4 - a / 8 - b / a` (Makitalo, Foi 2013).

    Args:
        image: (height, width, channels).
        level: its noise.
    """
    slope, offset = level.slope, level.offset
    if slope == 0:
        return restore_by_similar_patches(image, level.sigma)
    stable = 2 / slope * np.sqrt(np.maximum(slope * image + 0.375 * slope**2 + offset, 0))
    # In units of 0 to 1 again, on which the sizes of patches are chosen.
    scale = level.sigma
    cleaned = restore_by_similar_patches((stable * scale).astype(np.float32), scale) / scale
    inverse: np.ndarray = slope * np.maximum(cleaned, 0) ** 2 / 4 - slope / 8 - offset / slope
    return inverse.astype(np.float32)
