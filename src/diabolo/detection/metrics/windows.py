"""Windows, whitened: directions in which training windows hardly vary count more."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.detection.metrics.base import FieldMetric
from diabolo.utils.numerics import moments, square_roots

MAX_WINDOWS = 512  # that are remembered: they overlap
# Whitening ridge as a share of the mean variance: this, or one over twice the number of independent windows.
MIN_RIDGE = 0.01


class WindowMetric(FieldMetric):
    """The whitening of windows by their shape alone.

    Each channel is brought to a mean of 0 first: its level is evidence of its own, and as one of the
    directions a slow drift would count as an anomalous shape. Of few windows that do not overlap, directions
    in which they hardly vary are not known: the fewer, the more alike all directions are taken to be.

    Args:
        learnt: (points, points) the whitening.
    """

    kind = Curve.kind
    array = "whitening"
    dense = True

    @classmethod
    def fit(cls, batch: Batch, scored: Tensor, positions: np.ndarray | None) -> Self:
        """Learn the whitening.

        Args:
            batch: windows, on the CPU.
            scored: not used.
            positions: (windows,) their positions in time.
        """
        curve = (batch.values[cls.kind] * batch.visible[cls.kind]).double()
        _, covariance = moments((curve - curve.mean(2, keepdim=True)).flatten(1))
        ridge = max(MIN_RIDGE, 0.5 / independent_windows(positions, curve.shape[-1]))
        whitening, _ = square_roots(covariance, ridge)
        by_channel = whitening.view(*curve.shape[1:], -1)
        centred = by_channel - by_channel.mean(1, keepdim=True)
        return cls(np.asarray(centred.reshape(whitening.shape).float().numpy()))

    @classmethod
    def max_rows(cls, batch: Batch) -> int:
        return MAX_WINDOWS

    def features(self, values: Tensor, visible: Tensor, scored: Tensor) -> tuple[Tensor, Tensor]:
        """Return whitened windows; all their numbers are present.

        Args:
            values: (windows, channels, length).
            visible: likewise, which points are present.
            scored: not used.
        """
        white = (values * visible).flatten(1) @ self._whitening
        return white, torch.ones_like(white, dtype=torch.bool)

    def parts(self, values: Tensor, others: Tensor, both: Tensor) -> Tensor:
        """Return (windows, channels, length) squares of the whitened difference.

        Args:
            values: (windows, channels, length).
            others: likewise.
            both: likewise, which points both have.
        """
        gap = ((values - others) * both).flatten(1)
        return (gap @ self._whitening).square().view_as(values)

    @property
    def _whitening(self) -> Tensor:
        assert self.learnt is not None
        return torch.from_numpy(self.learnt)


def independent_windows(positions: np.ndarray | None, length: int) -> float:
    """Return how many windows that do not overlap would cover the points that these cover.

    Args:
        positions: (windows,) their positions in time; None for any number.
        length: points in a window.
    """
    if positions is None or len(positions) == 0:
        return np.inf
    return float(np.minimum(np.diff(np.unique(positions)), length).sum() / length + 1)
