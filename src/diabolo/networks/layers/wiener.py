"""Linear prediction of windows: hidden points from visible ones, and signals from noisy ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from diabolo.data.interpolation import interpolate_missing
from diabolo.utils.numerics import moments

NOISE_VARIANCES = (1e-3, 1e-2, 1e-1, 1.0)  # that are tried
MAX_SOLUTIONS = 64  # patterns of hidden points whose solution is kept
MAX_VALIDATION_WINDOWS = 1_000  # by which the noise is chosen
N_BLOCKS = 12  # of consecutive windows: every third is for validation, the others for fitting meanwhile


class Solution(NamedTuple):
    """What a pattern of hidden points needs.

    Attributes:
        hidden: numbers of the hidden points.
        inverse: (hidden, hidden) of 1 - W_MM.
        log_scale: (hidden,) the logarithm of the standard deviation of each hidden point.
    """

    hidden: Tensor
    inverse: Tensor
    log_scale: Tensor


class WienerFilter(nn.Module):
    """A joint normal distribution over the points of a window, observed with noise.

    Of noisy windows y = x + e, with x of covariance C and e of variance s^2, the best linear prediction of x
    is the Wiener filter `W (y - mean) + mean`, W = C (C + s^2)^-1. Hidden points M are first predicted from
    the visible ones V, `(1 - W_MM)^-1 W_MV (y_V - mean_V)`: the conditional mean, as `y_M = W_M y` has it;
    their variance is `s^2 (1 - W_MM)^-1`, that of the noise included.

    Args:
        points: of a window, over all channels.
        trained: whether training may change the filter.

    Attributes:
        weight: (points, points) the filter.
        mean: (points,) of the windows.
        noise: () s^2.
    """

    def __init__(self, points: int, *, trained: bool) -> None:
        super().__init__()
        if trained:
            self.weight: Tensor = nn.Parameter(torch.zeros(points, points))
        else:
            self.register_buffer("weight", torch.zeros(points, points))
        self.mean: Tensor
        self.noise: Tensor
        self.register_buffer("mean", torch.zeros(points))
        self.register_buffer("noise", torch.ones(()))
        self._solutions: dict[bytes, Solution] = {}
        self._double: tuple[int, Tensor] | None = None

    def fit(self, values: Tensor, seen: Tensor, noise: float | None = None, channels: int = 1) -> None:
        """Fit to windows in their order; missing values are interpolated linearly.

        Such lines are smoother than what they replace. Expectation maximisation, which would account for
        that, was measured to predict worse: it is too certain of what few windows happen to show.

        Args:
            values: (rows, points).
            seen: (rows, points) which values there are.
            noise: the variance of the noise; None to choose it by how well the points of validation windows
                are predicted from the others, a quarter at a time.
            channels: number of channels; the points of one come after those of the other.
        """
        complete = interpolate_missing(values.double(), seen, channels)
        if noise is None:
            validation = _validation_blocks(len(values))
            mean, covariance = moments(complete[~validation])
            others = torch.nonzero(validation).flatten()
            others = others[:: max(len(others) // MAX_VALIDATION_WINDOWS, 1)]
            losses = []
            for variance in NOISE_VARIANCES:
                self._set(mean, covariance, variance)
                losses.append(self._loss(complete[others], seen[others], channels) if len(others) else 0.0)
            noise = NOISE_VARIANCES[int(np.argmin(losses))]
        self._set(*moments(complete), noise)

    @torch.no_grad()
    def _set(self, mean: Tensor, covariance: Tensor, noise: float) -> None:
        identity = torch.eye(len(mean), dtype=torch.double, device=mean.device)
        self.weight.copy_(torch.linalg.solve(covariance + noise * identity, covariance))
        self.mean.copy_(mean)
        self.noise.fill_(noise)

    @torch.no_grad()
    def _loss(self, values: Tensor, seen: Tensor, channels: int) -> float:
        """Return nats of all points that have a value, a quarter of each channel hidden at a time.

        Each channel hides another quarter: the other channels may help at that time, as with missing values.
        """
        total, points = 0.0, torch.arange(values.shape[1]).view(channels, -1)
        quarters = [torch.tensor_split(channel, 4) for channel in points]
        for turn in range(4):
            part = torch.cat([quarters[c][(turn + c) % 4] for c in range(channels)])
            shown = torch.ones_like(values, dtype=torch.bool)
            shown[:, part] = False
            mean, log_scale = (p.double() for p in self(values.float(), shown))
            nats = 0.5 * ((values - mean) / log_scale.exp()).square() + log_scale
            total += float(nats[:, part][seen[:, part]].sum())
        return total

    def forward(self, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return predictions and the logarithms of their standard deviations, (rows, points) each.

        Args:
            values: (rows, points).
            seen: (rows, points) which points are visible; the values of others are not used.
        """
        centred = values - self.mean
        log_scale = (0.5 * self.noise.log()).expand_as(values)
        if not bool(seen.all()):
            log_scale = log_scale.clone()
            with torch.no_grad():
                centred = torch.where(seen, centred, 0.0)
                exact = self._exact_weight()
                for rows, solution in self._patterns(seen):
                    known = centred[rows].to(exact.dtype) @ exact[solution.hidden].T
                    predicted = (known @ solution.inverse.T).to(centred.dtype)
                    centred[rows[:, None], solution.hidden] = predicted
                    log_scale[rows[:, None], solution.hidden] = solution.log_scale.to(log_scale.dtype)
        return self.mean + centred @ self.weight.T, log_scale

    @torch.no_grad()
    def denoise(self, values: Tensor) -> Tensor:
        """Return windows without white noise whose variance is that of the median direction, (rows, points).

        A signal varies in few of very many directions; the variance of the others is that of white noise, the
        same in each. Of a direction of variance c with noise f in it, `(c - f) / c` is kept.
        """
        weight = self._exact_weight()
        share, directions = torch.linalg.eigh((weight + weight.T) / 2)
        variance = self.noise.to(share) * share / (1 - share)
        kept = 1 - variance.median() / variance.clamp_min(1e-12)
        filtered = (directions * kept.clamp(0, 1)) @ directions.T
        signal: Tensor = self.mean + ((values - self.mean).to(filtered) @ filtered).to(values.dtype)
        return signal

    def _exact_weight(self) -> Tensor:
        """Return the filter in double precision, where the device has it: systems are nearly singular."""
        version = self.weight._version
        if self._double is None or self._double[0] != version:
            kind = torch.float32 if self.weight.device.type == "mps" else torch.float64
            self._double, self._solutions = (version, self.weight.detach().to(kind)), {}
        return self._double[1]

    def _patterns(self, seen: Tensor) -> list[tuple[Tensor, Solution]]:
        """Return (rows, solution) for each pattern of hidden points."""
        if bool((seen == seen[:1]).all()):
            groups = [(np.arange(len(seen)), seen[0])]
        else:
            packed = np.ascontiguousarray(np.packbits(seen.cpu().numpy(), axis=1))
            keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
            _, first, which = np.unique(keys, return_index=True, return_inverse=True)
            order = np.argsort(which, kind="stable")
            parts = np.split(order, np.cumsum(np.bincount(which))[:-1])
            groups = [(part, seen[int(row)]) for part, row in zip(parts, first, strict=True)]
        return [
            (torch.from_numpy(rows).to(seen.device), self._solve(shown))
            for rows, shown in groups
            if not bool(shown.all())
        ]

    def _solve(self, shown: Tensor) -> Solution:
        """Return the solution of a pattern, (points,); recent ones are kept."""
        weight, key = self._exact_weight(), np.packbits(shown.cpu().numpy()).tobytes()
        if key not in self._solutions:
            if len(self._solutions) >= MAX_SOLUTIONS:
                self._solutions.clear()
            hidden = torch.nonzero(~shown).flatten()
            system = -weight[hidden[:, None], hidden]
            system.diagonal().add_(1)
            if isinstance(self.weight, nn.Parameter):  # training does not keep it symmetric
                inverse = torch.linalg.inv(system)
            else:
                inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(system).L)
            variance = self.noise.to(inverse) * torch.diagonal(inverse).clamp_min(1.0)
            self._solutions[key] = Solution(hidden, inverse, 0.5 * variance.log())
        return self._solutions[key]


def _validation_blocks(rows: int) -> Tensor:
    """Return which windows are for validation, (rows,): every third block."""
    return torch.arange(rows) * N_BLOCKS // max(rows, 1) % 3 == 1
