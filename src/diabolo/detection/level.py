"""Whether a window lies at a height where windows of its series usually lie."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve

FENCE = 1.5  # Tukey's: in units of the distance between the quartiles
FLAT = 0.05  # of the series' deviation: a level that never moves still gets a fence
HIGHEST = 6.0


class LevelEvidence:
    """The usual range of the mean of a window, for each channel, and how far beyond it others lie.

    The shape of a window says little of its height: in the distance between windows the mean is one
    direction of very many. So it is a question of its own. Means within Tukey's fences, 1.5 times the
    distance between the quartiles beyond them (Tukey, "Exploratory data analysis", 1977), are no evidence;
    beyond, the evidence grows with the square of the excess, `(1 + e^8)^(1/4)`, up to 6: a series that has
    left its range for good can still be odd in shape.

    Attributes:
        arrays: low, high (channels,) quartiles of the means, and fence (channels,) the width of the fence.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = dict(arrays)

    @classmethod
    def fit(cls, batch: Batch) -> LevelEvidence:
        """Learn from training windows."""
        means = _means(batch)
        means = np.where(
            np.isfinite(means).any(0), means, 0.0
        )  # of a channel without a point nothing is known
        low, high = np.nanquantile(means, [0.25, 0.75], axis=0)
        return cls({"low": low, "high": high, "fence": FENCE * (high - low + FLAT)})

    def excess(self, batch: Batch) -> np.ndarray:
        """(rows, channels) how far each mean lies beyond the quartiles, in widths of the fence; 0 inside."""
        means, low, high = _means(batch), self.arrays["low"], self.arrays["high"]
        beyond = np.maximum(np.maximum(low - means, means - high), 0) / self.arrays["fence"]
        return np.asarray(np.nan_to_num(beyond))

    def side(self, batch: Batch) -> np.ndarray:
        """(rows, channels) -1 where the mean lies below the quartiles, 1 above them, 0 between them."""
        means = _means(batch)
        return np.asarray((means > self.arrays["high"]).astype(int) - (means < self.arrays["low"]))

    def evidence(self, excess: np.ndarray) -> np.ndarray:
        """(rows,) from 1, for a usual level, to 6: of the channel that is farthest out."""
        farthest = np.minimum(excess.max(1, initial=0.0), HIGHEST)
        return np.asarray(np.minimum((1 + farthest**8) ** 0.25, HIGHEST))


def _means(batch: Batch) -> np.ndarray:
    """(rows, channels) mean of the points that are there; NaN where there is none."""
    curve: Tensor = batch.values[Curve.kind].double()
    seen = batch.visible[Curve.kind].double()
    count = seen.sum(-1)
    mean = torch.where(count > 0, (curve * seen).sum(-1) / count.clamp_min(1), torch.nan)
    return mean.cpu().numpy()
