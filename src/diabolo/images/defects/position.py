"""Distances in units of what is usual at their place in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from diabolo.images.defects.filtering import interpolated, resized
from diabolo.utils.checks import require

CELLS = 40  # in height and in width of an image of any size (a choice)
SHARED = 0.5  # share of the variance at a place that is the mean over all places (a choice)
MIN_DISTANCE = 1e-3  # before logarithms
MIN_VARIANCE = 1e-4  # of logarithms of distances


class PositionSums:
    """Sums over maps of log distances, by place.

    Args:
        maps: how many maps an image has.
    """

    def __init__(self, maps: int) -> None:
        self.count = 0
        self.total = torch.zeros(1, maps, CELLS, CELLS, dtype=torch.float64)
        self.squares = torch.zeros_like(self.total)

    def add(self, maps: Tensor) -> None:
        """Add the maps of an image.

        Args:
            maps: (1, maps, height, width) log distances.
        """
        self.count += 1
        self.total += resized(maps, (CELLS, CELLS))
        self.squares += resized(maps.square(), (CELLS, CELLS))

    def plus(self, other: PositionSums) -> PositionSums:
        """Return the sums over both."""
        both = PositionSums(self.total.shape[1])
        both.count = self.count + other.count
        both.total = self.total + other.total
        both.squares = self.squares + other.squares
        return both


@dataclass(frozen=True)
class PositionScale:
    """The mean and the deviation of log distances by relative place.

    The margins of an object are unusual in every image; without this they would win every maximum.

    Attributes:
        mean: (1, maps, 40, 40).
        deviation: (1, maps, 40, 40).
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def fit(cls, sums: PositionSums) -> PositionScale:
        """Return the scale that follows from sums over the maps of normal images."""
        mean = _smoothed(sums.total / sums.count)
        variance = (_smoothed(sums.squares / sums.count) - mean.square()).clamp_min(MIN_VARIANCE)
        pooled = SHARED * variance.mean((2, 3), keepdim=True) + (1 - SHARED) * variance
        return cls(mean.float(), pooled.sqrt().float())

    def standardised(self, maps: Tensor) -> Tensor:
        """Return (1, 1, height, width) the mean over the maps of their deviations from what is usual.

        A mean of logarithms: a pixel is anomalous where all maps say so (a product of evidence).

        Args:
            maps: (1, maps, height, width) log distances.
        """
        size = (maps.shape[2], maps.shape[3])
        deviations = (maps - interpolated(self.mean, size)) / interpolated(self.deviation, size)
        return deviations.mean(1, keepdim=True)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {"mean": self.mean.numpy(), "deviation": self.deviation.numpy()}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], maps: int) -> PositionScale:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            maps: how many maps an image has.

        Raises:
            ValueError: no fit can have left this.
        """
        mean, deviation = arrays["mean"], arrays["deviation"]
        for values in (mean, deviation):
            require(values.shape == (1, maps, CELLS, CELLS) and values.dtype == np.float32, "scale of maps")
            require(bool(np.isfinite(values).all()), "scale of maps")
        require(bool((deviation > 0).all()), "scale of maps")
        return cls(torch.from_numpy(mean.copy()), torch.from_numpy(deviation.copy()))


def _smoothed(grid: Tensor) -> Tensor:
    """Return means over each cell and its neighbours."""
    return functional.avg_pool2d(functional.pad(grid, (1, 1, 1, 1), mode="replicate"), 3, 1)
