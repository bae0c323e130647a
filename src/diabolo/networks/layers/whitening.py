"""Windows in coordinates in which those of training are alike in every direction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diabolo.networks.layers.wiener import WienerFilter, bridged, moments

RIDGE = 0.01  # of the mean variance, added to each direction


class Whitener(nn.Module):
    """The whitening of windows (zero-phase: C^-1/2), and the way back.

    Each channel of a window is brought to a mean of 0 first, and given it back in the end: how high a window
    lies is no part of its shape.

    Args:
        points: of a window, over all channels.
        channels: that the points are of, one after the other.

    Attributes:
        linear: what guesses their holes.
        mean: (points,) of the windows.
        whitening: (points, points) what they are multiplied by.
        colour: (points, points) what whitened ones are multiplied by on the way back.
    """

    def __init__(self, points: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.linear = WienerFilter(points, trained=False)
        self.mean: Tensor
        self.whitening: Tensor
        self.colour: Tensor
        self.register_buffer("mean", torch.zeros(points))
        for name in ("whitening", "colour"):
            self.register_buffer(name, torch.zeros(points, points))

    @torch.no_grad()
    def learn(self, values: Tensor, seen: Tensor) -> None:
        """Learn from windows in their order, (rows, points); holes are bridged by straight lines."""
        self.linear.learn(values, seen, channels=self.channels)
        whole = bridged(values.double(), seen, self.channels)
        mean, covariance = moments(whole - self._levels(whole))
        added = RIDGE * covariance.diagonal().mean() + 1e-9
        spread, directions = torch.linalg.eigh(covariance)
        roots = (spread.clamp_min(0) + added).sqrt()
        self.mean.copy_(mean)
        white, coloured = ((directions * share) @ directions.T for share in (1 / roots, roots))
        self.whitening.copy_(white - self._levels(white))
        self.colour.copy_(coloured - self._levels(coloured))

    def whole(self, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, points) windows with the best linear guess in their holes; the log of its deviation."""
        if bool(seen.all()):
            return values, torch.zeros_like(values)
        guess, log = self.linear(values, seen)
        return torch.where(seen, values, guess), log

    def forward(self, values: Tensor) -> Tensor:
        """(rows, points) windows without holes -> whitened."""
        white: Tensor = (values - self.mean) @ self.whitening.T
        return white

    def back(self, mean: Tensor, scale: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Normal distributions of whitened points -> of points, at the levels of these windows."""
        level = self._levels(values)
        variance = scale.square() @ self.colour.square()
        return level + self.mean + mean @ self.colour, variance.sqrt()

    def _levels(self, values: Tensor) -> Tensor:
        """(rows, points) the mean of each channel, at each of its points."""
        parts = values.view(len(values), self.channels, -1)
        return parts.mean(2, keepdim=True).expand_as(parts).reshape_as(values)
