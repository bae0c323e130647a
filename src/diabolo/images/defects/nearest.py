"""How far a whole image is from the nearest images of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from diabolo.utils.checks import require

NEIGHBOURS = 5  # (of 1 to 8, measured)
MIN_SCALE = 1e-3  # of images that are all alike
STEPS = 255  # in which brightness is remembered
MAX_REMEMBERED = 10_000  # images that a model file may hold


class NearestImages:
    """Remember small copies of images, and find the nearest of them.

    Args:
        remembered: (images, values) in steps of 1 / 255.
        scales: (images,) mean distance of each to its own neighbours.
    """

    def __init__(self, remembered: np.ndarray, scales: np.ndarray) -> None:
        self.remembered, self.scales = remembered, scales

    @classmethod
    def fit(cls, thumbnails: np.ndarray) -> NearestImages:
        """Remember images.

        Args:
            thumbnails: (images, values), 0 to 1.
        """
        remembered = np.rint(thumbnails * STEPS).astype(np.uint8)
        return cls(remembered, _own_scales(remembered.astype(np.float32) / np.float32(STEPS)))

    def nearest(self, thumbnail: np.ndarray) -> np.ndarray:
        """Return (neighbours, values) the nearest images of one.

        Args:
            thumbnail: (values,) 0 to 1.
        """
        found: np.ndarray = self._values[self._nearest(thumbnail)]
        return found

    def distance(self, thumbnail: np.ndarray) -> float:
        """Return the mean distance to the nearest images, over the root of their own mean distances.

        What is far from images that are near each other is more anomalous than what is as far from images
        that all differ. The whole ratio, the local outlier factor, is worse: of Fashion-MNIST with a class
        left out, the mean AUROC is .74 for the distance, .76 over the root, .73 over the scale (parts of its
        training images).

        Args:
            thumbnail: (values,) 0 to 1.
        """
        chosen = self._nearest(thumbnail)
        away = np.linalg.norm(self._values[chosen] - thumbnail, axis=1).mean()
        return float(away / np.sqrt(self.scales[chosen].mean() + MIN_SCALE))

    def _nearest(self, thumbnail: np.ndarray) -> np.ndarray:
        """Return (neighbours,) the numbers of the nearest images, ascending."""
        squares = self._squares - 2 * (self._values @ thumbnail)
        count = min(NEIGHBOURS, len(squares))
        chosen: np.ndarray = np.sort(np.argpartition(squares, count - 1)[:count])
        return chosen

    @cached_property
    def _values(self) -> np.ndarray:
        """Remembered brightness, 0 to 1."""
        return self.remembered.astype(np.float32) / np.float32(STEPS)

    @cached_property
    def _squares(self) -> np.ndarray:
        """Squared lengths of the remembered images."""
        squares: np.ndarray = np.square(self._values).sum(1)
        return squares

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {"remembered": self.remembered, "scales": self.scales}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], width: int) -> NearestImages:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            width: values of an image.

        Raises:
            ValueError: no fit can have left this.
        """
        remembered, scales = arrays["remembered"], arrays["scales"]
        require(remembered.ndim == 2 and remembered.dtype == np.uint8, "remembered images")
        require(0 < len(remembered) <= MAX_REMEMBERED, "remembered images")
        require(remembered.shape[1] == width, "remembered images")
        require(scales.shape == (len(remembered),) and scales.dtype == np.float32, "scales of images")
        require(bool(np.isfinite(scales).all() and (scales >= 0).all()), "scales of images")
        return cls(remembered.copy(), scales.copy())


def _own_scales(values: np.ndarray) -> np.ndarray:
    """Return (images,) the mean distance of each image to its nearest others.

    Args:
        values: (images, values) brightness, 0 to 1.
    """
    count = min(NEIGHBOURS, len(values) - 1)
    if not count:
        return np.zeros(len(values), np.float32)
    distances, _ = NearestNeighbors(n_neighbors=count).fit(values).kneighbors()
    return np.asarray(distances.mean(1), dtype=np.float32)
