"""One score of an image from several pieces of evidence, in units of what is usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from diabolo.utils.checks import require

USUAL = 0.9  # share of normal images that do not exceed what is usual (a choice)
MIN_SPREAD = 1e-3  # of logarithms of distances, where all images of the fit are alike


@dataclass(frozen=True)
class Joining:
    """Scales of the pieces of evidence, from images that the models had not seen.

    Attributes:
        centre: (pieces,) medians.
        spread: (pieces,) standard deviations.
        limit: (pieces,) what nine in ten normal images do not exceed.
        beyond: (pieces,) the mean of the rest over it.
    """

    centre: np.ndarray
    spread: np.ndarray
    limit: np.ndarray
    beyond: np.ndarray

    @classmethod
    def fit(cls, pieces: np.ndarray) -> Joining:
        """Return the scales of pieces of evidence.

        Args:
            pieces: (images, pieces) of normal images that the models had not seen.
        """
        limit = np.quantile(pieces, USUAL, axis=0)
        above = pieces > limit
        beyond = ((pieces - limit) * above).sum(0) / np.maximum(above.sum(0), 1)
        floor = np.maximum(beyond, MIN_SPREAD)
        return cls(np.median(pieces, axis=0), np.maximum(pieces.std(0), MIN_SPREAD), limit, floor)

    def score(self, pieces: Sequence[float], plain: Sequence[float], excess: Sequence[float]) -> float:
        """Return the weighted sum of deviations, and of what exceeds the usual.

        Args:
            pieces: of evidence about an image.
            plain: weight of the deviation of each piece.
            excess: weight of what each exceeds the limit by, in units of the mean of what does.
        """
        values = np.asarray(pieces)
        deviations = (values - self.centre) / self.spread
        exceeding = np.maximum(values - self.limit, 0) / self.beyond
        return float(deviations @ np.asarray(plain) + exceeding @ np.asarray(excess))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        return {"scales": np.stack([self.centre, self.spread, self.limit, self.beyond])}

    @classmethod
    def restore(cls, arrays: Mapping[str, Any], pieces: int) -> Joining:
        """Return the inverse of `arrays`.

        Args:
            arrays: name -> array.
            pieces: how many pieces of evidence there are.

        Raises:
            ValueError: no fit can have left this.
        """
        scales = arrays["scales"]
        require(scales.shape == (4, pieces) and scales.dtype == np.float64, "scales of evidence")
        require(bool(np.isfinite(scales).all() and (scales[[1, 3]] > 0).all()), "scales of evidence")
        return cls(*scales.copy())
