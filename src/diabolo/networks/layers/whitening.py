"""Whitening of windows: coordinates in which those of training have the same variance in every direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diabolo.data.interpolation import interpolate_missing
from diabolo.networks.layers.wiener import WienerFilter
from diabolo.utils.numerics import moments, square_roots

RIDGE = 0.01  # of the mean variance, added to the variance of each direction; a choice


class Whitener(nn.Module):
    """Zero-phase whitening of windows, C^-1/2 (x - mean), and its inverse.

    Each channel of a window is centred first, and its level is restored by the inverse: the level of a
    window is no part of its shape.

    Args:
        points: of a window, over all channels.
        channels: number of channels; the points of one come after those of the other.

    Attributes:
        window_filter: predicts missing values.
        mean: (points,) of the centred windows.
        whitening: (points, points) the matrix of the whitening.
        unwhitening: (points, points) the matrix of the inverse.
    """

    def __init__(self, points: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.window_filter = WienerFilter(points, trained=False)
        self.mean: Tensor
        self.whitening: Tensor
        self.unwhitening: Tensor
        self.register_buffer("mean", torch.zeros(points))
        for name in ("whitening", "unwhitening"):
            self.register_buffer(name, torch.zeros(points, points))

    @torch.no_grad()
    def fit(self, values: Tensor, seen: Tensor) -> None:
        """Fit to windows in their order; missing values are interpolated linearly.

        Args:
            values: (rows, points).
            seen: (rows, points) which values there are.
        """
        self.window_filter.fit(values, seen, channels=self.channels)
        complete = interpolate_missing(values.double(), seen, self.channels)
        mean, covariance = moments(complete - self._levels(complete))
        inverse_root, root = square_roots(covariance, RIDGE)
        self.mean.copy_(mean)
        self.whitening.copy_(inverse_root - self._levels(inverse_root))
        self.unwhitening.copy_(root - self._levels(root))

    def complete(self, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows with missing values predicted linearly, and the log of their standard deviations.

        Args:
            values: (rows, points).
            seen: (rows, points) which values there are.
        """
        if bool(seen.all()):
            return values, torch.zeros_like(values)
        prediction, log_scale = self.window_filter(values, seen)
        return torch.where(seen, values, prediction), log_scale

    def forward(self, values: Tensor) -> Tensor:
        """Return whitened windows, (rows, points); no value may be missing."""
        white: Tensor = (values - self.mean) @ self.whitening.T
        return white

    def invert(self, mean: Tensor, scale: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return normal distributions of points, for those of whitened points.

        Args:
            mean: (rows, points) of whitened points.
            scale: (rows, points) standard deviations of whitened points, which are independent.
            values: (rows, points) windows whose levels are restored.

        Returns:
            the mean and the standard deviation of each point, (rows, points) each.
        """
        level = self._levels(values)
        variance = scale.square() @ self.unwhitening.square()
        return level + self.mean + mean @ self.unwhitening, variance.sqrt()

    def _levels(self, values: Tensor) -> Tensor:
        """Return the mean of each channel at each of its points, (rows, points)."""
        parts = values.view(len(values), self.channels, -1)
        return parts.mean(2, keepdim=True).expand_as(parts).reshape_as(values)
