"""How improbable the layout of a whole image is: brightness or texture in cells of a coarse grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.utils.checks import require

RIDGE = 0.2  # of the mean variance (of .05 to .5, measured: less depends on the images of the fit)
MIN_VARIANCE = 1e-6  # of cells that never change
MAX_WIDTH = 1_024  # cells of all layers that a model file may hold


@dataclass(frozen=True)
class Layout:
    """One normal distribution of the cells of an image.

    Attributes:
        mean: (cells,).
        whitening: (cells, cells); the square root of the precision.
    """

    mean: np.ndarray
    whitening: np.ndarray

    @classmethod
    def fit(cls, cells: np.ndarray) -> Layout:
        """Return the distribution of the cells of normal images.

        Args:
            cells: (images, cells).
        """
        mean = cells.mean(0)
        centred = (cells - mean).astype(np.float64)
        covariance = centred.T @ centred / len(cells)
        variances, directions = np.linalg.eigh(covariance)
        ridge = RIDGE * max(float(variances.mean()), MIN_VARIANCE)
        return cls(mean, (directions / np.sqrt(np.maximum(variances, 0) + ridge)).astype(np.float32))

    def log_distance(self, cells: np.ndarray) -> float:
        """Return the logarithm of the Mahalanobis distance of an image.

        Args:
            cells: (cells,).
        """
        return float(np.log(np.linalg.norm((cells - self.mean) @ self.whitening) + MIN_VARIANCE))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {"mean": self.mean, "whitening": self.whitening}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], width: int) -> Layout:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            width: cells of an image.

        Raises:
            ValueError: no fit can have left this.
        """
        mean, whitening = arrays["mean"], arrays["whitening"]
        require(0 < width <= MAX_WIDTH, "layout")
        require(mean.shape == (width,) and whitening.shape == (width, width), "layout")
        for values in (mean, whitening):
            require(values.dtype == np.float32 and bool(np.isfinite(values).all()), "layout")
        return cls(mean, whitening)
