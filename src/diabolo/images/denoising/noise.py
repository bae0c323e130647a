"""Estimate the noise of an image: its standard deviation, and how that follows the brightness."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import optimize, stats

from diabolo.images.denoising.noise_level import INVISIBLE, NoiseLevel

SIDE = 7  # of patches, in pixels (Liu et al. 2013)
MAX_PATCHES = 40_000  # of each channel, evenly spaced (measured: with half as many they are 3 % too high)
FEW = 4 * SIDE**2  # patches below which a covariance says nothing
TEXTURE_QUANTILE = 0.99  # of the gradient energy of noise alone, up to which a patch counts as flat
ROUNDS = 6  # of choosing flat patches and estimating from them: it settles in four
BINS = 8  # of brightness, for the part of the noise that follows it
BELOW = 0.9  # ratio of the deviation by a line to that by one level, down to which the line is believed
CLIPPED_SHARE = 0.02  # of pixels at the ends of the range, from where on a patch says too little
UNEVEN = 1.25  # ratio of deviations at the ends of the range, from where on noise follows brightness
TEXTURED = 1.2  # ratio of a bin's variance to the line, from where on it counts as raised by texture
EXPLAINED = 0.5  # of the scatter of the bins: what a line that is believed may leave over
NEIGHBOURS_ALIKE = 0.25  # correlation at a distance of 1 pixel, from where on noise is not white
FAR = 3  # pixels at which noise after interpolation or JPEG is no longer correlated, and texture still is
FAR_ALIKE = 0.06  # correlation at that distance, up to which it is noise (measured; texture: 0.14)
EVEN_FLAT = 1.2  # ratio of deviations of flat blocks, up to which they show noise (measured; texture: 1.65)
TAILS = 3.3  # kurtosis of flat blocks, up to which they show noise (measured; texture: 4)
FEW_BLOCKS = 60  # blocks below which their flattest tenth says nothing
BLOCK = 16  # side of blocks that are compared for that


def estimate_noise(image: np.ndarray) -> NoiseLevel:
    """Estimate the noise of an image from its flat patches.

    The smallest eigenvalue of the covariance of flat patches is the variance of the noise, since texture
    lies in few directions; which patches are flat follows from that variance (Liu, Tanaka, Okutomi 2013).
    Patches with clipped pixels are left out. An image that is too small to tell counts as free of noise.

    Args:
        image: (height, width, channels), 0 to 1.
    """
    fine = _by_brightness([image[:, :, c] for c in range(image.shape[2])])
    if fine is None:
        return NoiseLevel.gaussian(0.0)
    coarse = _correlated_noise(image, fine.sigma)
    return fine if coarse is None else coarse


def _by_brightness(planes: list[np.ndarray]) -> NoiseLevel | None:
    """Return white noise whose variance may follow the brightness; None if there are too few patches."""
    patches = [found for plane in planes if len(found := _patches_of(plane))]
    if not patches or sum(map(len, patches)) < FEW:
        return None
    together = np.concatenate(patches)
    energy, means = _gradient_energy(together), together.mean(1)
    sigma = _flat_deviation(together, energy)
    order = np.array_split(np.argsort(means, kind="stable"), BINS)
    if sigma <= INVISIBLE or len(order[-1]) < FEW:
        return NoiseLevel.gaussian(sigma)
    brightness = np.array([means[part].mean() for part in order])
    deviations = np.array([_flat_deviation(together[part], energy[part]) for part in order])
    if (deviations <= INVISIBLE / 2).any():
        return NoiseLevel.gaussian(sigma)
    slope, offset = _line(brightness, deviations**2)
    low, high = np.quantile(means, [0.05, 0.95])
    if slope * high + offset < UNEVEN**2 * (slope * low + offset):
        return NoiseLevel.gaussian(sigma)
    followed = float((slope * means + offset).mean() ** 0.5)
    # One level for all brightnesses is drawn to the darkest, which have less noise: a line is not below it.
    return NoiseLevel.gaussian(sigma) if followed < BELOW * sigma else NoiseLevel(followed, slope, offset)


def _line(x: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Return slope and offset, both at least 0, of a line through variances; slope 0 if it explains little.

    Args:
        x: (bins,) brightness.
        variance: (bins,) of the noise there; texture only ever raises it.
    """
    weights = 1 / variance
    terms = np.stack([x, np.ones_like(x)], 1)
    for _ in range(ROUNDS):
        (slope, offset), _ = optimize.nnls(terms * weights[:, None], variance * weights)
        fitted = terms @ [slope, offset]
        weights = np.where(variance > TEXTURED * fitted, 0.2, 1.0) / fitted
    scatter = np.abs(np.log(variance / np.median(variance)))
    if np.median(np.abs(np.log(variance / fitted))) > EXPLAINED * np.median(scatter):
        return 0.0, float(np.median(variance))
    return float(slope), float(offset)


def _patches_of(plane: np.ndarray) -> np.ndarray:
    """Return (patches, SIDE * SIDE) patches without clipped pixels, evenly spaced over the plane."""
    if min(plane.shape) < SIDE:
        return np.empty((0, SIDE**2))
    windows = np.lib.stride_tricks.sliding_window_view(plane, (SIDE, SIDE))
    step = max(int(np.ceil((windows.shape[0] * windows.shape[1] / MAX_PATCHES) ** 0.5)), 1)
    patches = windows[::step, ::step].reshape(-1, SIDE**2).astype(np.float64)
    clipped = ((patches == 0) | (patches == 1)).mean(1) > CLIPPED_SHARE
    unclipped: np.ndarray = patches[~clipped]
    return unclipped


def _flat_deviation(patches: np.ndarray, energy: np.ndarray) -> float:
    """Return the standard deviation of the noise of patches, from those that are flat.

    Args:
        patches: (patches, SIDE * SIDE), at least `FEW`.
        energy: (patches,) of their gradients.
    """
    variance = _noise_variance(patches)
    for _ in range(ROUNDS):
        flat = patches[energy <= variance * _energy_quantile()]
        if len(flat) < FEW:
            break
        variance = _noise_variance(flat)
    return float(variance**0.5)


def _noise_variance(patches: np.ndarray) -> float:
    """Return the smallest eigenvalue of the covariance, freed of its bias for so many patches.

    Of n draws of d values of noise it is about `(1 - sqrt(d / n))^2` of the variance (Bai, Yin 1993).
    """
    values = np.linalg.eigvalsh(np.cov(patches, rowvar=False))
    return float(max(values[0], 0.0) / (1 - (SIDE**2 / len(patches)) ** 0.5) ** 2)


def _gradient_energy(patches: np.ndarray) -> np.ndarray:
    """Return (patches,) the sum of the squared differences of neighbouring pixels."""
    square = patches.reshape(-1, SIDE, SIDE)
    energy: np.ndarray = (np.diff(square, axis=1) ** 2).sum((1, 2)) + (np.diff(square, axis=2) ** 2).sum(
        (1, 2)
    )
    return energy


@cache
def _energy_quantile() -> float:
    """Return the quantile of the gradient energy of noise of variance 1, by a gamma distribution."""
    difference = np.diff(np.eye(SIDE), axis=0)
    along = difference.T @ difference
    matrix = np.kron(along, np.eye(SIDE)) + np.kron(np.eye(SIDE), along)
    mean, variance = np.trace(matrix), 2 * np.trace(matrix @ matrix)
    return float(stats.gamma.ppf(TEXTURE_QUANTILE, mean**2 / variance, scale=variance / mean))


def _correlated_noise(image: np.ndarray, fine: float) -> NoiseLevel | None:
    """Return the noise of an image if it is correlated; None if it is white, or only texture is seen.

    Noise has the same deviation in all flat blocks and reaches a few pixels, texture and shading do not:
    so the flattest blocks are compared, and their correlation over distance is looked at.

    Args:
        image: (height, width, channels).
        fine: deviation of the white noise.
    """
    planes = [found for c in range(image.shape[2]) if (found := _level_blocks(image[:, :, c])) is not None]
    if not planes:
        return None
    tenths = [blocks[: len(blocks) // 10] for blocks in planes]
    flattest, flat = np.sqrt(
        np.mean([[_variance(blocks[:3]), _variance(blocks[-3:])] for blocks in tenths], 0)
    )
    near, far = (np.mean([_correlation(blocks, distance) for blocks in tenths]) for distance in (1, FAR))
    is_even = flat <= EVEN_FLAT * flattest and np.mean([_kurtosis(blocks) for blocks in tenths]) < TAILS
    # The flattest blocks have less noise than all by chance; those up to a half more are typical.
    alike = [blocks[(blocks**2).mean((1, 2)) <= (EVEN_FLAT * flat) ** 2] for blocks in planes]
    sigma = float(np.sqrt(np.mean([_variance(blocks) for blocks in alike])))
    if not (is_even and near > NEIGHBOURS_ALIKE and far < FAR_ALIKE) or sigma <= max(fine, INVISIBLE):
        return None
    return NoiseLevel(sigma, 0.0, sigma**2, correlated=True)


def _level_blocks(plane: np.ndarray) -> np.ndarray | None:
    """Return (blocks, BLOCK, BLOCK) of a plane, each less its slope, the flattest first; None if too few."""
    high, wide = (length // BLOCK for length in plane.shape)
    grid = plane[: high * BLOCK, : wide * BLOCK].astype(np.float64).reshape(high, BLOCK, wide, BLOCK)
    blocks: np.ndarray = grid.swapaxes(1, 2).reshape(-1, BLOCK**2)
    blocks = blocks[((blocks == 0) | (blocks == 1)).mean(1) <= CLIPPED_SHARE]
    if len(blocks) < FEW_BLOCKS:
        return None
    across = np.linspace(-1, 1, BLOCK)
    basis = np.stack([np.ones(BLOCK**2), np.repeat(across, BLOCK), np.tile(across, BLOCK)])
    basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    rest: np.ndarray = blocks - blocks @ basis.T @ basis
    found: np.ndarray = rest[np.argsort((rest**2).sum(1), kind="stable")].reshape(-1, BLOCK, BLOCK)
    return found


def _variance(blocks: np.ndarray) -> float:
    """Return the variance of the pixels of blocks, less what their slopes took away."""
    return float((blocks**2).mean()) * BLOCK**2 / (BLOCK**2 - 3)


def _correlation(blocks: np.ndarray, distance: int) -> float:
    """Return the correlation of pixels at a distance, along rows and columns of blocks of mean 0."""
    variance = (blocks**2).mean()
    along = (blocks[:, distance:] * blocks[:, :-distance]).mean()
    across = (blocks[:, :, distance:] * blocks[:, :, :-distance]).mean()
    return float((along + across) / max(2 * variance, 1e-12))


def _kurtosis(blocks: np.ndarray) -> float:
    """Return the kurtosis of the pixels of blocks, each in units of its own deviation; 3 for normal noise."""
    scale = np.sqrt((blocks**2).mean((1, 2), keepdims=True))
    return float(((blocks / np.maximum(scale, 1e-9)) ** 4).mean())
