"""How far a whole image is from the nearest images of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from diabolo.utils.checks import require

NEIGHBOURS = 3  # (1 is as good, measured)
STEPS = 255  # in which brightness is remembered
MAX_REMEMBERED = 10_000  # images that a model file may hold


class NearestImages:
    """Remember small copies of images, and find the nearest of them.

    Args:
        remembered: (images, values) in steps of 1 / 255.
    """

    def __init__(self, remembered: np.ndarray) -> None:
        self.remembered = remembered

    @classmethod
    def fit(cls, thumbnails: np.ndarray) -> NearestImages:
        """Remember images.

        Args:
            thumbnails: (images, values), 0 to 1.
        """
        return cls(np.rint(thumbnails * STEPS).astype(np.uint8))

    def nearest(self, thumbnail: np.ndarray) -> np.ndarray:
        """Return (neighbours, values) the nearest images of one.

        Args:
            thumbnail: (values,) 0 to 1.
        """
        squares = self._squares - 2 * (self._values @ thumbnail)
        count = min(NEIGHBOURS, len(squares))
        chosen = np.sort(np.argpartition(squares, count - 1)[:count])
        found: np.ndarray = self._values[chosen]
        return found

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
        return {"remembered": self.remembered}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], width: int) -> NearestImages:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            width: values of an image.

        Raises:
            ValueError: no fit can have left this.
        """
        remembered = arrays["remembered"]
        require(remembered.ndim == 2 and remembered.dtype == np.uint8, "remembered images")
        require(0 < len(remembered) <= MAX_REMEMBERED, "remembered images")
        require(remembered.shape[1] == width, "remembered images")
        return cls(remembered.copy())
