"""Small synthetic images: shapes, stripes and shading."""

from __future__ import annotations

import numpy as np


def scene(side: int, seed: int, channels: int = 1) -> np.ndarray:
    """Return (side, side, channels) rectangles over shading and faint stripes, 0 to 1."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    image = 0.5 + 0.2 * np.sin(2 * np.pi * (rng.random() + x + 0.5 * y))
    image = image[:, :, None].repeat(channels, 2)
    for _ in range(6):
        top, left = rng.integers(0, side - 8, 2)
        high, wide = rng.integers(6, side // 2, 2)
        image[top : top + high, left : left + wide] = 0.1 + 0.8 * rng.random(channels)
    return image.astype(np.float32)


def with_noise(image: np.ndarray, deviation: float, seed: int = 0) -> np.ndarray:
    """Return an image with Gaussian noise, not clipped."""
    return (image + deviation * np.random.default_rng(seed).standard_normal(image.shape)).astype(np.float32)


def psnr(answer: np.ndarray, truth: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return float(-10 * np.log10(np.mean((answer - truth) ** 2)))
