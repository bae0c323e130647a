"""The joint normal distribution of the points of a subsequence, all channels together."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from diabolo.utils.numerics import moments, ridged

RIDGE = 1e-4  # of the mean variance; so small that channels which hardly differ are still told apart
MAX_SOLUTIONS = 16  # sets of channels whose inverse covariance is kept


class JointNormal:
    """The joint normal distribution of the points of a subsequence, all channels together.

    Attributes:
        mean: (points,).
        covariance: (points, points).
    """

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.mean, self.covariance = mean, covariance
        self._precisions: dict[bytes, Tensor] = {}

    @classmethod
    def fit(cls, flat: np.ndarray) -> JointNormal:
        """Learn from (subsequences, points)."""
        mean, covariance = moments(torch.from_numpy(flat))
        return cls(mean.float().numpy(), ridged(covariance, RIDGE).float().numpy())

    def errors(self, flat: np.ndarray, complete: np.ndarray) -> np.ndarray:
        """Return (subsequences, points) each point's distance from its conditional mean given the others.

        In conditional standard deviations; NaN if unknown. Only complete channels count: one that is missing
        says nothing of the others.

        Args:
            flat: (subsequences, points), channel by channel.
            complete: (subsequences, channels) which channels count.
        """
        errors = np.full(flat.shape, np.nan)
        patterns, which = np.unique(complete, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            points = np.flatnonzero(np.repeat(pattern, flat.shape[1] // complete.shape[1]))
            if len(points):
                at = np.ix_(np.flatnonzero(which.ravel() == number), points)
                precision = self._precision(points)
                away = torch.from_numpy(flat[at] - self.mean[points]).double()
                errors[at] = ((away @ precision).abs() / precision.diagonal().sqrt()).numpy()
        return errors

    def _precision(self, points: np.ndarray) -> Tensor:
        """Return the inverse covariance of some points; the last ones asked for are kept."""
        key = points.tobytes()
        if key not in self._precisions:
            if len(self._precisions) >= MAX_SOLUTIONS:
                self._precisions.clear()
            covariance = torch.from_numpy(self.covariance[np.ix_(points, points)]).double()
            self._precisions[key] = torch.linalg.inv(covariance)
        return self._precisions[key]
