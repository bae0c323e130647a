"""The best linear guess of windows: what is hidden in one, from what is seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

NOISES = (1e-3, 1e-2, 1e-1, 1.0)  # variances of the noise on points that are tried
KEPT = 64  # patterns of hidden points whose solution is kept
JUDGED = 1_000  # windows by which a noise is chosen
BLOCKS = 12  # of windows in a row: one in three judges, the others are learnt from meanwhile


class Solution(NamedTuple):
    """What is needed for one pattern of hidden points.

    Attributes:
        hidden: which points.
        inverse: (hidden, hidden) of 1 - W_MM.
        log: (hidden,) the logarithm of the deviation of each hidden point from its guess.
    """

    hidden: Tensor
    inverse: Tensor
    log: Tensor


class WienerFilter(nn.Module):
    """A joint normal distribution over the points of a window, seen with noise.

    Of noisy windows y = x + e, with x of covariance C and e of variance s^2, the best linear guess of x is
    the Wiener filter `W (y - mean) + mean`, W = C (C + s^2)^-1. Hidden points M are first guessed from the
    seen ones V, `(1 - W_MM)^-1 W_MV (y_V - mean_V)`: the conditional mean, as `y_M = W_M y` has it; their
    variance is `s^2 (1 - W_MM)^-1`, that of the noise included.

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
        self._kept: dict[bytes, Solution] = {}
        self._double: tuple[int, Tensor] | None = None

    def learn(self, values: Tensor, seen: Tensor, noise: float | None = None, channels: int = 1) -> None:
        """Learn from windows in their order, (rows, points) each; holes are bridged by straight lines.

        Lines are smoother than what they stand for. Expectation and maximisation, which would know better,
        was measured to guess worse: it takes for certain what few windows happen to show.

        Args:
            values: the points.
            seen: which are there.
            noise: the variance of the noise; None to choose it by how well the points of some windows are
                guessed from the others, a quarter at a time.
            channels: that the points are of, one after the other.
        """
        whole = bridged(values.double(), seen, channels)
        if noise is None:
            judging = _blocks(len(values))
            known = moments(whole[~judging])
            others = torch.nonzero(judging).flatten()
            others = others[:: max(len(others) // JUDGED, 1)]
            losses = []
            for tried in NOISES:
                self._set(*known, tried)
                losses.append(self._loss(whole[others], seen[others], channels) if len(others) else 0.0)
            noise = NOISES[int(np.argmin(losses))]
        self._set(*moments(whole), noise)

    @torch.no_grad()
    def _set(self, mean: Tensor, covariance: Tensor, noise: float) -> None:
        points = torch.eye(len(mean), dtype=torch.double, device=mean.device)
        self.weight.copy_(torch.linalg.solve(covariance + noise * points, covariance))
        self.mean.copy_(mean)
        self.noise.fill_(noise)

    @torch.no_grad()
    def _loss(self, values: Tensor, seen: Tensor, channels: int) -> float:
        """Nats for all points that are there, a quarter of each channel hidden at a time.

        Each channel hides another quarter: what the others show at that time may help, as it does in holes.
        """
        total, points = 0.0, torch.arange(values.shape[1]).view(channels, -1)
        quarters = [torch.tensor_split(channel, 4) for channel in points]
        for turn in range(4):
            part = torch.cat([quarters[c][(turn + c) % 4] for c in range(channels)])
            shown = torch.ones_like(values, dtype=torch.bool)
            shown[:, part] = False
            mean, log = (p.double() for p in self(values.float(), shown))
            nats = 0.5 * ((values - mean) / log.exp()).square() + log
            total += float(nats[:, part][seen[:, part]].sum())
        return total

    def forward(self, values: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, points) the guesses, and the logarithm of their deviations."""
        away = values - self.mean
        log = (0.5 * self.noise.log()).expand_as(values)
        if not bool(seen.all()):
            log = log.clone()
            with torch.no_grad():
                away = torch.where(seen, away, 0.0)
                exact = self._exact()
                for rows, found in self._patterns(seen):
                    known = away[rows].to(exact.dtype) @ exact[found.hidden].T
                    away[rows[:, None], found.hidden] = (known @ found.inverse.T).to(away.dtype)
                    log[rows[:, None], found.hidden] = found.log.to(log.dtype)
        return self.mean + away @ self.weight.T, log

    @torch.no_grad()
    def clean(self, values: Tensor) -> Tensor:
        """(rows, points) windows without their noise, of which each direction has as much as the median one.

        A signal is a few directions of very many; what the others vary is white noise, as much in each. Of a
        direction of variance c with noise f in it, `(c - f) / c` is kept.
        """
        weight = self._exact()
        share, directions = torch.linalg.eigh((weight + weight.T) / 2)
        spread = self.noise.to(share) * share / (1 - share)
        kept = 1 - spread.median() / spread.clamp_min(1e-12)
        filtered = (directions * kept.clamp(0, 1)) @ directions.T
        cleaned: Tensor = self.mean + ((values - self.mean).to(filtered) @ filtered).to(values.dtype)
        return cleaned

    def _exact(self) -> Tensor:
        """The filter in double precision, where the device has it: what is solved is nearly singular."""
        version = self.weight._version
        if self._double is None or self._double[0] != version:
            kind = torch.float32 if self.weight.device.type == "mps" else torch.float64
            self._double, self._kept = (version, self.weight.detach().to(kind)), {}
        return self._double[1]

    def _patterns(self, seen: Tensor) -> list[tuple[Tensor, Solution]]:
        """(rows, what is needed) for each pattern of hidden points."""
        if bool((seen == seen[:1]).all()):
            groups = [(np.arange(len(seen)), seen[0])]
        else:
            packed = np.ascontiguousarray(np.packbits(seen.cpu().numpy(), axis=1))
            whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
            _, first, which = np.unique(whole, return_index=True, return_inverse=True)
            order = np.argsort(which, kind="stable")
            parts = np.split(order, np.cumsum(np.bincount(which))[:-1])
            groups = [(part, seen[int(at)]) for part, at in zip(parts, first, strict=True)]
        return [
            (torch.from_numpy(rows).to(seen.device), self._solved(shown))
            for rows, shown in groups
            if not bool(shown.all())
        ]

    def _solved(self, shown: Tensor) -> Solution:
        weight, key = self._exact(), np.packbits(shown.cpu().numpy()).tobytes()
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            hidden = torch.nonzero(~shown).flatten()
            inside = -weight[hidden[:, None], hidden]
            inside.diagonal().add_(1)
            if isinstance(self.weight, nn.Parameter):  # training does not keep it symmetric
                inverse = torch.linalg.inv(inside)
            else:
                inverse = torch.cholesky_inverse(torch.linalg.cholesky_ex(inside).L)
            variance = self.noise.to(inverse) * torch.diagonal(inverse).clamp_min(1.0)
            self._kept[key] = Solution(hidden, inverse, 0.5 * variance.log())
        return self._kept[key]


def bridged(values: Tensor, seen: Tensor, channels: int) -> Tensor:
    """Windows with straight lines across their holes, the mean where a channel has no point."""
    if bool(seen.all()):
        return values
    length = values.shape[1] // channels
    table, there = values.reshape(-1, length).numpy().copy(), seen.reshape(-1, length).numpy()
    place = np.arange(length)
    for row in np.flatnonzero(~there.all(1)).tolist():
        known = there[row]
        if known.any():
            table[row] = np.interp(place, place[known], table[row, known])
    filled = torch.from_numpy(table).view_as(values)
    nothing = torch.from_numpy(~there.any(1)).view(-1, channels).repeat_interleave(length, 1)
    if bool(nothing.any()):
        kept = (~nothing).double()
        mean = (filled * kept).sum(0) / kept.sum(0).clamp_min(1)
        filled = torch.where(nothing, mean, filled)
    return filled


def _blocks(rows: int) -> Tensor:
    """(rows,) which of the windows, a block in three, noises are judged by, not learnt from."""
    return torch.arange(rows) * BLOCKS // max(rows, 1) % 3 == 1


def moments(values: Tensor) -> tuple[Tensor, Tensor]:
    """(points,) mean and (points, points) covariance of windows without holes."""
    mean = values.mean(0)
    away = values - mean
    return mean, away.T @ away / len(values)
