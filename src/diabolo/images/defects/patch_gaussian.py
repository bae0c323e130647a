"""How improbable each patch of an image is under one normal distribution of patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diabolo.images.defects.filtering import blur, padded
from diabolo.utils.checks import require

STRIDE = 2  # pixels between patches (a choice)
PATCHES = 200  # drawn of each image (a choice)
RIDGE = 1e-3  # of the mean variance, where a covariance is inverted (a choice)
SMOOTHING = 0.7  # deviation, in patches, of the blur of a map (.7 to 1 are equal, measured)
MIN_SCALE = 1e-3  # of a pixel that never changes, in units of the layer
MIN_RIDGE = 1e-6  # of the mean variance, against rounding
MAX_SIDE, MAX_FILTERS = 15, 4_096  # of what a model file may hold


@dataclass(frozen=True)
class PatchShape:
    """Which patches are compared, and how.

    Attributes:
        side: pixels in height and in width, odd.
        dilation: pixels between neighbours in a patch.
        kept: principal components of a patch, for each channel of an image; 0 judges the centre instead.
        centre: pixels in height and in width that are predicted from the others, where `kept` is 0.
    """

    side: int
    dilation: int = 1
    kept: int = 0
    centre: int = 3

    @property
    def reach(self) -> int:
        """Pixels from the centre of a patch to its margin."""
        return self.dilation * (self.side // 2)


class PatchMoments:
    """Sums over patches from which their mean and covariance follow.

    Args:
        shape: of the patches.
        channels: of the images.
    """

    def __init__(self, shape: PatchShape, channels: int) -> None:
        width = channels * shape.side**2
        self.shape = shape
        self.count = 0
        self.total = torch.zeros(width, dtype=torch.float64)
        self.products = torch.zeros(width, width, dtype=torch.float64)

    def add(self, image: Tensor, generator: torch.Generator) -> None:
        """Add some patches of an image, drawn at random.

        Args:
            image: (1, channels, height, width).
            generator: of the draw.
        """
        small = min(image.shape[2:]) <= 2 * self.shape.reach
        room = padded(image, self.shape.reach) if small else image
        patches = functional.unfold(room, self.shape.side, dilation=self.shape.dilation, stride=STRIDE)[0].T
        chosen = torch.randperm(len(patches), generator=generator)[:PATCHES]
        drawn = patches[chosen].double()
        self.count += len(drawn)
        self.total += drawn.sum(0)
        self.products += drawn.T @ drawn

    def plus(self, other: PatchMoments) -> PatchMoments:
        """Return the sums over both."""
        both = PatchMoments(self.shape, len(self.total) // self.shape.side**2)
        both.count = self.count + other.count
        both.total = self.total + other.total
        both.products = self.products + other.products
        return both


@dataclass(frozen=True)
class PatchGaussian:
    """Filters whose answers to a patch are independent and of variance 1, if the patch is normal.

    The root of the sum of their squares is the Mahalanobis distance, of the leading principal components of a
    patch, or of its centre given the pixels around: with the precision P of a patch, the answers are
    P[:, c] L where L L' = P[c, c]^-1 (conditional normal distribution; Bishop 2006, 2.3.1).

    Attributes:
        shape: of the patches.
        filters: (filters, channels, side, side).
        offsets: (filters,) added to the answers.
    """

    shape: PatchShape
    filters: Tensor
    offsets: Tensor

    @classmethod
    def fit(cls, moments: PatchMoments) -> PatchGaussian:
        """Return the filters that follow from sums over patches.

        Args:
            moments: of patches of normal images.
        """
        shape = moments.shape
        mean = moments.total / moments.count
        covariance = moments.products / moments.count - mean[:, None] * mean
        channels = len(mean) // shape.side**2
        scale = covariance.diagonal().clamp_min(0).sqrt().clamp_min(MIN_SCALE)
        # Of correlations, not covariances: components must not follow the layer with the largest numbers.
        correlation = covariance / (scale[:, None] * scale)
        answers = (_whitening if shape.kept else _conditioning)(correlation, shape, channels) / scale[:, None]
        filters = answers.T.reshape(-1, channels, shape.side, shape.side)
        return cls(shape, filters.float().contiguous(), -(mean @ answers).float())

    def distances(self, image: Tensor) -> Tensor:
        """Return (1, 1, ceil(height / 2), ceil(width / 2)) distances of patches around every second pixel.

        Args:
            image: (1, channels, height, width).
        """
        room = padded(image, self.shape.reach)
        answers = functional.conv2d(
            room, self.filters, self.offsets, stride=STRIDE, dilation=self.shape.dilation
        )
        return blur(answers.square().sum(1, keepdim=True).sqrt(), SMOOTHING)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {"filters": self.filters.numpy(), "offsets": self.offsets.numpy()}

    @classmethod
    def restore(cls, arrays: dict[str, Any], shape: PatchShape, channels: int) -> PatchGaussian:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            shape: of the patches.
            channels: of the images.

        Raises:
            ValueError: no fit can have left this.
        """
        filters, offsets = arrays["filters"], arrays["offsets"]
        require(filters.ndim == 4 and 0 < len(filters) <= MAX_FILTERS, "filters of patches")
        require(filters.shape[1:] == (channels, shape.side, shape.side), "filters of patches")
        require(offsets.shape == (len(filters),), "offsets of filters")
        for values in (filters, offsets):
            require(values.dtype == np.float32 and bool(np.isfinite(values).all()), "filters of patches")
        return cls(shape, torch.from_numpy(filters.copy()), torch.from_numpy(offsets.copy()))


def _whitening(covariance: Tensor, shape: PatchShape, channels: int) -> Tensor:
    """Return (width, filters) the leading principal components over their standard deviations."""
    variances, components = torch.linalg.eigh(_ridged(covariance, MIN_RIDGE))
    kept = min(shape.kept * channels, len(variances))
    whitened: Tensor = components[:, -kept:] / variances[-kept:].sqrt()
    return whitened


def _conditioning(covariance: Tensor, shape: PatchShape, channels: int) -> Tensor:
    """Return (width, filters) what the centre deviates from its mean given the rest, whitened."""
    precision = torch.linalg.inv(_ridged(covariance, RIDGE))
    margin = (shape.side - shape.centre) // 2
    inside = torch.zeros(channels, shape.side, shape.side, dtype=torch.bool)
    inside[:, margin : margin + shape.centre, margin : margin + shape.centre] = True
    columns = precision[:, inside.flatten()]
    root: Tensor = torch.linalg.cholesky(torch.linalg.inv(columns[inside.flatten()]))
    answers: Tensor = columns @ root
    return answers


def _ridged(covariance: Tensor, ridge: float) -> Tensor:
    """Return a matrix that can be inverted: a share of the mean variance is added to its diagonal."""
    amount = ridge * covariance.diagonal().mean().clamp_min(MIN_RIDGE)
    return covariance + amount * torch.eye(len(covariance), dtype=covariance.dtype)
